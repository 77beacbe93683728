package qdranttest

import (
	"context"
	"math"
	"regexp"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// points serves the Points service.
type points struct {
	api.UnimplementedPointsServer
	s *Server
}

func (h points) CreateFieldIndex(_ context.Context, r *api.CreateFieldIndexCollection) (*api.PointsOperationResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if r.GetFieldName() == "" || r.FieldType == nil {
		return nil, invalid("Validation error in body: [field_name or field_type is missing]")
	}
	return h.s.write(c, r.GetWait(), func() { c.indexed[r.GetFieldName()] = r.GetFieldType() }), nil
}

func (h points) Upsert(_ context.Context, r *api.UpsertPoints) (*api.PointsOperationResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if len(r.GetPoints()) == 0 {
		return nil, invalid("Bad request: Empty update request")
	}
	if r.UpdateFilter != nil || r.UpdateMode != nil || r.ShardKeySelector != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: plain upserts only")
	}
	stored := make(map[string]point, len(r.GetPoints()))
	for _, p := range r.GetPoints() {
		key, err := pointKey(p.GetId())
		if err != nil {
			return nil, err
		}
		v, err := c.stored(dense(p.GetVectors().GetVector()))
		if err != nil {
			return nil, err
		}
		stored[key] = point{id: p.GetId(), vector: v, payload: p.GetPayload()}
	}
	return h.s.write(c, r.GetWait(), func() {
		for k, p := range stored {
			c.points[k] = p
		}
	}), nil
}

func (h points) Delete(_ context.Context, r *api.DeletePoints) (*api.PointsOperationResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if ids := r.GetPoints().GetPoints(); ids != nil {
		var keys []string
		for _, id := range ids.GetIds() {
			key, err := pointKey(id)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		return h.s.write(c, r.GetWait(), func() {
			for _, k := range keys {
				delete(c.points, k)
			}
		}), nil
	}
	f := r.GetPoints().GetFilter()
	if f == nil {
		return nil, invalid("Validation error in body: [points selector is missing]")
	}
	if err := c.check(f); err != nil {
		return nil, err
	}
	return h.s.write(c, r.GetWait(), func() {
		for k, p := range c.points {
			if holds(f, p.payload) {
				delete(c.points, k)
			}
		}
	}), nil
}

// write does a change now when it is waited for, after all that are pending, and
// otherwise before the next one that is. The caller holds the lock.
func (s *Server) write(c *collection, wait bool, change func()) *api.PointsOperationResponse {
	c.pending = append(c.pending, change)
	result := &api.UpdateResult{Status: api.UpdateStatus_Acknowledged, OperationId: new(uint64)}
	if wait && !s.lazy {
		for _, f := range c.pending {
			f()
		}
		c.pending = nil
		result.Status = api.UpdateStatus_Completed
	}
	return &api.PointsOperationResponse{Result: result}
}

// dense returns the numbers of an uploaded vector.
func dense(v *api.Vector) []float32 {
	if d := v.GetDense(); d != nil {
		return d.GetData()
	}
	//lint:ignore SA1019 a client may use the older spelling, and the real server takes it
	return v.GetData()
}

// tooShortToNormalize is below which length the real server leaves a vector as it is.
const tooShortToNormalize = 3.45e-4

// stored returns a vector as it is kept: normalized in cosine collections.
func (c *collection) stored(v []float32) ([]float32, error) {
	if uint64(len(v)) != c.size {
		return nil, invalid("Wrong input: Vector dimension error: expected dim: %d, got %d", c.size, len(v))
	}
	if c.distance != api.Distance_Cosine {
		return v, nil
	}
	var sum float32
	for _, x := range v {
		sum += x * x
	}
	length := float32(math.Sqrt(float64(sum)))
	if length < tooShortToNormalize {
		return v, nil
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = x / length
	}
	return out, nil
}

// pointKey returns the key of a point ID, which is a number or a UUID.
func pointKey(id *api.PointId) (string, error) {
	switch o := id.GetPointIdOptions().(type) {
	case *api.PointId_Num:
		return id.String(), nil
	case *api.PointId_Uuid:
		if regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`).MatchString(o.Uuid) {
			return o.Uuid, nil
		}
		return "", invalid("Unable to parse UUID: %s", o.Uuid)
	}
	return "", invalid("Malformed point id")
}
