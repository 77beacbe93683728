package semblance_test

import (
	"math"
	"testing"

	"semblance"
	"semblance/hashing"
)

func TestDetectionRefusesWhatNoDetectorCan(t *testing.T) {
	t.Parallel()
	for _, d := range []semblance.Detection{{}, {MinFace: 8}, {MinFace: 10000}, {MinScore: 0.1}, {MinScore: 1}, {MinFace: 24, MinScore: 0.6}} {
		if err := d.Validate(); err != nil {
			t.Errorf("%+v: %v", d, err)
		}
	}
	nan := float32(math.NaN())
	for _, d := range []semblance.Detection{{MinFace: 7}, {MinFace: -1}, {MinFace: 10001}, {MinScore: 0.05}, {MinScore: 1.01}, {MinScore: -0.5}, {MinScore: nan}, {MinScore: float32(math.Inf(1))}} {
		err := d.Validate()
		if semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// TestFacesOfOtherSettingsAreNotTheAnswer examines a media again with other settings:
// the plan is another one, the picture is decoded again unless what is known has all that
// is asked for, and what it gave says how it was made.
func TestFacesOfOtherSettingsAreNotTheAnswer(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	b := picture{PDQ: somePDQ, Faces: [][]float32{{1}}}.bytes(t)
	x := r.examine(b, "g")
	prints := map[string]bool{}
	fine := semblance.Detection{MinFace: 24}
	for i, c := range []struct {
		d       semblance.Detection
		decoded bool
		kept    semblance.Detection // settings of the set that answers
	}{
		{semblance.Detection{}, false, semblance.Detection{}},
		{fine, true, fine},
		{fine, false, fine},
		{semblance.Detection{MinFace: 100}, false, fine}, // the fuller answer stands for the lesser one
		{semblance.Detection{}, false, fine},
		{semblance.Detection{MinFace: 16}, true, semblance.Detection{MinFace: 16}},
		{semblance.Detection{MinFace: 24, MinScore: 0.5}, true, semblance.Detection{MinFace: 24, MinScore: 0.5}},
		{semblance.Detection{}, true, semblance.Detection{}}, // a lower score let too many in
	} {
		plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g"}, Detection: c.d})
		if err != nil {
			t.Fatal(err)
		}
		prints[plan.Fingerprint] = true
		again, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &x.Media, r.file(b), "")
		if err != nil || again.Decoded != c.decoded {
			t.Errorf("step %d, %+v: decoded %v, %v", i, c.d, again.Decoded, err)
		}
		if set, ran := again.Media.Analysis.Faces(semblance.DefaultEngine); !ran || set.Detection != c.kept {
			t.Errorf("step %d: the face set says %+v, want %+v", i, set.Detection, c.kept)
		}
		x = again
	}
	if len(prints) != 5 {
		t.Errorf("%d fingerprints of five plans", len(prints))
	}
	_, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g"}, Detection: semblance.Detection{MinFace: 2}})
	wantCode(t, err, semblance.Invalid)
}

func TestASearchLooksForFacesAsAskedAndSaysSoInTheAudit(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{Detection: semblance.Detection{MinFace: 16, MinScore: 0.5}}, "g")
	if r.analyzer.asked.Detection != (semblance.Detection{MinFace: 16, MinScore: 0.5}) {
		t.Errorf("the analyzer was asked for %+v", r.analyzer.asked.Detection)
	}
	events, err := r.store.AuditEvents(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if ev := events[len(events)-1]; ev.Detail["min_face"] != 16.0 || ev.Detail["min_score"] != 0.5 {
		t.Errorf("the audit event says %v", ev.Detail)
	}
	_, err = r.search(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{Detection: semblance.Detection{MinScore: 2}}, "g")
	wantCode(t, err, semblance.Invalid)
}
