package worker

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"

	"semblance"
)

// A Pool is a semblance.Analyzer that decodes every file in a caged child. Files
// wait in the order they come; children start when they are needed and stay warm.
type Pool struct {
	opts    Options
	turns   queue // one for each child that may run
	closed  chan struct{}
	spawned chan spawnJob

	mu   sync.Mutex
	idle []*child // the most recently used last: it is the warmest
	busy map[*child]bool
	stat Stats

	sessions sync.WaitGroup // open containers

	once, warned sync.Once
}

var _ semblance.Analyzer = (*Pool)(nil)

// Stats count what a pool has done since it was opened.
type Stats struct {
	Files    int64 // answered, with an analysis or an error about the file
	Started  int64 // children
	Recycled int64 // replaced for age or size
	Killed   int64 // replaced for a deadline, CPU time, memory, a crash or a violation
	Retried  int64 // files that were tried again in a fresh child
}

// Open returns a pool. No child is started yet, and the program need not exist:
// it is Analyze that answers Unavailable. The error has code Invalid. The caller
// closes the pool.
func Open(_ context.Context, o Options) (*Pool, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	p := &Pool{opts: o, turns: queue{free: o.Workers}, closed: make(chan struct{}),
		spawned: make(chan spawnJob), busy: map[*child]bool{}}
	go p.starter()
	return p, nil
}

type spawnJob struct {
	child *child
	err   error
	done  chan spawnJob
}

// starter starts every child on one thread that lives as long as the pool: the
// kernel ends a child with the thread that started it, not with the process.
func (p *Pool) starter() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case <-p.closed:
			return
		case job := <-p.spawned:
			job.child, job.err = spawn(&p.opts)
			job.done <- job
		}
	}
}

// Close ends all children at once; files in work end with code Unavailable. It
// can be called more than once and returns nil.
func (p *Pool) Close() error {
	p.once.Do(func() {
		p.mu.Lock()
		close(p.closed)
		idle := p.idle
		p.idle = nil
		for c := range p.busy {
			c.kill(&fault{kind: faultClosed})
		}
		p.mu.Unlock()
		for _, c := range idle {
			c.close()
		}
		for range p.opts.Workers {
			_ = p.turns.take(context.Background(), false, nil) // wait for what is in work
		}
		p.sessions.Wait()
	})
	return nil
}

// Stats returns the counts so far.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stat
}

// Analyze decodes f in a child within req.Limits, filled from the pool's limits.
// It waits for a free child in the order of the calls. A child that crashes, runs
// over a limit or answers with something invalid is replaced, and the error says
// so; when it had served other files before, a crash is first tried again in a
// fresh child, because an earlier file may be to blame. When ctx ends, the child
// is killed and ctx's error returned. Besides the codes of semblance.Analyzer the
// error has code Invalid for a request or file that cannot be meant.
func (p *Pool) Analyze(ctx context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	req.Limits = p.limits(req.Limits)
	if err := checkRequest(&req, p.opts.known); err != nil {
		return semblance.Analysis{}, err
	}
	if err := checkFile(f, mostBytes(&req)); err != nil {
		return semblance.Analysis{}, err
	}
	own, err := reopenReadOnly(f)
	if err != nil {
		return semblance.Analysis{}, semblance.Errorf(semblance.Internal, "the file cannot be handed to a worker read-only").WithCause(err)
	}
	defer own.Close()
	if err := p.turn(ctx); err != nil {
		return semblance.Analysis{}, err
	}
	defer p.turns.give()
	a, err := p.attempt(ctx, own, &req)
	p.count(func(s *Stats) { s.Files++ })
	return a, err
}

// turn waits until a child may be used.
func (p *Pool) turn(ctx context.Context) error {
	select {
	case <-p.closed:
		return (&fault{kind: faultClosed}).public()
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	return p.turns.take(ctx, semblance.IsThreatToLife(ctx), p.closed)
}

// attempt runs the file in a child, and once more in a fresh one where the first
// may have been damaged by an earlier file.
func (p *Pool) attempt(ctx context.Context, f *os.File, req *semblance.AnalyzeRequest) (semblance.Analysis, error) {
	c, err := p.take(ctx)
	if err != nil {
		return semblance.Analysis{}, err
	}
	for {
		a, err := c.analyze(ctx, f, req, &p.opts)
		ended := p.give(c, err)
		if ended == nil {
			return a, err
		}
		if !ended.retriable() || c.files <= 1 {
			return a, ended.public()
		}
		p.count(func(s *Stats) { s.Retried++ })
		if c, err = p.fresh(ctx); err != nil {
			return a, err
		}
	}
}

// take returns the warmest idle child, or a fresh one.
func (p *Pool) take(ctx context.Context) (*child, error) {
	for {
		p.mu.Lock()
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return p.fresh(ctx)
		}
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if !c.gone() {
			p.busy[c] = true
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		c.close()
		p.opts.Log.Warn("a worker ended while it was idle", slog.String("output", c.words()))
	}
}

// fresh starts a child and closes its cage.
func (p *Pool) fresh(ctx context.Context) (*child, error) {
	job := spawnJob{done: make(chan spawnJob, 1)}
	select {
	case p.spawned <- job:
		job = <-job.done
	case <-p.closed:
		return nil, (&fault{kind: faultClosed}).public()
	}
	if job.err != nil {
		return nil, notStarted(job.err)
	}
	c := job.child
	p.mu.Lock()
	p.stat.Started++
	p.busy[c] = true
	select {
	case <-p.closed: // Close has already looked at busy
		c.kill(&fault{kind: faultClosed})
	default:
	}
	p.mu.Unlock()
	if err := c.hello(ctx, &p.opts); err != nil {
		p.forget(c)
		c.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, notStarted(err)
	}
	p.warned.Do(func() { p.warnOfGaps(c.facts) })
	return c, nil
}

// warnOfGaps says once what the cage of this machine lacks.
func (p *Pool) warnOfGaps(f Facts) {
	if a := f.Cage; a.Landlock == 0 || !a.Seccomp || !a.Limits || !a.Capabilities {
		p.opts.Log.Warn("workers are not fully caged on this machine", slog.Int("landlock", a.Landlock), slog.Bool("seccomp", a.Seccomp),
			slog.Bool("limits", a.Limits), slog.Bool("no_capabilities", a.Capabilities),
			slog.String("why", clean(strings.Join([]string{a.LandlockWhy, a.SeccompWhy, a.LimitsWhy, a.CapsWhy}, " "), maxText)))
	}
}

// notStarted says that the worker program does not come up.
func notStarted(err error) error {
	var f *fault
	if errors.As(err, &f) && f.kind == faultClosed {
		return f.public()
	}
	if errors.Is(err, semblance.Unavailable) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return semblance.Errorf(semblance.Unavailable, "the program semblance-worker is missing, and pictures cannot be decoded without it").
			WithHint("Build it with make build, and keep it in the folder of semblance.").WithCause(err)
	}
	return semblance.Errorf(semblance.Unavailable, "the worker program does not start, and pictures cannot be decoded without it").
		WithHint("Run semblance doctor to see why.").WithCause(err)
}

// give takes a child back after a file. It returns the fault when the child is
// dead; a child that is old or fat is let go.
func (p *Pool) give(c *child, err error) *fault {
	var ended *fault
	if errors.As(err, &ended) || c.gone() {
		p.forget(c)
		c.close()
		if ended != nil {
			p.count(func(s *Stats) { s.Killed++ })
			p.opts.Log.Warn("a worker was replaced", slog.Int("files", c.files), slog.String("cause", ended.Error()))
		}
		return ended
	}
	old := c.worked >= p.opts.RecycleAfter || c.files >= unknownFiles*p.opts.RecycleAfter || residentBytes(c.cmd.Process.Pid) > p.opts.RecycleRSS
	p.mu.Lock()
	delete(p.busy, c)
	select {
	case <-p.closed:
		old = true
	default:
	}
	if old {
		p.stat.Recycled++
	} else if len(p.idle) >= 2*p.opts.Workers+fronts { // containers were open beside the workers
		old = true
	} else {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if old {
		c.close()
	}
	return nil
}

// unknownFiles is how many files that a child does not know weigh as much as one that it
// decodes: to start a child takes as long as a thousand of them.
const unknownFiles = 10

// fronts is how many containers may be open beyond one for each worker, where exhibits are
// scanned at once: each has the one open at which it is. Children that come and go cost more
// than the files they look at.
const fronts = 4

func (p *Pool) forget(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, c)
}

func (p *Pool) count(f func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.stat)
}
