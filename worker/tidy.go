package worker

import "semblance"

// tidy makes the texts of an honest answer fit the parent's rules: what a camera
// wrote into its maker's note may hold anything.
func tidy(a *semblance.Analysis) {
	m := &a.Metadata
	texts := append([]*string{&a.Type, &a.Partial, &a.Decoder}, metadataTexts(m)...)
	for _, s := range texts {
		*s = clean(*s, maxText)
	}
	for i := range a.Embedded {
		a.Embedded[i].Reason = clean(a.Embedded[i].Reason, maxText)
	}
	a.Warnings = tidyTexts(a.Warnings)
	if a.Video != nil {
		a.Video.Format, a.Video.Codec = clean(a.Video.Format, maxText), clean(a.Video.Codec, maxText)
	}
	tidySelectors(a)
	if f := a.Metadata.Video; f != nil {
		for i := range f.Tags {
			f.Tags[i].Name, f.Tags[i].Value = clean(f.Tags[i].Name, maxText), clean(f.Tags[i].Value, maxText)
		}
		for i := range f.Audio {
			s := &f.Audio[i]
			s.Codec, s.Channels, s.Rate, s.Duration = clean(s.Codec, maxText), max(s.Channels, 0), max(s.Rate, 0), max(s.Duration, 0)
			s.Language, s.Title, s.Partial, s.BitRate = clean(s.Language, maxText), clean(s.Title, maxText), clean(s.Partial, maxText), max(s.BitRate, 0)
		}
	}
	if checkMetadata(m) != nil {
		m.Latitude, m.Longitude = nil, nil
	}
	for i := range a.FaceSets {
		for j := range a.FaceSets[i].Faces {
			f := &a.FaceSets[i].Faces[j]
			f.Reasons, f.Labels = tidyTexts(f.Reasons), tidyTexts(f.Labels)
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

// tidy makes what a child says of itself fit to be shown.
func (f *Facts) tidy() {
	for _, s := range []*string{&f.Program, &f.CPU, &f.Cage.LandlockWhy, &f.Cage.SeccompWhy, &f.Cage.LimitsWhy, &f.Cage.CapsWhy} {
		*s = clean(*s, maxText)
	}
	f.Libraries, f.Build = tidyMap(f.Libraries), tidyMap(f.Build)
}

func tidyMap(m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if len(out) < maxTexts {
			out[clean(k, maxText)] = clean(v, maxText)
		}
	}
	return out
}
