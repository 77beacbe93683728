package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/store"
)

func TestCollections(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	b, a := makeCollection(t, s, "b", semblance.Hashes), makeCollection(t, s, "a", semblance.Faces)
	if a.Version != 1 || !a.Created.Equal(stamped()) || a.Engine != semblance.YuNetMobileFaceNet || a.FaceDistance != 0.55 {
		t.Errorf("%+v", a)
	}
	equal(t, "collections", must(s.Collections(t.Context()))(t), []semblance.Collection{a, b})
	equal(t, "collection", must(s.Collection(t.Context(), "a"))(t), a)
	_, err := s.CreateCollection(t.Context(), semblance.Collection{Name: "a"}, event("collection.create"))
	refused(t, err, semblance.Conflict)
	_, err = s.CreateCollection(t.Context(), semblance.Collection{}, event("collection.create"))
	refused(t, err, semblance.Invalid)
	_, err = s.Collection(t.Context(), "c")
	refused(t, err, semblance.NotFound)
	_, err = s.DeleteCollection(t.Context(), "c", event("collection.delete"))
	refused(t, err, semblance.NotFound)
}

func TestCalibrations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	c, other := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "other", semblance.Faces)
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{reference("r1", "Ann", "1"), reference("r2", "Bob", "2"), reference("r3", "Cy", "3")}, event("collection.enroll")))(t)
	_, err := s.Calibration(t.Context(), c.ID)
	refused(t, err, semblance.NotFound)
	pair := func(a, b string, d float64) semblance.ClosePair {
		names := map[string]string{"r1": "Ann", "r2": "Bob", "r3": "Cy"}
		return semblance.ClosePair{SubjectA: names[a], ReferenceA: semblance.ReferenceID(a), SourceA: a[1:] + ".jpg", SubjectB: names[b], ReferenceB: semblance.ReferenceID(b), SourceB: b[1:] + ".jpg", Distance: d}
	}
	cal := semblance.Calibration{Collection: "faces", Version: 2, Engine: c.Engine, EngineVersion: 1, Metric: semblance.Cosine, Subjects: 3, References: 3, Threshold: 0.55,
		AtThreshold: semblance.Rate{Value: 0.25, Low: 0.125, High: 0.5}, Searches: 3, Created: stamped(), LeftCount: 1,
		Bins: []semblance.CalibrationBin{{From: 80, To: 100, Subjects: 3, Searches: 3, Levels: []semblance.CalibrationLevel{
			{OneIn: 2, Distance: 0.3, Rate: semblance.Rate{Value: 0.25, High: 0.5}, Extrapolated: true}}}},
		Closest: []semblance.ClosePair{pair("r1", "r3", 0.2), pair("r2", "r3", 0.4)}, Left: []semblance.ClosePair{pair("r1", "r2", 0)}}
	check(t, s.AddCalibration(t.Context(), c.ID, semblance.Calibration{Version: 1}, event("collection.calibrate")))
	check(t, s.AddCalibration(t.Context(), c.ID, cal, event("collection.calibrate")))
	equal(t, "the latest calibration", must(s.Calibration(t.Context(), c.ID))(t), cal)
	_, err = s.Calibration(t.Context(), other.ID)
	refused(t, err, semblance.NotFound)
	bad := cal
	bad.Closest = []semblance.ClosePair{pair("r1", "r9", 0.2)}
	refused(t, s.AddCalibration(t.Context(), c.ID, bad, event("collection.calibrate")), semblance.NotFound)
	refused(t, s.AddCalibration(t.Context(), "none", cal, event("collection.calibrate")), semblance.NotFound)
	equal(t, "after refusals", must(s.Calibration(t.Context(), c.ID))(t), cal)

	// A reference that goes takes its pairs along: nothing of the subject stays behind.
	raw(t, dir, `PRAGMA foreign_keys = ON; DELETE FROM reference_crops WHERE reference_seq = (SELECT seq FROM subject_references WHERE id = 'r3'); DELETE FROM subject_references WHERE id = 'r3'`)
	left := must(s.Calibration(t.Context(), c.ID))(t)
	if len(left.Closest) != 0 || len(left.Left) != 1 {
		t.Errorf("pairs of a reference that is gone: %+v", left)
	}
	gone := must(s.DeleteCollection(t.Context(), "faces", event("collection.delete")))(t)
	if gone.After != 0 || gone.Before != 3+2+2+2+2+1 { // subjects, references, embeddings, crops, calibrations, a pair
		t.Errorf("%+v", gone)
	}
}

func reference(id, subject, content string) semblance.Reference {
	return semblance.Reference{ID: semblance.ReferenceID(id), Subject: subject, Source: content + ".jpg", SHA256: sum(content), Type: "image/jpeg",
		Face: semblance.Face{Box: semblance.Box{W: 1}, Score: 0.9, Quality: 50, Embedding: []float32{0.5, -0.5}},
		Crop: []byte("crop of " + id), Engine: semblance.YuNetMobileFaceNet, Version: 1, Decoder: "libjpeg"}
}

func references(t testing.TB, s *store.Store, c semblance.CollectionID) (list []semblance.Reference) {
	t.Helper()
	check(t, s.EachReference(t.Context(), c, func(r semblance.Reference) error {
		list = append(list, r)
		return nil
	}))
	return list
}

func TestReferences(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCollection(t, s, "faces", semblance.Faces)
	add := func(refs ...semblance.Reference) int {
		t.Helper()
		return must(s.AddReferences(t.Context(), c.ID, refs, event("collection.enroll")))(t)
	}
	if n := add(reference("r2", "Ann", "2"), reference("r1", "Ann", "1"), reference("r3", "Bob", "1")); n != 3 {
		t.Errorf("%d added", n)
	}
	if n := add(reference("r1", "Ann", "1"), reference("r9", "Bob", "1")); n != 0 { // same subject, same media
		t.Errorf("%d added again", n)
	}
	got := must(s.Collection(t.Context(), "faces"))(t)
	if got.Version != 2 || got.Subjects != 2 || got.Entries != 3 {
		t.Errorf("%+v", got)
	}
	want := reference("r1", "Ann", "1")
	want.Collection, want.Created, want.Crop, want.Seq = c.ID, stamped(), nil, 2
	list := references(t, s, c.ID)
	if len(list) != 3 || list[1].ID != "r2" || list[2].ID != "r3" {
		t.Fatalf("%+v", list)
	}
	equal(t, "reference", list[0], want)
	equal(t, "references", must(s.References(t.Context(), "r3", "r1"))(t), []semblance.Reference{list[2], list[0]})
	if crop := must(s.ReferenceCrop(t.Context(), "r1"))(t); string(crop) != "crop of r1" {
		t.Errorf("%q", crop)
	}
	for subject, want := range map[string]int{list[0].Subject: 0, "nobody": 0} {
		for _, r := range list {
			if r.Subject == subject {
				want++
			}
		}
		got := must(s.SubjectReferences(t.Context(), c.ID, subject))(t)
		if len(got) != want {
			t.Errorf("%d references of %s, want %d", len(got), subject, want)
		}
		for _, r := range got {
			if r.Subject != subject || len(r.Face.Embedding) == 0 || len(r.Crop) > 0 {
				t.Errorf("reference of %s: %+v", subject, r)
			}
		}
	}
	_, err := s.References(t.Context(), "r1", "none")
	refused(t, err, semblance.NotFound)
	_, err = s.ReferenceCrop(t.Context(), "none")
	refused(t, err, semblance.NotFound)
	stop := errors.New("stop")
	if err := s.EachReference(t.Context(), c.ID, func(semblance.Reference) error { return stop }); err != stop {
		t.Error(err)
	}
	refused(t, s.EachReference(t.Context(), "none", nil), semblance.NotFound)
	events := must(s.AuditEvents(t.Context(), 1, 0))(t)
	if len(events) != 2 || events[0].Detail["added"] != 3.0 || events[1].Detail["added"] != 0.0 {
		t.Errorf("%+v", events)
	}
}

func TestReferencesThatDoNotBelong(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, h := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "hashes", semblance.Hashes)
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{reference("r1", "Ann", "1")}, event("e")))(t)
	engine, version, taken, nameless := reference("r2", "Ann", "2"), reference("r2", "Ann", "2"), reference("r1", "Bob", "2"), reference("", "Ann", "2")
	engine.Engine, version.Version = semblance.DlibHOG, 2
	for code, r := range map[semblance.Code][]semblance.Reference{
		semblance.ModelMismatch: {engine, version}, semblance.Conflict: {taken}, semblance.Invalid: {nameless},
	} {
		for _, bad := range r {
			_, err := s.AddReferences(t.Context(), c.ID, []semblance.Reference{reference("r5", "Eve", "5"), bad}, event("e"))
			refused(t, err, code)
		}
	}
	_, err := s.AddReferences(t.Context(), h.ID, []semblance.Reference{reference("r2", "Ann", "2")}, event("e"))
	refused(t, err, semblance.Invalid)
	_, err = s.AddReferences(t.Context(), "none", nil, event("e"))
	refused(t, err, semblance.NotFound)
	if got := must(s.Collection(t.Context(), "faces"))(t); got.Version != 2 || got.Entries != 1 || got.Subjects != 1 {
		t.Errorf("refused references left something: %+v", got)
	}
}

func entry(a hashing.Algorithm, n uint32) semblance.HashEntry {
	v := make([]byte, a.Bits()/8)
	binary.BigEndian.PutUint32(v, n*2654435761) // spread, as hashes are
	binary.BigEndian.PutUint32(v[4:], n)
	return semblance.HashEntry{Algorithm: a, Value: v, Quality: -1, Source: "list.txt", Record: fmt.Sprint(n)}
}

func entries(t testing.TB, s *store.Store, c semblance.CollectionID, after int64) (list []semblance.HashEntry) {
	t.Helper()
	check(t, s.EachEntry(t.Context(), c, after, func(e semblance.HashEntry) error {
		list = append(list, e)
		return nil
	}))
	return list
}

func TestEntries(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, other := makeCollection(t, s, "hashes", semblance.Hashes), makeCollection(t, s, "good", semblance.KnownGood)
	full := semblance.HashEntry{Algorithm: hashing.AlgorithmPDQ, Value: bytes.Repeat([]byte{7}, 32), Size: 9, Quality: 88, Note: "n", Source: "s", Record: "r", Decoder: "d"}
	first := []semblance.HashEntry{entry(hashing.AlgorithmSHA1, 2), full, entry(hashing.AlgorithmSHA1, 1)}
	if n := must(s.AddEntries(t.Context(), c.ID, first, event("e")))(t); n != 3 {
		t.Errorf("%d added", n)
	}
	must(s.AddEntries(t.Context(), other.ID, first[:1], event("e")))(t)
	again := full
	again.Note = "another note"
	if n := must(s.AddEntries(t.Context(), c.ID, []semblance.HashEntry{again, entry(hashing.AlgorithmMD5, 1), entry(hashing.AlgorithmMD5, 1)}, event("e")))(t); n != 1 {
		t.Errorf("%d added again", n)
	}
	if got := must(s.Collection(t.Context(), "hashes"))(t); got.Version != 3 || got.Entries != 4 {
		t.Errorf("%+v", got)
	}
	must(s.AddEntries(t.Context(), c.ID, first, event("e")))(t)
	if got := must(s.Collection(t.Context(), "hashes"))(t); got.Version != 3 {
		t.Errorf("nothing new raised the version to %d", got.Version)
	}
	list := entries(t, s, c.ID, 0)
	full.ID, full.Seq, full.Collection = list[1].ID, int64(list[1].ID), c.ID
	equal(t, "entry", list[1], full)
	if len(list) != 4 || !slices.IsSortedFunc(list, func(a, b semblance.HashEntry) int { return int(a.Seq - b.Seq) }) || list[0].Record != "2" {
		t.Errorf("%+v", list)
	}
	equal(t, "the rest", entries(t, s, c.ID, list[1].Seq), list[2:])
	equal(t, "entries", must(s.Entries(t.Context(), list[2].ID, list[0].ID))(t), []semblance.HashEntry{list[2], list[0]})
	_, err := s.Entries(t.Context(), list[0].ID, 999)
	refused(t, err, semblance.NotFound)
	equal(t, "algorithms", must(s.Algorithms(t.Context(), c.ID))(t), []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmPDQ, hashing.AlgorithmSHA1})
	_, err = s.Algorithms(t.Context(), "none")
	refused(t, err, semblance.NotFound)
	stop := errors.New("stop")
	if err := s.EachEntry(t.Context(), c.ID, 0, func(semblance.HashEntry) error { return stop }); err != stop {
		t.Error(err)
	}
}

func TestEntriesThatDoNotBelong(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, f := makeCollection(t, s, "hashes", semblance.Hashes), makeCollection(t, s, "faces", semblance.Faces)
	short, unknown := entry(hashing.AlgorithmSHA1, 1), entry(hashing.AlgorithmSHA1, 1)
	short.Value, unknown.Algorithm = short.Value[1:], "md4"
	for _, bad := range []semblance.HashEntry{short, unknown} {
		_, err := s.AddEntries(t.Context(), c.ID, []semblance.HashEntry{entry(hashing.AlgorithmMD5, 1), bad}, event("e"))
		refused(t, err, semblance.Invalid)
	}
	_, err := s.AddEntries(t.Context(), f.ID, nil, event("e"))
	refused(t, err, semblance.Invalid)
	_, err = s.AddEntries(t.Context(), "none", nil, event("e"))
	refused(t, err, semblance.NotFound)
	if got := entries(t, s, c.ID, 0); len(got) != 0 {
		t.Errorf("refused entries left %+v", got)
	}
}

// TestReadingDoesNotHoldUpWriting: an index is built from a stream of entries while
// others are added, and sees one state.
func TestReadingDoesNotHoldUpWriting(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCollection(t, s, "hashes", semblance.Hashes)
	must(s.AddEntries(t.Context(), c.ID, []semblance.HashEntry{entry(hashing.AlgorithmMD5, 1), entry(hashing.AlgorithmMD5, 2)}, event("e")))(t)
	seen := uint32(0)
	check(t, s.EachEntry(t.Context(), c.ID, 0, func(semblance.HashEntry) error {
		seen++
		must(s.AddEntries(t.Context(), c.ID, []semblance.HashEntry{entry(hashing.AlgorithmMD5, 10+seen)}, event("e")))(t)
		must(s.Entries(t.Context(), 1))(t)
		return nil
	}))
	if got := must(s.Collection(t.Context(), "hashes"))(t); seen != 2 || got.Entries != 4 {
		t.Errorf("saw %d, %+v", seen, got)
	}
}

func TestDeleteCollection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	c, other := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "others", semblance.Faces)
	noCrop := reference("r2", "Ann", "2")
	noCrop.Crop = nil
	secret := reference("r1", "Ann", "1")
	secret.Crop = bytes.Repeat([]byte("biometric secret "), 1000) // overflow pages too
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{secret, noCrop, reference("r3", "Bob", "1")}, event("e")))(t)
	must(s.AddReferences(t.Context(), other.ID, []semblance.Reference{reference("r4", "Ann", "2")}, event("e")))(t)
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	r := record("a", "one")
	r.Findings = findings("h", "faces", "g")
	commit(t, s, e, []semblance.CollectionID{c.ID}, r)

	got := must(s.DeleteCollection(t.Context(), "faces", event("collection.delete")))(t)
	// 3 references, 3 vectors, 2 crops, 2 subjects; media 2 is needed by the other.
	equal(t, "erasure", got, semblance.Erasure{Before: 10, After: 0, Objects: []semblance.SHA256{sum("1")}})
	_, err := s.Collection(t.Context(), "faces")
	refused(t, err, semblance.NotFound)
	_, err = s.References(t.Context(), "r1")
	refused(t, err, semblance.NotFound)
	if n := len(references(t, s, other.ID)); n != 1 {
		t.Errorf("the other collection has %d references", n)
	}
	equal(t, "findings stay", found(t, s, e.Case, "one"), findings("h", "faces", "g"))
	for _, name := range []string{store.DataFile, store.DataFile + "-wal"} {
		if text := must(os.ReadFile(filepath.Join(dir, name)))(t); bytes.Contains(text, []byte("biometric secret")) {
			t.Errorf("%s still holds the crop", name)
		}
	}
	last := must(s.AuditEvents(t.Context(), 0, 0))(t)
	if d := last[len(last)-1].Detail; d["before"] != 10.0 || d["after"] != 0.0 {
		t.Errorf("%v", d)
	}
	check(t, s.Check(t.Context()))

	h := makeCollection(t, s, "hashes", semblance.Hashes)
	must(s.AddEntries(t.Context(), h.ID, []semblance.HashEntry{entry(hashing.AlgorithmMD5, 1)}, event("e")))(t)
	before := entries(t, s, h.ID, 0)[0].ID
	got = must(s.DeleteCollection(t.Context(), "hashes", event("collection.delete")))(t)
	equal(t, "erasure", got, semblance.Erasure{Before: 1, After: 0, Objects: []semblance.SHA256{}})
	again := makeCollection(t, s, "hashes", semblance.Hashes)
	must(s.AddEntries(t.Context(), again.ID, []semblance.HashEntry{entry(hashing.AlgorithmMD5, 1)}, event("e")))(t)
	if id := entries(t, s, again.ID, 0)[0].ID; id <= before || again.ID == h.ID {
		t.Errorf("ids are used again: %d after %d", id, before)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, other := makeCase(t, s, "1"), makeCase(t, s, "2")
	b := semblance.Request{ID: "b", Case: c.ID, Actor: semblance.Actor{Name: "kim", Via: "cli"}, Probe: sum("p"), ProbeName: "p.jpg", Purpose: "x", Basis: "y",
		Collections: []string{"faces"}, Engine: semblance.DefaultEngine, Version: 1, Outcome: semblance.PotentialCandidate,
		Candidates: []semblance.Candidate{{Collection: "faces", Rank: 1, Distance: 0.25}}}
	a := b
	a.ID, a.Outcome, a.Reason, a.Candidates, a.Created = "a", semblance.Inconclusive, "too small", []semblance.Candidate{}, stamped()
	check(t, s.AddRequest(t.Context(), b, event("search")))
	check(t, s.AddRequest(t.Context(), a, event("search")))
	b.Created = stamped()
	equal(t, "requests", must(s.Requests(t.Context(), c.ID))(t), []semblance.Request{b, a})
	equal(t, "request", must(s.Request(t.Context(), "a"))(t), a)
	equal(t, "of another case", must(s.Requests(t.Context(), other.ID))(t), []semblance.Request{})
	refused(t, s.AddRequest(t.Context(), a, event("search")), semblance.Conflict)
	a.ID, a.Case = "c", "none"
	refused(t, s.AddRequest(t.Context(), a, event("search")), semblance.NotFound)
	refused(t, s.AddRequest(t.Context(), semblance.Request{Case: c.ID}, event("search")), semblance.Invalid)
	_, err := s.Request(t.Context(), "c")
	refused(t, err, semblance.NotFound)
	if events := must(s.AuditEvents(t.Context(), 0, 0))(t); len(events) != 4 {
		t.Errorf("%d events", len(events))
	}
}

func BenchmarkAddEntries100k(b *testing.B) {
	for b.Loop() {
		s := open(b, b.TempDir())
		c := makeCollection(b, s, "hashes", semblance.Hashes)
		for i := range uint32(10) {
			list := make([]semblance.HashEntry, 10_000)
			for j := range list {
				list[j] = entry(hashing.AlgorithmSHA1, i*10_000+uint32(j))
			}
			if n := must(s.AddEntries(b.Context(), c.ID, list, event("e")))(b); n != len(list) {
				b.Fatal(n)
			}
		}
	}
}
