package kept

import (
	"math/bits"
	"math/rand/v2"
	"testing"
)

// halves are values of which one in four has half of their bits in common.
func halves(r *rand.Rand, n int) (out []words) {
	for i := range n {
		w := words{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		if i%4 == 0 {
			w[2], w[3] = 0, 0
		}
		out = append(out, w)
	}
	return out
}

// flip changes n bits of a value that a mask has.
func flip(r *rand.Rand, w, mask words, n int) words {
	for n > 0 {
		if k := r.IntN(256); mask[k>>6]>>(k&63)&1 == 1 {
			w[k>>6] ^= 1 << (k & 63)
			mask[k>>6] &^= 1 << (k & 63)
			n--
		}
	}
	return w
}

// TestGate takes values that are as far from a gate's as may be, and rows that are as far
// from these as may be, all within the gate's bits.
func TestGate(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(17, 18))
	const radius = 31
	all := halves(r, 2000)
	found := gates(256, radius, &sample{values: all, each: 1}, all)
	if len(found) != 1 || found[0].mask != (words{0, 0, ^uint64(0), ^uint64(0)}) {
		t.Fatalf("gates %+v, want one of the common half", found)
	}
	g := found[0]
	for range 100 {
		loose := g.most - radius
		v := flip(r, g.value, g.mask, loose)
		if in, _ := g.split([]words{v}, radius); len(in) != 1 {
			t.Fatalf("a value that differs in %d bits is not for the gate", loose)
		}
		if over := flip(r, g.value, g.mask, loose+1); len(first(g.split([]words{over}, radius))) != 0 {
			t.Fatalf("a value that differs in %d bits is for the gate, whose rows may differ in %d", loose+1, g.most)
		}
		if row := flip(r, g.value, g.mask, loose+radius); !g.lets(&row) {
			t.Fatalf("a row that may be within %d is not let through", radius)
		}
		if row := flip(r, g.value, g.mask, loose+radius+1); g.lets(&row) {
			t.Fatal("a row is let through that is near none")
		}
	}
}

func first[T any](a, _ T) T { return a }

// TestReachIsEnough looks at what a plan for values that crowd gives each of them, and that
// it avoids where they crowd.
func TestReachIsEnough(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(19, 20))
	const radius = 31
	all := halves(r, 4000)
	rows := &sample{values: all, each: 1000}
	for count := 11; count <= 32; count++ {
		p, ok := spread(256, radius, count, rows, all)
		if !ok {
			continue
		}
		for i := range all {
			reach, _, ok := p.reach(&all[i])
			sum := 0
			for k := range p.slots {
				sum += int(reach[k]) + 1
				if i%4 == 0 && count == 16 && k >= 8 && reach[k] >= 0 {
					t.Fatalf("%d slots: reaches %v where rows crowd", count, reach)
				}
			}
			if !ok || sum != radius+1 {
				t.Fatalf("%d slots: reaches %v sum up to %d", count, reach, sum)
			}
		}
	}
}

// TestMasks counts patterns by definition.
func TestMasks(t *testing.T) {
	t.Parallel()
	for width := 1; width <= 12; width++ {
		for n := 0; n <= min(width, 5); n++ {
			got, ends := masks(width, n)
			seen := map[uint32]bool{}
			for i, m := range got {
				d := bits.OnesCount32(m)
				if seen[m] || m>>width != 0 || i >= ends[d] || d > 0 && i < ends[d-1] {
					t.Fatalf("%d bits of %d: mask %b at %d, ends %v", n, width, m, i, ends)
				}
				seen[m] = true
			}
			want := 0
			for m := range uint32(1) << width {
				if bits.OnesCount32(m) <= n {
					want++
				}
			}
			if len(got) != want || patterns(width, n) != float64(want) {
				t.Fatalf("%d bits of %d: %d masks, estimated %.0f, want %d", n, width, len(got), patterns(width, n), want)
			}
		}
	}
}
