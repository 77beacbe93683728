package containers

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// maxVideo bounds a carved video.
const maxVideo = 256 << 30

// topBoxes are those that follow each other in a file of ISO 14496-12: MP4, MOV, 3GP,
// HEIC, AVIF.
var topBoxes = map[string]bool{"moov": true, "mdat": true, "free": true, "skip": true, "wide": true, "udta": true, "uuid": true, "meta": true, "moof": true,
	"mfra": true, "sidx": true, "styp": true, "pnot": true, "pdin": true, "ssix": true, "emsg": true, "prft": true, "idat": true, "mpvd": true}

// carveBoxes follows boxes for as long as they are those of such a file.
func carveBoxes(r *scanner) (carving, bool) {
	var brand [4]byte
	length, kind, ok := r.box()
	if !ok || kind != "ftyp" || length < 16 || length > 1024 || !r.full(brand[:]) || !printable(brand[:]) || !r.skip(length-12) {
		return carving{}, false
	}
	c := carving{ext: boxExtension(string(brand[:]))}
	seen := map[string]bool{}
	last := ""
	for r.at < maxVideo {
		c.size = r.at
		length, kind, ok := r.box()
		if !ok || !topBoxes[kind] || length > maxVideo {
			break
		}
		header := r.at - c.size
		if kind == "moov" && !r.movie(length-header) || kind != "moov" && !r.skip(length-header) {
			break
		}
		seen[kind], last = true, kind
	}
	picture := c.ext == "heic" || c.ext == "avif"
	switch {
	case picture && seen["meta"]:
	case !seen["moov"] && seen["mdat"] && !picture:
		return carving{}, false // nothing says what is in it
	case !seen["moov"]:
		return carving{}, false
	}
	// Data that something of the file follows is where it belongs; that at its end may
	// have been overwritten.
	c.loose = last == "mdat" && !picture
	return c, true
}

// box reads the header of a box. One that goes to the end of the file has no length here.
func (r *scanner) box() (length int64, kind string, ok bool) {
	var h [16]byte
	if !r.full(h[:8]) {
		return 0, "", false
	}
	length, kind = int64(binary.BigEndian.Uint32(h[:])), string(h[4:8])
	if length == 1 {
		if !r.full(h[8:]) {
			return 0, "", false
		}
		length = int64(binary.BigEndian.Uint64(h[8:]))
		return length, kind, length >= 16
	}
	return length, kind, length >= 8
}

// movie steps over the boxes of a moov box, of which one has to be its header.
func (r *scanner) movie(length int64) bool {
	end, header := r.at+length, false
	for r.at+8 <= end {
		begin := r.at
		length, kind, ok := r.box()
		if !ok || begin+length > end || !r.skip(length-(r.at-begin)) {
			return false
		}
		header = header || kind == "mvhd" || kind == "cmov"
	}
	return header && r.skip(end-r.at)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func boxExtension(brand string) string {
	switch {
	case strings.HasPrefix(brand, "hei"), strings.HasPrefix(brand, "hev"), brand == "mif1", brand == "msf1":
		return "heic"
	case strings.HasPrefix(brand, "avi"):
		return "avif"
	case brand == "qt  ":
		return "mov"
	case strings.HasPrefix(brand, "3g"):
		return "3gp"
	}
	return "mp4"
}

// Elements of Matroska (RFC 9559) that stand behind each other in a segment.
var segmentElements = map[uint64]bool{0x114d9b74: true, 0x1549a966: true, 0x1654ae6b: true, 0x1f43b675: true, 0x1c53bb6b: true, 0x1941a469: true, 0x1043a770: true,
	0x1254c367: true, 0xec: true, 0xbf: true}

const (
	matroskaSegment = 0x18538067
	matroskaTracks  = 0x1654ae6b
	matroskaCluster = 0x1f43b675
)

// carveMatroska follows elements; a segment or cluster may leave its length open.
func carveMatroska(r *scanner) (carving, bool) {
	_, length, _, ok := r.element()
	if !ok || length < 4 || length > 1024 {
		return carving{}, false
	}
	head := make([]byte, length)
	if !r.full(head) {
		return carving{}, false
	}
	c := carving{ext: "mkv"}
	if strings.Contains(string(head), "webm") {
		c.ext = "webm"
	} else if !strings.Contains(string(head), "matroska") {
		return carving{}, false
	}
	id, length, open, ok := r.element()
	if !ok || id != matroskaSegment {
		return carving{}, false
	}
	end := int64(maxVideo)
	if !open {
		end = r.at + length
	}
	tracks, clusters := false, false
	for c.size = r.at; r.at < end; c.size = r.at {
		id, length, open, ok := r.element()
		inside := id == 0xe7 || id == 0xa3 || id == 0xa0 || id == 0xab || id == 0xa7 // of a cluster that leaves its length open
		if !ok || !segmentElements[id] && !(clusters && inside) {
			break
		}
		tracks, clusters = tracks || id == matroskaTracks, clusters || id == matroskaCluster
		if !(open && id == matroskaCluster) && (open || length > maxVideo || !r.skip(length)) {
			break
		}
	}
	if !open && c.size < end {
		c.partial = "the video breaks off: what follows is not of it"
	}
	return c, tracks && clusters
}

// element reads the header of an element.
func (r *scanner) element() (id uint64, length int64, open, ok bool) {
	id, _, ok = r.number(4, true)
	if !ok {
		return 0, 0, false, false
	}
	n, all, ok := r.number(8, false)
	return id, int64(n), all, ok
}

// number reads a number whose first byte tells its length; all reports that all its bits
// are set. With keep, the bit that tells the length stays.
func (r *scanner) number(most int, keep bool) (n uint64, all, ok bool) {
	b, ok := r.next()
	if !ok || b == 0 {
		return 0, false, false
	}
	length, mask := 1, byte(0x80)
	for b&mask == 0 {
		length, mask = length+1, mask>>1
	}
	if length > most {
		return 0, false, false
	}
	if n = uint64(b); !keep {
		n &^= uint64(mask)
	}
	for range length - 1 {
		if b, ok = r.next(); !ok {
			return 0, false, false
		}
		n = n<<8 | uint64(b)
	}
	return n, n == 1<<(7*length)-1, true
}

// carveASF (WMV) believes the size that the file states of itself, in the header that
// gives its properties.
func carveASF(r *scanner) (carving, bool) {
	var h [30]byte
	if !r.full(h[:]) {
		return carving{}, false
	}
	length, count := int64(binary.LittleEndian.Uint64(h[16:])), binary.LittleEndian.Uint32(h[24:])
	if length < 100 || length > 16<<20 || count == 0 || count > 1024 || h[28] != 1 {
		return carving{}, false
	}
	size := int64(0)
	for range count {
		var o [24]byte
		begin := r.at
		if !r.full(o[:]) {
			return carving{}, false
		}
		n := int64(binary.LittleEndian.Uint64(o[16:]))
		if n < 24 || begin+n > length {
			return carving{}, false
		}
		if bytes.HasPrefix(o[:], []byte("\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65")) && n >= 80 {
			var p [24]byte
			if !r.full(p[:]) {
				return carving{}, false
			}
			size = int64(binary.LittleEndian.Uint64(p[16:]))
		}
		if !r.skip(begin + n - r.at) {
			return carving{}, false
		}
	}
	var data [16]byte
	if size <= length || size > r.s.size-r.begin || !r.full(data[:]) || string(data[:4]) != "\x36\x26\xb2\x75" {
		return carving{}, false
	}
	return carving{ext: "wmv", size: size, loose: true}, true
}

// carveFLV follows tags; each says at its end how long it was.
func carveFLV(r *scanner) (carving, bool) {
	var h [13]byte
	if !r.full(h[:]) || h[3] != 1 || h[4]&^5 != 0 || binary.BigEndian.Uint32(h[5:]) != 9 || binary.BigEndian.Uint32(h[9:]) != 0 {
		return carving{}, false
	}
	c, tags := carving{ext: "flv"}, 0
	for r.at < maxVideo {
		var t [11]byte
		if !r.full(t[:]) || t[0] != 8 && t[0] != 9 && t[0] != 18 {
			break
		}
		length := int64(t[1])<<16 | int64(t[2])<<8 | int64(t[3])
		var end [4]byte
		if !r.skip(length) || !r.full(end[:]) || int64(binary.BigEndian.Uint32(end[:])) != length+11 {
			break
		}
		c.size, tags = r.at, tags+1
	}
	return c, tags >= 3
}

// carveMPEG follows the packs and packets of a program stream (ISO 13818-1, 2.5.3).
func carveMPEG(r *scanner) (carving, bool) {
	c, packets := carving{ext: "mpg"}, 0
	for r.at < maxVideo {
		var h [4]byte
		if !r.full(h[:]) || h[0]|h[1] != 0 || h[2] != 1 {
			break
		}
		ok := false
		switch {
		case h[3] == 0xba:
			ok = r.pack()
		case h[3] == 0xb9:
			c.size = r.at
			if b, err := r.Peek(4); err != nil || string(b) != "\x00\x00\x01\xba" {
				return c, packets >= 2
			}
			ok = true
		case h[3] >= 0xbb:
			var n [2]byte
			ok = r.full(n[:]) && r.skip(int64(binary.BigEndian.Uint16(n[:])))
			packets++
		}
		if !ok {
			break
		}
		c.size = r.at
	}
	return c, packets >= 4
}

// pack steps over the header of a pack, of MPEG-1 or MPEG-2.
func (r *scanner) pack() bool {
	b, ok := r.next()
	switch {
	case !ok:
		return false
	case b>>4 == 2:
		return r.skip(7)
	case b>>6 != 1 || !r.skip(8):
		return false
	}
	b, ok = r.next()
	return ok && r.skip(int64(b&7))
}
