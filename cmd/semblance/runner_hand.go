package main

import (
	"context"

	"semblance"
	"semblance/api"
	"semblance/store"
)

// wasCanceled is what a canceled job says.
const wasCanceled = "canceled; what was recorded before is kept"

// Cancel implements api.Jobs.
func (r *runner) Cancel(ctx context.Context, who semblance.Actor, id string) (api.Job, error) {
	j, runs, err := r.halt(ctx, who, id, errCanceled)
	if err != nil {
		return api.Job{}, err
	}
	if runs {
		return r.until(ctx, id, func(j *api.Job) bool { return j.Ended() })
	}
	r.tell()
	return r.view(j), r.clean(j)
}

// Pause implements api.Pauser.
func (r *runner) Pause(ctx context.Context, who semblance.Actor, id string) (api.Job, error) {
	j, runs, err := r.halt(ctx, who, id, errPaused)
	if err != nil {
		return api.Job{}, err
	}
	if !runs {
		r.tell()
		return r.view(j), nil
	}
	v, err := r.until(ctx, id, func(j *api.Job) bool {
		return j.State != string(store.JobRunning) && j.State != string(store.JobQueued)
	})
	if err == nil && v.State != string(store.JobPaused) {
		err = semblance.Errorf(semblance.Conflict, "the job is %s: it ended before it could be paused", v.State)
	}
	return v, err
}

// halt has a job stop for a cause: the running one is interrupted, and stores its end; what
// nothing runs is stored as canceled or paused.
func (r *runner) halt(ctx context.Context, who semblance.Actor, id string, cause error) (j store.Job, runs bool, err error) {
	r.hand.Lock()
	defer r.hand.Unlock()
	if j, err = r.p.store.Job(ctx, store.JobID(id)); err != nil {
		return j, false, err
	}
	v := r.view(j)
	action := "job.cancel"
	if cause == errPaused {
		action = "job.pause"
	}
	switch {
	case v.Ended():
		err = semblance.Errorf(semblance.Conflict, "the job is %s already", v.State)
	case cause == errPaused && j.State != store.JobQueued && j.State != store.JobRunning:
		err = semblance.Errorf(semblance.Conflict, "the job is %s already: nothing runs that could be paused", v.State)
	default:
		err = r.p.store.Append(ctx, jobEvent(who, action, v))
	}
	if err != nil || r.interrupt(j.ID, cause) {
		return j, err == nil, err
	}
	begun := j.Attempts > 0 || j.State != store.JobQueued
	switch {
	case cause == errPaused:
		j.State = store.JobPaused
	case begun:
		j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, wasCanceled
	default:
		j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, "canceled before it was begun"
	}
	j, err = r.p.store.UpdateJob(ctx, j)
	return j, false, err
}

// Resume implements api.Pauser.
func (r *runner) Resume(ctx context.Context, who semblance.Actor, id string) (api.Job, error) {
	r.hand.Lock()
	defer r.hand.Unlock()
	j, err := r.p.store.Job(ctx, store.JobID(id))
	if err != nil {
		return api.Job{}, err
	}
	v := r.view(j)
	switch {
	case v.Ended():
		e := semblance.Errorf(semblance.Conflict, "the job is %s already", v.State)
		if o, err := scanOrderOf(j); err == nil && j.State != store.JobDone {
			e = e.WithHint("%s", o.again(who))
		}
		return v, e
	case j.State != store.JobPaused && j.State != store.JobInterrupted:
		return v, semblance.Errorf(semblance.Conflict, "the job is not paused: it is %s", v.State)
	}
	begin := func(store.Job) { r.awake() }
	if j.Kind == jobScan {
		if begin, err = r.resumable(ctx, j, who); err != nil {
			return v, err
		}
	}
	if err := r.p.store.Append(ctx, jobEvent(who, "job.resume", v)); err != nil {
		return v, err
	}
	j.State, j.Code, j.Error = store.JobQueued, "", ""
	if j, err = r.p.store.UpdateJob(ctx, j); err != nil {
		return v, err
	}
	begin(j)
	r.tell()
	return r.view(j), nil
}

func jobEvent(who semblance.Actor, action string, v api.Job) semblance.AuditEvent {
	ev := semblance.AuditEvent{Actor: who, Action: action, Case: v.Case, Detail: map[string]any{"job": v.ID, "kind": v.Kind}}
	if v.Exhibit != "" {
		ev.Detail["exhibit"] = v.Exhibit
	}
	if v.Collection != "" {
		ev.Collections = []string{v.Collection}
	}
	return ev
}

// interrupt ends the context of a job that something runs.
func (r *runner) interrupt(id store.JobID, cause error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.running[id]
	if run == nil {
		return false
	}
	run.canceled = run.canceled || cause == errCanceled
	run.cancel(cause)
	return true
}

// until waits for a state of a job.
func (r *runner) until(ctx context.Context, id string, is func(*api.Job) bool) (api.Job, error) {
	seen := ""
	for {
		j, mark, err := r.Wait(ctx, id, seen)
		if err != nil || is(&j) {
			return j, err
		}
		seen = mark
	}
}
