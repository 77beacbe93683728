package hashing

// pdqSide is the side of the picture that PDQ reduces every picture to.
const pdqSide = 64

// quad holds one column of four neighboring rows. Filtering along rows has a
// sum that depends on the one before; four rows side by side hide that delay.
type quad [4]float32

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

	in   []quad // four rows of luma, filled by the caller
	mid  []quad
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
	j.midN, j.step1, j.step2, j.have2, j.next = 0, 0, 0, 0, [2]int{}

	depth := j.down.window + 8 // four rows come at once, and up to three wait
	if need := (depth + 1) * width; cap(j.arena) < need {
		j.arena = make([]float32, need)
	}
	if cap(j.in) < width {
		j.in, j.mid = make([]quad, width), make([]quad, width)
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

// push takes rows y to y+n-1 (n is 1 to 4, y a multiple of 4) from j.in.
// After the last row, j.out is complete.
func (j *jarosz) push(y, n int) {
	d := len(j.ring1)
	boxRows(j.in, j.along, j.ring1[y%d], j.ring1[(y+1)%d], j.ring1[(y+2)%d], j.ring1[(y+3)%d])
	j.columns(y + n)
}

// columns runs the first box along columns as far as have rows allow.
func (j *jarosz) columns(have int) {
	b, d := j.down, len(j.ring1)
	for t := j.step1; t < b.n+b.lag; t = j.step1 {
		if have < b.n && t >= have {
			return
		}
		if j.midN == 0 && t >= b.window && t+3 < b.n {
			if t+3 >= have {
				return
			}
			boxDown4(j.mid, j.sum1, float32(b.window),
				[4][]float32{j.ring1[t%d], j.ring1[(t+1)%d], j.ring1[(t+2)%d], j.ring1[(t+3)%d]},
				[4][]float32{j.ring1[(t-b.window)%d], j.ring1[(t+1-b.window)%d], j.ring1[(t+2-b.window)%d], j.ring1[(t+3-b.window)%d]})
			j.step1 += 4
			j.midN = 4
		} else {
			j.column(t)
		}
		if j.midN == 4 || (j.step1 == b.n+b.lag && j.midN > 0) {
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
	for side := range j.sides {
		sampled := boxRowsAt(j.mid, j.along, &j.cols[side])
		for k := range j.midN {
			row := j.ring2[(j.have2+k)%len(j.ring2)][side*pdqSide:][:pdqSide]
			for i := range row {
				row[i] = sampled[i][k]
			}
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

// boxRows filters four rows along the row.
func boxRows(in []quad, b boxSteps, out0, out1, out2, out3 []float32) {
	n, w := b.n, b.window
	var s quad
	for t := range w {
		addQuad(&s, &in[t])
		if o := t - b.lag; o >= 0 {
			size := float32(t + 1)
			out0[o], out1[o], out2[o], out3[o] = s[0]/size, s[1]/size, s[2]/size, s[3]/size
		}
	}
	full := n - w
	boxRowsFull(in[w:n], in[:full], float32(w), &s, out0[w-b.lag:], out1[w-b.lag:], out2[w-b.lag:], out3[w-b.lag:])
	for t := n; t < n+b.lag; t++ {
		subQuad(&s, &in[t-w])
		o, size := t-b.lag, b.size(t)
		out0[o], out1[o], out2[o], out3[o] = s[0]/size, s[1]/size, s[2]/size, s[3]/size
	}
}

// boxRowsFull is the part of boxRows with a full window.
func boxRowsFull(enter, leave []quad, size float32, sum *quad, out0, out1, out2, out3 []float32) {
	n := len(enter)
	leave, out0, out1, out2, out3 = leave[:n], out0[:n], out1[:n], out2[:n], out3[:n]
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	for i := range enter {
		a, l := &enter[i], &leave[i]
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
		s0 -= l[0]
		s1 -= l[1]
		s2 -= l[2]
		s3 -= l[3]
		out0[i] = s0 / size
		out1[i] = s1 / size
		out2[i] = s2 / size
		out3[i] = s3 / size
	}
	*sum = quad{s0, s1, s2, s3}
}

// boxRowsAt filters four rows along the row and returns the outputs at cols.
func boxRowsAt(in []quad, b boxSteps, cols *sampleLine) (out [pdqSide]quad) {
	n, w, t := b.n, b.window, 0 // t steps are done
	var s quad
	for i, c := range cols {
		end := c + b.lag + 1
		for ; t < min(end, w); t++ {
			addQuad(&s, &in[t])
		}
		if stop := min(end, n); t < stop {
			slide(&s, in[t:stop], in[t-w:stop-w])
			t = stop
		}
		for ; t < end; t++ {
			subQuad(&s, &in[t-w])
		}
		size := b.size(end - 1)
		out[i] = quad{s[0] / size, s[1] / size, s[2] / size, s[3] / size}
	}
	return out
}

// slide moves full windows without writing.
func slide(sum *quad, enter, leave []quad) {
	leave = leave[:len(enter)]
	s0, s1, s2, s3 := sum[0], sum[1], sum[2], sum[3]
	for i := range enter {
		a, l := &enter[i], &leave[i]
		s0 += a[0]
		s1 += a[1]
		s2 += a[2]
		s3 += a[3]
		s0 -= l[0]
		s1 -= l[1]
		s2 -= l[2]
		s3 -= l[3]
	}
	*sum = quad{s0, s1, s2, s3}
}

// boxDown4 runs four steps with a full window of the box along columns.
func boxDown4(out []quad, sum []float32, size float32, enter, leave [4][]float32) {
	n := len(sum)
	out = out[:n]
	a0, a1, a2, a3 := enter[0][:n], enter[1][:n], enter[2][:n], enter[3][:n]
	l0, l1, l2, l3 := leave[0][:n], leave[1][:n], leave[2][:n], leave[3][:n]
	for x, s := range sum {
		q := &out[x]
		s += a0[x]
		s -= l0[x]
		q[0] = s / size
		s += a1[x]
		s -= l1[x]
		q[1] = s / size
		s += a2[x]
		s -= l2[x]
		q[2] = s / size
		s += a3[x]
		s -= l3[x]
		q[3] = s / size
		sum[x] = s
	}
}

func addQuad(s, v *quad) {
	s[0] += v[0]
	s[1] += v[1]
	s[2] += v[2]
	s[3] += v[3]
}

func subQuad(s, v *quad) {
	s[0] -= v[0]
	s[1] -= v[1]
	s[2] -= v[2]
	s[3] -= v[3]
}
