package indextest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"semblance"
)

// drift is how far a reported distance may be from the definition's. Euclidean
// ones are exact. A server may normalize cosine vectors once more when it stores
// them, which moves them by float32's last digit; the Engine recomputes what it
// reports.
func drift(space semblance.EngineSpec) float64 {
	if space.Metric == semblance.Cosine {
		return 1e-6
	}
	return 0
}

// spaces are what every case runs in.
func spaces() []semblance.EngineSpec {
	return []semblance.EngineSpec{
		{Name: "kit-cosine", Version: 1, Dimensions: 24, Metric: semblance.Cosine},
		{Name: "kit-euclid", Version: 1, Dimensions: 24, Metric: semblance.Euclid},
	}
}

// Vectors runs the contract of [semblance.VectorIndex] on indexes that open
// makes. Each must be empty and apart from all others.
func Vectors(t *testing.T, open func(t *testing.T) semblance.VectorIndex) {
	cases := []struct {
		name string
		run  func(k *kit)
	}{
		{"nothing is held", (*kit).nothing},
		{"an empty collection is held and answers nothing", (*kit).empty},
		{"one reference, then two", (*kit).oneAndTwo},
		{"ties are ordered by ID", (*kit).ties},
		{"a subject is answered once, with its nearest", (*kit).subjects},
		{"many references of one subject hide nobody", (*kit).crowd},
		{"only the collections asked for", (*kit).collections},
		{"more subjects asked for than there are", (*kit).limit},
		{"the answer is the definition's", (*kit).recall},
		{"add replaces an ID", (*kit).add},
		{"replace leaves nothing of before", (*kit).replace},
		{"what is removed is not found", (*kit).remove},
		{"removed and added at once", (*kit).removeAndAdd},
		{"removed again and again", (*kit).churn},
		{"days bound what is searched", (*kit).days},
		{"days do not hide another reference", (*kit).daysAndSubjects},
		{"searches while references are removed", (*kit).removing},
		{"a replacement that breaks off is not seen", (*kit).breaksOff},
		{"drop forgets every space", (*kit).drop},
		{"engines are apart", (*kit).engines},
		{"refused vectors change nothing", (*kit).refused},
		{"entries stay the caller's", (*kit).ownership},
		{"searches and changes at once", (*kit).concurrent},
	}
	for _, space := range spaces() {
		for _, c := range cases {
			t.Run(string(space.Metric)+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.run(&kit{T: t, index: open(t), space: space, want: oracle{}, r: rand.New(rand.NewPCG(7, 11))})
			})
		}
	}
}

// A kit is one case under way.
type kit struct {
	*testing.T
	index semblance.VectorIndex
	space semblance.EngineSpec
	want  oracle
	r     *rand.Rand
}

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%v (hint: %s)", err, semblance.HintOf(err))
	}
}

func (k *kit) replaceWith(c semblance.CollectionID, version int64, entries ...semblance.VectorEntry) {
	k.Helper()
	k.ok(k.index.Replace(k.Context(), k.space, c, version, each(entries, nil)))
	delete(k.want, c)
	k.want.put(c, entries...)
	k.version(c, version)
}

func (k *kit) addTo(c semblance.CollectionID, version int64, entries ...semblance.VectorEntry) {
	k.Helper()
	k.ok(k.index.Update(k.Context(), k.space, c, version, semblance.VectorChange{Add: entries}))
	k.want.put(c, entries...)
	k.version(c, version)
}

func (k *kit) version(c semblance.CollectionID, want int64) {
	k.Helper()
	got, err := k.index.Version(k.Context(), k.space, c)
	k.ok(err)
	if got != want {
		k.Fatalf("version of %s is %d, want %d", c, got, want)
	}
}

// search compares the answers to vectors with the oracle's.
func (k *kit) search(vectors [][]float32, subjects int, in ...semblance.CollectionID) [][]semblance.Neighbor {
	k.Helper()
	got, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: in, Vectors: vectors, Subjects: subjects})
	k.ok(err)
	if len(got) != len(vectors) {
		k.Fatalf("%d answers to %d vectors", len(got), len(vectors))
	}
	for i, v := range vectors {
		if err := same(got[i], k.want.search(k.space, v, subjects, in...), drift(k.space)); err != nil {
			k.Fatalf("vector %d of %d, %d subjects in %v: %v", i, len(vectors), subjects, in, err)
		}
	}
	return got
}

// same reports how an answer differs from the oracle's. Neighbors that are closer
// to each other than the drift may change places.
func same(got, want []semblance.Neighbor, drift float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d subjects, want %d:\n got %v\nwant %v", len(got), len(want), got, want)
	}
	for i := range want {
		if math.Abs(got[i].Distance-want[i].Distance) > drift || math.IsNaN(got[i].Distance) {
			return fmt.Errorf("place %d has distance %v, want %v", i, got[i].Distance, want[i].Distance)
		}
		near := func(n semblance.Neighbor) bool {
			return n.ID == got[i].ID && n.Collection == got[i].Collection && n.Subject == got[i].Subject && math.Abs(n.Distance-got[i].Distance) <= drift
		}
		if drift == 0 && got[i] != want[i] || !slices.ContainsFunc(want, near) {
			return fmt.Errorf("place %d is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

// held demands that a search in c is an error with code Internal.
func (k *kit) notHeld(c semblance.CollectionID) {
	k.Helper()
	_, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{c}, Vectors: [][]float32{k.unit()}, Subjects: 1})
	if semblance.CodeOf(err) != semblance.Internal {
		k.Fatalf("a search in a collection that is not held gave %v, want an error with code internal", err)
	}
}

func (k *kit) unit() []float32 { return unit(k.r, k.space.Dimensions) }

// entries returns n random entries of a subject each, or of people subjects when
// that is not 0.
func (k *kit) entries(prefix string, n, people int) []semblance.VectorEntry {
	out := make([]semblance.VectorEntry, n)
	for i := range out {
		who := i
		if people > 0 {
			who = i % people
		}
		out[i] = semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%s-%04d", prefix, (i*7919)%10000)), Subject: fmt.Sprintf("subject %d", who), Vector: k.unit()}
	}
	return out
}

func (k *kit) nothing() {
	k.version("a", 0)
	k.notHeld("a")
	k.ok(k.index.Drop(k.Context(), "a"))
	k.replaceWith("b", 4, k.entries("b", 3, 0)...)
	k.version("a", 0)
	k.notHeld("a")
	_, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"b", "a"}, Vectors: [][]float32{k.unit()}, Subjects: 5})
	if semblance.CodeOf(err) != semblance.Internal {
		k.Fatalf("a search in one collection that is held and one that is not gave %v, want internal", err)
	}
}

func (k *kit) empty() {
	k.replaceWith("a", 1)
	k.search([][]float32{k.unit(), k.unit()}, 3, "a")
	got, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"a"}, Subjects: 3})
	k.ok(err)
	if len(got) != 0 {
		k.Fatalf("%d answers to no vectors", len(got))
	}
}

func (k *kit) oneAndTwo() {
	e := k.entries("r", 2, 0)
	k.replaceWith("a", 1, e[0])
	k.search([][]float32{e[0].Vector, e[1].Vector}, 2, "a")
	k.addTo("a", 2, e[1])
	k.search([][]float32{e[0].Vector, e[1].Vector}, 2, "a")
	k.search([][]float32{e[0].Vector, e[1].Vector}, 1, "a")
}

func (k *kit) ties() {
	v := k.unit()
	var all []semblance.VectorEntry
	for _, id := range []semblance.ReferenceID{"m", "c", "z", "a", "q", "b"} {
		all = append(all, semblance.VectorEntry{ID: id, Subject: "subject of " + string(id), Vector: v})
	}
	all = append(all, semblance.VectorEntry{ID: "aa", Subject: "subject of z", Vector: v})
	k.replaceWith("x", 1, all[:4]...)
	k.replaceWith("y", 1, all[4:]...)
	for n := 1; n <= len(all); n++ {
		got := k.search([][]float32{v}, n, "y", "x")
		for i, want := range []semblance.ReferenceID{"a", "aa", "b", "c", "m", "q", "z"}[:n] {
			if got[0][i].ID != want {
				k.Fatalf("place %d of %d is %s, want %s", i, n, got[0][i].ID, want)
			}
		}
	}
}

func (k *kit) subjects() {
	k.replaceWith("a", 1, k.entries("r", 120, 9)...)
	k.search([][]float32{k.unit(), k.unit()}, 9, "a")
	k.search([][]float32{k.unit(), k.unit()}, 4, "a")
}

func (k *kit) crowd() {
	center := k.unit()
	entries := k.entries("far", 5, 0)
	for i := range 300 {
		entries = append(entries, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("near-%03d", i)), Subject: "crowd", Vector: beside(k.r, center, 0.05)})
	}
	k.replaceWith("a", 1, entries...)
	for n := 1; n <= 7; n++ {
		k.search([][]float32{center}, n, "a")
	}
}

func (k *kit) collections() {
	for i, c := range []semblance.CollectionID{"a", "b", "c"} {
		k.replaceWith(c, int64(i+1), k.entries(string(c), 20, 6)...)
	}
	v := [][]float32{k.unit(), k.unit(), k.unit()}
	k.search(v, 5, "a")
	k.search(v, 5, "c", "a")
	k.search(v, 50, "a", "b", "c")
	got, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"b", "b"}, Vectors: v, Subjects: 50})
	k.ok(err)
	for i := range v {
		if err := same(got[i], k.want.search(k.space, v[i], 50, "b"), drift(k.space)); err != nil {
			k.Fatalf("a collection named twice: %v", err)
		}
	}
}

func (k *kit) limit() {
	k.replaceWith("a", 1, k.entries("r", 5, 0)...)
	for _, n := range []int{1, 5, 6, 1000} {
		k.search([][]float32{k.unit()}, n, "a")
	}
	_, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{k.unit()}})
	if semblance.CodeOf(err) != semblance.Invalid {
		k.Fatalf("a search for 0 subjects gave %v, want invalid", err)
	}
}

func (k *kit) recall() {
	k.replaceWith("a", 1, k.entries("a", 700, 0)...)
	k.replaceWith("b", 1, k.entries("b", 600, 150)...)
	var v [][]float32
	for range 20 {
		v = append(v, k.unit())
	}
	for _, e := range k.want["a"][:20] {
		v = append(v, beside(k.r, e.Vector, 0.1), e.Vector)
	}
	k.search(v, 10, "a", "b")
	k.search(v[:3], 850, "a", "b")
}

func (k *kit) add() {
	entries := k.entries("r", 30, 10)
	k.replaceWith("a", 1, entries...)
	moved := entries[3]
	moved.Vector, moved.Subject = k.unit(), "somebody else"
	k.addTo("a", 2, moved, semblance.VectorEntry{ID: "new", Subject: "subject 1", Vector: k.unit()})
	k.search([][]float32{entries[3].Vector, moved.Vector, k.unit()}, 20, "a")
	k.addTo("a", 3, moved) // once more changes nothing
	k.search([][]float32{moved.Vector}, 20, "a")
	k.addTo("a", 9)
	k.search([][]float32{moved.Vector}, 20, "a")
}

func (k *kit) replace() {
	before := k.entries("old", 40, 0)
	k.replaceWith("a", 1, before...)
	k.replaceWith("other", 1, k.entries("other", 10, 0)...)
	k.replaceWith("a", 7, append(k.entries("new", 10, 0), before[:5]...)...)
	k.search([][]float32{before[20].Vector, before[2].Vector, k.unit()}, 60, "a")
	k.search([][]float32{k.unit()}, 60, "a", "other")
	k.replaceWith("a", 8)
	k.search([][]float32{before[2].Vector}, 60, "a")
	k.search([][]float32{before[2].Vector}, 60, "other")
}

func (k *kit) breaksOff() {
	before := k.entries("old", 30, 0)
	k.replaceWith("a", 3, before...)
	broken := errors.New("the store broke off")
	err := k.index.Replace(k.Context(), k.space, "a", 4, each(k.entries("new", 300, 0), broken))
	if !errors.Is(err, broken) {
		k.Fatalf("the error of the entries became %v", err)
	}
	switch got, err := k.index.Version(k.Context(), k.space, "a"); {
	case err != nil:
		k.Fatal(err)
	case got == 3: // what was held still is
		k.search([][]float32{before[0].Vector, k.unit()}, 400, "a")
	case got == 0:
		k.notHeld("a")
	default:
		k.Fatalf("version %d after a replacement that broke off", got)
	}
	if err := k.index.Replace(k.Context(), k.space, "fresh", 4, each(k.entries("f", 3, 0), broken)); !errors.Is(err, broken) {
		k.Fatalf("the error of the entries became %v", err)
	}
	k.version("fresh", 0)
	k.notHeld("fresh")
	k.replaceWith("a", 5, k.entries("again", 12, 0)...)
	k.search([][]float32{before[0].Vector, k.unit()}, 400, "a")
}

func (k *kit) drop() {
	other := spaces()[0]
	if other.Metric == k.space.Metric {
		other = spaces()[1]
	}
	k.replaceWith("a", 1, k.entries("a", 10, 0)...)
	k.replaceWith("b", 1, k.entries("b", 10, 0)...)
	k.ok(k.index.Replace(k.Context(), other, "a", 1, each(k.entries("a", 10, 0), nil)))
	k.ok(k.index.Drop(k.Context(), "a"))
	for _, s := range []semblance.EngineSpec{k.space, other} {
		if v, err := k.index.Version(k.Context(), s, "a"); v != 0 || err != nil {
			k.Fatalf("after drop %s has version %d, %v", s.Signal(), v, err)
		}
	}
	k.notHeld("a")
	k.search([][]float32{k.unit()}, 20, "b")
	k.ok(k.index.Drop(k.Context(), "a"))
	k.replaceWith("a", 1, k.entries("new", 2, 0)...)
	k.search([][]float32{k.unit()}, 20, "a", "b")
}

func (k *kit) engines() {
	k.replaceWith("a", 1, k.entries("first", 4, 0)...)
	first, want := k.space, k.want
	k.space.Version++
	k.want = oracle{}
	k.version("a", 0)
	k.notHeld("a")
	k.replaceWith("a", 2, k.entries("second", 3, 0)...)
	k.search([][]float32{k.unit()}, 20, "a")
	k.space, k.want = first, want
	k.version("a", 1)
	k.search([][]float32{k.unit()}, 20, "a")
}

func (k *kit) refused() {
	k.replaceWith("a", 5, k.entries("r", 3, 0)...)
	nan, inf := k.unit(), k.unit()
	nan[2], inf[3] = float32(math.NaN()), float32(math.Inf(-1))
	bad := map[string][]float32{
		"too short": k.unit()[1:], "too long": append(k.unit(), 0), "empty": {}, "zero": make([]float32, k.space.Dimensions), "NaN": nan, "infinite": inf,
	}
	for name, v := range bad {
		good := semblance.VectorEntry{ID: "good", Subject: "good", Vector: k.unit()}
		e := semblance.VectorEntry{ID: "bad", Subject: "bad", Vector: v}
		if err := k.index.Update(k.Context(), k.space, "a", 6, semblance.VectorChange{Add: []semblance.VectorEntry{good, e}}); semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("adding a vector that is %s gave %v, want invalid", name, err)
		}
		err := k.index.Replace(k.Context(), k.space, "new", 6, each([]semblance.VectorEntry{good, e}, nil))
		if semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("replacing by a vector that is %s gave %v, want invalid", name, err)
		}
		_, err = k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{k.unit(), v}, Subjects: 1})
		if semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("searching with a vector that is %s gave %v, want invalid", name, err)
		}
	}
	k.version("a", 5)
	k.version("new", 0)
	k.notHeld("new")
	k.search([][]float32{k.unit()}, 20, "a")
}

func (k *kit) ownership() {
	e := k.entries("r", 4, 0)
	mine := make([]semblance.VectorEntry, len(e))
	for i := range e {
		mine[i] = e[i]
		mine[i].Vector = slices.Clone(e[i].Vector)
	}
	k.ok(k.index.Replace(k.Context(), k.space, "a", 1, each(mine[:2], nil)))
	k.ok(k.index.Update(k.Context(), k.space, "a", 2, semblance.VectorChange{Add: mine[2:]}))
	for i := range mine {
		clear(mine[i].Vector)
	}
	k.want.put("a", e...)
	k.search([][]float32{e[0].Vector, e[3].Vector}, 4, "a")
}

// concurrent swaps a collection between two contents that cannot be confused while
// searches demand to see one of them, whole.
func (k *kit) concurrent() {
	const rounds = 12
	probe := k.unit()
	var contents [2][]semblance.VectorEntry
	var answers [2][]semblance.Neighbor
	for i := range contents {
		contents[i] = k.entries(fmt.Sprint("content", i), 40, 0)
		answers[i] = oracle{"a": contents[i]}.search(k.space, probe, 50, "a")
	}
	k.replaceWith("a", 1, contents[0]...)
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{probe}, Subjects: 50})
				if err != nil {
					k.Errorf("search: %v", err)
					return
				}
				if same(got[0], answers[0], drift(k.space)) != nil && same(got[0], answers[1], drift(k.space)) != nil {
					k.Errorf("a search saw a mixture: %v", got[0])
					return
				}
			}
		})
	}
	wg.Go(func() { // and another collection grows meanwhile
		for i := range rounds {
			if err := k.index.Update(k.Context(), k.space, "b", int64(i+1), semblance.VectorChange{Add: []semblance.VectorEntry{semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprint("b", i)), Subject: fmt.Sprint(i), Vector: probe}}}); err != nil {
				k.Errorf("add: %v", err)
			}
		}
	})
	for i := range rounds {
		k.ok(k.index.Replace(k.Context(), k.space, "a", int64(i+2), each(contents[(i+1)%2], nil)))
	}
	close(done)
	wg.Wait()
	k.version("a", rounds+1)
	k.version("b", rounds)
}
