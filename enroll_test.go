package semblance_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// put enrolls a picture in collection g.
func (r *rig) put(p picture, req semblance.EnrollRequest) (semblance.Enrollment, error) {
	r.t.Helper()
	req.Collection, req.File = "g", r.file(p.bytes(r.t))
	if req.Subject == "" {
		req.Subject = "ann"
	}
	return r.Enroll(r.t.Context(), tester, req)
}

func (r *rig) mustPut(p picture, req semblance.EnrollRequest) semblance.Enrollment {
	r.t.Helper()
	got, err := r.put(p, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// lastEvent returns the newest audit event.
func (r *rig) lastEvent() semblance.AuditEvent {
	r.t.Helper()
	events, err := r.store.AuditEvents(r.t.Context(), 0, 0)
	if err != nil || len(events) == 0 {
		r.t.Fatalf("%d events, %v", len(events), err)
	}
	return events[len(events)-1]
}

func number(n int) *int { return &n }

func TestTheGateRefusesWithReasonsAndAnOverrideIsKept(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces, func(c *semblance.Collection) { c.EnrollQuality = 45 })
	poor := picture{Faces: [][]float32{{1}}, Grades: []float32{44.9}}
	_, err := r.put(poor, semblance.EnrollRequest{})
	wantCode(t, err, semblance.EnrollmentRefused)
	var gate *semblance.GateError
	if !errors.As(err, &gate) || len(gate.Refusals) != 1 || gate.Refusals[0].Rule != semblance.RuleQuality || gate.Refusals[0].Final ||
		gate.Components == nil || gate.Components.Sharpness != 12 || !slices.Equal(gate.Reasons, []string{"blurred"}) {
		t.Fatalf("%+v", gate)
	}
	for _, say := range []string{"quality 44 of 100, 45 is needed", "blurred", "lowest: sharpness 12, yaw 40, inter-eye distance 90"} {
		if !strings.Contains(err.Error(), say) {
			t.Errorf("%q does not say %q", err, say)
		}
	}
	if c, err := r.Collections.Collection(t.Context(), "g"); err != nil || c.Entries != 0 {
		t.Fatalf("a refused picture left %d references, %v", c.Entries, err)
	}

	for name, req := range map[string]semblance.EnrollRequest{"no reason": {Force: true}, "blanks": {Force: true, Why: " "}, "a reason alone": {Why: "because"}} {
		if _, err := r.put(poor, req); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	got := r.mustPut(poor, semblance.EnrollRequest{Force: true, Why: "the only picture"})
	ev := r.lastEvent()
	if o := got.Reference.Override; o == nil || o.By != tester.Name || o.Why != "the only picture" || len(o.Against) != 1 || !strings.Contains(o.Against[0], "blurred") {
		t.Errorf("%+v", o)
	}
	if ev.Action != "collection.enroll" || ev.Actor != tester || ev.Detail["forced"] != true || ev.Detail["why"] != "the only picture" || ev.Detail["against"] == nil || ev.Detail["quality"] == nil {
		t.Errorf("%+v", ev)
	}
	kept, err := r.References.References(t.Context(), got.Reference.ID)
	if err != nil || kept[0].Override == nil || kept[0].Override.Why != "the only picture" {
		t.Errorf("%+v, %v", kept, err)
	}
	good := r.mustPut(picture{Faces: [][]float32{{0, 1}}, Grades: []float32{45}}, semblance.EnrollRequest{Subject: "bob", Force: true, Why: "all of them"})
	if good.Reference.Override != nil || r.lastEvent().Detail["forced"] != false {
		t.Errorf("an override that was not needed was kept: %+v", good.Reference.Override)
	}
}

func TestTheGateCanBeChanged(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.collection("h", semblance.Hashes)
	soft := picture{Faces: [][]float32{{1}}, Grades: []float32{30}}
	r.mustPut(soft, semblance.EnrollRequest{})
	for _, q := range []float32{19, 101, -1} {
		if _, err := r.ChangeCollection(t.Context(), tester, "g", semblance.CollectionChange{EnrollQuality: &q}); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("a gate of %v: %v", q, err)
		}
	}
	gate := semblance.CollectionChange{EnrollQuality: new(float32(31))}
	if c, err := r.ChangeCollection(t.Context(), tester, "g", gate); err != nil || c.EnrollQuality != 31 || r.lastEvent().Detail["to"].(map[string]any)["enroll_quality"] != 31.0 {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err := r.put(picture{Faces: [][]float32{{1}}, Grades: []float32{30}, Salt: "2"}, semblance.EnrollRequest{})
	wantCode(t, err, semblance.EnrollmentRefused)
	if got := r.mustPut(soft, semblance.EnrollRequest{}); got.Added || got.Reference.Subject != "ann" {
		t.Errorf("what is there stays: %+v", got)
	}
	_, err = r.ChangeCollection(t.Context(), tester, "h", gate)
	wantCode(t, err, semblance.Invalid)
	_, err = r.CreateCollection(t.Context(), tester, semblance.Collection{Name: "x", Kind: semblance.Hashes, Owner: "o", Country: "NL", Basis: "b", EnrollQuality: 30})
	wantCode(t, err, semblance.Invalid)
}

func TestAPictureIsNotTwoPersons(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	same := picture{Faces: [][]float32{{1}, {0, 1}}}
	r.mustPut(same, semblance.EnrollRequest{Subject: "ann", Face: number(0)})
	_, err := r.put(same, semblance.EnrollRequest{Subject: "bob", Face: number(0)})
	wantCode(t, err, semblance.EnrollmentRefused)
	if !strings.Contains(err.Error(), `already enrolled as "ann"`) {
		t.Errorf("%v", err)
	}
	if got := r.mustPut(same, semblance.EnrollRequest{Subject: "bob", Face: number(1)}); len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], `another face of this picture is enrolled as "ann"`) {
		t.Errorf("the other face of the picture is somebody else's: %+v", got.Warnings)
	}
	got := r.mustPut(same, semblance.EnrollRequest{Subject: "eve", Face: number(0), Force: true, Why: "ann is an alias"})
	if got.Reference.Override == nil || !got.Added {
		t.Errorf("%+v", got)
	}
	_, err = r.put(same, semblance.EnrollRequest{Subject: "ann", Face: number(1)})
	wantCode(t, err, semblance.Invalid) // ann is enrolled with face 0
	if got := r.mustPut(same, semblance.EnrollRequest{Subject: "ann", Note: "new"}); got.Added || len(got.Warnings) != 1 {
		t.Errorf("what is stated of an enrolled picture is not dropped in silence: %+v", got)
	}
}

func TestANearSubjectIsAWarningAndNoRefusal(t *testing.T) {
	r := newRig(t)
	c := r.collection("g", semblance.Faces)
	r.mustPut(picture{Faces: [][]float32{{1, 0}}}, semblance.EnrollRequest{Subject: "ann"})
	r.mustPut(picture{Faces: [][]float32{at(0.1)}}, semblance.EnrollRequest{Subject: "ann"})
	if got := r.mustPut(picture{Faces: [][]float32{{1, 0}}, Salt: "again"}, semblance.EnrollRequest{Subject: "ann"}); len(got.Warnings) != 0 {
		t.Errorf("a person is near to herself: %q", got.Warnings)
	}
	got := r.mustPut(picture{Faces: [][]float32{at(c.FaceDistance)}}, semblance.EnrollRequest{Subject: "bob"})
	if !got.Added || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], `from subject "ann"`) {
		t.Errorf("%+v", got)
	}
	if got := r.mustPut(picture{Faces: [][]float32{{0, 0, 1}}}, semblance.EnrollRequest{Subject: "eve"}); len(got.Warnings) != 0 {
		t.Errorf("nobody is near: %q", got.Warnings)
	}
}

func TestWhatCannotBeComparedIsNeverEnrolled(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	for name, p := range map[string]picture{"not a number": {Faces: [][]float32{{1}}, Broken: []int{0}}, "zeros": {Faces: [][]float32{{0}}}, "none": {Faces: [][]float32{{}}}} {
		_, err := r.put(p, semblance.EnrollRequest{Force: true, Why: "it must go in"})
		var gate *semblance.GateError
		if !errors.As(err, &gate) || gate.Refusals[0].Rule != semblance.RuleEmbedding || !gate.Refusals[0].Final {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDateAndAgeAtCapture(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	n := 0
	for name, c := range map[string]struct {
		taken    string
		req      semblance.EnrollRequest
		captured string
		from     semblance.CaptureSource
		age      int // -1 unknown
		warns    bool
	}{
		"nothing is known":             {"", semblance.EnrollRequest{}, "", "", -1, false},
		"the camera says":              {"2019-05-04T10:11:12+02:00", semblance.EnrollRequest{}, "2019-05-04", semblance.CapturedExif, -1, false},
		"a person says better":         {"2019-05-04T10:11:12", semblance.EnrollRequest{Captured: "2018"}, "2018", semblance.CapturedStated, -1, false},
		"the camera's clock is wrong":  {"2099-01-01T00:00:00", semblance.EnrollRequest{}, "", "", -1, true},
		"the camera has no clock":      {"1601-01-01T00:00:00", semblance.EnrollRequest{}, "", "", -1, true},
		"an age alone":                 {"", semblance.EnrollRequest{Age: number(0)}, "", "", 0, false},
		"born and captured":            {"", semblance.EnrollRequest{Captured: "2019-05-04", Born: "2001-05-05"}, "2019-05-04", semblance.CapturedStated, 17, false},
		"on the birthday":              {"2019-05-04T10:11:12", semblance.EnrollRequest{Born: "2001-05-04"}, "2019-05-04", semblance.CapturedExif, 18, false},
		"years only: the least it is":  {"", semblance.EnrollRequest{Captured: "2019", Born: "2001"}, "2019", semblance.CapturedStated, 17, false},
		"in the year of birth":         {"", semblance.EnrollRequest{Captured: "2019", Born: "2019"}, "2019", semblance.CapturedStated, 0, false},
		"an age that fits both":        {"", semblance.EnrollRequest{Captured: "2019", Born: "2001", Age: number(18)}, "2019", semblance.CapturedStated, 18, false},
		"an age, and a birth to spare": {"", semblance.EnrollRequest{Born: "2001", Age: number(30)}, "", "", 30, false},
	} {
		n++
		c.req.Subject = name
		v := make([]float32, n)
		v[n-1] = 1
		got := r.mustPut(picture{Faces: [][]float32{v}, Taken: c.taken}, c.req)
		ref, err := r.References.References(t.Context(), got.Reference.ID)
		if err != nil {
			t.Fatal(err)
		}
		age := -1
		if ref[0].Age != nil {
			age = *ref[0].Age
		}
		if ref[0].Captured != c.captured || ref[0].CapturedFrom != c.from || age != c.age || (len(got.Warnings) > 0) != c.warns {
			t.Errorf("%s: captured %q from %q, age %d, warnings %q", name, ref[0].Captured, ref[0].CapturedFrom, age, got.Warnings)
		}
		labeled := slices.ContainsFunc(ref[0].Face.Labels, func(l string) bool { return strings.HasPrefix(l, "child by declared age") })
		if labeled != (c.age >= 0 && c.age < 18) {
			t.Errorf("%s: labels %q", name, ref[0].Face.Labels)
		}
	}
}

func TestDatesAndAgesThatCannotBe(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	p := picture{Faces: [][]float32{{1}}}
	for name, req := range map[string]semblance.EnrollRequest{
		"captured in the future": {Captured: "2099"}, "captured last summer": {Captured: "last summer"}, "captured on no day": {Captured: "2019-02-30"},
		"captured before photography": {Captured: "1799"}, "of 200 years": {Age: number(200)}, "of less than none": {Age: number(-1)},
		"born in the future": {Born: "2099", Captured: "2019"}, "born after the picture": {Born: "2020", Captured: "2019"},
		"200 when it was taken": {Born: "1819", Captured: "2019"}, "an age of another": {Born: "2001", Captured: "2019", Age: number(30)},
		"born, and nothing else": {Born: "2001"}, "born somewhere": {Born: "Oslo", Captured: "2019"},
	} {
		if _, err := r.put(p, req); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c, err := r.Collections.Collection(t.Context(), "g"); err != nil || c.Entries != 0 {
		t.Errorf("%d references were enrolled all the same, %v", c.Entries, err)
	}
}

func TestRemovedReferencesAreGoneAndCanComeBack(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	shared := picture{Faces: [][]float32{{1, 0}, {0, 1}}}
	ann := r.mustPut(shared, semblance.EnrollRequest{Subject: "ann", Face: number(0)}).Reference
	annToo := r.mustPut(picture{Faces: [][]float32{at(0.1)}}, semblance.EnrollRequest{Subject: "ann"}).Reference
	r.mustPut(shared, semblance.EnrollRequest{Subject: "bob", Face: number(1)})
	probe := picture{Faces: [][]float32{{1, 0}}, Salt: "probe"}
	nearest := func() semblance.ReferenceID {
		t.Helper()
		if cands := r.mustSearch(probe, semblance.Terms{}, "g").Request.Candidates; len(cands) > 0 {
			return cands[0].Reference
		}
		return ""
	}
	if nearest() != ann.ID {
		t.Fatal("the reference is not found before it is removed")
	}
	for name, c := range map[string]struct {
		collection string
		removal    semblance.Removal
		want       semblance.Code
	}{
		"nothing named": {"g", semblance.Removal{}, semblance.Invalid}, "both named": {"g", semblance.Removal{Subject: "ann", IDs: []semblance.ReferenceID{ann.ID}}, semblance.Invalid},
		"no such subject": {"g", semblance.Removal{Subject: "eve"}, semblance.NotFound}, "no such reference": {"g", semblance.Removal{IDs: []semblance.ReferenceID{"x"}}, semblance.NotFound},
		"no such collection": {"none", semblance.Removal{Subject: "ann"}, semblance.NotFound},
	} {
		if _, err := r.RemoveReferences(t.Context(), tester, c.collection, c.removal); semblance.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone, err := r.RemoveReferences(t.Context(), tester, "g", semblance.Removal{IDs: []semblance.ReferenceID{ann.ID}})
	if err != nil || gone.Before == 0 || gone.After != 0 || len(gone.Objects) != 0 || nearest() != annToo.ID {
		t.Fatalf("%+v, %v, nearest is now %s", gone, err, nearest())
	}
	if o, err := r.Objects.Open(t.Context(), ann.SHA256); err != nil {
		t.Errorf("bob's original is gone: %v", err)
	} else {
		o.Close()
	}
	gone, err = r.RemoveReferences(t.Context(), tester, "g", semblance.Removal{Subject: "ann"})
	if err != nil || !slices.Equal(gone.Objects, []semblance.SHA256{annToo.SHA256}) || nearest() != "" {
		t.Fatalf("%+v, %v, nearest is now %s", gone, err, nearest())
	}
	if _, err := r.Objects.Open(t.Context(), annToo.SHA256); semblance.CodeOf(err) != semblance.NotFound {
		t.Errorf("the original is still there: %v", err)
	}
	if got := r.mustPut(shared, semblance.EnrollRequest{Subject: "ann", Face: number(0)}); !got.Added || nearest() != ann.ID {
		t.Errorf("enrolling again: %+v", got)
	}
	if c, err := r.Collections.Collection(t.Context(), "g"); err != nil || c.Subjects != 2 || c.Entries != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}
