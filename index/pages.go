package index

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"

	"semblance/index/disk"
)

const (
	headerBytes = 128
	orderMark   = 0x01020304
	// blockBytes is how much is checked at once.
	blockBytes = 4 << 10
	// maxFileBytes bounds a file before anything is done with it.
	maxFileBytes = 1 << 38
)

// A pages is a piece of memory that is also a file and is never changed: a header of
// headerBytes, which ends with its own checksum, a checksum of every block of the body,
// and the body.
//
// One from a file is checked block by block when a block is first read. Whatever reads
// mapped memory keeps the owner of the pages reachable meanwhile.
type pages struct {
	image   []byte
	body    []byte          // what is checked
	sums    []uint32        // of the body's blocks
	checked []atomic.Uint64 // a bit for each 1<<unit bytes that were; nil when all are known to be good
	unit    int
}

// Units of checking: a block of what is read in order, and 16 of what is read all over, whose
// bits should stay in the processor's first cache.
const (
	blockUnit = 12
	groupUnit = 16
)

// bodyAt returns where a body of a number of bytes begins, and how many blocks it has.
func bodyAt(size int) (body, blocks int) {
	blocks = (size + blockBytes - 1) / blockBytes
	return (headerBytes + 4*blocks + 63) / 64 * 64, blocks
}

// lay sets the views of an image whose body has a size.
func (p *pages) lay(size int) {
	body, blocks := bodyAt(size)
	p.body, p.sums = p.image[body:][:size], disk.Cast[uint32](p.image[headerBytes:], blocks)
}

// fits makes sure of header and checksums of an image that may be anything. sums is what
// the header says of them.
func (p *pages) fits(size int, sums uint32, unit int) error {
	body, _ := bodyAt(size)
	if len(p.image) != body+size || p.sum() != crc32.Checksum(p.image[:headerBytes-4], disk.Castagnoli) || crc32.Checksum(p.image[headerBytes:body], disk.Castagnoli) != sums {
		return disk.ErrDamaged
	}
	p.lay(size)
	p.unit, p.checked = unit, make([]atomic.Uint64, size>>unit/64+1)
	return nil
}

// sum is a checksum that everything in the pages has a part in.
func (p *pages) sum() uint32 { return disk.Cast[uint32](p.image[headerBytes-4:], 1)[0] }

// known reports whether bytes of one unit are known to be those that were written. It is
// the quick part of check.
func (p *pages) known(from, n int) bool {
	u := from >> p.unit
	return (from+n-1)>>p.unit == u && p.checked[u/64].Load()>>(u%64)&1 != 0
}

// check makes sure that bytes of the body are those that were written.
func (p *pages) check(from, n int) error {
	if p.checked == nil || n <= 0 {
		return nil
	}
	for u := from >> p.unit; u <= (from+n-1)>>p.unit; u++ {
		word, bit := &p.checked[u/64], uint64(1)<<(u%64)
		if word.Load()&bit != 0 {
			continue
		}
		per := 1 << p.unit / blockBytes
		for b := u * per; b < min((u+1)*per, len(p.sums)); b++ {
			if p.sumOf(b) != p.sums[b] {
				return disk.ErrDamaged
			}
		}
		word.Or(bit)
	}
	return nil
}

// checkAll makes sure of everything, also of what was checked before.
func (p *pages) checkAll() error {
	for b, sum := range p.sums {
		if p.sumOf(b) != sum {
			return disk.ErrDamaged
		}
	}
	return nil
}

func (p *pages) sumOf(block int) uint32 {
	return crc32.Checksum(p.body[block*blockBytes:min(len(p.body), (block+1)*blockBytes)], disk.Castagnoli)
}

// stampBody writes the blocks' checksums and returns what the header says of them.
func (p *pages) stampBody() uint32 {
	for b := range p.sums {
		p.sums[b] = p.sumOf(b)
	}
	return crc32.Checksum(p.image[headerBytes:len(p.image)-len(p.body)], disk.Castagnoli)
}

// stampHeader writes a header, which has a fixed size, and its checksum.
func (p *pages) stampHeader(header any) {
	if _, err := binary.Encode(p.image[:headerBytes-4], binary.NativeEndian, header); err != nil {
		panic(err)
	}
	disk.Cast[uint32](p.image[headerBytes-4:], 1)[0] = crc32.Checksum(p.image[:headerBytes-4], disk.Castagnoli)
}
