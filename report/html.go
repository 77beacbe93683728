package report

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"semblance"
	"semblance/hashing"
)

//go:embed page.html
var pageText string

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// A page is what the template shows. Lists are bounded: the NDJSON has all.
type page struct {
	Source
	Counts         counts
	Hits           []found[semblance.Hit]
	NearMatches    []found[semblance.NearMatch]
	Candidates     []found[semblance.Candidate]
	Contradictions []found[semblance.Contradiction]
	Failed         []Row
	Partial        []Row
	NotExamined    []Row
	Limits         []engineLimits
	Most           int
}

// A found is a finding with its item.
type found[T any] struct {
	Row
	F T
}

type counts struct {
	Items, New, Duplicate, KnownGood, Unsupported, Failed, Partial int
	Bytes                                                          int64
	Media                                                          int
	Hits, Weak, NearMatches, Candidates, Contradictions            int
}

// Sum is what the statuses add up to.
func (c counts) Sum() int { return c.New + c.Duplicate + c.KnownGood + c.Unsupported + c.Failed }

// mostRows is how many rows of one list the page shows: a browser stays usable.
const mostRows = 5000

// engineLimits are what the page says of an engine.
type engineLimits struct {
	Name   semblance.EngineName
	Limits string
}

func writeHTML(w io.Writer, s Source) error {
	p := page{Source: s, Most: mostRows}
	seen := map[semblance.SHA256]bool{}
	for row, err := range s.Rows {
		if err != nil {
			return err
		}
		p.add(row, seen)
	}
	p.Counts.Media = len(seen)
	if p.Counts.Sum() != p.Counts.Items {
		return semblance.Errorf(semblance.Internal, "the report's counts do not add up: %d items, %d accounted for", p.Counts.Items, p.Counts.Sum())
	}
	for _, c := range s.Collections {
		if c.Kind != semblance.Faces {
			continue
		}
		if l := (engineLimits{c.Engine, s.Engines.Limits(c.Engine)}); !slices.Contains(p.Limits, l) {
			p.Limits = append(p.Limits, l)
		}
	}
	t, err := template.New("report").Funcs(template.FuncMap{"upper": strings.ToUpper, "name": shortName, "age": semblance.DeclaredAge}).Parse(pageText)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := t.Execute(&text, p); err != nil {
		return err
	}
	_, err = visible().WriteString(w, text.String())
	return err
}

// visible writes out the characters that control how text around them is shown: a
// file's name must not be able to look like another.
func visible() *strings.Replacer {
	var pairs []string
	add := func(from, to rune) {
		for r := from; r <= to; r++ {
			if r != '\t' && r != '\n' {
				pairs = append(pairs, string(r), fmt.Sprintf(`\u%04x`, r))
			}
		}
	}
	add(0x01, 0x1f)
	add(0x7f, 0x9f)
	add(0x200b, 0x200f)
	add(0x202a, 0x202e)
	add(0x2066, 0x2069)
	add(0xfeff, 0xfeff)
	return strings.NewReplacer(pairs...)
}

// shortName is an algorithm's name without its implementation.
func shortName(a hashing.Algorithm) string {
	name, _, _ := strings.Cut(string(a), "/")
	return name
}

func (p *page) add(r Row, seen map[semblance.SHA256]bool) {
	c := &p.Counts
	c.Items++
	c.Bytes += r.Item.Size
	if r.Item.SHA256 != nil {
		seen[*r.Item.SHA256] = true
	}
	switch r.Item.Status {
	case semblance.ItemNew:
		c.New++
	case semblance.ItemDuplicate:
		c.Duplicate++
	case semblance.ItemKnownGood:
		c.KnownGood++
	case semblance.ItemUnsupported:
		c.Unsupported++
		p.NotExamined = capped(p.NotExamined, r)
	case semblance.ItemFailed:
		c.Failed++
		p.Failed = capped(p.Failed, r)
	}
	if r.Media != nil && r.Media.Analysis != nil && r.Media.Analysis.Partial != "" {
		c.Partial++
		p.Partial = capped(p.Partial, r)
	}
	if r.Findings != nil {
		p.addFindings(r)
	}
}

func (p *page) addFindings(r Row) {
	c, f := &p.Counts, r.Findings
	c.Hits, c.NearMatches = c.Hits+len(f.Hits), c.NearMatches+len(f.NearMatches)
	c.Candidates, c.Contradictions = c.Candidates+len(f.Candidates), c.Contradictions+len(f.Contradictions)
	for _, h := range f.Hits {
		if h.Weak {
			c.Weak++
		}
		p.Hits = capped(p.Hits, found[semblance.Hit]{r, h})
	}
	for _, n := range f.NearMatches {
		p.NearMatches = capped(p.NearMatches, found[semblance.NearMatch]{r, n})
	}
	for _, x := range f.Candidates {
		p.Candidates = capped(p.Candidates, found[semblance.Candidate]{r, x})
	}
	for _, x := range f.Contradictions {
		p.Contradictions = capped(p.Contradictions, found[semblance.Contradiction]{r, x})
	}
}

func capped[T any](list []T, v T) []T {
	if len(list) >= mostRows {
		return list
	}
	return append(list, v)
}
