package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"semblance"
	"semblance/hashing"
	"semblance/selector"
)

// AddEntries stores new entries of a hashes, known-good or selectors collection and raises
// its version when there are any. A value that is there already is left as it is;
// the count is of new ones, and the audit event says it too. IDs grow in the order
// of entries.
//
// The error has code Invalid, and nothing is stored, when a value has not the
// length of its algorithm or the collection is of another kind.
func (s *Store) AddEntries(ctx context.Context, c semblance.CollectionID, entries []semblance.HashEntry, ev semblance.AuditEvent) (int, error) {
	var fresh int
	err := s.write(ctx, "add the entries", &ev, func(tx *sql.Tx) error {
		key, stored, err := lockCollection(ctx, tx, c)
		if err != nil {
			return err
		}
		if stored.Kind == semblance.Faces {
			return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and cannot hold hashes", stored.Name, stored.Kind)
		}
		for i := range entries {
			if err := fits(&entries[i], stored); err != nil {
				return err
			}
		}
		if fresh, err = insertEntries(ctx, tx, key, entries); err != nil {
			return err
		}
		with(&ev, "added", fresh)
		if fresh == 0 {
			return nil
		}
		return raise(ctx, tx, key, 0, fresh)
	})
	if err != nil {
		return 0, err
	}
	return fresh, nil
}

// fits refuses hashes in a selectors collection, and selectors in any other.
func fits(e *semblance.HashEntry, c semblance.Collection) error {
	if _, is := semblance.SelectorKind(e.Algorithm); is != (c.Kind == semblance.Selectors) {
		return semblance.Errorf(semblance.Invalid, "the collection %q is of %s and cannot hold values of %s", c.Name, c.Kind, e.Algorithm)
	}
	return nil
}

// entriesAtOnce is how many rows one statement inserts: calling the driver costs as much as a
// row, and what it does for each value grows with their number.
const entriesAtOnce = 12

func insertEntries(ctx context.Context, tx *sql.Tx, key int64, entries []semblance.HashEntry) (count int, err error) {
	free := context.WithoutCancel(ctx) // see commit
	var st *sql.Stmt
	rows := 0 // of the statement
	defer func() {
		if st != nil {
			_ = st.Close()
		}
	}()
	var args []any
	for part := range slices.Chunk(entries, entriesAtOnce) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		args = args[:0]
		for i := range part {
			e := &part[i]
			if err := checkEntry(e); err != nil {
				return 0, err
			}
			args = append(args, key, e.Algorithm, e.Value, e.Size, e.Quality, e.Note, e.Category, e.Source, e.Record, e.Decoder, e.Raw)
		}
		if rows != len(part) {
			if st != nil {
				_ = st.Close()
			}
			rows = len(part)
			if st, err = tx.PrepareContext(free, `INSERT INTO hash_entries (collection_key, algorithm, value, size, quality, note, category, source, record, decoder, raw)
				VALUES (`+marks(11)+`)`+strings.Repeat(`, (`+marks(11)+`)`, rows-1)+` ON CONFLICT DO NOTHING`); err != nil {
				return 0, err
			}
		}
		r, err := st.ExecContext(free, args...)
		if err != nil {
			return 0, err
		}
		fresh, err := r.RowsAffected()
		if err != nil {
			return 0, err
		}
		count += int(fresh)
	}
	return count, nil
}

func checkEntry(e *semblance.HashEntry) error {
	if kind, ok := semblance.SelectorKind(e.Algorithm); ok {
		if s, err := selector.Normalize(kind, string(e.Value), ""); err != nil || s.Value != string(e.Value) || e.Algorithm != semblance.SelectorAlgorithm(kind) {
			return semblance.Errorf(semblance.Invalid, "%q is not a value of %s", string(e.Value), e.Algorithm)
		}
		return nil
	}
	switch bits := e.Algorithm.Bits(); {
	case e.Algorithm.IsVideo():
		if err := e.Algorithm.CheckValue(e.Value); err != nil {
			return semblance.Errorf(semblance.Invalid, "%v", err)
		}
	case bits == 0:
		return semblance.Errorf(semblance.Invalid, "no algorithm is called %q", string(e.Algorithm)).
			WithHint("Known are %v.", hashing.Algorithms())
	case bits != 8*len(e.Value):
		return semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", e.Algorithm, bits/8, len(e.Value))
	}
	return nil
}

const selectEntry = `SELECT h.id, c.id, h.algorithm, h.value, h.size, h.quality, h.note, h.category, h.source, h.record, h.decoder, h.raw
	FROM hash_entries h JOIN collections c ON c.key = h.collection_key `

func scanEntry(scan scanner) (e semblance.HashEntry, err error) {
	err = scan(&e.ID, &e.Collection, &e.Algorithm, &e.Value, &e.Size, &e.Quality, &e.Note, &e.Category, &e.Source, &e.Record, &e.Decoder, &e.Raw)
	e.Seq = int64(e.ID) // entries never change, so that their order is that of their ids
	return e, err
}

// Entries returns the entries of ids, in order. The error has code NotFound when
// one is missing.
func (s *Store) Entries(ctx context.Context, ids ...semblance.EntryID) ([]semblance.HashEntry, error) {
	list := make([]semblance.HashEntry, 0, len(ids))
	err := s.read(ctx, "read the entries", func(tx *sql.Tx) error {
		for _, id := range ids {
			e, err := scanEntry(tx.QueryRowContext(ctx, selectEntry+`WHERE h.id = ?`, id).Scan)
			if errors.Is(err, sql.ErrNoRows) {
				return semblance.Errorf(semblance.NotFound, "there is no entry %d", id)
			}
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Algorithms lists the algorithms a collection has values of, by name.
func (s *Store) Algorithms(ctx context.Context, c semblance.CollectionID) ([]hashing.Algorithm, error) {
	var list []hashing.Algorithm
	err := s.read(ctx, "list the algorithms", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		// One step through the index for each algorithm; DISTINCT would go through
		// every entry.
		for last := ""; err == nil; {
			var next sql.NullString
			err = tx.QueryRowContext(ctx, `SELECT min(algorithm) FROM hash_entries WHERE collection_key = ? AND algorithm > ?`, key, last).Scan(&next)
			if err != nil || !next.Valid {
				return err
			}
			last = next.String
			list = append(list, hashing.Algorithm(last))
		}
		return err
	})
	return list, err
}

// EachEntry calls f for every entry of a collection in the order of Seq, beginning
// after the given one, until f returns an error, which it returns. What f sees is
// one state; f may use the Store.
func (s *Store) EachEntry(ctx context.Context, c semblance.CollectionID, after int64, f func(semblance.HashEntry) error) error {
	return s.read(ctx, "read the entries", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectEntry+`WHERE h.collection_key = ? AND h.id > ? ORDER BY h.id`, key, after)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			e, err := scanEntry(scan)
			if err != nil {
				return err
			}
			return calledBack(f(e))
		})
	})
}

// The plus keeps SQLite from going through all entries in the order of their IDs,
// millions where a few are of the algorithm: it finds those by the index of values.
const whereAlgorithm = `WHERE h.collection_key = ? AND h.algorithm = ? ORDER BY +h.id`

// EachEntryOf is EachEntry for the entries of one algorithm.
func (s *Store) EachEntryOf(ctx context.Context, c semblance.CollectionID, alg hashing.Algorithm, f func(semblance.HashEntry) error) error {
	return s.read(ctx, "read the entries", func(tx *sql.Tx) error {
		key, err := collectionKey(ctx, tx, c)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, selectEntry+whereAlgorithm, key, alg)
		if err != nil {
			return err
		}
		return each(rows, func(scan scanner) error {
			e, err := scanEntry(scan)
			if err != nil {
				return err
			}
			return calledBack(f(e))
		})
	})
}
