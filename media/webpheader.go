package media

import "encoding/binary"

// A webpHead is what the chunks of a WebP say.
type webpHead struct {
	width, height int
	animated      bool
	frames        int // whole ones
	end           int // offset behind the last whole chunk
	truncated     bool
	blocks
}

// readWebPHead walks the chunks (RFC 9649).
func readWebPHead(data []byte) (webpHead, error) {
	h := webpHead{frames: 1}
	if len(data) < 20 {
		return h, damaged("the WebP ends within its header")
	}
	riff := int64(binary.LittleEndian.Uint32(data[4:])) + 8
	h.truncated = riff > int64(len(data))
	end := min(riff, int64(len(data)))
	animations, pos := 0, int64(12)
	for pos+8 <= end {
		n := int64(binary.LittleEndian.Uint32(data[pos+4:]))
		whole := pos+8+n <= int64(len(data))
		h.chunk(string(data[pos:pos+4]), data[pos+8:min(pos+8+n, int64(len(data)))])
		if !whole {
			h.truncated = true
			break
		}
		if string(data[pos:pos+4]) == "ANMF" {
			animations++
		}
		pos = min(pos+8+n+n&1, int64(len(data)))
		h.end = int(pos)
	}
	if h.animated {
		h.frames = animations
	}
	switch {
	case h.width == 0 || h.height == 0:
		return h, damaged("the WebP gives no size")
	case h.frames == 0:
		return h, damaged("the animated WebP ends before its first frame")
	}
	return h, nil
}

// chunk reads what one chunk has of size, animation and EXIF.
func (h *webpHead) chunk(name string, b []byte) {
	switch {
	case name == "VP8X" && len(b) >= 10 && h.width == 0:
		h.animated = b[0]&2 != 0
		h.width, h.height = 1+int(b[4])+int(b[5])<<8+int(b[6])<<16, 1+int(b[7])+int(b[8])<<8+int(b[9])<<16
	case name == "VP8 " && len(b) >= 10 && h.width == 0:
		h.width, h.height = int(binary.LittleEndian.Uint16(b[6:]))&0x3fff, int(binary.LittleEndian.Uint16(b[8:]))&0x3fff
	case name == "VP8L" && len(b) >= 5 && h.width == 0:
		v := binary.LittleEndian.Uint32(b[1:])
		h.width, h.height = int(v&0x3fff)+1, int(v>>14&0x3fff)+1
	case name == "EXIF" && h.exif == nil:
		h.exif = b
	case name == "XMP " && h.xmp == nil:
		h.xmp = b
	}
}
