package store

import (
	"context"
	"database/sql"

	"semblance"
)

// An ItemRow is an item with its exhibit's label.
type ItemRow struct {
	Exhibit string
	Item    semblance.Item
}

// ItemRows lists items of a case by exhibit label and then by path in byte order, a
// page at a time: those after the position, of one exhibit when its label is not
// empty. A limit of 0 means 100. The error has code NotFound when there is no such
// case.
func (s *Store) ItemRows(ctx context.Context, id semblance.CaseID, exhibit string, after Position, limit int) ([]ItemRow, error) {
	if limit <= 0 {
		limit = 100
	}
	var list []ItemRow
	err := s.read(ctx, "list the items", func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, id)
		if err != nil {
			return err
		}
		where, args := `e.case_key = ?`, []any{key}
		if exhibit != "" {
			where += ` AND e.label = ?`
			args = append(args, exhibit)
		}
		if after != (Position{}) {
			where += ` AND (e.label > ? OR (e.label = ? AND i.path > ?))`
			args = append(args, after.Exhibit, after.Exhibit, after.Path)
		}
		rows, err := tx.QueryContext(ctx, `SELECT e.label, e.id, `+itemColumns+` FROM exhibits e JOIN items i ON i.exhibit_key = e.key
			WHERE `+where+` ORDER BY e.label, i.path LIMIT ?`, append(args, limit)...)
		if err != nil {
			return err
		}
		list, err = collect(rows, scanItemRow)
		return err
	})
	return list, err
}

// NotedContainers lists the containers of an exhibit, given by its label, of which
// something was noted, by path in byte order; a limit of 0 means 100.
func (s *Store) NotedContainers(ctx context.Context, id semblance.CaseID, exhibit string, limit int) (list []ItemRow, err error) {
	if limit <= 0 {
		limit = 100
	}
	const op = "list the containers"
	rows, err := s.reader.QueryContext(ctx, `SELECT e.label, e.id, `+itemColumns+` FROM cases c JOIN exhibits e ON e.case_key = c.key JOIN items i ON i.exhibit_key = e.key
		WHERE c.id = ? AND e.label = ? AND i.opened <> ? AND json_array_length(i.details, '$.opened.notes') > 0 ORDER BY i.path LIMIT ?`, id, exhibit, semblance.NotOpened, limit)
	if err == nil {
		list, err = collect(rows, scanItemRow)
	}
	return list, s.fail(ctx, op, err)
}

func scanItemRow(scan scanner) (r ItemRow, err error) {
	var d itemDest
	if err = scan(append([]any{&r.Exhibit, &d.item.Exhibit}, d.columns()...)...); err != nil {
		return r, err
	}
	r.Item, err = d.done()
	return r, err
}

// HasMedia reports whether an item of the case has this content.
func (s *Store) HasMedia(ctx context.Context, id semblance.CaseID, media semblance.SHA256) (bool, error) {
	var has bool
	err := s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM items i JOIN exhibits e ON e.key = i.exhibit_key
		JOIN cases c ON c.key = e.case_key WHERE i.sha256 = ? AND c.id = ?)`, media[:], id).Scan(&has)
	return has, s.fail(ctx, "look for the media in the case", err)
}
