package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"semblance"
)

func newStack(e *env) *cobra.Command {
	var r semblance.StackRequest
	var f semblance.StackFilter
	var show string
	cmd := &cobra.Command{Use: "stack CASE", Short: "Stack identical and nearly identical media of a case, and list the stacks", Args: exactly(1, "the case number"),
		Long: `Brings the stacks of a case up to date and lists them, those with the gravest findings
first. A stack is seen once: its representative is the picture with most pixels, and every
other one is within the distance of it. Nothing is hidden: a stack tells the findings of
all its media. Pictures of a quality under 50, videos and pictures with several frames
stand by themselves; identical files are one media in any case.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Case = args[0]
			return e.stored(cmd.Context(), func(p *program) error {
				if show != "" {
					var sum semblance.SHA256
					if err := sum.UnmarshalText([]byte(show)); err != nil {
						return semblance.Errorf(semblance.Invalid, "a media is named by the 64 digits of its SHA-256")
					}
					s, err := p.engine.ShowStack(cmd.Context(), e.who(), r.Case, sum)
					if err != nil {
						return err
					}
					return e.showStack(s)
				}
				s, list, err := p.engine.ListStacks(cmd.Context(), e.who(), r, f)
				if err != nil {
					return err
				}
				return e.printStacks(s, list)
			})
		}}
	fl := cmd.Flags()
	fl.IntVar(&r.Distance, "distance", 0, fmt.Sprintf("largest PDQ distance from the representative, bits; 0 is as before, or %d", semblance.DefaultStackDistance))
	fl.BoolVar(&r.Fresh, "fresh", false, "begin again; the stacks are the same")
	fl.IntVar(&f.Least, "least", 1, "only stacks of so many media or more")
	fl.IntVar(&f.Limit, "limit", 100, "stacks listed")
	fl.IntVar(&f.After, "after", 0, "stacks to skip")
	fl.StringVar(&show, "show", "", "show the stack that this media (SHA-256) is in")
	return cmd
}

func (e *env) printStacks(s semblance.Stacking, list []semblance.Stack) error {
	if e.json {
		for _, x := range list {
			if err := e.emit(x); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable("REPRESENTATIVE", "MEDIA", "ITEMS", "GRAVEST", "HITS", "NEAR MATCHES", "CANDIDATES")
	for _, x := range list {
		t.row(x.Representative.String(), x.Media, x.Items, x.Gravest, x.Findings.Hits, x.Findings.NearMatches, x.Findings.Candidates)
	}
	t.print(e.out)
	e.note("%s in %s, within %d bits of their representatives; %d new", count(int64(s.Media), "media", "media"), count(int64(s.Stacks), "stack", "stacks"), s.Distance, s.New)
	return nil
}

func (e *env) showStack(s semblance.Stack) error {
	if e.json {
		return e.emit(s)
	}
	t := newTable("MEDIA", "DISTANCE", "WIDTH", "HEIGHT", "BYTES", "FINDINGS", "EXHIBIT", "PATH")
	for _, m := range s.Members {
		n := 0
		if f := m.Findings; f != nil {
			n = len(f.Hits) + len(f.NearMatches) + len(f.Candidates) + len(f.Contradictions) + len(f.KnownGood)
		}
		exhibit, path := "", ""
		if len(m.Items) > 0 {
			exhibit, path = m.Items[0].Exhibit, m.Items[0].Path
		}
		if m.Count > 1 {
			path += fmt.Sprintf(" and %d more", m.Count-1)
		}
		t.row(m.Media.String(), m.Distance, m.Width, m.Height, m.Size, n, exhibit, path)
	}
	t.print(e.out)
	return nil
}
