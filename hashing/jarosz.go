package hashing

import (
	"cmp"
	"slices"
)

// pdqSide is the side of the picture that PDQ reduces every picture to.
const pdqSide = 64

// rowsAtOnce is how many rows are filtered side by side: filtering along rows has a
// sum that depends on the one before, and rows side by side hide that delay.
const rowsAtOnce = 8

// An oct holds one column of neighboring rows.
type oct [rowsAtOnce]float32

// A jarosz reduces float luma to 64 by 64: two passes of a box filter along
// rows then along columns, and the centers of 64 by 64 cells. The reference
// runs four passes over the whole picture. Here rows stream through all
// four, so the working set is about one window of rows. Every running sum
// still sees the same values in the same order, which is what makes the
// result bit-exact: a box keeps a float32 sum, adds the value that enters the
// window, then subtracts the one that leaves.
//
//	luma → box along rows → ring1 → box along columns → mid → box along rows → ring2 → box along columns → out
//
// The last two need only 64 columns, and the last only 64 rows.
type jarosz struct {
	width, height int
	along         boxSteps      // of a row: over the columns
	down          boxSteps      // of a column: over the rows
	sides         int           // 1, or 2 to sample for mirrored pictures too
	cols, rows    [2]sampleLine // as they are, and mirrored
	stops         []stop        // those of cols that are sampled, ascending

	in   []oct // rows of luma, filled by the caller
	mid  []oct
	midN int // rows in mid

	ring1 [][]float32 // box-filtered rows, row r at r % len
	sum1  []float32
	step1 int

	ring2 [][2 * pdqSide]float32
	sum2  [2 * pdqSide]float32
	step2 int
	have2 int    // rows that went into ring2
	next  [2]int // by side, next row to sample

	// out holds the reduced picture, mirrored upside down in the second row and
	// left to right in the second column.
	out   [2][2][pdqSide][pdqSide]float32
	arena []float32
}

// boxSteps says what a box filter of one window does at each step of a line
// of n values: step t adds value t (while there is one), subtracts value
// t-window (once there is one) and writes output t-lag (from lag on).
type boxSteps struct {
	n, window, lag int
}

func newBoxSteps(n int) boxSteps {
	w := (n + 2*pdqSide - 1) / (2 * pdqSide)
	return boxSteps{n: n, window: w, lag: (w+2)/2 - 1}
}

// size returns the number of values in the window after step t, as the
// divisor of the reference.
func (b boxSteps) size(t int) float32 {
	first, last := max(0, t-b.window+1), min(t, b.n-1)
	return float32(last - first + 1)
}

// A sampleLine is 64 places of a line in ascending order. Mirrored, the last
// is the first of the reduced picture.
type sampleLine [pdqSide]int

// A stop is a place of a line that is sampled, and where its value goes.
type stop struct{ at, to int }

// stops merges the lines of some sides.
func stops(to []stop, lines []sampleLine) []stop {
	to = to[:0]
	for side := range lines {
		for i, at := range lines[side] {
			to = append(to, stop{at, side*pdqSide + i})
		}
	}
	slices.SortFunc(to, func(a, b stop) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.to, b.to)) })
	return to
}

// centers returns the middles of 64 equal cells of n values.
func centers(n int) (at sampleLine) {
	for i := range at {
		at[i] = int((float64(i) + 0.5) * float64(n) / pdqSide)
	}
	return at
}

// mirrored returns where the filtered line has the values that the filtered
// mirrored line has at its centers. A window of even size reaches one further
// to the right than to the left, mirrored the other way, and there are two
// passes. It is exact but for the order of the sums and the windows cut at the ends.
func mirrored(b boxSteps) (at sampleLine) {
	shift := 2 * (2*b.lag - b.window + 1)
	for i, c := range centers(b.n) {
		at[pdqSide-1-i] = max(0, b.n-1-c-shift)
	}
	return at
}

// reset prepares j for a picture, reusing its memory.
func (j *jarosz) reset(width, height, sides int) {
	j.width, j.height = width, height
	j.along, j.down = newBoxSteps(width), newBoxSteps(height)
	j.sides = sides
	j.cols = [2]sampleLine{centers(width), mirrored(j.along)}
	j.rows = [2]sampleLine{centers(height), mirrored(j.down)}
	j.stops = stops(j.stops, j.cols[:sides])
	j.midN, j.step1, j.step2, j.have2, j.next = 0, 0, 0, 0, [2]int{}

	depth := j.down.window + 2*rowsAtOnce // some come at once, and up to as many less one wait
	if need := (depth + 1) * width; cap(j.arena) < need {
		j.arena = make([]float32, need)
	}
	if cap(j.in) < width {
		j.in, j.mid = make([]oct, width), make([]oct, width)
	}
	j.in, j.mid = j.in[:width], j.mid[:width]
	if cap(j.ring1) < depth {
		j.ring1, j.ring2 = make([][]float32, depth), make([][2 * pdqSide]float32, depth)
	}
	j.ring1, j.ring2 = j.ring1[:depth], j.ring2[:depth]
	for i := range j.ring1 {
		j.ring1[i] = j.arena[i*width : (i+1)*width : (i+1)*width]
	}
	j.sum1 = j.arena[depth*width : (depth+1)*width : (depth+1)*width]
	clear(j.sum1)
	j.sum2 = [2 * pdqSide]float32{}
}

// push takes rows y to y+n-1 (n is 1 to rowsAtOnce, y a multiple of it) from j.in.
// After the last row, j.out is complete.
func (j *jarosz) push(y, n int) {
	boxRows(j.in, j.along, j.ring1Rows(y))
	j.columns(y + n)
}

// ring1Rows returns the places of rows y and following.
func (j *jarosz) ring1Rows(y int) (rows [rowsAtOnce][]float32) {
	for k := range rows {
		rows[k] = j.ring1[(y+k)%len(j.ring1)]
	}
	return rows
}

// columns runs the first box along columns as far as have rows allow.
func (j *jarosz) columns(have int) {
	b := j.down
	for t := j.step1; t < b.n+b.lag; t = j.step1 {
		if have < b.n && t >= have {
			return
		}
		if j.midN == 0 && t >= b.window && t+rowsAtOnce <= b.n {
			if t+rowsAtOnce > have {
				return
			}
			boxDown(j.mid, j.sum1, float32(b.window), j.ring1Rows(t), j.ring1Rows(t-b.window))
			j.step1 += rowsAtOnce
			j.midN = rowsAtOnce
		} else {
			j.column(t)
		}
		if j.midN == rowsAtOnce || (j.step1 == b.n+b.lag && j.midN > 0) {
			j.second()
		}
	}
}

// column runs one step of the first box along columns.
func (j *jarosz) column(t int) {
	b, d := j.down, len(j.ring1)
	if t < b.n {
		for x, v := range j.ring1[t%d] {
			j.sum1[x] += v
		}
	}
	if t >= b.window {
		for x, v := range j.ring1[(t-b.window)%d] {
			j.sum1[x] -= v
		}
	}
	if t >= b.lag {
		size := b.size(t)
		for x, s := range j.sum1 {
			j.mid[x][j.midN] = s / size
		}
		j.midN++
	}
	j.step1++
}

// second runs the second box along rows over the rows in mid, then the second
// box along columns as far as it gets.
func (j *jarosz) second() {
	var sampled [2 * pdqSide]oct
	boxRowsAt(j.mid, j.along, j.stops, &sampled)
	for k := range j.midN {
		for i, row := 0, &j.ring2[(j.have2+k)%len(j.ring2)]; i < len(j.stops); i++ {
			row[i] = sampled[i][k]
		}
	}
	j.have2 += j.midN
	j.midN = 0
	b := j.down
	for j.step2 < b.n+b.lag && (j.step2 < j.have2 || j.have2 == b.n) {
		j.sample(j.step2)
		j.step2++
	}
}

// sample runs one step of the second box along columns, and keeps its output
// when that is one of the 64 rows.
func (j *jarosz) sample(t int) {
	b, d := j.down, len(j.ring2)
	if t < b.n {
		for i, v := range &j.ring2[t%d] {
			j.sum2[i] += v
		}
	}
	if t >= b.window {
		for i, v := range &j.ring2[(t-b.window)%d] {
			j.sum2[i] -= v
		}
	}
	for side := range j.sides {
		for j.next[side] < pdqSide && j.rows[side][j.next[side]] == t-b.lag {
			j.keep(side, b.size(t))
			j.next[side]++
		}
	}
}

// keep writes the next row of a side.
func (j *jarosz) keep(side int, size float32) {
	y := j.next[side]
	if side == 1 {
		y = pdqSide - 1 - y
	}
	for i := range pdqSide {
		j.out[side][0][y][i] = j.sum2[i] / size
	}
	if j.sides == 2 {
		for i := range pdqSide {
			j.out[side][1][y][pdqSide-1-i] = j.sum2[pdqSide+i] / size
		}
	}
}
