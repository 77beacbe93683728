package scan

import (
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Work is something that takes long with one file, during which no item may come to its end.
type Work struct {
	Path  string
	What  string        // WorkDigests or WorkInside
	Done  int64         // bytes, of one of its passes
	Total int64         // 0: not known
	For   time.Duration // since the pass began
}

// What is done.
const (
	WorkDigests = "digests" // it is read from beginning to end
	WorkInside  = "inside"  // an image is verified or carved, or something in a container is looked for
)

// Left is how long the pass will still take at the speed so far; 0 where that is not known.
func (w Work) Left() time.Duration {
	if w.Done <= 0 || w.Total <= w.Done {
		return 0
	}
	return time.Duration(float64(w.For) * float64(w.Total-w.Done) / float64(w.Done))
}

// works are those under way.
type works struct {
	mu   sync.Mutex
	list map[*work]bool
}

// A work is under way from when it first says how far it is: most files are done before.
type work struct {
	of    *works
	clock func() time.Time
	now   Work
	begun time.Time // the pass
	shown time.Time // from when on it is told
	ended bool
}

const (
	workShown = 3 * time.Second // what is done earlier is not told
	workLarge = 64 << 20        // bytes; what is read in an instant is not noted
)

func (l *works) begin(path, what string, clock func() time.Time) *work {
	return &work{of: l, clock: clock, now: Work{Path: path, What: what}}
}

// set says how far it is. What falls back has begun another pass.
func (w *work) set(done, total int64) {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if w.ended {
		return
	}
	first := w.begun.IsZero()
	if first || done < w.now.Done || total != w.now.Total {
		w.begun = w.clock()
	}
	if first {
		w.shown = w.begun.Add(workShown)
		if w.of.list == nil {
			w.of.list = map[*work]bool{}
		}
		w.of.list[w] = true
	}
	w.now.Done, w.now.Total = done, total
}

func (w *work) end() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.ended = true
	delete(w.of.list, w)
}

// under lists what has been under way for some time, by path.
func (l *works) under(now time.Time) (list []Work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.list {
		if w.now.Done > 0 && !now.Before(w.shown) {
			x := w.now
			x.For = now.Sub(w.begun)
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b Work) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// A workReader says how far the reading of a file is.
type workReader struct {
	r       io.Reader
	w       *work
	n, size int64
}

func (r *workReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	r.n += int64(n)
	r.w.set(r.n, max(r.n, r.size))
	return n, err
}
