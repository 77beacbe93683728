package qdrant

import (
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"

	"semblance"
	"semblance/index"
)

const (
	// batchPoints and batchBytes bound one upload; the server's makers ask for 64 to
	// 256 points and less than 5 MB.
	batchPoints = 256
	batchBytes  = 4 << 20
	// pointBytes is what a point has besides its numbers and names, generously.
	pointBytes = 256
)

// Version implements semblance.VectorIndex. A collection that lost points behind our
// back counts as not held.
func (x *Index) Version(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID) (int64, error) {
	held, err := x.read(ctx, space.Signal(), c)
	if err != nil {
		return 0, err
	}
	s, ok := held[c]
	if !ok {
		return 0, nil
	}
	name := x.vectors(space.Signal())
	there, err := x.client.CollectionExists(ctx, name)
	if err != nil {
		return 0, x.failed(ctx, "say what it holds", err)
	}
	if !there {
		x.forget()
		return 0, nil
	}
	n, err := x.count(ctx, name, &api.Filter{Must: []*api.Condition{ofCollection(c), ofGeneration(s.generation)}})
	if err != nil || n < s.count {
		return 0, err
	}
	return s.version, nil
}

// Replace implements semblance.VectorIndex. Until everything is in, searches see
// what was held before; when it breaks off, that stays.
func (x *Index) Replace(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, version int64, entries iter.Seq2[semblance.VectorEntry, error]) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	before, err := x.begin(ctx, space, c, version)
	if err != nil {
		return err
	}
	name := x.vectors(space.Signal())
	// What earlier replacements left that broke off.
	if err := x.erase(ctx, name, others(c, before.generation)); err != nil {
		return err
	}
	next := state{generation: uuid.NewString(), version: version}
	next.count, err = x.fill(ctx, space, c, next.generation, entries)
	if err != nil {
		x.discard(ctx, name, c, next.generation)
		return err
	}
	if err := x.write(ctx, space.Signal(), c, next); err != nil {
		return err
	}
	return x.erase(ctx, name, others(c, next.generation))
}

// Update implements semblance.VectorIndex. What is removed goes first. Up to 256
// entries become visible at once, more of them batch by batch; the version is recorded
// when all are in.
func (x *Index) Update(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, version int64, change semblance.VectorChange) error {
	entries := change.Add
	for _, e := range entries {
		if err := index.CheckVector(space, e.Vector); err != nil {
			return err
		}
	}
	x.changes.Lock()
	defer x.changes.Unlock()
	s, err := x.begin(ctx, space, c, version)
	if err != nil {
		return err
	}
	if s.generation == "" {
		s.generation = uuid.NewString()
	}
	if err := x.remove(ctx, space, c, s, change.Remove); err != nil {
		return err
	}
	for batch := range batches(entries) {
		if err := x.upload(ctx, space, c, s.generation, batch); err != nil {
			return err
		}
	}
	s.version = version
	s.count, err = x.count(ctx, x.vectors(space.Signal()), &api.Filter{Must: []*api.Condition{ofCollection(c), ofGeneration(s.generation)}})
	if err != nil {
		return err
	}
	return x.write(ctx, space.Signal(), c, s)
}

// remove deletes references. The state says first that fewer points will be there, so
// that a search that misses some knows that they were not lost.
func (x *Index) remove(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, s state, ids []semblance.ReferenceID) error {
	if len(ids) == 0 || s.version == 0 {
		return nil
	}
	s.count = max(0, s.count-int64(len(ids)))
	if err := x.write(ctx, space.Signal(), c, s); err != nil {
		return err
	}
	for chunk := range slices.Chunk(ids, 4*batchPoints) {
		points := make([]*api.PointId, len(chunk))
		for i, id := range chunk {
			points[i] = pointID(space.Signal(), string(c), s.generation, string(id))
		}
		r, err := x.client.Delete(ctx, &api.DeletePoints{
			CollectionName: x.vectors(space.Signal()), Wait: api.PtrOf(true), Points: api.NewPointsSelector(points...), Ordering: strong(),
		})
		if err := x.done(ctx, "delete points", r, err); err != nil {
			return err
		}
	}
	return nil
}

// Drop implements semblance.VectorIndex. It proves by counting that nothing is left.
func (x *Index) Drop(ctx context.Context, c semblance.CollectionID) error {
	x.changes.Lock()
	defer x.changes.Unlock()
	there, err := x.client.CollectionExists(ctx, x.states())
	if err != nil {
		return x.failed(ctx, "say what it holds", err)
	}
	names, err := x.list(ctx)
	if err != nil {
		return err
	}
	if there { // first: what is being deleted is not held
		names = slices.Insert(names, 0, x.states())
	}
	for _, name := range names {
		f := &api.Filter{Must: []*api.Condition{ofCollection(c)}}
		if err := x.erase(ctx, name, f); err != nil {
			return err
		}
		switch n, err := x.count(ctx, name, f); {
		case err != nil:
			return err
		case n > 0:
			return semblance.Errorf(semblance.Internal, "Qdrant at %s still holds %d points of collection %s after deleting them", x.server, n, string(c)).
				WithHint("Somebody else may be filling it; stop that and delete again.")
		}
	}
	return nil
}

// discard erases a generation that broke off, when the server lets it. The next
// replacement would do it too, and nobody sees it until then.
func (x *Index) discard(ctx context.Context, name string, c semblance.CollectionID, generation string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), helloTimeout)
	defer cancel()
	_ = x.erase(ctx, name, &api.Filter{Must: []*api.Condition{ofCollection(c), ofGeneration(generation)}})
}

// begin checks a change, makes what it needs and returns what is held.
func (x *Index) begin(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, version int64) (state, error) {
	if version <= 0 {
		return state{}, semblance.Errorf(semblance.Invalid, "an index cannot hold version %d of a collection", version)
	}
	if err := x.ensureStates(ctx); err != nil {
		return state{}, err
	}
	if err := x.ensure(ctx, space); err != nil {
		return state{}, err
	}
	held, err := x.read(ctx, space.Signal(), c)
	return held[c], err
}

// fill uploads the entries of a generation, counts them, and returns how many
// there are.
func (x *Index) fill(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, generation string, entries iter.Seq2[semblance.VectorEntry, error]) (int64, error) {
	ids := map[semblance.ReferenceID]struct{}{}
	var batch []semblance.VectorEntry
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := x.upload(ctx, space, c, generation, batch)
		batch, size = batch[:0], 0
		return err
	}
	for e, err := range entries {
		if err == nil {
			err = index.CheckVector(space, e.Vector)
		}
		if err != nil {
			return 0, err
		}
		if s := bytesOf(e); len(batch) == batchPoints || size+s > batchBytes {
			if err := flush(); err != nil {
				return 0, err
			}
		}
		ids[e.ID] = struct{}{}
		batch, size = append(batch, clone(e)), size+bytesOf(e)
	}
	if err := flush(); err != nil {
		return 0, err
	}
	n, err := x.count(ctx, x.vectors(space.Signal()), &api.Filter{Must: []*api.Condition{ofCollection(c), ofGeneration(generation)}})
	if err == nil && n != int64(len(ids)) {
		err = semblance.Errorf(semblance.Conflict, "Qdrant at %s holds %d of %d points that were uploaded of collection %s", x.server, n, len(ids), string(c)).
			WithHint("Somebody else replaced the collection at the same time. Try again.")
	}
	return n, err
}

// upload writes one batch and waits until it is searched. An ID that is twice in
// it counts with its last entry.
func (x *Index) upload(ctx context.Context, space semblance.EngineSpec, c semblance.CollectionID, generation string, batch []semblance.VectorEntry) error {
	at := map[semblance.ReferenceID]int{}
	var points []*api.PointStruct
	for _, e := range batch {
		p := &api.PointStruct{
			Id: pointID(space.Signal(), string(c), generation, string(e.ID)), Vectors: api.NewVectorsDense(e.Vector),
			Payload: map[string]*api.Value{
				fieldCollection: api.NewValueString(string(c)), fieldGeneration: api.NewValueString(generation),
				fieldSubject: api.NewValueString(e.Subject), fieldReference: api.NewValueString(string(e.ID)),
			},
		}
		if e.Captured != 0 {
			p.Payload[fieldCaptured] = api.NewValueInt(int64(e.Captured))
		}
		if i, ok := at[e.ID]; ok {
			points[i] = p
			continue
		}
		at[e.ID] = len(points)
		points = append(points, p)
	}
	r, err := x.client.Upsert(ctx, &api.UpsertPoints{
		CollectionName: x.vectors(space.Signal()), Wait: api.PtrOf(true), Points: points, Ordering: strong(),
	})
	return x.done(ctx, "take points", r, err)
}

// batches cuts entries into uploads.
func batches(entries []semblance.VectorEntry) iter.Seq[[]semblance.VectorEntry] {
	return func(yield func([]semblance.VectorEntry) bool) {
		for len(entries) > 0 {
			n, size := 0, 0
			for n < min(len(entries), batchPoints) && (n == 0 || size+bytesOf(entries[n]) <= batchBytes) {
				size += bytesOf(entries[n])
				n++
			}
			if !yield(entries[:n]) {
				return
			}
			entries = entries[n:]
		}
	}
}

// bytesOf estimates the size of an entry in a message.
func bytesOf(e semblance.VectorEntry) int {
	return 4*len(e.Vector) + len(e.ID) + len(e.Subject) + pointBytes
}

// clone copies an entry whose vector its owner may use again.
func clone(e semblance.VectorEntry) semblance.VectorEntry {
	e.Vector = slices.Clone(e.Vector)
	return e
}

// others finds the points of a collection that are not of a generation; of all
// generations when it is "".
func others(c semblance.CollectionID, generation string) *api.Filter {
	f := &api.Filter{Must: []*api.Condition{ofCollection(c)}}
	if generation != "" {
		f.MustNot = []*api.Condition{ofGeneration(generation)}
	}
	return f
}
