package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"semblance"
	"semblance/worker"
)

// tool runs a program that makes disk images; the test is skipped without it.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path = "/sbin/" + name; !exists(path) {
			t.Skipf("%s is not installed: no disk images can be made to test with", name)
		}
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ext4 makes a file system with pictures, of which one is deleted.
func ext4(t *testing.T, pictures int) (path string, content []byte) {
	t.Helper()
	dir := t.TempDir()
	content = bytes.Repeat([]byte("a picture, as far as a file system is concerned. "), 1000)
	for i := range pictures {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(t.TempDir(), "disk.dd")
	if err := os.WriteFile(path, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "mke2fs", "-q", "-F", "-t", "ext4", "-d", dir, path)
	tool(t, "debugfs", "-w", "-R", "rm 0.jpg", path)
	return path, content
}

// gone goes through a disk image in a caged child, to whichever end.
func gone(t *testing.T, p *worker.Pool, paths ...string) (content [][]byte, facts semblance.ContainerFacts, err error) {
	t.Helper()
	var files []semblance.ContainerFile
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, semblance.ContainerFile{Name: filepath.Base(path), File: f})
	}
	o := semblance.ContainerOptions{Unalloc: true, Verify: true}
	k, err := p.OpenContainer(context.Background(), files, o, nil)
	if k == nil || err != nil {
		return nil, facts, err
	}
	defer k.Close()
	for {
		e, err := k.Next()
		if errors.Is(err, io.EOF) {
			return content, k.Facts(), nil
		}
		if err != nil {
			return content, k.Facts(), err
		}
		var b bytes.Buffer
		if e.Kind == semblance.EntryFile && e.Code == "" {
			if _, err := k.Copy(&b); err != nil && semblance.CodeOf(err) != semblance.MediaDamaged {
				return content, k.Facts(), err
			}
		}
		content = append(content, b.Bytes())
	}
}

// The Sleuth Kit reads in the cage, where no path can be opened, an image in segments too.
func TestDiskImagesInTheCage(t *testing.T) {
	t.Parallel()
	p := real(t)
	path, want := ext4(t, 3)
	target := filepath.Join(t.TempDir(), "disk")
	tool(t, "ewfacquire", "-u", "-q", "-c", "none", "-S", "1MiB", "-t", target, path)
	segments, _ := filepath.Glob(target + ".*")
	if len(segments) < 3 {
		t.Fatalf("%d segments", len(segments))
	}
	// An image of terabytes has hundreds of segments.
	var split []string
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(raw); i += 8 << 10 {
		split = append(split, filepath.Join(filepath.Dir(target), fmt.Sprintf("split.%03d", len(split)+1)))
		if err := os.WriteFile(split[len(split)-1], raw[i:i+8<<10], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, files := range [][]string{{path}, segments, split} {
		got, facts, err := gone(t, p, files...)
		if err != nil || len(got) != 3 {
			t.Fatalf("%d files, %q, %v", len(got), facts.Notes, err)
		}
		for _, b := range got {
			if !bytes.Equal(b, want) {
				t.Errorf("%d bytes, want %d", len(b), len(want))
			}
		}
	}
}

// Damaged file systems give an answer or cost a child, never more: afterwards a sound one
// is read as before.
func TestDamagedDiskImages(t *testing.T) {
	t.Parallel()
	p := real(t)
	path, want := ext4(t, 8)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.dd")
	ends := map[string]int{}
	for round := range 40 {
		r := rand.New(rand.NewPCG(uint64(round), 3))
		b := bytes.Clone(sound)
		for range 1 + round {
			b[1024+r.IntN(400<<10)] ^= byte(1 + r.IntN(255)) // superblock, tables, folders
		}
		if err := os.WriteFile(damaged, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := gone(t, p, damaged)
		if err != nil && semblance.CodeOf(err) == "" {
			t.Errorf("round %d: %v", round, err)
		}
		ends[string(semblance.CodeOf(err))]++
	}
	t.Logf("ends of 40 damaged images: %v", ends)
	got, _, err := gone(t, p, path)
	if err != nil || len(got) != 8 || !bytes.Equal(got[1], want) {
		t.Errorf("%d files of a sound image, %v", len(got), err)
	}
}
