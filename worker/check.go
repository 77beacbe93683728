package worker

import (
	"bytes"
	"encoding/hex"
	"image/jpeg"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"semblance"
	"semblance/hashing"
)

// What an answer may hold at most. The child keeps to these; the parent insists.
const (
	maxText     = 1 << 10   // bytes of one string
	maxTexts    = 64        // strings of one list
	maxCrop     = 128 << 10 // bytes of a face's JPEG
	maxPicture  = 4 << 20   // bytes of a thumbnail
	maxCropSide = 256       // pixels
	maxThumb    = 4096      // pixels, longer side
	maxPoints   = 5
)

// Engines lists the engines of a request, each once, the first first.
func Engines(req *semblance.AnalyzeRequest) []semblance.EngineName {
	var names []semblance.EngineName
	for _, e := range append([]semblance.EngineName{req.Engine}, req.Engines...) {
		if e != "" && !slices.Contains(names, e) {
			names = append(names, e)
		}
	}
	return names
}

// checkAnalysis returns a violation when a is not a possible answer to req.
// o has the files and engines that the child was given.
func checkAnalysis(a *semblance.Analysis, req *semblance.AnalyzeRequest, o *Options) error {
	if a.IsText() {
		return checkText(a, req)
	}
	if a.IsSound() {
		return checkSound(a)
	}
	switch {
	case len(a.SelectorSets) > 0:
		return violate("selectors of a picture")
	case !printable(a.Type) || a.Type == "" || !printable(a.Decoder) || !printable(a.Partial):
		return violate("a type, decoder or partial text that is not text")
	case a.Width < 1 || a.Height < 1 || a.Width > hashing.MaxSide || a.Height > hashing.MaxSide:
		return violate("a picture of %d by %d pixels", a.Width, a.Height)
	case int64(a.Width)*int64(a.Height) > req.Limits.Pixels:
		return violate("a picture of %d by %d pixels, over the limit of %d", a.Width, a.Height, req.Limits.Pixels)
	case a.Frames < 0 || a.Frames > math.MaxInt32:
		return violate("%d frames", a.Frames)
	case a.Orientation < 0 || a.Orientation > 8:
		return violate("orientation %d", a.Orientation)
	}
	if err := checkTexts(a.Warnings); err != nil {
		return err
	}
	if err := checkMetadata(&a.Metadata); err != nil {
		return err
	}
	if err := checkEmbedded(a, req); err != nil {
		return err
	}
	if err := checkJPEG(a.Thumbnail, maxPicture, req.Thumbnail); err != nil {
		return err
	}
	if a.IsVideo() {
		return checkVideo(a, req, o)
	}
	if len(a.Signals) > 0 {
		return violate("signals of a video for a picture")
	}
	if err := checkHashes(a.Hashes, req); err != nil {
		return err
	}
	if err := checkPictures(a, req); err != nil {
		return err
	}
	return checkFaceSets(a.FaceSets, req, o, false)
}

func checkMetadata(m *semblance.Metadata) error {
	if len(m.Texts) > maxTexts || len(m.Times) > maxTexts {
		return violate("metadata of %d texts and %d times", len(m.Texts), len(m.Times))
	}
	for _, s := range metadataTexts(m) {
		if !printable(*s) {
			return violate("metadata that is not text")
		}
	}
	if m.Latitude != nil && !(math.Abs(*m.Latitude) <= 90) || m.Longitude != nil && !(math.Abs(*m.Longitude) <= 180) {
		return violate("a place that is not on Earth")
	}
	return checkFacts(m.Video)
}

// metadataTexts are all texts of metadata.
func metadataTexts(m *semblance.Metadata) []*string {
	out := []*string{&m.Taken, &m.Make, &m.Model, &m.Serial, &m.Software, &m.Lens, &m.LensMake, &m.LensSerial, &m.ImageID}
	for i := range m.Times {
		out = append(out, &m.Times[i].Source, &m.Times[i].Time, &m.Times[i].Zone)
	}
	for i := range m.Texts {
		out = append(out, &m.Texts[i].Source, &m.Texts[i].Text)
	}
	return out
}

// checkEmbedded insists on few embedded pictures, each within the file and with nothing but
// the hashes that were asked for.
func checkEmbedded(a *semblance.Analysis, req *semblance.AnalyzeRequest) error {
	if len(a.Embedded) > semblance.MaxEmbedded || a.Looked < 0 || a.Looked > semblance.MetadataReader {
		return violate("%d embedded pictures, read by reader %d", len(a.Embedded), a.Looked)
	}
	for i := range a.Embedded {
		e := &a.Embedded[i]
		switch {
		case e.Kind != semblance.EXIFThumbnail && e.Kind != semblance.PhotoshopThumbnail:
			return violate("an embedded picture of kind %q", clip(string(e.Kind), 40))
		case !printable(e.Reason):
			return violate("a reason that is not text")
		case e.Width < 0 || e.Height < 0 || e.Width > hashing.MaxSide || e.Height > hashing.MaxSide || e.Digests.Size < 1:
			return violate("an embedded picture of %d by %d pixels and %d bytes", e.Width, e.Height, e.Digests.Size)
		}
		if len(e.Hashes) == 0 {
			continue
		}
		bound := *req
		bound.Limits.Frames = 2 // as stored, and without its bars
		if err := checkHashes(e.Hashes, &bound); err != nil {
			return err
		}
		for _, h := range e.Hashes {
			if len(h.Supplied) > 0 {
				return violate("a supplied value, from a worker")
			}
		}
	}
	return nil
}

// checkPictures insists on pixels of the size that was asked for, and on nothing that only
// the parent makes.
func checkPictures(a *semblance.Analysis, req *semblance.AnalyzeRequest) error {
	if len(a.Providers) > 0 {
		return violate("what a provider says, from a worker")
	}
	for _, h := range a.Hashes {
		if len(h.Supplied) > 0 {
			return violate("a supplied value, from a worker")
		}
	}
	if len(a.Pictures) > req.Limits.Frames {
		return violate("pixels of %d frames", len(a.Pictures))
	}
	last := -1
	for i := range a.Pictures {
		p := &a.Pictures[i]
		if p.Index <= last || p.Index > math.MaxInt32 || p.Width < 1 || p.Height < 1 || max(p.Width, p.Height) > req.Pictures || len(p.RGB) != 3*p.Width*p.Height {
			return violate("pixels of frame %d that are %d by %d, of %d bytes", p.Index, p.Width, p.Height, len(p.RGB))
		}
		last = p.Index
	}
	return nil
}

// checkHashes insists that every frame has exactly the hashes that were asked for.
func checkHashes(hashes []semblance.FrameHashes, req *semblance.AnalyzeRequest) error {
	if len(hashes) > req.Limits.Frames || len(req.Hashes) == 0 && len(hashes) > 0 || len(req.Hashes) > 0 && len(hashes) == 0 {
		return violate("hashes of %d frames", len(hashes))
	}
	last := -1
	for _, h := range hashes {
		if h.Frame <= last || h.Frame > math.MaxInt32 {
			return violate("hashes of frame %d after frame %d", h.Frame, last)
		}
		last = h.Frame
		for alg, got := range map[hashing.Algorithm]bool{
			hashing.AlgorithmPDQ: h.PDQ != nil, hashing.AlgorithmPHash: h.PHash != nil,
			hashing.AlgorithmDHash: h.DHash != nil, hashing.AlgorithmAHash: h.AHash != nil,
		} {
			if got && !slices.Contains(req.Hashes, alg) {
				return violate("a %s that nobody asked for", alg)
			}
		}
		if h.PDQ != nil && (h.PDQ.Quality < 0 || h.PDQ.Quality > 100) {
			return violate("a PDQ quality of %d", h.PDQ.Quality)
		}
	}
	return nil
}

// checkFaceSets insists on one set for each engine that was asked for: no faces
// is only ever the answer of a detector that ran.
func checkFaceSets(sets []semblance.FaceSet, req *semblance.AnalyzeRequest, o *Options, video bool) error {
	want := Engines(req)
	if len(sets) != len(want) {
		return violate("faces of %d engines, where %d were asked for", len(sets), len(want))
	}
	for i := range sets {
		s := &sets[i]
		if s.Engine != want[i] {
			return violate("faces of engine %q, where %q was asked for", clip(string(s.Engine), 40), want[i])
		}
		spec, err := o.known.ByName(s.Engine)
		if err != nil || s.Version != spec.Version {
			return violate("version %d of engine %s", s.Version, s.Engine)
		}
		if s.Detection != req.Detection {
			return violate("faces from %d pixels and a score of %v, where %d and %v were asked for", s.MinFace, s.MinScore, req.MinFace, req.MinScore)
		}
		if err := checkModels(s.Models, o.Models); err != nil {
			return err
		}
		if err := checkFaces(s, spec, req, video); err != nil {
			return err
		}
	}
	return nil
}

// checkModels insists that an engine loaded what it was given. Engines name their
// parts in their own way, so it is the digests that are compared.
func checkModels(loaded map[string]string, given map[string]Model) error {
	if len(loaded) > maxTexts {
		return violate("%d models", len(loaded))
	}
	known, anything := map[string]bool{}, false
	for _, m := range given {
		known[m.SHA256] = true
		anything = anything || m.SHA256 == ""
	}
	for name, sum := range loaded {
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != 32 || !printable(name) || !known[sum] && !anything {
			return violate("a model %q that was not given", clean(name, 40))
		}
	}
	return nil
}

func checkFaces(s *semblance.FaceSet, spec semblance.EngineSpec, req *semblance.AnalyzeRequest, video bool) error {
	frameLimit := req.Limits.Frames
	if video {
		if frameLimit = req.Limits.VideoLooks; len(s.Faces) > req.Limits.VideoFaces {
			return violate("%d faces of a video, over the limit of %d", len(s.Faces), req.Limits.VideoFaces)
		}
	}
	if s.Dropped < 0 || s.Dropped > math.MaxInt32 {
		return violate("%d dropped faces", s.Dropped)
	}
	inFrame, frames, last := 0, 0, -1
	for i := range s.Faces {
		f := &s.Faces[i]
		if f.Frame < last || f.Frame > math.MaxInt32 {
			return violate("a face in frame %d after frame %d", f.Frame, last)
		}
		if f.Frame > last {
			last, inFrame = f.Frame, 0
			frames++
		}
		inFrame++
		if inFrame > req.Limits.Faces || frames > frameLimit {
			return violate("more faces than the limit of %d in each of %d frames", req.Limits.Faces, frameLimit)
		}
		if video {
			if err := checkAppearance(f.Appearance); err != nil {
				return err
			}
		} else if f.Appearance != nil {
			return violate("a face of a picture that is seen for a time")
		}
		if err := checkFace(f, spec, req); err != nil {
			return err
		}
	}
	return nil
}

func checkFace(f *semblance.Face, spec semblance.EngineSpec, req *semblance.AnalyzeRequest) error {
	switch {
	case !onPicture(f.Box.X, f.Box.Y, f.Box.W, f.Box.H) || f.Box.W <= 0 || f.Box.H <= 0:
		return violate("a face's box that is none")
	case len(f.Landmarks) > maxPoints:
		return violate("%d landmarks", len(f.Landmarks))
	case !(f.Score >= 0 && f.Score <= 1):
		return violate("a score of %v", f.Score)
	case !(f.Quality >= 0 && f.Quality <= 100):
		return violate("a quality of %v", f.Quality)
	case f.Turn != 0 && f.Turn != 90 && f.Turn != 180 && f.Turn != 270:
		return violate("a face turned by %d degrees", f.Turn)
	}
	for _, p := range f.Landmarks {
		if !onPicture(p.X, p.Y) {
			return violate("a landmark that is nowhere")
		}
	}
	if err := checkTexts(f.Reasons); err != nil {
		return err
	}
	if err := checkTexts(f.Labels); err != nil {
		return err
	}
	if name, v, ok := f.Components.Impossible(); ok {
		return violate("a component %s of %v", name, v)
	}
	if err := checkEmbedding(f.Embedding, spec, req.NoEmbed); err != nil {
		return err
	}
	side := maxCropSide
	if !req.Crops {
		side = 0
	}
	return checkJPEG(f.Crop, maxCrop, side)
}

// onPicture reports whether coordinates are finite and near a picture; a box may
// reach over the border.
func onPicture(values ...float32) bool {
	for _, v := range values {
		if !(v >= -4*hashing.MaxSide && v <= 4*hashing.MaxSide) {
			return false
		}
	}
	return true
}

func checkEmbedding(e []float32, spec semblance.EngineSpec, none bool) error {
	if len(e) == 0 {
		return nil
	}
	if none || len(e) != spec.Dimensions {
		return violate("an embedding of %d dimensions", len(e))
	}
	sum := 0.0
	for _, v := range e {
		sum += float64(v) * float64(v)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0) || sum == 0 || sum > 1e6:
		return violate("an embedding of length %v", math.Sqrt(sum))
	case spec.Metric == semblance.Cosine && math.Abs(sum-1) > 1e-3:
		return violate("an embedding of length %v, where it is normalized to 1", math.Sqrt(sum))
	}
	return nil
}

// checkJPEG looks at a picture's header only. side is the longest it may be; 0
// when none was asked for.
func checkJPEG(b []byte, size, side int) error {
	switch {
	case len(b) == 0:
		return nil
	case side == 0:
		return violate("a picture that nobody asked for")
	case len(b) > size:
		return violate("a picture of %d bytes, over the limit of %d", len(b), size)
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return violate("a picture that is no JPEG: %v", err)
	}
	if c.Width < 1 || c.Height < 1 || max(c.Width, c.Height) > side {
		return violate("a picture of %d by %d pixels, over the limit of %d", c.Width, c.Height, side)
	}
	return nil
}

func checkTexts(list []string) error {
	if len(list) > maxTexts {
		return violate("a list of %d texts", len(list))
	}
	for _, s := range list {
		if !printable(s) {
			return violate("a text that is not one")
		}
	}
	return nil
}

// printable reports whether s can be shown, stored and logged as it is.
func printable(s string) bool {
	if len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clean makes text of a child fit to be shown.
func clean(s string, size int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	return clip(strings.Join(strings.Fields(s), " "), size)
}

// clip cuts s to size bytes without cutting a character.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "")
}

// checkRemote turns what a child says about its failure into an error, or into a
// violation when no honest child says it.
func checkRemote(r *remoteError) error {
	switch r.Code {
	case semblance.MediaUnsupported, semblance.MediaDamaged, semblance.MediaTooLarge, semblance.MediaEncrypted, semblance.Unavailable, semblance.Internal, semblance.Invalid:
	default:
		return violate("an error of code %q", clip(string(r.Code), 40))
	}
	msg := clean(r.Msg, maxText)
	if msg == "" {
		return violate("an error without a sentence")
	}
	e := &semblance.Error{Code: r.Code, Msg: msg, Hint: clean(r.Hint, maxText)}
	if r.Cause != "" {
		e.Err = &childError{clean(r.Cause, maxText)}
	}
	return e
}

// A childError is the private cause of an error, in a child's words.
type childError struct{ text string }

func (e *childError) Error() string { return "worker: " + e.text }
