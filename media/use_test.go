//go:build cgo && native

package media_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/media"
)

// A GIF of twenty thousand frames is counted, and of it only the frames that are
// wanted are drawn.
func TestEndlessGIF(t *testing.T) {
	t.Parallel()
	one := []byte("\x21\xf9\x04\x04\x05\x00\x00\x00\x2c\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x03\x44\x02\x05\x00")
	data := []byte("GIF89a\x02\x00\x02\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	data = append(data, bytes.Repeat(one, 20_000)...)
	data = append(data, 0x3b)
	got := open(data, semblance.Limits{}, media.Options{})
	if got.err != nil || got.a.Frames != 20_000 || len(got.frames) != 8 || got.frames[7].Index != 17_500 {
		t.Errorf("%v, %d frames, %+v", got.err, len(got.frames), got.a)
	}
	got = open(data, semblance.Limits{Pixels: 400}, media.Options{}) // 2 * 400 / 4 frames
	if got.err != nil || got.a.Frames != 20_000 || got.frames[7].Index != 175 || !strings.Contains(strings.Join(got.a.Warnings, ";"), "first 200 of 20000") {
		t.Errorf("%v, %d frames, %+v", got.err, len(got.frames), got.a)
	}
	got = open(bytes.Repeat(append([]byte(nil), data[:len(data)-1]...), 6), semblance.Limits{}, media.Options{})
	if got.err != nil || got.a.Frames != 20_000 || got.a.Partial == "" { // a header is no block
		t.Errorf("%v, %+v", got.err, got.a)
	}
}

func TestReducedJPEG(t *testing.T) {
	t.Parallel()
	data := file(t, "baseline.jpg")
	full := open(data, semblance.Limits{}, media.Options{}).frames[0]
	for minSide, want := range map[int][2]int{0: {160, 120}, 1: {20, 15}, 20: {20, 15}, 21: {40, 30}, 80: {80, 60}, 81: {160, 120}, 1000: {160, 120}} {
		got := open(data, semblance.Limits{}, media.Options{MinSide: minSide})
		if got.err != nil || got.a.Width != 160 || got.a.Height != 120 {
			t.Fatalf("%d: %v, %+v", minSide, got.err, got.a)
		}
		f := got.frames[0]
		if [2]int{f.Width, f.Height} != want {
			t.Fatalf("%d: %d by %d, want %v", minSide, f.Width, f.Height, want)
		}
		if d := far(f, media.Fit(full, f.Width)); d > 16 {
			t.Errorf("%d: differs from the average by %d", minSide, d)
		}
	}
	half := open(data[:len(data)*2/3], semblance.Limits{}, media.Options{MinSide: 40})
	if half.err != nil || !strings.HasPrefix(half.a.Partial, "truncated after ") {
		t.Errorf("cut: %v, %+v", half.err, half.a)
	}
}

func TestEncodeJPEG(t *testing.T) {
	t.Parallel()
	f := gradient(123, 77, -1)
	b, err := media.EncodeJPEG(f, 90)
	if err != nil {
		t.Fatal(err)
	}
	got := open(b, semblance.Limits{}, media.Options{})
	if got.err != nil || far(got.frames[0], f) > 16 {
		t.Errorf("%v, differs by %d", got.err, far(got.frames[0], f))
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width != 123 || c.Height != 77 {
		t.Errorf("image/jpeg says %v, %v", c, err)
	}
	small, _ := media.EncodeJPEG(f, 30)
	if len(small) == 0 || len(small) >= len(b) {
		t.Errorf("quality 30 takes %d bytes, 90 takes %d", len(small), len(b))
	}
	for _, bad := range []*semblance.Frame{nil, {}, {Width: 2, Height: 2, RGB: make([]byte, 11)}, {Width: 70000, Height: 1, RGB: make([]byte, 210000)}} {
		if _, err := media.EncodeJPEG(bad, 90); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%v: %v, want invalid", bad, err)
		}
	}
	if _, err := media.EncodeJPEG(f, 0); !errors.Is(err, semblance.Invalid) {
		t.Errorf("quality 0: %v", err)
	}
}

func TestPictureIsReadOnceAndFromAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a name that says .png")
	if err := os.WriteFile(name, file(t, "baseline.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := media.Open(f, semblance.Limits{}, media.Options{})
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Describe(); a.Type != "image/jpeg" || a.Width != 160 || a.Frames != 1 || !strings.HasPrefix(a.Decoder, "libjpeg-turbo ") {
		t.Errorf("before decoding: %+v", a)
	}
	for range 2 {
		_, err = next(p)
	}
	if semblance.CodeOf(err) != semblance.Internal {
		t.Errorf("the second range: %v", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if _, err := media.Open(f, semblance.Limits{}, media.Options{}); semblance.CodeOf(err) != semblance.Internal {
		t.Errorf("a closed file: %v", err)
	}
}

func next(p semblance.Picture) (*semblance.Frame, error) {
	for f, err := range p.Frames() {
		return f, err
	}
	return nil, nil
}

// A bad sector is an error that says so, not a damaged picture; a file that
// shrinks is damaged.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	data := file(t, "baseline.jpg")
	_, err := media.OpenReader(badSector{bytes.NewReader(data)}, int64(len(data)), semblance.Limits{}, media.Options{})
	if semblance.CodeOf(err) != semblance.Internal || !errors.Is(err, errSector) {
		t.Errorf("%v", err)
	}
	_, err = media.OpenReader(bytes.NewReader(data), int64(len(data))+1, semblance.Limits{}, media.Options{})
	if !errors.Is(err, semblance.MediaDamaged) {
		t.Errorf("%v", err)
	}
}

var errSector = errors.New("input/output error")

type badSector struct{ r io.ReaderAt }

func (b badSector) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 1000 {
		return 0, errSector
	}
	return b.r.ReadAt(p, off)
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for name, v := range media.Versions() {
		if strings.TrimLeft(v, "go") == "" || !strings.Contains(v, ".") {
			t.Errorf("%s has version %q", name, v)
		}
	}
}

// resident is the process's memory in bytes.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm here")
	}
	n, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return n * os.Getpagesize()
}

// Decode everything, and halves of everything, again and again: native memory
// must not grow. Not parallel, so that other tests do not count.
func TestNativeMemoryIsFreed(t *testing.T) {
	var all [][]byte
	names, _ := filepath.Glob("testdata/*.*")
	for _, name := range names {
		b := file(t, filepath.Base(name))
		all = append(all, b, b[:len(b)/2], b[:len(b)*9/10])
	}
	round := func() {
		for _, b := range all {
			p, err := media.OpenReader(bytes.NewReader(b), int64(len(b)), semblance.Limits{}, media.Options{})
			if err != nil {
				continue
			}
			next(p) // leaves after the first frame
			p.Close()
		}
	}
	for range 5 {
		round()
	}
	before := resident(t)
	const rounds = 30
	for range rounds {
		round()
	}
	// One leaked 48x32 canvas a round and file would be some 20 MB.
	if grown := resident(t) - before; grown > 12<<20 {
		t.Errorf("memory grew by %d KiB in %d rounds over %d files", grown>>10, rounds, len(all))
	}
}

// The pixels are those of Pillow 11.3.0 with libjpeg-turbo 3.1.1 and libpng,
// convert("RGB"), because PDQ's other users decode with it. The sums are of its tobytes().
func TestPixelsArePillows(t *testing.T) {
	t.Parallel()
	root := os.Getenv("SEMBLANCE_TESTDATA")
	if root == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set")
	}
	for _, line := range strings.Split(strings.TrimSpace(pillow), "\n") {
		name, want, _ := strings.Cut(line, " ")
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		got := open(data, semblance.Limits{}, media.Options{})
		if got.err != nil {
			t.Errorf("%s: %v", name, got.err)
			continue
		}
		if sum := sha256.Sum256(got.frames[0].RGB); hex.EncodeToString(sum[:8]) != want {
			t.Errorf("%s: the pixels are not Pillow's", name)
		}
	}
}

// Real photographs, cut in tenths: the rows that Partial calls genuine are those
// of the whole picture, and the share grows with the data.
func TestTruncatedPhotographs(t *testing.T) {
	t.Parallel()
	root := os.Getenv("SEMBLANCE_TESTDATA")
	if root == "" {
		t.Skip("SEMBLANCE_TESTDATA is not set")
	}
	for _, name := range []string{"faces/bona.jpg", "faces/jimin.jpg", "pdq/bridge-mods/aaa-orig.jpg"} {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		whole, before := open(data, semblance.Limits{}, media.Options{}).frames[0], -1
		for tenth := 2; tenth < 10; tenth++ {
			got := open(data[:len(data)*tenth/10], semblance.Limits{}, media.Options{})
			var share int
			if _, err := fmt.Sscanf(got.a.Partial, "truncated after %d%% of the rows", &share); err != nil || got.err != nil {
				t.Fatalf("%s, %d tenths: %v, %q", name, tenth, got.err, got.a.Partial)
			}
			if share < before || share >= 100 {
				t.Errorf("%s: %d%% of the rows of %d tenths of the data, %d%% of less", name, share, tenth, before)
			}
			before = share
			// The last genuine row is blended with colors of the next (fancy upsampling).
			if n := 3 * whole.Width * max(0, whole.Height*share/100-1); !bytes.Equal(got.frames[0].RGB[:n], whole.RGB[:n]) {
				t.Errorf("%s, %d tenths: rows called genuine are not", name, tenth)
			}
		}
		if before < 50 {
			t.Errorf("%s: nine tenths of the data gave %d%% of the rows", name, before)
		}
	}
}

const pillow = `
pdq/bridge-mods/aaa-orig.jpg d38acec408403589
pdq/misc-images/c.png 6881e899d42acb2f
pdq/misc-images/small.jpg 85c9b6174f8e5e98
pdq/misc-images/wee.jpg ff9c8628fbd7cde9
pdq/misc-images/modes/1.png 12465f6569844bef
pdq/misc-images/modes/CMYK.jpg 75d44cefcd57e3a4
pdq/misc-images/modes/F.webp d81c23f1fd0d0d67
pdq/misc-images/modes/HSV.webp 279f6e988fa9e60e
pdq/misc-images/modes/I.webp ad3344be0c11f966
pdq/misc-images/modes/L.png 56fed3d829ca1b79
pdq/misc-images/modes/LA.png 56fed3d829ca1b79
pdq/misc-images/modes/LAB.webp d4e125cce1ce2ea6
pdq/misc-images/modes/P.png 70a7714248089c1c
pdq/misc-images/modes/PA.webp dc00246da6c26d99
pdq/misc-images/modes/RGB.jpg a3571e3208079941
pdq/misc-images/modes/RGBA.png d38acec408403589
pdq/misc-images/modes/YCbCr.jpg 7f3031e9958a1741
pdq/misc-images/modes/original.jpg d38acec408403589
faces/bona.jpg d9373f0d78643f8e
faces/jimin.jpg 877e8ebf537a7d34
faces/joy.jpg 5c9f7e9a8c2115ca
`

func FuzzOpen(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.*")
	for _, name := range names {
		if b := file(f, filepath.Base(name)); len(b) < 8<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := cpu(t)
		got := open(b, semblance.Limits{Pixels: 1 << 18, Frames: 3}, media.Options{})
		if took := cpu(t) - before; took > 5*time.Second {
			t.Errorf("%v for a quarter of a megapixel", took)
		}
		if semblance.CodeOf(got.err) == semblance.Internal {
			t.Errorf("no code: %v", got.err)
		}
		for _, f := range got.frames {
			if f.Width*f.Height > 1<<18 || len(f.RGB) != 3*f.Width*f.Height {
				t.Errorf("a frame of %d by %d with %d bytes", f.Width, f.Height, len(f.RGB))
			}
		}
	})
}

// cpu is the processor time this process has taken, which other programs on the
// machine disturb less than the clock.
func cpu(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchmarkFaces decodes the photographs of SEMBLANCE_TESTDATA/faces one by one.
func benchmarkFaces(b *testing.B, o media.Options) {
	root := os.Getenv("SEMBLANCE_TESTDATA")
	names, _ := filepath.Glob(filepath.Join(root, "faces", "*.jpg"))
	if root == "" || len(names) == 0 {
		b.Skip("SEMBLANCE_TESTDATA is not set")
	}
	var all [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, data)
	}
	pixels, before := 0, cpu(b)
	for b.Loop() {
		for _, data := range all {
			got, err := media.OpenReader(bytes.NewReader(data), int64(len(data)), semblance.Limits{}, o)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := next(got); err != nil {
				b.Fatal(err)
			}
			a := got.Describe()
			pixels += a.Width * a.Height
			got.Close()
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N*len(all)), "cpu-ms/photograph")
	b.ReportMetric(float64(pixels)/1e6/float64(b.N*len(all)), "megapixels/photograph")
}

func BenchmarkJPEG(b *testing.B)          { benchmarkFaces(b, media.Options{}) }
func BenchmarkJPEGFaces(b *testing.B)     { benchmarkFaces(b, media.Options{MinSide: 640}) }
func BenchmarkJPEGThumbnail(b *testing.B) { benchmarkFaces(b, media.Options{MinSide: 256}) }

// TestNoPictureShowsThroughAnother opens a picture, closes it, and opens the first
// half of another one of the same size: the missing rows are gray, not the first's.
func TestNoPictureShowsThroughAnother(t *testing.T) {
	white := &semblance.Frame{Width: 640, Height: 480, RGB: bytes.Repeat([]byte{255}, 3*640*480)}
	noise := &semblance.Frame{Width: 640, Height: 480, RGB: make([]byte, 3*640*480)}
	for i := range noise.RGB {
		noise.RGB[i] = byte(i * i / 7 % 90)
	}
	for range 20 {
		for _, half := range []bool{false, true} {
			f := white
			if half {
				f = noise
			}
			b, err := media.EncodeJPEG(f, 90)
			if err != nil {
				t.Fatal(err)
			}
			if half {
				b = b[:len(b)/2]
			}
			p, err := media.OpenReader(bytes.NewReader(b), int64(len(b)), semblance.Limits{}, media.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for frame, err := range p.Frames() {
				if err != nil {
					t.Fatal(err)
				}
				if last := frame.RGB[len(frame.RGB)-1]; half && last != 128 {
					t.Fatalf("the last pixel of half a picture is %d", last)
				}
			}
			if half != (p.Describe().Partial != "") {
				t.Fatalf("half %v: Partial is %q", half, p.Describe().Partial)
			}
			p.Close()
		}
	}
}
