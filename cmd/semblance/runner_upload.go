package main

import (
	"context"
	"encoding/json"
	"fmt"

	"semblance"
	"semblance/api"
	"semblance/scan"
	"semblance/store"
)

// jobUpload examines files that were uploaded as an exhibit.
const jobUpload = "upload"

// upload examines an upload.
func (r *runner) upload(ctx context.Context, j store.Job) (sum scan.Summary, err error) {
	u, err := uploadOf(j)
	if err != nil {
		return sum, err
	}
	plan, err := r.plan(ctx, u)
	if err != nil {
		return sum, err
	}
	var speed pace
	sum, err = r.p.scanner().Run(ctx, scan.Options{Plan: plan, Actor: u.Actor, Label: u.Exhibit, Serial: u.Serial, Acquirer: u.Acquirer,
		Root: r.spool.Path(u.Spool), Source: api.UploadSource(u.Spool), Lanes: r.p.cfg.Workers,
		Progress: func(p scan.Progress) {
			r.progress(j.ID, jobProgress(p, speed.left(p)))
		}})
	if err == nil { // a collection can have changed meanwhile
		err = r.lookBackIfDue(ctx, u.Actor)
	}
	return sum, err
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

// maxWaiting bounds the queue, and with it what the spool can take of the disk.
const maxWaiting = 100

// Check implements api.Jobs.
func (r *runner) Check(ctx context.Context, u api.Upload) error {
	c, err := r.p.store.Case(ctx, u.Case)
	if err != nil {
		return err
	}
	_, taken, err := r.exhibit(ctx, c.ID, u.Exhibit)
	if err != nil {
		return err
	}
	jobs, err := r.p.store.Jobs(ctx, "", unfinished...)
	if err != nil {
		return err
	}
	waiting := 0
	for _, j := range jobs {
		if j.Kind == jobUpload {
			waiting++
		}
		if v := r.view(j); v.Exhibit == u.Exhibit && j.Case == c.ID {
			taken = true
		}
	}
	if waiting >= maxWaiting {
		return semblance.Errorf(semblance.Busy, "%d uploads wait to be examined", waiting).WithHint("Send it again when some of them are done; /v1/jobs lists them.")
	}
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
	r.awake()
	return r.view(j), nil
}
