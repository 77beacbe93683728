package kept

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// A sample is some of the rows, from which is told where they crowd.
type sample struct {
	values []words
	each   float64        // how many rows one stands for
	known  map[int]crowds // by the number of slots
}

// sampleRows is how many rows a sample has at most, or little more.
const sampleRows = 1 << 14

func (p *sample) total() float64 { return p.each * float64(len(p.values)) }

// through returns those that pass a gate.
func (p *sample) through(g *gate) *sample {
	out := &sample{each: p.each}
	for i := range p.values {
		if g.lets(&p.values[i]) {
			out.values = append(out.values, p.values[i])
		}
	}
	return out
}

// A crowd is a pattern that many rows have in the same bits.
type crowd struct {
	pattern uint32
	rows    float64
}

// crowds are those of each slot, and how many rows have one of the other patterns.
type crowds struct {
	of   [][]crowd
	rest []float64
}

// maxCrowds is how many of a slot are told apart.
const maxCrowds = 1024

// crowds returns those in slots; what was found before is known for their number.
func (p *sample) crowds(slots []slot) crowds {
	if c, ok := p.known[len(slots)]; ok {
		return c
	}
	var c crowds
	all := make([]uint32, len(p.values))
	for i := range slots {
		for k := range p.values {
			all[k] = slots[i].pattern(&p.values[k])
		}
		few := 3 + int(4*math.Ldexp(float64(len(all)), -slots[i].bits)) // as may be by chance
		some := heaviest(all, few, maxCrowds)
		rest := p.total()
		for k := range some {
			some[k].rows *= p.each
			rest -= some[k].rows
		}
		c.of, c.rest = append(c.of, some), append(c.rest, rest)
	}
	if p.known == nil {
		p.known = map[int]crowds{}
	}
	p.known[len(slots)] = c
	return c
}

// heaviest sorts patterns and returns those there are at least few of, the most first.
func heaviest(all []uint32, few, most int) (out []crowd) {
	slices.Sort(all)
	for i := 0; i < len(all); {
		n := i + 1
		for n < len(all) && all[n] == all[i] {
			n++
		}
		if n-i >= few {
			out = append(out, crowd{all[i], float64(n - i)})
		}
		i = n
	}
	slices.SortStableFunc(out, func(a, b crowd) int { return cmp.Compare(b.rows, a.rows) })
	return out[:min(len(out), most)]
}

// costs estimates what it costs to enter a value under the patterns that differ in each
// number of bits from its own, and to compare it with the rows that have them.
func (p *plan) costs(i int, pattern uint32, out *[maxReach + 1]float64) {
	width := p.slots[i].bits
	even, ways := math.Ldexp(p.rest[i], -width), 1.0
	for r := range out {
		out[r] = ways * (pairCost + even*checkCost)
		ways = ways * float64(width-r) / float64(r+1)
	}
	for _, c := range p.of[i] {
		if d := bits.OnesCount32(c.pattern ^ pattern); d <= maxReach {
			out[d] += c.rows * checkCost
		}
	}
}

// A gate lets rows through that can be near certain values: those all differ from its value in
// few of some bits, so what is near one of them differs there in few more. The zero gate
// lets everything through.
type gate struct {
	mask, value words
	most        int // bits that differ
}

// lets reports whether a row passes.
func (g *gate) lets(w *words) bool { return g.differ(w) <= g.most }

func (g *gate) differ(w *words) (n int) {
	for i := range w {
		n += bits.OnesCount64((w[i] ^ g.value[i]) & g.mask[i])
	}
	return n
}

// split returns the values that the gate is for, and the others.
func (g *gate) split(values []words, radius int) (in, others []words) {
	for i := range values {
		if g.differ(&values[i]) <= g.most-radius {
			in = append(in, values[i])
		} else {
			others = append(others, values[i])
		}
	}
	return in, others
}

// cellBits is what gates are made of.
const cellBits = 16

const (
	// gateShare is which part of the rows have a cell's pattern when it makes a gate.
	gateShare = 1. / 32
	// maxGates is how many are tried: each costs a look at every row.
	maxGates = 8
	// looseness is one in how many of a gate's bits its values may differ.
	looseness = 16
)

// gates returns those that may be worth it, the most values first: for the bits that many
// values have in common with many rows, like the half of a hash that is of detail where
// pictures have none.
func gates(width, radius int, rows *sample, values []words) (out []gate) {
	cells := ring(width, width/cellBits)
	common := make([]map[uint32]bool, len(cells))
	all := make([]uint32, len(rows.values))
	for i := range cells {
		for k := range rows.values {
			all[k] = cells[i].pattern(&rows.values[k])
		}
		common[i] = map[uint32]bool{}
		for _, c := range heaviest(all, max(8, int(gateShare*float64(len(all)))), maxCrowds) {
			common[i][c.pattern] = true
		}
	}
	counts := map[gate]int{}
	for i := range values {
		var g gate
		for k := range cells {
			if p := cells[k].pattern(&values[i]); common[k][p] {
				g.mask.put(&cells[k], 1<<cellBits-1)
				g.value.put(&cells[k], p)
			}
		}
		if g != (gate{}) {
			counts[g]++
		}
	}
	for g := range counts {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b gate) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), slices.Compare(a.mask[:], b.mask[:]), slices.Compare(a.value[:], b.value[:]))
	})
	out = out[:min(len(out), maxGates)]
	for i := range out {
		out[i].most = radius + (&gate{mask: out[i].mask}).differ(&words{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)})/looseness
	}
	return slices.DeleteFunc(out, func(g gate) bool { return 2*len(rows.through(&g).values) > len(rows.values) })
}

// divide makes parts of values so that looking for them costs least, as far as a sample of
// the rows can tell.
func divide(width, radius int, rows *sample, values []words) (out []part) {
	whole := choose(width, radius, rows, values)
	for _, g := range gates(width, radius, rows, values) {
		in, others := g.split(values, radius)
		apart, left := choose(width, radius, rows.through(&g), in), choose(width, radius, rows, others)
		if apart.cost+skipCost*(rows.total()-rows.through(&g).total())*float64(max(1, len(apart.slots)))+left.cost < whole.cost {
			out = append(out, apart.blocks(g, in, maxPairs)...)
			whole, values = left, others
		}
	}
	return append(out, whole.blocks(gate{}, values, maxPairs)...)
}
