package index

import (
	"encoding/binary"
	"math"
	"slices"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// A catalog holds the entries of one collection: segments of all algorithms, in no order
// that matters, and which of their rows are gone. Every ID is there once. It is never changed once it
// is visible; a successor shares its segments.
type catalog struct {
	collection semblance.CollectionID
	version    int64
	segments   []*segment
	gone       []rowSet // of each segment
}

// holding says what is held.
func (c *catalog) holding() semblance.HashHolding {
	h := semblance.HashHolding{Version: c.version}
	for i, s := range c.segments {
		h.Entries += int64(s.Rows) - int64(c.gone[i].len())
		if s.Rows > 0 {
			h.Last = max(h.Last, semblance.EntryID(s.LastID))
		}
	}
	return h
}

// A hashDraft is a catalog's successor under way.
type hashDraft struct {
	*catalog
	scribe  scribe
	own     []bool // of each segment, whether what is gone is the draft's own set
	waiting []waitingRow
	highest int64 // ID of what waits
	ragged  bool  // what waits is not in the order of IDs
	runs    map[hashing.Algorithm][]*segment
}

// A waitingRow is an entry that is in no segment yet.
type waitingRow struct {
	algorithm hashing.Algorithm
	row
}

// draftRows is how many entries wait at most before they are written: 64 MB.
const draftRows = 1 << 20

// draft begins a successor.
func (c *catalog) draft(w scribe) *hashDraft {
	next := *c
	next.segments, next.gone = slices.Clone(c.segments), slices.Clone(c.gone)
	return &hashDraft{catalog: &next, scribe: w, own: make([]bool, len(c.segments)), highest: math.MinInt64, runs: map[hashing.Algorithm][]*segment{}}
}

// put adds an entry, or replaces the one of the same ID.
func (d *hashDraft) put(e semblance.HashEntry) error {
	if err := checkHash(e.Algorithm, e.Value); err != nil {
		return err
	}
	d.ragged = d.ragged || int64(e.ID) <= d.highest
	d.highest = max(d.highest, int64(e.ID))
	d.waiting = append(d.waiting, waitingRow{e.Algorithm, row{loadWords(e.Value), int64(e.ID)}})
	if len(d.waiting) == draftRows {
		return d.flush(true)
	}
	return nil
}

// flush writes what waits: as runs that are to be merged, or as segments.
func (d *hashDraft) flush(run bool) error {
	if len(d.waiting) == 0 {
		return nil
	}
	ids := make([]int64, len(d.waiting))
	for i := range ids {
		ids[i] = d.waiting[i].id
	}
	if err := d.remove(ids); err != nil {
		return err
	}
	if d.ragged {
		d.keepLast()
	}
	rows := map[hashing.Algorithm][]row{}
	for _, w := range d.waiting {
		rows[w.algorithm] = append(rows[w.algorithm], w.row)
	}
	d.waiting, d.highest, d.ragged = d.waiting[:0], math.MinInt64, false
	for _, a := range hashing.Algorithms() { // in one order, so that tests can repeat it
		if len(rows[a]) == 0 {
			continue
		}
		partial := run || len(d.runs[a]) > 0
		s, err := d.scribe.write(a, sortRows(rows[a]), partial)
		if err != nil {
			return err
		}
		d.add(s)
		if partial {
			d.runs[a] = append(d.runs[a], s)
		}
	}
	return nil
}

// keepLast leaves of what waits the last entry of each ID.
func (d *hashDraft) keepLast() {
	last := make(map[int64]int, len(d.waiting))
	for i := range d.waiting {
		last[d.waiting[i].id] = i
	}
	left := d.waiting[:0]
	for i, w := range d.waiting {
		if last[w.id] == i {
			left = append(left, w)
		}
	}
	d.waiting = left
}

func (d *hashDraft) add(s *segment) {
	d.segments, d.gone, d.own = append(d.segments, s), append(d.gone, nil), append(d.own, false)
}

// remove takes IDs away, where they are there.
func (d *hashDraft) remove(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	low, high := slices.Min(ids), slices.Max(ids)
	var set *idSet
	for i, s := range d.segments {
		if s.Rows == 0 || s.LastID < low || s.FirstID > high { // as of what is new
			continue
		}
		if set == nil {
			set = newIDSet(ids)
		}
		err := s.eachOf(set, func(row int) {
			if !d.own[i] {
				d.own[i] = true
				if d.gone[i] = slices.Clone(d.gone[i]); d.gone[i] == nil {
					d.gone[i] = newRowSet(int(s.Rows))
				}
			}
			d.gone[i][row/64] |= 1 << (row % 64)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// finish writes what still waits and merges runs.
func (d *hashDraft) finish() error {
	if err := d.flush(false); err != nil {
		return err
	}
	for _, a := range hashing.Algorithms() {
		for len(d.runs[a]) > 0 {
			some := upTo(d.runs[a], maxSegmentRows)
			d.runs[a] = d.runs[a][len(some):]
			if err := d.merge(some); err != nil {
				return err
			}
		}
	}
	return nil
}

// upTo returns the first of segments, as many as have a number of rows together, and one at
// least.
func upTo(segments []*segment, rows int) []*segment {
	for i, s := range segments {
		if rows -= int(s.Rows); rows < 0 && i > 0 {
			return segments[:i]
		}
	}
	return segments
}

// merge puts one segment in the place of several.
func (d *hashDraft) merge(some []*segment) error {
	s, err := d.merged(some, d.scribe)
	if err != nil {
		return err
	}
	d.replace(some, s, nil)
	return nil
}

// merged makes one segment of several, without what is gone.
func (c *catalog) merged(some []*segment, w scribe) (*segment, error) {
	gone := make([]rowSet, len(some))
	for i, s := range some {
		if err := s.sound(); err != nil {
			return nil, err
		}
		gone[i] = c.gone[slices.Index(c.segments, s)]
	}
	return w.write(some[0].algorithm, mergeRows(some, gone), false)
}

// replace puts a segment in the place of others.
func (d *hashDraft) replace(some []*segment, s *segment, gone rowSet) {
	for _, old := range some {
		i := slices.Index(d.segments, old)
		d.segments, d.gone, d.own = slices.Delete(d.segments, i, i+1), slices.Delete(d.gone, i, i+1), slices.Delete(d.own, i, i+1)
		d.scribe.discard(old)
	}
	if s.Rows > 0 {
		d.add(s)
		d.gone[len(d.gone)-1] = gone
	} else {
		d.scribe.discard(s)
	}
}

// An idSet is a set of IDs that most rows are not in, which is quickly found out.
type idSet struct {
	bits [1 << 10]uint64
	ids  map[int64]struct{}
}

func newIDSet(ids []int64) *idSet {
	s := &idSet{ids: make(map[int64]struct{}, len(ids))}
	for _, id := range ids {
		s.bits[id>>6&(1<<10-1)] |= 1 << (id & 63)
		s.ids[id] = struct{}{}
	}
	return s
}

func (s *idSet) has(id int64) bool {
	if s.bits[id>>6&(1<<10-1)]>>(id&63)&1 == 0 {
		return false
	}
	_, ok := s.ids[id]
	return ok
}

// eachOf calls f for the rows whose IDs are in a set.
func (s *segment) eachOf(set *idSet, f func(row int)) error {
	if err := s.check(s.at.ids, int(s.IDBytes)*int(s.Rows)); err != nil {
		return err
	}
	for row, id := range s.ids32 {
		if set.has(s.FirstID + int64(id)) {
			f(row)
		}
	}
	for row, id := range s.ids64 {
		if set.has(s.FirstID + int64(id)) {
			f(row)
		}
	}
	return nil
}

// packRows writes the rows of a set, as the distances from one to the next.
func packRows(set rowSet) []byte {
	var out []byte
	last := -1
	for i := range 64 * len(set) {
		if set[i/64] == 0 || !set.has(i) {
			continue
		}
		out = binary.AppendUvarint(out, uint64(i-last))
		last = i
	}
	return out
}

// unpackRows is the opposite, for a segment of a number of rows.
func unpackRows(b []byte, rows int) (rowSet, error) {
	if len(b) == 0 {
		return nil, nil
	}
	set, at := newRowSet(rows), -1
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		if n <= 0 || step == 0 || step > uint64(rows-1-at) {
			return nil, disk.ErrDamaged
		}
		at += int(step)
		set[at/64] |= 1 << (at % 64)
		b = b[n:]
	}
	return set, nil
}
