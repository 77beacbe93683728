package media

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"semblance"
)

// Bounds on XMP. A packet of an editor with a long history has some hundred KiB.
const (
	maxXMP       = 4 << 20
	maxXMPTokens = 100_000
	maxXMPDepth  = 64
)

// xmpSpaces are the namespaces of which something is kept, and their usual prefixes.
var xmpSpaces = map[string]string{
	"http://purl.org/dc/elements/1.1/":                     "dc",
	"http://ns.adobe.com/xap/1.0/":                         "xmp",
	"http://ns.adobe.com/xap/1.0/mm/":                      "xmpMM",
	"http://ns.adobe.com/xap/1.0/rights/":                  "xmpRights",
	"http://ns.adobe.com/tiff/1.0/":                        "tiff",
	"http://ns.adobe.com/exif/1.0/":                        "exif",
	"http://cipa.jp/exif/1.0/":                             "exifEX",
	"http://ns.adobe.com/exif/1.0/aux/":                    "aux",
	"http://ns.adobe.com/photoshop/1.0/":                   "photoshop",
	"http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/":          "Iptc4xmpCore",
	"http://iptc.org/std/Iptc4xmpExt/2008-02-29/":          "Iptc4xmpExt",
	"http://www.metadataworkinggroup.com/schemas/regions/": "mwg-rs",
	"http://ns.microsoft.com/photo/1.2/t/Region#":          "MPReg",
	"http://www.w3.org/1999/02/22-rdf-syntax-ns#":          "rdf",
	"http://ns.adobe.com/lightroom/1.0/":                   "lr",
	"http://www.digikam.org/ns/1.0/":                       "digiKam",
}

// xmpTexts are the properties that are kept as texts, by prefix and name.
var xmpTexts = map[string]bool{
	"dc:creator": true, "dc:rights": true, "dc:description": true, "dc:title": true, "dc:subject": true, "dc:source": true, "dc:publisher": true, "dc:contributor": true,
	"xmpMM:DocumentID": true, "xmpMM:OriginalDocumentID": true, "xmpMM:InstanceID": true, "xmpRights:WebStatement": true, "xmpRights:Owner": true, "xmpRights:UsageTerms": true,
	"tiff:Artist": true, "tiff:Copyright": true, "tiff:ImageDescription": true, "exif:UserComment": true, "exif:ImageUniqueID": true,
	"exifEX:CameraOwnerName": true, "aux:OwnerName": true, "xmp:Label": true, "xmp:Nickname": true,
	"photoshop:Credit": true, "photoshop:Source": true, "photoshop:Headline": true, "photoshop:City": true, "photoshop:State": true, "photoshop:Country": true,
	"photoshop:Instructions": true, "photoshop:CaptionWriter": true, "photoshop:TransmissionReference": true,
	"Iptc4xmpCore:CiEmailWork": true, "Iptc4xmpCore:CiTelWork": true, "Iptc4xmpCore:CiUrlWork": true, "Iptc4xmpCore:CiAdrExtadr": true, "Iptc4xmpCore:CiAdrCity": true, "Iptc4xmpCore:Location": true,
	"Iptc4xmpExt:PersonInImage": true, "mwg-rs:Name": true, "MPReg:PersonDisplayName": true, "lr:hierarchicalSubject": true, "digiKam:TagsList": true,
}

// readXMP keeps what is said of the picture's making. Values stand in attributes, in
// elements, or in items of a list in an element (XMP Specification Part 1, 7); where they
// stand does not matter, only in which property.
func (p *picture) readXMP(packet []byte) {
	if len(packet) == 0 {
		return
	}
	if len(packet) > maxXMP {
		p.warn("the XMP packet has %d bytes; it is not read", len(packet))
		return
	}
	packet = bytes.TrimRight(packet, "\x00 ")
	var gps xmpPosition
	err := eachXMP(packet, func(name, value string) { p.xmpProperty(&gps, name, value) })
	if err != nil {
		p.warn("the XMP packet is damaged or not XMP: %s", printable(err.Error()))
	}
	if m := &p.a.Metadata; m.Latitude == nil && gps.lat != nil && gps.long != nil {
		m.Latitude, m.Longitude = gps.lat, gps.long
	}
}

// eachXMP calls do for every value of a property. External entities are never fetched, and
// those of a document's own are errors: encoding/xml knows none.
func eachXMP(packet []byte, do func(name, value string)) error {
	d := xml.NewDecoder(bytes.NewReader(packet))
	var open []string // properties that are open; "" for what is none
	var value strings.Builder
	for n := 0; ; n++ {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case n > maxXMPTokens || len(open) > maxXMPDepth:
			return errors.New("it has more parts than are read")
		}
		switch t := t.(type) {
		case xml.StartElement:
			value.Reset()
			open = append(open, xmpName(t.Name, open))
			for _, a := range t.Attr {
				if name := xmpName(a.Name, nil); name != "" {
					do(name, printable(a.Value))
				}
			}
		case xml.CharData:
			if value.Len() < maxEXIFValue {
				value.Write(t)
			}
		case xml.EndElement:
			if s := printable(value.String()); s != "" && open[len(open)-1] != "" {
				do(open[len(open)-1], s)
			}
			value.Reset()
			open = open[:len(open)-1]
		}
	}
}

// xmpName is "prefix:name" of a property; of a list or an item of one, that of the property
// around it.
func xmpName(n xml.Name, open []string) string {
	switch prefix := xmpSpaces[n.Space]; prefix {
	case "":
		return ""
	case "rdf":
		if len(open) > 0 {
			return open[len(open)-1]
		}
		return ""
	default:
		return prefix + ":" + n.Local
	}
}

// An xmpPosition is what was read of a position.
type xmpPosition struct{ lat, long *float64 }

func (p *picture) xmpProperty(gps *xmpPosition, name, value string) {
	m, source := &p.a.Metadata, "xmp:"+name
	switch name {
	case "tiff:Make":
		p.field(&m.Make, source, value)
	case "tiff:Model":
		p.field(&m.Model, source, value)
	case "tiff:Software", "xmp:CreatorTool":
		p.field(&m.Software, source, value)
	case "aux:SerialNumber", "exifEX:BodySerialNumber":
		p.field(&m.Serial, source, value)
	case "aux:Lens", "exifEX:LensModel":
		p.field(&m.Lens, source, value)
	case "exifEX:LensMake":
		p.field(&m.LensMake, source, value)
	case "aux:LensSerialNumber", "exifEX:LensSerialNumber":
		p.field(&m.LensSerial, source, value)
	case "exif:DateTimeOriginal", "exif:DateTimeDigitized", "exif:GPSTimeStamp", "xmp:CreateDate", "xmp:ModifyDate", "xmp:MetadataDate", "photoshop:DateCreated", "tiff:DateTime":
		if t, ok := xmpTime(source, value); ok {
			p.time(t)
		} else {
			p.text(source, value)
		}
	case "exif:GPSLatitude":
		gps.lat = xmpDegrees(value, 'N', 'S', 90)
	case "exif:GPSLongitude":
		gps.long = xmpDegrees(value, 'E', 'W', 180)
	default:
		if xmpTexts[name] {
			p.text(source, value)
		}
	}
}

// xmpTime reads a date of XMP (Part 1, 8.2.1.3); one without a time of day stays a text.
func xmpTime(source, s string) (semblance.MetadataTime, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04"} {
		for _, zone := range []string{"Z07:00", ""} {
			t, err := time.Parse(layout+zone, s)
			if err != nil {
				continue
			}
			named := semblance.ZoneUnknown
			switch {
			case zone == "":
			case strings.HasSuffix(s, "Z"):
				named = "UTC"
			default:
				named = s[len(s)-len("-07:00"):]
			}
			return semblance.MetadataTime{Source: source, Time: t.Format("2006-01-02T15:04:05.999999999"), Zone: named}, true
		}
	}
	return semblance.MetadataTime{}, false
}

// xmpDegrees reads "33,30.6S" or "33,30,36S", nil for anything else.
func xmpDegrees(s string, positive, negative byte, most float64) *float64 {
	if len(s) < 2 {
		return nil
	}
	ref := s[len(s)-1]
	d, unit := 0.0, 1.0
	for i, part := range strings.Split(s[:len(s)-1], ",") {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 0) || i > 2 {
			return nil
		}
		d, unit = d+v/unit, unit*60
	}
	switch {
	case d > most:
		return nil
	case ref == negative:
		d = -d
	case ref != positive:
		return nil
	}
	return &d
}
