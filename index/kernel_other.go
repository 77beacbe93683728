//go:build !amd64 || noasm

package index

// kernels names what this processor offers, from slow to fast.
func kernels() []string { return []string{"generic"} }

// sieve is sieveGeneric.
func sieve(_ string, t *tile, codes []uint8, blocks int, scales, bias []float32, params *[tileQueries]param, out []uint64) {
	sieveGeneric(t, codes, blocks, scales, bias, params, out)
}
