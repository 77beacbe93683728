package containers

import (
	"io"
	"math/bits"
)

// Deflate64 is deflate (RFC 1951) with a window of 64 KiB, two more distances and a longest
// length of 65,538. Windows' own zip folders write it for files of 2 GiB and more.

const huffmanBits = 10 // codes that are looked up at once

// A prefixCode is a canonical code.
type prefixCode struct {
	table   [1 << huffmanBits]uint16 // symbol<<4 | length; 0: longer, or none
	count   [16]int
	symbols []uint16
}

// set builds the code from the lengths of its symbols; false when there is no such code.
func (h *prefixCode) set(lengths []byte) bool {
	h.table, h.count = [1 << huffmanBits]uint16{}, [16]int{}
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	var at, code [17]int
	left := 1
	for n := 1; n < 16; n++ {
		if left = left<<1 - h.count[n]; left < 0 {
			return false
		}
		at[n+1] = at[n] + h.count[n]
		code[n+1] = (code[n] + h.count[n]) << 1
	}
	h.symbols = append(h.symbols[:0], make([]uint16, at[16])...)
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[at[n]] = uint16(s)
		at[n]++
		if n <= huffmanBits {
			first := int(bits.Reverse16(uint16(code[n])) >> (16 - n))
			for k := first; k < 1<<huffmanBits; k += 1 << n {
				h.table[k] = uint16(s)<<4 | uint16(n)
			}
		}
		code[n]++
	}
	return true
}

// An inflate64 undoes deflate64.
type inflate64 struct {
	r        byteReader
	w        *lzmaWindow
	bits     uint64
	n        uint
	lit, dis prefixCode
	final    bool
	coded    bool // a block of codes is being read
	raw      int  // bytes of a block that is not packed, still to come
	left     int  // of a repetition for which there was no room
	distance int
	err      error
}

func newInflate64(r byteReader) io.Reader {
	return &inflate64{r: r, w: newLZMAWindow(64 << 10)}
}

// Read unpacks.
func (f *inflate64) Read(p []byte) (int, error) {
	for {
		if n := f.w.give(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if f.err != nil {
			return 0, f.err
		}
		f.fill()
	}
}

func (f *inflate64) fail() {
	if f.err == nil {
		f.err = damaged("the deflate64 data are damaged")
	}
}

// need has at least so many bits at hand; at the end of the input they are zeros.
func (f *inflate64) need(n uint) {
	for f.n < n {
		b, err := f.r.ReadByte()
		if err != nil {
			if f.err == nil {
				f.err = io.ErrUnexpectedEOF
			}
			return
		}
		f.bits |= uint64(b) << f.n
		f.n += 8
	}
}

func (f *inflate64) take(n uint) int {
	f.need(n)
	v := int(f.bits & (1<<n - 1))
	f.bits >>= n
	f.n -= min(n, f.n)
	return v
}

func (f *inflate64) symbol(h *prefixCode) int {
	for f.n < 15 { // at the end there may be fewer
		b, err := f.r.ReadByte()
		if err != nil {
			break
		}
		f.bits |= uint64(b) << f.n
		f.n += 8
	}
	if e := h.table[f.bits&(1<<huffmanBits-1)]; e != 0 {
		n := uint(e & 15)
		if n > f.n {
			f.err = io.ErrUnexpectedEOF
			return 0
		}
		f.bits >>= n
		f.n -= n
		return int(e >> 4)
	}
	code, first, index := 0, 0, 0
	for n := uint(1); n < 16; n++ {
		if n > f.n {
			f.err = io.ErrUnexpectedEOF
			return 0
		}
		code |= int(f.bits >> (n - 1) & 1)
		k := h.count[n]
		if code-k < first {
			f.bits >>= n
			f.n -= n
			return int(h.symbols[index+code-first])
		}
		index, first, code = index+k, (first+k)<<1, code<<1
	}
	f.fail()
	return 0
}

// fill unpacks until the window must be emptied or the data end.
func (f *inflate64) fill() {
	for f.err == nil {
		switch {
		case f.left > 0:
			if f.left -= f.w.repeat(f.distance, f.left); f.left > 0 {
				return
			}
		case !f.w.room():
			return
		case f.raw > 0:
			f.w.put(byte(f.take(8)))
			f.raw--
		case f.coded:
			f.code()
		case f.final:
			f.err = io.EOF
		default:
			f.block()
		}
	}
}

// block reads the head of a block.
func (f *inflate64) block() {
	f.final = f.take(1) == 1
	switch f.take(2) {
	case 0:
		f.take(f.n & 7)
		n, not := f.take(16), f.take(16)
		if n != ^not&0xffff {
			f.fail()
		}
		f.raw = n
	case 1:
		f.fixed()
	case 2:
		f.dynamic()
	default:
		f.fail()
	}
}

func (f *inflate64) fixed() {
	var n [288]byte
	for i := range n {
		switch {
		case i < 144 || i >= 280:
			n[i] = 8
		case i < 256:
			n[i] = 9
		default:
			n[i] = 7
		}
	}
	f.lit.set(n[:])
	for i := range 32 {
		n[i] = 5
	}
	f.dis.set(n[:32])
	f.coded = true
}

func (f *inflate64) dynamic() {
	lits, dists, codes := f.take(5)+257, f.take(5)+1, f.take(4)+4
	var n [320]byte
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:codes] {
		n[i] = byte(f.take(3))
	}
	if lits > 286 || !f.lit.set(n[:19]) {
		f.fail()
		return
	}
	n = [320]byte{}
	for i := 0; i < lits+dists && f.err == nil; {
		s := f.symbol(&f.lit)
		if s < 16 {
			n[i] = byte(s)
			i++
			continue
		}
		var v byte
		var k int
		switch {
		case s == 16 && i > 0:
			v, k = n[i-1], 3+f.take(2)
		case s == 17:
			k = 3 + f.take(3)
		case s == 18:
			k = 11 + f.take(7)
		}
		if k == 0 || i+k > lits+dists {
			f.fail()
			return
		}
		for ; k > 0; k-- {
			n[i] = v
			i++
		}
	}
	if f.err == nil && (n[256] == 0 || !f.lit.set(n[:lits]) || !f.dis.set(n[lits:lits+dists])) {
		f.fail()
	}
	f.coded = true
}

// code reads one symbol of a block.
func (f *inflate64) code() {
	s := f.symbol(&f.lit)
	switch {
	case f.err != nil:
		return
	case s < 256:
		f.w.put(byte(s))
		return
	case s == 256:
		f.coded = false
		return
	}
	n := 0
	switch {
	case s < 265:
		n = s - 254
	case s < 285:
		extra := uint(s-261) / 4
		n = 3 + (4+(s-261)%4)<<extra + f.take(extra)
	case s == 285:
		n = 3 + f.take(16)
	default:
		f.fail()
		return
	}
	d := f.symbol(&f.dis)
	if d < 4 {
		d++
	} else {
		extra := uint(d)/2 - 1
		d = 1 + (2+d&1)<<extra + f.take(extra)
	}
	if f.err != nil {
		return
	}
	if !f.w.has(uint32(d)) {
		f.fail()
		return
	}
	f.distance, f.left = d, n
}
