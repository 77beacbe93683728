package semblance_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"semblance"
)

// A watchedHashes counts how an index is filled, loses what it held, and breaks.
type watchedHashes struct {
	semblance.HashIndex
	replaced, updated int
	broken            bool // the next search meets damage
	behind            bool // it says that it lacks an entry
}

func (w *watchedHashes) Replace(ctx context.Context, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.HashEntry, error]) error {
	w.replaced++
	w.behind = false
	return w.HashIndex.Replace(ctx, c, version, entries)
}

func (w *watchedHashes) Update(ctx context.Context, c semblance.CollectionID, version int64, change semblance.HashChange) error {
	w.updated++
	return w.HashIndex.Update(ctx, c, version, change)
}

func (w *watchedHashes) Held(ctx context.Context, c semblance.CollectionID) (semblance.HashHolding, error) {
	h, err := w.HashIndex.Held(ctx, c)
	if w.behind {
		h.Entries--
	}
	return h, err
}

func (w *watchedHashes) Search(ctx context.Context, q semblance.HashQuery) ([][]semblance.HashNeighbor, error) {
	if w.broken {
		w.broken = false
		for _, c := range q.Collections {
			if err := w.Drop(ctx, c); err != nil {
				return nil, err
			}
		}
		return nil, semblance.Errorf(semblance.Internal, "the hash index of a collection is damaged")
	}
	return w.HashIndex.Search(ctx, q)
}

// A hash index follows a collection without being filled again, unless it lacks
// entries in the end; a damaged one is filled again, and the search goes on.
func TestHashIndexFollows(t *testing.T) {
	r := newRig(t)
	w := &watchedHashes{HashIndex: r.Hashes}
	r.Hashes = w
	r.collection("known", semblance.Hashes)
	list := func(from, to int) string {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "%064x\n", 1000+i)
		}
		return b.String()
	}
	has := func(i, replaced, updated int) {
		t.Helper()
		line := strings.TrimSpace(list(i, i+1))
		sum, err := r.Lookup(t.Context(), tester, semblance.LookupRequest{Case: "C1", Collections: []string{"known"}}, func() (string, error) {
			next := line
			if line = ""; next == "" {
				return "", io.EOF
			}
			return next, nil
		}, func(semblance.LookupResult) error { return nil })
		if err != nil || sum.Found != 1 {
			t.Fatalf("entry %d: %+v, %v", i, sum, err)
		}
		if w.replaced != replaced || w.updated != updated {
			t.Fatalf("entry %d: filled %d times and updated %d times, want %d and %d", i, w.replaced, w.updated, replaced, updated)
		}
	}
	r.list("known", list(0, 10))
	has(9, 1, 0)
	r.list("known", list(10, 15))
	has(14, 1, 1)
	has(0, 1, 1)
	r.list("known", list(15, 100)) // more than there were
	has(99, 2, 1)
	w.broken = true
	has(50, 3, 1)
	w.behind = true
	r.list("known", list(100, 101))
	has(100, 4, 2)
	has(3, 4, 2)
}
