package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"semblance"
	"semblance/api"
	"semblance/scan"
)

func newJobs(e *env) *cobra.Command {
	var number string
	var all bool
	show := func(c *cobra.Command, ids []string) error {
		return e.stored(c.Context(), func(p *program) error { return e.listJobs(c.Context(), p, number, all, ids) })
	}
	flags := func(c *cobra.Command) *cobra.Command {
		c.Flags().StringVar(&number, "case", "", "only jobs of this case")
		c.Flags().BoolVar(&all, "all", false, "also those that have ended")
		return c
	}
	c := flags(&cobra.Command{Use: "jobs [ID...]", Short: "Scans, uploads, look-backs and re-enrollments that are under way: list, pause, resume, cancel", Args: cobra.ArbitraryArgs,
		Long: `A scan is a job, and so are the uploads, look-backs and re-enrollments of a service
("semblance serve"). A job is named by its id, or the beginning of it; "semblance jobs ID"
shows how far that one is, or how it ended.

A paused job gives its workers to others and holds nothing, not even the evidence; what it
recorded is kept. It stays paused when the service stops. A scan that was interrupted, or
whose command left while it was paused, goes on when it is resumed in a service, or when
the scan is run again. Where the evidence is not there, the job stays as it is: attach it
and resume again.`,
		RunE: func(c *cobra.Command, args []string) error {
			if slices.ContainsFunc(args, func(a string) bool { return strings.Trim(a, "0123456789abcdef") != "" }) {
				return subcommand(c, args)
			}
			return show(c, args)
		}})
	c.AddCommand(flags(&cobra.Command{Use: "list", Short: "List the jobs that have not ended, oldest first", Args: none, RunE: show}),
		newJobChange(e, "pause", "Stop a job until it is resumed; what it recorded is kept", (*runner).Pause),
		newJobChange(e, "resume", "Go on with a job that is paused or was interrupted", (*runner).Resume),
		newJobChange(e, "cancel", "End a job; what it recorded is kept", (*runner).Cancel))
	return c
}

// newJobChange is a command that changes jobs.
func newJobChange(e *env, verb, short string, change func(*runner, context.Context, semblance.Actor, string) (api.Job, error)) *cobra.Command {
	return &cobra.Command{Use: verb + " ID...", Short: short, Args: atLeast(1, "the id of a job"), RunE: func(c *cobra.Command, ids []string) error {
		return e.stored(c.Context(), func(p *program) error {
			for _, id := range ids {
				id, err := p.jobs.find(c.Context(), id)
				if err != nil {
					return err
				}
				j, err := change(p.jobs, c.Context(), e.who(), id)
				if err != nil {
					return err
				}
				if e.json {
					if err := e.emit(j); err != nil {
						return err
					}
					continue
				}
				e.say("job %s (%s) is %s", j.ID, printable(jobName(j)), j.State)
			}
			return nil
		})
	}}
}

// find completes the id of a job.
func (r *runner) find(ctx context.Context, id string) (string, error) {
	const least = 4 // fewer are a slip of the finger
	if len(id) < least {
		return "", semblance.Errorf(semblance.Invalid, "%q is too short for the beginning of a job's id; %d characters are needed", id, least).WithHint("`semblance jobs --all` lists them.")
	}
	jobs, err := r.p.store.Jobs(ctx, "")
	if err != nil {
		return "", err
	}
	found := ""
	for _, j := range jobs {
		if !strings.HasPrefix(string(j.ID), id) {
			continue
		}
		if found != "" {
			return "", semblance.Errorf(semblance.Invalid, "the ids of several jobs begin with %q", id).WithHint("Give more of it; `semblance jobs --all` lists them.")
		}
		found = string(j.ID)
	}
	if found == "" {
		return "", semblance.Errorf(semblance.NotFound, "there is no job %q", id).WithHint("`semblance jobs --all` lists them.")
	}
	return found, nil
}

// jobName is what a person knows a job by.
func jobName(j api.Job) string {
	switch {
	case j.Exhibit != "":
		return j.Kind + " of exhibit " + j.Exhibit
	case j.Collection != "":
		return j.Kind + " of collection " + j.Collection
	}
	return j.Kind
}

func (e *env) listJobs(ctx context.Context, p *program, number string, all bool, only []string) error {
	var id semblance.CaseID
	if number != "" {
		c, err := p.store.Case(ctx, number)
		if err != nil {
			return err
		}
		id = c.ID
	}
	jobs, err := p.jobs.Jobs(ctx, id)
	if err != nil {
		return err
	}
	if len(only) > 0 {
		for i, id := range only {
			if only[i], err = p.jobs.find(ctx, id); err != nil {
				return err
			}
		}
		jobs = slices.DeleteFunc(jobs, func(j api.Job) bool { return !slices.Contains(only, j.ID) })
	} else if !all {
		jobs = slices.DeleteFunc(jobs, func(j api.Job) bool { return j.Ended() })
	}
	t := newTable("JOB", "KIND", "CASE", "OF", "STATE", "DONE", "LEFT", "SINCE", "NOTE")
	for _, j := range jobs {
		if e.json {
			if err := e.emit(j); err != nil {
				return err
			}
			continue
		}
		t.row(j.ID, j.Kind, j.Case, j.Exhibit+j.Collection, j.State, done(j), jobLeft(j.Progress), j.Updated.Local().Format("2006-01-02 15:04"), outcome(j))
	}
	switch {
	case e.json:
	case len(jobs) > 0:
		t.print(e.out)
	case all:
		e.say("there are no jobs")
	default:
		e.say("no job is under way; --all lists those that have ended")
	}
	return nil
}

// done says how far a job is, as far as its total is known by now, or how much it did.
func done(j api.Job) string {
	if sum := ended(j); sum != nil {
		return count(sum.Seen, "file", "files")
	}
	if p := j.Progress; p != nil && p.TotalItems > 0 {
		return fmt.Sprintf("%s of %s", thousands(p.Items), thousands(p.TotalItems)) + working(p.Works)
	}
	return ""
}

// ended is the summary of a scan or an upload that has ended; nil where there is none.
func ended(j api.Job) *scan.Summary {
	var sum scan.Summary
	if j.Kind != jobScan && j.Kind != jobUpload || !j.Ended() || json.Unmarshal(j.Summary, &sum) != nil || sum.Case == "" {
		return nil
	}
	return &sum
}

// outcome is what a job has to say of itself: why it is not done, or what it found.
func outcome(j api.Job) string {
	var notes []string
	if j.Error != "" {
		notes = append(notes, j.Error)
	}
	switch sum := ended(j); {
	case sum != nil:
		notes = append(notes, fmt.Sprintf("%s, %s, %s, %d failed", count(sum.Hits, "hit", "hits"), count(sum.NearMatches, "near match", "near matches"),
			count(sum.Candidates, "candidate", "candidates"), sum.Failed))
		if sum.Missing > 0 { // perhaps another disk was in the place of the evidence
			notes = append(notes, count(sum.Missing, "file recorded earlier is not there now", "files recorded earlier are not there now"))
		}
	case j.State != "done":
	case j.Kind == jobLookback:
		var b semblance.LookbackResult
		if json.Unmarshal(j.Summary, &b) == nil {
			var sum semblance.LookbackCounts
			for _, c := range b.Collections {
				sum.Media, sum.Found, sum.Changed, sum.Withdrawn = sum.Media+c.Media, sum.Found+c.Found, sum.Changed+c.Changed, sum.Withdrawn+c.Withdrawn
			}
			notes = append(notes, fmt.Sprintf("%s compared again: %d found, %d changed, %d withdrawn", count(int64(sum.Media), "media", "media"), sum.Found, sum.Changed, sum.Withdrawn))
		}
	case j.Kind == jobReenroll:
		var b semblance.ReenrollResult
		if json.Unmarshal(j.Summary, &b) == nil {
			notes = append(notes, fmt.Sprintf("%s enrolled again, %d left out", count(b.References, "reference", "references"), len(b.LeftOut)))
		}
	}
	return strings.Join(notes, "; ")
}

func jobLeft(p *api.JobProgress) string {
	if p == nil || p.LeftSeconds == 0 {
		return ""
	}
	return about(time.Duration(p.LeftSeconds) * time.Second)
}
