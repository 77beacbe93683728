package hashing

import "math"

// taps are the weights with which nfnt/resize makes a line of out values from
// one of in values (there: createWeights8): a triangle around each output, cut to whole
// 256ths. Inputs beyond the ends are replaced by the end.
type taps struct {
	in    int
	spans []tapSpan

	// Shrinking, an input lies between two outputs and weighs into both, and
	// the two weights nearly always sum to the same. Then one multiplication
	// serves both. gaps is nil when the weights are not of that kind.
	weight []uint16 // by input, into the output to its right
	gaps   []gap    // gap i lies between outputs i-1 and i
}

// A tapSpan is the weighted mean that makes one output.
type tapSpan struct {
	first      int      // the input that the first weight belongs to
	weights    []uint16 // 0 to 256 each
	lead, tail uint32   // weights that fall before the first and behind the last input
	reciprocal uint64   // for division by the sum of all weights
}

// A gap is the inputs between two neighboring outputs.
type gap struct {
	from, to int
	both     uint32    // sum of the two weights of an input
	except   []tapDiff // inputs whose two weights have another sum
}

type tapDiff struct {
	at   int
	more uint32 // modulo 1<<32
}

const reciprocalShift = 54

// mean divides a weighted sum by the sum of weights, rounding down. It is
// exact: with MaxSide inputs to 8 outputs the sum of weights is below 1<<23,
// so the reciprocal is too large by less than 1, v times that is below 1<<31
// of 1<<54, and the quotient stays short of the next multiple of 1/(sum of weights).
func (s *tapSpan) mean(v uint32) uint32 {
	return uint32(uint64(v) * s.reciprocal >> reciprocalShift)
}

func newTaps(in, out int) *taps {
	scale := float64(in) / float64(out)
	n := 2 * int(max(math.Ceil(scale), 1))
	t := &taps{in: in, spans: make([]tapSpan, out)}
	weights := make([]uint16, 0, n*out)
	for y := range t.spans {
		s, from := &t.spans[y], len(weights)
		at := float64(scale*(float64(y)+0.5)) - 0.5
		start := int(at) - n/2 + 1
		at -= float64(start)
		s.first = max(start, 0)
		total := uint32(0)
		for i := range n {
			w := triangle((at - float64(i)) * min(1/scale, 1))
			total += uint32(w)
			switch x := start + i; {
			case x < 0:
				s.lead += uint32(w)
			case x >= in:
				s.tail += uint32(w)
			default:
				weights = append(weights, w)
			}
		}
		s.weights = weights[from:len(weights):len(weights)]
		s.trim()
		s.reciprocal = (1<<reciprocalShift + uint64(total) - 1) / uint64(total)
	}
	return t
}

// trim drops weights of 0 at the ends.
func (s *tapSpan) trim() {
	for len(s.weights) > 0 && s.weights[0] == 0 {
		s.weights = s.weights[1:]
		s.first++
	}
	for n := len(s.weights); n > 0 && s.weights[n-1] == 0; n-- {
		s.weights = s.weights[:n-1]
	}
}

func triangle(x float64) uint16 {
	if x = math.Abs(x); x <= 1 {
		return uint16((1 - x) * 256)
	}
	return 0
}

// at returns the weight of input x.
func (s *tapSpan) at(x int) uint16 {
	if x < s.first || x >= s.first+len(s.weights) {
		return 0
	}
	return s.weights[x-s.first]
}

// pair prepares gaps and weight, when every input weighs into at most the
// outputs on its two sides.
func (t *taps) pair() {
	out := len(t.spans)
	gaps, weight := make([]gap, out+1), make([]uint16, t.in)
	unplaced := 0
	for i := range t.spans {
		unplaced += len(t.spans[i].weights)
	}
	scale, x := float64(t.in)/float64(out), 0
	for i := range gaps {
		g := &gaps[i]
		g.from = x
		for ; x < t.in && (i == out || float64(x) < scale*(float64(i)+0.5)-0.5); x++ {
			unplaced -= t.place(weight, i, x)
		}
		g.to = x
		t.sumPairs(g, i)
	}
	if unplaced == 0 {
		t.gaps, t.weight = gaps, weight
	}
}

// place sets the weight of input x in gap i and returns how many taps that
// and its other side cover.
func (t *taps) place(weight []uint16, i, x int) (covered int) {
	left, right := t.sides(i)
	if right != nil {
		weight[x] = right.at(x)
	} else {
		weight[x] = left.at(x)
	}
	for _, s := range []*tapSpan{left, right} {
		if s != nil && x >= s.first && x < s.first+len(s.weights) {
			covered++
		}
	}
	return covered
}

// sides returns the outputs left and right of gap i, nil beyond the ends.
func (t *taps) sides(i int) (left, right *tapSpan) {
	if i > 0 {
		left = &t.spans[i-1]
	}
	if i < len(t.spans) {
		right = &t.spans[i]
	}
	return left, right
}

// sumPairs sets the usual sum of the two weights in gap i, that of the input
// in its middle, and lists the inputs with another.
func (t *taps) sumPairs(g *gap, i int) {
	left, right := t.sides(i)
	if left == nil || right == nil || g.from == g.to {
		return
	}
	sum := func(x int) uint32 { return uint32(left.at(x)) + uint32(right.at(x)) }
	g.both = sum((g.from + g.to) / 2)
	for x := g.from; x < g.to; x++ {
		if v := sum(x); v != g.both {
			g.except = append(g.except, tapDiff{x, v - g.both})
		}
	}
}

// reduce adds the weighted sums of row to sums.
func (t *taps) reduce(row []packed, sums []rgbSum) {
	if t.gaps == nil {
		for i := range t.spans {
			s := &t.spans[i]
			weigh(row[s.first:s.first+len(s.weights)], s.weights, &sums[i])
		}
	} else {
		t.reduceGaps(row, sums)
	}
	first, last := row[0], row[len(row)-1]
	for i := range t.spans {
		if s := &t.spans[i]; s.lead|s.tail != 0 {
			sums[i].add(first, s.lead)
			sums[i].add(last, s.tail)
		}
	}
}

func (t *taps) reduceGaps(row []packed, sums []rgbSum) {
	for i := range t.gaps {
		g := &t.gaps[i]
		var m rgbSum
		plain := weigh(row[g.from:g.to], t.weight[g.from:g.to], &m)
		if i == 0 || i == len(sums) {
			s := &sums[min(i, len(sums)-1)]
			s.r, s.g, s.b = s.r+m.r, s.g+m.g, s.b+m.b
			continue
		}
		right, left := &sums[i], &sums[i-1]
		right.r, right.g, right.b = right.r+m.r, right.g+m.g, right.b+m.b
		left.r, left.g, left.b = left.r-m.r, left.g-m.g, left.b-m.b
		left.r += g.both * plain.r
		left.g += g.both * plain.g
		left.b += g.both * plain.b
		for _, d := range g.except {
			left.add(row[d.at], d.more)
		}
	}
}

// weigh adds the weighted sum of px to sum and returns the plain one.
func weigh(px []packed, weights []uint16, sum *rgbSum) (plain rgbSum) {
	w := weights[:len(px)]
	for len(px) > 0 {
		n := min(len(px), laneTaps)
		var v, p packed
		i := 0
		for ; i+4 <= n; i += 4 {
			a, c := (*[4]packed)(px[i:i+4]), (*[4]uint16)(w[i:i+4])
			v += a[0]*packed(c[0]) + a[1]*packed(c[1]) + a[2]*packed(c[2]) + a[3]*packed(c[3])
			p += a[0] + a[1] + a[2] + a[3]
		}
		for ; i < n; i++ {
			v += px[i] * packed(w[i])
			p += px[i]
		}
		sum.add(v, 1)
		plain.add(p, 1)
		px, w = px[n:], w[n:]
	}
	return plain
}
