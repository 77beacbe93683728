package report

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"

	"semblance"
)

// A summary counts rows: every format is made of the same counts.
type summary struct {
	Total      counts
	PerExhibit []exhibitCounts // by label, as the rows come
	Reasons    []reasonCount   // of items that failed or were not examined, by status and code, the most first
	Partial    []reasonCount   // of media of which only a part could be decoded
	Decoders   []toolCount     // of media, by name and version
	Tools      []toolCount     // that looked for faces, with their models
	Provided   []toolCount     // programs of the agency that were asked
	Origins    []toolCount     // of items, by application and kind, as their paths say

	media             map[semblance.SHA256]bool
	here              map[semblance.SHA256]bool // of the exhibit that is under way
	found, foundHere  foundMedia
	reasons           map[reasonCount]int
	partial           map[reasonCount]int
	decoders, engines map[string]int
	provided, origins map[string]int
}

// counts are those of a case or an exhibit.
type counts struct {
	Items, New, Duplicate, KnownGood, Unsupported, Failed, Partial int
	Bytes                                                          int64
	Media, Faces                                                   int
	Hits, Weak, NearMatches, Candidates, Contradictions            int // each at every item that has its media
	HitMedia, NearMatchMedia, CandidateMedia                       int // different media with them
	Embedded                                                       int // of the hits and near matches, those that rest on an embedded picture
}

// Sum is what the statuses add up to.
func (c counts) Sum() int { return c.New + c.Duplicate + c.KnownGood + c.Unsupported + c.Failed }

// An exhibitCounts is one exhibit's.
type exhibitCounts struct {
	Label string
	counts
}

// A reasonCount is how often a reason was given. Numbers in it are left out, so that "row
// 17" and "row 18" are one reason.
type reasonCount struct {
	Status semblance.ItemStatus
	Code   semblance.Code
	Reason string
	Items  int
}

// A toolCount is how much something was used.
type toolCount struct {
	Name  string
	Count int
}

func newSummary() *summary {
	return &summary{media: map[semblance.SHA256]bool{}, here: map[semblance.SHA256]bool{}, found: newFoundMedia(), foundHere: newFoundMedia(), reasons: map[reasonCount]int{}, partial: map[reasonCount]int{},
		decoders: map[string]int{}, engines: map[string]int{}, provided: map[string]int{}, origins: map[string]int{}}
}

// add counts a row. Rows of an exhibit come one after the other.
func (s *summary) add(r Row) {
	if n := len(s.PerExhibit); n == 0 || s.PerExhibit[n-1].Label != r.Exhibit {
		s.PerExhibit = append(s.PerExhibit, exhibitCounts{Label: r.Exhibit})
		clear(s.here)
		s.foundHere.clear()
	}
	e := &s.PerExhibit[len(s.PerExhibit)-1].counts
	first, firstHere := false, false
	if sum := r.Item.SHA256; sum != nil {
		first, firstHere = !s.media[*sum], !s.here[*sum]
		s.media[*sum], s.here[*sum] = true, true
	}
	s.Total.add(r, first)
	e.add(r, firstHere)
	if sum := r.Item.SHA256; sum != nil && r.Findings != nil {
		s.found.add(&s.Total, *sum, r.Findings)
		s.foundHere.add(e, *sum, r.Findings)
	}
	if o := originOf(r); o.Application() != "" || o.Kind() != "" {
		s.origins[strings.Trim(o.Application()+", "+string(o.Kind()), ", ")]++
	}
	if r.Item.Status == semblance.ItemFailed || r.Item.Status == semblance.ItemUnsupported {
		s.reasons[reasonCount{r.Item.Status, r.Item.Code, general(r.Item.Reason), 0}]++
	}
	if first && r.Media != nil && r.Media.Analysis != nil {
		s.tools(r.Media.Analysis)
	}
}

// A foundMedia is in which media something was found: hits, near matches, candidates.
type foundMedia [3]map[semblance.SHA256]bool

func newFoundMedia() (m foundMedia) {
	for i := range m {
		m[i] = map[semblance.SHA256]bool{}
	}
	return m
}

func (m foundMedia) clear() {
	for _, of := range m {
		clear(of)
	}
}

// add counts a media once for each kind of finding in it.
func (m foundMedia) add(c *counts, sum semblance.SHA256, f *semblance.Findings) {
	for i, x := range []struct {
		found int
		count *int
	}{{len(f.Hits), &c.HitMedia}, {len(f.NearMatches), &c.NearMatchMedia}, {len(f.Candidates), &c.CandidateMedia}} {
		if x.found > 0 && !m[i][sum] {
			m[i][sum] = true
			*x.count++
		}
	}
}

// tools counts what made the signals of a media.
func (s *summary) tools(a *semblance.Analysis) {
	if a.Decoder != "" {
		s.decoders[a.Decoder]++
	}
	if a.Partial != "" {
		s.partial[reasonCount{Reason: general(a.Partial)}]++
	}
	for _, set := range a.FaceSets {
		name := fmt.Sprintf("%s version %d", set.Engine, set.Version)
		for _, model := range slices.Sorted(maps.Keys(set.Models)) {
			name += ", " + model + " sha256 " + set.Models[model]
		}
		s.engines[name]++
	}
	for _, p := range a.Providers {
		s.provided[string(p.Provider)+" "+p.Version]++
	}
}

// add counts a row, and its media when it is the first of it.
func (c *counts) add(r Row, first bool) {
	c.Items++
	c.Bytes += r.Item.Size
	switch r.Item.Status {
	case semblance.ItemNew:
		c.New++
	case semblance.ItemDuplicate:
		c.Duplicate++
	case semblance.ItemKnownGood:
		c.KnownGood++
	case semblance.ItemUnsupported:
		c.Unsupported++
	case semblance.ItemFailed:
		c.Failed++
	}
	if first {
		c.Media++
	}
	if r.Media != nil && r.Media.Analysis != nil {
		if r.Media.Analysis.Partial != "" {
			c.Partial++
		}
		for _, set := range r.Media.Analysis.FaceSets {
			if first {
				c.Faces += len(set.Faces)
			}
		}
	}
	f := r.Findings
	if f == nil {
		return
	}
	c.Hits, c.NearMatches = c.Hits+len(f.Hits), c.NearMatches+len(f.NearMatches)
	c.Candidates, c.Contradictions = c.Candidates+len(f.Candidates), c.Contradictions+len(f.Contradictions)
	for _, h := range f.Hits {
		if h.Weak {
			c.Weak++
		}
		if h.Embedded != "" {
			c.Embedded++
		}
	}
	for _, n := range f.NearMatches {
		if n.Embedded != "" {
			c.Embedded++
		}
	}
}

// done sorts what was counted, and insists that it adds up.
func (s *summary) done() error {
	s.Total.Media = len(s.media)
	s.Reasons, s.Partial = sortedReasons(s.reasons), sortedReasons(s.partial)
	s.Decoders, s.Tools, s.Provided, s.Origins = sortedTools(s.decoders), sortedTools(s.engines), sortedTools(s.provided), sortedTools(s.origins)
	items := 0
	for _, e := range append([]exhibitCounts{{"", s.Total}}, s.PerExhibit...) {
		if e.Sum() != e.Items {
			return semblance.Errorf(semblance.Internal, "the report's counts do not add up: %d items, %d accounted for", e.Items, e.Sum())
		}
		items += e.Items
	}
	if items != 2*s.Total.Items {
		return semblance.Errorf(semblance.Internal, "the report's counts do not add up: %d items in all, %d in the exhibits", s.Total.Items, items-s.Total.Items)
	}
	return nil
}

func sortedReasons(m map[reasonCount]int) (out []reasonCount) {
	for r, n := range m {
		r.Items = n
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b reasonCount) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(b.Items, a.Items), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}

func sortedTools(m map[string]int) (out []toolCount) {
	for name, n := range m {
		out = append(out, toolCount{name, n})
	}
	slices.SortFunc(out, func(a, b toolCount) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return out
}

// general is a reason without its numbers and names.
func general(reason string) string {
	var b strings.Builder
	quoted, digits := false, false
	for _, r := range reason {
		switch {
		case r == '"':
			quoted = !quoted
			if quoted {
				b.WriteString(`"…"`)
			}
		case quoted:
		case unicode.IsDigit(r):
			if !digits {
				b.WriteByte('#')
			}
		default:
			b.WriteRune(r)
		}
		digits = unicode.IsDigit(r)
	}
	return b.String()
}

// A namedCount is one count with its name in lists.
type namedCount struct {
	Name  string
	Value int64
}

func (c counts) named() []namedCount {
	return []namedCount{{"items", int64(c.Items)}, {"new", int64(c.New)}, {"duplicate", int64(c.Duplicate)}, {"known-good", int64(c.KnownGood)}, {"unsupported", int64(c.Unsupported)}, {"failed", int64(c.Failed)},
		{"decoded in part", int64(c.Partial)}, {"bytes", c.Bytes}, {"contents", int64(c.Media)}, {"faces", int64(c.Faces)}, {"hits", int64(c.Hits)}, {"weak hits", int64(c.Weak)}, {"near matches", int64(c.NearMatches)},
		{"candidates", int64(c.Candidates)}, {"contradictions", int64(c.Contradictions)},
		{"contents with hits", int64(c.HitMedia)}, {"contents with near matches", int64(c.NearMatchMedia)}, {"contents with candidates", int64(c.CandidateMedia)}, {"resting on an embedded picture", int64(c.Embedded)}}
}

// byTool gives the lists of what was used, in a fixed order.
func (s *summary) byTool() iter.Seq2[string, []toolCount] {
	return func(yield func(string, []toolCount) bool) {
		_ = yield("decoder", s.Decoders) && yield("face engine", s.Tools) && yield("provider", s.Provided) && yield("origin", s.Origins)
	}
}
