package semblance_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/store"
)

// benchCount is how many of something a benchmark has, by a variable or as usual.
func benchCount(variable string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return usual
}

// benchStore opens a store in a new folder, in SEMBLANCE_STACK_DIR where that is set.
func benchStore(b *testing.B) (s *store.Store, dir string) {
	b.Helper()
	dir, err := os.MkdirTemp(os.Getenv("SEMBLANCE_STACK_DIR"), "bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if s, err = store.Open(b.Context(), dir, store.DefaultOptions()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s, dir
}

// BenchmarkStacks stacks SEMBLANCE_STACK_MEDIA media of one case, a third of them near
// others, and then a hundred that are new.
func BenchmarkStacks(b *testing.B) {
	n := benchCount("SEMBLANCE_STACK_MEDIA", 2000)
	s, dir := benchStore(b)
	hashes, err := index.OpenHashes(dir+"/hashes", index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { hashes.Close() })
	e := semblance.New(semblance.Parts{Cases: s, Collections: s, Audit: s, Hashes: hashes, StackRecords: s})
	c, err := e.CreateCase(b.Context(), tester, semblance.Case{Number: "C1", Agency: "A", Country: "nl", Purpose: "p", Basis: "b"})
	if err != nil {
		b.Fatal(err)
	}
	x, _, err := s.OpenExhibit(b.Context(), semblance.Exhibit{Case: c.ID, Label: "E1", Source: "s"}, semblance.AuditEvent{Actor: tester, Action: "scan.start"})
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var last hashing.PDQ
	fill := func(from, to int) {
		for from < to {
			var records []semblance.ItemRecord
			for ; from < to && len(records) < 1000; from++ {
				records = append(records, benchItem(r, x.ID, from, &last))
			}
			if err := s.CommitItems(b.Context(), c.ID, x.ID, records, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	fill(0, n)
	run := func(fresh bool) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				start := time.Now()
				st, err := e.StackMedia(b.Context(), tester, semblance.StackRequest{Case: "C1", Fresh: fresh})
				if err != nil || st.Media < n || st.Stacks >= n {
					b.Fatal(st, err)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s/run")
			}
		}
	}
	b.Run(fmt.Sprintf("fresh-%d", n), run(true))
	fill(n, n+100)
	b.Run("100-more", run(false))
}

// benchItem makes a media, every third near the one before.
func benchItem(r *rand.Rand, x semblance.ExhibitID, i int, last *hashing.PDQ) semblance.ItemRecord {
	d := hashing.DigestBytes(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	d.Size = int64(i + 1)
	if i%3 != 1 {
		for k := range last {
			last[k] = byte(r.Uint32())
		}
	} else {
		for range 8 {
			last[r.IntN(32)] ^= 1 << r.IntN(8)
		}
	}
	p := &hashing.PDQResult{Hash: *last, Quality: 100}
	p.Turned[hashing.Original] = p.Hash
	sum := semblance.SHA256(d.SHA256)
	return semblance.ItemRecord{Item: semblance.Item{Exhibit: x, Path: fmt.Sprint(i), Size: d.Size, SHA256: &sum, Status: semblance.ItemNew},
		Media: &semblance.Media{Digests: d, Analysis: &semblance.Analysis{Type: "image/jpeg", Width: 100, Height: 100, Frames: 1, Decoder: "bench", Hashes: []semblance.FrameHashes{{PDQ: p}}}}}
}
