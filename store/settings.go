package store

import (
	"context"
	"database/sql"
	"errors"

	"semblance"
)

// Setting returns the value of a setting, "" when there is none.
func (s *Store) Setting(ctx context.Context, name string) (string, error) {
	var value string
	err := s.reader.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = ?`, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, s.fail(ctx, "read the setting", err)
}

// SetSetting stores the value of a setting.
func (s *Store) SetSetting(ctx context.Context, name, value string, ev semblance.AuditEvent) error {
	return s.write(ctx, "change the setting", &ev, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
		return err
	})
}

// InstallationID returns the random name that the data folder got when it was made.
func (s *Store) InstallationID(ctx context.Context) (string, error) {
	return s.Setting(ctx, "installation")
}
