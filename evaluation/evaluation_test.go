package evaluation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"semblance"
	"semblance/evaluation"
)

// spec is an engine for tests: 16 dimensions, and nothing is a copy.
var spec = semblance.EngineSpec{Name: "test", Version: 1, Dimensions: 16, Metric: semblance.Euclid, Distance: 2}

// persons makes n faces of each of k persons around random centers.
func persons(k, n int, spread float64) []evaluation.Sample {
	rng := rand.New(rand.NewPCG(7, 7))
	var out []evaluation.Sample
	for p := range k {
		center := make([]float64, 16)
		for i := range center {
			center[i] = rng.NormFloat64()
		}
		for f := range n {
			v := make([]float32, len(center))
			for i, c := range center {
				v[i] = float32(c + spread*rng.NormFloat64())
			}
			name := fmt.Sprintf("person %03d", p)
			out = append(out, evaluation.Sample{Person: name, Name: fmt.Sprintf("%s/%d.jpg", name, f), Quality: float32(35 + 20*(f%4)), Vector: v})
		}
	}
	return out
}

func measure(t *testing.T, s []evaluation.Sample, failures ...evaluation.Failure) evaluation.Evaluation {
	t.Helper()
	e, err := evaluation.Measure(s, failures, spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSeparatedPersonsGiveOne(t *testing.T) {
	t.Parallel()
	e := measure(t, persons(5, 4, 0.2))
	if *e.AUC != 1 || e.AUCLow != 1 || e.AUCHigh != 1 || e.Rates[0].TPR != 1 {
		t.Errorf("separated persons gave %+v", e.Result)
	}
	if e.Mated != 5*6 || e.NonMated != 20*19/2-30 {
		t.Errorf("%d mated and %d non-mated pairs", e.Mated, e.NonMated)
	}
}

// TestAgainstTheDefinition compares with counting every mated against every
// non-mated pair.
func TestAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	s := persons(6, 3, 1.2)
	e := measure(t, s)
	var mated, non []float64
	for i := range s {
		for j := range i {
			if d := semblance.RoundDistance(semblance.Euclid.Distance(s[i].Vector, s[j].Vector)); s[i].Person == s[j].Person {
				mated = append(mated, d)
			} else {
				non = append(non, d)
			}
		}
	}
	var won float64
	for _, m := range mated {
		for _, n := range non {
			switch {
			case m < n:
				won++
			case m == n:
				won += 0.5
			}
		}
	}
	if want := won / float64(len(mated)*len(non)); math.Abs(*e.AUC-want) > 1e-6 || want == 1 {
		t.Errorf("AUC %v, counting pairs gives %v", *e.AUC, want)
	}
	if !(e.AUCLow < *e.AUC && *e.AUC < e.AUCHigh) {
		t.Errorf("AUC %v is outside its interval %v to %v", *e.AUC, e.AUCLow, e.AUCHigh)
	}
}

func TestRateKeepsItsPromise(t *testing.T) {
	t.Parallel()
	s := persons(8, 5, 1.5)
	e := measure(t, s)
	for _, rate := range e.Rates {
		var fp, tp, non, mated int
		for i := range s {
			for j := range i {
				d := semblance.RoundDistance(semblance.Euclid.Distance(s[i].Vector, s[j].Vector))
				switch same := s[i].Person == s[j].Person; {
				case same && d <= rate.Distance:
					tp, mated = tp+1, mated+1
				case same:
					mated++
				case d <= rate.Distance:
					fp, non = fp+1, non+1
				default:
					non++
				}
			}
		}
		if float64(fp) > rate.FPR*float64(non) || math.Abs(float64(tp)/float64(mated)-rate.TPR) > 1e-12 {
			t.Errorf("at FPR %v: %d of %d false positives, TPR %v instead of %v", rate.FPR, fp, non, rate.TPR, float64(tp)/float64(mated))
		}
	}
	if e.Rates[1].Note == "" {
		t.Error("700 non-mated pairs cannot show 0.1%, and nothing says so")
	}
	if e.Pairs[0].FNMR.Value == nil || e.Pairs[1].FNMR.Value != nil || !strings.Contains(e.Pairs[1].FNMR.Note, "needs at least 3000 non-mated pairs, there are 700") {
		t.Errorf("FNMR at FMR: %+v", e.Pairs)
	}
}

// TestSearchesAgainstTheDefinition compares the largest gallery, of everybody else, with
// searches made one by one.
func TestSearchesAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	s := persons(61, 6, 1.0)
	e := measure(t, s)
	if n := len(e.Sizes); n != 4 || e.Sizes[0].Size != 10 || e.Sizes[3].Size != 60 {
		t.Fatalf("sizes %+v", e.Sizes)
	}
	g := e.Sizes[3]
	if g.Mated != 61*5 || g.NonMated != 61*6 {
		t.Fatalf("%d mated and %d non-mated searches", g.Mated, g.NonMated)
	}
	first := map[string]evaluation.Sample{}
	for _, x := range s {
		if strings.HasSuffix(x.Name, "/0.jpg") {
			first[x.Person] = x
		}
	}
	at := *g.AtFPIR[1].Distance
	var returned, returnedMore, missed, missedFirst float64
	for _, x := range s {
		mate := semblance.RoundDistance(semblance.Euclid.Distance(x.Vector, first[x.Person].Vector))
		nearest, before := math.Inf(1), 0
		for _, y := range first {
			if y.Person == x.Person {
				continue
			}
			d := semblance.RoundDistance(semblance.Euclid.Distance(x.Vector, y.Vector))
			nearest = min(nearest, d)
			if d <= mate {
				before++
			}
		}
		if nearest <= at {
			returned++
		}
		if nearest <= at+0.0001 {
			returnedMore++
		}
		if x.Name != first[x.Person].Name {
			if mate > at || before >= 50 {
				missed++
			}
			if before > 0 {
				missedFirst++
			}
		}
	}
	if got := *g.AtFPIR[1].FPIR.Value; math.Abs(got-returned/366) > 1e-6 || returned > 0.01*366 || returnedMore <= 0.01*366 {
		t.Errorf("FPIR %v at %v, counted %v of 366, and %v a step further", got, at, returned, returnedMore)
	}
	if got := *g.AtFPIR[1].FNIR.Value; math.Abs(got-missed/305) > 1e-6 || missed == 0 {
		t.Errorf("FNIR %v at %v, counted %v of 305", got, at, missed)
	}
	// The largest gallery of a mated search has one stranger fewer: the person is in it.
	if got := *g.Ranks[0].FNIR.Value; got > missedFirst/305 || got < missedFirst/305*0.9 || missedFirst == 0 {
		t.Errorf("FNIR of rank 1 %v, counted %v of 305", got, missedFirst)
	}
	if v := g.AtFPIR[0].FNIR; v.Value != nil || !strings.Contains(v.Note, "needs at least 1000 non-mated searches, there are 366") {
		t.Errorf("at FPIR 0.003: %+v", v)
	}
	if v := e.Sizes[0].Ranks[2].FNIR; v.Value != nil || !strings.Contains(v.Note, "a gallery of at least 21 persons") {
		t.Errorf("rank 20 of a gallery of 10: %+v", v)
	}
	for i := 1; i < len(e.Sizes); i++ { // galleries are nested: more people, more false positives
		if *e.Sizes[i].AtDefault.FPIR.Value < *e.Sizes[i-1].AtDefault.FPIR.Value {
			t.Errorf("FPIR falls from N = %d to %d", e.Sizes[i-1].Size, e.Sizes[i].Size)
		}
	}
	var probes int
	for _, b := range e.Quality {
		probes += b.AtDefault.FPIR.Trials
	}
	if len(e.Quality) != 4 || probes != g.NonMated {
		t.Errorf("%d bins with %d searches", len(e.Quality), probes)
	}
}

// TestTheSameBytes whatever the order of the samples and the number of workers.
func TestTheSameBytes(t *testing.T) { // not parallel: it sets GOMAXPROCS
	s := persons(25, 4, 1.2)
	failures := []evaluation.Failure{{Person: "person 001", Name: "x"}, {Person: "nobody", Name: "y"}}
	write := func() string {
		e := measure(t, s, failures...)
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var page bytes.Buffer
		if err := evaluation.WriteHTML(&page, evaluation.Page{Program: "test", Source: "folder", Engine: spec, Evaluation: e}); err != nil {
			t.Fatal(err)
		}
		return string(b) + page.String()
	}
	want := write()
	rng := rand.New(rand.NewPCG(3, 3))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, workers := range []int{1, 3, 8} {
		runtime.GOMAXPROCS(workers)
		rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		if got := write(); got != want {
			t.Errorf("with %d workers and another order the bytes differ", workers)
		}
	}
}

func TestOnePictureEachIsSaid(t *testing.T) {
	t.Parallel()
	e := measure(t, persons(40, 1, 1))
	if e.AUC != nil || e.Mated != 0 || len(e.Notes) == 0 || !strings.Contains(e.Notes[0], "there are no mated searches") {
		t.Errorf("%+v, notes %v", e.Result, e.Notes)
	}
	g := e.Sizes[len(e.Sizes)-1]
	if g.AtDefault.FPIR.Value == nil || g.AtDefault.FNIR.Value != nil || g.NonMated != 40 || g.Ranks[0].FNIR.Value != nil {
		t.Errorf("the largest gallery: %+v", g)
	}
	b, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(b), `"auc":null`) {
		t.Errorf("%v: %s", err, b)
	}
}

func TestOnePhotographUnderTwoNamesIsNotAStranger(t *testing.T) {
	t.Parallel()
	s := persons(12, 3, 0.5)
	clean := measure(t, s)
	s = append(s, evaluation.Sample{Person: "person 000", Name: "person 000/9.jpg", Quality: 50, Vector: s[4].Vector}) // of person 001
	e := measure(t, s)
	if len(e.Copies) != 1 || e.Copies[0] != (evaluation.Copy{A: "person 000/9.jpg", B: "person 001/1.jpg"}) || !strings.Contains(strings.Join(e.Notes, "\n"), "one photograph in common") {
		t.Errorf("copies %+v, notes %v", e.Copies, e.Notes)
	}
	if e.NonMated != clean.NonMated-9+10*3 { // nothing between the two; the picture with everybody else
		t.Errorf("%d non-mated pairs, %d without the copy", e.NonMated, clean.NonMated)
	}
}

func TestFailureToEnroll(t *testing.T) {
	t.Parallel()
	e := measure(t, persons(20, 4, 1), evaluation.Failure{Person: "person 003", Name: "a"}, evaluation.Failure{Person: "only failures", Name: "b"})
	if e.Pictures != 82 || *e.Failure.Value != 0.02439 || e.Failure.Trials != 82 || e.Failure.Persons != 21 || e.Failure.High < 0.05 {
		t.Errorf("%d pictures, %+v", e.Pictures, e.Failure)
	}
	none := measure(t, persons(20, 4, 1)).Failure
	if *none.Value != 0 || none.Low != 0 || math.Abs(none.High-semblance.RateOf(0, 20).High) > 1e-6 {
		t.Errorf("no failure among 20 persons: %+v", none)
	}
}

func TestTooLittleOrBrokenIsAnError(t *testing.T) {
	t.Parallel()
	two := func(change func([]evaluation.Sample)) []evaluation.Sample {
		s := persons(2, 2, 1)
		change(s)
		return s
	}
	for name, s := range map[string][]evaluation.Sample{
		"nothing": nil, "one person": persons(1, 4, 1),
		"not a number": two(func(s []evaluation.Sample) { s[1].Vector[3] = float32(math.NaN()) }),
		"infinite":     two(func(s []evaluation.Sample) { s[1].Vector[3] = float32(math.Inf(-1)) }),
		"zero":         two(func(s []evaluation.Sample) { clear(s[1].Vector) }),
		"too short":    two(func(s []evaluation.Sample) { s[1].Vector = s[1].Vector[:3] }),
	} {
		if _, err := evaluation.Measure(s, nil, spec); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	e := measure(t, persons(25, 4, 1.2))
	var b bytes.Buffer
	err := evaluation.WriteHTML(&b, evaluation.Page{Program: "semblance test", Source: "<folder>", Engine: spec, Evaluation: e,
		Unused: []evaluation.Unused{{Path: "a/<b>.jpg", Reason: "no face"}}})
	if err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"&lt;folder&gt;", "a/&lt;b&gt;.jpg", "default-src 'none'", "DET: searches", "N = 24", "ROC: pairs", "false non-match rate",
		"not measurable: needs at least 1000 non-mated searches, there are 100", fmt.Sprintf("AUC %.4f", *e.AUC)} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Count(page, "<svg") != 3 || strings.Contains(page, "%!") || strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page has not three pictures of finite numbers")
	}
}
