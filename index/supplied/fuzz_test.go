package supplied

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
)

// fuzzTray is a good tray to begin with.
func fuzzTray(n int) *tray {
	b := newBuilder(hashing.AlgorithmPhotoDNA)
	for i := range n {
		b.put(semblance.EntryID(i+1), bytes.Repeat([]byte{byte(i)}, 144))
	}
	return b.seal()
}

// FuzzTray opens files of an index that may be anything, also ones whose checksums were
// put right, and uses them: they are refused, or found damaged, or searched; nothing reaches
// beyond them.
func FuzzTray(f *testing.F) {
	good := fuzzTray(70)
	f.Add(good.image, false)
	f.Add(good.image, true)
	f.Add(fuzzTray(1).image, true)
	f.Add([]byte("SMBLSUPP"), false)
	f.Fuzz(func(t *testing.T, image []byte, mend bool) {
		image = slices.Clone(image)
		if mend {
			image = mended(image)
		}
		tr, err := readTray(bytes.NewReader(image), hashing.AlgorithmPhotoDNA)
		if err != nil {
			return
		}
		s := &shelf{collection: "c", version: 1}
		if s.append(tr, trayState{Sum: tr.sum()}) != nil {
			return
		}
		x := New()
		defer x.Close()
		x.shelves[s.collection] = s
		q := semblance.HashQuery{Algorithm: hashing.AlgorithmPhotoDNA, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{make([]byte, 144)}, Radius: 40000}
		if _, err := x.Search(context.Background(), q); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
		if err := x.Update(context.Background(), "c", 2, semblance.HashChange{Remove: []semblance.EntryID{3}}); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
		e := semblance.HashEntry{ID: 4, Algorithm: hashing.AlgorithmPhotoDNA, Value: make([]byte, 144)}
		if err := x.Update(context.Background(), "c", 3, semblance.HashChange{Add: []semblance.HashEntry{e}}); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
	})
}

// mended puts the checksums of an image right, as far as it looks like one.
func mended(image []byte) []byte {
	tr := &tray{algorithm: hashing.AlgorithmPhotoDNA, image: disk.Aligned(len(image))}
	copy(tr.image, image)
	if len(image) < headerBytes {
		return image
	}
	good, err := readHeader(tr.image)
	if err != nil {
		return image
	}
	tr.header = good
	l, ok := tr.layout(true)
	if !ok || len(image) != l.body+l.size {
		return image
	}
	tr.view(l)
	tr.stamp()
	return tr.image
}

// FuzzState reads state files that may be anything.
func FuzzState(f *testing.F) {
	dir := f.TempDir()
	x, err := Open(dir, Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer x.Close()
	e := semblance.HashEntry{ID: 4, Algorithm: hashing.AlgorithmPhotoDNA, Value: make([]byte, 144)}
	if err := x.Update(context.Background(), "c", 3, semblance.HashChange{Add: []semblance.HashEntry{e}}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(x.folder.of("c"), disk.StateName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("semblance supplied values 1 00000000\n{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		body, err := x.folder.ReadState(content)
		if err != nil {
			return
		}
		if st, err := readState(body); err == nil && st.Version <= 0 {
			t.Fatalf("%+v was taken", st)
		}
	})
}
