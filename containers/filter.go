package containers

import (
	"encoding/binary"
	"io"

	"semblance"
)

// Filters make code and samples easier to pack; here they are undone. Numbers are xz's,
// which 7z shares.
const (
	filterDelta = 3
	filterX86   = 4
	filterPPC   = 5
	filterARM   = 7
	filterThumb = 8
	filterSPARC = 9
	filterARM64 = 10
)

func newFilter(id uint64, props []byte, r io.Reader) (io.Reader, error) {
	if id == filterDelta {
		if len(props) != 1 {
			return nil, damaged("the header of a delta filter is damaged")
		}
		return &deltaReader{r: r, distance: int(props[0]) + 1}, nil
	}
	var start uint32
	if len(props) == 4 {
		start = le.Uint32(props)
	}
	undo := map[uint64]func([]byte, uint32) int{filterPPC: undoPPC, filterARM: undoARM, filterThumb: undoThumb, filterSPARC: undoSPARC, filterARM64: undoARM64}[id]
	if id == filterX86 {
		undo = new(x86State).undo
	}
	if undo == nil {
		return nil, semblance.Errorf(semblance.MediaUnsupported, "the data went through a filter that is not known (%d)", id)
	}
	return &branchReader{r: r, undo: undo, pos: start}, nil
}

// A deltaReader adds up differences.
type deltaReader struct {
	r        io.Reader
	distance int
	last     [256]byte
	at       int
}

// Read adds.
func (d *deltaReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	for i := range p[:n] {
		p[i] += d.last[d.at]
		d.last[d.at] = p[i]
		d.at = (d.at + 1) % d.distance
	}
	return n, err
}

// A branchReader makes absolute addresses of branches relative again.
type branchReader struct {
	r     io.Reader
	undo  func(b []byte, pos uint32) int // returns how many bytes are done
	pos   uint32
	buf   [4 << 10]byte
	n     int // bytes in buf
	ready int // of them, done
	given int
	err   error
}

// Read undoes.
func (f *branchReader) Read(p []byte) (int, error) {
	for f.given == f.ready {
		if f.err != nil && f.ready == f.n {
			return 0, f.err
		}
		f.n = copy(f.buf[:], f.buf[f.ready:f.n])
		f.given, f.ready = 0, 0
		if f.err == nil {
			var k int
			k, f.err = f.r.Read(f.buf[f.n:])
			f.n += k
		}
		if f.ready = f.undo(f.buf[:f.n], f.pos); f.err != nil {
			f.ready = f.n // what is too short to be a branch
		}
		f.pos += uint32(f.ready)
	}
	n := copy(p, f.buf[f.given:f.ready])
	f.given += n
	return n, nil
}

func undoPPC(b []byte, pos uint32) int {
	return undoWords(b, pos, binary.BigEndian, func(v, at uint32) uint32 {
		if v&0xfc000003 == 0x48000001 {
			return 0x48000001 | (v-at)&0x03fffffc
		}
		return v
	})
}

func undoARM(b []byte, pos uint32) int {
	return undoWords(b, pos, le, func(v, at uint32) uint32 {
		if v>>24 == 0xeb {
			return 0xeb000000 | (v-(at+8)>>2)&0x00ffffff
		}
		return v
	})
}

func undoSPARC(b []byte, pos uint32) int {
	return undoWords(b, pos, binary.BigEndian, func(v, at uint32) uint32 {
		if v>>22 == 0x100 || v>>22 == 0x1ff {
			v = v<<2 - at
			v >>= 2
			return (0-v>>22&1)<<22&0x3fffffff | v&0x3fffff | 0x40000000
		}
		return v
	})
}

func undoARM64(b []byte, pos uint32) int {
	return undoWords(b, pos, le, func(v, at uint32) uint32 {
		switch {
		case v>>26 == 0x25: // BL
			return 0x94000000 | (v-at>>2)&0x03ffffff
		case v&0x9f000000 == 0x90000000: // ADRP
			src := v>>29&3 | v>>3&0x001ffffc
			if (src+0x20000)&0x1c0000 != 0 {
				return v
			}
			dest := src - at>>12
			return v&0x9000001f | dest&3<<29 | dest&0x3fffc<<3 | (0-dest&0x20000)&0xe00000
		}
		return v
	})
}

func undoWords(b []byte, pos uint32, order binary.ByteOrder, undo func(v, at uint32) uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		order.PutUint32(b[i:], undo(order.Uint32(b[i:]), pos+uint32(i)))
	}
	return i
}

func undoThumb(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 2 {
		if b[i+1]&0xf8 != 0xf0 || b[i+3]&0xf8 != 0xf8 {
			continue
		}
		v := uint32(b[i+1]&7)<<19 | uint32(b[i])<<11 | uint32(b[i+3]&7)<<8 | uint32(b[i+2])
		v = (v<<1 - (pos + uint32(i) + 4)) >> 1
		b[i+1], b[i], b[i+3], b[i+2] = 0xf0|byte(v>>19)&7, byte(v>>11), 0xf8|byte(v>>8)&7, byte(v)
		i += 2
	}
	return i
}

// A x86State remembers which of the last bytes looked like an opcode (7-Zip's Bra86).
type x86State struct{ mask uint32 }

func (s *x86State) undo(b []byte, pos uint32) int {
	allowed := [8]bool{true, true, true, false, true, false, false, false}
	bit := [8]uint32{0, 1, 2, 2, 3, 3, 3, 3}
	top := func(c byte) bool { return c == 0 || c == 0xff }
	last, i := -1, 0 // the last opcode that was seen
	mask := s.mask & 7
	for ; i+5 <= len(b); i++ {
		if b[i]&0xfe != 0xe8 {
			continue
		}
		if d := i - last; d > 3 {
			mask = 0
		} else if mask = mask << (d - 1) & 7; mask != 0 {
			c := b[i+4-int(bit[mask])]
			if !allowed[mask] || top(c) {
				last, mask = i, mask<<1&7|1
				continue
			}
		}
		last = i
		if !top(b[i+4]) {
			mask = mask<<1&7 | 1
			continue
		}
		v := le.Uint32(b[i+1:])
		at := pos + uint32(i) + 5
		for {
			v -= at
			if mask == 0 {
				break
			}
			shift := bit[mask] * 8
			if !top(byte(v >> (24 - shift))) {
				break
			}
			v ^= 1<<(32-shift) - 1
		}
		le.PutUint32(b[i+1:], v&0x00ffffff|(0-v>>24&1)<<24)
		i += 4
		last, mask = i, 0
	}
	if d := i - last; d > 3 {
		s.mask = 0
	} else {
		s.mask = mask << (d - 1) & 7
	}
	return i
}
