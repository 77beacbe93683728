package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
)

// A fakeAnalyzer reads pictures that are written as text: "face NAME" has one face
// whose embedding depends on NAME alone, "faces A B" has two, "poor NAME" a poor one,
// "slow" waits until it is let go, and anything else is no picture.
type fakeAnalyzer struct {
	slowEngine semblance.EngineName // with which everything is slow
	slow       chan struct{}        // closed to let slow files pass
	seen       chan struct{}        // told when a slow file is begun; may be nil
}

// Analyze implements semblance.Analyzer.
func (a *fakeAnalyzer) Analyze(ctx context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		return semblance.Analysis{}, err
	}
	words := strings.Fields(string(b))
	if len(words) == 0 {
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaUnsupported, "not a picture format that is read")
	}
	if a.slowEngine != "" && slices.Contains(req.Engines, a.slowEngine) {
		if err := a.wait(ctx); err != nil {
			return semblance.Analysis{}, err
		}
	}
	switch words[0] {
	case "slow":
		if err := a.wait(ctx); err != nil {
			return semblance.Analysis{}, err
		}
		words = words[:1]
	case "panic":
		return semblance.Analysis{}, errors.New("open /secret/model.onnx: SELECT * FROM tokens")
	case "face", "faces", "poor":
	default:
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaUnsupported, "not a picture format that is read")
	}
	return fakeAnalysis(b, words[1:], req), nil
}

// wait tells that it does, and waits.
func (a *fakeAnalyzer) wait(ctx context.Context) error {
	if a.seen != nil {
		a.seen <- struct{}{}
	}
	select {
	case <-a.slow:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func fakeAnalysis(b []byte, names []string, req semblance.AnalyzeRequest) semblance.Analysis {
	out := semblance.Analysis{Type: "image/jpeg", Width: 200, Height: 100, Frames: 1, Decoder: "fake 1", Thumbnail: fakeJPEG("thumbnail")}
	out.Hashes = []semblance.FrameHashes{{PDQ: &hashing.PDQResult{Hash: sha256.Sum256(b), Quality: 90}}}
	for _, e := range req.Engines {
		spec, _ := semblance.EngineByName(e)
		set := semblance.FaceSet{Engine: e, Version: spec.Version, Detection: req.Detection, Faces: []semblance.Face{}}
		for i, n := range names {
			f := semblance.Face{Box: semblance.Box{X: float32(100 * i), W: 80, H: 90}, Score: 0.9, Quality: 80, Embedding: fakeVector(n, spec.Dimensions), Crop: fakeJPEG(n)}
			if bytes.HasPrefix(b, []byte("poor")) {
				f.Quality, f.Reasons, f.Components = 30, []string{"blurred"}, &semblance.Components{Sharpness: 7}
			}
			set.Faces = append(set.Faces, f)
		}
		out.FaceSets = append(out.FaceSets, set)
	}
	return out
}

// fakeVector is a unit vector that depends on a name; a name with a dash lies near
// the one before the dash.
func fakeVector(name string, dimensions int) []float32 {
	base, _, varied := strings.Cut(name, "-")
	v, sum := make([]float32, dimensions), 0.0
	seed := sha256.Sum256([]byte(base))
	for i := range v {
		v[i] = float32(int(seed[i%32])*(i*i%7+1)%255) - 127
		if varied && i%5 == 0 {
			v[i] *= 0.5
		}
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// fakeJPEG is a picture whose color depends on a name.
func fakeJPEG(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	img := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for y := range 64 {
		for x := range 64 {
			if (x/16+y/16)%2 == 0 {
				img.Set(x, y, color.RGBA{sum[0], sum[1], sum[2], 255})
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		return nil
	}
	return b.Bytes()
}

// A service is a running server over a data folder, for tests.
type service struct {
	t     *testing.T
	data  string
	url   string
	token string
	log   *os.File
	fake  *fakeAnalyzer
	prog  *program
	stop  func()
}

// startService serves a data folder on port 0 until the test ends or stop is called.
func startService(t *testing.T, data string, fake *fakeAnalyzer, change func(*config)) *service {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, data: data, fake: fake, log: log}
	e := &env{streams: streams{in: os.Stdin, out: log, err: log, cwd: data, actor: "tester@test", environ: []string{"SEMBLANCE_DATA=" + data, "SEMBLANCE_ADDR=127.0.0.1:0"}}}
	if e.cfg, err = loadConfig(e.streams, nil); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(e.cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if s.prog, err = openProgram(ctx, e.cfg, e.note); err != nil {
		t.Fatal(err)
	}
	if fake != nil {
		s.prog.engine.Analyzer = fake
		s.prog.engine.CheckEngine = func(context.Context, semblance.EngineName) error { return nil }
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- e.serveProgram(ctx, s.prog, serveOptions{ready: func(a string) { ready <- a }}) }()
	select {
	case addr := <-ready:
		s.url = "http://" + addr
	case err := <-ended:
		t.Fatalf("serve ended before it was ready: %v", err)
	}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, s.prog.Close()); err != nil {
			t.Errorf("serve ended with %v", err)
		}
	}
	t.Cleanup(func() { s.stop(); log.Close() })
	if b, err := os.ReadFile(filepath.Join(data, bootstrapFile)); err == nil {
		s.token = strings.TrimSpace(string(b))
	}
	return s
}

// A reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request with the service's token.
func (s *service) do(method, path, contentType string, body io.Reader) reply {
	s.t.Helper()
	return s.as(s.token, method, path, contentType, body)
}

func (s *service) as(token, method, path, contentType string, body io.Reader) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// ok sends a request that has to succeed and decodes its answer.
func (s *service) ok(method, path, contentType string, body io.Reader, into any) {
	s.t.Helper()
	r := s.do(method, path, contentType, body)
	if r.status >= 300 {
		s.t.Fatalf("%s %s: status %d: %s", method, path, r.status, r.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(r.body), into); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, r.body)
		}
	}
}

// furnish makes case "A/1", a faces collection with bona and joy, and a hashes
// collection.
func (s *service) furnish() {
	s.t.Helper()
	const j = "application/json"
	s.ok("POST", "/v1/cases", j, strings.NewReader(`{"number":"A/1","agency":"Lab","country":"NL","purpose":"test","basis":"art. 1"}`), nil)
	s.ok("POST", "/v1/collections", j, strings.NewReader(`{"name":"wanted","kind":"faces","owner":"Lab","country":"NL","basis":"art. 2"}`), nil)
	s.ok("POST", "/v1/collections", j, strings.NewReader(`{"name":"known","kind":"hashes","owner":"Lab","country":"NL","basis":"art. 2"}`), nil)
	for _, n := range []string{"bona", "joy"} {
		s.ok("POST", "/v1/collections/wanted/references?subject="+n+"&source="+n+".jpg", "image/jpeg", strings.NewReader("face "+n), nil)
	}
	sum := sha256.Sum256([]byte("known file"))
	s.ok("POST", "/v1/collections/known/hashes?source=list", "text/plain", strings.NewReader(fmt.Sprintf("sha256:%x,a note\n", sum)), nil)
}

// A sentFile is a part of a multipart upload.
type sentFile struct{ name, content string }

func multipartBody(t *testing.T, files ...sentFile) (contentType string, body io.Reader) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range files {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(f.name) + `"`}, "Content-Type": {"image/jpeg"}}
		p, err := w.CreatePart(h)
		if err == nil {
			_, err = io.WriteString(p, f.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), &b
}

// upload sends files and returns the job's id.
func (s *service) upload(label string, files ...sentFile) string {
	s.t.Helper()
	ct, body := multipartBody(s.t, files...)
	var j struct{ ID string }
	s.ok("POST", "/v1/cases/A%2F1/uploads?against=wanted,known&exhibit="+label, ct, body, &j)
	return j.ID
}

// An event is one server-sent event.
type event struct {
	id, name string
	job      map[string]any
}

// events reads a job's events until the stream ends.
func (s *service) events(id, last string) []event {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return parseEvents(s.t, string(b))
}

func parseEvents(t *testing.T, text string) (out []event) {
	t.Helper()
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var ev event
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			switch name {
			case "id":
				ev.id = value
			case "event":
				ev.name = value
			case "data":
				if err := json.Unmarshal([]byte(value), &ev.job); err != nil {
					t.Fatal(err)
				}
			}
		}
		if ev.name != "" {
			out = append(out, ev)
		}
	}
	return out
}

// finished waits for a job's end and returns its last state.
func (s *service) finished(id string) map[string]any {
	s.t.Helper()
	evs := s.events(id, "")
	if len(evs) == 0 || evs[len(evs)-1].name != "end" {
		s.t.Fatalf("the events of job %s do not end with its end: %v", id, evs)
	}
	return evs[len(evs)-1].job
}

// spooled lists what waits in the spool.
func (s *service) spooled() []string {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.data, "spool"))
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
