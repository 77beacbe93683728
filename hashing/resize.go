package hashing

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

// An rgbSum holds sums of three channels.
type rgbSum struct{ r, g, b uint32 }

// add adds the lanes of v, each weight times.
func (s *rgbSum) add(v packed, weight uint32) {
	s.r += weight * uint32(v&laneMask)
	s.g += weight * uint32(v>>laneBits&laneMask)
	s.b += weight * uint32(v>>(2*laneBits))
}

// A resizer reduces a picture to width by height pixels, row by row, with the
// very values of github.com/nfnt/resize (bilinear, 8 bits): each row first,
// cut to 8 bits, then the columns. All sums are of whole numbers, so their
// order does not matter.
type resizer struct {
	width, height int
	across, down  *taps
	sums          []rgbSum // one reduced row
	row           []uint32 // the same, divided, three values a pixel
	shares        []share  // grouped by input row
	shareEnd      []int32  // by input row, where its shares end
	acc           []uint32 // height rows
}

// A share is the weight of an input row in an output row.
type share struct {
	out    int32
	weight uint32
}

func newResizer(width, height, inWidth, inHeight int) *resizer {
	z := &resizer{
		width: width, height: height,
		across: newTaps(inWidth, width), down: newTaps(inHeight, height),
		sums: make([]rgbSum, width), row: make([]uint32, 3*width), acc: make([]uint32, 3*width*height),
	}
	z.across.pair()
	z.share(inHeight)
	return z
}

// share turns the weights of the columns around: from which rows an output
// takes to where a row goes.
func (z *resizer) share(rows int) {
	z.shareEnd = make([]int32, rows)
	each := func(f func(y int, s share)) {
		for out, s := range z.down.spans {
			if s.lead != 0 {
				f(0, share{int32(out), s.lead})
			}
			for i, w := range s.weights {
				f(s.first+i, share{int32(out), uint32(w)})
			}
			if s.tail != 0 {
				f(rows-1, share{int32(out), s.tail})
			}
		}
	}
	each(func(y int, _ share) { z.shareEnd[y]++ })
	total := int32(0)
	for y, n := range z.shareEnd {
		z.shareEnd[y] = total
		total += n
	}
	z.shares = make([]share, total)
	each(func(y int, s share) {
		z.shares[z.shareEnd[y]] = s
		z.shareEnd[y]++
	})
}

// push adds input row y. Rows may come in any order, each once.
func (z *resizer) push(y int, row []packed) {
	clear(z.sums)
	z.across.reduce(row, z.sums)
	for i, s := range z.sums {
		span := &z.across.spans[i]
		z.row[3*i], z.row[3*i+1], z.row[3*i+2] = span.mean(s.r), span.mean(s.g), span.mean(s.b)
	}
	from := int32(0)
	if y > 0 {
		from = z.shareEnd[y-1]
	}
	n := len(z.row)
	for _, s := range z.shares[from:z.shareEnd[y]] {
		acc := z.acc[int(s.out)*n : (int(s.out)+1)*n]
		for i, v := range z.row[:len(acc)] {
			acc[i] += s.weight * v
		}
	}
}

// gray writes the luma of the reduced picture as goimagehash computes it.
func (z *resizer) gray(dst []float64) {
	for y := range z.height {
		s := &z.down.spans[y]
		for x := range z.width {
			px := z.acc[3*(y*z.width+x):][:3]
			r, g, b := float64(s.mean(px[0])), float64(s.mean(px[1])), float64(s.mean(px[2]))
			dst[y*z.width+x] = float64(0.299*r) + float64(0.587*g) + float64(0.114*b)
		}
	}
}
