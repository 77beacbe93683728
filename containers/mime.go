package containers

import (
	"bufio"
	"bytes"
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mail as it is found keeps the rules of RFC 5322 and 2045 loosely. What is here reads
// what mail programs read, and refuses nothing.

// A header is the head of a message or of one of its parts: field names in lower case.
type header map[string]string

// maxHeader bounds the head of a message or a part; what stands behind it is its body.
const maxHeader = 256 << 10

// add takes an unfolded field. The first of a name counts, as for most mail programs.
func (h header) add(field []byte) {
	name, value, ok := bytes.Cut(field, []byte(":"))
	if !ok {
		return
	}
	key := strings.ToLower(strings.TrimSpace(string(name)))
	if _, there := h[key]; !there {
		h[key] = strings.TrimSpace(string(value))
	}
}

// fieldName is the name of the header field that a line begins, "" when it begins none.
func fieldName(line []byte) string {
	i := bytes.IndexByte(line, ':')
	if i < 1 || i > 76 {
		return ""
	}
	for _, c := range line[:i] {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return strings.ToLower(string(line[:i]))
}

// params splits the value of Content-Type or Content-Disposition: the value in lower case
// and its parameters by their names in lower case, with RFC 2231's continuations and
// character sets, and RFC 2047's words where they do not belong, undone.
func params(field string) (value string, all map[string]string) {
	value, rest, _ := strings.Cut(field, ";")
	raw := map[string]string{}
	for rest != "" && len(raw) < 100 {
		var name, v string
		name, v, rest = nextParam(rest)
		if _, there := raw[name]; name != "" && !there {
			raw[name] = v
		}
	}
	all = map[string]string{}
	for name, v := range raw {
		base, _, extended := strings.Cut(name, "*")
		if !extended {
			if _, there := all[base]; !there {
				all[base] = decodeWords(v)
			}
			continue
		}
		if joined := joinParam(raw, base); joined != "" {
			all[base] = joined
		}
	}
	return strings.ToLower(strings.TrimSpace(value)), all
}

// nextParam takes one parameter off the front.
func nextParam(s string) (name, value, rest string) {
	s = strings.TrimLeft(s, " \t\r\n;")
	eq, semi := strings.IndexByte(s, '='), strings.IndexByte(s, ';')
	if eq < 0 || semi >= 0 && semi < eq {
		if semi < 0 {
			return "", "", ""
		}
		return "", "", s[semi+1:]
	}
	name, s = strings.ToLower(strings.TrimSpace(s[:eq])), strings.TrimLeft(s[eq+1:], " \t\r\n")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var b strings.Builder
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
			i++
		}
		b.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i+1, len(s)):], ";")
	return name, b.String(), rest
}

// joinParam puts a parameter of RFC 2231 together: name*, or name*0, name*1*, ...
func joinParam(raw map[string]string, base string) string {
	if v, ok := raw[base+"*"]; ok {
		return decodeExtended(v, true)
	}
	var b strings.Builder
	charset := ""
	for i := 0; ; i++ {
		n := base + "*" + strconv.Itoa(i)
		if v, ok := raw[n+"*"]; ok {
			if i == 0 {
				charset, _, _ = strings.Cut(v, "'")
			}
			b.WriteString(unescape(afterLanguage(v, i == 0)))
		} else if v, ok := raw[n]; ok {
			b.WriteString(v)
		} else {
			break
		}
	}
	return toUTF8(charset, b.String())
}

func afterLanguage(v string, first bool) string {
	if parts := strings.SplitN(v, "'", 3); first && len(parts) == 3 {
		return parts[2]
	}
	return v
}

func decodeExtended(v string, first bool) string {
	charset, _, _ := strings.Cut(v, "'")
	return toUTF8(charset, unescape(afterLanguage(v, first)))
}

// unescape undoes %XX, and leaves a percent sign that begins none.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// toUTF8 decodes Latin-1; everything else stays in its own bytes, as names may.
func toUTF8(charset, s string) string {
	if c := strings.ToLower(charset); (c == "iso-8859-1" || c == "windows-1252") && !utf8.ValidString(s) {
		var b strings.Builder
		for i := range len(s) {
			b.WriteRune(rune(s[i]))
		}
		return b.String()
	}
	return s
}

// decodeWords undoes the encoded words of RFC 2047. Words of a character set that is not
// known keep their own bytes.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	d := mime.WordDecoder{CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil }}
	if out, err := d.DecodeHeader(s); err == nil {
		return out
	}
	return s
}

// An anyBase64 reads base64 as it is found: whatever is no letter of the alphabet is
// passed over, padding ends it. It accepts the URL alphabet too.
type anyBase64 struct {
	r    io.Reader
	in   [8 << 10]byte
	out  [6 << 10]byte
	rest []byte // of out, not yet given
	bits uint32
	n    int  // letters in bits
	back bool // a backslash was read: JSON's \n between lines, or its \/
	err  error
}

func newBase64(r io.Reader) io.Reader { return &anyBase64{r: r} }

func (d *anyBase64) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		n, err := d.r.Read(d.in[:])
		d.rest = d.decode(d.in[:n])
		if d.err == nil && err != nil {
			d.rest, d.err = d.end(d.rest), err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// decode decodes letters; what makes no whole group waits.
func (d *anyBase64) decode(in []byte) []byte {
	out := d.out[:0]
	for _, c := range in {
		v := sextets[c]
		switch {
		case d.back:
			if d.back = false; c == 'n' || c == 'r' || c == 't' {
				continue
			}
		case c == '\\':
			d.back = true
		case c == '=':
			d.err = io.EOF
			return d.end(out)
		}
		if v < 0 {
			continue
		}
		if d.bits, d.n = d.bits<<6|uint32(v), d.n+1; d.n == 4 {
			out = append(out, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
			d.bits, d.n = 0, 0
		}
	}
	return out
}

// end adds what a last group of two or three letters holds.
func (d *anyBase64) end(out []byte) []byte {
	if d.n >= 2 {
		d.bits <<= 6 * (4 - d.n)
		out = append(out, byte(d.bits>>16), byte(d.bits>>8))[:len(out)+d.n-1]
	}
	d.n = 0
	return out
}

// sextets are the values of letters, -1 for what is none.
var sextets = func() (t [256]int8) {
	for c := range t {
		t[c] = int8(sextet(byte(c)))
	}
	return t
}()

func sextet(c byte) int {
	switch {
	case c >= 'A' && c <= 'Z':
		return int(c - 'A')
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 26
	case c >= '0' && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

// A quotedPrintable undoes RFC 2045's other encoding; what is not encoded rightly stays.
type quotedPrintable struct{ r *bufio.Reader }

func (q quotedPrintable) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c, err := q.r.ReadByte()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		if c == '=' {
			next, _ := q.r.Peek(2)
			if skip := softBreak(next); skip > 0 {
				_, _ = q.r.Discard(skip)
				continue
			}
			if len(next) == 2 {
				if v, err := strconv.ParseUint(string(next), 16, 8); err == nil {
					c = byte(v)
					_, _ = q.r.Discard(2)
				}
			}
		}
		p[n] = c
		n++
	}
	return n, nil
}

func softBreak(next []byte) int {
	switch {
	case bytes.HasPrefix(next, []byte("\r\n")):
		return 2
	case bytes.HasPrefix(next, []byte("\n")), len(next) == 1 && next[0] == '\r':
		return 1
	}
	return 0
}

// A uudecoder reads the lines between "begin" and "end".
type uudecoder struct {
	r    *bufio.Reader
	rest []byte
}

func (u *uudecoder) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		line, err := u.r.ReadSlice('\n')
		if len(line) == 0 || err == bufio.ErrBufferFull {
			if err == nil || err == bufio.ErrBufferFull {
				err = io.EOF
			}
			return 0, err
		}
		u.rest = uuLine(bytes.TrimRight(line, "\r\n"))
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// uuLine decodes a line; nothing when it is none.
func uuLine(line []byte) []byte {
	if len(line) == 0 || line[0] < ' ' || line[0] > '`' {
		return nil
	}
	want := int(line[0]-' ') & 63
	var out []byte
	for i := 1; i+1 < len(line) && len(out) < want; i += 4 {
		var b uint32
		for j := range 4 {
			b <<= 6
			if i+j < len(line) {
				b |= uint32(line[i+j]-' ') & 63
			}
		}
		out = append(out, byte(b>>16), byte(b>>8), byte(b))
	}
	return out[:min(len(out), want)]
}
