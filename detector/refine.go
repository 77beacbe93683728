//go:build cgo && native

package detector

import "semblance"

// refine takes over the mean box and landmarks of two close-ups of a face, one of
// them mirrored: what YuNet does wrong to the left and right of a face then
// cancels. Faces too small to be searched are left as they are, and so are those that
// neither close-up shows.
func (y *YuNet) refine(f *semblance.Frame, s *sighting) error {
	face := &s.face
	if eyeDistance(face.Landmarks) < minEyeDistance {
		return nil
	}
	v := closeUp(face.Box, refineRoom, face.Turn)
	looks, err := y.lookTwice(f, v, min(y.opts.Score, face.Score))
	if err != nil {
		return err
	}
	var m mean
	for _, found := range looks {
		if best := nearestTo(face.Box, found); best != nil {
			m.add(best)
		}
	}
	if m.n > 0 {
		face.Box, face.Landmarks = m.face()
		s.cut = false
	}
	return nil
}

// lookTwice is lookAt at a view and at its mirror image, at once. The faces of
// the second are not mirrored.
func (y *YuNet) lookTwice(f *semblance.Frame, v view, score float32) ([][]semblance.Face, error) {
	y.show(f, v)
	w, h := v.shown()
	y.pair = room(y.pair, 2*w*h)
	copy(y.pair, y.input(v.turn)[:3*w*h])
	mirrorPlanes(y.pair[3*w*h:], y.pair[:3*w*h], w)
	looks, err := y.runEach(y.pair, 2, w, h, score)
	if err != nil {
		return nil, err
	}
	for i := range looks[1] {
		unmirror(&looks[1][i], w)
	}
	for _, faces := range looks {
		for i := range faces {
			v.toFrame(&faces[i])
		}
	}
	return looks, nil
}
