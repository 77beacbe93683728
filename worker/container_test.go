package worker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/worker"
)

// An orders container does what its lines say; the child of these tests opens it.
type orders struct {
	parts    []worker.Part
	lines    []string
	content  string
	progress func(int64, int64)
}

func openOrders(parts []worker.Part, o semblance.ContainerOptions, progress func(int64, int64)) (worker.ContainerReader, error) {
	b, err := io.ReadAll(io.NewSectionReader(parts[0].File, 0, parts[0].Size))
	if err != nil {
		return nil, err
	}
	text, ok := strings.CutPrefix(string(b), "container\n")
	if !ok {
		return nil, nil
	}
	if strings.HasPrefix(text, "encrypted") && len(o.Passwords) == 0 {
		return nil, semblance.Errorf(semblance.MediaEncrypted, "the archive is encrypted")
	}
	return &orders{parts, strings.Split(strings.TrimSuffix(text, "\n"), "\n"), "", progress}, nil
}

// isOrders is what openOrders would say; the name "unread" cannot be told, and "panic" kills.
func isOrders(p worker.Part) (bool, error) {
	switch p.Name {
	case "unread":
		return false, errors.New("as ordered")
	case "panic":
		panic("as ordered")
	}
	b, err := io.ReadAll(io.NewSectionReader(p.File, 0, p.Size))
	return strings.HasPrefix(string(b), "container\n"), err
}

func (r *orders) Next() (semblance.Entry, error) {
	if len(r.lines) == 0 {
		return semblance.Entry{}, io.EOF
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	e := semblance.Entry{Name: []byte(line), Kind: semblance.EntryFile, Size: -1, Offset: -1}
	r.content = line
	switch {
	case line == "crash":
		panic("as ordered")
	case line == "hang":
		select {}
	case line == "broken":
		return e, semblance.Errorf(semblance.MediaDamaged, "the archive ends here").WithCause(io.EOF)
	case line == "working": // for three times the deadline
		for i := range int64(30) {
			time.Sleep(100 * time.Millisecond)
			r.progress(i, 30)
		}
	case line == "lie":
		e.Kind = "gift"
	case line == "odd":
		e.Times = []semblance.FileTime{{What: "modified", Time: "yesterday", Source: "x"}}
		e.Name = bytes.Repeat([]byte("n"), 40<<10)
		e.Reason = "\x00"
	case line == "parts":
		for _, p := range r.parts {
			b, _ := io.ReadAll(io.NewSectionReader(p.File, 0, p.Size))
			r.content += " " + p.Name + "=" + string(b[:3])
		}
	}
	return e, nil
}

func (r *orders) Open() (io.Reader, error) {
	switch {
	case strings.HasPrefix(r.content, "big"):
		return io.LimitReader(zeros{}, 5<<20+17), nil
	case r.content == "closed":
		return nil, semblance.Errorf(semblance.MediaUnsupported, "a method that is not read")
	case r.content == "half":
		return io.MultiReader(strings.NewReader("half"), failing{}), nil
	}
	return strings.NewReader(r.content), nil
}

func (r *orders) Facts() semblance.ContainerFacts {
	return semblance.ContainerFacts{Format: "orders", Notes: []string{"as ordered"}}
}

func (r *orders) Close() error { return nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{}

func (failing) Read([]byte) (int, error) {
	return 0, semblance.Errorf(semblance.MediaDamaged, "cut short").WithCause(io.EOF) // no end, for all its cause
}

func container(t *testing.T, p *worker.Pool, text string, more ...string) (*worker.Container, error) {
	t.Helper()
	files := []semblance.ContainerFile{{Name: "c", File: orderFile(t, text)}}
	for _, m := range more {
		files = append(files, semblance.ContainerFile{Name: "part", File: orderFile(t, m)})
	}
	k, err := p.OpenContainer(t.Context(), files, semblance.ContainerOptions{}, nil)
	if k != nil {
		t.Cleanup(func() { _ = k.Close() })
	}
	return k, err
}

func orderFile(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "c")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPlain: with a name, of a file that is no picture it is said at once whether it is a
// container, and only when that is known.
func TestPlain(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Workers = 1 })
	for _, c := range []struct {
		story, name, text string
		code              semblance.Code
		want              bool
	}{
		{"no container", "a.dat", "unsupported", semblance.MediaUnsupported, true},
		{"nobody asked", "", "unsupported", semblance.MediaUnsupported, false},
		{"a container", "a.dat", "container\nx", semblance.MediaUnsupported, false},
		{"it cannot be told", "unread", "unsupported", semblance.MediaUnsupported, false},
		{"a picture", "a.dat", "ok", "", false},
		{"a damaged picture", "a.dat", "damaged", semblance.MediaDamaged, false},
		{"a child that dies of the question", "panic", "unsupported", semblance.Internal, false},
	} {
		a, err := p.Analyze(t.Context(), orderFile(t, c.text), semblance.AnalyzeRequest{Name: c.name})
		if semblance.CodeOf(err) != c.code && (c.code != "" || err != nil) || a.Plain != c.want {
			t.Errorf("%s: plain %v, %v", c.story, a.Plain, err)
		}
	}
}

func TestContainer(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Workers = 1 })
	if k, err := container(t, p, "no container"); k != nil || err != nil {
		t.Fatalf("%v, %v", k, err)
	}
	if _, err := container(t, p, "container\nencrypted"); !errors.Is(err, semblance.MediaEncrypted) {
		t.Fatalf("encrypted: %v", err)
	}
	k, err := container(t, p, "container\nskipped\nbig\nhalf\nclosed\nodd\nparts\n", "abcd", "efgh")
	if err != nil || k.Facts().Format != "orders" {
		t.Fatalf("%v", err)
	}
	want := []struct {
		size int64
		text string
		code semblance.Code
	}{{text: "skipped"}, {size: 5<<20 + 17}, {size: 4, text: "half", code: semblance.MediaDamaged}, {code: semblance.MediaUnsupported}, {}, {size: 29}}
	for i, w := range want {
		e, err := k.Next()
		if err != nil {
			t.Fatal(i, err)
		}
		if i == 0 {
			continue
		}
		if i == 4 {
			if len(e.Name) != 32<<10 || e.Code != semblance.MediaUnsupported || len(e.Times) != 0 {
				t.Errorf("odd: %d bytes of name, %q, %v", len(e.Name), e.Code, e.Times)
			}
			continue
		}
		var b bytes.Buffer
		n, err := k.Copy(&b)
		if n != w.size || int64(b.Len()) != n || w.code == "" && err != nil || w.code != "" && !errors.Is(err, w.code) {
			t.Errorf("%s: %d bytes, %v", e.Name, n, err)
		}
		if i == 5 && b.String() != "parts c=con part=abc part=efg" {
			t.Errorf("parts: %s", b.String())
		}
	}
	if _, err := k.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if err := k.Close(); err != nil || p.Stats().Started != 1 || p.Stats().Killed != 0 {
		t.Errorf("%v, %+v: the child serves again", err, p.Stats())
	}
}

func TestContainerThatMisbehaves(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Workers, o.Limits.Deadline = 1, time.Second })
	for order, want := range map[string]semblance.Code{"crash": semblance.Internal, "hang": semblance.Timeout, "lie": semblance.Internal, "broken": semblance.MediaDamaged} {
		k, err := container(t, p, "container\nfirst\n"+order+"\n")
		if err != nil {
			t.Fatal(order, err)
		}
		if _, err := k.Next(); err != nil {
			t.Error(order, err)
		}
		if _, err := k.Next(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %s", order, err, want)
		}
		_ = k.Close()
	}
	k, err := container(t, p, "container\nworking\n")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := k.Next(); err != nil || string(e.Name) != "working" {
		t.Errorf("a child that is at work for longer than the deadline: %v", err)
	}
}

// What the caller does not want ends the container, and a caller who leaves ends the child.
func TestContainerIsLeft(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *worker.Options) { o.Workers = 1 })
	k, err := container(t, p, "container\nbig\n")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Copy(failingWriter{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := k.Next(); err == nil {
		t.Error("a container that was left goes on")
	}
	ctx, cancel := context.WithCancel(t.Context())
	k, err = p.OpenContainer(ctx, []semblance.ContainerFile{{Name: "c", File: orderFile(t, "container\nhang\n")}}, semblance.ContainerOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := k.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	_ = k.Close()
	if err := p.Close(); err != nil { // waits for containers: none is left
		t.Error(err)
	}
	if _, err := p.OpenContainer(t.Context(), []semblance.ContainerFile{{Name: "c", File: orderFile(t, "container\n")}}, semblance.ContainerOptions{}, nil); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }
