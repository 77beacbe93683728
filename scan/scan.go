package scan

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"semblance"
	"semblance/hashing"
)

// An Examiner makes and compares the signals of one media, and the selectors in the name
// of an item. *semblance.Engine is one.
type Examiner interface {
	Examine(ctx context.Context, p *semblance.Plan, d hashing.Digests, prior *semblance.Media, f *os.File, name string) (semblance.Examination, error)
	ExamineName(ctx context.Context, p *semblance.Plan, name string) (semblance.NameExamination, error)
}

// A Store keeps what a scan records. *store.Store is one.
type Store interface {
	// OpenExhibit finds or makes the exhibit and takes its lease; Conflict when
	// another scan holds it or the label belongs to another source.
	OpenExhibit(ctx context.Context, x semblance.Exhibit, ev semblance.AuditEvent) (semblance.Exhibit, bool, error)
	// ReleaseExhibit gives the lease back.
	ReleaseExhibit(id semblance.ExhibitID)
	// Tally counts what is recorded of an exhibit.
	Tally(ctx context.Context, c semblance.CaseID, x semblance.ExhibitID) (semblance.Tally, error)
	// CommitItems stores records in one transaction, in order.
	CommitItems(ctx context.Context, c semblance.CaseID, x semblance.ExhibitID, records []semblance.ItemRecord, collections []semblance.CollectionID) error
}

// A Record is what earlier runs, and this one, have recorded of an exhibit; *store.Store is
// one. It is asked item by item, so that memory does not grow with the exhibit.
type Record interface {
	// ItemCount counts the items of an exhibit.
	ItemCount(ctx context.Context, id semblance.ExhibitID) (int64, error)
	// ItemState returns what is recorded of an item; false when nothing is.
	ItemState(ctx context.Context, id semblance.ExhibitID, path string) (semblance.ItemState, bool, error)
	// FirstItem returns the path of the item that counts as the first of its media: that
	// has status new. It is empty when there is none.
	FirstItem(ctx context.Context, id semblance.ExhibitID, sum semblance.SHA256) (string, error)
	// Below counts the items recorded inside a container, and FailedBelow lists those that
	// failed, the container among them.
	Below(ctx context.Context, id semblance.ExhibitID, container string, transient func(semblance.Code) bool) (semblance.Below, error)
	FailedBelow(ctx context.Context, id semblance.ExhibitID, container string) ([]semblance.Item, error)
}

// A PlanStore remembers what the media of exhibits were compared with, so that they can be
// compared again when a collection changes. *store.Store is one.
type PlanStore interface {
	// BeginPlan records that the media of an exhibit are being compared with a plan.
	BeginPlan(ctx context.Context, id semblance.ExhibitID, p *semblance.Plan) error
	// EndPlan records that this has ended, and whether all of them were.
	EndPlan(ctx context.Context, id semblance.ExhibitID, p *semblance.Plan, complete bool) error
}

// A Scanner scans folders and what lies in containers.
type Scanner struct {
	Examiner Examiner
	Store    Store
	Record   Record               // usually the same store
	Plans    PlanStore            // usually the same store
	Media    semblance.MediaStore // usually the same store
	Audit    semblance.AuditLog   // usually the same store
	Opener   Opener               // of containers; nil: none is opened
	Spool    string               // folder for what containers hold, while it is examined; empty is the system's for temporary files
	Pipeline *Pipeline            // shared by the scans of all Scanners that have it; nil: each run has its own
	// Now tells the time. nil is time.Now.
	Now func() time.Time

	free   int64                                                     // beyond Expansion; 0 is freeExpansion
	digest func(context.Context, io.Reader) (hashing.Digests, error) // nil is hashing.Digest; tests look in between
}

// Options are what one run may be told. Plan, Label and Root are needed.
type Options struct {
	Plan      *semblance.Plan
	Actor     semblance.Actor
	Label     string // of the exhibit
	Serial    string
	Acquirer  string
	Root      string        // folder or file
	Source    string        // recorded as the exhibit's source; empty is Root made absolute
	Passwords []string      // tried on what is encrypted
	Depth     int           // containers in containers that are opened; 0 is DefaultDepth
	Expansion int64         // how many times its size a container may hold, in bytes; 0 is DefaultExpansion
	Large     int64         // containers of so many bytes or more are looked into before their digests are made and verified; 0 is DefaultLarge, and math.MaxInt64 is none
	Lanes     int           // files examined at once; 0 is the number of cores
	First     time.Duration // stop taking new files after this long; 0 is never
	Event     func(Event)   // called in the order of the walk, from one goroutine
	Progress  func(Progress)
}

// Run scans one exhibit. Items that fail are reported and counted, and are not an
// error; the error is about the run itself. What was committed before an error
// or an interruption stays, and running again goes on from there. Several may run at once,
// each over its own exhibit: what one records does not depend on the others.
func (s *Scanner) Run(ctx context.Context, o Options) (Summary, error) {
	if o.Plan.Case.ThreatToLife {
		ctx = semblance.WithThreatToLife(ctx)
	}
	r, err := s.begin(ctx, o)
	if err != nil {
		return Summary{}, err
	}
	err = r.run(ctx)
	r.sum.Seconds = r.now().Sub(r.started).Seconds()
	if err == nil {
		err = r.sum.Reconcile()
	}
	err = errors.Join(err, r.tally(context.WithoutCancel(ctx)))
	r.sum.Complete = err == nil && r.sum.Why == ""
	if err != nil && r.sum.Why == "" {
		r.sum.Why = err.Error()
		if errors.Is(err, context.Canceled) {
			r.sum.Why = "interrupted; run it again to go on"
		}
	}
	// The end is told and the lease given back even when the caller has left.
	err = errors.Join(err, s.Plans.EndPlan(context.WithoutCancel(ctx), r.exhibit.ID, r.Plan, r.sum.Complete))
	err = errors.Join(err, s.Audit.Append(context.WithoutCancel(ctx), r.audit("scan.end")))
	s.Store.ReleaseExhibit(r.exhibit.ID)
	r.event(Event{Event: EventSummary, Summary: &r.sum})
	return r.sum, err
}

// A run is one run over one exhibit.
type run struct {
	*Scanner
	Options
	exhibit semblance.Exhibit
	before  int64                       // items recorded by earlier runs
	seen    map[semblance.SHA256]string // of what is not committed yet: media and the item that counts as its first, "" where that lost it
	stored  map[semblance.SHA256]bool   // media written by this run, as far as they are remembered
	flight  flight
	line    *line
	share   *share
	stopped atomic.Bool // by First
	started time.Time
	sum     Summary
	works   works
	totals  struct{ items, bytes, done, doneBytes, findings atomic.Int64 }
	counted atomic.Bool
}

func (s *Scanner) begin(ctx context.Context, o Options) (*run, error) {
	r := &run{Scanner: s, Options: o, seen: map[semblance.SHA256]string{}, stored: map[semblance.SHA256]bool{}, flight: flight{calls: map[semblance.SHA256]*call{}}}
	if r.Lanes <= 0 {
		r.Lanes = runtime.NumCPU()
	}
	if r.Depth <= 0 {
		r.Depth = DefaultDepth
	}
	if r.Expansion <= 0 {
		r.Expansion = DefaultExpansion
	}
	if r.Large == 0 {
		r.Large = DefaultLarge
	}
	if r.Label == "" {
		return nil, semblance.Errorf(semblance.Invalid, "an exhibit needs a label").WithHint("Give --exhibit LABEL, such as the number on the evidence bag.")
	}
	if err := Readable(r.Root); err != nil {
		return nil, err
	}
	if r.Source == "" {
		abs, err := filepath.Abs(r.Root)
		if err != nil {
			return nil, err
		}
		r.Source = abs
	}
	r.started = r.now()
	r.sum = Summary{Case: o.Plan.Case.Number, Exhibit: o.Label, Errors: map[string]int{}, FacesRan: len(o.Plan.Engines) > 0, NotCompared: o.Plan.Warnings}
	x := semblance.Exhibit{ID: semblance.ExhibitID(semblance.NewID()), Case: o.Plan.Case.ID, Label: o.Label, Source: r.Source,
		Serial: o.Serial, Acquirer: o.Acquirer, Created: r.started.UTC().Truncate(time.Millisecond)}
	if s.Spool != "" {
		if err := os.MkdirAll(s.Spool, 0o700); err != nil {
			return nil, semblance.Errorf(semblance.Unavailable, "the folder for what containers hold cannot be made").WithCause(err)
		}
	}
	x, _, err := s.Store.OpenExhibit(ctx, x, r.audit("scan.start"))
	if err != nil {
		return nil, err
	}
	r.exhibit = x
	if err = s.Plans.BeginPlan(ctx, x.ID, r.Plan); err == nil {
		r.before, err = s.Record.ItemCount(ctx, x.ID)
	}
	if err != nil {
		s.Store.ReleaseExhibit(x.ID)
		return nil, err
	}
	return r, nil
}

func (s *Scanner) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Scanner) digests(ctx context.Context, f io.Reader) (hashing.Digests, error) {
	if s.digest != nil {
		return s.digest(ctx, f)
	}
	return hashing.Digest(ctx, f)
}

func (r *run) event(e Event) {
	if r.Event != nil {
		r.Options.Event(e)
	}
}

func (r *run) audit(action string) semblance.AuditEvent {
	c := r.Plan.Case
	ev := semblance.AuditEvent{Time: r.now().UTC().Truncate(time.Millisecond), Actor: r.Actor, Action: action, Case: c.Number, Purpose: c.Purpose, Basis: c.Basis,
		Detail: map[string]any{"exhibit": r.Label, "plan": r.Plan.Fingerprint}}
	for _, col := range r.Plan.Collections {
		ev.Collections = append(ev.Collections, col.Name)
	}
	if action == "scan.end" {
		ev.Detail["seen"], ev.Detail["hits"], ev.Detail["near_matches"], ev.Detail["candidates"], ev.Detail["failed"], ev.Detail["complete"] =
			r.sum.Seen, r.sum.Hits, r.sum.NearMatches, r.sum.Candidates, r.sum.Failed, r.sum.Complete
	}
	return ev
}
