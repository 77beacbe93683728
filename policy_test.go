package semblance_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
)

// at sets what the rig takes the time to be.
func (r *rig) at(day string) {
	r.t.Helper()
	now, err := time.Parse(time.DateOnly, day)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Now = func() time.Time { return now }
}

func (r *rig) change(name string, x semblance.CollectionChange) semblance.Collection {
	r.t.Helper()
	c, err := r.ChangeCollection(r.t.Context(), tester, name, x)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// TestACollectionThatIsOffIsNamedWhereItIsNotComparedWith, and comes back by itself.
func TestACollectionThatIsOffIsNamedWhereItIsNotComparedWith(t *testing.T) {
	r := newRig(t)
	r.at("2026-11-01")
	r.collection("a", semblance.Hashes)
	r.collection("b", semblance.Hashes)
	b := picture{PDQ: somePDQ, Quality: 100}.bytes(t)
	digest := fmt.Sprintf("%x\n", hashing.DigestBytes(b).SHA256)
	r.list("a", digest)
	r.list("b", digest)
	before, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	off := semblance.CollectionChange{Off: &semblance.Off{Why: "false hits", Until: "2026-11-20"}}
	if c := r.change("b", off); c.Off.By != tester.Name || c.Off.Why != "false hits" {
		t.Errorf("%+v", c.Off)
	}
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"a", "b"}})
	if err != nil || len(plan.Collections) != 1 || len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "collection b is switched off until 2026-11-20 (false hits") {
		t.Fatalf("%+v, %v", plan, err)
	}
	if plan.Fingerprint == before.Fingerprint {
		t.Error("what was compared with b would be taken for compared without it")
	}
	if x := r.examine(b, "a", "b"); len(x.Findings.Hits) != 1 || x.Findings.Hits[0].Collection != "a" {
		t.Errorf("%+v", x.Findings.Hits)
	}
	lookup := func() (sum semblance.LookupSummary, found []string) {
		lines := []string{strings.TrimSpace(digest)}
		sum, err := r.Lookup(t.Context(), tester, semblance.LookupRequest{Case: "C1", Collections: []string{"a", "b"}}, func() (string, error) {
			if len(lines) == 0 {
				return "", io.EOF
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		}, func(l semblance.LookupResult) error {
			found = append(found, l.Collection)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return sum, found
	}
	if sum, found := lookup(); len(sum.Warnings) != 1 || !slices.Equal(found, []string{"a"}) {
		t.Errorf("%+v, %v", sum, found)
	}
	_, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"b"}})
	wantCode(t, err, semblance.Invalid)

	r.at("2026-11-20")
	again, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"a", "b"}})
	if err != nil || again.Fingerprint != before.Fingerprint || len(again.Warnings) != 0 {
		t.Errorf("on the day it ends: %+v, %v", again, err)
	}
	r.change("b", semblance.CollectionChange{Off: &semblance.Off{Why: "again"}})
	if sum, found := lookup(); len(sum.Warnings) != 1 || !slices.Equal(found, []string{"a"}) {
		t.Errorf("without an end: %+v, %v", sum, found)
	}
	r.change("b", semblance.CollectionChange{On: true})
	if sum, found := lookup(); len(sum.Warnings) != 0 || !slices.Equal(found, []string{"a", "b"}) {
		t.Errorf("on again: %+v, %v", sum, found)
	}
}

func TestSearchSaysWhichCollectionIsOff(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a", "b"} {
		r.collection(name, semblance.Faces)
		r.enroll(name, "ann", 1, 0)
	}
	r.change("b", semblance.CollectionChange{Off: &semblance.Off{Why: "being cleaned"}})
	res := r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{}, "a", "b")
	if len(res.Request.Candidates) != 1 || !slices.Equal(res.Request.Collections, []string{"a"}) || !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, "collection b is switched off") }) {
		t.Errorf("%+v", res)
	}
}

func TestChangesThatCannotBeMeantAreRefused(t *testing.T) {
	r := newRig(t)
	r.at("2026-11-01")
	h, f := r.collection("h", semblance.Hashes), r.collection("f", semblance.Faces)
	for what, c := range map[string]struct {
		of semblance.Collection
		x  semblance.CollectionChange
	}{
		"nothing":             {h, semblance.CollectionChange{}},
		"a gate of hashes":    {h, semblance.CollectionChange{EnrollQuality: new(float32(40))}},
		"bits of faces":       {f, semblance.CollectionChange{PDQDistance: new(3)}},
		"64 bits":             {h, semblance.CollectionChange{PDQDistance: new(64)}},
		"quality 101":         {h, semblance.CollectionChange{PDQQuality: new(101)}},
		"distance 3":          {f, semblance.CollectionChange{FaceDistance: new(3.0)}},
		"off for no reason":   {h, semblance.CollectionChange{Off: &semblance.Off{Why: " "}}},
		"off until no day":    {h, semblance.CollectionChange{Off: &semblance.Off{Why: "w", Until: "soon"}}},
		"off until today":     {h, semblance.CollectionChange{Off: &semblance.Off{Why: "w", Until: "2026-11-01"}}},
		"on and off":          {h, semblance.CollectionChange{Off: &semblance.Off{Why: "w"}, On: true}},
		"categories of faces": {f, semblance.CollectionChange{CategorySet: new("x/1")}},
	} {
		_, err := r.ChangeCollection(t.Context(), tester, c.of.Name, c.x)
		if semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := r.ChangeCollection(t.Context(), tester, "h", semblance.CollectionChange{CategorySet: new("none/1")})
	wantCode(t, err, semblance.NotFound)
	if got := r.get("h"); got.PDQDistance != h.PDQDistance || got.Off != nil {
		t.Errorf("a refused change left %+v", got)
	}
	c := r.change("h", semblance.CollectionChange{PDQDistance: new(0), PDQQuality: new(0)})
	if c.PDQDistance != 0 || c.PDQQuality != 0 {
		t.Errorf("0 is a value: %+v", c)
	}
}

func categorySet(version string, harmless semblance.Concern) semblance.CategorySet {
	return semblance.CategorySet{Name: "test", Version: version, Source: "this test", Categories: []semblance.Category{
		{Value: "1", Label: "one", Concern: semblance.Pertinent}, {Value: "5", Label: "five", Concern: harmless}}}
}

// TestFindingsCarryTheCategoryOfTheEntryAndNeverAnotherOne: the same number of two sets
// is two things, and one that the set does not have stays as it is.
func TestFindingsCarryTheCategoryOfTheEntryAndNeverAnotherOne(t *testing.T) {
	r := newRig(t)
	for _, s := range []semblance.CategorySet{categorySet("1", semblance.NonPertinent), categorySet("2", semblance.Pertinent)} {
		if _, err := r.AddCategorySet(t.Context(), tester, s); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.AddCategorySet(t.Context(), tester, categorySet("2", semblance.NonPertinent))
	wantCode(t, err, semblance.Conflict)
	b := picture{PDQ: somePDQ, Quality: 100}.bytes(t)
	sha := fmt.Sprintf("%x", hashing.DigestBytes(b).SHA256)
	for name, list := range map[string]string{
		"harmless": sha + ",category=5\n", "graver": sha + ",seen in 2019; category=5\n", "odd": sha + ",category=77\n", "bare": sha + ",category=5\n", "none": sha + "\n",
		"near": "pdq:" + bits(t, somePDQ, 4) + ",category=1\n",
	} {
		r.collection(name, semblance.Hashes)
		r.list(name, list)
	}
	r.change("harmless", semblance.CollectionChange{CategorySet: new("test/1")})
	for _, name := range []string{"graver", "odd", "near"} {
		r.change(name, semblance.CollectionChange{CategorySet: new("test/2")})
	}
	f := r.examine(b, "harmless", "graver", "odd", "bare", "none", "near").Findings
	got := map[string]semblance.EntryCategory{}
	for _, h := range f.Hits {
		if h.Category != nil {
			got[h.Collection] = *h.Category
		}
	}
	for _, n := range f.NearMatches {
		got[n.Collection] = *n.Category
	}
	want := map[string]semblance.EntryCategory{
		"harmless": {Value: "5", Set: "test/1", Label: "five", Concern: semblance.NonPertinent},
		"graver":   {Value: "5", Set: "test/2", Label: "five", Concern: semblance.Pertinent},
		"odd":      {Value: "77", Set: "test/2"},
		"bare":     {Value: "5"},
		"near":     {Value: "1", Set: "test/2", Label: "one", Concern: semblance.Pertinent},
	}
	if len(f.Hits) != 5 || len(got) != len(want) {
		t.Errorf("%+v", f)
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s: %+v, want %+v", name, got[name], w)
		}
	}
	var said []string
	for _, c := range f.Contradictions {
		said = append(said, c.KnownGood+" "+c.Other+" "+c.Because)
	}
	if !slices.Equal(said, []string{"harmless graver category"}) {
		t.Errorf("contradictions: %v", said)
	}
}

func TestCategorySetsThatCannotBeMeantAreRefused(t *testing.T) {
	r := newRig(t)
	for what, spoil := range map[string]func(*semblance.CategorySet){
		"no name":        func(s *semblance.CategorySet) { s.Name = "" },
		"a slash":        func(s *semblance.CategorySet) { s.Version = "1/2" },
		"no source":      func(s *semblance.CategorySet) { s.Source = " " },
		"nothing":        func(s *semblance.CategorySet) { s.Categories = nil },
		"no label":       func(s *semblance.CategorySet) { s.Categories[0].Label = "" },
		"no concern":     func(s *semblance.CategorySet) { s.Categories[0].Concern = "" },
		"a value twice":  func(s *semblance.CategorySet) { s.Categories[1].Value = "1" },
		"a long country": func(s *semblance.CategorySet) { s.Country = "NLD" },
	} {
		s := categorySet("1", semblance.NonPertinent)
		spoil(&s)
		if _, err := r.AddCategorySet(t.Context(), tester, s); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
}
