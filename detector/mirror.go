package detector

import "semblance"

// mirrorPlanes writes rows of w values from right to left.
func mirrorPlanes(dst, src []float32, w int) {
	for row := 0; row+w <= len(src); row += w {
		from, to := src[row:row+w], dst[row:row+w]
		for i, v := range from {
			to[w-1-i] = v
		}
	}
}

// unmirror moves a face found in the mirror image of an input w pixels wide to where
// it is in the input. What was the left eye is the right one.
func unmirror(f *semblance.Face, w int) {
	width := float32(w)
	f.Box.X = width - f.Box.X - f.Box.W
	for i := range f.Landmarks {
		f.Landmarks[i].X = width - f.Landmarks[i].X
	}
	if l := f.Landmarks; len(l) == 5 {
		l[0], l[1], l[3], l[4] = l[1], l[0], l[4], l[3]
	}
}

// A mean collects the boxes and landmarks of looks at one face. It adds in float64
// and in the order given, so that the same looks give the same bits.
type mean struct {
	n      float64
	box    [4]float64
	points [5][2]float64
}

func (m *mean) add(f *semblance.Face) {
	m.n++
	for i, v := range []float32{f.Box.X, f.Box.Y, f.Box.W, f.Box.H} {
		m.box[i] += float64(v)
	}
	for i, p := range f.Landmarks[:min(5, len(f.Landmarks))] {
		m.points[i][0] += float64(p.X)
		m.points[i][1] += float64(p.Y)
	}
}

// face wants at least one look.
func (m *mean) face() (semblance.Box, []semblance.Point) {
	at := func(v float64) float32 { return float32(v / m.n) }
	points := make([]semblance.Point, 5)
	for i, p := range m.points {
		points[i] = semblance.Point{X: at(p[0]), Y: at(p[1])}
	}
	return semblance.Box{X: at(m.box[0]), Y: at(m.box[1]), W: at(m.box[2]), H: at(m.box[3])}, points
}
