package semblance

import (
	"context"
	"io"
	"time"

	"semblance/hashing"
)

// A CollectionKind says what a reference collection holds.
type CollectionKind string

// The kinds.
const (
	Faces     CollectionKind = "faces"
	Hashes    CollectionKind = "hashes"
	Selectors CollectionKind = "selectors"
	KnownGood CollectionKind = "known-good"
)

// A Collection is a reference collection. Name is unique.
type Collection struct {
	ID            CollectionID   `json:"id"`
	Name          string         `json:"name"`
	Kind          CollectionKind `json:"kind"`
	Owner         string         `json:"owner"`   // agency
	Country       string         `json:"country"` // ISO 3166-1 alpha-2
	Basis         string         `json:"basis"`   // legal basis
	Handling      string         `json:"handling,omitempty"`
	Review        string         `json:"review,omitempty"` // review date, YYYY-MM-DD
	Engine        EngineName     `json:"engine,omitempty"` // faces only; fixed at creation, changed by reenroll
	EngineVersion int            `json:"engine_version,omitempty"`
	FaceDistance  float64        `json:"face_distance,omitempty"`  // inclusive
	EnrollQuality float32        `json:"enroll_quality,omitempty"` // faces of less quality are not enrolled without an audited override; 0: MinSearchableQuality
	PDQDistance   int            `json:"pdq_distance"`             // inclusive; 0 to 31 is complete, more is refused
	PDQQuality    int            `json:"pdq_quality"`              // a PDQ below this quality is not compared
	HashDistance  int            `json:"hash_distance"`            // of pHash, dHash and aHash, inclusive
	// PhotoDNADistance is the threshold of PhotoDNA, inclusive: a sum of squared
	// differences of bytes, see hashing.SquaredEuclid. Other programs use other scales.
	PhotoDNADistance int       `json:"photodna_distance,omitempty"`
	Created          time.Time `json:"created"`
	Version          int64     `json:"version"` // raised by every change of its content; indexes follow it
	Subjects         int64     `json:"subjects"`
	Entries          int64     `json:"entries"`            // references or hash values
	LeftOut          int64     `json:"left_out,omitempty"` // references that the engine can make nothing of: kept, and not searched
	Digests          int64     `json:"digests,omitempty"`  // in digest sets, of all algorithms; not among Entries
	Policy
	Content ContentMark `json:"-"`
}

// Defaults of a collection's thresholds. PDQ 31 and quality 50 are the
// reference implementation's, PhotoDNA 40,000 is IPED's; see docs/hashing.md for the
// others.
const (
	DefaultPDQDistance  = 31
	MaxPDQDistance      = 63
	DefaultPDQQuality   = 50
	DefaultHashDistance = 4

	DefaultPhotoDNADistance = 40_000
	MaxPhotoDNADistance     = 1_000_000
)

// A Reference is one enrolled image of a subject. Its original is kept in the
// object store under SHA256.
type Reference struct {
	ID         ReferenceID  `json:"id"`
	Collection CollectionID `json:"collection"`
	Subject    string       `json:"subject"` // label, unique within the collection
	Source     string       `json:"source"`  // file name it was enrolled from
	SHA256     SHA256       `json:"sha256"`
	Type       string       `json:"type"`
	Face       Face         `json:"face"` // with its embedding, without crop
	Crop       []byte       `json:"-"`    // JPEG of the face
	Engine     EngineName   `json:"engine"`
	Version    int          `json:"version"`
	Decoder    string       `json:"decoder"`
	// Captured is when the picture was taken, as far as known: YYYY, YYYY-MM or
	// YYYY-MM-DD. CapturedFrom says who says so.
	Captured     string        `json:"captured,omitempty"`
	CapturedFrom CaptureSource `json:"captured_from,omitempty"`
	Age          *int          `json:"age_at_capture,omitempty"` // years, when known
	Note         string        `json:"note,omitempty"`
	Override     *Override     `json:"override,omitempty"` // set when the enrollment gate had refused it
	LeftOut      string        `json:"left_out,omitempty"` // why the collection's engine has no embedding of it: it is kept and not searched
	Created      time.Time     `json:"created"`
	Seq          int64         `json:"-"` // position in the store's order of changes
}

// A CaptureSource says where the date of a reference comes from.
type CaptureSource string

// The sources of a date.
const (
	CapturedStated CaptureSource = "stated" // by the person who enrolled it
	CapturedExif   CaptureSource = "exif"   // by the clock of the camera, which can be wrong
)

// An Override tells that a person enrolled a picture although the enrollment gate
// refused it.
type Override struct {
	By      string   `json:"by"`
	Why     string   `json:"why"`
	Against []string `json:"against"` // what the gate said
}

// A HashEntry is one value of a hashes or known-good collection, or a selector of a
// selectors collection: its value is then the selector as it is compared, in UTF-8.
type HashEntry struct {
	ID         EntryID           `json:"id"`
	Collection CollectionID      `json:"collection"`
	Algorithm  hashing.Algorithm `json:"algorithm"`
	Value      []byte            `json:"value"`
	Size       int64             `json:"size,omitempty"`     // bytes of the file, 0 unknown; a known-good SHA-1 needs it
	Quality    int               `json:"quality"`            // of a PDQ; -1 unknown
	Note       string            `json:"note,omitempty"`     // the list's own
	Category   string            `json:"category,omitempty"` // as the source wrote it; of the collection's category set
	Source     string            `json:"source"`             // file it came from
	Record     string            `json:"record,omitempty"`   // line or name within the source
	Decoder    string            `json:"decoder,omitempty"`  // of a perceptual value made here
	Raw        string            `json:"raw,omitempty"`      // of a selector, as the source wrote it
	Seq        int64             `json:"-"`

	set SetID // of a record of a digest set, which has no ID
}

// A Change is one step in a collection's history, in the order of Seq. Exactly
// one of Reference and Entry is set; Removed says which way.
type Change struct {
	Seq       int64
	Removed   bool
	Reference *Reference
	Entry     *HashEntry
}

// CollectionStore keeps collections and their content. Every change carries its
// audit event into the same transaction.
type CollectionStore interface {
	// CreateCollection returns Conflict when the name is taken.
	CreateCollection(ctx context.Context, c Collection, ev AuditEvent) (Collection, error)
	// Collection returns NotFound when there is none of that name.
	Collection(ctx context.Context, name string) (Collection, error)
	// Collections lists all of them by name.
	Collections(ctx context.Context) ([]Collection, error)
	// ChangeCollection lets change set settings of a collection, and records what it
	// says they were and are; its content and identity stay. NotFound when there is no
	// such collection.
	ChangeCollection(ctx context.Context, name string, ev AuditEvent, change func(*Collection) (from, to map[string]any)) (Collection, error)
	// DeleteCollection removes a collection with all it holds and returns what it
	// counted before and after; the objects no other reference needs are listed.
	DeleteCollection(ctx context.Context, name string, ev AuditEvent) (Erasure, error)
}

// An Erasure proves by counting that something is gone.
type Erasure struct {
	Before  int64    `json:"before"` // rows, vectors and crops before
	After   int64    `json:"after"`  // 0
	Objects []SHA256 `json:"objects,omitempty"`
	// References lists those that are gone, where not a whole collection is.
	References []ReferenceID `json:"references,omitempty"`
}

// A Removal says which references of a collection are erased: those of a subject,
// or those of ids.
type Removal struct {
	Subject string
	IDs     []ReferenceID
}

// ReferenceStore keeps the content of faces collections.
type ReferenceStore interface {
	// AddReferences stores new references and raises the collection's version. One
	// that is there already (same subject, same media) is left as it is; the count is of new ones.
	AddReferences(ctx context.Context, c CollectionID, refs []Reference, ev AuditEvent) (int, error)
	// RemoveReferences erases references with what was made of them, raises the
	// collection's version and returns what it counted before and after. NotFound,
	// and nothing erased, when one of them is not there.
	RemoveReferences(ctx context.Context, c CollectionID, r Removal, ev AuditEvent) (Erasure, error)
	// SameMedia returns the references of a collection that were made from a media.
	SameMedia(ctx context.Context, c CollectionID, media SHA256) ([]Reference, error)
	// References returns the references of ids, in order, with embeddings;
	// a missing one is an error.
	References(ctx context.Context, ids ...ReferenceID) ([]Reference, error)
	// EachReference calls f for every reference of a collection, in the order of
	// ids, until f returns an error.
	EachReference(ctx context.Context, c CollectionID, f func(Reference) error) error
}

// A SubjectStore tells what is enrolled of one subject.
type SubjectStore interface {
	// SubjectReferences returns the references of a subject in the order of ids, with
	// embeddings. None is no error: the subject may have been removed a moment ago.
	SubjectReferences(ctx context.Context, c CollectionID, subject string) ([]Reference, error)
}

// A Reenrollment is how far a collection is on its way to another engine. Until it
// ends, the collection is searched with the engine it has.
type Reenrollment struct {
	Engine     EngineName `json:"engine"`
	Version    int        `json:"engine_version"`
	Distance   float64    `json:"face_distance"` // the threshold it will have
	By         Actor      `json:"by"`
	Started    time.Time  `json:"started"`
	References int64      `json:"references"` // that the collection has now
	Staged     int64      `json:"staged"`     // of them, those that are through, the left out included
	LeftOut    int64      `json:"left_out"`   // of the staged, those that the engine can make nothing of
}

// A ReenrollEnd says how a re-enrollment ends.
type ReenrollEnd int

// The ends. SwitchWhole refuses (Invalid) when references would be left out;
// SwitchLeavingOut keeps those in the collection, named and not searched; Abandon
// forgets what was staged.
const (
	SwitchWhole ReenrollEnd = iota
	SwitchLeavingOut
	Abandon
)

// StagingStore keeps what another engine makes of the references of a collection
// until all of it takes their place at once. Staging itself is no change of a
// collection and not audited; beginning and ending are.
type StagingStore interface {
	// BeginReenrollment begins one, or goes on with one to the same engine and
	// version: then what is staged stays, except that the left out are tried again.
	// Conflict when one to another engine is not ended.
	BeginReenrollment(ctx context.Context, c CollectionID, r Reenrollment, ev AuditEvent) (Reenrollment, error)
	// Reenrollment returns how far the one of a collection is. NotFound when there
	// is none.
	Reenrollment(ctx context.Context, c CollectionID) (Reenrollment, error)
	// Unstaged returns at most n references that are not staged, in the order of ids.
	Unstaged(ctx context.Context, c CollectionID, n int) ([]Reference, error)
	// Stage keeps references as the new engine has them, LeftOut set where it has no
	// embedding. One that was removed from the collection meanwhile is dropped.
	Stage(ctx context.Context, c CollectionID, refs []Reference) error
	// EndReenrollment ends it and returns the references that are left out. A switch
	// is one transaction: the references, the collection's engine, version and
	// threshold. Busy, and nothing changed, when references are not staged.
	EndReenrollment(ctx context.Context, c CollectionID, end ReenrollEnd, ev AuditEvent) ([]Reference, error)
}

// EntryStore keeps the content of hashes, known-good and selectors collections.
type EntryStore interface {
	// AddEntries stores new entries and raises the collection's version. A value
	// that is there already is left as it is; the count is of new ones.
	AddEntries(ctx context.Context, c CollectionID, entries []HashEntry, ev AuditEvent) (int, error)
	// Entries returns the entries of ids, in order; a missing one is an error (NotFound).
	Entries(ctx context.Context, ids ...EntryID) ([]HashEntry, error)
	// Algorithms lists the algorithms a collection has values of.
	Algorithms(ctx context.Context, c CollectionID) ([]hashing.Algorithm, error)
	// EachEntry calls f for every entry of a collection in the order of Seq, beginning
	// after the given one, until f returns an error.
	EachEntry(ctx context.Context, c CollectionID, after int64, f func(HashEntry) error) error
	// EachEntryOf is EachEntry for the entries of one algorithm.
	EachEntryOf(ctx context.Context, c CollectionID, alg hashing.Algorithm, f func(HashEntry) error) error
}

// An AlgorithmStore is an EntryStore that finds the entries of one algorithm without
// walking over all of them.
type AlgorithmStore interface {
	// EachEntryOf is EachEntry for the entries of one algorithm.
	EachEntryOf(ctx context.Context, c CollectionID, alg hashing.Algorithm, f func(HashEntry) error) error
}

// ObjectStore keeps originals by SHA-256.
type ObjectStore interface {
	// Put stores what r gives under its SHA-256, which it checks; storing twice is one.
	Put(ctx context.Context, sum SHA256, r io.Reader) error
	// Open returns NotFound when there is none. The caller closes it.
	Open(ctx context.Context, sum SHA256) (ReadSeekCloserAt, error)
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, sum SHA256) error
}

// A ReadSeekCloserAt is an open object. The folder's is an *os.File.
type ReadSeekCloserAt interface {
	io.ReadSeekCloser
	io.ReaderAt
}
