//go:build cgo && native

package main

import (
	"os"

	"semblance"
	"semblance/containers"
	"semblance/media"
	"semblance/worker"
)

// openContainer opens a container with the formats of package containers.
func openContainer(parts []worker.Part, o semblance.ContainerOptions, progress func(done, total int64)) (worker.ContainerReader, error) {
	own := make([]containers.Part, len(parts))
	for i, p := range parts {
		own[i] = containers.Part{Name: p.Name, R: &watched{p.File, progress}, Size: p.Size}
	}
	r, err := containers.Open(own, containers.Options{ContainerOptions: o, Progress: progress, MotionVideo: media.MotionVideo, SequenceFilm: media.SequenceFilm})
	if r == nil || err != nil {
		return nil, err // not a nil Reader in an interface that is not nil
	}
	return r, nil
}

// isContainer reports whether openContainer would open a file.
func isContainer(p worker.Part) (bool, error) {
	format, err := containers.Sniff(containers.Part{Name: p.Name, R: p.File, Size: p.Size})
	return format != "", err
}

// A watched file tells the parent with every read that the child is at work: to skip over
// an entry of a solid archive can take minutes.
type watched struct {
	*os.File
	progress func(done, total int64)
}

func (w *watched) ReadAt(b []byte, off int64) (int, error) {
	w.progress(off, 0)
	return w.File.ReadAt(b, off)
}
