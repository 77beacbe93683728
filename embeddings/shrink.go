package embeddings

import "semblance"

// shrink reduces a frame to w by h pixels, no larger than it is, by averaging
// whole pixels: each output pixel is the mean of the pixels whose centers it
// covers, at least one.
func shrink(f *semblance.Frame, w, h int) *semblance.Frame {
	if w == f.Width && h == f.Height {
		return f
	}
	out := &semblance.Frame{Index: f.Index, Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	columns := bounds(f.Width, w)
	rows := bounds(f.Height, h)
	sums := make([]uint32, 3*w)
	for y := range h {
		clear(sums)
		for sy := rows[y]; sy < rows[y+1]; sy++ {
			addRow(sums, f.RGB[3*sy*f.Width:3*(sy+1)*f.Width], columns)
		}
		row := out.RGB[3*y*w:]
		for x := range w {
			n := uint32((rows[y+1] - rows[y]) * (columns[x+1] - columns[x]))
			for c := range 3 {
				row[3*x+c] = uint8((sums[3*x+c] + n/2) / n)
			}
		}
	}
	return out
}

// bounds splits n pixels into parts of nearly the same size.
func bounds(n, parts int) []int {
	list := make([]int, parts+1)
	for i := range list {
		list[i] = i * n / parts
	}
	return list
}

func addRow(sums []uint32, row []byte, columns []int) {
	for x := 0; x+1 < len(columns); x++ {
		var r, g, b uint32
		for p := row[3*columns[x] : 3*columns[x+1]]; len(p) >= 3; p = p[3:] {
			r += uint32(p[0])
			g += uint32(p[1])
			b += uint32(p[2])
		}
		sums[3*x] += r
		sums[3*x+1] += g
		sums[3*x+2] += b
	}
}
