//go:build unix

package disk

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Map maps a file of least to most bytes and opens what is in it. The mapping ends when nobody reaches that
// any more.
func Map[T any](path string, least, most int64, open func(image []byte) (*T, error)) (*T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < least || info.Size() > most {
		return nil, ErrDamaged
	}
	image, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	var t *T
	err = Guarded(func() error {
		var err error
		t, err = open(image)
		return err
	})
	if err != nil {
		_ = unix.Munmap(image) // the error that matters is the file's
		return nil, err
	}
	runtime.AddCleanup(t, func(image []byte) { _ = unix.Munmap(image) }, image)
	return t, nil
}

// Fill lets fill write the bytes of a new file of a size, which only its owner reads, and syncs it. They
// are mapped, so that they need no memory of the program. They are written with zeros
// first: a disk that is full is then an error of writing, and not of memory.
func Fill(path string, size int, fill func(image []byte) error) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := 0; at < size && err == nil; at += len(zeros) {
		_, err = f.Write(zeros[:min(len(zeros), size-at)])
	}
	if err == nil {
		err = fillMapped(f, size, fill)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func fillMapped(f *os.File, size int, fill func(image []byte) error) error {
	image, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	err = Guarded(func() error { return fill(image) })
	return errors.Join(err, unix.Munmap(image))
}

// SyncFolder makes the names in a folder last.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
