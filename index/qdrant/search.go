package qdrant

import (
	"cmp"
	"context"
	"math"
	"slices"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"semblance"
	"semblance/index"
)

const (
	// batchQueries is how many vectors go into one request.
	batchQueries = 16
	// attempts is how often a search begins again because a collection was replaced
	// under it.
	attempts = 25
	// maxLimit is how many points a query may return, and thus how many may be
	// equally far from a probe.
	maxLimit = 1 << 20
)

// Search implements semblance.VectorIndex.
//
// The server ranks points by its own float32 scores, each within e of the definition's
// distance. A query returns the nearest points up to some edge. A subject whose best
// score lies 4e below the edge is settled: all points that could be its nearest have
// been seen. Unless there are enough of those, the next query leaves them out and so
// sees further. When the search has enough settled subjects, or all, the vectors of the
// points in question are fetched and ranked by the definition.
func (x *Index) Search(ctx context.Context, q semblance.VectorQuery) ([][]semblance.Neighbor, error) {
	if q.Subjects <= 0 {
		return nil, semblance.Errorf(semblance.Invalid, "a search asks for at least one subject, not %d", q.Subjects)
	}
	for _, v := range q.Vectors {
		if err := index.CheckVector(q.Space, v); err != nil {
			return nil, err
		}
	}
	out := make([][]semblance.Neighbor, len(q.Vectors))
	if len(q.Collections) == 0 {
		return out, nil
	}
	held, err := x.held(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.From != 0 || q.To != 0 { // a collection made by an earlier version has no index of days
		if err := x.ensure(ctx, q.Space); err != nil {
			return nil, err
		}
	}
	for range attempts {
		whole, err := x.attempt(ctx, q, held, out)
		if err != nil && code(err) != codes.NotFound {
			return nil, err
		}
		// What was searched was all there if it still is what is held: the points of a
		// generation are deleted after the state names another.
		now, err2 := x.held(ctx, q)
		if err2 != nil {
			return nil, err2
		}
		same := sameGenerations(held, now)
		if same && err != nil { // held, but the Qdrant collection is gone
			return nil, lost(x.server)
		}
		if same && whole {
			return out, nil
		}
		if same && !whole { // or removed meanwhile
			if err := x.complete(ctx, q, now); err != nil {
				return nil, err
			}
		}
		held = now
	}
	return nil, semblance.Errorf(semblance.Unavailable, "a collection in Qdrant at %s is replaced faster than it can be searched", x.server).
		WithHint("Try again when the import is over.")
}

// lost is the error of points that the state says are there.
func lost(server string) error {
	return semblance.Errorf(semblance.Internal, "Qdrant at %s has lost points of a collection", server).
		WithHint("The index is made again from the store when the collection is next opened.")
}

// complete returns an error when there are fewer points than the states say. A state
// that changed while the points were counted says nothing about them.
func (x *Index) complete(ctx context.Context, q semblance.VectorQuery, held map[semblance.CollectionID]state) error {
	for c, s := range held {
		n, err := x.count(ctx, x.vectors(q.Space.Signal()), &api.Filter{Must: []*api.Condition{ofCollection(c), ofGeneration(s.generation)}})
		if err != nil {
			return err
		}
		if n >= s.count {
			continue
		}
		now, err := x.held(ctx, q)
		if err != nil {
			return err
		}
		if now[c] == s { // whoever removes points says so first
			return lost(x.server)
		}
	}
	return nil
}

// held returns the states of a query's collections. One that is not held is an error.
func (x *Index) held(ctx context.Context, q semblance.VectorQuery) (map[semblance.CollectionID]state, error) {
	held, err := x.read(ctx, q.Space.Signal(), q.Collections...)
	if err != nil {
		return nil, err
	}
	for _, c := range q.Collections {
		if _, ok := held[c]; !ok {
			return nil, semblance.Errorf(semblance.Internal, "the index does not hold collection %s", string(c)).
				WithHint("Fill the index from the store before searching; an empty answer would hide what is there.")
		}
	}
	return held, nil
}

func sameGenerations(a, b map[semblance.CollectionID]state) bool {
	for c, s := range a {
		if b[c].generation != s.generation {
			return false
		}
	}
	return len(a) == len(b)
}

// attempt searches once and fills out. It returns false when points vanished.
func (x *Index) attempt(ctx context.Context, q semblance.VectorQuery, held map[semblance.CollectionID]state, out [][]semblance.Neighbor) (bool, error) {
	for first := 0; first < len(q.Vectors); first += batchQueries {
		last := min(first+batchQueries, len(q.Vectors))
		quests := make([]*quest, 0, batchQueries)
		for _, v := range q.Vectors[first:last] {
			quests = append(quests, newQuest(q, v))
		}
		if err := x.settle(ctx, q, scope(q, held), quests); err != nil {
			return false, err
		}
		vectors, err := x.fetch(ctx, q, quests)
		if err != nil {
			return false, err
		}
		for i, s := range quests {
			var ok bool
			if out[first+i], ok = s.rank(q, vectors); !ok {
				return false, nil
			}
		}
	}
	return true, nil
}

// scope is the filter of what is searched.
func scope(q semblance.VectorQuery, held map[semblance.CollectionID]state) []*api.Condition {
	var collections, generations []string
	for c, s := range held {
		collections = append(collections, string(c))
		generations = append(generations, s.generation)
	}
	out := []*api.Condition{api.NewMatchKeywords(fieldCollection, collections...), api.NewMatchKeywords(fieldGeneration, generations...)}
	if q.From == 0 && q.To == 0 {
		return out
	}
	days := &api.Range{}
	if q.From != 0 {
		days.Gte = api.PtrOf(float64(q.From))
	}
	if q.To != 0 {
		days.Lte = api.PtrOf(float64(q.To))
	}
	captured := api.NewRange(fieldCaptured, days) // fails where the field is missing
	if q.Undated {
		captured = api.NewFilterAsCondition(&api.Filter{Should: []*api.Condition{captured, api.NewIsEmpty(fieldCaptured)}})
	}
	return append(out, captured)
}

// settle asks until every quest is done.
func (x *Index) settle(ctx context.Context, q semblance.VectorQuery, scope []*api.Condition, quests []*quest) error {
	name := x.vectors(q.Space.Signal())
	for {
		var open []*quest
		var queries []*api.QueryPoints
		for _, s := range quests {
			if !s.done {
				open = append(open, s)
				queries = append(queries, s.query(name, scope))
			}
		}
		if len(open) == 0 {
			return nil
		}
		results, err := x.client.QueryBatch(ctx, &api.QueryBatchPoints{CollectionName: name, QueryPoints: queries, ReadConsistency: majority()})
		if err != nil {
			if code(err) == codes.NotFound {
				return err
			}
			return x.failed(ctx, "search", err)
		}
		if len(results) != len(open) {
			return semblance.Errorf(semblance.Internal, "Qdrant at %s gave %d answers to %d queries", x.server, len(results), len(open))
		}
		for i, s := range open {
			if err := s.take(results[i].GetResult()); err != nil {
				return err
			}
		}
	}
}

// fetch returns the vectors of all points that quests rank, by point ID.
func (x *Index) fetch(ctx context.Context, q semblance.VectorQuery, quests []*quest) (map[string][]float32, error) {
	out := map[string][]float32{}
	var ids []*api.PointId
	for _, s := range quests {
		for _, h := range s.near {
			if _, ok := out[h.id.GetUuid()]; !ok {
				out[h.id.GetUuid()] = nil
				ids = append(ids, h.id)
			}
		}
	}
	for chunk := range slices.Chunk(ids, 4*batchPoints) {
		points, err := x.client.Get(ctx, &api.GetPoints{
			CollectionName: x.vectors(q.Space.Signal()), Ids: chunk, WithVectors: api.NewWithVectors(true), ReadConsistency: majority(),
		})
		if err != nil {
			if code(err) == codes.NotFound {
				return nil, err
			}
			return nil, x.failed(ctx, "give vectors", err)
		}
		for _, p := range points {
			out[p.GetId().GetUuid()] = p.GetVectors().GetVector().GetDenseVector().GetData()
		}
	}
	return out, nil
}

// A person is a subject of a collection.
type person struct {
	collection semblance.CollectionID
	subject    string
}

// A hit is a point that a query returned, with the server's idea of its distance.
type hit struct {
	id        *api.PointId
	reference semblance.ReferenceID
	person    person
	distance  float64
}

// A quest is the search of one vector under way.
type quest struct {
	space    semblance.EngineSpec
	vector   []float32
	subjects int
	limit    int
	settled  map[person]float64 // with the smallest distance
	hits     []hit              // of settled persons, those that may be their nearest
	near     []hit              // when done: those that may be in the answer
	done     bool
}

func newQuest(q semblance.VectorQuery, v []float32) *quest {
	// A few references a subject, and some more to see beyond the last one.
	return &quest{space: q.Space, vector: v, subjects: q.Subjects, limit: min(4*q.Subjects+16, maxLimit), settled: map[person]float64{}}
}

// query asks for the nearest points of persons who are not settled.
func (s *quest) query(name string, scope []*api.Condition) *api.QueryPoints {
	f := &api.Filter{Must: scope}
	for p := range s.settled {
		f.MustNot = append(f.MustNot, api.NewFilterAsCondition(&api.Filter{Must: []*api.Condition{
			ofCollection(p.collection), api.NewMatchKeyword(fieldSubject, p.subject),
		}}))
	}
	return &api.QueryPoints{
		CollectionName: name, Query: api.NewQueryDense(s.vector), Filter: f, Limit: api.PtrOf(uint64(s.limit)),
		Params:      &api.SearchParams{Exact: api.PtrOf(true)},
		WithPayload: api.NewWithPayloadInclude(fieldCollection, fieldSubject, fieldReference),
	}
}

// take takes the points of an answer.
func (s *quest) take(points []*api.ScoredPoint) error {
	found := make([]hit, 0, len(points))
	best := map[person]float64{}
	edge := 0.0
	for _, p := range points {
		h := s.hit(p)
		found = append(found, h)
		edge = max(edge, h.distance)
		if b, ok := best[h.person]; !ok || h.distance < b {
			best[h.person] = h.distance
		}
	}
	e := s.error(edge)
	all := len(points) < s.limit
	progress := false
	for p, b := range best {
		if all || b < edge-4*e {
			s.settled[p] = b
			progress = true
		}
	}
	for _, h := range found {
		if b, ok := s.settled[h.person]; ok && h.distance <= b+2*e {
			s.hits = append(s.hits, h)
		}
	}
	switch {
	case all || len(s.settled) >= s.subjects:
		s.finish(e)
	case !progress && s.limit >= maxLimit:
		return semblance.Errorf(semblance.Internal, "more than %d references are equally far from a probe", maxLimit)
	case !progress:
		s.limit = min(2*s.limit, maxLimit)
	}
	return nil
}

// finish chooses the points that can be in the answer.
func (s *quest) finish(e float64) {
	s.done = true
	last := math.Inf(1)
	if len(s.settled) > s.subjects {
		var all []float64
		for _, d := range s.settled {
			all = append(all, d)
		}
		slices.Sort(all)
		last = all[s.subjects-1] + 2*e
	}
	for _, h := range s.hits {
		if s.settled[h.person] <= last {
			s.near = append(s.near, h)
		}
	}
}

// error bounds how far scores up to edge can be from the definition: n float32
// terms, summed in any order, of lengths up to |v|+edge, with a factor of two for the
// server's own normalizing.
func (s *quest) error(edge float64) float64 {
	sum := 0.0
	for _, x := range s.vector {
		sum += float64(x) * float64(x)
	}
	return float64(len(s.vector)+8) * 0x1p-22 * (math.Sqrt(sum) + edge)
}

// hit reads a point of an answer. A cosine score is a similarity, a Euclidean one a
// distance.
func (s *quest) hit(p *api.ScoredPoint) hit {
	d := float64(p.GetScore())
	if s.space.Metric == semblance.Cosine {
		d = 1 - d
	}
	payload := p.GetPayload()
	return hit{
		id: p.GetId(), distance: d, reference: semblance.ReferenceID(payload[fieldReference].GetStringValue()),
		person: person{semblance.CollectionID(payload[fieldCollection].GetStringValue()), payload[fieldSubject].GetStringValue()},
	}
}

// rank orders the points in question by the definition, each person once. It
// returns false when one has no vector any more.
func (s *quest) rank(q semblance.VectorQuery, vectors map[string][]float32) ([]semblance.Neighbor, bool) {
	best := map[person]semblance.Neighbor{}
	for _, h := range s.near {
		v := vectors[h.id.GetUuid()]
		if v == nil {
			return nil, false
		}
		n := semblance.Neighbor{ID: h.reference, Collection: h.person.collection, Subject: h.person.subject, Distance: q.Space.Metric.Distance(v, s.vector)}
		if b, ok := best[h.person]; !ok || byDistance(n, b) < 0 {
			best[h.person] = n
		}
	}
	var out []semblance.Neighbor
	for _, n := range best {
		out = append(out, n)
	}
	slices.SortFunc(out, byDistance)
	return out[:min(len(out), q.Subjects)], true
}

func byDistance(a, b semblance.Neighbor) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Collection, b.Collection))
}
