package supplied

import (
	"runtime"
	"slices"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// startTidying tidies a shelf in the background, unless that is under way. The caller
// holds changes.
func (x *Index) startTidying(c semblance.CollectionID) {
	s := x.shelf(c)
	if x.tidying[c] || x.closed || s == nil {
		return
	}
	if len(s.untidy()) == 0 {
		return
	}
	x.tidying[c] = true
	x.work.Add(1)
	go func() {
		defer x.work.Done()
		x.tidy(c)
	}()
}

// tidy rewrites trays of a shelf until there is nothing to tidy. Searches and changes
// go on meanwhile; only the moment of exchange waits for changes.
func (x *Index) tidy(c semblance.CollectionID) {
	for {
		x.changes.Lock()
		s := x.shelf(c)
		var which []int
		if s != nil {
			which = s.untidy()
		}
		if len(which) == 0 {
			x.tidying[c] = false
			x.changes.Unlock()
			return
		}
		x.changes.Unlock()
		var r rewrite
		err := disk.Guarded(func() (err error) {
			r, err = s.rewrite(which, x.folder.keeper(c))
			return err
		})
		x.changes.Lock()
		if err == nil {
			err = x.exchange(s, r)
		}
		if err != nil { // it is tried again at the next change
			if x.shelf(c) == s {
				err = x.failed(s, err)
			}
			x.note("the index of supplied values of collection %s is not tidied: %v", c, err)
			x.tidying[c] = false
			x.changes.Unlock()
			return
		}
		x.changes.Unlock()
		runtime.KeepAlive(s)
	}
}

// untidy returns the trays to rewrite as one: one of which rows are gone, since what was
// removed must not stay on the disk, or trays of one algorithm of which one is not at
// least twice as large as those behind it together.
func (s *shelf) untidy() []int {
	seen := map[hashing.Algorithm][]int{}
	for i, t := range s.trays {
		if s.gone[i].len() > 0 {
			return []int{i}
		}
		seen[t.algorithm] = append(seen[t.algorithm], i)
	}
	for _, all := range seen {
		for to := len(all); to > 1; to-- {
			from, rows := to-1, int(s.trays[all[to-1]].Rows)
			for from > 0 {
				more := int(s.trays[all[from-1]].Rows)
				if more >= 2*rows || more+rows > trayRows {
					break
				}
				from--
				rows += more
			}
			if to-from > 1 {
				return all[from:to]
			}
		}
	}
	return nil
}

// A rewrite is a tray that takes the place of others; nil when nothing is left of them.
type rewrite struct {
	which []int
	tray  *tray
}

// rewrite makes one tray of several, without what is gone.
func (s *shelf) rewrite(which []int, keep func(*tray) (*tray, error)) (rewrite, error) {
	r := rewrite{which: which}
	b := newBuilder(s.trays[which[0]].algorithm)
	for _, i := range which {
		t := s.trays[i]
		for row := range int(t.Rows) {
			if s.gone[i].has(row) {
				continue
			}
			id, err := t.id(row)
			if err != nil {
				return r, err
			}
			value, err := t.value(row)
			if err != nil {
				return r, err
			}
			b.put(id, value[:t.Width])
		}
	}
	if len(b.ids) == 0 {
		return r, nil
	}
	var err error
	r.tray, err = keep(b.seal())
	return r, err
}

// exchange puts a rewritten tray in the place of those it was made of, together with what
// has changed since: rows that went, and trays that came. When everything was replaced,
// the rewrite is thrown away. The caller holds changes.
func (x *Index) exchange(s *shelf, r rewrite) error {
	now := x.shelf(s.collection)
	if now == nil || len(now.trays) < len(s.trays) || !slices.Equal(now.trays[:len(s.trays)], s.trays) {
		if r.tray != nil {
			x.folder.discardTrays(s.collection, []*tray{r.tray})
		}
		return nil
	}
	next := shelf{collection: now.collection, version: now.version}
	for i, t := range now.trays {
		if !slices.Contains(r.which, i) {
			next.trays, next.gone = append(next.trays, t), append(next.gone, now.gone[i])
		} else if i == r.which[0] && r.tray != nil {
			set, err := r.goneSince(s, now)
			if err != nil {
				return err
			}
			next.trays, next.gone = append(next.trays, r.tray), append(next.gone, set)
		}
	}
	if err := x.folder.commit(&next); err != nil {
		if r.tray != nil {
			x.folder.discardTrays(s.collection, []*tray{r.tray})
		}
		return err
	}
	x.mu.Lock()
	x.shelves[s.collection] = &next
	x.mu.Unlock()
	x.folder.retire(now, &next)
	return nil
}

// goneSince returns the rows of the rewritten tray that went while it was made.
func (r *rewrite) goneSince(s, now *shelf) (set rowSet, err error) {
	for _, i := range r.which {
		for row := range int(now.trays[i].Rows) {
			if !now.gone[i].has(row) || s.gone[i].has(row) {
				continue
			}
			id, err := now.trays[i].id(row)
			if err != nil {
				return nil, err
			}
			at, err := r.tray.find(id)
			if err != nil {
				return nil, err
			}
			if at < 0 {
				return nil, disk.ErrDamaged
			}
			if set == nil {
				set = newRowSet(r.tray)
			}
			set[at/64] |= 1 << (at % 64)
		}
	}
	return set, nil
}
