package index

import (
	"context"
	"iter"
	"sync"

	"semblance"
)

var _ semblance.VectorIndex = (*Flat)(nil)

// A Flat is an exact index of vectors: it compares with every one. It implements
// [semblance.VectorIndex] and keeps everything in memory.
type Flat struct {
	changes sync.Mutex   // one change at a time
	mu      sync.RWMutex // guards shelves; held for a moment only
	shelves map[shelfKey]*shelf
	spare   sync.Pool // of *workspace, which are as large as collections
}

// A shelfKey names what is held together: the vectors of a collection in a space.
type shelfKey struct {
	signal     string
	collection semblance.CollectionID
}

// NewFlat returns an index that holds nothing.
func NewFlat() *Flat { return &Flat{shelves: map[shelfKey]*shelf{}} }

// Version implements [semblance.VectorIndex].
func (f *Flat) Version(_ context.Context, space semblance.EngineSpec, c semblance.CollectionID) (int64, error) {
	if s := f.shelf(space, c); s != nil {
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
	s := newShelf(space)
	for e, err := range entries {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = CheckVector(space, e.Vector)
		}
		if err != nil {
			return err
		}
		s.put(e)
	}
	s.seal()
	s.version = version
	f.changes.Lock()
	defer f.changes.Unlock()
	f.swap(space, c, s)
	return nil
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
	s := f.shelf(space, c)
	if s == nil {
		s = newShelf(space)
	}
	s, err := s.with(space, change)
	if err != nil {
		return err
	}
	s.version = version
	f.swap(space, c, s)
	return nil
}

// Drop implements [semblance.VectorIndex].
func (f *Flat) Drop(_ context.Context, c semblance.CollectionID) error {
	f.changes.Lock()
	defer f.changes.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range f.shelves {
		if k.collection == c {
			delete(f.shelves, k)
		}
	}
	return nil
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
	shelves, err := f.held(q)
	if err != nil {
		return nil, err
	}
	w, ok := f.spare.Get().(*workspace)
	if !ok {
		w = &workspace{}
	}
	defer f.spare.Put(w)
	return search(ctx, q, shelves, w)
}

// A heldShelf is a shelf of a search with its collection.
type heldShelf struct {
	collection semblance.CollectionID
	*shelf
}

// held returns the shelves of a query as they are now, each collection once.
func (f *Flat) held(q semblance.VectorQuery) ([]heldShelf, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var out []heldShelf
	seen := map[semblance.CollectionID]bool{}
	for _, c := range q.Collections {
		if seen[c] {
			continue
		}
		seen[c] = true
		s := f.shelves[shelfKey{q.Space.Signal(), c}]
		if s == nil {
			return nil, notHeld(c)
		}
		if s.dims != q.Space.Dimensions || s.metric != q.Space.Metric {
			return nil, mixed(q.Space)
		}
		out = append(out, heldShelf{c, s})
	}
	return out, nil
}

func (f *Flat) shelf(space semblance.EngineSpec, c semblance.CollectionID) *shelf {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.shelves[shelfKey{space.Signal(), c}]
}

func (f *Flat) swap(space semblance.EngineSpec, c semblance.CollectionID, s *shelf) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shelves[shelfKey{space.Signal(), c}] = s
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
