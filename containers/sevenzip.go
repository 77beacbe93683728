package containers

import (
	"bufio"
	"bytes"
	"cmp"
	"hash/crc32"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"semblance"
)

const (
	sevenMagic = "7z\xbc\xaf\x27\x1c"
	// maxSevenHeader bounds the memory of a directory; a million files have some 100 MiB.
	maxSevenHeader = 256 << 20
)

func isSeven(head []byte, _ Part) bool {
	return len(head) >= 32 && string(head[:6]) == sevenMagic
}

// A sevenFile is one that the directory of a 7z archive lists.
type sevenFile struct {
	name       []byte // UTF-8
	size       int64
	crc        uint32
	hasCRC     bool
	empty, dir bool // no stream; a folder
	anti       bool
	folder     int32 // that holds it; -1
	at         int64 // of its content in what the folder unpacks to
	attrs      uint32
	times      [3]uint64 // created, accessed, modified: FILETIME, 0 when not kept
}

// A sevenReader reads 7z archives (7zFormat.txt of the LZMA SDK). Files are packed
// together in folders: those are read in the order of the most urgent file in each, the
// files of one as they lie in it, since reading the last means unpacking all before it.
type sevenReader struct {
	r         io.ReaderAt
	size      int64
	files     []sevenFile
	folders   []sevenFolder
	order     []int32
	at        int
	o         *Options
	passwords []string
	proven    int // index of the password that opened something; -1
	keys      map[string][]byte
	facts     semblance.ContainerFacts
	names     nameNotes

	open    int32 // the folder that is being unpacked; -1
	stream  io.Reader
	pos     int64 // in it
	failed  error // what the folder ended with
	refused map[int32]*semblance.Error
	file    *sevenFile
}

func openSeven(parts []Part, o Options) (Reader, error) {
	s := &sevenReader{o: &o, passwords: o.Passwords, proven: -1, keys: map[string][]byte{}, open: -1, refused: map[int32]*semblance.Error{},
		facts: semblance.ContainerFacts{Format: "7z"}}
	s.r, s.size = whole(parts)
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	s.sort()
	return s, nil
}

// readHeader finds the directory and reads it.
func (s *sevenReader) readHeader() error {
	var b [32]byte
	if err := readAt(s.r, b[:], 0); err != nil {
		return damaged("the 7z header is cut short")
	}
	if crc32.ChecksumIEEE(b[12:]) != le.Uint32(b[8:]) {
		return damaged("the 7z header is damaged")
	}
	off, n := le.Uint64(b[12:]), le.Uint64(b[20:])
	if n == 0 {
		return nil // an empty archive
	}
	if off > uint64(s.size) || n > uint64(s.size)-off || off+n+32 > uint64(s.size) {
		return damaged("the 7z archive is cut short: its directory is missing, and without it nothing can be found in it").
			WithHint("Look for further parts of a split archive (.002, .003, ...).")
	}
	if n > maxSevenHeader {
		return semblance.Errorf(semblance.MediaTooLarge, "the directory of the 7z archive has %d MiB; at most %d MiB are read", n>>20, maxSevenHeader>>20)
	}
	header := make([]byte, n)
	if err := readAt(s.r, header, 32+int64(off)); err != nil || crc32.ChecksumIEEE(header) != le.Uint32(b[28:]) {
		return damaged("the directory of the 7z archive is damaged")
	}
	const most = 4 // packed in each other; 7-Zip packs once
	for range most {
		p := &sevenParser{b: header}
		switch p.byte() {
		case 1:
			return s.parse(p)
		case 0x17:
			var err error
			if header, err = s.unpackHeader(p); err != nil {
				return err
			}
		default:
			return damaged("the directory of the 7z archive is damaged")
		}
	}
	return damaged("the directory of the 7z archive is packed in itself")
}

// unpackHeader unpacks a directory that is packed itself.
func (s *sevenReader) unpackHeader(p *sevenParser) ([]byte, error) {
	streams, err := p.streams()
	if err != nil {
		return nil, err
	}
	if len(streams.folders) != 1 {
		return nil, damaged("the directory of the 7z archive is damaged")
	}
	f := &streams.folders[0]
	if f.size() > maxSevenHeader {
		return nil, semblance.Errorf(semblance.MediaTooLarge, "the directory of the 7z archive has %d MiB; at most %d MiB are read", f.size()>>20, maxSevenHeader>>20)
	}
	read := func(password int) ([]byte, error) {
		r, err := s.unpack(f, password)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(r, f.size()))
		if err == nil && (int64(len(b)) != f.size() || f.hasCRC && crc32.ChecksumIEEE(b) != f.crc) {
			err = damaged("the directory of the 7z archive is damaged")
		}
		return b, err
	}
	if !f.encrypted() {
		b, err := read(-1)
		return b, sentence(err, "the directory of the 7z archive is damaged")
	}
	for i := range s.passwords {
		s.o.progress(int64(i), int64(len(s.passwords)))
		if b, err := read(i); err == nil {
			s.prove(i)
			return b, nil
		}
	}
	return nil, encrypted("the 7z archive, with the names in it,", len(s.passwords))
}

// sentence makes a sentence of an error that is none.
func sentence(err error, otherwise string) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*semblance.Error); ok {
		return e
	}
	return damaged("%s", otherwise).WithCause(err)
}

func (s *sevenReader) prove(i int) {
	s.proven = i
	if s.facts.Password == 0 {
		s.facts.Password = i + 1
	}
}

// sort orders the files: see sevenReader.
func (s *sevenReader) sort() {
	byUrgency := order(len(s.files), func(i int) []byte { return s.files[i].name }, func(int) string { return "" })
	first := make([]int32, len(s.folders)) // place of a folder's most urgent file
	for i := range first {
		first[i] = -1
	}
	place := make([]int32, len(s.files))
	for at, i := range byUrgency {
		place[i] = int32(at)
		if f := s.files[i].folder; f >= 0 {
			if first[f] < 0 {
				first[f] = int32(at)
			}
			place[i] = first[f]
		}
	}
	s.order = make([]int32, len(s.files))
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return cmp.Compare(place[a], place[b]) })
}

// Next gives the next file.
func (s *sevenReader) Next() (semblance.Entry, error) {
	s.file = nil
	if s.at >= len(s.order) {
		if s.at == len(s.order) {
			s.at++
			s.facts.Notes = append(s.facts.Notes, s.names.notes()...)
		}
		return semblance.Entry{}, io.EOF
	}
	f := &s.files[s.order[s.at]]
	s.at++
	return s.describe(f), nil
}

func (s *sevenReader) describe(f *sevenFile) semblance.Entry {
	s.names.see(f.name)
	e := semblance.Entry{Name: f.name, Kind: f.kind(), Size: f.size, Offset: -1, Origin: devicePath(f.name)}
	for i, what := range []string{"created", "accessed", "modified"} {
		if t := f.times[i]; t != 0 && t < lastFileTime {
			e.Times = append(e.Times, fileTime(what, t, "7z header"))
		}
	}
	sortTimes(e.Times)
	if e.Kind == semblance.EntryFolder || e.Kind == semblance.EntrySpecial {
		return e
	}
	s.file = f
	if err := s.enter(f); err != nil {
		e.Code, e.Reason, s.file = err.Code, err.Msg, nil
		return e
	}
	if e.Kind == semblance.EntryLink && f.size <= 4096 {
		if r, err := s.Open(); err == nil {
			if b, err := io.ReadAll(r); err == nil {
				e.Target = string(b)
			}
		}
	}
	return e
}

func (f *sevenFile) kind() semblance.EntryKind {
	const folder, unix = 1 << 4, 1 << 15
	mode := uint32(0)
	if f.attrs&unix != 0 {
		mode = f.attrs >> 16 & 0o170000
	}
	switch {
	case f.anti:
		return semblance.EntrySpecial
	case f.dir, f.empty && f.attrs&folder != 0, mode == 0o040000:
		return semblance.EntryFolder
	case mode == 0o120000:
		return semblance.EntryLink
	case mode != 0 && mode != 0o100000:
		return semblance.EntrySpecial
	}
	return semblance.EntryFile
}

// enter makes sure that the folder of a file can be unpacked.
func (s *sevenReader) enter(f *sevenFile) *semblance.Error {
	if f.folder < 0 {
		return nil
	}
	if err, ok := s.refused[f.folder]; ok {
		return err
	}
	if s.open == f.folder {
		return nil
	}
	err := s.begin(f.folder)
	if err != nil {
		e, ok := err.(*semblance.Error)
		if !ok {
			e = damaged("the packed data it is in are damaged").WithCause(err)
		}
		s.refused[f.folder] = e
		return e
	}
	return nil
}

// begin begins to unpack a folder, with the password that opens it.
func (s *sevenReader) begin(i int32) (err error) {
	f := &s.folders[i]
	s.open, s.stream, s.pos, s.failed = -1, nil, 0, nil
	password := -1
	if f.encrypted() {
		if password = s.password(i); password < 0 {
			return semblance.Errorf(semblance.MediaEncrypted, "%s", noneOpens(len(s.passwords)))
		}
		s.prove(password)
	}
	r, err := s.unpack(f, password)
	if err != nil {
		return err
	}
	s.open, s.stream = i, r
	return nil
}

// password finds the password of a folder: the one with which its first file is what it
// should be. -1 when there is none.
func (s *sevenReader) password(i int32) int {
	tries := make([]int, 0, len(s.passwords)+1)
	if s.proven >= 0 {
		tries = append(tries, s.proven)
	}
	for k := range s.passwords {
		if k != s.proven {
			tries = append(tries, k)
		}
	}
	first := slices.IndexFunc(s.files, func(f sevenFile) bool { return f.folder == i })
	for n, k := range tries {
		s.o.progress(int64(n), int64(len(tries)))
		r, err := s.unpack(&s.folders[i], k)
		if err != nil {
			if semblance.CodeOf(err) != semblance.MediaDamaged {
				return k // not a question of the password: begin says it
			}
			continue
		}
		if first < 0 {
			return k
		}
		f := &s.files[first]
		c := &content{r: io.LimitReader(r, f.size), size: f.size}
		if f.hasCRC {
			c = newContent(c.r, f.size, f.crc)
		}
		if f.size > maxTrial && s.folders[i].tells() {
			c = &content{r: io.LimitReader(r, maxTrial), size: maxTrial}
		}
		if intact(c) {
			return k
		}
	}
	return -1
}

// Open gives the content of the file. What lies before it in its folder is unpacked.
func (s *sevenReader) Open() (io.Reader, error) {
	f := s.file
	if f == nil {
		return nil, damaged("this entry has no content that can be read")
	}
	if f.folder < 0 {
		return bytes.NewReader(nil), nil
	}
	if s.failed == nil && s.pos > f.at { // asked for again
		if err := s.begin(f.folder); err != nil {
			return nil, err
		}
	}
	in := sevenContent{s}
	if s.failed == nil && s.pos < f.at {
		_, _ = io.CopyN(io.Discard, in, f.at-s.pos)
	}
	if s.failed != nil && s.pos <= f.at {
		return nil, sentence(s.failed, "the packed data before it are damaged, and so it cannot be unpacked")
	}
	c := &content{r: io.LimitReader(in, f.size), size: f.size}
	if f.hasCRC {
		c = newContent(c.r, f.size, f.crc)
	}
	return c, nil
}

// A sevenContent reads on in the folder that is open.
type sevenContent struct{ s *sevenReader }

// Read remembers where it is and how it ended.
func (c sevenContent) Read(p []byte) (int, error) {
	if c.s.failed != nil {
		return 0, c.s.failed
	}
	n, err := c.s.stream.Read(p)
	c.s.pos += int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
		if f := c.s.file; f != nil && c.s.pos >= f.at+f.size {
			err = nil
		}
	}
	c.s.failed = err
	return n, err
}

// Facts are complete after the last entry.
func (s *sevenReader) Facts() semblance.ContainerFacts {
	f := s.facts
	f.Notes = slices.Clone(f.Notes)
	return f
}

// Close releases nothing: the descriptors are the caller's.
func (s *sevenReader) Close() error { return nil }

// unpack gives what a folder unpacks to.
func (s *sevenReader) unpack(f *sevenFolder, password int) (io.Reader, error) {
	p := &sevenPipe{s: s, f: f, password: password}
	return p.out(f.main, 0)
}

// fromUTF16LE is a name in UTF-8; what is no Unicode stays as WTF-8 so that no two names
// become one.
func fromUTF16LE(b []byte) (out []byte) {
	for i := 0; i+2 <= len(b); i += 2 {
		r := rune(le.Uint16(b[i:]))
		if utf16.IsSurrogate(r) && i+4 <= len(b) {
			if both := utf16.DecodeRune(r, rune(le.Uint16(b[i+2:]))); both != utf8.RuneError {
				r = both
				i += 2
			}
		}
		if utf16.IsSurrogate(r) {
			out = append(out, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func newBuffered(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }
