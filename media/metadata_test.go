package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// An entry is one tag of a directory that exifOf writes; value is its bytes.
type entry struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

func ascii(tag uint16, s string) entry {
	return entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)}
}

func long(tag uint16, n uint32) entry {
	return entry{tag, 4, 1, binary.BigEndian.AppendUint32(nil, n)}
}

func fractions(tag uint16, parts ...uint32) entry {
	e := entry{tag, 5, uint32(len(parts) / 2), nil}
	for _, n := range parts {
		e.value = binary.BigEndian.AppendUint32(e.value, n)
	}
	return e
}

// exifOf is a big-endian block with its directories one behind the other: image's,
// thumbnail's, EXIF's, GPS's; nil for none.
func exifOf(image, thumb, exif, gps []entry, thumbnail []byte) []byte {
	size := func(list []entry) int {
		n := 6 + 12*len(list)
		for _, e := range list {
			if len(e.value) > 4 {
				n += len(e.value) + len(e.value)%2
			}
		}
		return n
	}
	if thumbnail != nil {
		thumb = append(slices.Clone(thumb), long(tagThumbOffset, 0), long(tagThumbLength, uint32(len(thumbnail))))
	}
	image = append(slices.Clone(image), long(tagExifPointer, 0), long(tagGPSPointer, 0))
	at := [5]int{8}
	for i, list := range [][]entry{image, thumb, exif, gps} {
		at[i+1] = at[i] + size(list)
	}
	binary.BigEndian.PutUint32(image[len(image)-2].value, uint32(at[2]))
	binary.BigEndian.PutUint32(image[len(image)-1].value, uint32(at[3]))
	if thumbnail != nil {
		binary.BigEndian.PutUint32(thumb[len(thumb)-2].value, uint32(at[4]))
	}
	b := []byte("MM\x00*\x00\x00\x00\x08")
	for i, list := range [][]entry{image, thumb, exif, gps} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
		values := at[i] + 6 + 12*len(list)
		var tail []byte
		for _, e := range list {
			b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, e.tag), e.kind)
			b = binary.BigEndian.AppendUint32(b, e.count)
			if len(e.value) <= 4 {
				b = append(append(b, e.value...), make([]byte, 4-len(e.value))...)
				continue
			}
			b = binary.BigEndian.AppendUint32(b, uint32(values+len(tail)))
			tail = append(append(tail, e.value...), make([]byte, len(e.value)%2)...)
		}
		next := uint32(0)
		if i == 0 {
			next = uint32(at[1])
		}
		b = append(binary.BigEndian.AppendUint32(b, next), tail...)
	}
	return append(b, thumbnail...)
}

func fullEXIF(thumbnail []byte) []byte {
	return exifOf(
		[]entry{ascii(tagMake, "ACME"), ascii(tagModel, "Phone 1"), ascii(tagArtist, "J\xf6rg"), ascii(tagDateTime, "2020:01:02 03:04:05"), ascii(tagDescription, "call +31 6 1234\r\nnow"),
			{tagXPAuthor, 1, 10, []byte("A\x00n\x00n\x00a\x00\x00\x00")}}, nil,
		[]entry{ascii(tagOriginal, "2019:05:04 10:11:12"), ascii(tagOffsetOrig, "+02:00"), ascii(tagSubSecOrig, "25"), ascii(tagBodySerial, "SN 42"), ascii(tagOwner, "Anna"),
			ascii(tagLensModel, "50 mm"), ascii(tagLensSerial, "L 7"), ascii(tagImageID, "0123456789abcdef"), {tagUserComment, 7, 14, []byte("UNICODE\x00\x00h\x00i\x00!")}},
		[]entry{ascii(tagGPSLatRef, "S"), fractions(tagGPSLat, 33, 1, 3060, 100, 0, 1), ascii(tagGPSLongRef, "W"), fractions(tagGPSLong, 70, 1, 15, 1, 0, 1),
			fractions(tagGPSTime, 8, 1, 11, 1, 125, 10), ascii(tagGPSDate, "2019:05:04")}, thumbnail)
}

func TestEXIFInFull(t *testing.T) {
	t.Parallel()
	p := &picture{}
	p.readMetadata(blocks{exif: fullEXIF([]byte("\xff\xd8thumbnail\xff\xd9"))})
	m := p.a.Metadata
	want := semblance.Metadata{Taken: "2019-05-04T10:11:12+02:00", Make: "ACME", Model: "Phone 1", Serial: "SN 42", Lens: "50 mm", LensSerial: "L 7", ImageID: "0123456789abcdef",
		Times: []semblance.MetadataTime{{Source: "exif:DateTimeOriginal", Time: "2019-05-04T10:11:12.25", Zone: "+02:00"}, {Source: "exif:DateTime", Time: "2020-01-02T03:04:05", Zone: "unknown"},
			{Source: "exif:GPS", Time: "2019-05-04T08:11:12.5", Zone: "UTC"}},
		Texts: []semblance.MetadataText{{Source: "exif:CameraOwnerName", Text: "Anna"}, {Source: "exif:Artist", Text: "Jörg"}, {Source: "exif:ImageDescription", Text: "call +31 6 1234 now"},
			{Source: "exif:UserComment", Text: "hi!"}, {Source: "exif:XPAuthor", Text: "Anna"}}}
	if m.Latitude == nil || *m.Latitude != -33.51 || *m.Longitude != -70.25 {
		t.Errorf("position %v, %v", m.Latitude, m.Longitude)
	}
	m.Latitude, m.Longitude = nil, nil
	if fmt.Sprintf("%+v", m) != fmt.Sprintf("%+v", want) || len(p.a.Warnings) > 0 {
		t.Errorf("got  %+v\nwant %+v\n%v", m, want, p.a.Warnings)
	}
	if len(p.a.Embedded) != 1 || string(p.Embedded(0)) != "\xff\xd8thumbnail\xff\xd9" || p.a.Embedded[0].Kind != semblance.EXIFThumbnail || p.a.Embedded[0].Digests.Size != 13 {
		t.Errorf("embedded %+v", p.a.Embedded)
	}
	if got := fmt.Sprint(m.Traces()); got != "[{camera model ACME PHONE 1} {camera serial ACME SN 42} {lens serial ACME L 7} {image id  0123456789ABCDEF} {camera owner  ANNA}]" {
		t.Errorf("traces %s", got)
	}
}

// Notes of makers, as ExifTool documents where their values lie.
func TestMakerNotes(t *testing.T) {
	t.Parallel()
	dir := func(order binary.AppendByteOrder, at uint32, tag uint16, s string) []byte { // one tag, its value behind it
		b := order.AppendUint16(order.AppendUint16(order.AppendUint16(nil, 1), tag), 2)
		b = order.AppendUint32(order.AppendUint32(b, uint32(len(s)+1)), at+18)
		return append(append(b, 0, 0, 0, 0), s+"\x00"...)
	}
	le := binary.AppendByteOrder(binary.LittleEndian)
	be := binary.AppendByteOrder(binary.BigEndian)
	for _, c := range []struct {
		make, want string
		note       []byte
	}{
		{"Apple", "[] [{exif:Apple:ContentIdentifier 0C1F-22}]", append([]byte("Apple iOS\x00\x00\x01MM"), dir(be, 14, 0x11, "0C1F-22")...)},
		{"NIKON CORPORATION", "[3001234] [{exif:Nikon:SerialNumber 3001234}]", append([]byte("Nikon\x00\x02\x10\x00\x00II*\x00\x08\x00\x00\x00"), dir(le, 8, 0x1d, "3001234")...)},
		{"FUJIFILM", "[] [{exif:Fujifilm:InternalSerialNumber FPX 77}]", append([]byte("FUJIFILM\x0c\x00\x00\x00"), dir(le, 12, 0x10, "FPX 77")...)},
		{"Canon", "[1234567] [{exif:Canon:SerialNumber 1234567}]", []byte{0, 1, 0, 0x0c, 0, 4, 0, 0, 0, 1, 0, 0x12, 0xd6, 0x87, 0, 0, 0, 0}},
		{"Canon", "[] []", bytes.Repeat([]byte{0xff}, 64)},
	} {
		p := &picture{}
		p.readMetadata(blocks{exif: exifOf([]entry{ascii(tagMake, c.make)}, nil, []entry{{tagMakerNote, 7, uint32(len(c.note)), c.note}}, nil, nil)})
		if got := fmt.Sprint([]string{p.a.Metadata.Serial}, p.a.Metadata.Texts); got != c.want || len(p.a.Warnings) > 0 {
			t.Errorf("%s: %s, want %s; %v", c.make, got, c.want, p.a.Warnings)
		}
	}
}

// What is meant to run a reader into the ground ends, quickly, with what was readable.
func TestHostileEXIF(t *testing.T) {
	t.Parallel()
	full := fullEXIF(nil)
	loop := exifOf([]entry{ascii(tagMake, "ACME")}, nil, nil, nil, nil)
	binary.BigEndian.PutUint32(loop[8+2+2*12+8:], 8) // EXIF's directory is the image's
	counts := exifOf([]entry{ascii(tagMake, "ACME"), {tagModel, 2, 1<<32 - 1, []byte("12345")}, {tagSoftware, 12, 1<<32 - 1, []byte("12345")}, {tagArtist, 99, 1, []byte("a")}}, nil, nil, nil, nil)
	many := []entry{ascii(tagMake, "ACME")}
	for i := range 60_000 {
		many = append(many, entry{uint16(i), 3, 1, []byte{0, 1}})
	}
	for name, c := range map[string]struct {
		data []byte
		want string // in the warnings
	}{
		"whole":                 {full, ""},
		"loop":                  {loop, "points back"},
		"huge counts":           {counts, "lies outside of the block; a tag has a type"},
		"many tags":             {exifOf(many, nil, nil, nil, nil), "more tags than are read"},
		"thumbnail outside":     {exifOf([]entry{ascii(tagMake, "ACME")}, []entry{long(tagThumbOffset, 1<<31), long(tagThumbLength, 1<<31)}, nil, nil, nil), "thumbnail lies outside"},
		"thumbnail of nothing":  {exifOf([]entry{ascii(tagMake, "ACME")}, []entry{long(tagThumbOffset, 8), long(tagThumbLength, 0)}, nil, nil, nil), ""},
		"zero denominators":     {exifOf([]entry{ascii(tagMake, "ACME")}, nil, nil, []entry{ascii(tagGPSLatRef, "N"), fractions(tagGPSLat, 1, 0, 1, 0, 1, 0)}, nil), "position is incomplete"},
		"a thumbnail too large": {exifOf([]entry{ascii(tagMake, "ACME")}, nil, nil, nil, make([]byte, maxThumbnail+1)), "larger than is read"},
	} {
		p := &picture{}
		p.readMetadata(blocks{exif: c.data})
		if got := strings.Join(p.a.Warnings, "|"); !strings.Contains(got, c.want) || c.want == "" && got != "" || p.a.Metadata.Make != "ACME" {
			t.Errorf("%s: %q, make %q", name, got, p.a.Metadata.Make)
		}
	}
	for i := range full { // cut anywhere
		p := &picture{}
		p.readMetadata(blocks{exif: full[:i]})
	}
}

const xmpPacket = `<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmp:CreatorTool="Editor 9" xmp:CreateDate="2019-05-04T10:11:12.5+02:00" xmp:ModifyDate="2019-05-04T10:11" aux:SerialNumber="SN 43" exif:GPSLatitude="33,30.6S" exif:GPSLongitude="70,15,0W">
<dc:creator><rdf:Seq><rdf:li>Anna</rdf:li><rdf:li>Ben &amp; Co</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">mail me@example.org</rdf:li></rdf:Alt></dc:description>
<xmpMM:OriginalDocumentID>xmp.did:77</xmpMM:OriginalDocumentID>
<xmpMM:History><rdf:Seq><rdf:li stEvt:action="saved" stEvt:when="2019-05-04T10:11:12Z"/></rdf:Seq></xmpMM:History>
<tiff:Make>ACME</tiff:Make></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>`

func TestXMP(t *testing.T) {
	t.Parallel()
	p := &picture{}
	p.readMetadata(blocks{exif: exifOf(nil, nil, []entry{ascii(tagBodySerial, "SN 42")}, nil, nil), xmp: []byte(xmpPacket)})
	m := p.a.Metadata
	if m.Latitude == nil || *m.Latitude != -33.51 || *m.Longitude != -70.25 || m.Serial != "SN 42" || m.Make != "ACME" || m.Software != "Editor 9" || len(p.a.Warnings) > 0 {
		t.Errorf("%+v, %v", m, p.a.Warnings)
	}
	if got := fmt.Sprint(m.Times); got != "[{xmp:xmp:CreateDate 2019-05-04T10:11:12.5 +02:00} {xmp:xmp:ModifyDate 2019-05-04T10:11:00 unknown}]" {
		t.Errorf("times %s", got)
	}
	if got := fmt.Sprint(m.Texts); got != "[{xmp:aux:SerialNumber SN 43} {xmp:dc:creator Anna} {xmp:dc:creator Ben & Co} {xmp:dc:description mail me@example.org} {xmp:xmpMM:OriginalDocumentID xmp.did:77}]" {
		t.Errorf("texts %s", got)
	}
	if got := fmt.Sprint(m.Traces()); !strings.Contains(got, "{camera serial ACME SN 43}") || !strings.Contains(got, "{document id  XMP.DID:77}") {
		t.Errorf("traces %s", got)
	}
	for _, bad := range []string{"<a", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", strings.Repeat("<a>", 100_000), "\xff\xfe<\x00"} {
		p := &picture{}
		p.readMetadata(blocks{xmp: []byte(bad)})
		if len(p.a.Warnings) != 1 {
			t.Errorf("%.20q: %v", bad, p.a.Warnings)
		}
	}
}

func chunk(kind string, body []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
	return append(append(b, body...), 0, 0, 0, 0) // nobody looks at the checksum here
}

func pngOf(chunks ...[]byte) []byte {
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", []byte{0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0})...)
	for _, c := range chunks {
		b = append(b, c...)
	}
	return append(b, chunk("IEND", nil)...)
}

func deflated(s string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s)) // into memory: cannot fail
	_ = z.Close()
	return b.Bytes()
}

func TestPNGTexts(t *testing.T) {
	t.Parallel()
	raw := hex.EncodeToString(append([]byte("Exif\x00\x00"), exifOf([]entry{ascii(tagMake, "ACME")}, nil, nil, nil, nil)...))
	h, err := readPNGHead(pngOf(chunk("tEXt", []byte("Author\x00J\xf6rg")), chunk("zTXt", append([]byte("Comment\x00\x00"), deflated("long text")...)),
		chunk("iTXt", []byte("Title\x00\x00\x00nl\x00Titel\x00Caf\xc3\xa9")), chunk("iTXt", append([]byte("XML:com.adobe.xmp\x00\x01\x00\x00\x00"), deflated(xmpPacket)...)),
		chunk("tEXt", []byte("Creation Time\x002019-05-04T10:11:12Z")), chunk("tIME", []byte{7, 227, 5, 4, 10, 11, 12}), chunk("tEXt", []byte("Raw profile type exif\x00\nexif\n 99\n"+raw[:40]+"\n"+raw[40:])),
		chunk("zTXt", append([]byte("Bomb\x00\x00"), deflated(strings.Repeat("0", 64<<20))...))))
	if err != nil {
		t.Fatal(err)
	}
	p := &picture{}
	p.readMetadata(h.blocks)
	m := p.a.Metadata
	if m.Make != "ACME" || m.Software != "Editor 9" {
		t.Errorf("%+v", m)
	}
	got := fmt.Sprint(m.Texts, m.Times)
	for _, want := range []string{"{png:Author Jörg}", "{png:Comment long text}", "{png:Title Café}", "{png:Creation Time 2019-05-04T10:11:12 UTC}", "{png:tIME 2019-05-04T10:11:12 UTC}", "{xmp:dc:creator Anna}"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for _, text := range m.Texts {
		if len(text.Text) > maxMetadataText {
			t.Errorf("a text of %d bytes", len(text.Text))
		}
	}
}

// resource is an image resource of Photoshop's.
func resource(id uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte("8BIM"), id)
	b = binary.BigEndian.AppendUint32(append(b, 0, 0), uint32(len(body)))
	return append(append(b, body...), make([]byte, len(body)%2)...)
}

func TestPhotoshop(t *testing.T) {
	t.Parallel()
	set := func(n byte, s string) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0x1c, 2, n}, uint16(len(s))), s...)
	}
	iptc := slices.Concat(set(80, "Anna"), set(120, "Caption"), set(55, "20190504"), set(60, "101112+0200"))
	thumb := append(append(binary.BigEndian.AppendUint32(nil, 1), make([]byte, 24)...), "JPEG"...)
	seg := append([]byte("Photoshop 3.0\x00"), resource(0x0404, iptc)...)
	rest := append([]byte("Photoshop 3.0\x00"), resource(0x040c, thumb)...)
	b := []byte{0xff, 0xd8}
	for _, s := range [][]byte{seg, rest} {
		b = append(binary.BigEndian.AppendUint16(append(b, 0xff, 0xed), uint16(len(s)+2)), s...)
	}
	b = append(b, 0xff, 0xfe, 0, 6, 'n', 'o', 't', 'e', 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda)
	h, err := readJPEGHead(b)
	if err != nil {
		t.Fatal(err)
	}
	p := &picture{}
	p.readMetadata(h.blocks)
	if got := fmt.Sprint(p.a.Metadata.Texts, p.a.Metadata.Times); got != "[{iptc:By-line Anna} {iptc:Caption-Abstract Caption} {jpeg:comment note}] [{iptc:DateCreated 2019-05-04T10:11:12 +02:00}]" {
		t.Errorf("got %s", got)
	}
	if len(p.a.Embedded) != 1 || p.a.Embedded[0].Kind != semblance.PhotoshopThumbnail || string(p.Embedded(0)) != "JPEG" {
		t.Errorf("embedded %+v", p.a.Embedded)
	}
}

// A thumbnail of 160 by 120 with a picture of 3:2 between black bars, as cameras make it.
func TestBars(t *testing.T) {
	t.Parallel()
	frame := func(w, h, bar int, side bool) *semblance.Frame {
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				at, n := y, h
				if side {
					at, n = x, w
				}
				if at >= bar && at < n-bar {
					img.Set(x, y, color.RGBA{uint8(x), uint8(y), 200, 255})
				}
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		back, err := jpeg.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		f := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 0, 3*w*h)}
		for y := range h {
			for x := range w {
				r, g, bl, _ := back.At(x, y).RGBA()
				f.RGB = append(f.RGB, byte(r>>8), byte(g>>8), byte(bl>>8))
			}
		}
		return f
	}
	for _, c := range []struct {
		w, h, bar int
		side      bool
		wantW     int // 0: no bars
		wantH     int
	}{{160, 120, 7, false, 160, 106}, {160, 120, 20, true, 120, 120}, {160, 120, 0, false, 0, 0}, {160, 120, 60, false, 0, 0}, {160, 120, 1, false, 0, 0}} {
		got := WithoutBars(frame(c.w, c.h, c.bar, c.side))
		switch {
		case got == nil && c.wantW == 0:
		case got == nil || c.wantW == 0:
			t.Errorf("%+v: %v", c, got != nil)
		case max(got.Width-c.wantW, c.wantW-got.Width, got.Height-c.wantH, c.wantH-got.Height) > 2 || len(got.RGB) != 3*got.Width*got.Height:
			t.Errorf("%+v: %d by %d", c, got.Width, got.Height)
		}
	}
}

// FuzzMetadata reads any bytes as every kind of metadata: they give texts that can be shown,
// within the bounds, or a warning.
func FuzzMetadata(f *testing.F) {
	f.Add(fullEXIF([]byte("\xff\xd8thumbnail\xff\xd9")), []byte(xmpPacket), resource(0x0404, []byte("\x1c\x02\x50\x00\x01a")))
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x02\x00\xff\xff\xff\xff\x00\x00\x00\x00"), []byte("<a><b c='d'>"), []byte("8BIM\x04\x0c"))
	f.Add(exifOf([]entry{ascii(tagMake, "Canon")}, nil, []entry{{tagMakerNote, 7, 18, []byte{0, 1, 0, 0x0c, 0, 4, 0, 0, 0, 1, 0, 0x12, 0xd6, 0x87, 0, 0, 0, 0}}}, nil, nil), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, exif, xmp, photoshop []byte) {
		p := &picture{}
		p.readMetadata(blocks{exif: exif, xmp: xmp, photoshop: photoshop})
		m := p.a.Metadata
		if len(m.Texts) > maxMetadataTexts || len(m.Times) > maxMetadataTimes || len(p.a.Embedded) > semblance.MaxEmbedded || p.a.Orientation < 0 || p.a.Orientation > 8 {
			t.Fatalf("%d texts, %d times, %d pictures", len(m.Texts), len(m.Times), len(p.a.Embedded))
		}
		for _, s := range m.Strings() {
			if len(s.Text) > maxMetadataText || printable(s.Text) != s.Text {
				t.Fatalf("%q of %s", s.Text, s.Source)
			}
		}
		if m.Latitude != nil && !(*m.Latitude >= -90 && *m.Latitude <= 90 && *m.Longitude >= -180 && *m.Longitude <= 180) {
			t.Fatalf("at %v, %v", *m.Latitude, *m.Longitude)
		}
		m.Traces()
	})
}
