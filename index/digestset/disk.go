package digestset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"semblance"
)

// A disk makes every change of files. step, in tests, is called before each and may
// fail it.
type disk struct {
	step func(what string) error
	lazy bool // in tests: nothing is synced, which only a power cut could tell
}

func (d *disk) change(what string, f func() error) error {
	if d.step != nil {
		if err := d.step(what); err != nil {
			return err
		}
	}
	return f()
}

// A file is an open file whose changes are the disk's.
type file struct {
	*os.File
	d *disk
}

// create opens a file for writing, empty, that only its owner reads.
func (d *disk) create(path string) (*file, error) {
	var f *os.File
	err := d.change("create", func() (err error) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		return err
	})
	return &file{f, d}, err
}

// reopen opens a file for going on with it after its first bytes.
func (d *disk) reopen(path string, length int64) (*file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < length {
		err = errDamaged // something that was synced is gone
	}
	if err == nil && info.Size() > length {
		err = d.change("truncate", func() error { return f.Truncate(length) })
	}
	if err == nil {
		_, err = f.Seek(length, 0)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f, d}, nil
}

// Write implements io.Writer.
func (f *file) Write(p []byte) (n int, err error) {
	err = f.d.change("write", func() error {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

func (f *file) sync() error {
	return f.d.change("sync", func() error {
		if f.d.lazy {
			return nil
		}
		return f.Sync()
	})
}

func (d *disk) rename(from, to string) error {
	return d.change("rename", func() error { return os.Rename(from, to) })
}

// remove removes a file or folder; one that is not there is no error.
func (d *disk) remove(path string) error {
	return d.change("remove", func() error { return os.RemoveAll(path) })
}

func (d *disk) syncFolder(path string) error {
	return d.change("sync", func() error {
		if d.lazy {
			return nil
		}
		return syncFolder(path)
	})
}

// folder makes a folder that only its owner reads.
func (d *disk) folder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := d.change("mkdir", func() error { return os.MkdirAll(path, 0o700) }); err != nil {
		return err
	}
	return d.syncFolder(filepath.Dir(path))
}

// unreadable is the error of a file of a set that cannot be used.
func unreadable(path string, err error) error {
	var coded *semblance.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return semblance.Errorf(semblance.Internal, "a file of a digest set is missing").
			WithHint("Nothing is looked up without it, because it would not be found. Bring it back from a backup, or remove the set and import the list again.").WithCause(err)
	case errors.Is(err, errNotOurs):
		return semblance.Errorf(semblance.Internal, "a file of a digest set is something else").
			WithHint("Nothing is looked up in it. Remove the set and import the list again.").WithCause(errors.Join(err, errors.New(path)))
	case errors.Is(err, errDamaged):
		return semblance.Errorf(semblance.Internal, "a file of a digest set is damaged").
			WithHint("Nothing is looked up in it, because what is not found there may be missing. Check the disk, then remove the set and import the list again.").WithCause(errors.Join(err, errors.New(path)))
	}
	return semblance.Errorf(semblance.Unavailable, "a file of a digest set cannot be read").
		WithHint("See that the data folder belongs to you and can be read.").WithCause(err)
}

// unwritten is the error of a disk that does not take files.
func unwritten(err error) error {
	var coded *semblance.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return semblance.Errorf(semblance.Unavailable, "the digest set cannot be written").
		WithHint("Make room on the disk of the data folder and see that it can be written; then run the command again: it goes on where it was.").WithCause(err)
}
