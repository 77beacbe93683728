package detector

import (
	"math"

	"semblance"
)

// labels say in a few fixed words what makes a distance of this face less reliable,
// worst first. They are steps, where quality is a slope: each begins where the
// distance to pictures of the same person has visibly grown (docs/accuracy.md).
func (m *measures) labels() []string {
	var list []string
	for _, l := range []struct {
		text    string
		applies bool
	}{
		{semblance.LabelProfile, m.yaw > profileYaw},
		{semblance.LabelSmall, m.eyes < smallEyes},
		{semblance.LabelBlurred, m.sharp() < blurredSharp},
		{semblance.LabelTilted, m.pitch > tiltedPitch},
		{semblance.LabelDark, m.dark > 0.5},
		{semblance.LabelOverexposed, m.bright > 0.3},
		{semblance.LabelCutOff, m.outside > 0.2},
		{semblance.LabelUncertain, m.score < 0.75},
	} {
		if l.applies {
			list = append(list, l.text)
		}
	}
	return list
}

// Where labels begin; docs/accuracy.md has the measurements.
const (
	profileYaw   = 35 * math.Pi / 180
	tiltedPitch  = 35 * math.Pi / 180
	smallEyes    = 20  // pixels
	blurredSharp = 0.5 // of measures.sharp
)
