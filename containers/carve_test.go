package containers

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// A memory is a device in memory; unreadable is where reading fails, empty is a hole.
type memory struct {
	b          []byte
	unreadable span
	empty      span
	read       int64
}

func (m *memory) Size() int64 { return max(int64(len(m.b)), m.empty.end) }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	m.read += int64(len(p))
	if u := m.unreadable; off < u.end && end > u.start {
		if off >= u.start {
			return 0, errors.New("EIO")
		}
		n, _ := bytes.NewReader(m.b).ReadAt(p[:u.start-off], off)
		return n, errors.New("EIO")
	}
	return bytes.NewReader(m.b).ReadAt(p, off)
}

func (m *memory) Data(from int64) (start, end int64) {
	if from >= m.empty.start && from < m.empty.end {
		from = m.empty.end
	}
	if from >= m.Size() {
		return m.Size(), m.Size()
	}
	return from, m.Size()
}

// noisy is a picture whose pixels differ by seed.
func noisy(seed uint64, side int) image.Image {
	r := rand.New(rand.NewPCG(seed, 7))
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			m.Set(x, y, color.RGBA{uint8(r.Uint32()), uint8(x), uint8(y), 255})
		}
	}
	return m
}

// noisyJPEG is one as JPEG.
func noisyJPEG(t testing.TB, seed uint64, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, noisy(seed, side), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withThumbnail puts a JPEG into an APP1 segment of another, as EXIF does.
func withThumbnail(whole, thumbnail []byte) []byte {
	app1 := append([]byte("Exif\x00\x00"), thumbnail...)
	return slices.Concat(whole[:2], []byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(app1)+2)), app1, whole[2:])
}

func box(kind string, content ...[]byte) []byte {
	body := slices.Concat(content...)
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8)), []byte(kind), body)
}

func ftyp(brand string) []byte { return box("ftyp", []byte(brand+"\x00\x00\x00\x00"+brand)) }

func chunk(kind string, content ...[]byte) []byte {
	body := slices.Concat(content...)
	b := slices.Concat([]byte(kind), binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body)
	return append(b, make([]byte, len(body)&1)...)
}

// samples are one small file of each format that is carved; those that Go has no encoder
// for have the structure and no picture.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	var p, g bytes.Buffer
	if err := png.Encode(&p, noisy(1, 60)); err != nil {
		t.Fatal(err)
	}
	if err := gif.Encode(&g, noisy(2, 60), nil); err != nil {
		t.Fatal(err)
	}
	movie := box("moov", box("mvhd", make([]byte, 100)), box("trak", make([]byte, 300)))
	data := box("mdat", random(3000, 0))
	bmp := append([]byte("BM"), make([]byte, 52)...)
	binary.LittleEndian.PutUint32(bmp[2:], 54+40*3*30)
	copy(bmp[10:], []byte{54, 0, 0, 0, 40, 0, 0, 0, 40, 0, 0, 0, 30, 0, 0, 0, 1, 0, 24, 0})
	head := append([]byte{0x1a, 0x45, 0xdf, 0xa3, 0x88, 0x42, 0x82, 0x85}, "webm\x00"...)
	segment := slices.Concat([]byte{0x16, 0x54, 0xae, 0x6b, 0x84}, make([]byte, 4), []byte{0x1f, 0x43, 0xb6, 0x75, 0x43, 0xe8}, random(1000, 0))
	le, be := binary.LittleEndian, binary.BigEndian
	entry := func(tag, kind uint16, count, value uint32) []byte {
		return le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(nil, tag), kind), count), value)
	}
	// Two strips, their places and lengths behind the one directory.
	tiff := slices.Concat([]byte("II*\x00\x08\x00\x00\x00\x04\x00"), entry(256, 3, 1, 30), entry(257, 3, 1, 40), entry(273, 4, 2, 62), entry(279, 3, 2, 30|40<<16), make([]byte, 4),
		le.AppendUint32(le.AppendUint32(nil, 70), 100), random(70, 0))
	tag := func(kind byte, n int) []byte {
		return slices.Concat([]byte{kind, 0, 0, byte(n)}, make([]byte, 7), random(n, 0), be.AppendUint32(nil, uint32(n+11)))
	}
	guid := func(b string, content ...[]byte) []byte {
		body := slices.Concat(content...)
		return slices.Concat([]byte(b), le.AppendUint64(nil, uint64(len(body)+24)), body)
	}
	asfData := guid("\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", random(2000, 0))
	asf := guid("\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c", []byte{1, 0, 0, 0, 1, 2},
		guid("\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65", make([]byte, 16), le.AppendUint64(nil, 30+104+uint64(len(asfData))), make([]byte, 56)))
	packet := slices.Concat([]byte{0, 0, 1, 0xe0, 1, 0}, random(256, 0))
	pack := slices.Concat([]byte{0, 0, 1, 0xba, 0x44}, make([]byte, 8), []byte{0xf8}, packet, packet)
	return map[string][]byte{
		"tif":  tiff,
		"flv":  slices.Concat([]byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"), tag(18, 50), tag(9, 200), tag(8, 20)),
		"wmv":  slices.Concat(asf, asfData),
		"mpg":  slices.Concat(pack, pack, []byte{0, 0, 1, 0xb9}),
		"jpg":  withThumbnail(noisyJPEG(t, 3, 120), noisyJPEG(t, 4, 16)),
		"png":  p.Bytes(),
		"gif":  g.Bytes(),
		"heic": slices.Concat(ftyp("heic"), box("meta", make([]byte, 200)), data),
		"avif": slices.Concat(ftyp("avif"), box("meta", make([]byte, 200)), data),
		"mp4":  slices.Concat(ftyp("isom"), data, movie),
		"mov":  slices.Concat(ftyp("qt  "), box("wide"), data, movie, box("free", make([]byte, 10))),
		"3gp":  slices.Concat(ftyp("3gp5"), movie, data),
		"webp": chunk("RIFF", []byte("WEBP"), chunk("VP8X", make([]byte, 10)), chunk("VP8 ", random(1001, 0))),
		"avi":  chunk("RIFF", []byte("AVI "), chunk("LIST", []byte("hdrl"), chunk("avih", make([]byte, 56))), chunk("LIST", []byte("movi"), chunk("00dc", random(500, 0)), chunk("01wb", random(301, 0))), chunk("idx1", make([]byte, 32))),
		"bmp":  append(bmp, random(40*3*30, 0)...),
		"webm": slices.Concat(head, []byte{0x18, 0x53, 0x80, 0x67, 0x10, 0, 0, 0}[:4], []byte{0x10, 0, byte(len(segment) >> 8), byte(len(segment))}, segment),
	}
}

func namesOf(all []held) (out []string) {
	for _, h := range all {
		out = append(out, fmt.Sprintf("%s(%d bytes)", h.Name, len(h.content)))
	}
	return out
}

func TestSeveral(t *testing.T) {
	t.Parallel()
	if one, many := several(1, "file was", "files were"), several(int64(2), "file was", "files were"); one != "1 file was" || many != "2 files were" {
		t.Errorf("%q and %q", one, many)
	}
}

// carved carves all of a device.
func carved(t testing.TB, dev device, free ...span) (out []held, notes []string) {
	t.Helper()
	c := newCarver(dev, free, quiet)
	for {
		e, r, err := c.next()
		if err == io.EOF {
			return out, c.notes()
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.LimitReader(r, 64<<20))
		out = append(out, held{Entry: e, content: string(b), err: err})
	}
}

func TestCarvesEachFormatWhole(t *testing.T) {
	t.Parallel()
	for ext, want := range samples(t) {
		for what, behind := range map[string][]byte{"zeros": make([]byte, 4096), "noise": random(4096, 0), "another": noisyJPEG(t, 9, 64)} {
			b := slices.Concat(random(8192, 0), want)
			if pad := len(b) % 512; what == "another" && pad > 0 {
				b = append(b, make([]byte, 512-pad)...)
			}
			b = append(b, behind...)
			b = append(b, make([]byte, 512-len(b)%512)...)
			got, _ := carved(t, &memory{b: b}, span{0, int64(len(b))})
			if len(got) == 0 || got[0].content != string(want) || string(got[0].Name) != fmt.Sprintf("$carved/%012d.%s", 8192, ext) || got[0].Offset != 8192 || !got[0].Carved || !got[0].Deleted || got[0].Reason != "" {
				t.Errorf("%s before %s: %s", ext, what, namesOf(got))
				if len(got) > 0 {
					t.Logf("%+v, want %d bytes", got[0].Entry, len(want))
				}
				continue
			}
			if n := map[bool]int{false: 1, true: 2}[what == "another"]; len(got) != n {
				t.Errorf("%s before %s: %d files: %s", ext, what, len(got), namesOf(got))
			}
		}
	}
}

func TestCarvesWhatLiesAtNoSector(t *testing.T) {
	t.Parallel()
	s := samples(t)
	b := slices.Concat(random(5000, 0), s["png"], random(777, 0), s["jpg"], random(2000, 0))
	b = append(b, make([]byte, 512-len(b)%512)...)
	got, _ := carved(t, &memory{b: b}, span{0, int64(len(b))})
	if len(got) != 2 || got[0].content != string(s["png"]) || got[1].content != string(s["jpg"]) {
		t.Errorf("%s", namesOf(got))
	}
}

func TestCarvesAroundBlocksInUse(t *testing.T) {
	t.Parallel()
	j := noisyJPEG(t, 5, 200)
	half := len(j) / 2 / 4096 * 4096
	b := slices.Concat(make([]byte, 4096), j[:half], random(8192, 0), j[half:], make([]byte, 8192))
	b = b[:len(b)/512*512]
	gap := int64(4096 + half)
	got, _ := carved(t, &memory{b: b}, span{0, gap}, span{gap + 8192, int64(len(b))})
	if len(got) != 1 || got[0].content != string(j) || !strings.Contains(got[0].Reason, "2 pieces") {
		t.Fatalf("%s", namesOf(got))
	}
}

func TestCarvesWhatIsLeftOfPictures(t *testing.T) {
	t.Parallel()
	a, c := noisyJPEG(t, 6, 300), noisyJPEG(t, 7, 100)
	cut := len(a) / 2 / 512 * 512
	b := slices.Concat(make([]byte, 1024), a[:cut], c, make([]byte, 2048), random(20000, 0))
	b = b[:len(b)/512*512]
	got, _ := carved(t, &memory{b: b}, span{0, int64(len(b))})
	if len(got) != 2 || got[0].Reason == "" || got[0].Code != "" || got[1].content != string(c) || got[1].Reason != "" {
		t.Fatalf("%s", namesOf(got))
	}
	if got[0].content != string(a[:cut]) {
		t.Errorf("%d bytes of the first, want %d", len(got[0].content), cut)
	}
	var p bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&p, noisy(8, 300)); err != nil {
		t.Fatal(err)
	}
	b = slices.Concat(p.Bytes()[:p.Len()/2], random(100_000, 0))
	b = b[:len(b)/512*512]
	if got, _ = carved(t, &memory{b: b}, span{0, int64(len(b))}); len(got) != 1 || got[0].Reason == "" {
		t.Errorf("half a PNG: %s", namesOf(got))
	}
}

func TestCarvesVideosInsideVideosThatMayBeOverwritten(t *testing.T) {
	t.Parallel()
	s := samples(t)
	long := slices.Concat(ftyp("isom"), box("moov", box("mvhd", make([]byte, 100))), box("mdat", random(40_000, 0)))
	b := append(long, make([]byte, 4096)...)
	copy(b[8192:], s["jpg"])
	b = b[:len(b)/512*512]
	got, _ := carved(t, &memory{b: b}, span{0, int64(len(b))})
	if len(got) != 2 || got[1].content != string(s["jpg"]) {
		t.Errorf("%s", namesOf(got))
	}
}

func TestCarvesMotionPhoto(t *testing.T) {
	t.Parallel()
	s := samples(t)
	whole := slices.Concat(s["jpg"], s["mp4"])
	b := slices.Concat(make([]byte, 512), whole, make([]byte, 4096))
	b = b[:len(b)/512*512]
	got, _ := carved(t, &memory{b: b}, span{0, int64(len(b))})
	if len(got) != 1 || got[0].content != string(whole) {
		t.Errorf("%s", namesOf(got))
	}
}

// An empty disk of eight terabytes is not read, and a bad sector costs its surroundings.
func TestCarvingSkipsHolesAndBadSectors(t *testing.T) {
	t.Parallel()
	j, k := noisyJPEG(t, 1, 100), noisyJPEG(t, 2, 100)
	b := make([]byte, 1<<20)
	copy(b[4096:], j)
	copy(b[512<<10:], k)
	m := &memory{b: b, empty: span{1 << 20, 8 << 40}, unreadable: span{100 << 10, 101 << 10}}
	got, notes := carved(t, m, span{0, m.Size()})
	if len(got) != 2 || got[0].content != string(j) || got[1].content != string(k) {
		t.Errorf("%s", namesOf(got))
	}
	if m.read > 8<<20 {
		t.Errorf("%d bytes read", m.read)
	}
	if len(notes) != 2 || !strings.Contains(notes[1], "could not be read") {
		t.Errorf("%q", notes)
	}
}

// Beginnings that lead far and nowhere cost no more than the space does.
func TestCarvingOfTrapsEnds(t *testing.T) {
	t.Parallel()
	ihdr := append([]byte("IHDR"), make([]byte, 13)...)
	trap := slices.Concat([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), ihdr, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(ihdr)), []byte("\x01\x00\x00\x00IDAT"))
	b := bytes.Repeat(trap, (4<<20)/len(trap))
	b = b[:len(b)/512*512]
	m := &memory{b: b}
	_, notes := carved(t, m, span{0, int64(len(b))})
	if m.read > 64<<20+20*int64(len(b)) {
		t.Errorf("%d bytes read of %d", m.read, len(b))
	}
	if !strings.Contains(strings.Join(notes, "; "), "break off") {
		t.Errorf("%q", notes)
	}
}

func FuzzCarve(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s)
		f.Add(append(make([]byte, 512), s[:len(s)/2]...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, 512-len(b)%512)...)
		m := &memory{b: b}
		last := int64(-1)
		got, _ := carved(t, m, span{0, int64(len(b))})
		for _, h := range got {
			if h.Offset <= last || int64(len(h.content)) != h.Size || h.Offset+h.Size > m.Size() || h.Kind != semblance.EntryFile {
				t.Fatalf("%+v behind %d", h.Entry, last)
			}
			last = h.Offset
		}
		if m.read > 64*int64(len(b))+256<<20 {
			t.Fatalf("%d bytes read of %d", m.read, len(b))
		}
	})
}

// BenchmarkCarve goes through space in which there is nothing to find.
func BenchmarkCarve(b *testing.B) {
	content := random(64<<20, 0)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		carved(b, &memory{b: content}, span{0, int64(len(content))})
	}
}
