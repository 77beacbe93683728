package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/selector"
)

//go:embed page.html
var pageText string

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// A page is what the template shows. Lists are bounded: the NDJSON has all.
type page struct {
	Source
	*summary
	Hits           []found[semblance.Hit]
	NearMatches    []found[semblance.NearMatch]
	Candidates     []found[semblance.Candidate]
	Contradictions []found[semblance.Contradiction]
	Failed         []Row
	Partial        []Row
	NotExamined    []Row
	Containers     []Row // those with notes
	Limits         []engineLimits
	Floods         []semblance.Flood
	Most           int
	Times          []itemTime // of the items that are listed with findings
	zone           *time.Location
	Withdrawn      []semblance.Notice

	since sinces
	rows  map[string]int                          // place in its list of what is listed of a content
	near  map[nearEntry]map[semblance.SHA256]bool // media near each entry
}

// A nearEntry is an entry that media are near.
type nearEntry struct {
	collection string
	entry      semblance.EntryID
	selector   bool
}

// A found is a finding with its item.
type found[T any] struct {
	Row
	F     T
	Since string // day on which a look-back found it; "" when a scan did
	Also  []Row  // further places of the same content in the exhibit, where the same was found
	More  int    // of those, not in Also
}

// mostPlaces is how many further places of one content the page shows.
const mostPlaces = 1000

// place adds a finding to its list. A content that lies at several places of an exhibit,
// such as a deleted picture that was recovered and carved as well, is listed once, at the
// place that says most, with its further places in the order of what they say.
func place[T any](p *page, list []found[T], f found[T]) []found[T] {
	key := placeKey(f.Row, f.F)
	i, listed := p.rows[key]
	switch {
	case !listed && len(list) < mostRows:
		p.rows[key] = len(list)
		return append(list, f)
	case listed:
		list[i].also(f.Row)
	}
	return list
}

// also adds a place. Where there are too many, those that say least are only counted.
func (f *found[T]) also(r Row) {
	if r.Item.Rank() < f.Item.Rank() {
		r, f.Row = f.Row, r
		f.Also = slices.Insert(f.Also, 0, r) // those there are say no more than it
	} else {
		n := len(f.Also)
		for n > 0 && f.Also[n-1].Item.Rank() > r.Item.Rank() {
			n--
		}
		f.Also = slices.Insert(f.Also, n, r)
	}
	if len(f.Also) > mostPlaces {
		f.Also = f.Also[:mostPlaces]
		f.More++
	}
}

// placeKey names a finding in a content of an exhibit, wherever that lies.
func placeKey(r Row, finding any) string {
	text, _ := json.Marshal(finding) // plain data: cannot fail
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %q %v %s", finding, r.Exhibit, r.Item.SHA256, text))
	return string(sum[:])
}

// mostRows is how many rows of one list the page shows: a browser stays usable.
const mostRows = 5000

// engineLimits are what the page says of an engine.
type engineLimits struct {
	Name   semblance.EngineName
	Limits string
}

func writeHTML(w io.Writer, s Source) error {
	zone, err := s.Case.Location()
	if err != nil {
		return err
	}
	p := page{Source: s, zone: zone, summary: newSummary(), Most: mostRows, Withdrawn: withdrawn(s.Notices), since: sincesOf(s.Notices), rows: map[string]int{}, near: map[nearEntry]map[semblance.SHA256]bool{}}
	for row, err := range s.Rows {
		if err != nil {
			return err
		}
		p.summary.add(row)
		p.list(row)
	}
	if err := p.summary.done(); err != nil {
		return err
	}
	p.foldFloods()
	p.listTimes()
	for _, c := range s.Collections {
		if c.Kind != semblance.Faces {
			continue
		}
		if l := (engineLimits{c.Engine, s.Engines.Limits(c.Engine)}); !slices.Contains(p.Limits, l) {
			p.Limits = append(p.Limits, l)
		}
	}
	t, err := template.New("report").Funcs(template.FuncMap{"upper": strings.ToUpper, "name": shortName, "seconds": secondsOf, "age": semblance.DeclaredAge, "at": p.at, "kept": keptAs, "n": number[int], "n64": number[int64], "utc": inUTC, "local": inCase, "unfinished": func() string { return Unfinished }}).Parse(pageText)
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

// shortName is an algorithm's name without its implementation; of a selector its kind. A
// user name is not an account: the same one may be anybody's.
func shortName(a hashing.Algorithm) string {
	if kind, ok := semblance.SelectorKind(a); ok {
		if kind == selector.User {
			return "user (the name alone)"
		}
		return string(kind)
	}
	name, _, _ := strings.Cut(string(a), "/")
	return name
}

// An itemTime is a time of an item.
type itemTime struct {
	Exhibit, Path string
	T             semblance.ShownTime
}

// at shows a time of the page's own, to the given parts of a second or minute.
func (p *page) at(t time.Time, layout string) string {
	text := t.UTC().Format(layout) + " UTC"
	if p.zone != nil {
		text += " (" + t.In(p.zone).Format(layout+" -07:00") + ")"
	}
	return text
}

// listTimes lists the times of the items that are listed with findings, each item once.
func (p *page) listTimes() {
	seen := map[[2]string]bool{}
	one := func(r Row) {
		key := [2]string{r.Exhibit, r.Item.Path}
		if seen[key] {
			return
		}
		seen[key] = true
		for _, t := range timesOf(r, p.zone) {
			p.Times = capped(p.Times, itemTime{r.Exhibit, r.Item.Path, t})
		}
	}
	add := func(r Row, also []Row) {
		one(r)
		for _, r := range also {
			one(r)
		}
	}
	for _, f := range p.Contradictions {
		add(f.Row, f.Also)
	}
	for _, f := range p.Hits {
		add(f.Row, f.Also)
	}
	for _, f := range p.NearMatches {
		add(f.Row, f.Also)
	}
	for _, f := range p.Candidates {
		add(f.Row, f.Also)
	}
}

// noted reports whether a row is a container of which something was noted, such as that an
// image agrees with the digest it carries.
func noted(r Row) bool { return r.Item.Opened != nil && len(r.Item.Opened.Notes) > 0 }

// Marks say what of an item's file a reader of its path would not know.
func (r Row) Marks() []string {
	out := r.Item.Marks()
	if r.Item.Device != "" {
		out = append(out, "on the device: "+r.Item.Device)
	}
	return out
}

// list adds a row to the lists it belongs to.
func (p *page) list(r Row) {
	switch r.Item.Status {
	case semblance.ItemUnsupported:
		p.NotExamined = capped(p.NotExamined, r)
	case semblance.ItemFailed:
		p.Failed = capped(p.Failed, r)
	}
	if noted(r) {
		p.Containers = capped(p.Containers, r)
	}
	if r.Media != nil && r.Media.Analysis != nil && r.Media.Analysis.Partial != "" {
		p.Partial = capped(p.Partial, r)
	}
	if r.Findings != nil {
		p.addFindings(r)
	}
}

func (p *page) addFindings(r Row) {
	f := r.Findings
	for _, h := range f.Hits {
		if h.Kind() != "digest" && p.isFlooded(r, h.Collection, h.Entry, true) {
			continue
		}
		p.Hits = place(p, p.Hits, found[semblance.Hit]{r, h, p.since.of(r, semblance.Findings{Hits: []semblance.Hit{h}}), nil, 0})
	}
	for _, n := range f.NearMatches {
		if p.isFlooded(r, n.Collection, n.Entry, false) { // a flood: the first stands for all of them, see foldFloods
			continue
		}
		p.NearMatches = place(p, p.NearMatches, found[semblance.NearMatch]{r, n, p.since.of(r, semblance.Findings{NearMatches: []semblance.NearMatch{n}}), nil, 0})
	}
	for _, x := range f.Candidates {
		p.Candidates = place(p, p.Candidates, found[semblance.Candidate]{Row: r, F: x})
	}
	for _, x := range f.Contradictions {
		p.Contradictions = place(p, p.Contradictions, found[semblance.Contradiction]{r, x, p.since.of(r, semblance.Findings{Contradictions: []semblance.Contradiction{x}}), nil, 0})
	}
}

// isFlooded counts a media near an entry, or with its selector, and reports whether so
// many are that the entry floods.
func (p *page) isFlooded(r Row, collection string, entry semblance.EntryID, selector bool) bool {
	key := nearEntry{collection, entry, selector}
	if entry == 0 || r.Item.SHA256 == nil {
		return false
	}
	media := p.near[key]
	if media == nil {
		media = map[semblance.SHA256]bool{}
		p.near[key] = media
	}
	if len(media) < semblance.LeastFlood {
		media[*r.Item.SHA256] = true
		return false
	}
	media[*r.Item.SHA256] = true
	return true
}

// foldFloods keeps the first near match, or hit of a selector, of each entry that floods, and names the
// floods.
func (p *page) foldFloods() {
	for key, media := range p.near {
		if f := (semblance.Flood{Collection: key.collection, Entry: key.entry, Selector: key.selector, Media: int64(len(media)), Of: int64(p.Total.Media)}); f.Floods() {
			p.Floods = append(p.Floods, f)
		}
	}
	slices.SortFunc(p.Floods, func(a, b semblance.Flood) int {
		return cmp.Or(cmp.Compare(b.Media, a.Media), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
	})
	listed := semblance.FirstOfFloods(p.Floods)
	p.Hits = slices.DeleteFunc(p.Hits, func(h found[semblance.Hit]) bool {
		return h.F.Kind() != "digest" && !listed(h.F.Collection, h.F.Entry)
	})
	p.NearMatches = slices.DeleteFunc(p.NearMatches, func(n found[semblance.NearMatch]) bool { return !listed(n.F.Collection, n.F.Entry) })
}

func capped[T any](list []T, v T) []T {
	if len(list) >= mostRows {
		return list
	}
	return append(list, v)
}

// number says a number with its noun.
func number[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// secondsOf says which seconds of a video are which seconds of the entry, and how many
// frames that is: shares of frames, not of anything else.
func secondsOf(n semblance.NearMatch) string {
	switch v := n.Video; {
	case v != nil:
		var b strings.Builder
		for _, s := range v.Segments {
			fmt.Fprintf(&b, "%.1f to %.1f s is %.1f to %.1f s of the entry", s.ProbeFrom, s.ProbeTo, s.ReferenceFrom, s.ReferenceTo)
			if s.Static {
				b.WriteString(" (uncertain: the picture hardly changes)")
			}
			b.WriteString("; ")
		}
		if v.MoreSegments > 0 {
			fmt.Fprintf(&b, "and %d more; ", v.MoreSegments)
		}
		if v.ProbeFrames > 0 {
			fmt.Fprintf(&b, "%d of its %d compared frames are near one of the entry's, %d of the entry's %d near one of it", v.ProbeNear, v.ProbeFrames, v.ReferenceNear, v.ReferenceFrames)
		}
		if v.TMK != nil {
			fmt.Fprintf(&b, " TMK+PDQF levels %.4f and %.4f", v.TMK.Level1, v.TMK.Level2)
		}
		return b.String()
	case n.Second != nil:
		return fmt.Sprintf("at %.1f s of this video ", *n.Second)
	case n.EntrySecond != nil:
		return fmt.Sprintf("at %.1f s of the entry, a video ", *n.EntrySecond)
	}
	return ""
}
