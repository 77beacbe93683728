package provider

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"semblance"
)

// pictures are the frames as a provider wants them, and how many pixels of the whole
// picture one of theirs is.
func (b *bundle) pictures(a *semblance.Analysis, frames []semblance.Frame) ([]picture, float64) {
	var out []picture
	scale := 1.0
	for _, f := range frames {
		p := picture{Frame: f.Index, Orientation: a.Orientation}
		scale = float64(max(a.Width, a.Height)) / float64(max(f.Width, f.Height))
		if b.manifest.Upright {
			f, p.Orientation = upright(f, a.Orientation), 1
		}
		p.Width, p.Height, p.rgb = f.Width, f.Height, f.RGB
		out = append(out, p)
	}
	return out, scale
}

// fit makes a frame smaller whose longer side is over a limit: each new pixel is the
// average of the area it covers, in exact whole numbers.
func fit(f semblance.Frame, side int) semblance.Frame {
	longer := max(f.Width, f.Height)
	if longer <= side {
		return f
	}
	size := func(n int) int { return max(1, (n*side+longer/2)/longer) }
	w, h := size(f.Width), size(f.Height)
	to := semblance.Frame{Index: f.Index, Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	sums := make([]uint64, 3*f.Width)
	total := uint64(f.Width) * uint64(f.Height)
	for y := range h {
		clear(sums)
		for sy := y * f.Height / h; sy < f.Height && sy*h < (y+1)*f.Height; sy++ {
			weight := uint64(min((sy+1)*h, (y+1)*f.Height) - max(sy*h, y*f.Height))
			for i, v := range f.RGB[3*sy*f.Width : 3*(sy+1)*f.Width] {
				sums[i] += weight * uint64(v)
			}
		}
		for x := range w {
			var c [3]uint64
			for sx := x * f.Width / w; sx < f.Width && sx*w < (x+1)*f.Width; sx++ {
				weight := uint64(min((sx+1)*w, (x+1)*f.Width) - max(sx*w, x*f.Width))
				for i := range c {
					c[i] += weight * sums[3*sx+i]
				}
			}
			for i := range c {
				to.RGB[3*(y*w+x)+i] = byte((c[i] + total/2) / total)
			}
		}
	}
	return to
}

// upright turns a frame as its EXIF orientation says.
func upright(f semblance.Frame, orientation int) semblance.Frame {
	if orientation < 2 || orientation > 8 {
		return f
	}
	to := semblance.Frame{Index: f.Index, Width: f.Width, Height: f.Height, RGB: make([]byte, len(f.RGB))}
	if orientation >= 5 {
		to.Width, to.Height = f.Height, f.Width
	}
	for y := range to.Height {
		for x := range to.Width {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = f.Width - 1 - x
			case 3:
				sx, sy = f.Width-1-x, f.Height-1-y
			case 4:
				sy = f.Height - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, f.Height-1-x
			case 7:
				sx, sy = f.Width-1-y, f.Height-1-x
			case 8:
				sx, sy = f.Width-1-y, x
			}
			copy(to.RGB[3*(y*to.Width+x):][:3], f.RGB[3*(sy*f.Width+sx):][:3])
		}
	}
	return to
}

// faces asks a provider for faces. A failure is an error: half an answer must not pass for
// "no faces".
func (z *analyzer) faces(ctx context.Context, b *bundle, a *semblance.Analysis, frames []semblance.Frame, req semblance.AnalyzeRequest) (semblance.FaceSet, error) {
	spec := b.manifest.EngineSpec()
	set := semblance.FaceSet{Engine: spec.Name, Version: spec.Version, Models: b.manifest.Files, Detection: req.Detection, Faces: []semblance.Face{}}
	pics, scale := b.pictures(a, frames)
	for i := range pics {
		pics[i].MinScore, pics[i].MinFace = req.MinScore, req.MinFace
	}
	gifts, err := z.ask(ctx, b, pics, scale)
	if err == nil && len(pics) == 0 {
		err = semblance.Errorf(semblance.MediaTooLarge, "no frame could be given to the face engine %s", spec.Name)
	}
	if err != nil {
		if ctx.Err() != nil {
			return set, ctx.Err()
		}
		return set, semblance.Errorf(code(err), "the face engine %s gave no answer: %v", spec.Name, clean(err.Error(), maxText)).WithCause(err)
	}
	for i, g := range gifts {
		kept := 0
		for _, f := range g.faces {
			if f.Score < req.MinScore {
				continue
			}
			if kept++; req.Limits.Faces > 0 && kept > req.Limits.Faces {
				set.Dropped++
				continue
			}
			if req.NoEmbed || f.Quality < semblance.MinSearchableQuality {
				f.Embedding = nil
			}
			if req.Crops {
				f.Crop = crop(pics[i], f.Box, scale)
			}
			set.Faces = append(set.Faces, f)
		}
	}
	return set, nil
}

// cropSide is the longest side of a face's picture.
const cropSide = 256

// crop is a JPEG of a face with a quarter of its size around it; nil where the box lies
// outside.
func crop(p picture, box semblance.Box, scale float64) []byte {
	at := func(v float32) int { return int(float64(v) / scale) }
	margin := at(max(box.W, box.H)) / 4
	r := image.Rect(at(box.X)-margin, at(box.Y)-margin, at(box.X+box.W)+margin, at(box.Y+box.H)+margin).Intersect(image.Rect(0, 0, p.Width, p.Height))
	if r.Empty() {
		return nil
	}
	cut := semblance.Frame{Width: r.Dx(), Height: r.Dy()}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		cut.RGB = append(cut.RGB, p.rgb[3*(y*p.Width+r.Min.X):3*(y*p.Width+r.Max.X)]...)
	}
	cut = fit(cut, cropSide)
	img := image.NewRGBA(image.Rect(0, 0, cut.Width, cut.Height))
	for i := range cut.Width * cut.Height {
		copy(img.Pix[4*i:], cut.RGB[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
		return nil // a face without its picture is still a face
	}
	return out.Bytes()
}
