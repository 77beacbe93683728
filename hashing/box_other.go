//go:build !amd64 || noasm

package hashing

func boxAlong(enter, leave []oct, size float32, sum *oct, out [rowsAtOnce][]float32, from int) {
	boxAlongGeneric(enter, leave, size, sum, out, from)
}

func slide(sum *oct, enter, leave []oct) { slideGeneric(sum, enter, leave) }

func boxDown(out []oct, sum []float32, size float32, enter, leave [rowsAtOnce][]float32) {
	boxDownGeneric(out, sum, size, &enter, &leave, 0)
}

func lumaRows(l *lumaTable, dst []oct, rows [rowsAtOnce][]byte) { lumaRowsGeneric(l, dst, &rows, 0) }
