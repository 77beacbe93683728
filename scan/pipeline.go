package scan

import (
	"context"
	"slices"
	"sync"
)

// A Pipeline is what scans that run at once share: the lanes, the containers that are
// open, and the results that wait for an earlier one. Several exhibits at once so take
// little more memory than one, and none of them keeps another from going on. A case with a
// threat to life goes before others. The zero value is ready; it is safe for concurrent
// use.
type Pipeline struct {
	lanes, containers turns

	mu     sync.Mutex
	freed  *sync.Cond
	shares map[*share]bool
	ahead  int // results of all runs that wait
}

// pending is how many results may wait for an earlier one: enough that one slow picture
// does not stop the lanes, few enough to bound memory (a result with faces and crops is
// some 100 kB). least is how many a run has whatever others do: a slow video of another
// exhibit must not stop it.
const (
	pending = 512
	least   = 64
)

// pipeline is what a run joins.
func (s *Scanner) pipeline() *Pipeline {
	if s.Pipeline != nil {
		return s.Pipeline
	}
	return new(Pipeline)
}

// A share is what one run has of a pipeline.
type share struct {
	*Pipeline
	lanes int
	first bool // goes before others
	ahead int
}

// join lets a run in that wants so many lanes: as many work as the run with most wants.
func (p *Pipeline) join(lanes int, first bool) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shares == nil {
		p.shares, p.freed = map[*share]bool{}, sync.NewCond(&p.mu)
	}
	s := &share{Pipeline: p, lanes: lanes, first: first}
	p.shares[s] = true
	p.setLanes()
	return s
}

// leave gives back what the run holds; it holds no turn any more.
func (s *share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shares, s)
	s.Pipeline.ahead -= s.ahead
	s.setLanes()
	s.freed.Broadcast()
}

func (p *Pipeline) setLanes() {
	most := 0
	for s := range p.shares {
		most = max(most, s.lanes)
	}
	p.lanes.set(most)
	p.containers.set(most)
}

// goAhead waits until one more result may wait for an earlier one.
func (s *share) goAhead(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.mu.Lock(); s.freed.Broadcast(); s.mu.Unlock() })
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.mayGoAhead() && ctx.Err() == nil {
		s.freed.Wait()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.ahead++
	s.Pipeline.ahead++
	return nil
}

func (s *share) mayGoAhead() bool {
	fair := max(least, pending/len(s.shares))
	return s.ahead < least || s.Pipeline.ahead < pending && s.ahead < fair
}

// caughtUp says that the turn of a result has come.
func (s *share) caughtUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead--
	s.Pipeline.ahead--
	s.freed.Broadcast()
}

// work has f run in a lane; it does not when ctx ends first.
func (s *share) work(ctx context.Context, f func()) error {
	if !s.Pipeline.lanes.take(ctx, s.first, nil) {
		return ctx.Err()
	}
	defer s.Pipeline.lanes.give()
	f()
	return nil
}

// open waits until a container may be opened: until it has a turn, or the store waits for
// it, and so must not wait for others. Then it counts among them all the same, so that scans
// at once do not have more open than one. It reports false when ctx ends first.
func (s *share) open(ctx context.Context, front <-chan struct{}) bool {
	if s.containers.take(ctx, s.first, front) {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	s.containers.force()
	return true
}

// turns gives turns: so many at once, in the order of asking, those that go before others
// first.
type turns struct {
	mu         sync.Mutex
	most, used int
	first      []chan struct{} // who waits and goes before others
	others     []chan struct{}
}

// set says how many there are. More are given at once; those that are too many end by
// themselves.
func (q *turns) set(most int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.most = most
	for q.used < q.most && q.pass() {
		q.used++
	}
}

// take waits for a turn and reports whether it has one: not when ctx ends or instead is
// closed before.
func (q *turns) take(ctx context.Context, first bool, instead <-chan struct{}) bool {
	q.mu.Lock()
	if q.used < q.most { // nobody waits while a turn is free
		q.used++
		q.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	list := &q.others
	if first {
		list = &q.first
	}
	*list = append(*list, turn)
	q.mu.Unlock()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-instead:
	}
	q.mu.Lock()
	i := slices.Index(*list, turn)
	if i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 { // the turn came at the same moment
		q.give()
	}
	return false
}

// force takes a turn where none is free: it is one too many.
func (q *turns) force() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used++
}

// give ends a turn.
func (q *turns) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used > q.most || !q.pass() {
		q.used--
	}
}

// pass hands a turn to who waits for it.
func (q *turns) pass() bool {
	for _, list := range []*[]chan struct{}{&q.first, &q.others} {
		if len(*list) > 0 {
			close((*list)[0])
			*list = slices.Delete(*list, 0, 1)
			return true
		}
	}
	return false
}
