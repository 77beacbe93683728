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

// squeezePlanesGo is squeezeGo, times norm, as planes of red, green and blue. No
// result exceeds most; line has room for three values a column.
func squeezePlanesGo(out *[3][]float32, line []uint64, sums []uint32, columns []span, norm float64, _ int64) {
	squeezeGo(line, sums, columns)
	red, green, blue := out[0], out[1], out[2]
	for i := range columns {
		// int64, because converting it takes one instruction; no sum reaches its sign
		red[i], green[i], blue[i] = float32(float64(int64(line[3*i]))*norm), float32(float64(int64(line[3*i+1]))*norm), float32(float64(int64(line[3*i+2]))*norm)
	}
}

// shrinkRowGo sets out to the mean of step by step values of count rows, the first
// of which starts at rows[0] and each next one stride values on; what is missing
// counts as black. line has room for a row, and its length is a row's.
func shrinkRowGo(out, line, rows []float32, stride, count, step int) {
	copy(line, rows)
	for j := 1; j < count; j++ {
		for x, v := range rows[j*stride:][:len(line)] {
			line[x] += v
		}
	}
	all := float32(step * step)
	for i := range out {
		sum := float32(0)
		for _, v := range line[i*step : min((i+1)*step, len(line))] {
			sum += v
		}
		out[i] = sum / all
	}
}
