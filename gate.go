package semblance

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Refusal is one rule of the enrollment gate that a picture does not pass.
type Refusal struct {
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
	Final  bool   `json:"final,omitempty"` // no override helps
}

// The rules of the gate.
const (
	RuleQuality   = "quality"         // below what the collection asks for
	RuleEmbedding = "embedding"       // nothing to compare with
	RuleDuplicate = "another subject" // the same face of the same picture is enrolled as somebody else
)

// A GateError tells what the enrollment gate holds against a picture, and how good
// its face is. Its code is EnrollmentRefused.
type GateError struct {
	Refusals   []Refusal
	Quality    float32
	Reasons    []string // what lowers the quality
	Components *Components
	err        *Error
}

// Error returns the sentence.
func (g *GateError) Error() string { return g.err.Error() }

// Unwrap returns the error with its code and hint.
func (g *GateError) Unwrap() error { return g.err }

// least is the quality that a collection asks of a face to be enrolled.
func (c *Collection) least() float32 { return max(c.EnrollQuality, MinSearchableQuality) }

// gate checks a face that is to be enrolled. What it holds against it can be
// overridden by a person who says why, unless there is nothing to compare with;
// then the override is kept with the reference and in the audit event.
func (e *Engine) gate(who Actor, c Collection, spec EngineSpec, r EnrollRequest, f Face, same []Reference) (*Override, error) {
	var found []Refusal
	if why := unusable(spec, f); why != "" {
		found = append(found, Refusal{RuleEmbedding, why, true})
	}
	if !(f.Quality >= c.least()) { // NaN too
		found = append(found, Refusal{RuleQuality, tooPoor(c, f), false})
	}
	for _, o := range same {
		if o.Subject != r.Subject && oneFace(o.Face, f) {
			found = append(found, Refusal{RuleDuplicate, fmt.Sprintf("this face of this picture is already enrolled as %q (%s)", o.Subject, o.Source), false})
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	against := make([]string, len(found))
	for i, x := range found {
		against[i] = x.Reason
	}
	final := slices.ContainsFunc(found, func(x Refusal) bool { return x.Final })
	if r.Force && !final {
		return &Override{By: who.Name, Why: r.Why, Against: against}, nil
	}
	err := Errorf(EnrollmentRefused, "the enrollment gate of %q refuses the picture: %s", c.Name, strings.Join(against, "; "))
	if final {
		err = err.WithHint("Use another picture of the person; this one cannot be enrolled with engine %s.", spec.Name)
	} else {
		err = err.WithHint("Use a better picture, or enroll it all the same with --force and --force-reason; that is kept with the reference and in the audit chain.")
	}
	return nil, &GateError{Refusals: found, Quality: f.Quality, Reasons: f.Reasons, Components: f.Components, err: err}
}

// unusable says why a face cannot be compared with anything, or "". Embeddings that
// are no vectors were taken away when they came, with a reason.
func unusable(spec EngineSpec, f Face) string {
	switch {
	case math.IsNaN(float64(f.Quality)):
		return fmt.Sprintf("engine %s cannot tell the quality of this face", spec.Name)
	case len(f.Embedding) > 0:
		return ""
	}
	why := fmt.Sprintf("engine %s makes no embedding of this face, of quality %.0f", spec.Name, f.Quality)
	if len(f.Reasons) > 0 {
		why += ": " + strings.Join(f.Reasons, "; ")
	}
	return why
}

// tooPoor says how poor a face is and of what it is made.
func tooPoor(c Collection, f Face) string {
	text := fmt.Sprintf("quality %.0f of 100, %.0f is needed", math.Floor(float64(f.Quality)), c.least()) // 44.9 is not 45
	if len(f.Reasons) > 0 {
		text += " (" + strings.Join(f.Reasons, "; ") + ")"
	}
	if low := f.Components.lowest(3); low != "" {
		text += "; lowest: " + low
	}
	return text
}

// lowest names the n lowest components under 100.
func (c *Components) lowest(n int) string {
	if c == nil {
		return ""
	}
	type part struct {
		name  string
		value float32
	}
	parts := []part{{"inter-eye distance", c.InterEyeDistance}, {"sharpness", c.Sharpness}, {"under-exposure", c.UnderExposure}, {"over-exposure", c.OverExposure},
		{"dynamic range", c.DynamicRange}, {"illumination", c.Illumination}, {"yaw", c.Yaw}, {"pitch", c.Pitch}, {"roll", c.Roll}, {"crop", c.Crop}, {"detector score", c.Score}}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.value, b.value) })
	var out []string
	for _, p := range parts[:n] {
		if p.value < 100 {
			out = append(out, fmt.Sprintf("%s %.0f", p.name, p.value))
		}
	}
	return strings.Join(out, ", ")
}

// oneFace reports whether two faces of one picture lie in the same place.
func oneFace(a, b Face) bool { return a.Frame == b.Frame && a.Box.Overlap(b.Box) > sameFace }

// doubles warns of a face that another subject of the collection is near to: a search
// with this picture would list that subject. It never refuses: brothers are near,
// too.
func (e *Engine) doubles(ctx context.Context, c Collection, spec EngineSpec, ref Reference) (string, error) {
	if err := e.ready(ctx, c); err != nil {
		return "", err
	}
	res, err := e.nearest(ctx, []Collection{c}, VectorQuery{Space: spec, Collections: []CollectionID{c.ID}, Vectors: [][]float32{ref.Face.Embedding}, Subjects: 2})
	if err != nil {
		return "", err
	}
	for _, n := range res[0] {
		if n.Subject == ref.Subject {
			continue
		}
		near, err := e.References.References(ctx, n.ID)
		if CodeOf(err) == NotFound { // removed meanwhile
			return "", nil
		}
		if err != nil {
			return "", err
		}
		d := RoundDistance(spec.Metric.Distance(ref.Face.Embedding, near[0].Face.Embedding))
		if d > c.FaceDistance {
			return "", nil
		}
		return fmt.Sprintf("possible double enrollment: %.4f from subject %q (%s), within the threshold %.4f", d, n.Subject, near[0].Source, c.FaceDistance), nil
	}
	return "", nil
}

// Overlap returns intersection over union, 0 to 1.
func (b Box) Overlap(o Box) float64 {
	w := min(b.X+b.W, o.X+o.W) - max(b.X, o.X)
	h := min(b.Y+b.H, o.Y+o.H) - max(b.Y, o.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	inter := float64(w) * float64(h)
	return inter / (float64(b.W)*float64(b.H) + float64(o.W)*float64(o.H) - inter)
}
