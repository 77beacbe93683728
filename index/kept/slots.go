package kept

import "math"

// A slot is some neighboring bits of a value, looked up within a radius. Two values that
// differ by at most R bits differ by at most r_i in one of the slots i when Σ(r_i+1) > R:
// had they more in each, they would have R+1 or more in all. So looking every slot up
// misses nothing.
type slot struct {
	from, bits, radius int
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
	checkCost  = 3.0 // the same for a value that a table names
	lookupCost = 9.0 // of a row in a slot's table
	skipCost   = 2.0 // the same when nearly all places are empty
	pairCost   = 14. // entering a value in a table under one of its patterns
	blankCost  = 0.7 // clearing and adding up a place of a table
)

const (
	// maxSlotBits bounds a table's places, four bytes each, to 64 MiB.
	maxSlotBits = 24
	// maxPairs bounds what a table names, four bytes each, to 256 MiB.
	maxPairs = 64 << 20
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
	for i := range count {
		s := slot{from: i * bits / count, radius: each - 1}
		s.bits = (i+1)*bits/count - s.from
		if i < over {
			s.radius++
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
