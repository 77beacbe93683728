package kept

import (
	"encoding/binary"
	"math/bits"
)

// words are the bits of a value; those of a 64-bit hash are in the first.
type words [4]uint64

func loadWords(b []byte) (w words) {
	w[0] = binary.LittleEndian.Uint64(b)
	if len(b) == 32 {
		w[1], w[2], w[3] = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	}
	return w
}

// near reports whether a value is within a radius. Half of the bits decide nearly always.
func (w *words) near(o *words, radius int) bool {
	d := bits.OnesCount64(w[0]^o[0]) + bits.OnesCount64(w[1]^o[1])
	if d > radius {
		return false
	}
	return d+bits.OnesCount64(w[2]^o[2])+bits.OnesCount64(w[3]^o[3]) <= radius
}

// pattern returns the slot's bits of a value.
func (s *slot) pattern(w *words) uint32 {
	at, shift := s.from>>6, s.from&63
	p := w[at&3] >> shift
	if shift+s.bits > 64 {
		p |= w[(at+1)&3] << (64 - shift)
	}
	return uint32(p) & (1<<s.bits - 1)
}

// put sets the slot's bits, which were zero.
func (w *words) put(s *slot, pattern uint32) {
	at, shift := s.from>>6, s.from&63
	w[at&3] |= uint64(pattern) << shift
	if shift+s.bits > 64 {
		w[(at+1)&3] |= uint64(pattern) >> (64 - shift)
	}
}

// transpose exchanges rows and columns of a PDQ's 16 by 16 bits. The hash of a transposed
// picture is exactly that: the same frequencies with the same median. So of the eight
// hashes of a turned picture four are kept, and each value is looked for both ways.
func transpose(v []byte) []byte {
	var rows [16]uint16 // bit k of a hash is that of row k/16 and column k%16, see hashing.PDQ
	for i := range rows {
		rows[i] = binary.BigEndian.Uint16(v[30-2*i:])
	}
	mask := uint16(0x00ff)
	for j := 8; j != 0; j >>= 1 { // exchanges ever smaller blocks across the diagonal
		for k := 0; k < 16; k = (k + j + 1) &^ j {
			t := (rows[k]>>j ^ rows[k+j]) & mask
			rows[k+j] ^= t
			rows[k] ^= t << j
		}
		mask ^= mask << (j >> 1)
	}
	out := make([]byte, 32)
	for i := range rows {
		binary.BigEndian.PutUint16(out[30-2*i:], rows[i])
	}
	return out
}
