package semblance

import (
	"time"

	"semblance/hashing"
)

// A Video is what is known of a video besides the size of its picture. Times are from
// its first frame on.
type Video struct {
	Format   string        `json:"format"` // of the container, in FFmpeg's words
	Codec    string        `json:"codec"`
	Duration time.Duration `json:"duration"`           // by the header, 0 unknown
	Seen     time.Duration `json:"seen"`               // when the last frame that was decoded is shown
	Rate     float64       `json:"rate,omitempty"`     // frames a second, guessed from the header; 0 unknown
	Rotation int           `json:"rotation,omitempty"` // degrees clockwise by which it is turned to be shown
	// Of the frames that were looked at, for faces and the contact sheet; 0: none was.
	Looked int           `json:"looked,omitempty"`
	Until  time.Duration `json:"looked_until,omitempty"` // when the last of them is shown
	Scenes int           `json:"scenes,omitempty"`       // that the decoded frames make up
	Sheet  *ContactSheet `json:"sheet,omitempty"`
}

// Has reports whether a video has a signal of an algorithm: one that is shown as it is stored
// has none of it turned.
func (v *Video) Has(a hashing.Algorithm) bool {
	return a != hashing.AlgorithmVPDQUpright || v.Rotation != 0
}

// lacks reports whether an analysis of a video is without a signal that the video has.
func (a *Analysis) lacks(alg hashing.Algorithm) bool {
	return a.Video.Has(alg) && a.Signal(alg) == nil
}

// WithoutPixels returns v without what is stored apart from records; nil of nil.
func (v *Video) WithoutPixels() *Video {
	if v == nil || v.Sheet == nil || v.Sheet.JPEG == nil {
		return v
	}
	bare, sheet := *v, *v.Sheet
	sheet.JPEG, bare.Sheet = nil, &sheet
	return &bare
}

// A ContactSheet is a grid of frames of a video in one JPEG, row by row, upright. The
// times are data and not painted: what is painted cannot be searched, nor taken away.
type ContactSheet struct {
	JPEG    []byte    `json:"jpeg,omitempty"` // stored apart, with the thumbnails
	Columns int       `json:"columns"`
	Rows    int       `json:"rows"`
	Width   int       `json:"width"` // of a cell, pixels
	Height  int       `json:"height"`
	Seconds []float64 `json:"seconds"` // of each cell, from the first frame on
}

// VideoFacts are what a container says of the making of a video, and of its sound, which
// is never played.
type VideoFacts struct {
	Tags  []VideoTag    `json:"tags,omitempty"`  // as written: of the container, then of the stream
	Audio []AudioStream `json:"audio,omitempty"` // none: the video has no sound
	Sound int           `json:"sound,omitempty"` // the version of SoundReader that read the sound, 0 before there was one
}

// SoundReader is the version of what is made of sound. Videos of which an older one was
// made are examined again.
const SoundReader = 1

// A VideoTag is one of a container's, by the name that FFmpeg gives it, such as
// creation_time or com.apple.quicktime.location.ISO6709.
type VideoTag struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Stream bool   `json:"stream,omitempty"` // of the stream that is examined
}

// An AudioStream is the sound of a video, or of a file that has nothing else: what the
// header says, and what all its packets are. It is never decoded.
type AudioStream struct {
	Codec    string        `json:"codec"`
	Channels int           `json:"channels,omitempty"`
	Rate     int           `json:"rate,omitempty"`     // samples a second
	Duration time.Duration `json:"duration,omitempty"` // 0 unknown
	BitRate  int64         `json:"bit_rate,omitempty"` // bits a second, 0 unknown
	Language string        `json:"language,omitempty"` // as written, such as "eng"
	Title    string        `json:"title,omitempty"`
	// Packets are those of the stream, and Bytes what they hold without what a container
	// puts around them.
	Packets int64 `json:"packets,omitempty"`
	Bytes   int64 `json:"bytes,omitempty"`
	// SHA256 is of these bytes: the same sound has it in whatever container, beside whatever
	// pictures, as long as it was not encoded again. nil: Partial says why.
	SHA256  *SHA256 `json:"sha256,omitempty"`
	Partial string  `json:"partial,omitempty"`
	// Silent says that one packet is like the other, as of silence, and that the digest
	// therefore tells nothing.
	Silent bool `json:"silent,omitempty"`
}

// IsSound reports whether the analysis is of a file that has sound and no picture.
func (a *Analysis) IsSound() bool { return a != nil && a.Video == nil && a.Metadata.Video != nil }

// An Appearance says when a face is seen in a video: one person, from when the face is
// first seen to when it is lost, or the scene ends. Seconds are from the first frame on.
type Appearance struct {
	Second float64 `json:"second"` // of the frame whose face stands for the others: the one of best quality
	From   float64 `json:"from"`
	Until  float64 `json:"until"`
	Frames int     `json:"frames"` // in which it was found, of those that were looked at
}

// String says at which seconds, for a person.
func (a Appearance) String() string {
	if a.From == a.Until {
		return "at " + SecondsInWords(a.From)
	}
	return "at " + SecondsInWords(a.From) + " to " + SecondsInWords(a.Until)
}

// SecondsInWords says a time in a video for a person, to a tenth of a second.
func SecondsInWords(s float64) string {
	return (time.Duration(s*1000) * time.Millisecond).Round(100 * time.Millisecond).String()
}

// A VideoSignal is a signal of a whole video: of vPDQ or TMK+PDQF, in its binary form.
type VideoSignal struct {
	Algorithm hashing.Algorithm `json:"algorithm"`
	Value     []byte            `json:"value"`
}

// Signal returns the signal of an algorithm, nil when there is none.
func (a *Analysis) Signal(alg hashing.Algorithm) *VideoSignal {
	for i := range a.Signals {
		if a.Signals[i].Algorithm == alg {
			return &a.Signals[i]
		}
	}
	return nil
}

// IsVideo reports whether the analysis is of a video.
func (a *Analysis) IsVideo() bool { return a.Video != nil }
