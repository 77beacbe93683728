package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"semblance"
)

type (
	// shownCollection is a collection and, while it is on its way to another engine,
	// how far it is.
	shownCollection struct {
		semblance.Collection
		Reenrollment *semblance.Reenrollment `json:"reenrollment,omitempty" doc:"While the collection is on its way to another engine"`
	}
	shownCollectionOutput struct{ Body shownCollection }
	settingsInput         struct {
		Name string `path:"name" maxLength:"100" doc:"Name of the collection"`
		Body struct {
			EnrollQuality    *float32 `json:"enroll_quality,omitempty" minimum:"0" maximum:"100" doc:"Faces: quality under which a face is not enrolled without an override, 20 to 100; 0 is 20"`
			FaceDistance     *float64 `json:"face_distance,omitempty" minimum:"0" maximum:"2" doc:"Faces: threshold, inclusive"`
			PDQDistance      *int     `json:"pdq_distance,omitempty" minimum:"0" maximum:"63" doc:"Hashes: threshold in bits, inclusive"`
			PDQQuality       *int     `json:"pdq_quality,omitempty" minimum:"0" maximum:"100" doc:"Hashes: PDQ hashes under this quality are not compared"`
			HashDistance     *int     `json:"hash_distance,omitempty" minimum:"0" maximum:"15" doc:"Hashes: threshold of the 64-bit hashes in bits"`
			PhotoDNADistance *int     `json:"photodna_distance,omitempty" minimum:"0" doc:"Hashes: threshold of PhotoDNA, sum of squared differences of the bytes"`
			CategorySet      *string  `json:"category_set,omitempty" maxLength:"129" doc:"Set that the categories of entries are of, NAME/VERSION; empty is none"`
			Off              *offBody `json:"off,omitempty" doc:"Switches it off: it is not compared with, and whatever names it says so"`
			On               bool     `json:"on,omitempty" doc:"Switches it on"`
		}
	}
	categorySetsBody struct {
		CategorySets []semblance.CategorySet `json:"category_sets"`
	}
	categorySetsOutput struct{ Body categorySetsBody }
	offBody            struct {
		Why   string `json:"why" minLength:"1" maxLength:"500"`
		Until string `json:"until,omitempty" maxLength:"10" doc:"First day on which it is compared with again, YYYY-MM-DD in UTC; empty: until it is switched on"`
	}
	referencesInput struct {
		Name  string `path:"name" maxLength:"100" doc:"Name of a faces collection"`
		Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
		After string `query:"after" maxLength:"64" doc:"next of the page before"`
	}
	referencesBody struct {
		References []semblance.Reference `json:"references" doc:"Without their embeddings"`
		Next       semblance.ReferenceID `json:"next,omitempty" doc:"after of the next page; absent on the last"`
	}
	referencesOutput struct{ Body referencesBody }
	removalInput     struct {
		Name      string   `path:"name" maxLength:"100" doc:"Name of a faces collection"`
		Subject   string   `query:"subject" maxLength:"500" doc:"All references of this subject"`
		Reference []string `query:"reference" maxItems:"1000" doc:"Or the references of these ids, with commas"`
	}
	removalBody struct {
		erasureBody
		References []semblance.ReferenceID `json:"references" doc:"Those that are gone"`
	}
	removalOutput struct{ Body removalBody }
	reenrollInput struct {
		Name string `path:"name" maxLength:"100" doc:"Name of a faces collection"`
		Body struct {
			Engine   string `json:"engine" maxLength:"100" doc:"The engine to change to; empty is the default engine"`
			LeaveOut bool   `json:"leave_out_failed,omitempty" doc:"Switch although some references cannot be made; they stay, named and not searched"`
		}
	}
	reenrollOutput struct {
		Location string `header:"Location" doc:"Of the job"`
		Body     Job
	}
)

func (s *Server) referenceRoutes(tags []string) {
	do(s, huma.Operation{OperationID: "list-category-sets", Method: http.MethodGet, Path: "/v1/category-sets", Summary: "List category sets with what their values mean", Tags: tags}, s.listCategorySets)
	do(s, huma.Operation{OperationID: "set-collection", Method: http.MethodPatch, Path: "/v1/collections/{name}", Summary: "Change thresholds, least qualities, the category set, or switch the collection on or off", Tags: tags}, s.setCollection)
	do(s, huma.Operation{OperationID: "list-references", Method: http.MethodGet, Path: "/v1/collections/{name}/references", Summary: "List the references of a faces collection, a page at a time", Tags: tags}, s.listReferences)
	do(s, huma.Operation{OperationID: "remove-references", Method: http.MethodDelete, Path: "/v1/collections/{name}/references", Summary: "Erase a subject or references, and prove it by counting", Tags: tags}, s.removeReferences)
	do(s, huma.Operation{OperationID: "reenroll", Method: http.MethodPost, Path: "/v1/collections/{name}/reenrollment", Summary: "Enroll a faces collection again with another engine, as a job beside the uploads", Tags: tags,
		Description: "The collection is searched with the engine it has until all is made; then one transaction switches.", DefaultStatus: http.StatusAccepted}, s.reenroll)
	do(s, huma.Operation{OperationID: "abandon-reenrollment", Method: http.MethodDelete, Path: "/v1/collections/{name}/reenrollment", Summary: "Give up a re-enrollment that is not finished", Tags: tags, DefaultStatus: http.StatusNoContent}, s.abandonReenrollment)
}

func (s *Server) showCollection(ctx context.Context, in *collectionName) (*shownCollectionOutput, error) {
	c, err := s.parts.Collections.Collection(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	moving, err := s.parts.Curator.Reenrollment(ctx, c.ID)
	return &shownCollectionOutput{shownCollection{c, moving}}, err
}

func (s *Server) setCollection(ctx context.Context, in *settingsInput) (*collectionOutput, error) {
	b := in.Body
	x := semblance.CollectionChange{EnrollQuality: b.EnrollQuality, FaceDistance: b.FaceDistance, PDQDistance: b.PDQDistance, PDQQuality: b.PDQQuality,
		HashDistance: b.HashDistance, PhotoDNADistance: b.PhotoDNADistance, CategorySet: b.CategorySet, On: b.On}
	if b.Off != nil {
		x.Off = &semblance.Off{Why: b.Off.Why, Until: b.Off.Until}
	}
	c, err := s.parts.Curator.ChangeCollection(ctx, who(ctx), in.Name, x)
	return &collectionOutput{c}, err
}

func (s *Server) listCategorySets(ctx context.Context, _ *struct{}) (*categorySetsOutput, error) {
	sets, err := s.parts.Categories.CategorySets(ctx)
	return &categorySetsOutput{categorySetsBody{some(sets)}}, err
}

func (s *Server) listReferences(ctx context.Context, in *referencesInput) (*referencesOutput, error) {
	c, err := s.parts.Collections.Collection(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if c.Kind != semblance.Faces {
		return nil, semblance.Errorf(semblance.Invalid, "collection %q holds %s; only faces have references", c.Name, c.Kind)
	}
	list, err := s.parts.References.ReferencePage(ctx, c.ID, semblance.ReferenceID(in.After), in.Limit+1)
	if err != nil {
		return nil, err
	}
	var out referencesBody
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Next = list[in.Limit-1].ID
	}
	for i := range list {
		list[i].Face.Embedding = nil
	}
	out.References = some(list)
	return &referencesOutput{out}, nil
}

func (s *Server) removeReferences(ctx context.Context, in *removalInput) (*removalOutput, error) {
	r := semblance.Removal{Subject: in.Subject}
	for _, id := range in.Reference {
		r.IDs = append(r.IDs, semblance.ReferenceID(id))
	}
	e, err := s.parts.Curator.RemoveReferences(ctx, who(ctx), in.Name, r)
	return &removalOutput{removalBody{erasureBody{in.Name, e.Before, e.After, len(e.Objects)}, some(e.References)}}, err
}

func (s *Server) reenroll(ctx context.Context, in *reenrollInput) (*reenrollOutput, error) {
	j, err := s.parts.Reenroller.Reenroll(ctx, ReenrollOrder{Collection: in.Name, Engine: semblance.EngineName(in.Body.Engine), LeaveOut: in.Body.LeaveOut, Actor: who(ctx)})
	if err != nil {
		return nil, err
	}
	return &reenrollOutput{"/v1/jobs/" + j.ID, shown(j)}, nil
}

func (s *Server) abandonReenrollment(ctx context.Context, in *collectionName) (*struct{}, error) {
	return nil, s.parts.Curator.AbandonReenroll(ctx, who(ctx), in.Name)
}
