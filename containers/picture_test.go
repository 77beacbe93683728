package containers

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// multiPicture is a JPEG with an index that names a second one behind it.
func multiPicture(first, second string) string {
	mpf := "MPF\x00II*\x00\x08\x00\x00\x00\x01\x00\x02\xb0\x07\x00\x20\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00"
	segment := func(at int) string {
		entry := func(size, off int) string {
			b := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(size))
			b = binary.LittleEndian.AppendUint32(b, uint32(off))
			return string(append(b, 0, 0, 0, 0))
		}
		body := mpf + entry(at, 0) + entry(len(second), at-10)
		return "\xff\xe2" + string(binary.BigEndian.AppendUint16(nil, uint16(len(body)+2))) + body
	}
	whole := len(first) + len(segment(0))
	return first[:2] + segment(whole) + first[2:] + second
}

func TestPictureCarriesFiles(t *testing.T) {
	t.Parallel()
	a, b := picture(t, 1, 3000), picture(t, 2, 300)
	zip := "PK\x03\x04\x14\x00" + strings.Repeat("zip", 40)
	motion := func(r io.ReaderAt, size int64) (int64, int64, bool) { return size - 200, 150, true }
	none := func(io.ReaderAt, int64) (int64, int64, bool) { return 0, 0, false }
	for _, test := range []struct {
		story, content string
		motion         func(io.ReaderAt, int64) (int64, int64, bool)
		want           []string
		notes          int
		carries        bool
	}{
		{"a plain one", a, none, nil, 0, false},
		{"padding", a + strings.Repeat("\x00", 100), nil, nil, 0, false},
		{"a zip", a + zip, none, []string{"after the end.zip"}, 0, true},
		{"a zip behind padding", a + "\x00\x00\xff" + zip, none, []string{"after the end.zip"}, 0, true},
		{"another picture", a + "gap of some bytes" + b + "x", none, []string{"after the end+17.jpg"}, 0, true},
		{"two in one file", multiPicture(a, b), none, []string{"picture 2.jpg"}, 0, true},
		{"a motion photo", a + strings.Repeat("v", 150) + strings.Repeat("S", 50), motion, []string{"motion.mp4"}, 0, true},
		{"something", a + strings.Repeat("text ", 50), none, nil, 1, true},
		{"no end", a[:len(a)-20], none, nil, 1, true},
	} {
		all, facts, err := list(t, "x.jpg", []byte(test.content), Options{MotionVideo: test.motion})
		if err != nil || facts.Format != "picture" || !slices.Equal(names(all), test.want) || len(facts.Notes) != test.notes {
			t.Errorf("%s: %v %v %q", test.story, facts, err, names(all))
		}
		tail := test.content[max(0, len(test.content)-semblance.CarriesTail):]
		if got := semblance.Carries([]byte(test.content), []byte(tail)); got != test.carries && test.story != "padding" {
			t.Errorf("%s: carries %v", test.story, got)
		}
		for _, h := range all {
			if !strings.Contains(test.content, h.content) || h.err != nil || h.content[:4] != test.content[h.Offset:h.Offset+4] {
				t.Errorf("%s: %s at %d", test.story, h.Name, h.Offset)
			}
		}
	}
}

// TestPictureWithASequence: the film of an image sequence is made, and lies nowhere.
func TestPictureWithASequence(t *testing.T) {
	t.Parallel()
	box := func(kind, body string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + kind + body
	}
	heic := box("ftyp", "heic\x00\x00\x00\x00mif1msf1") + box("meta", strings.Repeat("m", 300)) + box("mdat", strings.Repeat("d", 300))
	film := strings.Repeat("f", len(heic))
	for _, test := range []struct {
		story string
		film  func(io.ReaderAt, int64) (io.ReaderAt, bool)
		want  []string
	}{
		{"with one", func(r io.ReaderAt, size int64) (io.ReaderAt, bool) {
			return strings.NewReader(film), size == int64(len(heic))
		}, []string{"sequence.mp4"}},
		{"with none", func(io.ReaderAt, int64) (io.ReaderAt, bool) { return nil, false }, nil},
		{"by who does not look", nil, nil},
	} {
		all, _, err := list(t, "x.heic", []byte(heic), Options{SequenceFilm: test.film})
		if err != nil || !slices.Equal(names(all), test.want) {
			t.Fatalf("%s: %v %q", test.story, err, names(all))
		}
		for _, h := range all {
			if h.content != film || h.Offset != -1 || h.Size != int64(len(film)) || h.err != nil {
				t.Errorf("%s: %+v", test.story, h)
			}
		}
	}
	plain := strings.Replace(heic, "msf1", "heic", 1)
	for content, want := range map[string]bool{heic: true, plain: false, heic[:14]: false} {
		if got := semblance.Carries([]byte(content), nil); got != want {
			t.Errorf("%q: carries %v", content[:14], got)
		}
	}
}
