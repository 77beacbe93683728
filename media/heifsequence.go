package media

import (
	"encoding/binary"
	"io"
)

// An image sequence of a HEIC or AVIF file (ISO/IEC 23008-12, 7) is a movie of an MP4
// whose frames have the handler pict: alone, or beside the primary picture. FFmpeg reads
// it as it does any movie.

// OnlySequence reports whether a file is a HEIC or AVIF file that has an image sequence
// and no primary picture: then it is a video. It is safe on any bytes.
func OnlySequence(r io.ReaderAt, size int64) bool {
	f := motionFile{r, size}
	return f.isHEIF() && !f.hasPrimary() && f.tracks().main > 0
}

// SequenceFilm returns the image sequence that a HEIC or AVIF file has beside its primary
// picture, as a film of its own: the same bytes but for the brands, which are those of an
// MP4. ok is false when there is none. It is safe on any bytes.
func SequenceFilm(r io.ReaderAt, size int64) (film io.ReaderAt, ok bool) {
	f := motionFile{r, size}
	if !f.isHEIF() || !f.hasPrimary() || f.tracks().main == 0 {
		return nil, false
	}
	_, body, end, ok := f.box(0)
	if !ok || end-body < 8 || end > largestBrands || end > size {
		return nil, false
	}
	head := f.bytes(0, end)
	if int64(len(head)) < end {
		return nil, false
	}
	for i := body; i+4 <= end; i += 4 {
		copy(head[i:], "isom")
	}
	binary.BigEndian.PutUint32(head[body+4:], 0) // the minor version
	return &rebranded{r, head}, true
}

// A rebranded file begins otherwise.
type rebranded struct {
	r    io.ReaderAt
	head []byte
}

func (f *rebranded) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.r.ReadAt(b, off)
	if off >= 0 && off < int64(len(f.head)) {
		copy(b[:n], f.head[off:])
	}
	return n, err
}

func (f motionFile) isHEIF() bool {
	switch Sniff(f.bytes(0, SniffLen)) {
	case typeHEIC, typeHEIF, typeAVIF:
		return true
	}
	return false
}

// each walks the boxes between two offsets until do returns false.
func (f motionFile) each(at, end int64, do func(kind string, body, end int64) bool) {
	for i := 0; at < end && i < maxBoxes; i++ {
		kind, body, next, ok := f.box(at)
		if !ok || next <= at || !do(kind, body, min(next, end)) {
			return
		}
		at = next
	}
}

// hasPrimary reports whether an item of the file is said to be its picture.
func (f motionFile) hasPrimary() (found bool) {
	f.each(0, f.size, func(kind string, body, end int64) bool {
		if kind == "meta" {
			f.each(body+4, end, func(kind string, _, _ int64) bool {
				found = found || kind == "pitm"
				return !found
			})
		}
		return !found
	})
	return found
}

// movieTracks are the tracks of pictures that a movie has: those that are shown, neither
// thumbnails nor how transparent another is.
type movieTracks struct {
	main  int    // how many
	pict  bool   // one of an image sequence is among all tracks
	first uint32 // the ID of the first that is shown
}

func (f motionFile) tracks() (t movieTracks) {
	if !has(f.bytes(0, 8), 4, "ftyp") {
		return t
	}
	f.each(0, f.size, func(kind string, body, end int64) bool {
		if kind != "moov" {
			return true
		}
		f.each(body, end, func(kind string, body, end int64) bool {
			if kind == "trak" {
				t.add(f.track(body, end))
			}
			return true
		})
		return false
	})
	return t
}

func (t *movieTracks) add(id uint32, handler string, derived bool) {
	t.pict = t.pict || handler == "pict"
	if derived || handler != "pict" && handler != "vide" {
		return
	}
	if t.main++; t.main == 1 {
		t.first = id
	}
}

// track reads the ID of a track, its handler, and whether it is made for another one
// (ISO/IEC 14496-12, 8.3 and 8.4).
func (f motionFile) track(at, end int64) (id uint32, handler string, derived bool) {
	f.each(at, end, func(kind string, body, end int64) bool {
		switch kind {
		case "tkhd":
			if b := f.bytes(body, 24); len(b) == 24 && b[0] == 1 {
				id = binary.BigEndian.Uint32(b[20:])
			} else if len(b) == 24 {
				id = binary.BigEndian.Uint32(b[12:])
			}
		case "tref":
			f.each(body, end, func(kind string, _, _ int64) bool {
				derived = derived || kind == "thmb" || kind == "auxl"
				return true
			})
		case "mdia":
			f.each(body, end, func(kind string, body, _ int64) bool {
				if kind == "hdlr" {
					if b := f.bytes(body+8, 4); len(b) == 4 {
						handler = string(b)
					}
				}
				return handler == ""
			})
		}
		return true
	})
	return id, handler, derived
}
