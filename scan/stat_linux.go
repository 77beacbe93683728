package scan

import (
	"io/fs"
	"syscall"
	"time"
)

const noAtime = syscall.O_NOATIME

// inode returns the file's number and the file system's own time of change.
func inode(info fs.FileInfo) (uint64, time.Time) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino, time.Unix(st.Ctim.Unix()).UTC()
	}
	return 0, time.Time{}
}
