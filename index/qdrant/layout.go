package qdrant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"semblance"
)

// The payload of a point.
const (
	fieldCollection = "coll"       // the reference collection
	fieldGeneration = "generation" // of the replacement it came with
	fieldSubject    = "subject"
	fieldReference  = "reference" // its ID; the point's own is derived from it
	fieldCaptured   = "captured"  // the day, counted from 1970-01-01; missing when it is not known
	fieldSignal     = "signal"    // state points only
	fieldVersion    = "version"   // state points only
	fieldCount      = "count"     // state points only
)

// space is the UUID namespace of point IDs.
var space = uuid.MustParse("5a1d7ad2-70a7-4d2a-8a5c-3f1f0f6c7b21")

// pointID derives the ID of a point, so that writing it again is writing it once.
func pointID(parts ...string) *api.PointId {
	return api.NewIDUUID(uuid.NewSHA1(space, []byte(strings.Join(parts, "\x00"))).String())
}

// vectors is the name of the Qdrant collection of a signal.
func (x *Index) vectors(signal string) string {
	var b strings.Builder
	b.WriteString(x.prefix + "_")
	for _, c := range []byte(signal) {
		switch {
		case c == '/':
			b.WriteByte('.')
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// states is the name of the Qdrant collection of state points.
func (x *Index) states() string { return x.prefix + "_state" }

// distance returns Qdrant's name of a metric.
func distance(m semblance.Metric) api.Distance {
	if m == semblance.Euclid {
		return api.Distance_Euclid
	}
	return api.Distance_Cosine
}

// ensure makes the Qdrant collection of a space unless it is there, and checks it.
func (x *Index) ensure(ctx context.Context, s semblance.EngineSpec) error {
	params := &api.VectorParams{Size: uint64(s.Dimensions), Distance: distance(s.Metric)}
	return x.create(ctx, x.vectors(s.Signal()), params, fieldCollection, fieldGeneration, fieldSubject, fieldCaptured)
}

// ensureStates makes the Qdrant collection of state points unless it is there. Its
// points have a vector because every Qdrant point does.
func (x *Index) ensureStates(ctx context.Context) error {
	return x.create(ctx, x.states(), &api.VectorParams{Size: 1, Distance: api.Distance_Dot}, fieldCollection)
}

// create makes a Qdrant collection with its payload indexes, before any point:
// a filter on a field that is indexed later can lose points until it is. Strict mode
// turns a filter on a field without an index into an error.
func (x *Index) create(ctx context.Context, name string, params *api.VectorParams, fields ...string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready[name] {
		return nil
	}
	request := &api.CreateCollection{
		CollectionName: name, VectorsConfig: api.NewVectorsConfig(params),
		StrictModeConfig: &api.StrictModeConfig{
			Enabled: api.PtrOf(true), UnindexedFilteringRetrieve: api.PtrOf(false), UnindexedFilteringUpdate: api.PtrOf(false), SearchAllowExact: api.PtrOf(true),
		},
	}
	if x.replicas > 0 {
		request.ReplicationFactor = &x.replicas
	}
	if err := x.client.CreateCollection(ctx, request); err != nil {
		// Somebody else may have made it meanwhile; servers have more than one code for that.
		if there, err2 := x.client.CollectionExists(ctx, name); err2 != nil || !there {
			return x.failed(ctx, "make a collection", err)
		}
	}
	if err := x.check(ctx, name, params); err != nil {
		return err
	}
	for _, f := range fields {
		r, err := x.client.CreateFieldIndex(ctx, payloadIndex(name, f))
		if err := x.done(ctx, "make an index of "+f, r, err); err != nil {
			return err
		}
	}
	x.ready[name] = true
	return nil
}

// payloadIndex describes the index of a field of the payload.
func payloadIndex(name, field string) *api.CreateFieldIndexCollection {
	r := &api.CreateFieldIndexCollection{CollectionName: name, Wait: api.PtrOf(true), FieldName: field}
	if field == fieldCaptured {
		r.FieldType = api.FieldType_FieldTypeInteger.Enum()
		r.FieldIndexParams = api.NewPayloadIndexParamsInt(&api.IntegerIndexParams{Lookup: api.PtrOf(false), Range: api.PtrOf(true)})
		return r
	}
	r.FieldType = api.FieldType_FieldTypeKeyword.Enum()
	r.FieldIndexParams = api.NewPayloadIndexParamsKeyword(&api.KeywordIndexParams{IsTenant: api.PtrOf(field == fieldCollection)})
	return r
}

// check refuses a Qdrant collection that is made for other vectors.
func (x *Index) check(ctx context.Context, name string, want *api.VectorParams) error {
	c, err := x.client.GetCollectionInfo(ctx, name)
	if err != nil {
		return x.failed(ctx, "describe a collection", err)
	}
	got := c.GetConfig().GetParams().GetVectorsConfig().GetParams()
	if got.GetSize() != want.GetSize() || got.GetDistance() != want.GetDistance() {
		return semblance.Errorf(semblance.ModelMismatch, "collection %s of Qdrant at %s holds vectors of %d numbers with distance %s, not of %d with %s",
			name, x.server, got.GetSize(), got.GetDistance(), want.GetSize(), want.GetDistance()).
			WithHint("Delete it in Qdrant, or use another prefix in the address; the index is made again from the store.")
	}
	return nil
}

// forget makes the next change look for the Qdrant collections again.
func (x *Index) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.ready)
}

// A state is what the state point of a collection in a space says is held.
type state struct {
	generation string
	version    int64
	count      int64
}

func stateID(signal string, c semblance.CollectionID) *api.PointId { return pointID(signal, string(c)) }

// read returns the states of collections, without those that are not held.
func (x *Index) read(ctx context.Context, signal string, collections ...semblance.CollectionID) (map[semblance.CollectionID]state, error) {
	var ids []*api.PointId
	for _, c := range collections {
		ids = append(ids, stateID(signal, c))
	}
	points, err := x.client.Get(ctx, &api.GetPoints{
		CollectionName: x.states(), Ids: ids, WithPayload: api.NewWithPayload(true), ReadConsistency: majority(),
	})
	if code(err) == codes.NotFound {
		return nil, nil // nothing was ever held
	}
	if err != nil {
		return nil, x.failed(ctx, "say what it holds", err)
	}
	out := map[semblance.CollectionID]state{}
	for _, p := range points {
		out[semblance.CollectionID(p.GetPayload()[fieldCollection].GetStringValue())] = state{
			generation: p.GetPayload()[fieldGeneration].GetStringValue(),
			version:    p.GetPayload()[fieldVersion].GetIntegerValue(),
			count:      p.GetPayload()[fieldCount].GetIntegerValue(),
		}
	}
	return out, nil
}

// write records what is held.
func (x *Index) write(ctx context.Context, signal string, c semblance.CollectionID, s state) error {
	r, err := x.client.Upsert(ctx, &api.UpsertPoints{
		CollectionName: x.states(), Wait: api.PtrOf(true), Ordering: strong(),
		Points: []*api.PointStruct{{
			Id: stateID(signal, c), Vectors: api.NewVectors(1),
			Payload: map[string]*api.Value{
				fieldSignal: api.NewValueString(signal), fieldCollection: api.NewValueString(string(c)),
				fieldGeneration: api.NewValueString(s.generation), fieldVersion: api.NewValueInt(s.version), fieldCount: api.NewValueInt(s.count),
			},
		}},
	})
	return x.done(ctx, "record a version", r, err)
}

// erase deletes what a filter finds.
func (x *Index) erase(ctx context.Context, name string, f *api.Filter) error {
	r, err := x.client.Delete(ctx, &api.DeletePoints{
		CollectionName: name, Wait: api.PtrOf(true), Points: api.NewPointsSelectorFilter(f), Ordering: strong(),
	})
	return x.done(ctx, "delete points", r, err)
}

// count counts what a filter finds, exactly.
func (x *Index) count(ctx context.Context, name string, f *api.Filter) (int64, error) {
	n, err := x.client.Count(ctx, &api.CountPoints{CollectionName: name, Filter: f, Exact: api.PtrOf(true), ReadConsistency: majority()})
	if err != nil {
		return 0, x.failed(ctx, "count points", err)
	}
	return int64(n), nil
}

// list returns the names of the Qdrant collections of vectors.
func (x *Index) list(ctx context.Context) ([]string, error) {
	names, err := x.client.ListCollections(ctx)
	if err != nil {
		return nil, x.failed(ctx, "list its collections", err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, x.prefix+"_") || n == x.states() }), nil
}

func ofCollection(c semblance.CollectionID) *api.Condition {
	return api.NewMatchKeyword(fieldCollection, string(c))
}

func ofGeneration(g string) *api.Condition { return api.NewMatchKeyword(fieldGeneration, g) }

// strong orders writes of all clients alike on every replica.
func strong() *api.WriteOrdering { return &api.WriteOrdering{Type: api.WriteOrderingType_Strong} }

// majority makes replicas agree on what is read. One machine agrees with itself.
func majority() *api.ReadConsistency {
	return api.NewReadConsistencyType(api.ReadConsistencyType_Majority)
}
