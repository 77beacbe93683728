//go:build unix

package models

import (
	"os"
	"syscall"
)

// lockFile takes an exclusive lock that ends with the file or the process.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// unlockFile gives the lock back even while a child that is just being started holds
// a copy of the descriptor.
func unlockFile(f *os.File) { _ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
