package supplied

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

var _ semblance.HashIndex = (*Index)(nil)

// An Index finds supplied values within a distance, completely. It implements
// [semblance.HashIndex], in memory or, when opened on a folder, in files that are mapped.
// Close it.
type Index struct {
	folder shelfFolder
	note   func(format string, args ...any)
	kernel string
	lanes  int // of a large search

	changes sync.Mutex // one change at a time
	tidying map[semblance.CollectionID]bool
	closed  bool
	work    sync.WaitGroup // tidying

	mu      sync.RWMutex // guards shelves; held for a moment only
	shelves map[semblance.CollectionID]*shelf
}

// New returns an index in memory that holds nothing.
func New() *Index {
	all := kernels()
	return &Index{
		folder: newShelfFolder(), note: func(string, ...any) {}, kernel: all[len(all)-1], lanes: runtime.GOMAXPROCS(0),
		tidying: map[semblance.CollectionID]bool{}, shelves: map[semblance.CollectionID]*shelf{},
	}
}

// Options are what an index in files is told about the store it is derived from. All of
// them may be nil.
type Options struct {
	// Note is told what an administrator should know.
	Note func(format string, args ...any)
	// Mark returns a mark of the store's history as it is now. Every change of the index
	// keeps it.
	Mark func() (string, error)
	// Known reports whether a mark is of the store's history. What is held under a mark
	// that is not is thrown away: another store, or an older copy, may give the same
	// version to other content.
	Known func(mark string) (bool, error)
}

// Open opens an index whose files are in a folder, which is made when it is not there
// and is nobody else's. What it held when it was last used it holds again at once: files
// are mapped, not read. A collection whose files are damaged or of another format is not
// held, and the files are removed. Bytes are checked when they are first used; when a
// search meets damage, it fails with Internal and the collection is not held from then
// on.
func Open(path string, o Options) (*Index, error) {
	x := New()
	if o.Note != nil {
		x.note = o.Note
	}
	x.folder.Under(path, o.Mark, o.Known)
	held, err := x.folder.load(x.note)
	if err != nil {
		return nil, err
	}
	x.changes.Lock()
	defer x.changes.Unlock()
	x.shelves = held
	for c := range held {
		x.startTidying(c)
	}
	return x, nil
}

// Close waits until the index has tidied up its files. It is not used any more then.
func (x *Index) Close() error {
	x.changes.Lock()
	x.closed = true
	x.changes.Unlock()
	x.work.Wait()
	return nil
}

// Held implements [semblance.HashIndex].
func (x *Index) Held(_ context.Context, c semblance.CollectionID) (semblance.HashHolding, error) {
	s := x.shelf(c)
	if s == nil {
		return semblance.HashHolding{}, nil
	}
	h := semblance.HashHolding{Version: s.version}
	err := disk.Guarded(func() error {
		for i, t := range s.trays {
			h.Entries += int64(t.Rows) - int64(s.gone[i].len())
			last, err := t.id(int(t.Rows) - 1)
			if err != nil {
				return err
			}
			h.Last = max(h.Last, last)
		}
		return nil
	})
	runtime.KeepAlive(s)
	if errors.Is(err, disk.ErrDamaged) { // it is not held any more
		x.changes.Lock()
		defer x.changes.Unlock()
		_ = x.failed(s, err)
		return semblance.HashHolding{}, nil
	}
	return h, err
}

// Replace implements [semblance.HashIndex]. Until entries has ended, searches see what
// was held before; when it yields an error, that stays.
func (x *Index) Replace(ctx context.Context, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.HashEntry, error]) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	d, err := (&shelf{collection: c}).draft(x.folder.keeper(c))
	if err != nil {
		return err
	}
	for e, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = checkValue(e.Algorithm, e.Value)
		}
		if err == nil {
			err = d.put(e)
		}
		if err != nil {
			x.folder.discardTrays(c, d.trays)
			return err
		}
	}
	x.changes.Lock()
	defer x.changes.Unlock()
	return x.finish(d, nil, version)
}

// Update implements [semblance.HashIndex].
func (x *Index) Update(_ context.Context, c semblance.CollectionID, version int64, change semblance.HashChange) error {
	if err := checkVersion(version); err != nil {
		return err
	}
	for _, e := range change.Add {
		if err := checkValue(e.Algorithm, e.Value); err != nil {
			return err
		}
	}
	x.changes.Lock()
	defer x.changes.Unlock()
	before := x.shelf(c)
	if before == nil {
		before = &shelf{collection: c}
	}
	var d *draft
	err := disk.Guarded(func() (err error) {
		if d, err = before.draft(x.folder.keeper(c)); err != nil {
			return err
		}
		for _, id := range change.Remove {
			if err := d.remove(id); err != nil {
				return err
			}
		}
		for _, e := range change.Add {
			if err := d.put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if d != nil {
			x.folder.discardTrays(c, d.trays[len(before.trays):])
		}
		return x.failed(before, err)
	}
	return x.failed(before, x.finish(d, before, version))
}

// finish seals a draft and makes it the one that is held. Nothing is left of it when that
// fails. The caller holds changes.
func (x *Index) finish(d *draft, before *shelf, version int64) error {
	err := d.finish()
	if err == nil {
		d.version = version
		err = x.swap(d.shelf)
	}
	if err != nil {
		kept := 0
		if before != nil {
			kept = len(before.trays)
		}
		x.folder.discardTrays(d.collection, d.trays[kept:])
	}
	return err
}

// Drop implements [semblance.HashIndex]. The files are gone when it returns.
func (x *Index) Drop(_ context.Context, c semblance.CollectionID) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	if x.shelf(c) == nil {
		return nil
	}
	err := x.folder.Remove(x.folder.of(c))
	x.mu.Lock()
	delete(x.shelves, c)
	x.mu.Unlock()
	return err
}

// Search implements [semblance.HashIndex]. Distances are of the algorithm's own metric
// ([hashing.Algorithm.Metric]).
func (x *Index) Search(ctx context.Context, q semblance.HashQuery) ([][]semblance.HashNeighbor, error) {
	for _, v := range q.Values {
		if err := checkValue(q.Algorithm, v); err != nil {
			return nil, err
		}
	}
	if !q.Algorithm.IsSupplied() {
		return nil, notSupplied(q.Algorithm)
	}
	metric, width := q.Algorithm.Metric(), q.Algorithm.Bits()/8
	if most := metric.Farthest(width); q.Radius < 0 || q.Radius > most {
		return nil, semblance.Errorf(semblance.Invalid, "a distance of %s is between 0 and %d (%s), not %d", string(q.Algorithm), most, metric, q.Radius)
	}
	shelves, err := x.asked(q)
	if err != nil {
		return nil, err
	}
	s := &search{algorithm: q.Algorithm, metric: metric, radius: q.Radius, kernel: x.kernel, parts: partsOf(q.Algorithm, shelves)}
	for _, v := range q.Values {
		s.probes = append(s.probes, newProbe(q.Algorithm, v, q.Radius))
	}
	out, err := s.run(ctx, x.lanes)
	if errors.Is(err, disk.ErrDamaged) {
		x.changes.Lock()
		defer x.changes.Unlock()
		for _, held := range shelves {
			err = x.failed(held, err)
		}
	}
	runtime.KeepAlive(shelves) // their files stay mapped
	return out, err
}

// asked returns the shelves of a query as they are now, each collection once.
func (x *Index) asked(q semblance.HashQuery) ([]*shelf, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []*shelf
	seen := map[semblance.CollectionID]bool{}
	for _, c := range q.Collections {
		if seen[c] {
			continue
		}
		seen[c] = true
		s := x.shelves[c]
		if s == nil {
			return nil, semblance.Errorf(semblance.Internal, "the index does not hold collection %s", string(c)).
				WithHint("Fill the index from the store before searching; an empty answer would hide what is there.")
		}
		out = append(out, s)
	}
	return out, nil
}

// partsOf cuts the trays of an algorithm into parts.
func partsOf(a hashing.Algorithm, shelves []*shelf) []part {
	var out []part
	for _, s := range shelves {
		for i, t := range s.trays {
			if t.algorithm != a {
				continue
			}
			for from := 0; from < int(t.Rows); from += partRows {
				out = append(out, part{collection: s.collection, tray: t, gone: s.gone[i], from: from, to: min(from+partRows, int(t.Rows))})
			}
		}
	}
	return out
}

// failed returns the error of a shelf. One that is damaged is thrown away, with its
// files, unless it was replaced already. The caller holds changes.
func (x *Index) failed(s *shelf, err error) error {
	if !errors.Is(err, disk.ErrDamaged) {
		return err
	}
	if x.shelf(s.collection) == s && s.checkAll() != nil {
		x.note("the index of supplied values of collection %s was damaged and is made again", s.collection)
		x.mu.Lock()
		delete(x.shelves, s.collection)
		x.mu.Unlock()
		if err := x.folder.Remove(x.folder.of(s.collection)); err != nil {
			x.note("the damaged files of the index of supplied values are not removed: %v", err)
		}
	}
	return semblance.Errorf(semblance.Internal, "the index of supplied values of a collection is damaged").
		WithHint("Try again: it is made again from the store. When it happens more than once, look after the disk.").WithCause(err)
}

func (s *shelf) checkAll() error {
	return disk.Guarded(func() error {
		for _, t := range s.trays {
			if err := t.checkAll(); err != nil {
				return err
			}
		}
		return nil
	})
}

// shelf returns what is held, or nil.
func (x *Index) shelf(c semblance.CollectionID) *shelf {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.shelves[c]
}

// swap makes a shelf the one that is held, first on disk. The caller holds changes.
func (x *Index) swap(s *shelf) error {
	if err := x.folder.commit(s); err != nil {
		return err
	}
	x.mu.Lock()
	old := x.shelves[s.collection]
	x.shelves[s.collection] = s
	x.mu.Unlock()
	if old != nil {
		x.folder.retire(old, s)
	}
	x.startTidying(s.collection)
	return nil
}

// checkValue refuses values that are not of a supplied algorithm.
func checkValue(a hashing.Algorithm, value []byte) error {
	switch n := a.Bits() / 8; {
	case !a.IsSupplied():
		return notSupplied(a)
	case len(value) != n:
		return semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", string(a), n, len(value))
	}
	return nil
}

func notSupplied(a hashing.Algorithm) error {
	return semblance.Errorf(semblance.Invalid, "%q is not an algorithm of supplied values", string(a))
}

// checkVersion refuses 0, which means that nothing is held.
func checkVersion(version int64) error {
	if version <= 0 {
		return semblance.Errorf(semblance.Invalid, "an index cannot hold version %d of a collection", version)
	}
	return nil
}
