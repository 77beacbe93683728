package indextest

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"semblance"
)

// change updates a collection and the oracle.
func (k *kit) change(c semblance.CollectionID, version int64, change semblance.VectorChange) {
	k.Helper()
	k.ok(k.index.Update(k.Context(), k.space, c, version, change))
	k.want.remove(c, change.Remove...)
	k.want.put(c, change.Add...)
	k.version(c, version)
}

func (k *kit) remove() {
	entries := k.entries("r", 40, 10)
	k.replaceWith("a", 1, entries...)
	k.replaceWith("b", 1, k.entries("r", 5, 0)...) // the same IDs elsewhere
	v := [][]float32{entries[3].Vector, entries[13].Vector, k.unit()}
	k.change("a", 2, semblance.VectorChange{Remove: []semblance.ReferenceID{entries[3].ID, "never there", entries[3].ID}})
	k.search(v, 50, "a", "b")
	// The other references of one subject: the subject is gone.
	k.change("a", 3, semblance.VectorChange{Remove: []semblance.ReferenceID{entries[13].ID, entries[23].ID, entries[33].ID}})
	k.search(v, 50, "a")
	k.search(v, 1, "a")
	k.change("a", 4, semblance.VectorChange{})
	k.search(v, 50, "a", "b")
	var all []semblance.ReferenceID
	for _, e := range entries {
		all = append(all, e.ID)
	}
	k.change("a", 5, semblance.VectorChange{Remove: all})
	k.search(v, 50, "a")
	k.search(v, 50, "b", "a")
	k.change("a", 6, semblance.VectorChange{Add: entries[:2]})
	k.search(v, 50, "a")
	k.change("new", 1, semblance.VectorChange{Remove: all[:3]}) // removing from nothing makes it held, and empty
	k.search(v, 50, "new")
}

func (k *kit) removeAndAdd() {
	entries := k.entries("r", 30, 10)
	k.replaceWith("a", 1, entries...)
	moved := entries[4]
	moved.Vector, moved.Subject, moved.Captured = k.unit(), "somebody else", 9
	k.change("a", 2, semblance.VectorChange{
		Remove: []semblance.ReferenceID{entries[4].ID, entries[5].ID},
		Add:    []semblance.VectorEntry{moved, {ID: "new", Subject: "subject 5", Vector: entries[5].Vector}},
	})
	v := [][]float32{entries[4].Vector, entries[5].Vector, moved.Vector}
	k.search(v, 20, "a")
	bad := semblance.VectorEntry{ID: "bad", Subject: "bad", Vector: make([]float32, k.space.Dimensions)}
	err := k.index.Update(k.Context(), k.space, "a", 3, semblance.VectorChange{Remove: []semblance.ReferenceID{moved.ID}, Add: []semblance.VectorEntry{bad}})
	if semblance.CodeOf(err) != semblance.Invalid {
		k.Fatalf("a change with a vector of zeros gave %v, want invalid", err)
	}
	k.version("a", 2)
	k.search(v, 20, "a") // nothing was removed
	twice := moved
	twice.Vector = k.unit()
	k.change("a", 4, semblance.VectorChange{Add: []semblance.VectorEntry{moved, twice}}) // the last one counts
	k.search(append(v, twice.Vector), 20, "a")
}

// churn changes a collection a number of times, every time a little.
func (k *kit) churn() {
	pool := k.entries("r", 60, 17)
	k.replaceWith("a", 1, pool[:20]...)
	for version := int64(2); version < 40; version++ {
		var change semblance.VectorChange
		for range k.r.IntN(6) {
			change.Remove = append(change.Remove, pool[k.r.IntN(len(pool))].ID)
		}
		for range k.r.IntN(6) {
			e := pool[k.r.IntN(len(pool))]
			e.Vector = k.unit()
			change.Add = append(change.Add, e)
		}
		k.change("a", version, change)
		k.search([][]float32{k.unit(), pool[0].Vector}, 1+k.r.IntN(20), "a")
	}
}

// days puts a day on entries: none, before 1970, and after.
func days(entries []semblance.VectorEntry) {
	for i := range entries {
		entries[i].Captured = []int32{0, -400, 100, 101, 200, math.MinInt32, math.MaxInt32}[i%7]
	}
}

// searchDays compares the answers to a query with bounds with the oracle's.
func (k *kit) searchDays(q semblance.VectorQuery) {
	k.Helper()
	q.Space = k.space
	got, err := k.index.Search(k.Context(), q)
	k.ok(err)
	for i, v := range q.Vectors {
		if err := same(got[i], k.want.answer(q, v), drift(k.space)); err != nil {
			k.Fatalf("vector %d, from %d to %d, undated %v, %d subjects: %v", i, q.From, q.To, q.Undated, q.Subjects, err)
		}
	}
}

func (k *kit) days() {
	entries := k.entries("r", 70, 13)
	days(entries)
	k.replaceWith("a", 1, entries[:40]...)
	k.addTo("a", 2, entries[40:]...)
	k.replaceWith("b", 1, k.entries("u", 6, 0)...) // all undated
	in := []semblance.CollectionID{"a", "b"}
	v := [][]float32{k.unit(), entries[0].Vector, entries[2].Vector, entries[3].Vector}
	for _, from := range []int32{0, math.MinInt32, -400, -399, 100, 101, 201, math.MaxInt32} {
		for _, to := range []int32{0, -400, 99, 100, 101, 500, math.MaxInt32} {
			for _, undated := range []bool{false, true} {
				for _, subjects := range []int{1, 5, 50} {
					k.searchDays(semblance.VectorQuery{Collections: in, Vectors: v, Subjects: subjects, From: from, To: to, Undated: undated})
				}
			}
		}
	}
	moved := entries[2] // another day for the same reference
	moved.Captured = 5000
	k.change("a", 3, semblance.VectorChange{Add: []semblance.VectorEntry{moved}})
	k.searchDays(semblance.VectorQuery{Collections: in, Vectors: v, Subjects: 50, From: 4999, To: 5000})
	k.searchDays(semblance.VectorQuery{Collections: in, Vectors: v, Subjects: 50, From: 100, To: 100})
}

// daysAndSubjects has a crowd of nearer references on other days before every
// subject's one that is asked for, and ties among those.
func (k *kit) daysAndSubjects() {
	center := k.unit()
	var entries []semblance.VectorEntry
	for i := range 200 {
		entries = append(entries, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("near-%03d", i)), Subject: fmt.Sprint("subject ", i%8), Vector: beside(k.r, center, 0.02), Captured: int32(1000 + i)})
	}
	far := beside(k.r, center, 0.5)
	for i := range 8 {
		entries = append(entries, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("far-%d", 7-i)), Subject: fmt.Sprint("subject ", i), Vector: far, Captured: 7})
	}
	k.replaceWith("a", 1, entries...)
	for subjects := 1; subjects <= 9; subjects++ {
		q := semblance.VectorQuery{Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{center}, Subjects: subjects}
		k.searchDays(q)
		q.To = 7
		k.searchDays(q)
		q.From, q.To = 1100, 1103
		k.searchDays(q)
	}
}

// removing takes one reference after the other away while searches demand an answer
// that some moment explains: what was never removed is always there.
func (k *kit) removing() {
	stay, leave := k.entries("stay", 20, 0), k.entries("leave", 30, 0)
	for i := range leave {
		leave[i].Subject = "leaver of " + leave[i].Subject
	}
	k.replaceWith("a", 1, append(append([]semblance.VectorEntry{}, stay...), leave...)...)
	probe := k.unit()
	want := oracle{"a": stay}.search(k.space, probe, 100, "a")
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
				got, err := k.index.Search(k.Context(), semblance.VectorQuery{Space: k.space, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{probe}, Subjects: 100})
				if err != nil {
					k.Errorf("search: %v", err)
					return
				}
				var left []semblance.Neighbor
				for _, n := range got[0] {
					if !strings.HasPrefix(n.Subject, "leaver") {
						left = append(left, n)
					}
				}
				if err := same(left, want, drift(k.space)); err != nil {
					k.Errorf("what was not removed is missing: %v", err)
					return
				}
			}
		})
	}
	for i, e := range leave {
		k.change("a", int64(i+2), semblance.VectorChange{Remove: []semblance.ReferenceID{e.ID}})
	}
	close(done)
	wg.Wait()
	k.search([][]float32{probe}, 100, "a")
}
