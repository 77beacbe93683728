package digestset_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"semblance"
	"semblance/index/digestset"
)

// Whatever a file holds, it is refused or read; nothing crashes.
func FuzzSetFile(f *testing.F) {
	dir := f.TempDir()
	l := openLibrary(f, dir)
	for _, n := range []int{1, 200} {
		s := build(f, l, &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(6, 6)), n, n > 1)})
		for _, file := range s.Files {
			b, err := os.ReadFile(filepath.Join(dir, string(s.ID), string(file.Algorithm)+".digests"))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, bytes.Repeat([]byte("abcdefgh"), 20))
		}
	}
	f.Fuzz(func(_ *testing.T, image, values []byte) {
		_ = digestset.ReadImage(image, values)
		if digestset.Mend(image) { // past the checksums
			_ = digestset.ReadImage(image, values)
		}
	})
}

// Whatever a journal holds, what is taken of it is no longer than it is.
func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	l := openLibrary(f, dir)
	digestset.SetRunRecords(l, 10)
	src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(6, 6)), 60, false)}
	s, err := l.BuildSet(f.Context(), semblance.DigestSet{Collection: "c"}, src, nil)
	if err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, string(s.ID), "journal"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if set, n := digestset.ParseJournal(b); set != nil && (n <= 0 || n > int64(len(b)) || len(set.Sources) != 1) {
			t.Fatal(n, set)
		}
	})
}
