package containers

import (
	"bufio"
	"bytes"
	"errors"
	"html"
	"io"
	"strings"
	"time"
)

// maxTag bounds a tag or a text of a report.
const maxTag = 1 << 20

// readUFDR goes through the list of files of a Cellebrite report and gives, of each that
// lies in the archive, the name there and what it was on the device. It stops behind the
// list; what follows it, messages and calls, is often ten times as long.
//
// A report has gigabytes: it is read by a reader of tags and texts, which knows no more of
// XML than such reports use.
func readUFDR(r *bufio.Reader, each func(local string, f origin)) error {
	x := &tags{r: r}
	var f origin
	var inside bool
	var local, item, stamp, last string
	for {
		tag, err := x.next()
		if err != nil {
			if err == io.EOF && last == "/project" {
				return nil // a report that lists no files
			}
			return err
		}
		name, attributes, _ := strings.Cut(tag, " ")
		name = name[strings.LastIndexByte(name, ':')+1:]
		if strings.HasPrefix(tag, "/") {
			name = "/" + strings.TrimPrefix(strings.TrimSpace(name), "/")
		}
		last = name
		switch name {
		case "file":
			if strings.HasSuffix(tag, "/") {
				continue
			}
			inside, local = true, ""
			f = origin{path: attribute(attributes, "path"), deleted: attribute(attributes, "deleted") == "Deleted"}
		case "timestamp":
			stamp = attribute(attributes, "name")
		case "/timestamp":
			f.stamp(stamp, strings.TrimSpace(x.text()))
		case "item":
			item = attribute(attributes, "name")
		case "/item":
			if item == "Local Path" && local == "" {
				local = strings.TrimSpace(x.text())
			}
			item = ""
		case "/file":
			if inside && local != "" && f.path != "" {
				each(local, f)
			}
			inside = false
		case "/taggedFiles":
			return nil
		}
	}
}

// stamp keeps a time of a file.
func (f *origin) stamp(name, text string) {
	i := map[string]int{"CreationTime": 0, "ModifyTime": 1, "AccessTime": 2}
	at, ok := i[name]
	if !ok {
		return
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1601 {
			f.times[at] = t.Format(layout)
			return
		}
	}
}

// attribute is the value of an attribute in a tag.
func attribute(tag, name string) string {
	for rest := tag; ; {
		i := strings.Index(rest, name+"=")
		if i < 0 || len(rest) < i+len(name)+2 {
			return ""
		}
		value := rest[i+len(name)+1:]
		if i == 0 || rest[i-1] == ' ' || rest[i-1] == '\n' || rest[i-1] == '\t' || rest[i-1] == '\r' {
			if end := strings.IndexByte(value[1:], value[0]); end >= 0 && (value[0] == '"' || value[0] == '\'') {
				return html.UnescapeString(value[1 : 1+end])
			}
		}
		rest = value
	}
}

// tags reads a text with tags.
type tags struct {
	r *bufio.Reader
	b []byte // text since the last tag
}

// text is what stood before the last tag, behind the one before it.
func (x *tags) text() string { return string(x.b) }

// next returns what is between the next "<" and its ">".
func (x *tags) next() (string, error) {
	x.b = x.b[:0]
	for {
		text, err := x.until("<")
		if err != nil {
			return "", err
		}
		x.add(html.UnescapeString(text))
		head, _ := x.r.Peek(8)
		switch {
		case string(head) == "![CDATA[":
			text, err := x.until("]]>")
			if err != nil {
				return "", err
			}
			x.add(strings.TrimPrefix(text, "![CDATA["))
		case bytes.HasPrefix(head, []byte("!--")):
			_, err = x.until("-->")
		default:
			return x.tag()
		}
		if err != nil {
			return "", err
		}
	}
}

func (x *tags) add(text string) {
	if len(x.b)+len(text) <= maxTag {
		x.b = append(x.b, text...)
	}
}

// tag reads to the ">" that is in no attribute.
func (x *tags) tag() (string, error) {
	var tag strings.Builder
	for {
		part, err := x.until(">")
		if err != nil {
			return "", err
		}
		tag.WriteString(part)
		if s := tag.String(); tag.Len() > maxTag {
			return "", errors.New("a tag without end")
		} else if strings.Count(s, `"`)%2 == 0 {
			return s, nil
		}
		tag.WriteByte('>')
	}
}

// until reads up to a mark and returns what stands before it, no more than maxTag.
func (x *tags) until(mark string) (string, error) {
	var out []byte
	last := mark[len(mark)-1]
	for {
		part, err := x.r.ReadSlice(last)
		if err != nil && err != bufio.ErrBufferFull {
			return "", err
		}
		if err == nil && len(out) == 0 && bytes.HasSuffix(part, []byte(mark)) {
			return string(part[:len(part)-len(mark)]), nil
		}
		if out = append(out, part...); len(out) > 2*maxTag {
			out = append(out[:0], out[len(out)-maxTag:]...)
		}
		if err == nil && bytes.HasSuffix(out, []byte(mark)) {
			return string(out[:len(out)-len(mark)]), nil
		}
	}
}
