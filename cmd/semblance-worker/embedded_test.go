//go:build cgo && native

package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"semblance"
	"semblance/hashing"
	"semblance/media"
)

// withThumbnail puts EXIF with a thumbnail into a JPEG.
func withThumbnail(file, thumbnail []byte) []byte {
	exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x0e\x00\x02" + // IFD0 is empty, IFD1 has two tags
		"\x02\x01\x00\x04\x00\x00\x00\x01\x00\x00\x00\x2c\x02\x02\x00\x04\x00\x00\x00\x01")
	exif = binary.BigEndian.AppendUint32(exif, uint32(len(thumbnail)))
	exif = append(append(exif, 0, 0, 0, 0), thumbnail...)
	segment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2)), exif...)
	return slices.Concat(file[:2], segment, file[2:])
}

// shrunk is a JPEG of 160 by 120 with a picture in it, between black bars where its sides
// have another ratio, as cameras make thumbnails.
func shrunk(t testing.TB, file []byte) []byte {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b := img.Bounds()
	w, h := 160, 160*b.Dy()/b.Dx()
	if h > 120 {
		w, h = 120*b.Dx()/b.Dy(), 120
	}
	to := image.NewRGBA(image.Rect(0, 0, 160, 120))
	draw.Draw(to, to.Bounds(), image.NewUniform(color.Black), image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(to, image.Rect((160-w)/2, (120-h)/2, (160-w)/2+w, (120-h)/2+h), img, b, draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, to, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func photographs(t testing.TB) [][]byte {
	t.Helper()
	dir := os.Getenv("SEMBLANCE_TESTDATA")
	if dir == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set")
	}
	names, err := filepath.Glob(filepath.Join(dir, "faces", "*.jpg"))
	if err != nil || len(names) == 0 {
		t.Skipf("no photographs in %s: %v", dir, err)
	}
	var out [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func analyzed(t testing.TB, file []byte) semblance.Analysis {
	t.Helper()
	req := semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}, Limits: semblance.DefaultLimits()}
	p, err := media.OpenReader(bytes.NewReader(file), int64(len(file)), req.Limits, media.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, err := newAnalysis(&req, nil).of(p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestThumbnailsShowWhatTheFileWas: the file shows one photograph, its thumbnail another,
// which is found by it within the usual 31 bits, black bars or not.
func TestThumbnailsShowWhatTheFileWas(t *testing.T) {
	t.Parallel()
	files := photographs(t)
	files = files[:min(len(files), 12)]
	near, barred := 0, 0
	for i, original := range files {
		want := analyzed(t, original).Hashes[0].PDQ.Hash
		a := analyzed(t, withThumbnail(files[(i+1)%len(files)], shrunk(t, original)))
		if len(a.Embedded) == 0 || a.Embedded[0].Kind != semblance.EXIFThumbnail || len(a.Embedded[0].Hashes) == 0 || a.Embedded[0].Width != 160 || a.Embedded[0].Height != 120 || a.Embedded[0].Reason != "" {
			t.Fatalf("%d: %+v", i, a.Embedded)
		}
		best := 256
		for _, h := range a.Embedded[0].Hashes {
			best = min(best, h.PDQ.Hash.Distance(want))
		}
		if best <= 31 {
			near++
		}
		if len(a.Embedded[0].Hashes) == 2 {
			barred++
		}
	}
	if near < len(files)-1 || barred == 0 {
		t.Errorf("%d of %d are near their original; %d have bars", near, len(files), barred)
	}
	t.Logf("%d of %d within 31 bits, %d with bars", near, len(files), barred)
	broken := analyzed(t, withThumbnail(files[0], []byte("no picture at all")))
	if len(broken.Embedded) != 1 || broken.Embedded[0].Reason == "" || broken.Embedded[0].Hashes != nil || broken.Embedded[0].Digests.Size != 17 {
		t.Errorf("%+v", broken.Embedded)
	}
}

// processorTime is that of this process so far: the machine may be busy with others.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkThumbnail is what a thumbnail adds to a photograph: digests and hashes of both,
// or of the photograph alone.
func BenchmarkThumbnail(b *testing.B) {
	files := photographs(b)
	slices.SortFunc(files, func(x, y []byte) int { return len(y) - len(x) })
	plain := files[0]
	for name, file := range map[string][]byte{"without": plain, "with": withThumbnail(plain, shrunk(b, plain))} {
		b.Run(name, func(b *testing.B) {
			a := analyzed(b, file)
			before := processorTime(b)
			for b.Loop() {
				analyzed(b, file)
			}
			b.ReportMetric(float64(a.Width*a.Height)/1e6, "Mpixel")
			b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
