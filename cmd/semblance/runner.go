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
// the runner knows besides is how far the running ones are.
//
// A job that is interrupted is queued again and goes on at the next start from what
// was recorded, since its files wait in the spool.
type runner struct {
	p     *program
	spool *api.Spool
	log   *slog.Logger
	lanes [3]*lane
	done  sync.WaitGroup
	stop  context.CancelFunc

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change of any job
	running map[store.JobID]*runningJob
}

// A lane does the jobs of some kinds, one at a time.
type lane struct {
	takes func(kind string) bool
	wake  chan struct{}
}

// A runningJob is what is known of a job while it runs.
type runningJob struct {
	cancel context.CancelCauseFunc
	now    api.JobProgress
	ticks  int // changes of progress
}

// newRunner cleans the spool of what no job needs and begins with what is queued.
func newRunner(ctx context.Context, p *program, spool *api.Spool, log *slog.Logger) (*runner, error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &runner{p: p, spool: spool, log: log, stop: stop, changed: make(chan struct{}), running: map[store.JobID]*runningJob{}}
	if err := r.sweep(ctx); err != nil {
		stop()
		return nil, err
	}
	for i, takes := range []func(string) bool{
		func(kind string) bool { return kind != jobReenroll && kind != jobLookback }, // an unknown kind fails there
		func(kind string) bool { return kind == jobReenroll },
		func(kind string) bool { return kind == jobLookback },
	} {
		r.lanes[i] = &lane{takes: takes, wake: make(chan struct{}, 1)}
		r.done.Go(func() { r.run(ctx, r.lanes[i]) })
	}
	return r, nil
}

// sweep keeps the spool's folders of jobs that have not ended.
func (r *runner) sweep(ctx context.Context) error {
	jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued, store.JobRunning)
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
	r.stop()
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

// errCanceled is why a job's context ends when a person cancels it.
var errCanceled = errors.New("canceled by a person")

// one does a job and stores how it ended.
func (r *runner) one(ctx context.Context, j store.Job) {
	jctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	id := j.ID
	r.mu.Lock()
	r.running[id] = &runningJob{cancel: cancel}
	r.mu.Unlock()
	j.State = store.JobRunning
	j, err := r.p.store.UpdateJob(jctx, j)
	if semblance.CodeOf(err) == semblance.Conflict { // canceled meanwhile
		r.idle(id)
		return
	}
	var sum any
	if err == nil {
		r.tell()
		sum, err = r.work(jctx, j)
	}
	r.finish(ctx, jctx, j, sum, err)
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
		j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, "canceled; what was recorded before is kept"
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
	if uerr == nil && done.State != store.JobQueued {
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
	if j.Kind == jobReenroll || j.Kind == jobLookback {
		return nil // what is staged stays: the next run goes on from there
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
	}
	if v.Ended() {
		v.Summary = j.Counts
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.running[j.ID]; run != nil && !v.Ended() {
		now := run.now
		v.Progress = &now
	}
	return v
}

// Cancel implements api.Jobs.
func (r *runner) Cancel(ctx context.Context, who semblance.Actor, id string) (api.Job, error) {
	j, err := r.p.store.Job(ctx, store.JobID(id))
	if err != nil {
		return api.Job{}, err
	}
	v := r.view(j)
	if v.Ended() {
		return v, semblance.Errorf(semblance.Conflict, "the job is %s already", v.State)
	}
	ev := semblance.AuditEvent{Actor: who, Action: "job.cancel", Case: v.Case, Detail: map[string]any{"job": id, "kind": j.Kind}}
	if v.Exhibit != "" {
		ev.Detail["exhibit"] = v.Exhibit
	}
	if v.Collection != "" {
		ev.Collections = []string{v.Collection}
	}
	if err := r.p.store.Append(ctx, ev); err != nil {
		return api.Job{}, err
	}
	if r.interrupt(j.ID) {
		return r.ended(ctx, id)
	}
	j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, "canceled before it was begun"
	if j, err = r.p.store.UpdateJob(ctx, j); err != nil {
		return api.Job{}, err
	}
	r.tell()
	return r.view(j), r.clean(j)
}

// interrupt cancels the job when it is the running one.
func (r *runner) interrupt(id store.JobID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.running[id]
	if run == nil {
		return false
	}
	run.cancel(errCanceled)
	return true
}

// ended waits for the end of a job that was interrupted.
func (r *runner) ended(ctx context.Context, id string) (api.Job, error) {
	seen := ""
	for {
		j, mark, err := r.Wait(ctx, id, seen)
		if err != nil || j.Ended() {
			return j, err
		}
		seen = mark
	}
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
		if mark != seen || v.Ended() {
			return v, mark, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return v, mark, ctx.Err()
		}
	}
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
