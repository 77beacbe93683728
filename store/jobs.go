package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"semblance"
)

// A JobID identifies a job.
type JobID string

// A JobState says how far a job is.
type JobState string

// The states. Done, Failed and Canceled are the last of a job.
const (
	JobQueued      JobState = "queued"
	JobRunning     JobState = "running"
	JobPaused      JobState = "paused"      // by a person, until one resumes it
	JobInterrupted JobState = "interrupted" // its owner is gone; a person begins it again
	JobDone        JobState = "done"
	JobFailed      JobState = "failed"
	JobCanceled    JobState = "canceled"
)

// KindScan is the kind of a scan of evidence that is attached to the machine. It is not
// begun again by itself when its owner dies: the evidence may have been taken away.
const KindScan = "scan"

// A Job is work that outlives the request that asked for it.
type Job struct {
	ID       JobID               `json:"id"`
	Kind     string              `json:"kind"` // KindScan, ...
	Case     semblance.CaseID    `json:"case,omitempty"`
	Exhibit  semblance.ExhibitID `json:"exhibit,omitempty"`
	Spec     json.RawMessage     `json:"spec,omitempty"` // what the kind needs to do it, again if need be
	State    JobState            `json:"state"`
	Attempts int                 `json:"attempts"` // how often it was begun
	Counts   json.RawMessage     `json:"counts,omitempty"`
	Code     semblance.Code      `json:"code,omitempty"`  // of Error
	Error    string              `json:"error,omitempty"` // a sentence
	Created  time.Time           `json:"created"`
	Updated  time.Time           `json:"updated"`
}

// maxAttempts is how often a job whose owner dies is begun: enough for a machine
// that is restarted, not enough for a job that brings the program down.
const maxAttempts = 3

const jobColumns = `id, kind, case_id, exhibit, spec, state, attempts, counts, code, error, created, updated`

func scanJob(scan scanner) (j Job, err error) {
	var spec, counts string
	err = scan(&j.ID, &j.Kind, &j.Case, &j.Exhibit, &spec, &j.State, &j.Attempts, &counts, &j.Code, &j.Error, textTime{&j.Created}, textTime{&j.Updated})
	j.Spec, j.Counts = rawJSON(spec), rawJSON(counts)
	return j, err
}

func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// CreateJob stores a job in state JobQueued and returns it with its ID and times.
func (s *Store) CreateJob(ctx context.Context, j Job, ev semblance.AuditEvent) (Job, error) {
	j.ID, j.State, j.Attempts, j.Created = JobID(newID()), JobQueued, 0, s.stamp()
	j.Updated = j.Created
	err := s.write(ctx, "create the job", &ev, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO jobs (`+jobColumns+`) VALUES (`+marks(12)+`)`,
			j.ID, j.Kind, j.Case, j.Exhibit, string(j.Spec), j.State, j.Attempts, string(j.Counts), j.Code, j.Error, timeText(j.Created), timeText(j.Updated))
		return err
	})
	if err != nil {
		return Job{}, err
	}
	return j, nil
}

// UpdateJob stores State, Spec, Exhibit, Counts, Code and Error of a job and returns it as
// it then is. Going to JobRunning counts an attempt, and is possible from JobQueued only;
// what a person resumes, from JobPaused to JobQueued, has its attempts anew. A job that is
// done, failed or canceled stays so. Else the error has code Conflict; it has code NotFound
// when there is no such job. Progress is not audited; what the job does is.
func (s *Store) UpdateJob(ctx context.Context, j Job) (Job, error) {
	var got Job
	err := s.write(ctx, "update the job", nil, func(tx *sql.Tx) error {
		var err error
		if got, err = job(ctx, tx, j.ID); err != nil {
			return err
		}
		switch got.State {
		case JobDone, JobFailed, JobCanceled:
			return semblance.Errorf(semblance.Conflict, "the job is %s already", got.State)
		}
		switch {
		case j.State == JobRunning && got.State == JobQueued:
			got.Attempts++
		case j.State == JobRunning && got.State != JobRunning:
			return semblance.Errorf(semblance.Conflict, "the job is %s", got.State)
		case j.State == JobQueued && got.State == JobPaused:
			got.Attempts = 0
		}
		got.State, got.Spec, got.Exhibit, got.Counts, got.Code, got.Error, got.Updated = j.State, j.Spec, j.Exhibit, j.Counts, j.Code, j.Error, s.stamp()
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = ?, spec = ?, attempts = ?, exhibit = ?, counts = ?, code = ?, error = ?, updated = ? WHERE id = ?`,
			got.State, string(got.Spec), got.Attempts, got.Exhibit, string(got.Counts), got.Code, got.Error, timeText(got.Updated), got.ID)
		return err
	})
	if err != nil {
		return Job{}, err
	}
	return got, nil
}

func job(ctx context.Context, q querier, id JobID) (Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = semblance.Errorf(semblance.NotFound, "there is no such job")
	}
	return j, err
}

// Job returns the job of an id. The error has code NotFound when there is none.
func (s *Store) Job(ctx context.Context, id JobID) (Job, error) {
	j, err := job(ctx, s.reader, id)
	return j, s.fail(ctx, "read the job", err)
}

// Jobs lists the jobs of a case, or all when the case is empty, in the order in
// which they were created. States narrows them; none means all.
func (s *Store) Jobs(ctx context.Context, id semblance.CaseID, states ...JobState) ([]Job, error) {
	const op = "list the jobs"
	where, args := `(? = '' OR case_id = ?)`, []any{id, id}
	if len(states) > 0 {
		where += ` AND state IN (` + marks(len(states)) + `)`
		for _, state := range states {
			args = append(args, state)
		}
	}
	rows, err := s.reader.QueryContext(ctx, `SELECT `+jobColumns+` FROM jobs WHERE `+where+` ORDER BY key`, args...)
	if err != nil {
		return nil, s.fail(ctx, op, err)
	}
	list, err := collect(rows, scanJob)
	return list, s.fail(ctx, op, err)
}

// requeueJobs queues what a dead owner was doing. A job that was begun too often has
// failed, and a scan waits for a person.
func (s *Store) requeueJobs(ctx context.Context, tx *sql.Tx) error {
	now := timeText(s.stamp())
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET state = ?, code = ?, error = ?, updated = ? WHERE kind = ? AND state IN (?, ?)`,
		JobInterrupted, semblance.Canceled, "interrupted: the program ended; what was recorded is kept", now, KindScan, JobQueued, JobRunning)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = ?, code = ?, error = ?, updated = ? WHERE state = ? AND attempts >= ?`,
		JobFailed, semblance.Internal, "interrupted: the program ended each time the job was begun", now, JobRunning, maxAttempts)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE jobs SET state = ?, updated = ? WHERE state = ?`, JobQueued, now, JobRunning)
	return err
}
