//go:build !amd64 || noasm

package supplied

// kernels names what this processor offers, from slow to fast.
func kernels() []string { return []string{"generic"} }

// sieve is sieveGeneric.
func sieve(_ string, sketches []byte, query *[sketchBytes]byte, limit uint32, out []uint64) {
	sieveGeneric(sketches, query, limit, out)
}

// squared is squaredGeneric.
func squared(_ string, values []byte, rows []int32, query []byte, out []int32) {
	squaredGeneric(values, rows, query, out)
}
