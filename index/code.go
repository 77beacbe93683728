package index

import "math"

// Rows are coded in whole numbers of -rowLimit to rowLimit times a scale of each row.
// They are stored with rowZero added, as bytes without sign, because the processor's
// instruction for such sums wants one side without.
const (
	rowLimit = 127
	rowZero  = 128
)

// The codes of blockRows rows lie together, four numbers of the first row, four of the
// second and so on, then the next four of each: what a register compares at once with
// one query lies side by side, and no sum runs across a register.
const (
	blockRows  = 64
	chunkDims  = 4
	chunkBytes = blockRows * chunkDims
)

// chunksOf returns how many chunks the codes of a row have.
func chunksOf(dims int) int { return (dims + chunkDims - 1) / chunkDims }

// blocksOf returns how many blocks hold a number of rows.
func blocksOf(rows int) int { return (rows + blockRows - 1) / blockRows }

// codeAt returns where the first code of a row's chunk is.
func codeAt(row, chunks, chunk int) int {
	return (row/blockRows*chunks+chunk)*chunkBytes + row%blockRows*chunkDims
}

// scaleOf returns the scale that brings the largest number of a vector to limit.
func scaleOf(v []float64, limit float64) float32 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(x))
	}
	return float32(largest / limit)
}

// encode calls put with the whole number of each number of a vector, at most limit,
// and returns the length of what was rounded off, |v - scale·code|, rounded up.
func encode(v []float64, scale float32, limit float64, put func(i, code int)) float32 {
	rest := 0.0
	for i, x := range v {
		code := 0.0
		if scale > 0 {
			code = max(-limit, min(limit, math.RoundToEven(x/float64(scale))))
		}
		d := x - float64(scale)*code
		rest += d * d
		put(i, int(code))
	}
	return float32(math.Sqrt(rest) * (1 + 1e-6))
}

// minus returns a vector as seen from a center.
func minus(v, center []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x) - float64(center[i])
	}
	return out
}

func squaredLength(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return sum
}

// fineLimit is the largest number of a finely coded query.
const fineLimit = 1 << 14

// A query is a vector as both passes use it in a tray: seen from the tray's center for
// euclid, as it is for cosine.
type query struct {
	length float64
	shift  float32 // what all keys of the tray have in common; see search.go
	coarse coded[int8]
	fine   coded[int16]
}

// A coded is a vector in whole numbers times a scale.
type coded[T int8 | int16] struct {
	codes []T // padded with zeros to whole chunks
	sum   int // of the codes
	scale float32
	rest  float32 // length of what was rounded off
}

// query codes a vector for a tray.
func (t *tray) query(v []float32) *query {
	w, shift := minus(v, t.center), 0.0
	if t.Metric == cosineMetric {
		for i, x := range v {
			w[i] = float64(x)
			shift -= float64(t.center[i]) * w[i]
		}
	} else {
		shift = squaredLength(w) / 2
	}
	return &query{length: math.Sqrt(squaredLength(w)), shift: float32(shift), coarse: code[int8](w, rowLimit), fine: code[int16](w, fineLimit)}
}

func code[T int8 | int16](v []float64, limit float64) coded[T] {
	c := coded[T]{codes: make([]T, chunksOf(len(v))*chunkDims), scale: scaleOf(v, limit)}
	c.rest = encode(v, c.scale, limit, func(i, code int) {
		c.codes[i] = T(code)
		c.sum += code
	})
	return c
}

// A bound says how far keys of a tray can be from the truth for a query.
type bound struct {
	slack    float32 // of the first pass, in units of a row's scale
	coarse   float32 // of the first pass besides
	perRest  float32 // of the second pass, in units of a row's rest
	fine     float32 // of the second pass besides
	scale    float32 // of the finely coded query
	minusSum int64   // what makes up for the codes' being without sign
}

// bound returns what bounds the error of keys of a tray; see search.go.
func (t *tray) bound(q *query) bound {
	b := bound{scale: q.fine.scale, minusSum: -rowZero * int64(q.fine.sum)}
	if q.length < 1/tooLong || t.Longest+q.length > tooLong {
		infinite := float32(math.Inf(1))
		b.coarse, b.fine = infinite, infinite
		return b
	}
	both := (t.Longest + q.length) * (t.Longest + q.length)
	b.slack = float32(float64(t.Worst) * (q.length + float64(q.coarse.rest)) * (1 + 1e-5))
	b.coarse = float32((t.Longest*float64(q.coarse.rest) + 0x1p-18*both) * (1 + 1e-5))
	b.perRest = float32((q.length + float64(q.fine.rest)) * (1 + 1e-5))
	b.fine = float32((t.Longest*float64(q.fine.rest) + 0x1p-19*both) * (1 + 1e-5))
	return b
}

// estimate returns a row's key by the finely coded query, and how far it can be off.
func (t *tray) estimate(row int, q *query, b *bound) (key, off float32) {
	sum, chunks := b.minusSum, chunksOf(int(t.Dims))
	codes, fine := t.codes[codeAt(row, chunks, 0):], q.fine.codes
	for c := range chunks {
		u, f := codes[c*chunkBytes:][:chunkDims], fine[c*chunkDims:][:chunkDims]
		sum += int64(u[0])*int64(f[0]) + int64(u[1])*int64(f[1]) + int64(u[2])*int64(f[2]) + int64(u[3])*int64(f[3])
	}
	key = t.bias[row] - float32(float32(sum)*float32(t.scales[row]*b.scale)) + q.shift
	return key, float32(b.perRest*t.rests[row]) + b.fine
}
