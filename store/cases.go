package store

import (
	"context"
	"database/sql"
	"errors"

	"semblance"
)

const caseColumns = `id, number, agency, country, purpose, basis, created, threat_to_life, time_zone`

func scanCase(scan scanner) (c semblance.Case, err error) {
	err = scan(&c.ID, &c.Number, &c.Agency, &c.Country, &c.Purpose, &c.Basis, textTime{&c.Created}, &c.ThreatToLife, &c.TimeZone)
	return c, err
}

// CreateCase stores a case and returns it with, unless given, an ID and the time.
// The error has code Conflict when the number is taken, Invalid when it is empty.
func (s *Store) CreateCase(ctx context.Context, c semblance.Case, ev semblance.AuditEvent) (semblance.Case, error) {
	if c.Number == "" {
		return semblance.Case{}, semblance.Errorf(semblance.Invalid, "a case needs a number").WithHint("Give the number that people call it by.")
	}
	if c.ID == "" {
		c.ID = semblance.CaseID(newID())
	}
	c.Created = s.created(c.Created)
	err := s.write(ctx, "create the case", &ev, func(tx *sql.Tx) error {
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO cases (`+caseColumns+`) VALUES (`+marks(9)+`) ON CONFLICT DO NOTHING`,
			c.ID, c.Number, c.Agency, c.Country, c.Purpose, c.Basis, timeText(c.Created), c.ThreatToLife, c.TimeZone))
		if err == nil && !fresh {
			return semblance.Errorf(semblance.Conflict, "there is a case %q already", c.Number).WithHint("Use it, or give another number.")
		}
		return err
	})
	if err != nil {
		return semblance.Case{}, err
	}
	return c, nil
}

// Case returns the case of a number. The error has code NotFound when there is none.
func (s *Store) Case(ctx context.Context, number string) (semblance.Case, error) {
	c, err := scanCase(s.reader.QueryRowContext(ctx, `SELECT `+caseColumns+` FROM cases WHERE number = ?`, number).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return semblance.Case{}, semblance.Errorf(semblance.NotFound, "there is no case %q", number).
			WithHint("Create it with `semblance case create`, or check the number.")
	}
	return c, s.fail(ctx, "read the case", err)
}

// Cases lists all cases by number.
func (s *Store) Cases(ctx context.Context) ([]semblance.Case, error) {
	const op = "list the cases"
	rows, err := s.reader.QueryContext(ctx, `SELECT `+caseColumns+` FROM cases ORDER BY number`)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanCase)
	return list, s.fail(ctx, op, err)
}

// SetCase changes what is not nil of a case. The error has code NotFound when there is none.
func (s *Store) SetCase(ctx context.Context, number string, change semblance.CaseChange, ev semblance.AuditEvent) (c semblance.Case, err error) {
	err = s.write(ctx, "set the case", &ev, func(tx *sql.Tx) error {
		c, err = scanCase(tx.QueryRowContext(ctx, `UPDATE cases SET threat_to_life = COALESCE(?, threat_to_life), time_zone = COALESCE(?, time_zone)
			WHERE number = ? RETURNING `+caseColumns, change.ThreatToLife, change.TimeZone, number).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return semblance.Errorf(semblance.NotFound, "there is no case %q", number)
		}
		return err
	})
	return c, err
}

// caseKey returns the internal key of a case.
func caseKey(ctx context.Context, q querier, id semblance.CaseID) (int64, error) {
	var key int64
	err := q.QueryRowContext(ctx, `SELECT key FROM cases WHERE id = ?`, id).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, semblance.Errorf(semblance.NotFound, "there is no such case")
	}
	return key, err
}
