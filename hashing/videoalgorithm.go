package hashing

import "fmt"

// The algorithms of videos. A value of one is as long as the video asks for, so
// Bits is that of one frame, 0 for TMK, and values are read with ParseVPDQBinary and
// ParseTMK, never with Parse. The versions of vPDQ say how frames are chosen, and how they are
// turned: hashes of frames of all are PDQ and comparable.
const (
	AlgorithmVPDQ          Algorithm = "vpdq/seconds-1"   // at least a frame a second, by presentation time
	AlgorithmVPDQKeyframes Algorithm = "vpdq/keyframes-1" // only frames that decode without another
	AlgorithmVPDQUpright   Algorithm = "vpdq/upright-1"   // the frames of seconds-1 as they are shown, of videos that are shown turned
	AlgorithmVPDQMirrored  Algorithm = "vpdq/mirrored-1"  // the frames of seconds-1 as they are shown, left and right exchanged: to find copies that are
	AlgorithmTMK           Algorithm = "tmk+pdqf/1"
)

// VideoAlgorithms returns every algorithm of videos.
func VideoAlgorithms() []Algorithm {
	return []Algorithm{AlgorithmVPDQ, AlgorithmVPDQKeyframes, AlgorithmVPDQUpright, AlgorithmVPDQMirrored, AlgorithmTMK}
}

// videoAlgorithm knows the names that ParseAlgorithm takes.
func videoAlgorithm(name string) (Algorithm, bool) {
	switch name {
	case "vpdq", string(AlgorithmVPDQ):
		return AlgorithmVPDQ, true
	case "vpdq-keyframes", string(AlgorithmVPDQKeyframes):
		return AlgorithmVPDQKeyframes, true
	case "vpdq-upright", string(AlgorithmVPDQUpright):
		return AlgorithmVPDQUpright, true
	case "vpdq-mirrored", string(AlgorithmVPDQMirrored):
		return AlgorithmVPDQMirrored, true
	case "tmk", "tmk+pdqf", string(AlgorithmTMK):
		return AlgorithmTMK, true
	}
	return "", false
}

// IsVideo reports whether values of a are made of a whole video.
func (a Algorithm) IsVideo() bool { return a.IsVPDQ() || a == AlgorithmTMK }

// IsVPDQ reports whether values of a are read with ParseVPDQBinary.
func (a Algorithm) IsVPDQ() bool {
	return a == AlgorithmVPDQ || a == AlgorithmVPDQKeyframes || a == AlgorithmVPDQUpright || a == AlgorithmVPDQMirrored
}

// CheckValue reports why value cannot be one of a: wrong length, or, of a video, not
// its binary form. The error is a *SyntaxError.
func (a Algorithm) CheckValue(value []byte) error {
	var err error
	switch {
	case a.IsVPDQ():
		_, err = ParseVPDQBinary(value)
	case a == AlgorithmTMK:
		_, err = ParseTMK(value)
	case a.Bits() == 0:
		err = &SyntaxError{Msg: fmt.Sprintf("no algorithm is called %q", clip(string(a)))}
	case a.Bits() != 8*len(value):
		err = &SyntaxError{Msg: fmt.Sprintf("a value of %s has %d bytes, not %d", a, a.Bits()/8, len(value))}
	}
	return err
}
