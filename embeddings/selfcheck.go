package embeddings

import (
	"math"

	"semblance"
)

// checkTolerance is how far a network's answer to the known input may be off the
// one pinned here. Different CPUs differ by about 1e-5; a wrong network or a
// broken runtime by 0.1 and more.
const checkTolerance = 1e-3

// checkChip is the known input: a chip of soft blobs, the same everywhere since it
// is made with whole numbers.
func checkChip(size int) []byte {
	chip := make([]byte, 3*size*size)
	for y := range size {
		for x := range size {
			u, v := x*256/size, y*256/size
			p := chip[3*(y*size+x):]
			p[0], p[1], p[2] = wave(u*2+v), wave(v*3-u+512), wave(u+v*2+85)
		}
	}
	return chip
}

// wave is a triangle of period 256 between 0 and 254.
func wave(i int) byte {
	i %= 256
	if i >= 128 {
		i = 255 - i
	}
	return byte(2 * i)
}

// checkOwn looks at the answers of an own network to the known input and to a gray
// chip: no answer to them is pinned, but two pictures that have nothing in common
// must not look the same to it.
func (s Spec) checkOwn(known, gray []float32) error {
	for i := range known {
		if known[i] != gray[i] {
			return nil
		}
	}
	return semblance.Errorf(semblance.Unavailable, "%s gives two quite different pictures the same embedding: everyone would be a candidate for everyone", s.Name).
		WithHint("Look at mean, scale, color and layout in its engine.json, and at the network itself.")
}

// grayChip is an input without anything on it.
func grayChip(size int) []byte {
	chip := make([]byte, 3*size*size)
	for i := range chip {
		chip[i] = 128
	}
	return chip
}

// checkAnswer compares the start of an answer with what is pinned for the network.
func (s Spec) checkAnswer(got []float32) error {
	worst := 0.0
	for i, want := range s.known {
		worst = max(worst, math.Abs(float64(got[i])-float64(want)))
	}
	if len(s.known) == 0 || !(worst <= checkTolerance) {
		return semblance.Errorf(semblance.Unavailable, "%s does not give its known answer to a known input: it is off by %.4f", s.Name, worst).
			WithHint("Run `semblance models verify`; if the weights are right, the ONNX Runtime library or this CPU is the cause, and no face search on this machine can be relied on.")
	}
	return nil
}
