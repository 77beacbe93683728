package detector

import (
	"math"

	"semblance"
)

const (
	// closeUpSize is the side of the second look's input. A face fills
	// closeUpSize/closeUpRoom = 128 pixels of it, where YuNet is most exact.
	closeUpSize = 224
	closeUpRoom = 1.75
	// Between these sizes, in pixels of the first look, a second look would see no
	// more: the longer side of the box is where YuNet is most exact already.
	exactFrom, exactTo = 96, 160
	// sameFace is the overlap from which a face of the second look is the one that
	// was looked at.
	sameFace = 0.3
)

// A view is a part of the frame, from (x, y), w by h of its pixels, shown to the
// network as outW by outH pixels in the upper left corner of planeW by planeH.
type view struct {
	x, y, w, h     float64
	outW, outH     int
	planeW, planeH int
}

// views are the whole frame with its longer side reduced to each size. A frame
// smaller than the largest size is enlarged at most enlarge times; smaller sizes
// that would show it no smaller are left out.
func views(width, height int, sizes []int, enlarge float64) []view {
	var list []view
	longer := float64(max(width, height))
	last := math.Inf(1)
	for _, size := range sizes {
		scale := min(float64(size)/longer, enlarge)
		if scale >= last {
			continue
		}
		last = scale
		v := view{w: float64(width), h: float64(height)}
		v.outW = max(1, int(math.Round(v.w*scale)))
		v.outH = max(1, int(math.Round(v.h*scale)))
		v.planeW, v.planeH = up32(v.outW), up32(v.outH)
		list = append(list, v)
	}
	return list
}

// closeUp is a square around a face.
func closeUp(b semblance.Box) view {
	side := float64(max(b.W, b.H)) * closeUpRoom
	x, y := float64(b.X)+float64(b.W)/2-side/2, float64(b.Y)+float64(b.H)/2-side/2
	return view{x: x, y: y, w: side, h: side, outW: closeUpSize, outH: closeUpSize, planeW: closeUpSize, planeH: closeUpSize}
}

func up32(n int) int { return (n + 31) / 32 * 32 }

// toFrame moves a face from the network's input to the frame.
func (v *view) toFrame(f *semblance.Face) {
	sx, sy := v.w/float64(v.outW), v.h/float64(v.outH)
	f.Box = semblance.Box{X: float32(v.x + float64(f.Box.X)*sx), Y: float32(v.y + float64(f.Box.Y)*sy),
		W: float32(float64(f.Box.W) * sx), H: float32(float64(f.Box.H) * sy)}
	for i, p := range f.Landmarks {
		f.Landmarks[i] = semblance.Point{X: float32(v.x + float64(p.X)*sx), Y: float32(v.y + float64(p.Y)*sy)}
	}
}

// checkFrame refuses what is not a frame, so that native code never sees it.
func checkFrame(f *semblance.Frame) error {
	if f == nil || f.Width < 1 || f.Height < 1 || len(f.RGB)/3/f.Width < f.Height {
		return semblance.Errorf(semblance.Invalid, "the frame has no pixels or fewer than its size says")
	}
	return nil
}
