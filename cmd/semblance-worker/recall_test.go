//go:build cgo && native

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	face "github.com/Kagami/go-face"

	"semblance"
	"semblance/media"
)

// BenchmarkRecall counts the faces that the default engine, go-face's HOG and its CNN
// find in the same JPEG files, one picture of each in turn, and what a picture costs
// them in processor time: ours decodes and detects; go-face embeds what it finds as
// well, since it cannot do without. Sets:
//
//   - whole: the photographs of testdata/faces, reduced to 1000 pixels, since the CNN
//     takes up to a minute for one as it is;
//   - pixels-N: reduced so that the largest face is N pixels high;
//   - turned-N: reduced to 600 pixels and turned clockwise by N degrees, without a tag;
//   - groups: the pictures of testdata/groups with the boxes of dlib's authors.
//
// Faces under leastMarked pixels are not counted. One run of all sets, about five
// minutes:
//
//	go test -tags native ./cmd/semblance-worker -run '^$' -bench Recall -cpu 1 -benchtime 1x
func BenchmarkRecall(b *testing.B) {
	if _, _, err := testModels("dlib-mmod"); err != nil {
		b.Skipf("SEMBLANCE_MODELS_DIR has no dlib models: %v", err)
	}
	photographs := markedPhotographs(b)
	run := func(name string, limit float32, list []marked, change func(*testing.B, marked) marked) {
		b.Run(name, func(b *testing.B) {
			var total recallOf
			e, r := open(b, semblance.DefaultEngine), goFace(b)
			for b.Loop() {
				total = recallOf{}
				for _, p := range list {
					total.add(b, change(b, p), e, r, limit)
				}
			}
			total.report(b)
		})
	}
	run("whole", 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, 1000) })
	for _, size := range []int{48, 32, 24} {
		run(fmt.Sprintf("pixels-%d", size), 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, p.sideFor(size)) })
	}
	for i, orientation := range []int{6, 3, 8} {
		turn := 90 * (i + 1)
		run(fmt.Sprintf("turned-%d", turn), 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, 600).turned(b, turn, orientation) })
	}
	run("groups", 0.4, markedGroups(b), func(_ *testing.B, p marked) marked { return p })
}

func goFace(b *testing.B) *face.Recognizer {
	r, err := face.NewRecognizer(modelsDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	return r
}

// leastMarked is the size from which on a face counts.
const leastMarked = 20

// A marked picture is a JPEG file with the boxes of its faces.
type marked struct {
	name  string
	jpeg  []byte
	boxes []semblance.Box
}

// markedPhotographs have the boxes that bench/face_boxes.py made.
func markedPhotographs(b *testing.B) (list []marked) {
	b.Helper()
	data, err := os.ReadFile("testdata/faces.json")
	if err != nil {
		b.Fatal(err)
	}
	var truth map[string][][4]float32
	if err := json.Unmarshal(data, &truth); err != nil {
		b.Fatal(err)
	}
	for _, path := range pictures(b, "faces/*.jpg") {
		p := marked{name: filepath.Base(path), jpeg: read(b, path)}
		for _, t := range truth[p.name] {
			p.boxes = append(p.boxes, semblance.Box{X: t[0], Y: t[1], W: t[2], H: t[3]})
		}
		list = append(list, p)
	}
	return list
}

// markedGroups have the boxes of dlib's training.xml and testing.xml.
func markedGroups(b *testing.B) (list []marked) {
	b.Helper()
	for _, name := range pictures(b, "groups/*.xml") {
		var doc struct {
			Images []struct {
				File  string `xml:"file,attr"`
				Boxes []struct {
					Left   float32 `xml:"left,attr"`
					Top    float32 `xml:"top,attr"`
					Width  float32 `xml:"width,attr"`
					Height float32 `xml:"height,attr"`
				} `xml:"box"`
			} `xml:"images>image"`
		}
		d := xml.NewDecoder(bytes.NewReader(read(b, name)))
		d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // declared Latin-1, written in ASCII
		if err := d.Decode(&doc); err != nil {
			b.Fatal(err)
		}
		for _, i := range doc.Images {
			p := marked{name: i.File, jpeg: read(b, filepath.Join(filepath.Dir(name), i.File))}
			for _, x := range i.Boxes {
				p.boxes = append(p.boxes, semblance.Box{X: x.Left, Y: x.Top, W: x.Width, H: x.Height})
			}
			list = append(list, p)
		}
	}
	return list
}

func read(b *testing.B, path string) []byte {
	b.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// frame decodes the picture, upright.
func (p marked) frame(b *testing.B) (f *semblance.Frame) {
	b.Helper()
	opened(b, p.jpeg, func(frame *semblance.Frame) {
		f = &semblance.Frame{Width: frame.Width, Height: frame.Height, RGB: bytes.Clone(frame.RGB)}
	})
	return f
}

func opened(b *testing.B, jpeg []byte, use func(*semblance.Frame)) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "picture.jpg")
	if err := os.WriteFile(path, jpeg, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p, err := media.Open(f, semblance.DefaultLimits(), media.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	for frame, err := range p.Frames() {
		if err != nil {
			b.Fatal(err)
		}
		use(media.Upright(frame, p.Describe().Orientation))
	}
}

// sideFor is the longer side at which the largest face is so many pixels high.
func (p marked) sideFor(pixels int) func(*semblance.Frame) int {
	return func(f *semblance.Frame) int {
		largest := float32(1)
		for _, x := range p.boxes {
			largest = max(largest, x.H)
		}
		return int(float32(pixels) / largest * float32(max(f.Width, f.Height)))
	}
}

// fit reduces the picture so that its longer side is side: a number, or what a
// function makes of the frame.
func (p marked) fit(b *testing.B, side any) marked {
	b.Helper()
	f := p.frame(b)
	size, ok := side.(int)
	if !ok {
		size = side.(func(*semblance.Frame) int)(f)
	}
	small := media.Fit(f, size)
	k := float32(small.Width) / float32(f.Width)
	out := marked{name: p.name, jpeg: compressed(b, small)}
	for _, x := range p.boxes {
		out.boxes = append(out.boxes, semblance.Box{X: k * x.X, Y: k * x.Y, W: k * x.W, H: k * x.H})
	}
	return out
}

// turned turns the picture clockwise, which is what the orientation asks for.
func (p marked) turned(b *testing.B, turn, orientation int) marked {
	b.Helper()
	f := p.frame(b)
	out := marked{name: p.name, jpeg: compressed(b, media.Upright(f, orientation))}
	w, h := float32(f.Width), float32(f.Height)
	for _, x := range p.boxes {
		out.boxes = append(out.boxes, map[int]semblance.Box{
			90:  {X: h - x.Y - x.H, Y: x.X, W: x.H, H: x.W},
			180: {X: w - x.X - x.W, Y: h - x.Y - x.H, W: x.W, H: x.H},
			270: {X: x.Y, Y: w - x.X - x.W, W: x.H, H: x.W},
		}[turn])
	}
	return out
}

func compressed(b *testing.B, f *semblance.Frame) []byte {
	b.Helper()
	data, err := media.EncodeJPEG(f, 95)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// A recallOf counts for the engine, HOG and CNN.
type recallOf struct {
	pictures, faces int
	found, extra    [3]int
	ms              [3]float64 // processor time
}

func (t *recallOf) add(b *testing.B, p marked, e semblance.FaceFinder, r *face.Recognizer, limit float32) {
	b.Helper()
	t.pictures++
	for i, look := range []func() []semblance.Box{
		func() (boxes []semblance.Box) {
			opened(b, p.jpeg, func(f *semblance.Frame) {
				faces, err := e.Find(f, semblance.FindOptions{DetectOnly: true})
				if err != nil {
					b.Fatal(err)
				}
				for _, x := range faces {
					boxes = append(boxes, x.Box)
				}
			})
			return boxes
		},
		func() []semblance.Box { return boxesOf(b, p.jpeg, r.Recognize) },
		func() []semblance.Box { return boxesOf(b, p.jpeg, r.RecognizeCNN) },
	} {
		start := cpuTime()
		boxes := look()
		t.ms[i] += cpuTime() - start
		found, extra := count(p.boxes, boxes, limit)
		t.found[i] += found
		t.extra[i] += extra
	}
	for _, x := range p.boxes {
		if max(x.W, x.H) >= leastMarked {
			t.faces++
		}
	}
}

func boxesOf(b *testing.B, jpeg []byte, recognize func([]byte) ([]face.Face, error)) (boxes []semblance.Box) {
	b.Helper()
	faces, err := recognize(jpeg)
	if err != nil {
		b.Fatal(err)
	}
	for _, x := range faces {
		r := x.Rectangle
		boxes = append(boxes, semblance.Box{X: float32(r.Min.X), Y: float32(r.Min.Y), W: float32(r.Dx()), H: float32(r.Dy())})
	}
	return boxes
}

// count pairs each marked face that counts with a box that overlaps it (intersection
// over union), and says how many boxes belong to no marked face at all.
func count(truth, boxes []semblance.Box, limit float32) (found, extra int) {
	taken := make([]bool, len(boxes))
	for _, t := range truth {
		best, most := -1, limit
		for i, x := range boxes {
			if o := overlapping(t, x); !taken[i] && o >= most {
				best, most = i, o
			}
		}
		if best >= 0 {
			taken[best] = true
			if max(t.W, t.H) >= leastMarked {
				found++
			}
		}
	}
	for _, done := range taken {
		if !done {
			extra++
		}
	}
	return found, extra
}

func overlapping(a, b semblance.Box) float32 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}

func (t *recallOf) report(b *testing.B) {
	b.ReportMetric(float64(t.faces), "marked")
	for i, name := range []string{"ours", "hog", "cnn"} {
		b.ReportMetric(float64(t.found[i]), name+"-found")
		b.ReportMetric(float64(t.extra[i]), name+"-extra")
		b.ReportMetric(t.ms[i]/float64(max(t.pictures, 1)), name+"-ms")
	}
}
