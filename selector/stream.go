package selector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A Markup says how a text writes signs that mean something to it.
type Markup int

// The kinds of markup.
const (
	Plain Markup = iota
	JSON         // \n, \/, \u002B
	XML          // &amp;, &#64;; HTML as well
)

// An Encoding is how a text is written in bytes.
type Encoding string

// The encodings. Text of the first is read byte by byte where it is not UTF-8, as
// Latin-1, so that a log of both is read.
const (
	UTF8    Encoding = "UTF-8"
	UTF16LE Encoding = "UTF-16LE"
	UTF16BE Encoding = "UTF-16BE"
)

// HeadLen is how many bytes DetectEncoding looks at.
const HeadLen = 4096

// DetectEncoding tells the encoding of a text by its byte order mark or, without one, by
// where the first bytes are zero: every second one of most texts in UTF-16. bom is the
// length of the mark.
func DetectEncoding(head []byte) (e Encoding, bom int) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return UTF8, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return UTF16LE, 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return UTF16BE, 2
	}
	head = head[:min(len(head), HeadLen)&^1]
	var zeros [2]int
	for i, b := range head {
		if b == 0 {
			zeros[i&1]++
		}
	}
	switch half := len(head) / 2; {
	case half >= 4 && zeros[1]*10 >= half*4 && zeros[0]*10 < zeros[1]:
		return UTF16LE, 0
	case half >= 4 && zeros[0]*10 >= half*4 && zeros[1]*10 < zeros[0]:
		return UTF16BE, 0
	}
	return UTF8, 0
}

// Limits bound what one text may cost.
type Limits struct {
	Bytes int64 // that are read; 0 is no limit
	Tries int   // places that are looked at closely, of which each costs some microseconds; 0 is no limit
}

// Stats tell of one text.
type Stats struct {
	Encoding Encoding
	Bytes    int64 // that were read to the end of what was looked at
	Whole    bool  // the text was read to its end; otherwise a limit was met
}

// chunkSize is how many bytes are read at once.
const chunkSize = 256 << 10

// Find calls emit with every selector of a text in the order of places, until the text
// ends, a limit is met or emit returns an error, which it returns. The text may be of any
// length; memory does not grow with it. A selector may occur more than once.
func Find(ctx context.Context, r io.Reader, o Options, m Markup, l Limits, emit func(Found) error) (Stats, error) {
	s := stream{r: r, w: newWindow(o), markup: m, limits: l, chunk: chunkSize}
	err := s.run(ctx, emit)
	return s.stats, err
}

// A stream decodes a text piece by piece and moves the window over it.
type stream struct {
	r      io.Reader
	w      *window
	markup Markup
	limits Limits
	chunk  int64 // bytes that are read at once; tests have small ones
	stats  Stats
	raw    []byte // read, not yet decoded
	at     int64  // of raw's first byte in the text
	pieces []piece
	ended  bool
}

// A piece is a stretch of decoded text whose bytes lie evenly in what was read.
type piece struct {
	pos    int   // in the window's text
	source int64 // of that byte
	step   int64 // bytes that were read for one of the text
}

func (s *stream) run(ctx context.Context, emit func(Found) error) error {
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
		if first {
			bom := 0
			s.stats.Encoding, bom = DetectEncoding(s.raw)
			s.raw, s.at = s.raw[bom:], int64(bom)
		}
		s.decode()
		w := s.w
		w.to = len(w.text)
		if !s.ended {
			w.to = max(w.from, len(w.text)-margin)
		}
		w.scan()
		for _, f := range w.sorted() {
			f.Offset = s.source(int(f.Offset))
			if err := emit(f); err != nil {
				return err
			}
		}
		s.stats.Bytes = s.source(w.to)
		if s.ended {
			return nil
		}
		if s.limits.Tries > 0 && w.tries >= s.limits.Tries {
			s.stats.Whole = false
			return nil
		}
		s.forget(max(0, w.to-margin))
	}
}

// fill reads the next chunk.
func (s *stream) fill() error {
	size := s.chunk
	limited := false
	if left := s.limits.Bytes - s.at - int64(len(s.raw)); s.limits.Bytes > 0 && left <= size {
		size, limited = max(left, 0), true
	}
	kept := len(s.raw)
	s.raw = append(s.raw, make([]byte, size)...)
	n, err := io.ReadFull(s.r, s.raw[kept:])
	s.raw = s.raw[:kept+n]
	switch {
	case err == io.EOF && size > 0 || errors.Is(err, io.ErrUnexpectedEOF):
		s.ended, s.stats.Whole = true, true
	case err != nil && err != io.EOF:
		return err
	case limited: // whether there is more, one byte tells
		var more [1]byte
		k, err := io.ReadFull(s.r, more[:])
		if err != nil && err != io.EOF {
			return err
		}
		s.ended, s.stats.Whole = true, k == 0
	}
	return nil
}

// forget drops text before pos.
func (s *stream) forget(pos int) {
	w := s.w
	i := s.pieceOf(pos)
	if i > 0 {
		s.pieces = append(s.pieces[:0], s.pieces[i:]...)
	}
	for k := range s.pieces {
		s.pieces[k].pos -= pos
	}
	w.text = append(w.text[:0], w.text[pos:]...)
	w.from = w.to - pos
}

func (s *stream) pieceOf(pos int) int {
	return max(0, sort.Search(len(s.pieces), func(k int) bool { return s.pieces[k].pos > pos })-1)
}

// source returns where a byte of the window's text was read.
func (s *stream) source(pos int) int64 {
	if len(s.pieces) == 0 {
		return s.at
	}
	p := s.pieces[s.pieceOf(pos)]
	return p.source + int64(pos-p.pos)*p.step
}

// put appends text that was read at a place.
func (s *stream) put(source, step int64, text ...byte) {
	w := s.w
	if k := len(s.pieces) - 1; k < 0 || s.pieces[k].step != step || s.pieces[k].source+int64(len(w.text)-s.pieces[k].pos)*step != source {
		s.pieces = append(s.pieces, piece{len(w.text), source, step})
	}
	w.text = append(w.text, text...)
}

// decode turns what was read into text, as far as it is whole.
func (s *stream) decode() {
	used := 0
	switch {
	case s.stats.Encoding != UTF8:
		used = s.decode16()
	case s.markup == Plain && bytes.IndexByte(s.raw, '\\') < 0:
		s.put(s.at, 1, s.raw...)
		used = len(s.raw)
	default:
		used = s.decode8()
	}
	s.at += int64(used)
	s.raw = append(s.raw[:0], s.raw[used:]...)
}

// decode8 resolves escapes.
func (s *stream) decode8() int {
	i := 0
	for i < len(s.raw) {
		next := s.plain(i)
		if next > i {
			s.put(s.at+int64(i), 1, s.raw[i:next]...)
			i = next
			continue
		}
		if len(s.raw)-i < longestEscape && !s.ended {
			break
		}
		text, n := s.escape(s.raw[i:])
		s.put(s.at+int64(i), 1, text...)
		i += n
	}
	return i
}

// plain returns where the next escape after i may begin.
func (s *stream) plain(i int) int {
	sign := byte('\\')
	if s.markup == XML {
		sign = '&'
	}
	if k := bytes.IndexByte(s.raw[i:], sign); k >= 0 {
		return i + k
	}
	return len(s.raw)
}

// decode16 reads UTF-16. Escapes are resolved in what it gives, where they are ASCII.
func (s *stream) decode16() int {
	unit := func(i int) uint16 {
		if s.stats.Encoding == UTF16LE {
			return uint16(s.raw[i]) | uint16(s.raw[i+1])<<8
		}
		return uint16(s.raw[i])<<8 | uint16(s.raw[i+1])
	}
	i := 0
	for i+1 < len(s.raw) {
		source, u, n := s.at+int64(i), unit(i), 2
		if u == '\\' || u == '&' {
			if len(s.raw)-i < 2*longestEscape && !s.ended {
				break
			}
			var ascii []byte
			for k := i; k+1 < len(s.raw) && k-i < 2*longestEscape && unit(k) < 0x80; k += 2 {
				ascii = append(ascii, byte(unit(k)))
			}
			text, used := s.escape(ascii)
			s.put(source, 2, text...)
			i += 2 * used
			continue
		}
		if u < 0x80 {
			s.put(source, 2, byte(u))
			i += 2
			continue
		}
		r := rune(u)
		if utf16.IsSurrogate(r) {
			if i+3 >= len(s.raw) && !s.ended {
				break
			}
			if i+3 < len(s.raw) {
				if r = utf16.DecodeRune(r, rune(unit(i+2))); r != utf8.RuneError {
					n = 4
				}
			}
		}
		s.put(source, 1, utf8.AppendRune(nil, r)...)
		i += n
	}
	if s.ended {
		return len(s.raw) // half a unit is none
	}
	return i
}

// longestEscape is how many bytes an escape has at most: two \uXXXX of one character.
const longestEscape = 12

// escape resolves the escape that b begins with and returns how many bytes it has. What is
// none stays.
func (s *stream) escape(b []byte) ([]byte, int) {
	switch {
	case s.markup == XML && b[0] == '&':
		return entity(b)
	case b[0] == '\\' && len(b) > 1 && b[1] == '/': // in JSON, and in logs that hold some
		return []byte{'/'}, 2
	case s.markup == JSON && b[0] == '\\' && len(b) > 1:
		return escaped(b)
	}
	return b[:1], 1
}

// escaped resolves an escape of JSON.
func escaped(b []byte) ([]byte, int) {
	switch b[1] {
	case 'n', 'r', 't', 'b', 'f':
		return []byte{'\n'}, 2
	case '"', '\\':
		return b[1:2], 2
	case 'u':
		if r, ok := codeOf(b); ok {
			if utf16.IsSurrogate(r) && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
				if low, ok := codeOf(b[6:]); ok {
					if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
						return utf8.AppendRune(nil, both), 12
					}
				}
			}
			return utf8.AppendRune(nil, r), 6
		}
	}
	return b[:1], 1
}

func codeOf(b []byte) (rune, bool) {
	if len(b) < 6 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(v), err == nil
}

// entity resolves the references of XML and HTML that matter to selectors.
func entity(b []byte) ([]byte, int) {
	end := bytes.IndexByte(b[:min(len(b), longestEscape)], ';')
	if end < 2 {
		return b[:1], 1
	}
	name := string(b[1:end])
	switch name {
	case "amp":
		return []byte{'&'}, end + 1
	case "lt":
		return []byte{'<'}, end + 1
	case "gt":
		return []byte{'>'}, end + 1
	case "quot":
		return []byte{'"'}, end + 1
	case "apos":
		return []byte{'\''}, end + 1
	case "nbsp":
		return []byte("\u00a0"), end + 1
	case "plus":
		return []byte{'+'}, end + 1
	case "commat":
		return []byte{'@'}, end + 1
	}
	if name[0] != '#' {
		return b[:1], 1
	}
	v, err := strconv.ParseInt(name[1:], 10, 32)
	if len(name) > 2 && (name[1] == 'x' || name[1] == 'X') {
		v, err = strconv.ParseInt(name[2:], 16, 32)
	}
	if err != nil || v < 1 {
		return b[:1], 1
	}
	return utf8.AppendRune(nil, rune(v)), end + 1
}

// A Finder looks for selectors in many texts, one after the other, and remembers which
// numbers are none. It is not safe for concurrent use.
type Finder struct{ w *window }

// NewFinder returns a Finder.
func NewFinder(o Options) *Finder { return &Finder{newWindow(o)} }

// Find returns the selectors of a whole text in UTF-8 or Latin-1, in their order. Offsets
// are within the text after its escapes are resolved.
func (f *Finder) Find(text []byte, m Markup) []Found {
	w := f.w
	w.from, w.text = 0, append(w.text[:0], text...)
	if m != Plain || bytes.IndexByte(text, '\\') >= 0 {
		s := stream{w: w, markup: m, raw: bytes.Clone(text), ended: true, stats: Stats{Encoding: UTF8}}
		w.text = w.text[:0]
		s.decode()
	}
	w.to = len(w.text)
	w.scan()
	return w.sorted()
}

// Tries is how many places were looked at closely so far; see [Limits].
func (f *Finder) Tries() int { return f.w.tries }
