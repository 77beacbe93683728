package digestset_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"semblance"
	"semblance/hashing"
)

// Searches go on in what they began with while sets come and go and their files are
// unmapped behind them.
func TestSetsAreSearchedWhileTheyAreReplaced(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(9, 9)), 3000, false)}
	one := build(t, l, src)
	src.at, src.name = 0, "again"
	two := build(t, l, src)
	q := semblance.SetQuery{Algorithm: hashing.AlgorithmSHA256, Collections: []semblance.CollectionID{"c"}}
	for _, r := range src.rows {
		q.Values = append(q.Values, r.SHA256)
	}
	if err := l.HoldSets(t.Context(), "c", 1, []semblance.DigestSet{one}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	errs := make(chan error, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := l.SearchSets(t.Context(), q)
				for i := range got {
					if err == nil && len(got[i]) != 1 {
						err = fmt.Errorf("value %d is found %d times", i, len(got[i]))
					}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range 40 {
		set := one
		if i%2 == 0 {
			set = two
		}
		if err := l.HoldSets(t.Context(), "c", int64(i+2), []semblance.DigestSet{set}); err != nil {
			t.Fatal(err)
		}
		runtime.GC() // what nobody reaches is unmapped
	}
	close(stop)
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}
