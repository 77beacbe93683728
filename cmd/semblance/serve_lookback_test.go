package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// TestServeLookback asks every route of look-backs as every role. An import over HTTP
// starts one by itself.
func TestServeLookback(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	const j, text = "application/json", "text/plain"
	for _, tt := range []struct {
		name, method, path, kind, body string
		status                         int // with a good token
		want                           string
	}{
		{"nothing is due", "GET", "/v1/lookbacks", j, "", 200, `"collections":[]`},
		{"no notices", "GET", "/v1/cases/A%2F1/notices", j, "", 200, `"notices":[]`},
		{"notices of a case that is not there", "GET", "/v1/cases/none/notices", j, "", 404, `"code":"not-found"`},
		{"a look-back", "POST", "/v1/lookbacks", j, "", 202, `"kind":"lookback"`},
	} {
		s.askAs(t, tt.name, tt.method, tt.path, tt.kind, tt.body, tt.status, tt.want)
	}
	if j := s.finished(s.upload("E1", sentFile{"a.jpg", "face ann"}, sentFile{"b.jpg", "face bob"})); j["state"] != "done" {
		t.Fatalf("job %v", j)
	}
	s.askAs(t, "import", "POST", "/v1/collections/known/hashes?source=list", text, fmt.Sprintf("sha256:%x\n", sha256.Sum256([]byte("face ann"))), 200, `"added":1`)
	s.settled(t)
	for _, tt := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string
	}{
		{"what was found", "GET", "/v1/cases/A%2F1/notices", j, "", 200, `"what":"new hit on old exhibit","kind":"hit"`},
		{"its finding", "GET", "/v1/cases/A%2F1/hits?collection=known", j, "", 200, `"path":"a.jpg"`},
		{"acknowledge nothing", "POST", "/v1/cases/A%2F1/notices/acknowledge", j, `{}`, 400, `either ids or all`},
		{"acknowledge what is not there", "POST", "/v1/cases/A%2F1/notices/acknowledge", j, `{"ids":[99]}`, 404, `"code":"not-found"`},
		{"acknowledge", "POST", "/v1/cases/A%2F1/notices/acknowledge", j, `{"ids":[1]}`, 200, `"acknowledged":1`},
		{"acknowledge the rest", "POST", "/v1/cases/A%2F1/notices/acknowledge", j, `{"all":true}`, 200, `"acknowledged":0`},
		{"no open notices", "GET", "/v1/cases/A%2F1/notices", j, "", 200, `"notices":[]`},
		{"all notices, a page", "GET", "/v1/cases/A%2F1/notices?all=true&limit=1", j, "", 200, `"next":1`},
		{"stacks", "GET", "/v1/cases/A%2F1/stacks", j, "", 200, `"gravest":"hit"`},
		{"a stack", "GET", "/v1/cases/A%2F1/stacks/" + fmt.Sprintf("%x", sha256.Sum256([]byte("face ann"))), j, "", 200, `"distance":0`},
		{"no such stack", "GET", "/v1/cases/A%2F1/stacks/" + strings.Repeat("0", 64), j, "", 404, `"code":"not-found"`},
		{"stacks too far apart", "GET", "/v1/cases/A%2F1/stacks?distance=32", j, "", 422, `"pointer":"query.distance"`},
		{"erase the collection", "DELETE", "/v1/collections/known", j, "", 200, `"after":0`},
	} {
		s.askAs(t, tt.name, tt.method, tt.path, tt.kind, tt.body, tt.status, tt.want)
	}
	s.settled(t)
	s.askAs(t, "what was withdrawn", "GET", "/v1/cases/A%2F1/notices", j, "", 200, `"what":"withdrawn"`)
	if report, err := s.prog.store.VerifyAudit(t.Context()); err != nil || !report.OK {
		t.Errorf("the audit chain: %+v, %v", report, err)
	}
}

// settled waits for the jobs that are there.
func (s *service) settled(t *testing.T) {
	t.Helper()
	jobs, err := s.prog.store.Jobs(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if done := s.finished(string(j.ID)); done["state"] != "done" {
			t.Errorf("job %v", done)
		}
	}
}

// askAs asks with no token, a wrong one and the right one.
func (s *service) askAs(t *testing.T, name, method, path, kind, body string, status int, want string) {
	t.Helper()
	for _, token := range []string{"", "smb_wrong", s.token} {
		r := s.as(token, method, path, kind, strings.NewReader(body))
		wantStatus, wantBody := status, want
		if token != s.token {
			wantStatus, wantBody = 401, `"code":"unauthenticated"`
		}
		limited := token == "smb_wrong" && r.status == 429
		if !limited && (r.status != wantStatus || !strings.Contains(r.body, wantBody)) {
			t.Errorf("%s, token %q: status %d, want %d; body %.900s\nwants %s", name, token, r.status, wantStatus, r.body, wantBody)
		}
		for _, word := range unmentionable(s.data) {
			if strings.Contains(r.body, word) {
				t.Errorf("%s, token %q: the answer has %q: %.600s", name, token, word, r.body)
			}
		}
	}
}
