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
func squared(kernel string, values []byte, rows []int32, query []byte, out []int32) {
	n := len(rows)
	if kernel == "generic" || n == 0 {
		squaredGeneric(values, rows, query, out)
		return
	}
	for range ahead { // rows that are only fetched
		rows = append(rows, rows[n-1])
	}
	_ = out[n-1]
	squaredAVX2(&values[0], len(query)/valueStep, &rows[0], n, &query[0], &out[0])
}

// ahead is how many rows before it is needed a value is fetched.
const ahead = 8

//go:noescape
func sieveAVX2(sketches *byte, blocks int, query *[sketchBytes]byte, limit uint32, out *uint64)

//go:noescape
func squaredAVX2(values *byte, steps int, rows *int32, n int, query *byte, out *int32)
