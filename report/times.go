package report

import (
	"strings"
	"time"

	"semblance"
)

// timesOf are all times of an item: of its file, of what its metadata says and of what its
// path says.
func timesOf(r Row, zone *time.Location) []semblance.ShownTime {
	out := r.Item.ShowTimes(zone)
	m := analysisOf(r).Metadata
	for _, t := range m.Times {
		out = append(out, semblance.ShowTime("metadata", t.Source, t.Time, t.Zone, zone))
	}
	if len(m.Times) == 0 && m.Taken != "" { // as it was read before all times were
		out = append(out, semblance.ShowTime("metadata", "exif:DateTimeOriginal", m.Taken, "", zone))
	}
	if f := originOf(r).Name; f != nil && f.Time != "" {
		out = append(out, semblance.ShowTime("name", f.Rule, f.Time, f.Zone, zone))
	}
	return out
}

// zoneUnknown is said instead of a time that cannot be converted.
const zoneUnknown = "zone unknown"

// inUTC is a time's moment in UTC, or why it has none.
func inUTC(t semblance.ShownTime) string {
	switch {
	case t.UTC != "":
		return t.UTC
	case t.Zone == semblance.ZoneUnknown:
		return zoneUnknown
	}
	return "a day of " + t.Zone
}

// inCase is a time's moment in the zone of the case, or why it has none.
func inCase(t semblance.ShownTime) string {
	if t.InCase != "" {
		return t.InCase
	}
	return inUTC(t)
}

// keptAs is a time as it is kept, with its zone.
func keptAs(t semblance.ShownTime) string {
	switch {
	case t.Zone == semblance.ZoneUnknown:
		return t.Kept + " (" + zoneUnknown + ")"
	case strings.HasSuffix(t.Kept, "Z") || strings.HasSuffix(t.Kept, t.Zone):
		return t.Kept
	}
	return t.Kept + " " + t.Zone
}

// inWords is a time in a line of text.
func inWords(t semblance.ShownTime) string {
	text := t.What + " " + keptAs(t)
	if t.UTC != "" {
		text = t.What + " " + t.UTC + after(" = ", t.InCase)
	}
	return text + " (" + t.Source + ")"
}
