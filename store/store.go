package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"time"

	"semblance"
)

// Names within the data folder.
const (
	DataFile   = "semblance.db" // the records
	LockFile   = "owner.lock"   // held while a Store is open; names the owner
	AnchorFile = "audit.head"   // length and hash of the audit chain
)

// Options of a Store. The zero value is DefaultOptions.
type Options struct {
	// Now is the clock for times the store fills in. Nil means time.Now.
	Now func() time.Time
	// Wait is how long a statement waits for a lock that a foreign program holds on
	// the data file, such as a backup. Zero means five seconds.
	Wait time.Duration
}

// DefaultOptions are those of an installation that sets none.
func DefaultOptions() Options { return Options{Now: time.Now, Wait: 5 * time.Second} }

// Validate returns an error with code Invalid when an option cannot be used.
func (o Options) Validate() error {
	if o.Wait < 0 {
		return semblance.Errorf(semblance.Invalid, "the store cannot wait %s for a lock", o.Wait).
			WithHint("Give a positive duration, such as 5s.")
	}
	return nil
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	if o.Now == nil {
		o.Now = d.Now
	}
	if o.Wait == 0 {
		o.Wait = d.Wait
	}
	return o
}

// A Store is an open data folder. It is made by Open and safe for concurrent use.
type Store struct {
	dir    string
	now    func() time.Time
	lock   *ownerLock
	writer *sql.DB // one connection: changes are serialised
	reader *sql.DB // cannot write

	anchor *anchor

	mu     sync.Mutex // guards leases and asked
	leases map[semblance.ExhibitID]bool
	asked  map[string]*sql.Stmt // prepared questions of the reader
}

// Guards: the contracts this package implements.
var (
	_ semblance.CaseStore       = (*Store)(nil)
	_ semblance.CollectionStore = (*Store)(nil)
	_ semblance.ReferenceStore  = (*Store)(nil)
	_ semblance.EntryStore      = (*Store)(nil)
	_ semblance.AlgorithmStore  = (*Store)(nil)
	_ semblance.MediaStore      = (*Store)(nil)
	_ semblance.RequestStore    = (*Store)(nil)
	_ semblance.SubjectStore    = (*Store)(nil)
	_ semblance.AuditLog        = (*Store)(nil)
)

// Open opens the data folder dir, makes it (mode 0700) when it is not there, and
// brings its records to this version's form. Jobs that were running when the last
// owner died are queued again.
//
// The error has code Conflict when another process owns the folder or a newer
// version of the program made it; the folder is then unchanged. It has code
// Invalid when the data file is not one of ours, Unavailable when it is damaged,
// cannot be read or has no space. The caller closes the Store.
func Open(ctx context.Context, dir string, opts Options) (_ *Store, err error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "the data folder's name cannot be used").WithCause(err)
	}
	file := filepath.Join(dir, DataFile)
	if err := checkHeader(file); err != nil {
		return nil, err
	}
	if err := makeFolder(dir, file); err != nil {
		return nil, err
	}
	lock, err := lockOwner(filepath.Join(dir, LockFile))
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, now: opts.Now, lock: lock, leases: map[semblance.ExhibitID]bool{}, asked: map[string]*sql.Stmt{}}
	defer func() {
		if err != nil {
			_ = s.Close() // the error that stopped us says more
		}
	}()
	if err := s.openDatabase(ctx, file, opts.Wait); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// openDatabase opens both pools and migrates.
func (s *Store) openDatabase(ctx context.Context, file string, wait time.Duration) error {
	// SQLite gives its journal files the mode of the data file, which would
	// otherwise follow the umask.
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return folderError("open the data file", err)
	}
	if err := f.Close(); err != nil {
		return folderError("open the data file", err)
	}
	if s.writer, err = openWriter(file, wait); err != nil {
		return s.fail(ctx, "open the data file", err)
	}
	if err := migrate(ctx, s.writer, migrations()); err != nil {
		return s.fail(ctx, "bring the data file to this version", err)
	}
	if s.reader, err = openReader(file, wait); err != nil {
		return s.fail(ctx, "open the data file", err)
	}
	return nil
}

// begin does what every opening of a data folder does: it names the
// installation once, reads the anchor and queues what a dead owner was doing.
func (s *Store) begin(ctx context.Context) error {
	err := s.write(ctx, "start", nil, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ('installation', ?) ON CONFLICT DO NOTHING`, newID())
		if err != nil {
			return err
		}
		return s.requeueJobs(ctx, tx)
	})
	if err != nil {
		return err
	}
	s.anchor, err = s.openAnchor(ctx)
	return err
}

// Close gives the data folder back. It is safe to call twice.
func (s *Store) Close() error {
	var first error
	keep := func(err error) {
		if err != nil && first == nil {
			first = s.fail(context.Background(), "close the data file", err)
		}
	}
	s.mu.Lock()
	for _, st := range s.asked {
		keep(st.Close())
	}
	s.mu.Unlock()
	if s.reader != nil {
		keep(s.reader.Close())
	}
	if s.writer != nil {
		keep(s.writer.Close())
	}
	keep(s.lock.release())
	return first
}

// Dir returns the absolute path of the data folder.
func (s *Store) Dir() string { return s.dir }

// write runs f in the one writing transaction and, when ev is not nil, appends
// it to the audit chain in the same transaction. f may add to ev.Detail.
func (s *Store) write(ctx context.Context, op string, ev *semblance.AuditEvent, f func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := f(tx); err != nil {
		return s.fail(ctx, op, err)
	}
	var head chainHead
	if ev != nil {
		if head, err = s.appendAudit(ctx, tx, *ev); err != nil {
			return s.fail(ctx, op, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return s.fail(ctx, op, err)
	}
	if ev != nil {
		s.anchor.advance(head)
	}
	return nil
}

// read runs f on one unchanging snapshot.
func (s *Store) read(ctx context.Context, op string, f func(tx *sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, nil)
	if err != nil {
		return s.fail(ctx, op, err)
	}
	defer func() { _ = tx.Rollback() }()
	return s.fail(ctx, op, f(tx))
}

// ask runs a question of one row that a scan asks for each of its files. It is prepared
// once: to parse it costs more than to answer it. It runs without the caller's
// cancellation, which costs a goroutine each.
func (s *Store) ask(ctx context.Context, question string, args []any, dest ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	st := s.asked[question]
	s.mu.Unlock()
	if st == nil {
		var err error
		if st, err = s.reader.PrepareContext(ctx, question); err != nil {
			return err
		}
		st = s.keepStatement(question, st)
	}
	return st.QueryRowContext(ctx, args...).Scan(dest...)
}

// keepStatement keeps a statement, or the one that another goroutine has kept meanwhile.
func (s *Store) keepStatement(question string, st *sql.Stmt) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept := s.asked[question]; kept != nil {
		_ = st.Close()
		return kept
	}
	s.asked[question] = st
	return st
}

// with adds a detail to an event without changing the caller's map.
func with(ev *semblance.AuditEvent, name string, value any) {
	detail := make(map[string]any, len(ev.Detail)+1)
	for k, v := range ev.Detail {
		detail[k] = v
	}
	detail[name] = value
	ev.Detail = detail
}

// newID returns 128 random bits in hexadecimal.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends instead
	return hex.EncodeToString(b[:])
}

// timeLayout sorts as text.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// stamp returns the clock's time as it is stored.
func (s *Store) stamp() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// created returns t as it is stored, or the clock's time when there is none.
func (s *Store) created(t time.Time) time.Time {
	if t.IsZero() {
		return s.stamp()
	}
	return t.UTC().Truncate(time.Microsecond)
}

func timeText(t time.Time) string { return t.UTC().Format(timeLayout) }

// A jsonText reads a column of JSON.
type jsonText struct{ v any }

func (d jsonText) Scan(v any) error {
	text, _ := v.(string)
	return json.Unmarshal([]byte(text), d.v)
}

// textTime scans what timeText wrote.
type textTime struct{ t *time.Time }

func (d textTime) Scan(v any) error {
	text, _ := v.(string)
	t, err := time.Parse(timeLayout, text)
	*d.t = t.UTC()
	return err
}
