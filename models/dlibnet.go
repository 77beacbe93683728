package models

import (
	"fmt"
	"math"
)

// A dlibLayer is one layer of the face recognition network of dlib's
// dnn_face_recognition_ex.cpp, in the order of computation.
type dlibLayer struct {
	kind dlibKind

	window, stride, pad [2]int    // con, maxPool, avgPool: rows, columns
	filters             [4]int    // con: filters, channels, rows, columns; fc: outputs, inputs, 1, 1
	weights             []float32 // con: in the order of filters; fc: inputs x outputs
	gamma, beta         []float32 // affine
	bias                []float32 // con
	mean                [3]float32
}

type dlibKind int

const (
	dlibInput dlibKind = iota
	dlibCon
	dlibAffine
	dlibRelu
	dlibMaxPool
	dlibTag1    // remember the input of a block
	dlibAddTag1 // add the remembered input
	dlibTag2    // remember the output of a down-sampling block
	dlibSkip1   // go on from the input of the block
	dlibAvgPool
	dlibAddTag2
	dlibAvgAll
	dlibFC
	dlibLoss
)

// dlibTopology lists the layers from the innermost, which comes last in the
// file's nesting, to the loss. It is dlib's anet_type written out: a stem, then
// residual blocks of which the first of each level but one down-samples.
func dlibTopology() []dlibKind {
	net := []dlibKind{dlibInput, dlibCon, dlibAffine, dlibRelu, dlibMaxPool}
	block := func(down bool) {
		net = append(net, dlibTag1, dlibCon, dlibAffine, dlibRelu, dlibCon, dlibAffine)
		if down {
			net = append(net, dlibTag2, dlibSkip1, dlibAvgPool, dlibAddTag2)
		} else {
			net = append(net, dlibAddTag1)
		}
		net = append(net, dlibRelu)
	}
	for _, level := range []struct {
		down   bool
		blocks int
	}{{false, 3}, {true, 4}, {true, 3}, {true, 3}, {true, 1}} {
		for i := range level.blocks {
			block(level.down && i == 0)
		}
	}
	return append(net, dlibAvgAll, dlibFC, dlibLoss)
}

// readDlibNet reads a network of that topology. The file nests: each layer is a
// version, then the layer below, then its own parameters; so all versions come
// first, outermost to innermost, and all parameters after, innermost to outermost.
func readDlibNet(file []byte) ([]dlibLayer, error) {
	r := &dlibReader{b: file}
	kinds := dlibTopology()
	versions := make([]int64, len(kinds))
	for i := len(kinds) - 1; i > 0; i-- {
		versions[i] = r.head(kinds[i], i == 1)
	}
	net := make([]dlibLayer, len(kinds))
	for i, kind := range kinds {
		net[i] = r.layer(kind)
		r.tail(kind, versions[i], i == 1)
		if r.err != nil {
			return nil, fmt.Errorf("layer %d of %d: %w", i+1, len(kinds), r.err)
		}
	}
	if r.off != len(file) {
		return nil, fmt.Errorf("%d bytes follow the last layer", len(file)-r.off)
	}
	return net, nil
}

// head reads what stands before the layer below: a version, and for the loss its parameters.
func (r *dlibReader) head(kind dlibKind, innermost bool) int64 {
	switch {
	case kind == dlibLoss:
		v := r.version("the loss", 1, 1)
		if r.name("loss_metric_", "loss_metric_2") == "loss_metric_2" {
			r.reals(2)
		}
		return v
	case kind == dlibTag1 || kind == dlibTag2 || kind == dlibSkip1:
		return r.version("a tag", 1, 1)
	case innermost:
		return r.version("the first layer", 2, 3)
	}
	return r.version("a layer", 1, 2)
}

// tail reads what add_layer writes after a layer's parameters: three flags and the
// tensors of training, empty in a file that was cleaned and ignored otherwise.
func (r *dlibReader) tail(kind dlibKind, version int64, innermost bool) {
	switch kind {
	case dlibInput, dlibTag1, dlibTag2, dlibSkip1, dlibLoss:
		return
	}
	for range 3 {
		r.boolean()
	}
	r.tensor()
	r.tensor()
	if innermost || version >= 2 {
		r.tensor()
	}
	if innermost && version >= 3 {
		r.integer()
	}
}

func (r *dlibReader) layer(kind dlibKind) dlibLayer {
	l := dlibLayer{kind: kind}
	switch kind {
	case dlibInput:
		r.input(&l)
	case dlibCon:
		r.con(&l)
	case dlibAffine:
		r.affine(&l)
	case dlibRelu:
		r.name("relu_")
	case dlibMaxPool:
		r.pool(&l, "max_pool_2")
	case dlibAvgPool, dlibAvgAll:
		r.pool(&l, "avg_pool_2")
	case dlibAddTag1, dlibAddTag2:
		r.name("add_prev_")
	case dlibFC:
		r.fc(&l)
	}
	return l
}

func (r *dlibReader) input(l *dlibLayer) {
	r.name("input_rgb_image_sized")
	for i := range l.mean {
		l.mean[i] = float32(r.real())
	}
	l.window = [2]int{r.dimension(), r.dimension()}
	if r.err == nil && l.window != [2]int{150, 150} {
		r.fail("the input is %dx%d and should be 150x150", l.window[0], l.window[1])
	}
}

func (r *dlibReader) con(l *dlibLayer) {
	version := r.name("con_4", "con_5")
	params := r.tensor()
	filters := r.dimension()
	l.window = [2]int{r.dimension(), r.dimension()}
	l.stride = [2]int{r.dimension(), r.dimension()}
	l.pad = [2]int{r.dimension(), r.dimension()}
	l.filters = r.alias()
	biases := r.alias()
	r.reals(4)
	if version == "con_5" && !r.boolean() {
		r.fail("a convolution without bias is not expected")
	}
	if r.err != nil {
		return
	}
	n := l.filters[0] * l.filters[1] * l.filters[2] * l.filters[3]
	switch {
	case filters != l.filters[0] || l.window != [2]int{l.filters[2], l.filters[3]} || biases != [4]int{1, filters, 1, 1}:
		r.fail("a convolution's shapes contradict each other")
	case filters == 0 || len(params) != n+filters:
		r.fail("a convolution has %d parameters where %d belong", len(params), n+filters)
	case l.stride[0] < 1 || l.stride[1] < 1 || l.stride[0] > 4 || l.stride[1] > 4 || l.pad[0] > 3 || l.pad[1] > 3:
		r.fail("a convolution has stride %v and padding %v", l.stride, l.pad)
	default:
		l.weights, l.bias = params[:n], params[n:]
	}
}

func (r *dlibReader) affine(l *dlibLayer) {
	version := r.name("affine_", "affine_2")
	params := r.tensor()
	gamma, beta := r.alias(), r.alias()
	if mode := r.integer(); mode != 0 {
		r.fail("an affine layer of mode %d is not convolutional", mode)
	}
	if version == "affine_2" && r.boolean() {
		r.fail("a disabled affine layer is not expected")
	}
	n := gamma[1]
	if r.err != nil {
		return
	}
	if gamma != [4]int{1, n, 1, 1} || beta != gamma || len(params) != 2*n {
		r.fail("an affine layer's shapes contradict each other")
		return
	}
	l.gamma, l.beta = params[:n], params[n:]
}

func (r *dlibReader) pool(l *dlibLayer, name string) {
	r.name(name)
	l.window = [2]int{r.dimension(), r.dimension()}
	l.stride = [2]int{r.dimension(), r.dimension()}
	l.pad = [2]int{r.dimension(), r.dimension()}
	if r.err != nil {
		return
	}
	all := l.window == [2]int{0, 0}
	if all != (l.kind == dlibAvgAll) || l.window[0] > 8 || l.window[1] > 8 {
		r.fail("a pooling window of %v is not expected", l.window)
	}
	if l.stride[0] < 1 || l.stride[1] < 1 || l.stride[0] > 8 || l.stride[1] > 8 || l.pad != [2]int{} {
		r.fail("a pooling layer has stride %v and padding %v", l.stride, l.pad)
	}
}

func (r *dlibReader) fc(l *dlibLayer) {
	version := r.name("fc_2", "fc_3")
	outputs, inputs := r.dimension(), r.dimension()
	params := r.tensor()
	weights := r.alias()
	r.alias()
	if mode := r.integer(); mode != 1 {
		r.fail("a fully connected layer with bias is not expected")
	}
	r.reals(4)
	if version == "fc_3" {
		r.boolean()
	}
	if r.err != nil {
		return
	}
	if weights != [4]int{inputs, outputs, 1, 1} || outputs == 0 || len(params) != inputs*outputs {
		r.fail("a fully connected layer's shapes contradict each other")
		return
	}
	l.filters = [4]int{outputs, inputs, 1, 1}
	l.weights = params
}

// foldAffine multiplies an affine layer, y = gamma*x + beta for each channel, into
// the convolution before it. Products and sums are rounded one by one (no fused
// multiply-add), so that every architecture writes the same bytes.
func (l *dlibLayer) foldAffine(a *dlibLayer) error {
	if len(a.gamma) != l.filters[0] {
		return fmt.Errorf("an affine layer has %d channels after a convolution with %d", len(a.gamma), l.filters[0])
	}
	per := len(l.weights) / l.filters[0]
	weights := make([]float32, len(l.weights))
	bias := make([]float32, len(l.bias))
	for f := range bias {
		g := float64(a.gamma[f])
		for i := f * per; i < (f+1)*per; i++ {
			weights[i] = float32(float64(l.weights[i]) * g)
		}
		scaled := float64(float64(l.bias[f]) * g)
		bias[f] = float32(scaled + float64(a.beta[f]))
	}
	l.weights, l.bias = weights, bias
	return finite(weights, bias)
}

func finite(lists ...[]float32) error {
	for _, list := range lists {
		for _, v := range list {
			if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
				return fmt.Errorf("a folded weight is not finite")
			}
		}
	}
	return nil
}
