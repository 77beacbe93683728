package semblance_test

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata"

	"semblance"
)

// TestTimesInZones: hours that a clock shows twice, or never, and times of which the zone is
// not known.
func TestTimesInZones(t *testing.T) {
	t.Parallel()
	const unknown = semblance.ZoneUnknown
	for _, tt := range []struct{ name, zone, at, of, wantZone, utc, local string }{
		{"summer", "Europe/Amsterdam", "2019-05-04T10:11:12.5Z", "", "UTC", "2019-05-04T10:11:12.5Z", "2019-05-04T12:11:12.5+02:00"},
		{"before the clock goes back", "Europe/Amsterdam", "2026-10-25T00:30:00Z", "", "UTC", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00+02:00"},
		{"the same hour again", "Europe/Amsterdam", "2026-10-25T01:30:00Z", "", "UTC", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00+01:00"},
		{"before the clock goes forward", "Europe/Amsterdam", "2026-03-29T00:59:59Z", "", "UTC", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59+01:00"},
		{"after it went", "Europe/Amsterdam", "2026-03-29T01:00:00Z", "", "UTC", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"an offset that the zone does not have then", "Europe/Amsterdam", "2026-03-29T02:30:00+01:00", "", "+01:00", "2026-03-29T01:30:00Z", "2026-03-29T03:30:00+02:00"},
		{"an hour that was twice, zone unknown", "Europe/Amsterdam", "2026-10-25T02:30:00", "", unknown, "", ""},
		{"an hour that was not, zone unknown", "Europe/Amsterdam", "2026-03-29T02:30:00", "", unknown, "", ""},
		{"a zone beside the time", "America/New_York", "2019-05-04T10:11:12", "+02:00", "+02:00", "2019-05-04T08:11:12Z", "2019-05-04T04:11:12-04:00"},
		{"UTC beside the time", "Asia/Kathmandu", "2019-05-04T10:11:12", "UTC", "UTC", "2019-05-04T10:11:12Z", "2019-05-04T15:56:12+05:45"},
		{"unknown beside the time", "Europe/Amsterdam", "2019-05-04T10:11:12", unknown, unknown, "", ""},
		{"a word for a zone", "Europe/Amsterdam", "2019-05-04T10:11:12", "somewhere", "somewhere", "", ""},
		{"a day", "Europe/Amsterdam", "2019-05-04", "", unknown, "", ""},
		{"a day of UTC", "Europe/Amsterdam", "2019-05-04", "UTC", "UTC", "", ""},
		{"the case is in UTC", "UTC", "2019-05-04T10:11:12Z", "", "UTC", "2019-05-04T10:11:12Z", "2019-05-04T10:11:12+00:00"},
		{"no zone of the case", "", "2019-05-04T12:11:12+02:00", "", "+02:00", "2019-05-04T10:11:12Z", ""},
		{"an offset with seconds", "Africa/Monrovia", "1971-06-01T00:00:00Z", "", "UTC", "1971-06-01T00:00:00Z", "1971-05-31T23:15:30-00:44:30"},
	} {
		in, err := semblance.Case{TimeZone: tt.zone}.Location()
		if err != nil {
			t.Fatal(err)
		}
		want := semblance.ShownTime{What: "modified", Source: "inode", Kept: tt.at, Zone: tt.wantZone, UTC: tt.utc, InCase: tt.local}
		if got := semblance.ShowTime("modified", "inode", tt.at, tt.of, in); got != want {
			t.Errorf("%s:\n%+v, want\n%+v", tt.name, got, want)
		}
	}
}

// TestTimesOfAnItem: those of its container stand for the one made of them.
func TestTimesOfAnItem(t *testing.T) {
	t.Parallel()
	i := semblance.Item{Modified: time.Unix(1_500_000_000, 5)}
	if got := i.ShowTimes(nil); len(got) != 1 || got[0].Source != "file system" || got[0].UTC != "2017-07-14T02:40:00.000000005Z" {
		t.Errorf("%+v", got)
	}
	i.Times = []semblance.FileTime{{What: "modified", Time: "2019-05-04T10:11:12", Source: "FAT directory entry"}, {What: "accessed", Time: "2017-07-14T02:40:00Z", Source: "inode"}}
	if got := i.ShowTimes(nil); len(got) != 2 || got[0].Zone != semblance.ZoneUnknown || got[0].UTC != "" || got[1].UTC == "" {
		t.Errorf("%+v", got)
	}
	if got := (&semblance.Item{}).ShowTimes(nil); got != nil {
		t.Errorf("of no time: %+v", got)
	}
}

// TestTimeZoneOfACase: names of the IANA database, and nothing that is another zone on
// another machine.
func TestTimeZoneOfACase(t *testing.T) {
	r := newRig(t)
	set := func(change semblance.CaseChange) (semblance.Case, error) {
		return r.SetCase(t.Context(), tester, "C1", change)
	}
	for _, bad := range []string{"Amsterdam", "europe/amsterdam", "+02:00", "Local", "localtime", "right/Europe/Amsterdam", "posix/Europe/Amsterdam", "Europe", "Factory", "../etc/localtime", "Europe/../Europe/Amsterdam", "CEST"} {
		_, err := set(semblance.CaseChange{TimeZone: &bad})
		if !errors.Is(err, semblance.Invalid) || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
		if _, err := r.CreateCase(t.Context(), tester, semblance.Case{Number: "C2", Agency: "A", Country: "NL", Purpose: "p", Basis: "b", TimeZone: bad}); !errors.Is(err, semblance.Invalid) {
			t.Errorf("a case in %s: %v", bad, err)
		}
	}
	if _, err := set(semblance.CaseChange{}); !errors.Is(err, semblance.Invalid) {
		t.Errorf("nothing to set: %v", err)
	}
	yes, zone, none := true, " America/Argentina/Buenos_Aires ", ""
	for _, step := range []struct {
		change semblance.CaseChange
		life   bool
		zone   string
	}{
		{semblance.CaseChange{TimeZone: &zone}, false, "America/Argentina/Buenos_Aires"},
		{semblance.CaseChange{ThreatToLife: &yes}, true, "America/Argentina/Buenos_Aires"},
		{semblance.CaseChange{TimeZone: &none}, true, ""},
	} {
		got, err := set(step.change)
		if err != nil || got.ThreatToLife != step.life || got.TimeZone != step.zone {
			t.Errorf("%+v, %v", got, err)
		}
		if kept, err := r.Cases.Case(t.Context(), "C1"); err != nil || kept != got {
			t.Errorf("kept is %+v, %v", kept, err)
		}
	}
	events, err := r.store.AuditEvents(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-3:]
	if _, said := last[1].Detail["time_zone"]; last[0].Action != "case.set" || last[0].Detail["time_zone"] != "America/Argentina/Buenos_Aires" || said || last[2].Detail["time_zone"] != "" {
		t.Errorf("the audit chain says %+v", last)
	}
}
