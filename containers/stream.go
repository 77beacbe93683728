package containers

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"semblance"
)

// A compression is what a compressor makes of one file.
type compression struct {
	format string
	open   func(*bufio.Reader, *stream) (io.Reader, error)
}

var (
	gzipFile  = compression{"gzip", openGzip}
	bzip2File = compression{"bzip2", func(r *bufio.Reader, _ *stream) (io.Reader, error) { return bzip2.NewReader(r), nil }}
	xzFile    = compression{"xz", openXZ}
	lzmaFile  = compression{"lzma", openLZMA}
	zstdFile  = compression{"zstd", func(r *bufio.Reader, _ *stream) (io.Reader, error) { return newZstd(r) }}
	lz4File   = compression{"lz4", func(r *bufio.Reader, _ *stream) (io.Reader, error) { return lz4.NewReader(r), nil }}
)

func isGzip(head []byte, _ Part) bool {
	return len(head) > 10 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3]&0xe0 == 0
}

func isBzip2(head []byte, _ Part) bool {
	return len(head) >= 14 && string(head[:3]) == "BZh" && head[3] >= '1' && head[3] <= '9' &&
		(string(head[4:10]) == "\x31\x41\x59\x26\x53\x59" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90")
}

func isZstd(head []byte, p Part) bool {
	return bytes.HasPrefix(unskipped(head, p), []byte("\x28\xb5\x2f\xfd"))
}

func isLZ4(head []byte, p Part) bool {
	head = unskipped(head, p)
	return len(head) >= 7 && (string(head[:4]) == "\x04\x22\x4d\x18" && head[4]>>6 == 1 || string(head[:4]) == "\x02\x21\x4c\x18")
}

// unskipped is what stands behind the frames with which zstd and LZ4 files can begin and
// that decoders skip.
func unskipped(head []byte, p Part) []byte {
	const most = 16 // frames that are looked over
	at := int64(0)
	for range most {
		if len(head) < 8 || le.Uint32(head)&^15 != 0x184d2a50 {
			break
		}
		at += 8 + int64(le.Uint32(head[4:]))
		var b [16]byte
		n, _ := p.R.ReadAt(b[:], at)
		head = b[:n]
	}
	return head
}

// A stream is a container of one entry: what a compressor made of one file.
type stream struct {
	entry semblance.Entry
	facts semblance.ContainerFacts
	r     io.Reader
	given bool
}

// opener opens files of the compression. A tar archive inside is gone through at once,
// without being unpacked first: the entries of photos.tar.gz are its pictures.
func (c compression) opener() func([]Part, Options) (Reader, error) {
	return func(parts []Part, o Options) (Reader, error) {
		p := parts[0]
		r, size := whole(parts)
		s := &stream{facts: semblance.ContainerFacts{Format: c.format}}
		s.entry = semblance.Entry{Name: []byte(streamName(p.Name)), Kind: semblance.EntryFile, Size: -1, Offset: -1}
		in := &progressReader{r: io.NewSectionReader(r, 0, size), o: &o, total: size}
		u, err := c.open(bufio.NewReaderSize(in, 1<<16), s)
		if err != nil {
			return nil, streamError(c.format, err)
		}
		plain := bufio.NewReaderSize(damageReader{u, c.format}, 1<<16)
		if head, _ := plain.Peek(tarBlock); isTarHeader(head) {
			return newTar(plain, semblance.ContainerFacts{Format: "tar." + c.format}, s), nil
		}
		s.r = plain
		return s, nil
	}
}

// streamName is what the one entry of a compressed file is called when it does not say.
func streamName(name string) string {
	ext := strings.ToLower(path.Ext(name))
	base := strings.TrimSuffix(name, path.Ext(name))
	switch {
	case ext == "" || base == "":
		return "content"
	case ext == ".tgz" || ext == ".tbz" || ext == ".tbz2" || ext == ".txz" || ext == ".tzst":
		return base + ".tar"
	}
	return base
}

func (s *stream) Next() (semblance.Entry, error) {
	if s.given {
		return semblance.Entry{}, io.EOF
	}
	s.given = true
	return s.entry, nil
}

func (s *stream) Open() (io.Reader, error) { return s.r, nil }

func (s *stream) Facts() semblance.ContainerFacts { return s.facts }

func (s *stream) Close() error { return nil }

// A damageReader turns a decompressor's error into a sentence.
type damageReader struct {
	r      io.Reader
	format string
}

func (d damageReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err != nil && err != io.EOF {
		err = streamError(d.format, err)
	}
	return n, err
}

func streamError(format string, err error) error {
	switch e := err.(type) {
	case *semblance.Error:
		return e
	default:
		return damaged("the %s data are damaged or cut short; what could be read of them was examined", format).WithCause(e)
	}
}

// newZstd reads Zstandard, in one goroutine and within bounds.
func newZstd(r io.Reader) (io.Reader, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return zstdReader{d}, nil
}

type zstdReader struct{ *zstd.Decoder }

// Read says in a sentence of ours when a window is too large.
func (z zstdReader) Read(p []byte) (int, error) {
	n, err := z.Decoder.Read(p)
	if err == zstd.ErrWindowSizeExceeded {
		err = semblance.Errorf(semblance.MediaTooLarge, "the zstd data need a window of more than %d MiB to be unpacked", maxWindow>>20).
			WithHint("Unpack it on a machine of its own and scan the folder.")
	}
	return n, err
}

// A gzipReader reads the members of a gzip file, one behind the other as gzip reads them.
type gzipReader struct {
	in *bufio.Reader
	z  *gzip.Reader
	s  *stream
}

func openGzip(in *bufio.Reader, s *stream) (io.Reader, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, damaged("the gzip header is damaged").WithCause(err)
	}
	z.Multistream(false)
	if z.Name != "" {
		s.entry.Name = []byte(path.Base(strings.ReplaceAll(z.Name, "\\", "/")))
	}
	if !z.ModTime.IsZero() {
		s.entry.Times = []semblance.FileTime{{What: "modified", Time: z.ModTime.UTC().Format(time.RFC3339), Source: "gzip header"}}
	}
	return &gzipReader{in, z, s}, nil
}

// Read goes on to the next member at the end of one. Zeros behind the last are padding;
// anything else is named.
func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	if err != io.EOF || n > 0 {
		if err == io.EOF {
			err = nil
		}
		return n, err
	}
	if head, _ := g.in.Peek(3); len(head) < 3 || head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 {
		return 0, g.trailing()
	}
	if err := g.z.Reset(g.in); err != nil {
		return 0, err
	}
	g.z.Multistream(false)
	return 0, nil
}

func (g *gzipReader) trailing() error {
	var n int64
	zero := true
	for b := make([]byte, 32<<10); ; {
		k, err := g.in.Read(b)
		n += int64(k)
		zero = zero && len(bytes.TrimLeft(b[:k], "\x00")) == 0
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if !zero {
		g.s.facts.Notes = append(g.s.facts.Notes, fmt.Sprintf("%d bytes stand behind the compressed data and belong to no part of it", n))
	}
	return io.EOF
}
