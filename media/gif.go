package media

import (
	"compress/lzw"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"slices"

	"semblance"
)

// maxGIFFrames bounds how many frames are counted: the notes about each take memory.
const maxGIFFrames = 100_000

// Disposal methods (GIF89a, 23.c.iv).
const (
	gifToBackground = 2
	gifToPrevious   = 3
)

// A gifFile is what a walk over the blocks of a GIF gives. No pixel is
// decompressed for it.
type gifFile struct {
	width, height int
	colors        []byte // the global table, three bytes a color
	background    int
	frames        []gifFrame
	truncated     bool // no trailer
	more          bool // there are more than maxGIFFrames
}

// A gifFrame is where one frame lies and how it is drawn.
type gifFrame struct {
	x, y, w, h  int
	interlaced  bool
	colors      []byte // local or global table
	transparent int    // palette index, -1 for none
	disposal    byte
	codeSize    byte
	data        int // offset of its first data block
}

// readGIF walks the blocks.
func readGIF(data []byte) (gifFile, error) {
	var g gifFile
	if len(data) < 13 {
		return g, damaged("the GIF ends within its header")
	}
	g.width, g.height = int(binary.LittleEndian.Uint16(data[6:])), int(binary.LittleEndian.Uint16(data[8:]))
	g.background = int(data[11])
	pos := 13
	if data[10]&0x80 != 0 {
		n := 3 << (1 + data[10]&7)
		if pos+n > len(data) {
			return g, damaged("the GIF ends within its color table")
		}
		g.colors, pos = data[pos:pos+n], pos+n
	}
	g.truncated = !g.walk(data, pos)
	if len(g.frames) == 0 {
		return g, damaged("the GIF has no frame")
	}
	if g.width == 0 || g.height == 0 { // as browsers do
		g.width, g.height = g.frames[0].x+g.frames[0].w, g.frames[0].y+g.frames[0].h
	}
	return g, nil
}

// walk notes every frame and reports whether it met the trailer.
func (g *gifFile) walk(data []byte, pos int) bool {
	next := gifFrame{transparent: -1}
	for pos < len(data) {
		switch data[pos] {
		case 0x3b:
			return true
		case 0x21: // an extension
			if pos+2 > len(data) {
				return false
			}
			if data[pos+1] == 0xf9 && pos+7 <= len(data) && data[pos+2] == 4 {
				next.disposal, next.transparent = data[pos+3]>>2&7, -1
				if data[pos+3]&1 != 0 {
					next.transparent = int(data[pos+6])
				}
			}
			pos = skipBlocks(data, pos+2)
		case 0x2c:
			if len(g.frames) == maxGIFFrames {
				g.more = true
				return true
			}
			if pos = g.frame(data, pos+1, &next); pos < 0 {
				return false
			}
			g.frames = append(g.frames, next)
			next = gifFrame{transparent: -1}
			pos = skipBlocks(data, pos)
		case 0: // some writers leave a stray terminator
			pos++
		default:
			return false
		}
		if pos < 0 {
			return false
		}
	}
	return false
}

// frame reads an image descriptor at pos into f and returns the offset of the
// data blocks, or -1.
func (g *gifFile) frame(data []byte, pos int, f *gifFrame) int {
	if pos+9 > len(data) {
		return -1
	}
	d := data[pos : pos+9]
	f.x, f.y = int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
	f.w, f.h = int(binary.LittleEndian.Uint16(d[4:])), int(binary.LittleEndian.Uint16(d[6:]))
	f.interlaced, f.colors = d[8]&0x40 != 0, g.colors
	pos += 9
	if d[8]&0x80 != 0 {
		n := 3 << (1 + d[8]&7)
		if pos+n > len(data) {
			return -1
		}
		f.colors, pos = data[pos:pos+n], pos+n
	}
	if pos >= len(data) {
		return -1
	}
	f.codeSize, f.data = data[pos], pos+1
	return pos + 1
}

// skipBlocks passes over data blocks up to and with their terminator; -1 when
// the data ends first.
func skipBlocks(data []byte, pos int) int {
	for pos < len(data) {
		n := int(data[pos])
		pos += 1 + n
		if n == 0 {
			return pos
		}
	}
	return -1
}

// A blockReader joins the data blocks of a frame.
type blockReader struct {
	data []byte
	pos  int
	left int
}

func (r *blockReader) ReadByte() (byte, error) {
	if r.left == 0 {
		if r.pos >= len(r.data) {
			return 0, io.ErrUnexpectedEOF
		}
		if r.left = int(r.data[r.pos]); r.left == 0 {
			return 0, io.EOF
		}
		r.pos++
	}
	if r.pos >= len(r.data) {
		return 0, io.ErrUnexpectedEOF
	}
	b := r.data[r.pos]
	r.pos++
	r.left--
	return b, nil
}

func (r *blockReader) Read(b []byte) (int, error) {
	for i := range b {
		c, err := r.ReadByte()
		if err != nil {
			return i, err
		}
		b[i] = c
	}
	return len(b), nil
}

// pixels decompresses a frame into to and returns how many pixels came.
func (f *gifFrame) pixels(data, to []byte) (int, error) {
	if f.codeSize < 2 || f.codeSize > 8 {
		return 0, errors.New("its code size is wrong")
	}
	r := lzw.NewReader(&blockReader{data: data, pos: f.data}, lzw.LSB, int(f.codeSize))
	defer r.Close()
	n, err := io.ReadFull(r, to)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// row is the row of the frame that the i-th row in the file is.
func (f *gifFrame) row(i int) int {
	if !f.interlaced {
		return i
	}
	for _, pass := range [][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		n := max(0, (f.h-pass[0]+pass[1]-1)/pass[1])
		if i < n {
			return pass[0] + i*pass[1]
		}
		i -= n
	}
	return f.h - 1
}

func openGIF(p *picture) error {
	g, err := readGIF(p.data)
	if err != nil {
		return err
	}
	p.a.Width, p.a.Height, p.a.Frames = g.width, g.height, len(g.frames)
	p.a.Decoder = "compress/lzw " + runtime.Version()
	if err := p.checkSize("GIF", g.width, g.height, 0); err != nil {
		return err
	}
	for _, f := range g.frames { // its indices, and what lies under it
		if err := p.checkSize("frame of the GIF", max(1, f.w), max(1, f.h), 4*int64(g.width)*int64(g.height)); err != nil {
			return err
		}
	}
	if g.more {
		p.warn("the GIF has more than %d frames; the rest is not counted", maxGIFFrames)
	}
	if g.truncated && len(g.frames) > 1 {
		p.partial("truncated in or after frame %d", len(g.frames))
	}
	p.decode = func(p *picture, yield func(*semblance.Frame, error) bool) { p.decodeGIF(&g, yield) }
	return nil
}

// decodeGIF draws frame over frame and yields those that are wanted. Frames that
// nothing wanted depends on are passed over.
func (p *picture) decodeGIF(g *gifFile, yield func(*semblance.Frame, error) bool) {
	n := g.affordable(2 * p.limits.Pixels)
	if n < len(g.frames) {
		p.warn("only the first %d of %d frames are looked at: drawing more would pass the limit on pixels", n, len(g.frames))
	}
	sample := spread(n, p.limits.Frames)
	if len(sample) < n {
		p.warn("%d of %d frames are examined, spread evenly", len(sample), len(g.frames))
	}
	needed := g.needed(sample)
	c := newGIFCanvas(g)
	for i := range needed {
		if !needed[i] {
			continue
		}
		saved, err := c.draw(p.data, i)
		if err != nil {
			p.partial("%s in frame %d of %d: %v", cut(g.truncated && i == len(g.frames)-1), i+1, len(g.frames), err)
			if i == 0 && c.drawn == 0 && len(g.frames) == 1 {
				yield(nil, damaged("the GIF does not decode: %v", err))
				return
			}
		}
		if slices.Contains(sample, i) {
			c.frame.Index = i
			if !yield(c.frame, nil) {
				return
			}
		}
		c.dispose(i, saved)
	}
}

// affordable is how many frames from the start may be drawn for so many pixels.
func (g *gifFile) affordable(pixels int64) int {
	for i, f := range g.frames {
		if pixels -= int64(f.w) * int64(f.h); pixels < 0 {
			return max(1, i)
		}
	}
	return len(g.frames)
}

// needed marks the sampled frames and those they are drawn over.
func (g *gifFile) needed(sample []int) []bool {
	last := sample[len(sample)-1]
	need := make([]bool, last+1)
	for i := last; i >= 0; i-- {
		need[i] = slices.Contains(sample, i) || i < last && need[i+1] && !g.covers(i+1)
	}
	return need
}

// covers reports whether frame i hides all before it.
func (g *gifFile) covers(i int) bool {
	f := &g.frames[i]
	return f.x == 0 && f.y == 0 && f.w >= g.width && f.h >= g.height && f.transparent < 0 && f.disposal != gifToPrevious
}

// A gifCanvas is the picture that the frames are drawn on.
type gifCanvas struct {
	g     *gifFile
	frame *semblance.Frame
	drawn int // pixels drawn, ever
}

// newGIFCanvas begins with the background color. Where the first frame is transparent, the
// color under its transparent index shows: alpha is dropped, as everywhere.
func newGIFCanvas(g *gifFile) *gifCanvas {
	c := &gifCanvas{g: g, frame: newFrame(0, g.width, g.height)}
	f := &g.frames[0]
	if f.x > 0 || f.y > 0 || f.w < g.width || f.h < g.height {
		c.paint(0, 0, g.width, g.height, tableColor(g.colors, g.background))
	}
	return c
}

// tableColor is that of an index, black beyond the table.
func tableColor(table []byte, i int) [3]byte {
	if i < 0 || 3*i+3 > len(table) {
		return [3]byte{}
	}
	return [3]byte(table[3*i:])
}

// clip is the part of a frame's rectangle on the canvas.
func (c *gifCanvas) clip(f *gifFrame) (x0, y0, x1, y1 int) {
	return min(f.x, c.g.width), min(f.y, c.g.height), min(f.x+f.w, c.g.width), min(f.y+f.h, c.g.height)
}

func (c *gifCanvas) paint(x0, y0, x1, y1 int, rgb [3]byte) {
	for y := y0; y < y1; y++ {
		row := c.frame.RGB[3*y*c.g.width:]
		for x := x0; x < x1; x++ {
			copy(row[3*x:3*x+3], rgb[:])
		}
	}
}

// draw puts frame i on the canvas and returns the rectangle under it when that
// has to come back.
func (c *gifCanvas) draw(data []byte, i int) (saved []byte, err error) {
	f := &c.g.frames[i]
	if f.disposal == gifToPrevious {
		saved = c.save(f)
	}
	indices := make([]byte, f.w*f.h)
	n, err := f.pixels(data, indices)
	if err != nil && c.drawn == 0 {
		x0, y0, x1, y1 := c.clip(f)
		c.paint(x0, y0, x1, y1, [3]byte{fill, fill, fill})
	}
	first := c.drawn == 0
	c.drawn += n
	for r := 0; r < f.h && r*f.w < n; r++ {
		y := f.y + f.row(r)
		if y < c.g.height && f.x < c.g.width {
			c.drawRow(f, indices[r*f.w:min(n, (r+1)*f.w)], y, first)
		}
	}
	return saved, err
}

func (c *gifCanvas) drawRow(f *gifFrame, indices []byte, y int, first bool) {
	row := c.frame.RGB[3*(y*c.g.width+f.x) : 3*(y+1)*c.g.width]
	for x := range min(len(indices), len(row)/3) {
		if v := int(indices[x]); v != f.transparent || first {
			rgb := tableColor(f.colors, v)
			copy(row[3*x:3*x+3], rgb[:])
		}
	}
}

func (c *gifCanvas) save(f *gifFrame) []byte {
	x0, y0, x1, y1 := c.clip(f)
	var saved []byte
	for y := y0; y < y1; y++ {
		saved = append(saved, c.frame.RGB[3*(y*c.g.width+x0):3*(y*c.g.width+x1)]...)
	}
	return saved
}

// dispose prepares the canvas for the frame after i.
func (c *gifCanvas) dispose(i int, saved []byte) {
	f := &c.g.frames[i]
	x0, y0, x1, y1 := c.clip(f)
	switch f.disposal {
	case gifToBackground:
		rgb := tableColor(c.g.colors, c.g.background)
		if f.transparent >= 0 {
			rgb = tableColor(f.colors, f.transparent)
		}
		c.paint(x0, y0, x1, y1, rgb)
	case gifToPrevious:
		for y := y0; y < y1; y++ {
			n := copy(c.frame.RGB[3*(y*c.g.width+x0):3*(y*c.g.width+x1)], saved)
			saved = saved[n:]
		}
	}
}
