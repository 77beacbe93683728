package hashing

import (
	"math"
	"sync"
)

// pdqFreqs is how many frequencies each way PDQ keeps of the 64: 1 to 16.
const pdqFreqs = 16

type (
	dctMatrix [pdqFreqs][pdqSide]float32
	dctBlock  [pdqFreqs][pdqFreqs]float32
)

// pdqMatrix returns the cosine matrix of the reference: float32 of a float64
// product whose scale was rounded to float32 first.
var pdqMatrix = sync.OnceValue(func() *dctMatrix {
	var m dctMatrix
	scale := float64(float32(math.Sqrt(2.0 / pdqSide)))
	for i := range m {
		for j := range m[i] {
			angle := (math.Pi / 2 / pdqSide) * float64(i+1) * float64(2*j+1)
			m[i][j] = float32(scale * math.Cos(angle))
		}
	}
	return &m
})

// dct returns frequencies 1 to 16 of a both ways. Each element is a float32
// sum in the order of k, as in the reference. The conversions around the
// products keep processors with fused multiply-add from rounding once less.
func dct(a *[pdqSide][pdqSide]float32) *dctBlock {
	d := pdqMatrix()
	var b dctBlock
	for i := range b {
		var t [pdqSide]float32
		for k, f := range d[i] {
			for j, v := range &a[k] {
				t[j] += float32(f * v)
			}
		}
		for j := range b[i] {
			var sum float32
			for k, f := range d[j] {
				sum += float32(t[k] * f)
			}
			b[i][j] = sum
		}
	}
	return &b
}

// quality is the reference's measure of how much there is to hash: the
// quantized differences of neighbors, 0 to 100.
func quality(a *[pdqSide][pdqSide]float32) int {
	sum := 0
	for i := range a {
		for j, u := range a[i] {
			if i+1 < pdqSide {
				sum += step(u, a[i+1][j])
			}
			if j+1 < pdqSide {
				sum += step(u, a[i][j+1])
			}
		}
	}
	return min(sum/90, 100)
}

func step(u, v float32) int {
	d := int(float32((u-v)*100) / 255)
	return max(d, -d)
}

// transform returns the frequencies of the picture turned or mirrored by t:
// a transposition, and a changed sign for every other row or column.
func transform(a *dctBlock, t Transform) *dctBlock {
	var b dctBlock
	for i := range a {
		for j, v := range a[i] {
			r, c := i, j
			if t == Rotate90 || t == Rotate270 || t == FlipPlus || t == FlipMinus {
				r, c = j, i
			}
			if negates(t, i, j) {
				v = -v
			}
			b[r][c] = v
		}
	}
	return &b
}

func negates(t Transform, i, j int) bool {
	switch t {
	case Rotate90, FlipY:
		return j&1 == 0
	case Rotate270, FlipX:
		return i&1 == 0
	case Rotate180, FlipMinus:
		return (i+j)&1 == 1
	}
	return false
}

// pack sets a bit for every frequency above the median.
func pack(b *dctBlock) PDQ {
	var h PDQ
	m := torben(b)
	for i := range b {
		for j, v := range b[i] {
			if v > m {
				k := i*pdqFreqs + j
				h[31-k/8] |= 1 << (k % 8)
			}
		}
	}
	return h
}

// torben returns the lower median, the 128th smallest of the 256, by the
// method of Torben Mogensen, as the reference does.
func torben(b *dctBlock) float32 {
	const half = (pdqFreqs*pdqFreqs + 1) / 2
	lo, hi := b[0][0], b[0][0]
	for i := range b {
		for _, v := range b[i] {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	for {
		guess := (lo + hi) / 2
		less, greater, equal := 0, 0, 0
		below, above := lo, hi
		for i := range b {
			for _, v := range b[i] {
				switch {
				case v < guess:
					less++
					below = max(below, v)
				case v > guess:
					greater++
					above = min(above, v)
				default:
					equal++
				}
			}
		}
		switch {
		case less > half:
			hi = below
		case greater > half:
			lo = above
		case less >= half:
			return below
		case less+equal >= half:
			return guess
		default:
			return above
		}
	}
}
