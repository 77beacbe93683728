package worker

import "semblance"

// tidy makes the texts of an honest answer fit the parent's rules: what a camera
// wrote into its maker's note may hold anything.
func tidy(a *semblance.Analysis) {
	for _, s := range []*string{&a.Type, &a.Partial, &a.Decoder, &a.Metadata.Taken, &a.Metadata.Make,
		&a.Metadata.Model, &a.Metadata.Serial, &a.Metadata.Software} {
		*s = clean(*s, maxText)
	}
	a.Warnings = tidyTexts(a.Warnings)
	if m := &a.Metadata; checkMetadata(m) != nil {
		m.Latitude, m.Longitude = nil, nil
	}
	for i := range a.FaceSets {
		for j := range a.FaceSets[i].Faces {
			f := &a.FaceSets[i].Faces[j]
			f.Reasons = tidyTexts(f.Reasons)
		}
	}
}

func tidyTexts(list []string) []string {
	list = list[:min(len(list), maxTexts)]
	for i := range list {
		list[i] = clean(list[i], maxText)
	}
	return list
}
