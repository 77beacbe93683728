package main

import (
	"slices"
	"testing"

	"semblance"
	"semblance/scan"
)

// story is what a scan of two plants tells when all is well.
func story() ([]plant, []scan.Event) {
	plants := []plant{
		{"a.jpg", "known", wants{hit: "known"}},
		{"b.jpg", "mirrored", wants{near: "known", transform: "flipy"}},
		{"c.jpg", "a person", wants{subject: "person-1"}},
		{"d.jpg", "damaged", wants{status: "failed"}},
		{"e.jpg", "nothing", wants{}},
	}
	item := func(path string, status semblance.ItemStatus) scan.Event {
		return scan.Event{Event: scan.EventItem, Path: path, Status: status}
	}
	return plants, []scan.Event{
		item("a.jpg", semblance.ItemNew), {Event: scan.EventHit, Path: "a.jpg", Hit: &semblance.Hit{Collection: "known"}},
		item("b.jpg", semblance.ItemNew), {Event: scan.EventNearMatch, Path: "b.jpg", NearMatch: &semblance.NearMatch{Collection: "known", Transform: "flipy"}},
		item("c.jpg", semblance.ItemNew), {Event: scan.EventCandidate, Path: "c.jpg", Candidate: &semblance.Candidate{Subject: "person-1"}},
		item("d.jpg", semblance.ItemFailed), {Event: scan.EventError, Path: "d.jpg"},
		item("e.jpg", semblance.ItemNew),
		{Event: scan.EventSummary, Summary: &scan.Summary{}},
	}
}

// TestJudge: the demo's judge finds what is missing and what is too much.
func TestJudge(t *testing.T) {
	t.Parallel()
	plants, events := story()
	if v := judge(plants, events); len(v.missed)+len(v.wrong) > 0 || v.planted != 4 || v.found != 4 {
		t.Fatalf("all is well: %+v", v)
	}
	for name, c := range map[string]struct {
		change        func([]scan.Event) []scan.Event
		missed, wrong int
	}{
		"a hit is missed":        {func(e []scan.Event) []scan.Event { return slices.Delete(e, 1, 2) }, 1, 0},
		"a near match is missed": {func(e []scan.Event) []scan.Event { return slices.Delete(e, 3, 4) }, 1, 0},
		"a candidate is missed":  {func(e []scan.Event) []scan.Event { return slices.Delete(e, 5, 6) }, 1, 0},
		"an error is not told":   {func(e []scan.Event) []scan.Event { return slices.Delete(e, 7, 8) }, 1, 0},
		"an item is not told":    {func(e []scan.Event) []scan.Event { return slices.Delete(e, 8, 9) }, 1, 0},
		"a false candidate": {func(e []scan.Event) []scan.Event {
			return append(e, scan.Event{Event: scan.EventCandidate, Path: "e.jpg", Candidate: &semblance.Candidate{Subject: "person-1"}})
		}, 0, 1},
		"a false hit": {func(e []scan.Event) []scan.Event {
			return append(e, scan.Event{Event: scan.EventHit, Path: "e.jpg", Hit: &semblance.Hit{Collection: "known"}})
		}, 0, 1},
		"a hit told twice": {func(e []scan.Event) []scan.Event { return append(e, e[1]) }, 1, 1},
		"another transform": {func(e []scan.Event) []scan.Event {
			e[3].NearMatch.Transform = "original"
			return e
		}, 1, 1},
		"another person": {func(e []scan.Event) []scan.Event {
			e[5].Candidate.Subject = "person-2"
			return e
		}, 1, 1},
		"another status": {func(e []scan.Event) []scan.Event {
			e[8].Status = semblance.ItemUnsupported
			return e
		}, 1, 1},
		"a file nobody planted": {func(e []scan.Event) []scan.Event {
			return append(e, scan.Event{Event: scan.EventItem, Path: "f.jpg", Status: semblance.ItemNew})
		}, 0, 1},
	} {
		plants, events := story()
		if v := judge(plants, c.change(events)); len(v.missed) != c.missed || len(v.wrong) != c.wrong {
			t.Errorf("%s: %d missed, %d false: %+v", name, len(v.missed), len(v.wrong), v)
		}
	}
}
