//go:build cgo && native

package main

import (
	"math"

	"semblance"
	"semblance/media"
)

// What fits into an answer; package worker insists on the same.
const (
	cropSide      = 256
	maxCrop       = 128 << 10
	maxCropsTotal = 32 << 20
	maxThumbnail  = 4 << 20
)

// margin is the part of the longer side of a face's box that is added on each
// side: an examiner wants to see ears and hair.
const margin = 0.3

// A cropper makes crops as long as the answer has room.
type cropper struct {
	total   int
	refused int
}

// crop is the JPEG of a face, nil when there is no room for it or the box does
// not lie on the picture.
func (c *cropper) crop(f *semblance.Frame, box semblance.Box) ([]byte, error) {
	part := square(f, box)
	if part == nil {
		return nil, nil
	}
	if c.total >= maxCropsTotal {
		c.refused++
		return nil, nil
	}
	b, err := encode(media.Fit(part, cropSide), maxCrop)
	c.total += len(b)
	return b, err
}

// square copies the square around a box with its margin, cut off at the borders
// of the picture.
func square(f *semblance.Frame, box semblance.Box) *semblance.Frame {
	half := float64(max(box.W, box.H)) * (0.5 + margin)
	cx, cy := float64(box.X+box.W/2), float64(box.Y+box.H/2)
	x0, x1 := span(cx, half, f.Width)
	y0, y1 := span(cy, half, f.Height)
	if x1 <= x0 || y1 <= y0 {
		return nil
	}
	out := &semblance.Frame{Index: f.Index, Width: x1 - x0, Height: y1 - y0, RGB: make([]byte, 0, 3*(x1-x0)*(y1-y0))}
	for y := y0; y < y1; y++ {
		out.RGB = append(out.RGB, f.RGB[3*(y*f.Width+x0):3*(y*f.Width+x1)]...)
	}
	return out
}

// span is the part of center ± half that lies in 0 to size.
func span(center, half float64, size int) (from, to int) {
	lo := math.Round(math.Max(center-half, 0))
	hi := math.Round(math.Min(center+half, float64(size)))
	if !(hi > lo) {
		return 0, 0
	}
	return int(lo), int(hi)
}

// encode makes a JPEG of at most size bytes, at a lower quality where it must.
func encode(f *semblance.Frame, size int) ([]byte, error) {
	for _, quality := range []int{85, 60, 30} {
		b, err := media.EncodeJPEG(f, quality)
		if err != nil || len(b) <= size {
			return b, err
		}
	}
	return nil, nil
}
