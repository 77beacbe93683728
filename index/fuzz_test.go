package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index/disk"
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
		mapped := disk.Aligned(len(image))
		copy(mapped, image)
		tr, err := openTray(mapped)
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
	tr := &tray{pages: pages{image: disk.Aligned(len(image))}}
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
	if body, _ := bodyAt(l.size); !ok || len(image) != body+l.size {
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
	good, err := os.ReadFile(filepath.Join(folder, disk.StateName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("semblance vectors 1 00000000\n{}"))
	f.Fuzz(func(t *testing.T, content []byte) {
		body, err := flat.folder.ReadState(content)
		if err != nil {
			return
		}
		st, err := readShelfState(body)
		if err == nil && (st.Version <= 0 || st.Dimensions <= 0) {
			t.Fatalf("%+v was taken", st)
		}
	})
}

// fuzzSegment is a good segment to begin with, of n values with two entries each. It is small, and has
// slots if those are asked for.
func fuzzSegment(t testing.TB, a hashing.Algorithm, n, slots int) *segment {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	var rows []row
	for i := range n {
		v := make([]byte, a.Bits()/8)
		for j := range v {
			v[j] = byte(r.Uint32())
		}
		rows = append(rows, row{loadWords(v), int64(i)}, row{loadWords(v), int64(i + 100_000)})
	}
	source := sortRows(rows)
	h := measure(source())
	h.shape(a, false)
	if slots > 0 {
		h.Slots, h.SlotBits = uint32(slots), 8
	}
	l, ok := h.layout()
	if !ok {
		t.Fatalf("%+v has no layout", h)
	}
	body, _ := bodyAt(l.size)
	s, err := (&scribe{files: &disk.Folder{}, lanes: 1}).fill(disk.Aligned(body+l.size), h, l, source)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzSegment opens files of an index that may be anything, also ones whose checksums were
// put right, and uses them: they are refused, or found damaged, or searched; nothing reaches
// beyond them.
func FuzzSegment(f *testing.F) {
	f.Add(fuzzSegment(f, hashing.AlgorithmPDQ, 20, 0).image, false)
	f.Add(fuzzSegment(f, hashing.AlgorithmPDQ, 70, 5).image, true)
	f.Add(fuzzSegment(f, hashing.AlgorithmDHash, 70, 4).image, true)
	f.Add(fuzzSegment(f, hashing.AlgorithmSHA1, 30, 0).image, true)
	f.Add([]byte("SMBLHASH"), false)
	f.Fuzz(func(t *testing.T, image []byte, mend bool) {
		mapped := disk.Aligned(len(image))
		copy(mapped, image)
		if mend {
			mendSegment(mapped)
		}
		s, err := openSegment(mapped)
		if err != nil {
			return
		}
		c := &catalog{collection: "c", version: 1}
		if c.append(s, segmentState{Sum: s.sum()}) != nil {
			return
		}
		h := NewHashes()
		defer h.Close()
		h.held["c"] = c
		radii := []int{0}
		if !s.algorithm.IsDigest() {
			radii = []int{0, 5, 31, 60}
		}
		for _, radius := range radii {
			q := semblance.HashQuery{Algorithm: s.algorithm, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{make([]byte, s.algorithm.Bits()/8)}, Radius: radius}
			if s.Values > 0 {
				w := s.raw(int(s.Values / 2))
				q.Values = append(q.Values, make([]byte, s.algorithm.Bits()/8))
				w.put(q.Values[1])
			}
			if _, err := h.Search(context.Background(), q); err != nil && semblance.CodeOf(err) != semblance.Internal {
				t.Fatal(err)
			}
			if h.catalog("c") == nil {
				h.held["c"] = c
			}
		}
		change := semblance.HashChange{Remove: []semblance.EntryID{3, 4}, Add: []semblance.HashEntry{{ID: 4, Algorithm: s.algorithm, Value: make([]byte, s.algorithm.Bits()/8)}}}
		if err := h.Update(context.Background(), "c", 2, change); err != nil && semblance.CodeOf(err) != semblance.Internal {
			t.Fatal(err)
		}
	})
}

// mendSegment puts the checksums of an image right, as far as it looks like one.
func mendSegment(image []byte) {
	if len(image) < headerBytes {
		return
	}
	s := &segment{pages: pages{image: image}}
	if _, err := binary.Decode(image[:headerBytes], binary.NativeEndian, &s.segmentHeader); err != nil {
		return
	}
	l, ok := s.layout()
	if body, _ := bodyAt(l.size); !ok || len(image) != body+l.size {
		return
	}
	s.view(l)
	s.Sums = s.stampBody()
	s.stampHeader(&s.segmentHeader)
}

// FuzzCatalogState reads state files that may be anything.
func FuzzCatalogState(f *testing.F) {
	d := newCatalogFolder()
	f.Add([]byte("semblance hashes 1 00000000\n{}"))
	body := []byte(`{"collection":"c","version":3,"segments":[{"file":"A.segment","sum":1,"gone":"AQI="}]}`)
	f.Add(append(fmt.Appendf(nil, "semblance hashes 1 %08x\n", crc32.Checksum(body, disk.Castagnoli)), body...))
	f.Fuzz(func(t *testing.T, content []byte) {
		body, err := d.ReadState(content)
		if err != nil {
			return
		}
		st, err := readCatalogState(body)
		if err != nil {
			return
		}
		for _, s := range st.Segments {
			if set, err := unpackRows(s.Gone, 100); err == nil && set.len() > 100 {
				t.Fatalf("%d rows of 100", set.len())
			}
		}
	})
}
