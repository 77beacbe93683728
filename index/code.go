package index

import (
	"math"

	"semblance"
)

// codeAlign is what the length of a coded row is a multiple of: two loads of the
// kernel.
const codeAlign = 32

// stride returns the length of a coded row.
func stride(dims int) int { return (dims + codeAlign - 1) / codeAlign * codeAlign }

// encode appends a vector as whole numbers of at most limit times a scale, padded
// with zeros, and returns the scale and the length of what was rounded off:
// |v - scale·code|, rounded up.
func encode[T int8 | int16](codes []T, v []float32, limit float64) ([]T, float32, float32) {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x)))
	}
	scale := float32(largest / limit)
	rest := 0.0
	for _, x := range v {
		code := 0.0
		if scale > 0 {
			code = max(-limit, min(limit, math.RoundToEven(float64(x)/float64(scale))))
		}
		d := float64(x) - float64(scale)*code
		rest += d * d
		codes = append(codes, T(code))
	}
	for range stride(len(v)) - len(v) {
		codes = append(codes, 0)
	}
	return codes, scale, float32(math.Sqrt(rest) * (1 + 1e-6))
}

const rowLimit = 127

// queryLimit is the largest number of a coded query. Sums of products stay below
// 2³¹.
func queryLimit(dims int) float64 {
	return math.Floor(min(math.MaxInt16/2, math.MaxInt32/float64(rowLimit*stride(dims))))
}

// A codedQuery is a query as the first pass uses it, with what bounds its error.
type codedQuery struct {
	codes []int16
	scale float32
	// A key is off by at most perRest·rest + base, where rest is the row's.
	perRest, base float32
}

// code prepares a query for a shelf; see search.go for the bound.
func (s *shelf) code(v []float32, buffer []int16) codedQuery {
	var q codedQuery
	var rest float32
	q.codes, q.scale, rest = encode(buffer[:0], v, queryLimit(s.dims))
	length := math.Sqrt(squaredLength(v))
	if length < 1/tooLong || s.longest+length > tooLong {
		q.base = float32(math.Inf(1))
		return q
	}
	both := s.longest + length
	q.perRest = float32((length + float64(rest)) * (1 + 1e-5))
	q.base = float32((s.longest*float64(rest) + 0x1p-20*both*both) * (1 + 1e-5))
	return q
}

// dotsGeneric is dots in plain Go.
func dotsGeneric(rows []int8, query []int16, out []int32) {
	for i := range out {
		row := rows[i*len(query) : (i+1)*len(query)]
		var s0, s1, s2, s3 int32
		q := query
		for len(row) >= 4 && len(q) >= 4 {
			s0 += int32(row[0]) * int32(q[0])
			s1 += int32(row[1]) * int32(q[1])
			s2 += int32(row[2]) * int32(q[2])
			s3 += int32(row[3]) * int32(q[3])
			row, q = row[4:], q[4:]
		}
		out[i] = s0 + s1 + s2 + s3
	}
}

// coded is a row's share of a shelf's codes.
type coded struct {
	codes  []int8    // rows of stride(dims)
	scales []float32 // of each row
	rests  []float32 // of each row, what encode rounded off
	bias   []float32 // of each row, half its squared length for euclid, 0 for cosine
}

// append adds a row.
func (c *coded) append(v []float32, metric semblance.Metric) {
	var scale, rest float32
	c.codes, scale, rest = encode(c.codes, v, rowLimit)
	c.scales, c.rests = append(c.scales, scale), append(c.rests, rest)
	c.bias = append(c.bias, bias(v, metric))
}

// set overwrites a row.
func (c *coded) set(row int, v []float32, metric semblance.Metric) {
	width := stride(len(v))
	_, c.scales[row], c.rests[row] = encode(c.codes[row*width:row*width], v, rowLimit)
	c.bias[row] = bias(v, metric)
}

func bias(v []float32, metric semblance.Metric) float32 {
	if metric == semblance.Euclid {
		return float32(squaredLength(v) / 2)
	}
	return 0
}
