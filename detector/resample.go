package detector

import (
	"math"

	"semblance"
)

// whole is the weight of a pixel that is covered wholly. Weights are whole numbers,
// so that C and Go add to the same sums in any order.
const whole = 256

// maxCover is how many pixels of a row or column one output pixel takes the mean
// of at most. It keeps sums within 32 bits for frames of absurd shape.
const maxCover = 4096

// A span is what one output pixel takes from a row or column: the pixels from
// first to first+n-1, the first and the last with weights of their own, those
// between with weight whole. It is laid out as semblance_column in kernel.h.
type span struct {
	first, n   int32
	head, tail uint32 // tail counts when n > 1
}

// spans maps length pixels from origin to out pixels: by area when it shrinks
// (coverage, as OpenCV's INTER_AREA) and linearly when it grows. Pixels before 0
// and from limit on are black. Sums of weighted pixels times norm are the result.
func spans(origin, length float64, limit, out int) (list []span, norm float64) {
	ratio := length / float64(out)
	list = make([]span, out)
	if ratio < 1 {
		for i := range list {
			list[i] = linearSpan(origin+(float64(i)+0.5)*ratio-0.5, limit)
		}
		return list, 1.0 / whole
	}
	cover := min(ratio, maxCover)
	for i := range list {
		start := origin + float64(i)*ratio + (ratio-cover)/2
		list[i] = areaSpan(start, start+cover, limit)
	}
	return list, 1 / (whole * cover)
}

func areaSpan(a, b float64, limit int) span {
	a, b = max(a, 0), min(b, float64(limit))
	first := int(max(0, min(a, float64(limit))))
	last := int(math.Ceil(max(0, b))) - 1
	switch {
	case !(b > a) || last < first:
		return span{}
	case last == first:
		return span{first: int32(first), n: 1, head: weight(b - a)}
	}
	return span{first: int32(first), n: int32(last - first + 1), head: weight(float64(first+1) - a), tail: weight(b - float64(last))}
}

func weight(v float64) uint32 { return uint32(max(0, min(1, v))*whole + 0.5) }

func linearSpan(center float64, limit int) span {
	if !(center > -1 && center < float64(limit)) {
		return span{}
	}
	first := int(math.Floor(center))
	w := weight(center - float64(first))
	switch first {
	case -1:
		return span{first: 0, n: 1, head: edge(w, center, limit)}
	case limit - 1:
		return span{first: int32(first), n: 1, head: edge(whole-w, center, limit)}
	}
	return span{first: int32(first), n: 2, head: whole - w, tail: w}
}

// edge repeats the border pixel for positions within half a pixel of it, so that a
// picture that is enlarged does not fade to black at its border.
func edge(w uint32, center float64, limit int) uint32 {
	if center >= -0.5 && center <= float64(limit)-0.5 {
		return whole
	}
	return w
}

// resample writes the part of the frame that a view shows into its plane's upper
// left corner: three planes (blue, green, red, as YuNet was trained) of values from
// 0 to 255. The rest of the planes is left as it is.
func resample(f *semblance.Frame, v *view, planes []float32) {
	columns, normX := spans(v.x, v.w, f.Width, v.outW)
	rows, normY := spans(v.y, v.h, f.Height, v.outH)
	lo, hi := columns[0].first, int32(0) // the columns that are looked at at all
	for _, c := range columns {
		if c.n > 0 {
			lo, hi = min(lo, c.first), max(hi, c.first+c.n)
		}
	}
	if hi <= lo {
		clear(planes)
		return
	}
	widest := int32(1)
	for i := range columns {
		columns[i].first -= lo
		widest = max(widest, columns[i].n)
	}
	sums, line := make([]uint32, 3*(hi-lo), 3*(hi-lo)+1), make([]uint64, 3*v.outW) // one more: C reads pixels by four values
	size, norm := v.planeW*v.planeH, normX*normY
	for oy := range rows {
		r := &rows[oy]
		if r.n == 0 {
			clear(sums)
		} else {
			sumRows(sums, f.RGB[3*(int(r.first)*f.Width+int(lo)):], 3*f.Width, r.n, r.head, r.tail)
		}
		// 255 is the most a byte is, and rows and columns are weighted with at most whole.
		most := 255 * whole * whole * int64(max(r.n, 1)) * int64(widest)
		at := oy * v.planeW
		squeezePlanes(&[3][]float32{planes[2*size+at:], planes[size+at:], planes[at:]}, line, sums, columns, norm, most)
	}
}

// clearRest blackens what of the planes a view does not show.
func clearRest(v *view, planes []float32) {
	for c := range 3 {
		plane := planes[c*v.planeW*v.planeH:][:v.planeW*v.planeH]
		for y := range v.outH {
			clear(plane[y*v.planeW+v.outW : (y+1)*v.planeW])
		}
		clear(plane[v.outH*v.planeW:])
	}
}

// shrinkPlanes writes the mean of step by step pixels of what src shows of from,
// pixels beyond it counting as black as they do in resample.
func shrinkPlanes(v, from *view, dst, src []float32, step int) {
	line := make([]float32, from.outW)
	for c := range 3 {
		in, out := src[c*from.planeW*from.planeH:], dst[c*v.planeW*v.planeH:]
		for y := range v.outH {
			shrinkRow(out[y*v.planeW:][:v.outW], line, in[y*step*from.planeW:], from.planeW, min(step, from.outH-y*step), step)
		}
	}
}

// turnPlanes writes what src shows of a view, turned clockwise by the view's turn,
// into the upper left corner of dst. The rest of dst is left as it is.
func turnPlanes(v *view, dst, src []float32) {
	dw, dh := v.shown()
	// src(base + x*dx + y*dy) is dst(x, y), within a plane.
	w, h := v.outW, v.outH
	var base, dx, dy int
	switch v.turn {
	case 90:
		base, dx, dy, w, h = (v.outH-1)*v.planeW, -v.planeW, 1, v.outH, v.outW
	case 180:
		base, dx, dy = (v.outH-1)*v.planeW+v.outW-1, -1, -v.planeW
	case 270:
		base, dx, dy, w, h = v.outW-1, v.planeW, -1, v.outH, v.outW
	}
	for c := range 3 {
		from, to := src[c*v.planeW*v.planeH:], dst[c*dw*dh:]
		for y := range h {
			i := base + y*dy
			row := to[y*dw : y*dw+w]
			for x := range row {
				row[x] = from[i]
				i += dx
			}
		}
	}
}
