package index

import (
	"math"
	"slices"

	"semblance"
)

// A shelf holds the vectors of one collection in one space. What a search reads
// (the fields above the line) is never changed once the shelf is visible; a
// successor may share its arrays and write behind their ends.
type shelf struct {
	version  int64
	dims     int
	metric   semblance.Metric
	ids      []semblance.ReferenceID
	subjects []int32 // of each row, an index of names
	names    []string
	days     []int32   // of each row, when it was captured, 0 unknown
	vectors  []float32 // rows of dims, as they were given
	coded    coded     // the same rows, for the first pass
	longest  float64   // length of the longest row that ever was

	// Only the one change that is going on reads and writes these.
	rows  map[semblance.ReferenceID]int32
	named map[string]int32
}

func newShelf(space semblance.EngineSpec) *shelf {
	return &shelf{
		dims: space.Dimensions, metric: space.Metric,
		rows: map[semblance.ReferenceID]int32{}, named: map[string]int32{},
	}
}

// with returns a successor after a change. Entries whose IDs are held are replaced
// in a copy, so that searches under way keep the old ones.
func (s *shelf) with(space semblance.EngineSpec, change semblance.VectorChange) (*shelf, error) {
	if s.dims != space.Dimensions || s.metric != space.Metric {
		return nil, mixed(space)
	}
	s, entries := s.without(change.Remove), change.Add
	next := *s
	for _, e := range entries {
		if _, ok := s.rows[e.ID]; ok {
			next.subjects = slices.Clone(s.subjects)
			next.days = slices.Clone(s.days)
			next.vectors = slices.Clone(s.vectors)
			next.coded = coded{slices.Clone(s.coded.codes), slices.Clone(s.coded.scales), slices.Clone(s.coded.rests), slices.Clone(s.coded.bias)}
			break
		}
	}
	for _, e := range entries {
		next.put(e)
	}
	return &next, nil
}

// without returns the shelf itself when it holds none of the IDs, or a copy of what
// is left.
func (s *shelf) without(ids []semblance.ReferenceID) *shelf {
	gone := map[semblance.ReferenceID]bool{}
	for _, id := range ids {
		if _, ok := s.rows[id]; ok {
			gone[id] = true
		}
	}
	if len(gone) == 0 {
		return s
	}
	left := &shelf{dims: s.dims, metric: s.metric, rows: map[semblance.ReferenceID]int32{}, named: map[string]int32{}}
	for i, id := range s.ids {
		if !gone[id] {
			left.put(semblance.VectorEntry{ID: id, Subject: s.names[s.subjects[i]], Vector: s.row(i), Captured: s.days[i]})
		}
	}
	return left
}

// put adds a row, or overwrites the row of an ID that is held. Overwriting is
// only for rows that no other shelf shares.
func (s *shelf) put(e semblance.VectorEntry) {
	subject, ok := s.named[e.Subject]
	if !ok {
		subject = int32(len(s.names))
		s.named[e.Subject] = subject
		s.names = append(s.names, e.Subject)
	}
	s.longest = max(s.longest, math.Sqrt(squaredLength(e.Vector)))
	if row, ok := s.rows[e.ID]; ok {
		s.subjects[row], s.days[row] = subject, e.Captured
		copy(s.row(int(row)), e.Vector)
		s.coded.set(int(row), e.Vector, s.metric)
		return
	}
	s.rows[e.ID] = int32(len(s.ids))
	s.ids = append(s.ids, e.ID)
	s.subjects, s.days = append(s.subjects, subject), append(s.days, e.Captured)
	s.vectors = append(s.vectors, e.Vector...)
	s.coded.append(e.Vector, s.metric)
}

// seal gives back what growing left over.
func (s *shelf) seal() {
	s.vectors = slices.Clone(s.vectors)
	s.coded.codes = slices.Clone(s.coded.codes)
}

func (s *shelf) row(i int) []float32 { return s.vectors[i*s.dims : (i+1)*s.dims] }

func squaredLength(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}
