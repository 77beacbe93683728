//go:build cgo

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
)

// runtimeOnce guards the one start of ONNX Runtime in the test process.
var runtimeOnce = sync.OnceValue(func() error {
	return startRuntime(filepath.Join(modelsDir(), "libonnxruntime.so"))
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
