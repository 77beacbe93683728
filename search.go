package semblance

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// A SearchRequest asks for the nearest subjects of a probe.
type SearchRequest struct {
	Terms
	Case        string
	Collections []string   // faces collections of one engine
	Engine      EngineName // empty: the collections'
	Name        string     // the probe's file name, for people
	File        *os.File
}

// A SearchResult is the answer to a search.
type SearchResult struct {
	Request     Request   `json:"request"`
	Faces       []Face    `json:"faces"`                  // of the probe, with crops, without embeddings
	Limits      string    `json:"limits"`                 // of the engine, in a sentence
	NotSearched []BadLine `json:"not_searched,omitempty"` // faces too poor; Line is the face's index
	Only        []int     `json:"only,omitempty"`         // the faces that were asked for; none is every one
	Excluded    []string  `json:"excluded,omitempty"`     // named collections of other countries than those asked for
	TogetherIn  []string  `json:"together_in,omitempty"`  // collections in which every chosen face has a candidate, where that was asked
	Warnings    []string  `json:"warnings,omitempty"`
}

// Search searches the faces of a probe in faces collections. The request is kept
// and audited whatever its outcome; a probe without a face that can be searched
// is inconclusive, never "no candidate".
func (e *Engine) Search(ctx context.Context, who Actor, r SearchRequest) (SearchResult, error) {
	s, err := e.newSearch(ctx, who, r)
	if err != nil {
		return SearchResult{}, err
	}
	d, a, err := e.Signals(ctx, r.File, AnalyzeRequest{Engines: s.engines(), Crops: true, Detection: r.Detection})
	if err != nil {
		return SearchResult{}, err
	}
	set, _ := a.Faces(s.spec.Name)
	res := s.result()
	res.Request.Probe, res.Request.ProbeName = d.SHA256, r.Name
	res.Warnings = append(res.Warnings, a.Warnings...)
	probe, err := onlyFaces(set.Faces, r.Faces)
	if err != nil {
		return res, err
	}
	res.Faces = shownFaces(set.Faces)
	if err := s.answer(ctx, probe, &res); err != nil {
		return res, err
	}
	if err := s.rerank(ctx, &res, a.embeddingsOf(s.second, probe)); err != nil {
		return res, err
	}
	return res, s.keep(ctx, &res)
}

// A search is a SearchRequest that has been checked.
type search struct {
	e        *Engine
	who      Actor
	c        Case
	terms    Terms
	spec     EngineSpec
	second   EngineSpec // that ranks again; without name when none does
	query    faceQuery
	excluded []string
	off      []string // what is not compared with, and why
}

// newSearch checks what is asked, finds the collections and brings their indexes up
// to date, so that a search fails before its pictures are read.
func (e *Engine) newSearch(ctx context.Context, who Actor, r SearchRequest) (*search, error) {
	if err := r.Detection.Validate(); err != nil {
		return nil, err
	}
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return nil, err
	}
	s := &search{e: e, who: who, c: c, terms: r.Terms}
	if s.query.when, err = newPeriod(r.From, r.To, r.Dated); err != nil {
		return nil, err
	}
	cols, err := e.resolve(ctx, r.Collections)
	if err != nil {
		return nil, err
	}
	if cols, s.excluded, err = ofCountries(cols, r.Countries); err != nil {
		return nil, err
	}
	if cols, s.off, err = e.switchedOn(cols); err != nil {
		return nil, err
	}
	if s.spec, err = e.searchable(ctx, cols, r.Engine); err != nil {
		return nil, err
	}
	if r.Rerank != "" {
		if s.second, err = e.reranker(ctx, s.spec, r.Rerank); err != nil {
			return nil, err
		}
	}
	if r.Distance != nil {
		if !(*r.Distance >= 0 && *r.Distance <= 2) {
			return nil, Errorf(Invalid, "distance %g is outside 0 to 2", *r.Distance).WithHint("Leave it away to use the collections' own.")
		}
		for i := range cols {
			cols[i].FaceDistance = *r.Distance
		}
	}
	s.query.spec, s.query.cols, s.query.top = s.spec, cols, r.Top
	if s.query.top <= 0 {
		s.query.top = DefaultTop
	}
	return s, e.ready(ctx, cols...)
}

// ofCountries keeps the collections of the countries, all when none is named. It
// narrows what was named and never adds to it.
func ofCountries(cols []Collection, countries []string) (kept []Collection, excluded []string, err error) {
	if len(countries) == 0 {
		return cols, nil, nil
	}
	var wanted, have []string
	for _, c := range countries {
		if err := checkCountry(&c); err != nil {
			return nil, nil, err
		}
		wanted = append(wanted, c)
	}
	for _, c := range cols {
		have = append(have, c.Country)
		if slices.Contains(wanted, c.Country) {
			kept = append(kept, c)
		} else {
			excluded = append(excluded, c.Name)
		}
	}
	slices.Sort(have)
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			return nil, nil, Errorf(Invalid, "none of the collections named is of %s; they are of %s", w, strings.Join(slices.Compact(have), ", ")).
				WithHint("Countries only narrow the collections that are named; name one of that country too, or leave the country away.")
		}
	}
	return kept, excluded, nil
}

// searchable checks the collections of a search and returns their one engine.
func (e *Engine) searchable(ctx context.Context, cols []Collection, engine EngineName) (spec EngineSpec, err error) {
	for i, c := range cols {
		if c.Kind != Faces {
			return spec, Errorf(Invalid, "collection %q holds %s; a face is searched in faces collections", c.Name, c.Kind)
		}
		s, err := e.usable(ctx, c)
		if err != nil {
			return spec, err
		}
		if i > 0 && s != spec {
			return spec, Errorf(ModelMismatch, "collections %q (%s) and %q (%s) have different engines, and their distances cannot be ranked together", cols[0].Name, spec.Name, c.Name, s.Name).
				WithHint("Search them one at a time, or bring one to the other's engine with `semblance collection reenroll`.")
		}
		spec = s
	}
	if engine != "" && engine != spec.Name {
		return spec, Errorf(ModelMismatch, "collection %q was enrolled with engine %s and cannot be searched with %s", cols[0].Name, spec.Name, engine).
			WithHint("Leave --engine away, or run `semblance collection reenroll %s --engine %s`.", cols[0].Name, engine)
	}
	return spec, nil
}

// engines are those the probe is looked at with.
func (s *search) engines() []EngineName {
	out := []EngineName{s.spec.Name}
	if s.second.Name != "" {
		out = append(out, s.second.Name)
	}
	return out
}

// result begins an answer.
func (s *search) result() SearchResult {
	return SearchResult{Limits: s.spec.Limits, Only: s.terms.Faces, Excluded: s.excluded, Warnings: append(slices.Clone(s.off), leftOutOf(s.query.cols)...),
		Request: Request{ID: NewID(), Case: s.c.ID, Actor: s.who, Purpose: s.c.Purpose, Basis: s.c.Basis,
			Collections: names(s.query.cols), Engine: s.spec.Name, Version: s.spec.Version, Terms: s.terms, Created: s.e.now()}}
}

// leftOutOf says which collections hold nobody, or references that no search can find.
func leftOutOf(cols []Collection) (out []string) {
	for _, c := range cols {
		switch {
		case c.Entries == 0 && c.Digests == 0 && c.Kind == Faces:
			out = append(out, fmt.Sprintf("collection %s holds no references yet: that it has no candidate says nothing", c.Name))
		case c.Entries == 0 && c.Digests == 0:
			out = append(out, fmt.Sprintf("collection %s holds no entries yet: that nothing is found in it says nothing", c.Name))
		case c.LeftOut > 0:
			out = append(out, fmt.Sprintf("%d of the %d references of collection %s are not searched: engine %s can make nothing of their pictures", c.LeftOut, c.Entries, c.Name, c.Engine))
		}
	}
	return out
}

// answer searches the faces of a probe and says the outcome.
func (s *search) answer(ctx context.Context, probe []Face, res *SearchResult) error {
	var err error
	asked := askedOf(probe, s.terms.Faces)
	if s.terms.Together {
		res.Request.Candidates, res.TogetherIn, err = s.together(ctx, probe, asked)
	} else {
		res.Request.Candidates, err = s.e.candidates(ctx, s.query, probe)
	}
	if err != nil {
		return err
	}
	s.e.giveBands(ctx, s.query.cols, res.Request.Candidates, len(res.Request.Pictures) > 1)
	poor := notSearched(probe, asked)
	res.NotSearched = append(res.NotSearched, poor...)
	res.Request.Outcome, res.Request.Reason = outcome(asked, poor, res.Request.Candidates, s.terms.Together)
	return nil
}

// together searches every collection for itself, so that it is known of each
// whether all of the faces have a candidate there.
func (s *search) together(ctx context.Context, probe []Face, asked []int) (cands []Candidate, in []string, err error) {
	which, vectors := searchableOf(probe)
	if len(which) == 0 {
		return nil, nil, nil
	}
	res, err := s.e.rankings(ctx, s.query, s.query.each(), vectors)
	if err != nil {
		return nil, nil, err
	}
	with := make([]int, len(s.query.cols)) // faces with a candidate, by collection
	for k, i := range which {
		cands = append(cands, s.query.candidates(i, &probe[i], merge(res[k]))...)
		for g := range res[k] {
			if len(s.query.candidates(i, &probe[i], res[k][g])) > 0 {
				with[g]++
			}
		}
	}
	for g, c := range s.query.cols {
		if with[g] == len(asked) {
			in = append(in, c.Name)
		}
	}
	return cands, in, nil
}

// keep stores the request with its audit event.
func (s *search) keep(ctx context.Context, res *SearchResult) error {
	r := &res.Request
	ev := s.e.event(s.who, "search", &s.c, r.Collections...)
	ev.Detail["probe"], ev.Detail["request"], ev.Detail["engine"], ev.Detail["faces"] = r.Probe, r.ID, s.spec.Signal(), len(res.Faces)
	ev.Detail["candidates"], ev.Detail["outcome"] = len(r.Candidates), r.Outcome
	s.detail(ev.Detail)
	if len(r.Pictures) > 0 {
		var sums []SHA256
		for _, p := range r.Pictures {
			sums = append(sums, p.SHA256)
		}
		ev.Detail["pictures"] = sums
	}
	if r.Sheet != "" {
		ev.Detail["sheet"], ev.Detail["reference"] = r.Sheet, r.Reference
	}
	return s.e.Requests.AddRequest(ctx, *r, ev)
}

// detail adds to an audit event what the search was asked with.
func (s *search) detail(d map[string]any) {
	t := s.terms
	if t.Distance != nil {
		d["distance"] = *t.Distance
	}
	if !s.query.when.all() {
		d["captured"] = s.query.when.text(t.From, t.To)
	}
	if len(t.Countries) > 0 {
		d["countries"] = t.Countries
	}
	if t.Together {
		d["together"] = true
	}
	if t.MinFace != 0 {
		d["min_face"] = t.MinFace
	}
	if t.MinScore != 0 {
		d["min_score"] = t.MinScore
	}
	if s.second.Name != "" {
		d["rerank"] = s.second.Signal()
	}
}

// onlyFaces returns the faces of a probe in which those that were not asked for have
// no embedding, which keeps the numbering.
func onlyFaces(faces []Face, only []int) ([]Face, error) {
	for _, i := range only {
		if _, err := chooseFace(faces, &i); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(faces)
	for i := range out {
		if len(only) > 0 && !slices.Contains(only, i) {
			out[i].Embedding = nil
		}
	}
	return out, nil
}

// askedOf lists the faces that were asked for.
func askedOf(faces []Face, only []int) []int {
	var out []int
	for i := range faces {
		if len(only) == 0 || slices.Contains(only, i) {
			out = append(out, i)
		}
	}
	return out
}

// shownFaces are the faces of a probe without their embeddings.
func shownFaces(faces []Face) []Face {
	out := slices.Clone(faces)
	for i := range out {
		out[i].Embedding = nil
	}
	return out
}

// notSearched lists the faces that were asked for and are too poor.
func notSearched(probe []Face, asked []int) []BadLine {
	var out []BadLine
	for _, i := range asked {
		if !probe[i].Searchable() {
			out = append(out, BadLine{Line: i, Text: fmt.Sprintf("face %d, quality %.0f", i, probe[i].Quality), Reason: fmt.Sprint(probe[i].Reasons)})
		}
	}
	return out
}

// outcome says what a search ends with. Together, the faces answer one question, and
// a face that could not be asked leaves it open.
func outcome(asked []int, poor []BadLine, cands []Candidate, together bool) (Outcome, string) {
	var without []string
	for _, i := range asked {
		if !slices.ContainsFunc(cands, func(c Candidate) bool { return c.Face == i }) {
			without = append(without, fmt.Sprint(i))
		}
	}
	switch {
	case len(asked) == 0:
		return Inconclusive, "no face was found in the probe"
	case len(poor) == len(asked):
		return Inconclusive, "no face of the probe is good enough to search"
	case together && len(poor) > 0:
		return Inconclusive, fmt.Sprintf("%d of %d faces of the probe are too poor to search, so it cannot be said whether every one has a candidate", len(poor), len(asked))
	case together && len(without) > 0:
		return NoCandidate, fmt.Sprintf("every face was asked for together, and face %s has no candidate", listed(without))
	case len(cands) > 0:
		return PotentialCandidate, ""
	case len(poor) > 0:
		return Inconclusive, fmt.Sprintf("%d of %d faces of the probe are too poor to search; the others have no candidate", len(poor), len(asked))
	}
	return NoCandidate, ""
}

// mostListed is how many numbers a sentence lists.
const mostListed = 10

func listed(numbers []string) string {
	if n := len(numbers); n > mostListed {
		return strings.Join(numbers[:mostListed], ", ") + fmt.Sprintf(" and %d more", n-mostListed)
	}
	return strings.Join(numbers, ", ")
}

// sound takes away embeddings that nothing can be compared with, and says so: one
// broken vector must neither stop the other faces nor pass as a face with no
// candidate.
func (a *Analysis) sound(known EngineSet) {
	for s := range a.FaceSets {
		set := &a.FaceSets[s]
		spec, err := known.ByName(set.Engine)
		if err != nil {
			continue
		}
		for i := range set.Faces {
			f := &set.Faces[i]
			if why := spec.unsound(f.Embedding); why != "" {
				f.Embedding = nil
				f.Reasons = append(slices.Clone(f.Reasons), why)
			}
		}
	}
}

// unsound says why a vector cannot be compared; "" when it can, or is not there.
func (s EngineSpec) unsound(v []float32) string {
	if len(v) == 0 {
		return ""
	}
	if len(v) != s.Dimensions {
		return fmt.Sprintf("not comparable: the engine gave %d numbers and not %d", len(v), s.Dimensions)
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return "not comparable: the engine gave numbers that are not finite"
	case sum == 0:
		return "not comparable: the engine gave an embedding of zeros"
	}
	return ""
}
