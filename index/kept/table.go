package kept

import (
	"math/bits"
	"slices"
)

// A table names, for every pattern of a slot, the values within the slot's radius of it.
type table struct {
	slot
	next    *slot    // whose bits are beside members; nil when there is none
	starts  []uint32 // of each pattern, where its members begin; one more
	members []uint32 // values
	behind  []uint32 // of each member, the bits of the next slot, and above them how many may differ there
	filled  []uint64 // a bit for each pattern that has members; nil when most have
}

// fill makes the table of a part's slot, by counting. It goes through the places in stretches,
// so that what is written stays in the cache: into a stretch go, under a mask, the values of
// one range of patterns. Values that reach equally far are one list.
func (t *table) fill(p *part, number int) {
	t.slot, t.next = p.slots[number], nil
	s := &t.slot
	next := p.follower(number)
	if next != number {
		t.next = &p.slots[next]
	}
	places := 1 << s.bits
	t.starts = resized(t.starts, places+2)
	clear(t.starts)
	shift := max(0, s.bits-stretchBits)
	lists := t.lists(p, number, next, shift)
	around, ends := masks(s.bits, len(lists)-1)
	// stretches calls f with some of a list, under a mask of d bits that takes them into a stretch.
	stretches := func(f func(l *list, mask uint32, d, from, to int)) {
		for stretch := range places >> shift {
			d := 0
			for k, m := range around {
				if k == ends[d] {
					d++
				}
				r := stretch ^ int(m>>shift)
				for i := d; i < len(lists); i++ {
					if l := &lists[i]; l.ranges != nil && l.ranges[r] < l.ranges[r+1] {
						f(l, m, d, l.ranges[r], l.ranges[r+1])
					}
				}
			}
		}
	}
	stretches(func(l *list, m uint32, _, from, to int) {
		for _, o := range l.order[from:to] {
			t.starts[uint32(o>>32)^m+2]++
		}
	})
	for i := 2; i < len(t.starts); i++ {
		t.starts[i] += t.starts[i-1]
	}
	pairs := int(t.starts[len(t.starts)-1])
	t.members, t.behind = resized(t.members, pairs), resized(t.behind, pairs)
	at := t.starts[1:] // moves every start to its end, which is the next one's start
	stretches(func(l *list, m uint32, d, from, to int) {
		less := uint32(d) << maxSlotBits
		behind := l.behind[from:to]
		for i, o := range l.order[from:to] {
			p := uint32(o>>32) ^ m
			k := at[p]
			at[p]++
			t.members[k], t.behind[k] = uint32(o), behind[i]-less
		}
	})
	t.filled = nil
	if float64(pairs) < sparse*float64(places) {
		t.filled = make([]uint64, (places+63)/64)
		for p := range places {
			if t.starts[p] < t.starts[p+1] {
				t.filled[p>>6] |= 1 << (p & 63)
			}
		}
	}
}

// stretchBits makes stretches of a table that a core's own cache holds.
const stretchBits = 8

// A list is values that reach equally far in a slot.
type list struct {
	order  []uint64 // a pattern and, below it, a value
	ranges []int    // where those of each stretch begin; nil for none
	behind []uint32 // of each, the bits of the next slot, and above them how many may differ in both
}

// lists returns those of every reach.
func (t *table) lists(p *part, number, next, shift int) []list {
	s := &t.slot
	most := -1
	for i := range p.reach {
		most = max(most, int(p.reach[i][number]))
	}
	out := make([]list, most+1)
	for i := range p.values {
		if r := p.reach[i][number]; r >= 0 {
			out[r].order = append(out[r].order, uint64(s.pattern(&p.values[i]))<<32|uint64(i))
		}
	}
	for i := range out {
		l := &out[i]
		if len(l.order) == 0 {
			continue
		}
		slices.Sort(l.order)
		l.ranges = make([]int, 1<<(s.bits-shift)+1)
		for r := range l.ranges {
			l.ranges[r], _ = slices.BinarySearch(l.order, uint64(r)<<shift<<32)
		}
		l.behind = make([]uint32, len(l.order))
		for k, o := range l.order {
			v := uint32(o)
			l.behind[k] = t.behindOf(&p.values[v]) | uint32(p.both(int(v), number, next))<<maxSlotBits
		}
	}
	return out
}

// behindOf returns the bits of the slot behind, none when there is none.
func (t *table) behindOf(w *words) uint32 {
	if t.next == nil {
		return 0
	}
	return t.next.pattern(w)
}

// resized returns a slice of a length, the given one when it is large enough. A new one is a
// little larger, since the next slot needs about as much.
func resized(s []uint32, n int) []uint32 {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]uint32, n, n+n/8)
}

// batchRows is how many rows a lookup gathers, so that those of near patterns can be
// looked up one after the other: what they read of a table is then in the cache, or next to it.
const batchRows = 1 << 18

// batchBits is how many leading bits of patterns rows are sorted by.
const batchBits = 10

// A lookup is rows that wait for a table.
type lookup struct {
	values []words
	where  []uint64 // segment and, below it, row
	rows   []asked
	sorted []asked
	spans  []span
	masks  []uint32
	kernel string
}

// An asked is a row that waits.
type asked struct {
	pattern, behind uint32
	number          uint32 // among those that wait
}

func (l *lookup) add(t *table, w *words, pattern uint32, segment, row int) {
	l.rows = append(l.rows, asked{pattern, t.behindOf(w), uint32(len(l.values))})
	l.values = append(l.values, *w)
	l.where = append(l.where, uint64(segment)<<32|uint64(row))
}

// sort orders rows by the leading bits of their patterns.
func (l *lookup) sort(t *table) {
	shift := max(0, t.bits-batchBits)
	var ends [1<<batchBits + 1]uint32
	for i := range l.rows {
		ends[l.rows[i].pattern>>shift+1]++
	}
	for i := range ends[1:] {
		ends[i+1] += ends[i]
	}
	l.sorted = slices.Grow(l.sorted[:0], len(l.rows))[:len(l.rows)]
	for i := range l.rows {
		at := &ends[l.rows[i].pattern>>shift]
		l.sorted[*at] = l.rows[i]
		*at++
	}
}

// group is how many rows are looked up together, so that the memory they wait for comes
// side by side.
const group = 64

// flush compares the rows with what the table names and calls found for those that are
// near a value.
func (l *lookup) flush(t *table, values []words, radius int, found func(segment, row int)) {
	l.sort(t)
	for some := range slices.Chunk(l.sorted, group) {
		spans, masks := l.spans[:0], 0
		for i := range some {
			a := &some[i]
			from, to := t.starts[a.pattern], t.starts[a.pattern+1]
			spans = append(spans, span{from, to - from, a.behind, a.number})
		}
		for i := range spans {
			masks += spans[i].masks()
		}
		l.spans, l.masks = spans, resized(l.masks, masks)
		sieve(l.kernel, t.behind, spans, l.masks)
		left := l.masks
		for i := range spans {
			s := &spans[i]
			n := s.masks()
			if t.near(s, left[:n], &l.values[s.number], values, radius) {
				where := l.where[s.number]
				found(int(where>>32), int(uint32(where)))
			}
			left = left[n:]
		}
	}
	l.values, l.where, l.rows = l.values[:0], l.where[:0], l.rows[:0]
}

// near reports whether a row is near one of the values that a sieve let through.
func (t *table) near(s *span, masks []uint32, w *words, values []words, radius int) bool {
	for i, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			if w.near(&values[t.members[int(s.at)+32*i+bits.TrailingZeros32(mask)]], radius) {
				return true
			}
		}
	}
	return false
}
