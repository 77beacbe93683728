package containers

import (
	"bytes"
	"strconv"
	"strings"
)

// A pdfKind says what a value of a PDF is.
type pdfKind byte

const (
	pdfNull pdfKind = iota
	pdfNumber
	pdfText // a string, decoded, not decrypted
	pdfName
	pdfArray
	pdfDict
	pdfReference
	pdfKeyword // true, false, operators
)

// A pdfValue is an object of a PDF (ISO 32000-1, 7.3).
type pdfValue struct {
	kind   pdfKind
	number float64
	text   string // of a string, a name, a keyword
	list   []pdfValue
	dict   map[string]pdfValue
	ref    pdfRef
}

// A pdfRef names an indirect object.
type pdfRef struct{ number, generation int }

func (v pdfValue) int() int64 {
	if v.kind != pdfNumber || v.number > 1<<53 || v.number < -1<<53 {
		return 0
	}
	return int64(v.number)
}

func (v pdfValue) isName(s string) bool { return v.kind == pdfName && v.text == s }

// A pdfLexer reads values out of bytes.
type pdfLexer struct {
	b     []byte
	at    int
	depth int
	count int  // values that were read
	short bool // the bytes ended inside a value
	bad   bool // what stands here is no value
}

const (
	maxPDFDepth  = 64
	maxPDFValues = 500_000 // in an object, or in an object stream: 40 MB
)

func pdfSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func pdfDelimiter(c byte) bool { return strings.IndexByte("()<>[]{}/%", c) >= 0 }

// space passes over white space and comments.
func (l *pdfLexer) space() {
	for l.at < len(l.b) {
		switch c := l.b[l.at]; {
		case pdfSpace(c):
			l.at++
		case c == '%':
			i := bytes.IndexAny(l.b[l.at:], "\r\n")
			if i < 0 {
				l.at = len(l.b)
				return
			}
			l.at += i
		default:
			return
		}
	}
}

// value reads the next value; null with short or bad set when there is none.
func (l *pdfLexer) value() pdfValue {
	l.space()
	if l.at >= len(l.b) {
		l.short = true
		return pdfValue{}
	}
	if l.count++; l.count > maxPDFValues {
		l.bad = true
		return pdfValue{}
	}
	switch c := l.b[l.at]; {
	case c == '/':
		l.at++
		return pdfValue{kind: pdfName, text: unhash(l.regular())}
	case c == '(':
		return l.literal()
	case c == '<' && l.at+1 < len(l.b) && l.b[l.at+1] == '<':
		return l.nested(l.dictionary)
	case c == '<':
		return l.hex()
	case c == '[':
		return l.nested(l.array)
	case c == ')' || c == ']' || c == '>' || c == '{' || c == '}':
		l.bad = true
		return pdfValue{}
	}
	return l.word()
}

func (l *pdfLexer) nested(read func() pdfValue) pdfValue {
	if l.depth++; l.depth > maxPDFDepth {
		l.bad = true
		return pdfValue{}
	}
	v := read()
	l.depth--
	return v
}

// regular takes the characters up to white space or a delimiter.
func (l *pdfLexer) regular() string {
	start := l.at
	for l.at < len(l.b) && !pdfSpace(l.b[l.at]) && !pdfDelimiter(l.b[l.at]) {
		l.at++
	}
	if l.at == len(l.b) {
		l.short = true
	}
	return string(l.b[start:l.at])
}

func unhash(s string) string {
	if !strings.Contains(s, "#") {
		return s
	}
	return unescape(strings.ReplaceAll(strings.ReplaceAll(s, "%", "#25"), "#", "%"))
}

// word reads a number, a reference, or a keyword.
func (l *pdfLexer) word() pdfValue {
	s := l.regular()
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case s == "null":
		return pdfValue{}
	case err != nil || s[0] > '9':
		return pdfValue{kind: pdfKeyword, text: s}
	}
	if n >= 0 && n < 1<<31 && n == float64(int(n)) {
		if ref, ok := l.reference(int(n)); ok {
			return ref
		}
	}
	return pdfValue{kind: pdfNumber, number: n}
}

// reference reads the rest of "12 0 R".
func (l *pdfLexer) reference(number int) (pdfValue, bool) {
	back, short := l.at, l.short
	l.space()
	gen := l.regular()
	if g, err := strconv.ParseUint(gen, 10, 16); err == nil {
		l.space()
		if l.regular() == "R" {
			return pdfValue{kind: pdfReference, ref: pdfRef{number, int(g)}}, true
		}
	}
	if l.at < len(l.b) {
		l.short = short
	}
	l.at = back
	return pdfValue{}, false
}

func (l *pdfLexer) array() pdfValue {
	l.at++
	v := pdfValue{kind: pdfArray}
	for {
		if l.space(); l.at < len(l.b) && l.b[l.at] == ']' {
			l.at++
			return v
		}
		e := l.value()
		if l.short || l.bad || e.kind == pdfKeyword && (e.text == "endobj" || e.text == "obj" || e.text == "stream" || e.text == "") {
			l.bad = !l.short
			return v
		}
		v.list = append(v.list, e)
	}
}

func (l *pdfLexer) dictionary() pdfValue {
	l.at += 2
	v := pdfValue{kind: pdfDict, dict: map[string]pdfValue{}}
	for {
		l.space()
		if bytes.HasPrefix(l.b[l.at:], []byte(">>")) {
			l.at += 2
			return v
		}
		key := l.value()
		if l.short || l.bad || key.kind != pdfName {
			l.bad = !l.short
			return v
		}
		if l.space(); bytes.HasPrefix(l.b[l.at:], []byte(">>")) {
			continue // a key without its value
		}
		e := l.value()
		if l.short || l.bad {
			return v
		}
		v.dict[key.text] = e
	}
}

// literal reads a string in parentheses.
func (l *pdfLexer) literal() pdfValue {
	l.at++
	var out []byte
	for depth := 1; l.at < len(l.b); {
		c := l.b[l.at]
		l.at++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pdfValue{kind: pdfText, text: string(out)}
			}
		case '\\':
			out = l.escape(out)
			continue
		}
		out = append(out, c)
	}
	l.short = true
	return pdfValue{}
}

func (l *pdfLexer) escape(out []byte) []byte {
	if l.at >= len(l.b) {
		return out
	}
	c := l.b[l.at]
	l.at++
	switch {
	case c >= '0' && c <= '7':
		n := int(c - '0')
		for i := 0; i < 2 && l.at < len(l.b) && l.b[l.at] >= '0' && l.b[l.at] <= '7'; i++ {
			n = n*8 + int(l.b[l.at]-'0')
			l.at++
		}
		return append(out, byte(n))
	case c == '\r':
		if l.at < len(l.b) && l.b[l.at] == '\n' {
			l.at++
		}
		return out
	case c == '\n':
		return out
	}
	if i := strings.IndexByte("nrtbf", c); i >= 0 {
		c = "\n\r\t\b\f"[i]
	}
	return append(out, c)
}

func (l *pdfLexer) hex() pdfValue {
	end := bytes.IndexByte(l.b[l.at:], '>')
	if end < 0 {
		l.at, l.short = len(l.b), true
		return pdfValue{}
	}
	out := unhex(l.b[l.at+1 : l.at+end])
	l.at += end + 1
	return pdfValue{kind: pdfText, text: string(out)}
}

// unhex reads hexadecimal digits and passes over all else; an odd one is followed by 0.
func unhex(b []byte) (out []byte) {
	half := -1
	for _, c := range b {
		d := hexDigit(c)
		switch {
		case d < 0:
		case half < 0:
			half = d
		default:
			out, half = append(out, byte(half<<4|d)), -1
		}
	}
	if half >= 0 {
		out = append(out, byte(half<<4))
	}
	return out
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
