package semblance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"semblance/hashing"
)

// videoSignals asks for what a collection keeps of a reference video: its frames as they are
// stored and, where that is something else, as they are shown.
func videoSignals(extra []hashing.Algorithm) (pictures, videos []hashing.Algorithm) {
	pictures, videos = []hashing.Algorithm{hashing.AlgorithmPDQ}, []hashing.Algorithm{hashing.AlgorithmVPDQ, hashing.AlgorithmVPDQUpright}
	for _, a := range extra {
		if a.IsVideo() {
			if !slices.Contains(videos, a) {
				videos = append(videos, a)
			}
			continue
		}
		pictures = append(pictures, a)
	}
	return pictures, videos
}

// videoEntries makes the entries of a video's signals: one of each that it has, with all frames.
func videoEntries(a *Analysis, entry func(hashing.Algorithm, []byte) HashEntry) (out []HashEntry, warning string, err error) {
	for _, s := range a.Signals {
		h := entry(s.Algorithm, s.Value)
		h.Size, h.Decoder = 0, a.Decoder
		if !s.Algorithm.IsVPDQ() {
			out = append(out, h)
			continue
		}
		frames, err := hashing.ParseVPDQBinary(s.Value)
		if err != nil {
			return nil, "", Errorf(Internal, "the worker's vPDQ cannot be read: %v", err)
		}
		if len(frames) == 0 {
			warning = "no frame of the video could be hashed"
			continue
		}
		low := 0
		for _, f := range frames {
			if f.Quality < hashing.PDQMinQuality {
				low++
			}
		}
		if 2*low > len(frames) {
			warning = fmt.Sprintf("%d of %d frames are nearly featureless (PDQ quality under %d): they are kept, and not compared by collections with a minimum above that", low, len(frames), hashing.PDQMinQuality)
		}
		out = append(out, h)
	}
	if a.Partial != "" {
		warning = "only a part of the video is in the collection: " + a.Partial
	}
	return out, warning, nil
}

// A VideoForm names a form that signals of videos are exchanged in.
type VideoForm string

// The forms: the text of ThreatExchange's vPDQ, the JSON of its Python package, and the
// file of TMK+PDQF.
const (
	FormVPDQ     VideoForm = "vpdq"
	FormVPDQJSON VideoForm = "vpdq-json"
	FormTMK      VideoForm = "tmk"
)

// mostSignal bounds a signal's file: a million lines of a vPDQ.
const mostSignal = 128 << 20

// ImportVideo reads the signal of one video into a hashes collection. Added is 0 when it
// is there already. What cannot be read is Invalid, with the line.
func (e *Engine) ImportVideo(ctx context.Context, who Actor, collection, source string, form VideoForm, r io.Reader) (added int, err error) {
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return 0, err
	}
	if c.Kind != Hashes {
		return 0, Errorf(Invalid, "collection %q holds %s; signals of videos go into a hashes collection", c.Name, c.Kind)
	}
	b, err := io.ReadAll(io.LimitReader(r, mostSignal+1))
	if err != nil {
		return 0, Errorf(Invalid, "the signal cannot be read").WithCause(err)
	}
	if len(b) > mostSignal {
		return 0, Errorf(Invalid, "the file has more than %d MiB, which no signal of a video has", mostSignal>>20)
	}
	alg, value, err := parseVideo(form, b)
	if err != nil {
		return 0, Errorf(Invalid, "%s is no %s: %v", source, form, err)
	}
	ev := e.event(who, "collection.import", nil, c.Name)
	ev.Basis, ev.Detail["source"], ev.Detail["algorithm"] = c.Basis, source, string(alg)
	return e.Entries.AddEntries(ctx, c.ID, []HashEntry{{Collection: c.ID, Algorithm: alg, Value: value, Quality: -1, Source: source}}, ev)
}

// parseVideo reads a form. How foreign frames were chosen is not known; they are as good
// as ours in every comparison.
func parseVideo(form VideoForm, b []byte) (hashing.Algorithm, []byte, error) {
	if form == FormTMK {
		t, err := hashing.ParseTMK(b)
		if err == nil && t.Frames == 0 {
			err = fmt.Errorf("it is of a video without a frame")
		}
		return hashing.AlgorithmTMK, bytes.Clone(b), err
	}
	var v hashing.VPDQ
	var err error
	switch form {
	case FormVPDQ:
		v, err = hashing.ParseVPDQ(b)
	case FormVPDQJSON:
		v, err = hashing.ParseVPDQJSON(b)
	default:
		err = fmt.Errorf("this form is not known; there are %s, %s and %s", FormVPDQ, FormVPDQJSON, FormTMK)
	}
	if err == nil && len(v) == 0 {
		err = fmt.Errorf("it has no frame")
	}
	if err != nil {
		return "", nil, err
	}
	value, err := v.MarshalBinary()
	return hashing.AlgorithmVPDQ, value, err
}
