package detector

import (
	"math"

	"semblance"
)

// maxReduction keeps the sums of reduce within 32 bits.
const maxReduction = 256

// A Chip is an aligned face: Size by Size pixels, packed RGB.
type Chip struct {
	Size    int
	RGB     []byte  // 3*Size*Size bytes, owned by the chip
	Outside float64 // share of the chip that lies outside the frame, 0 to 1; those pixels are black
	outside []bool  // of each pixel, whether a part of it is; nil: none
}

// shows reports whether a pixel is wholly of the frame.
func (c *Chip) shows(i int) bool { return c.outside == nil || !c.outside[i] }

// Similarity is the map (x, y) -> (A*x - B*y + X, B*x + A*y + Y): scale and turn
// without shear or reflection.
type Similarity struct{ A, B, X, Y float64 }

// Scale is the length that a unit vector is mapped to.
func (s Similarity) Scale() float64 { return math.Hypot(s.A, s.B) }

// Apply maps a point.
func (s Similarity) Apply(x, y float64) (float64, float64) {
	return s.A*x - s.B*y + s.X, s.B*x + s.A*y + s.Y
}

// Inverse returns the opposite map. The scale must not be zero.
func (s Similarity) Inverse() Similarity {
	d := s.A*s.A + s.B*s.B
	a, b := s.A/d, -s.B/d
	return Similarity{A: a, B: b, X: -(a*s.X - b*s.Y), Y: -(b*s.X + a*s.Y)}
}

// FitSimilarity returns the similarity that maps from to to with the least sum of
// squared distances (Umeyama 1991, eq. 40-42, which in the plane is one complex
// division). It is false for fewer than two points, points that coincide or are
// not finite.
func FitSimilarity(from, to []semblance.Point) (Similarity, bool) {
	n := float64(len(from))
	if len(from) < 2 || len(from) != len(to) {
		return Similarity{}, false
	}
	var fx, fy, tx, ty float64
	for i := range from {
		fx, fy = fx+float64(from[i].X), fy+float64(from[i].Y)
		tx, ty = tx+float64(to[i].X), ty+float64(to[i].Y)
	}
	fx, fy, tx, ty = fx/n, fy/n, tx/n, ty/n
	var re, im, norm float64
	for i := range from {
		px, py := float64(from[i].X)-fx, float64(from[i].Y)-fy
		qx, qy := float64(to[i].X)-tx, float64(to[i].Y)-ty
		re += px*qx + py*qy
		im += px*qy - py*qx
		norm += px*px + py*py
	}
	s := Similarity{A: re / norm, B: im / norm}
	s.X, s.Y = tx-(s.A*fx-s.B*fy), ty-(s.B*fx+s.A*fy)
	scale := s.Scale()
	ok := norm > 1e-6 && scale > 1e-6 && scale < 1e6 && !math.IsNaN(s.X) && !math.IsNaN(s.Y)
	return s, ok
}

// Align cuts a face out of the frame so that its landmarks fall on the template's.
// Three landmarks (eyes and nose) are enough. It is false when they do not span a
// face. Faces larger than the chip are averaged down, not sampled, so fine texture
// does not turn into patterns.
func Align(f *semblance.Frame, landmarks []semblance.Point, t Template) (Chip, bool) {
	n := min(len(landmarks), len(t.Points))
	s, ok := FitSimilarity(landmarks[:n], t.Points[:n])
	if !ok || f.Width < 1 || f.Height < 1 {
		return Chip{}, false
	}
	return warp(f, s.Inverse(), t.Size), true
}

// warp samples a size by size chip; back maps chip to frame.
func warp(f *semblance.Frame, back Similarity, size int) Chip {
	src := wholeFrame(f)
	if k := min(int(back.Scale()+0.5), maxReduction); k >= 2 {
		src = reduce(f, chipBounds(f, back, size, k), k)
	}
	// The rest of the reduction is at most 1.5; from 1.25 on four samples a pixel
	// carry it.
	samples := 1
	if back.Scale()/float64(src.step) > 1.25 {
		samples = 2
	}
	c := Chip{Size: size, RGB: make([]byte, 3*size*size)}
	outside := 0
	for y := range size {
		for x := range size {
			var sum [3]float64
			before := outside
			for j := range samples {
				for i := range samples {
					px := float64(x) + (float64(i)+0.5)/float64(samples) - 0.5
					py := float64(y) + (float64(j)+0.5)/float64(samples) - 0.5
					fx, fy := back.Apply(px, py)
					if !inside(f, fx, fy) {
						outside++
					}
					src.bilinear(fx, fy, &sum)
				}
			}
			if outside > before {
				if c.outside == nil {
					c.outside = make([]bool, size*size)
				}
				c.outside[y*size+x] = true
			}
			o, n := 3*(y*size+x), float64(samples*samples)
			for ch := range sum {
				c.RGB[o+ch] = uint8(min(255, sum[ch]/n+0.5))
			}
		}
	}
	c.Outside = float64(outside) / float64(size*size*samples*samples)
	return c
}

func inside(f *semblance.Frame, x, y float64) bool {
	return x >= -0.5 && y >= -0.5 && x <= float64(f.Width)-0.5 && y <= float64(f.Height)-0.5
}

// A raster is a part of a frame, averaged down by step in both directions: pixel
// (0, 0) covers the frame's pixels from (x0, y0) to (x0+step-1, y0+step-1).
type raster struct {
	x0, y0, step  int
	width, height int
	rgb           []byte
}

func wholeFrame(f *semblance.Frame) raster {
	return raster{step: 1, width: f.Width, height: f.Height, rgb: f.RGB}
}

// bilinear adds the color at the frame's position (x, y) to sum. Outside is black.
func (r *raster) bilinear(x, y float64, sum *[3]float64) {
	half := float64(r.step-1) / 2
	x = (x - float64(r.x0) - half) / float64(r.step)
	y = (y - float64(r.y0) - half) / float64(r.step)
	if !(x > -1 && y > -1 && x < float64(r.width) && y < float64(r.height)) {
		return
	}
	ix, iy := int(x+1)-1, int(y+1)-1 // floor, since both are above -1
	wx, wy := x-float64(ix), y-float64(iy)
	if ix < 0 || iy < 0 || ix+1 >= r.width || iy+1 >= r.height {
		r.add(ix, iy, (1-wx)*(1-wy), sum)
		r.add(ix+1, iy, wx*(1-wy), sum)
		r.add(ix, iy+1, (1-wx)*wy, sum)
		r.add(ix+1, iy+1, wx*wy, sum)
		return
	}
	o := 3 * (iy*r.width + ix)
	above := r.rgb[o : o+6 : o+6]
	o += 3 * r.width
	below := r.rgb[o : o+6 : o+6]
	for c := range 3 {
		top := float64((1-wx)*float64(above[c])) + float64(wx*float64(above[c+3]))
		bottom := float64((1-wx)*float64(below[c])) + float64(wx*float64(below[c+3]))
		sum[c] += float64((1-wy)*top) + float64(wy*bottom)
	}
}

func (r *raster) add(x, y int, w float64, sum *[3]float64) {
	if x < 0 || y < 0 || x >= r.width || y >= r.height {
		return
	}
	p := r.rgb[3*(y*r.width+x):]
	for c := range 3 {
		sum[c] += float64(w * float64(p[c]))
	}
}

// rect is a rectangle in whole pixels of a frame, x1 and y1 excluded.
type rect struct{ x0, y0, x1, y1 int }

// chipBounds is the part of the frame that a chip needs, with k pixels to spare.
func chipBounds(f *semblance.Frame, back Similarity, size, k int) rect {
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, corner := range [][2]float64{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}} {
		h := float64(size) / 2
		x, y := back.Apply(h+h*corner[0], h+h*corner[1])
		lo[0], lo[1] = min(lo[0], x), min(lo[1], y)
		hi[0], hi[1] = max(hi[0], x), max(hi[1], y)
	}
	clip := func(v float64, limit int) int { return int(max(0, min(float64(limit), v))) }
	m := float64(2 * k)
	return rect{clip(lo[0]-m, f.Width), clip(lo[1]-m, f.Height), clip(hi[0]+m, f.Width), clip(hi[1]+m, f.Height)}
}

// reduce averages k by k pixels. A last row or column of fewer pixels is averaged
// over those there are.
func reduce(f *semblance.Frame, r rect, k int) raster {
	out := raster{x0: r.x0, y0: r.y0, step: k, width: (r.x1 - r.x0 + k - 1) / k, height: (r.y1 - r.y0 + k - 1) / k}
	out.rgb = make([]byte, 3*out.width*out.height)
	sums := make([]uint32, 3*(r.x1-r.x0))
	for oy := range out.height {
		y0, y1 := r.y0+oy*k, min(r.y0+(oy+1)*k, r.y1)
		sumRows(sums, f.RGB[3*(y0*f.Width+r.x0):], 3*f.Width, int32(y1-y0), whole, whole)
		row := out.rgb[3*oy*out.width:]
		for ox := range out.width {
			part := sums[3*ox*k : min(3*(ox+1)*k, len(sums))]
			n := uint64(whole * (y1 - y0) * len(part) / 3)
			var r, g, b uint64
			for ; len(part) >= 3; part = part[3:] {
				r, g, b = r+uint64(part[0]), g+uint64(part[1]), b+uint64(part[2])
			}
			row[3*ox], row[3*ox+1], row[3*ox+2] = uint8((r+n/2)/n), uint8((g+n/2)/n), uint8((b+n/2)/n)
		}
	}
	return out
}
