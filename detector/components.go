package detector

import (
	"math"

	"semblance"
)

// measures are what a face and its chip are judged by, in their own units.
type measures struct {
	eyes             float64 // pixels of the frame between the eyes, corrected for yaw
	yaw, pitch, roll float64 // radians, 0 and more
	sharpness        float64 // variance of the Laplacian over the variance of the brightness
	dark, bright     float64 // shares of the face that are nearly black and nearly white
	bits             float64 // entropy of the brightness of the face
	cheeks           float64 // how far the histograms of the two cheeks overlap, 0 to 1
	outside          float64 // share of the chip outside the frame
	score            float64 // the detector's
}

// measure wants at least eyes and nose, and a chip of [Template112]. Pixels outside
// the frame count for Outside and nothing else: their edge would pass for detail.
func measure(face *semblance.Face, chip Chip) measures {
	luma := brightness(chip)
	m := measures{outside: chip.Outside, score: float64(face.Score)}
	m.yaw, m.pitch = pose(face.Landmarks)
	m.roll = roll(face.Landmarks)
	m.eyes = eyeDistance(face.Landmarks) / max(0.5, math.Cos(m.yaw))
	m.sharpness = max(0, laplacianVariance(&chip, luma)-roundingNoise) / (variance(part(&chip, luma, 0, 0, chip.Size, chip.Size)) + 16)
	skin := middle(&chip, luma)
	m.dark, m.bright = share(skin, 0, 25), share(skin, 247, 255)
	m.bits = entropy(skin)
	m.cheeks = intersection(cheek(&chip, luma, false), cheek(&chip, luma, true))
	return m
}

// components maps the measures to 0..100 as OFIQ, the reference of ISO/IEC 29794-5,
// does. It looks at a chip of 112 pixels where OFIQ looks at one of 616, and has no
// landmarks but five, so the values are near OFIQ's and not the same.
func (m *measures) components() *semblance.Components {
	return &semblance.Components{
		InterEyeDistance: sigmoid100(100, 0, 1, m.eyes, 70, 20),
		Sharpness:        percent(m.sharp()),
		UnderExposure:    sigmoid100(120, 0.832, -1, m.dark, 0.92, 0.05),
		OverExposure:     whole100(1 / (m.bright + 0.01)),
		DynamicRange:     whole100(12.5 * m.bits),
		Illumination:     percent(math.Pow(m.cheeks, 0.3)),
		Yaw:              percent(squareCosine(m.yaw)),
		Pitch:            percent(squareCosine(m.pitch)),
		Roll:             percent(squareCosine(m.roll)),
		Crop:             percent(1 - m.outside),
		Score:            percent(m.score),
	}
}

// sharp is 0 where blur has made a face unrecognizable and 1 where more detail
// would change nothing. OFIQ's own forest of decision trees is not used.
func (m *measures) sharp() float64 {
	return ramp(math.Log(max(m.sharpness, 1e-9)), math.Log(blurredRatio), math.Log(sharpRatio))
}

// sigmoid100 is OFIQ's mapping: h*(a + s*sigmoid((x-x0)/w)), a whole number from 0
// to 100.
func sigmoid100(h, a, s, x, x0, w float64) float32 {
	return whole100(h * (a + s/(1+math.Exp((x0-x)/w))))
}

func percent(v float64) float32 { return whole100(100 * v) }

func whole100(v float64) float32 {
	if math.IsNaN(v) {
		return 0
	}
	return float32(math.Round(max(0, min(100, v))))
}

// squareCosine is 0 from a right angle on.
func squareCosine(angle float64) float64 {
	c := max(0, math.Cos(angle))
	return c * c
}

// roll is the angle between the line of the eyes and the horizontal.
func roll(l []semblance.Point) float64 {
	return math.Abs(math.Atan2(float64(l[1].Y-l[0].Y), float64(l[1].X-l[0].X)))
}

// part lists the values of a rectangle of the chip, x1 and y1 excluded, as far as
// they are of the frame.
func part(c *Chip, luma []float64, x0, y0, x1, y1 int) []float64 {
	list := make([]float64, 0, (x1-x0)*(y1-y0))
	for y := y0; y < y1; y++ {
		for i := y*c.Size + x0; i < y*c.Size+x1; i++ {
			if c.shows(i) {
				list = append(list, luma[i])
			}
		}
	}
	return list
}

// middle is where the face is, without hair and background.
func middle(c *Chip, luma []float64) []float64 {
	return part(c, luma, c.Size/5, c.Size/4, c.Size-c.Size/5, c.Size-c.Size/8)
}

// cheek is the square under an eye of [Template112], between it and the mouth: half
// as wide as the eyes are apart.
func cheek(c *Chip, luma []float64, right bool) []float64 {
	points := Template112().Points
	eye, corner := points[0], points[3]
	if right {
		eye, corner = points[1], points[4]
	}
	half := int(points[1].X-points[0].X) / 4
	cx, cy := int(eye.X+corner.X)/2, int(eye.Y+corner.Y)/2
	return part(c, luma, cx-half, cy-half, cx+half+1, cy+half+1)
}

func share(values []float64, from, to float64) float64 {
	n := 0.0
	for _, v := range values {
		if v = math.Round(v); v >= from && v <= to {
			n++
		}
	}
	return n / float64(max(1, len(values)))
}

// entropy is that of the histogram with 256 bins, in bits.
func entropy(values []float64) float64 {
	bits := 0.0
	for _, n := range histogram(values, 256) {
		if n > 0 {
			bits -= n * math.Log2(n)
		}
	}
	return bits
}

// intersection is the part that two sets of values have in common, by histograms of
// 32 bins: a cheek has too few pixels for OFIQ's 256.
func intersection(a, b []float64) float64 {
	x, y := histogram(a, 32), histogram(b, 32)
	sum := 0.0
	for i := range x {
		sum += min(x[i], y[i])
	}
	return sum
}

// histogram is the share of the values, 0 to 255, in each of n bins.
func histogram(values []float64, n int) []float64 {
	h := make([]float64, n)
	for _, v := range values {
		h[min(n-1, int(math.Round(v))*n/256)] += 1 / float64(len(values))
	}
	return h
}
