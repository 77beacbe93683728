package semblance

import (
	"context"

	"semblance/hashing"
)

// entriesBehind is how many entries are read from the store before an index gets them, and
// bytesBehind how many bytes of values: a TMK+PDQF has 263,344.
const (
	entriesBehind = 1 << 17
	bytesBehind   = 64 << 20
)

// An entryIndex holds entries of one kind.
type entryIndex struct {
	HashIndex
	kind entryKind
}

// An entryKind says which index an entry is held by.
type entryKind int

const (
	plainEntry entryKind = iota
	suppliedEntry
	videoEntry
)

func kindOfEntry(a hashing.Algorithm) entryKind {
	switch {
	case a.IsSupplied():
		return suppliedEntry
	case a.IsVideo():
		return videoEntry
	}
	return plainEntry
}

// entryIndexes returns the indexes that hold the entries of collections, together all of
// them.
func (e *Engine) entryIndexes() []entryIndex {
	out := []entryIndex{{e.Hashes, plainEntry}}
	if e.Supplied != nil {
		out = append(out, entryIndex{e.Supplied, suppliedEntry})
	}
	if e.Videos != nil {
		out = append(out, entryIndex{e.Videos, videoEntry})
	}
	return out
}

// readyEntries brings the indexes of hashes up to the version of a collection. Entries
// never change and their IDs grow, so that those an index lacks are the ones behind its last. The
// indexes are filled anew when they hold less than half, or, against all expectation, in
// the end not as many as there are.
func (e *Engine) readyEntries(ctx context.Context, c Collection) error {
	current, held := true, int64(0)
	for _, x := range e.entryIndexes() {
		h, err := x.Held(ctx, c.ID)
		if err != nil {
			return err
		}
		current = current && h.Version == c.Version && h.Version != 0
		held += h.Entries
	}
	if current {
		return nil
	}
	if held <= c.Entries && 2*held >= c.Entries {
		if whole, err := e.followEntries(ctx, c); whole || err != nil {
			return err
		}
	}
	for _, x := range e.entryIndexes() {
		if err := e.fillEntries(ctx, c, x); err != nil {
			return err
		}
	}
	return nil
}

// followEntries gives the indexes what they lack and reports whether they hold as many
// as there are.
func (e *Engine) followEntries(ctx context.Context, c Collection) (whole bool, err error) {
	held := int64(0)
	for _, x := range e.entryIndexes() {
		h, err := x.Held(ctx, c.ID)
		switch {
		case err != nil:
		case h.Version == 0:
			err = e.fillEntries(ctx, c, x)
		default:
			err = e.addEntriesBehind(ctx, c, x, h)
		}
		if err == nil {
			h, err = x.Held(ctx, c.ID)
		}
		if err != nil {
			return false, err
		}
		held += h.Entries
	}
	if held <= c.Entries {
		return held == c.Entries, nil
	}
	now, err := e.Collections.Collection(ctx, c.Name)
	return err == nil && now.Version != c.Version, err // entries came meanwhile
}

// addEntriesBehind adds the entries behind the last that an index holds. Until all are in,
// it keeps the version it had.
func (e *Engine) addEntriesBehind(ctx context.Context, c Collection, x entryIndex, held HashHolding) error {
	var more []HashEntry
	bytes := 0
	err := e.eachEntry(ctx, c, x, int64(held.Last), func(h HashEntry) error {
		more = append(more, HashEntry{ID: h.ID, Algorithm: h.Algorithm, Value: h.Value})
		if bytes += len(h.Value); len(more) < entriesBehind && bytes < bytesBehind {
			return nil
		}
		err := x.Update(ctx, c.ID, held.Version, HashChange{Add: more})
		more, bytes = more[:0], 0
		return err
	})
	if err != nil {
		return err
	}
	return x.Update(ctx, c.ID, c.Version, HashChange{Add: more})
}

// fillEntries fills an index with all entries that are its own.
func (e *Engine) fillEntries(ctx context.Context, c Collection, x entryIndex) error {
	return x.Replace(ctx, c.ID, c.Version, each(func(yield func(HashEntry) error) error {
		return e.eachEntry(ctx, c, x, 0, yield)
	}, func(h HashEntry) HashEntry { return h }))
}

// eachEntry calls f for the entries of a collection that an index holds, beginning after
// one. A collection without supplied values is not read for them, and of one with videos
// only those are.
func (e *Engine) eachEntry(ctx context.Context, c Collection, x entryIndex, after int64, f func(HashEntry) error) error {
	switch x.kind {
	case suppliedEntry:
		algorithms, err := e.Entries.Algorithms(ctx, c.ID)
		if err != nil || !anySupplied(algorithms) {
			return err
		}
	case videoEntry:
		return e.eachVideo(ctx, c, after, f)
	}
	return e.Entries.EachEntry(ctx, c.ID, after, func(h HashEntry) error {
		if kindOfEntry(h.Algorithm) != x.kind {
			return nil
		}
		return f(h)
	})
}
