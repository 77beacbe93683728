package containers

import (
	"os"
	"slices"
	"testing"
)

// BenchmarkVerify reads an E01 of a program, as compressed as usual, and makes its MD5 and
// SHA-1.
func BenchmarkVerify(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	e, err := newEWF(readParts(b, acquire(b, content[:len(content)&^511], "-f", "encase6", "-c", "fast", "-d", "sha1")), quiet)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(e.Size())
	for b.Loop() {
		if notes, differs := verify(e, e.stored, quiet); len(differs) != 2 || slices.Contains(differs, true) {
			b.Fatal(notes)
		}
	}
}
