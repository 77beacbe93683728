package containers

import (
	"bufio"
	"io"
)

// LZMA as in the LZMA SDK's specification (lzma-specification.txt, public domain), the
// method under .lzma, .xz, 7z and some zips. It is our own because the decoder has to be
// told how much memory it may take, and 7z needs its pieces.

const (
	lzmaStates    = 12
	lzmaPosStates = 16
	lzmaProbInit  = 1 << 10
	lzmaMatchMin  = 2
	lzmaEndPos    = 14 // end of the position model's slots
	lzmaFull      = 1 << (lzmaEndPos / 2)
)

// lzmaProps are lc, lp and pb in one byte.
type lzmaProps struct{ lc, lp, pb uint }

func parseLZMAProps(b byte) (p lzmaProps, ok bool) {
	if b >= 9*5*5 {
		return p, false
	}
	return lzmaProps{uint(b % 9), uint(b / 9 % 5), uint(b / 45)}, true
}

// A lzmaWindow is what has been unpacked, as far back as it can be referred to, and what
// of it has not been given yet. Its memory grows with what is written, up to its size.
type lzmaWindow struct {
	buf   []byte
	size  int   // of the dictionary
	at    int   // where the next byte goes
	given int   // up to where bytes have been given
	full  bool  // it has gone around
	total int64 // bytes written
}

// lzmaGrow is the window to begin with: most files are smaller than their dictionary.
const lzmaGrow = 64 << 10

func newLZMAWindow(size uint64) *lzmaWindow {
	n := int(max(size, 4<<10))
	return &lzmaWindow{buf: make([]byte, min(n, lzmaGrow)), size: n}
}

// room makes sure that a byte can be written; false when what is there must be given
// first.
func (w *lzmaWindow) room() bool {
	if w.at < len(w.buf) {
		return true
	}
	if len(w.buf) < w.size {
		grown := make([]byte, min(2*len(w.buf), w.size))
		copy(grown, w.buf)
		w.buf = grown
		return true
	}
	if w.given < w.at {
		return false
	}
	w.at, w.given, w.full = 0, 0, true
	return true
}

func (w *lzmaWindow) put(b byte) {
	w.buf[w.at] = b
	w.at++
	w.total++
}

// back is the byte at a distance, from 1; has says whether it is there.
func (w *lzmaWindow) back(d int) byte {
	i := w.at - d
	if i < 0 {
		i += len(w.buf)
	}
	return w.buf[i]
}

func (w *lzmaWindow) has(d uint32) bool {
	return d != 0 && (int64(d) <= int64(w.at) || w.full && int64(d) <= int64(len(w.buf)))
}

// repeat copies up to n bytes from a distance and returns how many there was room for.
func (w *lzmaWindow) repeat(d, n int) int {
	done := 0
	for done < n && w.room() {
		from := w.at - d
		if from < 0 {
			from += len(w.buf)
		}
		k := min(n-done, len(w.buf)-w.at, len(w.buf)-from)
		if from < w.at && from+k > w.at {
			for i := range k { // it repeats itself
				w.buf[w.at+i] = w.buf[from+i]
			}
		} else {
			copy(w.buf[w.at:w.at+k], w.buf[from:from+k])
		}
		w.at += k
		w.total += int64(k)
		done += k
	}
	return done
}

// give copies what has not been given.
func (w *lzmaWindow) give(p []byte) int {
	n := copy(p, w.buf[w.given:w.at])
	w.given += n
	return n
}

// reset forgets what can be referred to; what has not been given stays.
func (w *lzmaWindow) reset() {
	n := copy(w.buf, w.buf[w.given:w.at])
	w.at, w.given, w.full, w.total = n, 0, false, 0
}

// A rangeCoder decodes bits. Errors of the input are kept: zeros follow.
type rangeCoder struct {
	r           io.ByteReader
	code, width uint32
	err         error
}

func (c *rangeCoder) start(r io.ByteReader) error {
	c.r, c.width, c.code, c.err = r, 0xffffffff, 0, nil
	first := c.next()
	for range 4 {
		c.code = c.code<<8 | uint32(c.next())
	}
	if c.err == nil && first != 0 {
		return damaged("the LZMA data do not begin as they should")
	}
	return c.err
}

func (c *rangeCoder) next() byte {
	b, err := c.r.ReadByte()
	if err != nil && c.err == nil {
		if c.err = err; err == io.EOF {
			c.err = io.ErrUnexpectedEOF
		}
	}
	return b
}

func (c *rangeCoder) bit(p *uint16) uint32 {
	bound := (c.width >> 11) * uint32(*p)
	var b uint32
	if c.code < bound {
		c.width = bound
		*p += (1<<11 - *p) >> 5
	} else {
		c.width -= bound
		c.code -= bound
		*p -= *p >> 5
		b = 1
	}
	if c.width < 1<<24 {
		c.width <<= 8
		c.code = c.code<<8 | uint32(c.next())
	}
	return b
}

func (c *rangeCoder) direct(bits uint) (v uint32) {
	for range bits {
		c.width >>= 1
		c.code -= c.width
		t := 0 - c.code>>31
		c.code += c.width & t
		v = v<<1 + t + 1
		if c.width < 1<<24 {
			c.width <<= 8
			c.code = c.code<<8 | uint32(c.next())
		}
	}
	return v
}

func (c *rangeCoder) tree(p []uint16, bits uint) uint32 {
	m := uint32(1)
	for range bits {
		m = m<<1 + c.bit(&p[m])
	}
	return m - 1<<bits
}

// reverse decodes a number whose low bits come first; base is where its tree begins.
func (c *rangeCoder) reverse(p []uint16, base int, bits uint) (v uint32) {
	m := 1
	for i := range bits {
		b := c.bit(&p[base+m])
		m = m<<1 + int(b)
		v |= b << i
	}
	return v
}

// A lzmaLength decodes lengths.
type lzmaLength struct {
	choice   [2]uint16
	low, mid [lzmaPosStates][8]uint16
	high     [256]uint16
}

func (l *lzmaLength) reset() {
	l.choice = [2]uint16{lzmaProbInit, lzmaProbInit}
	for i := range l.low {
		resetProbs(l.low[i][:])
		resetProbs(l.mid[i][:])
	}
	resetProbs(l.high[:])
}

func (l *lzmaLength) decode(c *rangeCoder, pos uint32) int {
	switch {
	case c.bit(&l.choice[0]) == 0:
		return int(c.tree(l.low[pos][:], 3))
	case c.bit(&l.choice[1]) == 0:
		return 8 + int(c.tree(l.mid[pos][:], 3))
	}
	return 16 + int(c.tree(l.high[:], 8))
}

func resetProbs(p []uint16) {
	for i := range p {
		p[i] = lzmaProbInit
	}
}

// A lzmaDecoder decodes one LZMA stream into a window.
type lzmaDecoder struct {
	w     *lzmaWindow
	c     rangeCoder
	props lzmaProps

	literals   []uint16
	slots      [4][64]uint16
	positions  [1 + lzmaFull - lzmaEndPos]uint16
	align      [16]uint16
	length     lzmaLength
	repLength  lzmaLength
	match      [lzmaStates][lzmaPosStates]uint16
	rep        [lzmaStates]uint16
	rep0       [lzmaStates]uint16
	rep1       [lzmaStates]uint16
	rep2       [lzmaStates]uint16
	rep0Long   [lzmaStates][lzmaPosStates]uint16
	state      int
	distances  [4]uint32
	left       int   // of a repetition for which there was no room
	unpacked   int64 // bytes still to be unpacked; -1: up to the end mark
	ended      bool
	markIsGood bool // an end mark may stand
}

func (d *lzmaDecoder) resetState(p lzmaProps) {
	d.props = p
	n := 0x300 << (p.lc + p.lp)
	if cap(d.literals) < n {
		d.literals = make([]uint16, n)
	}
	d.literals = d.literals[:n]
	resetProbs(d.literals)
	for i := range d.slots {
		resetProbs(d.slots[i][:])
	}
	resetProbs(d.positions[:])
	resetProbs(d.align[:])
	for i := range d.match {
		resetProbs(d.match[i][:])
		resetProbs(d.rep0Long[i][:])
	}
	for _, p := range []*[lzmaStates]uint16{&d.rep, &d.rep0, &d.rep1, &d.rep2} {
		resetProbs(p[:])
	}
	d.length.reset()
	d.repLength.reset()
	d.state, d.distances, d.left = 0, [4]uint32{}, 0
}

// fill decodes until the window must be emptied or the stream has ended.
func (d *lzmaDecoder) fill() error {
	w := d.w
	for !d.ended {
		if d.left > 0 {
			k := w.repeat(int(d.distances[0])+1, d.left)
			if d.left -= k; d.left > 0 {
				return nil
			}
		}
		if d.unpacked == 0 && !d.mayEnd() {
			return d.c.err
		}
		if !w.room() {
			return nil
		}
		if err := d.step(); err != nil || d.c.err != nil {
			if err == nil {
				err = d.c.err
			}
			return err
		}
	}
	return nil
}

// mayEnd handles the end of a stream whose size is stated: an end mark may follow. It
// reports whether one more symbol has to be decoded.
func (d *lzmaDecoder) mayEnd() bool {
	if d.markIsGood && d.c.code != 0 {
		return true
	}
	d.ended = true
	return false
}

func (d *lzmaDecoder) step() error {
	w, c := d.w, &d.c
	pos := uint32(w.total) & (1<<d.props.pb - 1)
	if c.bit(&d.match[d.state][pos]) == 0 {
		if d.unpacked == 0 {
			return damaged("the LZMA data go on behind their end")
		}
		d.literal()
		return nil
	}
	var n int
	if c.bit(&d.rep[d.state]) == 0 {
		d.distances[3], d.distances[2], d.distances[1] = d.distances[2], d.distances[1], d.distances[0]
		n = d.length.decode(c, pos)
		d.state = choose(d.state < 7, 7, 10)
		if d.distances[0] = d.distance(n); d.distances[0] == 0xffffffff {
			if d.unpacked > 0 || !d.markIsGood {
				return damaged("the LZMA data end before their size")
			}
			d.ended = true
			return nil
		}
	} else {
		if w.total == 0 {
			return damaged("the LZMA data refer to nothing")
		}
		if c.bit(&d.rep0[d.state]) == 0 {
			if c.bit(&d.rep0Long[d.state][pos]) == 0 {
				d.state = choose(d.state < 7, 9, 11)
				return d.copy(1)
			}
		} else {
			d.older()
		}
		n = d.repLength.decode(c, pos)
		d.state = choose(d.state < 7, 8, 11)
	}
	return d.copy(n + lzmaMatchMin)
}

// older makes one of the older distances the newest.
func (d *lzmaDecoder) older() {
	i := 1
	if d.c.bit(&d.rep1[d.state]) != 0 {
		i = 2 + int(d.c.bit(&d.rep2[d.state]))
	}
	dist := d.distances[i]
	copy(d.distances[1:i+1], d.distances[:i])
	d.distances[0] = dist
}

func choose(b bool, yes, no int) int {
	if b {
		return yes
	}
	return no
}

// copy repeats what lies the newest distance back.
func (d *lzmaDecoder) copy(n int) error {
	if d.c.err != nil {
		return d.c.err
	}
	if !d.w.has(d.distances[0] + 1) {
		return damaged("the LZMA data refer to what was never there")
	}
	if d.unpacked >= 0 {
		if int64(n) > d.unpacked {
			return damaged("the LZMA data are longer than stated")
		}
		d.unpacked -= int64(n)
	}
	d.left = n - d.w.repeat(int(d.distances[0])+1, n)
	return nil
}

func (d *lzmaDecoder) literal() {
	w, c := d.w, &d.c
	var before uint32
	if w.total > 0 {
		before = uint32(w.back(1))
	}
	at := (uint32(w.total)&(1<<d.props.lp-1))<<d.props.lc + before>>(8-d.props.lc)
	p := d.literals[0x300*at : 0x300*at+0x300]
	symbol := uint32(1)
	if d.state >= 7 && w.has(d.distances[0]+1) {
		other := uint32(w.back(int(d.distances[0]) + 1))
		for symbol < 0x100 {
			bit := other >> 7 & 1
			other <<= 1
			b := c.bit(&p[(1+bit)<<8+symbol])
			symbol = symbol<<1 | b
			if b != bit {
				break
			}
		}
	}
	for symbol < 0x100 {
		symbol = symbol<<1 | c.bit(&p[symbol])
	}
	w.put(byte(symbol))
	if d.unpacked > 0 {
		d.unpacked--
	}
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

func (d *lzmaDecoder) distance(n int) uint32 {
	slot := d.c.tree(d.slots[min(n, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := uint(slot>>1) - 1
	dist := (2 | slot&1) << bits
	if slot < lzmaEndPos {
		return dist + d.c.reverse(d.positions[:], int(dist-slot), bits)
	}
	dist += d.c.direct(bits-4) << 4
	return dist + d.c.reverse(d.align[:], 0, 4)
}

// newLZMA reads LZMA after its header. size is that of what comes out, -1 when an end mark
// tells; dict is the size of the window.
func newLZMA(r byteReader, props byte, dict uint32, size int64) (io.Reader, error) {
	p, ok := parseLZMAProps(props)
	if !ok {
		return nil, damaged("the LZMA header is damaged")
	}
	if dict > maxWindow {
		return nil, tooLargeWindow("the LZMA stream", uint64(dict))
	}
	d := &lzmaDecoder{w: newLZMAWindow(uint64(dict)), unpacked: size, markIsGood: true}
	d.resetState(p)
	return &lzmaReader{d: d, in: r}, nil
}

// A lzmaReader gives what a decoder decodes.
type lzmaReader struct {
	d       *lzmaDecoder
	in      byteReader
	started bool
	err     error
}

// Read decodes.
func (l *lzmaReader) Read(p []byte) (int, error) {
	if !l.started {
		l.started = true
		l.err = l.d.c.start(l.in)
	}
	for {
		if n := l.d.w.give(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if l.err != nil {
			return 0, l.err
		}
		if l.d.ended {
			return 0, io.EOF
		}
		l.err = l.d.fill()
	}
}

// A lzma2Reader reads LZMA2: chunks of LZMA and of bytes as they are.
type lzma2Reader struct {
	d      *lzmaDecoder
	in     byteReader
	raw    int  // bytes of a chunk that is not packed, still to come
	chunk  bool // a packed chunk is being decoded
	props  bool // they have been set
	dict   bool // the window has been reset
	packed countReader
	err    error
}

// A countReader counts what is left of a chunk.
type countReader struct {
	r byteReader
	n int
}

// ReadByte does not read beyond the chunk.
func (c *countReader) ReadByte() (byte, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	c.n--
	return c.r.ReadByte()
}

// newLZMA2 reads LZMA2 with a window of a size stated as xz and 7z state it.
func newLZMA2(r byteReader, dict byte) (io.Reader, error) {
	if dict > 40 {
		return nil, damaged("the LZMA2 header is damaged")
	}
	size := uint64(2|dict&1) << (dict/2 + 11)
	if size > maxWindow {
		return nil, tooLargeWindow("the LZMA2 stream", size)
	}
	return &lzma2Reader{d: &lzmaDecoder{w: newLZMAWindow(size)}, in: r, packed: countReader{r: r}}, nil
}

// Read decodes.
func (l *lzma2Reader) Read(p []byte) (int, error) {
	for {
		if n := l.d.w.give(p); n > 0 || len(p) == 0 {
			return n, nil
		}
		if l.err != nil {
			return 0, l.err
		}
		l.err = l.more()
	}
}

func (l *lzma2Reader) more() error {
	switch {
	case l.raw > 0:
		return l.copyRaw()
	case l.chunk:
		if err := l.d.fill(); err != nil || !l.d.ended {
			return err
		}
		if l.chunk = false; l.packed.n != 0 {
			return damaged("an LZMA2 chunk is longer than stated")
		}
		return nil
	}
	return l.header()
}

func (l *lzma2Reader) copyRaw() error {
	w := l.d.w
	for l.raw > 0 && w.room() {
		k := min(l.raw, len(w.buf)-w.at)
		n, err := io.ReadFull(l.in, w.buf[w.at:w.at+k])
		w.at += n
		w.total += int64(n)
		l.raw -= n
		if err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	return nil
}

// header reads what kind of chunk comes.
func (l *lzma2Reader) header() error {
	var b [6]byte
	if _, err := io.ReadFull(l.in, b[:1]); err != nil {
		return io.ErrUnexpectedEOF
	}
	kind := b[0]
	switch {
	case kind == 0:
		return io.EOF
	case kind == 1 || kind >= 0xe0:
		l.d.w.reset()
		l.dict = true
	case !l.dict || kind > 2 && kind < 0x80:
		return damaged("an LZMA2 chunk is of no kind that there is")
	}
	if kind <= 2 {
		if _, err := io.ReadFull(l.in, b[:2]); err != nil {
			return io.ErrUnexpectedEOF
		}
		l.raw = int(b[0])<<8 + int(b[1]) + 1
		return nil
	}
	return l.packedHeader(kind, b[:])
}

func (l *lzma2Reader) packedHeader(kind byte, b []byte) error {
	n := 4
	if kind >= 0xc0 {
		n = 5
	}
	if _, err := io.ReadFull(l.in, b[:n]); err != nil {
		return io.ErrUnexpectedEOF
	}
	size := int64(kind&0x1f)<<16 + int64(b[0])<<8 + int64(b[1]) + 1
	l.packed.n = int(b[2])<<8 + int(b[3]) + 1
	switch {
	case kind >= 0xc0:
		p, ok := parseLZMAProps(b[4])
		if !ok || p.lc+p.lp > 4 {
			return damaged("an LZMA2 chunk has properties that cannot be")
		}
		l.d.resetState(p)
		l.props = true
	case !l.props:
		return damaged("an LZMA2 chunk goes on where nothing began")
	case kind >= 0xa0:
		l.d.resetState(l.d.props)
	}
	l.d.unpacked, l.d.ended, l.chunk = size, false, true
	return l.d.c.start(&l.packed)
}

// isLZMA tells an .lzma file, which has no signature: by properties that everybody uses,
// a window of a usual size, and a size that is unknown or not absurd.
func isLZMA(head []byte, p Part) bool {
	if len(head) < 18 || head[0] != 0x5d || head[13] != 0 {
		return false
	}
	dict, size := le.Uint32(head[1:]), le.Uint64(head[5:])
	usual := dict >= 1<<12 && (dict&(dict-1) == 0 || dict%3 == 0 && dict/3&(dict/3-1) == 0)
	return usual && (size == 1<<64-1 || size > 0 && size < 1<<40)
}

func openLZMA(r *bufio.Reader, s *stream) (io.Reader, error) {
	var b [13]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, damaged("the LZMA header is cut short")
	}
	s.entry.Size = max(int64(le.Uint64(b[5:])), -1)
	u, err := newLZMA(r, b[0], le.Uint32(b[1:]), s.entry.Size)
	if err != nil {
		return nil, err
	}
	return &content{r: u, size: s.entry.Size}, nil
}
