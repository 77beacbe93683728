package semblance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"semblance/hashing"
)

// Signals makes digests and the signals asked for of one file. It stores nothing.
func (e *Engine) Signals(ctx context.Context, f *os.File, req AnalyzeRequest) (hashing.Digests, Analysis, error) {
	d, err := e.digest(ctx, f)
	if err != nil {
		return d, Analysis{}, err
	}
	if d.Size == 0 {
		return d, Analysis{}, Errorf(MediaDamaged, "the file is empty")
	}
	a, err := e.analyzeOnly(ctx, f, req)
	return d, a, err
}

// digest reads a file once from its start, wherever its offset stands.
func (e *Engine) digest(ctx context.Context, f *os.File) (hashing.Digests, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return hashing.Digests{}, err
	}
	return hashing.Digest(ctx, f)
}

func (e *Engine) analyzeOnly(ctx context.Context, f *os.File, req AnalyzeRequest) (Analysis, error) {
	if e.Analyzer == nil {
		return Analysis{}, errNoAnalyzer()
	}
	req.Limits = e.Limits
	return e.Analyzer.Analyze(ctx, f, req)
}

// A Comparison is what comparing two pictures gives: 1:1, nothing stored.
type Comparison struct {
	Distance    *float64   `json:"distance"` // of the two faces chosen; nil when there are none to compare
	Metric      Metric     `json:"metric"`
	Engine      EngineName `json:"engine"`
	FacesA      int        `json:"faces_a"`
	FacesB      int        `json:"faces_b"`
	FaceA       *int       `json:"face_a,omitempty"`
	FaceB       *int       `json:"face_b,omitempty"`
	QualityA    float32    `json:"quality_a"`
	QualityB    float32    `json:"quality_b"`
	Threshold   float64    `json:"threshold"`               // the engine's default for collections
	PDQDistance *int       `json:"pdq_distance"`            // of the nearest of the eight turns and mirrors of a
	Transform   string     `json:"pdq_transform,omitempty"` // that one: "original", "flipy", ...
	Why         string     `json:"why,omitempty"`           // why there is no distance
}

// Compare compares a face of a with a face of b, and the two pictures by PDQ.
// Where a picture has several faces, faceA and faceB say which; nil means its
// only one.
func (e *Engine) Compare(ctx context.Context, engine EngineName, a, b *os.File, faceA, faceB *int) (Comparison, error) {
	spec, err := EngineByName(engine)
	if err != nil {
		return Comparison{}, err
	}
	if err := e.CheckEngine(ctx, spec.Name); err != nil {
		return Comparison{}, err
	}
	req := AnalyzeRequest{Engines: []EngineName{spec.Name}, Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}}
	c := Comparison{Engine: spec.Name, Metric: spec.Metric, Threshold: spec.Distance}
	sa, err := e.analyzeOnly(ctx, a, req)
	if err != nil {
		return c, fmt.Errorf("the first picture: %w", err)
	}
	sb, err := e.analyzeOnly(ctx, b, req)
	if err != nil {
		return c, fmt.Errorf("the second picture: %w", err)
	}
	if len(sa.Hashes) > 0 && len(sb.Hashes) > 0 {
		d, t := nearestTurn(sa.Hashes[0].PDQ, sb.Hashes[0].PDQ.Hash)
		c.PDQDistance, c.Transform = &d, t.String()
	}
	fa, fb := first(sa.Faces(spec.Name)).Faces, first(sb.Faces(spec.Name)).Faces
	c.FacesA, c.FacesB = len(fa), len(fb)
	if len(fa) == 0 || len(fb) == 0 {
		c.Why = "a picture has no face that was found"
		return c, nil
	}
	ia, err := chooseFace(fa, faceA)
	if err != nil {
		return c, Errorf(CodeOf(err), "the first picture: %v", err).WithHint("Choose with --face-a N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	ib, err := chooseFace(fb, faceB)
	if err != nil {
		return c, Errorf(CodeOf(err), "the second picture: %v", err).WithHint("Choose with --face-b N, numbered from 0 by detector score; `semblance faces` lists them.")
	}
	c.FaceA, c.FaceB, c.QualityA, c.QualityB = &ia, &ib, fa[ia].Quality, fb[ib].Quality
	if !fa[ia].Searchable() || !fb[ib].Searchable() {
		c.Why = "a face is too poor to compare"
		return c, nil
	}
	d := RoundDistance(spec.Metric.Distance(fa[ia].Embedding, fb[ib].Embedding))
	c.Distance = &d
	return c, nil
}

// nearestTurn is the smallest distance of a turned or mirrored picture from another.
func nearestTurn(a *hashing.PDQResult, b hashing.PDQ) (int, hashing.Transform) {
	best, turn := a.Hash.Distance(b), hashing.Original
	for t, h := range a.Turned {
		if d := h.Distance(b); t != int(hashing.Original) && d < best {
			best, turn = d, hashing.Transform(t)
		}
	}
	return best, turn
}

func first[A, B any](a A, _ B) A { return a }

// A SearchRequest asks for the nearest subjects of a probe.
type SearchRequest struct {
	Case        string
	Collections []string   // faces collections of one engine
	Engine      EngineName // empty: the collections'
	Face        *int       // nil: every face of the probe
	Top         int        // 0: DefaultTop
	Distance    *float64   // instead of the collections' thresholds; audited
	Name        string     // the probe's file name, for people
	File        *os.File
}

// A SearchResult is the answer to a search.
type SearchResult struct {
	Request     Request   `json:"request"`
	Faces       []Face    `json:"faces"`                  // of the probe, with crops, without embeddings
	Limits      string    `json:"limits"`                 // of the engine, in a sentence
	NotSearched []BadLine `json:"not_searched,omitempty"` // faces too poor; Line is the face's index
	Only        *int      `json:"only,omitempty"`         // the one face that was asked for
}

// Search searches the faces of a probe in faces collections. The request is kept
// and audited whatever its outcome; a probe without a face that can be searched
// is inconclusive, never "no candidate".
func (e *Engine) Search(ctx context.Context, who Actor, r SearchRequest) (SearchResult, error) {
	var res SearchResult
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return res, err
	}
	cols, spec, err := e.searchable(ctx, r)
	if err != nil {
		return res, err
	}
	d, a, err := e.Signals(ctx, r.File, AnalyzeRequest{Engines: []EngineName{spec.Name}, Crops: true})
	if err != nil {
		return res, err
	}
	set, _ := a.Faces(spec.Name)
	probe := slices.Clone(set.Faces)
	if r.Face != nil {
		if _, err := chooseFace(probe, r.Face); err != nil {
			return res, err
		}
		for i := range probe {
			if i != *r.Face {
				probe[i].Embedding = nil // keeps the numbering
			}
		}
	}
	if r.Distance != nil {
		if *r.Distance < 0 || *r.Distance > 2 {
			return res, Errorf(Invalid, "distance %g is outside 0 to 2", *r.Distance).WithHint("Leave it away to use the collections' own.")
		}
		for i := range cols {
			cols[i].FaceDistance = *r.Distance
		}
	}
	top := r.Top
	if top <= 0 {
		top = DefaultTop
	}
	cands, err := e.candidates(ctx, spec, cols, probe, top)
	if err != nil {
		return res, err
	}
	res.Limits, res.Only = spec.Limits, r.Face
	res.Request = Request{ID: NewID(), Case: c.ID, Actor: who, Probe: d.SHA256, ProbeName: r.Name, Purpose: c.Purpose, Basis: c.Basis,
		Collections: names(cols), Engine: spec.Name, Version: spec.Version, Candidates: cands, Created: e.now()}
	res.NotSearched = notSearched(probe, r.Face)
	res.Request.Outcome, res.Request.Reason = outcome(set.Faces, len(res.NotSearched), r.Face, cands)
	for _, f := range set.Faces {
		f.Embedding = nil
		res.Faces = append(res.Faces, f)
	}
	ev := e.event(who, "search", &c, names(cols)...)
	ev.Detail["probe"], ev.Detail["request"], ev.Detail["engine"], ev.Detail["faces"] = res.Request.Probe, res.Request.ID, spec.Signal(), len(set.Faces)
	ev.Detail["candidates"], ev.Detail["outcome"] = len(cands), res.Request.Outcome
	if r.Distance != nil {
		ev.Detail["distance"] = *r.Distance
	}
	return res, e.Requests.AddRequest(ctx, res.Request, ev)
}

// searchable resolves the collections of a search and their one engine.
func (e *Engine) searchable(ctx context.Context, r SearchRequest) ([]Collection, EngineSpec, error) {
	cols, err := e.resolve(ctx, r.Collections)
	if err != nil {
		return nil, EngineSpec{}, err
	}
	var spec EngineSpec
	for i, c := range cols {
		if c.Kind != Faces {
			return nil, spec, Errorf(Invalid, "collection %q holds %s; a face is searched in faces collections", c.Name, c.Kind)
		}
		s, err := e.usable(ctx, c)
		if err != nil {
			return nil, spec, err
		}
		if i > 0 && s != spec {
			return nil, spec, Errorf(ModelMismatch, "collections %q (%s) and %q (%s) have different engines, and their distances cannot be ranked together", cols[0].Name, spec.Name, c.Name, s.Name).
				WithHint("Search them one at a time, or bring one to the other's engine with `semblance collection reenroll`.")
		}
		spec = s
	}
	if r.Engine != "" && r.Engine != spec.Name {
		return nil, spec, Errorf(ModelMismatch, "collection %q was enrolled with engine %s and cannot be searched with %s", cols[0].Name, spec.Name, r.Engine).
			WithHint("Leave --engine away, or run `semblance collection reenroll %s --engine %s`.", cols[0].Name, r.Engine)
	}
	return cols, spec, e.ready(ctx, cols...)
}

// notSearched lists the faces that were asked for and are too poor.
func notSearched(probe []Face, which *int) []BadLine {
	var out []BadLine
	for i := range probe {
		if (which == nil || *which == i) && !probe[i].Searchable() {
			out = append(out, BadLine{Line: i, Text: fmt.Sprintf("face %d, quality %.0f", i, probe[i].Quality), Reason: fmt.Sprint(probe[i].Reasons)})
		}
	}
	return out
}

func outcome(faces []Face, poor int, which *int, cands []Candidate) (Outcome, string) {
	asked := len(faces)
	if which != nil {
		asked = 1
	}
	switch {
	case len(cands) > 0:
		return PotentialCandidate, ""
	case asked == 0:
		return Inconclusive, "no face was found in the probe"
	case poor == asked:
		return Inconclusive, "no face of the probe is good enough to search"
	case poor > 0:
		return Inconclusive, fmt.Sprintf("%d of %d faces of the probe are too poor to search; the others have no candidate", poor, asked)
	}
	return NoCandidate, ""
}

// A LookupRequest says what hashes are looked up in.
type LookupRequest struct {
	Case        string
	Collections []string
	Default     hashing.Algorithm // of 64 or 16 bare digits; empty is SHA-256
}

// A LookupResult is one answer to one line. A line without an entry has one
// result without Collection; a line that cannot be read has Error.
type LookupResult struct {
	Line       int               `json:"line"` // from 1
	Query      string            `json:"query"`
	Kind       string            `json:"kind,omitempty"` // "hit", "near match" or "known-good"
	Collection string            `json:"collection,omitempty"`
	Owner      string            `json:"owner,omitempty"`
	Algorithm  hashing.Algorithm `json:"algorithm,omitempty"`
	Distance   *int              `json:"distance,omitempty"`
	Threshold  *int              `json:"threshold,omitempty"`
	Weak       bool              `json:"weak,omitempty"`
	Entry      EntryID           `json:"entry,omitempty"`
	EntryValue string            `json:"entry_value,omitempty"`
	Note       string            `json:"note,omitempty"`
	Source     string            `json:"source,omitempty"`
	Record     string            `json:"record,omitempty"`
	Error      string            `json:"error,omitempty"`
}

// A LookupSummary counts a lookup.
type LookupSummary struct {
	Lines int `json:"lines"`
	Found int `json:"found"` // lines with at least one entry
	Bad   int `json:"bad"`
}

// lookupBatch is how many lines are searched at once.
const lookupBatch = 1024

// Lookup looks hashes up, one a line, in the order of next, which returns io.EOF
// at the end. emit gets the results in the same order. Memory does not grow with
// the number of lines. The audit event is written before the first answer is
// given and another one with the counts at the end.
func (e *Engine) Lookup(ctx context.Context, who Actor, r LookupRequest, next func() (string, error), emit func(LookupResult) error) (LookupSummary, error) {
	var sum LookupSummary
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return sum, err
	}
	cols, err := e.resolve(ctx, r.Collections)
	if err != nil {
		return sum, err
	}
	for _, x := range cols {
		if x.Kind != Hashes && x.Kind != KnownGood {
			return sum, Errorf(Invalid, "collection %q holds %s; hashes are looked up in hashes and known-good collections", x.Name, x.Kind)
		}
	}
	if err := e.ready(ctx, cols...); err != nil {
		return sum, err
	}
	if r.Default == "" {
		r.Default = hashing.AlgorithmSHA256
	}
	if err := e.Audit.Append(ctx, e.event(who, "lookup.start", &c, names(cols)...)); err != nil {
		return sum, err
	}
	err = e.lookupAll(ctx, cols, r.Default, next, emit, &sum)
	ev := e.event(who, "lookup", &c, names(cols)...)
	ev.Detail["lines"], ev.Detail["found"], ev.Detail["bad"] = sum.Lines, sum.Found, sum.Bad
	return sum, errors.Join(err, e.Audit.Append(context.WithoutCancel(ctx), ev))
}

func (e *Engine) lookupAll(ctx context.Context, cols []Collection, def hashing.Algorithm, next func() (string, error), emit func(LookupResult) error, sum *LookupSummary) error {
	for {
		batch, end := nextLines(next, def, sum)
		if err := e.lookupLines(ctx, cols, batch, emit, sum); err != nil {
			return err
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

// A lookupLine is one parsed line and its answers.
type lookupLine struct {
	LookupResult
	value   []byte
	answers []LookupResult
}

func nextLines(next func() (string, error), def hashing.Algorithm, sum *LookupSummary) ([]lookupLine, error) {
	var batch []lookupLine
	for len(batch) < lookupBatch {
		s, err := next()
		if err != nil {
			return batch, err
		}
		sum.Lines++
		alg, value, _, err := hashing.ParseHashLine(s, def)
		if errors.Is(err, hashing.ErrBlank) {
			sum.Lines--
			continue
		}
		l := lookupLine{LookupResult: LookupResult{Line: sum.Lines, Query: s, Algorithm: alg}, value: value}
		if err != nil {
			sum.Bad++
			l.Error = err.Error()
		}
		batch = append(batch, l)
	}
	return batch, nil
}

func (e *Engine) lookupLines(ctx context.Context, cols []Collection, batch []lookupLine, emit func(LookupResult) error, sum *LookupSummary) error {
	byAlg := map[hashing.Algorithm][]int{}
	for i, l := range batch {
		if l.Error == "" && !hashing.IsTrivial(l.Algorithm, l.value) {
			byAlg[l.Algorithm] = append(byAlg[l.Algorithm], i)
		}
	}
	for alg, which := range byAlg {
		if err := e.lookupAlg(ctx, cols, alg, which, batch); err != nil {
			return err
		}
	}
	for _, l := range batch {
		if len(l.answers) == 0 {
			if err := emit(l.LookupResult); err != nil {
				return err
			}
			continue
		}
		sum.Found++
		for _, a := range l.answers {
			if err := emit(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) lookupAlg(ctx context.Context, cols []Collection, alg hashing.Algorithm, which []int, batch []lookupLine) error {
	q := HashQuery{Algorithm: alg}
	byID := map[CollectionID]Collection{}
	for _, c := range cols {
		if alg.IsDigest() || c.Kind == Hashes {
			q.Collections = append(q.Collections, c.ID)
			byID[c.ID] = c
		}
		if !alg.IsDigest() && c.Kind == Hashes {
			q.Radius = max(q.Radius, threshold(c, alg))
		}
	}
	if len(q.Collections) == 0 {
		return nil
	}
	for _, i := range which {
		q.Values = append(q.Values, batch[i].value)
	}
	res, err := e.Hashes.Search(ctx, q)
	if err != nil {
		return err
	}
	for k, neighbors := range res {
		l := &batch[which[k]]
		for _, n := range neighbors {
			a, err := e.answer(ctx, byID[n.Collection], l.LookupResult, n)
			if err != nil {
				return err
			}
			if a != nil {
				l.answers = append(l.answers, *a)
			}
		}
	}
	return nil
}

func (e *Engine) answer(ctx context.Context, c Collection, a LookupResult, n HashNeighbor) (*LookupResult, error) {
	digest := a.Algorithm.IsDigest()
	limit := threshold(c, a.Algorithm)
	if !digest && n.Distance > limit {
		return nil, nil
	}
	entries, err := e.Entries.Entries(ctx, n.Entry)
	if err != nil {
		return nil, err
	}
	en := entries[0]
	if !digest && en.Quality >= 0 && en.Quality < c.PDQQuality {
		return nil, nil
	}
	a.Collection, a.Owner, a.Entry, a.EntryValue, a.Note, a.Source, a.Record = c.Name, c.Owner, n.Entry, hex.EncodeToString(en.Value), en.Note, en.Source, en.Record
	switch {
	case digest && c.Kind == KnownGood:
		a.Kind = "known-good"
	case digest:
		a.Kind, a.Weak = "hit", a.Algorithm == hashing.AlgorithmMD5
	default:
		a.Kind, a.Distance, a.Threshold = "near match", &n.Distance, &limit
	}
	return &a, nil
}
