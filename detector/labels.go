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
		{semblance.LabelBlurred, m.sharp() < blurredSharp},
		{semblance.LabelUncertain, m.score < uncertainScore},
		{semblance.LabelTilted, m.pitch > tiltedPitch},
		{semblance.LabelProfile, m.yaw > profileYaw},
		{semblance.LabelFlat, m.bits < flatBits},
		{semblance.LabelOverexposed, m.bright > overexposed},
		{semblance.LabelSmall, m.eyes < smallEyes},
		{semblance.LabelCutOff, m.outside > cutOff},
	} {
		if l.applies {
			list = append(list, l.text)
		}
	}
	return list
}

// Where labels begin. Profile and cut off are not measured: the development pictures
// have no mated pairs of such faces.
const (
	blurredSharp   = 0.5 // of measures.sharp
	uncertainScore = 0.85
	tiltedPitch    = 30 * math.Pi / 180
	profileYaw     = 35 * math.Pi / 180
	flatBits       = 4
	overexposed    = 0.3
	smallEyes      = 14 // pixels
	cutOff         = 0.4
)
