package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// MTCNNConverter names the version of ConvertMTCNN; it changes whenever the bytes
// written do.
const MTCNNConverter = "tflite-mtcnn/1"

// The further operators of schema.fbs that MTCNN's networks are made of.
const (
	tfFullyConnected = 9
	tfMaxPool        = 17
	tfDiv            = 42
	tfExp            = 47
	tfNeg            = 59
	tfSum            = 74
	tfReduceMax      = 82
)

// ConvertMTCNN turns one of MTCNN's three networks (pnet, rnet, onet.tflite) into
// ONNX.
//
// The result takes "input", float32 [N,3,H,W], planes of blue, green and red of
// values 0 to 255, upright: the originals want columns before rows, and their
// weights are turned instead. H and W are free in pnet, which a window of 12 by 12
// pixels slides over in steps of two, and those of the original in the others. It
// gives "score", the probability of a face, "box", four offsets, and from onet
// "landmarks", ten positions: [N,C,H,W] of each window in pnet, [N,C] in the others.
// The original's (x-127.5)/128 is inside the graph; its softmax of two is a sigmoid
// of their difference. The same input gives the same bytes everywhere. The error has
// code Invalid when the file is not such a network.
func ConvertMTCNN(file []byte) ([]byte, error) {
	m, err := readTFLite(file)
	if err != nil {
		return nil, invalidModel("MTCNN of TensorFlow Lite", err)
	}
	l, err := m.lowerMTCNN()
	if err == nil {
		err = checkFinite(l.ops)
	}
	if err != nil {
		return nil, invalidModel("MTCNN of TensorFlow Lite", err)
	}
	g, err := l.graph()
	if err != nil {
		return nil, invalidModel("MTCNN of TensorFlow Lite", err)
	}
	return g.model(), nil
}

// An mtcnnLowering turns the operators of one network into faceOps.
type mtcnnLowering struct {
	tfLowering
	in     shape
	slides bool        // over a picture of any size: no fully connected layer fixes it
	score  map[int]int // tensor of a softmax: the tensor of two that it is of
}

func (m *tfModel) lowerMTCNN() (*mtcnnLowering, error) {
	if len(m.inputs) != 1 || len(m.outputs) < 2 || len(m.outputs) > 3 {
		return nil, fmt.Errorf("it has %d inputs and %d outputs and should have one, and two or three", len(m.inputs), len(m.outputs))
	}
	in := m.tensors[m.inputs[0]]
	if len(in.shape) != 4 || in.shape[0] != 1 || in.shape[3] != 3 || in.kind != 0 || min(in.shape[1], in.shape[2]) < 12 || max(in.shape[1], in.shape[2]) > 4096 {
		return nil, fmt.Errorf("its input is %v and should be [1 W H 3] of float32", in.shape)
	}
	l := &mtcnnLowering{in: shape{3, in.shape[1], in.shape[2]}, slides: true, score: map[int]int{}}
	l.tfLowering = tfLowering{m: m, parts: map[int]tfOp{}, shapes: map[int]shape{m.inputs[0]: l.in}}
	for i, op := range m.ops {
		if err := l.op(op); err != nil {
			return nil, fmt.Errorf("operator %d of %d: %w", i+1, len(m.ops), err)
		}
		if i == 0 {
			delete(l.shapes, m.inputs[0]) // its scale goes into the one convolution that reads it
		}
	}
	if len(l.ops) == 0 || l.ops[0].kind != faceConv {
		return nil, errors.New("it does not begin with a convolution")
	}
	return l, nil
}

func (l *mtcnnLowering) op(op tfOp) error {
	if len(op.outputs) != 1 {
		return fmt.Errorf("it has %d outputs", len(op.outputs))
	}
	out := op.outputs[0]
	if _, twice := l.shapes[out]; twice || l.m.tensors[out].data != nil {
		return fmt.Errorf("it writes tensor %d, which has a value", out)
	}
	switch op.code {
	case tfConv:
		return l.conv(op)
	case tfFullyConnected:
		return l.dense(op)
	case tfMaxPool:
		return l.pool(op)
	case tfRelu, tfNeg, tfExp:
		return l.part(op, 1)
	case tfMul, tfSub:
		return l.part(op, 2)
	case tfReduceMax, tfSum:
		return l.along(op)
	case tfAdd:
		return l.negPrelu(op)
	case tfDiv:
		return l.softmax(op)
	}
	return fmt.Errorf("kind %d is not one that is converted", op.code)
}

// negPrelu is relu(x) + c * -relu(-x).
func (l *mtcnnLowering) negPrelu(op tfOp) error {
	r := flatReader{b: l.m.file}
	if len(op.inputs) != 2 || r.int8(op.options, 0, 0) != 0 || r.err != nil {
		return errors.New("it is not a plain sum of two")
	}
	up, mul := l.parts[op.inputs[0]], l.parts[op.inputs[1]]
	if up.code != tfRelu || mul.code != tfMul {
		return errors.New("it is not the end of a PReLU")
	}
	x, inner := up.inputs[0], mul.inputs[1]
	for _, code := range []int{tfNeg, tfRelu, tfNeg} {
		p := l.parts[inner]
		if p.code != code || len(p.inputs) != 1 {
			return errors.New("it is not the end of a PReLU")
		}
		inner = p.inputs[0]
	}
	s, known := l.shapes[x]
	if inner != x || !known {
		return errors.New("it is a PReLU of two values")
	}
	slope, err := l.m.floats(mul.inputs[0], s.c)
	if err != nil {
		return err
	}
	return l.emit(faceOp{kind: facePRelu, inputs: []int{x}, output: op.outputs[0], in: s, out: s, slope: slope})
}

// along is a maximum or sum over the channels.
func (l *mtcnnLowering) along(op tfOp) error {
	if len(op.inputs) != 2 {
		return errors.New("it is not over one axis")
	}
	axis := l.m.tensors[op.inputs[1]]
	rank := len(l.m.tensors[op.inputs[0]].shape)
	const tfInt32 = 2
	if axis.kind != tfInt32 || len(axis.data) != 4 {
		return errors.New("it is not over one axis")
	}
	if a := int(int32(binary.LittleEndian.Uint32(axis.data))); a != -1 && a != rank-1 {
		return fmt.Errorf("it is over axis %d and not over the channels", a)
	}
	r := flatReader{b: l.m.file}
	if r.int8(op.options, 0, 0) != 1 || r.err != nil {
		return errors.New("it drops the axis")
	}
	l.parts[op.outputs[0]] = op
	return nil
}

// softmax is e / sum(e), where e is exp(x - max(x)), of two channels.
func (l *mtcnnLowering) softmax(op tfOp) error {
	r := flatReader{b: l.m.file}
	if len(op.inputs) != 2 || r.int8(op.options, 0, 0) != 0 || r.err != nil {
		return errors.New("it is not a plain quotient")
	}
	e, sum := l.parts[op.inputs[0]], l.parts[op.inputs[1]]
	if e.code != tfExp || sum.code != tfSum || sum.inputs[0] != op.inputs[0] {
		return errors.New("it is not the end of a softmax")
	}
	sub := l.parts[e.inputs[0]]
	if sub.code != tfSub || len(sub.inputs) != 2 {
		return errors.New("it is not the end of a softmax")
	}
	most := l.parts[sub.inputs[1]]
	x := sub.inputs[0]
	if s, known := l.shapes[x]; most.code != tfReduceMax || most.inputs[0] != x || !known || s.c != 2 {
		return errors.New("it is not the end of a softmax of two")
	}
	l.score[op.outputs[0]] = x
	return nil
}

// dense is a fully connected layer: a convolution whose window is all there is.
func (l *mtcnnLowering) dense(op tfOp) error {
	if len(op.inputs) != 3 {
		return fmt.Errorf("it has %d inputs and should have three", len(op.inputs))
	}
	in, known := l.shapes[op.inputs[0]]
	w := l.m.tensors[op.inputs[1]].shape
	r := flatReader{b: l.m.file}
	switch {
	case !known:
		return fmt.Errorf("it reads tensor %d before it has a value", op.inputs[0])
	case r.int8(op.options, 0, 0) != 0 || r.int8(op.options, 1, 0) != 0 || r.err != nil:
		return errors.New("it has an activation or shuffled weights")
	case len(w) != 2 || w[0] < 1 || in.h > 16 || in.w > 16 || w[1] != in.c*in.h*in.w:
		return fmt.Errorf("its weights are %v for %v", w, in)
	}
	f := faceOp{kind: faceConv, inputs: op.inputs[:1], output: op.outputs[0], in: in, out: shape{w[0], 1, 1},
		window: [2]int{in.h, in.w}, stride: [2]int{1, 1}}
	values, err := l.m.floats(op.inputs[1], w...)
	if err != nil {
		return err
	}
	if f.bias, err = l.m.floats(op.inputs[2], w[0]); err != nil {
		return err
	}
	f.weights = channelsFirst(values, w[0], in.h*in.w, in.c)
	l.slides = false
	return l.emit(f)
}

// channelsFirst reorders output, place, channel into output, channel, place.
func channelsFirst(w []float32, outputs, places, channels int) []float32 {
	out := make([]float32, len(w))
	for o := range outputs {
		for c := range channels {
			for p := range places {
				out[(o*channels+c)*places+p] = w[(o*places+p)*channels+c]
			}
		}
	}
	return out
}

func (l *mtcnnLowering) pool(op tfOp) error {
	if len(op.inputs) != 1 {
		return fmt.Errorf("it has %d inputs", len(op.inputs))
	}
	in, known := l.shapes[op.inputs[0]]
	if !known {
		return fmt.Errorf("it reads tensor %d before it has a value", op.inputs[0])
	}
	r := flatReader{b: l.m.file}
	o := op.options
	f := faceOp{kind: facePool, inputs: op.inputs[:1], output: op.outputs[0], in: in,
		stride: [2]int{int(r.int32(o, 2, 0)), int(r.int32(o, 1, 0))}, window: [2]int{int(r.int32(o, 4, 0)), int(r.int32(o, 3, 0))}}
	padding, activation := r.int8(o, 0, 0), r.int8(o, 5, 0)
	switch {
	case r.err != nil:
		return r.err
	case padding < 0 || padding > 1 || activation != 0:
		return errors.New("it has an activation")
	case min(f.stride[0], f.stride[1], f.window[0], f.window[1]) < 1 || max(f.stride[0], f.stride[1], f.window[0], f.window[1]) > 4:
		return fmt.Errorf("its window is %v and its stride %v", f.window, f.stride)
	}
	f.out.c = in.c
	f.out.h, f.pads[0], f.pads[2] = tfSlide(in.h, f.window[0], f.stride[0], padding == 0)
	f.out.w, f.pads[1], f.pads[3] = tfSlide(in.w, f.window[1], f.stride[1], padding == 0)
	if f.out.h < 1 || f.out.w < 1 {
		return fmt.Errorf("a window of %v does not fit into %v", f.window, in)
	}
	if padding == 0 && f.window == f.stride {
		f.ceil, f.pads = true, [4]int{} // what is left over at the end is a window too, whatever the size
	}
	return l.emit(f)
}

// upright turns an operator from columns before rows to rows before columns.
func (op *faceOp) upright() {
	op.window[0], op.window[1] = op.window[1], op.window[0]
	op.stride[0], op.stride[1] = op.stride[1], op.stride[0]
	op.pads = [4]int{op.pads[1], op.pads[0], op.pads[3], op.pads[2]}
	op.in.h, op.in.w = op.in.w, op.in.h
	op.out.h, op.out.w = op.out.w, op.out.h
	rows, columns := op.window[0], op.window[1] // as they are now
	turned := make([]float32, len(op.weights))
	for first := 0; first < len(op.weights); first += rows * columns {
		for y := range rows {
			for x := range columns {
				turned[first+y*columns+x] = op.weights[first+x*rows+y]
			}
		}
	}
	op.weights = turned
}

// graph writes the network.
func (l *mtcnnLowering) graph() (*onnxGraph, error) {
	g := &onnxGraph{name: "mtcnn", doc: "MTCNN of syaringan357/Android-MobileFaceNet-MTCNN-FaceAntiSpoofing (MIT), converted by " + MTCNNConverter}
	names := map[int]string{l.m.inputs[0]: "centered"}
	ends, err := l.ends()
	if err != nil {
		return nil, err
	}
	if l.slides {
		g.input("input", 3, -1, -1)
	} else {
		g.input("input", 3, l.in.w, l.in.h)
	}
	g.floats("mean", []float32{127.5})
	g.node("Sub", "centered", []string{"input", "mean"})
	for i := range l.ops {
		op := l.ops[i]
		op.upright()
		if l.slides && op.pads != [4]int{} {
			return nil, errors.New("its padding depends on the size of the picture")
		}
		if i == 0 {
			op.scaleInput()
		}
		end := ends[op.output]
		if end == "score" {
			op.difference()
		}
		n, inputs := strconv.Itoa(i+1), []string{names[op.inputs[0]]}
		names[op.output] = "v" + n
		g.face(op, n, names[op.output], inputs)
		if end != "" {
			l.end(g, op, end, names[op.output])
		}
	}
	return g, nil
}

// ends names the tensors that outputs are made of.
func (l *mtcnnLowering) ends() (map[int]string, error) {
	ends, named := map[int]string{}, map[string]bool{}
	for _, out := range l.m.outputs {
		x, isScore := l.score[out]
		if !isScore {
			x = out
		}
		s, known := l.shapes[x]
		name := map[int]string{4: "box", 10: "landmarks"}[s.c]
		if isScore {
			name = "score"
		}
		i := slices.IndexFunc(l.ops, func(op faceOp) bool { return op.output == x })
		if named[name] || !known || name == "" || i < 0 || l.ops[i].kind != faceConv || slices.ContainsFunc(l.ops, func(op faceOp) bool { return op.inputs[0] == x }) {
			return nil, fmt.Errorf("its output %v is not a score, a box or landmarks", s)
		}
		ends[x], named[name] = name, true
	}
	if len(ends) != len(l.m.outputs) || len(l.score) != 1 {
		return nil, errors.New("it has not one score")
	}
	return ends, nil
}

// end writes an output.
func (l *mtcnnLowering) end(g *onnxGraph, op faceOp, name, value string) {
	dims := []int{op.out.c, -1, -1}
	last := name
	if !l.slides {
		dims, last = dims[:1], name+"4"
	}
	if name == "score" {
		g.node("Sigmoid", last, []string{value})
	} else {
		g.node("Identity", last, []string{value})
	}
	if !l.slides {
		g.node("Flatten", name, []string{last}, intAttr("axis", 1))
	}
	g.output(name, dims...)
}

// scaleInput puts the scale of the input into the first weights (a power of two
// loses no bit) and turns its channels from red, green, blue to blue, green, red.
func (op *faceOp) scaleInput() {
	n := op.window[0] * op.window[1]
	for first := 0; first < len(op.weights); first += 3 * n {
		for i := range n {
			op.weights[first+i], op.weights[first+2*n+i] = op.weights[first+2*n+i], op.weights[first+i]
		}
	}
	for i := range op.weights {
		op.weights[i] /= 128
	}
}

// difference makes one channel of two: that of a face minus the other.
func (op *faceOp) difference() {
	half := len(op.weights) / 2
	weights := make([]float32, half)
	for i := range weights {
		weights[i] = op.weights[half+i] - op.weights[i]
	}
	op.weights, op.bias, op.out.c = weights, []float32{op.bias[1] - op.bias[0]}, 1
}
