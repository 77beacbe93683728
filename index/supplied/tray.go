package supplied

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"sync/atomic"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// trayRows is the most rows of a tray: what a change has in memory at most, and
// what is written again when one of them is removed. For PhotoDNA that is 22 MB.
const trayRows = 1 << 17

// blockBytes is how much is checked at once.
const blockBytes = 4 << 10

// A tray holds values of one algorithm in one piece of memory, which is also its file. It
// is never changed. Which of its rows are gone, the shelf knows. Rows are in the order of
// IDs, each once.
//
// A tray from a file is checked block by block when a block is first read. Whatever
// reads mapped memory keeps the tray reachable meanwhile.
type tray struct {
	header
	algorithm hashing.Algorithm
	file      string // in the shelf's folder; "" in memory
	image     []byte
	body      []byte          // what is checked
	sums      []uint32        // of the body's blocks
	checked   []atomic.Uint64 // a bit for each block that was; nil when all are known to be good

	// Views of the body.
	at       layout
	sketches []byte
	values   []byte
	ids      []int64
}

const (
	headerBytes = 64
	trayFormat  = 1 // raised when the layout changes; other ones are made again
	orderMark   = 0x01020304
)

var trayMagic = [8]byte{'S', 'M', 'B', 'L', 'S', 'U', 'P', 'P'}

// A header begins a tray. All numbers of a tray are in the machine's own order of
// bytes, which Order tells. Its own checksum is in its last four bytes.
type header struct {
	Magic     [8]byte
	Format    uint32
	Order     uint32
	Rows      uint32
	Width     uint32 // bytes of a value
	Grouping  grouping
	Algorithm uint32 // checksum of its name
	Sums      uint32 // checksum of the sums of blocks
}

// A layout is where the parts of a tray are, counted from the body's start.
type layout struct {
	body, blocks, sketches, sketchBytes, values, ids, size int
}

// layout works out where things are. It returns false for a header that cannot be.
func (h *header) layout(sketched bool) (layout, bool) {
	var l layout
	if h.Rows < 1 || h.Rows > trayRows || h.Width < 1 || h.Width > hashing.MaxOwnBytes || h.Grouping >= groupings {
		return l, false
	}
	place := func(bytes int) int {
		at := l.size
		l.size = (at + bytes + 63) / 64 * 64 // a register's width
		return at
	}
	rows := int(h.Rows)
	if sketched {
		l.sketchBytes = (rows + blockRows - 1) / blockRows * blockSketch
	}
	l.sketches = place(l.sketchBytes)
	l.values = place(rows * padded(int(h.Width)))
	l.ids = place(8 * rows)
	l.blocks = (l.size + blockBytes - 1) / blockBytes
	l.body = (headerBytes + 4*l.blocks + 63) / 64 * 64
	return l, true
}

// view sets the views of a tray's image, which is as long as its header says.
func (t *tray) view(l layout) {
	t.at, t.body = l, t.image[l.body:]
	t.sums = disk.Cast[uint32](t.image[headerBytes:], l.blocks)
	t.sketches = t.body[l.sketches:][:l.sketchBytes]
	t.values = t.body[l.values:][:int(t.Rows)*padded(int(t.Width))]
	t.ids = disk.Cast[int64](t.body[l.ids:], int(t.Rows))
}

func nameSum(a hashing.Algorithm) uint32 { return crc32.Checksum([]byte(a), disk.Castagnoli) }

// openTray reads the header of an image that may be anything. Its content is not read.
func openTray(image []byte, a hashing.Algorithm) (*tray, error) {
	if len(image) < headerBytes {
		return nil, disk.ErrDamaged
	}
	h, err := readHeader(image)
	if err != nil {
		return nil, err
	}
	t := &tray{header: h, algorithm: a, image: image}
	l, ok := t.layout(sketched(a))
	if !ok || len(image) != l.body+l.size || h.Algorithm != nameSum(a) || int(h.Width)*8 != a.Bits() {
		return nil, disk.ErrDamaged
	}
	if t.sum() != crc32.Checksum(image[:headerBytes-4], disk.Castagnoli) || crc32.Checksum(image[headerBytes:l.body], disk.Castagnoli) != h.Sums {
		return nil, disk.ErrDamaged
	}
	t.view(l)
	t.checked = make([]atomic.Uint64, l.blocks/64+1)
	return t, nil
}

// readHeader reads the header that a tray of at least headerBytes begins with.
func readHeader(image []byte) (header, error) {
	var h header
	if _, err := binary.Decode(image[:headerBytes], binary.NativeEndian, &h); err != nil {
		return h, disk.ErrDamaged
	}
	if h.Magic != trayMagic || h.Format != trayFormat || h.Order != orderMark {
		return h, disk.ErrDamaged
	}
	return h, nil
}

// sum is a checksum that everything in the tray has a part in.
func (t *tray) sum() uint32 { return disk.Cast[uint32](t.image[headerBytes-4:], 1)[0] }

// check makes sure that bytes of the body are those that were written.
func (t *tray) check(from, n int) error {
	if t.checked == nil || n <= 0 {
		return nil
	}
	for b := from / blockBytes; b <= (from+n-1)/blockBytes; b++ {
		word, bit := &t.checked[b/64], uint64(1)<<(b%64)
		if word.Load()&bit != 0 {
			continue
		}
		if t.blockSum(b) != t.sums[b] {
			return disk.ErrDamaged
		}
		word.Or(bit)
	}
	return nil
}

func (t *tray) blockSum(b int) uint32 {
	return crc32.Checksum(t.body[b*blockBytes:min(len(t.body), (b+1)*blockBytes)], disk.Castagnoli)
}

// checkAll makes sure of everything, also of what was checked before.
func (t *tray) checkAll() error {
	for b, sum := range t.sums {
		if t.blockSum(b) != sum {
			return disk.ErrDamaged
		}
	}
	return nil
}

// value returns a row with its padding. It is the tray's own.
func (t *tray) value(row int) ([]byte, error) {
	step := padded(int(t.Width))
	if err := t.check(t.at.values+row*step, step); err != nil {
		return nil, err
	}
	return t.values[row*step:][:step], nil
}

// id returns the ID of a row.
func (t *tray) id(row int) (semblance.EntryID, error) {
	if err := t.check(t.at.ids+8*row, 8); err != nil {
		return 0, err
	}
	return semblance.EntryID(t.ids[row]), nil
}

// find returns the row of an ID, -1 when there is none.
func (t *tray) find(id semblance.EntryID) (int, error) {
	from, to := 0, int(t.Rows)
	for from < to {
		row := (from + to) / 2
		got, err := t.id(row)
		switch {
		case err != nil:
			return -1, err
		case got == id:
			return row, nil
		case got < id:
			from = row + 1
		default:
			to = row
		}
	}
	return -1, nil
}

// stamp writes checksums and header.
func (t *tray) stamp() {
	for i := range t.sums {
		t.sums[i] = t.blockSum(i)
	}
	t.Sums = crc32.Checksum(t.image[headerBytes:t.at.body], disk.Castagnoli)
	if _, err := binary.Encode(t.image[:headerBytes-4], binary.NativeEndian, &t.header); err != nil {
		panic(err) // the header has a fixed size
	}
	disk.Cast[uint32](t.image[headerBytes-4:], 1)[0] = crc32.Checksum(t.image[:headerBytes-4], disk.Castagnoli)
}

// maxTrayBytes bounds a file before anything is allocated for it.
const maxTrayBytes = headerBytes + trayRows*(hashing.MaxOwnBytes+64)

// readTray reads a tray that may be anything into memory.
func readTray(r io.Reader, a hashing.Algorithm) (*tray, error) {
	var b bytes.Buffer // grows with what there is
	if _, err := io.Copy(&b, io.LimitReader(r, maxTrayBytes+1)); err != nil {
		return nil, disk.ErrDamaged
	}
	image := disk.Aligned(b.Len())
	copy(image, b.Bytes())
	return openTray(image, a)
}

// A builder gathers the rows of a tray.
type builder struct {
	algorithm hashing.Algorithm
	width     int
	rows      map[semblance.EntryID]int
	ids       []semblance.EntryID
	values    []byte // padded
}

func newBuilder(a hashing.Algorithm) *builder {
	return &builder{algorithm: a, width: a.Bits() / 8, rows: map[semblance.EntryID]int{}}
}

func (b *builder) value(row int) []byte {
	step := padded(b.width)
	return b.values[row*step:][:step]
}

// put adds a row, or overwrites the one of the same ID.
func (b *builder) put(id semblance.EntryID, value []byte) {
	if row, ok := b.rows[id]; ok {
		copy(b.value(row), value)
		return
	}
	b.rows[id] = len(b.ids)
	b.ids = append(b.ids, id)
	b.values = append(b.values, value...)
	b.values = append(b.values, make([]byte, padded(b.width)-b.width)...)
}

// take removes the row of an ID, if there is one; the last row takes its place.
func (b *builder) take(id semblance.EntryID) {
	row, ok := b.rows[id]
	if !ok {
		return
	}
	last := len(b.ids) - 1
	copy(b.value(row), b.value(last))
	b.ids[row] = b.ids[last]
	b.rows[b.ids[row]] = row
	delete(b.rows, id)
	b.ids, b.values = b.ids[:last], b.values[:last*padded(b.width)]
}

// seal makes the tray.
func (b *builder) seal() *tray {
	t := &tray{algorithm: b.algorithm, header: header{Magic: trayMagic, Format: trayFormat, Order: orderMark, Rows: uint32(len(b.ids)), Width: uint32(b.width), Algorithm: nameSum(b.algorithm)}}
	order := make([]int, len(b.ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(b.ids[i], b.ids[j]) })
	l, _ := t.layout(sketched(b.algorithm)) // within bounds: rows and width are ours
	t.image = disk.Aligned(l.body + l.size)
	t.view(l)
	step := padded(b.width)
	for row, i := range order {
		t.ids[row] = int64(b.ids[i])
		copy(t.values[row*step:], b.value(i))
	}
	if sketched(b.algorithm) {
		t.Grouping = bestGrouping(b.width, len(b.ids), func(i int) []byte { return t.values[i*step:][:b.width] })
		s := newSketcher(t.Grouping, b.width)
		for row := range b.ids {
			sketch := s.sketch(t.values[row*step:][:b.width])
			for c := range chunks {
				copy(t.sketches[sketchAt(row, c):], sketch[c*chunkBytes:][:chunkBytes])
			}
		}
	}
	t.stamp()
	return t
}
