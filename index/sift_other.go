//go:build !amd64 || noasm

package index

// hashKernels names what this processor offers for hashes, from slow to fast.
func hashKernels() []string { return []string{"generic"} }

// sift is siftGeneric.
func sift(_ string, body []byte, spans []span, out []uint32) { siftGeneric(body, spans, out) }

// compareHeads is compareGeneric.
func compareHeads(_ string, heads []uint64, blocks int, needles *[needleTile][2]uint64, n, radius int, out []uint64) {
	compareGeneric(heads, blocks, needles, n, radius, out)
}
