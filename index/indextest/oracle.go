package indextest

import (
	"cmp"
	"iter"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"semblance"
)

// An oracle is what an index should hold, by collection.
type oracle map[semblance.CollectionID][]semblance.VectorEntry

// search is the definition of a search of one vector.
func (o oracle) search(space semblance.EngineSpec, v []float32, subjects int, in ...semblance.CollectionID) []semblance.Neighbor {
	return o.answer(semblance.VectorQuery{Space: space, Collections: in, Subjects: subjects}, v)
}

// answer is the definition of a query's answer to one vector.
func (o oracle) answer(q semblance.VectorQuery, v []float32) []semblance.Neighbor {
	type person struct {
		c semblance.CollectionID
		s string
	}
	best := map[person]semblance.Neighbor{}
	for _, c := range q.Collections {
		for _, e := range o[c] {
			if !dated(q, e.Captured) {
				continue
			}
			n := semblance.Neighbor{ID: e.ID, Collection: c, Subject: e.Subject, Distance: q.Space.Metric.Distance(e.Vector, v)}
			if b, ok := best[person{c, e.Subject}]; !ok || byDistance(n, b) < 0 {
				best[person{c, e.Subject}] = n
			}
		}
	}
	var out []semblance.Neighbor
	for _, n := range best {
		out = append(out, n)
	}
	slices.SortFunc(out, byDistance)
	return out[:min(q.Subjects, len(out))]
}

// dated is the definition of a query's bounds on days.
func dated(q semblance.VectorQuery, day int32) bool {
	from, to := int64(q.From), int64(q.To)
	if from == 0 && to == 0 {
		return true
	}
	if from == 0 {
		from = math.MinInt64
	}
	if to == 0 {
		to = math.MaxInt64
	}
	return day == 0 && q.Undated || day != 0 && from <= int64(day) && int64(day) <= to
}

func byDistance(a, b semblance.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
}

// put adds entries, replacing those of the same ID.
func (o oracle) put(c semblance.CollectionID, entries ...semblance.VectorEntry) {
	for _, e := range entries {
		i := slices.IndexFunc(o[c], func(h semblance.VectorEntry) bool { return h.ID == e.ID })
		if i < 0 {
			o[c] = append(o[c], e)
		} else {
			o[c] = slices.Clone(o[c])
			o[c][i] = e
		}
	}
}

// remove takes entries away.
func (o oracle) remove(c semblance.CollectionID, ids ...semblance.ReferenceID) {
	o[c] = slices.DeleteFunc(slices.Clone(o[c]), func(e semblance.VectorEntry) bool { return slices.Contains(ids, e.ID) })
}

// A hashOracle is what a hash index should hold, by collection.
type hashOracle map[semblance.CollectionID][]semblance.HashEntry

// search is the definition of a search of one value.
func (o hashOracle) search(q semblance.HashQuery, value []byte) []semblance.HashNeighbor {
	var out []semblance.HashNeighbor
	for _, c := range q.Collections {
		for _, e := range o[c] {
			if e.Algorithm != q.Algorithm {
				continue
			}
			if d := hamming(e.Value, value); d <= q.Radius {
				out = append(out, semblance.HashNeighbor{Entry: e.ID, Collection: c, Distance: d})
			}
		}
	}
	slices.SortFunc(out, func(a, b semblance.HashNeighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
	})
	return out
}

// change is the definition of a change.
func (o hashOracle) change(c semblance.CollectionID, change semblance.HashChange) {
	held := map[semblance.EntryID]semblance.HashEntry{}
	for _, e := range o[c] {
		held[e.ID] = e
	}
	for _, id := range change.Remove {
		delete(held, id)
	}
	for _, e := range change.Add {
		held[e.ID] = e
	}
	o[c] = slices.SortedFunc(maps.Values(held), func(a, b semblance.HashEntry) int { return cmp.Compare(a.ID, b.ID) })
}

func hamming(a, b []byte) int {
	d := 0
	for i := range a {
		d += bits.OnesCount8(a[i] ^ b[i])
	}
	return d
}

// each yields entries and then, when it is not nil, err.
func each[E any](entries []E, err error) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			var none E
			yield(none, err)
		}
	}
}

// unit returns a vector of length 1 that points anywhere.
func unit(r *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return normalize(v)
}

// beside returns a vector of length 1 near another.
func beside(r *rand.Rand, v []float32, spread float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = v[i] + float32(r.NormFloat64()*spread/math.Sqrt(float64(len(v))))
	}
	return normalize(out)
}

func normalize(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// flip returns a copy of a value with n different bits turned.
func flip(r *rand.Rand, value []byte, n int) []byte {
	out := slices.Clone(value)
	for _, b := range r.Perm(len(value) * 8)[:n] {
		out[b/8] ^= 1 << (b % 8)
	}
	return out
}

func randomValue(r *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}
