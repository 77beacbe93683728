//go:build cgo && native

package embeddings

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"

	"semblance"
)

// Ports are what a network shows of itself to its callers.
type ports struct {
	input, output string
	batch         int // chips at once
}

// look finds out what an own network takes and gives, and compares it with what its
// manifest says. The error has code Unavailable.
func look(s *Spec, model []byte) (ports, error) {
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(model)
	if err != nil {
		return ports{}, semblance.Errorf(semblance.Unavailable, "%s is not an ONNX file that ONNX Runtime can load", s.Name).
			WithHint("Export it to ONNX again, with an operator set that ONNX Runtime knows.").WithCause(err)
	}
	in, err := pick(s, "input", s.input.Name, inputs)
	if err != nil {
		return ports{}, err
	}
	out, err := pick(s, "output", s.output, outputs)
	if err != nil {
		return ports{}, err
	}
	f := ports{input: in.Name, output: out.Name, batch: MaxBatch}
	size := int64(s.Size)
	want := []int64{3, size, size}
	if s.input.NHWC {
		want = []int64{size, size, 3}
	}
	d := in.Dimensions
	if in.DataType != ort.TensorElementDataTypeFloat || len(d) != 4 || !fits(d[1:], want) {
		return ports{}, s.lies("it takes %v of %v, and the manifest says pictures of %d by %d pixels in the layout [N %d %d %d] of float32", d, in.DataType, size, size, want[0], want[1], want[2])
	}
	switch {
	case d[0] == 1:
		f.batch = 1
	case d[0] > 1:
		return ports{}, s.lies("it takes exactly %d pictures at once; export it with a free batch size, or with 1", d[0])
	}
	per := int64(1)
	for _, n := range out.Dimensions[min(1, len(out.Dimensions)):] {
		per *= n // negative where one is free: then the first run tells
	}
	if out.DataType != ort.TensorElementDataTypeFloat || len(out.Dimensions) < 2 || per > 0 && per != int64(s.Dimensions) {
		return ports{}, s.otherOutput(out.Dimensions, 1)
	}
	return f, nil
}

// pick finds an input or output by name, or the only one there is.
func pick(s *Spec, what, name string, list []ort.InputOutputInfo) (ort.InputOutputInfo, error) {
	var names []string
	for _, x := range list {
		if x.Name == name && x.OrtValueType == ort.ONNXTypeTensor {
			return x, nil
		}
		names = append(names, x.Name)
	}
	if name == "" && len(list) == 1 && list[0].OrtValueType == ort.ONNXTypeTensor {
		return list[0], nil
	}
	if name == "" {
		return ort.InputOutputInfo{}, s.lies("it has %d %ss, %q, and the manifest does not say which", len(list), what, names)
	}
	return ort.InputOutputInfo{}, s.lies("it has no %s %q, only %q", what, name, names)
}

// fits reports whether dimensions are those wanted or free.
func fits(got, want []int64) bool {
	for i := range got {
		if got[i] >= 0 && got[i] != want[i] {
			return false
		}
	}
	return true
}

// otherOutput is a network that gives something else than it was said to.
func (s *Spec) otherOutput(shape []int64, chips int) error {
	if !s.own {
		return semblance.Errorf(semblance.Internal, "the face embedder %s failed", s.Name).
			WithHint("Run `semblance doctor`; if it finds nothing, report this.").WithCause(fmt.Errorf("its output has shape %v", shape))
	}
	return s.lies("it gives %v, and the manifest says %d dimensions of float32 for each of %d pictures", shape, s.Dimensions, chips)
}

// lies is a manifest that does not fit the network.
func (s *Spec) lies(format string, args ...any) error {
	return semblance.Errorf(semblance.Unavailable, "%s is not what its manifest says: %s", s.Name, fmt.Sprintf(format, args...)).
		WithHint("Correct input and embedding in its engine.json, or put the right network there.")
}
