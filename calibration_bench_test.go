package semblance_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"semblance"
	"semblance/index"
)

// memory keeps the references of one collection; what else an Engine asks of its store,
// NonMated does not.
type memory struct {
	semblance.ReferenceStore
	collection semblance.Collection
	refs       map[semblance.ReferenceID]semblance.Reference
	order      []semblance.ReferenceID
}

func (m *memory) EachReference(_ context.Context, _ semblance.CollectionID, f func(semblance.Reference) error) error {
	for _, id := range m.order {
		if err := f(m.refs[id]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) References(_ context.Context, ids ...semblance.ReferenceID) ([]semblance.Reference, error) {
	out := make([]semblance.Reference, len(ids))
	for i, id := range ids {
		out[i] = m.refs[id]
	}
	return out, nil
}

// oneCollection is a CollectionStore of one.
type oneCollection struct {
	semblance.CollectionStore
	c semblance.Collection
}

func (o oneCollection) Collection(context.Context, string) (semblance.Collection, error) {
	return o.c, nil
}

// BenchmarkNonMated searches a collection for people who are not in it, as calibrating
// does: with every reference, or a sample of 10,000. The vectors are random: of use for
// the time only.
func BenchmarkNonMated(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			if n > 10_000 && testing.Short() {
				b.Skip("a large collection takes long")
			}
			spec := semblance.Engines()[0]
			c := semblance.Collection{ID: "c", Name: "c", Kind: semblance.Faces, Engine: spec.Name, EngineVersion: spec.Version, Version: 1, Subjects: int64(n), Entries: int64(n)}
			m := &memory{collection: c, refs: map[semblance.ReferenceID]semblance.Reference{}}
			for i := range n {
				id := semblance.ReferenceID(fmt.Sprintf("%06d", i))
				m.refs[id] = semblance.Reference{ID: id, Collection: c.ID, Subject: "s" + string(id), Engine: spec.Name, Version: spec.Version, Face: semblance.Face{Quality: 90, Embedding: randomFace(uint64(i))}}
				m.order = append(m.order, id)
			}
			slices.Sort(m.order)
			e := semblance.New(semblance.Parts{Collections: oneCollection{c: c}, References: m, Vectors: index.NewFlat()})
			if _, err := e.NonMated(b.Context(), "c"); err != nil { // brings the index up
				b.Fatal(err)
			}
			for b.Loop() {
				got, err := e.NonMated(b.Context(), "c")
				if err != nil || len(got.Searches) != min(n, semblance.MaxNonMated) {
					b.Fatalf("%d searches, %v", len(got.Searches), err)
				}
			}
		})
	}
}
