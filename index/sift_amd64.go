//go:build !noasm

package index

import "golang.org/x/sys/cpu"

// hashKernels names what this processor offers for hashes, from slow to fast.
func hashKernels() []string {
	out := []string{"generic"}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512BITALG && cpu.X86.HasAVX512VPOPCNTDQ {
		out = append(out, "popcnt")
	}
	return out
}

// sift is siftGeneric by a kernel. The spans lie within body, and out has room for
// their masks.
func sift(kernel string, body []byte, spans []span, out []uint32) {
	if kernel == "generic" || len(spans) == 0 || len(out) == 0 {
		siftGeneric(body, spans, out)
		return
	}
	masks := 0
	for i := range spans {
		s := &spans[i]
		_ = body[2*int(s.at):][:2*int(s.n)]
		masks += s.masks()
	}
	_ = out[:masks]
	sift512(&body[0], &spans[0], len(spans), &out[0])
}

// compareHeads is compareGeneric by a kernel.
func compareHeads(kernel string, heads []uint64, blocks int, needles *[needleTile][2]uint64, n, radius int, out []uint64) {
	if kernel == "generic" || blocks == 0 {
		compareGeneric(heads, blocks, needles, n, radius, out)
		return
	}
	_, _ = heads[blocks*2*headRows-1], out[blocks*needleTile-1]
	if n == 1 {
		compare1x512(&heads[0], blocks, &needles[0], radius, &out[0])
	} else {
		compare8x512(&heads[0], blocks, &needles[0], radius, &out[0])
	}
	for i := range out[:blocks*needleTile] {
		if out[i] != 0 {
			out[i] = inOrder(out[i])
		}
	}
}

// inOrder puts the bits of a mask in the order of values: the kernels leave those of each
// eight as 0, 4, 1, 5, 2, 6, 3, 7.
func inOrder(m uint64) uint64 {
	const bit = 0x0101010101010101
	return m&(bit<<0|bit<<7) | m>>1&(bit<<1) | m>>2&(bit<<2) | m>>3&(bit<<3) |
		m<<3&(bit<<4) | m<<2&(bit<<5) | m<<1&(bit<<6)
}

//go:noescape
func sift512(body *byte, spans *span, n int, out *uint32)

//go:noescape
func compare1x512(heads *uint64, blocks int, needle *[2]uint64, radius int, out *uint64)

//go:noescape
func compare8x512(heads *uint64, blocks int, needles *[2]uint64, radius int, out *uint64)
