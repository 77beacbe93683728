package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

// TestServeReenrollsBesideUploads moves a collection to another engine while it is
// searched and an upload is examined, ends the service in the middle, and lets the
// next one finish.
func TestServeReenrollsBesideUploads(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	fake := &fakeAnalyzer{slowEngine: semblance.YuNetDlib, slow: make(chan struct{}), seen: make(chan struct{}, 10)}
	s := startService(t, data, fake, nil)
	s.furnish()
	const j = "application/json"
	var job struct{ ID, Kind, Collection, Engine, State string }
	s.ok("POST", "/v1/collections/wanted/reenrollment", j, strings.NewReader(`{"engine":"yunet-dlib"}`), &job)
	if job.Kind != "reenroll" || job.Collection != "wanted" || job.Engine != "yunet-dlib" {
		t.Errorf("%+v", job)
	}
	<-fake.seen
	if r := s.do("POST", "/v1/collections/wanted/reenrollment", j, strings.NewReader(`{"engine":"yunet-dlib"}`)); r.status != 409 {
		t.Errorf("a second one: %d %s", r.status, r.body)
	}
	if r := s.do("DELETE", "/v1/collections/wanted/reenrollment", "", nil); r.status != 409 {
		t.Errorf("given up while it runs: %d %s", r.status, r.body)
	}
	if r := s.do("GET", "/v1/collections/wanted", "", nil); !strings.Contains(r.body, `"engine":"yunet-mobilefacenet"`) || !strings.Contains(r.body, `"reenrollment":{"engine":"yunet-dlib"`) {
		t.Errorf("meanwhile: %s", r.body)
	}
	if r := s.do("POST", "/v1/cases/A%2F1/searches?against=wanted", "image/jpeg", strings.NewReader("face bona-1")); !strings.Contains(r.body, `"outcome":"potential candidate"`) {
		t.Errorf("meanwhile: %s", r.body)
	}
	if up := s.finished(s.upload("E1", sentFile{"bona.jpg", "face bona-2"})); up["state"] != "done" {
		t.Errorf("an upload meanwhile: %v", up)
	}
	s.stop()

	s = startService(t, data, &fakeAnalyzer{}, nil)
	end := s.finished(job.ID)
	sum, _ := end["summary"].(map[string]any)
	if end["state"] != "done" || end["collection"] != "wanted" || sum["switched"] != true || sum["references"] != 2.0 {
		t.Fatalf("%v", end)
	}
	if r := s.do("GET", "/v1/collections/wanted", "", nil); !strings.Contains(r.body, `"engine":"yunet-dlib"`) || strings.Contains(r.body, "reenrollment") {
		t.Errorf("after the switch: %s", r.body)
	}
	if r := s.do("POST", "/v1/cases/A%2F1/searches?against=wanted", "image/jpeg", strings.NewReader("face bona-1")); !strings.Contains(r.body, `"subject":"bona"`) || !strings.Contains(r.body, `"engine":"yunet-dlib"`) {
		t.Errorf("after the switch: %s", r.body)
	}
	s.ok("POST", "/v1/collections/wanted/reenrollment", j, strings.NewReader(`{"engine":"yunet-dlib"}`), &job)
	if end := s.finished(job.ID); end["state"] != "done" || end["summary"].(map[string]any)["nothing"] != true {
		t.Errorf("to the engine it has: %v", end)
	}
}

// command runs a command through the service and returns what it prints.
func (s *service) command(want int, args ...string) string {
	s.t.Helper()
	out, err := os.Create(filepath.Join(s.t.TempDir(), "out"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	code := runWith(s.t.Context(), args, streams{in: os.Stdin, out: out, err: s.log, cwd: s.data, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + s.data}}, s.prog)
	text, err := os.ReadFile(out.Name())
	if err != nil || code != want {
		s.t.Fatalf("%v ended with %d: %s %v", args, code, text, err)
	}
	return string(text)
}

// TestServeCancelsAReenrollment: what was made is kept, and can be given up.
func TestServeCancelsAReenrollment(t *testing.T) {
	t.Parallel()
	fake := &fakeAnalyzer{slowEngine: semblance.YuNetDlib, slow: make(chan struct{}), seen: make(chan struct{}, 10)}
	s := startService(t, t.TempDir(), fake, nil)
	s.furnish()
	var job struct{ ID, State string }
	if out := s.command(0, "collection", "reenroll", "wanted", "--engine", "yunet-dlib", "--background", "--json"); json.Unmarshal([]byte(out), &job) != nil || job.ID == "" {
		t.Fatal(out)
	}
	<-fake.seen
	if out := s.command(0, "collection", "show", "wanted"); !strings.Contains(out, "being enrolled again with engine yunet-dlib, version ") {
		t.Error(out)
	}
	s.command(1, "collection", "reenroll", "wanted", "--engine", "yunet-dlib")
	s.ok("POST", "/v1/jobs/"+job.ID+"/cancel", "", nil, &job)
	if job.State != "canceled" {
		t.Errorf("%+v", job)
	}
	if r := s.do("DELETE", "/v1/collections/wanted/reenrollment", "", nil); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.do("GET", "/v1/collections/wanted", "", nil); !strings.Contains(r.body, `"engine":"yunet-mobilefacenet"`) || strings.Contains(r.body, "reenrollment") {
		t.Errorf("%s", r.body)
	}
}
