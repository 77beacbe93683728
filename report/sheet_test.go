package report_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"

	"semblance"
	"semblance/report"
)

func sheetSource() report.SheetSource {
	face, margin, age := 1, 0.25, 9
	sum := semblance.SHA256{1}
	best := semblance.Candidate{Face: 1, Subject: "=cmd|' /C calc'!A0", Source: "+s.jpg", Distance: 0.125, Metric: semblance.Cosine, Threshold: 0.5, Band: band, Margin: &margin,
		References: 2, Captured: "2015-06", Age: &age}
	return report.SheetSource{
		Sheet: semblance.Sheet{ID: "1234", Case: semblance.Case{Number: "C<1>", Purpose: "p"}, Engine: semblance.Engines()[0], Probes: 2, Potential: 1, Open: 1, Failed: 1,
			Collections: []semblance.Collection{{Name: "a", Owner: "@owner", Country: "NL", FaceDistance: 0.5}, {Name: "b", Country: "DE", FaceDistance: 0.4, Entries: 9, LeftOut: 2}}, Warnings: []string{"2 references of b are not searched"}},
		Rows: []semblance.SheetRow{
			{Number: 1, Reference: "-1+1", Probe: "a\tb.jpg", SHA256: &sum, Faces: 2, Searched: []int{1}, Face: &face, Quality: 71.6, Reliability: []string{"likely a child"}, Outcome: semblance.PotentialCandidate, Candidates: 1, Best: &best,
				NotSearched: []semblance.BadLine{{Line: 0, Text: "face 0, quality 5", Reason: "[small]"}}, Notes: []string{"the picture has 2 faces"}, Request: "r",
				Cells: []semblance.SheetCell{{Collection: "a", Outcome: semblance.PotentialCandidate, Candidates: 1, Best: &best}, {Collection: "b", Outcome: semblance.NoCandidate}}},
			{Number: 2, Reference: "R2", Probe: "<script>.jpg", Searched: []int{}, Outcome: semblance.Inconclusive, Reason: "the probe could not be searched", Code: semblance.MediaDamaged, Error: "it is damaged",
				Cells: []semblance.SheetCell{{Collection: "a", Outcome: semblance.Inconclusive}, {Collection: "b", Outcome: semblance.Inconclusive}}},
		},
		Bad: []semblance.BadLine{{Line: 4, Text: "R9", Reason: "it has no path"}},
	}
}

func TestSheetCSV(t *testing.T) {
	t.Parallel()
	var b, again bytes.Buffer
	if err := report.WriteSheet(&b, report.CSV, sheetSource()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d lines, %v", len(rows), err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, c := range []struct {
		row          int
		column, want string
	}{
		{1, "reference", "'-1+1"}, {1, "subject", "'=cmd|' /C calc'!A0"}, {1, "source", "'+s.jpg"}, {1, "owner", "'@owner"}, {1, "probe", "a b.jpg"},
		{1, "distance", "0.1250"}, {1, "margin", "0.2500"}, {1, "captured", "2015-06"}, {1, "age_at_capture", "9"}, {1, "quality", "72"},
		{1, "not_searched", "face 0, quality 5 [small]"}, {1, "reliability", "likely a child"}, {1, "outcome", "potential candidate"},
		{2, "collection", "b"}, {2, "notes", "2 of the 9 references of the collection are not searched; the picture has 2 faces"}, {2, "outcome", "no candidate"}, {2, "outcome_of_all", "potential candidate"}, {2, "subject", ""}, {2, "threshold", "0.4000"},
		{3, "outcome", "inconclusive"}, {3, "notes", "the probe could not be searched"}, {5, "notes", "line 4 of the list was left out: it has no path"},
	} {
		if got := rows[c.row][at[c.column]]; got != c.want {
			t.Errorf("line %d, %s: %q, want %q", c.row, c.column, got, c.want)
		}
	}
	other := sheetSource()
	other.ID, other.Rows[0].Request = "another run", "another request"
	if err := report.WriteSheet(&again, report.CSV, other); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := report.WriteSheet(&b, report.CSV, sheetSource()); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("two runs give different sheets: %v", err)
	}
}

func TestSheetPage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := report.WriteSheet(&b, report.HTML, sheetSource()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{"C&lt;1&gt;", "distance 0.1250, margin 0.2500", "captured 2015-06, age 9", "2 references within the threshold", "likely a child", "face 1 of 2, 1 searched", "no candidate", "&lt;script&gt;.jpg", "it has no path", "2 references of b are not searched", "not an identification"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "1234", "<img"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if err := report.WriteSheet(&b, "pdf", sheetSource()); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("a format that is not there: %v", err)
	}
}
