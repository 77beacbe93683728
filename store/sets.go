package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

var _ semblance.SetStore = (*Store)(nil)

// AddSet records a digest set of a hashes or known-good collection and raises the
// collection's version. The error has code NotFound when the collection is not there,
// Conflict when the set is already, Invalid when the collection is of another kind.
func (s *Store) AddSet(ctx context.Context, set semblance.DigestSet, ev semblance.AuditEvent) error {
	set.Added = s.created(set.Added)
	data, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return s.write(ctx, "record the digest set", &ev, func(tx *sql.Tx) error {
		key, c, err := lockCollection(ctx, tx, set.Collection)
		if err != nil {
			return err
		}
		if c.Kind != semblance.Hashes && c.Kind != semblance.KnownGood {
			return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and cannot have digest sets", c.Name, c.Kind)
		}
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO digest_sets (id, collection_key, name, digests, data, added) VALUES (`+marks(6)+`) ON CONFLICT DO NOTHING`,
			set.ID, key, set.Name, set.Digests(), string(data), timeText(set.Added)))
		if err != nil {
			return err
		}
		if !fresh {
			return semblance.Errorf(semblance.Conflict, "the digest set %s is there already", string(set.ID))
		}
		with(&ev, "set", set.ID)
		with(&ev, "digests", set.Digests())
		return raise(ctx, tx, key, 0, 0)
	})
}

// RemoveSet forgets a digest set and raises the version of its collection; the event
// says how many digests it had. The error has code NotFound when the collection has none of that ID.
func (s *Store) RemoveSet(ctx context.Context, c semblance.CollectionID, id semblance.SetID, ev semblance.AuditEvent) error {
	return s.write(ctx, "remove the digest set", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		var name string
		var digests int64
		err = tx.QueryRowContext(ctx, `DELETE FROM digest_sets WHERE collection_key = ? AND id = ? RETURNING name, digests`, key, id).Scan(&name, &digests)
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "the collection %q has no digest set %s", stored.Name, string(id)).
				WithHint("`semblance collection sets list` names those that are there.")
		}
		if err != nil {
			return err
		}
		with(&ev, "set", id)
		with(&ev, "name", name)
		with(&ev, "before", digests)
		with(&ev, "after", 0)
		if err := raise(ctx, tx, key, 0, 0); err != nil {
			return err
		}
		return loses(ctx, tx, c)
	})
}

// Sets lists the digest sets of a collection in the order they were added; of every
// collection when c is empty.
func (s *Store) Sets(ctx context.Context, c semblance.CollectionID) ([]semblance.DigestSet, error) {
	const op = "list the digest sets"
	rows, err := s.reader.QueryContext(ctx, `SELECT d.data FROM digest_sets d JOIN collections c ON c.key = d.collection_key WHERE c.id = ? OR ? = '' ORDER BY d.key`, c, c)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, func(scan scanner) (set semblance.DigestSet, err error) {
		var data []byte
		if err = scan(&data); err == nil {
			err = json.Unmarshal(data, &set)
		}
		return set, err
	})
	return list, s.fail(ctx, op, err)
}
