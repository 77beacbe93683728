package frames

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/disk"
)

var _ semblance.VideoIndex = (*Index)(nil)

// frameBits number the frames of an entry: hashing.MaxVPDQFrames of them.
const (
	frameBits = 20
	mostEntry = 1<<(62-frameBits) - 1
)

// frameID is the number of an entry's n-th frame, from 0.
func frameID(id int64, n uint32) semblance.EntryID {
	return semblance.EntryID(id<<frameBits | int64(n))
}

// An Index holds the video entries of collections. Close it.
type Index struct {
	folder shelfFolder
	note   func(format string, args ...any)
	frames *index.Hashes

	changes sync.Mutex   // one change at a time
	mu      sync.RWMutex // guards held; for a moment only
	held    map[semblance.CollectionID]*shelf
}

// New returns an index in memory that holds nothing.
func New() *Index {
	return &Index{folder: newShelfFolder(), note: func(string, ...any) {}, frames: index.NewHashes(), held: map[semblance.CollectionID]*shelf{}}
}

// Open opens an index whose files are in a folder, which is made when it is not there and
// is nobody else's. What it held when it was last used it holds again at once. A
// collection whose files are damaged or of another format is not held, and the files are removed.
func Open(path string, o index.Options) (*Index, error) {
	x := New()
	if o.Note != nil {
		x.note = o.Note
	}
	x.folder.Under(filepath.Join(path, "videos"), o.Mark, o.Known)
	var err error
	if x.held, err = x.folder.load(x.note); err != nil {
		return nil, err
	}
	x.frames, err = index.OpenHashes(filepath.Join(path, "hashes"), o)
	return x, err
}

// Close waits until the index has merged its files. It is not used any more then.
func (x *Index) Close() error { return x.frames.Close() }

// shelf returns what is held of a collection, nil when the frames are of another version.
func (x *Index) shelf(ctx context.Context, c semblance.CollectionID) (*shelf, error) {
	x.mu.RLock()
	s := x.held[c]
	x.mu.RUnlock()
	if s == nil {
		return nil, nil
	}
	f, err := x.frames.Held(ctx, c)
	if err != nil || f.Version != s.version {
		return nil, err
	}
	return s, nil
}

// Held implements [semblance.HashIndex]. Entries are videos, not frames.
func (x *Index) Held(ctx context.Context, c semblance.CollectionID) (semblance.HashHolding, error) {
	s, err := x.shelf(ctx, c)
	if s == nil || err != nil {
		return semblance.HashHolding{}, err
	}
	return s.holding(), nil
}

// errStop ends the reading of entries of which nobody wants more.
var errStop = errors.New("stop")

// Replace implements [semblance.HashIndex].
func (x *Index) Replace(ctx context.Context, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.HashEntry, error]) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	var w writer
	err := x.frames.Replace(ctx, c, version, func(yield func(semblance.HashEntry, error) bool) {
		for h, err := range entries {
			if err == nil {
				err = w.add(h, func(f semblance.HashEntry) error {
					if !yield(f, nil) {
						return errStop
					}
					return nil
				})
			}
			switch {
			case err == nil:
				continue
			case !errors.Is(err, errStop):
				yield(semblance.HashEntry{}, err)
			}
			return
		}
	})
	if err != nil {
		return err
	}
	return x.put(&shelf{collection: c, version: version}, &w)
}

// Update implements [semblance.HashIndex].
func (x *Index) Update(ctx context.Context, c semblance.CollectionID, version int64, change semblance.HashChange) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	s, err := x.shelf(ctx, c)
	if err != nil {
		return err
	}
	if s == nil {
		s = &shelf{collection: c}
	}
	var frames semblance.HashChange
	var w writer
	ids := map[int64]bool{}
	for _, id := range change.Remove {
		ids[int64(id)] = true
	}
	for _, h := range change.Add {
		ids[int64(h.ID)] = true
		err := w.add(h, func(f semblance.HashEntry) error {
			f.Value = slices.Clone(f.Value)
			frames.Add = append(frames.Add, f)
			return nil
		})
		if err != nil {
			return err
		}
	}
	next, gone := s.without(ids)
	frames.Remove, next.version = gone, version
	if err := x.frames.Update(ctx, c, version, frames); err != nil {
		return err
	}
	err = x.put(next, &w)
	runtime.KeepAlive(s)
	return err
}

// put makes a shelf, with a reel of what was gathered, the one that is held. The caller
// holds changes.
func (x *Index) put(s *shelf, w *writer) error {
	err := disk.Guarded(func() error { return s.absorb(w) })
	if errors.Is(err, disk.ErrDamaged) {
		return x.damaged(s.collection, err)
	}
	if len(w.entries) > 0 {
		r, err := x.folder.reel(s.collection, w)
		if err != nil {
			return err
		}
		s.reels, s.gone = append(s.reels, r), append(s.gone, nil)
	}
	if err := x.folder.commit(s); err != nil {
		return err
	}
	x.mu.Lock()
	old := x.held[s.collection]
	x.held[s.collection] = s
	x.mu.Unlock()
	if old != nil {
		for _, r := range old.reels {
			if !slices.Contains(s.reels, r) {
				x.folder.Discard(x.folder.Of(string(s.collection)), r.file)
			}
		}
	}
	return nil
}

// damaged forgets a collection, with its files. The caller holds changes.
func (x *Index) damaged(c semblance.CollectionID, err error) error {
	x.note("the index of videos of collection %s was damaged and is made again", c)
	if err := x.forget(c); err != nil {
		x.note("the damaged files of the index of videos are not removed: %v", err)
	}
	return semblance.Errorf(semblance.Internal, "the index of videos of a collection is damaged").
		WithHint("Try again: it is made again from the store. When it happens more than once, look after the disk.").WithCause(err)
}

func (x *Index) forget(c semblance.CollectionID) error {
	x.mu.Lock()
	delete(x.held, c)
	x.mu.Unlock()
	return x.folder.Remove(x.folder.Of(string(c)))
}

// Drop implements [semblance.HashIndex]. The files are gone when it returns.
func (x *Index) Drop(ctx context.Context, c semblance.CollectionID) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	return errors.Join(x.forget(c), x.frames.Drop(ctx, c))
}

// Search implements [semblance.HashIndex] for the frames of videos: each entry once, at
// the distance of its nearest frame. The algorithm asked for is a vPDQ's, of either version.
func (x *Index) Search(ctx context.Context, q semblance.HashQuery) ([][]semblance.HashNeighbor, error) {
	q.Algorithm = hashing.AlgorithmPDQ
	res, err := x.frames.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	for i, list := range res {
		seen, kept := map[semblance.EntryID]bool{}, list[:0]
		for _, n := range list { // nearest first
			if n.Entry >>= frameBits; !seen[n.Entry] {
				seen[n.Entry] = true
				kept = append(kept, n)
			}
		}
		slices.SortStableFunc(kept, byDistance)
		res[i] = kept
	}
	return res, nil
}

// NearMeans implements [semblance.VideoIndex].
func (x *Index) NearMeans(ctx context.Context, c semblance.CollectionID, mean *hashing.TMKMean, level float64) ([]semblance.EntryID, error) {
	s, err := x.shelf(ctx, c)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, semblance.Errorf(semblance.Internal, "the videos of collection %s are not held by the index", c)
	}
	var out []semblance.EntryID
	err = disk.Guarded(func() error {
		return s.each(func(r *reel, e entry) error {
			if e.Mean == 0 {
				return ctx.Err()
			}
			m, err := r.mean(e)
			if err == nil && mean.Level1(&m) >= level {
				out = append(out, semblance.EntryID(e.ID))
			}
			return err
		})
	})
	runtime.KeepAlive(s)
	if errors.Is(err, disk.ErrDamaged) {
		x.changes.Lock()
		defer x.changes.Unlock()
		return nil, x.damaged(c, err)
	}
	slices.Sort(out)
	return out, err
}

// Check reads every byte of the files of an index of videos that lies in a folder, and
// returns how many entries it holds. It changes nothing. A folder that is not there holds none.
func Check(path string) (entries int64, err error) {
	d := newShelfFolder()
	d.Path = filepath.Join(path, "videos")
	err = d.Look(func(dir string, body []byte) ([]string, error) {
		s, err := d.loadShelf(dir, body)
		if err != nil {
			return nil, err
		}
		defer runtime.KeepAlive(s)
		entries += s.holding().Entries
		return nil, disk.Guarded(func() error {
			return s.each(func(r *reel, e entry) error {
				if e.Mean == 0 {
					return nil
				}
				_, err := r.mean(e)
				return err
			})
		})
	})
	if err == nil {
		_, err = index.CheckHashes(filepath.Join(path, "hashes"))
	}
	return entries, err
}

// byDistance orders neighbors nearest first, ties by collection and entry.
func byDistance(a, b semblance.HashNeighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
}
