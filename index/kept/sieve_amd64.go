//go:build !noasm

package kept

import "golang.org/x/sys/cpu"

// kernels names what this processor offers, from slow to fast.
func kernels() []string {
	out := []string{"generic"}
	if cpu.X86.HasBMI2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VPOPCNTDQ {
		out = append(out, "popcnt")
	}
	return out
}

// sieve is sieveGeneric by a kernel. The spans lie within members, and out has room for
// their masks.
func sieve(kernel string, members []uint32, spans []span, out []uint32) {
	if kernel == "generic" || len(spans) == 0 || len(out) == 0 {
		sieveGeneric(members, spans, out)
		return
	}
	masks := 0
	for i := range spans {
		s := &spans[i]
		_ = members[s.at:][:s.n]
		masks += s.masks()
	}
	_ = out[:masks]
	sieve512(&members[0], &spans[0], len(spans), &out[0])
}

//go:noescape
func sieve512(members *uint32, spans *span, n int, out *uint32)
