package embeddings

import (
	"math"

	"semblance"
)

// A Spec says what a network takes and gives. Those built in take "input", float32
// [N,3,Size,Size], planes of red, green and blue from 0 to 255 (normalization is
// inside the graph), and give "embedding", float32 [N,Dimensions]; that of an own
// engine says so in its bundle.
type Spec struct {
	Name       string // for messages, such as "MobileFaceNet"
	Size       int    // side of a chip in pixels
	Dimensions int
	Normalize  bool      // divide by the length, for engines that compare by cosine
	known      []float32 // the start of the answer to checkChip

	own    bool // names of input and output, and its answer, are found out when it is opened
	input  semblance.NetworkInput
	output string
}

// OfBundle is the embedder of an own engine.
func OfBundle(b semblance.EngineBundle) Spec {
	return Spec{Name: "the network of engine " + string(b.Spec.Name), Size: b.Input.Size, Dimensions: b.Spec.Dimensions, Normalize: b.Normalize,
		own: true, input: b.Input, output: b.Output}
}

// MobileFaceNet is the embedder of yunet-mobilefacenet.
func MobileFaceNet() Spec {
	return Spec{Name: "MobileFaceNet", Size: 112, Dimensions: 192, Normalize: true,
		known: []float32{0.009454, 0.021930, 0.015160, -0.009670, -0.055183, -0.016818, -0.107597, -0.044845}}
}

// DlibResNet is the embedder of yunet-dlib. Its vectors are compared by their
// Euclidean distance as they are, not normalized, as dlib does.
func DlibResNet() Spec {
	return Spec{Name: "dlib's ResNet", Size: 150, Dimensions: 128,
		known: []float32{-0.055976, 0.126720, 0.037413, -0.053972, -0.050860, -0.054738, -0.049384, -0.018997}}
}

// fill writes a chip as the network wants it.
func (s *Spec) fill(dst []float32, chip []byte) {
	if !s.own {
		fillPlanes(dst, chip)
		return
	}
	n := len(chip) / 3
	for c := range 3 {
		at := c
		if s.input.BGR {
			at = 2 - c
		}
		mean, scale := s.input.Mean[c], s.input.Scale[c]
		from, step := at*n, 1
		if s.input.NHWC {
			from, step = at, 3
		}
		for i := range n {
			dst[from+i*step] = (float32(chip[3*i+c]) - mean) / scale
		}
	}
}

// fillPlanes writes a chip as three planes.
func fillPlanes(planes []float32, chip []byte) {
	n := len(chip) / 3
	r, g, b := planes[:n], planes[n:2*n], planes[2*n:3*n]
	for i := range r {
		p := chip[3*i : 3*i+3]
		r[i], g[i], b[i] = float32(p[0]), float32(p[1]), float32(p[2])
	}
}

// vector copies one raw embedding, normalized when the spec says so. A vector that
// is not finite or has no length is an error: compared with anything it would give
// a distance that means nothing.
func (s Spec) vector(raw []float32) ([]float32, error) {
	sum := 0.0
	for _, v := range raw {
		sum += float64(v) * float64(v)
	}
	length := math.Sqrt(sum)
	if !(length > 1e-6) || math.IsInf(length, 0) {
		return nil, semblance.Errorf(semblance.Internal, "%s gave no usable embedding for a face (length %g)", s.Name, length).
			WithHint("%s", s.unusableHint())
	}
	out := make([]float32, len(raw))
	for i, v := range raw {
		out[i] = v
		if s.Normalize {
			out[i] = float32(float64(v) / length)
		}
	}
	return out, nil
}

func (s Spec) unusableHint() string {
	if s.own {
		return "Run `semblance doctor`, which tries the network. Look at mean, scale, color and layout in its engine.json: values it was not trained on can do this."
	}
	return "Run `semblance doctor`, which checks the network's answer to a known input."
}

// mendHint says how a network that is missing or altered is had again.
func (s Spec) mendHint() string {
	if s.own {
		return "Put the network that its engine.json pins back into its folder, or correct the sha256 there and raise its version; a bundle of the manifest is fetched with `semblance models pull`."
	}
	return "Fetch it again with `semblance models pull`."
}
