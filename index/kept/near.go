package kept

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"semblance"
)

// lanes is how many cores a search uses unless it is told.
func lanes() int { return min(4, runtime.GOMAXPROCS(0)) }

// A search is one call of Near.
type search struct {
	radius   int
	quality  int
	segments []segment
	values   []words
	plan     plan
	found    [][]uint32 // of each segment, a bit for each row
}

// Near implements [semblance.KeptIndex].
func (x *Index) Near(ctx context.Context, q semblance.KeptQuery) ([]int64, error) {
	x.changes.Lock()
	defer x.changes.Unlock()
	st, err := x.now()
	if err != nil {
		return nil, err
	}
	s, err := newSearch(st, q)
	if err != nil || len(s.values) == 0 || len(s.segments) == 0 {
		return nil, err
	}
	for first := 0; first < len(s.values); first += s.plan.block {
		block := s.values[first:min(first+s.plan.block, len(s.values))]
		if err := s.block(ctx, x.opts.Lanes, block); err != nil {
			return nil, x.failed(err)
		}
	}
	out, err := s.seqs()
	return out, x.failed(err)
}

// failed says of a file that is damaged or gone that nothing is held any more.
func (x *Index) failed(err error) error {
	if err == nil || semblance.CodeOf(err) == semblance.Canceled || semblance.CodeOf(err) == semblance.Timeout {
		return err
	}
	return semblance.Errorf(semblance.Internal, "the index of kept signals cannot be read").WithCause(errors.Join(err, x.forget()))
}

func newSearch(st state, q semblance.KeptQuery) (*search, error) {
	bits := q.Algorithm.Bits()
	if bits != 64 && bits != 256 || q.Radius < 0 || q.Radius > bits {
		return nil, semblance.Errorf(semblance.Invalid, "kept signals cannot be searched for %q within %d", string(q.Algorithm), q.Radius)
	}
	s := &search{radius: q.Radius, quality: q.Quality}
	rows := 0
	for _, g := range st.Segments {
		if g.Algorithm == q.Algorithm {
			s.segments = append(s.segments, g)
			s.found = append(s.found, make([]uint32, (g.Rows+31)/32))
			rows += g.Rows
		}
	}
	seen := make(map[words]struct{}, 2*len(q.Values))
	add := func(v []byte) {
		w := loadWords(v)
		if _, known := seen[w]; !known {
			seen[w] = struct{}{}
			s.values = append(s.values, w)
		}
	}
	for _, v := range q.Values {
		if len(v)*8 != bits {
			return nil, semblance.Errorf(semblance.Invalid, "a value of %s has %d bytes, not %d", string(q.Algorithm), bits/8, len(v))
		}
		add(v)
		if turns(q.Algorithm) {
			add(transpose(v))
		}
	}
	s.plan = choose(bits, q.Radius, rows, max(1, len(s.values)))
	return s, nil
}

// block looks for a block of values. Lanes take whole slots, each with a table of its
// own, or, where there are none, segments.
func (s *search) block(ctx context.Context, lanes int, values []words) error {
	if len(s.plan.slots) == 0 {
		return s.parallel(ctx, lanes, len(s.segments), func(*lane) func(int) error {
			return func(i int) error { return s.flat(i, values) }
		})
	}
	return s.parallel(ctx, lanes, len(s.plan.slots), func(l *lane) func(int) error {
		return func(i int) error {
			l.table.fill(s.plan.slots[i], values)
			for g := range s.segments {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := s.lookup(l, g, values); err != nil {
					return err
				}
			}
			return nil
		}
	})
}

// A lane is what one core works with.
type lane struct {
	table  table
	lookup lookup
	buffer []byte
}

// parallel does n parts in lanes.
func (s *search) parallel(ctx context.Context, lanes, n int, worker func(*lane) func(int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	fails := make([]error, max(1, min(lanes, n)))
	for k := range fails {
		wg.Go(func() {
			do := worker(new(lane))
			for fails[k] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if fails[k] = ctx.Err(); fails[k] == nil {
					fails[k] = do(i)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(fails...)
}

func (s *search) has(g, row int) bool {
	return atomic.LoadUint32(&s.found[g][row>>5])>>(row&31)&1 == 1
}

func (s *search) set(g, row int) { atomic.OrUint32(&s.found[g][row>>5], 1<<(row&31)) }

// flat compares every row of a segment with every value.
func (s *search) flat(g int, values []words) error {
	r, _, err := s.segments[g].read(nil, false)
	if err != nil {
		return err
	}
	for row := range r.len() {
		if int(r.qualities[row]) < s.quality || s.has(g, row) {
			continue
		}
		w := loadWords(r.values[row*r.width : (row+1)*r.width])
		for i := range values {
			if w.near(&values[i], s.radius) {
				s.set(g, row)
				break
			}
		}
	}
	return nil
}

// lookup looks every row of a segment up in the lane's table.
func (s *search) lookup(l *lane, g int, values []words) (err error) {
	var r *rows
	if r, l.buffer, err = s.segments[g].read(l.buffer, false); err != nil {
		return err
	}
	t, look := &l.table, &l.lookup
	found := func(row int) { s.set(g, row) }
	for row := range r.len() {
		if int(r.qualities[row]) < s.quality {
			continue
		}
		w := loadWords(r.values[row*r.width : (row+1)*r.width])
		p := t.pattern(&w)
		if t.filled != nil && t.filled[p>>6]>>(p&63)&1 == 0 {
			continue
		}
		look.rows[look.n], look.value[look.n], look.p[look.n], look.behind[look.n] = int32(row), w, p, t.slot.behind(&w)
		if look.n++; look.n == group {
			look.flush(t, values, s.radius, found)
		}
	}
	look.flush(t, values, s.radius, found)
	return nil
}

// seqs lists what was found, each sequence number once.
func (s *search) seqs() ([]int64, error) {
	var out []int64
	for g := range s.segments {
		if !slices.ContainsFunc(s.found[g], func(w uint32) bool { return w != 0 }) {
			continue
		}
		r, _, err := s.segments[g].read(nil, true)
		if err != nil {
			return nil, err
		}
		for row := range r.len() {
			if s.has(g, row) {
				out = append(out, r.seqs[row])
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
