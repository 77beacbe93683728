package media

import (
	"math/bits"
	"time"
)

// The grid of brightness in which scenes are told apart.
const (
	grayColumns = 32
	grayRows    = 18
	graySize    = grayColumns * grayRows
)

// A Looker chooses the frames of a video that are looked at closely, for faces and the
// contact sheet: evenly spread ones, and the first of every scene. It is told of every
// frame that is decoded, and follows from the file alone.
type Looker struct {
	most    int // frames at most
	taken   int
	scenes  int
	horizon time.Duration // up to which the present spacing is planned
	even    time.Duration // from one look to the next
	short   time.Duration // to one for a scene that begins
	last    time.Duration // of the last look
	began   bool          // a scene, since the last look
	scene   sceneFinder
}

const (
	// Twice a second is often enough for a face that is there for a moment, and costs less
	// than decoding does (docs/benchmarks.md).
	evenLook  = time.Second / 2
	shortLook = time.Second / 5
	// unknownLength is planned for where the header gives none. What is longer gets
	// half of what is left for as much time again, and so on.
	unknownLength = 10 * time.Minute
)

// NewLooker returns a Looker that takes at most so many frames of a video that is so
// long by its header, 0 when it does not say.
func NewLooker(most int, length time.Duration) *Looker {
	l := &Looker{most: max(most, 1), horizon: length + length/50}
	part := l.most - l.most/8
	if length <= 0 {
		l.horizon, part = unknownLength, l.most/2
	}
	l.plan(l.horizon, part)
	return l
}

// plan spaces part looks over a time.
func (l *Looker) plan(over time.Duration, part int) {
	least := over / time.Duration(max(part, 1))
	l.short, l.even = max(shortLook, least), max(evenLook, 2*least)
}

// Take reports whether the frame is looked at, and whether a scene began since the last
// one that was. gray is the frame's Gray.
func (l *Looker) Take(f VideoFrame, gray []byte) (take, cut bool) {
	for f.Time >= l.horizon && l.horizon < 1<<62/2 {
		l.plan(l.horizon, (l.most-l.taken)/2)
		l.horizon *= 2
	}
	if l.scene.begins(f.Time, gray) {
		l.scenes++
		l.began = true
	}
	since := f.Time - l.last
	switch {
	case l.taken == l.most:
		return false, false
	case l.taken == 0, since >= l.even, l.began && since >= l.short:
	default:
		return false, false
	}
	l.taken, l.last = l.taken+1, f.Time
	cut, l.began = l.began, false
	return true, cut
}

// Scenes tells how many scenes the frames so far make up, 0 before the first.
func (l *Looker) Scenes() int { return l.scenes }

// Taken tells how many frames were taken, and whether there may be no more.
func (l *Looker) Taken() (n int, exhausted bool) { return l.taken, l.taken == l.most }

// A sceneFinder tells where a scene begins, as FFmpeg's scdet does: the picture changes
// much, and much more than it did from the frame before to the last.
type sceneFinder struct {
	started  bool
	at       time.Duration
	gray     [graySize]byte
	changing float64
}

const (
	// sceneChange is in percent of the range of brightness, scdet's own.
	sceneChange = 10.0
	// farFrames is how far apart frames may be to be compared: what changes from
	// keyframe to keyframe may be the same scene.
	farFrames = time.Second
)

func (s *sceneFinder) begins(at time.Duration, gray []byte) bool {
	sum := 0
	for i, v := range gray[:graySize] {
		d := int(v) - int(s.gray[i])
		sum += max(d, -d)
	}
	change := 100 * float64(sum) / (255 * graySize)
	first, far := !s.started, at-s.at > farFrames
	more := change - s.changing
	s.started, s.at, s.changing = true, at, change
	copy(s.gray[:], gray)
	if first || far {
		s.changing = 0
	}
	return first || !far && min(change, max(more, -more)) >= sceneChange
}

// A Roll keeps a bounded number of things from a sequence of unknown length, spread
// evenly over it.
type Roll[T any] struct {
	most  int
	step  uint64 // every so manieth is kept
	seen  uint64
	Items []T
}

// NewRoll returns a Roll of most to twice most things, once there are as many.
func NewRoll[T any](most int) *Roll[T] { return &Roll[T]{most: most, step: 1} }

// Wants reports whether the next thing is kept; it is given to Keep then, or Skip is
// called.
func (r *Roll[T]) Wants() bool { return r.seen%r.step == 0 }

// Skip passes a thing over.
func (r *Roll[T]) Skip() { r.seen++ }

// Keep keeps a thing. When there are twice as many as wanted, every second goes.
func (r *Roll[T]) Keep(x T) {
	r.seen++
	if r.Items = append(r.Items, x); len(r.Items) < 2*r.most {
		return
	}
	kept := r.Items[:0]
	for i := 0; i < len(r.Items); i += 2 {
		kept = append(kept, r.Items[i])
	}
	clear(r.Items[len(kept):])
	r.Items = kept
	if bits.Len64(r.step) < 63 {
		r.step *= 2
	}
}
