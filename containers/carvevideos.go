package containers

import (
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
