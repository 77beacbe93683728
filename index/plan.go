package index

// What looking costs, in comparisons of a flat scan, which runs through memory in
// order. Measured with BenchmarkPDQ; the answers do not depend on them.
const (
	cheaper    = 24 // a value found through a table: a cache miss or two
	lookupCost = 16 // a pattern looked up in a table: a cache miss
)

// A reaches says within how many bits each slot is looked up, -1 for not at all.
type reaches [maxSlots]int8

// maxSlots is how many slots a multiIndex has at most: 256 bits of a PDQ by
// minSlotBits.
const maxSlots = 256 / minSlotBits

// plan spreads the radius over the slots, where it is cheapest for this query:
// Σ(reach+1) = radius+1. A slot whose bits are the same in most values, as happens
// with flat or dark pictures, is dear for a query that has them too, and is left out.
// It returns false when comparing with every value is cheaper than any such plan.
func (m *multiIndex) plan(q words, radius int) (reaches, bool) {
	var reach reaches
	var next [maxSlots]float64
	for i := range m.slots {
		reach[i] = -1
		next[i] = m.cost(i, q, 0)
	}
	left := float64(m.distinct())
	for range radius + 1 {
		best := -1
		for i := range m.slots {
			if int(reach[i]) < m.slots[i].bits && (best < 0 || next[i] < next[best]) {
				best = i
			}
		}
		if best < 0 {
			return reach, false
		}
		if left -= next[best]; left < 0 {
			return reach, false
		}
		reach[best]++
		next[best] = m.cost(best, q, int(reach[best])+1)
	}
	return reach, true
}

// cost estimates what looking up a slot at exactly r bits costs. Within 1 bit it
// counts; beyond, it takes the patterns to be as full as those or as all are.
func (m *multiIndex) cost(i int, q words, r int) float64 {
	s := &m.slots[i]
	p := s.pattern(q)
	if r == 0 {
		return lookupCost + cheaper*float64(s.count(p))
	}
	around := 0
	for b := range s.bits {
		around += s.count(p ^ 1<<b)
	}
	each := float64(around) / float64(s.bits)
	patterns := float64(s.bits)
	if r > 1 {
		each = max(each, float64(m.distinct())/float64(int(1)<<s.bits))
		for k := 2; k <= r; k++ {
			patterns *= float64(s.bits-k+1) / float64(k)
		}
	}
	return patterns * (lookupCost + cheaper*each)
}
