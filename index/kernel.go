package index

// tileQueries is how many queries go through a block of rows together.
const tileQueries = 8

// A param is what the first pass knows of a query and a tray. A row goes on to the
// second pass unless
//
//	bias - rowScale·(sum·scale + slack) > limit
//
// where sum is the inner product of the codes. Kernels read it from memory as it lies.
type param struct {
	start int32 // what a sum begins with, to make up for the rows' codes being without sign
	scale float32
	slack float32
	limit float32
}

// A tile is a number of queries packed for the kernels: chunk by chunk, four codes of
// each.
type tile struct {
	n      int // queries in it, 1 to tileQueries
	chunks int
	narrow []int8
	wide   []int16 // the same, the first and third code of a chunk before the second and fourth
}

// newTile packs queries: one for itself, or up to tileQueries.
func newTile(queries []*query) tile {
	t := tile{n: len(queries), chunks: len(queries[0].coarse.codes) / chunkDims}
	width := 1
	if t.n > 1 {
		width = tileQueries
	}
	t.narrow, t.wide = make([]int8, t.chunks*width*chunkDims), make([]int16, t.chunks*width*chunkDims)
	for i, q := range queries {
		for c := range t.chunks {
			from, at := q.coarse.codes[c*chunkDims:][:chunkDims], (c*width+i)*chunkDims
			copy(t.narrow[at:], from)
			for j, k := range [chunkDims]int{0, 2, 1, 3} {
				t.wide[at+j] = int16(from[k])
			}
		}
	}
	return t
}

// sieveGeneric is the kernels in plain Go. It sets bit r of out[b·width+i] when row r of
// block b goes on for the i-th query; width is 1 for a tile of one query and
// tileQueries otherwise. Rows begin at the first of blocks whole blocks.
func sieveGeneric(t *tile, codes []uint8, blocks int, scales, bias []float32, params *[tileQueries]param, out []uint64) {
	width := t.width()
	for b := range blocks {
		for i := range t.n {
			p, mask := &params[i], uint64(0)
			for r := range blockRows {
				sum := p.start
				for c := range t.chunks {
					u := codes[(b*t.chunks+c)*chunkBytes+r*chunkDims:][:chunkDims]
					q := t.narrow[(c*width+i)*chunkDims:][:chunkDims]
					sum += int32(u[0])*int32(q[0]) + int32(u[1])*int32(q[1]) + int32(u[2])*int32(q[2]) + int32(u[3])*int32(q[3])
				}
				// float32() keeps a compiler from fusing: the same bits on every processor.
				x := float32(float32(sum)*p.scale) + p.slack
				y := bias[b*blockRows+r] - float32(scales[b*blockRows+r]*x)
				if !(y > p.limit) { // true for what is not a number
					mask |= 1 << r
				}
			}
			out[b*width+i] = mask
		}
	}
}

func (t *tile) width() int {
	if t.n == 1 {
		return 1
	}
	return tileQueries
}
