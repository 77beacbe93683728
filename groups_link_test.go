package semblance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainLinkage is what the linker does, word for word and with nothing kept: the two
// clusters with the least mean over all pairs of faces are joined as long as it is
// within the threshold and they have no picture in common.
func plainLinkage(faces [][]float32, pictures []int32, join float64) [][]int {
	clusters := make([][]int, len(faces))
	for i := range faces {
		clusters[i] = []int{i}
	}
	for {
		best, x, y := math.Inf(1), 0, 0
		for i, a := range clusters {
			for j := i + 1; j < len(clusters); j++ {
				if d := plainMean(faces, pictures, a, clusters[j]); d < best {
					best, x, y = d, i, j
				}
			}
		}
		if best > join {
			return clusters
		}
		clusters[x] = append(clusters[x], clusters[y]...)
		slices.Sort(clusters[x])
		clusters = slices.Delete(clusters, y, y+1)
	}
}

func plainMean(faces [][]float32, pictures []int32, a, b []int) float64 {
	sum := 0.0
	for _, i := range a {
		for _, j := range b {
			if pictures[i] == pictures[j] {
				return math.Inf(1)
			}
			d := Euclid.Distance(faces[i], faces[j])
			sum += d * d
		}
	}
	return sum / float64(len(a)*len(b))
}

// cloud draws faces of persons; everyone's lie around a middle of their own.
func cloud(r *rand.Rand, persons, each, dims int, width float64) (faces [][]float32) {
	for range persons {
		middle := make([]float64, dims)
		for i := range middle {
			middle[i] = r.NormFloat64()
		}
		for range each {
			v := make([]float32, dims)
			for i := range v {
				v[i] = float32(middle[i] + width*r.NormFloat64())
			}
			faces = append(faces, v)
		}
	}
	return faces
}

func linked(t *testing.T, faces [][]float32, pictures []int32, join, near float64, beside func(i, j int) bool) [][]int {
	t.Helper()
	l := &linker{join: join, near: near}
	for i, f := range faces {
		l.add(f, squareOf(f), 1, pictures[i])
	}
	for i := range faces {
		for j := range i {
			if beside(i, j) {
				l.connect(int32(i), int32(j))
			}
		}
	}
	l.begin()
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l.partition(len(faces))
}

func (l *linker) partition(n int) [][]int {
	at := map[int32]int{}
	var out [][]int
	for i := range n {
		r := l.find(int32(i))
		if _, ok := at[r]; !ok {
			at[r] = len(out)
			out = append(out, nil)
		}
		out[at[r]] = append(out[at[r]], i)
	}
	return out
}

// TestLinkerIsAverageLinkage: sums, queues and short lists give what the definition
// gives, pictures of several faces included.
func TestLinkerIsAverageLinkage(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		faces := cloud(r, 8, 6, 12, 0.3+r.Float64()*0.6)
		pictures := make([]int32, len(faces))
		for i := range pictures {
			pictures[i] = int32(r.IntN(len(faces))) // some have several faces
		}
		join := 2 + 14*r.Float64()
		want := plainLinkage(faces, pictures, join)
		got := linked(t, faces, pictures, join, 1.5*join, func(i, j int) bool {
			d := Euclid.Distance(faces[i], faces[j])
			return d*d <= 1.5*join
		})
		slices.SortFunc(want, func(a, b []int) int { return a[0] - b[0] })
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("seed %d, threshold %.2f:\n got %v\nwant %v", seed, join, got, want)
		}
	}
}

// TestChainJoinsNobody: faces each near the next, as of siblings, stay apart where the
// nearest pair alone would have joined the two ends.
func TestChainJoinsNobody(t *testing.T) {
	t.Parallel()
	var faces [][]float32
	pictures := make([]int32, 40)
	for i := range 40 {
		faces = append(faces, []float32{float32(i) * 0.9, 0})
		pictures[i] = int32(i)
	}
	got := linked(t, faces, pictures, 1, 4, func(int, int) bool { return true })
	if len(got) < 20 {
		t.Errorf("40 faces in a row of steps within the threshold gave %d groups: %v", len(got), got)
	}
}

// TestLongListsAreCompleted: two halves of one person, each larger than a list of
// neighbors, know only themselves; they are joined all the same.
func TestLongListsAreCompleted(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	faces := cloud(r, 1, 60, 8, 0.1)
	l := &linker{join: 1, near: 2}
	for i, f := range faces {
		l.add(f, squareOf(f), 1)
		for j := range i {
			if i < 30 == (j < 30) {
				l.connect(int32(i), int32(j))
			}
		}
	}
	l.begin()
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(l.roots()); got != 2 {
		t.Fatalf("%d clusters before, want the two halves", got)
	}
	if err := l.complete(t.Context(), 32); err != nil {
		t.Fatal(err)
	}
	if got := len(l.roots()); got != 1 {
		t.Errorf("%d clusters, want one", got)
	}
}

// TestExistingGroupsAreNotJoined: a new face between two groups joins the nearer one and
// makes a suggestion of the other.
func TestExistingGroupsAreNotJoined(t *testing.T) {
	t.Parallel()
	l := &linker{join: 1, near: 4, exist: 2}
	l.add([]float32{0, 0}, 0, 1)
	l.add([]float32{1, 0}, 1, 1)
	l.add([]float32{0.4, 0}, squareOf([]float32{0.4, 0}), 1)
	l.connect(0, 1)
	l.connect(0, 2)
	l.connect(1, 2)
	l.begin()
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.partition(3); !slices.EqualFunc(got, [][]int{{0, 2}, {1}}, slices.Equal) {
		t.Errorf("clusters %v, want the face in the first group", got)
	}
	if near := l.nearest(); len(near) != 1 || near[0].a != 0 || near[0].b != 1 {
		t.Errorf("suggestions %v, want the two groups", near)
	}
}

// TestSquares: the thresholds of both metrics come back as they were given.
func TestSquares(t *testing.T) {
	t.Parallel()
	a, b := []float32{0.6, 0.8}, []float32{1, 0}
	l := &linker{}
	l.add(a, squareOf(a), 1)
	l.add(b, squareOf(b), 1)
	for _, m := range []Metric{Cosine, Euclid} {
		if got, want := m.fromSquare(l.distance(0, 1)), m.Distance(a, b); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: the mean distance of two faces is %v, their distance %v", m, got, want)
		}
		if got := m.fromSquare(m.asSquare(0.35)); math.Abs(got-0.35) > 1e-12 {
			t.Errorf("%s: 0.35 came back as %v", m, got)
		}
	}
}
