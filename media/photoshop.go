package media

import (
	"encoding/binary"
	"strings"
	"time"

	"semblance"
)

// readPhotoshop reads the image resources that Photoshop and others write (Photoshop File
// Formats Specification): its thumbnail, and IPTC.
func (p *picture) readPhotoshop(b []byte) {
	for len(b) >= 12 && string(b[:4]) == "8BIM" {
		id, name := binary.BigEndian.Uint16(b[4:]), int(b[6])
		at := 6 + (1+name+1)&^1
		if len(b) < at+4 {
			return
		}
		size := uint64(binary.BigEndian.Uint32(b[at:]))
		if uint64(len(b)-at-4) < size {
			p.warn("the Photoshop resources are damaged: one is longer than they are")
			return
		}
		body := b[at+4 : uint64(at+4)+size]
		switch {
		case id == 0x0404:
			p.readIPTC(body)
		case id == 0x040c && len(body) > 28 && binary.BigEndian.Uint32(body) == 1 && len(body)-28 <= maxThumbnail: // a JPEG
			p.embed(semblance.PhotoshopThumbnail, body[28:])
		}
		b = b[min(uint64(at+4)+size+size&1, uint64(len(b))):]
	}
}

// iptcTexts are the data sets of record 2 that are kept (IPTC-NAA IIM 4.2, 6).
var iptcTexts = map[byte]string{5: "ObjectName", 25: "Keywords", 40: "SpecialInstructions", 80: "By-line", 85: "By-lineTitle", 90: "City", 92: "Sub-location",
	95: "Province-State", 101: "Country", 103: "OriginalTransmissionReference", 105: "Headline", 110: "Credit", 115: "Source", 116: "CopyrightNotice", 118: "Contact", 120: "Caption-Abstract"}

// readIPTC reads IIM records.
func (p *picture) readIPTC(b []byte) {
	day, hour := "", ""
	for len(b) >= 5 && b[0] == 0x1c {
		record, set, size := b[1], b[2], int(binary.BigEndian.Uint16(b[3:]))
		if size >= 0x8000 || len(b) < 5+size { // extended sizes are for pictures within
			break
		}
		body := b[5 : 5+size]
		b = b[5+size:]
		switch {
		case record != 2:
		case set == 55:
			day = string(body)
		case set == 60:
			hour = string(body)
		case iptcTexts[set] != "":
			p.text("iptc:"+iptcTexts[set], text(body))
		}
	}
	if t, err := time.Parse("20060102150405", day+clip(hour, 6)); err == nil {
		zone := semblance.ZoneUnknown
		if z := strings.TrimPrefix(hour, clip(hour, 6)); len(z) == 5 {
			zone = zoneOf(z[:3] + ":" + z[3:])
		}
		p.time(semblance.MetadataTime{Source: "iptc:DateCreated", Time: t.Format("2006-01-02T15:04:05"), Zone: zone})
	} else if day != "" {
		p.text("iptc:DateCreated", text([]byte(day)))
	}
}

func clip(s string, n int) string { return s[:min(len(s), n)] }
