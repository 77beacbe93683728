package worker

import (
	"math"
	"slices"

	"semblance"
	"semblance/hashing"
)

// checkVideo insists on exactly the signals that were asked for and that the video has, in the
// order asked.
func checkVideo(a *semblance.Analysis, req *semblance.AnalyzeRequest, o *Options) error {
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
	case len(a.Hashes)+len(a.Pictures)+len(a.Providers) > 0:
		return violate("hashes or pixels of a video's frames")
	case v.Looked < 0 || v.Looked > req.Limits.VideoLooks || v.Scenes < 0 || v.Scenes > math.MaxInt32 || v.Until < 0 || v.Until > v.Seen:
		return violate("%d looks at %d scenes, the last at %v of %v", v.Looked, v.Scenes, v.Until, v.Seen)
	case len(a.FaceSets) > 0 && v.Looked == 0:
		return violate("faces of a video at which nobody looked")
	}
	if err := checkSheet(v, req); err != nil {
		return err
	}
	if err := checkFaceSets(a.FaceSets, req, o, true); err != nil {
		return err
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
	wanted := slices.DeleteFunc(slices.Clone(req.Videos), func(a hashing.Algorithm) bool { return !v.Has(a) })
	if !slices.Equal(got, wanted) {
		return violate("signals %v, where %v were asked for", got, wanted)
	}
	return nil
}

// What a contact sheet may hold.
const (
	maxSheet      = 512 << 10
	maxSheetSide  = 2048 // pixels
	maxSheetCells = 100
)

func checkSheet(v *semblance.Video, req *semblance.AnalyzeRequest) error {
	s := v.Sheet
	if s == nil {
		return nil
	}
	cells := s.Columns * s.Rows
	switch {
	case req.Thumbnail == 0:
		return violate("a contact sheet that nobody asked for")
	case s.Columns < 1 || s.Rows < 1 || s.Columns > maxSheetCells || s.Rows > maxSheetCells || s.Width < 1 || s.Height < 1 || s.Width > maxSheetSide || s.Height > maxSheetSide:
		return violate("a contact sheet of %d by %d cells of %d by %d pixels", s.Columns, s.Rows, s.Width, s.Height)
	case len(s.Seconds) > min(cells, maxSheetCells) || len(s.Seconds) <= cells-s.Columns:
		return violate("a contact sheet of %d by %d cells with %d times", s.Columns, s.Rows, len(s.Seconds))
	}
	last := 0.0
	for _, at := range s.Seconds {
		if !(at >= last && at <= v.Seen.Seconds()+0.001) {
			return violate("a cell of a contact sheet at %v after %v", at, last)
		}
		last = at
	}
	return checkJPEG(s.JPEG, maxSheet, maxSheetSide)
}

// checkAppearance insists on times that are in the video, in their order.
func checkAppearance(a *semblance.Appearance) error {
	switch {
	case a == nil:
		return violate("a face in a video that says not when")
	case !(0 <= a.From && a.From <= a.Second && a.Second <= a.Until && a.Until <= hashing.MaxVPDQTime.Seconds()):
		return violate("a face of second %v, seen from %v to %v", a.Second, a.From, a.Until)
	case a.Frames < 1 || a.Frames > math.MaxInt32:
		return violate("a face seen in %d frames", a.Frames)
	}
	return nil
}

// What is said of a container.
const (
	maxTags   = 64
	maxAudios = 16
)

func checkFacts(f *semblance.VideoFacts) error {
	if f == nil {
		return nil
	}
	if len(f.Tags) > maxTags || len(f.Audio) > maxAudios {
		return violate("%d tags and %d audio streams", len(f.Tags), len(f.Audio))
	}
	for _, t := range f.Tags {
		if !printable(t.Name) || !printable(t.Value) {
			return violate("a tag that is not text")
		}
	}
	if f.Sound < 0 || f.Sound > semblance.SoundReader {
		return violate("sound of reader %d", f.Sound)
	}
	for _, s := range f.Audio {
		switch {
		case !printable(s.Codec) || !printable(s.Language) || !printable(s.Title) || !printable(s.Partial):
			return violate("an audio stream of which something is not text")
		case s.Channels < 0 || s.Rate < 0 || s.Duration < 0 || s.BitRate < 0 || s.Packets < 0 || s.Bytes < 0:
			return violate("an audio stream of %d channels at %d samples and %d bits a second, for %v, of %d packets and %d bytes", s.Channels, s.Rate, s.BitRate, s.Duration, s.Packets, s.Bytes)
		case s.SHA256 != nil && (s.Partial != "" || s.Packets == 0) || s.Silent && s.SHA256 == nil:
			return violate("a digest of sound that was not read")
		}
	}
	return nil
}

// checkSound insists on what is made of a file that has nothing but sound: no signal, no
// picture, no face.
func checkSound(a *semblance.Analysis) error {
	switch {
	case !printable(a.Type) || a.Type == "" || !printable(a.Decoder) || !printable(a.Partial):
		return violate("a type, decoder or partial text that is not text")
	case a.Width != 0 || a.Height != 0 || a.Frames != 0 || a.Orientation != 0 || a.Looked != 0:
		return violate("frames of sound")
	case len(a.Hashes)+len(a.Signals)+len(a.FaceSets)+len(a.SelectorSets)+len(a.Pictures)+len(a.Providers)+len(a.Thumbnail)+len(a.Embedded) > 0:
		return violate("hashes, faces or pixels of sound")
	case len(a.Metadata.Video.Audio) == 0:
		return violate("sound without a stream")
	}
	if err := checkTexts(a.Warnings); err != nil {
		return err
	}
	return checkMetadata(&a.Metadata)
}
