package main

import (
	"strings"
	"testing"
)

// TestServeFusedSearch sends several pictures of one person.
func TestServeFusedSearch(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	var res struct {
		Request struct {
			Outcome  string
			Pictures []struct {
				Name    string
				LeftOut string `json:"left_out"`
			}
			Candidates []struct{ Subject string }
		}
	}
	ct, body := multipartBody(t, sentFile{"a.jpg", "face bona-1"}, sentFile{"b.jpg", "faces joy-1 bona-2"}, sentFile{"c.jpg", "face"}, sentFile{"d.jpg", "face bona-1"})
	s.ok("POST", "/v1/cases/A%2F1/fused-searches?against=wanted&face=b.jpg:1", ct, body, &res)
	q := res.Request
	if q.Outcome != "potential candidate" || len(q.Candidates) != 1 || q.Candidates[0].Subject != "bona" || len(q.Pictures) != 4 || q.Pictures[2].LeftOut == "" || q.Pictures[3].LeftOut != "the same picture as a.jpg" {
		t.Errorf("%+v", q)
	}
	ct, body = multipartBody(t, sentFile{"secret-name.jpg", "faces joy-1 bona-2"}, sentFile{"a.jpg", "face bona-1"})
	if r := s.do("POST", "/v1/cases/A%2F1/fused-searches?against=wanted", ct, body); r.status != 422 || strings.Contains(r.body, "secret-name") || !strings.Contains(r.body, "picture 2 by name: 2 faces were found") {
		t.Errorf("two faces: status %d: %s", r.status, r.body)
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}

// TestServeSheet sends probes with a list, one of which is not there and one broken.
func TestServeSheet(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	list := "path,reference,face\nb.jpg,R1,1\na.jpg,R2,\ngone.jpg,R3,\ntext.jpg,R4,\nx.jpg,R1,\n"
	ct, body := multipartBody(t, sentFile{"a.jpg", "face stranger-1"}, sentFile{"b.jpg", "faces stranger-1 bona-2"}, sentFile{"text.jpg", "text"}, sentFile{"unasked.jpg", "face joy"}, sentFile{"probes.csv", list})
	r := s.do("POST", "/v1/cases/A%2F1/sheets?against=wanted", ct, body)
	lines := strings.Split(strings.TrimSpace(r.body), "\n")
	if r.status != 200 || r.header.Get("Content-Type") != "application/x-ndjson" || len(lines) != 5 {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	for i, want := range []string{`"reference":"R1"`, `"reference":"R2"`, `no picture of that name was sent`, `"code":"media-unsupported"`, `"bad_lines":[{"line":6,`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d lacks %s: %s", i, want, lines[i])
		}
	}
	for i, want := range []string{`"outcome":"potential candidate"`, `"outcome":"no candidate"`, `"outcome":"inconclusive"`, `"outcome":"inconclusive"`, `"probes":4,"potential_candidate":1,"no_candidate":1,"inconclusive":2,"failed":2`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d lacks %s: %s", i, want, lines[i])
		}
	}
	var kept struct{ Requests []struct{ Reference string } }
	s.ok("GET", "/v1/cases/A%2F1/requests", "", nil, &kept)
	if len(kept.Requests) != 3 {
		t.Errorf("kept %+v", kept.Requests)
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}
