package media

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"math"
	"strconv"
	"strings"
)

// MotionVideo finds the video that a phone puts inside a photograph: Google's motion
// photos and micro videos (XMP), Samsung's trailer (MotionPhoto_Data), the mpvd box of
// HEIC and AVIF, and an MP4 that hangs behind a JPEG without being announced. off and n
// are where its bytes lie. ok is false when there is none, or the file cannot be read.
//
// It is safe on any bytes. What it gives begins as an MP4 does; where the file breaks
// off, so does the video.
func MotionVideo(r io.ReaderAt, size int64) (off, n int64, ok bool) {
	f := motionFile{r, size}
	head := f.bytes(0, SniffLen)
	var claims []int64
	switch Sniff(head) {
	case typeJPEG:
		claims = append(f.announced(), f.samsung()...)
		if !bytes.Equal(f.bytes(size-2, 2), []byte("\xff\xd9")) || len(claims) > 0 {
			defer func() {
				if !ok {
					off, n, ok = f.hanging()
				}
			}()
		}
	case typeHEIC, typeHEIF, typeAVIF:
		claims = append(f.boxed(), f.samsung()...)
	}
	for _, at := range claims {
		if n := f.film(at); n > 0 {
			return at, n, true
		}
	}
	return 0, 0, false
}

// A motionFile is read here and there.
type motionFile struct {
	r    io.ReaderAt
	size int64
}

// bytes reads n bytes, fewer where the file ends or cannot be read.
func (f motionFile) bytes(at, n int64) []byte {
	if at < 0 || at >= f.size {
		return nil
	}
	b := make([]byte, min(n, f.size-at))
	got, _ := f.r.ReadAt(b, at)
	return b[:got]
}

// maxBoxes bounds the walk over the boxes of one file.
const maxBoxes = 10_000

// box reads the head of a box (ISO/IEC 14496-12, 4.2): where its content begins and its
// end, which may lie behind that of the file.
func (f motionFile) box(at int64) (kind string, body, end int64, ok bool) {
	b := f.bytes(at, 16)
	if len(b) < 8 {
		return "", 0, 0, false
	}
	size, head := int64(binary.BigEndian.Uint32(b)), int64(8)
	switch {
	case size == 0:
		size = f.size - at
	case size == 1 && len(b) == 16:
		size, head = int64(min(binary.BigEndian.Uint64(b[8:]), math.MaxInt64/2)), 16
	}
	return string(b[4:8]), at + head, at + size, size >= head
}

// largestBrands bounds the first box of an MP4.
const largestBrands = 4 << 10

// film measures an MP4: its boxes from at on, up to the first thing that is none of an
// MP4's. 0 says that none begins there.
func (f motionFile) film(at int64) int64 {
	kind, _, end, ok := f.box(at)
	if !ok || kind != "ftyp" || end-at < 16 || end-at > largestBrands {
		return 0
	}
	content := false
	for range maxBoxes {
		kind, _, next, ok := f.box(end)
		if !ok || next <= end || !ofFilm(kind) {
			break
		}
		content = content || kind == "moov" || kind == "mdat" || kind == "moof"
		end = next
	}
	if !content {
		return 0
	}
	return min(end, f.size) - at
}

// ofFilm reports whether an MP4 has such boxes at its top.
func ofFilm(kind string) bool {
	switch kind {
	case "moov", "mdat", "moof", "mfra", "free", "skip", "wide", "udta", "meta", "uuid", "sidx", "ssix", "styp", "prft", "emsg", "pdin":
		return true
	}
	return false
}

// boxed gives the contents of the mpvd boxes of a HEIC file (Motion Photo format 1.0).
func (f motionFile) boxed() (claims []int64) {
	for at, i := int64(0), 0; i < maxBoxes; i++ {
		kind, body, end, ok := f.box(at)
		if !ok || end <= at {
			break
		}
		if kind == "mpvd" {
			claims = append(claims, body)
		}
		at = end
	}
	return claims
}

// samsung reads the directory at the end of files of Samsung's: SEFH, version, count,
// of each block its type, how far before the directory it begins, and its size; then
// the length of all that, and SEFT. A block has its type, the length of its name, name
// and data.
func (f motionFile) samsung() (claims []int64) {
	const motionPhoto, most = 0x0a30, 64 << 10
	tail := f.bytes(f.size-8, 8)
	if len(tail) < 8 || string(tail[4:]) != "SEFT" {
		return nil
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	start := f.size - 8 - length
	dir := f.bytes(start, min(length, most))
	if len(dir) < 12 || string(dir[:4]) != "SEFH" {
		return nil
	}
	for entry := dir[12:]; len(entry) >= 12; entry = entry[12:] {
		if binary.LittleEndian.Uint16(entry[2:]) != motionPhoto {
			continue
		}
		at := start - int64(binary.LittleEndian.Uint32(entry[4:]))
		if head := f.bytes(at, 8); len(head) == 8 {
			claims = append(claims, at+8+int64(binary.LittleEndian.Uint32(head[4:])))
		}
	}
	return claims
}

// announced gives what the XMP of a JPEG says: Google's MicroVideoOffset, from the end
// of the file, and the lengths of the things in its container directory, of which the
// last ends with the file.
func (f motionFile) announced() (claims []int64) {
	const most, signature = 256 << 10, "http://ns.adobe.com/xap/1.0/\x00"
	data := f.bytes(0, most)
	for pos := 2; ; {
		marker, body, next, ok := nextSegment(data, pos)
		if !ok || marker == 0xda || marker == 0xd9 {
			return claims
		}
		if packet, is := bytes.CutPrefix(body, []byte(signature)); marker == 0xe1 && is {
			for _, back := range motionXMP(packet) {
				claims = append(claims, f.size-back)
			}
		}
		pos = next
	}
}

// motionXMP lists how far before the end of the file a video is said to begin.
func motionXMP(packet []byte) (back []int64) {
	type thing struct {
		motion bool
		length int64 // with padding
	}
	things := []thing{{}}
	take := func(name, value string) {
		last := &things[len(things)-1]
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		number := err == nil && n > 0 && n < math.MaxInt64/(1<<20)
		switch {
		case name == "Semantic":
			last.motion = strings.TrimSpace(value) == "MotionPhoto"
		case number && name == "MicroVideoOffset":
			back = append(back, n)
		case number && (name == "Length" || name == "Padding"):
			last.length += n
		}
	}
	d := xml.NewDecoder(bytes.NewReader(packet))
	d.Strict = false
	for name := ""; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch t := token.(type) {
		case xml.StartElement:
			if name = t.Name.Local; name == "li" || name == "Item" {
				things = append(things, thing{})
			}
			for _, a := range t.Attr {
				take(a.Name.Local, a.Value)
			}
		case xml.CharData:
			take(name, string(t))
		case xml.EndElement:
			name = ""
		}
	}
	behind := int64(0)
	for i := len(things) - 1; i >= 0; i-- {
		if behind += things[i].length; things[i].motion {
			back = append(back, behind)
		}
	}
	return back
}

// hanging looks for an MP4 anywhere behind the first bytes.
func (f motionFile) hanging() (off, n int64, ok bool) {
	const block, lap, most = 1 << 20, 7, 10_000
	tried := 0
	for at := int64(2); at < f.size && tried < most; at += block {
		b := f.bytes(at, block+lap)
		for pos := 4; pos < len(b) && tried < most; pos++ {
			i := bytes.Index(b[pos:], []byte("ftyp"))
			if i < 0 {
				break
			}
			if pos += i; binary.BigEndian.Uint32(b[pos-4:]) > largestBrands {
				continue
			}
			tried++
			off := at + int64(pos) - 4
			if n := f.film(off); n > 0 {
				return off, n, true
			}
		}
	}
	return 0, 0, false
}
