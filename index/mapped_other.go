//go:build !unix

package index

import (
	"io"
	"os"
)

// mapFile reads a file into memory, where files are not mapped, and opens what is in it.
func mapFile[T any](path string, open func(image []byte) (*T, error)) (*T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < headerBytes || info.Size() > maxFileBytes {
		return nil, errDamaged
	}
	image := aligned(int(info.Size()))
	if _, err := io.ReadFull(f, image); err != nil {
		return nil, errDamaged
	}
	return open(image)
}

// fillFile writes a new file, which only its owner reads, of the bytes that fill makes, and syncs it.
func fillFile(path string, size int, fill func(image []byte) error) error {
	image := aligned(size)
	if err := fill(image); err != nil {
		return err
	}
	return writeFile(path, image)
}

// syncFolder does nothing where folders cannot be synced.
func syncFolder(string) error { return nil }
