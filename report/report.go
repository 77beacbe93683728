// Package report writes what a case holds for people and programs: as NDJSON, the
// same bytes for the same recorded state, and as one self-contained page.
//
// The two names most callers need are [Source] and [Write]. A report carries
// numbers and hashes and never pixels. Candidates are marked unreviewed until an
// examiner has reviewed them; near matches are marked unverified. The fields of
// the NDJSON stay compatible.
package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"iter"
	"math"
	"strings"
	"time"

	"semblance"
	"semblance/origin"
)

// A Row is one item with what is known of it. Rows come by exhibit label, then by
// path in byte order.
type Row struct {
	Exhibit  string
	Item     semblance.Item
	Media    *semblance.Media
	Findings *semblance.Findings
}

// A Source is what a report is about. Rows can be ranged over more than once.
type Source struct {
	Case        semblance.Case
	Exhibits    []semblance.Exhibit
	Collections []semblance.Collection // as they are now
	Requests    []semblance.Request
	Compared    []Compared         // what the exhibits were compared with
	Notices     []semblance.Notice // what look-backs changed, oldest first; shown on the page only
	Stacks      []semblance.Stack  // of several media, the gravest first; shown on the page only
	Stacking    semblance.Stacking // how those were made; zero when media were not stacked
	Rows        iter.Seq2[Row, error]
	Selectors   iter.Seq2[semblance.CaseSelector, error] // in a collection or not; in CSV and NDJSON only. Nil: there are none
	Engines     semblance.EngineSet                      // whose limits are told
	Program     string                                   // name and version
	Written     time.Time                                // shown on the page only, never in the NDJSON
	Actor       string
	Font        []byte // TrueType, for PDF; nil: Helvetica, whose characters are those of western Europe
}

// Unfinished is what a report says of an exhibit whose last scan has not come to its end.
const Unfinished = "NOT FINISHED: the last scan of this exhibit has not come to its end, and there may be files in it of which nothing is recorded. Run the scan again; it goes on"

// A Compared is what an exhibit was compared with.
type Compared struct {
	Exhibit     string   // label
	Collections []string // each with its kind and up to where it was seen
}

// A Format names a way to write a report.
type Format string

// The formats.
const (
	JSONL Format = "jsonl"
	HTML  Format = "html"
	PDF   Format = "pdf" // a summary
)

// Write writes a report. The error has code Invalid for an unknown format, else
// it is the writer's or the rows'.
func Write(w io.Writer, format Format, s Source) error {
	switch format {
	case JSONL:
		return writeJSONL(w, s)
	case HTML:
		return writeHTML(w, s)
	case CSV:
		return writeCSV(w, s)
	case PDF:
		return writePDF(w, s)
	}
	return semblance.Errorf(semblance.Invalid, "%q is not a report format of this version", string(format)).WithHint("The formats are html, csv, jsonl and pdf.")
}

// An itemLine and its kin are the NDJSON's lines. They have nothing of the run's
// clock, of its order or of the store's numbering.
type itemLine struct {
	Event    string               `json:"event"`
	Exhibit  string               `json:"exhibit"`
	Path     string               `json:"path"`
	Size     int64                `json:"size"`
	Modified string               `json:"modified,omitempty"`
	Status   semblance.ItemStatus `json:"status"`
	Code     semblance.Code       `json:"code,omitempty"`   // why it was not examined, or failed
	Reason   string               `json:"reason,omitempty"` // the same as a sentence
	SHA256   string               `json:"sha256,omitempty"`
	SHA1     string               `json:"sha1,omitempty"`
	MD5      string               `json:"md5,omitempty"`
	Type     string               `json:"media_type,omitempty"`
	Width    int                  `json:"width,omitempty"`
	Height   int                  `json:"height,omitempty"`
	Video    *videoLine           `json:"video,omitempty"`
	PDQ      string               `json:"pdq,omitempty"`
	Quality  *int                 `json:"pdq_quality,omitempty"`
	Faces    map[string]int       `json:"faces,omitempty"` // by engine; absent when no detector ran
	Decoder  string               `json:"decoder,omitempty"`
	Partial  string               `json:"partial,omitempty"`
	Metadata *semblance.Metadata  `json:"metadata,omitempty"`
	Origin   *origin.Origin       `json:"origin,omitempty"` // what the path says of the application that made or kept it
	// Embedded are the pictures within the metadata, by their digests.
	Embedded []embeddedLine `json:"embedded,omitempty"`
	semblance.ItemDetails
	// Providers are what programs of the agency stated of the picture: statements, not
	// findings.
	Providers []semblance.ProviderRun `json:"providers,omitempty"`
	// CaseTimes are all its times in UTC and in TimeZone, where the case has one.
	TimeZone  string                `json:"time_zone,omitempty"`
	CaseTimes []semblance.ShownTime `json:"case_times,omitempty"`
}

// stated is what a file states of itself, without what we note of how it was read.
func stated(m *semblance.Metadata) *semblance.Metadata {
	if m.Video == nil || m.Video.Sound == 0 {
		return m
	}
	out, facts := *m, *m.Video
	facts.Sound = 0
	if out.Video = &facts; facts.Tags == nil && facts.Audio == nil {
		out.Video = nil
	}
	if out.IsZero() {
		return nil
	}
	return &out
}

// A videoLine is what is known of a video besides the size of its picture. Seconds are from
// its first frame on.
type videoLine struct {
	Container string  `json:"container"` // FFmpeg's name
	Codec     string  `json:"codec"`
	Seconds   float64 `json:"seconds,omitempty"`         // by the header; absent where it does not say
	Decoded   float64 `json:"decoded_seconds"`           // when the last frame that was decoded is shown
	Frames    int     `json:"frames"`                    // decoded
	Rate      float64 `json:"frames_a_second,omitempty"` // by the header
	Rotation  int     `json:"rotation,omitempty"`        // degrees clockwise by which it is turned to be shown
	Looked    int     `json:"frames_looked_at,omitempty"`
	Scenes    int     `json:"scenes,omitempty"`
}

func videoOf(a *semblance.Analysis) *videoLine {
	v := a.Video
	if v == nil {
		return nil
	}
	seconds := func(t time.Duration) float64 { return math.Round(1000*t.Seconds()) / 1000 }
	return &videoLine{Container: v.Format, Codec: v.Codec, Seconds: seconds(v.Duration), Decoded: seconds(v.Seen), Frames: a.Frames, Rate: math.Round(1000*v.Rate) / 1000, Rotation: v.Rotation, Looked: v.Looked, Scenes: v.Scenes}
}

// An embeddedLine is a picture within a file's metadata.
type embeddedLine struct {
	Kind    semblance.EmbeddedKind `json:"kind"`
	SHA256  string                 `json:"sha256"`
	SHA1    string                 `json:"sha1"`
	MD5     string                 `json:"md5"`
	Size    int64                  `json:"size"`
	Width   int                    `json:"width,omitempty"`
	Height  int                    `json:"height,omitempty"`
	PDQ     string                 `json:"pdq,omitempty"`
	Quality *int                   `json:"pdq_quality,omitempty"`
	Reason  string                 `json:"reason,omitempty"` // why it was not compared by its pixels
}

type errorLine struct {
	Event   string         `json:"event"`
	Exhibit string         `json:"exhibit"`
	Path    string         `json:"path"`
	Code    semblance.Code `json:"code"`
	Reason  string         `json:"reason"`
}

// A findingHead is what the lines of findings begin with; the finding's own fields
// lie beside it.
type findingHead struct {
	Event   string `json:"event"`
	Exhibit string `json:"exhibit"`
	Path    string `json:"path"`
	SHA256  string `json:"sha256"`
}

type hitLine struct {
	findingHead
	semblance.Hit
}

type nearMatchLine struct {
	findingHead
	semblance.NearMatch
	Verified string `json:"verified"`
}

// A candidateLine leaves the band out: how often strangers come this close helps an
// examiner to look, and is no evidence of who somebody is. The empty field hides the
// candidate's own.
type candidateLine struct {
	findingHead
	semblance.Candidate
	Band string `json:"band,omitempty"`
}

type contradictionLine struct {
	findingHead
	semblance.Contradiction
}

// An unfinishedLine is the line of an exhibit whose scan has not come to its end; others
// have none.
type unfinishedLine struct {
	Event   string `json:"event"`
	Exhibit string `json:"exhibit"`
	Note    string `json:"note"`
}

// A selectorLine is a selector of the case, in a collection or not.
type selectorLine struct {
	Event string `json:"event"`
	semblance.CaseSelector
}

// Unverified marks a near match that no person has verified.
const Unverified = "UNVERIFIED"

func writeJSONL(w io.Writer, s Source) error {
	zone, err := s.Case.Location()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	for row, err := range s.Rows {
		if err != nil {
			return err
		}
		for _, line := range rowLines(row, zone) {
			if err := enc.Encode(line); err != nil {
				return err
			}
		}
	}
	for _, e := range s.Exhibits {
		if e.Unfinished {
			if err := enc.Encode(unfinishedLine{"unfinished", e.Label, Unfinished}); err != nil {
				return err
			}
		}
	}
	if s.Selectors != nil {
		for x, err := range s.Selectors {
			if err != nil {
				return err
			}
			if err := enc.Encode(selectorLine{"selector", x}); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}

// rowLines are an item's lines: itself, its failure, what was found.
func rowLines(r Row, zone *time.Location) []any {
	l := lineOf(r)
	if zone != nil {
		if l.CaseTimes = timesOf(r, zone); len(l.CaseTimes) > 0 {
			l.TimeZone = zone.String()
		}
	}
	out := []any{l}
	if r.Item.Status == semblance.ItemFailed {
		out = append(out, errorLine{"error", r.Exhibit, r.Item.Path, r.Item.Code, r.Item.Reason})
	}
	f := r.Findings
	if f == nil || r.Item.SHA256 == nil {
		return out
	}
	head := func(event string) findingHead {
		return findingHead{Event: event, Exhibit: r.Exhibit, Path: r.Item.Path, SHA256: r.Item.SHA256.String()}
	}
	for _, h := range f.Hits {
		h.Entry, h.Item, h.Exhibit = 0, "", "" // the item is this one
		out = append(out, hitLine{head("hit"), h})
	}
	for _, n := range f.NearMatches {
		n.Entry = 0
		out = append(out, nearMatchLine{head("near-match"), n, Unverified})
	}
	for _, c := range f.Candidates {
		c.Review = strings.ToUpper(c.Review)
		out = append(out, candidateLine{findingHead: head("candidate"), Candidate: c})
	}
	for _, c := range f.Contradictions {
		c.Entry = 0
		out = append(out, contradictionLine{head("contradiction"), c})
	}
	return out
}

// originOf is what an item's path says, the one on the device where that is known.
func originOf(r Row) origin.Origin { return origin.Of(cmp.Or(r.Item.Device, r.Item.Path)) }

func embeddedOf(e *semblance.EmbeddedPicture) embeddedLine {
	d := &e.Digests
	l := embeddedLine{Kind: e.Kind, SHA256: hexOf(d.SHA256[:]), SHA1: hexOf(d.SHA1[:]), MD5: hexOf(d.MD5[:]), Size: d.Size, Width: e.Width, Height: e.Height, Reason: e.Reason}
	if len(e.Hashes) > 0 && e.Hashes[0].PDQ != nil {
		l.PDQ, l.Quality = e.Hashes[0].PDQ.Hash.String(), &e.Hashes[0].PDQ.Quality
	}
	return l
}

func lineOf(r Row) itemLine {
	l := itemLine{Event: "item", Exhibit: r.Exhibit, Path: r.Item.Path, Size: r.Item.Size, Status: r.Item.Status, Code: r.Item.Code, Reason: r.Item.Reason}
	l.ItemDetails = r.Item.ItemDetails
	if !r.Item.Modified.IsZero() {
		l.Modified = r.Item.Modified.UTC().Format(time.RFC3339Nano)
	}
	if r.Item.SHA256 != nil {
		l.SHA256 = r.Item.SHA256.String()
	}
	if o := originOf(r); !o.IsZero() {
		l.Origin = &o
	}
	m := r.Media
	if m == nil {
		return l
	}
	l.SHA1, l.MD5 = hexOf(m.Digests.SHA1[:]), hexOf(m.Digests.MD5[:])
	if a := m.Analysis; a != nil {
		l.Type, l.Width, l.Height, l.Decoder, l.Partial, l.Providers = a.Type, a.Width, a.Height, a.Decoder, a.Partial, a.Providers
		l.Video = videoOf(a)
		if !a.Metadata.IsZero() {
			l.Metadata = stated(&a.Metadata)
		}
		if len(a.Hashes) > 0 && a.Hashes[0].PDQ != nil {
			l.PDQ, l.Quality = a.Hashes[0].PDQ.Hash.String(), &a.Hashes[0].PDQ.Quality
		}
		for i := range a.Embedded {
			l.Embedded = append(l.Embedded, embeddedOf(&a.Embedded[i]))
		}
		for _, set := range a.FaceSets {
			if l.Faces == nil {
				l.Faces = map[string]int{}
			}
			l.Faces[string(set.Engine)] = len(set.Faces)
		}
	}
	return l
}
