package index

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"

	"semblance"
	"semblance/hashing"
)

var _ semblance.HashIndex = (*Hashes)(nil)

// A Hashes is a complete index of digests and perceptual hashes: it returns every
// entry within the radius. It implements [semblance.HashIndex] and keeps everything
// in memory.
type Hashes struct {
	changes sync.Mutex   // one change at a time
	mu      sync.RWMutex // guards held; for a moment only
	held    map[semblance.CollectionID]*catalog
}

// A catalog is what is held of one collection. It is never changed; a successor
// shares its segments.
type catalog struct {
	version int64
	tables  map[hashing.Algorithm]*table
}

// NewHashes returns an index that holds nothing.
func NewHashes() *Hashes { return &Hashes{held: map[semblance.CollectionID]*catalog{}} }

// Version implements [semblance.HashIndex].
func (h *Hashes) Version(_ context.Context, c semblance.CollectionID) (int64, error) {
	if k := h.catalog(c); k != nil {
		return k.version, nil
	}
	return 0, nil
}

// Replace implements [semblance.HashIndex]. Until entries has ended, searches see
// what was held before; when it yields an error, that stays.
func (h *Hashes) Replace(ctx context.Context, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.HashEntry, error]) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	lists := map[hashing.Algorithm]*list{}
	for e, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = put(lists, e)
		}
		if err != nil {
			return err
		}
	}
	k := (&catalog{}).with(version, lists)
	h.changes.Lock()
	defer h.changes.Unlock()
	h.swap(c, k)
	return nil
}

// Add implements [semblance.HashIndex]. Either all entries are added or none. An
// entry that is held already may be added again; it is returned once.
func (h *Hashes) Add(_ context.Context, c semblance.CollectionID, version int64, entries ...semblance.HashEntry) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	lists := map[hashing.Algorithm]*list{}
	for _, e := range entries {
		if err := put(lists, e); err != nil {
			return err
		}
	}
	h.changes.Lock()
	defer h.changes.Unlock()
	k := h.catalog(c)
	if k == nil {
		k = &catalog{}
	}
	h.swap(c, k.with(version, lists))
	return nil
}

// Drop implements [semblance.HashIndex].
func (h *Hashes) Drop(_ context.Context, c semblance.CollectionID) error {
	h.changes.Lock()
	defer h.changes.Unlock()
	h.swap(c, nil)
	return nil
}

// Search implements [semblance.HashIndex]. A radius of a digest is refused, and so
// are values that are not as long as their algorithm's.
func (h *Hashes) Search(ctx context.Context, q semblance.HashQuery) ([][]semblance.HashNeighbor, error) {
	if err := checkHashQuery(q); err != nil {
		return nil, err
	}
	tables, err := h.tables(q)
	if err != nil {
		return nil, err
	}
	out := make([][]semblance.HashNeighbor, len(q.Values))
	var near []near
	for i, v := range q.Values {
		for _, t := range tables {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			near = t.within(v, q.Radius, near[:0])
			for _, n := range near {
				out[i] = append(out[i], semblance.HashNeighbor{Entry: n.id, Collection: t.collection, Distance: n.distance})
			}
		}
		slices.SortFunc(out[i], byHashDistance)
		out[i] = slices.Compact(out[i])
	}
	return out, nil
}

// byHashDistance orders neighbors nearest first, ties by collection and entry.
func byHashDistance(a, b semblance.HashNeighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
}

// A heldTable is a table of a search with its collection.
type heldTable struct {
	collection semblance.CollectionID
	*table
}

// tables returns the tables of a query as they are now, each collection once.
func (h *Hashes) tables(q semblance.HashQuery) ([]heldTable, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []heldTable
	seen := map[semblance.CollectionID]bool{}
	for _, c := range q.Collections {
		if seen[c] {
			continue
		}
		seen[c] = true
		k := h.held[c]
		if k == nil {
			return nil, notHeld(c)
		}
		if t := k.tables[q.Algorithm]; t != nil {
			out = append(out, heldTable{c, t})
		}
	}
	return out, nil
}

func (h *Hashes) catalog(c semblance.CollectionID) *catalog {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.held[c]
}

func (h *Hashes) swap(c semblance.CollectionID, k *catalog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k == nil {
		delete(h.held, c)
		return
	}
	h.held[c] = k
}

// with returns a successor that holds the lists too.
func (k *catalog) with(version int64, lists map[hashing.Algorithm]*list) *catalog {
	next := &catalog{version: version, tables: make(map[hashing.Algorithm]*table, len(k.tables)+len(lists))}
	for a, t := range k.tables {
		next.tables[a] = t
	}
	for a, l := range lists {
		t := next.tables[a]
		if t == nil {
			t = &table{algorithm: a}
		}
		next.tables[a] = t.with(l)
	}
	return next
}

// put adds an entry to the list of its algorithm.
func put(lists map[hashing.Algorithm]*list, e semblance.HashEntry) error {
	if err := checkHash(e.Algorithm, e.Value); err != nil {
		return err
	}
	l := lists[e.Algorithm]
	if l == nil {
		l = &list{width: len(e.Value)}
		lists[e.Algorithm] = l
	}
	l.add(e.Value, e.ID)
	return nil
}

// checkHash refuses values that are not of the algorithm.
func checkHash(a hashing.Algorithm, value []byte) error {
	switch bits := a.Bits(); {
	case bits == 0:
		return semblance.Errorf(semblance.Invalid, "no hash algorithm is called %q", string(a))
	case len(value)*8 != bits:
		return semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", string(a), bits/8, len(value))
	}
	return nil
}

// checkHashQuery refuses what has no answer.
func checkHashQuery(q semblance.HashQuery) error {
	bits := q.Algorithm.Bits()
	if bits == 0 {
		return semblance.Errorf(semblance.Invalid, "no hash algorithm is called %q", string(q.Algorithm))
	}
	for _, v := range q.Values {
		if err := checkHash(q.Algorithm, v); err != nil {
			return err
		}
	}
	if q.Radius < 0 || q.Radius > bits {
		return semblance.Errorf(semblance.Invalid, "a radius of %s is between 0 and %d, not %d", string(q.Algorithm), bits, q.Radius)
	}
	if q.Algorithm.IsDigest() && q.Radius != 0 {
		return semblance.Errorf(semblance.Invalid, "digests are equal or not; %s has no radius %d", string(q.Algorithm), q.Radius)
	}
	return nil
}
