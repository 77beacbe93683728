package store_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"semblance/store"
)

// A child that is just being started holds copies of all descriptors; the folder is
// free all the same when its owner has closed it.
func TestLockEndsWithTheStoreNotItsCopies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := must(store.Open(t.Context(), dir, store.Options{}))(t)
	lock := filepath.Join(dir, store.LockFile)
	copied := -1
	for _, e := range must(os.ReadDir("/proc/self/fd"))(t) {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == lock {
			copied = must(syscall.Dup(must(strconv.Atoi(e.Name()))(t)))(t)
		}
	}
	if copied < 0 {
		t.Fatal("no descriptor of the lock")
	}
	defer syscall.Close(copied)
	check(t, s.Close())
	check(t, must(store.Open(t.Context(), dir, store.Options{}))(t).Close())
}
