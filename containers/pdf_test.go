package containers

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"semblance"
)

// pdfStream is a stream object's text.
func pdfStream(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// pdfOf is a PDF of objects, numbered from 1, without a table that could be read.
func pdfOf(objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("xref\n0 1\ngarbage\ntrailer\n<< /Root 1 0 R /Prev 5 >>\nstartxref\n99999999\n%%EOF\n")
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

const imageDict = "/Type /XObject /Subtype /Image /Width 4 /Height 2 "

// TestPDFSamples wraps samples of every kind and reads them back with Go's decoders.
func TestPDFSamples(t *testing.T) {
	t.Parallel()
	rgb := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c" + "\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa\xfb\xfc"
	up := "\x00" + rgb[:12] + "\x02" + func() (s string) {
		for i := range 12 {
			s += string([]byte{rgb[12+i] - rgb[i]})
		}
		return s
	}()
	pixel := color.RGBA{4, 5, 6, 255} // the second of the first row
	tests := []struct {
		story, dict, data string
		want              color.Color
	}{
		{"RGB", "/ColorSpace /DeviceRGB /BitsPerComponent 8", rgb, pixel},
		{"RGB of 16 bits", "/ColorSpace /DeviceRGB /BitsPerComponent 16", "abcdef\x04\x00\x05\x00\x06\x00" + strings.Repeat("x", 36), color.RGBA64{0x400, 0x500, 0x600, 0xffff}},
		{"RGB of 4 bits", "/ColorSpace /DeviceRGB /BitsPerComponent 4", "\x00\x01\x23\x00\x00\x00" + "abcdef", color.RGBA{0x11, 0x22, 0x33, 255}},
		{"deflated", "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode", deflated(rgb), pixel},
		{"with PNG's predictor", "/ColorSpace /CalRGB /BitsPerComponent 8 /Filter [/FlateDecode] /DecodeParms [<< /Predictor 15 /Colors 3 /Columns 4 >>]", deflated(up), pixel},
		{"with TIFF's predictor", "/ColorSpace [/ICCBased 2 0 R] /BitsPerComponent 8 /Filter /FlateDecode /DecodeParms << /Predictor 2 /Colors 3 /Columns 4 >>",
			deflated("\x01\x02\x03" + strings.Repeat("\x03", 9) + "\xf1\xf2\xf3" + strings.Repeat("\x03", 9)), pixel},
		{"in two codes", "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter [/AHx /RunLengthDecode]", fmt.Sprintf("%x >", "\x17"+rgb+"\x80"), pixel},
		{"gray, one bit", "/ColorSpace /DeviceGray /BitsPerComponent 1", "\x40\x00", color.Gray{255}},
		{"a mask, turned", "/ImageMask true /Decode [1 0]", "\x40\x00", color.Gray{0}},
		{"gray, 16 bits", "/ColorSpace /DeviceGray /BitsPerComponent 16", "ab\x12\x34" + strings.Repeat("x", 12), color.Gray16{0x1234}},
		{"indexed", "/ColorSpace [/Indexed /DeviceRGB 2 <000000 040506 FFFFFF>] /BitsPerComponent 2", "\x10\x00", pixel},
		{"indexed, table in a stream", "/ColorSpace [/Indexed /DeviceCMYK 1 3 0 R] /BitsPerComponent 8", "\x00\x01\x00\x00\x00\x00\x00\x00", color.RGBA{255, 0, 0, 255}},
		{"one ink", "/ColorSpace [/Separation /Spot /DeviceCMYK 9 0 R] /BitsPerComponent 8", "\x00\x10\x00\x00\x00\x00\x00\x00", color.Gray{0xef}},
	}
	for _, test := range tests {
		file := pdfOf(pdfStream(imageDict+test.dict, test.data), pdfStream("/N 3", "profile"), pdfStream("", "\x00\x00\x00\x00\x00\xff\xff\x00"))
		all, facts, err := list(t, "x.pdf", []byte(file), Options{})
		if err != nil || facts.Format != "pdf" || len(all) != 1 || string(all[0].Name) != "object 1.png" || all[0].err != nil {
			t.Errorf("%s: %v %v %+v", test.story, facts, err, all)
			continue
		}
		m, err := png.Decode(strings.NewReader(all[0].content))
		if err != nil {
			t.Errorf("%s: %v", test.story, err)
			continue
		}
		r, g, b, _ := m.At(1, 0).RGBA()
		wr, wg, wb, _ := test.want.RGBA()
		if m.Bounds() != image.Rect(0, 0, 4, 2) || r != wr || g != wg || b != wb {
			t.Errorf("%s: %v %04x %04x %04x, want %04x %04x %04x", test.story, m.Bounds(), r, g, b, wr, wg, wb)
		}
		if all[0].Size != int64(len(all[0].content)) {
			t.Errorf("%s: %d bytes, said %d", test.story, len(all[0].content), all[0].Size)
		}
	}
}

func TestPDFLargePNGHasManyBlocks(t *testing.T) {
	t.Parallel()
	pix := make([]byte, 3*700*300)
	for i := range pix {
		pix[i] = byte(i * i >> 3)
	}
	file := pdfOf(pdfStream("/Subtype /Image /Width 700 /Height 300 /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode", deflated(string(pix))))
	all, _, err := list(t, "x", []byte(file), Options{})
	if err != nil || len(all) != 1 || all[0].Size != int64(len(all[0].content)) {
		t.Fatal(err, len(all))
	}
	m, err := png.Decode(strings.NewReader(all[0].content))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pix); i += 999 {
		if r, _, _, _ := m.At(i/3%700, i/3/700).RGBA(); byte(r>>8) != pix[i] {
			t.Fatal(i)
		}
	}
}

func TestPDFInks(t *testing.T) {
	t.Parallel()
	file := pdfOf(
		pdfStream(imageDict+"/ColorSpace /DeviceCMYK /BitsPerComponent 8", strings.Repeat("\x10\x20\x30\x40", 8)),
		pdfStream("/Subtype /Image /Width 16 /Height 2 /ColorSpace /DeviceGray /BitsPerComponent 1 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 16 /Rows 2 >>", faxWhite))
	all, _, err := list(t, "x", []byte(file), Options{})
	if err != nil || len(all) != 2 || !slices.Equal(names(all), []string{"object 1.tif", "object 2.tif"}) || int64(len(all[0].content)) != all[0].Size {
		t.Fatalf("%v %+v", err, all)
	}
	c, err := tiff.DecodeConfig(strings.NewReader(all[0].content))
	if err == nil && (c.Width != 4 || c.Height != 2) || !strings.HasSuffix(all[0].content, strings.Repeat("\x10\x20\x30\x40", 8)) {
		t.Errorf("CMYK: %+v, %v", c, err)
	}
	m, err := tiff.Decode(strings.NewReader(all[1].content))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := m.At(3, 1).RGBA(); m.Bounds() != image.Rect(0, 0, 16, 2) || r != 0xffff {
		t.Errorf("fax: %v, %x", m.Bounds(), r)
	}
}

// faxWhite is two white rows in Group 4: V0 twice, then EOFB.
const faxWhite = "\xc0\x04\x00\x40"

// TestPDFObjects finds objects where there is no table: in object streams, in earlier
// revisions, with lengths that are wrong or stand elsewhere.
func TestPDFObjects(t *testing.T) {
	t.Parallel()
	inside := "20 0 21 6 22 27  1004 \n<< /Type /Filespec /UF <feff00df002e006a00700067> /EF << /F 7 0 R >> >> [/Indexed /DeviceRGB 1 <010203040506>]"
	inside = inside[:17] + inside[17:]
	first := strings.Index(inside, "1004")
	head := fmt.Sprintf("20 0 21 %d 22 %d ", 5, strings.Index(inside, "[/Indexed")-first)
	inside = head + inside[first:]
	file := pdfOf(
		pdfStream(imageDict+"/Filter /DCTDecode", photo),
		"<< "+imageDict+"/Filter /DCTDecode /Length 20 0 R >>\nstream\r\n"+photo+"\nendstream",
		"<< "+imageDict+"/Filter /DCTDecode /Length 5 >>\nstream\n"+photo+"\r\nendstream",
		pdfStream(fmt.Sprintf("/Type /ObjStm /N 3 /First %d /Filter /FlateDecode", len(head)), deflated(inside)),
		pdfStream(imageDict+"/ColorSpace 22 0 R /BitsPerComponent 8", "\x00\x01\x00\x00\x00\x00\x00\x00"),
		pdfStream("/Filter /FlateDecode", deflated("q BI /W 4 /H 2 /CS /G /BPC 8 ID \x01\x02EI \x05\x06\x07\x08 EI Q\nBI /F /DCT /W 1 /H 1 ID "+photo+"\nEI Q BI not one ID")),
		pdfStream("/Type /EmbeddedFile /Params << /ModDate (D:20190504101112-04'30') >> /Filter [/FlateDecode /DCTDecode]", deflated(photo)),
		pdfStream(imageDict+"/Filter /JPXDecode", "\x00\x00\x00\x0cjP  \r\n\x87\n"),
		pdfStream(imageDict+"/Filter /JBIG2Decode", "x"),
		pdfStream(imageDict+"/ColorSpace [/Lab << >>] /BitsPerComponent 8", "x"),
	)
	file += "1 0 obj\n" + pdfStream(imageDict+"/Filter /DCTDecode", photo+"new") + "\nendobj\ntrailer << >>"
	all, facts, err := list(t, "x", []byte("junk in front\n"+file), Options{})
	if err != nil || len(facts.Notes) != 0 {
		t.Fatal(facts, err)
	}
	got := contents(t, all)
	old := slices.IndexFunc(all, func(h held) bool { return strings.HasPrefix(string(h.Name), "object 1 at ") })
	if old < 0 || !all[old].Deleted || all[old].content != photo {
		t.Errorf("the earlier revision: %v", names(all))
	}
	for name, want := range map[string]string{
		"object 1.jpg": photo + "new", "object 2.jpg": photo, "object 3.jpg": photo, "attached/ß.jpg": photo, "object 8.jp2": "\x00\x00\x00\x0cjP  \r\n\x87\n", "object 6 image 2.jpg": photo,
	} {
		if got[name].content != want || got[name].err != nil {
			t.Errorf("%s: %q, %v", name, got[name].content, got[name].err)
		}
	}
	if tm := got["attached/ß.jpg"].Times; len(tm) != 1 || tm[0].Time != "2019-05-04T10:11:12-04:30" {
		t.Errorf("times %+v", tm)
	}
	for _, name := range []string{"object 5.png", "object 6 image 1.png"} {
		if m, err := png.Decode(strings.NewReader(got[name].content)); err != nil || m.Bounds() != image.Rect(0, 0, 4, 2) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"object 9.jb2", "object 10.raw"} {
		if got[name].Code != semblance.MediaUnsupported || got[name].Reason == "" {
			t.Errorf("%s: %+v", name, got[name].Entry)
		}
	}
	if len(all) != 11 {
		t.Errorf("%d entries: %q", len(all), names(all))
	}
}

// TestPDFEncrypted opens files that qpdf encrypted, with the password "user" of the user
// and "owner" of the owner.
func TestPDFEncrypted(t *testing.T) {
	t.Parallel()
	jpg := "\xff\xd8\xff\xe0"
	for i := range 256 {
		jpg += string([]byte{byte(i)})
	}
	for _, name := range []string{"rc4-40", "rc4-128", "aes-128", "aes-256", "aes-256-empty"} {
		file, err := os.ReadFile("testdata/" + name + ".pdf")
		if err != nil {
			t.Fatal(err)
		}
		for i, passwords := range [][]string{nil, {"wrong", "user"}, {"owner"}, {"wrong"}} {
			var o Options
			o.Passwords = passwords
			all, facts, err := list(t, "x", file, o)
			if name != "aes-256-empty" && (i == 0 || i == 3) {
				if code(t, err) != semblance.MediaEncrypted {
					t.Errorf("%s without its password: %v", name, err)
				}
				continue
			}
			want := len(passwords)
			if name == "aes-256-empty" {
				want = 0
			}
			got := contents(t, all)
			if err != nil || facts.Password != want || len(all) != 3 || got["attached/gruß.jpg"].content != jpg {
				t.Errorf("%s with %q: %+v %v %q", name, passwords, facts, err, names(all))
				continue
			}
			for n, h := range got {
				switch {
				case strings.HasSuffix(n, ".jpg") && h.content != jpg:
					t.Errorf("%s: %s is another", name, n)
				case strings.HasSuffix(n, ".png"):
					if m, err := png.Decode(strings.NewReader(h.content)); err != nil || m.At(1, 0) != (color.RGBA{0, 255, 0, 255}) {
						t.Errorf("%s: %s: %v", name, n, err)
					}
				}
			}
			if tm := got["attached/gruß.jpg"].Times; len(tm) != 1 || tm[0].Time != "2019-05-04T10:11:12+02:00" {
				t.Errorf("%s: times %+v", name, tm)
			}
		}
	}
}

// TestPDFHostile gives files that loop, nest and lie.
func TestPDFHostile(t *testing.T) {
	t.Parallel()
	bomb := strings.Repeat("\x00", 1<<20)
	for story, file := range map[string]string{
		"a length that is itself":      pdfOf("<< /Subtype /Image /Filter /DCTDecode /Length 1 0 R >>\nstream\nx\nendstream"),
		"nesting":                      pdfOf(strings.Repeat("[", 100_000)),
		"strings without end":          "%PDF-1.4\n" + strings.Repeat("1 0 obj (", 50_000),
		"streams without end":          "%PDF-1.4\n" + strings.Repeat("1 0 obj <<>> stream\n", 20_000),
		"a picture larger than itself": pdfOf(pdfStream("/Subtype /Image /Width 1000000 /Height 4000 /ColorSpace /DeviceRGB /BitsPerComponent 8", "x")),
		"no picture so large":          pdfOf(pdfStream("/Subtype /Image /Width 1000000 /Height 1000000 /ColorSpace /DeviceRGB /BitsPerComponent 8", "x")),
		"object streams of nothing":    pdfOf(pdfStream("/Type /ObjStm /N 1000000 /First 0 /Filter [/FlateDecode /FlateDecode]", deflated(deflated(bomb)))),
		"object streams in themselves": pdfOf(pdfStream("/Type /ObjStm /N 1 /First 4 /Filter 1 0 R", "1 0 /FlateDecode")),
		"a color space of itself":      pdfOf(pdfStream(imageDict+"/BitsPerComponent 8 /ColorSpace 2 0 R", "x"), "[/Indexed 2 0 R 1 2 0 R]"),
		"encrypted with nothing":       pdfOf("<< /Filter /Standard >>") + "trailer << /Encrypt 1 0 R >>",
		"drawings without end":         pdfOf(pdfStream("", strings.Repeat("BI /A(", 200_000))),
		"values without end":           pdfOf("[" + strings.Repeat("[1 1 1 1]", 300_000) + "]"),
		"a predictor of much":          pdfOf(pdfStream(imageDict+"/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode /DecodeParms << /Predictor 12 /Colors 64 /Columns 9999999 /BitsPerComponent 16 >>", deflated("x"))),
	} {
		all, _, err := list(t, "x", []byte(file), Options{})
		if err != nil {
			code(t, err)
		}
		for _, h := range all {
			if h.err != nil {
				code(t, h.err)
			}
			if len(h.content) > 4<<20 {
				t.Errorf("%s: %d bytes", story, len(h.content))
			}
		}
	}
}

func pdfSeeds(t testing.TB) (all [][]byte) {
	aes, err := os.ReadFile("testdata/aes-256-empty.pdf")
	if err != nil {
		t.Fatal(err)
	}
	return append(all, aes, []byte(pdfOf(pdfStream(imageDict+"/ColorSpace [/Indexed /DeviceRGB 1 <000000ffffff>] /BitsPerComponent 1 /Filter [/A85 /LZW]", "J..)6T`?p&<!J9%_[umg\"B7/Z7KNXbN'S+,*Q/&\"OLT'FLIDK#!n`$\"<Atdi`\\Vn%b%f%:~>"),
		pdfStream("", "BI /W 1 /H 1 /CS /G /BPC 8 ID x EI"))))
}
