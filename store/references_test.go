package store_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"semblance"
	"semblance/store"
)

// TestAnOlderFolderOpensWithNothingLost makes a folder as the version before ages and
// overrides did, and opens it.
func TestAnOlderFolderOpensWithNothingLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, folder := store.MigrationFiles()
	first := fstest.MapFS{"m/0001_first.sql": &fstest.MapFile{Data: must(fs.ReadFile(files, must(fs.Glob(files, folder+"/0001_*.sql"))(t)[0]))(t)}}
	check(t, store.Migrate(t.Context(), filepath.Join(dir, store.DataFile), first, "m"))
	raw(t, dir, `INSERT INTO collections (key, id, name, kind, owner, country, basis, handling, review, engine, engine_version, face_distance, pdq_distance, pdq_quality, hash_distance, created, version, subjects, entries)
		VALUES (1, 'c1', 'faces', 'faces', 'BKA', 'DE', 'law', '', '', 'yunet-mobilefacenet', 1, 0.55, 31, 50, 4, '2026-11-23T12:00:00.123456Z', 7, 1, 1);
		INSERT INTO subjects (key, id, collection_key, label) VALUES (1, 's1', 1, 'Ann');
		INSERT INTO subject_references (seq, id, collection_key, subject_key, source, sha256, type, face, embedding, engine, version, decoder, created)
		VALUES (5, 'r1', 1, 1, '1.jpg', zeroblob(32), 'image/jpeg', '{"box":{"x":0,"y":0,"w":1,"h":0},"score":0.9,"quality":50}', x'0000003f000000bf', 'yunet-mobilefacenet', 1, 'libjpeg', '2026-11-23T12:00:00.123456Z');
		INSERT INTO reference_crops (reference_seq, jpeg) VALUES (5, 'crop');`)
	s := open(t, dir)
	c := must(s.Collection(t.Context(), "faces"))(t)
	equal(t, "collection", c, semblance.Collection{ID: "c1", Name: "faces", Kind: semblance.Faces, Owner: "BKA", Country: "DE", Basis: "law", Engine: semblance.YuNetMobileFaceNet,
		EngineVersion: 1, FaceDistance: 0.55, PDQDistance: 31, PDQQuality: 50, HashDistance: 4, Created: stamped(), Version: 7, Subjects: 1, Entries: 1})
	want := reference("r1", "Ann", "1")
	want.SHA256, want.Collection, want.Created, want.Crop, want.Seq = semblance.SHA256{}, "c1", stamped(), nil, 5
	equal(t, "references", references(t, s, "c1"), []semblance.Reference{want})
	if crop := must(s.ReferenceCrop(t.Context(), "r1"))(t); string(crop) != "crop" {
		t.Errorf("%q", crop)
	}
	must(s.AddReferences(t.Context(), "c1", []semblance.Reference{reference("r2", "Ann", "2")}, event("e")))(t)
}

func TestWhatIsKnownOfAReferenceIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCollection(t, s, "faces", semblance.Faces)
	age := 0 // known, and not unknown
	r := reference("r1", "Ann", "1")
	r.Captured, r.CapturedFrom, r.Age, r.Note, r.LeftOut = "2019-05", semblance.CapturedStated, &age, "passport", "no face"
	r.Override = &semblance.Override{By: "kim", Why: "the only one", Against: []string{"small", "dark"}}
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{r, reference("r2", "Bob", "1")}, event("e")))(t)
	r.Collection, r.Created, r.Crop, r.Seq = c.ID, stamped(), nil, 1
	equal(t, "reference", references(t, s, c.ID)[0], r)
	if got := must(s.Collection(t.Context(), "faces"))(t); got.LeftOut != 1 || got.Entries != 2 {
		t.Errorf("%+v", got)
	}
	same := must(s.SameMedia(t.Context(), c.ID, sum("1")))(t)
	if len(same) != 2 || same[0].Subject != "Ann" || same[1].Subject != "Bob" || len(must(s.SameMedia(t.Context(), c.ID, sum("2")))(t)) != 0 {
		t.Errorf("%+v", same)
	}
}

func TestChangeCollection(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCollection(t, s, "faces", semblance.Faces)
	change := func(c *semblance.Collection) (from, to map[string]any) {
		was := c.EnrollQuality
		c.EnrollQuality, c.FaceDistance, c.PDQDistance, c.PDQQuality, c.HashDistance, c.PhotoDNADistance = 45.5, 0.61, 7, 8, 9, 10
		c.CategorySet = "x/1"
		c.Off = &semblance.Off{Until: "2027-01-31", Why: "w", By: "b", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		return map[string]any{"enroll_quality": was}, map[string]any{"enroll_quality": c.EnrollQuality}
	}
	want := c
	change(&want)
	equal(t, "changed", must(s.ChangeCollection(t.Context(), "faces", event("collection.set"), change))(t), want)
	equal(t, "stored", must(s.Collection(t.Context(), "faces"))(t), want)
	events := must(s.AuditEvents(t.Context(), 0, 0))(t)
	if last := events[len(events)-1]; last.Action != "collection.set" || last.Detail["from"].(map[string]any)["enroll_quality"] != 0.0 || last.Detail["to"].(map[string]any)["enroll_quality"] != 45.5 {
		t.Errorf("%+v", last)
	}
	_, err := s.ChangeCollection(t.Context(), "none", event("e"), change)
	refused(t, err, semblance.NotFound)
}

func TestRemoveReferencesCountsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	c, other := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "others", semblance.Faces)
	secret := reference("r1", "Ann", "1")
	secret.Crop = bytes.Repeat([]byte("biometric secret "), 1000)
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{secret, reference("r2", "Ann", "2"), reference("r3", "Bob", "1")}, event("e")))(t)
	must(s.AddReferences(t.Context(), other.ID, []semblance.Reference{reference("r4", "Ann", "2")}, event("e")))(t)
	must(s.BeginReenrollment(t.Context(), c.ID, toDlib(), event("e")))(t)
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(secret)}))

	for _, r := range []semblance.Removal{{Subject: "Eve"}, {IDs: []semblance.ReferenceID{"r1", "none"}}, {IDs: []semblance.ReferenceID{"r4"}}} {
		_, err := s.RemoveReferences(t.Context(), c.ID, r, event("e"))
		refused(t, err, semblance.NotFound)
	}
	if n := len(references(t, s, c.ID)); n != 3 {
		t.Fatalf("refused removals left %d references", n)
	}
	got := must(s.RemoveReferences(t.Context(), c.ID, semblance.Removal{IDs: []semblance.ReferenceID{"r1"}}, event("e")))(t)
	// A reference, its vector, its crop, and what is staged of it: row, vector and crop. Bob needs the media.
	equal(t, "one of two", got, semblance.Erasure{Before: 6, Objects: []semblance.SHA256{}, References: []semblance.ReferenceID{"r1"}})
	for _, name := range []string{store.DataFile, store.DataFile + "-wal"} {
		if text := must(os.ReadFile(filepath.Join(dir, name)))(t); bytes.Contains(text, []byte("biometric secret")) {
			t.Errorf("%s still holds the crop", name)
		}
	}
	got = must(s.RemoveReferences(t.Context(), c.ID, semblance.Removal{Subject: "Bob"}, event("e")))(t)
	equal(t, "the last of a subject", got, semblance.Erasure{Before: 4, Objects: []semblance.SHA256{sum("1")}, References: []semblance.ReferenceID{"r3"}})
	after := must(s.Collection(t.Context(), "faces"))(t)
	if after.Version != 4 || after.Subjects != 1 || after.Entries != 1 {
		t.Errorf("%+v", after)
	}
	events := must(s.AuditEvents(t.Context(), 0, 0))(t)
	if d := events[len(events)-1].Detail; d["before"] != 4.0 || d["after"] != 0.0 || !slices.Equal(d["references"].([]any), []any{"r3"}) {
		t.Errorf("%v", d)
	}
	if n := must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{secret}, event("e")))(t); n != 1 {
		t.Errorf("%d added again", n)
	}
	check(t, s.Check(t.Context()))
}

// TestASubjectIsFoundWithoutWalkingItsCollection holds the plan: a search asks for the
// references of a subject thousands of times.
func TestASubjectIsFoundWithoutWalkingItsCollection(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	plan := must(s.SubjectPlan(t.Context()))(t)
	if strings.Contains(plan, "subject_references_collection") || strings.Contains(plan, "SCAN") || !strings.Contains(plan, "subject_key=?") {
		t.Errorf("the plan walks the collection:\n%s", plan)
	}
}
