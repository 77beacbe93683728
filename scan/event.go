package scan

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"semblance"
)

// An EventKind names what an Event tells.
type EventKind string

// The kinds.
const (
	EventItem          EventKind = "item"
	EventContainer     EventKind = "container" // a container has come to its end
	EventHit           EventKind = "hit"
	EventNearMatch     EventKind = "near-match"
	EventCandidate     EventKind = "candidate"
	EventContradiction EventKind = "contradiction"
	EventError         EventKind = "error"
	EventSummary       EventKind = "summary"
)

// An Event is one line of a scan's story. Events come in the order of the walk,
// after what they tell is stored: first the item, then what was found in it. As
// JSON, a finding and the summary lie flat in their event.
type Event struct {
	Event         EventKind                `json:"event"`
	Exhibit       string                   `json:"exhibit,omitempty"` // label, where a caller tells of several; a scan leaves it empty
	Path          string                   `json:"path,omitempty"`
	Status        semblance.ItemStatus     `json:"status,omitempty"`
	Size          int64                    `json:"size,omitempty"`
	SHA256        string                   `json:"sha256,omitempty"`
	Type          string                   `json:"media_type,omitempty"`
	Faces         *int                     `json:"faces,omitempty"` // nil: no detector ran
	Partial       string                   `json:"partial,omitempty"`
	Deleted       bool                     `json:"deleted,omitempty"` // of the item, also where a finding is told
	Carved        bool                     `json:"carved,omitempty"`
	Code          semblance.Code           `json:"code,omitempty"`
	Reason        string                   `json:"reason,omitempty"`
	Hit           *semblance.Hit           `json:"-"`
	NearMatch     *semblance.NearMatch     `json:"-"`
	Candidate     *semblance.Candidate     `json:"-"`
	Opened        *semblance.Opened        `json:"opened,omitempty"` // of a container that has come to its end
	Contradiction *semblance.Contradiction `json:"-"`
	Summary       *Summary                 `json:"-"`
}

// MarshalJSON puts the fields of a finding beside those of its item.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	switch {
	case e.Hit != nil:
		return json.Marshal(struct {
			plain
			*semblance.Hit
		}{plain(e), e.Hit})
	case e.NearMatch != nil:
		return json.Marshal(struct {
			plain
			*semblance.NearMatch
		}{plain(e), e.NearMatch})
	case e.Candidate != nil:
		return json.Marshal(struct {
			plain
			*semblance.Candidate
		}{plain(e), e.Candidate})
	case e.Contradiction != nil:
		return json.Marshal(struct {
			plain
			*semblance.Contradiction
		}{plain(e), e.Contradiction})
	case e.Summary != nil: // has "faces" of its own
		return json.Marshal(struct {
			Event EventKind `json:"event"`
			*Summary
		}{e.Event, e.Summary})
	}
	return json.Marshal(plain(e))
}

// A Summary tells of one run. Seen, the statuses, Bytes, Decoded and Errors are
// of this run, and the statuses add up to Seen, or the run has failed. Media and
// everything found in them are of the whole exhibit as it is recorded now, so
// that a second run that has nothing to do still says what there is.
type Summary struct {
	Case           string `json:"case"`
	Exhibit        string `json:"exhibit"`
	Seen           int64  `json:"items"`
	New            int64  `json:"new"`
	Unchanged      int64  `json:"unchanged"`
	Duplicate      int64  `json:"duplicate"`
	KnownGood      int64  `json:"known_good"`
	Unsupported    int64  `json:"unsupported"`
	Failed         int64  `json:"failed"`
	Media          int64  `json:"media"`               // different contents in the exhibit
	Containers     int64  `json:"containers"`          // of the items seen, those that hold others
	Opened         int64  `json:"opened"`              // of those, gone through in this run
	Bytes          int64  `json:"bytes"`               // read in this run
	Texts          int64  `json:"texts,omitempty"`     // of the media, texts that were read for selectors
	Selectors      int64  `json:"selectors,omitempty"` // different ones, in contents and names
	Decoded        int64  `json:"decoded"`
	Partial        int64  `json:"partial"` // pictures of which only a part could be decoded
	Faces          int64  `json:"faces"`
	FacesPoor      int64  `json:"faces_too_poor"` // of those, too poor to search
	FacesRan       bool   `json:"faces_looked_for"`
	Hits           int64  `json:"hits"`
	Weak           int64  `json:"weak_hits"`
	NearMatches    int64  `json:"near_matches"`
	Candidates     int64  `json:"candidates"`
	Contradictions int64  `json:"contradictions"`
	HitMedia       int64  `json:"hit_media"` // different contents with hits: each hit, near match and candidate is counted at every item that has its content
	NearMatchMedia int64  `json:"near_match_media"`
	CandidateMedia int64  `json:"candidate_media"`
	// Elsewhere are, of the findings, those in collections that this run did not compare
	// with: earlier scans of the case recorded them.
	Elsewhere   []semblance.CollectionTally `json:"not_compared_now,omitempty"`
	Floods      []semblance.Flood           `json:"floods,omitempty"`       // collections and entries near an absurd share of the media
	NotCompared []string                    `json:"not_compared,omitempty"` // what was named and is switched off, and why
	Missing     int64                       `json:"missing"`                // recorded by an earlier run, not there now; kept
	Errors      map[string]int              `json:"errors"`                 // by code
	Complete    bool                        `json:"complete"`
	Why         string                      `json:"why,omitempty"` // why it is not complete
	Seconds     float64                     `json:"seconds"`

	known int64 // items that an earlier run had recorded
}

// Reconcile returns an error when the statuses do not add up to the items seen.
func (s *Summary) Reconcile() error {
	sum := s.New + s.Unchanged + s.Duplicate + s.KnownGood + s.Unsupported + s.Failed
	if sum != s.Seen {
		return semblance.Errorf(semblance.Internal, "the counts do not add up: %d items were seen, and %d accounted for; the scan has failed", s.Seen, sum)
	}
	return nil
}

// SetTally fills in what the whole exhibit holds; p says what this run compared with.
func (s *Summary) SetTally(t semblance.Tally, p *semblance.Plan) {
	s.Media, s.Partial, s.Faces, s.FacesPoor = t.Media, t.Partial, t.Faces, t.FacesPoor
	s.Floods, s.Texts, s.Selectors = t.Floods, t.Texts, t.Selectors
	s.Hits, s.Weak, s.NearMatches, s.Candidates, s.Contradictions = t.Hits, t.WeakHits, t.NearMatches, t.Candidates, t.Contradictions
	s.HitMedia, s.NearMatchMedia, s.CandidateMedia = t.HitMedia, t.NearMatchMedia, t.CandidateMedia
	s.Elsewhere = slices.DeleteFunc(t.Collections, func(t semblance.CollectionTally) bool {
		return slices.ContainsFunc(p.Collections, func(c semblance.Collection) bool { return c.Name == t.Collection })
	})
}

func (s *Summary) count(status semblance.ItemStatus) {
	switch status {
	case semblance.ItemNew:
		s.New++
	case semblance.ItemUnchanged:
		s.Unchanged++
	case semblance.ItemDuplicate:
		s.Duplicate++
	case semblance.ItemKnownGood:
		s.KnownGood++
	case semblance.ItemUnsupported:
		s.Unsupported++
	case semblance.ItemFailed:
		s.Failed++
	}
}

// Rate returns items and bytes a second.
func (s *Summary) Rate() (items, bytes float64) {
	if s.Seconds <= 0 {
		return 0, 0
	}
	return float64(s.Seen) / s.Seconds, float64(s.Bytes) / s.Seconds
}

// A Progress is how far a run is. Totals grow until Counted.
type Progress struct {
	Items, TotalItems int64
	Bytes, TotalBytes int64
	Counted           bool
	Findings          int64
	Elapsed           time.Duration
	Works             []Work // what takes long now
}

// String is a line for a log.
func (p Progress) String() string {
	return fmt.Sprintf("%d of %d items, %d of %d bytes, %d findings", p.Items, p.TotalItems, p.Bytes, p.TotalBytes, p.Findings)
}

// events makes the events of one committed result.
func (r *result) events() []Event {
	it := r.record.Item
	if r.closes != nil {
		out := []Event{{Event: EventContainer, Path: it.Path, Status: r.status, Opened: it.Opened}}
		if r.status == semblance.ItemFailed && r.closes.res.status != semblance.ItemFailed { // else it was told when it was opened
			out = append(out, Event{Event: EventError, Path: it.Path, Code: it.Code, Reason: it.Reason})
		}
		if r.closes.late != nil && it.SHA256 != nil { // what was not known when it was opened
			out[0].SHA256 = it.SHA256.String()
			out = append(out, r.found(out[0].SHA256)...)
		}
		return out
	}
	ev := Event{Event: EventItem, Path: it.Path, Status: r.status, Size: it.Size, Code: it.Code, Reason: it.Reason, Deleted: it.Deleted, Carved: it.Carved}
	if it.SHA256 != nil {
		ev.SHA256 = it.SHA256.String()
	} else if r.known != (semblance.SHA256{}) {
		ev.SHA256 = r.known.String()
	}
	if m := r.media; m != nil && m.Analysis != nil {
		ev.Type, ev.Partial = m.Analysis.Type, m.Analysis.Partial
		if len(m.Analysis.FaceSets) > 0 {
			n := len(m.Analysis.FaceSets[0].Faces)
			ev.Faces = &n
		}
	}
	out := []Event{ev}
	if r.status == semblance.ItemFailed {
		out = append(out, Event{Event: EventError, Path: it.Path, Code: it.Code, Reason: it.Reason})
	}
	return append(out, r.found(ev.SHA256)...)
}

// found are the events of what was found in the content and the name of an item.
func (r *result) found(sum string) (out []Event) {
	it := &r.record.Item
	of := Event{Path: it.Path, SHA256: sum, Deleted: it.Deleted, Carved: it.Carved}
	if r.findings != nil {
		out = append(out, Findings(of, r.findings)...)
	}
	if n := r.record.Name; n != nil && it.SHA256 != nil {
		out = append(out, Findings(of, &semblance.Findings{Hits: n.Hits})...)
	}
	return out
}

// Findings are the events that tell what was found in one item; of has what is said of
// the item in each.
func Findings(of Event, f *semblance.Findings) []Event {
	var out []Event
	add := func(kind EventKind, x Event) {
		x.Event = kind
		out = append(out, x)
	}
	for i := range f.Hits {
		x := of
		x.Hit = &f.Hits[i]
		add(EventHit, x)
	}
	for i := range f.NearMatches {
		x := of
		x.NearMatch = &f.NearMatches[i]
		add(EventNearMatch, x)
	}
	for i := range f.Candidates {
		x := of
		x.Candidate = &f.Candidates[i]
		add(EventCandidate, x)
	}
	for i := range f.Contradictions {
		x := of
		x.Contradiction = &f.Contradictions[i]
		add(EventContradiction, x)
	}
	return out
}
