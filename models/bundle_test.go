package models_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/models"
)

type entry struct {
	name    string
	content []byte
	kind    byte
}

// bundle builds a tar file by hand, so that tests can build wrong ones.
func bundle(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.kind != 0 {
			h.Typeflag, h.Size, h.Linkname = e.kind, 0, string(e.content)
			e.content = nil
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// listing is the first entry of a bundle of these files.
func listing(t testing.TB, files map[string][]byte) entry {
	t.Helper()
	list := []map[string]any{}
	for _, name := range slices.Sorted(keys(files)) {
		list = append(list, map[string]any{"name": name, "file": name, "sha256": sum(files[name]), "size": len(files[name])})
	}
	b, err := json.Marshal(map[string]any{"format": "semblance-models/1", "files": list})
	if err != nil {
		t.Fatal(err)
	}
	return entry{name: "semblance-models.json", content: b}
}

func keys(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestABundleCarriesModelsToAMachineWithoutNetwork(t *testing.T) {
	t.Parallel()
	a, b, c := pattern(100_000, 1), pattern(7, 2), pattern(300, 3)
	m := manifest(t, artifact("a", "a.onnx", a), artifact("b", "b.dat", b), artifact("c", "c.dat", c))
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "a.onnx"), a)
	write(t, filepath.Join(from, "b.dat"), b)
	l := library(t, from, models.Options{Manifest: m})
	var all, again, one bytes.Buffer
	for w, names := range map[*bytes.Buffer][]string{&all: nil, &again: nil, &one: {"b"}} {
		if err := l.Export(t.Context(), w, names...); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(all.Bytes(), again.Bytes()) {
		t.Error("two exports of the same models differ")
	}
	if err := l.Export(t.Context(), new(bytes.Buffer), "engine"); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("export of an engine with a missing model: %v", err)
	}

	other := library(t, to, models.Options{Manifest: m})
	if names, err := other.Import(t.Context(), bytes.NewReader(one.Bytes())); err != nil || strings.Join(names, " ") != "b" {
		t.Fatalf("import of one: %v, %v", names, err)
	}
	if names, err := other.Import(t.Context(), bytes.NewReader(all.Bytes())); err != nil || strings.Join(names, " ") != "a b" {
		t.Fatalf("import of all: %v, %v", names, err)
	}
	if got, err := other.Read("a"); err != nil || !bytes.Equal(got, a) {
		t.Errorf("Read: %v", err)
	}
	left(t, to, "a.onnx", "b.dat")
}

func TestABadBundleInstallsNothing(t *testing.T) {
	t.Parallel()
	a, b := pattern(5000, 1), pattern(6000, 2)
	bent := bytes.Clone(b)
	bent[3000] ^= 1
	files := map[string][]byte{"a": a, "b": b}
	good := bundle(t, listing(t, files), entry{name: "a", content: a}, entry{name: "b", content: b})
	for story, data := range map[string][]byte{
		"empty":                        {},
		"no tar file":                  pattern(5000, 9),
		"cut in the middle":            good[:8000],
		"cut before the last file":     bundle(t, listing(t, files), entry{name: "a", content: a}),
		"one changed byte":             bundle(t, listing(t, files), entry{name: "a", content: a}, entry{name: "b", content: bent}),
		"no list":                      bundle(t, entry{name: "a", content: a}, entry{name: "b", content: b}),
		"an empty list":                bundle(t, listing(t, nil)),
		"a list that is no JSON":       bundle(t, entry{name: "semblance-models.json", content: a}),
		"a list beyond all bounds":     bundle(t, entry{name: "semblance-models.json", content: make([]byte, 2<<20)}),
		"a file nobody knows":          bundle(t, listing(t, map[string][]byte{"c": a}), entry{name: "c", content: a}),
		"other content under a name":   bundle(t, listing(t, map[string][]byte{"a": b}), entry{name: "a", content: b}),
		"a path out of the folder":     bundle(t, listing(t, map[string][]byte{"../a": a}), entry{name: "../a", content: a}),
		"an entry out of the folder":   bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "../a", content: a}),
		"an absolute entry":            bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "/tmp/a", content: a}),
		"a link":                       bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: []byte("/etc/passwd"), kind: tar.TypeSymlink}),
		"a file that is not listed":    bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: a}, entry{name: "b", content: b}),
		"a file that grew":             bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: append(bytes.Clone(a), 1)}),
		"rubbish after the last file":  append(bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: a})[:512*14], pattern(2048, 3)...),
		"files in another order":       bundle(t, listing(t, files), entry{name: "b", content: b}, entry{name: "a", content: a}),
		"a bundle of another kind":     bundle(t, entry{name: "semblance-models.json", content: []byte(`{"format":"semblance-models/2","files":[]}`)}),
		"a list with the same one two": bundle(t, entry{name: "semblance-models.json", content: twice(t, a)}, entry{name: "a", content: a}, entry{name: "a", content: a}),
	} {
		t.Run(story, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "models")
			write(t, filepath.Join(dir, "a"), a) // what is there stays
			l := library(t, dir, models.Options{Manifest: manifest(t, artifact("a", "a", a), artifact("b", "b", b))})
			names, err := l.Import(t.Context(), bytes.NewReader(data))
			if !errors.Is(err, semblance.Invalid) || names != nil || semblance.HintOf(err) == "" {
				t.Errorf("%v, %v", names, err)
			}
			left(t, parent, "models/a")
			if _, err := l.Path("a"); err != nil {
				t.Errorf("what was there: %v", err)
			}
		})
	}
}

func twice(t *testing.T, a []byte) []byte {
	t.Helper()
	one := map[string]any{"name": "a", "file": "a", "sha256": sum(a), "size": len(a)}
	b, err := json.Marshal(map[string]any{"format": "semblance-models/1", "files": []any{one, one}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExportAndImportReportADiskThatIsFull(t *testing.T) {
	t.Parallel()
	a := pattern(500_000, 1)
	m := manifest(t, artifact("a", "a", a))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), a)
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer full.Close()
		err := library(t, dir, models.Options{Manifest: m}).Export(t.Context(), full)
		if !errors.Is(err, semblance.Unavailable) || semblance.HintOf(err) == "" {
			t.Errorf("export: %v", err)
		}
	}
	to := t.TempDir()
	l := library(t, to, models.Options{Manifest: m})
	models.FailWritesAfter(l, 1000, errors.New("no space left on device"))
	data := bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: a})
	if _, err := l.Import(t.Context(), bytes.NewReader(data)); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("import: %v", err)
	}
	left(t, to)
}

func TestImportStopsWithItsContext(t *testing.T) {
	t.Parallel()
	a := pattern(500_000, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := library(t, t.TempDir(), models.Options{Manifest: manifest(t, artifact("a", "a", a))})
	data := bundle(t, listing(t, map[string][]byte{"a": a}), entry{name: "a", content: a})
	if _, err := l.Import(ctx, bytes.NewReader(data)); semblance.CodeOf(err) != semblance.Canceled {
		t.Errorf("import: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	a := pattern(300, 1)
	m := manifest(f, artifact("a", "a", a))
	f.Add(bundle(f, listing(f, map[string][]byte{"a": a}), entry{name: "a", content: a}))
	f.Add(bundle(f, listing(f, map[string][]byte{"../a": a}), entry{name: "../a", content: a}))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		l := library(t, filepath.Join(parent, "m"), models.Options{Manifest: m})
		if _, err := l.Import(t.Context(), bytes.NewReader(data)); err != nil {
			if !errors.Is(err, semblance.Invalid) {
				t.Errorf("code of %v", err)
			}
			left(t, parent)
			return
		}
		left(t, parent, "m/a")
		if _, err := l.Path("a"); err != nil {
			t.Error(err)
		}
	})
}
