package semblance_test

import (
	"math"
	"slices"
	"testing"

	"semblance"
)

func TestReliabilityOfStoredFaces(t *testing.T) {
	t.Parallel()
	seven, grown := 7, 30
	parts := &semblance.Components{}
	for name, c := range map[string]struct {
		ref  semblance.Reference
		want []string
	}{
		"a good face":                               {semblance.Reference{Face: semblance.Face{Quality: 90, Components: parts}}, nil},
		"labels as they were given":                 {semblance.Reference{Face: semblance.Face{Quality: 30, Components: parts, Labels: []string{semblance.LabelProfile}}}, []string{semblance.LabelProfile}},
		"poor, judged in parts, nothing stands out": {semblance.Reference{Face: semblance.Face{Quality: 30, Components: parts}}, nil},
		"poor, stored before there were parts":      {semblance.Reference{Face: semblance.Face{Quality: 30}}, []string{semblance.LabelPoor}},
		"good, stored before there were parts":      {semblance.Reference{Face: semblance.Face{Quality: 80}}, nil},
		"a child by its age at capture":             {semblance.Reference{Face: semblance.Face{Quality: 80, Labels: []string{semblance.LabelSmall}}, Age: &seven}, []string{semblance.LabelChild, semblance.LabelSmall}},
		"a grown-up by the age at capture":          {semblance.Reference{Face: semblance.Face{Quality: 80}, Age: &grown}, nil},
	} {
		if got := c.ref.Reliability(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDeclaredAge(t *testing.T) {
	t.Parallel()
	limit, child := semblance.AdultAge, semblance.AdultAge-1
	for want, age := range map[string]*int{
		"age at capture unknown":             nil,
		"age 18 at capture":                  &limit,
		"age 17 at capture (declared child)": &child,
	} {
		if got := semblance.DeclaredAge(age); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLowestComponents(t *testing.T) {
	t.Parallel()
	c := &semblance.Components{InterEyeDistance: 55, Sharpness: 12, UnderExposure: 100, OverExposure: 100, DynamicRange: 90,
		Illumination: 70, Yaw: 33, Pitch: 99, Roll: 100, Crop: 100, Score: 88}
	if got := c.Lowest(2, 60); !slices.Equal(got, []string{"sharpness 12", "yaw 33"}) {
		t.Errorf("%q", got)
	}
	if got := c.Lowest(20, 60); len(got) != 3 {
		t.Errorf("three are under 60: %q", got)
	}
	if got := (*semblance.Components)(nil).Lowest(3, 60); got != nil {
		t.Errorf("no components: %q", got)
	}
}

func TestImpossibleComponents(t *testing.T) {
	t.Parallel()
	for _, v := range []float32{-1, 100.5, float32(math.NaN()), float32(math.Inf(1))} {
		if name, got, bad := (&semblance.Components{Yaw: v}).Impossible(); !bad || name != "yaw" {
			t.Errorf("a yaw of %v passes: %q %v", v, name, got)
		}
	}
	if _, _, bad := (&semblance.Components{Yaw: 100}).Impossible(); bad {
		t.Error("100 is possible")
	}
}
