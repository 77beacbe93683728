package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
	"semblance/store"
)

func newReport(e *env) *cobra.Command {
	var format, out string
	cmd := &cobra.Command{Use: "report CASE --format html|jsonl [-o FILE]", Short: "Write what a case holds: numbers and hashes, never pixels", Args: exactly(1, "the case number"),
		Long: `jsonl has every item with its hits, near matches, candidates (UNREVIEWED until they are)
and errors, by exhibit and path, and nothing of the run's own clock or order: two scans
of the same exhibit give the same bytes. html is one page for people.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.stored(cmd.Context(), func(p *program) error {
				return e.writeFile(out, func(w io.Writer) error { return p.report(cmd.Context(), w, report.Format(format), args[0], e.who()) })
			})
		}}
	cmd.Flags().StringVar(&format, "format", "html", "html or jsonl")
	cmd.Flags().StringVarP(&out, "output", "o", "-", "the file to write; - is standard output")
	return cmd
}

// report writes a case's report and audits it first: what is exported is known
// even when the export fails half-way.
func (p *program) report(ctx context.Context, w io.Writer, format report.Format, number string, who semblance.Actor) error {
	c, err := p.store.Case(ctx, number)
	if err != nil {
		return err
	}
	s := report.Source{Case: c, Program: "semblance " + version, Written: time.Now(), Actor: who.Name, Rows: p.rows(ctx, c.ID), Engines: p.engine.Engines}
	if s.Exhibits, err = p.store.Exhibits(ctx, c.ID); err != nil {
		return err
	}
	if s.Collections, err = p.store.Collections(ctx); err != nil {
		return err
	}
	if s.Requests, err = p.store.Requests(ctx, c.ID); err != nil {
		return err
	}
	if s.Notices, err = p.store.Notices(ctx, c.ID, semblance.NoticeFilter{Limit: math.MaxInt32}); err != nil {
		return err
	}
	if format == report.HTML {
		if s.Stacking, s.Stacks, err = p.engine.ListStacks(ctx, who, semblance.StackRequest{Case: number}, semblance.StackFilter{Least: 2, Limit: 1000}); err != nil {
			return err
		}
	}
	ev := semblance.AuditEvent{Actor: who, Action: "report", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis, Detail: map[string]any{"format": format}}
	if err := p.store.Append(ctx, ev); err != nil {
		return err
	}
	return report.Write(w, format, s)
}

// rows are the items of a case as a report wants them.
func (p *program) rows(ctx context.Context, id semblance.CaseID) iter.Seq2[report.Row, error] {
	return func(yield func(report.Row, error) bool) {
		err := p.store.EachItem(ctx, id, func(v store.ItemView) error {
			if !yield(report.Row{Exhibit: v.Exhibit.Label, Item: v.Item, Media: v.Media, Findings: v.Findings}, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(report.Row{}, err)
		}
	}
}
