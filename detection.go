package semblance

// A Detection says how small and how certain the faces are that are looked for. The
// zero value is the engine's own.
type Detection struct {
	// MinFace is the smallest face to look for, in pixels of the upright picture: the
	// longer side of its box. It is a promise, not a filter: tiles of the picture are
	// looked at where a reduced look would miss such faces, and a smaller one that is
	// seen is given as well. 0 is what the reduced looks show.
	MinFace int `json:"min_face,omitempty"`
	// MinScore is the least detector score, a filter. 0 is the engine's own.
	MinScore float32 `json:"min_score,omitempty"`
}

// What a Detection can ask for: of faces under 8 pixels a detector sees nothing, and
// under a score of 0.1 everything is a face to it.
const (
	LeastMinFace  = 8
	MostMinFace   = 10000
	LeastMinScore = 0.1
)

// Covers reports whether what was found with d has all that o asks for: the same least
// score, and faces at least as small. More looks add faces and leave the others as they
// are, so a fuller answer stands for a lesser one and is never thrown away for it.
func (d Detection) Covers(o Detection) bool {
	return d.MinScore == o.MinScore && (o.MinFace == 0 || d.MinFace != 0 && d.MinFace <= o.MinFace)
}

// Validate returns an error with code Invalid that says what is out of range.
func (d Detection) Validate() error {
	if d.MinFace != 0 && (d.MinFace < LeastMinFace || d.MinFace > MostMinFace) {
		return Errorf(Invalid, "the smallest face to look for cannot be %d pixels", d.MinFace).
			WithHint("It is %d to %d; leave it away, or give 0, for what a look at the reduced picture shows.", LeastMinFace, MostMinFace)
	}
	if d.MinScore != 0 && !(d.MinScore >= LeastMinScore && d.MinScore <= 1) {
		return Errorf(Invalid, "the detector's least score cannot be %v", d.MinScore).
			WithHint("It is %v to 1; leave it away, or give 0, for the engine's own.", LeastMinScore)
	}
	return nil
}
