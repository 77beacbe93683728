package scan

import (
	"os"

	"golang.org/x/sys/unix"
)

// inMemoryFile makes a file that lies in memory.
func inMemoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("entry", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "entry"), nil
}
