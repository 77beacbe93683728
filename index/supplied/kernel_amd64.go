//go:build !noasm

package supplied

import "golang.org/x/sys/cpu"

// kernels names what this processor offers, from slow to fast.
func kernels() []string {
	if cpu.X86.HasAVX2 {
		return []string{"generic", "avx2"}
	}
	return []string{"generic"}
}

// sieve is sieveGeneric by a kernel.
func sieve(kernel string, sketches []byte, query *[sketchBytes]byte, limit uint32, out []uint64) {
	if kernel == "generic" || len(out) == 0 {
		sieveGeneric(sketches, query, limit, out)
		return
	}
	_ = sketches[len(out)*blockSketch-1]
	sieveAVX2(&sketches[0], len(out), query, limit, &out[0])
}

// squared is squaredGeneric by a kernel.
func squared(kernel string, a, b []byte) int {
	if kernel == "generic" || len(a) == 0 {
		return squaredGeneric(a, b)
	}
	_ = b[len(a)-1]
	return squaredAVX2(&a[0], &b[0], len(a)/valueStep)
}

//go:noescape
func sieveAVX2(sketches *byte, blocks int, query *[sketchBytes]byte, limit uint32, out *uint64)

//go:noescape
func squaredAVX2(a, b *byte, steps int) int
