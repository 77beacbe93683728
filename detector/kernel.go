package detector

// addRowGo adds weight times each byte of row to sums, which is as long.
func addRowGo(sums []uint32, row []byte, weight uint32) {
	sums = sums[:len(row)]
	for i, v := range row {
		sums[i] += weight * uint32(v)
	}
}
