package containers

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"semblance"
)

const tarBlock = 512

func isTar(head []byte, _ Part) bool {
	return len(head) >= tarBlock && isTarHeader(head[:tarBlock])
}

// isTarHeader reports whether a block is a header: its checksum is right. A block of
// zeros, with which an archive ends, is none.
func isTarHeader(b []byte) bool {
	if len(b) < tarBlock || b[0] == 0 && string(b[257:262]) != "ustar" {
		return false
	}
	field := strings.Trim(string(b[148:156]), " \x00")
	stated, err := strconv.ParseInt(field, 8, 32)
	if err != nil {
		return false
	}
	var sum, signed int64
	for i, c := range b[:tarBlock] {
		if i >= 148 && i < 156 {
			c = ' '
		}
		sum += int64(c)
		signed += int64(int8(c))
	}
	return stated == sum || stated == signed
}

// A tarReader reads tar archives from the first entry to the last: there is no directory.
type tarReader struct {
	in      *offsetReader
	t       *tar.Reader
	facts   semblance.ContainerFacts
	under   *stream // the compression it is in, nil when it is in none
	names   nameNotes
	size    int64 // of the entry given last
	file    bool  // it has content that was not yet asked for
	resumed int64 // where reading went on without an extended header
	err     error // how the archive ended
	// origin is the device path that a name states.
	origin func(name []byte) string
}

func openTar(parts []Part, _ Options) (Reader, error) {
	r, size := whole(parts)
	return newTar(io.NewSectionReader(r, 0, size), semblance.ContainerFacts{Format: "tar"}, nil), nil
}

func newTar(r io.Reader, facts semblance.ContainerFacts, under *stream) *tarReader {
	in := &offsetReader{r: r}
	in.s, _ = r.(io.ReadSeeker)
	t := &tarReader{in: in, facts: facts, under: under, origin: devicePath}
	t.t = tar.NewReader(in.reader())
	return t
}

// An offsetReader knows where it is, and the block it came from: a header that may not have
// been at fault.
type offsetReader struct {
	r    io.Reader
	s    io.ReadSeeker // r, when it can seek
	n    int64
	last [tarBlock]byte // that was read
}

// A seekReader is an offsetReader that can skip content.
type seekReader struct{ *offsetReader }

func (o *offsetReader) reader() io.Reader {
	if o.s != nil {
		return seekReader{o}
	}
	return o
}

// Read counts.
func (o *offsetReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	o.n += int64(n)
	if n == tarBlock {
		copy(o.last[:], p)
	}
	return n, err
}

// Seek follows.
func (s seekReader) Seek(off int64, whence int) (int64, error) {
	n, err := s.s.Seek(off, whence)
	if err == nil {
		s.n = n
	}
	return n, err
}

// Next gives the entries as they come.
func (t *tarReader) Next() (semblance.Entry, error) {
	t.file = false
	if t.err != nil {
		return semblance.Entry{}, t.err
	}
	h, err := t.t.Next()
	for (err == tar.ErrHeader || err == tar.ErrFieldTooLong) && t.resume() {
		h, err = t.t.Next()
	}
	if err != nil {
		t.err = t.ended(err)
		return semblance.Entry{}, t.err
	}
	return t.describe(h), nil
}

// resume looks for the next header behind one that is damaged. Where it was not the header
// of a file that is damaged, but what a pax header says of the file, it reads on without
// that.
func (t *tarReader) resume() bool {
	from := t.in.n
	b := t.in.last
	if isTarHeader(b[:]) && bytes.IndexByte([]byte("xgLK"), b[156]) < 0 && from%tarBlock == 0 && t.resumed != from {
		t.resumed = from
		t.facts.Notes = append(t.facts.Notes, fmt.Sprintf("the extended header before offset %d is damaged and was not followed", from-tarBlock))
		return t.restart(b)
	}
	if _, err := io.CopyN(io.Discard, t.in, -from&(tarBlock-1)); err != nil {
		return false
	}
	for {
		if _, err := io.ReadFull(t.in, b[:]); err != nil {
			return false
		}
		if isTarHeader(b[:]) {
			break
		}
	}
	t.facts.Notes = append(t.facts.Notes, fmt.Sprintf("%d bytes at offset %d are no part of a tar archive and were skipped", t.in.n-from, from-tarBlock))
	return t.restart(b)
}

// restart reads on from a header that has been read.
func (t *tarReader) restart(b [tarBlock]byte) bool {
	if t.in.s != nil {
		if _, err := (seekReader{t.in}).Seek(-tarBlock, io.SeekCurrent); err != nil {
			return false
		}
		t.t = tar.NewReader(t.in.reader())
		return true
	}
	t.t = tar.NewReader(io.MultiReader(bytes.NewReader(b[:]), t.in))
	return true
}

// ended says how the archive ended.
func (t *tarReader) ended(err error) error {
	t.facts.Notes = append(t.facts.Notes, t.names.notes()...)
	if t.under != nil {
		t.facts.Notes = append(t.facts.Notes, t.under.facts.Notes...)
	}
	if err == io.EOF {
		return t.behind()
	}
	if e, ok := err.(*semblance.Error); ok {
		return e
	}
	return damaged("the tar archive is damaged or cut short at offset %d; what stands before was examined", t.in.n).WithCause(err)
}

// behind looks at what follows the end of the archive: the compression below is read to
// its end, so that damage there is seen.
func (t *tarReader) behind() error {
	if t.under == nil {
		return io.EOF
	}
	if _, err := io.Copy(io.Discard, t.in); err != nil {
		if e, ok := err.(*semblance.Error); ok {
			return e
		}
		return damaged("the end of the archive is damaged").WithCause(err)
	}
	return io.EOF
}

var tarKinds = map[byte]semblance.EntryKind{
	tar.TypeReg: semblance.EntryFile, tar.TypeCont: semblance.EntryFile, tar.TypeGNUSparse: semblance.EntryFile,
	tar.TypeDir: semblance.EntryFolder, tar.TypeSymlink: semblance.EntryLink, tar.TypeLink: semblance.EntryLink,
}

func (t *tarReader) describe(h *tar.Header) semblance.Entry {
	t.names.see([]byte(h.Name))
	kind, ok := tarKinds[h.Typeflag]
	if !ok {
		kind = semblance.EntrySpecial
	}
	e := semblance.Entry{Name: []byte(h.Name), Kind: kind, Size: h.Size, Offset: -1, Origin: t.origin([]byte(h.Name))}
	if kind == semblance.EntryLink {
		e.Target = h.Linkname
	}
	if t.under == nil {
		e.Offset = t.in.n
	}
	source := "tar header"
	if h.Format == tar.FormatPAX {
		source = "pax header"
	}
	for _, m := range []struct {
		what string
		at   time.Time
	}{{"modified", h.ModTime}, {"accessed", h.AccessTime}, {"changed", h.ChangeTime}} {
		if !m.at.IsZero() && m.at.Year() < 10000 && m.at.Year() > 0 {
			e.Times = append(e.Times, semblance.FileTime{What: m.what, Time: m.at.UTC().Format(time.RFC3339Nano), Source: source})
		}
	}
	t.file, t.size = kind == semblance.EntryFile, h.Size
	return e
}

// Open gives the content of the entry. It can be read once.
func (t *tarReader) Open() (io.Reader, error) {
	if !t.file {
		return nil, damaged("this entry has no content")
	}
	t.file = false
	return &content{r: t.t, size: t.size}, nil
}

// Facts are complete after the last entry.
func (t *tarReader) Facts() semblance.ContainerFacts {
	f := t.facts
	f.Notes = slices.Clone(f.Notes)
	return f
}

// Close releases nothing: the descriptors are the caller's.
func (t *tarReader) Close() error { return nil }
