package semblance

import (
	"context"
	"fmt"
)

// An EntryRemoval says which entries of a hashes or known-good collection are removed:
// those of ids, or all that came from a source.
type EntryRemoval struct {
	IDs    []EntryID
	Source string
}

// An EntryRemover removes the content of hashes and known-good collections.
type EntryRemover interface {
	// RemoveEntries removes entries, raises the collection's version and returns which they
	// were. NotFound, and nothing removed, when one is not there.
	RemoveEntries(ctx context.Context, c CollectionID, r EntryRemoval, ev AuditEvent) ([]EntryID, error)
}

// RemoveEntries removes entries of a hashes or known-good collection and returns how many.
// What rests on them in cases is withdrawn by a look-back.
func (e *Engine) RemoveEntries(ctx context.Context, who Actor, collection string, r EntryRemoval) (int, error) {
	if (r.Source == "") == (len(r.IDs) == 0) {
		return 0, Errorf(Invalid, "a removal names either entries or the source that they came from").
			WithHint("Give --entry ID,... (a finding names its entry) or --source NAME, the file that was imported.")
	}
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return 0, err
	}
	ev := e.event(who, "collection.remove", nil, c.Name)
	ev.Basis = c.Basis
	if r.Source != "" {
		ev.Detail["source"] = r.Source
	} else {
		ev.Detail["entries"] = r.IDs
	}
	gone, err := e.Removals.RemoveEntries(ctx, c.ID, r, ev)
	if err != nil {
		return 0, err
	}
	if err := e.forgetEntries(ctx, c, gone); err != nil {
		return len(gone), fmt.Errorf("the entries are gone from the store, but not from what was derived from it: %w", err)
	}
	return len(gone), nil
}

// forgetEntries takes entries out of the indexes. One that is behind in other ways is
// dropped, and made again when it is next used.
func (e *Engine) forgetEntries(ctx context.Context, c Collection, gone []EntryID) error {
	e.sync.Lock()
	defer e.sync.Unlock()
	now, err := e.Collections.Collection(ctx, c.Name)
	if err != nil {
		return err
	}
	for _, x := range e.entryIndexes() {
		held, err := x.Held(ctx, c.ID)
		if err != nil {
			return err
		}
		if held.Version != 0 && held.Version == now.Version-1 {
			err = x.Update(ctx, c.ID, now.Version, HashChange{Remove: gone})
		} else {
			err = x.Drop(ctx, c.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry returns an entry that an index named; false when it was removed a moment ago.
func (e *Engine) entry(ctx context.Context, id EntryID) (HashEntry, bool, error) {
	list, err := e.Entries.Entries(ctx, id)
	if CodeOf(err) == NotFound && err != nil {
		return HashEntry{}, false, nil
	}
	if err != nil {
		return HashEntry{}, false, err
	}
	return list[0], true, nil
}
