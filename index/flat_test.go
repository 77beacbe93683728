package index_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance"
	"semblance/index"
	"semblance/index/indextest"
)

func TestFlatContract(t *testing.T) {
	t.Parallel()
	indextest.Vectors(t, func(*testing.T) semblance.VectorIndex { return index.NewFlat() })
}

func TestHashesContract(t *testing.T) {
	t.Parallel()
	indextest.HashIndex(t, func(*testing.T) semblance.HashIndex { return index.NewHashes() })
}

// nearest is the definition of a search of a collection "c".
func nearest(m semblance.Metric, entries []semblance.VectorEntry, v []float32, k int) []semblance.Neighbor {
	order := func(a, b semblance.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
	}
	best := map[string]semblance.Neighbor{}
	for _, e := range entries {
		n := semblance.Neighbor{ID: e.ID, Collection: "c", Subject: e.Subject, Distance: m.Distance(e.Vector, v)}
		if b, ok := best[e.Subject]; !ok || order(n, b) < 0 {
			best[e.Subject] = n
		}
	}
	var out []semblance.Neighbor
	for _, n := range best {
		out = append(out, n)
	}
	slices.SortFunc(out, order)
	return out[:min(k, len(out))]
}

// compareFlat demands exactly the definition's answer, to the last bit, of every kernel, on
// one lane and on several.
func compareFlat(t *testing.T, space semblance.EngineSpec, entries []semblance.VectorEntry, ks []int, queries ...[]float32) {
	t.Helper()
	f := index.NewFlat()
	half := len(entries) / 2
	err := f.Replace(t.Context(), space, "c", 1, func(yield func(semblance.VectorEntry, error) bool) {
		for _, e := range entries[:half] {
			if !yield(e, nil) {
				return
			}
		}
	})
	if err == nil {
		err = f.Update(t.Context(), space, "c", 2, semblance.VectorChange{Add: entries[half:]})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range ks {
		var want [][]semblance.Neighbor
		for _, v := range queries {
			want = append(want, nearest(space.Metric, entries, v, k))
		}
		q := semblance.VectorQuery{Space: space, Collections: []semblance.CollectionID{"c"}, Vectors: queries, Subjects: k}
		for lanes, kernel := range index.Kernels() {
			index.SetKernel(f, kernel, 1+lanes)
			got, err := f.Search(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			one := q
			one.Vectors = queries[:1]
			alone, err := f.Search(t.Context(), one)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(alone[0], want[0]) {
				t.Fatalf("%s: a query alone, %d rows, %d subjects:\n got %v\nwant %v", kernel, len(entries), k, alone[0], want[0])
			}
			for i := range queries {
				if !slices.Equal(got[i], want[i]) {
					t.Fatalf("%s: query %d of %d rows, %d subjects:\n got %v\nwant %v", kernel, i, len(entries), k, got[i], want[i])
				}
			}
		}
	}
}

// gallery makes n entries with two references a subject, in clusters, so that
// many are nearly as near as the nearest.
func gallery(r *rand.Rand, space semblance.EngineSpec, n int, length func() float64) []semblance.VectorEntry {
	centers := make([][]float32, 20)
	for i := range centers {
		centers[i] = direction(r, nil, space.Dimensions, 1)
	}
	out := make([]semblance.VectorEntry, n)
	for i := range out {
		v := direction(r, centers[r.IntN(len(centers))], space.Dimensions, math.Pow(10, -6*r.Float64()))
		if space.Metric == semblance.Euclid {
			scale := length()
			for j := range v {
				v[j] = float32(float64(v[j]) * scale)
			}
		}
		out[i] = semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%06d", (i*7919)%1_000_003)), Subject: fmt.Sprint(i / 2), Vector: v}
	}
	return out
}

// direction returns a unit vector beside another.
func direction(r *rand.Rand, center []float32, dims int, spread float64) []float32 {
	v, sum := make([]float64, dims), 0.0
	for i := range v {
		v[i] = r.NormFloat64() * spread / math.Sqrt(float64(dims))
		if center != nil {
			v[i] += float64(center[i])
		}
		sum += v[i] * v[i]
	}
	out := make([]float32, dims)
	for i := range v {
		out[i] = float32(v[i] / math.Sqrt(sum))
	}
	return out
}

// The first pass must not lose anything, at any number of dimensions and any
// length of vectors, down to where float32 ends.
func TestFlatIsTheDefinition(t *testing.T) {
	t.Parallel()
	lengths := map[string]func(r *rand.Rand) float64{
		"like faces": func(r *rand.Rand) float64 { return 1 + r.Float64()/2 },
		"mixed":      func(r *rand.Rand) float64 { return math.Pow(10, 12*r.Float64()-6) },
		"tiny":       func(r *rand.Rand) float64 { return math.Pow(10, -30-8*r.Float64()) },
		"huge":       func(r *rand.Rand) float64 { return math.Pow(10, 30+8*r.Float64()) },
		"outlier": func(r *rand.Rand) float64 {
			if r.IntN(500) == 0 {
				return 1e9
			}
			return 1
		},
	}
	for _, m := range []semblance.Metric{semblance.Cosine, semblance.Euclid} {
		for name, length := range lengths {
			for _, dims := range []int{1, 5, 33, 128, 192} {
				if m == semblance.Cosine && name != "like faces" {
					continue
				}
				t.Run(fmt.Sprint(m, "/", name, "/", dims), func(t *testing.T) {
					t.Parallel()
					r := rand.New(rand.NewPCG(uint64(dims), 8))
					space := semblance.EngineSpec{Name: "test", Version: 1, Dimensions: dims, Metric: m}
					entries := gallery(r, space, 2000, func() float64 { return length(r) })
					var queries [][]float32
					for range 10 {
						queries = append(queries, entries[r.IntN(len(entries))].Vector)
					}
					other := gallery(r, space, 8, func() float64 { return length(r) })
					for _, e := range other {
						queries = append(queries, e.Vector)
					}
					compareFlat(t, space, entries, []int{1, 7, 20, 900, 5000}, queries...)
				})
			}
		}
	}
}

// Rows that come nearer and nearer, several of each subject, over more parts than
// lanes: nearly every row is kept for a while, and most are dropped again.
func TestFlatWorstOrder(t *testing.T) {
	t.Parallel()
	space := semblance.EngineSpec{Name: "test", Version: 1, Dimensions: 8, Metric: semblance.Euclid}
	r := rand.New(rand.NewPCG(4, 4))
	var entries []semblance.VectorEntry
	center := direction(r, nil, space.Dimensions, 1)
	for i := range 20_000 {
		v := direction(r, nil, space.Dimensions, 1)
		for j := range v {
			v[j] = center[j] + v[j]*float32(20_000-i/2*2)/20_000
		}
		entries = append(entries, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%06d", 20_000-i)), Subject: fmt.Sprint(i % 7000), Vector: v})
	}
	compareFlat(t, space, entries, []int{1, 20, 3000}, center, entries[0].Vector, entries[19_000].Vector)
}

// Vectors a hair longer than 1 have a negative cosine distance, which is cut off:
// all of them tie with the nearest.
func TestFlatTiesAtZero(t *testing.T) {
	t.Parallel()
	space := semblance.EngineSpec{Name: "test", Version: 1, Dimensions: 2, Metric: semblance.Cosine}
	var entries []semblance.VectorEntry
	for i := range 50 {
		entries = append(entries, semblance.VectorEntry{
			ID: semblance.ReferenceID(fmt.Sprintf("%02d", i)), Subject: fmt.Sprint(i), Vector: []float32{1 + float32(i)*1e-6, 0},
		})
	}
	compareFlat(t, space, entries, []int{1, 2, 49, 50, 60}, []float32{1.00005, 0}, []float32{1, 0}, []float32{0, 1})
}

// FuzzFlat searches vectors that the fuzzer writes, bit by bit, in euclidean space.
func FuzzFlat(f *testing.F) {
	f.Add([]byte("some bytes that become the numbers of vectors, four to each"), uint8(3), uint8(2))
	f.Add(binary.LittleEndian.AppendUint32(make([]byte, 40), math.Float32bits(3e38)), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, dims, k uint8) {
		if dims == 0 || dims > 40 || k == 0 {
			return
		}
		space := semblance.EngineSpec{Name: "test", Version: 1, Dimensions: int(dims), Metric: semblance.Euclid}
		var entries []semblance.VectorEntry
		for chunk := range slices.Chunk(data, 4*int(dims)) {
			if len(chunk) < 4*int(dims) {
				break
			}
			v := make([]float32, dims)
			for i := range v {
				v[i] = math.Float32frombits(binary.LittleEndian.Uint32(chunk[4*i:]))
			}
			if index.CheckVector(space, v) == nil {
				entries = append(entries, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%04d", len(entries))), Subject: fmt.Sprint(len(entries) % 7), Vector: v})
			}
		}
		if len(entries) > 0 {
			compareFlat(t, space, entries, []int{int(k)}, entries[0].Vector, entries[len(entries)-1].Vector)
		}
	})
}
