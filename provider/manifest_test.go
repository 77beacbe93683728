package provider_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/provider"
)

func goodManifest() line {
	return line{"format": 1, "name": "acme-look", "version": "2.1", "program": "look", "files": line{"look": strings.Repeat("0a", 32)},
		"hash": line{"metric": "hamming", "bytes": 16, "distance": 10}, "license": "Acme's.\nAll of it."}
}

func parse(t *testing.T, m line) (provider.Manifest, error) {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return provider.ParseManifest(b)
}

func TestManifest(t *testing.T) {
	t.Parallel()
	m, err := parse(t, goodManifest())
	if err != nil {
		t.Fatal(err)
	}
	s := m.Spec()
	if s.Algorithm != "acme-look/2.1/hamming-16" || s.Distance != 10 || s.Engine != "" || m.Seconds != 10 || m.MemoryMB != 1024 {
		t.Errorf("%+v of %+v", s, m)
	}
	for name, change := range map[string]func(line){
		"another format": func(m line) { m["format"] = 2 }, "no format": func(m line) { delete(m, "format") },
		"a field that is not known": func(m line) { m["hsah"] = 1 }, "an upper-case name": func(m line) { m["name"] = "Acme" }, "a path as name": func(m line) { m["name"] = "../acme" },
		"no version": func(m line) { m["version"] = "" }, "no files": func(m line) { m["files"] = line{} },
		"a file outside":            func(m line) { m["files"] = line{"../look": strings.Repeat("0", 64)} },
		"the manifest among files":  func(m line) { m["files"].(line)["manifest.json"] = strings.Repeat("0", 64) },
		"a sum that is none":        func(m line) { m["files"].(line)["look"] = "0A" },
		"a program that is no file": func(m line) { m["program"] = "other" }, "an unclean program": func(m line) { m["program"] = "/usr/../bin/sh" },
		"reading everything": func(m line) { m["read"] = []string{"/"} }, "reading a home": func(m line) { m["read"] = []string{"/home/kim"} },
		"reading over dots": func(m line) { m["read"] = []string{"/usr/../etc"} },
		"nothing to give":   func(m line) { delete(m, "hash") },
		"a hash of 7 bytes": func(m line) { m["hash"] = line{"metric": "hamming", "bytes": 7} },
		"no metric":         func(m line) { m["hash"] = line{"bytes": 16} },
		"a metric of faces": func(m line) { m["hash"] = line{"metric": "cosine", "bytes": 16} },
		"a huge distance":   func(m line) { m["hash"].(line)["distance"] = 65 }, "a negative distance": func(m line) { m["hash"].(line)["distance"] = -1 },
		"photodna of 9 bytes": func(m line) { m["hash"] = line{"algorithm": "photodna", "bytes": 9} },
		"md5":                 func(m line) { m["hash"] = line{"algorithm": "md5"} },
		"a label twice":       func(m line) { m["labels"] = []string{"a", "a"} }, "an unprintable label": func(m line) { m["labels"] = []string{"a\x1b"} },
		"faces and more":    func(m line) { m["faces"] = line{"dimensions": 3, "metric": "cosine", "distance": 1} },
		"faces as stored":   func(m line) { faces(m); delete(m, "upright") },
		"faces of 0 values": func(m line) { faces(m); m["faces"].(line)["dimensions"] = 0 },
		"faces, version a":  func(m line) { faces(m); m["version"] = "a" },
		"faces, no limit":   func(m line) { faces(m); delete(m["faces"].(line), "distance") },
		"forever":           func(m line) { m["seconds"] = 3600 }, "no memory": func(m line) { m["memory_mb"] = 1 }, "a thousand processes": func(m line) { m["processes"] = 1000 },
	} {
		bad := goodManifest()
		change(bad)
		if _, err := parse(t, bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for _, text := range []string{"", "null", "[]", "{}", `{"format":1} x`} {
		if _, err := provider.ParseManifest([]byte(text)); err == nil {
			t.Errorf("%q: taken", text)
		}
	}
}

func faces(m line) {
	delete(m, "hash")
	m["version"], m["upright"], m["faces"] = "3", true, line{"dimensions": 3, "metric": "cosine", "distance": 0.5}
}

// The fingerprint is of what decides about answers, not of what they cost.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	print := func(change func(line)) string {
		m := goodManifest()
		change(m)
		got, err := parse(t, m)
		if err != nil {
			t.Fatal(err)
		}
		return got.Spec().Fingerprint
	}
	same := print(func(line) {})
	for _, change := range []func(line){func(m line) { m["seconds"] = 20 }, func(m line) { m["memory_mb"] = 99 }, func(m line) { m["enabled"] = false }, func(m line) { m["license"] = "" }} {
		if print(change) != same {
			t.Error("what a picture may cost changes the fingerprint")
		}
	}
	for _, change := range []func(line){func(m line) { m["files"].(line)["look"] = strings.Repeat("0b", 32) }, func(m line) { m["upright"] = true },
		func(m line) { m["arguments"] = []string{"-x"} }, func(m line) { m["hash"].(line)["bytes"] = 17 }, func(m line) { m["labels"] = []string{"a"} }} {
		if print(change) == same {
			t.Error("what decides about answers does not change the fingerprint")
		}
	}
}

// A folder must be what its manifest says: no other bytes, nothing missing, nothing more.
func TestFolders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, folder string)
		want  string
	}{
		"whole":      {func(*testing.T, string) {}, ""},
		"changed":    {func(t *testing.T, f string) { write(t, f, "weights", "other bytes") }, `its file "weights" was changed: its sha256 is`},
		"missing":    {func(t *testing.T, f string) { remove(t, f, "weights") }, `its file "weights" is missing`},
		"no program": {func(t *testing.T, f string) { remove(t, f, "program") }, `its file "program" is missing`},
		"one more":   {func(t *testing.T, f string) { write(t, f, "more", "") }, `the file "more" is in its folder and not in its manifest.json`},
		"a link": {func(t *testing.T, f string) {
			remove(t, f, "weights")
			link(t, "/etc/passwd", filepath.Join(f, "weights"))
		}, `"weights" is not a regular file`},
		"not executable": {func(t *testing.T, f string) { unexecutable(t, f) }, `its program "program" is no file that may be run`},
		"no manifest":    {func(t *testing.T, f string) { remove(t, f, "manifest.json") }, "manifest.json: no such file or directory"},
		"no JSON":        {func(t *testing.T, f string) { write(t, f, "manifest.json", "{") }, "it is not JSON of a manifest"},
		"renamed":        {func(t *testing.T, f string) { rename(t, f, filepath.Join(filepath.Dir(f), "other")) }, `its folder is named "other" and its manifest.json says "pdna"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder := install(t, dir, "pdna", "hash", nil)
			c.spoil(t, folder)
			h := openHost(t, dir, provider.Options{})
			list := h.List()
			if len(list) != 1 {
				t.Fatalf("%d providers", len(list))
			}
			err := h.Verify(t.Context(), list[0].Name)
			if c.want == "" {
				if err != nil || list[0].Err != nil || h.Set().All()[0].Err != nil {
					t.Error(err, list[0].Err)
				}
				return
			}
			if semblance.CodeOf(err) != semblance.Unavailable || !strings.Contains(err.Error(), c.want) || !strings.Contains(semblance.HintOf(err), `"enabled": false`) {
				t.Errorf("%v (hint %q), want %q", err, semblance.HintOf(err), c.want)
			}
		})
	}
}

// A file that is changed after it was found right is found out.
func TestChangedWhileInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := install(t, dir, "pdna", "hash", nil)
	h := openHost(t, dir, provider.Options{})
	for range 2 {
		if err := h.Verify(t.Context(), "pdna"); err != nil {
			t.Fatal(err)
		}
	}
	write(t, folder, "weights", "WEIGHTS")
	if err := h.Verify(t.Context(), "pdna"); err == nil {
		t.Error("a changed file of the same length is taken for the one of the manifest")
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	install(t, dir, "one", "hash", nil)
	install(t, dir, "two", "hash", nil)
	install(t, dir, "off", "hash", func(m line) { m["enabled"] = false })
	install(t, dir, "own", "hash", func(m line) { m["hash"] = line{"metric": "hamming", "bytes": 16, "distance": 5} })
	if err := os.WriteFile(filepath.Join(dir, "a file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := openHost(t, dir, provider.Options{})
	set := h.Set()
	usable := map[semblance.ProviderName]bool{}
	for _, p := range set.All() {
		usable[p.Spec.Name] = p.Err == nil
	}
	if len(usable) != 4 || usable["one"] || usable["two"] || usable["a file"] || !usable["own"] {
		t.Errorf("%v: of two providers of PhotoDNA neither is used, and what is no folder is said", usable)
	}
	if p, ok := set.ByAlgorithm("own/1/hamming-16"); !ok || p.Distance != 5 {
		t.Error(p, ok)
	}
	if _, ok := set.ByAlgorithm(hashing.AlgorithmPhotoDNA); ok {
		t.Error("a provider that is not usable gives PhotoDNA")
	}
	if h, err := provider.Open(provider.Options{Dir: filepath.Join(dir, "nowhere")}); err != nil || len(h.List()) != 0 {
		t.Error("no folder is no provider", err)
	}
}

func FuzzManifest(f *testing.F) {
	b, err := json.Marshal(goodManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":1,"name":"a","version":"1","files":{"a":"` + strings.Repeat("0", 64) + `"},"program":"a","faces":{"dimensions":1,"metric":"cosine","distance":1},"upright":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := provider.ParseManifest(data)
		if err != nil {
			return
		}
		s := m.Spec()
		if s.Name == "" || s.Fingerprint == "" || m.Hash != nil && s.Algorithm.Bits() == 0 {
			t.Fatalf("%+v of %s", s, data)
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := provider.ParseManifest(again); err != nil || back.Spec().Fingerprint != s.Fingerprint {
			t.Fatalf("%s became %s: %v", data, again, err)
		}
	})
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, folder, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// unexecutable takes the right to run away from a copy, because the program is a link to
// this test.
func unexecutable(t *testing.T, folder string) {
	t.Helper()
	path := filepath.Join(folder, "program")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, folder, "program")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
