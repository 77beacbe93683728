package semblance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/frames"
)

// benchLinks measures the links of one kind between two exhibits, each of n/2 films that make
// gives.
func benchLinks(b *testing.B, n int, kind semblance.LinkKind, make func(i, k int) film) {
	b.Helper()
	s, dir := benchStore(b)
	videos, err := frames.Open(dir+"/frames", index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { videos.Close() })
	hashes, err := index.OpenHashes(dir+"/hashes", index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { hashes.Close() })
	r := &linkRig{semblance.New(semblance.Parts{Cases: s, Collections: s, Audit: s, Hashes: hashes, Videos: videos, LinkRecords: s}), b, s}
	for i, number := range []string{"1", "2"} {
		if _, err := r.CreateCase(b.Context(), tester, semblance.Case{Number: number, Agency: "A", Country: "NL", Purpose: "p", Basis: "b"}); err != nil {
			b.Fatal(err)
		}
		var list []film
		for k := range n / 2 {
			list = append(list, make(i, k))
		}
		r.films(number, "E"+number, list...)
	}
	for b.Loop() {
		l, err := r.Links(b.Context(), tester, semblance.LinkRequest{All: true, Kinds: []semblance.LinkKind{kind}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(l.Total), "links")
	}
}

// BenchmarkNearVideos links SEMBLANCE_LINK_VIDEOS videos of a minute on two exhibits, a fifth
// of which are copies or clips of others. All are looked for mirrored, too.
func BenchmarkNearVideos(b *testing.B) {
	n, rnd := benchCount("SEMBLANCE_LINK_VIDEOS", 200), rand.New(rand.NewPCG(1, 2))
	benchLinks(b, n, semblance.LinkVideo, func(i, k int) film {
		s := shot{scene: i*n + k, to: 60}
		if k%5 == 0 {
			s = shot{scene: rnd.IntN(n), from: float64(rnd.IntN(300)) / 10, to: 60}
		}
		return film{path: fmt.Sprintf("%d-%d.mp4", i, k), frames: shoot(rnd, 8, s),
			more: map[hashing.Algorithm]hashing.VPDQ{hashing.AlgorithmVPDQMirrored: shoot(rnd, 8, shot{scene: 1<<30 + i*n + k, to: 60})}}
	})
	b.ReportMetric(float64(len(shoot(rnd, 0, shot{to: 60}))), "frames/video")
}

// BenchmarkNearPictures links SEMBLANCE_LINK_PICTURES pictures on two exhibits, each looked for
// in all eight turns; one in a hundred is near another.
func BenchmarkNearPictures(b *testing.B) {
	n := benchCount("SEMBLANCE_LINK_PICTURES", 500)
	benchLinks(b, n, semblance.LinkNear, func(i, k int) film {
		scene := i*n + k
		if k%100 == 0 {
			scene = k
		}
		p := film{path: fmt.Sprintf("%d-%d.jpg", i, k), stills: []hashing.PDQ{footage(scene, 0)}, turned: map[hashing.Transform]hashing.PDQ{}}
		for by := range hashing.FlipMinus + 1 {
			p.turned[by] = footage(scene, time.Duration(by)*time.Second)
		}
		return p
	})
}
