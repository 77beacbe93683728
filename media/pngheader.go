package media

import "encoding/binary"

// A pngHead is what the chunks of a PNG say.
type pngHead struct {
	width, height int
	frames        int // of an animated PNG; 1 otherwise
	interlaced    bool
	blocks
	readable int // bytes of compressed and converted texts that are still read
}

// readPNGHead reads IHDR and walks the other chunks (PNG, 5.3) for EXIF and
// animation. Chunks that are cut off end the walk; the decoder finds that again.
func readPNGHead(data []byte) (pngHead, error) {
	h := pngHead{frames: 1, readable: maxPNGText}
	if has(data, 12, "CgBI") {
		return h, unsupported("this is an Apple-optimized PNG (CgBI) as found in iOS app bundles, which is not read")
	}
	if !has(data, 12, "IHDR") || len(data) < 33 || binary.BigEndian.Uint32(data[8:]) != 13 {
		return h, damaged("the PNG does not begin with its header (IHDR)")
	}
	w, ht := binary.BigEndian.Uint32(data[16:]), binary.BigEndian.Uint32(data[20:])
	if w > 1<<31-1 || ht > 1<<31-1 {
		return h, damaged("the header of the PNG gives a size of %d by %d pixels", w, ht)
	}
	h.width, h.height, h.interlaced = int(w), int(ht), data[28] == 1
	for pos := int64(33); pos+12 <= int64(len(data)); {
		n := int64(binary.BigEndian.Uint32(data[pos:]))
		if pos+12+n > int64(len(data)) {
			break
		}
		body := data[pos+8 : pos+8+n]
		switch string(data[pos+4 : pos+8]) {
		case "eXIf":
			h.exif = body
		case "tEXt", "zTXt", "iTXt":
			h.pngText(string(data[pos+4:pos+8]), body)
		case "tIME":
			h.pngTime(body)
		case "acTL":
			if n >= 4 {
				h.frames = max(1, int(min(binary.BigEndian.Uint32(body), 1<<20)))
			}
		case "IEND":
			return h, nil
		}
		pos += 12 + n
	}
	return h, nil
}
