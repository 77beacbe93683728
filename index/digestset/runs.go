package digestset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
)

// A run is a sorted part of what was read: packed records in the file of their
// algorithm.
type run struct {
	At      int64    `json:"at"`    // bytes
	Count   int64    `json:"count"` // records
	Sum     uint32   `json:"sum"`
	Largest []uint64 `json:"largest"` // row, size, text, flags
}

func largestOf(r row) []uint64 { return []uint64{r.row, r.size, r.text, r.flags} }

func (r run) largest() row {
	if len(r.Largest) != 4 {
		return row{row: maxNumber, size: maxNumber, text: maxTexts + 1, flags: flagSizes | flagTexts}
	}
	return row{row: r.Largest[0], size: r.Largest[1], text: r.Largest[2], flags: r.Largest[3]}
}

// A runReader reads a run and checks it.
type runReader struct {
	in       *bufio.Reader
	order    int
	key      uint64
	record   []byte
	digest   int
	left     int64
	sum      uint32
	expected uint32
}

func newRunReader(f *os.File, r run, order, digest, buffer int) *runReader {
	stride := digest + packedBytes
	return &runReader{in: bufio.NewReaderSize(io.NewSectionReader(f, r.At, r.Count*int64(stride)), buffer), order: order, record: make([]byte, stride), digest: digest, left: r.Count, expected: r.Sum}
}

// next reads a record. It is false at the end.
func (r *runReader) next() (bool, error) {
	if r.left == 0 {
		if r.sum != r.expected {
			return false, errDamaged
		}
		return false, nil
	}
	if _, err := io.ReadFull(r.in, r.record); err != nil {
		return false, errDamaged
	}
	r.sum = crc32.Update(r.sum, castagnoli, r.record)
	r.key = binary.BigEndian.Uint64(r.record)
	r.left--
	return true, nil
}

// before orders readers by their record, then as they were written.
func (r *runReader) before(o *runReader) bool {
	if r.key != o.key {
		return r.key < o.key
	}
	if c := bytes.Compare(r.record[8:r.digest], o.record[8:o.digest]); c != 0 {
		return c < 0
	}
	return r.order < o.order
}

// A queue is a heap of readers, the one with the next record first.
type queue []*runReader

func (q queue) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(q); c++ {
			if q[c].before(q[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}

// merge goes through the records of runs in order, each digest once. t are the texts of the rows, memory is what
// the readers may use; progress is called with how many records were read.
func merge(ctx context.Context, f *os.File, runs []run, digest, memory int, t *texts, yield func(digest []byte, r row) error, progress func(read int64)) error {
	var q queue
	buffer := max(16<<10, min(1<<20, memory/max(1, len(runs))))
	for i, r := range runs {
		in := newRunReader(f, r, i, digest, buffer)
		more, err := in.next()
		if err != nil {
			return err
		}
		if more {
			q = append(q, in)
		}
	}
	for i := len(q)/2 - 1; i >= 0; i-- {
		q.down(i)
	}
	held := make([]byte, digest)
	var r row
	var read int64
	for len(q) > 0 {
		top := q[0]
		other := unpackRow(top.record[digest:])
		switch {
		case read == 0:
			copy(held, top.record)
			r = other
		case bytes.Equal(held, top.record[:digest]):
			r.absorb(other, t)
		default:
			if err := yield(held, r); err != nil {
				return err
			}
			copy(held, top.record)
			r = other
		}
		if read++; read%(1<<16) == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			progress(read)
		}
		more, err := top.next()
		if err != nil {
			return err
		}
		if !more {
			q[0] = q[len(q)-1]
			q = q[:len(q)-1]
		}
		q.down(0)
	}
	if read == 0 {
		return nil
	}
	return yield(held, r)
}
