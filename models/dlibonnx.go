package models

import (
	"fmt"
	"strconv"

	"semblance"
)

// ConvertDlibResNet turns dlib_face_recognition_resnet_model_v1.dat into ONNX.
//
// The result takes "input", float32 [N,3,150,150], RGB planes of values 0 to 255,
// and gives "embedding", float32 [N,128], as dlib computes it (not normalized).
// dlib's mean and its division by 256 are inside the graph; affine layers are
// folded into the convolutions. The same input gives the same bytes everywhere.
// The error is an *semblance.Error with code Invalid when the file is not that network.
func ConvertDlibResNet(file []byte) ([]byte, error) {
	net, err := readDlibNet(file)
	if err != nil {
		return nil, invalidModel("dlib face recognition network", err)
	}
	c := dlibConverter{graph: onnxGraph{
		name: "dlib-resnet",
		doc:  "dlib_face_recognition_resnet_model_v1 (CC0), converted by " + DlibConverter,
	}}
	if err := c.convert(net); err != nil {
		return nil, invalidModel("dlib face recognition network", err)
	}
	return c.graph.model(), nil
}

// DlibConverter names the version of ConvertDlibResNet; it changes whenever the bytes written do.
const DlibConverter = "dlib-onnx/1"

func invalidModel(what string, err error) error {
	return semblance.Errorf(semblance.Invalid, "this is not a %s that can be converted: %v", what, err).WithCause(err)
}

// shape is channels, rows, columns of a value in the graph.
type shape struct{ c, h, w int }

type value struct {
	name  string
	shape shape
}

// dlibConverter walks the layers and keeps the value they have come to, and the
// two that tags remember.
type dlibConverter struct {
	graph      onnxGraph
	at         value
	tag1, tag2 value
	count      int
	scale      float32 // of the next convolution's weights, when not zero
}

func (c *dlibConverter) next(prefix string) string {
	c.count++
	return prefix + strconv.Itoa(c.count)
}

func (c *dlibConverter) convert(net []dlibLayer) error {
	for i := 0; i < len(net); i++ {
		l := &net[i]
		var err error
		switch l.kind {
		case dlibInput:
			err = c.input(l)
		case dlibCon:
			i++ // the topology has an affine layer after each convolution
			if err = l.foldAffine(&net[i]); err == nil {
				err = c.con(l)
			}
		case dlibRelu:
			c.op("Relu", c.at.shape, []string{c.at.name})
		case dlibMaxPool:
			err = c.pool("MaxPool", l)
		case dlibAvgPool:
			err = c.pool("AveragePool", l)
		case dlibTag1:
			c.tag1 = c.at
		case dlibTag2:
			c.tag2 = c.at
		case dlibSkip1:
			c.at = c.tag1
		case dlibAddTag1:
			c.add(c.tag1)
		case dlibAddTag2:
			c.add(c.tag2)
		case dlibAvgAll:
			c.op("GlobalAveragePool", shape{c.at.shape.c, 1, 1}, []string{c.at.name})
		case dlibFC:
			err = c.fc(l)
		}
		if err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return nil
}

// op adds an operator on the given inputs and moves on to its output.
func (c *dlibConverter) op(op string, out shape, inputs []string, attrs ...onnxAttr) {
	name := c.next(op)
	c.graph.node(op, name, inputs, attrs...)
	c.at = value{name, out}
}

func (c *dlibConverter) input(l *dlibLayer) error {
	c.at = value{"input", shape{3, l.window[0], l.window[1]}}
	c.graph.input("input", 3, l.window[0], l.window[1])
	c.graph.floats("mean", l.mean[:], 1, 3, 1, 1)
	c.op("Sub", c.at.shape, []string{"input", "mean"})
	c.scale = 1.0 / 256 // dlib divides the input; dividing the weights by a power of two loses no bit
	return nil
}

func (c *dlibConverter) con(l *dlibLayer) error {
	if l.filters[1] != c.at.shape.c {
		return fmt.Errorf("a convolution takes %d channels and gets %d", l.filters[1], c.at.shape.c)
	}
	out, err := slide(c.at.shape, l)
	if err != nil {
		return err
	}
	out.c = l.filters[0]
	if c.scale != 0 {
		for i := range l.weights {
			l.weights[i] *= c.scale
		}
		c.scale = 0
	}
	w, b := c.next("w"), c.next("b")
	c.graph.floats(w, l.weights, l.filters[:]...)
	c.graph.floats(b, l.bias, l.filters[0])
	c.op("Conv", out, []string{c.at.name, w, b},
		intsAttr("kernel_shape", l.window[:]...),
		intsAttr("strides", l.stride[:]...),
		intsAttr("pads", l.pad[0], l.pad[1], l.pad[0], l.pad[1]))
	return nil
}

func (c *dlibConverter) pool(op string, l *dlibLayer) error {
	out, err := slide(c.at.shape, l)
	if err != nil {
		return err
	}
	c.op(op, out, []string{c.at.name}, intsAttr("kernel_shape", l.window[:]...), intsAttr("strides", l.stride[:]...))
	return nil
}

// slide returns the shape after a window moved over s.
func slide(s shape, l *dlibLayer) (shape, error) {
	h, w := s.h+2*l.pad[0]-l.window[0], s.w+2*l.pad[1]-l.window[1]
	if h < 0 || w < 0 || l.window[0] < 1 || l.window[1] < 1 {
		return shape{}, fmt.Errorf("a window of %v does not fit into %dx%d", l.window, s.h, s.w)
	}
	return shape{s.c, h/l.stride[0] + 1, w/l.stride[1] + 1}, nil
}

// add is dlib's add_prev: where the two differ in a dimension, the smaller counts as zero beyond its end.
func (c *dlibConverter) add(other value) {
	a, b := c.at, other
	out := shape{max(a.shape.c, b.shape.c), max(a.shape.h, b.shape.h), max(a.shape.w, b.shape.w)}
	c.op("Add", out, []string{c.pad(a, out), c.pad(b, out)})
}

func (c *dlibConverter) pad(v value, to shape) string {
	if v.shape == to {
		return v.name
	}
	pads := c.next("pads")
	c.graph.int64s(pads, 0, 0, 0, 0, 0, to.c-v.shape.c, to.h-v.shape.h, to.w-v.shape.w)
	name := c.next("Pad")
	c.graph.node("Pad", name, []string{v.name, pads})
	return name
}

func (c *dlibConverter) fc(l *dlibLayer) error {
	if l.filters[1] != c.at.shape.c || c.at.shape.h != 1 || c.at.shape.w != 1 {
		return fmt.Errorf("the last layer takes %d values and gets %v", l.filters[1], c.at.shape)
	}
	c.op("Flatten", c.at.shape, []string{c.at.name}, intAttr("axis", 1))
	c.graph.floats("fc", l.weights, l.filters[1], l.filters[0])
	c.graph.node("MatMul", "embedding", []string{c.at.name, "fc"})
	c.graph.output("embedding", l.filters[0])
	return nil
}
