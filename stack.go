package semblance

import (
	"cmp"
	"container/heap"
	"context"
	"slices"

	"semblance/hashing"
)

// DefaultStackDistance is the PDQ distance within which media are stacked unless it is
// said otherwise; docs/stacks.md says how it was chosen. StackQuality is the quality
// under which a PDQ says too little: flat pictures would all be one stack.
const (
	DefaultStackDistance = 16
	StackQuality         = 50
)

// A Stack is media of a case that an examiner needs to see once: the representative, and
// those that are near it.
type Stack struct {
	Representative SHA256        `json:"representative"`
	Media          int           `json:"media"`    // the representative included
	Items          int           `json:"items"`    // occurrences of all of them
	Findings       StackFindings `json:"findings"` // of all of them
	Gravest        string        `json:"gravest,omitempty"`
	Members        []StackMember `json:"members,omitempty"` // nearest first, the representative at the head; where a stack is shown
}

// StackFindings counts the media of a stack that have findings of a kind.
type StackFindings struct {
	Hits           int `json:"hits"`
	WeakHits       int `json:"weak_hits"` // of the hits
	NearMatches    int `json:"near_matches"`
	Candidates     int `json:"candidates"`
	Contradictions int `json:"contradictions"`
	KnownGood      int `json:"known_good"`
}

// gravest names the gravest kind of finding.
func (f *StackFindings) gravest() string {
	for _, k := range []struct {
		n    int
		name string
	}{{f.Hits - f.WeakHits, "hit"}, {f.Contradictions, "contradiction"}, {f.NearMatches, "near match"}, {f.WeakHits, "weak hit"}, {f.Candidates, "candidate"}, {f.KnownGood, "known-good"}} {
		if k.n > 0 {
			return k.name
		}
	}
	return ""
}

// A StackMember is a media of a stack.
type StackMember struct {
	Media    SHA256       `json:"media"`
	Distance int          `json:"distance"` // from the representative, bits
	Width    int          `json:"width,omitempty"`
	Height   int          `json:"height,omitempty"`
	Size     int64        `json:"size"`
	Findings *Findings    `json:"findings,omitempty"`
	Items    []NoticeItem `json:"items"` // the first of them
	Count    int64        `json:"item_count"`
}

// A Stacking is how the media of a case are stacked.
type Stacking struct {
	Case     string `json:"case"`
	Distance int    `json:"distance"` // bits, inclusive
	Quality  int    `json:"quality"`
	Media    int    `json:"media"`
	Stacks   int    `json:"stacks"`
	New      int    `json:"new"` // media that this run stacked
}

// A StackInput is what a run over a case needs.
type StackInput struct {
	Distance, Quality int // of the last run; 0 and 0 when there was none
	Media             []StackMedia
	Changed           bool // media are gone or have other signals than when they were stacked
}

// StackMedia is a media of a case as stacking sees it.
type StackMedia struct {
	Key            int64 // grows; 0 when it is new
	Seq            int64
	Media          SHA256
	PDQ            *hashing.PDQ // nil: it has none, or several frames, and is stacked with nothing
	Quality        int
	Pixels         int64
	Size           int64
	Representative SHA256 // zero when it is new
	Distance       int
}

// A StackFilter narrows a list of stacks. Zero fields narrow nothing.
type StackFilter struct {
	Least int // only stacks of so many media or more
	After int // stacks to skip
	Limit int // 0 means 100
}

// A StackStore keeps the stacks of cases.
type StackStore interface {
	// StackInput reads the media of a case with the stacks they are in, in the order of keys.
	StackInput(ctx context.Context, c CaseID) (StackInput, error)
	// SaveStacks stores in which stacks media are now, those with Key 0 for the first
	// time. fresh forgets all that was there. It returns the keys of media.
	SaveStacks(ctx context.Context, c CaseID, s Stacking, media []StackMedia, fresh bool, ev AuditEvent) ([]int64, error)
	// Stacks lists the stacks of a case without members, those with the gravest findings
	// first, then the largest.
	Stacks(ctx context.Context, c CaseID, f StackFilter) ([]Stack, error)
	// Stack returns the stack that a media of a case is in, with its members and their findings.
	Stack(ctx context.Context, c CaseID, media SHA256) (Stack, error)
}

// stackOrder says which of two media is rather a representative: the one with more
// pixels, then the larger file. It depends on nothing but content.
func stackOrder(a, b *StackMedia) int {
	return cmp.Or(cmp.Compare(b.Pixels, a.Pixels), cmp.Compare(b.Size, a.Size), a.Media.Compare(b.Media))
}

// A stacker puts nodes into stacks. A node is a PDQ with all media that have it. The rule:
// in stackOrder, a node is a representative unless an earlier one lies within the
// distance; every other node is with the nearest representative. So nothing is ever
// farther from what stands for it than the distance, two representatives never lie within
// it, and the stacks depend on the media alone and not on when they came.
//
// What changes when a node comes is found by going through the nodes whose answer can be
// another one, in stackOrder: an answer depends on earlier nodes only.
type stacker struct {
	nodes []stackNode // in stackOrder
	near  func(ctx context.Context, nodes []int) ([][]stackNeighbor, error)
	queue intHeap
	known map[int][]stackNeighbor
}

type stackNode struct {
	hash           hashing.PDQ
	entry          EntryID // in the index: the least key of its media
	media          []int
	representative bool
	with           int // the nearest representative, -1 unknown
	distance       int
	blind          bool // there can be representatives near it that never told
	queued         bool
}

// covered reports whether it is known without looking that a node is no representative
// and with which one it is.
func (s *stacker) covered(n int) bool {
	x := &s.nodes[n]
	return !x.blind && !x.representative && x.with >= 0 && x.with < n && s.nodes[x.with].representative
}

type stackNeighbor struct{ node, distance int }

// push has a node looked at again.
func (s *stacker) push(n int) {
	if !s.nodes[n].queued {
		s.nodes[n].queued = true
		heap.Push(&s.queue, n)
	}
}

// run looks at every node of the queue.
func (s *stacker) run(ctx context.Context) error {
	s.known = map[int][]stackNeighbor{}
	for s.queue.Len() > 0 {
		n := s.queue.list[0]
		if s.covered(n) {
			heap.Pop(&s.queue)
			s.nodes[n].queued = false
			continue
		}
		around, err := s.around(ctx, n)
		if err != nil {
			return err
		}
		heap.Pop(&s.queue)
		s.nodes[n].queued = false
		s.settle(n, around)
	}
	return nil
}

// stackBlock is how many nodes are looked for at once.
const stackBlock = 64

// around returns the nodes within the distance of one, and looks for those of the next in
// the queue, too.
func (s *stacker) around(ctx context.Context, n int) ([]stackNeighbor, error) {
	if list, ok := s.known[n]; ok {
		delete(s.known, n)
		return list, nil
	}
	block := []int{n}
	for _, m := range s.queue.list { // about in order
		if len(block) == stackBlock {
			break
		}
		if _, ok := s.known[m]; m != n && !ok && !s.covered(m) {
			block = append(block, m)
		}
	}
	res, err := s.near(ctx, block)
	if err != nil {
		return nil, err
	}
	for i, m := range block[1:] {
		s.known[m] = res[i+1]
	}
	return res[0], nil
}

// settle decides whether a node is a representative.
func (s *stacker) settle(n int, around []stackNeighbor) {
	node := &s.nodes[n]
	node.blind = false
	covered := slices.ContainsFunc(around, func(x stackNeighbor) bool { return x.node < n && s.nodes[x.node].representative })
	if covered {
		if node.representative {
			s.give(n, around)
		}
		node.with, node.distance = -1, 0
		for _, x := range around {
			if s.nodes[x.node].representative {
				s.offer(n, x.node, x.distance)
			}
		}
		return
	}
	node.with, node.distance = n, 0
	if node.representative {
		return
	}
	node.representative = true
	for _, x := range around {
		switch o := &s.nodes[x.node]; {
		case x.node == n:
		case o.representative:
			s.push(x.node) // a later one: there is no earlier
		default:
			s.offer(x.node, n, x.distance)
		}
	}
}

// offer puts a node with a representative that is nearer than the one it has.
func (s *stacker) offer(n, representative, distance int) {
	node := &s.nodes[n]
	if node.with < 0 || distance < node.distance || distance == node.distance && representative < node.with {
		node.with, node.distance = representative, distance
	}
}

// give takes its place from a representative: who was with it, or behind it, is looked at
// again.
func (s *stacker) give(n int, around []stackNeighbor) {
	s.nodes[n].representative = false
	for _, x := range around {
		if o := &s.nodes[x.node]; x.node != n && !o.representative {
			if o.with == n || x.node > n {
				o.with, o.blind = -1, true
				s.push(x.node)
			}
		}
	}
}

// An intHeap has the least on top.
type intHeap struct{ list []int }

func (h *intHeap) Len() int           { return len(h.list) }
func (h *intHeap) Less(i, j int) bool { return h.list[i] < h.list[j] }
func (h *intHeap) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push implements heap.Interface.
func (h *intHeap) Push(x any) { h.list = append(h.list, x.(int)) }

// Pop implements heap.Interface.
func (h *intHeap) Pop() any {
	x := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return x
}
