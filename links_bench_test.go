package semblance_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

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

// BenchmarkNearPictures links SEMBLANCE_LINK_PICTURES pictures on two exhibits, each looked for
// in all eight turns; one in a hundred is near another.
func BenchmarkNearPictures(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("SEMBLANCE_LINK_PICTURES"))
	if err != nil {
		n = 500
	}
	s, err := store.Open(b.Context(), b.TempDir(), store.DefaultOptions())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	hashes, err := index.OpenHashes(b.TempDir(), index.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { hashes.Close() })
	r := &linkRig{semblance.New(semblance.Parts{Cases: s, Collections: s, Audit: s, Hashes: hashes, LinkRecords: s}), b, s}
	for i, number := range []string{"1", "2"} {
		if _, err := r.CreateCase(b.Context(), tester, semblance.Case{Number: number, Agency: "A", Country: "NL", Purpose: "p", Basis: "b"}); err != nil {
			b.Fatal(err)
		}
		var list []film
		for k := range n / 2 {
			scene := i*n + k
			if k%100 == 0 {
				scene = k
			}
			p := film{path: fmt.Sprintf("%d-%d.jpg", i, k), stills: []hashing.PDQ{footage(scene, 0)}, turned: map[hashing.Transform]hashing.PDQ{}}
			for by := range hashing.FlipMinus + 1 {
				p.turned[by] = footage(scene, time.Duration(by)*time.Second)
			}
			list = append(list, p)
		}
		r.films(number, "E"+number, list...)
	}
	for b.Loop() {
		l, err := r.Links(b.Context(), tester, semblance.LinkRequest{All: true, Kinds: []semblance.LinkKind{semblance.LinkNear}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(l.Total), "links")
	}
}
