package kept

import "math/bits"

// A span is the members of a row's pattern, which a sieve looks at. Kernels read it as it
// lies.
type span struct {
	at     uint32 // of the first member
	n      uint32
	behind uint32 // the row's bits of the slot behind
	number uint32 // the row's
}

// masks is how many masks the members of a span make.
func (s *span) masks() int { return int(s.n+31) / 32 }

// behindBits are those of a member that are compared; above them stands in how many they
// may differ.
const behindBits = 1<<maxSlotBits - 1

// sieveGeneric is the kernels in plain Go. For each span it writes a bit for each member, 32 to
// a mask, that is set when the row differs from it in few enough bits of the slot behind.
func sieveGeneric(members []uint32, spans []span, out []uint32) {
	for i := range spans {
		s := &spans[i]
		some := members[s.at:][:s.n]
		for len(some) > 0 {
			mask := uint32(0)
			for k, b := range some[:min(32, len(some))] {
				if bits.OnesCount32((b^s.behind)&behindBits) <= int(b>>maxSlotBits) {
					mask |= 1 << k
				}
			}
			out[0] = mask
			some, out = some[min(32, len(some)):], out[1:]
		}
	}
}
