package models

import (
	"errors"
	"strconv"
)

// TFLiteConverter names the version of ConvertMobileFaceNet; it changes whenever the bytes written do.
const TFLiteConverter = "tflite-onnx/1"

// ConvertMobileFaceNet turns MobileFaceNet.tflite into ONNX.
//
// The result takes "input", float32 [N,3,112,112], RGB planes of values 0 to 255,
// and gives "embedding", float32 [N,192], as the original computes it (not
// normalized). The original's (x-127.5)/128 is inside the graph; its batch of two is
// free; the five operators that each PReLU was exported as become four cheaper ones;
// pairs of 1×1 convolutions with nothing between them are multiplied into one. The
// same input gives the same bytes everywhere. The error is an *semblance.Error with code
// Invalid when the file is not such a network.
func ConvertMobileFaceNet(file []byte) ([]byte, error) {
	m, err := readTFLite(file)
	if err != nil {
		return nil, invalidModel("MobileFaceNet of TensorFlow Lite", err)
	}
	ops, err := m.lower()
	if err == nil {
		ops = mergePointwise(ops)
		err = checkFinite(ops)
	}
	if err != nil {
		return nil, invalidModel("MobileFaceNet of TensorFlow Lite", err)
	}
	g, err := faceGraph(ops)
	if err != nil {
		return nil, invalidModel("MobileFaceNet of TensorFlow Lite", err)
	}
	return g.model(), nil
}

func checkFinite(ops []faceOp) error {
	for _, op := range ops {
		if err := finite(op.weights, op.bias, op.slope); err != nil {
			return err
		}
	}
	return nil
}

// mergePointwise multiplies a linear 1×1 convolution into the 1×1 convolution that
// is the only reader of its result: B(Ax+a)+b is (BA)x+(Ba+b).
func mergePointwise(ops []faceOp) []faceOp {
	readers := map[int]int{}
	for _, op := range ops {
		for _, in := range op.inputs {
			readers[in]++
		}
	}
	var out []faceOp
	at := map[int]int{} // position in out by tensor written
	for _, op := range ops {
		prev, ok := at[op.inputs[0]]
		if ok && prev == len(out)-1 && readers[op.inputs[0]] == 1 && out[prev].shrinksWith(op) {
			out[prev] = out[prev].then(op)
		} else {
			out = append(out, op)
		}
		at[op.output] = len(out) - 1
	}
	return out
}

func (op *faceOp) pointwise() bool {
	return op.kind == faceConv && !op.depthwise && op.window == [2]int{1, 1} && op.stride == [2]int{1, 1}
}

// shrinksWith reports whether doing a and b at once takes fewer weights than one after the other.
func (a *faceOp) shrinksWith(b faceOp) bool {
	return a.pointwise() && b.pointwise() && b.out.c*a.in.c < len(a.weights)+len(b.weights)
}

// then returns the convolution that does a and then b. Sums are float64, each step
// rounded (no fused multiply-add), so that every architecture writes the same bytes.
func (a faceOp) then(b faceOp) faceOp {
	inner, in, out := a.out.c, a.in.c, b.out.c
	m := a
	m.output, m.out = b.output, b.out
	m.weights, m.bias = make([]float32, out*in), make([]float32, out)
	row := make([]float64, in)
	for o := range out {
		clear(row)
		bias := float64(b.bias[o])
		for k := range inner {
			w := float64(b.weights[o*inner+k])
			bias += float64(w * float64(a.bias[k]))
			for i := range row {
				row[i] += float64(w * float64(a.weights[k*in+i]))
			}
		}
		for i, v := range row {
			m.weights[o*in+i] = float32(v)
		}
		m.bias[o] = float32(bias)
	}
	return m
}

// faceGraph writes the operators. Everything is in ONNX's order of channels, rows,
// columns, so no transposition is left.
func faceGraph(ops []faceOp) (*onnxGraph, error) {
	g := &onnxGraph{
		name: "mobilefacenet",
		doc:  "MobileFaceNet of syaringan357/Android-MobileFaceNet-MTCNN-FaceAntiSpoofing (MIT), converted by " + TFLiteConverter,
	}
	first := ops[0]
	if first.kind != faceConv {
		return nil, errors.New("it does not begin with a convolution")
	}
	g.input("input", first.in.c, first.in.h, first.in.w)
	g.floats("mean", []float32{127.5})
	g.node("Sub", "centered", []string{"input", "mean"})
	for i := range first.weights {
		first.weights[i] /= 128 // the scale of the input; a power of two loses no bit
	}
	names := map[int]string{first.inputs[0]: "centered"}
	for i, op := range ops {
		n := strconv.Itoa(i + 1)
		out := "v" + n
		if i == len(ops)-1 {
			out = "embedding"
			g.output(out, op.out.c)
		}
		inputs := make([]string, len(op.inputs))
		for k, in := range op.inputs {
			inputs[k] = names[in]
		}
		g.face(op, n, out, inputs)
		names[op.output] = out
	}
	return g, nil
}

func (g *onnxGraph) face(op faceOp, n, out string, inputs []string) {
	switch op.kind {
	case faceConv:
		w, b, group, per := "w"+n, "b"+n, 1, op.in.c
		if op.depthwise {
			group, per = op.in.c, 1
		}
		g.floats(w, op.weights, op.out.c, per, op.window[0], op.window[1])
		g.floats(b, op.bias, op.out.c)
		g.node("Conv", out, append(inputs, w, b),
			intAttr("group", group),
			intsAttr("kernel_shape", op.window[:]...),
			intsAttr("strides", op.stride[:]...),
			intsAttr("pads", op.pads[:]...))
	case facePRelu:
		g.prelu(op, n, out, inputs[0])
	case faceAdd:
		g.node("Add", out, inputs)
	case facePool:
		attrs := []onnxAttr{intsAttr("kernel_shape", op.window[:]...), intsAttr("strides", op.stride[:]...), intsAttr("pads", op.pads[:]...)}
		if op.ceil {
			attrs = append(attrs, intAttr("ceil_mode", 1))
		}
		g.node("MaxPool", out, inputs, attrs...)
	case faceFlatten:
		g.node("Flatten", out, inputs, intAttr("axis", 1))
	}
}

// prelu writes max(x,0) + slope*min(x,0) as (1-slope)*relu(x) + slope*x. ONNX has a
// PRelu, but ONNX Runtime 1.31 spends half of the network's time in it: with it a
// face takes 14.1 ms, like this 7.1 ms, on one core of the machine it was measured on.
func (g *onnxGraph) prelu(op faceOp, n, out, x string) {
	rest := make([]float32, len(op.slope))
	for i, s := range op.slope {
		rest[i] = 1 - s
	}
	g.floats("slope"+n, op.slope, op.out.c, 1, 1)
	g.floats("rest"+n, rest, op.out.c, 1, 1)
	g.node("Relu", "relu"+n, []string{x})
	g.node("Mul", "up"+n, []string{"relu" + n, "rest" + n})
	g.node("Mul", "all"+n, []string{x, "slope" + n})
	g.node("Add", out, []string{"up" + n, "all" + n})
}
