package semblance

import (
	"math"
	"strconv"
)

// An EngineName names a face engine: a pinned, versioned bundle of detector,
// alignment and embedder. Signals of two engines are never compared.
type EngineName string

// The engines this version knows. Which of them work on a machine depends on the
// weights and libraries that are there; `semblance doctor` says.
const (
	YuNetMobileFaceNet EngineName = "yunet-mobilefacenet" // the default
	YuNetDlib          EngineName = "yunet-dlib"
	DlibHOG            EngineName = "dlib-hog"
	MTCNNMobileFaceNet EngineName = "mtcnn-mobilefacenet" // where YuNet's weights cannot be had
)

// DefaultEngine is the engine of a collection that names none.
const DefaultEngine = YuNetMobileFaceNet

// A Metric says how the embeddings of an engine are compared.
type Metric string

// The metrics. Both are distances: lower is closer.
const (
	Cosine Metric = "cosine" // 1 - a·b of L2-normalised vectors, 0 to 2
	Euclid Metric = "euclid" // length of a - b, not squared
)

// Distance is the definition of a metric: plain, sequential, in float64. Every
// index proves its fast kernels against it and every reported distance comes
// from it. The vectors must have the same length; ones of different lengths
// are infinitely far apart.
func (m Metric) Distance(a, b []float32) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.Inf(1)
	}
	sum := 0.0
	switch m {
	case Cosine:
		for i := range a {
			sum += float64(float64(a[i]) * float64(b[i])) // no fused multiply-add: the same on every CPU
		}
		return max(0, 1-sum)
	case Euclid:
		for i := range a {
			d := float64(a[i]) - float64(b[i])
			sum += float64(d * d)
		}
		return math.Sqrt(sum)
	}
	return math.Inf(1)
}

// RoundDistance rounds a distance to the four decimals that are reported, stored
// and compared with thresholds, so that what a person reads is what decided.
func RoundDistance(d float64) float64 { return math.Round(d*1e4) / 1e4 }

// An EngineSpec is what is fixed about an engine.
type EngineSpec struct {
	Name       EngineName `json:"name"`
	Version    int        `json:"version"` // raised when the same face would get another embedding
	Dimensions int        `json:"dimensions"`
	Metric     Metric     `json:"metric"`
	Distance   float64    `json:"distance"` // default threshold of a new collection, inclusive
	Summary    string     `json:"summary"`
	Limits     string     `json:"limits"`             // in one sentence, shown wherever candidates are shown
	License    string     `json:"license,omitempty"`  // of an own engine's network
	Training   string     `json:"training,omitempty"` // what an own engine's network was trained on
	// Fingerprint is the sha256 of all that decides about an own engine's embeddings:
	// network, input, template, detector. Empty for the engines built in, whose
	// Version says it.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Own reports whether the engine is an agency's own, from a bundle.
func (s EngineSpec) Own() bool { return s.Fingerprint != "" }

// Signal is the full name of the engine's signals, such as
// "face/yunet-mobilefacenet-1".
func (s EngineSpec) Signal() string {
	return "face/" + string(s.Name) + "-" + strconv.Itoa(s.Version)
}

// CommonLimits is what holds for every face engine.
const CommonLimits = "Weaker on children, on faces under 40 pixels, in profile, blurred or covered, and uneven between populations: " +
	"a candidate is a lead for a trained examiner, never an identification, and no candidate does not mean the person is absent."

// Engines lists the engines built in, the default first. An EngineSet knows the
// agency's own as well.
func Engines() []EngineSpec {
	const limits = CommonLimits
	return []EngineSpec{
		{Name: YuNetMobileFaceNet, Version: 2, Dimensions: 192, Metric: Cosine, Distance: 0.5,
			Summary: "YuNet, five-point alignment, MobileFaceNet in ONNX Runtime", Limits: limits},
		{Name: YuNetDlib, Version: 2, Dimensions: 128, Metric: Euclid, Distance: 0.5,
			Summary: "YuNet, dlib's face chip, dlib's ResNet in ONNX Runtime; for galleries enrolled with dlib", Limits: limits},
		{Name: MTCNNMobileFaceNet, Version: 1, Dimensions: 192, Metric: Cosine, Distance: 0.5,
			Summary: "MTCNN, five-point alignment, MobileFaceNet in ONNX Runtime; where YuNet's weights cannot be had", Limits: limits},
		{Name: DlibHOG, Version: 1, Dimensions: 128, Metric: Euclid, Distance: 0.5,
			Summary: "dlib's HOG detector and ResNet through go-face; misses faces under 80 pixels", Limits: limits},
	}
}

// EngineByName returns the spec of an engine that is built in; the empty name is
// the default's. The error has code Invalid. Where an agency's own engines may be
// meant, as in everything a person names, [EngineSet.ByName] is asked.
func EngineByName(name EngineName) (EngineSpec, error) { return EngineSet{}.ByName(name) }
