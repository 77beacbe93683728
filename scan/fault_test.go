package scan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/scan"
)

// TestVanished: a file that is gone between listing and opening is an error that
// is told, and what an earlier run recorded of it is kept.
func TestVanished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.jpg", picture{Salt: "a"}.bytes())
	put(t, root, "b.jpg", knownPicture.bytes())
	removeB := func(*os.File) error { return os.Remove(filepath.Join(root, "b.jpg")) }
	r.analyzer.before = removeB
	out := r.done(t, root, lanes(1))
	if e := out.item(t, "b.jpg"); e.Status != semblance.ItemFailed || e.Code != semblance.NotFound || !strings.Contains(e.Reason, "vanished") || out.Errors["not-found"] != 1 {
		t.Errorf("vanished: %+v", e)
	}
	r.analyzer.before = nil
	put(t, root, "b.jpg", knownPicture.bytes())
	if out := r.done(t, root); out.Hits != 1 || out.New != 1 {
		t.Fatalf("it is back: %+v", out.Summary)
	}
	before := r.report(t)
	put(t, root, "a.jpg", picture{Salt: "other"}.bytes())
	put(t, root, "b.jpg", append(knownPicture.bytes(), ' '))
	r.analyzer.before = removeB
	if out := r.done(t, root, lanes(1)); out.Failed != 1 || out.Hits != 1 {
		t.Errorf("gone again: %+v", out.Summary)
	}
	lineB := func(s string) string { return s[strings.Index(s, `"path":"b.jpg"`):] }
	if lineB(r.report(t)) != lineB(before) {
		t.Errorf("the record of a file that could be read once is lost:\n%s", r.report(t))
	}
}

// TestChangedWhileRead: a file is read again when it changed, and fails when it
// does so once more.
func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	for changes, want := range map[int]semblance.ItemStatus{1: semblance.ItemNew, 2: semblance.ItemFailed} {
		r := newRig(t)
		root := t.TempDir()
		put(t, root, "a.jpg", []byte("{}"))
		r.SetDigest(growing(filepath.Join(root, "a.jpg"), changes))
		out := r.done(t, root)
		e := out.item(t, "a.jpg")
		if e.Status != want {
			t.Errorf("%d changes: %+v", changes, e)
		}
		if want == semblance.ItemFailed && (e.Code != semblance.Conflict || !strings.Contains(e.Reason, "changed while it was read") || e.SHA256 != "") {
			t.Errorf("it keeps changing: %+v", e)
		}
		if d := hashing.DigestBytes([]byte("{} ")); want == semblance.ItemNew && (e.SHA256 != fmt.Sprintf("%x", d.SHA256) || e.Size != 3) {
			t.Errorf("it changed once: %+v", e)
		}
		r.SetDigest(nil)
		if out := r.done(t, root); out.Failed != 0 {
			t.Errorf("it has come to rest: %+v", out.Summary)
		}
	}
}

// growing digests what it is given, and then makes the file longer so many times.
func growing(path string, times int) func(context.Context, io.Reader) (hashing.Digests, error) {
	return func(ctx context.Context, r io.Reader) (hashing.Digests, error) {
		d, err := hashing.Digest(ctx, r)
		if times--; times >= 0 && err == nil {
			err = grow(path)
		}
		return d, err
	}
}

func grow(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(" ")
	return errors.Join(err, f.Close())
}

// TestChangedWhileDecoded: signals of other bytes than were digested are never
// recorded under their digests, nor given to a file with the same content.
func TestChangedWhileDecoded(t *testing.T) {
	t.Parallel()
	for changes, want := range map[int64]semblance.ItemStatus{1: semblance.ItemNew, 2: semblance.ItemFailed} {
		r := newRig(t)
		root := t.TempDir()
		put(t, root, "a.jpg", []byte("{}"))
		put(t, root, "b.jpg", []byte("{}"))
		var n atomic.Int64
		r.analyzer.before = func(f *os.File) error {
			if filepath.Base(f.Name()) == "a.jpg" && n.Add(1) <= changes {
				return grow(f.Name())
			}
			return nil
		}
		out := r.done(t, root, lanes(1))
		a, b := out.item(t, "a.jpg"), out.item(t, "b.jpg")
		if a.Status != want || (want == semblance.ItemFailed) != strings.Contains(a.Reason, "changed while it was examined") {
			t.Errorf("%d changes: %+v", changes, a)
		}
		if b.Status != semblance.ItemNew || b.Size != 2 {
			t.Errorf("a file with the same content: %+v", b)
		}
		if strings.Contains(r.report(t), `"path":"a.jpg","size":2`) {
			t.Error("the record is of bytes that are gone")
		}
	}
}

// TestChangedWhileOthersWait: with more lanes, files of one content wait for each
// other; whatever the order, each is recorded with what it has.
func TestChangedWhileOthersWait(t *testing.T) {
	t.Parallel()
	for range 8 {
		r := newRig(t)
		root := t.TempDir()
		for i := range 6 {
			put(t, root, fmt.Sprintf("%d.jpg", i), []byte("{}"))
		}
		var once atomic.Bool
		r.analyzer.before = func(f *os.File) error {
			if once.Swap(true) {
				return nil
			}
			return grow(f.Name())
		}
		out := r.done(t, root, lanes(4))
		grown := 0
		for i := range 6 {
			e := out.item(t, fmt.Sprintf("%d.jpg", i))
			b, err := os.ReadFile(filepath.Join(root, e.Path))
			if err != nil {
				t.Fatal(err)
			}
			if e.SHA256 != fmt.Sprintf("%x", hashing.DigestBytes(b).SHA256) || e.Size != int64(len(b)) {
				t.Errorf("%d bytes are recorded as %+v", len(b), e)
			}
			grown += len(b) - 2
		}
		if grown != 1 || out.New != 2 || out.Duplicate != 4 {
			t.Errorf("%d grown: %+v", grown, out.Summary)
		}
	}
}

// A failingStore fails to commit after so many commits.
type failingStore struct {
	scan.Store
	left int
}

func (s *failingStore) CommitItems(ctx context.Context, c semblance.CaseID, x semblance.ExhibitID, records []semblance.ItemRecord, cols []semblance.CollectionID) error {
	if s.left--; s.left < 0 {
		return semblance.Errorf(semblance.Unavailable, "there is no space left in the data folder").WithHint("Free space.")
	}
	return s.Store.CommitItems(ctx, c, x, records, cols)
}

// TestStoreThatFails: the run says why and ends; what was stored before stays, and
// running again completes.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	whole := newRig(t)
	whole.done(t, root)
	for _, commits := range []int{0, 1, 7} {
		r := newRig(t)
		r.Now = ticking()
		r.Store = &failingStore{r.store, commits}
		out := r.scan(t, t.Context(), root, lanes(1))
		if semblance.CodeOf(out.err) != semblance.Unavailable || semblance.HintOf(out.err) == "" || out.Complete || !strings.Contains(out.Why, "no space") {
			t.Fatalf("after %d commits: %v, %+v", commits, out.err, out.Summary)
		}
		if out.Seen != int64(commits) {
			t.Errorf("%d commits, %d items told of", commits, out.Seen)
		}
		r.Store = r.store
		r.done(t, root)
		if r.report(t) != whole.report(t) {
			t.Errorf("after %d commits and a second run the record is another", commits)
		}
	}
}

// TestTwoAtOnce: one exhibit is scanned once at a time.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.jpg", []byte("{}"))
	var second outcome
	r.analyzer.before = func(*os.File) error {
		second = r.scan(t, t.Context(), root)
		return nil
	}
	r.done(t, root)
	if semblance.CodeOf(second.err) != semblance.Conflict || len(second.events) != 0 || semblance.HintOf(second.err) == "" {
		t.Errorf("the second scan: %v, %d events", second.err, len(second.events))
	}
}

// TestPanic: an examination that panics fails the run and names the item; it does
// not leave the item out, and others that wait for the same content do not hang.
func TestPanic(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	for i := range 8 {
		put(t, root, fmt.Sprintf("%d.jpg", i), []byte("{}"))
	}
	r.analyzer.before = func(*os.File) error { panic("a mistake of ours") }
	out := r.scan(t, t.Context(), root, lanes(4))
	if semblance.CodeOf(out.err) != semblance.Internal || !strings.Contains(out.err.Error(), "stopped unexpectedly") || out.Complete || out.Seen != 0 {
		t.Fatalf("%v, %+v", out.err, out.Summary)
	}
	r.analyzer.before = nil
	if out := r.done(t, root); out.Seen != 8 {
		t.Errorf("afterwards: %+v", out.Summary)
	}
}

// TestFailuresThatAreTriedAgain: what says something about the machine is not
// held against the file for good.
func TestFailuresThatAreTriedAgain(t *testing.T) {
	t.Parallel()
	for code, again := range map[semblance.Code]bool{semblance.Timeout: true, semblance.Internal: true, semblance.MediaDamaged: false, semblance.MediaTooLarge: false} {
		r := newRig(t)
		root := t.TempDir()
		put(t, root, "a.jpg", []byte("{}"))
		r.analyzer.before = func(*os.File) error { return semblance.Errorf(code, "not today") }
		if out := r.done(t, root); out.Failed != 1 || out.Errors[string(code)] != 1 {
			t.Errorf("%s: %+v", code, out.Summary)
		}
		r.analyzer.before = nil
		out := r.done(t, root)
		if got := out.Decoded == 1; got != again || (out.Failed == 1) == again {
			t.Errorf("%s: tried again %v: %+v", code, got, out.Summary)
		}
		if rep := r.report(t); strings.Contains(rep, `"event":"error"`) == again {
			t.Errorf("%s: the report says\n%s", code, rep)
		}
	}
}

// TestWorkerMissing: what no file is to blame for ends the run.
func TestWorkerMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := layDevice(t)
	r.analyzer.before = func(*os.File) error {
		return semblance.Errorf(semblance.Unavailable, "the worker is missing").WithHint("Build it.")
	}
	out := r.scan(t, t.Context(), root)
	if semblance.CodeOf(out.err) != semblance.Unavailable || semblance.HintOf(out.err) != "Build it." || out.Failed != 0 {
		t.Errorf("%v, %+v", out.err, out.Summary)
	}
}
