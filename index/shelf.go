package index

import (
	"math/bits"
	"slices"

	"semblance"
	"semblance/index/disk"
)

// A shelfKey names what is held together: the vectors of a collection in a space.
type shelfKey struct {
	signal     string
	collection semblance.CollectionID
	dims       int
	metric     semblance.Metric
}

func keyOf(space semblance.EngineSpec, c semblance.CollectionID) shelfKey {
	return shelfKey{space.Signal(), c, space.Dimensions, space.Metric}
}

// A shelf holds the vectors of one collection in one space: trays, and which of their
// rows are gone. It is never changed once it is visible; a successor shares its trays.
type shelf struct {
	key     shelfKey
	version int64
	trays   []*tray
	gone    []rowSet // of each tray
	names   uint32   // subjects of all trays
}

// A rowSet is a set of rows. nil is the empty one.
type rowSet []uint64

func (s rowSet) has(row int) bool { return s != nil && s[row/64]>>(row%64)&1 != 0 }

func (s rowSet) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func newRowSet(rows int) rowSet { return make(rowSet, (rows+63)/64) }

// find returns where an ID is. The tray is -1 when it is not held.
func (s *shelf) find(id semblance.ReferenceID) (tray, row int, err error) {
	for i := len(s.trays) - 1; i >= 0; i-- {
		row, err := s.trays[i].findID(id)
		if err != nil {
			return -1, -1, err
		}
		if row >= 0 && !s.gone[i].has(row) {
			return i, row, nil
		}
	}
	return -1, -1, nil
}

// number returns the number of a subject. It returns false when no tray has it.
func (s *shelf) number(name string) (uint32, bool, error) {
	for _, t := range s.trays {
		if i, err := t.findName(name); err != nil || i >= 0 {
			return t.FirstName + uint32(i), err == nil, err
		}
	}
	return 0, false, nil
}

// name returns the name of a subject.
func (s *shelf) name(number uint32) (string, error) {
	i, ok := slices.BinarySearchFunc(s.trays, number, func(t *tray, n uint32) int {
		switch {
		case n < t.FirstName:
			return 1
		case n >= t.FirstName+t.Names:
			return -1
		}
		return 0
	})
	if !ok {
		return "", disk.ErrDamaged
	}
	return s.trays[i].name(int(number - s.trays[i].FirstName))
}

// A draft is a shelf's successor under way.
type draft struct {
	*shelf
	own []bool // of each tray, whether what is gone is the draft's own set
	b   *builder
	// keep makes a tray that lasts of one in memory.
	keep func(*tray) (*tray, error)
}

// draft begins a successor.
func (s *shelf) draft(keep func(*tray) (*tray, error)) *draft {
	next := *s
	next.trays, next.gone = slices.Clone(s.trays), slices.Clone(s.gone)
	return &draft{shelf: &next, own: make([]bool, len(s.trays)), b: newBuilder(s.key, s.names), keep: keep}
}

// remove takes an ID away, if it is there.
func (d *draft) remove(id semblance.ReferenceID) error {
	d.b.take(id)
	tray, row, err := d.find(id)
	if err != nil || tray < 0 {
		return err
	}
	if !d.own[tray] {
		d.own[tray] = true
		if d.gone[tray] = slices.Clone(d.gone[tray]); d.gone[tray] == nil {
			d.gone[tray] = newRowSet(int(d.trays[tray].Rows))
		}
	}
	d.gone[tray][row/64] |= 1 << (row % 64)
	return nil
}

// put adds an entry, or replaces the one of the same ID.
func (d *draft) put(e semblance.VectorEntry) error {
	if _, ok := d.b.rows[e.ID]; !ok {
		if err := d.remove(e.ID); err != nil {
			return err
		}
	}
	number, ok, err := d.number(e.Subject)
	if err != nil {
		return err
	}
	if !ok {
		number = d.b.number(e.Subject)
	}
	d.b.put(e, number)
	if len(d.b.ids) == trayRows {
		return d.seal()
	}
	return nil
}

// seal makes a tray of what was put.
func (d *draft) seal() error {
	if len(d.b.ids) == 0 && len(d.b.names) == 0 {
		return nil
	}
	t, err := d.keep(d.b.seal())
	if err != nil {
		return err
	}
	d.trays, d.gone, d.own = append(d.trays, t), append(d.gone, nil), append(d.own, false)
	d.names += t.Names
	d.b = newBuilder(d.key, d.names)
	return nil
}
