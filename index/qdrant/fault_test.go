package qdrant_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"semblance"
	"semblance/index/qdrant"
	"semblance/index/qdrant/qdranttest"
)

var euclid = semblance.EngineSpec{Name: "test", Version: 1, Dimensions: 8, Metric: semblance.Euclid}

// entries returns n entries of a subject each; what tells calls apart.
func entries(space semblance.EngineSpec, what string, n int) []semblance.VectorEntry {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	out := make([]semblance.VectorEntry, n)
	for i := range out {
		out[i] = semblance.VectorEntry{ID: semblance.ReferenceID(fmt.Sprintf("%s-%05d", what, i)), Subject: fmt.Sprintf("%s %d", what, i), Vector: make([]float32, space.Dimensions)}
		for j := range out[i].Vector {
			out[i].Vector[j] = float32(r.NormFloat64())
		}
	}
	return out
}

func each(entries []semblance.VectorEntry) iter.Seq2[semblance.VectorEntry, error] {
	return func(yield func(semblance.VectorEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func replace(t *testing.T, x *qdrant.Index, space semblance.EngineSpec, c semblance.CollectionID, version int64, e []semblance.VectorEntry) {
	t.Helper()
	if err := x.Replace(t.Context(), space, c, version, each(e)); err != nil {
		t.Fatal(err)
	}
	holds(t, x, space, c, version, e)
}

// holds demands that a search finds all of e, and nothing else.
func holds(t *testing.T, x *qdrant.Index, space semblance.EngineSpec, c semblance.CollectionID, version int64, e []semblance.VectorEntry) {
	t.Helper()
	if got, err := x.Version(t.Context(), space, c); err != nil || got != version {
		t.Fatalf("version %d, %v; want %d", got, err, version)
	}
	got, err := x.Search(t.Context(), semblance.VectorQuery{Space: space, Collections: []semblance.CollectionID{c}, Vectors: [][]float32{e[0].Vector}, Subjects: len(e) + 10})
	if err != nil {
		t.Fatal(err)
	}
	want := map[semblance.ReferenceID]bool{}
	for _, e := range e {
		want[e.ID] = true
	}
	for _, n := range got[0] {
		if !want[n.ID] {
			t.Fatalf("%s is found and should not be", n.ID)
		}
	}
	if len(got[0]) != len(want) || got[0][0].ID != e[0].ID {
		t.Fatalf("%d found, the nearest %s; want %d, %s", len(got[0]), got[0][0].ID, len(want), e[0].ID)
	}
}

// down fails calls of methods from the n-th on, until Fail is called again.
func down(n int, methods ...string) func(string, int) error {
	return func(method string, call int) error {
		for _, m := range methods {
			if m == method && call >= n {
				return status.Error(codes.Internal, "Service internal error: disk on fire")
			}
		}
		return nil
	}
}

func TestInterruptedReplace(t *testing.T) {
	t.Parallel()
	cases := map[string]func(string, int) error{
		"an upload fails":                        down(2, "Upsert"),
		"an upload and the tidying fail":         func(m string, n int) error { return firstOf(down(2, "Upsert")(m, n), down(2, "Delete")(m, n)) },
		"the state cannot be written":            down(4, "Upsert"), // 600 entries are three uploads
		"the count fails, tidying too":           func(m string, n int) error { return firstOf(down(1, "Count")(m, n), down(2, "Delete")(m, n)) },
		"the old ones cannot be tidied at first": down(1, "Delete"),
	}
	for name, fault := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := qdranttest.New(t)
			x := open(t, s)
			old := entries(euclid, "old", 300)
			replace(t, x, euclid, "a", 1, old)
			next := entries(euclid, "new", 600)
			s.Fail(fault)
			err := x.Replace(t.Context(), euclid, "a", 2, each(next))
			if semblance.CodeOf(err) != semblance.Internal || !strings.Contains(err.Error(), s.Addr()) {
				t.Fatalf("error %v", err)
			}
			s.Fail(nil)
			holds(t, x, euclid, "a", 1, old)
			replace(t, x, euclid, "a", 2, next)
			if n := s.Points("coll", "a"); n != len(next)+1 { // and the state point
				t.Fatalf("%d points, want %d", n, len(next)+1)
			}
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestInterruptedAdd(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	old, more := entries(euclid, "old", 10), entries(euclid, "more", 600)
	replace(t, x, euclid, "a", 1, old)
	s.Fail(down(2, "Upsert"))
	if err := x.Update(t.Context(), euclid, "a", 2, semblance.VectorChange{Add: more}); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("error %v", err)
	}
	s.Fail(nil)
	if v, err := x.Version(t.Context(), euclid, "a"); v != 1 || err != nil {
		t.Fatalf("version %d, %v after an addition that broke off", v, err)
	}
	if err := x.Update(t.Context(), euclid, "a", 2, semblance.VectorChange{Add: more}); err != nil {
		t.Fatal(err)
	}
	holds(t, x, euclid, "a", 2, append(old, more...))
}

// A write that is only acknowledged may still fail. It is not taken for done.
func TestAcknowledgedIsNotDone(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	old := entries(euclid, "old", 10)
	replace(t, x, euclid, "a", 1, old)
	s.Lazy(true)
	if err := x.Replace(t.Context(), euclid, "a", 2, each(entries(euclid, "new", 5))); semblance.CodeOf(err) != semblance.Unavailable {
		t.Fatalf("error %v, want unavailable", err)
	}
	if err := x.Update(t.Context(), euclid, "a", 2, semblance.VectorChange{Add: entries(euclid, "new", 5)}); semblance.CodeOf(err) != semblance.Unavailable {
		t.Fatalf("error %v, want unavailable", err)
	}
	if err := x.Drop(t.Context(), "a"); semblance.CodeOf(err) != semblance.Unavailable {
		t.Fatalf("error %v, want unavailable", err)
	}
	s.Lazy(false)
	replace(t, x, euclid, "a", 3, old)
}

func TestBusyServerIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	s.Fail(func(_ string, n int) error {
		if n == 1 {
			return status.Error(codes.Unavailable, "restarting")
		}
		return nil
	})
	replace(t, x, euclid, "a", 1, entries(euclid, "a", 5))
}

// Somebody deletes in Qdrant what the state point says is there.
func TestLostPoints(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	e := entries(euclid, "a", 5)
	query := semblance.VectorQuery{Space: euclid, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{e[0].Vector}, Subjects: 1}
	replace(t, x, euclid, "a", 1, e)
	wipeVectors(t, s)
	if _, err := x.Search(t.Context(), query); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("a search without points gave %v", err)
	}
	if v, err := x.Version(t.Context(), euclid, "a"); v != 0 || err != nil {
		t.Fatalf("version %d, %v", v, err)
	}
	replace(t, x, euclid, "a", 1, e)
}

// References are removed between each two steps of a search: nothing was lost.
func TestRemovedWhileCounted(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	e := entries(euclid, "a", 9)
	replace(t, x, euclid, "a", 1, e)
	left, version, inside := e, int64(1), false
	s.Fail(func(method string, _ int) error {
		if inside || len(left) < 4 || method == "QueryBatch" {
			return nil
		}
		inside = true // by the removal's own calls
		defer func() { inside = false }()
		version++
		gone := left[0]
		left = left[1:]
		return x.Update(t.Context(), euclid, "a", version, semblance.VectorChange{Remove: []semblance.ReferenceID{gone.ID}})
	})
	query := semblance.VectorQuery{Space: euclid, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{e[0].Vector}, Subjects: 9}
	got, err := x.Search(t.Context(), query)
	if err != nil || len(got) != 1 || len(got[0]) != len(left) {
		t.Fatalf("found %v, %v; %d are left", got, err, len(left))
	}
	if s.Calls("Count") == int(version-1) {
		t.Fatal("no points were counted but by removals")
	}
	s.Fail(nil)
	holds(t, x, euclid, "a", version, left)
}

func TestDropProves(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	other, err := qdrant.Open(t.Context(), "qdrant://"+s.Addr()+"/other", qdrant.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	e := entries(euclid, "a", 300)
	second := euclid
	second.Version = 2
	replace(t, x, euclid, "a", 1, e)
	replace(t, x, second, "a", 1, e)
	replace(t, x, euclid, "b", 1, e[:7])
	replace(t, other, euclid, "a", 1, e[:9])
	if err := x.Drop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if n := s.Points("coll", "a"); n != 9+1 { // those of the other prefix
		t.Fatalf("%d points left, want 10", n)
	}
	holds(t, x, euclid, "b", 1, e[:7])
	holds(t, other, euclid, "a", 1, e[:9])
}

func TestSignalOfOtherVectors(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	replace(t, x, euclid, "a", 1, entries(euclid, "a", 2))
	changed := euclid
	changed.Dimensions = 16
	y := open(t, s)
	if err := y.Replace(t.Context(), changed, "b", 1, each(entries(changed, "b", 2))); semblance.CodeOf(err) != semblance.ModelMismatch {
		t.Fatalf("error %v, want model-mismatch", err)
	}
}

// Cosine vectors that nobody normalized would be stored as others.
func TestUnnormalized(t *testing.T) {
	t.Parallel()
	x := open(t, qdranttest.New(t))
	cosine := euclid
	cosine.Metric = semblance.Cosine
	v := make([]float32, cosine.Dimensions)
	v[0] = 1.01
	err := x.Update(t.Context(), cosine, "a", 1, semblance.VectorChange{Add: []semblance.VectorEntry{semblance.VectorEntry{ID: "a", Subject: "a", Vector: v}}})
	if semblance.CodeOf(err) != semblance.Invalid {
		t.Fatalf("error %v, want invalid", err)
	}
}

// An answer over grpc's default of 4 MiB arrives, and uploads of long vectors stay
// below 5 MB, which is what the test server takes.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	e := entries(euclid, "a", 5_000)
	for i := range e {
		e[i].Subject += strings.Repeat("x", 900)
	}
	replace(t, x, euclid, "a", 1, e)
	long := semblance.EngineSpec{Name: "long", Version: 1, Dimensions: 16_384, Metric: semblance.Euclid}
	replace(t, x, long, "a", 1, entries(long, "l", 150))
	s.Fail(nil)
	if err := x.Update(t.Context(), long, "a", 2, semblance.VectorChange{Add: entries(long, "m", 150)}); err != nil {
		t.Fatal(err)
	}
	if n := s.Calls("Upsert"); n != 4 { // 9.8 MB in three, and the state
		t.Fatalf("%d uploads, want 4", n)
	}
}

// More references than any first guess are equally far from the probe.
func TestManyTies(t *testing.T) {
	t.Parallel()
	x := open(t, qdranttest.New(t))
	e := entries(euclid, "a", 700)
	for i := range 500 {
		e[i].Vector = e[0].Vector
	}
	replace(t, x, euclid, "a", 1, e)
	for _, n := range []int{1, 3, 499, 501} {
		got, err := x.Search(t.Context(), semblance.VectorQuery{Space: euclid, Collections: []semblance.CollectionID{"a"}, Vectors: [][]float32{e[0].Vector}, Subjects: n})
		if err != nil || len(got[0]) != n {
			t.Fatalf("%d found, %v", len(got[0]), err)
		}
		for i := range min(n, 500) {
			if got[0][i].ID != e[i].ID {
				t.Fatalf("place %d of %d is %s, want %s", i, n, got[0][i].ID, e[i].ID)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	s := qdranttest.NewWithKey(t, "secret")
	x, err := qdrant.Open(t.Context(), "qdrant://"+s.Addr(), qdrant.Options{APIKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	refuses := func(code semblance.Code, contains, address string, o qdrant.Options) {
		t.Helper()
		x, err := qdrant.Open(t.Context(), address, o)
		if x != nil || semblance.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), contains) || semblance.HintOf(err) == "" {
			t.Errorf("%s: %v (%s), want %s and %q", address, err, semblance.CodeOf(err), code, contains)
		}
	}
	refuses(semblance.Unavailable, "refuses the API key", "qdrant://"+s.Addr(), qdrant.Options{APIKey: "wrong"})
	refuses(semblance.Invalid, "without encryption", "qdrant://qdrant.example", qdrant.Options{APIKey: "secret"})
	for _, a := range []string{"", "qdrant.example:6334", "http://qdrant.example", "qdrant://", "qdrant://:6334", "qdrant://key@qdrant.example", "qdrant://h:0", "qdrant://h:99999", "qdrant://h:x",
		"qdrant://h/Upper", "qdrant://h/a/b", "qdrant://h/a_b", "qdrant://h?tls=yes", "qdrant://h?api_key=1", "qdrant://h#x", "qdrant://h?tls=1&tls=1", "\x00"} {
		refuses(semblance.Invalid, "address of Qdrant is wrong", a, qdrant.Options{})
	}
	old := qdranttest.New(t)
	old.SetVersion("1.7.4")
	refuses(semblance.Unavailable, "version 1.7.4", "qdrant://"+old.Addr(), qdrant.Options{})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(semblance.Unavailable, "Qdrant at "+nobody+" does not answer", "qdrant://"+nobody, qdrant.Options{})
}

// The version is recorded, so that searches are right; that old points are left is
// an error all the same, because they were to be gone.
func TestTidyingFails(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x := open(t, s)
	replace(t, x, euclid, "a", 1, entries(euclid, "old", 10))
	next := entries(euclid, "new", 10)
	s.Fail(down(2, "Delete"))
	if err := x.Replace(t.Context(), euclid, "a", 2, each(next)); semblance.CodeOf(err) != semblance.Internal {
		t.Fatalf("error %v", err)
	}
	s.Fail(nil)
	holds(t, x, euclid, "a", 2, next)
	replace(t, x, euclid, "a", 3, next[:4])
	if n := s.Points("coll", "a"); n != 4+1 {
		t.Fatalf("%d points, want 5", n)
	}
}

// Two machines replace a collection at once: the one that is overtaken says so, and
// what is held is the other's, whole.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	s := qdranttest.New(t)
	x, y := open(t, s), open(t, s)
	slow, quick := entries(euclid, "slow", 600), entries(euclid, "quick", 20)
	err := x.Replace(t.Context(), euclid, "a", 1, func(yield func(semblance.VectorEntry, error) bool) {
		for i, e := range slow {
			if i == 400 {
				replace(t, y, euclid, "a", 2, quick)
			}
			if !yield(e, nil) {
				return
			}
		}
	})
	if semblance.CodeOf(err) != semblance.Conflict {
		t.Fatalf("error %v, want conflict", err)
	}
	holds(t, x, euclid, "a", 2, quick)
}
