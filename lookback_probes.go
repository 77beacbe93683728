package semblance

import "semblance/hashing"

// probes are the values that are looked for of a frame in one algorithm, a PDQ's by
// transform, supplied ones as their givers.
func (f *FrameHashes) probes(alg hashing.Algorithm) (values [][]byte) {
	switch {
	case alg.IsSupplied():
		for _, h := range f.givers(alg) {
			values = append(values, h.Value)
		}
	case alg == hashing.AlgorithmPDQ:
		values = turnedValues(f.PDQ)
	default:
		values = [][]byte{f.hash64(alg).Bytes()}
	}
	return values
}

// givers are the supplied values of an algorithm that are compared.
func (f *FrameHashes) givers(alg hashing.Algorithm) (list []SuppliedHash) {
	for _, h := range f.Supplied {
		if h.Algorithm == alg && !hashing.IsTrivial(alg, h.Value) {
			list = append(list, h)
		}
	}
	return list
}

// quality is the one that near matches of a frame are held to. It is PDQ's, and says
// nothing of what others make of the picture.
func (f *FrameHashes) quality(alg hashing.Algorithm) int {
	if f.PDQ == nil || alg.IsSupplied() {
		return 100
	}
	return f.PDQ.Quality
}
