package hashing

import (
	"github.com/corona10/goimagehash/etcs"
	"github.com/corona10/goimagehash/transforms"
)

// averageHash sets a bit for every pixel of an 8 by 8 reduction above their
// mean.
func averageHash(z *resizer) (h Hash64) {
	px := make([]float64, 64)
	z.gray(px)
	mean := etcs.MeanOfPixels(px)
	for i, p := range px {
		if p > mean {
			h |= 1 << (63 - i)
		}
	}
	return h
}

// differenceHash sets a bit for every pixel of a 9 by 8 reduction that is
// darker than its right neighbor.
func differenceHash(z *resizer) (h Hash64) {
	px := make([]float64, 9*8)
	z.gray(px)
	for i := range 64 {
		if at := i/8*9 + i%8; px[at] < px[at+1] {
			h |= 1 << (63 - i)
		}
	}
	return h
}

// perceptionHash sets a bit for every one of the 64 lowest frequencies of a 64
// by 64 reduction above their median.
func perceptionHash(z *resizer) (h Hash64) {
	px := make([]float64, 64*64)
	z.gray(px)
	transforms.DCT2DFast64(&px)
	low := transforms.FlattenPixelsFast64(px, 8, 8)
	median := etcs.MedianOfPixelsFast64(low)
	for i, p := range low {
		if p > median {
			h |= 1 << (63 - i)
		}
	}
	return h
}
