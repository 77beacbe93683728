package containers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/nwaples/rardecode/v2"

	"semblance"
)

const rarMagic = "Rar!\x1a\x07"

func isRAR(head []byte, _ Part) bool {
	return len(head) >= 7 && string(head[:6]) == rarMagic && head[6] <= 1
}

// A rarReader reads RAR archives of versions 1.5 to 7. Where every file is packed alone
// they come in the order that pays, else in the archive's.
type rarReader struct {
	parts    rarParts
	o        *Options
	old      bool // RAR 4 and before: times of MS-DOS, and no check of passwords
	password string
	locked   bool // files are encrypted, and no password opens the first of them
	given    []string
	facts    semblance.ContainerFacts
	names    nameNotes

	files []*rardecode.File            // all, when they can be read in any order
	with  map[string][]*rardecode.File // the same, by the password they were listed with
	order []int32
	at    int
	in    *rardecode.File // the one given last, with its password

	sequence *rardecode.ReadCloser // else
	file     *rardecode.FileHeader // given last, of sequence
	current  io.ReadCloser         // the content given last, of files
	err      error                 // how sequence ended
}

func openRAR(parts []Part, o Options) (Reader, error) {
	var b [8]byte
	if err := readAt(parts[0].R, b[:], 0); err != nil {
		return nil, damaged("the RAR header is cut short")
	}
	r := &rarReader{parts: rarParts{parts, &o}, o: &o, old: b[6] == 0, given: o.Passwords, facts: semblance.ContainerFacts{Format: "rar"}}
	if err := r.unlock(o.Passwords); err != nil {
		return nil, err
	}
	if r.listAll(); r.files != nil {
		return r, nil
	}
	return r, r.begin()
}

// guard runs the library's code and takes a panic of it for what it is: an archive that
// it cannot read.
func guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errRAR, p)
		}
	}()
	return do()
}

var errRAR = errors.New("the RAR library does not understand the archive")

func (r *rarReader) options(password string) []rardecode.Option {
	o := []rardecode.Option{rardecode.FileSystem(r.parts), rardecode.MaxDictionarySize(maxWindow), rardecode.BufferSize(64 << 10)}
	if password != "" {
		o = append(o, rardecode.Password(password))
	}
	return o
}

// openWith opens the archive from its beginning.
func (r *rarReader) openWith(password string) (c *rardecode.ReadCloser, err error) {
	err = guard(func() error {
		c, err = rardecode.OpenReader(r.parts.parts[0].Name, r.options(password)...)
		return err
	})
	return c, err
}

// unlock finds the password: the one with which the directory can be read, or the first
// encrypted file.
func (r *rarReader) unlock(passwords []string) error {
	_, err := r.openWith("")
	whole := errors.Is(err, rardecode.ErrArchiveEncrypted)
	if err != nil && !whole {
		return r.sentence(err)
	}
	if !whole && !r.hasEncrypted() {
		return nil
	}
	for i, p := range passwords {
		r.o.progress(int64(i), int64(len(passwords)))
		if p != "" && r.opens(p, whole) {
			r.password, r.facts.Password = p, i+1
			return nil
		}
	}
	if whole {
		return encrypted("the RAR archive, with the names in it,", len(passwords))
	}
	r.locked = true
	return nil
}

func (r *rarReader) hasEncrypted() (found bool) {
	_ = r.firstEncrypted("", func(*rardecode.ReadCloser) { found = true })
	return found
}

// firstEncrypted goes to the first encrypted file.
func (r *rarReader) firstEncrypted(password string, do func(*rardecode.ReadCloser)) error {
	c, err := r.openWith(password)
	if err != nil {
		return err
	}
	defer c.Close()
	return guard(func() error {
		for {
			h, err := c.Next()
			if err != nil {
				return err
			}
			if h.Encrypted && !h.IsDir && h.UnPackedSize != 0 {
				do(c)
				return nil
			}
		}
	})
}

// opens reports whether a password is the right one.
func (r *rarReader) opens(password string, whole bool) (ok bool) {
	if whole {
		c, err := r.openWith(password)
		if err != nil {
			return false
		}
		defer c.Close()
		err = guard(func() error { _, err := c.Next(); return err })
		return err == nil || err == io.EOF
	}
	err := r.firstEncrypted(password, func(c *rardecode.ReadCloser) {
		n, err := io.CopyN(io.Discard, struct{ io.Reader }{c}, maxTrial)
		ok = err == io.EOF || err == nil && n == maxTrial
	})
	return ok && err == nil
}

// listAll lists the files, where all of them can be listed and each be read alone.
func (r *rarReader) listAll() {
	r.with = map[string][]*rardecode.File{}
	list := r.list(r.password)
	if list == nil || slices.ContainsFunc(list, func(f *rardecode.File) bool { return f.Solid }) {
		return
	}
	r.files = append([]*rardecode.File{}, list...)
	r.order = order(len(list), func(i int) []byte { return []byte(list[i].Name) }, func(int) string { return "" })
}

// list lists the files as a password shows them; nil when they cannot be listed.
func (r *rarReader) list(password string) []*rardecode.File {
	if list, ok := r.with[password]; ok {
		return list
	}
	var list []*rardecode.File
	err := guard(func() (err error) {
		list, err = rardecode.List(r.parts.parts[0].Name, r.options(password)...)
		return err
	})
	if list = append([]*rardecode.File{}, list...); err != nil {
		list = nil
	}
	r.with[password] = list
	return list
}

// unlockFile finds the file that a place in the list stands for under the password that
// opens it: one archive can have several.
func (r *rarReader) unlockFile(i int32) (*rardecode.File, bool) {
	tries := append([]string{r.password}, r.given...)
	for k, p := range tries {
		if p == "" || k > 0 && p == r.password {
			continue
		}
		list := r.list(p)
		if int(i) >= len(list) || list[i].Name != r.files[i].Name {
			continue
		}
		if f := list[i]; r.fits(f) {
			if r.password = p; r.facts.Password == 0 {
				r.facts.Password = k
			}
			return f, true
		}
	}
	return nil, false
}

// fits reports whether a file was listed with its password: RAR 5 says so at once, before
// that only the checksum does.
func (r *rarReader) fits(f *rardecode.File) bool {
	c, err := r.openFile(f)
	if err != nil {
		return false
	}
	defer c.Close()
	n := int64(1)
	if r.old {
		n = maxTrial
	}
	k, err := io.CopyN(io.Discard, rarContent{r, c}, n)
	return err == nil || err == io.EOF && k == f.UnPackedSize
}

func (r *rarReader) openFile(f *rardecode.File) (c io.ReadCloser, err error) {
	err = guard(func() error {
		c, err = f.Open()
		return err
	})
	return c, err
}

func (r *rarReader) begin() (err error) {
	if r.sequence, err = r.openWith(r.password); err != nil {
		return r.sentence(err)
	}
	return nil
}

// Next gives the next file.
func (r *rarReader) Next() (semblance.Entry, error) {
	r.closeFile()
	if r.files != nil && r.at < len(r.order) {
		i := r.order[r.at]
		r.at++
		r.in = r.files[i]
		e := r.describe(&r.in.FileHeader)
		if r.in.Encrypted && e.Kind == semblance.EntryFile && e.Size != 0 {
			e.Code, e.Reason = "", ""
			f, ok := r.unlockFile(i)
			if r.in = f; !ok {
				e.Code, e.Reason = semblance.MediaEncrypted, noneOpens(len(r.given))
			}
		}
		return e, nil
	}
	if r.files != nil && r.err == nil {
		r.end(io.EOF)
	}
	if r.err != nil {
		return semblance.Entry{}, r.err
	}
	var h *rardecode.FileHeader
	err := guard(func() (err error) {
		h, err = r.sequence.Next()
		return err
	})
	if err != nil {
		r.end(err)
		return semblance.Entry{}, r.err
	}
	r.file = h
	return r.describe(h), nil
}

func (r *rarReader) end(err error) {
	r.facts.Notes = append(r.facts.Notes, r.names.notes()...)
	if r.err = err; err != io.EOF {
		r.err = r.sentence(err)
	}
}

func (r *rarReader) describe(h *rardecode.FileHeader) semblance.Entry {
	name := []byte(h.Name)
	r.names.see(name)
	e := semblance.Entry{Name: name, Kind: semblance.EntryFile, Size: h.UnPackedSize, Offset: -1, Origin: devicePath(name)}
	if h.UnKnownSize || e.Size < 0 {
		e.Size = -1
	}
	switch {
	case h.IsDir:
		e.Kind = semblance.EntryFolder
	case h.Mode()&fs.ModeSymlink != 0, !r.old && h.PackedSize == 0 && h.UnPackedSize > 0: // RAR 5 has hard links
		e.Kind = semblance.EntryLink
	}
	for _, t := range []struct {
		what string
		at   time.Time
	}{{"modified", h.ModificationTime}, {"accessed", h.AccessTime}, {"created", h.CreationTime}} {
		if !t.at.IsZero() && t.at.Year() > 1900 && t.at.Year() < 10000 {
			e.Times = append(e.Times, r.time(t.what, t.at))
		}
	}
	if e.Kind == semblance.EntryFile && h.Encrypted && r.locked && e.Size != 0 {
		e.Code, e.Reason = semblance.MediaEncrypted, noneOpens(len(r.given))
	}
	return e
}

// time is a time of a file; before RAR 5 they were local and without a zone, which the
// library reads as ours.
func (r *rarReader) time(what string, t time.Time) semblance.FileTime {
	if r.old {
		return semblance.FileTime{What: what, Time: t.Format("2006-01-02T15:04:05.999999999"), Source: "RAR header, in DOS time"}
	}
	return semblance.FileTime{What: what, Time: t.UTC().Format(time.RFC3339Nano), Source: "RAR header"}
}

// Open gives the content of the file.
func (r *rarReader) Open() (io.Reader, error) {
	var h *rardecode.FileHeader
	var in io.Reader
	switch {
	case r.files != nil && r.in != nil && r.err == nil:
		r.closeFile()
		c, err := r.openFile(r.in)
		if err != nil {
			return nil, r.sentence(err)
		}
		h, in, r.current = &r.in.FileHeader, c, c
	case r.file != nil:
		h, in, r.file = r.file, r.sequence, nil
	default:
		return nil, damaged("this entry has no content that can be read")
	}
	size := h.UnPackedSize
	if h.UnKnownSize {
		size = -1
	}
	return &content{r: rarContent{r, in}, size: size}, nil
}

func (r *rarReader) closeFile() {
	if r.current != nil {
		_ = r.current.Close() // of a part, of which nothing is held
		r.current = nil
	}
}

// A rarContent says what is wrong in sentences.
type rarContent struct {
	rar *rarReader
	r   io.Reader
}

// Read reads.
func (c rarContent) Read(p []byte) (n int, err error) {
	err = guard(func() error {
		n, err = c.r.Read(p)
		return err
	})
	if err != nil && err != io.EOF {
		err = c.rar.sentence(err)
	}
	return n, err
}

// sentence says what the library's errors mean.
func (r *rarReader) sentence(err error) error {
	is := func(all ...error) bool {
		return slices.ContainsFunc(all, func(e error) bool { return errors.Is(err, e) })
	}
	switch {
	case is(rardecode.ErrDictionaryTooLarge, rardecode.ErrPlatformIntSize):
		return semblance.Errorf(semblance.MediaTooLarge, "the RAR archive needs a window of more than %d MiB to be unpacked", maxWindow>>20).
			WithHint("Unpack it on a machine of its own and scan the folder.")
	case is(rardecode.ErrBadPassword, rardecode.ErrArchivedFileEncrypted, rardecode.ErrArchiveEncrypted):
		return semblance.Errorf(semblance.MediaEncrypted, "%s", noneOpens(len(r.given)))
	case is(rardecode.ErrUnknownDecoder, rardecode.ErrUnsupportedDecoder, rardecode.ErrUnknownVersion, rardecode.ErrUnknownEncryptMethod, rardecode.ErrMultipleDecoders):
		return semblance.Errorf(semblance.MediaUnsupported, "it was packed by a version of RAR that is not read").WithCause(err)
	case is(rardecode.ErrBadFileChecksum):
		why := "the content does not have the checksum that the archive states; it was examined as it is"
		if r.facts.Password > 0 {
			why += " (it may be encrypted with another password)"
		}
		return damaged("%s", why)
	case is(fs.ErrNotExist, rardecode.ErrMultiVolume, rardecode.ErrBadVolumeNumber):
		return damaged("a further part of the RAR archive is missing; what stands before it was examined").
			WithHint("Put all parts (.part1.rar, .part2.rar, ... or .rar, .r00, ...) into one folder.")
	}
	return damaged("the RAR archive is damaged or cut short; what stands before was examined").WithCause(err)
}

// Facts are complete after the last entry.
func (r *rarReader) Facts() semblance.ContainerFacts {
	f := r.facts
	f.Notes = slices.Clone(f.Notes)
	return f
}

// Close releases nothing: the descriptors are the caller's.
func (r *rarReader) Close() error {
	r.closeFile()
	return nil
}

// rarParts are the parts as the library wants them: files that are opened by name.
type rarParts struct {
	parts []Part
	o     *Options
}

// Open opens a part.
func (p rarParts) Open(name string) (fs.File, error) {
	for _, part := range p.parts {
		if strings.EqualFold(part.Name, name) {
			return &rarPart{io.NewSectionReader(part.R, 0, part.Size), part.Name, p.o}, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// A rarPart is an open part.
type rarPart struct {
	*io.SectionReader
	name string
	o    *Options
}

// Read says how far it is.
func (p *rarPart) Read(b []byte) (int, error) {
	n, err := p.SectionReader.Read(b)
	at, _ := p.Seek(0, io.SeekCurrent)
	p.o.progress(at, p.SectionReader.Size())
	return n, err
}

// Close releases nothing.
func (rarPart) Close() error { return nil }

// Stat says the name and the size.
func (p *rarPart) Stat() (fs.FileInfo, error) { return rarInfo{p}, nil }

// A rarInfo is what is known of a part.
type rarInfo struct{ p *rarPart }

// Name and the others are those of fs.FileInfo.
func (i rarInfo) Name() string { return i.p.name }

// Size is the part's.
func (i rarInfo) Size() int64 { return i.p.SectionReader.Size() }

// Mode is that of a plain file.
func (rarInfo) Mode() fs.FileMode { return 0o400 }

// ModTime is not known.
func (rarInfo) ModTime() time.Time { return time.Time{} }

// IsDir is false.
func (rarInfo) IsDir() bool { return false }

// Sys is nothing.
func (rarInfo) Sys() any { return nil }
