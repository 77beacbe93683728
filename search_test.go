package semblance_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"semblance"
	"semblance/store"
)

// at is a unit vector whose cosine distance from (1, 0) is d.
func at(d float64) []float32 {
	return []float32{float32(1 - d), float32(math.Sqrt(1 - (1-d)*(1-d)))}
}

// search searches a picture in collections.
func (r *rig) search(p picture, terms semblance.Terms, collections ...string) (semblance.SearchResult, error) {
	r.t.Helper()
	return r.Search(r.t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: collections, Terms: terms, Name: "probe.jpg", File: r.file(p.bytes(r.t))})
}

func (r *rig) mustSearch(p picture, terms semblance.Terms, collections ...string) semblance.SearchResult {
	r.t.Helper()
	res, err := r.search(p, terms, collections...)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// told says candidates in short: face/rank subject distance margin.
func told(cands []semblance.Candidate) []string {
	var out []string
	for _, c := range cands {
		margin := "-"
		if c.Margin != nil {
			margin = fmt.Sprintf("%.1f", *c.Margin)
		}
		out = append(out, fmt.Sprintf("%d/%d %s %.1f %s", c.Face, c.Rank, c.Subject, c.Distance, margin))
	}
	return out
}

func TestMarginReachesToTheNextSubject(t *testing.T) {
	one := picture{Faces: [][]float32{{1, 0}}}
	for name, c := range map[string]struct {
		enrolled map[string]float64 // "collection subject" to distance
		top      int
		want     []string
	}{
		"beyond the threshold":         {map[string]float64{"a x": 0.1, "a y": 0.9}, 0, []string{"0/1 x 0.1 0.8"}},
		"past the end of the list":     {map[string]float64{"a x": 0.1, "a y": 0.2, "a z": 0.4}, 2, []string{"0/1 x 0.1 0.1", "0/2 y 0.2 0.2"}},
		"in another collection":        {map[string]float64{"a x": 0.1, "b x": 0.3}, 0, []string{"0/1 x 0.1 0.2", "0/2 x 0.3 -"}},
		"nobody else is there":         {map[string]float64{"a x": 0.1}, 0, []string{"0/1 x 0.1 -"}},
		"two are as near":              {map[string]float64{"a x": 0.1, "b y": 0.1}, 0, []string{"0/1 x 0.1 0.0", "0/2 y 0.1 -"}},
		"a narrower collection's":      {map[string]float64{"a x": 0.1, "narrow y": 0.3}, 0, []string{"0/1 x 0.1 0.2"}},
		"not certain, so it is unsaid": {map[string]float64{"a x": 0.4, "narrow p": 0.25, "narrow q": 0.3, "narrow r": 0.41}, 1, []string{"0/1 x 0.4 -"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.collection("a", semblance.Faces)
			r.collection("b", semblance.Faces)
			r.collection("narrow", semblance.Faces, func(c *semblance.Collection) { c.FaceDistance = 0.2 })
			for who, d := range c.enrolled {
				collection, subject, _ := strings.Cut(who, " ")
				r.enroll(collection, subject, at(d)...)
			}
			res := r.mustSearch(one, semblance.Terms{Top: c.top}, "a", "b", "narrow")
			if got := told(res.Request.Candidates); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestANarrowCollectionDoesNotCrowdOutAWideOne(t *testing.T) {
	r := newRig(t)
	r.collection("narrow", semblance.Faces, func(c *semblance.Collection) { c.FaceDistance = 0.1 })
	r.collection("wide", semblance.Faces)
	for i := range 5 {
		r.enroll("narrow", fmt.Sprint("n", i), at(0.2+float64(i)/100)...)
	}
	r.enroll("wide", "w", at(0.4)...)
	res := r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{Top: 3}, "narrow", "wide")
	if got := told(res.Request.Candidates); len(got) != 1 || !strings.HasPrefix(got[0], "0/1 w 0.4") {
		t.Errorf("candidates %q: the subjects of a collection whose threshold they do not meet took the places", got)
	}
}

func TestReferencesWithinTheThresholdAreCounted(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	for i, d := range []float64{0.1, 0.3, 0.5, 0.6} {
		p := picture{Faces: [][]float32{at(d)}, Salt: fmt.Sprint(i)}
		if _, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "g", Subject: "s", Source: fmt.Sprint(i), File: r.file(p.bytes(t))}); err != nil {
			t.Fatal(err)
		}
	}
	c := r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{}, "g").Request.Candidates
	if len(c) != 1 || c[0].References != 3 || c[0].Source != "0" {
		t.Errorf("candidates %+v, want one with 3 references within 0.5", c)
	}
}

// A datedStore gives references dates and ages by their subject.
type datedStore struct {
	*store.Store
	captured map[string]string // subject to date
}

func (d datedStore) date(r semblance.Reference) semblance.Reference {
	age := 7
	r.Captured, r.Age = d.captured[r.Subject+" "+r.Source], &age
	return r
}

func (d datedStore) SubjectReferences(ctx context.Context, c semblance.CollectionID, subject string) ([]semblance.Reference, error) {
	refs, err := d.Store.SubjectReferences(ctx, c, subject)
	for i := range refs {
		refs[i] = d.date(refs[i])
	}
	return refs, err
}

func (d datedStore) EachReference(ctx context.Context, c semblance.CollectionID, f func(semblance.Reference) error) error {
	return d.Store.EachReference(ctx, c, func(r semblance.Reference) error { return f(d.date(r)) })
}

func TestDatesNarrowWithoutLosingWhatMayBeInside(t *testing.T) {
	enrolled := []struct {
		subject, source, captured string
		distance                  float64
	}{
		{"near", "old", "2001-05-05", 0.05}, // its nearest reference is outside, another is not
		{"near", "new", "2015-06-30", 0.35},
		{"year", "y", "2015", 0.1},
		{"month", "m", "2015-06", 0.15},
		{"day", "d", "2015-06-15", 0.2},
		{"undated", "u", "", 0.25},
		{"epoch", "e", "1970-01-01", 0.3},
		{"last", "l", "2014-12-31", 0.4},
	}
	for name, c := range map[string]struct {
		terms semblance.Terms
		want  string
	}{
		"no dates":                        {semblance.Terms{}, "near year month day undated epoch last"},
		"a day of that year":              {semblance.Terms{From: "2015-06-15", To: "2015-06-15"}, "year month day undated"},
		"a month":                         {semblance.Terms{From: "2015-06", To: "2015-06"}, "year month day undated near"},
		"a year":                          {semblance.Terms{From: "2015", To: "2015", Dated: true}, "year month day near"},
		"from the last day of a year":     {semblance.Terms{From: "2014-12-31", Dated: true}, "year month day near last"},
		"up to the first day of the year": {semblance.Terms{To: "2015-01-01", Dated: true}, "near year epoch last"},
		"the first day that is counted":   {semblance.Terms{From: "1970-01-01", To: "1970-01-01", Dated: true}, "epoch"},
		"one candidate is enough":         {semblance.Terms{From: "2015-06", To: "2015-07", Dated: true, Top: 1}, "year"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.collection("g", semblance.Faces)
			dates := datedStore{r.store, map[string]string{}}
			r.References, r.Subjects = dates, dates
			for _, x := range enrolled {
				dates.captured[x.subject+" "+x.source] = x.captured
				p := picture{Faces: [][]float32{at(x.distance)}, Salt: x.source}
				if _, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "g", Subject: x.subject, Source: x.source, File: r.file(p.bytes(t))}); err != nil {
					t.Fatal(err)
				}
			}
			g, err := r.Collections.Collection(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Vectors.Drop(t.Context(), g.ID); err != nil { // filled again from the store, with dates
				t.Fatal(err)
			}
			var got []string
			for _, x := range r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, c.terms, "g").Request.Candidates {
				got = append(got, x.Subject)
				if x.Age == nil || *x.Age != 7 || (x.Captured == "") != (x.Subject == "undated") {
					t.Errorf("%s: captured %q, age %v", x.Subject, x.Captured, x.Age)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
}

func TestSearchRefusesWhatCannotBeMeant(t *testing.T) {
	r := newRig(t)
	r.collection("nl", semblance.Faces)
	r.collection("de", semblance.Faces, func(c *semblance.Collection) { c.Country = "DE" })
	for name, c := range map[string]struct {
		terms semblance.Terms
		code  semblance.Code
		says  string
	}{
		"dates the wrong way round":   {semblance.Terms{From: "2020", To: "2019-12"}, semblance.Invalid, "end (2019-12) before they begin (2020)"},
		"no date":                     {semblance.Terms{From: "last year"}, semblance.Invalid, `"last year" is not a date`},
		"a day that does not exist":   {semblance.Terms{To: "2019-02-30"}, semblance.Invalid, `"2019-02-30" is not a date`},
		"only dated, without a date":  {semblance.Terms{Dated: true}, semblance.Invalid, "only together with dates"},
		"a country nobody named":      {semblance.Terms{Countries: []string{"NL", "FR"}}, semblance.Invalid, "none of the collections named is of FR; they are of DE, NL"},
		"no country":                  {semblance.Terms{Countries: []string{"Holland"}}, semblance.Invalid, "not a two-letter code"},
		"a face that is not there":    {semblance.Terms{Faces: []int{0, 7}}, semblance.FaceCount, "there is no face 7: the picture has 1"},
		"ranked again by the same":    {semblance.Terms{Rerank: semblance.DefaultEngine}, semblance.Invalid, "ranked by engine yunet-mobilefacenet already"},
		"ranked again by nothing":     {semblance.Terms{Rerank: "eigenfaces"}, semblance.Invalid, `no face engine is named "eigenfaces"`},
		"distance that is no number":  {semblance.Terms{Distance: ref(math.NaN())}, semblance.Invalid, "outside 0 to 2"},
		"an engine without its model": {semblance.Terms{Rerank: semblance.DlibHOG}, semblance.Unavailable, "the weights are missing"},
	} {
		r.missing[semblance.DlibHOG] = true
		_, err := r.search(picture{Faces: [][]float32{{1, 0}}}, c.terms, "nl", "de")
		if semblance.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func ref[T any](v T) *T { return &v }

func TestCountriesNarrowAndSayWhatWasLeftOut(t *testing.T) {
	r := newRig(t)
	r.collection("nl", semblance.Faces)
	r.collection("de", semblance.Faces, func(c *semblance.Collection) { c.Country = "DE" })
	r.enroll("nl", "s", 1, 0)
	r.enroll("de", "t", 1, 0)
	res := r.mustSearch(picture{Faces: [][]float32{{1, 0}}}, semblance.Terms{Countries: []string{"de"}}, "nl", "de")
	if got := told(res.Request.Candidates); !slices.Equal(got, []string{"0/1 t 0.0 -"}) || !slices.Equal(res.Excluded, []string{"nl"}) || !slices.Equal(res.Request.Collections, []string{"de"}) {
		t.Errorf("candidates %q, excluded %v, collections %v", got, res.Excluded, res.Request.Collections)
	}
}

func TestSeveralFacesTogether(t *testing.T) {
	mother, child, stranger := []float32{1, 0, 0}, []float32{0, 1, 0}, []float32{0, 0, 1}
	for name, c := range map[string]struct {
		p       picture
		terms   semblance.Terms
		outcome semblance.Outcome
		in      []string
		cands   int
	}{
		"each for itself":                   {picture{Faces: [][]float32{mother, stranger}}, semblance.Terms{}, semblance.PotentialCandidate, nil, 2},
		"both are there":                    {picture{Faces: [][]float32{mother, child}}, semblance.Terms{Together: true}, semblance.PotentialCandidate, []string{"family"}, 3},
		"one is not":                        {picture{Faces: [][]float32{mother, stranger}}, semblance.Terms{Together: true}, semblance.NoCandidate, nil, 2},
		"the one that is not was not asked": {picture{Faces: [][]float32{mother, stranger, child}}, semblance.Terms{Together: true, Faces: []int{0, 2}}, semblance.PotentialCandidate, []string{"family"}, 3},
		"one cannot be searched":            {picture{Faces: [][]float32{mother, child}, Poor: []int{1}}, semblance.Terms{Together: true}, semblance.Inconclusive, nil, 2},
		"no face":                           {picture{}, semblance.Terms{Together: true}, semblance.Inconclusive, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.collection("family", semblance.Faces)
			r.collection("mothers", semblance.Faces)
			r.enroll("family", "mother", mother...)
			r.enroll("family", "child", child...)
			r.enroll("mothers", "mother", mother...)
			res := r.mustSearch(c.p, c.terms, "family", "mothers")
			if res.Request.Outcome != c.outcome || !slices.Equal(res.TogetherIn, c.in) || len(res.Request.Candidates) != c.cands {
				t.Errorf("outcome %s (%s) in %v, %d candidates; want %s in %v, %d", res.Request.Outcome, res.Request.Reason, res.TogetherIn, len(res.Request.Candidates), c.outcome, c.in, c.cands)
			}
		})
	}
}

func TestABrokenEmbeddingIsNeitherSearchedNorNobody(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	res := r.mustSearch(picture{Faces: [][]float32{{1, 0}, {1, 0}, {0, 0}}, Broken: []int{1}}, semblance.Terms{}, "g")
	if len(res.Request.Candidates) != 1 || len(res.NotSearched) != 2 || !strings.Contains(res.NotSearched[0].Reason, "not finite") || !strings.Contains(res.NotSearched[1].Reason, "zeros") {
		t.Errorf("candidates %q, not searched %+v", told(res.Request.Candidates), res.NotSearched)
	}
	res = r.mustSearch(picture{Faces: [][]float32{{1, 0}}, Broken: []int{0}}, semblance.Terms{}, "g")
	if res.Request.Outcome != semblance.Inconclusive {
		t.Errorf("a probe without a usable embedding is %s", res.Request.Outcome)
	}
}

func TestAProbeWithFourHundredFaces(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	var p picture
	for i := range 400 {
		p.Faces = append(p.Faces, at(float64(i%100)/100))
	}
	res := r.mustSearch(p, semblance.Terms{}, "g")
	if len(res.Faces) != 400 || len(res.Request.Candidates) != 4*51 {
		t.Errorf("%d faces, %d candidates", len(res.Faces), len(res.Request.Candidates))
	}
}

func TestAnotherEngineRanksAgainAndDropsNobody(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	put := func(subject string, first float64, second []float32) semblance.Reference {
		p := picture{Faces: [][]float32{at(first)}, Second: [][]float32{second}, Salt: subject}
		if second == nil {
			p.Second = [][]float32{}
		}
		got, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "g", Subject: subject, Source: subject, File: r.file(p.bytes(t))})
		if err != nil {
			t.Fatal(err)
		}
		return got.Reference
	}
	put("a", 0.1, []float32{5, 0})
	lost := put("lost", 0.2, []float32{1, 0})
	put("c", 0.3, []float32{1, 0})
	put("unseen", 0.4, nil)
	put("e", 0.45, []float32{2, 0})
	if err := r.Objects.Delete(t.Context(), lost.SHA256); err != nil {
		t.Fatal(err)
	}
	res := r.mustSearch(picture{Faces: [][]float32{{1, 0}}, Second: [][]float32{{1, 0}}}, semblance.Terms{Rerank: semblance.YuNetDlib}, "g")
	var got []string
	for _, c := range res.Request.Candidates {
		second := "-"
		if c.Reranked.Distance != nil {
			second = fmt.Sprint(*c.Reranked.Distance)
		}
		got = append(got, fmt.Sprintf("%d %s %.2f %d %s", c.Rank, c.Subject, c.Distance, c.Reranked.Rank, second))
		if (c.Reranked.Distance == nil) != (c.Reranked.Why != "") || c.Reranked.Engine != semblance.YuNetDlib {
			t.Errorf("%s: %+v", c.Subject, c.Reranked)
		}
	}
	want := []string{"1 c 0.30 3 0", "2 lost 0.20 2 -", "3 e 0.45 5 1", "4 unseen 0.40 4 -", "5 a 0.10 1 4"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "2 of 5 candidates could not be ranked again") {
		t.Errorf("warnings %q", res.Warnings)
	}
	res = r.mustSearch(picture{Faces: [][]float32{{1, 0}}, Second: [][]float32{}}, semblance.Terms{Rerank: semblance.YuNetDlib}, "g")
	if got := told(res.Request.Candidates); len(got) != 5 || !strings.HasPrefix(got[0], "0/1 a") || res.Request.Candidates[0].Reranked.Why == "" {
		t.Errorf("a probe the second engine sees no face in: %q", got)
	}
	events, err := r.store.AuditEvents(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	dlib, _ := semblance.EngineByName(semblance.YuNetDlib)
	if ev := events[len(events)-1]; ev.Detail["rerank"] != dlib.Signal() {
		t.Errorf("the audit event says %v", ev.Detail)
	}
}
