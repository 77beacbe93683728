package semblance

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"
)

// Faces are put together by average linkage: of all pairs of clusters the two whose
// faces have the least mean squared distance are joined, again and again, until no two
// are within the threshold. The mean over all pairs of two clusters needs only what
// each keeps of itself,
//
//	mean |a-b|² = Q(A)/n(A) + Q(B)/n(B) - 2 S(A)·S(B) / (n(A) n(B)),
//
// with S the sum of a cluster's embeddings, Q that of their squared lengths and n their
// number. Of L2-normalised embeddings half of it is the mean cosine distance.
//
// A chain of faces, each near the next, does not join two persons as it does where the
// nearest pair decides: the mean of all pairs has to be small. Only faces of good
// quality are clusters; poor ones join afterwards and never count in a mean. Clusters
// that share a picture are never joined.
//
// Pairs of clusters that have no pair of faces within the wider threshold are not
// looked at: their mean cannot be within the narrower one.

// A linker joins clusters. Indices count clusters: first the groups that exist, which
// are never joined with each other, then faces in the order of their FaceRefs.
type linker struct {
	join    float64 // largest mean squared distance of what is joined
	near    float64 // and of what is suggested
	exist   int32   // clusters below are groups that exist
	sums    [][]float32
	squares []float64
	counts  []int32
	parent  []int32
	changed []int32   // how often a cluster has grown
	beside  [][]int32 // clusters that may be near; as they were once, see find
	frames  [][]int32 // sorted; only frames with several faces have a number
	queue   linkQueue
}

// A link is a pair of clusters that may be joined, a before b.
type link struct {
	distance           float64
	a, b               int32
	changedA, changedB int32
}

type linkQueue []link

// Len implements [heap.Interface].
func (q linkQueue) Len() int { return len(q) }

// Less implements [heap.Interface]: nearest first, then in the order of faces, so that
// the order in which links were found does not matter.
func (q linkQueue) Less(i, j int) bool {
	x, y := &q[i], &q[j]
	if x.distance != y.distance {
		return x.distance < y.distance
	}
	return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) < 0
}

// Swap implements [heap.Interface].
func (q linkQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements [heap.Interface].
func (q *linkQueue) Push(x any) { *q = append(*q, x.(link)) }

// Pop implements [heap.Interface].
func (q *linkQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// add adds a cluster and returns its index. Sum is not changed by the linker.
func (l *linker) add(sum []float32, squares float64, count int, frames ...int32) int32 {
	i := int32(len(l.sums))
	l.sums, l.squares, l.counts = append(l.sums, sum), append(l.squares, squares), append(l.counts, int32(count))
	l.parent, l.changed = append(l.parent, i), append(l.changed, 0)
	l.beside = append(l.beside, nil)
	l.frames = append(l.frames, frames)
	return i
}

// find returns the cluster that i has become part of.
func (l *linker) find(i int32) int32 {
	for l.parent[i] != i {
		l.parent[i] = l.parent[l.parent[i]]
		i = l.parent[i]
	}
	return i
}

// root is find without a trace, for use by several at once.
func (l *linker) root(i int32) int32 {
	for l.parent[i] != i {
		i = l.parent[i]
	}
	return i
}

// distance is the mean squared distance of two clusters.
func (l *linker) distance(a, b int32) float64 {
	na, nb := float64(l.counts[a]), float64(l.counts[b])
	return max(0, l.squares[a]/na+l.squares[b]/nb-2*dot(l.sums[a], l.sums[b])/(na*nb))
}

// dot is the inner product, the same on every processor: the conversions keep
// compilers from fusing.
func dot(a, b []float32) float64 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	n := len(a) &^ 3
	for i := 0; i < n; i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
	}
	for i := n; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return float64(s0) + float64(s1) + (float64(s2) + float64(s3))
}

// squareOf is the squared length of an embedding.
func squareOf(v []float32) float64 { return dot(v, v) }

// apart reports whether two clusters have faces in one picture.
func (l *linker) apart(a, b int32) bool { return meet(l.frames[a], l.frames[b]) }

// meet reports whether two sorted lists have something in common.
func meet(x, y []int32) bool {
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0] == y[0]:
			return true
		case x[0] < y[0]:
			x = x[1:]
		default:
			y = y[1:]
		}
	}
	return false
}

// connect says that two clusters may be near.
func (l *linker) connect(a, b int32) {
	if a != b && (a >= l.exist || b >= l.exist) && !l.apart(a, b) {
		l.beside[a] = append(l.beside[a], b)
		l.beside[b] = append(l.beside[b], a)
	}
}

// consider queues two clusters when they are near enough to be joined.
func (l *linker) consider(a, b int32) {
	if a > b {
		a, b = b, a
	}
	if b < l.exist || l.apart(a, b) {
		return
	}
	if d := l.distance(a, b); d <= l.join {
		heap.Push(&l.queue, link{d, a, b, l.changed[a], l.changed[b]})
	}
}

// begin queues everything that is connected.
func (l *linker) begin() {
	for a := range int32(len(l.beside)) {
		l.beside[a] = compact(l.beside[a])
		for _, b := range l.beside[a] {
			if a < b {
				l.consider(a, b)
			}
		}
	}
}

func compact(list []int32) []int32 {
	slices.Sort(list)
	return slices.Compact(list)
}

// run joins what is queued, nearest first.
func (l *linker) run(ctx context.Context) error {
	for n := 0; len(l.queue) > 0; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		x := heap.Pop(&l.queue).(link)
		if l.parent[x.a] == x.a && l.parent[x.b] == x.b && l.changed[x.a] == x.changedA && l.changed[x.b] == x.changedB {
			l.merge(x.a, x.b)
		}
	}
	return nil
}

// merge makes b part of a and looks at everything beside either again.
func (l *linker) merge(a, b int32) {
	l.sums[a] = plus(l.sums[a], l.sums[b], l.changed[a] > 0)
	l.squares[a] += l.squares[b]
	l.counts[a] += l.counts[b]
	l.parent[b] = a
	l.changed[a]++
	l.frames[a] = compact(slices.Concat(l.frames[a], l.frames[b]))
	all := append(l.beside[a], l.beside[b]...)
	l.sums[b], l.frames[b], l.beside[b] = nil, nil, nil
	for i, x := range all {
		all[i] = l.find(x)
	}
	all = compact(all)
	l.beside[a] = slices.DeleteFunc(all, func(x int32) bool { return x == a })
	for _, x := range l.beside[a] {
		l.consider(a, x)
	}
}

// plus returns x + y, in the memory of x when it is the linker's own.
func plus(x, y []float32, own bool) []float32 {
	if !own {
		x = slices.Clone(x)
	}
	for i := range x {
		x[i] += y[i]
	}
	return x
}

// roots lists the clusters that are left, in order.
func (l *linker) roots() []int32 {
	var out []int32
	for i := range int32(len(l.parent)) {
		if l.parent[i] == i {
			out = append(out, i)
		}
	}
	return out
}

// complete looks for what short lists of neighbors hide: a cluster of more faces than
// a list is long can have all of them within itself. Such clusters are compared with
// every other.
func (l *linker) complete(ctx context.Context, listed int) error {
	for {
		roots := l.roots()
		for _, a := range roots {
			if int(l.counts[a]) < listed/2 {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			for _, b := range roots {
				if a != b && (b < a || int(l.counts[b]) < listed/2) && l.distance(a, b) <= l.near {
					l.connect(a, b)
					l.consider(a, b)
				}
			}
		}
		if len(l.queue) == 0 {
			return nil
		}
		if err := l.run(ctx); err != nil {
			return err
		}
	}
}

// A nearPair is two clusters that were left apart.
type nearPair struct {
	a, b     int32
	distance float64
}

// nearPerGroup is how many suggestions a group gets.
const nearPerGroup = 3

// nearest lists the pairs of clusters within the wider threshold that have no picture
// in common, nearest first, a few for each cluster.
func (l *linker) nearest() []nearPair {
	var all []nearPair
	for _, a := range l.roots() {
		seen := []int32{}
		for _, b := range l.beside[a] {
			seen = append(seen, l.find(b))
		}
		for _, b := range compact(seen) {
			if a < b && (b >= l.exist || l.changed[a]+l.changed[b] > 0) && !l.apart(a, b) {
				if d := l.distance(a, b); d <= l.near {
					all = append(all, nearPair{a, b, d})
				}
			}
		}
	}
	slices.SortFunc(all, func(x, y nearPair) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	had := map[int32]int{}
	return slices.DeleteFunc(all, func(p nearPair) bool {
		had[p.a]++
		had[p.b]++
		return had[p.a] > nearPerGroup && had[p.b] > nearPerGroup
	})
}

// asSquare turns a distance of a metric into the mean squared distance it stands for.
func (m Metric) asSquare(d float64) float64 {
	if m == Cosine {
		return 2 * d
	}
	return d * d
}

// fromSquare is the opposite of asSquare.
func (m Metric) fromSquare(s float64) float64 {
	if m == Cosine {
		return s / 2
	}
	return math.Sqrt(s)
}
