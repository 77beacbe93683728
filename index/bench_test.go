package index_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
)

func randomValues(n, width int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]byte, n)
	for i := range out {
		out[i] = random(r, width)
	}
	return out
}

func benchmarkHashes(b *testing.B, a hashing.Algorithm, n int, radii ...int) {
	values := randomValues(n, a.Bits()/8)
	h := fill(b, a, values)
	r := rand.New(rand.NewPCG(3, 4))
	for _, radius := range radii {
		var queries [][]byte // made before the clock runs
		for range 1000 {
			queries = append(queries, turn(r, values[r.IntN(n)], radius))
		}
		b.Run(fmt.Sprintf("%d/radius=%d", n, radius), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				q := queries[i%len(queries)]
				got, err := h.Search(b.Context(), semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{q}, Radius: radius})
				if err != nil || len(got[0]) == 0 {
					b.Fatal(got, err)
				}
			}
		})
	}
}

func BenchmarkPDQ(b *testing.B) {
	benchmarkHashes(b, hashing.AlgorithmPDQ, 100_000, 15, 31, 63)
	benchmarkHashes(b, hashing.AlgorithmPDQ, 1_000_000, 15, 31, 63)
}

func BenchmarkPHash(b *testing.B)  { benchmarkHashes(b, hashing.AlgorithmPHash, 1_000_000, 0, 4, 8) }
func BenchmarkSHA256(b *testing.B) { benchmarkHashes(b, hashing.AlgorithmSHA256, 1_000_000, 0) }

// Eight queries of a thousand probes each, as one batch, by slots and by comparing with every
// value.
func BenchmarkPDQBatch(b *testing.B) {
	const n, probes = 1_000_000, 1000
	values := randomValues(n, 32)
	h := fill(b, hashing.AlgorithmPDQ, values)
	r := rand.New(rand.NewPCG(3, 4))
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"c"}, Radius: 31}
	for range probes {
		q.Values = append(q.Values, turn(r, values[r.IntN(n)], 20))
		q.Values = append(q.Values, randomValues(7, 32)...)
	}
	for _, kernel := range index.HashKernels() {
		for name, always := range map[string]bool{"slots": false, "flat": true} {
			b.Run(kernel+"/"+name, func(b *testing.B) {
				index.SetHashKernel(h, kernel, 1)
				index.CompareAll(h, always)
				for b.Loop() {
					if _, err := h.Search(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(8*probes)/n, "ns/comparison")
			})
		}
	}
}

func BenchmarkPDQReplace(b *testing.B) {
	values := randomValues(1_000_000, 32)
	for b.Loop() {
		fill(b, hashing.AlgorithmPDQ, values)
	}
}

// people returns an index of n random references and a function that makes probes.
func people(b *testing.B, space semblance.EngineSpec, n int) (*index.Flat, func() []float32) {
	r := rand.New(rand.NewPCG(1, 2))
	vector := func() []float32 {
		v, sum := make([]float32, space.Dimensions), 0.0
		for i := range v {
			v[i] = float32(r.NormFloat64())
			sum += float64(v[i]) * float64(v[i])
		}
		for i := range v {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
		return v
	}
	f := index.NewFlat()
	err := f.Replace(b.Context(), space, "c", 1, func(yield func(semblance.VectorEntry, error) bool) {
		for i := range n {
			if !yield(semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%07d", i)), Subject: fmt.Sprint(i / 2), Vector: vector()}, nil) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return f, vector
}

func BenchmarkFlat(b *testing.B) {
	for _, space := range semblance.Engines()[:2] {
		f, vector := people(b, space, 100_000)
		for _, probes := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/100000x%d/probes=%d", space.Metric, space.Dimensions, probes), func(b *testing.B) {
				q := semblance.VectorQuery{Space: space, Collections: []semblance.CollectionID{"c"}, Subjects: 20}
				for range probes {
					q.Vectors = append(q.Vectors, vector())
				}
				for b.Loop() {
					got, err := f.Search(b.Context(), q)
					if err != nil || len(got[0]) != 20 {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*probes), "µs/probe")
			})
		}
	}
}
