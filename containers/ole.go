package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"semblance"
)

// An OLE compound file ([MS-CFB]) is a small file system: .doc, .xls, .ppt, .msg,
// Thumbs.db. Attachments of messages are given with their names; pictures are looked for
// in every stream, by what they begin with and by their structure.

const (
	oleMagic    = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	oleEnd      = 0xfffffffa // sector numbers from here on mean something else
	maxOLE      = 200_000    // directory entries
	maxBIFF     = 64 << 20   // bytes of the drawings of a workbook
	oleDepth    = 50         // storages in each other
	oleSmallest = 64         // bytes of a stream that is looked into
)

func isOLE(head []byte, _ Part) bool {
	return len(head) >= 512 && string(head[:8]) == oleMagic && (head[30] == 9 || head[30] == 12)
}

// An oleFile is an open compound file.
type oleFile struct {
	p           Part
	facts       *semblance.ContainerFacts
	sector      int64 // bytes
	fat, mini   []uint32
	small       oleStream // the stream that holds small streams
	smallest    int64     // bytes from which on a stream is not in it
	claimed     bitset    // sectors that belong to a stream
	claimedMini bitset
	entries     []oleEntry
	lost        int // streams that break off
}

// An oleEntry is a stream or a storage.
type oleEntry struct {
	name               string
	kind               byte // 1: storage, 2: stream, 5: root
	left, right, child uint32
	start              uint32
	size               int64
	created, modified  uint64
}

func openOLE(parts []Part, o Options) (Reader, error) {
	f := &oleFile{p: parts[0], facts: &semblance.ContainerFacts{Format: "ole"}}
	head := make([]byte, 512)
	if _, err := f.p.R.ReadAt(head, 0); err != nil {
		return nil, semblance.Errorf(semblance.MediaDamaged, "the compound file is shorter than its header").WithCause(err)
	}
	f.sector, f.smallest = 1<<head[30], int64(binary.LittleEndian.Uint32(head[56:]))
	if err := f.readFAT(head); err != nil {
		return nil, err
	}
	if err := f.readDirectory(binary.LittleEndian.Uint32(head[48:])); err != nil {
		return nil, err
	}
	mini := f.open(f.chain(f.fat, binary.LittleEndian.Uint32(head[60:]), &f.claimed), -1)
	f.mini = words(mini.bytes(64 << 20))
	f.small = f.open(f.chain(f.fat, f.entries[0].start, &f.claimed), f.entries[0].size)
	if slices.ContainsFunc(f.entries, func(e oleEntry) bool { return e.kind == 2 && e.name == "EncryptedPackage" }) {
		return f.encrypted(o)
	}
	return walked(f.facts, f.walk), nil
}

// at is where a sector lies.
func (f *oleFile) at(sector uint32) int64 { return (int64(sector) + 1) * f.sector }

func (f *oleFile) sectorWords(n uint32) []uint32 {
	b := make([]byte, f.sector)
	got, _ := f.p.R.ReadAt(b, f.at(n))
	return words(b[:got])
}

func words(b []byte) []uint32 {
	w := make([]uint32, len(b)/4)
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return w
}

// readFAT reads the table of sectors, by the list in the header and its continuation.
func (f *oleFile) readFAT(head []byte) error {
	list, most := words(head[76:512]), f.p.Size/f.sector+1
	next := binary.LittleEndian.Uint32(head[68:])
	for i := int64(0); next < oleEnd && i < most && int64(len(list)) < most; i++ {
		w := f.sectorWords(next)
		if len(w) < 2 {
			break
		}
		list, next = append(list, w[:len(w)-1]...), w[len(w)-1]
	}
	for _, n := range list {
		if n < oleEnd && f.at(n) < f.p.Size && int64(len(f.fat)) < most {
			f.fat = append(f.fat, f.sectorWords(n)...)
		}
	}
	if len(f.fat) == 0 {
		return semblance.Errorf(semblance.MediaDamaged, "the compound file's table of sectors is damaged")
	}
	return nil
}

// chain follows a chain of sectors; each belongs to one chain, so that nothing grows.
func (f *oleFile) chain(table []uint32, start uint32, claimed *bitset) (sectors []uint32) {
	for n := start; int64(n) < int64(len(table)) && claimed.add(n); n = table[n] {
		sectors = append(sectors, n)
	}
	return sectors
}

// An oleStream is the content of a stream.
type oleStream struct {
	in      io.ReaderAt // what the sectors are of
	sectors []uint32
	unit    int64 // bytes of a sector
	base    int64 // of the first
	size    int64
}

func (f *oleFile) open(sectors []uint32, size int64) oleStream {
	s := oleStream{in: f.p.R, sectors: sectors, unit: f.sector, base: f.sector, size: int64(len(sectors)) * f.sector}
	if size >= 0 {
		s.size = min(size, s.size)
	}
	return s
}

func (s oleStream) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		if off >= s.size || off < 0 {
			return n, io.EOF
		}
		at, within := s.base+int64(s.sectors[off/s.unit])*s.unit, off%s.unit
		want := min(s.unit-within, s.size-off, int64(len(p)-n))
		got, err := s.in.ReadAt(p[n:n+int(want)], at+within)
		n, off = n+got, off+int64(got)
		if int64(got) < want {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	return n, nil
}

func (s oleStream) bytes(most int64) []byte {
	b := make([]byte, min(s.size, most))
	n, _ := s.ReadAt(b, 0)
	return b[:n]
}

// place is where in the file a byte of a stream lies; -1 for small streams.
func (s oleStream) place(off int64) int64 {
	if _, small := s.in.(oleStream); small || off >= s.size {
		return -1
	}
	return s.base + int64(s.sectors[off/s.unit])*s.unit + off%s.unit
}

func (f *oleFile) readDirectory(start uint32) error {
	dir := f.open(f.chain(f.fat, start, &f.claimed), -1)
	b := make([]byte, 128)
	for off := int64(0); off+128 <= dir.size && len(f.entries) < maxOLE; off += 128 {
		if _, err := dir.ReadAt(b, off); err != nil {
			break
		}
		word := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
		e := oleEntry{kind: b[66], left: word(68), right: word(72), child: word(76), start: word(116), size: int64(word(120)),
			created: binary.LittleEndian.Uint64(b[100:]), modified: binary.LittleEndian.Uint64(b[108:])}
		if f.sector > 512 {
			e.size |= int64(word(124)&0x7fffffff) << 32
		}
		if n := int(binary.LittleEndian.Uint16(b[64:])); n >= 2 && n <= 64 {
			e.name = fromUTF16(b[:n-2], binary.LittleEndian)
		}
		f.entries = append(f.entries, e)
	}
	if len(f.entries) == 0 || f.entries[0].kind != 5 {
		return semblance.Errorf(semblance.MediaDamaged, "the compound file's directory is damaged")
	}
	return nil
}

// stream opens the content of an entry.
func (f *oleFile) stream(e oleEntry) oleStream {
	if e.size >= f.smallest {
		s := f.open(f.chain(f.fat, e.start, &f.claimed), e.size)
		if s.size < e.size {
			f.lost++
		}
		return s
	}
	s := oleStream{in: f.small, sectors: f.chain(f.mini, e.start, &f.claimedMini), unit: 64}
	if s.size = min(e.size, int64(len(s.sectors))*64); s.size < e.size {
		f.lost++
	}
	return s
}

// children are the entries of a storage, by their names.
func (f *oleFile) children(root uint32, seen *bitset) (all []uint32) {
	stack := []uint32{root}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if int64(n) >= int64(len(f.entries)) || !seen.add(n) {
			continue
		}
		all = append(all, n)
		stack = append(stack, f.entries[n].left, f.entries[n].right)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := f.entries[all[i]], f.entries[all[j]]
		return a.name < b.name || a.name == b.name && all[i] < all[j]
	})
	return all
}

func (f *oleFile) walk(emit func(item) error) error {
	var seen bitset
	seen.add(0)
	err := f.storage(f.entries[0], "", &seen, 0, emit)
	if f.lost > 0 {
		f.facts.Notes = append(f.facts.Notes, fmt.Sprintf("%d streams are damaged or cut short", f.lost))
	}
	return err
}

// storage goes through a storage: an attachment of a message, or streams.
func (f *oleFile) storage(dir oleEntry, prefix string, seen *bitset, depth int, emit func(item) error) error {
	if depth > oleDepth {
		return nil
	}
	all := f.children(dir.child, seen)
	if strings.HasPrefix(dir.name, "__attach_version") {
		if done, err := f.attachment(all, dir, prefix, emit); done {
			return err
		}
	}
	for _, n := range all {
		e := f.entries[n]
		name := prefix + oleName(e.name)
		var err error
		switch e.kind {
		case 1:
			err = f.storage(e, name+"/", seen, depth+1, emit)
		case 2:
			err = f.pictures(e, name, emit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// oleName makes a stream's name readable: the first character of some is a control code,
// and Thumbs.db of Windows XP has them backwards in a catalog of its own.
func oleName(s string) string {
	return element(strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s))
}

// attachment gives an attachment of a message ([MS-OXMSG]) whose data is a stream.
func (f *oleFile) attachment(all []uint32, dir oleEntry, prefix string, emit func(item) error) (done bool, err error) {
	var data *oleEntry
	names := map[string]string{}
	for _, n := range all {
		e := f.entries[n]
		id, is := strings.CutPrefix(e.name, "__substg1.0_")
		switch {
		case !is || e.kind != 2 || len(id) != 8:
		case id == "37010102":
			data = &e
		case id[:4] == "3707" || id[:4] == "3704":
			if text := f.stream(e).bytes(1024); strings.HasSuffix(id, "001F") {
				names[id[:4]] = fromUTF16(text, binary.LittleEndian)
			} else {
				names[id[:4]] = string(text)
			}
		}
	}
	if data == nil {
		return false, nil
	}
	name := strings.Trim(names["3707"], " \x00")
	if name == "" {
		name = strings.Trim(names["3704"], " \x00")
	}
	if name == "" {
		name = dir.name
	}
	s := f.stream(*data)
	e := semblance.Entry{Name: []byte(strings.TrimSuffix(prefix, oleName(dir.name)+"/") + element(name)), Kind: semblance.EntryFile, Size: s.size, Offset: s.place(0), Times: oleTimes(dir)}
	return true, emit(item{e, section(s, 0, s.size)})
}

// oleTimes are the times of a storage.
func oleTimes(e oleEntry) (all []semblance.FileTime) {
	for _, t := range []struct {
		what string
		v    uint64
	}{{"modified", e.modified}, {"created", e.created}} {
		if s := windowsTime(t.v); s != "" {
			all = append(all, semblance.FileTime{What: t.what, Time: s, Source: "OLE directory entry"})
		}
	}
	return all
}

// windowsTime is a FILETIME: 100 ns since 1601, in UTC; "" when it is none of 1970 to 2200.
func windowsTime(v uint64) string {
	const epoch = 116444736000000000
	if v < epoch || v > epoch+230*365*864000000000 {
		return ""
	}
	return time.Unix(int64(v-epoch)/1e7, int64(v-epoch)%1e7*100).UTC().Format(time.RFC3339)
}

// pictures gives a stream that is a picture or a container, or the pictures inside it.
func (f *oleFile) pictures(e oleEntry, name string, emit func(item) error) error {
	if e.size < oleSmallest {
		return nil
	}
	s := f.stream(e)
	head := make([]byte, min(signatureLen, s.size))
	n, _ := s.ReadAt(head, 0)
	if ext := signature(head[:n]); ext != "" && ext != "plist" {
		entry := semblance.Entry{Name: []byte(name + "." + ext), Kind: semblance.EntryFile, Size: s.size, Offset: s.place(0)}
		return emit(item{entry, section(s, 0, s.size)})
	}
	var in io.ReaderAt = s
	size, place := s.size, s.place
	if e.name == "Workbook" || e.name == "Book" {
		b := drawings(s)
		in, size, place = bytes.NewReader(b), int64(len(b)), func(int64) int64 { return -1 }
	}
	err := embedded(in, size, func(p found) error {
		entry := semblance.Entry{Name: fmt.Appendf(nil, "%s+%d.%s", name, p.off, p.ext), Kind: semblance.EntryFile, Size: p.size, Offset: place(p.off), Carved: true}
		return emit(item{entry, section(in, p.off, p.size)})
	})
	return f.tired(err)
}

// tired notes that a search ended early.
func (f *oleFile) tired(err error) error {
	if err == errExhausted {
		f.facts.Notes = append(f.facts.Notes, tiredNote)
		return nil
	}
	return err
}

const tiredNote = "the search for pictures ended early: the data has too many beginnings of pictures without an end"

// drawings joins the records of a workbook that hold its drawings ([MS-XLS], 2.4.171):
// a picture is cut into pieces of at most 8,224 bytes there.
func drawings(s oleStream) (out []byte) {
	head := make([]byte, 4)
	in := false
	for off := int64(0); off+4 <= s.size && len(out) < maxBIFF; {
		if _, err := s.ReadAt(head, off); err != nil {
			break
		}
		kind, n := binary.LittleEndian.Uint16(head), int64(binary.LittleEndian.Uint16(head[2:]))
		if in = kind == 0xeb || kind == 0x3c && in; in {
			b := make([]byte, min(n, s.size-off-4))
			got, _ := s.ReadAt(b, off+4)
			out = append(out, b[:got]...)
		}
		off += 4 + n
	}
	return out
}
