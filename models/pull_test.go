package models_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"semblance"
	"semblance/models"
)

// notes collects the lines of a pull.
type notes []string

func (n *notes) options() models.PullOptions {
	return models.PullOptions{Note: func(s string) { *n = append(*n, s) }}
}

func (n *notes) has(parts ...string) bool {
	for _, line := range *n {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all && !strings.Contains(line, "\n") {
			return true
		}
	}
	return false
}

// A fileServer serves one content. It can break off and logs the ranges asked for.
type fileServer struct {
	*httptest.Server
	mu       sync.Mutex
	content  []byte
	breakAt  int // bytes after which each answer breaks off; 0: never
	noRanges bool
	ranges   []string
}

func serve(t *testing.T, content []byte) *fileServer {
	s := &fileServer{content: content}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ranges = append(s.ranges, r.Header.Get("Range"))
	if s.noRanges {
		r.Header.Del("Range")
	}
	if s.breakAt > 0 {
		w = &breaking{ResponseWriter: w, left: s.breakAt}
	}
	http.ServeContent(w, r, "net.onnx", time.Time{}, bytes.NewReader(s.content))
}

func (s *fileServer) set(breakAt int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakAt, s.ranges = breakAt, nil
}

func (s *fileServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ranges...)
}

type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		b.ResponseWriter.Write(p[:b.left])
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func TestPullTriesSourcesInOrderAndSaysWhatEachSaid(t *testing.T) {
	t.Parallel()
	content, wrong := pattern(300_000, 1), pattern(300_000, 2)
	gone := httptest.NewServer(nil)
	gone.Close()
	other, good := serve(t, wrong), serve(t, content)
	missing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(missing.Close)
	dir, folder := t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "net.onnx"), wrong[:1000])
	l := library(t, dir, models.Options{Folders: []string{filepath.Join(folder, "absent"), folder}, Manifest: manifest(t,
		artifact("net", "net.onnx", content, urlSource(gone.URL+"/a"), urlSource(missing.URL+"/a"),
			urlSource(other.URL+"/a"), urlSource(good.URL+"/a")))})

	var said notes
	o := said.options()
	var last models.Progress
	o.Progress = func(p models.Progress) { last = p }
	if err := l.Pull(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if b, err := l.Read("net"); err != nil || !bytes.Equal(b, content) {
		t.Fatalf("Read after Pull: %v", err)
	}
	for _, want := range [][]string{{"folder", "something else"}, {"cannot be reached"}, {"404"}, {"something else", sum(wrong)}} {
		if !said.has(want...) {
			t.Errorf("no line with %q in %q", want, said)
		}
	}
	if len(said) != 4 || last.Done != last.Total || last.Total != int64(len(content)) {
		t.Errorf("%d lines, last progress %+v", len(said), last)
	}
	good.set(0)
	if err := l.Pull(t.Context(), o, "net"); err != nil || len(good.asked()) != 0 {
		t.Errorf("pulling again asked %d times: %v", len(good.asked()), err)
	}
	left(t, dir, "net.onnx")
}

// left checks that a folder holds these files and nothing unfinished.
func left(t *testing.T, dir string, files ...string) {
	t.Helper()
	got := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".lock" {
			rel, _ := filepath.Rel(dir, path)
			got[rel] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !got[f] {
			t.Errorf("%s is missing in %v", f, got)
		}
		delete(got, f)
	}
	if len(got) != 0 {
		t.Errorf("the folder also holds %v", got)
	}
}

func TestAnInterruptedDownloadGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	content := pattern(1_000_000, 3)
	s := serve(t, content)
	s.set(100_000)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content, urlSource(s.URL+"/a")))})
	var said notes
	err := l.Pull(t.Context(), said.options())
	if !errors.Is(err, semblance.Unavailable) || !said.has("broke off after 400000 bytes") {
		t.Fatalf("a server that always breaks off: %v, %q", err, said)
	}
	if _, err := l.Path("net"); !errors.Is(err, semblance.Unavailable) {
		t.Fatalf("half a file is served: %v", err)
	}
	s.set(0)
	if err := l.Pull(t.Context(), said.options()); err != nil {
		t.Fatal(err)
	}
	if got := s.asked(); len(got) != 1 || got[0] != "bytes=400000-" {
		t.Errorf("the second pull asked for %q", got)
	}
	if b, err := l.Read("net"); err != nil || !bytes.Equal(b, content) {
		t.Errorf("Read: %v", err)
	}
	left(t, dir, "net.onnx")
}

func TestAPartThatDoesNotFitIsThrownAway(t *testing.T) {
	t.Parallel()
	content := pattern(500_000, 4)
	for story, noRanges := range map[string]bool{"the server continues": false, "the server starts over": true} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			s := serve(t, content)
			s.set(100_000)
			dir := t.TempDir()
			l := library(t, dir, models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content, urlSource(s.URL+"/a")))})
			if err := l.Pull(t.Context(), models.PullOptions{}); err == nil {
				t.Fatal("it did not break off")
			}
			parts, err := filepath.Glob(filepath.Join(dir, ".partial", "*"))
			if err != nil || len(parts) != 1 {
				t.Fatalf("parts %v, %v", parts, err)
			}
			write(t, parts[0], pattern(400_000, 5)) // another file's bytes
			s.set(0)
			s.noRanges = noRanges
			var said notes
			if err := l.Pull(t.Context(), said.options()); err != nil {
				t.Fatalf("%v; %q", err, said)
			}
			left(t, dir, "net.onnx")
		})
	}
}

func TestACanceledPullKeepsItsPartAndIsNoFailureOfASource(t *testing.T) {
	t.Parallel()
	content := pattern(2_000_000, 6)
	s := serve(t, content)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content, urlSource(s.URL+"/a")))})
	ctx, cancel := context.WithCancel(t.Context())
	var said notes
	o := said.options()
	o.Progress = func(p models.Progress) {
		if p.Done > 500_000 {
			cancel()
		}
	}
	if err := l.Pull(ctx, o); semblance.CodeOf(err) != semblance.Canceled || len(said) != 0 {
		t.Fatalf("canceled: %v, %q", err, said)
	}
	s.set(0)
	if err := l.Pull(t.Context(), said.options()); err != nil {
		t.Fatal(err)
	}
	if got := s.asked(); len(got) != 1 || got[0] == "" {
		t.Errorf("the second pull began anew: %q", got)
	}
	left(t, dir, "net.onnx")
}

func TestAServerCannotFillTheDisk(t *testing.T) {
	t.Parallel()
	content := pattern(1000, 7)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := pattern(1<<20, 1); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content, urlSource(endless.URL)))})
	var most int64
	o := models.PullOptions{Progress: func(p models.Progress) { most = max(most, p.Done) }}
	if err := l.Pull(t.Context(), o); !errors.Is(err, semblance.Unavailable) || most > 1000 {
		t.Errorf("an endless answer: %v after %d", err, most)
	}
	left(t, dir)
}

func TestARedirectToPlainHTTPElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	content := pattern(1000, 8)
	s := httptest.NewServer(http.RedirectHandler("http://models.invalid/net", http.StatusFound))
	t.Cleanup(s.Close)
	l := library(t, t.TempDir(), models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content, urlSource(s.URL)))})
	var said notes
	if err := l.Pull(t.Context(), said.options()); err == nil || !said.has("not trusted") {
		t.Errorf("%v, %q", err, said)
	}
}

func TestOneModelThatCannotBeHadDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	a, b := pattern(1000, 1), pattern(2000, 2)
	gone := httptest.NewServer(nil)
	gone.Close()
	good := serve(t, b)
	l := library(t, t.TempDir(), models.Options{Manifest: manifest(t,
		artifact("a", "a", a, urlSource(gone.URL+"/1"), urlSource(gone.URL+"/2")), artifact("b", "b", b, urlSource(good.URL)))})
	var said notes
	err := l.Pull(t.Context(), said.options())
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "1 of 2 models") || semblance.HintOf(err) == "" {
		t.Errorf("error %v, hint %q", err, semblance.HintOf(err))
	}
	if !said.has("did not answer before") {
		t.Errorf("a dead host was asked twice: %q", said)
	}
	if _, err := l.Path("b"); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if err := l.Pull(t.Context(), models.PullOptions{}, "c"); !errors.Is(err, semblance.NotFound) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestPullUnpacksBzip2(t *testing.T) {
	t.Parallel()
	// `printf semblance | bzip2`
	packed, err := base64.StdEncoding.DecodeString(bzip2OfSemblance)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, packed)
	broken := serve(t, append([]byte("BZh9"), pattern(100, 1)...))
	l := library(t, t.TempDir(), models.Options{Manifest: manifest(t, artifact("net", "net.dat", []byte("semblance"),
		models.Source{Kind: "url", URL: broken.URL + "/net.dat.bz2", Unpack: "bz2"},
		models.Source{Kind: "url", URL: s.URL + "/net.dat.bz2", Unpack: "bz2"}))})
	var said notes
	if err := l.Pull(t.Context(), said.options()); err != nil || !said.has("bzip2") {
		t.Fatalf("%v, %q", err, said)
	}
	if b, err := l.Read("net"); err != nil || string(b) != "semblance" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestALocalFailureIsNotBlamedOnASource(t *testing.T) {
	t.Parallel()
	content := pattern(500_000, 1)
	s := serve(t, content)
	m := manifest(t, artifact("net", "net", content, urlSource(s.URL+"/1"), urlSource(s.URL+"/2")))
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: m})
	models.FailWritesAfter(l, 100_000, errors.New("no space left on device"))
	var said notes
	err := l.Pull(t.Context(), said.options())
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "no space left on device") || len(said) != 0 {
		t.Errorf("full disk: %v, %q", err, said)
	}
	if n := len(s.asked()); n != 1 {
		t.Errorf("a full disk made it ask %d times", n)
	}
	if _, err := l.Path("net"); err == nil {
		t.Error("half a file is served")
	}

	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	err = library(t, file, models.Options{Manifest: m}).Pull(t.Context(), models.PullOptions{})
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "cannot be written to") || strings.Contains(err.Error(), file) {
		t.Errorf("a file where the folder belongs: %v", err)
	}
}

func TestPullReplacesAnAlteredModelAndConvertsFromAFolder(t *testing.T) {
	t.Parallel()
	file, _ := smallFaceNet(testPicture(112, 9))
	converted, err := models.ConvertMobileFaceNet(file)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest(t,
		artifact("net", "net.onnx", converted, models.Source{Kind: "convert", From: "net-tflite", Converter: models.TFLiteConverter}),
		artifact("net-tflite", "net.tflite", file, urlSource("https://example.invalid/files/upstream.tflite")))
	dir, folder := t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "upstream.tflite"), file) // under the name its publisher gave it
	write(t, filepath.Join(dir, "net.onnx"), converted[:len(converted)-1])
	l := library(t, dir, models.Options{Manifest: m, Folders: []string{folder}})
	var said notes
	if err := l.Pull(t.Context(), said.options(), "net"); err != nil || len(said) != 0 {
		t.Fatalf("%v, %q", err, said)
	}
	left(t, dir, "net.onnx", "net.tflite")
	if b, err := l.Read("net"); err != nil || !bytes.Equal(b, converted) {
		t.Errorf("Read: %v", err)
	}

	m.Artifacts[0].SHA256 = sum(file) // a converter that writes something else than the manifest says
	said = nil
	l = library(t, t.TempDir(), models.Options{Manifest: m, Folders: []string{folder}})
	if err := l.Pull(t.Context(), said.options(), "net"); !errors.Is(err, semblance.Unavailable) || !said.has("converting net-tflite", "something else") {
		t.Errorf("%v, %q", err, said)
	}
}

func TestTwoPullsOfOneFolderDoNotMeet(t *testing.T) {
	t.Parallel()
	content := pattern(500_000, 1)
	s := serve(t, content)
	dir := t.TempDir()
	m := manifest(t, artifact("net", "net", content, urlSource(s.URL)))
	l, other := library(t, dir, models.Options{Manifest: m}), library(t, dir, models.Options{Manifest: m})
	var meanwhile error
	o := models.PullOptions{Progress: func(p models.Progress) {
		if meanwhile == nil {
			meanwhile = other.Pull(t.Context(), models.PullOptions{})
		}
	}}
	if err := l.Pull(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(meanwhile, semblance.Conflict) {
		t.Errorf("the second pull: %v, want conflict", meanwhile)
	}
	if _, err := other.Path("net"); err != nil {
		t.Error(err)
	}
}

const bzip2OfSemblance = "QlpoOTFBWSZTWUXuDS4AAAQBgDoHCAAgADEMCCAPKbwgteLuSKcKEgi9waXA"
