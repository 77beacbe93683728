package containers

import (
	"compress/bzip2"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/klauspost/compress/flate"
	"github.com/pierrec/lz4/v4"

	"semblance"
)

// Methods of 7z (Methods.txt of the LZMA SDK).
const (
	sevenCopy      = 0x00
	sevenDelta     = 0x03
	sevenX86       = 0x04
	sevenPPC       = 0x05
	sevenARM       = 0x07
	sevenThumb     = 0x08
	sevenSPARC     = 0x09
	sevenARM64     = 0x0a
	sevenLZMA2     = 0x21
	sevenLZMA      = 0x030101
	sevenOldX86    = 0x03030103
	sevenBCJ2      = 0x0303011b
	sevenOldPPC    = 0x03030205
	sevenOldARM    = 0x03030501
	sevenOldThumb  = 0x03030701
	sevenOldSPARC  = 0x03030805
	sevenPPMd      = 0x030401
	sevenDeflate   = 0x040108
	sevenDeflate64 = 0x040109
	sevenBzip2     = 0x040202
	sevenZstd      = 0x04f71101
	sevenLZ4       = 0x04f71104
	sevenAES       = 0x06f10701
)

// A sevenPipe joins the coders of a folder.
type sevenPipe struct {
	s        *sevenReader
	f        *sevenFolder
	password int
}

// out is the output of a coder, by its number.
func (p *sevenPipe) out(out, depth int) (io.Reader, error) {
	if depth > len(p.f.coders) {
		return nil, damaged("the coders of the 7z archive are joined in a circle")
	}
	for i := range p.f.coders {
		if c := &p.f.coders[i]; c.out == out {
			return p.coder(c, depth)
		}
	}
	return nil, damaged("the directory of the 7z archive is damaged")
}

// in is what a coder reads, by the number of the input.
func (p *sevenPipe) in(in, depth int) (io.Reader, error) {
	if out, ok := p.f.bonds[in]; ok {
		return p.out(out, depth+1)
	}
	k, ok := p.f.packed[in]
	if p.f.packed == nil {
		k, ok = 0, true
	}
	if !ok || k >= len(p.f.streams) {
		return nil, damaged("the directory of the 7z archive is damaged")
	}
	at := p.f.streams[k]
	if at.start > p.s.size {
		return nil, damaged("the packed data lie behind the end of the archive")
	}
	return &progressReader{r: io.NewSectionReader(p.s.r, at.start, at.end-at.start), o: p.s.o, total: at.end - at.start}, nil
}

func (p *sevenPipe) coder(c *sevenCoder, depth int) (io.Reader, error) {
	ins := make([]io.Reader, c.ins)
	for i := range ins {
		var err error
		if ins[i], err = p.in(c.in+i, depth); err != nil {
			return nil, err
		}
	}
	size := p.f.sizes[c.out]
	if c.id == sevenBCJ2 && c.ins == 4 {
		return newBCJ2(ins, size), nil
	}
	if c.ins != 1 {
		return nil, unknownMethod(c.id)
	}
	r, err := p.method(c, ins[0], size)
	if err != nil {
		return nil, err
	}
	return io.LimitReader(r, size), nil
}

var sevenFilters = map[uint64]uint64{
	sevenDelta: filterDelta, sevenX86: filterX86, sevenOldX86: filterX86, sevenPPC: filterPPC, sevenOldPPC: filterPPC, sevenARM: filterARM, sevenOldARM: filterARM,
	sevenThumb: filterThumb, sevenOldThumb: filterThumb, sevenSPARC: filterSPARC, sevenOldSPARC: filterSPARC, sevenARM64: filterARM64,
}

// method undoes one method.
func (p *sevenPipe) method(c *sevenCoder, r io.Reader, size int64) (io.Reader, error) {
	if f, ok := sevenFilters[c.id]; ok {
		return newFilter(f, c.props, r)
	}
	switch c.id {
	case sevenCopy:
		return r, nil
	case sevenLZMA:
		if len(c.props) < 5 {
			return nil, damaged("the LZMA header in the 7z archive is damaged")
		}
		return newLZMA(newBuffered(r), c.props[0], le.Uint32(c.props[1:]), size)
	case sevenLZMA2:
		if len(c.props) < 1 {
			return nil, damaged("the LZMA2 header in the 7z archive is damaged")
		}
		return newLZMA2(newBuffered(r), c.props[0])
	case sevenDeflate:
		return flate.NewReader(newBuffered(noEOF{r})), nil
	case sevenDeflate64:
		return newInflate64(newBuffered(r)), nil
	case sevenBzip2:
		return bzip2.NewReader(newBuffered(r)), nil
	case sevenZstd:
		return newZstd(r)
	case sevenLZ4:
		return lz4.NewReader(r), nil
	case sevenAES:
		return p.decrypt(c.props, r)
	}
	return nil, unknownMethod(c.id)
}

func unknownMethod(id uint64) error {
	name := map[uint64]string{sevenPPMd: "PPMd", sevenBCJ2: "BCJ2"}[id]
	if name == "" {
		name = fmt.Sprintf("%x", id)
	}
	return semblance.Errorf(semblance.MediaUnsupported, "its compression method (%s) is not read", name)
}

// decrypt undoes AES-256 in CBC mode with a key that many rounds of SHA-256 make of the
// password.
func (p *sevenPipe) decrypt(props []byte, r io.Reader) (io.Reader, error) {
	if len(props) < 1 {
		return nil, damaged("the encryption header in the 7z archive is damaged")
	}
	rounds, salt, iv := uint(props[0]&0x3f), int(props[0]>>7), int(props[0]>>6&1)
	rest := props[1:]
	if props[0]&0xc0 != 0 {
		if len(rest) < 1 {
			return nil, damaged("the encryption header in the 7z archive is damaged")
		}
		salt, iv, rest = salt+int(rest[0]>>4), iv+int(rest[0]&15), rest[1:]
	}
	const most = 24 // 7-Zip's own limit; it writes 19
	if len(rest) < salt+iv || rounds > most && rounds != 0x3f {
		return nil, damaged("the encryption header in the 7z archive is damaged")
	}
	if p.password < 0 || p.password >= len(p.s.passwords) {
		return nil, semblance.Errorf(semblance.MediaEncrypted, "%s", noneOpens(len(p.s.passwords)))
	}
	key := p.s.key(p.s.passwords[p.password], rest[:salt], rounds)
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var vector [aes.BlockSize]byte
	copy(vector[:], rest[salt:salt+iv])
	return &cbcReader{mode: cipher.NewCBCDecrypter(b, vector[:]), r: r}, nil
}

// key derives a key, once for each password and salt.
func (s *sevenReader) key(password string, salt []byte, rounds uint) []byte {
	id := fmt.Sprintf("%d %x %s", rounds, salt, password)
	if k, ok := s.keys[id]; ok {
		return k
	}
	text := append([]byte(nil), salt...)
	for _, u := range utf16.Encode([]rune(password)) {
		text = le.AppendUint16(text, u)
	}
	key := make([]byte, 32)
	if rounds == 0x3f {
		copy(key, text)
	} else {
		h := sha256.New()
		n := len(text)
		// Many rounds at once: a call for each costs more than the hashing.
		var block []byte
		for i := uint64(0); i < 1<<rounds; i++ {
			block = binary.LittleEndian.AppendUint64(append(block, text[:n]...), i)
			if len(block) > 16<<10 {
				h.Write(block)
				block = block[:0]
			}
		}
		h.Write(block)
		h.Sum(key[:0])
	}
	const most = 1000 // keys that are kept
	if len(s.keys) < most {
		s.keys[id] = key
	}
	return key
}

// A bcj2Reader puts code together that was taken apart into four streams (7-Zip's Bcj2):
// the code, the targets of calls and of jumps, and bits that say which are absolute.
type bcj2Reader struct {
	main, call, jump byteReader
	c                rangeCoder
	probs            [2 + 256]uint16
	pos              uint32
	left             int64
	before           byte
	pending          []byte
	started          bool
	err              error
}

func newBCJ2(ins []io.Reader, size int64) io.Reader {
	b := &bcj2Reader{main: newBuffered(ins[0]), call: newBuffered(ins[1]), jump: newBuffered(ins[2]), left: size}
	b.c.r = newBuffered(ins[3])
	resetProbs(b.probs[:])
	return b
}

// Read puts together.
func (b *bcj2Reader) Read(p []byte) (n int, err error) {
	if !b.started {
		b.started = true
		b.err = b.c.start(b.c.r)
	}
	for n < len(p) {
		if len(b.pending) > 0 {
			p[n], b.pending = b.pending[0], b.pending[1:]
			n++
			continue
		}
		if b.left == 0 && b.err == nil {
			b.err = io.EOF
		}
		if b.err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, b.err
		}
		p[n] = b.step()
		if b.err == nil {
			n++
		}
	}
	return n, nil
}

// step gives the next byte of the code; what follows a branch goes to pending.
func (b *bcj2Reader) step() byte {
	c, err := b.main.ReadByte()
	if err != nil {
		b.err = io.ErrUnexpectedEOF
		return 0
	}
	before := b.before
	b.before = c
	b.pos++
	b.left--
	branch := c&0xfe == 0xe8 || before == 0x0f && c&0xf0 == 0x80
	if !branch || b.left == 0 {
		return c
	}
	i := 1
	switch c {
	case 0xe8:
		i = 2 + int(before)
	case 0xe9:
		i = 0
	}
	if b.c.bit(&b.probs[i]) == 0 {
		b.err = b.c.err
		return c
	}
	from := b.jump
	if c == 0xe8 {
		from = b.call
	}
	var t [4]byte
	if _, err := io.ReadFull(from, t[:]); err != nil {
		b.err = io.ErrUnexpectedEOF
		return c
	}
	n := min(b.left, 4)
	b.pos += 4
	le.PutUint32(t[:], binary.BigEndian.Uint32(t[:])-b.pos)
	b.pending = append(b.pending[:0], t[:n]...)
	b.before = t[3]
	b.left -= n
	return c
}
