package kept

import (
	"math/bits"
	"slices"
)

// A table names, for every pattern of a slot, the values within the slot's radius of it.
type table struct {
	slot
	starts  []uint32 // of each pattern, where its members begin; one more
	members []uint32 // values
	behind  []uint32 // of each member, the bits of the next slot, and above them how many may differ there
	filled  []uint64 // a bit for each pattern that has members; nil when most have
}

// fill makes the table of a block of values, by counting. It goes through the places part by
// part, so that what is written stays in the cache: into a part go, under a mask, the values of
// one range of patterns.
func (t *table) fill(s slot, values []words) {
	t.slot = s
	places := 1 << s.bits
	t.starts = resized(t.starts, places+2)
	clear(t.starts)
	around, order := masks(s), make([]uint64, len(values)) // a pattern and, below it, a value
	for i := range values {
		order[i] = uint64(s.pattern(&values[i]))<<32 | uint64(i)
	}
	slices.Sort(order)
	shift := max(0, s.bits-partBits)
	ranges := make([]int, places>>shift+1)
	for r := range ranges {
		ranges[r], _ = slices.BinarySearch(order, uint64(r)<<shift<<32)
	}
	// parts calls f with the values, from one to another, that a mask takes into a part.
	parts := func(f func(mask uint32, from, to int)) {
		for part := range places >> shift {
			for _, m := range around {
				r := part ^ int(m>>shift)
				f(m, ranges[r], ranges[r+1])
			}
		}
	}
	parts(func(m uint32, from, to int) {
		for _, o := range order[from:to] {
			t.starts[uint32(o>>32)^m+2]++
		}
	})
	for i := 2; i < len(t.starts); i++ {
		t.starts[i] += t.starts[i-1]
	}
	pairs := len(values) * len(around)
	t.members, t.behind = resized(t.members, pairs), resized(t.behind, pairs)
	at := t.starts[1:] // moves every start to its end, which is the next one's start
	behind := make([]uint32, len(values))
	for i, o := range order {
		behind[i] = s.behind(&values[uint32(o)])
	}
	parts(func(m uint32, from, to int) {
		room := uint32(s.room(bits.OnesCount32(m))) << maxSlotBits
		for i, o := range order[from:to] {
			p := uint32(o>>32) ^ m
			k := at[p]
			at[p]++
			t.members[k], t.behind[k] = uint32(o), behind[from+i]|room
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

// partBits makes parts of a table that a core's own cache holds.
const partBits = 8

// behind returns the bits of the slot behind, none when there is none.
func (s *slot) behind(w *words) uint32 {
	if s.next == nil {
		return 0
	}
	return s.next.pattern(w)
}

// room is how many bits may differ in the slot behind when d do in this one.
func (s *slot) room(d int) int {
	if s.next == nil {
		return 0 // and none do
	}
	return min(s.both-d, 255)
}

// resized returns a slice of a length, the given one when it is large enough.
func resized(s []uint32, n int) []uint32 {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]uint32, n)
}

// group is how many rows are looked up together, so that the memory they wait for comes
// side by side.
const group = 64

// A lookup is rows that wait for a table.
type lookup struct {
	rows   [group]int32
	value  [group]words
	p      [group]uint32
	behind [group]uint32
	lo, hi [group]uint32
	warm   uint32
	n      int
}

// flush compares the rows with what the table names and calls found for those that are
// near a value.
func (l *lookup) flush(t *table, values []words, radius int, found func(row int)) {
	n := l.n
	l.n = 0
	for i := range n {
		l.lo[i], l.hi[i] = t.starts[l.p[i]], t.starts[l.p[i]+1]
	}
	var warm uint32
	for i := range n {
		if l.lo[i] < l.hi[i] {
			warm += t.behind[l.lo[i]]
		}
	}
	l.warm = warm
	for i := range n {
		lo, behind := l.lo[i], l.behind[i]
		for k, b := range t.behind[lo:l.hi[i]] {
			if bits.OnesCount32((b^behind)&(1<<maxSlotBits-1)) <= int(b>>maxSlotBits) &&
				l.value[i].near(&values[t.members[int(lo)+k]], radius) {
				found(int(l.rows[i]))
				break
			}
		}
	}
}
