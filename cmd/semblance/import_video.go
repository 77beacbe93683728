package main

import (
	"context"
	"io"
	"path/filepath"

	"semblance"
)

var videoForms = []semblance.VideoForm{semblance.FormVPDQ, semblance.FormVPDQJSON, semblance.FormTMK}

func (e *env) importVideo(ctx context.Context, p *program, o importOrder) error {
	if o.set || o.entries {
		return semblance.Errorf(semblance.Invalid, "--set and --entries are for lists of hashes, not for %s", o.format)
	}
	var r io.Reader = e.stdin(ctx)
	source := "standard input"
	if o.path != "-" {
		f, err := e.open(o.path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, source = f, filepath.Base(o.path)
	}
	n, err := p.engine.ImportVideo(ctx, e.who(), o.collection, source, semblance.VideoForm(o.format), r)
	if err != nil {
		return err
	}
	if e.json {
		return e.emit(semblance.ImportResult{Lines: 1, Added: n, Duplicate: 1 - n})
	}
	e.say("%s: the signal of a video, %d added, %d there already", o.collection, n, 1-n)
	return nil
}
