package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/report"
)

func newLinks(e *env) *cobra.Command {
	var r semblance.LinkRequest
	var kinds []string
	var format, out string
	var force bool
	cmd := &cobra.Command{Use: "links CASE...", Short: "What exhibits share: media, videos, sound, cameras, selectors, faces; as a table or a graph",
		Long: `Compares the exhibits of one or more cases with each other: the same or nearly the same
media, videos with a stretch in common, pictures of a frame of a video, the same sound in different media, pictures of the same camera, the same selector,
the same group of faces (run "semblance group" first). What crosses countries comes first, then what crosses cases, then
the stronger kind, then what the fewest exhibits share. "Only these two" counts what no
other exhibit asked about has; "first seen on" is the exhibit with the earliest time of
modification, as far as times have a known zone: a copy can carry the time of the original.

--format graphml is for Gephi, yEd, Cytoscape and the like; --format json is the graph as JSON;
with --json each link, each pair of exhibits, and at last what was compared is a line. The table shows at most 50
pairs, in a terminal also as many exhibits of a link as fit, and says how many more there
are.`,
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
	f.IntVar(&r.Distance, "distance", 0, fmt.Sprintf("of near media and frames, bits; 0 is %d", semblance.DefaultStackDistance))
	f.Float64Var(&r.Overlap, "overlap", 0, fmt.Sprintf("of near videos, seconds they have in common at least; 0 is %v; half of the shorter one is always enough", semblance.DefaultOverlap))
	f.BoolVar(&r.AllFiles, "all-files", false, "also link files that are no pictures or videos")
	f.IntVar(&r.Most, "most", 0, "leave out what more exhibits than this share; 0 leaves out nothing")
	f.IntVar(&r.Limit, "limit", semblance.DefaultLinkLimit, "links told, the strongest first")
	f.StringVar(&format, "format", "table", "table, json or graphml")
	f.StringVarP(&out, "output", "o", "-", "the file to write to, whatever the format; - is standard output")
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
	g := report.NewLinkGraph(l)
	write := func(w io.Writer) error { printLinks(w, l); return nil }
	switch {
	case format == "graphml":
		write = g.WriteGraphML
	case format == "json":
		write = g.WriteJSON
	case e.json:
		write = func(w io.Writer) error { return writeLinks(w, l) }
	}
	if err := e.writeFile(out, force, write); err != nil {
		return err
	}
	for _, n := range l.Notes { // whatever the format: they say what was not compared
		e.note("%s", n)
	}
	if format != "table" || e.json {
		return nil
	}
	e.note("%s of %s compared; %s, %s told", count(int64(l.Exhibits), "exhibit", "exhibits"), count(int64(len(l.Cases)), "case", "cases"), count(int64(l.Total), "link", "links"), thousands(int64(len(l.Links))))
	return nil
}

// unknownTimes says of how many exhibits no time is known, which may be earlier.
func unknownTimes(list []semblance.LinkedExhibit) string {
	n := 0
	for _, x := range list {
		if x.Time == nil {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d not known)", n)
}

// turnedBy says how the first of two pictures is turned; nothing where it is not.
func turnedBy(transform string) string {
	if transform == "" {
		return ""
	}
	return ", " + transform
}

// after says at which second; nothing of nil.
func after(second *float64) string {
	if second == nil {
		return ""
	}
	return ", at " + semblance.SecondsInWords(*second)
}

// writeLinks writes each link, then each pair of exhibits, and then what was compared, as a
// line of JSON.
func writeLinks(w io.Writer, l semblance.Links) error {
	enc := json.NewEncoder(w)
	for _, x := range l.Links {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	for _, x := range l.Pairs {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return enc.Encode(linksEnd{l.Cases, l.Exhibits, l.Total, len(l.Links), l.Notes})
}

// linksEnd is the last line: what was compared, and what was not.
type linksEnd struct {
	Cases    []string `json:"cases_compared"`
	Exhibits int      `json:"exhibits_compared"`
	Total    int      `json:"total"` // links
	Told     int      `json:"told"`
	Notes    []string `json:"notes,omitempty"`
}

// mostPairs is how many pairs of exhibits the table has.
const mostPairs = 50

func printLinks(w io.Writer, l semblance.Links) {
	wide := 0 // a program, or who reads the file, gets all exhibits of a link
	if terminal(w) {
		wide = maxCell
	}
	t := newTable("KIND", "EXHIBITS", "FIRST SEEN ON", "WHAT")
	t.whole = true
	for _, x := range l.Links {
		what := x.Value
		switch {
		case x.Kind == semblance.LinkMedia || x.Kind == semblance.LinkSound:
			what = x.Value[:12] + " " + x.Label
		case slices.Contains([]semblance.LinkKind{semblance.LinkNear, semblance.LinkVideo, semblance.LinkStill}, x.Kind):
			what = x.Label
		case x.Label != "" && x.Kind == semblance.LinkFace:
			what += " " + x.Label
		}
		if x.Distance != nil {
			what += fmt.Sprintf(" (%d bits%s%s)", *x.Distance, turnedBy(x.Transform), after(x.Second))
		}
		if x.Overlap != nil {
			what += " (" + x.Overlap.String() + ")"
		}
		first := "not known"
		if x.First != nil {
			y := x.Exhibits[*x.First]
			first = y.Case + " " + y.Exhibit + ", " + y.Time.Format(time.DateTime) + " UTC" + unknownTimes(x.Exhibits)
		}
		t.row(string(x.Kind), linkedExhibits(x.Exhibits, wide), first, what)
	}
	t.print(w)
	if len(l.Pairs) == 0 {
		return
	}
	fmt.Fprintln(w, "\nPairs of exhibits")
	t = newTable("EXHIBIT", "EXHIBIT", "SHARED", "ONLY THESE TWO", "KINDS")
	t.whole = true
	for _, p := range l.Pairs[:min(len(l.Pairs), mostPairs)] {
		var of []string
		for _, k := range semblance.LinkKinds() {
			if n := p.Kinds[k]; n > 0 {
				of = append(of, fmt.Sprintf("%s %d", k, n))
			}
		}
		t.row(p.CaseA+" "+p.LabelA, p.CaseB+" "+p.LabelB, p.Shared, p.Only, strings.Join(of, ", "))
	}
	t.print(w)
	if more := len(l.Pairs) - mostPairs; more > 0 {
		fmt.Fprintf(w, "and %s; --json lists all\n", count(int64(more), "more pair", "more pairs"))
	}
}

// linkedExhibits names the exhibits of a link: the first that are not wider than so many
// characters and how many more there are, or all where the width is 0.
func linkedExhibits(list []semblance.LinkedExhibit, wide int) string {
	text := ""
	for i, x := range list {
		one := fmt.Sprintf("%s %s (%d)", x.Case, x.Exhibit, x.Items)
		switch {
		case i == 0:
			text = one
		case wide > 0 && utf8.RuneCountInString(text+"; "+one) > wide:
			return fmt.Sprintf("%s; and %d more", text, len(list)-i)
		default:
			text += "; " + one
		}
	}
	return text
}
