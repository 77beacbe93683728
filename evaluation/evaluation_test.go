package evaluation_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"semblance"
	"semblance/evaluation"
)

// persons makes n faces of each of k persons around random centers.
func persons(k, n int, spread float64) []evaluation.Sample {
	rng := rand.New(rand.NewPCG(7, 7))
	var out []evaluation.Sample
	for p := range k {
		center := make([]float64, 16)
		for i := range center {
			center[i] = rng.NormFloat64()
		}
		for range n {
			v := make([]float32, len(center))
			for i, c := range center {
				v[i] = float32(c + spread*rng.NormFloat64())
			}
			out = append(out, evaluation.Sample{Person: string(rune('a' + p)), Vector: v})
		}
	}
	return out
}

func TestSeparatedPersonsGiveOne(t *testing.T) {
	t.Parallel()
	r, err := evaluation.Verify(persons(5, 4, 0.01), semblance.Euclid)
	if err != nil {
		t.Fatal(err)
	}
	if r.AUC != 1 || r.AUCLow != 1 || r.AUCHigh != 1 || r.Rates[0].TPR != 1 {
		t.Errorf("separated persons gave %+v", r)
	}
	if r.Mated != 5*6 || r.NonMated != 20*19/2-30 {
		t.Errorf("%d mated and %d non-mated pairs", r.Mated, r.NonMated)
	}
}

// TestAgainstTheDefinition compares with counting every mated against every
// non-mated pair.
func TestAgainstTheDefinition(t *testing.T) {
	t.Parallel()
	s := persons(6, 3, 1.2)
	s = append(s, s[0], s[4]) // ties
	r, err := evaluation.Verify(s, semblance.Euclid)
	if err != nil {
		t.Fatal(err)
	}
	var mated, non []float64
	for i := range s {
		for j := range i {
			if d := semblance.Euclid.Distance(s[i].Vector, s[j].Vector); s[i].Person == s[j].Person {
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
	if want := won / float64(len(mated)*len(non)); math.Abs(r.AUC-want) > 1e-12 || want == 1 {
		t.Errorf("AUC %v, counting pairs gives %v", r.AUC, want)
	}
	if !(r.AUCLow < r.AUC && r.AUC < r.AUCHigh) {
		t.Errorf("AUC %v is outside its interval %v to %v", r.AUC, r.AUCLow, r.AUCHigh)
	}
}

func TestRateKeepsItsPromise(t *testing.T) {
	t.Parallel()
	s := persons(8, 5, 1.5)
	r, err := evaluation.Verify(s, semblance.Euclid)
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range r.Rates {
		var fp, tp, non, mated int
		for i := range s {
			for j := range i {
				d := semblance.Euclid.Distance(s[i].Vector, s[j].Vector)
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
	if r.Rates[1].Note == "" {
		t.Error("700 non-mated pairs cannot show 0.1%, and nothing says so")
	}
}

func TestTooLittleIsAnError(t *testing.T) {
	t.Parallel()
	for name, s := range map[string][]evaluation.Sample{
		"nothing": nil, "one person": persons(1, 4, 1), "one face each": persons(4, 1, 1),
	} {
		if _, err := evaluation.Verify(s, semblance.Euclid); semblance.CodeOf(err) != semblance.Invalid || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
