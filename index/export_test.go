package index

import "semblance"

// Dots and DotsGeneric are the kernel and its slow twin.
var (
	Dots        = dots
	DotsGeneric = dotsGeneric
)

// Stride, RowLimit and QueryLimit describe what the kernel is given.
var (
	Stride     = stride
	QueryLimit = queryLimit
)

// RowLimit bounds the numbers of a row.
const RowLimit = rowLimit

// A Segment is a multi-index of values whose entries are their positions.
type Segment struct{ m *multiIndex }

// NewSegment makes one.
func NewSegment(values [][]byte) Segment {
	l := list{width: len(values[0])}
	for i, v := range values {
		l.add(v, semblance.EntryID(i))
	}
	return Segment{newMultiIndex(l)}
}

// Count returns how many entries a search returns, and whether it began with the
// tables and whether those sufficed.
func (s Segment) Count(q []byte, radius int) (n int, planned, probed bool) {
	reach, planned := s.m.plan(loadWords(q), radius)
	if planned {
		probed = s.m.probe(loadWords(q), radius, reach, func(int, int) {})
	}
	return len(s.m.within(q, radius, nil)), planned, probed
}
