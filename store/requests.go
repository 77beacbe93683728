package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"semblance"
)

// AddRequest stores a request with its ID. The error has code NotFound when there is
// no such case, Conflict when the ID is taken, Invalid when there is none.
func (s *Store) AddRequest(ctx context.Context, r semblance.Request, ev semblance.AuditEvent) error {
	if r.ID == "" {
		return semblance.Errorf(semblance.Invalid, "a request needs an id")
	}
	r.Created = s.created(r.Created)
	return s.write(ctx, "record the request", &ev, func(tx *sql.Tx) error {
		key, err := caseKey(ctx, tx, r.Case)
		if err != nil {
			return err
		}
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO requests (id, case_key, data) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, r.ID, key, string(data)))
		if err == nil && !fresh {
			return semblance.Errorf(semblance.Conflict, "there is a request of that id already")
		}
		return err
	})
}

func scanRequest(scan scanner) (r semblance.Request, err error) {
	var data []byte
	if err = scan(&data); err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// Requests lists the requests of a case in the order in which they were added.
func (s *Store) Requests(ctx context.Context, id semblance.CaseID) ([]semblance.Request, error) {
	const op = "list the requests"
	rows, err := s.reader.QueryContext(ctx, `SELECT r.data FROM requests r JOIN cases c ON c.key = r.case_key WHERE c.id = ? ORDER BY r.key`, id)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanRequest)
	return list, s.fail(ctx, op, err)
}

// Request returns the request of an id. The error has code NotFound when there is
// none.
func (s *Store) Request(ctx context.Context, id string) (semblance.Request, error) {
	r, err := scanRequest(s.reader.QueryRowContext(ctx, `SELECT data FROM requests WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, semblance.Errorf(semblance.NotFound, "there is no such request")
	}
	return r, s.fail(ctx, "read the request", err)
}
