package embeddings

import (
	"math"
	"slices"
	"testing"

	"semblance"
)

func TestVectorRefusesWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	s := MobileFaceNet()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, raw := range map[string][]float32{
		"zero": {0, 0, 0}, "NaN": {1, nan, 0}, "infinite": {1, inf, 0}, "tiny": {1e-9, 0, 0}, "empty": nil,
	} {
		if v, err := s.vector(raw); semblance.CodeOf(err) != semblance.Internal {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	v, err := s.vector([]float32{3, 0, -4})
	if err != nil || !slices.Equal(v, []float32{0.6, 0, -0.8}) {
		t.Errorf("normalized: %v, %v", v, err)
	}
	if v, err = DlibResNet().vector([]float32{3, 0, -4}); err != nil || !slices.Equal(v, []float32{3, 0, -4}) {
		t.Errorf("as it is: %v, %v", v, err)
	}
}

func TestFillWritesPlanes(t *testing.T) {
	t.Parallel()
	planes := make([]float32, 6)
	fillPlanes(planes, []byte{1, 2, 3, 4, 5, 6})
	if !slices.Equal(planes, []float32{1, 4, 2, 5, 3, 6}) {
		t.Errorf("got %v", planes)
	}
}

func TestShrink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ w, h, outW, outH int }{
		{1600, 900, 1600, 900}, {3200, 1600, 1600, 800}, {20000, 10, 1600, 1}, {10, 20000, 1, 1600}, {1, 1, 1, 1}, {1601, 1601, 1600, 1600},
	} {
		if w, h := dlibSize(c.w, c.h); w != c.outW || h != c.outH {
			t.Errorf("%dx%d becomes %dx%d, want %dx%d", c.w, c.h, w, h, c.outW, c.outH)
		}
	}
	f := &semblance.Frame{Width: 7, Height: 5, RGB: make([]byte, 3*35)}
	sum := 0
	for i := range f.RGB {
		f.RGB[i] = byte(i * 7)
	}
	small := shrink(f, 3, 2)
	// Columns 0-1, 2-3, 4-6 and rows 0-1, 2-4.
	for y := 2; y < 5; y++ {
		for x := 4; x < 7; x++ {
			sum += int(f.RGB[3*(y*7+x)+1])
		}
	}
	if got, want := int(small.RGB[3*(1*3+2)+1]), (sum+4)/9; got != want || small.Width != 3 || small.Height != 2 {
		t.Errorf("last pixel %d, want %d", got, want)
	}
	if shrink(f, 7, 5) != f {
		t.Error("a frame of the right size was copied")
	}
}

func TestDlibLandmarksAreLeftToRight(t *testing.T) {
	t.Parallel()
	got := dlibLandmarks([]semblance.Point{{X: 90, Y: 40}, {X: 70, Y: 42}, {X: 20, Y: 40}, {X: 40, Y: 42}, {X: 55, Y: 70}})
	want := []semblance.Point{{X: 30, Y: 41}, {X: 80, Y: 41}, {X: 55, Y: 70}}
	if !slices.Equal(got, want) || dlibLandmarks(nil) != nil {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestCheckAnswer(t *testing.T) {
	t.Parallel()
	s := MobileFaceNet()
	right := slices.Clone(s.known)
	if err := s.checkAnswer(right); err != nil {
		t.Error(err)
	}
	right[3] += 0.01
	if err := s.checkAnswer(right); semblance.CodeOf(err) != semblance.Unavailable {
		t.Errorf("a hundredth off: %v", err)
	}
	if err := (Spec{Name: "unknown"}).checkAnswer(right); err == nil {
		t.Error("a network without a known answer passes")
	}
}
