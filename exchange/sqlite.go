package exchange

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"semblance"
)

// A tableSource reads a table of a database in the order of its row numbers. Each
// Next scans a row; parse makes a record of it.
type tableSource struct {
	*base
	db    *sql.DB
	query string // its first column is the row number; "?" is after which
	rows  *sql.Rows
	at    int64
	dest  []any
	parse func(r *semblance.DigestRow) error
}

// openDatabase opens a database so that nothing is written beside it either.
func (b *base) openDatabase() (*sql.DB, error) {
	if info, err := os.Stat(b.path + "-wal"); err == nil && info.Size() > 0 {
		return nil, semblance.Errorf(semblance.Invalid, "%q has changes that are not in it yet: there is a -wal file beside it", b.about.Name).
			WithHint("Close the program that has it open, or copy it with SQLite's VACUUM INTO, and import the copy.")
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: b.path}).EscapedPath(), RawQuery: "mode=ro&immutable=1&_pragma=query_only(1)&_pragma=temp_store(2)&_pragma=trusted_schema(0)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	db.SetMaxOpenConns(2) // rows, and what is asked while they are open
	return db, nil
}

func unreadableDatabase(name string, err error) error {
	return semblance.Errorf(semblance.Invalid, "%q cannot be read as a SQLite database", name).
		WithHint("Check that it was copied or unpacked whole: sqlite3 FILE 'PRAGMA quick_check'.").WithCause(err)
}

// columnsOf returns the columns of a table and whether it is a table, not a view.
func columnsOf(ctx context.Context, db *sql.DB, name string) (columns map[string]bool, table bool, err error) {
	var kind string
	err = db.QueryRowContext(ctx, `SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')`, name).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if kind == "view" {
		return map[string]bool{}, false, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT lower(name) FROM pragma_table_info(?)`, name)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	columns = map[string]bool{}
	for rows.Next() {
		var c string
		if err := rows.Scan(&c); err != nil {
			return nil, false, err
		}
		columns[c] = true
	}
	return columns, true, rows.Err()
}

// firstOf returns the first of names that is a column, "NULL" when none is.
func firstOf(columns map[string]bool, names ...string) string {
	for _, n := range names {
		if columns[n] {
			return n
		}
	}
	return "NULL"
}

// Position implements semblance.DigestSource.
func (s *tableSource) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: s.at, Row: s.at}
}

// Seek implements semblance.DigestSource.
func (s *tableSource) Seek(ctx context.Context, at semblance.SourcePosition) error {
	if s.rows != nil {
		if err := s.rows.Close(); err != nil {
			return unreadableDatabase(s.about.Name, err)
		}
	}
	var err error
	if s.rows, err = s.db.QueryContext(ctx, s.query, at.Row); err != nil {
		if strings.Contains(err.Error(), "rowid") {
			return notOf(s.about.Name, Format(s.about.Format), "its table has no row numbers")
		}
		return unreadableDatabase(s.about.Name, err)
	}
	s.at = at.Row
	return nil
}

// Next implements semblance.DigestSource.
func (s *tableSource) Next(ctx context.Context, r *semblance.DigestRow) error {
	if !s.rows.Next() {
		switch err := s.rows.Err(); {
		case err == nil:
			return io.EOF
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			return unreadableDatabase(s.about.Name, err)
		}
	}
	if err := s.rows.Scan(s.dest...); err != nil {
		return unreadableDatabase(s.about.Name, err)
	}
	row := *s.dest[0].(*int64)
	s.at = row
	*r = semblance.DigestRow{Row: row}
	if err := s.parse(r); err != nil {
		return &semblance.BadRow{Row: row, Reason: err.Error()}
	}
	return nil
}

// Close implements io.Closer.
func (s *tableSource) Close() error {
	var err error
	if s.rows != nil {
		err = s.rows.Close()
	}
	return errors.Join(err, s.db.Close(), s.base.Close())
}
