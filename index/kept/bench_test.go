//go:build unix

package kept_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"semblance"
	"semblance/hashing"
	"semblance/index/kept"
)

// BenchmarkNear looks for SEMBLANCE_KEPT_VALUES new PDQ among SEMBLANCE_KEPT_MEDIA media
// of eight turned hashes each, within 31 bits. scripts/bench lookback runs it with a
// hundred thousand and ten million. With SEMBLANCE_KEPT_SKEWED both are like those of
// bench/pdq_peer.py: a third near one of 10,000 others, a sixth with half of their bits zero, one in a hundred of a flat picture.
func BenchmarkNear(b *testing.B) {
	media, asked := number("SEMBLANCE_KEPT_MEDIA", 20_000), number("SEMBLANCE_KEPT_VALUES", 1000)
	r := rand.New(rand.NewPCG(1, 2))
	var values [][]byte
	value := random64
	if os.Getenv("SEMBLANCE_KEPT_SKEWED") != "" {
		value = skewed(r)
	}
	for range asked {
		values = append(values, value(r))
	}
	dir, err := os.MkdirTemp(os.Getenv("SEMBLANCE_KEPT_DIR"), "kept")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	x, err := kept.Open(dir, kept.Options{})
	if err != nil {
		b.Fatal(err)
	}
	planted := 0
	err = x.Add(b.Context(), func(yield func(semblance.KeptValue, error) bool) {
		for i := range media {
			v := semblance.KeptValue{Seq: int64(i + 1), Algorithm: hashing.AlgorithmPDQ, Quality: 100}
			for range 4 {
				h := value(r)
				v.Values = append(v.Values, h, kept.Transpose(h))
			}
			if i%1000 == 0 {
				v.Values[r.IntN(8)] = flipped(r, values[r.IntN(asked)], 31)
				planted++
			}
			if !yield(v, nil) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	q := semblance.KeptQuery{Algorithm: hashing.AlgorithmPDQ, Values: values, Radius: 31, Quality: 50}
	b.Run(fmt.Sprintf("%d-in-%d", asked, media), func(b *testing.B) {
		before := processorTime(b)
		for b.Loop() {
			got, err := x.Near(b.Context(), q)
			if err != nil || len(got) < planted || len(got) > planted && os.Getenv("SEMBLANCE_KEPT_SKEWED") == "" {
				b.Fatalf("%d media, %v; %d were planted", len(got), err, planted)
			}
			b.ReportMetric(float64(len(got)), "media")
		}
		b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "cpu-s/op")
	})
}

// processorTime is that of this process, all threads together.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func random64(r *rand.Rand) []byte {
	b := make([]byte, 0, 32)
	for range 4 {
		w := r.Uint64()
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24), byte(w>>32), byte(w>>40), byte(w>>48), byte(w>>56))
	}
	return b
}

// skewed draws values that crowd.
func skewed(r *rand.Rand) func(*rand.Rand) []byte {
	var bases [][]byte
	for range 10_000 {
		bases = append(bases, random64(r))
	}
	turned := func(r *rand.Rand, h []byte, most int) []byte {
		h = slices.Clone(h)
		for range r.IntN(most + 1) {
			h[r.IntN(32)] ^= 1 << r.IntN(8)
		}
		return h
	}
	return func(r *rand.Rand) []byte {
		switch n := r.IntN(600); {
		case n < 200:
			return turned(r, bases[r.IntN(len(bases))], 40)
		case n < 300:
			h := random64(r)
			clear(h[16:])
			return h
		case n < 306:
			return turned(r, bytes.Repeat([]byte{[]byte{0, 255, 170, 240, 15, 85}[n-300]}, 32), 30)
		}
		return random64(r)
	}
}

func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}
