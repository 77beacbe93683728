package semblance

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

const (
	// groupNeighbors is how many neighbors of a face are looked at where there are many
	// faces; linker.complete finds what lies beyond.
	groupNeighbors = 32
	// bruteFaces is up to how many new faces are compared with each other directly.
	bruteFaces = 2048
	// targetClusters is how many clusters are compared with all new faces together.
	targetClusters = 64
	// queryFaces is how many go through the index together.
	queryFaces = 64
)

// connectNew connects every new face with what may be near: new faces that count, and
// groups that exist.
func (p *placement) connectNew(ctx context.Context, index VectorIndex, progress func(done, total int)) error {
	p.besidePoor = make([][]int32, len(p.poor))
	targets := len(p.sums)
	if len(p.core) > bruteFaces {
		if err := p.connectByIndex(ctx, index, progress); err != nil {
			return err
		}
		targets = int(p.exist)
	}
	found := make([][]besideNew, targets/targetClusters+1)
	err := parallel(ctx, targets, targetClusters, func(from, to int) error {
		found[from/targetClusters] = p.compare(int32(from), int32(to))
		return nil
	})
	for _, list := range found {
		for _, x := range list {
			p.besides(x.face, x.cluster)
		}
	}
	return err
}

// A besideNew is a new face, counted as by faceOf, and a cluster that may be near it.
type besideNew struct{ face, cluster int32 }

// besides notes that a new face may be near a cluster.
func (p *placement) besides(face, cluster int32) {
	if i := int(face) - len(p.core); i >= 0 {
		p.besidePoor[i] = append(p.besidePoor[i], cluster)
		return
	}
	p.connect(p.exist+face, cluster)
}

// faceOf is a new face: those that count first, then the poor ones.
func (p *placement) faceOf(i int) GroupFace {
	if i < len(p.core) {
		return p.core[i]
	}
	return p.poor[i-len(p.core)]
}

// compare compares the clusters from from to to, which stay in the processor's cache,
// with every new face.
func (p *placement) compare(from, to int32) []besideNew {
	var out []besideNew
	for i := range int32(len(p.core) + len(p.poor)) {
		v := p.faceOf(int(i)).Embedding
		square, last := squareOf(v), to
		if int(i) < len(p.core) {
			last = min(to, p.exist+i) // of two new faces the later one looks for the earlier
		}
		for b := from; b < last; b++ {
			if (b >= p.exist || p.cores[b].Count > 0) && p.toCluster(v, square, b) <= p.near {
				out = append(out, besideNew{i, b})
			}
		}
	}
	return out
}

// toCluster is the mean squared distance of an embedding from the faces of a cluster.
func (l *linker) toCluster(v []float32, square float64, b int32) float64 {
	n := float64(l.counts[b])
	return max(0, square+l.squares[b]/n-2*dot(v, l.sums[b])/n)
}

// connectByIndex finds the nearest neighbors of every new face among those that count.
func (p *placement) connectByIndex(ctx context.Context, index VectorIndex, progress func(done, total int)) error {
	id := CollectionID("grouping-" + NewID())
	defer func() { _ = index.Drop(context.WithoutCancel(ctx), id) }() // nothing refers to it any more
	if err := index.Replace(ctx, p.scope.Engine, id, 1, p.entries()); err != nil {
		return fmt.Errorf("index the faces: %w", err)
	}
	faces := slices.Concat(p.core, p.poor)
	found := make([][]int32, len(faces))
	var done atomic.Int64
	err := parallel(ctx, len(faces), queryFaces, func(from, to int) error {
		vectors := make([][]float32, 0, to-from)
		for _, f := range faces[from:to] {
			vectors = append(vectors, f.Embedding)
		}
		near, err := index.Search(ctx, VectorQuery{Space: p.scope.Engine, Collections: []CollectionID{id}, Vectors: vectors, Subjects: groupNeighbors + 1})
		if err != nil {
			return err
		}
		for i, list := range near {
			found[from+i] = p.within(list)
		}
		progress(int(done.Add(int64(to-from))), len(faces))
		return nil
	})
	if err != nil {
		return err
	}
	for i, list := range found {
		for _, b := range list {
			p.besides(int32(i), p.exist+b)
		}
	}
	return nil
}

// entries are the new faces as an index holds them, each its own subject.
func (p *placement) entries() iter.Seq2[VectorEntry, error] {
	return func(yield func(VectorEntry, error) bool) {
		for i, f := range p.core {
			id := fmt.Sprintf("%09d", i) // sorts as the faces do
			if !yield(VectorEntry{ID: ReferenceID(id), Subject: id, Vector: f.Embedding}, nil) {
				return
			}
		}
	}
}

// within lists the neighbors within the wider threshold.
func (p *placement) within(list []Neighbor) []int32 {
	var out []int32
	for _, n := range list {
		if p.scope.Engine.Metric.asSquare(n.Distance) <= p.near {
			i, _ := strconv.ParseInt(string(n.ID), 10, 32) // ours, see entries
			out = append(out, int32(i))
		}
	}
	return out
}

// parallel calls f for all of n in pieces, on all processors.
func parallel(ctx context.Context, n, piece int, f func(from, to int) error) error {
	var next atomic.Int64
	var first error
	var once sync.Once
	var all sync.WaitGroup
	for range processors() {
		all.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(int64(piece))) - piece
				if from >= n {
					return
				}
				if err := f(from, min(from+piece, n)); err != nil {
					once.Do(func() { first = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	all.Wait()
	if first != nil {
		return first
	}
	return ctx.Err()
}

// processors is how many things are done at once.
func processors() int { return runtime.GOMAXPROCS(0) }
