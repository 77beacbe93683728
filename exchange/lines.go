package exchange

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"semblance"
	"semblance/hashing"
)

// maxLine bounds a line; a longer one is a bad row.
const maxLine = 64 << 10

// A lineSource reads a text file line by line.
type lineSource struct {
	*base
	in     *bufio.Reader
	offset int64 // after the line that was read last
	line   int64
	parse  func(line []byte, r *semblance.DigestRow) error
}

func (b *base) lines(parse func([]byte, *semblance.DigestRow) error) *lineSource {
	return &lineSource{base: b, in: bufio.NewReaderSize(nil, maxLine), parse: parse}
}

// Position implements semblance.DigestSource.
func (s *lineSource) Position() semblance.SourcePosition {
	return semblance.SourcePosition{Offset: s.offset, Row: s.line}
}

// Seek implements semblance.DigestSource.
func (s *lineSource) Seek(_ context.Context, at semblance.SourcePosition) error {
	if at.Offset < 0 || at.Offset > s.about.Bytes || at.Row < 0 {
		return semblance.Errorf(semblance.Internal, "there is no byte %d in %q", at.Offset, s.about.Name)
	}
	s.in.Reset(io.NewSectionReader(s.f, at.Offset, s.about.Bytes-at.Offset))
	s.offset, s.line = at.Offset, at.Row
	return nil
}

// Next implements semblance.DigestSource.
func (s *lineSource) Next(_ context.Context, r *semblance.DigestRow) error {
	line, err := s.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return s.skip(line)
	case errors.Is(err, io.EOF) && len(line) == 0:
		return io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		return s.unreadable(err)
	}
	s.offset += int64(len(line))
	s.line++
	text := bytes.TrimRight(line, "\r\n")
	if s.line == 1 {
		text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	*r = semblance.DigestRow{Row: s.line}
	err = s.parse(text, r)
	if err == nil {
		return nil
	}
	if err = s.bad(text, err); semblance.CodeOf(err) == semblance.Invalid {
		s.offset, s.line = s.offset-int64(len(line)), s.line-1 // not read: somebody has to say something first
	}
	return err
}

func (s *lineSource) unreadable(err error) error {
	return semblance.Errorf(semblance.Invalid, "%q cannot be read past line %d", s.about.Name, s.line).
		WithHint("Check the disk it is on, and run the command again: it goes on where it was.").WithCause(err)
}

// skip leaves out a line that is too long, of which there is the beginning.
func (s *lineSource) skip(line []byte) error {
	begin := clip(line)
	n := int64(len(line))
	for {
		more, err := s.in.ReadSlice('\n')
		n += int64(len(more))
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return s.unreadable(err)
		}
		s.offset += n
		s.line++
		return &semblance.BadRow{Row: s.line, Text: begin, Reason: "the line is longer than 64 KiB"}
	}
}

// bad makes a bad row of what is wrong with the text of a line. What has a code ends the reading.
func (s *lineSource) bad(line []byte, err error) error {
	var coded *semblance.Error
	if errors.As(err, &coded) || errors.Is(err, semblance.ErrBlankRow) {
		return err
	}
	return &semblance.BadRow{Row: s.line, Text: clip(line), Reason: err.Error()}
}

// clip is the beginning of a foreign text.
func clip(b []byte) string {
	const most = 120
	return readable(b[:min(len(b), most)])
}

// readable is text that may be UTF-8, or else ISO-8859-1.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// setDigest puts the digest of an algorithm into a row.
func setDigest(r *semblance.DigestRow, alg hashing.Algorithm, value []byte) {
	switch alg {
	case hashing.AlgorithmMD5:
		r.MD5 = value
	case hashing.AlgorithmSHA1:
		r.SHA1 = value
	case hashing.AlgorithmSHA256:
		r.SHA256 = value
	}
}

// hexDigest reads the hex text of a digest into dst, which has room for it. An empty
// text is no digest.
func hexDigest(dst []byte, alg hashing.Algorithm, text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, nil
	}
	dst = dst[:alg.Bits()/8]
	if len(text) == 2*len(dst) && fromHex(dst, text) {
		return dst, nil
	}
	return hashing.Parse(alg, string(text)) // which says what is wrong
}

// fromHex decodes hex in either case. It is false for anything else.
func fromHex(dst, text []byte) bool {
	var wrong byte
	for i := range dst {
		hi, lo := nibbles[text[2*i]], nibbles[text[2*i+1]]
		wrong |= hi | lo
		dst[i] = hi<<4 | lo&15
	}
	return wrong < 16
}

// nibbles are the values of hex digits, 0xff for every other byte.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
		if n := strings.IndexByte("0123456789abcdef", byte(i)|0x20); n >= 0 && (n > 9 || i >= '0' && i <= '9') {
			t[i] = byte(n)
		}
	}
	return t
}()

// splitCSV splits a line at commas outside of quotes; doubled quotes are one. Of a quote that is never
// closed the rest is one column.
func splitCSV(line []byte) []string {
	var out []string
	for rest := bytes.TrimRight(line, "\r\n"); ; {
		var col []byte
		if len(rest) > 0 && rest[0] == '"' {
			rest = rest[1:]
			for {
				i := bytes.IndexByte(rest, '"')
				if i < 0 {
					return append(out, readable(append(col, rest...)))
				}
				col = append(col, rest[:i]...)
				if rest = rest[i+1:]; len(rest) == 0 || rest[0] != '"' {
					break
				}
				col, rest = append(col, '"'), rest[1:]
			}
		}
		i := bytes.IndexByte(rest, ',')
		if i < 0 {
			return append(out, readable(append(col, rest...)))
		}
		out = append(out, readable(append(col, rest[:i]...)))
		rest = rest[i+1:]
	}
}
