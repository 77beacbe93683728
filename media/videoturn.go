package media

import "semblance/hashing"

// turnSquare turns a square picture of three channels clockwise by 90, 180 or 270
// degrees, in place.
func turnSquare(p hashing.Pixels, degrees int) {
	n := p.Width
	at := func(x, y int) int { return y*p.Stride + 3*x }
	old := make([]byte, len(p.Pix))
	copy(old, p.Pix)
	for y := range n {
		for x := range n {
			from := at(x, y)
			switch degrees {
			case 90:
				from = at(y, n-1-x)
			case 180:
				from = at(n-1-x, n-1-y)
			case 270:
				from = at(n-1-y, x)
			}
			copy(p.Pix[at(x, y):at(x, y)+3], old[from:from+3])
		}
	}
}
