package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"semblance"
	"semblance/api"
	"semblance/scan"
	"semblance/store"
)

// jobScan scans an exhibit.
const jobScan = store.KindScan

// A scanOrder is what such a job is. Passwords are not kept, only that there were some.
type scanOrder struct {
	Case      string                `json:"case"`
	Exhibit   string                `json:"exhibit"`
	Serial    string                `json:"serial,omitempty"`
	Acquirer  string                `json:"acquirer,omitempty"`
	Root      string                `json:"root"`
	Against   semblance.PlanOptions `json:"against"`
	Passwords bool                  `json:"passwords,omitempty"`
	Depth     int                   `json:"depth,omitempty"`
	Expansion int64                 `json:"expansion,omitempty"`
	Large     int64                 `json:"large,omitempty"`
	Lanes     int                   `json:"lanes,omitempty"`
	First     time.Duration         `json:"first,omitempty"`
	Actor     semblance.Actor       `json:"actor"` // of the run that is under way
}

func scanOrderOf(j store.Job) (o scanOrder, err error) {
	if j.Kind != jobScan {
		return o, semblance.Errorf(semblance.Invalid, "the job is no scan but of kind %q", j.Kind)
	}
	if err := json.Unmarshal(j.Spec, &o); err != nil {
		return o, fmt.Errorf("read what the job is: %w", err)
	}
	return o, nil
}

// A scanWatch is told what a scan does; the zero value is nobody.
type scanWatch struct {
	event    func(scan.Event)
	progress func(scan.Progress, time.Duration) // and the time left, when it is known
	state    func(store.Job)                    // it is running, or paused
}

// A scanRun is a scan with what runs it: a command, or the service for one that was
// resumed without its command. Where it is paused, its run ends as one that is interrupted,
// so that it holds nothing, not even the evidence; resumed, it is run again, and goes on
// from what was recorded.
type scanRun struct {
	r         *runner
	job       store.Job
	order     scanOrder
	passwords []string
	plan      *semblance.Plan // of the first run
	ctx       context.Context // ends also when a person wants it to
	live      *runningJob
}

// takeScan makes a job of a scan, or takes up the one that was paused or interrupted. The
// caller runs it. ctx ends the scan, too.
func (r *runner) takeScan(ctx context.Context, o scanOrder, plan *semblance.Plan, passwords []string) (*scanRun, error) {
	r.hand.Lock()
	defer r.hand.Unlock()
	return r.take(ctx, ctx, o, plan, passwords)
}

// take is takeScan for who has the runner's hand; life is what ends the scan.
func (r *runner) take(ctx, life context.Context, o scanOrder, plan *semblance.Plan, passwords []string) (*scanRun, error) {
	o.Passwords = len(passwords) > 0
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	s := &scanRun{r: r, order: o, passwords: passwords, plan: plan}
	old, err := r.unfinishedScan(ctx, plan.Case.ID, o)
	switch {
	case err != nil:
		return nil, err
	case old == nil:
		ev := semblance.AuditEvent{Actor: o.Actor, Action: "scan.queue", Case: plan.Case.Number, Purpose: plan.Case.Purpose, Basis: plan.Case.Basis, Collections: o.Against.Collections,
			Detail: map[string]any{"exhibit": o.Exhibit}}
		s.job, err = r.p.store.CreateJob(ctx, store.Job{Kind: jobScan, Case: plan.Case.ID, Spec: text}, ev)
	default:
		if err = r.p.store.Append(ctx, jobEvent(o.Actor, "job.resume", r.view(*old))); err != nil {
			return nil, err
		}
		old.State, old.Code, old.Error, old.Spec = store.JobQueued, "", "", text
		s.job, err = r.p.store.UpdateJob(ctx, *old)
	}
	if err != nil {
		return nil, err
	}
	s.attach(life)
	return s, nil
}

// goOn runs a scan that no command waits for. The runner's hand is held.
func (r *runner) goOn(s *scanRun, urgent bool) {
	turn := atOnce
	if !urgent {
		turn = r.gate.come()
	}
	r.done.Go(func() {
		_, _ = s.run(r.ctx, turn, scanWatch{}) // the job tells how it ended
	})
}

// unfinishedScan finds the job of the same scan that was paused or interrupted.
func (r *runner) unfinishedScan(ctx context.Context, c semblance.CaseID, o scanOrder) (*store.Job, error) {
	jobs, err := r.p.store.Jobs(ctx, c, unfinished...)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		other, err := scanOrderOf(j)
		if err != nil || other.Exhibit != o.Exhibit {
			continue
		}
		if r.runs(j.ID) {
			e := semblance.Errorf(semblance.Conflict, "the exhibit %q is being scanned already, by job %s, which is %s", o.Exhibit, j.ID, j.State)
			if j.State == store.JobPaused {
				return nil, e.WithHint("`semblance jobs resume %s` goes on with it.", j.ID)
			}
			return nil, e.WithHint("`semblance jobs %s` shows how far it is; wait until it is done, or stop it with `semblance jobs cancel %s`.", j.ID, j.ID)
		}
		if other.Root == o.Root {
			return &j, nil
		}
	}
	return nil, nil
}

func (r *runner) runs(id store.JobID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[id] != nil
}

// attach says that the job is run by s.
func (s *scanRun) attach(ctx context.Context) {
	s.live = &runningJob{}
	s.arm(ctx)
	s.r.mu.Lock()
	s.r.running[s.job.ID] = s.live
	s.r.mu.Unlock()
}

// arm gives the next run a context of its own.
func (s *scanRun) arm(ctx context.Context) {
	var cancel context.CancelCauseFunc
	s.ctx, cancel = context.WithCancelCause(ctx)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.live.cancel != nil {
		s.live.cancel(nil)
	}
	s.live.cancel = cancel
	if s.live.canceled { // meanwhile
		cancel(errCanceled)
	}
}

// run scans until the exhibit is done or something ends it, and stores how it ended.
// turn waits until it may begin, and returns what is called when the turn is over.
func (s *scanRun) run(ctx context.Context, turn func(context.Context) (func(), error), w scanWatch) (scan.Summary, error) {
	defer s.r.tell()
	defer s.r.idle(s.job.ID)
	defer func() { s.live.cancel(nil) }()
	for {
		sum, err := s.once(turn, w)
		paused, err := s.settle(ctx, sum, err)
		if !paused {
			return sum, err
		}
		s.r.tell()
		if w.state != nil {
			w.state(s.job)
		}
		if err := s.wait(ctx); err != nil {
			return sum, err
		}
		s.plan = nil // a collection can have changed meanwhile
	}
}

// once runs the scan once.
func (s *scanRun) once(turn func(context.Context) (func(), error), w scanWatch) (sum scan.Summary, err error) {
	over, err := turn(s.ctx)
	if err != nil {
		return sum, err
	}
	defer over()
	begun, err := s.r.begin(s.ctx, s.job, s.live)
	if err != nil {
		return sum, err
	}
	s.job = begun
	s.r.tell()
	if w.state != nil {
		w.state(s.job)
	}
	if s.plan == nil {
		if s.plan, err = s.r.p.engine.Plan(s.ctx, s.order.Case, s.order.Against); err != nil {
			return sum, err
		}
	}
	o := s.order
	var speed pace
	return s.r.p.scanner().Run(s.ctx, scan.Options{Plan: s.plan, Actor: o.Actor, Label: o.Exhibit, Serial: o.Serial, Acquirer: o.Acquirer, Root: o.Root,
		Passwords: s.passwords, Depth: o.Depth, Expansion: o.Expansion, Large: o.Large, Lanes: o.Lanes, First: o.First,
		Event: func(e scan.Event) {
			if w.event != nil && !(e.Event == scan.EventSummary && s.pausing()) { // its end is not the scan's
				w.event(e)
			}
		},
		Progress: func(p scan.Progress) {
			left := speed.left(p)
			s.r.progress(s.job.ID, jobProgress(p, left))
			if w.progress != nil {
				w.progress(p, left)
			}
		}})
}

// notBegun is the summary of a run that was interrupted before it began: nothing was seen,
// and what earlier runs recorded stands.
func (s *scanRun) notBegun(ctx context.Context) (scan.Summary, error) {
	sum := scan.Summary{Case: s.order.Case, Exhibit: s.order.Exhibit, Errors: map[string]int{}, Why: "interrupted before it began; run it again"}
	x, known, err := s.r.exhibit(ctx, s.job.Case, s.order.Exhibit)
	if err != nil || !known {
		return sum, err
	}
	t, err := s.r.p.store.Tally(ctx, s.job.Case, x.ID)
	if err != nil {
		return sum, err
	}
	sum.SetTally(t, &semblance.Plan{}) // it compared with nothing
	return sum, nil
}

// exhibit returns the exhibit of a case that has a label.
func (r *runner) exhibit(ctx context.Context, c semblance.CaseID, label string) (x semblance.Exhibit, known bool, err error) {
	list, err := r.p.store.Exhibits(ctx, c)
	if i := slices.IndexFunc(list, func(x semblance.Exhibit) bool { return x.Label == label }); i >= 0 {
		return list[i], true, err
	}
	return x, false, err
}

func (s *scanRun) pausing() bool { return errors.Is(context.Cause(s.ctx), errPaused) }

// jobProgress is how far a scan is as a job tells it.
func jobProgress(p scan.Progress, left time.Duration) api.JobProgress {
	out := api.JobProgress{Items: p.Items, TotalItems: p.TotalItems, Bytes: p.Bytes, TotalBytes: p.TotalBytes, Findings: p.Findings, LeftSeconds: int64(left.Seconds())}
	for _, w := range p.Works {
		out.Works = append(out.Works, api.JobWork{Path: w.Path, What: w.What, Bytes: w.Done, TotalBytes: w.Total})
	}
	return out
}

// settle stores how a run ended. Where it was paused, s can be resumed from then on.
func (s *scanRun) settle(ctx context.Context, sum scan.Summary, err error) (paused bool, _ error) {
	s.r.hand.Lock()
	defer s.r.hand.Unlock()
	j := s.job
	j.Code, j.Error = "", ""
	if sum.Case != "" {
		j.Counts, _ = json.Marshal(sum) // plain data: cannot fail
	}
	switch {
	case err == nil && sum.Complete:
		j.State = store.JobDone
	case err == nil:
		j.State, j.Code, j.Error = store.JobInterrupted, semblance.Canceled, sum.Why
	case s.isCanceled():
		j.State, j.Code, j.Error = store.JobCanceled, semblance.Canceled, wasCanceled
		err = s.canceledError()
	case s.pausing():
		j.State, paused = store.JobPaused, true
	case ctx.Err() != nil:
		j.State, j.Code, j.Error = store.JobInterrupted, semblance.Canceled, "interrupted; what was recorded is kept"
		err = ctx.Err()
	case scan.Readable(s.order.Root) != nil: // it was taken away: brought back, the scan goes on
		j.State, j.Code, j.Error = store.JobInterrupted, semblance.Unavailable, "interrupted: the evidence is not there; attach it and resume the job, or scan it again"
	default:
		j.State, j.Code, j.Error = store.JobFailed, semblance.CodeOf(err), publicMessage(err)
		s.r.log.Error("a job failed", "job", string(j.ID), "code", string(j.Code), "cause", message(err))
	}
	stored, uerr := s.r.p.store.UpdateJob(context.WithoutCancel(ctx), j)
	if uerr != nil {
		return false, errors.Join(err, uerr)
	}
	s.job = stored
	if paused {
		s.arm(ctx)
		s.r.mu.Lock()
		s.live.resume = make(chan semblance.Actor, 1)
		s.r.mu.Unlock()
		return true, nil
	}
	return false, err
}

func (s *scanRun) isCanceled() bool {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	return s.live.canceled
}

func (s *scanRun) canceledError() error {
	return semblance.Errorf(semblance.Canceled, "the scan of exhibit %q was canceled; what was recorded is kept", s.order.Exhibit).
		WithHint("Run the scan again to go on.").WithCause(errCanceled)
}

// wait waits until a paused scan is resumed. When its command leaves, it stays paused.
func (s *scanRun) wait(ctx context.Context) error {
	s.r.mu.Lock()
	resumed := s.live.resume
	s.r.mu.Unlock()
	select {
	case who := <-resumed:
		return s.resume(ctx, who)
	case <-s.ctx.Done():
	}
	s.r.hand.Lock()
	defer s.r.hand.Unlock()
	j, err := s.r.p.store.Job(context.WithoutCancel(ctx), s.job.ID)
	switch {
	case err != nil:
		return err
	case s.isCanceled():
		j.State, j.Code, j.Error, err = store.JobCanceled, semblance.Canceled, wasCanceled, s.canceledError()
	case j.State == store.JobQueued: // it was resumed at the same moment
		j.State, j.Code, j.Error, err = store.JobInterrupted, semblance.Canceled, "interrupted; what was recorded is kept", ctx.Err()
	default:
		return ctx.Err()
	}
	_, uerr := s.r.p.store.UpdateJob(context.WithoutCancel(ctx), j)
	return errors.Join(err, uerr)
}

// resume takes up what Resume has stored.
func (s *scanRun) resume(ctx context.Context, who semblance.Actor) (err error) {
	s.order.Actor = who
	s.job, err = s.r.p.store.Job(ctx, s.job.ID)
	return err
}

// resumable returns what begins a scan that is paused or interrupted, or says why it cannot
// be begun here. The runner's hand is held.
func (r *runner) resumable(ctx context.Context, j store.Job, who semblance.Actor) (func(store.Job), error) {
	o, err := scanOrderOf(j)
	if err != nil {
		return nil, err
	}
	c, err := r.p.store.Case(ctx, o.Case)
	if err != nil {
		return nil, err
	}
	if err := r.there(ctx, j, o, who); err != nil {
		return nil, err
	}
	urgent := c.ThreatToLife
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.running[j.ID]; run != nil {
		if run.resume == nil { // its command is leaving
			return nil, semblance.Errorf(semblance.Conflict, "the job is ending; ask again in a moment")
		}
		resume := run.resume
		run.resume = nil
		return func(store.Job) { resume <- who }, nil
	}
	again := o.again(who)
	switch {
	case r.stop == nil || r.ctx.Err() != nil:
		return nil, semblance.Errorf(semblance.Conflict, "no service runs that could go on with the scan").WithHint("%s", again)
	case o.Passwords:
		return nil, semblance.Errorf(semblance.Conflict, "the scan was given passwords, which are not kept").WithHint("%s", again)
	}
	o.Actor = who
	return func(j store.Job) {
		s := &scanRun{r: r, job: j, order: o}
		s.attach(r.ctx)
		r.goOn(s, urgent)
	}, nil
}

// there says why the evidence of a scan cannot be scanned now. A folder that is empty where
// something was recorded is the place of a disk that is not mounted.
func (r *runner) there(ctx context.Context, j store.Job, o scanOrder, who semblance.Actor) error {
	away := func(why string, cause error) error {
		what := "the evidence of exhibit " + strconv.Quote(o.Exhibit)
		if who.Via == "cli" { // over HTTP nobody is told what paths there are
			what += ", " + strconv.Quote(o.Root) + ","
		}
		return semblance.Errorf(semblance.Conflict, "%s %s; the job stays %s", what, why, j.State).WithHint("Attach it where it was, and resume the job again.").WithCause(cause)
	}
	if err := scan.Readable(o.Root); err != nil {
		return away("is not there, or cannot be read", err)
	}
	entries, err := os.ReadDir(o.Root)
	if err != nil || len(entries) > 0 {
		return nil // a file, or what the scan tells
	}
	x, known, err := r.exhibit(ctx, j.Case, o.Exhibit)
	if err != nil || !known {
		return err
	}
	n, err := r.p.store.ItemCount(ctx, x.ID)
	if err == nil && n > 0 {
		err = away("is an empty folder now, and something was recorded of it", nil)
	}
	return err
}

// again says how a scan is run again, to who may know its path.
func (o *scanOrder) again(who semblance.Actor) string {
	if who.Via != "cli" {
		return fmt.Sprintf("Run the scan again on the machine itself: it goes on from what was recorded, as `semblance scan ... --case %s` for exhibit %s.", o.Case, o.Exhibit)
	}
	command := []string{"semblance scan", word(o.Root), "--case", word(o.Case), "--exhibit", word(o.Exhibit)}
	switch {
	case o.Against.Inventory:
		command = append(command, "--against none")
	case len(o.Against.Collections) > 0:
		command = append(command, "--against", word(strings.Join(o.Against.Collections, ",")))
	}
	if o.Passwords {
		command = append(command, "--passwords FILE")
	}
	return "Run the scan again, with what other options it had: it goes on from what was recorded. `" + strings.Join(command, " ") + "`."
}

// word is a text as a shell takes it for one word.
func word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:,@=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// atOnce is a turn that comes at once.
func atOnce(ctx context.Context) (func(), error) { return func() {}, ctx.Err() }
