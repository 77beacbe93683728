package semblance

import (
	"cmp"
	"context"
	"slices"
)

// placings turns clusters into what is stored, and lets poor faces join them.
func (p *placement) placings(ctx context.Context) error {
	at := map[int32]int{} // cluster -> placing
	for _, a := range p.roots() {
		if a >= p.exist || p.changed[a] > 0 || p.remade[a] {
			p.placing(at, a).Core = p.coreOf(a)
		}
	}
	for i, f := range p.core {
		g := p.placing(at, p.find(p.exist+int32(i)))
		g.Joined = append(g.Joined, f)
	}
	if err := p.joinPoor(ctx, at); err != nil {
		return err
	}
	for _, n := range p.nearest() {
		p.placing(at, n.a)
		p.placing(at, n.b)
		p.Near = append(p.Near, NearPlacing{A: at[n.a], B: at[n.b], Distance: p.scope.Engine.Metric.fromSquare(n.distance)})
	}
	return nil
}

// placing returns the placing of a cluster, made when it is the first time.
func (p *placement) placing(at map[int32]int, a int32) *GroupPlacing {
	i, ok := at[a]
	if !ok {
		i = len(p.Placings)
		at[a] = i
		p.Placings = append(p.Placings, GroupPlacing{})
		if a < p.exist {
			p.Placings[i].Group = p.cores[a].Group
		}
	}
	return &p.Placings[i]
}

// coreOf is what is kept of a cluster.
func (p *placement) coreOf(a int32) GroupCore {
	c := GroupCore{Vector: p.sums[a], Squares: p.squares[a], Count: int(p.counts[a])}
	if a < p.exist && p.cores[a].Count == 0 {
		c.Count = 0
	}
	return c
}

// A poorLink is a poor face, or a group of one, and a cluster it may join.
type poorLink struct {
	distance float64
	poor     int   // of p.poor; those that are groups follow
	to       int32 // cluster
}

// joinPoor lets every poor face join the nearest cluster, the nearest pairs first. What
// joins is not counted in any mean. Poor faces never join each other: they are all
// alike. A group of one poor face is tried again with clusters that are new.
func (p *placement) joinPoor(ctx context.Context, at map[int32]int) error {
	waiting := p.waiting()
	links, err := p.poorLinks(ctx, waiting)
	if err != nil {
		return err
	}
	joined := make([]bool, len(p.poor)+len(waiting))
	for _, x := range links {
		frames := p.poorFrames(x.poor, waiting)
		if joined[x.poor] || meet(frames, p.frames[x.to]) {
			continue
		}
		joined[x.poor] = true
		p.frames[x.to] = compact(slices.Concat(p.frames[x.to], frames))
		g := p.placing(at, x.to)
		if x.poor < len(p.poor) {
			g.Joined = append(g.Joined, p.poor[x.poor])
		} else {
			g.Moved = append(g.Moved, p.cores[waiting[x.poor-len(p.poor)]].Group)
		}
	}
	for i, f := range p.poor {
		if !joined[i] {
			p.Placings = append(p.Placings, GroupPlacing{Joined: []GroupFace{f},
				Core: GroupCore{Vector: f.Embedding, Squares: squareOf(f.Embedding)}})
		}
	}
	return nil
}

// waiting lists the groups of one poor face that no hand has touched.
func (p *placement) waiting() []int32 {
	var out []int32
	for a := range p.exist {
		if c := p.cores[a]; c.Count == 0 && c.Poor == 1 && !c.Edited && !p.remade[a] {
			out = append(out, a)
		}
	}
	return out
}

func (p *placement) poorFrames(i int, waiting []int32) []int32 {
	if i < len(p.poor) {
		return p.picture(p.poor[i].Media, p.poor[i].Frame, p.poor[i].Appearance)
	}
	return p.frames[waiting[i-len(p.poor)]]
}

// poorLinks lists what poor faces may join, nearest first.
func (p *placement) poorLinks(ctx context.Context, waiting []int32) ([]poorLink, error) {
	fresh := slices.DeleteFunc(p.roots(), func(a int32) bool { return a < p.exist })
	lists := make([][]poorLink, len(p.poor)+len(waiting))
	err := parallel(ctx, len(lists), 16, func(from, to int) error {
		for i := from; i < to; i++ {
			if i < len(p.poor) {
				lists[i] = p.poorLinksOf(i, p.poor[i].Embedding, p.poorTargets(i))
			} else {
				lists[i] = p.poorLinksOf(i, p.sums[waiting[i-len(p.poor)]], fresh)
			}
		}
		return nil
	})
	links := slices.Concat(lists...)
	slices.SortFunc(links, func(x, y poorLink) int {
		return cmp.Or(cmp.Compare(x.distance, y.distance), cmp.Compare(x.poor, y.poor), cmp.Compare(x.to, y.to))
	})
	return links, err
}

// poorTargets lists the clusters a poor face is compared with.
func (p *placement) poorTargets(i int) []int32 {
	var out []int32
	for _, b := range p.besidePoor[i] {
		out = append(out, p.root(b))
	}
	return compact(out)
}

// poorLinksOf lists the clusters within the threshold of an embedding.
func (p *placement) poorLinksOf(i int, v []float32, clusters []int32) []poorLink {
	var out []poorLink
	square := squareOf(v)
	for _, b := range clusters {
		if d := p.toCluster(v, square, b); d <= p.join {
			out = append(out, poorLink{d, i, b})
		}
	}
	return out
}

// result counts what a run decided.
func (p *placement) result() GroupResult {
	res := GroupResult{Media: len(p.Media), Gone: len(p.Gone), Near: len(p.Near)}
	for _, g := range p.Placings {
		res.Faces += len(g.Joined)
		switch n := len(g.Joined) + len(g.Moved); {
		case g.Group != "":
			res.Joined += len(g.Joined)
		case n > 1:
			res.Formed++
		default:
			res.Alone++
		}
	}
	return res
}
