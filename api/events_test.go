package api_test

import (
	"bufio"
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"semblance/api"
	"semblance/docs"
)

// silentJobs has one job whose state never changes.
type silentJobs struct{ fakeCases }

func (silentJobs) Wait(ctx context.Context, id, seen string) (api.Job, string, error) {
	j := api.Job{ID: id, State: "running"}
	if seen == "mark" {
		<-ctx.Done()
		return j, "mark", ctx.Err()
	}
	return j, "mark", nil
}

// local is a server that answers to local names and to one proxy's.
func local(t *testing.T) *api.Server {
	t.Helper()
	spool, err := api.OpenSpool(t.TempDir(), 1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	var pages fs.FS = fstest.MapFS{"index.html": {Data: []byte("page")}}
	s, err := api.New(api.Parts{Cases: fakeCases{}, Jobs: silentJobs{}, Spool: spool, Pages: pages, Problems: docs.Problems,
		Token: func(context.Context, [32]byte) (string, error) { return "tester", nil }, Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))},
		api.Options{Local: true, Base: "https://lab.example", Heartbeat: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEventsAreKeptOpen reads heartbeats of a job in which nothing happens, until the
// service stops: a stream must not hold a shutdown up.
func TestEventsAreKeptOpen(t *testing.T) {
	t.Parallel()
	s := local(t)
	web := httptest.NewServer(s.Handler())
	defer web.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", web.URL+"/v1/jobs/j/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer smb_x")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	states, beats := 0, 0
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		switch {
		case strings.HasPrefix(lines.Text(), "event: progress"):
			states++
		case lines.Text() == ": still here":
			if beats++; beats == 3 {
				s.Stop()
			}
		}
	}
	if err := lines.Err(); err != nil || states != 1 || beats < 3 {
		t.Errorf("%d states, %d heartbeats, %v", states, beats, err)
	}
}

// TestHosts asks a local service by many names.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := local(t)
	for host, want := range map[string]int{"localhost": 200, "LOCALHOST:80": 200, "127.0.0.1:1": 200, "127.8.8.8": 200, "[::1]": 200, "lab.example": 200,
		"": 403, "evil.example": 403, "lab.example.evil.example": 403, "localhost.evil.example": 403, "0.0.0.0": 403, "192.168.1.1:80": 403} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d, want %d", host, w.Code, want)
		}
	}
}
