package containers

import (
	"bytes"
	"slices"

	"semblance"
)

// Sort puts entries in the order of work that pays: by semblance.Urgency of the origin, or
// else the name, then by name. Entries of equal names keep their order.
func Sort(entries []semblance.Entry) {
	sorted := make([]semblance.Entry, len(entries))
	name := func(i int) []byte { return entries[i].Name }
	for i, at := range order(len(entries), name, func(i int) string { return entries[i].Origin }) {
		sorted[i] = entries[at]
	}
	copy(entries, sorted)
}

// order is the order of Sort for n entries with names and origins.
func order(n int, name func(int) []byte, origin func(int) string) []int32 {
	urgency := make([]uint8, n)
	at := make([]int32, n)
	for i := range at {
		at[i] = int32(i)
		p := origin(i)
		if p == "" {
			p = string(name(i))
		}
		urgency[i] = uint8(semblance.Urgency(p))
	}
	slices.SortStableFunc(at, func(a, b int32) int {
		if urgency[a] != urgency[b] {
			return int(urgency[a]) - int(urgency[b])
		}
		return bytes.Compare(name(int(a)), name(int(b)))
	})
	return at
}
