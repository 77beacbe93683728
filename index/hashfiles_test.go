package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/indextest"
)

// The whole contract on files.
func TestHashesContractInFiles(t *testing.T) {
	t.Parallel()
	indextest.HashIndex(t, func(t *testing.T) semblance.HashIndex { return openHashes(t, t.TempDir()) })
}

func openHashes(t testing.TB, folder string) *index.Hashes {
	t.Helper()
	h, err := index.OpenHashes(folder, index.Options{Note: func(format string, args ...any) { t.Logf("note: "+format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// A hashContent is what a version of the collection "c" holds.
type hashContent map[semblance.EntryID]semblance.HashEntry

func (c hashContent) change(ch semblance.HashChange) hashContent {
	out := hashContent{}
	for id, e := range c {
		out[id] = e
	}
	for _, id := range ch.Remove {
		delete(out, id)
	}
	for _, e := range ch.Add {
		out[e.ID] = e
	}
	return out
}

// someHashes makes n entries, now and then with an ID that is there, of few algorithms.
func someHashes(r *rand.Rand, n, first int) []semblance.HashEntry {
	var out []semblance.HashEntry
	for i := range n {
		a := []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmPDQ, hashing.AlgorithmMD5}[r.IntN(3)]
		v := random(r, a.Bits()/8)
		if r.IntN(4) == 0 {
			clear(v[1:])
		}
		e := semblance.HashEntry{ID: semblance.EntryID(first + i), Algorithm: a, Value: v}
		if r.IntN(5) == 0 {
			e.ID = semblance.EntryID(r.IntN(first + n))
		}
		out = append(out, e)
	}
	return out
}

// answersHashes demands that the index gives the definition's answers of a content.
func answersHashes(h *index.Hashes, want hashContent) error {
	held, err := h.Held(context.Background(), "c")
	if err != nil || held.Entries != int64(len(want)) {
		return fmt.Errorf("%+v held, want %d entries: %w", held, len(want), err)
	}
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmMD5} {
		q := semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{make([]byte, a.Bits()/8)}}
		for id, e := range want {
			if e.Algorithm == a && int(id)%(1+len(want)/60) == 0 {
				q.Values = append(q.Values, e.Value)
			}
		}
		if a == hashing.AlgorithmPDQ {
			q.Radius = 31
		}
		got, err := h.Search(context.Background(), q)
		if err != nil {
			return err
		}
		for i, v := range q.Values {
			if want := nearEntries(want, a, v, q.Radius); !slices.Equal(got[i], want) {
				return fmt.Errorf("%s %x:\n got %v\nwant %v", a, v, got[i], want)
			}
		}
	}
	return nil
}

// nearEntries is the definition.
func nearEntries(c hashContent, a hashing.Algorithm, v []byte, radius int) []semblance.HashNeighbor {
	var out []semblance.HashNeighbor
	for _, e := range c {
		if e.Algorithm == a && hamming(e.Value, v) <= radius {
			out = append(out, semblance.HashNeighbor{Entry: e.ID, Collection: "c", Distance: hamming(e.Value, v)})
		}
	}
	slices.SortFunc(out, func(a, b semblance.HashNeighbor) int {
		if a.Distance != b.Distance {
			return a.Distance - b.Distance
		}
		return int(a.Entry - b.Entry)
	})
	return out
}

func heldVersion(t testing.TB, h *index.Hashes) int64 {
	t.Helper()
	held, err := h.Held(context.Background(), "c")
	if err != nil {
		t.Fatal(err)
	}
	return held.Version
}

// hashHistory changes a collection a few times and returns what each version holds. It stops
// at the first error. The first version has n entries.
func hashHistory(h *index.Hashes, versions int64, n int) (map[int64]hashContent, error) {
	r := rand.New(rand.NewPCG(1, 9))
	held := map[int64]hashContent{0: nil}
	first := someHashes(r, n, 0)
	held[1] = hashContent{}.change(semblance.HashChange{Add: first})
	err := h.Replace(context.Background(), "c", 1, func(yield func(semblance.HashEntry, error) bool) {
		for _, e := range first {
			if !yield(e, nil) {
				return
			}
		}
	})
	for v := int64(2); v <= versions && err == nil; v++ {
		ch := semblance.HashChange{Add: someHashes(r, r.IntN(12), n*int(v))}
		for range r.IntN(20) {
			ch.Remove = append(ch.Remove, semblance.EntryID(r.IntN(n*int(v))))
		}
		held[v] = held[v-1].change(ch)
		err = h.Update(context.Background(), "c", v, ch)
	}
	return held, err
}

func TestHashesAreThereAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "index", "hashes")
	h := openHashes(t, folder)
	held, err := hashHistory(h, 25, 80)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h = openHashes(t, folder)
		if v := heldVersion(t, h); v != 25 {
			t.Fatalf("version %d is there again, want 25", v)
		}
		if err := answersHashes(h, held[25]); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	h = openHashes(t, folder) // and goes on
	ch := semblance.HashChange{Remove: []semblance.EntryID{0, 1, 2, 3}, Add: someHashes(rand.New(rand.NewPCG(5, 5)), 5, 1e6)}
	if err := h.Update(t.Context(), "c", 26, ch); err != nil {
		t.Fatal(err)
	}
	if err := answersHashes(h, held[25].change(ch)); err != nil {
		t.Fatal(err)
	}
}

// A segment with slots is read from its file, checked as it is read, by every kernel.
func TestHashesWithSlotsInFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r := rand.New(rand.NewPCG(8, 8))
	var values [][]byte
	for range 20_000 {
		v := random(r, 32)
		if r.IntN(3) == 0 && len(values) > 0 {
			v = turn(r, values[r.IntN(len(values))], r.IntN(33))
		}
		values = append(values, v)
	}
	h := openHashes(t, folder)
	if err := h.Replace(t.Context(), "c", 1, eachValue(hashing.AlgorithmPDQ, values)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for lanes, kernel := range index.HashKernels() {
		h = openHashes(t, folder)
		index.SetHashKernel(h, kernel, 1+lanes)
		for _, radius := range []int{0, 31, 53, 100} {
			compare(t, h, hashing.AlgorithmPDQ, values, radius, values[:20]...)
		}
	}
}

// Nobody else reads the files, and Drop leaves none.
func TestHashesFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	h := openHashes(t, folder)
	if _, err := hashHistory(h, 3, 80); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && path != folder && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	index.Merged(h)
	if err := h.Drop(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("after drop there are %v, %v", left, err)
	}
}

// Segments are merged and what is gone is written out, while the answers stay.
func TestHashesMerge(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*index.Hashes{"memory": index.NewHashes(), "files": openHashes(t, t.TempDir())} {
		held, err := hashHistory(h, 60, 80)
		if err != nil {
			t.Fatal(err)
		}
		index.Merged(h)
		segments, rows := index.Segments(h, "c")
		if rows > 4*len(held[60])/3 || segments > 16 {
			t.Errorf("%s: %d rows in %d segments hold %d entries", name, rows, segments, len(held[60]))
		}
		if err := answersHashes(h, held[60]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Wherever the power goes during a history of changes, what is there again is the state
// before or after the change under way, and it can go on from there.
func TestHashesCrash(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		folder := t.TempDir()
		h := openHashes(t, folder)
		var steps atomic.Int64 // merging is a goroutine of its own
		index.SetHashStep(h, func(string) error {
			if steps.Add(1) > int64(at) {
				return errCrash // nothing reaches the disk any more
			}
			return nil
		})
		held, err := hashHistory(h, 8, 80)
		index.Merged(h)
		if err == nil && steps.Load() <= int64(at) {
			if at < 20 {
				t.Fatalf("a history of 8 changes has %d steps only", at)
			}
			return
		}
		again := openHashes(t, folder)
		v := heldVersion(t, again)
		last := int64(len(held) - 1)
		if v > last || v < last-1 {
			t.Fatalf("crash at step %d: version %d is there again, the change under way was %d", at, v, last)
		}
		if v > 0 {
			if err := answersHashes(again, held[v]); err != nil {
				t.Fatalf("crash at step %d, version %d: %v", at, v, err)
			}
		}
		if _, err := hashHistory(again, 3, 80); err != nil {
			t.Fatalf("crash at step %d: does not go on: %v", at, err)
		}
	}
}

// Files that were cut off or altered anywhere are not held, or found out when they
// are read: there is never another answer.
func TestHashesDamage(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"flat": 300, "slots": 7000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := t.TempDir()
			h := openHashes(t, whole)
			held, err := hashHistory(h, 4, n)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(whole, "*", "*"))
			if err != nil || len(files) < 3 {
				t.Fatal(files, err)
			}
			some := hashContent{}
			for id, e := range held[4] {
				if id%semblance.EntryID(1+n/100) == 0 {
					some[id] = e
				}
			}
			refused := 0
			for _, file := range files {
				good, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for at := 0; at < len(good); at += 1 + len(good)/29 {
					flipped := slices.Clone(good)
					flipped[at] ^= 1 << (at % 8)
					for what, bad := range map[string][]byte{"cut": good[:at], "flipped": flipped, "longer": append(bytes.Clone(good), 0)} {
						if damagedHashes(t, whole, file, bad, held[4], some) {
							refused++
						} else if what != "flipped" {
							t.Errorf("%s of %s at %d was not found out", what, filepath.Base(file), at)
						}
					}
				}
			}
			if refused < 100 {
				t.Errorf("only %d damages were found out", refused)
			}
		})
	}
}

// damagedHashes reports whether an index finds out that one of its files is bad. If it
// does not, the answers must be right; some are searched for.
func damagedHashes(t *testing.T, whole, file string, bad []byte, want, some hashContent) bool {
	t.Helper()
	folder := t.TempDir()
	defer os.RemoveAll(folder)
	if err := os.CopyFS(folder, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(whole, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, rel), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := index.OpenHashes(folder, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if heldVersion(t, h) == 0 {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("damaged files are left: %v, %v", left, err)
		}
		return true
	}
	for _, a := range []hashing.Algorithm{hashing.AlgorithmPDQ, hashing.AlgorithmMD5} {
		q := semblance.HashQuery{Algorithm: a, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{make([]byte, a.Bits()/8)}}
		for _, e := range some {
			if e.Algorithm == a {
				q.Values = append(q.Values, e.Value)
			}
		}
		if a == hashing.AlgorithmPDQ {
			q.Radius = 31
		}
		got, err := h.Search(t.Context(), q)
		if err != nil {
			if semblance.CodeOf(err) != semblance.Internal || semblance.HintOf(err) == "" {
				t.Fatalf("another answer instead of an error: %v", err)
			}
			if v := heldVersion(t, h); v != 0 {
				t.Fatalf("after damage was met, version %d is still held", v)
			}
			return true
		}
		for i, v := range q.Values[:min(5, len(q.Values))] {
			if near := nearEntries(want, a, v, q.Radius); !slices.Equal(got[i], near) {
				t.Fatalf("damage at %s was answered with %v, want %v", rel, got[i], near)
			}
		}
	}
	return false // the damage is where no answer comes from
}

// A check reads everything and changes nothing.
func TestCheckHashes(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if n, err := index.CheckHashes(filepath.Join(folder, "not there")); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	h := openHashes(t, folder)
	held, err := hashHistory(h, 3, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := index.CheckHashes(folder); n != int64(len(held[3])) || err != nil {
		t.Fatalf("%d entries, %v, want %d", n, err, len(held[3]))
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "*"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 4
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := index.CheckHashes(folder); err == nil {
			t.Errorf("%s is damaged in the middle, and nothing was said", filepath.Base(file))
		}
		if left, err := os.ReadFile(file); err != nil || !bytes.Equal(left, bad) {
			t.Errorf("the check changed %s, %v", file, err)
		}
		if err := os.WriteFile(file, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that is cut off while it is mapped is an error, not the end of the program.
func TestHashesFileCutWhileOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	h := openHashes(t, folder)
	if _, err := hashHistory(h, 2, 6000); err != nil {
		t.Fatal(err)
	}
	index.Merged(h)
	segments, err := filepath.Glob(filepath.Join(folder, "*", "*.segment"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, s := range segments {
		if err := os.Truncate(s, 0); err != nil {
			t.Fatal(err)
		}
	}
	q := semblance.HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []semblance.CollectionID{"c"}, Values: [][]byte{make([]byte, 32)}, Radius: 31}
	if _, err := h.Search(t.Context(), q); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("a search of files that are gone gave %v", err)
	}
	if v := heldVersion(t, h); v != 0 {
		t.Errorf("version %d is still held", v)
	}
	held, err := hashHistory(h, 2, 80)
	if err != nil {
		t.Fatal(err)
	}
	if err := answersHashes(h, held[2]); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full is an error that says so, and the old state stays in use.
func TestHashesDiskFull(t *testing.T) {
	t.Parallel()
	h := openHashes(t, t.TempDir())
	held, err := hashHistory(h, 4, 80)
	if err != nil {
		t.Fatal(err)
	}
	index.Merged(h)
	index.SetHashStep(h, func(what string) error {
		if what == "write" {
			return errors.New("no space left on device")
		}
		return nil
	})
	err = h.Update(t.Context(), "c", 5, semblance.HashChange{Add: someHashes(rand.New(rand.NewPCG(1, 1)), 3, 1e6)})
	if semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
		t.Fatalf("a full disk gave %v", err)
	}
	if v := heldVersion(t, h); v != 4 {
		t.Errorf("version %d is held, want 4", v)
	}
	if err := answersHashes(h, held[4]); err != nil {
		t.Error(err)
	}
}

// An older copy of the store may give a version number to other content: what was
// made from a history that is not the store's is not held.
func TestHashesOfAnotherStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	mark := "3 events, ending in abc"
	o := index.Options{
		Mark:  func() (string, error) { return mark, nil },
		Known: func(m string) (bool, error) { return m == "3 events, ending in abc", nil },
	}
	for _, want := range []int64{2, 0} {
		h, err := index.OpenHashes(folder, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := hashHistory(h, 2, 80); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if h, err = index.OpenHashes(folder, o); err != nil {
			t.Fatal(err)
		}
		if v := heldVersion(t, h); v != want {
			t.Fatalf("version %d is held under the mark %q, want %d", v, mark, want)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		mark = "4 events, ending in def"
	}
}

// Files of another format are not held, and made again.
func TestHashesOfAnotherFormat(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	h := openHashes(t, folder)
	if _, err := hashHistory(h, 2, 80); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	states, err := filepath.Glob(filepath.Join(folder, "*", "state"))
	if err != nil || len(states) != 1 {
		t.Fatal(states, err)
	}
	good, err := os.ReadFile(states[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(good, []byte("semblance hashes 1 ")) {
		t.Fatalf("the state begins with %q", good[:20])
	}
	if err := os.WriteFile(states[0], bytes.Replace(good, []byte("hashes 1 "), []byte("hashes 9 "), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	h = openHashes(t, folder)
	if v := heldVersion(t, h); v != 0 {
		t.Fatalf("version %d of another format is held", v)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("files of another format are left: %v, %v", left, err)
	}
}
