package detector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"semblance"
)

// noise is a frame of random pixels.
func noise(seed uint64, w, h int) *semblance.Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	f := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for i := range f.RGB {
		f.RGB[i] = byte(r.Uint32())
	}
	return f
}

// gradient is a frame whose colors are linear in x and y.
func gradient(w, h int) *semblance.Frame {
	f := &semblance.Frame{Width: w, Height: h, RGB: make([]byte, 3*w*h)}
	for y := range h {
		for x := range w {
			p := f.RGB[3*(y*w+x):]
			p[0], p[1], p[2] = byte(x*255/max(1, w-1)), byte(y*255/max(1, h-1)), 128
		}
	}
	return f
}

func TestFitSimilarityFindsTheMapThatWasApplied(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	template := Template112().Points
	for range 200 {
		angle, scale := r.Float64()*2*math.Pi, math.Exp(r.Float64()*6-3)
		want := Similarity{A: scale * math.Cos(angle), B: scale * math.Sin(angle), X: r.Float64()*4000 - 2000, Y: r.Float64()*4000 - 2000}
		moved := make([]semblance.Point, 5)
		for i, p := range template {
			x, y := want.Apply(float64(p.X), float64(p.Y))
			moved[i] = semblance.Point{X: float32(x), Y: float32(y)}
		}
		got, ok := FitSimilarity(template[:], moved)
		if !ok || math.Abs(got.A-want.A) > 1e-4*scale+1e-4 || math.Abs(got.B-want.B) > 1e-4*scale+1e-4 {
			t.Fatalf("got %+v, %v; want %+v", got, ok, want)
		}
		x, y := got.Inverse().Apply(got.Apply(12, 34))
		if math.Abs(x-12) > 1e-6 || math.Abs(y-34) > 1e-6 {
			t.Fatalf("there and back again is (%v, %v)", x, y)
		}
	}
}

// TestFitSimilarityIsLeastSquares moves the answer a little in each direction; the
// sum of squares must grow.
func TestFitSimilarityIsLeastSquares(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var from, to []semblance.Point
		for range 5 {
			from = append(from, semblance.Point{X: r.Float32() * 100, Y: r.Float32() * 100})
			to = append(to, semblance.Point{X: r.Float32() * 100, Y: r.Float32() * 100})
		}
		best, ok := FitSimilarity(from, to)
		if !ok {
			continue
		}
		cost := func(s Similarity) (sum float64) {
			for i := range from {
				x, y := s.Apply(float64(from[i].X), float64(from[i].Y))
				sum += math.Pow(x-float64(to[i].X), 2) + math.Pow(y-float64(to[i].Y), 2)
			}
			return sum
		}
		for _, d := range []float64{-1e-3, 1e-3} {
			for _, s := range []Similarity{
				{best.A + d, best.B, best.X, best.Y}, {best.A, best.B + d, best.X, best.Y},
				{best.A, best.B, best.X + d, best.Y}, {best.A, best.B, best.X, best.Y + d},
			} {
				if cost(s) < cost(best) {
					t.Fatalf("%+v costs %v, less than the fit %+v with %v", s, cost(s), best, cost(best))
				}
			}
		}
	}
}

func TestFitSimilarityRefusesWhatSpansNoFace(t *testing.T) {
	t.Parallel()
	template := Template112().Points
	nan := float32(math.NaN())
	for name, points := range map[string][]semblance.Point{
		"none":       nil,
		"one":        {{X: 1, Y: 1}},
		"coincident": {{X: 7, Y: 7}, {X: 7, Y: 7}, {X: 7, Y: 7}, {X: 7, Y: 7}, {X: 7, Y: 7}},
		"NaN":        {{X: nan, Y: 7}, {X: 9, Y: 7}, {X: 7, Y: 8}, {X: 7, Y: 9}, {X: 8, Y: 7}},
		"infinite":   {{X: float32(math.Inf(1)), Y: 7}, {X: 9, Y: 7}, {X: 7, Y: 8}, {X: 7, Y: 9}, {X: 8, Y: 7}},
	} {
		if s, ok := FitSimilarity(points, template[:len(points)]); ok {
			t.Errorf("%s: got %+v", name, s)
		}
		if _, ok := Align(gradient(20, 20), points, Template112()); ok {
			t.Errorf("%s: aligned", name)
		}
	}
}

// TestAlignIdentity puts the landmarks where the template has them: the chip is the
// frame's corner, byte for byte.
func TestAlignIdentity(t *testing.T) {
	t.Parallel()
	f := noise(7, 200, 160)
	points := Template112().Points
	c, ok := Align(f, points[:], Template112())
	if !ok || c.Outside != 0 {
		t.Fatalf("ok %v, outside %v", ok, c.Outside)
	}
	for y := range 112 {
		for x := range 112 {
			for ch := range 3 {
				if got, want := c.RGB[3*(y*112+x)+ch], f.RGB[3*(y*200+x)+ch]; got != want {
					t.Fatalf("pixel %d,%d channel %d: %d, want %d", x, y, ch, got, want)
				}
			}
		}
	}
}

// TestAlignUndoesTurnAndScale cuts the same scene out at many scales and angles and
// compares it with what the scene is there.
func TestAlignUndoesTurnAndScale(t *testing.T) {
	t.Parallel()
	const side = 1400
	f := gradient(side, side)
	for _, scale := range []float64{0.6, 1, 1.4, 2.3, 3.9, 6.5} {
		for _, degrees := range []float64{0, 20, -45, 90, 180} {
			a := degrees * math.Pi / 180
			s := Similarity{A: scale * math.Cos(a), B: scale * math.Sin(a)}
			cx, cy := s.Apply(56, 56)
			s.X, s.Y = side/2-cx, side/2-cy
			var landmarks []semblance.Point
			for _, p := range Template112().Points {
				x, y := s.Apply(float64(p.X), float64(p.Y))
				landmarks = append(landmarks, semblance.Point{X: float32(x), Y: float32(y)})
			}
			c, ok := Align(f, landmarks, Template112())
			if !ok {
				t.Fatalf("scale %v, %v degrees: not aligned", scale, degrees)
			}
			for i := range 112 * 112 {
				x, y := s.Apply(float64(i%112), float64(i/112))
				want := [3]float64{x * 255 / (side - 1), y * 255 / (side - 1), 128}
				for ch := range 3 {
					if d := math.Abs(float64(c.RGB[3*i+ch]) - want[ch]); d > 2 {
						t.Fatalf("scale %v, %v degrees: pixel %d channel %d is %d, want %.1f", scale, degrees, i, ch, c.RGB[3*i+ch], want[ch])
					}
				}
			}
		}
	}
}

// TestAlignDoesNotAlias feeds a large face with a pattern of one-pixel stripes: it
// must come out gray, not as broad stripes that are not there.
func TestAlignDoesNotAlias(t *testing.T) {
	t.Parallel()
	f := &semblance.Frame{Width: 1000, Height: 1000, RGB: make([]byte, 3e6)}
	for i := range f.RGB {
		f.RGB[i] = byte(255 * (i / 3 % 2))
	}
	for _, scale := range []float32{3.1, 4, 5.7, 8} {
		points := Template112().Points
		for i := range points {
			points[i].X, points[i].Y = points[i].X*scale+20, points[i].Y*scale+20
		}
		c, _ := Align(f, points[:], Template112())
		for i, v := range c.RGB {
			if v < 128-56 || v > 128+56 {
				t.Fatalf("scale %v: value %d at %d", scale, v, i)
			}
		}
	}
}

func TestAlignOutsideIsBlackAndCounted(t *testing.T) {
	t.Parallel()
	f := gradient(300, 300)
	for i := range f.RGB {
		f.RGB[i] = 200
	}
	points := Template112().Points
	for i := range points {
		points[i].X -= 56 // half of the chip lies left of the frame
	}
	c, ok := Align(f, points[:], Template112())
	if !ok || math.Abs(c.Outside-0.5) > 0.02 {
		t.Fatalf("ok %v, outside %v, want half", ok, c.Outside)
	}
	if c.RGB[3*(50*112+10)] != 0 || c.RGB[3*(50*112+100)] != 200 {
		t.Errorf("left %d, right %d; want 0 and 200", c.RGB[3*(50*112+10)], c.RGB[3*(50*112+100)])
	}
}

// TestSumRowsIsItsTwin compares the C loop with the Go one.
func TestSumRowsIsItsTwin(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		length, n := 1+r.IntN(200), 1+r.Int32N(9)
		stride := length + r.IntN(5)
		rows := make([]byte, stride*int(n))
		for i := range rows {
			rows[i] = byte(r.Uint32())
		}
		a, b := make([]uint32, length), make([]uint32, length)
		head, tail := r.Uint32N(whole+1), r.Uint32N(whole+1)
		sumRows(a, rows, stride, n, head, tail)
		sumRowsGo(b, rows, stride, n, head, tail)
		if !slices.Equal(a, b) {
			t.Fatalf("%d rows of %d, weights %d and %d: %v, want %v", n, length, head, tail, a, b)
		}
	}
}

// TestSqueezePlanesIsItsTwin compares the C loop with the Go one, to the last bit.
func TestSqueezePlanesIsItsTwin(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(10, 11))
	for range 300 {
		n := 3 * (1 + r.IntN(60))
		sums := make([]uint32, n, n+1)
		narrow := r.IntN(2) == 0
		for i := range sums {
			sums[i] = r.Uint32()
			if narrow { // 60 columns of weight 256 stay within 31 bits
				sums[i] %= 1 << 17
			}
		}
		columns := make([]span, 1+r.IntN(40))
		ratio := 1 + r.Int32N(12) // half of the time columns are as wide as those of one ratio
		for i := range columns {
			n := r.Int32N(int32(len(sums)/3) + 1)
			if even := i%2 == 0 || len(columns)%2 == 0; even {
				n = min(ratio+r.Int32N(2), int32(len(sums)/3))
			}
			columns[i] = span{first: r.Int32N(int32(len(sums)/3) - n + 1), n: n, head: r.Uint32N(whole + 1), tail: r.Uint32N(whole + 1)}
		}
		most := int64(math.MaxInt64)
		if narrow {
			most = math.MaxInt32
		}
		planes := func() *[3][]float32 {
			return &[3][]float32{make([]float32, len(columns)), make([]float32, len(columns)), make([]float32, len(columns))}
		}
		a, b, norm, line := planes(), planes(), 1/(1+r.Float64()*1e5), make([]uint64, 3*len(columns))
		squeezePlanes(a, line, sums, columns, norm, most)
		squeezePlanesGo(b, line, sums, columns, norm, most)
		for c := range a {
			if !slices.Equal(a[c], b[c]) {
				t.Fatalf("%v over %d sums: %v, want %v", columns, len(sums), a[c], b[c])
			}
		}
	}
}

// TestShrinkRowIsItsTwin compares the C loop with the Go one, to the last bit.
func TestShrinkRowIsItsTwin(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(14, 15))
	for range 300 {
		width, count, step := 1+r.IntN(200), 1+r.IntN(6), 1+r.IntN(6)
		stride := width + r.IntN(9)
		rows := make([]float32, stride*count)
		for i := range rows {
			rows[i] = 255 * r.Float32()
		}
		a, b, line := make([]float32, (width+step-1)/step), make([]float32, (width+step-1)/step), make([]float32, width)
		shrinkRow(a, line, rows, stride, count, step)
		shrinkRowGo(b, line, rows, stride, count, step)
		if !slices.Equal(a, b) {
			t.Fatalf("%d rows of %d by %d: %v, want %v", count, width, step, a, b)
		}
	}
}

// TestShrinkPlanesIsTheLookReducedFurther compares with reducing the frame itself.
func TestShrinkPlanesIsTheLookReducedFurther(t *testing.T) {
	t.Parallel()
	f := noise(12, 331, 203)
	list := views(firstView(f.Width, f.Height, 160, 2), 4)
	first, v := list[0], list[1]
	src := make([]float32, 3*first.planeW*first.planeH)
	resample(f, &first, src)
	got, want := make([]float32, 3*v.planeW*v.planeH), make([]float32, 3*v.planeW*v.planeH)
	shrinkPlanes(&v, &first, got, src, 4)
	resample(f, &v, want)
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1.5 {
			t.Fatalf("value %d is %.2f, want %.2f", i, got[i], want[i])
		}
	}
}

// slowResample is the definition of resample: for each output pixel the mean over
// what it covers, in floating point.
func slowResample(f *semblance.Frame, v *view, ox, oy, ch int) float64 {
	axis := func(origin, length float64, out, o, limit int) map[int]float64 {
		ratio, weights := length/float64(out), map[int]float64{}
		if ratio >= 1 {
			a, b := origin+float64(o)*ratio, origin+float64(o+1)*ratio
			for i := int(math.Floor(a)); float64(i) < b; i++ {
				if i >= 0 && i < limit {
					weights[i] = (min(b, float64(i+1)) - max(a, float64(i))) / ratio
				}
			}
			return weights
		}
		c := origin + (float64(o)+0.5)*ratio - 0.5
		i := int(math.Floor(c))
		for _, p := range []struct {
			i int
			w float64
		}{{i, 1 - (c - float64(i))}, {i + 1, c - float64(i)}} {
			switch {
			case p.i >= 0 && p.i < limit:
				weights[p.i] += p.w
			case p.i == -1 && c >= -0.5:
				weights[0] += p.w
			case p.i == limit && c <= float64(limit)-0.5:
				weights[limit-1] += p.w
			}
		}
		return weights
	}
	sum := 0.0
	for y, wy := range axis(v.y, v.h, v.outH, oy, f.Height) {
		for x, wx := range axis(v.x, v.w, v.outW, ox, f.Width) {
			sum += wx * wy * float64(f.RGB[3*(y*f.Width+x)+ch])
		}
	}
	return sum
}

func TestResampleIsItsDefinition(t *testing.T) {
	t.Parallel()
	f := noise(11, 97, 61)
	for name, v := range map[string]view{
		"same size":         {w: 97, h: 61, outW: 97, outH: 61},
		"smaller":           {w: 97, h: 61, outW: 40, outH: 25},
		"a third":           {w: 97, h: 61, outW: 32, outH: 20},
		"larger":            {w: 97, h: 61, outW: 150, outH: 100},
		"part, smaller":     {x: 10.3, y: 7.7, w: 60.5, h: 40.1, outW: 32, outH: 20},
		"part, larger":      {x: 10.3, y: 7.7, w: 20.5, h: 20.1, outW: 64, outH: 64},
		"over the border":   {x: -20.5, y: -9.2, w: 140, h: 90, outW: 64, outH: 64},
		"larger, over it":   {x: -5.5, y: 50, w: 20, h: 20, outW: 64, outH: 64},
		"outside":           {x: 500, y: 500, w: 20, h: 20, outW: 32, outH: 32},
		"one column":        {w: 97, h: 61, outW: 1, outH: 61},
		"wide of the frame": {x: -1000, y: -1000, w: 3000, h: 3000, outW: 32, outH: 32},
	} {
		v.planeW, v.planeH = up32(v.outW), up32(v.outH)
		planes := make([]float32, 3*v.planeW*v.planeH)
		resample(f, &v, planes)
		for oy := range v.outH {
			for ox := range v.outW {
				for ch := range 3 {
					got := float64(planes[(2-ch)*v.planeW*v.planeH+oy*v.planeW+ox])
					if want := slowResample(f, &v, ox, oy, ch); math.Abs(got-want) > 1.5 {
						t.Fatalf("%s: pixel %d,%d channel %d is %.2f, want %.2f", name, ox, oy, ch, got, want)
					}
				}
			}
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w, h, outW, outH, planeW, planeH int
	}{
		{4000, 2667, 640, 427, 640, 448},
		{2667, 4000, 427, 640, 448, 640},
		{640, 640, 640, 640, 640, 640},
		{500, 375, 640, 480, 640, 480},
		{150, 150, 300, 300, 320, 320},
		{20000, 10, 640, 1, 640, 32},
		{1, 1, 2, 2, 32, 32},
		{1, 100000, 1, 640, 32, 640},
	} {
		v := views(firstView(c.w, c.h, 640, 2), 0)
		if len(v) != 1 || v[0].outW != c.outW || v[0].outH != c.outH || v[0].planeW != c.planeW || v[0].planeH != c.planeH {
			t.Errorf("%dx%d: %+v, want %dx%d in %dx%d", c.w, c.h, v, c.outW, c.outH, c.planeW, c.planeH)
		}
	}
	v := views(firstView(4000, 2667, 640, 2), 4)
	if len(v) != 2 || v[1].outW != 160 || v[1].outH != 107 || math.Abs(v[1].scale()-v[0].scale()/4) > 1e-12 {
		t.Errorf("the look reduced further is %+v", v)
	}
}

// TestDecode builds a grid with one face by hand and reads it back.
func TestDecode(t *testing.T) {
	t.Parallel()
	l := level{stride: 16, cols: 4, rows: 3}
	n := l.cols * l.rows
	l.cls, l.obj, l.box, l.kps = make([]float32, n), make([]float32, n), make([]float32, 4*n), make([]float32, 10*n)
	i := 2*4 + 1                   // column 1, row 2
	l.cls[i], l.obj[i] = 0.81, 1.7 // above 1 counts as 1
	copy(l.box[4*i:], []float32{0.5, -0.25, float32(math.Log(3)), float32(math.Log(4))})
	copy(l.kps[10*i:], []float32{0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1})
	nan := float32(math.NaN())
	l.cls[0], l.obj[0] = nan, 1
	l.cls[1], l.obj[1], l.box[6] = 1, 1, float32(math.Inf(1))
	got := l.decode(0.7, nil)
	if len(got) != 1 {
		t.Fatalf("%d faces, want 1: %+v", len(got), got)
	}
	want := semblance.Box{X: 0, Y: -4, W: 48, H: 64}
	b := got[0].Box
	if math.Abs(float64(got[0].Score)-0.9) > 1e-5 || math.Abs(float64(b.X-want.X))+math.Abs(float64(b.Y-want.Y))+math.Abs(float64(b.W-want.W))+math.Abs(float64(b.H-want.H)) > 1e-3 {
		t.Errorf("got %+v, want score 0.9 and %+v", got[0], want)
	}
	if p := got[0].Landmarks; p[0] != (semblance.Point{X: 16, Y: 32}) || p[4] != (semblance.Point{X: 32, Y: 48}) || p[2] != (semblance.Point{X: 24, Y: 40}) {
		t.Errorf("landmarks %+v", p)
	}
}

func TestSuppressKeepsTheBestAndDoesNotDependOnOrder(t *testing.T) {
	t.Parallel()
	face := func(score, x, y, size float32) semblance.Face {
		return semblance.Face{Score: score, Box: semblance.Box{X: x, Y: y, W: size, H: size}}
	}
	faces := []semblance.Face{
		face(0.8, 0, 0, 10), face(0.9, 1, 1, 10), // one face seen twice
		face(0.75, 6, 0, 10),                               // overlaps the first by a quarter: another one
		face(0.95, 100, 100, 20), face(0.95, 101, 100, 20), // a tie, decided by position
	}
	want := []semblance.Face{faces[3], faces[1], faces[2]}
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		in := slices.Clone(faces)
		r.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		got := suppress(in, 0.4)
		if !slices.EqualFunc(got, want, func(a, b semblance.Face) bool { return a.Score == b.Score && a.Box == b.Box }) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	if o := overlap(face(1, 0, 0, 10).Box, face(1, 5, 0, 10).Box); math.Abs(float64(o)-1.0/3) > 1e-6 {
		t.Errorf("overlap %v, want a third", o)
	}
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no size":     func(o *Options) { o.Size = 0 },
		"tiny size":   func(o *Options) { o.Size = 8 },
		"huge size":   func(o *Options) { o.Size = 1 << 20 },
		"huge turned": func(o *Options) { o.Turned = 1 << 20 },
		"step -1":     func(o *Options) { o.Step = -1 },
		"score 0":     func(o *Options) { o.Score = 0 },
		"score NaN":   func(o *Options) { o.Score = float32(math.NaN()) },
		"overlap 2":   func(o *Options) { o.Overlap = 2 },
		"enlarge 100": func(o *Options) { o.Enlarge = 100 },
		"threads -1":  func(o *Options) { o.Threads = -1 },
	} {
		o := DefaultOptions()
		change(&o)
		if err := o.Validate(); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
