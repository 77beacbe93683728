package media

import (
	"bytes"
	"encoding/binary"
	"slices"

	"semblance"
)

// A jpegHead is what a JPEG says before its first scan.
type jpegHead struct {
	width, height int
	components    int
	process       byte // the SOF marker
	blocks
}

// progressive is SOF2 or its arithmetic twin.
func (h jpegHead) progressive() bool { return h.process == 0xc2 || h.process == 0xca }

// readJPEGHead walks the markers up to the frame header (ITU-T T.81, B.2) and
// refuses by name what libjpeg-turbo cannot decode.
func readJPEGHead(data []byte) (jpegHead, error) {
	var h jpegHead
	if len(data) < 4 || data[0] != 0xff || data[1] != 0xd8 {
		return h, damaged("the JPEG does not begin with its start marker")
	}
	for pos := 2; ; {
		marker, body, next, ok := nextSegment(data, pos)
		switch {
		case !ok:
			return h, damaged("the JPEG ends or breaks off before its size is given")
		case marker == 0xd9:
			return h, damaged("the JPEG ends before any picture")
		case marker == 0xda:
			return h, damaged("the JPEG has pixels but no frame header")
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return h.withFrame(data, marker, body, next)
		}
		h.metadata(marker, body)
		pos = next
	}
}

// withFrame reads a SOF segment.
func (h jpegHead) withFrame(data []byte, marker byte, body []byte, next int) (jpegHead, error) {
	if len(body) < 6 {
		return h, damaged("the frame header of the JPEG is too short")
	}
	h.process, h.components = marker, int(body[5])
	h.height, h.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	switch precision := body[0]; {
	case marker == 0xc3 || marker == 0xcb:
		return h, unsupported("this is a lossless JPEG (process SOF%d), which is not read", marker-0xc0)
	case marker >= 0xc5 && marker != 0xc9 && marker != 0xca:
		return h, unsupported("this is a hierarchical JPEG (process SOF%d), which is not read", marker-0xc0)
	case precision != 8:
		return h, unsupported("this is a %d-bit JPEG, and only 8 bits a sample are read", precision)
	case h.height == 0 && h.width != 0:
		return h, unsupported("this JPEG gives its height only after its pixels (DNL), which is not read")
	case h.components != 1 && h.components != 3 && h.components != 4:
		return h, unsupported("this JPEG has %d color components, and only 1, 3 and 4 are read", h.components)
	}
	h.late(data, next)
	return h, nil
}

// late looks for metadata between frame header and first scan, where some editors put it.
func (h *jpegHead) late(data []byte, pos int) {
	for {
		marker, body, next, ok := nextSegment(data, pos)
		if !ok || marker == 0xda || marker == 0xd9 {
			return
		}
		h.metadata(marker, body)
		pos = next
	}
}

// The words with which segments of metadata begin.
var (
	headEXIF      = []byte("Exif\x00")
	headXMP       = []byte("http://ns.adobe.com/xap/1.0/\x00")
	headPhotoshop = []byte("Photoshop 3.0\x00")
)

// metadata keeps a segment that holds some: of EXIF and XMP the first, of Photoshop's all,
// which go on in the next segment, and comments.
func (h *jpegHead) metadata(marker byte, body []byte) {
	switch {
	case marker == 0xe1 && h.exif == nil && bytes.HasPrefix(body, headEXIF) && len(body) > 6:
		h.exif = body[6:]
	case marker == 0xe1 && h.xmp == nil && bytes.HasPrefix(body, headXMP):
		h.xmp = body[len(headXMP):]
	case marker == 0xed && bytes.HasPrefix(body, headPhotoshop) && len(h.photoshop) < maxXMP:
		if part := body[len(headPhotoshop):]; h.photoshop == nil {
			h.photoshop = part
		} else {
			h.photoshop = append(slices.Clip(h.photoshop), part...)
		}
	case marker == 0xfe && len(h.texts) < maxMetadataTexts:
		h.texts = append(h.texts, semblance.MetadataText{Source: "jpeg:comment", Text: text(body)})
	}
}

// nextSegment finds the next marker at or after pos, as libjpeg does: bytes that
// are no marker are passed over.
func nextSegment(data []byte, pos int) (marker byte, body []byte, next int, ok bool) {
	for {
		i := bytes.IndexByte(data[min(pos, len(data)):], 0xff)
		if i < 0 {
			return 0, nil, 0, false
		}
		for pos += i; pos < len(data) && data[pos] == 0xff; pos++ {
		}
		if pos >= len(data) {
			return 0, nil, 0, false
		}
		marker = data[pos]
		pos++
		if marker != 0 {
			break
		}
	}
	if marker == 1 || marker >= 0xd0 && marker <= 0xd9 { // no body
		return marker, nil, pos, true
	}
	if pos+2 > len(data) {
		return 0, nil, 0, false
	}
	n := int(binary.BigEndian.Uint16(data[pos:]))
	if n < 2 || pos+n > len(data) {
		return 0, nil, 0, false
	}
	return marker, data[pos+2 : pos+n], pos + n, true
}
