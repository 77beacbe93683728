//go:build cgo && native

package media_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/media"
)

// A mux makes HEIC files of films that ffmpeg has made.
type mux struct {
	testing.TB
	film []byte // moov at the end
}

func (m mux) box(kind string, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+8)), kind...), b...)
}

// find is where the content of the first box of a kind begins, and where it ends.
func (m mux) find(kind string) []byte {
	i := bytes.Index(m.film, []byte(kind))
	if i < 4 {
		m.Fatalf("the film has no %s", kind)
	}
	return m.film[i+4 : i-4+int(binary.BigEndian.Uint32(m.film[i-4:]))]
}

// sequence is the film as an image sequence, its tracks with these handlers.
func (m mux) sequence(handlers ...string) []byte {
	out := bytes.Clone(m.film)
	end := binary.BigEndian.Uint32(out)
	for i := 16; i < int(end); i += 4 {
		copy(out[i:], "msf1")
	}
	copy(out[8:], "hevc")
	rest := out[end:]
	for _, h := range handlers {
		i := bytes.Index(rest, []byte("\x00\x00\x00\x00vide"))
		if i < 0 {
			m.Fatal("the film has too few tracks")
		}
		copy(rest[i+4:], h)
		rest = rest[i:]
	}
	return out
}

// primary is a meta box that makes the first frame of the film its primary picture.
func (m mux) primary(width, height uint32) []byte {
	word := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	config := m.box("hvcC", m.find("hvcC"))
	offset, sizes := m.find("stco")[8:12], m.find("stsz")
	if binary.BigEndian.Uint32(sizes[4:]) != 0 {
		m.Fatal("all frames of the film are of one size")
	}
	zero := word(0)
	return m.box("meta", zero,
		m.box("hdlr", zero, zero, []byte("pict"), make([]byte, 13)),
		m.box("pitm", zero, []byte{0, 1}),
		m.box("iloc", zero, []byte{0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1}, offset, sizes[12:16]),
		m.box("iinf", zero, []byte{0, 1}, m.box("infe", []byte{2, 0, 0, 0, 0, 1, 0, 0}, []byte("hvc1"), []byte{0})),
		m.box("iprp", m.box("ipco", config, m.box("ispe", zero, word(width), word(height))),
			m.box("ipma", zero, word(1), []byte{0, 1, 2, 0x81, 2})))
}

// filmOf has ffmpeg make a film of HEVC.
func filmOf(t testing.TB, args ...string) mux {
	t.Helper()
	path := record(t, "film.mp4", append(args, "-c:v", "libx265", "-x265-params", "log-level=none:pools=1:frame-threads=1", "-preset", "ultrafast", "-tag:v", "hvc1")...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return mux{t, b}
}

func written(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shown are times and hashes of all frames of a video.
func shown(t testing.TB, path string) (semblance.Analysis, hashing.VPDQ) {
	t.Helper()
	var frames hashing.VPDQ
	a := watch(t, path, false, func(v *media.Video, f media.VideoFrame) {
		frames = append(frames, hashed(t, v, f))
	})
	return a, frames
}

const moving = "testsrc2=s=192x128:r=5:d=4"

func TestImageSequenceAlone(t *testing.T) {
	t.Parallel()
	m := filmOf(t, "-f", "lavfi", "-i", moving)
	_, want := shown(t, written(t, "film.mp4", m.film))
	data := m.sequence("pict")
	if !media.OnlySequence(bytes.NewReader(data), int64(len(data))) {
		t.Error("the sequence is not seen")
	}
	if media.OnlySequence(bytes.NewReader(m.film), int64(len(m.film))) {
		t.Error("an MP4 is taken for an image sequence")
	}
	a, got := shown(t, written(t, "sequence.heics", data))
	if a.Type != "image/heic" || a.Partial != "" || len(a.Warnings) > 0 || a.Video.Codec != "hevc" || a.Video.Duration != 4*time.Second || len(got) != 20 || !equal(got, want) {
		t.Errorf("%+v %+v: %d frames, where the film has %d", a, a.Video, len(got), len(want))
	}
	r := open(data, semblance.Limits{}, media.Options{})
	if semblance.CodeOf(r.err) != semblance.MediaUnsupported || !strings.Contains(r.err.Error(), "image sequence") {
		t.Errorf("as a picture: %v", r.err)
	}
	if _, err := openVideo(t, written(t, "large.heics", data), semblance.Limits{Pixels: 1000}, false); semblance.CodeOf(err) != semblance.MediaTooLarge {
		t.Errorf("over the limit on pixels: %v", err)
	}
	if a := watch(t, written(t, "cut.heics", cutMiddle(m, data)), false, nil); a.Partial == "" {
		t.Errorf("a sequence of which half is missing is whole: %d frames", a.Frames)
	}
}

// cutMiddle overwrites the second half of the frames.
func cutMiddle(m mux, data []byte) []byte {
	out := bytes.Clone(data)
	from := len(out) - len(m.find("moov")) - 8
	clear(out[from/2 : from])
	return out
}

func equal(a, b hashing.VPDQ) bool {
	x, err := a.MarshalBinary()
	y, err2 := b.MarshalBinary()
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// TestImageSequenceBesideAPicture: the picture is the picture, and the sequence a film of
// its own.
func TestImageSequenceBesideAPicture(t *testing.T) {
	t.Parallel()
	m := filmOf(t, "-f", "lavfi", "-i", moving)
	_, want := shown(t, written(t, "film.mp4", m.film))
	data := append(m.sequence("pict"), m.primary(192, 128)...)
	copy(data[20:], "mif1")
	r := open(data, semblance.Limits{}, media.Options{})
	if r.err != nil || len(r.frames) != 1 || r.a.Width != 192 || len(r.a.Warnings) != 1 || !strings.Contains(r.a.Warnings[0], semblance.SequenceName) {
		t.Fatalf("the picture: %v %+v", r.err, r.a)
	}
	if media.OnlySequence(bytes.NewReader(data), int64(len(data))) || !semblance.Carries(data[:64], data[len(data)-64:]) {
		t.Error("it is taken for a film alone, or not seen to hold one")
	}
	film, ok := media.SequenceFilm(bytes.NewReader(data), int64(len(data)))
	if !ok {
		t.Fatal("no film is seen")
	}
	b, err := io.ReadAll(io.NewSectionReader(film, 0, int64(len(data))))
	if err != nil || len(b) != len(data) || !bytes.Equal(b[28:], data[28:]) || media.Sniff(b) != "video/mp4" {
		t.Fatalf("the film is %d bytes of %d, %s: %v", len(b), len(data), media.Sniff(b), err)
	}
	part := make([]byte, 10)
	if n, err := film.ReadAt(part, 20); n != 10 || err != nil || !bytes.Equal(part, b[20:30]) {
		t.Errorf("read across the brands: %d %v %q", n, err, part)
	}
	if a, got := shown(t, written(t, "sequence.mp4", b)); a.Partial != "" || len(got) != 20 || !equal(got, want) {
		t.Errorf("%+v: %d frames, where the film has %d", a, len(got), len(want))
	}
	for name, data := range map[string][]byte{"a film": m.film, "a sequence alone": m.sequence("pict"), "a picture": file(t, "gradient.heic"), "a cut one": data[:20], "nothing": nil} {
		if _, ok := media.SequenceFilm(bytes.NewReader(data), int64(len(data))); ok {
			t.Errorf("%s has a sequence beside its picture", name)
		}
	}
}

// TestImageSequenceWithAlpha: how transparent the frames are is not what is looked at,
// even where it comes first.
func TestImageSequenceWithAlpha(t *testing.T) {
	t.Parallel()
	m := filmOf(t, "-f", "lavfi", "-i", "color=gray:s=96x64:r=5:d=1", "-f", "lavfi", "-i", "testsrc2=s=192x128:r=5:d=1", "-map", "0", "-map", "1")
	a, _ := shown(t, written(t, "alpha.heics", m.sequence("auxv", "pict")))
	if a.Width != 192 || len(a.Warnings) > 0 {
		t.Errorf("with alpha first: %d pixels wide, %q", a.Width, a.Warnings)
	}
	a, _ = shown(t, written(t, "two.heics", m.sequence("pict", "pict")))
	if a.Width != 96 || len(a.Warnings) != 1 {
		t.Errorf("with two sequences: %d pixels wide, %q", a.Width, a.Warnings)
	}
}

// TestAnimatedAVIF reads what ffmpeg writes of one.
func TestAnimatedAVIF(t *testing.T) {
	t.Parallel()
	if out := encoders(t); !strings.Contains(out, "libaom-av1") {
		t.Skip("ffmpeg has no encoder of AV1")
	}
	path := record(t, "x.avif", "-f", "lavfi", "-i", "testsrc2=s=96x64:r=5:d=2", "-c:v", "libaom-av1", "-cpu-used", "8", "-row-mt", "0", "-threads", "1")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r := open(data, semblance.Limits{}, media.Options{}); r.err != nil || r.a.Type != "image/avif" || len(r.frames) != 1 {
		t.Errorf("the picture: %v %+v", r.err, r.a)
	}
	film, ok := media.SequenceFilm(bytes.NewReader(data), int64(len(data)))
	if !ok {
		t.Fatal("no sequence is seen")
	}
	b, err := io.ReadAll(io.NewSectionReader(film, 0, int64(len(data))))
	if err != nil {
		t.Fatal(err)
	}
	if a, got := shown(t, written(t, "x.mp4", b)); len(got) != 10 || a.Video.Codec != "av1" || a.Video.Seen != 1800*time.Millisecond || a.Partial != "" {
		t.Errorf("%d frames %+v %+v", len(got), a, a.Video)
	}
}
