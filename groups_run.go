package semblance

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// GroupCoreQuality is the quality from which a face can begin or join groups; one that
// is poorer joins a group that is there and decides nothing.
const GroupCoreQuality = 40

// groupDistances are the thresholds of the engines; docs/groups.md says how they were
// chosen, and on whom. An engine that is not here needs one from the person who asks.
func groupDistances(e EngineName) (join, near float64, ok bool) {
	switch e {
	case YuNetMobileFaceNet:
		return 0.35, 0.5, true
	case YuNetDlib, DlibHOG:
		return 0.3, 0.4, true
	}
	return 0, 0, false
}

// A GroupRequest asks for the faces of cases to be grouped.
type GroupRequest struct {
	Cases    []string // numbers
	All      bool     // instead of Cases: every case there is
	Engine   EngineName
	Fresh    bool    // begin again; groups edited by hand stay
	Distance float64 // 0: the engine's own
	Progress func(done, total int)
}

// A GroupResult is what a run did.
type GroupResult struct {
	Grouping Grouping         `json:"grouping"`
	Media    int              `json:"media"`  // looked at
	Faces    int              `json:"faces"`  // new to the grouping
	Joined   int              `json:"joined"` // of them, into groups that were there
	Formed   int              `json:"formed"` // new groups of several faces
	Alone    int              `json:"alone"`  // new faces that are by themselves
	Gone     int              `json:"gone"`   // faces that are no longer found in their media
	Near     int              `json:"near"`   // pairs of groups to look at
	LeftOut  []GroupExclusion `json:"left_out"`
	Seconds  float64          `json:"seconds"`
	Limits   string           `json:"limits"`
}

// GroupFaces puts the faces of cases into groups. A first run, or a fresh one, gives the
// same groups for the same faces whatever order they came in. A later run adds what is
// new: it puts faces into groups that are there or into new ones, and never takes a
// group apart, moves a face that has company, or joins two groups that exist.
func (e *Engine) GroupFaces(ctx context.Context, who Actor, r GroupRequest) (GroupResult, error) {
	start := time.Now()
	scope, err := e.groupScope(ctx, r.Cases, r.All, r.Engine)
	if err != nil {
		return GroupResult{}, err
	}
	in, err := e.Groupings.Ungrouped(ctx, scope, r.Fresh)
	if err != nil {
		return GroupResult{}, err
	}
	fresh := r.Fresh && in.Grouping.ID != ""
	if in.Grouping, err = groupThresholds(in.Grouping, scope, r, fresh); err != nil {
		return GroupResult{}, err
	}
	var cores []GroupCore
	if in.Grouping.ID != "" {
		if cores, err = e.Groupings.GroupCores(ctx, in.Grouping.ID, fresh); err != nil {
			return GroupResult{}, err
		}
	}
	run, err := e.place(ctx, scope, in, cores, r.Progress)
	if err != nil {
		return GroupResult{}, err
	}
	run.Fresh = fresh
	res := run.result()
	res.LeftOut = append(some(in.LeftOut), run.leftOut...)
	res.Limits = scope.Engine.Limits
	ev := e.groupEvent(who, "group.run", scope, map[string]any{"engine": scope.Engine.Signal(), "distance": run.Grouping.Distance,
		"fresh": r.Fresh, "media": res.Media, "faces": res.Faces, "formed": res.Formed, "joined": res.Joined, "gone": res.Gone})
	if res.Grouping, err = e.Groupings.SaveGroups(ctx, run.GroupRun, ev); err != nil {
		return GroupResult{}, err
	}
	res.Seconds = math.Round(time.Since(start).Seconds()*1000) / 1000
	return res, nil
}

// some is list, and never nil.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// groupScope resolves whose faces are meant.
func (e *Engine) groupScope(ctx context.Context, numbers []string, all bool, name EngineName) (GroupScope, error) {
	spec, err := EngineByName(name)
	s := GroupScope{Engine: spec, All: all}
	if err != nil {
		return s, err
	}
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	switch {
	case all && len(numbers) > 0:
		return s, Errorf(Invalid, "cases are named and all are asked for").WithHint("Give --case NUMBER,... or --all, not both.")
	case all:
		s.Cases, err = e.Cases.Cases(ctx)
		if err == nil && len(s.Cases) == 0 {
			err = Errorf(NotFound, "there is no case yet").WithHint("Create one with `semblance case create` and scan an exhibit.")
		}
		return s, err
	case len(numbers) == 0:
		return s, Errorf(Invalid, "no case was named whose faces are grouped").
			WithHint("Name one or more with --case NUMBER,NUMBER; only their faces are looked at. --all takes every case.")
	}
	for _, n := range numbers {
		c, err := e.Cases.Case(ctx, n)
		if err != nil {
			return s, err
		}
		s.Cases = append(s.Cases, c)
	}
	return s, nil
}

// groupEvent starts an audit event that is about several cases.
func (e *Engine) groupEvent(who Actor, action string, s GroupScope, detail map[string]any) AuditEvent {
	ev := e.event(who, action, nil)
	if len(s.Cases) == 1 {
		ev = e.event(who, action, &s.Cases[0])
	}
	var cases []map[string]string
	for _, c := range s.Cases {
		cases = append(cases, map[string]string{"case": c.Number, "purpose": c.Purpose, "basis": c.Basis})
	}
	detail["cases"] = cases
	ev.Detail = detail
	return ev
}

// groupThresholds decides the thresholds of a run: a grouping keeps those it began with.
func groupThresholds(g Grouping, s GroupScope, r GroupRequest, fresh bool) (Grouping, error) {
	if d := r.Distance; math.IsNaN(d) || d < 0 || d > 2 {
		return g, Errorf(Invalid, "the distance %g cannot be used", d).WithHint("Give one above 0 and up to 2; without one the engine's own is taken.")
	}
	if g.ID != "" && !fresh {
		if r.Distance != 0 && r.Distance != g.Distance {
			return g, Errorf(Conflict, "these faces were grouped at distance %.4f, and groups of two distances would not mean the same", g.Distance).
				WithHint("Say --fresh to begin again at %.4f; groups edited by hand stay.", r.Distance)
		}
		return g, nil
	}
	g.Engine, g.Version, g.All = s.Engine.Name, s.Engine.Version, s.All
	join, near, ok := groupDistances(s.Engine.Name)
	switch {
	case r.Distance != 0:
		g.Distance, g.NearDistance = r.Distance, max(near, r.Distance)
	case ok:
		g.Distance, g.NearDistance = join, near
	default:
		return g, Errorf(Invalid, "no distance for grouping was measured for engine %s", s.Engine.Name).
			WithHint("Give one with --distance; `semblance evaluate` shows the distances of pictures whose persons you know.")
	}
	return g, nil
}

// A placement is a run while it is made.
type placement struct {
	GroupRun
	linker
	scope      GroupScope
	cores      []GroupCore
	core       []GroupFace // new faces that count
	poor       []GroupFace // new faces that do not
	leftOut    []GroupExclusion
	frameOf    map[pictureKey]int32    // pictures with several faces
	remade     []bool                  // by core: its sum was not known
	again      map[GroupID][]GroupFace // held faces whose media were examined again
	besidePoor [][]int32               // by poor face: new faces near it; nil where there are few faces
}

// A pictureKey names what two faces cannot be of one person in.
type pictureKey struct {
	media SHA256
	frame int
}

// place decides where every new face goes.
func (e *Engine) place(ctx context.Context, scope GroupScope, in GroupInput, cores []GroupCore, progress func(done, total int)) (*placement, error) {
	p := &placement{GroupRun: GroupRun{Scope: scope, Grouping: in.Grouping, Media: in.Media}, scope: scope}
	faces := p.rebind(in)
	faces = p.usable(faces)
	p.number(faces, in.Held)
	p.clusters(cores, in.Held, faces)
	if progress == nil {
		progress = func(int, int) {}
	}
	if err := p.connectNew(ctx, e.Vectors, progress); err != nil {
		return nil, err
	}
	p.begin()
	if err := p.run(ctx); err != nil {
		return nil, err
	}
	if len(p.core) > bruteFaces {
		if err := p.complete(ctx, groupNeighbors); err != nil {
			return nil, err
		}
	}
	if err := p.placings(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// rebind finds the faces that a grouping holds of a media again after the media was
// examined anew, so that its groups and edits by hand live on, and returns those that
// are new.
func (p *placement) rebind(in GroupInput) []GroupFace {
	type candidate struct {
		overlap  float64
		held, at int
	}
	byMedia := map[SHA256][]int{}
	for i, h := range in.Held {
		byMedia[h.Ref.Media] = append(byMedia[h.Ref.Media], i)
	}
	var list []candidate
	for at, f := range in.Faces {
		for _, i := range byMedia[f.Media] {
			h := in.Held[i]
			if o := overlap(h.Box, f.Box); h.Frame == f.Frame && o >= 0.5 {
				list = append(list, candidate{o, i, at})
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.overlap, a.overlap), cmp.Compare(a.held, b.held), cmp.Compare(a.at, b.at))
	})
	p.again = map[GroupID][]GroupFace{}
	bound, known := make([]bool, len(in.Held)), make([]bool, len(in.Faces))
	for _, c := range list {
		if bound[c.held] || known[c.at] {
			continue
		}
		bound[c.held], known[c.at] = true, true
		h := in.Held[c.held]
		if f := in.Faces[c.at]; h.Gone || h.Ref != f.FaceRef {
			h.Ref, h.Box, h.Gone = f.FaceRef, f.Box, false
			p.Rebound = append(p.Rebound, h)
			f.Poor = f.Quality < GroupCoreQuality
			p.again[h.Group] = append(p.again[h.Group], f)
		}
	}
	for i, h := range in.Held {
		if !bound[i] {
			p.Gone = append(p.Gone, h)
		}
	}
	var fresh []GroupFace
	for at, f := range in.Faces {
		if !known[at] {
			fresh = append(fresh, f)
		}
	}
	return fresh
}

// overlap is the area that two boxes share over the area that either covers.
func overlap(a, b Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return float64(w*h) / float64(a.W*a.H+b.W*b.H-w*h)
}

// usable leaves out what cannot be compared, and says so.
func (p *placement) usable(faces []GroupFace) []GroupFace {
	poor, broken := 0, 0
	out := slices.DeleteFunc(faces, func(f GroupFace) bool {
		s := squareOf(f.Embedding)
		switch {
		case f.Quality < MinSearchableQuality || f.Embedding == nil:
			poor++
		case len(f.Embedding) != p.scope.Engine.Dimensions || math.IsNaN(s) || math.IsInf(s, 0) || s == 0 || p.scope.Engine.Metric == Cosine && math.Abs(math.Sqrt(s)-1) > 1e-3:
			broken++
		default:
			return false
		}
		return true
	})
	if poor > 0 {
		p.leftOut = append(p.leftOut, GroupExclusion{Faces: poor, Reason: "too poor to be compared: their distances mean nothing"})
	}
	if broken > 0 {
		p.leftOut = append(p.leftOut, GroupExclusion{Faces: broken, Reason: "their embedding is zero, not finite or of another length; scan the exhibit again"})
	}
	return out
}

// number gives pictures with several faces a number.
func (p *placement) number(faces []GroupFace, held []HeldFace) {
	p.frameOf = map[pictureKey]int32{}
	seen := map[pictureKey]int{}
	count := func(k pictureKey) {
		if seen[k]++; seen[k] == 2 {
			p.frameOf[k] = int32(len(p.frameOf))
		}
	}
	for _, f := range faces {
		count(pictureKey{f.Media, f.Frame})
	}
	for _, h := range held {
		count(pictureKey{h.Ref.Media, h.Frame})
	}
}

func (p *placement) picture(media SHA256, frame int) []int32 {
	if n, ok := p.frameOf[pictureKey{media, frame}]; ok {
		return []int32{n}
	}
	return nil
}

// clusters fills the linker: groups that exist first, then new faces that count.
func (p *placement) clusters(cores []GroupCore, held []HeldFace, faces []GroupFace) {
	m := p.scope.Engine.Metric
	p.join, p.near = m.asSquare(p.Grouping.Distance), m.asSquare(p.Grouping.NearDistance)
	pictures := map[GroupID][]int32{}
	for _, h := range held {
		pictures[h.Group] = append(pictures[h.Group], p.picture(h.Ref.Media, h.Frame)...)
	}
	for _, c := range cores {
		remade := c.Vector == nil
		if remade {
			c.Faces = append(c.Faces, p.again[c.Group]...)
			c = c.made()
		}
		if c.Vector == nil {
			continue // all of its faces are gone
		}
		c.Faces = nil
		p.cores, p.remade = append(p.cores, c), append(p.remade, remade)
		p.add(c.Vector, c.Squares, max(c.Count, 1), compact(pictures[c.Group])...)
	}
	p.exist = int32(len(p.cores))
	for _, f := range faces {
		if f.Quality < GroupCoreQuality {
			f.Poor = true
			p.poor = append(p.poor, f)
			continue
		}
		p.core = append(p.core, f)
		p.add(f.Embedding, squareOf(f.Embedding), 1, p.picture(f.Media, f.Frame)...)
	}
}

// made sums up the faces of a group whose sum is not known.
func (c GroupCore) made() GroupCore {
	c.Count, c.Squares = 0, 0
	for _, f := range c.Faces {
		if !f.Poor && f.Embedding != nil {
			c.Vector, c.Squares, c.Count = sumUp(c.Vector, f.Embedding), c.Squares+squareOf(f.Embedding), c.Count+1
		}
	}
	for i := 0; c.Count == 0 && i < len(c.Faces); i++ { // stands in, and is never joined by what is found near it
		if f := c.Faces[i]; f.Embedding != nil {
			c.Vector, c.Squares = f.Embedding, squareOf(f.Embedding)
			break
		}
	}
	return c
}

func sumUp(sum, v []float32) []float32 {
	if sum == nil {
		return slices.Clone(v)
	}
	return plus(sum, v, true)
}

const (
	// groupNeighbors is how many neighbors of a face are looked at where there are many
	// faces; linker.complete finds what lies beyond.
	groupNeighbors = 32
	// bruteFaces is up to how many new faces are compared with each other directly.
	bruteFaces = 2048
	// queryFaces is how many go through the index together.
	queryFaces = 64
)

// connectNew connects every new face that counts with what may be near: new faces, and
// groups that exist.
func (p *placement) connectNew(ctx context.Context, index VectorIndex, progress func(done, total int)) error {
	n := int32(len(p.core))
	if n > bruteFaces {
		if err := p.connectByIndex(ctx, index, progress); err != nil {
			return err
		}
	}
	return p.eachNew(ctx, func(i int32) []int32 {
		a := p.exist + i
		last := p.exist
		if n <= bruteFaces {
			last = a
		}
		var out []int32
		for b := range last {
			if (b >= p.exist || p.cores[b].Count > 0) && p.distance(a, b) <= p.near {
				out = append(out, b)
			}
		}
		return out
	})
}

// eachNew calls f for every new face, on all processors, and connects what it returns.
func (p *placement) eachNew(ctx context.Context, f func(i int32) []int32) error {
	found := make([][]int32, len(p.core))
	err := parallel(ctx, len(p.core), 16, func(from, to int) error {
		for i := from; i < to; i++ {
			found[i] = f(int32(i))
		}
		return nil
	})
	for i, list := range found {
		for _, b := range list {
			p.connect(p.exist+int32(i), b)
		}
	}
	return err
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
	for i, list := range found[:len(p.core)] {
		for _, b := range list {
			p.connect(p.exist+int32(i), p.exist+b)
		}
	}
	p.besidePoor = found[len(p.core):]
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
