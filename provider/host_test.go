package provider_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/provider"
)

// A fakeWorkers is an Analyzer that gives frames back as pixels, as workers do.
type fakeWorkers struct {
	analysis semblance.Analysis
	asked    semblance.AnalyzeRequest
	err      error
}

func (f *fakeWorkers) Analyze(_ context.Context, _ *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	f.asked = req
	a := f.analysis
	if req.Pictures == 0 {
		a.Pictures = nil
	}
	a.Hashes = append([]semblance.FrameHashes(nil), a.Hashes...)
	return a, f.err
}

// twoFrames is a file of 8 by 4 pixels, of which the second frame is another.
func twoFrames(orientation int) semblance.Analysis {
	a := semblance.Analysis{Type: "image/test", Width: 8, Height: 4, Frames: 2, Orientation: orientation, Decoder: "test"}
	for i := range 2 {
		f := semblance.Frame{Index: 3 * i, Width: 8, Height: 4}
		for p := range 32 {
			f.RGB = append(f.RGB, byte(p), byte(i), 0)
		}
		a.Pictures = append(a.Pictures, f)
		a.Hashes = append(a.Hashes, semblance.FrameHashes{Frame: f.Index, PDQ: &hashing.PDQResult{Quality: 80}})
	}
	return a
}

func openHost(t *testing.T, dir string, o provider.Options) *provider.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Dir = dir
	if o.Stub == nil {
		o.Stub = []string{self, "caged"}
	}
	h, err := provider.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// analyze asks the providers of a folder about two frames.
func analyze(t *testing.T, h *provider.Host, req semblance.AnalyzeRequest) (semblance.Analysis, *fakeWorkers, error) {
	t.Helper()
	inner := &fakeWorkers{analysis: twoFrames(6)}
	a, err := h.Analyzer(inner).Analyze(t.Context(), nil, req)
	return a, inner, err
}

func TestHashesOfAProvider(t *testing.T) {
	t.Parallel()
	needCage(t)
	for _, behavior := range []string{"hash", "hex", "noisy"} {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			install(t, dir, "pdna", behavior, nil)
			h := openHost(t, dir, provider.Options{})
			for range 2 {
				a, inner, err := analyze(t, h, semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}, Providers: []semblance.ProviderName{"pdna"}})
				if err != nil {
					t.Fatal(err)
				}
				if inner.asked.Providers != nil || inner.asked.Pictures != 1024 || len(inner.asked.Hashes) != 1 {
					t.Errorf("the workers were asked for %+v", inner.asked)
				}
				if len(a.Pictures) > 0 {
					t.Error("pixels are left in the answer")
				}
				run, asked := a.Run("pdna")
				if !asked || run.Failed != "" || run.Version != "1" || len(run.Frames) > 0 {
					t.Errorf("run %+v", run)
				}
				for i, f := range a.Hashes {
					want := value(line{"width": 8, "height": 4, "orientation": 6, "frame": 3 * i}, twoFrames(6).Pictures[i].RGB)
					if f.PDQ == nil || len(f.Supplied) != 1 || f.Supplied[0].Algorithm != hashing.AlgorithmPhotoDNA || !bytes.Equal(f.Supplied[0].Value, want) ||
						f.Supplied[0].Provider != "pdna" || f.Supplied[0].Version != "1" {
						t.Errorf("frame %d: %+v", i, f.Supplied)
					}
				}
			}
		})
	}
}

func TestStatementsOfAProvider(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "classifier", "classify", func(m line) { delete(m, "hash"); m["labels"], m["ages"] = []string{"dark", "outdoors"}, true })
	install(t, dir, "quiet", "no label", func(m line) { delete(m, "hash"); m["labels"] = []string{"dark"} })
	install(t, dir, "turned", "shape", func(m line) { m["upright"] = true })
	h := openHost(t, dir, provider.Options{})
	a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"turned", "classifier", "quiet", "gone"}})
	if err != nil {
		t.Fatal(err)
	}
	run, _ := a.Run("classifier")
	if len(run.Frames) != 2 || run.Frames[1].Frame != 3 || run.Frames[0].Labels[0] != (semblance.Label{Name: "dark", Score: 0.25}) || len(run.Frames[0].Ages) != 2 ||
		*run.Frames[0].Ages[0].Box != (semblance.Box{X: 1, Y: 2, W: 3, H: 4}) || run.Frames[0].Ages[1] != (semblance.Age{Low: 8.5, High: 8.5}) {
		t.Errorf("%+v", run)
	}
	if run, asked := a.Run("quiet"); !asked || run.Failed != "" || len(run.Frames) != 0 {
		t.Errorf("no label is an answer: %+v", run)
	}
	// Orientation 6: the picture is turned by 90 degrees clockwise, so that its first pixel is
	// the first of the last row.
	if run, _ := a.Run("turned"); len(run.Frames) != 2 || run.Frames[0].None != "4x8 1 [24 0 0 16 0 0]" {
		t.Errorf("%+v", run)
	}
	if run, asked := a.Run("gone"); !asked || run.Failed == "" || run.Code != semblance.Unavailable {
		t.Errorf("a provider that is not there is passed over in silence: %+v", run)
	}
	if len(a.Providers) != 4 || a.Providers[0].Provider != "classifier" {
		t.Errorf("runs are by name: %+v", a.Providers)
	}
}

func TestFacesOfAProvider(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	faces := func(m line) {
		delete(m, "hash")
		m["version"], m["upright"], m["faces"] = "7", true, line{"dimensions": 3, "metric": "cosine", "distance": 0.4}
	}
	install(t, dir, "vendor", "faces", faces)
	install(t, dir, "blind", "no face", faces)
	install(t, dir, "hanging", "die", faces)
	h := openHost(t, dir, provider.Options{})
	inner := &fakeWorkers{analysis: semblance.Analysis{Type: "image/test", Width: 2048, Height: 1024, Frames: 1,
		Pictures: []semblance.Frame{{Width: 1024, Height: 512, RGB: make([]byte, 3*1024*512)}},
		FaceSets: []semblance.FaceSet{{Engine: semblance.YuNetDlib}}}}
	z := h.Analyzer(inner)
	a, err := z.Analyze(t.Context(), nil, semblance.AnalyzeRequest{Engine: "vendor", Engines: []semblance.EngineName{semblance.YuNetDlib, "blind"}, Crops: true})
	if err != nil {
		t.Fatal(err)
	}
	if inner.asked.Engine != "" || len(inner.asked.Engines) != 1 || inner.asked.Engines[0] != semblance.YuNetDlib {
		t.Errorf("the workers were asked for %+v", inner.asked)
	}
	if len(a.FaceSets) != 3 || a.FaceSets[0].Engine != "vendor" || a.FaceSets[1].Engine != semblance.YuNetDlib || a.FaceSets[2].Engine != "blind" {
		t.Fatalf("face sets %+v", a.FaceSets)
	}
	set := a.FaceSets[0]
	if set.Version != 7 || len(set.Faces) != 2 || set.Models["program"] == "" {
		t.Fatalf("%+v", set)
	}
	best, second := set.Faces[0], set.Faces[1]
	if best.Box != (semblance.Box{X: 60, Y: 20, W: 40, H: 40}) || best.Score != 0.9 || len(best.Landmarks) != 5 || best.Landmarks[4] != (semblance.Point{X: 10, Y: 10}) {
		t.Errorf("the best face is %+v: boxes are in pixels of the whole picture", best)
	}
	if e := second.Embedding; len(e) != 3 || !near(e[0], 0) || !near(e[1], 0.6) || !near(e[2], 0.8) {
		t.Errorf("an embedding that is compared by cosine has length 1: %v", e)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(best.Crop)); err != nil || c.Width != 30 || c.Height != 30 {
		t.Errorf("crop %+v, %v", c, err)
	}
	if none := a.FaceSets[2]; none.Faces == nil || len(none.Faces) != 0 {
		t.Errorf("no face is an empty list: %+v", none)
	}
	// No faces is only ever the answer of a detector that ran.
	if _, err := z.Analyze(t.Context(), nil, semblance.AnalyzeRequest{Engines: []semblance.EngineName{"hanging"}}); semblance.CodeOf(err) != semblance.Internal {
		t.Errorf("a face engine that died: %v", err)
	}
	engines := semblance.NewEngineSet(h.Engines()...)
	if spec, err := engines.ByName("vendor"); err != nil || !spec.Own() || spec.Version != 7 || spec.Dimensions != 3 {
		t.Errorf("%+v, %v", spec, err)
	}
	if set, _, err := analyzeFaces(z, t, semblance.AnalyzeRequest{Engine: "vendor", NoEmbed: true, Detection: semblance.Detection{MinScore: 0.6}}); err != nil || len(set.Faces) != 1 || set.Faces[0].Embedding != nil {
		t.Errorf("detect only, from a score on: %+v, %v", set, err)
	}
}

func analyzeFaces(z semblance.Analyzer, t *testing.T, req semblance.AnalyzeRequest) (semblance.FaceSet, bool, error) {
	a, err := z.Analyze(t.Context(), nil, req)
	set, ran := a.Faces(req.Engine)
	return set, ran, err
}

// What goes wrong is said of the picture, and the next picture gets a fresh program.
func TestFaultsOfAProvider(t *testing.T) {
	t.Parallel()
	needCage(t)
	value := strings.Repeat("ab", 144)
	for name, c := range map[string]struct {
		behavior string
		args     []string
		change   func(m line)
		code     semblance.Code
		want     string
	}{
		"hangs":               {behavior: "hang", change: func(m line) { m["seconds"] = 0.3 }, want: "it took longer than 300ms"},
		"deaf":                {behavior: "deaf", change: func(m line) { m["start_seconds"] = 0.5 }, code: semblance.Unavailable, want: "it took longer than 500ms"},
		"dies":                {behavior: "die", want: "it ended (exit status 3)"},
		"does not start":      {behavior: "not there", code: semblance.Unavailable, want: "it ended (exit status 7)"},
		"is another":          {behavior: "another", code: semblance.Unavailable, want: `it says that it is "another" "9"`},
		"floods":              {behavior: "flood", want: "a line of more than"},
		"refuses":             {behavior: "refuse", want: "it says: the license has run out"},
		"eats":                {behavior: "eat", want: "it ended (exit status "},
		"garbage":             {behavior: "say", args: []string{"]{ garbage"}, want: "a line that is no answer"},
		"two answers":         {behavior: "say", args: []string{`{"id":ID,"hash":"` + value + `"} {}`}, want: "a line with more than an answer"},
		"unknown field":       {behavior: "say", args: []string{`{"id":ID,"hash":"` + value + `","confidence":1}`}, want: "a line that is no answer"},
		"another picture":     {behavior: "say", args: []string{`{"id":99,"hash":"` + value + `"}`}, want: "an answer to picture 99"},
		"short hash":          {behavior: "say", args: []string{`{"id":ID,"hash":"abcd"}`}, want: "a hash that is none"},
		"no hash":             {behavior: "say", args: []string{`{"id":ID}`}, want: "a hash that is missing"},
		"unpromised label":    {behavior: "say", args: []string{`{"id":ID,"hash":"` + value + `","labels":[]}`}, want: "labels that are missing, or that the manifest does not promise"},
		"unpromised faces":    {behavior: "say", args: []string{`{"id":ID,"hash":"` + value + `","faces":[]}`}, want: "0 faces; none is an empty list"},
		"nothing, no reason":  {behavior: "say", args: []string{`{"id":ID,"none":" "}`}, want: "nothing, without a reason"},
		"nothing, something":  {behavior: "say", args: []string{`{"id":ID,"none":"x","hash":"` + value + `"}`}, want: "nothing, and something"},
		"NaN":                 {behavior: "say", args: []string{`{"id":ID,"hash":NaN}`}, want: "a line that is no answer"},
		"score of two":        {behavior: "say", args: []string{`{"id":ID,"labels":[{"name":"a","score":2}]}`}, change: labels, want: "label \"a\" with a score of 2"},
		"foreign label":       {behavior: "say", args: []string{`{"id":ID,"labels":[{"name":"b","score":1}]}`}, change: labels, want: "which the manifest does not have"},
		"label twice":         {behavior: "say", args: []string{`{"id":ID,"labels":[{"name":"a","score":1},{"name":"a","score":1}]}`}, change: labels, want: "label \"a\""},
		"age below zero":      {behavior: "say", args: []string{`{"id":ID,"ages":[{"low":-1,"high":3}]}`}, change: func(m line) { delete(m, "hash"); m["ages"] = true }, want: "an age from -1 to 3"},
		"more than was asked": {behavior: "chatter", want: "an answer to picture 1, where 2 was asked about"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			install(t, dir, "pdna", c.behavior, c.change, c.args...)
			h := openHost(t, dir, provider.Options{})
			a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
			if err != nil {
				t.Fatal(err)
			}
			run, asked := a.Run("pdna")
			if c.code == "" {
				c.code = semblance.Internal
			}
			if !asked || !strings.Contains(run.Failed, c.want) || run.Code != c.code {
				t.Errorf("run %+v, want %q and code %s", run, c.want, c.code)
			}
			for _, f := range a.Hashes {
				if len(f.Supplied) > 0 {
					t.Error("half of an answer was kept")
				}
			}
		})
	}
}

func labels(m line) { delete(m, "hash"); m["labels"] = []string{"a"} }

// A program that died of an earlier picture is replaced, and the picture asked about again.
func TestAProgramIsReplaced(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "pdna", "die at the third", nil)
	var log bytes.Buffer
	h := openHost(t, dir, provider.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 4 {
		a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
		if err != nil {
			t.Fatal(err)
		}
		if run, _ := a.Run("pdna"); run.Failed != "" || len(a.Hashes[1].Supplied) != 1 {
			t.Fatalf("%+v", run)
		}
	}
	if n := strings.Count(log.String(), "program was replaced"); n != 3 {
		t.Errorf("%d programs were replaced, want 3:\n%s", n, log.String())
	}
}

// A picture that hangs a program costs itself, not those after it.
func TestAHangIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "pdna", "hang once", func(m line) { m["seconds"] = 2 })
	h := openHost(t, dir, provider.Options{})
	a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if run, _ := a.Run("pdna"); err != nil || !strings.Contains(run.Failed, "took longer") {
		t.Fatalf("%+v, %v", run, err)
	}
}

func TestCanceling(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "pdna", "hang", nil)
	h := openHost(t, dir, provider.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	_, err := h.Analyzer(&fakeWorkers{analysis: twoFrames(0)}).Analyze(ctx, nil, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// Several pictures at once go through as many programs as are allowed, each with the
// answer of its own picture.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "pdna", "hash", func(m line) { m["processes"] = 2 })
	h := openHost(t, dir, provider.Options{Processes: 8})
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			f := semblance.Frame{Width: 2, Height: 1, RGB: []byte{byte(i), 0, 0, 0, 0, 9}}
			inner := &fakeWorkers{analysis: semblance.Analysis{Width: 2, Height: 1, Pictures: []semblance.Frame{f}}}
			a, err := h.Analyzer(inner).Analyze(context.Background(), nil, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
			want := value(line{"width": 2, "height": 1, "orientation": 0, "frame": 0}, f.RGB)
			if err != nil || len(a.Hashes) != 1 || !bytes.Equal(a.Hashes[0].Supplied[0].Value, want) {
				t.Errorf("picture %d: %+v, %v", i, a, err)
			}
		}()
	}
	wait.Wait()
}

// Nothing gets out of the cage, and the program's own folder can be read.
func TestTheCageHolds(t *testing.T) {
	t.Parallel()
	needCage(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	secret := t.TempDir()
	foreign := filepath.Join(secret, "foreign")
	if err := os.WriteFile(foreign, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	folder := install(t, dir, "pdna", "escape", nil, l.Addr().String(), foreign, secret)
	h := openHost(t, dir, provider.Options{})
	a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if err != nil {
		t.Fatal(err)
	}
	// Without the cage the same program does all of it, or the test would prove nothing.
	out, err := exec.Command(filepath.Join(folder, "program"), "act", "escape without a cage", l.Addr().String(), foreign, filepath.Join(secret)).CombinedOutput()
	for _, what := range []string{"TCP", "UDP", "listening", "reading", "listing", "writing,", "a shell", "signals", "environment of the parent"} {
		if err != nil || !strings.Contains(string(out), what) {
			t.Errorf("without a cage, %s fails too: %s, %v", what, out, err)
		}
	}
	run, _ := a.Run("pdna")
	if len(run.Frames) == 0 || run.Frames[0].None != "nothing" {
		t.Errorf("what was possible in the cage: %+v", run)
	}
}

// Without the stub nothing runs: never without a cage.
func TestNothingRunsWithoutACage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install(t, dir, "pdna", "hash", nil)
	h := openHost(t, dir, provider.Options{Stub: []string{}})
	a, _, err := analyze(t, h, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if run, _ := a.Run("pdna"); err != nil || run.Code != semblance.Unavailable || !strings.Contains(run.Failed, "no cage") {
		t.Errorf("%+v, %v", run, err)
	}
}

// Videos are not given to providers: that they were not asked is no failure.
func TestVideosAreNotGivenToProviders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install(t, dir, "pdna", "hash", nil)
	h := openHost(t, dir, provider.Options{})
	video := semblance.Analysis{Type: "video/mp4", Video: &semblance.Video{}}
	a, err := h.Analyzer(&fakeWorkers{analysis: video}).Analyze(t.Context(), nil, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if err != nil || len(a.Providers) != 0 || len(a.Warnings) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// A failure of the workers is the file's, and providers are not asked.
func TestWorkersFailFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install(t, dir, "pdna", "hash", nil)
	h := openHost(t, dir, provider.Options{})
	damaged := semblance.Errorf(semblance.MediaDamaged, "damaged")
	_, err := h.Analyzer(&fakeWorkers{err: damaged}).Analyze(t.Context(), nil, semblance.AnalyzeRequest{Providers: []semblance.ProviderName{"pdna"}})
	if !errors.Is(err, error(damaged)) {
		t.Error(err)
	}
}

func TestTry(t *testing.T) {
	t.Parallel()
	needCage(t)
	dir := t.TempDir()
	install(t, dir, "pdna", "hash", nil)
	install(t, dir, "dying", "die", nil)
	h := openHost(t, dir, provider.Options{})
	trial, err := h.Try(t.Context(), "pdna")
	if err != nil || !trial.Same || len(trial.Value) != 192 || trial.Algorithm != hashing.AlgorithmPhotoDNA || trial.Trivial {
		t.Errorf("%+v, %v", trial, err)
	}
	if _, err := h.Try(t.Context(), "dying"); semblance.CodeOf(err) != semblance.Internal || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(err)
	}
	if _, err := h.Try(t.Context(), "nobody"); semblance.CodeOf(err) != semblance.NotFound {
		t.Error(err)
	}
	if s := fmt.Sprint(h.Set().All()); !strings.Contains(s, "pdna") {
		t.Error(s)
	}
}

// A program that hangs ends with whoever asked it, in whatever way that ends.
func TestProgramsDieWithTheirParent(t *testing.T) {
	t.Parallel()
	needCage(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	install(t, dir, "pdna", "hang", func(m line) { m["seconds"] = 600 })
	parent := exec.Command(self, "parent", dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Kill(pid, 0), parent.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for deadline := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the program outlives its parent")
		}
	}
}

// zombie reports whether a process has ended and nobody has asked for its status.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}
