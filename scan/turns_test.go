package scan

import (
	"context"
	"fmt"
	"runtime"
	"testing"
)

// Awaited blocks until so many files wait for a lane.
func (p *Pipeline) Awaited(n int) { p.lanes.awaited(n) }

func (q *turns) awaited(n int) {
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

// TestTurns: who came first is served first, but for who goes before others; who leaves
// takes no turn along; and turns that are added are given at once.
func TestTurns(t *testing.T) {
	t.Parallel()
	var q turns
	q.set(1)
	if !q.take(t.Context(), false, nil) {
		t.Fatal("no turn is free")
	}
	ctx, leave := context.WithCancel(t.Context())
	instead := make(chan struct{})
	order := make(chan string)
	for i, w := range []struct {
		name    string
		first   bool
		ctx     context.Context
		instead chan struct{}
	}{{"one", false, t.Context(), nil}, {"leaver", false, ctx, nil}, {"other way", true, t.Context(), instead}, {"two", false, t.Context(), nil}, {"life", true, t.Context(), nil}} {
		go func() {
			if q.take(w.ctx, w.first, w.instead) {
				order <- w.name
			} else {
				order <- w.name + " left"
			}
		}()
		q.awaited(i + 1)
	}
	next := func(want string) {
		t.Helper()
		if got := <-order; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	leave()
	next("leaver left")
	close(instead)
	next("other way left")
	q.give()
	next("life")
	q.set(2)
	next("one")
	q.set(1)
	q.give() // one is too many
	q.awaited(1)
	q.give()
	next("two")
	q.force() // two are taken, of one
	go func() { order <- fmt.Sprint("late ", q.take(t.Context(), false, nil)) }()
	q.awaited(1)
	q.give()
	q.awaited(1)
	q.give()
	next("late true")
	q.give()
	if q.used != 0 {
		t.Errorf("%d turns are taken", q.used)
	}
}

// TestShares: what waits is bounded for all together, and nobody waits for another's.
func TestShares(t *testing.T) {
	t.Parallel()
	var p Pipeline
	ahead := func(s *share) (n int) {
		for s.mayGoAhead() {
			if err := s.goAhead(t.Context()); err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	alone := p.join(1, false)
	if n := ahead(alone); n != pending {
		t.Errorf("alone: %d, want %d", n, pending)
	}
	late := p.join(1, false)
	if n := ahead(late); n != least {
		t.Errorf("beside one that has all: %d, want %d", n, least)
	}
	for range pending {
		alone.caughtUp()
	}
	if n := ahead(late); n != pending/2-least {
		t.Errorf("more of its half: %d", n)
	}
	if n := ahead(alone); n != pending/2 {
		t.Errorf("the other half: %d", n)
	}
	late.leave()
	if n := ahead(alone); n != pending/2 {
		t.Errorf("when the other has left: %d", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := alone.goAhead(ctx); err == nil {
		t.Error("more than all")
	}
	alone.leave()
	if p.ahead != 0 || len(p.shares) != 0 {
		t.Errorf("%d wait, %d runs", p.ahead, len(p.shares))
	}
}
