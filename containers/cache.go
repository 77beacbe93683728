package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"semblance"
)

// Caches of thumbnails and of browsers keep pictures as they are, behind each other. Those
// of Windows and of Chrome's simple cache say what each is; in all others, and in property
// lists and data files that are not known, pictures are found by what they begin with and
// measured by their structure.

const (
	cmmmMagic   = "CMMM"
	simpleMagic = "\x30\x5c\x72\xa7\x1b\x6d\xfb\xfc" // 0xfcfb6d1ba7725c30
	simpleEnd   = "\xd8\x41\x0d\x97\x45\x6f\xfa\xf4" // 0xf4fa6f45970d41d8
	maxKey      = 64 << 10                           // bytes of a name in a cache
	leastCarved = 2 << 10                            // bytes of a file that is searched
	zeroWithin  = 512                                // bytes of the head of which one is zero in a data file
)

func isThumbCache(head []byte, _ Part) bool {
	return len(head) >= 24 && string(head[:4]) == cmmmMagic && head[5] == 0 && head[4] >= 0x14 && head[4] < 0x40
}

// openThumbCache opens a thumbcache_*.db of Windows: entries behind each other, each with
// its size; where one is overwritten, the next is looked for.
func openThumbCache(parts []Part, o Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "thumbcache"}
	return walked(facts, func(emit func(item) error) error {
		head := make([]byte, 36)
		for at, n := nextMagic(p, 24, cmmmMagic), 0; at >= 0; n++ {
			if n%1000 == 0 {
				o.progress(at, p.Size)
			}
			got, _ := p.R.ReadAt(head, at)
			next := at + 4
			if size := int64(binary.LittleEndian.Uint32(head[4:])); got == len(head) && size >= 48 && at+size <= p.Size {
				if err := emitThumb(p, at, size, head, emit); err != nil {
					return err
				}
				next = at + size
			}
			at = nextMagic(p, next, cmmmMagic)
		}
		return nil
	}), nil
}

// emitThumb gives an entry of a cache: its data stands at its end.
func emitThumb(p Part, at, size int64, head []byte, emit func(item) error) error {
	field := 24 // the length of the data, behind those of the name and of the padding
	if id := binary.LittleEndian.Uint32(head[16:]); id > 1<<16 {
		field = 32 // Windows Vista has four letters more in front
	}
	data := int64(binary.LittleEndian.Uint32(head[field:]))
	if data < leastPicture || data > size-48 {
		return nil
	}
	first := make([]byte, min(signatureLen, data))
	n, _ := p.R.ReadAt(first, at+size-data)
	ext := signature(first[:n])
	if ext == "" {
		return nil
	}
	e := semblance.Entry{Name: fmt.Appendf(nil, "%016x.%s", binary.LittleEndian.Uint64(head[8:]), ext), Kind: semblance.EntryFile, Size: data, Offset: at + size - data}
	return emit(item{e, section(p.R, e.Offset, data)})
}

// nextMagic is where a word stands next, -1: nowhere.
func nextMagic(p Part, at int64, magic string) int64 {
	buf := make([]byte, 1<<10)
	for at < p.Size {
		n, _ := p.R.ReadAt(buf[:min(int64(len(buf)), p.Size-at)], at)
		if i := bytes.Index(buf[:n], []byte(magic)); i >= 0 {
			return at + int64(i)
		}
		if n < len(magic) {
			return -1
		}
		at += int64(n - len(magic) + 1)
		if len(buf) < 64<<10 {
			buf = make([]byte, 64<<10)
		}
	}
	return -1
}

func isSimpleCache(head []byte, _ Part) bool {
	return len(head) >= 24 && string(head[:8]) == simpleMagic && binary.LittleEndian.Uint32(head[12:]) < maxKey
}

// openSimpleCache opens an entry of Chrome's simple cache ("0123456789abcdef_0"): a head, the
// address, the body, and what describes it.
func openSimpleCache(parts []Part, _ Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "browser cache"}
	return walked(facts, func(emit func(item) error) error {
		head := make([]byte, 24)
		if _, err := p.R.ReadAt(head, 0); err != nil {
			return semblance.Errorf(semblance.MediaDamaged, "the cache entry is shorter than its header").WithCause(err)
		}
		key := make([]byte, binary.LittleEndian.Uint32(head[12:]))
		if _, err := p.R.ReadAt(key, 24); err != nil {
			return semblance.Errorf(semblance.MediaDamaged, "the cache entry ends in its address").WithCause(err)
		}
		start := 24 + int64(len(key))
		end := nextMagic(p, start, simpleEnd)
		if end < 0 {
			end = p.Size
		}
		first := make([]byte, min(signatureLen, max(0, end-start)))
		n, _ := p.R.ReadAt(first, start)
		ext := signature(first[:n])
		if ext == "" {
			return nil
		}
		if size := pictureSize(p.R, start, p.Size-start); size > 0 {
			end = start + size
		}
		name := lastElement(string(key))
		if name == "" {
			name = "body." + ext
		}
		e := semblance.Entry{Name: []byte(element(name)), Kind: semblance.EntryFile, Size: end - start, Offset: start}
		return emit(item{e, section(p.R, start, end-start)})
	}), nil
}

// isCarvable reports whether a file that is of no other kind is searched for pictures: a
// property list, a cache by its name, or a data file that is no program and no text.
func isCarvable(head []byte, p Part) bool {
	if p.Size < leastCarved || len(head) < 64 || signature(head) != "" && signature(head) != "plist" {
		return false
	}
	name := strings.ToLower(p.Name)
	for _, word := range []string{"thumb", "cache", "imgcache", ".ithmb", "previews", "photos.data", "snapshot"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	if bytes.HasPrefix(head, []byte("bplist00")) || strings.HasPrefix(name, "data_") {
		return true
	}
	for _, magic := range []string{"MZ", "\x7fELF", "\xca\xfe\xba\xbe", "\xcf\xfa\xed\xfe", "dex\n", "OggS", "ID3", "fLaC", "SQLite", "!<arch>"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return false
		}
	}
	ext := path.Ext(name)
	return bytes.IndexByte(head[:min(len(head), zeroWithin)], 0) >= 0 && slices.Contains([]string{"", ".db", ".dat", ".data", ".bin", ".blob", ".pack", ".store", ".tmp", ".chk", ".part", ".partial", ".crdownload", ".0", ".1", ".2", ".plist", ".webarchive", ".exo", ".leveldb", ".ldb", ".log", ".sst", ".realm", ".wal", ".journal", ".bak", ".old"}, ext)
}

func openCarvable(parts []Part, o Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "embedded pictures"}
	return walked(facts, func(emit func(item) error) error {
		in := &told{p.R, o, p.Size, 0}
		err := embedded(in, p.Size, func(f found) error {
			e := semblance.Entry{Name: fmt.Appendf(nil, "at %d.%s", f.off, f.ext), Kind: semblance.EntryFile, Size: f.size, Offset: f.off, Carved: true}
			return emit(item{e, section(p.R, f.off, f.size)})
		})
		if err == errExhausted {
			facts.Notes, err = append(facts.Notes, tiredNote), nil
		}
		return err
	}), nil
}

// told is a file that tells how far it was read.
type told struct {
	r    io.ReaderAt
	o    Options
	size int64
	last int64
}

func (t *told) ReadAt(p []byte, off int64) (int, error) {
	if off>>26 != t.last>>26 {
		t.o.progress(off, t.size)
		t.last = off
	}
	return t.r.ReadAt(p, off)
}
