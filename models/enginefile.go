package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"semblance"
)

// EngineFile is the name of the manifest of an own engine, in its folder.
const EngineFile = "engine.json"

// engineFormat is the format that EngineFile names.
const engineFormat = "semblance-engine/1"

// An EngineManifest describes an own engine: a detector that is built in, and a
// network of the agency's with all that has to be known to feed it.
type EngineManifest struct {
	Format    string          `json:"format"`   // "semblance-engine/1"
	Name      string          `json:"name"`     // of the engine, and of its folder
	Version   int             `json:"version"`  // raised when the same face would get another embedding
	Detector  string          `json:"detector"` // "yunet" or "mtcnn"
	Network   EngineNetwork   `json:"network"`
	Input     EngineInput     `json:"input"`
	Template  EngineTemplate  `json:"template"`
	Embedding EngineEmbedding `json:"embedding"`
	License   string          `json:"license"`
	Training  string          `json:"training"` // the data it was trained on; "not known" is an answer
	Summary   string          `json:"summary"`
	Limits    string          `json:"limits,omitempty"` // what is known beyond what holds for every engine
}

// An EngineNetwork is the ONNX file.
type EngineNetwork struct {
	File   string `json:"file"`             // a plain name in the folder
	SHA256 string `json:"sha256"`           // lower-case hex
	Input  string `json:"input,omitempty"`  // name of the input; empty: its only one
	Output string `json:"output,omitempty"` // name of the output; empty: its only one
}

// An EngineInput says how a chip is fed: each value is (pixel - mean) / scale.
type EngineInput struct {
	Size   int        `json:"size"`   // side of the chip in pixels
	Color  string     `json:"color"`  // "rgb" or "bgr"
	Layout string     `json:"layout"` // "nchw" (planes) or "nhwc" (pixels)
	Mean   [3]float32 `json:"mean"`   // red, green, blue, whatever the color order
	Scale  [3]float32 `json:"scale"`  // likewise; divided by
}

// An EngineEmbedding says what the network gives.
type EngineEmbedding struct {
	Dimensions int              `json:"dimensions"`
	Metric     semblance.Metric `json:"metric"`
	Normalize  bool             `json:"normalize"` // divide by the length before comparing; cosine needs it
	Distance   float64          `json:"distance"`  // default threshold of a new collection
}

// An EngineTemplate is where the five landmarks lie in the chip: in JSON, the name of
// a template or five points.
type EngineTemplate struct {
	name   string
	points [5]semblance.Point
}

// namedTemplates are those that can be named, with the chip they belong to. They
// are those of package detector; a test of the worker compares.
func namedTemplates() map[string]EngineTemplate {
	return map[string]EngineTemplate{
		"arcface-112": {name: "arcface-112", points: [5]semblance.Point{{X: 38.2946, Y: 51.6963}, {X: 73.5318, Y: 51.5014}, {X: 56.0252, Y: 71.7366}, {X: 41.5493, Y: 92.3655}, {X: 70.7299, Y: 92.2041}}},
		"dlib-150":    {name: "dlib-150", points: [5]semblance.Point{{X: 48.9, Y: 44.3}, {X: 100.4, Y: 46.3}, {X: 73.9, Y: 76.6}, {X: 51.2, Y: 98.9}, {X: 95.7, Y: 100.6}}},
	}
}

// UnmarshalJSON reads a name or five points.
func (t *EngineTemplate) UnmarshalJSON(b []byte) error {
	var name string
	if json.Unmarshal(b, &name) == nil {
		known, ok := namedTemplates()[name]
		if !ok {
			return fmt.Errorf("no template is named %q; arcface-112 and dlib-150 are, or give five points", clip(name, 40))
		}
		*t = known
		return nil
	}
	var points [][]float32
	if err := json.Unmarshal(b, &points); err != nil || len(points) != 5 {
		return errors.New("the template is neither a name nor five points [x, y]")
	}
	for i, p := range points {
		if len(p) != 2 {
			return errors.New("a point of the template is not [x, y]")
		}
		t.points[i] = semblance.Point{X: p[0], Y: p[1]}
	}
	return nil
}

// MarshalJSON writes a name or five points.
func (t EngineTemplate) MarshalJSON() ([]byte, error) {
	if t.name != "" {
		return json.Marshal(t.name)
	}
	var points [5][2]float32
	for i, p := range t.points {
		points[i] = [2]float32{p.X, p.Y}
	}
	return json.Marshal(points)
}

// What a manifest may claim at most.
const (
	maxEngineFile = 64 << 10 // bytes of a manifest
	maxNetwork    = 1 << 30  // bytes of a network; a worker has 3 GiB in all
	maxDimensions = 1024     // more would not fit a worker's answer for hundreds of faces
	minChip       = 32       // pixels
	maxChip       = 512
)

// ParseEngine reads and checks the manifest of an own engine. The error has code
// Invalid and lists everything that is wrong; the manifest is what could be read.
func ParseEngine(data []byte) (*EngineManifest, error) {
	m := new(EngineManifest)
	if len(data) > maxEngineFile {
		return m, semblance.Errorf(semblance.Invalid, "%s has %d bytes, and %d are enough for one", EngineFile, len(data), maxEngineFile)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(m)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows it")
		}
	}
	if err != nil {
		return m, semblance.Errorf(semblance.Invalid, "%s is not readable: %v", EngineFile, err).
			WithHint("docs/engines.md has the format with an example; NaN is not a number in JSON.")
	}
	if err := m.validate(); err != nil {
		return m, semblance.Errorf(semblance.Invalid, "%s is not usable: %v", EngineFile, err).
			WithHint("docs/engines.md has the format with an example.")
	}
	return m, nil
}

var (
	engineName  = regexp.MustCompile(`^[a-z][a-z0-9-]{1,39}$`)
	networkFile = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	tensorName  = regexp.MustCompile(`^[\x21-\x7e]{0,200}$`)
)

func (m *EngineManifest) validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(m.Format != engineFormat, "its format is %q, and %q is known", clip(m.Format, 40), engineFormat)
	refuse(!engineName.MatchString(m.Name), "%q cannot name an engine: 2 to 40 lower-case letters, digits and dashes, beginning with a letter", clip(m.Name, 60))
	refuse(builtIn(m.Name), "%q is the name of an engine that is built in", m.Name)
	refuse(m.Name == "all" || m.Name == "default", "%q cannot name an engine: commands use the word", m.Name)
	refuse(m.Version < 1 || m.Version > 1e6, "version %d is not 1 or more", m.Version)
	refuse(m.Detector != semblance.DetectorYuNet && m.Detector != semblance.DetectorMTCNN, "no detector is named %q; yunet and mtcnn are", clip(m.Detector, 40))
	sum, err := hex.DecodeString(m.Network.SHA256)
	refuse(err != nil || len(sum) != 32 || m.Network.SHA256 != strings.ToLower(m.Network.SHA256), "the network's sha256 is not 64 lower-case hexadecimal digits")
	refuse(!networkFile.MatchString(m.Network.File) || m.Network.File == EngineFile, "the network's file %q is not a plain name in the folder", clip(m.Network.File, 60))
	refuse(!tensorName.MatchString(m.Network.Input) || !tensorName.MatchString(m.Network.Output), "the name of the network's input or output is not plain text")
	for name, text := range map[string]string{"license": m.License, "training": m.Training, "summary": m.Summary} {
		refuse(!sentence(text) || text == "", "%s is missing or not a text of at most %d bytes", name, maxSentence)
	}
	refuse(!sentence(m.Limits), "limits is not a text of at most %d bytes", maxSentence)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := m.Input.validate(); err != nil {
		errs = append(errs, err)
	} else if err := m.Template.validate(m.Input.Size); err != nil {
		errs = append(errs, err)
	}
	if err := m.Embedding.validate(); err != nil {
		errs = append(errs, err)
	}
	return oneLine(errs)
}

// oneLine makes one sentence of several errors.
func oneLine(errs []error) error {
	var said []string
	for _, err := range errs {
		said = append(said, err.Error())
	}
	if len(said) == 0 {
		return nil
	}
	return errors.New(strings.Join(said, "; "))
}

func builtIn(name string) bool {
	return slices.ContainsFunc(semblance.Engines(), func(s semblance.EngineSpec) bool { return string(s.Name) == name })
}

func (in *EngineInput) validate() error {
	switch {
	case in.Size < minChip || in.Size > maxChip:
		return fmt.Errorf("an input of %d pixels is not between %d and %d", in.Size, minChip, maxChip)
	case in.Color != "rgb" && in.Color != "bgr":
		return fmt.Errorf("the color order %q is not rgb or bgr", clip(in.Color, 40))
	case in.Layout != "nchw" && in.Layout != "nhwc":
		return fmt.Errorf("the layout %q is not nchw or nhwc", clip(in.Layout, 40))
	}
	for i := range 3 {
		if !(math.Abs(float64(in.Mean[i])) <= 1e4) {
			return fmt.Errorf("a mean of %v is out of range", in.Mean[i])
		}
		if s := math.Abs(float64(in.Scale[i])); !(s >= 1e-4 && s <= 1e6) {
			return fmt.Errorf("a scale of %v is out of range; values are divided by it, so 1 changes nothing", in.Scale[i])
		}
	}
	return nil
}

func (t *EngineTemplate) validate(size int) error {
	if t.name != "" && !strings.HasSuffix(t.name, fmt.Sprintf("-%d", size)) {
		return fmt.Errorf("the template %s is for another chip than one of %d pixels", t.name, size)
	}
	p := t.points
	for _, v := range p {
		if !(v.X >= 0 && v.Y >= 0 && v.X < float32(size) && v.Y < float32(size)) {
			return fmt.Errorf("the template's point (%v, %v) lies outside the chip of %d pixels", v.X, v.Y, size)
		}
	}
	least := float32(size) / 16
	if p[1].X-p[0].X < least || p[4].X-p[3].X < least || min(p[3].Y, p[4].Y)-max(p[0].Y, p[1].Y) < least {
		return errors.New("the template's points are not eye, eye, nose, mouth corner, mouth corner, left to right in the picture")
	}
	return nil
}

func (e *EngineEmbedding) validate() error {
	switch {
	case e.Dimensions < 2 || e.Dimensions > maxDimensions:
		return fmt.Errorf("%d dimensions are not between 2 and %d", e.Dimensions, maxDimensions)
	case e.Metric != semblance.Cosine && e.Metric != semblance.Euclid:
		return fmt.Errorf("the metric %q is not cosine or euclid", clip(string(e.Metric), 40))
	case e.Metric == semblance.Cosine && !e.Normalize:
		return errors.New("cosine distances are of normalized embeddings: set normalize")
	case !(e.Distance > 0 && e.Distance <= 2):
		return fmt.Errorf("a default distance of %v is not above 0 and at most 2", e.Distance)
	}
	return nil
}

const maxSentence = 1000

// sentence reports whether s can be shown as it is.
func sentence(s string) bool {
	return len(s) <= maxSentence && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clip cuts s to size bytes without cutting a character.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "")
}

// Bundle returns what runs the engine. detector is the sha256 of each of the
// detector's models; model is the name under which a worker is given the network.
func (m *EngineManifest) Bundle(model string, detector map[string]string) semblance.EngineBundle {
	limits := semblance.CommonLimits
	if m.Limits != "" {
		limits = m.Limits + " " + limits
	}
	b := semblance.EngineBundle{
		Spec: semblance.EngineSpec{Name: semblance.EngineName(m.Name), Version: m.Version, Dimensions: m.Embedding.Dimensions, Metric: m.Embedding.Metric,
			Distance: m.Embedding.Distance, Summary: m.Summary, Limits: limits, License: m.License, Training: m.Training},
		Detector: m.Detector, Model: model, Output: m.Network.Output, Template: m.Template.points, Normalize: m.Embedding.Normalize,
		Input: semblance.NetworkInput{Name: m.Network.Input, Size: m.Input.Size, NHWC: m.Input.Layout == "nhwc", BGR: m.Input.Color == "bgr", Mean: m.Input.Mean, Scale: m.Input.Scale},
	}
	b.Spec.Fingerprint = m.fingerprint(detector)
	return b
}

// fingerprint is the sha256 of all that decides about an embedding. Texts, the
// default threshold and the names of files are left out: changing them changes no
// signal.
func (m *EngineManifest) fingerprint(detector map[string]string) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{engineFormat, m.Detector, detector, m.Network.SHA256, m.Network.Input, m.Network.Output, m.Input, m.Template.points,
		m.Embedding.Dimensions, m.Embedding.Metric, m.Embedding.Normalize}) // numbers and text always encode
	return hex.EncodeToString(h.Sum(nil))
}
