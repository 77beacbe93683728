package worker_test

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func accessTime(t *testing.T, f *os.File) time.Time {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return time.Unix(st.Atim.Unix())
}
