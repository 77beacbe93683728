package detector

import "semblance"

// Options say how YuNet looks for faces. DefaultOptions are what the engines of
// this version are pinned to: other values make other signals.
type Options struct {
	Model   string  // path of yunet_n_dynamic.onnx
	SHA256  string  // its checksum in hexadecimal; empty: not compared
	Threads int     // of ONNX Runtime within one frame; 0 is 1
	Sizes   []int   // longer sides in pixels at which a frame is looked at, largest first; smaller frames are not enlarged beyond Enlarge
	Enlarge float64 // how far a frame smaller than Sizes[0] is enlarged at most; 1 never
	Score   float32 // least detector score, 0 to 1
	Overlap float32 // faces that overlap more than this (intersection over union) are one
	Refine  bool    // look again at each face, enlarged or reduced to where YuNet is most exact
}

// DefaultOptions are the pinned ones, without Model.
func DefaultOptions() Options {
	return Options{Threads: 1, Sizes: []int{640}, Enlarge: 2, Score: 0.7, Overlap: 0.3, Refine: true}
}

// Validate returns an error with code Invalid that says what is wrong.
func (o Options) Validate() error {
	for _, size := range o.Sizes {
		if size < 32 || size > 4096 {
			return semblance.Errorf(semblance.Invalid, "a detector size of %d pixels is not between 32 and 4096", size)
		}
	}
	switch {
	case len(o.Sizes) == 0:
		return semblance.Errorf(semblance.Invalid, "the detector has no size to look at")
	case !(o.Score > 0 && o.Score <= 1):
		return semblance.Errorf(semblance.Invalid, "the detector's least score %v is not above 0 and at most 1", o.Score)
	case !(o.Overlap > 0 && o.Overlap <= 1):
		return semblance.Errorf(semblance.Invalid, "the detector's overlap %v is not above 0 and at most 1", o.Overlap)
	case !(o.Enlarge >= 1 && o.Enlarge <= 8):
		return semblance.Errorf(semblance.Invalid, "the detector's enlargement %v is not between 1 and 8", o.Enlarge)
	case o.Threads < 0:
		return semblance.Errorf(semblance.Invalid, "the detector cannot run on %d threads", o.Threads)
	}
	return nil
}
