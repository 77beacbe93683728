package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"semblance"
	"semblance/api"
	"semblance/docs"
)

// fakeCases answers every question about cases with the error it points at.
type fakeCases struct{ err *error }

func (f fakeCases) fails() error {
	if f.err == nil {
		return nil
	}
	return *f.err
}

func (f fakeCases) Case(context.Context, string) (semblance.Case, error) {
	return semblance.Case{}, f.fails()
}
func (f fakeCases) Cases(context.Context) ([]semblance.Case, error)           { return nil, f.fails() }
func (f fakeCases) Jobs(context.Context, semblance.CaseID) ([]api.Job, error) { return nil, nil }
func (f fakeCases) Check(context.Context, api.Upload) error                   { return f.fails() }
func (f fakeCases) Submit(context.Context, api.Upload) (api.Job, error)       { return api.Job{}, f.fails() }
func (f fakeCases) Cancel(context.Context, semblance.Actor, string) (api.Job, error) {
	return api.Job{}, f.fails()
}
func (f fakeCases) Wait(context.Context, string, string) (api.Job, string, error) {
	return api.Job{}, "", f.fails()
}

var (
	_ api.Cases = fakeCases{}
	_ api.Jobs  = fakeCases{}
)

// newServer is a server whose cases fail with what err points at; its log goes to log.
// Making one takes long, since it describes every route: what walks the codes has one.
func newServer(t *testing.T, err *error, log *bytes.Buffer) *api.Server {
	t.Helper()
	spool, serr := api.OpenSpool(t.TempDir(), 1000, 3)
	if serr != nil {
		t.Fatal(serr)
	}
	s, serr := api.New(api.Parts{Cases: fakeCases{err}, Jobs: fakeCases{err}, Spool: spool, Pages: fstest.MapFS{}, Problems: docs.Problems,
		Token: func(_ context.Context, _ [32]byte) (string, error) { return "tester", nil },
		Log:   slog.New(slog.NewTextHandler(log, nil))}, api.Options{Version: "test", Base: "https://semblance.example"})
	if serr != nil {
		t.Fatal(serr)
	}
	return s
}

func ask(s *api.Server, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer smb_x")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

var instance = regexp.MustCompile(`urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// TestProblemsAreGolden compares the problem of every code with the file that
// clients were shown, made when it is missing and never overwritten; through huma's
// handlers and through echo's alike.
func TestProblemsAreGolden(t *testing.T) {
	t.Parallel()
	var fails error
	var log bytes.Buffer
	s := newServer(t, &fails, &log)
	for _, code := range semblance.Codes() {
		t.Run(string(code), func(t *testing.T) {
			log.Reset()
			cause := errors.New(`open /var/lib/semblance/semblance.db: SELECT secret FROM tokens: goroutine 1 [running]`)
			err := semblance.Errorf(code, `exhibit "E1" is of another source, "/mnt/evidence/E1/disk.img"`).WithHint("Look at /var/lib/semblance/log first.").WithCause(cause)
			fails = fmt.Errorf("list %w", err)
			got := ask(s, "GET", "/v1/cases", "")
			text := instance.ReplaceAllString(got.Body.String(), "urn:uuid:REQUEST")
			if got.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type %q", got.Header().Get("Content-Type"))
			}
			other := ask(s, "GET", "/v1/cases/x/report", "") // a route without huma; its Report is not there: a panic
			if other.Code != 500 || strings.Contains(other.Body.String(), "nil pointer") || !strings.Contains(log.String(), "nil pointer") {
				t.Errorf("a panic is told as %d %s", other.Code, other.Body)
			}
			raw := ask(s, "POST", "/v1/cases/x/uploads?exhibit=E&against=a", "x")
			if again := instance.ReplaceAllString(raw.Body.String(), "urn:uuid:REQUEST"); !sameJSON(t, again, text) || raw.Code != got.Code {
				t.Errorf("a raw route tells it as %d %s", raw.Code, again)
			}
			for _, word := range []string{"/mnt", "/var", "SELECT", "goroutine", "disk.img"} {
				if strings.Contains(text, word) {
					t.Errorf("the problem has %q: %s", word, text)
				}
			}
			if code == semblance.Internal && !strings.Contains(log.String(), "SELECT secret") {
				t.Errorf("the log lacks the cause: %s", log.String())
			}
			if (got.Header().Get("Retry-After") != "") != strings.Contains(text, `"retry_after"`) {
				t.Errorf("Retry-After is %q", got.Header().Get("Retry-After"))
			}
			golden(t, filepath.Join("testdata", "problems", string(code)+".json"), text)
		})
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s was not there and is made: look at it and commit it", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestEveryCodeHasItsProblem walks the codes: a status of its own choosing, and a
// page.
func TestEveryCodeHasItsProblem(t *testing.T) {
	t.Parallel()
	var fails error
	var log bytes.Buffer
	s := newServer(t, &fails, &log)
	for _, code := range semblance.Codes() {
		fails = semblance.Errorf(code, "x")
		w := ask(s, "GET", "/v1/cases", "")
		if (w.Code == http.StatusInternalServerError) != (code == semblance.Internal) {
			t.Errorf("%s has status %d: it is not in the table", code, w.Code)
		}
		page := ask(s, "GET", "/problems/"+string(code), "")
		if page.Code != 200 || !strings.Contains(page.Body.String(), "<h1>"+string(code)+"</h1>") {
			t.Errorf("%s has no page: %d", code, page.Code)
		}
	}
}

// TestLogHasNoQueries asserts that the access log has routes, and not what was asked.
func TestLogHasNoQueries(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(t, nil, &log)
	ask(s, "GET", "/v1/cases/very-private-number?name=very-private-name", "")
	if text := log.String(); strings.Contains(text, "very-private") || !strings.Contains(text, "route=/v1/cases/:number") || !strings.Contains(text, "actor=tester") {
		t.Errorf("the log says %s", text)
	}
}
