package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"semblance"
	"semblance/api"
	"semblance/store"
)

// A runner does the jobs of a service: uploads one after the other in the order in
// which they came, because each uses every worker, and beside them re-enrollments,
// which take hours and must not hold up an upload, and look-backs. Their rows are the store's; what
// the runner knows besides is how far the running ones are. Scans are jobs as well, also
// without a service, but are run by the command that asks for them: see scanRun.
//
// A job that is interrupted is queued again and goes on at the next start from what
// was recorded, since its files wait in the spool.
type runner struct {
	p     *program
	spool *api.Spool // nil: nothing is served
	log   *slog.Logger
	lanes [3]*lane
	done  sync.WaitGroup
	ctx   context.Context // of the service
	stop  context.CancelFunc

	hand sync.Mutex // held while a job is begun, and while a person changes one
	gate *turnstile // of scans that no command waits for; hand guards it

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change of any job
	running map[store.JobID]*runningJob
}

// A lane does the jobs of some kinds, one at a time.
type lane struct {
	takes func(kind string) bool
	wake  chan struct{}
}

// A runningJob is what is known of a job while something runs it. The runner's mu guards it.
type runningJob struct {
	cancel   context.CancelCauseFunc
	canceled bool                 // by a person, whatever else ended it
	resume   chan semblance.Actor // of a scan that is paused, and waits for this
	now      api.JobProgress
	ticks    int // changes of progress
}

func newRunner(p *program) *runner {
	return &runner{p: p, gate: newTurnstile(scansAtOnce), log: slog.New(slog.DiscardHandler), changed: make(chan struct{}), running: map[store.JobID]*runningJob{}}
}

// serve cleans the spool of what no job needs and begins with what is queued.
func (r *runner) serve(ctx context.Context, spool *api.Spool, log *slog.Logger) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.spool, r.log, r.ctx, r.stop = spool, log, ctx, stop
	if err := r.sweep(ctx); err != nil {
		stop()
		return err
	}
	for i, takes := range []func(string) bool{
		func(kind string) bool { return kind != jobReenroll && kind != jobLookback && kind != jobScan }, // an unknown kind fails there
		func(kind string) bool { return kind == jobReenroll },
		func(kind string) bool { return kind == jobLookback },
	} {
		r.lanes[i] = &lane{takes: takes, wake: make(chan struct{}, 1)}
		r.done.Go(func() { r.run(ctx, r.lanes[i]) })
	}
	return nil
}

// unfinished are the states of a job that has not ended.
var unfinished = []store.JobState{store.JobQueued, store.JobRunning, store.JobPaused, store.JobInterrupted}

// sweep keeps the spool's folders of jobs that have not ended.
func (r *runner) sweep(ctx context.Context) error {
	jobs, err := r.p.store.Jobs(ctx, "", unfinished...)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, j := range jobs {
		if u, err := uploadOf(j); err == nil {
			needed[u.Spool] = true
		}
	}
	return r.spool.Sweep(func(id string) bool { return needed[id] })
}

// Close interrupts the running jobs, queues them again and waits.
func (r *runner) Close() error {
	r.hand.Lock() // nobody begins a scan now
	r.stop()
	r.hand.Unlock()
	r.done.Wait()
	return nil
}

func (r *runner) run(ctx context.Context, l *lane) {
	for {
		jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued)
		if err != nil && ctx.Err() == nil {
			r.log.Error("read the queue", "cause", err)
		}
		jobs = slices.DeleteFunc(jobs, func(j store.Job) bool { return !l.takes(j.Kind) })
		if len(jobs) > 0 && ctx.Err() == nil {
			r.one(ctx, jobs[0])
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// errCanceled and errPaused are why a job's context ends when a person wants it to.
var (
	errCanceled = errors.New("canceled by a person")
	errPaused   = errors.New("paused by a person")
)

// one does a job and stores how it ended.
func (r *runner) one(ctx context.Context, j store.Job) {
	jctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun, err := r.begin(jctx, j, &runningJob{cancel: cancel})
	if semblance.CodeOf(err) == semblance.Conflict { // canceled or paused meanwhile
		return
	}
	var sum any
	if err == nil {
		j = begun
		r.tell()
		sum, err = r.work(jctx, j)
	}
	r.finish(ctx, jctx, j, sum, err)
}

// begin says that a job is running.
func (r *runner) begin(ctx context.Context, j store.Job, run *runningJob) (store.Job, error) {
	r.hand.Lock()
	defer r.hand.Unlock()
	j.State = store.JobRunning
	j, err := r.p.store.UpdateJob(ctx, j)
	if err == nil {
		r.mu.Lock()
		r.running[j.ID] = run
		r.mu.Unlock()
	}
	return j, err
}

// idle says that a job is not running.
func (r *runner) idle(id store.JobID) {
	r.mu.Lock()
	delete(r.running, id)
	r.mu.Unlock()
}

// finish stores a job's end: an interrupted one goes back to the queue.
func (r *runner) finish(ctx, jctx context.Context, j store.Job, sum any, err error) {
	j.State, j.Code, j.Error = store.JobDone, "", ""
	j.Counts, _ = json.Marshal(sum) // plain data: cannot fail
	switch {
	case err == nil:
	case errors.Is(context.Cause(jctx), errCanceled):
		j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, wasCanceled
	case errors.Is(context.Cause(jctx), errPaused):
		j.State = store.JobPaused
	case ctx.Err() != nil:
		j.State = store.JobQueued
	default:
		j.State, j.Code, j.Error = store.JobFailed, semblance.CodeOf(err), publicMessage(err)
		r.log.Error("a job failed", "job", string(j.ID), "code", string(j.Code), "cause", message(err))
	}
	done, uerr := r.p.store.UpdateJob(context.WithoutCancel(ctx), j)
	if uerr != nil {
		r.log.Error("store the end of a job", "job", string(j.ID), "cause", uerr)
		r.stopOn(uerr)
	}
	if uerr == nil && done.State != store.JobQueued && done.State != store.JobPaused {
		if err := r.clean(j); err != nil {
			r.log.Error("clean up after a job", "job", string(j.ID), "cause", err)
		}
	}
	r.idle(j.ID)
	r.tell()
}

// stopOn ends the runner when the store does not take the end of a job: it would be
// begun again and again.
func (r *runner) stopOn(err error) {
	if semblance.CodeOf(err) != semblance.Conflict {
		r.stop()
	}
}

// publicMessage is the sentence of an error that the job's row keeps.
func publicMessage(err error) string {
	var e *semblance.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return "the job failed; the log of the service has the cause"
}

func (r *runner) clean(j store.Job) error {
	if j.Kind == jobReenroll || j.Kind == jobLookback || j.Kind == jobScan {
		return nil // what is staged or recorded stays: the next run goes on from there
	}
	if r.spool == nil {
		return nil // the next service sweeps it
	}
	u, err := uploadOf(j)
	if err != nil {
		return err
	}
	return r.spool.Remove(u.Spool)
}

// work does a job. A panic is an error with its stack in the log.
func (r *runner) work(ctx context.Context, j store.Job) (sum any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	switch j.Kind {
	case jobReenroll:
		return r.reenroll(ctx, j)
	case jobLookback:
		return r.lookBack(ctx, j)
	}
	return r.upload(ctx, j)
}

// progress keeps how far a running job is.
func (r *runner) progress(id store.JobID, now api.JobProgress) {
	r.mu.Lock()
	if run := r.running[id]; run != nil {
		run.now = now
		run.ticks++
	}
	r.mu.Unlock()
	r.tell()
}

// tell wakes everyone who waits for a job.
func (r *runner) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// awake has the lanes look for a new job.
func (r *runner) awake() {
	for _, l := range r.lanes {
		select {
		case l.wake <- struct{}{}:
		default: // it is awake, and will see the job
		}
	}
}

// Jobs implements api.Jobs.
func (r *runner) Jobs(ctx context.Context, c semblance.CaseID) ([]api.Job, error) {
	jobs, err := r.p.store.Jobs(ctx, c)
	out := make([]api.Job, len(jobs))
	for i, j := range jobs {
		out[i] = r.view(j)
	}
	return out, err
}

// view is a job as the API shows it.
func (r *runner) view(j store.Job) api.Job {
	v := api.Job{ID: string(j.ID), Kind: j.Kind, State: string(j.State), Attempts: j.Attempts, Code: j.Code, Error: j.Error, Created: j.Created, Updated: j.Updated}
	if o, err := orderOf(j); err == nil { // an unknown kind is shown all the same
		v.Collection, v.Engine = o.Collection, o.Engine
	} else if u, err := uploadOf(j); err == nil {
		v.Case, v.Exhibit = u.Case, u.Exhibit
	} else if o, err := scanOrderOf(j); err == nil {
		v.Case, v.Exhibit = o.Case, o.Exhibit
	}
	if v.Ended() {
		v.Summary = j.Counts
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.running[j.ID]; run != nil && !v.Ended() && j.State != store.JobQueued {
		now := run.now
		if run.resume != nil { // it is paused
			now.LeftSeconds = 0
		}
		v.Progress = &now
	}
	return v
}

// Wait implements api.Jobs.
func (r *runner) Wait(ctx context.Context, id, seen string) (api.Job, string, error) {
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		j, err := r.p.store.Job(ctx, store.JobID(id))
		if err != nil {
			return api.Job{}, "", err
		}
		v := r.view(j)
		mark := r.mark(j)
		// One has not ended for whoever waits before what it left in the spool is gone.
		if v.Ended() && !r.isRunning(j.ID) || mark != seen && !v.Ended() {
			return v, mark, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return v, mark, ctx.Err()
		}
	}
}

func (r *runner) isRunning(id store.JobID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[id] != nil
}

// mark names the present state of a job: the same state has the same mark, also
// after a restart.
func (r *runner) mark(j store.Job) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ticks := 0
	if run := r.running[j.ID]; run != nil {
		ticks = run.ticks
	}
	return fmt.Sprintf("%s-%d-%d", j.State, j.Attempts, ticks)
}
