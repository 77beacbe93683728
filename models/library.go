package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"semblance"
)

// Options of a Library. The zero value works.
type Options struct {
	// Manifest replaces the built-in one.
	Manifest *Manifest
	// Folders are read-only folders searched before any other source, such as the
	// models folder of another installation.
	Folders []string
	// EngineDir is a folder with a folder for each own engine; it need not exist.
	EngineDir string
	// Engines are further folders, each of one own engine.
	Engines []string
	// Platform is the operating system and architecture to serve, such as
	// linux/amd64; empty means this one.
	Platform string
	// Pip and Npm are the commands that ask the registries; empty means what is
	// found in PATH.
	Pip, Npm []string
}

// A Library is a folder of artifacts. It is safe for concurrent use.
type Library struct {
	dir      string
	opts     Options
	manifest *Manifest
	own      []ownEngine

	mu      sync.Mutex
	checked map[string]fingerprint // files that were hashed and found right, by path

	wrap func(io.Writer) io.Writer // tests put a failing disk here; nil otherwise
}

// A fingerprint tells whether a file may have changed since it was hashed.
type fingerprint struct {
	size    int64
	changed time.Time
}

// Open returns the library in dir, which need not exist yet and is created by the
// first Pull or Import. It reads nothing but the manifest, and those of own engines:
// one that is not usable is no error, see OwnEngines.
func Open(dir string, o Options) (*Library, error) {
	if dir == "" {
		return nil, semblance.Errorf(semblance.Invalid, "no folder for models is set").
			WithHint("set SEMBLANCE_DATA, or --data")
	}
	m := o.Manifest
	if m == nil {
		var err error
		if m, err = BuiltIn(); err != nil {
			return nil, err
		}
	}
	if o.Platform == "" {
		o.Platform = runtime.GOOS + "/" + runtime.GOARCH
	}
	l := &Library{dir: dir, opts: o, manifest: m, checked: map[string]fingerprint{}}
	return l, l.readOwn()
}

// Dir returns the folder.
func (l *Library) Dir() string { return l.dir }

// Engines returns the table of engines and what they need: those of the manifest in
// its order, then the own ones that are usable.
func (l *Library) Engines() []Engine {
	out := slices.Clone(l.manifest.Engines)
	for _, o := range l.own {
		if o.err == nil && o.network.dir != "" {
			out = append(out, Engine{Name: o.name, Needs: o.needs})
		}
	}
	return out
}

// EngineModels returns the artifacts an engine needs, for the library's platform.
// NotFound when there is no such engine, Unavailable when it cannot run on the platform.
func (l *Library) EngineModels(engine string) ([]Artifact, error) {
	for _, e := range l.Engines() {
		if e.Name != engine {
			continue
		}
		var out []Artifact
		for _, n := range e.Needs {
			a, err := l.artifact(n)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
		return out, nil
	}
	for _, o := range l.own {
		if o.name == engine && o.err != nil {
			return nil, o.err
		}
	}
	return nil, semblance.Errorf(semblance.NotFound, "there is no engine %q", engine)
}

// Artifact returns what the manifest says of a name. NotFound when it says nothing,
// Unavailable when it has nothing for the library's platform.
func (l *Library) Artifact(name string) (Artifact, error) { return l.artifact(name) }

func (l *Library) artifact(name string) (Artifact, error) {
	for _, o := range l.own {
		if o.err == nil && o.network.dir != "" && o.network.Name == name {
			return o.network, nil
		}
	}
	if a, ok := l.manifest.artifact(name, l.opts.Platform); ok {
		return a, nil
	}
	for _, a := range l.manifest.Artifacts {
		if a.Name == name {
			return Artifact{}, semblance.Errorf(semblance.Unavailable, "there is no %s for %s", name, l.opts.Platform)
		}
	}
	return Artifact{}, semblance.Errorf(semblance.NotFound, "there is no model %q", name).
		WithHint("`semblance models list` shows their names")
}

// resolve turns names of engines and artifacts into artifacts, each once, in order.
// No name means the default engine, "all" everything the platform can use.
func (l *Library) resolve(names []string) ([]Artifact, error) {
	if len(names) == 0 {
		names = []string{l.manifest.DefaultEngine()}
	}
	var out []Artifact
	add := func(more ...Artifact) {
		for _, a := range more {
			if !slices.ContainsFunc(out, func(b Artifact) bool { return a.File == b.File && a.dir == b.dir }) {
				out = append(out, a)
			}
		}
	}
	for _, n := range names {
		if n == "all" {
			add(l.usable()...)
		} else if needs, err := l.EngineModels(n); err == nil {
			add(needs...)
		} else if semblance.CodeOf(err) != semblance.NotFound {
			return nil, err
		} else if a, err := l.artifact(n); err == nil {
			add(a)
		} else {
			return nil, err
		}
	}
	return out, nil
}

// usable lists the artifacts of the library's platform.
func (l *Library) usable() []Artifact {
	var out []Artifact
	for _, a := range l.manifest.Artifacts {
		if a.Platform == "" || a.Platform == l.opts.Platform {
			out = append(out, a)
		}
	}
	return out
}

// Path returns where a verified artifact lies. It is hashed once for each process
// and again when its size or time changes; a program that needs certainty about the
// very bytes it uses calls Read. Unavailable when it is missing or has been altered,
// and the hint says how to get it.
func (l *Library) Path(name string) (string, error) {
	a, err := l.artifact(name)
	if err != nil {
		return "", err
	}
	return l.path(a), l.check(a, false)
}

// Read returns the bytes of an artifact, verified as they are returned. The caller
// owns them. The codes are those of Path.
func (l *Library) Read(name string) ([]byte, error) {
	a, err := l.artifact(name)
	if err != nil {
		return nil, err
	}
	f, err := l.openSized(a)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, a.Size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, unreadable(a, err)
	}
	sum := sha256.Sum256(b)
	if got := hex.EncodeToString(sum[:]); got != a.SHA256 {
		return nil, altered(a, got)
	}
	return b, nil
}

func (l *Library) path(a Artifact) string {
	if a.dir != "" {
		return filepath.Join(a.dir, a.File)
	}
	return filepath.Join(l.dir, a.File)
}

// openSized opens an artifact's file once it is known to be a plain one of the right size.
func (l *Library) openSized(a Artifact) (*os.File, error) {
	stat := os.Stat
	if a.dir != "" {
		stat = os.Lstat // links are not followed out of a bundle
	}
	info, err := stat(l.path(a))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, semblance.Errorf(semblance.Unavailable, "the model %s (%s) is not here", a.Name, a.File).
			WithHint("%s", l.pullHint(a))
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a plain file")
	}
	if err != nil {
		return nil, unreadable(a, err)
	}
	if info.Size() != a.Size {
		return nil, semblance.Errorf(semblance.Unavailable, "the model %s (%s) has been altered (%d bytes instead of %d)",
			a.Name, a.File, info.Size(), a.Size).WithHint("%s", pullAgain(a))
	}
	f, err := os.Open(l.path(a))
	if err != nil {
		return nil, unreadable(a, err)
	}
	return f, nil
}

// check verifies an artifact, from memory when the file looks unchanged and always is not set.
func (l *Library) check(a Artifact, always bool) error {
	f, err := l.openSized(a)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return unreadable(a, err)
	}
	now := fingerprint{info.Size(), info.ModTime()}
	l.mu.Lock()
	known, ok := l.checked[l.path(a)]
	l.mu.Unlock()
	if ok && known == now && !always {
		return nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return unreadable(a, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != a.SHA256 {
		return altered(a, got)
	}
	l.mu.Lock()
	l.checked[l.path(a)] = now
	l.mu.Unlock()
	return nil
}

func altered(a Artifact, got string) error {
	return semblance.Errorf(semblance.Unavailable, "the model %s (%s) has been altered (sha256 %s instead of %s)",
		a.Name, a.File, got, a.SHA256).WithHint("%s", pullAgain(a))
}

func unreadable(a Artifact, err error) error {
	var where *fs.PathError
	if errors.As(err, &where) {
		err = where.Err // the sentence is shown to people: no path of the server's own
	}
	return semblance.Errorf(semblance.Unavailable, "the model %s (%s) is not readable: %v", a.Name, a.File, err)
}

func (l *Library) pullHint(a Artifact) string {
	if a.dir != "" {
		return mendOwn(a)
	}
	if engines := l.manifest.needed(a.Name); len(engines) > 0 {
		return "`semblance models pull " + engines[0] + "` fetches it, or `semblance models import BUNDLE` where there is no network"
	}
	return "`semblance models pull " + a.Name + "` fetches it"
}

func pullAgain(a Artifact) string {
	if a.dir != "" {
		return mendOwn(a)
	}
	return "`semblance models pull " + a.Name + "` fetches it again"
}

// mendOwn says what to do about the network of an own engine.
func mendOwn(a Artifact) string {
	engine, _, _ := strings.Cut(a.Name, "/")
	return fmt.Sprintf("put the network that %s of engine %s pins back into its folder; if the new one is meant, change its sha256 there and raise its version", EngineFile, engine)
}

// needed lists the engines that need an artifact, own ones included.
func (l *Library) needed(a Artifact) []string {
	out := l.manifest.needed(a.Name)
	for _, o := range l.own {
		if o.err == nil && o.network.dir != "" && slices.Contains(o.needs, a.Name) {
			out = append(out, o.name)
		}
	}
	return out
}

// A State says how an artifact was found.
type State string

// The states.
const (
	Present State = "present" // hashed, and right
	Missing State = "missing"
	Altered State = "altered" // there, but of another content, or not readable
)

// A Status is an artifact and how it was found.
type Status struct {
	Artifact
	State   State
	Path    string   // where it is, or would be
	Engines []string // that need it
	Err     error    // why it is not present; nil when it is
}

// List says of each artifact of the platform how it is. Files are hashed once for each process.
func (l *Library) List(ctx context.Context) ([]Status, error) { return l.list(ctx, false) }

// Verify hashes every artifact that is there anew. Beside the list it returns an
// error with code Unavailable when one has been altered; missing ones are no error.
func (l *Library) Verify(ctx context.Context) ([]Status, error) {
	list, err := l.list(ctx, true)
	if err != nil {
		return list, err
	}
	for _, s := range list {
		if s.State == Altered {
			return list, s.Err
		}
	}
	return list, nil
}

func (l *Library) list(ctx context.Context, always bool) ([]Status, error) {
	var out []Status
	list := l.usable()
	for _, o := range l.own {
		if o.err == nil && o.network.dir != "" {
			list = append(list, o.network)
		}
	}
	for _, a := range list {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		s := Status{Artifact: a, State: Present, Path: l.path(a), Engines: l.needed(a)}
		if s.Err = l.check(a, always); s.Err != nil {
			s.State = Altered
			if _, err := os.Lstat(s.Path); errors.Is(err, fs.ErrNotExist) {
				s.State = Missing
			}
		}
		out = append(out, s)
	}
	return out, nil
}
