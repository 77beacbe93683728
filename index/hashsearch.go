package index

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"semblance"
	"semblance/index/disk"
)

// A heldSegment is a segment of a search.
type heldSegment struct {
	*segment
	collection semblance.CollectionID
	gone       rowSet
}

// means are what a search is done with.
type means struct {
	kernel string
	costs  costs
	lanes  int        // of a large search, and of a replacement
	spare  *sync.Pool // of probers: to get the memory of a small search anew takes a tenth of its time
}

func meansOf(kernel string, lanes int) means {
	return means{kernel, costsOf(kernel), lanes, &sync.Pool{New: func() any { return new(prober) }}}
}

// A hashSearcher is a search of many values in many segments.
type hashSearcher struct {
	means
	radius   int
	values   []words
	segments []heldSegment
	threads  []*hashLane
	waiting  [][]uint32 // of each segment, the values that are compared with all of its
}

// A hashLane is one thread of a search.
type hashLane struct {
	*prober
	waiting [][]uint32
	masks64 []uint64
}

// compareRows is how many values a lane takes at a time when it compares with all:
// 64 kB of heads, which stay in the second-level cache.
const compareRows = 4096

// searchHashes runs a query that has been checked.
func searchHashes(ctx context.Context, q semblance.HashQuery, segments []heldSegment, m means) ([][]semblance.HashNeighbor, error) {
	s := &hashSearcher{means: m, radius: q.Radius, values: make([]words, len(q.Values)), segments: segments}
	for i, v := range q.Values {
		s.values[i] = loadWords(v)
	}
	for range max(1, min(s.lanes, len(s.values))) {
		s.grow()
	}
	defer s.release()
	var next atomic.Int64
	err := s.each(ctx, &next, len(s.values), len(s.threads), s.look)
	if err == nil {
		err = s.compare(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s.answers(ctx)
}

func (s *hashSearcher) grow() {
	p := s.spare.Get().(*prober)
	p.means = s.means
	s.threads = append(s.threads, &hashLane{prober: p, waiting: make([][]uint32, len(s.segments))})
}

// release keeps what lanes needed for later searches, unless it is much.
func (s *hashSearcher) release() {
	for _, l := range s.threads {
		if l.small() {
			l.finds = l.finds[:0]
			s.spare.Put(l.prober)
		}
	}
}

// each lets lanes do n things, one after the other each.
func (s *hashSearcher) each(ctx context.Context, next *atomic.Int64, n, lanes int, do func(l *hashLane, i int) error) error {
	return parallel(min(lanes, max(1, n)), func(lane int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(s.threads[lane], i); err != nil {
				return err
			}
		}
	})
}

// look looks a value up in every segment, or leaves it to be compared with all.
func (s *hashSearcher) look(l *hashLane, i int) error {
	q := &s.values[i]
	for n := range s.segments {
		seg := s.segments[n].segment
		if seg.digests != nil {
			if err := l.equal(seg, q, uint32(i), uint32(n)); err != nil {
				return err
			}
			continue
		}
		ok, err := s.probe(l, seg, q, uint32(i), uint32(n))
		if err != nil {
			return err
		}
		if !ok {
			l.waiting[n] = append(l.waiting[n], uint32(i))
		}
	}
	return nil
}

// probe looks a value up in a segment's slots. It returns false, and has found nothing, when
// comparing with every value is cheaper, as far as can be told.
func (s *hashSearcher) probe(l *hashLane, seg *segment, q *words, query, number uint32) (bool, error) {
	if len(seg.slots) == 0 {
		return false, nil
	}
	limit := s.costs.alone * float64(seg.Values)
	if len(s.values) >= needleTile {
		limit = s.costs.among * float64(seg.Values)
	}
	reach, ok, err := seg.plan(q, s.radius, s.costs, limit)
	if !ok || err != nil {
		return false, err
	}
	return l.probe(seg, q, s.radius, &reach, limit, query, number)
}

// equal finds a digest.
func (l *hashLane) equal(s *segment, q *words, query, number uint32) error {
	v, err := s.find(q)
	for ; err == nil && v < int(s.Values); v++ {
		var have words
		if have, err = s.value(v); err != nil || have != *q {
			return err
		}
		l.finds = append(l.finds, find{query, number, uint32(v), 0})
	}
	return err
}

// A stretch is some values of a segment, from a multiple of compareRows on.
type stretch struct{ segment, from int }

// compare compares with every value of the segments for which that was left, many needles
// at a time.
func (s *hashSearcher) compare(ctx context.Context) error {
	s.waiting = make([][]uint32, len(s.segments))
	var all []stretch
	for n := range s.segments {
		for _, l := range s.threads {
			s.waiting[n] = append(s.waiting[n], l.waiting[n]...)
		}
		if len(s.waiting[n]) == 0 {
			continue
		}
		for from := 0; from < int(s.segments[n].Values); from += compareRows {
			all = append(all, stretch{n, from})
		}
	}
	if len(all) == 0 {
		return nil
	}
	lanes := max(1, min(s.lanes, len(all)))
	for len(s.threads) < lanes {
		s.grow()
	}
	var next atomic.Int64
	return s.each(ctx, &next, len(all), lanes, func(l *hashLane, i int) error {
		return l.compare(s, all[i])
	})
}

// compare compares a stretch with what waits for its segment.
func (l *hashLane) compare(s *hashSearcher, part stretch) error {
	seg := s.segments[part.segment].segment
	to := min(part.from+compareRows, int(seg.Values))
	wide := len(seg.tails) > 0
	per := 8
	if wide {
		per = 16
	}
	if err := seg.check(seg.at.heads+per*part.from, per*(to-part.from)); err != nil {
		return err
	}
	if wide && s.radius > headRadius {
		return l.compareWhole(s, part, to)
	}
	for tile := range slices.Chunk(s.waiting[part.segment], needleTile) {
		var err error
		if wide {
			err = l.compareWide(s, part, to, tile)
		} else {
			l.compareNarrow(s, part, to, tile)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// headRadius is the radius from which on first halves, which differ in 64 bits of 128 where
// nothing is alike, rule out too few.
const headRadius = 52

// compareWhole compares 256-bit hashes by all of their bits.
func (l *hashLane) compareWhole(s *hashSearcher, part stretch, to int) error {
	seg := s.segments[part.segment].segment
	if err := seg.check(seg.at.tails+16*part.from, 16*(to-part.from)); err != nil {
		return err
	}
	for _, i := range s.waiting[part.segment] {
		q := &s.values[i]
		for v := part.from; v < to; v++ {
			head, tail := seg.heads[2*v:][:2], seg.tails[2*v:][:2]
			d := bits.OnesCount64(head[0]^q[0]) + bits.OnesCount64(head[1]^q[1]) + bits.OnesCount64(tail[0]^q[2]) + bits.OnesCount64(tail[1]^q[3])
			if d <= s.radius {
				l.finds = append(l.finds, find{i, uint32(part.segment), uint32(v), uint32(d)})
			}
		}
	}
	return nil
}

// compareNarrow compares 64-bit hashes.
func (l *hashLane) compareNarrow(s *hashSearcher, part stretch, to int, tile []uint32) {
	heads := s.segments[part.segment].heads
	for _, i := range tile {
		q := s.values[i][0]
		for v, h := range heads[part.from:to] {
			if d := bits.OnesCount64(h ^ q); d <= s.radius {
				l.finds = append(l.finds, find{i, uint32(part.segment), uint32(part.from + v), uint32(d)})
			}
		}
	}
}

// compareWide compares 256-bit hashes by their first halves, which rule out nearly all that
// are not near.
func (l *hashLane) compareWide(s *hashSearcher, part stretch, to int, tile []uint32) error {
	var needles [needleTile][2]uint64
	for j, i := range tile {
		needles[j] = [2]uint64{s.values[i][0], s.values[i][1]}
	}
	if l.masks64 == nil {
		l.masks64 = make([]uint64, compareRows/headRows*needleTile)
	}
	seg := s.segments[part.segment].segment
	blocks := (to - part.from) / headRows
	compareHeads(l.kernel, seg.heads[2*part.from:], blocks, &needles, len(tile), s.radius, l.masks64)
	for b := range blocks {
		for j, i := range tile {
			for mask := l.masks64[b*needleTile+j]; mask != 0; mask &= mask - 1 {
				if err := l.settle(s, part.segment, part.from+b*headRows+bits.TrailingZeros64(mask), i); err != nil {
					return err
				}
			}
		}
	}
	for v := part.from + blocks*headRows; v < to; v++ { // less than a block at the end
		for _, i := range tile {
			if err := l.settle(s, part.segment, v, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle compares a value with a needle by all of their bits.
func (l *hashLane) settle(s *hashSearcher, n, v int, query uint32) error {
	w, err := s.segments[n].value(v)
	if err != nil {
		return err
	}
	x := w.xor(s.values[query])
	if d := x.distance(); d <= s.radius {
		l.finds = append(l.finds, find{query, uint32(n), uint32(v), uint32(d)})
	}
	return nil
}

// answers makes neighbors of what was found.
func (s *hashSearcher) answers(ctx context.Context) ([][]semblance.HashNeighbor, error) {
	out := make([][]semblance.HashNeighbor, len(s.values))
	for _, l := range s.threads {
		for at := 0; at < len(l.finds); {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			some := l.finds[at:min(at+1<<16, len(l.finds))]
			at += len(some)
			err := disk.Guarded(func() error {
				for _, f := range some {
					if err := s.entries(f, &out[f.query]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	for i := range out {
		slices.SortFunc(out[i], byHashDistance)
	}
	return out, nil
}

// entries appends the entries of a value that are not gone.
func (s *hashSearcher) entries(f find, out *[]semblance.HashNeighbor) error {
	seg := &s.segments[f.segment]
	from, to, err := seg.rowsOf(int(f.value))
	if err != nil {
		return err
	}
	for row := from; row < to; row++ {
		if seg.gone.has(row) {
			continue
		}
		id, err := seg.id(row)
		if err != nil {
			return err
		}
		*out = append(*out, semblance.HashNeighbor{Entry: semblance.EntryID(id), Collection: seg.collection, Distance: int(f.distance)})
	}
	return nil
}

// byHashDistance orders neighbors nearest first, ties by collection and entry.
func byHashDistance(a, b semblance.HashNeighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
}
