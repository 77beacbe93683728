package qdranttest_test

import (
	"crypto/rand"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"semblance/index/qdrant/qdranttest"
)

// The server's strictness, as a client sees it. With SEMBLANCE_TEST_QDRANT=host:port
// the same is demanded of a real server, which keeps this one honest.
func TestStrictness(t *testing.T) {
	t.Parallel()
	t.Run("qdranttest", func(t *testing.T) {
		t.Parallel()
		strictness(t, qdranttest.New(t).Addr())
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		addr := os.Getenv("SEMBLANCE_TEST_QDRANT")
		if addr == "" {
			t.Skip("SEMBLANCE_TEST_QDRANT is not set: no real server to compare with")
		}
		strictness(t, addr)
	})
}

func strictness(t *testing.T, addr string) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := api.NewClient(&api.Config{Host: host, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	prefix := "strict-" + strings.ToLower(rand.Text()) + "-"
	cosine, euclid := prefix+"cosine", prefix+"euclid"
	make3 := func(name string, d api.Distance) error {
		return c.CreateCollection(ctx, &api.CreateCollection{
			CollectionName: name, VectorsConfig: api.NewVectorsConfig(&api.VectorParams{Size: 3, Distance: d}),
			StrictModeConfig: &api.StrictModeConfig{Enabled: api.PtrOf(true), UnindexedFilteringRetrieve: api.PtrOf(false), UnindexedFilteringUpdate: api.PtrOf(false)},
		})
	}
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	refuses := func(what string, err error, want ...codes.Code) {
		t.Helper()
		for _, w := range want {
			if status.Code(unwrap(err)) == w {
				return
			}
		}
		t.Errorf("%s: %v (%s), want %v", what, err, status.Code(unwrap(err)), want)
	}
	ok("create", make3(cosine, api.Distance_Cosine))
	defer c.DeleteCollection(ctx, cosine)
	ok("create", make3(euclid, api.Distance_Euclid))
	defer c.DeleteCollection(ctx, euclid)
	refuses("create again", make3(euclid, api.Distance_Euclid), codes.AlreadyExists, codes.InvalidArgument)

	up := func(name string, id *api.PointId, wait *bool, v ...float32) (*api.UpdateResult, error) {
		return c.Upsert(ctx, &api.UpsertPoints{CollectionName: name, Wait: wait, Points: []*api.PointStruct{
			{Id: id, Vectors: api.NewVectors(v...), Payload: map[string]*api.Value{"k": api.NewValueString("v")}},
		}})
	}
	one := api.NewIDUUID("5a1d7ad2-70a7-4d2a-8a5c-3f1f0f6c7b21")
	_, err = up(prefix+"none", one, nil, 1, 2, 3)
	refuses("an unknown collection", err, codes.NotFound)
	_, err = up(euclid, one, nil, 1, 2)
	refuses("a vector that is too short", err, codes.InvalidArgument)
	_, err = up(euclid, api.NewIDUUID("reference-1"), nil, 1, 2, 3)
	refuses("an ID that is no UUID", err, codes.InvalidArgument)

	for _, name := range []string{cosine, euclid} {
		r, err := up(name, one, nil, 3, 0, 4)
		ok("upsert", err)
		if r.GetStatus() != api.UpdateStatus_Acknowledged {
			t.Errorf("a write that is not waited for is %s", r.GetStatus())
		}
		r, err = up(name, api.NewIDNum(7), api.PtrOf(true), 0, 0, 2)
		ok("upsert", err)
		if r.GetStatus() != api.UpdateStatus_Completed {
			t.Errorf("a write that is waited for is %s", r.GetStatus())
		}
	}
	filter := &api.Filter{Must: []*api.Condition{api.NewMatch("k", "v")}}
	query := func(name string, limit uint64, f *api.Filter, v ...float32) ([]*api.ScoredPoint, error) {
		return c.Query(ctx, &api.QueryPoints{CollectionName: name, Query: api.NewQueryDense(v), Limit: &limit, Filter: f, WithVectors: api.NewWithVectors(true), Params: &api.SearchParams{Exact: api.PtrOf(true)}})
	}
	_, err = query(euclid, 5, filter, 1, 2, 3)
	refuses("a filter without an index", err, codes.InvalidArgument)
	_, err = query(euclid, 5, &api.Filter{MustNot: []*api.Condition{api.NewFilterAsCondition(filter)}}, 1, 2, 3)
	refuses("a nested filter without an index", err, codes.InvalidArgument)
	_, err = query(euclid, 0, nil, 1, 2, 3)
	refuses("a limit of 0", err, codes.InvalidArgument)
	_, err = query(euclid, 5, nil, 1, 2)
	refuses("a query that is too short", err, codes.InvalidArgument)
	_, err = query(prefix+"none", 5, nil, 1, 2, 3)
	refuses("a query of an unknown collection", err, codes.NotFound)

	_, err = c.CreateFieldIndex(ctx, &api.CreateFieldIndexCollection{CollectionName: euclid, Wait: api.PtrOf(true), FieldName: "k", FieldType: api.FieldType_FieldTypeKeyword.Enum()})
	ok("index", err)
	// The score of euclid is the distance, of cosine the similarity; cosine vectors
	// are normalized.
	got, err := query(euclid, 5, filter, 3, 0, 4)
	ok("query", err)
	scores(t, got, 0, math.Sqrt(9+4))
	vector(t, got[0], 3, 0, 4)
	got, err = query(cosine, 5, nil, 30, 0, 40)
	ok("query", err)
	scores(t, got, 1, 0.8)
	vector(t, got[0], 0.6, 0, 0.8)
	vector(t, got[1], 0, 0, 1)

	days := &api.Filter{Must: []*api.Condition{api.NewRange("day", &api.Range{Gte: api.PtrOf(-3.0), Lte: api.PtrOf(4.0)})}}
	undated := &api.Filter{Must: []*api.Condition{api.NewIsEmpty("day")}}
	_, err = query(euclid, 5, days, 1, 2, 3)
	refuses("a range without an index", err, codes.InvalidArgument)
	_, err = c.CreateFieldIndex(ctx, &api.CreateFieldIndexCollection{CollectionName: euclid, Wait: api.PtrOf(true), FieldName: "day", FieldType: api.FieldType_FieldTypeInteger.Enum()})
	ok("index", err)
	_, err = c.Upsert(ctx, &api.UpsertPoints{CollectionName: euclid, Wait: api.PtrOf(true), Points: []*api.PointStruct{
		{Id: api.NewIDNum(8), Vectors: api.NewVectors(0, 0, 9), Payload: map[string]*api.Value{"day": api.NewValueInt(4)}},
		{Id: api.NewIDNum(9), Vectors: api.NewVectors(0, 0, 9), Payload: map[string]*api.Value{"day": api.NewValueInt(5)}},
	}})
	ok("upsert", err)
	got, err = query(euclid, 5, days, 0, 0, 9)
	ok("query", err)
	scores(t, got, 0)
	got, err = query(euclid, 5, undated, 0, 0, 2)
	ok("query", err)
	scores(t, got, 0, math.Sqrt(9+4))
	_, err = c.Delete(ctx, &api.DeletePoints{CollectionName: euclid, Wait: api.PtrOf(true), Points: api.NewPointsSelector(api.NewIDNum(8), api.NewIDNum(9), api.NewIDNum(10))})
	ok("delete by ID", err)

	n, err := c.Count(ctx, &api.CountPoints{CollectionName: euclid, Filter: filter, Exact: api.PtrOf(true)})
	ok("count", err)
	if n != 2 {
		t.Errorf("%d points, want 2", n)
	}
	_, err = c.Delete(ctx, &api.DeletePoints{CollectionName: euclid, Wait: api.PtrOf(true), Points: api.NewPointsSelectorFilter(filter)})
	ok("delete", err)
	if n, err = c.Count(ctx, &api.CountPoints{CollectionName: euclid, Exact: api.PtrOf(true)}); err != nil || n != 0 {
		t.Errorf("%d points left, %v", n, err)
	}
}

// unwrap returns the innermost error, which is grpc's.
func unwrap(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}

func scores(t *testing.T, got []*api.ScoredPoint, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d points, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i].GetScore())-want[i]) > 1e-6 {
			t.Errorf("score %d is %v, want %v", i, got[i].GetScore(), want[i])
		}
	}
}

func vector(t *testing.T, p *api.ScoredPoint, want ...float32) {
	t.Helper()
	got := p.GetVectors().GetVector().GetDenseVector().GetData()
	for i := range want {
		if len(got) != len(want) || math.Abs(float64(got[i]-want[i])) > 1e-6 {
			t.Fatalf("stored vector is %v, want %v", got, want)
		}
	}
}
