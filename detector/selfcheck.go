package detector

import (
	"math"

	"semblance"
)

// checkSide is the side of the known input in pixels.
const checkSide = 64

// checkTolerance is how far YuNet's answer to the known input may be off the one
// pinned here. Different CPUs differ by about 1e-5.
const checkTolerance = 1e-3

// checkPlanes is the known input: soft waves, the same everywhere since they are
// made with whole numbers.
func checkPlanes() []float32 {
	planes := make([]float32, 3*checkSide*checkSide)
	for i := range planes {
		c, y, x := i/(checkSide*checkSide), i/checkSide%checkSide, i%checkSide
		planes[i] = wave(8*x + 4*y*(c+1) + 60*c)
	}
	return planes
}

// wave is a triangle of period 256 between 0 and 254.
func wave(i int) float32 {
	i %= 256
	if i >= 128 {
		i = 255 - i
	}
	return float32(2 * i)
}

// knownAnswer is the start of the boxes and of the landmarks at stride 8.
func knownAnswer() (box, kps [4]float32) {
	return [4]float32{0.644513, 0.721056, 0.701475, 0.937203}, [4]float32{0.166162, 0.111371, 0.794923, 0.013638}
}

// checkAnswer compares an answer with the one that is pinned.
func checkAnswer(l level) error {
	box, kps := knownAnswer()
	worst := 0.0
	for i := range box {
		worst = max(worst, math.Abs(float64(l.box[i]-box[i])), math.Abs(float64(l.kps[i]-kps[i])))
	}
	if !(worst <= checkTolerance) {
		return semblance.Errorf(semblance.Unavailable, "YuNet does not give its known answer to a known input: it is off by %.4f", worst).
			WithHint("Run `semblance models verify`; if the weights are right, the ONNX Runtime library or this CPU is the cause, and no face search on this machine can be relied on.")
	}
	return nil
}
