package detector

import (
	"math"

	"semblance"
)

// mtcnnAnswer is the start of the boxes and the first score that each network of
// MTCNN gives to the known input of its size.
func mtcnnAnswer() (box [3][4]float32, score [3]float32) {
	return [3][4]float32{
		{-0.036300, -0.140320, -0.099950, 0.128788},
		{-0.202612, -0.385159, 0.047135, 0.375491},
		{-0.023206, -0.019528, 0.025401, 0.080525},
	}, [3]float32{0.000064, 0.000099, 0.000390}
}

// mtcnnCheckSizes are the sides of the known inputs.
func mtcnnCheckSizes() [3]int { return [3]int{checkSide, rnetSize, onetSize} }

// waves is the known input of a size.
func waves(side int) []float32 {
	planes := make([]float32, 3*side*side)
	for i := range planes {
		c, y, x := i/(side*side), i/side%side, i%side
		planes[i] = wave(8*x + 4*y*(c+1) + 60*c)
	}
	return planes
}

// checkMTCNN compares a network's answer with the one that is pinned. stride is the
// number of values between the offsets of a box.
func checkMTCNN(net int, score, box []float32, stride int) error {
	boxes, scores := mtcnnAnswer()
	worst := math.Abs(float64(score[0] - scores[net]))
	for i, want := range boxes[net] {
		worst = max(worst, math.Abs(float64(box[i*stride]-want)))
	}
	if !(worst <= checkTolerance) {
		return semblance.Errorf(semblance.Unavailable, "MTCNN does not give its known answer to a known input: it is off by %.4f", worst).
			WithHint("Run `semblance models verify`; if the weights are right, the ONNX Runtime library or this CPU is the cause, and no face search on this machine can be relied on.")
	}
	return nil
}
