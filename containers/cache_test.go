package containers

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color/palette"
	"image/gif"
	"image/png"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEmbedded finds pictures of every kind in a sea of noise, at every place around the
// ends of the pieces that are read, and measures them to the byte.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	var p, g bytes.Buffer
	if err := png.Encode(&p, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		t.Fatal(err)
	}
	frame := image.NewPaletted(image.Rect(0, 0, 40, 40), palette.Plan9)
	if err := gif.EncodeAll(&g, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		t.Fatal(err)
	}
	webp := "RIFF\x20\x00\x00\x00WEBPVP8 " + strings.Repeat("w", 24)
	film := "\x00\x00\x00\x14ftypisom\x00\x00\x00\x00isom" + "\x00\x00\x00\x10moov12345678" + "\x00\x00\x00\x01mdat\x00\x00\x00\x00\x00\x00\x00\x20" + strings.Repeat("m", 16)
	kinds := map[string]string{"jpg": picture(t, 3, 2000), "png": p.String(), "gif": g.String(), "webp": webp, "mp4": film}
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + i>>8)
		}
		return string(b)
	}
	for ext, content := range kinds {
		for _, before := range []int{0, 100, searchStep - 10, searchStep, searchStep + 63, 2*searchStep - 1} {
			file := noise(before) + content + "\x01\x02" + content + noise(500)
			var got []found
			err := embedded(strings.NewReader(file), int64(len(file)), func(f found) error { got = append(got, f); return nil })
			want := []found{{int64(before), int64(len(content)), ext}, {int64(before + len(content) + 2), int64(len(content)), ext}}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s behind %d bytes: %v %v, want %v", ext, before, got, err, want)
			}
		}
	}
	// Beginnings without an end are given up before they cost much.
	hostile := strings.Repeat("\xff\xd8\xff\xda\x00\x02", 200_000)
	if err := embedded(strings.NewReader(hostile), int64(len(hostile)), func(f found) error { return nil }); err != errExhausted && err != nil {
		t.Error(err)
	}
}

func TestThumbCaches(t *testing.T) {
	t.Parallel()
	a, b := picture(t, 1, 300), picture(t, 2, 3000)
	entry := func(hash uint64, id, data string) string {
		e := []byte(cmmmMagic)
		e = binary.LittleEndian.AppendUint32(e, uint32(56+len(id)+2+len(data)))
		e = binary.LittleEndian.AppendUint64(e, hash)
		e = binary.LittleEndian.AppendUint32(e, uint32(len(id)))
		e = binary.LittleEndian.AppendUint32(e, 2)
		e = binary.LittleEndian.AppendUint32(e, uint32(len(data)))
		return string(append(e, make([]byte, 56-len(e))...)) + id + "\x00\x00" + data
	}
	cache := cmmmMagic + "\x20\x00\x00\x00\x02\x00\x00\x00" + strings.Repeat("\x00", 12) + entry(0x1234, wide("1234"), a) + entry(7, "", "") + "overwritten" + entry(0xfedcba9876543210, wide("x"), b)
	simple := simpleMagic + "\x05\x00\x00\x00" + "\x1e\x00\x00\x00" + "hash\x00\x00\x00\x00" + "1/0/https://x.org/a%20b.jpg?v=" + a + simpleEnd + "\x01\x00\x00\x00" + strings.Repeat("c", 12) + "HTTP/1.1 200" + simpleEnd + strings.Repeat("c", 16)
	pad := strings.Repeat("\x00", 4096)
	for _, test := range []struct {
		name, content, format string
		want                  map[string]string
	}{
		{"thumbcache_256.db", cache, "thumbcache", map[string]string{"0000000000001234.jpg": a, "fedcba9876543210.jpg": b}},
		{"0123456789abcdef_0", simple, "browser cache", map[string]string{"a b.jpg": a}},
		{".thumbdata4--1967290299", pad + a + pad + b + pad, "embedded pictures", map[string]string{"at 4096.jpg": a, "at " + strconv.Itoa(8192+len(a)) + ".jpg": b}},
		{"page.webarchive", "bplist00\xd1\x01" + a + pad, "embedded pictures", map[string]string{"at 10.jpg": a}},
		{"unknown.dat", "xyz\x00" + pad + b, "embedded pictures", map[string]string{"at 4100.jpg": b}},
	} {
		all, facts, err := list(t, test.name, []byte(test.content), Options{})
		got := contents(t, all)
		if err != nil || facts.Format != test.format || len(all) != len(test.want) {
			t.Errorf("%s: %v %v %q", test.name, facts, err, names(all))
		}
		for n, content := range test.want {
			if got[n].content != content {
				t.Errorf("%s: %s: %d bytes", test.name, n, len(got[n].content))
			}
		}
	}
	for name, content := range map[string]string{"a.exe": "MZ\x00" + pad, "a.txt": strings.Repeat("text ", 1000), "small.dat": "x\x00", "music.mp3": "ID3\x00" + pad} {
		if f, err := Sniff(Part{Name: name, R: strings.NewReader(content), Size: int64(len(content))}); f != "" || err != nil {
			t.Errorf("%s is taken for %s", name, f)
		}
	}
}

func TestTextWithPictures(t *testing.T) {
	t.Parallel()
	a := picture(t, 1, 300)
	plain := base64.StdEncoding.EncodeToString([]byte(a))
	folded := func(width int, with string) (s string) {
		for rest := plain; rest != ""; rest = rest[min(width, len(rest)):] {
			s += rest[:min(width, len(rest))] + with
		}
		return strings.TrimSuffix(s, with)
	}
	for _, test := range []struct{ name, content string }{
		{"a.html", `<html><img src="data:image/jpeg;base64,` + plain + `"><p>/9j/ is how one begins</p>`},
		{"a.css", `a{background:url(data:image/jpeg;base64,` + plain + `)}`},
		{"a.json", `{"photo":"` + strings.ReplaceAll(plain, "/", `\/`) + `","n":1}`},
		{"b.json", `[{"photo":"` + folded(60, `\n`) + `"}]`},
		{"card.vcf", "BEGIN:VCARD\r\nPHOTO;ENCODING=b;TYPE=JPEG:" + folded(74, "\r\n ") + "\r\nUID:7\r\nEND:VCARD\r\n"},
		{"old.vcf", "BEGIN:VCARD\r\nPHOTO;ENCODING=BASE64;JPEG:\r\n " + folded(74, "\r\n ") + "\r\n\r\nEND:VCARD\r\n"},
		{"x.plist", "<?xml version=\"1.0\"?><plist><data>\n\t" + folded(68, "\n\t") + "\n\t</data></plist>"},
		{"long.json", `{"x":"` + strings.Repeat("x", textStep-40) + `","photo":"` + plain + `"}`},
	} {
		all, facts, err := list(t, test.name, []byte(test.content), Options{})
		if err != nil || facts.Format != "text with pictures" || len(all) != 1 || string(all[0].Name) != "picture 1.jpg" || !strings.HasPrefix(all[0].content, a) || len(all[0].content) > len(a)+3 {
			t.Errorf("%s: %v %v %d entries: %+v", test.name, facts, err, len(all), all)
		}
	}
}

func TestTextOfBeginnings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("/9j/ ", 100_000), strings.Repeat("/9j/", 100_000), strings.Repeat("/9j/\n", 100_000), strings.Repeat("/9j/4AAQ\n\n", 50_000), strings.Repeat("/9j/4AAQ"+strings.Repeat("x", 60)+"!", 10_000)} {
		if _, _, err := list(t, "x.html", []byte(text), Options{}); err != nil {
			t.Error(err)
		}
	}
}

func cacheSeeds(t testing.TB) (all [][]byte) {
	a := picture(t, 1, 64)
	return append(all, oleOf(map[string]string{"x": a, "y/z": a + strings.Repeat("x", 4096)}), []byte(`{\rtf1{\pict ffd8ffe000}}`), []byte(tnefMagic+"\x00\x00\x01\x02\x90\x06\x00\x01\x00\x00\x00x\x00\x00padding"),
		[]byte("bplist00"+a+strings.Repeat("\x00", 2048)), []byte(a+"PK\x03\x04\x14\x00tail of a zip that is none"),
		[]byte(cmmmMagic+"\x20\x00\x00\x00\x02\x00\x00\x00"+strings.Repeat("\x00", 12)+cmmmMagic+"\x40\x00\x00\x00"+strings.Repeat("\x01", 60)),
		[]byte(simpleMagic+"\x05\x00\x00\x00\x01\x00\x00\x00hash\x00\x00\x00\x00k"+a+simpleEnd), []byte(`{"a":"/9j/4AAQSkZJRgABAQAAAQABAAD/2wCEAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRof"}`))
}
