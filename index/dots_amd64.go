//go:build !noasm

package index

import "golang.org/x/sys/cpu"

// hasAVX2 is found out once, by the processor.
var hasAVX2 = cpu.X86.HasAVX2

// dots sets out[i] to the inner product of the i-th row and the query. Rows are
// len(query) long, which is a multiple of codeAlign.
func dots(rows []int8, query []int16, out []int32) {
	if !hasAVX2 || len(out) == 0 {
		dotsGeneric(rows, query, out)
		return
	}
	_ = rows[len(out)*len(query)-1]
	dotsAVX2(&rows[0], len(query), len(out), &query[0], &out[0])
}

//go:noescape
func dotsAVX2(rows *int8, stride, n int, query *int16, out *int32)
