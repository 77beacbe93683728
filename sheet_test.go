package semblance_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"semblance"
)

func (r *rig) sheet(probes []semblance.Probe, collections ...string) (sh semblance.Sheet, rows []semblance.SheetRow, err error) {
	r.t.Helper()
	sh, err = r.SearchSheet(r.t.Context(), tester, semblance.SheetRequest{
		SearchRequest: semblance.SearchRequest{Case: "C1", Collections: collections}, Probes: probes}, func(row semblance.SheetRow) error {
		rows = append(rows, row)
		return nil
	})
	return sh, rows, err
}

func TestASheetSaysProbeByCollection(t *testing.T) {
	r := newRig(t)
	r.collection("a", semblance.Faces)
	r.collection("b", semblance.Faces)
	r.enroll("a", "x", at(0.1)...)
	r.enroll("a", "y", at(0.4)...)
	r.enroll("b", "z", at(0.2)...)
	one := 1
	chosen := r.probe("chosen.jpg", picture{Faces: [][]float32{{-1, 0}, {1, 0}}})
	chosen.Face = &one
	outside := chosen
	outside.Name, outside.Face = "outside.jpg", ref(7)
	probes := []semblance.Probe{
		r.probe("near.jpg", picture{Faces: [][]float32{{1, 0}}}),
		r.probe("far.jpg", picture{Faces: [][]float32{{-1, 0}}}),
		r.probe("wall.jpg", picture{}),
		r.probe("poor.jpg", picture{Faces: [][]float32{{1, 0}}, Poor: []int{0}}),
		r.probe("broken.jpg", picture{Fail: "media-damaged"}),
		{Name: "gone.jpg", Reference: "g", Open: func() (*os.File, error) {
			return nil, semblance.Errorf(semblance.Invalid, `"gone.jpg" does not exist`)
		}},
		r.probe("several.jpg", picture{Faces: [][]float32{{-1, 0}, {1, 0}, {1, 0}}, Poor: []int{2}}),
		chosen, outside,
		r.probe("empty.jpg", picture{}),
	}
	probes[9].Open = func() (*os.File, error) { return r.file(nil), nil }
	sh, rows, err := r.sheet(probes, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range rows {
		s := fmt.Sprintf("%s: %s", row.Probe, row.Outcome)
		for _, c := range row.Cells {
			s += fmt.Sprintf(", %s %s", c.Collection, c.Outcome)
			if c.Best != nil {
				s += fmt.Sprintf(" %s %.1f of %d", c.Best.Subject, c.Best.Distance, c.Candidates)
			}
		}
		got = append(got, s)
	}
	want := []string{
		"near.jpg: potential candidate, a potential candidate x 0.1 of 2, b potential candidate z 0.2 of 1",
		"far.jpg: no candidate, a no candidate, b no candidate",
		"wall.jpg: inconclusive, a inconclusive, b inconclusive",
		"poor.jpg: inconclusive, a inconclusive, b inconclusive",
		"broken.jpg: inconclusive, a inconclusive, b inconclusive",
		"gone.jpg: inconclusive, a inconclusive, b inconclusive",
		"several.jpg: potential candidate, a potential candidate x 0.1 of 2, b potential candidate z 0.2 of 1",
		"chosen.jpg: potential candidate, a potential candidate x 0.1 of 2, b potential candidate z 0.2 of 1",
		"outside.jpg: inconclusive, a inconclusive, b inconclusive",
		"empty.jpg: inconclusive, a inconclusive, b inconclusive",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if sh.Potential != 3 || sh.None != 1 || sh.Open != 6 || sh.Failed != 4 || sh.Probes != 10 {
		t.Errorf("counted %+v", sh)
	}
	near := rows[0]
	if m := near.Cells[0].Best.Margin; m == nil || fmt.Sprintf("%.1f", *m) != "0.3" {
		t.Errorf("margin within the collection: %v", near.Cells[0].Best.Margin)
	}
	if m := near.Best.Margin; m == nil || fmt.Sprintf("%.1f", *m) != "0.1" {
		t.Errorf("margin over all collections: %v", near.Best.Margin)
	}
	if len(rows[6].Notes) != 1 || !strings.Contains(rows[6].Notes[0], "3 faces and none was chosen; 2 were searched") || len(rows[6].NotSearched) != 1 {
		t.Errorf("a probe with several faces says %q, %+v", rows[6].Notes, rows[6].NotSearched)
	}
	r.kept(sh, rows)
}

// kept checks that every probe with a digest is a request and audited.
func (r *rig) kept(sh semblance.Sheet, rows []semblance.SheetRow) {
	r.t.Helper()
	c, err := r.Cases.Case(r.t.Context(), "C1")
	if err != nil {
		r.t.Fatal(err)
	}
	requests, err := r.Requests.Requests(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	byID := map[string]semblance.Request{}
	for _, q := range requests {
		byID[q.ID] = q
	}
	for _, row := range rows {
		q, ok := byID[row.Request]
		if ok != (row.SHA256 != nil) || ok && (q.Reference != row.Reference || q.Sheet != sh.ID || q.Outcome != row.Outcome || len(q.Candidates) != row.Candidates) {
			r.t.Errorf("%s: kept %v: %+v", row.Probe, ok, q)
		}
	}
	events, err := r.store.AuditEvents(r.t.Context(), 0, 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for _, ev := range events {
		n[ev.Action]++
	}
	if n["search"]+n["search.unread"] != len(rows) || n["search.sheet"] != 1 || n["search.sheet.end"] != 1 {
		r.t.Errorf("audited: %v for %d probes", n, len(rows))
	}
}

func TestALongSheetKeepsItsOrderAndWhatWasDone(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	var probes []semblance.Probe
	for i := range 150 {
		probes = append(probes, r.probe(fmt.Sprintf("%03d", i), picture{Faces: [][]float32{at(float64(i) / 150)}}))
	}
	_, rows, err := r.sheet(probes, "g")
	if err != nil || len(rows) != 150 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows {
		if row.Number != i+1 || row.Probe != fmt.Sprintf("%03d", i) || (row.Best != nil) != (i <= 75) {
			t.Fatalf("row %d is %+v", i, row)
		}
	}
	stop, n := errors.New("the disk is full"), 0
	sh, err := r.SearchSheet(t.Context(), tester, semblance.SheetRequest{SearchRequest: semblance.SearchRequest{Case: "C1", Collections: []string{"g"}}, Probes: probes}, func(semblance.SheetRow) error {
		if n++; n == 100 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || sh.Potential+sh.None != 100 {
		t.Errorf("stopped: %v, %+v", err, sh)
	}
}

func TestASheetRefusesWhatCannotBeMeant(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	_, _, err := r.sheet(nil, "g")
	wantCode(t, err, semblance.Invalid)
	_, _, err = r.sheet([]semblance.Probe{r.probe("a", picture{})}, "nothing")
	wantCode(t, err, semblance.NotFound)
	_, err = r.SearchSheet(t.Context(), tester, semblance.SheetRequest{Probes: []semblance.Probe{r.probe("a", picture{})},
		SearchRequest: semblance.SearchRequest{Case: "C1", Collections: []string{"g"}, Terms: semblance.Terms{Rerank: semblance.YuNetDlib}}}, nil)
	wantCode(t, err, semblance.Invalid)
}
