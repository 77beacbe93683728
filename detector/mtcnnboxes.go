package detector

import (
	"cmp"
	"math"
	"slices"

	"semblance"
)

// What MTCNN's networks look at, in pixels: PNet's window and its step, and the
// chips of the other two.
const (
	pnetWindow, pnetStep = 12, 2
	rnetSize, onetSize   = 24, 48
)

// MTCNNOptions say how MTCNN looks for faces. DefaultMTCNN are what the engine of
// this version is pinned to: other values make other signals.
type MTCNNOptions struct {
	PNet, RNet, ONet NetworkFile
	Threads          int // of ONNX Runtime within one frame; 0 is 1
	Size             int // longer side in pixels to which a frame is reduced; smaller ones are not enlarged
	Turned           int // the same for a frame that is looked at turned by 90, 180 and 270 degrees, because nothing certain was found
	Scores           [3]float32
}

// A NetworkFile is a network and the checksum it must have.
type NetworkFile struct {
	Path   string
	SHA256 string // hexadecimal; empty: not compared
}

// DefaultMTCNN are the pinned options, without files: the scores of the networks'
// publisher.
func DefaultMTCNN() MTCNNOptions {
	return MTCNNOptions{Threads: 1, Size: 640, Turned: 448, Scores: [3]float32{0.6, 0.7, 0.7}}
}

const (
	// pyramidStep is how much smaller each look of the pyramid is than the one before:
	// half the area.
	pyramidStep = 0.709
	// mostProposals is how many windows go on from one network to the next, the highest
	// scores first.
	mostProposals = 2000
	// lookPixels is how many pixels of the pyramid are as much work as one of YuNet's
	// tiles, in which FindOptions.Looks counts.
	lookPixels = 640 * 640 / 16
	// standing is the score from which on a face says how the frame stands.
	standing = 0.95
)

// A proposal is a box that may be a face, in pixels of the frame.
type proposal struct {
	x0, y0, x1, y1 float64
	score          float32
	points         [5]semblance.Point
}

// moved applies a network's four offsets, in parts of width and height.
func (p proposal) moved(by []float32) proposal {
	w, h := p.x1-p.x0, p.y1-p.y0
	p.x0, p.y0, p.x1, p.y1 = p.x0+w*float64(by[0]), p.y0+h*float64(by[1]), p.x1+w*float64(by[2]), p.y1+h*float64(by[3])
	return p
}

// squared is the square around the same center whose side is the longer one.
func (p proposal) squared() proposal {
	side, cx, cy := max(p.x1-p.x0, p.y1-p.y0)/2, (p.x0+p.x1)/2, (p.y0+p.y1)/2
	p.x0, p.y0, p.x1, p.y1 = cx-side, cy-side, cx+side, cy+side
	return p
}

// chip is the view of a square of size by size pixels.
func (p proposal) chip(size int) view {
	return view{x: p.x0, y: p.y0, w: p.x1 - p.x0, h: p.y1 - p.y0, outW: size, outH: size, planeW: size, planeH: size}
}

// usable reports whether a box is one: finite, and of the picture's order of size.
func (p proposal) usable() bool {
	side := max(p.x1-p.x0, p.y1-p.y0)
	return p.x1 > p.x0 && p.y1 > p.y0 && side >= 1 && side < 1e6 && math.Abs(p.x0) < 1e6 && math.Abs(p.y0) < 1e6
}

// place sets the landmarks from ONet's ten positions, in parts of the box: five from
// the left, five from the top.
func (p *proposal) place(at []float32) {
	w, h := p.x1-p.x0, p.y1-p.y0
	for i := range p.points {
		p.points[i] = semblance.Point{X: float32(p.x0 + w*float64(at[i])), Y: float32(p.y0 + h*float64(at[5+i]))}
	}
}

// face is the proposal as a face; its landmarks have been set.
func (p *proposal) face() semblance.Face {
	return semblance.Face{Box: semblance.Box{X: float32(p.x0), Y: float32(p.y0), W: float32(p.x1 - p.x0), H: float32(p.y1 - p.y0)},
		Landmarks: slices.Clone(p.points[:]), Score: p.score}
}

// byUnion and byLesser measure how far two boxes are one: intersection over union,
// and over the smaller one.
func byUnion(p, q *proposal) float64 {
	both := p.both(q)
	return both / (p.area() + q.area() - both)
}

func byLesser(p, q *proposal) float64 { return p.both(q) / min(p.area(), q.area()) }

func (p *proposal) area() float64 { return (p.x1 - p.x0) * (p.y1 - p.y0) }

func (p *proposal) both(q *proposal) float64 {
	return max(0, min(p.x1, q.x1)-max(p.x0, q.x0)) * max(0, min(p.y1, q.y1)-max(p.y0, q.y0))
}

// thin keeps the highest scores, at most mostProposals, and of those that overlap by
// limit or more the best. Equal scores are ordered by place.
func thin(list []proposal, limit float64, measure func(p, q *proposal) float64) []proposal {
	slices.SortFunc(list, func(p, q proposal) int {
		return cmp.Or(cmp.Compare(q.score, p.score), cmp.Compare(p.x0, q.x0), cmp.Compare(p.y0, q.y0), cmp.Compare(p.x1, q.x1))
	})
	kept := list[:0:0]
	for i := range list {
		if len(kept) == mostProposals {
			break
		}
		if !slices.ContainsFunc(kept, func(k proposal) bool { return measure(&k, &list[i]) >= limit }) {
			kept = append(kept, list[i])
		}
	}
	return kept
}

// windows reads PNet's answer to a part of a look: rows by columns of scores, and
// four planes of offsets. x and y are where the part begins in the look, scale how
// many of the look's pixels one of the frame's is.
func windows(score, box []float32, columns, rows, x, y int, scale float64, least float32) []proposal {
	var list []proposal
	n := columns * rows
	for i, s := range score[:n] {
		if !(s >= least) { // NaN is no face
			continue
		}
		x0, y0 := float64(x+i%columns*pnetStep)/scale, float64(y+i/columns*pnetStep)/scale
		p := proposal{x0: x0, y0: y0, x1: x0 + pnetWindow/scale, y1: y0 + pnetWindow/scale, score: s}
		p = p.moved([]float32{box[i], box[n+i], box[2*n+i], box[3*n+i]})
		if p.usable() {
			list = append(list, p)
		}
	}
	return list
}

// pyramid are the scales at which a frame is looked at, the finest first: such that
// faces of minFace pixels fill a window, at least those that a look at size pixels
// shows, and no more than looks allow. reached is the smallest face that is looked for.
func pyramid(width, height, size, minFace, looks int) (scales []float64, reached int) {
	coarse := min(1, float64(size)/float64(max(width, height)))
	finest := coarse
	if minFace > 0 {
		finest = max(coarse, min(1, pnetWindow/float64(minFace)))
	}
	const all = 1 / (1 - pyramidStep*pyramidStep) // pixels of the whole pyramid for one of the finest look
	if most := float64(looks) * lookPixels / all; float64(width)*float64(height)*finest*finest > most {
		finest = max(coarse, math.Sqrt(most/(float64(width)*float64(height))))
	}
	for s := finest; s*float64(min(width, height)) >= pnetWindow; s *= pyramidStep {
		scales = append(scales, s)
	}
	return scales, int(math.Ceil(pnetWindow/finest - 1e-9))
}

// stretches cuts a length of a look into pieces of at most most pixels that overlap so
// that every window is in one of them, and in one only.
func stretches(length, most int) (starts, lengths []int) {
	const rest = pnetWindow - pnetStep
	for at := 0; at+pnetWindow <= length; at += most - rest {
		starts, lengths = append(starts, at), append(lengths, min(most, length-at))
	}
	return starts, lengths
}

// picture makes a frame of planes (blue, green, red) of w by h values.
func picture(planes []float32, w, h int) *semblance.Frame {
	f := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	n := w * h
	for i := range n {
		for c := range 3 {
			f.RGB[3*i+c] = uint8(min(255, planes[(2-c)*n+i]+0.5))
		}
	}
	return f
}

// turnFrame is a frame turned clockwise by 90, 180 or 270 degrees.
func turnFrame(f *semblance.Frame, turn int) *semblance.Frame {
	out := &semblance.Frame{Index: f.Index, Width: f.Width, Height: f.Height, RGB: make([]byte, len(f.RGB))}
	if turn != 180 {
		out.Width, out.Height = f.Height, f.Width
	}
	for y := range out.Height {
		for x := range out.Width {
			sx, sy := f.Width-1-x, f.Height-1-y
			switch turn {
			case 90:
				sx, sy = y, f.Height-1-x
			case 270:
				sx, sy = f.Width-1-y, x
			}
			copy(out.RGB[3*(y*out.Width+x):3*(y*out.Width+x)+3], f.RGB[3*(sy*f.Width+sx):])
		}
	}
	return out
}
