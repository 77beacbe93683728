//go:build !amd64 || noasm

package supplied

// kernels names what this processor offers, from slow to fast.
func kernels() []string { return []string{"generic"} }

// sieve is sieveGeneric.
func sieve(_ string, sketches []byte, query *[sketchBytes]byte, limit uint32, out []uint64) {
	sieveGeneric(sketches, query, limit, out)
}

// squared is squaredGeneric.
func squared(_ string, a, b []byte) int { return squaredGeneric(a, b) }
