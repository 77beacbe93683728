//go:build !cgo || !native

package detector

func sumRows(sums []uint32, rows []byte, stride int, n int32, head, tail uint32) {
	sumRowsGo(sums, rows, stride, n, head, tail)
}

func squeezePlanes(out *[3][]float32, line []uint64, sums []uint32, columns []span, norm float64, most int64) {
	squeezePlanesGo(out, line, sums, columns, norm, most)
}

func shrinkRow(out, line, rows []float32, stride, count, step int) {
	shrinkRowGo(out, line, rows, stride, count, step)
}
