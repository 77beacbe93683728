package semblance_test

import (
	"errors"
	"strings"
	"testing"

	"semblance"
)

// ownSpec is an agency's own engine of 3 dimensions.
func ownSpec(fingerprint string, version int) semblance.EngineSpec {
	return semblance.EngineSpec{Name: "agency", Version: version, Dimensions: 512, Metric: semblance.Cosine, Distance: 0.6, Limits: "Own limits.", Fingerprint: fingerprint}
}

func setOf(specs ...semblance.EngineSpec) semblance.EngineSet {
	var own []semblance.OwnEngine
	for _, s := range specs {
		own = append(own, semblance.OwnEngine{Spec: s})
	}
	return semblance.NewEngineSet(own...)
}

func TestAnEngineSetKnowsOwnEnginesBesideThoseBuiltIn(t *testing.T) {
	t.Parallel()
	set := setOf(ownSpec("aa", 3))
	if all := set.All(); all[0].Name != semblance.DefaultEngine || all[len(all)-1].Signal() != "face/agency-3" {
		t.Errorf("%+v", all)
	}
	if s, err := set.ByName("agency"); err != nil || !s.Own() || set.Limits("agency") != "Own limits." {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := set.ByName(""); err != nil || s.Name != semblance.DefaultEngine || s.Own() {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := set.ByName("agncy"); !errors.Is(err, semblance.Invalid) || !strings.Contains(semblance.HintOf(err), "yunet-dlib, ") || !strings.Contains(semblance.HintOf(err), "agency") {
		t.Errorf("%v, %q", err, semblance.HintOf(err))
	}
	if got := set.Limits("gone"); got != semblance.CommonLimits {
		t.Errorf("an engine that is gone has limits %q", got)
	}
	broken := semblance.NewEngineSet(semblance.OwnEngine{Spec: semblance.EngineSpec{Name: "agency"}, Err: semblance.Errorf(semblance.Unavailable, "its manifest lies")})
	if _, err := broken.ByName("agency"); !errors.Is(err, semblance.Unavailable) || len(broken.Unusable()) != 1 || len(broken.All()) != len(semblance.Engines()) {
		t.Errorf("%v, %v", err, broken.Unusable())
	}
}

func TestNoOwnEngineTakesTheNameOfAnother(t *testing.T) {
	t.Parallel()
	taken := ownSpec("aa", 1)
	taken.Name = semblance.YuNetDlib
	set := setOf(taken, ownSpec("aa", 1), ownSpec("bb", 1))
	if s, err := set.ByName(semblance.YuNetDlib); err != nil || s.Own() {
		t.Errorf("an own engine stands in for one that is built in: %+v, %v", s, err)
	}
	if _, err := set.ByName("agency"); !errors.Is(err, semblance.Unavailable) {
		t.Errorf("one of two of a name is used: %v", err)
	}
	if n := len(set.Unusable()); n != 3 {
		t.Errorf("%d are called unusable", n)
	}
}

// with gives the rig another set of engines, as a program that is started again
// would have.
func (r *rig) with(set semblance.EngineSet) {
	parts := r.Parts
	parts.Engines, parts.Pins = set, r.store
	r.Engine = semblance.New(parts)
	r.analyzer.engines = set
}

func TestACollectionKeepsItsOwnEngine(t *testing.T) {
	r := newRig(t)
	first := ownSpec("aa", 1)
	r.with(setOf(first))
	c := r.collection("persons", semblance.Faces, func(c *semblance.Collection) { c.Engine = "agency" })
	if c.EngineVersion != 1 || c.FaceDistance != 0.6 {
		t.Errorf("%+v", c)
	}
	portrait := picture{Faces: [][]float32{{1, 0}}}.bytes(t)
	enroll := func() error {
		_, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "persons", Subject: "A", Source: "a.jpg", File: r.file(portrait)})
		return err
	}
	search := func() (semblance.SearchResult, error) {
		return r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"persons"}, File: r.file(portrait)})
	}
	if err := enroll(); err != nil {
		t.Fatal(err)
	}
	if x, err := search(); err != nil || len(x.Request.Candidates) != 1 || x.Limits != "Own limits." {
		t.Fatalf("%+v, %v", x, err)
	}
	for story, k := range map[string]struct {
		set  semblance.EngineSet
		code semblance.Code
		hint string
	}{
		"its folder is gone":           {semblance.EngineSet{}, semblance.Unavailable, "Put its bundle back"},
		"its network is another":       {setOf(ownSpec("bb", 1)), semblance.ModelMismatch, "Put the former bundle back"},
		"its version was raised":       {setOf(ownSpec("bb", 2)), semblance.ModelMismatch, "reenroll"},
		"its manifest cannot be read":  {semblance.NewEngineSet(semblance.OwnEngine{Spec: semblance.EngineSpec{Name: "agency"}, Err: semblance.Errorf(semblance.Unavailable, "x").WithHint("Mend it.")}), semblance.Unavailable, "Mend it."},
		"two bundles claim to be this": {setOf(first, first), semblance.Unavailable, "Rename one"},
	} {
		r.with(k.set)
		_, err := search()
		if !errors.Is(err, k.code) || !strings.Contains(semblance.HintOf(err), k.hint) {
			t.Errorf("%s, search: %v, hint %q; want %s, %q", story, err, semblance.HintOf(err), k.code, k.hint)
		}
		if err := enroll(); !errors.Is(err, k.code) {
			t.Errorf("%s, enroll: %v; want %s", story, err, k.code)
		}
	}
	r.with(setOf(first))
	if x, err := search(); err != nil || len(x.Request.Candidates) != 1 {
		t.Errorf("with its bundle back nothing is lost: %+v, %v", x, err)
	}
}

func TestAnotherBundleOfTheSameVersionMakesNoNewCollection(t *testing.T) {
	r := newRig(t)
	r.with(setOf(ownSpec("aa", 1)))
	r.collection("one", semblance.Faces, func(c *semblance.Collection) { c.Engine = "agency" })
	r.collection("two", semblance.Faces, func(c *semblance.Collection) { c.Engine = "agency" })
	r.collection("three", semblance.Faces)
	r.with(setOf(ownSpec("bb", 1)))
	_, err := r.CreateCollection(t.Context(), tester, semblance.Collection{Name: "four", Kind: semblance.Faces, Owner: "o", Country: "NL", Basis: "b", Engine: "agency"})
	if !errors.Is(err, semblance.ModelMismatch) {
		t.Errorf("signals of two networks would have one name: %v", err)
	}
	if _, err := r.Reenroll(t.Context(), tester, semblance.ReenrollRequest{Collection: "three", Engine: "agency"}); !errors.Is(err, semblance.ModelMismatch) {
		t.Errorf("reenroll: %v", err)
	}
	r.with(setOf(ownSpec("bb", 2)))
	r.collection("five", semblance.Faces, func(c *semblance.Collection) { c.Engine = "agency" })
	pins := 0
	events, err := r.store.AuditEvents(t.Context(), 0, 100)
	for _, e := range events {
		if e.Action == "engine.pin" {
			pins++
		}
	}
	if err != nil || pins != 2 {
		t.Errorf("%d audited pins, %v; one a version", pins, err)
	}
}
