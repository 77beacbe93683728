package hashing_test

import (
	"math"
	"sort"

	"semblance/hashing"
)

// pdqReference is the slow twin of the PDQ of this package: whole-picture
// buffers and one loop for each step of the published algorithm.
func pdqReference(p hashing.Pixels) hashing.PDQResult {
	var r hashing.PDQResult
	if p.Width < 5 || p.Height < 5 {
		return r
	}
	plain := lumaReference(p)
	small := filterReference(plain, p.Width, p.Height)
	square := small
	if p.Width == 64 && p.Height == 64 {
		copy(square[:], plain)
	}
	r.Quality = qualityReference(square)
	r.Hash = bitsReference(dctReference(square))
	b := dctReference(small)
	for t := range r.Dihedral {
		r.Dihedral[t] = bitsReference(turnReference(b, hashing.Transform(t)))
	}
	return r
}

func lumaReference(p hashing.Pixels) []float32 {
	var out []float32
	for y := range p.Height {
		for x := range p.Width {
			px := p.Pix[y*p.Stride+x*p.Channels:]
			if p.Channels == 1 {
				out = append(out, float32(px[0]))
				continue
			}
			v := float32(float32(0.299) * float32(px[0]))
			v = v + float32(float32(0.587)*float32(px[1]))
			v = v + float32(float32(0.114)*float32(px[2]))
			out = append(out, v)
		}
	}
	return out
}

func filterReference(a []float32, width, height int) (out [4096]float32) {
	b := make([]float32, len(a))
	ww, wh := (width+127)/128, (height+127)/128
	for range 2 {
		for y := range height {
			box1D(a[y*width:], b[y*width:], width, 1, ww)
		}
		for x := range width {
			box1D(b[x:], a[x:], height, width, wh)
		}
	}
	for i := range 64 {
		for j := range 64 {
			y := int((float64(i) + 0.5) * float64(height) / 64)
			x := int((float64(j) + 0.5) * float64(width) / 64)
			out[i*64+j] = a[y*width+x]
		}
	}
	return out
}

// box1D has the four phases of the reference.
func box1D(in, out []float32, n, stride, window int) {
	half := (window + 2) / 2
	var sum float32
	left, right, at, size := 0, 0, 0, 0
	enter := func() { sum += in[right]; right += stride }
	leave := func() { sum -= in[left]; left += stride }
	write := func() { out[at] = sum / float32(size); at += stride }
	for range half - 1 {
		enter()
		size++
	}
	for range window - half + 1 {
		enter()
		size++
		write()
	}
	for range n - window {
		enter()
		leave()
		write()
	}
	for range half - 1 {
		leave()
		size--
		write()
	}
}

func qualityReference(a [4096]float32) int {
	sum := 0
	for i := range 64 {
		for j := range 64 {
			if i < 63 {
				d := int(float32(float32(a[i*64+j]-a[i*64+64+j])*100) / 255)
				sum += int(math.Abs(float64(d)))
			}
			if j < 63 {
				d := int(float32(float32(a[i*64+j]-a[i*64+j+1])*100) / 255)
				sum += int(math.Abs(float64(d)))
			}
		}
	}
	return min(sum/90, 100)
}

func cosReference(i, j int) float32 {
	return float32(float64(float32(math.Sqrt(2.0/64))) * math.Cos(math.Pi/2/64*float64(i+1)*float64(2*j+1)))
}

func dctReference(a [4096]float32) (b [16][16]float32) {
	var t [16][64]float32
	for i := range 16 {
		for j := range 64 {
			for k := range 64 {
				t[i][j] += float32(cosReference(i, k) * a[k*64+j])
			}
		}
	}
	for i := range 16 {
		for j := range 16 {
			for k := range 64 {
				b[i][j] += float32(t[i][k] * cosReference(j, k))
			}
		}
	}
	return b
}

// turnReference follows the sign diagrams of the reference, whose + and -
// stand for the rows and columns of the result.
func turnReference(a [16][16]float32, t hashing.Transform) (b [16][16]float32) {
	odd := func(n int) float32 { return float32(2*(n&1) - 1) } // + for odd, - for even
	for i := range 16 {
		for j := range 16 {
			switch t {
			case hashing.Original:
				b[i][j] = a[i][j]
			case hashing.Rotate90:
				b[j][i] = odd(j) * a[i][j]
			case hashing.Rotate180:
				b[i][j] = odd(i) * odd(j) * a[i][j]
			case hashing.Rotate270:
				b[j][i] = odd(i) * a[i][j]
			case hashing.FlipX:
				b[i][j] = odd(i) * a[i][j]
			case hashing.FlipY:
				b[i][j] = odd(j) * a[i][j]
			case hashing.FlipPlus:
				b[j][i] = a[i][j]
			case hashing.FlipMinus:
				b[j][i] = odd(i) * odd(j) * a[i][j]
			}
		}
	}
	return b
}

// bitsReference finds the median by sorting.
func bitsReference(b [16][16]float32) (h hashing.PDQ) {
	var all []float64
	for i := range b {
		for _, v := range b[i] {
			all = append(all, float64(v))
		}
	}
	sort.Float64s(all)
	var words [16]uint16
	for k := range 256 {
		if float64(b[k/16][k%16]) > all[127] {
			words[k>>4] |= 1 << (k & 15)
		}
	}
	for i := range 16 {
		h[2*i], h[2*i+1] = byte(words[15-i]>>8), byte(words[15-i])
	}
	return h
}
