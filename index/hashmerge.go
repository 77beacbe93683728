package index

import (
	"cmp"
	"maps"
	"runtime"
	"slices"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// mostMerges is how many merges are under way at once: small ones do not wait for
// a large one.
const mostMerges = 2

// startMerging merges segments of a collection in the background, unless enough is under
// way. The caller holds changes.
func (h *Hashes) startMerging(c semblance.CollectionID) {
	k := h.catalog(c)
	if k == nil || h.merges >= mostMerges {
		return
	}
	some := k.untidy(h.merging)
	if len(some) == 0 {
		return
	}
	for _, s := range some {
		h.merging[s] = true
	}
	h.merges++
	h.work.Add(1)
	go func() {
		defer h.work.Done()
		h.merge(k, some)
	}()
}

// untidy returns segments to make one of: those of an algorithm of which the larger is not at least
// twice as large as all smaller ones together, or one of which a quarter is gone. Those that
// are being merged are left out.
func (c *catalog) untidy(merging map[*segment]bool) []*segment {
	for _, a := range hashing.Algorithms() {
		var all []*segment
		for i, s := range c.segments {
			if s.algorithm != a || merging[s] {
				continue
			}
			if s.Rows == 0 || 4*c.gone[i].len() >= int(s.Rows) {
				return []*segment{s}
			}
			all = append(all, s)
		}
		slices.SortStableFunc(all, func(a, b *segment) int { return cmp.Compare(a.Rows, b.Rows) })
		if n := untidyRows(all); n > 1 {
			return all[:n]
		}
	}
	return nil
}

// untidyRows returns how many of segments, the smallest first, are to be made one.
func untidyRows(all []*segment) int {
	n, sum := 0, 0
	for i, s := range all {
		if sum+int(s.Rows) > maxSegmentRows {
			break
		}
		if i > 0 && int(s.Rows) < 2*sum {
			n = i + 1
		}
		sum += int(s.Rows)
	}
	return n
}

// merge makes one segment of several and exchanges it for them. Searches and changes go on meanwhile;
// only the moment of exchange waits for changes.
func (h *Hashes) merge(c *catalog, some []*segment) {
	w := h.folder.scribe(c.collection, 1)
	var made *segment
	err := disk.Guarded(func() (err error) {
		made, err = c.merged(some, w)
		return err
	})
	runtime.KeepAlive(c)
	h.changes.Lock()
	defer h.changes.Unlock()
	if err == nil {
		err = disk.Guarded(func() error { return h.exchange(c, some, made) })
	}
	h.merges--
	for _, s := range some {
		delete(h.merging, s)
	}
	if err != nil { // it is tried again at the next change
		now := h.catalog(c.collection)
		if now != nil && now.has(some) {
			err = h.failed(now, err)
		}
		h.note("segments of the hash index of collection %s are not merged: %v", c.collection, err)
		return
	}
	h.mu.RLock()
	all := slices.Collect(maps.Keys(h.held))
	h.mu.RUnlock()
	for _, c := range all { // others may have waited
		h.startMerging(c)
	}
}

// has reports whether a catalog has all of some segments.
func (c *catalog) has(some []*segment) bool {
	return !slices.ContainsFunc(some, func(s *segment) bool { return !slices.Contains(c.segments, s) })
}

// exchange puts a segment in the place of those it was made of, together with what has
// changed since: rows that went, and segments that came. When everything was replaced, it
// is thrown away. The caller holds changes.
func (h *Hashes) exchange(c *catalog, some []*segment, made *segment) error {
	now := h.catalog(c.collection)
	w := h.folder.scribe(c.collection, 1)
	if now == nil || !now.has(some) {
		w.discard(made)
		return nil
	}
	gone, err := now.goneSince(c, some, made)
	if err == nil {
		next := now.without(some)
		if made.Rows > 0 {
			next.segments, next.gone = append(next.segments, made), append(next.gone, gone)
		}
		if err = h.folder.commit(next); err == nil {
			h.mu.Lock()
			h.held[c.collection] = next
			h.mu.Unlock()
			h.folder.retire(now, next)
			if made.Rows == 0 {
				w.discard(made)
			}
			return nil
		}
	}
	w.discard(made)
	return err
}

// without returns a successor that lacks segments.
func (c *catalog) without(some []*segment) *catalog {
	next := *c
	next.segments, next.gone = nil, nil
	for i, s := range c.segments {
		if !slices.Contains(some, s) {
			next.segments, next.gone = append(next.segments, s), append(next.gone, c.gone[i])
		}
	}
	return &next
}

// goneSince returns the rows of a merged segment that went while it was made.
func (c *catalog) goneSince(before *catalog, some []*segment, made *segment) (rowSet, error) {
	var set rowSet
	for _, s := range some {
		then, now := before.gone[slices.Index(before.segments, s)], c.gone[slices.Index(c.segments, s)]
		cur := cursor{segment: s, gone: then, at: -1}
		if now.len() == then.len() {
			continue
		}
		for cur.step() {
			if !now.has(cur.at) {
				continue
			}
			row, err := made.row(&cur.now.value, cur.now.id)
			if err != nil {
				return nil, err
			}
			if row < 0 {
				return nil, disk.ErrDamaged
			}
			if set == nil {
				set = newRowSet(int(made.Rows))
			}
			set[row/64] |= 1 << (row % 64)
		}
	}
	return set, nil
}
