//go:build !cgo

package detector

func addRow(sums []uint32, row []byte, weight uint32) { addRowGo(sums, row, weight) }

func squeeze(out []uint64, sums []uint32, columns []span) { squeezeGo(out, sums, columns) }
