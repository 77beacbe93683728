package semblance

import (
	"bytes"
	"encoding/binary"
)

// CarriesHead and CarriesTail are how many bytes of a picture [Carries] wants to see at
// least: the index of a multi-picture file and the XMP of a motion photo are near the
// front, what was hung behind a picture is at its end.
const (
	CarriesHead = 128 << 10
	CarriesTail = 64
)

// SequenceName is the name, within a HEIC or AVIF file, of the image sequence that it has
// beside its primary picture.
const SequenceName = "sequence.mp4"

// Carries reports whether a picture that begins with head and ends with tail may hold
// files besides itself, and is worth to be opened as a container: the video of a motion
// photo, an image sequence beside the picture, further pictures of a multi-picture file, an archive behind its end. It looks for
// marks and reads no structure; what it takes for a mark by mistake costs a look. A JPEG
// behind a JPEG, without an index of the two, leaves no mark.
func Carries(head, tail []byte) bool {
	contains := func(marks ...string) bool {
		for _, m := range marks {
			if bytes.Contains(head, []byte(m)) {
				return true
			}
		}
		return false
	}
	switch {
	case bytes.Contains(tail, []byte("SEFT")): // Samsung's trailer
		return true
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return !endsInEOI(tail) || contains("MPF\x00", "MicroVideo", "MotionPhoto", "Container:Directory")
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return contains("mpvd", "MotionPhoto", "application/rdf+xml") || ofSequence(head)
	}
	return false
}

// ofSequence reports whether a file says by its brands (ISO/IEC 23008-12, 7.3) that it has
// an image sequence.
func ofSequence(head []byte) bool {
	brands := head[8:max(8, min(int64(len(head)), int64(binary.BigEndian.Uint32(head))))]
	for ; len(brands) >= 4; brands = brands[4:] {
		switch string(brands[:4]) {
		case "msf1", "hevc", "hevx", "hevm", "hevs", "avis":
			return true
		}
	}
	return false
}

// endsInEOI reports whether a JPEG ends as it should; padding may follow.
func endsInEOI(tail []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(tail, "\x00\r\n "), []byte("\xff\xd9"))
}
