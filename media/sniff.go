package media

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// SniffLen is how many bytes of a file's head Sniff looks at, at most.
const SniffLen = 4096

// shortHead is what is looked at for everything that a long look would tell no better: a
// text that goes on as something else is a text.
const shortHead = 512

// Types that are decoded.
const (
	typeJPEG = "image/jpeg"
	typePNG  = "image/png"
	typeGIF  = "image/gif"
	typeWebP = "image/webp"
	typeBMP  = "image/bmp"
	typeTIFF = "image/tiff"
	typeHEIC = "image/heic"
	typeHEIF = "image/heif"
	typeAVIF = "image/avif"
)

// unknownType is the answer for bytes that look like nothing known.
const unknownType = "application/octet-stream"

// A magic is a signature at an offset.
type magic struct {
	offset    int
	bytes     string
	mediaType string
}

// magics are tried in order, after JPEG, BMP, RIFF and ISO media, which need more than a
// comparison.
func magics() []magic {
	return []magic{
		{0, "\x89PNG\r\n\x1a\n", typePNG},
		{0, "GIF87a", typeGIF}, {0, "GIF89a", typeGIF},
		{0, "II*\x00", typeTIFF}, {0, "MM\x00*", typeTIFF}, {0, "II+\x00\x08\x00", typeTIFF}, {0, "MM\x00+\x00\x08", typeTIFF},
		{0, "\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"}, {0, "\xff\x0a", "image/jxl"},
		{0, "\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"}, {0, "\xff\x4f\xff\x51", "image/jp2"},
		{0, "8BPS", "image/vnd.adobe.photoshop"}, {0, "\x00\x00\x01\x00", "image/x-icon"},
		{0, "\x1aE\xdf\xa3", "video/x-matroska"}, {0, "\x00\x00\x01\xba", "video/mpeg"}, {0, "\x00\x00\x01\xb3", "video/mpeg"},
		{0, "FLV\x01", "video/x-flv"}, {0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"}, {0, "OggS", "application/ogg"},
		{0, ".RMF", "application/vnd.rn-realmedia"}, {0, "\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02", "application/mxf"},
		{0, "DHAV", "video/x-dhav"}, {0, "nut/multimedia container\x00", "video/x-nut"}, {0, "\x00\x00\x00\x00\x01\xbc\x00\x00\x00\x00\xe1\xe2", "video/x-gxf"},
		{0, "\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d", "video/x-wtv"}, {0, "DKIF\x00\x00", "video/x-ivf"}, {0, "YUV4MPEG2 ", "video/x-yuv4mpeg"},
		{0, "\x1f\x07\x00\x3f", "video/x-dv"}, {0, "\x1f\x07\x00\xbf", "video/x-dv"},
		{0, "\x00\x00\x00\x01\x67", "video/h264"}, {0, "\x00\x00\x00\x01\x27", "video/h264"}, {0, "\x00\x00\x01\x67", "video/h264"}, {0, "\x00\x00\x00\x01\x09", "video/h264"},
		{0, "\x00\x00\x00\x01\x40\x01", "video/h265"}, {0, "\x00\x00\x00\x01\x46\x01", "video/h265"}, {0, "\x00\x00\x01\xb0", "video/mp4v-es"},
		{4, "moov", "video/quicktime"}, {4, "mdat", "video/quicktime"}, {4, "wide", "video/quicktime"},
		{0, "%PDF-", "application/pdf"}, {0, "PK\x03\x04", "application/zip"}, {0, "PK\x05\x06", "application/zip"},
		{0, "Rar!\x1a\x07", "application/vnd.rar"}, {0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"},
		{0, "\x1f\x8b", "application/gzip"}, {0, "SQLite format 3\x00", "application/vnd.sqlite3"},
		{0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"},
		{0, "\x7fELF", "application/x-executable"}, {0, "MZ", "application/x-executable"},
		{0, "ID3", typeMP3}, {0, "fLaC", "audio/flac"}, {0, "#!AMR", "audio/amr"}, {0, "caff\x00\x01", "audio/x-caf"}, {0, ".snd\x00\x00", "audio/basic"},
		{0, "wvpk", "audio/x-wavpack"}, {0, "MAC \x96\x0f", "audio/x-ape"}, {0, "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", "audio/x-w64"},
	}
}

// Sniff returns the media type that the first bytes of a file show, or
// "application/octet-stream". Names and extensions play no part. It looks at no
// more than SniffLen bytes and is safe on any input; no bytes are
// "application/octet-stream" too.
func Sniff(head []byte) string {
	head = head[:min(len(head), SniffLen)]
	switch {
	case has(head, 0, "\xff\xd8\xff"):
		return typeJPEG
	case has(head, 0, "BM") && isBMP(head):
		return typeBMP
	case has(head, 0, "RIFF") && len(head) >= 12:
		return sniffRIFF(string(head[8:12]))
	case has(head, 4, "ftyp"):
		return sniffBrands(head)
	case has(head, 0, "FORM") && (has(head, 8, "AIFF") || has(head, 8, "AIFC")):
		return "audio/aiff"
	case isTransport(head, 0, 188) || isTransport(head, 4, 192):
		return "video/mp2t"
	}
	for _, m := range magics() {
		if has(head, m.offset, m.bytes) {
			return m.mediaType
		}
	}
	if sound := sniffFrames(head); sound != "" {
		return sound
	}
	return sniffText(head[:min(len(head), shortHead)])
}

// isTransport looks for the sync bytes of an MPEG transport stream, as recorders write
// them: packets of 188 bytes, or with four in front.
func isTransport(head []byte, first, step int) bool {
	n := 0
	for i := first; i < min(len(head), shortHead); i += step {
		if head[i] != 0x47 {
			return false
		}
		n++
	}
	return n >= 3 || n >= 2 && step == 192
}

// IsVideo reports whether a type that Sniff tells is of containers that hold videos.
func IsVideo(mediaType string) bool {
	switch mediaType {
	case "application/ogg", "application/mxf", "application/vnd.rn-realmedia":
		return true
	}
	return strings.HasPrefix(mediaType, "video/")
}

// IsSound reports whether a type that Sniff tells is of files that hold sound, and perhaps
// video.
func IsSound(mediaType string) bool { return strings.HasPrefix(mediaType, "audio/") }

const (
	typeMP3 = "audio/mpeg"
	typeAAC = "audio/aac"
	typeAC3 = "audio/ac3"
)

// sniffFrames tells MP3, AAC and AC-3 without any header of a file, by frames that follow
// one another: their first two bytes alone begin many other things. "" is none of them.
func sniffFrames(head []byte) string {
	for _, f := range []struct {
		mediaType string
		size      func([]byte) int
	}{{typeMP3, mpegFrame}, {typeAAC, adtsFrame}, {typeAC3, ac3Frame}} {
		frames, at := 0, 0
		for at < len(head) {
			n := f.size(head[at:])
			if n == 0 {
				break
			}
			frames, at = frames+1, at+n
		}
		if frames >= 3 || frames == 2 && at >= len(head) {
			return f.mediaType
		}
	}
	return ""
}

// mpegFrame is the size of a frame of MPEG audio, 0 where none begins (ISO/IEC 11172-3,
// 2.4.1.3).
func mpegFrame(b []byte) int {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return 0
	}
	version, layer, rate, hz, padding := b[1]>>3&3, b[1]>>1&3, b[2]>>4, b[2]>>2&3, int(b[2]>>1&1)
	if version == 1 || layer == 0 || rate == 0 || rate == 15 || hz == 3 {
		return 0
	}
	rates := map[bool]map[byte][]int{
		true: {3: {32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, 2: {32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
			1: {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}},
		false: {3: {32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256}, 2: {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
			1: {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}},
	}
	kbit, samples := rates[version == 3][layer][rate-1], []int{44100, 48000, 32000}[hz]
	if version != 3 {
		samples /= 2
	}
	if version == 0 {
		samples /= 2
	}
	switch {
	case layer == 3:
		return (12000*kbit/samples + padding) * 4
	case layer == 1 && version != 3:
		return 72000*kbit/samples + padding
	}
	return 144000*kbit/samples + padding
}

// adtsFrame is the size of a frame of AAC with its header, 0 where none begins (ISO/IEC
// 13818-7, 6.2).
func adtsFrame(b []byte) int {
	if len(b) < 7 || b[0] != 0xff || b[1]&0xf6 != 0xf0 || b[2]>>2&15 > 12 {
		return 0
	}
	n := int(b[3]&3)<<11 | int(b[4])<<3 | int(b[5])>>5
	if n < 8 {
		return 0
	}
	return n
}

// ac3Frame is the size of a frame of AC-3, 0 where none begins (ETSI TS 102 366, 4.4.1).
func ac3Frame(b []byte) int {
	if len(b) < 6 || b[0] != 0x0b || b[1] != 0x77 || b[4]&63 > 37 || b[5]>>3 > 10 {
		return 0
	}
	kbit := []int{32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640}[b[4]&63/2]
	switch b[4] >> 6 {
	case 0:
		return kbit * 4
	case 1:
		return (kbit*320/147 + int(b[4]&1)) * 2
	case 2:
		return kbit * 6
	}
	return 0
}

func has(head []byte, offset int, s string) bool {
	return len(head) >= offset+len(s) && string(head[offset:offset+len(s)]) == s
}

// isBMP asks more than two letters, which begin many a text.
func isBMP(head []byte) bool {
	return len(head) >= 18 && isBMPHeader(binary.LittleEndian.Uint32(head[14:]))
}

func sniffRIFF(form string) string {
	switch form {
	case "WEBP":
		return typeWebP
	case "AVI ":
		return "video/x-msvideo"
	case "WAVE":
		return "audio/wav"
	}
	return unknownType
}

// sniffBrands reads the brands of an ISO base media file (ISO/IEC 14496-12,
// 4.3): the major one decides, the compatible ones where it is general.
func sniffBrands(head []byte) string {
	end := min(int64(len(head)), int64(binary.BigEndian.Uint32(head)))
	general := ""
	for i := int64(8); i+4 <= end; i += 4 {
		if i == 12 { // the minor version
			continue
		}
		switch brand := string(head[i : i+4]); brand {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs":
			return typeHEIC
		case "avif", "avis":
			return typeAVIF
		case "mif1", "msf1", "miaf":
			general = typeHEIF
		}
		if i == 8 && general == "" {
			break // a video file may list "mif1" far behind; its first brand decides
		}
	}
	switch {
	case general != "":
		return general
	case has(head, 8, "qt  "):
		return "video/quicktime"
	case has(head, 8, "crx "):
		return "image/x-canon-cr3"
	case has(head, 8, "M4A "):
		return "audio/mp4"
	case has(head, 8, "3gp"):
		return "video/3gpp"
	}
	return "video/mp4"
}

// sniffText tells text, and markup among it, from binary data.
func sniffText(head []byte) string {
	text := bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	for len(text) > 0 { // a rune may be cut at the end
		if r, n := utf8.DecodeLastRune(text); r != utf8.RuneError || n != 1 || len(head)-len(text) > 3 {
			break
		}
		text = text[:len(text)-1]
	}
	if len(text) == 0 || !utf8.Valid(text) || bytes.ContainsFunc(text, isControl) {
		return unknownType
	}
	lower := strings.ToLower(strings.TrimSpace(string(text)))
	switch {
	case strings.HasPrefix(lower, "<svg") || strings.HasPrefix(lower, "<?xml") && strings.Contains(lower, "<svg"):
		return "image/svg+xml"
	case strings.HasPrefix(lower, "<!doctype html") || strings.HasPrefix(lower, "<html"):
		return "text/html"
	case strings.HasPrefix(lower, "<?xml"):
		return "text/xml"
	}
	return "text/plain"
}

func isControl(r rune) bool {
	return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != 0x1b
}

// refuse explains why a type is not read.
func refuse(mediaType string) error {
	major, _, _ := strings.Cut(mediaType, "/")
	switch {
	case mediaType == unknownType:
		return unsupported("this is not a picture of a format that is read (its first bytes are of no known type)")
	case major == "video":
		return unsupported("this is a video (%s), and only pictures are looked at here", mediaType).
			WithHint("Extract single frames as PNG or JPEG to have them looked at; scan and hash examine videos as they are.")
	case major == "image":
		return unsupported("pictures of type %s are not read by this version", mediaType)
	case major == "text":
		return unsupported("this is not a picture but text (%s)", mediaType).WithHint("")
	}
	return unsupported("this is not a picture: its content is of type %s", mediaType).WithHint("")
}
