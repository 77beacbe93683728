package detector

import (
	"math"
	"testing"

	"semblance"
)

// TestMappingsByHand holds the formulas of OFIQ against values worked out by hand.
func TestMappingsByHand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ got, want float32 }{
		"eyes 70 pixels apart are the midpoint":                      {(&measures{eyes: 70}).components().InterEyeDistance, 50},
		"eyes 110 pixels apart: 100/(1+e^-2)":                        {(&measures{eyes: 110}).components().InterEyeDistance, 88},
		"eyes 10 pixels apart: 100/(1+e^3)":                          {(&measures{eyes: 10}).components().InterEyeDistance, 5},
		"nothing is dark: 120*0.832":                                 {(&measures{}).components().UnderExposure, 100},
		"92% dark: 120*(0.832-0.5)":                                  {(&measures{dark: 0.92}).components().UnderExposure, 40},
		"all dark: 120*(0.832-1/(1+e^-1.6))":                         {(&measures{dark: 1}).components().UnderExposure, 0},
		"nothing is bright: 1/0.01":                                  {(&measures{}).components().OverExposure, 100},
		"a tenth is bright: 1/0.11":                                  {(&measures{bright: 0.1}).components().OverExposure, 9},
		"six bits: 12.5*6":                                           {(&measures{bits: 6}).components().DynamicRange, 75},
		"cheeks that share half: 100*0.5^0.3":                        {(&measures{cheeks: 0.5}).components().Illumination, 81},
		"30 degrees to the side: 100*cos²":                           {(&measures{yaw: math.Pi / 6}).components().Yaw, 75},
		"45 degrees up":                                              {(&measures{pitch: math.Pi / 4}).components().Pitch, 50},
		"lying on the side":                                          {(&measures{roll: math.Pi / 2}).components().Roll, 0},
		"upside down is no better than lying on the side":            {(&measures{roll: math.Pi}).components().Roll, 0},
		"a quarter outside the picture":                              {(&measures{outside: 0.25}).components().Crop, 75},
		"the detector's score":                                       {(&measures{score: 0.83}).components().Score, 83},
		"sharpness at the geometric middle of its two ends":          {(&measures{sharpness: math.Sqrt(blurredRatio * sharpRatio)}).components().Sharpness, 50},
		"no detail at all":                                           {(&measures{}).components().Sharpness, 0},
		"what cannot be computed is worthless, not a missing number": {percent(math.NaN()), 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestEntropyAndIntersectionByHand(t *testing.T) {
	t.Parallel()
	four := []float64{0, 64, 128, 192, 0, 64, 128, 192}
	if got := entropy(four); math.Abs(got-2) > 1e-12 {
		t.Errorf("four equal values have %v bits", got)
	}
	if got := entropy([]float64{7, 7, 7}); got != 0 {
		t.Errorf("one value has %v bits", got)
	}
	if got := intersection(four, []float64{0, 0, 128, 128}); math.Abs(got-0.5) > 1e-12 {
		t.Errorf("half of the values are shared, got %v", got)
	}
	if got := share([]float64{25.4, 25.6, 0, 255}, 0, 25); got != 0.5 {
		t.Errorf("two of four are at most 25, got %v", got)
	}
}

// TestEachComponentFallsByItself makes one thing worse at a time: its component never
// rises and ends low, and those that it does not touch stay.
func TestEachComponentFallsByItself(t *testing.T) {
	t.Parallel()
	pixels := func(c Chip, change func(x, y int, v float64) float64) {
		for i := range c.RGB {
			p := i / 3
			c.RGB[i] = byte(max(0, min(255, change(p%112, p/112, float64(c.RGB[i])))))
		}
	}
	for name, c := range map[string]struct {
		change func(step float64) (*semblance.Face, Chip)
		of     func(c *semblance.Components) float32
		keeps  func(c *semblance.Components) float32
	}{
		"smaller": {func(s float64) (*semblance.Face, Chip) { return portrait(float32(4-3.8*s), 0) },
			func(c *semblance.Components) float32 { return c.InterEyeDistance }, func(c *semblance.Components) float32 { return c.Sharpness }},
		"blurred": {func(s float64) (*semblance.Face, Chip) { return portrait(2, 6*s) },
			func(c *semblance.Components) float32 { return c.Sharpness }, func(c *semblance.Components) float32 { return c.UnderExposure }},
		"darkened": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			pixels(c, func(_, _ int, v float64) float64 { return v * (1 - s) })
			return f, c
		}, func(c *semblance.Components) float32 { return c.UnderExposure }, func(c *semblance.Components) float32 { return c.OverExposure }},
		"overexposed": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			pixels(c, func(_, _ int, v float64) float64 { return v + 220*s })
			return f, c
		}, func(c *semblance.Components) float32 { return c.OverExposure }, func(c *semblance.Components) float32 { return c.UnderExposure }},
		"flattened": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			pixels(c, func(_, _ int, v float64) float64 { return 128 + (v-128)*(1-s) })
			return f, c
		}, func(c *semblance.Components) float32 { return c.DynamicRange }, func(c *semblance.Components) float32 { return c.UnderExposure }},
		"lit from one side": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			for i := range 112 * 112 { // both halves alike
				if x := i % 112; x > 55 {
					copy(c.RGB[3*i:3*i+3], c.RGB[3*(i-x+111-x):])
				}
			}
			pixels(c, func(x, _ int, v float64) float64 {
				if x > 56 {
					return v * (1 - 0.9*s)
				}
				return v
			})
			return f, c
		}, func(c *semblance.Components) float32 { return c.Illumination }, func(c *semblance.Components) float32 { return c.OverExposure }},
		"turned": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			f.Landmarks[2].X += float32(s) * 300
			return f, c
		}, func(c *semblance.Components) float32 { return c.Yaw }, func(c *semblance.Components) float32 { return c.Sharpness }},
		"cropped": {func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			c.Outside = 0.9 * s
			return f, c
		}, func(c *semblance.Components) float32 { return c.Crop }, func(c *semblance.Components) float32 { return c.Yaw }},
	} {
		first, last := float32(0), float32(101)
		var kept float32
		for step := range 21 {
			face, chip := c.change(float64(step) / 20)
			Judge(face, chip)
			v := c.of(face.Components)
			if step == 0 {
				first, kept = v, c.keeps(face.Components)
			}
			if v > last+1 { // a histogram can gain a bin
				t.Errorf("%s: step %d is %v after %v", name, step, v, last)
			}
			if got := c.keeps(face.Components); got != kept {
				t.Errorf("%s: step %d moves another component from %v to %v", name, step, kept, got)
			}
			last = min(last, v)
			if which, v, bad := face.Components.Impossible(); bad {
				t.Errorf("%s: step %d has a %s of %v", name, step, which, v)
			}
		}
		if last > first*0.55 {
			t.Errorf("%s: only from %v to %v", name, first, last)
		}
	}
}

// TestRollIsShownAndCostsNothing turns the landmarks: the component falls, the quality
// does not.
func TestRollIsShownAndCostsNothing(t *testing.T) {
	t.Parallel()
	face, chip := portrait(2, 0)
	Judge(face, chip)
	turned := *face
	turned.Landmarks = nil
	for _, p := range face.Landmarks { // a quarter turn
		turned.Landmarks = append(turned.Landmarks, semblance.Point{X: -p.Y, Y: p.X})
	}
	Judge(&turned, chip)
	if turned.Components.Roll > 1 || face.Components.Roll < 99 || turned.Quality != face.Quality {
		t.Errorf("roll %v and quality %v, upright %v and %v", turned.Components.Roll, turned.Quality, face.Components.Roll, face.Quality)
	}
}

// TestLabelsFollowWhatIsWrong has one thing wrong at a time, and nothing.
func TestLabelsFollowWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		face  measures
		label string
	}{
		"nothing":              {measures{}, ""},
		"few pixels":           {measures{eyes: 12}, semblance.LabelSmall},
		"from the side":        {measures{yaw: 0.9}, semblance.LabelProfile},
		"from above":           {measures{pitch: 0.9}, semblance.LabelTilted},
		"little detail":        {measures{sharpness: 0.0006}, semblance.LabelBlurred},
		"in the dark":          {measures{dark: 0.8, bits: 2}, semblance.LabelFlat},
		"dark, with shades":    {measures{dark: 0.8}, ""},
		"in the flash":         {measures{bright: 0.5}, semblance.LabelOverexposed},
		"at the edge":          {measures{outside: 0.5}, semblance.LabelCutOff},
		"perhaps not one":      {measures{score: 0.71}, semblance.LabelUncertain},
		"small and from above": {measures{eyes: 12, pitch: 0.9}, semblance.LabelTilted},
	} {
		m := c.face
		m.eyes, m.sharpness, m.score, m.bits = or(m.eyes, 60), or(m.sharpness, 0.01), or(m.score, 0.9), or(m.bits, 7)
		got := m.labels()
		if c.label == "" && len(got) > 0 || c.label != "" && (len(got) == 0 || got[0] != c.label) {
			t.Errorf("%s: %q, want %q first", name, got, c.label)
		}
	}
}

func or(v, standard float64) float64 {
	if v == 0 {
		return standard
	}
	return v
}

// TestTheEdgeOfThePictureIsNotDetail cuts a blurred face at the border of the
// picture: the black beyond it must not make the face look sharp.
func TestTheEdgeOfThePictureIsNotDetail(t *testing.T) {
	t.Parallel()
	_, chip := portrait(1, 5)
	f := &semblance.Frame{Width: chip.Size, Height: chip.Size, RGB: chip.RGB}
	for i := range f.RGB {
		f.RGB[i] /= 2
		f.RGB[i] += 128
	}
	face := &semblance.Face{Score: 0.93}
	for _, p := range Template112().Points { // 20 pixels lower: the mouth and what is under it are cut off
		face.Landmarks = append(face.Landmarks, semblance.Point{X: p.X, Y: p.Y + 20})
	}
	cut, ok := Align(f, face.Landmarks, Template112())
	if !ok || cut.Outside < 0.15 {
		t.Fatalf("%v of the face is outside", cut.Outside)
	}
	Judge(face, cut)
	if face.Components.Sharpness > 5 || face.Components.Crop > 85 {
		t.Errorf("a blurred face that is cut off has %+v", *face.Components)
	}
}
