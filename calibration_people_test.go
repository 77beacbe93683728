package semblance_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"semblance"
)

// A described is a person with dlib descriptors of their faces.
type described struct {
	id    string
	faces [][]float32
}

// idols are the published descriptors of Korean singers.
func idols(t *testing.T) crowd {
	t.Helper()
	c, err := readIdols()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SEMBLANCE_TESTDATA has no faces/idols.json: calibration is not tried on people")
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var readIdols = sync.OnceValues(func() (crowd, error) {
	b, err := os.ReadFile(filepath.Join(os.Getenv("SEMBLANCE_TESTDATA"), "faces", "idols.json"))
	if err != nil {
		return crowd{}, err
	}
	var file struct {
		Faces []struct {
			Descriptor string `json:"descriptor"`
			Idol       string `json:"idol_id"`
		} `json:"faces"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return crowd{}, err
	}
	var people []described
	index := map[string]int{}
	for _, f := range file.Faces {
		raw, err := base64.StdEncoding.DecodeString(f.Descriptor)
		if err != nil || len(raw) != 4*128 {
			return crowd{}, fmt.Errorf("a descriptor of %d bytes: %w", len(raw), err)
		}
		v := make([]float32, 128)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		i, ok := index[f.Idol]
		if !ok {
			i = len(people)
			index[f.Idol] = i
			people = append(people, described{id: f.Idol})
		}
		people[i].faces = append(people[i].faces, v)
	}
	return crowdOf(people), nil
})

// A crowd is persons with the distance of each of their faces from the nearest face of
// every other person.
type crowd struct {
	people []described
	near   [][][]float64 // [person][face][other person]
	// copied says which two persons have one photograph in common: then one of the names
	// is wrong, and a search between the two is not a non-mated one.
	copied [][]bool
}

// onePhotograph is under what distance two descriptors of idols.json are one photograph
// filed under two names. 28 pairs of persons have such a photograph, at 0.0000 to
// 0.0849; the nearest pair of others is at 0.2288.
const onePhotograph = 0.1

func crowdOf(people []described) crowd {
	c := crowd{people: people, near: make([][][]float64, len(people))}
	for i, p := range people {
		for _, f := range p.faces {
			row := make([]float64, len(people))
			for j, q := range people {
				row[j] = math.Inf(1)
				for _, g := range q.faces {
					row[j] = min(row[j], semblance.RoundDistance(semblance.Euclid.Distance(f, g)))
				}
			}
			c.near[i] = append(c.near[i], row)
		}
		c.copied = append(c.copied, make([]bool, len(people)))
		for j := range people {
			c.copied[i][j] = slices.ContainsFunc(c.near[i], func(row []float64) bool { return row[j] <= onePhotograph })
		}
	}
	return c
}

// nonMated searches the faces of people among gallery, each person without themselves.
func (c *crowd) nonMated(people, gallery []int) []semblance.NonMatedSearch {
	var out []semblance.NonMatedSearch
	for _, i := range people {
		for _, row := range c.near[i] {
			best := math.Inf(1)
			for _, j := range gallery {
				if j != i && !c.copied[i][j] {
					best = min(best, row[j])
				}
			}
			out = append(out, semblance.NonMatedSearch{Subject: c.people[i].id, Quality: 90, Distance: best})
		}
	}
	return out
}

// split parts the persons into ones a gallery is made and calibrated of, and the rest.
func (c *crowd) split(seed uint64, gallery int) (fit, held []int) {
	order := rand.New(rand.NewPCG(seed, 2026)).Perm(len(c.people))
	return order[:gallery], order[gallery:]
}

// A trial is one level of one calibration, tried on people it was not fitted on.
type trial struct {
	level    semblance.CalibrationLevel
	observed semblance.Rate // among the held-out people
}

// kept says whether what the band promises was seen: fewer than one in so many.
func (x trial) kept() bool { return x.observed.Value < 1/float64(x.level.OneIn) }

// within says whether what was seen lies in the stated interval. Rates that are
// extrapolated are smaller than what so few people can show: there the two intervals
// must meet.
func (x trial) within() bool {
	if x.level.Extrapolated {
		return x.observed.Low <= x.level.Rate.High && x.observed.High >= x.level.Rate.Low
	}
	return x.observed.Value >= x.level.Rate.Low && x.observed.Value <= x.level.Rate.High
}

// trials fits galleries of a size, and searches everybody else in them. wrong spoils
// the distances that are fitted, to see that the trial notices.
func (c *crowd) trials(size, splits int, wrong float64) (out []trial, mean map[int][2]float64) {
	mean = map[int][2]float64{}
	for seed := range splits {
		fit, held := c.split(uint64(seed), size)
		searches := c.nonMated(fit, fit)
		for i := range searches {
			searches[i].Distance = semblance.RoundDistance(searches[i].Distance * wrong)
		}
		bins := semblance.FitCalibration(int64(size), searches)
		others := c.nonMated(held, fit)
		for _, l := range bins[len(bins)-1].Levels {
			seen := share(others, l.Distance)
			out = append(out, trial{l, semblance.RateOf(seen*float64(len(held)), float64(len(held)))})
			m := mean[l.OneIn]
			mean[l.OneIn] = [2]float64{m[0] + seen, m[1] + 1}
		}
	}
	return out, mean
}

// share is the definition of the rate: of each person's searches, the share that
// returned anyone within the distance; the mean over persons.
func share(searches []semblance.NonMatedSearch, distance float64) float64 {
	hit, all := map[string]float64{}, map[string]float64{}
	for _, s := range searches {
		all[s.Subject]++
		if s.Distance <= distance {
			hit[s.Subject]++
		}
	}
	sum := 0.0
	for _, p := range slices.Sorted(maps.Keys(all)) {
		sum += hit[p] / all[p]
	}
	return sum / float64(len(all))
}

// TestBandsHoldOnPeopleNotUsedToFit is the promise of a band, tried on real people:
// galleries of 60 to 110 of them are calibrated, and everybody else is searched.
//
// A level is the upper end of a 95% interval: of all trials, no more than one in twenty
// may lie outside the interval or above the promise. That is strict, since the few
// people who are searched add a chance of their own. Over all splits together, where
// that chance evens out, the promise must simply be kept.
func TestBandsHoldOnPeopleNotUsedToFit(t *testing.T) {
	t.Parallel()
	c := idols(t)
	const splits = 40
	var all, wrong, promised int
	for _, size := range []int{60, 67, 80, 100, 110} {
		trials, mean := c.trials(size, splits, 1)
		for _, x := range trials {
			all++
			if !x.within() {
				wrong++
			}
			if !x.kept() {
				promised++
			}
		}
		for _, n := range slices.Sorted(maps.Keys(mean)) {
			seen := mean[n][0] / mean[n][1]
			t.Logf("gallery of %d, fewer than 1 in %d: %.0f calibrations say so; %.4f of other people's searches", size, n, mean[n][1], seen)
			if seen >= 1/float64(n) {
				t.Errorf("gallery of %d: a band promises fewer than 1 in %d, and %.4f of other people's searches return somebody", size, n, seen)
			}
		}
	}
	t.Logf("%d trials, %d outside their interval, %d above their promise", all, wrong, promised)
	if all < 5*splits || 20*wrong > all || 20*promised > all {
		t.Errorf("of %d trials, %d lie outside the interval and %d above the promise; one in twenty may", all, wrong, promised)
	}
}

// TestTheTrialNoticesAWrongFit: with distances that are a tenth too large or too small,
// the trial above fails. Otherwise it would show nothing.
func TestTheTrialNoticesAWrongFit(t *testing.T) {
	t.Parallel()
	c := idols(t)
	for _, spoiled := range []float64{0.9, 1.1} {
		trials, _ := c.trials(100, 40, spoiled)
		wrong := 0
		for _, x := range trials {
			if !x.within() {
				wrong++
			}
		}
		t.Logf("distances times %g: %d of %d trials outside their interval", spoiled, wrong, len(trials))
		if 20*wrong <= len(trials) {
			t.Errorf("distances times %g: %d of %d trials outside their interval, as if nothing were wrong", spoiled, wrong, len(trials))
		}
	}
}

// TestAFixedThresholdIsWrong: at 0.6, which is dlib's own advice, nearly every search
// for somebody who is not there returns somebody, already among 134 people, and the
// more the larger the gallery.
func TestAFixedThresholdIsWrong(t *testing.T) {
	t.Parallel()
	c := idols(t)
	before := 0.0
	for _, size := range []int{10, 33, 67, 100} {
		seen := 0.0
		for seed := range 20 {
			fit, held := c.split(uint64(seed), size)
			seen += share(c.nonMated(held, fit), 0.3) / 20
		}
		t.Logf("gallery of %d: %.4f of other people's searches return somebody within 0.3", size, seen)
		if seen <= before {
			t.Errorf("gallery of %d: %.4f of searches, no more than in a smaller one", size, seen)
		}
		before = seen
	}
	fit, held := c.split(1, 100)
	if seen := share(c.nonMated(held, fit), 0.6); seen < 0.99 {
		t.Errorf("%.4f of searches return somebody within 0.6", seen)
	}
}
