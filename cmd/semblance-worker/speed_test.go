//go:build cgo && native

package main

import (
	"os"
	"slices"
	"syscall"
	"testing"

	face "github.com/Kagami/go-face"

	"semblance"
	"semblance/media"
)

// BenchmarkPicture is decoding, detection, alignment, quality and embedding of the
// photographs of testdata/faces, one picture an iteration; BenchmarkGoFace is the
// peer as it is, on the same files. best-ms is processor time a picture, the best
// of the rounds for each picture, which holds on a busy machine where ns/op does
// not. Three rounds of all pictures:
//
//	go test ./cmd/semblance-worker -run '^$' -bench 'Picture|GoFace' -cpu 1 -benchtime 102x
func BenchmarkPicture(b *testing.B) {
	b.Run("decode", func(b *testing.B) {
		rounds(b, func(path string) int { return findIn(b, path, nil) })
	})
	for _, spec := range semblance.Engines() {
		b.Run(string(spec.Name), func(b *testing.B) {
			e := open(b, spec.Name)
			rounds(b, func(path string) int { return findIn(b, path, e) })
		})
	}
}

// BenchmarkGoFace hands go-face the file's own JPEG at full size: HOG, one thread.
func BenchmarkGoFace(b *testing.B) {
	if _, _, err := testModels("dlib-mmod"); err != nil {
		b.Skipf("SEMBLANCE_MODELS_DIR has no dlib models: %v", err)
	}
	r, err := face.NewRecognizer(modelsDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	rounds(b, func(path string) int {
		found, err := r.RecognizeFile(path)
		if err != nil {
			b.Fatal(err)
		}
		return len(found)
	})
}

// BenchmarkBeside goes through the pictures with an engine and go-face in turn, one
// picture of each, so that both see the same machine. ratio is how many times as
// long go-face took: the medians of every picture's rounds, added up. Seven rounds:
//
//	go test -tags native ./cmd/semblance-worker -run '^$' -bench Beside -cpu 1 -benchtime 238x
func BenchmarkBeside(b *testing.B) {
	if _, _, err := testModels("dlib-mmod"); err != nil {
		b.Skipf("SEMBLANCE_MODELS_DIR has no dlib models: %v", err)
	}
	for _, name := range []semblance.EngineName{semblance.YuNetMobileFaceNet, semblance.YuNetDlib} {
		b.Run(string(name), func(b *testing.B) { beside(b, name) })
	}
}

func beside(b *testing.B, name semblance.EngineName) {
	e := open(b, name)
	r, err := face.NewRecognizer(modelsDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	files := pictures(b, "faces/*.jpg")
	ours, theirs := make([][]float64, len(files)), make([][]float64, len(files))
	for i := 0; b.Loop(); i++ {
		k := i % len(files)
		start := cpuTime()
		findIn(b, files[k], e)
		middle := cpuTime()
		if _, err := r.RecognizeFile(files[k]); err != nil {
			b.Fatal(err)
		}
		ours[k], theirs[k] = append(ours[k], middle-start), append(theirs[k], cpuTime()-middle)
	}
	o, t := medians(ours), medians(theirs)
	b.ReportMetric(o, "ours-ms/op")
	b.ReportMetric(t, "goface-ms/op")
	b.ReportMetric(t/o, "ratio")
}

// medians is the mean over the pictures of the median of each one's rounds.
func medians(rounds [][]float64) float64 {
	sum, n := 0.0, 0
	for _, r := range rounds {
		if len(r) > 0 {
			slices.Sort(r)
			sum, n = sum+r[len(r)/2], n+1
		}
	}
	return sum / float64(max(n, 1))
}

// rounds goes through the pictures again and again and reports the mean of each
// picture's best processor time, and of its faces.
func rounds(b *testing.B, find func(path string) int) {
	files := pictures(b, "faces/*.jpg")
	best := make([]float64, len(files))
	faces, i := 0, 0
	for b.Loop() {
		start := cpuTime()
		faces += find(files[i%len(files)])
		took := cpuTime() - start
		if old := best[i%len(files)]; old == 0 || took < old {
			best[i%len(files)] = took
		}
		i++
	}
	sum := 0.0
	for _, ms := range best {
		sum += ms
	}
	b.ReportMetric(sum/float64(min(i, len(files))), "best-ms/op")
	b.ReportMetric(float64(faces)/float64(i), "faces/op")
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
		found, err := e.Find(media.Upright(frame, p.Describe().Orientation), semblance.FindOptions{})
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
			e := open(b, name).(*alignedEngine)
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
