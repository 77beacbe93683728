package report

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"semblance"
)

// CSV is a format of sheets, and of reports: a ZIP of tables.
const CSV Format = "csv"

// A SheetSource is a sheet with its rows and the lines of the list that could not be
// meant.
type SheetSource struct {
	semblance.Sheet
	Rows []semblance.SheetRow
	Bad  []semblance.BadLine
}

// WriteSheet writes a sheet, probe by collection: the same bytes for the same
// probes, collections and engine. The error has code Invalid for an unknown format.
func WriteSheet(w io.Writer, format Format, s SheetSource) error {
	switch format {
	case CSV:
		return writeSheetCSV(w, s)
	case HTML:
		return writeSheetHTML(w, s)
	}
	return semblance.Errorf(semblance.Invalid, "%q is not a format of sheets", string(format)).WithHint("The formats are csv and html.")
}

var sheetColumns = []string{"number", "reference", "probe", "sha256", "faces", "searched", "face", "quality", "reliability", "not_searched", "collection", "owner", "country",
	"outcome", "outcome_of_all", "candidates", "subject", "source", "distance", "metric", "threshold", "margin", "references", "captured", "age_at_capture", "engine", "notes"}

// writeSheetCSV writes a line for every probe and collection, and one for each line
// of the list that could not be meant.
func writeSheetCSV(w io.Writer, s SheetSource) error {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	_ = out.Write(sheetColumns) // into memory: does not fail
	country := map[string]semblance.Collection{}
	for _, c := range s.Collections {
		country[c.Name] = c
	}
	for _, r := range s.Rows {
		for _, cell := range r.Cells {
			_ = out.Write(sheetLine(s, r, cell, country[cell.Collection]))
		}
	}
	for _, l := range s.Bad {
		line := make([]string, len(sheetColumns))
		line[1], line[13], line[len(line)-1] = plain(l.Text), string(semblance.Inconclusive), plain(fmt.Sprintf("line %d of the list was left out: %s", l.Line, l.Reason))
		line[14] = line[13]
		_ = out.Write(line)
	}
	out.Flush()
	_, err := w.Write(b.Bytes())
	return err
}

func sheetLine(s SheetSource, r semblance.SheetRow, cell semblance.SheetCell, c semblance.Collection) []string {
	sum, face := "", ""
	if r.SHA256 != nil {
		sum = r.SHA256.String()
	}
	if r.Face != nil {
		face = strconv.Itoa(*r.Face)
	}
	line := []string{strconv.Itoa(r.Number), plain(r.Reference), plain(r.Probe), sum, strconv.Itoa(r.Faces), strconv.Itoa(len(r.Searched)), face, fmt.Sprintf("%.0f", r.Quality),
		plain(strings.Join(r.Reliability, "; ")), plain(whyNot(r.NotSearched)), plain(cell.Collection), plain(c.Owner), c.Country, string(cell.Outcome), string(r.Outcome), strconv.Itoa(cell.Candidates)}
	if b := cell.Best; b != nil {
		margin, age := "", ""
		if b.Margin != nil {
			margin = four(*b.Margin)
		}
		if b.Age != nil {
			age = strconv.Itoa(*b.Age)
		}
		line = append(line, plain(b.Subject), plain(b.Source), four(b.Distance), string(b.Metric), four(b.Threshold), margin, strconv.Itoa(b.References), plain(b.Captured), age)
	} else {
		line = append(line, "", "", "", "", four(c.FaceDistance), "", "", "", "")
	}
	return append(line, s.Engine.Signal(), plain(notes(r, c)))
}

func four(d float64) string { return fmt.Sprintf("%.4f", d) }

// notes is what a person should know of a row, and of the collection where there is
// one, besides the candidates.
func notes(r semblance.SheetRow, cols ...semblance.Collection) string {
	var out []string
	for _, c := range cols {
		if c.LeftOut > 0 {
			out = append(out, fmt.Sprintf("%d of the %d references of the collection are not searched", c.LeftOut, c.Entries))
		}
	}
	if r.Reason != "" {
		out = append(out, r.Reason)
	}
	return strings.Join(append(out, r.Notes...), "; ")
}

// mostWhy is how many faces that were not searched a cell lists.
const mostWhy = 5

func whyNot(bad []semblance.BadLine) string {
	var out []string
	for i, b := range bad {
		if i == mostWhy {
			out = append(out, fmt.Sprintf("%d more faces", len(bad)-i))
			break
		}
		out = append(out, b.Text+" "+b.Reason)
	}
	return strings.Join(out, "; ")
}

// plain makes text that a spreadsheet does not take for a formula: file names and
// labels are foreign, and one that begins with = would be run where it is opened.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if s != "" && strings.ContainsRune("=+-@\t\r|", rune(s[0])) || strings.HasPrefix(s, " ") {
		return "'" + s
	}
	return s
}

//go:embed sheet.html
var sheetPage string

func writeSheetHTML(w io.Writer, s SheetSource) error {
	t, err := template.New("sheet").Funcs(template.FuncMap{"notes": notes, "why": whyNot, "four": four, "age": semblance.DeclaredAge, "distance": func(d *float64) string {
		if d == nil {
			return "not known"
		}
		return four(*d)
	}}).Parse(sheetPage)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}
