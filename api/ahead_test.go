package api

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestReadAheadGivesTheSameBytes compares it with reading directly.
func TestReadAheadGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	want := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	for name, body := range map[string]io.Reader{"whole": bytes.NewReader(want), "in halves": iotest.HalfReader(bytes.NewReader(want)), "data with the end": iotest.DataErrReader(bytes.NewReader(want))} {
		a := newReadAhead(body)
		got, err := io.ReadAll(a)
		a.close(func() { t.Errorf("%s: the end was not seen", name) })
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(want), err)
		}
	}
}

// TestReadAheadIsBounded holds an endless body that nobody reads.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	read := make(chan int)
	total, limit := 0, aheadBytes+64<<10
	a := newReadAhead(countingReader{read})
	for total < aheadBytes {
		total += <-read
	}
	select {
	case <-read:
		total += 32 << 10
	default: // it waits, as it has to
	}
	if total > limit {
		t.Errorf("%d bytes were read ahead, the bound is %d", total, limit)
	}
	a.close(func() { close(read) })
}

// countingReader gives 32 KiB at a time and tells of it.
type countingReader struct{ read chan int }

func (r countingReader) Read(p []byte) (n int, err error) {
	defer func() {
		if recover() != nil { // the channel was closed: unblocked
			n, err = 0, io.ErrClosedPipe
		}
	}()
	r.read <- len(p)
	return len(p), nil
}

// TestReadAheadPassesErrorsOn keeps what came before an error.
func TestReadAheadPassesErrorsOn(t *testing.T) {
	t.Parallel()
	cause := errors.New("cut")
	a := newReadAhead(io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(cause)))
	got, err := io.ReadAll(a)
	if string(got) != "abc" || !errors.Is(err, cause) {
		t.Errorf("read %q, %v", got, err)
	}
	a.close(func() { t.Error("the error was not seen") })
}

// TestRedact takes paths out of sentences and leaves everything else.
func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`the worker program "/opt/x/worker" named`:    `the worker program "…" named`,
		`of another source, "/mnt/my disk/a"`:         `of another source, "…"`,
		`case "2026/11" is there`:                     `case "2026/11" is there`,
		`see https://example.org/a/b for more`:        `see https://example.org/a/b for more`,
		`lies in /var/lib/semblance/spool until then`: `lies in … until then`,
		`1/2 of the rows and/or columns`:              `1/2 of the rows and/or columns`,
		`path=/etc/passwd`:                            `path=…`,
		`semblance collection create --kind a|b`:      `semblance collection create --kind a|b`,
	} {
		if got := redact(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
