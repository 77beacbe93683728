package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite" // the driver
	lib "modernc.org/sqlite/lib"

	"semblance"
)

// A database is one connection to a foreign SQLite file. What such a file can make SQLite do
// is bounded: only ordinary tables are read, in the order of their row numbers and by no index,
// so that nothing is sorted and no row comes twice; no value and no statement is larger
// than mostValue; and its description of itself is read within describeWithin.
type database struct {
	*sql.Conn
	pool   *sql.DB
	name   string // of the file
	format Format
}

const (
	mostValue      = 1 << 20 // bytes; NSRL's longest are names of files
	describeWithin = time.Minute
)

// openDatabase opens a database so that nothing is written beside it either.
func (b *base) openDatabase(ctx context.Context, format Format) (*database, error) {
	if info, err := os.Stat(b.path + "-wal"); err == nil && info.Size() > 0 {
		return nil, semblance.Errorf(semblance.Invalid, "%q has changes that are not in it yet: there is a -wal file beside it", b.about.Name).
			WithHint("Close the program that has it open, or copy it with SQLite's VACUUM INTO, and import the copy.")
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: b.path}).EscapedPath(), RawQuery: "mode=ro&immutable=1&_pragma=query_only(1)&_pragma=temp_store(2)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"}
	pool, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, unreadableDatabase(b.about.Name, err)
	}
	d := &database{pool: pool, name: b.about.Name, format: format}
	if d.Conn, err = pool.Conn(ctx); err == nil {
		err = d.describe(ctx)
	}
	if err != nil {
		return nil, errors.Join(unreadableDatabase(b.about.Name, err), d.Close())
	}
	return d, nil
}

// describe sets the bounds and makes SQLite read the schema. A small file can describe
// itself at a length without end, with pages that point to the same ones again and again. Of a script, unlike of
// one statement, the driver ends also the preparation when the time is over.
func (d *database) describe(ctx context.Context) error {
	for _, limit := range []int{lib.SQLITE_LIMIT_LENGTH, lib.SQLITE_LIMIT_SQL_LENGTH} {
		if _, err := sqlite.Limit(d.Conn, limit, mostValue); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	var n int
	return d.QueryRowContext(ctx, `SELECT 1 WHERE 0; SELECT count(*) FROM sqlite_master WHERE rowid < 0`).Scan(&n)
}

func (d *database) Close() error {
	var err error
	if d.Conn != nil {
		err = d.Conn.Close()
	}
	return errors.Join(err, d.pool.Close())
}

// unreadableDatabase is the error of a file that SQLite cannot read; one that has its code
// already stays.
func unreadableDatabase(name string, err error) error {
	if err == nil || errors.As(err, new(*semblance.Error)) || errors.Is(err, context.Canceled) {
		return err
	}
	return semblance.Errorf(semblance.Invalid, "%q cannot be read as a SQLite database", name).
		WithHint("Check that it was copied or unpacked whole: sqlite3 FILE 'PRAGMA quick_check'.").WithCause(err)
}

// A table is a table of a database that can be read: it has its rows in itself and numbers
// for them.
type table struct {
	name    string
	columns []string // in lower case
	number  string   // the column of the row number
}

// has reports whether there are all of some columns. A table that is not there has none.
func (t *table) has(columns ...string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(t.columns, c) })
}

// firstOf returns the first of names that is a column, "NULL" when none is.
func (t *table) firstOf(names ...string) string {
	for _, n := range names {
		if t.has(n) {
			return n
		}
	}
	return "NULL"
}

// table finds a table by its name. One that is not there, or a view, has no columns.
// Columns that are computed are none: what they compute is the file's to say.
func (d *database) table(ctx context.Context, name string) (*table, error) {
	t := &table{name: name}
	if found, err := d.isTable(ctx, name); !found || err != nil {
		return t, err
	}
	rows, err := d.QueryContext(ctx, `SELECT lower(name), hidden FROM pragma_table_xinfo(?)`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var c string
		var hidden int
		if err := rows.Scan(&c, &hidden); err != nil {
			return nil, err
		}
		if all = append(all, c); hidden == 0 {
			t.columns = append(t.columns, c)
		}
	}
	// A column may hide the row number behind its own name.
	for _, n := range []string{"rowid", "_rowid_", "oid"} {
		if !slices.Contains(all, n) {
			t.number = n
			return t, rows.Err()
		}
	}
	return nil, errors.Join(rows.Err(), notOf(d.name, d.format, "the row numbers of its table "+name+" have no name"))
}

// isTable reports whether a table, not a view, has a name. A database with a virtual table
// is refused, whatever its name, since what that does is not known here.
func (d *database) isTable(ctx context.Context, name string) (found bool, err error) {
	rows, err := d.QueryContext(ctx, `SELECT type, name, coalesce(sql, '') FROM sqlite_master`)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, n, text string
		if err := rows.Scan(&kind, &n, &text); err != nil {
			return false, err
		}
		// SQLite writes it in just this way when it makes one.
		if kind == "table" && !strings.HasPrefix(text, "CREATE TABLE ") {
			return false, semblance.Errorf(semblance.Invalid, "%q has a table %q of a kind that is not read", d.name, clip([]byte(n))).
				WithHint("Copy the tables that hold the digests into a database of their own, and import that.")
		}
		found = found || kind == "table" && strings.EqualFold(n, name)
	}
	return found, rows.Err()
}

// ends returns the largest row number of a table, 0 when it has none. Row numbers begin
// at 1.
func (d *database) ends(ctx context.Context, t *table) (int64, error) {
	var first, last sql.NullInt64
	err := d.QueryRowContext(ctx, fmt.Sprintf(`SELECT min(%s) FROM %s NOT INDEXED`, t.number, t.name)).Scan(&first)
	if err == nil && first.Valid && first.Int64 < 1 {
		err = semblance.Errorf(semblance.Invalid, "a row of table %s in %q has the number %d; they are read from 1", t.name, d.name, first.Int64).
			WithHint("Copy the table into a new one, which numbers its rows anew, and import that.")
	}
	if err == nil {
		err = d.QueryRowContext(ctx, fmt.Sprintf(`SELECT max(%s) FROM %s NOT INDEXED`, t.number, t.name)).Scan(&last)
	}
	return last.Int64, err
}

// A walk goes through the rows of a table by their numbers.
type walk struct {
	rows *sql.Rows
	dest []any
	at   int64
}

// errOrder is of a file in which pages are used twice: it could be read without end.
var errOrder = errors.New("row numbers do not rise")

// walk begins after a row. Columns are read into dest.
func (d *database) walk(ctx context.Context, t *table, after int64, columns []string, dest ...any) (*walk, error) {
	w := &walk{at: after}
	w.dest = append([]any{&w.at}, dest...)
	var err error
	w.rows, err = d.QueryContext(ctx, fmt.Sprintf(`SELECT %s, %s FROM %s NOT INDEXED WHERE %[1]s > ? ORDER BY %[1]s`, t.number, strings.Join(columns, ", "), t.name), after)
	if err != nil && strings.Contains(err.Error(), "no such column: "+t.number) {
		err = notOf(d.name, d.format, "its table "+t.name+" has no row numbers")
	}
	return w, err
}

// next reads the next row and reports whether there was one.
func (w *walk) next() (bool, error) {
	if !w.rows.Next() {
		return false, w.rows.Err()
	}
	before := w.at
	if err := w.rows.Scan(w.dest...); err != nil {
		return false, err
	}
	if w.at <= before {
		return false, errOrder
	}
	return true, nil
}

// A tableSource reads a table of a database in the order of its row numbers. Each
// Next scans a row; parse makes a record of it.
type tableSource struct {
	*base
	db      *database
	table   *table
	columns []string
	dest    []any
	parse   func(r *semblance.DigestRow) error
	walk    *walk
}

// Position implements semblance.DigestSource.
func (s *tableSource) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: s.walk.at, Row: s.walk.at}
}

// Seek implements semblance.DigestSource.
func (s *tableSource) Seek(ctx context.Context, at semblance.SourcePosition) error {
	if s.walk != nil {
		if err := s.walk.rows.Close(); err != nil {
			return unreadableDatabase(s.about.Name, err)
		}
	}
	w, err := s.db.walk(ctx, s.table, at.Row, s.columns, s.dest...)
	if err != nil {
		return unreadableDatabase(s.about.Name, err)
	}
	s.walk = w
	return nil
}

// Next implements semblance.DigestSource.
func (s *tableSource) Next(ctx context.Context, r *semblance.DigestRow) error {
	before := s.walk.at
	more, err := s.walk.next()
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.walk.at = before // a position that can be gone on from
		return unreadableDatabase(s.about.Name, err)
	case !more:
		return io.EOF
	}
	*r = semblance.DigestRow{Row: s.walk.at}
	if err := s.parse(r); err != nil {
		return &semblance.BadRow{Row: s.walk.at, Reason: err.Error()}
	}
	return nil
}

// Close implements io.Closer.
func (s *tableSource) Close() error {
	var err error
	if s.walk != nil {
		err = s.walk.rows.Close()
	}
	return errors.Join(err, s.db.Close(), s.base.Close())
}
