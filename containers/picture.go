package containers

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"semblance"
)

// A picture can hold more than it shows: the video of a motion photo, an image sequence,
// further pictures of a multi-picture file (CIPA DC-007), and whatever was hung behind its end. semblance.Carries
// tells beforehand which pictures are worth a look.

// maxMPF bounds the pictures of a multi-picture file.
const maxMPF = 1000

func isPicture(head []byte, _ Part) bool {
	switch signature(head) {
	case "jpg", "heic", "heif", "avif":
		return true
	}
	return false
}

func openPicture(parts []Part, o Options) (Reader, error) {
	p, facts := parts[0], &semblance.ContainerFacts{Format: "picture"}
	return walked(facts, func(emit func(item) error) error {
		return (&pictureFile{p: p, o: o, facts: facts, emit: emit}).walk()
	}), nil
}

// A pictureFile is a picture that is looked through.
type pictureFile struct {
	p     Part
	o     Options
	facts *semblance.ContainerFacts
	emit  func(item) error
	taken []found // what was given
}

func (f *pictureFile) give(name string, off, size int64) error {
	f.taken = append(f.taken, found{off: off, size: size})
	e := semblance.Entry{Name: []byte(name), Kind: semblance.EntryFile, Size: size, Offset: off}
	return f.emit(item{e, section(f.p.R, off, size)})
}

func (f *pictureFile) walk() error {
	if f.o.MotionVideo != nil {
		if off, n, ok := f.o.MotionVideo(f.p.R, f.p.Size); ok && off > 0 && n > 0 && off+n <= f.p.Size {
			if err := f.give("motion.mp4", off, n); err != nil {
				return err
			}
		}
	}
	if f.o.SequenceFilm != nil {
		if film, ok := f.o.SequenceFilm(f.p.R, f.p.Size); ok { // its bytes lie nowhere: it is the file under other brands
			e := semblance.Entry{Name: []byte(semblance.SequenceName), Kind: semblance.EntryFile, Size: f.p.Size, Offset: -1}
			if err := f.emit(item{e, section(film, 0, f.p.Size)}); err != nil {
				return err
			}
		}
	}
	for i, m := range f.multi() {
		if err := f.give(fmt.Sprintf("picture %d.jpg", i+2), m.off, m.size); err != nil {
			return err
		}
	}
	end := pictureSize(f.p.R, 0, f.p.Size)
	if end == 0 {
		f.facts.Notes = append(f.facts.Notes, "the picture's end was not found: what may hang behind it was not looked for")
		return nil
	}
	return f.behind(end)
}

// multi are the further pictures that a JPEG's index of them (an APP2 segment "MPF") names.
func (f *pictureFile) multi() (all []found) {
	head := make([]byte, 4)
	for at, i := int64(2), 0; i < 1000; i++ {
		if n, _ := f.p.R.ReadAt(head, at); n < 4 || head[0] != 0xff || head[1] == 0xda || head[1] == 0xd9 {
			return nil
		}
		size := int64(binary.BigEndian.Uint16(head[2:]))
		if head[1] == 0xe2 && size > 8 {
			b := make([]byte, size-2)
			if n, _ := f.p.R.ReadAt(b, at+4); n == len(b) && bytes.HasPrefix(b, []byte("MPF\x00")) {
				return f.index(b[4:], at+8)
			}
		}
		at += 2 + size
	}
	return nil
}

// index reads the entries of an MPF index whose offsets count from base.
func (f *pictureFile) index(b []byte, base int64) (all []found) {
	var order binary.ByteOrder = binary.BigEndian
	if bytes.HasPrefix(b, []byte("II")) {
		order = binary.LittleEndian
	}
	if len(b) < 8 {
		return nil
	}
	ifd := int64(order.Uint32(b[4:]))
	if ifd < 8 || ifd+2 > int64(len(b)) {
		return nil
	}
	fields := b[ifd+2:]
	for range min(int(order.Uint16(b[ifd:])), len(fields)/12) {
		tag, size, at := order.Uint16(fields), int64(order.Uint32(fields[4:])), int64(order.Uint32(fields[8:]))
		if fields = fields[12:]; tag != 0xb002 || at+size > int64(len(b)) {
			continue
		}
		for e := b[at : at+size]; len(e) >= 16 && len(all) < maxMPF; e = e[16:] {
			m := found{off: base + int64(order.Uint32(e[8:])), size: int64(order.Uint32(e[4:]))}
			magic := make([]byte, 4)
			if n, _ := f.p.R.ReadAt(magic, m.off); m.off > base && m.off+m.size <= f.p.Size && n == 4 && isJPEG(magic) {
				all = append(all, m)
			}
		}
	}
	return all
}

// behind gives what hangs behind the picture's end and was not given yet.
func (f *pictureFile) behind(end int64) error {
	for _, t := range f.taken {
		if t.off <= end+64 {
			end = max(end, t.off+t.size)
		}
	}
	rest := f.p.Size - end
	if rest < leastPicture {
		return nil
	}
	buf := make([]byte, min(rest, 64<<10))
	n, _ := f.p.R.ReadAt(buf, end)
	buf = buf[:n]
	lead := len(buf) - len(bytes.TrimLeft(buf, "\x00\xff \r\n"))
	if at := archiveAt(buf[lead:]); at >= 0 {
		at += lead
		return f.give("after the end."+signature(buf[at:min(len(buf), at+signatureLen)]), end+int64(at), rest-int64(at))
	}
	given := 0
	err := embedded(io.NewSectionReader(f.p.R, end, rest), rest, func(m found) error {
		for _, t := range f.taken {
			if end+m.off < t.off+t.size && t.off < end+m.off+m.size {
				return nil
			}
		}
		given++
		return f.give(fmt.Sprintf("after the end+%d.%s", m.off, m.ext), end+m.off, m.size)
	})
	switch {
	case err == errExhausted:
		f.facts.Notes, err = append(f.facts.Notes, tiredNote), nil
	case err == nil && given == 0 && len(f.taken) == 0 && lead < n:
		f.facts.Notes = append(f.facts.Notes, fmt.Sprintf("%d bytes hang behind the picture's end and are neither a picture nor an archive that is known", rest))
	}
	return err
}

// archiveAt is where an archive or a document begins, -1: nowhere.
func archiveAt(b []byte) int {
	first := -1
	for _, magic := range []string{"PK\x03\x04\x14\x00", "PK\x03\x04\x0a\x00", "PK\x03\x04\x2d\x00", "Rar!\x1a\x07", "7z\xbc\xaf\x27\x1c", "%PDF-1.", "\xfd7zXZ\x00", "SQLite format 3\x00"} {
		if i := bytes.Index(b, []byte(magic)); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}
