package semblance

import (
	"cmp"
	"regexp"
	"strings"
	"time"
)

// zoneName is the form of IANA names. Names that begin with a small letter are of the
// machine: right/ counts leap seconds, localtime is another zone on another machine.
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+/-]{0,99}$`)

// checkTimeZone checks the name of a case's zone; an empty one is none.
func checkTimeZone(name *string) error {
	*name = strings.TrimSpace(*name)
	_, err := Case{TimeZone: *name}.Location()
	return err
}

// Location is the time zone of a case, nil where it has none. The error has code Invalid
// when the zone is not known here.
func (c Case) Location() (*time.Location, error) {
	if c.TimeZone == "" {
		return nil, nil
	}
	if zoneName.MatchString(c.TimeZone) && c.TimeZone != "Local" && c.TimeZone != "Factory" {
		if zone, err := time.LoadLocation(c.TimeZone); err == nil {
			return zone, nil
		}
	}
	return nil, Errorf(Invalid, "%q is not a time zone of the IANA database", c.TimeZone).
		WithHint("Write its name, such as Europe/Amsterdam, or UTC. An offset such as +02:00 is not one: it does not say when clocks change.")
}

// A ShownTime is a time as it is kept and, where that is known, the same moment in UTC and
// in the zone of a case. A time whose zone is unknown is only shown as it is kept.
type ShownTime struct {
	What   string `json:"what"`              // "modified", "metadata", "name", ...
	Source string `json:"source"`            // where it is kept
	Kept   string `json:"kept"`              // as it is kept
	Zone   string `json:"zone"`              // "UTC", "+02:00", or ZoneUnknown
	UTC    string `json:"utc,omitempty"`     // RFC 3339
	InCase string `json:"in_case,omitempty"` // RFC 3339, in the zone of the case
}

// ShowTime shows a time, with or without its zone in it, in UTC and in a zone unless that
// is nil. An empty zone is the one in the time; a day, and a time without a zone, are not
// converted.
func ShowTime(what, source, at, zone string, in *time.Location) ShownTime {
	s := ShownTime{What: what, Source: source, Kept: at, Zone: cmp.Or(zone, ZoneUnknown)}
	whole := at
	switch zone {
	case "", ZoneUnknown:
	case "UTC":
		whole += "Z"
	default:
		whole += zone
	}
	t, err := time.Parse(time.RFC3339Nano, whole)
	if err != nil {
		return s
	}
	if zone == "" {
		s.Zone = "UTC"
		if !strings.HasSuffix(at, "Z") {
			s.Zone = at[len(at)-len("+00:00"):]
		}
	}
	s.UTC = t.UTC().Format(time.RFC3339Nano)
	if in != nil {
		s.InCase = InZone(t, in)
	}
	return s
}

// InZone writes a time in a zone, with its offset: an hour that a clock shows twice differs
// in it. Offsets of before the railways have seconds, without which it would be another
// moment.
func InZone(t time.Time, zone *time.Location) string {
	t = t.In(zone)
	layout := "2006-01-02T15:04:05.999999999-07:00"
	if _, offset := t.Zone(); offset%60 != 0 {
		layout += ":00"
	}
	return t.Format(layout)
}

// ShowTimes shows the times of an item: those that its container keeps, or the time of
// modification that the file system gave.
func (i *Item) ShowTimes(in *time.Location) (out []ShownTime) {
	for _, t := range i.Times {
		out = append(out, ShowTime(t.What, t.Source, t.Time, "", in))
	}
	if len(out) == 0 && !i.Modified.IsZero() {
		out = append(out, ShowTime("modified", "file system", i.Modified.UTC().Format(time.RFC3339Nano), "", in))
	}
	return out
}
