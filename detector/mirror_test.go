package detector

import (
	"slices"
	"testing"

	"semblance"
)

// TestMirroredTwiceIsTheSame mirrors planes and faces there and back.
func TestMirroredTwiceIsTheSame(t *testing.T) {
	t.Parallel()
	planes := checkPlanes()
	once, twice := make([]float32, len(planes)), make([]float32, len(planes))
	mirrorPlanes(once, planes, checkSide)
	mirrorPlanes(twice, once, checkSide)
	if !slices.Equal(twice, planes) || slices.Equal(once, planes) {
		t.Error("mirrored twice is another picture, or mirrored once the same")
	}
	for _, at := range [][2]int{{0, 0}, {17, 5}, {63, 63}} {
		x, y := at[0], at[1]
		if once[y*checkSide+x] != planes[y*checkSide+checkSide-1-x] {
			t.Errorf("pixel %d,%d is not the one across", x, y)
		}
	}
	face := semblance.Face{Box: semblance.Box{X: 10, Y: 20, W: 30, H: 40}}
	for _, p := range [][2]float32{{15, 30}, {31, 31}, {24, 40}, {17, 50}, {30, 51}} {
		face.Landmarks = append(face.Landmarks, semblance.Point{X: p[0], Y: p[1]})
	}
	moved := face
	moved.Landmarks = slices.Clone(face.Landmarks)
	unmirror(&moved, 128)
	if moved.Box != (semblance.Box{X: 88, Y: 20, W: 30, H: 40}) {
		t.Errorf("the box is mirrored to %+v", moved.Box)
	}
	if l := moved.Landmarks; l[0].X >= l[1].X || l[3].X >= l[4].X || l[0] != (semblance.Point{X: 97, Y: 31}) {
		t.Errorf("the left eye of the mirror image is the right one: %+v", l)
	}
	unmirror(&moved, 128)
	if moved.Box != face.Box || !slices.Equal(moved.Landmarks, face.Landmarks) {
		t.Errorf("there and back is %+v", moved)
	}
}

func TestMeanOfLooks(t *testing.T) {
	t.Parallel()
	look := func(by float32) *semblance.Face {
		f := &semblance.Face{Box: semblance.Box{X: 1 + by, Y: 2, W: 3, H: 4 - by}, Landmarks: make([]semblance.Point, 5)}
		f.Landmarks[4] = semblance.Point{X: 8 * by, Y: 7}
		return f
	}
	var m mean
	m.add(look(0))
	box, points := m.face()
	if box != look(0).Box || !slices.Equal(points, look(0).Landmarks) {
		t.Errorf("the mean of one look is %+v %v", box, points)
	}
	m.add(look(1))
	box, points = m.face()
	if box != (semblance.Box{X: 1.5, Y: 2, W: 3, H: 3.5}) || points[4] != (semblance.Point{X: 4, Y: 7}) {
		t.Errorf("the mean of two looks is %+v %v", box, points)
	}
}
