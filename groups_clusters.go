package semblance

import (
	"cmp"
	"context"
	"math"
	"slices"
)

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
	moments    map[SHA256][]moment     // of videos with several faces at one time, in order
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

// unitSlack is how far from 1 the length of an embedding compared by cosine may be: below
// what the indexes refuse, so that one face never fails a run.
const unitSlack = 5e-5

// usable leaves out what cannot be compared, and says so.
func (p *placement) usable(faces []GroupFace) []GroupFace {
	poor, broken := 0, 0
	out := slices.DeleteFunc(faces, func(f GroupFace) bool {
		s := squareOf(f.Embedding)
		switch {
		case f.Quality < MinSearchableQuality || f.Embedding == nil:
			poor++
		case len(f.Embedding) != p.scope.Engine.Dimensions || math.IsNaN(s) || math.IsInf(s, 0) || s == 0 || p.scope.Engine.Metric == Cosine && math.Abs(math.Sqrt(s)-1) > unitSlack:
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
		p.leftOut = append(p.leftOut, GroupExclusion{Faces: broken, Reason: "their embedding is zero, not finite, not normalized or of another length; scan the exhibit again"})
	}
	return out
}

// number gives pictures with several faces a number, and moments of videos.
func (p *placement) number(faces []GroupFace, held []HeldFace) {
	p.frameOf, p.moments = map[pictureKey]int32{}, map[SHA256][]moment{}
	seen, next := map[pictureKey]int{}, int32(0)
	videos := map[SHA256][]Appearance{}
	count := func(media SHA256, frame int, a *Appearance) {
		if a != nil {
			videos[media] = append(videos[media], *a)
			return
		}
		k := pictureKey{media, frame}
		if seen[k]++; seen[k] == 2 {
			p.frameOf[k] = next
			next++
		}
	}
	for _, f := range faces {
		count(f.Media, f.Frame, f.Appearance)
	}
	for _, h := range held {
		count(h.Ref.Media, h.Frame, h.Appearance)
	}
	for media, list := range videos {
		for _, at := range shared(list) {
			p.moments[media] = append(p.moments[media], moment{at, next})
			next++
		}
	}
}

// A moment is a time of a video at which several faces are seen. Two appearances have
// one in common exactly when their times overlap: where the later of them begins.
type moment struct {
	at     float64
	number int32
}

// shared lists, in order, the beginnings of appearances at which another goes on.
func shared(list []Appearance) []float64 {
	var out []float64
	for _, a := range list {
		n := 0
		for _, b := range list {
			if b.From <= a.From && a.From <= b.Until {
				n++
			}
		}
		if n > 1 {
			out = append(out, a.From)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// picture numbers what a face cannot share with another of the same person: its picture,
// or the moments of its appearance.
func (p *placement) picture(media SHA256, frame int, a *Appearance) (numbers []int32) {
	if a != nil {
		for _, m := range p.moments[media] {
			if a.From <= m.at && m.at <= a.Until {
				numbers = append(numbers, m.number)
			}
		}
		return numbers
	}
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
		pictures[h.Group] = append(pictures[h.Group], p.picture(h.Ref.Media, h.Frame, h.Appearance)...)
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
		p.add(f.Embedding, squareOf(f.Embedding), 1, p.picture(f.Media, f.Frame, f.Appearance)...)
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
