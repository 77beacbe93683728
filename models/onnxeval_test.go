package models_test

import (
	"encoding/binary"
	"math"
	"testing"
)

// A grid is one picture or activation: channels, rows, columns.
type grid struct {
	c, h, w int
	v       []float64
}

func newGrid(c, h, w int) grid { return grid{c, h, w, make([]float64, c*h*w)} }

// at returns a value, zero outside.
func (g grid) at(c, y, x int) float64 {
	if c >= g.c || y < 0 || y >= g.h || x < 0 || x >= g.w {
		return 0
	}
	return g.v[(c*g.h+y)*g.w+x]
}

func (g grid) each(f func(c, y, x int) float64) grid {
	for c := range g.c {
		for y := range g.h {
			for x := range g.w {
				g.v[(c*g.h+y)*g.w+x] = f(c, y, x)
			}
		}
	}
	return g
}

// noise returns n reproducible values in -scale..scale.
func noise(n int, seed uint64, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		seed = seed*6364136223846793005 + 1442695040888963407
		out[i] = float32((float64(seed>>11)/(1<<53)*2 - 1) * scale)
	}
	return out
}

// testPicture is a reproducible picture of values 0 to 255.
func testPicture(size int, seed uint64) grid {
	g := newGrid(3, size, size)
	for i, v := range noise(len(g.v), seed, 127.5) {
		g.v[i] = math.Round(float64(v) + 127.5)
	}
	return g
}

// protoFields splits a protobuf message. It is written apart from the writer, from
// the encoding's documentation.
type protoField struct {
	number int
	varint uint64
	bytes  []byte
}

func protoFields(t *testing.T, b []byte) []protoField {
	t.Helper()
	var out []protoField
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			t.Fatal("a key is cut off")
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 || key&7 != 0 && key&7 != 2 {
			t.Fatalf("key %d", key)
		}
		b = b[n:]
		f := protoField{number: int(key >> 3), varint: v}
		if key&7 == 2 {
			if v > uint64(len(b)) {
				t.Fatal("a field is cut off")
			}
			f.bytes, b = b[:v], b[v:]
		}
		out = append(out, f)
	}
	return out
}

type onnxNode struct {
	op      string
	inputs  []string
	output  string
	attrs   map[string][]int
	ordinal int
}

type onnxModel struct {
	nodes   []onnxNode
	weights map[string][]float64
	dims    map[string][]int
	inputs  map[string][]int // free dimensions as -1
	outputs map[string][]int
	opset   uint64
}

// parseONNX reads what the converters write (onnx.proto of the ONNX project).
func parseONNX(t *testing.T, file []byte) onnxModel {
	t.Helper()
	m := onnxModel{weights: map[string][]float64{}, dims: map[string][]int{}, inputs: map[string][]int{}, outputs: map[string][]int{}}
	for _, f := range protoFields(t, file) {
		switch f.number {
		case 7:
			for _, g := range protoFields(t, f.bytes) {
				m.graphField(t, g)
			}
		case 8:
			for _, o := range protoFields(t, f.bytes) {
				if o.number == 2 {
					m.opset = o.varint
				}
			}
		}
	}
	return m
}

func (m *onnxModel) graphField(t *testing.T, f protoField) {
	switch f.number {
	case 1:
		n := onnxNode{attrs: map[string][]int{}, ordinal: len(m.nodes)}
		for _, p := range protoFields(t, f.bytes) {
			switch p.number {
			case 1:
				n.inputs = append(n.inputs, string(p.bytes))
			case 2:
				n.output = string(p.bytes)
			case 4:
				n.op = string(p.bytes)
			case 5:
				name, values := parseAttr(t, p.bytes)
				n.attrs[name] = values
			}
		}
		m.nodes = append(m.nodes, n)
	case 5:
		m.initializer(t, f.bytes)
	case 11:
		name, dims := parseValueInfo(t, f.bytes)
		m.inputs[name] = dims
	case 12:
		name, dims := parseValueInfo(t, f.bytes)
		m.outputs[name] = dims
	}
}

func parseAttr(t *testing.T, b []byte) (name string, values []int) {
	for _, f := range protoFields(t, b) {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 3, 8:
			values = append(values, int(int64(f.varint)))
		}
	}
	return name, values
}

func (m *onnxModel) initializer(t *testing.T, b []byte) {
	var name string
	var kind uint64
	var raw []byte
	var dims []int
	size := 1
	for _, f := range protoFields(t, b) {
		switch f.number {
		case 1:
			dims = append(dims, int(f.varint))
			size *= int(f.varint)
		case 2:
			kind = f.varint
		case 8:
			name = string(f.bytes)
		case 9:
			raw = f.bytes
		}
	}
	values := make([]float64, size)
	for i := range values {
		switch kind {
		case 1:
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
		case 7:
			values[i] = float64(int64(binary.LittleEndian.Uint64(raw[8*i:])))
		default:
			t.Fatalf("%s is of type %d", name, kind)
		}
	}
	m.weights[name], m.dims[name] = values, dims
}

func parseValueInfo(t *testing.T, b []byte) (name string, dims []int) {
	for _, f := range protoFields(t, b) {
		if f.number == 1 {
			name = string(f.bytes)
			continue
		}
		tensor := protoFields(t, protoFields(t, f.bytes)[0].bytes)
		for _, d := range protoFields(t, tensor[1].bytes) {
			dim := protoFields(t, d.bytes)[0]
			if dim.number == 2 {
				dims = append(dims, -1)
			} else {
				dims = append(dims, int(dim.varint))
			}
		}
	}
	return name, dims
}

// run evaluates the graph on one picture, in float64, by the text of the operators'
// specification: the slow twin of ONNX Runtime.
func (m onnxModel) run(t *testing.T, in grid) []float64 {
	t.Helper()
	out, ok := m.runAll(t, in)["embedding"]
	if !ok {
		t.Fatal("nothing writes the embedding")
	}
	return out.v
}

// runAll returns every value of the graph.
func (m onnxModel) runAll(t *testing.T, in grid) map[string]grid {
	t.Helper()
	values := map[string]grid{"input": in}
	for _, n := range m.nodes {
		x, ok := values[n.inputs[0]]
		if !ok {
			t.Fatalf("node %d, %s, reads %q before it exists", n.ordinal, n.op, n.inputs[0])
		}
		values[n.output] = m.eval(t, n, x, values)
	}
	return values
}

func (m onnxModel) eval(t *testing.T, n onnxNode, x grid, values map[string]grid) grid {
	switch n.op {
	case "Sub", "Add", "Mul":
		return m.binary(t, n, x, values)
	case "Relu":
		return newGrid(x.c, x.h, x.w).each(func(c, y, z int) float64 { return max(0, x.at(c, y, z)) })
	case "Conv":
		return m.conv(t, n, x)
	case "Identity":
		return x
	case "Sigmoid":
		return newGrid(x.c, x.h, x.w).each(func(c, y, z int) float64 { return 1 / (1 + math.Exp(-x.at(c, y, z))) })
	case "MaxPool", "AveragePool":
		if p, ok := n.attrs["pads"]; ok {
			return paddedPool(x, n.attrs["kernel_shape"], n.attrs["strides"], p, len(n.attrs["ceil_mode"]) > 0)
		}
		return pool(x, n.attrs["kernel_shape"][0], n.attrs["strides"][0], n.op == "MaxPool")
	case "GlobalAveragePool":
		return pool(x, x.h, 1, false)
	case "Pad":
		p := m.weights[n.inputs[1]]
		if p[0] != 0 || p[1] != 0 || p[2] != 0 || p[3] != 0 || p[4] != 0 {
			t.Fatalf("pads %v", p)
		}
		return newGrid(x.c+int(p[5]), x.h+int(p[6]), x.w+int(p[7])).each(x.at)
	case "Flatten":
		return x
	case "MatMul":
		w, d := m.weights[n.inputs[1]], m.dims[n.inputs[1]]
		if d[0] != len(x.v) {
			t.Fatalf("MatMul of %d by %v", len(x.v), d)
		}
		return newGrid(d[1], 1, 1).each(func(c, _, _ int) float64 {
			sum := 0.0
			for i, v := range x.v {
				sum += v * w[i*d[1]+c]
			}
			return sum
		})
	}
	t.Fatalf("operator %q", n.op)
	return grid{}
}

// binary is the element-wise operators with a value of the same shape or a weight for each channel or for all.
func (m onnxModel) binary(t *testing.T, n onnxNode, x grid, values map[string]grid) grid {
	second := func(c, y, z int) float64 { return values[n.inputs[1]].at(c, y, z) }
	if w, ok := m.weights[n.inputs[1]]; ok {
		if len(w) != 1 && len(w) != x.c {
			t.Fatalf("%s of %d channels with %d weights", n.op, x.c, len(w))
		}
		second = func(c, _, _ int) float64 { return w[c%len(w)] }
	} else if o := values[n.inputs[1]]; o.c != x.c || o.h != x.h || o.w != x.w {
		t.Fatalf("%s of %dx%dx%d and %dx%dx%d", n.op, x.c, x.h, x.w, o.c, o.h, o.w)
	}
	return newGrid(x.c, x.h, x.w).each(func(c, y, z int) float64 {
		a, b := x.at(c, y, z), second(c, y, z)
		switch n.op {
		case "Sub":
			return a - b
		case "Mul":
			return a * b
		}
		return a + b
	})
}

func (m onnxModel) conv(t *testing.T, n onnxNode, x grid) grid {
	w, d, b := m.weights[n.inputs[1]], m.dims[n.inputs[1]], m.weights[n.inputs[2]]
	group := 1
	if g, ok := n.attrs["group"]; ok {
		group = g[0]
	}
	s, p := n.attrs["strides"], n.attrs["pads"]
	if d[1]*group != x.c || len(b) != d[0] || len(p) != 4 {
		t.Fatalf("Conv of %d channels with %v in %d groups, pads %v", x.c, d, group, p)
	}
	h, wd := (x.h+p[0]+p[2]-d[2])/s[0]+1, (x.w+p[1]+p[3]-d[3])/s[1]+1
	return newGrid(d[0], h, wd).each(func(o, y, z int) float64 {
		sum := b[o]
		for i := range d[1] {
			for ky := range d[2] {
				for kx := range d[3] {
					sum += w[((o*d[1]+i)*d[2]+ky)*d[3]+kx] * x.at(o/(d[0]/group)*d[1]+i, y*s[0]+ky-p[0], z*s[1]+kx-p[1])
				}
			}
		}
		return sum
	})
}

// paddedPool is MaxPool: what lies outside counts for nothing.
func paddedPool(x grid, k, s, p []int, ceil bool) grid {
	count := func(n, k, s, before, after int) int {
		room := n + before + after - k
		if ceil {
			room += s - 1
		}
		return room/s + 1
	}
	h, w := count(x.h, k[0], s[0], p[0], p[2]), count(x.w, k[1], s[1], p[1], p[3])
	return newGrid(x.c, h, w).each(func(c, y, z int) float64 {
		most := math.Inf(-1)
		for i := range k[0] {
			for j := range k[1] {
				if a, b := y*s[0]+i-p[0], z*s[1]+j-p[1]; a >= 0 && b >= 0 && a < x.h && b < x.w {
					most = max(most, x.at(c, a, b))
				}
			}
		}
		return most
	})
}

func pool(x grid, k, stride int, largest bool) grid {
	return newGrid(x.c, (x.h-k)/stride+1, (x.w-k)/stride+1).each(func(c, y, z int) float64 {
		sum, most := 0.0, math.Inf(-1)
		for i := range k {
			for j := range k {
				v := x.at(c, y*stride+i, z*stride+j)
				sum, most = sum+v, max(most, v)
			}
		}
		if largest {
			return most
		}
		return sum / float64(k*k)
	})
}

// near compares two embeddings: relative to the largest component, float32 weights allow about 1e-6.
func near(t *testing.T, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d components, want %d", len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(want[i]))
		worst = max(worst, math.Abs(got[i]-want[i]))
	}
	if largest == 0 || worst > 2e-6*largest || math.IsNaN(worst) {
		t.Errorf("they differ by %g; the largest component is %g", worst, largest)
	}
}
