//go:build cgo && native

package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"semblance"
	"semblance/detector"
	"semblance/models"
)

// ownBundle is the example's bundle and its network.
func ownBundle(t testing.TB) (semblance.EngineBundle, []byte) {
	t.Helper()
	data, network, err := models.ExampleEngine("agency")
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.ParseEngine(data)
	if err != nil {
		t.Fatal(err)
	}
	return m.Bundle("agency/network.onnx", nil), network
}

// weights overwrites a tensor of the example's network.
func weights(t testing.TB, network []byte, name string, f func(i int) float32) []byte {
	t.Helper()
	out := bytes.Clone(network)
	at := bytes.Index(out, []byte(name+"\x4a")) // the name, then the key of raw_data
	if at < 0 {
		t.Fatalf("the example has no tensor %q", name)
	}
	at += len(name) + 1
	size, n := binary.Uvarint(out[at:])
	raw := out[at+n : at+n+int(size)]
	for i := range len(raw) / 4 {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(f(i)))
	}
	return out
}

// openOwn opens a bundle with a network that lies in a file of the test's.
func openOwn(t testing.TB, b semblance.EngineBundle, network []byte) (semblance.FaceFinder, error) {
	t.Helper()
	open(t, semblance.YuNetMobileFaceNet) // skips where there are no weights
	path := filepath.Join(t.TempDir(), "network.onnx")
	if err := os.WriteFile(path, network, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := openOwnEngine(b, func(name string) (string, string, error) {
		if name == b.Model {
			return path, "", nil
		}
		return testModels(name)
	}, 1)
	if err == nil {
		t.Cleanup(func() { e.Close() })
	}
	return e, err
}

func TestAnOwnEngineFindsTheSameFacesAsTheBuiltIn(t *testing.T) {
	t.Parallel()
	frame := load(t, pictures(t, "faces/*.jpg")[0])
	bundle, network := ownBundle(t)
	own, err := openOwn(t, bundle, network)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.(interface{ SelfCheck() error }).SelfCheck(); err != nil {
		t.Error(err)
	}
	faces, err := own.Find(frame, semblance.FindOptions{})
	if err != nil || len(faces) == 0 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	theirs, err := open(t, semblance.YuNetMobileFaceNet).Find(frame, semblance.FindOptions{})
	if err != nil || len(theirs) != len(faces) {
		t.Fatalf("%d faces of the built-in engine, %v", len(theirs), err)
	}
	for i := range faces {
		if faces[i].Box != theirs[i].Box || faces[i].Quality != theirs[i].Quality || (faces[i].Embedding == nil) != (theirs[i].Embedding == nil) {
			t.Errorf("face %d: %+v and %+v", i, faces[i].Box, theirs[i].Box)
		}
	}
	spec, sums := own.Spec()
	if v := largest(faces).Embedding; len(v) != 512 || math.Abs(semblance.Cosine.Distance(v, v)) > 1e-6 || spec.Name != "agency" || len(sums) != 2 {
		t.Errorf("%d dimensions of %s with %v", len(v), spec.Name, sums)
	}
}

func TestAnOwnEngineRunsOnEitherDetector(t *testing.T) {
	t.Parallel()
	open(t, semblance.MTCNNMobileFaceNet) // skips where there are no weights
	bundle, network := ownBundle(t)
	bundle.Detector = semblance.DetectorMTCNN
	own, err := openOwn(t, bundle, network)
	if err != nil {
		t.Fatal(err)
	}
	faces, err := own.Find(load(t, pictures(t, "faces/*.jpg")[0]), semblance.FindOptions{})
	if err != nil || largest(faces) == nil || len(largest(faces).Embedding) != 512 {
		t.Fatalf("%d faces, %v", len(faces), err)
	}
	if _, sums := own.Spec(); len(sums) != 4 {
		t.Errorf("it was made with %v", sums)
	}
}

// TestTheOrderOfColorsAndScaleReachTheNetwork gives the same network the same chip
// in four ways that must come out the same.
func TestTheOrderOfColorsAndScaleReachTheNetwork(t *testing.T) {
	t.Parallel()
	frame := load(t, pictures(t, "faces/*.jpg")[0])
	bundle, network := ownBundle(t)
	embed := func(change func(b *semblance.EngineBundle), network []byte) []float32 {
		b := bundle
		change(&b)
		e, err := openOwn(t, b, network)
		if err != nil {
			t.Fatal(err)
		}
		faces, err := e.Find(frame, semblance.FindOptions{})
		if err != nil || len(faces) == 0 {
			t.Fatalf("%d faces, %v", len(faces), err)
		}
		return largest(faces).Embedding
	}
	plain := embed(func(*semblance.EngineBundle) {}, network)
	// The filter's planes of red and blue change places, and so do the picture's.
	const plane = 16 * 16
	var filter []float32
	weights(t, network, "filter", func(i int) float32 { filter = append(filter, 0); return 0 })
	at := bytes.Index(network, []byte("filter\x4a")) + len("filter\x4a")
	_, n := binary.Uvarint(network[at:])
	for i := range filter {
		filter[i] = math.Float32frombits(binary.LittleEndian.Uint32(network[at+n+4*i:]))
	}
	swapped := weights(t, network, "filter", func(i int) float32 {
		channel, color, place := i/(3*plane), i/plane%3, i%plane
		return filter[channel*3*plane+(2-color)*plane+place]
	})
	bgr := embed(func(b *semblance.EngineBundle) { b.Input.BGR = true }, swapped)
	scaled := embed(func(b *semblance.EngineBundle) { b.Input.Scale = [3]float32{255, 255, 255} },
		weights(t, network, "filter", func(i int) float32 { return filter[i] * 2 }))
	wrong := embed(func(b *semblance.EngineBundle) { b.Input.BGR = true }, network)
	for story, v := range map[string][]float32{"blue first": bgr, "half the values, twice the weights": scaled} {
		if d := semblance.Cosine.Distance(plain, v); d > 1e-5 {
			t.Errorf("%s: distance %g", story, d)
		}
	}
	if d := semblance.Cosine.Distance(plain, wrong); d < 1e-3 {
		t.Errorf("the order of colors changes nothing: distance %g", d)
	}
}

func TestANetworkThatIsNotWhatItsManifestSaysIsRefused(t *testing.T) {
	t.Parallel()
	bundle, network := ownBundle(t)
	for story, c := range map[string]struct {
		says   string
		change func(b *semblance.EngineBundle)
	}{
		"wrong dimensions":     {"the manifest says 256 dimensions", func(b *semblance.EngineBundle) { b.Spec.Dimensions = 256 }},
		"another picture size": {"the manifest says pictures of 160 by 160", func(b *semblance.EngineBundle) { b.Input.Size = 160 }},
		"another layout":       {"layout [N 112 112 3]", func(b *semblance.EngineBundle) { b.Input.NHWC = true }},
		"another output":       {`no output "fc2", only ["fc1"]`, func(b *semblance.EngineBundle) { b.Output = "fc2" }},
		"another input":        {`no input "input", only ["data"]`, func(b *semblance.EngineBundle) { b.Input.Name = "input" }},
		"an unknown detector":  {"no detector", func(b *semblance.EngineBundle) { b.Detector = "retina" }},
	} {
		b := bundle
		c.change(&b)
		_, err := openOwn(t, b, network)
		if semblance.CodeOf(err) != semblance.Unavailable || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", story, err, c.says)
		}
	}
	if _, err := openOwn(t, bundle, []byte("not a network")); semblance.CodeOf(err) != semblance.Unavailable || !strings.Contains(err.Error(), "not an ONNX file") {
		t.Errorf("no network at all: %v", err)
	}
	unnamed := bundle
	unnamed.Input.Name, unnamed.Output = "", ""
	if _, err := openOwn(t, unnamed, network); err != nil {
		t.Errorf("with one input and one output there is nothing to name: %v", err)
	}
}

func TestEmbeddingsThatMeanNothingAreAnError(t *testing.T) {
	t.Parallel()
	frame := load(t, pictures(t, "faces/*.jpg")[0])
	bundle, network := ownBundle(t)
	zero := func(int) float32 { return 0 }
	for story, c := range map[string]struct {
		network []byte
		find    bool // whether Find fails as well, and not the self-check alone
		says    string
	}{
		"NaN":      {weights(t, network, "projection", func(int) float32 { return float32(math.NaN()) }), true, "no usable embedding"},
		"infinity": {weights(t, network, "offset", func(int) float32 { return float32(math.Inf(1)) }), true, "no usable embedding"},
		"zero":     {weights(t, weights(t, network, "projection", zero), "offset", zero), true, "no usable embedding"},
		"constant": {weights(t, network, "projection", zero), false, "the same embedding"},
	} {
		e, err := openOwn(t, bundle, c.network)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.(interface{ SelfCheck() error }).SelfCheck(); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(semblance.HintOf(err), "engine.json") {
			t.Errorf("%s: the self-check says %v, hint %q", story, err, semblance.HintOf(err))
		}
		faces, err := e.Find(frame, semblance.FindOptions{})
		if c.find != (err != nil) || c.find && faces != nil {
			t.Errorf("%s: %d faces, %v", story, len(faces), err)
		}
	}
}

func TestTemplatesOfManifestsAreTheDetectors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]detector.Template{"arcface-112": detector.Template112(), "dlib-150": detector.TemplateDlib150()} {
		var got models.EngineTemplate
		if err := got.UnmarshalJSON([]byte(`"` + name + `"`)); err != nil {
			t.Fatal(err)
		}
		m := models.EngineManifest{Template: got}
		if m.Bundle("x", nil).Template != want.Points {
			t.Errorf("%s is another one", name)
		}
	}
}
