package main

import (
	"context"
	"fmt"

	"semblance/evaluation"
)

func (v *evaluator) printUnused() {
	for _, u := range v.unused {
		v.e.note("not used: %s: %s", printable(u.Path), printable(u.Reason))
	}
}

// print is the answer for people.
func (v *evaluator) print(r evaluation.Evaluation) {
	v.printUnused()
	e := v.e
	e.say("engine %s version %d, %s, %d of %d pictures used", v.spec.Name, v.spec.Version, count(int64(r.Persons), "person", "persons"), r.Samples, r.Pictures)
	for _, n := range r.Notes {
		e.say("note: %s", printable(n))
	}
	e.say("failure to enroll %s", r.Failure)
	e.say("\n%d mated and %d non-mated pairs", r.Mated, r.NonMated)
	if r.AUC != nil {
		e.say("AUC %.4f (95%% interval %.4f to %.4f, bootstrap over persons)", *r.AUC, r.AUCLow, r.AUCHigh)
	}
	if r.Result.Note != "" {
		e.say("%s", r.Result.Note)
	}
	t := newTable("FMR", "DISTANCE", "FNMR (95% INTERVAL)")
	for _, p := range r.Pairs {
		t.row(p.FMR, fourOrNot(p.Distance), p.FNMR)
	}
	t.print(e.out)
	v.printSearches(r)
	for _, c := range r.Copies {
		e.say("one photograph under two names: %s and %s, distance %.4f", printable(c.A), printable(c.B), c.Distance)
	}
}

func (v *evaluator) printSearches(r evaluation.Evaluation) {
	if len(r.Sizes) == 0 {
		return
	}
	v.e.say("\nSearches: FNIR(N,R), mated ones whose person is not among the first R")
	t := newTable("N", "MATED", "RANK", "FNIR (95% INTERVAL)")
	for _, g := range r.Sizes {
		for _, x := range g.Ranks {
			if g.Size > x.Rank { // a gallery no larger than the list misses nobody
				t.row(g.Size, g.Mated, x.Rank, x.FNIR)
			}
		}
	}
	t.print(v.e.out)
	v.e.say("\nSearches: FPIR(N,T) and FNIR(N,50,T)")
	t = newTable("N", "MATED", "NON-MATED", "THRESHOLD FOR", "T", "FPIR (95% INTERVAL)", "FNIR (95% INTERVAL)")
	for _, g := range r.Sizes {
		for _, x := range g.AtFPIR {
			if x.Distance == nil {
				t.row(g.Size, g.Mated, g.NonMated, fmt.Sprintf("FPIR %g", x.Asked), "-", "-", x.FPIR)
				continue
			}
			t.row(g.Size, g.Mated, g.NonMated, fmt.Sprintf("FPIR %g", x.Asked), fourOrNot(x.Distance), x.FPIR, x.FNIR)
		}
		t.row(g.Size, g.Mated, g.NonMated, "engine's default", fourOrNot(g.AtDefault.Distance), g.AtDefault.FPIR, g.AtDefault.FNIR)
	}
	t.print(v.e.out)
	v.e.say("\nBy quality of the probe, N = %d, at the engine's default threshold", r.Sizes[len(r.Sizes)-1].Size)
	t = newTable("QUALITY", "SEARCHES", "FNIR RANK 1", "FPIR", "FNIR")
	for _, b := range r.Quality {
		t.row(b.Title(), b.AtDefault.FPIR.Trials, b.First, b.AtDefault.FPIR, b.AtDefault.FNIR)
	}
	t.print(v.e.out)
}

func (e *env) evaluateSelf(ctx context.Context, p *program, name string) error {
	r, err := p.engine.EvaluateSelf(ctx, e.who(), name)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(r)
	}
	if int64(r.Searches) < r.References {
		e.say("a sample of %d of %d references is searched with", r.Searches, r.References)
	}
	e.printCalibration(r.Calibration)
	e.say("\nFPIR(N,T) of N = %d", r.Subjects)
	t := newTable("T", "FPIR (95% INTERVAL)")
	for _, x := range r.Rates {
		t.row(fmt.Sprintf("%.2f", x.Distance), rateText(x.FPIR))
	}
	t.print(e.out)
	for _, x := range r.AtFPIR {
		if x.Distance == nil {
			e.say("FPIR %g: %s", x.Asked, x.Note)
			continue
		}
		e.say("FPIR %g at %.4f: %s", x.Asked, *x.Distance, rateText(*x.FPIR))
	}
	e.say("nothing was stored; `semblance collection calibrate %s` gives candidates their bands", name)
	return nil
}
