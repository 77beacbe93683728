//go:build unix

package digestset

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file of at least one byte. random says that it is going to be read here and there.
func mapFile(path string, random bool) ([]byte, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || int64(int(info.Size())) != info.Size() {
		return nil, nil, errNotOurs
	}
	image, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	advice := unix.MADV_SEQUENTIAL
	if random {
		advice = unix.MADV_RANDOM
	}
	_ = unix.Madvise(image, advice) // advice only
	return image, func() error { return unix.Munmap(image) }, nil
}

// syncFolder makes the names in a folder last.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
