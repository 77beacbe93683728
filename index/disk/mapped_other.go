//go:build !unix

package disk

import (
	"io"
	"os"
)

// Map reads a file of least to most bytes into memory, where files are not mapped, and opens what is in it.
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
	image := Aligned(int(info.Size()))
	if _, err := io.ReadFull(f, image); err != nil {
		return nil, ErrDamaged
	}
	return open(image)
}

// Fill writes a new file, which only its owner reads, of the bytes that fill makes, and syncs it.
func Fill(path string, size int, fill func(image []byte) error) error {
	image := Aligned(size)
	if err := fill(image); err != nil {
		return err
	}
	return WriteFile(path, image)
}

// SyncFolder does nothing where folders cannot be synced.
func SyncFolder(string) error { return nil }
