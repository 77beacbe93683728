package containers

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"semblance"
)

// Texts hold pictures in base64: data: addresses in pages and style sheets, PHOTO in
// address cards, values of JSON, <data> in property lists.

// textStep is how much of a text is looked at at once.
const textStep = 256 << 10

// leastBase64 is how many letters a picture has at least.
const leastBase64 = 64

var textExt = []string{".html", ".htm", ".xhtml", ".css", ".json", ".jsonl", ".js", ".svg", ".vcf", ".vcard", ".xml", ".plist", ".ldif", ".ics", ".md", ".har", ".ipynb"}

// isText asks for a name that such texts have, or for how pages, cards and lists begin.
func isText(head []byte, p Part) bool {
	if len(head) == 0 || bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	if slices.Contains(textExt, strings.ToLower(path.Ext(p.Name))) {
		return true
	}
	start := bytes.ToLower(bytes.TrimLeft(head[:min(len(head), 256)], "\xef\xbb\xbf \t\r\n"))
	for _, word := range []string{"<!doctype html", "<html", "begin:vcard", "<?xml", "<svg", `{"`, `[{"`, "data:image/"} {
		if bytes.HasPrefix(start, []byte(word)) {
			return true
		}
	}
	return false
}

func openText(parts []Part, o Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "text with pictures"}
	return walked(facts, func(emit func(item) error) error {
		buf := make([]byte, min(textStep, p.Size))
		n := 0
		for at := int64(0); at < p.Size; {
			got, err := p.R.ReadAt(buf[:min(int64(len(buf)), p.Size-at)], at)
			if got == 0 {
				return semblance.Errorf(semblance.MediaDamaged, "the text could not be read to its end").WithCause(err)
			}
			o.progress(at, p.Size)
			next := at + int64(got)
			if next < p.Size && got > 1024 {
				next -= 64 // a beginning over the end is seen the next time
			}
			for i := 0; at+int64(i) < next; {
				j, ext := base64At(buf[:got], i)
				if j < 0 || at+int64(j) >= next {
					break
				}
				start := at + int64(j)
				if soonEnds(buf[j:got]) {
					i = j + 4
					continue
				}
				end := base64End(p, start)
				i = max(j+4, int(min(end-at, int64(got))))
				if end-start < leastBase64 {
					continue
				}
				n++
				e := semblance.Entry{Name: fmt.Appendf(nil, "picture %d.%s", n, ext), Kind: semblance.EntryFile, Size: -1, Offset: start}
				if err := emit(item{e, func() (io.Reader, error) { return newBase64(io.NewSectionReader(p.R, start, end-start)), nil }}); err != nil {
					return err
				}
				next = max(next, end)
			}
			at = next
		}
		return nil
	}), nil
}

// soonEnds reports whether what begins here is too short for a picture.
func soonEnds(b []byte) bool {
	empty := false
	for _, c := range b[:min(len(b), leastBase64)] {
		if c == '\n' && empty {
			return true
		}
		if c != '\r' {
			empty = c == '\n'
		}
		if sextets[c] < 0 && c != '\\' && c != '\r' && c != '\n' && c != ' ' && c != '\t' {
			return true
		}
	}
	return false
}

// base64At is where a picture in base64 begins from i on.
func base64At(b []byte, i int) (at int, ext string) {
	for i < len(b) {
		j := bytes.IndexAny(b[i:], "/iRU\\")
		if j < 0 {
			return -1, ""
		}
		i += j
		if i == 0 || sextet(b[i-1]) < 0 || b[i-1] == '/' {
			if ext := base64Start(b[i:]); ext != "" {
				return i, ext
			}
		}
		i++
	}
	return -1, ""
}

// base64Start tells what begins here; JSON may write a slash as \/.
func base64Start(b []byte) string {
	for _, s := range []struct{ ext, text string }{{"jpg", "/9j/"}, {"jpg", `\/9j\/`}, {"png", "iVBORw0KGgo"}, {"gif", "R0lGODlh"}, {"gif", "R0lGODdh"}, {"webp", "UklGR"}} {
		if bytes.HasPrefix(b, []byte(s.text)) {
			return s.ext
		}
	}
	return ""
}

// base64End is where the letters that begin at start end. They may go over lines, each of
// which must be letters to its end, or to what ends a value.
func base64End(p Part, start int64) int64 {
	buf := make([]byte, 1<<10)
	line := start // where the line that is looked at begins
	fresh := false
	for at := start; at < p.Size; {
		n, _ := p.R.ReadAt(buf[:min(int64(len(buf)), p.Size-at)], at)
		if n == 0 {
			return at
		}
		for i, c := range buf[:n] {
			here := at + int64(i)
			switch {
			case sextet(c) >= 0 || c == '\\':
				fresh = false
			case c == '\n' && fresh:
				return line // an empty line
			case c == '\n':
				line, fresh = here+1, true
			case c == '\r' || (c == ' ' || c == '\t') && fresh:
			case c == '=' || c == '"' || c == '\'' || c == '<' || c == ')' || c == '&':
				return here
			default:
				if line == start {
					return here
				}
				return line // the line is of something else
			}
		}
		if at += int64(n); len(buf) < 64<<10 {
			buf = make([]byte, 64<<10)
		}
	}
	return p.Size
}
