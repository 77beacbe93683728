package index

import "semblance/index/disk"

// Perceptual hashes are found by multi-index hashing (Norouzi, Punjani, Fleet: Fast Exact
// Search in Hamming Space with Multi-Index Hashing). Slots are stretches of the bits that
// do not overlap. Suppose two values differ by at most R bits, d_i of them in slot i, and
// each slot is looked up within r_i bits, a reach. With Σ(r_i+1) > R,
//
//	Σ(d_i - (r_i+1)) ≤ R - Σ(r_i+1) < 0,
//
// so some slot has d_i ≤ r_i, and nothing is missed. More is true (Qin, Xiao: Pigeonring):
// where a ring of whole numbers has a negative sum, there is a place from which on every
// sum of neighbors is negative. So some slot has, with the slot that follows it,
//
//	d_i ≤ r_i and d_i + d_{i+1} ≤ r_i + r_{i+1} + 1,
//
// and the same with only some of the next slot's bits counted. Those lie beside every
// member of a slot, so that nearly all members are ruled out without a look at their
// values. A slot with r_i = -1 is not looked up at all. How the sum is spread is
// decided for each search by what it costs there.

// costs are what looking costs, in nanoseconds. They were measured, see docs/index.md;
// the answers do not depend on them.
type costs struct {
	span   float64 // a pattern looked up: a cache miss or two
	member float64 // that is looked at beside it
	value  float64 // a member that is not ruled out: two cache misses
	alone  float64 // a value compared with one needle: memory passes by
	among  float64 // a value compared with one of needleTile needles
}

// costsOf returns the costs of a kernel.
func costsOf(kernel string) costs {
	if kernel == "generic" {
		return costs{span: 40, member: 1.2, value: 60, alone: 2.2, among: 1.8}
	}
	return costs{span: 40, member: 0.1, value: 60, alone: 1.6, among: 0.3}
}

// passing is the share of random members whose rests differ from the query's in at most a
// number of bits, the second index, of the first.
var passing = func() (out [restBits + 1][restBits + 1]float64) {
	for n := range out {
		ways, sum := 1.0, 0.0
		for k := range out[n] {
			sum += ways
			out[n][k] = sum / float64(int(1)<<n)
			ways = ways * float64(n-k) / float64(k+1) // 0 from k = n on
		}
	}
	return out
}()

// reaches says within how many bits each slot is looked up, -1 for not at all.
type reaches [maxSlots]int8

// quota returns how many bits a slot's pattern and its rest may differ in together.
func (r *reaches) quota(i, slots int) int { return int(r[i]) + int(r[(i+1)%slots]) + 1 }

// A step is what looking a slot up one bit further takes.
type step struct{ spans, members float64 }

// cost is in nanoseconds. The reach is the next slot's: a member passes when its rest
// differs in no more bits than that and one.
func (s step) cost(c *costs, reach int8, restBits int) float64 {
	return s.spans*c.span + s.members*(c.member+c.value*passing[restBits][min(int(reach)+1, restBits)])
}

// plan spreads a radius over the slots, where it is cheapest for this query:
// Σ(reach+1) = radius+1. A slot whose bits are the same in most values, as happens
// with flat and dark pictures, is dear for a query that has them too, and is left out; and
// neighbors that both reach far let more members pass. It returns false when that costs
// more than a limit.
func (s *segment) plan(q *words, radius int, c costs, limit float64) (reaches, bool, error) {
	var reach reaches
	var steps [maxSlots]step
	var costs [maxSlots]float64
	if err := s.checkTables(); err != nil {
		return reach, false, err
	}
	n, rest := len(s.slots), min(restBits, int(s.SlotBits))
	for i := range n {
		var err error
		if steps[i], err = s.step(i, q, 0); err != nil {
			return reach, false, err
		}
		reach[i], costs[i] = -1, steps[i].cost(&c, -1, rest)
	}
	for range radius + 1 {
		best := -1
		for i := range n {
			if int(reach[i]) < int(s.SlotBits) && (best < 0 || costs[i] < costs[best]) {
				best = i
			}
		}
		if best < 0 {
			return reach, false, nil
		}
		if limit -= costs[best]; limit < 0 {
			return reach, false, nil
		}
		reach[best]++
		var err error
		if steps[best], err = s.step(best, q, int(reach[best])+1); err != nil {
			return reach, false, err
		}
		before := (best + n - 1) % n
		costs[best] = steps[best].cost(&c, reach[(best+1)%n], rest)
		costs[before] = steps[before].cost(&c, reach[best], rest)
	}
	return reach, true, nil
}

// step estimates what looking up a slot at exactly r bits takes. Within 1 bit it
// counts; beyond, it takes the patterns to be as full as those or as all are.
func (s *segment) step(i int, q *words, r int) (step, error) {
	p := s.pattern(q, i)
	from, to, err := s.members(i, p)
	if err != nil || r == 0 {
		return step{1, float64(to - from)}, err
	}
	width := int(s.SlotBits)
	around := uint32(0)
	for b := range width {
		from, to, err := s.members(i, p^1<<b)
		if err != nil {
			return step{}, err
		}
		around += to - from
	}
	each, patterns := float64(around)/float64(width), float64(width)
	if r > 1 {
		each = max(each, float64(s.Values)/float64(int(1)<<width))
		for k := 2; k <= r; k++ {
			patterns *= float64(width-k+1) / float64(k)
		}
	}
	return step{patterns, patterns * each}, nil
}

// members returns which members of a slot have a pattern. The table was checked.
func (s *segment) members(i int, pattern uint32) (from, to uint32, err error) {
	starts := s.slots[i].starts[pattern:][:2]
	if from, to = starts[0], starts[1]; from > to || to > s.Values {
		return 0, 0, disk.ErrDamaged
	}
	return from, to, nil
}

// checkTables makes sure of where the members of patterns begin, once for all.
func (s *segment) checkTables() error {
	if s.checked == nil || s.tables.Load() {
		return nil
	}
	for i := range s.slots {
		if err := s.check(s.at.slots[i].starts, 4*len(s.slots[i].starts)); err != nil {
			return err
		}
	}
	s.tables.Store(true)
	return nil
}
