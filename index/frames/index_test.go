package frames_test

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/frames"
)

const collection = semblance.CollectionID("c")

// videos are what an index should hold: the truth by comparing with everything.
type videos map[semblance.EntryID]semblance.HashEntry

// film makes an entry: of every third a TMK, of the others a vPDQ whose frames are near
// those of a few scenes.
func film(t testing.TB, r *rand.Rand, id semblance.EntryID) semblance.HashEntry {
	t.Helper()
	h := semblance.HashEntry{ID: id, Collection: collection, Algorithm: hashing.AlgorithmVPDQ}
	var err error
	if id%3 == 0 {
		m, pix := hashing.NewTMKMaker(), make([]byte, 64*64)
		for i := range pix {
			pix[i] = byte(r.Uint32() >> (i % 16))
		}
		if err := m.Add(hashing.Pixels{Pix: pix, Width: 64, Height: 64, Stride: 64, Channels: 1}); err != nil {
			t.Fatal(err)
		}
		h.Algorithm = hashing.AlgorithmTMK
		h.Value, err = m.Finish().MarshalBinary()
	} else {
		var v hashing.VPDQ
		for i := range r.IntN(6) { // of 0 frames too
			v = append(v, hashing.VPDQFrame{Frame: i, Quality: 90, Hash: scene(r)})
		}
		h.Value, err = v.MarshalBinary()
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func scene(r *rand.Rand) (h hashing.PDQ) {
	n := byte(r.IntN(8))
	for i := range h {
		h[i] = n * byte(i)
	}
	for range r.IntN(20) {
		h[r.IntN(len(h))] ^= 1 << r.IntN(8)
	}
	return h
}

// near finds by comparing with everything.
func (v videos) near(q hashing.PDQ, radius int) map[semblance.EntryID]int {
	out := map[semblance.EntryID]int{}
	for id, h := range v {
		all, _ := hashing.ParseVPDQBinary(h.Value)
		for _, f := range all {
			d := 0
			for i := range q {
				d += bits.OnesCount8(q[i] ^ f.Hash[i])
			}
			if best, ok := out[id]; h.Algorithm == hashing.AlgorithmVPDQ && d <= radius && !hashing.IsTrivial(hashing.AlgorithmPDQ, f.Hash[:]) && (!ok || d < best) {
				out[id] = d
			}
		}
	}
	return out
}

// answers compares what an index says with the truth.
func answers(t testing.TB, x *frames.Index, v videos) error {
	held, err := x.Held(t.Context(), collection)
	if err != nil || held.Entries != int64(len(v)) {
		return errors.Join(err, fmt.Errorf("%d entries are held, not %d", held.Entries, len(v)))
	}
	r := rand.New(rand.NewPCG(7, 7))
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmVPDQ, Collections: []semblance.CollectionID{collection}, Radius: 31}
	var probes []hashing.PDQ
	for range 20 {
		probes = append(probes, scene(r))
		q.Values = append(q.Values, slices.Clone(probes[len(probes)-1][:]))
	}
	res, err := x.Search(t.Context(), q)
	if err != nil {
		return err
	}
	for i, list := range res {
		got := map[semblance.EntryID]int{}
		for _, n := range list {
			got[n.Entry] = n.Distance
		}
		if want := v.near(probes[i], 31); !maps.Equal(got, want) || len(list) != len(want) {
			return fmt.Errorf("near %s: %v, not %v", probes[i], list, want)
		}
	}
	for id, h := range v {
		if h.Algorithm != hashing.AlgorithmTMK {
			continue
		}
		tmk, err := hashing.ParseTMK(h.Value)
		if err != nil {
			return err
		}
		mean := tmk.Mean()
		ids, err := x.NearMeans(t.Context(), collection, &mean, 0.999)
		if err != nil {
			return err
		}
		if !slices.Contains(ids, id) || slices.ContainsFunc(ids, func(id semblance.EntryID) bool { return v[id].Algorithm != hashing.AlgorithmTMK }) {
			return fmt.Errorf("the means near entry %d: %v", id, ids)
		}
	}
	return nil
}

// step makes the n-th version: a replacement, or some videos more and some fewer.
func step(t testing.TB, x *frames.Index, r *rand.Rand, v videos, n int64) (videos, error) {
	t.Helper()
	next := maps.Clone(v)
	var c semblance.HashChange
	for _, id := range slices.Sorted(maps.Keys(v)) {
		if r.IntN(6) == 0 {
			c.Remove = append(c.Remove, id)
			delete(next, id)
		}
	}
	for i := range r.IntN(5) + 1 {
		h := film(t, r, semblance.EntryID(100*n)+semblance.EntryID(i))
		c.Add = append(c.Add, h)
		next[h.ID] = h
	}
	if n%7 != 1 {
		return next, x.Update(t.Context(), collection, n, c)
	}
	return next, x.Replace(t.Context(), collection, n, sequence(next))
}

func sequence(v videos) iter.Seq2[semblance.HashEntry, error] {
	return func(yield func(semblance.HashEntry, error) bool) {
		for _, id := range slices.Sorted(maps.Keys(v)) {
			if !yield(v[id], nil) {
				return
			}
		}
	}
}

func open(t testing.TB, folder string) *frames.Index {
	t.Helper()
	x, err := frames.Open(folder, index.Options{Note: func(format string, args ...any) { t.Logf("note: "+format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// history makes versions 1 to n.
func history(t testing.TB, x *frames.Index, n int64) []videos {
	t.Helper()
	r, all := rand.New(rand.NewPCG(3, 3)), []videos{{}}
	for i := range n {
		v, err := step(t, x, r, all[i], i+1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// Whatever is added and removed, in memory and in files that are opened again after each
// change, answers are those of comparing with everything.
func TestVideos(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"", t.TempDir()} {
		x, r, v := frames.New(), rand.New(rand.NewPCG(1, 2)), videos{}
		for n := range int64(25) {
			if folder != "" {
				x = open(t, folder)
			}
			var err error
			if v, err = step(t, x, r, v, n+1); err != nil {
				t.Fatal(err)
			}
			if err := answers(t, x, v); err != nil {
				t.Fatalf("version %d (%q): %v", n+1, folder, err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if folder == "" {
			continue
		}
		if n, err := frames.Check(folder); n != int64(len(v)) || err != nil {
			t.Errorf("Check: %d, %v", n, err)
		}
		x = open(t, folder)
		defer x.Close()
		if err := answers(t, x, v); err != nil {
			t.Error(err)
		}
		if err := x.Drop(t.Context(), collection); err != nil {
			t.Fatal(err)
		}
		_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				t.Errorf("%s is left", path)
			}
			return err
		})
	}
}

// A change that a crash breaks off is done, or not, or the collection is not held and is filled
// again.
func TestCrashes(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for at := 0; ; at++ {
		folder := t.TempDir()
		x := open(t, folder)
		all := history(t, x, 3)
		left := at
		frames.OnStep(x, func(string) error {
			if left--; left < 0 {
				return crash
			}
			return nil
		})
		next, err := step(t, x, rand.New(rand.NewPCG(9, 9)), all[3], 4)
		frames.OnStep(x, nil)
		if x.Close() != nil {
			t.Fatal(err)
		}
		x = open(t, folder)
		held, herr := x.Held(t.Context(), collection)
		switch held.Version {
		case 0:
			herr = errors.Join(herr, x.Replace(t.Context(), collection, 5, sequence(next)), answers(t, x, next))
		case 4:
			herr = errors.Join(herr, answers(t, x, next))
		default:
			t.Errorf("step %d: version %d is held beside frames of version 4", at, held.Version)
		}
		if herr != nil {
			t.Errorf("step %d: %v", at, herr)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if err == nil && left >= 0 {
			return
		}
	}
}

// A byte that is another one, or a file that is cut: the answers are right, or there are none.
func TestDamage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	x := open(t, folder)
	all := history(t, x, 6)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	var files []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string][]byte{}
	for _, path := range files {
		if whole[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range files {
		for i := range 24 {
			for p, content := range whole {
				if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b := slices.Clone(whole[path])
			at := i * len(b) / 24
			if b[at] ^= 0x10; i%5 == 4 {
				b = b[:at]
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			x := open(t, folder)
			held, err := x.Held(t.Context(), collection)
			if err != nil || held.Version != 0 && held.Version != 6 {
				t.Errorf("%s at %d: version %d, %v", filepath.Base(path), at, held.Version, err)
			} else if held.Version == 6 {
				if err := answers(t, x, all[6]); err != nil && semblance.CodeOf(err) != semblance.Internal {
					t.Errorf("%s at %d: %v", filepath.Base(path), at, err)
				}
			}
			if err := errors.Join(x.Replace(t.Context(), collection, 7, sequence(all[6])), answers(t, x, all[6]), x.Close()); err != nil {
				t.Errorf("%s at %d, made again: %v", filepath.Base(path), at, err)
			}
		}
	}
}

// A reel that is anything is read or damaged.
func FuzzReel(f *testing.F) {
	folder := f.TempDir()
	x := open(f, folder)
	history(f, x, 3)
	if err := x.Close(); err != nil {
		f.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "videos", "*", "*.reel"))
	if err != nil || len(paths) == 0 {
		f.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, image []byte) { _ = frames.ReadReel(image) })
}
