package detector

import (
	"cmp"
	"math"
	"slices"

	"semblance"
)

// A sighting is a face as one look showed it.
type sighting struct {
	face semblance.Face
	tile bool // seen in a tile, not in the whole frame
	cut  bool // it reaches the border of a tile, where the frame goes on
}

// mostSightings bounds what a frame made to be full of faces can cost: sightings
// are compared with each other. The lowest scores go.
const mostSightings = 8192

// merge keeps one sighting of each face, in order of score, highest first. Of several
// the one in the whole frame holds, then the one with the highest score: so tiles add
// faces and leave those that are found without them as they are. What a tile may have
// cut comes last, and not at all where a whole face covers it.
func merge(seen []sighting, limit float32) []sighting {
	slices.SortFunc(seen, bySight)
	seen = seen[:min(len(seen), mostSightings)]
	kept := seen[:0:0]
	for _, s := range seen {
		if !slices.ContainsFunc(kept, func(k sighting) bool {
			return same(&k.face, &s.face, limit) || s.cut && covered(s.face.Box, k.face.Box) > halfSeen
		}) {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b sighting) int { return byScore(a.face, b.face) })
	return kept
}

// halfSeen is the part of a face cut by a tile from which on it belongs to the
// face that covers it.
const halfSeen = 0.5

func bySight(a, b sighting) int {
	if c := cmp.Or(order(a.cut, b.cut), order(a.tile, b.tile)); c != 0 {
		return c
	}
	return byScore(a.face, b.face)
}

// order puts what is not before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// suppress keeps one of each face of one look; merge has the rules. Equal scores
// are ordered by position, so that the result does not depend on the order of the
// input.
func suppress(faces []semblance.Face, limit float32) []semblance.Face {
	slices.SortFunc(faces, byScore)
	faces = faces[:min(len(faces), mostSightings)]
	kept := faces[:0:0]
	for _, f := range faces {
		if !slices.ContainsFunc(kept, func(k semblance.Face) bool { return same(&k, &f, limit) }) {
			kept = append(kept, f)
		}
	}
	return kept
}

// same reports whether two boxes are of one face: they overlap by more than limit
// (intersection over union), and their noses, where both have one, are near. Cheek
// to cheek, two faces overlap as much as two looks at one do; their noses are a
// face apart.
func same(a, b *semblance.Face, limit float32) bool {
	o := overlap(a.Box, b.Box)
	if !(o > limit) {
		return false
	}
	if o > surelySame || len(a.Landmarks) < 3 || len(b.Landmarks) < 3 {
		return true
	}
	p, q := a.Landmarks[2], b.Landmarks[2]
	side := min(a.Box.W, a.Box.H, b.Box.W, b.Box.H)
	return math.Hypot(float64(p.X-q.X), float64(p.Y-q.Y)) < noseApart*float64(side)
}

// From surelySame on two boxes are of one face wherever the noses are; below it the
// noses decide, apart by noseApart of the smaller box's shorter side.
const (
	surelySame = 0.5
	noseApart  = 0.4
)

func byScore(a, b semblance.Face) int {
	less := func(x, y float32) int {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	for _, c := range []int{less(b.Score, a.Score), less(a.Box.X, b.Box.X), less(a.Box.Y, b.Box.Y), less(a.Box.W, b.Box.W), a.Turn - b.Turn} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// overlap is the intersection over the union of two boxes.
func overlap(a, b semblance.Box) float32 {
	both := common(a, b)
	if both == 0 {
		return 0
	}
	return both / (a.W*a.H + b.W*b.H - both)
}

// covered is the part of a that lies in b.
func covered(a, b semblance.Box) float32 { return common(a, b) / (a.W * a.H) }

func common(a, b semblance.Box) float32 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	return max(w, 0) * max(h, 0)
}
