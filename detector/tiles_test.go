package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance"
)

// TestEveryFaceIsWholeInSomeTile throws faces of all sizes at frames of all shapes:
// each must lie wholly, and large enough, in a tile or in the look at the whole frame.
func TestEveryFaceIsWholeInSomeTile(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 1))
	for range 300 {
		width, height, minFace := 200+r.IntN(9000), 200+r.IntN(9000), 8+r.IntN(120)
		first := firstView(width, height, 640, 2)
		p := planTiles(width, height, minFace, first.scale(), 1<<20)
		if p.reached != minFace {
			t.Fatalf("%d by %d: faces from %d pixels are looked for, asked was %d", width, height, p.reached, minFace)
		}
		list := append([]view{first}, p.tiles...)
		for range 100 {
			side := min(float64(minFace)*math.Exp(r.Float64()*4), float64(min(width, height)))
			b := semblance.Box{W: float32(side), H: float32(side), X: float32(r.Float64() * (float64(width) - side)), Y: float32(r.Float64() * (float64(height) - side))}
			seen := slices.ContainsFunc(list, func(v view) bool {
				inside := float64(b.X) >= v.x && float64(b.Y) >= v.y && float64(b.X+b.W) <= v.x+v.w && float64(b.Y+b.H) <= v.y+v.h
				large := side*v.scale() >= surelySeen-1e-3 || v.scale() >= mostEnlarged-1e-9
				return inside && large && side*v.scale() <= 300 && !v.cuts(b) || v == first && side*v.scale() >= surelySeen
			})
			if !seen {
				t.Fatalf("%d by %d, faces from %d: one of %.0f pixels at %+v is seen in no tile", width, height, minFace, side, b)
			}
		}
	}
}

func TestTilesKeepToTheLimitAndSaySo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		width, height, minFace, looks int
		limited                       bool
	}{
		{4000, 3000, 24, 900, false},
		{16000, 12500, 24, 900, false},
		{16000, 12500, 8, 900, true}, // 200 megapixels, and as small as it goes
		{16000, 12500, 8, 1, true},
		{100000, 3, 8, 900, false},
		{1, 1, 8, 900, false},
		{65500, 3000, 8, 100, true},
	} {
		first := firstView(c.width, c.height, 640, 2)
		p := planTiles(c.width, c.height, c.minFace, first.scale(), c.looks)
		if got := tilesWorth(p.tiles); got > c.looks {
			t.Errorf("%+v: %d tiles' worth of work", c, got)
		}
		if limited := p.note(c.minFace) != ""; limited != c.limited || limited != (p.reached > c.minFace) {
			t.Errorf("%+v: faces from %d pixels, note %q", c, p.reached, p.note(c.minFace))
		}
		if p.reached < c.minFace {
			t.Errorf("%+v: faces from %d pixels", c, p.reached)
		}
	}
	if p := planTiles(4000, 3000, 0, 0.16, 750); len(p.tiles) != 0 || p.note(0) != "" {
		t.Errorf("nothing was asked for, and there are %d tiles", len(p.tiles))
	}
	if p := planTiles(4000, 3000, 400, 0.16, 750); len(p.tiles) != 0 {
		t.Errorf("the look at the whole frame shows faces of 400 pixels, and there are %d tiles", len(p.tiles))
	}
}

func TestMergeKeepsNeighborsAndDropsHalves(t *testing.T) {
	t.Parallel()
	see := func(score, x, y, w, h float32, change ...func(*sighting)) sighting {
		s := sighting{face: semblance.Face{Score: score, Box: semblance.Box{X: x, Y: y, W: w, H: h},
			Landmarks: []semblance.Point{{X: x + w/3, Y: y + h/3}, {X: x + 2*w/3, Y: y + h/3}, {X: x + w/2, Y: y + h/2}}}}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	cut := func(s *sighting) { s.cut, s.tile = true, true }
	tile := func(s *sighting) { s.tile = true }
	for name, c := range map[string]struct {
		seen []sighting
		want []float32 // scores
	}{
		"one face at two scales":                         {[]sighting{see(0.9, 0, 0, 100, 100), see(0.8, 5, 5, 90, 90)}, []float32{0.9}},
		"the whole frame holds where a tile scores more": {[]sighting{see(0.8, 0, 0, 100, 100), see(0.9, 5, 5, 90, 90, tile)}, []float32{0.8}},
		"cheek to cheek":                                 {[]sighting{see(0.9, 0, 0, 100, 100), see(0.8, 52, 0, 100, 100)}, []float32{0.9, 0.8}},
		"a child before its mother":                      {[]sighting{see(0.9, 0, 0, 100, 100), see(0.8, 60, 60, 30, 30)}, []float32{0.9, 0.8}},
		"half a face at a tile's border":                 {[]sighting{see(0.8, 0, 0, 100, 100), see(0.95, 0, 0, 45, 100, cut)}, []float32{0.8}},
		"both halves and no whole":                       {[]sighting{see(0.8, 0, 0, 50, 100, cut), see(0.9, 50, 0, 50, 100, cut)}, []float32{0.9, 0.8}},
		"the same half twice":                            {[]sighting{see(0.8, 0, 0, 50, 100, cut), see(0.9, 0, 0, 55, 100, cut)}, []float32{0.9}},
	} {
		r := rand.New(rand.NewPCG(1, 1))
		for range 5 {
			r.Shuffle(len(c.seen), func(i, j int) { c.seen[i], c.seen[j] = c.seen[j], c.seen[i] })
			var got []float32
			for _, s := range merge(slices.Clone(c.seen), 0.3) {
				got = append(got, s.face.Score)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: kept %v, want %v", name, got, c.want)
			}
		}
	}
}

func TestMergeBoundsWhatAFrameFullOfFacesCosts(t *testing.T) {
	t.Parallel()
	var seen []sighting
	for i := range mostSightings + 500 {
		seen = append(seen, sighting{face: semblance.Face{Score: 0.7 + float32(i)*1e-5, Box: semblance.Box{X: float32(20 * i), W: 10, H: 10}}})
	}
	lowest := seen[500].face.Score
	kept := merge(seen, 0.3)
	if len(kept) != mostSightings || kept[len(kept)-1].face.Score != lowest {
		t.Errorf("%d faces, the lowest score %v, want %d and %v", len(kept), kept[len(kept)-1].face.Score, mostSightings, lowest)
	}
}

// turnedFrame is the frame turned clockwise, the slow way.
func turnedFrame(f *semblance.Frame, turn int) *semblance.Frame {
	for ; turn > 0; turn -= 90 {
		o := &semblance.Frame{Width: f.Height, Height: f.Width, RGB: make([]byte, len(f.RGB))}
		for y := range o.Height {
			for x := range o.Width {
				copy(o.RGB[3*(y*o.Width+x):][:3], f.RGB[3*((f.Height-1-x)*f.Width+y):])
			}
		}
		f = o
	}
	return f
}

// TestTurningWhatIsShownIsShowingWhatIsTurned compares turned planes with those of
// the frame turned before, and positions in them with where they come from.
func TestTurningWhatIsShownIsShowingWhatIsTurned(t *testing.T) {
	t.Parallel()
	f := noise(5, 90, 60)
	v := wholeView(90, 60, 0.5)
	upright := make([]float32, 3*v.planeW*v.planeH)
	resample(f, &v, upright)
	for _, turn := range []int{90, 180, 270} {
		v.turn = turn
		w, h := v.shown()
		got := make([]float32, 3*w*h)
		turnPlanes(&v, got, upright)
		g := turnedFrame(f, turn)
		u := wholeView(g.Width, g.Height, 0.5)
		want := make([]float32, 3*u.planeW*u.planeH)
		resample(g, &u, want)
		if w != u.planeW || h != u.planeH || !slices.Equal(got, want) {
			t.Errorf("%d degrees: %d by %d, want %d by %d and the same pixels", turn, w, h, u.planeW, u.planeH)
		}
		// A face at (10, 6) to (14, 12) of the turned input, its eyes above its mouth.
		face := semblance.Face{Box: semblance.Box{X: 10, Y: 6, W: 4, H: 6}, Landmarks: []semblance.Point{{X: 11, Y: 8}, {X: 13, Y: 8}, {X: 12, Y: 9}, {X: 11, Y: 11}, {X: 13, Y: 11}}}
		v.toFrame(&face)
		box := map[int]semblance.Box{90: {X: 12, Y: 32, W: 12, H: 8}, 180: {X: 62, Y: 36, W: 8, H: 12}, 270: {X: 66, Y: 20, W: 12, H: 8}}[turn]
		eye := map[int]semblance.Point{90: {X: 16, Y: 38}, 180: {X: 68, Y: 44}, 270: {X: 74, Y: 22}}[turn]
		if face.Box != box || face.Landmarks[0] != eye || face.Turn != turn {
			t.Errorf("%d degrees: %+v with the first eye at %+v, want %+v and %+v", turn, face.Box, face.Landmarks[0], box, eye)
		}
	}
}
