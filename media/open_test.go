//go:build cgo && native

package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/media"
)

// opened is what one decode gave.
type opened struct {
	a      semblance.Analysis
	frames []*semblance.Frame
	err    error
}

// open decodes everything; frames are copied.
func open(data []byte, limits semblance.Limits, o media.Options) opened {
	p, err := media.OpenReader(bytes.NewReader(data), int64(len(data)), limits, o)
	if err != nil {
		return opened{err: err}
	}
	defer p.Close()
	var r opened
	for f, err := range p.Frames() {
		if err != nil {
			r.err = err
			break
		}
		c := *f
		c.RGB = bytes.Clone(f.RGB)
		r.frames = append(r.frames, &c)
	}
	r.a = p.Describe()
	return r
}

func file(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gradient is the picture that testdata/make.py draws.
func gradient(w, h, blue int) *semblance.Frame {
	f := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 0, 3*w*h)}
	for y := range h {
		for x := range w {
			b := (x + y) * 255 / (w + h)
			if blue >= 0 {
				b = blue
			}
			f.RGB = append(f.RGB, byte(x*255/w), byte(y*255/h), byte(b))
		}
	}
	return f
}

// far is the greatest difference of two frames, 256 when their sizes differ.
func far(a, b *semblance.Frame) int {
	if a.Width != b.Width || a.Height != b.Height || len(a.RGB) != len(b.RGB) {
		return 256
	}
	d := 0
	for i := range a.RGB {
		d = max(d, int(a.RGB[i])-int(b.RGB[i]), int(b.RGB[i])-int(a.RGB[i]))
	}
	return d
}

func TestEveryFormatGivesTheGradient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mediaType string
		w, h            int
		tolerance       int // 0 for formats that keep every pixel
	}{
		{"gradient.heic", "image/heic", 48, 32, 12}, {"crop.heic", "image/heic", 47, 31, 12},
		{"alpha.heic", "image/heic", 48, 32, 12}, {"10bit.heic", "image/heic", 48, 32, 12}, {"orientation-1.avif", "image/avif", 48, 32, 12},
		{"lossy.webp", "image/webp", 48, 32, 20}, {"alpha.webp", "image/webp", 48, 32, 0},
		{"baseline.jpg", "image/jpeg", 160, 120, 12}, {"progressive.jpg", "image/jpeg", 160, 120, 12}, {"restarts.jpg", "image/jpeg", 160, 120, 12},
		{"cmyk.jpg", "image/jpeg", 160, 120, 12},
		{"alpha.tif", "image/tiff", 48, 32, 0}, {"cmyk.tif", "image/tiff", 48, 32, 0}, {"jpeg.tif", "image/tiff", 48, 32, 12},
		{"tiled.tif", "image/tiff", 48, 32, 0}, {"upside-down.tif", "image/tiff", 48, 32, 0},
		{"interlaced.png", "image/png", 48, 32, 0}, {"rgb565.bmp", "image/bmp", 48, 32, 16},
	} {
		got := open(file(t, c.name), semblance.Limits{}, media.Options{})
		switch {
		case got.err != nil:
			t.Errorf("%s: %v", c.name, got.err)
		case got.a.Type != c.mediaType || got.a.Width != c.w || got.a.Height != c.h || got.a.Frames != 1 || len(got.frames) != 1:
			t.Errorf("%s: %+v and %d frames", c.name, got.a, len(got.frames))
		case got.a.Partial != "" || got.a.Decoder == "":
			t.Errorf("%s: %+v", c.name, got.a)
		case far(got.frames[0], gradient(c.w, c.h, -1)) > c.tolerance:
			t.Errorf("%s: pixels differ by up to %d", c.name, far(got.frames[0], gradient(c.w, c.h, -1)))
		}
	}
}

// The pixels of every orientation are the same, only what to do with them
// differs; and a TIFF's orientation is not applied by its decoder.
func TestOrientationIsReportedNotApplied(t *testing.T) {
	t.Parallel()
	for o := 2; o <= 8; o++ {
		got := open(file(t, "orientation-"+string(rune('0'+o))+".avif"), semblance.Limits{}, media.Options{})
		if got.err != nil || got.a.Orientation != o || far(got.frames[0], gradient(48, 32, -1)) > 12 {
			t.Errorf("orientation %d: %v, %+v", o, got.err, got.a)
		}
	}
	for name, want := range map[string]int{"upside-down.tif": 3, "exif.jpg": 6, "exif.png": 6, "exif.webp": 6, "exif.tif": 6, "exif.heic": 0} {
		if got := open(file(t, name), semblance.Limits{}, media.Options{}); got.err != nil || got.a.Orientation != want {
			t.Errorf("%s: orientation %d, want %d (%v)", name, got.a.Orientation, want, got.err)
		}
	}
}

// A HEIC that is cropped and turned: libheif does both at once, and the turn is
// undone. The file is crop.heic with its pixi property made an irot.
func TestCroppedAndTurned(t *testing.T) {
	t.Parallel()
	for angle, want := range map[byte]int{1: 8, 2: 3, 3: 6} {
		data := bytes.Clone(file(t, "crop.heic"))
		at := bytes.Index(data, []byte("pixi"))
		copy(data[at:], []byte{'i', 'r', 'o', 't', angle})
		data = bytes.Replace(data, []byte{5, 0x81, 2, 3, 5, 0x84}, []byte{5, 0x81, 2, 3, 0x84, 0x85}, 1) // after the crop
		got := open(data, semblance.Limits{}, media.Options{})
		if got.err != nil || got.a.Orientation != want || far(got.frames[0], gradient(47, 31, -1)) > 12 {
			t.Errorf("angle %d: %v, %+v", angle, got.err, got.a)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"exif.jpg", "exif.png", "exif.webp", "exif.heic"} {
		got := open(file(t, name), semblance.Limits{}, media.Options{})
		m := got.a.Metadata
		if got.err != nil || len(got.a.Warnings) > 0 || m.Latitude == nil || m.Longitude == nil {
			t.Fatalf("%s: %v, %+v", name, got.err, got.a)
		}
		if math.Abs(*m.Latitude+33.51) > 1e-9 || math.Abs(*m.Longitude+70.25) > 1e-9 {
			t.Errorf("%s: at %v, %v", name, *m.Latitude, *m.Longitude)
		}
		m.Latitude, m.Longitude = nil, nil
		want := semblance.Metadata{Taken: "2019-05-04T10:11:12+02:00", Make: "ACME", Model: "Phone 1", Serial: "SN 42", Software: "Firmware 2",
			Times: []semblance.MetadataTime{{Source: "exif:DateTimeOriginal", Time: "2019-05-04T10:11:12", Zone: "+02:00"}}}
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// Damage EXIF at every byte: the picture still comes, whole.
func TestBrokenEXIFNeverFailsAPicture(t *testing.T) {
	t.Parallel()
	data := file(t, "exif.jpg")
	want := open(data, semblance.Limits{}, media.Options{}).frames[0]
	start := bytes.Index(data, []byte("Exif\x00\x00")) + 6
	end := bytes.Index(data, []byte{0xff, 0xdb})
	warned := 0
	for i := start; i < end; i++ {
		b := bytes.Clone(data)
		b[i] ^= 0xff
		got := open(b, semblance.Limits{}, media.Options{})
		if got.err != nil || got.a.Partial != "" || far(got.frames[0], want) != 0 {
			t.Fatalf("byte %d: %v, %+v", i, got.err, got.a)
		}
		warned += len(got.a.Warnings)
	}
	if warned == 0 {
		t.Error("no damage was worth a warning")
	}
}

func TestAnimations(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"animated.webp", "pages.tif"} {
		for _, limit := range []int{1, 4, 12, 100} {
			got := open(file(t, name), semblance.Limits{Frames: limit}, media.Options{})
			if got.err != nil || got.a.Frames != 12 || len(got.frames) != min(12, limit) {
				t.Fatalf("%s: %v, %d frames, %+v", name, got.err, len(got.frames), got.a)
			}
			for i, f := range got.frames {
				if f.Index != i*12/min(12, limit) {
					t.Errorf("%s, limit %d: frame %d has index %d", name, limit, i, f.Index)
				}
				blue := 20 * f.Index
				if name == "pages.tif" && f.Index == 0 {
					blue = -1
				}
				if d := far(f, gradient(48, 32, blue)); d != 0 {
					t.Errorf("%s: frame %d differs by %d", name, f.Index, d)
				}
			}
			if warned := len(got.a.Warnings) > 0; warned != (limit < 12) {
				t.Errorf("%s, limit %d: warnings %q", name, limit, got.a.Warnings)
			}
		}
	}
	if got := open(file(t, "animated.png"), semblance.Limits{}, media.Options{}); got.err != nil || got.a.Frames != 3 || len(got.frames) != 1 || len(got.a.Warnings) != 1 {
		t.Errorf("animated.png: %v, %+v", got.err, got.a)
	}
}

// Every file of testdata, cut at many places: an error with a code, or a part
// that says so, or exactly the whole picture. Never anything else.
func TestTruncatedIsNeverWhole(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("testdata/*.*")
	for _, path := range names {
		name := filepath.Base(path)
		if name == "make.py" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := file(t, name)
			whole := open(data, semblance.Limits{}, media.Options{})
			if whole.err != nil {
				t.Fatal(whole.err)
			}
			step := max(1, len(data)/400)
			partial := 0
			for n := 1; n < len(data); n += step {
				if judgeCut(t, open(data[:n], semblance.Limits{}, media.Options{}), whole, n) {
					partial++
				}
			}
			if slices.Contains([]string{".jpg", ".png", ".bmp", ".webp"}, filepath.Ext(name)) && name != "alpha.webp" && partial == 0 {
				t.Error("no cut gave a part")
			}
		})
	}
}

// judgeCut reports whether a cut file was decoded in part.
func judgeCut(t *testing.T, got, whole opened, n int) bool {
	t.Helper()
	if got.err != nil {
		if code := semblance.CodeOf(got.err); code != semblance.MediaDamaged && code != semblance.MediaUnsupported {
			t.Errorf("%d bytes: %s: %v", n, code, got.err)
		}
		return false
	}
	if got.a.Partial != "" {
		return len(got.frames) > 0
	}
	if len(got.frames) != len(whole.frames) {
		t.Errorf("%d bytes: %d of %d frames, passed off as whole", n, len(got.frames), len(whole.frames))
		return false
	}
	for i, f := range got.frames {
		if d := far(f, whole.frames[i]); d != 0 {
			t.Errorf("%d bytes: frame %d differs by %d, passed off as whole; %q", n, i, d, got.a.Warnings)
		}
	}
	return false
}

func TestHalfAJPEGSaysHowMuchIsThere(t *testing.T) {
	t.Parallel()
	data := file(t, "baseline.jpg")
	whole := open(data, semblance.Limits{}, media.Options{}).frames[0]
	start := bytes.Index(data, []byte{0xff, 0xda})
	got := open(data[:start+(len(data)-start)/2], semblance.Limits{}, media.Options{})
	var rows int
	if got.err != nil || len(got.frames) != 1 || !strings.HasPrefix(got.a.Partial, "truncated after ") {
		t.Fatalf("%v, %+v", got.err, got.a)
	}
	for _, r := range strings.TrimSuffix(strings.Fields(got.a.Partial)[2], "%") {
		rows = rows*10 + int(r-'0')
	}
	rows = rows * whole.Height / 100
	if rows < whole.Height/4 || rows > whole.Height*3/4 {
		t.Errorf("half of the data gave %q", got.a.Partial)
	}
	if n := 3 * whole.Width * (rows - 1); !bytes.Equal(got.frames[0].RGB[:n], whole.RGB[:n]) {
		t.Error("the rows that are said to be genuine are not")
	}
	last := got.frames[0].RGB[len(whole.RGB)-3:]
	if !bytes.Equal(last, []byte{128, 128, 128}) && bytes.Equal(last, whole.RGB[len(whole.RGB)-3:]) {
		t.Errorf("the last pixel is %v", last)
	}
}

func TestCorruptJPEGIsPartial(t *testing.T) {
	t.Parallel()
	data := file(t, "baseline.jpg")
	start := bytes.Index(data, []byte{0xff, 0xda}) + 14
	b := bytes.Clone(data)
	copy(b[start+(len(b)-start)/3:], []byte{0xff, 0xd9}) // an end marker in the middle
	if got := open(b, semblance.Limits{}, media.Options{}); got.err != nil || got.a.Partial == "" {
		t.Errorf("%v, %+v", got.err, got.a)
	}
	b = append(bytes.Clone(data), "carved with whatever follows \xff\xd8\xff\xe0"...)
	if got := open(b, semblance.Limits{}, media.Options{}); got.err != nil || got.a.Partial != "" || len(got.a.Warnings) > 0 {
		t.Errorf("bytes after the end: %v, %+v", got.err, got.a)
	}
	b = append([]byte("junk"), data...)
	if got := open(b, semblance.Limits{}, media.Options{}); !errors.Is(got.err, semblance.MediaUnsupported) {
		t.Errorf("bytes before the start: %v", got.err)
	}
}

// Any byte of any file changed: an answer, never a crash. Whatever comes has the
// promised size.
func TestFlippedBytes(t *testing.T) {
	t.Parallel()
	names, _ := filepath.Glob("testdata/*.*")
	for _, path := range names {
		name := filepath.Base(path)
		data := file(t, name)
		for i := 0; i < len(data); i += max(1, len(data)/150) {
			b := bytes.Clone(data)
			b[i] ^= byte(1 << (i % 8))
			got := open(b, semblance.Limits{Pixels: 1e6}, media.Options{})
			if semblance.CodeOf(got.err) == semblance.Internal {
				t.Errorf("%s, byte %d: %v", name, i, got.err)
			}
			for _, f := range got.frames {
				if len(f.RGB) != 3*f.Width*f.Height {
					t.Errorf("%s, byte %d: a frame of a wrong size", name, i)
				}
			}
		}
	}
}

// A few bytes that promise billions of pixels are refused by their header, and
// the sentence has both numbers.
func TestHugeSizesAreRefusedByTheirHeader(t *testing.T) {
	t.Parallel()
	jpeg := bytes.Clone(file(t, "baseline.jpg"))
	sof := bytes.Index(jpeg, []byte{0xff, 0xc0})
	copy(jpeg[sof+5:], []byte{0xff, 0xff, 0xff, 0xff})
	heic := bytes.Clone(file(t, "gradient.heic"))
	ispe := bytes.Index(heic, []byte("ispe"))
	copy(heic[ispe+8:], []byte{0, 1, 0, 0, 0, 1, 0, 0})
	bmp := bytes.Clone(file(t, "rgb565.bmp"))
	copy(bmp[18:], []byte{0, 0, 1, 0, 0, 0, 1, 0})
	tif := bytes.Clone(file(t, "tiled.tif"))
	patchTIFF(t, tif, 256, 65536)
	patchTIFF(t, tif, 257, 65536)
	webp := bytes.Clone(file(t, "animated.webp"))
	copy(webp[24:], []byte{0xff, 0xff, 0, 0xff, 0xff, 0})
	for name, c := range map[string]struct {
		data []byte
		w    string
	}{
		"jpeg": {jpeg, "65535 by 65535"}, "heic": {heic, "65536 by 65536"}, "bmp": {bmp, "65536 by 65536"}, "tiff": {tif, "65536 by 65536"},
		"webp": {webp, "65536 by 65536"},
		"png":  {pngOf("IHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x02\x00\x00\x00", "IDATxx", "IEND"), "50000 by 50000"},
		"gif":  {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b"), "65535 by 65535"},
	} {
		got := open(c.data, semblance.Limits{}, media.Options{})
		if !errors.Is(got.err, semblance.MediaTooLarge) {
			t.Errorf("%s: %v, want media-too-large", name, got.err)
			continue
		}
		for _, part := range []string{c.w, "200000000"} {
			if !strings.Contains(got.err.Error(), part) {
				t.Errorf("%s: %q does not say %s", name, got.err, part)
			}
		}
		if semblance.HintOf(got.err) == "" {
			t.Errorf("%s: no hint", name)
		}
	}
}

// patchTIFF sets the value of a short or long tag in the first directory of a
// little-endian TIFF, making it a long.
func patchTIFF(t *testing.T, data []byte, tag uint16, value uint32) {
	t.Helper()
	at := binary.LittleEndian.Uint32(data[4:])
	for i := range int(binary.LittleEndian.Uint16(data[at:])) {
		e := data[int(at)+2+12*i:]
		if binary.LittleEndian.Uint16(e) == tag {
			binary.LittleEndian.PutUint16(e[2:], 4)
			binary.LittleEndian.PutUint32(e[8:], value)
			return
		}
	}
	t.Fatalf("no tag %d", tag)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	data := file(t, "baseline.jpg")
	for name, l := range map[string]semblance.Limits{
		"bytes": {Bytes: 100}, "pixels": {Pixels: 160*120 - 1}, "memory": {Memory: 50_000}, "memory of the file": {Memory: 4000},
	} {
		if got := open(data, l, media.Options{}); !errors.Is(got.err, semblance.MediaTooLarge) {
			t.Errorf("%s: %v, want media-too-large", name, got.err)
		}
	}
	if got := open(data, semblance.Limits{Pixels: 160 * 120}, media.Options{}); got.err != nil {
		t.Errorf("exactly the limit: %v", got.err)
	}
}

// A progressive JPEG of a few kilobytes with hundreds of scans costs as many
// walks over the picture.
func TestManyScansAreRefused(t *testing.T) {
	t.Parallel()
	data := file(t, "progressive.jpg")
	last := bytes.LastIndex(data, []byte{0xff, 0xda})
	bomb := bytes.Clone(data[:len(data)-2])
	for range 200 {
		bomb = append(bomb, data[last:len(data)-2]...)
	}
	bomb = append(bomb, 0xff, 0xd9)
	got := open(bomb, semblance.Limits{}, media.Options{})
	if !errors.Is(got.err, semblance.MediaTooLarge) || !strings.Contains(got.err.Error(), "100 scans") {
		t.Errorf("%v, want media-too-large", got.err)
	}
}

func TestNotAPicture(t *testing.T) {
	t.Parallel()
	jpeg := func(change func(b []byte, sof int)) []byte {
		b := bytes.Clone(file(t, "baseline.jpg"))
		change(b, bytes.Index(b, []byte{0xff, 0xc0}))
		return b
	}
	for _, c := range []struct {
		data []byte
		code semblance.Code
		says string
	}{
		{nil, semblance.MediaDamaged, "the file is empty"},
		{[]byte("holiday pictures"), semblance.MediaUnsupported, "text/plain"},
		{[]byte("%PDF-1.4 ..."), semblance.MediaUnsupported, "application/pdf"},
		{[]byte("\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), semblance.MediaUnsupported, "only pictures are looked at here"},
		{[]byte{0, 1, 2, 3, 4, 5}, semblance.MediaUnsupported, "no known type"},
		{[]byte("8BPS\x00\x01"), semblance.MediaUnsupported, "image/vnd.adobe.photoshop"},
		{[]byte{0xff, 0xd8, 0xff}, semblance.MediaDamaged, "JPEG"},
		{jpeg(func(b []byte, sof int) { b[sof+4] = 12 }), semblance.MediaUnsupported, "12-bit JPEG"},
		{jpeg(func(b []byte, sof int) { b[sof+1] = 0xc3 }), semblance.MediaUnsupported, "lossless JPEG"},
		{jpeg(func(b []byte, sof int) { b[sof+1] = 0xc5 }), semblance.MediaUnsupported, "hierarchical JPEG"},
		{jpeg(func(b []byte, sof int) { b[sof+5], b[sof+6] = 0, 0 }), semblance.MediaUnsupported, "height"},
		{pngOf("CgBI\x50\x00\x20\x06", "IHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00"), semblance.MediaUnsupported, "CgBI"},
		{pngOf("IHDR\x00\x00\x00\x00\x00\x00\x00\x01\x08\x02\x00\x00\x00"), semblance.MediaDamaged, "0 by 1"},
	} {
		got := open(c.data, semblance.Limits{}, media.Options{})
		if semblance.CodeOf(got.err) != c.code || !strings.Contains(got.err.Error(), c.says) {
			t.Errorf("%.20q: %s %v, want %s with %q", c.data, semblance.CodeOf(got.err), got.err, c.code, c.says)
		}
	}
}
