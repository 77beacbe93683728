package semblance

import (
	"context"
	"io"
	"time"

	"semblance/hashing"
)

// A CollectionKind says what a reference collection holds.
type CollectionKind string

// The kinds. Selectors collections come with selector search.
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
	Created       time.Time      `json:"created"`
	Version       int64          `json:"version"` // raised by every change of its content; indexes follow it
	Subjects      int64          `json:"subjects"`
	Entries       int64          `json:"entries"` // references or hash values
}

// Defaults of a collection's thresholds. PDQ 31 and quality 50 are the
// reference implementation's; see docs/hashing.md for the others.
const (
	DefaultPDQDistance  = 31
	MaxPDQDistance      = 63
	DefaultPDQQuality   = 50
	DefaultHashDistance = 4
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
	Captured   string       `json:"captured,omitempty"`       // when the picture was taken, as far as known: YYYY, YYYY-MM or YYYY-MM-DD
	Age        *int         `json:"age_at_capture,omitempty"` // years, when known
	Created    time.Time    `json:"created"`
	Seq        int64        `json:"-"` // position in the store's order of changes
}

// A HashEntry is one value of a hashes or known-good collection.
type HashEntry struct {
	ID         EntryID           `json:"id"`
	Collection CollectionID      `json:"collection"`
	Algorithm  hashing.Algorithm `json:"algorithm"`
	Value      []byte            `json:"value"`
	Size       int64             `json:"size,omitempty"`    // bytes of the file, 0 unknown; a known-good SHA-1 needs it
	Quality    int               `json:"quality"`           // of a PDQ; -1 unknown
	Note       string            `json:"note,omitempty"`    // the list's own
	Source     string            `json:"source"`            // file it came from
	Record     string            `json:"record,omitempty"`  // line or name within the source
	Decoder    string            `json:"decoder,omitempty"` // of a perceptual value made here
	Seq        int64             `json:"-"`
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
	// DeleteCollection removes a collection with all it holds and returns what it
	// counted before and after; the objects no other reference needs are listed.
	DeleteCollection(ctx context.Context, name string, ev AuditEvent) (Erasure, error)
}

// An Erasure proves by counting that something is gone.
type Erasure struct {
	Before  int64    `json:"before"` // rows, vectors and crops before
	After   int64    `json:"after"`  // 0
	Objects []SHA256 `json:"objects,omitempty"`
}

// ReferenceStore keeps the content of faces collections.
type ReferenceStore interface {
	// AddReferences stores new references and raises the collection's version. One
	// that is there already (same subject, same media) is left as it is; the count is of new ones.
	AddReferences(ctx context.Context, c CollectionID, refs []Reference, ev AuditEvent) (int, error)
	// ReplaceReferences swaps the whole content for references made by another
	// engine, and the collection's engine and threshold with it, in one transaction.
	ReplaceReferences(ctx context.Context, c Collection, refs []Reference, ev AuditEvent) error
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

// EntryStore keeps the content of hashes and known-good collections.
type EntryStore interface {
	// AddEntries stores new entries and raises the collection's version. A value
	// that is there already is left as it is; the count is of new ones.
	AddEntries(ctx context.Context, c CollectionID, entries []HashEntry, ev AuditEvent) (int, error)
	// Entries returns the entries of ids, in order; a missing one is an error.
	Entries(ctx context.Context, ids ...EntryID) ([]HashEntry, error)
	// Algorithms lists the algorithms a collection has values of.
	Algorithms(ctx context.Context, c CollectionID) ([]hashing.Algorithm, error)
	// EachEntry calls f for every entry of a collection in the order of Seq, beginning
	// after the given one, until f returns an error.
	EachEntry(ctx context.Context, c CollectionID, after int64, f func(HashEntry) error) error
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
