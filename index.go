package semblance

import (
	"context"
	"iter"

	"semblance/hashing"
)

// A VectorEntry is one reference as a vector index holds it.
type VectorEntry struct {
	ID       ReferenceID
	Subject  string
	Vector   []float32
	Captured int32 // day the picture was taken, counted from 1970-01-01; 0 unknown
}

// A VectorChange is what changes at once in what an index holds of a collection.
// What is removed is removed first; an ID that is not held is no error.
type VectorChange struct {
	Remove []ReferenceID
	Add    []VectorEntry // an entry whose ID is held is replaced
}

// A VectorQuery asks for the nearest subjects of several vectors at once.
type VectorQuery struct {
	Space       EngineSpec // the engine the vectors are of
	Collections []CollectionID
	Vectors     [][]float32
	Subjects    int // at most this many subjects a vector, over all collections
	// From and To bound the day a reference was captured, inclusive, counted from
	// 1970-01-01; 0 is no bound. With a bound, references of unknown day are left
	// out unless Undated is set.
	From, To int32
	Undated  bool
}

// Covers reports whether a reference captured on a day is searched.
func (q VectorQuery) Covers(captured int32) bool {
	switch {
	case q.From == 0 && q.To == 0:
		return true
	case captured == 0:
		return q.Undated
	}
	return (q.From == 0 || captured >= q.From) && (q.To == 0 || captured <= q.To)
}

// A Neighbor is the nearest reference of one subject.
type Neighbor struct {
	ID         ReferenceID
	Collection CollectionID
	Subject    string
	Distance   float64
}

// A VectorIndex finds nearest subjects. It is derived from the store, holds for
// every collection the version it was made from, and may be dropped and rebuilt.
//
// Implementations are safe for concurrent use; a search sees a collection either
// before or after a change, never half of one.
type VectorIndex interface {
	// Version returns the collection version that is held of a collection in a
	// space, 0 when none is.
	Version(ctx context.Context, space EngineSpec, c CollectionID) (int64, error)
	// Replace drops what is held of a collection and holds entries instead. When
	// entries yields an error, it is returned and version is not recorded.
	Replace(ctx context.Context, space EngineSpec, c CollectionID, version int64, entries iter.Seq2[VectorEntry, error]) error
	// Update removes and adds entries and records version, all or nothing. Vectors of the
	// wrong length, zero vectors and ones that are not finite are refused with Invalid.
	Update(ctx context.Context, space EngineSpec, c CollectionID, version int64, change VectorChange) error
	// Drop forgets a collection in every space. One that is not held is no error.
	Drop(ctx context.Context, c CollectionID) error
	// Search returns, for each vector, the nearest subjects, each once with its
	// nearest reference, nearest first, ties by ID. Fewer than asked means that
	// there are no more. A collection that is not held is an error (Internal):
	// silence would be a miss.
	Search(ctx context.Context, q VectorQuery) ([][]Neighbor, error)
}

// A HashQuery asks which entries are within a radius of values.
type HashQuery struct {
	Algorithm   hashing.Algorithm
	Collections []CollectionID
	Values      [][]byte
	Radius      int // Hamming distance, inclusive; 0 is equality and the only radius of a digest
}

// A HashNeighbor is an entry within the radius.
type HashNeighbor struct {
	Entry      EntryID
	Collection CollectionID
	Distance   int
}

// A HashChange is what changes at once in what an index holds of a collection. What is
// removed is removed first; an ID that is not held is no error.
type HashChange struct {
	Remove []EntryID
	Add    []HashEntry // an entry whose ID is held is replaced
}

// A HashHolding says what a hash index holds of a collection.
type HashHolding struct {
	Version int64   // of the collection, 0 when nothing is held
	Last    EntryID // no entry that is held has a larger one
	Entries int64   // how many are held
}

// A HashIndex finds hash entries. It is derived from the store like a
// VectorIndex, and complete: every entry within the radius is returned.
type HashIndex interface {
	// Held returns what is held of a collection.
	Held(ctx context.Context, c CollectionID) (HashHolding, error)
	// Replace drops what is held of a collection and holds entries instead. Of entries
	// with one ID the last counts.
	Replace(ctx context.Context, c CollectionID, version int64, entries iter.Seq2[HashEntry, error]) error
	// Update removes and adds entries and records version, all or nothing.
	Update(ctx context.Context, c CollectionID, version int64, change HashChange) error
	// Drop forgets a collection. One that is not held is no error.
	Drop(ctx context.Context, c CollectionID) error
	// Search returns, for each value, all entries within the radius, nearest
	// first, ties by collection and entry. A collection that is not held is an error (Internal).
	Search(ctx context.Context, q HashQuery) ([][]HashNeighbor, error)
}

// A VideoIndex finds video entries: it holds those with [hashing.Algorithm.IsVideo]. Search answers for the frames of
// vPDQ, each entry once at the distance of its nearest frame.
type VideoIndex interface {
	HashIndex
	// NearMeans returns the TMK+PDQF entries of a collection whose mean frame is at a level
	// or above ([hashing.TMKMean.Level1]), ascending. A collection that is not held is an error (Internal).
	NearMeans(ctx context.Context, c CollectionID, mean *hashing.TMKMean, level float64) ([]EntryID, error)
}
