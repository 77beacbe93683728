package supplied_test

import (
	"math/rand/v2"
	"testing"

	"semblance"
	"semblance/index/supplied"
)

// One PhotoDNA value within IPED's 40,000 of a million values, in memory, on one core.
// scripts/bench photodna measures ten million in files beside peers.
func BenchmarkPhotoDNA(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	x := supplied.New()
	err := x.Replace(b.Context(), "c", 1, func(yield func(semblance.HashEntry, error) bool) {
		for id := range semblance.EntryID(1_000_000) {
			if !yield(semblance.HashEntry{ID: id + 1, Algorithm: photoDNA, Value: structured(r, 144)}, nil) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, kernel := range supplied.Kernels() {
		b.Run(kernel, func(b *testing.B) {
			supplied.SetKernel(x, kernel, 1)
			for b.Loop() {
				q := semblance.HashQuery{Algorithm: photoDNA, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{structured(r, 144)}, Radius: 40_000}
				if _, err := x.Search(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
