//go:build cgo && native

package main

import (
	"errors"
	"slices"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/media"
	"semblance/worker"
)

// An analysis grows frame by frame.
type analysis struct {
	req     *semblance.AnalyzeRequest
	engines []semblance.FaceFinder
	out     semblance.Analysis // hashes, face sets and thumbnail; the rest is the picture's to say
	notes   []string
	frames  int
	looks   int // tiles that an engine may look at in a frame
	crops   cropper
	pixels  int // bytes of pictures so far
}

func newAnalysis(req *semblance.AnalyzeRequest, engines []semblance.FaceFinder) *analysis {
	a := &analysis{req: req, engines: engines}
	for _, e := range engines {
		spec, models := e.Spec()
		a.out.FaceSets = append(a.out.FaceSets, semblance.FaceSet{Engine: spec.Name, Version: spec.Version, Models: models,
			Detection: req.Detection, Faces: []semblance.Face{}})
	}
	return a
}

// of decodes the picture once and makes everything of it. A failure after the
// first frame leaves what the frames before it gave, and Partial says so.
func (a *analysis) of(p semblance.Picture) (semblance.Analysis, error) {
	head := p.Describe()
	orientation := head.Orientation
	a.looks = looks(a.req.Limits, head.Frames, len(a.engines))
	var failed error
	for frame, err := range p.Frames() {
		if err == nil {
			err = a.add(frame, orientation)
		}
		if err != nil {
			failed = err
			break
		}
	}
	if failed != nil && (a.frames == 0 || isOurs(failed)) {
		return semblance.Analysis{}, failed
	}
	if a.frames == 0 {
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaDamaged, "no frame of the picture could be decoded")
	}
	out := p.Describe()
	out.Hashes, out.FaceSets, out.Thumbnail, out.Pictures = a.out.Hashes, a.out.FaceSets, a.out.Thumbnail, a.out.Pictures
	out.Warnings = append(out.Warnings, a.notes...)
	a.embedded(p, out.Embedded)
	if failed != nil && out.Partial == "" {
		out.Partial = failed.Error()
	}
	if a.crops.refused > 0 {
		out.Warnings = append(out.Warnings, "some faces have no crop: there are too many for one answer")
	}
	return out, nil
}

// note keeps a warning once: frames of an animation are limited alike.
func (a *analysis) note(text string) {
	if !slices.Contains(a.notes, text) {
		a.notes = append(a.notes, text)
	}
}

// looks is how many tiles an engine may look at in each frame, so that a file stays
// within its processor time, of which a part is for tiles: one takes 14 to 25 ms.
// It follows from the limits alone, so that the same file gives the same faces on a
// slow machine and on a fast one.
func looks(l semblance.Limits, frames, engines int) int {
	const tile = 50 * time.Millisecond
	frames = max(1, min(frames, l.Frames))
	return max(1, int(l.CPU/tile)/frames/max(engines, 1))
}

// isOurs reports whether a failure says nothing about the file: then half an
// answer must not pass for one.
func isOurs(err error) bool {
	switch semblance.CodeOf(err) {
	case semblance.MediaDamaged, semblance.MediaTooLarge, semblance.MediaUnsupported:
		return false
	}
	return true
}

// add makes hashes of the frame as stored, and everything else of it upright.
func (a *analysis) add(stored *semblance.Frame, orientation int) error {
	if err := a.hash(stored); err != nil {
		return err
	}
	a.picture(stored)
	if err := a.thumbnail(stored, orientation); err != nil {
		return err
	}
	if len(a.engines) > 0 {
		upright := media.Upright(stored, orientation)
		for i, e := range a.engines {
			if err := a.find(&a.out.FaceSets[i], e, upright); err != nil {
				return err
			}
		}
	}
	a.frames++
	return nil
}

// picture gives the frame back as pixels, as stored, with its longer side at most as long
// as asked for. A frame that is one too many is left out, and a warning says so.
func (a *analysis) picture(f *semblance.Frame) {
	if a.req.Pictures <= 0 {
		return
	}
	p := *media.Fit(f, a.req.Pictures)
	if a.pixels += len(p.RGB); a.pixels > worker.MaxPictureBytes {
		a.note("not all frames were given to providers: they are too large for one answer")
		return
	}
	p.Index, p.RGB = f.Index, slices.Clone(p.RGB) // a frame's pixels are its decoder's
	a.out.Pictures = append(a.out.Pictures, p)
}

func (a *analysis) hash(f *semblance.Frame) error { return a.addHashes(&a.out.Hashes, f) }

// addHashes adds those of a frame to a list.
func (a *analysis) addHashes(list *[]semblance.FrameHashes, f *semblance.Frame) error {
	if len(a.req.Hashes) == 0 {
		return nil
	}
	var o hashing.Options
	for _, alg := range a.req.Hashes {
		switch alg {
		case hashing.AlgorithmPDQ:
			o.PDQ, o.Dihedral, o.Turned = true, true, true
		case hashing.AlgorithmPHash:
			o.PHash = true
		case hashing.AlgorithmDHash:
			o.DHash = true
		case hashing.AlgorithmAHash:
			o.AHash = true
		}
	}
	r, err := hashing.Compute(hashing.Pixels{Pix: f.RGB, Width: f.Width, Height: f.Height, Stride: 3 * f.Width, Channels: 3}, o)
	var bad *hashing.PixelsError
	if errors.As(err, &bad) {
		return semblance.Errorf(semblance.MediaTooLarge, "the picture cannot be hashed: %s", bad.Msg)
	}
	if err != nil {
		return err
	}
	h := semblance.FrameHashes{Frame: f.Index}
	if o.PDQ {
		h.PDQ = &r.PDQ
	}
	if o.PHash {
		h.PHash = &r.PHash
	}
	if o.DHash {
		h.DHash = &r.DHash
	}
	if o.AHash {
		h.AHash = &r.AHash
	}
	*list = append(*list, h)
	return nil
}

// thumbnail is that of the first frame, made smaller before it is turned, which gives
// the same pixels.
func (a *analysis) thumbnail(f *semblance.Frame, orientation int) error {
	if a.req.Thumbnail <= 0 || a.frames > 0 {
		return nil
	}
	b, err := encode(media.Upright(media.Fit(f, a.req.Thumbnail), orientation), maxThumbnail)
	a.out.Thumbnail = b
	return err
}

// find adds the faces of one engine in one frame, at most as many as the limit
// allows, the best first.
func (a *analysis) find(set *semblance.FaceSet, e semblance.FaceFinder, f *semblance.Frame) error {
	most := a.req.Limits.Faces
	faces, err := e.Find(f, semblance.FindOptions{Detection: a.req.Detection, DetectOnly: a.req.NoEmbed, Faces: most, Looks: a.looks, Warn: a.note})
	if err != nil {
		return err
	}
	if len(faces) > most {
		set.Dropped += len(faces) - most
		faces = faces[:most]
	}
	for i := range faces {
		faces[i].Frame = f.Index
		if a.req.Crops {
			if faces[i].Crop, err = a.crops.crop(f, faces[i].Box); err != nil {
				return err
			}
		}
	}
	set.Faces = append(set.Faces, faces...)
	return nil
}
