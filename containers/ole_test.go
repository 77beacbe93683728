package containers

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"semblance"
)

// An oleMaker writes a compound file of version 3 with streams in storages.
type oleMaker struct {
	sectors bytes.Buffer
	fat     []uint32
	mini    bytes.Buffer
	miniFAT []uint32
	dir     []byte
}

const oleFree, oleLast = 0xffffffff, 0xfffffffe

func (m *oleMaker) put(b []byte) (start uint32) {
	start = uint32(len(m.fat))
	for i := 0; i < len(b); i += 512 {
		m.sectors.Write(append(bytes.Clone(b[i:min(i+512, len(b))]), make([]byte, 512)...)[:512])
		m.fat = append(m.fat, uint32(len(m.fat)+1))
	}
	m.fat[len(m.fat)-1] = oleLast
	return start
}

func (m *oleMaker) putMini(b []byte) (start uint32) {
	start = uint32(len(m.miniFAT))
	for i := 0; i < len(b); i += 64 {
		m.mini.Write(append(bytes.Clone(b[i:min(i+64, len(b))]), make([]byte, 64)...)[:64])
		m.miniFAT = append(m.miniFAT, uint32(len(m.miniFAT)+1))
	}
	m.miniFAT[len(m.miniFAT)-1] = oleLast
	return start
}

// entry adds a directory entry; its siblings hang to its right.
func (m *oleMaker) entry(name string, kind byte, right, child, start uint32, size int) (n uint32) {
	e := make([]byte, 128)
	for i, u := range utf16.Encode([]rune(name)) {
		binary.LittleEndian.PutUint16(e[2*i:], u)
	}
	binary.LittleEndian.PutUint16(e[64:], uint16(2*len(name)+2))
	e[66] = kind
	binary.LittleEndian.PutUint32(e[68:], oleFree)
	binary.LittleEndian.PutUint32(e[72:], right)
	binary.LittleEndian.PutUint32(e[76:], child)
	binary.LittleEndian.PutUint64(e[108:], 116444736000000000+1556964671*10_000_000)
	binary.LittleEndian.PutUint32(e[116:], start)
	binary.LittleEndian.PutUint32(e[120:], uint32(size))
	m.dir = append(m.dir, e...)
	return uint32(len(m.dir)/128 - 1)
}

// storage adds what lies under a prefix and gives the first child.
func (m *oleMaker) storage(files map[string]string, prefix string) (first uint32) {
	first = oleFree
	folders := map[string]bool{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(files))) {
		rest, in := strings.CutPrefix(name, prefix)
		if !in {
			continue
		}
		if folder, _, deeper := strings.Cut(rest, "/"); deeper {
			if !folders[folder] {
				folders[folder] = true
				first = m.entry(folder, 1, first, m.storage(files, prefix+folder+"/"), 0, 0)
			}
			continue
		}
		content := []byte(files[name])
		start := uint32(0)
		if len(content) >= 4096 {
			start = m.put(content)
		} else {
			start = m.putMini(content)
		}
		first = m.entry(rest, 2, first, oleFree, start, len(content))
	}
	return first
}

func oleOf(files map[string]string) []byte {
	m := &oleMaker{}
	m.entry("Root Entry", 5, oleFree, oleFree, oleLast, 0)
	child := m.storage(files, "")
	binary.LittleEndian.PutUint32(m.dir[76:], child)
	miniFAT := uint32(oleLast)
	if m.mini.Len() > 0 {
		binary.LittleEndian.PutUint32(m.dir[116:], m.put(m.mini.Bytes()))
		binary.LittleEndian.PutUint32(m.dir[120:], uint32(m.mini.Len()))
		var b []byte
		for _, n := range append(m.miniFAT, slices.Repeat([]uint32{oleFree}, (128-len(m.miniFAT)%128)%128)...) {
			b = binary.LittleEndian.AppendUint32(b, n)
		}
		miniFAT = m.put(b)
	}
	for len(m.dir)%512 != 0 {
		m.dir = append(m.dir, make([]byte, 128)...)
	}
	dir := m.put(m.dir)
	head := append([]byte(oleMagic), make([]byte, 504)...)
	copy(head[24:], "\x3e\x00\x03\x00\xfe\xff\x09\x00\x06\x00")
	binary.LittleEndian.PutUint32(head[48:], dir)
	binary.LittleEndian.PutUint32(head[56:], 4096)
	binary.LittleEndian.PutUint32(head[60:], miniFAT)
	binary.LittleEndian.PutUint32(head[68:], oleLast)
	for i := 76; i < 512; i += 4 {
		binary.LittleEndian.PutUint32(head[i:], oleFree)
	}
	n := (len(m.fat) + 127) / 127
	for i := range n {
		binary.LittleEndian.PutUint32(head[76+4*i:], uint32(len(m.fat)))
		m.fat = append(m.fat, 0xfffffffd)
	}
	for len(m.fat)%128 != 0 {
		m.fat = append(m.fat, oleFree)
	}
	out := append(head, m.sectors.Bytes()...)
	for _, f := range m.fat {
		out = binary.LittleEndian.AppendUint32(out, f)
	}
	return out
}

func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func TestOLE(t *testing.T) {
	t.Parallel()
	small, big := picture(t, 1, 300), picture(t, 2, 60_000)
	// A workbook cuts its pictures into records.
	book := "\x09\x08\x04\x00abcd\xeb\x00" + string(binary.LittleEndian.AppendUint16(nil, 8000)) + strings.Repeat("x", 500) + big[:7500]
	for rest := big[7500:]; len(rest) > 0; rest = rest[min(8000, len(rest)):] {
		piece := rest[:min(8000, len(rest))]
		book += "\x3c\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(piece)))) + piece
	}
	files := map[string]string{
		"Pictures":     strings.Repeat("h", 25) + big + strings.Repeat("h", 17) + small,
		"256_0123abcd": "\x0c\x00\x00\x00\x01\x00\x00\x00" + small,
		"Workbook":     book + "\x0a\x00\x00\x00",
		"__attach_version1.0_#00000000/__substg1.0_37010102":                                                    small,
		"__attach_version1.0_#00000000/__substg1.0_3707001F":                                                    wide("holiday/1 ß.jpg"),
		"__attach_version1.0_#00000001/__substg1.0_3701000D/__attach_version1.0_#00000000/__substg1.0_37010102": big,
		"__attach_version1.0_#00000001/__substg1.0_3701000D/__attach_version1.0_#00000000/__substg1.0_3704001E": "INNER.JPG\x00",
		"ObjectPool/_1/Package":  "PK\x03\x04" + strings.Repeat("z", 5000),
		"\x05SummaryInformation": strings.Repeat("no picture ", 30),
	}
	all, facts, err := list(t, "x", oleOf(files), Options{})
	if err != nil || facts.Format != "ole" || len(facts.Notes) != 0 {
		t.Fatal(facts, err)
	}
	got := contents(t, all)
	want := map[string]string{
		"Pictures+25.jpg": big, fmt.Sprintf("Pictures+%d.jpg", 42+len(big)): small, "256_0123abcd+8.jpg": small, "Workbook+500.jpg": big,
		"holiday_1 ß.jpg": small, "__attach_version1.0_#00000001/__substg1.0_3701000D/INNER.JPG": big, "ObjectPool/_1/Package.zip": files["ObjectPool/_1/Package"],
	}
	for name, content := range want {
		if got[name].content != content || got[name].err != nil {
			t.Errorf("%s: %d bytes, want %d", name, len(got[name].content), len(content))
		}
	}
	if len(all) != len(want) {
		t.Errorf("%q", names(all))
	}
	if tm := got["holiday_1 ß.jpg"].Times; len(tm) != 1 || tm[0].Time != "2019-05-04T10:11:11Z" {
		t.Errorf("times %+v", tm)
	}
}

func TestOLEDamaged(t *testing.T) {
	t.Parallel()
	whole := oleOf(map[string]string{"a": picture(t, 1, 9000), "b": picture(t, 2, 500)})
	for i := 0; i < len(whole); i += 97 {
		b := bytes.Clone(whole)
		copy(b[i:], "\x01\x00\x00\x00\x01\x00\x00\x00")
		all, _, err := list(t, "x", b, Options{})
		if err != nil {
			code(t, err)
		}
		if len(all) > 4 {
			t.Errorf("%d: %q", i, names(all))
		}
	}
	_, _, err := list(t, "x", whole[:600], Options{})
	if code(t, err) != semblance.MediaDamaged {
		t.Error(err)
	}
}

func TestRTF(t *testing.T) {
	t.Parallel()
	small := picture(t, 1, 300)
	digits := hex.EncodeToString([]byte(small))
	doc := `{\rtf1\ansi{\*\shppict{\pict{\*\picprop\shplid1025{\sp{\sn abc}{\sv 0}}}\picscalex100\jpegblip\picw10 ` + digits[:100] + "\r\n" + digits[100:] + `}}` +
		`{\nonshppict {\pict\wmetafile8 0102030405}}{\object{\*\objdata 01050000` + digits + `}}{\pict\pngblip\bliptag-5{\*\blipuid 00112233}` + "\n" + hex.EncodeToString([]byte("\x89PNG\r\n\x1a\nrest")) + `}`
	all, facts, err := list(t, "x.doc", []byte(doc), Options{})
	if err != nil || facts.Format != "rtf" || !slices.Equal(names(all), []string{"picture 1.jpg", "picture 4.png"}) || all[0].content != small || all[1].content != "\x89PNG\r\n\x1a\nrest" {
		t.Errorf("%v %v %+v", facts, err, all)
	}
}

func TestTNEF(t *testing.T) {
	t.Parallel()
	attribute := func(id uint32, data string) string {
		b := binary.LittleEndian.AppendUint32([]byte{2}, id)
		return string(binary.LittleEndian.AppendUint32(b, uint32(len(data)))) + data + "\x00\x00"
	}
	file := tnefMagic + "\x01\x00" + attribute(0x00089006, "\x00\x00\x01\x00") + attribute(tnefRendering, strings.Repeat("r", 14)) + attribute(tnefTitle, "a.jpg\x00") + attribute(tnefData, photo) +
		attribute(tnefRendering, strings.Repeat("r", 14)) + attribute(tnefData, photo+"2")
	all, _, err := list(t, "winmail.dat", []byte(file), Options{})
	if err != nil || !slices.Equal(names(all), []string{"a.jpg", "attachment 2"}) || all[0].content != photo || all[1].content != photo+"2" {
		t.Errorf("%v %+v", err, all)
	}
}
