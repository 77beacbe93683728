package index

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"semblance"
	"semblance/index/disk"
)

var _ semblance.HashIndex = (*Hashes)(nil)

// A Hashes is a complete index of digests and perceptual hashes: it returns every
// entry within the radius. It implements [semblance.HashIndex], in memory or, when
// opened on a folder, in files that are mapped. Close it.
type Hashes struct {
	folder catalogFolder
	note   func(format string, args ...any)
	means

	changes sync.Mutex // one change at a time
	merging map[*segment]bool
	merges  int // under way
	closed  bool
	work    sync.WaitGroup // merges

	mu   sync.RWMutex // guards held; for a moment only
	held map[semblance.CollectionID]*catalog
}

// NewHashes returns an index in memory that holds nothing.
func NewHashes() *Hashes {
	all := hashKernels()
	return &Hashes{
		folder: newCatalogFolder(), note: func(string, ...any) {}, means: meansOf(all[len(all)-1], runtime.GOMAXPROCS(0)),
		merging: map[*segment]bool{}, held: map[semblance.CollectionID]*catalog{},
	}
}

// OpenHashes opens an index whose files are in a folder, which is made when it is not
// there and is nobody else's. What it held when it was last used it holds again at once:
// files are mapped, not read. A collection whose files are damaged or of another format
// is not held, and the files are removed. Bytes are checked when they are first used;
// when a search meets damage, it fails with Internal and the collection is not held from
// then on.
func OpenHashes(path string, o Options) (*Hashes, error) {
	h := NewHashes()
	if o.Note != nil {
		h.note = o.Note
	}
	h.folder.Under(path, o.Mark, o.Known)
	held, err := h.folder.load(h.note)
	if err != nil {
		return nil, err
	}
	h.changes.Lock()
	defer h.changes.Unlock()
	h.held = held
	for c := range held {
		h.startMerging(c)
	}
	return h, nil
}

// Close waits until the index has merged its files. It is not used any more then.
func (h *Hashes) Close() error {
	h.changes.Lock()
	h.closed = true
	h.changes.Unlock()
	h.work.Wait()
	return nil
}

// Held implements [semblance.HashIndex].
func (h *Hashes) Held(_ context.Context, c semblance.CollectionID) (semblance.HashHolding, error) {
	if k := h.catalog(c); k != nil {
		return k.holding(), nil
	}
	return semblance.HashHolding{}, nil
}

// Replace implements [semblance.HashIndex]. Until entries has ended, searches see
// what was held before; when it yields an error, that stays.
func (h *Hashes) Replace(ctx context.Context, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.HashEntry, error]) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	d := (&catalog{collection: c}).draft(h.folder.scribe(c, h.lanes))
	err := disk.Guarded(func() error { return d.fill(ctx, entries) })
	if err == nil {
		d.version = version
		h.changes.Lock()
		defer h.changes.Unlock()
		err = h.swap(d.catalog)
	}
	if err != nil {
		d.scribe.discard(d.segments...)
	}
	return err
}

func (d *hashDraft) fill(ctx context.Context, entries iter.Seq2[semblance.HashEntry, error]) error {
	for e, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = d.put(e)
		}
		if err != nil {
			return err
		}
	}
	return d.finish()
}

// Update implements [semblance.HashIndex].
func (h *Hashes) Update(_ context.Context, c semblance.CollectionID, version int64, change semblance.HashChange) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	for _, e := range change.Add {
		if err := checkHash(e.Algorithm, e.Value); err != nil {
			return err
		}
	}
	h.changes.Lock()
	defer h.changes.Unlock()
	before := h.catalog(c)
	if before == nil {
		before = &catalog{collection: c}
	}
	d := before.draft(h.folder.scribe(c, h.lanes))
	err := disk.Guarded(func() error { return d.apply(change) })
	if err == nil {
		d.version = version
		err = h.swap(d.catalog)
	}
	if err != nil {
		d.scribe.discard(d.fresh(before)...)
		return h.failed(before, err)
	}
	runtime.KeepAlive(before)
	return nil
}

// fresh returns the segments that a catalog has not.
func (d *hashDraft) fresh(before *catalog) []*segment {
	had := map[*segment]bool{}
	for _, s := range before.segments {
		had[s] = true
	}
	var out []*segment
	for _, s := range d.segments {
		if !had[s] {
			out = append(out, s)
		}
	}
	return out
}

// apply puts a change into a draft.
func (d *hashDraft) apply(change semblance.HashChange) error {
	ids := make([]int64, len(change.Remove))
	for i, id := range change.Remove {
		ids[i] = int64(id)
	}
	if err := d.remove(ids); err != nil {
		return err
	}
	for _, e := range change.Add {
		if err := d.put(e); err != nil {
			return err
		}
	}
	return d.finish()
}

// Drop implements [semblance.HashIndex]. The files are gone when it returns.
func (h *Hashes) Drop(_ context.Context, c semblance.CollectionID) error {
	h.changes.Lock()
	defer h.changes.Unlock()
	if h.catalog(c) == nil {
		return nil
	}
	err := h.folder.Remove(h.folder.of(c))
	h.forget(c)
	return err
}

// Search implements [semblance.HashIndex]. A radius of a digest is refused, and so
// are values that are not as long as their algorithm's.
func (h *Hashes) Search(ctx context.Context, q semblance.HashQuery) ([][]semblance.HashNeighbor, error) {
	if err := checkHashQuery(q); err != nil {
		return nil, err
	}
	catalogs, segments, err := h.asked(q)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(catalogs) // their files stay mapped
	out, err := searchHashes(ctx, q, segments, h.means)
	if errors.Is(err, disk.ErrDamaged) {
		h.changes.Lock()
		defer h.changes.Unlock()
		for _, c := range catalogs {
			err = h.failed(c, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// asked returns the catalogs of a query as they are now, each once, and their segments of
// the query's algorithm.
func (h *Hashes) asked(q semblance.HashQuery) (catalogs []*catalog, segments []heldSegment, err error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	seen := map[semblance.CollectionID]bool{}
	for _, c := range q.Collections {
		if seen[c] {
			continue
		}
		seen[c] = true
		k := h.held[c]
		if k == nil {
			return nil, nil, notHeld(c)
		}
		catalogs = append(catalogs, k)
		for i, s := range k.segments {
			if s.algorithm == q.Algorithm && s.Rows > 0 {
				segments = append(segments, heldSegment{s, c, k.gone[i]})
			}
		}
	}
	return catalogs, segments, nil
}

// failed returns the error of a catalog. One that is damaged is thrown away, with its
// files, unless it was replaced already. The caller holds changes.
func (h *Hashes) failed(c *catalog, err error) error {
	if !errors.Is(err, disk.ErrDamaged) {
		return err
	}
	if h.catalog(c.collection) == c && disk.Guarded(c.sound) != nil {
		h.note("the hash index of collection %s was damaged and is made again", c.collection)
		h.forget(c.collection)
		if err := h.folder.Remove(h.folder.of(c.collection)); err != nil {
			h.note("the damaged files of the hash index are not removed: %v", err)
		}
	}
	return semblance.Errorf(semblance.Internal, "the hash index of a collection is damaged").
		WithHint("Try again: it is made again from the store. When it happens more than once, look after the disk.").WithCause(err)
}

// sound makes sure of everything.
func (c *catalog) sound() error {
	for _, s := range c.segments {
		if err := s.sound(); err != nil {
			return err
		}
		if err := s.soundSlots(); err != nil {
			return err
		}
	}
	return nil
}

// catalog returns what is held, or nil.
func (h *Hashes) catalog(c semblance.CollectionID) *catalog {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.held[c]
}

func (h *Hashes) forget(c semblance.CollectionID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, c)
}

// swap makes a catalog the one that is held, first on disk. The caller holds changes.
func (h *Hashes) swap(c *catalog) error {
	if err := h.folder.commit(c); err != nil {
		return err
	}
	old := h.catalog(c.collection)
	h.mu.Lock()
	h.held[c.collection] = c
	h.mu.Unlock()
	if old != nil {
		h.folder.retire(old, c)
	}
	h.startMerging(c.collection)
	return nil
}
