package index

import "math/bits"

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
func siftGeneric(halves []uint16, spans []span, out []uint32) {
	for i := range spans {
		s := &spans[i]
		rests := halves[s.at:][:s.n]
		for len(rests) > 0 {
			some := rests[:min(32, len(rests))]
			mask := uint32(0)
			for j, r := range some {
				if bits.OnesCount16(r^s.query) <= int(s.quota) {
					mask |= 1 << j
				}
			}
			out[0] = mask
			out, rests = out[1:], rests[len(some):]
		}
	}
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
