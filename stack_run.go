package semblance

import (
	"context"
	"slices"

	"semblance/hashing"
)

// A StackRequest asks for the media of a case to be stacked.
type StackRequest struct {
	Case     string // number
	Distance int    // bits; 0: as before, or DefaultStackDistance
	Fresh    bool   // begin again; the result is the same
}

// maxStackDistance is how far apart near-identical pictures can be: beyond, different
// pictures begin.
const maxStackDistance = 31

// StackMedia brings the stacks of a case up to date: only what came since is looked for.
// The stacks are the same whatever order the media came in.
func (e *Engine) StackMedia(ctx context.Context, who Actor, r StackRequest) (Stacking, error) {
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return Stacking{}, err
	}
	if r.Distance < 0 || r.Distance > maxStackDistance {
		return Stacking{}, Errorf(Invalid, "a stack distance of %d is outside 0 to %d bits", r.Distance, maxStackDistance).WithHint("0 is the one used before, or %d.", DefaultStackDistance)
	}
	e.stacking.Lock()
	defer e.stacking.Unlock()
	in, err := e.StackRecords.StackInput(ctx, c.ID)
	if err != nil {
		return Stacking{}, err
	}
	s := &stackRun{Engine: e, c: c, in: in, stacking: Stacking{Case: c.Number, Distance: r.Distance, Quality: StackQuality, Media: len(in.Media)}}
	if r.Distance == 0 {
		s.stacking.Distance = in.Distance
	}
	if s.stacking.Distance == 0 {
		s.stacking.Distance = DefaultStackDistance
	}
	s.fresh = r.Fresh || in.Changed || in.Distance != s.stacking.Distance || in.Quality != s.stacking.Quality
	if err := s.run(ctx, who); err != nil {
		return Stacking{}, err
	}
	return s.stacking, nil
}

// A stackRun is one run over a case.
type stackRun struct {
	*Engine
	c        Case
	in       StackInput
	stacking Stacking
	fresh    bool
	stacker  stacker
	byEntry  map[EntryID]int // nodes
	moved    []StackMedia
}

// index names the PDQ of a case's media in the index of hashes, beside the collections,
// whose IDs are 32 digits.
func (s *stackRun) index() CollectionID { return CollectionID("stacks of " + string(s.c.ID)) }

func (s *stackRun) run(ctx context.Context, who Actor) error {
	if s.fresh {
		for i := range s.in.Media {
			s.in.Media[i].Key, s.in.Media[i].Representative = 0, SHA256{}
		}
	}
	if !slices.ContainsFunc(s.in.Media, func(m StackMedia) bool { return m.Key == 0 }) {
		s.stacking.Stacks = stacksIn(s.in.Media)
		return nil
	}
	// The index calls media by their keys, so that they are stored first, each by itself.
	if err := s.store(ctx, who); err != nil {
		return err
	}
	s.makeNodes()
	if err := s.follow(ctx); err != nil {
		return err
	}
	if err := s.stacker.run(ctx); err != nil {
		return err
	}
	s.collect()
	s.stacking.Stacks = stacksIn(s.in.Media)
	ev := s.event(who, "stack.run", &s.c)
	ev.Detail["distance"], ev.Detail["media"], ev.Detail["new"], ev.Detail["stacks"] = s.stacking.Distance, s.stacking.Media, s.stacking.New, s.stacking.Stacks
	_, err := s.StackRecords.SaveStacks(ctx, s.c.ID, s.stacking, s.moved, false, ev)
	return err
}

// store gives new media keys. Until the run ends, they stand by themselves: a run that
// breaks off is begun again, since its media have no place.
func (s *stackRun) store(ctx context.Context, who Actor) error {
	var fresh []StackMedia
	for _, m := range s.in.Media {
		if m.Key == 0 {
			fresh = append(fresh, m)
		}
	}
	s.stacking.New = len(fresh)
	ev := s.event(who, "stack.start", &s.c)
	ev.Detail["distance"], ev.Detail["new"], ev.Detail["fresh"] = s.stacking.Distance, len(fresh), s.fresh
	keys, err := s.StackRecords.SaveStacks(ctx, s.c.ID, s.stacking, fresh, s.fresh, ev)
	if err != nil {
		return err
	}
	for i := range s.in.Media {
		if m := &s.in.Media[i]; m.Key == 0 {
			m.Key, keys = keys[0], keys[1:]
		}
	}
	return nil
}

// makeNodes groups the media by PDQ and queues what is new.
func (s *stackRun) makeNodes() {
	order := make([]int, 0, len(s.in.Media))
	for i := range s.in.Media {
		m := &s.in.Media[i]
		if m.PDQ != nil && m.Quality >= s.stacking.Quality && !hashing.IsTrivial(hashing.AlgorithmPDQ, m.PDQ[:]) {
			order = append(order, i)
		} else if m.Representative != m.Media {
			m.Representative, m.Distance = m.Media, 0
			s.moved = append(s.moved, *m)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return stackOrder(&s.in.Media[a], &s.in.Media[b]) })
	byHash, byMedia := map[hashing.PDQ]int{}, map[SHA256]int{}
	for _, i := range order {
		m := &s.in.Media[i]
		n, known := byHash[*m.PDQ]
		if !known {
			n = len(s.stacker.nodes)
			byHash[*m.PDQ] = n
			s.stacker.nodes = append(s.stacker.nodes, stackNode{hash: *m.PDQ, entry: EntryID(m.Key), with: -1})
		}
		node := &s.stacker.nodes[n]
		node.media, node.entry = append(node.media, i), min(node.entry, EntryID(m.Key))
		byMedia[m.Media] = n
	}
	s.byEntry = map[EntryID]int{}
	for n := range s.stacker.nodes {
		node := &s.stacker.nodes[n]
		s.byEntry[node.entry] = n
		placed := -1
		for _, i := range node.media {
			if m := &s.in.Media[i]; m.Representative != (SHA256{}) {
				placed = i
			}
		}
		if placed >= 0 {
			m := &s.in.Media[placed]
			node.with, node.distance = byMedia[m.Representative], m.Distance
			node.representative = node.with == n
			continue
		}
		node.blind = !s.fresh
	}
	for n := range s.stacker.nodes {
		if node := &s.stacker.nodes[n]; node.with < 0 || s.risen(n) {
			node.blind = !s.fresh
			s.stacker.push(n)
		}
	}
	s.stacker.near = s.near
}

// risen reports whether a node's first media is new although others of it are not: it can
// have come before a node that it was behind.
func (s *stackRun) risen(n int) bool {
	return s.in.Media[s.stacker.nodes[n].media[0]].Representative == (SHA256{})
}

// follow gives the index the nodes that it lacks.
func (s *stackRun) follow(ctx context.Context) error {
	held, err := s.Hashes.Held(ctx, s.index())
	if err != nil {
		return err
	}
	if held.Version == 0 || s.fresh {
		return s.fill(ctx)
	}
	var change HashChange
	for n := range s.stacker.nodes {
		if node := &s.stacker.nodes[n]; node.entry > held.Last {
			change.Add = append(change.Add, node.hashEntry())
		}
	}
	return s.Hashes.Update(ctx, s.index(), held.Version+1, change)
}

func (s *stackRun) fill(ctx context.Context) error {
	return s.Hashes.Replace(ctx, s.index(), 1, func(yield func(HashEntry, error) bool) {
		for n := range s.stacker.nodes {
			if !yield(s.stacker.nodes[n].hashEntry(), nil) {
				return
			}
		}
	})
}

func (n *stackNode) hashEntry() HashEntry {
	return HashEntry{ID: n.entry, Algorithm: hashing.AlgorithmPDQ, Value: slices.Clone(n.hash[:])}
}

// near looks nodes up in the index, which is made again when it finds itself damaged.
func (s *stackRun) near(ctx context.Context, nodes []int) ([][]stackNeighbor, error) {
	q := HashQuery{Algorithm: hashing.AlgorithmPDQ, Collections: []CollectionID{s.index()}, Radius: s.stacking.Distance}
	for _, n := range nodes {
		q.Values = append(q.Values, slices.Clone(s.stacker.nodes[n].hash[:]))
	}
	res, err := s.Hashes.Search(ctx, q)
	if err != nil && CodeOf(err) == Internal {
		if err := s.fill(ctx); err != nil {
			return nil, err
		}
		res, err = s.Hashes.Search(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	out := make([][]stackNeighbor, len(nodes))
	for i, list := range res {
		for _, x := range list {
			n, ok := s.byEntry[x.Entry]
			if !ok {
				return nil, Errorf(Internal, "the index of a case's stacks has a media that the case has not")
			}
			out[i] = append(out[i], stackNeighbor{n, x.Distance})
		}
	}
	return out, nil
}

// collect writes where media are now, and notes those that are elsewhere.
func (s *stackRun) collect() {
	for n := range s.stacker.nodes {
		node := &s.stacker.nodes[n]
		first := s.in.Media[s.stacker.nodes[node.with].media[0]].Media
		for _, i := range node.media {
			if m := &s.in.Media[i]; m.Representative != first || m.Distance != node.distance {
				m.Representative, m.Distance = first, node.distance
				s.moved = append(s.moved, *m)
			}
		}
	}
}

// stacksIn counts representatives.
func stacksIn(media []StackMedia) (n int) {
	for i := range media {
		if media[i].Representative == media[i].Media {
			n++
		}
	}
	return n
}

// ListStacks brings the stacks of a case up to date and lists them for a person; the view
// is audited.
func (e *Engine) ListStacks(ctx context.Context, who Actor, r StackRequest, f StackFilter) (Stacking, []Stack, error) {
	s, err := e.StackMedia(ctx, who, r)
	if err != nil {
		return s, nil, err
	}
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return s, nil, err
	}
	list, err := e.StackRecords.Stacks(ctx, c.ID, f)
	if err != nil {
		return s, nil, err
	}
	ev := e.event(who, "stack.list", &c)
	var shown []string
	for i := range list {
		list[i].Gravest = list[i].Findings.gravest()
		shown = append(shown, list[i].Representative.String())
	}
	ev.Detail["stacks"] = shown
	return s, list, e.Audit.Append(ctx, ev)
}

// ShowStack shows the stack that a media of a case is in, as of the last run; the view is
// audited.
func (e *Engine) ShowStack(ctx context.Context, who Actor, number string, media SHA256) (Stack, error) {
	c, err := e.Cases.Case(ctx, number)
	if err != nil {
		return Stack{}, err
	}
	s, err := e.StackRecords.Stack(ctx, c.ID, media)
	if err != nil {
		return s, err
	}
	s.Gravest = s.Findings.gravest()
	ev := e.event(who, "stack.show", &c)
	ev.Detail["stack"] = s.Representative
	return s, e.Audit.Append(ctx, ev)
}
