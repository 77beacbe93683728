package worker

import (
	"math"
	"slices"

	"semblance"
	"semblance/hashing"
)

// checkVideo insists on exactly the signals that were asked for, in the order asked.
func checkVideo(a *semblance.Analysis, req *semblance.AnalyzeRequest) error {
	v := a.Video
	switch {
	case !printable(v.Format) || !printable(v.Codec):
		return violate("a format or codec that is not text")
	case v.Duration < 0 || v.Seen < 0 || v.Seen > hashing.MaxVPDQTime:
		return violate("a video of %v, seen for %v", v.Duration, v.Seen)
	case !(v.Rate >= 0) || math.IsInf(v.Rate, 0):
		return violate("%v frames a second", v.Rate)
	case v.Rotation != 0 && v.Rotation != 90 && v.Rotation != 180 && v.Rotation != 270:
		return violate("a video turned by %d degrees", v.Rotation)
	case len(a.Hashes)+len(a.FaceSets)+len(a.Pictures)+len(a.Providers) > 0:
		return violate("hashes, faces or pixels of a video's frames")
	}
	var got []hashing.Algorithm
	for _, s := range a.Signals {
		got = append(got, s.Algorithm)
		if err := s.Algorithm.CheckValue(s.Value); err != nil {
			return violate("a signal that is none: %v", err)
		}
		if s.Algorithm.IsVPDQ() && len(s.Value) > 64+48*req.Limits.VideoFrames {
			return violate("a %s of more frames than the limit of %d", s.Algorithm, req.Limits.VideoFrames)
		}
	}
	if !slices.Equal(got, req.Videos) {
		return violate("signals %v, where %v were asked for", got, req.Videos)
	}
	return nil
}
