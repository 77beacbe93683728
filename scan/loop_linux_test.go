package scan_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func bind(from, at string) error { return syscall.Mount(from, at, "", syscall.MS_BIND, "") }

// TestDirectoryLoop: a bind mount that leads back is entered once and told.
func TestDirectoryLoop(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make a bind mount in a mount namespace of its own")
	}
	root := t.TempDir()
	put(t, root, "a/b/c.jpg", []byte("{}"))
	put(t, root, "a/loop/x", nil)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := childCommand(t, program, root, t.TempDir())
	c.Env = append(c.Env, childBind+"=a/loop")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	var ended *exec.ExitError
	started := err == nil || errors.As(err, &ended) // a container or a chroot may not have mount namespaces
	if !started || strings.Contains(stderr.String(), "bind mount") {
		t.Skipf("no bind mounts here: %v %s", err, &stderr)
	}
	if err != nil {
		t.Fatalf("%v %s", err, &stderr)
	}
	if n := strings.Count(string(out), `"event":"item"`); n != 2 || !strings.Contains(string(out), "directory loop") || !strings.Contains(string(out), `"path":"a/loop/"`) {
		t.Errorf("%d items:\n%s", n, out)
	}
}
