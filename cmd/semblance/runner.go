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
	"semblance/scan"
	"semblance/store"
)

// A runner does the jobs of a service, one after the other in the order in which
// they came: each uses every worker. Their rows are the store's; what the runner
// knows besides is how far the running one is.
//
// A job that is interrupted is queued again and goes on at the next start from what
// was recorded, since its files wait in the spool.
type runner struct {
	p     *program
	spool *api.Spool
	log   *slog.Logger
	wake  chan struct{}
	done  chan struct{}
	stop  context.CancelFunc

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change of any job
	running store.JobID
	cancel  context.CancelCauseFunc // of the running job
	now     api.JobProgress
	ticks   int // changes of progress of the running job
}

const jobUpload = "upload"

// newRunner cleans the spool of what no job needs and begins with what is queued.
func newRunner(ctx context.Context, p *program, spool *api.Spool, log *slog.Logger) (*runner, error) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &runner{p: p, spool: spool, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: stop,
		changed: make(chan struct{})}
	if err := r.sweep(ctx); err != nil {
		stop()
		return nil, err
	}
	go r.run(ctx)
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

// Close interrupts the running job, queues it again and waits.
func (r *runner) Close() error {
	r.stop()
	<-r.done
	return nil
}

func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	for {
		jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued)
		if err != nil && ctx.Err() == nil {
			r.log.Error("read the queue", "cause", err)
		}
		if len(jobs) > 0 && ctx.Err() == nil {
			r.one(ctx, jobs[0])
			continue
		}
		select {
		case <-r.wake:
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
	r.mu.Lock()
	r.running, r.cancel, r.now, r.ticks = j.ID, cancel, api.JobProgress{}, 0
	r.mu.Unlock()
	j.State = store.JobRunning
	j, err := r.p.store.UpdateJob(jctx, j)
	if semblance.CodeOf(err) == semblance.Conflict { // canceled meanwhile
		r.idle()
		return
	}
	var sum scan.Summary
	if err == nil {
		r.tell()
		sum, err = r.work(jctx, j)
	}
	r.finish(ctx, jctx, j, sum, err)
}

// idle says that no job is running.
func (r *runner) idle() {
	r.mu.Lock()
	r.running, r.cancel = "", nil
	r.mu.Unlock()
}

// finish stores a job's end: an interrupted one goes back to the queue.
func (r *runner) finish(ctx, jctx context.Context, j store.Job, sum scan.Summary, err error) {
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
	r.idle()
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
	u, err := uploadOf(j)
	if err != nil {
		return err
	}
	return r.spool.Remove(u.Spool)
}

// work examines an upload. A panic is an error with its stack in the log.
func (r *runner) work(ctx context.Context, j store.Job) (sum scan.Summary, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	u, err := uploadOf(j)
	if err != nil {
		return sum, err
	}
	plan, err := r.plan(ctx, u)
	if err != nil {
		return sum, err
	}
	return r.p.scanner().Run(ctx, scan.Options{Plan: plan, Actor: u.Actor, Label: u.Exhibit, Serial: u.Serial, Acquirer: u.Acquirer,
		Root: r.spool.Path(u.Spool), Source: api.UploadSource(u.Spool), Lanes: r.p.cfg.Workers,
		Progress: r.progress})
}

func (r *runner) plan(ctx context.Context, u api.Upload) (*semblance.Plan, error) {
	return r.p.engine.Plan(ctx, u.Case, semblance.PlanOptions{Collections: u.Collections, Top: u.Top, Crops: true, Thumbnail: 256, Detection: u.Detection})
}

func uploadOf(j store.Job) (u api.Upload, err error) {
	if j.Kind != jobUpload {
		return u, semblance.Errorf(semblance.Invalid, "this version has no jobs of kind %q", j.Kind)
	}
	if err := json.Unmarshal(j.Spec, &u); err != nil {
		return u, fmt.Errorf("read what the job is: %w", err)
	}
	return u, nil
}

func (r *runner) progress(p scan.Progress) {
	r.mu.Lock()
	r.now = api.JobProgress{Items: p.Items, TotalItems: p.TotalItems, Bytes: p.Bytes, TotalBytes: p.TotalBytes, Findings: p.Findings}
	r.ticks++
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

// maxWaiting bounds the queue, and with it what the spool can take of the disk.
const maxWaiting = 100

// Check implements api.Jobs.
func (r *runner) Check(ctx context.Context, u api.Upload) error {
	c, err := r.p.store.Case(ctx, u.Case)
	if err != nil {
		return err
	}
	list, err := r.p.store.Exhibits(ctx, c.ID)
	if err != nil {
		return err
	}
	taken := slices.ContainsFunc(list, func(x semblance.Exhibit) bool { return x.Label == u.Exhibit })
	jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued, store.JobRunning)
	if err != nil {
		return err
	}
	if len(jobs) >= maxWaiting {
		return semblance.Errorf(semblance.Busy, "%d uploads wait to be examined", len(jobs)).WithHint("Send it again when some of them are done; /v1/jobs lists them.")
	}
	taken = taken || slices.ContainsFunc(jobs, func(j store.Job) bool {
		other, err := uploadOf(j)
		return err == nil && j.Case == c.ID && other.Exhibit == u.Exhibit
	})
	if taken {
		return semblance.Errorf(semblance.Conflict, "the case has an exhibit %q already", u.Exhibit).
			WithHint("Give this upload a label of its own: what is recorded of the other one stays as it is.")
	}
	_, err = r.plan(ctx, u)
	return err
}

// Submit implements api.Jobs.
func (r *runner) Submit(ctx context.Context, u api.Upload) (api.Job, error) {
	c, err := r.p.store.Case(ctx, u.Case)
	if err != nil {
		return api.Job{}, err
	}
	spec, err := json.Marshal(u)
	if err != nil {
		return api.Job{}, err
	}
	ev := semblance.AuditEvent{Actor: u.Actor, Action: "upload", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis, Collections: u.Collections,
		Detail: map[string]any{"exhibit": u.Exhibit, "files": u.Files, "bytes": u.Bytes}}
	j, err := r.p.store.CreateJob(ctx, store.Job{Kind: jobUpload, Case: c.ID, Spec: spec}, ev)
	if err != nil {
		return api.Job{}, err
	}
	select {
	case r.wake <- struct{}{}:
	default: // it is awake, and will see the job
	}
	return r.view(j), nil
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
	u, _ := uploadOf(j) // an unknown kind has no upload, and is shown all the same
	v := api.Job{ID: string(j.ID), Kind: j.Kind, Case: u.Case, Exhibit: u.Exhibit, State: string(j.State), Attempts: j.Attempts,
		Code: j.Code, Error: j.Error, Created: j.Created, Updated: j.Updated}
	if v.Ended() {
		v.Summary = j.Counts
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == j.ID && !v.Ended() {
		now := r.now
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
	u, err := uploadOf(j)
	if err != nil {
		return api.Job{}, err
	}
	if v := r.view(j); v.Ended() {
		return v, semblance.Errorf(semblance.Conflict, "the job is %s already", v.State)
	}
	ev := semblance.AuditEvent{Actor: who, Action: "job.cancel", Case: u.Case, Detail: map[string]any{"job": id, "exhibit": u.Exhibit}}
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
	if r.running != id {
		return false
	}
	r.cancel(errCanceled)
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
	if r.running == j.ID {
		ticks = r.ticks
	}
	return fmt.Sprintf("%s-%d-%d", j.State, j.Attempts, ticks)
}
