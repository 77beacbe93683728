// Package evaluation measures how well an engine tells persons apart on labelled
// faces. The one name callers need is [Verify]. It is pure arithmetic on
// embeddings: the same input gives the same numbers, bootstrap included.
//
// Words are those of ISO/IEC 2382-37 and NIST: a mated pair shows one person, a
// non-mated pair two.
package evaluation

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"semblance"
)

// A Sample is one face of a person.
type Sample struct {
	Person string
	Vector []float32
}

// A Rate is a point of the ROC curve: the share of mated pairs at or below the
// distance where at most FPR of the non-mated pairs are.
type Rate struct {
	FPR      float64 `json:"fpr"`
	TPR      float64 `json:"tpr"`
	Distance float64 `json:"distance"`
	Note     string  `json:"note,omitempty"`
}

// A Result is what Verify measured.
type Result struct {
	Persons  int     `json:"persons"`
	Samples  int     `json:"samples"`
	Mated    int     `json:"mated_pairs"`
	NonMated int     `json:"non_mated_pairs"`
	AUC      float64 `json:"auc"`
	AUCLow   float64 `json:"auc_low"` // 95% interval, bootstrap over persons
	AUCHigh  float64 `json:"auc_high"`
	Note     string  `json:"note,omitempty"` // what the interval cannot say
	Rates    []Rate  `json:"rates"`
}

// rounds is how many bootstrap samples are drawn: the ends of a 95% interval then
// rest on 25 draws each.
const rounds = 1000

// fewPersons is under how many persons a bootstrap over persons is not to be
// trusted: too few different draws.
const fewPersons = 10

// A pair is a comparison of two persons by index.
type pair struct {
	a, b     int
	distance float64
}

// Verify compares every face with every other. It needs at least one mated and
// one non-mated pair (Invalid otherwise).
func Verify(samples []Sample, metric semblance.Metric) (Result, error) {
	persons := map[string]int{}
	for _, s := range samples {
		if _, ok := persons[s.Person]; !ok {
			persons[s.Person] = len(persons)
		}
	}
	var pairs []pair
	for i, s := range samples {
		for _, t := range samples[:i] {
			pairs = append(pairs, pair{persons[s.Person], persons[t.Person], metric.Distance(s.Vector, t.Vector)})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int { return cmp.Compare(x.distance, y.distance) })
	r := Result{Persons: len(persons), Samples: len(samples)}
	for _, p := range pairs {
		if p.a == p.b {
			r.Mated++
		} else {
			r.NonMated++
		}
	}
	if r.Mated == 0 || r.NonMated == 0 {
		return r, semblance.Errorf(semblance.Invalid, "%d mated and %d non-mated pairs are not enough to measure with", r.Mated, r.NonMated).
			WithHint("At least two persons are needed, and two usable pictures of one of them.")
	}
	all := make([]int, len(persons))
	for i := range all {
		all[i] = 1
	}
	r.AUC, _ = auc(pairs, all)
	r.AUCLow, r.AUCHigh = interval(pairs, len(persons))
	if len(persons) < fewPersons {
		r.Note = "with " + strconv.Itoa(len(persons)) + " persons the interval says little: it is of these persons, not of others"
	}
	for _, fpr := range []float64{0.01, 0.001} {
		r.Rates = append(r.Rates, rate(pairs, r, fpr))
	}
	return r, nil
}

// auc is the probability that a mated pair is closer than a non-mated one, ties
// counting half, with every person drawn weight times. A pair of two persons
// weighs the product, a pair of one person its weight. pairs are sorted.
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

// interval draws persons with replacement; pairs of one person drawn twice are
// not new non-mated pairs. Draws without both kinds of pair are left out.
func interval(pairs []pair, persons int) (low, high float64) {
	rng := rand.New(rand.NewPCG(1, 2)) // fixed: the same pictures give the same interval
	var values []float64
	weight := make([]int, persons)
	for range rounds {
		clear(weight)
		for range persons {
			weight[rng.IntN(persons)]++
		}
		if v, ok := auc(pairs, weight); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0, 1
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(math.Round(q*float64(len(values)-1)))] }
	return at(0.025), at(0.975)
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
