//go:build cgo && native

package media

/*
#cgo pkg-config: libpng
#include "pngrows.h"
*/
import "C"

import (
	"unsafe"

	"semblance"
)

func pngVersion() string { return C.GoString(C.sem_png_version()) }

func openPNG(p *picture) error {
	h, err := readPNGHead(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames = h.width, h.height, h.frames
	p.a.Decoder = "libpng " + pngVersion()
	if err := p.checkSize("PNG", h.width, h.height, 0); err != nil {
		return err
	}
	if h.frames > 1 {
		p.warn("an animated PNG of %d frames: only the default image is examined", h.frames)
	}
	p.readMetadata(h.blocks)
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { yield(p.decodePNG()) }
	return nil
}

// decodePNG decodes as far as the data goes.
func (p *picture) decodePNG() (*semblance.Frame, error) {
	f := newFrame(0, p.a.Width, p.a.Height)
	fillFrom(f, 0)
	var out C.sem_png
	C.sem_png_decode((*C.uint8_t)(unsafe.SliceData(p.data)), C.size_t(len(p.data)),
		(*C.uint8_t)(unsafe.SliceData(f.RGB)), C.uint32_t(f.Width), C.uint32_t(f.Height), &out)
	if out.warnings > 0 {
		p.warn("libpng: %s", C.GoString(&out.warning[0]))
	}
	if out.bad_crc != 0 {
		p.partial("damaged: a checksum inside the PNG is wrong, and pixels may be")
	}
	message := C.GoString(&out.error[0])
	whole := out.pass == out.passes
	switch {
	case message == "":
	case out.rows == 0 && out.pass == 0:
		return nil, damaged("the PNG does not decode: %s", message)
	case whole && out.exhausted != 0:
		p.warn("the end of the PNG is missing; all rows are there")
	case whole:
		p.partial("damaged: after the last row, %s", message)
	case out.passes > 1:
		p.partial("%s in pass %d of %d of an interlaced PNG: %s", cut(out.exhausted != 0), out.pass+1, out.passes, message)
	default:
		p.partial("%s after %d%% of the rows: %s", cut(out.exhausted != 0), percent(int(out.rows), f.Height), message)
	}
	return f, nil
}
