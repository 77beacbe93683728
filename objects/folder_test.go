package objects_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"semblance"
	"semblance/objects"
)

func open(t testing.TB, dir string) *objects.Folder {
	t.Helper()
	f, err := objects.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t testing.TB, f *objects.Folder, content []byte) semblance.SHA256 {
	t.Helper()
	sum := semblance.SHA256(sha256.Sum256(content))
	if err := f.Put(t.Context(), sum, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	return sum
}

func read(t testing.TB, f *objects.Folder, sum semblance.SHA256) []byte {
	t.Helper()
	o, err := f.Open(t.Context(), sum)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	content, err := io.ReadAll(o)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func path(dir string, sum semblance.SHA256) string {
	return filepath.Join(dir, sum.String()[:2], sum.String()[2:])
}

// nothingHalf demands that no half-written file is left.
func nothingHalf(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left half written: %v, %v", left, err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "originals")
	f := open(t, dir)
	large := make([]byte, 1<<20+1)
	_, _ = rand.Read(large)
	for _, content := range [][]byte{nil, []byte("one"), large} {
		sum := put(t, f, content)
		if got := read(t, open(t, dir), sum); !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d others", len(content), len(got))
		}
		info, err := os.Stat(path(dir, sum))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		if err := f.Check(t.Context(), sum); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{dir, filepath.Join(dir, "tmp"), filepath.Dir(path(dir, sha256.Sum256([]byte("one"))))} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	nothingHalf(t, dir)
}

func TestObjectIsReadFromAnyOffset(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir())
	o, err := f.Open(t.Context(), put(t, f, []byte("0123456789")))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	b := make([]byte, 3)
	if _, err := o.ReadAt(b, 4); err != nil || string(b) != "456" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := o.Seek(-2, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(o); err != nil || string(rest) != "89" {
		t.Errorf("%q %v", rest, err)
	}
}

func TestStoringTwiceIsOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	sum := put(t, f, []byte("one"))
	first, err := os.Stat(path(dir, sum))
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, []byte("one"))
	second, err := os.Stat(path(dir, sum))
	if err != nil || !os.SameFile(first, second) {
		t.Errorf("an intact object was written again: %v", err)
	}
}

func TestWrongContentIsNotStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	sum := semblance.SHA256(sha256.Sum256([]byte("one")))
	for _, there := range []bool{false, true} {
		err := f.Put(t.Context(), sum, strings.NewReader("two"))
		if !errors.Is(err, semblance.Invalid) || semblance.HintOf(err) == "" {
			t.Errorf("there %v: %v", there, err)
		}
		nothingHalf(t, dir)
		if _, err := f.Open(t.Context(), sum); errors.Is(err, semblance.NotFound) == there {
			t.Errorf("there %v: %v", there, err)
		}
		put(t, f, []byte("one"))
	}
	if got := read(t, f, sum); string(got) != "one" {
		t.Errorf("%q", got)
	}
}

func TestFailingReaderStoresNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	cause := errors.New("cable")
	sum := semblance.SHA256(sha256.Sum256([]byte("one")))
	err := f.Put(t.Context(), sum, io.MultiReader(strings.NewReader("one"), iotest.ErrReader(cause)))
	if !errors.Is(err, cause) {
		t.Error(err)
	}
	nothingHalf(t, dir)
	if _, err := f.Open(t.Context(), sum); !errors.Is(err, semblance.NotFound) {
		t.Error(err)
	}
}

func TestDamageIsFoundAndMended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	sum := put(t, f, []byte("one"))
	if err := os.WriteFile(path(dir, sum), []byte("on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context(), sum); !errors.Is(err, semblance.MediaDamaged) {
		t.Error(err)
	}
	put(t, f, []byte("one"))
	if err := f.Check(t.Context(), sum); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	sum := put(t, f, []byte("one"))
	for range 2 {
		if err := f.Delete(t.Context(), sum); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path(dir, sum)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, err := range []error{f.Check(t.Context(), sum), second(f.Open(t.Context(), sum))} {
		if !errors.Is(err, semblance.NotFound) {
			t.Error(err)
		}
	}
}

func second(_ semblance.ReadSeekCloserAt, err error) error { return err }

func TestEachPassesOverForeignFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	want := []semblance.SHA256{put(t, f, []byte("one")), put(t, f, []byte("two")), put(t, f, []byte("three"))}
	slices.SortFunc(want, func(a, b semblance.SHA256) int { return bytes.Compare(a[:], b[:]) })
	for _, name := range []string{"README", want[0].String()[:2] + "/note", "tmp/put-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []semblance.SHA256
	var size int64
	err := f.Each(t.Context(), func(sum semblance.SHA256, n int64) error {
		got, size = append(got, sum), size+n
		return nil
	})
	if err != nil || !slices.Equal(got, want) || size != 11 {
		t.Errorf("%v %d %v", got, size, err)
	}
	stop := errors.New("stop")
	if err := f.Each(t.Context(), func(semblance.SHA256, int64) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestOpenRemovesOnlyWhatIsAbandoned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir)
	old, fresh := filepath.Join(dir, "tmp", "put-old"), filepath.Join(dir, "tmp", "put-fresh")
	for _, name := range []string{old, fresh} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an abandoned file stays: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a file that is being written is removed: %v", err)
	}
}

func TestManyWritersOfOneObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	content := bytes.Repeat([]byte("x"), 1<<20)
	sum := semblance.SHA256(sha256.Sum256(content))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = f.Put(t.Context(), sum, bytes.NewReader(content)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context(), sum); err != nil {
		t.Error(err)
	}
	nothingHalf(t, dir)
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sum := semblance.SHA256(sha256.Sum256([]byte("one")))
	for _, err := range []error{f.Put(ctx, sum, strings.NewReader("one")), second(f.Open(ctx, sum)), f.Delete(ctx, sum)} {
		if !errors.Is(err, semblance.Canceled) {
			t.Error(err)
		}
	}
	nothingHalf(t, dir)
}

func TestFolderThatIsAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.Open(name); !errors.Is(err, semblance.Unavailable) {
		t.Error(err)
	}
}

// TestFullDisk fills a real, small disk. It needs root.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	f := open(t, filepath.Join(dir, "originals"))
	kept := put(t, f, []byte("one"))
	large := make([]byte, 1<<20)
	err := f.Put(t.Context(), sha256.Sum256(large), bytes.NewReader(large))
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "no space left") || semblance.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	nothingHalf(t, filepath.Join(dir, "originals"))
	if err := f.Check(t.Context(), kept); err != nil {
		t.Error(err)
	}
}
