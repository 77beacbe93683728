package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"

	"semblance"
)

const (
	leastPicture = 32        // bytes of a value that can be a picture
	maxNameBytes = 32 << 20  // bytes of all names of tables and columns
	recordSearch = 512       // bytes before a deleted value in which the head of its record is looked for
	mostCarved   = 256 << 20 // bytes of a carved picture whose end is not found
)

// A table is one that has a b-tree.
type table struct {
	name    string
	root    uint32
	index   bool // WITHOUT ROWID: its rows are in the b-tree of an index
	columns []string
}

func (t *table) column(i int) string {
	if i < len(t.columns) {
		return t.columns[i]
	}
	return "column " + strconv.Itoa(i+1)
}

// walk gives the values of all tables, in the order of the schema and of the rows, and
// then what is left of deleted ones.
func (db *database) walk(emit func(item) error) error {
	db.readFreeList()
	tables, err := db.schema()
	if err != nil {
		return err
	}
	for _, t := range tables {
		row := int64(0)
		err := db.tree(t.root, t.index, 0, func(c cell) error {
			if row++; t.index {
				c.rowid = row
			}
			return db.row(t, &c, emit)
		})
		if err != nil {
			return err
		}
	}
	return db.deleted(emit)
}

// schema reads the tables that have a b-tree from the first page.
func (db *database) schema() (all []*table, err error) {
	names := 0
	err = db.tree(1, false, 0, func(c cell) error {
		values, _ := record(&c.payload)
		if len(values) < 5 || db.text(&c.payload, values[0]) != "table" || len(all) >= maxTables || names > maxNameBytes {
			return nil
		}
		t := &table{name: db.text(&c.payload, values[1]), root: uint32(db.integer(&c.payload, values[3]))}
		if t.root == 0 {
			return nil // a virtual table
		}
		t.columns, t.index = columnsOf(db.text(&c.payload, values[4]))
		for _, c := range t.columns {
			names += len(c)
		}
		names += len(t.name)
		all = append(all, t)
		return nil
	})
	if len(all) == 0 && err == nil && len(db.damaged) > 0 {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the database's list of tables is damaged")
	}
	return all, err
}

// row gives the values of a row that are pictures, videos or containers, and pictures
// inside other values.
func (db *database) row(t *table, c *cell, emit func(item) error) error {
	values, _ := record(&c.payload)
	for _, v := range values {
		name := fmt.Sprintf("%s/%s/%d", element(t.name), element(t.column(v.column)), c.rowid)
		if err := db.give(&c.payload, v, name, false, emit); err != nil {
			return err
		}
	}
	return nil
}

// give gives a value if it is worth it.
func (db *database) give(p *payload, v value, name string, deleted bool, emit func(item) error) error {
	if v.n < leastPicture || !v.isBlob() && !v.isText() {
		return nil
	}
	head := make([]byte, min(signatureLen, v.n))
	n, _ := p.ReadAt(head, v.off)
	head = head[:n]
	e := semblance.Entry{Kind: semblance.EntryFile, Size: v.n, Offset: p.place(v.off), Deleted: deleted}
	if ext := signature(head); ext != "" && ext != "plist" {
		e.Name = []byte(name + "." + ext)
		return emit(item{e, section(p, v.off, v.n)})
	}
	if ext, skip := base64Picture(head); v.isText() && ext != "" {
		e.Name, e.Size = []byte(name+"."+ext), -1
		return emit(item{e, func() (io.Reader, error) {
			return newBase64(io.NewSectionReader(p, v.off+int64(skip), v.n-int64(skip))), nil
		}})
	}
	if v.isText() {
		return nil
	}
	err := embedded(io.NewSectionReader(p, v.off, v.n), v.n, func(f found) error {
		e := e
		e.Name, e.Size, e.Offset, e.Carved = fmt.Appendf(nil, "%s+%d.%s", name, f.off, f.ext), f.size, p.place(v.off+f.off), true
		return emit(item{e, section(p, v.off+f.off, f.size)})
	})
	if err == errExhausted {
		db.tired, err = true, nil
	}
	return err
}

// place is where in the file a byte of the payload lies; -1: in the log, or not known.
func (p *payload) place(off int64) int64 {
	if off < int64(len(p.local)) {
		if p.at < 0 {
			return -1
		}
		return p.at + off
	}
	if len(p.piece(off)) == 0 {
		return -1
	}
	off -= int64(len(p.local))
	each := p.db.usable - 4
	r, at := p.db.place(p.chain[off/each])
	if r != p.db.file.R {
		return -1
	}
	return at + 4 + off%each
}

// base64Picture tells text that is a picture in base64, bare or as a data: address; skip
// is how many bytes stand before it.
func base64Picture(head []byte) (ext string, skip int) {
	text := bytes.ReplaceAll(head, []byte{0}, nil) // UTF-16 of ASCII
	wide := 1
	if len(text) < len(head) {
		wide = 2
	}
	body := text
	if bytes.HasPrefix(text, []byte("data:image/")) {
		_, after, ok := bytes.Cut(text, []byte(";base64,"))
		if !ok {
			return "", 0
		}
		body = after
	}
	ext = base64Signature(body)
	return ext, wide * (len(text) - len(body))
}

func base64Signature(body []byte) string {
	for _, s := range []struct{ ext, text string }{{"jpg", "/9j/"}, {"png", "iVBORw0KGgo"}, {"gif", "R0lGODlh"}, {"gif", "R0lGODdh"}, {"webp", "UklGR"}} {
		if bytes.HasPrefix(body, []byte(s.text)) && len(body) > len(s.text)+8 && !bytes.ContainsAny(body[:min(len(body), 24)], " .:;?&") {
			return s.ext
		}
	}
	return ""
}

// element makes a name one component of a path.
func element(name string) string {
	if name == "" {
		return "_"
	}
	return strings.ReplaceAll(name, "/", "_")
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// deleted looks for pictures in what SQLite left behind: free pages, and in the pages of
// tables the places of deleted rows.
func (db *database) deleted(emit func(item) error) error {
	for _, n := range db.leaves {
		if err := db.salvageLeaf(n, emit); err != nil {
			return err
		}
	}
	for i, n := range db.freeList {
		if i%4096 == 0 {
			db.o.progress(int64(i)*db.pageSize, int64(len(db.freeList))*db.pageSize)
		}
		if db.seen.has(n) {
			continue // already the content of a deleted value
		}
		if err := db.salvage(n, 4, int(db.usable), false, emit); err != nil {
			return err
		}
	}
	return nil
}

// salvageLeaf looks into the gap and the free blocks of a leaf (file format, 1.6).
func (db *database) salvageLeaf(n uint32, emit func(item) error) error {
	page := db.page(n)
	if page == nil {
		return nil
	}
	h := pageHeader(n)
	start := h + 8 + 2*int(binary.BigEndian.Uint16(page[h+3:]))
	content := int(binary.BigEndian.Uint16(page[h+5:]))
	if content == 0 {
		content = 65536
	}
	if err := db.salvage(n, start, min(content, int(db.usable)), false, emit); err != nil {
		return err
	}
	free := int(binary.BigEndian.Uint16(page[h+1:]))
	for last := 0; free > last && free+4 <= int(db.usable); {
		size := int(binary.BigEndian.Uint16(page[free+2:]))
		if size < 4 || free+size > int(db.usable) {
			break
		}
		if err := db.salvage(n, free+4, free+size, true, emit); err != nil {
			return err
		}
		last, free = free, int(binary.BigEndian.Uint16(page[free:]))
	}
	return nil
}

// salvage gives the pictures that begin between two places of a page. Where the head of
// the record before one is still there, the picture's size and the way it goes on are
// known; elsewhere it goes to the end of the place, and on from there when block says
// that the place was a cell and a free page is named at its end.
func (db *database) salvage(n uint32, from, to int, block bool, emit func(item) error) error {
	page := db.page(n)
	if page == nil {
		return nil
	}
	for at := from; at+leastPicture <= to; at++ {
		if at = nextSignature(page[:to], at); at < 0 || at+leastPicture > to {
			return nil
		}
		ext := signature(page[at:to])
		if ext == "" {
			continue
		}
		e := semblance.Entry{Name: fmt.Appendf(nil, "deleted/page %d+%d.%s", n, at, ext), Kind: semblance.EntryFile, Offset: -1, Deleted: true, Carved: true}
		if r, pageAt := db.place(n); r == db.file.R {
			e.Offset = pageAt + int64(at)
		}
		p, off, size := db.lost(page, from, to, at)
		if p == nil {
			p, off, size = db.loose(page, at, to, block)
		}
		if e.Size = size; size >= leastPicture {
			if err := emit(item{e, section(p, off, size)}); err != nil {
				return err
			}
			at += int(min(size, int64(len(p.local))-off)) - 1
		}
	}
	return nil
}

// lost finds the record whose value begins at a place.
func (db *database) lost(page []byte, from, to, at int) (p *payload, off, size int64) {
	for start := at - 2; start >= max(from, at-recordSearch); start-- {
		if size, n := varint(page[start:at]); n == 0 || size < 2 || size > uint64(at-start) {
			continue // no head that ends before the value
		}
		head := &payload{db: db, size: int64(to - start), local: page[start:to], at: -1}
		values, off := recordHead(head)
		for _, v := range values {
			if v.off != int64(at-start) || !v.isBlob() && !v.isText() || v.n < leastPicture {
				continue
			}
			local, more := db.localSize(off, false)
			p := &payload{db: db, size: off, at: -1, freed: true}
			if int64(start)+local > int64(to) {
				local = int64(to - start)
				more = false
			}
			p.local = bytes.Clone(page[start : int64(start)+local])
			if next := int64(start) + local; more && next+4 <= int64(len(page)) {
				p.next = binary.BigEndian.Uint32(page[next:])
			}
			return p, v.off, v.n
		}
	}
	return nil, 0, 0
}

// recordHead reads the head of a record whose size is not known: its values and the size
// they add up to; none when it is no head.
func recordHead(p *payload) (values []value, size int64) {
	limit := p.size
	p.size = 1 << 40
	values, ok := record(p)
	p.size = limit
	if !ok || len(values) == 0 {
		return nil, 0
	}
	last := values[len(values)-1]
	if size = last.off + last.n; size > 1<<31 {
		return nil, 0
	}
	return values, size
}

// loose is a picture without its record: as long as its own structure says.
func (db *database) loose(page []byte, at, to int, block bool) (p *payload, off, size int64) {
	p = &payload{db: db, size: int64(to - at), local: bytes.Clone(page[at:to]), at: -1, freed: true}
	next := uint32(0)
	if block {
		next = binary.BigEndian.Uint32(page[to-4:])
	}
	if next > 1 && db.free.has(next) {
		p.local, p.next, p.size = p.local[:len(p.local)-4], next, mostCarved
	}
	size = pictureSize(p, 0, p.size)
	if size == 0 {
		size = p.readable()
	}
	return p, 0, size
}

// readable is how much of a payload can be read.
func (p *payload) readable() (n int64) {
	for n < p.size {
		piece := p.piece(n)
		if len(piece) == 0 {
			return n
		}
		n += int64(len(piece))
	}
	return n
}

// columnsOf reads the names of a table's stored columns from its CREATE TABLE, in the
// order of its records, and whether it is WITHOUT ROWID.
func columnsOf(sql string) (names []string, without bool) {
	body, tail := sqlBody(sql)
	tail = strings.ToUpper(strings.Join(strings.Fields(tail), " "))
	without = strings.Contains(tail, "WITHOUT ROWID")
	var key []string
	for _, def := range sqlSplit(body) {
		name, quoted, rest := sqlName(def)
		upper := strings.ToUpper(strings.Join(strings.Fields(rest), " "))
		switch word := strings.ToUpper(name); {
		case !quoted && word == "CONSTRAINT":
			if _, list, ok := strings.Cut(rest, "("); ok && strings.Contains(upper, "PRIMARY KEY") {
				key = sqlNames(list)
			}
			continue
		case !quoted && word == "PRIMARY" && strings.HasPrefix(upper, "KEY"):
			_, list, _ := strings.Cut(rest, "(")
			key = sqlNames(list)
			continue
		case !quoted && (word == "UNIQUE" || word == "CHECK" || word == "FOREIGN"):
			continue
		}
		if generated := strings.Contains(" "+upper, " AS (") || strings.Contains(" "+upper, " AS("); name == "" || generated && !strings.Contains(upper, "STORED") {
			continue // computed when it is asked for, and in no record
		}
		if strings.Contains(upper, "PRIMARY KEY") && key == nil {
			key = []string{name}
		}
		names = append(names, name)
	}
	if !without || len(key) == 0 {
		return names, without
	}
	ordered := key[:len(key):len(key)]
	for _, n := range names {
		if !containsFold(key, n) {
			ordered = append(ordered, n)
		}
	}
	return ordered, without
}

func containsFold(all []string, s string) bool {
	for _, a := range all {
		if strings.EqualFold(a, s) {
			return true
		}
	}
	return false
}

// sqlBody is what stands in the outermost parentheses, without comments, and what behind.
func sqlBody(sql string) (body, tail string) {
	var b strings.Builder
	for i := 0; i < len(sql); {
		switch end := sqlToken(sql, i); {
		case strings.HasPrefix(sql[i:], "--"), strings.HasPrefix(sql[i:], "/*"):
			b.WriteByte(' ')
			i = end
		default:
			b.WriteString(sql[i:end])
			i = end
		}
	}
	clean := b.String()
	for i := 0; i < len(clean); i = sqlToken(clean, i) {
		if clean[i] == '(' {
			depth := 0
			for j := i; j < len(clean); j = sqlToken(clean, j) {
				switch clean[j] {
				case '(':
					depth++
				case ')':
					if depth--; depth == 0 {
						return clean[i+1 : j], clean[j+1:]
					}
				}
			}
			return clean[i+1:], ""
		}
	}
	return "", clean
}

// sqlToken is where what begins at i ends: a comment, a quoted name or text, or one byte.
func sqlToken(sql string, i int) int {
	until := func(end string, from int) int {
		if j := strings.Index(sql[min(from, len(sql)):], end); j >= 0 {
			return from + j + len(end)
		}
		return len(sql)
	}
	switch {
	case strings.HasPrefix(sql[i:], "--"):
		return until("\n", i)
	case strings.HasPrefix(sql[i:], "/*"):
		return until("*/", i+2)
	case sql[i] == '[':
		return until("]", i+1)
	case sql[i] == '"' || sql[i] == '\'' || sql[i] == '`':
		return until(sql[i:i+1], i+1) // a doubled quote is two names beside each other, which ends at the same place
	}
	return i + 1
}

// sqlSplit splits at the commas outside parentheses and quotes.
func sqlSplit(body string) (all []string) {
	depth, start := 0, 0
	for i := 0; i < len(body) && len(all) < 40_000; i = sqlToken(body, i) {
		switch body[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				all, start = append(all, body[start:i]), i+1
			}
		}
	}
	return append(all, body[start:])
}

// sqlName takes the name off the front of a column's definition.
func sqlName(def string) (name string, quoted bool, rest string) {
	def = strings.TrimSpace(def)
	if def == "" {
		return "", false, ""
	}
	if strings.IndexByte("\"'`[", def[0]) >= 0 {
		end := sqlToken(def, 0)
		for def[0] != '[' && end < len(def) && def[end] == def[0] { // a doubled quote
			end = sqlToken(def, end)
		}
		q := def[:1]
		return strings.ReplaceAll(def[1:max(1, end-1)], q+q, q), true, def[end:]
	}
	if i := strings.IndexAny(def, " \t\r\n("); i >= 0 {
		return def[:i], false, def[i:]
	}
	return def, false, ""
}

// sqlNames are the names in a list up to its closing parenthesis.
func sqlNames(list string) (all []string) {
	for _, part := range sqlSplit(list) {
		name, quoted, _ := sqlName(part)
		if !quoted {
			name, _, _ = strings.Cut(name, ")")
		}
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}
