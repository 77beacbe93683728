package qdranttest

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (h points) Get(_ context.Context, r *api.GetPoints) (*api.GetResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	out := &api.GetResponse{}
	for _, id := range r.GetIds() {
		key, err := pointKey(id)
		if err != nil {
			return nil, err
		}
		if p, ok := c.points[key]; ok {
			out.Result = append(out.Result, p.retrieved(r.GetWithPayload(), r.GetWithVectors()))
		}
	}
	return out, nil
}

func (h points) Count(_ context.Context, r *api.CountPoints) (*api.CountResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err == nil {
		err = c.check(r.GetFilter())
	}
	if err != nil {
		return nil, err
	}
	n := uint64(0)
	for _, p := range c.points {
		if holds(r.GetFilter(), p.payload) {
			n++
		}
	}
	if !r.GetExact() && r.Exact != nil && n > 0 {
		n-- // an estimate; whoever wants the truth asks for it
	}
	return &api.CountResponse{Result: &api.CountResult{Count: n}}, nil
}

func (h points) Scroll(_ context.Context, r *api.ScrollPoints) (*api.ScrollResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	c, err := h.s.collection(r.GetCollectionName())
	if err == nil {
		err = c.check(r.GetFilter())
	}
	if err != nil {
		return nil, err
	}
	if r.OrderBy != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: order_by")
	}
	limit := uint32(10)
	if r.Limit != nil {
		if limit = r.GetLimit(); limit == 0 {
			return nil, invalid("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
		}
	}
	from := ""
	if r.Offset != nil {
		if from, err = pointKey(r.GetOffset()); err != nil {
			return nil, err
		}
	}
	out := &api.ScrollResponse{}
	for _, k := range slices.Sorted(maps.Keys(c.points)) {
		p := c.points[k]
		if k < from || !holds(r.GetFilter(), p.payload) {
			continue
		}
		if len(out.Result) == int(limit) {
			out.NextPageOffset = p.id
			break
		}
		out.Result = append(out.Result, p.retrieved(r.GetWithPayload(), r.GetWithVectors()))
	}
	return out, nil
}

func (h points) Query(_ context.Context, r *api.QueryPoints) (*api.QueryResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	found, err := h.s.query(r)
	return &api.QueryResponse{Result: found}, err
}

func (h points) QueryBatch(_ context.Context, r *api.QueryBatchPoints) (*api.QueryBatchResponse, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	out := &api.QueryBatchResponse{}
	for _, q := range r.GetQueryPoints() {
		if q.GetCollectionName() != r.GetCollectionName() {
			return nil, invalid("Bad request: all queries of a batch are of one collection")
		}
		found, err := h.s.query(q)
		if err != nil {
			return nil, err
		}
		out.Result = append(out.Result, &api.BatchResult{Result: found})
	}
	return out, nil
}

// query answers one query. The caller holds the lock.
func (s *Server) query(r *api.QueryPoints) ([]*api.ScoredPoint, error) {
	c, err := s.collection(r.GetCollectionName())
	if err == nil {
		err = c.check(r.GetFilter())
	}
	if err != nil {
		return nil, err
	}
	nearest, ok := r.GetQuery().GetVariant().(*api.Query_Nearest)
	if !ok || nearest.Nearest.GetDense() == nil || len(r.GetPrefetch()) > 0 || r.Using != nil || r.ScoreThreshold != nil || r.Offset != nil {
		return nil, status.Error(codes.Unimplemented, "qdranttest: only the nearest of a dense vector")
	}
	limit := uint64(10)
	if r.Limit != nil {
		if limit = r.GetLimit(); limit == 0 {
			return nil, invalid("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")
		}
	}
	v, err := c.stored(nearest.Nearest.GetDense().GetData())
	if err != nil {
		return nil, err
	}
	found := c.score(v, r.GetFilter())
	slices.SortFunc(found, func(a, b scored) int {
		if c.distance == api.Distance_Euclid { // the score is the distance
			return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(a.order, b.order))
		}
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.order, b.order))
	})
	var out []*api.ScoredPoint
	for _, f := range found[:min(uint64(len(found)), limit)] {
		p := f.retrieved(r.GetWithPayload(), r.GetWithVectors())
		out = append(out, &api.ScoredPoint{Id: p.Id, Payload: p.Payload, Vectors: p.Vectors, Score: f.score})
	}
	return out, nil
}

// A scored is a point of an answer. The real server's order of equal scores is its
// own; here it is one that no client sorts by.
type scored struct {
	point
	score float32
	order uint64
}

func (c *collection) score(v []float32, f *api.Filter) []scored {
	var out []scored
	for key, p := range c.points {
		if !holds(f, p.payload) {
			continue
		}
		s := scored{point: p, order: 14695981039346656037}
		for i := range key { // FNV-1a
			s.order = (s.order ^ uint64(key[i])) * 1099511628211
		}
		for i := range v {
			if c.distance == api.Distance_Euclid {
				s.score += (v[i] - p.vector[i]) * (v[i] - p.vector[i])
			} else {
				s.score += v[i] * p.vector[i]
			}
		}
		if c.distance == api.Distance_Euclid {
			s.score = float32(math.Sqrt(float64(s.score)))
		}
		out = append(out, s)
	}
	return out
}

// retrieved returns a point with what is asked for. By default that is nothing.
func (p point) retrieved(payload *api.WithPayloadSelector, vectors *api.WithVectorsSelector) *api.RetrievedPoint {
	out := &api.RetrievedPoint{Id: p.id}
	if payload.GetEnable() {
		out.Payload = p.payload
	}
	if include := payload.GetInclude(); include != nil {
		out.Payload = map[string]*api.Value{}
		for _, k := range include.GetFields() {
			if v, ok := p.payload[k]; ok {
				out.Payload[k] = v
			}
		}
	}
	if vectors.GetEnable() {
		out.Vectors = &api.VectorsOutput{VectorsOptions: &api.VectorsOutput_Vector{
			Vector: &api.VectorOutput{Vector: &api.VectorOutput_Dense{Dense: &api.DenseVector{Data: p.vector}}},
		}}
	}
	return out
}
