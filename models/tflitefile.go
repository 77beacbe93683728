package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A tfModel is the one subgraph of a TFLite file, as far as the converter needs it.
type tfModel struct {
	file    []byte
	tensors []tfTensor
	inputs  []int
	outputs []int
	ops     []tfOp
	budget  int // bytes of weights that may still be read
}

type tfTensor struct {
	shape []int
	kind  byte   // TensorType; 0 is float32
	data  []byte // nil when it is computed; aliases the file
}

type tfOp struct {
	code            int // BuiltinOperator
	inputs, outputs []int
	options         flatTable // zero when there are none
}

// Limits on what a file may claim. MobileFaceNet has 369 tensors and 230 operators.
const (
	tfMaxTensors = 4096
	tfMaxOps     = 4096
	tfMaxRank    = 8
	tfMaxList    = 64 // of dimensions, and of an operator's tensors
)

// readTFLite reads a TFLite file (schema.fbs of TensorFlow Lite, version 3).
// Every offset is checked against the file; nothing is allocated by a count that
// the file's length does not back.
func readTFLite(file []byte) (*tfModel, error) {
	if len(file) < 8 || string(file[4:8]) != "TFL3" {
		return nil, errors.New("it does not begin like a TFLite file")
	}
	r := &flatReader{b: file}
	root := r.table(0)
	codes := r.operatorCodes(r.vector(root, 1))
	buffers := r.vector(root, 4)
	graphs := r.vector(root, 2)
	if r.err == nil && graphs.n != 1 {
		return nil, fmt.Errorf("it has %d graphs and should have one", graphs.n)
	}
	graph := r.tableAt(graphs, 0)
	m := &tfModel{
		file:    file,
		budget:  len(file),
		tensors: r.tensors(r.vector(graph, 0), buffers),
		inputs:  r.ints(graph, 1),
		outputs: r.ints(graph, 2),
	}
	m.ops = r.operators(r.vector(graph, 3), codes)
	if r.err == nil {
		m.checkIndexes(r)
	}
	return m, r.err
}

func (r *flatReader) operatorCodes(v flatVector) []int {
	if v.n > 256 {
		r.fail("it has %d kinds of operator", v.n)
		return nil
	}
	codes := make([]int, v.n)
	for i := range codes {
		t := r.tableAt(v, i)
		// Codes over 127 are in the fourth field, of newer files; below, in the first.
		codes[i] = max(int(r.int8(t, 0, 0)), int(r.int32(t, 3, 0)))
	}
	return codes
}

func (r *flatReader) tensors(v, buffers flatVector) []tfTensor {
	if v.n > tfMaxTensors {
		r.fail("it has %d tensors", v.n)
		return nil
	}
	out := make([]tfTensor, v.n)
	for i := range out {
		t := r.tableAt(v, i)
		out[i].shape = r.ints(t, 0)
		if len(out[i].shape) > tfMaxRank {
			r.fail("tensor %d has %d dimensions", i, len(out[i].shape))
		}
		out[i].kind = byte(r.int8(t, 1, 0))
		buffer := int(r.int32(t, 2, 0))
		if r.err == nil && (buffer < 0 || buffer >= buffers.n) {
			r.fail("tensor %d is in buffer %d of %d", i, buffer, buffers.n)
		}
		out[i].data = r.bytes(r.tableAt(buffers, buffer), 0)
		if r.err != nil {
			return nil
		}
	}
	return out
}

func (r *flatReader) operators(v flatVector, codes []int) []tfOp {
	if v.n > tfMaxOps {
		r.fail("it has %d operators", v.n)
		return nil
	}
	out := make([]tfOp, v.n)
	for i := range out {
		t := r.tableAt(v, i)
		code := int(r.int32(t, 0, 0))
		if r.err == nil && (code < 0 || code >= len(codes)) {
			r.fail("operator %d is of kind %d of %d", i, code, len(codes))
		}
		if r.err != nil {
			return nil
		}
		out[i] = tfOp{code: codes[code], inputs: r.ints(t, 1), outputs: r.ints(t, 2), options: r.child(t, 4)}
	}
	return out
}

// checkIndexes makes sure that every tensor that is referred to exists.
func (m *tfModel) checkIndexes(r *flatReader) {
	lists := [][]int{m.inputs, m.outputs}
	for _, op := range m.ops {
		lists = append(lists, op.inputs, op.outputs)
	}
	for _, list := range lists {
		for _, i := range list {
			if i < 0 || i >= len(m.tensors) {
				r.fail("it refers to tensor %d of %d", i, len(m.tensors))
			}
		}
	}
}

// floats returns the values of a constant float32 tensor of exactly that shape.
func (m *tfModel) floats(i int, dims ...int) ([]float32, error) {
	t := m.tensors[i]
	n := 1
	for k, d := range dims {
		if len(t.shape) != len(dims) || t.shape[k] != d || d < 1 || n > (1<<28)/d {
			return nil, fmt.Errorf("tensor %d has shape %v where %v belongs", i, t.shape, dims)
		}
		n *= d
	}
	if t.kind != 0 || len(t.data) != 4*n {
		return nil, fmt.Errorf("tensor %d holds %d bytes of kind %d where %d of float32 belong", i, len(t.data), t.kind, 4*n)
	}
	if m.budget -= 4 * n; m.budget < 0 {
		return nil, errors.New("its weights overlap") // many operators on one large tensor would fill the memory
	}
	out := make([]float32, n)
	for k := range out {
		out[k] = math.Float32frombits(binary.LittleEndian.Uint32(t.data[4*k:]))
	}
	return out, finite(out)
}

// flatReader reads FlatBuffers: little-endian, tables that point to a vtable of
// field offsets, vectors that begin with their length. It remembers the first error.
type flatReader struct {
	b   []byte
	err error
}

// A flatTable is the position of a table; 0 stands for an absent one, all of
// whose fields have their defaults.
type flatTable int

// A flatVector is the position of the first element and the number of elements.
type flatVector struct{ at, n int }

func (r *flatReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// ok reports whether n bytes at position at are in the file.
func (r *flatReader) ok(at, n int) bool {
	if r.err != nil {
		return false
	}
	if at < 0 || n < 0 || at > len(r.b) || n > len(r.b)-at {
		r.fail("an offset points outside of the file")
		return false
	}
	return true
}

func (r *flatReader) uint16(at int) int {
	if !r.ok(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(r.b[at:]))
}

func (r *flatReader) uint32(at int) int {
	if !r.ok(at, 4) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(r.b[at:]))
}

// table follows the offset at position at.
func (r *flatReader) table(at int) flatTable {
	t := at + r.uint32(at)
	if !r.ok(t, 4) {
		return 0
	}
	return flatTable(t)
}

// field returns the position of a table's field, 0 when it is absent.
func (r *flatReader) field(t flatTable, n int) int {
	if t == 0 || !r.ok(int(t), 4) {
		return 0
	}
	vtable := int(t) - int(int32(r.uint32(int(t))))
	size := r.uint16(vtable)
	if 4+2*n+2 > size {
		return 0
	}
	offset := r.uint16(vtable + 4 + 2*n)
	if offset == 0 || r.err != nil {
		return 0
	}
	return int(t) + offset
}

func (r *flatReader) child(t flatTable, n int) flatTable {
	if at := r.field(t, n); at != 0 {
		return r.table(at)
	}
	return 0
}

func (r *flatReader) int8(t flatTable, n int, absent int8) int8 {
	at := r.field(t, n)
	if at == 0 || !r.ok(at, 1) {
		return absent
	}
	return int8(r.b[at])
}

func (r *flatReader) int32(t flatTable, n int, absent int32) int32 {
	at := r.field(t, n)
	if at == 0 {
		return absent
	}
	return int32(r.uint32(at))
}

// vector returns a field that is a vector of 4-byte elements, empty when absent.
func (r *flatReader) vector(t flatTable, n int) flatVector {
	at := r.field(t, n)
	if at == 0 {
		return flatVector{}
	}
	at += r.uint32(at)
	v := flatVector{at + 4, r.uint32(at)}
	if !r.ok(v.at, v.n) || !r.ok(v.at, 4*v.n) {
		return flatVector{}
	}
	return v
}

func (r *flatReader) tableAt(v flatVector, i int) flatTable {
	if i < 0 || i >= v.n {
		r.fail("a list of %d is too short", v.n)
		return 0
	}
	return r.table(v.at + 4*i)
}

func (r *flatReader) ints(t flatTable, n int) []int {
	v := r.vector(t, n)
	if v.n > tfMaxList {
		r.fail("a list has %d elements", v.n) // lists may overlap, so their sum has no bound of its own
		return nil
	}
	out := make([]int, v.n)
	for i := range out {
		out[i] = int(int32(r.uint32(v.at + 4*i)))
	}
	return out
}

// bytes returns a field that is a vector of bytes; nil when absent or empty.
func (r *flatReader) bytes(t flatTable, n int) []byte {
	at := r.field(t, n)
	if at == 0 {
		return nil
	}
	at += r.uint32(at)
	size := r.uint32(at)
	if size == 0 || !r.ok(at+4, size) {
		return nil
	}
	return r.b[at+4 : at+4+size]
}
