package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

// AddReferences stores new references of a faces collection and raises its version
// when there are any. One that is there already (same subject, same media) is left
// as it is; the count is of new ones, and the audit event says it too. Crops are
// kept apart, see ReferenceCrop.
//
// The error has code ModelMismatch when a reference is of another engine or
// version than the collection, Conflict when its ID is another reference's,
// Invalid when the collection is not of faces.
func (s *Store) AddReferences(ctx context.Context, c semblance.CollectionID, refs []semblance.Reference, ev semblance.AuditEvent) (int, error) {
	var fresh int
	err := s.write(ctx, "add the references", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		in := referenceInserter{s: s, ctx: ctx, tx: tx, key: key, collection: stored}
		if err := in.insert(refs); err != nil {
			return err
		}
		fresh = in.references
		with(&ev, "added", fresh)
		if fresh == 0 {
			return nil
		}
		return raise(ctx, tx, key, in.subjects, in.references)
	})
	if err != nil {
		return 0, err
	}
	return fresh, nil
}

// A referenceInserter adds references within one transaction and counts.
type referenceInserter struct {
	s          *Store
	ctx        context.Context
	tx         *sql.Tx
	key        int64
	collection semblance.Collection
	subjects   int
	references int
}

func (in *referenceInserter) insert(refs []semblance.Reference) error {
	if in.collection.Kind != semblance.Faces {
		return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and cannot hold faces", in.collection.Name, in.collection.Kind)
	}
	for i := range refs {
		if err := in.add(&refs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (in *referenceInserter) add(r *semblance.Reference) error {
	c := &in.collection
	if r.Engine != c.Engine || r.Version != c.EngineVersion {
		return semblance.Errorf(semblance.ModelMismatch, "the collection %q is of engine %s version %d, the reference of %s version %d",
			c.Name, c.Engine, c.EngineVersion, r.Engine, r.Version).WithHint("Move the collection with `semblance collection reenroll`.")
	}
	if r.ID == "" || r.Subject == "" {
		return semblance.Errorf(semblance.Invalid, "a reference needs an id and a subject")
	}
	subject, err := in.subject(r.Subject)
	if err != nil {
		return err
	}
	face, embedding, err := encodeFace(r.Face)
	if err != nil {
		return err
	}
	override, err := encodeOverride(r.Override)
	if err != nil {
		return err
	}
	var seq int64
	err = in.tx.QueryRowContext(in.ctx, `INSERT INTO subject_references
		(id, collection_key, subject_key, source, sha256, type, face, embedding, engine, version, decoder, captured, captured_from, age, note, override, left_out, created)
		VALUES (`+marks(18)+`) ON CONFLICT DO NOTHING RETURNING seq`,
		r.ID, in.key, subject, r.Source, r.SHA256[:], r.Type, face, embedding, r.Engine, r.Version, r.Decoder,
		r.Captured, r.CapturedFrom, r.Age, r.Note, override, r.LeftOut, timeText(in.s.created(r.Created))).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return in.there(r, subject)
	}
	if err != nil {
		return err
	}
	in.references++
	if len(r.Crop) == 0 {
		return nil
	}
	_, err = in.tx.ExecContext(in.ctx, `INSERT INTO reference_crops (reference_seq, jpeg) VALUES (?, ?)`, seq, r.Crop)
	return err
}

// subject returns the key of a subject, made when it is new.
func (in *referenceInserter) subject(label string) (key int64, err error) {
	fresh, err := added(in.tx.ExecContext(in.ctx, `INSERT INTO subjects (id, collection_key, label) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		newID(), in.key, label))
	if err != nil {
		return 0, err
	}
	if fresh {
		in.subjects++
	}
	err = in.tx.QueryRowContext(in.ctx, `SELECT key FROM subjects WHERE collection_key = ? AND label = ?`, in.key, label).Scan(&key)
	return key, err
}

// there tells a reference that is stored already from one whose ID is taken.
func (in *referenceInserter) there(r *semblance.Reference, subject int64) error {
	var one int
	err := in.tx.QueryRowContext(in.ctx, `SELECT 1 FROM subject_references WHERE subject_key = ? AND sha256 = ?`, subject, r.SHA256[:]).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return semblance.Errorf(semblance.Conflict, "the id of a reference of %q is another reference's", r.Subject)
	}
	return err
}

const selectReference = `SELECT r.seq, r.id, c.id, s.label, r.source, r.sha256, r.type, r.face, r.embedding, r.engine, r.version, r.decoder,
	r.captured, r.captured_from, r.age, r.note, r.override, r.left_out, r.created
	FROM subject_references r JOIN subjects s ON s.key = r.subject_key JOIN collections c ON c.key = r.collection_key `

func scanReference(scan scanner) (r semblance.Reference, err error) {
	var face, override string
	var embedding []byte
	err = scan(&r.Seq, &r.ID, &r.Collection, &r.Subject, &r.Source, fixed(r.SHA256[:]), &r.Type, &face, &embedding, &r.Engine, &r.Version, &r.Decoder,
		&r.Captured, &r.CapturedFrom, &r.Age, &r.Note, &override, &r.LeftOut, textTime{&r.Created})
	if err == nil {
		r.Face, err = decodeFace(face, embedding)
	}
	if err == nil && override != "" {
		err = json.Unmarshal([]byte(override), &r.Override)
	}
	return r, err
}

func encodeOverride(o *semblance.Override) (string, error) {
	if o == nil {
		return "", nil
	}
	text, err := json.Marshal(o)
	return string(text), err
}

// References returns the references of ids, in order, with embeddings and without
// crops. The error has code NotFound when one is missing.
func (s *Store) References(ctx context.Context, ids ...semblance.ReferenceID) ([]semblance.Reference, error) {
	list := make([]semblance.Reference, 0, len(ids))
	err := s.read(ctx, "read the references", func(tx *sql.Tx) error {
		for _, id := range ids {
			r, err := scanReference(tx.QueryRowContext(ctx, selectReference+`WHERE r.id = ?`, id).Scan)
			if errors.Is(err, sql.ErrNoRows) {
				return semblance.Errorf(semblance.NotFound, "there is no reference %q", string(id))
			}
			if err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// selectSubject finds the subject first, and sorts without an index: joined plainly,
// SQLite walks the whole collection in the order of ids, 4 s in 100,000 references.
const selectSubject = selectReference + `WHERE r.subject_key = (SELECT x.key FROM subjects x JOIN collections y ON y.key = x.collection_key
	WHERE y.id = ? AND x.label = ?) ORDER BY +r.id`

// SubjectReferences returns the references of a subject in the order of ids, with
// embeddings and without crops; none when there is no such subject.
func (s *Store) SubjectReferences(ctx context.Context, c semblance.CollectionID, subject string) ([]semblance.Reference, error) {
	const op = "read the references of a subject"
	rows, err := s.reader.QueryContext(ctx, selectSubject, c, subject)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanReference)
	return list, s.fail(ctx, op, err)
}

// SameMedia returns the references of a collection that were made from a media, in
// the order of ids.
func (s *Store) SameMedia(ctx context.Context, c semblance.CollectionID, media semblance.SHA256) ([]semblance.Reference, error) {
	var list []semblance.Reference
	err := s.read(ctx, "read the references", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectReference+`WHERE r.sha256 = ? AND r.collection_key = ? ORDER BY r.id`, media[:], key)
		if err == nil {
			list, err = collect(rows, scanReference)
		}
		return err
	})
	return list, err
}

// ReferencePage returns at most limit references of a collection after an id, in the
// order of ids, with embeddings and without crops.
func (s *Store) ReferencePage(ctx context.Context, c semblance.CollectionID, after semblance.ReferenceID, limit int) ([]semblance.Reference, error) {
	const op = "read the references"
	rows, err := s.reader.QueryContext(ctx, selectReference+`WHERE r.collection_key = (SELECT key FROM collections WHERE id = ?) AND r.id > ? ORDER BY r.id LIMIT ?`, c, after, limit)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanReference)
	return list, s.fail(ctx, op, err)
}

// ReferenceCrop returns the JPEG of a reference's face. The error has code NotFound
// when none was kept.
func (s *Store) ReferenceCrop(ctx context.Context, id semblance.ReferenceID) ([]byte, error) {
	return s.picture(ctx, `SELECT p.jpeg FROM reference_crops p JOIN subject_references r ON r.seq = p.reference_seq WHERE r.id = ?`, id)
}

// EachReference calls f for every reference of a collection, in the order of ids,
// until f returns an error, which it returns. What f sees is one state; f may use
// the Store.
func (s *Store) EachReference(ctx context.Context, c semblance.CollectionID, f func(semblance.Reference) error) error {
	return s.read(ctx, "read the references", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectReference+`WHERE r.collection_key = ? ORDER BY r.id`, key)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			r, err := scanReference(scan)
			if err != nil {
				return err
			}
			return calledBack(f(r))
		})
	})
}

// collectionKey returns the internal key of a collection.
func collectionKey(ctx context.Context, q querier, id semblance.CollectionID) (int64, error) {
	var key int64
	err := q.QueryRowContext(ctx, `SELECT key FROM collections WHERE id = ?`, id).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		err = semblance.Errorf(semblance.NotFound, "the collection is not there any more")
	}
	return key, err
}
