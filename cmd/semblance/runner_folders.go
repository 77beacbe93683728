package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"semblance"
	"semblance/api"
	"semblance/scan"
	"semblance/store"
)

// scansAtOnce is how many scans the service runs that no command waits for. A case with a
// threat to life does not wait for its turn.
const scansAtOnce = 4

// Scan implements api.Scans.
func (r *runner) Scan(ctx context.Context, who semblance.Actor, req api.ScanRequest) (api.Job, error) {
	root, err := r.permitted(req.Path)
	if err != nil {
		return api.Job{}, err
	}
	o := scanOrder{Case: req.Case, Exhibit: req.Exhibit, Serial: req.Serial, Acquirer: req.Acquirer, Root: root, Depth: scan.DefaultDepth, Expansion: scan.DefaultExpansion, Lanes: r.p.cfg.Workers, Actor: who,
		Against: semblance.PlanOptions{Collections: req.Collections, Top: req.Top, Crops: true, Thumbnail: 256, Video: req.Video, Detection: req.Detection}}
	plan, err := r.p.engine.Plan(ctx, req.Case, o.Against)
	if err != nil {
		return api.Job{}, err
	}
	if err := r.acceptable(ctx, plan.Case.ID, o); err != nil {
		return api.Job{}, err
	}
	r.hand.Lock()
	defer r.hand.Unlock()
	if r.ctx.Err() != nil {
		return api.Job{}, semblance.Errorf(semblance.Unavailable, "the service is stopping")
	}
	s, err := r.take(ctx, r.ctx, o, plan, nil)
	if err != nil {
		return api.Job{}, err
	}
	r.goOn(s, plan.Case.ThreatToLife)
	return r.view(s.job), nil
}

// acceptable says why a scan cannot be a job, before it is one.
func (r *runner) acceptable(ctx context.Context, c semblance.CaseID, o scanOrder) error {
	x, known, err := r.exhibit(ctx, c, o.Exhibit)
	if err != nil {
		return err
	}
	if known && x.Source != o.Root {
		return semblance.Errorf(semblance.Conflict, "the exhibit %q of this case is of another source", o.Exhibit).WithHint("Give another label to this source, or scan that one.")
	}
	jobs, err := r.p.store.Jobs(ctx, "", store.JobQueued, store.JobRunning)
	if err != nil {
		return err
	}
	if len(jobs) >= maxWaiting {
		return semblance.Errorf(semblance.Busy, "%d jobs are under way", len(jobs)).WithHint("Send it again when some of them are done; /v1/jobs lists them.")
	}
	return nil
}

// errNotPermitted is the answer for every path outside of the folders that may be scanned
// over HTTP, so that nobody can ask what else there is.
func errNotPermitted() *semblance.Error {
	return semblance.Errorf(semblance.Forbidden, "the path is in no folder that may be scanned over HTTP").
		WithHint("The administrator names such folders in serve.scan_from (SEMBLANCE_SCAN_FROM). On the machine itself, `semblance scan` takes any path.")
}

// permitted makes a path absolute and free of links, and refuses one that leads out of the
// folders that may be scanned over HTTP, or to the data folder.
func (r *runner) permitted(path string) (string, error) {
	missing := false
	for _, folder := range r.p.cfg.ScanFrom {
		at := path
		if !filepath.IsAbs(at) {
			at = filepath.Join(folder, at)
		}
		if !within(folder, filepath.Clean(at)) {
			continue
		}
		home, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue // it is not mounted now
		}
		real, err := filepath.EvalSymlinks(at)
		if errors.Is(err, fs.ErrNotExist) {
			missing = true
			continue
		}
		if err != nil || !within(home, real) {
			continue // what it links to is no matter of who asks
		}
		if data, err := filepath.EvalSymlinks(r.p.cfg.Data); err != nil || within(data, real) || within(real, data) {
			return "", semblance.Errorf(semblance.Forbidden, "the data folder is not scanned").WithHint("Name a folder in it, or beside it, that holds evidence.")
		}
		if err := scan.Readable(real); err != nil {
			return "", semblance.Errorf(semblance.Invalid, "the path cannot be read").WithCause(err)
		}
		return real, nil
	}
	if missing {
		return "", semblance.Errorf(semblance.Invalid, "there is nothing at the path").WithHint("Is the evidence attached?")
	}
	return "", errNotPermitted()
}

// within reports whether a path is a folder or lies in it, by their names.
func within(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
