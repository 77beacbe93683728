package supplied

// Sketches lie in blocks of blockRows rows: four chunks, each with four bytes of every
// row. A value is padded with zeros to a multiple of valueStep bytes.
const (
	blockRows   = 64
	chunkBytes  = 4
	chunks      = sketchBytes / chunkBytes
	blockSketch = blockRows * sketchBytes
	valueStep   = 16
)

// sketchAt is where chunk c of a row's sketch lies.
func sketchAt(row, c int) int {
	return row/blockRows*blockSketch + (c*blockRows+row%blockRows)*chunkBytes
}

// padded returns the bytes that a value of width bytes takes.
func padded(width int) int { return (width + valueStep - 1) / valueStep * valueStep }

// sieveGeneric is the first kernel in plain Go: it sets bit r of out[b] when the bound of
// row r of block b, Σ min(max(0, d-1), maxStep)², is not above the limit.
func sieveGeneric(sketches []byte, query *[sketchBytes]byte, limit uint32, out []uint64) {
	for b := range out {
		mask := uint64(0)
		for r := range blockRows {
			sum := uint32(0)
			for c := range chunks {
				at := b*blockSketch + (c*blockRows+r)*chunkBytes
				for i, v := range sketches[at : at+chunkBytes] {
					d := int(v) - int(query[c*chunkBytes+i])
					step := uint32(min(max(max(d, -d)-1, 0), maxStep))
					sum += step * step
				}
			}
			if sum <= limit {
				mask |= 1 << r
			}
		}
		out[b] = mask
	}
}

// squaredGeneric is the second kernel in plain Go: the squared Euclidean distances of some
// rows of padded values to one. The rows are rows of values.
func squaredGeneric(values []byte, rows []int32, query []byte, out []int32) {
	for i, row := range rows {
		sum := int32(0)
		for k, v := range values[int(row)*len(query):][:len(query)] {
			d := int32(v) - int32(query[k])
			sum += d * d
		}
		out[i] = sum
	}
}
