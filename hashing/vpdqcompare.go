package hashing

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
)

// VPDQOptions say which frames are near. The zero value is not a useful one; see
// DefaultVPDQOptions.
type VPDQOptions struct {
	Distance   int // bits, inclusive as in threatexchange; the C++ reference takes one less
	MinQuality int // frames under it are left out and counted
}

// DefaultVPDQOptions are those of the reference.
func DefaultVPDQOptions() VPDQOptions {
	return VPDQOptions{Distance: 31, MinQuality: PDQMinQuality}
}

// A VPDQComparison is what comparing the frames of a probe with those of a reference
// gave.
type VPDQComparison struct {
	ProbeFrames     int // that were compared
	ReferenceFrames int
	ProbeLow        int // left out: of too little quality
	ReferenceLow    int
	ProbeNear       int // frames of the probe that a frame of the reference is near; the reference program's "query" share
	ReferenceNear   int // frames of the reference that a frame of the probe is near
	Nearest         int // bits between the nearest two frames; -1 when none were compared
	Segments        []VideoSegment
	Left            int // segments that were found and are not listed: the list is full
}

// ProbePercent is the share of the probe's compared frames that are near, 0 to 100.
func (c *VPDQComparison) ProbePercent() float64 { return percent(c.ProbeNear, c.ProbeFrames) }

// ReferencePercent is the share of the reference's compared frames that are near, 0
// to 100.
func (c *VPDQComparison) ReferencePercent() float64 {
	return percent(c.ReferenceNear, c.ReferenceFrames)
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(n) / float64(of)
}

// A VideoSegment says which stretch of a probe is which stretch of a reference. The
// ends are times of the first and the last near frame.
type VideoSegment struct {
	ProbeFrom, ProbeTo         time.Duration
	ReferenceFrom, ReferenceTo time.Duration
	Frames                     int     // of the probe, that are near the frame of the reference that belongs there
	Distance                   float64 // mean of theirs, bits
	Speed                      float64 // seconds of the reference in one of the probe; 1 unless there is enough to tell
	// Static says that the picture hardly changes: shifted by two samples, the
	// stretches would be as near, so the times are not certain.
	Static bool
}

// Offset is what is added to a time of the probe at the segment's start to have that
// of the reference.
func (s *VideoSegment) Offset() time.Duration { return s.ReferenceFrom - s.ProbeFrom }

// CompareVPDQ compares two videos frame by frame, and finds which stretches of the
// probe are which of the reference: not a bag of frames but frames in the same order
// at the same distance in time, for speeds of the reference from 0.8 to 1.25. A clip
// may begin anywhere between two samples; a frame that is near many, as in a scene
// that stands still, decides nothing by itself. Segments are the longest first.
func CompareVPDQ(probe, reference VPDQ, o VPDQOptions) VPDQComparison {
	var c VPDQComparison
	p, low := usable(probe, o.MinQuality)
	c.ProbeFrames, c.ProbeLow = len(p.at), low
	r, low := usable(reference, o.MinQuality)
	c.ReferenceFrames, c.ReferenceLow = len(r.at), low
	votes := c.count(p, r, o.Distance)
	if len(votes) > 0 {
		a := aligner{p: p, r: r, limit: o.Distance, votes: votes}
		a.run(&c)
	}
	return c
}

// A track is the frames of a video that are compared.
type track struct {
	at   []float64 // seconds
	word [][4]uint64
}

func usable(v VPDQ, least int) (t track, low int) {
	for _, f := range v {
		if f.Quality < least || IsTrivial(AlgorithmPDQ, f.Hash[:]) {
			low++
			continue
		}
		var w [4]uint64
		for i := range w {
			w[i] = binary.LittleEndian.Uint64(f.Hash[8*i:])
		}
		t.at, t.word = append(t.at, f.Time.Seconds()), append(t.word, w)
	}
	return t, low
}

// distance is PDQ.Distance of words.
func distance(a, b *[4]uint64) int {
	return bits.OnesCount64(a[0]^b[0]) + bits.OnesCount64(a[1]^b[1]) + bits.OnesCount64(a[2]^b[2]) + bits.OnesCount64(a[3]^b[3])
}

// A vote is a frame of the probe that is near one of the reference.
type vote struct {
	probe, reference int
	distance         int
	weight           float64 // 1 for a frame that is near one only
}

// maxVotes is how many frames of the reference one of the probe votes for, the
// nearest: enough for a scene that comes several times, and a bound for scenes that
// stand still.
const maxVotes = 16

// count compares every frame with every other. A clip is found in an hour this way in
// microseconds; two videos of ten hours take some seconds.
func (c *VPDQComparison) count(p, r track, limit int) []vote {
	c.Nearest = -1
	var votes []vote
	seen := make([]int, len(r.word))
	for i := range p.word {
		first, near, worst := len(votes), 0, 0
		for j := range r.word {
			d := distance(&p.word[i], &r.word[j])
			if c.Nearest < 0 || d < c.Nearest {
				c.Nearest = d
			}
			if d > limit {
				continue
			}
			near++
			seen[j]++
			full := len(votes)-first == maxVotes
			if full && d >= votes[worst].distance { // as nearly all are in a scene that stands still
				continue
			}
			if full {
				votes = slices.Delete(votes, worst, worst+1)
			}
			votes = append(votes, vote{probe: i, reference: j, distance: d})
			worst = farthest(votes, first)
		}
		if near > 0 {
			c.ProbeNear++
		}
		for k := range votes[first:] {
			votes[first+k].weight = float64(near)
		}
	}
	for _, n := range seen {
		if n > 0 {
			c.ReferenceNear++
		}
	}
	for k := range votes {
		v := &votes[k]
		v.weight = 1 / max(v.weight, float64(seen[v.reference]))
	}
	return votes
}

// farthest is the first of the votes from first on that are farthest.
func farthest(votes []vote, first int) int {
	worst := first
	for k := first; k < len(votes); k++ {
		if votes[k].distance > votes[worst].distance {
			worst = k
		}
	}
	return worst
}
