package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"semblance"
)

// A config is the effective configuration: defaults, then the file
// semblance.toml in the data folder, then SEMBLANCE_* variables, then flags.
type config struct {
	Data         string
	Models       string   // where weights are kept
	ModelSource  string   // a folder weights may be copied from
	Engines      []string // folders of own engines, besides those of the data folder
	Worker       string   // path of semblance-worker
	Workers      int
	RecycleAfter int
	Addr         string
	Index        string // "flat" or qdrant://host:6334/prefix
	IndexKey     string
	Limits       semblance.Limits
	UploadBytes  int64
	ScanFrom     []string // folders of which HTTP may have anything scanned
	origin       map[string]string
	values       *koanf.Koanf
}

// A setting is one key of the configuration.
type setting struct {
	key, env string
	def      any
	help     string
	secret   bool
}

// settings lists every key there is; an unknown one is an error.
func settings() []setting {
	l := semblance.DefaultLimits()
	return []setting{
		{key: "data", env: "SEMBLANCE_DATA", def: defaultData(), help: "folder that holds everything of this installation"},
		{key: "models.dir", env: "SEMBLANCE_MODELS_DIR", def: "", help: "where weights are kept; empty is models in the data folder"},
		{key: "models.source", env: "SEMBLANCE_MODELS", def: "", help: "a folder weights are copied from before any other source is tried"},
		{key: "engines.folders", env: "SEMBLANCE_ENGINES", def: "", help: "folders of own engines, separated like PATH, besides those in engines of the data folder"},
		{key: "worker.path", env: "SEMBLANCE_WORKER", def: "", help: "the program semblance-worker; empty is beside semblance, then PATH"},
		{key: "worker.count", env: "SEMBLANCE_WORKERS", def: runtime.NumCPU(), help: "files decoded at once"},
		{key: "worker.recycle_after", env: "SEMBLANCE_WORKER_RECYCLE_AFTER", def: 2000, help: "files, decoded or opened, after which a worker is replaced; ten times as many that it only looks at"},
		{key: "index.faces", env: "SEMBLANCE_INDEX_FACES", def: "flat", help: "flat, or qdrant://host:6334/prefix"},
		{key: "index.api_key", env: "SEMBLANCE_INDEX_API_KEY", def: "", help: "API key of the Qdrant server", secret: true},
		{key: "serve.addr", env: "SEMBLANCE_ADDR", def: "127.0.0.1:8080", help: "address the service listens on"},
		{key: "serve.upload_bytes", env: "SEMBLANCE_UPLOAD_BYTES", def: int64(2 << 30), help: "bytes one upload may have in all"},
		{key: "serve.scan_from", env: "SEMBLANCE_SCAN_FROM", def: "", help: "folders, separated like PATH, of which anything may be scanned over HTTP; none when it is empty"},
		{key: "limits.bytes", env: "SEMBLANCE_LIMIT_BYTES", def: l.Bytes, help: "bytes of a picture file"},
		{key: "limits.pixels", env: "SEMBLANCE_LIMIT_PIXELS", def: l.Pixels, help: "pixels of a frame"},
		{key: "limits.frames", env: "SEMBLANCE_LIMIT_FRAMES", def: l.Frames, help: "frames of an animation that are looked at"},
		{key: "limits.memory", env: "SEMBLANCE_LIMIT_MEMORY", def: l.Memory, help: "bytes of memory of a worker"},
		{key: "limits.deadline", env: "SEMBLANCE_LIMIT_DEADLINE", def: l.Deadline.String(), help: "time for one file, such as 60s"},
		{key: "limits.cpu", env: "SEMBLANCE_LIMIT_CPU", def: l.CPU.String(), help: "CPU time for one file"},
		{key: "limits.video_bytes", env: "SEMBLANCE_LIMIT_VIDEO_BYTES", def: l.VideoBytes, help: "bytes of a video file"},
		{key: "limits.video_frames", env: "SEMBLANCE_LIMIT_VIDEO_FRAMES", def: l.VideoFrames, help: "frames of a video that are hashed"},
		{key: "limits.video_deadline", env: "SEMBLANCE_LIMIT_VIDEO_DEADLINE", def: l.VideoDeadline.String(), help: "time for one video, such as 1h"},
		{key: "limits.video_cpu", env: "SEMBLANCE_LIMIT_VIDEO_CPU", def: l.VideoCPU.String(), help: "CPU time for one video"},
	}
}

// defaultData is the folder used when none is named: the user's data home.
func defaultData() string {
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "semblance")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "semblance-data"
	}
	return filepath.Join(home, ".local", "share", "semblance")
}

// loadConfig reads the configuration. flags are by key. All errors come at once.
func loadConfig(s streams, flags map[string]any) (*config, error) {
	k, origin := koanf.New("."), map[string]string{}
	set := func(key string, v any, from string) {
		_ = k.Set(key, v) // fails for a key under a value only, and ours are fixed
		origin[key] = from
	}
	known := settings()
	for _, st := range known {
		set(st.key, st.def, "default")
	}
	env := environment(s.environ)
	if v, ok := env["SEMBLANCE_DATA"]; ok {
		set("data", v, "SEMBLANCE_DATA")
	}
	if v, ok := flags["data"]; ok {
		set("data", v, "--data")
	}
	errs := loadFile(k, known, set, filepath.Join(absFrom(s.cwd, k.String("data")), "semblance.toml"))
	for _, st := range known {
		if v, ok := env[st.env]; ok && v != "" && st.key != "data" {
			set(st.key, v, st.env)
		}
		if v, ok := flags[st.key]; ok && st.key != "data" {
			set(st.key, v, "a flag")
		}
	}
	for name := range env {
		if !slices.ContainsFunc(known, func(st setting) bool { return st.env == name }) && !slices.Contains(buildVariables, name) && !strings.HasPrefix(name, "SEMBLANCE_TEST") {
			errs = append(errs, fmt.Errorf("the variable %s is not known", name))
		}
	}
	c := &config{origin: origin, values: k}
	errs = append(errs, c.fill(s.cwd)...)
	if len(errs) > 0 {
		return nil, semblance.Errorf(semblance.Invalid, "the configuration is not usable: %v", errors.Join(errs...)).
			WithHint("`semblance config --help` lists every key, its variable and what it takes.")
	}
	return c, nil
}

// buildVariables are read by the Makefile and its scripts, not by this program.
var buildVariables = []string{"SEMBLANCE_MARCH", "SEMBLANCE_CXX"}

func environment(environ []string) map[string]string {
	out := map[string]string{}
	for _, kv := range environ {
		if name, v, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, "SEMBLANCE_") && name != "SEMBLANCE_TESTDATA" {
			out[name] = v
		}
	}
	return out
}

func loadFile(k *koanf.Koanf, known []setting, set func(string, any, string), path string) []error {
	fk := koanf.New(".")
	err := fk.Load(file.Provider(path), toml.Parser())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return []error{fmt.Errorf("%s may not be read by this user", path)}
	}
	if err != nil {
		return []error{fmt.Errorf("%s: %w", path, err)}
	}
	var errs []error
	for _, key := range fk.Keys() {
		if !slices.ContainsFunc(known, func(st setting) bool { return st.key == key }) || key == "data" {
			errs = append(errs, fmt.Errorf("%s: the key %q is not known", path, key))
			continue
		}
		set(key, fk.Get(key), path)
	}
	return errs
}

// fill reads the values into the struct and checks them.
func (c *config) fill(cwd string) []error {
	k := c.values
	var errs []error
	number := func(key string, least int64) int64 {
		var n int64
		if _, err := fmt.Sscan(k.String(key), &n); err != nil || n < least {
			errs = append(errs, fmt.Errorf("%s (from %s) is %q; a whole number of at least %d is needed", key, c.origin[key], k.String(key), least))
		}
		return n
	}
	span := func(key string) time.Duration {
		d, err := time.ParseDuration(k.String(key))
		if err != nil || d <= 0 {
			errs = append(errs, fmt.Errorf("%s (from %s) is %q; a time such as 60s or 2m is needed", key, c.origin[key], k.String(key)))
		}
		return d
	}
	c.Data = absFrom(cwd, k.String("data"))
	c.Models = k.String("models.dir")
	if c.Models == "" {
		c.Models = filepath.Join(c.Data, "models")
	}
	c.Models, c.ModelSource = absFrom(cwd, c.Models), k.String("models.source")
	if c.ModelSource != "" {
		c.ModelSource = absFrom(cwd, c.ModelSource)
	}
	folders := func(key string) (out []string) {
		for _, dir := range filepath.SplitList(k.String(key)) {
			if dir != "" {
				out = append(out, absFrom(cwd, dir))
			}
		}
		return out
	}
	c.Engines, c.ScanFrom = folders("engines.folders"), folders("serve.scan_from")
	c.Worker = k.String("worker.path")
	if c.Worker != "" {
		c.Worker = absFrom(cwd, c.Worker)
	}
	c.Workers, c.RecycleAfter = int(number("worker.count", 1)), int(number("worker.recycle_after", 1))
	c.Addr, c.UploadBytes = k.String("serve.addr"), number("serve.upload_bytes", 1)
	c.Index, c.IndexKey = k.String("index.faces"), k.String("index.api_key")
	if c.Index != "flat" && !strings.HasPrefix(c.Index, "qdrant://") {
		errs = append(errs, fmt.Errorf("index.faces (from %s) is %q; flat or qdrant://host:6334/prefix is needed", c.origin["index.faces"], c.Index))
	}
	c.Limits = semblance.Limits{Bytes: number("limits.bytes", 1), Pixels: number("limits.pixels", 1), Frames: int(number("limits.frames", 1)),
		Memory: number("limits.memory", 256<<20), Deadline: span("limits.deadline"), CPU: span("limits.cpu"),
		VideoBytes: number("limits.video_bytes", 1), VideoFrames: int(number("limits.video_frames", 1)), VideoDeadline: span("limits.video_deadline"), VideoCPU: span("limits.video_cpu")}
	return errs
}

func absFrom(cwd, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(cwd, p)
}
