package containers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// random is content that does not compress, with a stretch of zeros behind.
func random(size, zeros int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(size), 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return append(b, make([]byte, zeros)...)
}

// acquire lets ewfacquire make an image, and returns its segments.
func acquire(t testing.TB, content []byte, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("ewfacquire"); err != nil {
		t.Skip("ewfacquire is not installed (scripts/setup system)")
	}
	dir := t.TempDir()
	raw := filepath.Join(dir, "device.raw")
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "image")
	cmd := exec.Command("ewfacquire", append(append([]string{"-u", "-q", "-t", target}, args...), raw)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ewfacquire: %v\n%s", err, out)
	}
	segments, _ := filepath.Glob(target + ".*")
	slices.Sort(segments)
	return segments
}

func readParts(t testing.TB, paths []string) (parts []Part) {
	t.Helper()
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{Name: filepath.Base(p), R: bytes.NewReader(b), Size: int64(len(b))})
	}
	return parts
}

func quiet(int64, int64) {}

func TestEWFHoldsTheDevice(t *testing.T) {
	t.Parallel()
	content := random(2_500_096, 1<<20+512)
	for _, args := range [][]string{
		{"-f", "encase6", "-c", "best", "-d", "sha1"}, {"-f", "encase5", "-c", "none"}, {"-f", "ftk", "-c", "fast"}, {"-f", "linen6", "-c", "empty-block"},
		{"-f", "smart", "-c", "fast"}, {"-f", "ewf", "-c", "fast"}, {"-f", "encase6", "-c", "fast", "-b", "2048"}, {"-f", "encase6", "-c", "fast", "-S", "1MiB"},
	} {
		segments := acquire(t, content, args...)
		parts := readParts(t, segments)
		slices.Reverse(parts) // their numbers count, not their order
		e, err := newEWF(parts, quiet)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		if e.Size() != int64(len(content)) || len(e.notes) > 0 {
			t.Errorf("%v: %d bytes of %d, %q", args, e.Size(), len(content), e.notes)
		}
		got, err := io.ReadAll(io.NewSectionReader(e, 0, e.Size()))
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%v: the content differs, %v", args, err)
		}
		notes, differs := verify(e, e.stored, quiet)
		if len(notes) != len(differs) || slices.Contains(differs, true) {
			t.Errorf("%v: %v", args, differs)
		}
		for _, n := range notes {
			if !strings.Contains(n, "agrees") {
				t.Errorf("%v: %s", args, n)
			}
		}
		if want := map[bool]int{false: 1, true: 2}[slices.Contains(args, "-d")]; len(e.stored) != want {
			t.Errorf("%v: %d digests, want %d", args, len(e.stored), want)
		}
		if got, err := throughData(e); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%v: reading data only differs, %v", args, err)
		}
	}
}

// throughData reads what Data says, the rest being zeros.
func throughData(d device) ([]byte, error) {
	out := make([]byte, d.Size())
	for at := int64(0); at < d.Size(); {
		start, end := d.Data(at)
		if n, err := d.ReadAt(out[start:end], start); int64(n) < end-start {
			return out, err
		}
		at = end
	}
	return out, nil
}

// TestEWFThatIsNotWhole: nobody takes an image that lacks a segment, is cut short or is not
// what was acquired for the whole device; what is there is examined all the same.
func TestEWFThatIsNotWhole(t *testing.T) {
	t.Parallel()
	if _, err := DiskLibrary(); err != nil {
		t.Skip(err)
	}
	picture := noisyJPEG(t, 1, 200)
	content := slices.Concat(make([]byte, 8<<10), picture, random(4<<20, 0)[:4<<20-8<<10-len(picture)])
	segments := acquire(t, content, "-c", "none", "-S", "1MiB")
	whole := readParts(t, segments)
	altered := slices.Clone(content)
	altered[8<<10+500] ^= 1
	last := len(whole) - 1
	cut := func(p Part, n int64) Part {
		return Part{Name: p.Name, R: io.NewSectionReader(p.R, 0, n), Size: n}
	}
	other := readParts(t, acquire(t, altered, "-c", "none", "-S", "1MiB"))
	for name, c := range map[string]struct {
		parts []Part
		says  string // "" is the end of a whole one
	}{
		"whole":                     {whole, ""},
		"without the second":        {slices.Delete(slices.Clone(whole), 1, 2), "segment 2 (.E02) is missing"},
		"without the last":          {whole[:last], "is missing"},
		"the last cut":              {append(slices.Clone(whole[:last]), cut(whole[last], whole[last].Size-100)), "cut short"},
		"a raw one without a part":  {[]Part{{Name: "a.001", R: bytes.NewReader(content), Size: int64(len(content))}}, "the part a.002 of the image is missing"},
		"a segment of another disk": {append([]Part{other[0]}, whole[1:]...), "THE IMAGE DIFFERS"},
	} {
		o := semblance.ContainerOptions{Unalloc: true, Verify: true}
		if strings.HasPrefix(name, "a raw one") {
			o.Missing = []string{"a.002"}
		}
		r, err := Open(c.parts, Options{ContainerOptions: o})
		if err != nil || r == nil {
			t.Fatalf("%s: %v", name, err)
		}
		all, facts, end := listReader(r)
		r.Close()
		// When the digests are checked last, the end is the same; before it, it is said that they were not.
		o.Last = true
		r, err = Open(c.parts, Options{ContainerOptions: o})
		if err != nil || r == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if hasDigest := strings.Contains(strings.Join(facts.Notes, ";"), "stored by the acquiring tool"); hasDigest && !strings.Contains(strings.Join(r.Facts().Notes, ";"), "were not verified") {
			t.Errorf("%s, opened: %q", name, r.Facts().Notes)
		}
		after, later, ended := listReader(r)
		r.Close()
		if fmt.Sprint(after) != fmt.Sprint(all) || !slices.Equal(later.Notes, facts.Notes) || fmt.Sprint(ended) != fmt.Sprint(end) {
			t.Errorf("%s, verified last: %q, %v; first: %q, %v", name, later.Notes, ended, facts.Notes, end)
		}
		if c.says == "" {
			if end != nil || !slices.ContainsFunc(all, func(h held) bool { return h.content == string(picture) }) {
				t.Errorf("%s: %v, %s", name, end, namesOf(all))
			}
			continue
		}
		if end == nil || code(t, end) != semblance.MediaDamaged || !strings.Contains(end.Error(), c.says) {
			t.Errorf("%s ends with %v", name, end)
		}
	}
}

// TestEWFWithoutTables: of an image that is cut before its first table nothing can be read,
// which is said once, with where it ends.
func TestEWFWithoutTables(t *testing.T) {
	t.Parallel()
	whole := readParts(t, acquire(t, random(2<<20, 0), "-c", "none"))[0]
	const size = 859_576
	r, err := Open([]Part{{Name: whole.Name, R: io.NewSectionReader(whole.R, 0, size), Size: size}}, Options{ContainerOptions: semblance.ContainerOptions{Unalloc: true, Verify: true}})
	if r != nil || code(t, err) != semblance.MediaDamaged || !strings.Contains(err.Error(), "it is cut short: it ends at byte 859576") {
		t.Errorf("%v, %v", r, err)
	}
}

func TestEWFWithoutSegments(t *testing.T) {
	t.Parallel()
	content := random(5<<20, 0)
	parts := readParts(t, acquire(t, content, "-c", "none", "-S", "1MiB"))
	if len(parts) < 5 {
		t.Fatalf("%d segments", len(parts))
	}
	without := func(gone ...int) *ewf {
		var left []Part
		for i, p := range parts {
			if !slices.Contains(gone, i) {
				left = append(left, p)
			}
		}
		e, err := newEWF(left, quiet)
		if err != nil {
			t.Fatalf("without %v: %v", gone, err)
		}
		return e
	}
	matches := func(e *ewf, off int) (string, error) {
		b := make([]byte, 4096)
		_, err := e.ReadAt(b, int64(off))
		return map[bool]string{true: "same", false: "other"}[bytes.Equal(b, content[off:off+4096])], err
	}
	e := without(1)
	if !strings.Contains(strings.Join(e.notes, "; "), "segment 2 (.E02) is missing") {
		t.Errorf("%q", e.notes)
	}
	for _, off := range []int{0, 500 << 10, 3 << 20, 5<<20 - 4096} {
		if same, err := matches(e, off); same != "same" || err != nil {
			t.Errorf("byte %d: %s, %v", off, same, err)
		}
	}
	if _, err := matches(e, 3<<19); code(t, err) != semblance.MediaDamaged {
		t.Errorf("what is in the missing one: %v", err)
	}
	e = without(1, 3)
	if n := strings.Join(e.notes, "; "); !strings.Contains(n, "segment 3 lies between") {
		t.Errorf("%s", n)
	}
	e = without(len(parts) - 1)
	if n := strings.Join(e.notes, "; "); !strings.Contains(n, "is missing, and others behind it may be") {
		t.Errorf("%s", n)
	}
	if _, err := newEWF(parts[1:2], quiet); err == nil || code(t, err) != semblance.MediaDamaged {
		t.Logf("the second alone tells the size: %v", err)
	}
}

func TestEWFDamaged(t *testing.T) {
	t.Parallel()
	content := random(1<<20, 0)
	parts := readParts(t, acquire(t, content, "-c", "fast"))
	whole, _ := io.ReadAll(io.NewSectionReader(parts[0].R, 0, parts[0].Size))
	flip := func(at int) *ewf {
		b := slices.Clone(whole)
		b[at] ^= 0xff
		e, err := newEWF([]Part{{Name: "x.E01", R: bytes.NewReader(b), Size: int64(len(b))}}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := flip(300_000)
	_, err := io.ReadAll(io.NewSectionReader(e, 0, e.Size()))
	if code(t, err) != semblance.MediaDamaged || !strings.Contains(err.Error(), "segment x.E01") {
		t.Errorf("a damaged chunk: %v", err)
	}
	if b := make([]byte, 4096); func() error { _, err := e.ReadAt(b, 600<<10); return err }() != nil || !bytes.Equal(b, content[600<<10:600<<10+4096]) {
		t.Error("the chunks behind a damaged one are lost")
	}
	table := bytes.Index(whole, []byte("table\x00"))
	e = flip(table + ewfDescriptor + 24 + 2)
	if got, err := io.ReadAll(io.NewSectionReader(e, 0, e.Size())); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a damaged table, and its copy is there: %v", err)
	}
	cut, err := newEWF([]Part{{Name: "x.E01", R: bytes.NewReader(whole[:len(whole)/2]), Size: int64(len(whole) / 2)}}, quiet)
	if err != nil || len(cut.notes) == 0 || !strings.Contains(cut.notes[0], "cut short") {
		t.Errorf("cut short: %v, %+v", err, cut)
	}
}

func FuzzEWF(f *testing.F) {
	f.Add([]byte(ewfMagic))
	if _, err := exec.LookPath("ewfacquire"); err == nil {
		for _, c := range []string{"fast", "none"} {
			b, err := os.ReadFile(acquire(f, random(70_000-70_000%512, 70<<10), "-c", c)[0])
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := newEWF([]Part{{Name: "x.E01", R: bytes.NewReader(b), Size: int64(len(b))}}, quiet)
		if err != nil {
			code(t, err)
			return
		}
		_, err = io.CopyN(io.Discard, io.NewSectionReader(e, 0, e.Size()), 1<<20)
		var known *semblance.Error
		if err != nil && err != io.EOF && !errors.As(err, &known) {
			t.Fatal(err)
		}
		e.Data(0)
	})
}
