package media

// Inside the package, because headers are read before anything is exported and
// these tests run without cgo.

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
)

func seeds(t testing.TB, pattern string) [][]byte {
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in testdata: %v", pattern, err)
	}
	var all [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// FuzzHeaders puts any bytes into every header reader: no panic, and no size
// that is negative.
func FuzzHeaders(f *testing.F) {
	for _, b := range seeds(f, "*.*") {
		f.Add(b[:min(len(b), 4096)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(kind string, err error, sizes ...int) {
			if err != nil && semblance.CodeOf(err) == semblance.Internal {
				t.Errorf("%s: an error without a code: %v", kind, err)
			}
			if err == nil && slices.Min(sizes) < 0 {
				t.Errorf("%s: sizes %d", kind, sizes)
			}
		}
		j, err := readJPEGHead(b)
		check("jpeg", err, j.width, j.height)
		n, err := readPNGHead(b)
		check("png", err, n.width, n.height, n.frames)
		w, err := readWebPHead(b)
		check("webp", err, w.width, w.height, w.frames)
		h, err := readHEIF(b)
		check("heif", err, h.width, h.height, h.orientation)
		pages, _, err := readTIFF(b)
		for _, page := range pages {
			check("tiff", err, page.width, page.height)
		}
		m, err := readBMPHead(b)
		if err == nil && m.width > 0 && m.width*m.height < 1<<16 {
			p := picture{data: b, limits: semblance.DefaultLimits()}
			if f, err := p.decodeBMP(&m); err == nil && len(f.RGB) != 3*m.width*m.height {
				t.Error("bmp: a frame of a wrong size")
			}
		}
	})
}

// FuzzGIF walks and draws any bytes.
func FuzzGIF(f *testing.F) {
	f.Add(encodeGIF(f, disposals(9)))
	f.Add(encodeGIF(f, disposals(2))[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &picture{data: b, limits: semblance.Limits{Pixels: 1 << 16}.WithDefaults()}
		if err := openGIF(p); err != nil {
			return
		}
		n := 0
		for frame, err := range p.Frames() {
			if err == nil && len(frame.RGB) != 3*p.a.Width*p.a.Height {
				t.Error("a frame of a wrong size")
			}
			n++
		}
		if n > p.limits.Frames {
			t.Errorf("%d frames, over the limit", n)
		}
	})
}

// FuzzEXIF reads any bytes as EXIF: whatever they are, they give metadata or a
// warning, and orientation stays within 0 and 8.
func FuzzEXIF(f *testing.F) {
	for _, b := range seeds(f, "exif.jpg") {
		h, err := readJPEGHead(b)
		if err != nil || len(h.exif) == 0 {
			f.Fatal("no EXIF in exif.jpg")
		}
		f.Add(h.exif)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &picture{}
		p.readEXIF(b)
		if o := p.a.Orientation; o < 0 || o > 8 {
			t.Errorf("orientation %d", o)
		}
		if m := p.a.Metadata; m.Latitude != nil && (*m.Latitude > 90 || *m.Latitude < -90) {
			t.Errorf("latitude %v", *m.Latitude)
		}
	})
}

func TestTurnedTwiceIsAGroup(t *testing.T) {
	t.Parallel()
	if got := turnedTwice(6, 6); got != 3 {
		t.Errorf("two quarters are orientation %d, want 3", got)
	}
	for o := 1; o <= 8; o++ {
		if turnedTwice(o, 1) != o || turnedTwice(1, o) != o || turnedTwice(o, undone(o)) != 1 {
			t.Errorf("orientation %d: identity or inverse is wrong", o)
		}
		row := map[int]bool{}
		for then := 1; then <= 8; then++ {
			row[turnedTwice(o, then)] = true
		}
		if len(row) != 8 {
			t.Errorf("orientation %d: %d results of 8", o, len(row))
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, want int
		s       []int
	}{{1, 8, []int{0}}, {3, 8, []int{0, 1, 2}}, {12, 4, []int{0, 3, 6, 9}}, {10, 3, []int{0, 3, 6}}, {5, 0, []int{0}}} {
		if got := spread(c.n, c.want); !slices.Equal(got, c.s) {
			t.Errorf("spread(%d, %d) = %v, want %v", c.n, c.want, got, c.s)
		}
	}
}

func TestClockKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at, zone, want string
		ok             bool
	}{
		{"2019:05:04 10:11:12", "+02:00", "2019-05-04T10:11:12+02:00", true},
		{"2019:05:04 10:11:12", "", "2019-05-04T10:11:12", true},
		{"2019:05:04 10:11:12", "summer", "2019-05-04T10:11:12", true},
		{"0000:00:00 00:00:00", "", "", true},
		{"    :  :     :  :  ", "", "", true},
		{"", "", "", true},
		{"2019:13:04 10:11:12", "", "", false},
		{"yesterday", "", "", false},
	} {
		got, ok := clock(c.at)
		if zone := zoneOf(c.zone); got != "" && zone != semblance.ZoneUnknown {
			got += zone
		}
		if got != c.want || ok != c.ok {
			t.Errorf("%q, %q are %q, %v", c.at, c.zone, got, ok)
		}
	}
}

// disposals is an animation that uses every disposal, transparency, parts of the
// canvas and interlacing (image/gif cannot write that; a test below sets it).
func disposals(n int) *gif.GIF {
	table := color.Palette{color.RGBA{10, 20, 30, 255}, color.RGBA{200, 0, 0, 255}, color.RGBA{0, 200, 0, 255}, color.RGBA{0, 0, 200, 255}, color.RGBA{}}
	g := &gif.GIF{Config: image.Config{ColorModel: table, Width: 23, Height: 17}, BackgroundIndex: 0}
	for i := range n {
		r := image.Rect(i%5, i%3, 23-i%4, 17-i%6)
		if i == 0 || i == 7 {
			r = image.Rect(0, 0, 23, 17)
		}
		m := image.NewPaletted(r, table)
		for j := range m.Pix {
			m.Pix[j] = byte((j*7 + i*3) % 5)
			if i == 0 || i == 7 {
				m.Pix[j] %= 4
			}
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 5)
		g.Disposal = append(g.Disposal, byte(i%4))
	}
	return g
}

func encodeGIF(t testing.TB, g *gif.GIF) []byte {
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawSlow composes with image/gif and image/draw, every frame one after the
// other.
func drawSlow(t *testing.T, data []byte) [][]byte {
	g, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	table := g.Config.ColorModel.(color.Palette)
	canvas := image.NewRGBA(image.Rect(0, 0, g.Config.Width, g.Config.Height))
	draw.Draw(canvas, canvas.Rect, image.NewUniform(table[g.BackgroundIndex]), image.Point{}, draw.Src)
	var frames [][]byte
	for i, m := range g.Image {
		before := image.NewRGBA(canvas.Rect)
		copy(before.Pix, canvas.Pix)
		draw.Draw(canvas, m.Rect, m, m.Rect.Min, draw.Over)
		var rgb []byte
		for j := 0; j < len(canvas.Pix); j += 4 {
			rgb = append(rgb, canvas.Pix[j:j+3]...)
		}
		frames = append(frames, rgb)
		switch g.Disposal[i] {
		case gif.DisposalBackground:
			back := table[g.BackgroundIndex]
			if slices.ContainsFunc(m.Palette, func(c color.Color) bool { _, _, _, a := c.RGBA(); return a == 0 }) {
				back = color.RGBA{0, 0, 0, 255} // the color under image/gif's transparent index
			}
			draw.Draw(canvas, m.Rect, image.NewUniform(back), image.Point{}, draw.Src)
		case gif.DisposalPrevious:
			canvas = before
		}
	}
	return frames
}

func TestGIFDrawsLikeImageDraw(t *testing.T) {
	t.Parallel()
	data := encodeGIF(t, disposals(20))
	want := drawSlow(t, data)
	for _, limit := range []int{20, 7, 3, 1} { // fewer frames pass over others
		p := &picture{data: data, limits: semblance.Limits{Frames: limit}.WithDefaults()}
		if err := openGIF(p); err != nil {
			t.Fatal(err)
		}
		n := 0
		for f, err := range p.Frames() {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.RGB, want[f.Index]) {
				t.Errorf("limit %d: frame %d differs", limit, f.Index)
			}
			n++
		}
		if n != limit || p.Describe().Frames != 20 || p.Describe().Partial != "" {
			t.Errorf("limit %d: %d frames, %+v", limit, n, p.Describe())
		}
	}
}

// Interlaced rows come in four passes; image/gif reads them back.
func TestGIFInterlaced(t *testing.T) {
	t.Parallel()
	for _, h := range []int{1, 2, 3, 5, 8, 9, 17} {
		f := gifFrame{h: h, interlaced: true}
		seen := map[int]bool{}
		for i := range h {
			seen[f.row(i)] = true
		}
		if len(seen) != h || !seen[0] || !seen[h-1] {
			t.Errorf("height %d: rows %v", h, seen)
		}
	}
	data := encodeGIF(t, disposals(1))
	at := bytes.IndexByte(data, 0x2c) + 9
	data[at] |= 0x40
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	p := &picture{data: data, limits: semblance.DefaultLimits()}
	if err := openGIF(p); err != nil {
		t.Fatal(err)
	}
	for f, err := range p.Frames() {
		if err != nil {
			t.Fatal(err)
		}
		for i := range 23 * 17 {
			r, g, b, _ := m.At(i%23, i/23).RGBA()
			if [3]byte(f.RGB[3*i:]) != [3]byte{byte(r), byte(g), byte(b)} {
				t.Fatalf("pixel %d differs", i)
			}
		}
	}
}
