package semblance_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/frames"
	"semblance/store"
)

// BenchmarkNearVideos links SEMBLANCE_LINK_VIDEOS videos of a minute on two exhibits, a fifth
// of which are copies or clips of others. All are looked for mirrored, too.
func BenchmarkNearVideos(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SEMBLANCE_LINK_VIDEOS"))
	if err != nil {
		n = 200
	}
	dir, err := os.MkdirTemp(os.Getenv("SEMBLANCE_STACK_DIR"), "links")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := store.Open(b.Context(), dir, store.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	videos, err := frames.Open(dir+"/frames", index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { videos.Close() })
	r := &linkRig{semblance.New(semblance.Parts{Cases: s, Collections: s, Audit: s, Videos: videos, LinkRecords: s}), b, s}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, number := range []string{"1", "2"} {
		if _, err := r.CreateCase(b.Context(), tester, semblance.Case{Number: number, Agency: "A", Country: "NL", Purpose: "p", Basis: "b"}); err != nil {
			b.Fatal(err)
		}
		var list []film
		for k := range n / 2 {
			s := shot{scene: i*n + k, to: 60}
			if k%5 == 0 {
				s = shot{scene: rnd.IntN(n), from: float64(rnd.IntN(300)) / 10, to: 60}
			}
			list = append(list, film{path: fmt.Sprintf("%d-%d.mp4", i, k), frames: shoot(rnd, 8, s),
				more: map[hashing.Algorithm]hashing.VPDQ{hashing.AlgorithmVPDQMirrored: shoot(rnd, 8, shot{scene: 1<<30 + i*n + k, to: 60})}})
		}
		r.films(number, "E"+number, list...)
	}
	for b.Loop() {
		l, err := r.Links(b.Context(), tester, semblance.LinkRequest{All: true, Kinds: []semblance.LinkKind{semblance.LinkVideo}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(l.Total), "links")
	}
	b.ReportMetric(float64(len(shoot(rnd, 0, shot{to: 60}))), "frames/video")
}
