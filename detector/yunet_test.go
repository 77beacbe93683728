//go:build cgo && native

package detector_test

import (
	"encoding/json"
	"errors"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
	"semblance/detector"
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

// openYuNet opens the detector or skips the test, saying what is missing.
func openYuNet(t testing.TB, opts detector.Options) *detector.YuNet {
	t.Helper()
	if modelsDir() == "" {
		t.Skip("SEMBLANCE_MODELS_DIR is not set: YuNet is not tested")
	}
	if err := startRuntime(); err != nil {
		t.Skipf("libonnxruntime.so is not in SEMBLANCE_MODELS_DIR: %v", err)
	}
	opts.Model = filepath.Join(modelsDir(), "yunet_n_dynamic.onnx")
	if _, err := os.Stat(opts.Model); err != nil {
		t.Skipf("YuNet is not in SEMBLANCE_MODELS_DIR: %v", err)
	}
	y, err := detector.OpenYuNet(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close() })
	return y
}

func photograph(t testing.TB, name string) *semblance.Frame {
	t.Helper()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set: no photographs to test with")
	}
	file, err := os.Open(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("SEMBLANCE_TESTDATA has no %s", name)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, _, err := image.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return frameOf(img)
}

func frameOf(img image.Image) *semblance.Frame {
	b := img.Bounds()
	f := &semblance.Frame{Width: b.Dx(), Height: b.Dy()}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			f.RGB = append(f.RGB, c.R, c.G, c.B)
		}
	}
	return f
}

// TestYuNetAgreesWithOpenCV compares one plain look at 640 pixels with OpenCV's
// FaceDetectorYN, whose numbers testdata/reference.py wrote. OpenCV rounds the
// reduced picture to bytes and boxes to whole pixels before it suppresses, and its
// JPEG decoder interpolates color where the standard library repeats it; where two
// cells of the grid score alike, that decides between them, a pixel or two apart.
func TestYuNetAgreesWithOpenCV(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/opencv.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Pictures []struct {
			Name  string
			Faces [][]float64
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	opts := detector.DefaultOptions()
	opts.Size, opts.Step, opts.Enlarge, opts.Refine, opts.Score, opts.Sure, opts.Turned = 640, 0, 1, false, 0.7, 0, 0
	y := openYuNet(t, opts)
	total, worst, worstScore := 0, 0.0, 0.0
	for _, p := range want.Pictures {
		f := photograph(t, p.Name)
		faces, err := y.Detect(f, semblance.FindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(faces) != len(p.Faces) {
			t.Errorf("%s: %d faces, OpenCV finds %d", p.Name, len(faces), len(p.Faces))
		}
		pixel := max(1, float64(max(f.Width, f.Height))/640) // of the network's input
		for _, w := range p.Faces {
			total++
			got, off := nearest(faces, w)
			worst = max(worst, off/pixel)
			if off > 2*pixel {
				t.Errorf("%s: face at %.0f: off by %.2f pixels of the network's input", p.Name, w[:4], off/pixel)
				continue
			}
			d := math.Abs(float64(got.Score) - w[14])
			worstScore = max(worstScore, d)
			if d > 0.02 {
				t.Errorf("%s: score %.3f, OpenCV has %.3f", p.Name, got.Score, w[14])
			}
		}
	}
	if total < 40 {
		t.Errorf("only %d faces were compared", total)
	}
	t.Logf("%d faces; largest difference %.3f pixels of the network's input, %.4f in the score", total, worst, worstScore)
}

// nearest returns the face whose box and landmarks are nearest to OpenCV's row, and
// the largest difference of a coordinate.
func nearest(faces []semblance.Face, row []float64) (best semblance.Face, off float64) {
	off = math.Inf(1)
	for _, f := range faces {
		b := f.Box
		mine := []float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}
		for _, p := range f.Landmarks {
			mine = append(mine, float64(p.X), float64(p.Y))
		}
		d := 0.0
		for i := range mine {
			d = max(d, math.Abs(mine[i]-row[i]))
		}
		if d < off {
			best, off = f, d
		}
	}
	return best, off
}

// TestDetectSurvivesAbsurdFrames are frames that a file can be without a face in it.
func TestDetectSurvivesAbsurdFrames(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	for _, size := range [][2]int{{1, 1}, {1, 700}, {700, 1}, {20000, 10}, {10, 20000}, {3, 100000}, {33, 31}, {800, 600}} {
		for _, value := range []byte{0, 255} {
			f := &semblance.Frame{Width: size[0], Height: size[1], RGB: make([]byte, 3*size[0]*size[1])}
			for i := range f.RGB {
				f.RGB[i] = value
			}
			for _, minFace := range []int{0, 8} {
				faces, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: minFace}})
				if err != nil || faces == nil || len(faces) != 0 {
					t.Errorf("%v pixels of %d, faces from %d: %v, %v", size, value, minFace, faces, err)
				}
			}
		}
	}
	for name, f := range map[string]*semblance.Frame{
		"nil":   nil,
		"empty": {},
		"short": {Width: 100, Height: 100, RGB: make([]byte, 3*100*99)},
		"minus": {Width: -5, Height: 10, RGB: make([]byte, 300)},
	} {
		if _, err := y.Detect(f, semblance.FindOptions{}); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDetectIsRepeatable detects twice, with another picture between: the second
// answer is the first, bit for bit, and nothing of the other picture is in it.
func TestDetectIsRepeatable(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	group, other := photograph(t, "groups/2007_007763.jpg"), photograph(t, "faces/bona.jpg")
	first, err := y.Detect(group, semblance.FindOptions{})
	if err != nil || len(first) != 7 {
		t.Fatalf("%d faces, %v; want 7", len(first), err)
	}
	if _, err := y.Detect(other, semblance.FindOptions{}); err != nil {
		t.Fatal(err)
	}
	second, err := y.Detect(group, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := mustJSON(t, first), mustJSON(t, second); a != b {
		t.Errorf("first %s\nthen  %s", a, b)
	}
}

// TestDetectFindsFacesThatFillTheFrame cuts a portrait down to the box of its face.
func TestDetectFindsFacesThatFillTheFrame(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	f := photograph(t, "faces/jimin.jpg")
	faces, err := y.Detect(f, semblance.FindOptions{})
	if err != nil || len(faces) != 1 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	b := faces[0].Box
	x0, y0, w, h := int(b.X), int(b.Y), int(b.W), int(b.H)
	cut := &semblance.Frame{Width: w, Height: h}
	for row := y0; row < y0+h; row++ {
		cut.RGB = append(cut.RGB, f.RGB[3*(row*f.Width+x0):3*(row*f.Width+x0+w)]...)
	}
	close, err := y.Detect(cut, semblance.FindOptions{})
	if err != nil || len(close) != 1 {
		t.Fatalf("the face alone: %d faces, %v", len(close), err)
	}
	for i, p := range close[0].Landmarks {
		q := faces[0].Landmarks[i]
		if d := math.Hypot(float64(p.X+float32(x0)-q.X), float64(p.Y+float32(y0)-q.Y)); d > 0.06*float64(w) {
			t.Errorf("landmark %d is %.1f pixels off on a face of %d", i, d, w)
		}
	}
}

func TestYuNetSelfCheck(t *testing.T) {
	t.Parallel()
	if err := openYuNet(t, detector.DefaultOptions()).SelfCheck(); err != nil {
		t.Error(err)
	}
}

func TestOpenYuNetSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.onnx")
	if err := os.WriteFile(bad, []byte("not a network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*detector.Options)
		code   semblance.Code
	}{
		"missing": {func(o *detector.Options) { o.Model = bad + ".none" }, semblance.Unavailable},
		"altered": {func(o *detector.Options) { o.SHA256 = "00" }, semblance.Unavailable},
		"options": {func(o *detector.Options) { o.Score = 2 }, semblance.Invalid},
	} {
		o := detector.DefaultOptions()
		o.Model = bad
		c.change(&o)
		if _, err := detector.OpenYuNet(o); semblance.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
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
