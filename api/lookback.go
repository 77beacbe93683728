package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

// A Lookbacker tells what looking back at old exhibits would do and did. The Engine is one.
type Lookbacker interface {
	DueLookbacks(ctx context.Context) (semblance.LookbackDue, error)
	ListNotices(ctx context.Context, who semblance.Actor, number string, f semblance.NoticeFilter) ([]semblance.Notice, error)
	AcknowledgeNotices(ctx context.Context, who semblance.Actor, number string, ids ...semblance.NoticeID) (int, error)
}

// LookbackJobs makes a job of a look-back, beside the uploads.
type LookbackJobs interface {
	// LookBack returns the job that waits already when there is one.
	LookBack(ctx context.Context, who semblance.Actor) (Job, error)
}

type (
	dueOutput    struct{ Body semblance.LookbackDue }
	noticesInput struct {
		CaseNumber
		All   bool  `query:"all" doc:"Also those that were acknowledged"`
		After int64 `query:"after" minimum:"0" doc:"Only notices behind this id"`
		Limit int   `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Notices listed"`
	}
	noticesBody struct {
		Notices []semblance.Notice `json:"notices"`
		Next    int64              `json:"next,omitempty" doc:"after of the following page; absent on the last"`
	}
	noticesOutput    struct{ Body noticesBody }
	acknowledgeInput struct {
		CaseNumber
		Body struct {
			IDs []semblance.NoticeID `json:"ids,omitempty" maxItems:"10000" doc:"Notices of the case"`
			All bool                 `json:"all,omitempty" doc:"Every open one, instead of ids"`
		}
	}
	acknowledgeBody struct {
		Acknowledged int `json:"acknowledged" doc:"How many of them were open"`
	}
	acknowledgeOutput struct{ Body acknowledgeBody }
)

func (s *Server) lookbackRoutes() {
	tags := []string{"look-back"}
	do(s, huma.Operation{OperationID: "look-back", Method: http.MethodPost, Path: "/v1/lookbacks", Summary: "Compare old exhibits with what collections have gained and lost since", Tags: tags, DefaultStatus: http.StatusAccepted,
		Description: "Makes a job of everything that is due. A change of a collection and the end of an upload do so by themselves."}, s.lookBack)
	do(s, huma.Operation{OperationID: "list-due-look-backs", Method: http.MethodGet, Path: "/v1/lookbacks", Summary: "List the collections of which old exhibits have not seen everything", Tags: tags}, s.listDue)
	do(s, huma.Operation{OperationID: "list-notices", Method: http.MethodGet, Path: "/v1/cases/{number}/notices", Summary: "List what look-backs changed in a case: new, changed and withdrawn findings", Tags: tags,
		Description: "The view is audited."}, s.listNotices)
	do(s, huma.Operation{OperationID: "acknowledge-notices", Method: http.MethodPost, Path: "/v1/cases/{number}/notices/acknowledge", Summary: "Mark notices as seen", Tags: tags}, s.acknowledgeNotices)
}

func (s *Server) lookBack(ctx context.Context, _ *struct{}) (*jobOutput, error) {
	j, err := s.parts.LookbackJobs.LookBack(ctx, who(ctx))
	return &jobOutput{shown(j)}, err
}

func (s *Server) listDue(ctx context.Context, _ *struct{}) (*dueOutput, error) {
	due, err := s.parts.Lookbacker.DueLookbacks(ctx)
	return &dueOutput{due}, err
}

func (s *Server) listNotices(ctx context.Context, in *noticesInput) (*noticesOutput, error) {
	list, err := s.parts.Lookbacker.ListNotices(ctx, who(ctx), in.Number, semblance.NoticeFilter{Open: !in.All, After: semblance.NoticeID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := noticesBody{Notices: some(list)}
	if len(list) == in.Limit {
		out.Next = int64(list[len(list)-1].ID)
	}
	return &noticesOutput{out}, nil
}

func (s *Server) acknowledgeNotices(ctx context.Context, in *acknowledgeInput) (*acknowledgeOutput, error) {
	if in.Body.All == (len(in.Body.IDs) > 0) {
		return nil, semblance.Errorf(semblance.Invalid, "either ids or all say which notices are acknowledged")
	}
	n, err := s.parts.Lookbacker.AcknowledgeNotices(ctx, who(ctx), in.Number, in.Body.IDs...)
	return &acknowledgeOutput{acknowledgeBody{n}}, err
}
