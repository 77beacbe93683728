package hashing

// boxRows filters rows side by side along the row.
func boxRows(in []oct, b boxSteps, out [rowsAtOnce][]float32) {
	n, w := b.n, b.window
	var s oct
	for t := range w {
		s.add(&in[t])
		if o := t - b.lag; o >= 0 {
			s.spread(&out, o, float32(t+1))
		}
	}
	boxAlong(in[w:n], in[:n-w], float32(w), &s, out, w-b.lag)
	for t := n; t < n+b.lag; t++ {
		s.sub(&in[t-w])
		s.spread(&out, t-b.lag, b.size(t))
	}
}

// boxRowsAt filters rows side by side along the row and keeps the outputs at stops.
func boxRowsAt(in []oct, b boxSteps, stops []stop, out *[2 * pdqSide]oct) {
	n, w, t := b.n, b.window, 0 // t steps are done
	var s oct
	for _, p := range stops {
		end := p.at + b.lag + 1
		for ; t < min(end, w); t++ {
			s.add(&in[t])
		}
		if stop := min(end, n); t < stop {
			slide(&s, in[t:stop], in[t-w:stop-w])
			t = stop
		}
		for ; t < end; t++ {
			s.sub(&in[t-w])
		}
		size := b.size(end - 1)
		for k, v := range s {
			out[p.to][k] = v / size
		}
	}
}

// boxAlongGeneric moves a full window along rows: each step adds a column, subtracts
// one and writes its output, the first at place from. Four rows at a time, because
// eight sums do not fit the registers.
func boxAlongGeneric(enter, leave []oct, size float32, sum *oct, out [rowsAtOnce][]float32, from int) {
	n := len(enter)
	leave = leave[:n]
	for h := 0; h < rowsAtOnce; h += 4 {
		s := (*[4]float32)(sum[h:])
		s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
		o0, o1, o2, o3 := out[h][from:][:n], out[h+1][from:][:n], out[h+2][from:][:n], out[h+3][from:][:n]
		for i := range enter {
			a, l := (*[4]float32)(enter[i][h:]), (*[4]float32)(leave[i][h:])
			s0 = s0 + a[0] - l[0]
			s1 = s1 + a[1] - l[1]
			s2 = s2 + a[2] - l[2]
			s3 = s3 + a[3] - l[3]
			o0[i], o1[i], o2[i], o3[i] = s0/size, s1/size, s2/size, s3/size
		}
		*s = [4]float32{s0, s1, s2, s3}
	}
}

// slideGeneric is boxAlongGeneric without writing.
func slideGeneric(sum *oct, enter, leave []oct) {
	leave = leave[:len(enter)]
	for h := 0; h < rowsAtOnce; h += 4 {
		s := (*[4]float32)(sum[h:])
		s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
		for i := range enter {
			a, l := (*[4]float32)(enter[i][h:]), (*[4]float32)(leave[i][h:])
			s0 = s0 + a[0] - l[0]
			s1 = s1 + a[1] - l[1]
			s2 = s2 + a[2] - l[2]
			s3 = s3 + a[3] - l[3]
		}
		*s = [4]float32{s0, s1, s2, s3}
	}
}

// boxDownGeneric runs rowsAtOnce steps with a full window of the box along columns,
// for the columns from a place on.
func boxDownGeneric(out []oct, sum []float32, size float32, enter, leave *[rowsAtOnce][]float32, from int) {
	n := len(sum)
	out = out[:n]
	for h := 0; h < rowsAtOnce; h += 4 {
		a0, a1, a2, a3 := enter[h][:n], enter[h+1][:n], enter[h+2][:n], enter[h+3][:n]
		l0, l1, l2, l3 := leave[h][:n], leave[h+1][:n], leave[h+2][:n], leave[h+3][:n]
		for x := from; x < n; x++ {
			s, q := sum[x], (*[4]float32)(out[x][h:])
			s = s + a0[x] - l0[x]
			q[0] = s / size
			s = s + a1[x] - l1[x]
			q[1] = s / size
			s = s + a2[x] - l2[x]
			q[2] = s / size
			s = s + a3[x] - l3[x]
			q[3] = s / size
			sum[x] = s
		}
	}
}

func (s *oct) add(v *oct) {
	for k := range s {
		s[k] += v[k]
	}
}

func (s *oct) sub(v *oct) {
	for k := range s {
		s[k] -= v[k]
	}
}

// spread writes the means to place o of each row.
func (s *oct) spread(out *[rowsAtOnce][]float32, o int, size float32) {
	for k := range s {
		out[k][o] = s[k] / size
	}
}
