package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"semblance"
	"semblance/api"
	"semblance/index"
	"semblance/index/digestset"
	"semblance/index/frames"
	"semblance/index/kept"
	"semblance/index/qdrant"
	"semblance/index/supplied"
	"semblance/models"
	"semblance/objects"
	"semblance/provider"
	"semblance/scan"
	"semblance/store"
	"semblance/worker"
)

// A program is everything wired together over one data folder.
type program struct {
	cfg     *config
	store   *store.Store
	engine  *semblance.Engine
	decoder *decoder
	sets    *digestset.Library
	clients sync.WaitGroup // commands that a server runs for others
	shared  scan.Pipeline  // of all scans
	jobs    *runner
	// background makes a job of a re-enrollment; nil in a program that does not serve.
	background func(context.Context, api.ReenrollOrder) (api.Job, error)
	// lookback queues a look-back; nil in a program that does not serve.
	lookback func(context.Context, semblance.Actor) error
	closers  []io.Closer
}

// openProgram opens the data folder and wires the parts. Weights and workers are
// looked for when they are first needed, so that what works without them works.
func openProgram(ctx context.Context, cfg *config, note func(string, ...any)) (*program, error) {
	p := &program{cfg: cfg, decoder: newDecoder(cfg)}
	p.jobs = newRunner(p)
	var err error
	if p.store, err = store.Open(ctx, cfg.Data, store.DefaultOptions()); err != nil {
		return nil, err
	}
	p.closers = append(p.closers, p.store)
	folder, err := objects.Open(filepath.Join(cfg.Data, "objects"))
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	engines, err := p.decoder.engineSet()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	host, err := p.decoder.providers()
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	vectors, err := openVectors(ctx, cfg, p.store, note)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if c, ok := vectors.(io.Closer); ok {
		p.closers = append(p.closers, c)
	}
	hashes, err := index.OpenHashes(filepath.Join(cfg.Data, "index", "hashes"), indexOptions(ctx, p.store, note))
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.closers = append(p.closers, hashes)
	videos, err := frames.Open(filepath.Join(cfg.Data, "index", "frames"), indexOptions(ctx, p.store, note))
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.closers = append(p.closers, videos)
	supplied, err := openSupplied(ctx, cfg, p.store, note)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.closers = append(p.closers, supplied, p.decoder)
	if p.sets, err = openSets(ctx, cfg, p.store); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	keptIndex, err := openKept(ctx, cfg, p.store)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.engine = semblance.New(semblance.Parts{
		Cases: p.store, Collections: p.store, References: p.store, Subjects: p.store, Staging: p.store, Entries: p.store, Selectors: p.store, Media: p.store, Requests: p.store, Categories: p.store, Audit: p.store, Calibrations: p.store,
		Groupings: p.store, Groups: p.store,
		Objects: folder, Vectors: vectors, Hashes: hashes, Videos: videos, Supplied: supplied, Sets: p.sets, SetFiles: p.sets, SetRecords: p.store,
		Lookbacks: p.store, Removals: p.store, StackRecords: p.store, LinkRecords: p.store, Notices: p.store, Kept: keptIndex,
		Analyzer: p.decoder, Engines: engines, Pins: p.store, CheckEngine: p.decoder.check, Providers: host.Set(), CheckProvider: p.decoder.checkProvider, Limits: cfg.Limits,
	})
	return p, nil
}

// openVectors chooses the vector index. The flat one has its files in the data folder,
// which st has taken for this program.
func openVectors(ctx context.Context, cfg *config, st *store.Store, note func(string, ...any)) (semblance.VectorIndex, error) {
	if cfg.Index != "flat" {
		return qdrant.Open(ctx, cfg.Index, qdrant.Options{APIKey: cfg.IndexKey})
	}
	flat, err := index.OpenFlat(filepath.Join(cfg.Data, "index", "vectors"), indexOptions(ctx, st, note))
	if err != nil {
		return nil, err
	}
	return flat, nil
}

// openKept opens the index of what is kept of stored media.
func openKept(ctx context.Context, cfg *config, st *store.Store) (*kept.Index, error) {
	return kept.Open(filepath.Join(cfg.Data, "index", "kept"), kept.Options{
		Mark:  func() (string, error) { return auditMark(ctx, st) },
		Known: func(mark string) (bool, error) { return knownMark(ctx, st, mark) },
	})
}

// openSupplied opens the index of supplied values, whose files lie beside those of faces.
func openSupplied(ctx context.Context, cfg *config, st *store.Store, note func(string, ...any)) (*supplied.Index, error) {
	return supplied.Open(filepath.Join(cfg.Data, "index", "supplied"), supplied.Options{
		Note:  note,
		Mark:  func() (string, error) { return auditMark(ctx, st) },
		Known: func(mark string) (bool, error) { return knownMark(ctx, st, mark) },
	})
}

// openSets opens the folder of digest sets.
func openSets(ctx context.Context, cfg *config, st *store.Store) (*digestset.Library, error) {
	known, err := st.Sets(ctx, "")
	if err != nil {
		return nil, err
	}
	cols, err := st.Collections(ctx)
	if err != nil {
		return nil, err
	}
	var ids []semblance.CollectionID
	for _, c := range cols {
		ids = append(ids, c.ID)
	}
	return digestset.OpenLibrary(filepath.Join(cfg.Data, "sets"), digestset.Options{}, known, ids)
}

// indexOptions are what an index in files is told about the store.
func indexOptions(ctx context.Context, st *store.Store, note func(string, ...any)) index.Options {
	return index.Options{
		Note:  note,
		Mark:  func() (string, error) { return auditMark(ctx, st) },
		Known: func(mark string) (bool, error) { return knownMark(ctx, st, mark) },
	}
}

// auditMark names the end of the audit chain, and with it everything before.
func auditMark(ctx context.Context, st *store.Store) (string, error) {
	events, head, err := st.AuditHead(context.WithoutCancel(ctx))
	return fmt.Sprintf("%d:%s", events, head), err
}

// knownMark reports whether the audit chain has the event that a mark names.
func knownMark(ctx context.Context, st *store.Store, mark string) (bool, error) {
	number, head, _ := strings.Cut(mark, ":")
	events, err := strconv.ParseInt(number, 10, 64)
	if err != nil || events < 0 {
		return false, nil
	}
	if events == 0 {
		return head == "", nil
	}
	found, err := st.AuditEvents(ctx, events-1, 1)
	return len(found) == 1 && found[0].Seq == events && found[0].Hash == head, err
}

// Close waits for the commands of others, whose context must have ended, and
// closes what was opened, last first.
func (p *program) Close() error {
	p.clients.Wait()
	var err error
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i].Close())
	}
	return err
}

// scanner is a Scanner over the program.
func (p *program) scanner() *scan.Scanner {
	return &scan.Scanner{Examiner: p.engine, Store: p.store, Record: p.store, Plans: p.store, Media: p.store, Audit: p.store,
		Opener: p.decoder, Spool: filepath.Join(p.cfg.Data, "unpacked"), Pipeline: &p.shared}
}

// A decoder is the pool of workers, started when the first file comes. It tells
// which engines have their weights.
type decoder struct {
	cfg  *config
	once sync.Mutex
	pool *worker.Pool
	lib  *models.Library // kept: it remembers what it has hashed
	host *provider.Host
}

func newDecoder(cfg *config) *decoder { return &decoder{cfg: cfg} }

// open starts the pool with the weights that are there now.
func (d *decoder) open(ctx context.Context) (*worker.Pool, error) {
	lib, err := d.library()
	if err != nil {
		return nil, err
	}
	d.once.Lock()
	defer d.once.Unlock()
	if d.pool != nil {
		return d.pool, nil
	}
	prog, err := findWorker(d.cfg.Worker)
	if err != nil {
		return nil, err
	}
	opts := worker.DefaultOptions()
	opts.Program, opts.Workers, opts.RecycleAfter, opts.Limits = prog, d.cfg.Workers, d.cfg.RecycleAfter, d.cfg.Limits
	opts.Engines = lib.Bundles()
	opts.Models, opts.Log = usableModels(ctx, lib), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	d.pool, err = worker.Open(context.WithoutCancel(ctx), opts)
	return d.pool, err
}

// library opens the library of weights, once.
func (d *decoder) library() (*models.Library, error) {
	d.once.Lock()
	defer d.once.Unlock()
	if d.lib == nil {
		lib, err := openModels(d.cfg)
		if err != nil {
			return nil, err
		}
		d.lib = lib
	}
	return d.lib, nil
}

// engineSet is the engines there are: those built in, bundles, and providers of faces.
func (d *decoder) engineSet() (semblance.EngineSet, error) {
	lib, err := d.library()
	if err != nil {
		return semblance.EngineSet{}, err
	}
	host, err := d.providers()
	if err != nil {
		return semblance.EngineSet{}, err
	}
	return semblance.NewEngineSet(append(lib.OwnEngines(), host.Engines()...)...), nil
}

// providers reads the providers there are, once.
func (d *decoder) providers() (*provider.Host, error) {
	d.once.Lock()
	defer d.once.Unlock()
	if d.host == nil {
		host, err := openProviders(d.cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
		if err != nil {
			return nil, err
		}
		d.host = host
	}
	return d.host, nil
}

// checkProvider says why a provider cannot work here: its files are not those of its
// manifest.
func (d *decoder) checkProvider(ctx context.Context, name semblance.ProviderName) error {
	host, err := d.providers()
	if err != nil {
		return err
	}
	return host.Verify(ctx, name)
}

// usableModels lists the artifacts that are there and unaltered.
func usableModels(ctx context.Context, lib *models.Library) map[string]worker.Model {
	out := map[string]worker.Model{}
	for _, e := range lib.Engines() {
		arts, err := lib.EngineModels(e.Name)
		if err != nil {
			continue // not for this platform; check says so when it is asked for
		}
		for _, a := range arts {
			if path, err := lib.Path(a.Name); err == nil {
				out[a.Name] = worker.Model{Path: path, SHA256: a.SHA256}
			}
		}
	}
	return out
}

// Analyze implements semblance.Analyzer.
func (d *decoder) Analyze(ctx context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	pool, err := d.open(ctx)
	if err != nil {
		return semblance.Analysis{}, err
	}
	host, err := d.providers()
	if err != nil {
		return semblance.Analysis{}, err
	}
	return host.Analyzer(pool).Analyze(ctx, f, req)
}

// OpenContainer implements scan.Opener.
func (d *decoder) OpenContainer(ctx context.Context, files []semblance.ContainerFile, o semblance.ContainerOptions, progress func(done, total int64)) (scan.Container, error) {
	pool, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	c, err := pool.OpenContainer(ctx, files, o, progress)
	if c == nil || err != nil {
		return nil, err // not a nil Container in an interface that is not nil
	}
	return c, nil
}

// check says why an engine cannot work here: the worker or a weight is missing
// or altered.
func (d *decoder) check(ctx context.Context, name semblance.EngineName) error {
	if _, err := findWorker(d.cfg.Worker); err != nil {
		return err
	}
	host, err := d.providers()
	if err != nil {
		return err
	}
	if host.GivesFaces(name) {
		return host.Verify(ctx, semblance.ProviderName(name))
	}
	lib, err := d.library()
	if err != nil {
		return err
	}
	arts, err := lib.EngineModels(string(name))
	if err != nil {
		return err
	}
	for _, a := range arts {
		if _, err := lib.Path(a.Name); err != nil {
			return fmt.Errorf("engine %s: %w", name, err)
		}
	}
	return nil
}

// Close stops the workers.
func (d *decoder) Close() error {
	d.once.Lock()
	defer d.once.Unlock()
	var err error
	if d.pool != nil {
		err = d.pool.Close()
		d.pool = nil
	}
	if d.host != nil {
		err = errors.Join(err, d.host.Close())
		d.host = nil
	}
	return err
}

// openModels opens the library of weights.
func openModels(cfg *config) (*models.Library, error) {
	o := models.Options{EngineDir: filepath.Join(cfg.Data, "engines"), Engines: cfg.Engines}
	if cfg.ModelSource != "" {
		o.Folders = strings.Split(cfg.ModelSource, string(os.PathListSeparator))
	}
	return models.Open(cfg.Models, o)
}

// findWorker finds semblance-worker: where it is said to be, beside this program,
// or in PATH.
func findWorker(named string) (string, error) {
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", semblance.Errorf(semblance.Unavailable, "the worker program %q named by SEMBLANCE_WORKER is not there", named)
		}
		return named, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "semblance-worker")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	if p, err := exec.LookPath("semblance-worker"); err == nil {
		return filepath.Abs(p)
	}
	return "", semblance.Errorf(semblance.Unavailable, "pictures cannot be decoded here: the program semblance-worker was not found").
		WithHint("Build it with `make build`; put it beside semblance, or name it in SEMBLANCE_WORKER.")
}
