//go:build cgo && native

package main

import (
	"fmt"
	"testing"

	"semblance"
)

// BenchmarkRecallOfMTCNN counts the faces that mtcnn-mobilefacenet finds beside the
// default engine, in the sets of BenchmarkRecall and as it counts, one picture of each
// in turn. One run of all sets, about two minutes:
//
//	go test -tags native ./cmd/semblance-worker -run '^$' -bench RecallOfMTCNN -cpu 1 -benchtime 1x
func BenchmarkRecallOfMTCNN(b *testing.B) {
	photographs := markedPhotographs(b)
	run := func(name string, limit float32, list []marked, change func(*testing.B, marked) marked) {
		b.Run(name, func(b *testing.B) {
			engines := []semblance.FaceFinder{open(b, semblance.MTCNNMobileFaceNet), open(b, semblance.DefaultEngine)}
			for b.Loop() {
				faces, found, extra, ms := 0, [2]int{}, [2]int{}, [2]float64{}
				for _, p := range list {
					p = change(b, p)
					for i, e := range engines {
						start := cpuTime()
						f, x := count(p.boxes, p.found(b, e), limit)
						ms[i] += cpuTime() - start
						found[i], extra[i] = found[i]+f, extra[i]+x
					}
					for _, x := range p.boxes {
						if max(x.W, x.H) >= leastMarked {
							faces++
						}
					}
				}
				b.ReportMetric(float64(faces), "marked")
				for i, name := range []string{"mtcnn", "yunet"} {
					b.ReportMetric(float64(found[i]), name+"-found")
					b.ReportMetric(float64(extra[i]), name+"-extra")
					b.ReportMetric(ms[i]/float64(len(list)), name+"-ms")
				}
			}
		})
	}
	run("whole", 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, 1000) })
	for _, size := range []int{48, 32, 24} {
		run(fmt.Sprintf("pixels-%d", size), 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, p.sideFor(size)) })
	}
	for i, orientation := range []int{6, 3, 8} {
		turn := 90 * (i + 1)
		run(fmt.Sprintf("turned-%d", turn), 0.3, photographs, func(b *testing.B, p marked) marked { return p.fit(b, 600).turned(b, turn, orientation) })
	}
	run("groups", 0.4, markedGroups(b), func(_ *testing.B, p marked) marked { return p })
}

// found decodes the picture and detects.
func (p marked) found(b *testing.B, e semblance.FaceFinder) (boxes []semblance.Box) {
	b.Helper()
	opened(b, p.jpeg, func(f *semblance.Frame) {
		faces, err := e.Find(f, semblance.FindOptions{DetectOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		for _, x := range faces {
			boxes = append(boxes, x.Box)
		}
	})
	return boxes
}
