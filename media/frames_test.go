package media_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"semblance"
	"semblance/media"
)

// noise is a frame of seeded random pixels.
func noise(w, h int) *semblance.Frame {
	r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	f := &semblance.Frame{Index: 3, Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for i := range f.RGB {
		f.RGB[i] = byte(r.Uint32())
	}
	return f
}

func same(a, b *semblance.Frame) bool {
	return a.Width == b.Width && a.Height == b.Height && bytes.Equal(a.RGB, b.RGB)
}

func pixel(f *semblance.Frame, x, y int) [3]byte { return [3]byte(f.RGB[3*(y*f.Width+x):]) }

// Where the upper left pixel of what a person sees is stored, and the one right
// of it: the table of the EXIF standard (row 0 is top, column 0 is left ...),
// written down independently of the code.
func TestUprightFollowsTheStandard(t *testing.T) {
	t.Parallel()
	const w, h = 131, 70 // more than a tile, and no multiple of one
	f := noise(w, h)
	for _, c := range []struct{ orientation, x0, y0, x1, y1 int }{
		{1, 0, 0, 1, 0}, {2, w - 1, 0, w - 2, 0}, {3, w - 1, h - 1, w - 2, h - 1}, {4, 0, h - 1, 1, h - 1},
		{5, 0, 0, 0, 1}, {6, 0, h - 1, 0, h - 2}, {7, w - 1, h - 1, w - 1, h - 2}, {8, w - 1, 0, w - 1, 1},
	} {
		up := media.Upright(f, c.orientation)
		if pixel(up, 0, 0) != pixel(f, c.x0, c.y0) || pixel(up, 1, 0) != pixel(f, c.x1, c.y1) {
			t.Errorf("orientation %d: the upper left corner is wrong", c.orientation)
		}
		if up.Index != f.Index {
			t.Errorf("orientation %d: index %d, want %d", c.orientation, up.Index, f.Index)
		}
	}
}

func TestUprightIsUndone(t *testing.T) {
	t.Parallel()
	inverse := map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {2, 3}, {64, 64}, {65, 127}, {200, 3}} {
		f := noise(size[0], size[1])
		kept := bytes.Clone(f.RGB)
		distinct := map[string]bool{}
		for o, back := range inverse {
			up := media.Upright(f, o)
			if !same(media.Upright(up, back), f) {
				t.Errorf("%v: orientation %d then %d is not the picture", size, o, back)
			}
			distinct[string(rune(up.Width))+string(up.RGB)] = true
		}
		if size == [2]int{65, 127} && len(distinct) != 8 {
			t.Errorf("%d different pictures of 8 orientations", len(distinct))
		}
		if !bytes.Equal(f.RGB, kept) {
			t.Errorf("%v: Upright wrote to its argument", size)
		}
	}
	f := noise(4, 5)
	for _, o := range []int{-1, 0, 1, 9} {
		if media.Upright(f, o) != f {
			t.Errorf("orientation %d: not the frame itself", o)
		}
	}
}

// fitSlow averages in float64, pixel by pixel of the source.
func fitSlow(f *semblance.Frame, w, h, x, y, c int) float64 {
	sum, area := 0.0, 0.0
	for sy := range f.Height {
		for sx := range f.Width {
			wx := overlap(float64(sx), 1, float64(x)*float64(f.Width)/float64(w), float64(f.Width)/float64(w))
			wy := overlap(float64(sy), 1, float64(y)*float64(f.Height)/float64(h), float64(f.Height)/float64(h))
			sum += wx * wy * float64(f.RGB[3*(sy*f.Width+sx)+c])
			area += wx * wy
		}
	}
	return sum / area
}

func overlap(a, an, b, bn float64) float64 { return max(0, min(a+an, b+bn)-max(a, b)) }

func TestFitAveragesAreas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ w, h, side, fw, fh int }{
		{60, 40, 30, 30, 20}, {61, 37, 17, 17, 10}, {37, 61, 36, 22, 36}, {100, 1, 7, 7, 1}, {5, 300, 20, 1, 20}, {9, 9, 1, 1, 1},
	} {
		f := noise(c.w, c.h)
		got := media.Fit(f, c.side)
		if got.Width != c.fw || got.Height != c.fh || len(got.RGB) != 3*c.fw*c.fh {
			t.Fatalf("%+v: %dx%d with %d bytes", c, got.Width, got.Height, len(got.RGB))
		}
		for i, v := range got.RGB {
			want := fitSlow(f, c.fw, c.fh, i/3%c.fw, i/3/c.fw, i%3)
			if d := want - float64(v); d > 0.5001 || d < -0.5001 {
				t.Fatalf("%+v: byte %d is %d, want %.3f", c, i, v, want)
			}
		}
	}
}

// The quick averages are the plain ones, byte for byte.
func TestFitIsPlainFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ w, h, side int }{
		{1, 1, 1}, {2, 3, 2}, {255, 257, 256}, {257, 255, 256}, {512, 384, 256}, {1500, 1000, 256}, {1400, 3, 1399}, {3, 1400, 700}, {2800, 11, 160}, {999, 1001, 333},
	} {
		f := noise(c.w, c.h)
		got := media.Fit(f, c.side)
		want := &semblance.Frame{Width: got.Width, Height: got.Height, RGB: make([]byte, len(got.RGB))}
		media.AveragePlain(want, f)
		if !bytes.Equal(got.RGB, want.RGB) {
			t.Errorf("%+v: the averages differ from the plain ones", c)
		}
	}
}

// Whether a frame is turned before or after it is made smaller, the pixels are the same.
func TestFitAndUprightCommute(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]int{{60, 41, 17}, {33, 100, 64}, {300, 7, 90}} {
		f := noise(c[0], c[1])
		for o := 1; o <= 8; o++ {
			a, b := media.Fit(media.Upright(f, o), c[2]), media.Upright(media.Fit(f, c[2]), o)
			if a.Width != b.Width || a.Height != b.Height || !bytes.Equal(a.RGB, b.RGB) {
				t.Errorf("%v, orientation %d: the pixels differ", c, o)
			}
		}
	}
}

func TestFitNeverEnlarges(t *testing.T) {
	t.Parallel()
	f := noise(20, 10)
	for _, side := range []int{20, 21, 1000, 0, -1} {
		if media.Fit(f, side) != f {
			t.Errorf("side %d: not the frame itself", side)
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	ftyp := func(brands string) string { return "\x00\x00\x00" + string(rune(8+len(brands))) + "ftyp" + brands }
	for head, want := range map[string]string{
		"":                                 "application/octet-stream",
		"\xff\xd8\xff\xe0\x00\x10JFIF":     "image/jpeg",
		"\x00\xff\xd8\xff\xe0\x00\x10JFIF": "application/octet-stream", // carved one byte too early
		"\x89PNG\r\n\x1a\n":                "image/png",
		"GIF89a":                           "image/gif",
		"RIFF\x00\x00\x00\x00WEBPVP8 ":     "image/webp",
		"RIFF\x00\x00\x00\x00AVI LIST":     "video/x-msvideo",
		"II*\x00\x08\x00\x00\x00":          "image/tiff",
		"MM\x00+\x00\x08\x00\x00":          "image/tiff",
		"BM\x36\x00\x0c\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00": "image/bmp",
		"BMW drivers and their cars":                                         "text/plain",
		ftyp("heic\x00\x00\x00\x00mif1heic"):                                 "image/heic",
		ftyp("mif1\x00\x00\x00\x00mif1heic"):                                 "image/heic",
		ftyp("avif\x00\x00\x00\x00avifmif1miaf"):                             "image/avif",
		ftyp("mif1\x00\x00\x00\x00mif1avifmiaf"):                             "image/avif",
		ftyp("mif1\x00\x00\x00\x00mif1"):                                     "image/heif",
		ftyp("isom\x00\x00\x02\x00isomiso2avc1mp41"):                         "video/mp4",
		ftyp("qt  \x00\x00\x02\x00qt  "):                                     "video/quicktime",
		"%PDF-1.7":                                                           "application/pdf",
		"PK\x03\x04\x14\x00":                                                 "application/zip",
		"SQLite format 3\x00":                                                "application/vnd.sqlite3",
		"Dear Sir,\nthis is no picture. ü":                                   "text/plain",
		"Dear Sir, cut within a rune \xc3":                                   "text/plain",
		"  <!DOCTYPE html><html>":                                            "text/html",
		"<?xml version='1.0'?><svg xmlns=''>":                                "image/svg+xml",
		"\x00\x01\x02\x03":                                                   "application/octet-stream",
		"#!AMR\n<":                                                           "audio/amr",
		"FORM\x00\x00\x00\x00AIFFCOMM":                                       "audio/aiff",
		strings.Repeat("\xff\xfb\x90\x00"+strings.Repeat("x", 413), 3):       "audio/mpeg",               // 128 kbit at 44.1 kHz
		"\xff\xfb\x90\x00" + strings.Repeat("x", 900):                        "application/octet-stream", // one frame of MP3, and no other
		"\xff\xfeH\x00e\x00l\x00l\x00o\x00":                                  "application/octet-stream", // UTF-16
		strings.Repeat("\xff", 4096):                                         "application/octet-stream",
		strings.Repeat("\x0b\x77..\x14\x40"+strings.Repeat("x", 762), 3):     "audio/ac3", // 192 kbit at 48 kHz
		strings.Repeat("\xff\xf1\x50\x80\x02\x1f\xfc123456789", 3):           "audio/aac", // frames of 16 bytes
		strings.Repeat("text ", 200) + "\x00\x01":                            "text/plain",
	} {
		if got := media.Sniff([]byte(head)); got != want {
			t.Errorf("%.30q is %s, want %s", head, got, want)
		}
	}
}

func FuzzSniff(f *testing.F) {
	f.Add([]byte("BMP"))
	f.Add([]byte("\x00\x00\x00\x18ftypmif1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := media.Sniff(b)
		if got == "" {
			t.Error("an empty type")
		}
		if again := media.Sniff(b[:min(len(b), media.SniffLen)]); again != got {
			t.Errorf("%s, but %s of the head alone", got, again)
		}
	})
}

func BenchmarkUpright(b *testing.B) {
	f := noise(4000, 3000)
	b.SetBytes(int64(len(f.RGB)))
	for b.Loop() {
		media.Upright(f, 6)
	}
}

func BenchmarkFit(b *testing.B) {
	f := noise(4000, 3000)
	b.SetBytes(int64(len(f.RGB)))
	for b.Loop() {
		media.Fit(f, 256)
	}
}

func BenchmarkFitPlain(b *testing.B) {
	f := noise(4000, 3000)
	to := media.Fit(f, 256)
	b.SetBytes(int64(len(f.RGB)))
	for b.Loop() {
		media.AveragePlain(to, f)
	}
}
