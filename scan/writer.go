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

// run walks, examines and stores. Three kinds of goroutine: the walk, which
// numbers items; the lanes; and this one, which stores results in the order of
// their numbers. slots bounds how far the walk may be ahead of the store.
func (r *run) run(ctx context.Context) error {
	var wg, counting sync.WaitGroup
	defer counting.Wait() // nothing of the exhibit is open when Run returns
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs, results := make(chan job), make(chan *result, pending)
	slots := make(chan struct{}, pending)
	counting.Go(func() { r.count(ctx) })
	var walked error
	wg.Go(func() { defer close(jobs); walked = r.feed(ctx, jobs, slots) })
	for range r.Lanes {
		wg.Go(func() {
			for j := range jobs {
				results <- r.item(ctx, j) // never blocks for long: slots <= cap(results)
			}
		})
	}
	go func() { wg.Wait(); close(results) }()
	err := r.store(results, slots, cancel)
	wg.Wait()
	if err == nil && walked != nil {
		if !errors.Is(walked, error(errFirst)) {
			return walked
		}
		r.sum.Why = "stopped after " + r.First.String() + " as asked; run it again to go on"
	}
	if err == nil && walked == nil {
		r.sum.Missing = int64(len(r.prior)) - r.sum.known
	}
	return err
}

// feed walks the exhibit and hands out jobs.
func (r *run) feed(ctx context.Context, jobs chan<- job, slots chan<- struct{}) error {
	var seq int64
	return walk(ctx, r.Root, func(f found) error {
		if _, failed := r.prior[f.path]; f.folder && !failed {
			return nil
		}
		if r.First > 0 && r.now().Sub(r.started) > r.First {
			return errFirst
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case jobs <- job{seq: seq, found: f}:
		case <-ctx.Done():
			return ctx.Err()
		}
		seq++
		return nil
	})
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

// store puts results in order and commits them in batches. After an error it
// stops the lanes and drains what they still send.
func (r *run) store(results <-chan *result, slots <-chan struct{}, cancel func()) error {
	waiting := map[int64]*result{}
	var next int64
	var batch []*result
	var first error
	last := r.now()
	for res := range results {
		if first != nil {
			continue
		}
		if res.err != nil {
			first = res.err
		}
		waiting[res.seq] = res
		for first == nil {
			ready, ok := waiting[next]
			if !ok {
				break
			}
			delete(waiting, next)
			next++
			<-slots
			batch = append(batch, ready)
		}
		if first == nil && (len(batch) >= commitItems || r.now().Sub(last) >= commitEvery) {
			first = r.commit(batch)
			batch, last = nil, r.now()
		}
		if first != nil {
			cancel()
		}
	}
	if err := r.commit(batch); err != nil && first == nil {
		first = err
	}
	return first
}

// commit stores a batch, then tells of it. What was finished in order is kept,
// even when the caller has left.
func (r *run) commit(batch []*result) error {
	var records []semblance.ItemRecord
	for _, res := range batch {
		r.place(res)
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
	for _, res := range batch {
		r.tell(res)
		if s := res.record.Item.SHA256; s != nil {
			r.flight.land(*s)
		}
	}
	if len(batch) > 0 && r.Progress != nil {
		r.Options.Progress(r.progress())
	}
	return nil
}

// place decides, in the order of the walk, which item of a media is the first of
// the exhibit and which are duplicates. What an earlier run recorded as the first
// stays it for as long as it has that content.
func (r *run) place(res *result) {
	if !res.write {
		return
	}
	it := &res.record.Item
	sum := it.SHA256
	if p, ok := r.prior[it.Path]; ok && r.seen[p.SHA256] == it.Path && (sum == nil || *sum != p.SHA256 || it.Status != semblance.ItemNew) {
		delete(r.seen, p.SHA256)
	}
	if sum != nil && it.Status == semblance.ItemNew {
		if first, ok := r.seen[*sum]; ok && first != it.Path {
			it.Status, res.status = semblance.ItemDuplicate, semblance.ItemDuplicate
		} else {
			r.seen[*sum] = it.Path
		}
	}
	if res.record.Media != nil {
		if r.stored[*sum] && !res.decoded {
			res.record.Media = nil // stored with another item
		}
		r.stored[*sum] = true
	}
	if res.same && it.Status != semblance.ItemFailed {
		res.status = semblance.ItemUnchanged // the file is as it was; only the comparison is new
	}
}

// tell counts a stored result and reports it.
func (r *run) tell(res *result) {
	s := &r.sum
	if _, ok := r.prior[res.record.Item.Path]; ok {
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

// countFindings keeps the number that progress shows.
func (r *run) countFindings(res *result) {
	if f := res.findings; f != nil {
		r.totals.findings.Add(int64(len(f.Hits) + len(f.NearMatches) + len(f.Candidates) + len(f.Contradictions)))
	}
}

// tally fills in what the whole exhibit holds.
func (r *run) tally(ctx context.Context) error {
	t, err := r.Store.Tally(ctx, r.Plan.Case.ID, r.exhibit.ID)
	if err != nil {
		return err
	}
	s := &r.sum
	s.Media, s.Partial, s.Faces, s.FacesPoor = t.Media, t.Partial, t.Faces, t.FacesPoor
	s.Floods = t.Floods
	s.Hits, s.Weak, s.NearMatches, s.Candidates, s.Contradictions = t.Hits, t.WeakHits, t.NearMatches, t.Candidates, t.Contradictions
	return nil
}

func (r *run) progress() Progress {
	return Progress{Items: r.totals.done.Load(), TotalItems: r.totals.items.Load(), Bytes: r.totals.doneBytes.Load(), TotalBytes: r.totals.bytes.Load(),
		Counted: r.counted.Load(), Findings: r.totals.findings.Load(), Elapsed: r.now().Sub(r.started)}
}
