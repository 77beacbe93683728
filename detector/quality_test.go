package detector

import (
	"math"
	"slices"
	"strings"
	"testing"

	"semblance"
)

// portrait is a frontal face of the template at a scale, and its chip: a texture
// with detail down to two pixels of the chip, blurred by a Gaussian of sigma pixels.
func portrait(scale float32, sigma float64) (*semblance.Face, Chip) {
	face := &semblance.Face{Score: 0.93}
	for _, p := range Template112().Points {
		face.Landmarks = append(face.Landmarks, semblance.Point{X: p.X * scale, Y: p.Y * scale})
	}
	c := Chip{Size: 112, RGB: make([]byte, 3*112*112)}
	// A sine of wavelength w loses exp(-2 (pi sigma / w)^2) of its height.
	left := func(wave float64) float64 { return math.Exp(-2 * math.Pow(math.Pi*sigma/wave, 2)) }
	for i := range 112 * 112 {
		x, y := float64(i%112), float64(i/112)
		v := 120 + 45*left(60)*math.Sin(2*math.Pi*x/60)*math.Sin(2*math.Pi*y/60) +
			20*left(14)*math.Sin(2*math.Pi*(x+y)/14) + 8*left(5)*math.Sin(2*math.Pi*(x-y)/5)
		c.RGB[3*i], c.RGB[3*i+1], c.RGB[3*i+2] = byte(v), byte(v), byte(v)
	}
	return face, c
}

// judged returns what Judge says of a copy of the face.
func judged(face *semblance.Face, chip Chip) (float32, []string) {
	copied := *face
	Judge(&copied, chip)
	return copied.Quality, copied.Reasons
}

func TestQualityOfAPortraitIsHigh(t *testing.T) {
	t.Parallel()
	face, chip := portrait(2, 0)
	if q, why := judged(face, chip); q < 80 || len(why) != 0 {
		t.Errorf("quality %v, %q", q, why)
	}
}

// TestQualityOnlyFalls makes one thing worse step by step: the quality never rises,
// ends under the searchable limit, and says why.
func TestQualityOnlyFalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason string
		change func(step float64) (*semblance.Face, Chip) // 0 good, 1 bad
	}{
		"smaller": {"small", func(s float64) (*semblance.Face, Chip) {
			return portrait(float32(2-1.86*s), 0) // down to 5 pixels between the eyes
		}},
		"more blurred": {"blurred", func(s float64) (*semblance.Face, Chip) { return portrait(2, 6*s) }},
		"turned": {"turned", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			f.Landmarks[2].X += float32(s) * 100
			return f, c
		}},
		"tilted": {"tilted", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			f.Landmarks[2].Y += float32(s) * 40
			return f, c
		}},
		"cut off": {"cut off", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			c.Outside = 0.7 * s
			return f, c
		}},
		"dark": {"dark", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			for i := range c.RGB {
				c.RGB[i] = byte(float64(c.RGB[i]) * (1 - 0.96*s))
			}
			return f, c
		}},
		"overexposed": {"overexposed", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			for i := range c.RGB {
				c.RGB[i] = byte(min(255, float64(c.RGB[i])+220*s))
			}
			return f, c
		}},
		"less certain": {"uncertain", func(s float64) (*semblance.Face, Chip) {
			f, c := portrait(2, 0)
			f.Score = float32(0.93 - 0.6*s)
			return f, c
		}},
	} {
		last := float32(101)
		var why []string
		for step := range 21 {
			q, reasons := judged(c.change(float64(step) / 20))
			if q > last+0.11 || q < 0 || q > 100 || math.IsNaN(float64(q)) { // rounded to tenths
				t.Errorf("%s: step %d has quality %v after %v", name, step, q, last)
			}
			last, why = q, reasons
		}
		limit := float32(semblance.MinSearchableQuality)
		if name == "less certain" {
			limit = 31 // a laboratory that asks for low scores gets to search them
		}
		if last >= limit {
			t.Errorf("%s: still %v at the end", name, last)
		}
		if !slices.ContainsFunc(why, func(r string) bool { return strings.HasPrefix(r, c.reason) }) {
			t.Errorf("%s: reasons %q lack %q", name, why, c.reason)
		}
	}
}

// TestQualityLimits are the sizes promised: under seven pixels between the eyes a
// face is not searched, from twenty on size is no matter.
func TestQualityLimits(t *testing.T) {
	t.Parallel()
	at := func(eyes float32) float32 {
		q, _ := judged(portrait(eyes/(73.5318-38.2946), 0))
		return q
	}
	if q := at(6); q >= semblance.MinSearchableQuality {
		t.Errorf("6 pixels: %v", q)
	}
	if q := at(8); q < semblance.MinSearchableQuality {
		t.Errorf("8 pixels: %v", q)
	}
	if q := at(20); q < 90 {
		t.Errorf("20 pixels: %v", q)
	}
}

func TestQualityIgnoresRoll(t *testing.T) {
	t.Parallel()
	face, chip := portrait(2, 0)
	want, _ := judged(face, chip)
	for degrees := 15.0; degrees < 360; degrees += 15 {
		turned := *face
		turned.Landmarks = nil
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		for _, p := range face.Landmarks {
			turned.Landmarks = append(turned.Landmarks, semblance.Point{
				X: float32(cos*float64(p.X) - sin*float64(p.Y)), Y: float32(sin*float64(p.X) + cos*float64(p.Y))})
		}
		if q, _ := judged(&turned, chip); math.Abs(float64(q-want)) > 0.2 {
			t.Errorf("%v degrees: %v, upright %v", degrees, q, want)
		}
	}
}

func TestQualityOfNothing(t *testing.T) {
	t.Parallel()
	face, chip := portrait(2, 0)
	for name, c := range map[string]struct {
		face *semblance.Face
		chip Chip
	}{
		"no landmarks": {&semblance.Face{Score: 1}, chip},
		"no chip":      {face, Chip{}},
		"two points":   {&semblance.Face{Score: 1, Landmarks: face.Landmarks[:2]}, chip},
	} {
		if q, why := judged(c.face, c.chip); q != 0 || len(why) == 0 {
			t.Errorf("%s: %v %q", name, q, why)
		}
	}
	flat := Chip{Size: 112, RGB: make([]byte, 3*112*112)}
	if q, _ := judged(face, flat); q != 0 {
		t.Errorf("an all-black chip has quality %v", q)
	}
	coincident := &semblance.Face{Score: 1, Landmarks: make([]semblance.Point, 5)}
	if q, _ := judged(coincident, chip); q >= semblance.MinSearchableQuality || math.IsNaN(float64(q)) {
		t.Errorf("coincident landmarks have quality %v", q)
	}
}
