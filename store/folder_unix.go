//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for this process and reports whether somebody else holds it.
func tryLock(f *os.File) (held bool, err error) {
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return true, nil
		default:
			return false, err
		}
	}
}

// unlock gives the lock back now. Closing the file is not enough: a child that this
// process is just starting holds a copy of the descriptor, and with it the lock,
// until it executes its program.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// diskFull reports whether less than a mebibyte is left on the disk of dir.
func diskFull(dir string) bool {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return false
	}
	return uint64(st.Bavail)*uint64(st.Bsize) < 1<<20
}
