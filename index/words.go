package index

import (
	"encoding/binary"
	"math/bits"
)

// words are the bits of a value, the first byte first, so that they are ordered as the
// bytes are. Those of a 64-bit hash are in the first word.
type words [4]uint64

// loadWords reads a value of at most 32 bytes.
func loadWords(v []byte) words {
	var w words
	if len(v) == 32 {
		return words{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(v[16:]), binary.BigEndian.Uint64(v[24:])}
	}
	for i := 0; i < len(v); i += 4 { // all lengths are multiples of 4
		w[i/8] |= uint64(binary.BigEndian.Uint32(v[i:])) << (32 - i%8*8)
	}
	return w
}

// put writes the bytes of a value.
func (w *words) put(v []byte) {
	for i := 0; i < len(v); i += 4 {
		binary.BigEndian.PutUint32(v[i:], uint32(w[i/8]>>(32-i%8*8)))
	}
}

func (w *words) compare(o *words) int {
	for i := range w {
		switch {
		case w[i] < o[i]:
			return -1
		case w[i] > o[i]:
			return 1
		}
	}
	return 0
}

// distance counts the bits of a difference.
func (w *words) distance() int {
	return bits.OnesCount64(w[0]) + bits.OnesCount64(w[1]) + bits.OnesCount64(w[2]) + bits.OnesCount64(w[3])
}

func (w words) xor(o words) words {
	return words{w[0] ^ o[0], w[1] ^ o[1], w[2] ^ o[2], w[3] ^ o[3]}
}

// part returns n bits of a value, 1 to 32, from a bit on.
func (w *words) part(from, n int) uint32 {
	at, skip := from>>6, from&63
	p := w[at] << skip
	if skip+n > 64 {
		p |= w[at+1] >> (64 - skip)
	}
	return uint32(p >> (64 - n))
}
