//go:build cgo && native

package containers

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// Images are made by the programs that people have: mke2fs and debugfs, mtools, sfdisk,
// ewfacquire. Nothing is mounted.

// run runs a program of Debian's; the test is skipped where it is not installed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := name
	if _, err := exec.LookPath(name); err != nil {
		path = "/sbin/" + name
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%s is not installed (scripts/setup system)", name)
		}
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1", "TZ=UTC", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sized makes a file of zeros.
func sized(t testing.TB, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return path
}

// folderOf writes files below a folder.
func folderOf(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ext4 makes a file system with files, of which some are deleted.
func ext4(t testing.TB, files map[string][]byte, deleted ...string) string {
	t.Helper()
	path := sized(t, filepath.Join(t.TempDir(), "ext4.img"), 16<<20)
	run(t, "mke2fs", "-q", "-t", "ext4", "-d", folderOf(t, files), path)
	for _, d := range deleted {
		run(t, "debugfs", "-w", "-R", "rm "+d, path)
	}
	return path
}

// fat makes one likewise, with mtools.
func fat(t testing.TB, size int64, files map[string][]byte, deleted ...string) string {
	t.Helper()
	path := sized(t, filepath.Join(t.TempDir(), "fat.img"), size)
	run(t, "mkfs.fat", path)
	dir := folderOf(t, files)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		run(t, "mcopy", "-s", "-m", "-i", path, filepath.Join(dir, e.Name()), "::")
	}
	for _, d := range deleted {
		run(t, "mdel", "-i", path, "::"+d)
	}
	return path
}

// openFiles opens an image of files; those of a worker are files too.
func openFiles(t testing.TB, o Options, paths ...string) Reader {
	t.Helper()
	var parts []Part
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		info, _ := f.Stat()
		parts = append(parts, Part{Name: filepath.Base(p), R: f, Size: info.Size()})
	}
	r, err := Open(parts, o)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		t.Fatalf("%s is taken for no container", paths[0])
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func listFiles(t testing.TB, o Options, paths ...string) ([]held, semblance.ContainerFacts, error) {
	t.Helper()
	return listReader(openFiles(t, o, paths...))
}

// find returns the entry of a name.
func find(t testing.TB, all []held, name string) held {
	t.Helper()
	for _, h := range all {
		if string(h.Name) == name {
			return h
		}
	}
	t.Fatalf("no entry %s; there are %s", name, namesOf(all))
	return held{}
}

func times(h held) (out []string) {
	for _, t := range h.Times {
		out = append(out, t.What+" "+t.Time+" "+t.Source)
	}
	return out
}

func TestExt4(t *testing.T) {
	t.Parallel()
	a, b, c := noisyJPEG(t, 1, 200), noisyJPEG(t, 2, 300), noisyJPEG(t, 3, 64)
	path := ext4(t, map[string][]byte{"DCIM/100APPLE/IMG_0001.JPG": a, "DCIM/gone.jpg": b, "notes.txt": c}, "DCIM/gone.jpg")
	all, facts, err := listFiles(t, Options{}, path)
	if err != nil || facts.Format != "raw" {
		t.Fatalf("%+v, %v", facts, err)
	}
	h := find(t, all, "vol1@0/DCIM/100APPLE/IMG_0001.JPG")
	if h.content != string(a) || h.Deleted || h.Inode == 0 || h.Offset <= 0 || h.Size != int64(len(a)) {
		t.Errorf("a file in use: %+v", h.Entry)
	}
	raw, _ := os.ReadFile(path)
	if !bytes.HasPrefix(raw[h.Offset:], a[:512]) {
		t.Errorf("its first byte is not at %d", h.Offset)
	}
	if got := times(h); len(got) < 4 || !strings.HasSuffix(got[0], "Z ext4 inode") {
		t.Errorf("times %q", got)
	}
	if h = find(t, all, "vol1@0/DCIM/gone.jpg"); h.content != string(b) || !h.Deleted {
		t.Errorf("a deleted file: %+v, %d bytes, %v", h.Entry, len(h.content), h.err)
	}
	if !slices.ContainsFunc(h.Times, func(f semblance.FileTime) bool { return f.What == "deleted" }) {
		t.Errorf("no time of deletion: %q", times(h))
	}
	if string(all[0].Name) != "vol1@0/DCIM/100APPLE/IMG_0001.JPG" {
		t.Errorf("what pays first is not first: %s", namesOf(all))
	}
	t.Log(facts.Notes)
}

func TestFAT(t *testing.T) {
	t.Parallel()
	a, b := noisyJPEG(t, 4, 200), noisyJPEG(t, 5, 300)
	for _, size := range []int64{1440 << 10, 32 << 20, 300 << 20} {
		path := fat(t, size, map[string][]byte{"DCIM/a long name of a picture.jpg": a, "gone picture.jpg": b}, "gone picture.jpg")
		all, facts, err := listFiles(t, Options{}, path)
		if err != nil {
			t.Fatal(err)
		}
		h := find(t, all, "vol1@0/DCIM/a long name of a picture.jpg")
		if h.content != string(a) || h.Deleted {
			t.Errorf("%s: a file in use: %+v", facts.Notes, h.Entry)
		}
		if len(h.Times) == 0 || strings.HasSuffix(h.Times[0].Time, "Z") || h.Times[0].Source != "FAT directory entry" {
			t.Errorf("FAT has no zone: %q", times(h))
		}
		if h = find(t, all, "vol1@0/gone picture.jpg"); h.content != string(b) || !h.Deleted {
			t.Errorf("%s: a deleted file: %+v, %d bytes, %v", facts.Notes, h.Entry, len(h.content), h.err)
		}
	}
}
