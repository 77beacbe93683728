package media

import (
	"math"
	"strconv"
	"strings"
	"time"

	"semblance"
)

// ofTags reads the usual metadata out of the tags of a video: those of Apple's phones,
// of Android's and of the MP4 header.
func ofTags(tags []semblance.VideoTag) semblance.Metadata {
	written := func(names ...string) string {
		for _, name := range names {
			for _, t := range tags {
				if strings.EqualFold(t.Name, name) && strings.TrimSpace(t.Value) != "" {
					return strings.TrimSpace(t.Value)
				}
			}
		}
		return ""
	}
	m := semblance.Metadata{
		Taken:    madeAt(written("com.apple.quicktime.creationdate", "creation_time")),
		Make:     written("com.apple.quicktime.make", "com.android.manufacturer", "make"),
		Model:    written("com.apple.quicktime.model", "com.android.model", "model"),
		Software: written("com.apple.quicktime.software", "software", "com.android.version", "encoder"),
	}
	m.ImageID = written("com.apple.quicktime.content.identifier") // which the photograph of a Live Photo has too
	for _, t := range tags {
		if t.Stream {
			continue
		}
		switch name := strings.ToLower(t.Name); name {
		case "com.apple.quicktime.creationdate", "creation_time", "date":
			if at, zone := timeOf(t.Value); at != "" {
				m.Times = append(m.Times, semblance.MetadataTime{Source: "video:" + name, Time: at, Zone: zone})
			}
		case "title", "comment", "artist", "author", "description", "synopsis", "copyright", "com.apple.quicktime.title", "com.apple.quicktime.comment", "com.apple.quicktime.author", "com.apple.quicktime.description":
			if text := strings.TrimSpace(t.Value); text != "" {
				m.Texts = append(m.Texts, semblance.MetadataText{Source: "video:" + name, Text: text})
			}
		}
	}
	if lat, lon, ok := parseLocation(written("com.apple.quicktime.location.ISO6709", "location", "location-eng", "xyz")); ok {
		m.Latitude, m.Longitude = &lat, &lon
	}
	return m
}

// timeOf splits a time into one without a zone, and the zone, as metadata has them. That
// of an MP4 header is UTC by the standard, though cameras exist that write their local
// time.
func timeOf(s string) (at, zone string) {
	const layout = "2006-01-02T15:04:05.999999999"
	for _, zoned := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if t, err := time.Parse(zoned, s); err == nil {
			if t.Year() <= 1904 { // the field was left empty
				return "", ""
			}
			if zone = t.Format("Z07:00"); zone == "Z" {
				zone = "UTC"
			}
			return t.Format(layout), zone
		}
	}
	for _, bare := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006:01:02 15:04:05"} {
		if t, err := time.Parse(bare, s); err == nil {
			return t.Format(layout), semblance.ZoneUnknown
		}
	}
	return "", ""
}

// madeAt is a time in RFC 3339; one without a zone stays without one.
func madeAt(s string) string {
	at, zone := timeOf(s)
	at, _, _ = strings.Cut(at, ".")
	switch zone {
	case "", semblance.ZoneUnknown:
		return at
	case "UTC":
		return at + "Z"
	}
	return at + zone
}

// parseLocation reads a place as ISO 6709 writes it in the form of Annex H, such as
// +48.8584+002.2945+035/: degrees, or degrees and minutes, or seconds too, told apart by
// the number of digits.
func parseLocation(s string) (latitude, longitude float64, ok bool) {
	lat, rest, ok := angle(s, 2)
	if !ok {
		return 0, 0, false
	}
	lon, _, ok := angle(rest, 3)
	if !ok || math.Abs(lat) > 90 || math.Abs(lon) > 180 {
		return 0, 0, false
	}
	return lat, lon, true
}

// angle reads one signed number whose degrees have so many digits.
func angle(s string, digits int) (degrees float64, rest string, ok bool) {
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, s, false
	}
	end := 1
	for end < len(s) && (s[end] == '.' || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	text := s[1:end]
	whole, _, _ := strings.Cut(text, ".")
	var parts []string
	switch len(whole) - digits {
	case 0:
		parts = []string{text}
	case 2:
		parts = []string{text[:digits], text[digits:]}
	case 4:
		parts = []string{text[:digits], text[digits : digits+2], text[digits+2:]}
	}
	unit := 1.0
	for _, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || unit < 1 && v >= 60 {
			return 0, s, false
		}
		degrees += v * unit
		unit /= 60
	}
	if s[0] == '-' {
		degrees = -degrees
	}
	return degrees, s[end:], len(parts) > 0
}
