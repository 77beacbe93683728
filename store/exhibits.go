package store

import (
	"context"
	"database/sql"
	"errors"

	"semblance"
)

const exhibitColumns = `e.id, c.id, e.label, e.source, e.serial, e.acquirer, e.created, e.unfinished`

func scanExhibit(scan scanner) (e semblance.Exhibit, err error) {
	err = scan(&e.ID, &e.Case, &e.Label, &e.Source, &e.Serial, &e.Acquirer, textTime{&e.Created}, &e.Unfinished)
	return e, err
}

const selectExhibit = `SELECT ` + exhibitColumns + ` FROM exhibits e JOIN cases c ON c.key = e.case_key `

// OpenExhibit returns the exhibit of e's case and label, creates it when there is
// none (created says so), and leases it to the caller, who gives it back with
// ReleaseExhibit. What is stored of an exhibit that is there stays as it is.
//
// The error has code Conflict when the label belongs to another source, or when
// another scan holds the exhibit; NotFound when there is no such case; Invalid
// when the label is empty.
func (s *Store) OpenExhibit(ctx context.Context, e semblance.Exhibit, ev semblance.AuditEvent) (_ semblance.Exhibit, created bool, err error) {
	if e.Label == "" {
		return semblance.Exhibit{}, false, semblance.Errorf(semblance.Invalid, "an exhibit needs a label")
	}
	var got semblance.Exhibit
	var leased bool
	err = s.write(ctx, "open the exhibit", &ev, func(tx *sql.Tx) error {
		if created, err = s.insertExhibit(ctx, tx, e); err != nil {
			return err
		}
		got, err = scanExhibit(tx.QueryRowContext(ctx, selectExhibit+`WHERE c.id = ? AND e.label = ?`, e.Case, e.Label).Scan)
		if err != nil {
			return err
		}
		if got.Source != e.Source {
			return semblance.Errorf(semblance.Conflict, "the exhibit %q of this case is of another source, %q", e.Label, got.Source).
				WithHint("Give another label to this source, or scan that one.")
		}
		if leased = s.lease(got.ID); !leased {
			return semblance.Errorf(semblance.Conflict, "another scan holds the exhibit %q", e.Label).
				WithHint("Wait until it is done, or cancel it.")
		}
		return nil
	})
	if err != nil {
		if leased {
			s.ReleaseExhibit(got.ID)
		}
		return semblance.Exhibit{}, false, err
	}
	return got, created, nil
}

func (s *Store) insertExhibit(ctx context.Context, tx *sql.Tx, e semblance.Exhibit) (bool, error) {
	key, err := caseKey(ctx, tx, e.Case)
	if err != nil {
		return false, err
	}
	if e.ID == "" {
		e.ID = semblance.ExhibitID(newID())
	}
	return added(tx.ExecContext(ctx, `INSERT INTO exhibits (id, case_key, label, source, serial, acquirer, created)
		VALUES (`+marks(7)+`) ON CONFLICT DO NOTHING`,
		e.ID, key, e.Label, e.Source, e.Serial, e.Acquirer, timeText(s.created(e.Created))))
}

// lease reports whether the exhibit was free. A lease lives in memory: the data
// folder has one owner, and with it end its scans.
func (s *Store) lease(id semblance.ExhibitID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[id] {
		return false
	}
	s.leases[id] = true
	return true
}

// ReleaseExhibit gives an exhibit back that OpenExhibit leased. Only who was given
// the exhibit may do that.
func (s *Store) ReleaseExhibit(id semblance.ExhibitID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leases, id)
}

// Exhibits lists the exhibits of a case by label.
func (s *Store) Exhibits(ctx context.Context, id semblance.CaseID) ([]semblance.Exhibit, error) {
	list, err := exhibits(ctx, s.reader, id)
	return list, s.fail(ctx, "list the exhibits", err)
}

func exhibits(ctx context.Context, q querier, id semblance.CaseID) ([]semblance.Exhibit, error) {
	rows, err := q.QueryContext(ctx, selectExhibit+`WHERE c.id = ? ORDER BY e.label`, id)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanExhibit)
}

// exhibitKey returns the internal keys of an exhibit and of its case.
func exhibitKey(ctx context.Context, q querier, id semblance.ExhibitID) (key, caseKey int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT key, case_key FROM exhibits WHERE id = ?`, id).Scan(&key, &caseKey)
	if errors.Is(err, sql.ErrNoRows) {
		err = semblance.Errorf(semblance.NotFound, "there is no such exhibit")
	}
	return key, caseKey, err
}
