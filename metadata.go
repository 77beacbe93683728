package semblance

import (
	"strings"

	"semblance/hashing"
)

// MetadataReader is the version of what is read of a picture's metadata and of the
// pictures embedded in it. Media that an older one looked at are looked at again.
const MetadataReader = 1

// Metadata is what a picture says of its making. Anybody can change all of it; nothing is
// converted. EXIF goes before XMP; what a later source says differently is among Texts.
type Metadata struct {
	Taken     string   `json:"taken,omitempty"` // EXIF DateTimeOriginal, RFC 3339, or without zone when it is unknown: "2019-05-04T10:11:12"
	Latitude  *float64 `json:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty"`
	Make      string   `json:"make,omitempty"`
	Model     string   `json:"model,omitempty"`
	Serial    string   `json:"serial,omitempty"` // body serial number
	Software  string   `json:"software,omitempty"`

	Lens       string         `json:"lens,omitempty"`
	LensMake   string         `json:"lens_make,omitempty"`
	LensSerial string         `json:"lens_serial,omitempty"`
	ImageID    string         `json:"image_id,omitempty"` // EXIF ImageUniqueID
	Times      []MetadataTime `json:"times,omitempty"`    // every time it gives, Taken among them
	Texts      []MetadataText `json:"texts,omitempty"`    // owner, artist, copyright, description, identifiers of edited documents, ...
	Video      *VideoFacts    `json:"video,omitempty"`    // of a video
}

// A MetadataTime is a time as the file gives it.
type MetadataTime struct {
	Source string `json:"source"` // "exif:DateTimeOriginal", "exif:GPS", "xmp:xmp:CreateDate", "png:tIME"
	Time   string `json:"time"`   // RFC 3339 without zone, fractions of a second as given: "2019-05-04T10:11:12.5"
	Zone   string `json:"zone"`   // "+02:00", "UTC", or ZoneUnknown
}

// ZoneUnknown is the zone of a time that comes without one.
const ZoneUnknown = "unknown"

// A MetadataText is a text of a file's metadata and the field it stands in.
type MetadataText struct {
	Source string `json:"source"` // "exif:Artist", "xmp:dc:creator", "iptc:By-line", "png:Comment", "jpeg:comment"
	Text   string `json:"text"`
}

// IsZero reports whether the file says nothing.
func (m *Metadata) IsZero() bool {
	return m.Taken+m.Make+m.Model+m.Serial+m.Software+m.Lens+m.LensMake+m.LensSerial+m.ImageID == "" &&
		m.Latitude == nil && m.Longitude == nil && len(m.Times)+len(m.Texts) == 0 && m.Video == nil
}

// Strings are the texts of m, each with its field.
func (m *Metadata) Strings() []MetadataText {
	var out []MetadataText
	for _, f := range []MetadataText{{"make", m.Make}, {"model", m.Model}, {"serial", m.Serial}, {"software", m.Software},
		{"lens", m.Lens}, {"lens_make", m.LensMake}, {"lens_serial", m.LensSerial}, {"image_id", m.ImageID}} {
		if f.Text != "" {
			out = append(out, f)
		}
	}
	return append(out, m.Texts...)
}

// A TraceKind says what a trace is.
type TraceKind string

// The kinds. A model is shared by millions of cameras, the others by one camera, lens or
// original each, as far as the file tells the truth.
const (
	TraceModel    TraceKind = "camera model"
	TraceSerial   TraceKind = "camera serial"
	TraceLens     TraceKind = "lens serial"
	TraceImage    TraceKind = "image id"    // EXIF ImageUniqueID, or Apple's content identifier
	TraceDocument TraceKind = "document id" // XMP OriginalDocumentID or DocumentID: survives edits
	TraceOwner    TraceKind = "camera owner"
	TraceSound    TraceKind = "same sound" // an audio stream, packet by packet
)

// A Trace is a value in a picture's metadata that it shares with others of the same camera
// or origin. Two are the same when all their fields are equal.
type Trace struct {
	Kind  TraceKind `json:"kind"`
	Maker string    `json:"maker,omitempty"` // of the camera or lens: serial numbers of two makers say nothing of each other
	Value string    `json:"value"`
}

// Traces lists the traces of m, each once. Placeholders, such as a serial number of zeros,
// are none.
func (m *Metadata) Traces() []Trace {
	var out []Trace
	add := func(kind TraceKind, maker, value string) {
		t := Trace{kind, tidyTrace(maker), tidyTrace(value)}
		if placeholder(t.Value) {
			return
		}
		for _, o := range out {
			if o == t {
				return
			}
		}
		out = append(out, t)
	}
	add(TraceModel, m.Make, m.Model)
	add(TraceSerial, m.Make, m.Serial)
	lensMake := m.LensMake
	if lensMake == "" {
		lensMake = m.Make
	}
	add(TraceLens, lensMake, m.LensSerial)
	add(TraceImage, "", m.ImageID)
	for _, t := range m.Texts {
		switch t.Source {
		case "exif:Apple:ContentIdentifier", "exif:Apple:PhotoIdentifier":
			add(TraceImage, "", t.Text)
		case "xmp:xmpMM:OriginalDocumentID", "xmp:xmpMM:DocumentID":
			add(TraceDocument, "", t.Text)
		case "exif:CameraOwnerName", "xmp:exifEX:CameraOwnerName", "xmp:aux:OwnerName", "exif:Canon:OwnerName":
			add(TraceOwner, "", t.Text)
		case "exif:SerialNumber", "xmp:aux:SerialNumber", "xmp:exifEX:BodySerialNumber":
			add(TraceSerial, m.Make, t.Text)
		}
	}
	if m.Video != nil {
		for _, s := range m.Video.Audio {
			if s.SHA256 != nil && !s.Silent {
				add(TraceSound, "", s.SHA256.String())
			}
		}
	}
	return out
}

// tidyTrace makes what programs write differently the same: blanks and upper case.
func tidyTrace(s string) string { return strings.ToUpper(strings.Join(strings.Fields(s), " ")) }

// placeholder reports whether a value is what programs write when they have none.
func placeholder(s string) bool {
	switch s {
	case "", "UNKNOWN", "NONE", "N/A", "NA", "NULL", "DEFAULT", "SERIAL NUMBER", "XMP.DID:", "UUID:":
		return true
	}
	return strings.Trim(s, s[:1]+" -.:") == "" && strings.Trim(s, "0123456789 -.:FX*") == "" // one digit again and again
}

// An EmbeddedKind says where in a file an embedded picture lies.
type EmbeddedKind string

// The kinds.
const (
	EXIFThumbnail      EmbeddedKind = "exif-thumbnail"
	PhotoshopThumbnail EmbeddedKind = "photoshop-thumbnail"
)

// Where names the place in a sentence: "the thumbnail embedded in the file's EXIF".
func (k EmbeddedKind) Where() string {
	switch k {
	case EXIFThumbnail:
		return "the thumbnail embedded in the file's EXIF"
	case PhotoshopThumbnail:
		return "the thumbnail that Photoshop embedded in the file"
	}
	return "a picture embedded in the file's metadata"
}

// MaxEmbedded is how many embedded pictures of a file are looked at.
const MaxEmbedded = 4

// An EmbeddedPicture is a small picture in a file's metadata. It often survives an edit:
// the file shows something else, or nothing that is known any more, and this one still
// shows what it was made of. It is compared with collections as the file is.
type EmbeddedPicture struct {
	Kind    EmbeddedKind    `json:"kind"`
	Digests hashing.Digests `json:"digests"` // of its own bytes
	Width   int             `json:"width,omitempty"`
	Height  int             `json:"height,omitempty"`
	// Hashes are of its pixels as stored (frame 0) and, where it has black bars, of those
	// between the bars (frame 1).
	Hashes []FrameHashes `json:"hashes,omitempty"`
	Reason string        `json:"reason,omitempty"` // why it has no hashes, or what is wrong with it
}
