package semblance

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A Calibration says, for one state of one faces collection, how often a search for
// somebody who is not in it returns anyone as close as a distance. It is measured on
// the collection itself: every subject's references are searched among all the
// others. docs/accuracy.md has the method and how it held on people not used to fit.
type Calibration struct {
	Collection    string           `json:"collection"`
	Version       int64            `json:"version"` // of the collection, when it was measured
	Engine        EngineName       `json:"engine"`
	EngineVersion int              `json:"engine_version"`
	Metric        Metric           `json:"metric"`
	Subjects      int64            `json:"subjects"`
	References    int64            `json:"references"`
	Threshold     float64          `json:"threshold"`         // the collection's, then
	AtThreshold   Rate             `json:"rate_at_threshold"` // of searches, for probes of all qualities
	Searches      int              `json:"searches"`          // references searched with; fewer than References in a large collection
	Bins          []CalibrationBin `json:"bins"`              // worst quality first
	Closest       []ClosePair      `json:"closest"`           // nearest references of two subjects: a person should look at them
	Left          []ClosePair      `json:"left_out"`          // identical faces under two names, the first of them
	LeftCount     int              `json:"left_out_count"`
	Created       time.Time        `json:"created"`
}

// A CalibrationBin is what was measured with probes of a range of quality.
type CalibrationBin struct {
	From     float32            `json:"quality_from"` // inclusive
	To       float32            `json:"quality_to"`   // exclusive, but for 100
	Subjects int                `json:"subjects"`     // with probes of that quality
	Searches int                `json:"searches"`
	Why      string             `json:"why,omitempty"` // why there is no level
	Levels   []CalibrationLevel `json:"levels"`        // most frequent first
}

// A CalibrationLevel says that fewer than one in OneIn non-mated searches return
// anyone at Distance or closer: the upper end of the interval of Rate is below that.
type CalibrationLevel struct {
	OneIn        int     `json:"one_in"`
	Distance     float64 `json:"distance"` // the largest of which that can be said, inclusive
	Rate         Rate    `json:"rate"`
	Extrapolated bool    `json:"extrapolated"` // beyond what the collection is large enough to measure
}

// A ClosePair is two references of two subjects that are near each other: possibly
// one person enrolled twice.
type ClosePair struct {
	SubjectA   string      `json:"subject_a"`
	ReferenceA ReferenceID `json:"reference_a"`
	SourceA    string      `json:"source_a"`
	SubjectB   string      `json:"subject_b"`
	ReferenceB ReferenceID `json:"reference_b"`
	SourceB    string      `json:"source_b"`
	Distance   float64     `json:"distance"`
}

// CalibrationStore keeps the calibrations of collections.
type CalibrationStore interface {
	// AddCalibration stores a calibration beside earlier ones, with its audit event.
	AddCalibration(ctx context.Context, c CollectionID, cal Calibration, ev AuditEvent) error
	// Calibration returns the latest one of a collection, NotFound when there is none.
	Calibration(ctx context.Context, c CollectionID) (Calibration, error)
}

// A NonMatedSearch is one search for a person who is not in what was searched: with a
// reference of a subject, among all other subjects.
type NonMatedSearch struct {
	Subject  string
	Quality  float32 // of the probe
	Distance float64 // to the nearest of the others, rounded
}

// The constants of a fit. docs/accuracy.md says where they come from.
const (
	binSubjects  = 50  // fewer than this in a bin and nothing is said for probes of its quality
	tailSubjects = 50  // the nearest so many carry an extrapolation...
	tailShare    = 0.2 // ...but no larger share of the searches
	tailEvents   = 10  // fewer independent ones than this in the tail and nothing is extrapolated
	tailReach    = 10  // an extrapolation goes down to this part of the smallest rate that can be measured
)

// binEdges are where the qualities of probes are parted.
var binEdges = [...]float32{0, 40, 60, 80, 100}

// oneIn are the rates a band can speak of.
var oneIn = [...]int{2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000}

// FitCalibration makes the bins of a calibration of the non-mated searches of a
// collection of so many subjects. The order of searches does not matter.
//
// A bin with too few subjects is joined to the next worse one: its rates are then
// those of probes that are, if anything, worse. What remains at the worst end says why
// it has no levels.
func FitCalibration(subjects int64, searches []NonMatedSearch) []CalibrationBin {
	var out []CalibrationBin
	to := len(binEdges) - 1
	for from := to - 1; from >= 0; from-- {
		low, high := binEdges[from], binEdges[to]
		in := slices.DeleteFunc(slices.Clone(searches), func(s NonMatedSearch) bool {
			return s.Quality < low || s.Quality >= high && high < 100
		})
		b := fitBin(subjects, in)
		b.From, b.To = low, high
		if b.Subjects < binSubjects && from > 0 {
			continue // joined to the next worse
		}
		if b.Subjects < binSubjects {
			b.Levels, b.Why = []CalibrationLevel{}, fmt.Sprintf("%d subjects with probes of that quality, at least %d are needed", b.Subjects, binSubjects)
		}
		out = append(out, b)
		to = from
	}
	slices.Reverse(out)
	return out
}

// A tailed is a bin's searches, nearest first.
type tailed struct {
	subjects int64 // of the collection
	n        float64
	distance []float64
	events   []float64 // subjects' shares up to and with this distance
}

// newTailed gives every subject one vote, whatever the number of its probes.
func newTailed(subjects int64, in []NonMatedSearch) tailed {
	probes := map[string]float64{}
	for _, s := range in {
		probes[s.Subject]++
	}
	in = slices.Clone(in)
	slices.SortFunc(in, func(a, b NonMatedSearch) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.Subject, b.Subject))
	})
	t := tailed{subjects: subjects, n: float64(len(probes))}
	sum := 0.0
	for _, s := range in {
		sum += 1 / probes[s.Subject]
		whole := math.Round(sum*1e9) / 1e9 // the votes of a subject are one, whatever their number
		t.distance, t.events = append(t.distance, s.Distance), append(t.events, whole)
	}
	return t
}

// rate is the rate of events among the bin's subjects.
//
// Two subjects that are close to each other are seen from both sides: the evidence of
// n subjects is that of n/2 independent searches. And each was searched among one
// subject fewer than a search for somebody else will be.
func (t *tailed) rate(events float64) Rate {
	r := RateOf(events/2, t.n/2)
	return Rate{t.grown(r.Value), t.grown(r.Low), t.grown(r.High)}
}

func (t *tailed) grown(p float64) float64 {
	if t.subjects < 2 {
		return p
	}
	return -math.Expm1(math.Log1p(-p) * float64(t.subjects) / float64(t.subjects-1))
}

// at is the rate at a distance.
func (t *tailed) at(distance float64) Rate {
	i, _ := slices.BinarySearchFunc(t.distance, distance, func(d, want float64) int {
		if d <= want {
			return -1
		}
		return 1
	})
	if i == 0 {
		return t.rate(0)
	}
	return t.rate(t.events[i-1])
}

// RateAt is how often the non-mated searches of a collection of so many subjects return
// anyone at a distance or closer.
func RateAt(subjects int64, searches []NonMatedSearch, distance float64) Rate {
	t := newTailed(subjects, searches)
	return t.at(distance)
}

// step is the resolution of reported distances.
const step = 1e-4

// measured is the largest distance at which the interval lies below a rate, and ok
// when there is one: just under the first search that would be one too many.
func (t *tailed) measured(limit float64) (l CalibrationLevel, ok bool) {
	i := sort.Search(len(t.distance), func(i int) bool { return t.rate(t.events[i]).High > limit })
	if i == len(t.distance) || t.rate(0).High > limit {
		return l, false
	}
	l.Distance = RoundDistance(t.distance[i] - step)
	l.Rate = t.at(l.Distance)
	return l, l.Distance >= 0
}

func fitBin(subjects int64, in []NonMatedSearch) CalibrationBin {
	t := newTailed(subjects, in)
	b := CalibrationBin{Subjects: int(t.n), Searches: len(in), Levels: []CalibrationLevel{}}
	tail, extrapolates := t.tail()
	below := math.Inf(1)
	for _, n := range oneIn {
		l, ok := t.measured(1 / float64(n))
		if !ok && extrapolates {
			l, ok = tail.level(1 / float64(n))
		}
		if !ok {
			break
		}
		l.OneIn, l.Distance = n, min(l.Distance, below)
		below = l.Distance
		b.Levels = append(b.Levels, l)
	}
	return b
}

// A tail continues a bin below what it can measure: under the distance start, the
// rate falls by a factor e every scale. Distances cannot be negative, so that real
// tails end and fall faster than that; the extrapolation errs towards too many.
type tail struct {
	start, scale, widest float64 // widest is the upper end of the scale's interval
	rate                 Rate    // at start
	least                float64 // nothing is said of rates below
}

// tail fits the mean excess of the nearest searches.
func (t *tailed) tail() (tail, bool) {
	share := min(tailShare, tailSubjects/t.n)
	i := 0
	for i < len(t.distance) && t.events[i] <= share*t.n {
		i++
	}
	if i == 0 || i == len(t.distance) || t.events[i-1]/2 < tailEvents {
		return tail{}, false
	}
	start, sum, before := t.distance[i], 0.0, 0.0
	for k := range i {
		sum += (t.events[k] - before) * (start - t.distance[k])
		before = t.events[k]
	}
	independent := before / 2
	scale := sum / before
	// 2m·mean/scale is chi-squared with 2m degrees of freedom; its 2.5% quantile after Wilson and Hilferty.
	m := 2 * independent
	low := m * math.Pow(1-2/(9*m)-1.959964*math.Sqrt(2/(9*m)), 3)
	return tail{start: start, scale: scale, widest: scale * m / low, rate: t.at(t.distance[i-1]), least: t.rate(0).High / tailReach}, scale > 0
}

func (t *tail) at(distance float64) Rate {
	x := t.start - distance
	narrow := t.scale * t.scale / t.widest
	return Rate{t.rate.Value * math.Exp(-x/t.scale), t.rate.Low * math.Exp(-x/narrow), t.rate.High * math.Exp(-x/t.widest)}
}

func (t *tail) level(limit float64) (CalibrationLevel, bool) {
	if limit < t.least {
		return CalibrationLevel{}, false
	}
	d := math.Floor((t.start-t.widest*math.Log(t.rate.High/limit))/step) * step
	d = RoundDistance(d)
	return CalibrationLevel{Distance: d, Rate: t.at(d), Extrapolated: true}, d >= 0
}

// CopyDistance is up to what distance two faces are one photograph. Other photographs
// of one person do not come that close (docs/accuracy.md), strangers even less.
func (s EngineSpec) CopyDistance() float64 {
	if s.Metric == Euclid {
		return s.Distance / 5
	}
	return s.Distance / 25 // the cosine distance is quadratic in the angle
}

// Band says what a distance means for a probe of a quality: how often a search of
// this collection for somebody who is not in it returns anyone this close. It is for
// ranking and judgement at the screen; a report does not carry it.
func (c *Calibration) Band(quality float32, distance float64) string {
	i := slices.IndexFunc(c.Bins, func(b CalibrationBin) bool { return quality >= b.From && (quality < b.To || b.To >= 100) })
	if i < 0 {
		return NotCalibrated
	}
	b := &c.Bins[i]
	if len(b.Levels) == 0 {
		why := b.Why
		if why == "" {
			why = fmt.Sprintf("%d subjects are too few", b.Subjects)
		}
		return NotCalibrated + " for probes of quality " + b.qualities() + ": " + why
	}
	said := "half or more may return someone this close"
	for _, l := range b.Levels {
		if distance > l.Distance {
			break
		}
		said = "fewer than 1 in " + grouped(int64(l.OneIn)) + " return anyone this close"
		if l.Extrapolated {
			said += " (extrapolated)"
		}
	}
	return "of searches for people who are not in this collection, " + said + "; probes of quality " + b.qualities() + ", fitted on version " + strconv.FormatInt(c.Version, 10)
}

func (b *CalibrationBin) qualities() string { return fmt.Sprintf("%g to %g", b.From, b.To) }

// grouped writes 12345 as 12,345.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Stale says why a calibration no longer speaks for a collection, "" when it does:
// it is of another engine, or subjects or references are more than a tenth more or
// fewer. Rates grow with the number of subjects, so that a tenth more of them are a
// tenth more searches at most: less than what separates two levels.
func (c *Calibration) Stale(now Collection) string {
	changed := func(then, now int64) bool { return 10*max(now-then, then-now) > then }
	switch {
	case now.Version < c.Version: // a plan made before the calibration
		return ""
	case c.Engine != now.Engine || c.EngineVersion != now.EngineVersion:
		return fmt.Sprintf("it was fitted with engine %s version %d", c.Engine, c.EngineVersion)
	case changed(c.Subjects, now.Subjects):
		return fmt.Sprintf("the collection had %s subjects and has %s", grouped(c.Subjects), grouped(now.Subjects))
	case changed(c.References, now.Entries):
		return fmt.Sprintf("the collection had %s references and has %s", grouped(c.References), grouped(now.Entries))
	}
	return ""
}
