package semblance

import (
	"context"
	"time"
)

// A Request is a face search asked for in a case, kept with its answer: what the
// asker follows and what a court may ask about.
type Request struct {
	ID          string      `json:"id"`
	Case        CaseID      `json:"case"`
	Actor       Actor       `json:"actor"`
	Probe       SHA256      `json:"probe"` // of the whole file
	ProbeName   string      `json:"probe_name"`
	Purpose     string      `json:"purpose"`
	Basis       string      `json:"basis"`
	Collections []string    `json:"collections"`
	Engine      EngineName  `json:"engine"`
	Version     int         `json:"version"`
	Outcome     Outcome     `json:"outcome"`
	Reason      string      `json:"reason,omitempty"` // why it is inconclusive
	Candidates  []Candidate `json:"candidates"`
	Created     time.Time   `json:"created"`
}

// A RequestStore keeps requests. AddRequest audits in the same transaction.
type RequestStore interface {
	AddRequest(ctx context.Context, r Request, ev AuditEvent) error
	// Requests lists those of a case, oldest first.
	Requests(ctx context.Context, c CaseID) ([]Request, error)
}
