package containers

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/lzw"
	"io"

	tifflzw "golang.org/x/image/tiff/lzw"

	"semblance"
)

// decoded undoes the encryption and the filters of a stream (ISO 32000-1, 7.4), up to a
// filter that makes a picture, which is left.
func (f *pdfFile) decoded(o pdfObject, d map[string]pdfValue) (r io.Reader, left string, err error) {
	r = io.NewSectionReader(f.p.R, o.data, f.streamEnd(o, d)-o.data)
	filters, parms := f.filters(d)
	identity := len(filters) > 0 && filters[0] == "Crypt" && !f.resolve(parms[0]["Name"]).isName("StdCF")
	if !d["Type"].isName("XRef") && !identity {
		if r, err = f.crypt.stream(r, o.ref, d); err != nil {
			return nil, "", err
		}
	}
	return f.undo(r, filters, parms)
}

// streamEnd is the end of a stream's data: by a length that stands elsewhere where that
// agrees with the file, which the scan could not know yet.
func (f *pdfFile) streamEnd(o pdfObject, d map[string]pdfValue) int64 {
	if l := d["Length"]; l.kind == pdfReference {
		if n := f.resolve(l); n.kind == pdfNumber && n.int() > 0 && f.endsAt(o.data+n.int()) {
			return o.data + n.int()
		}
	}
	return o.end
}

// filters are the names of a stream's filters and their parameters.
func (f *pdfFile) filters(d map[string]pdfValue) (names []string, parms []map[string]pdfValue) {
	list, parm := f.resolve(first(d, "Filter", "F")), f.resolve(first(d, "DecodeParms", "DP"))
	if list.kind == pdfName {
		list.list, parm.list = []pdfValue{list}, []pdfValue{parm}
	}
	for i, v := range list.list {
		if i == 16 {
			break
		}
		names = append(names, longFilter(f.resolve(v).text))
		p := pdfValue{}
		if i < len(parm.list) {
			p = f.resolve(parm.list[i])
		}
		parms = append(parms, p.dict)
	}
	return names, parms
}

// first is the value of the first key that a dictionary has: inline images shorten keys.
func first(d map[string]pdfValue, keys ...string) pdfValue {
	for _, k := range keys {
		if v, ok := d[k]; ok {
			return v
		}
	}
	return pdfValue{}
}

// longFilter is the full name of a filter in an inline image (table 94).
func longFilter(s string) string {
	long := map[string]string{"AHx": "ASCIIHexDecode", "A85": "ASCII85Decode", "LZW": "LZWDecode", "Fl": "FlateDecode", "RL": "RunLengthDecode", "CCF": "CCITTFaxDecode", "DCT": "DCTDecode"}
	if l, ok := long[s]; ok {
		return l
	}
	return s
}

func (f *pdfFile) undo(r io.Reader, filters []string, parms []map[string]pdfValue) (io.Reader, string, error) {
	for i, name := range filters {
		in := bufio.NewReaderSize(r, 16<<10)
		switch name {
		case "Crypt":
			continue
		case "FlateDecode":
			r = f.predicted(inflater(in), parms[i])
		case "LZWDecode":
			r = f.predicted(f.lzw(in, parms[i]), parms[i])
		case "ASCIIHexDecode":
			r = &asciiHex{r: in}
		case "ASCII85Decode":
			r = &ascii85{r: in}
		case "RunLengthDecode":
			r = &runLength{r: in}
		case "DCTDecode", "JPXDecode", "CCITTFaxDecode", "JBIG2Decode":
			return damageReader{r, "the stream in the PDF"}, name, nil
		default:
			return nil, "", semblance.Errorf(semblance.MediaUnsupported, "the PDF's filter %q is not read", name)
		}
	}
	return damageReader{r, "the stream in the PDF"}, "", nil
}

// inflater reads zlib's format and forgives its head and its checksum.
func inflater(in *bufio.Reader) io.Reader {
	if head, _ := in.Peek(2); len(head) == 2 && head[0]&15 == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		_, _ = in.Discard(2)
	}
	return flate.NewReader(in)
}

func (f *pdfFile) lzw(in *bufio.Reader, parm map[string]pdfValue) io.Reader {
	if v, ok := parm["EarlyChange"]; ok && f.resolve(v).int() == 0 {
		return lzw.NewReader(in, lzw.MSB, 8)
	}
	return tifflzw.NewReader(in, tifflzw.MSB, 8)
}

// predicted undoes a predictor (7.4.4.4).
func (f *pdfFile) predicted(r io.Reader, parm map[string]pdfValue) io.Reader {
	number := func(key string, otherwise int64) int64 {
		if n := f.resolve(parm[key]).int(); n > 0 {
			return n
		}
		return otherwise
	}
	predictor := number("Predictor", 1)
	if predictor < 2 {
		return r
	}
	colors, bits, columns := min(number("Colors", 1), 64), number("BitsPerComponent", 8), min(number("Columns", 1), 1<<24)
	if bits > 16 {
		bits = 8
	}
	p := &unpredictor{r: bufio.NewReaderSize(r, 16<<10), bits: int(bits), pixel: int((colors*bits + 7) / 8), colors: int(colors), tiff: predictor == 2}
	row := (colors*bits*columns + 7) / 8
	if row > 1<<26 {
		return damageReader{bytes.NewReader(nil), "the stream in the PDF"}
	}
	p.now, p.before = make([]byte, row), make([]byte, row)
	return p
}

// An unpredictor undoes PNG's filters or TIFF's differences row by row.
type unpredictor struct {
	r                   *bufio.Reader
	now, before, rest   []byte
	bits, pixel, colors int
	tiff                bool
	err                 error
}

func (u *unpredictor) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.row()
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *unpredictor) row() {
	filter := byte(0)
	if !u.tiff {
		if filter, u.err = u.r.ReadByte(); u.err != nil {
			return
		}
	}
	u.now, u.before = u.before, u.now
	n, err := io.ReadFull(u.r, u.now)
	if u.err = err; err == io.ErrUnexpectedEOF {
		u.err = io.EOF
	}
	row := u.now[:n]
	if u.tiff {
		u.differences(row)
	} else {
		unfilter(filter, row, u.before, u.pixel)
	}
	u.rest = row
}

// unfilter undoes a filter of PNG (PNG 1.2, 6).
func unfilter(filter byte, row, before []byte, pixel int) {
	for i := range row {
		var left, corner int
		up := int(before[i])
		if i >= pixel {
			left, corner = int(row[i-pixel]), int(before[i-pixel])
		}
		switch filter {
		case 1:
			row[i] += byte(left)
		case 2:
			row[i] += byte(up)
		case 3:
			row[i] += byte((left + up) / 2)
		case 4:
			row[i] += byte(paeth(left, up, corner))
		}
	}
}

func paeth(a, b, c int) int {
	pa, pb, pc := abs(b-c), abs(a-c), abs(a+b-2*c)
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// differences undoes TIFF's predictor 2 for samples of whole bytes, which are the ones
// that are written.
func (u *unpredictor) differences(row []byte) {
	switch u.bits {
	case 8:
		for i := u.colors; i < len(row); i++ {
			row[i] += row[i-u.colors]
		}
	case 16:
		for i := 2 * u.colors; i+1 < len(row); i += 2 {
			v := uint16(row[i])<<8 + uint16(row[i+1]) + uint16(row[i-2*u.colors])<<8 + uint16(row[i-2*u.colors+1])
			row[i], row[i+1] = byte(v>>8), byte(v)
		}
	}
}

type asciiHex struct{ r *bufio.Reader }

func (a *asciiHex) Read(p []byte) (n int, err error) {
	for n < len(p) {
		hi, err := a.digit()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		lo, err := a.digit()
		if err != nil {
			lo = 0
		}
		p[n] = byte(hi<<4 | lo)
		n++
	}
	return n, nil
}

func (a *asciiHex) digit() (int, error) {
	for {
		c, err := a.r.ReadByte()
		if err != nil {
			return 0, err
		}
		if c == '>' {
			_ = a.r.UnreadByte()
			return 0, io.EOF
		}
		if d := hexDigit(c); d >= 0 {
			return d, nil
		}
	}
}

type ascii85 struct {
	r    *bufio.Reader
	rest []byte
	out  [4]byte
	done bool
}

func (a *ascii85) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.done {
			return 0, io.EOF
		}
		if err := a.group(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

func (a *ascii85) group() error {
	var v uint32
	n := 0
	for n < 5 {
		c, err := a.r.ReadByte()
		if err != nil && err != io.EOF {
			return err
		}
		if err == io.EOF || c == '~' {
			a.done = true
			break
		}
		switch {
		case c == 'z' && n == 0:
			a.out = [4]byte{}
			a.rest = a.out[:]
			return nil
		case c >= '!' && c <= 'u':
			v = v*85 + uint32(c-'!')
			n++
		}
	}
	if n < 2 {
		return nil
	}
	for range 5 - n {
		v = v*85 + 84
	}
	a.out = [4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
	a.rest = a.out[:n-1]
	return nil
}

type runLength struct {
	r    *bufio.Reader
	rest []byte
	buf  [128]byte
}

func (l *runLength) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		c, err := l.r.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c == 128:
			return 0, io.EOF
		case c < 128:
			n, err := io.ReadFull(l.r, l.buf[:c+1])
			if l.rest = l.buf[:n]; n == 0 {
				return 0, err
			}
		default:
			v, err := l.r.ReadByte()
			if err != nil {
				return 0, err
			}
			l.rest = l.buf[:257-int(c)]
			for i := range l.rest {
				l.rest[i] = v
			}
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
