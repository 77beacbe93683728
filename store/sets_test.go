package store_test

import (
	"testing"

	"semblance"
	"semblance/hashing"
)

func TestDigestSetsOfACollection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	c, other, faces := makeCollection(t, s, "known", semblance.Hashes), makeCollection(t, s, "good", semblance.KnownGood), makeCollection(t, s, "faces", semblance.Faces)
	set := func(id string, c semblance.CollectionID) semblance.DigestSet {
		return semblance.DigestSet{ID: semblance.SetID(id), Collection: c, Name: id + ".txt", Added: stamped(), By: semblance.Actor{Name: "kim"},
			Sources: []semblance.SetSource{{Name: id + ".txt", Format: "plain", Unit: "line", Bytes: 9, Modified: stamped(), SHA256: sum(id)}},
			Files:   []semblance.SetFile{{Algorithm: hashing.AlgorithmMD5, Records: 5, SHA256: sum("m"), Seal: sum("s")}, {Algorithm: hashing.AlgorithmSHA1, Records: 2}},
			Counts:  semblance.SetCounts{Rows: 8, Digests: 7, Bad: 1}}
	}
	one, two, three := set("1", c.ID), set("2", c.ID), set("3", other.ID)
	for _, d := range []semblance.DigestSet{one, two, three} {
		check(t, s.AddSet(t.Context(), d, event("collection.import")))
	}
	refused(t, s.AddSet(t.Context(), one, event("collection.import")), semblance.Conflict)
	refused(t, s.AddSet(t.Context(), set("4", faces.ID), event("collection.import")), semblance.Invalid)
	refused(t, s.AddSet(t.Context(), set("4", "none"), event("collection.import")), semblance.NotFound)
	equal(t, "sets", must(s.Sets(t.Context(), c.ID))(t), []semblance.DigestSet{one, two})
	equal(t, "all sets", must(s.Sets(t.Context(), ""))(t), []semblance.DigestSet{one, two, three})
	equal(t, "no sets", must(s.Sets(t.Context(), faces.ID))(t), []semblance.DigestSet{})
	got := must(s.Collection(t.Context(), "known"))(t)
	if got.Digests != 14 || got.Entries != 0 || got.Version != c.Version+2 {
		t.Errorf("%+v", got)
	}
	refused(t, s.RemoveSet(t.Context(), c.ID, "3", event("collection.set-remove")), semblance.NotFound)
	check(t, s.RemoveSet(t.Context(), c.ID, "1", event("collection.set-remove")))
	equal(t, "after removal", must(s.Sets(t.Context(), c.ID))(t), []semblance.DigestSet{two})
	if got := must(s.Collection(t.Context(), "known"))(t); got.Digests != 7 || got.Version != c.Version+3 {
		t.Errorf("%+v", got)
	}
	events := must(s.AuditEvents(t.Context(), 0, 0))(t)
	last := events[len(events)-1]
	if last.Action != "collection.set-remove" || last.Detail["set"] != "1" || len(events) != 3+3+1 {
		t.Errorf("%d events, the last %+v", len(events), last)
	}
	gone := must(s.DeleteCollection(t.Context(), "known", event("collection.delete")))(t)
	if gone.Before != 1 || gone.After != 0 {
		t.Errorf("%+v", gone)
	}
	equal(t, "after deletion", must(s.Sets(t.Context(), ""))(t), []semblance.DigestSet{three})
}
