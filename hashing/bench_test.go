package hashing_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/corona10/goimagehash"

	"semblance/hashing"
)

func BenchmarkPerceptual(b *testing.B) {
	for _, size := range [][2]int{{450, 300}, {1600, 1004}, {4000, 3000}} {
		p := synthetic(1, size[0], size[1], 3)
		for name, o := range map[string]hashing.Options{
			"pdq": {PDQ: true}, "all": hashing.AllOptions(), "phash": {PHash: true}, "dhash": {DHash: true}, "ahash": {AHash: true},
		} {
			b.Run(fmt.Sprintf("%s/%dx%d", name, size[0], size[1]), func(b *testing.B) {
				b.SetBytes(int64(size[0] * size[1]))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := hashing.Compute(p, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkGoimagehash(b *testing.B) {
	m := toRGBA(synthetic(1, 1600, 1004, 3))
	b.SetBytes(1600 * 1004)
	for b.Loop() {
		goimagehash.PerceptionHash(m)
		goimagehash.DifferenceHash(m)
		goimagehash.AverageHash(m)
	}
}

func BenchmarkDigest(b *testing.B) {
	for _, n := range []int{100 << 10, 4 << 20} {
		data := noisy(1, n, 1, 1).Pix
		if n > hashing.MaxSide {
			data = make([]byte, n)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := hashing.Digest(context.Background(), bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
