package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"semblance"
)

// This file is the SQLite dialect: everything that PostgreSQL would do in another
// way. The SQL of the other files is common to both but for the placeholders.

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// applicationID marks data files as ours: "SEMB".
const applicationID = 0x53454d42

// pragmas are set on every connection. What is not said here is SQLite's default.
func pragmas(wait time.Duration) []string {
	return []string{
		fmt.Sprintf("busy_timeout(%d)", wait.Milliseconds()), // first: the ones below may have to wait
		"journal_mode(WAL)",            // readers never wait for the writer
		"synchronous(FULL)",            // a commit is on disk when it returns, power cut or not
		"foreign_keys(1)",              // off by default, for history's sake
		"secure_delete(1)",             // what is erased is overwritten with zeros
		"trusted_schema(0)",            // a doctored data file cannot run functions
		"cell_size_check(1)",           // damage is found on reading, not after
		"temp_store(2)",                // sorting happens in memory: nothing of a case reaches /tmp
		"wal_autocheckpoint(4000)",     // at 16 MiB: a large scan writes the same pages of its indexes with every commit, and they go to the data file less often
		"journal_size_limit(67108864)", // the WAL shrinks to 64 MiB after a large commit
	}
}

// dataSource returns the driver's name of a file. As a URI the path may contain
// any character.
func dataSource(file string, wait time.Duration, extra ...string) string {
	q := url.Values{"_pragma": append(pragmas(wait), extra...)}

	return (&url.URL{Scheme: "file", Path: file}).String() + "?" + q.Encode()
}

// Pages that connections keep, in KiB; in memory they take twice as much. The system keeps
// the data file as well, and a page of it is read within microseconds. What a reader keeps
// is worth nothing after the next commit, and there are several readers.
const (
	writerCache = "cache_size(-2048)"
	readerCache = "cache_size(-512)"
)

// openWriter opens the one connection that changes things.
func openWriter(file string, wait time.Duration) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dataSource(file, wait, writerCache)+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, db.Ping()
}

// openReader opens the connections that only read. Their number is not limited,
// since a reader that reads again while it holds a snapshot would otherwise wait
// for itself.
func openReader(file string, wait time.Duration) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dataSource(file, wait, readerCache, "query_only(1)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(4)
	return db, db.Ping()
}

// checkHeader looks at a data file without opening it as a database, which could
// change it. A file that is not there or empty is fine.
func checkHeader(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return folderError("open the data file", err)
	}
	defer f.Close()
	header := make([]byte, 100) // https://www.sqlite.org/fileformat2.html, 1.3
	n, err := io.ReadFull(f, header)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return folderError("read the data file", err)
	}
	if n < len(header) || string(header[:16]) != "SQLite format 3\x00" {
		return damaged(errors.New("header is not SQLite's"))
	}
	return checkVersion(int64(binary.BigEndian.Uint32(header[60:])), int64(binary.BigEndian.Uint32(header[68:])), len(migrations()))
}

// checkVersion refuses data files of others and of newer versions.
func checkVersion(version, application int64, newest int) error {
	switch {
	case application != applicationID && (application != 0 || version != 0):
		return semblance.Errorf(semblance.Invalid, "the data folder's %s is not a data file of Semblance", DataFile).
			WithHint("Name another folder with --data, or move that file away.")
	case version > int64(newest):
		return semblance.Errorf(semblance.Conflict,
			"the data folder was made by a newer version (schema %d; this program knows %d)", version, newest).
			WithHint("Use that newer version of Semblance. Nothing was changed.")
	}
	return nil
}

// schemaVersion reads what checkVersion judges.
func schemaVersion(ctx context.Context, q querier) (version, application int64, err error) {
	if err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err == nil {
		err = q.QueryRowContext(ctx, "PRAGMA application_id").Scan(&application)
	}
	return version, application, err
}

// setSchemaVersion records that the migration of a number has been done. It is
// part of the transaction.
func setSchemaVersion(ctx context.Context, tx *sql.Tx, version int) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version))
	return err
}

// Check reads the whole data file and returns an Unavailable error when it is
// damaged. It takes as long as reading the file.
func (s *Store) Check(ctx context.Context) error {
	const op = "check the data file"
	var verdict string
	if err := s.reader.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return s.fail(ctx, op, err)
	}
	if verdict != "ok" {
		return damaged(errors.New(verdict))
	}
	var table string
	err := s.reader.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return s.fail(ctx, op, err)
	}
	return damaged(fmt.Errorf("table %s refers to rows that are not there", table))
}

// forget empties the write-ahead log, so that erased rows do not live on in it.
// A reader can hold it up; the log is then emptied by a later checkpoint.
func (s *Store) forget(ctx context.Context) {
	_, _ = s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
}

// driverError gives an error of SQLite its code and sentence, and nil when it
// knows nothing better than Internal.
func (s *Store) driverError(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		return noSpace(err)
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		if diskFull(s.dir) {
			return noSpace(err)
		}
		return semblance.Errorf(semblance.Unavailable, "the data folder cannot be read or written").
			WithHint("Check the disk, and that the folder is still there and yours.").WithCause(err)
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return damaged(err)
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return semblance.Errorf(semblance.Busy, "another program holds the data file").
			WithHint("Stop the program that has %s open, such as a backup or a database browser, and try again.", DataFile).WithCause(err)
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH:
		return semblance.Errorf(semblance.Unavailable, "the data folder cannot be written").
			WithHint("Check that its files belong to you and that the disk is not mounted read-only.").WithCause(err)
	case lib.SQLITE_TOOBIG:
		return semblance.Errorf(semblance.Invalid, "a value is too large to be stored").WithCause(err)
	case lib.SQLITE_NOMEM:
		return semblance.Errorf(semblance.Unavailable, "there is not enough memory").WithCause(err)
	}
	return nil
}
