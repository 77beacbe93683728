package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"semblance/store"
)

// A shell runs the program as another process, in a folder of its own.
type shell struct {
	t       *testing.T
	dir     string
	program string
	environ []string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	program, err := exec.LookPath("semblance") // TestMain put it there
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &shell{t: t, dir: dir, program: program, environ: []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "SEMBLANCE_DATA=" + filepath.Join(dir, "data"), "SEMBLANCE_WORKERS=1"}}
	if w := testWorker(); w != "" {
		s.environ = append(s.environ, "SEMBLANCE_WORKER="+w)
	}
	return s
}

func (s *shell) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(s.t.Context(), s.program, args...)
	c.Dir, c.Env = s.dir, s.environ
	return c
}

// run runs a command that must end with an exit code.
func (s *shell) run(want int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	return s.finish(s.command(args...), want)
}

func (s *shell) finish(c *exec.Cmd, want int) (string, string) {
	s.t.Helper()
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	rerr := c.Run()
	var exit *exec.ExitError
	if rerr != nil && !errors.As(rerr, &exit) {
		s.t.Fatal(rerr)
	}
	if got := c.ProcessState.ExitCode(); got != want {
		s.t.Fatalf("%v ended with %d, want %d\n%s%s", c.Args[1:], got, want, &out, &err)
	}
	return out.String(), err.String()
}

func (s *shell) write(name string, b []byte) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) says(text string, parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			s.t.Errorf("does not say %q:\n%s", p, text)
		}
	}
}

func (s *shell) makeCase() {
	s.run(0, "case", "create", "C1", "--agency", "A", "--country", "NL", "--purpose", "P", "--basis", "B")
	s.run(0, "collection", "create", "known", "--kind", "hashes", "--owner", "O", "--country", "NL", "--basis", "B")
}

// TestNewerDataFolder: the folder of a newer version is refused and left alone.
func TestNewerDataFolder(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.makeCase()
	file := filepath.Join(s.dir, "data", store.DataFile)
	raise := func(by int) {
		db, err := sql.Open("sqlite", "file:"+file)
		if err != nil {
			t.Fatal(err)
		}
		var v int
		if err := db.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", v+by)); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raise(50)
	_, stderr := s.run(1, "case", "list")
	s.says(stderr, "newer version", "hint: ")
	raise(-50)
	stdout, _ := s.run(0, "case", "list")
	s.says(stdout, "C1")
}

// TestTwoOwners: a folder that another process has open, and that it does not
// serve, is refused with its owner's name.
func TestTwoOwners(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.makeCase()
	owner, err := store.Open(t.Context(), filepath.Join(s.dir, "data"), store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	_, stderr := s.run(1, "case", "list")
	s.says(stderr, fmt.Sprintf("the data folder is in use by process %d", os.Getpid()), "hint: ")
	if err := owner.Close(); err != nil {
		t.Fatal(err)
	}
	s.run(0, "case", "list")
}

// TestFullDisk fills a real, small disk while a list is imported. It needs root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	disk := filepath.Join(s.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", disk).Run() })
	s.environ = append(s.environ, "SEMBLANCE_DATA="+filepath.Join(disk, "data"))
	s.makeCase()
	var list bytes.Buffer
	const entries = 60_000
	for i := range entries {
		fmt.Fprintf(&list, "sha256:%064x\n", i+1)
	}
	s.write("list.txt", list.Bytes())
	_, stderr := s.run(1, "collection", "import", "known", "list.txt")
	s.says(stderr, "there is no space left in the data folder; nothing that was recorded is lost", "hint: Free space")
	if out, err := exec.Command("mount", "-o", "remount,size=256m", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.run(0, "collection", "import", "known", "list.txt")
	stdout, _ := s.run(0, "collection", "show", "known", "--json")
	s.says(stdout, fmt.Sprintf(`"entries":%d`, entries))
	s.run(0, "audit", "verify")
}

// TestInterruptedScan interrupts a scan as Ctrl-C does, and runs it again: the
// report is that of a scan nobody interrupted.
func TestInterruptedScan(t *testing.T) {
	t.Parallel()
	if testWorker() == "" {
		t.Skip("the worker is not built: run make build, or set SEMBLANCE_WORKER")
	}
	s := newShell(t)
	for i := range 150 {
		b, err := testPicture(fmt.Sprintf("jpeg-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		s.write(fmt.Sprintf("device/%03d.jpg", 2*i), b)
		s.write(fmt.Sprintf("device/%03d.jpg", 2*i+1), b)
	}
	b, err := testPicture("jpeg-7")
	if err != nil {
		t.Fatal(err)
	}
	s.write("known.jpg", b)
	prepare := func() {
		s.makeCase()
		s.run(0, "collection", "add", "known", "known.jpg")
	}
	prepare()
	c := s.command("scan", "device", "--case", "C1", "--exhibit", "phone", "--json")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the first event: something is stored
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	_ = c.Wait() // the code is looked at
	if got := c.ProcessState.ExitCode(); got != exitInterrupted {
		t.Fatalf("exit code %d\n%s", got, &stderr)
	}
	s.says(stderr.String(), "interrupted; what was done is kept")
	s.says(last, `"event":"summary"`, `"complete":false`)
	stdout, _ := s.run(0, "scan", "device", "--case", "C1", "--exhibit", "phone", "--json")
	var sum struct{ Items, New, Unchanged, Duplicate, Hits int }
	lastLine := stdout[strings.LastIndex(strings.TrimSpace(stdout), "\n")+1:]
	if err := json.Unmarshal([]byte(lastLine), &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Items != 300 || sum.Unchanged == 0 || sum.Unchanged == 300 || sum.New+sum.Duplicate+sum.Unchanged != 300 || sum.Hits != 2 {
		t.Errorf("the second run: %+v", sum)
	}
	resumed, _ := s.run(0, "report", "C1", "--format", "jsonl")
	s.environ = append(s.environ, "SEMBLANCE_DATA="+filepath.Join(s.dir, "other"))
	prepare()
	s.run(0, "scan", "device", "--case", "C1", "--exhibit", "phone", "-q")
	if undisturbed, _ := s.run(0, "report", "C1", "--format", "jsonl"); undisturbed != resumed {
		t.Error("the report of an interrupted and resumed scan is another")
	}
}

// serveIn starts a server on the shell's data folder and returns how to stop it.
func (s *shell) serve() {
	s.t.Helper()
	c := s.command("serve", "--addr", "127.0.0.1:0", "--json")
	c.Stderr = io.Discard
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), `"serving"`) {
	}
	if !strings.Contains(lines.Text(), `"serving"`) {
		s.t.Fatal("the server does not serve")
	}
	s.t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, out)
		if err := c.Wait(); err != nil && c.ProcessState.ExitCode() > 1 {
			s.t.Errorf("the server ended with %v", err)
		}
	})
}

// TestCommandsThroughTheServer: while a server owns the data folder, commands go
// through it with the client's streams, folder, name and exit codes.
func TestCommandsThroughTheServer(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.makeCase()
	s.serve()
	s.write("lists/list.txt", []byte("87e1497faddca1b1b047f225b40f181c,first\nnot a hash\n"))
	in := func(folder string, c *exec.Cmd) *exec.Cmd {
		c.Dir = filepath.Join(s.dir, folder)
		return c
	}
	stdout, stderr := s.finish(in("lists", s.command("collection", "import", "known", "list.txt")), 3)
	s.says(stdout, "known: 2 lines read, 1 added")
	s.says(stderr, "line 2: ")
	c := s.command("lookup", "--against", "known", "--case", "C1", "--json")
	c.Stdin = strings.NewReader("87E1497FADDCA1B1B047F225B40F181C\n")
	stdout, _ = s.finish(c, 0)
	s.says(stdout, `"kind":"hit"`)
	stdout, stderr = s.finish(in("lists", s.command("collection", "import", "known", "list.txt", "--set")), 3)
	s.says(stdout, "of list.txt (plain): 1 md5")
	s.says(stderr, "what was left out is in ")
	c = s.command("lookup", "--against", "known", "--case", "C1", "--json")
	c.Stdin = strings.NewReader("87E1497FADDCA1B1B047F225B40F181C\n")
	stdout, _ = s.finish(c, 0) // the server holds the new set at once
	s.says(stdout, `"entry":1,`, `"set":"`)
	s.run(0, "collection", "sets", "remove", "known", "list.txt")
	s.finish(in("lists", s.command("report", "C1", "--format", "jsonl", "-o", "c1.jsonl")), 0)
	if _, err := os.Stat(filepath.Join(s.dir, "lists/c1.jsonl")); err != nil {
		t.Error(err)
	}
	_, stderr = s.run(1, "report", "C9")
	if strings.Count(stderr, "there is no case") != 1 {
		t.Errorf("told twice: %s", stderr)
	}
	stdout, _ = s.run(0, "audit", "list", "--json")
	s.says(stdout, `"actor":{"name":"`+osActor()+`","via":"cli"},"action":"report"`)
	_, stderr = s.run(1, "serve", "--addr", "127.0.0.1:0")
	s.says(stderr, "error: ")
	// That it was the server is proved by what cannot be done beside it.
	if other, err := store.Open(t.Context(), filepath.Join(s.dir, "data"), store.DefaultOptions()); err == nil {
		other.Close()
		t.Error("the data folder has no owner")
	}
}

// TestInterruptThroughTheServer: Ctrl-C of a client ends its command in the server,
// which then no longer reads what the client's terminal or pipe gives.
func TestInterruptThroughTheServer(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.makeCase()
	s.serve()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	c := s.command("lookup", "--against", "known", "--case", "C1", "-")
	c.Stdin = r
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	audit := func(action string) bool {
		stdout, _ := s.run(0, "audit", "list", "--json")
		return strings.Contains(stdout, fmt.Sprintf(`"action":%q`, action))
	}
	for !audit("lookup.start") { // it runs in the server now
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the code is looked at
	if got := c.ProcessState.ExitCode(); got != exitInterrupted || strings.Count(stderr.String(), "interrupted") != 1 {
		t.Errorf("exit code %d: %s", got, &stderr)
	}
	if !audit("lookup") {
		t.Error("the command goes on in the server")
	}
	if _, err := w.WriteString("87e1497faddca1b1b047f225b40f181c\n"); err != nil {
		t.Fatal(err)
	}
	s.run(0, "audit", "verify")
	if got, err := bufio.NewReader(r).ReadString('\n'); err != nil || len(got) != 33 {
		t.Errorf("the server ate the client's input: %q, %v", got, err)
	}
}

// TestAnotherUser: only the user who owns the data folder gets through, even when
// its permissions have been opened.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to become another user")
	}
	s := newShell(t)
	s.makeCase()
	for _, dir := range []string{s.dir, filepath.Dir(s.dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(s.program)
	if err != nil {
		t.Fatal(err)
	}
	s.write("program", b)
	if err := os.Chmod(filepath.Join(s.dir, "program"), 0o755); err != nil {
		t.Fatal(err)
	}
	nobody := func(want int) string {
		c := s.command("case", "list")
		c.Path = filepath.Join(s.dir, "program")
		c.Args[0] = "semblance" // what TestMain goes by
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		stdout, stderr := s.finish(c, want)
		if stdout != "" {
			t.Errorf("another user reads %q", stdout)
		}
		return stderr
	}
	s.says(nobody(1), "hint: ")
	s.serve()
	s.says(nobody(1), "may not", "hint: ")
	data := filepath.Join(s.dir, "data")
	if err := os.Chmod(data, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(data, socketName), 0o666); err != nil {
		t.Fatal(err)
	}
	s.says(nobody(1), "refused the command: it came from another user's process", "hint: ")
}

// TestDemo runs the demo on its photographs.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testPortraits() == "" || testWorker() == "" {
		t.Skip("worker, weights or the demo's photographs are missing: run make demo once")
	}
	s := newShell(t)
	s.environ = append(s.environ, "SEMBLANCE_MODELS_DIR="+testModels())
	stdout, _ := s.run(0, "demo")
	s.says(stdout, " 0 missed, 0 false; counts reconcile; audit chain of ")
	if _, err := os.Stat(filepath.Join(s.dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the demo touched the data folder")
	}
	stdout, _ = s.run(0, "demo", "--json")
	s.says(stdout, `"event":"demo"`, `"missed":null`)
}

// TestServerRefusesNonsense: what comes over the socket is foreign.
func TestServerRefusesNonsense(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := listenSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{cfg: &config{Data: dir}}
	done := make(chan struct{})
	go func() { defer close(done); serveCommands(ctx, l, p) }()
	for _, text := range []string{"", "GET / HTTP/1.1\r\n\r\n", "{", `{"args":["version"],"cwd":"/"}` + "\n", strings.Repeat("x", 1<<16)} {
		conn, err := dialServer(filepath.Join(dir, socketName))
		if err != nil || conn == nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text) // the server may have closed
		_ = conn.CloseWrite()
		b, _ := io.ReadAll(conn) // a reset is an end as well
		if len(b) > 0 && !strings.Contains(string(b), `"exit":1`) {
			t.Errorf("%.20q: %s", text, b)
		}
		conn.Close()
	}
	silent, err := dialServer(filepath.Join(dir, socketName))
	if err != nil || silent == nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cancel()
	l.Close()
	<-done
	if err := p.Close(); err != nil { // waits for the client that says nothing
		t.Error(err)
	}
}
