package scan

import (
	"context"
	"io"

	"semblance/hashing"
)

// SetDigest has files digested by f, so that a test can change one meanwhile.
func (s *Scanner) SetDigest(f func(context.Context, io.Reader) (hashing.Digests, error)) {
	s.digest = f
}

// Escape is how a file's name is recorded.
func Escape(name string) string { return escape(name) }

// EntryName is how the name of an entry is recorded.
func EntryName(name []byte) string { return entryName(name) }

// SetFree sets what a container may hold whatever its size.
func (s *Scanner) SetFree(n int64) { s.free = n }

// Segments and LaterSegment tell the files of one container.
func Segments(path string, exists func(string) bool) (more, missing []string) {
	return segments(path, exists)
}

// LaterSegment reports whether a file belongs to another.
func LaterSegment(path string, exists func(string) bool) bool { return laterSegment(path, exists) }
