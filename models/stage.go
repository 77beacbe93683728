package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"semblance"
)

// A localError is a failure of this machine (disk full, folder not writable), which
// another source would not mend.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

func local(err error) error {
	if err == nil {
		return nil
	}
	return &localError{err}
}

// A contentError says that bytes arrived which are not the artifact's.
type contentError struct{ msg string }

func (e *contentError) Error() string { return e.msg }

// A stage is a library being written to: locked, with a folder for what is not
// verified yet. The folder goes with close; what a killed process left goes with the next.
type stage struct {
	l    *Library
	lock *os.File
	dir  string
}

const incoming = ".incoming"

func (l *Library) stage() (*stage, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, notWritable(err)
	}
	lock, err := os.OpenFile(filepath.Join(l.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, notWritable(err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, semblance.Errorf(semblance.Conflict, "another `semblance models pull` or `import` is at work in this folder").
			WithHint("wait until it is done").WithCause(err)
	}
	s := &stage{l: l, lock: lock, dir: filepath.Join(l.dir, incoming)}
	err = os.RemoveAll(s.dir)
	if err == nil {
		err = os.Mkdir(s.dir, 0o700)
	}
	if err != nil {
		unlockFile(lock)
		lock.Close()
		return nil, notWritable(err)
	}
	return s, nil
}

func (s *stage) close() {
	os.RemoveAll(s.dir)
	unlockFile(s.lock)
	s.lock.Close()
}

// notWritable makes the error for a folder that cannot be written to.
func notWritable(err error) error {
	reason := err
	var where *fs.PathError
	if errors.As(err, &where) {
		reason = where.Err
	}
	return semblance.Errorf(semblance.Unavailable, "the models folder cannot be written to: %v", reason).
		WithHint("free space, or set another folder with --data").WithCause(err)
}

// receive writes a verified copy of r, which must hold exactly the artifact, into
// the staging folder and returns its path. seen is told how many bytes are there.
func (s *stage) receive(ctx context.Context, a Artifact, r io.Reader, seen func(int64)) (string, error) {
	path := filepath.Join(s.dir, a.File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", local(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := s.l.copy(ctx, io.MultiWriter(h, s.l.sink(f)), io.LimitReader(r, a.Size+1), seen)
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != a.Size || got != a.SHA256 {
		return "", &contentError{fmt.Sprintf("it holds something else (sha256 %s instead of %s)", got, a.SHA256)}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", local(err)
	}
	return path, nil
}

// install moves a verified file to its place.
func (s *stage) install(a Artifact, path string) error {
	if err := os.Chmod(path, 0o644); err != nil {
		return local(err)
	}
	return local(os.Rename(path, s.l.path(a)))
}

// sink marks failures of a local file as such.
func (l *Library) sink(f io.Writer) io.Writer {
	if l.wrap != nil {
		f = l.wrap(f)
	}
	return localWriter{f}
}

type localWriter struct{ w io.Writer }

func (w localWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	return n, local(err)
}

// copy is io.Copy that stops with ctx and reports.
func (l *Library) copy(ctx context.Context, w io.Writer, r io.Reader, seen func(int64)) (int64, error) {
	buf := make([]byte, 256<<10)
	var n int64
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := r.Read(buf)
		if k > 0 {
			if _, err := w.Write(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
			if seen != nil {
				seen(n)
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
