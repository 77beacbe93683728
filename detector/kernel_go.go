//go:build !cgo || !native

package detector

func sumRows(sums []uint32, rows []byte, stride int, n int32, head, tail uint32) {
	sumRowsGo(sums, rows, stride, n, head, tail)
}

func squeeze(out []uint64, sums []uint32, columns []span, _ bool) { squeezeGo(out, sums, columns) }
