package index

import "semblance"

// Kernels names what this processor offers, from slow to fast.
var Kernels = kernels

// SetKernel makes an index use a kernel and a number of lanes.
func SetKernel(f *Flat, kernel string, lanes int) { f.kernel, f.lanes = kernel, lanes }

// SetStep makes step be called before every change of an index's folder.
func SetStep(f *Flat, step func(what string) error) { f.folder.step = step }

// Trays returns how many trays hold a collection and how many rows they have, the ones
// that are gone included.
func Trays(f *Flat, space semblance.EngineSpec, c semblance.CollectionID) (trays, rows int) {
	s := f.shelf(keyOf(space, c))
	for _, t := range s.trays {
		rows += int(t.Rows)
	}
	return len(s.trays), rows
}

// Tidy waits until nothing is being tidied.
func Tidy(f *Flat) { f.work.Wait() }

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
