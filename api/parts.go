package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"semblance"
	"semblance/hashing"
)

// Cases reads cases. The store is one.
type Cases interface {
	Case(ctx context.Context, number string) (semblance.Case, error)
	Cases(ctx context.Context) ([]semblance.Case, error)
}

// Collections reads collections. The store is one.
type Collections interface {
	Collection(ctx context.Context, name string) (semblance.Collection, error)
	Collections(ctx context.Context) ([]semblance.Collection, error)
}

// A Keeper makes cases and collections, changes cases and erases collections. The Engine is one.
type Keeper interface {
	CreateCase(ctx context.Context, who semblance.Actor, c semblance.Case) (semblance.Case, error)
	SetCase(ctx context.Context, who semblance.Actor, number string, change semblance.CaseChange) (semblance.Case, error)
	CreateCollection(ctx context.Context, who semblance.Actor, c semblance.Collection) (semblance.Collection, error)
	DeleteCollection(ctx context.Context, who semblance.Actor, name string) (semblance.Erasure, error)
}

// A Filler adds to collections. The Engine is one.
type Filler interface {
	Enroll(ctx context.Context, who semblance.Actor, r semblance.EnrollRequest) (semblance.Enrollment, error)
	ImportHashes(ctx context.Context, who semblance.Actor, collection, source string, def hashing.Algorithm, r io.Reader) (semblance.ImportResult, error)
}

// Categories lists category sets. The store is one.
type Categories interface {
	CategorySets(ctx context.Context) ([]semblance.CategorySet, error)
}

// A Curator looks after what is in faces collections. The Engine is one.
type Curator interface {
	ChangeCollection(ctx context.Context, who semblance.Actor, name string, x semblance.CollectionChange) (semblance.Collection, error)
	RemoveReferences(ctx context.Context, who semblance.Actor, collection string, r semblance.Removal) (semblance.Erasure, error)
	// Reenrollment tells how far a collection is on its way to another engine; nil when it is on none.
	Reenrollment(ctx context.Context, c semblance.CollectionID) (*semblance.Reenrollment, error)
	AbandonReenroll(ctx context.Context, who semblance.Actor, name string) error
}

// References lists references. The store is one.
type References interface {
	// ReferencePage returns at most limit references after an id, in the order of ids.
	ReferencePage(ctx context.Context, c semblance.CollectionID, after semblance.ReferenceID, limit int) ([]semblance.Reference, error)
}

// A Searcher answers questions. The Engine is one.
type Searcher interface {
	Search(ctx context.Context, who semblance.Actor, r semblance.SearchRequest) (semblance.SearchResult, error)
	SearchFused(ctx context.Context, who semblance.Actor, r semblance.FusedRequest) (semblance.SearchResult, error)
	SearchSheet(ctx context.Context, who semblance.Actor, r semblance.SheetRequest, emit func(semblance.SheetRow) error) (semblance.Sheet, error)
	Lookup(ctx context.Context, who semblance.Actor, r semblance.LookupRequest, next func() (string, error), emit func(semblance.LookupResult) error) (semblance.LookupSummary, error)
}

// Requests lists the face searches of a case. The store is one.
type Requests interface {
	Requests(ctx context.Context, c semblance.CaseID) ([]semblance.Request, error)
}

// Pictures reads the small pictures that are kept: NotFound when one is not.
type Pictures interface {
	Thumbnail(ctx context.Context, media semblance.SHA256) ([]byte, error)
	ContactSheet(ctx context.Context, media semblance.SHA256) ([]byte, error)
	FaceCrop(ctx context.Context, media semblance.SHA256, engine semblance.EngineName, face int) ([]byte, error)
	ReferenceCrop(ctx context.Context, id semblance.ReferenceID) ([]byte, error)
}

// Records reads what a case holds.
type Records interface {
	// Exhibits lists the exhibits of a case by label.
	Exhibits(ctx context.Context, c semblance.CaseID) ([]semblance.Exhibit, error)
	// Items lists items by exhibit label and path, a page at a time.
	Items(ctx context.Context, c semblance.CaseID, p Page) ([]ItemRow, error)
	// Findings lists items with findings of a kind ("" is any) in the same order.
	Findings(ctx context.Context, c semblance.CaseID, kind, collection string, p Page) ([]FindingRow, error)
	// MediaFindings returns what was found in one media, and whether an item of the
	// case has it.
	MediaFindings(ctx context.Context, c semblance.CaseID, media semblance.SHA256) (*semblance.Findings, bool, error)
}

// A Page is a part of a list in the order of exhibit label and path.
type Page struct {
	Exhibit string   // only this label; "" is all
	After   Position // the last row of the page before; zero is the beginning
	Limit   int
}

// A Position is a place in a list.
type Position struct {
	Exhibit string `json:"e"`
	Path    string `json:"p"`
}

// An ItemRow is an item of a case.
type ItemRow struct {
	Exhibit string         `json:"exhibit"`
	Item    semblance.Item `json:"item"`
	// CaseTimes are its times in UTC and in the zone of the case, where that has one.
	CaseTimes []semblance.ShownTime `json:"case_times,omitempty"`
}

// A FindingRow is an item with what was found in it.
type FindingRow struct {
	Exhibit  string               `json:"exhibit"`
	Path     string               `json:"path"`
	Media    semblance.SHA256     `json:"media"`
	Size     int64                `json:"size"`
	Status   semblance.ItemStatus `json:"status"`
	Deleted  bool                 `json:"deleted,omitempty"` // see semblance.ItemDetails
	Carved   bool                 `json:"carved,omitempty"`
	Findings semblance.Findings   `json:"findings"`
}

// An Upload is what a job examines: files in the spool, as an exhibit of a case.
type Upload struct {
	Case        string   `json:"case"`
	Exhibit     string   `json:"exhibit"` // label
	Serial      string   `json:"serial,omitempty"`
	Acquirer    string   `json:"acquirer,omitempty"`
	Collections []string `json:"collections"`
	Top         int      `json:"top,omitempty"`
	semblance.Detection
	Actor semblance.Actor `json:"actor"`
	Spool string          `json:"spool"` // id of the folder
	Files int             `json:"files"`
	Bytes int64           `json:"bytes"`
}

// A Job is work that outlives the request that asked for it.
type Job struct {
	ID         string               `json:"id"`
	Kind       string               `json:"kind"`
	Case       string               `json:"case"` // number
	Exhibit    string               `json:"exhibit"`
	Collection string               `json:"collection,omitempty"` // that is being enrolled again
	Engine     semblance.EngineName `json:"engine,omitempty"`     // with which
	State      string               `json:"state" enum:"queued,running,paused,interrupted,done,failed,canceled"`
	Attempts   int                  `json:"attempts"`
	Progress   *JobProgress         `json:"progress,omitempty"` // while it runs
	Summary    json.RawMessage      `json:"summary,omitempty"`  // counts, when it has ended
	Code       semblance.Code       `json:"code,omitempty"`     // of Error
	Error      string               `json:"error,omitempty"`    // a sentence
	Created    time.Time            `json:"created"`
	Updated    time.Time            `json:"updated"`
}

// Ended reports whether the job's state is its last.
func (j *Job) Ended() bool { return j.State == "done" || j.State == "failed" || j.State == "canceled" }

// JobProgress is how far a running job is.
type JobProgress struct {
	Items       int64     `json:"items"`
	TotalItems  int64     `json:"total_items"`
	Bytes       int64     `json:"bytes"`
	TotalBytes  int64     `json:"total_bytes"`
	Findings    int64     `json:"findings"`
	LeftSeconds int64     `json:"left_seconds,omitempty" doc:"Time left, estimated from how it went lately; absent when it is not known"`
	Works       []JobWork `json:"works,omitempty" doc:"What takes long with one file, while no other may come to its end"`
}

// JobWork is something that takes long with one file.
type JobWork struct {
	Path       string `json:"path"`
	What       string `json:"what" enum:"digests,inside" doc:"digests: it is read for them; inside: an image is verified or carved, or something in a container is looked for"`
	Bytes      int64  `json:"bytes" doc:"Of this pass"`
	TotalBytes int64  `json:"total_bytes,omitempty" doc:"Absent when it is not known"`
}

// String says it for a person.
func (w JobWork) String() string {
	text := w.What + " of " + w.Path
	if w.What == "inside" {
		text = "inside " + w.Path
	}
	if w.TotalBytes > 0 {
		text += fmt.Sprintf(" %d%%", 100*min(w.Bytes, w.TotalBytes)/w.TotalBytes)
	}
	return text
}

// Jobs runs uploads, one after the other, and knows all jobs.
type Jobs interface {
	// Check says why an upload cannot become a job, before its bytes are taken.
	Check(ctx context.Context, u Upload) error
	// Submit makes a job of files that are in the spool, which it owns from then on.
	Submit(ctx context.Context, u Upload) (Job, error)
	// Jobs lists the jobs of a case, oldest first; an empty case is all.
	Jobs(ctx context.Context, c semblance.CaseID) ([]Job, error)
	// Cancel stops a job; what it recorded is kept. Conflict when it has ended.
	Cancel(ctx context.Context, who semblance.Actor, id string) (Job, error)
	// Wait returns the job and the mark of its present state as soon as that mark is
	// not seen; at once when seen is empty or the job has ended.
	Wait(ctx context.Context, id, seen string) (Job, string, error)
}

// A Pauser stops jobs for a while.
type Pauser interface {
	// Pause stops a job that is queued or runs, until it is resumed; what it recorded is
	// kept. Conflict in any other state.
	Pause(ctx context.Context, who semblance.Actor, id string) (Job, error)
	// Resume queues a job that is paused, or was interrupted, again. Conflict in any other
	// state, and for a scan that only a command can go on with.
	Resume(ctx context.Context, who semblance.Actor, id string) (Job, error)
}

// A ReenrollOrder asks for a collection to be enrolled again with another engine.
type ReenrollOrder struct {
	Collection string               `json:"collection"`
	Engine     semblance.EngineName `json:"engine"`
	LeaveOut   bool                 `json:"leave_out_failed,omitempty"`
	Actor      semblance.Actor      `json:"actor"`
}

// A Reenroller makes a job of it, beside the uploads.
type Reenroller interface {
	// Reenroll returns Conflict when the collection has such a job already.
	Reenroll(ctx context.Context, o ReenrollOrder) (Job, error)
}

// Parts are what the service is made of. All are needed.
type Parts struct {
	Cases        Cases
	Collections  Collections
	Keeper       Keeper
	Filler       Filler
	Curator      Curator
	Categories   Categories
	References   References
	Reenroller   Reenroller
	Calibrator   Calibrator
	Searcher     Searcher
	Grouper      Grouper
	GroupEditor  GroupEditor
	Lookbacker   Lookbacker
	LookbackJobs LookbackJobs
	Stacker      Stacker
	Linker       Linker
	Requests     Requests
	Media        semblance.MediaStore
	Pictures     Pictures
	Records      Records
	Jobs         Jobs
	Pauser       Pauser
	Scans        Scans
	Audit        semblance.AuditLog
	Engines      semblance.EngineSet // the zero value is the engines built in
	Spool        *Spool
	// Report writes a case's report and audits it.
	Report func(ctx context.Context, w io.Writer, format, number string, who semblance.Actor) error
	// Token returns the name of the token with this SHA-256, Unauthenticated when there is none.
	Token    func(ctx context.Context, hash [32]byte) (string, error)
	Pages    fs.FS // index.html, app.js, style.css
	Problems fs.FS // problems/<code>.md
	Log      *slog.Logger
}
