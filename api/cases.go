package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

type caseInput struct {
	Body struct {
		Number  string `json:"number" maxLength:"200" minLength:"1" doc:"What people call the case; unique"`
		Agency  string `json:"agency" maxLength:"500" minLength:"1"`
		Country string `json:"country" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2"`
		Purpose string `json:"purpose" maxLength:"1000" minLength:"1" doc:"What the searches of this case are for; kept in the audit chain"`
		Basis   string `json:"basis" maxLength:"1000" minLength:"1" doc:"Legal basis; kept in the audit chain"`
		Life    bool   `json:"threat_to_life,omitempty" doc:"Life is at risk: the work of this case goes before that of others"`
		Zone    string `json:"time_zone,omitempty" maxLength:"100" doc:"IANA name of the zone in which times are shown beside UTC: Europe/Amsterdam"`
	}
}

type caseChangeInput struct {
	CaseNumber
	Body struct {
		Life *bool   `json:"threat_to_life,omitempty" doc:"Life is at risk: the work of this case goes before that of others"`
		Zone *string `json:"time_zone,omitempty" maxLength:"100" doc:"IANA name of the zone in which times are shown beside UTC; empty for none"`
	}
}

// A CaseNumber is the case of a request's path. It is exported, as the other parts
// of requests are, because huma reads embedded fields of exported types only.
type CaseNumber struct {
	Number string `path:"number" maxLength:"200" doc:"Number of the case"`
}

type (
	caseOutput struct{ Body semblance.Case }
	casesBody  struct {
		Cases []semblance.Case `json:"cases"`
	}
	casesOutput  struct{ Body casesBody }
	exhibitsBody struct {
		Exhibits []semblance.Exhibit `json:"exhibits"`
	}
	exhibitsOutput struct{ Body exhibitsBody }
	requestsBody   struct {
		Requests []semblance.Request `json:"requests"`
	}
	requestsOutput struct{ Body requestsBody }
)

func (s *Server) caseRoutes() {
	tags := []string{"cases"}
	do(s, huma.Operation{OperationID: "create-case", Method: http.MethodPost, Path: "/v1/cases", Summary: "Create a case", Tags: tags, DefaultStatus: http.StatusCreated}, s.createCase)
	do(s, huma.Operation{OperationID: "list-cases", Method: http.MethodGet, Path: "/v1/cases", Summary: "List the cases", Tags: tags}, s.listCases)
	do(s, huma.Operation{OperationID: "show-case", Method: http.MethodGet, Path: "/v1/cases/{number}", Summary: "Show a case", Tags: tags}, s.showCase)
	do(s, huma.Operation{OperationID: "change-case", Method: http.MethodPatch, Path: "/v1/cases/{number}", Summary: "Say whether life is at risk in a case, and in which zone its times are shown",
		Description: "What is not in the body stays as it is. The change is audited.", Tags: tags}, s.changeCase)
	do(s, huma.Operation{OperationID: "list-exhibits", Method: http.MethodGet, Path: "/v1/cases/{number}/exhibits", Summary: "List the exhibits of a case", Tags: tags}, s.listExhibits)
	do(s, huma.Operation{OperationID: "list-requests", Method: http.MethodGet, Path: "/v1/cases/{number}/requests", Summary: "List the face searches of a case with their answers",
		Description: "The view is audited.", Tags: tags}, s.listRequests)
}

func (s *Server) createCase(ctx context.Context, in *caseInput) (*caseOutput, error) {
	b := in.Body
	c, err := s.parts.Keeper.CreateCase(ctx, who(ctx), semblance.Case{Number: b.Number, Agency: b.Agency, Country: b.Country, Purpose: b.Purpose, Basis: b.Basis, ThreatToLife: b.Life, TimeZone: b.Zone})
	return &caseOutput{c}, err
}

func (s *Server) listCases(ctx context.Context, _ *struct{}) (*casesOutput, error) {
	cs, err := s.parts.Cases.Cases(ctx)
	return &casesOutput{casesBody{some(cs)}}, err
}

func (s *Server) showCase(ctx context.Context, in *CaseNumber) (*caseOutput, error) {
	c, err := s.parts.Cases.Case(ctx, in.Number)
	return &caseOutput{c}, err
}

func (s *Server) changeCase(ctx context.Context, in *caseChangeInput) (*caseOutput, error) {
	c, err := s.parts.Keeper.SetCase(ctx, who(ctx), in.Number, semblance.CaseChange{ThreatToLife: in.Body.Life, TimeZone: in.Body.Zone})
	return &caseOutput{c}, err
}

func (s *Server) listExhibits(ctx context.Context, in *CaseNumber) (*exhibitsOutput, error) {
	c, err := s.parts.Cases.Case(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	list, err := s.parts.Records.Exhibits(ctx, c.ID)
	for i := range list {
		list[i].Source = shownSource(list[i].Source)
	}
	return &exhibitsOutput{exhibitsBody{some(list)}}, err
}

// shownSource hides where on the server an exhibit was scanned from.
func shownSource(source string) string {
	if isUpload(source) {
		return "upload"
	}
	return "scan"
}

func (s *Server) listRequests(ctx context.Context, in *CaseNumber) (*requestsOutput, error) {
	c, err := s.parts.Cases.Case(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	list, err := s.parts.Requests.Requests(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
		list[i].Candidates = some(list[i].Candidates)
	}
	return &requestsOutput{requestsBody{some(list)}}, s.viewed(ctx, c, map[string]any{"list": "requests", "requests": ids})
}

// viewed audits a screenful: who saw what, of which case.
func (s *Server) viewed(ctx context.Context, c semblance.Case, detail map[string]any) error {
	return s.parts.Audit.Append(ctx, semblance.AuditEvent{Actor: who(ctx), Action: "view", Case: c.Number, Purpose: c.Purpose, Basis: c.Basis, Detail: detail})
}

// some is the list, never null in JSON.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
