//go:build cgo && native

package media

/*
#cgo pkg-config: libjpeg libturbojpeg
#include <stdlib.h>
#include <turbojpeg.h>
#include "jpegrows.h"
*/
import "C"

import (
	"unsafe"

	"semblance"
)

// maxScans bounds a progressive JPEG. Encoders write about ten scans; each makes
// the decoder walk over the whole picture again, so a small file of
// thousands would take hours.
const maxScans = 100

func jpegVersion() string { return C.GoString(C.sem_jpeg_version()) }

func openJPEG(p *picture) error {
	h, err := readJPEGHead(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames = h.width, h.height, 1
	p.a.Decoder = "libjpeg-turbo " + jpegVersion()
	coefficients := int64(0)
	if h.progressive() { // all of them are kept: 16 bits each
		coefficients = 2 * int64(h.components) * int64(h.width) * int64(h.height)
	}
	if err := p.checkSize("JPEG", h.width, h.height, coefficients); err != nil {
		return err
	}
	p.readMetadata(h.blocks)
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { yield(p.decodeJPEG(h)) }
	return nil
}

// decodeJPEG decodes as far as the data goes.
func (p *picture) decodeJPEG(h jpegHead) (*semblance.Frame, error) {
	denom := reduction(h.width, h.height, p.opts.MinSide)
	f := &semblance.Frame{Width: (h.width + denom - 1) / denom, Height: (h.height + denom - 1) / denom}
	p.pixels = borrow(3 * f.Width * f.Height) // every row is decoded or filled below
	f.RGB = p.pixels
	out := runJPEG(p.data, denom, f)
	if out.error[0] != 0 && out.rows == 0 && out.offset > 0 && int(out.offset) < len(p.data) {
		// The scans before the broken one may still make a picture.
		message := C.GoString(&out.error[0])
		out = runJPEG(p.data[:out.offset], denom, f)
		p.warn("libjpeg-turbo: %s", message)
		p.partial("damaged: %s", message)
	}
	for i := range int(out.warnings) {
		p.warn("libjpeg-turbo: %s", C.GoString(&out.warning[i][0]))
	}
	switch {
	case out.too_many_scans != 0:
		return nil, semblance.Errorf(semblance.MediaTooLarge, "the progressive JPEG has more than %d scans, which is the limit", maxScans)
	case out.rows == 0:
		reason := C.GoString(&out.error[0])
		if reason == "" || out.exhausted != 0 {
			reason = "the data ends before the first row"
		}
		return nil, damaged("the JPEG does not decode: %s", reason)
	}
	if out.exhausted != 0 && out.bad_row == 0 && out.scans <= 1 && !h.progressive() {
		return nil, damaged("the JPEG does not decode: the data ends before the first row is complete")
	}
	fillFrom(f, int(out.rows))
	p.judgeJPEG(h, &out)
	return f, nil
}

func runJPEG(data []byte, denom int, f *semblance.Frame) C.sem_jpeg {
	var out C.sem_jpeg
	C.sem_jpeg_decode((*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)), C.int(denom), maxScans,
		(*C.uint8_t)(unsafe.SliceData(f.RGB)), C.int(f.Width), C.int(f.Height), &out)
	return out
}

// judgeJPEG says what is missing.
func (p *picture) judgeJPEG(h jpegHead, out *C.sem_jpeg) {
	good := h.height
	if out.bad_row >= 0 {
		good = min(good, int(out.bad_row))
	}
	several := h.progressive() || out.scans > 1
	switch {
	case out.error[0] != 0:
		p.warn("libjpeg-turbo: %s", C.GoString(&out.error[0]))
		if int(out.rows) < int(out.height) {
			p.partial("damaged after %d%% of the rows: %s", percent(int(out.rows), int(out.height)), C.GoString(&out.error[0]))
		}
	case several && out.exhausted != 0 && (out.incomplete > 0 || out.corrupt > 0):
		p.partial("truncated: the file ends in or after scan %d of a progressive JPEG, detail is missing", out.scans)
	case several && out.corrupt > 0:
		p.partial("damaged: the compressed data is wrong from scan %d on", out.bad_scan)
	case out.exhausted != 0 && out.corrupt > 0:
		p.partial("truncated after %d%% of the rows", percent(good, h.height))
	case out.corrupt > 0:
		p.partial("damaged after %d%% of the rows: %s", percent(good, h.height), C.GoString(&out.warning[0][0]))
	case out.exhausted != 0:
		p.warn("the end marker of the JPEG is missing; all rows are there")
	case several && out.incomplete > 0:
		p.warn("the progressive JPEG never sends some of its detail")
	}
}

// reduction is the greatest of 1, 2, 4 and 8 that leaves the longer side minSide
// pixels; 1 when nothing is asked for.
func reduction(width, height, minSide int) int {
	if minSide <= 0 {
		return 1
	}
	for d := 8; d > 1; d /= 2 {
		if (max(width, height)+d-1)/d >= minSide {
			return d
		}
	}
	return 1
}

// EncodeJPEG makes a JPEG of a frame: quality 1 to 100, colors at half
// resolution, for thumbnails and crops. The frame is only read. The error has
// code Invalid or Internal.
func EncodeJPEG(f *semblance.Frame, quality int) ([]byte, error) {
	if f == nil || f.Width <= 0 || f.Height <= 0 || f.Width > 65500 || f.Height > 65500 || len(f.RGB) < 3*f.Width*f.Height || quality < 1 || quality > 100 {
		return nil, semblance.Errorf(semblance.Invalid, "a JPEG needs a frame of 1 to 65500 pixels a side with all its pixels and a quality of 1 to 100")
	}
	h := C.tjInitCompress()
	if h == nil {
		return nil, semblance.Errorf(semblance.Internal, "the JPEG encoder does not start")
	}
	defer C.tjDestroy(h)
	var buf *C.uchar
	var size C.ulong
	rc := C.tjCompress2(h, (*C.uchar)(unsafe.SliceData(f.RGB)), C.int(f.Width), 0, C.int(f.Height), C.TJPF_RGB,
		&buf, &size, C.TJSAMP_420, C.int(quality), C.TJFLAG_ACCURATEDCT)
	defer func() { C.tjFree(buf) }()
	if rc != 0 {
		return nil, semblance.Errorf(semblance.Internal, "the JPEG encoder refused the picture: %s", C.GoString(C.tjGetErrorStr2(h)))
	}
	return C.GoBytes(unsafe.Pointer(buf), C.int(size)), nil
}
