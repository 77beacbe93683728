package indextest

import (
	"slices"
	"sync"

	"semblance"
	"semblance/hashing"
)

// change updates a collection and the oracle.
func (k *hashKit) change(c semblance.CollectionID, version int64, change semblance.HashChange) {
	k.Helper()
	k.ok(k.index.Update(k.Context(), c, version, change))
	k.want.change(c, change)
	k.version(c, version)
}

func (k *hashKit) drop(c semblance.CollectionID) {
	k.Helper()
	k.ok(k.index.Drop(k.Context(), c))
	delete(k.want, c)
	k.version(c, 0)
	k.notHeld(c)
}

func valuesOf(entries []semblance.HashEntry) [][]byte {
	var out [][]byte
	for _, e := range entries {
		out = append(out, e.Value)
	}
	return out
}

func idsOf(entries []semblance.HashEntry) []semblance.EntryID {
	var out []semblance.EntryID
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func (k *hashKit) remove() {
	for _, a := range hashing.Algorithms() {
		c, other := semblance.CollectionID(a), semblance.CollectionID(a+" elsewhere")
		entries := k.random(a, 6000)
		for i := 100; i < 200; i++ { // one value, many entries
			entries[i].Value = entries[0].Value
		}
		k.replaceWith(c, 1, entries...)
		k.replaceWith(other, 1, entries[:300]...) // the same IDs elsewhere
		values := valuesOf(entries[95:205:205])
		r := radii(a)[len(radii(a))/2]
		k.change(c, 2, semblance.HashChange{Remove: []semblance.EntryID{entries[3].ID, 1 << 40, entries[3].ID, -5}})
		k.search(a, r, [][]byte{entries[3].Value}, c, other)
		k.change(c, 3, semblance.HashChange{Remove: idsOf(entries[90:150])})
		k.search(a, r, values, c, other)
		k.change(c, 4, semblance.HashChange{})
		k.change(c, 5, semblance.HashChange{Remove: idsOf(entries[200:4000])})
		k.search(a, r, values, c)
		k.change(c, 6, semblance.HashChange{Remove: idsOf(entries)})
		k.search(a, r, values, c)
		k.search(a, r, values, other, c)
		k.change(c, 7, semblance.HashChange{Add: entries[:2]})
		k.search(a, r, values, c)
	}
	k.change("new", 1, semblance.HashChange{Remove: []semblance.EntryID{1}}) // removing from nothing makes it held, and empty
	k.search(hashing.AlgorithmMD5, 0, [][]byte{make([]byte, 16)}, "new")
}

func (k *hashKit) removeAndAdd() {
	entries := k.random(hashing.AlgorithmPDQ, 50)
	k.replaceWith("a", 1, entries...)
	moved, turned := entries[4], entries[5]
	moved.Value = randomValue(k.r, 32)
	turned.Algorithm, turned.Value = hashing.AlgorithmMD5, randomValue(k.r, 16) // the ID becomes another algorithm's
	k.change("a", 2, semblance.HashChange{
		Remove: []semblance.EntryID{entries[4].ID, entries[6].ID},
		Add:    []semblance.HashEntry{moved, turned, entries[7]},
	})
	values := append(valuesOf(entries[:10]), moved.Value)
	k.search(hashing.AlgorithmPDQ, 31, values, "a")
	k.search(hashing.AlgorithmMD5, 0, [][]byte{turned.Value}, "a")
	bad := semblance.HashEntry{ID: 99, Algorithm: hashing.AlgorithmPDQ, Value: make([]byte, 31)}
	err := k.index.Update(k.Context(), "a", 3, semblance.HashChange{Remove: []semblance.EntryID{moved.ID}, Add: []semblance.HashEntry{bad}})
	if semblance.CodeOf(err) != semblance.Invalid {
		k.Fatalf("a change with a value that is too short gave %v, want invalid", err)
	}
	k.version("a", 2)
	k.search(hashing.AlgorithmPDQ, 31, values, "a") // nothing was removed
	twice := moved
	twice.Value = randomValue(k.r, 32)
	k.change("a", 4, semblance.HashChange{Add: []semblance.HashEntry{moved, twice}}) // the last one counts
	k.search(hashing.AlgorithmPDQ, 0, [][]byte{moved.Value, twice.Value}, "a")
	k.ok(k.index.Replace(k.Context(), "b", 1, each([]semblance.HashEntry{moved, entries[0], twice}, nil)))
	k.want.change("b", semblance.HashChange{Add: []semblance.HashEntry{entries[0], twice}})
	k.version("b", 1)
	k.search(hashing.AlgorithmPDQ, 0, [][]byte{moved.Value, twice.Value, entries[0].Value}, "b")
}

// churn changes a collection a number of times, every time a little.
func (k *hashKit) churn() {
	var pool []semblance.HashEntry
	for _, a := range hashing.Algorithms() {
		pool = append(pool, k.random(a, 40)...)
	}
	k.replaceWith("a", 1, pool[:20]...)
	for version := int64(2); version < 60; version++ {
		var change semblance.HashChange
		for range k.r.IntN(12) {
			change.Remove = append(change.Remove, pool[k.r.IntN(len(pool))].ID)
		}
		for range k.r.IntN(12) {
			e := &pool[k.r.IntN(len(pool))]
			if k.r.IntN(2) == 0 {
				e.Value = randomValue(k.r, len(e.Value))
			}
			change.Add = append(change.Add, *e)
		}
		k.change("a", version, change)
		for _, a := range hashing.Algorithms() {
			k.search(a, radii(a)[len(radii(a))/2], [][]byte{pool[k.r.IntN(40)+40*slices.Index(hashing.Algorithms(), a)].Value}, "a")
		}
	}
}

// removing takes one entry after the other away while searches demand that what was never
// removed is always there.
func (k *hashKit) removing() {
	value := randomValue(k.r, 32)
	var stay, leave []semblance.HashEntry
	for n := range 40 {
		stay = append(stay, k.entry(hashing.AlgorithmPDQ, flip(k.r, value, n%20)))
		leave = append(leave, k.entry(hashing.AlgorithmPDQ, flip(k.r, value, n%20)))
	}
	k.replaceWith("a", 1, append(slices.Clone(stay), leave...)...)
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"a"}, Values: [][]byte{value}, Radius: 31}
	want := hashOracle{"a": stay}.search(q, value)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				got, err := k.index.Search(k.Context(), q)
				if err != nil {
					k.Errorf("search: %v", err)
					return
				}
				left := slices.DeleteFunc(got[0], func(n semblance.HashNeighbor) bool { return slices.Contains(idsOf(leave), n.Entry) })
				if !slices.Equal(left, want) {
					k.Errorf("what was not removed is missing: %v", left)
					return
				}
			}
		})
	}
	for i, e := range leave {
		k.change("a", int64(i+2), semblance.HashChange{Remove: []semblance.EntryID{e.ID}})
	}
	close(done)
	wg.Wait()
	k.search(hashing.AlgorithmPDQ, 31, [][]byte{value}, "a")
}
