package evaluation

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"semblance"
)

// A Rate is a point of the ROC curve: the share of mated pairs at or below the
// distance where at most FPR of the non-mated pairs are.
type Rate struct {
	FPR      float64 `json:"fpr"`
	TPR      float64 `json:"tpr"`
	Distance float64 `json:"distance"`
	Note     string  `json:"note,omitempty"`
}

// A Result is what comparing pairs gave.
type Result struct {
	Persons  int      `json:"persons"`
	Samples  int      `json:"samples"`
	Mated    int      `json:"mated_pairs"`
	NonMated int      `json:"non_mated_pairs"`
	AUC      *float64 `json:"auc"`     // nil without mated pairs
	AUCLow   float64  `json:"auc_low"` // 95% interval, bootstrap over persons
	AUCHigh  float64  `json:"auc_high"`
	Note     string   `json:"note,omitempty"` // what the interval cannot say
	Rates    []Rate   `json:"rates"`
	sorted   []pair
}

// A PairRate is how often mated pairs are missed at a threshold that lets so many
// non-mated pairs through: NIST's FNMR at FMR.
type PairRate struct {
	FMR      float64  `json:"fmr"`
	Distance *float64 `json:"distance"` // the threshold, inclusive
	FNMR     Value    `json:"fnmr"`
}

// A pair is a comparison of two persons by index.
type pair struct {
	a, b     int
	distance float64
}

func verify(pairs []pair, p *people) Result {
	r := resultOf(pairs, len(p.persons))
	r.Persons, r.Samples = len(p.persons), len(p.samples)
	return r
}

func resultOf(pairs []pair, persons int) Result {
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	r := Result{Rates: []Rate{}, AUCHigh: 1, sorted: pairs}
	for _, p := range pairs {
		if p.a == p.b {
			r.Mated++
		} else {
			r.NonMated++
		}
	}
	if r.Mated == 0 || r.NonMated == 0 {
		r.Note = "not measurable: " + strconv.Itoa(r.Mated) + " mated and " + strconv.Itoa(r.NonMated) + " non-mated pairs"
		return r
	}
	weight := make([]int, persons)
	for i := range weight {
		weight[i] = 1
	}
	v, _ := auc(pairs, weight)
	r.AUC = six(v)
	low, high, _ := bootstrap(persons, func(weight []int) (float64, bool) { return auc(pairs, weight) })
	r.AUCLow, r.AUCHigh = *six(low), *six(high)
	if persons < fewPersons {
		r.Note = "with " + strconv.Itoa(persons) + " persons the interval says little: it is of these persons, not of others"
	}
	for _, fpr := range []float64{0.01, 0.001} {
		r.Rates = append(r.Rates, rate(pairs, r, fpr))
	}
	return r
}

// auc is the probability that a mated pair is closer than a non-mated one, ties
// counting half, with every person drawn weight times. A pair of two persons
// weighs the product, a pair of one person its weight; pairs of one person drawn twice
// are not new non-mated pairs. pairs are sorted.
func auc(pairs []pair, weight []int) (float64, bool) {
	var won, mated, non float64
	for i := 0; i < len(pairs); {
		j := i
		var m, n float64
		for ; j < len(pairs) && pairs[j].distance == pairs[i].distance; j++ {
			p := pairs[j]
			if p.a == p.b {
				m += float64(weight[p.a])
			} else {
				n += float64(weight[p.a] * weight[p.b])
			}
		}
		won += n * (mated + m/2) // mated pairs closer than these non-mated ones
		mated += m
		non += n
		i = j
	}
	if mated == 0 || non == 0 {
		return 0, false
	}
	return won / (mated * non), true
}

// rate finds the largest distance that keeps the false positive rate.
func rate(pairs []pair, r Result, fpr float64) Rate {
	allowed := int(math.Floor(fpr*float64(r.NonMated) + 1e-9))
	out := Rate{FPR: fpr}
	if allowed == 0 {
		out.Note = "fewer than " + strconv.Itoa(int(math.Ceil(1/fpr))) + " non-mated pairs: this is the rate before the first false positive"
	}
	mated, non := 0, 0
	for i := 0; i < len(pairs); {
		j, m, n := i, 0, 0
		for ; j < len(pairs) && pairs[j].distance == pairs[i].distance; j++ {
			if pairs[j].a == pairs[j].b {
				m++
			} else {
				n++
			}
		}
		if non+n > allowed {
			break
		}
		mated, non, i = mated+m, non+n, j
		out.Distance = pairs[j-1].distance
	}
	out.TPR = float64(mated) / float64(r.Mated)
	return out
}

// ruleOfThree is how many independent trials a rate needs before it can be spoken of:
// when none of n is an error, the rate is below 3/n with 95% certainty.
func ruleOfThree(rate float64) int { return int(math.Ceil(3/rate - 1e-9)) }

// fmrs are the rates a threshold of pairs is set by.
var fmrs = [...]float64{0.01, 0.001, 0.0001}

// atFMR finds the miss rates of pairs at the thresholds of fixed FMR.
func (r *Result) atFMR(persons int) []PairRate {
	var out []PairRate
	for _, fmr := range fmrs {
		x := PairRate{FMR: fmr}
		switch need := ruleOfThree(fmr); {
		case r.NonMated < need:
			x.FNMR = notMeasurable(r.Mated, 0, "needs at least %d non-mated pairs, there are %d", need, r.NonMated)
		case r.Mated == 0:
			x.FNMR = notMeasurable(0, 0, "needs mated pairs, there are none")
		default:
			d := threshold(r.sorted, r.NonMated, fmr)
			x.Distance, x.FNMR = &d, missed(r.sorted, persons, d)
		}
		out = append(out, x)
	}
	return out
}

// threshold is the largest distance at which no more than a share of the non-mated
// pairs are.
func threshold(sorted []pair, nonMated int, fmr float64) float64 {
	allowed := int(math.Floor(fmr*float64(nonMated) + 1e-9))
	for _, p := range sorted {
		if p.a == p.b {
			continue
		}
		if allowed == 0 {
			return semblance.RoundDistance(p.distance - 1e-4)
		}
		allowed--
	}
	return 2
}

// missed is the share of mated pairs that are farther apart than a distance.
func missed(sorted []pair, persons int, distance float64) Value {
	list := make([]counts, persons)
	for _, p := range sorted {
		if p.a != p.b {
			continue
		}
		list[p.a].trials++
		if p.distance > distance {
			list[p.a].events++
		}
	}
	return proportion(list)
}
