//go:build cgo && native

package main

import (
	"errors"
	"image"
	"image/color"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"semblance"
	"semblance/media"
)

// runtimeOnce guards the one start of ONNX Runtime in the test process.
var runtimeOnce = sync.OnceValue(func() error {
	return startRuntime(runtimeLibrary())
})

func modelsDir() string {
	if dir := os.Getenv("SEMBLANCE_MODELS_DIR"); dir != "" {
		return dir
	}
	return os.Getenv("SEMBLANCE_MODELS")
}

// testModels finds the models by the names of their files.
func testModels(name string) (string, string, error) {
	file := map[string]string{
		"yunet":           "yunet_n_dynamic.onnx",
		"mobilefacenet":   "mobilefacenet.onnx",
		"mtcnn-pnet":      "mtcnn-pnet.onnx",
		"mtcnn-rnet":      "mtcnn-rnet.onnx",
		"mtcnn-onet":      "mtcnn-onet.onnx",
		"dlib-resnet":     "dlib_face_recognition_resnet_model_v1.onnx",
		"dlib-resnet-dat": "dlib_face_recognition_resnet_model_v1.dat",
		"dlib-landmarks":  "shape_predictor_5_face_landmarks.dat",
		"dlib-mmod":       "mmod_human_face_detector.dat",
	}[name]
	path := filepath.Join(modelsDir(), file)
	if _, err := os.Stat(path); err != nil {
		return "", "", semblance.Errorf(semblance.Unavailable, "no %s", file)
	}
	return path, "", nil
}

// open opens an engine or skips the test, saying what is missing.
func open(t testing.TB, name semblance.EngineName) semblance.FaceFinder {
	t.Helper()
	if modelsDir() == "" {
		t.Skip("SEMBLANCE_MODELS_DIR is not set: the face engines are not tested")
	}
	if name != semblance.DlibHOG {
		if err := runtimeOnce(); err != nil {
			t.Skipf("ONNX Runtime is not in SEMBLANCE_MODELS_DIR: %v", errors.Unwrap(err))
		}
	}
	e, err := openEngine(name, testModels, 1)
	if semblance.CodeOf(err) == semblance.Unavailable {
		t.Skipf("%s cannot be tested: %v", name, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// pictures lists the JPEG files of a folder of SEMBLANCE_TESTDATA, or skips.
func pictures(t testing.TB, pattern string) []string {
	t.Helper()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set: no photographs to test with")
	}
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Skipf("SEMBLANCE_TESTDATA has no %s", pattern)
	}
	slices.Sort(files)
	return files
}

func load(t testing.TB, path string) *semblance.Frame {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return toFrame(img)
}

func toFrame(img image.Image) *semblance.Frame {
	b := img.Bounds()
	f := &semblance.Frame{Width: b.Dx(), Height: b.Dy(), RGB: make([]byte, 3*b.Dx()*b.Dy())}
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			var r, g, bl uint8
			if yc, ok := img.(*image.YCbCr); ok {
				c := yc.YCbCrAt(x, y)
				r, g, bl = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			} else {
				cr, cg, cb, _ := img.At(x, y).RGBA()
				r, g, bl = uint8(cr>>8), uint8(cg>>8), uint8(cb>>8)
			}
			f.RGB[i], f.RGB[i+1], f.RGB[i+2] = r, g, bl
			i += 3
		}
	}
	return f
}

// largest returns the largest searchable face, or nil.
func largest(faces []semblance.Face) *semblance.Face {
	var best *semblance.Face
	for i := range faces {
		f := &faces[i]
		if f.Embedding != nil && (best == nil || f.Box.W*f.Box.H > best.Box.W*best.Box.H) {
			best = f
		}
	}
	return best
}

// auc is the probability that a mated pair is closer than a non-mated one.
func auc(mated, other []float64) float64 {
	wins := 0.0
	for _, m := range mated {
		for _, o := range other {
			switch {
			case m < o:
				wins++
			case m == o:
				wins += 0.5
			}
		}
	}
	if len(mated)*len(other) == 0 {
		return math.NaN()
	}
	return wins / float64(len(mated)*len(other))
}

// TestEnginesKeepTheContract finds the ten faces of a group with each engine.
func TestEnginesKeepTheContract(t *testing.T) {
	for _, spec := range semblance.Engines() {
		t.Run(string(spec.Name), func(t *testing.T) {
			e := open(t, spec.Name)
			f := load(t, pictures(t, "faces/pristin.jpg")[0])
			f.Index = 3
			faces, err := e.Find(f, semblance.FindOptions{})
			if err != nil || len(faces) != 10 {
				t.Fatalf("%d faces in a group of ten, %v", len(faces), err)
			}
			got, sums := e.Spec()
			if got != spec || len(sums) == 0 {
				t.Errorf("spec %+v with models %v", got, sums)
			}
			for name, sum := range sums {
				if len(sum) != 64 {
					t.Errorf("model %s has sha256 %q", name, sum)
				}
			}
			searchable := 0
			for i := range faces {
				face := &faces[i]
				if face.Frame != 3 || i > 0 && face.Score > faces[i-1].Score {
					t.Errorf("face %d: frame %d, score %v after %v", i, face.Frame, face.Score, faces[max(0, i-1)].Score)
				}
				if (face.Embedding != nil) != (face.Quality >= semblance.MinSearchableQuality) {
					t.Errorf("face %d: quality %v and %d values", i, face.Quality, len(face.Embedding))
				}
				if face.Embedding != nil {
					searchable++
					checkVector(t, spec, face.Embedding)
				}
			}
			if searchable < 8 {
				t.Errorf("only %d of the ten faces are searchable", searchable)
			}
			bare, err := e.Find(f, semblance.FindOptions{DetectOnly: true})
			if err != nil || len(bare) != len(faces) || bare[0].Embedding != nil || bare[0].Box != faces[0].Box || bare[0].Quality != faces[0].Quality {
				t.Errorf("detect only differs: %d faces, %v", len(bare), err)
			}
			again, err := e.Find(f, semblance.FindOptions{})
			if err != nil || !slices.EqualFunc(again, faces, func(a, b semblance.Face) bool { return slices.Equal(a.Embedding, b.Embedding) }) {
				t.Errorf("a second run gives other embeddings (%v)", err)
			}
		})
	}
}

// TestATurnedPictureGivesTheSameEmbedding turns portraits that have no orientation
// tag: the face must be as near to itself as compression leaves it, far under every
// threshold.
func TestATurnedPictureGivesTheSameEmbedding(t *testing.T) {
	e := open(t, semblance.DefaultEngine)
	for _, path := range pictures(t, "faces/*2.jpg") {
		f := load(t, path)
		want := embeddingOf(t, e, f)
		for orientation, turn := range map[int]int{6: 270, 3: 180, 8: 90} { // turned clockwise by 90, 180 and 270
			faces, err := e.Find(media.Upright(f, orientation), semblance.FindOptions{})
			got := largest(faces)
			if err != nil || got == nil || got.Turn != turn {
				t.Errorf("%s, orientation %d: %+v, %v, want a face found when turned by %d", path, orientation, got, err, turn)
				continue
			}
			if d := semblance.Cosine.Distance(got.Embedding, want); d > 0.1 {
				t.Errorf("%s, orientation %d: %.3f from itself", path, orientation, d)
			} else {
				t.Logf("%s, orientation %d: %.4f", filepath.Base(path), orientation, d)
			}
		}
	}
}

func embeddingOf(t *testing.T, e semblance.FaceFinder, f *semblance.Frame) []float32 {
	t.Helper()
	faces, err := e.Find(f, semblance.FindOptions{})
	if err != nil || largest(faces) == nil {
		t.Fatalf("no face: %v", err)
	}
	return largest(faces).Embedding
}

func TestSelfCheckOfEngines(t *testing.T) {
	for _, name := range []semblance.EngineName{semblance.YuNetMobileFaceNet, semblance.YuNetDlib} {
		if err := open(t, name).(interface{ SelfCheck() error }).SelfCheck(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func checkVector(t *testing.T, spec semblance.EngineSpec, v []float32) {
	t.Helper()
	length := 0.0
	for _, x := range v {
		length += float64(x) * float64(x)
	}
	if len(v) != spec.Dimensions || math.IsNaN(length) || length < 0.1 {
		t.Errorf("%d values of length² %v", len(v), length)
	}
	if spec.Metric == semblance.Cosine && math.Abs(length-1) > 1e-5 {
		t.Errorf("length² %v of a vector compared by cosine", length)
	}
}

// TestDlibEnginesAgree compares the converted network on YuNet's alignment with
// go-face on dlib's own: the same person of the same picture is near, and nobody
// else of the group is.
func TestDlibEnginesAgree(t *testing.T) {
	ours, theirs := open(t, semblance.YuNetDlib), open(t, semblance.DlibHOG)
	f := load(t, pictures(t, "faces/pristin.jpg")[0])
	a, err := ours.Find(f, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := theirs.Find(f, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for i := range a {
		for j := range b {
			if a[i].Embedding == nil || b[j].Embedding == nil {
				continue
			}
			x, y := a[i].Box.X+a[i].Box.W/2, a[i].Box.Y+a[i].Box.H/2
			c := b[j].Box
			if x < c.X || y < c.Y || x > c.X+c.W || y > c.Y+c.H {
				continue
			}
			compared++
			if d := semblance.Euclid.Distance(a[i].Embedding, b[j].Embedding); d > 0.4 {
				t.Errorf("face %d: the two engines are %.3f apart", i, d)
			}
		}
	}
	if compared < 8 {
		t.Errorf("only %d faces were compared", compared)
	}
}

func TestOpenEngineSaysWhatIsWrong(t *testing.T) {
	none := func(string) (string, string, error) { return filepath.Join(t.TempDir(), "none"), "", nil }
	if _, err := openEngine("no-such", none, 1); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("unknown engine: %v", err)
	}
	for _, spec := range semblance.Engines() {
		if _, err := openEngine(spec.Name, none, 1); semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
			t.Errorf("%s without weights: %v, hint %q", spec.Name, err, semblance.HintOf(err))
		}
	}
	if err := startRuntime(filepath.Join(t.TempDir(), "none.so")); semblance.CodeOf(err) != semblance.Unavailable && err != nil {
		t.Errorf("no runtime: %v", err)
	}
}

// runtimeLibrary is ONNX Runtime in the folder of weights, whatever version and
// platform its name says.
func runtimeLibrary() string {
	found, _ := filepath.Glob(filepath.Join(modelsDir(), "libonnxruntime*.so"))
	if len(found) == 0 {
		return filepath.Join(modelsDir(), "libonnxruntime.so")
	}
	return found[0]
}
