package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"semblance"
)

// A child is one running worker program. It is used by one goroutine at a time.
type child struct {
	cmd    *exec.Cmd
	conn   *net.UnixConn
	output *ring
	exited chan struct{} // closed when the process has been waited for
	reason atomic.Pointer[fault]
	facts  Facts
	files  int   // served
	worked int   // of those, decoded or opened: not those that it only said it does not know
	mark   int64 // bytes of output before the present request
	memory int64 // the limit in force; 0 before the first
	idle   int64 // bytes of address space before the first file
}

// keptOutput is how much of a child's output is kept, and shownOutput how much of
// that ends up in the log.
const (
	keptOutput  = 64 << 10
	shownOutput = 4 << 10
)

// spawn starts the program with its end of a socket pair and nothing else: no
// environment but o.Env and the few variables below, no descriptors, no input.
func spawn(o *Options) (*child, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	defer theirs.Close()
	generic, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, fmt.Errorf("use a socket pair: %w", err)
	}
	c := &child{conn: generic.(*net.UnixConn), output: newRing(keptOutput), exited: make(chan struct{})}
	c.cmd = &exec.Cmd{
		Path: o.Program, Args: []string{"semblance-worker"}, Env: environment(o), Dir: "/",
		Stdout: c.output, Stderr: c.output, ExtraFiles: []*os.File{theirs},
		SysProcAttr: processAttributes(), WaitDelay: 5 * time.Second,
	}
	if err := c.cmd.Start(); err != nil {
		c.conn.Close()
		return nil, err
	}
	go func() {
		c.cmd.Wait() // the state is in c.cmd.ProcessState
		close(c.exited)
	}()
	return c, nil
}

// environment is all that a child inherits.
func environment(o *Options) []string {
	return append([]string{
		"LANG=C.UTF-8",
		"TZ=", // UTC, without reading a file
		"GOMAXPROCS=2",
		"GOTRACEBACK=single",
		"MALLOC_ARENA_MAX=2", // one arena a thread is 64 MiB of address space each
		// The kernel clears what is given back and asked for again, and does it in pages of
		// 4 KiB: a twenty-fifth of a photograph's time. bench/table.py has the same.
		"GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728",
		fmt.Sprintf("OMP_NUM_THREADS=%d", o.Threads),
		fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", o.Threads),
		"ORT_DISABLE_TELEMETRY=1", // the published ONNX Runtime has a client for it
	}, o.Env...)
}

// hello makes the child close its cage and takes its facts.
func (c *child) hello(ctx context.Context, o *Options) error {
	req := request{Hello: &Hello{Version: protocolVersion, Models: o.Models, Engines: o.Engines, Threads: o.Threads, Memory: o.Limits.Memory}}
	r, err := c.ask(ctx, req, nil, terms{deadline: o.StartTimeout, budget: budget{bytes: 64 << 10, objects: 256, values: 4096}})
	switch {
	case err != nil:
		return err
	case r.Error != nil:
		return checkRemote(r.Error)
	case r.Facts == nil:
		return c.condemn(violate("no facts"))
	case r.Facts.Version != protocolVersion:
		return c.condemn(violate("protocol %d of the worker program, where this program speaks %d", r.Facts.Version, protocolVersion))
	}
	c.facts = *r.Facts
	c.facts.tidy()
	c.idle = virtualBytes(c.cmd.Process.Pid)
	if err := c.limit(o.Limits.Memory, o); err != nil {
		return c.condemn(err)
	}
	if a := c.facts.Cage; o.RequireCage && (a.Landlock == 0 || !a.Seccomp || !a.Limits) {
		return semblance.Errorf(semblance.Unavailable, "this machine cannot cage the programs that decode pictures, and it is configured to decode none without").
			WithHint("Run semblance doctor to see what is missing: a kernel of 5.13 or later with Landlock and seccomp, mostly.")
	}
	return nil
}

// Terms are what one request may cost.
type terms struct {
	deadline time.Duration
	cpu      time.Duration // 0: not limited
	threads  int           // that can use CPU at once
	budget   budget
}

// ask sends one request and waits for its reply. An error is a *fault or ctx's;
// after it the child is dead and waited for.
func (c *child) ask(ctx context.Context, req request, f *os.File, t terms) (*reply, error) {
	frame, err := marshalFrame(req, maxRequest)
	if err != nil {
		return nil, c.condemn(err)
	}
	if req.Hello == nil { // what it says before it is greeted is about that
		c.mark = c.output.Total()
	}
	late := &fault{kind: faultDeadline, limit: t.deadline}
	unwatch := context.AfterFunc(ctx, func() { c.kill(&fault{kind: faultCanceled, err: ctx.Err()}) })
	alarm := time.AfterFunc(t.deadline, func() { c.kill(late) })
	stopCPU := c.watchCPU(t)
	r, err := c.exchange(frame, f, t.budget)
	stopCPU()
	// A watcher that has begun will kill the child, now or a moment later: the
	// child must not go to the next file with that before it.
	switch {
	case !unwatch() && ctx.Err() != nil:
		c.reason.CompareAndSwap(nil, &fault{kind: faultCanceled, err: ctx.Err()})
	case !alarm.Stop():
		c.reason.CompareAndSwap(nil, late)
	}
	alarm.Stop()
	if err != nil || c.reason.Load() != nil {
		return nil, c.condemn(err)
	}
	return r, nil
}

func (c *child) exchange(frame []byte, f *os.File, b budget) (*reply, error) {
	if err := sendFrame(c.conn, frame, f); err != nil {
		return nil, err
	}
	answer, err := readFrame(c.conn, b.bytes)
	if err != nil {
		return nil, err
	}
	r, err := parseReply(answer, b)
	if err == nil && r.Analysis != nil {
		err = readPixels(c.conn, r.Analysis.Pictures, b)
	}
	return r, err
}

// watchCPU kills the child when it uses more processor time than t allows, until
// the function it returns is called. It looks rarely: not before the time could
// have been used up.
func (c *child) watchCPU(t terms) (stop func()) {
	before, ok := cpuTime(c.cmd.Process.Pid)
	if t.cpu <= 0 || !ok {
		return func() {}
	}
	const often = 50 * time.Millisecond
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for left := t.cpu; left > 0; {
			select {
			case <-done:
				return
			case <-c.exited:
				return
			case <-time.After(max(left/time.Duration(t.threads), often)):
			}
			now, ok := cpuTime(c.cmd.Process.Pid)
			if !ok {
				return
			}
			left = t.cpu - (now - before)
		}
		c.kill(&fault{kind: faultCPU, limit: t.cpu})
	}()
	return func() { close(done); <-ended }
}

// kill ends the process. The first reason stands.
func (c *child) kill(why *fault) {
	c.reason.CompareAndSwap(nil, why)
	c.cmd.Process.Kill()
}

// condemn ends the process after something went wrong on the connection and says
// what it really was: the reason it was killed for, the violation, or its death.
func (c *child) condemn(err error) error {
	var v *violation
	if errors.As(err, &v) {
		c.reason.CompareAndSwap(nil, &fault{kind: faultViolation, err: err})
	}
	// A process that is already ending keeps its own status.
	c.cmd.Process.Kill()
	c.conn.Close()
	<-c.exited
	why := c.reason.Load()
	if why == nil {
		why = c.autopsy(err)
	}
	if why.kind == faultCanceled && why.err != nil {
		return why.err
	}
	out := *why
	out.output = c.words()
	return &out
}

// autopsy tells from a dead process and its last words what it died of.
func (c *child) autopsy(err error) *fault {
	out := c.output.Since(c.mark)
	f := &fault{kind: faultCrash, err: err, limit: time.Duration(c.memory)}
	if outOfMemory(out) {
		f.kind = faultMemory
		return f
	}
	state, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		f.how = c.cmd.ProcessState.String()
	case state.Signaled() && state.Signal() == syscall.SIGKILL:
		// Ours, after it closed its end, or the kernel's out-of-memory killer's.
		f.how = "it closed its connection or was killed from outside"
	case state.Signaled():
		f.how = "signal: " + state.Signal().String()
	default:
		f.how = fmt.Sprintf("exit status %d", state.ExitStatus())
		if sig := goSignal(out); sig != "" {
			f.how = "signal: " + sig
		}
	}
	return f
}

// close ends an idle child.
func (c *child) close() {
	c.conn.Close()
	c.cmd.Process.Kill()
	<-c.exited
}

// gone reports whether the process has ended.
func (c *child) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// words returns what the child printed since its last request: the beginning,
// where Go says what happened, and the end, where C libraries do.
func (c *child) words() string {
	s := c.output.Since(c.mark)
	const half = shownOutput / 2
	if len(s) <= shownOutput {
		return clean(s, shownOutput)
	}
	return clean(s[:half], half) + " … " + clean(s[len(s)-half:], half)
}

// limit bounds the child's memory.
func (c *child) limit(memory int64, o *Options) error {
	if memory == c.memory {
		return nil
	}
	if err := limitMemory(c.cmd.Process.Pid, memory, o.Limits.Memory, c.idle); err != nil {
		return fmt.Errorf("limit the memory of a worker: %w", err)
	}
	c.memory = memory
	return nil
}

// analyze asks for one file and checks the answer.
func (c *child) analyze(ctx context.Context, f *os.File, req *semblance.AnalyzeRequest, o *Options) (semblance.Analysis, error) {
	if err := c.limit(req.Limits.Memory, o); err != nil {
		return semblance.Analysis{}, c.condemn(err)
	}
	c.files++
	t := terms{deadline: req.Limits.Deadline, cpu: req.Limits.CPU, threads: o.Threads + 2, budget: replyBudget(req)}
	r, err := c.ask(ctx, request{Analyze: req}, f, t)
	long := err == nil && r.Video && len(req.Videos) > 0
	if long {
		t.deadline, t.cpu = req.Limits.VideoDeadline, req.Limits.VideoCPU
		r, err = c.ask(ctx, request{Analyze: req, Long: true}, f, t)
	}
	if err != nil {
		return semblance.Analysis{}, err
	}
	var plain semblance.Analysis // beside an error
	switch {
	case r.Analysis != nil && (r.Analysis.IsVideo() || r.Analysis.IsSound()) != long:
		err = violate("a video or sound for a picture, or the other way round")
	case r.Error != nil:
		plain.Plain = r.Plain
		err = checkRemote(r.Error)
	case r.Analysis == nil:
		err = violate("no analysis")
	default:
		err = checkAnalysis(r.Analysis, req, o)
	}
	var v *violation
	if errors.As(err, &v) {
		return semblance.Analysis{}, c.condemn(err)
	}
	if err != nil {
		return plain, err
	}
	c.worked++
	r.Analysis.Plain = r.Plain && (r.Analysis.IsText() || r.Analysis.IsSound())
	return *r.Analysis, nil
}
