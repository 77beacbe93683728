//go:build cgo && native

package detector_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/detector"
)

// mtcnnOptions are the pinned ones with the files, or skip the test.
func mtcnnOptions(t testing.TB) detector.MTCNNOptions {
	t.Helper()
	if modelsDir() == "" {
		t.Skip("SEMBLANCE_MODELS_DIR is not set: MTCNN is not tested")
	}
	if err := startRuntime(); err != nil {
		t.Skipf("libonnxruntime.so is not in SEMBLANCE_MODELS_DIR: %v", err)
	}
	o := detector.DefaultMTCNN()
	for name, f := range map[string]*detector.NetworkFile{"pnet": &o.PNet, "rnet": &o.RNet, "onet": &o.ONet} {
		f.Path = filepath.Join(modelsDir(), "mtcnn-"+name+".onnx")
		if _, err := os.Stat(f.Path); err != nil {
			t.Skipf("MTCNN is not in SEMBLANCE_MODELS_DIR: %v", err)
		}
	}
	return o
}

func openMTCNN(t testing.TB, o detector.MTCNNOptions) *detector.MTCNN {
	t.Helper()
	m, err := detector.OpenMTCNN(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestMTCNNSelfCheck(t *testing.T) {
	t.Parallel()
	m := openMTCNN(t, mtcnnOptions(t))
	if err := m.SelfCheck(); err != nil {
		t.Error(err)
	}
	if len(m.SHA256()) != 3 {
		t.Error(m.SHA256())
	}
}

func TestOpenMTCNNSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := mtcnnOptions(t)
	for story, change := range map[string]func(o *detector.MTCNNOptions){
		"missing": func(o *detector.MTCNNOptions) { o.RNet.Path += ".gone" },
		"altered": func(o *detector.MTCNNOptions) { o.ONet.SHA256 = strings.Repeat("00", 32) },
		"another": func(o *detector.MTCNNOptions) { o.PNet.Path = filepath.Join(modelsDir(), "MobileFaceNet.tflite") },
	} {
		o := good
		change(&o)
		if _, err := detector.OpenMTCNN(o); !errors.Is(err, semblance.Unavailable) || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v", story, err)
		}
	}
	// Networks in each other's place load, and are found out by their answers.
	o := good
	o.PNet, o.RNet = o.RNet, o.PNet
	if err := openMTCNN(t, o).SelfCheck(); err == nil {
		t.Error("networks that changed places pass the self-check")
	}
}

// TestMTCNNFindsThePortraitsInEveryStance also finds them in small.
func TestMTCNNFindsThePortraitsInEveryStance(t *testing.T) {
	t.Parallel()
	m := openMTCNN(t, mtcnnOptions(t))
	f := photograph(t, "faces/bona.jpg")
	upright, err := m.Detect(f, semblance.FindOptions{})
	if err != nil || len(upright) == 0 || upright[0].Score < 0.95 || upright[0].Turn != 0 || len(upright[0].Landmarks) != 5 {
		t.Fatalf("%+v, %v", upright, err)
	}
	l := upright[0].Landmarks
	if !(l[0].X < l[1].X && l[3].X < l[4].X && l[0].Y < l[3].Y && l[1].Y < l[4].Y && l[2].Y > l[0].Y && l[2].Y < l[3].Y) {
		t.Errorf("the landmarks are not eye, eye, nose, mouth corner, mouth corner: %v", l)
	}
	again, err := m.Detect(f, semblance.FindOptions{})
	if err != nil || !slices.Equal(again[0].Landmarks, l) || again[0].Box != upright[0].Box {
		t.Errorf("the second time it is another face: %v", err)
	}
	for _, turn := range []int{90, 180, 270} {
		g := rotate(f, turn)
		faces, err := m.Detect(g, semblance.FindOptions{})
		if err != nil || len(faces) == 0 {
			t.Errorf("turned by %d: %d faces, %v", turn, len(faces), err)
			continue
		}
		// The frame was turned by turn clockwise, and stands again after the rest.
		if faces[0].Turn != 360-turn {
			t.Errorf("turned by %d: found after a turn by %d", turn, faces[0].Turn)
		}
		eye := faces[0].Landmarks[0]
		wantX, wantY := rotated(f, turn, l[0])
		size := float64(upright[0].Box.W)
		if d := math.Hypot(float64(eye.X)-wantX, float64(eye.Y)-wantY); d > 0.08*size {
			t.Errorf("turned by %d: the first eye is %.0f pixels off, of a face of %.0f", turn, d, size)
		}
	}
}

// rotate turns a frame clockwise, in the plainest way.
func rotate(f *semblance.Frame, turn int) *semblance.Frame {
	for ; turn > 0; turn -= 90 {
		g := &semblance.Frame{Width: f.Height, Height: f.Width, RGB: make([]byte, 0, len(f.RGB))}
		for y := range g.Height {
			for x := range g.Width {
				at := 3 * ((f.Height-1-x)*f.Width + y)
				g.RGB = append(g.RGB, f.RGB[at:at+3]...)
			}
		}
		f = g
	}
	return f
}

// rotated is where a point of f lies after the turn.
func rotated(f *semblance.Frame, turn int, p semblance.Point) (float64, float64) {
	x, y, w, h := float64(p.X), float64(p.Y), float64(f.Width), float64(f.Height)
	for ; turn > 0; turn -= 90 {
		x, y, w, h = h-y, x, h, w
	}
	return x, y
}

func TestMTCNNHonorsItsSettings(t *testing.T) {
	t.Parallel()
	m := openMTCNN(t, mtcnnOptions(t))
	// A portrait in the corner of a large gray picture: its face is 40 pixels of 3000.
	f := &semblance.Frame{Width: 3000, Height: 2000, RGB: make([]byte, 3*3000*2000)}
	for i := range f.RGB {
		f.RGB[i] = 128
	}
	portrait := photograph(t, "faces/bona.jpg")
	const step = 12
	for y := range portrait.Height / step {
		for x := range portrait.Width / step {
			copy(f.RGB[3*((y+900)*3000+x+1400):][:3], portrait.RGB[3*(y*step*portrait.Width+x*step):])
		}
	}
	none, err := m.Detect(f, semblance.FindOptions{})
	if err != nil || len(none) != 0 {
		t.Errorf("the default finds %d faces, %v; one of 40 pixels in 3000 is under its window", len(none), err)
	}
	small, err := m.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 30}})
	if err != nil || len(small) == 0 || small[0].Box.X < 1400 || small[0].Box.X > 1484 {
		t.Errorf("faces of 30 pixels were asked for: %+v, %v", small, err)
	}
	var said []string
	if _, err := m.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 30}, Looks: 1, Warn: func(s string) { said = append(said, s) }}); err != nil || len(said) != 1 {
		t.Errorf("no work is left for small faces: %q, %v", said, err)
	}
	if len(small) > 0 {
		strict, err := m.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 30, MinScore: 1}})
		if err != nil || slices.ContainsFunc(strict, func(x semblance.Face) bool { return x.Score < 1 }) {
			t.Errorf("a score under the least: %+v, %v", strict, err)
		}
	}
	if _, err := m.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: -1}}); !errors.Is(err, semblance.Invalid) {
		t.Errorf("a face of -1 pixels: %v", err)
	}
}

func TestMTCNNSurvivesAbsurdFrames(t *testing.T) {
	t.Parallel()
	m := openMTCNN(t, mtcnnOptions(t))
	for _, size := range [][2]int{{1, 1}, {11, 11}, {12, 12}, {13, 4000}, {4000, 1}, {641, 12}} {
		f := &semblance.Frame{Width: size[0], Height: size[1], RGB: make([]byte, 3*size[0]*size[1])}
		if faces, err := m.Detect(f, semblance.FindOptions{}); err != nil || len(faces) != 0 {
			t.Errorf("%v: %d faces, %v", size, len(faces), err)
		}
	}
	if _, err := m.Detect(&semblance.Frame{Width: 10, Height: 10}, semblance.FindOptions{}); !errors.Is(err, semblance.Invalid) {
		t.Errorf("a frame without pixels: %v", err)
	}
}

// TestMTCNNFindsTheGroups: the 43 faces that dlib's authors marked in nine
// photographs; 42 were found, and nothing else, when this was written.
func TestMTCNNFindsTheGroups(t *testing.T) {
	t.Parallel()
	m := openMTCNN(t, mtcnnOptions(t))
	marked, found, others := 0, 0, 0
	for name, boxes := range markedFaces(t) {
		faces, err := m.Detect(photograph(t, filepath.Join("groups", name)), semblance.FindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		here := 0
		for _, b := range boxes {
			if slices.ContainsFunc(faces, func(f semblance.Face) bool { return f.Box.Overlap(b) >= 0.4 }) {
				here++
			}
		}
		marked, found, others = marked+len(boxes), found+here, others+len(faces)-here
	}
	if marked != 43 || found < 41 || others > 2 {
		t.Errorf("%d of %d faces, and %d others", found, marked, others)
	}
}

// markedFaces reads the boxes of dlib's example by the name of the photograph.
func markedFaces(t *testing.T) map[string][]semblance.Box {
	t.Helper()
	out := map[string][]semblance.Box{}
	for _, list := range []string{"testing.xml", "training.xml"} {
		data, err := os.ReadFile(filepath.Join(os.Getenv("SEMBLANCE_TESTDATA"), "groups", list))
		if err != nil {
			t.Skipf("SEMBLANCE_TESTDATA has no groups: %v", err)
		}
		var set struct {
			Images []struct {
				File  string `xml:"file,attr"`
				Boxes []struct {
					Top    float32 `xml:"top,attr"`
					Left   float32 `xml:"left,attr"`
					Width  float32 `xml:"width,attr"`
					Height float32 `xml:"height,attr"`
				} `xml:"box"`
			} `xml:"images>image"`
		}
		d := xml.NewDecoder(bytes.NewReader(data))
		d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // names and numbers are ASCII
		if err := d.Decode(&set); err != nil {
			t.Fatal(err)
		}
		for _, image := range set.Images {
			for _, b := range image.Boxes {
				out[image.File] = append(out[image.File], semblance.Box{X: b.Left, Y: b.Top, W: b.Width, H: b.Height})
			}
		}
	}
	return out
}
