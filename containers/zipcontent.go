package containers

import (
	"bufio"
	"compress/bzip2"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"

	"semblance"
)

// Compression methods of APPNOTE 4.4.5.
const (
	zipStored    = 0
	zipDeflate   = 8
	zipDeflate64 = 9
	zipBzip2     = 12
	zipLZMA      = 14
	zipZstdOld   = 20
	zipZstd      = 93
	zipXZ        = 95
	zipAES       = 99 // WinZip: the method proper is in an extra field
)

// zipMethods are the names of methods, those that are not read among them.
var zipMethods = map[uint16]string{
	1: "shrink", 2: "reduce", 3: "reduce", 4: "reduce", 5: "reduce", 6: "implode", 10: "PKWARE DCL implode", 16: "IBM z/OS CMPSC",
	18: "IBM TERSE", 19: "IBM LZ77", 94: "MP3", 96: "JPEG variant", 97: "WavPack", 98: "PPMd",
}

// unpackers are decompressors that are used again for the next entry.
type unpackers struct {
	in      *bufio.Reader
	inflate io.ReadCloser
}

// buffered reads r in large pieces. The buffer is that of the entry before.
func (u *unpackers) buffered(r io.Reader) *bufio.Reader {
	if u.in == nil {
		u.in = bufio.NewReaderSize(r, 64<<10)
	} else {
		u.in.Reset(r)
	}
	return u.in
}

// deflated undoes deflate.
func (u *unpackers) deflated(r io.Reader) io.Reader {
	in := u.buffered(noEOF{r})
	if u.inflate == nil {
		u.inflate = flate.NewReader(in)
	} else if err := u.inflate.(flate.Resetter).Reset(in, nil); err != nil {
		panic(err) // it returns none
	}
	return u.inflate
}

// A noEOF ends with an error: deflate says itself where it ends. The decompressor takes
// the end of its input within a length or a distance for the end of the stream (klauspost
// 1.18.6).
type noEOF struct{ r io.Reader }

// Read reads on.
func (n noEOF) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return k, err
}

// zip undoes a compression method; nil when it is not one that is read.
func (u *unpackers) zip(method uint16, r io.Reader, flags uint16, size int64) (io.Reader, error) {
	switch method {
	case zipStored:
		return r, nil
	case zipDeflate:
		return u.deflated(r), nil
	case zipDeflate64:
		return newInflate64(u.buffered(r)), nil
	case zipBzip2:
		return bzip2.NewReader(u.buffered(r)), nil
	case zipZstd, zipZstdOld:
		return newZstd(u.buffered(r))
	case zipXZ:
		return openXZ(u.buffered(r), nil)
	case zipLZMA:
		return zipLZMAReader(u.buffered(r), flags, size)
	}
	return nil, nil
}

// zipLZMAReader reads LZMA with the header that zip gives it (APPNOTE 5.8.8).
func zipLZMAReader(r *bufio.Reader, flags uint16, size int64) (io.Reader, error) {
	var b [9]byte
	if _, err := io.ReadFull(r, b[:]); err != nil || le.Uint16(b[2:]) != 5 {
		return nil, damaged("the LZMA header of the content is damaged")
	}
	const marked = 1 << 1 // an end mark stands
	if flags&marked != 0 {
		size = -1
	}
	return newLZMA(r, b[4], le.Uint32(b[5:]), size)
}

// readsMethod reports whether a method is one that zip undoes.
func readsMethod(method uint16) bool {
	switch method {
	case zipStored, zipDeflate, zipDeflate64, zipBzip2, zipZstd, zipZstdOld, zipXZ, zipLZMA:
		return true
	}
	return false
}

// prepare decides whether the entry can be read, and how.
func (z *zipReader) prepare(e *semblance.Entry) {
	h := &z.entry
	if e.Kind == semblance.EntryFolder || e.Kind == semblance.EntrySpecial {
		return
	}
	const encrypted, strong = 1, 1 << 6
	lock, method, err := zipLockOf(h)
	switch {
	case err != nil:
		e.Code, e.Reason = semblance.MediaDamaged, err.Error()
		return
	case h.flags&strong != 0:
		e.Code, e.Reason = semblance.MediaEncrypted, "encrypted in PKWARE's own way (strong encryption), which is not read; unpack it with PKZIP or WinZip and scan the folder"
		return
	case !readsMethod(method):
		name := zipMethods[method]
		if name == "" {
			name = "of an unknown kind"
		}
		e.Code, e.Reason = semblance.MediaUnsupported, fmt.Sprintf("its compression method %d (%s) is not read", method, name)
		return
	}
	z.opener = func() (io.Reader, error) { return z.plain(method) }
	if h.flags&encrypted != 0 {
		key, ok := z.unlock(lock, method)
		if !ok {
			e.Code, e.Reason = semblance.MediaEncrypted, noneOpens(len(z.passwords.list))
			return
		}
		z.opener = func() (io.Reader, error) { return z.locked(lock, key, method) }
	}
	if e.Kind == semblance.EntryLink {
		z.follow(e)
	}
}

// section is the content as it lies in the archive.
func (z *zipReader) section() *io.SectionReader {
	return io.NewSectionReader(z.r, z.data, max(0, min(z.entry.packed, z.size-z.data)))
}

// plain is the content of an entry that is not encrypted.
func (z *zipReader) plain(method uint16) (io.Reader, error) {
	h := &z.entry
	r, err := z.unpack.zip(method, z.section(), h.flags, h.size)
	if err != nil {
		return nil, err
	}
	c := newContent(r, h.size, h.crc)
	if h.unstated() {
		c.sum = nil
	}
	if h.unstated() && method == zipStored {
		c.rest = func() error {
			return damaged("the size of the content was lost with the archive's directory; what lies there was examined up to where something else begins")
		}
	}
	return c, nil
}

// unstated reports that neither size nor checksum of an entry is known: its data
// descriptor was not found.
func (h *zipHeader) unstated() bool { return h.size < 0 && h.crc == 0 }

// follow reads the target of a symbolic link, which is the content of its entry.
func (z *zipReader) follow(e *semblance.Entry) {
	const longest = 4096 // Linux's PATH_MAX
	r, err := z.opener()
	if err != nil {
		return
	}
	if b, err := io.ReadAll(io.LimitReader(r, longest)); err == nil {
		e.Target = string(b)
	}
}

// intact reports whether content ends as it should.
func intact(r io.Reader) bool {
	_, err := io.Copy(io.Discard, r)
	return err == nil
}

// crcOf is the CRC-32 that zip's own encryption uses for its keys, a byte at a time.
func crcOf(crc uint32, b byte) uint32 { return crc32.IEEETable[byte(crc)^b] ^ crc>>8 }
