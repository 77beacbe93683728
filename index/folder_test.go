package index_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"semblance"
	"semblance/index"
	"semblance/index/indextest"
)

// The whole contract on files.
func TestFlatContractInFiles(t *testing.T) {
	t.Parallel()
	indextest.Vectors(t, func(t *testing.T) semblance.VectorIndex { return openFlat(t, t.TempDir()) })
}

func openFlat(t testing.TB, folder string) *index.Flat {
	t.Helper()
	f, err := index.OpenFlat(folder, index.Options{Note: func(format string, args ...any) { t.Logf("note: "+format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

var filesSpace = semblance.EngineSpec{Name: "files", Version: 1, Dimensions: 20, Metric: semblance.Euclid}

// A content is what a version of the collection "c" holds.
type content map[semblance.ReferenceID]semblance.VectorEntry

func (c content) entries() []semblance.VectorEntry {
	var out []semblance.VectorEntry
	for _, e := range c {
		out = append(out, e)
	}
	return out
}

func (c content) change(ch semblance.VectorChange) content {
	out := content{}
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

// someEntries makes n entries of IDs from a small range, so that changes meet.
func someEntries(r *rand.Rand, n int) []semblance.VectorEntry {
	var out []semblance.VectorEntry
	for range n {
		v := direction(r, nil, filesSpace.Dimensions, 1)
		out = append(out, semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%03d", r.IntN(300))), Subject: fmt.Sprint("subject ", r.IntN(60)), Vector: v, Captured: int32(r.IntN(3))})
	}
	return out
}

// answers demands that the index gives the definition's answers of a content.
func answers(t testing.TB, f *index.Flat, want content) error {
	r := rand.New(rand.NewPCG(3, 3))
	q := semblance.VectorQuery{Space: filesSpace, Collections: []semblance.CollectionID{"c"}, Subjects: 9}
	for range 4 {
		q.Vectors = append(q.Vectors, direction(r, nil, filesSpace.Dimensions, 1))
	}
	got, err := f.Search(context.Background(), q)
	if err != nil {
		return err
	}
	for i, v := range q.Vectors {
		if want := nearest(filesSpace.Metric, want.entries(), v, 9); !slices.Equal(got[i], want) {
			return fmt.Errorf("query %d:\n got %v\nwant %v", i, got[i], want)
		}
	}
	return nil
}

func version(t testing.TB, f *index.Flat) int64 {
	t.Helper()
	v, err := f.Version(context.Background(), filesSpace, "c")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// history changes a collection a few times and returns what each version holds. It stops
// at the first error.
func history(f *index.Flat, versions int64) (map[int64]content, error) {
	r := rand.New(rand.NewPCG(1, 9))
	held := map[int64]content{0: nil}
	first := content{}.change(semblance.VectorChange{Add: someEntries(r, 80)})
	held[1] = first
	err := f.Replace(context.Background(), filesSpace, "c", 1, func(yield func(semblance.VectorEntry, error) bool) {
		for _, e := range first {
			if !yield(e, nil) {
				return
			}
		}
	})
	for v := int64(2); v <= versions && err == nil; v++ {
		ch := semblance.VectorChange{Add: someEntries(r, r.IntN(12))}
		for _, e := range someEntries(r, r.IntN(30)) {
			ch.Remove = append(ch.Remove, e.ID)
		}
		held[v] = held[v-1].change(ch)
		err = f.Update(context.Background(), filesSpace, "c", v, ch)
	}
	return held, err
}

func TestFlatIsThereAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "index", "vectors")
	f := openFlat(t, folder)
	held, err := history(f, 25)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f = openFlat(t, folder)
		if v := version(t, f); v != 25 {
			t.Fatalf("version %d is there again, want 25", v)
		}
		if err := answers(t, f, held[25]); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f = openFlat(t, folder) // and goes on
	ch := semblance.VectorChange{Remove: []semblance.ReferenceID{held[25].entries()[0].ID}, Add: someEntries(rand.New(rand.NewPCG(5, 5)), 5)}
	if err := f.Update(t.Context(), filesSpace, "c", 26, ch); err != nil {
		t.Fatal(err)
	}
	if err := answers(t, f, held[25].change(ch)); err != nil {
		t.Fatal(err)
	}
}

// Nobody else reads the files, what was removed is not in them, and Drop leaves none.
func TestFlatFilesKeepNoSecrets(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f := openFlat(t, folder)
	if _, err := history(f, 3); err != nil {
		t.Fatal(err)
	}
	secret := semblance.VectorEntry{ID: "removed-reference", Subject: "Removed Subject", Vector: direction(rand.New(rand.NewPCG(7, 7)), nil, filesSpace.Dimensions, 1)}
	other := semblance.VectorEntry{ID: "another", Subject: "Another", Vector: secret.Vector}
	for v, ch := range []semblance.VectorChange{{Add: []semblance.VectorEntry{secret, other}}, {Remove: []semblance.ReferenceID{secret.ID}}} {
		if err := f.Update(t.Context(), filesSpace, "c", int64(4+v), ch); err != nil {
			t.Fatal(err)
		}
	}
	index.Tidy(f)
	if contains(t, folder, "removed-reference") || contains(t, folder, "Removed Subject") {
		t.Error("a removed reference is still in the files")
	}
	if !contains(t, folder, "Another") {
		t.Error("the test does not look where names are")
	}
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		info, err2 := e.Info()
		if err != nil || err2 != nil {
			return errors.Join(err, err2)
		}
		if path != folder && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Drop(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("after drop there are %v, %v", left, err)
	}
}

// contains reports whether a file below a folder has a text.
func contains(t *testing.T, folder, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || strings.Contains(string(b), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Trays are merged and what is gone is written out, while the answers stay.
func TestFlatTidies(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*index.Flat{"memory": index.NewFlat(), "files": openFlat(t, t.TempDir())} {
		held, err := history(f, 60)
		if err != nil {
			t.Fatal(err)
		}
		index.Tidy(f)
		trays, rows := index.Trays(f, filesSpace, "c")
		if rows != len(held[60]) || trays > 7 {
			t.Errorf("%s: %d rows in %d trays hold %d references", name, rows, trays, len(held[60]))
		}
		if err := answers(t, f, held[60]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var errCrash = errors.New("the power went")

// Wherever the power goes during a history of changes, what is there again is the state
// before or after the change under way, and it can go on from there.
func TestFlatCrash(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		folder := t.TempDir()
		f := openFlat(t, folder)
		var steps atomic.Int64 // tidying is a goroutine of its own
		index.SetStep(f, func(string) error {
			if steps.Add(1) > int64(at) {
				return errCrash // nothing reaches the disk any more
			}
			return nil
		})
		held, err := history(f, 8)
		index.Tidy(f)
		if err == nil && steps.Load() <= int64(at) {
			if at < 20 {
				t.Fatalf("a history of 8 changes has %d steps only", at)
			}
			return
		}
		again := openFlat(t, folder)
		v := version(t, again)
		last := int64(len(held) - 1)
		if v > last || v < last-1 {
			t.Fatalf("crash at step %d: version %d is there again, the change under way was %d", at, v, last)
		}
		if v > 0 {
			if err := answers(t, again, held[v]); err != nil {
				t.Fatalf("crash at step %d, version %d: %v", at, v, err)
			}
		}
		if _, err := history(again, 3); err != nil {
			t.Fatalf("crash at step %d: does not go on: %v", at, err)
		}
	}
}

// Files that were cut off or altered anywhere are not held, or found out when they
// are read: there is never another answer.
func TestFlatDamage(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	f := openFlat(t, whole)
	held, err := history(f, 12)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(whole, "*", "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	refused := 0
	for _, file := range files {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(good); at += 1 + len(good)/97 {
			flipped := slices.Clone(good)
			flipped[at] ^= 1 << (at % 8)
			for what, bad := range map[string][]byte{"cut": good[:at], "flipped": flipped, "longer": append(slices.Clone(good), 0)} {
				if damaged(t, whole, file, bad, held[12]) {
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
}

// damaged reports whether an index finds out that one of its files is bad. If it does not,
// the answers must be right.
func damaged(t *testing.T, whole, file string, bad []byte, want content) bool {
	t.Helper()
	folder := t.TempDir()
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
	f, err := index.OpenFlat(folder, index.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if version(t, f) == 0 {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("damaged files are left: %v, %v", left, err)
		}
		return true
	}
	err = answers(t, f, want)
	if err == nil {
		return false // the damage is where no answer comes from
	}
	if semblance.CodeOf(err) != semblance.Internal || semblance.HintOf(err) == "" {
		t.Fatalf("another answer instead of an error: %v", err)
	}
	if v := version(t, f); v != 0 {
		t.Fatalf("after damage was met, version %d is still held", v)
	}
	return true
}

// A file that is cut off while it is mapped is an error, not the end of the program.
func TestFlatFileCutWhileOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f := openFlat(t, folder)
	held, err := history(f, 2)
	if err != nil {
		t.Fatal(err)
	}
	index.Tidy(f)
	trays, err := filepath.Glob(filepath.Join(folder, "*", "*.tray"))
	if err != nil || len(trays) == 0 {
		t.Fatal(trays, err)
	}
	for _, tray := range trays {
		if err := os.Truncate(tray, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := answers(t, f, held[2]); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("a search of files that are gone gave %v", err)
	}
	if v := version(t, f); v != 0 {
		t.Errorf("version %d is still held", v)
	}
	if _, err := history(f, 2); err != nil {
		t.Fatal(err)
	}
	if err := answers(t, f, held[2]); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full is an error that says so, and the old state stays in use.
func TestFlatDiskFull(t *testing.T) {
	t.Parallel()
	f := openFlat(t, t.TempDir())
	held, err := history(f, 4)
	if err != nil {
		t.Fatal(err)
	}
	index.Tidy(f)
	index.SetStep(f, func(what string) error {
		if what == "write" {
			return errors.New("no space left on device")
		}
		return nil
	})
	err = f.Update(t.Context(), filesSpace, "c", 5, semblance.VectorChange{Add: someEntries(rand.New(rand.NewPCG(1, 1)), 3)})
	if semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
		t.Fatalf("a full disk gave %v", err)
	}
	if v := version(t, f); v != 4 {
		t.Errorf("version %d is held, want 4", v)
	}
	if err := answers(t, f, held[4]); err != nil {
		t.Error(err)
	}
}

// An older copy of the store may give a version number to other content: what was
// made from a history that is not the store's is not held.
func TestFlatOfAnotherStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	mark := "3 events, ending in abc"
	o := index.Options{
		Mark:  func() (string, error) { return mark, nil },
		Known: func(m string) (bool, error) { return m == "3 events, ending in abc", nil },
	}
	f, err := index.OpenFlat(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := history(f, 2); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = index.OpenFlat(folder, o); err != nil {
		t.Fatal(err)
	}
	if v := version(t, f); v != 2 {
		t.Fatalf("version %d is held under a mark that is known, want 2", v)
	}
	mark = "4 events, ending in def"
	if err := f.Update(t.Context(), filesSpace, "c", 3, semblance.VectorChange{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = index.OpenFlat(folder, o); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v := version(t, f); v != 0 {
		t.Fatalf("version %d is held under a mark that is not the store's", v)
	}
}
