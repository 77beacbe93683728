package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
)

// A crowdAnalyzer reads pictures that are written as text: "PERSON PICTURE QUALITY" is
// a face of a person, numbered, as it is in that picture.
type crowdAnalyzer struct{}

var _ semblance.Analyzer = crowdAnalyzer{}

// Analyze implements semblance.Analyzer.
func (crowdAnalyzer) Analyze(_ context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	if err != nil {
		return semblance.Analysis{}, err
	}
	var person, picture uint64
	var quality float32
	if n, err := fmt.Sscan(string(b), &person, &picture, &quality); n != 3 || err != nil {
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaUnsupported, "this is not a picture")
	}
	out := semblance.Analysis{Type: "image/jpeg", Width: 100, Height: 100, Frames: 1, Decoder: "fake 1"}
	for _, e := range req.Engines {
		spec, _ := semblance.EngineByName(e)
		set := semblance.FaceSet{Engine: e, Version: spec.Version, Detection: req.Detection, Faces: []semblance.Face{}}
		if quality > 0 {
			set.Faces = append(set.Faces, semblance.Face{Box: semblance.Box{W: 80, H: 90}, Score: 0.9, Quality: quality, Embedding: crowdVector(person, picture)})
		}
		out.FaceSets = append(out.FaceSets, set)
	}
	return out, nil
}

// crowdVector is a unit vector around the person's.
func crowdVector(person, picture uint64) []float32 {
	center, own := rand.New(rand.NewPCG(person, 1)), rand.New(rand.NewPCG(person, 1000+picture))
	v, sum := make([]float32, 192), 0.0
	for i := range v {
		v[i] = float32(center.NormFloat64() + 0.7*own.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// An evaluating is a program with that analyzer, in a folder of its own.
type evaluating struct {
	t    *testing.T
	dir  string
	prog *program
}

func newEvaluating(t *testing.T, workers int) *evaluating {
	t.Helper()
	v := &evaluating{t: t, dir: t.TempDir()}
	data := filepath.Join(v.dir, "data")
	cfg, err := loadConfig(streams{cwd: v.dir, environ: []string{"SEMBLANCE_DATA=" + data, fmt.Sprint("SEMBLANCE_WORKERS=", workers)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.prog, err = openProgram(t.Context(), cfg, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.prog.Close() })
	v.prog.engine.Analyzer = crowdAnalyzer{}
	v.prog.engine.CheckEngine = func(context.Context, semblance.EngineName) error { return nil }
	return v
}

func (v *evaluating) write(path, text string) {
	v.t.Helper()
	path = filepath.Join(v.dir, filepath.FromSlash(path))
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		v.t.Fatal(err)
	}
}

// people writes a folder per person with so many pictures.
func (v *evaluating) people(dir string, persons, pictures int) {
	for p := range persons {
		for k := range pictures {
			v.write(fmt.Sprintf("%s/p%03d/%d.jpg", dir, p, k), fmt.Sprint(p, k, 45+10*((p+k)%6)))
		}
	}
}

// run runs a command and returns its exit code, output and errors.
func (v *evaluating) run(args ...string) (code int, out, errs string) {
	v.t.Helper()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(v.dir, name))
		if err != nil {
			v.t.Fatal(err)
		}
		v.t.Cleanup(func() { f.Close() })
		return f
	}
	stdout, stderr := open("stdout"), open("stderr")
	code = runWith(v.t.Context(), args, streams{in: os.Stdin, out: stdout, err: stderr, cwd: v.dir, actor: "tester@test",
		environ: []string{"SEMBLANCE_DATA=" + filepath.Join(v.dir, "data")}}, v.prog)
	return code, v.read("stdout"), v.read("stderr")
}

func (v *evaluating) read(name string) string {
	v.t.Helper()
	b, err := os.ReadFile(filepath.Join(v.dir, name))
	if err != nil {
		v.t.Fatal(err)
	}
	return string(b)
}

// goldenEvaluation compares with a file, and makes one that is missing.
func goldenEvaluation(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "evaluate", name)
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s was not there and is made: look at it and commit it", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: got\n%s", name, got)
	}
}

// TestEvaluateFolder: the numbers, the page and the exit code, to the byte, whatever the
// number of workers; and nothing that could not be used goes unsaid.
func TestEvaluateFolder(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 4} {
		v := newEvaluating(t, workers)
		v.people("pictures", 24, 3)
		v.write("pictures/p003/text.jpg", "a text")
		v.write("pictures/p004/no face.jpg", "4 9 0")
		v.write("pictures/p005/poor.jpg", "5 9 10")
		v.write("pictures/p006/more/deep.jpg", "6 9 80")
		v.write("pictures/p020/of p021.jpg", "21 0 80")
		v.write("pictures/loose.jpg", "1 1 80")
		if err := os.Mkdir(filepath.Join(v.dir, "pictures/p999"), 0o755); err != nil {
			t.Fatal(err)
		}
		code, out, errs := v.run("evaluate", "pictures", "--html", "page.html")
		if code != exitSomeFailed || strings.Count(errs, "not used: ") != 5 {
			t.Errorf("exit code %d, %s", code, errs)
		}
		goldenEvaluation(t, "folder.txt", out)
		goldenEvaluation(t, "folder.html", v.read("page.html"))
		_, out, _ = v.run("evaluate", "pictures", "--json")
		goldenEvaluation(t, "folder.json", out)
		if code, _, errs := v.run("evaluate", "pictures", "--html", "nowhere/page.html"); code != exitFailed || !strings.Contains(errs, `"nowhere/page.html" cannot be written`) {
			t.Errorf("exit code %d, %s", code, errs)
		}
	}
}

func TestEvaluatePairs(t *testing.T) {
	t.Parallel()
	v := newEvaluating(t, 2)
	v.people("pictures", 12, 3)
	text := "a,b,label\n"
	for p := range 12 {
		text += fmt.Sprintf("p%03d/0.jpg,p%03d/1.jpg,same\np%03d/0.jpg,p%03d/2.jpg,different\n", p, p, p, (p+1)%12)
	}
	v.write("pictures/good.csv", text)
	if code, out, errs := v.run("evaluate", "pictures/good.csv"); code != exitDone || !strings.Contains(out, "\n12 mated and 12 non-mated pairs\nAUC 1.0000") || strings.Contains(out, "Searches") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	v.write("pictures/gone.csv", text+"p000/0.jpg,nobody/1.jpg,different\n")
	if code, out, errs := v.run("evaluate", "pictures/gone.csv"); code != exitSomeFailed || !strings.Contains(errs, `nobody/1.jpg" does not exist`) || !strings.Contains(out, "1 pairs were not compared") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	v.write("pictures/bad.csv", text+"p000/0.jpg,p001/1.jpg,maybe\np000/0.jpg,p000/1.jpg,different\n")
	code, _, errs := v.run("evaluate", "pictures/bad.csv")
	for _, want := range []string{`line 26: the label is "maybe"`, `line 27: "p000/0.jpg" and "p000/1.jpg" are different here, and one person by other lines`, "hint: Write a pair a line"} {
		if code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, no %q in %s", code, want, errs)
		}
	}
}

func TestEvaluateSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	v := newEvaluating(t, 2)
	v.people("single", 15, 1)
	v.people("one", 1, 4)
	v.write("broken/a/1.jpg", "text")
	v.write("broken/b/1.jpg", "text")
	if err := os.MkdirAll(filepath.Join(v.dir, "empty/a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := v.run("evaluate", "single"); code != exitDone || !strings.Contains(out, "there are no mated searches: every person has one usable picture") ||
		!strings.Contains(out, "not measurable: needs mated searches") || !strings.Contains(out, "0 mated and 105 non-mated pairs") {
		t.Errorf("one picture each: exit code %d, %s", code, out)
	}
	for _, tt := range []struct{ args, want string }{
		{"one", "usable pictures of 1 persons are not enough"},
		{"broken", "usable pictures of 0 persons are not enough"},
		{"broken", "not used: a/1.jpg: this is not a picture"},
		{"empty", "has no pictures to evaluate with"},
		{"nothing", `"nothing" cannot be read`},
		{"--self none", `there is no collection "none"`},
		{"single --self none", "--self measures a collection with its own references and engine"},
		{"single --engine none", `no face engine is named "none"`},
		{"", "it is not said what to measure with"},
	} {
		if code, _, errs := v.run(append([]string{"evaluate"}, strings.Fields(tt.args)...)...); code != exitFailed || !strings.Contains(errs, tt.want) {
			t.Errorf("evaluate %s: exit code %d, %s", tt.args, code, errs)
		}
	}
}

// TestEvaluateSelfAndCalibrate: a collection of 120 subjects says what it can and no more,
// the same bytes each time; a search then has a band, and a report has not.
func TestEvaluateSelfAndCalibrate(t *testing.T) {
	t.Parallel()
	v := newEvaluating(t, 2)
	v.people("pictures", 120, 2)
	v.write("pictures/p007/of p008.jpg", "8 0 80")
	for _, args := range []string{"case create C1 --agency A --country NL --purpose P --basis B", "collection create people --kind faces --owner O --country NL --basis B --face-distance 1", "collection add people pictures"} {
		if code, _, errs := v.run(strings.Fields(args)...); code != exitDone {
			t.Fatalf("%s: %s", args, errs)
		}
	}
	code, out, errs := v.run("evaluate", "--self", "people")
	if code != exitDone {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	goldenEvaluation(t, "self.txt", out)
	if _, again, _ := v.run("evaluate", "--self", "people"); again != out {
		t.Error("another run gives other bytes")
	}
	if code, _, errs := v.run("collection", "calibrate", "people", "--show"); code != exitFailed || !strings.Contains(errs, "is not calibrated") {
		t.Errorf("evaluation has calibrated: %d, %s", code, errs)
	}
	_, out, _ = v.run("collection", "calibrate", "people")
	goldenEvaluation(t, "calibrate.txt", out)
	v.write("exhibit/probe.jpg", "8 77 90")
	v.write("probe.jpg", "8 77 90")
	_, out, _ = v.run("search", "probe.jpg", "--against", "people", "--case", "C1", "--top", "2")
	if !strings.Contains(out, "\nband a: of searches for people who are not in this collection, fewer than 1 in ") || !strings.Contains(out, "; probes of quality ") {
		t.Errorf("the search says %s", out)
	}
	code, out, errs = v.run("scan", "exhibit", "--case", "C1", "--exhibit", "E1", "--against", "people")
	if code != exitDone || !strings.Contains(out, "of searches for people who are not in this collection") {
		t.Errorf("the scan: exit code %d, %s%s", code, out, errs)
	}
	for _, format := range []string{"jsonl", "html"} {
		code, out, errs := v.run("report", "C1", "--format", format, "-o", "report."+format)
		if text := v.read("report." + format); code != exitDone || !strings.Contains(text, "p008") || strings.Contains(text, "return anyone") || strings.Contains(strings.ToLower(text), `"band"`) {
			t.Errorf("%s: exit code %d, %s%s%s", format, code, out, errs, text)
		}
	}
}
