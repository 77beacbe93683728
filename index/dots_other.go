//go:build !amd64 || noasm

package index

// dots sets out[i] to the inner product of the i-th row and the query.
func dots(rows []int8, query []int16, out []int32) { dotsGeneric(rows, query, out) }
