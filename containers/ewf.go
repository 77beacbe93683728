package containers

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/klauspost/compress/zlib"

	"semblance"
)

// The Expert Witness format, version 1, as EnCase, FTK Imager, Guymager and ewfacquire
// write it (Joachim Metz, "Expert Witness Compression Format specification", 2012):
// segments of sections; the device is cut into chunks, each compressed with zlib or
// followed by its Adler-32; tables say where they lie. It is read here and not by libewf,
// which loses all that lies behind a missing segment, and so that foreign bytes meet
// bounded Go code. libewf is what the tests compare with.
const (
	ewfMagic      = "EVF\x09\x0d\x0a\xff\x00"
	ewfHeader     = 13
	ewfDescriptor = 76
	// maxChunk bounds the memory of a chunk; EnCase writes 32 KiB, ewfacquire up to 16 MiB.
	maxChunk = 32 << 20
	// maxTable bounds a table; EnCase writes 16375 entries, libewf 65534.
	maxTable = 1 << 20
	// maxSections bounds what a segment that loops or lies costs.
	maxSections = 1 << 17
)

func isEWF(head []byte, _ Part) bool { return strings.HasPrefix(string(head), ewfMagic) }

// An ewfTable is a stretch of chunks whose places one table tells.
type ewfTable struct {
	first, count int64 // chunks
	part         int
	entries      int64 // where they lie in the part
	spare        int64 // where those of table2 lie; 0: there is none
	base         int64 // added to every offset
	end          int64 // of the last chunk in the part
}

// An ewf is the device of an image in this format. Only the places of tables are kept,
// not those of chunks: of eight terabytes these are hundreds of millions.
type ewf struct {
	parts  []Part // in the order of their numbers
	chunk  int64  // bytes
	sector int64
	size   int64
	tables []ewfTable
	stored []acquired
	notes  []string
	lacks  []string // those of notes that say what of the device is not there
	errors int64    // sectors that could not be read when the image was made

	table  int // of which places is
	places []ewfPlace
	cache  []ewfChunk // what was read last
	zeros  map[string]bool
	z      io.ReadCloser
}

type ewfPlace struct {
	at         int64
	length     int64
	compressed bool
}

type ewfChunk struct {
	number int64
	bytes  []byte
}

func openEWF(parts []Part, o Options) (Reader, error) {
	e, err := newEWF(parts, o.progress)
	if err != nil {
		return nil, err
	}
	if len(e.tables) == 0 {
		return nil, semblance.Errorf(semblance.MediaDamaged, "nothing of the device can be read, for no table of the image says where its content lies: %s", strings.Join(e.lacks, "; ")).
			WithHint("Copy all segments (.E01, .E02, ...) of the image into one folder and compare them with the originals.")
	}
	return openVerified(e, o, semblance.ContainerFacts{Format: "ewf", Notes: e.notes}, e.stored, e.lacks...)
}

// lack notes that a part of the device is not there.
func (e *ewf) lack(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	e.notes, e.lacks = append(e.notes, text), append(e.lacks, text)
}

// A segment is one file of the image.
type ewfSegment struct {
	Part
	number int
	tables []ewfTable
	ended  bool // by a section that says it is the last one
	whole  bool // by one that says that it is the end of the segment
}

func newEWF(parts []Part, progress func(done, total int64)) (*ewf, error) {
	e := &ewf{table: -1, zeros: map[string]bool{}}
	var segments []*ewfSegment
	for i, p := range parts {
		s := &ewfSegment{Part: p}
		if err := e.segment(s); err != nil {
			e.lack("segment %s: %v", p.Name, err)
		}
		if s.number > 0 {
			segments = append(segments, s)
		}
		progress(int64(i), int64(len(parts)))
	}
	if e.chunk == 0 {
		return nil, semblance.Errorf(semblance.MediaDamaged, "no segment of the image says how large the device is; its first one (.E01) is missing or damaged").
			WithHint("Copy all segments (.E01, .E02, ...) into one folder.")
	}
	slices.SortStableFunc(segments, func(a, b *ewfSegment) int { return cmp.Compare(a.number, b.number) })
	segments = slices.CompactFunc(segments, func(a, b *ewfSegment) bool { return a.number == b.number })
	e.assemble(segments)
	if e.errors > 0 {
		e.notes = append(e.notes, fmt.Sprintf("the acquiring tool could not read %d sectors of the device; the image has zeros there", e.errors))
	}
	return e, nil
}

// segment reads the list of sections of one file.
func (e *ewf) segment(s *ewfSegment) error {
	head := make([]byte, ewfHeader)
	if _, err := s.R.ReadAt(head, 0); err != nil || !isEWF(head, s.Part) {
		return semblance.Errorf(semblance.MediaDamaged, "it is no segment of an EWF image")
	}
	s.number = int(binary.LittleEndian.Uint16(head[9:]))
	sectors := int64(0) // where the last section of chunks ends
	for at, n := int64(ewfHeader), 0; n < maxSections; n++ {
		d := make([]byte, ewfDescriptor)
		if got, err := s.R.ReadAt(d, at); got < len(d) {
			return s.cutShort(at, err)
		}
		if adler32.Checksum(d[:72]) != binary.LittleEndian.Uint32(d[72:]) {
			return semblance.Errorf(semblance.MediaDamaged, "the section at byte %d is damaged; what follows in this segment is lost", at)
		}
		name := string(bytes.TrimRight(d[:16], "\x00"))
		next, length := int64(binary.LittleEndian.Uint64(d[16:])), int64(binary.LittleEndian.Uint64(d[24:]))
		body := at + ewfDescriptor
		end := next
		if end <= body { // "next" and "done" point to themselves
			end = at + max(length, ewfDescriptor)
		}
		switch name {
		case "sectors":
			sectors = end
		case "table":
			if sectors < at {
				sectors = min(max(sectors, 0), at)
			}
			if err := e.readTable(s, body, end, at, sectors); err != nil {
				return err
			}
		case "table2":
			if n := len(s.tables); n > 0 && s.tables[n-1].spare == 0 {
				s.tables[n-1].spare = body + 24
			}
		case "next":
			s.whole = true
			return nil
		case "done":
			s.whole, s.ended = true, true
			return nil
		default:
			e.section(name, s.Part, body, end-body)
		}
		if next <= at {
			return s.cutShort(at, nil)
		}
		at = next
	}
	return semblance.Errorf(semblance.MediaDamaged, "it has more than %d sections", maxSections)
}

// cutShort says that the list of sections does not go on at a byte.
func (s *ewfSegment) cutShort(at int64, err error) error {
	if err != nil && err != io.EOF {
		return semblance.Errorf(semblance.MediaDamaged, "it cannot be read at byte %d", at).WithCause(err)
	}
	return semblance.Errorf(semblance.MediaDamaged, "it is cut short: it ends at byte %d, before its last section", min(at, s.Size))
}

// section reads what describes the device.
func (e *ewf) section(name string, p Part, at, length int64) {
	b := make([]byte, min(max(length, 0), 1<<16))
	n, _ := p.R.ReadAt(b, at)
	b = b[:n]
	switch name {
	case "volume", "disk", "data":
		e.volume(b)
	case "hash":
		if len(b) >= 16 {
			e.digest(b[:16])
		}
	case "digest":
		if len(b) >= 36 {
			e.digest(b[:16])
			e.digest(b[16:36])
		}
	case "error2":
		e.unread(b)
	}
}

// digest keeps one that the acquiring tool stored; zeros stand for none.
func (e *ewf) digest(b []byte) {
	a := acquired{hex.EncodeToString(b), "stored by the acquiring tool"}
	if strings.Trim(a.value, "0") != "" && !slices.Contains(e.stored, a) {
		e.stored = append(e.stored, a)
	}
}

// volume reads the size of the device: in the first segment, and again in others.
func (e *ewf) volume(b []byte) {
	if e.chunk != 0 || len(b) < 24 {
		return
	}
	u32 := func(at int) int64 { return int64(binary.LittleEndian.Uint32(b[at:])) }
	per, sector, sectors := u32(8), u32(12), int64(binary.LittleEndian.Uint64(b[16:]))
	if len(b) < 1052 { // SMART's is shorter, with 32 bits
		sectors = u32(16)
	}
	switch {
	case sector < 128 || sector > 1<<16 || per <= 0 || per > maxChunk/sector || sectors <= 0 || sectors > 1<<62/sector:
	case len(b) >= 1052 && adler32.Checksum(b[:1048]) != binary.LittleEndian.Uint32(b[1048:]):
		e.notes = append(e.notes, "the section that says how large the device is does not agree with its checksum")
	default:
		e.chunk, e.sector, e.size = per*sector, sector, sectors*sector
	}
}

// unread counts the sectors that the acquiring tool could not read.
func (e *ewf) unread(b []byte) {
	const first = 520
	if len(b) < first {
		return
	}
	for n, at := binary.LittleEndian.Uint32(b), first; n > 0 && at+8 <= len(b); n, at = n-1, at+8 {
		e.errors += int64(binary.LittleEndian.Uint32(b[at+4:]))
	}
}

// readTable keeps where a table of chunks lies. The last of them ends where the section of
// chunks does, or, in the first version of the format, where that of the table does.
func (e *ewf) readTable(s *ewfSegment, body, end, at, sectors int64) error {
	h := make([]byte, 24)
	if _, err := s.R.ReadAt(h, body); err != nil {
		return s.cutShort(body, err)
	}
	count := int64(binary.LittleEndian.Uint32(h))
	if count > maxTable || count > (end-body)/4 {
		return semblance.Errorf(semblance.MediaDamaged, "the table at byte %d claims %d chunks, more than it has room for", body, count)
	}
	t := ewfTable{count: count, entries: body + 24, base: int64(binary.LittleEndian.Uint64(h[8:])), end: sectors}
	if sectors == 0 {
		t.end = end
	}
	if count > 0 && t.base >= 0 && t.base <= s.Size {
		s.tables = append(s.tables, t)
	}
	return nil
}

// assemble numbers the chunks, and says which segments are missing. Chunks behind one gap
// are numbered from the end; those between two gaps cannot be placed.
func (e *ewf) assemble(segments []*ewfSegment) {
	total := (e.size + e.chunk - 1) / e.chunk
	var groups [][]*ewfSegment // without a gap inside
	expected, missing := 1, []int{}
	for _, s := range segments {
		if s.number != expected || len(groups) == 0 {
			for n := expected; n < s.number && len(missing) < 100; n++ {
				missing = append(missing, n)
			}
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], s)
		expected = s.number + 1
		e.parts = append(e.parts, s.Part)
	}
	last := segments[len(segments)-1]
	part, at := 0, int64(0)
	for g, group := range groups {
		switch {
		case g == 0 && group[0].number == 1:
		case g == len(groups)-1 && last.ended:
			at = total - chunks(group)
		default:
			if n := group[0].number; len(group) == 1 {
				e.lack("segment %d lies between missing ones; where on the device it belongs cannot be told, and it was not examined", n)
			} else {
				e.lack("segments %d to %d lie between missing ones; where on the device they belong cannot be told, and they were not examined", n, group[len(group)-1].number)
			}
			part += len(group)
			continue
		}
		for _, s := range group {
			for _, t := range s.tables {
				t.part, t.first = part, at
				at += t.count
				if t.first >= 0 && t.first < total {
					e.tables = append(e.tables, t)
				}
			}
			part++
		}
	}
	slices.SortStableFunc(e.tables, func(a, b ewfTable) int { return cmp.Compare(a.first, b.first) })
	for _, n := range missing {
		e.lack("segment %d (.%s) is missing; what lies in it was not examined", n, segmentName(n))
	}
	switch {
	case !last.ended && last.whole:
		e.lack("segment %d (.%s) is missing, and others behind it may be; what lies in them was not examined", expected, segmentName(expected))
	case at < total && len(missing) == 0:
		e.lack("the image holds %d of the %d bytes of the device", at*e.chunk, e.size)
	}
}

func chunks(segments []*ewfSegment) (n int64) {
	for _, s := range segments {
		for _, t := range s.tables {
			n += t.count
		}
	}
	return n
}

// segmentName is what EnCase calls a segment: E01 to E99, EAA to EZZ, FAA and so on.
func segmentName(n int) string {
	if n < 100 {
		return fmt.Sprintf("E%02d", n)
	}
	n -= 100
	return string([]byte{byte('E' + n/676), byte('A' + n/26%26), byte('A' + n%26)})
}

// Size returns the size of the device.
func (e *ewf) Size() int64 { return e.size }

// ReadAt reads chunks.
func (e *ewf) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= e.size || at < 0 {
			return n, io.EOF
		}
		b, err := e.read(at / e.chunk)
		if err != nil {
			return n, err
		}
		in := at % e.chunk
		if in >= int64(len(b)) {
			return n, io.EOF
		}
		n += copy(p[n:], b[in:])
	}
	return n, nil
}

// read returns a chunk, out of what was read last or from its segment.
func (e *ewf) read(number int64) ([]byte, error) {
	for i := len(e.cache) - 1; i >= 0; i-- {
		if e.cache[i].number == number {
			return e.cache[i].bytes, nil
		}
	}
	part, place, err := e.place(number)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, place.length)
	if n, err := e.parts[part].R.ReadAt(raw, place.at); n < len(raw) {
		return nil, e.damaged(number, e.parts[part].Name, err)
	}
	var b []byte
	if most := int(16<<20/e.chunk) + 1; len(e.cache) >= most {
		b = e.cache[0].bytes[:0]
		e.cache = append(e.cache[:0], e.cache[1:]...)
	}
	if b, err = e.unpack(number, raw, place.compressed, b); err != nil {
		return nil, e.damaged(number, e.parts[part].Name, err)
	}
	e.cache = append(e.cache, ewfChunk{number, b})
	return b, nil
}

func (e *ewf) damaged(number int64, segment string, err error) error {
	return semblance.Errorf(semblance.MediaDamaged, "the image is damaged in segment %s: bytes %d to %d of the device cannot be read", segment, number*e.chunk, min((number+1)*e.chunk, e.size)).WithCause(err)
}

func (e *ewf) unpack(number int64, raw []byte, compressed bool, into []byte) (b []byte, err error) {
	length := min(e.chunk, e.size-number*e.chunk)
	if !compressed {
		if int64(len(raw)) < length+4 {
			return nil, io.ErrUnexpectedEOF
		}
		if adler32.Checksum(raw[:length]) != binary.LittleEndian.Uint32(raw[length:]) {
			return nil, fmt.Errorf("the checksum of chunk %d does not agree", number)
		}
		return append(into, raw[:length]...), nil
	}
	if e.z == nil {
		e.z, err = zlib.NewReader(bytes.NewReader(raw))
	} else {
		err = e.z.(zlib.Resetter).Reset(bytes.NewReader(raw), nil)
	}
	if err != nil {
		return nil, err
	}
	b = slices.Grow(into, int(length))[:length]
	if _, err := io.ReadFull(e.z, b); err != nil {
		return nil, err
	}
	var end [1]byte
	if n, err := e.z.Read(end[:]); n > 0 || err != io.EOF { // the checksum comes with the end
		return nil, fmt.Errorf("chunk %d holds more than its length, or its checksum does not agree: %v", number, err)
	}
	if len(raw) < 512 && !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
		e.zeros[string(raw)] = true
	}
	return b, nil
}

// place looks a chunk up.
func (e *ewf) place(number int64) (part int, p ewfPlace, err error) {
	i := sort.Search(len(e.tables), func(i int) bool { return e.tables[i].first+e.tables[i].count > number })
	if i == len(e.tables) || e.tables[i].first > number {
		return 0, p, semblance.Errorf(semblance.MediaDamaged, "bytes %d to %d of the device lie in a segment of the image that is missing or damaged", number*e.chunk, min((number+1)*e.chunk, e.size))
	}
	if i != e.table {
		places, err := e.load(&e.tables[i])
		if err != nil {
			return 0, p, err
		}
		e.table, e.places = i, places
	}
	if p = e.places[number-e.tables[i].first]; p.length <= 0 || p.length > 2*e.chunk+1024 {
		return 0, p, e.damaged(number, e.parts[e.tables[i].part].Name, fmt.Errorf("its length would be %d", p.length))
	}
	return e.tables[i].part, p, nil
}

// load reads a table, or its copy where it is damaged.
func (e *ewf) load(t *ewfTable) ([]ewfPlace, error) {
	b := make([]byte, 4*t.count+4)
	for _, at := range []int64{t.entries, t.spare} {
		n, err := e.parts[t.part].R.ReadAt(b, at)
		if at == 0 || n < len(b)-4 || err != nil && err != io.EOF {
			continue
		}
		// The first version of the format has no checksum here.
		if n == len(b) && adler32.Checksum(b[:4*t.count]) != binary.LittleEndian.Uint32(b[4*t.count:]) && t.spare != 0 {
			continue
		}
		return t.places(b), nil
	}
	return nil, semblance.Errorf(semblance.MediaDamaged, "a table of segment %s is damaged: bytes %d to %d of the device cannot be read", e.parts[t.part].Name, t.first*e.chunk, min((t.first+t.count)*e.chunk, e.size))
}

// places turns offsets into places. The upper bit says that a chunk is compressed, until
// offsets need it (EnCase 6 writes segments beyond 2 GiB): chunks are plain from there.
func (t *ewfTable) places(b []byte) []ewfPlace {
	out := make([]ewfPlace, t.count)
	overflow := false
	for i := range out {
		v := int64(binary.LittleEndian.Uint32(b[4*i:]))
		out[i] = ewfPlace{at: t.base + v&0x7fffffff, compressed: v>>31 != 0}
		if overflow = overflow || i > 0 && out[i].at < out[i-1].at; overflow {
			out[i] = ewfPlace{at: t.base + v}
		}
		if i > 0 {
			out[i-1].length = out[i].at - out[i-1].at
		}
	}
	out[len(out)-1].length = t.end - out[len(out)-1].at
	return out
}

// Data skips chunks that are known to be zeros by their compressed bytes.
func (e *ewf) Data(from int64) (start, end int64) {
	if from >= e.size {
		return e.size, e.size
	}
	number, skipped := from/e.chunk, 0
	for ; number*e.chunk < e.size && skipped < 1<<16; skipped++ {
		if !e.isZero(number) {
			break
		}
		number++
	}
	start = min(max(from, number*e.chunk), e.size)
	return start, min((start/e.chunk+1)*e.chunk, e.size)
}

func (e *ewf) isZero(number int64) bool {
	part, p, err := e.place(number)
	if err != nil || !p.compressed || p.length >= 512 {
		return false
	}
	raw := make([]byte, p.length)
	if n, _ := e.parts[part].R.ReadAt(raw, p.at); n < len(raw) {
		return false
	}
	if e.zeros[string(raw)] {
		return true
	}
	_, err = e.unpack(number, raw, true, nil) // learns
	return err == nil && e.zeros[string(raw)]
}
