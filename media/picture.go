package media

import (
	"fmt"
	"iter"
	"slices"

	"semblance"
)

// Options say how a picture is wanted. The zero value is the whole picture.
type Options struct {
	// MinSide allows a JPEG to be decoded at a half, a quarter or an eighth of its
	// size, as long as its longer side keeps at least so many pixels. It is for faces
	// and thumbnails: perceptual hashes are made of the full size. Frames carry their
	// own width and height; Describe keeps the stored ones. Zero, and every other
	// format, is full size.
	MinSide int
}

// maxWarnings bounds what a hostile file can make a report say.
const maxWarnings = 20

// fill is the value of pixels that could not be decoded: the mid-gray that
// libjpeg itself puts in their place.
const fill = 128

// A picture is an opened file: its bytes, what its header said, and the decoder
// that makes frames of them.
type picture struct {
	a      semblance.Analysis
	limits semblance.Limits
	opts   Options
	data   []byte // borrowed
	pixels []byte // borrowed for a frame; nil when the format's decoder allocates its own
	decode func(p *picture, yield func(*semblance.Frame, error) bool)
	read   bool

	embedded [][]byte // parts of data, as in a.Embedded
}

// Describe returns what is known so far.
func (p *picture) Describe() semblance.Analysis {
	a := p.a
	a.Warnings, a.Embedded = slices.Clone(p.a.Warnings), slices.Clone(p.a.Embedded)
	return a
}

// Embedded returns the bytes of a picture within the metadata.
func (p *picture) Embedded(i int) []byte { return p.embedded[i] }

// Frames decodes the frames. It can be ranged over once.
func (p *picture) Frames() iter.Seq2[*semblance.Frame, error] {
	return func(yield func(*semblance.Frame, error) bool) {
		if p.read {
			yield(nil, semblance.Errorf(semblance.Internal, "the frames of a picture can be read only once"))
			return
		}
		p.read = true
		p.decode(p, yield)
	}
}

// Close lets go of the file's bytes and of the frames, which the next picture's may
// overwrite. Native memory lives only as long as the range over Frames.
func (p *picture) Close() error {
	giveBack(p.data)
	giveBack(p.pixels)
	p.data, p.pixels, p.embedded, p.read = nil, nil, nil, true
	return nil
}

// warn records a warning once.
func (p *picture) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if len(p.a.Warnings) < maxWarnings && !slices.Contains(p.a.Warnings, w) {
		p.a.Warnings = append(p.a.Warnings, w)
	}
}

// partial records why only a part could be decoded; the first reason stays.
func (p *picture) partial(format string, args ...any) {
	if p.a.Partial == "" {
		p.a.Partial = fmt.Sprintf(format, args...)
	}
}

// checkSize compares the size in a header with the limits. extra is the native
// memory, in bytes, that decoding needs besides the file and the frame.
func (p *picture) checkSize(kind string, width, height int, extra int64) error {
	if width <= 0 || height <= 0 {
		return damaged("the header of the %s gives a size of %d by %d pixels", kind, width, height)
	}
	pixels := int64(width) * int64(height)
	if pixels/int64(width) != int64(height) || pixels > p.limits.Pixels {
		return semblance.Errorf(semblance.MediaTooLarge, "the %s is %d by %d pixels (%.0f megapixels), and the limit is %d pixels (%.0f megapixels)",
			kind, width, height, float64(width)*float64(height)/1e6, p.limits.Pixels, float64(p.limits.Pixels)/1e6).
			WithHint("Raise the limit on pixels if the picture is wanted and the worker has the memory.")
	}
	if need := 3*pixels + int64(len(p.data)) + extra; need > p.limits.Memory {
		return semblance.Errorf(semblance.MediaTooLarge, "decoding the %s of %d by %d pixels takes about %d MiB, and the limit of a worker is %d MiB",
			kind, width, height, need>>20, p.limits.Memory>>20).
			WithHint("Raise the limit on memory if the picture is wanted.")
	}
	return nil
}

// newFrame allocates a frame; the caller has checked the size.
func newFrame(index, width, height int) *semblance.Frame {
	return &semblance.Frame{Index: index, Width: width, Height: height, RGB: make([]byte, 3*width*height)}
}

// fillFrom grays the rows from y on.
func fillFrom(f *semblance.Frame, y int) {
	rest := f.RGB[3*f.Width*min(max(y, 0), f.Height):]
	for i := range rest {
		rest[i] = fill
	}
}

// spread chooses at most want of n frames, evenly, the first among them.
func spread(n, want int) []int {
	want = max(1, min(n, want))
	s := make([]int, want)
	for i := range s {
		s[i] = i * n / want
	}
	return s
}

// percent of rows, never rounded up to a whole.
func percent(rows, height int) int {
	return int(int64(max(rows, 0)) * 100 / int64(max(height, 1)))
}

func damaged(format string, args ...any) *semblance.Error {
	return semblance.Errorf(semblance.MediaDamaged, format, args...).
		WithHint("Look at the file with another program; if it was carved or copied from a failing disk, a better copy may decode.")
}

func unsupported(format string, args ...any) *semblance.Error {
	return semblance.Errorf(semblance.MediaUnsupported, format, args...).
		WithHint("Convert a copy to PNG, JPEG or TIFF to have it examined.")
}

// cut is the word for what is missing.
func cut(exhausted bool) string {
	if exhausted {
		return "truncated"
	}
	return "damaged"
}
