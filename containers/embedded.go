package containers

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// A found is a picture or a video inside other bytes.
type found struct {
	off, size int64
	ext       string
}

const (
	searchStep = 256 << 10 // bytes looked through at a time
	// searchWorth is how many bytes are read to measure what begins in a file, for each
	// byte of the file: what is not hostile needs one.
	searchWorth = 4
)

// errExhausted says that measuring what might be pictures read more than it was worth.
var errExhausted = errors.New("too many beginnings of pictures without an end")

// embedded gives the pictures and videos that lie whole inside size bytes of r, in their
// order and none inside another, found by what they begin with and measured by their
// structure. It returns errExhausted on bytes made to be slow, and what each returns.
func embedded(r io.ReaderAt, size int64, each func(found) error) error {
	budget := searchWorth*size + 1<<20
	buf := make([]byte, min(searchStep+signatureLen, size))
	for at := int64(0); at+leastPicture <= size; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if n == 0 {
			return nil
		}
		next := at + int64(n)
		if next < size && err == nil {
			next -= signatureLen
		}
		for i := 0; at+int64(i) < next; i++ {
			if i = nextSignature(buf[:n], i); i < 0 || at+int64(i) >= next {
				break
			}
			ext := signature(buf[i:n])
			if ext == "" {
				continue
			}
			m := measurer{r: r, off: at + int64(i), left: size - at - int64(i), budget: &budget}
			length := m.size(ext)
			if budget < 0 {
				return errExhausted
			}
			if length < leastPicture {
				continue
			}
			if err := each(found{m.off, length, ext}); err != nil {
				return err
			}
			if next = max(next, m.off+length); m.off+length > at+int64(n) {
				next = m.off + length
				break
			}
			i += int(length) - 1
		}
		if err != nil && next < size {
			return nil // what cannot be read holds nothing that can
		}
		at = next
	}
	return nil
}

// nextSignature is the first place from i on where one of the signatures that embedded
// measures may begin; -1: none.
func nextSignature(b []byte, i int) int {
	for ; i+12 <= len(b); i++ {
		switch b[i] {
		case 0xff:
			if b[i+1] == 0xd8 && b[i+2] == 0xff {
				return i
			}
		case 0x89:
			if b[i+1] == 'P' && b[i+2] == 'N' {
				return i
			}
		case 'G':
			if b[i+1] == 'I' && b[i+2] == 'F' && b[i+3] == '8' {
				return i
			}
		case 'R':
			if b[i+1] == 'I' && b[i+2] == 'F' && b[i+3] == 'F' {
				return i
			}
		case 0:
			if b[i+4] == 'f' && b[i+5] == 't' && b[i+6] == 'y' && b[i+7] == 'p' {
				return i
			}
		}
	}
	return -1
}

// pictureSize measures what begins at off in r, whose bytes end after left more: 0 when
// no whole picture or video begins there.
func pictureSize(r io.ReaderAt, off, left int64) int64 {
	head := make([]byte, min(signatureLen, left))
	n, _ := r.ReadAt(head, off)
	budget := left + 1<<20
	m := measurer{r: r, off: off, left: left, budget: &budget}
	return m.size(signature(head[:n]))
}

// A measurer finds where a picture ends by its structure.
type measurer struct {
	r         io.ReaderAt
	off, left int64
	budget    *int64
}

func (m *measurer) size(ext string) int64 {
	in := &counted{budget: m.budget, left: m.left}
	in.r = bufio.NewReaderSize(io.NewSectionReader(m.r, m.off, m.left), 4096)
	in.at = func(n int64) { in.r.Reset(io.NewSectionReader(m.r, m.off+n, m.left-n)) }
	ok := false
	switch ext {
	case "jpg":
		ok = in.jpeg()
	case "png":
		ok = in.png()
	case "gif":
		ok = in.gif()
	case "webp", "avi":
		head := in.take(8)
		ok = head != nil && in.skip(int64(binary.LittleEndian.Uint32(head[4:])))
	case "heic", "heif", "avif", "mp4", "mov", "m4v", "3gp", "3g2":
		ok = in.boxes()
	}
	if !ok {
		return 0
	}
	return in.n
}

// A counted reader knows how far it came, and how much it may read.
type counted struct {
	r       *bufio.Reader
	at      func(int64)
	n, left int64
	budget  *int64
	buf     [16]byte
}

// take reads up to 16 bytes; nil at the end.
func (c *counted) take(n int) []byte {
	if *c.budget -= int64(n); *c.budget < 0 || c.n+int64(n) > c.left {
		return nil
	}
	if _, err := io.ReadFull(c.r, c.buf[:n]); err != nil {
		return nil
	}
	c.n += int64(n)
	return c.buf[:n]
}

// skip passes over n bytes, which must be there.
func (c *counted) skip(n int64) bool {
	if n < 0 || c.n+n > c.left {
		return false
	}
	c.n += n
	*c.budget -= 64
	if n <= int64(c.r.Buffered()) {
		_, err := c.r.Discard(int(n))
		return err == nil
	}
	*c.budget -= 4096
	c.at(c.n)
	return true
}

// jpeg goes from marker to marker up to EOI (ITU-T T.81, B.1).
func (c *counted) jpeg() bool {
	if c.take(2) == nil {
		return false
	}
	for scans := false; ; {
		b := c.take(2)
		if b == nil || b[0] != 0xff {
			return false
		}
		marker := b[1]
		for marker == 0xff { // fill bytes
			if b = c.take(1); b == nil {
				return false
			}
			marker = b[0]
		}
		switch {
		case marker == 0xd9:
			return scans
		case marker < 0xc0 || marker >= 0xd0 && marker <= 0xd8:
			return false
		default:
			b := c.take(2)
			if b == nil || !c.skip(int64(binary.BigEndian.Uint16(b))-2) {
				return false
			}
			if marker == 0xda {
				if scans = true; !c.entropy() {
					return false
				}
			}
		}
	}
}

// entropy passes over the coded data of a scan, up to the next marker.
func (c *counted) entropy() bool {
	for c.n < c.left {
		b, _ := c.r.Peek(int(min(c.left-c.n, 4096)))
		if len(b) < 2 {
			return false
		}
		i := bytes.IndexByte(b[:len(b)-1], 0xff)
		switch {
		case i < 0:
			i = len(b) - 1
		case b[i+1] == 0 || b[i+1] >= 0xd0 && b[i+1] <= 0xd7:
			i += 2
		default:
			_, _ = c.r.Discard(i)
			c.n, *c.budget = c.n+int64(i), *c.budget-int64(i)
			return true
		}
		_, _ = c.r.Discard(i)
		c.n += int64(i)
		if *c.budget -= int64(i); *c.budget < 0 {
			return false
		}
	}
	return false
}

// png goes from chunk to chunk up to IEND.
func (c *counted) png() bool {
	if c.take(8) == nil {
		return false
	}
	for {
		b := c.take(8)
		if b == nil {
			return false
		}
		for _, l := range b[4:8] {
			if l|0x20 < 'a' || l|0x20 > 'z' {
				return false
			}
		}
		last := string(b[4:8]) == "IEND"
		if !c.skip(int64(binary.BigEndian.Uint32(b)) + 4) {
			return false
		}
		if last {
			return true
		}
	}
}

// gif goes from block to block up to the trailer (GIF89a, appendix B).
func (c *counted) gif() bool {
	b := c.take(13)
	if b == nil || b[10]&0x80 != 0 && !c.skip(3<<(b[10]&7+1)) {
		return false
	}
	for frames := 0; ; {
		if b = c.take(1); b == nil {
			return false
		}
		switch b[0] {
		case 0x3b:
			return frames > 0
		case 0x21:
			if c.take(1) == nil || !c.blocks() {
				return false
			}
		case 0x2c:
			frames++
			if b = c.take(9); b == nil || b[8]&0x80 != 0 && !c.skip(3<<(b[8]&7+1)) || c.take(1) == nil || !c.blocks() {
				return false
			}
		default:
			return false
		}
	}
}

func (c *counted) blocks() bool {
	for {
		b := c.take(1)
		if b == nil {
			return false
		}
		if b[0] == 0 {
			return true
		}
		if !c.skip(int64(b[0])) {
			return false
		}
	}
}

// boxes goes along the boxes of an ISO base media file, up to the first thing that is
// none.
func (c *counted) boxes() bool {
	content := false
	for first := true; ; first = false {
		end := c.n
		b := c.take(8)
		if b == nil || !first && !topBox(string(b[4:8])) {
			c.n = end
			return content
		}
		size, head, kind := int64(binary.BigEndian.Uint32(b)), int64(8), string(b[4:8])
		if size == 1 {
			if b = c.take(8); b == nil {
				return false
			}
			size, head = int64(binary.BigEndian.Uint64(b)), 16
		}
		if size < head || first && size > 4096 || !c.skip(size-head) {
			c.n = end
			return false // a box that is cut short
		}
		content = content || kind == "moov" || kind == "mdat" || kind == "meta" || kind == "moof"
	}
}

// topBox reports whether such boxes are at the top of a film or a HEIC picture.
func topBox(kind string) bool {
	switch kind {
	case "moov", "mdat", "moof", "mfra", "free", "skip", "wide", "udta", "meta", "uuid", "sidx", "ssix", "styp", "prft", "emsg", "pdin", "mpvd", "iloc", "ipmc":
		return true
	}
	return false
}
