package cage_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"semblance/worker/cage"
)

// Without a cage the same attempts must succeed, or the probe would prove
// nothing when it is refused.
func TestProbeSucceedsWithoutACage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skipf("%s has no cage", runtime.GOOS)
	}
	dir := t.TempDir()
	targets := cage.Targets{File: filepath.Join(dir, "file"), Dir: dir, Parent: os.Getpid()}
	if err := os.WriteFile(targets.File, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := func(network, address string) string {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	targets.TCP = listen("tcp", "127.0.0.1:0")
	targets.Unix = listen("unix", filepath.Join(dir, "socket"))
	targets.Abstract = listen("unix", "@"+filepath.Base(dir)+t.Name())
	possible := map[string]bool{}
	for _, f := range cage.Probe(targets) {
		possible[f.Name] = !f.Holds
	}
	for _, name := range []string{"connect over TCP", "send over UDP", "listen on TCP", "connect to a Unix socket",
		"connect to an abstract Unix socket", "read a foreign file", "list a foreign folder", "write a file", "make a folder",
		"write to the temporary folder", "run a program", "signal the parent", "signal a thread of the parent", "change the parent's limits", "outlive the parent", "read the parent's environment", "read the parent's memory",
		"make anonymous files", "make namespaces"} {
		if !possible[name] {
			t.Errorf("%q fails without a cage too", name)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("the probe left something behind: %v", entries)
	}
}
