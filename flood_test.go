package semblance_test

import (
	"slices"
	"testing"

	"semblance"
)

// TestTheFirstNearMatchOfAFloodingEntryStandsForAll, and every other one is listed.
func TestTheFirstNearMatchOfAFloodingEntryStandsForAll(t *testing.T) {
	t.Parallel()
	listed := semblance.FirstOfFloods([]semblance.Flood{{Collection: "a", Media: 200, Of: 210}, {Collection: "a", Entry: 7, Media: 40, Of: 210}})
	var got []bool
	for _, n := range []struct {
		collection string
		entry      semblance.EntryID
	}{{"a", 7}, {"a", 8}, {"b", 7}, {"a", 7}, {"a", 8}, {"b", 7}, {"a", 7}} {
		got = append(got, listed(n.collection, n.entry))
	}
	if want := []bool{true, true, true, false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
