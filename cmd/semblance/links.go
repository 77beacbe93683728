package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
)

func newLinks(e *env) *cobra.Command {
	var r semblance.LinkRequest
	var kinds []string
	var format, out string
	var force bool
	cmd := &cobra.Command{Use: "links CASE...", Short: "What exhibits share: media, cameras, selectors, faces; as a table or a graph",
		Long: `Compares the exhibits of one or more cases with each other: the same or nearly the same
media, pictures of the same camera, the same selector, the same group of faces (run
"semblance group" first). What crosses countries comes first, then what crosses cases, then
the stronger kind, then what the fewest exhibits share. "Only these two" counts what no
other exhibit asked about has; "first seen on" is the exhibit with the earliest time of
modification, as far as times have a known zone: a copy can carry the time of the original.

--format graphml is for Gephi, yEd, Cytoscape and the like; --format json is the graph as JSON;
with --json each link, and then each pair of exhibits, is a line.`,
		Args: cobra.ArbitraryArgs, RunE: func(cmd *cobra.Command, args []string) error {
			r.Cases = args
			for _, k := range kinds {
				r.Kinds = append(r.Kinds, semblance.LinkKind(k))
			}
			if format != "table" && format != "graphml" && format != "json" {
				return semblance.Errorf(semblance.Invalid, "%q is not a format of links", format).WithHint("The formats are table, json and graphml.")
			}
			if err := e.writable(out, force); err != nil {
				return err
			}
			return e.stored(cmd.Context(), func(p *program) error {
				l, err := p.engine.Links(cmd.Context(), e.who(), r)
				if err != nil {
					return err
				}
				return e.links(l, format, out, force)
			})
		}}
	f := cmd.Flags()
	f.BoolVar(&r.All, "all", false, "all cases there are")
	f.StringSliceVar(&kinds, "kind", nil, "kinds of links: "+linkKindNames())
	f.IntVar(&r.Distance, "distance", 0, fmt.Sprintf("of near media, bits; 0 is %d", semblance.DefaultStackDistance))
	f.BoolVar(&r.AllFiles, "all-files", false, "also link files that are no pictures or videos")
	f.IntVar(&r.Most, "most", 0, "leave out what more exhibits than this share; 0 leaves out nothing")
	f.IntVar(&r.Limit, "limit", semblance.DefaultLinkLimit, "links told, the strongest first")
	f.StringVar(&format, "format", "table", "table, json or graphml")
	f.StringVarP(&out, "output", "o", "-", "the file to write a graph to; - is standard output")
	forceFlag(cmd, &force)
	return cmd
}

func linkKindNames() string {
	var names []string
	for _, k := range semblance.LinkKinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

func (e *env) links(l semblance.Links, format, out string, force bool) error {
	if format == "table" {
		return e.printLinks(l)
	}
	g := report.NewLinkGraph(l)
	write := g.WriteJSON
	if format == "graphml" {
		write = g.WriteGraphML
	}
	return e.writeFile(out, force, write)
}

func (e *env) printLinks(l semblance.Links) error {
	if e.json {
		for _, x := range l.Links {
			if err := e.emit(x); err != nil {
				return err
			}
		}
		for _, x := range l.Pairs {
			if err := e.emit(x); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable("KIND", "EXHIBITS", "FIRST SEEN ON", "WHAT")
	for _, x := range l.Links {
		what := x.Value
		switch {
		case x.Kind == semblance.LinkMedia || x.Kind == semblance.LinkSound:
			what = x.Value[:12] + " " + x.Label
		case x.Kind == semblance.LinkNear:
			what = x.Label
		case x.Label != "" && x.Kind == semblance.LinkFace:
			what += " " + x.Label
		}
		if x.Distance != nil {
			what += fmt.Sprintf(" (%d bits)", *x.Distance)
		}
		var on []string
		for _, y := range x.Exhibits {
			on = append(on, fmt.Sprintf("%s %s (%d)", y.Case, y.Exhibit, y.Items))
		}
		first := "not known"
		if x.First != nil {
			y := x.Exhibits[*x.First]
			first = y.Case + " " + y.Exhibit + ", " + y.Time.Format(time.DateTime) + " UTC"
		}
		t.row(string(x.Kind), strings.Join(on, "; "), first, what)
	}
	t.print(e.out)
	if len(l.Pairs) > 0 {
		e.say("\nPairs of exhibits")
		t = newTable("EXHIBIT", "EXHIBIT", "SHARED", "ONLY THESE TWO", "KINDS")
		for _, p := range l.Pairs[:min(len(l.Pairs), 50)] {
			var of []string
			for _, k := range semblance.LinkKinds() {
				if n := p.Kinds[k]; n > 0 {
					of = append(of, fmt.Sprintf("%s %d", k, n))
				}
			}
			t.row(p.CaseA+" "+p.LabelA, p.CaseB+" "+p.LabelB, p.Shared, p.Only, strings.Join(of, ", "))
		}
		t.print(e.out)
	}
	for _, n := range l.Notes {
		e.note("%s", n)
	}
	e.note("%s of %s compared; %s, %s told", count(int64(l.Exhibits), "exhibit", "exhibits"), count(int64(len(l.Cases)), "case", "cases"), count(int64(l.Total), "link", "links"), thousands(int64(len(l.Links))))
	return nil
}
