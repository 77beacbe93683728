package index

import "math/bits"

// A find is a value of a segment within the radius of a query.
type find struct {
	query    uint32
	segment  uint32
	value    uint32
	distance uint32
}

// A prober looks values up in segments' slots. It is one lane's.
type prober struct {
	kernel string
	costs  costs
	spans  []span
	masks  []uint32
	places []place32
	finds  []find
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
	sift(p.kernel, s.halves, p.spans, p.masks)
	if p.pick(s); p.costs.value*float64(len(p.places)) > limit {
		return false, nil
	}
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

// collect lists the spans to look at.
func (p *prober) collect(s *segment, q *words, reach *reaches, limit float64) (bool, error) {
	p.spans = p.spans[:0]
	width := int(s.SlotBits)
	for i := range s.slots {
		if reach[i] < 0 {
			continue
		}
		pattern, base := s.pattern(q, i), uint32(s.at.slots[i].rests/2)
		sp := span{query: s.rest(q, i), slot: uint32(i)}
		quota := reach.quota(i, len(s.slots))
		look := func(mask uint32) error {
			from, to, err := s.members(i, pattern^mask)
			if from == to || err != nil {
				return err
			}
			limit -= p.costs.member * float64(to-from)
			sp.at, sp.n = base+from, to-from
			p.spans = append(p.spans, sp)
			if s.checked == nil || s.known(2*int(sp.at), 2*int(sp.n)) {
				return nil
			}
			return s.check(2*int(sp.at), 2*int(sp.n))
		}
		for r := 0; r <= int(reach[i]); r++ {
			sp.quota = uint16(quota - r)
			if r < 3 {
				for _, mask := range fewBits[width][r] {
					if err := look(mask); err != nil {
						return false, err
					}
				}
			} else {
				for mask := range masks(width, r) {
					if err := look(mask); err != nil {
						return false, err
					}
				}
			}
			if limit < 0 {
				return false, nil
			}
		}
	}
	return true, nil
}

// pick lists the members that the sieve let through.
func (p *prober) pick(s *segment) {
	p.places = p.places[:0]
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
