package digestset

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// A packed record is what is sorted: the digest, then row (6 bytes), size (6), text (2)
// and flags (1), in an order of bytes that nothing depends on.
const (
	atRow, atSize, atText, atFlags = 0, 6, 12, 14
	packedBytes                    = 15
	maxNumber                      = 1<<48 - 1 // of a row, and bytes of a file
)

func packRow(b []byte, r row) []byte {
	b = putNumber(b, r.row, 6)
	b = putNumber(b, r.size, 6)
	b = putNumber(b, r.text, 2)
	return append(b, byte(r.flags))
}

func unpackRow(b []byte) row {
	return row{row: number(b[atRow:atSize]), size: number(b[atSize:atText]), text: number(b[atText:atFlags]), flags: uint64(b[atFlags])}
}

// absorb makes one row of two with the same digest. The first wins. A size that is not
// sure is none, so that it can neither hide a hit nor make a file known-good; texts are
// said together, because what the other says may be the graver.
func (r *row) absorb(other row, t *texts) {
	if other.flags&flagSizes != 0 || r.size != 0 && other.size != 0 && r.size != other.size {
		r.size, r.flags = 0, r.flags|flagSizes
	}
	var all bool
	if r.text, all = t.join(r.text, other.text); !all || other.flags&flagTexts != 0 {
		r.flags |= flagTexts
	}
}

// grow makes each column as large as that of a row.
func (r *row) grow(other row) {
	r.source, r.row, r.size, r.text, r.flags = max(r.source, other.source), max(r.row, other.row), max(r.size, other.size), max(r.text, other.text), max(r.flags, other.flags)
}

const (
	pageRecords = 1 << 14
	keyBits     = 40 // of the digest in a sort key; the others number the record
	maxInRun    = 1 << (64 - keyBits)
)

// A sorter collects packed records of one algorithm in memory and writes them sorted.
type sorter struct {
	digest, stride int
	pages          [][]byte
	n              int
}

func newSorter(digest int) *sorter { return &sorter{digest: digest, stride: digest + packedBytes} }

// pageBytes is what a page takes, the keys included that sorting needs.
func (s *sorter) pageBytes() int { return pageRecords * (s.stride + 8) }

// full reports whether the next record needs another page.
func (s *sorter) full() bool { return s.n == len(s.pages)*pageRecords }

func (s *sorter) grow() { s.pages = append(s.pages, make([]byte, pageRecords*s.stride)) }

func (s *sorter) at(n int) []byte {
	return s.pages[n/pageRecords][n%pageRecords*s.stride:][:s.stride]
}

// add keeps a record; there is room.
func (s *sorter) add(digest []byte, r row) {
	b := s.at(s.n)
	packRow(b[copy(b, digest):s.digest], r)
	s.n++
}

// write writes the records sorted, each digest once, and forgets them. It returns how
// many it wrote and the largest columns. keys is memory that is used again.
func (s *sorter) write(w io.Writer, keys []uint64, t *texts) (count int, largest row, again []uint64, err error) {
	keys = slices.Grow(keys[:0], s.n)[:s.n]
	for i := range keys {
		keys[i] = binary.BigEndian.Uint64(s.at(i))&^(maxInRun-1) | uint64(i)
	}
	slices.Sort(keys)
	s.settle(keys)
	index := func(k uint64) []byte { return s.at(int(k & (maxInRun - 1))) }
	for i := 0; i < len(keys); {
		first := index(keys[i])
		r := unpackRow(first[s.digest:])
		for i++; i < len(keys); i++ {
			other := index(keys[i])
			if !bytes.Equal(first[:s.digest], other[:s.digest]) {
				break
			}
			r.absorb(unpackRow(other[s.digest:]), t)
		}
		packRow(first[s.digest:s.digest], r)
		largest.grow(r)
		count++
		if _, err := w.Write(first); err != nil {
			return count, largest, keys, err
		}
	}
	s.n = 0
	return count, largest, keys, nil
}

// settle orders records whose keys cannot tell them apart, by digest and then by row.
func (s *sorter) settle(keys []uint64) {
	for i := 0; i < len(keys); {
		from := i
		for i++; i < len(keys) && keys[i]>>(64-keyBits) == keys[from]>>(64-keyBits); i++ {
		}
		if i-from > 1 {
			slices.SortStableFunc(keys[from:i], func(a, b uint64) int {
				return bytes.Compare(s.at(int(a & (maxInRun - 1)))[:s.digest], s.at(int(b & (maxInRun - 1)))[:s.digest])
			})
		}
	}
}
