package exchange

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"semblance"
)

// EnCase's .hash: a heading of 1152 bytes with the number of records, the name and the
// category of the set, then records of an MD5 and two more bytes.
const (
	encaseMagic   = "HASH\r\n\xff\x00"
	encaseCount   = 0x10
	encaseName    = 0x408
	encaseKind    = 0x458
	encaseRecords = 0x480
	encaseRecord  = 18
)

// An enCase reads such a file.
type enCase struct {
	*base
	in   *bufio.Reader
	row  int64
	text string
	buf  [encaseRecord]byte
}

func newEnCase(b *base) (Source, error) {
	if len(b.head) < encaseRecords || !bytes.HasPrefix(b.head, []byte(encaseMagic)) {
		return nil, notOf(b.about.Name, EnCase, "it does not begin with EnCase's heading")
	}
	stated, there := int64(binary.LittleEndian.Uint32(b.head[encaseCount:])), (b.about.Bytes-encaseRecords)/encaseRecord
	if stated > there {
		return nil, semblance.Errorf(semblance.Invalid, "%q is cut short: it says that it has %d digests, and has room for %d", b.about.Name, stated, there).
			WithHint("Copy it again from where it came from.")
	}
	b.is(EnCase, "record")
	e := &enCase{base: b, in: bufio.NewReaderSize(nil, 1<<16)}
	name, kind := wide(b.head[encaseName:encaseKind]), wide(b.head[encaseKind:encaseRecords])
	e.text = kind
	b.about.About = name
	b.end = (b.about.Bytes - encaseRecords + encaseRecord - 1) / encaseRecord // one that is cut short is one
	return e, nil
}

// wide is UTF-16 text up to its zero.
func wide(b []byte) string {
	var u []uint16
	for ; len(b) >= 2 && (b[0] != 0 || b[1] != 0); b = b[2:] {
		u = append(u, binary.LittleEndian.Uint16(b))
	}
	return strings.TrimSpace(string(utf16.Decode(u)))
}

// Position implements semblance.DigestSource.
func (e *enCase) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: e.row, Row: e.row}
}

// Seek implements semblance.DigestSource.
func (e *enCase) Seek(_ context.Context, at semblance.SourcePosition) error {
	if at.Row < 0 || at.Row > e.end {
		return semblance.Errorf(semblance.Internal, "there is no record %d in %q", at.Row, e.about.Name)
	}
	from := int64(encaseRecords) + at.Row*encaseRecord
	e.in.Reset(io.NewSectionReader(e.f, from, e.about.Bytes-from))
	e.row = at.Row
	return nil
}

// Next implements semblance.DigestSource. What follows the last whole record is a bad row.
func (e *enCase) Next(_ context.Context, r *semblance.DigestRow) error {
	n, err := io.ReadFull(e.in, e.buf[:])
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.row++
		return &semblance.BadRow{Row: e.row, Reason: fmt.Sprintf("the last record is cut short: it has %d of %d bytes", n, encaseRecord)}
	case err != nil:
		return semblance.Errorf(semblance.Invalid, "%q cannot be read past record %d", e.about.Name, e.row).WithCause(err)
	}
	e.row++
	*r = semblance.DigestRow{Row: e.row, MD5: e.buf[:16], Text: e.text}
	return nil
}
