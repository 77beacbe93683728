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
	var m mean
	for _, look := range []func(*semblance.Frame, view, float32) ([]semblance.Face, error){y.lookAt, y.lookMirrored} {
		found, err := look(f, v, min(y.opts.Score, face.Score))
		if err != nil {
			return err
		}
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

// lookMirrored is lookAt at the mirror image. The faces it returns are not mirrored.
func (y *YuNet) lookMirrored(f *semblance.Frame, v view, score float32) ([]semblance.Face, error) {
	y.show(f, v)
	w, h := v.shown()
	y.mirrored = room(y.mirrored, w*h)
	mirrorPlanes(y.mirrored, y.input(v.turn), w)
	faces, err := y.run(y.mirrored, w, h, score)
	if err != nil {
		return nil, err
	}
	for i := range faces {
		unmirror(&faces[i], w)
		v.toFrame(&faces[i])
	}
	return faces, nil
}
