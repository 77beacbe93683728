package detector

import "semblance"

// Options say how YuNet looks for faces. DefaultOptions are what the engines of
// this version are pinned to: other values make other signals.
type Options struct {
	Model   string  // path of yunet_n_dynamic.onnx
	SHA256  string  // its checksum in hexadecimal; empty: not compared
	Threads int     // of ONNX Runtime within one frame; 0 is 1
	Size    int     // longer side in pixels at which a frame is looked at; smaller frames are not enlarged beyond Enlarge
	Step    int     // how many times smaller a frame in which no face is sure is looked at once more, for one that fills it; 0: it is not
	Turned  int     // longer side at which a frame in which no face was seen is looked at turned by 90, 180 and 270 degrees; 0: it is not
	Enlarge float64 // how far a frame smaller than Size is enlarged at most; 1 never
	Score   float32 // least detector score, 0 to 1; FindOptions.MinScore has precedence
	Sure    float32 // a face under this score is looked at in all four stances: YuNet sees faces on their head as standing ones
	Overlap float32 // faces that overlap more than this (intersection over union) are one
	Refine  bool    // look twice again at each face, at the size where YuNet's landmarks are steadiest
}

// DefaultOptions are the pinned ones, without Model.
func DefaultOptions() Options {
	return Options{Threads: 1, Size: 640, Step: 4, Turned: 448, Enlarge: 2, Score: 0.7, Sure: 0.92, Overlap: 0.3, Refine: true}
}

// Validate returns an error with code Invalid that says what is wrong.
func (o Options) Validate() error {
	for _, size := range []int{max(o.Turned, 32), o.Size} {
		if size < 32 || size > 4096 {
			return semblance.Errorf(semblance.Invalid, "a detector size of %d pixels is not between 32 and 4096", size)
		}
	}
	switch {
	case o.Step < 0 || o.Step > 16:
		return semblance.Errorf(semblance.Invalid, "the detector's step of %d is not between 0 and 16", o.Step)
	case !(o.Score > 0 && o.Score <= 1) || !(o.Sure >= 0 && o.Sure <= 1):
		return semblance.Errorf(semblance.Invalid, "the detector's scores %v and %v are not above 0 and at most 1", o.Score, o.Sure)
	case !(o.Overlap > 0 && o.Overlap <= 1):
		return semblance.Errorf(semblance.Invalid, "the detector's overlap %v is not above 0 and at most 1", o.Overlap)
	case !(o.Enlarge >= 1 && o.Enlarge <= 8):
		return semblance.Errorf(semblance.Invalid, "the detector's enlargement %v is not between 1 and 8", o.Enlarge)
	case o.Threads < 0:
		return semblance.Errorf(semblance.Invalid, "the detector cannot run on %d threads", o.Threads)
	}
	return nil
}
