//go:build cgo && native

package detector

import (
	"cmp"
	"slices"

	"semblance"
)

// A search is one call of Detect.
type search struct {
	y     *YuNet
	f     *semblance.Frame
	score float32
	first view
	plan  plan
	looks int // what tiles may still cost
	warn  func(string)
}

// Detect returns the faces of an upright frame, highest score first, with
// landmarks; Quality is left to [Judge]. The whole frame is looked at, reduced to
// Options.Size and, where no face is sure, further by Step, and tiles of it where o asks for smaller faces than these show.
// Where nothing is found for certain, or what is found stands otherwise than upright,
// the frame is looked at turned as well.
//
// The score is that of the first look; box and landmarks are the means of two
// close-ups where they show the same face. Beyond the first o.Faces there is no second look. No
// face is an empty slice and a nil error; the error has code Invalid (the frame is
// not one, or o) or Internal.
func (y *YuNet) Detect(f *semblance.Frame, o semblance.FindOptions) ([]semblance.Face, error) {
	if err := checkFrame(f); err != nil {
		return nil, err
	}
	if err := o.Detection.Validate(); err != nil {
		return nil, err
	}
	s := y.search(f, o)
	seen, err := s.upright()
	if err == nil {
		seen, err = s.stances(seen, o.Faces)
	}
	if err == nil && (len(seen) == 0 || seen[0].face.Score < firm) {
		seen, err = s.anyTurn(seen)
	}
	if err == nil && y.opts.Refine {
		seen, err = s.closeUps(seen, o.Faces)
	}
	if err != nil {
		return nil, err
	}
	faces := make([]semblance.Face, len(seen))
	for i := range seen {
		faces[i] = seen[i].face
		faces[i].Frame = f.Index
	}
	return faces, nil
}

func (y *YuNet) search(f *semblance.Frame, o semblance.FindOptions) *search {
	s := &search{y: y, f: f, score: cmp.Or(o.MinScore, y.opts.Score), looks: cmp.Or(o.Looks, mostLooks), warn: o.Warn}
	if s.warn == nil {
		s.warn = func(string) {}
	}
	s.first = firstView(f.Width, f.Height, y.opts.Size, y.opts.Enlarge)
	s.plan = planTiles(f.Width, f.Height, o.MinFace, s.first.scale(), s.looks)
	if note := s.plan.note(o.MinFace); note != "" {
		s.warn(note)
	}
	y.seen = view{}
	return s
}

// upright looks at the frame as it is: reduced further where the first look is sure of
// no face, since one that fills the frame leaves no room for a sure one beside it.
func (s *search) upright() ([]sighting, error) {
	s.looks -= tilesWorth(s.plan.tiles)
	list := views(s.first, s.y.opts.Step)
	seen, err := s.look(list[:1])
	if err != nil {
		return nil, err
	}
	list = list[1:]
	if len(seen) > 0 && seen[0].face.Score >= s.y.opts.Sure {
		list = nil
	}
	more, err := s.look(append(list, s.plan.tiles...))
	return merge(append(seen, more...), s.y.opts.Overlap), err
}

// firm is the score from which on a face says how the frame stands: one under it
// may be a pattern on a frame whose faces all lie on their side.
const firm = 0.85

// anyTurn looks at the frame turned by 90, 180 and 270 degrees, and adds what it
// sees.
func (s *search) anyTurn(seen []sighting) ([]sighting, error) {
	if s.y.opts.Turned == 0 {
		return seen, nil
	}
	list := views(firstView(s.f.Width, s.f.Height, s.y.opts.Turned, s.y.opts.Enlarge), s.y.opts.Step)
	if s.affords(3) {
		list = append(list, s.plan.tiles...)
	}
	var all []view
	for _, v := range list { // each view is reduced once and turned thrice
		for _, turn := range []int{90, 180, 270} {
			v.turn = turn
			all = append(all, v)
		}
	}
	more, err := s.look(all)
	return merge(append(seen, more...), s.y.opts.Overlap), err
}

// affords reports whether the tiles can be looked at that many times more.
func (s *search) affords(times int) bool {
	cost := times * tilesWorth(s.plan.tiles)
	if cost <= s.looks {
		s.looks -= cost
		return true
	}
	s.warn(tooMuchToTurn)
	return false
}

// look runs the network over views and keeps one sighting of each face.
func (s *search) look(list []view) ([]sighting, error) {
	var seen []sighting
	for _, v := range list {
		found, err := s.y.lookAt(s.f, v, s.score)
		if err != nil {
			return nil, err
		}
		for _, face := range found {
			seen = append(seen, sighting{face, v.tile, v.cuts(face.Box)})
		}
		if len(seen) > 2*mostSightings {
			seen = merge(seen, s.y.opts.Overlap)
		}
	}
	return merge(seen, s.y.opts.Overlap), nil
}

// closeUps looks again at each of the first faces, all of them when most is 0.
func (s *search) closeUps(seen []sighting, most int) ([]sighting, error) {
	for i := range seen {
		if most > 0 && i >= most {
			break
		}
		if err := s.y.refine(s.f, &seen[i]); err != nil {
			return nil, err
		}
	}
	return merge(seen, s.y.opts.Overlap), nil // two first looks may have become one face
}

// nearestTo is the face that overlaps a box best, nil when none is the same.
func nearestTo(b semblance.Box, found []semblance.Face) *semblance.Face {
	if len(found) == 0 {
		return nil
	}
	best := slices.MaxFunc(found, func(x, y semblance.Face) int { return cmp.Compare(overlap(x.Box, b), overlap(y.Box, b)) })
	if overlap(best.Box, b) > sameFace {
		return &best
	}
	return nil
}

// lookAt runs the network over a view and returns faces in the frame's pixels.
func (y *YuNet) lookAt(f *semblance.Frame, v view, score float32) ([]semblance.Face, error) {
	y.show(f, v)
	w, h := v.shown()
	faces, err := y.run(y.input(v.turn), w, h, score)
	if err != nil {
		return nil, err
	}
	for i := range faces {
		v.toFrame(&faces[i])
	}
	return faces, nil
}

// show reduces a part of the frame to the network's input, once for all turns. What
// was shown just now is reduced further without reading the frame again.
func (y *YuNet) show(f *semblance.Frame, v view) {
	step := v.coarse
	v.turn, v.inner, v.tile = 0, edges{}, false
	if v == y.seen {
		return
	}
	if from := y.seen; step > 1 && views(from, step)[1] == v {
		y.spare = room(y.spare, v.planeW*v.planeH)
		shrinkPlanes(&v, &from, y.spare, y.planes, step)
		y.planes, y.spare = y.spare, y.planes
	} else {
		y.planes = room(y.planes, v.planeW*v.planeH)
		resample(f, &v, y.planes)
	}
	clearRest(&v, y.planes)
	y.seen = v
}

// input is what is shown, turned.
func (y *YuNet) input(turn int) []float32 {
	if turn == 0 {
		return y.planes
	}
	v := y.seen
	v.turn = turn
	w, h := v.shown()
	y.spare = room(y.spare, w*h)
	clear(y.spare)
	turnPlanes(&v, y.spare, y.planes)
	return y.spare
}

// room is memory for three planes.
func room(planes []float32, pixels int) []float32 {
	if cap(planes) < 3*pixels {
		return make([]float32, 3*pixels)
	}
	return planes[:3*pixels]
}
