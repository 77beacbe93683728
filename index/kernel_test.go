package index

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance"
)

// Every kernel lets the same rows through as plain Go, to the last bit, and no row less
// than the definition of a param demands.
func TestKernels(t *testing.T) {
	t.Parallel()
	if len(kernels()) == 1 {
		t.Log("this build or processor has plain Go only")
	}
	for _, dims := range []int{1, 4, 5, 31, 128, 192, 512, 4096} {
		for _, queries := range []int{1, 2, 7, 8} {
			for _, extreme := range []bool{false, true} {
				t.Run(fmt.Sprint(dims, "/", queries, "/", extreme), func(t *testing.T) {
					t.Parallel()
					testKernels(t, dims, queries, extreme)
				})
			}
		}
	}
}

func testKernels(t *testing.T, dims, queries int, extreme bool) {
	r := rand.New(rand.NewPCG(uint64(dims), uint64(queries)))
	const blocks = 3
	chunks := chunksOf(dims)
	codes := make([]uint8, blocks*chunks*chunkBytes)
	for i := range codes {
		codes[i] = uint8(1 + r.IntN(255))
		if extreme { // the largest sums there can be
			codes[i] = []uint8{1, 255}[i/chunkBytes%2]
		}
	}
	var all []*query
	for range queries {
		q := &query{coarse: coded[int8]{codes: make([]int8, chunks*chunkDims)}}
		for i := range q.coarse.codes {
			q.coarse.codes[i] = int8(r.IntN(2*rowLimit+1) - rowLimit)
			if extreme {
				q.coarse.codes[i] = []int8{rowLimit, -rowLimit}[i/chunkDims%2]
			}
			q.coarse.sum += int(q.coarse.codes[i])
		}
		all = append(all, q)
	}
	tile := newTile(all)
	scales, bias := make([]float32, blocks*blockRows), make([]float32, blocks*blockRows)
	for i := range scales {
		scales[i], bias[i] = r.Float32(), r.Float32()*100
	}
	var params [tileQueries]param
	for i := range queries {
		params[i] = param{start: int32(-rowZero * all[i].coarse.sum), scale: r.Float32() / 100, slack: r.Float32(), limit: float32(r.NormFloat64() * 10 * math.Sqrt(float64(dims)))}
	}
	odd := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0}
	for i := range queries {
		if r.IntN(4) == 0 {
			params[i].slack = odd[r.IntN(len(odd))]
		}
		if r.IntN(4) == 0 {
			params[i].limit = odd[r.IntN(len(odd))]
		}
	}
	want := make([]uint64, blocks*tile.width())
	for b := range blocks {
		for i := range queries {
			for row := range blockRows {
				sum := int64(0)
				for d := range all[i].coarse.codes {
					sum += (int64(codes[codeAt(b*blockRows+row, chunks, d/chunkDims)+d%chunkDims]) - rowZero) * int64(all[i].coarse.codes[d])
				}
				p, j := params[i], b*blockRows+row
				x := float32(float32(sum)*p.scale) + p.slack
				if y := bias[j] - float32(scales[j]*x); !(y > p.limit) {
					want[b*tile.width()+i] |= 1 << row
				}
			}
		}
	}
	for _, k := range kernels() {
		got := make([]uint64, len(want))
		sieve(k, &tile, codes, blocks, scales, bias, &params, got)
		for i := range got {
			if i%tile.width() >= queries {
				got[i] = 0 // a query that is not there
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s: %x, want %x", k, got, want)
		}
	}
}

// No pass is further off than its bound says: a row goes on when its true key is
// the limit, and its fine estimate is as near as promised.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, metric := range []semblance.Metric{semblance.Cosine, semblance.Euclid} {
		for _, dims := range []int{1, 3, 8, 128} {
			t.Run(fmt.Sprint(metric, "/", dims), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(uint64(dims), 2))
				draw := func() []float32 {
					v, length := make([]float32, dims), 0.0
					for i := range v {
						v[i] = 2 + float32(r.NormFloat64())
						length += float64(v[i]) * float64(v[i])
					}
					for i := range v {
						v[i] /= float32(math.Sqrt(length))
					}
					return v
				}
				b := newBuilder(shelfKey{dims: dims, metric: metric}, 0)
				for i := range blockRows {
					b.put(semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprint(i)), Vector: draw()}, 0)
				}
				tr := b.seal()
				for range 200 {
					testBounds(t, tr, draw())
				}
			})
		}
	}
}

func testBounds(t *testing.T, tr *tray, probe []float32) {
	q := tr.query(probe)
	tile, bound := newTile([]*query{q}), tr.bound(q)
	for row := range int(tr.Rows) {
		v, err := tr.vector(row)
		if err != nil {
			t.Fatal(err)
		}
		key := squaredLength(minus(v, probe)) / 2
		if tr.Metric == cosineMetric {
			key = 0
			for i := range v {
				key -= float64(v[i]) * float64(probe[i])
			}
		}
		got, off := tr.estimate(row, q, &bound)
		if !(math.Abs(float64(got)-key) <= float64(off)) {
			t.Fatalf("row %d is estimated at %v, %v off, and is at %v", row, got, off, key)
		}
		limit := math.Nextafter32(float32(key), float32(math.Inf(1)))
		params := [tileQueries]param{{start: int32(-rowZero * q.coarse.sum), scale: q.coarse.scale, slack: bound.slack, limit: limit + bound.coarse - q.shift}}
		var mask [1]uint64
		sieveGeneric(&tile, tr.codes, 1, tr.scales, tr.bias, &params, mask[:])
		if mask[0]>>row&1 == 0 {
			t.Fatalf("row %d with a key of %v does not pass a limit of %v", row, key, limit)
		}
	}
}
