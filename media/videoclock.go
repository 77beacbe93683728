package media

import (
	"math"
	"time"
)

// A VideoFrame is one decoded frame.
type VideoFrame struct {
	Index         int           // among the frames that were decoded
	Time          time.Duration // from the first frame on; never runs back
	Shown         time.Duration // as the container says, from its start on, for Paced
	Length        time.Duration // that it is shown, 0 unknown
	Key           bool          // decodes without another
	Width, Height int
}

// A videoClock makes times that grow of what a container says of its frames: seconds
// from the first frame on.
type videoClock struct {
	step    time.Duration // of a frame, by the frame rate
	started bool
	first   int64         // nanoseconds, as written
	shift   time.Duration // what jumps back have added
	last    time.Duration
	missing int // frames without a time
	jumps   int // times that ran back, or away
}

// farthest is how long one frame may be shown before its time is taken for nonsense.
const farthest = 12 * time.Hour

// at returns the time of the next frame. One without a time comes a step after the one
// in front, and so does one whose time runs back, as where recordings were put one
// behind the other: the times after it go on from there.
func (c *videoClock) at(pts int64, known bool) time.Duration {
	switch {
	case !known && !c.started:
		c.started, c.missing = true, c.missing+1
		return 0
	case !known:
		c.missing++
		c.last += c.step
		return c.last
	case !c.started:
		c.started, c.first = true, pts
		return 0
	}
	t := time.Duration(math.MaxInt64)
	// Hostile times may not overflow.
	if d := float64(pts) - float64(c.first) + float64(c.shift); math.Abs(d) < 1<<62 {
		t = time.Duration(pts - c.first + int64(c.shift))
	}
	if t < c.last || t > c.last+farthest {
		c.jumps++
		c.first, c.shift = pts, c.last+c.step
		t = c.shift
	}
	c.last = t
	return t
}

// A sampler takes frames of a video: nearly all of its beginning, and then the first one
// shown in each second.
type sampler struct {
	all        bool
	last, next time.Duration
	taken      bool
}

// Of moving footage, frames a tenth of a second apart have hashes that are not near any
// more (a median of 54 bits in the reference's sample videos, of 20 from frame to frame).
// A clip is therefore only found by frames that are the very ones that the video it was
// cut from was sampled at, give or take one: its first seconds have some of those.
const (
	denseStart    = 3 * time.Second
	denseInterval = time.Second / 34 // all frames at the usual 24 to 30 a second
	usualInterval = time.Second
)

// take reports whether the frame shown at t is one to take. A container that counts
// milliseconds may put a frame just short of its second.
func (s *sampler) take(t time.Duration) bool {
	const rounding = time.Millisecond
	switch {
	case s.all:
		return true
	case t+rounding >= s.next:
	case s.taken && (t >= denseStart || t < s.last+denseInterval):
		return false
	}
	s.taken, s.last = true, t
	s.next = ((t+rounding)/usualInterval + 1) * usualInterval
	return true
}

// A pacer makes frames of a constant rate of those of a video, as ffmpeg does for a
// format without times (-r with rawvideo: CFR): the TMK reference is made of what that
// gives, its oddities in the first frames included.
type pacer struct {
	rate   float64 // frames a second wanted
	length float64 // of a frame by the frame rate, in frames wanted
	made   int64   // frames so far
	before [3]int  // of the last three frames
}

// frames tells how often the frame shown at t is to be taken, and how many of these are
// the frame before it. length is the frame's own, 0 when unknown.
func (p *pacer) frames(t, length time.Duration) (times, before int) {
	at := t.Seconds() * p.rate
	at += math.Copysign(1.0/(1<<17), at)
	frame := min(p.length, 1)
	if n := math.RoundToEven(length.Seconds() * p.rate); n > 0 {
		frame = n
	}
	drift := at - float64(p.made)
	ahead := drift + frame
	if drift < 0 && ahead > 0 {
		drift = 0
	}
	times = 1
	switch {
	case ahead < -1.1:
		times = 0
	case ahead > 1.1:
		times = int(math.RoundToEven(min(ahead, maxRepeats)))
		if drift > 1.1 {
			before = int(math.RoundToEven(drift - 0.6))
		}
	}
	p.made += int64(times)
	before = min(before, times)
	p.before = [3]int{before, p.before[0], p.before[1]}
	return times, before
}

// end tells how often the last frame is repeated at the end.
func (p *pacer) end() int {
	b := p.before
	return max(min(b[0], b[1]), min(max(b[0], b[1]), b[2]))
}

// maxRepeats bounds what one frame that is shown for long costs: ten minutes' worth.
const maxRepeats = 15 * 600
