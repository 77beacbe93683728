package index

import (
	"math"

	"semblance"
)

// normSlack is how far the length of a cosine vector may be from 1. Embedders
// normalize in float32, which leaves 1e-6; more is a vector that nobody normalized.
const normSlack = 1e-4

// CheckVector returns an Invalid error when a vector cannot be a signal of the
// space: its length is another, it is zero or not finite, or the metric is cosine
// and it is not L2-normalized.
func CheckVector(space semblance.EngineSpec, v []float32) error {
	if len(v) != space.Dimensions {
		return semblance.Errorf(semblance.Invalid, "an embedding of %s has %d numbers, not %d",
			space.Signal(), space.Dimensions, len(v)).WithHint("Use embeddings of the collection's own engine.")
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return semblance.Errorf(semblance.Invalid, "an embedding of %s has a number that is not finite", space.Signal()).
			WithHint("Embed the face again; an embedder that gives this is broken.")
	case sum == 0:
		return semblance.Errorf(semblance.Invalid, "an embedding of %s is all zero", space.Signal()).
			WithHint("Embed the face again; an embedder that gives this is broken.")
	case space.Metric == semblance.Cosine && math.Abs(math.Sqrt(sum)-1) > normSlack:
		return semblance.Errorf(semblance.Invalid, "an embedding of %s has length %.3g and not 1", space.Signal(), math.Sqrt(sum)).
			WithHint("Embeddings that are compared by cosine are L2-normalized.")
	}
	return nil
}

// checkSpace refuses a space that nothing can be measured in.
func checkSpace(space semblance.EngineSpec) error {
	if space.Dimensions <= 0 {
		return semblance.Errorf(semblance.Invalid, "engine %s has no dimensions", space.Signal())
	}
	if space.Metric != semblance.Cosine && space.Metric != semblance.Euclid {
		return semblance.Errorf(semblance.Invalid, "engine %s has the metric %q, which is not known", space.Signal(), string(space.Metric)).
			WithHint("The metrics are cosine and euclid.")
	}
	return nil
}

// checkVersion refuses 0, which means that nothing is held.
func checkVersion(version int64) error {
	if version <= 0 {
		return semblance.Errorf(semblance.Invalid, "an index cannot hold version %d of a collection", version)
	}
	return nil
}

// notHeld is the error of a search in a collection that was never filled in.
func notHeld(c semblance.CollectionID) error {
	return semblance.Errorf(semblance.Internal, "the index does not hold collection %s", string(c)).
		WithHint("Fill the index from the store before searching; an empty answer would hide what is there.")
}
