package semblance

import (
	"context"
	"time"

	"semblance/hashing"
)

// IDs are opaque, unique within an installation and never reused.
type (
	// A CaseID identifies a case.
	CaseID string
	// An ExhibitID identifies an exhibit.
	ExhibitID string
	// A CollectionID identifies a reference collection.
	CollectionID string
	// A SubjectID identifies a person in a faces collection.
	SubjectID string
	// A ReferenceID identifies one enrolled face.
	ReferenceID string
	// An EntryID identifies one value in a hashes, known-good or selectors collection.
	EntryID int64
)

// A Case is an investigation. Number is what people call it and is unique.
type Case struct {
	ID      CaseID    `json:"id"`
	Number  string    `json:"number"`
	Agency  string    `json:"agency"`
	Country string    `json:"country"` // ISO 3166-1 alpha-2
	Purpose string    `json:"purpose"`
	Basis   string    `json:"basis"` // legal basis
	Created time.Time `json:"created"`
	// ThreatToLife puts the work of the case before that of others: its files are examined
	// first wherever they compete.
	ThreatToLife bool `json:"threat_to_life,omitempty"`
	// TimeZone is the IANA name of the zone in which times are shown beside UTC; empty for none.
	TimeZone string `json:"time_zone,omitempty"`
}

// A CaseChange says what is to be another way in a case; nil leaves a field as it is.
type CaseChange struct {
	ThreatToLife *bool
	TimeZone     *string // empty for none
}

type urgentKey struct{}

// WithThreatToLife marks work as that of a case in which life is at risk.
func WithThreatToLife(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

// IsThreatToLife reports whether work is marked so.
func IsThreatToLife(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }

// An Exhibit is one seized device, disk image, archive or upload batch of a
// case. Label is unique within the case.
type Exhibit struct {
	ID       ExhibitID `json:"id"`
	Case     CaseID    `json:"case"`
	Label    string    `json:"label"`
	Source   string    `json:"source"` // the path it was scanned from, or "upload"
	Serial   string    `json:"serial,omitempty"`
	Acquirer string    `json:"acquirer,omitempty"`
	Created  time.Time `json:"created"`

	// Unfinished says that the last scan of it has not come to its end: there may be files
	// in it of which nothing is recorded.
	Unfinished bool `json:"unfinished,omitempty"`
}

// An ItemStatus says what became of an item in a scan. The counts of all
// statuses add up to the items seen.
type ItemStatus string

// The statuses.
const (
	ItemNew         ItemStatus = "new"         // its media was seen for the first time in this exhibit and examined
	ItemUnchanged   ItemStatus = "unchanged"   // recorded by an earlier run and not changed since
	ItemDuplicate   ItemStatus = "duplicate"   // its media was already seen in this exhibit
	ItemKnownGood   ItemStatus = "known-good"  // in a known-good collection and in no other
	ItemUnsupported ItemStatus = "unsupported" // neither a picture or video of a format that is read nor a text; its digests were compared
	ItemFailed      ItemStatus = "failed"      // Code and Reason say why
)

// An Item is one occurrence of a file in an exhibit.
type Item struct {
	Exhibit  ExhibitID  `json:"exhibit"`
	Path     string     `json:"path"` // slash-separated, relative to the exhibit; bytes that are not UTF-8 as \xHH
	Size     int64      `json:"size"`
	Modified time.Time  `json:"modified"`
	Inode    uint64     `json:"inode,omitempty"`
	Changed  time.Time  `json:"changed"` // the file system's own time of change
	SHA256   *SHA256    `json:"sha256,omitempty"`
	Status   ItemStatus `json:"status"` // of the run that first recorded it: never ItemUnchanged in the store
	Code     Code       `json:"code,omitempty"`
	Reason   string     `json:"reason,omitempty"` // a sentence
	Plan     string     `json:"plan,omitempty"`   // fingerprint of the Plan it was last examined under
	ItemDetails
}

// ItemDetails are what only some items have: those of containers, and containers.
type ItemDetails struct {
	Times   []FileTime `json:"times,omitempty"`       // as the container keeps them; Modified is zero where its zone is not known
	Deleted bool       `json:"deleted,omitempty"`     // the file system no longer lists it, or it was carved
	Carved  bool       `json:"carved,omitempty"`      // found by its signature alone
	Device  string     `json:"device_path,omitempty"` // on the device, as an extraction of a phone states it
	Offset  *int64     `json:"offset,omitempty"`      // of its first byte in the container, of an image in the imaged device
	Remark  string     `json:"remark,omitempty"`      // of its container on the content: "1 of 2 blocks are in use by other files"
	Opened  *Opened    `json:"opened,omitempty"`      // of a container
}

// Marks say what of a file nobody would know from its path: that it was deleted, or carved.
func (d *ItemDetails) Marks() (out []string) {
	if d.Deleted {
		out = append(out, "DELETED")
	}
	if d.Carved {
		out = append(out, "CARVED")
	}
	return out
}

// Rank orders the places of a content, the lowest first: where a file lies says more than
// where a deleted one is still named, and that more than where one was carved.
func (d *ItemDetails) Rank() int {
	switch {
	case d.Carved:
		return 2
	case d.Deleted:
		return 1
	}
	return 0
}

// Empty reports whether there is nothing in it.
func (d *ItemDetails) Empty() bool {
	return len(d.Times) == 0 && !d.Deleted && !d.Carved && d.Device == "" && d.Remark == "" && d.Offset == nil && d.Opened == nil
}

// OpenState says how far opening has come.
func (d *ItemDetails) OpenState() OpenState {
	switch {
	case d.Opened == nil:
		return NotOpened
	case d.Opened.Complete:
		return WholeOpened
	}
	return HalfOpened
}

// An ItemState is what a resumed scan needs to know of an item: whether the file
// is as it was, and what it was examined under.
type ItemState struct {
	Size     int64
	Modified int64 // Unix nanoseconds
	Changed  int64 // Unix nanoseconds
	Inode    uint64
	SHA256   SHA256 // zero when the file could not be read
	Status   ItemStatus
	Code     Code
	Plan     string
	Opened   OpenState
}

// A Tally counts what is recorded of an exhibit, each finding once for every item
// it is about, media and faces once for each content.
type Tally struct {
	Items, Media, Partial, Faces, FacesPoor                         int64
	Hits, WeakHits, NearMatches, Candidates, Contradictions, Failed int64
	HitMedia, NearMatchMedia, CandidateMedia                        int64             // different contents with such findings
	Collections                                                     []CollectionTally // by name; those with findings
	Texts, Selectors                                                int64             // contents that were read for selectors, and different selectors in contents and names
	Floods                                                          []Flood           // collections and entries that are near an absurd share of the media
}

// A CollectionTally counts the findings of an exhibit in one collection, each once for
// every item it is about. A contradiction is counted with its known-good collection.
type CollectionTally struct {
	Collection     string `json:"collection"`
	Hits           int64  `json:"hits,omitempty"`
	NearMatches    int64  `json:"near_matches,omitempty"`
	Candidates     int64  `json:"candidates,omitempty"`
	Contradictions int64  `json:"contradictions,omitempty"`
}

// Media is content, addressed by its SHA-256. Many items, exhibits and cases can
// share one.
type Media struct {
	Digests  hashing.Digests `json:"digests"`
	Analysis *Analysis       `json:"analysis,omitempty"` // nil: never decoded (not a picture, known-good, or it failed)
	Code     Code            `json:"code,omitempty"`     // why decoding failed
	Reason   string          `json:"reason,omitempty"`
}

// An ItemRecord is everything one item of a scan writes, in one transaction.
type ItemRecord struct {
	Item     Item
	Media    *Media           // nil when unchanged, or when the file could not be read
	Findings *Findings        // nil when they stand as they are; else they replace those of this case, media and plan's collections
	Name     *NameExamination // nil when what is known of its name stands
}

// An Actor is who does something: at the command line the operating system's
// user and host, over the API the token's name.
type Actor struct {
	Name string `json:"name"`
	Via  string `json:"via"` // "cli", "api", "page"
}

// An AuditEvent is one link of the audit chain.
type AuditEvent struct {
	Seq         int64          `json:"seq"`
	Time        time.Time      `json:"time"`
	Actor       Actor          `json:"actor"`
	Action      string         `json:"action"` // "case.create", "search", "report", ...
	Case        string         `json:"case,omitempty"`
	Purpose     string         `json:"purpose,omitempty"`
	Basis       string         `json:"basis,omitempty"`
	Collections []string       `json:"collections,omitempty"`
	Detail      map[string]any `json:"detail,omitempty"` // probe sha256, counts, engine; never file contents
	Prev        string         `json:"prev"`             // hash of the event before
	Hash        string         `json:"hash"`             // SHA-256 of this event's canonical JSON without Hash
}

// CaseStore keeps cases. Number is unique; CreateCase returns Conflict when it is
// taken and Case returns NotFound when there is none.
type CaseStore interface {
	CreateCase(ctx context.Context, c Case, ev AuditEvent) (Case, error)
	Case(ctx context.Context, number string) (Case, error)
	Cases(ctx context.Context) ([]Case, error)
	// SetCase changes a case.
	SetCase(ctx context.Context, number string, change CaseChange, ev AuditEvent) (Case, error)
}

// MediaStore remembers media and their signals.
type MediaStore interface {
	// Media returns what is known of each media of digests, in order; nil where nothing is.
	Media(ctx context.Context, digests ...SHA256) ([]*Media, error)
}

// An AuditLog appends to the audit chain. An event is durable when Append
// returns. Changes that are stored are audited in the transaction that stores
// them instead; Append is for what only reads.
type AuditLog interface {
	Append(ctx context.Context, ev AuditEvent) error
}
