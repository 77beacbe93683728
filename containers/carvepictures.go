package containers

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// maxPicture bounds a carved picture; the largest camera files are a fifth of it.
const maxPicture = 512 << 20

// carveJPEG follows markers and coded data (ITU T.81, B.1) to the end of image. Thumbnails
// lie inside segments and are stepped over. Coded data can be told from anything else
// because 0xff in it is followed by zero or by the next restart marker.
func carveJPEG(r *scanner) (carving, bool) {
	j := jpegWalk{scanner: r}
	r.skip(2)
	whole := j.markers()
	if !j.scans || r.at < 128 {
		return carving{}, false
	}
	c := carving{ext: "jpg", size: j.good}
	if !whole {
		if j.coded < 512 {
			return carving{}, false
		}
		c.partial = "the picture breaks off: what follows is not its coded data"
		return c, true
	}
	c.size += j.motion()
	return c, true
}

// A jpegWalk is how far a JPEG was followed.
type jpegWalk struct {
	*scanner
	frame   bool  // its header was seen
	restart bool  // there are restart markers
	scans   bool  // coded data was seen
	coded   int64 // bytes of it
	good    int64 // bytes that follow the format
}

// markers goes from segment to segment and reports whether the end of image was reached.
func (j *jpegWalk) markers() bool {
	for j.at < maxPicture {
		j.good = j.at
		b, ok := j.next()
		if !ok || b != 0xff {
			return false
		}
		m := b
		for m == 0xff { // fill bytes
			if m, ok = j.next(); !ok || j.at-j.good > 64 {
				return false
			}
		}
		for {
			if m == 0xd9 {
				j.good = j.at
				return j.scans
			}
			if !j.segment(m) {
				return false
			}
			j.good = j.at
			if m != 0xda {
				break
			}
			if m, ok = j.entropy(); !ok {
				return false
			}
		}
	}
	return false
}

// segment checks one, as far as its format fixes it.
func (j *jpegWalk) segment(m byte) bool {
	if m < 0xc0 || m >= 0xd0 && m < 0xda || m >= 0xf0 && m != 0xfe || m == 0xc8 {
		return false
	}
	var b [2]byte
	if !j.full(b[:]) {
		return false
	}
	length := int64(binary.BigEndian.Uint16(b[:])) - 2
	if length < 0 {
		return false
	}
	if m >= 0xe0 || m == 0xdc || m == 0xde || m == 0xdf || m == 0xcc {
		return j.skip(length)
	}
	body := make([]byte, length)
	if !j.full(body) {
		return false
	}
	switch m {
	case 0xda:
		return j.frame && length >= 6 && length == 4+2*int64(body[0]) && body[0] >= 1 && body[0] <= 4
	case 0xdd:
		j.restart = length == 2 && body[0]|body[1] != 0
		return length == 2
	case 0xdb:
		return quantization(body)
	case 0xc4:
		return huffman(body)
	}
	j.frame = true // SOF
	return length >= 9 && length == 6+3*int64(body[5]) && body[0] >= 2 && body[0] <= 16 && body[3]|body[4] != 0 && body[5] >= 1 && body[5] <= 4
}

func quantization(b []byte) bool {
	for len(b) > 0 {
		n := 65 + 64*int(b[0]>>4)
		if b[0]>>4 > 1 || b[0]&15 > 3 || len(b) < n {
			return false
		}
		b = b[n:]
	}
	return true
}

func huffman(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 17 || b[0]>>4 > 1 || b[0]&15 > 3 {
			return false
		}
		n := 17
		for _, c := range b[1:17] {
			n += int(c)
		}
		if n > 17+256 || len(b) < n {
			return false
		}
		b = b[n:]
	}
	return true
}

// maxZeros is more zeros than coded data has in a row, but for pictures of one color.
const maxZeros = 1 << 20

// entropy follows coded data to the next marker that is not part of it.
func (j *jpegWalk) entropy() (marker byte, ok bool) {
	j.scans = true
	begin, expected, zeros := j.at, byte(0xd0), int64(0)
	defer func() { j.coded += j.good - begin }()
	for j.at < maxPicture {
		if _, err := j.Peek(1); err != nil {
			break
		}
		b, _ := j.Peek(j.Buffered())
		n := bytes.IndexByte(b, 0xff)
		if n < 0 {
			n = len(b)
		}
		if bytes.Count(b[:n], []byte{0}) == n {
			zeros += int64(n)
		} else {
			zeros = 0
		}
		j.Discard(n)
		j.took(n)
		j.good = j.at
		if zeros > maxZeros {
			break
		}
		if n == len(b) {
			continue
		}
		j.next()
		m, got := j.next()
		for got && m == 0xff {
			m, got = j.next()
		}
		switch {
		case !got || j.at-j.good > 64:
			return 0, false
		case m == 0:
		case m >= 0xd0 && m <= 0xd7:
			if !j.restart || m != expected {
				return 0, false
			}
			expected = 0xd0 + (m-0xd0+1)%8
		default:
			j.good = j.at - 2
			return m, true
		}
		j.good = j.at
	}
	return 0, false
}

// motion returns the length of the video that some phones write right behind the picture.
func (j *jpegWalk) motion() int64 {
	b, _ := j.Peek(8)
	if len(b) < 8 || string(b[4:]) != "ftyp" {
		return 0
	}
	at := j.at
	v := newScanner(j.s, j.begin+at, j.progress)
	c, ok := carveBoxes(v)
	if !ok {
		return 0
	}
	return c.size
}

// carvePNG follows chunks and their checksums.
func carvePNG(r *scanner) (carving, bool) {
	c := carving{ext: "png"}
	r.skip(8)
	sum, pixels := crc32.NewIEEE(), false
	for first := true; r.at < maxPicture; first = false {
		var h [8]byte
		if !r.full(h[:]) {
			break
		}
		length, kind := int64(binary.BigEndian.Uint32(h[:])), string(h[4:])
		if first && (kind != "IHDR" || length != 13) || length > maxPicture || !isLetters(h[4:]) {
			break
		}
		sum.Reset()
		sum.Write(h[4:])
		var end [4]byte
		if !r.pass(sum, length) || !r.full(end[:]) || binary.BigEndian.Uint32(end[:]) != sum.Sum32() {
			break
		}
		c.size, pixels = r.at, pixels || kind == "IDAT"
		if kind == "IEND" {
			return c, pixels
		}
	}
	c.partial = "the picture breaks off: what follows does not agree with its checksum"
	return c, pixels
}

func isLetters(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'Z' && c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// carveGIF follows blocks.
func carveGIF(r *scanner) (carving, bool) {
	var h [13]byte
	if !r.full(h[:]) || (h[4] != '7' && h[4] != '9') || h[5] != 'a' || h[6]|h[7] == 0 || h[8]|h[9] == 0 || !r.colors(h[10]) {
		return carving{}, false
	}
	c, images := carving{ext: "gif"}, 0
	for r.at < maxPicture {
		b, ok := r.next()
		switch {
		case ok && b == ';':
			c.size = r.at
			return c, images > 0
		case ok && b == '!':
			_, ok = r.next()
			ok = ok && r.blocks()
		case ok && b == ',':
			var d [9]byte
			ok = r.full(d[:]) && r.colors(d[8])
			if ok {
				b, ok = r.next()
				ok = ok && b >= 1 && b <= 11 && r.blocks()
			}
			if ok {
				images++
			}
		default:
			ok = false
		}
		if !ok {
			break
		}
		c.size = r.at
	}
	c.partial = "the picture breaks off: what follows is not of it"
	return c, images > 0
}

// colors steps over a table of colors, if flags say that there is one.
func (r *scanner) colors(flags byte) bool {
	return flags&0x80 == 0 || r.skip(3<<(flags&7+1))
}

// blocks steps over sub-blocks.
func (r *scanner) blocks() bool {
	for r.at < maxPicture {
		n, ok := r.next()
		if !ok {
			return false
		}
		if n == 0 {
			return true
		}
		if !r.skip(int64(n)) {
			return false
		}
	}
	return false
}

// carveBMP believes a header in which everything agrees.
func carveBMP(r *scanner) (carving, bool) {
	var h [54]byte
	if !r.full(h[:]) {
		return carving{}, false
	}
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(h[at:])) }
	size, pixels, header := u32(2), u32(10), u32(14)
	width, height := int64(int32(u32(18))), int64(int32(u32(22)))
	height = max(height, -height)
	planes, bits, packed := binary.LittleEndian.Uint16(h[26:]), int64(binary.LittleEndian.Uint16(h[28:])), u32(30)
	plain := packed == 0 || packed == 3
	switch {
	case u32(6) != 0, header != 40 && header != 108 && header != 124, planes != 1, size > maxPicture, width <= 0, height <= 0, width > 1<<16, height > 1<<16:
		return carving{}, false
	case bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32, !plain, pixels < 14+header, pixels > 14+header+1024+12:
		return carving{}, false
	}
	rows := (width*bits + 31) / 32 * 4 * height
	if size < pixels+rows || size > pixels+rows+4 {
		return carving{}, false
	}
	return carving{ext: "bmp", size: size}, size <= r.s.size-r.begin
}

// carveRIFF follows the chunks of WebP and AVI.
func carveRIFF(r *scanner) (carving, bool) {
	var h [12]byte
	if !r.full(h[:]) {
		return carving{}, false
	}
	size := int64(binary.LittleEndian.Uint32(h[4:])) + 8
	switch string(h[8:]) {
	case "WEBP":
		if !r.chunks(size, webpChunks, nil) {
			return carving{}, false
		}
		return carving{ext: "webp", size: min(size, r.s.size-r.begin)}, size > 20
	case "AVI ":
		return carveAVI(r, size)
	}
	return carving{}, false
}

var webpChunks = map[string]bool{"VP8 ": true, "VP8L": true, "VP8X": true, "ANIM": true, "ANMF": true, "ALPH": true, "ICCP": true, "EXIF": true, "XMP ": true}

// chunks steps from chunk to chunk up to end; each has to be known, and those of lists are
// gone through.
func (r *scanner) chunks(end int64, known map[string]bool, lists map[string]bool) bool {
	var h [8]byte
	for n := 0; r.at+8 <= end && n < 1<<24; n++ {
		if !r.full(h[:]) {
			return false
		}
		length := int64(binary.LittleEndian.Uint32(h[4:]))
		length += length & 1
		kind := string(h[:4])
		switch {
		case r.at+length > end+1:
			return false
		case kind == "LIST":
			var name [4]byte
			if length < 4 || !r.full(name[:]) {
				return false
			}
			if lists[string(name[:])] {
				continue
			}
			length -= 4
		case !known[kind] && !isStream(h[:4]):
			return false
		}
		if !r.skip(min(length, end-r.at)) {
			return false
		}
	}
	return r.at <= end+1
}

// isStream knows the chunks of an AVI's streams: "00dc", "01wb", "ix00".
func isStream(b []byte) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	return digit(b[0]) && digit(b[1]) && isLetters(b[2:]) || b[0] == 'i' && b[1] == 'x' && digit(b[2]) && digit(b[3])
}

var (
	aviChunks = map[string]bool{"idx1": true, "JUNK": true, "PAD ": true, "indx": true, "IDIT": true, "ISMP": true, "avih": true, "strh": true, "strf": true, "strn": true,
		"strd": true, "vprp": true, "dmlh": true, "_PMX": true}
	aviLists = map[string]bool{"movi": true, "rec ": true}
)

func carveAVI(r *scanner, size int64) (carving, bool) {
	if size < 256 || !r.chunks(size, aviChunks, aviLists) {
		return carving{}, false
	}
	c := carving{ext: "avi", size: size}
	for { // OpenDML: one RIFF behind the other
		var h [12]byte
		if !r.full(h[:]) || string(h[:4]) != "RIFF" || string(h[8:]) != "AVIX" {
			return c, true
		}
		end := c.size + int64(binary.LittleEndian.Uint32(h[4:])) + 8
		if !r.chunks(end, aviChunks, aviLists) {
			return c, true
		}
		c.size = end
	}
}
