package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

const collectionColumns = `id, name, kind, owner, country, basis, handling, review, engine, engine_version,
	face_distance, enroll_quality, pdq_distance, pdq_quality, hash_distance, photodna_distance, policy, created, version, subjects, entries`

// selectedCollection are the columns as they are read: those that are stored, how many
// references are left out, how many digests the sets have, and what of its content there
// is to see.
const selectedCollection = collectionColumns + `,
	(SELECT count(*) FROM subject_references r WHERE r.collection_key = collections.key AND r.left_out <> ''),
	(SELECT coalesce(sum(digests), 0) FROM digest_sets d WHERE d.collection_key = collections.key), ` + contentMark

// contentMark selects a ContentMark of a row of collections.
const contentMark = `(SELECT coalesce(max(h.id), 0) FROM hash_entries h WHERE h.collection_key = collections.key),
	(SELECT coalesce(max(d.key), 0) FROM digest_sets d WHERE d.collection_key = collections.key),
	(SELECT coalesce(max(l.losses), 0) FROM collection_losses l WHERE l.collection = collections.id)`

func scanCollection(scan scanner) (c semblance.Collection, err error) {
	err = scan(&c.ID, &c.Name, &c.Kind, &c.Owner, &c.Country, &c.Basis, &c.Handling, &c.Review, &c.Engine, &c.EngineVersion,
		&c.FaceDistance, &c.EnrollQuality, &c.PDQDistance, &c.PDQQuality, &c.HashDistance, &c.PhotoDNADistance, jsonText{&c.Policy}, textTime{&c.Created}, &c.Version, &c.Subjects, &c.Entries, &c.LeftOut, &c.Digests,
		&c.Content.Entry, &c.Content.Set, &c.Content.Losses)
	return c, err
}

// CreateCollection stores an empty collection and returns it with, unless given, an
// ID and the time. Its Version is 1. The error has code Conflict when the
// name is taken, Invalid when it is empty.
func (s *Store) CreateCollection(ctx context.Context, c semblance.Collection, ev semblance.AuditEvent) (semblance.Collection, error) {
	if c.Name == "" {
		return semblance.Collection{}, semblance.Errorf(semblance.Invalid, "a collection needs a name")
	}
	if c.ID == "" {
		c.ID = semblance.CollectionID(newID())
	}
	c.Created = s.created(c.Created)
	c.Version, c.Subjects, c.Entries = 1, 0, 0
	policy, err := json.Marshal(c.Policy)
	if err != nil {
		return semblance.Collection{}, err
	}
	err = s.write(ctx, "create the collection", &ev, func(tx *sql.Tx) error {
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO collections (`+collectionColumns+`) VALUES (`+marks(21)+`) ON CONFLICT DO NOTHING`,
			c.ID, c.Name, c.Kind, c.Owner, c.Country, c.Basis, c.Handling, c.Review, c.Engine, c.EngineVersion,
			c.FaceDistance, c.EnrollQuality, c.PDQDistance, c.PDQQuality, c.HashDistance, c.PhotoDNADistance, string(policy), timeText(c.Created), c.Version, c.Subjects, c.Entries))
		if err == nil && !fresh {
			return semblance.Errorf(semblance.Conflict, "there is a collection %q already", c.Name).
				WithHint("Add to it with `semblance collection add`, or give another name.")
		}
		return err
	})
	if err != nil {
		return semblance.Collection{}, err
	}
	return c, nil
}

// Collection returns the collection of a name. The error has code NotFound when
// there is none.
func (s *Store) Collection(ctx context.Context, name string) (semblance.Collection, error) {
	c, err := scanCollection(s.reader.QueryRowContext(ctx, `SELECT `+selectedCollection+` FROM collections WHERE name = ?`, name).Scan)
	return c, s.fail(ctx, "read the collection", noCollection(err, name))
}

func noCollection(err error, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return semblance.Errorf(semblance.NotFound, "there is no collection %q", name).
			WithHint("`semblance collection list` names those that are there.")
	}
	return err
}

// Collections lists all collections by name.
func (s *Store) Collections(ctx context.Context) ([]semblance.Collection, error) {
	const op = "list the collections"
	rows, err := s.reader.QueryContext(ctx, `SELECT `+selectedCollection+` FROM collections ORDER BY name`)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanCollection)
	return list, s.fail(ctx, op, err)
}

// ChangeCollection lets change set settings of a collection: its thresholds, the
// enrollment gate and its policy are stored, and nothing else. What change says they
// were and are becomes part of the event. The error has code NotFound when there is
// none of that name.
func (s *Store) ChangeCollection(ctx context.Context, name string, ev semblance.AuditEvent, change func(*semblance.Collection) (from, to map[string]any)) (semblance.Collection, error) {
	var c semblance.Collection
	err := s.write(ctx, "change the collection", &ev, func(tx *sql.Tx) error {
		var err error
		c, err = scanCollection(tx.QueryRowContext(ctx, `SELECT `+selectedCollection+` FROM collections WHERE name = ?`, name).Scan)
		if err != nil {
			return noCollection(err, name)
		}
		from, to := change(&c)
		with(&ev, "from", from)
		with(&ev, "to", to)
		policy, err := json.Marshal(c.Policy)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE collections SET face_distance = ?, enroll_quality = ?, pdq_distance = ?, pdq_quality = ?, hash_distance = ?, photodna_distance = ?, policy = ? WHERE name = ?`,
			c.FaceDistance, c.EnrollQuality, c.PDQDistance, c.PDQQuality, c.HashDistance, c.PhotoDNADistance, string(policy), name)
		return err
	})
	if err != nil {
		return semblance.Collection{}, err
	}
	return c, nil
}

// collectionNames returns the names of those of ids that are there still.
func collectionNames(ctx context.Context, q querier, ids []semblance.CollectionID) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var args []any
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := q.QueryContext(ctx, `SELECT name FROM collections WHERE id IN (`+marks(len(ids))+`)`, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (name string, err error) {
		err = scan(&name)
		return name, err
	})
}

// lockCollection returns the internal key and the collection of an id, within a
// change.
func lockCollection(ctx context.Context, tx *sql.Tx, id semblance.CollectionID) (int64, semblance.Collection, error) {
	var key int64
	c, err := scanCollection(func(dest ...any) error {
		return tx.QueryRowContext(ctx, `SELECT key, `+selectedCollection+` FROM collections WHERE id = ?`, id).Scan(append([]any{&key}, dest...)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = semblance.Errorf(semblance.NotFound, "the collection is not there any more")
	}
	return key, c, err
}

// raise changes a collection's counts and, with them, its version.
func raise(ctx context.Context, tx *sql.Tx, key int64, subjects, entries int) error {
	_, err := tx.ExecContext(ctx, `UPDATE collections SET version = version + 1, subjects = subjects + ?, entries = entries + ? WHERE key = ?`,
		subjects, entries, key)
	return err
}

// An erasedTable is one that holds a collection's content.
type erasedTable struct{ name, where string }

// erasedTables lists them in the order in which rows can go.
func erasedTables() []erasedTable {
	const references = `collection_key = ?`
	return []erasedTable{
		{"staged_references", references},
		{"reenrollments", references},
		{"calibration_pairs", `calibration_key IN (SELECT key FROM calibrations WHERE ` + references + `)`},
		{"calibrations", references},
		{"reference_crops", `reference_seq IN (SELECT seq FROM subject_references WHERE ` + references + `)`},
		{"subject_references", references},
		{"subjects", references},
		{"hash_entries", references},
		{"digest_sets", references},
	}
}

// countContent counts the rows, vectors and crops of a collection.
func countContent(ctx context.Context, tx *sql.Tx, key int64) (int64, error) {
	var total, n int64
	queries := []string{`SELECT count(embedding) FROM subject_references WHERE collection_key = ?`,
		`SELECT count(embedding) + count(jpeg) FROM staged_references WHERE collection_key = ?`}
	for _, t := range erasedTables() {
		queries = append(queries, `SELECT count(*) FROM `+t.name+` WHERE `+t.where)
	}
	for _, query := range queries {
		if err := tx.QueryRowContext(ctx, query, key).Scan(&n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func eraseContent(ctx context.Context, tx *sql.Tx, key int64) error {
	for _, t := range erasedTables() {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t.name+` WHERE `+t.where, key); err != nil {
			return err
		}
	}
	return nil
}

// DeleteCollection removes a collection with all it holds and returns what it
// counted before and after, and the objects that no other reference needs. What
// was erased is overwritten in the data file. Findings stay: they record what was
// found and carry names, but no biometric data. The counts become part of the
// audit event. The error has code NotFound when there is none of that name.
func (s *Store) DeleteCollection(ctx context.Context, name string, ev semblance.AuditEvent) (semblance.Erasure, error) {
	var e semblance.Erasure
	err := s.write(ctx, "delete the collection", &ev, func(tx *sql.Tx) error {
		var key int64
		err := tx.QueryRowContext(ctx, `SELECT key FROM collections WHERE name = ?`, name).Scan(&key)
		if err != nil {
			return noCollection(err, name)
		}
		if e.Before, err = countContent(ctx, tx, key); err != nil {
			return err
		}
		if e.Objects, err = lonelyObjects(ctx, tx, key); err != nil {
			return err
		}
		if err := eraseContent(ctx, tx, key); err != nil {
			return err
		}
		if e.After, err = countContent(ctx, tx, key); err != nil {
			return err
		}
		with(&ev, "before", e.Before)
		with(&ev, "after", e.After)
		_, err = tx.ExecContext(ctx, `DELETE FROM collections WHERE key = ?`, key)
		return err
	})
	if err != nil {
		return semblance.Erasure{}, err
	}
	s.forget(ctx)
	return e, nil
}

// lonelyObjects lists the originals that only references of one collection need.
func lonelyObjects(ctx context.Context, tx *sql.Tx, key int64) ([]semblance.SHA256, error) {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT r.sha256 FROM subject_references r WHERE r.collection_key = ? AND NOT EXISTS
		(SELECT 1 FROM subject_references o WHERE o.sha256 = r.sha256 AND o.collection_key <> r.collection_key) ORDER BY r.sha256`, key)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (sum semblance.SHA256, err error) {
		err = scan(fixed(sum[:]))
		return sum, err
	})
}
