package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"

	"semblance"
)

// mostPDF is how many rows of one list the summary has.
const mostPDF = 200

// A pdfPage writes a summary.
type pdfPage struct {
	*fpdf.Fpdf
	family string
	show   func(string) string
}

// writePDF writes a summary: counts, tools, and the first rows of each list. It has the
// same bytes for the same recorded state, fonts and program: its dates are 1970's.
func writePDF(w io.Writer, s Source) error {
	zone, err := s.Case.Location()
	if err != nil {
		return err
	}
	sum, lists := newSummary(), newLists(zone)
	for row, err := range s.Rows {
		if err != nil {
			return err
		}
		sum.add(row)
		lists.add(row)
	}
	if err := sum.done(); err != nil {
		return err
	}
	p, err := newPDF(s)
	if err != nil {
		return err
	}
	p.head(s)
	p.counted(s, sum)
	p.used(s, sum)
	for _, l := range lists {
		p.list(l)
	}
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return semblance.Errorf(semblance.Internal, "the PDF could not be made").WithCause(err)
	}
	_, err = b.WriteTo(w)
	return err
}

func newPDF(s Source) (*pdfPage, error) {
	p := &pdfPage{Fpdf: fpdf.New("P", "mm", "A4", ""), family: "Helvetica"}
	p.SetCatalogSort(true)
	p.SetCreationDate(time.Unix(0, 0).UTC())
	p.SetModificationDate(time.Unix(0, 0).UTC())
	p.SetProducer("semblance", false)
	p.SetMargins(15, 15, 15)
	p.SetAutoPageBreak(true, 15)
	if s.Font == nil {
		western := p.UnicodeTranslatorFromDescriptor("")
		p.show = func(text string) string {
			return western(escaped(text, func(r rune) bool { return r < 0x80 || r >= 0xa0 && r <= 0xff }))
		}
	} else {
		font, err := sfnt.Parse(s.Font)
		if err != nil {
			return nil, semblance.Errorf(semblance.Invalid, "the font for PDF reports is not a TrueType font").WithCause(err)
		}
		p.family = "report"
		p.AddUTF8FontFromBytes(p.family, "", s.Font)
		p.AddUTF8FontFromBytes(p.family, "B", s.Font)
		var buf sfnt.Buffer
		p.show = func(text string) string {
			return escaped(text, func(r rune) bool {
				glyph, err := font.GlyphIndex(&buf, r)
				return err == nil && glyph != 0 && r <= 0xffff && unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian, unicode.Common)
			})
		}
	}
	p.SetTitle(p.show("Case "+s.Case.Number), s.Font != nil)
	p.SetFooterFunc(func() {
		p.SetY(-12)
		p.SetFont(p.family, "", 8)
		p.CellFormat(0, 5, p.show(fmt.Sprintf("Case %s, page %d", s.Case.Number, p.PageNo())), "", 0, "R", false, 0, "")
	})
	p.AddPage()
	return p, p.Error()
}

// escaped writes what cannot be shown, or would be shown in a wrong order or form, as
// \u{1F600}: nothing is left out, and nothing looks like something else.
func escaped(text string, can func(rune) bool) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\\xff") {
		if r >= ' ' && can(r) && (unicode.IsPrint(r) || r == 0xa0) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u{%X}", r)
		}
	}
	return b.String()
}

func (p *pdfPage) heading(text string) {
	p.Ln(2)
	p.SetFont(p.family, "B", 12)
	p.MultiCell(0, 6, p.show(text), "", "L", false)
	p.SetFont(p.family, "", 8.5)
}

func (p *pdfPage) line(format string, args ...any) {
	p.MultiCell(0, 4.2, p.show(fmt.Sprintf(format, args...)), "", "L", false)
}

func (p *pdfPage) head(s Source) {
	p.SetFont(p.family, "B", 16)
	p.MultiCell(0, 8, p.show("Case "+s.Case.Number), "", "L", false)
	p.SetFont(p.family, "", 8.5)
	p.line("%s, %s. Purpose: %s. Legal basis: %s.", s.Case.Agency, s.Case.Country, s.Case.Purpose, s.Case.Basis)
	p.line("Made with %s.%s", s.Program, after(" Times are shown in UTC and in the time zone of the case, ", s.Case.TimeZone))
	p.line("This summary carries numbers and hashes and no pictures. A hit says that a file's digest is in a collection. A near match is a lead until a person has verified it. A candidate is a ranked answer to a face search and a lead for a trained examiner; it is not an identification.")
	p.line("Characters that this document's font cannot show are written as \\u{...}. At most %d rows of each list are here; the CSV and NDJSON reports have all.", mostPDF)
	p.heading("Exhibits")
	for _, e := range s.Exhibits {
		p.line("%s: %s%s%s", e.Label, e.Source, after(", serial ", e.Serial), after(", acquired by ", e.Acquirer))
	}
}

// after is a word and a text, or nothing.
func after(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

func (p *pdfPage) counted(s Source, sum *summary) {
	p.heading("Counts")
	for _, e := range s.Exhibits {
		if e.Unfinished {
			p.line("%s: %s.", e.Label, Unfinished)
		}
	}
	for _, e := range append([]exhibitCounts{{"All exhibits", sum.Total}}, sum.PerExhibit...) {
		p.line("%s: %s = %d new + %d duplicate + %d known-good + %d unsupported + %d failed; %s, %s, %d decoded only in part, %s; %s in %s (%d weak, on MD5 alone), %s in %d, %s in %d, %s; of the hits and near matches %d on a picture embedded in a file.",
			e.Label, number(e.Items, "item", "items"), e.New, e.Duplicate, e.KnownGood, e.Unsupported, e.Failed, number(e.Bytes, "byte", "bytes"), number(e.Media, "content", "different contents"), e.Partial, number(e.Faces, "face", "faces"),
			number(e.Hits, "hit", "hits"), number(e.HitMedia, "content", "contents"), e.Weak, number(e.NearMatches, "near match", "near matches"), e.NearMatchMedia, number(e.Candidates, "candidate", "candidates"), e.CandidateMedia,
			number(e.Contradictions, "contradiction", "contradictions"), e.Embedded)
	}
	p.line("What was found in a content is counted at each item that has it, and for each collection and entry; the lists show a content once for each exhibit, with its further places.")
	p.heading("Failed and not examined, by reason")
	for _, r := range sum.Reasons {
		p.line("%d %s: %s %s", r.Items, r.Status, r.Code, r.Reason)
	}
	p.none(len(sum.Reasons))
	if len(sum.Origins) > 0 {
		p.heading("Where items come from, as their names and folders say")
		for _, o := range sum.Origins {
			p.line("%d %s", o.Count, o.Name)
		}
	}
}

func (p *pdfPage) none(n int) {
	if n == 0 {
		p.line("none")
	}
}

func (p *pdfPage) used(s Source, sum *summary) {
	if len(s.Compared) > 0 {
		p.heading("Compared with")
		for _, c := range s.Compared {
			p.line("%s: %s", c.Exhibit, strings.Join(c.Collections, "; "))
		}
	}
	p.heading("Collections of this installation, as they are now")
	for _, c := range s.Collections {
		p.line("%s (%s) of %s, %s: version %d, %s. %s", c.Name, c.Kind, c.Owner, c.Country, c.Version, number(c.Entries, "entry", "entries"), c.Basis)
	}
	p.none(len(s.Collections))
	p.heading("Programs and models")
	p.line("program: %s", s.Program)
	for what, list := range sum.byTool() {
		if what == "origin" {
			continue
		}
		for _, t := range list {
			p.line("%s: %s (%s)", what, t.Name, number(t.Count, "content", "contents"))
		}
	}
}

// A pdfList is the first rows of a list, and how many there are.
type pdfList struct {
	title string
	rows  []pdfRow
	of    int
	told  int            // of those, in rows
	at    map[string]int // rows of findings
	add   func(l *pdfList, r Row)
}

// A pdfRow is a text, or what was found at some places of an exhibit.
type pdfRow struct {
	text    string
	exhibit string
	places  []pdfPlace // those that say most first; nil: the text is all
}

type pdfPlace struct {
	name string
	rank int
}

func (r *pdfRow) place(p pdfPlace) {
	n := len(r.places)
	for n > 0 && r.places[n-1].rank > p.rank {
		n--
	}
	r.places = slices.Insert(r.places, n, p)
}

func (r *pdfRow) String() string {
	if r.places == nil {
		return r.text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", r.exhibit, r.places[0].name, r.text)
	for _, p := range r.places[1:] {
		b.WriteString("; also " + p.name)
	}
	return b.String()
}

// pdfLists are those of a summary.
type pdfLists []*pdfList

func (l *pdfList) row(format string, args ...any) {
	if l.of++; len(l.rows) < mostPDF {
		l.rows, l.told = append(l.rows, pdfRow{text: fmt.Sprintf(format, args...)}), l.told+1
	}
}

// finding adds a row for what was found at a place: of a content that lies at several
// places of an exhibit one row, which names them.
func (l *pdfList) finding(r Row, f any, format string, args ...any) {
	key := placeKey(r, f)
	place := pdfPlace{r.Item.Path + after(" ", inBrackets(r.Marks())), r.Item.Rank()}
	if i, listed := l.at[key]; listed {
		l.of, l.told = l.of+1, l.told+1
		l.rows[i].place(place)
		return
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	n := len(l.rows)
	if l.row(format, args...); n < len(l.rows) {
		l.at[key] = n
		l.rows[n].exhibit, l.rows[n].places = r.Exhibit, []pdfPlace{place}
	}
}

func (l pdfLists) add(r Row) {
	for _, list := range l {
		list.add(list, r)
	}
}

func inBrackets(marks []string) string {
	if len(marks) == 0 {
		return ""
	}
	return "[" + strings.Join(marks, ", ") + "]"
}

func newLists(zone *time.Location) pdfLists {
	findings := func(do func(l *pdfList, r Row, f *semblance.Findings)) func(*pdfList, Row) {
		return func(l *pdfList, r Row) {
			if r.Findings != nil {
				do(l, r, r.Findings)
			}
		}
	}
	return pdfLists{
		{title: "Contradictions: a person has to decide", add: findings(func(l *pdfList, r Row, f *semblance.Findings) {
			for _, c := range f.Contradictions {
				l.finding(r, c, "%s", c.Message)
			}
		})},
		{title: "Hits", add: findings(func(l *pdfList, r Row, f *semblance.Findings) {
			for _, h := range f.Hits {
				weak := ""
				if h.Weak {
					weak = ", WEAK: MD5 ONLY"
				}
				l.finding(r, h, "%s of %s, %s %s%s%s%s%s", h.Collection, h.Owner, shortName(h.Algorithm), h.Value, weak, after(", rests on ", embeddedIn(h.Embedded)), after(", ", category(h.Category)), after(", ", h.Note))
			}
		})},
		{title: "Near matches (UNVERIFIED)", add: findings(func(l *pdfList, r Row, f *semblance.Findings) {
			for _, n := range f.NearMatches {
				l.finding(r, n, "%s of %s, %s, %d of at most %d %s, %s%s%s%s", n.Collection, n.Owner, shortName(n.Algorithm), n.Distance, n.Threshold, n.Unit(), n.Transform, after(", rests on ", embeddedIn(n.Embedded)), after(", entry: ", category(n.Category)), after(", ", n.Note))
			}
		})},
		{title: "Candidates", add: findings(func(l *pdfList, r Row, f *semblance.Findings) {
			for _, c := range f.Candidates {
				l.finding(r, c, "face %d, rank %d, %s in %s, %.4f %s of at most %.4f, %s %d, %s", c.Face, c.Rank, c.Subject, c.Collection, c.Distance, c.Metric, c.Threshold, c.Engine, c.Version, strings.ToUpper(c.Review))
			}
		})},
		{title: "Times of the items with findings", add: func(l *pdfList, r Row) {
			f := r.Findings
			if f == nil || len(f.Hits)+len(f.NearMatches)+len(f.Candidates)+len(f.Contradictions) == 0 {
				return
			}
			var all []string
			for _, t := range timesOf(r, zone) {
				all = append(all, inWords(t))
			}
			if len(all) > 0 {
				l.row("%s %s: %s", r.Exhibit, r.Item.Path, strings.Join(all, "; "))
			}
		}},
		{title: "What images and other containers say of themselves", add: func(l *pdfList, r Row) {
			if noted(r) {
				l.row("%s %s: %s: %s", r.Exhibit, r.Item.Path, r.Item.Opened.Format, strings.Join(r.Item.Opened.Notes, "; "))
			}
		}},
		{title: "Failed items", add: func(l *pdfList, r Row) {
			if r.Item.Status == semblance.ItemFailed {
				l.row("%s %s: %s %s", r.Exhibit, r.Item.Path, r.Item.Code, r.Item.Reason)
			}
		}},
	}
}

func embeddedIn(k semblance.EmbeddedKind) string {
	if k == "" {
		return ""
	}
	return k.Where()
}

func (p *pdfPage) list(l *pdfList) {
	p.heading(fmt.Sprintf("%s: %d", l.title, l.of))
	for i := range l.rows {
		p.line("%s", l.rows[i].String())
	}
	if more := l.of - l.told; more > 0 {
		p.line("and %d more", more)
	}
}
