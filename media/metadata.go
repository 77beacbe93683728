package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"semblance"
	"semblance/hashing"
)

// Bounds on what is kept. The parent of a worker insists on the same.
const (
	maxMetadataText  = 1000 // bytes of one text
	maxMetadataTexts = 64
	maxMetadataTimes = 32
)

// Blocks are the parts of a file that hold metadata, as they lie in it; nil for none.
type blocks struct {
	exif      []byte // from its TIFF header on, or behind "Exif\0\0"
	xmp       []byte
	photoshop []byte                   // image resources (8BIM)
	iptc      []byte                   // IIM records without resources around them
	times     []semblance.MetadataTime // of the format itself
	texts     []semblance.MetadataText
}

// readMetadata fills in metadata, orientation and embedded pictures. Nothing in it can
// fail a picture; what cannot be read is a warning.
func (p *picture) readMetadata(b blocks) {
	x := p.readEXIF(b.exif)
	if x != nil {
		if b.xmp == nil {
			b.xmp = x.tags[dirImage][tagXMP].raw
		}
		if b.photoshop == nil {
			b.photoshop = x.tags[dirImage][tagPhotoshop].raw
		}
		if b.iptc == nil {
			b.iptc = x.tags[dirImage][tagIPTC].raw
		}
	}
	p.readXMP(b.xmp)
	p.readPhotoshop(b.photoshop)
	p.readIPTC(b.iptc)
	for _, t := range b.times {
		p.time(t)
	}
	for _, t := range b.texts {
		p.text(t.Source, t.Text)
	}
}

// text keeps a text of a field, once.
func (p *picture) text(source, s string) {
	m := &p.a.Metadata
	if s == "" {
		return
	}
	for _, t := range m.Texts {
		if t.Source == source && t.Text == s {
			return
		}
	}
	if len(m.Texts) >= maxMetadataTexts {
		p.warn("the metadata has more texts than are kept: %d", maxMetadataTexts)
		return
	}
	m.Texts = append(m.Texts, semblance.MetadataText{Source: source, Text: p.cut(s)})
}

// cut shortens a text that is too long to be kept, and says so.
func (p *picture) cut(s string) string {
	if len(s) <= maxMetadataText {
		return s
	}
	p.warn("a text of the metadata is longer than is kept: %d bytes", maxMetadataText)
	return strings.ToValidUTF8(s[:maxMetadataText], "")
}

// field sets a field that is empty. One that is set already and differs is kept as a text.
func (p *picture) field(field *string, source, s string) {
	switch {
	case s == "" || *field == s:
	case *field == "":
		*field = p.cut(s)
	default:
		p.text(source, s)
	}
}

func (p *picture) time(t semblance.MetadataTime) {
	m := &p.a.Metadata
	for _, known := range m.Times {
		if known == t {
			return
		}
	}
	if len(m.Times) < maxMetadataTimes {
		m.Times = append(m.Times, t)
	}
}

// embed keeps a picture that lies in the metadata, each content once.
func (p *picture) embed(kind semblance.EmbeddedKind, data []byte) {
	if len(data) == 0 || len(p.embedded) >= semblance.MaxEmbedded {
		return
	}
	for _, known := range p.embedded {
		if bytes.Equal(known, data) {
			return
		}
	}
	p.embedded = append(p.embedded, data)
	p.a.Embedded = append(p.a.Embedded, semblance.EmbeddedPicture{Kind: kind, Digests: hashing.DigestBytes(data)})
}

// readEXIF reads an EXIF block, or a whole TIFF, whose directories may lie anywhere.
func (p *picture) readEXIF(block []byte) *exifBlock {
	if len(block) == 0 {
		return nil
	}
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	if len(block) > maxEXIF && p.a.Type != typeTIFF {
		p.warn("the EXIF block has %d bytes; only the first %d are read", len(block), maxEXIF)
		block = block[:maxEXIF]
	}
	x := readEXIFBlock(block)
	if x == nil {
		p.warn("the EXIF block is damaged: it does not begin with a TIFF header")
		return nil
	}
	p.a.Orientation = x.orientation()
	p.exifFields(x)
	p.exifTimes(x)
	p.exifPosition(x)
	p.embed(semblance.EXIFThumbnail, x.thumbnail())
	if len(x.faults) > 0 {
		p.warn("the EXIF block is damaged: %s", strings.Join(x.faults, "; "))
	}
	return x
}

// orientation is 1 to 8, or 0 for none and for anything else.
func (x *exifBlock) orientation() int {
	n, ok := x.tags[dirImage][tagOrientation].number()
	if !ok || n < 1 || n > 8 {
		return 0
	}
	return int(n)
}

func (p *picture) exifFields(x *exifBlock) {
	m := &p.a.Metadata
	p.field(&m.Make, "", x.text(dirImage, tagMake))
	p.field(&m.Model, "", x.text(dirImage, tagModel))
	p.field(&m.Software, "", x.text(dirImage, tagSoftware))
	p.field(&m.Serial, "", x.text(dirExif, tagBodySerial))
	p.field(&m.Serial, "exif:CameraSerialNumber", x.text(dirImage, tagCameraSerial))
	p.field(&m.Serial, "exif:SerialNumber", x.text(dirExif, tagRawSerial))
	p.field(&m.Lens, "", x.text(dirExif, tagLensModel))
	p.field(&m.LensMake, "", x.text(dirExif, tagLensMake))
	p.field(&m.LensSerial, "", x.text(dirExif, tagLensSerial))
	p.field(&m.ImageID, "", x.text(dirExif, tagImageID))
	x.noteTexts(func(maker, name, value string) {
		if name == "SerialNumber" && m.Serial == "" {
			p.field(&m.Serial, "", value)
		}
		p.text("exif:"+maker+":"+name, value)
	})
	for _, t := range []struct {
		d    exifDir
		tag  uint16
		name string
	}{{dirExif, tagOwner, "CameraOwnerName"}, {dirImage, tagArtist, "Artist"}, {dirImage, tagCopyright, "Copyright"},
		{dirImage, tagDescription, "ImageDescription"}, {dirImage, tagHostComputer, "HostComputer"}} {
		p.text("exif:"+t.name, x.text(t.d, t.tag))
	}
	p.text("exif:UserComment", x.comment(dirExif, tagUserComment))
	p.text("exif:GPSAreaInformation", x.comment(dirGPS, tagGPSArea))
	p.text("exif:GPSProcessingMethod", x.comment(dirGPS, tagGPSMethod))
	for _, t := range []struct {
		tag  uint16
		name string
	}{{tagXPTitle, "XPTitle"}, {tagXPComment, "XPComment"}, {tagXPAuthor, "XPAuthor"}, {tagXPKeywords, "XPKeywords"}, {tagXPSubject, "XPSubject"}} {
		p.text("exif:"+t.name, x.wide(t.tag))
	}
}

// exifTimes reads the times of a camera's clock, whose zone a tag of its own gives, and
// that of GPS, which is UTC.
func (p *picture) exifTimes(x *exifBlock) {
	for _, t := range []struct {
		name             string
		d                exifDir
		tag, zone, split uint16
	}{{"DateTimeOriginal", dirExif, tagOriginal, tagOffsetOrig, tagSubSecOrig}, {"DateTimeDigitized", dirExif, tagDigitized, tagOffsetDigit, tagSubSecDigit},
		{"DateTime", dirImage, tagDateTime, tagOffset, tagSubSec}} {
		at, zone := x.text(t.d, t.tag), x.text(dirExif, t.zone)
		local, ok := clock(at)
		switch {
		case !ok && t.tag == tagOriginal:
			p.warn("the EXIF time of the picture is not a time: %q", at)
			continue
		case !ok:
			p.warn("the EXIF %s is not a time: %q", t.name, at)
			continue
		case local == "":
			continue
		}
		named := zoneOf(zone)
		if t.tag == tagOriginal {
			p.a.Metadata.Taken = local
			if named != semblance.ZoneUnknown {
				p.a.Metadata.Taken += zone
			}
		}
		if f := x.text(dirExif, t.split); f != "" && len(f) <= 9 && strings.Trim(f, "0123456789") == "" {
			local += "." + f
		}
		p.time(semblance.MetadataTime{Source: "exif:" + t.name, Time: local, Zone: named})
	}
	day, hours := x.text(dirGPS, tagGPSDate), x.tags[dirGPS][tagGPSTime].rationals()
	if day == "" || len(hours) != 3 {
		return
	}
	t, err := time.Parse("2006:01:02", day)
	if s := hours[0]*3600 + hours[1]*60 + hours[2]; err != nil || !(s >= 0 && s < 86401) {
		p.warn("the EXIF time of the position is not a time")
	} else {
		at := t.Add(time.Duration(math.Round(s*1000)) * time.Millisecond)
		p.time(semblance.MetadataTime{Source: "exif:GPS", Time: at.Format("2006-01-02T15:04:05.999"), Zone: "UTC"})
	}
}

// clock turns "2019:05:04 10:11:12" into RFC 3339 without zone. Blank and zero times, which
// cameras without a clock write, are no time and no fault.
func clock(at string) (string, bool) {
	if strings.Trim(at, "0: -/") == "" {
		return "", true
	}
	for _, layout := range []string{"2006:01:02 15:04:05", "2006-01-02 15:04:05", "2006:01:02 15:04"} {
		if t, err := time.Parse(layout, at); err == nil {
			return t.Format("2006-01-02T15:04:05"), true
		}
	}
	return "", false
}

// zoneOf is the zone of a time that a file gives, or ZoneUnknown for what is none.
func zoneOf(zone string) string {
	if _, err := time.Parse("-07:00", zone); err == nil {
		return zone
	}
	if zone == "Z" {
		return "UTC"
	}
	return semblance.ZoneUnknown
}

func (p *picture) exifPosition(x *exifBlock) {
	m := &p.a.Metadata
	lat, okLat := degrees(x.tags[dirGPS][tagGPSLat].rationals(), x.text(dirGPS, tagGPSLatRef), "N", "S", 90)
	long, okLong := degrees(x.tags[dirGPS][tagGPSLong].rationals(), x.text(dirGPS, tagGPSLongRef), "E", "W", 180)
	_, hasLat := x.tags[dirGPS][tagGPSLat]
	_, hasLong := x.tags[dirGPS][tagGPSLong]
	switch {
	case okLat && okLong:
		m.Latitude, m.Longitude = &lat, &long
	case hasLat || hasLong:
		p.warn("the EXIF position is incomplete or not a position")
	}
}

// degrees makes an angle of degrees, minutes and seconds and their hemisphere.
func degrees(parts []float64, ref, positive, negative string, most float64) (float64, bool) {
	if len(parts) < 1 || len(parts) > 3 {
		return 0, false
	}
	d, unit := 0.0, 1.0
	for _, v := range parts {
		if !(v >= 0) {
			return 0, false
		}
		d, unit = d+v/unit, unit*60
	}
	switch {
	case !(d <= most):
		return 0, false
	case strings.EqualFold(ref, negative):
		return -d, true
	case strings.EqualFold(ref, positive):
		return d, true
	}
	return 0, false
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// text is the printable text of bytes up to the first zero. What is not UTF-8 is taken as
// Latin-1, which cameras and PNG write.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if !utf8.Valid(b) {
		b = latin1(b)
	}
	return printable(string(b))
}

func latin1(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// printable makes one line of a text; characters that control how others are shown go.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || !strconv.IsPrint(r) && r != 0xa0:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func utf16Text(b []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+2 <= len(b); i += 2 {
		u := order.Uint16(b[i:])
		if u == 0 {
			break
		}
		if u != 0xfeff {
			units = append(units, u)
		}
	}
	return []byte(string(utf16.Decode(units)))
}
