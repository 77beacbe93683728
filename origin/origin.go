package origin

import (
	"strconv"
	"strings"
	"time"
)

// A Kind says how a file came to lie where it lies.
type Kind string

// The kinds. The zero value: the rule does not say.
const (
	Camera     Kind = "camera"     // taken with the device
	Received   Kind = "received"   // by a messenger
	Sent       Kind = "sent"       // by a messenger
	Saved      Kind = "saved"      // by the user, out of an application
	Screenshot Kind = "screenshot" // of the device's screen
	Thumbnail  Kind = "thumbnail"  // a small copy that the system keeps
	Cache      Kind = "cache"      // what an application keeps for itself
	Download   Kind = "download"   // by a browser or an application
	Exchanged  Kind = "exchanged"  // received or sent: the name does not say which
	Deleted    Kind = "deleted"    // in a folder of deleted things
	Edited     Kind = "edited"     // by an application
)

// What a time in a name is in.
const (
	UTC     = "UTC"     // counted from 1970, or written so
	Unknown = "unknown" // written by a clock of which the name does not say the zone
)

// A Fact is what one rule says of a path.
type Fact struct {
	Application string `json:"application,omitempty"` // "WhatsApp"; "" when the name says only what kind it is
	Kind        Kind   `json:"kind,omitempty"`
	Time        string `json:"time,omitempty"` // RFC 3339 without zone, a day where there is no more
	Zone        string `json:"zone,omitempty"` // UTC or Unknown, with Time
	Rule        string `json:"rule"`           // name and version: "whatsapp-name/1"
}

// An Origin is what the rules say of a path: the first rule of names and the first of
// folders that fits. They can differ, as with a WhatsApp picture in the folder of Telegram:
// then it was passed on.
type Origin struct {
	Name   *Fact `json:"name,omitempty"`
	Folder *Fact `json:"folder,omitempty"`
}

// IsZero reports whether no rule fits.
func (o Origin) IsZero() bool { return o.Name == nil && o.Folder == nil }

// Application is what the folder says, or else the name; "" for neither.
func (o Origin) Application() string {
	if o.Folder != nil && o.Folder.Application != "" {
		return o.Folder.Application
	}
	if o.Name != nil {
		return o.Name.Application
	}
	return ""
}

// Kind is that of the folder, where it says one, or else of the name.
func (o Origin) Kind() Kind {
	if o.Folder != nil && o.Folder.Kind != "" {
		return o.Folder.Kind
	}
	if o.Name != nil {
		return o.Name.Kind
	}
	return ""
}

// longest bounds the paths that are looked at: longer ones are of no file system.
const longest = 1 << 16

// Of applies the rules to a slash-separated path.
func Of(path string) Origin {
	var o Origin
	if len(path) > longest {
		return o
	}
	folder, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		folder, name = path[:i], path[i+1:]
	}
	o.Name = nameFact(name)
	o.Folder = folderFact(folder)
	return o
}

func nameFact(name string) *Fact {
	for i := range nameRules {
		r := &nameRules[i]
		if !strings.HasPrefix(name, r.prefix) {
			continue
		}
		if m := r.pattern.FindStringSubmatch(name); m != nil {
			f := Fact{Application: r.application, Kind: r.kind, Rule: r.rule}
			if r.time != nil {
				var ok bool
				if f.Time, f.Zone, ok = r.time(m[1:]); !ok {
					continue // digits that are no time are not that application's
				}
			}
			return &f
		}
	}
	return nil
}

func folderFact(folder string) *Fact {
	lower := "/" + strings.ToLower(folder) + "/"
	for i := range folderRules {
		r := &folderRules[i]
		at := strings.Index(lower, r.part)
		if at < 0 {
			continue
		}
		f := Fact{Application: r.application, Kind: r.kind, Rule: r.rule}
		below := lower[at:]
		for _, k := range r.below {
			if strings.Contains(below, k.part) {
				f.Kind = k.kind
				break
			}
		}
		return &f
	}
	return nil
}

// written reads the digits of a clock: date, and time when there are six more. Every
// group is digits only, by its pattern.
func written(groups []string) (at, zone string, ok bool) {
	digits := strings.Join(groups, "")
	switch len(digits) {
	case 8:
		if t, err := time.Parse("20060102", digits); err == nil && plausible(t) {
			return t.Format(time.DateOnly), Unknown, true
		}
	case 14, 17:
		if t, err := time.Parse("20060102150405", digits[:14]); err == nil && plausible(t) {
			at = t.Format("2006-01-02T15:04:05")
			if len(digits) == 17 {
				at += "." + digits[14:]
			}
			return at, Unknown, true
		}
	}
	return "", "", false
}

// writtenUTC is written of a clock that shows UTC.
func writtenUTC(groups []string) (at, zone string, ok bool) {
	at, _, ok = written(groups)
	return at, UTC, ok
}

// dayFirst is written of DDMMYYYY.
func dayFirst(groups []string) (at, zone string, ok bool) {
	d := strings.Join(groups, "")
	if len(d) < 8 {
		return "", "", false
	}
	return written([]string{d[4:8], d[2:4], d[:2], d[8:]})
}

// milliseconds since 1970.
func milliseconds(groups []string) (at, zone string, ok bool) {
	n, err := strconv.ParseInt(groups[0], 10, 64)
	t := time.UnixMilli(n).UTC()
	if err != nil || !plausible(t) {
		return "", "", false
	}
	return t.Format("2006-01-02T15:04:05.000"), UTC, true
}

// seconds since 1970.
func seconds(groups []string) (at, zone string, ok bool) {
	n, err := strconv.ParseInt(groups[0], 10, 64)
	t := time.Unix(n, 0).UTC()
	if err != nil || !plausible(t) {
		return "", "", false
	}
	return t.Format("2006-01-02T15:04:05"), UTC, true
}

// snowflake is an identifier of Discord's, whose upper bits are milliseconds since 2015
// (Discord Developer Documentation, Snowflakes).
func snowflake(groups []string) (at, zone string, ok bool) {
	n, err := strconv.ParseUint(groups[0], 10, 64)
	if err != nil {
		return "", "", false
	}
	return milliseconds([]string{strconv.FormatUint(n>>22+1420070400000, 10)})
}

// plausible reports whether a telephone can have written a time.
func plausible(t time.Time) bool { return t.Year() >= 1995 && t.Year() < 2100 }

// Rules lists the rules, each once, in the order in which they are looked at: names, then
// folders.
func Rules() []string {
	var out []string
	seen := map[string]bool{}
	add := func(rule string) {
		if !seen[rule] {
			seen[rule] = true
			out = append(out, rule)
		}
	}
	for _, r := range nameRules {
		add(r.rule)
	}
	for _, r := range folderRules {
		add(r.rule)
	}
	return out
}
