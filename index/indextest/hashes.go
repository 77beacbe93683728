package indextest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"semblance"
	"semblance/hashing"
)

// HashIndex runs the contract of [semblance.HashIndex] on indexes that open makes.
// Each must be empty and apart from all others.
func HashIndex(t *testing.T, open func(t *testing.T) semblance.HashIndex) {
	cases := []struct {
		name string
		run  func(k *hashKit)
	}{
		{"nothing is held", (*hashKit).nothing},
		{"an empty collection is held and answers nothing", (*hashKit).empty},
		{"0, 1, 2 and 1000 values of every algorithm", (*hashKit).sizes},
		{"exactly at the radius and one beyond", (*hashKit).edge},
		{"equal values are all answered", (*hashKit).equal},
		{"only the collections and the algorithm asked for", (*hashKit).apart},
		{"added in steps", (*hashKit).steps},
		{"replace leaves nothing of before", (*hashKit).replace},
		{"a replacement that breaks off is not seen", (*hashKit).breaksOff},
		{"refused values change nothing", (*hashKit).refused},
		{"entries stay the caller's", (*hashKit).ownership},
		{"removed", (*hashKit).remove},
		{"removed and added at once", (*hashKit).removeAndAdd},
		{"many small changes", (*hashKit).churn},
		{"searches and changes at once", (*hashKit).concurrent},
		{"removed while searched", (*hashKit).removing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(&hashKit{T: t, index: open(t), want: hashOracle{}, r: rand.New(rand.NewPCG(3, 5))})
		})
	}
}

// A hashKit is one case under way.
type hashKit struct {
	*testing.T
	index semblance.HashIndex
	want  hashOracle
	r     *rand.Rand
	last  semblance.EntryID
}

func (k *hashKit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%v (hint: %s)", err, semblance.HintOf(err))
	}
}

// entry returns an entry of a value with the next ID.
func (k *hashKit) entry(a hashing.Algorithm, value []byte) semblance.HashEntry {
	k.last++
	return semblance.HashEntry{ID: k.last, Algorithm: a, Value: value}
}

func (k *hashKit) random(a hashing.Algorithm, n int) []semblance.HashEntry {
	out := make([]semblance.HashEntry, n)
	for i := range out {
		out[i] = k.entry(a, randomValue(k.r, a.Bits()/8))
	}
	return out
}

func (k *hashKit) replaceWith(c semblance.CollectionID, version int64, entries ...semblance.HashEntry) {
	k.Helper()
	k.ok(k.index.Replace(k.Context(), c, version, each(entries, nil)))
	k.want[c] = slices.Clone(entries)
	k.version(c, version)
}

func (k *hashKit) addTo(c semblance.CollectionID, version int64, entries ...semblance.HashEntry) {
	k.Helper()
	k.change(c, version, semblance.HashChange{Add: entries})
}

func (k *hashKit) version(c semblance.CollectionID, want int64) {
	k.Helper()
	got, err := k.index.Held(k.Context(), c)
	k.ok(err)
	if got.Version != want {
		k.Fatalf("version of %s is %d, want %d", c, got.Version, want)
	}
	if held := k.want[c]; got.Entries != int64(len(held)) {
		k.Fatalf("%d entries of %s are held, want %d", got.Entries, c, len(held))
	}
	for _, e := range k.want[c] {
		if e.ID > got.Last {
			k.Fatalf("entry %d of %s is behind the last, %d", e.ID, c, got.Last)
		}
	}
}

// search compares the answers to values with the oracle's and returns how many
// entries they have.
func (k *hashKit) search(a hashing.Algorithm, radius int, values [][]byte, in ...semblance.CollectionID) int {
	k.Helper()
	q := semblance.HashQuery{Algorithm: a, Collections: in, Values: values, Radius: radius}
	got, err := k.index.Search(k.Context(), q)
	k.ok(err)
	if len(got) != len(values) {
		k.Fatalf("%d answers to %d values", len(got), len(values))
	}
	found := 0
	for i, v := range values {
		want := k.want.search(q, v)
		if !slices.Equal(got[i], want) {
			k.Fatalf("value %d (%x) of %s within %d in %v:\n got %v\nwant %v", i, v, a, radius, in, got[i], want)
		}
		found += len(want)
	}
	return found
}

func (k *hashKit) notHeld(in ...semblance.CollectionID) {
	k.Helper()
	_, err := k.index.Search(k.Context(), semblance.HashQuery{Algorithm: hashing.AlgorithmMD5, Collections: in, Values: [][]byte{make([]byte, 16)}})
	if semblance.CodeOf(err) != semblance.Internal {
		k.Fatalf("a search in a collection that is not held gave %v, want an error with code internal", err)
	}
}

// radii are what an algorithm is searched with.
func radii(a hashing.Algorithm) []int {
	switch {
	case a.IsDigest():
		return []int{0}
	case a.Bits() == 64:
		return []int{0, 1, 3, 4, 10, 20, 64}
	}
	return []int{0, 1, 15, 16, 30, 31, 32, 47, 63, 100, 256}
}

func (k *hashKit) nothing() {
	k.version("a", 0)
	k.notHeld("a")
	k.ok(k.index.Drop(k.Context(), "a"))
	k.replaceWith("b", 2, k.random(hashing.AlgorithmMD5, 3)...)
	k.version("a", 0)
	k.notHeld("b", "a")
}

func (k *hashKit) empty() {
	k.replaceWith("a", 1)
	for _, a := range hashing.Algorithms() {
		k.search(a, 0, [][]byte{randomValue(k.r, a.Bits()/8)}, "a")
	}
	got, err := k.index.Search(k.Context(), semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"a"}})
	k.ok(err)
	if len(got) != 0 {
		k.Fatalf("%d answers to no values", len(got))
	}
}

func (k *hashKit) sizes() {
	for _, n := range []int{0, 1, 2, 1000} {
		var all []semblance.HashEntry
		for _, a := range hashing.Algorithms() {
			all = append(all, k.random(a, n)...)
		}
		c := semblance.CollectionID(fmt.Sprint("c", n))
		k.replaceWith(c, 1, all...)
		for i, a := range hashing.Algorithms() {
			values := [][]byte{randomValue(k.r, a.Bits()/8)}
			for _, e := range all[i*n : i*n+min(n, 4)] {
				values = append(values, e.Value, flip(k.r, e.Value, 1), flip(k.r, e.Value, 3))
			}
			for _, r := range radii(a) {
				if found := k.search(a, r, values, c); found < min(n, 4) {
					k.Fatalf("%s: %d entries found of %d asked for", a, found, min(n, 4))
				}
			}
		}
	}
}

func (k *hashKit) edge() {
	for _, a := range hashing.Algorithms() {
		if a.IsDigest() {
			continue
		}
		value := randomValue(k.r, a.Bits()/8)
		c := semblance.CollectionID(a)
		k.replaceWith(c, 1, k.random(a, 3000)...)
		for _, r := range radii(a)[:len(radii(a))-1] {
			k.addTo(c, int64(r+2), k.entry(a, flip(k.r, value, r)), k.entry(a, flip(k.r, value, r+1)))
			if k.search(a, r, [][]byte{value}, c) == 0 {
				k.Fatalf("nothing of %s exactly at %d", a, r)
			}
		}
	}
}

func (k *hashKit) equal() {
	for _, a := range hashing.Algorithms() {
		c := semblance.CollectionID(a)
		flat, other := make([]byte, a.Bits()/8), randomValue(k.r, a.Bits()/8)
		var all []semblance.HashEntry
		for range 500 {
			all = append(all, k.entry(a, flat))
		}
		all = append(all, k.entry(a, other))
		k.replaceWith(c, 1, all...)
		for _, r := range radii(a)[:len(radii(a))-1] {
			if found := k.search(a, r, [][]byte{flat}, c); found < 500 {
				k.Fatalf("%d of 500 equal values of %s", found, a)
			}
			k.search(a, r, [][]byte{other}, c)
		}
	}
}

func (k *hashKit) apart() {
	value := randomValue(k.r, 32) // a SHA-256 to one, a PDQ to another
	k.replaceWith("a", 1, k.entry(hashing.AlgorithmSHA256, value), k.entry(hashing.AlgorithmPDQ, value))
	k.replaceWith("b", 1, k.entry(hashing.AlgorithmSHA256, value))
	k.replaceWith("c", 1, k.random(hashing.AlgorithmMD5, 2)...)
	for _, a := range []hashing.Algorithm{hashing.AlgorithmSHA256, hashing.AlgorithmPDQ} {
		k.search(a, 0, [][]byte{value}, "a")
		k.search(a, 0, [][]byte{value}, "b")
		k.search(a, 0, [][]byte{value}, "c")
		k.search(a, 0, [][]byte{value}, "c", "b", "a")
	}
	got, err := k.index.Search(k.Context(), semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"a", "a"}, Values: [][]byte{value}})
	k.ok(err)
	if len(got[0]) != 1 {
		k.Fatalf("a collection named twice answers %v", got[0])
	}
}

func (k *hashKit) steps() {
	for _, a := range []hashing.Algorithm{hashing.AlgorithmSHA1, hashing.AlgorithmPDQ, hashing.AlgorithmDHash} {
		c := semblance.CollectionID(a)
		for i, n := range []int{1, 0, 1, 10, 3000, 6000, 1, 9000, 40} {
			k.addTo(c, int64(i+1), k.random(a, n)...)
			held := k.want[c]
			values := [][]byte{held[0].Value, held[len(held)-1].Value, flip(k.r, held[len(held)/2].Value, 4), randomValue(k.r, a.Bits()/8)}
			k.search(a, radii(a)[len(radii(a))/2], values, c)
		}
		if err := k.index.Update(k.Context(), c, 100, semblance.HashChange{Add: k.want[c][:1]}); err != nil { // once more changes nothing
			k.Fatal(err)
		}
		k.search(a, 0, [][]byte{k.want[c][0].Value}, c)
	}
}

func (k *hashKit) replace() {
	before := k.random(hashing.AlgorithmPDQ, 100)
	k.replaceWith("a", 1, append(before, k.random(hashing.AlgorithmMD5, 5)...)...)
	md5 := k.want["a"][102].Value
	k.replaceWith("b", 1, k.random(hashing.AlgorithmPDQ, 5)...)
	k.replaceWith("a", 6, before[:10]...)
	k.search(hashing.AlgorithmPDQ, 31, [][]byte{before[0].Value, before[50].Value}, "a", "b")
	k.search(hashing.AlgorithmMD5, 0, [][]byte{md5}, "a")
	k.drop("a")
	k.search(hashing.AlgorithmPDQ, 31, [][]byte{before[0].Value}, "b")
}

func (k *hashKit) breaksOff() {
	before := k.random(hashing.AlgorithmPDQ, 30)
	k.replaceWith("a", 3, before...)
	broken := errors.New("the store broke off")
	after := k.random(hashing.AlgorithmPDQ, 30)
	if err := k.index.Replace(k.Context(), "a", 4, each(after, broken)); !errors.Is(err, broken) {
		k.Fatalf("the error of the entries became %v", err)
	}
	switch got, err := k.index.Held(k.Context(), "a"); {
	case err != nil:
		k.Fatal(err)
	case got.Version == 3:
		k.search(hashing.AlgorithmPDQ, 31, [][]byte{before[0].Value, after[0].Value}, "a")
	case got.Version == 0:
		k.notHeld("a")
	default:
		k.Fatalf("%+v held after a replacement that broke off", got)
	}
	if err := k.index.Replace(k.Context(), "fresh", 4, each(after, broken)); !errors.Is(err, broken) {
		k.Fatalf("the error of the entries became %v", err)
	}
	k.version("fresh", 0)
	k.notHeld("fresh")
}

func (k *hashKit) refused() {
	k.replaceWith("a", 5, k.random(hashing.AlgorithmPDQ, 3)...)
	good := k.random(hashing.AlgorithmPDQ, 1)[0]
	bad := map[string]semblance.HashEntry{
		"too short":       k.entry(hashing.AlgorithmPDQ, make([]byte, 31)),
		"too long":        k.entry(hashing.AlgorithmMD5, make([]byte, 17)),
		"empty":           k.entry(hashing.AlgorithmAHash, nil),
		"not known":       k.entry("crc32", make([]byte, 4)),
		"of no algorithm": k.entry("", make([]byte, 32)),
	}
	for name, e := range bad {
		if err := k.index.Update(k.Context(), "a", 6, semblance.HashChange{Add: []semblance.HashEntry{good, e}}); semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("adding a value that is %s gave %v, want invalid", name, err)
		}
		if err := k.index.Replace(k.Context(), "new", 6, each([]semblance.HashEntry{good, e}, nil)); semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("replacing by a value that is %s gave %v, want invalid", name, err)
		}
		_, err := k.index.Search(k.Context(), semblance.HashQuery{Algorithm: e.Algorithm, Collections: []semblance.CollectionID{"a"}, Values: [][]byte{e.Value}})
		if semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("searching a value that is %s gave %v, want invalid", name, err)
		}
	}
	for _, q := range []semblance.HashQuery{
		{Algorithm: hashing.AlgorithmPDQ, Radius: -1, Values: [][]byte{good.Value}},
		{Algorithm: hashing.AlgorithmPDQ, Radius: 257, Values: [][]byte{good.Value}},
		{Algorithm: hashing.AlgorithmSHA256, Radius: 1, Values: [][]byte{good.Value}},
	} {
		q.Collections = []semblance.CollectionID{"a"}
		if _, err := k.index.Search(k.Context(), q); semblance.CodeOf(err) != semblance.Invalid {
			k.Fatalf("%s within %d gave %v, want invalid", q.Algorithm, q.Radius, err)
		}
	}
	k.version("a", 5)
	k.version("new", 0)
	k.search(hashing.AlgorithmPDQ, 0, [][]byte{good.Value}, "a")
}

func (k *hashKit) ownership() {
	e := k.random(hashing.AlgorithmPDQ, 2)
	mine := []semblance.HashEntry{e[0], e[1]}
	for i := range mine {
		mine[i].Value = slices.Clone(mine[i].Value)
	}
	k.ok(k.index.Replace(k.Context(), "a", 1, each(mine[:1], nil)))
	k.ok(k.index.Update(k.Context(), "a", 2, semblance.HashChange{Add: mine[1:]}))
	clear(mine[0].Value)
	clear(mine[1].Value)
	k.want["a"] = e
	k.search(hashing.AlgorithmPDQ, 5, [][]byte{e[0].Value, e[1].Value, mine[0].Value}, "a")
}

// concurrent swaps a collection between two contents while searches demand to see
// one of them, whole, and while another collection grows.
func (k *hashKit) concurrent() {
	const rounds = 20
	value := randomValue(k.r, 32)
	var contents [2][]semblance.HashEntry
	var answers [2][]semblance.HashNeighbor
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"a"}, Values: [][]byte{value}, Radius: 31}
	for i := range contents {
		for n := range 60 {
			contents[i] = append(contents[i], k.entry(hashing.AlgorithmPDQ, flip(k.r, value, n)))
		}
		answers[i] = hashOracle{"a": contents[i]}.search(q, value)
	}
	k.replaceWith("a", 1, contents[0]...)
	k.replaceWith("b", 1)
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
				got, err := k.index.Search(k.Context(), q)
				if err != nil || !slices.Equal(got[0], answers[0]) && !slices.Equal(got[0], answers[1]) {
					k.Errorf("a search saw %v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 1))
		for i := range rounds {
			var more []semblance.HashEntry
			for n := range 700 {
				more = append(more, semblance.HashEntry{ID: semblance.EntryID(1e6 + 1000*i + n), Algorithm: hashing.AlgorithmPDQ, Value: flip(r, value, 32+n%200)})
			}
			if err := k.index.Update(k.Context(), "b", int64(i+2), semblance.HashChange{Add: more}); err != nil {
				k.Errorf("add: %v", err)
			}
		}
	})
	for i := range rounds {
		k.ok(k.index.Replace(k.Context(), "a", int64(i+2), each(contents[(i+1)%2], nil)))
	}
	close(done)
	wg.Wait()
	k.want["a"] = contents[rounds%2]
	k.version("a", rounds+1)
	for i := range rounds {
		for n := range 700 {
			k.want["b"] = append(k.want["b"], semblance.HashEntry{ID: semblance.EntryID(1e6 + 1000*i + n)})
		}
	}
	k.version("b", rounds+1)
}
