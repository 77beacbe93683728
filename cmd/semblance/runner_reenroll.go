package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"semblance"
	"semblance/api"
	"semblance/store"
)

// jobReenroll enrolls a faces collection again with another engine.
const jobReenroll = "reenroll"

func orderOf(j store.Job) (o api.ReenrollOrder, err error) {
	if j.Kind != jobReenroll {
		return o, semblance.Errorf(semblance.Invalid, "the job is no re-enrollment but of kind %q", j.Kind)
	}
	if err := json.Unmarshal(j.Spec, &o); err != nil {
		return o, fmt.Errorf("read what the job is: %w", err)
	}
	return o, nil
}

// Reenroll implements api.Reenroller.
func (r *runner) Reenroll(ctx context.Context, o api.ReenrollOrder) (api.Job, error) {
	req := semblance.ReenrollRequest{Collection: o.Collection, Engine: o.Engine}
	c, spec, err := r.p.engine.Reenrollable(ctx, req)
	if err != nil {
		return api.Job{}, err
	}
	o.Engine = spec.Name
	jobs, err := r.p.store.Jobs(ctx, "", unfinished...)
	if err != nil {
		return api.Job{}, err
	}
	if slices.ContainsFunc(jobs, func(j store.Job) bool {
		other, err := orderOf(j)
		return err == nil && other.Collection == o.Collection
	}) {
		return api.Job{}, semblance.Errorf(semblance.Conflict, "collection %q is being enrolled again already", o.Collection).
			WithHint("Follow its job, or cancel it first; what it made is kept.")
	}
	text, err := json.Marshal(o)
	if err != nil {
		return api.Job{}, err
	}
	ev := semblance.AuditEvent{Actor: o.Actor, Action: "collection.reenroll.queue", Basis: c.Basis, Collections: []string{c.Name}, Detail: map[string]any{"to": spec.Signal(), "leave_out_failed": o.LeaveOut}}
	j, err := r.p.store.CreateJob(ctx, store.Job{Kind: jobReenroll, Spec: text}, ev)
	if err != nil {
		return api.Job{}, err
	}
	r.awake()
	return r.view(j), nil
}

// reenroll does such a job on half of the workers: searches and uploads want some.
func (r *runner) reenroll(ctx context.Context, j store.Job) (semblance.ReenrollResult, error) {
	o, err := orderOf(j)
	if err != nil {
		return semblance.ReenrollResult{}, err
	}
	return r.p.engine.Reenroll(ctx, o.Actor, semblance.ReenrollRequest{Collection: o.Collection, Engine: o.Engine, LeaveOut: o.LeaveOut, Lanes: max(1, r.p.cfg.Workers/2),
		Progress: func(now semblance.Reenrollment) {
			r.progress(j.ID, api.JobProgress{Items: now.Staged, TotalItems: now.References})
		}})
}
