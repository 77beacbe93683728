//go:build cgo && native

package main

import (
	"fmt"
	"slices"
	"time"

	"semblance"
	"semblance/detector"
	"semblance/hashing"
	"semblance/media"
)

// looks is what is made of the frames of a video that are looked at closely: faces, by
// engine, and the contact sheet.
type videoLooks struct {
	req      *semblance.AnalyzeRequest
	engines  []semblance.FaceFinder
	looker   *media.Looker
	sets     []semblance.FaceSet
	trackers []*detector.Tracker
	sheet    sheet
	tiles    int // that an engine may look at in a frame
	until    time.Duration
	notes    []string
	turn     int // orientation
	frame    semblance.Frame
}

// newLooks returns nil when nothing is wanted that needs a look.
func newLooks(req *semblance.AnalyzeRequest, engines []semblance.FaceFinder, v *media.Video) *videoLooks {
	if len(engines) == 0 && req.Thumbnail <= 0 {
		return nil
	}
	l := &videoLooks{req: req, engines: engines, looker: v.Looker(req.Limits.VideoLooks), turn: v.Orientation()}
	l.sheet = newSheet(req.Thumbnail)
	share := req.Limits
	share.CPU, share.Frames = req.Limits.VideoCPU/2, req.Limits.VideoLooks // the other half is for decoding
	l.tiles = looks(share, req.Limits.VideoLooks, len(engines))
	for _, e := range engines {
		spec, models := e.Spec()
		l.sets = append(l.sets, semblance.FaceSet{Engine: spec.Name, Version: spec.Version, Models: models, Detection: req.Detection, Faces: []semblance.Face{}})
		l.trackers = append(l.trackers, detector.NewTracker(spec, req.Limits.VideoFaces))
	}
	return l
}

// wants reports whether the present frame is looked at.
func (l *videoLooks) wants(v *media.Video, f media.VideoFrame) (take, cut bool, err error) {
	gray, err := v.Gray()
	if err != nil {
		return false, false, err
	}
	take, cut = l.looker.Take(f, gray)
	if !take {
		return false, false, nil
	}
	l.until = f.Time
	tile := l.sheet.wants(cut || l.sheet.empty())
	return tile || len(l.engines) > 0, cut, nil
}

// look looks at a frame.
func (l *videoLooks) look(p hashing.Pixels, f media.VideoFrame, cut bool) error {
	upright := media.Upright(l.packed(p, f.Index), l.turn)
	l.sheet.add(upright, f.Time)
	for i, e := range l.engines {
		if err := l.find(i, e, upright, f.Time, cut); err != nil {
			return err
		}
	}
	return nil
}

// packed is the frame with rows that touch.
func (l *videoLooks) packed(p hashing.Pixels, index int) *semblance.Frame {
	rgb := slices.Grow(l.frame.RGB[:0], 3*p.Width*p.Height)
	for y := range p.Height {
		rgb = append(rgb, p.Pix[y*p.Stride:y*p.Stride+3*p.Width]...)
	}
	l.frame = semblance.Frame{Index: index, Width: p.Width, Height: p.Height, RGB: rgb}
	return &l.frame
}

func (l *videoLooks) note(text string) {
	if !slices.Contains(l.notes, text) {
		l.notes = append(l.notes, text)
	}
}

// find gives the tracker of an engine the faces of a frame.
func (l *videoLooks) find(i int, e semblance.FaceFinder, f *semblance.Frame, at time.Duration, cut bool) error {
	most := l.req.Limits.Faces
	faces, err := e.Find(f, semblance.FindOptions{Detection: l.req.Detection, DetectOnly: l.req.NoEmbed, Faces: most, Looks: l.tiles, Warn: l.note})
	if err != nil {
		return err
	}
	if len(faces) > most {
		l.sets[i].Dropped += len(faces) - most
		faces = faces[:most]
	}
	for j := range faces {
		faces[j].Frame = f.Index
	}
	if !l.req.Crops {
		return l.trackers[i].Add(at, faces, cut, nil)
	}
	return l.trackers[i].Add(at, faces, cut, func(face *semblance.Face) ([]byte, error) {
		var c cropper // how much is kept in the end is not known yet
		return c.crop(f, face.Box)
	})
}

// finish puts what was found into the analysis.
func (l *videoLooks) finish(a *semblance.Analysis) error {
	taken, exhausted := l.looker.Taken()
	a.Video.Looked, a.Video.Until, a.Video.Scenes = taken, l.until, l.looker.Scenes()
	if exhausted {
		l.note(fmt.Sprintf("%d frames were looked at for faces, the limit of a video; none behind %s", taken, l.until.Round(time.Second)))
	}
	room, left := maxCropsTotal, 0
	for i, t := range l.trackers {
		faces, dropped := t.Faces()
		for j := range faces {
			if room -= len(faces[j].Crop); room < 0 {
				faces[j].Crop = nil
				left++
			}
		}
		l.sets[i].Faces = append(l.sets[i].Faces, faces...)
		l.sets[i].Dropped += dropped
	}
	if left > 0 {
		l.note("some faces have no crop: there are too many for one answer")
	}
	a.FaceSets = l.sets
	a.Warnings = append(a.Warnings, l.notes...)
	var err error
	a.Video.Sheet, a.Thumbnail, err = l.sheet.make()
	return err
}
