package index

import (
	"slices"

	"semblance"
	"semblance/hashing"
)

// tailEntries is how many entries wait in a list, where a search compares with
// each (about 20 µs), before they become a segment.
const tailEntries = 8192

// A near is an entry within a radius.
type near struct {
	id       semblance.EntryID
	distance int
}

// A list holds values and their entries in the order they came, packed. It grows at
// its end only, so that a copy of the struct is a snapshot.
type list struct {
	width  int
	values []byte
	ids    []semblance.EntryID
}

func (l *list) add(value []byte, id semblance.EntryID) {
	l.values = append(l.values, value...)
	l.ids = append(l.ids, id)
}

func (l *list) value(i int) []byte { return l.values[i*l.width : (i+1)*l.width] }

// A segment holds entries in a form that is quick to search. It is never changed.
type segment interface {
	// within appends the entries within the radius of value, each once.
	within(value []byte, radius int, out []near) []near
	// len returns the number of entries.
	len() int
	// appendTo adds all entries to a list.
	appendTo(l *list)
}

// A table holds the values of one algorithm of a collection: segments, each at
// least twice as large as the next, and a tail. It is never changed; a successor
// shares segments and the tail's array. Each entry is moved a number of times that
// is logarithmic in the number of entries.
type table struct {
	algorithm hashing.Algorithm
	segments  []segment
	tail      list
}

// with returns a successor that holds the list too.
func (t *table) with(l *list) *table {
	next := &table{algorithm: t.algorithm, segments: t.segments, tail: t.tail}
	if len(next.tail.ids) == 0 {
		next.tail = *l // which nobody else has
	} else {
		next.tail.values = append(next.tail.values, l.values...)
		next.tail.ids = append(next.tail.ids, l.ids...)
	}
	if len(next.tail.ids) <= tailEntries {
		return next
	}
	merged := next.tail
	next.tail = list{width: l.width}
	keep := len(t.segments)
	for keep > 0 && t.segments[keep-1].len() < 2*len(merged.ids) {
		keep--
		t.segments[keep].appendTo(&merged)
	}
	next.segments = append(slices.Clone(t.segments[:keep]), t.build(merged))
	return next
}

// build makes a segment of a list, which it may reorder.
func (t *table) build(l list) segment {
	if t.algorithm.IsDigest() {
		return newDigests(l)
	}
	return newMultiIndex(l)
}

// within appends the entries within the radius of value. An entry may be there
// twice when it was added twice.
func (t *table) within(value []byte, radius int, out []near) []near {
	for _, s := range t.segments {
		out = s.within(value, radius, out)
	}
	return t.tail.within(value, radius, out)
}
