//go:build !cgo

package detector

func addRow(sums []uint32, row []byte, weight uint32) { addRowGo(sums, row, weight) }
