package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

// A Stacker stacks the media of a case and shows the stacks. The Engine is one.
type Stacker interface {
	ListStacks(ctx context.Context, who semblance.Actor, r semblance.StackRequest, f semblance.StackFilter) (semblance.Stacking, []semblance.Stack, error)
	ShowStack(ctx context.Context, who semblance.Actor, number string, media semblance.SHA256) (semblance.Stack, error)
}

type (
	stacksInput struct {
		CaseNumber
		Distance int `query:"distance" minimum:"0" maximum:"31" doc:"Largest PDQ distance from the representative, bits; 0 is as before, or 16. Another one stacks anew"`
		Least    int `query:"least" minimum:"0" doc:"Only stacks of so many media or more"`
		After    int `query:"after" minimum:"0" doc:"Stacks to skip"`
		Limit    int `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Stacks listed"`
	}
	stacksBody struct {
		Stacking semblance.Stacking `json:"stacking"`
		Stacks   []semblance.Stack  `json:"stacks"`
	}
	stacksOutput struct{ Body stacksBody }
	stackOutput  struct{ Body semblance.Stack }
)

func (s *Server) stackRoutes() {
	tags := []string{"stacks"}
	do(s, huma.Operation{OperationID: "list-stacks", Method: http.MethodGet, Path: "/v1/cases/{number}/stacks", Summary: "List stacks of identical and nearly identical media, the gravest findings first", Tags: tags,
		Description: "Brings the stacks up to date; the first time takes up to a minute for a hundred thousand media. A stack tells the findings of all its media. The view is audited."}, s.listStacks)
	do(s, huma.Operation{OperationID: "show-stack", Method: http.MethodGet, Path: "/v1/cases/{number}/stacks/{sha256}", Summary: "Show the stack that a media is in, with its members and their findings", Tags: tags,
		Description: "As of the last listing. The view is audited."}, s.showStack)
}

func (s *Server) listStacks(ctx context.Context, in *stacksInput) (*stacksOutput, error) {
	st, list, err := s.parts.Stacker.ListStacks(ctx, who(ctx), semblance.StackRequest{Case: in.Number, Distance: in.Distance}, semblance.StackFilter{Least: in.Least, After: in.After, Limit: in.Limit})
	return &stacksOutput{stacksBody{st, some(list)}}, err
}

func (s *Server) showStack(ctx context.Context, in *mediaInput) (*stackOutput, error) {
	_, sum, _, err := s.mediaOf(ctx, in.Number, in.SHA256)
	if err != nil {
		return nil, err
	}
	st, err := s.parts.Stacker.ShowStack(ctx, who(ctx), in.Number, sum)
	return &stackOutput{st}, err
}
