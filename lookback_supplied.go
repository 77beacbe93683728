package semblance

import (
	"context"
	"slices"

	"semblance/hashing"
)

// keptSupplied names what is kept of stored media in the index of supplied values, beside
// the collections, whose IDs are 32 digits. Its version is the sequence number that it
// holds media up to.
const keptSupplied CollectionID = "kept signals"

// An entry of it is a media's number and a count, since a media has several values.
const (
	keptShift = 20
	keptMost  = 1<<keptShift - 1
)

// suppliedBlock is how many values are added, or looked for, at once.
const suppliedBlock = 4096

// nearSupplied finds the media that are near new supplied values of a collection.
func (l *lookback) nearSupplied(ctx context.Context, c Collection) ([]int64, error) {
	algorithms, err := l.Entries.Algorithms(ctx, c.ID)
	if err != nil || !anySupplied(algorithms) || l.Supplied == nil {
		return nil, err
	}
	if err := l.followSupplied(ctx); err != nil {
		return nil, err
	}
	var out []int64
	waiting := map[hashing.Algorithm][][]byte{}
	flush := func(alg hashing.Algorithm) error {
		res, err := l.Supplied.Search(ctx, HashQuery{Algorithm: alg, Collections: []CollectionID{keptSupplied}, Values: waiting[alg], Radius: l.threshold(c, alg)})
		waiting[alg] = nil
		for _, neighbors := range res {
			for _, n := range neighbors {
				out = append(out, int64(n.Entry)>>keptShift)
			}
		}
		return err
	}
	err = l.eachNew(ctx, c, func(h HashEntry) error {
		if !h.Algorithm.IsSupplied() {
			return nil
		}
		if waiting[h.Algorithm] = append(waiting[h.Algorithm], h.Value); len(waiting[h.Algorithm]) == suppliedBlock {
			return flush(h.Algorithm)
		}
		return nil
	})
	for _, alg := range algorithms {
		if err == nil && len(waiting[alg]) > 0 {
			err = flush(alg)
		}
	}
	return out, err
}

// eachNew calls f for the new entries that are compared by distance.
func (l *lookback) eachNew(ctx context.Context, c Collection, f func(HashEntry) error) error {
	err := l.Entries.EachEntry(ctx, c.ID, int64(l.due.After.Entry), func(h HashEntry) error {
		if h.ID > l.due.Through.Entry {
			return errStop
		}
		if h.Algorithm.IsDigest() || h.Quality >= 0 && h.Quality < c.PDQQuality {
			return nil
		}
		return f(h)
	})
	if err == error(errStop) {
		return nil
	}
	return err
}

// followSupplied brings the index of supplied values up to what is stored of media.
func (e *Engine) followSupplied(ctx context.Context) error {
	held, err := e.Supplied.Held(ctx, keptSupplied)
	if err != nil {
		return err
	}
	var change HashChange
	last := held.Version
	flush := func() error {
		err := e.Supplied.Update(ctx, keptSupplied, max(1, last), change)
		change.Add = nil
		return err
	}
	err = e.Lookbacks.EachKept(ctx, held.Version, func(m KeptMedia) error {
		last = m.Seq
		count := 0
		for i := range m.Hashes {
			f := &m.Hashes[i]
			for _, alg := range f.algorithms() {
				if !alg.IsSupplied() {
					continue
				}
				for _, v := range f.probes(alg) {
					if count++; count > keptMost {
						return Errorf(Internal, "a media has more than %d supplied values", keptMost)
					}
					change.Add = append(change.Add, HashEntry{ID: EntryID(m.Seq<<keptShift | int64(count)), Algorithm: alg, Value: slices.Clone(v)})
				}
			}
		}
		if len(change.Add) >= suppliedBlock {
			return flush()
		}
		return nil
	})
	if err != nil || last == held.Version && held.Version != 0 {
		return err
	}
	return flush()
}
