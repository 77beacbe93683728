package containers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"semblance"
)

// Pictures of an RTF document are groups that begin with \pict and hold hexadecimal
// digits; embedded objects are the same with \objdata.

func isRTF(head []byte, _ Part) bool { return bytes.HasPrefix(head, []byte(`{\rtf`)) }

func openRTF(parts []Part, o Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "rtf"}
	return walked(facts, func(emit func(item) error) error {
		r := &rtfReader{in: bufio.NewReaderSize(io.NewSectionReader(p.R, 0, p.Size), 64<<10)}
		for n := 0; ; {
			start, end, ok := r.picture()
			if r.at>>26 != start>>26 {
				o.progress(r.at, p.Size)
			}
			if !ok {
				return nil
			}
			open := func() io.Reader {
				return &hexReader{bufio.NewReaderSize(io.NewSectionReader(p.R, start, end-start), 16<<10)}
			}
			head := make([]byte, signatureLen)
			got, _ := io.ReadFull(open(), head)
			n++
			ext := signature(head[:got])
			if ext == "" {
				continue // a metafile, or an object without a head that is known
			}
			e := semblance.Entry{Name: fmt.Appendf(nil, "picture %d.%s", n, ext), Kind: semblance.EntryFile, Size: -1, Offset: start}
			if err := emit(item{e, func() (io.Reader, error) { return damageReader{open(), "the document"}, nil }}); err != nil {
				return err
			}
		}
	}), nil
}

// An rtfReader goes through a document byte by byte.
type rtfReader struct {
	in *bufio.Reader
	at int64
}

func (r *rtfReader) next() (byte, bool) {
	c, err := r.in.ReadByte()
	if err != nil {
		return 0, false
	}
	r.at++
	return c, true
}

func (r *rtfReader) back() {
	if r.in.UnreadByte() == nil {
		r.at--
	}
}

// word reads a control word behind its backslash.
func (r *rtfReader) word() string {
	var b []byte
	for {
		c, ok := r.next()
		if !ok || !(c|0x20 >= 'a' && c|0x20 <= 'z') || len(b) > 32 {
			if ok && len(b) > 0 {
				r.back()
			}
			return string(b)
		}
		b = append(b, c)
	}
}

// picture finds the digits of the next picture: from start to end.
func (r *rtfReader) picture() (start, end int64, ok bool) {
	for {
		c, ok := r.next()
		if !ok {
			return 0, 0, false
		}
		if c != '\\' {
			continue
		}
		if w := r.word(); w != "pict" && w != "objdata" {
			continue
		}
		if start, end, ok := r.digits(); ok {
			return start, end, true
		}
	}
}

// digits reads the rest of a group: control words and groups of its own, then digits up to
// its end.
func (r *rtfReader) digits() (start, end int64, ok bool) {
	for depth := 0; ; {
		c, more := r.next()
		switch {
		case !more:
			return start, r.at, start > 0
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		case c == '}':
			return start, r.at - 1, start > 0
		case c == '\\':
			if w := r.word(); depth == 0 && (w == "pict" || w == "objdata") {
				start = 0
			}
			for { // its number, and the space that ends it
				c, more := r.next()
				if !more || c != '-' && (c < '0' || c > '9') {
					if more && c != ' ' {
						r.back()
					}
					break
				}
			}
		case depth == 0 && start == 0 && hexDigit(c) >= 0:
			start = r.at - 1
		}
	}
}

// A hexReader decodes digits and passes over what is none.
type hexReader struct{ r *bufio.Reader }

func (h *hexReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		v, half := 0, false
		for {
			c, err := h.r.ReadByte()
			if err != nil {
				if n > 0 {
					return n, nil
				}
				return 0, err
			}
			d := hexDigit(c)
			if d < 0 {
				continue
			}
			if v = v<<4 | d; half {
				break
			}
			half = true
		}
		p[n] = byte(v)
		n++
	}
	return n, nil
}
