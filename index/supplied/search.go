package supplied

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// partRows is how many rows a lane takes at a time. Their sketches, 128 KiB, stay in the
// processor's cache while all queries go through them.
const partRows = 1 << 13

// A probe is a value that is searched for.
type probe struct {
	value    []byte // padded
	sketches [groupings][sketchBytes]byte
	limit    uint32
}

func newProbe(a hashing.Algorithm, value []byte, radius int) *probe {
	width := len(value)
	p := &probe{value: make([]byte, padded(width))}
	copy(p.value, value)
	if sketched(a) {
		for g := range groupings {
			s := newSketcher(g, width)
			p.sketches[g], p.limit = s.sketch(value), s.limit(radius)
		}
	}
	return p
}

// A part is some rows of a tray of a shelf.
type part struct {
	collection semblance.CollectionID
	tray       *tray
	gone       rowSet
	from, to   int
}

// A search is one search under way. Lanes take parts.
type search struct {
	algorithm hashing.Algorithm
	metric    hashing.Metric
	radius    int
	kernel    string
	probes    []*probe
	parts     []part
	next      atomic.Int64
}

// run searches in a number of lanes and returns the neighbors of each probe, sorted.
func (s *search) run(ctx context.Context, lanes int) ([][]semblance.HashNeighbor, error) {
	lanes = max(1, min(lanes, len(s.parts)))
	found := make([][][]semblance.HashNeighbor, lanes)
	errs := make([]error, lanes)
	var wait sync.WaitGroup
	for i := range lanes {
		wait.Add(1)
		lane := func() {
			defer wait.Done()
			found[i] = make([][]semblance.HashNeighbor, len(s.probes))
			errs[i] = disk.Guarded(func() error { return s.lane(ctx, found[i]) })
		}
		if i == lanes-1 {
			lane()
		} else {
			go lane()
		}
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := make([][]semblance.HashNeighbor, len(s.probes))
	for i := range out {
		for _, f := range found {
			out[i] = append(out[i], f[i]...)
		}
		slices.SortFunc(out[i], byDistance)
	}
	return out, nil
}

// byDistance orders neighbors nearest first, ties by collection and entry.
func byDistance(a, b semblance.HashNeighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
}

func (s *search) lane(ctx context.Context, found [][]semblance.HashNeighbor) error {
	w := newRoom()
	for {
		at := int(s.next.Add(1)) - 1
		if at >= len(s.parts) {
			return nil
		}
		p := &s.parts[at]
		for i, q := range s.probes {
			if err := ctx.Err(); err != nil {
				return err
			}
			got, err := s.look(p, q, w, found[i])
			if err != nil {
				return err
			}
			found[i] = got
		}
		runtime.KeepAlive(p.tray)
	}
}

// A room is what a lane works in.
type room struct {
	masks     []uint64
	rows      []int32 // with space for what a kernel appends
	distances []int32
}

func newRoom() *room {
	return &room{masks: make([]uint64, partRows/blockRows), rows: make([]int32, 0, partRows+64), distances: make([]int32, partRows)}
}

// look adds the rows of a part within the radius.
func (s *search) look(p *part, q *probe, w *room, found []semblance.HashNeighbor) ([]semblance.HashNeighbor, error) {
	rows, err := s.sieve(p, q, w)
	if err != nil {
		return nil, err
	}
	t := p.tray
	s.distances(t, q, rows, w.distances)
	for i, row := range rows {
		if int(w.distances[i]) > s.radius {
			continue
		}
		id, err := t.id(int(row))
		if err != nil {
			return nil, err
		}
		found = append(found, semblance.HashNeighbor{Entry: id, Collection: p.collection, Distance: int(w.distances[i])})
	}
	return found, nil
}

// sieve returns the rows of a part that can be within the radius and are not gone, after
// making sure of their values.
func (s *search) sieve(p *part, q *probe, w *room) ([]int32, error) {
	t, masks := p.tray, w.masks[:(p.to-p.from+blockRows-1)/blockRows]
	if sketched(s.algorithm) {
		from, n := p.from/blockRows*blockSketch, len(masks)*blockSketch
		if err := t.check(t.at.sketches+from, n); err != nil {
			return nil, err
		}
		sieve(s.kernel, t.sketches[from:from+n], &q.sketches[t.Grouping], q.limit, masks)
	} else {
		for i := range masks {
			masks[i] = ^uint64(0)
		}
	}
	rows := w.rows[:0]
	step := padded(int(t.Width))
	for b, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			row := p.from + b*blockRows + bits.TrailingZeros64(mask)
			if row >= p.to { // rows that only fill a block up
				break
			}
			if p.gone.has(row) {
				continue
			}
			if err := t.check(t.at.values+row*step, step); err != nil {
				return nil, err
			}
			rows = append(rows, int32(row))
		}
	}
	return rows, nil
}

// distances computes those of rows.
func (s *search) distances(t *tray, q *probe, rows []int32, out []int32) {
	if s.metric == hashing.SquaredEuclid {
		squared(s.kernel, t.values, rows, q.value, out)
		return
	}
	step := len(q.value)
	for i, row := range rows { // padding is equal
		out[i] = int32(s.metric.Distance(t.values[int(row)*step:][:step], q.value))
	}
}
