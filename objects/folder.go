// Package objects keeps originals: files addressed by their SHA-256, in a folder.
//
// Most callers need [Open] and [Folder]. A Folder is safe for concurrent use, in
// one process and in several. An object is there whole or not at all, whenever the
// machine stops; it is readable by its owner only. Objects lie at ab/cdef..., the
// first two digits of their SHA-256 and the other 62, and stay there in later
// versions. Errors are *semblance.Error.
package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"semblance"
)

// A Folder is a folder of originals. It is made by Open and needs no closing.
type Folder struct{ dir string }

var _ semblance.ObjectStore = (*Folder)(nil)

// staging is the subfolder of files that are being written. It is on the same disk
// as the objects, so that a finished one is moved in one step.
const staging = "tmp"

// abandoned is the age after which a file that is being written has no writer any
// more: no original takes a day to copy.
const abandoned = 24 * time.Hour

// Open returns the folder dir, makes it (mode 0700) when it is not there, and
// removes what writers that died left half written a day ago or earlier.
func Open(dir string) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, coded("use the folder", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, staging), 0o700); err != nil {
		return nil, coded("make the folder", err)
	}
	f := &Folder{dir}
	return f, f.sweep(time.Now())
}

// sweep removes abandoned files.
func (f *Folder) sweep(now time.Time) error {
	entries, err := os.ReadDir(filepath.Join(f.dir, staging))
	if err != nil {
		return coded("read the folder", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < abandoned {
			continue // gone, or not ours to remove
		}
		if err := os.Remove(filepath.Join(f.dir, staging, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return coded("remove a half-written object", err)
		}
	}
	return nil
}

// path returns where an object lies.
func (f *Folder) path(sum semblance.SHA256) string {
	s := sum.String()
	return filepath.Join(f.dir, s[:2], s[2:])
}

// Put stores what r gives under its SHA-256 and reads r to its end. Storing twice
// is one; what lies there is then checked, and replaced when it is damaged.
//
// The error has code Invalid when the content has another SHA-256, Unavailable when
// the folder cannot be written or is full; nothing is stored then. An error of r is
// returned as it is.
func (f *Folder) Put(ctx context.Context, sum semblance.SHA256, r io.Reader) error {
	if intact, err := f.intact(ctx, sum); err != nil {
		return err
	} else if intact {
		return drain(ctx, sum, r)
	}
	tmp, err := os.CreateTemp(filepath.Join(f.dir, staging), "put-*") // mode 0600
	if err != nil {
		return coded("write an object", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // not there any more after the move
	got, err := copySum(ctx, tmp, r)
	if err == nil && got != sum {
		err = mismatch(sum, got)
	}
	if err != nil {
		_ = tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return coded("write an object", err)
	}
	return f.move(tmp.Name(), sum)
}

// move gives a finished file its place, and makes sure that the place outlives a
// power cut too.
func (f *Folder) move(name string, sum semblance.SHA256) error {
	place := f.path(sum)
	shard := filepath.Dir(place)
	if err := os.Mkdir(shard, 0o700); err == nil {
		if err := syncFolder(f.dir); err != nil {
			return coded("write an object", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return coded("write an object", err)
	}
	if err := os.Rename(name, place); err != nil {
		return coded("write an object", err)
	}
	if err := syncFolder(shard); err != nil {
		return coded("write an object", err)
	}
	return nil
}

// intact reports whether an object is there with the content it should have.
func (f *Folder) intact(ctx context.Context, sum semblance.SHA256) (bool, error) {
	o, err := os.Open(f.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, coded("read an object", err)
	}
	defer o.Close()
	got, err := copySum(ctx, io.Discard, o)
	if err != nil {
		if ctx.Err() != nil {
			return false, err
		}
		return false, nil // a bad block: write it anew
	}
	return got == sum, nil
}

// drain checks what r gives without storing it.
func drain(ctx context.Context, sum semblance.SHA256, r io.Reader) error {
	got, err := copySum(ctx, io.Discard, r)
	if err == nil && got != sum {
		err = mismatch(sum, got)
	}
	return err
}

// Open opens an object for reading. The error has code NotFound when there is none.
// The caller closes it. Whether the content is still that of its name is for Check.
func (f *Folder) Open(ctx context.Context, sum semblance.SHA256) (semblance.ReadSeekCloserAt, error) {
	if err := stopped(ctx); err != nil {
		return nil, err
	}
	o, err := os.Open(f.path(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, semblance.Errorf(semblance.NotFound, "no original with SHA-256 %s is kept", sum)
	}
	if err != nil {
		return nil, coded("read an object", err)
	}
	return o, nil
}

// Delete removes an object; one that is not there is no error. Its content is not
// overwritten on the disk.
func (f *Folder) Delete(ctx context.Context, sum semblance.SHA256) error {
	if err := stopped(ctx); err != nil {
		return err
	}
	place := f.path(sum)
	err := os.Remove(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncFolder(filepath.Dir(place))
	}
	if err != nil {
		return coded("delete an object", err)
	}
	return nil
}

// Each calls g with every object's SHA-256 and size, in order, until g returns an
// error, which it returns. Files that are not objects are passed over.
func (f *Folder) Each(ctx context.Context, g func(sum semblance.SHA256, size int64) error) error {
	shards, err := os.ReadDir(f.dir)
	if err != nil {
		return coded("read the folder", err)
	}
	for _, shard := range shards {
		if !shard.IsDir() || len(shard.Name()) != 2 {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(f.dir, shard.Name()))
		if err != nil {
			return coded("read the folder", err)
		}
		for _, e := range entries {
			if err := stopped(ctx); err != nil {
				return err
			}
			sum, ok := parse(shard.Name() + e.Name())
			if !ok {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return coded("read the folder", err)
			}
			if err := g(sum, info.Size()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check reads an object and returns a MediaDamaged error when its content is not
// that of its name, NotFound when there is none.
func (f *Folder) Check(ctx context.Context, sum semblance.SHA256) error {
	o, err := f.Open(ctx, sum)
	if err != nil {
		return err
	}
	defer o.Close()
	got, err := copySum(ctx, io.Discard, o)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return coded("read an object", err)
	}
	if got != sum {
		return semblance.Errorf(semblance.MediaDamaged, "the kept original with SHA-256 %s has changed on the disk", sum).
			WithHint("Restore it from a backup, or enroll the picture again.")
	}
	return nil
}

func parse(name string) (sum semblance.SHA256, ok bool) {
	if len(name) != 64 || strings.ToLower(name) != name {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(name))
	return sum, err == nil
}

// copySum copies r to w and returns the SHA-256 of what it gave. Errors of r and the
// context's are returned as they are, those of w coded.
func copySum(ctx context.Context, w io.Writer, r io.Reader) (sum semblance.SHA256, err error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for {
		if err := stopped(ctx); err != nil {
			return sum, err
		}
		n, err := r.Read(buf)
		_, _ = h.Write(buf[:n]) // never fails
		if _, bad := w.Write(buf[:n]); bad != nil {
			return sum, coded("write an object", bad)
		}
		if errors.Is(err, io.EOF) {
			return semblance.SHA256(h.Sum(nil)), nil
		}
		if err != nil {
			return sum, err
		}
	}
}

func mismatch(want, got semblance.SHA256) error {
	return semblance.Errorf(semblance.Invalid, "the content has SHA-256 %s, not %s; it was not stored", got, want).
		WithHint("The file changed while it was read. Try again.")
}

func stopped(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return semblance.Errorf(semblance.CodeOf(err), "stopped before the object was read or written").WithCause(err)
}

// coded gives an error of the file system its code and sentence.
func coded(op string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return semblance.Errorf(semblance.Unavailable, "there is no space left in the folder of originals; nothing that was stored is lost").
			WithHint("Free space on that disk, or move the data folder to a larger one, and run the command again.").WithCause(err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return semblance.Errorf(semblance.Unavailable, "the folder of originals may not be used: could not %s", op).
			WithHint("Check that the folder and its files belong to you.").WithCause(err)
	}
	return semblance.Errorf(semblance.Unavailable, "the folder of originals cannot be used: could not %s", op).WithCause(err)
}

// syncFolder writes a folder's list of names to the disk.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
