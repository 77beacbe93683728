//go:build cgo && native

package media

/*
#cgo pkg-config: libheif
#include <libheif/heif.h>
#include "heifrows.h"
*/
import "C"

import (
	"encoding/binary"
	"unsafe"

	"semblance"
)

// heifSlack is what libheif's own limit on a side gets above the header's: it
// refuses a picture that has just the limit, and coded pictures are padded to whole blocks.
const heifSlack = 64

func heifVersion() string { return C.GoString(C.heif_get_version()) }

// openHEIF opens HEIC and AVIF. Perceptual hashes are of the pixels as stored, so
// libheif is told not to turn, and the turn the file asks for is reported as the
// EXIF orientation that equals it. The one in EXIF must be ignored in HEIF files.
// A crop (clap) is applied: encoders pad odd sizes and crop them again.
func openHEIF(p *picture) error {
	h, err := readHEIF(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames = h.width, h.height, 1
	p.a.Decoder = "libheif " + heifVersion()
	// Planes before and after conversion to RGB, and the tiles of a grid.
	if err := p.checkSize("HEIF picture", h.width, h.height, 9*int64(h.width)*int64(h.height)); err != nil {
		return err
	}
	if err := p.checkSize("largest image in the HEIF file", max(1, h.tile[0]), max(1, h.tile[1]), 0); err != nil {
		return err
	}
	if h.sequence {
		p.warn("the file holds an image sequence too, and this is its primary picture: a scan examines the sequence as %s within the file", semblance.SequenceName)
	}
	if err := p.probeHEIF(&h); err != nil {
		return err
	}
	p.a.Orientation = h.orientation
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { yield(p.decodeHEIF(h)) }
	return nil
}

// probeHEIF lets libheif read the headers: for EXIF, which follows a 4-byte offset of its
// TIFF header, for XMP, and for the size of a cropped picture.
func (p *picture) probeHEIF(h *heifHead) error {
	var out C.sem_heif
	block := make([]byte, min(1<<20, len(p.data)))
	var b blocks
	defer func() { p.readMetadata(b) }()
	C.sem_heif_probe((*C.uint8_t)(unsafe.SliceData(p.data)), C.size_t(len(p.data)), C.int(h.largest+heifSlack),
		(*C.uint8_t)(unsafe.SliceData(block)), C.size_t(len(block)), &out)
	if err := heifError(&out); err != nil {
		return err
	}
	if h.cropped {
		w, ht := int(out.width), int(out.height)
		if h.orientation >= 5 {
			w, ht = ht, w
		}
		if w < 1 || ht < 1 || w > h.width || ht > h.height {
			return damaged("the HEIF picture is to be cropped to %d by %d pixels, which it does not have", w, ht)
		}
		p.a.Width, p.a.Height = w, ht
	}
	if out.xmp > 0 {
		b.xmp = block[out.exif : out.exif+out.xmp]
	}
	if block = block[:out.exif]; len(block) < 4 {
		return nil
	}
	if skip := uint64(binary.BigEndian.Uint32(block)) + 4; skip < uint64(len(block)) {
		b.exif = block[skip:]
	} else {
		p.warn("the EXIF block is damaged: it begins behind its end")
	}
	return nil
}

// heifError is what libheif's error means, nil for none.
func heifError(out *C.sem_heif) error {
	message := C.GoString(&out.error[0])
	switch {
	case message == "":
		return nil
	case out.too_large != 0:
		return semblance.Errorf(semblance.MediaTooLarge, "the HEIF picture holds an image that is larger than its header says: %s", message)
	case out.unsupported != 0:
		return unsupported("this kind of HEIF picture is not read: %s", message)
	}
	return damaged("the HEIF picture does not decode, it is truncated or damaged: %s", message)
}

func (p *picture) decodeHEIF(h heifHead) (*semblance.Frame, error) {
	w, ht, stored := p.a.Width, p.a.Height, C.int(1)
	if h.cropped { // only together with the turn, which is then undone
		stored = 0
		if h.orientation >= 5 {
			w, ht = ht, w
		}
	}
	f := newFrame(0, w, ht)
	var out C.sem_heif
	C.sem_heif_decode((*C.uint8_t)(unsafe.SliceData(p.data)), C.size_t(len(p.data)), C.int(h.largest+heifSlack), stored,
		(*C.uint8_t)(unsafe.SliceData(f.RGB)), C.int(w), C.int(ht), &out)
	if err := heifError(&out); err != nil {
		return nil, err
	}
	if out.warnings > 0 {
		p.warn("libheif: %s", C.GoString(&out.warning[0]))
		p.partial("damaged: %s", C.GoString(&out.warning[0]))
	}
	if out.bits > 8 {
		p.warn("the picture has %d bits a sample; they were reduced to 8", out.bits)
	}
	if h.cropped {
		f = Upright(f, undone(h.orientation))
	}
	return f, nil
}
