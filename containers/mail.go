package containers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"semblance"
)

// Mail: one message (.eml, Maildir, .emlx, MHTML) or many (mbox). It is read once, from
// the front, however large; an entry remembers where in the file its part lies and
// decodes it when it is asked for.
//
// Every part that is not a multipart is an entry, also the text that was written, named
// as the mail names it or "part N.ext" by its number in the message. An entry of an mbox
// is "message N/...", of a forwarded message "part N.eml/...".

const (
	maxMailDepth = 40   // multiparts and messages in each other; what lies deeper is given as it is
	maxUU        = 1000 // uuencoded files in one text
)

var (
	mailFields = []string{"received", "return-path", "date", "from", "to", "subject", "message-id", "mime-version", "content-type", "delivered-to", "reply-to", "x-mozilla-status", "snapshot-content-location", "cc", "sender", "x-received", "envelope-to", "x-apple-mail-plain-text"}
	mailStrong = []string{"from", "message-id", "mime-version", "received", "return-path", "x-mozilla-status"}
)

// isMessage asks for what no other text has: from the first byte on nothing but header
// fields, three of which are mail's, one of them such as only mail has.
func isMessage(head []byte, _ Part) bool { return looksLikeMail(head, 3) }

func looksLikeMail(head []byte, want int) bool {
	known, strong := map[string]bool{}, false
	for first := true; ; first = false {
		line, rest, ended := bytes.Cut(head, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 && !first || !ended {
			break // the end of the header, or of what is seen
		}
		if head = rest; !first && (line[0] == ' ' || line[0] == '\t') {
			continue
		}
		name := fieldName(line)
		if name == "" {
			return false
		}
		if slices.Contains(mailFields, name) {
			known[name] = true
			strong = strong || slices.Contains(mailStrong, name)
		}
	}
	return strong && len(known) >= want
}

// isMbox asks for a "From " line and a message behind it.
func isMbox(head []byte, _ Part) bool {
	if !bytes.HasPrefix(head, []byte("From ")) {
		return false
	}
	_, rest, _ := bytes.Cut(head, []byte("\n"))
	return looksLikeMail(rest, 2)
}

// isEmlx asks for Apple's count of bytes in the first line and a message behind it.
func isEmlx(head []byte, _ Part) bool {
	line, rest, ok := bytes.Cut(head, []byte("\n"))
	_, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 40)
	return ok && err == nil && looksLikeMail(rest, 2)
}

func openMessage(parts []Part, o Options) (Reader, error) {
	return openMail("eml", parts[0], 0, parts[0].Size, o), nil
}

func openMbox(parts []Part, o Options) (Reader, error) {
	return openMail("mbox", parts[0], 0, parts[0].Size, o), nil
}

func openEmlx(parts []Part, o Options) (Reader, error) {
	p := parts[0]
	head := make([]byte, min(64, p.Size))
	n, _ := p.R.ReadAt(head, 0)
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if start := int64(len(line)) + 1; err == nil && size > 0 {
		return openMail("emlx", p, start, min(start+size, p.Size), o), nil
	}
	return nil, semblance.Errorf(semblance.MediaDamaged, "the message's first line is not its length")
}

func openMail(kind string, p Part, start, end int64, o Options) Reader {
	facts := &semblance.ContainerFacts{Format: kind}
	return walked(facts, func(emit func(item) error) error {
		m := &mailbox{
			p: p, o: o, at: start, end: end, mbox: kind == "mbox", emit: emit,
			in: bufio.NewReaderSize(io.NewSectionReader(p.R, start, end-start), 64<<10),
		}
		err := m.walk()
		facts.Notes = m.notes()
		return err
	})
}

// A mailbox is mail that is being read.
type mailbox struct {
	p          Part
	o          Options
	in         *bufio.Reader
	at, end    int64 // where the next line begins, and where the mail ends
	mbox       bool
	blank      bool     // the line before was empty: an mbox's next message can begin
	broken     bool     // the line before was longer than the buffer: no line begins here
	boundaries []string // of the multiparts around, outermost first
	emit       func(item) error

	messages, cut, deep int
}

// A message is what its parts inherit.
type message struct {
	prefix  string
	number  int // in the mbox, from 1; 0 elsewhere
	parts   int
	date    string
	deleted bool
}

// An ending says what ended a part: a boundary of a level, or the end of the message.
type ending struct {
	level  int // of boundaries; -1: the message ends
	closed bool
	at     int64 // of the boundary's line
	eol    int64 // bytes of the line end before it, which are the boundary's
}

func (m *mailbox) notes() (all []string) {
	if m.mbox {
		all = append(all, fmt.Sprintf("%d messages", m.messages))
	}
	if m.cut > 0 {
		all = append(all, fmt.Sprintf("%d parts break off before their boundary", m.cut))
	}
	if m.deep > 0 {
		all = append(all, fmt.Sprintf("%d parts lie deeper than %d multiparts and were taken as they are", m.deep, maxMailDepth))
	}
	return all
}

func (m *mailbox) walk() error {
	if !m.mbox {
		_, err := m.entity(&message{}, 0)
		return err
	}
	for m.at < m.end {
		if _, err := m.line(); err != nil { // the "From " line
			return err
		}
		m.messages++
		m.boundaries, m.blank = m.boundaries[:0], false
		msg := &message{prefix: fmt.Sprintf("message %d/", m.messages), number: m.messages}
		if _, err := m.entity(msg, 0); err != nil {
			return err
		}
	}
	return nil
}

// line reads a line with its end, or the next piece of one that is longer than the
// buffer. It is valid until the next call. io.EOF comes alone.
func (m *mailbox) line() ([]byte, error) {
	line, err := m.in.ReadSlice('\n')
	if len(line) == 0 {
		return nil, err
	}
	if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
		return nil, err
	}
	m.blank = !m.broken && len(bytes.TrimRight(line, "\r\n")) == 0
	m.broken = err == bufio.ErrBufferFull
	if before := m.at; before>>26 != (before+int64(len(line)))>>26 { // every 64 MiB
		m.o.progress(before, m.p.Size)
	}
	m.at += int64(len(line))
	return line, nil
}

// begins reports whether the next line is the "From " line of an mbox's next message.
func (m *mailbox) begins() bool {
	if !m.mbox || !m.blank || m.broken {
		return false
	}
	next, _ := m.in.Peek(5)
	if string(next) != "From " {
		return false
	}
	next, _ = m.in.Peek(1024)
	_, behind, ok := bytes.Cut(next, []byte("\n"))
	line, _, _ := bytes.Cut(behind, []byte("\n"))
	return ok && fieldName(line) != "" || ok && bytes.HasPrefix(behind, []byte(">From "))
}

// boundary reports whether the line is a boundary of one of the multiparts around.
func (m *mailbox) boundary(line []byte) (level int, closed, ok bool) {
	if len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return 0, false, false
	}
	line = bytes.TrimRight(line[2:], " \t\r\n")
	for i := len(m.boundaries) - 1; i >= 0; i-- {
		if rest, found := bytes.CutPrefix(line, []byte(m.boundaries[i])); found && (len(rest) == 0 || string(rest) == "--") {
			return i, len(rest) > 0, true
		}
	}
	return 0, false, false
}

// skip reads on to the next boundary or the end of the message. each may be nil; it is
// shown the lines that are passed over and where they begin.
func (m *mailbox) skip(each func(line []byte, at int64)) (ending, error) {
	eol := int64(0)
	for {
		if m.begins() {
			return ending{level: -1, at: m.at, eol: eol}, nil
		}
		start, whole := m.at, !m.broken
		line, err := m.line()
		if err == io.EOF {
			return ending{level: -1, at: m.at}, nil
		}
		if err != nil {
			return ending{}, err
		}
		if level, closed, ok := m.boundary(line); ok && whole {
			return ending{level: level, closed: closed, at: start, eol: eol}, nil
		}
		if each != nil && whole {
			each(line, start)
		}
		eol = int64(len(line) - len(bytes.TrimRight(line, "\r\n")))
		eol = min(eol, 2)
	}
}

// head reads header fields up to the empty line. found is not nil when a boundary or the
// end came first.
func (m *mailbox) head() (h header, found *ending, err error) {
	h = header{}
	var field []byte
	size := 0
	for size < maxHeader {
		if next, err := m.in.Peek(1); err == nil && fieldLess(next[0]) {
			break
		}
		start, whole := m.at, !m.broken
		line, err := m.line()
		if err == io.EOF {
			h.add(field)
			return h, &ending{level: -1, at: m.at}, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if level, closed, ok := m.boundary(line); ok && whole {
			h.add(field)
			return h, &ending{level: level, closed: closed, at: start}, nil
		}
		size += len(line)
		text := bytes.TrimRight(line, "\r\n")
		if len(text) == 0 && whole {
			break
		}
		if !whole || text[0] == ' ' || text[0] == '\t' {
			field = append(field, text...)
			continue
		}
		h.add(field)
		field = append(field[:0], text...)
	}
	h.add(field)
	return h, nil, nil
}

// fieldLess reports whether no header line can begin with c: a body without an empty
// line before it.
func fieldLess(c byte) bool { return c >= 0x80 || c < ' ' && c != '\t' && c != '\r' && c != '\n' }

// entity reads a message or a part of one: its head and all it holds.
func (m *mailbox) entity(msg *message, depth int) (ending, error) {
	h, found, err := m.head()
	if err != nil {
		return ending{}, err
	}
	if msg.date == "" {
		msg.date = mailDate(h["date"])
	}
	if status, err := strconv.ParseUint(h["x-mozilla-status"], 16, 32); err == nil && status&8 != 0 {
		msg.deleted = true // Thunderbird's "expunged": gone for its user, there until the folder is compacted
	}
	kind, of := params(h["content-type"])
	encoding := strings.ToLower(h["content-transfer-encoding"])
	identity := encoding == "" || strings.HasSuffix(encoding, "bit") || encoding == "binary"
	switch {
	case found != nil:
		return *found, nil // a head and nothing else
	case strings.HasPrefix(kind, "multipart/") && of["boundary"] != "" && identity && depth < maxMailDepth:
		return m.multipart(msg, of["boundary"], depth)
	case strings.HasPrefix(kind, "message/rfc822") && identity && depth < maxMailDepth:
		msg.parts++
		inner := &message{prefix: fmt.Sprintf("%spart %d.eml/", msg.prefix, msg.parts), number: msg.number, deleted: msg.deleted}
		return m.entity(inner, depth+1)
	}
	if strings.HasPrefix(kind, "multipart/") && depth >= maxMailDepth {
		m.deep++
	}
	return m.leaf(msg, h)
}

func (m *mailbox) multipart(msg *message, boundary string, depth int) (ending, error) {
	level := len(m.boundaries)
	m.boundaries = append(m.boundaries, boundary)
	e, err := m.skip(nil) // the preamble
	for err == nil && e.level == level && !e.closed {
		e, err = m.entity(msg, depth+1)
	}
	if err != nil {
		return e, err
	}
	m.boundaries = m.boundaries[:min(level, len(m.boundaries))]
	if e.level != level {
		if e.level == -1 {
			m.cut++
		}
		return e, nil
	}
	return m.skip(nil) // the epilogue
}

// leaf gives a part that holds no parts.
func (m *mailbox) leaf(msg *message, h header) (ending, error) {
	msg.parts++
	start := m.at
	kind, _ := params(h["content-type"])
	var uu uuFinder
	each := uu.line
	if kind != "" && !strings.HasPrefix(kind, "text/") && !strings.Contains(h["content-transfer-encoding"], "uu") {
		each = nil
	}
	e, err := m.skip(each)
	if err != nil {
		return e, err
	}
	if size := e.at - e.eol - start; size > 0 {
		if err := m.emit(m.item(msg, h, start, size)); err != nil {
			return e, err
		}
	}
	for _, f := range uu.found {
		entry := m.entry(msg, header{}, f.start)
		entry.Name = []byte(msg.prefix + f.name)
		open := func() (io.Reader, error) {
			return &uudecoder{r: bufio.NewReaderSize(io.NewSectionReader(m.p.R, f.start, f.end-f.start), 4096)}, nil
		}
		if err := m.emit(item{entry, open}); err != nil {
			return e, err
		}
	}
	return e, nil
}

func (m *mailbox) entry(msg *message, h header, at int64) semblance.Entry {
	e := semblance.Entry{Kind: semblance.EntryFile, Size: -1, Offset: at, Inode: uint64(msg.number), Deleted: msg.deleted}
	_, of := params(h["content-disposition"])
	for _, t := range []struct{ what, param string }{{"modified", "modification-date"}, {"accessed", "read-date"}, {"created", "creation-date"}} {
		if d := mailDate(of[t.param]); d != "" {
			e.Times = append(e.Times, semblance.FileTime{What: t.what, Time: d, Source: "Content-Disposition"})
		}
	}
	if msg.date != "" {
		e.Times = append(e.Times, semblance.FileTime{What: "created", Time: msg.date, Source: "Date of the message"})
	}
	return e
}

func (m *mailbox) item(msg *message, h header, start, size int64) item {
	e := m.entry(msg, h, start)
	e.Name = []byte(msg.prefix + partName(h, msg.parts))
	if kind, of := params(h["content-type"]); strings.HasSuffix(kind, "/pkcs7-mime") || strings.HasSuffix(kind, "/x-pkcs7-mime") {
		if of["smime-type"] != "signed-data" && of["smime-type"] != "certs-only" {
			e.Code, e.Reason = semblance.MediaEncrypted, "the part is encrypted with S/MIME"
		}
	}
	open := section(m.p.R, start, size)
	encoding, _, _ := strings.Cut(strings.ToLower(h["content-transfer-encoding"]), ";")
	switch strings.TrimSpace(encoding) {
	case "base64":
		return item{e, func() (io.Reader, error) { r, _ := open(); return newBase64(r), nil }}
	case "quoted-printable":
		return item{e, func() (io.Reader, error) {
			r, _ := open()
			return quotedPrintable{bufio.NewReaderSize(r, 16<<10)}, nil
		}}
	}
	e.Size = size
	return item{e, open}
}

// partName is what a part calls itself, or its number and what its type ends on.
func partName(h header, number int) string {
	_, disposition := params(h["content-disposition"])
	kind, of := params(h["content-type"])
	for _, name := range []string{disposition["filename"], of["name"], lastElement(h["content-location"])} {
		if name = strings.Trim(name, " /\x00"); name != "" && len(name) <= 1024 {
			return strings.NewReplacer("/", "_", "\r", "", "\n", "").Replace(name)
		}
	}
	return fmt.Sprintf("part %d.%s", number, extOf(kind))
}

// lastElement is the file name in an address, for the parts of a saved page.
func lastElement(address string) string {
	address, _, _ = strings.Cut(address, "?")
	address, _, _ = strings.Cut(address, "#")
	if i := strings.LastIndexAny(address, "/\\:"); i >= 0 {
		address = address[i+1:]
	}
	if !strings.Contains(address, ".") {
		return ""
	}
	return unescape(address)
}

// extOf is what the name of a file of a media type ends on.
func extOf(mediaType string) string {
	switch mediaType {
	case "", "text/plain":
		return "txt"
	case "image/jpeg", "image/jpg", "image/pjpeg":
		return "jpg"
	case "video/quicktime":
		return "mov"
	case "message/rfc822":
		return "eml"
	}
	_, sub, _ := strings.Cut(mediaType, "/")
	sub = strings.TrimPrefix(sub, "x-")
	if sub == "" || len(sub) > 8 || strings.ContainsFunc(sub, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') }) {
		return "bin"
	}
	return sub
}

// mailDate is a date of RFC 5322 with its zone, "" when it is none.
func mailDate(s string) string {
	if s == "" || len(s) > 200 {
		return ""
	}
	t, err := mail.ParseDate(s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return ""
	}
	return t.Format(time.RFC3339)
}

// A uuFinder finds uuencoded files in a text.
type uuFinder struct {
	found []uuFile
	name  string // of the one that is open
	start int64
}

type uuFile struct {
	name       string
	start, end int64
}

func (u *uuFinder) line(line []byte, at int64) {
	text := bytes.TrimRight(line, "\r\n")
	switch {
	case u.name == "" && len(u.found) < maxUU && bytes.HasPrefix(text, []byte("begin ")):
		mode, name, _ := bytes.Cut(text[6:], []byte(" "))
		if _, err := strconv.ParseUint(string(mode), 8, 16); err == nil && len(name) > 0 && len(name) < 256 {
			u.name, u.start = strings.ReplaceAll(string(name), "/", "_"), at+int64(len(line))
		}
	case u.name != "" && string(text) == "end":
		if at > u.start {
			u.found = append(u.found, uuFile{u.name, u.start, at})
		}
		u.name = ""
	case u.name != "" && (len(text) > 0 && (text[0] < ' ' || text[0] > '`') || len(text) > 90):
		u.name = "" // prose
	}
}
