package evaluation

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"semblance"
)

// A Gallery is what was measured with galleries of one size, one picture a person.
type Gallery struct {
	Size      int          `json:"size"` // N: persons in the gallery
	Mated     int          `json:"mated_searches"`
	NonMated  int          `json:"non_mated_searches"`
	Ranks     []RankRate   `json:"ranks"`
	AtFPIR    []SearchRate `json:"at_fpir"`
	AtDefault SearchRate   `json:"at_default"` // at the engine's default threshold
}

// A RankRate is FNIR(N,R): the share of mated searches whose person is not among the
// first R, whatever the distance.
type RankRate struct {
	Rank int   `json:"rank"`
	FNIR Value `json:"fnir"`
}

// A SearchRate is FNIR(N,50,T) and FPIR(N,T) at one threshold.
type SearchRate struct {
	Asked    float64  `json:"asked_fpir,omitempty"` // the FPIR the threshold was set for
	Distance *float64 `json:"distance"`             // T, inclusive
	FPIR     Value    `json:"fpir"`
	FNIR     Value    `json:"fnir"`
}

// A Bin is what was measured with probes of a range of quality, in the largest gallery.
type Bin struct {
	From      float32    `json:"quality_from"`
	To        float32    `json:"quality_to"`
	First     Value      `json:"fnir_rank_1"`
	AtDefault SearchRate `json:"at_default"`
}

// ranks, fpirs and qualities are what is asked of every gallery.
var (
	ranks     = [...]int{1, 5, 20, 50}
	fpirs     = [...]float64{0.003, 0.01}
	qualities = [...]float32{0, 40, 60, 80, 100}
)

// longest is how many candidates a search returns at most.
const longest = 50

// gallerySizes are the sizes that can be cut of so many persons, about three in every
// decade, and the largest there is: all persons but the one who is searched for.
func gallerySizes(persons int) []int {
	var out []int
	for _, n := range []int{10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000} {
		if n < persons-1 {
			out = append(out, n)
		}
	}
	return append(out, persons-1)
}

// A cut is the searches in galleries of one size.
type cut struct {
	p     *people
	size  int
	non   []outcome // sorted by distance
	mated []outcome // sorted by distance
}

// An outcome is what one search came to: of the nearest of strangers in a non-mated
// one, of the mate in a mated one.
type outcome struct {
	person   int
	quality  float32
	distance float64
	rank     int // of the mate, those as near as it before it
}

// gallery makes the searches in galleries of n persons. A non-mated search is among the
// n that follow the person in order, a mated one among the person and n-1 of those.
func (p *people) gallery(n int) *cut {
	g := &cut{p: p, size: n}
	found := make([][2]*outcome, len(p.samples))
	forEach(len(p.samples), func(i int) { found[i] = p.search(i, n) })
	for _, f := range found {
		if f[0] != nil {
			g.non = append(g.non, *f[0])
		}
		if f[1] != nil {
			g.mated = append(g.mated, *f[1])
		}
	}
	byDistance := func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.person, b.person))
	}
	slices.SortStableFunc(g.non, byDistance)
	slices.SortStableFunc(g.mated, byDistance)
	return g
}

// search searches one sample as a stranger and, unless it is the one that is enrolled,
// as a mate.
func (p *people) search(i, n int) (found [2]*outcome) {
	self := p.of[i]
	o := outcome{person: self, quality: p.samples[i].Quality}
	nearest, mate := math.Inf(1), p.at(i, p.first[self])
	rank := 1
	for k := 1; k <= n; k++ {
		other := p.order[(p.place[self]+k)%len(p.order)]
		if other == self || p.areCopies(self, other) {
			continue
		}
		d := p.at(i, p.first[other])
		nearest = min(nearest, d)
		if k < n && d <= mate {
			rank++
		}
	}
	if !math.IsInf(nearest, 1) {
		non := o
		non.distance = nearest
		found[0] = &non
	}
	if i != p.first[self] {
		o.distance, o.rank = mate, rank
		found[1] = &o
	}
	return found
}

// share is the share of searches of which is says something, by person.
func (g *cut) share(list []outcome, is func(outcome) bool) Value {
	by := make([]counts, len(g.p.persons))
	for _, o := range list {
		by[o.person].trials++
		if is(o) {
			by[o.person].events++
		}
	}
	return proportion(by)
}

func (g *cut) missedAt(distance float64, rank int) Value {
	if len(g.mated) == 0 {
		return notMeasurable(0, 0, "needs mated searches, there are none")
	}
	return g.share(g.mated, func(o outcome) bool { return o.distance > distance || o.rank > rank })
}

func (g *cut) returnedAt(distance float64) Value {
	if len(g.non) == 0 {
		return notMeasurable(0, 0, "needs non-mated searches, there are none")
	}
	return g.share(g.non, func(o outcome) bool { return o.distance <= distance })
}

func (g *cut) rates() Gallery {
	out := Gallery{Size: g.size, Mated: len(g.mated), NonMated: len(g.non)}
	for _, r := range ranks {
		x := RankRate{Rank: r}
		if g.size <= r {
			x.FNIR = notMeasurable(len(g.mated), 0, "needs a gallery of at least %d persons", r+1)
		} else {
			x.FNIR = g.missedAt(math.Inf(1), r)
		}
		out.Ranks = append(out.Ranks, x)
	}
	for _, f := range fpirs {
		out.AtFPIR = append(out.AtFPIR, g.atFPIR(f))
	}
	out.AtDefault = g.atDistance(g.p.spec.Distance)
	return out
}

func (g *cut) atDistance(d float64) SearchRate {
	return SearchRate{Distance: &d, FPIR: g.returnedAt(d), FNIR: g.missedAt(d, longest)}
}

// atFPIR sets the threshold so that no more than a share of the non-mated searches
// return anyone. The interval of FNIR holds the uncertainty of that threshold as well:
// it is set again in every draw.
func (g *cut) atFPIR(fpir float64) SearchRate {
	need := ruleOfThree(fpir)
	if len(g.non) < need {
		none := func(n int) Value {
			return notMeasurable(n, 0, "needs at least %d non-mated searches, there are %d", need, len(g.non))
		}
		return SearchRate{Asked: fpir, FPIR: none(len(g.non)), FNIR: none(len(g.mated))}
	}
	one := make([]int, len(g.p.persons))
	for i := range one {
		one[i] = 1
	}
	x := g.atDistance(g.threshold(one, fpir))
	x.Asked = fpir
	if x.FNIR.Value == nil {
		return x
	}
	low, high, ok := bootstrap(len(g.p.persons), func(weight []int) (float64, bool) {
		d := g.threshold(weight, fpir)
		var c counts
		for _, o := range g.mated {
			w := float64(weight[o.person])
			c.trials += w
			if o.distance > d || o.rank > longest {
				c.events += w
			}
		}
		return c.events / c.trials, c.trials > 0
	})
	if ok {
		x.FNIR.Low, x.FNIR.High = *six(min(low, *x.FNIR.Value)), *six(max(high, *x.FNIR.Value))
	}
	return x
}

// threshold is the largest distance at which no more than a share of the non-mated
// searches, each person drawn weight times, return anyone.
func (g *cut) threshold(weight []int, fpir float64) float64 {
	total := 0
	for _, o := range g.non {
		total += weight[o.person]
	}
	allowed := fpir*float64(total) + 1e-9
	seen := 0
	for _, o := range g.non {
		if seen += weight[o.person]; float64(seen) > allowed {
			return semblance.RoundDistance(o.distance - 1e-4)
		}
	}
	return 2
}

func (g *cut) bins() []Bin {
	out := []Bin{}
	for i := range len(qualities) - 1 {
		b := Bin{From: qualities[i], To: qualities[i+1]}
		in := func(o outcome) bool { return o.quality >= b.From && (o.quality < b.To || b.To == 100) }
		only := &cut{p: g.p, size: g.size}
		for _, o := range g.non {
			if in(o) {
				only.non = append(only.non, o)
			}
		}
		for _, o := range g.mated {
			if in(o) {
				only.mated = append(only.mated, o)
			}
		}
		if len(only.non)+len(only.mated) == 0 {
			continue
		}
		b.First, b.AtDefault = only.missedAt(math.Inf(1), 1), only.atDistance(g.p.spec.Distance)
		out = append(out, b)
	}
	return out
}

// Title names a bin.
func (b Bin) Title() string { return fmt.Sprintf("%g to %g", b.From, b.To) }
