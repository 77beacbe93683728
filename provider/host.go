package provider

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"semblance"
)

// Options are where providers are and how they are run.
type Options struct {
	// Dir is the folder with a folder for each provider.
	Dir string
	// Stub is the program that closes the cage and then becomes the provider's, with its
	// first arguments; the Launch follows as the last one. Empty: no provider can run.
	Stub []string
	// Processes is how many programs of one provider may run at once. 0 is one.
	Processes int
	// Log is told of programs that were replaced. Nil: nothing is logged.
	Log *slog.Logger
}

// A Host runs the providers of a folder. Close it.
type Host struct {
	opts    Options
	bundles []*bundle
	pools   map[semblance.ProviderName]*pool
	spawned chan spawnJob
	closed  chan struct{}
	once    sync.Once
}

// A pool is the running programs of one provider.
type pool struct {
	turns chan struct{} // one for each program that may run
	mu    sync.Mutex
	idle  []*process
}

// Open reads the manifests in a folder. Nothing is run or verified yet: what a manifest
// or its folder lacks, List and Check tell. The error has code Unavailable. The caller
// closes the host.
func Open(o Options) (*Host, error) {
	if o.Processes < 1 {
		o.Processes = 1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	bundles, err := readBundles(o.Dir)
	if err != nil {
		return nil, err
	}
	sortBundles(bundles)
	h := &Host{opts: o, bundles: bundles, pools: map[semblance.ProviderName]*pool{}, spawned: make(chan spawnJob), closed: make(chan struct{})}
	for _, b := range bundles {
		n := o.Processes
		if most := b.manifest.Processes; most > 0 {
			n = min(n, most)
		}
		p := &pool{turns: make(chan struct{}, n)}
		for range n {
			p.turns <- struct{}{}
		}
		h.pools[b.name] = p
	}
	go h.starter()
	return h, nil
}

// Close ends all programs. It waits for pictures in work.
func (h *Host) Close() error {
	h.once.Do(func() {
		close(h.closed)
		for _, p := range h.pools {
			for range cap(p.turns) {
				<-p.turns
			}
			for _, x := range p.idle {
				x.kill()
				x.end()
			}
		}
	})
	return nil
}

type spawnJob struct {
	bundle  *bundle
	process *process
	err     error
	done    chan spawnJob
}

// starter starts every program on one thread that lives as long as the host: the kernel
// ends a program with the thread that started it, not with the process.
func (h *Host) starter() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case <-h.closed:
			return
		case job := <-h.spawned:
			job.process, job.err = spawn(job.bundle, h.opts.Stub)
			job.done <- job
		}
	}
}

// A Listing is one provider's folder as List tells of it.
type Listing struct {
	Name     semblance.ProviderName
	Manifest Manifest
	Enabled  bool
	Err      error // why it cannot be used, as far as its manifest tells
}

// List returns all providers by name, the disabled and unusable ones too.
func (h *Host) List() []Listing {
	var out []Listing
	for _, b := range h.bundles {
		out = append(out, Listing{Name: b.name, Manifest: b.manifest, Enabled: b.enabled(), Err: b.err})
	}
	return out
}

// Set returns the enabled providers, usable or not.
func (h *Host) Set() semblance.ProviderSet {
	var all []semblance.Provider
	for _, b := range h.bundles {
		if !b.enabled() {
			continue
		}
		p := semblance.Provider{Spec: semblance.ProviderSpec{Name: b.name}, Err: b.err}
		if b.err == nil {
			p.Spec = b.manifest.Spec()
		}
		all = append(all, p)
	}
	return semblance.NewProviderSet(all...)
}

// Engines returns the enabled providers of faces as face engines, usable or not.
func (h *Host) Engines() []semblance.OwnEngine {
	var out []semblance.OwnEngine
	for _, b := range h.bundles {
		if b.enabled() && b.err == nil && b.manifest.Faces != nil {
			out = append(out, semblance.OwnEngine{Spec: b.manifest.EngineSpec()})
		}
	}
	return out
}

// GivesFaces reports whether an engine is a provider of faces, enabled or not.
func (h *Host) GivesFaces(name semblance.EngineName) bool {
	b := h.bundle(semblance.ProviderName(name))
	return b != nil && b.err == nil && b.manifest.Faces != nil
}

func (h *Host) bundle(name semblance.ProviderName) *bundle {
	i := slices.IndexFunc(h.bundles, func(b *bundle) bool { return b.name == name })
	if i < 0 {
		return nil
	}
	return h.bundles[i]
}

// Verify makes sure that a provider's folder is what its manifest says, without running
// anything. The error has code NotFound or Unavailable.
func (h *Host) Verify(_ context.Context, name semblance.ProviderName) error {
	b := h.bundle(name)
	if b == nil {
		return semblance.Errorf(semblance.NotFound, "there is no provider %q", clip(string(name), 60)).
			WithHint("`semblance provider list` shows them; each is a folder in providers of the data folder.")
	}
	return b.verify()
}

// ask asks one provider about pictures of one file, in one program.
func (h *Host) ask(ctx context.Context, b *bundle, pics []picture, scale float64) ([]gift, error) {
	p := h.pools[b.name]
	select {
	case <-p.turns:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.closed:
		return nil, semblance.Errorf(semblance.Unavailable, "the program is being closed")
	}
	defer func() { p.turns <- struct{}{} }()
	for {
		x, err := h.take(ctx, b, p)
		if err != nil {
			return nil, err
		}
		before := x.served
		gifts, err := h.lookAll(ctx, x, pics, scale)
		var no *refusal
		if err == nil || errors.As(err, &no) {
			p.mu.Lock()
			p.idle = append(p.idle, x)
			p.mu.Unlock()
			return gifts, err
		}
		x.end()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		h.opts.Log.Warn("a provider's program was replaced", slog.String("provider", string(b.name)), slog.Int("pictures", x.served),
			slog.String("cause", err.Error()), slog.String("output", x.words.words()))
		// What it served before may have done the damage; its first file, and one that took too
		// long, are to blame themselves.
		if before == 0 || x.late.Load() {
			return nil, err
		}
	}
}

func (h *Host) lookAll(ctx context.Context, x *process, pics []picture, scale float64) ([]gift, error) {
	var out []gift
	for _, pic := range pics {
		g, err := x.look(ctx, pic, scale)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// take returns the warmest idle program, or a fresh one.
func (h *Host) take(ctx context.Context, b *bundle, p *pool) (*process, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		x := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return x, nil
	}
	p.mu.Unlock()
	if err := b.verify(); err != nil {
		return nil, err
	}
	if len(h.opts.Stub) == 0 || runtime.GOOS != "linux" {
		return nil, semblance.Errorf(semblance.Unavailable, "providers cannot run here: there is no cage for them").
			WithHint("Providers run on Linux with Landlock and seccomp only; `semblance doctor` tells what this machine has.")
	}
	job := spawnJob{bundle: b, done: make(chan spawnJob, 1)}
	select {
	case h.spawned <- job:
		job = <-job.done
	case <-h.closed:
		return nil, semblance.Errorf(semblance.Unavailable, "the program is being closed")
	}
	if job.err != nil {
		return nil, notStarted(b, job.err)
	}
	if err := job.process.hello(ctx); err != nil {
		job.process.end()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		words := job.process.words.words()
		h.opts.Log.Warn("a provider's program does not start", slog.String("provider", string(b.name)), slog.String("cause", err.Error()), slog.String("output", words))
		if why, ok := strings.CutPrefix(words, CageRefused); ok {
			err = errors.New("it cannot be caged on this machine: " + why)
		}
		return nil, notStarted(b, err)
	}
	return job.process, nil
}

// CageRefused begins what a stub prints when it could not close the cage and therefore
// runs nothing.
const CageRefused = "semblance: no cage: "

// Analyzer returns an Analyzer that makes signals with inner and asks providers about the
// pictures: those of a request's Providers, and those of faces among its engines. What a
// provider failed to give is in the Analysis's runs; faces that could not be looked for
// are an error, because no faces is only ever the answer of a detector that ran.
func (h *Host) Analyzer(inner semblance.Analyzer) semblance.Analyzer { return &analyzer{h, inner} }

type analyzer struct {
	*Host
	inner semblance.Analyzer
}

// Analyze implements semblance.Analyzer.
func (z *analyzer) Analyze(ctx context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	asked, rest := z.split(req)
	a, err := z.inner.Analyze(ctx, f, rest)
	if err != nil {
		return a, err
	}
	if a.IsVideo() {
		if len(asked) > 0 {
			a.Warnings = append(a.Warnings, "providers are not asked about videos by this version")
		}
		return a, nil
	}
	if a.IsSound() {
		return a, nil // there is nothing to see
	}
	pictures := a.Pictures
	a.Pictures = nil
	for _, b := range asked {
		if b.manifest.Faces != nil {
			set, err := z.faces(ctx, b, &a, pictures, req)
			if err != nil {
				return semblance.Analysis{}, err
			}
			a.FaceSets = append(a.FaceSets, set)
			continue
		}
		run, err := z.run(ctx, b, &a, pictures)
		if err != nil {
			return semblance.Analysis{}, err
		}
		a.Providers = append(a.Providers, run)
	}
	for _, name := range req.Providers {
		if _, ran := a.Run(name); !ran {
			a.Providers = append(a.Providers, semblance.ProviderRun{Provider: name, Code: semblance.Unavailable, Failed: "the provider is not here, or cannot be used"})
		}
	}
	order(&a, req)
	return a, nil
}

// split returns the providers of a request, and what of it is for the workers.
func (z *analyzer) split(req semblance.AnalyzeRequest) ([]*bundle, semblance.AnalyzeRequest) {
	var asked []*bundle
	rest := req
	rest.Providers, rest.Engines = nil, nil
	for _, name := range req.Providers {
		if b := z.bundle(name); b != nil && b.err == nil && b.manifest.Faces == nil {
			asked = append(asked, b)
		}
	}
	for _, e := range append([]semblance.EngineName{req.Engine}, req.Engines...) {
		if z.GivesFaces(e) {
			if b := z.bundle(semblance.ProviderName(e)); !slices.Contains(asked, b) {
				asked = append(asked, b)
			}
		} else if e != "" && e != rest.Engine {
			rest.Engines = append(rest.Engines, e)
		}
	}
	if z.GivesFaces(req.Engine) {
		rest.Engine = ""
	}
	if len(asked) > 0 {
		rest.Pictures = pictureSide
	}
	return asked, rest
}

// order brings face sets into the order in which a request names its engines.
func order(a *semblance.Analysis, req semblance.AnalyzeRequest) {
	names := append([]semblance.EngineName{req.Engine}, req.Engines...)
	slices.SortStableFunc(a.FaceSets, func(x, y semblance.FaceSet) int {
		return slices.Index(names, x.Engine) - slices.Index(names, y.Engine)
	})
	slices.SortFunc(a.Providers, func(x, y semblance.ProviderRun) int {
		return strings.Compare(string(x.Provider), string(y.Provider))
	})
}

// run asks a provider about every frame.
func (z *analyzer) run(ctx context.Context, b *bundle, a *semblance.Analysis, pictures []semblance.Frame) (semblance.ProviderRun, error) {
	m := &b.manifest
	run := semblance.ProviderRun{Provider: m.Name, Version: m.Version}
	pics, scale := b.pictures(a, pictures)
	gifts, err := z.ask(ctx, b, pics, scale)
	if ctx.Err() != nil {
		return run, ctx.Err()
	}
	if err == nil && len(pics) == 0 {
		err = errors.New("no frame could be given to it")
	}
	if err != nil {
		run.Code, run.Failed = code(err), clean(err.Error(), maxText)
		return run, nil
	}
	for _, g := range gifts {
		if s := g.statement; s.None != "" || len(s.Labels)+len(s.Ages) > 0 {
			run.Frames = append(run.Frames, s)
		}
		if g.value != nil {
			give(a, g.statement.Frame, semblance.SuppliedHash{Algorithm: m.Spec().Algorithm, Value: g.value, Provider: m.Name, Version: m.Version})
		}
	}
	for _, h := range a.Hashes {
		if !slices.ContainsFunc(pictures, func(f semblance.Frame) bool { return f.Index == h.Frame }) {
			run.Frames = append(run.Frames, semblance.FrameStatement{Frame: h.Frame, None: "the frame was not given to it: the file has more pixels than one answer holds"})
		}
	}
	return run, nil
}

// code is that of an error of a provider.
func code(err error) semblance.Code {
	var e *semblance.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return semblance.Internal
}

// give puts a value beside the hashes of its frame.
func give(a *semblance.Analysis, frame int, v semblance.SuppliedHash) {
	for i := range a.Hashes {
		if a.Hashes[i].Frame == frame {
			a.Hashes[i].Supplied = append(a.Hashes[i].Supplied, v)
			return
		}
	}
	a.Hashes = append(a.Hashes, semblance.FrameHashes{Frame: frame, Supplied: []semblance.SuppliedHash{v}})
}
