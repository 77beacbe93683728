//go:build cgo && native

package detector

import (
	"slices"

	"semblance"
)

// Detect returns the faces of an upright frame, highest score first, with
// landmarks; Quality is left to [Quality]. The score is that of the first look; box
// and landmarks are those of the second where it saw the same face. No face is an
// empty slice and a nil error; the error has code Invalid (the frame is not one) or
// Internal.
func (y *YuNet) Detect(f *semblance.Frame) ([]semblance.Face, error) {
	if err := checkFrame(f); err != nil {
		return nil, err
	}
	faces, err := y.look(f)
	if err != nil {
		return nil, err
	}
	if y.opts.Refine {
		for i := range faces {
			if y.seenExactly(f, &faces[i]) {
				continue
			}
			if err := y.refine(f, &faces[i]); err != nil {
				return nil, err
			}
		}
		faces = suppress(faces, y.opts.Overlap) // two first looks may have become one face
	}
	for i := range faces {
		faces[i].Frame = f.Index
	}
	return faces, nil
}

// look runs the network over the whole frame, at each size.
func (y *YuNet) look(f *semblance.Frame) ([]semblance.Face, error) {
	faces := []semblance.Face{}
	for _, v := range views(f.Width, f.Height, y.opts.Sizes, y.opts.Enlarge) {
		found, err := y.lookAt(f, v)
		if err != nil {
			return nil, err
		}
		faces = append(faces, found...)
	}
	return suppress(faces, y.opts.Overlap), nil
}

// seenExactly reports whether the first look showed the face at the size at which
// a second would.
func (y *YuNet) seenExactly(f *semblance.Frame, face *semblance.Face) bool {
	v := views(f.Width, f.Height, y.opts.Sizes[:1], y.opts.Enlarge)[0]
	side := float64(max(face.Box.W, face.Box.H)) * float64(v.outW) / v.w
	return len(y.opts.Sizes) == 1 && side >= exactFrom && side <= exactTo
}

// refine looks again at one face and takes over box and landmarks of the face that
// overlaps it best. Faces too small to be searched are left as they are.
func (y *YuNet) refine(f *semblance.Frame, face *semblance.Face) error {
	if eyeDistance(face.Landmarks) < minEyeDistance {
		return nil
	}
	found, err := y.lookAt(f, closeUp(face.Box))
	if err != nil || len(found) == 0 {
		return err
	}
	best := slices.MaxFunc(found, func(a, b semblance.Face) int {
		if overlap(a.Box, face.Box) < overlap(b.Box, face.Box) {
			return -1
		}
		return 1
	})
	if overlap(best.Box, face.Box) > sameFace {
		face.Box, face.Landmarks = best.Box, best.Landmarks
	}
	return nil
}

// lookAt runs the network over a view and returns faces in the frame's pixels.
func (y *YuNet) lookAt(f *semblance.Frame, v view) ([]semblance.Face, error) {
	n := 3 * v.planeW * v.planeH
	if cap(y.planes) < n {
		y.planes = make([]float32, n)
	}
	planes := y.planes[:n]
	clear(planes)
	resample(f, &v, planes)
	faces, err := y.run(planes, v.planeW, v.planeH)
	if err != nil {
		return nil, err
	}
	for i := range faces {
		v.toFrame(&faces[i])
	}
	return faces, nil
}
