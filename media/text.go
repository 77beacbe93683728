package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"semblance"
	"semblance/selector"
)

// Types of text that Sniff does not tell apart.
const (
	typeJSON   = "application/json"
	typeVCard  = "text/vcard"
	typeSQLite = "application/vnd.sqlite3"
	typeWAL    = "application/vnd.sqlite3-wal"
	typeSVG    = "image/svg+xml"
)

// What one text may cost: so much that a backup of a phone's messages is read whole, and
// little enough that the time for one file is not used up. Both follow from the bytes
// alone, so that the same file gives the same selectors on every machine.
const (
	mostTextBytes = 512 << 20
	mostTextTries = 2_000_000
)

// A textFile is a file that is read for selectors.
type textFile struct {
	r      io.ReaderAt
	size   int64
	mime   string
	markup selector.Markup
	set    semblance.SelectorSet
	known  map[selector.Selector]int
}

// ReadSelectors reads the selectors of a file that is text, by its content: plain text,
// CSV, logs and exports of chats, JSON, XML, HTML, SVG, vCards, mail, in UTF-8, UTF-16 or
// Latin-1, and the texts in SQLite databases and their write-ahead logs. ok is false for
// anything else. The analysis has one SelectorSet and no pixels; Partial says where
// reading ended when that was before the end.
func ReadSelectors(ctx context.Context, r io.ReaderAt, size int64, req semblance.SelectorRequest) (a semblance.Analysis, ok bool, err error) {
	head := make([]byte, min(size, selector.HeadLen))
	if size <= 0 {
		return a, false, nil
	}
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return a, false, semblance.Errorf(semblance.Internal, "the file cannot be read from its medium").WithCause(err)
	}
	t := &textFile{r: r, size: size, known: map[selector.Selector]int{}}
	t.mime, t.markup = textType(head)
	t.set = semblance.SelectorSet{SelectorRequest: req, Version: selector.Version, Selectors: []semblance.MediaSelector{}}
	a = semblance.Analysis{Type: t.mime, Decoder: selector.Signal}
	switch t.mime {
	case "":
		return a, false, nil
	case typeSQLite, typeWAL:
		a.Partial, err = t.readDatabase(ctx, head)
	default:
		a.Partial, err = t.read(ctx)
	}
	if err != nil {
		return a, false, err
	}
	if t.mime == typeSVG && a.Partial == "" {
		a.Partial = "a drawing of which only the text was read: drawings of this type are not compared as pictures"
	}
	if t.set.Dropped > 0 {
		a.Warnings = append(a.Warnings, fmt.Sprintf("there are more selectors in it than the %d that are kept: %d further finds were left out", semblance.MostSelectors, t.set.Dropped))
	}
	a.SelectorSets = []semblance.SelectorSet{t.set}
	return a, true, nil
}

// read looks for selectors in plain text and markup.
func (t *textFile) read(ctx context.Context) (partial string, err error) {
	o := selector.Options{Country: t.set.Country, Documents: t.set.Documents}
	stats, err := selector.Find(ctx, io.NewSectionReader(t.r, 0, t.size), o, t.markup, selector.Limits{Bytes: mostTextBytes, Tries: mostTextTries}, func(f selector.Found) error {
		t.set.Add(t.known, f.Selector, fmt.Sprintf("byte %d", f.Offset))
		return nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", semblance.Errorf(semblance.Internal, "the file cannot be read from its medium").WithCause(err)
	}
	t.set.Encoding, t.set.Read = string(stats.Encoding), stats.Bytes
	if !stats.Whole {
		partial = fmt.Sprintf("read for selectors up to byte %d of %d", stats.Bytes, t.size)
	}
	return partial, nil
}

// textType returns the type and markup of a text by its first bytes, "" for what is none.
func textType(head []byte) (string, selector.Markup) {
	mime := Sniff(head)
	if bytes.HasPrefix(head, []byte("\x37\x7f\x06\x82")) || bytes.HasPrefix(head, []byte("\x37\x7f\x06\x83")) {
		return typeWAL, selector.Plain
	}
	switch {
	case mime == typeSQLite:
		return mime, selector.Plain
	case mime == unknownType, mime == "application/x-executable", mime == "audio/mpeg", strings.HasPrefix(mime, "text/"), mime == typeSVG:
	default:
		return "", selector.Plain
	}
	ascii := head
	if encoding, bom := selector.DetectEncoding(head); encoding != selector.UTF8 {
		ascii = narrow(head[bom:], encoding)
	}
	if !isText(ascii) {
		return "", selector.Plain
	}
	if mime != typeSVG {
		mime = sniffText(ascii[:min(len(ascii), SniffLen)])
	}
	if mime == unknownType { // Latin-1
		mime = "text/plain"
	}
	start := bytes.TrimLeft(bytes.TrimPrefix(ascii, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case mime == typeSVG || len(start) > 1 && start[0] == '<':
		return mime, selector.XML
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		return typeJSON, selector.JSON
	case len(start) > 11 && bytes.EqualFold(start[:11], []byte("BEGIN:VCARD")):
		return typeVCard, selector.Plain
	}
	return mime, selector.Plain
}

// narrow turns UTF-16 into UTF-8; nil when it is none.
func narrow(b []byte, e selector.Encoding) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if e == selector.UTF16BE {
		order = binary.BigEndian
	}
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, order.Uint16(b[i:]))
	}
	out := string(utf16.Decode(units))
	if strings.Count(out, "\ufffd") > 1 { // a pair may be cut at the end
		return nil
	}
	return []byte(strings.TrimSuffix(out, "\ufffd"))
}

// isText reports whether there are no bytes that texts do not have. Bytes that are not
// UTF-8 are letters of Latin-1 when they are few.
func isText(b []byte) bool {
	high := 0
	for _, c := range b {
		if isControl(rune(c)) || c == 0x7f {
			return false
		}
		if c >= 0x80 {
			high++
		}
	}
	return len(b) > 0 && (high*10 < len(b)*3 || sniffText(b[:min(len(b), SniffLen)]) != unknownType)
}
