package kept

import "math"

// A slot is some neighboring bits of a value, looked up within a radius. Two values that
// differ by at most R bits differ by at most r_i in one of the slots i when Σ(r_i+1) > R:
// had they more in each, they would have R+1 or more in all. So looking every slot up
// misses nothing.
//
// Most that a slot finds is ruled out by the slot behind it, in a ring. Let d_i be the
// bits that differ in slot i and e_i = d_i-(r_i+1). Their sum is below 0, and so the ring
// can be entered somewhere so that every sum from there on is below 0: behind where the
// sums from any fixed beginning are largest. There d_i ≤ r_i and d_i+d_{i+1} ≤
// r_i+r_{i+1}+1; whoever demands both of one slot after the other still misses nothing.
type slot struct {
	from, bits, radius int
	next               *slot // the slot behind it; nil when there is no other
	both               int   // most bits that differ in the two
}

// A plan is how a block of values is looked for.
type plan struct {
	slots []slot // none: every row is compared with every value
	block int    // values looked for at once
	cost  float64
}

// What single steps cost, in nanoseconds, as measured on the machine of docs/benchmarks.md.
// They decide what is faster and never what is found.
const (
	flatCost   = 1.3 // comparing a row with a value, one after the other
	checkCost  = 4.0 // the same for a value that a table names, by the slot behind
	lookupCost = 20. // of a row in a slot's table
	skipCost   = 2.0 // the same when nearly all places are empty
	pairCost   = 18. // entering a value in a table under one of its patterns
	blankCost  = 0.7 // clearing and adding up a place of a table
)

const (
	// maxSlotBits bounds a table's places, four bytes each, to 64 MiB.
	maxSlotBits = 24
	// maxPairs bounds what a table names, eight bytes each, to 480 MiB: a hundred thousand
	// PDQ, as they are and transposed, in one block.
	maxPairs = 60 << 20
)

// choose finds the cheapest plan for rows and values of so many bits within a radius.
func choose(bits, radius, rows, values int) plan {
	best := plan{block: values, cost: float64(rows) * float64(values) * flatCost}
	for count := 1; count <= bits/8; count++ {
		if p, ok := spread(bits, radius, count, rows, values); ok && p.cost < best.cost {
			best = p
		}
	}
	return best
}

// spread cuts the bits into slots of equal length and spreads R+1 evenly over them. What
// is over goes to the first ones; slots that get nothing are not looked up.
func spread(bits, radius, count, rows, values int) (plan, bool) {
	each, over := (radius+1)/count, (radius+1)%count
	p := plan{block: values}
	most := 0.0
	ring := make([]slot, count)
	for i := range ring {
		s := &ring[i]
		s.from, s.radius = i*bits/count, each-1
		s.bits = (i+1)*bits/count - s.from
		if i < over {
			s.radius++
		}
	}
	for i, s := range ring {
		if next := &ring[(i+1)%count]; count > 1 && next.bits <= maxSlotBits {
			s.next, s.both = next, s.radius+next.radius+1
		}
		if s.radius < 0 {
			continue
		}
		if s.bits > maxSlotBits || s.radius > s.bits {
			return p, false
		}
		most = max(most, patterns(s))
		p.slots = append(p.slots, s)
	}
	if most > maxPairs {
		return p, false
	}
	p.block = max(1, min(values, int(maxPairs/most)))
	blocks := math.Ceil(float64(values) / float64(p.block))
	for _, s := range p.slots {
		pairs := patterns(s) * float64(p.block)
		density := pairs / float64(int(1)<<s.bits)
		look := lookupCost
		if density < sparse {
			look = skipCost + density*lookupCost
		}
		p.cost += blocks * (pairs*pairCost + float64(int(1)<<s.bits)*blankCost + float64(rows)*(look+density*checkCost))
	}
	return p, true
}

// sparse is how full a table is at most that is asked by a bit for each place first: those
// bits stay in a processor's cache.
const sparse = 0.5

// patterns counts the patterns of a slot within its radius of one.
func patterns(s slot) float64 {
	sum, choose := 0.0, 1.0
	for r := 0; r <= s.radius; r++ {
		sum += choose
		choose = choose * float64(s.bits-r) / float64(r+1)
	}
	return sum
}

// masks lists every pattern of a slot's bits with at most its radius set.
func masks(s slot) []uint32 {
	out := []uint32{0}
	for n := 1; n <= s.radius; n++ {
		for m := uint64(1)<<n - 1; m < 1<<s.bits; { // HAKMEM 175
			out = append(out, uint32(m))
			low := m & -m
			next := m + low
			m = (next^m)>>2/low | next
		}
	}
	return out
}
