package containers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"sort"

	"semblance"
)

// Carving finds files by what they begin with, in space that no file system claims, and
// follows their own structure to their end. Nothing is guessed from where the next file
// begins: what does not follow its format is not a file, or a piece of one, which the
// entry then says.

// A space is the unused stretches of a device, one behind the other: a file that was
// written around blocks of others goes on behind them.
type space struct {
	dev    device
	spans  []span
	begins []int64 // of each span in the space
	size   int64
}

// newSpace cuts stretches to whole sectors, where files begin.
func newSpace(dev device, spans []span) *space {
	s := &space{dev: dev}
	for _, x := range spans {
		x.start, x.end = (x.start+sectorSize-1)/sectorSize*sectorSize, x.end/sectorSize*sectorSize
		if x.start < x.end {
			s.spans, s.begins = append(s.spans, x), append(s.begins, s.size)
			s.size += x.end - x.start
		}
	}
	return s
}

// span returns the stretch that holds an offset.
func (s *space) span(off int64) int {
	return sort.Search(len(s.begins), func(i int) bool { return s.begins[i] > off }) - 1
}

// device returns where an offset of the space is on the device.
func (s *space) device(off int64) int64 {
	i := s.span(off)
	return s.spans[i].start + off - s.begins[i]
}

// pieces returns in how many pieces a stretch of the space lies on the device.
func (s *space) pieces(off, length int64) int { return s.span(off+length-1) - s.span(off) + 1 }

// ReadAt reads across the borders of stretches.
func (s *space) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= s.size || at < 0 {
			return n, io.EOF
		}
		i := s.span(at)
		in := at - s.begins[i]
		want := min(int64(len(p)-n), s.spans[i].end-s.spans[i].start-in)
		got, err := s.dev.ReadAt(p[n:n+int(want)], s.spans[i].start+in)
		n += got
		if int64(got) < want {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, readable(err, s.device(off+int64(n)))
		}
	}
	return n, nil
}

// data returns the next offset that may hold something else than zeros.
func (s *space) data(off int64) int64 {
	for off < s.size {
		i := s.span(off)
		x, in := s.spans[i], off-s.begins[i]
		start, _ := s.dev.Data(x.start + in)
		if start < x.end {
			return s.begins[i] + max(start-x.start, in)
		}
		// The next stretch that reaches behind it.
		i = sort.Search(len(s.spans), func(i int) bool { return s.spans[i].end > start })
		if i == len(s.spans) {
			return s.size
		}
		off = s.begins[i]
	}
	return s.size
}

// A carving is what a parser makes of a beginning.
type carving struct {
	ext     string
	size    int64
	partial string // why it is not whole; empty: it is
	// loose says that the structure does not show that all of it belongs together (the
	// samples of a video): what begins inside is looked for as well.
	loose bool
}

// A carveFormat is a format that is carved.
type carveFormat struct {
	magic  string
	at     int  // of the magic in the file
	anyOff bool // looked for at every byte, not only where sectors begin
	parse  func(c *scanner) (carving, bool)
}

// carveFormats are in the order they are tried in.
var carveFormats = []carveFormat{
	{"\xff\xd8\xff", 0, true, carveJPEG},
	{"\x89PNG\r\n\x1a\n", 0, true, carvePNG},
	{"ftyp", 4, false, carveBoxes},
	{"GIF8", 0, false, carveGIF},
	{"RIFF", 0, false, carveRIFF},
	{"\x1a\x45\xdf\xa3", 0, false, carveMatroska},
	{"BM", 0, false, carveBMP},
	{"II*\x00", 0, false, carveTIFF},
	{"MM\x00*", 0, false, carveTIFF},
	{"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 0, false, carveASF},
	{"FLV\x01", 0, false, carveFLV},
	{"\x00\x00\x01\xba", 0, false, carveMPEG},
}

const (
	carveWindow = 1 << 20
	// carveMagic is how many bytes tell a format.
	carveMagic = 8
	// badStep is what is left out at an error of reading.
	badStep = 64 << 10
)

// A carver goes through a space once, from its beginning to its end.
type carver struct {
	space    *space
	progress func(done, total int64)
	at       int64 // what comes next
	loose    int64 // up to here only beginnings of sectors count
	buf      []byte
	begin    int64 // of buf in the space
	bad      int64 // bytes that could not be read
	found    int
	budget   int64 // bytes that parsers may read of what turns out to be no file, or not a whole one
	hasty    bool  // it was used up
}

func newCarver(dev device, free []span, progress func(done, total int64)) *carver {
	s := newSpace(dev, free)
	return &carver{space: s, progress: progress, budget: 64<<20 + 4*s.size}
}

// next returns the next file.
func (c *carver) next() (semblance.Entry, io.Reader, error) {
	for {
		at, f, ok := c.find()
		if !ok {
			return semblance.Entry{}, nil, io.EOF
		}
		scan := newScanner(c.space, at, c.progress)
		found, ok := f.parse(scan)
		if !ok || found.size <= 0 || at+found.size > c.space.size {
			c.fail(at, scan.read)
			continue
		}
		c.advance(at, found, scan.read)
		c.found++
		return c.entry(at, found), sentences{io.NewSectionReader(c.space, at, found.size)}, nil
	}
}

// fail goes on behind a beginning that led nowhere. Where these cost more than the space
// does, what was read for one is not searched again.
func (c *carver) fail(at, read int64) {
	c.at = at + 1
	if c.budget -= read; c.budget < 0 {
		c.at, c.hasty = at+max(read, 1), true
	}
}

// advance goes on behind a file; of one that breaks off, behind its first sector, because
// it may have been overwritten anywhere, as long as that is not done without end.
func (c *carver) advance(at int64, found carving, read int64) {
	c.at = at + found.size
	switch {
	case c.budget < 0 && (found.partial != "" || found.loose):
		c.hasty = true
	case found.partial != "":
		c.budget -= read
		c.at = at + min(found.size, sectorSize)
	case found.loose:
		c.at = at + min(found.size, sectorSize)
		c.loose = max(c.loose, at+found.size)
	}
}

func (c *carver) entry(at int64, found carving) semblance.Entry {
	off := c.space.device(at)
	e := semblance.Entry{Name: fmt.Appendf(nil, "%s%012d.%s", carvedName, off, found.ext), Kind: semblance.EntryFile, Size: found.size,
		Deleted: true, Carved: true, Offset: off}
	if n := c.space.pieces(at, found.size); n > 1 {
		e.Reason = fmt.Sprintf("carved from %d pieces, with blocks between them that are in use", n)
	}
	if found.partial != "" {
		e.Reason = "carved; " + found.partial
	}
	return e
}

// notes say what carving came to.
func (c *carver) notes() (out []string) {
	if c.bad == 0 || c.bad < c.space.size {
		out = append(out, fmt.Sprintf("%s carved from %d bytes that nothing uses", several(c.found, "file was", "files were"), c.space.size-c.bad))
	}
	if c.hasty {
		out = append(out, "so many files begin there and break off that files inside of others were not looked for everywhere")
	}
	if c.bad > 0 {
		out = append(out, fmt.Sprintf("%d bytes that nothing uses could not be read, and were not searched", c.bad))
	}
	return out
}

// find returns the next beginning of a file.
func (c *carver) find() (at int64, f *carveFormat, ok bool) {
	for c.fill() {
		i, f := c.search()
		if f != nil {
			c.at = c.begin + int64(i)
			return c.at, f, true
		}
		// A magic may lie across the end.
		c.at = max(c.at, c.begin+int64(len(c.buf))-carveMagic+1)
		if c.begin+int64(len(c.buf)) >= c.space.size {
			c.at = c.space.size
		}
	}
	return 0, nil, false
}

// fill makes sure that buf holds what is at c.at.
func (c *carver) fill() bool {
	for {
		if c.at >= c.space.size {
			return false
		}
		if in := c.at - c.begin; in >= 0 && in+carveMagic <= int64(len(c.buf)) {
			return true
		}
		if start := c.space.data(c.at); start > c.at {
			if c.at = start; c.at >= c.space.size {
				return false
			}
		}
		c.progress(c.at, c.space.size)
		if c.buf == nil {
			c.buf = make([]byte, carveWindow)
		}
		c.begin = c.at
		n, err := c.space.ReadAt(c.buf[:cap(c.buf)], c.begin)
		c.buf = c.buf[:n]
		if n >= carveMagic {
			return true
		}
		if err == io.EOF {
			return false
		}
		step := min(badStep-c.at%badStep, c.space.size-c.at)
		c.bad += step - int64(n)
		c.at += step
	}
}

// search looks for a beginning in buf at or behind c.at.
func (c *carver) search() (int, *carveFormat) {
	from := int(c.at - c.begin)
	best, found := len(c.buf), (*carveFormat)(nil)
	if c.at >= c.loose {
		for i := range carveFormats {
			f := &carveFormats[i]
			if !f.anyOff {
				continue
			}
			if n := bytes.Index(c.buf[from:best], []byte(f.magic)); n >= 0 {
				best, found = from+n, f
			}
		}
	}
	first := (c.at+sectorSize-1)/sectorSize*sectorSize - c.begin
	for i := int(first); i < best && i+carveMagic <= len(c.buf); i += sectorSize {
		for k := range carveFormats {
			f := &carveFormats[k]
			if string(c.buf[i+f.at:i+f.at+len(f.magic)]) == f.magic {
				return i, f
			}
		}
	}
	return best, found
}

// A scanner reads a file that is being carved, from its beginning.
type scanner struct {
	*bufio.Reader
	s        *space
	begin    int64
	at       int64 // bytes of the file that were taken
	read     int64 // bytes that were looked at
	reported int64
	progress func(done, total int64)
}

func newScanner(s *space, begin int64, progress func(done, total int64)) *scanner {
	r := &scanner{s: s, begin: begin, progress: progress}
	r.Reader = bufio.NewReaderSize(io.NewSectionReader(s, begin, s.size-begin), 16<<10)
	return r
}

// left is how much of the space lies behind.
func (r *scanner) left() int64 { return r.s.size - r.begin - r.at }

// took counts n more bytes.
func (r *scanner) took(n int) {
	r.at += int64(n)
	if r.read += int64(n); r.read-r.reported > 1<<24 {
		r.reported = r.read
		r.progress(r.begin, r.s.size)
	}
}

// next returns the next byte.
func (r *scanner) next() (byte, bool) {
	b, err := r.ReadByte()
	if err != nil {
		return 0, false
	}
	r.took(1)
	return b, true
}

// full reads all of p.
func (r *scanner) full(p []byte) bool {
	n, err := io.ReadFull(r.Reader, p)
	r.took(n)
	return err == nil
}

// pass hands the next n bytes to w.
func (r *scanner) pass(w io.Writer, n int64) bool {
	for n > 0 {
		got, err := io.CopyN(w, r.Reader, min(n, 1<<20))
		r.took(int(got))
		if n -= got; err != nil {
			return false
		}
	}
	return true
}

// skip leaves n bytes out, unread where they are many.
func (r *scanner) skip(n int64) bool {
	if n < 0 || n > r.left() {
		return false
	}
	if n <= int64(r.Buffered()) {
		r.Discard(int(n))
		r.at += n
		return true
	}
	r.at += n
	r.Reset(io.NewSectionReader(r.s, r.begin+r.at, r.left()))
	return true
}

// sentences turns errors of reading into what a person can read.
type sentences struct{ r io.Reader }

func (s sentences) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		if _, ok := err.(*semblance.Error); !ok {
			err = readable(err, 0)
		}
	}
	return n, err
}

// several says a number with its noun.
func several[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
