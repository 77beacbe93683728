package store_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/index"
	"semblance/store"
)

// A groupRig is an Engine over a store, with cases and exhibits to scan into.
type groupRig struct {
	testing.TB
	dir    string
	store  *store.Store
	engine *semblance.Engine
	now    time.Time
}

func newGroupRig(t testing.TB) *groupRig {
	t.Helper()
	r := &groupRig{TB: t, dir: t.TempDir(), now: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)}
	s, err := store.Open(t.Context(), r.dir, store.Options{Now: func() time.Time { r.now = r.now.Add(time.Second); return r.now }})
	check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	r.store = s
	r.engine = semblance.New(semblance.Parts{Cases: s, Groupings: s, Groups: s, Audit: s, Vectors: index.NewFlat()})
	return r
}

var examiner = semblance.Actor{Name: "kim@lab", Via: "cli"}

// person is an embedding of a made-up person: pictures of one are 0.1 apart, persons
// about 1.
func person(name string, picture int) []float32 {
	own := rand.New(rand.NewPCG(hash(name), 1))
	r := rand.New(rand.NewPCG(hash(name), uint64(picture)+100))
	v := make([]float32, 192)
	sum := 0.0
	for i := range v {
		x := own.NormFloat64() + r.NormFloat64()/3
		v[i] = float32(x)
		sum += x * x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

func hash(name string) (h uint64) {
	s := sum(name)
	for _, b := range s[:8] {
		h = h<<8 | uint64(b)
	}
	return h
}

// faceOf is a face of good quality at a place of its own in the picture.
func faceOf(at int, embedding []float32) semblance.Face {
	return semblance.Face{Box: semblance.Box{X: float32(100 * at), Y: 10, W: 80, H: 90}, Score: 0.9, Quality: 80, Embedding: embedding}
}

func faceSet(faces ...semblance.Face) semblance.FaceSet {
	return semblance.FaceSet{Engine: semblance.YuNetMobileFaceNet, Version: spec().Version, Faces: faces}
}

func spec() semblance.EngineSpec { return semblance.Engines()[0] }

// scan records a picture with faces.
func (r *groupRig) scan(e semblance.Exhibit, name string, set semblance.FaceSet) {
	r.Helper()
	rec := record(e.Label+"/"+name, name)
	rec.Media.Analysis = &semblance.Analysis{Type: "image/jpeg", Decoder: "d", FaceSets: []semblance.FaceSet{set}}
	commit(r, r.store, e, nil, rec)
}

func (r *groupRig) exhibit(number, label string) semblance.Exhibit {
	r.Helper()
	c, err := r.store.Case(r.Context(), number)
	if err != nil {
		c = makeCase(r, r.store, number)
	}
	return makeExhibit(r, r.store, c, label)
}

func (r *groupRig) run(q semblance.GroupRequest) semblance.GroupResult {
	r.Helper()
	return must(r.engine.GroupFaces(r.Context(), examiner, q))(r)
}

func cases(numbers ...string) semblance.GroupRequest {
	return semblance.GroupRequest{Cases: numbers}
}

// partition is the groups as sets of names, "picture:face", in a fixed order.
func (r *groupRig) partition(q semblance.GroupRequest, names map[semblance.SHA256]string) []string {
	r.Helper()
	_, groups, err := r.engine.ListGroups(r.Context(), examiner, q, semblance.GroupFilter{Limit: 10000})
	check(r, err)
	var out []string
	for _, g := range groups {
		full, _ := r.show(g.ID)
		var set []string
		for _, m := range full.Members {
			name := names[m.Media]
			if name == "" {
				name = hex.EncodeToString(m.Media[:4])
			}
			set = append(set, fmt.Sprintf("%s:%d", name, m.Face))
		}
		slices.Sort(set)
		out = append(out, strings.Join(set, " "))
	}
	slices.Sort(out)
	return out
}

func (r *groupRig) show(id semblance.GroupID) (semblance.FaceGroup, []semblance.NearGroups) {
	r.Helper()
	v := must(r.engine.ShowGroup(r.Context(), examiner, id))(r)
	return v.Group, v.Near
}

// groupWith is the group that has a face of a picture.
func (r *groupRig) groupWith(q semblance.GroupRequest, picture string, face int) semblance.FaceGroup {
	r.Helper()
	_, groups, err := r.engine.ListGroups(r.Context(), examiner, q, semblance.GroupFilter{Limit: 10000})
	check(r, err)
	for _, g := range groups {
		full, _ := r.show(g.ID)
		if slices.ContainsFunc(full.Members, func(m semblance.GroupFace) bool { return m.Media == sum(picture) && m.Face == face }) {
			return full
		}
	}
	r.Fatalf("no group has face %d of %s", face, picture)
	return semblance.FaceGroup{}
}

func namesOf(pictures ...string) map[semblance.SHA256]string {
	out := map[semblance.SHA256]string{}
	for _, p := range pictures {
		out[sum(p)] = p
	}
	return out
}

func ref(picture string, face int) string {
	return semblance.FaceRef{Media: sum(picture), Face: face}.String()
}

// TestGroupsOfTwoCases tells the whole story once: one boy on three devices of two
// cases, his sister beside him in one picture, a stranger.
func TestGroupsOfTwoCases(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	phone, laptop, other := r.exhibit("A", "phone"), r.exhibit("A", "laptop"), r.exhibit("B", "card")
	both := faceSet(faceOf(0, person("boy", 1)), faceOf(1, person("sister", 1)))
	r.scan(phone, "p1", both)
	r.scan(laptop, "p1", both) // a copy: one face seen in two places
	r.scan(laptop, "p2", faceSet(faceOf(0, person("boy", 2))))
	r.scan(other, "p3", faceSet(faceOf(0, person("boy", 3)), faceOf(1, person("stranger", 1))))
	names := namesOf("p1", "p2", "p3")
	res := r.run(cases("A"))
	equal(t, "faces of case A", []int{res.Media, res.Faces, res.Formed, res.Alone}, []int{2, 3, 1, 1})
	equal(t, "groups of case A", r.partition(cases("A"), names), []string{"p1:0 p2:0", "p1:1"})
	if _, err := r.store.Grouping(t.Context(), semblance.GroupScope{Engine: spec(), All: true}); semblance.CodeOf(err) != semblance.NotFound {
		t.Errorf("a grouping that nobody made: %v", err)
	}
	r.run(semblance.GroupRequest{Cases: []string{"B", "A", "A"}})
	equal(t, "groups of both", r.partition(cases("A", "B"), names), []string{"p1:0 p2:0 p3:0", "p1:1", "p3:1"})
	_, list, err := r.engine.ListGroups(t.Context(), examiner, cases("A", "B"), semblance.GroupFilter{CrossCase: true})
	check(t, err)
	if len(list) != 1 || list[0].Faces != 3 || list[0].Exhibits != 3 || list[0].Cases != 2 {
		t.Fatalf("groups of several cases: %+v", list)
	}
	g, _ := r.show(list[0].ID)
	for _, m := range g.Members {
		if m.Distance == nil || *m.Distance <= 0 || *m.Distance > 0.35 {
			t.Errorf("face %s is %v from the others", m.FaceRef, m.Distance)
		}
		if m.Media == sum("p1") && len(m.Seen) != 2 {
			t.Errorf("a face on two devices was seen at %v", m.Seen)
		}
	}
	equal(t, "case A by itself", r.partition(cases("A"), names), []string{"p1:0 p2:0", "p1:1"})
	events := must(r.store.AuditEvents(t.Context(), 0, 0))(t)
	last := events[slices.IndexFunc(events, func(e semblance.AuditEvent) bool { return e.Action == "group.run" && e.Case == "" })]
	if text := fmt.Sprint(last.Detail["cases"]); !strings.Contains(text, "case:A") || !strings.Contains(text, "case:B") || !strings.Contains(text, "purpose:test") {
		t.Errorf("the run is audited as %v", last)
	}
}

// TestGroupsOfAVideo: faces that are seen at one time of a video are of two persons, also
// where they stand in different frames; and one person comes again.
func TestGroupsOfAVideo(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	phone, laptop := r.exhibit("A", "phone"), r.exhibit("A", "laptop")
	seen := func(frame int, from, until float64, embedding []float32) semblance.Face {
		f := faceOf(frame, embedding)
		f.Frame, f.Appearance = frame, &semblance.Appearance{Second: from, From: from, Until: until, Frames: 2}
		return f
	}
	// Twins: their embeddings say that they are one.
	r.scan(phone, "v", faceSet(seen(0, 0, 3, person("twin", 1)), seen(10, 2, 5, person("twin", 2)), seen(50, 6, 7, person("twin", 1))))
	r.run(cases("A"))
	names := namesOf("v", "p")
	equal(t, "groups", r.partition(cases("A"), names), []string{"v:0 v:2", "v:1"})
	r.scan(laptop, "p", faceSet(faceOf(0, person("twin", 2))))
	r.run(cases("A"))
	g := r.groupWith(cases("A"), "v", 1)
	other := r.groupWith(cases("A"), "v", 0)
	if g.ID == other.ID {
		t.Fatalf("a picture brought two faces of one moment together: %+v", g)
	}
	if g.Members[0].Appearance == nil && len(g.Members) == 1 {
		t.Errorf("%+v", g.Members)
	}
	if _, err := r.engine.MergeGroups(t.Context(), examiner, g.ID, other.ID, false); semblance.CodeOf(err) != semblance.Conflict {
		t.Errorf("two faces of one moment were merged: %v", err)
	}
}

// TestGroupsDoNotDependOnOrder: the same pictures in another order, in other exhibits,
// give the same groups, and so does a batch that is added to them.
func TestGroupsDoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	var first, want []string
	for seed := range uint64(4) {
		r := newGroupRig(t)
		exhibits := []semblance.Exhibit{r.exhibit("A", "1"), r.exhibit("A", "2")}
		rnd := rand.New(rand.NewPCG(seed, 3))
		order := slices.Concat(rnd.Perm(40), shifted(rnd.Perm(20), 40)) // the last 20 are a batch of their own
		for n, i := range order {
			if n == 40 {
				r.run(cases("A"))
				got := r.partition(cases("A"), nil)
				if first == nil {
					first = got
				}
				equal(t, fmt.Sprintf("first groups in order %d", seed), got, first)
			}
			f := faceOf(0, blend(person(fmt.Sprint(i%13), i), person(fmt.Sprint((i+1)%13), i), 0.35)) // near enough to be doubtful
			if i%7 == 0 {
				f.Quality = 30
			}
			r.scan(exhibits[rnd.IntN(2)], fmt.Sprint(i), faceSet(f))
		}
		r.run(cases("A"))
		got := r.partition(cases("A"), nil)
		if want == nil {
			want = got
		}
		equal(t, fmt.Sprintf("groups in order %d", seed), got, want)
	}
	if len(want) < 5 || len(want) > 40 {
		t.Errorf("%d groups: the test has nothing to get wrong", len(want))
	}
}

func shifted(list []int, by int) []int {
	for i := range list {
		list[i] += by
	}
	return list
}

func blend(a, b []float32, part float64) []float32 {
	v := make([]float32, len(a))
	sum := 0.0
	for i := range v {
		x := (1-part)*float64(a[i]) + part*float64(b[i])
		v[i] = float32(x)
		sum += x * x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// TestLaterRunsAdd: what exists is never taken apart or joined, new media are looked at
// once, and a batch gives the same whatever its order.
func TestLaterRunsAdd(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	a, b := person("x", 1), blend(person("x", 1), person("y", 1), 0.585)
	r.scan(e, "a", faceSet(faceOf(0, a)))
	r.scan(e, "b", faceSet(faceOf(0, b)))
	r.run(cases("A"))
	before := r.partition(cases("A"), namesOf("a", "b"))
	equal(t, "two persons", before, []string{"a:0", "b:0"})
	r.scan(e, "c", faceSet(faceOf(0, blend(a, b, 0.5)))) // would bridge them
	res := r.run(cases("A"))
	equal(t, "looked at", []int{res.Media, res.Faces, res.Joined}, []int{1, 1, 1})
	after := r.partition(cases("A"), namesOf("a", "b", "c"))
	if len(after) != 2 {
		t.Errorf("groups %v, want the two with the new face in one", after)
	}
	_, near, err := r.engine.NearGroups(t.Context(), examiner, cases("A"), 0)
	check(t, err)
	if len(near) != 1 {
		t.Errorf("suggestions %v, want the two groups", near)
	}
	if res := r.run(cases("A")); res.Media != 0 || res.Faces != 0 || res.Formed != 0 {
		t.Errorf("a run without anything new did %+v", res)
	}
	equal(t, "groups after a run with nothing new", r.partition(cases("A"), namesOf("a", "b", "c")), after)
}

// TestPoorFacesDoNotBridge: a poor face between two persons joins one of them; poor
// faces alone form nothing, and one that was alone joins a person who turns up.
func TestPoorFacesDoNotBridge(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	poor := func(v []float32) semblance.Face { f := faceOf(0, v); f.Quality = 25; return f }
	x, y := person("x", 1), blend(person("x", 1), person("y", 1), 0.585)
	r.scan(e, "x", faceSet(faceOf(0, x)))
	r.scan(e, "y", faceSet(faceOf(0, y)))
	r.scan(e, "between", faceSet(poor(blend(x, y, 0.5))))
	r.scan(e, "z1", faceSet(poor(person("z", 1))))
	r.scan(e, "z2", faceSet(poor(person("z", 2))))
	names := namesOf("x", "y", "between", "z1", "z2", "z3")
	r.run(cases("A"))
	got := r.partition(cases("A"), names)
	if len(got) != 4 || !slices.Contains(got, "z1:0") || !slices.Contains(got, "z2:0") || slices.Contains(got, "between:0") {
		t.Errorf("groups %v, want the poor face with x or y, and two that are alone", got)
	}
	r.scan(e, "z3", faceSet(faceOf(0, person("z", 3))))
	r.run(cases("A"))
	if got := r.partition(cases("A"), names); !slices.Contains(got, "z1:0 z2:0 z3:0") {
		t.Errorf("groups %v, want z1 and z2 with z3", got)
	}
	if g := r.groupWith(cases("A"), "z3", 0); g.Poor != 2 {
		t.Errorf("%d poor faces in %+v", g.Poor, g)
	}
}

// TestCrowd: a picture of 400 faces gives 400 groups, even if all are alike, and a second
// picture of the same persons puts each with itself.
func TestCrowd(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	var first, second []semblance.Face
	for i := range 400 {
		first = append(first, faceOf(i, person(fmt.Sprint(i/4), i)))   // four of each look alike
		second = append(second, faceOf(i, person(fmt.Sprint(i/4), i))) // the same again
	}
	r.scan(e, "p", faceSet(first...))
	r.scan(e, "q", faceSet(second...))
	r.run(cases("A"))
	got := r.partition(cases("A"), namesOf("p", "q"))
	if len(got) != 400 {
		t.Fatalf("%d groups, want 400", len(got))
	}
	for i := range 400 {
		if want := fmt.Sprintf("p:%d q:%d", i, i); !slices.Contains(got, want) {
			t.Errorf("no group %q", want)
		}
	}
}

// TestEditsByHandWin: merges, splits, moves and names survive later runs, beginning
// again included, and each can be undone.
func TestEditsByHandWin(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	for i := range 4 {
		r.scan(e, fmt.Sprint("x", i), faceSet(faceOf(0, person("x", i))))
	}
	r.scan(e, "y", faceSet(faceOf(0, person("y", 1))))
	r.scan(e, "w", faceSet(faceOf(0, person("w", 1))))
	names := namesOf("x0", "x1", "x2", "x3", "x4", "y", "w")
	r.run(cases("A"))
	begin := []string{"w:0", "x0:0 x1:0 x2:0 x3:0", "y:0"}
	equal(t, "before", r.partition(cases("A"), names), begin)

	x, y := r.groupWith(cases("A"), "x0", 0).ID, r.groupWith(cases("A"), "y", 0).ID
	named := must(r.engine.NameGroup(t.Context(), examiner, y, "Y", "seen in Z"))(t)
	merge := must(r.engine.MergeGroups(t.Context(), examiner, x, y, false))(t)
	split := must(r.engine.SplitGroup(t.Context(), examiner, x, []string{ref("x0", 0), ref("x1", 0)[:12] + ":0"}))(t)
	edited := []string{"w:0", "x0:0 x1:0", "x2:0 x3:0 y:0"}
	equal(t, "edited", r.partition(cases("A"), names), edited)
	if _, near := r.show(x); len(near) != 1 || near[0].B != split.To {
		t.Errorf("near %v, want the group that was split off", near)
	}
	r.run(cases("A"))
	equal(t, "after a run", r.partition(cases("A"), names), edited)
	r.run(semblance.GroupRequest{Cases: []string{"A"}, Fresh: true})
	equal(t, "after beginning again", r.partition(cases("A"), names), edited)
	if _, near, err := r.engine.NearGroups(t.Context(), examiner, cases("A"), 0); err != nil || len(near) != 0 {
		t.Errorf("what was taken apart is suggested: %v, %v", near, err)
	}

	_, err := r.engine.UndoGroupEdit(t.Context(), examiner, merge.ID)
	if e := refused(t, err, semblance.Conflict); !strings.Contains(e.Hint, string(split.ID)) {
		t.Errorf("hint %q, want the edit that rests on it", e.Hint)
	}
	_, err = r.engine.UndoGroupEdit(t.Context(), examiner, named.ID)
	refused(t, err, semblance.Conflict)
	must(r.engine.UndoGroupEdit(t.Context(), examiner, split.ID))(t)
	must(r.engine.UndoGroupEdit(t.Context(), examiner, merge.ID))(t)
	equal(t, "undone", r.partition(cases("A"), names), begin)
	if g, _ := r.show(y); g.Name != "Y" || g.Note != "seen in Z" || !g.Edited {
		t.Errorf("the merged group came back as %+v", g)
	}
	must(r.engine.UndoGroupEdit(t.Context(), examiner, named.ID))(t)
	if g, _ := r.show(y); g.Name != "" || g.Edited {
		t.Errorf("the name is still there: %+v", g)
	}
	_, err = r.engine.UndoGroupEdit(t.Context(), examiner, named.ID)
	refused(t, err, semblance.Conflict)
	_, edits, err := r.engine.GroupEdits(t.Context(), examiner, cases("A"))
	check(t, err)
	if len(edits) != 3 || edits[2].Undone == nil || edits[2].Actor != examiner || len(edits[2].Faces) != 2 {
		t.Errorf("history %+v", edits)
	}
	if v := must(r.store.VerifyAudit(t.Context()))(t); !v.OK {
		t.Errorf("the audit chain: %+v", v)
	}
}

// TestUndoLeavesWhatRunsAdded: a face that joined after a merge stays where it joined.
func TestUndoLeavesWhatRunsAdded(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	r.scan(e, "x1", faceSet(faceOf(0, person("x", 1))))
	r.scan(e, "y1", faceSet(faceOf(0, person("y", 1))))
	names := namesOf("x1", "x2", "y1")
	r.run(cases("A"))
	x, y := r.groupWith(cases("A"), "x1", 0).ID, r.groupWith(cases("A"), "y1", 0).ID
	move := must(r.engine.MergeGroups(t.Context(), examiner, y, x, false))(t)
	r.scan(e, "x2", faceSet(faceOf(0, blend(person("x", 2), person("y", 1), 0.5)))) // near what is now one group
	r.run(cases("A"))
	equal(t, "merged", r.partition(cases("A"), names), []string{"x1:0 x2:0 y1:0"})
	must(r.engine.UndoGroupEdit(t.Context(), examiner, move.ID))(t)
	equal(t, "undone", r.partition(cases("A"), names), []string{"x1:0", "x2:0 y1:0"})
}

func TestEditsThatCannotBe(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	r.scan(e, "p", faceSet(faceOf(0, person("x", 1)), faceOf(1, person("y", 1))))
	r.scan(e, "q", faceSet(faceOf(0, person("x", 2))))
	r.scan(r.exhibit("B", "1"), "b", faceSet(faceOf(0, person("x", 3))))
	r.run(cases("A"))
	r.run(cases("B"))
	x, y, b := r.groupWith(cases("A"), "p", 0).ID, r.groupWith(cases("A"), "p", 1).ID, r.groupWith(cases("B"), "b", 0).ID
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		do   func() (semblance.GroupEdit, error)
		code semblance.Code
		says string
	}{
		{"a group with itself", func() (semblance.GroupEdit, error) { return r.engine.MergeGroups(ctx, examiner, x, x, false) }, semblance.Invalid, "itself"},
		{"two faces of one picture", func() (semblance.GroupEdit, error) { return r.engine.MergeGroups(ctx, examiner, x, y, false) }, semblance.Conflict, "one picture"},
		{"groups of two cases", func() (semblance.GroupEdit, error) { return r.engine.MergeGroups(ctx, examiner, x, b, false) }, semblance.Invalid, "different cases"},
		{"no such group", func() (semblance.GroupEdit, error) { return r.engine.MergeGroups(ctx, examiner, x, "g999", false) }, semblance.NotFound, "g999"},
		{"an id of nothing", func() (semblance.GroupEdit, error) { return r.engine.MergeGroups(ctx, examiner, "g1 OR 1", x, false) }, semblance.NotFound, "no group"},
		{"all faces away", func() (semblance.GroupEdit, error) {
			return r.engine.SplitGroup(ctx, examiner, x, []string{ref("p", 0), ref("q", 0)})
		}, semblance.Invalid, "nothing would be left"},
		{"no face", func() (semblance.GroupEdit, error) { return r.engine.SplitGroup(ctx, examiner, x, nil) }, semblance.Invalid, "no face was named"},
		{"a face of another group", func() (semblance.GroupEdit, error) {
			return r.engine.SplitGroup(ctx, examiner, x, []string{ref("p", 1)})
		}, semblance.Invalid, "not in group"},
		{"a face that is none", func() (semblance.GroupEdit, error) { return r.engine.SplitGroup(ctx, examiner, x, []string{"left"}) }, semblance.Invalid, "does not name a face"},
		{"a move to where they are", func() (semblance.GroupEdit, error) {
			return r.engine.MoveFaces(ctx, examiner, x, x, []string{ref("p", 0)}, false)
		}, semblance.Invalid, "already"},
		{"an undo of nothing", func() (semblance.GroupEdit, error) { return r.engine.UndoGroupEdit(ctx, examiner, "e9") }, semblance.NotFound, "no edit"},
	} {
		_, err := tt.do()
		if e := refused(t, err, tt.code); !strings.Contains(e.Msg, tt.says) {
			t.Errorf("%s: %q, want %q in it", tt.name, e.Msg, tt.says)
		}
	}
	names := namesOf("p", "q")
	equal(t, "nothing changed", r.partition(cases("A"), names), []string{"p:0 q:0", "p:1"})
	must(r.engine.MergeGroups(ctx, examiner, x, y, true))(t)
	r.run(semblance.GroupRequest{Cases: []string{"A"}, Fresh: true})
	equal(t, "a collage, merged anyway", r.partition(cases("A"), names), []string{"p:0 p:1 q:0"})
}

func TestWhatCannotBeGrouped(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e, old := r.exhibit("A", "1"), r.exhibit("OLD", "1")
	_, err := r.engine.GroupFaces(t.Context(), examiner, semblance.GroupRequest{})
	refused(t, err, semblance.Invalid)
	_, err = r.engine.GroupFaces(t.Context(), examiner, semblance.GroupRequest{Cases: []string{"A"}, All: true})
	refused(t, err, semblance.Invalid)
	_, err = r.engine.GroupFaces(t.Context(), examiner, cases("none"))
	refused(t, err, semblance.NotFound)
	_, _, err = r.engine.ListGroups(t.Context(), examiner, cases("A"), semblance.GroupFilter{})
	refused(t, err, semblance.NotFound)
	if res := r.run(cases("A")); res.Media+res.Faces != 0 {
		t.Errorf("a case without faces: %+v", res)
	}
	zero, nan := make([]float32, 192), make([]float32, 192)
	nan[3] = float32(math.NaN())
	tiny := faceOf(2, person("t", 1))
	tiny.Quality = 5
	long := person("l", 1)
	for i := range long {
		long[i] *= 1.0002 // nobody normalized it
	}
	r.scan(e, "odd", faceSet(faceOf(0, zero), faceOf(1, nan), tiny, faceOf(3, person("x", 1)), faceOf(4, long)))
	r.scan(e, "empty", faceSet())
	newer := faceSet(faceOf(0, person("x", 2)))
	newer.Version++
	r.scan(old, "version", newer)
	other := faceSet(faceOf(0, person("x", 2)))
	other.Engine = semblance.YuNetDlib
	r.scan(old, "engine", other)
	res := r.run(cases("A", "OLD"))
	equal(t, "one face", []int{res.Media, res.Faces, res.Alone}, []int{2, 1, 1})
	var said []string
	for _, x := range res.LeftOut {
		said = append(said, fmt.Sprintf("%s %d %d %.30s", x.Case, x.Media, x.Faces, x.Reason))
	}
	slices.Sort(said)
	equal(t, "left out", said, []string{" 0 1 too poor to be compared: their", " 0 3 their embedding is zero, not f",
		"OLD 1 0 no faces were looked for with ", fmt.Sprintf("OLD 1 1 %.30s", fmt.Sprintf("examined with version %d of engine", newer.Version))})
	_, err = r.engine.GroupFaces(t.Context(), examiner, semblance.GroupRequest{Cases: []string{"A", "OLD"}, Distance: 0.2})
	refused(t, err, semblance.Conflict)
	_, err = r.engine.GroupFaces(t.Context(), examiner, semblance.GroupRequest{Cases: []string{"A"}, Distance: math.NaN()})
	refused(t, err, semblance.Invalid)
	if res := r.run(semblance.GroupRequest{Cases: []string{"A", "OLD"}, Distance: 0.2, Fresh: true}); res.Grouping.Distance != 0.2 {
		t.Errorf("begun again at %v", res.Grouping.Distance)
	}
}

// TestExaminedAgain: when a media is examined anew and its faces change places, groups
// and edits follow them; what is no longer found leaves.
func TestExaminedAgain(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	e := r.exhibit("A", "1")
	r.scan(e, "p", faceSet(faceOf(0, person("x", 1)), faceOf(1, person("y", 1))))
	r.scan(e, "q", faceSet(faceOf(0, person("y", 2))))
	r.run(cases("A"))
	x := r.groupWith(cases("A"), "p", 0).ID
	must(r.engine.NameGroup(t.Context(), examiner, x, "X", ""))(t)
	shifted := faceOf(0, person("x", 3))
	shifted.Box.X += 5
	r.scan(e, "p", faceSet(faceOf(4, person("z", 1)), faceOf(1, person("y", 1)), shifted))
	if got := r.partition(cases("A"), namesOf("p", "q")); !slices.Equal(got, []string{"q:0"}) {
		t.Errorf("before a run, groups show %v: faces that are not there any more", got)
	}
	res := r.run(cases("A"))
	equal(t, "new and gone", []int{res.Media, res.Faces, res.Gone}, []int{1, 1, 0})
	equal(t, "found again", r.partition(cases("A"), namesOf("p", "q")), []string{"p:0", "p:1 q:0", "p:2"})
	if g := r.groupWith(cases("A"), "p", 2); g.ID != x || g.Name != "X" {
		t.Errorf("the named face is now in %+v", g)
	}
	r.scan(e, "p", faceSet())
	if res := r.run(cases("A")); res.Gone != 3 {
		t.Errorf("%d faces gone, want 3", res.Gone)
	}
	equal(t, "left", r.partition(cases("A"), namesOf("p", "q")), []string{"q:0"})
}

// TestErasureLeavesNothing: the rows of a case are removed as an erasure will, and no
// face, sum or group of them is left.
func TestErasureLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	a, b := r.exhibit("A", "1"), r.exhibit("B", "1")
	r.scan(a, "a1", faceSet(faceOf(0, person("x", 1))))
	r.scan(b, "b1", faceSet(faceOf(0, person("x", 2)), faceOf(1, person("y", 1))))
	r.scan(a, "both", faceSet(faceOf(0, person("x", 3))))
	r.scan(b, "both", faceSet(faceOf(0, person("x", 3))))
	names := namesOf("a1", "b1", "both")
	r.run(cases("A", "B"))
	equal(t, "before", r.partition(cases("A", "B"), names), []string{"a1:0 b1:0 both:0", "b1:1"})
	must(r.engine.SplitGroup(t.Context(), examiner, r.groupWith(cases("A", "B"), "b1", 0).ID, []string{ref("b1", 0)}))(t)
	check(t, r.store.Close())
	raw(t, r.dir, `PRAGMA foreign_keys = 1;
		DELETE FROM items WHERE exhibit_key = (SELECT key FROM exhibits WHERE case_key = (SELECT key FROM cases WHERE number = 'B'));`)
	db := must(store.RawDB(r.dir + "/" + store.DataFile))(t)
	defer db.Close()
	var left string
	check(t, db.QueryRow(`SELECT (SELECT count(*) FROM group_faces) || ' faces ' || (SELECT count(*) FROM face_groups) || ' groups ' || (SELECT count(*) FROM group_moves) || ' moves ' ||
		(SELECT count(*) FROM group_faces WHERE hex(media) = ?) || ' of it'`, strings.ToUpper(sum("b1").String())).Scan(&left))
	if left != "2 faces 1 groups 0 moves 0 of it" {
		t.Errorf("left: %s", left)
	}
}

// TestRunsAtOnce: of two runs on the same groups one is told to run again.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	r := newGroupRig(t)
	r.scan(r.exhibit("A", "1"), "p", faceSet(faceOf(0, person("x", 1))))
	scope := semblance.GroupScope{Engine: spec(), Cases: must(r.store.Cases(t.Context()))(t)}
	in := must(r.store.Ungrouped(t.Context(), scope, false))(t)
	r.run(cases("A"))
	_, err := r.store.SaveGroups(t.Context(), semblance.GroupRun{Scope: scope, Grouping: in.Grouping}, event("group.run"))
	refused(t, err, semblance.Conflict)
}
