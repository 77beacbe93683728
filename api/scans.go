package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

// A ScanRequest asks for a path of the server's to be scanned as an exhibit.
type ScanRequest struct {
	Case        string
	Exhibit     string // label
	Path        string // in one of the folders that may be scanned over HTTP; relative to them, or absolute
	Serial      string
	Acquirer    string
	Collections []string
	Top         int
	Video       semblance.VideoMode
	Detection   semblance.Detection
}

// Scans makes jobs of scans. Whoever has a token could otherwise read the server's files, so
// only what lies in folders that the administrator named is scanned.
type Scans interface {
	// Scan returns Forbidden for a path outside of them, whether anything is there or not,
	// and Conflict when the exhibit is being scanned or its label is another source's.
	Scan(ctx context.Context, who semblance.Actor, r ScanRequest) (Job, error)
}

type scanInput struct {
	CaseNumber
	Body struct {
		Exhibit  string   `json:"exhibit" minLength:"1" maxLength:"200" doc:"Label of the exhibit, unique in the case"`
		Path     string   `json:"path" minLength:"1" maxLength:"4096" doc:"Folder or file, in one of the folders of serve.scan_from; relative to them, or absolute"`
		Serial   string   `json:"serial,omitempty" maxLength:"200" doc:"Serial number of the device"`
		Acquirer string   `json:"acquirer,omitempty" maxLength:"200" doc:"Who acquired it"`
		Against  []string `json:"against" minItems:"1" maxItems:"1000" doc:"Collections to compare with"`
		Top      int      `json:"top,omitempty" minimum:"1" maximum:"1000" doc:"Candidates kept of a face"`
		Video    string   `json:"video,omitempty" enum:"seconds,keyframes,none" doc:"What of videos is compared; seconds when it is absent"`
		semblance.Detection
	}
}

func (s *Server) scanRoutes() {
	do(s, huma.Operation{OperationID: "scan", Method: http.MethodPost, Path: "/v1/cases/{number}/scans", Summary: "Scan a path of the server as an exhibit", Tags: []string{"jobs"}, DefaultStatus: http.StatusAccepted,
		Description: "Only what lies in a folder of the setting serve.scan_from, which is empty unless the administrator names some. A scan of the same exhibit that was interrupted goes on with its job. Several exhibits are asked for one after the other and scanned at once."}, s.scan)
}

func (s *Server) scan(ctx context.Context, in *scanInput) (*jobOutput, error) {
	b := in.Body
	j, err := s.parts.Scans.Scan(ctx, who(ctx), ScanRequest{Case: in.Number, Exhibit: b.Exhibit, Path: b.Path, Serial: b.Serial, Acquirer: b.Acquirer,
		Collections: b.Against, Top: b.Top, Video: semblance.VideoMode(b.Video), Detection: b.Detection})
	return &jobOutput{shown(j)}, err
}
