package models_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"semblance"
	"semblance/models"
)

// negPrelu adds the six operators a PReLU of MTCNN was exported as: relu(x) +
// c*-relu(-x).
func (w *tfliteWriter) negPrelu(in int) int {
	x := w.values[in]
	w.seed++
	slope := noise(x.c, w.seed, 0.8)
	like := func(f func(c int, v float64) float64) grid {
		return newGrid(x.c, x.h, x.w).each(func(c, y, z int) float64 { return f(c, x.at(c, y, z)) })
	}
	up := w.op(19, like(func(_ int, v float64) float64 { return max(0, v) }), nil, in)
	neg := w.op(59, like(func(_ int, v float64) float64 { return -v }), nil, in)
	down := w.op(19, like(func(_ int, v float64) float64 { return max(0, -v) }), nil, neg)
	back := w.op(59, like(func(_ int, v float64) float64 { return min(0, v) }), nil, down)
	mul := w.op(18, like(func(c int, v float64) float64 { return float64(slope[c]) * min(0, v) }), nil, w.constant(slope, x.c), back)
	return w.op(0, like(func(c int, v float64) float64 { return max(0, v) + float64(slope[c])*min(0, v) }), nil, up, mul)
}

// maxPool adds a pool and computes it with TensorFlow's padding.
func (w *tfliteWriter) maxPool(in, size, stride int, same bool) int {
	x := w.values[in]
	side := func(n int) (out, before int) {
		if !same {
			return (n-size)/stride + 1, 0
		}
		out = (n + stride - 1) / stride
		return out, max((out-1)*stride+size-n, 0) / 2
	}
	h, top := side(x.h)
	wd, left := side(x.w)
	g := newGrid(x.c, h, wd).each(func(c, y, z int) float64 {
		most := math.Inf(-1)
		for i := range size {
			for j := range size {
				if a, b := y*stride+i-top, z*stride+j-left; a >= 0 && b >= 0 && a < x.h && b < x.w {
					most = max(most, x.at(c, a, b))
				}
			}
		}
		return most
	})
	padding := byte(1)
	if same {
		padding = 0
	}
	return w.op(17, g, []any{padding, int32(stride), int32(stride), int32(size), int32(size), byte(0)}, in)
}

// dense adds a fully connected layer over rows, columns and channels.
func (w *tfliteWriter) dense(in, outputs int) int {
	x := w.values[in]
	w.seed++
	n := x.h * x.w * x.c
	k, bias := noise(outputs*n, w.seed, 2/math.Sqrt(float64(n))), noise(outputs, w.seed+1000, 1)
	g := newGrid(outputs, 1, 1).each(func(o, _, _ int) float64 {
		sum := float64(bias[o])
		for i := range n {
			sum += float64(k[o*n+i]) * x.at(i%x.c, i/x.c/x.w, i/x.c%x.w)
		}
		return sum
	})
	return w.op(9, g, []any{byte(0), byte(0), byte(0)}, in, w.constant(k, outputs, n), w.constant(bias, outputs))
}

// softmax adds the five operators of a softmax over the channels.
func (w *tfliteWriter) softmax(in int) int {
	x := w.values[in]
	one := func(f func(y, z int) float64) grid {
		return newGrid(1, x.h, x.w).each(func(_, y, z int) float64 { return f(y, z) })
	}
	all := func(f func(c, y, z int) float64) grid { return newGrid(x.c, x.h, x.w).each(f) }
	most := func(y, z int) float64 { return max(x.at(0, y, z), x.at(1, y, z)) }
	exp := func(c, y, z int) float64 { return math.Exp(x.at(c, y, z) - most(y, z)) }
	sum := func(y, z int) float64 { return exp(0, y, z) + exp(1, y, z) }
	axis := w.tensor(binary.LittleEndian.AppendUint32(nil, math.MaxUint32)) // -1
	w.tensors[axis].kind = 2
	m := w.op(82, one(most), []any{byte(1)}, in, axis)
	s := w.op(41, all(func(c, y, z int) float64 { return x.at(c, y, z) - most(y, z) }), nil, in, m)
	e := w.op(47, all(exp), nil, s)
	t := w.op(74, one(sum), []any{byte(1)}, e, axis)
	return w.op(42, all(func(c, y, z int) float64 { return exp(c, y, z) / sum(y, z) }), nil, e, t)
}

// columnsFirst is a picture as MTCNN's originals want it.
func columnsFirst(p grid) grid {
	return newGrid(3, p.w, p.h).each(func(c, x, y int) float64 { return (p.at(c, y, x) - 127.5) / 128 })
}

func bluesFirst(p grid) grid {
	return newGrid(3, p.h, p.w).each(func(c, y, x int) float64 { return p.at(2-c, y, x) })
}

// smallNet has one of everything that MTCNN's networks have, and what it says of a
// picture. dense networks end in fully connected layers, the other slides.
func smallNet(picture grid, dense bool) (file []byte, want map[string]grid) {
	w := &tfliteWriter{values: map[int]grid{}, seed: 3}
	in := w.tensor(nil, 1, picture.w, picture.h, 3)
	w.values[in] = columnsFirst(picture)
	x := w.negPrelu(w.valid(in, 4, 3))
	var ends []int
	if dense {
		x = w.maxPool(x, 3, 2, true)
		x = w.maxPool(w.negPrelu(w.valid(x, 5, 2)), 3, 2, false)
		x = w.negPrelu(w.dense(x, 7))
		ends = []int{w.softmax(w.dense(x, 2)), w.dense(x, 4), w.dense(x, 10)}
	} else {
		x = w.maxPool(x, 2, 2, true)
		x = w.negPrelu(w.valid(x, 5, 3))
		ends = []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
	}
	want = map[string]grid{}
	for i, name := range []string{"score", "box", "landmarks"}[:len(ends)] {
		g := w.values[ends[i]]
		if name == "score" {
			g = newGrid(1, g.h, g.w).each(func(_, y, z int) float64 { return w.values[ends[0]].at(1, y, z) })
		}
		want[name] = newGrid(g.c, g.w, g.h).each(func(c, y, x int) float64 { return g.at(c, x, y) })
	}
	return w.file(in, ends...), want
}

// valid adds a convolution without padding over any rectangle.
func (w *tfliteWriter) valid(in, filters, size int) int {
	x := w.values[in]
	w.seed++
	k := noise(filters*x.c*size*size, w.seed, 1.7/math.Sqrt(float64(x.c*size*size)))
	bias := noise(filters, w.seed+1000, 1)
	g := newGrid(filters, x.h-size+1, x.w-size+1).each(func(o, y, z int) float64 {
		sum := float64(bias[o])
		for i := range size {
			for j := range size {
				for c := range x.c {
					sum += float64(k[((o*size+i)*size+j)*x.c+c]) * x.at(c, y+i, z+j)
				}
			}
		}
		return sum
	})
	return w.op(3, g, []any{byte(1), int32(1), int32(1), byte(0)}, in, w.constant(k, filters, size, size, x.c), w.constant(bias, filters))
}

func TestMTCNNConversionComputesWhatTFLiteComputes(t *testing.T) {
	t.Parallel()
	for _, dense := range []bool{false, true} {
		picture := newGrid(3, 19, 26)
		copy(picture.v, testPicture(26, 5).v)
		file, want := smallNet(picture, dense)
		out, err := models.ConvertMTCNN(file)
		if err != nil {
			t.Fatal(err)
		}
		m := parseONNX(t, out)
		if d := m.inputs["input"]; len(d) != 4 || d[0] != -1 || d[1] != 3 || dense != (d[2] == 19) || dense != (d[3] == 26) || !dense && (d[2] != -1 || d[3] != -1) {
			t.Errorf("dense %v: input %v", dense, d)
		}
		if len(m.outputs) != len(want) {
			t.Errorf("dense %v: outputs %v", dense, m.outputs)
		}
		got := m.runAll(t, bluesFirst(picture))
		for name, g := range want {
			if got[name].c != g.c || got[name].h != g.h || got[name].w != g.w {
				t.Fatalf("dense %v: %s is %dx%dx%d, want %dx%dx%d", dense, name, got[name].c, got[name].h, got[name].w, g.c, g.h, g.w)
			}
			near(t, got[name].v, g.v)
		}
		again, err := models.ConvertMTCNN(file)
		if err != nil || !bytes.Equal(out, again) {
			t.Errorf("converting again gives other bytes: %v", err)
		}
	}
}

func TestMTCNNSlidesOverAnySize(t *testing.T) {
	t.Parallel()
	small := newGrid(3, 19, 26)
	copy(small.v, testPicture(26, 5).v)
	file, _ := smallNet(small, false)
	out, err := models.ConvertMTCNN(file)
	if err != nil {
		t.Fatal(err)
	}
	large := newGrid(3, 31, 15)
	copy(large.v, testPicture(40, 6).v)
	_, want := smallNet(large, false) // of the same weights
	got := parseONNX(t, out).runAll(t, bluesFirst(large))
	for name, g := range want {
		near(t, got[name].v, g.v)
	}
}

func TestTheRealMTCNNConvertsToThePinnedBytes(t *testing.T) {
	t.Parallel()
	for name, convs := range map[string]int{"pnet": 5, "rnet": 3 + 3, "onet": 4 + 4} {
		pinned(t, "mtcnn-"+name+"-tflite", "mtcnn-"+name, models.ConvertMTCNN, convs)
	}
}

func TestWhatTheMTCNNConverterDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for story, build := range map[string]func(w *tfliteWriter, in int) []int{
		"": func(w *tfliteWriter, in int) []int { // nothing: this one converts
			x := w.valid(in, 4, 3)
			return []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
		},
		"no score": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			return []int{w.valid(x, 10, 1), w.valid(x, 4, 1)}
		},
		"two boxes": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			return []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1), w.valid(x, 4, 1)}
		},
		"half a PReLU": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			x = w.op(19, w.values[x], nil, x)
			return []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
		},
		"a softmax of three": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			return []int{w.softmax(w.valid(x, 3, 1)), w.valid(x, 4, 1)}
		},
		"a softmax over rows": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			ends := []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
			for i := range w.tensors {
				if w.tensors[i].kind == 2 {
					w.tensors[i].data = []byte{1, 0, 0, 0}
				}
			}
			return ends
		},
		"a pool that depends on the size": func(w *tfliteWriter, in int) []int {
			x := w.maxPool(w.valid(in, 4, 3), 3, 2, true)
			return []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
		},
		"the input read twice": func(w *tfliteWriter, in int) []int {
			return []int{w.softmax(w.valid(in, 2, 1)), w.valid(in, 4, 1)}
		},
		"an output that is read": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			return []int{w.softmax(w.valid(x, 2, 1)), x}
		},
		"an operator of another network": func(w *tfliteWriter, in int) []int {
			x := w.valid(in, 4, 3)
			x = w.op(14, w.values[x], nil, x)
			return []int{w.softmax(w.valid(x, 2, 1)), w.valid(x, 4, 1)}
		},
	} {
		w := &tfliteWriter{values: map[int]grid{}, seed: 1}
		in := w.tensor(nil, 1, 20, 20, 3)
		w.values[in] = columnsFirst(testPicture(20, 1))
		_, err := models.ConvertMTCNN(w.file(in, build(w, in)...))
		if (story == "") != (err == nil) || story != "" && !errors.Is(err, semblance.Invalid) {
			t.Errorf("%q: %v", story, err)
		}
	}
	if _, err := models.ConvertMTCNN([]byte("no network")); !errors.Is(err, semblance.Invalid) {
		t.Error(err)
	}
}

func FuzzMTCNN(f *testing.F) {
	picture := newGrid(3, 19, 26)
	for _, dense := range []bool{false, true} {
		good, _ := smallNet(picture, dense)
		f.Add(good)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := models.ConvertMTCNN(file); err != nil && !errors.Is(err, semblance.Invalid) {
			t.Errorf("code of %v", err)
		}
	})
}
