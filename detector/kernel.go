package detector

// The loops that touch every pixel of a frame. kernel.c has the same in C; both
// work on whole numbers, so they agree to the last bit.

// addRowGo adds weight times each byte of row to sums, which is as long.
func addRowGo(sums []uint32, row []byte, weight uint32) {
	sums = sums[:len(row)]
	for i, v := range row {
		sums[i] += weight * uint32(v)
	}
}

// squeezeGo adds up the columns of each output pixel, three values a pixel. A
// column with weight whole counts shifted by 8 bits.
func squeezeGo(out []uint64, sums []uint32, columns []span) {
	for i := range columns {
		c := &columns[i]
		o := out[3*i : 3*i+3]
		if c.n == 0 {
			clear(o)
			continue
		}
		p := sums[3*int(c.first) : 3*int(c.first+c.n)]
		last := len(p) - 3
		for ch := range o {
			inner := uint64(0)
			for j := 3 + ch; j < last; j += 3 {
				inner += uint64(p[j])
			}
			o[ch] = uint64(c.head)*uint64(p[ch]) + inner*whole
			if last > 0 {
				o[ch] += uint64(c.tail) * uint64(p[last+ch])
			}
		}
	}
}
