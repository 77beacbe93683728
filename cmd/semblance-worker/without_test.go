//go:build cgo && native

package main

import (
	"testing"

	"semblance"
)

// BenchmarkWithout compares what a picture without a face costs, in processor time with
// decoding, with what the same picture costs with its faces: all that is looked for
// in vain beside embedding what is found. The faces are covered with gray; pictures
// in which one is found all the same are left out. largest is the most that one picture
// costs more.
//
//	go test -tags native ./cmd/semblance-worker -run '^$' -bench Without -cpu 1 -benchtime 5x
func BenchmarkWithout(b *testing.B) {
	e := open(b, semblance.DefaultEngine)
	var with, without []marked
	for _, p := range markedPhotographs(b) {
		p = p.fit(b, 1000)
		q := p.covered(b)
		opened(b, q.jpeg, func(f *semblance.Frame) {
			if faces, err := e.Find(f, semblance.FindOptions{DetectOnly: true}); err == nil && len(faces) == 0 {
				with, without = append(with, p), append(without, q)
			}
		})
	}
	costs := [2][][]float64{make([][]float64, len(with)), make([][]float64, len(with))}
	for b.Loop() {
		for i := range with {
			for k, p := range []marked{with[i], without[i]} {
				start := cpuTime()
				opened(b, p.jpeg, func(f *semblance.Frame) {
					if _, err := e.Find(f, semblance.FindOptions{}); err != nil {
						b.Fatal(err)
					}
				})
				costs[k][i] = append(costs[k][i], cpuTime()-start)
			}
		}
	}
	largest := 0.0
	for i := range with {
		largest = max(largest, medians(costs[1][i:i+1])/medians(costs[0][i:i+1]))
	}
	b.ReportMetric(float64(len(with)), "pictures")
	b.ReportMetric(medians(costs[0]), "with-ms")
	b.ReportMetric(medians(costs[1]), "without-ms")
	b.ReportMetric(medians(costs[1])/medians(costs[0]), "ratio")
	b.ReportMetric(largest, "largest")
}

// covered is the picture with gray over its faces.
func (p marked) covered(b *testing.B) marked {
	b.Helper()
	f := p.frame(b)
	for _, x := range p.boxes {
		for row := max(0, int(x.Y-x.H/4)); row < min(f.Height, int(x.Y+1.25*x.H)); row++ {
			for col := max(0, int(x.X-x.W/3)); col < min(f.Width, int(x.X+1.33*x.W)); col++ {
				at := 3 * (row*f.Width + col)
				f.RGB[at], f.RGB[at+1], f.RGB[at+2] = 120, 120, 120
			}
		}
	}
	return marked{name: p.name, jpeg: compressed(b, f)}
}
