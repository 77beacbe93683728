package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sort"
	"sync/atomic"

	"semblance/hashing"
	"semblance/index/disk"
)

const (
	// segmentFormat is raised when the layout changes; other ones are made again.
	segmentFormat = 1
	// maxSegmentRows is how many entries a segment has at most: the number of a value
	// has three bytes.
	maxSegmentRows = 1 << 24
	// flatValues is up to how many values comparing with each is as fast as slots.
	flatValues = 4096
	// maxSlots is how many slots there are at most: 256 bits by minSlotBits.
	maxSlots                 = 256 / minSlotBits
	minSlotBits, maxSlotBits = 8, 20
	// restBits is how many bits of the next slot lie beside a value's number.
	restBits = 16
)

var segmentMagic = [8]byte{'S', 'M', 'B', 'L', 'H', 'A', 'S', 'H'}

// A segment holds entries of one algorithm in pages, in the order of their values and
// then of their IDs: see segmentLayout. Which of them are gone, the catalog knows. It
// is what memory and files have alike.
//
// An entry is a row. A perceptual segment has every value once, with a number, and
// knows which rows it has. A digest's rows and values are the same.
type segment struct {
	segmentHeader
	pages
	file      string // in the catalog's folder; "" in memory
	algorithm hashing.Algorithm
	tables    atomic.Bool // the slots' tables were checked

	// Views of the body.
	at           segmentLayout
	heads, tails []uint64 // the first 128 (64) bits of values, and the rest
	digests      []byte
	starts       []uint32 // of a digest's leading bits
	ids32        []uint32 // one of the two: less FirstID
	ids64        []uint64
	first        []uint32 // where the rows of a value begin, and one more; nil when it has one each
	slots        []slot
}

// A slot is a table of the values by some of their bits. The first slot's order is the
// segment's own, so that it needs no numbers.
type slot struct {
	starts  []uint32 // of each pattern, where its members begin, and one more
	rests   []uint16 // of each member, the bits that follow: restBits of the next slot
	numbers []byte   // of each member, three bytes
}

// A segmentHeader begins a segment. All numbers are in the machine's own order of bytes,
// which Order tells.
type segmentHeader struct {
	Magic     [8]byte
	Format    uint32
	Order     uint32
	Algorithm [32]byte
	Rows      uint32
	Values    uint32
	Slots     uint32 // 0 when every value is compared, and of digests
	SlotBits  uint32 // of digests the leading bits of the table
	IDBytes   uint32
	Sums      uint32 // checksum of the sums of blocks
	FirstID   int64
	LastID    int64
}

// A segmentLayout is where the parts of a segment are, from the body's start.
type segmentLayout struct {
	heads, tails, digests, starts, ids, first int
	slots                                     [maxSlots]struct{ starts, rests, numbers int }
	size                                      int // of the body
}

// shape sets what follows from the number of values: digests have about four values for each pattern of
// leading bits; a slot has about 16 for each of its patterns, few enough to look at and
// many enough that the table of starts stays in the processor's cache.
func (h *segmentHeader) shape(a hashing.Algorithm, plain bool) {
	copy(h.Algorithm[:], a)
	h.Magic, h.Format, h.Order = segmentMagic, segmentFormat, orderMark
	log := bits.Len(uint(h.Values + h.Values/2)) // rounded
	switch total := a.Bits(); {
	case a.IsDigest():
		h.Values = h.Rows
		h.SlotBits = uint32(max(1, bits.Len(uint(h.Rows))-2))
	case plain || h.Values <= flatValues:
	default:
		h.SlotBits = uint32(max(minSlotBits, min(maxSlotBits, log-1-4, total/4)))
		h.Slots = uint32(total) / h.SlotBits
	}
	h.IDBytes = 4
	if h.Rows > 0 && uint64(h.LastID)-uint64(h.FirstID) > 1<<32-1 {
		h.IDBytes = 8
	}
}

// algorithmOf returns the algorithm of a header that may be anything, "" when there is
// none.
func (h *segmentHeader) algorithmOf() hashing.Algorithm {
	name, rest, _ := bytes.Cut(h.Algorithm[:], []byte{0})
	if a := hashing.Algorithm(name); a.Bits() != 0 && len(bytes.Trim(rest, "\x00")) == 0 {
		return a
	}
	return ""
}

// layout works out where things are. It returns false for a header that cannot be.
func (h *segmentHeader) layout() (segmentLayout, bool) {
	var l segmentLayout
	a := h.algorithmOf()
	total, rows, values := a.Bits(), int(h.Rows), int(h.Values)
	if total == 0 || rows > maxSegmentRows || values > rows || values == 0 && rows > 0 || h.IDBytes != 4 && h.IDBytes != 8 ||
		h.SlotBits > 24 || h.LastID < h.FirstID {
		return l, false
	}
	place := func(bytes int) int {
		at := l.size
		l.size = (at + bytes + 63) / 64 * 64 // a register's width
		return at
	}
	if a.IsDigest() {
		if values != rows || h.Slots != 0 || h.SlotBits == 0 {
			return l, false
		}
		l.starts = place(4 * (1<<h.SlotBits + 1))
		l.digests = place(total / 8 * rows)
		l.ids = place(int(h.IDBytes) * rows)
		return l, true
	}
	if h.Slots > maxSlots || int(h.Slots*h.SlotBits) > total || h.Slots > 0 && (h.SlotBits < minSlotBits || h.SlotBits > maxSlotBits) {
		return l, false
	}
	l.heads = place(min(total/8, 16) * values)
	l.tails = place(max(0, total/8-16) * values)
	l.ids = place(int(h.IDBytes) * rows)
	if values < rows {
		l.first = place(4 * (values + 1))
	}
	for i := range int(h.Slots) {
		s := &l.slots[i]
		s.starts, s.rests = place(4*(1<<h.SlotBits+1)), place(2*values)
		if i > 0 {
			s.numbers = place(3 * values)
		}
	}
	return l, true
}

// view sets the views of a segment's image, which is as long as its header says.
func (s *segment) view(l segmentLayout) {
	s.at, s.algorithm = l, s.algorithmOf()
	s.lay(l.size)
	rows, values, total := int(s.Rows), int(s.Values), s.algorithm.Bits()
	if s.IDBytes == 4 {
		s.ids32 = disk.Cast[uint32](s.body[l.ids:], rows)
	} else {
		s.ids64 = disk.Cast[uint64](s.body[l.ids:], rows)
	}
	if s.algorithm.IsDigest() {
		s.starts, s.digests = disk.Cast[uint32](s.body[l.starts:], 1<<s.SlotBits+1), s.body[l.digests:][:total/8*rows]
		return
	}
	s.heads, s.tails = disk.Cast[uint64](s.body[l.heads:], min(total/64, 2)*values), disk.Cast[uint64](s.body[l.tails:], max(0, total/64-2)*values)
	if values < rows {
		s.first = disk.Cast[uint32](s.body[l.first:], values+1)
	}
	s.slots = make([]slot, s.Slots)
	for i := range s.slots {
		at := l.slots[i]
		s.slots[i] = slot{starts: disk.Cast[uint32](s.body[at.starts:], 1<<s.SlotBits+1), rests: disk.Cast[uint16](s.body[at.rests:], values)}
		if i > 0 {
			s.slots[i].numbers = s.body[at.numbers:][:3*values]
		}
	}
}

// openSegment reads the header of an image that may be anything.
func openSegment(image []byte) (*segment, error) {
	if len(image) < headerBytes {
		return nil, disk.ErrDamaged
	}
	s := &segment{pages: pages{image: image}}
	if _, err := binary.Decode(image[:headerBytes], binary.NativeEndian, &s.segmentHeader); err != nil {
		return nil, disk.ErrDamaged
	}
	if s.Magic != segmentMagic || s.Format != segmentFormat || s.Order != orderMark {
		return nil, disk.ErrDamaged
	}
	l, ok := s.layout()
	if !ok {
		return nil, disk.ErrDamaged
	}
	if err := s.fits(l.size, s.Sums, groupUnit); err != nil {
		return nil, err
	}
	s.view(l)
	return s, nil
}

// id returns the ID of a row.
func (s *segment) id(row int) (int64, error) {
	if err := s.check(s.at.ids+row*int(s.IDBytes), int(s.IDBytes)); err != nil {
		return 0, err
	}
	if s.ids32 != nil {
		return s.FirstID + int64(s.ids32[row]), nil
	}
	return s.FirstID + int64(s.ids64[row]), nil
}

// rowsOf returns which rows a value has.
func (s *segment) rowsOf(value int) (from, to int, err error) {
	if s.first == nil {
		return value, value + 1, nil
	}
	if err := s.check(s.at.first+4*value, 8); err != nil {
		return 0, 0, err
	}
	from, to = int(s.first[value]), int(s.first[value+1])
	if from >= to || to > int(s.Rows) {
		return 0, 0, disk.ErrDamaged
	}
	return from, to, nil
}

// head returns the first bits of a perceptual value, as words of which the others are 0.
func (s *segment) head(value int) (words, error) {
	if len(s.tails) == 0 {
		return words{s.heads[value]}, s.check(s.at.heads+8*value, 8)
	}
	if s.checked != nil && !s.known(s.at.heads+16*value, 16) {
		if err := s.check(s.at.heads+16*value, 16); err != nil {
			return words{}, err
		}
	}
	return words{s.heads[2*value], s.heads[2*value+1]}, nil
}

// whole adds the other bits to what head returned.
func (s *segment) whole(value int, w *words) error {
	if len(s.tails) == 0 {
		return nil
	}
	w[2], w[3] = s.tails[2*value], s.tails[2*value+1]
	return s.check(s.at.tails+16*value, 16)
}

// value returns the bits of a value; a digest's number is its row.
func (s *segment) value(i int) (words, error) {
	if s.digests != nil {
		width := s.algorithm.Bits() / 8
		return s.raw(i), s.check(s.at.digests+i*width, width)
	}
	w, err := s.head(i)
	if err == nil {
		err = s.whole(i, &w)
	}
	return w, err
}

// raw is value without making sure of it.
func (s *segment) raw(i int) words {
	switch {
	case s.digests != nil:
		width := s.algorithm.Bits() / 8
		return loadWords(s.digests[i*width : (i+1)*width])
	case len(s.tails) == 0:
		return words{s.heads[i]}
	}
	return words{s.heads[2*i], s.heads[2*i+1], s.tails[2*i], s.tails[2*i+1]}
}

// sound makes sure of everything that a merge reads.
func (s *segment) sound() error {
	if err := s.checkAll(); err != nil {
		return err
	}
	for i, from := range s.first {
		if i == 0 && from != 0 || i > 0 && from <= s.first[i-1] || i == int(s.Values) && from != s.Rows {
			return disk.ErrDamaged
		}
	}
	return nil
}

// find returns the number of the first value that is not below one.
func (s *segment) find(w *words) (int, error) {
	from, to := 0, int(s.Values)
	if table, at, width := s.leading(); table != nil {
		p := int(w.part(0, width))
		if err := s.check(at+4*p, 8); err != nil {
			return 0, err
		}
		from, to = int(table[p]), int(table[p+1])
		if from > to || to > int(s.Values) {
			return 0, disk.ErrDamaged
		}
	}
	var bad error
	from += sort.Search(to-from, func(i int) bool {
		v, err := s.value(from + i)
		if err != nil {
			bad = err
		}
		return v.compare(w) >= 0
	})
	return from, bad
}

// leading returns the table of where the values of each pattern of leading bits begin,
// where it is in the body, and how many bits a pattern has. It may be nil.
func (s *segment) leading() (table []uint32, at, width int) {
	switch {
	case s.digests != nil:
		return s.starts, s.at.starts, int(s.SlotBits)
	case len(s.slots) > 0:
		return s.slots[0].starts, s.at.slots[0].starts, int(s.SlotBits)
	}
	return nil, 0, 0
}

// row returns the row of a value and an ID, -1 when there is none.
func (s *segment) row(w *words, id int64) (int, error) {
	v, err := s.find(w)
	for ; err == nil && v < int(s.Values); v++ {
		have, err := s.value(v)
		if err != nil || have != *w {
			return -1, err
		}
		from, to, err := s.rowsOf(v)
		for ; err == nil && from < to; from++ {
			if have, err := s.id(from); err != nil || have == id {
				return from, err
			}
		}
		if err != nil {
			return -1, err
		}
	}
	return -1, err
}

// soundSlots makes sure of what tables say.
func (s *segment) soundSlots() error {
	tables := [][]uint32{s.starts}
	for i := range s.slots {
		tables = append(tables, s.slots[i].starts)
		for at := range s.Values {
			if v, err := s.member(i, at); err != nil || v >= int(s.Values) {
				return disk.ErrDamaged
			}
		}
	}
	for _, starts := range tables {
		for i, from := range starts {
			if i > 0 && from < starts[i-1] || from > s.Values {
				return disk.ErrDamaged
			}
		}
	}
	return nil
}
