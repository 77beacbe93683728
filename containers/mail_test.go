package containers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"testing"

	"semblance"
)

// A mailPart is what a test puts into a message.
type mailPart struct {
	fields  string // "Name: value" lines
	content string
}

// mailed is a message made with Go's own writers.
func mailed(t testing.TB, parts ...mailPart) string {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		for f := range strings.SplitSeq(p.fields, "\n") {
			name, value, _ := strings.Cut(f, ": ")
			h.Set(name, value)
		}
		part, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		encode(t, part, h.Get("Content-Transfer-Encoding"), p.content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return "Return-Path: <a@example.org>\r\nFrom: a@example.org\r\nTo: b@example.org\r\nSubject: x\r\nDate: Sat, 04 May 2019 10:11:12 +0200\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"" + w.Boundary() + "\"\r\n\r\nThis is MIME.\r\n" + b.String()
}

func encode(t testing.TB, w io.Writer, encoding, content string) {
	t.Helper()
	var err error
	switch encoding {
	case "base64":
		s := base64.StdEncoding.EncodeToString([]byte(content))
		for ; len(s) > 76; s = s[76:] {
			_, _ = io.WriteString(w, s[:76]+"\r\n")
		}
		_, err = io.WriteString(w, s)
	case "quoted-printable":
		q := quotedprintable.NewWriter(w)
		_, _ = io.WriteString(q, content)
		err = q.Close()
	default:
		_, err = io.WriteString(w, content)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// photo is content that begins as a JPEG does and has every byte in it.
var photo = func() string {
	b := []byte("\xff\xd8\xff\xe0")
	for i := range 1000 {
		b = append(b, byte(i))
	}
	return string(b)
}()

const uuText = "see this\n\nbegin 644 cat.txt\n#0V%T\n`\nend\n"

func attachment(fields string) mailPart {
	return mailPart{"Content-Type: image/jpeg\nContent-Transfer-Encoding: base64\n" + fields, photo}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	inner := mailed(t, attachment("Content-Disposition: attachment; filename=inner.jpg"))
	whole := mailed(t,
		mailPart{"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable", "Grüße = " + strings.Repeat("x", 200)},
		attachment(`Content-Disposition: attachment; filename="a/b.jpg"; modification-date="Fri, 03 May 2019 01:02:03 -0400"`),
		attachment("Content-Disposition: attachment; filename*0*=utf-8''Gr%C3%BC; filename*1=\"n.jpg\""),
		attachment(`Content-Disposition: attachment; filename="=?utf-8?B?R3LDvG4uanBn?="`),
		attachment("Content-Disposition: inline"),
		mailPart{"Content-Type: message/rfc822", inner},
		mailPart{"Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary", photo},
		mailPart{"Content-Type: text/plain", uuText},
	)
	all, facts, err := list(t, "x", []byte(whole), Options{})
	if err != nil || facts.Format != "eml" || len(facts.Notes) != 0 {
		t.Fatal(facts, err)
	}
	want := []struct{ name, content string }{
		{"part 1.txt", "Grüße = " + strings.Repeat("x", 200)}, {"a_b.jpg", photo}, {"Grün.jpg", photo}, {"Grün.jpg", photo}, {"part 5.jpg", photo},
		{"part 6.eml/inner.jpg", photo}, {"part 7.bin", photo}, {"part 8.txt", uuText}, {"cat.txt", "Cat"},
	}
	if len(all) != len(want) {
		t.Fatalf("%d entries: %+v", len(all), all)
	}
	for i, w := range want {
		if string(all[i].Name) != w.name || all[i].content != w.content || all[i].err != nil {
			t.Errorf("%d: %q %q %v; want %q", i, all[i].Name, all[i].content, all[i].err, w.name)
		}
		if tm := all[i].Times; len(tm) == 0 || tm[len(tm)-1] != (semblance.FileTime{What: "created", Time: "2019-05-04T10:11:12+02:00", Source: "Date of the message"}) {
			t.Errorf("%s: times %+v", w.name, tm)
		}
	}
	if tm := all[1].Times; len(tm) != 2 || tm[0].Time != "2019-05-03T01:02:03-04:00" || tm[0].What != "modified" {
		t.Errorf("times of an attachment: %+v", tm)
	}
	if raw := whole[all[6].Offset:]; all[6].Size != int64(len(photo)) || !strings.HasPrefix(raw, photo) {
		t.Errorf("offset %d, size %d", all[6].Offset, all[6].Size)
	}
}

func TestMbox(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 3 {
		b.WriteString("From a@example.org Sat May  4 10:11:12 2019\n")
		if i == 1 {
			b.WriteString("X-Mozilla-Status: 0008\n")
		}
		b.WriteString(strings.ReplaceAll(mailed(t, mailPart{"Content-Type: text/plain", "\n\nFrom here on it is text\n"}, attachment(fmt.Sprintf("Content-Disposition: attachment; filename=%d.jpg", i))), "\r\n", "\n"))
		b.WriteString("\n\n")
	}
	b.WriteString("From MAILER-DAEMON Sat May  4 10:11:12 2019\nFrom: x@example.org\nDate: nonsense\n\nno more\n")
	all, facts, err := list(t, "Inbox", []byte(b.String()), Options{})
	if err != nil || facts.Format != "mbox" || len(facts.Notes) != 1 || facts.Notes[0] != "4 messages" || len(all) != 7 {
		t.Fatalf("%v %v %+v", facts, err, all)
	}
	for i := range 3 {
		e := all[2*i+1]
		if string(e.Name) != fmt.Sprintf("message %d/%d.jpg", i+1, i) || e.content != photo || e.Inode != uint64(i+1) || e.Deleted != (i == 1) {
			t.Errorf("%+v", e.Entry)
		}
	}
	if e := all[6]; string(e.Name) != "message 4/part 1.txt" || e.content != "no more\n" && e.content != "no more" || e.Times != nil {
		t.Errorf("%+v", e)
	}
}

func TestMailAsItIsFound(t *testing.T) {
	t.Parallel()
	plain := mailed(t, attachment("Content-Disposition: attachment; filename=x.jpg"))
	emlx := fmt.Sprintf("%-10d\n%s<?xml version=\"1.0\"?><plist/>", len(plain), plain)
	mhtml := "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/a/\r\nSubject: page\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/related; type=\"text/html\"; boundary=\"--b--\"\r\n\r\n\r\n----b--\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: binary\r\n" +
		"Content-Location: https://example.org/a/cat%20one.jpg?size=2\r\n\r\n" + photo + "\r\n----b----\r\n"
	for _, test := range []struct{ story, content, format, name, want string }{
		{"Apple Mail", emlx, "emlx", "x.jpg", photo},
		{"a saved page", mhtml, "eml", "cat one.jpg", photo},
		{"cut in the middle of a part", plain[:len(plain)-400], "eml", "x.jpg", ""},
	} {
		all, facts, err := list(t, "x", []byte(test.content), Options{})
		if err != nil || facts.Format != test.format || len(all) != 1 || string(all[0].Name) != test.name {
			t.Errorf("%s: %v %v %+v", test.story, facts, err, all)
			continue
		}
		if got := all[0].content; test.want != "" && got != test.want || test.want == "" && !strings.HasPrefix(photo, got) {
			t.Errorf("%s: %q", test.story, got)
		}
	}
	for _, text := range []string{"From the beginning\nDate: none\n", "Subject: a\nTo: b\nCc: c\n\n", "name: x\nfrom: y\nto: z\nlines without\n", "From: a\nFrom: b\nFrom: c\n\n", ""} {
		if f, err := Sniff(Part{Name: "x.eml", R: strings.NewReader(text), Size: int64(len(text))}); f != "" || err != nil {
			t.Errorf("%q is taken for %s, %v", text, f, err)
		}
	}
}

// TestMailNestedWithoutEnd is a message in a message in a message: what is too deep is
// given as it is, and said.
func TestMailNestedWithoutEnd(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("From: a\nTo: b\nDate: c\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	b.WriteString("\nend")
	all, facts, err := list(t, "x", []byte(b.String()), Options{})
	if err != nil || len(all) != 1 || len(facts.Notes) != 2 {
		t.Errorf("%d entries, %v, %v", len(all), facts.Notes, err)
	}
}

func mailSeeds(t testing.TB) [][]byte {
	m := mailed(t, attachment("Content-Disposition: attachment; filename*=utf-8''x%20y.jpg"), mailPart{"Content-Type: text/plain", uuText},
		mailPart{"Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable", "a=b"})
	return [][]byte{[]byte(m), []byte("From x Sat May\n" + m + "\nFrom y\n" + m), []byte(fmt.Sprintf("%d\n%s", len(m), m)),
		[]byte(mailed(t, mailPart{"Content-Type: message/rfc822", m}))}
}
