package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

var _ semblance.StagingStore = (*Store)(nil)

// BeginReenrollment begins to enroll a faces collection again, or goes on with it:
// what is staged for the same engine and version stays, except that the left out
// are tried again; what is staged for another version of the engine is dropped. The
// error has code Conflict when one to another engine is not ended, Invalid when the
// collection does not hold faces.
func (s *Store) BeginReenrollment(ctx context.Context, c semblance.CollectionID, r semblance.Reenrollment, ev semblance.AuditEvent) (semblance.Reenrollment, error) {
	var now semblance.Reenrollment
	err := s.write(ctx, "begin to enroll again", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		if stored.Kind != semblance.Faces {
			return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and cannot hold faces", stored.Name, stored.Kind)
		}
		now, err = reenrollment(ctx, tx, key)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			err = s.insertReenrollment(ctx, tx, key, r)
		case err == nil && now.Engine != r.Engine:
			err = semblance.Errorf(semblance.Conflict, "the collection %q is on its way to engine %s: %d of %d references are made", stored.Name, now.Engine, now.Staged, now.References).
				WithHint("Finish that with `semblance collection reenroll %s --engine %s`, or give it up with --abandon.", stored.Name, now.Engine)
		case err == nil && now.Version != r.Version:
			if err = dropStaged(ctx, tx, key); err == nil {
				err = s.insertReenrollment(ctx, tx, key, r)
			}
		case err == nil:
			_, err = tx.ExecContext(ctx, `DELETE FROM staged_references WHERE collection_key = ? AND left_out <> ''`, key)
		}
		if err != nil {
			return err
		}
		now, err = reenrollment(ctx, tx, key)
		with(&ev, "staged", now.Staged)
		return err
	})
	if err != nil {
		return semblance.Reenrollment{}, err
	}
	return now, nil
}

func (s *Store) insertReenrollment(ctx context.Context, tx *sql.Tx, key int64, r semblance.Reenrollment) error {
	by, err := json.Marshal(r.By)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO reenrollments (collection_key, engine, engine_version, face_distance, actor, started) VALUES (`+marks(6)+`)`,
		key, r.Engine, r.Version, r.Distance, string(by), timeText(s.created(r.Started)))
	return err
}

// reenrollment reads and counts; sql.ErrNoRows when there is none.
func reenrollment(ctx context.Context, q querier, key int64) (r semblance.Reenrollment, err error) {
	var by string
	err = q.QueryRowContext(ctx, `SELECT e.engine, e.engine_version, e.face_distance, e.actor, e.started,
		(SELECT count(*) FROM subject_references WHERE collection_key = e.collection_key),
		(SELECT count(*) FROM staged_references WHERE collection_key = e.collection_key),
		(SELECT count(*) FROM staged_references WHERE collection_key = e.collection_key AND left_out <> '')
		FROM reenrollments e WHERE e.collection_key = ?`, key).
		Scan(&r.Engine, &r.Version, &r.Distance, &by, textTime{&r.Started}, &r.References, &r.Staged, &r.LeftOut)
	if err == nil {
		err = json.Unmarshal([]byte(by), &r.By)
	}
	return r, err
}

// Reenrollment returns how far the re-enrollment of a collection is. The error has
// code NotFound when there is none.
func (s *Store) Reenrollment(ctx context.Context, c semblance.CollectionID) (r semblance.Reenrollment, err error) {
	err = s.read(ctx, "read how far enrolling again is", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err == nil {
			r, err = reenrollment(ctx, tx, key)
		}
		return notReenrolling(err)
	})
	return r, err
}

func notReenrolling(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return semblance.Errorf(semblance.NotFound, "the collection is not being enrolled again")
	}
	return err
}

// Unstaged returns at most n references of a collection that are not staged, in the
// order of ids, with the embeddings they have now.
func (s *Store) Unstaged(ctx context.Context, c semblance.CollectionID, n int) ([]semblance.Reference, error) {
	var list []semblance.Reference
	err := s.read(ctx, "read the references", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectReference+`WHERE r.collection_key = ?
			AND NOT EXISTS (SELECT 1 FROM staged_references t WHERE t.reference_seq = r.seq) ORDER BY r.id LIMIT ?`, key, n)
		if err == nil {
			list, err = collect(rows, scanReference)
		}
		return err
	})
	return list, err
}

// Stage keeps references as another engine has them. One that is not in the
// collection any more is dropped, one that is staged already stays as it is. The
// error has code NotFound when no re-enrollment is going on, ModelMismatch when one is to
// another engine or version.
func (s *Store) Stage(ctx context.Context, c semblance.CollectionID, refs []semblance.Reference) error {
	return s.write(ctx, "stage the references", nil, func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		to, err := reenrollment(ctx, tx, key)
		if err != nil {
			return notReenrolling(err)
		}
		for i := range refs {
			r := &refs[i]
			if r.Engine != to.Engine || r.Version != to.Version {
				return semblance.Errorf(semblance.ModelMismatch, "the collection is on its way to engine %s version %d, not %s version %d", to.Engine, to.Version, r.Engine, r.Version)
			}
			face, embedding, err := encodeFace(r.Face)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO staged_references (reference_seq, collection_key, face, embedding, decoder, jpeg, left_out)
				SELECT seq, collection_key, ?, ?, ?, ?, ? FROM subject_references WHERE id = ? AND collection_key = ? ON CONFLICT DO NOTHING`,
				face, embedding, r.Decoder, r.Crop, r.LeftOut, r.ID, key)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EndReenrollment ends the re-enrollment of a collection: by a switch, which puts
// what is staged in the place of the references, and the collection's engine,
// version and threshold with it, in one transaction; or by forgetting it. It returns
// the references that a switch leaves out, or would: these are Invalid for
// SwitchWhole. The error has code Busy when references are not staged, NotFound
// when no re-enrollment is going on; then nothing has changed.
func (s *Store) EndReenrollment(ctx context.Context, c semblance.CollectionID, end semblance.ReenrollEnd, ev semblance.AuditEvent) ([]semblance.Reference, error) {
	var out []semblance.Reference
	err := s.write(ctx, "end enrolling again", &ev, func(tx *sql.Tx) error {
		key, _, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		r, err := reenrollment(ctx, tx, key)
		if err != nil {
			return notReenrolling(err)
		}
		with(&ev, "references", r.References)
		with(&ev, "staged", r.Staged)
		if end == semblance.Abandon {
			return dropStaged(ctx, tx, key)
		}
		if out, err = leftOut(ctx, tx, key); err != nil {
			return err
		}
		switch {
		case r.Staged < r.References:
			return semblance.Errorf(semblance.Busy, "%d of %d references are not made yet", r.References-r.Staged, r.References)
		case len(out) > 0 && end == semblance.SwitchWhole:
			return semblance.Errorf(semblance.Invalid, "%d of %d references would be left out", len(out), r.References)
		}
		names := make([]semblance.ReferenceID, len(out))
		for i := range out {
			names[i] = out[i].ID
		}
		with(&ev, "left_out", names)
		return switchEngine(ctx, tx, key, r)
	})
	if err == nil {
		s.forget(ctx) // the old embeddings and crops
	}
	return out, err
}

// leftOut lists the staged references without an embedding, LeftOut as staged.
func leftOut(ctx context.Context, tx *sql.Tx, key int64) ([]semblance.Reference, error) {
	rows, err := tx.QueryContext(ctx, `SELECT r.id, s.label, r.source, t.left_out FROM staged_references t
		JOIN subject_references r ON r.seq = t.reference_seq JOIN subjects s ON s.key = r.subject_key
		WHERE t.collection_key = ? AND t.left_out <> '' ORDER BY r.id`, key)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan scanner) (r semblance.Reference, err error) {
		err = scan(&r.ID, &r.Subject, &r.Source, &r.LeftOut)
		return r, err
	})
}

// switchEngine puts what is staged in its place. A reference that is left out keeps
// its crop: it is what a person has of it.
func switchEngine(ctx context.Context, tx *sql.Tx, key int64, r semblance.Reenrollment) error {
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`UPDATE subject_references SET face = t.face, embedding = t.embedding, decoder = t.decoder, left_out = t.left_out, engine = ?, version = ?
			FROM staged_references t WHERE t.reference_seq = subject_references.seq AND t.collection_key = ?`, []any{r.Engine, r.Version, key}},
		{`DELETE FROM reference_crops WHERE reference_seq IN (SELECT reference_seq FROM staged_references WHERE collection_key = ? AND left_out = '')`, []any{key}},
		{`INSERT INTO reference_crops (reference_seq, jpeg) SELECT reference_seq, jpeg FROM staged_references
			WHERE collection_key = ? AND left_out = '' AND length(jpeg) > 0`, []any{key}},
		{`UPDATE collections SET engine = ?, engine_version = ?, face_distance = ?, version = version + 1 WHERE key = ?`, []any{r.Engine, r.Version, r.Distance, key}},
	} {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return dropStaged(ctx, tx, key)
}

func dropStaged(ctx context.Context, tx *sql.Tx, key int64) error {
	for _, table := range []string{"staged_references", "reenrollments"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE collection_key = ?`, key); err != nil {
			return err
		}
	}
	return nil
}
