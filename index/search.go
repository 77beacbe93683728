package index

import (
	"cmp"
	"context"
	"math"
	"slices"

	"semblance"
)

// The search has two passes. The first computes, for every row a and the query q,
//
//	key = bias - a·q    (bias 0 for cosine, |a|²/2 for euclid)
//
// in float32. The distance rises with the key: cosine is 1 + key, cut off at 0, and
// euclid the root of 2 key + |q|². The second ranks by the definition those rows that
// the first cannot rule out.
//
// A dot product of n terms in float32, in any order, with or without fused
// operations, is off by at most g·Σ|a_i q_i| ≤ g·|a||q|, where g = n·u/(1-n·u) and
// u = 2⁻²⁴ (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). The bias and
// the subtraction add a few roundings of values no larger than (|a|+|q|)². Hence with
//
//	e = (n+8)·2⁻²³·(longest + |q|)²
//
// every computed key is within e of the true one, with a factor of two to spare,
// which also covers the roundings of the definition's float64; an absolute term covers underflow. If t is the k-th
// smallest of the subjects' smallest computed keys, k subjects have a true key of at
// most t+e, so that a row of the answer has one of at most t+e, and a computed one of
// at most t+2e. Likewise a subject's nearest row is within 2e of its smallest
// computed key. Cosine keys below -1 are all distance 0 and are cut off at -1 before
// they are compared, or ties would be lost.

// blockFloats is how many floats of rows are compared with all queries before the
// next ones are loaded: 128 KiB, well inside a second-level cache.
const blockFloats = 32 << 10

// groupQueries is how many queries go through the rows together. More need more
// memory for keys and gain nothing: the rows come from the cache by then.
const groupQueries = 16

// tooLong is the length from which float32 keys could overflow.
const tooLong = 1e15

// search runs a query that has been checked.
func search(ctx context.Context, q semblance.VectorQuery, shelves []heldShelf, w *workspace) ([][]semblance.Neighbor, error) {
	out := make([][]semblance.Neighbor, len(q.Vectors))
	for first := 0; first < len(q.Vectors); first += groupQueries {
		last := min(first+groupQueries, len(q.Vectors))
		for _, s := range shelves {
			if err := s.collect(ctx, w, q, first, out[first:last]); err != nil {
				return nil, err
			}
		}
	}
	for i := range out {
		slices.SortFunc(out[i], byDistance)
		out[i] = out[i][:min(len(out[i]), q.Subjects)]
	}
	return out, nil
}

// byDistance orders neighbors nearest first, ties by ID.
func byDistance(a, b semblance.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Collection, b.Collection))
}

// A workspace is what a search needs for a while.
type workspace struct {
	keys [groupQueries][]float32
	best []float32
	heap []float32
}

// collect appends to out, for each query from first on, what of the shelf can be in
// the answer, every subject once.
func (s heldShelf) collect(ctx context.Context, w *workspace, q semblance.VectorQuery, first int, out [][]semblance.Neighbor) error {
	queries := q.Vectors[first : first+len(out)]
	if err := s.pass(ctx, w, queries); err != nil {
		return err
	}
	for i, v := range queries {
		if err := ctx.Err(); err != nil {
			return err
		}
		out[i] = s.rank(w, q, v, w.keys[i], out[i])
	}
	return nil
}

// pass fills the keys of every query, block by block of rows.
func (s *shelf) pass(ctx context.Context, w *workspace, queries [][]float32) error {
	n := len(s.ids)
	for i := range queries {
		w.keys[i] = slices.Grow(w.keys[i][:0], n)[:n]
	}
	step := max(1, blockFloats/s.dims)
	for from := 0; from < n; from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+step, n)
		for i, v := range queries {
			s.fill(w.keys[i], v, from, to)
		}
	}
	return nil
}

// fill computes the keys of rows from to to.
func (s *shelf) fill(keys []float32, v []float32, from, to int) {
	for i := from; i < to; i++ {
		k := -dot(s.row(i), v)
		if s.euclid {
			k += s.bias[i]
		} else {
			k = max(k, -1)
		}
		keys[i] = k
	}
}

// rank appends the shelf's nearest subjects of one query by the definition.
func (s heldShelf) rank(w *workspace, q semblance.VectorQuery, v []float32, keys []float32, out []semblance.Neighbor) []semblance.Neighbor {
	w.best = slices.Grow(w.best[:0], len(s.names))[:len(s.names)]
	for i := range w.best {
		w.best[i] = float32(math.Inf(1))
	}
	for i, k := range keys {
		if b := &w.best[s.subjects[i]]; k < *b {
			*b = k
		}
	}
	slack := 2 * s.bound(v)
	limit := float64(w.smallest(q.Subjects)) + slack
	at := map[int32]int{} // subject -> position in out
	for i, k := range keys {
		subject := s.subjects[i]
		best := float64(w.best[subject])
		if best > limit || float64(k) > best+slack { // false for what is not a number
			continue
		}
		n := semblance.Neighbor{ID: s.ids[i], Collection: s.collection, Subject: s.names[subject], Distance: q.Space.Metric.Distance(s.row(i), v)}
		j, ok := at[subject]
		switch {
		case !ok:
			at[subject] = len(out)
			out = append(out, n)
		case byDistance(n, out[j]) < 0:
			out[j] = n
		}
	}
	return out
}

// bound returns e of the proof above, infinite where it does not hold.
func (s *shelf) bound(v []float32) float64 {
	length := s.longest + math.Sqrt(squaredLength(v))
	if length > tooLong {
		return math.Inf(1)
	}
	const underflow = 0x1p-120 // what products below float32's range lose, generously
	return float64(s.dims+8) * (0x1p-23*length*length + underflow)
}

// smallest returns the k-th smallest of best, infinity when there are not so many.
func (w *workspace) smallest(k int) float32 {
	if k >= len(w.best) {
		return float32(math.Inf(1))
	}
	h := w.heap[:0] // the k smallest so far, in order
	for _, b := range w.best {
		if len(h) == k && !(b < h[k-1]) {
			continue
		}
		at, _ := slices.BinarySearch(h, b)
		if len(h) == k {
			h = h[:k-1]
		}
		h = slices.Insert(h, at, b)
	}
	w.heap = h
	return h[k-1]
}

// dot is the inner product in float32. Four sums keep the processor's adders busy.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}
