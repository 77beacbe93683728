package media

import "encoding/binary"

// maxHEIFProperties bounds what is noted of a hostile file.
const maxHEIFProperties = 10_000

// A heifHead is what the boxes of a HEIC or AVIF file say of its primary image
// (ISO/IEC 23008-12). libheif 1.15 tells neither what it rotates by nor, before
// it has read everything, how large the picture is.
type heifHead struct {
	primary       uint32
	width, height int    // as coded, before turning
	largest       int    // the longest side of any image of the file, tiles included
	tile          [2]int // the image of the file with the most pixels
	orientation   int    // as in EXIF, from irot and imir; 0 when there is neither
	cropped       bool
	sequence      bool // there is a movie too
	properties    []heifBox
	of            map[uint32][]int // item to properties, from 1
}

// A heifBox is a type and its content.
type heifBox struct {
	kind string
	body []byte
}

// readHEIF finds the primary image and its properties.
func readHEIF(data []byte) (heifHead, error) {
	h := heifHead{of: map[uint32][]int{}}
	meta := false
	eachBox(data, func(b heifBox) {
		switch b.kind {
		case "meta":
			if len(b.body) > 4 && !meta {
				meta = true
				eachBox(b.body[4:], h.inMeta)
			}
		case "moov":
			h.sequence = true
		}
	})
	switch {
	case !meta && h.sequence:
		return h, unsupported("this is an image sequence without a primary picture, and only pictures are looked at here").
			WithHint("scan and hash examine it as a video.")
	case !meta:
		return h, damaged("the HEIF file ends before it says what it holds; it is truncated or damaged")
	}
	h.apply()
	if h.width == 0 || h.height == 0 {
		return h, damaged("the HEIF file gives no size of its primary picture; it is truncated or damaged")
	}
	return h, nil
}

// eachBox walks boxes (ISO/IEC 14496-12, 4.2). One that is cut off is given as
// far as it goes, and ends the walk.
func eachBox(data []byte, do func(heifBox)) {
	for len(data) >= 8 {
		size, head := uint64(binary.BigEndian.Uint32(data)), uint64(8)
		if size == 1 && len(data) >= 16 {
			size, head = binary.BigEndian.Uint64(data[8:]), 16
		}
		if size == 0 {
			size = uint64(len(data))
		}
		if size < head {
			return
		}
		size = min(size, uint64(len(data)))
		do(heifBox{string(data[4:8]), data[head:size]})
		data = data[size:]
	}
}

func (h *heifHead) inMeta(b heifBox) {
	switch b.kind {
	case "pitm":
		r := heifReader{b: b.body}
		version := r.uint(1)
		r.uint(3)
		h.primary = uint32(r.uint(2 + 2*min(version, 1)))
	case "iprp":
		eachBox(b.body, func(b heifBox) {
			switch b.kind {
			case "ipco":
				eachBox(b.body, func(b heifBox) {
					if len(h.properties) < maxHEIFProperties {
						h.properties = append(h.properties, b)
					}
				})
			case "ipma":
				h.associations(b.body)
			}
		})
	}
}

// associations reads which item has which properties, in order (ipma).
func (h *heifHead) associations(body []byte) {
	r := heifReader{b: body}
	version, flags := r.uint(1), r.uint(3)
	for range r.uint(4) {
		item := uint32(r.uint(2 + 2*min(version, 1)))
		for range r.uint(1) {
			if flags&1 != 0 {
				h.of[item] = append(h.of[item], int(r.uint(2)&0x7fff))
			} else {
				h.of[item] = append(h.of[item], int(r.uint(1)&0x7f))
			}
		}
		if r.short {
			return
		}
	}
}

// apply reads the properties of the primary image.
func (h *heifHead) apply() {
	for _, b := range h.properties {
		if w, ht, ok := b.size(); ok {
			h.largest = max(h.largest, w, ht)
			if int64(w)*int64(ht) > int64(h.tile[0])*int64(h.tile[1]) {
				h.tile = [2]int{w, ht}
			}
		}
	}
	for _, i := range h.of[h.primary] {
		if i < 1 || i > len(h.properties) {
			continue
		}
		b := h.properties[i-1]
		if w, ht, ok := b.size(); ok {
			h.width, h.height = w, ht
		}
		h.cropped = h.cropped || b.kind == "clap"
		if o := b.turn(); o != 0 {
			h.orientation = turnedTwice(max(h.orientation, 1), o)
		}
	}
}

// size is that of an ispe box.
func (b heifBox) size() (width, height int, ok bool) {
	if b.kind != "ispe" || len(b.body) < 12 {
		return 0, 0, false
	}
	const most = 1<<31 - 1
	return int(min(binary.BigEndian.Uint32(b.body[4:]), most)), int(min(binary.BigEndian.Uint32(b.body[8:]), most)), true
}

// turn is the EXIF orientation that means the same as an irot (quarters
// counterclockwise) or imir box (0 exchanges top and bottom, 1 left and right), 0 for others.
func (b heifBox) turn() int {
	if len(b.body) < 1 {
		return 0
	}
	switch b.kind {
	case "irot":
		return [4]int{1, 8, 3, 6}[b.body[0]&3]
	case "imir":
		return [2]int{4, 2}[b.body[0]&1]
	}
	return 0
}

// A heifReader reads big-endian numbers; behind the end they are 0 and short is
// set.
type heifReader struct {
	b     []byte
	short bool
}

func (r *heifReader) uint(n uint64) uint64 {
	if uint64(len(r.b)) < n {
		r.b, r.short = nil, true
		return 0
	}
	v := uint64(0)
	for _, b := range r.b[:n] {
		v = v<<8 | uint64(b)
	}
	r.b = r.b[n:]
	return v
}
