package semblance

import "semblance/hashing"

// Findings are what comparing one media with collections gave, in a fixed order:
// by collection, then distance or rank, then entry.
type Findings struct {
	Hits           []Hit           `json:"hits,omitempty"`
	NearMatches    []NearMatch     `json:"near_matches,omitempty"`
	Candidates     []Candidate     `json:"candidates,omitempty"`
	Contradictions []Contradiction `json:"contradictions,omitempty"`
	KnownGood      []Hit           `json:"known_good,omitempty"` // in a known-good collection; never a reason to worry by itself
}

// Empty reports whether nothing was found.
func (f *Findings) Empty() bool {
	return f == nil || len(f.Hits)+len(f.NearMatches)+len(f.Candidates)+len(f.Contradictions)+len(f.KnownGood) == 0
}

// A Hit says that a digest or a selector of an item is in a collection.
type Hit struct {
	Collection string              `json:"collection"`
	Owner      string              `json:"owner"` // the agency that owns the collection
	Entry      EntryID             `json:"entry,omitempty"`
	Algorithm  hashing.Algorithm   `json:"algorithm"`          // the strongest that agrees
	Value      string              `json:"value"`              // of that algorithm: hexadecimal, or the selector as it is compared
	Agree      []hashing.Algorithm `json:"agree,omitempty"`    // every algorithm whose value is in the collection
	Weak       bool                `json:"weak,omitempty"`     // rests on MD5 alone
	Category   *EntryCategory      `json:"category,omitempty"` // of the entry, by the agency that owns the collection
	Note       string              `json:"note,omitempty"`     // the entry's
	Source     string              `json:"source,omitempty"`   // where the entry came from
	Record     string              `json:"record,omitempty"`
	Set        SetID               `json:"set,omitempty"`      // the digest set whose record it is, when it is not an entry
	Embedded   EmbeddedKind        `json:"embedded,omitempty"` // the embedded picture whose digest it is; empty: the file's own
	// Of a selector: how the item and the entry write it, where it is first ("byte 1234",
	// "metadata software", "name") and how often, and whether a checksum within it agrees.
	Raw      string `json:"raw,omitempty"`
	EntryRaw string `json:"entry_raw,omitempty"`
	Place    string `json:"place,omitempty"`
	Count    int    `json:"count,omitempty"` // 0: once
	Verified bool   `json:"verified,omitempty"`
	// Item and Exhibit say of a selector in the name of an item which item that is: the
	// hit is about it, and not about others with the same content.
	Item    string    `json:"item,omitempty"`
	Exhibit ExhibitID `json:"item_exhibit,omitempty"`
}

// A NearMatch says that a perceptual hash, or a supplied value, of an item is near one in a collection.
// It becomes a hit when a person verifies it, and never grades by itself.
type NearMatch struct {
	Collection      string              `json:"collection"`
	Owner           string              `json:"owner"`
	Entry           EntryID             `json:"entry,omitempty"`
	Algorithm       hashing.Algorithm   `json:"algorithm"`
	Frame           int                 `json:"frame,omitempty"`
	Value           string              `json:"value"`            // the item's, under the transform
	EntryValue      string              `json:"entry_value"`      // the collection's
	Distance        int                 `json:"distance"`         // of the metric
	Threshold       int                 `json:"threshold"`        // the collection's, of the metric, inclusive
	Metric          hashing.Metric      `json:"metric,omitempty"` // of the distance; empty: bits (hamming)
	Transform       string              `json:"transform"`        // of the item: "original", "rot90", "flipx", ...
	Quality         int                 `json:"quality"`          // of the item's PDQ, 0 to 100; -1 for supplied values
	EntryQuality    int                 `json:"entry_quality"`
	Agree           []hashing.Algorithm `json:"agree,omitempty"`    // further algorithms near an entry of the same source
	Category        *EntryCategory      `json:"category,omitempty"` // of the entry, never a grade of the item
	Note            string              `json:"note,omitempty"`
	Source          string              `json:"source,omitempty"`
	Record          string              `json:"record,omitempty"`
	Provider        ProviderName        `json:"provider,omitempty"` // that gave the item's value; empty: it was made here
	ProviderVersion string              `json:"provider_version,omitempty"`
	Decoder         string              `json:"decoder,omitempty"`       // of the item
	EntryDecoder    string              `json:"entry_decoder,omitempty"` // of the entry, when it was made here
	Embedded        EmbeddedKind        `json:"embedded,omitempty"`      // the embedded picture whose value it is; empty: what the file shows
	// Of videos, the item or the entry. Of two videos there are no values, the qualities
	// are -1, and the distance is that of the nearest two frames; of TMK, thousandths that
	// level 2 is short of 1.
	Frames      int        `json:"frames,omitempty"`       // of a video that are near the other's picture; this one is the nearest
	Second      *float64   `json:"second,omitempty"`       // when the frame of the item is shown: seconds from its first frame on
	EntrySecond *float64   `json:"entry_second,omitempty"` // the same of the entry
	Video       *VideoNear `json:"video,omitempty"`        // of two videos: which seconds are which
}

// A Candidate is one ranked answer to a face search. It is never an
// identification.
type Candidate struct {
	Face       int         `json:"face"` // index in the media's FaceSet of the engine; -1 when that was replaced by one without this face
	Frame      int         `json:"frame,omitempty"`
	Appearance *Appearance `json:"appearance,omitempty"` // of a face in a video: at which seconds
	Box        Box         `json:"box"`
	Quality    float32     `json:"quality"` // of the probe's face
	Rank       int         `json:"rank"`    // from 1, over all collections of one engine
	Collection string      `json:"collection"`
	Owner      string      `json:"owner"`
	Subject    string      `json:"subject"`
	Reference  ReferenceID `json:"reference"`
	Source     string      `json:"source"`   // file the reference was enrolled from
	Distance   float64     `json:"distance"` // of the metric, to four decimals
	Metric     Metric      `json:"metric"`
	Threshold  float64     `json:"threshold"` // the collection's, inclusive
	Band       string      `json:"band"`      // "not calibrated" until the collection is
	Engine     EngineName  `json:"engine"`
	Version    int         `json:"version"`
	RefQuality float32     `json:"reference_quality"`
	Labels     []string    `json:"reliability,omitempty"`           // of the probe's face
	RefLabels  []string    `json:"reference_reliability,omitempty"` // of the reference, "declared child" included
	References int         `json:"references,omitempty"`            // of the subject within the threshold, this one included; 0: not counted
	Captured   string      `json:"captured,omitempty"`              // of the reference
	Age        *int        `json:"age_at_capture,omitempty"`        // of the subject in the reference, years
	Margin     *float64    `json:"margin,omitempty"`                // distance to the next subject's, minus this one; nil for the last
	Reranked   *Reranked   `json:"reranked,omitempty"`              // what another engine says, where it was asked
	Review     string      `json:"review"`                          // "unreviewed" until it is
}

// NotCalibrated is the band of a candidate of a collection without calibration.
const NotCalibrated = "not calibrated"

// Unreviewed is the review of a candidate nobody has reviewed.
const Unreviewed = "unreviewed"

// A Contradiction says that a media is in a known-good collection and in another
// one too: an event for a person. Until that person has decided, the graver side
// stands: the hits and near matches are reported, and the media is not skipped.
type Contradiction struct {
	KnownGood string  `json:"known_good"` // the known-good collection, or the one that says "non-pertinent"
	Entry     EntryID `json:"entry,omitempty"`
	Other     string  `json:"other"`   // the other collection
	Because   string  `json:"because"` // "hit", "near match" or "category"
	Message   string  `json:"message"`
}

// An Outcome is what a face search ends with, in INTERPOL's words.
type Outcome string

// The outcomes a search can have before an examiner has looked.
const (
	PotentialCandidate Outcome = "potential candidate"
	NoCandidate        Outcome = "no candidate"
	Inconclusive       Outcome = "inconclusive"
)

// Unit says what the distance of a near match counts: "bits", or the metric's name.
func (n *NearMatch) Unit() string {
	if n.Metric == "" || n.Metric == hashing.Hamming {
		return "bits"
	}
	return string(n.Metric)
}
