//go:build cgo && native

package embeddings_test

import (
	"errors"
	"image"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
	"semblance/embeddings"
)

var startRuntime = sync.OnceValue(func() error {
	ort.SetSharedLibraryPath(runtimeLibrary())
	return ort.InitializeEnvironment(ort.WithLogLevelError())
})

func modelsDir() string {
	if dir := os.Getenv("SEMBLANCE_MODELS_DIR"); dir != "" {
		return dir
	}
	return os.Getenv("SEMBLANCE_MODELS")
}

// networks are the specs and the files of their weights.
func networks() map[string]embeddings.Spec {
	return map[string]embeddings.Spec{
		"mobilefacenet.onnx":                         embeddings.MobileFaceNet(),
		"dlib_face_recognition_resnet_model_v1.onnx": embeddings.DlibResNet(),
	}
}

// openNet opens a network or skips the test, saying what is missing.
func openNet(t testing.TB, file string) *embeddings.Net {
	t.Helper()
	if modelsDir() == "" {
		t.Skip("SEMBLANCE_MODELS_DIR is not set: the embedders are not tested")
	}
	if err := startRuntime(); err != nil {
		t.Skipf("libonnxruntime.so is not in SEMBLANCE_MODELS_DIR: %v", err)
	}
	path := filepath.Join(modelsDir(), file)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SEMBLANCE_MODELS_DIR has no %s", file)
	}
	n, err := embeddings.Open(networks()[file], path, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func TestSelfCheck(t *testing.T) {
	t.Parallel()
	for file := range networks() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if err := openNet(t, file).SelfCheck(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSelfCheckNoticesAnotherNetwork loads each network under a spec that has the
// other's known answer.
func TestSelfCheckNoticesAnotherNetwork(t *testing.T) {
	t.Parallel()
	openNet(t, "mobilefacenet.onnx") // skips when there are no weights
	wrong := embeddings.MobileFaceNet()
	wrong.Normalize = false
	n, err := embeddings.Open(wrong, filepath.Join(modelsDir(), "mobilefacenet.onnx"), "", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if err := n.SelfCheck(); semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
		t.Errorf("an embedding that was not normalized passes: %v", err)
	}
}

// TestBatchesDoNotChangeVectors embeds more chips than a batch holds, together and
// one by one.
func TestBatchesDoNotChangeVectors(t *testing.T) {
	t.Parallel()
	for file, spec := range networks() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			n := openNet(t, file)
			var chips [][]byte
			for i := range embeddings.MaxBatch + 3 {
				chip := make([]byte, 3*spec.Size*spec.Size)
				for j := range chip {
					chip[j] = byte(j*(i+1)/97 + 31*i)
				}
				chips = append(chips, chip)
			}
			together, err := n.Embed(chips)
			if err != nil {
				t.Fatal(err)
			}
			if len(together) != len(chips) {
				t.Fatalf("%d vectors for %d chips", len(together), len(chips))
			}
			for i, chip := range chips {
				alone, err := n.Embed([][]byte{chip})
				if err != nil {
					t.Fatal(err)
				}
				for j := range alone[0] {
					if d := math.Abs(float64(alone[0][j] - together[i][j])); d > 1e-5 {
						t.Fatalf("chip %d value %d differs by %g", i, j, d)
					}
				}
				if again, _ := n.Embed([][]byte{chip}); !equal(again[0], alone[0]) {
					t.Fatalf("chip %d: a second run gives other bits", i)
				}
				length := 0.0
				for _, v := range alone[0] {
					length += float64(v) * float64(v)
				}
				if spec.Normalize && math.Abs(length-1) > 1e-6 {
					t.Fatalf("chip %d has length² %v", i, length)
				}
			}
		})
	}
}

func equal(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestEmbedRefusesOtherSizes(t *testing.T) {
	t.Parallel()
	n := openNet(t, "mobilefacenet.onnx")
	_, err := n.Embed([][]byte{make([]byte, 3*112*112), make([]byte, 3*150*150)})
	if semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("got %v", err)
	}
	if v, err := n.Embed(nil); err != nil || len(v) != 0 {
		t.Errorf("no chips: %v, %v", v, err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.onnx")
	if err := os.WriteFile(bad, []byte("not a network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, sum string }{
		"missing": {filepath.Join(dir, "none.onnx"), ""},
		"altered": {bad, "00"},
		"folder":  {dir, ""},
	} {
		_, err := embeddings.Open(embeddings.MobileFaceNet(), c.path, c.sum, 1)
		if semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, semblance.HintOf(err))
		}
	}
	if modelsDir() == "" || startRuntime() != nil {
		t.Skip("SEMBLANCE_MODELS_DIR has no libonnxruntime.so: a file that is no network is not tried")
	}
	if _, err := embeddings.Open(embeddings.MobileFaceNet(), bad, "", 1); semblance.CodeOf(err) != semblance.Unavailable {
		t.Errorf("a file that is no network: %v", err)
	}
}

// openHOG opens go-face or skips the test.
func openHOG(t testing.TB) *embeddings.DlibHOG {
	t.Helper()
	if modelsDir() == "" {
		t.Skip("SEMBLANCE_MODELS_DIR is not set: go-face is not tested")
	}
	d, err := embeddings.OpenDlibHOG(modelsDir(), nil)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("go-face cannot be tested: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestDlibHOG finds all ten faces of a group, which go-face with a limit of nine
// would call none, and survives frames of absurd shape.
func TestDlibHOG(t *testing.T) {
	t.Parallel()
	d := openHOG(t)
	for _, size := range [][2]int{{1, 1}, {1, 300}, {3000, 2}, {400, 400}} {
		f := &semblance.Frame{Width: size[0], Height: size[1], RGB: make([]byte, 3*size[0]*size[1])}
		if faces, err := d.Find(f, semblance.FindOptions{}); err != nil || len(faces) != 0 || faces == nil {
			t.Errorf("%v black pixels: %v, %v", size, faces, err)
		}
	}
	if _, err := d.Find(&semblance.Frame{Width: 10, Height: 10, RGB: make([]byte, 20)}, semblance.FindOptions{}); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("a short frame: %v", err)
	}
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set: no group photograph to test with")
	}
	f := readFrame(t, filepath.Join(dir, "faces", "pristin.jpg"))
	faces, err := d.Find(f, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) != 10 {
		t.Errorf("%d faces in a group of ten", len(faces))
	}
	for i, face := range faces {
		l := face.Landmarks
		if len(face.Embedding) != 128 || len(l) != 3 || l[0].X >= l[1].X || l[2].Y <= l[0].Y {
			t.Errorf("face %d: %d values, landmarks %v", i, len(face.Embedding), l)
		}
		for _, p := range l {
			if p.X < face.Box.X || p.X > face.Box.X+face.Box.W || p.Y < face.Box.Y || p.Y > face.Box.Y+face.Box.H {
				t.Errorf("face %d: landmark %v outside %v", i, p, face.Box)
			}
		}
	}
	bare, err := d.Find(f, semblance.FindOptions{DetectOnly: true})
	if err != nil || len(bare) != len(faces) || bare[0].Embedding != nil || bare[0].Box != faces[0].Box {
		t.Errorf("detect only: %d faces, %v", len(bare), err)
	}
}

func TestOpenDlibHOGSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := embeddings.OpenDlibHOG(dir, nil); semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
		t.Errorf("empty folder: %v", err)
	}
	for _, name := range embeddings.DlibFiles() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("not a model"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := embeddings.OpenDlibHOG(dir, map[string]string{embeddings.DlibFiles()[0]: "00"}); semblance.CodeOf(err) != semblance.Unavailable {
		t.Errorf("altered: %v", err)
	}
	if _, err := embeddings.OpenDlibHOG(dir, nil); semblance.CodeOf(err) != semblance.Unavailable {
		t.Errorf("not a model: %v", err)
	}
}

func readFrame(t testing.TB, path string) *semblance.Frame {
	t.Helper()
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("SEMBLANCE_TESTDATA has no %s", filepath.Base(path))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, _, err := image.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	f := &semblance.Frame{Width: b.Dx(), Height: b.Dy()}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			f.RGB = append(f.RGB, byte(r>>8), byte(g>>8), byte(bl>>8))
		}
	}
	return f
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
