package models

import (
	"errors"
	"fmt"
)

// The operators of schema.fbs that MobileFaceNet is made of.
const (
	tfAdd       = 0
	tfConv      = 3
	tfDepthwise = 4
	tfMul       = 18
	tfRelu      = 19
	tfReshape   = 22
	tfSub       = 41
	tfAbs       = 101
)

// A faceOp is one operator after lowering. Values are named by the TFLite tensor
// that they were; shapes are channels, rows, columns.
type faceOp struct {
	kind    faceKind
	inputs  []int
	output  int
	in, out shape

	// Convolutions and pools. Weights are output, input (1 when depthwise), row, column.
	window, stride [2]int
	pads           [4]int // top, left, bottom, right
	depthwise      bool
	weights, bias  []float32

	slope []float32 // PRelu only: one per channel
	ceil  bool      // pools only: what is left over at the end is a window too
}

type faceKind int

const (
	faceConv faceKind = iota
	facePRelu
	faceAdd
	faceFlatten
	facePool
)

// tfLowering turns TFLite operators into faceOps, in order. The five operators that
// a PReLU was exported as are held in parts until the last of them.
type tfLowering struct {
	m      *tfModel
	shapes map[int]shape // of the values that exist so far
	parts  map[int]tfOp  // RELU, ABS, SUB and MUL by the tensor they write
	ops    []faceOp
}

// lower reads the whole graph. Whatever is not of the expected kind is an error, so
// a file that converts at all converts to what it computes.
func (m *tfModel) lower() ([]faceOp, error) {
	if len(m.inputs) != 1 || len(m.outputs) != 1 {
		return nil, fmt.Errorf("it has %d inputs and %d outputs and should have one each", len(m.inputs), len(m.outputs))
	}
	in := m.tensors[m.inputs[0]]
	if len(in.shape) != 4 || in.shape[1] != 112 || in.shape[2] != 112 || in.shape[3] != 3 || in.kind != 0 {
		return nil, fmt.Errorf("its input is %v and should be [N 112 112 3] of float32", in.shape)
	}
	l := &tfLowering{m: m, parts: map[int]tfOp{}, shapes: map[int]shape{m.inputs[0]: {3, 112, 112}}}
	for i, op := range m.ops {
		if err := l.op(op); err != nil {
			return nil, fmt.Errorf("operator %d of %d: %w", i+1, len(m.ops), err)
		}
		if i == 0 {
			delete(l.shapes, m.inputs[0]) // its scale goes into the one convolution that reads it
		}
	}
	last := len(l.ops) - 1
	if last < 0 || l.ops[last].kind != faceFlatten || l.ops[last].output != m.outputs[0] {
		return nil, errors.New("its last operator is not the reshape to the embedding")
	}
	return l.ops, nil
}

func (l *tfLowering) op(op tfOp) error {
	if len(op.outputs) != 1 {
		return fmt.Errorf("it has %d outputs", len(op.outputs))
	}
	out := op.outputs[0]
	if _, twice := l.shapes[out]; twice || l.m.tensors[out].data != nil {
		return fmt.Errorf("it writes tensor %d, which has a value", out)
	}
	switch op.code {
	case tfConv, tfDepthwise:
		return l.conv(op)
	case tfRelu, tfAbs:
		return l.part(op, 1)
	case tfSub, tfMul:
		return l.part(op, 2)
	case tfAdd:
		return l.add(op)
	case tfReshape:
		return l.flatten(op)
	}
	return fmt.Errorf("kind %d is not one that is converted", op.code)
}

// emit adds an operator that reads existing values.
func (l *tfLowering) emit(op faceOp) error {
	for i, in := range op.inputs {
		s, ok := l.shapes[in]
		if !ok {
			return fmt.Errorf("it reads tensor %d before it has a value", in)
		}
		if i > 0 && s != op.in {
			return fmt.Errorf("it reads %v and %v together", op.in, s)
		}
	}
	l.shapes[op.output] = op.out
	l.ops = append(l.ops, op)
	return nil
}

func (l *tfLowering) part(op tfOp, inputs int) error {
	r := flatReader{b: l.m.file}
	if len(op.inputs) != inputs || r.int8(op.options, 0, 0) != 0 || r.err != nil {
		return errors.New("it is not a plain piece of a PReLU")
	}
	l.parts[op.outputs[0]] = op
	return nil
}

// add is either the end of a PReLU, relu(x) + c*(x-|x|), or the sum of a residual block.
func (l *tfLowering) add(op tfOp) error {
	r := flatReader{b: l.m.file}
	if len(op.inputs) != 2 || r.int8(op.options, 0, 0) != 0 || r.err != nil {
		return errors.New("it is not a plain sum of two")
	}
	if x, c, ok := l.prelu(op); ok {
		s := l.shapes[x]
		slope, err := l.m.floats(c, s.c)
		if err != nil {
			return err
		}
		for i := range slope {
			slope[i] *= 2 // x-|x| is 2x below zero, 0 above
		}
		return l.emit(faceOp{kind: facePRelu, inputs: []int{x}, output: op.outputs[0], in: s, out: s, slope: slope})
	}
	s := l.shapes[op.inputs[0]]
	return l.emit(faceOp{kind: faceAdd, inputs: op.inputs, output: op.outputs[0], in: s, out: s})
}

// prelu recognizes relu(x) + c*(x-|x|) and returns the tensors x and c.
func (l *tfLowering) prelu(add tfOp) (x, c int, ok bool) {
	relu, mul := l.parts[add.inputs[0]], l.parts[add.inputs[1]]
	if relu.code != tfRelu || mul.code != tfMul {
		return 0, 0, false
	}
	sub := l.parts[mul.inputs[1]]
	if sub.code != tfSub {
		return 0, 0, false
	}
	abs := l.parts[sub.inputs[1]]
	x = relu.inputs[0]
	if abs.code != tfAbs || abs.inputs[0] != x || sub.inputs[0] != x {
		return 0, 0, false
	}
	_, known := l.shapes[x]
	return x, mul.inputs[0], known
}

// flatten is the reshape of N×1×1×C to N×C.
func (l *tfLowering) flatten(op tfOp) error {
	if len(op.inputs) < 1 {
		return errors.New("it has no input")
	}
	s := l.shapes[op.inputs[0]]
	to := l.m.tensors[op.outputs[0]].shape
	if s.h != 1 || s.w != 1 || len(to) != 2 || to[1] != s.c {
		return fmt.Errorf("it reshapes %v to %v", s, to)
	}
	return l.emit(faceOp{kind: faceFlatten, inputs: op.inputs[:1], output: op.outputs[0], in: s, out: s})
}

// conv reads CONV_2D and DEPTHWISE_CONV_2D.
func (l *tfLowering) conv(op tfOp) error {
	if len(op.inputs) != 3 {
		return fmt.Errorf("it has %d inputs and should have three", len(op.inputs))
	}
	in, known := l.shapes[op.inputs[0]]
	if !known {
		return fmt.Errorf("it reads tensor %d before it has a value", op.inputs[0])
	}
	filter := l.m.tensors[op.inputs[1]].shape
	if len(filter) != 4 || filter[1] < 1 || filter[1] > 16 || filter[2] < 1 || filter[2] > 16 {
		return fmt.Errorf("its filter is %v", filter)
	}
	f := faceOp{kind: faceConv, depthwise: op.code == tfDepthwise, inputs: op.inputs[:1], output: op.outputs[0],
		in: in, window: [2]int{filter[1], filter[2]}}
	same, err := l.convOptions(op, &f)
	if err != nil {
		return err
	}
	if err := l.convWeights(op, filter, &f); err != nil {
		return err
	}
	f.out.h, f.pads[0], f.pads[2] = tfSlide(in.h, f.window[0], f.stride[0], same)
	f.out.w, f.pads[1], f.pads[3] = tfSlide(in.w, f.window[1], f.stride[1], same)
	if f.out.h < 1 || f.out.w < 1 {
		return fmt.Errorf("a window of %v does not fit into %v", f.window, in)
	}
	return l.emit(f)
}

func (l *tfLowering) convOptions(op tfOp, f *faceOp) (same bool, err error) {
	r := flatReader{b: l.m.file}
	o := op.options
	f.stride = [2]int{int(r.int32(o, 2, 0)), int(r.int32(o, 1, 0))}
	padding := r.int8(o, 0, 0)
	multiplier, fields := int32(1), 3 // of the activation and the dilation that follow
	if f.depthwise {
		multiplier, fields = r.int32(o, 3, 0), 4
	}
	activation := r.int8(o, fields, 0)
	dilation := r.int32(o, fields+1, 1) != 1 || r.int32(o, fields+2, 1) != 1
	switch {
	case r.err != nil:
		return false, r.err
	case multiplier != 1 || activation != 0 || dilation || padding < 0 || padding > 1:
		return false, errors.New("it has an activation, a dilation or a multiplier")
	case f.stride[0] < 1 || f.stride[0] > 4 || f.stride[1] < 1 || f.stride[1] > 4:
		return false, fmt.Errorf("its stride is %v", f.stride)
	}
	return padding == 0, nil
}

// convWeights reorders TFLite's output, row, column, input (depthwise: 1, row,
// column, channel) into ONNX's output, input, row, column.
func (l *tfLowering) convWeights(op tfOp, filter []int, f *faceOp) error {
	outputs, inputs, window := filter[0], filter[3], filter[1]*filter[2]
	f.out.c = outputs
	if f.depthwise {
		outputs, inputs, f.out.c = 1, filter[3], filter[3]
	}
	if inputs != f.in.c || filter[0] != outputs {
		return fmt.Errorf("its filter is %v for %d channels", filter, f.in.c)
	}
	w, err := l.m.floats(op.inputs[1], filter...)
	if err != nil {
		return err
	}
	if f.bias, err = l.m.floats(op.inputs[2], f.out.c); err != nil {
		return err
	}
	f.weights = make([]float32, len(w))
	for o := range outputs {
		for i := range inputs {
			for k := range window {
				f.weights[(o*inputs+i)*window+k] = w[(o*window+k)*inputs+i]
			}
		}
	}
	return nil
}

// tfSlide returns how many positions a window has along one dimension and the
// padding before and after it: TensorFlow's SAME puts the odd one at the end.
func tfSlide(n, window, stride int, same bool) (out, before, after int) {
	if !same {
		if n < window {
			return 0, 0, 0
		}
		return (n-window)/stride + 1, 0, 0
	}
	out = (n + stride - 1) / stride
	total := max((out-1)*stride+window-n, 0)
	return out, total / 2, total - total/2
}
