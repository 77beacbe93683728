package report_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"semblance"
	"semblance/hashing"
	"semblance/report"
	"semblance/selector"
)

// many is a source with a bit of everything, in two exhibits.
func many() report.Source {
	s := source(1)
	edited := withFindings(row("WhatsApp/Media/WhatsApp Images/IMG-20190504-WA0003.jpg", semblance.ItemNew, "f", 1), 1)
	lat := -33.5
	edited.Media.Analysis.Metadata = semblance.Metadata{Taken: "2019-05-04T10:11:12", Make: "=ACME", Serial: "SN 42", Latitude: &lat, Longitude: &lat}
	edited.Media.Analysis.Embedded = []semblance.EmbeddedPicture{{Kind: semblance.EXIFThumbnail, Digests: hashing.DigestBytes([]byte("inside"))}}
	edited.Findings.NearMatches[0].Embedded = semblance.EXIFThumbnail
	edited.Findings.Candidates, edited.Findings.Contradictions = nil, nil
	edited.Exhibit = "stick"
	evil := failed("=cmd|' /C calc'!A0\u202e", "+damaged at row 17")
	evil.Exhibit = "stick"
	worse := failed("Ж日本\u05d0", "damaged at row 18")
	worse.Exhibit = "stick"
	rows := s.Rows
	s.Rows = func(yield func(report.Row, error) bool) {
		for r, err := range rows {
			if !yield(r, err) {
				return
			}
		}
		_ = yield(edited, nil) && yield(evil, nil) && yield(worse, nil)
	}
	s.Exhibits = append(s.Exhibits, semblance.Exhibit{Label: "stick", Source: "/evidence/stick"})
	s.Selectors = func(yield func(semblance.CaseSelector, error) bool) {
		yield(semblance.CaseSelector{Kind: selector.Phone, Value: "+31655512345", Raw: "06-55512345", Count: 3, Exhibits: []string{"laptop", "phone"}, Media: 1, Items: 2, Exhibit: "laptop", Path: "a.txt"}, nil)
	}
	s.Compared = []report.Compared{{Exhibit: "phone", Collections: []string{"known (hashes)"}}}
	return s
}

// counted is what every format must say of many: it is counted by hand from the NDJSON.
type counted map[string]int

func byHand(t *testing.T) counted {
	t.Helper()
	c := counted{}
	for line := range strings.Lines(write(t, report.JSONL, many())) {
		var l struct{ Event, Status, Embedded string }
		var any struct{ Event, Status string }
		if err := json.Unmarshal([]byte(line), &any); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal([]byte(line), &l) // an item's embedded is a list
		switch any.Event {
		case "item":
			c["items"]++
			c[any.Status]++
		case "hit":
			c["hits"]++
		case "near-match":
			c["near matches"]++
		case "candidate":
			c["candidates"]++
		case "contradiction":
			c["contradictions"]++
		}
	}
	if c["items"] != 8 || c["failed"] != 3 || c["hits"] != 2 || c["near matches"] != 2 {
		t.Fatalf("the source is not what this test is about: %v", c)
	}
	return c
}

func tables(t *testing.T, data string) map[string][][]string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][][]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r) // checks the sum
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		text, ok := strings.CutPrefix(string(b), "\ufeff")
		if !ok {
			t.Errorf("%s has no byte order mark", f.Name)
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		out[f.Name] = rows
	}
	return out
}

// TestCSV: the tables have as many rows as the summary says, no cell is a formula, and the
// same state gives the same bytes.
func TestCSV(t *testing.T) {
	t.Parallel()
	want := byHand(t)
	data := write(t, report.CSV, many())
	if write(t, report.CSV, many()) != data {
		t.Error("two reports differ")
	}
	got := tables(t, data)
	for name, n := range map[string]int{"items.csv": want["items"], "hits.csv": want["hits"], "near-matches.csv": want["near matches"], "candidates.csv": want["candidates"],
		"contradictions.csv": want["contradictions"], "errors-and-not-examined.csv": want["failed"] + want["unsupported"]} {
		if len(got[name]) != n+1 {
			t.Errorf("%s has %d rows, want %d and a head", name, len(got[name]), n)
		}
		for _, r := range got[name] {
			for _, cell := range r {
				if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) || strings.ContainsRune(cell, '\u202e') {
					t.Errorf("%s: cell %q", name, cell)
				}
			}
		}
	}
	if x := strings.Join(got["selectors.csv"][1], "|"); len(got["selectors.csv"]) != 2 || x != "phone|'+31655512345|06-55512345|false|3|1|2|laptop; phone|laptop|a.txt|" {
		t.Errorf("selectors.csv: %s", x)
	}
	perExhibit := counted{}
	for _, r := range got["summary.csv"][1:] {
		if r[0] != "count" {
			continue
		}
		n, err := strconv.Atoi(r[3])
		if err != nil {
			t.Fatal(err)
		}
		if r[1] == "" {
			if w, counts := want[r[2]]; counts && w != n {
				t.Errorf("%s: %d, want %d", r[2], n, w)
			}
			perExhibit[r[2]] -= n
		} else if r[2] != "contents" {
			perExhibit[r[2]] += n
		} else {
			perExhibit[r[2]] = 0
		}
	}
	for name, n := range perExhibit {
		if name != "contents" && n != 0 {
			t.Errorf("%s of the exhibits are %+d off those of all", name, n)
		}
	}
	item := got["items.csv"][6]
	text := strings.Join(item, "|")
	for _, part := range []string{"'=ACME", "33.5 S|33.5 W", "WhatsApp|received", "2019-05-04|unknown|whatsapp-name/1; whatsapp-media/1", "exif-thumbnail sha256 "} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %s", part, text)
		}
	}
	if near := strings.Join(got["near-matches.csv"][2], "|"); !strings.Contains(near, "the thumbnail embedded in the file's EXIF") {
		t.Errorf("near match: %s", near)
	}
}

var pdfText = regexp.MustCompile(`\(((?:[^()\\]|\\.)*)\) ?Tj`)

// pdfLines are the texts of a PDF; wide ones are UTF-16.
func pdfLines(t *testing.T, data string, wide bool) string {
	t.Helper()
	var out strings.Builder
	for _, part := range strings.Split(data, "stream\n")[1:] {
		body, _, _ := strings.Cut(part, "\nendstream")
		z, err := zlib.NewReader(strings.NewReader(body))
		if err != nil {
			continue
		}
		b, err := io.ReadAll(z)
		if err != nil || !bytes.Contains(b, []byte("Tj")) {
			continue
		}
		for _, m := range pdfText.FindAllStringSubmatch(string(b), -1) {
			s := regexp.MustCompile(`\\(.)`).ReplaceAllString(strings.ReplaceAll(m[1], `\r`, "\r"), "$1")
			if wide {
				var units []uint16
				for i := 0; i+1 < len(s); i += 2 {
					units = append(units, uint16(s[i])<<8|uint16(s[i+1]))
				}
				s = string(utf16.Decode(units))
			}
			out.WriteString(s + " ")
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// TestPDF: the summary's counts are those of the others, with and without a font, and the
// same state gives the same bytes; what the font cannot show is written out.
func TestPDF(t *testing.T) {
	t.Parallel()
	want := byHand(t)
	fonts := map[string][]byte{"Helvetica": nil}
	if font, err := os.ReadFile("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"); err == nil {
		fonts["DejaVu"] = font
	}
	for name, font := range fonts {
		s := many()
		s.Font = font
		data := write(t, report.PDF, s)
		s = many()
		s.Font = font
		if again := write(t, report.PDF, s); again != data || !strings.HasPrefix(data, "%PDF-") {
			t.Errorf("%s: two reports differ, or are none", name)
		}
		text := pdfLines(t, data, font != nil)
		for _, part := range []string{
			fmt.Sprintf("All exhibits: %d items = %d new + %d duplicate + %d known-good + %d unsupported + %d failed", want["items"], want["new"], want["duplicate"], want["known-good"], want["unsupported"], want["failed"]),
			fmt.Sprintf("%d hits in 2 contents (2 weak, on MD5 alone), %d near matches in 2, %d candidate in 1, %d contradiction; of the hits and near matches 1 on a picture embedded in a file", want["hits"], want["near matches"], want["candidates"], want["contradictions"]),
			"phone: 5 items", "stick: 3 items", "Hits: 2", "Near matches (UNVERIFIED): 2", "UNREVIEWED", "damaged at row #", "known (hashes)", `\u{202E}`, `\u{65E5}\u{672C}\u{5D0}`, "rests on the thumbnail embedded",
		} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", name, part, text)
			}
		}
		if shown := strings.Contains(text, "Ж"); shown != (font != nil) {
			t.Errorf("%s: Ж is shown: %v", name, shown)
		}
	}
	s := many()
	s.Font = []byte("no font")
	if err := report.Write(io.Discard, report.PDF, s); !errors.Is(err, semblance.Invalid) {
		t.Errorf("a font that is none: %v", err)
	}
}

// TestPageCountsByExhibit: the page has the same counts, by exhibit and by reason.
func TestPageCountsByExhibit(t *testing.T) {
	t.Parallel()
	want := byHand(t)
	text := write(t, report.HTML, many())
	for _, part := range []string{
		fmt.Sprintf("%d items = %d new + %d duplicate + %d known-good + %d unsupported + %d failed", want["items"], want["new"], want["duplicate"], want["known-good"], want["unsupported"], want["failed"]),
		`<td>stick<td class="n">3<td class="n">1`, `<td>&#43;damaged at row #<td class="n">1`, "<td>WhatsApp, received<td", `<td>decoder<td>d 1<td class="n">`, "rests on the thumbnail embedded in the file&#39;s EXIF", "<td>known (hashes)",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
}

// TestEveryFormatOfNothing: an empty case is a report, too; what fails fails in all.
func TestEveryFormatOfNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store stopped")
	for _, f := range []report.Format{report.CSV, report.PDF} {
		if text := write(t, f, report.Source{Case: semblance.Case{Number: "C-2"}, Rows: rowsOf()}); text == "" {
			t.Errorf("%s is empty", f)
		}
		s := source(1)
		s.Rows = func(yield func(report.Row, error) bool) { yield(report.Row{}, broken) }
		if err := report.Write(io.Discard, f, s); !errors.Is(err, broken) {
			t.Errorf("%s of rows that fail: %v", f, err)
		}
		if err := report.Write(full{}, f, source(1)); !errors.Is(err, errFull) {
			t.Errorf("%s into a writer that fails: %v", f, err)
		}
		s = source(1)
		s.Rows = rowsOf(row("a", "lost", "a", 1))
		if err := report.Write(io.Discard, f, s); !errors.Is(err, semblance.Internal) {
			t.Errorf("%s of a status that is not counted: %v", f, err)
		}
	}
}

// TestMarks: that a file was deleted, carved or lay elsewhere on the device, and what an
// image says of itself, is in every report for people.
func TestMarks(t *testing.T) {
	t.Parallel()
	s := source(1)
	gone := withFindings(row("disk.E01//vol1@0/gone.jpg", semblance.ItemNew, "9", 1), 1)
	gone.Item.Deleted, gone.Item.Carved, gone.Item.Device = true, true, "/sdcard/DCIM/gone.jpg"
	image := row("disk.E01", semblance.ItemNew, "8", 2)
	image.Item.Opened = &semblance.Opened{ContainerFacts: semblance.ContainerFacts{Format: "ewf", Notes: []string{"the image was verified"}}, Complete: true}
	film := row("film.mp4", semblance.ItemNew, "7", 3)
	film.Media = &semblance.Media{Analysis: &semblance.Analysis{Type: "video/mp4", Frames: 300, Video: &semblance.Video{Format: "mov", Codec: "hevc", Duration: 12345678 * time.Microsecond, Seen: 12300 * time.Millisecond, Rate: 24.3, Rotation: 90}}}
	s.Rows = func(yield func(report.Row, error) bool) {
		_ = yield(gone, nil) && yield(image, nil) && yield(film, nil)
	}
	if text := write(t, report.JSONL, s); !strings.Contains(text, `"video":{"container":"mov","codec":"hevc","seconds":12.346,"decoded_seconds":12.3,"frames":300,"frames_a_second":24.3,"rotation":90}`) {
		t.Errorf("NDJSON: %s", text)
	}
	cells := tables(t, write(t, report.CSV, s))["items.csv"]
	n := len(cells[0]) - 7
	if !slices.Equal(cells[1][n:], []string{"yes", "yes", "/sdcard/DCIM/gone.jpg", "", "", "", ""}) || !slices.Equal(cells[2][n:], []string{"", "", "", "ewf", "the image was verified", "", ""}) ||
		!slices.Equal(cells[3][n:], []string{"", "", "", "", "", "12.346", "hevc"}) {
		t.Errorf("CSV: %q\n%q\n%q", cells[0][n:], cells[1][n:], cells[2][n:])
	}
	for name, text := range map[string]string{"html": write(t, report.HTML, s), "pdf": pdfLines(t, write(t, report.PDF, s), false)} {
		for _, want := range []string{"DELETED", "CARVED", "on the device: /sdcard/DCIM/gone.jpg", "the image was verified"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", name, want, text)
			}
		}
	}
}

// TestPlacesThatSayMostComeFirst: a place that is neither deleted nor carved, then one that is
// deleted and named, then a carved one, in whatever order they are recorded.
func TestPlacesThatSayMostComeFirst(t *testing.T) {
	t.Parallel()
	at := func(path string, deleted, carved bool) report.Row {
		r := withFindings(row(path, semblance.ItemDuplicate, "9", 1), 1)
		r.Item.Deleted, r.Item.Carved = deleted, carved
		return r
	}
	carved, named, plain, copied := at("$carved/000512.jpg", true, true), at("gone.jpg", true, false), at("here.jpg", false, false), at("zcopy.jpg", false, false)
	for _, order := range [][]report.Row{{carved, named, plain, copied}, {plain, carved, copied, named}, {named, plain, carved, copied}, {carved, plain, copied, named}} {
		s := source(1)
		s.Rows = rowsOf(order...)
		page := write(t, report.HTML, s)
		const also = `<br><span class="muted">also</span> `
		if want := `<td>here.jpg` + also + `zcopy.jpg` + also + `gone.jpg <span class="mark">DELETED</span>` + also + `$carved/000512.jpg <span class="mark">DELETED</span> <span class="mark">CARVED</span><td>`; !strings.Contains(page, want) {
			t.Errorf("the page has not the places in their order:\n%s", page[strings.Index(page, "<h2>Hits</h2>"):])
		}
		text := strings.ReplaceAll(pdfLines(t, write(t, report.PDF, s), false), "\n", " ")
		for _, want := range []string{"here.jpg: ", "; also zcopy.jpg; also gone.jpg [DELETED]; also $carved/000512.jpg [DELETED, CARVED]"} {
			if !strings.Contains(text, want) {
				t.Errorf("the PDF does not say %q:\n%s", want, text)
			}
		}
	}
}

// TestManyPlaces: those that say least are left out, and counted.
func TestManyPlaces(t *testing.T) {
	t.Parallel()
	var rows []report.Row
	for i := range 1002 {
		r := withFindings(row(fmt.Sprintf("$carved/%d.jpg", i), semblance.ItemDuplicate, "9", 1), 1)
		r.Item.Deleted, r.Item.Carved = true, true
		rows = append(rows, r)
	}
	s := source(1)
	s.Rows = rowsOf(append(rows, withFindings(row("here.jpg", semblance.ItemNew, "9", 1), 1))...)
	page := write(t, report.HTML, s)
	hits := page[strings.Index(page, "<h2>Hits</h2>"):strings.Index(page, "<h2>Near matches</h2>")]
	if !strings.Contains(hits, "<td>here.jpg<br>") || !strings.Contains(hits, "and 2 more places") || strings.Count(hits, ">also<") != 1000 {
		t.Errorf("%.2000s", hits)
	}
}

// TestPlacesOfOneContent: a content at several places of an exhibit is listed once, with
// all its places, and counted once; what was found in it is counted at each.
func TestPlacesOfOneContent(t *testing.T) {
	t.Parallel()
	s := source(1)
	named := withFindings(row("disk.E01//vol1@0/gone.jpg", semblance.ItemNew, "9", 1), 1)
	carved := withFindings(row("disk.E01//zcarved/000512.jpg", semblance.ItemDuplicate, "9", 1), 1)
	named.Item.Deleted, carved.Item.Deleted, carved.Item.Carved = true, true, true
	elsewhere := withFindings(row("copy.jpg", semblance.ItemNew, "9", 1), 1)
	elsewhere.Exhibit = "stick"
	s.Rows = rowsOf(named, carved, elsewhere)
	page := write(t, report.HTML, s)
	for _, want := range []string{"3 hits in 1 content (3 weak", "3 near matches in 1 content,", "3 candidates in 1 content,", `<td class="n">2 in 1<td`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	hits := page[strings.Index(page, "<h2>Hits</h2>"):strings.Index(page, "<h2>Near matches</h2>")]
	if n := strings.Count(hits, "<tr><td>"); n != 2 { // one for each exhibit
		t.Errorf("%d rows of hits:\n%s", n, hits)
	}
	if !strings.Contains(hits, `gone.jpg <span class="mark">DELETED</span><br><span class="muted">also</span> disk.E01//zcarved/000512.jpg <span class="mark">DELETED</span> <span class="mark">CARVED</span><td>`) {
		t.Errorf("the places are not beside each other:\n%s", hits)
	}
	text := strings.ReplaceAll(pdfLines(t, write(t, report.PDF, s), false), "\n", " ")
	for _, want := range []string{"3 hits in 1 content (3 weak", "Hits: 3", "; also disk.E01//zcarved/000512.jpg [DELETED, CARVED]"} {
		if !strings.Contains(text, want) {
			t.Errorf("the PDF does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "and 1 more") {
		t.Error("the PDF tells of rows that are listed")
	}
	if lines := write(t, report.JSONL, s); strings.Count(lines, `"event":"hit"`) != 3 {
		t.Errorf("the NDJSON report has not each hit of each item:\n%s", lines)
	}
	counted := map[string]string{}
	for _, line := range tables(t, write(t, report.CSV, s))["summary.csv"] {
		if len(line) > 3 && line[1] == "" {
			counted[line[2]] = line[3]
		}
	}
	if counted["hits"] != "3" || counted["contents with hits"] != "1" || counted["contents with candidates"] != "1" {
		t.Errorf("summary.csv: %v", counted)
	}
}

// TestUnfinished: whoever reads a report learns that there may be more in an exhibit.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for _, unfinished := range []bool{false, true} {
		s := many()
		s.Exhibits[len(s.Exhibits)-1].Unfinished = unfinished
		for _, format := range []report.Format{report.JSONL, report.HTML} {
			if got := strings.Contains(write(t, format, s), "NOT FINISHED"); got != unfinished {
				t.Errorf("%s, unfinished %v: said %v", format, unfinished, got)
			}
		}
		said := false
		for _, row := range tables(t, write(t, report.CSV, s))["summary.csv"] {
			said = said || row[0] == "not finished" && row[1] == "stick"
		}
		if said != unfinished {
			t.Errorf("csv, unfinished %v: said %v", unfinished, said)
		}
		if got := strings.Contains(pdfLines(t, write(t, report.PDF, s), false), "NOT FINISHED"); got != unfinished {
			t.Errorf("pdf, unfinished %v: said %v", unfinished, got)
		}
	}
}
