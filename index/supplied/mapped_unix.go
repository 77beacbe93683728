//go:build unix

package supplied

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"semblance/hashing"
)

// mapTray maps a tray's file. The mapping ends when nobody reaches the tray any more.
func mapTray(path string, a hashing.Algorithm) (*tray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < headerBytes || info.Size() > maxTrayBytes {
		return nil, errDamaged
	}
	image, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	var t *tray
	err = guarded(func() error {
		var err error
		t, err = openTray(image, a)
		return err
	})
	if err != nil {
		_ = unix.Munmap(image) // the error that matters is the file's
		return nil, err
	}
	runtime.AddCleanup(t, func(image []byte) { _ = unix.Munmap(image) }, image)
	return t, nil
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
