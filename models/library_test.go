package models_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/models"
)

func TestTheBuiltInManifestServesTheEngines(t *testing.T) {
	t.Parallel()
	m, err := models.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	if m.DefaultEngine() != "yunet-mobilefacenet" {
		t.Errorf("default engine %q", m.DefaultEngine())
	}
	want := map[string][]string{
		"yunet-mobilefacenet": {"yunet", "mobilefacenet", "onnxruntime"},
		"yunet-dlib":          {"yunet", "dlib-resnet", "onnxruntime"},
		"dlib-hog":            {"dlib-resnet-dat", "dlib-landmarks", "dlib-mmod"},
		"mtcnn-mobilefacenet": {"mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet", "onnxruntime"},
		"yunet-sface":         {"yunet", "sface", "onnxruntime"},
	}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		l := library(t, t.TempDir(), models.Options{Platform: platform})
		for engine, names := range want {
			list, err := l.EngineModels(engine)
			if err != nil {
				t.Fatalf("%s on %s: %v", engine, platform, err)
			}
			var got []string
			for _, a := range list {
				got = append(got, a.Name)
			}
			if strings.Join(got, " ") != strings.Join(names, " ") {
				t.Errorf("%s on %s needs %v, want %v", engine, platform, got, names)
			}
		}
	}
	if len(m.Engines) != len(want) {
		t.Errorf("%d engines, want %d", len(m.Engines), len(want))
	}
	for _, a := range m.Artifacts {
		if a.Role != "runtime" && a.Training == "" {
			t.Errorf("%s does not say what it was trained on", a.Name)
		}
	}
}

func TestAnEngineIsUnavailableOnAPlatformWithoutItsRuntime(t *testing.T) {
	t.Parallel()
	l := library(t, t.TempDir(), models.Options{Platform: "plan9/386"})
	if _, err := l.EngineModels("yunet-dlib"); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("yunet-dlib: %v, want unavailable", err)
	}
	if _, err := l.EngineModels("dlib-hog"); err != nil {
		t.Errorf("dlib-hog needs no runtime: %v", err)
	}
	if _, err := l.EngineModels("other"); !errors.Is(err, semblance.NotFound) {
		t.Errorf("an unknown engine: %v, want not-found", err)
	}
	if _, err := l.Path("other"); !errors.Is(err, semblance.NotFound) {
		t.Errorf("an unknown model: %v, want not-found", err)
	}
}

func TestOneChangedByteIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	content := pattern(100_000, 1)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: manifest(t, artifact("net", "net.onnx", content))})
	path := filepath.Join(dir, "net.onnx")
	write(t, path, content)
	if got, err := l.Path("net"); err != nil || got != path {
		t.Fatalf("Path = %q, %v", got, err)
	}
	if b, err := l.Read("net"); err != nil || sum(b) != sum(content) {
		t.Fatalf("Read: %v", err)
	}

	content[70_000] ^= 1
	write(t, path, content) // after it was found right: the new time makes it hash again
	for what, err := range map[string]error{
		"Path": second(l.Path("net")), "Read": second(l.Read("net")), "Verify": second(l.Verify(t.Context())),
		"Export": l.Export(t.Context(), new(strings.Builder)), "a new library": second(library(t, dir, models.Options{
			Manifest: manifest(t, artifact("net", "net.onnx", pattern(100_000, 1)))}).Path("net")),
	} {
		if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "has been altered (sha256 "+sum(content)) {
			t.Errorf("%s: %v", what, err)
		}
		if hint := semblance.HintOf(err); !strings.Contains(hint, "semblance models pull net") {
			t.Errorf("%s: hint %q", what, hint)
		}
		if err != nil && strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the message shows a path: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestListTellsPresentMissingAndAltered(t *testing.T) {
	t.Parallel()
	a, b, c, d := pattern(10, 1), pattern(20, 2), pattern(30, 3), pattern(40, 4)
	dir := t.TempDir()
	l := library(t, dir, models.Options{Manifest: manifest(t, artifact("a", "a", a), artifact("b", "b", b),
		artifact("c", "c", c), artifact("d", "d", d))})
	write(t, filepath.Join(dir, "a"), a)
	write(t, filepath.Join(dir, "b"), b[:19])
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := l.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []models.State{models.Present, models.Altered, models.Missing, models.Altered}
	for i, s := range list {
		if s.State != want[i] || (s.Err == nil) != (s.State == models.Present) {
			t.Errorf("%s is %s (%v), want %s", s.Name, s.State, s.Err, want[i])
		}
		if len(s.Engines) != 1 || s.Engines[0] != "engine" {
			t.Errorf("%s is needed by %v", s.Name, s.Engines)
		}
	}
	if _, err := l.Path("c"); !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "is not here") {
		t.Errorf("missing: %v", err)
	}
	if _, err := l.Verify(t.Context()); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("Verify: %v", err)
	}
}

func TestOpenNeedsAFolderAndCreatesNone(t *testing.T) {
	t.Parallel()
	if _, err := models.Open("", models.Options{}); !errors.Is(err, semblance.Invalid) {
		t.Errorf("no folder: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "not", "yet")
	if _, err := library(t, dir, models.Options{}).List(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading created the folder: %v", err)
	}
}

func TestManifestsThatCannotBeTrustedAreRefused(t *testing.T) {
	t.Parallel()
	good := `{"version":1,"engines":[],"artifacts":[{"name":"a","role":"x","file":"a.bin","sha256":"` + sum(nil) +
		`","size":1,"license":"MIT","origin":"o","sources":[{"kind":"url","url":"https://example.org/a"}]}]}`
	if _, err := models.ParseManifest([]byte(good)); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	for story, change := range map[string][2]string{
		"a file outside of the folder":  {`"a.bin"`, `"../a.bin"`},
		"a hidden file":                 {`"a.bin"`, `".lock"`},
		"a folder":                      {`"a.bin"`, `"b/a.bin"`},
		"a short hash":                  {sum(nil), "abcd"},
		"an upper-case hash":            {sum(nil), strings.ToUpper(sum(nil))},
		"no size":                       {`"size":1`, `"size":0`},
		"a size beyond all bounds":      {`"size":1`, `"size":1099511627776`},
		"no license":                    {`"MIT"`, `""`},
		"plain http":                    {"https://", "http://"},
		"a local address":               {"https://example.org/a", "file:///etc/passwd"},
		"an unknown kind of source":     {`"kind":"url"`, `"kind":"ftp"`},
		"an unknown field":              {`"role"`, `"rôle"`},
		"a version from the future":     {`"version":1`, `"version":2`},
		"an engine that needs no model": {`"engines":[]`, `"engines":[{"name":"e","needs":["b"]}]`},
		"an option in a package's name": {`"kind":"url"`, `"kind":"pypi","package":"--index-url=x","version":"1"`},
		"a package without its hash":    {`"kind":"url"`, `"kind":"npm","package":"p","version":"1"`},
		"a conversion from nothing":     {`"kind":"url"`, `"kind":"convert","from":"b"`},
	} {
		if _, err := models.ParseManifest([]byte(strings.Replace(good, change[0], change[1], 1))); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%s: %v, want invalid", story, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"engines":[{"name":"e","default":true,"needs":["a"]}],"artifacts":[{"name":"a","file":"b","size":1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := models.ParseManifest(data)
		if err != nil {
			if !errors.Is(err, semblance.Invalid) {
				t.Errorf("code of %v", err)
			}
			return
		}
		for _, a := range m.Artifacts {
			if filepath.Base(a.File) != a.File || a.File[0] == '.' || a.Size < 1 || len(a.SHA256) != 64 {
				t.Errorf("accepted %+v", a)
			}
		}
	})
}
