package semblance

import (
	"context"
	"iter"
	"slices"
	"sync"

	"semblance/hashing"
)

// A videoIndex is the index of video entries: their frames lie in an index of hashes
// under numbers of their own, since an entry has many, and of TMK the mean frames are
// kept. Frames of both versions of vPDQ are PDQ and lie together.
type videoIndex struct {
	frames HashIndex
	mu     sync.RWMutex // held for writing while frames and shelves change together
	held   map[CollectionID]*videoShelf
}

// A videoShelf is what is known of one collection's video entries besides the frames.
type videoShelf struct {
	HashHolding
	owners []EntryID // of frame n, at n-1; 0 of one that is gone
	means  []tmkMean
}

// A tmkMean has what the cheap comparison of a TMK entry needs; the rest is read when
// that finds it near.
type tmkMean struct {
	id   EntryID
	mean hashing.TMKMean
}

func newVideoIndex(frames HashIndex) *videoIndex {
	return &videoIndex{frames: frames, held: map[CollectionID]*videoShelf{}}
}

// Held implements HashIndex. Entries are videos, not frames.
func (x *videoIndex) Held(_ context.Context, c CollectionID) (HashHolding, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if s := x.held[c]; s != nil {
		return s.HashHolding, nil
	}
	return HashHolding{}, nil
}

// Replace implements HashIndex. Searches wait until it is done.
func (x *videoIndex) Replace(ctx context.Context, c CollectionID, version int64, entries iter.Seq2[HashEntry, error]) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := &videoShelf{HashHolding: HashHolding{Version: version}}
	err := x.frames.Replace(ctx, c, version, func(yield func(HashEntry, error) bool) {
		for h, err := range entries {
			if err == nil {
				err = s.add(h, func(f HashEntry) error {
					if !yield(f, nil) {
						return errStop
					}
					return nil
				})
			}
			if err == error(errStop) {
				return
			}
			if err != nil {
				yield(HashEntry{}, err)
				return
			}
		}
	})
	if err != nil {
		return err
	}
	x.held[c] = s
	return nil
}

// Update implements HashIndex.
func (x *videoIndex) Update(ctx context.Context, c CollectionID, version int64, change HashChange) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	next := videoShelf{}
	if s := x.held[c]; s != nil {
		next = *s
	}
	next.owners, next.means = slices.Clone(next.owners), slices.Clone(next.means)
	next.Version = version
	var frames HashChange
	gone := slices.Clone(change.Remove)
	for _, h := range change.Add {
		gone = append(gone, h.ID)
	}
	frames.Remove = next.remove(gone)
	for _, h := range change.Add {
		if err := next.add(h, func(f HashEntry) error { frames.Add = append(frames.Add, f); return nil }); err != nil {
			return err
		}
	}
	if err := x.frames.Update(ctx, c, version, frames); err != nil {
		return err
	}
	x.held[c] = &next
	return nil
}

// Drop implements HashIndex.
func (x *videoIndex) Drop(ctx context.Context, c CollectionID) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.held, c)
	return x.frames.Drop(ctx, c)
}

// Search implements HashIndex for the frames of videos: each entry once, at the distance
// of its nearest frame.
func (x *videoIndex) Search(ctx context.Context, q HashQuery) ([][]HashNeighbor, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	q.Algorithm = hashing.AlgorithmPDQ
	res, err := x.frames.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	for i, list := range res {
		seen, kept := map[EntryID]bool{}, list[:0]
		for _, n := range list { // nearest first
			s := x.held[n.Collection]
			if s == nil || int(n.Entry) > len(s.owners) {
				return nil, Errorf(Internal, "the frames of a collection's videos are not those of its entries")
			}
			if n.Entry = s.owners[n.Entry-1]; n.Entry != 0 && !seen[n.Entry] {
				seen[n.Entry] = true
				kept = append(kept, n)
			}
		}
		res[i] = kept
	}
	return res, nil
}

// tmks returns the means of a collection's TMK entries.
func (x *videoIndex) tmks(c CollectionID) []tmkMean {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if s := x.held[c]; s != nil {
		return s.means
	}
	return nil
}

// add takes an entry and yields its frames, each hash once.
func (s *videoShelf) add(h HashEntry, yield func(HashEntry) error) error {
	s.Entries++
	s.Last = max(s.Last, h.ID)
	if h.Algorithm == hashing.AlgorithmTMK {
		t, err := hashing.ParseTMK(h.Value)
		if err != nil {
			return Errorf(Internal, "the stored TMK+PDQF of entry %d is damaged: %v", h.ID, err)
		}
		s.means = append(s.means, tmkMean{h.ID, t.Mean()})
		return nil
	}
	frames, err := hashing.ParseVPDQBinary(h.Value)
	if err != nil {
		return Errorf(Internal, "the stored vPDQ of entry %d is damaged: %v", h.ID, err)
	}
	seen := map[hashing.PDQ]bool{}
	for _, f := range frames {
		if seen[f.Hash] || hashing.IsTrivial(hashing.AlgorithmPDQ, f.Hash[:]) {
			continue
		}
		seen[f.Hash] = true
		s.owners = append(s.owners, h.ID)
		if err := yield(HashEntry{ID: EntryID(len(s.owners)), Collection: h.Collection, Algorithm: hashing.AlgorithmPDQ, Value: slices.Clone(f.Hash[:])}); err != nil {
			return err
		}
	}
	return nil
}

// remove forgets entries and returns the numbers of their frames.
func (s *videoShelf) remove(ids []EntryID) (frames []EntryID) {
	known := map[EntryID]bool{}
	for i, id := range s.owners {
		if id != 0 && slices.Contains(ids, id) {
			known[id] = true
			frames = append(frames, EntryID(i+1))
			s.owners[i] = 0
		}
	}
	s.means = slices.DeleteFunc(s.means, func(m tmkMean) bool {
		gone := slices.Contains(ids, m.id)
		known[m.id] = known[m.id] || gone
		return gone
	})
	for _, gone := range known {
		if gone {
			s.Entries--
		}
	}
	return frames
}

// eachEntryOf calls f for the entries of one algorithm.
func (e *Engine) eachEntryOf(ctx context.Context, c CollectionID, alg hashing.Algorithm, f func(HashEntry) error) error {
	if s, ok := e.Entries.(AlgorithmStore); ok {
		return s.EachEntryOf(ctx, c, alg, f)
	}
	return e.Entries.EachEntry(ctx, c, 0, func(h HashEntry) error {
		if h.Algorithm != alg {
			return nil
		}
		return f(h)
	})
}

// eachVideo calls f for the video entries of a collection behind one, in the order of
// IDs within an algorithm.
func (e *Engine) eachVideo(ctx context.Context, c Collection, after int64, f func(HashEntry) error) error {
	if c.Kind != Hashes {
		return nil
	}
	for _, alg := range hashing.VideoAlgorithms() {
		err := e.eachEntryOf(ctx, c.ID, alg, func(h HashEntry) error {
			if int64(h.ID) <= after {
				return nil
			}
			return f(h)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
