package detector

import (
	"math"

	"semblance"
)

// A level is what YuNet says at one stride: a value (or 4, or 10) for each cell of
// a grid of cols by rows.
type level struct {
	stride, cols, rows int
	cls, obj, box, kps []float32
}

// part is the level of the k-th of several pictures that were looked at at once.
func (l level) part(k int) level {
	n := l.cols * l.rows
	l.cls, l.obj = l.cls[k*n:(k+1)*n], l.obj[k*n:(k+1)*n]
	l.box, l.kps = l.box[4*k*n:4*(k+1)*n], l.kps[10*k*n:10*(k+1)*n]
	return l
}

// decode turns a level into faces in pixels of the network's input, as OpenCV's
// FaceDetectorYN does: the score is the geometric mean of class and objectness,
// the box is a center offset and a log size in strides, landmarks are offsets.
func (l *level) decode(threshold float32, out []semblance.Face) []semblance.Face {
	s := float32(l.stride)
	for i := range l.cols * l.rows {
		score := float32(math.Sqrt(float64(unit(l.cls[i])) * float64(unit(l.obj[i]))))
		if !(score >= threshold) { // NaN is no face
			continue
		}
		col, row := float32(i%l.cols), float32(i/l.cols)
		b, k := l.box[4*i:4*i+4], l.kps[10*i:10*i+10]
		w, h := float32(math.Exp(float64(b[2])))*s, float32(math.Exp(float64(b[3])))*s
		f := semblance.Face{
			Box:       semblance.Box{X: (col+b[0])*s - w/2, Y: (row+b[1])*s - h/2, W: w, H: h},
			Landmarks: make([]semblance.Point, 5),
			Score:     score,
		}
		for j := range f.Landmarks {
			f.Landmarks[j] = semblance.Point{X: (col + k[2*j]) * s, Y: (row + k[2*j+1]) * s}
		}
		if finite(f.Box) {
			out = append(out, f)
		}
	}
	return out
}

func unit(v float32) float32 { return max(0, min(1, v)) }

func finite(b semblance.Box) bool {
	sum := float64(b.X) + float64(b.Y) + float64(b.W) + float64(b.H)
	return !math.IsNaN(sum) && !math.IsInf(sum, 0) && b.W > 0 && b.H > 0
}
