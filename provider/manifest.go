package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"semblance"
	"semblance/hashing"
)

// ManifestFile is the name of the manifest in a provider's folder.
const ManifestFile = "manifest.json"

// manifestFormat is raised when a manifest or the protocol means something else.
const manifestFormat = 1

// A Manifest says what a provider is, what it gives and what it may cost.
// docs/providers.md explains each field.
type Manifest struct {
	Format    int                    `json:"format"`
	Name      semblance.ProviderName `json:"name"`
	Version   string                 `json:"version"`
	Enabled   *bool                  `json:"enabled,omitempty"` // nil: yes
	License   string                 `json:"license,omitempty"`
	Program   string                 `json:"program"` // a file of the folder, or an interpreter's absolute path
	Arguments []string               `json:"arguments,omitempty"`
	Files     map[string]string      `json:"files"`             // every file of the folder but the manifest, and its sha256
	Read      []string               `json:"read,omitempty"`    // folders outside that it may read, such as an interpreter's library
	Upright   bool                   `json:"upright,omitempty"` // pictures are turned as the EXIF orientation says, and not as stored
	Hash      *HashGift              `json:"hash,omitempty"`
	Labels    []string               `json:"labels,omitempty"`
	Ages      bool                   `json:"ages,omitempty"`
	Faces     *FaceGift              `json:"faces,omitempty"`

	Seconds      float64 `json:"seconds,omitempty"`       // for a picture; 0 is 10
	StartSeconds float64 `json:"start_seconds,omitempty"` // until it answers the hello; 0 is 60
	MemoryMB     int     `json:"memory_mb,omitempty"`     // 0 is 1024
	Processes    int     `json:"processes,omitempty"`     // at most at once; 0: as many as there are workers
}

// pictureSide is the longest side of a picture that a program is given. It is the same for
// all, so that what one is given does not depend on which others there are.
const pictureSide = 1024

// A HashGift is that a provider gives a value to be compared.
type HashGift struct {
	Algorithm hashing.Algorithm `json:"algorithm,omitempty"` // photodna; empty: its own, of the metric and length below
	Metric    hashing.Metric    `json:"metric,omitempty"`
	Bytes     int               `json:"bytes,omitempty"`
	Distance  int               `json:"distance,omitempty"` // default threshold of its own algorithm
}

// A FaceGift is that a provider finds and embeds faces.
type FaceGift struct {
	Dimensions int              `json:"dimensions"`
	Metric     semblance.Metric `json:"metric"`
	Distance   float64          `json:"distance"`
	Limits     string           `json:"limits,omitempty"`
	Training   string           `json:"training,omitempty"`
}

// Bounds of what a manifest may say.
const (
	maxManifest = 1 << 20
	maxFiles    = 10_000
	maxLabels   = 1_000
	maxText     = 500
	maxDims     = 4096
)

var (
	providerName    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)
	providerVersion = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,19}$`)
	hexSum          = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ParseManifest reads a manifest and fills in defaults. The error says in words what is
// wrong with it.
func ParseManifest(data []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("it is not JSON of a manifest: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, errors.New("something follows the manifest's JSON")
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("format %d is not one of this version, which reads %d", m.Format, manifestFormat)
	}
	m.fill()
	for _, check := range []func() error{m.checkIdentity, m.checkFiles, m.checkGifts, m.checkCosts} {
		if err := check(); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m *Manifest) fill() {
	if m.Seconds == 0 {
		m.Seconds = 10
	}
	if m.StartSeconds == 0 {
		m.StartSeconds = 60
	}
	if m.MemoryMB == 0 {
		m.MemoryMB = 1024
	}
}

func (m *Manifest) checkIdentity() error {
	switch {
	case !providerName.MatchString(string(m.Name)):
		return fmt.Errorf("%q is no name: up to 40 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit", clip(string(m.Name), 60))
	case !providerVersion.MatchString(m.Version):
		return fmt.Errorf("%q is no version: up to 20 lower-case letters, digits, dots, dashes and underscores", clip(m.Version, 60))
	case len(m.License) > 100_000 || !utf8.ValidString(m.License):
		return errors.New("the license is not a text of at most 100,000 bytes")
	}
	return nil
}

func (m *Manifest) checkFiles() error {
	if len(m.Files) == 0 || len(m.Files) > maxFiles {
		return fmt.Errorf("it names %d files; it is 1 to %d, each with its sha256", len(m.Files), maxFiles)
	}
	for name, sum := range m.Files {
		if name == ManifestFile || !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsAny(name, "\\\x00") {
			return fmt.Errorf("%q is no file of the folder", clip(name, 60))
		}
		if !hexSum.MatchString(sum) {
			return fmt.Errorf("the sha256 of %q is not 64 lower-case hex digits", clip(name, 60))
		}
	}
	if _, own := m.Files[m.Program]; !own && !plainPath(m.Program) {
		return fmt.Errorf("the program %q is neither one of the files nor the absolute path of an interpreter", clip(m.Program, 60))
	}
	for _, dir := range m.Read {
		if !plainPath(dir) || dir == "/" || !below(dir, "/usr", "/opt", "/lib", "/lib64") {
			return fmt.Errorf("it asks to read %q; only folders below /usr, /opt, /lib and /lib64 can be had", clip(dir, 60))
		}
	}
	if len(m.Arguments) > 100 || len(m.Read) > 100 {
		return errors.New("it has more than 100 arguments or folders to read")
	}
	for _, a := range m.Arguments {
		if strings.ContainsRune(a, 0) || len(a) > 4096 {
			return errors.New("an argument is not a text of at most 4,096 bytes")
		}
	}
	return nil
}

func plainPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsRune(p, 0)
}

func below(p string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(p, d+"/") })
}

func (m *Manifest) checkGifts() error {
	if m.Hash == nil && len(m.Labels) == 0 && !m.Ages && m.Faces == nil {
		return errors.New("it gives nothing: hash, labels, ages or faces are missing")
	}
	if m.Faces != nil && (m.Hash != nil || len(m.Labels) > 0 || m.Ages) {
		return errors.New("a provider of faces gives nothing else: make a second folder for the rest")
	}
	if m.Hash != nil {
		if _, err := m.algorithm(); err != nil {
			return err
		}
	}
	if len(m.Labels) > maxLabels {
		return fmt.Errorf("it has %d labels; %d is the most", len(m.Labels), maxLabels)
	}
	for i, l := range m.Labels {
		if !printable(l, 100) || slices.Contains(m.Labels[:i], l) {
			return fmt.Errorf("label %q is there twice, or is no text of at most 100 bytes", clip(l, 60))
		}
	}
	if m.Faces != nil {
		return m.checkFaces()
	}
	return nil
}

// algorithm is that of the values it gives.
func (m *Manifest) algorithm() (hashing.Algorithm, error) {
	h := m.Hash
	if h.Algorithm != "" {
		if h.Algorithm != hashing.AlgorithmPhotoDNA || h.Metric != "" || h.Bytes != 0 || h.Distance != 0 {
			return "", fmt.Errorf("a hash is photodna and nothing else, or its own: metric, bytes and distance; not %q", clip(string(h.Algorithm), 60))
		}
		return h.Algorithm, nil
	}
	a, err := hashing.OwnAlgorithm(string(m.Name), m.Version, h.Metric, h.Bytes)
	if err != nil {
		return "", err
	}
	if most := h.Metric.Farthest(h.Bytes); h.Distance < 0 || h.Distance > most/2 {
		return "", fmt.Errorf("a distance of %d is outside 0 to %d, half of the farthest", h.Distance, most/2)
	}
	return a, nil
}

func (m *Manifest) checkFaces() error {
	f := m.Faces
	switch {
	case f.Dimensions < 1 || f.Dimensions > maxDims:
		return fmt.Errorf("faces of %d dimensions; it is 1 to %d", f.Dimensions, maxDims)
	case f.Metric != semblance.Cosine && f.Metric != semblance.Euclid:
		return fmt.Errorf("faces are compared by cosine or euclid, not %q", clip(string(f.Metric), 60))
	case !(f.Distance > 0 && f.Distance <= 2):
		return fmt.Errorf("a distance of faces of %v is outside 0 to 2", f.Distance)
	case !printable(f.Limits, maxText) || !printable(f.Training, maxText):
		return fmt.Errorf("limits and training are texts of at most %d bytes", maxText)
	case !m.Upright:
		return errors.New("faces are looked for in upright pictures: say \"upright\": true")
	}
	if v, err := strconv.Atoi(m.Version); err != nil || v < 1 || v > 1_000_000 {
		return fmt.Errorf("the version of a provider of faces is a whole number, not %q: collections are bound to it", m.Version)
	}
	return nil
}

func (m *Manifest) checkCosts() error {
	switch {
	case !(m.Seconds >= 0.1 && m.Seconds <= 600) || !(m.StartSeconds >= 0.1 && m.StartSeconds <= 600):
		return errors.New("seconds and start_seconds are 0.1 to 600")
	case m.MemoryMB < 16 || m.MemoryMB > 1<<20:
		return errors.New("memory_mb is 16 to 1048576")
	case m.Processes < 0 || m.Processes > 256:
		return errors.New("processes is 0 to 256")
	}
	return nil
}

// Spec is what the rest of the product is told.
func (m *Manifest) Spec() semblance.ProviderSpec {
	s := semblance.ProviderSpec{Name: m.Name, Version: m.Version, Labels: m.Labels, Ages: m.Ages, License: m.License, Fingerprint: m.fingerprint()}
	if m.Hash != nil {
		s.Algorithm, _ = m.algorithm() // checked when it was parsed
		s.Distance = m.Hash.Distance
	}
	if m.Faces != nil {
		s.Engine = semblance.EngineName(m.Name)
	}
	return s
}

// EngineSpec is a provider of faces as a face engine.
func (m *Manifest) EngineSpec() semblance.EngineSpec {
	version, _ := strconv.Atoi(m.Version)
	limits := m.Faces.Limits
	if limits == "" {
		limits = semblance.CommonLimits
	}
	return semblance.EngineSpec{Name: semblance.EngineName(m.Name), Version: version, Dimensions: m.Faces.Dimensions, Metric: m.Faces.Metric, Distance: m.Faces.Distance,
		Summary: "a provider: a program of the agency's own", Limits: limits, License: firstLine(m.License), Training: m.Faces.Training, Fingerprint: m.fingerprint()}
}

// fingerprint is over all that decides about what the provider gives, and nothing that
// only decides about its cost.
func (m *Manifest) fingerprint() string {
	b, _ := json.Marshal(struct { // plain data: cannot fail
		Name      semblance.ProviderName
		Version   string
		Program   string
		Arguments []string
		Files     map[string]string
		Upright   bool
		Hash      *HashGift
		Labels    []string
		Ages      bool
		Faces     *FaceGift
	}{m.Name, m.Version, m.Program, m.Arguments, m.Files, m.Upright, m.Hash, m.Labels, m.Ages, m.Faces})
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// perPicture is the time limit of a picture.
func (m *Manifest) perPicture() time.Duration { return time.Duration(m.Seconds * float64(time.Second)) }

func (m *Manifest) toStart() time.Duration {
	return time.Duration(m.StartSeconds * float64(time.Second))
}

// printable reports whether s can be shown, stored and logged as it is.
func printable(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// clean makes text of a program fit to be shown.
func clean(s string, size int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	return clip(strings.Join(strings.Fields(s), " "), size)
}

// clip cuts s to size bytes without cutting a character.
func clip(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return clip(line, 200)
}
