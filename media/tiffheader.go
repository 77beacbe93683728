package media

import "encoding/binary"

// maxTIFFPages bounds the walk over a TIFF's directories.
const maxTIFFPages = 1000

// A tiffPage is what one directory (IFD) of a TIFF says.
type tiffPage struct {
	directory     int // position in the file's chain
	width, height int
	stripPixels   int64 // of the largest piece that is decoded at once
	sampleBits    int64 // a pixel
	reduced       bool  // a thumbnail or a mask of another page
	further       bool  // has SubIFDs
	raw           bool  // a camera's DNG
	big           bool  // of a BigTIFF
	orientation   int   // 1 to 8, or 0
}

// A tiffReader reads directories of either kind.
type tiffReader struct {
	data  []byte
	order binary.ByteOrder
	big   bool
}

// readTIFF walks the chain of directories. A chain that breaks off, or comes
// back to itself, ends; broken says so.
func readTIFF(data []byte) (pages []tiffPage, broken bool, err error) {
	if len(data) < 16 {
		return nil, false, damaged("the TIFF ends within its header")
	}
	r := tiffReader{data: data, order: binary.LittleEndian}
	if data[0] == 'M' {
		r.order = binary.BigEndian
	}
	r.big = r.order.Uint16(data[2:]) == 43
	offset := uint64(r.order.Uint32(data[4:]))
	if r.big {
		offset = r.order.Uint64(data[8:])
	}
	seen := map[uint64]bool{}
	for n := 0; offset != 0; n++ {
		if n == maxTIFFPages || seen[offset] {
			broken = true
			break
		}
		seen[offset] = true
		page, next, ok := r.directory(offset)
		if !ok {
			broken = true
			break
		}
		page.directory, page.big = n, r.big
		pages = append(pages, page)
		offset = next
	}
	if len(pages) == 0 {
		return nil, broken, damaged("the TIFF has no directory where its header points; it is truncated or damaged")
	}
	return pages, broken, nil
}

// directory reads one directory and the offset of the next.
func (r *tiffReader) directory(offset uint64) (page tiffPage, next uint64, ok bool) {
	head, entry, tail := uint64(2), uint64(12), uint64(4)
	if r.big {
		head, entry, tail = 8, 20, 8
	}
	size := uint64(len(r.data))
	if offset < 8 || offset > size || size-offset < head {
		return page, 0, false
	}
	n := uint64(r.order.Uint16(r.data[offset:]))
	if r.big {
		n = r.order.Uint64(r.data[offset:])
	}
	if n == 0 || n > 4096 || size-offset-head < n*entry {
		return page, 0, false
	}
	tags := map[uint16]uint64{}
	for i := range n {
		e := r.data[offset+head+i*entry:][:entry]
		tag, v := r.order.Uint16(e), r.value(e)
		if _, again := tags[tag]; !again {
			tags[tag] = v
		}
	}
	end := offset + head + n*entry
	if size-end >= tail { // a file that ends here has no further page
		next = uint64(r.order.Uint32(r.data[end:]))
		if r.big {
			next = r.order.Uint64(r.data[end:])
		}
	}
	return describeTIFF(tags), next, true
}

// value is the first number of an entry when it lies in the entry itself, and
// otherwise how many there are: enough for sizes, and for BitsPerSample of several samples.
func (r *tiffReader) value(e []byte) uint64 {
	kind, count, at := r.order.Uint16(e[2:]), uint64(r.order.Uint32(e[4:])), e[8:]
	if r.big {
		count, at = r.order.Uint64(e[4:]), e[12:]
	}
	if count == 0 {
		return 0
	}
	switch kind {
	case 1, 7:
		return uint64(at[0])
	case 3:
		if count > 2 && !r.big {
			return r.far(e)
		}
		return uint64(r.order.Uint16(at))
	case 4, 13:
		return uint64(r.order.Uint32(at))
	case 16, 18:
		if r.big {
			return r.order.Uint64(at)
		}
	}
	return 0
}

// far reads the first 16-bit number that an entry points to.
func (r *tiffReader) far(e []byte) uint64 {
	at := uint64(r.order.Uint32(e[8:]))
	if at+2 > uint64(len(r.data)) {
		return 0
	}
	return uint64(r.order.Uint16(r.data[at:]))
}

// describeTIFF picks what limits need (TIFF 6.0, section 8).
func describeTIFF(tags map[uint16]uint64) tiffPage {
	const most = 1 << 31
	number := func(tag uint16, otherwise uint64) int64 {
		v, ok := tags[tag]
		if !ok || v == 0 {
			v = otherwise
		}
		return int64(min(v, most))
	}
	p := tiffPage{width: int(number(256, 0)), height: int(number(257, 0))}
	if o := tags[274]; o <= 8 {
		p.orientation = int(o)
	}
	p.sampleBits = min(number(258, 1), 64) * min(number(277, 1), 64)
	p.reduced = tags[254]&5 != 0
	_, p.further = tags[330]
	_, p.raw = tags[50706]
	p.stripPixels = int64(p.width) * min(number(278, most), int64(p.height))
	if tags[322] != 0 {
		p.stripPixels = number(322, 1) * number(323, 1)
	}
	return p
}
