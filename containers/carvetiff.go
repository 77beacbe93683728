package containers

import (
	"encoding/binary"
	"io"
)

// maxDirectories bounds the directories of a TIFF.
const maxDirectories = 256

// A tiffWalk is how far a TIFF reaches: to the end of what its directories point to.
type tiffWalk struct {
	r     *io.SectionReader
	order binary.ByteOrder
	end   int64
	left  int // directories that may still be read
	strip bool
	read  int64
}

// carveTIFF follows the directories of a TIFF 6.0, which DNG, NEF, CR2 and ARW are too.
func carveTIFF(r *scanner) (carving, bool) {
	w := &tiffWalk{r: io.NewSectionReader(r.s, r.begin, r.s.size-r.begin), order: binary.LittleEndian, left: maxDirectories}
	var h [8]byte
	if !r.full(h[:]) {
		return carving{}, false
	}
	if h[0] == 'M' {
		w.order = binary.BigEndian
	}
	next := int64(w.order.Uint32(h[4:]))
	for next >= 8 && w.left > 0 {
		var ok bool
		if next, ok = w.directory(next); !ok {
			return carving{}, false
		}
	}
	r.read += w.read
	return carving{ext: "tif", size: w.end}, w.strip && w.end > 8 && w.end <= maxPicture
}

// directory reads one and returns where the next begins.
func (w *tiffWalk) directory(at int64) (next int64, ok bool) {
	if w.left--; w.left < 0 {
		return 0, false
	}
	var n [2]byte
	if !w.full(n[:], at) {
		return 0, false
	}
	count := int64(w.order.Uint16(n[:]))
	if count == 0 || count > 4096 {
		return 0, false
	}
	b := make([]byte, 12*count+4)
	if !w.full(b, at+2) {
		return 0, false
	}
	values := map[uint16][]int64{}
	last := uint16(0)
	for e := b; len(e) > 4; e = e[12:] {
		tag := w.order.Uint16(e)
		if tag < last && at == 8 {
			return 0, false // they are in order, at least in the first
		}
		last = tag
		if !w.entry(tag, e, values) {
			return 0, false
		}
	}
	for _, p := range [][2]uint16{{273, 279}, {324, 325}, {513, 514}} {
		w.stretches(values[p[0]], values[p[1]])
	}
	for _, tag := range []uint16{330, 34665, 34853} {
		for _, sub := range values[tag] {
			if _, ok := w.directory(sub); !ok {
				return 0, false
			}
		}
	}
	return int64(w.order.Uint32(b[12*count:])), true
}

var tiffSizes = [14]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}

// entry takes the numbers of one, if they say where something lies.
func (w *tiffWalk) entry(tag uint16, e []byte, values map[uint16][]int64) bool {
	kind, count := w.order.Uint16(e[2:]), int64(w.order.Uint32(e[4:]))
	if kind == 0 || int(kind) >= len(tiffSizes) || count > maxPicture {
		return false
	}
	length, content := tiffSizes[kind]*count, e[8:12]
	if length > 4 {
		at := int64(w.order.Uint32(content))
		if at < 8 || at+length > w.r.Size() {
			return false
		}
		w.end = max(w.end, at+length)
		content = nil
	}
	switch tag {
	case 273, 279, 324, 325, 513, 514, 330, 34665, 34853:
	default:
		return true
	}
	if kind != 3 && kind != 4 && kind != 13 || count > 1<<20 {
		return false
	}
	if content == nil {
		content = make([]byte, length)
		if !w.full(content, int64(w.order.Uint32(e[8:]))) {
			return false
		}
	}
	for range count {
		if kind == 3 {
			values[tag] = append(values[tag], int64(w.order.Uint16(content)))
			content = content[2:]
		} else {
			values[tag] = append(values[tag], int64(w.order.Uint32(content)))
			content = content[4:]
		}
	}
	return true
}

func (w *tiffWalk) stretches(at, length []int64) {
	for i := range min(len(at), len(length)) {
		if at[i] >= 8 && length[i] > 0 {
			w.end, w.strip = max(w.end, at[i]+length[i]), true
		}
	}
}

func (w *tiffWalk) full(b []byte, at int64) bool {
	n, _ := w.r.ReadAt(b, at)
	w.read += int64(n)
	w.end = max(w.end, at+int64(n))
	return n == len(b)
}
