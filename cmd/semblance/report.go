package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
	"semblance/store"
)

func newReport(e *env) *cobra.Command {
	var format, out, annex string
	var force bool
	var a report.Annex
	cmd := &cobra.Command{Use: "report CASE --format html|csv|jsonl|pdf [-o FILE]", Short: "Write what a case holds: numbers and hashes, never pixels", Args: exactly(1, "the case number"),
		Long: `jsonl has every item with its hits, near matches, candidates (UNREVIEWED until they are)
and errors, by exhibit and path, then every selector, and nothing of the run's own clock or
order: two scans of the same exhibit give the same bytes. html is one page for people, csv a ZIP of tables
for spreadsheets, pdf a summary.

--annex FILE --recipient age1... --role NAME writes the pictures instead: thumbnails and
face crops of media with hits, near matches or candidates, encrypted for that key alone.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if annex != "" || a.Role != "" || a.Recipient != "" {
				return e.annex(cmd.Context(), args[0], annex, force, a)
			}
			if !cmd.Flags().Changed("format") {
				var err error
				if format, err = formatOf(out); err != nil {
					return err
				}
			}
			if err := e.writable(out, force); err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error {
				return e.writeFile(out, force, func(w io.Writer) error { return p.report(cmd.Context(), w, report.Format(format), args[0], e.who()) })
			})
		}}
	cmd.Flags().StringVar(&format, "format", "html", "html, csv (a ZIP of tables), jsonl or pdf; when it is not said, the name of the file tells")
	cmd.Flags().StringVarP(&out, "output", "o", "-", "the file to write; - is standard output")
	forceFlag(cmd, &force)
	cmd.Flags().StringVar(&annex, "annex", "", "the file to write pictures to, encrypted")
	cmd.Flags().StringVar(&a.Recipient, "recipient", "", "the age public key that reads the annex")
	cmd.Flags().StringVar(&a.Role, "role", "", "the role of whom the annex is for; it is audited")
	return cmd
}

// formatOf is the format that a file's name asks for.
func formatOf(name string) (string, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".pdf":
		return string(report.PDF), nil
	case ".jsonl", ".ndjson":
		return string(report.JSONL), nil
	case ".zip":
		return string(report.CSV), nil
	case ".csv":
		return "", semblance.Errorf(semblance.Invalid, "a report for spreadsheets is a ZIP of tables, not one table").WithHint("Name the file .zip, or say --format csv.")
	}
	return string(report.HTML), nil
}

// annex writes the pictures of a case for one role, and audits that it will and that it has.
func (e *env) annex(ctx context.Context, number, file string, force bool, a report.Annex) error {
	if file == "" || file == "-" {
		return semblance.Errorf(semblance.Invalid, "an annex is written to a file").WithHint("Name it with --annex FILE.")
	}
	if err := a.Check(); err != nil {
		return err
	}
	if err := e.writable(file, force); err != nil {
		return err
	}
	return e.stored(ctx, func(p *program) error {
		return e.writeFile(file, force, func(w io.Writer) error {
			m, err := p.annex(ctx, w, a, number, e.who())
			if err == nil {
				e.note("%s of %s with hits, near matches or candidates; of %s none was kept", count(int64(m.Files), "picture", "pictures"), count(int64(len(m.Media)), "media", "media"), thousands(int64(m.Without)))
			}
			return err
		})
	})
}

func (p *program) annex(ctx context.Context, w io.Writer, a report.Annex, number string, who semblance.Actor) (report.AnnexManifest, error) {
	c, err := p.store.Case(ctx, number)
	if err != nil {
		return report.AnnexManifest{}, err
	}
	a.Pictures = p.store
	ev := semblance.AuditEvent{Actor: who, Action: "report.annex", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis, Detail: map[string]any{"role": a.Role, "recipient": a.Recipient}}
	if err := p.store.Append(ctx, ev); err != nil {
		return report.AnnexManifest{}, err
	}
	sum := sha256.New()
	m, err := report.WriteAnnex(ctx, io.MultiWriter(w, sum), report.Source{Case: c, Program: "semblance " + version, Rows: p.rows(ctx, c.ID)}, a)
	if err != nil {
		return m, err
	}
	var seen []string
	for _, x := range m.Media {
		seen = append(seen, x.SHA256.String())
	}
	ev.Action, ev.Detail = "report.annex.written", map[string]any{"role": a.Role, "recipient": a.Recipient, "media": seen, "files": m.Files, "sha256": hex.EncodeToString(sum.Sum(nil))}
	return m, p.store.Append(ctx, ev)
}

// reportFont is Debian's font that has more than western letters (package
// fonts-dejavu-core); without it a PDF writes them out.
const reportFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

// report writes a case's report and audits it first: what is exported is known
// even when the export fails half-way.
func (p *program) report(ctx context.Context, w io.Writer, format report.Format, number string, who semblance.Actor) error {
	c, err := p.store.Case(ctx, number)
	if err != nil {
		return err
	}
	s := report.Source{Case: c, Program: "semblance " + version, Written: time.Now(), Actor: who.Name, Rows: p.rows(ctx, c.ID), Selectors: p.selectors(ctx, c.ID), Engines: p.engine.Engines}
	if s.Exhibits, err = p.store.Exhibits(ctx, c.ID); err != nil {
		return err
	}
	if s.Collections, err = p.store.Collections(ctx); err != nil {
		return err
	}
	if s.Requests, err = p.store.Requests(ctx, c.ID); err != nil {
		return err
	}
	if s.Compared, err = p.compared(ctx, c.ID); err != nil {
		return err
	}
	if s.Notices, err = p.store.Notices(ctx, c.ID, semblance.NoticeFilter{Limit: math.MaxInt32}); err != nil {
		return err
	}
	if format == report.PDF {
		s.Font, _ = os.ReadFile(reportFont) // without it the report says what it cannot show
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

// compared says what the exhibits of a case were compared with.
func (p *program) compared(ctx context.Context, id semblance.CaseID) (out []report.Compared, err error) {
	plans, err := p.store.ComparedWith(ctx, id)
	for _, x := range plans {
		c := report.Compared{Exhibit: x.Exhibit}
		for _, col := range x.Collections {
			text := fmt.Sprintf("%s (%s)", col.Name, col.Kind)
			if col.Entry > 0 {
				text += fmt.Sprintf(", entries up to %d", col.Entry)
			}
			if col.Sets > 0 {
				text += fmt.Sprintf(", digest sets up to %d", col.Sets)
			}
			c.Collections = append(c.Collections, text)
		}
		out = append(out, c)
	}
	return out, err
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

// selectors are those of a case as a report wants them.
func (p *program) selectors(ctx context.Context, id semblance.CaseID) iter.Seq2[semblance.CaseSelector, error] {
	return func(yield func(semblance.CaseSelector, error) bool) {
		err := p.store.EachCaseSelector(ctx, id, func(x semblance.CaseSelector) error {
			if !yield(x, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(semblance.CaseSelector{}, err)
		}
	}
}
