package index

import (
	"runtime"
	"slices"

	"semblance"
	"semblance/index/disk"
)

// startTidying tidies a shelf in the background, unless that is under way. The caller
// holds changes.
func (f *Flat) startTidying(k shelfKey) {
	s := f.shelf(k)
	if f.tidying[k] || s == nil {
		return
	}
	if from, to := s.untidy(); from == to {
		return
	}
	f.tidying[k] = true
	f.work.Add(1)
	go func() {
		defer f.work.Done()
		f.tidy(k)
	}()
}

// tidy rewrites trays of a shelf until there is nothing to tidy. Searches and changes
// go on meanwhile; only the moment of exchange waits for changes.
func (f *Flat) tidy(k shelfKey) {
	for {
		f.changes.Lock()
		s := f.shelf(k)
		from, to := 0, 0
		if s != nil {
			from, to = s.untidy()
		}
		if from == to {
			f.tidying[k] = false
			f.changes.Unlock()
			return
		}
		f.changes.Unlock()
		var r rewrite
		err := disk.Guarded(func() (err error) {
			r, err = s.rewrite(from, to, f.folder.keeper(k))
			return err
		})
		f.changes.Lock()
		if err == nil {
			err = f.exchange(s, r)
		}
		if err != nil { // it is tried again at the next change
			if f.shelf(k) == s {
				err = f.failed(s, err)
			}
			f.note("the vector index of collection %s is not tidied: %v", k.collection, err)
			f.tidying[k] = false
			f.changes.Unlock()
			return
		}
		f.changes.Unlock()
		runtime.KeepAlive(s)
	}
}

// untidy returns the trays to rewrite as one: one of which rows are gone, since what was
// removed must not stay on the disk, or neighbors of which one is not at least twice as
// large as those behind it together.
func (s *shelf) untidy() (from, to int) {
	for i := range s.trays {
		if s.gone[i].len() > 0 {
			return i, i + 1
		}
	}
	for to := len(s.trays); to > 1; to-- {
		from, rows := to-1, int(s.trays[to-1].Rows)
		for from > 0 && int(s.trays[from-1].Rows) < 2*max(rows, 1) && int(s.trays[from-1].Rows)+rows <= trayRows {
			from--
			rows += int(s.trays[from].Rows)
		}
		if to-from > 1 {
			return from, to
		}
	}
	return 0, 0
}

// A rewrite is a tray that takes the place of others.
type rewrite struct {
	from, to int
	tray     *tray
	places   map[place]int // where the rows of the others are now
	blank    map[uint32]bool
}

// A place is a row of a tray of a shelf.
type place struct{ tray, row int }

// rewrite makes one tray of several, without what is gone. Subjects keep their numbers;
// the names of those that no row has any more are left out.
func (s *shelf) rewrite(from, to int, keep func(*tray) (*tray, error)) (rewrite, error) {
	r := rewrite{from: from, to: to, places: map[place]int{}, blank: map[uint32]bool{}}
	used, err := s.used()
	if err != nil {
		return r, err
	}
	b := newBuilder(s.key, s.trays[from].FirstName)
	b.blank = map[int]bool{}
	for i := from; i < to; i++ {
		t := s.trays[i]
		for n := range int(t.Names) {
			name := ""
			if number := t.FirstName + uint32(n); used.has(int(number)) {
				if name, err = t.name(n); err != nil {
					return r, err
				}
			} else {
				b.blank[len(b.names)], r.blank[number] = true, true
			}
			b.names = append(b.names, name)
		}
		for row := range int(t.Rows) {
			if s.gone[i].has(row) {
				continue
			}
			e := semblance.VectorEntry{Captured: t.days[row]}
			if e.ID, err = t.id(row); err != nil {
				return r, err
			}
			if e.Vector, err = t.vector(row); err != nil {
				return r, err
			}
			r.places[place{i, row}] = len(b.ids)
			b.put(e, t.subjects[row])
		}
	}
	r.tray, err = keep(b.seal())
	return r, err
}

// used returns the numbers of subjects that have a row. It makes sure of the days and
// numbers of all rows.
func (s *shelf) used() (rowSet, error) {
	used := make(rowSet, s.names/64+1)
	for i, t := range s.trays {
		if err := t.check(t.at.days, 4*int(t.Rows)); err != nil {
			return nil, err
		}
		if err := t.check(t.at.subjects, 4*int(t.Rows)); err != nil {
			return nil, err
		}
		for row, n := range t.subjects {
			if n >= s.names {
				return nil, disk.ErrDamaged
			}
			if !s.gone[i].has(row) {
				used[n/64] |= 1 << (n % 64)
			}
		}
	}
	return used, nil
}

// exchange puts a rewritten tray in the place of those it was made of, together with what
// has changed since: rows that went, and trays that came. When a change began to use a
// name again that was left out, or replaced everything, the rewrite is thrown away. The
// caller holds changes.
func (f *Flat) exchange(s *shelf, r rewrite) error {
	now := f.shelf(s.key)
	if now == nil || len(now.trays) < len(s.trays) || !slices.Equal(now.trays[:len(s.trays)], s.trays) || r.revived(now, len(s.trays)) {
		f.folder.discardTrays(s.key, []*tray{r.tray})
		return nil
	}
	next := *now
	var set rowSet
	for i := r.from; i < r.to; i++ {
		for row := range int(now.trays[i].Rows) {
			if !now.gone[i].has(row) || s.gone[i].has(row) {
				continue
			}
			if set == nil {
				set = newRowSet(int(r.tray.Rows))
			}
			at := r.places[place{i, row}]
			set[at/64] |= 1 << (at % 64)
		}
	}
	next.trays = slices.Replace(slices.Clone(now.trays), r.from, r.to, r.tray)
	next.gone = slices.Replace(slices.Clone(now.gone), r.from, r.to, set)
	if err := f.folder.commit(&next); err != nil {
		f.folder.discardTrays(s.key, []*tray{r.tray})
		return err
	}
	f.mu.Lock()
	f.shelves[s.key] = &next
	f.mu.Unlock()
	f.folder.retire(now, &next)
	return nil
}

// revived reports whether a tray that came later has rows of a subject whose name was
// left out.
func (r *rewrite) revived(now *shelf, from int) bool {
	if len(r.blank) == 0 {
		return false
	}
	for _, t := range now.trays[from:] {
		if slices.ContainsFunc(t.subjects, func(n uint32) bool { return r.blank[n] }) {
			return true
		}
	}
	return false
}

// checkAll makes sure of everything, also of what was checked before.
func (s *shelf) checkAll() error {
	for _, t := range s.trays {
		if err := t.checkAll(); err != nil {
			return err
		}
		for _, n := range t.subjects {
			if n >= s.names {
				return disk.ErrDamaged
			}
		}
	}
	return nil
}
