package media

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"semblance"
	"semblance/selector"
)

// A database is an SQLite database or write-ahead log whose texts are read page by page,
// free pages included, as https://sqlite.org/fileformat2.html has them. Nothing is looked
// up in it and its tables play no part: what is damaged costs its page and no more.
type database struct {
	*textFile
	finder   *selector.Finder
	pageSize int
	usable   int // of a page
	encoding selector.Encoding
	frames   map[uint32]int64 // of a log: where the last version of a page is; nil: a database
	pages    int64
	bytes    int64 // of text that were looked at
	cut      int   // texts that were longer than is read of one
	ended    bool  // a limit was met
}

// What is read of one record, and how many pages of a log are remembered.
const (
	mostRecord = 4 << 20
	mostFrames = 1 << 20
)

// readDatabase looks for selectors in the text columns.
func (t *textFile) readDatabase(ctx context.Context, head []byte) (partial string, err error) {
	d := &database{textFile: t, finder: selector.NewFinder(selector.Options{Country: t.set.Country, Documents: t.set.Documents}), encoding: selector.UTF8}
	log := t.mime == typeWAL
	if !d.readHead(head, log) {
		return "", semblance.Errorf(semblance.MediaDamaged, "the header of the database is damaged")
	}
	if log {
		d.frames = map[uint32]int64{}
		err = d.eachPage(ctx, 32, 24, func(header []byte, _ []byte, at int64) {
			if n := binary.BigEndian.Uint32(header); len(d.frames) < mostFrames {
				d.frames[n] = at
			}
		})
	}
	if err == nil {
		lead := int64(0)
		between := 0
		if log {
			lead, between = 32, 24
		}
		d.pages = 0
		err = d.eachPage(ctx, lead, between, func(header, page []byte, _ int64) {
			n, skip := d.pages, 0
			if log {
				n = int64(binary.BigEndian.Uint32(header))
			}
			if n == 1 {
				skip = 100
			}
			d.page(page, skip, n)
		})
	}
	if err != nil {
		return "", err
	}
	t.set.Encoding, t.set.Read = string(d.encoding), d.bytes
	switch {
	case d.ended:
		partial = fmt.Sprintf("read for selectors up to page %d of %d", d.pages, t.size/int64(d.pageSize))
	case d.cut > 0:
		partial = fmt.Sprintf("of %d long texts in it only the first %d bytes were read for selectors", d.cut, mostRecord)
	}
	return partial, nil
}

func (d *database) readHead(head []byte, log bool) bool {
	if len(head) < 100 && !log || len(head) < 32 {
		return false
	}
	if log {
		d.pageSize = int(binary.BigEndian.Uint32(head[8:]))
		d.usable = d.pageSize
	} else {
		if d.pageSize = int(binary.BigEndian.Uint16(head[16:])); d.pageSize == 1 {
			d.pageSize = 1 << 16
		}
		d.usable = d.pageSize - int(head[20])
		switch binary.BigEndian.Uint32(head[56:]) {
		case 2:
			d.encoding = selector.UTF16LE
		case 3:
			d.encoding = selector.UTF16BE
		}
	}
	return d.pageSize >= 512 && d.pageSize <= 1<<16 && d.pageSize&(d.pageSize-1) == 0 && d.usable >= 480
}

// eachPage reads the pages one after the other, each behind a header. The last may be cut.
func (d *database) eachPage(ctx context.Context, lead int64, header int, f func(header, page []byte, at int64)) error {
	step := int64(header + d.pageSize)
	buffer := make([]byte, max(1<<20, step)/step*step)
	for at := lead; at < d.size && !d.ended; at += int64(len(buffer)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := d.r.ReadAt(buffer[:min(int64(len(buffer)), d.size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return semblance.Errorf(semblance.Internal, "the file cannot be read from its medium").WithCause(err)
		}
		for i := int64(0); i+step <= int64(n) && !d.ended; i += step {
			d.pages++
			f(buffer[i:i+int64(header)], buffer[i+int64(header):i+step], at+i+int64(header))
		}
	}
	return nil
}

// page reads the cells of a leaf, and of an inner page of an index, which has rows too.
func (d *database) page(p []byte, skip int, number int64) {
	p = p[:d.usable]
	cells, child := skip+8, 0
	switch p[skip] {
	case 0x0d, 0x0a:
	case 0x02:
		cells, child = skip+12, 4
	default:
		return
	}
	count := int(binary.BigEndian.Uint16(p[skip+3:]))
	for i := range count {
		at := cells + 2*i
		if at+2 > len(p) || d.ended {
			return
		}
		cell := int(binary.BigEndian.Uint16(p[at:])) + child
		if cell < cells || cell >= len(p) {
			continue
		}
		d.cell(p, cell, p[skip] == 0x0d, number)
	}
}

// cell reads one record, with the pages it overflows to.
func (d *database) cell(p []byte, at int, table bool, number int64) {
	size, n := varint(p[at:])
	at += n
	if table {
		_, n = varint(p[at:]) // row id
		at += n
	}
	if n == 0 || size == 0 || at >= len(p) {
		return
	}
	local := d.local(size, table)
	if at+local > len(p) {
		return
	}
	payload := p[at : at+local]
	if uint64(local) < size && at+local+4 <= len(p) {
		payload = d.overflow(payload, binary.BigEndian.Uint32(p[at+local:]), min(size, mostRecord))
		if size > mostRecord {
			d.cut++
		}
	}
	d.record(payload, number)
}

// local is how much of a record lies in its page (file format, 1.6).
func (d *database) local(size uint64, table bool) int {
	u := uint64(d.usable)
	most := (u-12)*64/255 - 23
	if table {
		most = u - 35
	}
	if size <= most {
		return int(size)
	}
	least := (u-12)*32/255 - 23
	if k := least + (size-least)%(u-4); k <= most {
		return int(k)
	}
	return int(least)
}

// overflow follows a record's chain of pages. A circle ends with the record's size.
func (d *database) overflow(payload []byte, next uint32, size uint64) []byte {
	out := append(make([]byte, 0, size), payload...)
	page := make([]byte, d.usable)
	for next != 0 && uint64(len(out)) < size {
		at := int64(next-1) * int64(d.pageSize)
		if d.frames != nil {
			var ok bool
			if at, ok = d.frames[next]; !ok {
				break // it is in the database, and there it was read with its own record
			}
		}
		if n, err := d.r.ReadAt(page, at); n < len(page) || err != nil && !errors.Is(err, io.EOF) {
			break
		}
		d.bytes += int64(len(page)) // what makes many records of one chain costly
		next = binary.BigEndian.Uint32(page)
		out = append(out, page[4:4+min(uint64(len(page)-4), size-uint64(len(out)))]...)
	}
	return out
}

// record reads the columns of a record that are text, or a blob that is one.
func (d *database) record(b []byte, page int64) {
	size, n := varint(b)
	if n == 0 || size > uint64(len(b)) || size < uint64(n) {
		return
	}
	types, values := b[n:size], b[size:]
	for len(types) > 0 && !d.ended {
		kind, n := varint(types)
		if n == 0 {
			return
		}
		types = types[n:]
		length := columnBytes(kind)
		value := values[:min(length, uint64(len(values)))]
		values = values[len(value):]
		if kind >= 13 && kind&1 == 1 || kind >= 12 && len(value) >= 8 && isText(value[:min(len(value), 64)]) {
			d.column(value, kind&1 == 1, page)
		}
	}
}

// columnBytes is how long a value of a serial type is (file format, 2.1).
func columnBytes(kind uint64) uint64 {
	switch {
	case kind >= 12:
		return (kind - 12) / 2
	case kind <= 4:
		return kind
	case kind == 5:
		return 6
	case kind == 6 || kind == 7:
		return 8
	}
	return 0
}

// column looks for selectors in one value.
func (d *database) column(value []byte, text bool, page int64) {
	if len(value) < 4 {
		return
	}
	d.bytes += int64(len(value))
	if d.bytes > mostTextBytes || d.finder.Tries() > mostTextTries {
		d.ended = true
		return
	}
	encoding := d.encoding
	if d.frames != nil || !text {
		encoding, _ = selector.DetectEncoding(value)
	}
	if encoding != selector.UTF8 {
		value = narrow(value, encoding)
	}
	markup := selector.Plain
	if len(value) > 1 && (value[0] == '{' || value[0] == '[') {
		markup = selector.JSON
	}
	for _, f := range d.finder.Find(value, markup) {
		d.set.Add(d.known, f.Selector, fmt.Sprintf("page %d", page))
	}
}

// varint reads a big-endian number of up to nine bytes (file format, 1.6); its length is
// 0 when b is too short.
func varint(b []byte) (v uint64, n int) {
	for n < 8 && n < len(b) {
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
