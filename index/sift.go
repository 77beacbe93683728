package index

import (
	"encoding/binary"
	"math/bits"
)

// A span is a stretch of the rests of a slot's members that a search looks at. Kernels
// read it as it lies.
type span struct {
	at    uint32 // of the first, in 16-bit numbers from the body's start
	n     uint32
	query uint16 // the query's rest
	quota uint16 // how many bits a rest may differ in
	slot  uint32
}

// spanMasks returns how many masks the members of a span make.
func (s *span) masks() int { return int(s.n+31) / 32 }

// siftGeneric is the kernels in plain Go. For each span it writes a bit for each member,
// 32 to a mask, that is set when the rest differs in at most quota bits.
func siftGeneric(body []byte, spans []span, out []uint32) {
	for i := range spans {
		s := &spans[i]
		rests := body[2*int(s.at):][:2*int(s.n)]
		query := lanes16 * uint64(inOrder16(s.query))
		// A lane's highest bit is set by what is added when its count is above the quota.
		above := lanes16 * uint64(0x7fff-min(int(s.quota), 16))
		for len(rests) > 0 {
			some := rests[:min(64, len(rests))]
			rests, out = rests[len(some):], siftMask(some, query, above, out)
		}
	}
}

// lanes16 has the lowest bit of each 16 set.
const lanes16 = 0x0001000100010001

// inOrder16 returns a number whose little-endian bytes are another's in memory.
func inOrder16(n uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], n)
	return binary.LittleEndian.Uint16(b[:])
}

// siftMask writes the mask of up to 32 rests and returns the masks that follow.
func siftMask(rests []byte, query, above uint64, out []uint32) []uint32 {
	mask, at := uint32(0), 0
	for ; len(rests) >= 8; rests, at = rests[8:], at+4 {
		mask |= passing4(binary.LittleEndian.Uint64(rests)^query, above) << at
	}
	if len(rests) > 0 {
		var last [8]byte
		copy(last[:], rests)
		mask |= passing4(binary.LittleEndian.Uint64(last[:])^query, above) & (1<<(len(rests)/2) - 1) << at
	}
	out[0] = mask
	return out[1:]
}

// passing4 returns which of four differences have few enough bits, counted side by side.
func passing4(x, above uint64) uint32 {
	x -= x >> 1 & 0x5555555555555555
	x = x&0x3333333333333333 + x>>2&0x3333333333333333
	x = (x + x>>4) & 0x0f0f0f0f0f0f0f0f
	x = (x + x>>8) & (lanes16 * 0x1f)
	x = ^(x + above) & (lanes16 << 15)
	return uint32(x>>15&1 | x>>30&2 | x>>45&4 | x>>60&8)
}

const (
	// needleTile is how many needles go through a block of heads together.
	needleTile = 8
	// headRows is how many heads make a block: a bit of a mask each.
	headRows = 64
)

// compareGeneric is the kernels of comparing with every value in plain Go: for each block of
// headRows heads of 128 bits and each of n needles it writes a mask of those that differ in
// at most radius bits. out has needleTile masks for each block.
func compareGeneric(heads []uint64, blocks int, needles *[needleTile][2]uint64, n, radius int, out []uint64) {
	for b := range blocks {
		block := heads[b*2*headRows:][:2*headRows]
		for j := range n {
			q, mask := needles[j], uint64(0)
			for i := range headRows {
				if bits.OnesCount64(block[2*i]^q[0])+bits.OnesCount64(block[2*i+1]^q[1]) <= radius {
					mask |= 1 << i
				}
			}
			out[b*needleTile+j] = mask
		}
	}
}
