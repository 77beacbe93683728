package detector

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"semblance"
)

// minEyeDistance is the least distance between the eyes, in pixels of the frame,
// at which a second look at a face is worth its time: a face under it is not
// searchable whatever the landmarks are.
const minEyeDistance = 8

// A factor is one thing that can make a comparison unreliable: 1 does not, 0 makes
// it worthless.
type factor struct {
	value  float64
	reason string
}

// Judge sets the face's Quality, Reasons, Components and Labels. The chip is the face
// aligned to [Template112].
//
// Quality says how far a comparison of the face can be relied on, 0 to 100. It is the
// product of six factors, each 1 over the range that is normal for portraits and
// falling steadily outside it, so each can only take away:
//
//   - size: pixels between the eyes, corrected for yaw as ISO/IEC 29794-5 does
//     (OFIQ's InterEyeDistance); a logistic curve around 9 with width 2. OFIQ's own
//     midpoint, 70, is that of a passport photograph.
//   - sharpness: variance of the Laplacian of the aligned chip over the variance of
//     its brightness.
//   - exposure: the entropy of the brightness, and the share that is nearly white.
//     Darkness alone costs nothing: what still has shades is still compared.
//   - pose: cos² (as OFIQ) of yaw and of pitch, both estimated from the landmarks.
//     Roll costs nothing: alignment undoes it.
//   - border: the share of the chip outside the frame.
//   - detector: the score, below 0.92. It is the best single sign of how far a face
//     is from what both networks were trained on; it never takes more than 70%,
//     so that a laboratory can search for faces of a low score.
//
// The constants are chosen on development pictures (docs/accuracy.md).
//
// A face under semblance.MinSearchableQuality (eyes about 6 pixels apart, or
// thoroughly blurred) is shown but not searched. A face without at least eyes and
// nose, or with another chip, has quality 0 and no components.
func Judge(face *semblance.Face, chip Chip) {
	if len(face.Landmarks) < 3 || chip.Size != Template112().Size {
		face.Quality, face.Reasons, face.Components = 0, []string{"no landmarks to align by"}, nil
		face.Labels = nil
		return
	}
	m := measure(face, chip)
	face.Quality, face.Reasons = m.quality()
	face.Components = m.components()
	face.Labels = m.labels()
}

// quality is the product of the factors, and what lowers it, worst first.
func (m *measures) quality() (float32, []string) {
	factors := []factor{
		sizeFactor(m.eyes),
		{m.sharp(), fmt.Sprintf("blurred: sharpness %.4f", m.sharpness)},
		m.exposureFactor(),
		poseFactor(m.yaw, m.pitch),
		borderFactor(m.outside),
		scoreFactor(m.score),
	}
	slices.SortStableFunc(factors, func(a, b factor) int { return cmp.Compare(a.value, b.value) })
	product := 100.0
	var reasons []string
	for _, x := range factors {
		product *= x.value
		if x.value < 0.75 {
			reasons = append(reasons, x.reason)
		}
	}
	return float32(math.Round(product*10) / 10), reasons
}

func eyeDistance(l []semblance.Point) float64 {
	if len(l) < 2 {
		return 0
	}
	return math.Hypot(float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y))
}

// pose estimates yaw and pitch in radians from how far the nose is off the middle
// between the eyes, and off the middle between eyes and mouth. A nose over one eye
// is 45 degrees; so is one three quarters of the way to the mouth, or one quarter.
func pose(l []semblance.Point) (yaw, pitch float64) {
	ux, uy := float64(l[1].X-l[0].X), float64(l[1].Y-l[0].Y)
	d := math.Hypot(ux, uy)
	if d == 0 {
		return math.Pi / 2, 0
	}
	ux, uy = ux/d, uy/d
	mx, my := float64(l[0].X+l[1].X)/2, float64(l[0].Y+l[1].Y)/2
	nx, ny := float64(l[2].X)-mx, float64(l[2].Y)-my
	yaw = math.Atan2(math.Abs(nx*ux+ny*uy), d/2)
	if len(l) < 5 {
		return yaw, 0
	}
	cx, cy := float64(l[3].X+l[4].X)/2-mx, float64(l[3].Y+l[4].Y)/2-my
	nose, mouth := ny*ux-nx*uy, cy*ux-cx*uy
	if mouth <= 0 {
		return yaw, math.Pi / 2
	}
	return yaw, min(math.Pi/2, math.Abs(nose/mouth-0.5)*math.Pi)
}

func sizeFactor(eyes float64) factor {
	return factor{1 / (1 + math.Exp((9-eyes)/2)), fmt.Sprintf("small: %.0f pixels between the eyes", eyes)}
}

func poseFactor(yaw, pitch float64) factor {
	c := math.Cos(yaw) * math.Cos(pitch)
	reason := fmt.Sprintf("turned: about %.0f degrees to the side", yaw*180/math.Pi)
	if pitch > yaw {
		reason = fmt.Sprintf("tilted: about %.0f degrees up or down", pitch*180/math.Pi)
	}
	return factor{c * c, reason}
}

func borderFactor(outside float64) factor {
	return factor{ramp(outside, 0.6, 0.2), fmt.Sprintf("cut off: %.0f%% lies outside the picture", outside*100)}
}

func scoreFactor(score float64) factor {
	return factor{0.3 + 0.7*ramp(score, 0.7, 0.92), fmt.Sprintf("uncertain: detector score %.2f", score)}
}

// roundingNoise is the variance that rounding a smooth chip to whole numbers gives
// its Laplacian: (4*1 + 4*4)/12.
const roundingNoise = 20.0 / 12

// A Gaussian blur of 1 pixel of the chip moves MobileFaceNet's embedding by 0.02, one
// of 2 by 0.16, one of 3 by 0.43 (medians of 46 faces). The ratios are chosen so that
// the first costs nothing and the last makes most faces unsearchable.
const (
	blurredRatio = 0.0004
	sharpRatio   = 0.008
)

// exposureFactor is the worse of two: too few shades, overexposed.
func (m *measures) exposureFactor() factor {
	shades := factor{ramp(m.bits, 2.5, 4.5), fmt.Sprintf("flat: the shades of the face hold %.1f bits", m.bits)}
	if m.dark > 0.5 {
		shades.reason = fmt.Sprintf("dark: %.0f%% of the face is nearly black", 100*m.dark)
	}
	bright := factor{ramp(m.bright, 0.95, 0.3), fmt.Sprintf("overexposed: %.0f%% of the face is nearly white", 100*m.bright)}
	if bright.value < 1 && bright.value <= shades.value {
		return bright
	}
	return shades
}

// ramp is 0 at zero, 1 at one and linear between; zero may be the larger.
func ramp(v, zero, one float64) float64 {
	return max(0, min(1, (v-zero)/(one-zero)))
}

// brightness is the luma (BT.601) of each pixel, 0 to 255.
func brightness(c Chip) []float64 {
	luma := make([]float64, c.Size*c.Size)
	for i := range luma {
		luma[i] = 0.299*float64(c.RGB[3*i]) + 0.587*float64(c.RGB[3*i+1]) + 0.114*float64(c.RGB[3*i+2])
	}
	return luma
}

// variance of nothing is 0.
func variance(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	var sum, squares float64
	for _, x := range v {
		sum += x
	}
	mean := sum / float64(len(v))
	for _, x := range v {
		squares += (x - mean) * (x - mean)
	}
	return squares / float64(len(v))
}

// laplacianVariance is the variance of the 4-neighbor Laplacian over the middle of
// the chip; hair and background at its rim are left out, and so is what touches the
// outside of the frame.
func laplacianVariance(c *Chip, luma []float64) float64 {
	var list []float64
	for y := c.Size / 5; y < c.Size-c.Size/8; y++ {
		for x := c.Size / 5; x < c.Size-c.Size/5; x++ {
			i := y*c.Size + x
			if c.shows(i) && c.shows(i-1) && c.shows(i+1) && c.shows(i-c.Size) && c.shows(i+c.Size) {
				list = append(list, luma[i-1]+luma[i+1]+luma[i-c.Size]+luma[i+c.Size]-4*luma[i])
			}
		}
	}
	return variance(list)
}
