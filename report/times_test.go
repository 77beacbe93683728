package report_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"semblance"
	"semblance/report"
)

// timed is a source whose items have times of every kind, in a case with or without a zone.
func timed(zone string) report.Source {
	s := source(1)
	s.Case.TimeZone = zone
	fat := withFindings(row("stick/IMG_20190504_101112.jpg", semblance.ItemNew, "f", 1), 1)
	fat.Item.Modified = time.Time{}
	fat.Item.Times = []semblance.FileTime{{What: "modified", Time: "2026-03-29T02:30:00", Source: "FAT directory entry"}, {What: "accessed", Time: "2026-10-25T00:30:00Z", Source: "ext4 inode"},
		{What: "changed", Time: "2026-10-25T01:30:00Z", Source: "ext4 inode"}}
	fat.Media.Analysis.Metadata = semblance.Metadata{Taken: "2019-05-04T10:11:12", Times: []semblance.MetadataTime{{Source: "exif:DateTimeOriginal", Time: "2019-05-04T10:11:12", Zone: semblance.ZoneUnknown},
		{Source: "exif:GPS", Time: "2019-05-04T08:11:10", Zone: "UTC"}, {Source: "xmp:xmp:CreateDate", Time: "2019-05-04T10:11:12", Zone: "+02:00"}}}
	old := row("old.jpg", semblance.ItemNew, "o", 1)
	old.Media.Analysis.Metadata = semblance.Metadata{Taken: "2019-05-04T10:11:12+02:00"}
	none := failed("none.jpg", "it is damaged")
	s.Rows = rowsOf(fat, old, none)
	return s
}

// TestTimesInTheZoneOfTheCase: every format shows each time in UTC and in the zone, hours
// that were twice told apart, and says of what has no zone that it has none.
func TestTimesInTheZoneOfTheCase(t *testing.T) {
	t.Parallel()
	const zone = "Europe/Amsterdam"
	// Each in UTC and in the zone; of the clock that kept 2026-03-29T02:30:00 there is neither.
	known := [][2]string{{"2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00"}, {"2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00"}, {"2019-05-04T08:11:10Z", "2019-05-04T10:11:10+02:00"}, {"2019-05-04T08:11:12Z", "2019-05-04T10:11:12+02:00"}}
	guessed := []string{"2026-03-29T00:30:00", "2026-03-29T01:30:00", "2026-03-29T03:30:00", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00+", "2019-05-04T10:11:12Z", "2019-05-04T12:11:12"}

	type line struct {
		TimeZone  string                `json:"time_zone"`
		CaseTimes []semblance.ShownTime `json:"case_times"`
	}
	var items []line
	for text := range strings.Lines(write(t, report.JSONL, timed(zone))) {
		if strings.Contains(text, `"event":"item"`) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			items = append(items, l)
		}
	}
	want := []semblance.ShownTime{
		{What: "modified", Source: "FAT directory entry", Kept: "2026-03-29T02:30:00", Zone: semblance.ZoneUnknown},
		{What: "accessed", Source: "ext4 inode", Kept: known[0][0], Zone: "UTC", UTC: known[0][0], InCase: known[0][1]},
		{What: "changed", Source: "ext4 inode", Kept: known[1][0], Zone: "UTC", UTC: known[1][0], InCase: known[1][1]},
		{What: "metadata", Source: "exif:DateTimeOriginal", Kept: "2019-05-04T10:11:12", Zone: semblance.ZoneUnknown},
		{What: "metadata", Source: "exif:GPS", Kept: "2019-05-04T08:11:10", Zone: "UTC", UTC: known[2][0], InCase: known[2][1]},
		{What: "metadata", Source: "xmp:xmp:CreateDate", Kept: "2019-05-04T10:11:12", Zone: "+02:00", UTC: known[3][0], InCase: known[3][1]},
	}
	if len(items) != 3 || items[0].TimeZone != zone || len(items[0].CaseTimes) != 7 || !slices.Equal(items[0].CaseTimes[:6], want) || items[0].CaseTimes[6].What != "name" || items[0].CaseTimes[6].Zone != semblance.ZoneUnknown {
		t.Errorf("%+v", items)
	}
	if old := items[1].CaseTimes; len(old) != 2 || old[0].InCase != "2017-07-14T04:40:00.000000005+02:00" || old[1].UTC != known[3][0] {
		t.Errorf("%+v", old)
	}
	if items[2].TimeZone != "" || items[2].CaseTimes != nil {
		t.Errorf("of no times: %+v", items[2])
	}

	cells := tables(t, write(t, report.CSV, timed(zone)))["items.csv"]
	n := len(cells[0]) - 5
	if got := strings.Join(cells[0][n:], " "); got != "time_zone modified_in_time_zone taken_utc taken_in_time_zone times" {
		t.Errorf("columns: %s", got)
	}
	if got := cells[1][n:]; !slices.Equal(got[:4], []string{zone, "", "zone unknown", "zone unknown"}) {
		t.Errorf("%q", got)
	}
	if got := cells[2][n:]; !slices.Equal(got[:4], []string{zone, "2017-07-14T04:40:00.000000005+02:00", known[3][0], known[3][1]}) {
		t.Errorf("%q", got)
	}
	page := strings.ReplaceAll(write(t, report.HTML, timed(zone)), "&#43;", "+")
	for name, text := range map[string]string{"csv": cells[1][n+4], "html": page, "pdf": pdfLines(t, write(t, report.PDF, timed(zone)), false)} {
		for _, k := range known {
			if !strings.Contains(text, k[0]) || !strings.Contains(text, k[1]) {
				t.Errorf("%s: no %s or no %s in\n%s", name, k[0], k[1], text)
			}
		}
		for _, kept := range []string{"2026-03-29T02:30:00 (zone unknown)", "2019-05-04T10:11:12 (zone unknown)"} {
			if !strings.Contains(text, kept) {
				t.Errorf("%s does not say %q:\n%s", name, kept, text)
			}
		}
		for _, g := range guessed {
			if strings.Contains(text, g) {
				t.Errorf("%s has %s, which nothing says", name, g)
			}
		}
		if name != "csv" && !strings.Contains(text, "in the time zone of the case, "+zone) {
			t.Errorf("%s does not name the zone", name)
		}
	}
	if !strings.Contains(page, "1970-01-01 00:00 UTC (1970-01-01 01:00 +01:00)") {
		t.Error("the page's own times are not in the zone")
	}
}

// TestTimesWithoutAZoneOfTheCase: the page and the summary show UTC, the other formats are
// as they were before cases had zones.
func TestTimesWithoutAZoneOfTheCase(t *testing.T) {
	t.Parallel()
	if text := write(t, report.JSONL, timed("")); strings.Contains(text, "case_times") || strings.Contains(text, "time_zone") {
		t.Errorf("NDJSON: %s", text)
	}
	if head := tables(t, write(t, report.CSV, timed("")))["items.csv"][0]; slices.Contains(head, "time_zone") || slices.Contains(head, "times") {
		t.Errorf("CSV: %q", head)
	}
	for _, f := range []report.Format{report.HTML, report.PDF} {
		text := write(t, f, timed(""))
		if f == report.PDF {
			text = pdfLines(t, text, false)
		}
		if !strings.Contains(text, "2026-10-25T00:30:00Z") || !strings.Contains(text, "2026-03-29T02:30:00 (zone unknown)") || strings.Contains(text, "02:30:00+") || strings.Contains(text, "zone of the case") {
			t.Errorf("%s:\n%s", f, text)
		}
	}
}

// TestZoneThatIsNotKnown: a report that would lack times is refused.
func TestZoneThatIsNotKnown(t *testing.T) {
	t.Parallel()
	for _, f := range []report.Format{report.JSONL, report.CSV, report.HTML, report.PDF} {
		var b strings.Builder
		if err := report.Write(&b, f, timed("Europe/Atlantis")); semblance.HintOf(err) == "" || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", f, err, b.Len())
		}
	}
}
