package detector

import (
	"math"

	"semblance"
)

// A span is what one output pixel takes from a row or column: the pixels from
// first to first+n-1, the first and the last with weights of their own, those
// between with weight 1. Weights include no scale; norm does.
type span struct {
	first, n   int
	head, tail float32 // tail counts when n > 1
	norm       float32
}

// spans maps length pixels from origin to out pixels: by area when it shrinks
// (exact coverage, OpenCV's INTER_AREA) and linearly when it grows. Pixels before
// 0 and from limit on are black.
func spans(origin, length float64, limit, out int) []span {
	ratio := length / float64(out)
	list := make([]span, out)
	for i := range list {
		if ratio >= 1 {
			list[i] = areaSpan(origin+float64(i)*ratio, origin+float64(i+1)*ratio, limit)
			list[i].norm = float32(1 / ratio)
		} else {
			list[i] = linearSpan(origin+(float64(i)+0.5)*ratio-0.5, limit)
		}
	}
	return list
}

func areaSpan(a, b float64, limit int) span {
	a, b = max(a, 0), min(b, float64(limit))
	if b-a < 1e-6 {
		return span{}
	}
	first := int(a)
	last := int(math.Ceil(b-1e-6)) - 1
	if last <= first {
		return span{first: first, n: 1, head: float32(b - a)}
	}
	return span{first: first, n: last - first + 1, head: float32(float64(first+1) - a), tail: float32(b - float64(last))}
}

func linearSpan(center float64, limit int) span {
	first := int(math.Floor(center))
	w := float32(center - float64(first))
	switch {
	case first < -1 || first >= limit:
		return span{}
	case first == -1:
		return span{first: 0, n: 1, head: edge(w, center, limit), norm: 1}
	case first == limit-1:
		return span{first: first, n: 1, head: edge(1-w, center, limit), norm: 1}
	}
	return span{first: first, n: 2, head: 1 - w, tail: w, norm: 1}
}

// edge repeats the border pixel for positions within half a pixel of it, so that a
// picture that is enlarged does not fade to black at its border.
func edge(w float32, center float64, limit int) float32 {
	if center >= -0.5 && center <= float64(limit)-0.5 {
		return 1
	}
	return w
}

// resample writes the part of the frame from (x, y), w by h pixels, as outW by outH
// pixels into the upper left corner of three planes (blue, green, red, as YuNet was
// trained) of planeW by planeH values from 0 to 255. The rest of the planes is left
// as it is.
func resample(f *semblance.Frame, x, y, w, h float64, outW, outH int, planes []float32, planeW, planeH int) {
	columns, rows := spans(x, w, f.Width, outW), spans(y, h, f.Height, outH)
	line, sum := make([]float32, 3*outW), make([]float32, 3*outW)
	size := planeW * planeH
	done := -1 // the source row that line holds
	for oy, r := range rows {
		clear(sum)
		for j := range r.n {
			if done != r.first+j {
				done = r.first + j
				squeeze(line, f.RGB[3*done*f.Width:3*(done+1)*f.Width], columns)
			}
			accumulate(sum, line, r.weight(j))
		}
		o := oy * planeW
		for ox := range outW {
			planes[o+ox] = sum[3*ox+2]
			planes[size+o+ox] = sum[3*ox+1]
			planes[2*size+o+ox] = sum[3*ox]
		}
	}
}

func (s *span) weight(j int) float32 {
	switch {
	case j == 0:
		return s.head * s.norm
	case j == s.n-1:
		return s.tail * s.norm
	}
	return s.norm
}

func accumulate(sum, line []float32, w float32) {
	sum = sum[:len(line)]
	for i, v := range line {
		sum[i] += float32(w * v)
	}
}

// squeeze averages one row. It reads every pixel of the frame once, so it is the
// part that large pictures feel.
func squeeze(line []float32, row []byte, columns []span) {
	for i := range columns {
		c := &columns[i]
		o := line[3*i : 3*i+3 : 3*i+3]
		if c.n == 0 {
			o[0], o[1], o[2] = 0, 0, 0
			continue
		}
		p := row[3*c.first : 3*(c.first+c.n)]
		r, g, b := float32(p[0])*c.head, float32(p[1])*c.head, float32(p[2])*c.head
		if c.n > 1 {
			last := len(p) - 3
			var sr, sg, sb uint32
			for j := 3; j+2 < last; j += 3 {
				sr += uint32(p[j])
				sg += uint32(p[j+1])
				sb += uint32(p[j+2])
			}
			r += float32(sr) + float32(float32(p[last])*c.tail)
			g += float32(sg) + float32(float32(p[last+1])*c.tail)
			b += float32(sb) + float32(float32(p[last+2])*c.tail)
		}
		o[0], o[1], o[2] = r*c.norm, g*c.norm, b*c.norm
	}
}
