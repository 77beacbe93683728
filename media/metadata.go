package media

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/bep/imagemeta"

	"semblance"
)

// Bounds on EXIF. Real blocks are under 64 KiB because a JPEG segment is; PNG and
// WebP know no such limit.
const (
	maxEXIF     = 4 << 20
	maxEXIFTags = 2000
	maxEXIFText = 200
)

// readEXIF fills in metadata and orientation from an EXIF block, which begins
// with its TIFF header. Nothing in it can fail a picture; what cannot be read is
// a warning.
func (p *picture) readEXIF(block []byte) {
	if len(block) == 0 {
		return
	}
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	if len(block) > maxEXIF {
		p.warn("the EXIF block has %d bytes; only the first %d are read", len(block), maxEXIF)
		block = block[:maxEXIF]
	}
	p.readTags(block)
}

// readTags reads a TIFF structure: an EXIF block, or a whole TIFF, whose
// directories may lie anywhere.
func (p *picture) readTags(block []byte) {
	tags, err := exifTags(block)
	if err != nil {
		p.warn("the EXIF block is damaged: %v", err)
	}
	p.a.Orientation = orientation(tags)
	p.a.Metadata = p.metadata(tags)
}

// exifTags reads what we keep. A panic of the library is returned as an error,
// with the tags read so far.
func exifTags(block []byte) (tags map[string]any, err error) {
	tags = map[string]any{}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the reader gave up: %v", r)
		}
	}()
	_, err = imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(block), ImageFormat: imagemeta.TIFF, Sources: imagemeta.EXIF,
		LimitNumTags: maxEXIFTags, LimitTagSize: 4096,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return wanted(t.Tag) },
		HandleTag: func(t imagemeta.TagInfo) error {
			if _, again := tags[t.Tag]; !again { // the first is that of the picture, later ones of its thumbnail
				tags[t.Tag] = t.Value
			}
			return nil
		},
		Warnf: func(string, ...any) {},
	})
	return tags, err
}

func wanted(tag string) bool {
	switch tag {
	case "Orientation", "DateTimeOriginal", "OffsetTimeOriginal", "Make", "Model", "Software", "BodySerialNumber", "SerialNumber",
		"GPSLatitude", "GPSLatitudeRef", "GPSLongitude", "GPSLongitudeRef":
		return true
	}
	return false
}

func (p *picture) metadata(tags map[string]any) semblance.Metadata {
	m := semblance.Metadata{Make: text(tags["Make"]), Model: text(tags["Model"]), Software: text(tags["Software"]),
		Serial: text(tags["BodySerialNumber"])}
	if m.Serial == "" {
		m.Serial = text(tags["SerialNumber"])
	}
	var ok bool
	if m.Taken, ok = taken(text(tags["DateTimeOriginal"]), text(tags["OffsetTimeOriginal"])); !ok {
		p.warn("the EXIF time of the picture is not a time: %q", text(tags["DateTimeOriginal"]))
	}
	lat, okLat := degrees(tags["GPSLatitude"], text(tags["GPSLatitudeRef"]), "S", 90)
	long, okLong := degrees(tags["GPSLongitude"], text(tags["GPSLongitudeRef"]), "W", 180)
	switch {
	case okLat && okLong:
		m.Latitude, m.Longitude = &lat, &long
	case tags["GPSLatitude"] != nil || tags["GPSLongitude"] != nil:
		p.warn("the EXIF position is incomplete or not a position")
	}
	return m
}

// taken turns "2019:05:04 10:11:12" and "+02:00" into RFC 3339. Blank and zero
// times, which cameras without a clock write, are no time and no fault.
func taken(at, zone string) (string, bool) {
	if strings.Trim(at, "0: -/") == "" {
		return "", true
	}
	t, err := time.Parse("2006:01:02 15:04:05", at)
	if err != nil {
		return "", false
	}
	s := t.Format("2006-01-02T15:04:05")
	if _, err := time.Parse("-07:00", zone); err == nil {
		s += zone
	} else if zone == "Z" {
		s += zone
	}
	return s, true
}

// degrees applies the hemisphere to an unsigned EXIF angle.
func degrees(v any, ref, negative string, most float64) (float64, bool) {
	d, ok := v.(float64)
	if !ok || math.IsNaN(d) || math.Abs(d) > most || ref == "" {
		return 0, false
	}
	if strings.EqualFold(ref, negative) {
		d = -d
	}
	return d, true
}

// orientation is 1 to 8, or 0 for none and for anything else.
func orientation(tags map[string]any) int {
	var n int
	switch v := tags["Orientation"].(type) {
	case uint16:
		n = int(v)
	case uint32:
		n = int(v)
	case uint8:
		n = int(v)
	case int:
		n = v
	}
	if n < 1 || n > 8 {
		return 0
	}
	return n
}

// text is a printable, bounded string of a tag.
func text(v any) string {
	s, ok := v.(string)
	if !ok {
		if v == nil {
			return ""
		}
		s = fmt.Sprint(v)
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(strings.TrimSpace(s)); len(r) > maxEXIFText {
		return string(r[:maxEXIFText])
	} else {
		return string(r)
	}
}
