package containers

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/klauspost/compress/flate"

	"semblance"
)

// A byteReader is what decompressors read from.
type byteReader = flate.Reader

const (
	xzMagic  = "\xfd7zXZ\x00"
	xzFooter = "YZ"
)

func isXZ(head []byte, _ Part) bool {
	return len(head) >= 12 && string(head[:6]) == xzMagic
}

// An xzReader reads the .xz format (xz-file-format.txt 1.2): streams of blocks of LZMA2.
type xzReader struct {
	in     *counter
	check  byte
	sum    hash.Hash
	block  io.Reader
	start  int64 // of the block's packed data
	blocks int64 // of the stream
	err    error
}

// A counter counts the bytes that were read.
type counter struct {
	r *bufio.Reader
	n int64
}

// Read counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte counts.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func openXZ(r *bufio.Reader, _ *stream) (io.Reader, error) {
	x := &xzReader{in: &counter{r: r}}
	return x, x.stream()
}

// stream reads the header of a stream.
func (x *xzReader) stream() error {
	var b [12]byte
	if _, err := io.ReadFull(x.in, b[:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	if string(b[:6]) != xzMagic || b[6] != 0 || crc32.ChecksumIEEE(b[6:8]) != le.Uint32(b[8:]) {
		return damaged("the xz header is damaged")
	}
	x.check, x.blocks, x.block = b[7]&15, 0, nil
	return nil
}

// xzCheckSizes are the sizes of check values by their ids.
var xzCheckSizes = [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}

// Read unpacks block after block.
func (x *xzReader) Read(p []byte) (int, error) {
	for x.err == nil {
		if x.block == nil {
			x.err = x.next()
			continue
		}
		n, err := x.block.Read(p)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if err == io.EOF {
			err = x.endBlock()
		}
		x.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, x.err
}

// next begins the next block, or ends the stream and begins the next one.
func (x *xzReader) next() error {
	size, err := x.in.ReadByte()
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if size == 0 {
		if err := x.index(); err != nil {
			return err
		}
		return x.nextStream()
	}
	b := make([]byte, 4*(int(size)+1))
	b[0] = size
	if _, err := io.ReadFull(x.in, b[1:]); err != nil {
		return io.ErrUnexpectedEOF
	}
	if crc32.ChecksumIEEE(b[:len(b)-4]) != le.Uint32(b[len(b)-4:]) {
		return damaged("the header of an xz block is damaged")
	}
	x.sum = xzCheck(x.check)
	x.start = x.in.n
	x.blocks++
	x.block, err = xzFilters(x.in, b[1:len(b)-4])
	return err
}

// xzCheck is the checksum of an id; nil when it is none that is known.
func xzCheck(id byte) hash.Hash {
	switch id {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// xzFilters builds the chain of a block: LZMA2 last, before it what made code or samples
// easier to pack.
func xzFilters(in byteReader, b []byte) (r io.Reader, err error) {
	flags := b[0]
	b = b[1:]
	for _, bit := range []byte{0x40, 0x80} { // the sizes, which the index has again
		if flags&bit != 0 {
			if _, b, err = xzNumber(b); err != nil {
				return nil, err
			}
		}
	}
	type filter struct {
		id    uint64
		props []byte
	}
	var chain []filter
	for range flags&3 + 1 {
		var f filter
		var n uint64
		if f.id, b, err = xzNumber(b); err != nil {
			return nil, err
		}
		if n, b, err = xzNumber(b); err != nil || n > uint64(len(b)) {
			return nil, damaged("the header of an xz block is damaged")
		}
		f.props, b = b[:n], b[n:]
		chain = append(chain, f)
	}
	last := chain[len(chain)-1]
	if last.id != 0x21 || len(last.props) != 1 {
		return nil, semblance.Errorf(semblance.MediaUnsupported, "the xz stream is packed by a method that is not known")
	}
	if r, err = newLZMA2(in, last.props[0]); err != nil {
		return nil, err
	}
	for i := len(chain) - 2; i >= 0; i-- {
		if r, err = newFilter(chain[i].id, chain[i].props, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// xzNumber reads a number of seven bits a byte.
func xzNumber(b []byte) (n uint64, rest []byte, err error) {
	for i := range min(len(b), 9) {
		n |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], nil
		}
	}
	return 0, nil, damaged("an xz header is damaged")
}

func (x *xzReader) endBlock() error {
	x.block = nil
	if err := x.padding(x.in.n - x.start); err != nil {
		return err
	}
	check := make([]byte, xzCheckSizes[x.check])
	if _, err := io.ReadFull(x.in, check); err != nil {
		return io.ErrUnexpectedEOF
	}
	if x.sum == nil {
		return nil
	}
	got := x.sum.Sum(nil)
	if x.check != 10 { // numbers, little endian
		for i := range len(got) / 2 {
			got[i], got[len(got)-1-i] = got[len(got)-1-i], got[i]
		}
	}
	if !bytes.Equal(got, check) {
		return damaged("the content of an xz block does not have its checksum; it was examined as it is")
	}
	return nil
}

// padding reads zeros up to a multiple of four.
func (x *xzReader) padding(n int64) error {
	for range -n & 3 {
		if b, err := x.in.ReadByte(); err != nil || b != 0 {
			return damaged("the xz stream is damaged between its blocks")
		}
	}
	return nil
}

// index reads the index and the footer behind it; of the index only the number of blocks
// is compared.
func (x *xzReader) index() error {
	start := x.in.n - 1
	blocks, err := x.number()
	if err != nil || blocks != x.blocks {
		return damaged("the index of the xz stream does not have its %d blocks", x.blocks)
	}
	for range 2 * blocks {
		if _, err := x.number(); err != nil {
			return damaged("the index of the xz stream is damaged")
		}
	}
	if err := x.padding(x.in.n - start); err != nil {
		return err
	}
	var b [4 + 12]byte
	if _, err := io.ReadFull(x.in, b[:]); err != nil || string(b[14:]) != xzFooter {
		return damaged("the end of the xz stream is damaged or missing")
	}
	return nil
}

func (x *xzReader) number() (n int64, err error) {
	for i := range 9 {
		b, err := x.in.ReadByte()
		if err != nil {
			return 0, err
		}
		n |= int64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, damaged("an xz number is damaged")
}

// nextStream begins a stream behind the one that ended; io.EOF when there is none.
func (x *xzReader) nextStream() error {
	for {
		head, _ := x.in.r.Peek(4)
		if len(head) < 4 || le.Uint32(head) != 0 {
			break
		}
		if _, err := x.in.r.Discard(4); err != nil {
			return err
		}
	}
	if head, _ := x.in.r.Peek(1); len(head) == 0 {
		return io.EOF
	}
	return x.stream()
}
