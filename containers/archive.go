package containers

import (
	"bytes"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"io"
	"unicode/utf8"

	"semblance"
)

// archiveFormats have a signature each and are asked first.
var archiveFormats = []format{
	{"zip", isZip, openZip},
	{"gzip", isGzip, gzipFile.opener()},
	{"bzip2", isBzip2, bzip2File.opener()},
	{"zstd", isZstd, zstdFile.opener()},
	{"lz4", isLZ4, lz4File.opener()},
	{"xz", isXZ, xzFile.opener()},
	{"7z", isSeven, openSeven},
	{"rar", isRAR, openRAR},
	{"7z", isProgramWith(sevenMagic), openBehind(sevenMagic, openSeven)},
	{"rar", isProgramWith(rarMagic), openBehind(rarMagic, openRAR)},
	{"tar", isTar, openTar},
	{"android-backup", isAndroidBackup, openAndroidBackup},
	{"lzma", isLZMA, lzmaFile.opener()},
}

// maxProgram is how long the program before an archive that unpacks itself may be; RAR's
// own limit.
const maxProgram = 1 << 20

// isProgramWith tells a program (.exe, ELF) that unpacks the archive behind it.
func isProgramWith(magic string) func([]byte, Part) bool {
	return func(head []byte, p Part) bool {
		return isProgram(head) && behindProgram(magic, p) > 0
	}
}

func isProgram(head []byte) bool {
	return bytes.HasPrefix(head, []byte("MZ")) || bytes.HasPrefix(head, []byte("\x7fELF"))
}

// behindProgram finds an archive behind a program; 0 when there is none. The name of the
// magic is in the program too, but not at the beginning of anything that opens.
func behindProgram(magic string, p Part) int64 {
	b := make([]byte, min(maxProgram, p.Size))
	n, _ := p.R.ReadAt(b, 0)
	for at := 0; ; at++ {
		i := bytes.Index(b[at:n], []byte(magic))
		if i < 0 {
			return 0
		}
		at += i
		head := b[at:n]
		if magic == rarMagic && isRAR(head, p) || magic == sevenMagic && isSeven(head, p) && crc32.ChecksumIEEE(head[12:32]) == le.Uint32(head[8:]) {
			return int64(at)
		}
	}
}

// openBehind opens the archive behind a program.
func openBehind(magic string, open func([]Part, Options) (Reader, error)) func([]Part, Options) (Reader, error) {
	return func(parts []Part, o Options) (Reader, error) {
		p := parts[0]
		at := behindProgram(magic, p)
		p.R, p.Size = io.NewSectionReader(p.R, at, p.Size-at), p.Size-at
		return open(append([]Part{p}, parts[1:]...), o)
	}
}

// maxWindow is the most memory that a decompressor may keep of what it has given: the
// largest dictionary or window that is accepted. xz -9 needs 64 MiB, 7z -mx=9 64 MiB,
// zstd --ultra 128 MiB; what asks for more asks for the machine.
const maxWindow = 256 << 20

// tooLargeWindow says that a stream wants more memory than it gets.
func tooLargeWindow(what string, bytes uint64) error {
	return semblance.Errorf(semblance.MediaTooLarge, "%s needs a window of %d MiB to be unpacked; at most %d MiB are given to one", what, bytes>>20, maxWindow>>20).
		WithHint("Unpack it on a machine of its own and scan the folder.")
}

// damaged is a sentence about bytes that are not what their format demands.
func damaged(format string, args ...any) *semblance.Error {
	return semblance.Errorf(semblance.MediaDamaged, format, args...)
}

// noneOpens is why an encrypted entry, or an archive, cannot be read.
func noneOpens(passwords int) string {
	switch passwords {
	case 0:
		return "encrypted, and no password was given"
	case 1:
		return "encrypted, and the one password that was given does not open it"
	}
	return fmt.Sprintf("encrypted, and none of the %d passwords opens it", passwords)
}

// encrypted is noneOpens as an error, of a container of which nothing can be read.
func encrypted(what string, passwords int) error {
	return semblance.Errorf(semblance.MediaEncrypted, "%s is %s", what, noneOpens(passwords)).
		WithHint("Give the passwords of the case; every one is tried.")
}

// whole is the bytes of a container, whose parts stand one behind the other.
func whole(parts []Part) (io.ReaderAt, int64) {
	if len(parts) == 1 {
		return parts[0].R, parts[0].Size
	}
	j := join(parts)
	return j, j.Size()
}

// A progressReader says how far it is. It stands under everything that can be read for a
// minute before an entry comes: to skip content that is packed is to unpack it.
type progressReader struct {
	r        io.Reader
	o        *Options
	n, total int64
}

// Read tells and reads.
func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.o.progress(p.n, max(p.total, p.n))
	return n, err
}

// readAt reads exactly len(p) bytes.
func readAt(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// A content is the bytes of an entry, held against what the container states of them.
type content struct {
	r    io.Reader
	size int64       // as stated; -1: not stated
	sum  hash.Hash32 // nil: no checksum is stated
	want uint32
	// rest, when it is set, has the last word after all bytes have been given.
	rest func() error
	// hint is added to what is said of content that disagrees.
	hint string
	n    int64
	err  error
}

// newContent checks size and CRC-32.
func newContent(r io.Reader, size int64, crc uint32) *content {
	return &content{r: r, size: size, sum: crc32.NewIEEE(), want: crc}
}

// Read gives all the bytes there are, also beyond the stated size: what is hidden there
// is to be seen. How the content ends says what is wrong with it.
func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if err == io.EOF {
		err = c.end()
	} else if err != nil {
		err = c.say(err)
	}
	c.err = err
	return n, err
}

func (c *content) end() error {
	switch {
	case c.size >= 0 && c.n < c.size:
		return damaged("the content ends after %d of %d bytes; what there is of it was examined%s", c.n, c.size, c.hint)
	case c.size >= 0 && c.n > c.size:
		return damaged("the content has %d bytes where its container states %d; all of them were examined%s", c.n, c.size, c.hint)
	case c.sum != nil && c.sum.Sum32() != c.want:
		return damaged("the content does not have the checksum that its container states; it was examined as it is%s", c.hint)
	case c.rest != nil:
		if err := c.rest(); err != nil {
			return c.say(err)
		}
	}
	return io.EOF
}

func (c *content) say(err error) error {
	if e, ok := err.(*semblance.Error); ok {
		return e
	}
	return damaged("the content is damaged or cut short after %d bytes; what could be read of it was examined%s", c.n, c.hint).WithCause(err)
}

// A nameNotes looks at the names of a container's entries for what deserves a note: honest
// programs seldom write such names. Nothing is changed in them.
type nameNotes struct {
	outside, backslash, nul, text, again int
	seen                                 map[uint64]struct{}
}

// maxSeen bounds the memory for telling names that occur twice.
const maxSeen = 4 << 20

func (s *nameNotes) see(name []byte) {
	if bytes.HasPrefix(name, []byte("/")) || hasDrive(name) || slicesHas(bytes.FieldsFunc(name, isSlash), "..") {
		s.outside++
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		s.backslash++
	}
	if bytes.IndexByte(name, 0) >= 0 {
		s.nul++
	}
	if !utf8.Valid(name) {
		s.text++
	}
	if s.seen == nil {
		s.seen = map[uint64]struct{}{}
	}
	h := fnv.New64a()
	h.Write(name)
	key := h.Sum64()
	if _, ok := s.seen[key]; ok {
		s.again++
	} else if len(s.seen) < maxSeen {
		s.seen[key] = struct{}{}
	}
}

func isSlash(r rune) bool { return r == '/' || r == '\\' }

func hasDrive(name []byte) bool {
	return len(name) > 2 && name[1] == ':' && isSlash(rune(name[2]))
}

func slicesHas(list [][]byte, s string) bool {
	for _, b := range list {
		if string(b) == s {
			return true
		}
	}
	return false
}

// notes are the sentences about names, in a fixed order.
func (s *nameNotes) notes() (all []string) {
	for _, n := range []struct {
		n    int
		says string
	}{
		{s.outside, "an absolute path or one that leads out of the archive"},
		{s.backslash, "a backslash"},
		{s.nul, "a NUL byte"},
		{s.text, "bytes that are not UTF-8"},
		{s.again, "the name of an entry before it"},
	} {
		if n.n > 0 {
			all = append(all, fmt.Sprintf("names with %s: %d", n.says, n.n))
		}
	}
	return all
}
