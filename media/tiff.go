//go:build cgo && native

package media

/*
#cgo pkg-config: libtiff-4
#include "tiffrows.h"
*/
import "C"

import (
	"strings"
	"unsafe"

	"semblance"
)

// tiffVersion is the number in "LIBTIFF, Version 4.5.0\nCopyright ...".
func tiffVersion() string {
	line, _, _ := strings.Cut(C.GoString(C.sem_tiff_version()), "\n")
	return strings.TrimPrefix(line, "LIBTIFF, Version ")
}

// openTIFF takes every page as a frame, except thumbnails and masks of others.
func openTIFF(p *picture) error {
	all, broken, err := readTIFF(p.data)
	if err != nil {
		return err
	}
	var pages []tiffPage
	for _, page := range all {
		if !page.reduced {
			pages = append(pages, page)
		}
		if page.further || page.raw {
			p.warn("the TIFF holds further pictures (SubIFDs or camera raw data) that are not examined")
		}
	}
	if len(pages) == 0 {
		pages = all[:1]
	}
	if broken {
		p.partial("truncated or damaged: the list of pages breaks off after page %d", len(all))
	}
	p.a.Width, p.a.Height, p.a.Frames = pages[0].width, pages[0].height, len(pages)
	p.a.Decoder = "libtiff " + tiffVersion()
	if err := p.checkPage(pages[0]); err != nil {
		return err
	}
	if pages[0].big {
		p.a.Orientation = pages[0].orientation
		p.warn("the metadata of a BigTIFF is not read")
	} else {
		p.readMetadata(blocks{exif: p.data})
	}
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { p.decodeTIFF(pages, yield) }
	return nil
}

// checkPage counts the strip that libtiff decodes, and its RGBA twin.
func (p *picture) checkPage(page tiffPage) error {
	if page.stripPixels < 0 || page.stripPixels > p.limits.Memory {
		return damaged("the TIFF has strips or tiles of %d pixels", page.stripPixels)
	}
	return p.checkSize("TIFF", page.width, page.height, page.stripPixels*(4+page.sampleBits/8))
}

// largestBlock is what libtiff may allocate at once: a strip in any form, or the
// tables of a directory.
func (t tiffPage) largestBlock(size int) int64 {
	return t.stripPixels*max(8, t.sampleBits/8) + int64(size) + 16<<20
}

func (p *picture) decodeTIFF(pages []tiffPage, yield func(*semblance.Frame, error) bool) {
	sample := spread(len(pages), p.limits.Frames)
	if len(sample) < len(pages) {
		p.warn("%d of %d pages are examined, spread evenly", len(sample), len(pages))
	}
	for n, i := range sample {
		f, err := p.decodePage(pages, i)
		if err != nil && n > 0 { // the pages before stand
			p.partial("page %d of %d was not decoded: %v", i+1, len(pages), err)
			continue
		}
		if !yield(f, err) || err != nil {
			return
		}
	}
}

func (p *picture) decodePage(pages []tiffPage, i int) (*semblance.Frame, error) {
	page := pages[i]
	if err := p.checkPage(page); err != nil {
		return nil, err
	}
	f := newFrame(i, page.width, page.height)
	fillFrom(f, 0)
	var out C.sem_tiff
	C.sem_tiff_decode((*C.uint8_t)(unsafe.SliceData(p.data)), C.size_t(len(p.data)), C.int(page.directory), C.int64_t(page.largestBlock(len(p.data))),
		(*C.uint8_t)(unsafe.SliceData(f.RGB)), C.uint32_t(f.Width), C.uint32_t(f.Height), &out)
	if out.warnings > 0 {
		p.warn("libtiff: %s", C.GoString(&out.warning[0]))
	}
	message := C.GoString(&out.error[0])
	if out.pieces == out.lost {
		if message == "" {
			message = "nothing of its pixels is there"
		}
		if strings.Contains(message, "not configured") || strings.HasPrefix(message, "Sorry") {
			return nil, unsupported("this kind of TIFF is not read: %s", message)
		}
		return nil, damaged("the TIFF does not decode: %s", message)
	}
	if out.bad > 0 {
		p.partial("%s: %d of %d strips or tiles of page %d are not complete%s", cut(out.exhausted != 0), out.bad, out.pieces, i+1, after(message))
	}
	return f, nil
}

// after is ": message", or nothing.
func after(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}
