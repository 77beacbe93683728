package kept

import "math"

// A slot is some neighboring bits of a value, looked up within a reach. Two values that
// differ by at most R bits differ by at most r_i in one of the slots i when Σ(r_i+1) > R:
// had they more in each, they would have R+1 or more in all. So looking every slot up
// misses nothing. The reaches are each value's own: where rows crowd around its bits in a
// slot, it reaches less far there and farther elsewhere. With r_i = -1 it is not looked up
// in that slot.
//
// Most that a slot finds is ruled out by the slot behind it, in a ring of those that the
// value is looked up in. Let d_i be the bits that differ in slot i and e_i = d_i-(r_i+1).
// Their sum is below 0 (what is left out of the ring is not negative), and so the ring
// can be entered somewhere so that every sum from there on is below 0: behind where the
// sums from any fixed beginning are largest. There d_i ≤ r_i and d_i+d_j ≤ r_i+r_j+1, j
// the slot behind; whoever demands both of one slot after the other still misses nothing.
type slot struct {
	from, bits int
}

// reaches are how far a value reaches in each slot.
type reaches [maxSlots]int8

// behind returns the slot behind one in the ring, itself when there is no other.
func (r *reaches) behind(i, slots int) int {
	for j := (i + 1) % slots; j != i; j = (j + 1) % slots {
		if r[j] >= 0 {
			return j
		}
	}
	return i
}

// What single steps cost, in nanoseconds, as measured on the Intel machine of docs/benchmarks.md.
// They decide what is faster and never what is found.
const (
	flatCost   = 1.3 // comparing a row with a value, one after the other
	checkCost  = 2.0 // the same for a value that a table names, by the slot behind
	skipCost   = 20. // of a row that is read for a slot
	lookupCost = 60. // of a row that is looked up there
	pairCost   = 18. // entering a value in a table under one of its patterns
	blankCost  = 0.7 // clearing and adding up a place of a table
)

const (
	// maxSlots is how many slots there are at most: of 8 bits of a PDQ.
	maxSlots = 32
	// maxSlotBits bounds a table's places, four bytes each, to 64 MiB.
	maxSlotBits = 24
	// maxReach bounds how far a value reaches in a slot.
	maxReach = 15
	// maxPairs bounds what a table names, eight bytes each, to 480 MiB: a hundred thousand
	// PDQ, as they are and transposed, in one block.
	maxPairs = 60 << 20
)

// ring cuts bits into slots of equal length.
func ring(bits, count int) []slot {
	out := make([]slot, count)
	for i := range out {
		s := &out[i]
		s.from = i * bits / count
		s.bits = (i+1)*bits/count - s.from
	}
	return out
}

// A plan is how some values are looked for.
type plan struct {
	slots []slot // none: every row that passes the gate is compared with every value
	crowds
	closed [maxSlots]bool // those that no value is looked up in
	radius int
	alone  float64 // cost of comparing a value with every row
	cost   float64 // of all values, as estimated
}

// choose finds the cheapest plan for values within a radius, for rows of which some are known.
func choose(bits, radius int, rows *sample, values []words) plan {
	best := plan{cost: rows.total() * float64(len(values)) * flatCost}
	for count := (bits + maxSlotBits - 1) / maxSlotBits; count <= bits/8; count++ {
		if p, ok := spread(bits, radius, count, rows, values); ok && p.cost < best.cost {
			best = p
		}
	}
	return best
}

// plannedValues is of how many values, evenly taken, costs are estimated.
const plannedValues = 500

// spread makes a plan of a number of slots. It returns false when a value cannot be looked
// for in that many, or not within bounds.
func spread(bits, radius, count int, rows *sample, values []words) (plan, bool) {
	p := plan{slots: ring(bits, count), radius: radius, alone: rows.total() * flatCost}
	if p.slots[count-1].bits > maxSlotBits {
		return p, false
	}
	p.crowds = rows.crowds(p.slots)
	users, ok := p.estimate(rows, values)
	if !ok {
		return p, false
	}
	rare := p // without the slots that few values use: each takes a look at every row
	for k, share := range users {
		rare.closed[k] = share < rareShare
	}
	if rare.closed != p.closed {
		if _, ok := rare.estimate(rows, values); ok && rare.cost < p.cost {
			return rare, true
		}
	}
	return p, true
}

// rareShare is which part of the values makes up for a slot.
const rareShare = 0.1

// estimate estimates the plan's cost and returns which part of the values is looked up in
// each slot.
func (p *plan) estimate(rows *sample, values []words) (users []float64, ok bool) {
	users = make([]float64, len(p.slots))
	pairs := make([]float64, len(p.slots))
	some := 0.0
	p.cost = 0
	for i := 0; i < len(values); i += max(1, len(values)/plannedValues) {
		r, cost, ok := p.reach(&values[i])
		if !ok {
			return nil, false
		}
		some++
		p.cost += min(cost, p.alone)
		if cost > p.alone {
			continue
		}
		for k := range p.slots {
			if r[k] >= 0 {
				users[k]++
				pairs[k] += patterns(p.slots[k].bits, int(r[k]))
			}
		}
	}
	scale := float64(len(values)) / max(1, some)
	p.cost *= scale
	for k := range p.slots {
		users[k] /= max(1, some)
		if pairs[k] == 0 {
			continue
		}
		n, places := pairs[k]*scale, math.Ldexp(1, p.slots[k].bits)
		tables := math.Ceil(n / maxPairs)
		p.cost += tables * (places*blankCost + rows.total()*(skipCost+min(1, n/places)*lookupCost))
	}
	return users, true
}

// sparse is how full a table is at most that is asked by a bit for each place first: those
// bits stay in a processor's cache.
const sparse = 0.5

// reach spreads a radius over the slots where it is cheapest for a value, Σ(r_i+1) =
// radius+1, and returns what the value costs besides what any does. It returns false when
// the slots are too few.
func (p *plan) reach(w *words) (r reaches, cost float64, ok bool) {
	var costs [maxSlots][maxReach + 1]float64
	for i := range p.slots {
		r[i] = -1
		p.costs(i, p.slots[i].pattern(w), &costs[i])
	}
	for range p.radius + 1 {
		best := -1
		for i := range p.slots {
			if n := int(r[i]) + 1; !p.closed[i] && n <= min(maxReach, p.slots[i].bits) && (best < 0 || costs[i][n] < costs[best][r[best]+1]) {
				best = i
			}
		}
		if best < 0 {
			return r, 0, false
		}
		r[best]++
		cost += costs[best][r[best]]
	}
	return r, cost, true
}

// patterns counts those within some bits of one.
func patterns(bits, reach int) float64 {
	sum, choose := 0.0, 1.0
	for r := 0; r <= reach; r++ {
		sum += choose
		choose = choose * float64(bits-r) / float64(r+1)
	}
	return sum
}

// masks lists every pattern of a slot's bits with at most n set, those with fewer first,
// and where those with more than each number begin.
func masks(bits, n int) (out []uint32, ends []int) {
	out, ends = []uint32{0}, []int{1}
	for n := range n {
		for m := uint64(1)<<(n+1) - 1; m < 1<<bits; { // HAKMEM 175
			out = append(out, uint32(m))
			low := m & -m
			next := m + low
			m = (next^m)>>2/low | next
		}
		ends = append(ends, len(out))
	}
	return out, ends
}

// A part is values that are looked for together, in rows that pass a gate.
type part struct {
	gate   gate
	slots  []slot
	values []words
	reach  []reaches // of each value
}

// follower returns the slot that is behind another for most values, itself for none.
func (p *part) follower(i int) int {
	var votes [maxSlots]int
	for v := range p.reach {
		if r := &p.reach[v]; r[i] >= 0 {
			votes[r.behind(i, len(p.slots))]++
		}
	}
	votes[i] = 0
	best := i
	for j, n := range votes {
		if n > votes[best] {
			best = j
		}
	}
	return best
}

// both is how many bits a value may differ in a slot and in another together: any number
// when that is not behind it.
func (p *part) both(v, i, next int) int {
	r := &p.reach[v]
	if next == i || r.behind(i, len(p.slots)) != next {
		return 255
	}
	return int(r[i]) + int(r[next]) + 1
}

// blocks makes parts of a plan, whose tables name at most so many pairs. What crowds so that
// comparing it with every row is cheaper is a part of its own.
func (p *plan) blocks(g gate, values []words, bound float64) (out []part) {
	now, flat := part{gate: g, slots: p.slots}, part{gate: g}
	var pairs [maxSlots]float64
	for i := range values {
		var r reaches
		cost := math.Inf(1)
		if len(p.slots) > 0 {
			r, cost, _ = p.reach(&values[i]) // there are slots enough for any or for none
		}
		if cost > p.alone {
			flat.values = append(flat.values, values[i])
			continue
		}
		over := false
		var more [maxSlots]float64
		for k := range p.slots {
			more[k] = patterns(p.slots[k].bits, int(r[k]))
			over = over || pairs[k]+more[k] > bound
		}
		if over && len(now.values) > 0 {
			out = append(out, now)
			now, pairs = part{gate: g, slots: p.slots}, [maxSlots]float64{}
		}
		now.values, now.reach = append(now.values, values[i]), append(now.reach, r)
		for k := range more {
			pairs[k] += more[k]
		}
	}
	for _, last := range []part{now, flat} {
		if len(last.values) > 0 {
			out = append(out, last)
		}
	}
	return out
}
