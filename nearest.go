package semblance

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
)

// A faceQuery says in what faces are searched and how many candidates each has.
type faceQuery struct {
	spec EngineSpec
	cols []Collection
	top  int
	when period
}

// A nearSubject is one subject with its references that the query allows.
type nearSubject struct {
	collection Collection
	best       Reference
	distance   float64 // of best, rounded
	within     int     // references within the collection's threshold
}

// A ranking is what one face found in one group of collections, nearest first.
type ranking struct {
	subjects []nearSubject
	// Subjects nearer than this are all in the list; infinity when there are no others.
	frontier float64
}

// indexSlack is how far an index's distance may be from the definition's: indexes
// recompute it, so that only rounding is left.
const indexSlack = 1e-3

// moreSubjects is by how much more is asked for when a period left too few.
const moreSubjects = 4

// rankings searches vectors in each group of collections and returns a ranking for
// every vector and group. Each ranking has the query's number of candidates and one
// subject more, for the margin, unless there are fewer within reach: beyond the
// largest threshold, only the nearest subject is of use.
//
// Distances are recomputed from the stored vectors with the metric's definition, so
// that every index gives the same answer, and rounded before they are compared with
// the threshold, so that what is read is what decided.
func (e *Engine) rankings(ctx context.Context, q faceQuery, groups [][]Collection, vectors [][]float32) ([][]ranking, error) {
	reach := 0.0
	for _, c := range q.cols {
		reach = max(reach, c.FaceDistance)
	}
	reach += indexSlack
	out := make([][]ranking, len(vectors))
	for i := range out {
		out[i] = make([]ranking, len(groups))
	}
	for g, cols := range groups {
		s := subjectReader{e: e, q: q, cols: cols, known: map[subjectKey][]Reference{}}
		open := make([]int, len(vectors))
		for i := range open {
			open[i] = i
		}
		for ask := q.top + 1; len(open) > 0; ask *= moreSubjects {
			left, err := s.round(ctx, ask, reach, vectors, open, func(i int, r ranking) { out[i][g] = r })
			if err != nil {
				return nil, err
			}
			open = left
		}
	}
	return out, nil
}

// A subjectReader turns an index's neighbors into subjects.
type subjectReader struct {
	e     *Engine
	q     faceQuery
	cols  []Collection
	known map[subjectKey][]Reference
}

type subjectKey struct {
	collection CollectionID
	subject    string
}

// round asks the index for so many subjects of each open vector and returns those
// whose ranking needs more. An index holds one day of a reference and may know only
// a year, so its answer can hold subjects whose nearest reference is outside the
// period: their true distance is larger, never smaller, than the index says. A
// ranking is whole when it has enough subjects up to the last distance the index
// answered with.
func (s *subjectReader) round(ctx context.Context, ask int, reach float64, vectors [][]float32, open []int, done func(int, ranking)) ([]int, error) {
	vq := VectorQuery{Space: s.q.spec, Collections: idsOf(s.cols), Subjects: ask, Undated: !s.q.when.dated}
	vq.From, vq.To = s.q.when.indexBounds()
	for _, i := range open {
		vq.Vectors = append(vq.Vectors, vectors[i])
	}
	res, err := s.e.nearest(ctx, s.cols, vq)
	if err != nil {
		return nil, err
	}
	var left []int
	for k, neighbors := range res {
		r := ranking{frontier: math.Inf(1)}
		if len(neighbors) >= ask {
			r.frontier = RoundDistance(neighbors[len(neighbors)-1].Distance)
		}
		for n, near := range neighbors {
			sub, ok, err := s.subject(ctx, near, vectors[open[k]])
			if err != nil {
				return nil, err
			}
			if ok {
				r.subjects = append(r.subjects, sub)
			}
			if near.Distance > reach && ok && n < len(neighbors)-1 {
				r.frontier = RoundDistance(near.Distance)
				break
			}
		}
		r.sort()
		if !math.IsInf(r.frontier, 1) && r.frontier <= reach && r.upTo(r.frontier) < s.q.top+1 {
			left = append(left, open[k])
			continue
		}
		done(open[k], r)
	}
	return left, nil
}

// subject reads the subject of a neighbor. ok is false when it has no reference
// that the query allows, as when it was removed a moment ago.
func (s *subjectReader) subject(ctx context.Context, n Neighbor, v []float32) (sub nearSubject, ok bool, err error) {
	i := slices.IndexFunc(s.cols, func(c Collection) bool { return c.ID == n.Collection })
	if i < 0 {
		return sub, false, Errorf(Internal, "the index answered with a collection that was not asked for")
	}
	key := subjectKey{n.Collection, n.Subject}
	refs, ok := s.known[key]
	if !ok {
		if refs, err = s.e.Subjects.SubjectReferences(ctx, n.Collection, n.Subject); err != nil {
			return sub, false, err
		}
		for k := range refs {
			if err := refs[k].isOf(s.cols[i]); err != nil {
				return sub, false, err
			}
		}
		s.known[key] = refs
	}
	sub.collection = s.cols[i]
	best := math.Inf(1)
	for _, r := range refs {
		if !s.q.when.has(r.Captured) {
			continue
		}
		d := s.q.spec.Metric.Distance(v, r.Face.Embedding)
		if RoundDistance(d) <= sub.collection.FaceDistance {
			sub.within++
		}
		if d < best || d == best && r.ID < sub.best.ID {
			best, sub.best = d, r
		}
	}
	sub.distance = RoundDistance(best)
	return sub, !math.IsInf(best, 1), nil
}

func (r *ranking) sort() {
	slices.SortFunc(r.subjects, func(a, b nearSubject) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.collection.Name, b.collection.Name), strings.Compare(string(a.best.ID), string(b.best.ID)))
	})
}

// upTo counts the subjects that are at most this far.
func (r *ranking) upTo(d float64) int {
	n := 0
	for _, s := range r.subjects {
		if s.distance <= d {
			n++
		}
	}
	return n
}

// merge makes one ranking of several.
func merge(rs []ranking) ranking {
	out := ranking{frontier: math.Inf(1)}
	for _, r := range rs {
		out.subjects = append(out.subjects, r.subjects...)
		out.frontier = min(out.frontier, r.frontier)
	}
	out.sort()
	return out
}

// candidates makes the candidates of a face: the subjects within the threshold of
// their collection, at most the query's number of them. The margin reaches to the
// next subject, beyond the threshold or not, where it is certain which that is.
func (q faceQuery) candidates(index int, face *Face, r ranking) []Candidate {
	var out []Candidate
	for i, s := range r.subjects {
		c := s.collection
		if s.distance > c.FaceDistance || len(out) == q.top {
			continue
		}
		x := Candidate{Face: index, Rank: len(out) + 1, Frame: face.Frame, Appearance: face.Appearance, Box: face.Box, Quality: face.Quality, Collection: c.Name, Owner: c.Owner,
			Subject: s.best.Subject, Reference: s.best.ID, Source: s.best.Source, Distance: s.distance, Metric: q.spec.Metric, Threshold: c.FaceDistance,
			Band: NotCalibrated, Engine: q.spec.Name, Version: q.spec.Version, RefQuality: s.best.Face.Quality,
			Labels: face.Reliability(), RefLabels: s.best.Reliability(),
			References: s.within, Captured: s.best.Captured, Age: s.best.Age, Review: Unreviewed}
		if i+1 < len(r.subjects) && r.subjects[i+1].distance <= r.frontier {
			m := RoundDistance(r.subjects[i+1].distance - s.distance)
			x.Margin = &m
		}
		out = append(out, x)
	}
	return out
}

// byThreshold groups collections of one threshold: searched apart, the subjects that
// only a wide collection takes cannot crowd out those of a narrow one, nor the
// other way round.
func byThreshold(cols []Collection) [][]Collection {
	var out [][]Collection
	for _, c := range cols {
		i := slices.IndexFunc(out, func(g []Collection) bool { return g[0].FaceDistance == c.FaceDistance })
		if i < 0 {
			out = append(out, []Collection{c})
			continue
		}
		out[i] = append(out[i], c)
	}
	return out
}

// each makes every collection its own group.
func (q faceQuery) each() [][]Collection {
	out := make([][]Collection, len(q.cols))
	for i, c := range q.cols {
		out[i] = []Collection{c}
	}
	return out
}

// candidates searches the faces that can be searched in the collections of one
// engine and returns their candidates, face by face.
func (e *Engine) candidates(ctx context.Context, q faceQuery, faces []Face) ([]Candidate, error) {
	which, vectors := searchableOf(faces)
	if len(which) == 0 || len(q.cols) == 0 {
		return nil, nil
	}
	res, err := e.rankings(ctx, q, byThreshold(q.cols), vectors)
	if err != nil {
		return nil, err
	}
	var out []Candidate
	for k, i := range which {
		out = append(out, q.candidates(i, &faces[i], merge(res[k]))...)
	}
	return out, nil
}

// searchableOf returns which faces can be searched and their embeddings.
func searchableOf(faces []Face) (which []int, vectors [][]float32) {
	for i := range faces {
		if faces[i].Searchable() {
			which = append(which, i)
			vectors = append(vectors, faces[i].Embedding)
		}
	}
	return which, vectors
}
