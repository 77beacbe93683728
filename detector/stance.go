//go:build cgo && native

package detector

import "semblance"

// stances finds out how faces stand. YuNet sees many a face on its head, and some on
// their side, as upright ones with a score of 0.7 to 0.91 and landmarks that lie
// where those of an upright face would: an embedding of that is of nobody. So
// each face under Options.Sure is looked at in all four stances, and the one with
// the highest score holds. When one of them is not the stance in which it was seen, the
// frame is looked at in that stance as well.
func (s *search) stances(seen []sighting, most int) ([]sighting, error) {
	if s.y.opts.Sure == 0 {
		return seen, nil
	}
	tried := map[int]bool{0: true}
	var list []view
	for i := range seen {
		if most > 0 && i >= most {
			break
		}
		if err := s.stand(&seen[i]); err != nil {
			return nil, err
		}
		if turn := seen[i].face.Turn; !tried[turn] {
			tried[turn] = true
			list = append(list, turned(views(s.first, s.y.opts.Step), turn)...)
			if len(s.plan.tiles) > 0 && s.affords(1) {
				list = append(list, turned(s.plan.tiles, turn)...)
			}
		}
	}
	more, err := s.look(list)
	if err != nil {
		return nil, err
	}
	return merge(append(seen, more...), s.y.opts.Overlap), nil
}

// stand looks at a face in all four stances and gives it the best of them.
func (s *search) stand(seen *sighting) error {
	face := &seen.face
	if face.Score >= s.y.opts.Sure || eyeDistance(face.Landmarks) < minEyeDistance {
		return nil
	}
	var best *semblance.Face
	v := closeUp(face.Box, stanceRoom, 0)
	for _, turn := range stanceOrder(face) {
		v.turn = turn
		found, err := s.y.lookAt(s.f, v, s.score)
		if err != nil {
			return err
		}
		if f := nearestTo(face.Box, found); f != nil && (best == nil || f.Score > best.Score) {
			best = f
		}
	}
	if best != nil && best.Turn != face.Turn {
		*seen = sighting{face: *best}
	}
	return nil
}

// onlyOnItsHead is the score from which on a face can stand on its head but not lie on
// its side: of 34 photographs turned by 90 and 270 degrees none had a face over 0.87.
const onlyOnItsHead = 0.88

// stanceOrder begins with the stance in which a face was seen: another one must be
// better.
func stanceOrder(f *semblance.Face) []int {
	list := []int{f.Turn, (f.Turn + 180) % 360}
	if f.Score < onlyOnItsHead {
		list = append(list, (f.Turn+90)%360, (f.Turn+270)%360)
	}
	return list
}
