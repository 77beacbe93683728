package semblance

import (
	"context"
	"fmt"
	"math"
)

// A SelfEvaluation is how often a faces collection returns anyone to searches for
// people who are not in it, measured with its own references: each subject among all
// others. It is a Calibration that is not kept, with the rates at all distances.
type SelfEvaluation struct {
	Calibration
	Rates  []DistanceRate `json:"rates"`
	AtFPIR []FPIRDistance `json:"at_fpir"`
}

// A DistanceRate is FPIR(N,T).
type DistanceRate struct {
	Distance float64 `json:"distance"` // T, inclusive
	FPIR     Rate    `json:"fpir"`
}

// An FPIRDistance is the threshold at which no more than a share of the searches return
// anyone.
type FPIRDistance struct {
	Asked    float64  `json:"asked_fpir"`
	Distance *float64 `json:"distance"` // nil: not measurable
	FPIR     *Rate    `json:"fpir"`
	Note     string   `json:"note,omitempty"`
}

// EvaluateSelf measures a collection with its own references. It changes nothing and
// leaves an audit event.
func (e *Engine) EvaluateSelf(ctx context.Context, who Actor, name string) (SelfEvaluation, error) {
	m, err := e.NonMated(ctx, name)
	if err != nil {
		return SelfEvaluation{}, err
	}
	cal, err := e.calibrationOf(ctx, m)
	if err != nil {
		return SelfEvaluation{}, err
	}
	t := newTailed(m.Collection.Subjects, m.Searches)
	out := SelfEvaluation{Calibration: cal, Rates: t.curve()}
	for _, asked := range []float64{0.003, 0.01} {
		out.AtFPIR = append(out.AtFPIR, t.forFPIR(asked))
	}
	ev := e.event(who, "collection.evaluate", nil, m.Collection.Name)
	ev.Basis, ev.Detail["version"], ev.Detail["searches"] = m.Collection.Basis, m.Collection.Version, len(m.Searches)
	return out, e.Audit.Append(ctx, ev)
}

// curve has the rate at every twentieth, from the last that returns nobody to the first
// that returns somebody always.
func (t *tailed) curve() []DistanceRate {
	out := []DistanceRate{}
	for i := 1; i <= 40; i++ {
		x := DistanceRate{Distance: float64(i) / 20}
		x.FPIR = t.at(x.Distance)
		if x.FPIR.Value == 0 {
			out = out[:0]
		}
		out = append(out, x)
		if t.distance[len(t.distance)-1] <= x.Distance {
			break
		}
	}
	return out
}

// forFPIR needs as many independent searches as the rule of three asks for: when none
// of n returns anyone, the rate is below 3/n with 95% certainty.
func (t *tailed) forFPIR(asked float64) FPIRDistance {
	x := FPIRDistance{Asked: asked}
	if need := int(math.Ceil(6/asked - 1e-9)); int(t.n) < need {
		x.Note = fmt.Sprintf("not measurable: needs at least %s subjects, there are %s", grouped(int64(need)), grouped(int64(t.n)))
		return x
	}
	i := 0
	for i < len(t.distance) && t.rate(t.events[i]).Value <= asked {
		i++
	}
	if i == len(t.distance) {
		x.Note = "every search is that rare"
		return x
	}
	d := RoundDistance(t.distance[i] - step)
	r := t.at(d)
	x.Distance, x.FPIR = &d, &r
	return x
}
