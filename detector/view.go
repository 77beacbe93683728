package detector

import (
	"math"

	"semblance"
)

const (
	// closeUpSize is the side of the input of a look at one face.
	closeUpSize = 128
	// refineRoom is how much of a face's surroundings are in the picture when its landmarks are
	// looked for: the face fills 128/1.4 = 91 pixels, where YuNet's landmarks are
	// steadiest. docs/accuracy.md has the sizes that were tried.
	refineRoom = 1.4
	// stanceRoom is the same when a face is looked at in all four stances: it fills
	// 73 pixels.
	stanceRoom = 1.75
	// sameFace is the overlap from which a face of the second look is the one that
	// was looked at.
	sameFace = 0.3
)

// A view is a part of the frame, from (x, y), w by h of its pixels, shown to the
// network as outW by outH pixels in the upper left corner of planeW by planeH, and
// then turned clockwise by turn degrees.
type view struct {
	x, y, w, h     float64
	outW, outH     int
	planeW, planeH int
	turn           int
	inner          edges // of a tile: where the frame goes on
	coarse         int   // of the frame reduced further, for faces that fill it: how many times
	tile           bool
}

// edges says at which sides of a tile the frame goes on.
type edges struct{ left, top, right, bottom bool }

// wholeView is the whole frame at a scale.
func wholeView(width, height int, scale float64) view {
	v := view{w: float64(width), h: float64(height)}
	v.outW = max(1, int(math.Round(v.w*scale)))
	v.outH = max(1, int(math.Round(v.h*scale)))
	v.planeW, v.planeH = up32(v.outW), up32(v.outH)
	return v
}

// firstView is the whole frame with its longer side reduced to size. A smaller frame
// is enlarged at most enlarge times.
func firstView(width, height, size int, enlarge float64) view {
	return wholeView(width, height, min(float64(size)/float64(max(width, height)), enlarge))
}

// views are the first one and, where step is above 1, the same so many times smaller.
func views(first view, step int) []view {
	if step < 2 {
		return []view{first}
	}
	v := first
	v.outW, v.outH = (first.outW+step-1)/step, (first.outH+step-1)/step
	v.w, v.h = float64(v.outW*step)*first.w/float64(first.outW), float64(v.outH*step)*first.h/float64(first.outH)
	v.planeW, v.planeH, v.coarse = up32(v.outW), up32(v.outH), step
	return []view{first, v}
}

// closeUp is a square around a face, room times as wide as the face is long.
func closeUp(b semblance.Box, room float64, turn int) view {
	const size = closeUpSize
	side := float64(max(b.W, b.H)) * room
	x, y := float64(b.X)+float64(b.W)/2-side/2, float64(b.Y)+float64(b.H)/2-side/2
	return view{x: x, y: y, w: side, h: side, outW: size, outH: size, planeW: size, planeH: size, turn: turn}
}

func up32(n int) int { return (n + 31) / 32 * 32 }

// scale is how many pixels of the network's input a pixel of the frame becomes.
func (v *view) scale() float64 { return float64(v.outW) / v.w }

// shown is the size of the network's input: that of the planes after turning.
func (v *view) shown() (w, h int) {
	if v.turn%180 != 0 {
		return up32(v.outH), up32(v.outW)
	}
	return v.planeW, v.planeH
}

// toFrame moves a face from the network's input to the frame. Its landmarks keep
// their order, which is that of the face as it stands.
func (v *view) toFrame(f *semblance.Face) {
	f.Turn = v.turn
	b := f.Box
	x0, y0 := v.unturn(float64(b.X), float64(b.Y))
	x1, y1 := v.unturn(float64(b.X+b.W), float64(b.Y+b.H))
	sx, sy := v.w/float64(v.outW), v.h/float64(v.outH)
	f.Box = semblance.Box{X: float32(v.x + min(x0, x1)*sx), Y: float32(v.y + min(y0, y1)*sy),
		W: float32(math.Abs(x1-x0) * sx), H: float32(math.Abs(y1-y0) * sy)}
	for i, p := range f.Landmarks {
		x, y := v.unturn(float64(p.X), float64(p.Y))
		f.Landmarks[i] = semblance.Point{X: float32(v.x + x*sx), Y: float32(v.y + y*sy)}
	}
}

// unturn undoes the turn of a position in the input.
func (v *view) unturn(x, y float64) (float64, float64) {
	switch v.turn {
	case 90:
		return y, float64(v.outH) - x
	case 180:
		return float64(v.outW) - x, float64(v.outH) - y
	case 270:
		return float64(v.outW) - y, x
	}
	return x, y
}

// cuts reports whether a face in the frame's pixels reaches a side of the tile at
// which the frame goes on: what was seen may be half of it.
func (v *view) cuts(b semblance.Box) bool {
	const near = 3 // pixels of the input
	d := near / v.scale()
	return v.inner.left && float64(b.X) < v.x+d || v.inner.top && float64(b.Y) < v.y+d ||
		v.inner.right && float64(b.X+b.W) > v.x+v.w-d || v.inner.bottom && float64(b.Y+b.H) > v.y+v.h-d
}

// checkFrame refuses what is not a frame, so that native code never sees it.
func checkFrame(f *semblance.Frame) error {
	if f == nil || f.Width < 1 || f.Height < 1 || len(f.RGB)/3/f.Width < f.Height {
		return semblance.Errorf(semblance.Invalid, "the frame has no pixels or fewer than its size says")
	}
	return nil
}
