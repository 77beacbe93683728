package store_test

import (
	"slices"
	"testing"

	"semblance"
)

// toDlib is a re-enrollment to another engine.
func toDlib() semblance.Reenrollment {
	return semblance.Reenrollment{Engine: semblance.YuNetDlib, Version: 3, Distance: 0.6, By: semblance.Actor{Name: "kim", Via: "cli"}}
}

// again is a reference as toDlib's engine has it.
func again(r semblance.Reference) semblance.Reference {
	r.Engine, r.Version, r.Decoder, r.Crop = semblance.YuNetDlib, 3, "another", []byte("new crop of "+r.ID)
	r.Face.Embedding, r.Face.Quality = []float32{0.25, 1, 2}, 60
	return r
}

func without(r semblance.Reference, why string) semblance.Reference {
	r = again(r)
	r.LeftOut, r.Crop, r.Face.Embedding = why, nil, nil
	return r
}

func TestASwitchTakesAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCollection(t, s, "faces", semblance.Faces)
	r1, r2, r3 := reference("r1", "Ann", "1"), reference("r2", "Bob", "2"), reference("r3", "Bob", "3")
	r2.Captured, r2.CapturedFrom = "2019", semblance.CapturedStated
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{r1, r2}, event("e")))(t)
	before := references(t, s, c.ID)
	now := must(s.BeginReenrollment(t.Context(), c.ID, toDlib(), event("begin")))(t)
	want := toDlib()
	want.Started, want.References = stamped(), 2
	equal(t, "begun", now, want)

	if list := must(s.Unstaged(t.Context(), c.ID, 1))(t); len(list) != 1 || list[0].ID != "r1" {
		t.Errorf("%+v", list)
	}
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(r1), again(reference("gone", "Eve", "9"))}))
	equal(t, "while it goes on", references(t, s, c.ID), before)
	_, err := s.EndReenrollment(t.Context(), c.ID, semblance.SwitchLeavingOut, event("e"))
	refused(t, err, semblance.Busy)

	// One is added meanwhile, and one cannot be made.
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{r3}, event("e")))(t)
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{without(r2, "no face")}))
	_, err = s.EndReenrollment(t.Context(), c.ID, semblance.SwitchLeavingOut, event("e"))
	refused(t, err, semblance.Busy)
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(r3)}))
	out, err := s.EndReenrollment(t.Context(), c.ID, semblance.SwitchWhole, event("e"))
	refused(t, err, semblance.Invalid)
	if len(out) != 1 || out[0].ID != "r2" || out[0].Subject != "Bob" || out[0].LeftOut != "no face" {
		t.Errorf("%+v", out)
	}
	want.References, want.Staged, want.LeftOut = 3, 3, 1
	equal(t, "nothing has changed", must(s.Reenrollment(t.Context(), c.ID))(t), want)

	out = must(s.EndReenrollment(t.Context(), c.ID, semblance.SwitchLeavingOut, event("switch")))(t)
	after := must(s.Collection(t.Context(), "faces"))(t)
	wantC := c
	wantC.Engine, wantC.EngineVersion, wantC.FaceDistance, wantC.Version, wantC.Subjects, wantC.Entries, wantC.LeftOut = semblance.YuNetDlib, 3, 0.6, 4, 2, 3, 1
	equal(t, "collection", after, wantC)
	list := references(t, s, c.ID)
	if len(out) != 1 || len(list) != 3 || list[1].LeftOut != "no face" || list[1].Face.Embedding != nil || list[1].Engine != semblance.YuNetDlib || list[1].Captured != "2019" {
		t.Fatalf("left out %+v, references %+v", out, list)
	}
	first := again(r1)
	first.Collection, first.Seq, first.Created, first.Crop = c.ID, before[0].Seq, stamped(), nil
	equal(t, "switched", list[0], first)
	for id, crop := range map[semblance.ReferenceID]string{"r1": "new crop of r1", "r2": "crop of r2", "r3": "new crop of r3"} {
		if got := must(s.ReferenceCrop(t.Context(), id))(t); string(got) != crop {
			t.Errorf("%s has %q", id, got)
		}
	}
	_, err = s.Reenrollment(t.Context(), c.ID)
	refused(t, err, semblance.NotFound)
	events := must(s.AuditEvents(t.Context(), 0, 0))(t)
	if last := events[len(events)-1]; last.Action != "switch" || last.Detail["references"] != 3.0 || !slices.Equal(last.Detail["left_out"].([]any), []any{"r2"}) {
		t.Errorf("%+v", last)
	}
	check(t, s.Check(t.Context()))
}

func TestAReenrollmentGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	c := makeCollection(t, s, "faces", semblance.Faces)
	r1, r2 := reference("r1", "Ann", "1"), reference("r2", "Bob", "2")
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{r1, r2}, event("e")))(t)
	must(s.BeginReenrollment(t.Context(), c.ID, toDlib(), event("e")))(t)
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(r1), without(r2, "it was dark")}))
	check(t, s.Close())
	s = open(t, dir)

	other := toDlib()
	other.Engine = semblance.DlibHOG
	_, err := s.BeginReenrollment(t.Context(), c.ID, other, event("e"))
	refused(t, err, semblance.Conflict)
	now := must(s.BeginReenrollment(t.Context(), c.ID, toDlib(), event("e")))(t)
	list := must(s.Unstaged(t.Context(), c.ID, 9))(t)
	if now.Staged != 1 || len(list) != 1 || list[0].ID != "r2" {
		t.Errorf("what is made stays, and what was left out is tried again: %+v, %+v", now, list)
	}
	newer := toDlib()
	newer.Version = 4
	if now = must(s.BeginReenrollment(t.Context(), c.ID, newer, event("e")))(t); now.Staged != 0 || now.Version != 4 {
		t.Errorf("another version of the engine begins anew: %+v", now)
	}
	refused(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(r1)}), semblance.ModelMismatch)
	must(s.EndReenrollment(t.Context(), c.ID, semblance.Abandon, event("e")))(t)
	refused(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(r1)}), semblance.NotFound)
	_, err = s.EndReenrollment(t.Context(), c.ID, semblance.Abandon, event("e"))
	refused(t, err, semblance.NotFound)
	if got := must(s.Collection(t.Context(), "faces"))(t); got.Engine != semblance.YuNetMobileFaceNet || got.Version != 2 {
		t.Errorf("%+v", got)
	}
}

func TestDeletingACollectionErasesWhatIsStaged(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, h := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "hashes", semblance.Hashes)
	must(s.AddReferences(t.Context(), c.ID, []semblance.Reference{reference("r1", "Ann", "1")}, event("e")))(t)
	must(s.BeginReenrollment(t.Context(), c.ID, toDlib(), event("e")))(t)
	check(t, s.Stage(t.Context(), c.ID, []semblance.Reference{again(reference("r1", "Ann", "1"))}))
	// Reference, vector, crop, subject; re-enrollment; staged row, vector and crop.
	if e := must(s.DeleteCollection(t.Context(), "faces", event("e")))(t); e.Before != 8 || e.After != 0 {
		t.Errorf("%+v", e)
	}
	_, err := s.BeginReenrollment(t.Context(), h.ID, toDlib(), event("e"))
	refused(t, err, semblance.Invalid)
	_, err = s.BeginReenrollment(t.Context(), "none", toDlib(), event("e"))
	refused(t, err, semblance.NotFound)
}
