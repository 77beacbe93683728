package semblance

import "bytes"

// CarriesHead and CarriesTail are how many bytes of a picture [Carries] wants to see at
// least: the index of a multi-picture file and the XMP of a motion photo are near the
// front, what was hung behind a picture is at its end.
const (
	CarriesHead = 128 << 10
	CarriesTail = 64
)

// Carries reports whether a picture that begins with head and ends with tail may hold
// files besides itself, and is worth to be opened as a container: the video of a motion
// photo, further pictures of a multi-picture file, an archive behind its end. It looks for
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
		return contains("mpvd", "MotionPhoto", "application/rdf+xml")
	}
	return false
}

// endsInEOI reports whether a JPEG ends as it should; padding may follow.
func endsInEOI(tail []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(tail, "\x00\r\n "), []byte("\xff\xd9"))
}
