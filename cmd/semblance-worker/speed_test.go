//go:build cgo

package main

import (
	"testing"

	"semblance"
)

// BenchmarkFind is detection, alignment, quality and embedding on the photographs
// of testdata/faces, decoded beforehand, one picture an iteration. Run it with
// -cpu 1 and compare engines within one run:
//
//	go test ./cmd/semblance-worker -run '^$' -bench Find -cpu 1 -benchtime 34x
func BenchmarkFind(b *testing.B) {
	for _, spec := range semblance.Engines() {
		b.Run(string(spec.Name), func(b *testing.B) {
			e := open(b, spec.Name)
			var frames []*semblance.Frame
			for _, path := range pictures(b, "faces/*.jpg") {
				frames = append(frames, load(b, path))
			}
			faces := 0
			for i := 0; b.Loop(); i++ {
				found, err := e.Find(frames[i%len(frames)], false)
				if err != nil {
					b.Fatal(err)
				}
				faces += len(found)
			}
			b.ReportMetric(float64(faces)/float64(b.N), "faces/op")
		})
	}
}
