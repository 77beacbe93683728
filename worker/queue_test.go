package worker

import (
	"context"
	"runtime"
	"sync"
	"testing"
)

// waiting blocks until so many wait.
func (q *queue) waiting(n int) {
	for {
		q.mu.Lock()
		there := len(q.first) + len(q.others)
		q.mu.Unlock()
		if there == n {
			return
		}
		runtime.Gosched()
	}
}

// TestThreatToLifeGoesFirst: whoever came first is served first, but for what goes before
// others; and who leaves takes no turn along.
func TestThreatToLifeGoesFirst(t *testing.T) {
	t.Parallel()
	q := &queue{free: 1}
	never := make(chan struct{})
	if err := q.take(t.Context(), false, never); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 5)
	var wg sync.WaitGroup
	wait := func(name string, first bool, ctx context.Context) {
		wg.Go(func() {
			if err := q.take(ctx, first, never); err != nil {
				order <- name + " left"
				return
			}
			order <- name
			q.give()
		})
	}
	ctx, leave := context.WithCancel(t.Context())
	for i, w := range []struct {
		name  string
		first bool
		ctx   context.Context
	}{{"one", false, t.Context()}, {"leaver", false, ctx}, {"two", false, t.Context()}, {"life", true, t.Context()}} {
		wait(w.name, w.first, w.ctx)
		q.waiting(i + 1)
	}
	leave()
	if got := <-order; got != "leaver left" {
		t.Fatal(got)
	}
	q.give()
	wg.Wait()
	for _, want := range []string{"life", "one", "two"} {
		if got := <-order; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if q.free != 1 {
		t.Errorf("%d turns are free", q.free)
	}
	closed := make(chan struct{})
	close(closed)
	q.free = 0
	if err := q.take(t.Context(), true, closed); err == nil {
		t.Error("a closed pool gives turns")
	}
}
