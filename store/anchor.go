package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// An anchor is a second place, outside the database, that knows how long the
// audit chain is and how it ends. It is written after each commit, so that it is
// never ahead of an honest chain.
type anchor struct {
	file string

	mu    sync.Mutex
	held  chainHead // last written or read
	known chainHead // the chain's end after our own last commit
	stuck bool      // the chain does not contain held: writing would hide that
}

// errNoAnchor says that the anchor file is not there or not readable as one.
var errNoAnchor = errors.New("no anchor")

func readAnchor(file string) (chainHead, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return chainHead{}, errNoAnchor
	}
	if err != nil {
		return chainHead{}, folderError("read the audit chain's anchor", err)
	}
	var h chainHead
	if err := json.Unmarshal(text, &h); err != nil {
		return chainHead{}, errNoAnchor
	}
	return h, nil
}

// openAnchor reads the anchor and, when it is the chain's, moves it to the chain's
// end: the program may have been killed before it did. An anchor that is not the
// chain's is left as it is for VerifyAudit to tell, and for good: new events do not
// move it.
func (s *Store) openAnchor(ctx context.Context) (*anchor, error) {
	const op = "read the audit chain"
	a := &anchor{file: filepath.Join(s.dir, AnchorFile)}
	head, err := readHead(ctx, s.writer)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	a.known = head
	a.held, err = readAnchor(a.file)
	switch {
	case errors.Is(err, errNoAnchor):
		a.stuck = head.Events > 0
	case err != nil:
		return nil, err
	default:
		if a.stuck, err = s.strayed(ctx, a.held); err != nil {
			return nil, s.fail(ctx, op, err)
		}
	}
	if !a.stuck {
		if err := a.save(head); err != nil {
			return nil, folderError("write the audit chain's anchor", err)
		}
	}
	return a, nil
}

// strayed reports whether the chain lacks what the anchor holds.
func (s *Store) strayed(ctx context.Context, held chainHead) (bool, error) {
	if held.Events == 0 {
		return false, nil
	}
	var hash string
	err := s.writer.QueryRowContext(ctx, `SELECT hash FROM audit WHERE seq = ?`, held.Events).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return hash != held.Hash, err
}

// expect compares the chain's end before an event is appended with the end that
// we left. Somebody else wrote the file when they differ.
func (a *anchor) expect(head chainHead) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// A commit whose anchor is still being written is ahead of known, never behind.
	if head.Events < a.known.Events || head.Events == a.known.Events && head.Hash != a.known.Hash {
		a.stuck = true
	}
}

// advance moves the anchor to a committed end. It cannot fail: the change is
// recorded already, and a chain ahead of its anchor is sound. The next one tries
// again.
func (a *anchor) advance(head chainHead) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if head.Events <= a.known.Events {
		return
	}
	a.known = head
	if !a.stuck {
		_ = a.save(head)
	}
}

// save replaces the file in one step.
func (a *anchor) save(head chainHead) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if err := replaceFile(a.file, append(text, '\n')); err != nil {
		return err
	}
	a.held = head
	return nil
}

// replaceFile writes a file so that a crash leaves the old or the new content.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// AuditHead returns the length of the audit chain and its last hash, for reports:
// a head that is kept elsewhere proves that nothing before it was changed.
func (s *Store) AuditHead(ctx context.Context) (events int64, head string, err error) {
	h, err := readHead(ctx, s.reader)
	if err != nil {
		return 0, "", s.fail(ctx, "read the audit chain", err)
	}
	return h.Events, h.Hash, nil
}
