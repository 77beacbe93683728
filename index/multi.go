package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"

	"semblance"
)

// A multiIndex is a segment of perceptual hashes: distinct values in order, and
// tables by parts of them (Norouzi, Punjani, Fleet: Fast Exact Search in Hamming
// Space with Multi-Index Hashing).
//
// The bits are cut into slots. Suppose two values differ by at most R bits, and each
// slot i is looked up within r_i. Had they more than r_i different bits in every
// slot, they would have Σ(r_i+1) or more. So when Σ(r_i+1) > R, at least one slot
// finds the pair: nothing is missed. A slot with r_i = -1 is not looked up at all.
// How the sum is spread is decided for each search by what it costs there; see plan.
type multiIndex struct {
	width  int
	values []byte              // distinct, packed, ascending
	first  []uint32            // of each value, where its entries begin; one more
	ids    []semblance.EntryID // by value
	slots  []slot              // none when there are few values
}

// A slot is a table of values by some of their bits.
type slot struct {
	from, bits int
	starts     []uint32 // of each pattern, where its members begin; one more
	members    []uint32 // values
}

const (
	// flatValues is up to how many values comparing with each is as fast as a table.
	flatValues = 4096
	// minSlotBits and maxSlotBits bound the tables: 2 bytes, which 16 slots of a PDQ
	// have, and 16 MiB of starts for each slot.
	minSlotBits, maxSlotBits = 16, 22
)

// newMultiIndex makes a segment of a list.
func newMultiIndex(l list) *multiIndex {
	l = l.sorted()
	m := &multiIndex{width: l.width, ids: l.ids}
	for i := range l.ids {
		if v := l.value(i); i == 0 || !bytes.Equal(v, l.value(i-1)) {
			m.values = append(m.values, v...)
			m.first = append(m.first, uint32(i))
		}
	}
	m.first = append(m.first, uint32(len(l.ids)))
	if m.distinct() > flatValues {
		m.index()
	}
	return m
}

func (m *multiIndex) distinct() int { return len(m.first) - 1 }

func (m *multiIndex) len() int { return len(m.ids) }

func (m *multiIndex) appendTo(l *list) {
	for v := range m.distinct() {
		for _, id := range m.ids[m.first[v]:m.first[v+1]] {
			l.add(m.values[v*m.width:(v+1)*m.width], id)
		}
	}
}

// index cuts the bits into slots that have about as many patterns as there are
// values, and fills them side by side.
func (m *multiIndex) index() {
	total := m.width * 8
	want := min(max(bits.Len(uint(m.distinct())), minSlotBits), maxSlotBits)
	count := (total + want - 1) / want
	m.slots = make([]slot, count)
	var wg sync.WaitGroup
	for i := range m.slots {
		s := &m.slots[i]
		s.from = i * total / count
		s.bits = (i+1)*total/count - s.from
		wg.Go(func() { s.fill(m) })
	}
	wg.Wait()
}

// fill sorts all values by the slot's bits, by counting.
func (s *slot) fill(m *multiIndex) {
	n := m.distinct()
	s.starts = make([]uint32, 1<<s.bits+1)
	s.members = make([]uint32, n)
	for v := range n {
		s.starts[s.pattern(m.load(v))+1]++
	}
	for i := 1; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	for v := range n { // moves every start to its end
		p := s.pattern(m.load(v))
		s.members[s.starts[p]] = uint32(v)
		s.starts[p]++
	}
	copy(s.starts[1:], s.starts)
	s.starts[0] = 0
}

// load returns a value as words.
func (m *multiIndex) load(v int) words { return loadWords(m.values[v*m.width : (v+1)*m.width]) }

// words are the bits of a value; those of a 64-bit hash are in the first.
type words [4]uint64

func loadWords(v []byte) words {
	if len(v) == 8 {
		return words{binary.LittleEndian.Uint64(v)}
	}
	return load256(v)
}

// distance counts the bits of a difference.
func (w *words) distance() int {
	return bits.OnesCount64(w[0]) + bits.OnesCount64(w[1]) + bits.OnesCount64(w[2]) + bits.OnesCount64(w[3])
}

func (w words) xor(o words) words {
	return words{w[0] ^ o[0], w[1] ^ o[1], w[2] ^ o[2], w[3] ^ o[3]}
}

// pattern returns the slot's bits of a value.
func (s *slot) pattern(w words) uint32 {
	at, shift := s.from>>6, s.from&63
	p := w[at] >> shift
	if shift+s.bits > 64 {
		p |= w[at+1] << (64 - shift)
	}
	return uint32(p) & (1<<s.bits - 1)
}

// count returns how many values have a pattern.
func (s *slot) count(p uint32) int { return int(s.starts[p+1] - s.starts[p]) }

// within implements segment.
func (m *multiIndex) within(value []byte, radius int, out []near) []near {
	found := func(v, distance int) {
		for _, id := range m.ids[m.first[v]:m.first[v+1]] {
			out = append(out, near{id, distance})
		}
	}
	q := loadWords(value)
	reach, ok := m.plan(q, radius)
	before := len(out)
	if ok && m.probe(q, radius, reach, found) {
		return out
	}
	out = out[:before]
	scan(m.values, value, radius, found)
	return out
}

// probe looks every slot up within its reach. It gives up, and returns false, when
// it has looked at so many values that comparing with each would have been faster,
// as may happen when they crowd around the query.
func (m *multiIndex) probe(q words, radius int, reach reaches, found func(v, distance int)) bool {
	budget := m.distinct()/cheaper + flatValues
	for i := range m.slots {
		s := &m.slots[i]
		p := s.pattern(q)
		for r := 0; r <= int(reach[i]); r++ {
			for mask := range masks(s.bits, r) {
				members := s.members[s.starts[p^mask]:s.starts[p^mask+1]]
				if budget -= len(members); budget < 0 {
					return false
				}
				for _, v := range members {
					x := m.load(int(v)).xor(q)
					if d := x.distance(); d <= radius && !m.earlier(x, reach, i) {
						found(int(v), d)
					}
				}
			}
		}
	}
	return true
}

// earlier reports whether a slot before the i-th finds a difference too.
func (m *multiIndex) earlier(x words, reach reaches, i int) bool {
	for j := range m.slots[:i] {
		if bits.OnesCount32(m.slots[j].pattern(x)) <= int(reach[j]) {
			return true
		}
	}
	return false
}

// masks yields every number below 1<<width with n bits set, ascending (HAKMEM 175).
func masks(width, n int) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		if n == 0 {
			yield(0)
			return
		}
		for m := uint64(1)<<n - 1; m < 1<<width; {
			if !yield(uint32(m)) {
				return
			}
			low := m & -m
			next := m + low
			m = (next^m)>>2/low | next
		}
	}
}
