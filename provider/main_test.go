package provider_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/provider"
	"semblance/worker/cage"
)

// TestMain makes this binary the stub that closes the cage, and the providers of the
// tests, which prove the protocol.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "caged" {
		os.Exit(caged(os.Args[2]))
	}
	if len(os.Args) >= 3 && os.Args[1] == "act" {
		act(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	if len(os.Args) == 3 && os.Args[1] == "parent" {
		doomedParent(os.Args[2])
	}
	os.Exit(m.Run())
}

// doomedParent asks a program that hangs, says which process it is, and waits to be killed.
func doomedParent(dir string) {
	self, err := os.Executable()
	if err != nil {
		os.Exit(1)
	}
	h, err := provider.Open(provider.Options{Dir: dir, Stub: []string{self, "caged"}})
	if err != nil {
		os.Exit(1)
	}
	go h.Analyzer(&fakeWorkers{analysis: twoFrames(0)}).Analyze(context.Background(), nil, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	for { // the stub has become the program when its arguments are the program's
		children, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, path := range children {
			b, _ := os.ReadFile(path)
			_, rest, _ := strings.Cut(string(b), ") ")
			var state string
			var ppid, pid int
			fmt.Sscan(rest, &state, &ppid)
			fmt.Sscan(string(b), &pid)
			if line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline")); ppid == os.Getpid() && strings.Contains(string(line), "\x00hang") {
				fmt.Println(pid)
				select {}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func caged(launch string) int {
	var l provider.Launch
	if err := json.Unmarshal([]byte(launch), &l); err != nil {
		return 1
	}
	policy := cage.Policy{Read: l.Read, ReadDirs: l.ReadDirs, Exec: l.Exec, Memory: l.Memory, Space: l.Space}
	err := cage.Become(policy, l.Parent, l.Program, append([]string{l.Program}, l.Arguments...), l.Env)
	fmt.Fprintln(os.Stderr, provider.CageRefused, err)
	return 1
}

// A line is what a provider reads and writes.
type line map[string]any

// A conversation is the provider's side of the protocol, as a vendor would write it.
type conversation struct {
	in  *bufio.Reader
	out *bufio.Writer
	n   int // pictures so far
}

// next reads a line and its pixels; it ends the program at the end.
func (c *conversation) next() (id float64, pic line, pixels []byte) {
	text, err := c.in.ReadBytes('\n')
	if err != nil {
		os.Exit(0)
	}
	var l struct {
		Hello   line `json:"hello"`
		Picture line `json:"picture"`
	}
	if err := json.Unmarshal(text, &l); err != nil {
		os.Exit(9)
	}
	if l.Hello != nil {
		c.say(line{"hello": l.Hello})
		return c.next()
	}
	pixels = make([]byte, int(l.Picture["bytes"].(float64)))
	if _, err := io.ReadFull(c.in, pixels); err != nil {
		os.Exit(9)
	}
	c.n++
	return l.Picture["id"].(float64), l.Picture, pixels
}

func (c *conversation) say(v any) {
	b, _ := json.Marshal(v)
	c.out.Write(append(b, '\n'))
	c.out.Flush()
}

// value is a hash that depends on all pixels and on the size.
func value(pic line, pixels []byte) []byte {
	var out []byte
	for i := byte(0); len(out) < 144; i++ {
		sum := sha256.Sum256(append([]byte(fmt.Sprint(i, pic["width"], pic["height"], pic["orientation"], pic["frame"])), pixels...))
		out = append(out, sum[:]...)
	}
	return out[:144]
}

// act is a provider that behaves as it is told.
func act(behavior string, args []string) {
	c := &conversation{in: bufio.NewReader(os.Stdin), out: bufio.NewWriter(os.Stdout)}
	switch behavior {
	case "escape without a cage":
		fmt.Println(escape(args, false))
		os.Exit(0)
	case "deaf":
		sleep()
	case "not there":
		os.Exit(7)
	case "another":
		c.in.ReadBytes('\n')
		c.say(line{"hello": line{"protocol": 1, "name": "another", "version": "9"}})
	case "noisy":
		fmt.Fprint(os.Stderr, strings.Repeat("noise ", 1<<20))
		behavior = "hash"
	}
	for {
		id, pic, pixels := c.next()
		hash := base64.StdEncoding.EncodeToString(value(pic, pixels))
		switch behavior {
		case "hash":
			c.say(line{"id": id, "hash": hash})
		case "hex":
			c.say(line{"id": id, "hash": hex.EncodeToString(value(pic, pixels))})
		case "shape":
			c.say(line{"id": id, "none": fmt.Sprint(pic["width"], "x", pic["height"], " ", pic["orientation"], " ", pixels[:6])})
		case "classify":
			c.say(line{"id": id, "labels": []line{{"name": "dark", "score": 0.25}}, "ages": []line{{"low": 30, "high": 40, "box": []int{1, 2, 3, 4}}, {"low": 8.5, "high": 8.5}}})
		case "no label":
			c.say(line{"id": id, "labels": []line{}})
		case "faces":
			c.say(line{"id": id, "faces": []line{{"box": []int{10, 10, 20, 20}, "score": 0.5, "quality": 50, "embedding": []float64{0, 3, 4}},
				{"box": []int{30, 10, 20, 20}, "score": 0.9, "quality": 90, "embedding": []float64{1, 0, 0}, "landmarks": [][]int{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}}}})
		case "no face":
			c.say(line{"id": id, "faces": []line{}})
		case "hang":
			sleep()
		case "hang once":
			if c.n == 2 {
				sleep()
			}
			c.say(line{"id": id, "hash": hash})
		case "die":
			fmt.Fprintln(os.Stderr, "last words")
			os.Exit(3)
		case "die at the third":
			if c.n == 3 {
				os.Exit(3)
			}
			c.say(line{"id": id, "hash": hash})
		case "say":
			c.out.WriteString(strings.ReplaceAll(args[0], "ID", fmt.Sprint(id)) + "\n")
			c.out.Flush()
		case "flood":
			for {
				c.out.Write(make([]byte, 1<<16))
			}
		case "chatter": // more lines than were asked for
			c.say(line{"id": id, "hash": hash})
			c.say(line{"id": id, "hash": hash})
		case "refuse":
			c.say(line{"id": id, "error": "the license has run out"})
		case "eat":
			var all [][]byte
			for {
				b := make([]byte, 16<<20)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				all = append(all, b)
				if len(all) > 1<<10 {
					os.Exit(0)
				}
			}
		case "escape":
			c.say(line{"id": id, "none": escape(args, true)})
		default:
			os.Exit(8)
		}
	}
}

// sleep hangs until the program is killed.
func sleep() {
	for {
		time.Sleep(time.Hour)
	}
}

// escape tries what must not be possible and names what was.
func escape(args []string, caged bool) string {
	tcp, foreign, folder := args[0], args[1], args[2]
	own, _ := os.Executable()
	possible := []string{"nothing"}
	try := func(what string, f func() error) {
		if f() == nil {
			possible = append(possible, what)
		}
	}
	try("TCP", func() error { _, err := net.DialTimeout("tcp", tcp, 3*time.Second); return err })
	try("UDP", func() error { _, err := net.Dial("udp", tcp); return err })
	try("listening", func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err })
	try("reading", func() error { _, err := os.ReadFile(foreign); return err })
	try("listing", func() error { _, err := os.ReadDir(folder); return err })
	try("writing", func() error { return os.WriteFile(filepath.Join(folder, "x"), nil, 0o600) })
	try("writing beside itself", func() error { return os.WriteFile(filepath.Join(filepath.Dir(own), "x"), nil, 0o600) })
	try("changing itself", func() error { return os.Chmod(own, 0o777) })
	try("a shell", func() error { return exec.Command("/bin/sh", "-c", "true").Run() })
	if caged { // it would succeed outside, and nothing would come after
		try("another program in its place", func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) })
	}
	try("signals", func() error { return syscall.Kill(os.Getppid(), 0) })
	try("environment of the parent", func() error { _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid())); return err })
	if env := os.Environ(); strings.Contains(strings.Join(env, " "), "SEMBLANCE") || len(env) > 10 {
		possible = append(possible, "seeing "+strings.Join(env, " "))
	}
	// And what must be: its own folder.
	if _, err := os.ReadFile(filepath.Join(filepath.Dir(own), "weights")); err != nil {
		possible = append(possible, "not even its own weights: "+err.Error())
	}
	return strings.Join(possible, ", ")
}

func needCage(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("%s has no cage", runtime.GOOS)
	}
}

// install makes a provider of this test binary in a folder. change alters its manifest.
func install(t *testing.T, dir, name, behavior string, change func(m line), args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "program")
	if err := os.Link(self, program); err != nil { // another file system
		b, err := os.ReadFile(self)
		if err = errors.Join(err, os.WriteFile(program, b, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "weights"), []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := line{"format": 1, "name": name, "version": "1", "program": "program", "arguments": append([]string{"act", behavior}, args...),
		"files": line{"program": sumOf(t, program), "weights": sumOf(t, filepath.Join(folder, "weights"))},
		"hash":  line{"algorithm": "photodna"}, "seconds": 20, "memory_mb": 512}
	if change != nil {
		change(m)
	}
	writeManifest(t, folder, m)
	return folder
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func writeManifest(t *testing.T, folder string, m line) {
	t.Helper()
	b, err := json.MarshalIndent(m, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, provider.ManifestFile), b, fs.FileMode(0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
