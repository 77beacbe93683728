package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/api"
)

func newCollectionReenroll(e *env) *cobra.Command {
	r := semblance.ReenrollRequest{}
	var engine string
	var abandon, background bool
	cmd := &cobra.Command{Use: "reenroll NAME --engine E", Short: "Make a faces collection's embeddings again with another engine, from the kept originals, then switch", Args: exactly(1, "the collection's name"),
		Long: `Makes every reference again beside the present ones; the collection is searched as it was
meanwhile. When all are made, one step switches. A run that is interrupted goes on where
it was when it is run again. References of which the engine can make nothing are named,
and nothing is switched unless --leave-out-failed says so: they then stay in the
collection, are listed, and are not searched.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Collection, r.Engine = args[0], semblance.EngineName(engine)
			return e.stored(cmd.Context(), func(p *program) error {
				switch {
				case abandon:
					return e.abandonReenroll(cmd.Context(), p, args[0])
				case background:
					return e.reenrollLater(cmd.Context(), p, r)
				}
				return e.reenroll(cmd.Context(), p, r)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&engine, "engine", string(semblance.DefaultEngine), "the engine to change to")
	f.BoolVar(&r.LeaveOut, "leave-out-failed", false, "switch although some references cannot be made; they stay, named and not searched")
	f.BoolVar(&background, "background", false, "leave it to the running service, as a job beside its uploads")
	f.BoolVar(&abandon, "abandon", false, "give up one that is not finished; the collection stays as it is")
	return cmd
}

func (e *env) reenroll(ctx context.Context, p *program, r semblance.ReenrollRequest) error {
	r.Lanes = p.cfg.Workers
	r.Progress = func(now semblance.Reenrollment) {
		if terminal(e.err) && !e.quiet {
			fmt.Fprintf(e.err, "\r%s: %d of %d", printable(r.Collection), now.Staged, now.References)
		}
	}
	res, err := p.engine.Reenroll(ctx, e.who(), r)
	if terminal(e.err) && !e.quiet && !res.Nothing {
		fmt.Fprintln(e.err)
	}
	for _, b := range res.LeftOut {
		e.note("%s, %s (%s): %s", printable(b.Subject), printable(b.Source), b.Reference, printable(b.Reason))
	}
	if err != nil {
		return err
	}
	if e.json {
		if err := e.emit(res); err != nil {
			return err
		}
	} else {
		e.sayReenrolled(res)
	}
	if len(res.LeftOut) > 0 {
		return errSomeFailed
	}
	return nil
}

func (e *env) sayReenrolled(res semblance.ReenrollResult) {
	if res.Nothing {
		e.say("collection %s: nothing to do, it has %s already", res.Collection, res.To)
		return
	}
	e.say("collection %s: %s, from %s to %s", res.Collection, count(res.References, "reference", "references"), res.From, res.To)
	if res.Kept > 0 {
		e.say("  %d were made by an earlier run", res.Kept)
	}
	if n := len(res.LeftOut); n > 0 {
		e.say("  NOT SEARCHED from now on: %s, named above and in `semblance collection show`", count(int64(n), "reference", "references"))
	}
}

func (e *env) abandonReenroll(ctx context.Context, p *program, name string) error {
	if err := p.engine.AbandonReenroll(ctx, e.who(), name); err != nil {
		return err
	}
	if e.json {
		return e.emit(map[string]string{"collection": name, "reenrollment": "abandoned"})
	}
	e.say("collection %s: enrolling again is given up; it stays with the engine it has", name)
	return nil
}

// reenrollLater makes a job of it.
func (e *env) reenrollLater(ctx context.Context, p *program, r semblance.ReenrollRequest) error {
	if p.background == nil {
		return semblance.Errorf(semblance.Invalid, "no service runs on this data folder that could do it in the background").
			WithHint("Start `semblance serve`, or leave --background away.")
	}
	j, err := p.background(ctx, api.ReenrollOrder{Collection: r.Collection, Engine: r.Engine, LeaveOut: r.LeaveOut, Actor: e.who()})
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(j)
	}
	e.say("collection %s: enrolled again with engine %s in the background, job %s; `semblance collection show %s` tells how far it is", r.Collection, j.Engine, j.ID, r.Collection)
	return nil
}
