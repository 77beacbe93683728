package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

// AddCategorySet stores a category set for good. The error has code Conflict when
// there is one of that name and version.
func (s *Store) AddCategorySet(ctx context.Context, set semblance.CategorySet, ev semblance.AuditEvent) error {
	data, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return s.write(ctx, "add the category set", &ev, func(tx *sql.Tx) error {
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO category_sets (id, data) VALUES (?, ?) ON CONFLICT DO NOTHING`, set.ID(), string(data)))
		if err == nil && !fresh {
			return semblance.Errorf(semblance.Conflict, "there is a category set %s already, and a set is never changed", set.ID()).
				WithHint("Give what is new another version.")
		}
		return err
	})
}

// CategorySets lists all category sets by name and version.
func (s *Store) CategorySets(ctx context.Context) ([]semblance.CategorySet, error) {
	const op = "list the category sets"
	rows, err := s.reader.QueryContext(ctx, `SELECT data FROM category_sets ORDER BY id`)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanCategorySet)
	return list, s.fail(ctx, op, err)
}

// CategorySet returns the category set of an ID. The error has code NotFound when
// there is none.
func (s *Store) CategorySet(ctx context.Context, id string) (semblance.CategorySet, error) {
	set, err := scanCategorySet(s.reader.QueryRowContext(ctx, `SELECT data FROM category_sets WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return set, semblance.Errorf(semblance.NotFound, "there is no category set %q", id)
	}
	return set, s.fail(ctx, "read the category set", err)
}

func scanCategorySet(scan scanner) (set semblance.CategorySet, err error) {
	err = scan(jsonText{&set})
	return set, err
}
