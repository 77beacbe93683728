package supplied_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"semblance"
	"semblance/index/supplied"
)

func open(t testing.TB, folder string) *supplied.Index {
	t.Helper()
	x, err := supplied.Open(folder, supplied.Options{Note: func(format string, args ...any) { t.Logf("note: "+format, args...) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func version(t testing.TB, x *supplied.Index) int64 {
	t.Helper()
	held, err := x.Held(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	return held.Version
}

func TestFilesAreThereAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "index", "supplied")
	x := open(t, folder)
	held, err := history(x, 25)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = open(t, folder)
		if v := version(t, x); v != 25 {
			t.Fatalf("version %d is there again, want 25", v)
		}
		if err := answers(x, held[25]); err != nil {
			t.Fatal(err)
		}
	}
	add := someEntries(rand.New(rand.NewPCG(5, 5)), 5)
	if err := x.Update(t.Context(), "c", 26, semblance.HashChange{Add: add}); err != nil { // and goes on
		t.Fatal(err)
	}
	if err := answers(x, held[25].change(nil, add)); err != nil {
		t.Fatal(err)
	}
}

// Nobody else reads the files, what was removed is not in them, and Drop leaves none.
func TestFilesKeepNoSecrets(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	x := open(t, folder)
	held, err := history(x, 3)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	secret := semblance.HashEntry{ID: 900, Algorithm: photoDNA, Value: structured(r, 144)}
	stays := semblance.HashEntry{ID: 901, Algorithm: photoDNA, Value: structured(r, 144)}
	if err := x.Update(t.Context(), "c", 4, semblance.HashChange{Add: []semblance.HashEntry{secret, stays}}); err != nil {
		t.Fatal(err)
	}
	if err := x.Update(t.Context(), "c", 5, semblance.HashChange{Remove: []semblance.EntryID{secret.ID}}); err != nil {
		t.Fatal(err)
	}
	supplied.Tidy(x)
	if contains(t, folder, string(secret.Value)) {
		t.Error("a removed value is still in the files")
	}
	if !contains(t, folder, string(stays.Value)) {
		t.Error("the test does not look where values are")
	}
	if err := answers(x, held[3].change(nil, []semblance.HashEntry{stays})); err != nil {
		t.Error(err)
	}
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
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
	if err := x.Drop(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("after drop there are %v, %v", left, err)
	}
}

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

var errCrash = errors.New("the power went")

// Wherever the power goes during a history of changes, what is there again is the state
// before or after the change under way, and it can go on from there.
func TestCrash(t *testing.T) {
	t.Parallel()
	for at := 0; ; at++ {
		folder := t.TempDir()
		x := open(t, folder)
		var steps atomic.Int64 // tidying is a goroutine of its own
		supplied.SetStep(x, func(string) error {
			if steps.Add(1) > int64(at) {
				return errCrash // nothing reaches the disk any more
			}
			return nil
		})
		held, err := history(x, 6)
		supplied.Tidy(x)
		if err == nil && steps.Load() <= int64(at) {
			if at < 20 {
				t.Fatalf("a history of 6 changes has %d steps only", at)
			}
			return
		}
		again := open(t, folder)
		v := version(t, again)
		last := int64(len(held) - 1)
		if v > last || v < last-1 {
			t.Fatalf("crash at step %d: version %d is there again, the change under way was %d", at, v, last)
		}
		if v > 0 {
			if err := answers(again, held[v]); err != nil {
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
func TestDamage(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	x := open(t, whole)
	held, err := history(x, 12)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
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
		for at := 0; at < len(good); at += 1 + len(good)/53 {
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
	x, err := supplied.Open(folder, supplied.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if version(t, x) == 0 {
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("damaged files are left: %v, %v", left, err)
		}
		return true
	}
	err = answers(x, want)
	if err == nil {
		return false // the damage is where no answer comes from
	}
	if semblance.CodeOf(err) != semblance.Internal || semblance.HintOf(err) == "" {
		t.Fatalf("another answer instead of an error: %v", err)
	}
	if v := version(t, x); v != 0 {
		t.Fatalf("after damage was met, version %d is still held", v)
	}
	return true
}

// A file that is cut off while it is mapped is an error, not the end of the program.
func TestFileCutWhileOpen(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	x := open(t, folder)
	held, err := history(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	supplied.Tidy(x)
	trays, err := filepath.Glob(filepath.Join(folder, "*", "*.tray"))
	if err != nil || len(trays) == 0 {
		t.Fatal(trays, err)
	}
	for _, tray := range trays {
		if err := os.Truncate(tray, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := answers(x, held[2]); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("a search of files that are gone gave %v", err)
	}
	if v := version(t, x); v != 0 {
		t.Errorf("version %d is still held", v)
	}
	if _, err := history(x, 2); err != nil {
		t.Fatal(err)
	}
	if err := answers(x, held[2]); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full is an error that says so, and the old state stays in use.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	x := open(t, t.TempDir())
	held, err := history(x, 4)
	if err != nil {
		t.Fatal(err)
	}
	supplied.Tidy(x)
	supplied.SetStep(x, func(what string) error {
		if what == "write" {
			return errors.New("no space left on device")
		}
		return nil
	})
	err = x.Update(t.Context(), "c", 5, semblance.HashChange{Add: someEntries(rand.New(rand.NewPCG(1, 1)), 3)})
	if semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
		t.Fatalf("a full disk gave %v", err)
	}
	if v := version(t, x); v != 4 {
		t.Errorf("version %d is held, want 4", v)
	}
	if err := answers(x, held[4]); err != nil {
		t.Error(err)
	}
}

// An older copy of the store may give a version number to other content: what was
// made from a history that is not the store's is not held.
func TestFilesOfAnotherStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	mark := "3 events, ending in abc"
	o := supplied.Options{
		Mark:  func() (string, error) { return mark, nil },
		Known: func(m string) (bool, error) { return m == "3 events, ending in abc", nil },
	}
	again := func(want int64) *supplied.Index {
		x, err := supplied.Open(folder, o)
		if err != nil {
			t.Fatal(err)
		}
		if v := version(t, x); v != want {
			t.Fatalf("version %d is held under the mark, want %d", v, want)
		}
		return x
	}
	x := again(0)
	if _, err := history(x, 2); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = again(2)
	mark = "4 events, ending in def"
	if err := x.Update(t.Context(), "c", 3, semblance.HashChange{}); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := again(0).Close(); err != nil {
		t.Fatal(err)
	}
}
