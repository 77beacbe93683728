package semblance

import "iter"

// A Frame is one decoded picture: 8-bit RGB, three bytes a pixel, rows without
// padding, alpha dropped (not multiplied in), gray repeated. Its pixels belong to
// whoever made it and are valid until the next frame is asked for.
type Frame struct {
	Index  int    `json:"index"` // position among the file's frames
	Width  int    `json:"width"`
	Height int    `json:"height"`
	RGB    []byte `json:"-"` // 3*Width*Height bytes
}

// A Picture is an opened file whose frames have not been decoded yet. Everything
// but Frames is known from headers, so limits were checked before pixels were
// allocated. It is used by one goroutine and closed by who opened it.
type Picture interface {
	// Describe fills in what the headers say: Type, Width, Height, Frames,
	// Orientation, Decoder, Metadata, Embedded (without hashes). After the frames have been read it also has
	// Partial and Warnings.
	Describe() Analysis
	// Frames decodes the frames that the limits allow, spread evenly, as stored
	// (not turned upright). It can be ranged over once. An error ends it; when a part
	// of the picture could be decoded, that part is a frame and Partial says so.
	Frames() iter.Seq2[*Frame, error]
	// Embedded returns the bytes of a picture of Describe's Embedded, valid until Close.
	Embedded(i int) []byte
	// Close frees memory. No frame is used after it.
	Close() error
}

// FindOptions say how a FaceFinder looks at a frame. The zero value is the
// engine's default with embeddings.
type FindOptions struct {
	Detection
	DetectOnly bool               // no embeddings
	Faces      int                // faces that are looked at closely and embedded, the highest scores first; the others come as first seen; 0: all
	Looks      int                // how many tiles of a large frame MinFace may ask for; 0: the engine's own limit
	Warn       func(limit string) // told what could not be looked for as asked; nil: nobody is
}

// A FaceFinder is an engine at work: frame to faces with landmarks, quality and,
// unless DetectOnly, embeddings. The frame is upright. It is used by one goroutine
// at a time. No face is an empty slice and a nil error.
type FaceFinder interface {
	// Spec returns the engine's spec and the sha256 of each model loaded.
	Spec() (EngineSpec, map[string]string)
	// Find returns the faces of a frame, highest score first.
	Find(f *Frame, o FindOptions) ([]Face, error)
	// Close frees native memory.
	Close() error
}
