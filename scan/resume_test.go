package scan_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"semblance"
	"semblance/scan"
)

// childRoot has the test's program run a scan of the folder it names, over the
// data folder in childData, instead of tests.
const (
	childRoot = "SEMBLANCE_TEST_SCAN_ROOT"
	childData = "SEMBLANCE_TEST_SCAN_DATA"
	childBind = "SEMBLANCE_TEST_SCAN_BIND" // a folder of the root to bind the root to
)

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		if err := child(root, os.Getenv(childData)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child scans and prints each event when it is stored.
func child(root, data string) error {
	ctx := context.Background()
	if at := os.Getenv(childBind); at != "" {
		if err := bind(root, filepath.Join(root, at)); err != nil {
			return fmt.Errorf("bind mount: %w", err)
		}
	}
	r, err := openRig(ctx, data)
	if err != nil {
		return err
	}
	defer r.store.Close()
	r.Now = ticking()
	o, err := r.options(ctx, root)
	if err != nil {
		return err
	}
	o.Event = func(e scan.Event) {
		line := map[string]any{"event": e.Event, "path": e.Path, "status": e.Status, "reason": e.Reason}
		_ = json.NewEncoder(os.Stdout).Encode(line) // a parent that left kills
	}
	_, err = r.Run(ctx, o)
	return err
}

func childCommand(t *testing.T, program, root, data string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), program)
	c.Env = append(os.Environ(), childRoot+"="+root, childData+"="+data)
	c.Stderr = os.Stderr
	return c
}

// TestInterruptedAndResumed: a scan that was stopped anywhere and run again
// records, byte for byte, what an undisturbed one does.
func TestInterruptedAndResumed(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	whole := newRig(t)
	undisturbed := whole.done(t, root)
	want := whole.report(t)
	for cut := 1; cut < len(undisturbed.events); cut += 4 {
		r := newRig(t)
		r.Now = ticking()
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		out := r.scan(t, ctx, root, func(o *scan.Options) {
			o.Event = func(scan.Event) {
				if n++; n == cut {
					cancel()
				}
			}
		})
		cancel()
		if semblance.CodeOf(out.err) != semblance.Canceled && out.err != nil {
			t.Fatalf("cut %d: %v", cut, out.err)
		}
		second := r.done(t, root)
		if second.Unchanged == 0 {
			t.Errorf("cut %d: nothing that was done was kept", cut)
		}
		if got := r.report(t); got != want {
			t.Fatalf("cut %d:\n%s\nwant\n%s", cut, got, want)
		}
	}
}

// TestCanceledWhileExamining stops in the middle of a file.
func TestCanceledWhileExamining(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	whole := newRig(t)
	whole.done(t, root)
	for cut := int64(1); cut <= 13; cut += 4 {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		r.analyzer.before = func(*os.File) error {
			if n.Add(1) == cut {
				cancel()
				return ctx.Err()
			}
			return nil
		}
		out := r.scan(t, ctx, root)
		cancel()
		if semblance.CodeOf(out.err) != semblance.Canceled || out.Complete {
			t.Fatalf("cut %d: %v", cut, out.err)
		}
		r.analyzer.before = nil
		r.done(t, root)
		if r.report(t) != whole.report(t) {
			t.Errorf("cut %d: the record is another", cut)
		}
	}
}

// TestKilledAndResumed kills a process that scans, with SIGKILL, after it has told
// of so many events, several times over one data folder.
func TestKilledAndResumed(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	whole := newRig(t)
	undisturbed := whole.done(t, root)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		data := t.TempDir()
		for kills := 0; kills < 3; kills++ {
			killAfter(t, childCommand(t, program, root, data), 1+random.IntN(len(undisturbed.events)-2))
		}
		r, err := openRig(t.Context(), data)
		if err != nil {
			t.Fatalf("round %d: the data folder of a killed process: %v", round, err)
		}
		r.done(t, root)
		if got, want := r.report(t), whole.report(t); got != want {
			t.Errorf("round %d:\n%s\nwant\n%s", round, got, want)
		}
		if v, err := r.store.VerifyAudit(t.Context()); err != nil || !v.OK {
			t.Errorf("round %d: the audit chain: %+v, %v", round, v, err)
		}
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func killAfter(t *testing.T, c *exec.Cmd, events int) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; n < events && lines.Scan(); n++ {
	}
	_ = c.Process.Kill()
	_ = c.Wait() // "signal: killed"
}

// TestUnreadable: what this user may not read is an error of that item.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to become a user who may not read a file")
	}
	dir, err := os.MkdirTemp("", "semblance-unreadable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root")
	put(t, root, "mine.jpg", []byte("{}"))
	put(t, root, "secret.jpg", knownPicture.bytes())
	put(t, root, "closed/inside.jpg", []byte("{}"))
	for name, mode := range map[string]os.FileMode{"secret.jpg": 0o600, "closed": 0o700} {
		if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "program")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := childCommand(t, program, root, filepath.Join(dir, "data"))
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	c.Dir = dir
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]semblance.ItemStatus{"mine.jpg": semblance.ItemNew, "secret.jpg": semblance.ItemFailed, "closed/": semblance.ItemFailed} {
		want := fmt.Sprintf(`"event":"item","path":%q,`, path)
		i := strings.Index(string(out), want)
		if i < 0 || !strings.Contains(string(out[i:]), fmt.Sprintf(`"status":%q`, status)) {
			t.Errorf("%s is not %s:\n%s", path, status, out)
		}
	}
	if n := strings.Count(string(out), "may not be read by this user"); n != 4 { // an item and an error each
		t.Errorf("%d reasons:\n%s", n, out)
	}
	// When it may be read, its failure is not kept for ever.
	if err := os.Chmod(filepath.Join(root, "closed"), 0o755); err != nil {
		t.Fatal(err)
	}
	again := childCommand(t, program, root, filepath.Join(dir, "data"))
	again.SysProcAttr, again.Dir = c.SysProcAttr, dir
	if out, err = again.Output(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"path":"closed/","reason":"the folder could not be read by an earlier run; it has been read since","status":"unsupported"`, `"path":"closed/inside.jpg","reason":"","status":"duplicate"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the second run does not say %s:\n%s", want, out)
		}
	}
}
