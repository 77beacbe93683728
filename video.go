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
