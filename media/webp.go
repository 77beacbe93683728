//go:build cgo && native

package media

/*
#cgo pkg-config: libwebp libwebpdemux
#include <webp/decode.h>
#include <webp/demux.h>

// sem_webp_rows decodes a still picture as far as it goes and returns how many
// rows came. Alpha is dropped.
static int sem_webp_rows(const uint8_t *data, size_t size, uint8_t *rgb, size_t room, int stride, int *status) {
  int rows = 0;
  WebPIDecoder *d = WebPINewRGB(MODE_RGB, rgb, room, stride);
  if (d == NULL) {
    *status = VP8_STATUS_OUT_OF_MEMORY;
    return 0;
  }
  *status = WebPIUpdate(d, data, size);
  if (WebPIDecGetRGB(d, &rows, NULL, NULL, NULL) == NULL) rows = 0;
  WebPIDelete(d);
  return rows;
}

static void sem_webp_drop_alpha(const uint8_t *rgba, uint8_t *rgb, size_t pixels) {
  for (size_t i = 0; i < pixels; i++, rgba += 4, rgb += 3) {
    rgb[0] = rgba[0];
    rgb[1] = rgba[1];
    rgb[2] = rgba[2];
  }
}
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"semblance"
)

func webpVersion() string {
	v := int(C.WebPGetDecoderVersion())
	return fmt.Sprintf("%d.%d.%d", v>>16, v>>8&255, v&255)
}

func openWebP(p *picture) error {
	h, err := readWebPHead(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames = h.width, h.height, h.frames
	p.a.Decoder = "libwebp " + webpVersion()
	extra := int64(0)
	if h.animated { // two canvases of 4 bytes a pixel
		extra = 8 * int64(h.width) * int64(h.height)
	}
	if err := p.checkSize("WebP", h.width, h.height, extra); err != nil {
		return err
	}
	p.readMetadata(h.blocks)
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) {
		if h.animated {
			p.decodeWebPAnimation(h, yield)
		} else {
			yield(p.decodeWebP())
		}
	}
	return nil
}

func (p *picture) decodeWebP() (*semblance.Frame, error) {
	f := newFrame(0, p.a.Width, p.a.Height)
	var status C.int
	rows := int(C.sem_webp_rows((*C.uint8_t)(unsafe.SliceData(p.data)), C.size_t(len(p.data)),
		(*C.uint8_t)(unsafe.SliceData(f.RGB)), C.size_t(len(f.RGB)), C.int(3*f.Width), &status))
	reason := cut(status == C.VP8_STATUS_SUSPENDED || status == C.VP8_STATUS_NOT_ENOUGH_DATA)
	switch {
	case rows == 0:
		return nil, damaged("the WebP does not decode: it is %s before the first row", reason)
	case rows < f.Height:
		p.partial("%s after %d%% of the rows", reason, percent(rows, f.Height))
		fillFrom(f, rows)
	case status != C.VP8_STATUS_OK:
		p.partial("%s after the last row", reason)
	}
	return f, nil
}

// decodeWebPAnimation lets libwebp draw frame over frame and yields those that
// are wanted.
func (p *picture) decodeWebPAnimation(h webpHead, yield func(*semblance.Frame, error) bool) {
	data := p.data
	if h.truncated { // the frames before the break make a shorter animation
		p.partial("truncated after frame %d", h.frames)
		data = data[:h.end]
		binary.LittleEndian.PutUint32(data[4:], uint32(h.end-8))
	}
	pixels := int64(h.width) * int64(h.height)
	n := int(min(int64(h.frames), max(1, 2*p.limits.Pixels/pixels)))
	if n < h.frames {
		p.warn("only the first %d of %d frames are looked at: drawing more would pass the limit on pixels", n, h.frames)
	}
	sample := spread(n, p.limits.Frames)
	if len(sample) < n {
		p.warn("%d of %d frames are examined, spread evenly", len(sample), h.frames)
	}
	var pin runtime.Pinner // libwebp reads the data from call to call
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(data))
	var options C.WebPAnimDecoderOptions
	C.WebPAnimDecoderOptionsInit(&options)
	options.color_mode = C.MODE_RGBA
	d := C.WebPAnimDecoderNew(&C.WebPData{bytes: (*C.uint8_t)(unsafe.SliceData(data)), size: C.size_t(len(data))}, &options)
	if d == nil {
		yield(nil, damaged("the animated WebP does not decode: its frames do not fit together"))
		return
	}
	defer C.WebPAnimDecoderDelete(d)
	var info C.WebPAnimInfo
	if C.WebPAnimDecoderGetInfo(d, &info) == 0 || int(info.canvas_width) != h.width || int(info.canvas_height) != h.height {
		yield(nil, damaged("the animated WebP does not decode: its headers disagree about the size"))
		return
	}
	f := newFrame(0, h.width, h.height)
	for i := range sample[len(sample)-1] + 1 {
		var rgba *C.uint8_t
		var at C.int
		if C.WebPAnimDecoderGetNext(d, &rgba, &at) == 0 {
			if i == 0 {
				yield(nil, damaged("the animated WebP does not decode: its first frame is damaged"))
				return
			}
			p.partial("damaged: frame %d of %d does not decode", i+1, h.frames)
			return
		}
		if !slices.Contains(sample, i) {
			continue
		}
		C.sem_webp_drop_alpha(rgba, (*C.uint8_t)(unsafe.SliceData(f.RGB)), C.size_t(pixels))
		f.Index = i
		if !yield(f, nil) {
			return
		}
	}
}
