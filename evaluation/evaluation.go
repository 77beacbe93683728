// Package evaluation measures how well an engine tells persons apart on labelled
// faces. The names most callers need are [Measure], which makes an [Evaluation] of
// samples, and [WriteHTML]. It is pure arithmetic on embeddings: the same input gives
// the same numbers, bootstrap included, whatever the order of the samples and the
// number of workers.
//
// Words are those of ISO/IEC 2382-37 and NIST's FRTE 1:1 and 1:N: a mated pair shows
// one person, a non-mated pair two; FMR and FNMR are the error rates of comparing
// pairs; FPIR(N,T) is the share of searches for people who are not in a gallery of N
// that return anyone within the distance T, and FNIR(N,R,T) the share of searches for
// people who are in it that do not return them within T and among the first R.
package evaluation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"semblance"
)

// A Sample is one face of a person.
type Sample struct {
	Person  string
	Name    string // of the picture; with Person, what samples are ordered by
	Quality float32
	Vector  []float32
}

// A Failure is a picture that could not be used.
type Failure struct {
	Person string
	Name   string
}

// An Evaluation is everything that was measured.
type Evaluation struct {
	Result
	Pictures int        `json:"pictures"`
	Failure  Value      `json:"failure_to_enroll"` // of pictures
	Pairs    []PairRate `json:"verification"`
	Sizes    []Gallery  `json:"galleries"`       // smallest first
	Quality  []Bin      `json:"quality"`         // of the probes, in the largest gallery
	Copies   []Copy     `json:"copies"`          // one photograph under two names: left out
	Notes    []string   `json:"notes,omitempty"` // what could not be measured, and why
	Curves   Curves     `json:"curves"`
}

// A Copy is one photograph under the names of two persons. Nothing between the two
// persons is counted as non-mated.
type Copy struct {
	A        string  `json:"a"`
	B        string  `json:"b"`
	Distance float64 `json:"distance"`
}

// A Value is a rate with its 95% interval, or the reason why there is none.
type Value struct {
	Value   *float64 `json:"value"` // nil: not measurable
	Low     float64  `json:"low"`
	High    float64  `json:"high"`
	Trials  int      `json:"trials"`  // searches, pairs or pictures it rests on
	Persons int      `json:"persons"` // of whom they are
	Note    string   `json:"note,omitempty"`
}

// String is the rate and what it rests on, for people.
func (v Value) String() string {
	if v.Value == nil {
		return v.Note
	}
	return fmt.Sprintf("%.4f (%.4f to %.4f)", *v.Value, v.Low, v.High)
}

// notMeasurable is a Value that is none.
func notMeasurable(trials, persons int, format string, a ...any) Value {
	return Value{Trials: trials, Persons: persons, High: 1, Note: "not measurable: " + fmt.Sprintf(format, a...)}
}

// Measure evaluates an engine on samples. Two persons are needed (Invalid
// otherwise); what else the samples cannot carry is said in place of a number.
func Measure(samples []Sample, failures []Failure, spec semblance.EngineSpec) (Evaluation, error) {
	samples = slices.Clone(samples)
	slices.SortFunc(samples, func(a, b Sample) int {
		return cmp.Or(strings.Compare(a.Person, b.Person), strings.Compare(a.Name, b.Name), slices.Compare(a.Vector, b.Vector))
	})
	if err := check(samples, spec); err != nil {
		return Evaluation{}, err
	}
	p := newPeople(samples, spec)
	e := Evaluation{Pictures: len(samples) + len(failures), Failure: failureToEnroll(samples, failures), Copies: p.copyList()}
	e.Result = verify(p.pairs(), p)
	e.Pairs = e.atFMR(len(p.persons))
	e.Curves.Pairs = pairCurve(e.sorted)
	for _, n := range gallerySizes(len(p.persons)) {
		g := p.gallery(n)
		e.Sizes = append(e.Sizes, g.rates())
		e.Curves.Searches = append(e.Curves.Searches, g.curve())
		if n == len(p.persons)-1 {
			e.Quality = g.bins()
		}
	}
	e.Notes = e.notes(p)
	return e, nil
}

// check refuses what cannot be compared.
func check(samples []Sample, spec semblance.EngineSpec) error {
	persons := map[string]bool{}
	for _, s := range samples {
		persons[s.Person] = true
		if len(s.Vector) != spec.Dimensions {
			return semblance.Errorf(semblance.Invalid, "the embedding of %q has %d dimensions; engine %s has %d", s.Name, len(s.Vector), spec.Name, spec.Dimensions)
		}
		if !finite(s.Vector) {
			return semblance.Errorf(semblance.Invalid, "the embedding of %q is zero, or not made of finite numbers", s.Name).
				WithHint("Leave that picture out; an embedding like that is a fault of the engine's.")
		}
	}
	if len(persons) < 2 {
		return semblance.Errorf(semblance.Invalid, "usable pictures of %d persons are not enough to measure with", len(persons)).
			WithHint("At least two persons are needed, and two usable pictures of one of them to measure how often they are found.")
	}
	return nil
}

func finite(v []float32) bool {
	any := false
	for _, x := range v {
		if x-x != 0 { // NaN and infinities
			return false
		}
		any = any || x != 0
	}
	return any
}

// failureToEnroll is the share of pictures in which no face could be embedded.
func failureToEnroll(samples []Sample, failures []Failure) Value {
	tally := map[string]counts{}
	for _, s := range samples {
		c := tally[s.Person]
		c.trials++
		tally[s.Person] = c
	}
	for _, f := range failures {
		c := tally[f.Person]
		c.events, c.trials = c.events+1, c.trials+1
		tally[f.Person] = c
	}
	var list []counts
	for _, name := range sortedKeys(tally) {
		list = append(list, tally[name])
	}
	return proportion(list)
}

// notes says what the samples cannot carry as a whole.
func (e *Evaluation) notes(p *people) []string {
	var out []string
	if e.Mated == 0 {
		out = append(out, "there are no mated searches: every person has one usable picture, so that only searches for people who are not in the gallery are measured")
	}
	if len(e.Copies) > 0 {
		out = append(out, fmt.Sprintf("%d pairs of persons have one photograph in common: one of its names is wrong, or they are one person; they are not compared with each other", len(e.Copies)))
	}
	if p.sameFace > 0 {
		out = append(out, fmt.Sprintf("%d mated pairs are copies of one photograph: they make the engine look better than it is", p.sameFace))
	}
	return out
}
