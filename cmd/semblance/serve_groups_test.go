package main

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// TestServeGroups asks every route of groups as every role, in the order of a day's work.
func TestServeGroups(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	if j := s.finished(s.upload("E1", sentFile{"a.jpg", "faces ann bob"}, sentFile{"b.jpg", "face ann-2"}, sentFile{"c.jpg", "face cid"})); j["state"] != "done" {
		t.Fatalf("job %v", j)
	}
	const j = "application/json"
	ann := fmt.Sprintf("%x:0", sha256.Sum256([]byte("faces ann bob")))
	for _, tt := range []struct {
		name, method, path, body string
		status                   int // with a good token
		want                     string
	}{
		{"groups before a run", "GET", "/v1/groups?case=A%2F1", "", 404, `never grouped together`},
		{"a run of no case", "POST", "/v1/groups/run", `{}`, 400, `no case was named`},
		{"a run of a case that is not there", "POST", "/v1/groups/run", `{"cases":["none"]}`, 404, `"code":"not-found"`},
		{"a run of an engine that is not there", "POST", "/v1/groups/run", `{"cases":["A/1"],"engine":"magic"}`, 400, `no face engine is named`},
		{"a run", "POST", "/v1/groups/run", `{"cases":["A/1"]}`, 200, `"faces":4`},
		{"a run with nothing new", "POST", "/v1/groups/run", `{"cases":["A/1"]}`, 200, `"faces":0`},
		{"a run at another distance", "POST", "/v1/groups/run", `{"cases":["A/1"],"distance":0.1}`, 409, `were grouped at distance 0.3500`},
		{"groups", "GET", "/v1/groups?case=A%2F1", "", 200, `"id":"g1","grouping":"s1","faces":2`},
		{"groups of a case named twice", "GET", "/v1/groups?case=A%2F1&case=A%2F1", "", 200, `"id":"g1"`},
		{"groups of all cases, never grouped", "GET", "/v1/groups?all=true", "", 404, `"code":"not-found"`},
		{"groups of several cases", "GET", "/v1/groups?case=A%2F1&cross_case=true", "", 200, `"groups":[]`},
		{"too many groups", "GET", "/v1/groups?case=A%2F1&limit=501", "", 422, `"pointer":"query.limit"`},
		{"a group", "GET", "/v1/groups/g1", "", 200, `"exhibit":"E1"`},
		{"no such group", "GET", "/v1/groups/g99", "", 404, `"code":"not-found"`},
		{"a group of an odd id", "GET", "/v1/groups/1%20OR%201", "", 404, `"code":"not-found"`},
		{"near groups", "GET", "/v1/near-groups?case=A%2F1", "", 200, `"near":[`},
		{"merge with itself", "POST", "/v1/groups/g1/merge", `{"from":"g1"}`, 400, `merged with itself`},
		{"split all", "POST", "/v1/groups/g3/split", `{"faces":["00000000:0"]}`, 400, `not in group`},
		{"split nothing", "POST", "/v1/groups/g1/split", `{"faces":[]}`, 422, `"code":"invalid"`},
		{"edits before any", "GET", "/v1/group-edits?case=A%2F1", "", 200, `"edits":[]`},
		{"split", "POST", "/v1/groups/g1/split", `{"faces":["` + ann + `"]}`, 200, `"kind":"split","from":"g1","to":"g4"`},
		{"split what is alone", "POST", "/v1/groups/g4/split", `{"faces":["` + ann + `"]}`, 400, `nothing would be left`},
		{"merge back", "POST", "/v1/groups/g1/merge", `{"from":"g4"}`, 200, `"kind":"merge"`},
		{"merge two of one picture", "POST", "/v1/groups/g1/merge", `{"from":"g2"}`, 409, `one picture`},
		{"undo what another rests on", "POST", "/v1/group-edits/e1/undo", "", 409, `Undo e2 first`},
		{"move", "POST", "/v1/groups/g1/move", `{"to":"g3","faces":["` + ann + `"]}`, 200, `"kind":"move"`},
		{"undo", "POST", "/v1/group-edits/e3/undo", "", 200, `"undone":"`},
		{"undo twice", "POST", "/v1/group-edits/e3/undo", "", 409, `undone already`},
		{"undo nothing", "POST", "/v1/group-edits/e99/undo", "", 404, `"code":"not-found"`},
		{"name", "POST", "/v1/groups/g1/name", `{"name":"Ann?","note":"seen twice"}`, 200, `"name":"Ann?"`},
		{"edits", "GET", "/v1/group-edits?case=A%2F1", "", 200, `"id":"e4"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, token := range []string{"", "smb_wrong", s.token} {
				r := s.as(token, tt.method, tt.path, j, strings.NewReader(tt.body))
				status, want := tt.status, tt.want
				if token != s.token {
					status, want = 401, `"code":"unauthenticated"`
				}
				limited := token == "smb_wrong" && r.status == 429
				if !limited && (r.status != status || !strings.Contains(r.body, want)) {
					t.Errorf("token %q: status %d, want %d; body %.900s\nwants %s", token, r.status, status, r.body, want)
				}
				for _, word := range unmentionable(s.data) {
					if strings.Contains(r.body, word) {
						t.Errorf("token %q: the answer has %q: %.600s", token, word, r.body)
					}
				}
			}
		})
	}
	if report, err := s.prog.store.VerifyAudit(t.Context()); err != nil || !report.OK {
		t.Errorf("the audit chain: %+v, %v", report, err)
	}
}
