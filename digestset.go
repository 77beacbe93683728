package semblance

import (
	"context"
	"time"

	"semblance/hashing"
)

// A SetID names a digest set.
type SetID string

// A DigestSet is a list of digests of any size that belongs to a hashes or
// known-good collection. Its content is in files of its own and never changes; it
// comes and goes as a whole.
type DigestSet struct {
	ID         SetID        `json:"id"`
	Collection CollectionID `json:"collection"`
	Name       string       `json:"name"` // of the file it came from, or how it was combined
	Sources    []SetSource  `json:"sources"`
	Files      []SetFile    `json:"files"`
	Counts     SetCounts    `json:"counts"`
	Added      time.Time    `json:"added"`
	By         Actor        `json:"by"`
}

// Digests returns how many digests of all algorithms the set has.
func (s DigestSet) Digests() int64 {
	var n int64
	for _, f := range s.Files {
		n += f.Records
	}
	return n
}

// A SetFile is the file of one algorithm of a digest set.
type SetFile struct {
	Algorithm hashing.Algorithm `json:"algorithm"`
	Records   int64             `json:"records"`
	Bytes     int64             `json:"bytes"`
	SHA256    SHA256            `json:"sha256"` // of the whole file
	Seal      SHA256            `json:"seal"`   // of its last 256 bytes, which tell of the rest; checked whenever it is opened
}

// A SetSource is a file that records of a digest set come from.
type SetSource struct {
	Name     string    `json:"name"`
	Format   string    `json:"format"`
	Unit     string    `json:"unit"`            // what a row of it is called: "line", "FILE row"
	About    string    `json:"about,omitempty"` // what the file says of itself: a version, a name
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	Head     SHA256    `json:"head"`   // of its first mebibyte
	SHA256   SHA256    `json:"sha256"` // of the whole file
}

// SetCounts tell what became of the rows of a source.
type SetCounts struct {
	Rows      int64 `json:"rows"`
	Digests   int64 `json:"digests"`              // that were in them
	Duplicate int64 `json:"duplicate,omitempty"`  // of those, repeats: the first row wins
	Trivial   int64 `json:"trivial,omitempty"`    // of those, of the empty file, all zeros or all ones: dropped
	Blank     int64 `json:"blank,omitempty"`      // rows without anything: empty lines, comments, headings
	Bad       int64 `json:"bad,omitempty"`        // rows left out, named with the reason in the quarantine file
	Sizes     int64 `json:"sizes,omitempty"`      // digests whose rows state several sizes: none is kept
	Texts     int64 `json:"texts,omitempty"`      // digests whose rows state more notes than are kept
	LostTexts bool  `json:"lost_texts,omitempty"` // there were more different notes than a set keeps
}

// A DigestRow is a row of a source.
type DigestRow struct {
	Row               int64  // number, from 1
	MD5, SHA1, SHA256 []byte // nil for one it does not have; valid until the next row
	Size              int64  // bytes of the file, 0 unknown
	Text              string // note or category
}

// A BadRow is the error of a row that is left out.
type BadRow struct {
	Row    int64
	Text   string // the first characters of it
	Reason string
}

// Error returns the reason.
func (b *BadRow) Error() string { return b.Reason }

// ErrBlankRow is the error of a row that says nothing on purpose: a comment.
const ErrBlankRow = blankRow("the row is empty")

type blankRow string

func (b blankRow) Error() string { return string(b) }

// A SourcePosition is a place between two rows of a source.
type SourcePosition struct {
	Offset int64 `json:"offset"` // bytes, or rows where bytes do not tell
	Row    int64 `json:"row"`    // the row before it
}

// A DigestSource reads a file of somebody else's format row by row. It is for one
// goroutine.
type DigestSource interface {
	// Describe says what the source is, without the SHA-256 of all of it, and how
	// large an offset can become.
	Describe() (source SetSource, end int64)
	// Next fills r. The error is io.EOF at the end, a *BadRow or ErrBlankRow for a row to go on
	// after; any other ends the reading.
	Next(ctx context.Context, r *DigestRow) error
	// Position is where Next goes on.
	Position() SourcePosition
	// Seek goes on at what Position returned earlier, also of another process.
	Seek(ctx context.Context, at SourcePosition) error
	// Sum reads the whole file and returns its SHA-256. It is Invalid when the file is
	// not any more what Describe says.
	Sum(ctx context.Context) (SHA256, error)
}

// SetProgress tells how far the making of a set is.
type SetProgress struct {
	Stage string `json:"stage"` // "reading", "sorting", "hashing"
	Rows  int64  `json:"rows"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// A SetQuery asks which records of digest sets have values.
type SetQuery struct {
	Algorithm   hashing.Algorithm
	Collections []CollectionID
	Values      [][]byte
}

// A SetRecord is what a digest set knows of a digest.
type SetRecord struct {
	Collection CollectionID
	Set        SetID
	Source     string // name of the file it came from
	Record     string // which row of it: "line 7"
	Size       int64  // 0 unknown
	Note       string
}

// A SetIndex looks digests up in digest sets. It follows the store like a HashIndex:
// Version is that of the collection whose sets are held.
type SetIndex interface {
	// HeldSets returns the collection version whose sets are held, 0 when none is.
	HeldSets(c CollectionID) int64
	// HoldSets opens the sets of a collection and holds them instead of what was. A file
	// that is missing, damaged or another one is an error (Internal). Version 0 holds
	// nothing of the collection any more.
	HoldSets(ctx context.Context, c CollectionID, version int64, sets []DigestSet) error
	// SearchSets returns, for each value, the records of the collections' sets, by collection and
	// set. A collection whose sets are not held, or a file that is found damaged, is an error (Internal).
	SearchSets(ctx context.Context, q SetQuery) ([][]SetRecord, error)
}

// A SetOperation combines digest sets.
type SetOperation string

// The operations. Records keep what the first set that has them says.
const (
	SetUnion        SetOperation = "union"
	SetDifference   SetOperation = "difference" // what is in the first and in none of the others
	SetIntersection SetOperation = "intersection"
)

// A SetMaker makes and removes the files of digest sets.
type SetMaker interface {
	// BuildSet makes a set of a source. The set given has Collection and Name; the
	// one returned has ID, Sources, Files and Counts too and is there for good once FinishSet was called.
	// A build that was stopped goes on where it was when it is called again for the
	// same collection and source; Conflict when the collection has an unfinished one of
	// another source.
	BuildSet(ctx context.Context, s DigestSet, src DigestSource, progress func(SetProgress)) (DigestSet, error)
	// CombineSets makes a set of others, algorithm by algorithm.
	CombineSets(ctx context.Context, s DigestSet, op SetOperation, sets []DigestSet, algorithms []hashing.Algorithm) (DigestSet, error)
	// CountSets returns, for each algorithm, how many digests each set has, and their
	// union and intersection.
	CountSets(ctx context.Context, sets []DigestSet, algorithms []hashing.Algorithm) ([]SetOverlap, error)
	// FinishSet drops what was only needed for making a set, which the store has now.
	FinishSet(s DigestSet) error
	// EraseSets removes the files of sets, and of unfinished ones of a collection.
	EraseSets(c CollectionID, sets ...SetID) error
}

// A SetOverlap counts what sets have in common of one algorithm.
type SetOverlap struct {
	Algorithm    hashing.Algorithm `json:"algorithm"`
	Sets         []int64           `json:"sets"`
	Union        int64             `json:"union"`
	Intersection int64             `json:"intersection"`
}

// A SetStore keeps which digest sets there are. A change raises the version of the
// collection and carries its audit event.
type SetStore interface {
	// AddSet records a set whose files are there.
	AddSet(ctx context.Context, s DigestSet, ev AuditEvent) error
	// RemoveSet forgets a set. NotFound when the collection has none of that ID.
	RemoveSet(ctx context.Context, c CollectionID, id SetID, ev AuditEvent) error
	// Sets lists the sets of a collection in the order they were added; of every
	// collection when c is empty.
	Sets(ctx context.Context, c CollectionID) ([]DigestSet, error)
}
