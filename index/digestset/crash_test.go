package digestset_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"semblance"
	"semblance/index/digestset"
)

func quarantine(t *testing.T, l *digestset.Library, s semblance.DigestSet) string {
	t.Helper()
	b, err := os.ReadFile(l.QuarantineFile(s.ID))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var errCrash = errors.New("the power went")

// Wherever the power goes while a set is made, the set that was there stays in use, and
// the import goes on to the same set as if nothing had been.
func TestSetCrash(t *testing.T) {
	t.Parallel()
	old := &listSource{name: "old", rows: someRows(rand.New(rand.NewPCG(1, 1)), 50, false)}
	rows := someRows(rand.New(rand.NewPCG(2, 2)), 400, false)
	fresh := func() *listSource {
		return &listSource{name: "new", rows: rows, bad: map[int]error{5: &semblance.BadRow{Row: 6, Reason: "bad"}, 300: &semblance.BadRow{Row: 301, Reason: "bad too"}}}
	}
	for at := 0; ; at++ {
		dir := t.TempDir()
		l := openLibrary(t, dir)
		first := build(t, l, old)
		digestset.SetRunRecords(l, 90)
		steps := 0
		digestset.SetStep(l, func(string) error {
			if steps++; steps > at {
				return errCrash
			}
			return nil
		})
		_, err := l.BuildSet(context.Background(), semblance.DigestSet{Collection: "c", Name: "new"}, fresh(), nil)
		if err == nil {
			if at < 40 {
				t.Fatalf("making a set has %d steps only", at)
			}
			return
		}
		if semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" || !errors.Is(err, errCrash) {
			t.Fatalf("crash at step %d: %v", at, err)
		}
		again := openLibrary(t, dir, first)
		digestset.SetRunRecords(again, 90)
		if err := agree(again, twinOf(old), first); err != nil {
			t.Fatalf("crash at step %d: the old set: %v", at, err)
		}
		src := fresh()
		s := build(t, again, src)
		if err := agree(again, twinOf(src), s); err != nil {
			t.Fatalf("crash at step %d: the new set: %v", at, err)
		}
		want := semblance.SetCounts{Rows: 400, Digests: s.Counts.Digests, Duplicate: s.Counts.Digests - s.Digests(), Bad: 2, Sizes: s.Counts.Sizes}
		if s.Counts != want || quarantine(t, again, s) != "row 6\tbad\t\nrow 301\tbad too\t\n" {
			t.Fatalf("crash at step %d: %+v, %q", at, s.Counts, quarantine(t, again, s))
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
			t.Fatalf("crash at step %d: %v are left, %v", at, left, err)
		}
	}
}

// What a dying process wrote after its last checkpoint never happened.
func TestSetTornFiles(t *testing.T) {
	t.Parallel()
	src := &listSource{name: "new", rows: someRows(rand.New(rand.NewPCG(2, 2)), 400, false)}
	want := twinOf(src)
	src.stop = func(at int) error {
		if at == 350 {
			return errStopped
		}
		return nil
	}
	dir := t.TempDir()
	l := openLibrary(t, dir)
	digestset.SetRunRecords(l, 90)
	if _, err := l.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, src, nil); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	u, err := l.Unfinished("c")
	if err != nil || u == nil || u.Rows != 350 || u.Read {
		t.Fatalf("%+v, %v", u, err)
	}
	for _, name := range []string{"journal", "quarantine.tsv", "sha1.runs"} {
		f, err := os.OpenFile(filepath.Join(dir, string(u.Set.ID), name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("deadbeef {\"at\":{\"offset\":1}}\nhalf a li"); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	again := openLibrary(t, dir)
	src.stop, src.at = nil, 0
	other := &listSource{name: "another"}
	if _, err := again.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, other, nil); semblance.CodeOf(err) != semblance.Conflict || semblance.HintOf(err) == "" {
		t.Errorf("another source meanwhile: %v", err)
	}
	first := -1
	src.stop = func(at int) error {
		if first < 0 {
			first = at
		}
		return nil
	}
	s := build(t, again, src)
	if first != 350 {
		t.Errorf("it went on at row %d", first)
	}
	if err := agree(again, want, s); err != nil {
		t.Error(err)
	}
	if quarantine := again.QuarantineFile(s.ID); s.Counts.Bad == 0 {
		if _, err := os.Stat(quarantine); err == nil {
			t.Error("an empty quarantine file is left")
		}
	}
}

// A row that ends the reading is read again when the import goes on, even by a source that
// has moved past it already.
func TestSetGoesOnBeforeTheRowThatStoppedIt(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "new", rows: someRows(rand.New(rand.NewPCG(2, 2)), 40, false)}
	want := twinOf(src)
	src.bad = map[int]error{17: errStopped}
	if _, err := l.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, src, nil); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	src.bad, src.at = nil, 0
	if err := agree(l, want, build(t, l, src)); err != nil {
		t.Error(err)
	}
}

// What is sorted so far and was damaged meanwhile does not become a set.
func TestSetDamagedRuns(t *testing.T) {
	t.Parallel()
	src := &listSource{name: "new", rows: someRows(rand.New(rand.NewPCG(2, 2)), 400, false), stop: func(at int) error {
		if at == 350 {
			return errStopped
		}
		return nil
	}}
	for _, damage := range []string{"flipped", "cut"} {
		dir := t.TempDir()
		l := openLibrary(t, dir)
		digestset.SetRunRecords(l, 90)
		src.at = 0
		if _, err := l.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, src, nil); !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
		u, err := l.Unfinished("c")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, string(u.Set.ID), "md5.runs")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if damage == "cut" {
			b = b[:len(b)-1]
		} else {
			b[len(b)/2] ^= 4
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		whole := &listSource{name: "new", rows: src.rows}
		if _, err := l.BuildSet(t.Context(), semblance.DigestSet{Collection: "c"}, whole, nil); semblance.CodeOf(err) != semblance.Unavailable || semblance.HintOf(err) == "" {
			t.Errorf("%s runs: %v", damage, err)
		}
		if err := l.EraseSets("c"); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("after erasing there are %v, %v", left, err)
		}
	}
}

// Files that were cut off, made longer or altered anywhere are refused, or found out when
// they are read: there is never another answer.
func TestSetDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLibrary(t, dir)
	src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(3, 3)), 700, false)}
	s := build(t, l, src)
	want := twinOf(src)
	refused, unnoticed := 0, 0
	for _, f := range s.Files {
		path := filepath.Join(dir, string(s.ID), string(f.Algorithm)+".digests")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(good); at += 1 + len(good)/211 {
			flipped := slices.Clone(good)
			flipped[at] ^= 1 << (at % 8)
			for what, bad := range map[string][]byte{"cut": good[:at], "flipped": flipped, "longer": append(slices.Clone(good), good[at:]...), "zeros": append(slices.Clone(good), make([]byte, 256)...)} {
				// Replaced, not written over: what is mapped stays what it is.
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				err := agree(openLibrary(t, dir, s), want, s)
				switch {
				case err == nil && what == "flipped":
					unnoticed++ // where no answer comes from
				case err == nil:
					t.Errorf("%s: %s at %d was not found out", f.Algorithm, what, at)
				case semblance.CodeOf(err) != semblance.Internal || semblance.HintOf(err) == "":
					t.Fatalf("%s: %s at %d: %v", f.Algorithm, what, at, err)
				default:
					refused++
				}
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 1000 || unnoticed > refused/50 {
		t.Errorf("%d damages were found out, %d not", refused, unnoticed)
	}
	if err := agree(openLibrary(t, dir, s), want, s); err != nil {
		t.Error(err)
	}
}

// A file that is another one, or gone, is an error: nothing is looked up without it.
func TestSetFilesExchanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLibrary(t, dir)
	var sets []semblance.DigestSet
	for i := range 2 {
		sets = append(sets, build(t, l, &listSource{name: fmt.Sprint("list ", i), rows: someRows(rand.New(rand.NewPCG(4, 4)), 100, false)}))
	}
	file := func(s semblance.DigestSet) string { return filepath.Join(dir, string(s.ID), "sha1.digests") }
	if err := os.Rename(file(sets[1]), file(sets[0])); err != nil {
		t.Fatal(err)
	}
	for i, s := range sets {
		err := l.HoldSets(t.Context(), "c", 1, []semblance.DigestSet{s})
		if semblance.CodeOf(err) != semblance.Internal || semblance.HintOf(err) == "" || l.HeldSets("c") != 0 {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// A file that is cut off while it is mapped is an error, not the end of the program.
func TestSetFileCutWhileOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLibrary(t, dir)
	src := &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(4, 4)), 2000, false)}
	s := build(t, l, src)
	if err := l.HoldSets(t.Context(), "c", 7, []semblance.DigestSet{s}); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Files {
		if err := os.Truncate(filepath.Join(dir, string(s.ID), string(f.Algorithm)+".digests"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := agree(l, twinOf(src), s); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("a search of files that are gone gave %v", err)
	}
}

// Nobody else reads the files.
func TestSetFilesAreClosedToOthers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sets")
	l := openLibrary(t, dir)
	s := build(t, l, &listSource{name: "list", rows: someRows(rand.New(rand.NewPCG(4, 4)), 10, false)})
	for _, p := range []string{dir, filepath.Join(dir, string(s.ID)), filepath.Join(dir, string(s.ID), "md5.digests")} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

// An import that its person stops keeps what was read, and goes on there.
func TestSetStopped(t *testing.T) {
	t.Parallel()
	l := openLibrary(t, t.TempDir())
	src := &listSource{name: "new", rows: someRows(rand.New(rand.NewPCG(2, 2)), 70_000, false)}
	ctx, cancel := context.WithCancel(t.Context())
	var told []semblance.SetProgress
	_, err := l.BuildSet(ctx, semblance.DigestSet{Collection: "c"}, src, func(p semblance.SetProgress) {
		told = append(told, p)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || len(told) != 1 || told[0].Stage != "reading" || told[0].Done != told[0].Rows || told[0].Total != 70_000 {
		t.Fatalf("%v, told %+v", err, told)
	}
	u, err := l.Unfinished("c")
	if err != nil || u == nil || u.Rows != told[0].Rows {
		t.Fatalf("%+v, %v, told %+v", u, err, told)
	}
	first := -1
	src.at, src.stop = 0, func(at int) error {
		if first < 0 {
			first = at
		}
		return nil
	}
	if err := agree(l, twinOf(src), build(t, l, src)); err != nil || first != int(u.Rows) {
		t.Errorf("%v; it went on at row %d, want %d", err, first, u.Rows)
	}
}
