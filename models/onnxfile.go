package models

import (
	"encoding/binary"
	"math"
	"strconv"
)

// onnxGraph collects an ONNX graph and writes it as a ModelProto. It knows the
// dozen protobuf fields the converters need and nothing else; fields are written
// in a fixed order, so the same graph is the same bytes on every machine.
type onnxGraph struct {
	name, doc string
	nodes     [][]byte
	weights   [][]byte
	inputs    [][]byte
	outputs   [][]byte
}

// The versions written into every converted file. Operator set 13 is the oldest
// that has every operator in its present form, so any ONNX Runtime since 1.8 reads it.
const (
	onnxIRVersion = 7
	onnxOpset     = 13
)

// Element types of TensorProto.DataType.
const (
	onnxFloat = 1
	onnxInt64 = 7
)

// Attribute types of AttributeProto.AttributeType.
const (
	attrInt  = 2
	attrInts = 7
)

// An onnxAttr is one attribute of a node: ints when list is set, the first of them alone otherwise.
type onnxAttr struct {
	name string
	list bool
	ints []int64
}

func intAttr(name string, v int) onnxAttr {
	return onnxAttr{name: name, ints: []int64{int64(v)}}
}

func intsAttr(name string, vs ...int) onnxAttr {
	a := onnxAttr{name: name, list: true}
	for _, v := range vs {
		a.ints = append(a.ints, int64(v))
	}
	return a
}

// node adds an operator whose only output is out.
func (g *onnxGraph) node(op, out string, inputs []string, attrs ...onnxAttr) {
	var b []byte
	for _, in := range inputs {
		b = pbString(b, 1, in)
	}
	b = pbString(b, 2, out)
	b = pbString(b, 3, out)
	b = pbString(b, 4, op)
	for _, a := range attrs {
		b = pbBytes(b, 5, a.encode())
	}
	g.nodes = append(g.nodes, b)
}

func (a onnxAttr) encode() []byte {
	b := pbString(nil, 1, a.name)
	if !a.list {
		b = pbInt(b, 3, a.ints[0])
		return pbInt(b, 20, attrInt)
	}
	for _, v := range a.ints {
		b = pbInt(b, 8, v)
	}
	return pbInt(b, 20, attrInts)
}

// floats adds a float32 initializer.
func (g *onnxGraph) floats(name string, values []float32, dims ...int) {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	g.weight(name, onnxFloat, raw, dims)
}

// int64s adds a one-dimensional int64 initializer.
func (g *onnxGraph) int64s(name string, values ...int) {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(int64(v)))
	}
	g.weight(name, onnxInt64, raw, []int{len(values)})
}

func (g *onnxGraph) weight(name string, kind int64, raw []byte, dims []int) {
	var b []byte
	for _, d := range dims {
		b = pbInt(b, 1, int64(d))
	}
	b = pbInt(b, 2, kind)
	b = pbString(b, 8, name)
	g.weights = append(g.weights, pbBytes(b, 9, raw))
}

// input and output declare a float32 tensor whose first dimension, the batch, is
// free, and so is every one that is negative.
func (g *onnxGraph) input(name string, dims ...int) {
	g.inputs = append(g.inputs, valueInfo(name, dims))
}

func (g *onnxGraph) output(name string, dims ...int) {
	g.outputs = append(g.outputs, valueInfo(name, dims))
}

func valueInfo(name string, dims []int) []byte {
	shape := pbBytes(nil, 1, pbString(nil, 2, "N"))
	for i, d := range dims {
		if d < 0 {
			shape = pbBytes(shape, 1, pbString(nil, 2, name+strconv.Itoa(i)))
			continue
		}
		shape = pbBytes(shape, 1, pbInt(nil, 1, int64(d)))
	}
	tensor := pbBytes(pbInt(nil, 1, onnxFloat), 2, shape)
	return pbBytes(pbString(nil, 1, name), 2, pbBytes(nil, 1, tensor))
}

// model returns the file: a ModelProto.
func (g *onnxGraph) model() []byte {
	var graph []byte
	for _, n := range g.nodes {
		graph = pbBytes(graph, 1, n)
	}
	graph = pbString(graph, 2, g.name)
	for _, w := range g.weights {
		graph = pbBytes(graph, 5, w)
	}
	for _, in := range g.inputs {
		graph = pbBytes(graph, 11, in)
	}
	for _, out := range g.outputs {
		graph = pbBytes(graph, 12, out)
	}
	b := pbInt(nil, 1, onnxIRVersion)
	b = pbString(b, 2, "semblance")
	b = pbString(b, 6, g.doc)
	b = pbBytes(b, 7, graph)
	return pbBytes(b, 8, pbInt(pbString(nil, 1, ""), 2, onnxOpset))
}

func pbInt(b []byte, field int, v int64) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3)
	return binary.AppendUvarint(b, uint64(v))
}

func pbBytes(b []byte, field int, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|2)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func pbString(b []byte, field int, v string) []byte {
	return pbBytes(b, field, []byte(v))
}
