package digestset_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
)

// Union, difference, intersection and count agree with plain maps.
func TestSetAlgebra(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	all := someRows(rand.New(rand.NewPCG(5, 5)), 3000, false)
	var srcs []*listSource
	var sets []semblance.DigestSet
	for i, rows := range [][]semblance.DigestRow{all[:2000], all[1000:2500], slices.Concat(all[1200:1300], all[2900:])} {
		srcs = append(srcs, &listSource{name: fmt.Sprint("list ", i), rows: slices.Clone(rows)})
		sets = append(sets, build(t, l, srcs[i]))
	}
	algs := []hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256}
	twins := []twin{twinOf(srcs[0]), twinOf(srcs[1]), twinOf(srcs[2])}
	for op, keep := range map[semblance.SetOperation]func(in []bool) bool{
		semblance.SetUnion:        func([]bool) bool { return true },
		semblance.SetDifference:   func(in []bool) bool { return in[0] && !in[1] && !in[2] },
		semblance.SetIntersection: func(in []bool) bool { return in[0] && in[1] && in[2] },
	} {
		want := twin{}
		for _, alg := range algs {
			want[alg] = map[string]semblance.SetRecord{}
			for _, tw := range twins {
				for v, rec := range tw[alg] {
					var in []bool
					for _, other := range twins {
						_, there := other[alg][v]
						in = append(in, there)
					}
					if !keep(in) {
						continue
					}
					first, there := want[alg][v]
					if !there {
						want[alg][v] = rec
						continue
					}
					first.Note = together(first.Note, rec.Note)
					want[alg][v] = first
					if rec.Size == contradicted || first.Size > 0 && rec.Size > 0 && first.Size != rec.Size {
						first.Size = contradicted
						want[alg][v] = first
					}
				}
			}
		}
		s, err := l.CombineSets(t.Context(), semblance.DigestSet{Collection: "c", Name: string(op)}, op, sets, algs)
		if err != nil {
			t.Fatal(err)
		}
		if err := agree(l, want, s); err != nil {
			t.Errorf("%s: %v", op, err)
		}
		if err := l.Verify(s); err != nil {
			t.Error(err)
		}
	}
	counts, err := l.CountSets(t.Context(), sets, algs)
	if err != nil {
		t.Fatal(err)
	}
	for i, alg := range algs {
		union, both := map[string]bool{}, 0
		for _, tw := range twins {
			for v := range tw[alg] {
				union[v] = true
			}
		}
		for v := range union {
			_, a := twins[0][alg][v]
			_, b := twins[1][alg][v]
			_, c := twins[2][alg][v]
			if a && b && c {
				both++
			}
		}
		if c := counts[i]; c.Algorithm != alg || c.Union != int64(len(union)) || c.Intersection != int64(both) || both == 0 || !slices.Equal(c.Sets, []int64{int64(len(twins[0][alg])), int64(len(twins[1][alg])), int64(len(twins[2][alg]))}) {
			t.Errorf("%s: %+v, want union %d, intersection %d", alg, c, len(union), both)
		}
	}
}
