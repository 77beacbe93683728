package semblance_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// crowd enrolls n subjects, s0 at distance 0 from (1, 0), the others at right angles.
func (r *rig) crowd(n int) {
	r.t.Helper()
	for i := range n {
		v := make([]float32, i+1)
		v[i] = 1
		r.mustPut(picture{Faces: [][]float32{v}}, semblance.EnrollRequest{Subject: fmt.Sprintf("s%d", i)})
	}
}

func (r *rig) reenroll(req semblance.ReenrollRequest) (semblance.ReenrollResult, error) {
	r.t.Helper()
	req.Collection = "g"
	if req.Engine == "" {
		req.Engine = semblance.YuNetDlib
	}
	return r.Reenroll(r.t.Context(), tester, req)
}

func (r *rig) get(name string) semblance.Collection {
	r.t.Helper()
	c, err := r.Collections.Collection(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func TestReenrollSwitchesEngineOrChangesNothing(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	kept := r.mustPut(picture{Faces: [][]float32{{1, 0}}, Grades: []float32{10}}, semblance.EnrollRequest{Age: number(9), Note: "n", Force: true, Why: "the only one"}).Reference
	res, err := r.reenroll(semblance.ReenrollRequest{})
	if err != nil || !res.Switched || res.References != 1 || !strings.HasPrefix(res.From, "face/yunet-mobilefacenet-") || !strings.HasPrefix(res.To, "face/yunet-dlib-") {
		t.Fatalf("%+v, %v", res, err)
	}
	c := r.get("g")
	if c.Engine != semblance.YuNetDlib || c.FaceDistance != 0.5 {
		t.Fatalf("%+v", c)
	}
	refs, err := r.References.References(t.Context(), kept.ID)
	if err != nil || *refs[0].Age != 9 || refs[0].Note != "n" || refs[0].Override == nil || len(refs[0].Face.Labels) != 1 || len(refs[0].Face.Embedding) != 128 {
		t.Errorf("what is known of a reference is lost: %+v, %v", refs, err)
	}
	x := r.examine(picture{Faces: [][]float32{{1, 0}}}.bytes(t), "g")
	if len(x.Findings.Candidates) != 1 || x.Findings.Candidates[0].Engine != semblance.YuNetDlib || x.Findings.Candidates[0].Metric != semblance.Euclid {
		t.Errorf("after the switch: %+v", x.Findings.Candidates)
	}
	if res, err := r.reenroll(semblance.ReenrollRequest{}); err != nil || !res.Nothing || res.Switched || r.get("g") != c {
		t.Errorf("to the engine it has: %+v, %v", res, err)
	}
	r.missing[semblance.DlibHOG] = true
	_, err = r.reenroll(semblance.ReenrollRequest{Engine: semblance.DlibHOG})
	wantCode(t, err, semblance.Unavailable)
	_, err = r.reenroll(semblance.ReenrollRequest{Engine: "magic"})
	wantCode(t, err, semblance.Invalid)
	if after := r.get("g"); after != c {
		t.Errorf("a failed reenroll changed %+v to %+v", c, after)
	}
}

func TestReenrollAnEmptyCollection(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.collection("h", semblance.Hashes)
	if res, err := r.reenroll(semblance.ReenrollRequest{}); err != nil || !res.Switched || r.get("g").Engine != semblance.YuNetDlib {
		t.Errorf("%+v, %v", res, err)
	}
	_, err := r.Reenroll(t.Context(), tester, semblance.ReenrollRequest{Collection: "h"})
	wantCode(t, err, semblance.Invalid)
	_, err = r.Reenroll(t.Context(), tester, semblance.ReenrollRequest{Collection: "none"})
	wantCode(t, err, semblance.NotFound)
	wantCode(t, r.AbandonReenroll(t.Context(), tester, "g"), semblance.NotFound)
}

// TestACollectionIsSearchedAndChangedWhileItIsEnrolledAgain does both after the first
// batch, and everything must have been caught up at the switch.
func TestACollectionIsSearchedAndChangedWhileItIsEnrolledAgain(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.crowd(40)
	probe := picture{Faces: [][]float32{{1, 0}}, Salt: "probe"}
	steps := 0
	res, err := r.reenroll(semblance.ReenrollRequest{Lanes: 3, Progress: func(now semblance.Reenrollment) {
		if steps++; steps > 1 {
			return
		}
		if now.Staged != 32 || now.References != 40 {
			t.Errorf("the first step is %+v", now)
		}
		found := r.mustSearch(probe, semblance.Terms{}, "g").Request.Candidates
		if len(found) != 1 || found[0].Engine != semblance.DefaultEngine || found[0].Subject != "s0" {
			t.Errorf("meanwhile: %+v", found)
		}
		r.mustPut(picture{Faces: [][]float32{at(0.1)}}, semblance.EnrollRequest{Subject: "late"})
		for _, gone := range []string{"s0", "s39"} {
			if _, err := r.RemoveReferences(t.Context(), tester, "g", semblance.Removal{Subject: gone}); err != nil {
				t.Error(err)
			}
		}
		if shown, err := r.Reenrollment(t.Context(), r.get("g").ID); err != nil || shown.Engine != semblance.YuNetDlib || shown.By != tester {
			t.Errorf("%+v, %v", shown, err)
		}
		_, err := r.reenroll(semblance.ReenrollRequest{})
		wantCode(t, err, semblance.Conflict)
		wantCode(t, r.AbandonReenroll(t.Context(), tester, "g"), semblance.Conflict)
	}})
	if err != nil || !res.Switched || res.References != 39 {
		t.Fatalf("%+v, %v", res, err)
	}
	found := r.mustSearch(probe, semblance.Terms{}, "g").Request.Candidates
	if len(found) != 1 || found[0].Engine != semblance.YuNetDlib || found[0].Subject != "late" {
		t.Errorf("after the switch: %+v", found)
	}
	if moving, err := r.Reenrollment(t.Context(), r.get("g").ID); moving != nil || err != nil {
		t.Errorf("%+v, %v", moving, err)
	}
}

func TestAReenrollmentThatWasInterruptedMakesOnlyTheRest(t *testing.T) {
	r := newRig(t)
	c := r.collection("g", semblance.Faces)
	r.crowd(40)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Reenroll(ctx, tester, semblance.ReenrollRequest{Collection: "g", Engine: semblance.YuNetDlib, Progress: func(semblance.Reenrollment) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if after := r.get("g"); after.Engine != c.Engine {
		t.Fatalf("%+v", after)
	}
	_, err = r.reenroll(semblance.ReenrollRequest{Engine: semblance.DlibHOG})
	wantCode(t, err, semblance.Conflict)
	before := r.analyzer.decoded
	res, err := r.reenroll(semblance.ReenrollRequest{})
	if err != nil || res.Kept != 32 || r.analyzer.decoded-before != 8 || !res.Switched {
		t.Errorf("%+v, %d decoded, %v", res, r.analyzer.decoded-before, err)
	}
}

func TestReferencesThatCannotBeMadeAgainAreNamedAndStay(t *testing.T) {
	r := newRig(t)
	c := r.collection("g", semblance.Faces)
	r.mustPut(picture{Faces: [][]float32{{1, 0}}}, semblance.EnrollRequest{Subject: "ann", Source: "a.jpg"})
	r.mustPut(picture{Faces: [][]float32{{0, 1}}, Second: [][]float32{}}, semblance.EnrollRequest{Subject: "bob", Source: "b.jpg"})
	r.mustPut(picture{Faces: [][]float32{{0, 0, 1}}, Second: [][]float32{{0}}}, semblance.EnrollRequest{Subject: "eve", Source: "e.jpg"})
	lost := r.mustPut(picture{Faces: [][]float32{{0, 0, 0, 1}}}, semblance.EnrollRequest{Subject: "joe", Source: "j.jpg"}).Reference
	if err := r.Objects.Delete(t.Context(), lost.SHA256); err != nil {
		t.Fatal(err)
	}
	res, err := r.reenroll(semblance.ReenrollRequest{})
	wantCode(t, err, semblance.Invalid)
	why := map[string]string{}
	for _, b := range res.LeftOut {
		why[b.Subject+" "+b.Source] = b.Reason
	}
	if len(why) != 3 || !strings.Contains(why["bob b.jpg"], "finds no face where the enrolled one is") || !strings.Contains(why["eve e.jpg"], "makes no embedding of this face") || why["joe j.jpg"] == "" {
		t.Errorf("%+v", res.LeftOut)
	}
	if after := r.get("g"); after.Engine != c.Engine || after.LeftOut != 0 {
		t.Fatalf("it was switched all the same: %+v", after)
	}

	res, err = r.reenroll(semblance.ReenrollRequest{LeaveOut: true})
	if err != nil || !res.Switched || len(res.LeftOut) != 3 || res.Kept != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	after := r.get("g")
	if after.Engine != semblance.YuNetDlib || after.Entries != 4 || after.LeftOut != 3 {
		t.Errorf("%+v", after)
	}
	found := r.mustSearch(picture{Faces: [][]float32{{1, 0}}, Salt: "probe"}, semblance.Terms{}, "g")
	if cands := found.Request.Candidates; len(cands) != 1 || cands[0].Subject != "ann" {
		t.Errorf("%+v", cands)
	}
	if len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0], "3 of the 4 references of collection g are not searched") {
		t.Errorf("a search does not say what it cannot find: %q", found.Warnings)
	}
	// Going back makes them searchable again: nothing was lost but joe's original.
	res, err = r.reenroll(semblance.ReenrollRequest{Engine: semblance.DefaultEngine, LeaveOut: true})
	if err != nil || len(res.LeftOut) != 1 || res.LeftOut[0].Subject != "joe" || r.get("g").LeftOut != 1 {
		t.Errorf("%+v, %v", res, err)
	}
	if found := r.mustSearch(picture{Faces: [][]float32{{0, 1}}, Salt: "probe"}, semblance.Terms{}, "g").Request.Candidates; len(found) != 1 || found[0].Subject != "bob" {
		t.Errorf("%+v", found)
	}
}

// TestASwitchEndsAScanThatBeganBefore: the new engine's vectors have as many numbers
// as the old one's, and must not be compared with them.
func TestASwitchEndsAScanThatBeganBefore(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces, func(c *semblance.Collection) { c.Engine = semblance.YuNetDlib })
	r.mustPut(picture{Faces: [][]float32{{1, 0}}}, semblance.EnrollRequest{})
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.reenroll(semblance.ReenrollRequest{Engine: semblance.DlibHOG}); err != nil {
		t.Fatal(err)
	}
	b := picture{Faces: [][]float32{{1, 0}}, Salt: "item"}.bytes(t)
	for range 2 { // the index must not have taken over the other engine's vectors either
		x, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), nil, r.file(b), "")
		wantCode(t, err, semblance.ModelMismatch)
		if len(x.Findings.Candidates) != 0 {
			t.Errorf("%+v", x.Findings.Candidates)
		}
	}
	if x := r.examine(b, "g"); len(x.Findings.Candidates) != 1 || x.Findings.Candidates[0].Engine != semblance.DlibHOG {
		t.Errorf("a new plan: %+v", x.Findings.Candidates)
	}
}

func TestAnAbandonedReenrollmentLeavesTheCollectionAsItWas(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.mustPut(picture{Faces: [][]float32{{0, 1}}, Second: [][]float32{}}, semblance.EnrollRequest{})
	before := r.get("g")
	_, err := r.reenroll(semblance.ReenrollRequest{})
	wantCode(t, err, semblance.Invalid)
	if err := r.AbandonReenroll(t.Context(), tester, "g"); err != nil || r.lastEvent().Action != "collection.reenroll.abandon" {
		t.Fatalf("%v, %+v", err, r.lastEvent())
	}
	if after := r.get("g"); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	if moving, err := r.Reenrollment(t.Context(), before.ID); moving != nil || err != nil {
		t.Errorf("%+v, %v", moving, err)
	}
}
