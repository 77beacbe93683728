package digestset_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"semblance"
	"semblance/hashing"
)

// One digest after the other, as a scan asks, and a thousand at once, as a lookup does.
// bench/digestbench measures sets that do not fit into a cache.
func BenchmarkSearchSets(b *testing.B) {
	l := openLibrary(b, b.TempDir())
	src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(1, 1)), 50_000, false)}
	s := build(b, l, src)
	if err := l.HoldSets(b.Context(), "c", 1, []semblance.DigestSet{s}); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 1000} {
		for what, there := range map[string]bool{"there": true, "not there": false} {
			b.Run(fmt.Sprint(n, " ", what), func(b *testing.B) {
				q := semblance.SetQuery{Algorithm: hashing.AlgorithmSHA256, Collections: []semblance.CollectionID{"c"}}
				for i := range n {
					v := hashing.DigestBytes([]byte(fmt.Sprint(i))).SHA256
					if q.Values = append(q.Values, v[:]); there {
						q.Values[i] = src.rows[i].SHA256
					}
				}
				for b.Loop() {
					if _, err := l.SearchSets(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/digest")
			})
		}
	}
}
