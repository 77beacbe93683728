package containers

import (
	"bytes"
	"slices"

	"semblance"
)

// Sort puts entries in the order of work that pays: by semblance.Urgency of the name,
// then by name. Entries of equal names keep their order.
func Sort(entries []semblance.Entry) {
	sorted := make([]semblance.Entry, len(entries))
	for i, at := range order(len(entries), func(i int) []byte { return entries[i].Name }) {
		sorted[i] = entries[at]
	}
	copy(entries, sorted)
}

// order is the order of Sort for n entries, of which name gives the names.
func order(n int, name func(int) []byte) []int32 {
	urgency := make([]uint8, n)
	at := make([]int32, n)
	for i := range at {
		at[i] = int32(i)
		urgency[i] = uint8(semblance.Urgency(string(name(i))))
	}
	slices.SortStableFunc(at, func(a, b int32) int {
		if urgency[a] != urgency[b] {
			return int(urgency[a]) - int(urgency[b])
		}
		return bytes.Compare(name(int(a)), name(int(b)))
	})
	return at
}
