package detector

// The loops that touch every pixel of a frame. kernel.c has the same in C; both
// work on whole numbers, so they agree to the last bit.

// sumRowsGo sets sums to the weighted sum of n rows, the first of which starts at
// rows[0] and each next one stride bytes on: the first with weight head, the last,
// when there are two or more, with tail, those between with weight whole.
func sumRowsGo(sums []uint32, rows []byte, stride int, n int32, head, tail uint32) {
	for i := range sums {
		s := head * uint32(rows[i])
		for j := 1; j+1 < int(n); j++ {
			s += uint32(rows[j*stride+i]) * whole
		}
		if n > 1 {
			s += tail * uint32(rows[int(n-1)*stride+i])
		}
		sums[i] = s
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
