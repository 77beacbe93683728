package store

import (
	"context"
	"database/sql"
	"slices"

	"semblance"
)

// RemoveReferences erases references of a collection with their vectors, crops and
// what is staged of them, and the subjects that are left without any; raises the
// collection's version and returns what it counted before and after, the references,
// and the objects that no other reference needs. What was erased is overwritten in
// the data file; findings stay, as when a collection is deleted. The counts become
// part of the audit event. The error has code NotFound, and nothing is erased, when
// one of the references is not there.
func (s *Store) RemoveReferences(ctx context.Context, c semblance.CollectionID, r semblance.Removal, ev semblance.AuditEvent) (semblance.Erasure, error) {
	var e semblance.Erasure
	err := s.write(ctx, "remove the references", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		gone, err := toRemove(ctx, tx, key, stored.Name, r)
		if err != nil {
			return err
		}
		subjects, err := eraseReferences(ctx, tx, gone, &e)
		if err != nil {
			return err
		}
		if e.Objects, err = unneeded(ctx, tx, gone); err != nil {
			return err
		}
		for _, g := range gone {
			e.References = append(e.References, g.id)
		}
		with(&ev, "references", e.References)
		with(&ev, "before", e.Before)
		with(&ev, "after", e.After)
		with(&ev, "originals", e.Objects)
		return raise(ctx, tx, key, -subjects, -len(gone))
	})
	if err != nil {
		return semblance.Erasure{}, err
	}
	s.forget(ctx)
	return e, nil
}

// A goingReference is one that is to be erased.
type goingReference struct {
	seq     int64
	id      semblance.ReferenceID
	subject int64
	media   semblance.SHA256
}

// toRemove lists the references that a removal means, each once.
func toRemove(ctx context.Context, tx *sql.Tx, key int64, name string, r semblance.Removal) ([]goingReference, error) {
	find := func(where string, arg any) ([]goingReference, error) {
		rows, err := tx.QueryContext(ctx, `SELECT r.seq, r.id, r.subject_key, r.sha256 FROM subject_references r JOIN subjects s ON s.key = r.subject_key
			WHERE r.collection_key = ? AND `+where+` ORDER BY r.id`, key, arg)
		if err != nil {
			return nil, err
		}
		return collect(rows, func(scan scanner) (g goingReference, err error) {
			err = scan(&g.seq, &g.id, &g.subject, fixed(g.media[:]))
			return g, err
		})
	}
	if r.Subject != "" {
		list, err := find(`s.label = ?`, r.Subject)
		if err == nil && len(list) == 0 {
			err = semblance.Errorf(semblance.NotFound, "the collection %q has no subject %q", name, r.Subject)
		}
		return list, err
	}
	var list []goingReference
	for _, id := range slices.Compact(slices.Sorted(slices.Values(r.IDs))) {
		one, err := find(`r.id = ?`, id)
		if err != nil {
			return nil, err
		}
		if len(one) == 0 {
			return nil, semblance.Errorf(semblance.NotFound, "the collection %q has no reference %q", name, string(id))
		}
		list = append(list, one...)
	}
	return list, nil
}

// referenceParts count what is kept of one reference: the same tables in the order
// in which rows can go.
func referenceParts() []erasedTable {
	return []erasedTable{
		{"staged_references", `reference_seq = ?`},
		{"reference_crops", `reference_seq = ?`},
		{"subject_references", `seq = ?`},
	}
}

// eraseReferences erases, counts before and after, and returns how many subjects are
// gone with their last reference.
func eraseReferences(ctx context.Context, tx *sql.Tx, gone []goingReference, e *semblance.Erasure) (subjects int, err error) {
	count := func() (total int64, err error) {
		for _, g := range gone {
			n, err := countReference(ctx, tx, g.seq)
			if err != nil {
				return 0, err
			}
			total += n
		}
		return total, nil
	}
	if e.Before, err = count(); err != nil {
		return 0, err
	}
	for _, g := range gone {
		for _, t := range referenceParts() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+t.name+` WHERE `+t.where, g.seq); err != nil {
				return 0, err
			}
		}
		last, err := added(tx.ExecContext(ctx, `DELETE FROM subjects WHERE key = ? AND NOT EXISTS (SELECT 1 FROM subject_references WHERE subject_key = ?)`, g.subject, g.subject))
		if err != nil {
			return 0, err
		}
		if last {
			subjects++
		}
	}
	e.Before += int64(subjects)
	e.After, err = count()
	return subjects, err
}

// countReference counts the rows, vectors and crops of a reference.
func countReference(ctx context.Context, tx *sql.Tx, seq int64) (int64, error) {
	queries := []string{`SELECT count(embedding) FROM subject_references WHERE seq = ?`,
		`SELECT count(embedding) + count(jpeg) FROM staged_references WHERE reference_seq = ?`}
	for _, t := range referenceParts() {
		queries = append(queries, `SELECT count(*) FROM `+t.name+` WHERE `+t.where)
	}
	var total, n int64
	for _, query := range queries {
		if err := tx.QueryRowContext(ctx, query, seq).Scan(&n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// unneeded lists the originals of erased references that no reference needs.
func unneeded(ctx context.Context, tx *sql.Tx, gone []goingReference) ([]semblance.SHA256, error) {
	list := []semblance.SHA256{}
	for _, g := range gone {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM subject_references WHERE sha256 = ?`, g.media[:]).Scan(&n); err != nil {
			return nil, err
		}
		if n == 0 && !slices.Contains(list, g.media) {
			list = append(list, g.media)
		}
	}
	return list, nil
}
