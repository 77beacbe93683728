package supplied_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/supplied"
)

const photoDNA = hashing.AlgorithmPhotoDNA

// A content is what a version of a collection holds.
type content map[semblance.EntryID]semblance.HashEntry

func (c content) sorted() []semblance.HashEntry {
	var out []semblance.HashEntry
	for _, e := range c {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b semblance.HashEntry) int { return int(a.ID - b.ID) })
	return out
}

// all is the definition: the distance of every value of an algorithm, nothing skipped,
// nearest first.
func (c content) all(a hashing.Algorithm, v []byte) ranked {
	var out ranked
	for _, e := range c {
		if e.Algorithm == a {
			out = append(out, semblance.HashNeighbor{Entry: e.ID, Collection: "c", Distance: a.Metric().Distance(e.Value, v)})
		}
	}
	slices.SortFunc(out, func(x, y semblance.HashNeighbor) int {
		return cmp.Or(cmp.Compare(x.Distance, y.Distance), cmp.Compare(x.Entry, y.Entry))
	})
	return out
}

// A ranked is entries in the order of their distance.
type ranked []semblance.HashNeighbor

// within are those up to a distance.
func (r ranked) within(radius int) []semblance.HashNeighbor {
	n := 0
	for n < len(r) && r[n].Distance <= radius {
		n++
	}
	return r[:n]
}

func each(entries []semblance.HashEntry) iter.Seq2[semblance.HashEntry, error] {
	return func(yield func(semblance.HashEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// structured draws a value as pictures give them: cells that vary together, and many
// near zero.
func structured(r *rand.Rand, width int) []byte {
	v := make([]byte, width)
	level := 0.0
	for i := range v {
		if i%12 == 0 {
			level = max(0, r.NormFloat64()*60+40)
		}
		v[i] = byte(min(255, max(0, level+r.NormFloat64()*20)))
	}
	return v
}

// shifted returns a value at most the given squared distance away, and mostly near it.
func shifted(r *rand.Rand, v []byte, distance int) []byte {
	out := slices.Clone(v)
	left := distance
	for range 40 * len(v) {
		i := r.IntN(len(out))
		d := int(out[i]) - int(v[i])
		if out[i] == 255 || 2*d+1 > left {
			continue
		}
		out[i]++
		left -= 2*d + 1
	}
	return out
}

// compare demands the definition's answers to a value and returns how many entries they
// have.
func compare(t *testing.T, x *supplied.Index, a hashing.Algorithm, all ranked, radius int, value []byte) int {
	t.Helper()
	got, err := x.Search(t.Context(), semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{value}, Radius: radius})
	if err != nil {
		t.Fatal(err)
	}
	want := all.within(radius)
	if !slices.Equal(got[0], want) {
		t.Fatalf("%s within %d of %d: %d found, want %d", a, radius, len(all), len(got[0]), len(want))
	}
	return len(want)
}

// Values lie in the middle of others, exactly at the radius and one beyond.
func TestAgainstBruteForce(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 1000, 100_000} {
		for _, a := range []hashing.Algorithm{photoDNA, "acme/1/squared-euclid-20", "acme/2/hamming-24"} {
			if n > 1000 && a != photoDNA { // one is enough for the large size
				continue
			}
			t.Run(fmt.Sprint(a, "/", n), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(uint64(n), 1))
				width := a.Bits() / 8
				c := content{}
				add := func(v []byte) {
					id := semblance.EntryID(len(c) + 1)
					c[id] = semblance.HashEntry{ID: id, Algorithm: a, Value: v}
				}
				for range n {
					add(structured(r, width))
				}
				probe := structured(r, width)
				radii := []int{0, 1, 100, 5_000, 40_000, 200_000}
				if a.Metric() == hashing.Hamming {
					radii = []int{0, 1, 20, 60}
				}
				if n > 1000 {
					radii = []int{5_000, 40_000}
				}
				for _, radius := range radii {
					if a.Metric() == hashing.SquaredEuclid {
						add(shifted(r, probe, radius))
						add(shifted(r, probe, radius))
					}
				}
				add(probe)
				for id := range semblance.EntryID(min(n, 20)) { // other radii are those of pairs that there are
					radii = append(radii, min(a.Metric().Distance(c[id+1].Value, probe), 300_000))
				}
				x := supplied.New()
				if err := x.Replace(t.Context(), "c", 1, each(c.sorted())); err != nil {
					t.Fatal(err)
				}
				other := structured(r, width)
				near, far := c.all(a, probe), c.all(a, other)
				for _, kernel := range supplied.Kernels() {
					for _, lanes := range []int{1, 3} {
						supplied.SetKernel(x, kernel, lanes)
						for _, radius := range radii {
							if compare(t, x, a, near, radius, probe) == 0 {
								t.Fatal("what was planted was not found")
							}
							compare(t, x, a, near, max(0, radius-1), probe)
							compare(t, x, a, far, radius, other)
							if n > 1000 && kernel == "generic" { // slow, and the same code for every radius
								break
							}
						}
					}
				}
			})
		}
	}
}

// Squared distances are not a metric: two values can be far from each other and both near
// a third, and an index that prunes as if they were misses them (IPED issue 308).
func TestSquaredDistancesAreNotPrunedAsAMetric(t *testing.T) {
	t.Parallel()
	const step = 8
	c := content{}
	line := func(i int) []byte {
		v := make([]byte, 144)
		for k := range v {
			v[k] = byte(i * step)
		}
		return v
	}
	for i := range 30 {
		c[semblance.EntryID(i+1)] = semblance.HashEntry{ID: semblance.EntryID(i + 1), Algorithm: photoDNA, Value: line(i)}
	}
	x := supplied.New()
	if err := x.Replace(t.Context(), "c", 1, each(c.sorted())); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		for _, steps := range []int{1, 2, 5} {
			if n := compare(t, x, photoDNA, c.all(photoDNA, line(i)), 144*step*step*steps*steps, line(i)); n < steps+1 {
				t.Fatalf("%d neighbors on the line within %d steps", n, steps)
			}
		}
	}
}

func someEntries(r *rand.Rand, n int) []semblance.HashEntry {
	var out []semblance.HashEntry
	for range n {
		e := semblance.HashEntry{ID: semblance.EntryID(r.IntN(300) + 1), Algorithm: photoDNA}
		if r.IntN(5) == 0 {
			e.Algorithm = "acme/1/hamming-8"
		}
		e.Value = structured(r, e.Algorithm.Bits()/8)
		out = append(out, e)
	}
	return out
}

func (c content) change(remove []semblance.EntryID, add []semblance.HashEntry) content {
	out := content{}
	for id, e := range c {
		out[id] = e
	}
	for _, id := range remove {
		delete(out, id)
	}
	for _, e := range add {
		out[e.ID] = e
	}
	return out
}

// history changes the collection "c" a few times and returns what each version holds. It
// stops at the first error.
func history(x *supplied.Index, versions int64) (map[int64]content, error) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(1, 9))
	held := map[int64]content{0: nil}
	held[1] = content{}.change(nil, someEntries(r, 80))
	err := x.Replace(ctx, "c", 1, each(held[1].sorted()))
	for v := int64(2); v <= versions && err == nil; v++ {
		if v%2 == 0 {
			add := someEntries(r, r.IntN(12))
			held[v] = held[v-1].change(nil, add)
			err = x.Update(ctx, "c", v, semblance.HashChange{Add: add})
			continue
		}
		var remove []semblance.EntryID
		for range r.IntN(20) {
			remove = append(remove, semblance.EntryID(r.IntN(300)+1))
		}
		held[v] = held[v-1].change(remove, nil)
		err = x.Update(ctx, "c", v, semblance.HashChange{Remove: remove})
	}
	return held, err
}

// answers demands that the index gives the definition's answers of a content.
func answers(x *supplied.Index, want content) error {
	r := rand.New(rand.NewPCG(3, 3))
	for _, a := range []hashing.Algorithm{photoDNA, "acme/1/hamming-8"} {
		values, radius := [][]byte{structured(r, a.Bits()/8), structured(r, a.Bits()/8)}, a.Metric().Farthest(a.Bits()/8)
		for _, e := range want.sorted()[:min(5, len(want))] {
			if e.Algorithm == a {
				values = append(values, e.Value)
			}
		}
		for _, radius := range []int{radius, radius / 50} {
			got, err := x.Search(context.Background(), semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: values, Radius: radius})
			if err != nil {
				return err
			}
			for i, v := range values {
				if want := want.all(a, v).within(radius); !slices.Equal(got[i], want) {
					return fmt.Errorf("%s %d:\n got %v\nwant %v", a, i, got[i], want)
				}
			}
		}
	}
	return nil
}

func TestAddAndRemove(t *testing.T) {
	t.Parallel()
	x := supplied.New()
	defer x.Close()
	held, err := history(x, 60)
	if err != nil {
		t.Fatal(err)
	}
	supplied.Tidy(x)
	if trays, rows := supplied.Trays(x, "c"); rows != len(held[60]) || trays > 10 {
		t.Errorf("%d rows in %d trays hold %d entries", rows, trays, len(held[60]))
	}
	if err := answers(x, held[60]); err != nil {
		t.Fatal(err)
	}
	var all []semblance.EntryID
	for id := range held[60] {
		all = append(all, id)
	}
	if err := x.Update(t.Context(), "c", 61, semblance.HashChange{Remove: all}); err != nil {
		t.Fatal(err)
	}
	supplied.Tidy(x)
	if trays, _ := supplied.Trays(x, "c"); trays != 0 {
		t.Errorf("%d trays hold nothing", trays)
	}
	if err := answers(x, content{}); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	x := supplied.New()
	good := semblance.HashEntry{ID: 1, Algorithm: photoDNA, Value: make([]byte, 144)}
	if _, err := x.Search(t.Context(), semblance.HashQuery{Algorithm: photoDNA, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{good.Value}}); semblance.CodeOf(err) != semblance.Internal {
		t.Errorf("a search in what is not held: %v", err)
	}
	if err := x.Update(t.Context(), "c", 4, semblance.HashChange{Add: []semblance.HashEntry{good}}); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]semblance.HashEntry{
		"short": {ID: 2, Algorithm: photoDNA, Value: make([]byte, 143)}, "a digest": {ID: 2, Algorithm: hashing.AlgorithmMD5, Value: make([]byte, 16)},
		"unknown": {ID: 2, Algorithm: "x", Value: make([]byte, 16)}, "none": {ID: 2, Algorithm: photoDNA},
	} {
		if err := x.Update(t.Context(), "c", 5, semblance.HashChange{Add: []semblance.HashEntry{good, e}}); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if err := x.Replace(t.Context(), "c", 5, each([]semblance.HashEntry{good, e})); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken off")
	if err := x.Replace(t.Context(), "c", 6, func(yield func(semblance.HashEntry, error) bool) { yield(semblance.HashEntry{}, broken) }); !errors.Is(err, broken) {
		t.Error(err)
	}
	for _, radius := range []int{-1, 144*255*255 + 1} {
		q := semblance.HashQuery{Algorithm: photoDNA, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{good.Value}, Radius: radius}
		if _, err := x.Search(t.Context(), q); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("radius %d: %v", radius, err)
		}
	}
	if err := x.Update(t.Context(), "c", 0, semblance.HashChange{Add: []semblance.HashEntry{good}}); semblance.CodeOf(err) != semblance.Invalid {
		t.Error(err)
	}
	if held, err := x.Held(t.Context(), "c"); held.Version != 4 || err != nil {
		t.Errorf("%+v, %v: something refused changed what is held", held, err)
	}
}

// Searches see a collection before or after a change, never half of one.
func TestSearchesAndChangesAtOnce(t *testing.T) {
	t.Parallel()
	x := supplied.New()
	defer x.Close()
	r := rand.New(rand.NewPCG(7, 7))
	v := structured(r, 144)
	pair := func(i int) []semblance.HashEntry {
		return []semblance.HashEntry{{ID: semblance.EntryID(2*i + 1), Algorithm: photoDNA, Value: v}, {ID: semblance.EntryID(2*i + 2), Algorithm: photoDNA, Value: v}}
	}
	if err := x.Replace(t.Context(), "c", 1, each(pair(0))); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := x.Search(context.Background(), semblance.HashQuery{Algorithm: photoDNA, Collections: []semblance.CollectionID{"c", "c"}, Values: [][]byte{v}, Radius: 9})
				if err != nil || len(got[0])%2 != 0 || len(got[0]) == 0 {
					t.Errorf("%d neighbors, %v", len(got[0]), err)
					return
				}
			}
		}()
	}
	for i := 1; i < 200; i++ {
		if err := x.Update(t.Context(), "c", int64(2*i), semblance.HashChange{Add: pair(i)}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if err := x.Update(t.Context(), "c", int64(2*i+1), semblance.HashChange{Remove: []semblance.EntryID{semblance.EntryID(2*i - 1), semblance.EntryID(2 * i)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	wait.Wait()
}
