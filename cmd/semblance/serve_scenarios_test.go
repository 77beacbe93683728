package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/store"
)

// unmentionable is what no answer may hold: paths, statements, stacks, names of
// uploaded files.
func unmentionable(data string) []string {
	return []string{data, "SELECT", "goroutine ", ".go:", "secret-name", "/secret/", "semblance.db"}
}

// TestServeScenarios asks every kind of route as every role.
func TestServeScenarios(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	id := s.upload("E1", sentFile{"bona.jpg", "face bona-2"}, sentFile{"known.bin", "known file"})
	if j := s.finished(id); j["state"] != "done" {
		t.Fatalf("job %v", j)
	}
	s.command(0, "case", "set", "A/1", "--time-zone", "Asia/Kathmandu")
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("face bona-2")))
	const j, text = "application/json", "text/plain"
	for _, tt := range []struct {
		name, method, path, contentType, body string
		status                                int // with a good token
		want                                  string
	}{
		{"cases", "GET", "/v1/cases", "", "", 200, `"A/1"`},
		{"a case", "GET", "/v1/cases/A%2F1", "", "", 200, `"purpose":"test"`},
		{"no such case", "GET", "/v1/cases/B", "", "", 404, `"code":"not-found"`},
		{"case twice", "POST", "/v1/cases", j, `{"number":"A/1","agency":"a","country":"NL","purpose":"p","basis":"b"}`, 409, `"code":"conflict"`},
		{"case without country", "POST", "/v1/cases", j, `{"number":"secret-name","agency":"a","purpose":"p","basis":"b"}`, 422, `"code":"invalid"`},
		{"case with a wrong country", "POST", "/v1/cases", j, `{"number":"C","agency":"a","country":"12","purpose":"p","basis":"b"}`, 400, `"hint"`},
		{"case with an unknown property", "POST", "/v1/cases", j, `{"secret-name":1,"number":"C","agency":"a","country":"NL","purpose":"p","basis":"b"}`, 422, `a property that is not known`},
		{"case with a wrong time zone", "POST", "/v1/cases", j, `{"number":"C","agency":"a","country":"NL","purpose":"p","basis":"b","time_zone":"+02:00"}`, 400, `"hint"`},
		{"case of broken JSON", "POST", "/v1/cases", j, `{"secret-name`, 400, `"code":"invalid"`},
		{"case that is no JSON", "POST", "/v1/cases", "text/csv", `secret-name`, 415, `"code":"media-unsupported"`},
		{"case over a megabyte", "POST", "/v1/cases", j, `{"number":"` + strings.Repeat("x", 1<<20) + `"}`, 413, `"limit":1048576`},
		{"change a case", "PATCH", "/v1/cases/A%2F1", j, `{"threat_to_life":true}`, 200, `"threat_to_life":true,"time_zone":"Asia/Kathmandu"`},
		{"change it back", "PATCH", "/v1/cases/A%2F1", j, `{"threat_to_life":false,"time_zone":"Asia/Kathmandu"}`, 200, `"time_zone":"Asia/Kathmandu"`},
		{"change nothing of a case", "PATCH", "/v1/cases/A%2F1", j, `{}`, 400, `nothing is to be set`},
		{"change a case to no zone there is", "PATCH", "/v1/cases/A%2F1", j, `{"time_zone":"Mars/Base"}`, 400, `"hint"`},
		{"change what a case cannot change", "PATCH", "/v1/cases/A%2F1", j, `{"number":"secret-name"}`, 422, `a property that is not known`},
		{"change no case", "PATCH", "/v1/cases/none", j, `{"threat_to_life":true}`, 404, `"code":"not-found"`},
		{"selectors", "GET", "/v1/cases/A%2F1/selectors", "", "", 200, `"selectors":[`},
		{"selectors of a kind", "GET", "/v1/cases/A%2F1/selectors?kind=wallet&exhibit=E1", "", "", 200, `"selectors":[],"total":0`},
		{"selectors of no kind", "GET", "/v1/cases/A%2F1/selectors?kind=secret-name", "", "", 400, `"hint"`},
		{"selectors of no case", "GET", "/v1/cases/none/selectors", "", "", 404, `"code":"not-found"`},
		{"links", "GET", "/v1/links?case=A%2F1&kind=same%20media&kind=selector", "", "", 200, `"cases":["A/1"],"exhibits":1,"links":[]`},
		{"links of everything", "GET", "/v1/links?all=true", "", "", 200, `"links":[`},
		{"links of nothing", "GET", "/v1/links", "", "", 400, `"code":"invalid"`},
		{"links of no kind", "GET", "/v1/links?all=true&kind=friendship", "", "", 400, `"code":"invalid"`},
		{"links by overlap", "GET", "/v1/links?all=true&kind=near%20video&overlap=1.5", "", "", 200, `"links":[`},
		{"links by no overlap", "GET", "/v1/links?all=true&overlap=-1", "", "", 422, `"code":"invalid"`},
		{"links of no case", "GET", "/v1/links?case=none", "", "", 404, `"code":"not-found"`},
		{"exhibits", "GET", "/v1/cases/A%2F1/exhibits", "", "", 200, `"source":"upload"`},
		{"items", "GET", "/v1/cases/A%2F1/items", "", "", 200, `"path":"bona.jpg"`},
		{"items in the zone of the case", "GET", "/v1/cases/A%2F1/items", "", "", 200, `+05:45"`},
		{"items of a wrong page", "GET", "/v1/cases/A%2F1/items?after=%21", "", "", 400, `"code":"invalid"`},
		{"too many items", "GET", "/v1/cases/A%2F1/items?limit=100000", "", "", 422, `"pointer":"query.limit"`},
		{"hits", "GET", "/v1/cases/A%2F1/hits", "", "", 200, `"note":"a note"`},
		{"near matches", "GET", "/v1/cases/A%2F1/near-matches", "", "", 200, `"findings":[]`},
		{"candidates", "GET", "/v1/cases/A%2F1/candidates", "", "", 200, `"band":"not calibrated"`},
		{"candidates of another collection", "GET", "/v1/cases/A%2F1/candidates?collection=known", "", "", 200, `"findings":[]`},
		{"contradictions", "GET", "/v1/cases/A%2F1/contradictions", "", "", 200, `"findings":[]`},
		{"known-good", "GET", "/v1/cases/A%2F1/known-good", "", "", 200, `"findings":[]`},
		{"media", "GET", "/v1/cases/A%2F1/media/" + sum, "", "", 200, `"pdq":"`},
		{"media of no case", "GET", "/v1/cases/A%2F1/media/" + strings.Repeat("0", 64), "", "", 404, `"code":"not-found"`},
		{"media that is none", "GET", "/v1/cases/A%2F1/media/" + strings.Repeat("g", 64), "", "", 400, `"code":"invalid"`},
		{"requests", "GET", "/v1/cases/A%2F1/requests", "", "", 200, `"requests":[`},
		{"thumbnail", "GET", "/v1/media/" + sum + "/thumbnail?case=A%2F1", "", "", 200, "\xff\xd8\xff"},
		{"thumbnail without a case", "GET", "/v1/media/" + sum + "/thumbnail", "", "", 400, `"code":"invalid"`},
		{"thumbnail of another case's media", "GET", "/v1/media/" + strings.Repeat("0", 64) + "/thumbnail?case=A%2F1", "", "", 404, `"code":"not-found"`},
		{"face crop", "GET", "/v1/media/" + sum + "/faces/0/crop?case=A%2F1", "", "", 200, "\xff\xd8\xff"},
		{"no such face", "GET", "/v1/media/" + sum + "/faces/9/crop?case=A%2F1", "", "", 404, `"code":"not-found"`},
		{"no such reference", "GET", "/v1/references/x/crop?case=A%2F1", "", "", 404, `"code":"not-found"`},
		{"a screenful", "POST", "/v1/cases/A%2F1/pictures", j, `{"pictures":[{"kind":"thumbnail","media":"` + sum + `"}]}`, 200, `"jpeg":"`},
		{"an empty screenful", "POST", "/v1/cases/A%2F1/pictures", j, `{"pictures":[]}`, 422, `"code":"invalid"`},
		{"engines", "GET", "/v1/engines", "", "", 200, `"limits":"Weaker on children`},
		{"collections", "GET", "/v1/collections", "", "", 200, `"wanted"`},
		{"a collection", "GET", "/v1/collections/wanted", "", "", 200, `"subjects":2`},
		{"no such collection", "GET", "/v1/collections/none", "", "", 404, `"code":"not-found"`},
		{"a calibration of two", "POST", "/v1/collections/wanted/calibration", "", "", 200, `"why":"2 subjects with probes of that quality, at least 50 are needed"`},
		{"the calibration", "GET", "/v1/collections/wanted/calibration", "", "", 200, `"closest":[{"subject_a":`},
		{"calibration of hashes", "POST", "/v1/collections/known/calibration", "", "", 400, `"code":"invalid"`},
		{"no calibration", "GET", "/v1/collections/known/calibration", "", "", 404, `"code":"not-found"`},
		{"calibration of no collection", "POST", "/v1/collections/none/calibration", "", "", 404, `"code":"not-found"`},
		{"collection of selectors", "POST", "/v1/collections", j, `{"name":"x","kind":"selectors","owner":"o","country":"NL","basis":"b"}`, 201, `"kind":"selectors"`},
		{"enroll two faces", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "faces a b", 422, `"code":"face-count"`},
		{"enroll no picture", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "text", 415, `"code":"media-unsupported"`},
		{"enroll nothing", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "", 400, `"code":"invalid"`},
		{"enroll nobody", "POST", "/v1/collections/wanted/references", "image/jpeg", "face x", 400, `"code":"invalid"`},
		{"enroll into hashes", "POST", "/v1/collections/known/references?subject=x", "image/jpeg", "face x", 400, `"code":"invalid"`},
		{"enroll what breaks the analyzer", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "panic", 500, `"code":"internal"`},
		{"enroll with a date", "POST", "/v1/collections/wanted/references?subject=ann&captured=2019-05&age=9&note=n", "image/jpeg", "face ann", 201, `"captured":"2019-05","captured_from":"stated","age_at_capture":9,"note":"n"`},
		{"enroll a child", "POST", "/v1/collections/wanted/references?subject=ann&age=9", "image/jpeg", "face ann-2", 201, `"reliability":["child by declared age (9)"]`},
		{"enroll somebody else's picture", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "face bona", 422, `"rule":"another subject"`},
		{"enroll with a warning", "POST", "/v1/collections/wanted/references?subject=y", "image/jpeg", "face bona-9", 201, `"warnings":["possible double enrollment`},
		{"enroll from the future", "POST", "/v1/collections/wanted/references?subject=x&captured=2999", "image/jpeg", "face x", 400, `lies in the future`},
		{"enroll a very old person", "POST", "/v1/collections/wanted/references?subject=x&age=200", "image/jpeg", "face x", 400, `"code":"invalid"`},
		{"raise the gate", "PATCH", "/v1/collections/wanted", j, `{"enroll_quality":45}`, 200, `"enroll_quality":45`},
		{"a gate too low", "PATCH", "/v1/collections/wanted", j, `{"enroll_quality":5}`, 400, `"code":"invalid"`},
		{"a gate of hashes", "PATCH", "/v1/collections/known", j, `{"enroll_quality":45}`, 400, `"code":"invalid"`},
		{"enroll below the gate", "POST", "/v1/collections/wanted/references?subject=x", "image/jpeg", "poor x", 422, `"gate":{"refusals":[{"rule":"quality","reason":"quality 30 of 100, 45 is needed (blurred)`},
		{"override without a reason", "POST", "/v1/collections/wanted/references?subject=x&force=true", "image/jpeg", "poor x", 400, `"code":"invalid"`},
		{"override", "POST", "/v1/collections/wanted/references?subject=x&force=true&reason=the+only+one", "image/jpeg", "poor x", 201, `"why":"the only one"`},
		{"references", "GET", "/v1/collections/wanted/references?limit=2", "", "", 200, `"next":"`},
		{"references of hashes", "GET", "/v1/collections/known/references", "", "", 400, `"code":"invalid"`},
		{"references of nothing", "GET", "/v1/collections/none/references", "", "", 404, `"code":"not-found"`},
		{"remove a subject", "DELETE", "/v1/collections/wanted/references?subject=ann", "", "", 200, `"before":7,"after":0,"originals":2,"references":["`},
		{"remove it again", "DELETE", "/v1/collections/wanted/references?subject=ann", "", "", 404, `"code":"not-found"`},
		{"remove a reference that is not there", "DELETE", "/v1/collections/wanted/references?reference=00ff", "", "", 404, `"code":"not-found"`},
		{"remove nothing", "DELETE", "/v1/collections/wanted/references", "", "", 400, `"code":"invalid"`},
		{"reenroll hashes", "POST", "/v1/collections/known/reenrollment", j, `{"engine":"yunet-dlib"}`, 400, `"code":"invalid"`},
		{"reenroll with magic", "POST", "/v1/collections/wanted/reenrollment", j, `{"engine":"magic"}`, 400, `"code":"invalid"`},
		{"give up what is not begun", "DELETE", "/v1/collections/wanted/reenrollment", "", "", 404, `"code":"not-found"`},
		{"import", "POST", "/v1/collections/known/hashes?source=l", text, "zz\n" + strings.Repeat("ab", 16) + "\n", 200, `"added":1`},
		{"import without a name", "POST", "/v1/collections/known/hashes", text, "x", 400, `"code":"invalid"`},
		{"import of a wrong format", "POST", "/v1/collections/known/hashes?source=l&format=secret-name", text, "x", 400, `"code":"invalid"`},
		{"search", "POST", "/v1/cases/A%2F1/searches?against=wanted", "image/jpeg", "face bona-1", 200, `"outcome":"potential candidate"`},
		{"search without a face", "POST", "/v1/cases/A%2F1/searches?against=wanted", "image/jpeg", "face", 200, `"outcome":"inconclusive"`},
		{"search of nothing", "POST", "/v1/cases/A%2F1/searches", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search in hashes", "POST", "/v1/cases/A%2F1/searches?against=known", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search for faces smaller than there are", "POST", "/v1/cases/A%2F1/searches?against=wanted&min_face=3", "image/jpeg", "face bona", 400, `"the smallest face to look for cannot be 3 pixels`},
		{"search with a score over 1", "POST", "/v1/cases/A%2F1/searches?against=wanted&min_score=70", "image/jpeg", "face bona", 400, `"the detector's least score cannot be 70`},
		{"upload with a smallest face that is no number", "POST", "/v1/cases/A%2F1/uploads?exhibit=E9&against=wanted&min_face=small", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search of chosen faces together", "POST", "/v1/cases/A%2F1/searches?against=wanted&face=0,1&together=true", "image/jpeg", "faces bona-1 joy-1", 200, `"together_in":["wanted"]`},
		{"search of a face that is not there", "POST", "/v1/cases/A%2F1/searches?against=wanted&face=3", "image/jpeg", "face bona", 422, `"code":"face-count"`},
		{"search of a face that is no number", "POST", "/v1/cases/A%2F1/searches?against=wanted&face=left", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search in another country", "POST", "/v1/cases/A%2F1/searches?against=wanted&country=BE", "image/jpeg", "face bona", 400, `none of the collections named is of BE`},
		{"search in dates the wrong way round", "POST", "/v1/cases/A%2F1/searches?against=wanted&captured_from=2020&captured_to=2019", "image/jpeg", "face bona", 400, `before they begin`},
		{"search with undated perhaps", "POST", "/v1/cases/A%2F1/searches?against=wanted&undated=perhaps", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search together perhaps", "POST", "/v1/cases/A%2F1/searches?against=wanted&together=perhaps", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"search ranked again by no engine", "POST", "/v1/cases/A%2F1/searches?against=wanted&rerank=eigenfaces", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"fused search of one picture", "POST", "/v1/cases/A%2F1/fused-searches?against=wanted&name=a.jpg", "image/jpeg", "face bona", 400, `takes 2 to 100 pictures`},
		{"fused search of nothing", "POST", "/v1/cases/A%2F1/fused-searches?against=wanted", "image/jpeg", "", 400, `"code":"invalid"`},
		{"fused search of no case", "POST", "/v1/cases/none/fused-searches?against=wanted", "image/jpeg", "face bona", 404, `"code":"not-found"`},
		{"fused search of a face of no picture", "POST", "/v1/cases/A%2F1/fused-searches?against=wanted&face=b.jpg:0&name=a.jpg", "image/jpeg", "face bona", 400, `does not name a picture`},
		{"sheet of one picture", "POST", "/v1/cases/A%2F1/sheets?against=wanted&name=p.jpg", "image/jpeg", "face bona-1", 200, `"reference":"p","probe":"p.jpg"`},
		{"sheet of nothing", "POST", "/v1/cases/A%2F1/sheets?against=wanted", "image/jpeg", "", 400, `"code":"invalid"`},
		{"sheet in nothing", "POST", "/v1/cases/A%2F1/sheets", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"sheet of a list without columns", "POST", "/v1/cases/A%2F1/sheets?against=wanted&name=probes.csv", "text/csv", "a,b\n", 400, `has no column path`},
		{"search with a wrong number", "POST", "/v1/cases/A%2F1/searches?against=wanted&distance=near", "image/jpeg", "face bona", 400, `"code":"invalid"`},
		{"lookup", "POST", "/v1/cases/A%2F1/lookups?against=known", text, fmt.Sprintf("%x\nnothing\n", sha256.Sum256([]byte("known file"))), 200, `"kind":"hit"`},
		{"lookup in faces", "POST", "/v1/cases/A%2F1/lookups?against=wanted", text, "x", 400, `"code":"invalid"`},
		{"lookup in nothing", "POST", "/v1/cases/A%2F1/lookups", text, "x", 400, `"code":"invalid"`},
		{"lookup of no case", "POST", "/v1/cases/none/lookups?against=known", text, "x", 404, `"code":"not-found"`},
		{"upload to a label that is there", "POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=E1", "image/jpeg", "face x", 409, `"code":"conflict"`},
		{"upload without a label", "POST", "/v1/cases/A%2F1/uploads?against=wanted", "image/jpeg", "face x", 400, `"code":"invalid"`},
		{"upload of nothing", "POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=E9", "image/jpeg", "", 400, `"code":"invalid"`},
		{"upload of a broken form", "POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=E9", "multipart/form-data; boundary=x", "--x\r\nsecret-name", 400, `"code":"invalid"`},
		{"upload of no case", "POST", "/v1/cases/none/uploads?against=wanted&exhibit=E9", "image/jpeg", "face x", 404, `"code":"not-found"`},
		{"scan where nothing is permitted", "POST", "/v1/cases/A%2F1/scans", j, `{"exhibit":"S1","path":"/etc","against":["known"]}`, 403, `"code":"forbidden"`},
		{"scan without a label", "POST", "/v1/cases/A%2F1/scans", j, `{"path":"a","against":["known"]}`, 422, `expected required property exhibit`},
		{"pause no job", "POST", "/v1/jobs/none/pause", "", "", 404, `"code":"not-found"`},
		{"pause what has ended", "POST", "/v1/jobs/" + id + "/pause", "", "", 409, `the job is done already`},
		{"resume what has ended", "POST", "/v1/jobs/" + id + "/resume", "", "", 409, `the job is done already`},
		{"jobs", "GET", "/v1/jobs?case=A%2F1", "", "", 200, `"state":"done"`},
		{"a job", "GET", "/v1/jobs/" + id, "", "", 200, `"candidates":1`},
		{"no such job", "GET", "/v1/jobs/none", "", "", 404, `"code":"not-found"`},
		{"events of no job", "GET", "/v1/jobs/none/events", "", "", 404, `"code":"not-found"`},
		{"cancel what has ended", "POST", "/v1/jobs/" + id + "/cancel", "", "", 409, `"code":"conflict"`},
		{"report", "GET", "/v1/cases/A%2F1/report?format=jsonl", "", "", 200, `"event":"hit"`},
		{"report for people", "GET", "/v1/cases/A%2F1/report", "", "", 200, `<html`},
		{"report of a wrong format", "GET", "/v1/cases/A%2F1/report?format=secret-name", "", "", 400, `"code":"invalid"`},
		{"report of no case", "GET", "/v1/cases/none/report", "", "", 404, `"code":"not-found"`},
		{"metrics", "GET", "/metrics", "", "", 200, `semblance_jobs{state="done"} `},
		{"nothing", "GET", "/v1/nothing", "", "", 404, `"code":"not-found"`},
		{"a wrong method", "DELETE", "/v1/cases", "", "", 405, `"code":"invalid"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, token := range []string{"", "smb_wrong", s.token} {
				r := s.as(token, tt.method, tt.path, tt.contentType, strings.NewReader(tt.body))
				status, want := tt.status, tt.want
				if token != s.token {
					status, want = 401, `"code":"unauthenticated"`
				}
				limited := token == "smb_wrong" && r.status == 429 && r.header.Get("Retry-After") != ""
				if !limited && (r.status != status || !strings.Contains(r.body, want)) {
					t.Errorf("token %q: status %d, want %d; body %.600s\nwants %s", token, r.status, status, r.body, want)
				}
				if r.status >= 400 && r.header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("token %q: the problem is %s", token, r.header.Get("Content-Type"))
				}
				for _, word := range unmentionable(s.data) {
					if strings.Contains(r.body, word) {
						t.Errorf("token %q: the answer has %q: %.600s", token, word, r.body)
					}
				}
			}
		})
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
	if report, err := s.prog.store.VerifyAudit(t.Context()); err != nil || !report.OK {
		t.Errorf("audit chain: %+v, %v", report, err)
	}
}

// TestServeSelectorsAndLinks: over HTTP there is what the commands tell, in pages, and who
// looked or changed something is in the audit chain.
func TestServeSelectorsAndLinks(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	for label, files := range map[string][]sentFile{"E1": {{"from kim@example.net.jpg", "face bona-2"}, {"lee@example.net.bin", "a file"}}, "E2": {{"to kim@example.net.bin", "another file"}, {"c.jpg", "face bona-2"}}} {
		if j := s.finished(s.upload(label, files...)); j["state"] != "done" {
			t.Fatalf("job %v", j)
		}
	}
	type page struct {
		Selectors   []struct{ Kind, Value string }
		Total, Next int
	}
	var first, second, ofOne page
	s.ok("GET", "/v1/cases/A%2F1/selectors?kind=email&limit=1", "", nil, &first)
	s.ok("GET", fmt.Sprintf("/v1/cases/A%%2F1/selectors?kind=email&limit=1&after=%d", first.Next), "", nil, &second)
	s.ok("GET", "/v1/cases/A%2F1/selectors?kind=email&exhibit=E2", "", nil, &ofOne)
	if first.Total != 2 || first.Next != 1 || second.Next != 0 || first.Selectors[0].Value != "kim@example.net" || second.Selectors[0].Value != "lee@example.net" || ofOne.Total != 1 {
		t.Errorf("%+v\n%+v\n%+v", first, second, ofOne)
	}
	var l struct {
		Exhibits, Total int
		Links           []struct {
			Kind, Value string
			Exhibits    []struct{ Exhibit string }
		}
		Pairs []struct{ Shared int }
	}
	s.ok("GET", "/v1/links?case=A%2F1&kind=same%20media&kind=selector&limit=1", "", nil, &l)
	if l.Exhibits != 2 || l.Total != 2 || len(l.Links) != 1 || l.Links[0].Kind != "same media" || len(l.Links[0].Exhibits) != 2 || len(l.Pairs) != 1 || l.Pairs[0].Shared != 2 {
		t.Errorf("%+v", l)
	}
	s.ok("PATCH", "/v1/cases/A%2F1", "application/json", strings.NewReader(`{"time_zone":"Asia/Tokyo"}`), nil)
	audit := s.command(0, "audit", "list", "--json")
	for _, action := range []string{"selector.list", "links", "case.set"} {
		if !strings.Contains(audit, `"actor":{"name":"bootstrap","via":"api"},"action":"`+action+`","case":"A/1"`) {
			t.Errorf("%s is not in the audit chain:\n%s", action, audit)
		}
	}
}

// TestServeOpenRoutes asks what needs no token.
func TestServeOpenRoutes(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	for path, want := range map[string]string{"/": `<script src="/app.js"`, "/app.js": "'use strict'", "/style.css": "filter: blur", "/healthz": `{"status":"ok"}`, "/problems/not-found": "What to do", "/openapi.json": `"3.1.0"`} {
		r := s.as("", "GET", path, "", nil)
		if r.status != 200 || !strings.Contains(r.body, want) {
			t.Errorf("%s: status %d, body %.200s", path, r.status, r.body)
		}
		if csp := r.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || r.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, r.header)
		}
		if r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets other origins read", path)
		}
	}
	for _, code := range semblance.Codes() {
		if r := s.as("", "GET", "/problems/"+string(code), "", nil); r.status != 200 {
			t.Errorf("the page of %s has status %d", code, r.status)
		}
	}
	if r := s.as("", "GET", "/problems/..%2f..%2fREADME", "", nil); r.status != 404 {
		t.Errorf("a page outside of the problems: status %d", r.status)
	}
}

// TestServeRefusesForeignHosts holds DNS rebinding off.
func TestServeRefusesForeignHosts(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	for host, want := range map[string]int{"evil.example": 403, "evil.example:8080": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403, "localhost:1": 200, "[::1]:1": 200, "127.0.0.1": 200} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/cases", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Authorization", "Bearer "+s.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("host %q: status %d, want %d", host, res.StatusCode, want)
		}
	}
}

// TestServeLimitsUploads sends more than is allowed.
func TestServeLimitsUploads(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, func(c *config) { c.UploadBytes = 100_000 })
	s.furnish()
	big := strings.Repeat("secret-name ", 20_000)
	for name, send := range map[string]func() (string, io.Reader){
		"as the body":     func() (string, io.Reader) { return "image/jpeg", strings.NewReader(big) },
		"of unknown size": func() (string, io.Reader) { return "image/jpeg", io.MultiReader(strings.NewReader(big)) },
		"in several files": func() (string, io.Reader) {
			return multipartBody(t, sentFile{"a", big[:60_000]}, sentFile{"b", big[:60_000]})
		},
	} {
		ct, body := send()
		r := s.do("POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=big", ct, body)
		if r.status != 413 || !strings.Contains(r.body, `"code":"media-too-large"`) || !strings.Contains(r.body, `"limit":100000`) || strings.Contains(r.body, "secret-name") {
			t.Errorf("%s: status %d: %s", name, r.status, r.body)
		}
		if left := s.spooled(); len(left) != 0 {
			t.Errorf("%s: the spool has %v left", name, left)
		}
	}
	ct, body := "image/jpeg", strings.NewReader(big)
	if r := s.do("POST", "/v1/cases/A%2F1/searches?against=wanted", ct, body); r.status != 413 || !strings.Contains(r.body, `"limit":100000`) {
		t.Errorf("a search: status %d: %s", r.status, r.body)
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}

// TestServeUploadNames sends names that try to leave the spool.
func TestServeUploadNames(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	id := s.upload("names", sentFile{"../../escape.jpg", "face a"}, sentFile{`..\..\escape.jpg`, "face b"}, sentFile{"/etc/passwd", "face c"}, sentFile{"..", "face d"},
		sentFile{".hidden", "face e"}, sentFile{"na\u202eme.jpg", "face f"}, sentFile{strings.Repeat("l", 400) + ".jpg", "face g"})
	if j := s.finished(id); j["state"] != "done" {
		t.Fatalf("job %v", j)
	}
	var page struct {
		Items []struct{ Item struct{ Path, Status string } }
	}
	s.ok("GET", "/v1/cases/A%2F1/items?exhibit=names", "", nil, &page)
	var got []string
	for _, i := range page.Items {
		got = append(got, i.Item.Path)
		if i.Item.Status != "new" {
			t.Errorf("%q is %s", i.Item.Path, i.Item.Status)
		}
	}
	want := []string{"escape (2).jpg", "escape.jpg", "file", "hidden", strings.Repeat("l", 196) + ".jpg", "na_me.jpg", "passwd"}
	if !slices.Equal(got, want) {
		t.Errorf("paths %q, want %q", got, want)
	}
	entries, err := os.ReadDir(filepath.Dir(s.data))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "escape") {
			t.Errorf("a file left the spool: %s", e.Name())
		}
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}

// TestServeLooksUpManyHashes sends fifty thousand hashes while it reads the answers
// slowly, and once everything before it reads anything, as most clients do.
func TestServeLooksUpManyHashes(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	const n = 50_000
	known := fmt.Sprintf("%x", sha256.Sum256([]byte("known file")))
	query := func(i int) string {
		if i%1000 == 7 {
			return known
		}
		return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))
	}
	t.Run("slow reader", func(t *testing.T) {
		pr, pw := io.Pipe()
		go func() {
			w := bufio.NewWriter(pw)
			for i := range n {
				fmt.Fprintln(w, query(i))
			}
			pw.CloseWithError(w.Flush())
		}()
		res := s.lookup(t, pr)
		defer res.Body.Close()
		lines := bufio.NewScanner(iotestSlow{res.Body})
		i := 0
		for ; lines.Scan(); i++ {
			checkAnswer(t, lines.Bytes(), i, query(i), i%1000 == 7)
		}
		if err := lines.Err(); err != nil || i != n {
			t.Fatalf("%d answers, %v", i, err)
		}
		for name, want := range map[string]string{"Semblance-Lines": "50000", "Semblance-Found": "50", "Semblance-Bad": "0", "Semblance-Complete": "true"} {
			if got := res.Trailer.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	})
	t.Run("answers come before the end", func(t *testing.T) {
		pr, pw := io.Pipe()
		go func() {
			for i := range 1024 {
				fmt.Fprintln(pw, query(i))
			}
		}()
		res := s.lookup(t, pr) // returns when the headers are there, with the body still open
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for i := range 1024 {
			if !lines.Scan() {
				t.Fatalf("the answers ended after %d: %v", i, lines.Err())
			}
			checkAnswer(t, lines.Bytes(), i, query(i), i%1000 == 7)
		}
		pw.Close()
		if lines.Scan() {
			t.Errorf("one answer too many: %s", lines.Text())
		}
	})
}

// iotestSlow reads a little at a time.
type iotestSlow struct{ io.Reader }

func (r iotestSlow) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 700)]) }

func (s *service) lookup(t *testing.T, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/cases/A%2F1/lookups?against=known", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "text/plain")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 {
		b, _ := io.ReadAll(res.Body)
		t.Fatalf("status %d: %s", res.StatusCode, b)
	}
	return res
}

func checkAnswer(t *testing.T, line []byte, i int, query string, known bool) {
	t.Helper()
	var a semblance.LookupResult
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatalf("answer %d: %v: %s", i, err, line)
	}
	if a.Line != i+1 || a.Query != query || (a.Collection == "known") != known {
		t.Fatalf("answer %d is %s, want line %d of %s, known %v", i, line, i+1, query, known)
	}
}

// TestServeTokenRotation rotates the first token while the service runs.
func TestServeTokenRotation(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startService(t, data, &fakeAnalyzer{}, nil)
	info, err := os.Stat(filepath.Join(data, bootstrapFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the first token's file: %v, %v", info, err)
	}
	if log, err := os.ReadFile(s.log.Name()); err != nil || strings.Count(string(log), s.token) != 1 {
		t.Errorf("the first token is not shown exactly once (%v)", err)
	}
	if r := s.do("GET", "/v1/cases", "", nil); r.status != 200 {
		t.Fatalf("the first token: status %d", r.status)
	}
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	code := run(t.Context(), []string{"token", "rotate", "bootstrap"}, streams{in: os.Stdin, out: out, err: s.log, cwd: data, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + data}})
	if code != exitDone {
		t.Fatalf("rotate ended with %d", code)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if r := s.do("GET", "/v1/cases", "", nil); r.status != 401 {
		t.Errorf("the old token: status %d", r.status)
	}
	next := strings.TrimSpace(string(b))
	if r := s.as(next, "GET", "/v1/cases", "", nil); r.status != 200 {
		t.Errorf("the new token: status %d", r.status)
	}
	s.stop()
	again := startService(t, data, &fakeAnalyzer{}, nil)
	if again.token != "" {
		t.Error("the file of the rotated token is still there after a restart")
	}
	if r := again.as(next, "GET", "/v1/cases", "", nil); r.status != 200 {
		t.Errorf("the new token after a restart: status %d", r.status)
	}
}

// TestServeWrongTokensAreSlowedDown sends many, and a right one in between.
func TestServeWrongTokensAreSlowedDown(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	limited := 0
	for i := range 30 {
		r := s.as(fmt.Sprintf("smb_%d", i), "GET", "/v1/cases", "", nil)
		if r.status == 429 && r.header.Get("Retry-After") != "" && strings.Contains(r.body, `"retry_after":`) {
			limited++
		} else if r.status != 401 || i >= 10 {
			t.Errorf("attempt %d: status %d", i, r.status)
		}
	}
	if limited != 20 {
		t.Errorf("%d of 30 were limited, want 20", limited)
	}
	if r := s.do("GET", "/v1/cases", "", nil); r.status != 200 {
		t.Errorf("the right token: status %d: nobody may be locked out", r.status)
	}
}

// TestServeJobs follows, cancels and resumes jobs.
func TestServeJobs(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	fake := &fakeAnalyzer{slow: make(chan struct{}), seen: make(chan struct{}, 10)}
	s := startService(t, data, fake, nil)
	s.furnish()
	first := s.upload("first", sentFile{"a.jpg", "face bona-1"}, sentFile{"b.jpg", "slow 1"})
	<-fake.seen // it runs
	second := s.upload("second", sentFile{"c.jpg", "face joy-1"})
	canceled := s.upload("third", sentFile{"d.jpg", "face joy-2"})
	if r := s.do("POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=second", "image/jpeg", strings.NewReader("face x")); r.status != 409 {
		t.Errorf("a label that waits in the queue: status %d", r.status)
	}
	s.ok("POST", "/v1/jobs/"+canceled+"/cancel", "", nil, nil)
	if j := s.finished(canceled); j["state"] != "canceled" {
		t.Errorf("canceled: %v", j)
	}
	if n := len(s.spooled()); n != 2 {
		t.Errorf("%d uploads wait, want 2", n)
	}

	s.stop() // interrupts the first job
	for id, want := range map[string]store.JobState{first: store.JobQueued, second: store.JobQueued, canceled: store.JobCanceled} {
		st, err := store.Open(t.Context(), data, store.DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		j, err := st.Job(t.Context(), store.JobID(id))
		if err != nil || j.State != want {
			t.Errorf("job %s is %s (%v), want %s", id, j.State, err, want)
		}
		st.Close()
	}
	if err := os.MkdirAll(filepath.Join(data, "spool", "left-over"), 0o700); err != nil {
		t.Fatal(err)
	}

	close(fake.slow)
	s = startService(t, data, fake, nil)
	for _, id := range []string{first, second} {
		j := s.finished(id)
		if j["state"] != "done" {
			t.Errorf("after the restart: %v", j)
		}
	}
	if got := s.finished(first)["attempts"]; got != 2.0 {
		t.Errorf("the interrupted job was begun %v times, want 2", got)
	}
	var page struct{ Items []json.RawMessage }
	s.ok("GET", "/v1/cases/A%2F1/items?exhibit=first", "", nil, &page)
	if len(page.Items) != 2 {
		t.Errorf("%d items of the interrupted job, want 2", len(page.Items))
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}

// TestServeEvents reconnects to a job's events.
func TestServeEvents(t *testing.T) {
	t.Parallel()
	fake := &fakeAnalyzer{slow: make(chan struct{}), seen: make(chan struct{}, 1)}
	s := startService(t, t.TempDir(), fake, nil)
	s.furnish()
	id := s.upload("E", sentFile{"b.jpg", "slow 1"})
	<-fake.seen
	first := s.firstEvent(t, id)
	if first.name != "progress" || first.job["state"] != "running" || first.id == "" {
		t.Fatalf("the first event is %+v", first)
	}
	close(fake.slow)
	rest := s.events(id, first.id)
	if len(rest) == 0 || rest[len(rest)-1].name != "end" || rest[len(rest)-1].job["state"] != "done" {
		t.Fatalf("the rest is %+v", rest)
	}
	for _, ev := range rest {
		if ev.id == first.id {
			t.Errorf("a state that was seen came again: %+v", ev)
		}
	}
	if again := s.events(id, rest[len(rest)-1].id); len(again) != 1 || again[0].name != "end" {
		t.Errorf("the events of an ended job are %+v", again)
	}
}

// firstEvent reads one event and leaves.
func (s *service) firstEvent(t *testing.T, id string) event {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "" {
		b.WriteString(lines.Text() + "\n")
	}
	evs := parseEvents(t, b.String())
	if len(evs) != 1 {
		t.Fatalf("read %q", b.String())
	}
	return evs[0]
}

// TestServeCancelRunning cancels the running job.
func TestServeCancelRunning(t *testing.T) {
	t.Parallel()
	fake := &fakeAnalyzer{slow: make(chan struct{}), seen: make(chan struct{}, 1)}
	s := startService(t, t.TempDir(), fake, nil)
	s.furnish()
	id := s.upload("E", sentFile{"b.jpg", "slow 1"})
	<-fake.seen
	var j struct{ State string }
	s.ok("POST", "/v1/jobs/"+id+"/cancel", "", nil, &j)
	if j.State != "canceled" || len(s.spooled()) != 0 {
		t.Errorf("the job is %s, the spool has %v", j.State, s.spooled())
	}
}

// TestServeAuditsViews asserts that what was seen is in the chain.
func TestServeAuditsViews(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	s.finished(s.upload("E", sentFile{"a.jpg", "face bona-1"}))
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("face bona-1")))
	s.ok("POST", "/v1/cases/A%2F1/pictures", "application/json", strings.NewReader(`{"pictures":[{"kind":"thumbnail","media":"`+sum+`"},{"kind":"face","media":"`+sum+`"}]}`), nil)
	s.ok("GET", "/v1/cases/A%2F1/candidates", "", nil, nil)
	s.do("GET", "/v1/cases/A%2F1/report?format=jsonl", "", nil)
	events, err := s.prog.store.AuditEvents(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	views := 0
	for _, ev := range events {
		actions = append(actions, ev.Action)
		if detail := fmt.Sprint(ev.Detail); ev.Action == "view" && ev.Actor.Name == "bootstrap" && ev.Purpose == "test" && strings.Contains(detail, sum) {
			views++
		}
	}
	for _, want := range []string{"case.create", "collection.enroll", "upload", "scan.start", "scan.end", "view", "report"} {
		if !slices.Contains(actions, want) {
			t.Errorf("no event %s in %v", want, actions)
		}
	}
	if views != 2 {
		t.Errorf("%d views of the media are in the chain, want 2", views)
	}
}

// TestServeHealth asks the health command.
func TestServeHealth(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	addr := strings.TrimPrefix(s.url, "http://")
	if err := health(t.Context(), addr); err != nil {
		t.Errorf("a running service: %v", err)
	}
	s.stop()
	if err := health(t.Context(), addr); semblance.CodeOf(err) != semblance.Unavailable {
		t.Errorf("a stopped service: %v", err)
	}
}

// TestServePages reads lists one item a page and compares them with the whole, over
// two exhibits whose labels and paths sort in different ways.
func TestServePages(t *testing.T) {
	t.Parallel()
	s := startService(t, t.TempDir(), &fakeAnalyzer{}, nil)
	s.furnish()
	s.finished(s.upload("E2", sentFile{"a.jpg", "face bona-1"}, sentFile{"z.jpg", "face bona-2"}, sentFile{"m.jpg", "face stranger"}))
	s.finished(s.upload("E10", sentFile{"b.jpg", "face joy-1"}, sentFile{"y.jpg", "faces bona-3 joy-2"}))
	for list, want := range map[string]int{"items": 5, "candidates": 5} {
		for _, filter := range []string{"", "&exhibit=E2"} {
			whole := s.pages(list, filter+"&limit=500")
			if filter == "" && len(whole) != want {
				t.Errorf("%s: %d rows, want %d", list, len(whole), want)
			}
			for limit := 1; limit <= 3; limit++ {
				if got := s.pages(list, fmt.Sprintf("%s&limit=%d", filter, limit)); !slices.Equal(got, whole) {
					t.Errorf("%s%s by %d: %v, want %v", list, filter, limit, got, whole)
				}
			}
		}
	}
}

// pages follows a list to its end and names its rows.
func (s *service) pages(list, query string) (rows []string) {
	s.t.Helper()
	after := ""
	for range 100 {
		var page struct {
			Items []struct {
				Exhibit string
				Item    struct{ Path string }
			}
			Findings []struct {
				Exhibit, Path string
				Finding       struct {
					Face, Rank int
					Subject    string
				}
			}
			Next string
		}
		s.ok("GET", "/v1/cases/A%2F1/"+list+"?"+query+"&after="+after, "", nil, &page)
		for _, i := range page.Items {
			rows = append(rows, i.Exhibit+"/"+i.Item.Path)
		}
		for _, f := range page.Findings {
			rows = append(rows, fmt.Sprint(f))
		}
		if page.Next == "" {
			return rows
		}
		after = page.Next
	}
	s.t.Fatalf("%s has no end", list)
	return nil
}
