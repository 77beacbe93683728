//go:build cgo && native

package main

import (
	"fmt"
	"io"
	"os"

	"semblance"
	"semblance/containers"
	"semblance/media"
	"semblance/worker"
)

// openContainer opens a container with the formats of package containers.
func openContainer(parts []worker.Part, o semblance.ContainerOptions, progress func(done, total int64)) (worker.ContainerReader, error) {
	if o.Sound {
		return openSound(parts)
	}
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

// openSound opens a file for its audio streams.
func openSound(parts []worker.Part) (worker.ContainerReader, error) {
	a, err := media.CountSound(parts[0].File)
	if err != nil {
		return nil, err
	}
	return &soundTracks{file: parts[0].File, left: a}, nil
}

// soundTracks are the audio streams of a file, each an entry.
type soundTracks struct {
	file       *os.File
	left, next int
	open       *media.SoundCopy
}

// Next implements worker.ContainerReader.
func (s *soundTracks) Next() (semblance.Entry, error) {
	if s.next == s.left {
		return semblance.Entry{}, io.EOF
	}
	s.next++
	return semblance.Entry{Name: fmt.Appendf(nil, "audio %d.mka", s.next), Kind: semblance.EntryFile, Size: -1, Offset: -1}, nil
}

// Open implements worker.ContainerReader.
func (s *soundTracks) Open() (io.Reader, error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	var err error
	s.open, err = media.CopySound(s.file, s.next-1)
	if err != nil {
		s.open = nil
		return nil, err
	}
	return s.open, nil
}

// Facts implements worker.ContainerReader.
func (s *soundTracks) Facts() semblance.ContainerFacts {
	return semblance.ContainerFacts{Format: "sound"}
}

// Close implements worker.ContainerReader.
func (s *soundTracks) Close() error {
	if s.open == nil {
		return nil
	}
	open := s.open
	s.open = nil
	return open.Close()
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
