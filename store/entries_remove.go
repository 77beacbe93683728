package store

import (
	"context"
	"database/sql"

	"semblance"
)

// RemoveEntries implements [semblance.EntryRemover]. What was removed is overwritten in the
// data file. The count is part of the audit event.
func (s *Store) RemoveEntries(ctx context.Context, c semblance.CollectionID, r semblance.EntryRemoval, ev semblance.AuditEvent) (gone []semblance.EntryID, err error) {
	err = s.write(ctx, "remove the entries", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		if stored.Kind == semblance.Faces {
			return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and holds no entries", stored.Name, stored.Kind)
		}
		if gone, err = removeEntries(ctx, tx, key, r); err != nil {
			return err
		}
		with(&ev, "removed", len(gone))
		if err := raise(ctx, tx, key, 0, -len(gone)); err != nil {
			return err
		}
		return loses(ctx, tx, c)
	})
	if err != nil {
		return nil, err
	}
	s.forget(ctx)
	return gone, nil
}

// loses counts that a collection has lost something.
func loses(ctx context.Context, tx *sql.Tx, c semblance.CollectionID) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO collection_losses (collection, losses) VALUES (?, 1) ON CONFLICT (collection) DO UPDATE SET losses = losses + 1`, c)
	return err
}

func removeEntries(ctx context.Context, tx *sql.Tx, key int64, r semblance.EntryRemoval) (gone []semblance.EntryID, err error) {
	scan := func(scan scanner) (id semblance.EntryID, err error) { return id, scan(&id) }
	if r.Source != "" {
		rows, err := tx.QueryContext(ctx, `DELETE FROM hash_entries WHERE collection_key = ? AND source = ? RETURNING id`, key, r.Source)
		if err != nil {
			return nil, err
		}
		if gone, err = collect(rows, scan); err == nil && len(gone) == 0 {
			err = semblance.Errorf(semblance.NotFound, "the collection has no entry from %q", r.Source)
		}
		return gone, err
	}
	for _, id := range r.IDs {
		fresh, err := added(tx.ExecContext(ctx, `DELETE FROM hash_entries WHERE collection_key = ? AND id = ?`, key, id))
		if err != nil {
			return nil, err
		}
		if !fresh {
			return nil, semblance.Errorf(semblance.NotFound, "the collection has no entry %d; nothing was removed", id)
		}
		gone = append(gone, id)
	}
	return gone, nil
}
