package semblance

import (
	"context"
	"os"
	"time"

	"semblance/hashing"
)

// Limits bound what one file may cost. All are checked before memory is
// allocated for what they bound. A zero field means the default.
type Limits struct {
	Bytes    int64         `json:"bytes"`    // size of the file
	Pixels   int64         `json:"pixels"`   // width times height of a frame
	Frames   int           `json:"frames"`   // frames looked at, spread over the animation
	Memory   int64         `json:"memory"`   // data segment of a worker, bytes
	Deadline time.Duration `json:"deadline"` // wall clock for one file, enforced by the parent
	CPU      time.Duration `json:"cpu"`      // CPU time for one file
	Faces    int           `json:"faces"`    // faces kept of one frame, highest scores first; more is recorded, not an error
	// Of a video, instead of Bytes, Frames, Deadline and CPU: a video is read as it is
	// decoded, and takes longer. A worker that comes near Video CPU or deadline ends
	// the decoding, and what it has is a part and says so.
	VideoBytes    int64         `json:"video_bytes"`
	VideoFrames   int           `json:"video_frames"` // frames that are hashed
	VideoLooks    int           `json:"video_looks"`  // frames in which faces are looked for
	VideoFaces    int           `json:"video_faces"`  // faces kept, each an appearance; more is recorded, not an error
	VideoDeadline time.Duration `json:"video_deadline"`
	VideoCPU      time.Duration `json:"video_cpu"`
}

// DefaultLimits are those of a scan that names none: pictures up to 200
// megapixels (a 16-bit scan of a poster) decode within 2 GiB.
func DefaultLimits() Limits {
	return Limits{Bytes: 4 << 30, Pixels: 200e6, Frames: 8, Memory: 3 << 30, Deadline: 60 * time.Second, CPU: 45 * time.Second, Faces: 500,
		VideoBytes: 1 << 40, VideoFrames: 100_000, VideoLooks: 3000, VideoFaces: 500, VideoDeadline: time.Hour, VideoCPU: 45 * time.Minute}
}

// WithDefaults fills zero fields from DefaultLimits.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	if l.Pixels == 0 {
		l.Pixels = d.Pixels
	}
	if l.Frames == 0 {
		l.Frames = d.Frames
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Deadline == 0 {
		l.Deadline = d.Deadline
	}
	if l.CPU == 0 {
		l.CPU = d.CPU
	}
	if l.Faces == 0 {
		l.Faces = d.Faces
	}
	if l.VideoBytes == 0 {
		l.VideoBytes = d.VideoBytes
	}
	if l.VideoFrames == 0 {
		l.VideoFrames = d.VideoFrames
	}
	if l.VideoLooks == 0 {
		l.VideoLooks = d.VideoLooks
	}
	if l.VideoFaces == 0 {
		l.VideoFaces = d.VideoFaces
	}
	if l.VideoDeadline == 0 {
		l.VideoDeadline = d.VideoDeadline
	}
	if l.VideoCPU == 0 {
		l.VideoCPU = d.VideoCPU
	}
	return l
}

// An AnalyzeRequest says what is wanted of one file. Everything is made from one
// decode.
type AnalyzeRequest struct {
	Hashes    []hashing.Algorithm `json:"hashes,omitempty"`    // perceptual ones; of the pixels as stored
	Videos    []hashing.Algorithm `json:"videos,omitempty"`    // of videos, instead of Hashes; empty: videos are not examined
	Engine    EngineName          `json:"engine,omitempty"`    // empty: no faces are looked for
	Engines   []EngineName        `json:"engines,omitempty"`   // further engines, where collections of one plan differ
	NoEmbed   bool                `json:"no_embed,omitempty"`  // detect only
	Crops     bool                `json:"crops,omitempty"`     // a JPEG of each face, at most 256 pixels
	Thumbnail int                 `json:"thumbnail,omitempty"` // longer side of an upright JPEG; 0 for none. A video then has a contact sheet too
	Providers []ProviderName      `json:"providers,omitempty"` // programs of the agency that are asked about each frame
	Selectors *SelectorRequest    `json:"selectors,omitempty"` // read texts for selectors; nil: texts are not read
	Pictures  int                 `json:"pictures,omitempty"`  // longest side of the frames given back as pixels, for providers; 0 for none
	// Name is the file's base name. With it, of a file that is no picture or video, Plain is
	// found out in the same go.
	Name   string `json:"name,omitempty"`
	Limits Limits `json:"limits"`
	Detection
}

// An Analysis is what one decode of one file gave.
type Analysis struct {
	Type        string   `json:"type"`                  // media type by content, such as "image/jpeg"
	Width       int      `json:"width"`                 // as stored
	Height      int      `json:"height"`                // as stored
	Frames      int      `json:"frames"`                // frames the file has (as far as they were counted)
	Orientation int      `json:"orientation,omitempty"` // EXIF 1 to 8; 0 when the file says nothing
	Partial     string   `json:"partial,omitempty"`     // why only a part could be decoded: "truncated after 61% of the rows"
	Warnings    []string `json:"warnings,omitempty"`    // of the decoder, and limits that were met
	Decoder     string   `json:"decoder"`               // name and version, such as "libjpeg-turbo 2.1.2"
	Metadata    Metadata `json:"metadata"`
	// Embedded are the pictures within the metadata, such as the thumbnail in EXIF.
	Embedded []EmbeddedPicture `json:"embedded,omitempty"`
	// Looked is the version of MetadataReader that read the metadata, 0 before there was one.
	Looked   int           `json:"looked,omitempty"`
	Video    *Video        `json:"video,omitempty"` // nil for a picture
	Hashes   []FrameHashes `json:"hashes,omitempty"`
	Signals  []VideoSignal `json:"signals,omitempty"`   // of a video
	FaceSets []FaceSet     `json:"face_sets,omitempty"` // one for each engine that ran, "no face" included
	// SelectorSets has one for each country for whose cases selectors were looked for.
	SelectorSets []SelectorSet `json:"selector_sets,omitempty"`
	Thumbnail    []byte        `json:"thumbnail,omitempty"` // JPEG
	Providers    []ProviderRun `json:"providers,omitempty"` // one for each provider that was asked, by name
	Pictures     []Frame       `json:"pictures,omitempty"`  // as asked for, as stored (not upright); never kept
	// Plain says that the file is no container, which was looked at; it need not be opened
	// as one. It may be set beside an error.
	Plain bool `json:"-"`
}

// Faces returns the faces of an engine and whether its detector ran: no faces
// is only ever the answer of a detector that did.
func (a *Analysis) Faces(engine EngineName) (FaceSet, bool) {
	for _, s := range a.FaceSets {
		if s.Engine == engine {
			return s, true
		}
	}
	return FaceSet{Engine: engine}, false
}

// FrameHashes are the perceptual hashes of one frame, made from the pixels as
// stored. A nil field was not asked for.
type FrameHashes struct {
	Frame int                `json:"frame"`
	PDQ   *hashing.PDQResult `json:"pdq,omitempty"`
	PHash *hashing.Hash64    `json:"phash,omitempty"`
	DHash *hashing.Hash64    `json:"dhash,omitempty"`
	AHash *hashing.Hash64    `json:"ahash,omitempty"`
	// Supplied are values that providers gave of the frame.
	Supplied []SuppliedHash `json:"supplied,omitempty"`
}

// A FaceSet is what one engine found in one media.
type FaceSet struct {
	Engine    EngineName        `json:"engine"`
	Version   int               `json:"version"`
	Models    map[string]string `json:"models,omitempty"` // model name to sha256, as loaded
	Detection                   // as asked for; sets of different ones are not the same answer
	Faces     []Face            `json:"faces"` // frame by frame, highest score first
	Dropped   int               `json:"dropped,omitempty"`
}

// A Point is a position in pixels of the upright picture.
type Point struct {
	X float32 `json:"x"`
	Y float32 `json:"y"`
}

// A Box is a rectangle in pixels of the upright picture; it may reach over the
// border.
type Box struct {
	X float32 `json:"x"`
	Y float32 `json:"y"`
	W float32 `json:"w"`
	H float32 `json:"h"`
}

// A Face is one face found in a frame.
type Face struct {
	Frame      int         `json:"frame"`
	Box        Box         `json:"box"`
	Landmarks  []Point     `json:"landmarks,omitempty"`   // eye, eye, nose, mouth corner, mouth corner; left to right as the face stands, so that of a face on its head the first eye is the right one in the picture
	Score      float32     `json:"score"`                 // the detector's, 0 to 1: that this is a face
	Quality    float32     `json:"quality"`               // 0 to 100: how far a comparison can be relied on
	Reasons    []string    `json:"reasons,omitempty"`     // what lowers the quality: "small: 18 pixels between the eyes"
	Components *Components `json:"components,omitempty"`  // what the quality is made of
	Labels     []string    `json:"reliability,omitempty"` // what makes a distance of this face less reliable; it ranks and warns and never hides
	Turn       int         `json:"turn,omitempty"`        // degrees clockwise by which the upright picture was turned to find it: 0, 90, 180, 270
	Embedding  []float32   `json:"embedding,omitempty"`   // nil when it was not asked for or the face is not searchable
	Crop       []byte      `json:"crop,omitempty"`        // JPEG
	Appearance *Appearance `json:"appearance,omitempty"`  // of a face in a video; nil: of a picture
}

// Components are the quality components of ISO/IEC 29794-5 that need no model, each
// 0 (worthless) to 100; docs/engines.md has the formulas and where they differ.
type Components struct {
	InterEyeDistance float32 `json:"inter_eye_distance"`
	Sharpness        float32 `json:"sharpness"`
	UnderExposure    float32 `json:"under_exposure"` // prevention of it: 100 is none
	OverExposure     float32 `json:"over_exposure"`  // prevention of it: 100 is none
	DynamicRange     float32 `json:"dynamic_range"`
	Illumination     float32 `json:"illumination"` // uniformity of left and right
	Yaw              float32 `json:"yaw"`
	Pitch            float32 `json:"pitch"`
	Roll             float32 `json:"roll"`
	Crop             float32 `json:"crop"`  // 100: all of the face lies within the picture
	Score            float32 `json:"score"` // the detector's
}

// MinSearchableQuality is the quality under which a face is shown but not
// searched or enrolled: its distances mean nothing.
const MinSearchableQuality = 20

// Searchable reports whether the face has an embedding worth comparing.
func (f *Face) Searchable() bool {
	return len(f.Embedding) > 0 && f.Quality >= MinSearchableQuality
}

// An Analyzer decodes one file and makes signals of it. The pool of workers is
// one; tests have another.
//
// f is only read, from any offset; the caller closes it. The error has code
// MediaUnsupported, MediaDamaged, MediaTooLarge, Timeout, Unavailable (weights or
// the worker are missing) or Internal (a worker died), and is about this file:
// the next call may succeed.
type Analyzer interface {
	Analyze(ctx context.Context, f *os.File, req AnalyzeRequest) (Analysis, error)
}
