package containers

import (
	"bytes"
	"slices"

	"semblance"
)

// Sort puts entries in the order of work that pays: by semblance.Urgency of the name,
// then by name. Entries of equal names keep their order.
func Sort(entries []semblance.Entry) {
	type keyed struct {
		urgency int
		e       semblance.Entry
	}
	list := make([]keyed, len(entries))
	for i, e := range entries {
		list[i] = keyed{semblance.Urgency(string(e.Name)), e}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		if a.urgency != b.urgency {
			return a.urgency - b.urgency
		}
		return bytes.Compare(a.e.Name, b.e.Name)
	})
	for i := range list {
		entries[i] = list[i].e
	}
}
