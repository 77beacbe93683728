package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"semblance"
)

// A TokenID identifies an API token.
type TokenID string

// A Token is what is stored of an API token. The token itself is not.
type Token struct {
	ID      TokenID    `json:"id"`
	Name    string     `json:"name"` // unique, of revoked ones too: the audit chain names actors by it
	Created time.Time  `json:"created"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

const tokenColumns = `id, name, created, revoked`

func scanToken(scan scanner) (t Token, err error) {
	var revoked sql.NullString
	err = scan(&t.ID, &t.Name, textTime{&t.Created}, &revoked)
	if err == nil && revoked.Valid {
		t.Revoked = new(time.Time)
		err = textTime{t.Revoked}.Scan(revoked.String)
	}
	return t, err
}

// CreateToken stores the SHA-256 of a token under a name. The error has code
// Conflict when the name was ever given, Invalid when it is empty.
func (s *Store) CreateToken(ctx context.Context, name string, hash [32]byte, ev semblance.AuditEvent) (Token, error) {
	if name == "" {
		return Token{}, semblance.Errorf(semblance.Invalid, "a token needs a name").WithHint("The audit chain names who used it by that.")
	}
	t := Token{ID: TokenID(newID()), Name: name, Created: s.stamp()}
	err := s.write(ctx, "create the token", &ev, func(tx *sql.Tx) error {
		fresh, err := added(tx.ExecContext(ctx, `INSERT INTO tokens (id, name, hash, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			t.ID, t.Name, hash[:], timeText(t.Created)))
		if err == nil && !fresh {
			return semblance.Errorf(semblance.Conflict, "there is or was a token %q already", name).WithHint("Give another name.")
		}
		return err
	})
	if err != nil {
		return Token{}, err
	}
	return t, nil
}

// RevokeToken makes a token unusable. Revoking twice keeps the first time. The
// error has code NotFound when there is none of that name.
func (s *Store) RevokeToken(ctx context.Context, name string, ev semblance.AuditEvent) error {
	return s.write(ctx, "revoke the token", &ev, func(tx *sql.Tx) error {
		known, err := added(tx.ExecContext(ctx, `UPDATE tokens SET revoked = coalesce(revoked, ?) WHERE name = ?`, timeText(s.stamp()), name))
		if err == nil && !known {
			return semblance.Errorf(semblance.NotFound, "there is no token %q", name)
		}
		return err
	})
}

// TokenByHash returns the token of a SHA-256. The error has code Unauthenticated
// when there is none or it was revoked, and does not say which.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (Token, error) {
	t, err := scanToken(s.reader.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && t.Revoked != nil {
		return Token{}, semblance.Errorf(semblance.Unauthenticated, "the token is not known").
			WithHint("Create one with `semblance token`.")
	}
	return t, s.fail(ctx, "read the token", err)
}

// Tokens lists all tokens by name, revoked ones too.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	const op = "list the tokens"
	rows, err := s.reader.QueryContext(ctx, `SELECT `+tokenColumns+` FROM tokens ORDER BY name`)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanToken)
	return list, s.fail(ctx, op, err)
}
