package report

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/csv"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"semblance"
	"semblance/origin"
)

// mostCSV is how many rows a file has before the next one begins: spreadsheets end at
// 1,048,576.
const mostCSV = 1_000_000

// The tables of a CSV report, in the order in which they lie in the ZIP.
var (
	itemColumns = []string{"exhibit", "path", "size", "modified_utc", "status", "code", "reason", "sha256", "sha1", "md5", "media_type", "width", "height", "pdq", "pdq_quality", "faces", "decoder", "partial",
		"taken", "taken_zone", "latitude", "longitude", "make", "model", "serial", "lens", "lens_serial", "software", "image_id", "origin_application", "origin_kind", "origin_time", "origin_zone", "origin_rule", "embedded", "hits", "near_matches", "candidates", "contradictions",
		"deleted", "carved", "device_path", "container", "container_notes", "video_seconds", "video_codec"}
	zoneColumns      = []string{"time_zone", "modified_in_time_zone", "taken_utc", "taken_in_time_zone", "times"} // at the end of items, where the case has a zone
	hitColumns       = []string{"exhibit", "path", "sha256", "collection", "owner", "algorithm", "value", "weak", "rests_on", "category", "note", "source", "record", "found_by_look_back"}
	nearColumns      = []string{"exhibit", "path", "sha256", "collection", "owner", "algorithm", "value", "entry_value", "distance", "threshold", "unit", "transform", "quality", "entry_quality", "rests_on", "seconds", "category", "note", "source", "record", "verified", "found_by_look_back"}
	candidateColumns = []string{"exhibit", "path", "sha256", "face", "rank", "collection", "owner", "subject", "source", "distance", "metric", "threshold", "quality", "reference_quality", "engine", "version", "review"}
	againstColumns   = []string{"exhibit", "path", "sha256", "known_good", "other", "because", "message", "found_by_look_back"}
	errorColumns     = []string{"exhibit", "path", "status", "code", "reason", "sha256"}
	selectorColumns  = []string{"kind", "value", "as_written", "checksum_agrees", "times", "media", "items", "exhibits", "first_exhibit", "first_path", "collections"}
	summaryColumns   = []string{"what", "of", "name", "count"}
)

// writeCSV writes a ZIP of tables, one for each kind of line, the same bytes for the same
// recorded state. Items are written as they come; the other tables are few beside them, and
// wait deflated until their turn.
func writeCSV(w io.Writer, s Source) error {
	zone, err := s.Case.Location()
	if err != nil {
		return err
	}
	z, columns := zip.NewWriter(w), itemColumns
	if zone != nil {
		columns = slices.Concat(itemColumns, zoneColumns)
	}
	items := newTable("items", columns, func(name string) (io.Writer, error) { return z.CreateHeader(plainHeader(name)) })
	var waiting []*table
	later := func(name string, columns []string) *table {
		t := newTable(name, columns, nil)
		waiting = append(waiting, t)
		return t
	}
	hits, near, cands := later("hits", hitColumns), later("near-matches", nearColumns), later("candidates", candidateColumns)
	against, errs := later("contradictions", againstColumns), later("errors-and-not-examined", errorColumns)
	sum, since := newSummary(), sincesOf(s.Notices)
	for row, err := range s.Rows {
		if err != nil {
			return err
		}
		sum.add(row)
		cells := itemCells(row)
		if zone != nil {
			cells = append(cells, zoneCells(row, zone)...)
		}
		items.row(cells)
		if st := row.Item.Status; st == semblance.ItemFailed || st == semblance.ItemUnsupported {
			errs.row([]string{row.Exhibit, row.Item.Path, string(st), string(row.Item.Code), row.Item.Reason, sumOf(row)})
		}
		if f := row.Findings; f != nil && row.Item.SHA256 != nil {
			findingRows(row, f, since, hits, near, cands, against)
		}
		if items.err != nil {
			return items.err
		}
	}
	if err := sum.done(); err != nil {
		return err
	}
	if err := items.close(); err != nil {
		return err
	}
	if s.Selectors != nil {
		selectors := later("selectors", selectorColumns)
		for x, err := range s.Selectors {
			if err != nil {
				return err
			}
			selectors.row([]string{string(x.Kind), x.Value, x.Raw, strconv.FormatBool(x.Verified), strconv.FormatInt(x.Count, 10), strconv.FormatInt(x.Media, 10), strconv.FormatInt(x.Items, 10),
				strings.Join(x.Exhibits, "; "), x.Exhibit, x.Path, strings.Join(x.Collections, "; ")})
		}
	}
	total := later("summary", summaryColumns)
	sum.rows(s, total.row)
	for _, t := range waiting {
		if err := t.copyTo(z); err != nil {
			return err
		}
	}
	return z.Close()
}

// plainHeader has the first day that a ZIP can say, 1980-01-01: the report has nothing of
// the run's clock, and a date of zeros is none, which some programs refuse.
func plainHeader(name string) *zip.FileHeader {
	const firstDay = 1<<5 | 1 // month and day; the year counts from 1980
	return &zip.FileHeader{Name: name, Method: zip.Deflate, ModifiedDate: firstDay}
}

func sumOf(r Row) string {
	if r.Item.SHA256 == nil {
		return ""
	}
	return r.Item.SHA256.String()
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func itemCells(r Row) []string {
	l := lineOf(r)
	var m semblance.Metadata
	if l.Metadata != nil {
		m = *l.Metadata
	}
	taken, zone := m.Taken, ""
	if taken != "" {
		zone = semblance.ZoneUnknown
		if _, err := time.Parse(time.RFC3339, taken); err == nil {
			zone = "as written"
		}
	}
	pdq, faces, embedded := "", "", ""
	if l.Quality != nil {
		pdq = strconv.Itoa(*l.Quality)
	}
	for _, set := range analysisOf(r).FaceSets {
		faces = join(faces, fmt.Sprintf("%s %d", set.Engine, len(set.Faces)))
	}
	for _, e := range l.Embedded {
		embedded = join(embedded, string(e.Kind)+" sha256 "+e.SHA256)
	}
	o := originOf(r)
	at, atZone, rules := "", "", ""
	for _, f := range []*origin.Fact{o.Name, o.Folder} {
		if f != nil {
			at, atZone, rules = cmp.Or(at, f.Time), cmp.Or(atZone, f.Zone), join(rules, f.Rule)
		}
	}
	var f semblance.Findings
	if r.Findings != nil {
		f = *r.Findings
	}
	format, notes := "", ""
	if c := r.Item.Opened; c != nil {
		format, notes = c.Format, strings.Join(c.Notes, "; ")
	}
	seconds, codec := "", ""
	if v := l.Video; v != nil {
		if codec = v.Codec; v.Seconds > 0 {
			seconds = strconv.FormatFloat(v.Seconds, 'f', -1, 64)
		}
	}
	return []string{l.Exhibit, l.Path, strconv.FormatInt(l.Size, 10), l.Modified, string(l.Status), string(l.Code), l.Reason, l.SHA256, l.SHA1, l.MD5, l.Type, count(l.Width), count(l.Height), l.PDQ, pdq, faces, l.Decoder, l.Partial,
		taken, zone, degrees(m.Latitude, "N", "S"), degrees(m.Longitude, "E", "W"), m.Make, m.Model, m.Serial, m.Lens, m.LensSerial, m.Software, m.ImageID,
		o.Application(), string(o.Kind()), at, atZone, rules, embedded, strconv.Itoa(len(f.Hits)), strconv.Itoa(len(f.NearMatches)), strconv.Itoa(len(f.Candidates)), strconv.Itoa(len(f.Contradictions)),
		yes(r.Item.Deleted), yes(r.Item.Carved), r.Item.Device, format, notes, seconds, codec}
}

// zoneCells are an item's times in UTC and in the zone of the case.
func zoneCells(r Row, zone *time.Location) []string {
	modified, takenUTC, taken, all := "", "", "", ""
	if !r.Item.Modified.IsZero() {
		modified = semblance.InZone(r.Item.Modified, zone)
	}
	if at := analysisOf(r).Metadata.Taken; at != "" {
		t := semblance.ShowTime("", "", at, "", zone)
		takenUTC, taken = inUTC(t), inCase(t)
	}
	for _, t := range timesOf(r, zone) {
		all = join(all, inWords(t))
	}
	return []string{zone.String(), modified, takenUTC, taken, all}
}

func analysisOf(r Row) *semblance.Analysis {
	if r.Media == nil || r.Media.Analysis == nil {
		return &semblance.Analysis{}
	}
	return r.Media.Analysis
}

func join(list, more string) string {
	if list == "" {
		return more
	}
	return list + "; " + more
}

// count is a number that is unknown where it is 0.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// quality is one that there is.
func quality(q int) string {
	if q < 0 {
		return ""
	}
	return strconv.Itoa(q)
}

// degrees has a hemisphere instead of a sign, which would look like a formula.
func degrees(v *float64, positive, negative string) string {
	switch {
	case v == nil:
		return ""
	case *v < 0:
		return strconv.FormatFloat(-*v, 'f', -1, 64) + " " + negative
	}
	return strconv.FormatFloat(*v, 'f', -1, 64) + " " + positive
}

func findingRows(r Row, f *semblance.Findings, since sinces, hits, near, cands, against *table) {
	sum := sumOf(r)
	for _, h := range f.Hits {
		weak := ""
		if h.Weak {
			weak = "MD5 only"
		}
		hits.row([]string{r.Exhibit, r.Item.Path, sum, h.Collection, h.Owner, string(h.Algorithm), h.Value, weak, restsOn(h.Embedded), category(h.Category), h.Note, h.Source, h.Record,
			since.of(r, semblance.Findings{Hits: []semblance.Hit{h}})})
	}
	for _, n := range f.NearMatches {
		near.row([]string{r.Exhibit, r.Item.Path, sum, n.Collection, n.Owner, string(n.Algorithm), n.Value, n.EntryValue, strconv.Itoa(n.Distance), strconv.Itoa(n.Threshold), n.Unit(), n.Transform,
			quality(n.Quality), quality(n.EntryQuality), restsOn(n.Embedded), secondsOf(n), category(n.Category), n.Note, n.Source, n.Record, Unverified, since.of(r, semblance.Findings{NearMatches: []semblance.NearMatch{n}})})
	}
	for _, c := range f.Candidates {
		cands.row([]string{r.Exhibit, r.Item.Path, sum, strconv.Itoa(c.Face), strconv.Itoa(c.Rank), c.Collection, c.Owner, c.Subject, c.Source, four(c.Distance), string(c.Metric), four(c.Threshold),
			fmt.Sprintf("%.0f", c.Quality), fmt.Sprintf("%.0f", c.RefQuality), string(c.Engine), strconv.Itoa(c.Version), strings.ToUpper(c.Review)})
	}
	for _, c := range f.Contradictions {
		against.row([]string{r.Exhibit, r.Item.Path, sum, c.KnownGood, c.Other, c.Because, c.Message, since.of(r, semblance.Findings{Contradictions: []semblance.Contradiction{c}})})
	}
}

func restsOn(k semblance.EmbeddedKind) string {
	if k == "" {
		return "what the file shows"
	}
	return k.Where()
}

func category(c *semblance.EntryCategory) string {
	if c == nil {
		return ""
	}
	return c.String()
}

// rows gives the counts as lines of what, of which exhibit, name, and number.
func (s *summary) rows(src Source, row func([]string)) {
	for _, e := range append([]exhibitCounts{{"", s.Total}}, s.PerExhibit...) {
		for _, c := range e.named() {
			row([]string{"count", e.Label, c.Name, strconv.FormatInt(c.Value, 10)})
		}
	}
	for _, r := range s.Reasons {
		row([]string{"reason", string(r.Status), strings.TrimPrefix(string(r.Code)+": "+r.Reason, ": "), strconv.Itoa(r.Items)})
	}
	for _, r := range s.Partial {
		row([]string{"in part", "", r.Reason, strconv.Itoa(r.Items)})
	}
	row([]string{"program", "", src.Program, strconv.Itoa(s.Total.Media)})
	for what, list := range s.byTool() {
		for _, t := range list {
			row([]string{what, "", t.Name, strconv.Itoa(t.Count)})
		}
	}
	for _, e := range src.Exhibits {
		if e.Unfinished {
			row([]string{"not finished", e.Label, Unfinished, ""})
		}
	}
	for _, c := range src.Compared {
		for _, name := range c.Collections {
			row([]string{"compared with", c.Exhibit, name, ""})
		}
	}
	for _, c := range src.Collections {
		row([]string{"collection", string(c.Kind), fmt.Sprintf("%s of %s, version %d", c.Name, c.Owner, c.Version), strconv.FormatInt(c.Entries, 10)})
	}
}

// A table is one CSV file, or several when it is long.
type table struct {
	name    string
	columns []string
	create  func(name string) (io.Writer, error) // nil: it is kept, deflated
	kept    []*keptFile
	w       *csv.Writer
	n       int
	err     error
	show    *strings.Replacer
}

// A keptFile waits for its turn in the ZIP.
type keptFile struct {
	name string
	data bytes.Buffer
	z    *flate.Writer
	sum  uint32
	size uint64
}

func (k *keptFile) Write(p []byte) (int, error) {
	k.sum, k.size = crc32.Update(k.sum, crc32.IEEETable, p), k.size+uint64(len(p))
	return k.z.Write(p)
}

func newTable(name string, columns []string, create func(string) (io.Writer, error)) *table {
	t := &table{name: name, columns: columns, create: create, show: visible()}
	t.begin()
	return t
}

// begin begins the next file. It begins with a byte order mark, without which spreadsheets
// take UTF-8 for something else.
func (t *table) begin() {
	t.flush()
	if t.err != nil {
		return
	}
	name := t.name + ".csv"
	if t.n > 0 {
		name = fmt.Sprintf("%s-%d.csv", t.name, t.n/mostCSV+1)
	}
	var w io.Writer
	if t.create != nil {
		w, t.err = t.create(name)
	} else {
		k := &keptFile{name: name}
		k.z, t.err = flate.NewWriter(&k.data, flate.DefaultCompression)
		t.kept, w = append(t.kept, k), k
	}
	if t.err != nil {
		return
	}
	if _, t.err = w.Write([]byte("\ufeff")); t.err == nil {
		t.w = csv.NewWriter(w)
		t.w.UseCRLF = true
		t.err = t.w.Write(t.columns)
	}
}

// row writes cells of which none can be a formula.
func (t *table) row(cells []string) {
	if t.n > 0 && t.n%mostCSV == 0 {
		t.begin()
	}
	if t.n++; t.err != nil {
		return
	}
	for i := range cells {
		cells[i] = t.show.Replace(plain(cells[i]))
	}
	t.err = t.w.Write(cells)
}

func (t *table) flush() {
	if t.w != nil {
		t.w.Flush()
		t.err = cmp.Or(t.err, t.w.Error())
	}
}

func (t *table) close() error {
	t.flush()
	for _, k := range t.kept {
		t.err = cmp.Or(t.err, k.z.Close())
	}
	return t.err
}

// copyTo puts what was kept into a ZIP.
func (t *table) copyTo(z *zip.Writer) error {
	if err := t.close(); err != nil {
		return err
	}
	for _, k := range t.kept {
		h := plainHeader(k.name)
		h.CRC32, h.UncompressedSize64, h.CompressedSize64 = k.sum, k.size, uint64(k.data.Len())
		w, err := z.CreateRaw(h)
		if err != nil {
			return err
		}
		if _, err := k.data.WriteTo(w); err != nil {
			return err
		}
	}
	return nil
}
