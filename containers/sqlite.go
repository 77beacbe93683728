package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"semblance"
)

// A SQLite database (https://www.sqlite.org/fileformat2.html) is read page by page, not by
// an SQL engine: what is looked for are values that are pictures, videos or containers,
// in whatever table, and values of rows that were deleted.

const (
	sqliteMagic     = "SQLite format 3\x00"
	maxPages        = 256     // pages that are kept
	maxTreeDepth    = 40      // a b-tree of 2^31 pages of 512 bytes is less deep
	maxSchemaSQL    = 1 << 20 // bytes of one CREATE TABLE
	maxTables       = 100_000
	maxLeaves       = 16 << 20  // looked through for deleted rows: 64 GiB of pages
	maxRecordHeader = 256 << 10 // 32,767 columns of up to 9 bytes, which is SQLite's own limit
)

func isSQLite(head []byte, _ Part) bool {
	return len(head) >= 100 && string(head[:16]) == sqliteMagic
}

// A database is an open SQLite file, with its write-ahead log where that lies beside.
type database struct {
	file     Part
	pageSize int64
	usable   int64 // of a page
	pages    uint32
	utf16    binary.ByteOrder // of text; nil: UTF-8
	wal      Part
	frames   map[uint32]int64 // where the log has the newest version of a page
	cache    map[uint32][]byte
	order    []uint32        // of the cache, oldest first
	seen     bitset          // pages of the b-trees that were gone through
	free     bitset          // pages that hold nothing any more, by the freelist
	freeList []uint32        // the same, in order, trunks included
	leaves   []uint32        // of the tables, as they were gone through
	tired    bool            // a value has too many beginnings of pictures
	damaged  map[uint32]bool // pages that could not be read or are none
	o        Options
}

// A bitset holds page numbers.
type bitset []uint64

func (b *bitset) add(n uint32) (fresh bool) {
	if int(n/64) >= len(*b) {
		*b = append(*b, make([]uint64, int(n/64)+1-len(*b))...)
	}
	fresh = !b.has(n)
	(*b)[n/64] |= 1 << (n % 64)
	return fresh
}

func (b bitset) has(n uint32) bool { return int(n/64) < len(b) && b[n/64]>>(n%64)&1 == 1 }

func openSQLite(parts []Part, o Options) (Reader, error) {
	db := &database{file: parts[0], cache: map[uint32][]byte{}, damaged: map[uint32]bool{}, o: o}
	head := make([]byte, 100)
	if _, err := db.file.R.ReadAt(head, 0); err != nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the database is shorter than its header").WithCause(err)
	}
	facts := &semblance.ContainerFacts{Format: "sqlite"}
	if err := db.header(head); err != nil {
		return nil, err
	}
	for _, p := range parts[1:] {
		if strings.HasSuffix(p.Name, "-wal") {
			db.wal = p
			facts.Notes = append(facts.Notes, db.readLog())
		}
	}
	return walked(facts, func(emit func(item) error) error {
		err := db.walk(emit)
		facts.Notes = append(facts.Notes, db.notes()...)
		return err
	}), nil
}

// header reads the first 100 bytes.
func (db *database) header(head []byte) error {
	db.pageSize = int64(binary.BigEndian.Uint16(head[16:]))
	if db.pageSize == 1 {
		db.pageSize = 65536
	}
	db.usable = db.pageSize - int64(head[20])
	if db.pageSize < 512 || db.pageSize&(db.pageSize-1) != 0 || db.usable < 480 {
		return semblance.Errorf(semblance.MediaDamaged, "the database's header is damaged: no page size")
	}
	db.pages = uint32(min((db.file.Size+db.pageSize-1)/db.pageSize, 1<<32-2))
	switch binary.BigEndian.Uint32(head[56:]) {
	case 2:
		db.utf16 = binary.LittleEndian
	case 3:
		db.utf16 = binary.BigEndian
	}
	return nil
}

// readLog finds the newest committed version of each page in the write-ahead log, as
// SQLite does when it opens a database: frames count while their salts and checksums
// agree, up to the last that commits.
func (db *database) readLog() (note string) {
	head := make([]byte, 32)
	if _, err := db.wal.R.ReadAt(head, 0); err != nil {
		return "the write-ahead log is empty"
	}
	magic := binary.BigEndian.Uint32(head)
	if magic&^1 != 0x377f0682 || int64(binary.BigEndian.Uint32(head[8:])) != db.pageSize {
		return "the write-ahead log is damaged or of another database and was not read"
	}
	sum := walSum{order: binary.ByteOrder(binary.LittleEndian)}
	if magic&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	onDisk := db.pages
	committed, pending, count := map[uint32]int64{}, map[uint32]int64{}, 0
	frame := make([]byte, 24+db.pageSize)
	for at := int64(32); at+int64(len(frame)) <= db.wal.Size; at += int64(len(frame)) {
		if _, err := db.wal.R.ReadAt(frame, at); err != nil || !bytes.Equal(frame[8:16], head[16:24]) {
			break
		}
		sum.add(frame[:8])
		sum.add(frame[24:])
		if binary.BigEndian.Uint32(frame[16:]) != sum.a || binary.BigEndian.Uint32(frame[20:]) != sum.b {
			break
		}
		pending[binary.BigEndian.Uint32(frame)] = at + 24
		if size := binary.BigEndian.Uint32(frame[4:]); size > 0 {
			for n, at := range pending {
				committed[n] = at
			}
			clear(pending)
			db.pages = min(size, onDisk+uint32(len(committed)))
		}
		if count++; count%4096 == 0 {
			db.o.progress(at, db.wal.Size)
		}
	}
	db.frames = committed
	return fmt.Sprintf("the write-ahead log was read: %d pages are newer than in the database", len(committed))
}

// A walSum is the checksum of a write-ahead log.
type walSum struct {
	order binary.ByteOrder
	a, b  uint32
}

func (s *walSum) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		s.a += s.order.Uint32(p) + s.b
		s.b += s.order.Uint32(p[4:]) + s.a
	}
}

// page reads a page; it is not to be written to. nil for what is no page of the database.
func (db *database) page(n uint32) []byte {
	if p, ok := db.cache[n]; ok {
		return p
	}
	if n == 0 || n > db.pages {
		db.damage(n)
		return nil
	}
	p := make([]byte, db.pageSize)
	r, at := db.place(n)
	if got, _ := r.ReadAt(p, at); int64(got) < db.pageSize {
		db.damage(n)
		return nil
	}
	if len(db.order) >= maxPages {
		delete(db.cache, db.order[0])
		db.order = db.order[1:]
	}
	db.cache[n], db.order = p, append(db.order, n)
	return p
}

// place is where the bytes of a page are.
func (db *database) place(n uint32) (io.ReaderAt, int64) {
	if at, ok := db.frames[n]; ok {
		return db.wal.R, at
	}
	return db.file.R, int64(n-1) * db.pageSize
}

func (db *database) damage(n uint32) {
	if len(db.damaged) < 1<<16 {
		db.damaged[n] = true
	}
}

func (db *database) notes() (all []string) {
	if n := len(db.damaged); n > 0 {
		all = append(all, fmt.Sprintf("%d pages are missing or damaged; values that lie in them are lost or cut short", n))
	}
	if db.tired {
		all = append(all, tiredNote)
	}
	if len(db.freeList) == 0 {
		return all
	}
	return append(all, fmt.Sprintf("%d free pages were looked through for deleted values", len(db.freeList)))
}

// A cell is an entry of a leaf of a b-tree.
type cell struct {
	rowid   int64 // of a table with rowids
	payload payload
}

// A payload is the content of a cell: what of it lies in the page, and a chain of
// overflow pages for the rest. It can be read anywhere; it is used by one goroutine.
type payload struct {
	db    *database
	size  int64
	local []byte
	at    int64    // where local lies in the file; -1: in the log
	chain []uint32 // the overflow pages that are known
	next  uint32   // and the one behind them
	freed bool     // the chain has to lie in free pages
}

func (p *payload) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		if off >= p.size || off < 0 {
			return n, io.EOF
		}
		piece := p.piece(off)
		if len(piece) == 0 {
			return n, io.ErrUnexpectedEOF
		}
		c := copy(b[n:], piece)
		n, off = n+c, off+int64(c)
	}
	return n, nil
}

// piece is what lies in one place from off on; nothing where the chain is broken.
func (p *payload) piece(off int64) []byte {
	if off < int64(len(p.local)) {
		return p.local[off:]
	}
	each := p.db.usable - 4
	index, within := (off-int64(len(p.local)))/each, (off-int64(len(p.local)))%each
	for int64(len(p.chain)) <= index {
		if p.next == 0 || p.freed && !p.db.free.has(p.next) {
			return nil
		}
		page := p.db.page(p.next)
		if page == nil {
			return nil
		}
		p.chain, p.next = append(p.chain, p.next), binary.BigEndian.Uint32(page)
	}
	page := p.db.page(p.chain[index])
	if page == nil {
		return nil
	}
	return page[4+within : 4+min(each, within+p.size-off)]
}

// varint reads one of SQLite's integers; n is its length, 0 when b is too short.
func varint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | uint64(b[8]), 9
	}
	return 0, 0
}

// The kinds of b-tree pages.
const (
	indexInterior = 2
	tableInterior = 5
	indexLeaf     = 10
	tableLeaf     = 13
)

// pageHeader is where the header of a b-tree page lies.
func pageHeader(n uint32) int {
	if n == 1 {
		return 100
	}
	return 0
}

// tree goes through a b-tree in its order. index says that it is one of an index, whose
// interior pages hold cells too.
func (db *database) tree(root uint32, index bool, depth int, each func(c cell) error) error {
	page := db.page(root)
	if page == nil {
		return nil
	}
	if depth > maxTreeDepth || !db.seen.add(root) {
		db.damage(root) // a page has one place; a second one is a cycle
		return nil
	}
	h := page[pageHeader(root):]
	leaf, interior := byte(tableLeaf), byte(tableInterior)
	if index {
		leaf, interior = indexLeaf, indexInterior
	}
	if h[0] != leaf && h[0] != interior {
		db.damage(root)
		return nil
	}
	pointers := h[8:]
	if h[0] == interior {
		pointers = h[12:]
	}
	count := min(int(binary.BigEndian.Uint16(h[3:])), len(pointers)/2)
	if h[0] == leaf && len(db.leaves) < maxLeaves {
		db.leaves = append(db.leaves, root)
	}
	for i := range count {
		at := int64(binary.BigEndian.Uint16(pointers[2*i:]))
		if at+4 > db.usable {
			db.damage(root)
			continue
		}
		if h[0] == interior {
			if err := db.tree(binary.BigEndian.Uint32(page[at:]), index, depth+1, each); err != nil {
				return err
			}
			if at += 4; !index {
				continue
			}
		}
		c, n := db.cell(root, page, at, index)
		if n == 0 {
			db.damage(root)
			continue
		}
		if err := each(c); err != nil {
			return err
		}
	}
	if h[0] == interior {
		return db.tree(binary.BigEndian.Uint32(h[8:]), index, depth+1, each)
	}
	return nil
}

// cell reads the cell of a leaf, or of an interior page of an index behind its pointer.
// n is how many bytes of the page it takes; 0: it is none.
func (db *database) cell(number uint32, page []byte, at int64, index bool) (c cell, n int64) {
	b := page[at:db.usable]
	size, sn := varint(b)
	if sn == 0 || size > 1<<31 {
		return c, 0
	}
	head := int64(sn)
	if !index {
		rowid, rn := varint(b[sn:])
		if rn == 0 {
			return c, 0
		}
		c.rowid, head = int64(rowid), head+int64(rn)
	}
	local, overflow := db.localSize(int64(size), index)
	if n = head + local; overflow {
		n += 4
	}
	if n > int64(len(b)) {
		return c, 0
	}
	c.payload = payload{db: db, size: int64(size), local: b[head : head+local], at: -1}
	if r, pageAt := db.place(number); r == db.file.R {
		c.payload.at = pageAt + at + head
	}
	if overflow {
		c.payload.next = binary.BigEndian.Uint32(b[head+local:])
	}
	return c, n
}

// localSize is how much of a payload lies in the page (file format, 1.6).
func (db *database) localSize(size int64, index bool) (local int64, overflow bool) {
	most, least := db.usable-35, (db.usable-12)*32/255-23
	if index {
		most = (db.usable-12)*64/255 - 23
	}
	if size <= most {
		return size, false
	}
	local = least + (size-least)%(db.usable-4)
	if local > most {
		local = least
	}
	return local, true
}

// A value is one column of a record.
type value struct {
	column int
	kind   uint64 // serial type
	off, n int64  // in the payload
}

func (v value) isText() bool { return v.kind >= 13 && v.kind&1 == 1 }
func (v value) isBlob() bool { return v.kind >= 12 && v.kind&1 == 0 }

// record reads the head of a record: where its values lie. ok is false when it is none.
func record(p *payload) (values []value, ok bool) {
	var b [9]byte
	got, _ := p.ReadAt(b[:], 0)
	size, n := varint(b[:got])
	if n == 0 || int64(size) > p.size || size < uint64(n) || size > maxRecordHeader {
		return nil, false
	}
	head := make([]byte, size)
	if got, _ := p.ReadAt(head, 0); got < len(head) {
		return nil, false
	}
	off := int64(size)
	for head = head[n:]; len(head) > 0; {
		kind, n := varint(head)
		if n == 0 {
			return values, false
		}
		v := value{len(values), kind, off, serialSize(kind)}
		if off += v.n; v.n < 0 || off > p.size {
			return values, false
		}
		values, head = append(values, v), head[n:]
	}
	return values, true
}

func serialSize(kind uint64) int64 {
	switch {
	case kind >= 12:
		return int64(min((kind-12)/2, 1<<40))
	case kind >= 10:
		return -1 // never in a file
	}
	return []int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[kind]
}

// text reads a value as text.
func (db *database) text(p *payload, v value) string {
	if !v.isText() || v.n > maxSchemaSQL {
		return ""
	}
	b := make([]byte, v.n)
	n, _ := p.ReadAt(b, v.off)
	if b = b[:n]; db.utf16 != nil {
		return fromUTF16(b, db.utf16)
	}
	return string(b)
}

func (db *database) integer(p *payload, v value) int64 {
	if v.kind == 9 {
		return 1
	}
	var b [8]byte
	if v.kind == 0 || v.kind > 6 {
		return 0
	}
	if n, _ := p.ReadAt(b[:v.n], v.off); int64(n) < v.n {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b[:]) >> (64 - 8*v.n))
}

// readFreeList goes along the trunks of the free pages (file format, 1.5).
func (db *database) readFreeList() {
	first := db.page(1)
	if first == nil {
		return
	}
	for trunk := binary.BigEndian.Uint32(first[32:]); trunk != 0 && trunk <= db.pages && db.free.add(trunk); {
		db.freeList = append(db.freeList, trunk)
		page := db.page(trunk)
		if page == nil {
			return
		}
		count := min(int64(binary.BigEndian.Uint32(page[4:])), db.usable/4-2)
		for i := range count {
			if leaf := binary.BigEndian.Uint32(page[8+4*i:]); leaf > 1 && leaf <= db.pages && db.free.add(leaf) {
				db.freeList = append(db.freeList, leaf)
			}
		}
		trunk = binary.BigEndian.Uint32(page)
	}
}
