package semblance

import (
	"context"
	"time"
)

// A Request is a face search asked for in a case, kept with its answer: what the
// asker follows and what a court may ask about.
type Request struct {
	ID          string         `json:"id"`
	Case        CaseID         `json:"case"`
	Actor       Actor          `json:"actor"`
	Probe       SHA256         `json:"probe"` // of the whole file
	ProbeName   string         `json:"probe_name"`
	Purpose     string         `json:"purpose"`
	Basis       string         `json:"basis"`
	Collections []string       `json:"collections"`
	Engine      EngineName     `json:"engine"`
	Version     int            `json:"version"`
	Outcome     Outcome        `json:"outcome"`
	Reason      string         `json:"reason,omitempty"` // why it is inconclusive, or which face has no candidate
	Candidates  []Candidate    `json:"candidates"`
	Terms       Terms          `json:"terms"`
	Pictures    []ProbePicture `json:"pictures,omitempty"`  // of a fused probe
	Reference   string         `json:"reference,omitempty"` // the asker's own, of a sheet's probe
	Sheet       string         `json:"sheet,omitempty"`     // the sheet it was asked on
	Created     time.Time      `json:"created"`
}

// Terms are what a face search can be asked with. The zero value is every face of
// the probe, the collections' thresholds and all that the collections hold.
type Terms struct {
	Faces     []int      `json:"faces,omitempty"`         // of the probe, by index; none is every one
	Together  bool       `json:"together,omitempty"`      // a potential candidate only when every chosen face has one
	Top       int        `json:"top,omitempty"`           // candidates of a face; 0 is DefaultTop
	Distance  *float64   `json:"distance,omitempty"`      // instead of the collections' thresholds; audited
	From      string     `json:"captured_from,omitempty"` // references captured then or later: YYYY, YYYY-MM or YYYY-MM-DD
	To        string     `json:"captured_to,omitempty"`   // references captured then or earlier; all of a year or month belongs to it
	Dated     bool       `json:"dated,omitempty"`         // with From or To: leaves out references of unknown date
	Countries []string   `json:"countries,omitempty"`     // of the named collections, only those of these countries
	Rerank    EngineName `json:"rerank,omitempty"`        // another engine that ranks the candidates again
	Detection
}

// A RequestStore keeps requests. AddRequest audits in the same transaction.
type RequestStore interface {
	AddRequest(ctx context.Context, r Request, ev AuditEvent) error
	// Requests lists those of a case, oldest first.
	Requests(ctx context.Context, c CaseID) ([]Request, error)
}
