package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
)

// A migration brings the schema from the version before it to its own. Versions
// count from 1 without gaps; a migration that was released never changes.
type migration struct {
	name string
	sql  string
}

// migrations lists all of them in order: number n is at n-1.
func migrations() []migration { return readMigrations(sqliteMigrations, "migrations/sqlite") }

// readMigrations reads the files of a folder, named 0001_what.sql and so on. The
// files are part of the program, so anything wrong with them is a programmer's error.
func readMigrations(files fs.FS, dir string) []migration {
	names, err := fs.Glob(files, dir+"/*.sql")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	list := make([]migration, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			panic(err)
		}
		if prefix := fmt.Sprintf("%s/%04d_", dir, i+1); len(name) < len(prefix) || name[:len(prefix)] != prefix {
			panic("store: migration " + name + " is out of order")
		}
		list[i] = migration{name: name[len(dir)+1:], sql: string(text)}
	}
	return list
}

// migrate does the migrations that are missing, each in a transaction of its own
// that also records it: a crash leaves the schema before or after one, never
// between.
func migrate(ctx context.Context, db *sql.DB, list []migration) error {
	version, application, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if err := checkVersion(version, application, len(list)); err != nil {
		return err
	}
	for n := int(version); n < len(list); n++ {
		if err := migrateTo(ctx, db, n+1, list[n]); err != nil {
			return fmt.Errorf("migration %s: %w", list[n].name, err)
		}
	}
	return nil
}

func migrateTo(ctx context.Context, db *sql.DB, version int, m migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	if err := setSchemaVersion(ctx, tx, version); err != nil {
		return err
	}
	return tx.Commit()
}
