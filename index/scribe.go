package index

import (
	"math"
	"slices"

	"semblance/hashing"
	"semblance/index/disk"
)

// A scribe writes segments: in memory, or in files of a catalog's folder.
type scribe struct {
	files *disk.Folder
	dir   string
	lanes int // that fill slots side by side
}

// smallSegment is up to how many bytes a segment is made in memory and then written.
const smallSegment = 4 << 20

// write makes a segment of rows, which are given twice. A plain one has no slots: it is
// to be merged at once.
func (w *scribe) write(a hashing.Algorithm, rows rowSource, plain bool) (*segment, error) {
	h := measure(rows())
	h.shape(a, plain)
	l, ok := h.layout()
	if !ok {
		return nil, disk.ErrDamaged
	}
	body, _ := bodyAt(l.size)
	size := body + l.size
	if w.files.Path == "" {
		return w.fill(disk.Aligned(size), h, l, rows)
	}
	name, err := w.files.Create(w.dir, func(path string) error {
		if size > smallSegment {
			return disk.Fill(path, size, func(image []byte) error {
				_, err := w.fill(image, h, l, rows)
				return err
			})
		}
		s, err := w.fill(disk.Aligned(size), h, l, rows)
		if err != nil {
			return err
		}
		return disk.WriteFile(path, s.image)
	})
	if err != nil {
		return nil, w.files.Unwritten(err)
	}
	s, err := openedSegment(w.dir, name)
	if err != nil {
		w.files.Discard(w.dir, name)
		return nil, w.files.Unwritten(err)
	}
	s.checked = nil // written just now
	return s, nil
}

// measure counts rows and values and finds the IDs' bounds.
func measure(next func() (row, bool)) segmentHeader {
	h := segmentHeader{FirstID: math.MaxInt64, LastID: math.MinInt64}
	var last words
	for r, ok := next(); ok; r, ok = next() {
		if h.Rows == 0 || r.value != last {
			h.Values++
		}
		last = r.value
		h.Rows++
		h.FirstID, h.LastID = min(h.FirstID, r.id), max(h.LastID, r.id)
	}
	if h.Rows == 0 {
		h.FirstID, h.LastID = 0, 0
	}
	return h
}

// fill writes a segment into memory of its size.
func (w *scribe) fill(image []byte, h segmentHeader, l segmentLayout, rows rowSource) (*segment, error) {
	s := &segment{segmentHeader: h, pages: pages{image: image}}
	s.view(l)
	s.fillValues(rows())
	if n := len(s.slots); n > 0 {
		lanes := min(w.lanes, n)
		err := parallel(lanes, func(lane int) error {
			var m sorter
			for i := lane; i < n; i += lanes {
				s.fillSlot(i, &m)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	s.Sums = s.stampBody()
	s.stampHeader(&s.segmentHeader)
	return s, nil
}

// fillValues writes values and IDs.
func (s *segment) fillValues(next func() (row, bool)) {
	value, at, width := -1, 0, s.algorithm.Bits()/8
	var last words
	for r, ok := next(); ok; r, ok = next() {
		if s.IDBytes == 4 {
			s.ids32[at] = uint32(r.id - s.FirstID)
		} else {
			s.ids64[at] = uint64(r.id) - uint64(s.FirstID)
		}
		if s.digests != nil {
			r.value.put(s.digests[at*width : (at+1)*width])
			s.starts[r.value.part(0, int(s.SlotBits))+1]++
		} else if value < 0 || r.value != last {
			value++
			s.fillValue(value, at, &r.value)
		}
		last = r.value
		at++
	}
	if s.first != nil {
		s.first[value+1] = uint32(at)
	}
	sumUp(s.starts)
}

func (s *segment) fillValue(i, row int, w *words) {
	if s.first != nil {
		s.first[i] = uint32(row)
	}
	if len(s.tails) == 0 {
		s.heads[i] = w[0]
		return
	}
	s.heads[2*i], s.heads[2*i+1], s.tails[2*i], s.tails[2*i+1] = w[0], w[1], w[2], w[3]
}

// sumUp makes of the number of members of each pattern, one further, where they begin.
func sumUp(starts []uint32) {
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
}

// sortBits is how many leading bits of patterns members are first sorted by: few enough
// that the places where the next one goes stay in the processor's cache.
const sortBits = 10

// A sorter is the memory that sorting a slot needs besides.
type sorter struct {
	keys []uint64 // pattern, rest and number, from the highest bit
	ends [1 << sortBits]uint32
}

// fillSlot sorts all values by the slot's bits, by counting. Members go to where those of
// the same leading bits are, and from there to their places, so that what is written at a
// time lies together.
func (s *segment) fillSlot(i int, m *sorter) {
	t, n := &s.slots[i], int(s.Values)
	for v := range n {
		w := s.raw(v)
		t.starts[s.pattern(&w, i)+1]++
	}
	sumUp(t.starts)
	shift := max(0, int(s.SlotBits)-sortBits)
	for lead := range 1 << (int(s.SlotBits) - shift) {
		m.ends[lead] = t.starts[lead<<shift]
	}
	m.keys = slices.Grow(m.keys[:0], n)[:n]
	for v := range n {
		w := s.raw(v)
		p := s.pattern(&w, i)
		end := &m.ends[p>>shift]
		m.keys[*end] = uint64(p)<<40 | uint64(s.rest(&w, i))<<24 | uint64(v)
		*end++
	}
	for _, key := range m.keys { // moves every start to its end
		at := &t.starts[key>>40]
		t.rests[*at] = uint16(key >> 24)
		if t.numbers != nil {
			number := t.numbers[3**at:][:3]
			number[0], number[1], number[2] = byte(key), byte(key>>8), byte(key>>16)
		}
		*at++
	}
	copy(t.starts[1:], t.starts[:len(t.starts)-1])
	t.starts[0] = 0
}

// pattern returns a slot's bits of a value.
func (s *segment) pattern(w *words, i int) uint32 { return w.part(i*int(s.SlotBits), int(s.SlotBits)) }

// rest returns the bits that lie beside a value in a slot: the first of the next slot's.
func (s *segment) rest(w *words, i int) uint16 {
	return uint16(w.part((i+1)%len(s.slots)*int(s.SlotBits), min(restBits, int(s.SlotBits))))
}

// member returns the number of a slot's member.
func (s *segment) member(i int, at uint32) (int, error) {
	if i == 0 {
		return int(at), nil
	}
	if from := s.at.slots[i].numbers + 3*int(at); s.checked != nil && !s.known(from, 3) {
		if err := s.check(from, 3); err != nil {
			return 0, err
		}
	}
	b := s.slots[i].numbers[3*at:][:3]
	v := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	if v >= int(s.Values) {
		return 0, disk.ErrDamaged
	}
	return v, nil
}
