package main

import (
	"context"
	"encoding/json"
	"slices"

	"semblance"
	"semblance/api"
	"semblance/store"
)

// jobLookback looks back at old exhibits; it does all that is due.
const jobLookback = "lookback"

// A lookbackOrder is what such a job is.
type lookbackOrder struct {
	Actor semblance.Actor `json:"actor"`
}

// LookBack implements api.Lookbacker. A job that waits already will see what is due when
// it begins, so that there is never more than one.
func (r *runner) LookBack(ctx context.Context, who semblance.Actor) (api.Job, error) {
	jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued)
	if err != nil {
		return api.Job{}, err
	}
	if i := slices.IndexFunc(jobs, func(j store.Job) bool { return j.Kind == jobLookback }); i >= 0 {
		return r.view(jobs[i]), nil
	}
	text, err := json.Marshal(lookbackOrder{who})
	if err != nil {
		return api.Job{}, err
	}
	j, err := r.p.store.CreateJob(ctx, store.Job{Kind: jobLookback, Spec: text}, semblance.AuditEvent{Actor: who, Action: "lookback.queue"})
	if err != nil {
		return api.Job{}, err
	}
	r.awake()
	return r.view(j), nil
}

// lookBackIfDue queues a look-back when there is something to do.
func (r *runner) lookBackIfDue(ctx context.Context, who semblance.Actor) error {
	due, err := r.p.engine.DueLookbacks(ctx)
	if err != nil || !slices.ContainsFunc(due.Collections, func(d semblance.DueCollection) bool { return len(d.Plans) > 0 }) {
		return err
	}
	_, err = r.LookBack(ctx, who)
	return err
}

// lookBack does such a job.
func (r *runner) lookBack(ctx context.Context, j store.Job) (res semblance.LookbackResult, err error) {
	var o lookbackOrder
	if err := json.Unmarshal(j.Spec, &o); err != nil {
		return res, err
	}
	return r.p.engine.LookBack(ctx, o.Actor, semblance.LookbackRequest{Progress: func(done, total int) {
		r.progress(j.ID, api.JobProgress{Items: int64(done), TotalItems: int64(total)})
	}})
}
