package semblance

import (
	"cmp"
	"context"
	"hash/fnv"
	"math"
	"slices"
	"strings"
)

// NonMated are the searches of a collection for people who are not in it, as far as
// the collection can tell: references of every subject, or of so many subjects,
// searched among all other subjects through the index.
type NonMated struct {
	Collection Collection
	Searches   []NonMatedSearch
	Closest    []ClosePair // of two subjects that are taken for two people, nearest first
	Left       []ClosePair // one photograph under two names: left out
	LeftCount  int
}

// MaxNonMated is how many searches measure a collection at most: with so many
// subjects, one in a thousand is measured and not extrapolated.
const MaxNonMated = 10_000

// shownPairs is how many close pairs are put before a person.
const shownPairs = 20

// NonMated searches references of a collection among the other subjects. In a large
// collection the probes are a sample that depends on the names of subjects and
// references only.
func (e *Engine) NonMated(ctx context.Context, name string) (NonMated, error) {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return NonMated{}, err
	}
	m := nonMating{e: e, out: NonMated{Collection: c}, copies: map[[2]string]ClosePair{}, near: map[[2]string]ClosePair{}}
	if c.Kind != Faces {
		return m.out, Errorf(Invalid, "collection %q holds %s; only searches of faces are measured", c.Name, c.Kind)
	}
	if c.Subjects < 2 {
		return m.out, Errorf(Invalid, "collection %q has %s: searches for people who are not in it cannot be measured", c.Name, plural(c.Subjects, "subject")).
			WithHint("They are measured with each subject among the others: enroll at least two, and better some hundreds.")
	}
	if m.spec, err = e.engineOf(c); err == nil {
		err = e.pinned(ctx, m.spec)
	}
	if err != nil {
		return m.out, err
	}
	if m.spec.Version != c.EngineVersion {
		return m.out, Errorf(ModelMismatch, "collection %q was enrolled with version %d of engine %s; this program has version %d", c.Name, c.EngineVersion, c.Engine, m.spec.Version).
			WithHint("Run `semblance collection reenroll %s --engine %s`; it uses the kept references.", c.Name, c.Engine)
	}
	if err := e.ready(ctx, c); err != nil {
		return m.out, err
	}
	if err := m.measure(ctx); err != nil {
		return m.out, err
	}
	if len(m.out.Searches) == 0 {
		return m.out, Errorf(Invalid, "in collection %q every subject has the same picture as another: nothing can be measured", c.Name).
			WithHint("Look at the pictures that are enrolled under two names, and remove what is there by mistake.")
	}
	return m.out, nil
}

func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + one + "s"
}

// A nonMating is one run of NonMated.
type nonMating struct {
	e      *Engine
	spec   EngineSpec
	out    NonMated
	copies map[[2]string]ClosePair // by the two subjects
	near   map[[2]string]ClosePair
}

// A probing is one reference searched with, and its nearest subjects.
type probing struct {
	ref       Reference
	neighbors []Neighbor
}

// batchNonMated is how many probes one search of the index has.
const batchNonMated = 256

// firstNeighbors are asked for of every probe: itself, somebody else, and a few in case
// that is a copy. lastNeighbors bounds the search of a probe that has many copies.
const (
	firstNeighbors = 6
	lastNeighbors  = 128
)

func (m *nonMating) measure(ctx context.Context) error {
	ids, err := m.sample(ctx)
	if err != nil {
		return err
	}
	var probes []probing
	for batch := range slices.Chunk(ids, batchNonMated) {
		got, err := m.search(ctx, firstNeighbors, batch...)
		if err != nil {
			return err
		}
		for _, p := range got {
			m.findCopies(p)
			p.ref.Crop, p.ref.Face = nil, Face{Quality: p.ref.Face.Quality} // vectors are read again when they are needed
			probes = append(probes, p)
		}
	}
	for batch := range slices.Chunk(probes, batchNonMated) {
		if err := m.settle(ctx, batch); err != nil {
			return err
		}
	}
	m.out.Closest, _ = nearestPairs(m.near)
	m.out.Left, m.out.LeftCount = nearestPairs(m.copies)
	return nil
}

// sample chooses the probes: all references, or, where there are more than
// MaxNonMated, as many of each subject as that allows, and at least one.
func (m *nonMating) sample(ctx context.Context) ([]ReferenceID, error) {
	bySubject := map[string][]ReferenceID{}
	err := m.e.References.EachReference(ctx, m.out.Collection.ID, func(r Reference) error {
		bySubject[r.Subject] = append(bySubject[r.Subject], r.ID)
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	type drawn struct {
		hash    uint64
		subject string
	}
	subjects := make([]drawn, 0, len(bySubject))
	for s := range bySubject {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s))
		subjects = append(subjects, drawn{h.Sum64(), s})
	}
	slices.SortFunc(subjects, func(a, b drawn) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), strings.Compare(a.subject, b.subject))
	})
	each := max(1, MaxNonMated/max(1, len(subjects)))
	if m.out.Collection.Entries <= MaxNonMated {
		each = MaxNonMated
	}
	var out []ReferenceID
	for _, s := range subjects[:min(len(subjects), MaxNonMated)] {
		refs := bySubject[s.subject]
		slices.Sort(refs)
		out = append(out, refs[:min(len(refs), each)]...)
	}
	return out, nil
}

// search finds the nearest subjects of references, their own among them.
func (m *nonMating) search(ctx context.Context, subjects int, ids ...ReferenceID) ([]probing, error) {
	refs, err := m.e.References.References(ctx, ids...)
	if err != nil {
		return nil, err
	}
	q := VectorQuery{Space: m.spec, Collections: []CollectionID{m.out.Collection.ID}, Subjects: subjects}
	for i := range refs {
		q.Vectors = append(q.Vectors, refs[i].Face.Embedding)
	}
	res, err := m.e.nearest(ctx, []Collection{m.out.Collection}, q)
	if err != nil {
		return nil, err
	}
	out := make([]probing, len(refs))
	for i := range refs {
		out[i] = probing{refs[i], res[i]}
	}
	return out, nil
}

// pairOf names two subjects in either order.
func pairOf(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// findCopies notes the subjects that have the probe's photograph as well. All searches
// between the two are left out: one of their pictures bears the wrong name, or they
// are one person.
func (m *nonMating) findCopies(p probing) {
	for _, n := range p.neighbors {
		if n.Subject != p.ref.Subject && RoundDistance(n.Distance) <= m.spec.CopyDistance() {
			keepNearest(m.copies, p.ref, n, RoundDistance(n.Distance))
		}
	}
}

func keepNearest(pairs map[[2]string]ClosePair, r Reference, n Neighbor, distance float64) {
	key := pairOf(r.Subject, n.Subject)
	pair := ClosePair{SubjectA: r.Subject, ReferenceA: r.ID, SubjectB: n.Subject, ReferenceB: n.ID, Distance: distance}
	if pair.SubjectA != key[0] {
		pair.SubjectA, pair.SubjectB, pair.ReferenceA, pair.ReferenceB = pair.SubjectB, pair.SubjectA, pair.ReferenceB, pair.ReferenceA
	}
	if had, ok := pairs[key]; !ok || comparePairs(pair, had) < 0 {
		pairs[key] = pair
	}
}

func comparePairs(a, b ClosePair) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.SubjectA, b.SubjectA), strings.Compare(a.SubjectB, b.SubjectB),
		strings.Compare(string(a.ReferenceA), string(b.ReferenceA)), strings.Compare(string(a.ReferenceB), string(b.ReferenceB)))
}

func nearestPairs(pairs map[[2]string]ClosePair) ([]ClosePair, int) {
	out := make([]ClosePair, 0, len(pairs))
	for _, p := range pairs {
		out = append(out, p)
	}
	slices.SortFunc(out, comparePairs)
	return out[:min(len(out), shownPairs)], len(out)
}

// stranger is the nearest subject that is neither the probe's nor shares a photograph
// with it.
func (m *nonMating) stranger(p probing) (Neighbor, bool) {
	for _, n := range p.neighbors {
		if n.Subject == p.ref.Subject {
			continue
		}
		if _, is := m.copies[pairOf(p.ref.Subject, n.Subject)]; !is {
			return n, true
		}
	}
	return Neighbor{}, false
}

// settle makes the non-mated searches of probes, with the distances of the metric's
// definition. A probe that has nothing but copies within lastNeighbors is left out.
func (m *nonMating) settle(ctx context.Context, probes []probing) error {
	var which []probing
	var ids []ReferenceID
	for _, p := range probes {
		for asked := firstNeighbors; ; asked *= 4 {
			n, ok := m.stranger(p)
			if ok {
				which, ids = append(which, probing{p.ref, []Neighbor{n}}), append(ids, p.ref.ID, n.ID)
				break
			}
			if len(p.neighbors) < asked || asked > lastNeighbors {
				break // there are no more
			}
			more, err := m.search(ctx, 4*asked, p.ref.ID)
			if err != nil {
				return err
			}
			p.neighbors = more[0].neighbors
			m.findCopies(p)
		}
	}
	refs, err := m.e.References.References(ctx, ids...)
	if err != nil {
		return err
	}
	for i, p := range which {
		a, b := refs[2*i], refs[2*i+1]
		d := RoundDistance(m.spec.Metric.Distance(a.Face.Embedding, b.Face.Embedding))
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return Errorf(Invalid, "the references %q of %q and %q of %q have no distance: an embedding is not made of finite numbers", a.Source, a.Subject, b.Source, b.Subject).
				WithHint("Enroll them again.")
		}
		m.out.Searches = append(m.out.Searches, NonMatedSearch{Subject: a.Subject, Quality: a.Face.Quality, Distance: d})
		keepNearest(m.near, a, p.neighbors[0], d)
	}
	return nil
}
