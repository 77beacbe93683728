package main

import (
	"slices"
	"time"

	"semblance"
	"semblance/hashing"
)

// A videoLine is what `semblance hash` says of a video besides what it says of every
// file.
type videoLine struct {
	Duration     float64    `json:"duration,omitempty"` // seconds by the header, 0 unknown
	Frames       int        `json:"frames,omitempty"`   // decoded
	Codec        string     `json:"codec,omitempty"`
	VPDQ         *shownVPDQ `json:"vpdq,omitempty"`
	VPDQKeyframe *shownVPDQ `json:"vpdq_keyframes,omitempty"`
	VPDQUpright  *shownVPDQ `json:"vpdq_upright,omitempty"`
	VPDQMirrored *shownVPDQ `json:"vpdq_mirrored,omitempty"`
	TMK          []byte     `json:"tmk,omitempty"`        // the file, base64
	TMKFrames    int        `json:"tmk_frames,omitempty"` // at 15 a second
	Warnings     []string   `json:"warnings,omitempty"`
}

// A shownVPDQ is a vPDQ with its frames in the reference's text form.
type shownVPDQ struct {
	Algorithm hashing.Algorithm `json:"algorithm"`
	Low       int               `json:"low_quality"` // frames of a quality under 50
	Frames    []string          `json:"frames"`      // "frame,quality,hash,seconds"
}

func newShownVPDQ(alg hashing.Algorithm, value []byte) (*shownVPDQ, error) {
	v, err := hashing.ParseVPDQBinary(value)
	if err != nil {
		return nil, err
	}
	s := &shownVPDQ{Algorithm: alg, Frames: make([]string, 0, len(v))}
	for i, f := range v {
		line, err := v[i : i+1].AppendText(nil)
		if err != nil {
			return nil, err
		}
		s.Frames = append(s.Frames, string(line[:len(line)-1]))
		if f.Quality < hashing.PDQMinQuality {
			s.Low++
		}
	}
	return s, nil
}

// fill takes what an analysis has of a video; nothing of a picture.
func (l *videoLine) fill(a *semblance.Analysis) (err error) {
	if !a.IsVideo() {
		return nil
	}
	l.Duration, l.Frames, l.Codec, l.Warnings = a.Video.Duration.Seconds(), a.Frames, a.Video.Codec, a.Warnings
	for _, s := range a.Signals {
		switch s.Algorithm {
		case hashing.AlgorithmVPDQ:
			l.VPDQ, err = newShownVPDQ(s.Algorithm, s.Value)
		case hashing.AlgorithmVPDQKeyframes:
			l.VPDQKeyframe, err = newShownVPDQ(s.Algorithm, s.Value)
		case hashing.AlgorithmVPDQUpright:
			l.VPDQUpright, err = newShownVPDQ(s.Algorithm, s.Value)
		case hashing.AlgorithmVPDQMirrored:
			l.VPDQMirrored, err = newShownVPDQ(s.Algorithm, s.Value)
		case hashing.AlgorithmTMK:
			var t *hashing.TMK
			if t, err = hashing.ParseTMK(s.Value); err == nil {
				l.TMK, l.TMKFrames = s.Value, t.Frames
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *env) sayVideo(l *videoLine) {
	if l.Codec == "" {
		return
	}
	e.say("  video of %s, %s, %s decoded", (time.Duration(l.Duration*1000) * time.Millisecond).Round(100*time.Millisecond), l.Codec, count(int64(l.Frames), "frame", "frames"))
	for _, v := range []*shownVPDQ{l.VPDQ, l.VPDQKeyframe, l.VPDQUpright, l.VPDQMirrored} {
		if v != nil {
			e.say("  %s: %s, %d of low quality", v.Algorithm, count(int64(len(v.Frames)), "frame", "frames"), v.Low)
		}
	}
	if l.TMK != nil {
		e.say("  %s: of %s, %s", hashing.AlgorithmTMK, count(int64(l.TMKFrames), "frame", "frames"), size(int64(len(l.TMK))))
	}
	for _, w := range l.Warnings {
		e.say("  note: %s", printable(w))
	}
}

// videoNames reads --video.
func videoNames(names []string) (out []hashing.Algorithm, err error) {
	for _, n := range names {
		if n == "none" && len(names) == 1 {
			return nil, nil
		}
		alg, err := hashing.ParseAlgorithm(n)
		if err != nil || !alg.IsVideo() {
			return nil, semblance.Errorf(semblance.Invalid, "--video takes vpdq, vpdq-keyframes, vpdq-upright, vpdq-mirrored, tmk or none, not %q", n)
		}
		if !slices.Contains(out, alg) {
			out = append(out, alg)
		}
	}
	return out, nil
}
