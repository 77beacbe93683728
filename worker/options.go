package worker

import (
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"semblance"
)

// A Model is a file that engines load: weights, or the library that runs them.
type Model struct {
	Path   string `json:"path"`   // absolute
	SHA256 string `json:"sha256"` // lower-case hex, already verified by the caller
}

// Options say how a Pool works. The zero value of every field but Program is
// replaced by that of DefaultOptions.
type Options struct {
	Program string                   // path of semblance-worker
	Models  map[string]Model         // what engines may load, by the manifest's names; a child can read these files and no others
	Engines []semblance.EngineBundle // own engines; their networks are among Models
	Workers int                      // children at most, and so files at a time
	Threads int                      // threads of one inference in one child
	Limits  semblance.Limits         // for requests that leave theirs zero; Limits.Memory is the most a request can ask for

	RequireCage bool // refuse to decode where Landlock, seccomp or the limits cannot be had

	RecycleAfter int           // files after which a child is replaced
	RecycleRSS   int64         // resident bytes after which a child is replaced
	StartTimeout time.Duration // for a child to load its libraries and build its cage

	Env []string     // added to a child's environment, which is otherwise empty; LD_LIBRARY_PATH, for example
	Log *slog.Logger // children that die, and why; nil for silence

	known semblance.EngineSet // the engines built in, and Engines
}

// DefaultOptions returns one child per processor, each with one thread.
func DefaultOptions() Options {
	limits := semblance.DefaultLimits()
	return Options{
		Workers:      runtime.NumCPU(),
		Threads:      1,
		Limits:       limits,
		RecycleAfter: 2000,
		RecycleRSS:   limits.Memory / 2,
		StartTimeout: 30 * time.Second, // 265 shared objects from a cold disk
		Log:          slog.New(slog.DiscardHandler),
	}
}

// Validate returns an error with code Invalid for options that cannot be meant.
func (o Options) Validate() error {
	switch {
	case o.Program == "":
		return semblance.Errorf(semblance.Invalid, "no worker program is named")
	case o.Workers < 0 || o.Workers > 4096:
		return semblance.Errorf(semblance.Invalid, "%d workers are not a number of workers; it is 1 to 4096, or 0 for one per processor", o.Workers)
	case o.Threads < 0 || o.Threads > 256:
		return semblance.Errorf(semblance.Invalid, "%d threads in a worker are not possible; it is 1 to 256, or 0 for one", o.Threads)
	case o.RecycleAfter < 0 || o.RecycleRSS < 0 || o.StartTimeout < 0:
		return semblance.Errorf(semblance.Invalid, "a worker's limits cannot be negative")
	case o.Limits.Memory < 0 || o.Limits.Memory > 0 && o.Limits.Memory < minMemory:
		return semblance.Errorf(semblance.Invalid, "%d bytes of memory are not enough for a worker; it needs %d", o.Limits.Memory, int64(minMemory))
	}
	for name, m := range o.Models {
		if !filepath.IsAbs(m.Path) || strings.ContainsRune(m.Path, 0) {
			return semblance.Errorf(semblance.Invalid, "the path of model %q is not absolute", name)
		}
	}
	return nil
}

// minMemory is about twice what an idle child has reserved for its libraries' data,
// thread stacks and the Go heap (122 MiB): less, and no picture would fit.
const minMemory = 256 << 20

func engineSet(bundles []semblance.EngineBundle) semblance.EngineSet {
	own := make([]semblance.OwnEngine, len(bundles))
	for i, b := range bundles {
		own[i].Spec = b.Spec
	}
	return semblance.NewEngineSet(own...)
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	o.Models = maps.Clone(o.Models)
	o.Engines = slices.Clone(o.Engines)
	o.known = engineSet(o.Engines)
	o.Limits = o.Limits.WithDefaults()
	if o.Workers == 0 {
		o.Workers = d.Workers
	}
	if o.Threads == 0 {
		o.Threads = d.Threads
	}
	if o.RecycleAfter == 0 {
		o.RecycleAfter = d.RecycleAfter
	}
	if o.RecycleRSS == 0 {
		o.RecycleRSS = o.Limits.Memory / 2
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = d.StartTimeout
	}
	if o.Log == nil {
		o.Log = d.Log
	}
	return o
}
