package models_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/models"
)

// example is a bundle that is right, as JSON values that a test can change.
func example(t testing.TB, name string) (map[string]any, []byte) {
	t.Helper()
	data, network, err := models.ExampleEngine(name)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m, network
}

// set changes one value of nested objects, named like "input.size"; nil removes it.
func set(m map[string]any, path string, v any) {
	head, rest, nested := strings.Cut(path, ".")
	switch {
	case nested:
		set(m[head].(map[string]any), rest, v)
	case v == nil:
		delete(m, head)
	default:
		m[head] = v
	}
}

func encoded(t testing.TB, m map[string]any) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnEngineFileSurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	data, network, err := models.ExampleEngine("agency-arcface")
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.ParseEngine(data)
	if err != nil {
		t.Fatal(err)
	}
	if m.Network.SHA256 != sum(network) {
		t.Error("the example does not pin its own network")
	}
	again, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	second, err := models.ParseEngine(again)
	if err != nil || *second != *m {
		t.Errorf("%v\n%+v\n%+v", err, m, second)
	}
	five, _ := example(t, "five-points")
	set(five, "template", [][]float64{{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}})
	written, err := models.ParseEngine(encoded(t, five))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := m.Bundle("x", nil), written.Bundle("x", nil); a.Template != b.Template || a.Spec.Fingerprint != b.Spec.Fingerprint {
		t.Errorf("the same template by name and by points: %v, %v", a.Template, b.Template)
	}
}

func TestAManifestThatLiesIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	for story, c := range map[string]struct {
		path, says string
		value      any
	}{
		"another format":             {"format", "format", "semblance-engine/2"},
		"the name of a built-in one": {"name", "built in", "yunet-mobilefacenet"},
		"a name that climbs":         {"name", "cannot name an engine", "../evil"},
		"no name":                    {"name", "cannot name an engine", nil},
		"a word of the commands":     {"name", "commands use the word", "all"},
		"version 0":                  {"version", "version 0", 0},
		"a version below":            {"version", "version -1", -1},
		"an unknown detector":        {"detector", "no detector is named", "retina"},
		"a sha that is none":         {"network.sha256", "sha256", "abc"},
		"a sha in capitals":          {"network.sha256", "sha256", strings.Repeat("AB", 32)},
		"a path out of the folder":   {"network.file", "plain name", "../../etc/passwd"},
		"an absolute path":           {"network.file", "plain name", "/etc/passwd"},
		"its own manifest":           {"network.file", "plain name", "engine.json"},
		"no picture":                 {"input.size", "0 pixels", 0},
		"a huge picture":             {"input.size", "100000 pixels", 100000},
		"an unknown color":           {"input.color", "color order", "yuv"},
		"an unknown layout":          {"input.layout", "layout", "chwn"},
		"a scale of 0":               {"input.scale", "scale of 0", []float64{1, 0, 1}},
		"a mean out of range":        {"input.mean", "mean of", []float64{1e20, 0, 0}},
		"a template of another size": {"template", "another chip", "dlib-150"},
		"an unknown template":        {"template", "no template is named", "mine"},
		"four points":                {"template", "neither a name nor five points", [][]float64{{1, 1}, {2, 2}, {3, 3}, {4, 4}}},
		"a point of three numbers":   {"template", "not [x, y]", [][]float64{{1, 1, 1}, {2, 2, 2}, {3, 3, 3}, {4, 4, 4}, {5, 5, 5}}},
		"a template outside":         {"template", "outside the chip", [][]float64{{38, 51}, {173, 51}, {56, 71}, {41, 92}, {70, 92}}},
		"eyes on the wrong side":     {"template", "left to right", [][]float64{{73, 51}, {38, 51}, {56, 71}, {41, 92}, {70, 92}}},
		"points that coincide":       {"template", "left to right", [][]float64{{50, 50}, {50, 50}, {50, 50}, {50, 50}, {50, 50}}},
		"no dimensions":              {"embedding.dimensions", "0 dimensions", 0},
		"a million dimensions":       {"embedding.dimensions", "1000000 dimensions", 1000000},
		"an unknown metric":          {"embedding.metric", "metric", "manhattan"},
		"cosine of raw vectors":      {"embedding.normalize", "set normalize", false},
		"a distance of 0":            {"embedding.distance", "distance of 0", 0},
		"a distance beyond 2":        {"embedding.distance", "distance of 3", 3},
		"no license":                 {"license", "license is missing", nil},
		"no training data":           {"training", "training is missing", nil},
		"a summary that rings":       {"summary", "summary", "ding\a"},
		"limits without end":         {"limits", "limits is not", strings.Repeat("l", 5000)},
		"a field that is not known":  {"threshold", "threshold", 1},
	} {
		m, _ := example(t, "agency")
		set(m, c.path, c.value)
		_, err := models.ParseEngine(encoded(t, m))
		if !errors.Is(err, semblance.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", story, err, c.says)
		}
		if semblance.HintOf(err) == "" {
			t.Errorf("%s: no hint", story)
		}
	}
}

func TestAManifestThatIsNotReadable(t *testing.T) {
	t.Parallel()
	good, _, err := models.ExampleEngine("agency")
	if err != nil {
		t.Fatal(err)
	}
	for story, data := range map[string][]byte{
		"nothing": nil, "half": good[:len(good)/2], "a list": []byte("[]"), "two": append(bytes.Clone(good), good...),
		"NaN for a mean":  bytes.Replace(good, []byte("127.5"), []byte("NaN"), 1),
		"1e999 for scale": bytes.Replace(good, []byte("127.5"), []byte("1e999"), 1),
		"too long":        append(bytes.Clone(good), bytes.Repeat([]byte(" "), 64<<10)...),
	} {
		if _, err := models.ParseEngine(data); !errors.Is(err, semblance.Invalid) {
			t.Errorf("%s: %v", story, err)
		}
	}
}

func FuzzEngine(f *testing.F) {
	good, _, err := models.ExampleEngine("agency")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"template":[[1,2],[3,4],[5,6],[7,8],[9,null]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := models.ParseEngine(data)
		if err != nil {
			if !errors.Is(err, semblance.Invalid) {
				t.Errorf("code of %v", err)
			}
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := models.ParseEngine(again); err != nil || *second != *m {
			t.Errorf("it does not survive a round trip: %v", err)
		}
		if b := m.Bundle("x", nil); !b.Spec.Own() || b.Input.Size < 1 || b.Spec.Dimensions < 1 {
			t.Errorf("%+v", b)
		}
	})
}

// folder writes a bundle and returns its path.
func folder(t testing.TB, parent string, m map[string]any, network []byte) string {
	t.Helper()
	dir := filepath.Join(parent, m["name"].(string))
	write(t, filepath.Join(dir, "engine.json"), encoded(t, m))
	write(t, filepath.Join(dir, "network.onnx"), network)
	return dir
}

// theOwn returns the one engine from a folder.
func theOwn(t testing.TB, l *models.Library, name string) semblance.OwnEngine {
	t.Helper()
	i := slices.IndexFunc(l.OwnEngines(), func(o semblance.OwnEngine) bool { return string(o.Spec.Name) == name })
	if i < 0 {
		t.Fatalf("no own engine %q among %v", name, l.OwnEngines())
	}
	return l.OwnEngines()[i]
}

func TestAnOwnEngineIsKnownListedAndVerified(t *testing.T) {
	t.Parallel()
	engines, elsewhere := t.TempDir(), t.TempDir()
	m, network := example(t, "agency")
	dir := folder(t, engines, m, network)
	other, _ := example(t, "second")
	l := library(t, t.TempDir(), models.Options{EngineDir: engines, Engines: []string{folder(t, elsewhere, other, network)}, Platform: "linux/amd64"})
	for _, name := range []string{"agency", "second"} {
		if o := theOwn(t, l, name); o.Err != nil || !o.Spec.Own() || o.Spec.Dimensions != 512 || !strings.Contains(o.Spec.Limits, "Not trained") || !strings.Contains(o.Spec.Limits, "lead for a trained examiner") {
			t.Errorf("%+v", o)
		}
	}
	arts, err := l.EngineModels("agency")
	var needs []string
	for _, a := range arts {
		needs = append(needs, a.Name)
	}
	if want := []string{"yunet", "onnxruntime", "agency/network.onnx"}; err != nil || !slices.Equal(needs, want) {
		t.Errorf("it needs %v, %v; want %v", needs, err, want)
	}
	if path, err := l.Path("agency/network.onnx"); err != nil || path != filepath.Join(dir, "network.onnx") {
		t.Errorf("%s, %v", path, err)
	}
	network[len(network)-1] ^= 1
	write(t, filepath.Join(dir, "network.onnx"), network)
	list, err := l.Verify(t.Context())
	i := slices.IndexFunc(list, func(s models.Status) bool { return s.Name == "agency/network.onnx" })
	if !errors.Is(err, semblance.Unavailable) || i < 0 || list[i].State != models.Altered || !slices.Equal(list[i].Engines, []string{"agency"}) {
		t.Errorf("%v, %+v", err, list)
	}
	if hint := semblance.HintOf(err); !strings.Contains(hint, "raise its version") || strings.Contains(hint, "pull") {
		t.Errorf("hint %q", hint)
	}
}

func TestAFolderThatIsNoBundleSaysWhy(t *testing.T) {
	t.Parallel()
	for story, c := range map[string]struct {
		says  string
		spoil func(dir string, m map[string]any) error
	}{
		"no manifest":      {"has no engine.json", func(dir string, _ map[string]any) error { return os.Remove(filepath.Join(dir, "engine.json")) }},
		"no network":       {"has no network.onnx", func(dir string, _ map[string]any) error { return os.Remove(filepath.Join(dir, "network.onnx")) }},
		"an empty network": {"0 bytes", func(dir string, _ map[string]any) error { return os.Truncate(filepath.Join(dir, "network.onnx"), 0) }},
		"a huge network": {"bytes", func(dir string, _ map[string]any) error {
			return os.Truncate(filepath.Join(dir, "network.onnx"), 5<<30)
		}},
		"a huge manifest":    {"bytes", func(dir string, _ map[string]any) error { return os.Truncate(filepath.Join(dir, "engine.json"), 1<<30) }},
		"a manifest of zero": {"not readable", func(dir string, _ map[string]any) error { return os.Truncate(filepath.Join(dir, "engine.json"), 10) }},
		"a linked network": {"links are not followed", func(dir string, _ map[string]any) error {
			return link(filepath.Join(dir, "network.onnx"))
		}},
		"a linked manifest": {"links are not followed", func(dir string, _ map[string]any) error { return link(filepath.Join(dir, "engine.json")) }},
		"a folder for a network": {"not a plain file", func(dir string, _ map[string]any) error {
			return errors.Join(os.Remove(filepath.Join(dir, "network.onnx")), os.Mkdir(filepath.Join(dir, "network.onnx"), 0o700))
		}},
		"a name of another folder": {"its folder is named", func(dir string, m map[string]any) error {
			m = maps.Clone(m)
			m["name"] = "other"
			data, err := json.Marshal(m)
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "engine.json"), data, 0o600))
		}},
	} {
		engines := t.TempDir()
		m, network := example(t, "agency")
		dir := folder(t, engines, m, network)
		if err := c.spoil(dir, m); err != nil {
			t.Fatal(err)
		}
		l := library(t, t.TempDir(), models.Options{EngineDir: engines, Platform: "linux/amd64"})
		o := theOwn(t, l, "agency")
		if !errors.Is(o.Err, semblance.Unavailable) || !strings.Contains(o.Err.Error(), c.says) || strings.Contains(o.Err.Error(), engines) {
			t.Errorf("%s: %v; want %q and no path", story, o.Err, c.says)
		}
		_, err := semblance.NewEngineSet(l.OwnEngines()...).ByName("agency")
		if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, when it is asked for: %v", story, err)
		}
		if len(l.Bundles()) != 1 {
			t.Errorf("%s: a worker is given %d bundles, want the manifest's alone", story, len(l.Bundles()))
		}
	}
}

// link puts a link to the same content in a file's place.
func link(path string) error {
	return errors.Join(os.Rename(path, path+".real"), os.Symlink(filepath.Base(path)+".real", path))
}

func TestALinkedFolderIsNotFollowed(t *testing.T) {
	t.Parallel()
	engines := t.TempDir()
	m, network := example(t, "agency")
	if err := os.Symlink(folder(t, t.TempDir(), m, network), filepath.Join(engines, "agency")); err != nil {
		t.Fatal(err)
	}
	l := library(t, t.TempDir(), models.Options{EngineDir: engines})
	if o := theOwn(t, l, "agency"); !errors.Is(o.Err, semblance.Unavailable) || !strings.Contains(o.Err.Error(), "links are not followed") {
		t.Error(o.Err)
	}
}

func TestTwoBundlesOfOneNameAreBothRefused(t *testing.T) {
	t.Parallel()
	m, network := example(t, "agency")
	a, b := t.TempDir(), t.TempDir()
	folder(t, a, m, network)
	l := library(t, t.TempDir(), models.Options{EngineDir: a, Engines: []string{folder(t, b, m, network)}})
	_, err := semblance.NewEngineSet(l.OwnEngines()...).ByName("agency")
	if !errors.Is(err, semblance.Unavailable) || !strings.Contains(err.Error(), "two engines are named") {
		t.Error(err)
	}
	if n := len(l.Bundles()); n != 1 {
		t.Errorf("a worker is given %d bundles", n)
	}
}

func TestTheFingerprintFollowsWhatDecidesAboutEmbeddings(t *testing.T) {
	t.Parallel()
	print := func(path string, v any, detector map[string]string) string {
		m, _ := example(t, "agency")
		if path != "" {
			set(m, path, v)
		}
		p, err := models.ParseEngine(encoded(t, m))
		if err != nil {
			t.Fatal(err)
		}
		return p.Bundle("x", detector).Spec.Fingerprint
	}
	same := print("", nil, nil)
	for path, v := range map[string]any{"summary": "Other words", "embedding.distance": 0.4, "license": "MIT", "version": 2} {
		if print(path, v, nil) != same {
			t.Errorf("%s changes no embedding", path)
		}
	}
	for path, v := range map[string]any{"network.sha256": strings.Repeat("ab", 32), "input.mean": []float64{0, 0, 0}, "input.color": "bgr", "input.layout": "nhwc",
		"embedding.dimensions": 128, "network.output": "fc2", "template": [][]float64{{38, 51}, {73, 51}, {56, 71}, {41, 92}, {70, 92}}} {
		if print(path, v, nil) == same {
			t.Errorf("%s changes every embedding", path)
		}
	}
	if print("", nil, map[string]string{"yunet": "other"}) == same {
		t.Error("another detector finds other landmarks")
	}
}

// TestTheDocumentedExampleIsTheOneThatIsWritten keeps docs/engines.md true.
func TestTheDocumentedExampleIsTheOneThatIsWritten(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/engines.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(page, []byte("```json\n"))
	shown, _, closed := bytes.Cut(rest, []byte("```"))
	data, _, err := models.ExampleEngine("agency-arcface")
	if err != nil || !found || !closed {
		t.Fatal(err, found, closed)
	}
	a, err := models.ParseEngine(shown)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := models.ParseEngine(data); err != nil || *a != *b {
		t.Errorf("docs/engines.md shows %+v, the command writes %+v, %v", a, b, err)
	}
}
