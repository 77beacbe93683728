package media

import "semblance"

// How dark a row or column of a bar is: black, with what JPEG makes of black beside a
// picture. Cameras put a wide picture into a thumbnail of 160 by 120 between such bars.
const (
	barMean = 20
	barMost = 64
)

// WithoutBars is a copy of the part of a frame between black bars that lie on two opposite
// sides and are about as thick as each other; nil when there are none. Together they are
// less than four fifths of it.
func WithoutBars(f *semblance.Frame) *semblance.Frame {
	x0, x1 := between(f.Width, func(x int) bool { return dark(f, x, 0, 0, 1, f.Height) })
	y0, y1 := between(f.Height, func(y int) bool { return dark(f, 0, y, 1, 0, f.Width) })
	if x1-x0 == f.Width && y1-y0 == f.Height {
		return nil
	}
	out := &semblance.Frame{Index: f.Index, Width: x1 - x0, Height: y1 - y0, RGB: make([]byte, 0, 3*(x1-x0)*(y1-y0))}
	for y := y0; y < y1; y++ {
		out.RGB = append(out.RGB, f.RGB[3*(y*f.Width+x0):3*(y*f.Width+x1)]...)
	}
	return out
}

// between is the part of 0 to n that lies between two bars, or all of it.
func between(n int, bar func(int) bool) (from, to int) {
	most := n * 2 / 5 // a telephone's picture that stands upright leaves 47 of 160
	for from < most && bar(from) {
		from++
	}
	to = n
	for to > n-most && bar(to-1) {
		to--
	}
	const least, apart = 2, 3 // one dark row is a border, and uneven ones are the picture's own
	if rest := n - to; min(from, rest) < least || max(from, rest)-min(from, rest) > apart || from == most {
		return 0, n
	}
	return from, to
}

// dark reports whether n pixels from (x, y) on, in steps of (dx, dy), are black.
func dark(f *semblance.Frame, x, y, dx, dy, n int) bool {
	sum := 0
	for range n {
		p := f.RGB[3*(y*f.Width+x):]
		luma := (int(p[0])*299 + int(p[1])*587 + int(p[2])*114) / 1000
		if luma > barMost {
			return false
		}
		sum += luma
		x, y = x+dx, y+dy
	}
	return sum <= barMean*n
}
