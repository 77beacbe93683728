package index

import (
	"math/bits"
	"slices"

	"semblance/index/disk"
)

// A find is a value of a segment within the radius of a query.
type find struct {
	query    uint32
	segment  uint32
	value    uint32
	distance uint32
}

// A prober looks values up in segments' slots. It is one lane's.
type prober struct {
	means
	spans  []span
	masks  []uint32
	places []place32
	finds  []find
}

// small reports whether a prober's memory is under some 400 kB.
func (p *prober) small() bool {
	return cap(p.spans) <= 1<<13 && cap(p.masks) <= 1<<14 && cap(p.places) <= 1<<13 && cap(p.finds) <= 1<<13
}

// A place32 is a member of a slot, and then its value.
type place32 struct{ slot, at uint32 }

// probe looks a query up in every slot of a segment within its reach and appends what it finds. It
// gives up, and returns false, when there is more to look at than a limit allows, as
// may happen when values crowd around the query.
func (p *prober) probe(s *segment, q *words, radius int, reach *reaches, limit float64, query, number uint32) (bool, error) {
	if ok, err := p.collect(s, q, reach, limit); !ok {
		return ok, err
	}
	masks := 0
	for i := range p.spans {
		masks += p.spans[i].masks()
	}
	if cap(p.masks) < masks {
		p.masks = make([]uint32, masks+masks/4)
	}
	p.masks = p.masks[:masks]
	sift(p.kernel, s.body, p.spans, p.masks)
	left := 0
	for _, mask := range p.masks {
		left += bits.OnesCount32(mask)
	}
	if p.costs.value*float64(left) > limit {
		return false, nil
	}
	p.pick(s, left)
	for i := range p.places { // the loads of one loop do not wait for each other
		at := &p.places[i]
		v, err := s.member(int(at.slot), at.at)
		if err != nil {
			return false, err
		}
		at.at = uint32(v)
	}
	for _, at := range p.places {
		x, err := s.head(int(at.at))
		if err != nil {
			return false, err
		}
		x[0], x[1] = x[0]^q[0], x[1]^q[1]
		if bits.OnesCount64(x[0])+bits.OnesCount64(x[1]) > radius {
			continue
		}
		if err := s.whole(int(at.at), &x); err != nil {
			return false, err
		}
		x[2], x[3] = x[2]^q[2], x[3]^q[3]
		if d := x.distance(); d <= radius && !s.earlier(&x, reach, int(at.slot)) {
			p.finds = append(p.finds, find{query, number, at.at, uint32(d)})
		}
	}
	return true, nil
}

// collect lists the spans to look at. First it only reads where they begin and end, in
// loops so short that many reads are under way at once.
func (p *prober) collect(s *segment, q *words, reach *reaches, limit float64) (bool, error) {
	few := 0
	for i := range s.slots {
		for r := 0; r <= min(int(reach[i]), 2); r++ {
			few += len(fewBits[s.SlotBits][r])
		}
	}
	p.spans = slices.Grow(p.spans[:0], few)
	for i := range s.slots {
		for r := 0; r <= int(reach[i]); r++ {
			if r < 3 {
				p.read(s, q, i, r, reach, fewBits[s.SlotBits][r])
				continue
			}
			for some := range chunked(masks(int(s.SlotBits), r)) {
				p.read(s, q, i, r, reach, some)
				if p.costs.span*float64(len(p.spans)) > limit {
					return false, nil
				}
			}
		}
	}
	left := p.spans[:0]
	for _, sp := range p.spans {
		from, to := sp.at, sp.n
		if from > to || to > s.Values {
			return false, disk.ErrDamaged
		}
		if from == to {
			continue
		}
		sp.at, sp.n = uint32(s.at.slots[sp.slot].rests/2)+from, to-from
		limit -= p.costs.member * float64(sp.n)
		if at, n := 2*int(sp.at), 2*int(sp.n); s.checked != nil && !s.known(at, n) {
			if err := s.check(at, n); err != nil {
				return false, err
			}
		}
		left = append(left, sp)
	}
	p.spans = left
	return limit >= 0, nil
}

// read appends the spans of a slot's patterns that differ from the query's by masks of r bits. They
// are not made sure of: at is the first member and n the one behind the last.
func (p *prober) read(s *segment, q *words, i, r int, reach *reaches, masks []uint32) {
	pattern, starts := s.pattern(q, i), s.slots[i].starts
	sp := span{query: s.rest(q, i), quota: uint16(reach.quota(i, len(s.slots)) - r), slot: uint32(i)}
	for _, mask := range masks {
		two := starts[pattern^mask:][:2]
		sp.at, sp.n = two[0], two[1]
		p.spans = append(p.spans, sp)
	}
}

// pick lists the n members that the sieve let through.
func (p *prober) pick(s *segment, n int) {
	p.places = slices.Grow(p.places[:0], n)
	masks := p.masks
	for i := range p.spans {
		sp := &p.spans[i]
		n := sp.masks()
		for j, mask := range masks[:n] {
			for ; mask != 0; mask &= mask - 1 {
				at := sp.at - uint32(s.at.slots[sp.slot].rests/2) + uint32(32*j+bits.TrailingZeros32(mask))
				p.places = append(p.places, place32{sp.slot, at})
			}
		}
		masks = masks[n:]
	}
}

// earlier reports whether a slot before the i-th finds a difference too.
func (s *segment) earlier(x *words, reach *reaches, i int) bool {
	for j := range i {
		d := bits.OnesCount32(s.pattern(x, j))
		if d <= int(reach[j]) && d+bits.OnesCount16(s.rest(x, j)) <= reach.quota(j, len(s.slots)) {
			return true
		}
	}
	return false
}
