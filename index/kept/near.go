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
	rows     int
	kernel   string
	batch    int        // rows that a lane looks up together
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
	parts, err := s.parts(q.Algorithm.Bits())
	if err == nil {
		err = s.look(ctx, x.opts.Lanes, parts)
	}
	if err != nil {
		return nil, x.failed(err)
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
	s := &search{radius: q.Radius, quality: q.Quality, batch: batchRows}
	all := kernels()
	s.kernel = all[len(all)-1]
	for _, g := range st.Segments {
		if g.Algorithm == q.Algorithm {
			s.segments = append(s.segments, g)
			s.found = append(s.found, make([]uint32, (g.Rows+31)/32))
			s.rows += g.Rows
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
	return s, nil
}

// parts decides how values are looked for. With few of them that needs no look at the rows.
func (s *search) parts(bits int) ([]part, error) {
	if float64(len(s.values))*flatCost < skipCost*float64(bits/maxSlotBits) {
		return []part{{values: s.values}}, nil
	}
	rows, err := s.sample()
	if err != nil {
		return nil, err
	}
	return divide(bits, s.radius, rows, s.values), nil
}

// sample takes rows evenly. Most of them may be of too low a quality.
func (s *search) sample() (*sample, error) {
	step, at := max(1, s.rows/sampleRows), 0
	out := &sample{each: float64(step)}
	var buffer []byte
	for g := range s.segments {
		var r *rows
		var err error
		if r, buffer, err = s.segments[g].read(buffer, false); err != nil {
			return nil, err
		}
		for ; at < r.len(); at += step {
			if int(r.qualities[at]) >= s.quality {
				out.values = append(out.values, loadWords(r.values[at*r.width:(at+1)*r.width]))
			}
		}
		at -= r.len()
	}
	return out, nil
}

// look looks for parts. Lanes take whole slots, each with a table of its own, or, where there
// are none, segments.
func (s *search) look(ctx context.Context, lanes int, parts []part) error {
	var work []func(l *lane) error
	for i := range parts {
		p := &parts[i]
		if len(p.slots) == 0 {
			for g := range s.segments {
				work = append(work, func(*lane) error { return s.flat(g, p) })
			}
		}
		for k := range p.slots {
			if slices.ContainsFunc(p.reach, func(r reaches) bool { return r[k] >= 0 }) {
				work = append(work, func(l *lane) error { return s.slot(ctx, l, p, k) })
			}
		}
	}
	return s.parallel(ctx, lanes, work)
}

// slot looks every row up in one slot.
func (s *search) slot(ctx context.Context, l *lane, p *part, number int) error {
	l.table.fill(p, number)
	for g := range s.segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.gather(l, g, p); err != nil {
			return err
		}
	}
	l.lookup.flush(&l.table, p.values, s.radius, s.set)
	return nil
}

// A lane is what one core works with.
type lane struct {
	table  table
	lookup lookup
	buffer []byte
}

// parallel does work in lanes.
func (s *search) parallel(ctx context.Context, lanes int, work []func(l *lane) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	fails := make([]error, max(1, min(lanes, len(work))))
	for k := range fails {
		wg.Go(func() {
			l := &lane{lookup: lookup{kernel: s.kernel}}
			for fails[k] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(work) {
					return
				}
				if fails[k] = ctx.Err(); fails[k] == nil {
					fails[k] = work[i](l)
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

// flat compares every row of a segment that passes the gate with every value.
func (s *search) flat(g int, p *part) error {
	r, _, err := s.segments[g].read(nil, false)
	if err != nil {
		return err
	}
	for row := range r.len() {
		if int(r.qualities[row]) < s.quality || s.has(g, row) {
			continue
		}
		w := loadWords(r.values[row*r.width : (row+1)*r.width])
		if !p.gate.lets(&w) {
			continue
		}
		for i := range p.values {
			if w.near(&p.values[i], s.radius) {
				s.set(g, row)
				break
			}
		}
	}
	return nil
}

// gather makes the rows of a segment wait for the lane's table, those that pass the gate.
func (s *search) gather(l *lane, g int, p *part) (err error) {
	l.buffer, err = s.segments[g].stream(l.buffer, func(first int, r *rows) {
		t := &l.table
		for row := range r.len() {
			if int(r.qualities[row]) < s.quality || s.has(g, first+row) {
				continue
			}
			w := loadWords(r.values[row*r.width : (row+1)*r.width])
			pattern := t.pattern(&w)
			if t.filled != nil && t.filled[pattern>>6]>>(pattern&63)&1 == 0 || !p.gate.lets(&w) {
				continue
			}
			l.lookup.add(t, &w, pattern, g, first+row)
			if len(l.lookup.rows) == s.batch {
				l.lookup.flush(t, p.values, s.radius, s.set)
			}
		}
	})
	return err
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
