package semblance

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// The reliability labels of a face. A label says why a distance of this face means
// less than one of a portrait: it ranks and warns and never hides a face. Reasons
// have the numbers; labels are fixed, so that they can be counted and filtered.
const (
	LabelSmall       = "small face"
	LabelProfile     = "profile"
	LabelTilted      = "looks up or down"
	LabelBlurred     = "blurred"
	LabelFlat        = "hardly any contrast"
	LabelOverexposed = "overexposed"
	LabelCutOff      = "cut off"
	LabelUncertain   = "uncertain face" // the detector is not sure that it is one
	LabelPoor        = "poor quality"   // of a face that was judged as a whole only
	LabelChild       = "declared child" // of a reference whose age at capture is under AdultAge
)

// AdultAge is the age in years from which a person is not called a child.
const AdultAge = 18

// Reliability returns the labels of a face, worst first; none is nil. A face that
// was stored by a version without labels gets "poor quality" where its quality says
// so.
func (f *Face) Reliability() []string {
	if f.Components == nil && len(f.Labels) == 0 && f.Quality < 50 {
		return []string{LabelPoor}
	}
	return f.Labels
}

// Reliability returns the labels of the reference's face, and "declared child" first
// where its age at capture says so.
func (r *Reference) Reliability() []string {
	labels := r.Face.Reliability()
	if r.Age != nil && *r.Age < AdultAge {
		return append([]string{LabelChild}, labels...)
	}
	return labels
}

// DeclaredAge returns what is known of the age of a person in a picture, to be shown
// beside each candidate: "age 7 at capture (declared child)", or "age at capture
// unknown".
func DeclaredAge(age *int) string {
	switch {
	case age == nil:
		return "age at capture unknown"
	case *age < AdultAge:
		return "age " + strconv.Itoa(*age) + " at capture (declared child)"
	}
	return "age " + strconv.Itoa(*age) + " at capture"
}

// A component is one of Components with its name.
type component struct {
	name  string
	value float32
}

func (c *Components) list() []component {
	if c == nil {
		return nil
	}
	return []component{{"inter-eye distance", c.InterEyeDistance}, {"sharpness", c.Sharpness}, {"under-exposure", c.UnderExposure},
		{"over-exposure", c.OverExposure}, {"dynamic range", c.DynamicRange}, {"illumination", c.Illumination},
		{"yaw", c.Yaw}, {"pitch", c.Pitch}, {"roll", c.Roll}, {"crop", c.Crop}, {"detector score", c.Score}}
}

// Lowest returns at most n components under a value, the lowest first, as "yaw 41".
func (c *Components) Lowest(n int, under float32) []string {
	list := slices.DeleteFunc(c.list(), func(x component) bool { return x.value >= under })
	slices.SortStableFunc(list, func(a, b component) int { return cmp.Compare(a.value, b.value) })
	var out []string
	for _, x := range list[:min(n, len(list))] {
		out = append(out, fmt.Sprintf("%s %.0f", x.name, x.value))
	}
	return out
}

// Impossible returns a component that is not between 0 and 100, if there is one.
func (c *Components) Impossible() (name string, value float32, found bool) {
	for _, x := range c.list() {
		if !(x.value >= 0 && x.value <= 100) { // NaN as well
			return x.name, x.value, true
		}
	}
	return "", 0, false
}
