package detector

import (
	"cmp"
	"math"
	"slices"
	"time"

	"semblance"
)

// A Tracker puts the faces that are found in frames of a video together: one track for
// each appearance of a person, which is one face of the video, its best. Fusing the best
// few was no better (docs/benchmarks.md), and a distance would be of no face that is
// seen. Two faces of one frame are never one track, and no track goes on behind a cut.
//
// A face goes on with the track whose last face it overlaps, unless the embeddings say
// that they are two persons; and with one elsewhere in the picture only if they say
// that it is the same. It is used by one goroutine.
type Tracker struct {
	spec    semblance.EngineSpec
	most    int
	live    []*track
	done    []*track
	dropped int
}

// NewTracker returns a Tracker for faces of an engine that keeps at most so many tracks.
func NewTracker(spec semblance.EngineSpec, most int) *Tracker {
	return &Tracker{spec: spec, most: max(most, 1)}
}

const (
	// A face that is not found for longer, and in two looks, has gone.
	lostAfter, lostLooks = 5 * time.Second, 2
	// Where frames lie further apart, that boxes overlap says nothing.
	overlapWithin = 1500 * time.Millisecond
	overlapLeast  = 0.3
	overlapAlone  = 0.5 // without an embedding
	// Of the engine's default threshold: within one scene two faces at one place are the
	// same person also where the pose changes, and at two places they have to be alike.
	farAtOnePlace, farElsewhere = 1.4, 0.9
)

// A track is a face as it goes on.
type track struct {
	best   semblance.Face
	last   semblance.Face
	at     time.Duration // of the last
	missed int           // looks since
	from   time.Duration
	second time.Duration // of the best
	frames int
}

// Add takes the faces of the next frame that was looked at. cut says that a scene began
// since the one before. crop makes the crop of a face that is now the best of its track,
// nil for none.
func (t *Tracker) Add(at time.Duration, faces []semblance.Face, cut bool, crop func(*semblance.Face) ([]byte, error)) error {
	t.end(func(x *track) bool { return cut || x.missed >= lostLooks && at-x.at > lostAfter })
	of := t.assign(at, faces)
	for _, x := range t.live {
		x.missed++
	}
	for i := range faces {
		x := of[i]
		if x == nil {
			x = &track{from: at}
			t.live = append(t.live, x)
		}
		if !x.take(at, &faces[i]) || crop == nil {
			continue
		}
		var err error
		if x.best.Crop, err = crop(&faces[i]); err != nil {
			return err
		}
	}
	return nil
}

// take adds a face and reports whether it is the best one now.
func (x *track) take(at time.Duration, f *semblance.Face) bool {
	x.last, x.at, x.missed = *f, at, 0
	if x.frames++; x.frames > 1 && !betterFace(f, &x.best) {
		return false
	}
	x.best, x.second = *f, at
	return true
}

// betterFace prefers what can be searched, then quality.
func betterFace(a, b *semblance.Face) bool {
	if x, y := a.Searchable(), b.Searchable(); x != y {
		return x
	}
	return a.Quality > b.Quality
}

// assign finds the track of each face, nil for a new one: the nearest pairs first.
func (t *Tracker) assign(at time.Duration, faces []semblance.Face) []*track {
	type pair struct {
		cost        float64
		track, face int
	}
	var pairs []pair
	for i, x := range t.live {
		for j := range faces {
			if cost, ok := t.cost(x, &faces[j], at); ok {
				pairs = append(pairs, pair{cost, i, j})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.track, b.track), cmp.Compare(a.face, b.face))
	})
	of, taken := make([]*track, len(faces)), make([]bool, len(t.live))
	for _, p := range pairs {
		if of[p.face] == nil && !taken[p.track] {
			of[p.face], taken[p.track] = t.live[p.track], true
		}
	}
	return of
}

// cost says how far a face is from going on with a track, and whether it may.
func (t *Tracker) cost(x *track, f *semblance.Face, at time.Duration) (cost float64, ok bool) {
	overlap := 0.0
	if at-x.at <= overlapWithin {
		overlap = overlapOf(x.last.Box, f.Box)
	}
	// Of what has no embedding, the distance is infinite.
	d := min(t.spec.Metric.Distance(f.Embedding, x.best.Embedding), t.spec.Metric.Distance(f.Embedding, x.last.Embedding))
	if math.IsInf(d, 1) {
		return 1 - overlap, overlap >= overlapAlone
	}
	if d /= t.spec.Distance; overlap >= overlapLeast {
		return d - overlap, d <= farAtOnePlace
	}
	return d, d <= farElsewhere
}

// overlapOf is the area that two boxes share, as a part of what they cover together.
func overlapOf(a, b semblance.Box) float64 {
	w := float64(min(a.X+a.W, b.X+b.W) - max(a.X, b.X))
	h := float64(min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y))
	if w <= 0 || h <= 0 {
		return 0
	}
	shared := w * h
	return shared / (float64(a.W)*float64(a.H) + float64(b.W)*float64(b.H) - shared)
}

// end ends tracks.
func (t *Tracker) end(over func(*track) bool) {
	live := t.live[:0]
	for _, x := range t.live {
		if !over(x) {
			live = append(live, x)
			continue
		}
		x.best.Appearance = &semblance.Appearance{Second: x.second.Seconds(), From: x.from.Seconds(), Until: x.at.Seconds(), Frames: x.frames}
		x.last = semblance.Face{}
		t.done = append(t.done, x)
	}
	clear(t.live[len(live):])
	if t.live = live; len(t.done) >= 2*t.most {
		t.prune()
	}
}

// prune keeps the tracks that say most: those that can be searched, and were seen often.
func (t *Tracker) prune() {
	slices.SortStableFunc(t.done, func(a, b *track) int {
		if x, y := a.best.Searchable(), b.best.Searchable(); x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.frames, a.frames), cmp.Compare(b.best.Quality, a.best.Quality), cmp.Compare(a.from, b.from), cmp.Compare(a.best.Box.X, b.best.Box.X))
	})
	if n := len(t.done); n > t.most {
		t.dropped += n - t.most
		clear(t.done[t.most:])
		t.done = t.done[:t.most]
	}
}

// Faces ends all tracks and returns them as faces, by frame and then score, with how
// many were left out. Nothing can be added afterwards.
func (t *Tracker) Faces() (faces []semblance.Face, dropped int) {
	t.end(func(*track) bool { return true })
	t.prune()
	faces = make([]semblance.Face, len(t.done))
	for i, x := range t.done {
		faces[i] = x.best
	}
	slices.SortStableFunc(faces, func(a, b semblance.Face) int {
		return cmp.Or(cmp.Compare(a.Frame, b.Frame), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Box.X, b.Box.X), cmp.Compare(a.Box.Y, b.Box.Y))
	})
	return faces, t.dropped
}
