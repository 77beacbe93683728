package containers

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"semblance"
)

// A picture of a PDF that was compressed as JPEG or JPEG 2000 is given as it is. Samples
// are wrapped without loss, and so that the same samples always make the same bytes: gray,
// RGB and indexed ones as PNG whose data is stored uncompressed, filter 0; CMYK ones as
// uncompressed TIFF; fax codes as TIFF around them. Soft masks are not applied.

const maxFax = 64 << 20 // bytes of fax codes

// isImage reports whether a stream is a picture; thumbnails of pages do not say so.
func (f *pdfFile) isImage(d map[string]pdfValue) bool {
	if d["Subtype"].isName("Image") {
		return true
	}
	w, h := f.resolve(d["Width"]), f.resolve(d["Height"])
	return w.kind == pdfNumber && h.kind == pdfNumber && (d["ColorSpace"].kind != pdfNull || d["ImageMask"].kind != pdfNull)
}

// A pdfImage is what a picture's dictionary says of its samples.
type pdfImage struct {
	width, height int64
	bits          int
	space         pdfSpaceKind
	colors        int    // samples of a pixel
	palette       []byte // RGB
	invert        bool
	reason        string // why it is not read
}

// A pdfSpaceKind is how samples are wrapped.
type pdfSpaceKind byte

const (
	pdfGray pdfSpaceKind = iota
	pdfRGB
	pdfCMYK
	pdfIndexed
	pdfOther
)

// image makes the entry of a picture. open decodes up to the filter that makes a picture.
func (f *pdfFile) image(e semblance.Entry, name string, d map[string]pdfValue, open func() (io.Reader, string, error)) item {
	names, parms := f.filters(d)
	last, parm := "", map[string]pdfValue(nil)
	if len(names) > 0 {
		last, parm = names[len(names)-1], parms[len(parms)-1]
	}
	plain := func() (io.Reader, error) {
		r, _, err := open()
		return r, err
	}
	switch last {
	case "DCTDecode":
		e.Name = []byte(name + ".jpg")
		return item{e, plain}
	case "JPXDecode":
		e.Name = []byte(name + ".jp2")
		return item{e, plain}
	case "JBIG2Decode":
		e.Name = []byte(name + ".jb2")
		e.Code, e.Reason = semblance.MediaUnsupported, "pictures in JBIG2, a code for scanned text, are not read"
		return item{Entry: e}
	}
	m := f.samples(d)
	switch {
	case m.reason != "":
		e.Name, e.Code, e.Reason = []byte(name+".raw"), semblance.MediaUnsupported, m.reason
		return item{Entry: e}
	case last == "CCITTFaxDecode":
		e.Name = []byte(name + ".tif")
		return item{e, func() (io.Reader, error) {
			r, err := plain()
			if err != nil {
				return nil, err
			}
			return f.fax(r, m, parm)
		}}
	case m.space == pdfCMYK:
		e.Name, e.Size = []byte(name+".tif"), m.tiffSize()
		return item{e, func() (io.Reader, error) { return m.wrap(plain) }}
	}
	e.Name, e.Size = []byte(name+".png"), m.pngSize()
	return item{e, func() (io.Reader, error) {
		r, err := plain()
		if err != nil {
			return nil, err
		}
		return newPNG(m, bufio.NewReaderSize(r, 16<<10)), nil
	}}
}

// samples reads what a dictionary says of samples.
func (f *pdfFile) samples(d map[string]pdfValue) (m pdfImage) {
	m.width, m.height = f.resolve(first(d, "Width", "W")).int(), f.resolve(first(d, "Height", "H")).int()
	m.bits = int(f.resolve(first(d, "BitsPerComponent", "BPC")).int())
	mask := f.resolve(first(d, "ImageMask", "IM")).text == "true"
	space := f.resolve(first(d, "ColorSpace", "CS"))
	if names, _ := f.filters(d); mask || len(names) > 0 && names[len(names)-1] == "CCITTFaxDecode" || m.bits == 0 && space.kind == pdfNull {
		m.bits = 1
		m.colors = 1
	}
	if !mask && space.kind != pdfNull {
		f.colorSpace(&m, space, 0)
	} else {
		m.colors = 1
	}
	if dec := f.resolve(first(d, "Decode", "D")).list; len(dec) >= 2 && m.space != pdfIndexed && f.resolve(dec[0]).number > f.resolve(dec[1]).number {
		m.invert = !m.invert
	}
	switch {
	case m.width < 1 || m.height < 1 || m.width > 1<<20 || m.height > 1<<24 || m.width*m.height > 1<<32:
		m.reason = fmt.Sprintf("the picture is %d by %d", m.width, m.height)
	case m.bits != 1 && m.bits != 2 && m.bits != 4 && m.bits != 8 && m.bits != 16:
		m.reason = fmt.Sprintf("pictures of %d bits for a color are not read", m.bits)
	case m.space == pdfOther && m.reason == "":
		m.reason = "the picture's color space is not read"
	}
	return m
}

// colorSpace reads a color space (ISO 32000-1, 8.6).
func (f *pdfFile) colorSpace(m *pdfImage, v pdfValue, depth int) {
	name, list := v.text, v.list
	if v.kind == pdfArray && len(list) > 0 {
		name = f.resolve(list[0]).text
	}
	arg := func(i int) pdfValue {
		if i < len(list) {
			return f.resolve(list[i])
		}
		return pdfValue{}
	}
	m.space, m.colors = pdfOther, 1
	switch name {
	case "DeviceGray", "CalGray", "G":
		m.space = pdfGray
	case "DeviceRGB", "CalRGB", "RGB":
		m.space, m.colors = pdfRGB, 3
	case "DeviceCMYK", "CMYK":
		m.space, m.colors = pdfCMYK, 4
	case "ICCBased":
		n := f.resolve(arg(1).dict["N"]).int()
		m.bySize(int(n))
	case "Separation":
		m.space, m.invert = pdfGray, true // of one ink: none of it is white
	case "DeviceN":
		if n := len(arg(1).list); n == 1 || n == 4 {
			m.bySize(n)
			m.invert = n == 1
		}
	case "Indexed", "I":
		if depth > 0 {
			return
		}
		base := pdfImage{}
		f.colorSpace(&base, arg(1), 1)
		table := []byte(arg(3).text)
		if i, ok := f.newest[refOf(list, 3).number]; ok && arg(3).kind == pdfDict {
			if r, left, err := f.decoded(f.objects[i], arg(3).dict); err == nil && left == "" {
				table, _ = io.ReadAll(io.LimitReader(r, 4096))
			}
		}
		m.palette = base.rgb(table, int(arg(2).int())+1)
		if m.space, m.colors = pdfIndexed, 1; m.palette == nil {
			m.space = pdfOther
		}
	}
}

func refOf(list []pdfValue, i int) pdfRef {
	if i < len(list) {
		return list[i].ref
	}
	return pdfRef{}
}

func (m *pdfImage) bySize(n int) {
	switch n {
	case 1:
		m.space, m.colors = pdfGray, 1
	case 3:
		m.space, m.colors = pdfRGB, 3
	case 4:
		m.space, m.colors = pdfCMYK, 4
	}
}

// rgb turns the table of an indexed color space into RGB; ink is taken as the light it
// leaves: (1-C)(1-K).
func (m *pdfImage) rgb(table []byte, n int) (out []byte) {
	n = min(max(n, 0), 256)
	table = append(bytes.Clone(table), make([]byte, 4*256)...)
	for i := range n {
		switch e := table[i*m.colors:]; m.space {
		case pdfGray:
			v := e[0]
			if m.invert {
				v = ^v
			}
			out = append(out, v, v, v)
		case pdfRGB:
			out = append(out, e[:3]...)
		case pdfCMYK:
			for _, c := range e[:3] {
				out = append(out, byte((255-int(c))*(255-int(e[3]))/255))
			}
		default:
			return nil
		}
	}
	return out
}

// row is how many bytes a row of samples takes in the PDF.
func (m *pdfImage) row() int64 { return (m.width*int64(m.colors*m.bits) + 7) / 8 }

// wide reports whether samples are spread to whole bytes: PNG has no RGB of fewer bits,
// and TIFF's readers no such CMYK.
func (m *pdfImage) wide() bool { return m.bits < 8 && (m.space == pdfRGB || m.space == pdfCMYK) }

// outRow is how many bytes a row takes in the file that is made.
func (m *pdfImage) outRow() int64 {
	if m.wide() {
		return m.width * int64(m.colors)
	}
	return m.row()
}

func (m *pdfImage) outBits() int {
	if m.wide() {
		return 8
	}
	return m.bits
}

// convert turns a row of the PDF into one of the file that is made.
func (m *pdfImage) convert(in, out []byte) {
	if !m.wide() {
		copy(out, in)
	} else {
		most := 1<<m.bits - 1
		for i := range out {
			bit := i * m.bits
			out[i] = byte(int(in[bit/8]>>(8-m.bits-bit%8)) & most * 255 / most)
		}
	}
	if m.invert {
		for i := range out {
			out[i] = ^out[i]
		}
	}
}

// A pngWriter makes a PNG of samples while it is read.
type pngWriter struct {
	m    pdfImage
	r    *bufio.Reader
	rest []byte
	in   []byte // a row of the PDF
	out  []byte // and of the PNG, its filter in front
	data []byte // of the picture, not yet in a chunk
	rows int64
	a, b uint32 // Adler-32
	head bool   // the first chunks are out
	zlib bool   // and zlib's head
	done bool
	err  error
}

const storedBlock = 65535 // the most that deflate stores in a block

func newPNG(m pdfImage, r *bufio.Reader) *pngWriter {
	return &pngWriter{m: m, r: r, a: 1, in: make([]byte, m.row()), out: make([]byte, 1+m.outRow())}
}

// pngSize is how large the PNG will be.
func (m *pdfImage) pngSize() int64 {
	data := (m.outRow() + 1) * m.height
	blocks := (data + storedBlock - 1) / storedBlock
	size := 8 + 25 + data + blocks*(12+5) + 2 + 4 + 12
	if m.space == pdfIndexed {
		size += 12 + int64(len(m.palette))
	}
	return size
}

func (w *pngWriter) Read(p []byte) (int, error) {
	for len(w.rest) == 0 {
		if w.err != nil {
			return 0, w.err
		}
		w.next()
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

func (w *pngWriter) next() {
	if !w.head {
		w.rest, w.head = w.m.pngHead(), true
		return
	}
	if w.done {
		w.rest, w.err = pngChunk(nil, "IEND", nil), io.EOF
		w.done = false
		return
	}
	for len(w.data) < storedBlock && w.rows < w.m.height {
		if _, err := io.ReadFull(w.r, w.in); err != nil {
			w.cut(err)
			return
		}
		w.m.convert(w.in, w.out[1:])
		w.data = append(w.data, w.out...)
		w.rows++
	}
	n := min(len(w.data), storedBlock)
	w.done = n == len(w.data) && w.rows == w.m.height
	w.rest = pngChunk(nil, "IDAT", w.block(w.data[:n]))
	w.data = append(w.data[:0], w.data[n:]...)
}

// cut ends the picture where its samples end; what is whole was given.
func (w *pngWriter) cut(err error) {
	w.rest = pngChunk(nil, "IDAT", w.block(w.data))
	w.err = semblance.Errorf(semblance.MediaDamaged, "the picture's samples end in row %d of %d", w.rows+1, w.m.height).WithCause(err)
}

// block is a stored block of deflate, with zlib's head and end where they belong.
func (w *pngWriter) block(data []byte) []byte {
	var b []byte
	if !w.zlib {
		b, w.zlib = append(b, 0x78, 0x01), true
	}
	last := byte(0)
	if w.done {
		last = 1
	}
	b = append(b, last, byte(len(data)), byte(len(data)>>8), byte(^len(data)), byte(^len(data)>>8))
	b = append(b, data...)
	for _, c := range data {
		w.a = (w.a + uint32(c)) % 65521
		w.b = (w.b + w.a) % 65521
	}
	if w.done {
		b = binary.BigEndian.AppendUint32(b, w.b<<16|w.a)
	}
	return b
}

func (m *pdfImage) pngHead() []byte {
	color := map[pdfSpaceKind]byte{pdfGray: 0, pdfRGB: 2, pdfIndexed: 3}[m.space]
	head := binary.BigEndian.AppendUint32(nil, uint32(m.width))
	head = binary.BigEndian.AppendUint32(head, uint32(m.height))
	head = append(head, byte(m.outBits()), color, 0, 0, 0)
	out := pngChunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", head)
	if m.space == pdfIndexed {
		out = pngChunk(out, "PLTE", m.palette)
	}
	return out
}

func pngChunk(out []byte, kind string, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	start := len(out)
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[start:]))
}

// tiffSize is how large the TIFF will be.
func (m *pdfImage) tiffSize() int64 { return int64(len(m.tiffHead())) + m.outRow()*m.height }

// tiffHead is the head of an uncompressed TIFF of CMYK samples in one strip, big endian
// as the samples of PDF are.
func (m *pdfImage) tiffHead() []byte {
	bits := uint32(m.outBits())
	return tiffHeadOf([]tiffTag{
		{256, 4, uint32(m.width), nil}, {257, 4, uint32(m.height), nil}, {258, 3, 0, []uint16{uint16(bits), uint16(bits), uint16(bits), uint16(bits)}},
		{259, 3, 1, nil}, {262, 3, 5, nil}, {273, 4, 0, nil}, {277, 3, 4, nil}, {278, 4, uint32(m.height), nil},
		{279, 4, uint32(min(m.outRow()*m.height, 1<<32-1)), nil}, {284, 3, 1, nil}, {332, 3, 1, nil},
	})
}

// A tiffTag is a field of a TIFF: a number, or several shorts.
type tiffTag struct {
	tag, kind uint16
	value     uint32
	shorts    []uint16
}

// tiffHeadOf is the head of a TIFF whose one strip, tag 273, follows right behind it.
func tiffHeadOf(tags []tiffTag) []byte {
	var more []byte
	end := 8 + 2 + 12*len(tags) + 4
	for _, t := range tags {
		if len(t.shorts) > 0 {
			end += 2 * len(t.shorts)
		}
	}
	out := append([]byte("MM\x00*\x00\x00\x00\x08"), byte(len(tags)>>8), byte(len(tags)))
	place := 8 + 2 + 12*len(tags) + 4
	for _, t := range tags {
		out = binary.BigEndian.AppendUint16(out, t.tag)
		out = binary.BigEndian.AppendUint16(out, t.kind)
		switch {
		case len(t.shorts) > 0:
			out = binary.BigEndian.AppendUint32(out, uint32(len(t.shorts)))
			out = binary.BigEndian.AppendUint32(out, uint32(place+len(more)))
			for _, s := range t.shorts {
				more = binary.BigEndian.AppendUint16(more, s)
			}
		case t.tag == 273:
			out = binary.BigEndian.AppendUint32(append(out, 0, 0, 0, 1), uint32(end))
		case t.kind == 3:
			out = binary.BigEndian.AppendUint32(append(out, 0, 0, 0, 1), t.value<<16)
		default:
			out = binary.BigEndian.AppendUint32(append(out, 0, 0, 0, 1), t.value)
		}
	}
	return append(append(out, 0, 0, 0, 0), more...)
}

// wrap gives a TIFF's head and the rows behind it.
func (m pdfImage) wrap(open func() (io.Reader, error)) (io.Reader, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(m.tiffHead()), &rowReader{m: m, r: bufio.NewReaderSize(r, 16<<10)}), nil
}

// A rowReader converts rows as they are read.
type rowReader struct {
	m    pdfImage
	r    *bufio.Reader
	rest []byte
	rows int64
}

func (w *rowReader) Read(p []byte) (int, error) {
	if len(w.rest) == 0 {
		if w.rows == w.m.height {
			return 0, io.EOF
		}
		in, out := make([]byte, w.m.row()), make([]byte, w.m.outRow())
		if _, err := io.ReadFull(w.r, in); err != nil {
			return 0, semblance.Errorf(semblance.MediaDamaged, "the picture's samples end in row %d of %d", w.rows+1, w.m.height).WithCause(err)
		}
		w.m.convert(in, out)
		w.rest = out
		w.rows++
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// fax wraps fax codes (ISO 32000-1, 7.4.6) as TIFF.
func (f *pdfFile) fax(r io.Reader, m pdfImage, parm map[string]pdfValue) (io.Reader, error) {
	codes, err := io.ReadAll(io.LimitReader(r, maxFax))
	if err != nil && len(codes) == 0 {
		return nil, err
	}
	k := f.resolve(parm["K"]).number
	compression, options := uint32(4), uint32(0)
	if k >= 0 {
		compression = 3
		if k > 0 {
			options |= 1
		}
		if f.resolve(parm["EncodedByteAlign"]).text == "true" {
			options |= 4
		}
	}
	width := uint32(1728)
	if c := f.resolve(parm["Columns"]).int(); c > 0 && c < 1<<20 {
		width = uint32(c)
	}
	photometric := uint32(0) // white is zero
	if (f.resolve(parm["BlackIs1"]).text == "true") != m.invert {
		photometric = 1
	}
	head := tiffHeadOf([]tiffTag{
		{256, 4, width, nil}, {257, 4, uint32(m.height), nil}, {258, 3, 1, nil}, {259, 3, compression, nil}, {262, 3, photometric, nil}, {266, 3, 1, nil},
		{273, 4, 0, nil}, {277, 3, 1, nil}, {278, 4, uint32(m.height), nil}, {279, 4, uint32(len(codes)), nil}, {map[bool]uint16{true: 293, false: 292}[k < 0], 4, options, nil},
	})
	return io.MultiReader(bytes.NewReader(head), bytes.NewReader(codes)), nil
}

// inline gives the pictures inside drawing instructions: BI, a dictionary, ID, the data,
// EI (8.9.7).
func (f *pdfFile) inline(o pdfObject, emit func(item) error) error {
	r, left, err := f.decoded(o, f.object(o).dict)
	if err != nil || left != "" {
		return nil
	}
	b := f.inflate(r)
	for at, n := 0, 0; ; {
		i := bytes.Index(b[at:], []byte("BI"))
		if i < 0 {
			return nil
		}
		start := at + i
		at = start + 2
		if start > 0 && !pdfSpace(b[start-1]) || at >= len(b) || !pdfSpace(b[at]) && b[at] != '/' {
			continue
		}
		window := 64 << 10
		if f.parsed < 0 {
			window = 256
		}
		d, data := f.inlineHead(b[at:min(len(b), at+window)])
		if data == 0 {
			continue
		}
		data += at
		end := data + f.inlineEnd(d, b[data:])
		body := b[data:end]
		at, n = end, n+1
		name := fmt.Sprintf("object %d image %d", o.ref.number, n)
		e := semblance.Entry{Kind: semblance.EntryFile, Size: -1, Offset: -1, Deleted: o.old, Inode: uint64(o.ref.number)}
		names, parms := f.filters(d)
		err := emit(f.image(e, name, d, func() (io.Reader, string, error) { return f.undo(bytes.NewReader(body), names, parms) }))
		if err != nil {
			return err
		}
	}
}

// inlineHead reads the dictionary between BI and ID; data is where the data begins.
func (f *pdfFile) inlineHead(b []byte) (d map[string]pdfValue, data int) {
	l := pdfLexer{b: b}
	defer func() { f.parsed -= int64(l.at) }()
	for d = map[string]pdfValue{}; len(d) < 100; {
		key := l.value()
		if key.kind == pdfKeyword && key.text == "ID" && l.at < len(b) {
			return d, l.at + 1
		}
		v := l.value()
		if key.kind != pdfName || l.bad || l.short {
			break
		}
		d[key.text] = v
	}
	return nil, 0
}

// inlineEnd is where the data ends: by its size where no filter is at work, by EI between
// white space elsewhere.
func (f *pdfFile) inlineEnd(d map[string]pdfValue, b []byte) int {
	if names, _ := f.filters(d); len(names) == 0 {
		if m := f.samples(d); m.reason == "" && m.row()*m.height <= int64(len(b)) {
			return int(m.row() * m.height)
		}
	}
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("EI"))
		if i < 0 {
			return len(b)
		}
		i += at
		if at = i + 2; i > 0 && pdfSpace(b[i-1]) && (at >= len(b) || pdfSpace(b[at])) {
			return i - 1
		}
	}
}
