package supplied

import (
	"math"
	"math/bits"
	"slices"

	"semblance"
	"semblance/hashing"
)

// A shelf holds the values of one collection: trays, and which of their rows are gone.
// It is never changed once it is visible; a successor shares its trays.
type shelf struct {
	collection semblance.CollectionID
	version    int64
	trays      []*tray
	gone       []rowSet // of each tray
}

// A rowSet is a set of rows of a tray. nil is the empty one.
type rowSet []uint64

func (s rowSet) has(row int) bool { return s != nil && s[row/64]>>(row%64)&1 != 0 }

func (s rowSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func newRowSet(t *tray) rowSet { return make(rowSet, (t.Rows+63)/64) }

// A draft is a shelf's successor under way.
type draft struct {
	*shelf
	own      []bool // of each tray, whether what is gone is the draft's own set
	builders map[hashing.Algorithm]*builder
	last     semblance.EntryID // no higher ID is held
	// keep makes a tray that lasts of one in memory.
	keep func(*tray) (*tray, error)
}

// draft begins a successor.
func (s *shelf) draft(keep func(*tray) (*tray, error)) (*draft, error) {
	next := *s
	next.trays, next.gone = slices.Clone(s.trays), slices.Clone(s.gone)
	d := &draft{shelf: &next, own: make([]bool, len(s.trays)), builders: map[hashing.Algorithm]*builder{}, keep: keep, last: math.MinInt64}
	for _, t := range s.trays {
		last, err := t.id(int(t.Rows) - 1)
		if err != nil {
			return nil, err
		}
		d.last = max(d.last, last)
	}
	return d, nil
}

// remove takes an ID away, if it is there.
func (d *draft) remove(id semblance.EntryID) error {
	if id > d.last {
		return nil
	}
	for _, b := range d.builders {
		b.take(id)
	}
	for i, t := range d.trays {
		row, err := t.find(id)
		if err != nil {
			return err
		}
		if row < 0 || d.gone[i].has(row) {
			continue
		}
		if !d.own[i] {
			d.own[i] = true
			if d.gone[i] = slices.Clone(d.gone[i]); d.gone[i] == nil {
				d.gone[i] = newRowSet(t)
			}
		}
		d.gone[i][row/64] |= 1 << (row % 64)
	}
	return nil
}

// put adds an entry, or replaces the one of the same ID.
func (d *draft) put(e semblance.HashEntry) error {
	if err := d.remove(e.ID); err != nil {
		return err
	}
	b := d.builders[e.Algorithm]
	if b == nil {
		b = newBuilder(e.Algorithm)
		d.builders[e.Algorithm] = b
	}
	b.put(e.ID, e.Value)
	d.last = max(d.last, e.ID)
	if len(b.ids) == trayRows {
		return d.seal(b)
	}
	return nil
}

// seal makes a tray of what was put.
func (d *draft) seal(b *builder) error {
	delete(d.builders, b.algorithm)
	if len(b.ids) == 0 {
		return nil
	}
	t, err := d.keep(b.seal())
	if err != nil {
		return err
	}
	d.trays, d.gone, d.own = append(d.trays, t), append(d.gone, nil), append(d.own, false)
	return nil
}

// finish seals everything, in the order of algorithms.
func (d *draft) finish() error {
	var names []hashing.Algorithm
	for a := range d.builders {
		names = append(names, a)
	}
	slices.Sort(names)
	for _, a := range names {
		if err := d.seal(d.builders[a]); err != nil {
			return err
		}
	}
	return nil
}
