package index

import (
	"math"
	"math/bits"
	"slices"
	"sync"

	"semblance"
	"semblance/index/disk"
)

const (
	// partRows is how many rows a lane takes at a time: 1 to 2 MB.
	partRows = 1 << 13
	// stepBlocks is how many blocks of rows go by all queries before the next ones are
	// loaded: 32 kB of 128 numbers, which stay in the second-level cache.
	stepBlocks = 4
)

// A part is a stretch of a tray's rows. It begins with a block.
type part struct {
	shelf, tray int
	from, to    int
}

// partsOf cuts shelves into parts.
func partsOf(shelves []heldShelf) []part {
	var out []part
	for i, s := range shelves {
		for j, t := range s.trays {
			for from := 0; from < int(t.Rows); from += partRows {
				out = append(out, part{i, j, from, min(from+partRows, int(t.Rows))})
			}
		}
	}
	return out
}

// A hit is a row that the first passes could not rule out when they saw it.
type hit struct {
	low  float32
	tray int32
	row  int32
	who  who
}

// A lane is one thread of a search.
type lane struct {
	*searcher
	tops   []top
	hits   [][]hit
	tidied []int // how many hits were left when last looked through
	lowest float32

	// Of the tray that is looked at.
	tray    *tray
	queries []*query
	tiles   []tile
	bounds  []bound
	params  [][tileQueries]param
	masks   [stepBlocks * tileQueries]uint64
}

func newLane(s *searcher) *lane {
	n := len(s.goals)
	l := &lane{searcher: s, tops: make([]top, n), hits: make([][]hit, n), tidied: make([]int, n), bounds: make([]bound, n), queries: make([]*query, n), params: make([][tileQueries]param, (n+tileQueries-1)/tileQueries)}
	for i := range l.tops {
		l.tops[i].k = s.asked.Subjects
	}
	l.lowest = float32(math.Inf(-1))
	if s.asked.Space.Metric == semblance.Cosine {
		l.lowest = -1
	}
	return l
}

// scan takes a part's rows through the first pass.
func (l *lane) scan(p part) error {
	t := l.shelves[p.shelf].trays[p.tray]
	if err := t.checkRows(p.from, p.to); err != nil {
		return err
	}
	l.turnTo(t)
	for from := p.from; from < p.to; from += stepBlocks * blockRows {
		for k := range l.tiles {
			l.step(p, t, from, min(from+stepBlocks*blockRows, p.to), k)
		}
	}
	return nil
}

// turnTo codes the queries for a tray.
func (l *lane) turnTo(t *tray) {
	if l.tray == t {
		return
	}
	l.tray, l.tiles = t, l.tiles[:0]
	for i := range l.goals {
		q := t.query(l.goals[i].vector)
		l.queries[i], l.bounds[i] = q, t.bound(q)
		l.params[i/tileQueries][i%tileQueries] = param{start: int32(-rowZero * q.coarse.sum), scale: q.coarse.scale, slack: l.bounds[i].slack}
	}
	for queries := range slices.Chunk(l.queries, tileQueries) {
		l.tiles = append(l.tiles, newTile(queries))
	}
}

// limit returns the largest estimate of a row that cannot be ruled out yet.
func (l *lane) limit(i int) float32 {
	return min(l.tops[i].limit(), math.Float32frombits(l.goals[i].limit.Load())) + l.bounds[i].coarse - l.queries[i].shift
}

// step takes a few blocks of rows by a tile of queries.
func (l *lane) step(p part, t *tray, from, to, k int) {
	tile, params := &l.tiles[k], &l.params[k]
	for j := range tile.n {
		params[j].limit = l.limit(k*tileQueries + j)
	}
	blocks, width := blocksOf(to-from), tile.width()
	masks := l.masks[:blocks*width]
	sieve(l.kernel, tile, t.codes[codeAt(from, tile.chunks, 0):], blocks, t.scales[from:], t.bias[from:], params, masks)
	for b := range blocks {
		for j := range tile.n {
			for mask := masks[b*width+j]; mask != 0; mask &= mask - 1 {
				if row := from + b*blockRows + bits.TrailingZeros64(mask); row < to {
					l.look(p, t, row, k*tileQueries+j)
				}
			}
		}
	}
}

// look estimates a row finely and keeps it, unless that rules it out.
func (l *lane) look(p part, t *tray, row, i int) {
	if l.shelves[p.shelf].gone[p.tray].has(row) || !l.asked.Covers(t.days[row]) {
		return
	}
	g, own := &l.goals[i], &l.tops[i]
	key, off := t.estimate(row, l.queries[i], &l.bounds[i])
	h := hit{low: key - off, tray: int32(p.tray), row: int32(row), who: whoOf(p.shelf, t.subjects[row])}
	if h.low > own.limit() || h.low > own.of(h.who) { // false for what is not a number
		return
	}
	before := own.limit()
	own.add(h.who, max(key+off, l.lowest))
	if after := own.limit(); after < before {
		g.lower(after)
	}
	l.hits[i] = append(l.hits[i], h)
	if len(l.hits[i]) > 2*l.tidied[i]+1024 {
		l.tidy(i)
	}
}

// tidy drops hits that have been ruled out since they were kept.
func (l *lane) tidy(i int) {
	t := min(l.tops[i].limit(), math.Float32frombits(l.goals[i].limit.Load()))
	left := l.hits[i][:0]
	for _, h := range l.hits[i] {
		if !(h.low > t || h.low > l.tops[i].of(h.who)) {
			left = append(left, h)
		}
	}
	l.hits[i], l.tidied[i] = left, len(left)
}

// parallel runs f for 0 to n-1 at once and returns the first error.
func parallel(n int, f func(i int) error) error {
	if n == 1 {
		return disk.Guarded(func() error { return f(0) })
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = disk.Guarded(func() error { return f(i) }) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
