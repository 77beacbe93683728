package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
	"semblance/selector"
)

// A Linker tells which selectors a case has, and what exhibits share. The Engine is one.
type Linker interface {
	CaseSelectors(ctx context.Context, who semblance.Actor, number string, f semblance.SelectorFilter) ([]semblance.CaseSelector, int, error)
	Links(ctx context.Context, who semblance.Actor, r semblance.LinkRequest) (semblance.Links, error)
}

type (
	selectorsInput struct {
		CaseNumber
		Kind    string `query:"kind" maxLength:"50" doc:"Only phone, email, url, user, onion, wallet or document"`
		Exhibit string `query:"exhibit" maxLength:"500" doc:"Only what this exhibit has; counts are of it alone"`
		After   int    `query:"after" minimum:"0" doc:"Selectors to skip: next of the page before"`
		Limit   int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Selectors listed"`
	}
	selectorsBody struct {
		Selectors []semblance.CaseSelector `json:"selectors"`
		Total     int                      `json:"total" doc:"How many there are, on all pages"`
		Next      int                      `json:"next,omitempty" doc:"after of the next page; absent on the last"`
	}
	selectorsOutput struct{ Body selectorsBody }
	linksInput      struct {
		Cases    []string `query:"case,explode" maxItems:"1000" doc:"Numbers of cases, repeated; one is enough: its exhibits are linked with each other"`
		All      bool     `query:"all" doc:"Every case there is, instead of case"`
		Kinds    []string `query:"kind,explode" maxItems:"20" doc:"Kinds of links, repeated, such as same media; all of them when none is named"`
		Distance int      `query:"distance" minimum:"0" maximum:"31" doc:"Of near media and frames, bits; 0 is 16"`
		Overlap  float64  `query:"overlap" minimum:"0" maximum:"3600000" doc:"Of near videos, seconds that they have in common at least; 0 is 2; half of the shorter one is always enough"`
		AllFiles bool     `query:"all_files" doc:"Also link files that are no pictures or videos"`
		Most     int      `query:"most" minimum:"0" doc:"Leave out what more exhibits than this share; 0 leaves out nothing"`
		Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Links told, the strongest first"`
	}
	linksOutput struct{ Body semblance.Links }
)

func (s *Server) linkRoutes() {
	tags := []string{"links"}
	do(s, huma.Operation{OperationID: "list-selectors", Method: http.MethodGet, Path: "/v1/cases/{number}/selectors", Summary: "List the selectors found in a case, in a collection or not", Tags: tags,
		Description: "Those that most exhibits have first, and of them the rarest. A user name is the name alone: the same one may be anybody's. The view is audited."}, s.listSelectors)
	do(s, huma.Operation{OperationID: "list-links", Method: http.MethodGet, Path: "/v1/links", Summary: "List what exhibits of one or more cases share", Tags: tags,
		Description: "What crosses countries first, then what crosses cases, then the stronger kind; pairs of exhibits are of all links, also of those over the limit. A link by near media, near videos, near frames or faces is a lead. Every case asked about is audited."}, s.listLinks)
}

func (s *Server) listSelectors(ctx context.Context, in *selectorsInput) (*selectorsOutput, error) {
	f := semblance.SelectorFilter{Exhibit: in.Exhibit, After: in.After, Limit: in.Limit}
	if in.Kind != "" {
		kind, err := selector.ParseKind(in.Kind)
		if err != nil {
			return nil, semblance.Errorf(semblance.Invalid, "kind in the query is no kind of selector").WithHint("The kinds are phone, email, url, user, onion, wallet and document.")
		}
		f.Kind = kind
	}
	list, total, err := s.parts.Linker.CaseSelectors(ctx, who(ctx), in.Number, f)
	if err != nil {
		return nil, err
	}
	out := selectorsBody{Selectors: some(list), Total: total}
	if next := in.After + len(list); len(list) > 0 && next < total {
		out.Next = next
	}
	return &selectorsOutput{out}, nil
}

func (s *Server) listLinks(ctx context.Context, in *linksInput) (*linksOutput, error) {
	if in.All == (len(in.Cases) > 0) {
		return nil, semblance.Errorf(semblance.Invalid, "either case or all in the query says which cases are asked about")
	}
	r := semblance.LinkRequest{Cases: in.Cases, All: in.All, Distance: in.Distance, Overlap: in.Overlap, AllFiles: in.AllFiles, Most: in.Most, Limit: in.Limit}
	for _, k := range in.Kinds {
		r.Kinds = append(r.Kinds, semblance.LinkKind(k))
	}
	l, err := s.parts.Linker.Links(ctx, who(ctx), r)
	l.Cases, l.Links, l.Pairs = some(l.Cases), some(l.Links), some(l.Pairs)
	return &linksOutput{l}, err
}
