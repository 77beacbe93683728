//go:build cgo && native

package main

import (
	"bytes"
	"errors"
	"image/jpeg"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/worker"
)

// A fakePicture gives frames and then an error, if it has one.
type fakePicture struct {
	frames      []*semblance.Frame
	err         error
	orientation int
}

func (p *fakePicture) Embedded(int) []byte { return nil }

func (p *fakePicture) Describe() semblance.Analysis {
	return semblance.Analysis{Type: "image/fake", Width: 40, Height: 20, Orientation: p.orientation, Decoder: "fake"}
}

func (p *fakePicture) Frames() iter.Seq2[*semblance.Frame, error] {
	return func(yield func(*semblance.Frame, error) bool) {
		for _, f := range p.frames {
			if !yield(f, nil) {
				return
			}
		}
		if p.err != nil {
			yield(nil, p.err)
		}
	}
}

func (p *fakePicture) Close() error { return nil }

// A fakeEngine finds n faces and remembers the size of what it was shown.
type fakeEngine struct {
	n             int
	err           error
	width, height int
}

func (e *fakeEngine) Spec() (semblance.EngineSpec, map[string]string) {
	s, _ := semblance.EngineByName(semblance.DefaultEngine)
	return s, map[string]string{"m": "00"}
}

func (e *fakeEngine) Find(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	e.width, e.height = f.Width, f.Height
	faces := make([]semblance.Face, e.n)
	for i := range faces {
		faces[i] = semblance.Face{Box: semblance.Box{X: 2, Y: 2, W: 8, H: 8}, Score: 1 - float32(i)/100}
	}
	return faces, e.err
}

func (e *fakeEngine) Close() error { return nil }

func frame(index, w, h int) *semblance.Frame {
	f := &semblance.Frame{Index: index, Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	r := rand.New(rand.NewPCG(uint64(index), 7))
	for i := range f.RGB {
		f.RGB[i] = byte(r.Uint32())
	}
	return f
}

func request() *semblance.AnalyzeRequest {
	return &semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmDHash}, Crops: true, Thumbnail: 10,
		Engine: semblance.DefaultEngine, Limits: semblance.Limits{Faces: 3}.WithDefaults()}
}

func TestAnalysisHashesAsStoredAndLooksForFacesUpright(t *testing.T) {
	t.Parallel()
	stored, e := frame(0, 40, 20), &fakeEngine{n: 5}
	a, err := newAnalysis(request(), []semblance.FaceFinder{e}).of(&fakePicture{frames: []*semblance.Frame{stored, frame(4, 40, 20)}, orientation: 6})
	if err != nil {
		t.Fatal(err)
	}
	want, err := hashing.All(hashing.Pixels{Pix: stored.RGB, Width: 40, Height: 20, Stride: 120, Channels: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Hashes) != 2 || *a.Hashes[0].PDQ != want.PDQ || *a.Hashes[0].DHash != want.DHash || a.Hashes[0].PHash != nil || a.Hashes[1].Frame != 4 {
		t.Errorf("hashes %+v", a.Hashes)
	}
	if e.width != 20 || e.height != 40 {
		t.Errorf("the engine saw %d by %d pixels", e.width, e.height)
	}
	set := a.FaceSets[0]
	if len(set.Faces) != 6 || set.Dropped != 4 || set.Faces[3].Frame != 4 || set.Faces[2].Score < 0.97 || set.Models["m"] != "00" {
		t.Errorf("faces %+v", set)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(a.Thumbnail)); err != nil || c.Width != 5 || c.Height != 10 {
		t.Errorf("thumbnail %+v, %v", c, err)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(set.Faces[0].Crop)); err != nil || c.Width != 12 || c.Height != 12 {
		t.Errorf("crop %+v, %v", c, err)
	}
}

// Frames are given back as stored, whatever the orientation, and smaller where they are
// larger than was asked for; what does not fit an answer is told.
func TestFramesForProviders(t *testing.T) {
	t.Parallel()
	req := request()
	req.Pictures = 40
	small, large := frame(0, 40, 20), frame(3, 80, 60)
	a, err := newAnalysis(req, nil).of(&fakePicture{frames: []*semblance.Frame{small, large}, orientation: 6})
	if err != nil || len(a.Pictures) != 2 {
		t.Fatal(len(a.Pictures), err)
	}
	if p := a.Pictures[0]; p.Index != 0 || p.Width != 40 || p.Height != 20 || !bytes.Equal(p.RGB, small.RGB) || &p.RGB[0] == &small.RGB[0] {
		t.Errorf("a frame that fits is %d by %d, and its pixels are its decoder's or others", p.Width, p.Height)
	}
	sum := 0
	for _, at := range []int{0, 3, 3 * 80, 3*80 + 3} {
		sum += int(large.RGB[at])
	}
	if p := a.Pictures[1]; p.Index != 3 || p.Width != 40 || p.Height != 30 || int(p.RGB[0]) != (sum+2)/4 {
		t.Errorf("frame %d is %d by %d and begins with %d, not the mean %d", p.Index, p.Width, p.Height, p.RGB[0], (sum+2)/4)
	}
	if a, err := newAnalysis(request(), nil).of(&fakePicture{frames: []*semblance.Frame{small}}); err != nil || a.Pictures != nil {
		t.Error("pixels that nobody asked for", err)
	}
	many := newAnalysis(req, nil)
	many.pixels = worker.MaxPictureBytes - 3*40*20
	b, err := many.of(&fakePicture{frames: []*semblance.Frame{small, large}})
	if err != nil || len(b.Pictures) != 1 || len(b.Warnings) != 1 || len(b.Hashes) != 2 {
		t.Errorf("%d pictures, warnings %q, %v", len(b.Pictures), b.Warnings, err)
	}
}

func TestNoFaceIsTheAnswerOfADetectorThatRan(t *testing.T) {
	t.Parallel()
	a, err := newAnalysis(request(), []semblance.FaceFinder{&fakeEngine{}}).of(&fakePicture{frames: []*semblance.Frame{frame(0, 40, 20)}})
	if set, ran := a.Faces(semblance.DefaultEngine); err != nil || !ran || set.Faces == nil || len(set.Faces) != 0 {
		t.Errorf("%+v, %v, %v", set, ran, err)
	}
	broken := &fakeEngine{err: semblance.Errorf(semblance.Internal, "the net failed")}
	if a, err := newAnalysis(request(), []semblance.FaceFinder{broken}).of(&fakePicture{frames: []*semblance.Frame{frame(0, 40, 20)}}); err == nil {
		t.Errorf("a detector that failed found %+v", a.FaceSets)
	}
}

func TestAFrameThatFailsLaterLeavesTheOnesBefore(t *testing.T) {
	t.Parallel()
	damaged := semblance.Errorf(semblance.MediaDamaged, "frame 1 ends early")
	of := func(p *fakePicture) (semblance.Analysis, error) {
		return newAnalysis(request(), []semblance.FaceFinder{&fakeEngine{n: 1}}).of(p)
	}
	a, err := of(&fakePicture{frames: []*semblance.Frame{frame(0, 40, 20)}, err: damaged})
	if err != nil || a.Partial != "frame 1 ends early" || len(a.Hashes) != 1 || len(a.FaceSets[0].Faces) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := of(&fakePicture{err: damaged}); !errors.Is(err, semblance.MediaDamaged) {
		t.Errorf("nothing decoded: %v", err)
	}
	if _, err := of(&fakePicture{}); !errors.Is(err, semblance.MediaDamaged) {
		t.Errorf("no frames: %v", err)
	}
	if _, err := of(&fakePicture{frames: []*semblance.Frame{frame(0, 40, 20)}, err: errors.New("a disk failed")}); err == nil {
		t.Error("a failure of ours passes for half a picture")
	}
}

func TestSquareStaysOnThePicture(t *testing.T) {
	t.Parallel()
	f := frame(0, 50, 30)
	for _, box := range []semblance.Box{{X: 10, Y: 10, W: 8, H: 6}, {X: -5, Y: -5, W: 20, H: 20}, {X: 45, Y: 25, W: 50, H: 50}, {X: 0, Y: 0, W: 1000, H: 1}} {
		s := square(f, box)
		if s == nil || s.Width < 1 || s.Width > 50 || s.Height < 1 || s.Height > 30 || len(s.RGB) != 3*s.Width*s.Height {
			t.Errorf("%+v: %+v", box, s)
		}
	}
	s := square(f, semblance.Box{X: 10, Y: 12, W: 10, H: 8})
	if s.Width != 16 || s.Height != 16 || !bytes.Equal(s.RGB[:48], f.RGB[3*(8*50+7):3*(8*50+23)]) {
		t.Errorf("%d by %d from the wrong place", s.Width, s.Height)
	}
	nan := float32(math.NaN())
	for _, box := range []semblance.Box{{X: 100, Y: 100, W: 5, H: 5}, {X: nan, Y: nan, W: nan, H: nan}} {
		if s := square(f, box); s != nil {
			t.Errorf("%+v: %d by %d", box, s.Width, s.Height)
		}
	}
}

func TestEncodeKeepsToItsSize(t *testing.T) {
	t.Parallel()
	noise := frame(0, 256, 256)
	all, err := encode(noise, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	less, err := encode(noise, len(all)-1)
	if err != nil || len(less) == 0 || len(less) >= len(all) {
		t.Errorf("%d bytes where %d were too many: %v", len(less), len(all), err)
	}
	if none, err := encode(noise, 100); err != nil || none != nil {
		t.Errorf("%d bytes, %v", len(none), err)
	}
}

func TestMemoryLeftShrinksWithUse(t *testing.T) {
	m := openMemory()
	if m.statm == nil {
		t.Skip("no /proc/self/statm here")
	}
	const limit = 64 << 30
	before := m.left(limit)
	b := make([]byte, 256<<20)
	after := m.left(limit)
	if before >= limit || before-after < 200<<20 {
		t.Errorf("%d left before 256 MiB were taken, %d after", before, after)
	}
	b[0] = 1
	if left := m.left(1); left != 1<<20 {
		t.Errorf("%d left of nothing", left)
	}
}
