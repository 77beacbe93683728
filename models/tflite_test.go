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

// A tfliteWriter writes a TFLite file and computes the same network as TFLite would,
// operator by operator: the twin of the conversion. Objects are written back to
// front in the simplest way: every table has its own vtable.
type tfliteWriter struct {
	b       []byte
	tensors []tfliteTensor
	ops     []tfliteOp
	values  map[int]grid
	seed    uint64
}

type tfliteTensor struct {
	shape []int
	data  []byte
	kind  byte // TensorType; 0 is float32
}

type tfliteOp struct {
	code    byte
	inputs  []int
	output  int
	options []any // fields of the options table: byte, int32 or nil
}

func (w *tfliteWriter) tensor(data []byte, shape ...int) int {
	w.tensors = append(w.tensors, tfliteTensor{shape: shape, data: data})
	return len(w.tensors) - 1
}

func (w *tfliteWriter) constant(values []float32, shape ...int) int {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return w.tensor(data, shape...)
}

func (w *tfliteWriter) op(code byte, g grid, options []any, inputs ...int) int {
	shape := []int{2, g.h, g.w, g.c}
	if code == 22 {
		shape = []int{2, g.c}
	}
	out := w.tensor(nil, shape...)
	w.ops = append(w.ops, tfliteOp{code, inputs, out, options})
	w.values[out] = g
	return out
}

// conv adds a convolution, SAME or VALID, and computes it with TensorFlow's padding.
func (w *tfliteWriter) conv(in, filters, size, stride int, same, depthwise bool) int {
	x := w.values[in]
	w.seed++
	inputs := x.c
	if depthwise {
		inputs, filters = 1, x.c
	}
	k := noise(filters*inputs*size*size, w.seed, 1/math.Sqrt(float64(inputs*size*size))*1.7)
	bias := noise(filters, w.seed+1000, 1)
	out, before := (x.h-size)/stride+1, 0
	if same {
		out = (x.h + stride - 1) / stride
		before = max((out-1)*stride+size-x.h, 0) / 2
	}
	g := newGrid(filters, out, out).each(func(o, y, z int) float64 {
		sum := float64(bias[o])
		for i := range size {
			for j := range size {
				for c := range inputs {
					weight, channel := k[((o*size+i)*size+j)*inputs+c], c
					if depthwise {
						weight, channel = k[(i*size+j)*filters+o], o
					}
					sum += float64(weight) * x.at(channel, y*stride+i-before, z*stride+j-before)
				}
			}
		}
		return sum
	})
	padding := byte(1)
	if same {
		padding = 0
	}
	b := w.constant(bias, filters)
	if depthwise {
		return w.op(4, g, []any{padding, int32(stride), int32(stride), int32(1), byte(0)}, in, w.constant(k, 1, size, size, filters), b)
	}
	return w.op(3, g, []any{padding, int32(stride), int32(stride), byte(0)}, in, w.constant(k, filters, size, size, inputs), b)
}

// prelu adds the five operators a PReLU was exported as: relu(x) + c*(x-|x|).
func (w *tfliteWriter) prelu(in int) int {
	x := w.values[in]
	w.seed++
	half := noise(x.c, w.seed, 1.5)
	like := func(f func(c int, v float64) float64) grid {
		return newGrid(x.c, x.h, x.w).each(func(c, y, z int) float64 { return f(c, x.at(c, y, z)) })
	}
	relu := w.op(19, like(func(_ int, v float64) float64 { return max(0, v) }), nil, in)
	abs := w.op(101, like(func(_ int, v float64) float64 { return math.Abs(v) }), nil, in)
	sub := w.op(41, like(func(_ int, v float64) float64 { return v - math.Abs(v) }), nil, in, abs)
	scaled := like(func(c int, v float64) float64 { return float64(half[c]) * (v - math.Abs(v)) })
	mul := w.op(18, scaled, nil, w.constant(half, x.c), sub)
	sum := like(func(c int, v float64) float64 { return max(0, v) + float64(half[c])*(v-math.Abs(v)) })
	return w.op(0, sum, nil, relu, mul)
}

func (w *tfliteWriter) add(a, b int) int {
	x, y := w.values[a], w.values[b]
	return w.op(0, newGrid(x.c, x.h, x.w).each(func(c, i, j int) float64 { return x.at(c, i, j) + y.at(c, i, j) }), nil, a, b)
}

// smallFaceNet has one of everything that MobileFaceNet has, and what it says of a picture.
func smallFaceNet(picture grid) (file []byte, embedding []float64) {
	w := &tfliteWriter{values: map[int]grid{}, seed: 1}
	in := w.tensor(nil, 2, 112, 112, 3)
	w.values[in] = newGrid(3, 112, 112).each(func(c, y, x int) float64 { return (picture.at(c, y, x) - 127.5) / 128 })
	x := w.prelu(w.conv(in, 4, 3, 2, true, false))
	x = w.prelu(w.conv(x, 0, 3, 2, true, true))
	x = w.conv(x, 3, 1, 1, true, false) // linear, and read twice below
	y := w.prelu(w.conv(x, 6, 1, 1, true, false))
	y = w.prelu(w.conv(y, 0, 3, 1, true, true))
	x = w.add(w.conv(y, 3, 1, 1, true, false), x)
	x = w.prelu(w.conv(x, 5, 4, 4, false, false))
	x = w.conv(x, 0, 7, 1, false, true)
	x = w.conv(x, 6, 1, 1, true, false) // linear before the last, and merged with it
	x = w.conv(x, 9, 1, 1, true, false)
	out := w.op(22, w.values[x], []any{nil}, x)
	return w.file(in, out), w.values[out].v
}

// file writes the model: a forward pass with every offset patched once its target is known.
func (w *tfliteWriter) file(input int, outputs ...int) []byte {
	w.b = append(make([]byte, 4), "TFL3"...)
	codes, kinds := []any{}, map[byte]int32{}
	for _, op := range w.ops {
		if _, ok := kinds[op.code]; !ok {
			kinds[op.code] = int32(len(codes))
			codes = append(codes, []any{op.code, nil, int32(1), int32(op.code)})
		}
	}
	buffers, tensors, ops := []any{[]any{}}, []any{}, []any{}
	for _, t := range w.tensors {
		buffer := int32(0)
		if t.data != nil {
			buffer = int32(len(buffers))
			buffers = append(buffers, []any{t.data})
		}
		tensors = append(tensors, []any{ints(t.shape...), t.kind, buffer})
	}
	for _, op := range w.ops {
		var options any
		if op.options != nil {
			options = op.options
		}
		ops = append(ops, []any{kinds[op.code], ints(op.inputs...), ints(op.output), byte(1), options})
	}
	graph := []any{vector(tensors), ints(input), ints(outputs...), vector(ops)}
	root := w.write([]any{int32(3), vector(codes), vector{graph}, nil, vector(buffers)})
	binary.LittleEndian.PutUint32(w.b, uint32(root))
	return w.b
}

type vector []any // of tables
type numbers []int32

func ints(vs ...int) numbers {
	out := make(numbers, len(vs))
	for i, v := range vs {
		out[i] = int32(v)
	}
	return out
}

// write appends an object and returns its position. Children come after their
// parent, since FlatBuffers' offsets only point forward.
func (w *tfliteWriter) write(v any) int {
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
	at := len(w.b)
	switch v := v.(type) {
	case []byte:
		w.b = append(binary.LittleEndian.AppendUint32(w.b, uint32(len(v))), v...)
	case numbers:
		w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(v)))
		for _, n := range v {
			w.b = binary.LittleEndian.AppendUint32(w.b, uint32(n))
		}
	case vector:
		w.b = binary.LittleEndian.AppendUint32(w.b, uint32(len(v)))
		w.b = append(w.b, make([]byte, 4*len(v))...)
		for i, child := range v {
			w.patch(at+4+4*i, w.write(child))
		}
	case []any:
		return w.table(v)
	}
	return at
}

func (w *tfliteWriter) patch(at, target int) {
	binary.LittleEndian.PutUint32(w.b[at:], uint32(target-at))
}

func (w *tfliteWriter) table(fields []any) int {
	vtable := len(w.b)
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(4+2*len(fields)))
	w.b = binary.LittleEndian.AppendUint16(w.b, uint16(4+4*len(fields)))
	for i, f := range fields {
		offset := uint16(4 + 4*i)
		if f == nil {
			offset = 0
		}
		w.b = binary.LittleEndian.AppendUint16(w.b, offset)
	}
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
	at := len(w.b)
	w.b = binary.LittleEndian.AppendUint32(w.b, uint32(at-vtable))
	w.b = append(w.b, make([]byte, 4*len(fields))...)
	for i, f := range fields {
		switch f := f.(type) {
		case nil:
		case byte:
			w.b[at+4+4*i] = f
		case int32:
			binary.LittleEndian.PutUint32(w.b[at+4+4*i:], uint32(f))
		default:
			w.patch(at+4+4*i, w.write(f))
		}
	}
	return at
}

func TestTFLiteConversionComputesWhatTFLiteComputes(t *testing.T) {
	t.Parallel()
	picture := testPicture(112, 9)
	file, want := smallFaceNet(picture)
	out, err := models.ConvertMobileFaceNet(file)
	if err != nil {
		t.Fatal(err)
	}
	m := parseONNX(t, out)
	if d := m.inputs["input"]; len(d) != 4 || d[0] != -1 || d[1] != 3 || d[2] != 112 || d[3] != 112 {
		t.Errorf("input %v", d)
	}
	if d := m.outputs["embedding"]; len(d) != 2 || d[0] != -1 || d[1] != 9 {
		t.Errorf("output %v", d)
	}
	near(t, m.run(t, picture), want)
	again, err := models.ConvertMobileFaceNet(file)
	if err != nil || !bytes.Equal(out, again) {
		t.Errorf("converting again gives other bytes: %v", err)
	}
}

func TestTheRealMobileFaceNetConvertsToThePinnedBytes(t *testing.T) {
	t.Parallel()
	pinned(t, "mobilefacenet-tflite", "mobilefacenet", models.ConvertMobileFaceNet, realFaceNetConvs)
}

// realFaceNetConvs is 35 convolutions and 17 depthwise ones, less the two that are merged into their neighbors.
const realFaceNetConvs = 35 + 17 - 2

func TestDamagedTFLiteFilesAreRefused(t *testing.T) {
	t.Parallel()
	good, _ := smallFaceNet(testPicture(112, 9))
	bend := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for story, file := range map[string][]byte{
		"empty":                   {},
		"another format":          []byte("\x08\x00\x00\x00ONNX and so on"),
		"cut":                     good[:len(good)/2],
		"a root outside":          bend(0, 1<<31),
		"a root onto itself":      bend(0, 0),
		"a root at the last byte": bend(0, uint32(len(good)-1)),
	} {
		if out, err := models.ConvertMobileFaceNet(file); !errors.Is(err, semblance.Invalid) || out != nil {
			t.Errorf("%s: %d bytes, %v; want invalid", story, len(out), err)
		}
	}
}

func TestWhatTheConverterDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for story, change := range map[string]func(w *tfliteWriter) int{
		"": func(w *tfliteWriter) int { return w.conv(0, 4, 3, 2, true, false) }, // nothing: this one converts
		"an activation in a convolution": func(w *tfliteWriter) int {
			x := w.conv(0, 4, 3, 2, true, false)
			w.ops[len(w.ops)-1].options[3] = byte(1)
			return x
		},
		"half a PReLU": func(w *tfliteWriter) int {
			x := w.conv(0, 4, 3, 2, true, false)
			return w.op(19, w.values[x], nil, x)
		},
		"the input read twice": func(w *tfliteWriter) int {
			x := w.conv(0, 3, 3, 1, true, false)
			return w.add(x, 0)
		},
		"one tensor as the weights of many": func(w *tfliteWriter) int {
			x := w.conv(w.conv(w.conv(0, 8, 4, 4, false, false), 64, 1, 1, true, false), 64, 1, 1, true, false)
			big := w.ops[len(w.ops)-1]
			for range 100 {
				x = w.op(3, w.values[x], big.options, x, big.inputs[1], big.inputs[2])
			}
			return x
		},
		"an operator of another network": func(w *tfliteWriter) int {
			x := w.conv(0, 4, 3, 2, true, false)
			return w.op(14, w.values[x], nil, x)
		},
	} {
		w := &tfliteWriter{values: map[int]grid{}, seed: 1}
		w.values[w.tensor(nil, 2, 112, 112, 3)] = testPicture(112, 1)
		x := change(w)
		for w.values[x].h > 16 {
			x = w.conv(x, 0, 4, 4, false, true)
		}
		x = w.conv(x, 0, w.values[x].h, 1, false, true)
		out := w.op(22, w.values[x], []any{nil}, x)
		_, err := models.ConvertMobileFaceNet(w.file(0, out))
		if (story == "") != (err == nil) || story != "" && !errors.Is(err, semblance.Invalid) {
			t.Errorf("%q: %v", story, err)
		}
	}
}

func FuzzTFLite(f *testing.F) {
	good, _ := smallFaceNet(testPicture(112, 9))
	f.Add(good)
	f.Add(good[:200])
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := models.ConvertMobileFaceNet(file); err != nil && !errors.Is(err, semblance.Invalid) {
			t.Errorf("code of %v", err)
		}
	})
}
