package semblance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// TestRateOfIsClopperAndPearsons compares with the binomial distribution summed term by
// term: at each end of the interval, what was seen or more extreme has 2.5%.
func TestRateOfIsClopperAndPearsons(t *testing.T) {
	t.Parallel()
	binomial := func(n, k int, p float64) float64 {
		lc, _ := math.Lgamma(float64(n + 1))
		a, _ := math.Lgamma(float64(k + 1))
		b, _ := math.Lgamma(float64(n - k + 1))
		return math.Exp(lc - a - b + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	}
	for _, n := range []int{1, 7, 134, 2000} {
		for _, k := range []int{0, 1, 5, n / 2, n - 1, n} {
			if k < 0 || k > n {
				continue
			}
			r := semblance.RateOf(float64(k), float64(n))
			if r.Value != float64(k)/float64(n) || r.Low > r.Value || r.High < r.Value {
				t.Fatalf("%d of %d: %+v", k, n, r)
			}
			var upto, from float64
			for i := 0; i <= k; i++ {
				upto += binomial(n, i, r.High)
			}
			for i := k; i <= n; i++ {
				from += binomial(n, i, r.Low)
			}
			if k < n && math.Abs(upto-0.025) > 1e-6 || k > 0 && math.Abs(from-0.025) > 1e-6 || k == 0 && r.Low != 0 || k == n && r.High != 1 {
				t.Errorf("%d of %d: %+v leaves %g and %g outside", k, n, r, from, upto)
			}
		}
	}
	if r := semblance.RateOf(0, 0); r.Low != 0 || r.High != 1 {
		t.Errorf("no trials say nothing, not %+v", r)
	}
}

// searches makes non-mated searches of so many subjects, with an exponential tail.
func searches(subjects, each int, quality float32) []semblance.NonMatedSearch {
	var out []semblance.NonMatedSearch
	for s := range subjects {
		for k := range each {
			out = append(out, semblance.NonMatedSearch{Subject: fmt.Sprint(s), Quality: quality, Distance: semblance.RoundDistance(0.8 + 0.05*math.Log((float64(s)+0.5)/float64(subjects)) + 0.0001*float64(k))})
		}
	}
	return out
}

func TestLevelsAreWhatTheDataCarries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		subjects, each     int
		measured, furthest int // the rarest level, measured and with extrapolation
	}{
		{50, 1, 5, 5}, {200, 1, 20, 200}, {200, 30, 20, 200}, {2000, 1, 200, 2000}, {10_000, 1, 1000, 10_000},
	} {
		bins := semblance.FitCalibration(int64(tt.subjects), searches(tt.subjects, tt.each, 90))
		b := bins[len(bins)-1]
		measured, furthest := 0, 0
		for i, l := range b.Levels {
			furthest = l.OneIn
			if !l.Extrapolated {
				measured = l.OneIn
			}
			if l.Rate.High > 1/float64(l.OneIn)+1e-9 || l.Rate.Low > l.Rate.Value || l.Rate.Value > l.Rate.High {
				t.Errorf("%d subjects: 1 in %d has the rate %+v", tt.subjects, l.OneIn, l.Rate)
			}
			if i > 0 && (l.Distance > b.Levels[i-1].Distance || b.Levels[i-1].Extrapolated && !l.Extrapolated) {
				t.Errorf("%d subjects: 1 in %d at %.4f after %.4f", tt.subjects, l.OneIn, l.Distance, b.Levels[i-1].Distance)
			}
		}
		if measured != tt.measured || furthest != tt.furthest {
			t.Errorf("%d subjects with %d pictures: 1 in %d measured and 1 in %d said, want %d and %d", tt.subjects, tt.each, measured, furthest, tt.measured, tt.furthest)
		}
	}
}

func TestManyPicturesOfOnePersonAreOneVote(t *testing.T) {
	t.Parallel()
	s := searches(100, 1, 90)
	one := semblance.FitCalibration(100, s)
	for range 500 { // of the subject that is nearest to somebody else
		s = append(s, s[0])
	}
	many := semblance.FitCalibration(100, s)
	before, err := json.Marshal(one[1].Levels)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := json.Marshal(many[1].Levels); err != nil || string(after) != string(before) {
		t.Errorf("500 more pictures of one subject change the levels from\n%s to\n%s (%v)", before, after, err)
	}
}

func TestTheOrderOfSearchesDoesNotMatter(t *testing.T) {
	t.Parallel()
	s := searches(150, 3, 70)
	want := fmt.Sprintf("%v", semblance.FitCalibration(150, s))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		if got := fmt.Sprintf("%v", semblance.FitCalibration(150, s)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestProbesOfPoorQualityAreNotSpokenForByGoodOnes(t *testing.T) {
	t.Parallel()
	s := slices.Concat(searches(200, 1, 90), searches(40, 1, 70), searches(30, 1, 50), searches(10, 1, 30))
	cal := semblance.Calibration{Version: 7, Bins: semblance.FitCalibration(200, s)}
	if n := len(cal.Bins); n != 2 || cal.Bins[1].From != 80 || cal.Bins[0].To != 80 || cal.Bins[0].From != 0 {
		t.Fatalf("bins %+v", cal.Bins) // the subjects of the worse bins are the same ones: 40 of them are too few
	}
	if got := cal.Band(90, 0.0001); !strings.Contains(got, "fewer than 1 in 200 return anyone this close (extrapolated); probes of quality 80 to 100, fitted on version 7") {
		t.Errorf("a good probe: %s", got)
	}
	if got := cal.Band(45, 0.0001); got != "not calibrated for probes of quality 0 to 80: 40 subjects with probes of that quality, at least 50 are needed" {
		t.Errorf("a poor probe: %s", got)
	}
	if got := cal.Band(90, 0.9); !strings.Contains(got, "half or more may return someone this close") {
		t.Errorf("far away: %s", got)
	}
	if got := cal.Band(100, 0.9); strings.HasPrefix(got, semblance.NotCalibrated) {
		t.Errorf("the best probe: %s", got)
	}
	if got := (&semblance.Calibration{}).Band(90, 0.1); got != semblance.NotCalibrated {
		t.Errorf("no calibration: %s", got)
	}
}

// crowded enrolls so many subjects with one random face each, far from each other.
func (r *rig) crowded(collection string, from, to int) {
	r.t.Helper()
	c, err := r.store.Collection(r.t.Context(), collection)
	if err != nil {
		r.t.Fatal(err)
	}
	var refs []semblance.Reference
	for i := from; i < to; i++ {
		refs = append(refs, r.reference(c, fmt.Sprintf("subject %03d", i), fmt.Sprintf("picture %d", i), randomFace(uint64(i))))
	}
	if _, err := r.store.AddReferences(r.t.Context(), c.ID, refs, semblance.AuditEvent{Action: "collection.enroll", Actor: tester}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reference(c semblance.Collection, subject, picture string, v []float32) semblance.Reference {
	sum := semblance.SHA256{}
	copy(sum[:], picture)
	return semblance.Reference{ID: semblance.ReferenceID(subject + "/" + picture), Subject: subject, Source: picture + ".jpg", SHA256: sum, Type: "image/test",
		Face: semblance.Face{Quality: 85, Score: 0.9, Embedding: v}, Engine: c.Engine, Version: c.EngineVersion, Decoder: "test 1"}
}

func randomFace(seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 99))
	v, sum := make([]float32, 192), 0.0
	for i := range v {
		v[i] = float32(rng.NormFloat64())
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// TestNonMatedIsTheDefinition: what the index finds is what comparing every reference
// with every other one of other subjects finds.
func TestNonMatedIsTheDefinition(t *testing.T) {
	r := newRig(t)
	c := r.collection("people", semblance.Faces)
	r.crowded("people", 0, 40)
	var second []semblance.Reference
	for i := range 10 { // some have a second picture
		second = append(second, r.reference(c, fmt.Sprintf("subject %03d", i), fmt.Sprintf("other %d", i), randomFace(uint64(1000+i))))
	}
	if _, err := r.store.AddReferences(t.Context(), c.ID, second, semblance.AuditEvent{Action: "collection.enroll", Actor: tester}); err != nil {
		t.Fatal(err)
	}
	got, err := r.NonMated(t.Context(), "people")
	if err != nil {
		t.Fatal(err)
	}
	var refs []semblance.Reference
	if err := r.store.EachReference(t.Context(), c.ID, func(ref semblance.Reference) error { refs = append(refs, ref); return nil }); err != nil {
		t.Fatal(err)
	}
	var want []semblance.NonMatedSearch
	nearest := 9.0
	for _, a := range refs {
		best := math.Inf(1)
		for _, b := range refs {
			if a.Subject != b.Subject {
				best = min(best, semblance.RoundDistance(semblance.Cosine.Distance(a.Face.Embedding, b.Face.Embedding)))
			}
		}
		nearest = min(nearest, best)
		want = append(want, semblance.NonMatedSearch{Subject: a.Subject, Quality: 85, Distance: best})
	}
	order := func(a, b semblance.NonMatedSearch) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(want, order)
	slices.SortFunc(got.Searches, order)
	if !slices.Equal(got.Searches, want) {
		t.Errorf("got  %v\nwant %v", got.Searches, want)
	}
	if got.Closest[0].Distance != nearest || got.Closest[0].SubjectA >= got.Closest[0].SubjectB {
		t.Errorf("the closest pair is %+v, the nearest distance %.4f", got.Closest[0], nearest)
	}
}

// TestOnePhotographUnderTwoNames is reported and does not poison the fit, not even
// through the other pictures of the two.
func TestOnePhotographUnderTwoNames(t *testing.T) {
	r := newRig(t)
	c := r.collection("people", semblance.Faces)
	r.crowded("people", 0, 60)
	clean, err := r.Calibrate(t.Context(), tester, "people")
	if err != nil {
		t.Fatal(err)
	}
	wrong := []semblance.Reference{r.reference(c, "subject 001", "picture 2", randomFace(2)), r.reference(c, "subject 003", "picture 4", randomFace(4))}
	if _, err := r.store.AddReferences(t.Context(), c.ID, wrong, semblance.AuditEvent{Action: "collection.enroll", Actor: tester}); err != nil {
		t.Fatal(err)
	}
	got, err := r.Calibrate(t.Context(), tester, "people")
	if err != nil {
		t.Fatal(err)
	}
	if got.LeftCount != 2 || len(got.Left) != 2 || got.Left[0].SubjectA != "subject 001" || got.Left[0].SubjectB != "subject 002" ||
		got.Left[0].SourceA != "picture 2.jpg" || got.Left[0].Distance != 0 || got.Left[1].SubjectB != "subject 004" {
		t.Errorf("left out: %d, %+v", got.LeftCount, got.Left)
	}
	for _, p := range got.Closest {
		if p.Distance <= 0.02 {
			t.Errorf("among the closest pairs of two people: %+v", p)
		}
	}
	a, b := clean.Bins[1].Levels, got.Bins[1].Levels
	if len(a) == 0 || len(a) != len(b) || math.Abs(a[0].Distance-b[0].Distance) > 0.01 {
		t.Errorf("levels %+v became %+v", a, b)
	}
}

func TestAPlaceholderUnderEveryNameCannotBeMeasured(t *testing.T) {
	r := newRig(t)
	c := r.collection("people", semblance.Faces)
	var refs []semblance.Reference
	for i := range 30 {
		refs = append(refs, r.reference(c, fmt.Sprint("subject ", i), "no picture", randomFace(1)))
	}
	if _, err := r.store.AddReferences(t.Context(), c.ID, refs, semblance.AuditEvent{Action: "collection.enroll", Actor: tester}); err != nil {
		t.Fatal(err)
	}
	_, err := r.Calibrate(t.Context(), tester, "people")
	wantCode(t, err, semblance.Invalid)
	if !strings.Contains(err.Error(), "every subject has the same picture as another") {
		t.Error(err)
	}
}

func TestCalibrateRefusesWhatCannotBeMeasured(t *testing.T) {
	r := newRig(t)
	r.collection("empty", semblance.Faces)
	r.collection("hashes", semblance.Hashes)
	r.collection("one", semblance.Faces)
	r.enroll("one", "somebody", 1, 0)
	for name, want := range map[string]string{"empty": "has 0 subjects", "one": "has 1 subject:", "hashes": "holds hashes"} {
		_, err := r.Calibrate(t.Context(), tester, name)
		wantCode(t, err, semblance.Invalid)
		if !strings.Contains(err.Error(), want) || name != "hashes" && semblance.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", name, err, semblance.HintOf(err))
		}
	}
	_, err := r.Calibrate(t.Context(), tester, "none")
	wantCode(t, err, semblance.NotFound)
	_, err = r.Calibration(t.Context(), "one")
	wantCode(t, err, semblance.NotFound)
}

// TestBandsOfCandidates: none before a calibration, one after it, made again when the
// collection has grown by more than a tenth, and each refit audited.
func TestBandsOfCandidates(t *testing.T) {
	r := newRig(t)
	r.collection("people", semblance.Faces)
	r.crowded("people", 0, 60)
	band := func() string {
		t.Helper()
		probe := picture{Faces: [][]float32{randomFace(5)}, Salt: "probe"}
		res, err := r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"people"}, File: r.file(probe.bytes(t))})
		if err != nil || len(res.Request.Candidates) == 0 || res.Request.Candidates[0].Subject != "subject 005" {
			t.Fatalf("%+v, %v", res.Request.Candidates, err)
		}
		return res.Request.Candidates[0].Band
	}
	if got := band(); got != semblance.NotCalibrated {
		t.Errorf("before a calibration: %s", got)
	}
	if _, err := r.Calibrate(t.Context(), tester, "people"); err != nil {
		t.Fatal(err)
	}
	const said = "of searches for people who are not in this collection, fewer than 1 in 5 return anyone this close; probes of quality 80 to 100, fitted on version "
	if got := band(); got != said+"2" {
		t.Errorf("calibrated: %s", got)
	}
	r.crowded("people", 60, 66)
	if got := band(); got != said+"2" {
		t.Errorf("grown by a tenth: %s", got)
	}
	r.crowded("people", 66, 67)
	if got := band(); got != said+"4" {
		t.Errorf("grown by more: %s", got)
	}
	events, err := r.store.AuditEvents(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var why []string
	for _, e := range events {
		if e.Action == "collection.calibrate" {
			why = append(why, fmt.Sprintf("%s: %v", e.Actor.Name, e.Detail["because"]))
		}
	}
	if want := []string{"tester@host: asked for", "semblance: the collection had 60 subjects and has 67"}; !slices.Equal(why, want) {
		t.Errorf("audited: %q", why)
	}
	again := semblance.New(r.Parts) // what is stored is what is used
	if cal, err := again.Calibration(t.Context(), "people"); err != nil || cal.Version != 4 {
		t.Errorf("read again: %+v, %v", cal, err)
	}
}

// TestABandThatCannotBeMadeAgainSaysSo: the search goes on, the band names what has
// changed, and the refit is not tried again for every face.
func TestABandThatCannotBeMadeAgainSaysSo(t *testing.T) {
	r := newRig(t)
	r.collection("people", semblance.Faces)
	r.crowded("people", 0, 60)
	if _, err := r.Calibrate(t.Context(), tester, "people"); err != nil {
		t.Fatal(err)
	}
	r.crowded("people", 60, 80)
	broken := &brokenCalibrations{CalibrationStore: r.store}
	r.Calibrations = broken
	probe := picture{Faces: [][]float32{randomFace(5), randomFace(6)}}
	res, err := r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"people"}, File: r.file(probe.bytes(t))})
	if err != nil || len(res.Request.Candidates) < 2 {
		t.Fatalf("%+v, %v", res.Request.Candidates, err)
	}
	for _, c := range res.Request.Candidates {
		if !strings.HasSuffix(c.Band, "fitted on version 2 and stale: the collection had 60 subjects and has 80") {
			t.Errorf("%s", c.Band)
		}
	}
	if broken.tried != 1 {
		t.Errorf("tried %d times", broken.tried)
	}
}

// brokenCalibrations can be read and not added to.
type brokenCalibrations struct {
	semblance.CalibrationStore
	tried int
}

var _ semblance.CalibrationStore = (*brokenCalibrations)(nil)

func (b *brokenCalibrations) AddCalibration(_ context.Context, _ semblance.CollectionID, _ semblance.Calibration, _ semblance.AuditEvent) error {
	b.tried++
	return errors.New("the disk is full")
}

func TestDeletingACollectionErasesItsCalibrations(t *testing.T) {
	r := newRig(t)
	r.collection("people", semblance.Faces)
	r.crowded("people", 0, 10)
	if _, err := r.Calibrate(t.Context(), tester, "people"); err != nil {
		t.Fatal(err)
	}
	gone, err := r.DeleteCollection(t.Context(), tester, "people")
	if err != nil || gone.After != 0 || gone.Before <= 30 { // 10 subjects, references, vectors; a calibration; its pairs
		t.Fatalf("%+v, %v", gone, err)
	}
	r.collection("people", semblance.Faces)
	if _, err := r.Calibration(t.Context(), "people"); semblance.CodeOf(err) != semblance.NotFound {
		t.Errorf("a new collection of the name has %v", err)
	}
}
