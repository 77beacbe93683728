package worker_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/worker"
)

// builtIn is the folder of the program that was built for these tests.
var builtIn atomic.Pointer[string]

// program returns semblance-worker itself: that of SEMBLANCE_WORKER, or one that
// is built here. It skips where there is no C++ compiler.
var program = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("SEMBLANCE_WORKER"); p != "" {
		return filepath.Abs(p)
	}
	out, err := exec.Command("go", "env", "CGO_ENABLED", "CXX").Output()
	if fields := strings.Fields(string(out)); err != nil || fields[0] != "1" || len(fields) < 2 {
		return "", errors.New("cgo is off")
	} else if _, err := exec.LookPath(fields[1]); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "semblance-worker-test-") // TestMain removes it
	if err != nil {
		return "", err
	}
	builtIn.Store(&dir)
	path := filepath.Join(dir, "semblance-worker")
	cmd := exec.Command("go", "build", "-o", path, "../cmd/semblance-worker")
	if wrapper, err := filepath.Abs("../scripts/cxx"); err == nil && os.Getenv("CXX") == "" {
		cmd.Env = append(os.Environ(), "CXX="+wrapper)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New("semblance-worker cannot be built here: " + string(out))
	}
	return path, nil
})

// real opens a pool of real workers, with models when there are any.
func real(t testing.TB, change ...func(*worker.Options)) *worker.Pool {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Skipf("no real worker: %v (set SEMBLANCE_WORKER to a built one)", err)
	}
	o := worker.Options{Program: path, Workers: 1, Models: installedModels()}
	for _, f := range change {
		f(&o)
	}
	p, err := worker.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// installedModels are those of SEMBLANCE_MODELS_DIR or SEMBLANCE_MODELS, by the
// manifest's names.
func installedModels() map[string]worker.Model {
	found := map[string]worker.Model{}
	dir := os.Getenv("SEMBLANCE_MODELS_DIR")
	if dir == "" {
		dir = os.Getenv("SEMBLANCE_MODELS")
	}
	for name, pattern := range map[string]string{
		"yunet": "yunet_n_dynamic.onnx", "mobilefacenet": "mobilefacenet.onnx", "onnxruntime": "libonnxruntime*.so",
		"dlib-resnet": "dlib_face_recognition_resnet_model_v1.onnx", "dlib-resnet-dat": "dlib_face_recognition_resnet_model_v1.dat",
		"dlib-landmarks": "shape_predictor_5_face_landmarks.dat", "dlib-mmod": "mmod_human_face_detector.dat",
		"mtcnn-pnet": "mtcnn-pnet.onnx", "mtcnn-rnet": "mtcnn-rnet.onnx", "mtcnn-onet": "mtcnn-onet.onnx",
	} {
		if files, _ := filepath.Glob(filepath.Join(dir, pattern)); dir != "" && len(files) > 0 {
			if abs, err := filepath.Abs(files[0]); err == nil {
				found[name] = worker.Model{Path: abs}
			}
		}
	}
	return found
}

func scene(w, h int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8((x*x + 3*y) % 251), 255})
		}
	}
	return m
}

func jpegOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(t testing.TB, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func allHashes() []hashing.Algorithm {
	return slices.DeleteFunc(hashing.Algorithms(), func(a hashing.Algorithm) bool { return !a.IsPerceptual() })
}

func TestRealWorkerHashesWhatTheParentWouldHash(t *testing.T) {
	t.Parallel()
	p := real(t)
	m := scene(320, 200)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	a, err := p.Analyze(t.Context(), file(t, b.Bytes()), semblance.AnalyzeRequest{Hashes: allHashes(), Thumbnail: 100})
	if err != nil {
		t.Fatalf("%v, cause %v", err, errors.Unwrap(err))
	}
	want, err := hashing.All(hashing.FromImage(m))
	if err != nil {
		t.Fatal(err)
	}
	h := a.Hashes[0]
	if *h.PDQ != want.PDQ || *h.PHash != want.PHash || *h.DHash != want.DHash || *h.AHash != want.AHash {
		t.Errorf("%+v, want %+v", h, want)
	}
	if a.Type != "image/png" || a.Width != 320 || a.Height != 200 || a.Decoder == "" || len(a.FaceSets) != 0 {
		t.Errorf("%+v", a)
	}
	thumb, err := jpeg.Decode(bytes.NewReader(a.Thumbnail))
	if err != nil || thumb.Bounds().Dx() != 100 {
		t.Errorf("thumbnail %v, %v", thumb, err)
	}
}

func TestAWorkerBuiltWithoutCSaysSo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to build a worker with")
	}
	path := filepath.Join(t.TempDir(), "semblance-worker")
	build := exec.Command("go", "build", "-o", path, "../cmd/semblance-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := open(t, func(o *worker.Options) { o.Program = path })
	_, err := p.Analyze(t.Context(), file(t, jpegOf(t, scene(8, 8))), semblance.AnalyzeRequest{Hashes: allHashes()})
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "without its C libraries") || semblance.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	// By hand it says what it is, and does nothing.
	out, err := exec.Command(path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "started by semblance") || !strings.Contains(string(out), "hint:") {
		t.Errorf("%v: %s", err, out)
	}
}

// Decoders load plug-ins and size their threads when they are first used: each
// must find what it needs inside the cage.
func TestRealWorkerDecodesEveryFormatInItsCage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../media/testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	p := real(t)
	decoded := map[string]int{}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{Hashes: allHashes(), Thumbnail: 64})
		f.Close()
		switch c := semblance.CodeOf(err); {
		case err == nil:
			decoded[a.Type]++
		case c == semblance.Internal || c == semblance.Unavailable || c == semblance.Timeout:
			t.Errorf("%s: %v, cause %v", filepath.Base(path), err, errors.Unwrap(err))
		}
	}
	for _, want := range []string{"image/jpeg", "image/png", "image/webp", "image/tiff", "image/heic", "image/avif"} {
		if decoded[want] == 0 {
			t.Errorf("no %s was decoded: %v", want, decoded)
		}
	}
}

func TestRealWorkerSaysWhatIsWrongWithAFile(t *testing.T) {
	t.Parallel()
	p := real(t)
	good := jpegOf(t, scene(400, 300))
	for _, tt := range []struct {
		name    string
		content []byte
		limits  semblance.Limits
		code    semblance.Code
	}{
		{"empty", nil, semblance.Limits{}, semblance.MediaDamaged},
		{"text", []byte("this is not a picture\n"), semblance.Limits{}, semblance.MediaUnsupported},
		{"header only", good[:20], semblance.Limits{}, semblance.MediaDamaged},
		{"pixels", good, semblance.Limits{Pixels: 1000}, semblance.MediaTooLarge},
		{"bytes", good, semblance.Limits{Bytes: 1000}, semblance.MediaTooLarge},
	} {
		_, err := p.Analyze(t.Context(), file(t, tt.content), semblance.AnalyzeRequest{Hashes: allHashes(), Limits: tt.limits})
		if !errors.Is(err, tt.code) {
			t.Errorf("%s: %v (%s)", tt.name, err, semblance.CodeOf(err))
		}
	}
	a, err := p.Analyze(t.Context(), file(t, good[:len(good)*2/3]), semblance.AnalyzeRequest{Hashes: allHashes()})
	if err != nil || a.Partial == "" {
		t.Errorf("two thirds of a picture pass for all of it: %+v, %v", a, err)
	}
	if s := p.Stats(); s.Started != 1 || s.Killed != 0 {
		t.Errorf("bad files cost a child: %+v", s)
	}
}

// Any bytes at all: whatever becomes of a file, the pool goes on.
func TestRealWorkerOutlivesBrokenFiles(t *testing.T) {
	t.Parallel()
	p := real(t)
	good := jpegOf(t, scene(64, 48))
	for i := range 200 {
		bad := slices.Clone(good)
		for k := range 8 {
			bad[(i*131+k*977)%len(bad)] ^= byte(1 + i*7 + k)
		}
		_, err := p.Analyze(t.Context(), file(t, bad[:len(bad)-i]), semblance.AnalyzeRequest{Hashes: allHashes()})
		if c := semblance.CodeOf(err); c == semblance.Internal || c == semblance.Unavailable {
			t.Errorf("file %d: %v, cause %v", i, err, errors.Unwrap(err))
		}
	}
	if _, err := p.Analyze(t.Context(), file(t, good), semblance.AnalyzeRequest{Hashes: allHashes()}); err != nil {
		t.Error(err)
	}
}

func TestRealWorkerWithoutModelsStillHashes(t *testing.T) {
	t.Parallel()
	p := real(t, func(o *worker.Options) { o.Models = nil })
	f := file(t, jpegOf(t, scene(64, 48)))
	for _, e := range semblance.Engines() {
		_, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{Engine: e.Name, Hashes: allHashes()})
		if !errors.Is(err, semblance.Unavailable) || !strings.Contains(semblance.HintOf(err), "models pull") {
			t.Errorf("%s: %v, hint %q", e.Name, err, semblance.HintOf(err))
		}
	}
	if _, err := p.Analyze(t.Context(), f, semblance.AnalyzeRequest{Hashes: allHashes()}); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRealWorkerFindsFacesInItsCage(t *testing.T) {
	t.Parallel()
	models := installedModels()
	if len(models) < 10 {
		t.Skip("SEMBLANCE_MODELS_DIR does not hold all models: faces are not looked for")
	}
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	photos, _ := filepath.Glob(filepath.Join(dir, "faces", "*.jpg"))
	if dir == "" || len(photos) == 0 {
		t.Skip("SEMBLANCE_TESTDATA has no faces/*.jpg: faces are not looked for")
	}
	p := real(t)
	f, err := os.Open(photos[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	req := semblance.AnalyzeRequest{Crops: true}
	for _, e := range semblance.Engines() {
		req.Engines = append(req.Engines, e.Name)
	}
	a, err := p.Analyze(t.Context(), f, req)
	if err != nil {
		t.Fatalf("%v, cause %v", err, errors.Unwrap(err))
	}
	for _, e := range semblance.Engines() {
		set, ran := a.Faces(e.Name)
		if !ran || len(set.Faces) == 0 || len(set.Models) == 0 {
			t.Errorf("%s found nothing in %s: %+v", e.Name, filepath.Base(photos[0]), set)
			continue
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(set.Faces[0].Crop)); err != nil || max(c.Width, c.Height) > 256 {
			t.Errorf("%s: crop %+v, %v", e.Name, c, err)
		}
	}
	// The same again from the same child, bit for bit.
	again, err := p.Analyze(t.Context(), f, req)
	if err != nil || !slices.Equal(again.FaceSets[0].Faces[0].Embedding, a.FaceSets[0].Faces[0].Embedding) {
		t.Errorf("the second run differs: %v", err)
	}
	if s := p.Stats(); s.Started != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRealWorkerIsCaged(t *testing.T) {
	t.Parallel()
	needCage(t)
	r, err := real(t).Report(t.Context())
	if err != nil {
		t.Fatalf("%v, cause %v", err, errors.Unwrap(err))
	}
	for _, f := range r.Cage {
		if !f.Holds {
			if r.Facts.Cage.Landlock == 0 || !r.Facts.Cage.Seccomp {
				t.Skipf("%s: %s; this kernel has Landlock ABI %d, seccomp %v", f.Name, f.Detail, r.Facts.Cage.Landlock, r.Facts.Cage.Seccomp)
			}
			t.Errorf("%s: %s", f.Name, f.Detail)
		}
	}
	if r.Facts.CPU == "" || len(r.Facts.Libraries) == 0 || r.Facts.Build["cxx-march"] == "" {
		t.Errorf("%+v", r.Facts)
	}
	t.Logf("start %v, resident %d MiB, %+v", r.Start.Round(time.Millisecond), r.Resident>>20, r.Facts)
	for _, e := range r.Engines {
		t.Logf("%s: works %v %s, %.0f ms, resident %d MiB", e.Name, e.Works, e.Why, e.Check.Millis, e.Resident>>20)
	}
}

// A picture whose pixels would fit into the limit, but not beside what the child
// has in use already.
func TestRealWorkerMeetsItsMemoryLimit(t *testing.T) {
	t.Parallel()
	needCage(t)
	p := real(t)
	var b bytes.Buffer
	blank := image.NewPaletted(image.Rect(0, 0, 8300, 8300), color.Palette{color.Black, color.White})
	if err := png.Encode(&b, blank); err != nil {
		t.Fatal(err)
	}
	request := semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmAHash}}
	little := request
	little.Limits.Memory = 256 << 20
	_, err := p.Analyze(t.Context(), file(t, b.Bytes()), little)
	if !errors.Is(err, semblance.MediaTooLarge) || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("%v (%s), cause %v", err, semblance.CodeOf(err), errors.Unwrap(err))
	}
	if a, err := p.Analyze(t.Context(), file(t, b.Bytes()), request); err != nil || a.Width != 8300 {
		t.Errorf("with the usual memory: %v", err)
	}
}

func BenchmarkRealWorker(b *testing.B) {
	p := real(b)
	f := file(b, jpegOf(b, scene(64, 48)))
	req := semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmAHash}}
	if _, err := p.Analyze(b.Context(), f, req); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := p.Analyze(b.Context(), f, req); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(runtime.NumCPU()), "cpus")
}
