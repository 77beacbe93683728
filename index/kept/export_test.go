package kept

import (
	"context"
	"fmt"

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
// and every number of slots there can be, with blocks that are small, too.
func Plans(x *Index, q semblance.KeptQuery) map[string]func(context.Context) ([]int64, error) {
	out := map[string]func(context.Context) ([]int64, error){"as chosen": func(ctx context.Context) ([]int64, error) { return x.Near(ctx, q) }}
	try := func(p plan) {
		out[fmt.Sprintf("%d slots, blocks of %d", len(p.slots), p.block)] = func(ctx context.Context) ([]int64, error) {
			s, err := newSearch(x.state, q)
			if err != nil || len(s.values) == 0 {
				return nil, err
			}
			s.plan = p
			for first := 0; first < len(s.values); first += p.block {
				if err := s.block(ctx, 2, s.values[first:min(first+p.block, len(s.values))]); err != nil {
					return nil, err
				}
			}
			return s.seqs()
		}
	}
	try(plan{block: 7})
	for count := 1; count <= q.Algorithm.Bits()/8; count++ {
		if p, ok := spread(q.Algorithm.Bits(), q.Radius, count, 1000, 100); ok && p.cost < 2e7 {
			try(p)
			p.block = 13
			if p.cost < 3e6 {
				try(p)
			}
		}
	}
	return out
}
