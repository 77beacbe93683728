//go:build cgo && native

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"semblance"
)

// A degradation makes a picture worse. Its frames are about 100 pixels of face wide
// where they are not said to be smaller.
type degradation struct {
	name string
	make func(f *semblance.Frame, face float64) *semblance.Frame // face is its longer side in f; nil: it cannot be made of this one
}

// degradations are what seized pictures suffer from, each by itself.
func degradations() []degradation {
	list := []degradation{{"as it is", func(f *semblance.Frame, _ float64) *semblance.Frame { return f }}}
	for _, side := range []float64{64, 40, 28, 20, 16} {
		list = append(list, degradation{fmt.Sprintf("face of %.0f pixels", side), func(f *semblance.Frame, face float64) *semblance.Frame {
			if face < 1.15*side {
				return nil
			}
			return reduced(f, side/face)
		}})
	}
	for _, sigma := range []float64{2, 4} {
		list = append(list, degradation{fmt.Sprintf("blur of %.0f%% of the face", sigma), func(f *semblance.Frame, face float64) *semblance.Frame {
			return blurred(f, sigma*face/100)
		}})
	}
	hundred := func(f *semblance.Frame, face float64) *semblance.Frame {
		if face <= 115 {
			return f
		}
		return reduced(f, 100/face)
	}
	for _, quality := range []int{20, 8} {
		list = append(list, degradation{fmt.Sprintf("JPEG quality %d", quality), func(f *semblance.Frame, face float64) *semblance.Frame {
			return recompressed(hundred(f, face), quality)
		}})
	}
	return append(list,
		degradation{"noise of 20", func(f *semblance.Frame, face float64) *semblance.Frame { return noisy(hundred(f, face), 20) }},
		degradation{"15% of the light", func(f *semblance.Frame, face float64) *semblance.Frame {
			return recompressed(brightened(hundred(f, face), 0.15), 85)
		}},
		degradation{"220% of the light", func(f *semblance.Frame, face float64) *semblance.Frame { return brightened(hundred(f, face), 2.2) }})
}

// each makes a frame of f by value of color channel.
func each(f *semblance.Frame, value func(v float64) float64) *semblance.Frame {
	out := &semblance.Frame{Width: f.Width, Height: f.Height, RGB: make([]byte, len(f.RGB))}
	for i, v := range f.RGB {
		out.RGB[i] = byte(max(0, min(255, value(float64(v))+0.5)))
	}
	return out
}

func brightened(f *semblance.Frame, gain float64) *semblance.Frame {
	return each(f, func(v float64) float64 { return v * gain })
}

func noisy(f *semblance.Frame, sigma float64) *semblance.Frame {
	r := rand.New(rand.NewPCG(uint64(f.Width), uint64(f.RGB[len(f.RGB)/2])))
	return each(f, func(v float64) float64 { return v + sigma*r.NormFloat64() })
}

func recompressed(f *semblance.Frame, quality int) *semblance.Frame {
	img := image.NewRGBA(image.Rect(0, 0, f.Width, f.Height))
	for i := range f.Width * f.Height {
		copy(img.Pix[4*i:4*i+4], []byte{f.RGB[3*i], f.RGB[3*i+1], f.RGB[3*i+2], 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		panic(err)
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		panic(err)
	}
	return toFrame(back)
}

// separable weighs rows and then columns: at(i) gives the pixels that output i takes
// and their weights.
func separable(f *semblance.Frame, w, h int, at func(i, out, in int) (first int, weights []float64)) *semblance.Frame {
	wide := make([]float64, 3*w*f.Height)
	for x := range w {
		first, weights := at(x, w, f.Width)
		for y := range f.Height {
			for k, weight := range weights {
				p := f.RGB[3*(y*f.Width+min(max(first+k, 0), f.Width-1)):]
				for c := range 3 {
					wide[3*(y*w+x)+c] += weight * float64(p[c])
				}
			}
		}
	}
	out := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for y := range h {
		first, weights := at(y, h, f.Height)
		for i := range 3 * w {
			sum := 0.0
			for k, weight := range weights {
				sum += weight * wide[3*w*min(max(first+k, 0), f.Height-1)+i]
			}
			out.RGB[3*w*y+i] = byte(max(0, min(255, sum+0.5)))
		}
	}
	return out
}

// reduced averages the area that each pixel covers.
func reduced(f *semblance.Frame, by float64) *semblance.Frame {
	w, h := max(1, int(float64(f.Width)*by)), max(1, int(float64(f.Height)*by))
	return separable(f, w, h, func(i, out, in int) (int, []float64) {
		ratio := float64(in) / float64(out)
		from, to := float64(i)*ratio, float64(i+1)*ratio
		first, last := int(from), int(math.Ceil(to))
		weights := make([]float64, last-first)
		for k := range weights {
			weights[k] = (min(to, float64(first+k+1)) - max(from, float64(first+k))) / ratio
		}
		return first, weights
	})
}

// blurred is a Gaussian of sigma pixels.
func blurred(f *semblance.Frame, sigma float64) *semblance.Frame {
	reach := int(3*sigma + 1)
	weights, sum := make([]float64, 2*reach+1), 0.0
	for k := range weights {
		weights[k] = math.Exp(-float64((k-reach)*(k-reach)) / (2 * sigma * sigma))
		sum += weights[k]
	}
	for k := range weights {
		weights[k] /= sum
	}
	return separable(f, f.Width, f.Height, func(i, _, _ int) (int, []float64) { return i - reach, weights })
}
