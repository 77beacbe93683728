package qdranttest

import (
	"context"
	"maps"
	"slices"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A collection is what a Qdrant collection is made of. The server's lock guards it.
type collection struct {
	size     uint64
	distance api.Distance
	config   *api.CreateCollection
	indexed  map[string]api.FieldType
	points   map[string]point
	pending  []func() // writes nobody waits for, in order
}

// A point is a stored point. It is never changed, only replaced.
type point struct {
	id      *api.PointId
	vector  []float32
	payload map[string]*api.Value
}

// collection returns a collection by name. The caller holds the lock.
func (s *Server) collection(name string) (*collection, error) {
	c := s.collections[name]
	if c == nil {
		return nil, status.Errorf(codes.NotFound, "Not found: Collection `%s` doesn't exist!", name)
	}
	return c, nil
}

// strict reports whether filters need an index.
func (c *collection) strict() bool {
	m := c.config.GetStrictModeConfig()
	return m.GetEnabled() && m.UnindexedFilteringRetrieve != nil && !m.GetUnindexedFilteringRetrieve()
}

// collections serves the Collections service.
type collections struct {
	api.UnimplementedCollectionsServer
	s *Server
}

func (h collections) Create(_ context.Context, r *api.CreateCollection) (*api.CollectionOperationResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	name, params := r.GetCollectionName(), r.GetVectorsConfig().GetParams()
	switch {
	case name == "" || len(name) > 255:
		return nil, invalid("Validation error in body: [collection_name: value invalid, must be from 1 to 255 characters]")
	case slices.ContainsFunc([]byte(name), func(b byte) bool { return slices.Contains([]byte(`<>:"/\|?*`+"\x00\x1f"), b) }):
		return nil, invalid("Validation error in body: [collection_name: collection name cannot contain that char]")
	case params == nil:
		return nil, status.Error(codes.Unimplemented, "qdranttest: only one unnamed dense vector")
	case params.GetSize() == 0 || params.GetSize() > 65536:
		return nil, invalid("Validation error in body: [vectors_config.size: value %d invalid, must be from 1 to 65536]", params.GetSize())
	case params.GetDistance() != api.Distance_Cosine && params.GetDistance() != api.Distance_Euclid && params.GetDistance() != api.Distance_Dot:
		return nil, invalid("Wrong input: unknown distance")
	case h.s.collections[name] != nil:
		return nil, status.Errorf(codes.AlreadyExists, "Wrong input: Collection `%s` already exists!", name)
	}
	h.s.collections[name] = &collection{
		size: params.GetSize(), distance: params.GetDistance(), config: r,
		indexed: map[string]api.FieldType{}, points: map[string]point{},
	}
	return &api.CollectionOperationResponse{Result: true}, nil
}

func (h collections) Get(_ context.Context, r *api.GetCollectionInfoRequest) (*api.GetCollectionInfoResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	n := uint64(len(c.points))
	return &api.GetCollectionInfoResponse{Result: &api.CollectionInfo{
		Status: api.CollectionStatus_Green, PointsCount: &n,
		Config: &api.CollectionConfig{Params: &api.CollectionParams{VectorsConfig: c.config.GetVectorsConfig()}, StrictModeConfig: c.config.GetStrictModeConfig()},
	}}, nil
}

func (h collections) List(context.Context, *api.ListCollectionsRequest) (*api.ListCollectionsResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	out := &api.ListCollectionsResponse{}
	for _, name := range slices.Sorted(maps.Keys(h.s.collections)) {
		out.Collections = append(out.Collections, &api.CollectionDescription{Name: name})
	}
	return out, nil
}

func (h collections) CollectionExists(_ context.Context, r *api.CollectionExistsRequest) (*api.CollectionExistsResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	return &api.CollectionExistsResponse{Result: &api.CollectionExists{Exists: h.s.collections[r.GetCollectionName()] != nil}}, nil
}

func (h collections) Delete(_ context.Context, r *api.DeleteCollection) (*api.CollectionOperationResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	_, ok := h.s.collections[r.GetCollectionName()]
	delete(h.s.collections, r.GetCollectionName())
	return &api.CollectionOperationResponse{Result: ok}, nil
}
