package media

import "semblance"

// Upright returns the frame turned the way a person looks at it, by its EXIF
// orientation: 2 mirrored, 3 upside down, 4 mirrored upside down, 5 transposed,
// 6 to be turned a quarter clockwise, 7 transposed over the other diagonal, 8 to
// be turned a quarter counterclockwise. With 0, 1 and values that do not exist the frame itself
// is returned, otherwise a new one; f is only read.
func Upright(f *semblance.Frame, orientation int) *semblance.Frame {
	if orientation < 2 || orientation > 8 {
		return f
	}
	w, h := f.Width, f.Height
	// dst(x, y) is src[base + x*dx + y*dy], in pixels.
	var base, dx, dy int
	switch orientation {
	case 2:
		base, dx, dy = w-1, -1, w
	case 3:
		base, dx, dy = w*h-1, -1, -w
	case 4:
		base, dx, dy = w*(h-1), 1, -w
	case 5:
		base, dx, dy = 0, w, 1
	case 6:
		base, dx, dy = w*(h-1), -w, 1
	case 7:
		base, dx, dy = w*h-1, -w, -1
	case 8:
		base, dx, dy = w-1, w, -1
	}
	if orientation >= 5 {
		w, h = h, w
	}
	to := newFrame(f.Index, w, h)
	turn(to, f.RGB, base, dx, dy)
	return to
}

// turn copies by tiles: a turned row is a column of the source, and 64 pixels of 64 rows
// stay in the first cache.
func turn(to *semblance.Frame, src []byte, base, dx, dy int) {
	const tile = 64
	for ty := 0; ty < to.Height; ty += tile {
		for tx := 0; tx < to.Width; tx += tile {
			for y := ty; y < min(ty+tile, to.Height); y++ {
				i := 3 * (y*to.Width + tx)
				s := 3 * (base + tx*dx + y*dy)
				for range min(tile, to.Width-tx) {
					p, q := to.RGB[i:i+3:i+3], src[s:s+3:s+3]
					p[0], p[1], p[2] = q[0], q[1], q[2]
					i += 3
					s += 3 * dx
				}
			}
		}
	}
}

// undone is the orientation that turns back.
func undone(orientation int) int {
	switch orientation {
	case 6:
		return 8
	case 8:
		return 6
	}
	return orientation
}

// turnedTwice is the orientation that equals turning by one and then by another.
// It is found by trying: the smallest frame with sides that differ tells all eight apart.
func turnedTwice(first, then int) int {
	f := newFrame(0, 3, 2)
	for i := range f.RGB {
		f.RGB[i] = byte(i / 3)
	}
	want := Upright(Upright(f, first), then)
	for o := 1; o <= 8; o++ {
		if got := Upright(f, o); got.Width == want.Width && string(got.RGB) == string(want.RGB) {
			return o
		}
	}
	return 1
}
