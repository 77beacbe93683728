package digestset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"

	"semblance"
	"semblance/hashing"
)

// A file is: head, blocks of records, table, sums, top sums, meta, foot. The foot is
// last because a file is written in one go, and what it says is known only then. All
// numbers are little-endian; digests are bytes in their own order.
//
//	head    64 bytes: magic, format, bits of the algorithm, id of the file; zeros
//	block   the digests of 128 records, sorted, then their columns; the last may be shorter
//	table   for each pattern of the leading bits of a digest the number of its first
//	        record, and the number of records at the end: uint32
//	sums    CRC-32C of each block, then of each 4096 bytes of the table: uint32
//	top     CRC-32C of each 4096 bytes of the sums: uint32
//	meta    where the records come from and what is said of them: JSON
//	foot    256 bytes, see below
const (
	headBytes    = 64
	footBytes    = 256
	blockRecords = 128 // a block is small enough to be checked at its first use
	pieceBytes   = 4 << 10
	fileFormat   = 1 // raised when the layout changes
	maxRecords   = 1<<32 - 2
	maxMetaBytes = 16 << 20
	maxBits      = 28
)

var (
	headMagic = [8]byte{'S', 'M', 'B', 'L', 'D', 'S', 'E', 'T'}
	footMagic = [8]byte{'S', 'M', 'B', 'L', 'D', 'E', 'N', 'D'}
)

// castagnoli is the checksum that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is what is said of a file whose bytes are not those that were written.
var errDamaged = errors.New("the file is damaged")

// errNotOurs is what is said of a file that is something else.
var errNotOurs = errors.New("it is not a file of a digest set")

// The columns of a record beside its digest. A column that no record needs has width 0.
const (
	colSource = iota // index in the meta's sources
	colRow           // of the source, from 1
	colSize          // bytes of the file, 0 unknown
	colText          // index in the meta's texts, 0 none
	colFlags
	columns
)

// The flags of a record.
const (
	flagSizes = 1 << iota // its rows state several sizes: none is kept
	flagTexts             // its rows state more texts than are kept
)

// A foot ends a file.
type foot struct {
	Magic   [8]byte
	Format  uint32
	Digest  uint32 // bits of the algorithm: 128, 160, 256
	ID      [16]byte
	Records uint64
	Bits    uint32 // leading bits that choose a place in the table
	Widths  [columns]uint8
	_       [3]uint8
	MetaLen uint32
	MetaSum uint32
	TopSum  uint32
	_       [footBytes - 68]byte
	Sum     uint32 // of the foot before it
}

// A layout is where the parts of a file are.
type layout struct {
	digest, width, stride    int // bytes of a digest, of its columns, of both
	blocks, pieces           int // of records, of the table
	table, sums, top, meta   int64
	tableLen, sumLen, topLen int // numbers
	size                     int64
}

func pad(n int64) int64 { return (n + 63) &^ 63 }

// layout works out where things are. It is false for a foot that cannot be.
func (f *foot) layout() (layout, bool) {
	var l layout
	if f.Digest != 128 && f.Digest != 160 && f.Digest != 256 || f.Records > maxRecords || f.Bits > maxBits || f.MetaLen > maxMetaBytes {
		return l, false
	}
	l.digest = int(f.Digest) / 8
	for _, w := range f.Widths {
		if w > 8 {
			return l, false
		}
		l.width += int(w)
	}
	l.stride = l.digest + l.width
	l.blocks = int((f.Records + blockRecords - 1) / blockRecords)
	l.table = pad(headBytes + int64(f.Records)*int64(l.stride))
	l.tableLen = 1<<f.Bits + 1
	l.pieces = piecesOf(4 * l.tableLen)
	l.sums = pad(l.table + 4*int64(l.tableLen))
	l.sumLen = l.blocks + l.pieces
	l.top = pad(l.sums + 4*int64(l.sumLen))
	l.topLen = piecesOf(4 * l.sumLen)
	l.meta = pad(l.top + 4*int64(l.topLen))
	l.size = pad(l.meta+int64(f.MetaLen)) + footBytes
	return l, true
}

func piecesOf(bytes int) int { return (bytes + pieceBytes - 1) / pieceBytes }

// tableBits is how many leading bits tell the place of n records: about ten records a
// place, so that a guess within it is mostly in the right cache line.
func tableBits(n uint64) uint32 { return uint32(min(maxBits, bits.Len64(n/16))) }

// head is the beginning of a file.
func (f *foot) head() []byte {
	b := make([]byte, 0, headBytes)
	b = append(b, headMagic[:]...)
	b = binary.LittleEndian.AppendUint32(b, f.Format)
	b = binary.LittleEndian.AppendUint32(b, f.Digest)
	b = append(b, f.ID[:]...)
	return append(b, make([]byte, headBytes-len(b))...)
}

// encode returns the foot as it is written, with its sum.
func (f *foot) encode() []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, f) // a buffer does not fail
	out := b.Bytes()
	binary.LittleEndian.PutUint32(out[footBytes-4:], crc32.Checksum(out[:footBytes-4], castagnoli))
	return out
}

// readFoot reads the foot of a file that may be anything.
func readFoot(image []byte) (foot, layout, error) {
	var f foot
	if len(image) < len(headMagic) || !bytes.Equal(image[:len(headMagic)], headMagic[:]) {
		return f, layout{}, errNotOurs
	}
	if len(image) < headBytes+footBytes {
		return f, layout{}, errDamaged
	}
	b := image[len(image)-footBytes:]
	if _, err := binary.Decode(b, binary.LittleEndian, &f); err != nil {
		return f, layout{}, errDamaged
	}
	if f.Magic != footMagic || f.Sum != crc32.Checksum(b[:footBytes-4], castagnoli) {
		return f, layout{}, errDamaged
	}
	if f.Format != fileFormat {
		return f, layout{}, semblance.Errorf(semblance.Unavailable, "the digest set is of format %d, which this version does not read", f.Format).
			WithHint("Use the version that made it, or import the list again.")
	}
	l, ok := f.layout()
	if !ok || int64(len(image)) != l.size || !bytes.Equal(image[:headBytes], f.head()) {
		return f, layout{}, errDamaged
	}
	return f, l, nil
}

// algorithmOf is the digest of so many bits.
func algorithmOf(bits uint32) hashing.Algorithm {
	switch bits {
	case 128:
		return hashing.AlgorithmMD5
	case 160:
		return hashing.AlgorithmSHA1
	}
	return hashing.AlgorithmSHA256
}

// digests are the algorithms of sets, in the order in which they are written.
func digests() [3]hashing.Algorithm {
	return [3]hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256}
}

// widthOf is how many bytes a column of values up to most needs.
func widthOf(most uint64) uint8 { return uint8((bits.Len64(most) + 7) / 8) }

// putNumber appends the w low bytes of n.
func putNumber(b []byte, n uint64, w uint8) []byte {
	for range w {
		b = append(b, byte(n))
		n >>= 8
	}
	return b
}

// number reads what putNumber wrote.
func number(b []byte) uint64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}
