//go:build cgo && native

package media_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"semblance"
	"semblance/media"
)

// pngOf makes a PNG of raw chunks.
func pngOf(chunks ...string) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	for _, c := range chunks {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c)-4))
		b = append(b, c...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(c)))
	}
	return b
}

// A PNG whose data is less, or more, than its header promises.
func TestPNGWithOtherData(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	m := image.NewNRGBA(image.Rect(0, 0, 10, 10))
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	for height, partial := range map[byte]bool{10: false, 20: true, 5: false} {
		data := bytes.Clone(b.Bytes())
		data[23] = height
		binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
		got := open(data, semblance.Limits{}, media.Options{})
		if got.err != nil || (got.a.Partial != "") != partial {
			t.Errorf("height %d: %v, %+v", height, got.err, got.a)
		}
		if height == 20 && !strings.Contains(got.a.Partial, "50% of the rows") {
			t.Errorf("partial is %q", got.a.Partial)
		}
	}
}

// Every color model image/png writes, against the values put in. Alpha is
// dropped and 16 bits lose their lower 8.
func TestPNGColorModels(t *testing.T) {
	t.Parallel()
	r := image.Rect(0, 0, 33, 9)
	for name, m := range map[string]interface {
		image.Image
		Set(x, y int, c color.Color)
	}{
		"gray": image.NewGray(r), "gray16": image.NewGray16(r), "nrgba": image.NewNRGBA(r), "nrgba64": image.NewNRGBA64(r),
		"palette": image.NewPaletted(r, color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{200, 100, 50, 128}, color.NRGBA{9, 8, 7, 0}}),
	} {
		for y := range r.Dy() {
			for x := range r.Dx() {
				m.Set(x, y, color.NRGBA{byte(7 * x), byte(28 * y), byte(x * y), byte(1 + 250*(x%2))})
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		got := open(b.Bytes(), semblance.Limits{}, media.Options{})
		if got.err != nil {
			t.Fatalf("%s: %v", name, got.err)
		}
		for i := range r.Dx() * r.Dy() {
			if p, want := pixel(got.frames[0], i%r.Dx(), i/r.Dx()), straight(m.At(i%r.Dx(), i/r.Dx())); p != want {
				t.Fatalf("%s: pixel %d is %v, want %v", name, i, p, want)
			}
		}
	}
}

// straight are the 8-bit values as they are stored.
func straight(c color.Color) [3]byte {
	switch c := c.(type) {
	case color.Gray16:
		return [3]byte{byte(c.Y >> 8), byte(c.Y >> 8), byte(c.Y >> 8)}
	case color.NRGBA64:
		return [3]byte{byte(c.R >> 8), byte(c.G >> 8), byte(c.B >> 8)}
	case color.NRGBA:
		return [3]byte{c.R, c.G, c.B}
	}
	g := c.(color.Gray)
	return [3]byte{g.Y, g.Y, g.Y}
}
