package index

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
)

// fuzzSpace is what fuzzed trays claim to be of.
var fuzzSpace = semblance.EngineSpec{Name: "fuzz", Version: 1, Dimensions: 3, Metric: semblance.Euclid}

// fuzzTray is a good tray to begin with.
func fuzzTray(n int) *tray {
	b := newBuilder(keyOf(fuzzSpace, "c"), 0)
	for i := range n {
		b.put(semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprint("id", i)), Vector: []float32{1, float32(i), -2}}, b.number(fmt.Sprint("subject", i/2)))
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
	f.Add(fuzzTray(0).image, true)
	f.Add([]byte("SMBLTRAY"), false)
	f.Fuzz(func(t *testing.T, image []byte, mend bool) {
		image = slices.Clone(image)
		if mend {
			image = mended(image)
		}
		tr, err := readTray(bytes.NewReader(image))
		if err != nil {
			return
		}
		s := &shelf{key: keyOf(fuzzSpace, "c"), version: 1}
		if s.append(tr, trayState{Sum: tr.sum()}) != nil {
			return
		}
		flat := NewFlat()
		defer flat.Close()
		flat.shelves[s.key] = s
		q := semblance.VectorQuery{Space: fuzzSpace, Collections: []semblance.CollectionID{"c"}, Vectors: [][]float32{{1, 2, 3}, {1, 0, 0}}, Subjects: 3}
		if _, err := flat.Search(context.Background(), q); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
		change := semblance.VectorChange{Remove: []semblance.ReferenceID{"id3"}, Add: []semblance.VectorEntry{{ID: "id4", Subject: "subject1", Vector: []float32{1, 1, 1}}}}
		if err := flat.Update(context.Background(), fuzzSpace, "c", 2, change); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
	})
}

// mended puts the checksums of an image right, as far as it looks like one.
func mended(image []byte) []byte {
	tr := &tray{image: aligned(len(image))}
	copy(tr.image, image)
	if len(image) < headerBytes {
		return image
	}
	good, err := readHeader(tr.image)
	if err != nil {
		return image
	}
	tr.header = good
	l, ok := tr.layout()
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
	flat, err := OpenFlat(dir, Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer flat.Close()
	if err := flat.Update(context.Background(), fuzzSpace, "c", 3, semblance.VectorChange{Add: []semblance.VectorEntry{{ID: "a", Subject: "b", Vector: []float32{1, 2, 3}}}}); err != nil {
		f.Fatal(err)
	}
	folder := flat.folder.of(keyOf(fuzzSpace, "c"))
	good, err := os.ReadFile(filepath.Join(folder, stateName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(stateHead + "{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		st, err := readState(content)
		if err == nil && (st.Version <= 0 || st.Dimensions <= 0) {
			t.Fatalf("%+v was taken", st)
		}
	})
}
