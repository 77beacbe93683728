//go:build cgo && native

package detector_test

import (
	"math"
	"slices"
	"testing"

	"semblance"
	"semblance/detector"
)

// portraits are photographs with one large face each.
var portraits = []string{"bona2", "chaeyeon3", "chaeyoung", "tzuyu", "yujin", "joy", "seulgi", "luda"}

// part copies a part of a frame; outside is black.
func part(f *semblance.Frame, x0, y0, w, h int) *semblance.Frame {
	out := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for y := range h {
		for x := range w {
			if sx, sy := x0+x, y0+y; sx >= 0 && sy >= 0 && sx < f.Width && sy < f.Height {
				copy(out.RGB[3*(y*w+x):][:3], f.RGB[3*(sy*f.Width+sx):])
			}
		}
	}
	return out
}

// reduced is the frame at another size, the slow way: each pixel is the mean of those
// it covers.
func reduced(f *semblance.Frame, w, h int) *semblance.Frame {
	out := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for y := range h {
		y0, y1 := y*f.Height/h, max((y+1)*f.Height/h, y*f.Height/h+1)
		for x := range w {
			x0, x1 := x*f.Width/w, max((x+1)*f.Width/w, x*f.Width/w+1)
			var sum [3]int
			for sy := y0; sy < y1; sy++ {
				for sx := x0; sx < x1; sx++ {
					for c := range 3 {
						sum[c] += int(f.RGB[3*(sy*f.Width+sx)+c])
					}
				}
			}
			for c := range 3 {
				out.RGB[3*(y*w+x)+c] = byte(sum[c] / ((y1 - y0) * (x1 - x0)))
			}
		}
	}
	return out
}

// turned is the frame turned clockwise.
func turned(f *semblance.Frame, turn int) *semblance.Frame {
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

func only(t *testing.T, y *detector.YuNet, name string) (*semblance.Frame, semblance.Face) {
	t.Helper()
	f := photograph(t, "faces/"+name+".jpg")
	faces, err := y.Detect(f, semblance.FindOptions{})
	if err != nil || len(faces) != 1 {
		t.Fatalf("%s: %d faces, %v; want 1", name, len(faces), err)
	}
	return f, faces[0]
}

func overlapOf(a, b semblance.Box) float32 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}

// TestFourHundredFacesInOnePicture lays portraits out as a class photograph of
// 20 by 20 faces of about 30 pixels: each must be found once, where it is.
func TestFourHundredFacesInOnePicture(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	const cell, side = 56, 20
	var tiles []*semblance.Frame
	var boxes []semblance.Box
	for _, name := range portraits {
		f, face := only(t, y, name)
		b := face.Box
		size := int(1.8 * b.H) // closer together, halves of neighbors make faces of their own
		x0, y0 := int(b.X+b.W/2)-size/2, int(b.Y+b.H/2)-size/2
		k := float32(cell) / float32(size)
		tiles = append(tiles, reduced(part(f, x0, y0, size, size), cell, cell))
		boxes = append(boxes, semblance.Box{X: (b.X - float32(x0)) * k, Y: (b.Y - float32(y0)) * k, W: b.W * k, H: b.H * k})
	}
	f := &semblance.Frame{Width: cell * side, Height: cell * side, RGB: make([]byte, 3*cell*side*cell*side)}
	var want []semblance.Box
	for j := range side {
		for i := range side {
			k := (i + 3*j) % len(tiles)
			for row := range cell {
				copy(f.RGB[3*((j*cell+row)*f.Width+i*cell):], tiles[k].RGB[3*row*cell:3*(row+1)*cell])
			}
			b := boxes[k]
			want = append(want, semblance.Box{X: b.X + float32(i*cell), Y: b.Y + float32(j*cell), W: b.W, H: b.H})
		}
	}
	faces, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 24}})
	if err != nil {
		t.Fatal(err)
	}
	if len(faces) != len(want) {
		t.Errorf("%d faces, want %d", len(faces), len(want))
	}
	taken := make([]bool, len(faces))
	for i, w := range want {
		found := false
		for k := range faces {
			if !taken[k] && overlapOf(faces[k].Box, w) > 0.6 {
				taken[k], found = true, true
				break
			}
		}
		if !found {
			t.Errorf("the face in row %d, column %d at %+v is not found", i/side, i%side, w)
		}
	}
}

// TestSmallFacesAreFoundByTiles hides small faces in a large gray picture, some of
// them where tiles meet: the reduced look shows none, tiles show all, and the large
// face is the same with and without them.
func TestSmallFacesAreFoundByTiles(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	p, face := only(t, y, "tzuyu")
	small := reduced(p, int(30/face.Box.H*float32(p.Width)), int(30/face.Box.H*float32(p.Height)))
	f := &semblance.Frame{Width: 3000, Height: 2000, RGB: make([]byte, 3*3000*2000)}
	for i := range f.RGB {
		f.RGB[i] = 120
	}
	paste := func(s *semblance.Frame, x, y int) {
		for row := range s.Height {
			copy(f.RGB[3*((y+row)*f.Width+x):], s.RGB[3*row*s.Width:3*(row+1)*s.Width])
		}
	}
	paste(p, 1000, 900)
	places := [][2]int{{0, 0}, {2900, 5}, {480, 300}, {500, 620}, {515, 1100}, {2450, 1020}, {2900, 1860}, {560, 1500}}
	for _, at := range places {
		paste(small, at[0], at[1])
	}
	few, err := y.Detect(f, semblance.FindOptions{})
	if err != nil || len(few) != 1 {
		t.Fatalf("the reduced look: %d faces, %v", len(few), err)
	}
	all, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 24}})
	if err != nil || len(all) != 1+len(places) {
		t.Errorf("tiles: %d faces, %v, want %d", len(all), err, 1+len(places))
	}
	if !slices.ContainsFunc(all, func(a semblance.Face) bool { return mustJSON(t, a) == mustJSON(t, few[0]) }) {
		t.Errorf("the large face without tiles, %+v, is not among those with them", few[0])
	}
	again, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 24}})
	if err != nil || mustJSON(t, again) != mustJSON(t, all) {
		t.Errorf("a second run gives other faces, %v", err)
	}
	score := all[len(all)/2].Score
	certain, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 24, MinScore: score}})
	if err != nil || len(certain) < len(all)/2 || len(certain) >= len(all) || certain[len(certain)-1].Score < score {
		t.Errorf("with a score of %v: %d faces of %d, %v", score, len(certain), len(all), err)
	}
}

// TestFacesCutByTheBorder cuts two fifths of a face away at each side of the picture.
func TestFacesCutByTheBorder(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	for _, name := range portraits {
		f, face := only(t, y, name)
		b := face.Box
		dx, dy := int(0.4*b.W), int(0.4*b.H)
		x0, y0, x1, y1 := int(b.X), int(b.Y), int(b.X+b.W), int(b.Y+b.H)
		for side, cut := range map[string][4]int{
			"left": {x0 + dx, 0, f.Width, f.Height}, "right": {0, 0, x1 - dx, f.Height},
			"top": {0, y0 + dy, f.Width, f.Height}, "bottom": {0, 0, f.Width, y1 - dy},
		} {
			faces, err := y.Detect(part(f, cut[0], cut[1], cut[2]-cut[0], cut[3]-cut[1]), semblance.FindOptions{})
			whole := semblance.Box{X: b.X - float32(cut[0]), Y: b.Y - float32(cut[1]), W: b.W, H: b.H}
			if err != nil || !slices.ContainsFunc(faces, func(x semblance.Face) bool { return overlapOf(x.Box, whole) > 0.4 && x.Turn == 0 }) {
				t.Errorf("%s, cut off at the %s: %+v, %v", name, side, faces, err)
			}
		}
	}
}

// TestTurnedPictures turns portraits and a group with no orientation tag. YuNet sees
// many of the faces in them as upright ones; they must come as what they are, with
// the landmarks where they are in the picture as it was turned.
func TestTurnedPictures(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	for _, name := range append([]string{"pristin"}, portraits...) {
		f := photograph(t, "faces/"+name+".jpg")
		upright, err := y.Detect(f, semblance.FindOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, turn := range []int{90, 180, 270} {
			faces, err := y.Detect(turned(f, turn), semblance.FindOptions{})
			if err != nil || len(faces) != len(upright) {
				t.Errorf("%s turned by %d: %d faces, %v, want %d", name, turn, len(faces), err, len(upright))
				continue
			}
			for _, face := range faces {
				if face.Turn != 360-turn {
					t.Errorf("%s turned by %d: a face found when turned by %d more", name, turn, face.Turn)
				}
				if off := fromNearest(f, upright, face, turn); off > 0.1 {
					t.Errorf("%s turned by %d: a landmark is off by %.2f of the face", name, turn, off)
				}
			}
		}
	}
}

// fromNearest turns a face's landmarks back and returns how far they are from those
// of the nearest face, as part of its width.
func fromNearest(f *semblance.Frame, faces []semblance.Face, face semblance.Face, turn int) float64 {
	w, h := float64(f.Width), float64(f.Height)
	best := math.Inf(1)
	for _, u := range faces {
		worst := 0.0
		for i, p := range face.Landmarks {
			x, y := float64(p.X), float64(p.Y)
			switch turn {
			case 90:
				x, y = y, h-x
			case 180:
				x, y = w-x, h-y
			case 270:
				x, y = w-y, x
			}
			worst = max(worst, math.Hypot(x-float64(u.Landmarks[i].X), y-float64(u.Landmarks[i].Y)))
		}
		best = min(best, worst/float64(u.Box.W))
	}
	return best
}

// TestWhatWasNotLookedForIsSaid asks for the smallest faces of a large picture with
// next to no work allowed.
func TestWhatWasNotLookedForIsSaid(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	f := &semblance.Frame{Width: 4000, Height: 3000, RGB: make([]byte, 3*4000*3000)}
	var said []string
	faces, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 8}, Looks: 4, Warn: func(s string) { said = append(said, s) }})
	if err != nil || len(faces) != 0 || len(said) != 2 {
		t.Errorf("%d faces, %v, said %q; want that small faces were not looked for, and not in turned tiles", len(faces), err, said)
	}
	said = nil
	if _, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 160}, Warn: func(s string) { said = append(said, s) }}); err != nil || len(said) != 0 {
		t.Errorf("%v, said %q where all was looked for", err, said)
	}
	if _, err := y.Detect(f, semblance.FindOptions{Detection: semblance.Detection{MinFace: 3}}); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("faces of 3 pixels: %v", err)
	}
}

// TestFacesBeyondTheLimitAreNotLookedAtAgain keeps the count of them.
func TestFacesBeyondTheLimitAreNotLookedAtAgain(t *testing.T) {
	t.Parallel()
	y := openYuNet(t, detector.DefaultOptions())
	f := photograph(t, "faces/pristin.jpg")
	all, err := y.Detect(f, semblance.FindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	few, err := y.Detect(f, semblance.FindOptions{Faces: 3})
	if err != nil || len(few) != len(all) || mustJSON(t, few[:3]) != mustJSON(t, all[:3]) {
		t.Errorf("%d faces where a limit of 3 was given, %v; want %d, the first 3 the same", len(few), err, len(all))
	}
}
