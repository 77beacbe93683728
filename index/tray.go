package index

import (
	"encoding/binary"

	"semblance"
	"semblance/index/disk"
)

// trayRows is the most rows of a tray: what a change has in memory at most, and
// what is written again when one of them is removed.
const trayRows = 1 << 16

// A tray holds rows in pages: see layout. Which of its rows are gone, the shelf knows.
type tray struct {
	header
	pages
	file string // in the shelf's folder; "" in memory

	// Views of the body.
	at                  layout
	center              []float32 // what the codes of rows are seen from
	codes               []uint8
	scales, bias, rests []float32
	days                []int32
	subjects            []uint32
	vectors             []float32
	ids, names          labels
}

// labels are texts one after the other, with a table that finds them.
type labels struct {
	ends  []uint32
	bytes []byte
	table []uint32 // number + 1 by hash, 0 empty; its length is a power of two
}

// trayFormat is raised when the layout changes; other ones are made again.
const trayFormat = 2

var trayMagic = [8]byte{'S', 'M', 'B', 'L', 'T', 'R', 'A', 'Y'}

const (
	cosineMetric = 0
	euclidMetric = 1
)

// A header begins a tray. All numbers of a tray are in the machine's own order of
// bytes, which Order tells.
type header struct {
	Magic     [8]byte
	Format    uint32
	Order     uint32
	Rows      uint32
	Dims      uint32
	Metric    uint32  // cosineMetric or euclidMetric
	Names     uint32  // subjects that appear in no earlier tray of the shelf
	FirstName uint32  // number of the first of them
	Sums      uint32  // checksum of the sums of blocks
	Longest   float64 // of the rows as seen from the center
	Worst     float32 // largest rest of a row in units of its scale
	_         uint32
	IDBytes   uint64
	NameBytes uint64
}

// A layout is where the parts of a tray are, from the body's start.
type layout struct {
	center, codes, scales, bias, rests, days, subjects, vectors                int
	idEnds, ids, idTable, idTableLen, nameEnds, names, nameTable, nameTableLen int
	size                                                                       int // of the body
}

// layout works out where things are. It returns false for a header that cannot be.
func (h *header) layout() (layout, bool) {
	var l layout
	if h.Rows > trayRows || h.Dims == 0 || h.Dims > 1<<16 || h.Names > 1<<24 || h.IDBytes > 1<<31 || h.NameBytes > 1<<31 || h.Metric > euclidMetric {
		return l, false
	}
	rows, padded := int(h.Rows), blocksOf(int(h.Rows))*blockRows
	place := func(bytes int) int {
		at := l.size
		l.size = (at + bytes + 63) / 64 * 64 // a register's width
		return at
	}
	l.center = place(4 * int(h.Dims))
	l.codes = place(padded * chunksOf(int(h.Dims)) * chunkDims)
	l.scales, l.bias = place(4*padded), place(4*padded)
	l.rests, l.days, l.subjects = place(4*rows), place(4*rows), place(4*rows)
	l.vectors = place(4 * rows * int(h.Dims))
	l.idTableLen, l.nameTableLen = tableLen(rows), tableLen(int(h.Names))
	l.idEnds, l.idTable, l.ids = place(4*rows), place(4*l.idTableLen), place(int(h.IDBytes))
	l.nameEnds, l.nameTable, l.names = place(4*int(h.Names)), place(4*l.nameTableLen), place(int(h.NameBytes))
	return l, true
}

// view sets the views of a tray's image, which is as long as its header says.
func (t *tray) view(l layout) {
	t.at = l
	t.lay(l.size)
	rows, padded := int(t.Rows), blocksOf(int(t.Rows))*blockRows
	t.center = disk.Cast[float32](t.body[l.center:], int(t.Dims))
	t.codes = t.body[l.codes:][:padded*chunksOf(int(t.Dims))*chunkDims]
	t.scales, t.bias = disk.Cast[float32](t.body[l.scales:], padded), disk.Cast[float32](t.body[l.bias:], padded)
	t.rests, t.days = disk.Cast[float32](t.body[l.rests:], rows), disk.Cast[int32](t.body[l.days:], rows)
	t.subjects = disk.Cast[uint32](t.body[l.subjects:], rows)
	t.vectors = disk.Cast[float32](t.body[l.vectors:], rows*int(t.Dims))
	t.ids = labels{disk.Cast[uint32](t.body[l.idEnds:], rows), t.body[l.ids:][:t.IDBytes], disk.Cast[uint32](t.body[l.idTable:], l.idTableLen)}
	t.names = labels{disk.Cast[uint32](t.body[l.nameEnds:], int(t.Names)), t.body[l.names:][:t.NameBytes], disk.Cast[uint32](t.body[l.nameTable:], l.nameTableLen)}
}

// openTray reads the header of an image that may be anything.
func openTray(image []byte) (*tray, error) {
	if len(image) < headerBytes {
		return nil, disk.ErrDamaged
	}
	h, err := readHeader(image)
	if err != nil {
		return nil, err
	}
	t := &tray{header: h, pages: pages{image: image}}
	l, ok := t.layout()
	if !ok {
		return nil, disk.ErrDamaged
	}
	if err := t.fits(l.size, t.Sums, blockUnit); err != nil {
		return nil, err
	}
	t.view(l)
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

// checkRows makes sure of all that a search reads of rows, which begin with a block, but
// their vectors and names.
func (t *tray) checkRows(from, to int) error {
	per := chunksOf(int(t.Dims)) * chunkDims
	padded := blocksOf(to) * blockRows
	for _, part := range [...][2]int{{t.at.center, 4 * int(t.Dims)}, {t.at.codes + from*per, (padded - from) * per}, {t.at.scales + 4*from, 4 * (padded - from)}, {t.at.bias + 4*from, 4 * (padded - from)},
		{t.at.rests + 4*from, 4 * (to - from)}, {t.at.days + 4*from, 4 * (to - from)}, {t.at.subjects + 4*from, 4 * (to - from)}} {
		if err := t.check(part[0], part[1]); err != nil {
			return err
		}
	}
	return nil
}

// vector returns a row as it was given. It is the tray's own.
func (t *tray) vector(row int) ([]float32, error) {
	dims := int(t.Dims)
	if err := t.check(t.at.vectors+4*row*dims, 4*dims); err != nil {
		return nil, err
	}
	return t.vectors[row*dims:][:dims], nil
}

// id returns the ID of a row.
func (t *tray) id(row int) (semblance.ReferenceID, error) {
	b, err := t.word(&t.ids, t.at.idEnds, t.at.ids, row)
	return semblance.ReferenceID(b), err
}

// name returns a subject that is first in this tray.
func (t *tray) name(i int) (string, error) {
	b, err := t.word(&t.names, t.at.nameEnds, t.at.names, i)
	return string(b), err
}

// word returns the i-th of labels, whose ends and bytes are at two places of the body.
func (t *tray) word(w *labels, ends, bytes, i int) ([]byte, error) {
	if i < 0 || i >= len(w.ends) {
		return nil, disk.ErrDamaged
	}
	first := max(0, i-1)
	if err := t.check(ends+4*first, 4*(i+1-first)); err != nil {
		return nil, err
	}
	from, to := uint32(0), w.ends[i]
	if i > 0 {
		from = w.ends[i-1]
	}
	if from > to || int(to) > len(w.bytes) {
		return nil, disk.ErrDamaged
	}
	return w.bytes[from:to], t.check(bytes+int(from), int(to-from))
}

// findID returns the row of an ID, -1 when there is none.
func (t *tray) findID(id semblance.ReferenceID) (int, error) {
	return t.find(&t.ids, t.at.idTable, t.at.idEnds, t.at.ids, string(id))
}

// findName returns which of the tray's own subjects has a name, -1 when none has.
func (t *tray) findName(name string) (int, error) {
	return t.find(&t.names, t.at.nameTable, t.at.nameEnds, t.at.names, name)
}

func (t *tray) find(w *labels, table, ends, bytes int, text string) (int, error) {
	mask := len(w.table) - 1
	for probe := range w.table {
		at := (int(hash(text)) + probe) & mask
		if err := t.check(table+4*at, 4); err != nil {
			return -1, err
		}
		if w.table[at] == 0 {
			return -1, nil
		}
		b, err := t.word(w, ends, bytes, int(w.table[at]-1))
		if err != nil {
			return -1, err
		}
		if string(b) == text {
			return int(w.table[at] - 1), nil
		}
	}
	return -1, nil
}

// tableLen returns the length of a table of n labels, at most half full.
func tableLen(n int) int {
	if n == 0 {
		return 0
	}
	len := 2
	for len < 2*n {
		len *= 2
	}
	return len
}

// hash is FNV-1a of 32 bits with its bits mixed once more.
func hash(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	h ^= h >> 15
	return h * 0x2c1b3c6d >> 1
}
