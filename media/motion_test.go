package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// boxOf makes a box.
func boxOf(kind string, body ...[]byte) []byte {
	b := bytes.Join(body, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+8)), kind...), b...)
}

func film() []byte {
	return bytes.Join([][]byte{boxOf("ftyp", []byte("mp42\x00\x00\x00\x00isommp42")), boxOf("mdat", make([]byte, 3000)), boxOf("moov", boxOf("mvhd", make([]byte, 100)))}, nil)
}

// withXMP puts a packet behind the start marker of a JPEG.
func withXMP(jpeg []byte, packet string) []byte {
	body := "http://ns.adobe.com/xap/1.0/\x00" + packet
	segment := append(binary.BigEndian.AppendUint16([]byte("\xff\xe1"), uint16(len(body)+2)), body...)
	return bytes.Join([][]byte{jpeg[:2], segment, jpeg[2:]}, nil)
}

func packet(description string) string {
	return `<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/" ` +
		description + `</rdf:RDF></x:xmpmeta><?xpacket end='w'?>`
}

// directory is Google's, as a Pixel writes it.
func directory(items ...string) string {
	s := `GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"><Container:Directory><rdf:Seq>`
	for _, item := range items {
		s += `<rdf:li rdf:parseType="Resource"><Container:Item ` + item + `/></rdf:li>`
	}
	return packet(s + `</rdf:Seq></Container:Directory></rdf:Description>`)
}

// samsungTrailer is a trailer with a note, and the video under its name.
func samsungTrailer(video []byte) []byte {
	block := func(kind uint16, name string, data []byte) []byte {
		b := binary.LittleEndian.AppendUint16([]byte{0, 0}, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
		return append(append(b, name...), data...)
	}
	blocks := [][]byte{block(0x0a01, "Image_UTC_Data", []byte("1458170015363")), block(0x0a30, "MotionPhoto_Data", video)}
	dir := append([]byte("SEFH"), 107, 0, 0, 0, byte(len(blocks)), 0, 0, 0)
	back := len(blocks[0]) + len(blocks[1])
	for _, b := range blocks {
		dir = append(dir, b[:4]...)
		dir = binary.LittleEndian.AppendUint32(dir, uint32(back))
		dir = binary.LittleEndian.AppendUint32(dir, uint32(len(b)))
		back -= len(b)
	}
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(dir)))
	return bytes.Join([][]byte{blocks[0], blocks[1], dir, length, []byte("SEFT")}, nil)
}

func motionPhotos(t testing.TB) map[string][]byte {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	jpeg, heic, f := read("baseline.jpg"), read("gradient.heic"), film()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	micro := packet(fmt.Sprintf(`GCamera:MicroVideo="1" GCamera:MicroVideoOffset="%d"/>`, len(f)))
	primary, video := `Item:Mime="image/jpeg" Item:Semantic="Primary" Item:Length="0" Item:Padding="0"`, fmt.Sprintf(`Item:Mime="video/mp4" Item:Semantic="MotionPhoto" Item:Length="%d"`, len(f))
	gain := []byte("\xff\xd8 a gain map \xff\xd9")
	return map[string][]byte{
		"micro video":                      join(withXMP(jpeg, micro), f),
		"motion photo":                     join(withXMP(jpeg, directory(primary, video)), f),
		"motion photo before a gain map":   join(withXMP(jpeg, directory(primary, video, fmt.Sprintf(`Item:Semantic="GainMap" Item:Length="%d"`, len(gain)))), f, gain),
		"motion photo in elements":         join(withXMP(jpeg, packet(fmt.Sprintf(`><Container:Directory><rdf:Seq><rdf:li><rdf:Description><Item:Semantic>MotionPhoto</Item:Semantic><Item:Length> %d </Item:Length></rdf:Description></rdf:li></rdf:Seq></Container:Directory></rdf:Description>`, len(f)))), f),
		"motion photo with a wrong length": join(withXMP(jpeg, directory(primary, video)), f, []byte("a note that a program appended")),
		"Samsung":                          join(jpeg, samsungTrailer(f)),
		"Samsung HEIC":                     join(heic, samsungTrailer(f)),
		"mpvd":                             join(heic, boxOf("mpvd", f)),
		"mpvd with a trailer":              join(heic, boxOf("mpvd", f, boxOf("sefd", samsungTrailer([]byte("mpv2"))))),
		"behind a JPEG, unannounced":       join(jpeg, f),
		"behind a JPEG and two megabytes":  join(jpeg, bytes.Repeat([]byte("ftyp"), 50_000), make([]byte, 2<<20-200_000-len(jpeg)-5), f),
	}
}

func TestMotionVideo(t *testing.T) {
	t.Parallel()
	f := film()
	for name, b := range motionPhotos(t) {
		off, n, ok := MotionVideo(bytes.NewReader(b), int64(len(b)))
		if !ok || !bytes.Equal(b[off:off+n], f) {
			t.Errorf("%s: %d bytes at %d of %d, %v; want %d at %d", name, n, off, len(b), ok, len(f), bytes.Index(b, f))
		}
		short := b[:bytes.Index(b, f)+len(f)/2]
		if off, n, ok := MotionVideo(bytes.NewReader(short), int64(len(short))); ok && off+n != int64(len(short)) {
			t.Errorf("%s, cut: %d bytes at %d of %d", name, n, off, len(short))
		}
	}
	for _, b := range append(seeds(t, "*.*"), f, nil, []byte("\xff\xd8\xff"), withXMP([]byte("\xff\xd8\xff\xd9"), packet(`GCamera:MicroVideoOffset="99999999999999999999"/>`))) {
		if off, n, ok := MotionVideo(bytes.NewReader(b), int64(len(b))); ok {
			t.Errorf("a video of %d bytes at %d in a file without", n, off)
		}
	}
}

// FuzzMotionVideo puts any bytes in: what is found lies within them and begins as an MP4
// does.
func FuzzMotionVideo(f *testing.F) {
	for _, b := range motionPhotos(f) {
		if len(b) < 64<<10 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		off, n, ok := MotionVideo(bytes.NewReader(b), int64(len(b)))
		if ok && (off < 2 || n < 16 || off+n > int64(len(b)) || string(b[off+4:off+8]) != "ftyp") {
			t.Errorf("%d bytes at %d of %d", n, off, len(b))
		}
	})
}
