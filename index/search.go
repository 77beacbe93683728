package index

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"

	"semblance"
)

// A search has two passes. The first looks at an estimate of
//
//	key = -a·q for cosine, |a-q|²/2 for euclid
//
// of every row a and the query q, from rows of 8-bit numbers. The distance rises with the
// key: cosine is 1 + key, cut off at 0, and euclid the root of 2 key. The second ranks by
// the definition those rows that the first cannot rule out.
//
// Rows are coded as seen from their tray's center c, b = a - c. Then
//
//	key = bias - b·w + shift
//
// with bias 0, w = q, shift -c·q for cosine, and bias |b|²/2, w = q - c, shift |w|²/2 for
// euclid. Let b = b' + r and w = w' + p, where b' and w' are the coded vectors times
// their scales. b'·w' is computed in whole numbers, without error, and by Cauchy-Schwarz
//
//	|b·w - b'·w'| = |r·w' + b·p| ≤ |r||w'| + |b||p| ≤ |r|(|w|+|p|) + longest·|p|.
//
// |r| is kept of each row. Scaling, bias, shift and differences are a handful of float32
// operations on values no larger than 2L, L = (longest+|w|)², each off by 2⁻²⁴ of that
// at most (|c·q| is below L too, since cosine vectors have length 1). 2⁻¹⁹·L covers the eight of
// an estimate, 2⁻¹⁸·L those of the kernels, and the definition's own float64 roundings with
// them: its differences are those of float32 numbers, rounded once. A limit far above L, from another
// tray, is off by more, but rules nothing out here. So a key is off by at
// most e, as long as nothing overflows or vanishes, which lengths between 1/tooLong and
// tooLong exclude; beyond, e is infinite and every row is ranked. tray.bound computes e,
// twice: the kernels use a query of 8 bits and, instead of |r|, the tray's largest |r|
// in units of a row's scale, so that they read nothing of a row but its codes, scale and
// bias; rows that pass them are estimated again with a query of 15 bits and their own |r|.
//
// Let up be key+e of a row. If k subjects have rows with an up of at most t, then no row
// whose key-e is larger than t can be in the answer: k subjects are nearer than its own
// would be by it, or its subject has a nearer row. That holds for any rows that were seen
// so far, so t can fall while the rows go by (top), and what one lane learns holds for
// the others (goal.limit). A row with key-e of at most t is kept until all have gone by,
// unless its subject has a row that is nearer for certain. Cosine keys below -1 all are
// distance 0, so up is at least -1, or rows that tie with the nearest would be lost.
// Rows that are gone or whose day was not asked for count for nothing.

// tooLong is the length from which float32 could overflow.
const tooLong = 1e15

const (
	// groupQueries is how many queries go through the rows together. Their codes and
	// thresholds should stay in the second-level cache.
	groupQueries = 256
	// groupSubjects bounds queries times subjects asked for of a group.
	groupSubjects = 1 << 18
)

// A heldShelf is a shelf of a search with its collection.
type heldShelf struct {
	collection semblance.CollectionID
	*shelf
}

// A goal is a query under way with what all lanes know of it.
type goal struct {
	vector []float32
	limit  atomic.Uint32 // bits of the smallest t that a lane found
}

func (g *goal) lower(t float32) {
	for {
		old := g.limit.Load()
		if !(t < math.Float32frombits(old)) || g.limit.CompareAndSwap(old, math.Float32bits(t)) {
			return
		}
	}
}

// A searcher is a search of a group of queries.
type searcher struct {
	asked   semblance.VectorQuery
	shelves []heldShelf
	kernel  string
	goals   []goal
	parts   []part
	lanes   []*lane
}

// search runs a query that has been checked.
func search(ctx context.Context, q semblance.VectorQuery, shelves []heldShelf, kernel string, lanes int) ([][]semblance.Neighbor, error) {
	out := make([][]semblance.Neighbor, len(q.Vectors))
	group := max(1, min(groupQueries, groupSubjects/q.Subjects))
	for first := 0; first < len(q.Vectors); first += group {
		last := min(first+group, len(q.Vectors))
		s := newSearcher(q, q.Vectors[first:last], shelves, kernel, lanes)
		if err := s.run(ctx, out[first:last]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newSearcher(q semblance.VectorQuery, vectors [][]float32, shelves []heldShelf, kernel string, lanes int) *searcher {
	s := &searcher{asked: q, shelves: shelves, kernel: kernel, goals: make([]goal, len(vectors)), parts: partsOf(shelves)}
	for i, v := range vectors {
		s.goals[i].vector = v
		s.goals[i].limit.Store(math.Float32bits(float32(math.Inf(1))))
	}
	for range max(1, min(lanes, len(s.parts))) {
		s.lanes = append(s.lanes, newLane(s))
	}
	return s
}

// run searches the rows and then ranks, in lanes.
func (s *searcher) run(ctx context.Context, out [][]semblance.Neighbor) error {
	var next atomic.Int64
	err := parallel(len(s.lanes), func(i int) error {
		for {
			p := int(next.Add(1)) - 1
			if p >= len(s.parts) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.lanes[i].scan(s.parts[p]); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	next.Store(0)
	return parallel(len(s.lanes), func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(s.goals) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			var err error
			if out[i], err = s.rank(i); err != nil {
				return err
			}
		}
	})
}

// rank returns the answer to a query from what the lanes kept.
func (s *searcher) rank(i int) ([]semblance.Neighbor, error) {
	all := top{k: s.asked.Subjects}
	for _, l := range s.lanes {
		for _, seen := range l.tops[i].heap {
			all.add(seen.who, seen.up)
		}
	}
	t := min(all.limit(), math.Float32frombits(s.goals[i].limit.Load()))
	var out []semblance.Neighbor
	at := map[who]int{} // where a subject is in out
	var whom []who      // of each in out
	for _, l := range s.lanes {
		for _, h := range l.hits[i] {
			if h.low > t || h.low > all.of(h.who) { // false for what is not a number
				continue
			}
			n, err := s.neighbor(h, s.goals[i].vector)
			if err != nil {
				return nil, err
			}
			p, ok := at[h.who]
			switch {
			case !ok:
				at[h.who] = len(out)
				out, whom = append(out, n), append(whom, h.who)
			case byDistance(n, out[p]) < 0:
				out[p] = n
			}
		}
	}
	return s.named(out, whom)
}

// neighbor measures a row by the definition. Its subject is not named yet.
func (s *searcher) neighbor(h hit, v []float32) (semblance.Neighbor, error) {
	shelf := s.shelves[h.who>>32]
	tray := shelf.trays[h.tray]
	n := semblance.Neighbor{Collection: shelf.collection}
	row, err := tray.vector(int(h.row))
	if err == nil {
		n.Distance = shelf.key.metric.Distance(row, v)
		n.ID, err = tray.id(int(h.row))
	}
	return n, err
}

// named orders neighbors, cuts off what was not asked for and names the subjects.
func (s *searcher) named(out []semblance.Neighbor, whom []who) ([]semblance.Neighbor, error) {
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return byDistance(out[a], out[b]) })
	order = order[:min(len(order), s.asked.Subjects)]
	answer := make([]semblance.Neighbor, len(order))
	for i, j := range order {
		answer[i] = out[j]
		var err error
		if answer[i].Subject, err = s.shelves[whom[j]>>32].name(uint32(whom[j])); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// byDistance orders neighbors nearest first, ties by ID.
func byDistance(a, b semblance.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Collection, b.Collection))
}
