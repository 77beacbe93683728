package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

// A Grouper puts faces into groups and shows them. The Engine is one.
type Grouper interface {
	GroupFaces(ctx context.Context, who semblance.Actor, r semblance.GroupRequest) (semblance.GroupResult, error)
	ListGroups(ctx context.Context, who semblance.Actor, r semblance.GroupRequest, f semblance.GroupFilter) (semblance.Grouping, []semblance.FaceGroup, error)
	ShowGroup(ctx context.Context, who semblance.Actor, id semblance.GroupID) (semblance.GroupView, error)
	NearGroups(ctx context.Context, who semblance.Actor, r semblance.GroupRequest, limit int) (semblance.Grouping, []semblance.NearGroups, error)
	GroupEdits(ctx context.Context, who semblance.Actor, r semblance.GroupRequest) (semblance.Grouping, []semblance.GroupEdit, error)
}

// A GroupEditor changes groups by hand. The Engine is one.
type GroupEditor interface {
	MergeGroups(ctx context.Context, who semblance.Actor, a, b semblance.GroupID, anyway bool) (semblance.GroupEdit, error)
	SplitGroup(ctx context.Context, who semblance.Actor, id semblance.GroupID, faces []string) (semblance.GroupEdit, error)
	MoveFaces(ctx context.Context, who semblance.Actor, from, to semblance.GroupID, faces []string, anyway bool) (semblance.GroupEdit, error)
	NameGroup(ctx context.Context, who semblance.Actor, id semblance.GroupID, name, note string) (semblance.GroupEdit, error)
	UndoGroupEdit(ctx context.Context, who semblance.Actor, id semblance.GroupEditID) (semblance.GroupEdit, error)
}

// A GroupScope is whose faces are meant, in the query.
type GroupScope struct {
	Case   []string `query:"case,explode" maxItems:"100" doc:"Numbers of the cases, each in a parameter of its own; only their faces are looked at"`
	All    bool     `query:"all" doc:"Every case, instead of case"`
	Engine string   `query:"engine" maxLength:"100" doc:"Face engine; empty is the default engine"`
}

func (g *GroupScope) request() semblance.GroupRequest {
	return semblance.GroupRequest{Cases: g.Case, All: g.All, Engine: semblance.EngineName(g.Engine)}
}

// A GroupPath is the group of a request's path.
type GroupPath struct {
	ID string `path:"id" maxLength:"40" doc:"Id of the group"`
}

type (
	groupRunInput struct {
		Body struct {
			Cases    []string `json:"cases,omitempty" maxItems:"100" doc:"Numbers of the cases; only their faces are looked at"`
			All      bool     `json:"all,omitempty" doc:"Every case, instead of cases"`
			Engine   string   `json:"engine,omitempty" maxLength:"100" doc:"Face engine; empty is the default engine"`
			Fresh    bool     `json:"fresh,omitempty" doc:"Begin again; groups edited by hand stay"`
			Distance float64  `json:"distance,omitempty" minimum:"0" maximum:"2" doc:"Largest mean distance of faces in a group; 0 is the engine's own"`
		}
	}
	groupRunOutput struct{ Body semblance.GroupResult }
	groupsInput    struct {
		GroupScope
		Limit      int  `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Groups listed"`
		After      int  `query:"after" minimum:"0" doc:"Groups to skip"`
		Least      int  `query:"least" minimum:"0" doc:"Only groups of so many faces or more"`
		CrossCase  bool `query:"cross_case" doc:"Only groups seen in several cases"`
		ByExhibits bool `query:"by_exhibits" doc:"Those seen in most exhibits first, instead of the largest"`
	}
	groupsBody struct {
		Grouping semblance.Grouping    `json:"grouping"`
		Groups   []semblance.FaceGroup `json:"groups"`
	}
	groupsOutput struct{ Body groupsBody }
	nearInput    struct {
		GroupScope
		Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Pairs listed"`
	}
	nearBody struct {
		Grouping semblance.Grouping     `json:"grouping"`
		Near     []semblance.NearGroups `json:"near"`
	}
	nearOutput     struct{ Body nearBody }
	groupEditsBody struct {
		Grouping semblance.Grouping    `json:"grouping"`
		Edits    []semblance.GroupEdit `json:"edits"`
	}
	groupEditsOutput struct{ Body groupEditsBody }
	groupOutput      struct{ Body semblance.GroupView }
	groupMergeInput  struct {
		GroupPath
		Body struct {
			From   string `json:"from" maxLength:"40" doc:"The group whose faces come into this one"`
			Anyway bool   `json:"anyway,omitempty" doc:"Although both have a face in one picture (a collage); audited"`
		}
	}
	groupSplitInput struct {
		GroupPath
		Body struct {
			Faces []string `json:"faces" minItems:"1" maxItems:"10000" doc:"MEDIA:FACE each; 8 digits of the media are enough"`
		}
	}
	groupMoveInput struct {
		GroupPath
		Body struct {
			To     string   `json:"to" maxLength:"40" doc:"The group they go into"`
			Faces  []string `json:"faces" minItems:"1" maxItems:"10000" doc:"MEDIA:FACE each; 8 digits of the media are enough"`
			Anyway bool     `json:"anyway,omitempty" doc:"Although both have a face in one picture (a collage); audited"`
		}
	}
	groupNameInput struct {
		GroupPath
		Body struct {
			Name string `json:"name" maxLength:"200"`
			Note string `json:"note,omitempty" maxLength:"2000"`
		}
	}
	groupUndoInput struct {
		ID string `path:"id" maxLength:"40" doc:"Id of the edit"`
	}
	groupEditOutput struct{ Body semblance.GroupEdit }
)

func (s *Server) groupRoutes() {
	tags := []string{"groups"}
	const lead = "A group is faces that may be of one person: a lead for a trained examiner, never an identification."
	do(s, huma.Operation{OperationID: "group-faces", Method: http.MethodPost, Path: "/v1/groups/run", Summary: "Group the faces of cases, or add what is new to their groups",
		Description: lead + " The first run of many faces takes minutes.", Tags: tags}, s.groupFaces)
	do(s, huma.Operation{OperationID: "list-groups", Method: http.MethodGet, Path: "/v1/groups", Summary: "List the groups of cases", Description: lead + " The view is audited.", Tags: tags}, s.listGroups)
	do(s, huma.Operation{OperationID: "show-group", Method: http.MethodGet, Path: "/v1/groups/{id}", Summary: "Show the faces of a group and the groups near it", Description: lead + " The view is audited.", Tags: tags}, s.showGroup)
	do(s, huma.Operation{OperationID: "list-near-groups", Method: http.MethodGet, Path: "/v1/near-groups", Summary: "List pairs of groups that were left apart and may be of one person", Description: "The view is audited.", Tags: tags}, s.listNearGroups)
	do(s, huma.Operation{OperationID: "list-group-edits", Method: http.MethodGet, Path: "/v1/group-edits", Summary: "List what was done to groups by hand", Description: "The view is audited.", Tags: tags}, s.listGroupEdits)
	do(s, huma.Operation{OperationID: "merge-groups", Method: http.MethodPost, Path: "/v1/groups/{id}/merge", Summary: "Put all faces of another group into this one", Tags: tags}, s.mergeGroups)
	do(s, huma.Operation{OperationID: "split-group", Method: http.MethodPost, Path: "/v1/groups/{id}/split", Summary: "Put some faces of this group into a new one", Tags: tags}, s.splitGroup)
	do(s, huma.Operation{OperationID: "move-faces", Method: http.MethodPost, Path: "/v1/groups/{id}/move", Summary: "Put some faces of this group into another", Tags: tags}, s.moveFaces)
	do(s, huma.Operation{OperationID: "name-group", Method: http.MethodPost, Path: "/v1/groups/{id}/name", Summary: "Give this group a name and a note", Tags: tags}, s.nameGroup)
	do(s, huma.Operation{OperationID: "undo-group-edit", Method: http.MethodPost, Path: "/v1/group-edits/{id}/undo", Summary: "Take an edit by hand back, unless a later one rests on it", Tags: tags}, s.undoGroupEdit)
}

func (s *Server) groupFaces(ctx context.Context, in *groupRunInput) (*groupRunOutput, error) {
	b := in.Body
	res, err := s.parts.Grouper.GroupFaces(ctx, who(ctx), semblance.GroupRequest{Cases: b.Cases, All: b.All, Engine: semblance.EngineName(b.Engine), Fresh: b.Fresh, Distance: b.Distance})
	return &groupRunOutput{res}, err
}

func (s *Server) listGroups(ctx context.Context, in *groupsInput) (*groupsOutput, error) {
	g, list, err := s.parts.Grouper.ListGroups(ctx, who(ctx), in.request(),
		semblance.GroupFilter{Least: in.Least, CrossCase: in.CrossCase, Exhibits: in.ByExhibits, After: in.After, Limit: in.Limit})
	return &groupsOutput{groupsBody{g, some(list)}}, err
}

func (s *Server) showGroup(ctx context.Context, in *GroupPath) (*groupOutput, error) {
	v, err := s.parts.Grouper.ShowGroup(ctx, who(ctx), semblance.GroupID(in.ID))
	return &groupOutput{v}, err
}

func (s *Server) listNearGroups(ctx context.Context, in *nearInput) (*nearOutput, error) {
	g, list, err := s.parts.Grouper.NearGroups(ctx, who(ctx), in.request(), in.Limit)
	return &nearOutput{nearBody{g, some(list)}}, err
}

func (s *Server) listGroupEdits(ctx context.Context, in *GroupScope) (*groupEditsOutput, error) {
	g, list, err := s.parts.Grouper.GroupEdits(ctx, who(ctx), in.request())
	return &groupEditsOutput{groupEditsBody{g, some(list)}}, err
}

func (s *Server) mergeGroups(ctx context.Context, in *groupMergeInput) (*groupEditOutput, error) {
	e, err := s.parts.GroupEditor.MergeGroups(ctx, who(ctx), semblance.GroupID(in.ID), semblance.GroupID(in.Body.From), in.Body.Anyway)
	return &groupEditOutput{e}, err
}

func (s *Server) splitGroup(ctx context.Context, in *groupSplitInput) (*groupEditOutput, error) {
	e, err := s.parts.GroupEditor.SplitGroup(ctx, who(ctx), semblance.GroupID(in.ID), in.Body.Faces)
	return &groupEditOutput{e}, err
}

func (s *Server) moveFaces(ctx context.Context, in *groupMoveInput) (*groupEditOutput, error) {
	e, err := s.parts.GroupEditor.MoveFaces(ctx, who(ctx), semblance.GroupID(in.ID), semblance.GroupID(in.Body.To), in.Body.Faces, in.Body.Anyway)
	return &groupEditOutput{e}, err
}

func (s *Server) nameGroup(ctx context.Context, in *groupNameInput) (*groupEditOutput, error) {
	e, err := s.parts.GroupEditor.NameGroup(ctx, who(ctx), semblance.GroupID(in.ID), in.Body.Name, in.Body.Note)
	return &groupEditOutput{e}, err
}

func (s *Server) undoGroupEdit(ctx context.Context, in *groupUndoInput) (*groupEditOutput, error) {
	e, err := s.parts.GroupEditor.UndoGroupEdit(ctx, who(ctx), semblance.GroupEditID(in.ID))
	return &groupEditOutput{e}, err
}
