package containers

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// signatureLen is how many bytes signature wants to see.
const signatureLen = 64

// signatures are what pictures, videos and containers begin with.
var signatures = []struct{ ext, magic string }{
	{"png", "\x89PNG\r\n\x1a\n"}, {"gif", "GIF87a"}, {"gif", "GIF89a"},
	{"jp2", "\x00\x00\x00\x0cjP  \r\n"}, {"jxl", "\x00\x00\x00\x0cJXL \r\n"},
	{"tif", "II*\x00\x08\x00\x00\x00"}, {"tif", "MM\x00*\x00\x00\x00\x08"},
	{"mkv", "\x1aE\xdf\xa3"}, {"wmv", "\x30\x26\xb2\x75\x8e\x66\xcf\x11"}, {"flv", "FLV\x01"}, {"mpg", "\x00\x00\x01\xba"},
	{"zip", "PK\x03\x04"}, {"gz", "\x1f\x8b\x08"}, {"bz2", "BZh91AY&SY"}, {"xz", "\xfd7zXZ\x00"}, {"7z", "7z\xbc\xaf\x27\x1c"}, {"rar", "Rar!\x1a\x07"},
	{"pdf", "%PDF-"}, {"sqlite", sqliteMagic}, {"ole", oleMagic}, {"plist", "bplist00"},
}

// brands are the major brands of ISO base media files, by what the file is.
var brands = map[string]string{
	"heic": "heic", "heix": "heic", "hevc": "heic", "hevx": "heic", "heim": "heic", "heis": "heic", "mif1": "heif", "msf1": "heif", "miaf": "heif",
	"avif": "avif", "avis": "avif", "qt  ": "mov", "isom": "mp4", "iso2": "mp4", "iso4": "mp4", "iso5": "mp4", "iso6": "mp4", "mp41": "mp4", "mp42": "mp4", "avc1": "mp4", "dash": "mp4",
	"M4V ": "m4v", "M4VH": "m4v", "MSNV": "mp4", "mmp4": "mp4", "3gp4": "3gp", "3gp5": "3gp", "3gp6": "3gp", "3gr6": "3gp", "3gs6": "3gp", "3ge6": "3gp", "3g2a": "3g2", "3g2b": "3g2", "kddi": "3g2",
}

// signature names the extension of what begins with head: a picture, a video or a
// container; "" for anything else. It asks for more than a few letters, since it is asked
// of every value of a database.
func signature(head []byte) string {
	switch {
	case isJPEG(head):
		return "jpg"
	case len(head) >= 12 && string(head[4:8]) == "ftyp" && head[0] == 0 && head[1] == 0:
		return brands[string(head[8:12])]
	case len(head) >= 12 && string(head[:4]) == "RIFF":
		return map[string]string{"WEBP": "webp", "AVI ": "avi"}[string(head[8:12])]
	case len(head) >= 30 && string(head[:2]) == "BM":
		return bmpExt(head)
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.magic)) {
			return s.ext
		}
	}
	return ""
}

// isJPEG asks for a marker that begins a JPEG behind SOI: APPn, DQT, SOF, DHT, COM, DRI.
func isJPEG(head []byte) bool {
	if len(head) < 4 || head[0] != 0xff || head[1] != 0xd8 || head[2] != 0xff {
		return false
	}
	m := head[3]
	return m >= 0xe0 && m <= 0xef || m == 0xdb || m == 0xc0 || m == 0xc2 || m == 0xc4 || m == 0xfe || m == 0xdd
}

func bmpExt(head []byte) string {
	planes, bits := binary.LittleEndian.Uint16(head[26:]), binary.LittleEndian.Uint16(head[28:])
	if binary.LittleEndian.Uint32(head[14:]) == 40 && planes == 1 && slices.Contains([]uint16{1, 4, 8, 16, 24, 32}, bits) {
		return "bmp"
	}
	return ""
}
