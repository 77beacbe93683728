package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"semblance"
)

// A PDF is not followed from its cross-reference table, but gone through from front to
// end: every object is found by where it begins, so that a damaged table costs nothing,
// and pictures of earlier revisions, which the table no longer names, are found too.
//
// An entry is called after the object it is in: "object 17.jpg". A file that is attached
// has the name it was attached with, "attached/NAME". A picture inside the drawing
// instructions is "object 12 image 1.png".

const (
	maxPDFObjects = 1 << 20
	largestObject = 4 << 20  // bytes of an object without its stream
	largestInside = 32 << 20 // bytes of an object stream or of drawing instructions
	mostInside    = 1 << 30  // and of all of them together
	scanStep      = 256 << 10
)

// isPDF asks for the first line within the first KiB, as the programs that show PDFs do;
// it must be a line of its own, or a mail that quotes one would be taken for it.
func isPDF(head []byte, _ Part) bool {
	head = head[:min(len(head), 1024)]
	i := bytes.Index(head, []byte("%PDF-"))
	if i < 0 || i+6 > len(head) || head[i+5] < '0' || head[i+5] > '9' {
		return false
	}
	return i == 0 || pdfSpace(head[i-1]) && signature(head) == ""
}

// A pdfObject is where an object is: in the file, or in an object stream.
type pdfObject struct {
	ref       pdfRef
	off       int64 // of what stands behind "obj"
	data, end int64 // of its stream; 0: it has none
	inside    int   // number of the object stream; 0: it is in the file
	old       bool  // a later revision has another object of the number
}

// A pdfFile is an open PDF.
type pdfFile struct {
	p        Part
	o        Options
	facts    *semblance.ContainerFacts
	objects  []pdfObject       // with streams, and those that stand for others, in the file's order
	newest   map[int]int       // of a number, in objects
	names    map[pdfRef]string // of attached files, by their streams
	trailer  map[string]pdfValue
	crypt    *pdfCrypt
	parsed   int64 // bytes that may still be parsed, before objects are given up early
	inflated int64 // bytes of object streams and instructions that may still be read
	noEnd    bool  // there is no further "endstream"
	opened   map[int]map[int]pdfValue
	skipped  map[string]int
}

func openPDF(parts []Part, o Options) (Reader, error) {
	f := &pdfFile{
		p: parts[0], o: o, facts: &semblance.ContainerFacts{Format: "pdf"}, newest: map[int]int{}, names: map[pdfRef]string{}, trailer: map[string]pdfValue{},
		parsed: 8*parts[0].Size + 1<<20, inflated: mostInside, opened: map[int]map[int]pdfValue{}, skipped: map[string]int{},
	}
	if err := f.scan(); err != nil {
		return nil, err
	}
	if enc, ok := f.trailer["Encrypt"]; ok {
		var err error
		if f.crypt, f.facts.Password, err = f.unlock(enc); err != nil {
			return nil, err
		}
	}
	f.indexStreams()
	return walked(f.facts, f.walk), nil
}

// scan finds the objects, and the trailers.
func (f *pdfFile) scan() error {
	buf := make([]byte, min(scanStep, f.p.Size))
	for at := int64(0); at < f.p.Size; {
		n, err := f.p.R.ReadAt(buf[:min(int64(len(buf)), f.p.Size-at)], at)
		if n == 0 {
			return semblance.Errorf(semblance.MediaDamaged, "the PDF could not be read to its end").WithCause(err)
		}
		f.o.progress(at, f.p.Size)
		next := at + int64(n)
		if next < f.p.Size && n > 64 {
			next -= 32 // a word over the end of the buffer is seen the next time
		}
		for i := 0; at+int64(i) < next; {
			w, kind := nextWord(buf[:n], i)
			if w < 0 || at+int64(w) >= next {
				break
			}
			i = w + 3
			past := int64(0)
			switch kind {
			case 't':
				past = f.readTrailer(at + int64(w) + 7)
			default:
				if ref, ok := objectHead(buf[:w]); ok {
					past = f.readObject(ref, at+int64(w)+3)
				}
			}
			if past > at+int64(i) {
				if past >= at+int64(n) {
					next = max(next, past)
					break
				}
				i = int(past - at)
			}
		}
		if len(f.objects) >= maxPDFObjects {
			f.note("objects behind the first %d were not looked at", maxPDFObjects)
			return nil
		}
		at = next
	}
	return nil
}

func (f *pdfFile) note(format string, args ...any) {
	f.facts.Notes = append(f.facts.Notes, fmt.Sprintf(format, args...))
}

// nextWord is the next "obj" or "trailer" from i on.
func nextWord(b []byte, i int) (at int, kind byte) {
	for i < len(b) {
		j := bytes.IndexAny(b[i:], "ot")
		if j < 0 {
			return -1, 0
		}
		i += j
		switch {
		case bytes.HasPrefix(b[i:], []byte("obj")) && i > 0 && b[i-1] != 'd':
			return i, 'o'
		case bytes.HasPrefix(b[i:], []byte("trailer")):
			return i, 't'
		}
		i++
	}
	return -1, 0
}

// objectHead reads "17 0 " backwards from the end of b.
func objectHead(b []byte) (ref pdfRef, ok bool) {
	b = b[max(0, len(b)-40):]
	number := func() (n int, ok bool) {
		b = bytes.TrimRight(b, " \r\n\t\f\x00")
		i := len(b)
		for i > 0 && b[i-1] >= '0' && b[i-1] <= '9' && len(b)-i < 10 {
			i--
		}
		n, err := strconv.Atoi(string(b[i:]))
		b = b[:i]
		return n, err == nil
	}
	if ref.generation, ok = number(); !ok || len(b) == 0 || !pdfSpace(b[len(b)-1]) {
		return ref, false
	}
	ref.number, ok = number()
	return ref, ok && ref.number > 0 && ref.generation < 1<<16
}

// parse reads a value of the file; end is where it ends.
func (f *pdfFile) parse(off int64) (v pdfValue, end int64, ok bool) {
	limit := int64(largestObject)
	if f.parsed < 0 {
		limit = 512
	}
	for size := int64(2048); ; size *= 4 {
		b := f.bytes(off, min(size, limit))
		l := pdfLexer{b: b}
		v = l.value()
		f.parsed -= int64(l.at)
		if !l.short || size >= limit || int64(len(b)) < size {
			return v, off + int64(l.at), !l.bad && (!l.short || v.kind != pdfNull)
		}
	}
}

func (f *pdfFile) bytes(off, n int64) []byte {
	if off < 0 || off >= f.p.Size {
		return nil
	}
	b := make([]byte, min(n, f.p.Size-off))
	got, _ := f.p.R.ReadAt(b, off)
	return b[:got]
}

// readTrailer takes what a trailer says of encryption; the last word counts.
func (f *pdfFile) readTrailer(off int64) int64 {
	v, end, ok := f.parse(off)
	if !ok || v.kind != pdfDict {
		return 0
	}
	f.takeTrailer(v.dict)
	return end
}

func (f *pdfFile) takeTrailer(d map[string]pdfValue) {
	for _, k := range []string{"Encrypt", "ID"} {
		if v, ok := d[k]; ok {
			f.trailer[k] = v
		}
	}
}

// readObject notes an object and where its stream lies, and gives where it ends.
func (f *pdfFile) readObject(ref pdfRef, off int64) (past int64) {
	v, end, ok := f.parse(off)
	if !ok {
		return 0
	}
	o := pdfObject{ref: ref, off: off}
	if v.kind == pdfDict {
		if o.data, o.end = f.stream(v.dict, end); o.data > 0 {
			end = o.end
		}
		if v.dict["Type"].isName("XRef") {
			f.takeTrailer(v.dict)
		}
	}
	f.add(o)
	return end
}

func (f *pdfFile) add(o pdfObject) {
	if len(f.objects) >= maxPDFObjects {
		return
	}
	if before, there := f.newest[o.ref.number]; there {
		if o.inside > 0 && f.objects[before].inside == 0 {
			return // what stands in the file itself is the later one, more often than not
		}
		f.objects[before].old = true
	}
	f.newest[o.ref.number] = len(f.objects)
	f.objects = append(f.objects, o)
}

// stream finds the bytes of a stream whose dictionary ends at off (ISO 32000-1, 7.3.8):
// by its length where "endstream" stands behind them, by that word elsewhere.
func (f *pdfFile) stream(d map[string]pdfValue, off int64) (data, end int64) {
	b := f.bytes(off, 64)
	i := bytes.Index(b, []byte("stream"))
	if i < 0 || len(bytes.Trim(b[:i], " \r\n\t\f\x00")) > 0 {
		return 0, 0
	}
	rest := b[i+6:]
	skip := i + 6
	switch {
	case bytes.HasPrefix(rest, []byte("\r\n")):
		skip += 2
	case bytes.HasPrefix(rest, []byte("\n")), bytes.HasPrefix(rest, []byte("\r")):
		skip++
	}
	data = off + int64(skip)
	if length := d["Length"]; length.kind == pdfNumber && f.endsAt(data+length.int()) {
		return data, data + length.int()
	}
	return data, f.findEnd(data)
}

func (f *pdfFile) endsAt(off int64) bool {
	return bytes.HasPrefix(bytes.TrimLeft(f.bytes(off, 32), " \r\n\t\f\x00"), []byte("endstream"))
}

// findEnd looks for "endstream"; without one the stream goes to the end of the file.
func (f *pdfFile) findEnd(off int64) int64 {
	if f.noEnd {
		return f.p.Size
	}
	buf := make([]byte, 64<<10)
	for at := off; at < f.p.Size; {
		n, _ := f.p.R.ReadAt(buf[:min(int64(len(buf)), f.p.Size-at)], at)
		if i := bytes.Index(buf[:n], []byte("endstream")); i >= 0 {
			end := at + int64(i)
			tail := f.bytes(max(off, end-2), end-max(off, end-2))
			return end - int64(len(tail)-len(bytes.TrimSuffix(bytes.TrimSuffix(tail, []byte("\n")), []byte("\r"))))
		}
		if n <= 16 {
			break
		}
		at += int64(n) - 8
	}
	f.noEnd = true
	return f.p.Size
}

// indexStreams opens the object streams, so that all objects can be found, and notes the
// names of attached files.
func (f *pdfFile) indexStreams() {
	for i := range f.objects {
		o := f.objects[i]
		v := f.object(o)
		if o.data > 0 && v.dict["Type"].isName("ObjStm") {
			inside := f.objectStream(o, v.dict)
			for _, n := range slices.Sorted(maps.Keys(inside)) {
				f.add(pdfObject{ref: pdfRef{n, 0}, inside: i + 1})
				f.attachments(inside[n], 0)
			}
			continue
		}
		f.attachments(v, 0)
	}
}

// objectStream reads the objects of an object stream, by their numbers.
func (f *pdfFile) objectStream(o pdfObject, d map[string]pdfValue) map[int]pdfValue {
	r, left, err := f.decoded(o, d)
	if err != nil || left != "" {
		return nil
	}
	b := f.inflate(r)
	head, all := pdfLexer{b: b}, map[int]pdfValue{}
	count := 0
	first := int(min(d["First"].int(), int64(len(b))))
	for range min(d["N"].int(), 1<<20) {
		n, at := head.value(), head.value()
		if head.short || head.bad || n.kind != pdfNumber || at.kind != pdfNumber || first < 0 || at.int() < 0 || at.int() > int64(len(b)-first) {
			break
		}
		l := pdfLexer{b: b[first+int(at.int()):], count: count}
		if v := l.value(); !l.bad && n.int() > 0 && n.int() < 1<<31 {
			all[int(n.int())] = v
		}
		count = l.count
	}
	return all
}

// inflate reads a stream that is looked into, within bounds.
func (f *pdfFile) inflate(r io.Reader) []byte {
	b, _ := io.ReadAll(io.LimitReader(r, min(largestInside, max(0, f.inflated))))
	if f.inflated -= int64(len(b)); f.inflated <= 0 && f.skipped["more"] == 0 {
		f.skipped["more"]++
		f.note("object streams and drawing instructions hold more than %d bytes; the rest was not looked into", int64(mostInside))
	}
	return b
}

// attachments finds file specifications (7.11.3) in a value and notes what the embedded
// files are called.
func (f *pdfFile) attachments(v pdfValue, depth int) {
	if depth > maxPDFDepth {
		return
	}
	for _, e := range v.list {
		if e.kind == pdfArray || e.kind == pdfDict {
			f.attachments(e, depth+1)
		}
	}
	for _, e := range v.dict {
		if e.kind == pdfArray || e.kind == pdfDict {
			f.attachments(e, depth+1)
		}
	}
	ef, ok := v.dict["EF"]
	if !ok {
		return
	}
	name := ""
	for _, k := range []string{"UF", "F", "Unix", "DOS", "Mac"} {
		if t := f.resolve(v.dict[k]); t.kind == pdfText && name == "" {
			name = pdfString(t.text)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.resolve(ef).dict)) {
		if ref := f.resolve(ef).dict[k]; ref.kind == pdfReference && f.names[ref.ref] == "" {
			f.names[ref.ref] = name
		}
	}
}

// pdfString is a text string (7.9.2.2): UTF-16 or UTF-8 with a mark, or nearly Latin-1.
func pdfString(s string) string {
	switch {
	case strings.HasPrefix(s, "\xfe\xff"):
		return fromUTF16([]byte(s[2:]), binary.BigEndian)
	case strings.HasPrefix(s, "\xef\xbb\xbf"):
		return s[3:]
	case utf8.ValidString(s):
		return s
	}
	return toUTF8("iso-8859-1", s)
}

// resolve follows references.
func (f *pdfFile) resolve(v pdfValue) pdfValue {
	for range 10 {
		if v.kind != pdfReference {
			return v
		}
		i, ok := f.newest[v.ref.number]
		if !ok {
			return pdfValue{}
		}
		v = f.object(f.objects[i])
	}
	return pdfValue{}
}

func (f *pdfFile) object(o pdfObject) (v pdfValue) {
	if o.inside == 0 {
		v, _, _ = f.parse(o.off)
		f.crypt.texts(&v, o.ref)
		return v
	}
	inside, ok := f.opened[o.inside]
	if !ok {
		holder := f.objects[o.inside-1]
		d, _, _ := f.parse(holder.off)
		inside = f.objectStream(holder, d.dict)
		if len(f.opened) >= 4 {
			clear(f.opened)
		}
		f.opened[o.inside] = inside
	}
	return inside[o.ref.number]
}

// walk gives the pictures and attached files, what pays first, and then those inside
// drawing instructions.
func (f *pdfFile) walk(emit func(item) error) error {
	var items []item
	var drawings []pdfObject
	for _, o := range f.objects {
		if o.data == 0 {
			continue
		}
		v := f.object(o)
		if v.kind != pdfDict {
			continue
		}
		switch i, is := f.streamItem(o, v.dict); {
		case is:
			items = append(items, i)
		case draws(v.dict):
			drawings = append(drawings, o)
		}
	}
	for _, at := range order(len(items), func(i int) []byte { return items[i].Name }, func(int) string { return "" }) {
		if err := emit(items[at]); err != nil {
			return err
		}
	}
	for _, o := range drawings {
		if err := f.inline(o, emit); err != nil {
			return err
		}
	}
	return nil
}

// draws reports whether a stream may hold drawing instructions.
func draws(d map[string]pdfValue) bool {
	for _, k := range []string{"Length1", "N", "FunctionType", "ShadingType", "Alternate"} {
		if _, ok := d[k]; ok {
			return false
		}
	}
	t := d["Type"]
	return t.kind != pdfName && d["Subtype"].kind != pdfName || d["Subtype"].isName("Form") || t.isName("Pattern")
}

// streamItem is the entry of a stream that is a picture or an attached file.
func (f *pdfFile) streamItem(o pdfObject, d map[string]pdfValue) (i item, is bool) {
	_, attached := f.names[o.ref]
	name := fmt.Sprintf("object %d", o.ref.number)
	if o.old {
		name = fmt.Sprintf("object %d at %d", o.ref.number, o.off)
	}
	e := semblance.Entry{Kind: semblance.EntryFile, Size: -1, Offset: o.data, Deleted: o.old, Inode: uint64(o.ref.number)}
	switch {
	case f.isImage(d):
		return f.image(e, name, d, func() (io.Reader, string, error) { return f.decoded(o, d) }), true
	case attached || d["Type"].isName("EmbeddedFile"):
		params := f.resolve(d["Params"]).dict
		for _, t := range []struct{ what, key string }{{"modified", "ModDate"}, {"created", "CreationDate"}} {
			if v := f.resolve(params[t.key]); v.kind == pdfText {
				if d := pdfDate(v.text); d != "" {
					e.Times = append(e.Times, semblance.FileTime{What: t.what, Time: d, Source: "PDF file parameters"})
				}
			}
		}
		if e.Name = []byte("attached/" + element(f.names[o.ref])); f.names[o.ref] == "" || o.old {
			e.Name = []byte(name + ".bin")
		}
		return item{e, func() (io.Reader, error) {
			r, _, err := f.decoded(o, d)
			return r, err
		}}, true
	}
	return i, false
}

// pdfDate is a date (7.9.4) with its zone if it has one: D:20190504101112+02'00'.
func pdfDate(s string) string {
	s = strings.TrimPrefix(s, "D:")
	digits := 0
	for digits < len(s) && digits < 14 && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits != 14 {
		return ""
	}
	zone := strings.ReplaceAll(s[14:], "'", "")
	layout := "20060102150405"
	switch {
	case zone == "":
	case zone[0] == 'Z':
		return pastTime(layout+"Z", s[:14]+"Z")
	default:
		if t := pastTime(layout+"-0700", s[:14]+zone); t != "" {
			return t
		}
	}
	return pastTime(layout, s[:14])
}

// pastTime reads a time and writes it as RFC 3339, without a zone where the layout has
// none; "" when it is none.
func pastTime(layout, s string) string {
	t, err := time.Parse(layout, s)
	switch {
	case err != nil || t.Year() < 1970:
		return ""
	case strings.ContainsAny(layout, "Z-"):
		return t.Format(time.RFC3339)
	}
	return t.Format("2006-01-02T15:04:05")
}
