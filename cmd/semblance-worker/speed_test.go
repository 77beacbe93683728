//go:build cgo

package main

import (
	"os"
	"syscall"
	"testing"

	face "github.com/Kagami/go-face"

	"semblance"
	"semblance/media"
)

// BenchmarkPicture is decoding, detection, alignment, quality and embedding of the
// photographs of testdata/faces, one picture an iteration. cpu-ms/op is processor
// time and holds on a busy machine, where ns/op does not. The engines of one run
// are compared with each other:
//
//	go test ./cmd/semblance-worker -run '^$' -bench 'Picture|GoFace' -cpu 1 -benchtime 68x
func BenchmarkPicture(b *testing.B) {
	b.Run("decode", func(b *testing.B) { benchmarkPicture(b, nil) })
	for _, spec := range semblance.Engines() {
		b.Run(string(spec.Name), func(b *testing.B) { benchmarkPicture(b, open(b, spec.Name)) })
	}
}

// BenchmarkGoFace is the peer as it is: the file's JPEG at full size, HOG, one thread.
func BenchmarkGoFace(b *testing.B) {
	files := pictures(b, "faces/*.jpg")
	if _, _, err := testModels("dlib-mmod"); err != nil {
		b.Skipf("SEMBLANCE_MODELS_DIR has no dlib models: %v", err)
	}
	r, err := face.NewRecognizer(modelsDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	faces, i := 0, 0
	start := cpuTime()
	for b.Loop() {
		found, err := r.RecognizeFile(files[i%len(files)])
		if err != nil {
			b.Fatal(err)
		}
		faces += len(found)
		i++
	}
	b.ReportMetric((cpuTime()-start)/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(faces)/float64(b.N), "faces/op")
}

func benchmarkPicture(b *testing.B, e semblance.FaceFinder) {
	files := pictures(b, "faces/*.jpg")
	faces, i := 0, 0
	start := cpuTime()
	for b.Loop() {
		faces += findIn(b, files[i%len(files)], e)
		i++
	}
	b.ReportMetric((cpuTime()-start)/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(faces)/float64(b.N), "faces/op")
}

// findIn decodes a picture and returns how many faces the engine finds in it.
func findIn(b *testing.B, path string, e semblance.FaceFinder) int {
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p, err := media.Open(f, semblance.DefaultLimits(), media.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	faces := 0
	for frame, err := range p.Frames() {
		if err != nil {
			b.Fatal(err)
		}
		if e == nil {
			continue
		}
		found, err := e.Find(media.Upright(frame, p.Describe().Orientation), false)
		if err != nil {
			b.Fatal(err)
		}
		faces += len(found)
	}
	return faces
}

// BenchmarkEmbed is the embedding of eight faces at once.
func BenchmarkEmbed(b *testing.B) {
	for _, name := range []semblance.EngineName{semblance.YuNetMobileFaceNet, semblance.YuNetDlib} {
		b.Run(string(name), func(b *testing.B) {
			e := open(b, name).(*yunetEngine)
			chips := make([][]byte, 8)
			for i := range chips {
				chips[i] = make([]byte, 3*e.template.Size*e.template.Size)
				for j := range chips[i] {
					chips[i][j] = byte(j * (i + 3))
				}
			}
			start := cpuTime()
			for b.Loop() {
				if _, err := e.net.Embed(chips); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime()-start)/float64(b.N*len(chips)), "cpu-ms/face")
		})
	}
}

// cpuTime is the processor time of the process in milliseconds.
func cpuTime() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	ms := func(t syscall.Timeval) float64 { return float64(t.Sec)*1000 + float64(t.Usec)/1000 }
	return ms(r.Utime) + ms(r.Stime)
}
