package kept

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"semblance"
)

// Transpose is transpose.
func Transpose(v []byte) []byte { return transpose(v) }

// Rows counts what is held.
func Rows(x *Index) (n int) {
	for _, s := range x.state.Segments {
		n += s.Rows
	}
	return n
}

// Plans are all the ways in which a query could be answered: the chosen one, row by row,
// and every number of slots there can be, with tables that are small, too.
func Plans(x *Index, q semblance.KeptQuery) map[string]func(context.Context) ([]int64, error) {
	out := map[string]func(context.Context) ([]int64, error){"as chosen": func(ctx context.Context) ([]int64, error) { return x.Near(ctx, q) }}
	s, err := newSearch(x.state, q)
	if err != nil || len(s.values) == 0 {
		return out
	}
	try := func(name string, parts []part) {
		out[name] = func(ctx context.Context) ([]int64, error) {
			s, err := newSearch(x.state, q)
			if err != nil {
				return nil, err
			}
			s.batch, s.kernel = 100, kernels()[0]
			if err := s.look(ctx, 2, parts); err != nil {
				return nil, err
			}
			return s.seqs()
		}
	}
	try("row by row", []part{{values: s.values}})
	rows, err := s.sample()
	if err != nil {
		panic(err)
	}
	bits := q.Algorithm.Bits()
	try("divided", divide(bits, q.Radius, rows, s.values))
	for _, g := range gates(bits, q.Radius, rows, s.values) {
		in, others := g.split(s.values, q.Radius)
		try(fmt.Sprintf("gate %x", g.mask), []part{{gate: g, values: in}, {values: others}})
	}
	for count := 1; count <= bits/8; count++ {
		p, ok := spread(bits, q.Radius, count, rows, s.values)
		if !ok {
			continue
		}
		p.alone = math.Inf(1)
		if _, ok := p.estimate(rows, s.values); ok && p.cost < 3e7 {
			try(fmt.Sprintf("%d slots", count), p.blocks(gate{}, s.values, maxPairs))
			if p.slots[0].bits <= 14 {
				try(fmt.Sprintf("%d slots, small tables", count), p.blocks(gate{}, s.values, 5000))
			}
		}
	}
	for _, count := range []int{bits / 8, bits / 16} {
		if p, ok := scattered(ring(bits, count), q.Radius, s.values); ok {
			try(fmt.Sprintf("%d slots, reaches by chance", count), []part{p})
		}
	}
	return out
}

// scattered lets each value reach by chance, in most slots not at all, as far as it must.
func scattered(slots []slot, radius int, values []words) (part, bool) {
	p := part{slots: slots, values: values}
	if 2*len(slots) < radius+1 {
		return p, false
	}
	r := rand.New(rand.NewPCG(uint64(radius), uint64(len(values))))
	for range values {
		var reach reaches
		for i := range slots {
			reach[i] = -1
		}
		for left := radius + 1; left > 0; {
			if i := r.IntN(len(slots)); reach[i] < 3 {
				n := min(left, 1+r.IntN(3-int(reach[i])))
				reach[i] += int8(n)
				left -= n
			}
		}
		p.reach = append(p.reach, reach)
	}
	return p, true
}
