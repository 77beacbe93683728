package hashing

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// Bounds of an alignment.
const (
	maxSegments = 32 // listed; a video that has more in common is long
	maxRounds   = 128
	minSpeed    = 0.8
	maxSpeed    = 1.25
	// A segment goes on over this many frames of the probe that are not near although
	// the reference has a sample there, such as frames with a subtitle, and over this
	// many seconds without any, such as a fade.
	maxSkipped = 3
	maxSilence = 30.0
)

// An aligner finds stretches. It takes the offset that most votes agree on, follows it
// through both videos, and goes on with the votes that are left.
type aligner struct {
	p, r     track
	limit    int
	votes    []vote
	bins     map[int]float64 // weight of the votes by offset
	interval float64         // seconds between samples of the sparser video
	segments []VideoSegment
	covered  []bool // frames of the probe that are in a segment
}

// A line maps times of the probe to times of the reference.
type line struct{ offset, speed float64 }

func (l line) at(t float64) float64 { return l.offset + l.speed*t }

// An inlier is a frame of the probe with the time of the reference it is near.
type inlier struct {
	probe    int
	at       float64 // of the reference, between samples where several are near
	distance int
	weight   float64
}

func (a *aligner) run(c *VPDQComparison) {
	a.interval = min(max(spacing(a.p.at), spacing(a.r.at), 0.25), 5)
	a.covered = make([]bool, len(a.p.at))
	a.bins = map[int]float64{}
	for _, v := range a.votes {
		a.bins[a.bin(v)] += v.weight
	}
	for round := 0; round < maxRounds && len(a.votes) > 0; round++ {
		peak, at := a.peak()
		a.take(peak, at)
	}
	slices.SortStableFunc(a.segments, func(x, y VideoSegment) int {
		return cmp.Or(cmp.Compare(y.Frames, x.Frames), cmp.Compare(x.ProbeFrom, y.ProbeFrom), cmp.Compare(x.ReferenceFrom, y.ReferenceFrom))
	})
	c.Segments = a.segments
	if n := len(a.segments); n > maxSegments {
		c.Segments, c.Left = a.segments[:maxSegments], n-maxSegments
	}
}

// spacing is the usual distance of samples in seconds, 0 of fewer than two.
func spacing(at []float64) float64 {
	if len(at) < 2 {
		return 0
	}
	gaps := make([]float64, len(at)-1)
	for i := range gaps {
		gaps[i] = at[i+1] - at[i]
	}
	slices.Sort(gaps)
	return gaps[len(gaps)/2]
}

// peak returns the offset of the most weight, from bins as wide as the samples are
// apart, three at a time: what begins between two samples votes for both.
func (a *aligner) peak() (l line, at int) {
	best, most := 0, -1.0
	for b := range a.bins {
		if w := a.bins[b-1] + a.bins[b] + a.bins[b+1]; w > most || w == most && b < best {
			best, most = b, w
		}
	}
	sum, weight := 0.0, 0.0
	for _, v := range a.votes {
		if b := a.bin(v); b >= best-1 && b <= best+1 {
			w := v.weight * a.closeness(v.distance)
			sum, weight = sum+w*a.offset(v), weight+w
		}
	}
	return line{offset: sum / weight, speed: 1}, best
}

func (a *aligner) bin(v vote) int { return int(math.Floor(a.offset(v) / a.interval)) }

func (a *aligner) offset(v vote) float64 { return a.r.at[v.reference] - a.p.at[v.probe] }

// closeness weighs a frame: of several near ones, the nearest is the one that
// belongs there.
func (a *aligner) closeness(distance int) float64 {
	n := float64(a.limit + 1 - distance)
	return n * n
}

// follow fits the line to the frames near along it, until no more of them come.
func (a *aligner) follow(l line) (line, []inlier) {
	in := a.trace(l)
	for range 16 {
		next := fit(a.p.at, in, a.interval, l)
		more := a.trace(next)
		if len(more) < len(in) || len(more) == len(in) && next == l {
			break
		}
		l, in = next, more
	}
	return l, in
}

// reach is how far from the line a frame of the reference may be: what is shown
// between two samples is in neither.
func (a *aligner) reach() float64 { return a.interval + 0.1 }

// trace lists the frames of the probe that are near a frame of the reference around
// where the line puts them.
func (a *aligner) trace(l line) []inlier {
	var in []inlier
	for i, t := range a.p.at {
		want := l.at(t)
		x := inlier{probe: i, distance: a.limit + 1}
		sum := 0.0
		for j := sort.SearchFloat64s(a.r.at, want-a.reach()); j < len(a.r.at) && a.r.at[j] <= want+a.reach(); j++ {
			d := distance(&a.p.word[i], &a.r.word[j])
			if d > a.limit {
				continue
			}
			w := a.closeness(d)
			sum, x.weight, x.distance = sum+w*a.r.at[j], x.weight+w, min(x.distance, d)
		}
		if x.weight > 0 {
			x.at = sum / x.weight
			in = append(in, x)
		}
	}
	return in
}

// fit is the line of least squares, or, of too few frames to tell a speed, their mean
// offset at the speed of l.
func fit(at []float64, in []inlier, interval float64, l line) line {
	var n, sx, sy, sxx, sxy float64
	for _, x := range in {
		t, w := at[x.probe], x.weight
		n, sx, sy, sxx, sxy = n+w, sx+w*t, sy+w*x.at, sxx+w*t*t, sxy+w*t*x.at
	}
	if n == 0 {
		return l
	}
	span := at[in[len(in)-1].probe] - at[in[0].probe]
	if spread := n*sxx - sx*sx; len(in) >= 8 && span >= 10*interval && spread > 0 {
		speed := (n*sxy - sx*sy) / spread
		if math.Abs(speed-1)*span <= interval/2 {
			speed = 1 // that is all the samples can tell
		}
		if speed >= minSpeed && speed <= maxSpeed {
			return line{offset: (sy - speed*sx) / n, speed: speed}
		}
	}
	return line{offset: (sy - l.speed*sx) / n, speed: l.speed}
}

// take makes segments of the frames along the line of a peak, and drops the votes that
// they explain and those that made the peak: every round leaves fewer.
func (a *aligner) take(peak line, at int) {
	left := len(a.votes)
	l, in := a.follow(peak)
	for len(in) > 0 {
		n := a.unbroken(l, in)
		a.segment(l, in[:n], at)
		in = in[n:]
	}
	if len(a.votes) < left {
		return
	}
	// Nothing was near along the mean of the votes: the strongest stands alone.
	v := slices.MaxFunc(a.votes, func(x, y vote) int { return cmp.Compare(x.weight, y.weight) })
	a.segment(line{a.offset(v), 1}, []inlier{{probe: v.probe, at: a.r.at[v.reference], distance: v.distance, weight: 1}}, a.bin(v))
	a.drop(func(x vote) bool { return x == v })
}

// drop removes votes and their weight.
func (a *aligner) drop(which func(vote) bool) {
	a.votes = slices.DeleteFunc(a.votes, func(v vote) bool {
		if !which(v) {
			return false
		}
		b := a.bin(v)
		if a.bins[b] -= v.weight; a.bins[b] < 1e-9 {
			delete(a.bins, b)
		}
		return true
	})
}

// unbroken counts the frames from the first on that make one stretch.
func (a *aligner) unbroken(l line, in []inlier) int {
	for n := 1; n < len(in); n++ {
		before, next := in[n-1].probe, in[n].probe
		if a.p.at[next]-a.p.at[before] > max(maxSilence, 5*a.interval) {
			return n
		}
		if a.skipped(l, before, next) > maxSkipped {
			return n
		}
	}
	return len(in)
}

// skipped counts the samples of the reference between two near frames that no frame of
// the probe is near, although there are some to compare.
func (a *aligner) skipped(l line, before, next int) (n int) {
	last, end := a.sample(l.at(a.p.at[before])), a.sample(l.at(a.p.at[next]))
	for i := before + 1; i < next; i++ {
		j := a.sample(l.at(a.p.at[i]))
		if j > last && j < end && math.Abs(a.r.at[j]-l.at(a.p.at[i])) <= 0.5 {
			last = j
			n++
		}
	}
	return n
}

func (a *aligner) segment(l line, in []inlier, at int) {
	first, last := a.p.at[in[0].probe], a.p.at[in[len(in)-1].probe]
	end := a.r.at[len(a.r.at)-1]
	from, to := min(max(l.at(first), 0), end), min(max(l.at(last), 0), end)
	s := VideoSegment{ProbeFrom: duration(first), ProbeTo: duration(last), ReferenceFrom: duration(from), ReferenceTo: duration(to),
		Frames: len(in), Speed: l.speed, Static: a.static(l, in)}
	fresh := false
	for _, x := range in {
		s.Distance += float64(x.distance) / float64(len(in))
		fresh = fresh || !a.covered[x.probe]
	}
	// One or two frames that are near elsewhere too are the same scene again, not a
	// stretch; three and more are.
	if fresh && !a.known(s) || s.Frames > 2 && !s.Static && !a.known(s) {
		a.segments = append(slices.DeleteFunc(a.segments, s.swallows), s)
		for _, x := range in {
			a.covered[x.probe] = true
		}
	}
	a.explain(s, [4]float64{first, last, from - a.reach(), to + a.reach()}, at)
}

// swallows reports whether o is part of the same standing scene: which of its seconds
// is which cannot be told, so one segment says it.
func (s *VideoSegment) swallows(o VideoSegment) bool {
	return s.Static && o.Static && o.ProbeFrom >= s.ProbeFrom && o.ProbeTo <= s.ProbeTo
}

// known reports whether a segment is one that is there already, up to a few samples:
// the frames of one scene are near those around them too.
func (a *aligner) known(s VideoSegment) bool {
	return slices.ContainsFunc(a.segments, func(o VideoSegment) bool {
		both := min(s.ProbeTo, o.ProbeTo) - max(s.ProbeFrom, o.ProbeFrom)
		moved := (s.ReferenceFrom - s.ProbeFrom) - (o.ReferenceFrom - o.ProbeFrom) - time.Duration((o.Speed-1)*float64(s.ProbeFrom-o.ProbeFrom))
		return both >= 0 && 2*both >= s.ProbeTo-s.ProbeFrom && moved.Abs().Seconds() <= 3*a.interval
	})
}

// explain drops the votes inside a segment, and those of its frames that made the
// peak. A scene that stands still is near all of itself: there all votes of its frames
// go.
func (a *aligner) explain(s VideoSegment, box [4]float64, at int) {
	a.drop(func(v vote) bool {
		p, r := a.p.at[v.probe], a.r.at[v.reference]
		if p < box[0] || p > box[1] {
			return false
		}
		b := a.bin(v)
		return s.Static || r >= box[2] && r <= box[3] || b >= at-1 && b <= at+1
	})
}

// static reports whether the stretch, moved by two samples to one side, would be about
// as near.
func (a *aligner) static(l line, in []inlier) bool {
	for _, shift := range [2]float64{-2, 2} {
		near := 0
		for _, x := range in {
			if a.nearAt(x, l.at(a.p.at[x.probe])+shift*a.interval) {
				near++
			}
		}
		if 10*near >= 8*len(in) {
			return true
		}
	}
	return false
}

// sample is the sample of the reference next to a time.
func (a *aligner) sample(t float64) int {
	j := sort.SearchFloat64s(a.r.at, t)
	if j == len(a.r.at) || j > 0 && t-a.r.at[j-1] < a.r.at[j]-t {
		j--
	}
	return j
}

// nearAt reports whether a frame is about as near the sample of the reference next to
// a time as it is where it belongs.
func (a *aligner) nearAt(x inlier, t float64) bool {
	const about = 8 // bits
	j := a.sample(t)
	return math.Abs(a.r.at[j]-t) <= a.interval && distance(&a.p.word[x.probe], &a.r.word[j]) <= min(a.limit, x.distance+about)
}

func duration(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds*1000)) * time.Millisecond
}
