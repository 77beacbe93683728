package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// CanonicalJSON is the form that hashes are over, for tests of any value.
func CanonicalJSON(value any) ([]byte, error) { return appendCanonical(nil, value) }

// LimitPages lets the data file grow by so many pages only, as a full disk would.
func (s *Store) LimitPages(ctx context.Context, more int) error {
	var pages int
	if err := s.writer.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return err
	}
	_, err := s.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages+more))
	return err
}

// FreePages takes the limit away.
func (s *Store) FreePages(ctx context.Context) error {
	_, err := s.writer.ExecContext(ctx, "PRAGMA max_page_count = 4294967294")
	return err
}

// SchemaVersion is the newest that this version knows.
func SchemaVersion() int { return len(migrations()) }

// Migrate opens a data file as Open does and does the migrations of files.
func Migrate(ctx context.Context, file string, files fs.FS, dir string) error {
	db, err := openWriter(file, time.Second)
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, db, readMigrations(files, dir))
}

// MigrationFiles are the program's own.
func MigrationFiles() (fs.FS, string) { return sqliteMigrations, "migrations/sqlite" }

// RawDB opens the data file of a folder as a stranger would.
func RawDB(file string) (*sql.DB, error) { return sql.Open("sqlite", "file:"+file) }

// SubjectPlan says how SQLite would look for the references of a subject.
func (s *Store) SubjectPlan(ctx context.Context) (plan string, err error) {
	rows, err := s.reader.QueryContext(ctx, `EXPLAIN QUERY PLAN `+selectSubject, "c", "s")
	if err != nil {
		return "", err
	}
	steps, err := collect(rows, func(scan scanner) (step string, err error) {
		var id, parent, unused int
		err = scan(&id, &parent, &unused, &step)
		return step, err
	})
	return strings.Join(steps, "\n"), err
}

// SortDigests puts digests in order that are more than few, a chunk at a time.
func (s *Store) SortDigests(ctx context.Context, few, chunk int64) error {
	return s.sortDigests(ctx, digestOrder{few: few, least: chunk, most: chunk})
}
