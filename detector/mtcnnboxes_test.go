package detector

import (
	"math"
	"slices"
	"testing"

	"semblance"
)

// TestEveryWindowIsInOnePart: what PNet is shown in parts is what it would see at
// once, each window in one part and in one only.
func TestEveryWindowIsInOnePart(t *testing.T) {
	t.Parallel()
	for _, length := range []int{11, 12, 13, 14, 639, 640, 641, 642, 652, 653, 1270, 2000, 2001} {
		var got []int
		starts, lengths := stretches(length, 640)
		for i, at := range starts {
			if lengths[i] > 640 || at+lengths[i] > length {
				t.Errorf("length %d: a part of %d at %d", length, lengths[i], at)
			}
			for w := 0; w+pnetWindow <= lengths[i]; w += pnetStep {
				got = append(got, at+w)
			}
		}
		var want []int
		for w := 0; w+pnetWindow <= length; w += pnetStep {
			want = append(want, w)
		}
		if !slices.Equal(got, want) {
			t.Errorf("length %d: windows at %v, want %v", length, got, want)
		}
	}
}

func TestThePyramidLooksForWhatWasAskedWithinItsMeans(t *testing.T) {
	t.Parallel()
	pixels := func(w, h int, scales []float64) (sum float64) {
		for _, s := range scales {
			sum += float64(w) * float64(h) * s * s
		}
		return sum
	}
	for story, c := range map[string]struct {
		w, h, minFace, looks, reached int
		first                         float64
	}{
		"the default reduces to 640 pixels":         {3200, 2000, 0, 750, 60, 0.2},
		"a small picture is not enlarged":           {200, 100, 0, 750, 12, 1},
		"smaller faces need a finer look":           {3200, 2000, 24, 750, 24, 0.5},
		"larger ones cost no more than the default": {3200, 2000, 500, 750, 60, 0.2},
		"under a window nothing is seen":            {1000, 1000, 8, 750, 12, 1},
		"no work left: the default":                 {3200, 2000, 12, 1, 60, 0.2},
	} {
		scales, reached := pyramid(c.w, c.h, 640, c.minFace, c.looks)
		if reached != c.reached || math.Abs(scales[0]-c.first) > 1e-9 {
			t.Errorf("%s: from %v down to faces of %d, want %v and %d", story, scales[0], reached, c.first, c.reached)
		}
		last := scales[len(scales)-1] * float64(min(c.w, c.h))
		if last < pnetWindow || last*pyramidStep >= pnetWindow {
			t.Errorf("%s: the last look is %v pixels high", story, last)
		}
	}
	scales, reached := pyramid(20000, 10000, 640, 16, 750)
	if p := pixels(20000, 10000, scales); p > 750*lookPixels || p < 700*lookPixels || reached <= 16 {
		t.Errorf("a huge picture: %v million pixels, faces from %d", p/1e6, reached)
	}
	if scales, _ := pyramid(640, 5, 640, 0, 750); len(scales) != 0 {
		t.Errorf("a picture of 5 rows is looked at: %v", scales)
	}
}

func TestWindowsReadPNetsAnswer(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	score := []float32{0.1, 0.9, nan, 0.7, 0.95, 0.8}
	box := make([]float32, 4*6)
	box[1], box[6+1], box[12+1], box[18+1] = 0.5, -0.5, 0, 1 // the second window's left, top, right, bottom
	box[4] = nan
	box[18+5] = float32(math.Inf(1))
	got := windows(score, box, 3, 2, 100, 200, 0.5, 0.75)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	// It begins at 102, 200 of the look: 204, 400 of the frame, and is 24 wide.
	if want := (proposal{x0: 204 + 12, y0: 400 - 12, x1: 228, y1: 424 + 24, score: 0.9}); got[0] != want {
		t.Errorf("%+v, want %+v", got[0], want)
	}
}

func TestThinKeepsTheBestAndDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	list := []proposal{
		{0, 0, 10, 10, 0.8, [5]semblance.Point{}}, {1, 0, 11, 10, 0.9, [5]semblance.Point{}},
		{0, 0, 10, 10, 0.9, [5]semblance.Point{}}, {50, 50, 60, 60, 0.5, [5]semblance.Point{}}, {3, 3, 6, 6, 0.7, [5]semblance.Point{}},
	}
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	byU, byL := thin(slices.Clone(list), 0.5, byUnion), thin(slices.Clone(list), 0.5, byLesser)
	if len(byU) != 3 || byU[0].x0 != 0 || byU[0].score != 0.9 || byU[1].score != 0.7 {
		t.Errorf("by union: %+v", byU)
	}
	if len(byL) != 2 || byL[1].score != 0.5 {
		t.Errorf("by the lesser: a face within a face is kept: %+v", byL)
	}
	if !slices.Equal(byU, thin(reversed, 0.5, byUnion)) {
		t.Error("the order of the input decides")
	}
	var many []proposal
	for i := range 3 * mostProposals {
		many = append(many, proposal{x0: float64(20 * i), y0: 0, x1: float64(20*i + 10), y1: 10, score: 0.5 + float32(i)/1e5})
	}
	kept := thin(many, 0.5, byUnion)
	if len(kept) != mostProposals || kept[0].x0 != float64(20*(3*mostProposals-1)) {
		t.Errorf("%d are kept, the first at %v", len(kept), kept[0].x0)
	}
}

func TestTurnedFramesTurnBack(t *testing.T) {
	t.Parallel()
	f := noise(7, 31, 17)
	back := turnFrame(turnFrame(f, 90), 270)
	twice := turnFrame(turnFrame(f, 90), 90)
	if !slices.Equal(back.RGB, f.RGB) || !slices.Equal(twice.RGB, turnFrame(f, 180).RGB) {
		t.Error("turns do not add up")
	}
	// A pixel of a turned frame lies where a view of that turn says.
	for _, turn := range []int{90, 180, 270} {
		g := turnFrame(f, turn)
		v := view{w: 31, h: 17, outW: 31, outH: 17, turn: turn}
		for y := range g.Height {
			for x := range g.Width {
				fx, fy := v.unturn(float64(x)+0.5, float64(y)+0.5)
				from, to := 3*(int(fy)*31+int(fx)), 3*(y*g.Width+x)
				if !slices.Equal(f.RGB[from:from+3], g.RGB[to:to+3]) {
					t.Fatalf("turn %d: pixel %d,%d is not that at %v,%v", turn, x, y, fx, fy)
				}
			}
		}
	}
}

func TestPictureIsWhatWasResampled(t *testing.T) {
	t.Parallel()
	f := noise(9, 20, 30)
	v := view{w: 20, h: 30, outW: 20, outH: 30, planeW: 20, planeH: 30}
	planes := make([]float32, 3*20*30)
	resample(f, &v, planes)
	if !slices.Equal(picture(planes, 20, 30).RGB, f.RGB) {
		t.Error("a look at full size is another picture")
	}
}
