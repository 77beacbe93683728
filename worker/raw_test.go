package worker_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/worker"
)

// rawChild speaks the protocol by hand, from docs/workers.md and not from the
// package's code, and answers a file with whatever how says.
func rawChild(how string) {
	conn := os.NewFile(3, "parent")
	readRaw(conn)
	facts := `{"facts":{"version":13,"program":"raw","cpu":"","cage":{"landlock":0,"seccomp":false,"limits":false,"capabilities":false}}}`
	switch how {
	case "hello-version":
		facts = strings.Replace(facts, `"version":13`, `"version":90`, 1)
	case "hello-empty":
		facts = `{}`
	}
	writeRaw(conn, facts)
	readRaw(conn)
	const good = `{"analysis":{"type":"image/x","width":1,"height":1,"frames":1,"decoder":"d","metadata":{}}}`
	switch how {
	case "good":
		writeRaw(conn, good)
		readRaw(conn)
	case "pixels-large":
		writeRaw(conn, strings.Replace(good, `"metadata"`, `"pictures":[{"index":0,"width":65,"height":1}],"metadata"`, 1))
		readRaw(conn)
	case "pixels-none":
		writeRaw(conn, strings.Replace(good, `"metadata"`, `"pictures":[{"index":0,"width":0,"height":1}],"metadata"`, 1))
		readRaw(conn)
	case "pixels-in-json":
		writeRaw(conn, strings.Replace(good, `"metadata"`, `"pictures":[{"index":0,"width":1,"height":1,"rgb":"AAAA"}],"metadata"`, 1))
		readRaw(conn)
	case "pixels-cut":
		writeRaw(conn, strings.Replace(good, `"metadata"`, `"pictures":[{"index":0,"width":64,"height":64}],"metadata"`, 1))
		conn.Write(make([]byte, 100))
		return
	case "garbage":
		conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	case "not-json":
		writeRaw(conn, "\xff\xfe\x00")
	case "empty":
		conn.Write([]byte{0, 0, 0, 0})
	case "two-answers":
		writeRaw(conn, good+good)
	case "unknown-field":
		writeRaw(conn, strings.Replace(good, `"width"`, `"secret":1,"width"`, 1))
	case "oversize":
		conn.Write([]byte{0xff, 0xff, 0xff, 0xff, '{'})
	case "braces":
		writeRaw(conn, `{"analysis":{"face_sets":[`+strings.Repeat(`{"faces":[]},`, 9000)+`{}]}}`)
	case "commas":
		writeRaw(conn, `{"analysis":{"warnings":[`+strings.Repeat(`"",`, 60000)+`""]}}`)
	case "deep":
		writeRaw(conn, strings.Repeat("[", 100000))
	case "big-number":
		writeRaw(conn, strings.Replace(good, `"width":1`, `"width":1e99`, 1))
	case "nothing":
		writeRaw(conn, `{}`)
	case "half":
		conn.Write([]byte{0, 0, 1, 0, '{', '"'})
		return
	case "close":
		conn.Close()
		time.Sleep(time.Hour)
	}
	io.Copy(io.Discard, conn)
}

func readRaw(r io.Reader) {
	var n uint32
	if binary.Read(r, binary.BigEndian, &n) != nil {
		os.Exit(0)
	}
	var v map[string]any
	if err := json.NewDecoder(io.LimitReader(r, int64(n))).Decode(&v); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

func writeRaw(w io.Writer, frame string) {
	binary.Write(w, binary.BigEndian, uint32(len(frame)))
	io.WriteString(w, frame)
}

func raw(how string) func(*worker.Options) {
	return func(o *worker.Options) { o.Env = []string{childEnv + "=raw " + how} }
}

func TestTheWireIsAsDocumented(t *testing.T) {
	t.Parallel()
	p := open(t, raw("good"))
	a, err := analyze(t, p, "x", semblance.AnalyzeRequest{})
	if err != nil || a.Type != "image/x" {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestBytesThatAreNoAnswerCostTheChild(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"garbage", "not-json", "empty", "two-answers", "unknown-field", "oversize", "braces", "commas",
		"deep", "big-number", "nothing", "half", "close", "pixels-large", "pixels-none", "pixels-in-json", "pixels-cut"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := open(t, raw(how))
			_, err := analyze(t, p, "x", semblance.AnalyzeRequest{Pictures: 64})
			if !errors.Is(err, semblance.Internal) || !strings.Contains(err.Error(), "the worker was replaced") {
				t.Errorf("%v", err)
			}
			if s := p.Stats(); s.Killed != 1 || s.Started != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAnotherReleasesProgramIsRefused(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hello-version", "hello-empty"} {
		_, err := analyze(t, open(t, raw(how)), "x", semblance.AnalyzeRequest{})
		if !errors.Is(err, semblance.Unavailable) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestACageCanBeDemanded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := open(t, raw("good"), func(o *worker.Options) { o.RequireCage, o.Log = true, slog.New(slog.NewTextHandler(&log, nil)) })
	_, err := analyze(t, p, "x", semblance.AnalyzeRequest{})
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "cannot cage") || semblance.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	p = open(t, raw("good"), func(o *worker.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if _, err := analyze(t, p, "x", semblance.AnalyzeRequest{}); err != nil || !strings.Contains(log.String(), "not fully caged") {
		t.Errorf("%v, log %s", err, log.String())
	}
}
