package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// A started is a command that was handed to a service and runs in it.
type started struct {
	t    *testing.T
	code chan int
	out  *os.File // both streams
}

func (s *service) start(ctx context.Context, args ...string) *started {
	s.t.Helper()
	out, err := os.Create(filepath.Join(s.t.TempDir(), "out"))
	if err != nil {
		s.t.Fatal(err)
	}
	c := &started{t: s.t, code: make(chan int, 1), out: out}
	s.t.Cleanup(func() { out.Close() })
	prog, cwd := s.prog, s.data
	go func() {
		c.code <- runWith(ctx, args, streams{in: os.Stdin, out: out, err: out, cwd: cwd, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + cwd}}, prog)
	}()
	return c
}

// text is what the command has printed.
func (c *started) text() string {
	b, err := os.ReadFile(c.out.Name())
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// ends waits for the command and its exit code.
func (c *started) ends(want int) string {
	c.t.Helper()
	if got := <-c.code; got != want {
		c.t.Fatalf("exit code %d, want %d: %s", got, want, c.text())
	}
	return c.text()
}

// evidence lays out an exhibit whose second picture is slow.
func evidence(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"face bona-1", "slow " + name, "face joy-1", "known file", "face bona-2"} {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// scans lists the jobs of case A/1 that are scans.
func (s *service) scans() (out []scanJob) {
	s.t.Helper()
	var list struct{ Jobs []scanJob }
	s.ok("GET", "/v1/jobs?case=A%2F1", "", nil, &list)
	return slices.DeleteFunc(list.Jobs, func(j scanJob) bool { return j.Kind != "scan" })
}

type scanJob struct{ ID, Kind, Exhibit, State, Error string }

// only is the only scan there is.
func (s *service) only(state string) scanJob {
	s.t.Helper()
	list := s.scans()
	if len(list) != 1 || list[0].State != state {
		s.t.Fatalf("the scans are %+v, want one that is %s", list, state)
	}
	return list[0]
}

func (s *service) items(exhibit string) int {
	s.t.Helper()
	var page struct{ Items []any }
	s.ok("GET", "/v1/cases/A%2F1/items?exhibit="+exhibit, "", nil, &page)
	return len(page.Items)
}

// reportOf is what the report of case A/1 says of an exhibit.
func (s *service) reportOf(exhibit string) string {
	s.t.Helper()
	var out strings.Builder
	for line := range strings.Lines(s.do("GET", "/v1/cases/A%2F1/report?format=jsonl", "", nil).body) {
		if strings.Contains(line, fmt.Sprintf(`"exhibit":%q`, exhibit)) {
			out.WriteString(line)
		}
	}
	if out.Len() == 0 {
		s.t.Fatal("the report says nothing of the exhibit")
	}
	return out.String()
}

// undisturbed is the report of a scan that nobody stops.
func undisturbed(t *testing.T, dir string) string {
	t.Helper()
	slow := make(chan struct{})
	close(slow)
	s := startService(t, t.TempDir(), &fakeAnalyzer{slow: slow}, nil)
	s.furnish()
	s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1").ends(0)
	return s.reportOf("E1")
}

// oneWorker has a service scan one file at a time.
func oneWorker(c *config) { c.Workers = 1 }

// slowService is a service whose scans come to a slow picture, which waits.
func slowService(t *testing.T, data string) *service {
	t.Helper()
	return startService(t, data, &fakeAnalyzer{slow: make(chan struct{}), seen: make(chan struct{}, 10)}, oneWorker)
}

// TestServePausesAScan: a scan that is paused records nothing more and gives its worker to
// a case with a threat to life; resumed, its command goes on, and the report is that of a
// scan nobody paused.
func TestServePausesAScan(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	want := undisturbed(t, dir)
	s := slowService(t, t.TempDir())
	s.furnish()
	c := s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1")
	<-s.fake.seen
	j := s.only("running")
	if j.Exhibit != "E1" {
		t.Errorf("%+v", j)
	}
	followed := make(chan []event)
	go func() { followed <- s.events(j.ID, "") }()
	if r := s.do("POST", "/v1/jobs/"+j.ID+"/resume", "", nil); r.status != 409 || !strings.Contains(r.body, "the job is not paused: it is running") {
		t.Errorf("resume what runs: %d %s", r.status, r.body)
	}
	var paused scanJob
	s.ok("POST", "/v1/jobs/"+j.ID+"/pause", "", nil, &paused)
	if paused.State != "paused" {
		t.Errorf("%+v", paused)
	}
	recorded := s.items("E1")
	if recorded == 0 || recorded == 5 {
		t.Errorf("%d items are recorded before the slow one", recorded)
	}
	if r := s.do("POST", "/v1/jobs/"+j.ID+"/pause", "", nil); r.status != 409 || !strings.Contains(r.body, "the job is paused already") {
		t.Errorf("paused twice: %d %s", r.status, r.body)
	}
	if text := s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1").ends(1); !strings.Contains(text, "jobs resume "+j.ID) {
		t.Errorf("scanned again while the command waits: %s", text)
	}

	close(s.fake.slow) // nothing holds the paused scan up but the pause
	s.command(0, "case", "create", "URGENT", "--agency", "A", "--country", "NL", "--purpose", "P", "--basis", "B", "--threat-to-life")
	s.start(t.Context(), "scan", evidence(t, "tablet"), "--case", "URGENT", "--exhibit", "T").ends(0)
	if n := s.items("E1"); n != recorded {
		t.Errorf("%d items are recorded while it is paused, %d were before", n, recorded)
	}
	if out := s.command(0, "jobs", "list", "--case", "A/1"); !strings.Contains(out, "paused") || !strings.Contains(out, "E1") || strings.Contains(out, "URGENT") {
		t.Errorf("jobs: %s", out)
	}
	if out := s.command(0, "jobs", "resume", j.ID[:8]); !strings.Contains(out, j.ID+" (scan of exhibit E1) is queued") {
		t.Errorf("resume: %s", out)
	}
	text := c.ends(0)
	for _, part := range []string{"job " + j.ID, "paused; `semblance jobs resume " + j.ID, "goes on", "5 files seen = 3 new + 1 unchanged + "} {
		if !strings.Contains(text, part) {
			t.Errorf("the command does not say %q:\n%s", part, text)
		}
	}
	if got := s.reportOf("E1"); got != want {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
	var states []string
	for _, ev := range <-followed {
		if state := ev.job["state"].(string); len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
	}
	if got := strings.Join(states, " "); !strings.HasPrefix(got, "running paused ") || !strings.HasSuffix(got, " done") {
		t.Errorf("who follows the job sees %s", got)
	}
	for _, verb := range []string{"pause", "resume", "cancel"} {
		if r := s.do("POST", "/v1/jobs/"+j.ID+"/"+verb, "", nil); r.status != 409 || !strings.Contains(r.body, "the job is done already") {
			t.Errorf("%s what is done: %d %s", verb, r.status, r.body)
		}
	}
	if audit := s.command(0, "audit", "list", "--json"); strings.Count(audit, `"action":"job.pause"`) != 1 || strings.Count(audit, `"action":"job.resume"`) != 1 {
		t.Errorf("the audit chain has not one pause and one resume: %s", audit)
	}
}

// TestServeKeepsStoppedScans: a scan stays paused, or interrupted, when its command leaves
// and when the service is restarted. It goes on when it is resumed in the service, or
// scanned again.
func TestServeKeepsStoppedScans(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	want := undisturbed(t, dir)
	for _, state := range []string{"paused", "interrupted"} {
		for _, how := range []string{"resume", "scan", "scan without a service"} {
			t.Run(state+", "+how, func(t *testing.T) {
				t.Parallel()
				s := slowService(t, t.TempDir())
				s.furnish()
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				c := s.start(ctx, "scan", dir, "--case", "A/1", "--exhibit", "E1")
				<-s.fake.seen
				j := s.only("running")
				if state == "paused" {
					s.ok("POST", "/v1/jobs/"+j.ID+"/pause", "", nil, nil)
				}
				leave()
				c.ends(exitInterrupted)
				s.only(state)
				s.stop()

				close(s.fake.slow)
				if how == "scan without a service" {
					local(t, s, s.fake, "scan", dir, "--case", "A/1", "--exhibit", "E1")
				}
				s = startService(t, s.data, s.fake, oneWorker)
				switch how {
				case "resume":
					s.only(state)
					s.ok("POST", "/v1/jobs/"+j.ID+"/resume", "", nil, nil)
				case "scan":
					s.only(state)
					s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1").ends(0)
				}
				if end := s.finished(j.ID); end["state"] != "done" || end["summary"].(map[string]any)["items"] != 5.0 {
					t.Errorf("%v", end)
				}
				s.only("done") // no second one was made
				if got := s.reportOf("E1"); got != want {
					t.Errorf("the report is\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// local runs a command over a data folder that is not served.
func local(t *testing.T, s *service, fake *fakeAnalyzer, args ...string) {
	t.Helper()
	e := &env{streams: streams{in: os.Stdin, out: s.log, err: s.log, cwd: s.data, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + s.data}}}
	var err error
	if e.cfg, err = loadConfig(e.streams, nil); err != nil {
		t.Fatal(err)
	}
	p, err := openProgram(t.Context(), e.cfg, e.note)
	if err != nil {
		t.Fatal(err)
	}
	p.engine.Analyzer = fake
	p.engine.CheckEngine = func(context.Context, semblance.EngineName) error { return nil }
	if code := runWith(t.Context(), args, e.streams, p); code != 0 {
		t.Errorf("%v ended with %d", args, code)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestServeKeepsScansWhoseEvidenceIsAway: a disk that is not attached is no reason to lose
// the job, whether the place is gone, or empty as the mount point of one that is not mounted.
func TestServeKeepsScansWhoseEvidenceIsAway(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	want := undisturbed(t, dir)
	s := slowService(t, t.TempDir())
	s.furnish()
	ctx, leave := context.WithCancel(t.Context())
	c := s.start(ctx, "scan", dir, "--case", "A/1", "--exhibit", "E1")
	<-s.fake.seen
	leave()
	c.ends(exitInterrupted)
	close(s.fake.slow)
	j := s.only("interrupted")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if r := s.do("POST", "/v1/jobs/"+j.ID+"/resume", "", nil); r.status != 409 || !strings.Contains(r.body, `the evidence of exhibit \"E1\" is not there`) ||
		!strings.Contains(r.body, "resume the job again") || strings.Contains(r.body, filepath.Dir(dir)) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if text := s.start(t.Context(), "jobs", "resume", j.ID).ends(exitFailed); !strings.Contains(text, dir) || !strings.Contains(text, "the job stays interrupted") {
		t.Errorf("the command does not say where the evidence was: %s", text)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if text := s.start(t.Context(), "jobs", "resume", j.ID).ends(exitFailed); !strings.Contains(text, "is an empty folder now") {
		t.Errorf("%s", text)
	}
	s.only("interrupted")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	s.command(0, "jobs", "resume", j.ID)
	if end := s.finished(j.ID); end["state"] != "done" {
		t.Errorf("%v", end)
	}
	if got := s.reportOf("E1"); got != want {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
	out := s.command(0, "jobs", j.ID[:12])
	if !strings.Contains(out, "5 files") || !strings.Contains(out, "1 hit, ") || !strings.Contains(out, "0 failed") {
		t.Errorf("the ended job says nothing of what it did: %s", out)
	}
	if text := s.start(t.Context(), "jobs", "resume", j.ID).ends(exitFailed); !strings.Contains(text, "the job is done already") || strings.Contains(text, "hint") {
		t.Errorf("%s", text)
	}
}

// TestServeEvidenceThatGoesAway: a scan whose evidence is taken away between its resumption
// and its turn can be resumed again.
func TestServeEvidenceThatGoesAway(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	s := slowService(t, t.TempDir())
	s.furnish()
	c := s.start(t.Context(), "scan", "E1="+dir, "E2="+evidence(t, "tablet"), "--case", "A/1", "--at-once", "1", "--against", "wanted,known")
	<-s.fake.seen
	list := s.scans()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.ok("POST", "/v1/jobs/"+list[0].ID+"/pause", "", nil, nil)
	close(s.fake.slow)
	if r := s.do("POST", "/v1/jobs/"+list[0].ID+"/resume", "", nil); r.status != 409 || !strings.Contains(r.body, "is not there") {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.ok("POST", "/v1/jobs/"+list[0].ID+"/cancel", "", nil, nil)
	c.ends(exitInterrupted)
	text := s.start(t.Context(), "jobs", "resume", list[0].ID).ends(exitFailed)
	if !strings.Contains(text, "the job is canceled already") || !strings.Contains(text, "`semblance scan "+dir+" --case A/1 --exhibit E1 --against wanted,known`") {
		t.Errorf("what to do is not said: %s", text)
	}
}

// TestServeResumesNoSecrets: passwords are not kept, so that only who has them goes on.
func TestServeResumesNoSecrets(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	s := slowService(t, t.TempDir())
	s.furnish()
	if err := os.WriteFile(filepath.Join(s.data, "words"), []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	c := s.start(ctx, "scan", dir, "--case", "A/1", "--exhibit", "E1", "--passwords", "words")
	<-s.fake.seen
	leave()
	c.ends(exitInterrupted)
	j := s.only("interrupted")
	if r := s.do("POST", "/v1/jobs/"+j.ID+"/resume", "", nil); r.status != 409 || !strings.Contains(r.body, "passwords, which are not kept") || !strings.Contains(r.body, "Run the scan again") {
		t.Errorf("%d %s", r.status, r.body)
	}
	row, err := s.prog.store.Jobs(t.Context(), "")
	if err != nil || strings.Contains(string(row[0].Spec), "sesame") {
		t.Errorf("the job keeps %s (%v)", row[0].Spec, err)
	}
}

// TestServeCancelsAScan: what was recorded is kept, and a second scan goes on from there.
func TestServeCancelsAScan(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	want := undisturbed(t, dir)
	for _, pause := range []bool{false, true} {
		s := slowService(t, t.TempDir())
		s.furnish()
		c := s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1")
		<-s.fake.seen
		j := s.only("running")
		if pause {
			s.ok("POST", "/v1/jobs/"+j.ID+"/pause", "", nil, nil)
		}
		var canceled scanJob
		s.ok("POST", "/v1/jobs/"+j.ID+"/cancel", "", nil, &canceled)
		if canceled.State != "canceled" || !strings.Contains(canceled.Error, "what was recorded before is kept") {
			t.Errorf("%+v", canceled)
		}
		if text := c.ends(exitInterrupted); !strings.Contains(text, `the scan of exhibit "E1" was canceled; what was recorded is kept`) || !strings.Contains(text, "hint: Run the scan again") {
			t.Errorf("the command says %s", text)
		}
		if n := s.items("E1"); n == 0 || n == 5 {
			t.Errorf("%d items are recorded", n)
		}
		close(s.fake.slow)
		s.start(t.Context(), "scan", dir, "--case", "A/1", "--exhibit", "E1").ends(0)
		if list := s.scans(); len(list) != 2 || list[0].State != "canceled" || list[1].State != "done" {
			t.Errorf("%+v", list)
		}
		if got := s.reportOf("E1"); got != want {
			t.Errorf("the report is\n%s\nwant\n%s", got, want)
		}
	}
}

// TestServePausesAnUpload: jobs of the service pause as scans do, also before they begin.
func TestServePausesAnUpload(t *testing.T) {
	t.Parallel()
	s := slowService(t, t.TempDir())
	s.furnish()
	first, second := s.upload("U1", sentFile{"a.jpg", "face bona-1"}, sentFile{"b.jpg", "slow 1"}), ""
	<-s.fake.seen
	second = s.upload("U2", sentFile{"c.jpg", "face joy-1"})
	for _, id := range []string{second, first} {
		s.ok("POST", "/v1/jobs/"+id+"/pause", "", nil, nil)
	}
	if r := s.do("POST", "/v1/cases/A%2F1/uploads?against=wanted&exhibit=U2", "image/jpeg", strings.NewReader("face x")); r.status != http.StatusConflict {
		t.Errorf("an upload to the label of a paused one: %d", r.status)
	}
	third := s.upload("U3", sentFile{"d.jpg", "face joy-2"})
	if j := s.finished(third); j["state"] != "done" {
		t.Errorf("while others are paused: %v", j)
	}
	s.stop()
	close(s.fake.slow)
	s = startService(t, s.data, s.fake, oneWorker)
	for _, id := range []string{first, second} {
		var j struct{ State string }
		if s.ok("GET", "/v1/jobs/"+id, "", nil, &j); j.State != "paused" {
			t.Errorf("after the restart it is %s", j.State)
		}
		s.ok("POST", "/v1/jobs/"+id+"/resume", "", nil, nil)
		if j := s.finished(id); j["state"] != "done" {
			t.Errorf("resumed: %v", j)
		}
	}
	if left := s.spooled(); len(left) != 0 {
		t.Errorf("the spool has %v left", left)
	}
}

// TestServeScansSeveral: exhibits of one command are jobs of their own, take turns, and are
// paused, canceled and told apart; each is recorded as a scan of its own would.
func TestServeScansSeveral(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"E1": evidence(t, "phone"), "E2": evidence(t, "tablet"), "E3": evidence(t, "laptop")}
	want := undisturbed(t, dirs["E1"])
	s := slowService(t, t.TempDir())
	s.furnish()
	c := s.start(t.Context(), "scan", "E1="+dirs["E1"], "E2="+dirs["E2"], "E3="+dirs["E3"], "--case", "A/1", "--at-once", "1", "--serial", "E2=S-2", "--json")
	<-s.fake.seen
	list := s.scans()
	if len(list) != 3 || list[0].State != "running" || list[1].State != "queued" || list[2].State != "queued" {
		t.Fatalf("%+v", list)
	}
	s.ok("POST", "/v1/jobs/"+list[1].ID+"/pause", "", nil, nil) // before it has begun
	s.ok("POST", "/v1/jobs/"+list[2].ID+"/cancel", "", nil, nil)
	close(s.fake.slow)
	if j := s.finished(list[0].ID); j["state"] != "done" {
		t.Errorf("E1: %v", j)
	}
	s.ok("POST", "/v1/jobs/"+list[1].ID+"/resume", "", nil, nil)
	text := c.ends(exitInterrupted)
	sums := map[string]bool{}
	for line := range strings.Lines(text) {
		var ev struct {
			Event, Exhibit, State string
			Complete              bool
		}
		if json.Unmarshal([]byte(line), &ev) != nil {
			continue // what standard error says
		}
		if ev.Exhibit == "" {
			t.Errorf("of which exhibit is %s", line)
		}
		if ev.Event == "summary" {
			sums[ev.Exhibit] = ev.Complete
		}
	}
	if len(sums) != 2 || !sums["E1"] || !sums["E2"] {
		t.Errorf("summaries %v:\n%s", sums, text)
	}
	for _, part := range []string{`"event":"job","exhibit":"E2","job":"` + list[1].ID + `","state":"paused"`, `{"event":"error","exhibit":"E3","code":"canceled"`, `error: exhibit "E3": the scan of exhibit`} {
		if !strings.Contains(text, part) {
			t.Errorf("does not say %s:\n%s", part, text)
		}
	}
	if got := s.reportOf("E1"); got != want {
		t.Errorf("the report of E1 is\n%s\nwant\n%s", got, want)
	}
	var page struct {
		Exhibits []struct{ Label, Serial string }
	}
	s.ok("GET", "/v1/cases/A%2F1/exhibits", "", nil, &page)
	if len(page.Exhibits) != 2 || page.Exhibits[1].Label != "E2" || page.Exhibits[1].Serial != "S-2" {
		t.Errorf("exhibits %+v", page.Exhibits)
	}
}

// TestServeTellsOfExhibitsNotBegun: who reads --json hears of each exhibit how it ended, also
// of those whose turn had not come, and what earlier scans found in them still counts.
func TestServeTellsOfExhibitsNotBegun(t *testing.T) {
	t.Parallel()
	phone, tablet := evidence(t, "phone"), evidence(t, "tablet")
	s := slowService(t, t.TempDir())
	s.furnish()
	ctx, leave := context.WithCancel(t.Context())
	c := s.start(ctx, "scan", "E1="+phone, "E2="+tablet, "--case", "A/1", "--at-once", "1", "--json")
	<-s.fake.seen
	leave()
	text := c.ends(exitInterrupted)
	sums := map[string]map[string]any{}
	for line := range strings.Lines(text) {
		var ev map[string]any
		if json.Unmarshal([]byte(line), &ev) == nil && ev["event"] == "summary" {
			sums[ev["exhibit"].(string)] = ev
		}
	}
	if len(sums) != 2 || sums["E2"]["complete"] != false || sums["E2"]["why"] != "interrupted before it began; run it again" || sums["E2"]["items"] != 0.0 {
		t.Errorf("summaries %v:\n%s", sums, text)
	}
	close(s.fake.slow)
	s.start(t.Context(), "scan", tablet, "--case", "A/1", "--exhibit", "E2").ends(0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	plan, err := s.prog.engine.Plan(t.Context(), "A/1", semblance.PlanOptions{Collections: []string{"known"}})
	if err != nil {
		t.Fatal(err)
	}
	s.prog.jobs.hand.Lock()
	run, err := s.prog.jobs.take(t.Context(), gone, scanOrder{Case: "A/1", Exhibit: "E2", Root: tablet}, plan, nil)
	s.prog.jobs.hand.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := newScanView(&env{streams: streams{out: c.out, err: c.out}, json: true}, nil).run(gone, run, atOnce)
	if semblance.CodeOf(err) != semblance.Canceled || sum.Hits == 0 || sum.Media == 0 || sum.Complete {
		t.Errorf("%+v (%v)", sum, err)
	}
	// Taken away before its turn: the job can be resumed.
	if run, err = s.prog.jobs.takeScan(t.Context(), scanOrder{Case: "A/1", Exhibit: "E2", Root: tablet}, plan, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tablet, tablet+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err = run.run(t.Context(), atOnce, scanWatch{}); err == nil || run.job.State != "interrupted" || !strings.Contains(run.job.Error, "attach it and resume") {
		t.Errorf("the job is %s: %s (%v)", run.job.State, run.job.Error, err)
	}
}

// TestServeScansPermittedFolders: over HTTP only what lies in a folder that the
// administrator named is scanned, by whatever path it is asked for.
func TestServeScansPermittedFolders(t *testing.T) {
	t.Parallel()
	dir := evidence(t, "phone")
	want := undisturbed(t, dir)
	shelf, data := filepath.Dir(dir), t.TempDir()
	secret := evidence(t, "secret-name")
	for link, to := range map[string]string{"out": secret, "in": dir, "home": data, "gone": filepath.Join(shelf, "nothing")} {
		if err := os.Symlink(to, filepath.Join(shelf, link)); err != nil {
			t.Fatal(err)
		}
	}
	fake := &fakeAnalyzer{slow: make(chan struct{}), seen: make(chan struct{}, 10)}
	s := startService(t, data, fake, func(c *config) { c.Workers, c.ScanFrom = 1, []string{filepath.Join(shelf, "unplugged"), shelf} })
	s.furnish()
	ask := func(label, path string) reply {
		body, err := json.Marshal(map[string]any{"exhibit": label, "path": path, "against": []string{"wanted", "known"}, "serial": "S-1"})
		if err != nil {
			t.Fatal(err)
		}
		return s.do("POST", "/v1/cases/A%2F1/scans", "application/json", strings.NewReader(string(body)))
	}
	for path, says := range map[string]string{
		secret: "in no folder that may be scanned over HTTP", secret + "-not-there": "in no folder that may be scanned over HTTP", "../" + filepath.Base(filepath.Dir(secret)): "in no folder",
		"/": "in no folder", shelf + "/../..": "in no folder", "out": "in no folder", "out/0.jpg": "in no folder", shelf + "/out": "in no folder",
		"home": "in no folder", "nothing": "there is nothing at the path", "gone": "there is nothing at the path", "phone/0.jpg/x": "in no folder",
	} {
		r := ask("X", path)
		if r.status != 403 && r.status != 400 || !strings.Contains(r.body, says) || strings.Contains(r.body, filepath.Dir(shelf)) || strings.Contains(r.body, "secret-name") {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
	}
	if list := s.scans(); len(list) != 0 {
		t.Fatalf("jobs were made: %+v", list)
	}

	r := ask("E1", "in")
	var j scanJob
	if err := json.Unmarshal([]byte(r.body), &j); err != nil || r.status != 202 || j.Kind != "scan" || j.Exhibit != "E1" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	<-fake.seen
	if r := ask("E1", dir); r.status != 409 || !strings.Contains(r.body, "is being scanned already, by job "+j.ID) || !strings.Contains(r.body, "`semblance jobs "+j.ID+"` shows how far it is") {
		t.Errorf("scanned twice: %d %s", r.status, r.body)
	}
	if r := ask("E1", "phone/2.jpg"); r.status != 409 || !strings.Contains(r.body, "of another source") {
		t.Errorf("the label of another source: %d %s", r.status, r.body)
	}
	s.ok("POST", "/v1/jobs/"+j.ID+"/pause", "", nil, nil)
	close(fake.slow)
	if r := ask("E1", "phone"); r.status != 409 || !strings.Contains(r.body, "jobs resume "+j.ID) {
		t.Errorf("scanned again while it is paused: %d %s", r.status, r.body)
	}
	s.ok("POST", "/v1/jobs/"+j.ID+"/resume", "", nil, nil)
	if end := s.finished(j.ID); end["state"] != "done" {
		t.Errorf("%v", end)
	}
	serial := strings.NewReplacer(`"serial":"S-1",`, "")
	if got := serial.Replace(s.reportOf("E1")); got != want {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
	if audit := s.command(0, "audit", "list", "--json"); !strings.Contains(audit, `"actor":{"name":"bootstrap","via":"api"},"action":"scan.start"`) {
		t.Errorf("who asked for the scan is not in the audit chain: %s", audit)
	}
}

// TestServeDoesNotScanItself: the data folder is no evidence, wherever it lies.
func TestServeDoesNotScanItself(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	data := filepath.Join(parent, "data")
	s := startService(t, data, &fakeAnalyzer{}, func(c *config) { c.ScanFrom = []string{parent} })
	s.furnish()
	for _, path := range []string{"data", parent, data + "/objects"} {
		r := s.do("POST", "/v1/cases/A%2F1/scans", "application/json", strings.NewReader(fmt.Sprintf(`{"exhibit":"X","path":%q,"against":["known"]}`, path)))
		if r.status != 403 || !strings.Contains(r.body, "the data folder is not scanned") {
			t.Errorf("%s: status %d: %s", path, r.status, r.body)
		}
	}
}

func TestWordsOfAShell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/mnt/a-1.E01": "/mnt/a-1.E01", "it's": `'it'\''s'`, "a b": "'a b'", "": "''", "$(x)": "'$(x)'", "A/1,b": "A/1,b"} {
		if got := word(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}
