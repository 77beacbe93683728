package semblance

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Reranked is what a second engine says of a candidate. It changes the order and
// nothing else: no candidate is added or dropped by it.
type Reranked struct {
	Engine   EngineName `json:"engine"`
	Version  int        `json:"version"`
	Metric   Metric     `json:"metric"`
	Distance *float64   `json:"distance,omitempty"` // nil when the second engine could not compare
	Rank     int        `json:"first_rank"`         // the rank that the collection's own engine gave
	Why      string     `json:"why,omitempty"`      // why there is no distance
}

// reranker is the spec of the engine that ranks again.
func (e *Engine) reranker(ctx context.Context, first EngineSpec, name EngineName) (EngineSpec, error) {
	spec, err := e.Engines.ByName(name)
	if err != nil {
		return spec, err
	}
	if spec.Name == first.Name {
		return spec, Errorf(Invalid, "the candidates are ranked by engine %s already", spec.Name).WithHint("Name another engine to rank them again, or leave --rerank away.")
	}
	return spec, e.CheckEngine(ctx, spec.Name)
}

// sameFace is the least overlap at which two engines have found one face, as when a
// collection is enrolled again.
const sameFace = 0.3

// embeddingsOf returns, for each face of a probe, the embedding that another engine
// gave the same face of the picture; nil where it has none.
func (a *Analysis) embeddingsOf(second EngineSpec, probe []Face) [][]float32 {
	if second.Name == "" {
		return nil
	}
	set, _ := a.Faces(second.Name)
	out := make([][]float32, len(probe))
	for i := range probe {
		if j := overlapping(probe[i], set.Faces); j >= 0 {
			out[i] = set.Faces[j].Embedding
		}
	}
	return out
}

// overlapping returns which of the faces with an embedding lies where f does, -1
// when none does.
func overlapping(f Face, faces []Face) int {
	best, overlap := -1, sameFace
	for i, x := range faces {
		if o := f.Box.Overlap(x.Box); x.Frame == f.Frame && o > overlap && len(x.Embedding) > 0 {
			best, overlap = i, o
		}
	}
	return best
}

// rerank ranks the candidates of each face again by the distance of the second
// engine, between the probe's embeddings and ones made of the references' kept
// originals. A candidate it cannot compare keeps its place.
func (s *search) rerank(ctx context.Context, res *SearchResult, probe [][]float32) error {
	cands := res.Request.Candidates
	if s.second.Name == "" || len(cands) == 0 {
		return nil
	}
	var ids []ReferenceID
	for _, c := range cands {
		if !slices.Contains(ids, c.Reference) {
			ids = append(ids, c.Reference)
		}
	}
	again, err := s.embedAgain(ctx, ids)
	if err != nil {
		return err
	}
	missing := 0
	for i := range cands {
		c := &cands[i]
		c.Reranked = &Reranked{Engine: s.second.Name, Version: s.second.Version, Metric: s.second.Metric, Rank: c.Rank}
		v, ref := probe[c.Face], again[c.Reference]
		switch {
		case len(v) == 0:
			c.Reranked.Why = "engine " + string(s.second.Name) + " finds no face where the probe's is"
		case ref.why != "":
			c.Reranked.Why = ref.why
		default:
			d := RoundDistance(s.second.Metric.Distance(v, ref.vector))
			c.Reranked.Distance = &d
			continue
		}
		missing++
	}
	if missing > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("%d of %d candidates could not be ranked again by engine %s and keep their place; each says why", missing, len(cands), s.second.Name))
	}
	for from := 0; from < len(cands); {
		to := from
		for to < len(cands) && cands[to].Face == cands[from].Face {
			to++
		}
		reorder(cands[from:to])
		from = to
	}
	return nil
}

// reorder sorts the candidates of one face that have a second distance among the
// places that such candidates hold. Equal distances keep their order.
func reorder(cands []Candidate) {
	var places []int
	var sorted []Candidate
	for i, c := range cands {
		if c.Reranked.Distance != nil {
			places = append(places, i)
			sorted = append(sorted, c)
		}
	}
	slices.SortStableFunc(sorted, func(a, b Candidate) int {
		switch x, y := *a.Reranked.Distance, *b.Reranked.Distance; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for k, i := range places {
		cands[i] = sorted[k]
	}
	for i := range cands {
		cands[i].Rank = i + 1
	}
}

// A secondLook is what the second engine made of a reference.
type secondLook struct {
	vector []float32
	why    string
}

// embedAgain makes the second engine's embeddings of references, several at a time.
func (s *search) embedAgain(ctx context.Context, ids []ReferenceID) (map[ReferenceID]secondLook, error) {
	refs, err := s.e.References.References(ctx, ids...)
	if err != nil {
		return nil, err
	}
	looks := make([]secondLook, len(refs))
	err = inParallel(ctx, len(refs), func(ctx context.Context, i int) error {
		r, err := s.e.again(ctx, s.second, refs[i])
		switch code := CodeOf(err); {
		case err == nil && len(r.Face.Embedding) > 0:
			looks[i].vector = r.Face.Embedding
		case err == nil:
			looks[i].why = "the face is too poor for engine " + string(s.second.Name)
		case code == NotFound:
			looks[i].why = "the original of the reference is not there any more"
		case ctx.Err() != nil || code == Unavailable || code == Internal:
			return fmt.Errorf("rank the reference of %s again: %w", refs[i].Subject, err)
		default:
			looks[i].why = err.Error()
		}
		return nil
	})
	out := map[ReferenceID]secondLook{}
	for i, id := range ids {
		out[id] = looks[i]
	}
	return out, err
}

// inParallel calls f for 0 to n-1, as many at a time as there are processors, and
// returns the first error in that order. The workers behind an Analyzer queue by
// themselves.
func inParallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	var wg sync.WaitGroup
	turns := make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				if errs[i] = f(ctx, i); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	wg.Wait()
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || CodeOf(first) == Canceled) {
			first = err
		}
	}
	return first
}
