package containers

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"semblance"
)

// Signatures of PKWARE's APPNOTE 6.3.10, section 4.3.
const (
	zipLocal      = 0x04034b50
	zipCentral    = 0x02014b50
	zipEnd        = 0x06054b50
	zip64End      = 0x06064b50
	zip64Locator  = 0x07064b50
	zipDescriptor = 0x08074b50
	zipDigital    = 0x05054b50
)

const (
	// maxZipDirectory bounds the memory a directory takes; a phone's million files
	// need some 150 MiB.
	maxZipDirectory = 512 << 20
	// zipTail is how far from its end a zip's end record is looked for: the longest
	// comment, and what was carelessly appended.
	zipTail = 256 << 10
)

var le = binary.LittleEndian

func isZip(head []byte, p Part) bool {
	if len(head) >= 4 {
		switch le.Uint32(head) {
		case zipLocal, zipEnd, zipDescriptor:
			return true
		}
	}
	// The last segment of a split archive, and a program that unpacks itself, begin
	// with something else.
	ext := strings.ToLower(p.Name[strings.LastIndexByte(p.Name, '.')+1:])
	if ext != "zip" && !isProgram(head) || p.Size < 22 {
		return false
	}
	_, ok := findZipEnd(p.R, p.Size)
	return ok
}

// A zipReader reads zip archives by their central directory, or, where that is missing,
// by what stands before each content.
//
// The directory is kept as the bytes it is, with a few words an entry beside it: a
// phone's extraction has a million entries.
type zipReader struct {
	r         io.ReaderAt
	size      int64
	starts    []int64 // of the segments
	dir       []byte  // central directory records
	refs      []zipRef
	order     []int32
	at        int
	o         *Options
	passwords zipPasswords
	facts     semblance.ContainerFacts
	names     nameNotes
	disagree  int
	origins   *origins
	unpack    unpackers
	window    []byte // see look
	windowAt  int64
	ahead     int64 // see descriptor

	entry  zipHeader // the one given last
	data   int64     // offset of its content
	opener func() (io.Reader, error)
}

// A zipRef is where an entry is described.
type zipRef struct {
	dir   int   // offset in the directory
	local int64 // offset of the local header
	flags uint8
}

const (
	zipOverlaps = 1 << iota // its bytes are those of another entry too
	zipUnlisted             // it has a local header, and the directory does not list it
)

// A zipHeader is a central directory record.
type zipHeader struct {
	creator, flags, method uint16
	dos                    uint32
	crc                    uint32
	packed, size           int64
	local                  int64
	disk                   int
	attrs                  uint32
	name, extra            []byte
	length                 int // of the record
}

const zipRecord = 46 // fixed part of a central directory record

// parseZipHeader reads the record at the beginning of b.
func parseZipHeader(b []byte) (h zipHeader, ok bool) {
	if len(b) < zipRecord || le.Uint32(b) != zipCentral {
		return h, false
	}
	n, m, k := int(le.Uint16(b[28:])), int(le.Uint16(b[30:])), int(le.Uint16(b[32:]))
	h = zipHeader{
		creator: le.Uint16(b[4:]), flags: le.Uint16(b[8:]), method: le.Uint16(b[10:]), dos: le.Uint32(b[12:]), crc: le.Uint32(b[16:]),
		packed: int64(le.Uint32(b[20:])), size: int64(le.Uint32(b[24:])), disk: int(le.Uint16(b[34:])), attrs: le.Uint32(b[38:]),
		local: int64(le.Uint32(b[42:])), length: zipRecord + n + m + k,
	}
	if len(b) < h.length {
		return h, false
	}
	h.name, h.extra = b[zipRecord:zipRecord+n], b[zipRecord+n:zipRecord+n+m]
	h.wide()
	return h, true
}

// wide reads the 64-bit sizes where the 32-bit ones say that they do not suffice.
func (h *zipHeader) wide() {
	x := zipExtra(h.extra, 1)
	for _, f := range []*int64{&h.size, &h.packed, &h.local} {
		if *f == 0xffffffff && len(x) >= 8 {
			*f, x = int64(min(le.Uint64(x), math.MaxInt64)), x[8:]
		}
	}
	if h.size == math.MaxInt64 {
		h.size = -1 // not known: see appendTo
	}
	if h.disk == 0xffff && len(x) >= 4 {
		h.disk = int(le.Uint32(x))
	}
}

// zipExtra is the extra field of an id, nil when there is none.
func zipExtra(extra []byte, id uint16) []byte {
	for len(extra) >= 4 {
		n := int(le.Uint16(extra[2:]))
		if n > len(extra)-4 {
			return nil
		}
		if le.Uint16(extra) == id {
			return extra[4 : 4+n]
		}
		extra = extra[4+n:]
	}
	return nil
}

// fullName is the name in Unicode, where the archive has it and it still belongs to the
// name of old (APPNOTE 4.6.9), else the name in the bytes that are there.
func (h *zipHeader) fullName() []byte {
	x := zipExtra(h.extra, 0x7075)
	if len(x) > 5 && x[0] == 1 && le.Uint32(x[1:]) == crc32.ChecksumIEEE(h.name) {
		return x[5:]
	}
	return h.name
}

func openZip(parts []Part, o Options) (Reader, error) {
	parts = zipOrder(parts)
	z := &zipReader{o: &o, facts: semblance.ContainerFacts{Format: "zip"}, passwords: zipPasswords{list: o.Passwords}}
	z.r, z.size = whole(parts)
	for n := int64(0); len(parts) > 0; parts = parts[1:] {
		z.starts = append(z.starts, n)
		n += parts[0].Size
	}
	err := z.readDirectory()
	if semblance.CodeOf(err) == semblance.MediaTooLarge {
		return nil, err
	}
	if err != nil {
		z.dir, z.refs = nil, nil
		if z.scan(0, z.size, 0, &o); len(z.refs) == 0 {
			return nil, err
		}
		z.note("the directory of the archive is missing or damaged (%s): what is listed was found by going through its %d bytes", err, z.size)
	} else {
		z.checkRanges(&o)
	}
	z.origins = z.phone(&o)
	z.order = order(len(z.refs), z.name, z.origins.path)
	return z, nil
}

func (z *zipReader) note(format string, args ...any) {
	z.facts.Notes = append(z.facts.Notes, fmt.Sprintf(format, args...))
}

// zipOrder puts the segments of a split archive in their order: the one that was found,
// .zip, is the last one of .z01, .z02, ....
func zipOrder(parts []Part) []Part {
	if len(parts) < 2 || !strings.HasSuffix(strings.ToLower(parts[0].Name), ".zip") {
		return parts
	}
	return append(slices.Clone(parts[1:]), parts[0])
}

func (z *zipReader) header(i int) zipHeader {
	h, _ := parseZipHeader(z.dir[z.refs[i].dir:])
	return h
}

// name is the name of an entry, without reading the rest: it is asked for again and again
// while a million are sorted.
func (z *zipReader) name(i int) []byte {
	b := z.dir[z.refs[i].dir:]
	n, m := int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	h := zipHeader{name: b[zipRecord : zipRecord+n], extra: b[zipRecord+n : zipRecord+n+m]}
	return h.fullName()
}

// findZipEnd returns the offset of the end of central directory record.
func findZipEnd(r io.ReaderAt, size int64) (int64, bool) {
	// Nearly always there is no comment.
	for _, n := range []int64{1 << 10, zipTail} {
		tail := make([]byte, min(n, size))
		if readAt(r, tail, size-int64(len(tail))) != nil {
			return 0, false
		}
		for i := len(tail) - 22; i >= 0; i-- {
			if tail[i] == 'P' && le.Uint32(tail[i:]) == zipEnd && i+22+int(le.Uint16(tail[i+20:])) <= len(tail) {
				return size - int64(len(tail)-i), true
			}
		}
	}
	return 0, false
}

// readDirectory reads the central directory. An error says why there is none.
func (z *zipReader) readDirectory() error {
	end, ok := findZipEnd(z.r, z.size)
	if !ok {
		return damaged("the end of the archive is missing")
	}
	var b [22]byte
	if err := readAt(z.r, b[:], end); err != nil {
		return damaged("the end of the archive could not be read").WithCause(err)
	}
	disk, entries := int64(le.Uint16(b[6:])), uint64(le.Uint16(b[10:]))
	n, off := int64(le.Uint32(b[12:])), int64(le.Uint32(b[16:]))
	if d, e, size, o, at, ok := z.wideEnd(end); ok {
		disk, entries, n, off, end = d, e, size, o, at
	}
	if disk > 0 && disk < int64(len(z.starts)) {
		off += z.starts[disk]
	} else if disk > 0 && len(z.starts) == 1 {
		return damaged("this is the last of %d segments, and the others are not here", disk+1)
	}
	if n < 0 || off < 0 || n > end {
		return damaged("its directory would lie outside the archive")
	}
	if n > maxZipDirectory {
		return semblance.Errorf(semblance.MediaTooLarge, "the directory of the zip archive has %d MiB; at most %d MiB are read", n>>20, maxZipDirectory>>20).
			WithHint("Unpack it on a machine of its own and scan the folder.")
	}
	// What was put before an archive, a program that unpacks it say, shifts all offsets.
	shift := end - n - off
	var sig [4]byte
	if shift != 0 && n > 0 && readAt(z.r, sig[:], off) == nil && le.Uint32(sig[:]) == zipCentral {
		shift = 0
	}
	z.dir = make([]byte, n)
	if err := readAt(z.r, z.dir, off+shift); err != nil {
		return damaged("its directory lies outside the archive").WithCause(err)
	}
	return z.parseDirectory(entries, shift)
}

// wideEnd reads the zip64 end record that belongs to the end record at end.
func (z *zipReader) wideEnd(end int64) (disk int64, entries uint64, n, off, at int64, ok bool) {
	var loc [20]byte
	if end < 20 || readAt(z.r, loc[:], end-20) != nil || le.Uint32(loc[:]) != zip64Locator {
		return
	}
	at = int64(le.Uint64(loc[8:]))
	if d := int(le.Uint32(loc[4:])); d > 0 && d < len(z.starts) && at >= 0 && at < z.size {
		at += z.starts[d]
	}
	var b [56]byte
	for _, at := range []int64{at, end - 20 - 56} { // the second: where something was put before the archive
		if at >= 0 && at < end && readAt(z.r, b[:], at) == nil && le.Uint32(b[:]) == zip64End {
			return int64(le.Uint32(b[20:])), le.Uint64(b[32:]), int64(le.Uint64(b[40:])), int64(le.Uint64(b[48:])), at, true
		}
	}
	return
}

// parseDirectory lists the records of the directory.
func (z *zipReader) parseDirectory(stated uint64, shift int64) error {
	at := 0
	for at < len(z.dir) {
		h, ok := parseZipHeader(z.dir[at:])
		if !ok {
			if len(z.dir)-at >= 4 && le.Uint32(z.dir[at:]) == zipDigital {
				break
			}
			return damaged("its directory is damaged after %d entries", len(z.refs))
		}
		local := h.local + shift
		if h.disk > 0 && h.disk < len(z.starts) {
			local = h.local + z.starts[h.disk]
		}
		z.refs = append(z.refs, zipRef{dir: at, local: local})
		at += h.length
	}
	if n := uint64(len(z.refs)); n != stated && n&0xffff != stated {
		z.note("the archive states %d entries, its directory has %d", stated, n)
	}
	return nil
}

// checkRanges refuses entries whose bytes are those of another one as well (a zip bomb
// as David Fifield describes it), and finds those between the others that the directory
// does not list.
func (z *zipReader) checkRanges(o *Options) {
	byOffset := make([]int32, len(z.refs))
	for i := range byOffset {
		byOffset[i] = int32(i)
	}
	slices.SortStableFunc(byOffset, func(a, b int32) int { return cmp.Compare(z.refs[a].local, z.refs[b].local) })
	const usual = 64 // a data descriptor, and extra fields that only the local header has
	var end, slack int64
	overlaps := 0
	listed := len(z.refs)
	for _, i := range byOffset {
		r, h := &z.refs[i], z.header(int(i))
		from, to := r.local, r.local
		if n := int64(30 + len(h.name)); h.packed <= z.size && r.local <= z.size {
			to += n + h.packed
		}
		if from < end && to > from {
			r.flags |= zipOverlaps
			overlaps++
			continue
		}
		if from-end > usual+slack && from <= z.size {
			z.scan(end, from, zipUnlisted, o)
		}
		end, slack = max(end, to), int64(len(h.extra))
	}
	if overlaps > 0 {
		z.note("the bytes of %d entries are those of other entries too, as in a zip bomb; they are not read a second time", overlaps)
	}
	if n := len(z.refs) - listed; n > 0 {
		z.note("entries that lie in the archive and are not listed in its directory: %d; they are given as deleted", n)
	}
}

// Next gives the entries in the order that pays.
func (z *zipReader) Next() (semblance.Entry, error) {
	if z.at < len(z.order) {
		i := int(z.order[z.at])
		z.at++
		z.names.see(z.name(i))
		return z.describe(i), nil
	}
	if z.at == len(z.order) {
		z.at++
		z.finish()
	}
	return semblance.Entry{}, io.EOF
}

func (z *zipReader) finish() {
	if z.disagree > 0 {
		z.note("entries whose own header disagrees with the directory in name, method or encryption: %d; the directory was followed", z.disagree)
	}
	z.facts.Notes = append(z.facts.Notes, z.names.notes()...)
}

// describe makes the entry of a record, and sets how it is opened.
func (z *zipReader) describe(i int) semblance.Entry {
	ref, h := z.refs[i], z.header(i)
	name := h.fullName()
	e := semblance.Entry{Name: bytes.Clone(name), Kind: h.kind(), Size: h.size, Offset: -1, Deleted: ref.flags&zipUnlisted != 0}
	z.entry, z.opener = h, nil
	localExtra, err := z.readLocal(ref)
	e.Times = append(z.origins.describe(i, &e), h.times(localExtra)...)
	sortTimes(e.Times)
	switch {
	case err != nil:
		e.Code, e.Reason = semblance.MediaDamaged, err.Error()
	case ref.flags&zipOverlaps != 0:
		e.Code, e.Reason = semblance.MediaDamaged, "its bytes are those of another entry too, as in a zip bomb"
	case z.origins.locked[int32(i)]:
		e.Code, e.Reason = semblance.MediaEncrypted, z.origins.why
	default:
		e.Offset = z.data
		z.prepare(&e)
	}
	return e
}

// kind is what the external attributes make of an entry.
func (h *zipHeader) kind() semblance.EntryKind {
	mode := uint32(0)
	if os := h.creator >> 8; os == 3 || os == 19 { // Unix, macOS
		mode = h.attrs >> 16 & 0o170000
	}
	switch {
	case bytes.HasSuffix(h.name, []byte("/")), mode == 0o040000:
		return semblance.EntryFolder
	case mode == 0o120000:
		return semblance.EntryLink
	case mode != 0 && mode != 0o100000:
		return semblance.EntrySpecial
	}
	return semblance.EntryFile
}

// readLocal reads the local header: where the content begins, and times that only stand
// there.
func (z *zipReader) readLocal(ref zipRef) (extra []byte, err error) {
	var b [30]byte
	if readAt(z.r, b[:], ref.local) != nil || le.Uint32(b[:]) != zipLocal {
		return nil, damaged("its header is not where the directory says; the content is not there")
	}
	n, m := int(le.Uint16(b[26:])), int(le.Uint16(b[28:]))
	rest := make([]byte, n+m)
	if readAt(z.r, rest, ref.local+30) != nil {
		return nil, damaged("its header is cut short; the content is not there")
	}
	z.data = ref.local + 30 + int64(n+m)
	h := &z.entry
	const encrypted = 1
	if !bytes.Equal(rest[:n], h.name) || le.Uint16(b[8:]) != h.method || (le.Uint16(b[6:])^h.flags)&encrypted != 0 {
		z.disagree++
	}
	return rest[n:], nil
}

// Facts are complete after the last entry.
func (z *zipReader) Facts() semblance.ContainerFacts {
	f := z.facts
	f.Notes = slices.Clone(f.Notes)
	return f
}

// Open gives the content of the entry.
func (z *zipReader) Open() (io.Reader, error) {
	if z.opener == nil {
		return nil, damaged("this entry has no content that can be read")
	}
	return z.opener()
}

// Close releases nothing: the descriptors are the caller's.
func (z *zipReader) Close() error { return nil }

// times are the times of an entry, the precise ones before those of DOS.
func (h *zipHeader) times(local []byte) (all []semblance.FileTime) {
	extra := local
	if zipExtra(extra, 0x5455) == nil && zipExtra(extra, 0x000a) == nil && zipExtra(extra, 0x5855) == nil {
		extra = h.extra
	}
	all = append(ntfsTimes(zipExtra(extra, 0x000a)), unixTimes(zipExtra(extra, 0x5455))...)
	if x := zipExtra(extra, 0x5855); len(x) >= 8 && len(all) == 0 {
		const source = "zip Info-ZIP Unix timestamp"
		all = append(all, unixTime("modified", int64(int32(le.Uint32(x[4:]))), 0, source), unixTime("accessed", int64(int32(le.Uint32(x))), 0, source))
	}
	if t := dosTime(h.dos); t != "" {
		all = append(all, semblance.FileTime{What: "modified", Time: t, Source: "zip DOS time"})
	}
	return all
}

// ntfsTimes reads the NTFS extra field (APPNOTE 4.5.5).
func ntfsTimes(x []byte) (all []semblance.FileTime) {
	if len(x) < 4+4+24 || le.Uint16(x[4:]) != 1 || le.Uint16(x[6:]) < 24 {
		return nil
	}
	for i, what := range []string{"modified", "accessed", "created"} {
		if t := le.Uint64(x[8+8*i:]); t != 0 && t < lastFileTime {
			all = append(all, fileTime(what, t, "zip NTFS time"))
		}
	}
	return all
}

// lastFileTime is the end of the year 9999.
const lastFileTime = 2650467744000000000

// fileTime is a Windows FILETIME: 100 ns since 1601, UTC.
func fileTime(what string, t uint64, source string) semblance.FileTime {
	const epoch = 11644473600
	return unixTime(what, int64(t/1e7)-epoch, int64(t%1e7)*100, source)
}

func unixTime(what string, sec, nsec int64, source string) semblance.FileTime {
	return semblance.FileTime{What: what, Time: time.Unix(sec, nsec).UTC().Format(time.RFC3339Nano), Source: source}
}

// unixTimes reads the extended timestamp (Info-ZIP's 0x5455).
func unixTimes(x []byte) (all []semblance.FileTime) {
	if len(x) == 0 {
		return nil
	}
	flags := x[0]
	x = x[1:]
	for i, what := range []string{"modified", "accessed", "created"} {
		if flags&(1<<i) == 0 {
			continue
		}
		if len(x) < 4 {
			break
		}
		all = append(all, unixTime(what, int64(int32(le.Uint32(x))), 0, "zip extended timestamp"))
		x = x[4:]
	}
	return all
}

// dosTime is a time of MS-DOS, local and without a zone; "" when it is none.
func dosTime(t uint32) string {
	d := t >> 16
	year, month, day := int(d>>9)+1980, int(d>>5&15), int(d&31)
	hour, minute, second := int(t>>11&31), int(t>>5&63), int(t&31)*2
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, hour, minute, second)
}

// sortTimes puts times in the order of semblance.Entry; those of one kind keep theirs.
func sortTimes(all []semblance.FileTime) {
	rank := func(t semblance.FileTime) int {
		return slices.Index([]string{"modified", "accessed", "changed", "created", "deleted"}, t.What)
	}
	slices.SortStableFunc(all, func(a, b semblance.FileTime) int { return rank(a) - rank(b) })
}
