package evaluation

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"semblance"
)

// rounds is how many bootstrap samples are drawn: the ends of a 95% interval then
// rest on 25 draws each.
const rounds = 1000

// fewPersons is under how many persons a bootstrap over persons is not to be
// trusted: too few different draws.
const fewPersons = 10

// forEach calls f for 0 to n-1 on all CPUs. What f does must not depend on the order.
func forEach(n int, f func(int)) {
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// bootstrap draws persons with replacement and returns the ends of the 95% interval of
// a statistic of how often each was drawn. Draws of which the statistic does not exist
// are left out; ok is false when that are too many.
func bootstrap(persons int, statistic func(weight []int) (float64, bool)) (low, high float64, ok bool) {
	values := make([]float64, rounds)
	forEach(rounds, func(round int) {
		rng := rand.New(rand.NewPCG(1, uint64(round))) // its own, so that no worker's turn matters
		weight := make([]int, persons)
		for range persons {
			weight[rng.IntN(persons)]++
		}
		v, ok := statistic(weight)
		if !ok {
			v = math.NaN()
		}
		values[round] = v
	})
	values = slices.DeleteFunc(values, math.IsNaN)
	if len(values) < rounds/2 {
		return 0, 1, false
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(math.Round(q*float64(len(values)-1)))] }
	return at(0.025), at(0.975), true
}

// counts are one person's trials.
type counts struct{ events, trials float64 }

// proportion is the rate of all persons' events among their trials. Its interval is
// by bootstrap over persons; where nothing or everything happened, a bootstrap cannot
// see beyond it, and the end is that of as many independent trials as there are persons.
func proportion(list []counts) Value {
	var all counts
	persons := 0
	for _, c := range list {
		all.events, all.trials = all.events+c.events, all.trials+c.trials
		if c.trials > 0 {
			persons++
		}
	}
	if all.trials == 0 {
		return notMeasurable(0, 0, "needs at least 1, there are none")
	}
	v := Value{Value: six(all.events / all.trials), Trials: int(all.trials), Persons: persons, High: 1}
	low, high, ok := bootstrap(len(list), func(weight []int) (float64, bool) {
		var c counts
		for i, w := range weight {
			c.events, c.trials = c.events+float64(w)*list[i].events, c.trials+float64(w)*list[i].trials
		}
		return c.events / c.trials, c.trials > 0
	})
	if ok {
		v.Low, v.High = *six(low), *six(high)
	}
	edge := semblance.RateOf(all.events/all.trials*float64(persons), float64(persons))
	switch all.events {
	case 0:
		v.High = *six(edge.High)
	case all.trials:
		v.Low = *six(edge.Low)
	}
	return v
}

// six rounds to what is written; what lies behind differs between CPUs.
func six(v float64) *float64 {
	r := math.Round(v*1e6) / 1e6
	return &r
}
