//go:build !unix

package store

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock that ends with its process, two owners could
// write one folder.
func tryLock(*os.File) (held bool, err error) {
	return false, errors.New("this system has no file locks that are known to the program")
}

func unlock(*os.File) error { return nil }

func diskFull(string) bool { return false }
