package worker

import (
	"context"
	"slices"
	"sync"
)

// A queue gives turns: so many at once, in the order of asking, what goes before others'
// first.
type queue struct {
	mu     sync.Mutex
	free   int
	first  []chan struct{} // waiters that go before others
	others []chan struct{}
}

// take waits for a turn, until ctx or closed ends.
func (q *queue) take(ctx context.Context, first bool, closed <-chan struct{}) error {
	q.mu.Lock()
	if q.free > 0 { // nobody waits while a turn is free
		q.free--
		q.mu.Unlock()
		return nil
	}
	turn := make(chan struct{}, 1)
	list := &q.others
	if first {
		list = &q.first
	}
	*list = append(*list, turn)
	q.mu.Unlock()
	err := error(nil)
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closed:
		err = (&fault{kind: faultClosed}).public()
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
	return err
}

// give ends a turn.
func (q *queue) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, list := range []*[]chan struct{}{&q.first, &q.others} {
		if len(*list) > 0 {
			(*list)[0] <- struct{}{}
			*list = slices.Delete(*list, 0, 1)
			return
		}
	}
	q.free++
}
