package semblance

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"

	"semblance/hashing"
)

const (
	// importBatch is how many entries one transaction holds: enough that the commit does
	// not dominate, few enough that others wait for it under a second.
	importBatch = 50_000
	// importLines and importBytes bound what is held of a list while it is read, some 120 MiB. The store's index of
	// values is written through once for each run; in the order of a list every entry would go to another page
	// of it, and a batch would write most of them.
	importLines = 1 << 20
	importBytes = 64 << 20
)

// An importRun collects lines of a list until there are many, and then gives them as
// entries in the order of their values.
type importRun struct {
	collection *Collection
	source     string
	parse      func(c *Collection, line string, def hashing.Algorithm) (parsedLine, error)
	give       func([]HashEntry) error // stores a batch
	text       []byte                  // values, notes and how selectors were written
	lines      []importedLine
}

// A parsedLine is what a line of a list says.
type parsedLine struct {
	line      int
	algorithm hashing.Algorithm
	value     []byte
	note, raw string // raw: of a selector, as it was written
}

// An importedLine is a line of a list: where its value and its note are in the run's text.
type importedLine struct {
	line                 int
	algorithm            hashing.Algorithm
	at, value, note, raw int32 // note lies behind value, and raw behind that
}

func (r *importRun) add(p parsedLine) error {
	r.lines = append(r.lines, importedLine{line: p.line, algorithm: p.algorithm, at: int32(len(r.text)), value: int32(len(p.value)), note: int32(len(p.note)), raw: int32(len(p.raw))})
	r.text = append(append(append(r.text, p.value...), p.note...), p.raw...)
	if len(r.lines) < importLines && len(r.text) < importBytes {
		return nil
	}
	return r.flush()
}

func (r *importRun) valueOf(l *importedLine) []byte { return r.text[l.at:][:l.value:l.value] }

// flush gives all lines, a batch at a time. What fits into one batch stays in the order
// of the list. Of lines with the same value the first comes first.
func (r *importRun) flush() error {
	if len(r.lines) > importBatch {
		slices.SortFunc(r.lines, func(a, b importedLine) int {
			if a.algorithm != b.algorithm {
				return cmp.Compare(a.algorithm, b.algorithm)
			}
			return cmp.Or(bytes.Compare(r.valueOf(&a), r.valueOf(&b)), cmp.Compare(a.line, b.line))
		})
	}
	batch := make([]HashEntry, 0, min(len(r.lines), importBatch))
	for part := range slices.Chunk(r.lines, importBatch) {
		batch = batch[:0]
		for i := range part {
			batch = append(batch, r.entry(&part[i]))
		}
		if err := r.give(batch); err != nil {
			return err
		}
	}
	r.text, r.lines = r.text[:0], r.lines[:0]
	return nil
}

// entry makes an entry of a line. A note with size=N gives the file's size, one with category=V the
// category. Its value is the run's own.
func (r *importRun) entry(l *importedLine) HashEntry {
	h := HashEntry{Collection: r.collection.ID, Algorithm: l.algorithm, Value: r.valueOf(l), Quality: -1, Source: r.source, Record: "line " + strconv.Itoa(l.line)}
	h.Raw = string(r.text[l.at+l.value+l.note:][:l.raw])
	if l.note == 0 {
		return h
	}
	h.Note = string(r.text[l.at+l.value:][:l.note])
	if m := noteSize.FindStringSubmatch(h.Note); m != nil {
		h.Size, _ = strconv.ParseInt(m[1], 10, 64)
	}
	h.Category = categoryIn(h.Note)
	return h
}
