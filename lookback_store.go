package semblance

import (
	"context"
	"iter"

	"semblance/hashing"
	"semblance/selector"
)

// A KeptValue is what is kept of one frame in one algorithm: the values that are looked
// for in a collection. Without values it only says that a media has been seen.
type KeptValue struct {
	Seq       int64 // of the media, in the order in which media got their signals
	Algorithm hashing.Algorithm
	Quality   int // of the frame, 0 to 100
	Values    [][]byte
}

// A KeptQuery asks for the media that have a value near one of many.
type KeptQuery struct {
	Algorithm hashing.Algorithm
	Values    [][]byte
	Radius    int // Hamming distance, inclusive
	Quality   int // frames below are left out
}

// A KeptIndex finds stored media by their kept perceptual hashes, for as many values at
// once as a collection can gain. It is derived from the store, follows it by sequence
// number, and may be dropped and made again. It answers with media that may be near: none
// that is near is missing, and what it names is compared again by the Engine's rules.
type KeptIndex interface {
	// Through returns up to which sequence number media are held, 0 when none are. After
	// an Internal error of Near it is 0.
	Through(ctx context.Context) (int64, error)
	// Add holds more frames, in the order of Seq, all or nothing. A media that got new
	// signals comes again under a new number.
	Add(ctx context.Context, values iter.Seq2[KeptValue, error]) error
	// Near returns the sequence numbers of media, ascending, each once.
	Near(ctx context.Context, q KeptQuery) ([]int64, error)
	// Drop forgets everything.
	Drop(ctx context.Context) error
}

// KeptMedia is a media with its kept perceptual hashes.
type KeptMedia struct {
	Seq     int64
	Digests hashing.Digests
	Hashes  []FrameHashes // none when it was never decoded
	Signals []VideoSignal // of a video
	// Embedded are the pictures within its metadata: Digests and Hashes are there.
	Embedded []EmbeddedPicture
}

// frames are the hashes of all frames, those of embedded pictures among them.
func (m *KeptMedia) frames() (out []*FrameHashes) {
	for i := range m.Hashes {
		out = append(out, &m.Hashes[i])
	}
	for i := range m.Embedded {
		for j := range m.Embedded[i].Hashes {
			out = append(out, &m.Embedded[i].Hashes[j])
		}
	}
	return out
}

// A DueCollection is one of which exhibits that were compared with it have not seen
// everything that it gained and lost since.
type DueCollection struct {
	ID       CollectionID   `json:"-"`
	Name     string         `json:"collection"`
	Kind     CollectionKind `json:"kind"`
	Gone     bool           `json:"gone,omitempty"` // the whole collection was erased
	Lost     bool           `json:"lost,omitempty"` // entries were removed
	New      int64          `json:"new"`            // entries that not all of the exhibits were compared with
	NewSets  int64          `json:"new_sets"`       // digest sets, the same
	Exhibits int            `json:"exhibits"`       // that are not up to date
	Scanning int            `json:"scanning"`       // of them, those that a scan holds: their turn comes after it
	Cases    []string       `json:"cases"`          // numbers

	After, Through ContentMark `json:"-"` // what is new lies behind After, through Through
	Seq            int64       `json:"-"` // media up to here are done already by a run that was interrupted
	Plans          []DuePlan   `json:"-"` // that are brought up to date
}

// A ContentMark says what of a collection's content was seen. Numbers grow and are never
// used again.
type ContentMark struct {
	Entry  EntryID // the largest there is, 0 for none
	Set    int64   // number of the last digest set, 0 for none
	Losses int64   // how often entries or sets were removed
}

// A DuePlan is a set of collections of an exhibit as it was when the look-back began.
type DuePlan struct{ Key, Scans int64 }

// A LookbackDue is everything that is due.
type LookbackDue struct {
	Collections []DueCollection `json:"collections"`
	// Unknown are exhibits, as CASE/LABEL, of which is not recorded what they were compared
	// with: they were scanned by an earlier version and nothing was found in them.
	Unknown []string `json:"unknown,omitempty"`
}

// ComparedMedia is a media with the cases that compared it with a collection.
type ComparedMedia struct {
	Seq   int64
	Media *Media
	Cases []ComparedCase
}

// A ComparedCase is what a case compared a media with: the plans of its exhibits that
// have the media, in the order of their scans.
type ComparedCase struct {
	Case  Case
	Plans []ComparedPlan
	Names []NamedItem // the items of the case that have the media and a selector in their name
}

// A NamedItem is an item with the selectors in its name.
type NamedItem struct {
	Exhibit   ExhibitID
	Path      string
	Selectors []selector.Selector
}

// A ComparedPlan is the hashes, known-good and selectors collections of one plan.
type ComparedPlan struct {
	Collections []CollectionID
	Names       []string // in the same order; also of those that are gone
}

// A LookbackUpdate is what a media gives in a case when it is compared again.
type LookbackUpdate struct {
	Case   Case
	Media  SHA256
	Plans  []PlanFindings // in the order of the scans
	Remark string         // what could not be compared
}

// PlanFindings replace those in collections of some names.
type PlanFindings struct {
	Names    []string
	Findings Findings
}

// A LookbackStep is some media of a run.
type LookbackStep struct {
	Due     DueCollection
	Seq     int64 // media up to here are done
	Updates []LookbackUpdate
	Done    bool // the run is at its end: its plans are up to date
}

// A LookbackStore remembers what exhibits were compared with, and stores what a look-back
// changes.
type LookbackStore interface {
	// Due lists what is due, collections by name. With all, every collection that an
	// exhibit was compared with is due from its beginning.
	Due(ctx context.Context, all bool) (LookbackDue, error)
	// Affected returns, ascending, the media that a change may concern by what the store
	// itself can tell: those with a digest or a selector among the new entries and, when the collection
	// lost some, those with a finding in it.
	Affected(ctx context.Context, d DueCollection) ([]int64, error)
	// EachKept calls f for every media behind a sequence number, in their order, until f
	// returns an error.
	EachKept(ctx context.Context, after int64, f func(KeptMedia) error) error
	// Compared returns of media, in order, what is kept of them and the cases that
	// compared them with a collection. Media of no such case are left out.
	Compared(ctx context.Context, c CollectionID, seqs ...int64) ([]ComparedMedia, error)
	// SaveLookback stores the findings of a step, how far the run is, and a notice with an
	// audit event of every finding that is new, changed or gone, in one transaction. It
	// returns the notices.
	SaveLookback(ctx context.Context, who Actor, s LookbackStep) ([]Notice, error)
}
