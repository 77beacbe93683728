package scan

import (
	"context"
	"sync"
	"time"

	"semblance"
)

// A slot is the place of one item in the order of the exhibit. Lanes fill slots in any
// order; they are stored in theirs. The items of a container have their places right
// behind it, and are made while others are examined.
type slot struct {
	job
	res  *result
	done chan struct{} // closed when res is there

	// Of an item that may be a container, else nil. inside gives its items in order.
	inside chan *slot
	front  chan struct{}     // closed when the store waits for it: it must not wait for others
	opened chan struct{}     // closed when it is known whether it is one
	end    *semblance.Opened // of a container: how it ended, complete when inside is closed
	late   *result           // the item as it is to be stored with the digests that were made after all inside of it; nil: res has them
	err    error             // about the run
	again  bool              // it was recorded by an earlier run, which did not come to its end
	cut    bool              // the time of Options.First passed before its end
}

func newSlot(j job) *slot { return &slot{job: j, done: make(chan struct{})} }

// fill says what became of the item.
func (s *slot) fill(res *result) {
	s.res = res
	close(s.done)
}

// A line is the work of a run: who makes jobs, who takes them.
type line struct {
	jobs   chan *slot
	makers sync.WaitGroup // the walk, and each job: a lane may make a maker of it
}

// give hands a slot to a lane. When the run ends first, the slot is filled with that.
func (l *line) give(ctx context.Context, s *slot) {
	l.makers.Add(1)
	select {
	case l.jobs <- s:
	case <-ctx.Done():
		s.abandon(ctx.Err())
		l.makers.Done()
	}
}

// abandon fills a slot that no lane takes any more.
func (s *slot) abandon(err error) {
	s.close(nil)
	s.fill(&result{err: err})
}

// A sink stores results in the order of slots, in batches.
type sink struct {
	r     *run
	batch []*result
	last  time.Time
	tick  *time.Ticker
	cut   bool // the time of Options.First passed inside of a container: no more is stored
}

// drain stores everything that order gives and what is inside of it, until something
// fails.
func (k *sink) drain(order <-chan *slot) error {
	for {
		select {
		case s, ok := <-order:
			if !ok {
				return nil
			}
			if s.entry == nil {
				k.r.share.caughtUp()
			}
			if err := k.take(s); err != nil {
				return err
			}
		case <-k.tick.C:
			if err := k.flush(false); err != nil {
				return err
			}
		}
	}
}

func (k *sink) take(s *slot) error {
	if err := k.wait(s.done); err != nil {
		return err
	}
	if s.res.err != nil {
		return s.res.err
	}
	if s.inside == nil {
		return k.add(s.res)
	}
	close(s.front)
	if err := k.wait(s.opened); err != nil {
		return err
	}
	if s.end == nil { // it was not opened; where it was, err is for whoever comes to its end
		if s.err != nil {
			return s.err
		}
		if s.late != nil {
			return k.add(s.late)
		}
		return k.add(s.res)
	}
	s.res.opens = true
	if err := k.add(s.res); err != nil {
		return err
	}
	if err := k.drain(s.inside); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	if err := k.add(&result{closes: s}); err != nil {
		return err
	}
	// What comes behind what is missing waits for another run, although some of it is
	// finished: else a later file would be recorded as the first of a content.
	k.cut = k.cut || s.cut
	return nil
}

// wait waits for something of the next slot, and stores meanwhile what is finished.
func (k *sink) wait(done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		case <-k.tick.C:
			if err := k.flush(false); err != nil {
				return err
			}
		}
	}
}

func (k *sink) add(res *result) error {
	if k.cut {
		return nil
	}
	k.batch = append(k.batch, res)
	return k.flush(len(k.batch) >= commitItems)
}

// flush stores the batch, when it is full or has waited long enough.
func (k *sink) flush(now bool) error {
	if !now && k.r.now().Sub(k.last) < commitEvery {
		return nil
	}
	batch := k.batch
	k.batch, k.last = nil, k.r.now()
	return k.r.commit(batch)
}
