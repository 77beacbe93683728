package supplied

import (
	"semblance/hashing"
)

// A sketch is sketchBytes means of groups of a value's bytes. For the squared Euclidean
// distance of two values it gives a lower bound:
//
// Let a group have n bytes, and let S be the sum of the differences of two values in it.
// By Cauchy-Schwarz the squared differences of the group sum to at least S²/n. A sketch
// keeps the mean rounded down, so that sums of two values with means d apart differ by
// more than n(d-1) when d > 0. Hence
//
//	distance ≥ Σ S²/n ≥ n · Σ max(0, d-1)²
//
// over all groups. Bytes in no group add nothing to it. Kernels count a d-1 of more than
// maxStep as maxStep, which makes the bound smaller and never wrong.
const sketchBytes = 16

// maxStep bounds what a kernel squares, so that sums of two fit 16 bits.
const maxStep = 127

// A grouping says which bytes of a value are in a group together. Groups whose bytes go
// up and down together rule out more.
type grouping uint32

const (
	groupRuns    grouping = iota // bytes that follow each other
	groupStrides                 // every sixteenth byte
	groupCells                   // of 6 by 6 cells of 4 numbers, the same number of 3 by 3 cells
	groupings
)

// groupBytes returns how many bytes a group of a value of width bytes has.
func groupBytes(width int) int { return max(1, width/sketchBytes) }

// groupOf returns the group of byte i, which is below sketchBytes·groupBytes(width) and
// below width.
func (g grouping) groupOf(i, width int) int {
	switch {
	case g == groupCells && width == cellsBytes:
		row, column, number := i/24, i/4%6, i%4
		return row/3*8 + column/3*4 + number
	case g == groupStrides:
		return i % sketchBytes
	}
	return i / groupBytes(width)
}

// cellsBytes is the length of values of 6 by 6 cells of 4 numbers, such as PhotoDNA's.
const cellsBytes = 6 * 6 * 4

// A sketcher makes sketches of values of a width.
type sketcher struct {
	width, per int
	group      []uint8 // of each byte that is in one
}

func newSketcher(g grouping, width int) *sketcher {
	s := &sketcher{width: width, per: groupBytes(width)}
	s.group = make([]uint8, min(width, sketchBytes*s.per))
	for i := range s.group {
		s.group[i] = uint8(g.groupOf(i, width))
	}
	return s
}

// sums returns the sums of the groups of a value.
func (s *sketcher) sums(value []byte) (sums [sketchBytes]int) {
	for i, g := range s.group {
		sums[g] += int(value[i])
	}
	return sums
}

// sketch returns the sketch of a value.
func (s *sketcher) sketch(value []byte) (out [sketchBytes]byte) {
	for g, sum := range s.sums(value) {
		out[g] = byte(sum / s.per)
	}
	return out
}

// limit returns the largest Σ max(0, d-1)² that a value within the radius can have.
func (s *sketcher) limit(radius int) uint32 {
	return uint32(min(radius/s.per, 1<<30))
}

// spread returns how far sums of groups lie apart among values: what a grouping is chosen
// by.
func (s *sketcher) spread(rows int, value func(int) []byte) float64 {
	var sum, square [sketchBytes]float64
	for i := range rows {
		for g, v := range s.sums(value(i)) {
			sum[g] += float64(v)
			square[g] += float64(v) * float64(v)
		}
	}
	total := 0.0
	for g := range sum {
		total += square[g] - sum[g]*sum[g]/float64(max(1, rows))
	}
	return total
}

// bestGrouping chooses the grouping whose sums lie farthest apart. The first rows stand
// for all.
func bestGrouping(width, rows int, value func(int) []byte) grouping {
	const enough = 4096
	best, most := groupRuns, -1.0
	for g := range groupings {
		if g == groupCells && width != cellsBytes || g != groupRuns && width < 2*sketchBytes {
			continue
		}
		if spread := newSketcher(g, width).spread(min(rows, enough), value); spread > most {
			best, most = g, spread
		}
	}
	return best
}

// usable reports whether the algorithm's values have sketches that bound their distance.
func sketched(a hashing.Algorithm) bool { return a.Metric() == hashing.SquaredEuclid }
