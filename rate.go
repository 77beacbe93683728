package semblance

import (
	"encoding/json"
	"math"
)

// A Rate is a share of trials with its 95% interval.
type Rate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// RateOf is the rate of events in independent trials, with the interval of Clopper
// and Pearson: never narrower than 95%, and not empty when nothing, or everything,
// happened. Neither number needs to be whole: trials that depend on each other
// count as the fewer independent ones they are worth (Korn and Graubard, 1998).
func RateOf(events, trials float64) Rate {
	if !(trials > 0) {
		return Rate{High: 1}
	}
	events = min(max(events, 0), trials)
	r := Rate{Value: events / trials, High: 1}
	if events > 0 {
		r.Low = betaQuantile(0.025, events, trials-events+1)
	}
	if events < trials {
		r.High = betaQuantile(0.975, events+1, trials-events)
	}
	return r
}

// MarshalJSON writes six decimals: what lies behind them is not the same on every CPU.
func (r Rate) MarshalJSON() ([]byte, error) {
	type plain Rate
	six := func(v float64) float64 { return math.Round(v*1e6) / 1e6 }
	return json.Marshal(plain{six(r.Value), six(r.Low), six(r.High)})
}

// betaQuantile inverts the regularized incomplete beta function by bisection, which
// cannot fail to converge and is exact enough after 60 halvings.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		mid := (low + high) / 2
		if betaIncomplete(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// betaIncomplete is the regularized incomplete beta function I_x(a,b), by the
// continued fraction of Abramowitz and Stegun 26.5.8, on the side where it converges
// quickly.
func betaIncomplete(x, a, b float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if x > (a+1)/(a+b+2) {
		return 1 - betaIncomplete(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	return front * betaFraction(x, a, b) / a
}

// betaFraction evaluates the continued fraction by Lentz's method.
func betaFraction(x, a, b float64) float64 {
	const tiny = 1e-300
	away := func(v float64) float64 { // from zero
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i <= 500; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/away(1+even*d), away(1+even/c)
		f *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/away(1+odd*d), away(1+odd/c)
		f *= d * c
		if math.Abs(d*c-1) < 1e-14 {
			break
		}
	}
	return f
}
