package kept

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every kernel lets through what the definition does.
func TestSieve(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(15, 16))
	members := make([]uint32, 5000)
	for i := range members {
		members[i] = r.Uint32()&behindBits | uint32(r.IntN(20))<<maxSlotBits
		if i%100 == 0 {
			members[i] |= 255 << maxSlotBits
		}
	}
	for round := range 300 {
		var spans []span
		var want []uint32
		for range r.IntN(60) {
			n := r.IntN(70)
			if r.IntN(10) == 0 {
				n = r.IntN(3000)
			}
			s := span{at: uint32(r.IntN(len(members) - n + 1)), n: uint32(n), behind: r.Uint32() & behindBits}
			if r.IntN(5) == 0 { // the last members
				s.at = uint32(len(members) - n)
			}
			for j, m := range members[s.at:][:n] {
				if j%32 == 0 {
					want = append(want, 0)
				}
				if bits.OnesCount32(m&behindBits^s.behind) <= int(m>>maxSlotBits) {
					want[len(want)-1] |= 1 << (j % 32)
				}
			}
			spans = append(spans, s)
		}
		for _, k := range kernels() {
			got := make([]uint32, len(want))
			sieve(k, members, spans, got)
			if !slices.Equal(got, want) {
				t.Fatalf("round %d, %s: %x, want %x", round, k, got, want)
			}
		}
	}
}
