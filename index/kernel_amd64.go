//go:build !noasm

package index

import "golang.org/x/sys/cpu"

// kernels names what this processor offers, from slow to fast.
func kernels() []string {
	out := []string{"generic"}
	if cpu.X86.HasAVX2 {
		out = append(out, "avx2")
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VNNI {
		out = append(out, "vnni")
	}
	return out
}

// sieve is sieveGeneric by a kernel.
func sieve(kernel string, t *tile, codes []uint8, blocks int, scales, bias []float32, params *[tileQueries]param, out []uint64) {
	if blocks == 0 || t.chunks == 0 || kernel == "generic" {
		sieveGeneric(t, codes, blocks, scales, bias, params, out)
		return
	}
	_, _, _, _ = codes[blocks*t.chunks*chunkBytes-1], scales[blocks*blockRows-1], bias[blocks*blockRows-1], out[blocks*t.width()-1]
	switch {
	case kernel == "vnni" && t.n == 1:
		sieve1VNNI(&codes[0], t.chunks, blocks, &scales[0], &bias[0], &t.narrow[0], &params[0], &out[0])
	case kernel == "vnni":
		sieve8VNNI(&codes[0], t.chunks, blocks, &scales[0], &bias[0], &t.narrow[0], &params[0], &out[0])
	case t.n == 1:
		sieve1AVX2(&codes[0], t.chunks, blocks, &scales[0], &bias[0], &t.wide[0], &params[0], &out[0])
	default:
		sieve8AVX2(&codes[0], t.chunks, blocks, &scales[0], &bias[0], &t.wide[0], &params[0], &out[0])
	}
}

//go:noescape
func sieve1VNNI(codes *uint8, chunks, blocks int, scales, bias *float32, query *int8, params *param, out *uint64)

//go:noescape
func sieve8VNNI(codes *uint8, chunks, blocks int, scales, bias *float32, queries *int8, params *param, out *uint64)

//go:noescape
func sieve1AVX2(codes *uint8, chunks, blocks int, scales, bias *float32, query *int16, params *param, out *uint64)

//go:noescape
func sieve8AVX2(codes *uint8, chunks, blocks int, scales, bias *float32, queries *int16, params *param, out *uint64)
