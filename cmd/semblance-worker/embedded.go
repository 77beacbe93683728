//go:build cgo && native

package main

import (
	"bytes"

	"semblance"
	"semblance/media"
)

// embeddedPixels bounds an embedded picture: EXIF's have some 20,000 pixels, and previews
// of a megapixel there are.
const embeddedPixels = 4_000_000

// embedded hashes the pictures within the metadata. What is wrong with one of them is its
// Reason, and never fails the file.
func (a *analysis) embedded(p semblance.Picture, list []semblance.EmbeddedPicture) {
	if len(a.req.Hashes) == 0 {
		return
	}
	for i := range list {
		if err := a.hashEmbedded(p.Embedded(i), &list[i]); err != nil {
			list[i].Hashes, list[i].Reason = nil, err.Error()
		}
	}
}

func (a *analysis) hashEmbedded(data []byte, e *semblance.EmbeddedPicture) error {
	limits := a.req.Limits
	limits.Pixels, limits.Frames = min(limits.Pixels, embeddedPixels), 1
	if t := media.Sniff(data[:min(len(data), media.SniffLen)]); t != "image/jpeg" {
		return semblance.Errorf(semblance.MediaUnsupported, "it is not a JPEG, but %s", t)
	}
	p, err := media.OpenReader(bytes.NewReader(data), int64(len(data)), limits, media.Options{})
	if err != nil {
		return err
	}
	defer p.Close()
	for f, err := range p.Frames() {
		if err != nil {
			return err
		}
		e.Width, e.Height = f.Width, f.Height
		if err := a.addHashes(&e.Hashes, f); err != nil {
			return err
		}
		if inner := media.WithoutBars(f); inner != nil {
			inner.Index = 1
			if err := a.addHashes(&e.Hashes, inner); err != nil {
				return err
			}
		}
	}
	e.Reason = p.Describe().Partial
	return nil
}
