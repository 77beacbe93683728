package media

import "semblance"

// Fit returns the frame made smaller so that its longer side is side pixels, each
// new pixel the average of the area it covers, in exact integer arithmetic. A
// frame that fits already, or a side under 1, is returned as it is; f is only read.
func Fit(f *semblance.Frame, side int) *semblance.Frame {
	longer := max(f.Width, f.Height)
	if side < 1 || longer <= side {
		return f
	}
	to := newFrame(f.Index, scaled(f.Width, side, longer), scaled(f.Height, side, longer))
	average(to, f)
	return to
}

// averagePlain fills to, which is not larger than f in either direction.
func averagePlain(to, f *semblance.Frame) {
	w, h := to.Width, to.Height
	sums := make([]uint64, 3*f.Width)
	for y := range h {
		clear(sums)
		// In units of 1/h of a source row, row y covers [y*H, (y+1)*H) and source row
		// sy covers [sy*h, (sy+1)*h).
		for sy := y * f.Height / h; sy < f.Height && sy*h < (y+1)*f.Height; sy++ {
			weight := uint64(min((sy+1)*h, (y+1)*f.Height) - max(sy*h, y*f.Height))
			for i, v := range f.RGB[3*sy*f.Width : 3*(sy+1)*f.Width] {
				sums[i] += weight * uint64(v)
			}
		}
		fitRow(to.RGB[3*y*w:3*(y+1)*w], sums, f.Width, w, uint64(f.Width)*uint64(f.Height))
	}
}

// scaled rounds, and keeps a pixel of the thinnest strip.
func scaled(n, side, longer int) int { return max(1, (n*side+longer/2)/longer) }

// fitRow averages a row of column sums. total is the weight of a whole new pixel.
func fitRow(to []byte, sums []uint64, from, w int, total uint64) {
	for x := range w {
		var r, g, b uint64
		for sx := x * from / w; sx < from && sx*w < (x+1)*from; sx++ {
			weight := uint64(min((sx+1)*w, (x+1)*from) - max(sx*w, x*from))
			r += weight * sums[3*sx]
			g += weight * sums[3*sx+1]
			b += weight * sums[3*sx+2]
		}
		to[3*x], to[3*x+1], to[3*x+2] = byte((r+total/2)/total), byte((g+total/2)/total), byte((b+total/2)/total)
	}
}
