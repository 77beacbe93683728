package index

import (
	"cmp"
	"context"
	"math"
	"slices"

	"semblance"
)

// The search has two passes. The first computes, for every row a and the query q, an
// estimate of
//
//	key = bias - a·q    (bias 0 for cosine, |a|²/2 for euclid)
//
// from rows of 8-bit numbers. The distance rises with the key: cosine is 1 + key, cut
// off at 0, and euclid the root of 2 key + |q|². The second ranks by the definition
// those rows that the first cannot rule out.
//
// Let a = a' + r and q = q' + p, where a' and q' are the coded vectors times their
// scales. a'·q' is computed in whole numbers, without error, and by Cauchy-Schwarz
//
//	|a·q - a'·q'| = |r·q' + a·p| ≤ |r||q'| + |a||p| ≤ |r|(|q|+|p|) + longest·|p|.
//
// |r| is kept of each row. Scaling, bias and differences are a handful of float32
// operations on values no larger than L = (longest+|q|)², each off by 2⁻²⁴ of that at
// most; 2⁻²⁰·L covers them, and the definition's own float64 roundings. So a key is
// off by at most e = perRest·|r| + base (codedQuery), as long as nothing overflows or
// vanishes, which lengths between 1/tooLong and tooLong exclude; beyond, e is infinite
// and every row is ranked.
//
// Let up be the smallest key+e of a subject's rows, and t the k-th smallest up of all
// subjects. k subjects have a row with a true key of at most t. A row of the answer is
// nearest of its subject, so its true key is at most that subject's up, and at most t;
// its key-e is at most both. No other row needs ranking. Cosine keys below -1 all are
// distance 0, so up is at least -1, or rows that tie with the nearest would be lost.

// blockBytes is how many bytes of rows are compared with all queries before the
// next ones are loaded: they stay in the second-level cache.
const blockBytes = 64 << 10

// groupQueries is how many queries go through the rows together. More need more
// memory for keys and gain nothing: the rows come from the cache by then.
const groupQueries = 16

// tooLong is the length from which float32 could overflow.
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
	queries [groupQueries]codedQuery
	keys    [groupQueries][]float32
	dots    []int32
	ups     []float32
	least   []float32
}

// collect appends to out, for each query from first on, what of the shelf can be in
// the answer, every subject once.
func (s heldShelf) collect(ctx context.Context, w *workspace, q semblance.VectorQuery, first int, out [][]semblance.Neighbor) error {
	queries := q.Vectors[first : first+len(out)]
	for i, v := range queries {
		w.queries[i] = s.code(v, w.queries[i].codes)
	}
	if err := s.pass(ctx, w, len(queries)); err != nil {
		return err
	}
	for i, v := range queries {
		if err := ctx.Err(); err != nil {
			return err
		}
		t := s.bound(w, i, q)
		out[i] = s.rank(w, i, v, t, q, out[i])
	}
	return nil
}

// pass fills the keys of n coded queries, block by block of rows.
func (s *shelf) pass(ctx context.Context, w *workspace, n int) error {
	for i := range n {
		w.keys[i] = slices.Grow(w.keys[i][:0], len(s.ids))[:len(s.ids)]
	}
	step := max(1, blockBytes/stride(s.dims))
	w.dots = slices.Grow(w.dots[:0], step)[:step]
	for from := 0; from < len(s.ids); from += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+step, len(s.ids))
		for i := range n {
			s.fill(w.keys[i][from:to], &w.queries[i], w.dots[:to-from], from)
		}
	}
	return nil
}

// fill computes the keys of rows from from on.
func (s *shelf) fill(keys []float32, q *codedQuery, sums []int32, from int) {
	width := stride(s.dims)
	dots(s.coded.codes[from*width:(from+len(keys))*width], q.codes, sums)
	scales := s.coded.scales[from:][:len(keys)]
	bias := s.coded.bias[from:][:len(keys)]
	for i, d := range sums[:len(keys)] {
		keys[i] = bias[i] - float32(d)*(scales[i]*q.scale)
	}
}

// bound fills the ups of all subjects for the i-th query and returns the k-th
// smallest.
func (s *shelf) bound(w *workspace, i int, asked semblance.VectorQuery) float32 {
	w.ups = slices.Grow(w.ups[:0], len(s.names))[:len(s.names)]
	for j := range w.ups {
		w.ups[j] = float32(math.Inf(1))
	}
	lowest := float32(math.Inf(-1))
	if s.metric == semblance.Cosine {
		lowest = -1
	}
	q, keys := &w.queries[i], w.keys[i]
	rests, subjects := s.coded.rests[:len(keys)], s.subjects[:len(keys)]
	for j, key := range keys {
		if !asked.Covers(s.days[j]) {
			continue
		}
		up := max(key+(q.perRest*rests[j]+q.base), lowest)
		if p := &w.ups[subjects[j]]; up < *p {
			*p = up
		}
	}
	return w.smallest(asked.Subjects)
}

// smallest returns the k-th smallest of the ups, infinity when there are fewer.
func (w *workspace) smallest(k int) float32 {
	if k >= len(w.ups) {
		return float32(math.Inf(1))
	}
	least := w.least[:0] // the k smallest so far, in order
	for _, up := range w.ups {
		if len(least) == k {
			if !(up < least[k-1]) {
				continue
			}
			least = least[:k-1]
		}
		at, _ := slices.BinarySearch(least, up)
		least = slices.Insert(least, at, up)
	}
	w.least = least
	return least[k-1]
}

// rank appends, of the rows that are not ruled out for the i-th query, each
// subject's nearest by the definition.
func (s heldShelf) rank(w *workspace, i int, v []float32, t float32, asked semblance.VectorQuery, out []semblance.Neighbor) []semblance.Neighbor {
	q, keys := &w.queries[i], w.keys[i]
	rests := s.coded.rests[:len(keys)]
	at := map[int32]int{} // subject -> position in out
	for j, key := range keys {
		low := key - (q.perRest*rests[j] + q.base)
		if low > t || low > w.ups[s.subjects[j]] || !asked.Covers(s.days[j]) { // false for what is not a number
			continue
		}
		subject := s.subjects[j]
		n := semblance.Neighbor{ID: s.ids[j], Collection: s.collection, Subject: s.names[subject], Distance: s.metric.Distance(s.row(j), v)}
		p, ok := at[subject]
		switch {
		case !ok:
			at[subject] = len(out)
			out = append(out, n)
		case byDistance(n, out[p]) < 0:
			out[p] = n
		}
	}
	return out
}
