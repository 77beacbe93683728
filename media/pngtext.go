package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"semblance"
)

// maxPNGText bounds what is made of the compressed texts of a file.
const maxPNGText = 8 << 20

// pngText reads a text chunk (PNG, 11.3.3): a keyword and a text, Latin-1 or, in iTXt,
// UTF-8. Some keywords stand for metadata of another form.
func (h *pngHead) pngText(kind string, body []byte) {
	key, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(key) == 0 || len(key) > 79 {
		return
	}
	switch kind {
	case "zTXt":
		if len(rest) < 1 || rest[0] != 0 {
			return
		}
		rest = h.inflated(rest[1:])
	case "iTXt":
		rest = h.internationalText(rest)
	}
	switch keyword := text(key); {
	case keyword == "XML:com.adobe.xmp":
		if h.xmp == nil {
			h.xmp = rest
		}
	case strings.HasPrefix(keyword, "Raw profile type "):
		h.rawProfile(strings.TrimPrefix(keyword, "Raw profile type "), rest)
	case kind == "iTXt":
		h.note(keyword, printable(strings.ToValidUTF8(string(rest), "?")))
	default:
		if kind != "iTXt" && !isASCII(rest) {
			rest = latin1(rest)
		}
		h.note(keyword, printable(string(rest)))
	}
}

func (h *pngHead) note(keyword, value string) {
	if t, ok := xmpTime("png:"+keyword, value); ok && keyword == "Creation Time" {
		h.times = append(h.times, t)
		return
	}
	if len(h.texts) <= maxMetadataTexts && value != "" {
		h.texts = append(h.texts, semblance.MetadataText{Source: "png:" + clip(keyword, 79), Text: value})
	}
}

// internationalText takes what stands before the text of an iTXt away: whether it is
// compressed, and with what, its language, and its keyword in that.
func (h *pngHead) internationalText(b []byte) []byte {
	if len(b) < 2 {
		return nil
	}
	compressed := b[0] == 1
	b = b[2:]
	for range 2 {
		_, after, ok := bytes.Cut(b, []byte{0})
		if !ok {
			return nil
		}
		b = after
	}
	if compressed {
		return h.inflated(b)
	}
	return b
}

// inflated is as much of a compressed text as is read.
func (h *pngHead) inflated(b []byte) []byte {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	defer z.Close()
	out, _ := io.ReadAll(io.LimitReader(z, int64(h.readable))) // what came before the damage is text, too
	h.readable -= len(out)
	return out
}

// rawProfile reads a block as ImageMagick writes it: a name, a length and hexadecimal
// digits, on lines.
func (h *pngHead) rawProfile(name string, b []byte) {
	b = b[:min(len(b), h.readable)]
	h.readable -= len(b)
	fields := strings.Fields(string(b))
	if len(fields) < 3 {
		return
	}
	data, err := hex.DecodeString(strings.Join(fields[2:], ""))
	if err != nil {
		return
	}
	switch {
	case (name == "exif" || name == "APP1") && h.exif == nil && bytes.HasPrefix(data, headEXIF):
		h.exif = data
	case (name == "xmp" || name == "APP1") && h.xmp == nil:
		h.xmp = bytes.TrimPrefix(data, headXMP)
	case name == "iptc" && h.photoshop == nil:
		h.photoshop = data
	}
}

// pngTime reads when the picture was changed last: UTC, as the standard has it.
func (h *pngHead) pngTime(b []byte) {
	if len(b) != 7 {
		return
	}
	at, ok := clock(fmt.Sprintf("%04d:%02d:%02d %02d:%02d:%02d", binary.BigEndian.Uint16(b), b[2], b[3], b[4], b[5], b[6]))
	if ok && at != "" && len(h.times) < maxMetadataTimes {
		h.times = append(h.times, semblance.MetadataTime{Source: "png:tIME", Time: at, Zone: "UTC"})
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
