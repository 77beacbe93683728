package provider

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"semblance"
)

// A Launch is all that whoever closes the cage is told, as JSON in its last argument: what
// to run afterwards, in its place, and what that may read.
type Launch struct {
	Parent    int      `json:"parent"`  // process that the program ends with
	Program   string   `json:"program"` // absolute
	Arguments []string `json:"arguments,omitempty"`
	Env       []string `json:"env,omitempty"`
	Read      []string `json:"read,omitempty"`      // files
	ReadDirs  []string `json:"read_dirs,omitempty"` // folders with all below
	Exec      []string `json:"exec,omitempty"`      // the program and the loaders of dynamic programs
	Memory    int64    `json:"memory"`              // bytes of data
	Space     int64    `json:"space"`               // bytes of address space
}

// launch is that of a bundle.
func (b *bundle) launch() Launch {
	memory := int64(b.manifest.MemoryMB) << 20
	return Launch{
		Parent:  os.Getpid(),
		Program: b.program(), Arguments: b.manifest.Arguments,
		Env: []string{"LANG=C.UTF-8", "TZ=", "HOME=/nonexistent", "PATH=/nonexistent", "MALLOC_ARENA_MAX=2", "OMP_NUM_THREADS=1", "PYTHONDONTWRITEBYTECODE=1"},
		// What dynamic programs and interpreters look at before their first line. All of it
		// is public on every machine.
		Read:     []string{"/proc/cpuinfo", "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom"},
		ReadDirs: append([]string{b.dir, "/sys/devices/system/cpu", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"}, b.manifest.Read...),
		Exec: []string{b.program(), "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
			"/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"},
		// The address space bounds what is reserved first and used later, which the kernel does
		// not count as data; programs reserve much that they never use.
		Memory: memory, Space: memory + 4<<30,
	}
}

// keptWords is how much of what a program prints on standard error is kept, and
// shownWords how much of that is logged.
const (
	keptWords  = 16 << 10
	shownWords = 2 << 10
)

// A tail keeps the last bytes that were written to it: a program that prints without end
// neither blocks nor fills the memory.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// Write keeps the end of p and never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-keptWords):]...)
	if over := len(t.buf) - keptWords; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// words is the end of what was printed, fit to be logged.
func (t *tail) words() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return clean(string(t.buf[max(0, len(t.buf)-shownWords):]), shownWords)
}

// A process is one running program. It is used by one goroutine at a time.
type process struct {
	b      *bundle
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	words  *tail
	exited chan struct{}
	served int
	next   int64 // number of the next picture
	late   atomic.Bool
}

// spawn starts the program with pipes and nothing else: no descriptors of ours, no
// environment, a session of its own.
func spawn(b *bundle, stub []string) (*process, error) {
	launch, err := json.Marshal(b.launch())
	if err != nil {
		return nil, err
	}
	p := &process{b: b, words: &tail{}, exited: make(chan struct{}), next: 1}
	args := append(append([]string{"semblance"}, stub[1:]...), string(launch))
	p.cmd = &exec.Cmd{Path: stub[0], Args: args, Env: []string{"LANG=C.UTF-8"}, Dir: b.dir, Stderr: p.words,
		SysProcAttr: processAttributes(), WaitDelay: 5 * time.Second}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 64<<10)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// ask writes a line and, after a picture's, its pixels, and reads the line of the answer.
// After an error the process is dead.
func (p *process) ask(ctx context.Context, r request, limit time.Duration) (answer, error) {
	unwatch := context.AfterFunc(ctx, func() { p.kill() })
	alarm := time.AfterFunc(limit, func() { p.late.Store(true); p.kill() })
	a, err := p.exchange(r)
	alarm.Stop()
	if !unwatch() {
		p.end()
		return a, ctx.Err()
	}
	if p.late.Load() {
		err = fmt.Errorf("it took longer than %v", limit)
	}
	if err != nil {
		how := p.end()
		if !p.late.Load() && errors.Is(err, errEnded) {
			err = fmt.Errorf("it ended (%s)", how)
		}
	}
	return a, err
}

// errEnded is that of a program that closed its output or does not take its input.
var errEnded = errors.New("it ended")

func (p *process) exchange(r request) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	// A program may answer before it has read all pixels, or never read them: the answer is
	// read whatever becomes of writing.
	wrote := make(chan error, 1)
	go func() {
		_, err := p.in.Write(append(line, '\n'))
		if err == nil && r.Picture != nil {
			_, err = p.in.Write(r.Picture.rgb)
		}
		wrote <- err
	}()
	got, err := readLine(p.out, p.b.manifest.maxAnswer())
	if err != nil {
		p.kill() // ends the writing too
		<-wrote
		return answer{}, err
	}
	a, err := parseAnswer(got)
	if err != nil {
		p.kill()
	}
	if werr := <-wrote; err == nil && werr != nil {
		err = errEnded
	}
	return a, err
}

// readLine reads a line of at most most bytes.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, violate("a line of more than %d bytes", most)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return nil, errEnded
		}
	}
}

// hello makes sure that the program is the one of the manifest.
func (p *process) hello(ctx context.Context) error {
	m := &p.b.manifest
	want := hello{Protocol: protocolVersion, Name: m.Name, Version: m.Version}
	a, err := p.ask(ctx, request{Hello: &want}, m.toStart())
	if err != nil {
		return err
	}
	if a.Hello == nil || *a.Hello != want {
		p.kill()
		p.end()
		return violate("it says that it is %q %q with protocol %d, where its manifest says %q %q and this program speaks %d",
			clean(string(helloOf(a).Name), 60), clean(helloOf(a).Version, 60), helloOf(a).Protocol, string(m.Name), m.Version, protocolVersion)
	}
	return nil
}

func helloOf(a answer) hello {
	if a.Hello == nil {
		return hello{}
	}
	return *a.Hello
}

// look asks about a picture. After an error that is not an *refusal the process is dead.
func (p *process) look(ctx context.Context, pic picture, scale float64) (gift, error) {
	pic.ID, pic.Bytes = p.next, len(pic.rgb)
	p.next++
	p.served++
	a, err := p.ask(ctx, request{Picture: &pic}, p.b.manifest.perPicture())
	if err != nil {
		return gift{}, err
	}
	if a.Error != nil && a.ID == pic.ID {
		return gift{}, &refusal{clean(*a.Error, maxText)}
	}
	g, err := p.b.manifest.check(&a, &pic, scale)
	if err != nil {
		p.kill()
		p.end()
	}
	return g, err
}

// A refusal is that a program says itself that it could not answer.
type refusal struct{ why string }

func (r *refusal) Error() string { return "it says: " + r.why }

// kill ends the process; end says what it died of.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// end makes sure that the process is gone and says how it ended.
func (p *process) end() string {
	select {
	case <-p.exited:
	default:
		// A process that ends by itself keeps its own status.
		ended := time.AfterFunc(time.Second, p.kill)
		_ = p.in.Close()
		_, _ = io.Copy(io.Discard, p.out) // Wait closes the pipe; until then it may still write
		_ = p.cmd.Wait()                  // the state is in ProcessState
		ended.Stop()
		close(p.exited)
	}
	return p.cmd.ProcessState.String()
}

// notStarted says why a program does not come up.
func notStarted(b *bundle, err error) *semblance.Error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		err = reason(err)
	}
	return semblance.Errorf(semblance.Unavailable, "provider %q does not start: %v", string(b.name), err).
		WithHint("`semblance provider check %s` tells more; \"enabled\": false in its %s disables it.", b.name, ManifestFile)
}
