package scan

import (
	"context"
	"errors"
	"sync"
	"time"

	"semblance"
)

// errFirst ends the walk when the time of Options.First has passed.
var errFirst = semblance.Errorf(semblance.Canceled, "the time given with --first has passed")

// run walks, examines and stores. The walk makes slots, in the order of the exhibit; the
// lanes fill them; containers make slots of their own; and this goroutine stores what is in
// the slots, in their order. How far the walk may be ahead of the store is bounded.
func (r *run) run(ctx context.Context) error {
	var lanes, counting sync.WaitGroup
	defer counting.Wait() // nothing of the exhibit is open when Run returns
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.line, r.share = &line{jobs: make(chan *slot)}, r.pipeline().join(r.Lanes, r.Plan.Case.ThreatToLife)
	defer r.share.leave()
	order := make(chan *slot, pending)
	counting.Go(func() { r.count(ctx) })
	var walked error
	r.line.makers.Add(1)
	go func() {
		defer r.line.makers.Done()
		defer close(order)
		walked = r.feed(ctx, order)
	}()
	waiting := 0
	if r.share.first {
		waiting = 1 // one that has its file, so that no turn passes to others meanwhile
	}
	for range r.Lanes + waiting {
		lanes.Go(func() {
			for s := range r.line.jobs {
				if err := r.share.work(ctx, func() { r.work(ctx, s) }); err != nil {
					s.abandon(err)
				}
				r.line.makers.Done()
			}
		})
	}
	go func() { r.line.makers.Wait(); close(r.line.jobs) }()
	k := &sink{r: r, last: r.now(), tick: time.NewTicker(commitEvery)}
	defer k.tick.Stop()
	err := k.drain(order)
	if err != nil {
		cancel()
	}
	if ferr := k.flush(true); ferr != nil && err == nil {
		err = ferr
		cancel()
	}
	lanes.Wait()
	if err == nil && walked != nil && !errors.Is(walked, error(errFirst)) {
		return walked
	}
	if err == nil && r.stopped.Load() {
		r.sum.Why = "stopped after " + r.First.String() + " as asked; run it again to go on"
	}
	if err == nil && !r.stopped.Load() {
		r.sum.Missing = r.before - r.sum.known
	}
	return err
}

// feed walks the exhibit and hands out jobs, what pays first: once for each urgency, so
// that nothing has to be kept of what comes later.
func (r *run) feed(ctx context.Context, order chan<- *slot) error {
	for urgency := range semblance.Urgencies {
		err := walk(ctx, r.Root, func(f found) error {
			if f.place() != urgency {
				return nil
			}
			if f.folder { // an item only where an earlier run recorded that it could not be listed
				if r.before == 0 {
					return nil
				}
				if _, failed, err := r.Record.ItemState(ctx, r.exhibit.ID, f.path); err != nil || !failed {
					return err
				}
			}
			if r.late() {
				return errFirst
			}
			if err := r.share.goAhead(ctx); err != nil {
				return err
			}
			s := newSlot(job{found: f})
			order <- s // has room for all that may go ahead
			r.line.give(ctx, s)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// place is the round of the walk in which an item's turn comes.
func (f *found) place() int {
	if f.folder || f.info != nil && f.info.IsDir() {
		return 0
	}
	return semblance.Urgency(f.path)
}

// late reports whether the time of Options.First has passed.
func (r *run) late() bool {
	if r.First <= 0 || r.now().Sub(r.started) <= r.First {
		return false
	}
	r.stopped.Store(true)
	return true
}

// count walks ahead only to know the totals.
func (r *run) count(ctx context.Context) {
	err := walk(ctx, r.Root, func(f found) error {
		if f.folder {
			return nil
		}
		r.totals.items.Add(1)
		if f.info != nil && f.info.Mode().IsRegular() {
			r.totals.bytes.Add(f.info.Size())
		}
		return nil
	})
	r.counted.Store(err == nil)
}

// commitItems and commitEvery bound one transaction: so many items, or so long.
const (
	commitItems = 256
	commitEvery = 500 * time.Millisecond
)

// commit stores a batch, then tells of it. What was finished in order is kept,
// even when the caller has left.
func (r *run) commit(batch []*result) error {
	var records []semblance.ItemRecord
	for _, res := range batch {
		become := r.place
		if res.closes != nil {
			become = r.close
		}
		if err := become(res); err != nil {
			return err
		}
		if res.write {
			records = append(records, res.record)
		}
	}
	if len(records) > 0 {
		ids := make([]semblance.CollectionID, len(r.Plan.Collections))
		for i, c := range r.Plan.Collections {
			ids[i] = c.ID
		}
		if err := r.Store.CommitItems(context.Background(), r.Plan.Case.ID, r.exhibit.ID, records, ids); err != nil {
			return err
		}
	}
	clear(r.seen) // the record says it now
	for _, res := range batch {
		r.tell(res)
		if s := res.record.Item.SHA256; s != nil && (res.closes == nil || res.closes.late != nil) {
			r.flight.land(*s)
		}
	}
	if r.Progress != nil {
		if p := r.progress(); len(batch)+len(p.Works) > 0 {
			r.Options.Progress(p)
		}
	}
	return nil
}

// place decides, in the order of the walk, which item of a media is the first of
// the exhibit and which are duplicates. What an earlier run recorded as the first
// stays it for as long as it has that content.
func (r *run) place(res *result) error {
	if !res.write {
		return nil
	}
	it := &res.record.Item
	sum := it.SHA256
	if p := res.prior; p != nil && p.Status == semblance.ItemNew && (sum == nil || *sum != p.SHA256 || it.Status != semblance.ItemNew) {
		if first, err := r.first(p.SHA256); err != nil {
			return err
		} else if first == it.Path {
			r.seen[p.SHA256] = ""
		}
	}
	if sum != nil && it.Status == semblance.ItemNew {
		first, err := r.first(*sum)
		if err != nil {
			return err
		}
		if first != "" && first != it.Path {
			it.Status, res.status = semblance.ItemDuplicate, semblance.ItemDuplicate
		} else {
			r.seen[*sum] = it.Path
		}
	}
	r.placeMedia(res)
	if res.same && it.Status != semblance.ItemFailed {
		res.status = semblance.ItemUnchanged // the file is as it was; only the comparison is new
	}
	return nil
}

// first is the item that counts as the first of a media, "" when none does.
func (r *run) first(sum semblance.SHA256) (string, error) {
	if path, ok := r.seen[sum]; ok {
		return path, nil
	}
	return r.Record.FirstItem(context.Background(), r.exhibit.ID, sum)
}

// mostStored bounds what a run remembers to have written. It has to cover what was examined
// before the first of its content was stored; to write a media again changes nothing.
const mostStored = 4096

func (r *run) placeMedia(res *result) {
	if res.record.Media == nil {
		return
	}
	sum := *res.record.Item.SHA256
	if len(r.stored) >= mostStored {
		clear(r.stored)
	}
	if r.stored[sum] && !res.decoded {
		res.record.Media = nil // stored with another item
	}
	r.stored[sum] = true
}

// tell counts a stored result and reports it. A container is counted when it has come to
// its end, because only then it is known whether it failed; what it is and what was found
// in it as a file is told when it is opened.
func (r *run) tell(res *result) {
	s := &r.sum
	if res.below != nil {
		r.tellBelow(res)
	}
	if res.opens {
		s.Bytes += res.read
		if res.decoded {
			s.Decoded++
		}
		r.countFindings(res)
		for _, e := range res.events() {
			r.event(e)
		}
		return
	}
	if res.closes != nil {
		s.Containers++
		s.Opened++
	}
	if res.prior != nil {
		s.known++
	}
	s.Seen++
	s.count(res.status)
	s.Bytes += res.read
	if res.decoded {
		s.Decoded++
	}
	if res.status == semblance.ItemFailed {
		s.Errors[string(res.record.Item.Code)]++
	}
	r.countFindings(res)
	r.totals.done.Add(1)
	r.totals.doneBytes.Add(res.record.Item.Size)
	for _, e := range res.events() {
		r.event(e)
	}
}

// tellBelow counts what lies in a container that an earlier run went through whole, and
// tells its failures again.
func (r *run) tellBelow(res *result) {
	s, b := &r.sum, res.below
	failed := b.ByStatus[semblance.ItemFailed]
	s.Seen += b.Items
	s.Failed += failed
	s.Unchanged += b.Items - failed
	s.known += b.Items
	s.Containers += b.Containers + 1
	for code, n := range b.Errors {
		s.Errors[string(code)] += int(n)
	}
	r.totals.items.Add(b.Items)
	r.totals.done.Add(b.Items)
	for _, it := range res.belowFailed {
		again := &result{status: it.Status, record: semblance.ItemRecord{Item: it}}
		for _, e := range again.events() {
			r.event(e)
		}
	}
}

// countFindings keeps the number that progress shows.
func (r *run) countFindings(res *result) {
	if f := res.findings; f != nil {
		r.totals.findings.Add(int64(len(f.Hits) + len(f.NearMatches) + len(f.Candidates) + len(f.Contradictions)))
	}
	if n := res.record.Name; n != nil {
		r.totals.findings.Add(int64(len(n.Hits)))
	}
}

// tally fills in what the whole exhibit holds.
func (r *run) tally(ctx context.Context) error {
	t, err := r.Store.Tally(ctx, r.Plan.Case.ID, r.exhibit.ID)
	if err != nil {
		return err
	}
	r.sum.SetTally(t, r.Plan)
	return nil
}

func (r *run) progress() Progress {
	now := r.now()
	return Progress{Items: r.totals.done.Load(), TotalItems: r.totals.items.Load(), Bytes: r.totals.doneBytes.Load(), TotalBytes: r.totals.bytes.Load(),
		Counted: r.counted.Load(), Findings: r.totals.findings.Load(), Elapsed: now.Sub(r.started), Works: r.works.under(now)}
}
