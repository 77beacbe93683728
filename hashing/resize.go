package hashing

import "math"

// packed is one RGB pixel in three lanes of 21 bits, so that one
// multiplication weighs all three channels.
type packed uint64

const (
	laneBits = 21
	laneMask = 1<<laneBits - 1
	// laneTaps products of a weight of at most 256 and a channel of at most 255
	// fit a lane.
	laneTaps = 32
)

func pack3(r, g, b byte) packed {
	return packed(r) | packed(g)<<laneBits | packed(b)<<(2*laneBits)
}

// A tapSpan is the weighted mean that makes one output value of a line.
type tapSpan struct {
	first      int      // the input that the first weight belongs to
	weights    []uint16 // 0 to 256 each
	lead, tail uint32   // weights that fall before the first and behind the last input
	reciprocal uint64   // for division by the sum of all weights
}

const reciprocalShift = 54

// mean divides a weighted sum by the sum of weights, rounding down. It is
// exact: the sum of weights is below 1<<23 for MaxSide inputs to 8 outputs,
// and the error of the reciprocal, below 2^-54 × 255 × 2^23, then cannot carry
// a quotient over the next multiple of 1/(sum of weights).
func (s *tapSpan) mean(v uint32) uint32 {
	return uint32(uint64(v) * s.reciprocal >> reciprocalShift)
}

// spans returns the weights with which github.com/nfnt/resize shrinks or
// stretches a line of in values to out values, bilinear, 8 bits (there:
// createWeights8): a triangle, cut to whole 256ths, and inputs beyond the
// ends replaced by the end.
func spans(in, out int) []tapSpan {
	scale := float64(in) / float64(out)
	taps := 2 * int(max(math.Ceil(scale), 1))
	factor := min(1/scale, 1)
	all := make([]tapSpan, out)
	for y := range all {
		at := float64(scale*(float64(y)+0.5)) - 0.5
		start := int(at) - taps/2 + 1
		at -= float64(start)
		s := &all[y]
		s.first = max(start, 0)
		total := uint32(0)
		for i := range taps {
			w := triangle((at - float64(i)) * factor)
			total += uint32(w)
			switch x := start + i; {
			case x < 0:
				s.lead += uint32(w)
			case x >= in:
				s.tail += uint32(w)
			default:
				s.weights = append(s.weights, w)
			}
		}
		s.trim()
		s.reciprocal = (1<<reciprocalShift + uint64(total) - 1) / uint64(total)
	}
	return all
}

// trim drops weights of 0 at the ends.
func (s *tapSpan) trim() {
	for len(s.weights) > 0 && s.weights[0] == 0 {
		s.weights = s.weights[1:]
		s.first++
	}
	for n := len(s.weights); n > 0 && s.weights[n-1] == 0; n-- {
		s.weights = s.weights[:n-1]
	}
}

func triangle(x float64) uint16 {
	if x = math.Abs(x); x <= 1 {
		return uint16((1 - x) * 256)
	}
	return 0
}

// sum returns the weighted sums of the three channels.
func (s *tapSpan) sum(row []packed) (r, g, b uint32) {
	px, w := row[s.first:s.first+len(s.weights)], s.weights
	for len(w) > laneTaps {
		v := dot(px[:laneTaps], w[:laneTaps])
		r, g, b = r+uint32(v&laneMask), g+uint32(v>>laneBits&laneMask), b+uint32(v>>(2*laneBits))
		px, w = px[laneTaps:], w[laneTaps:]
	}
	v := dot(px, w)
	r, g, b = r+uint32(v&laneMask), g+uint32(v>>laneBits&laneMask), b+uint32(v>>(2*laneBits))
	if s.lead|s.tail != 0 {
		f, l := row[0], row[len(row)-1]
		r += s.lead*uint32(f&laneMask) + s.tail*uint32(l&laneMask)
		g += s.lead*uint32(f>>laneBits&laneMask) + s.tail*uint32(l>>laneBits&laneMask)
		b += s.lead*uint32(f>>(2*laneBits)) + s.tail*uint32(l>>(2*laneBits))
	}
	return r, g, b
}

func dot(px []packed, w []uint16) packed {
	px = px[:len(w)]
	var v0, v1 packed
	for len(w) >= 4 && len(px) >= 4 {
		v0 += px[0]*packed(w[0]) + px[1]*packed(w[1])
		v1 += px[2]*packed(w[2]) + px[3]*packed(w[3])
		px, w = px[4:], w[4:]
	}
	for i := range w {
		v0 += px[i] * packed(w[i])
	}
	return v0 + v1
}

// A share is the weight of an input row in an output row.
type share struct {
	out    int
	weight uint32
}

// A resizer reduces a picture to width by height pixels, row by row, with the
// very values of nfnt/resize: each row first, cut to 8 bits, then the columns.
type resizer struct {
	width, height int
	across, down  []tapSpan
	shares        [][]share // by input row
	row           []uint32  // one reduced row, three values a pixel
	acc           []uint32  // height rows
}

func newResizer(width, height, inWidth, inHeight int) *resizer {
	z := &resizer{
		width: width, height: height,
		across: spans(inWidth, width), down: spans(inHeight, height),
		shares: make([][]share, inHeight),
		row:    make([]uint32, 3*width), acc: make([]uint32, 3*width*height),
	}
	add := func(y, out int, w uint32) {
		if w != 0 {
			z.shares[y] = append(z.shares[y], share{out, w})
		}
	}
	for out, s := range z.down {
		add(0, out, s.lead)
		for i, w := range s.weights {
			add(s.first+i, out, uint32(w))
		}
		add(inHeight-1, out, s.tail)
	}
	return z
}

// push adds input row y. Rows may come in any order, each once.
func (z *resizer) push(y int, row []packed) {
	for i := range z.across {
		s := &z.across[i]
		r, g, b := s.sum(row)
		z.row[3*i], z.row[3*i+1], z.row[3*i+2] = s.mean(r), s.mean(g), s.mean(b)
	}
	n := len(z.row)
	for _, sh := range z.shares[y] {
		acc := z.acc[sh.out*n : (sh.out+1)*n]
		for i, v := range z.row[:len(acc)] {
			acc[i] += sh.weight * v
		}
	}
}

// gray writes the luma of the reduced picture as goimagehash computes it.
func (z *resizer) gray(dst []float64) {
	for y := range z.height {
		s := &z.down[y]
		for x := range z.width {
			px := z.acc[3*(y*z.width+x):][:3]
			r, g, b := float64(s.mean(px[0])), float64(s.mean(px[1])), float64(s.mean(px[2]))
			dst[y*z.width+x] = float64(0.299*r) + float64(0.587*g) + float64(0.114*b)
		}
	}
}
