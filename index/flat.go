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

var _ semblance.VectorIndex = (*Flat)(nil)

// A Flat is an exact index of vectors: it compares with every one. It implements
// [semblance.VectorIndex], in memory or, when opened on a folder, in files that are
// mapped. Close it.
type Flat struct {
	folder shelfFolder
	note   func(format string, args ...any)
	kernel string
	lanes  int // of a large search

	changes sync.Mutex // one change at a time
	tidying map[shelfKey]bool
	closed  bool
	work    sync.WaitGroup // tidying

	mu      sync.RWMutex // guards shelves; held for a moment only
	shelves map[shelfKey]*shelf
}

// NewFlat returns an index in memory that holds nothing.
func NewFlat() *Flat {
	all := kernels()
	return &Flat{
		folder: newShelfFolder(), note: func(string, ...any) {}, kernel: all[len(all)-1], lanes: runtime.GOMAXPROCS(0),
		tidying: map[shelfKey]bool{}, shelves: map[shelfKey]*shelf{},
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

// OpenFlat opens an index whose files are in a folder, which is made when it is not
// there and is nobody else's. What it held when it was last used it holds again at once:
// files are mapped, not read. A collection whose files are damaged or of another format
// is not held, and the files are removed. Bytes are checked when they are first used;
// when a search meets damage, it fails with Internal and the collection is not held from
// then on.
func OpenFlat(path string, o Options) (*Flat, error) {
	f := NewFlat()
	if o.Note != nil {
		f.note = o.Note
	}
	f.folder.Under(path, o.Mark, o.Known)
	held, err := f.folder.load(f.note)
	if err != nil {
		return nil, err
	}
	f.changes.Lock()
	defer f.changes.Unlock()
	f.shelves = held
	for k := range held {
		f.startTidying(k)
	}
	return f, nil
}

// Close waits until the index has tidied up its files. It is not used any more then.
func (f *Flat) Close() error {
	f.changes.Lock()
	f.closed = true
	f.changes.Unlock()
	f.work.Wait()
	return nil
}

// Version implements [semblance.VectorIndex].
func (f *Flat) Version(_ context.Context, space semblance.EngineSpec, c semblance.CollectionID) (int64, error) {
	if s := f.shelf(keyOf(space, c)); s != nil {
		return s.version, nil
	}
	return 0, nil
}

// Replace implements [semblance.VectorIndex]. Until entries has ended, searches
// see what was held before; when it yields an error, that stays.
func (f *Flat) Replace(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.VectorEntry, error]) error {
	if err := checkChange(space, version); err != nil {
		return err
	}
	key := keyOf(space, c)
	d := (&shelf{key: key}).draft(f.folder.keeper(key))
	err := f.fill(ctx, space, d, entries)
	if err == nil {
		d.version = version
		f.changes.Lock()
		defer f.changes.Unlock()
		err = f.swap(d.shelf)
	}
	if err != nil {
		f.folder.discardTrays(key, d.trays)
	}
	return err
}

func (f *Flat) fill(ctx context.Context, space semblance.EngineSpec, d *draft, entries iter.Seq2[semblance.VectorEntry, error]) error {
	for e, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = CheckVector(space, e.Vector)
		}
		if err == nil {
			err = d.put(e)
		}
		if err != nil {
			return err
		}
	}
	return d.seal()
}

// Update implements [semblance.VectorIndex].
func (f *Flat) Update(_ context.Context, space semblance.EngineSpec, c semblance.CollectionID, version int64, change semblance.VectorChange) error {
	if err := checkChange(space, version); err != nil {
		return err
	}
	for _, e := range change.Add {
		if err := CheckVector(space, e.Vector); err != nil {
			return err
		}
	}
	f.changes.Lock()
	defer f.changes.Unlock()
	key := keyOf(space, c)
	before := f.shelf(key)
	if before == nil {
		if f.otherSpec(key) {
			return mixed(space)
		}
		before = &shelf{key: key}
	}
	d := before.draft(f.folder.keeper(key))
	err := disk.Guarded(func() error { return d.apply(change) })
	if err == nil {
		d.version = version
		err = f.swap(d.shelf)
	}
	if err != nil {
		f.folder.discardTrays(key, d.trays[len(before.trays):])
		return f.failed(before, err)
	}
	runtime.KeepAlive(before)
	return nil
}

// apply puts a change into a draft.
func (d *draft) apply(change semblance.VectorChange) error {
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
	return d.seal()
}

// Drop implements [semblance.VectorIndex]. The files are gone when it returns.
func (f *Flat) Drop(_ context.Context, c semblance.CollectionID) error {
	f.changes.Lock()
	defer f.changes.Unlock()
	var errs []error
	for k := range f.held(func(k shelfKey) bool { return k.collection == c }) {
		errs = append(errs, f.folder.Remove(f.folder.of(k)))
		f.mu.Lock()
		delete(f.shelves, k)
		f.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Search implements [semblance.VectorIndex].
func (f *Flat) Search(ctx context.Context, q semblance.VectorQuery) ([][]semblance.Neighbor, error) {
	if err := checkSpace(q.Space); err != nil {
		return nil, err
	}
	if q.Subjects <= 0 {
		return nil, semblance.Errorf(semblance.Invalid, "a search asks for at least one subject, not %d", q.Subjects)
	}
	for _, v := range q.Vectors {
		if err := CheckVector(q.Space, v); err != nil {
			return nil, err
		}
	}
	shelves, err := f.asked(q)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(shelves) // their files stay mapped
	out, err := search(ctx, q, shelves, f.kernel, f.lanes)
	if errors.Is(err, disk.ErrDamaged) {
		f.changes.Lock()
		defer f.changes.Unlock()
		for _, s := range shelves {
			err = f.failed(s.shelf, err)
		}
	}
	return out, err
}

// asked returns the shelves of a query as they are now, each collection once.
func (f *Flat) asked(q semblance.VectorQuery) ([]heldShelf, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []heldShelf
	seen := map[semblance.CollectionID]bool{}
	for _, c := range q.Collections {
		if seen[c] {
			continue
		}
		seen[c] = true
		key := keyOf(q.Space, c)
		s := f.shelves[key]
		if s == nil {
			for k := range f.shelves {
				if k.signal == key.signal && k.collection == c {
					return nil, mixed(q.Space)
				}
			}
			return nil, notHeld(c)
		}
		out = append(out, heldShelf{c, s})
	}
	return out, nil
}

// failed returns the error of a shelf. One that is damaged is thrown away, with its
// files, unless it was replaced already. The caller holds changes.
func (f *Flat) failed(s *shelf, err error) error {
	if !errors.Is(err, disk.ErrDamaged) {
		return err
	}
	if f.shelf(s.key) == s && disk.Guarded(func() error { return s.checkAll() }) != nil {
		f.note("the vector index of collection %s was damaged and is made again", s.key.collection)
		f.mu.Lock()
		delete(f.shelves, s.key)
		f.mu.Unlock()
		if err := f.folder.Remove(f.folder.of(s.key)); err != nil {
			f.note("the damaged files of the vector index are not removed: %v", err)
		}
	}
	return semblance.Errorf(semblance.Internal, "the vector index of a collection is damaged").
		WithHint("Try again: it is made again from the store. When it happens more than once, look after the disk.").WithCause(err)
}

// shelf returns what is held, or nil.
func (f *Flat) shelf(k shelfKey) *shelf {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.shelves[k]
}

// held returns the shelves whose keys are wanted.
func (f *Flat) held(want func(shelfKey) bool) map[shelfKey]*shelf {
	f.mu.RLock()
	defer f.mu.RUnlock()
	out := map[shelfKey]*shelf{}
	for k, s := range f.shelves {
		if want(k) {
			out[k] = s
		}
	}
	return out
}

// otherSpec reports whether a collection is held under the same signal with other
// dimensions or another metric.
func (f *Flat) otherSpec(key shelfKey) bool {
	return len(f.held(func(k shelfKey) bool { return k.signal == key.signal && k.collection == key.collection && k != key })) > 0
}

// swap makes a shelf the one that is held, first on disk. The caller holds changes.
func (f *Flat) swap(s *shelf) error {
	if err := f.folder.commit(s); err != nil {
		return err
	}
	others := f.held(func(k shelfKey) bool { return k.signal == s.key.signal && k.collection == s.key.collection })
	f.mu.Lock()
	for k := range others { // also one of another spec under the same signal
		delete(f.shelves, k)
	}
	f.shelves[s.key] = s
	f.mu.Unlock()
	for k, old := range others {
		f.folder.retire(old, s)
		if k != s.key {
			if err := f.folder.Remove(f.folder.of(k)); err != nil {
				return err
			}
		}
	}
	f.startTidying(s.key)
	return nil
}

func checkChange(space semblance.EngineSpec, version int64) error {
	if err := checkSpace(space); err != nil {
		return err
	}
	return checkVersion(version)
}

// mixed is the error of two specs under one signal.
func mixed(space semblance.EngineSpec) error {
	return semblance.Errorf(semblance.ModelMismatch, "the index holds vectors of %s with another length", space.Signal()).
		WithHint("Raise the version of an engine whose embeddings change, and enroll the collection again.")
}
