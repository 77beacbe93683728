//go:build !amd64 || noasm

package kept

// kernels names what this processor offers, from slow to fast.
func kernels() []string { return []string{"generic"} }

// sieve is sieveGeneric.
func sieve(_ string, members []uint32, spans []span, out []uint32) { sieveGeneric(members, spans, out) }
