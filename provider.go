package semblance

import (
	"context"
	"slices"
	"strings"

	"semblance/hashing"
)

// A ProviderName names a provider: a program of the agency's own, such as a licensed
// PhotoDNA, a classifier, an age estimator or a vendor's face engine. It runs in a cage;
// what it gives is kept with its name and version.
type ProviderName string

// A ProviderSpec is what is fixed about a provider, from its manifest.
type ProviderSpec struct {
	Name      ProviderName      `json:"name"`
	Version   string            `json:"version"`             // raised by its maker when the same picture would get something else
	Algorithm hashing.Algorithm `json:"algorithm,omitempty"` // of the value it gives of a picture; empty: none
	Distance  int               `json:"distance,omitempty"`  // default threshold of an own algorithm, inclusive
	Labels    []string          `json:"labels,omitempty"`    // that it may give; none: it is no classifier
	Ages      bool              `json:"ages,omitempty"`      // estimates ages
	Engine    EngineName        `json:"engine,omitempty"`    // of a provider of faces, its name; those are asked for as an engine
	License   string            `json:"license,omitempty"`
	// Fingerprint is the sha256 of all that decides about what it gives.
	Fingerprint string `json:"fingerprint"`
}

// String is the provider with its version.
func (p ProviderSpec) String() string { return string(p.Name) + " " + p.Version }

// A Provider is a provider that is there and enabled, or why it cannot be used.
type Provider struct {
	Spec ProviderSpec // of one that is not usable, as far as it could be read: its name at least
	Err  error
}

// A ProviderSet is the enabled providers that a program knows. The zero value has none.
// It is made once, when a program starts.
type ProviderSet struct {
	all []Provider
}

// NewProviderSet returns a set. Of two providers of one name, or of one algorithm, neither
// is usable.
func NewProviderSet(all ...Provider) ProviderSet {
	seen, gives := map[ProviderName]int{}, map[hashing.Algorithm]int{}
	for _, p := range all {
		seen[p.Spec.Name]++
		if p.Err == nil {
			gives[p.Spec.Algorithm]++
		}
	}
	var set ProviderSet
	for _, p := range all {
		if p.Err == nil && seen[p.Spec.Name] > 1 {
			p.Err = Errorf(Unavailable, "two providers are named %q, and neither is used: nobody could tell which of them said something", string(p.Spec.Name)).
				WithHint("Rename one in its manifest.json, or remove its folder.")
		}
		if a := p.Spec.Algorithm; p.Err == nil && a != "" && gives[a] > 1 {
			p.Err = Errorf(Unavailable, "two providers give %s, and neither is used: a picture has one value of an algorithm", string(a)).
				WithHint("Disable one: \"enabled\": false in its manifest.json.")
		}
		set.all = append(set.all, p)
	}
	return set
}

// All lists the providers, usable or not.
func (s ProviderSet) All() []Provider { return s.all }

// ByAlgorithm returns a provider that gives values of an algorithm.
func (s ProviderSet) ByAlgorithm(a hashing.Algorithm) (ProviderSpec, bool) {
	for _, p := range s.all {
		if p.Err == nil && p.Spec.Algorithm == a {
			return p.Spec, true
		}
	}
	return ProviderSpec{}, false
}

// A SuppliedHash is what a provider gave of a frame to be compared: a signal like those
// made here, with who gave it.
type SuppliedHash struct {
	Algorithm hashing.Algorithm `json:"algorithm"`
	Value     []byte            `json:"value"`
	Provider  ProviderName      `json:"provider"`
	Version   string            `json:"version"`
}

// A ProviderRun is that a provider was asked about a media, and what it stated besides
// signals.
type ProviderRun struct {
	Provider ProviderName `json:"provider"`
	Version  string       `json:"version"`
	// Failed is why it gave nothing; it is asked again when the media is next examined.
	// Empty: it answered.
	Failed string           `json:"failed,omitempty"`
	Code   Code             `json:"code,omitempty"` // of Failed
	Frames []FrameStatement `json:"frames,omitempty"`
}

// A FrameStatement is what a provider states of one frame. It is a program's statement
// about a picture: it may rank what a person looks at first. It hides nothing and grades
// nothing.
type FrameStatement struct {
	Frame  int     `json:"frame"`
	None   string  `json:"none,omitempty"` // why the program gives nothing of this frame, in its words
	Labels []Label `json:"labels,omitempty"`
	Ages   []Age   `json:"ages,omitempty"`
}

// A Label is a class that a classifier puts a picture into. Score is the program's own, 0
// to 1; scores of two programs or versions are not comparable.
type Label struct {
	Name  string  `json:"name"`
	Score float32 `json:"score"`
}

// An Age is a program's estimate of a person's age, in years, from Low to High.
type Age struct {
	Box  *Box    `json:"box,omitempty"` // of the person or face, in pixels of the picture as stored; nil: of the picture as a whole
	Low  float32 `json:"low"`
	High float32 `json:"high"`
}

// Run returns what a provider said, and whether it was asked.
func (a *Analysis) Run(name ProviderName) (ProviderRun, bool) {
	for _, r := range a.Providers {
		if r.Provider == name {
			return r, true
		}
	}
	return ProviderRun{}, false
}

// keep takes over what providers gave earlier that were not asked now, and the selectors
// for cases of other countries.
func (a *Analysis) keep(prior *Analysis) {
	for _, s := range prior.SelectorSets {
		if _, again := a.SelectorSet(s.Country); !again {
			a.SelectorSets = append(a.SelectorSets, s)
		}
	}
	for _, r := range prior.Providers {
		if _, asked := a.Run(r.Provider); asked || r.Failed != "" { // nothing is lost with a failure
			continue
		}
		a.Providers = append(a.Providers, r)
		for _, f := range prior.Hashes {
			for _, h := range f.Supplied {
				if h.Provider != r.Provider {
					continue
				}
				for i := range a.Hashes {
					if a.Hashes[i].Frame == f.Frame {
						a.Hashes[i].Supplied = append(a.Hashes[i].Supplied, h)
					}
				}
			}
		}
	}
	slices.SortFunc(a.Providers, func(x, y ProviderRun) int { return strings.Compare(string(x.Provider), string(y.Provider)) })
}

// providers returns those that are asked about a picture, besides those of faces, after
// checking all. An enabled one that cannot work is an error: what it does not find would
// not be missed.
func (e *Engine) providers(ctx context.Context) ([]ProviderSpec, error) {
	var out []ProviderSpec
	for _, p := range e.Providers.All() {
		err := p.Err
		if err == nil && p.Spec.Engine != "" {
			continue // checked with the collections that need it
		}
		if err == nil && e.CheckProvider != nil {
			err = e.CheckProvider(ctx, p.Spec.Name)
		}
		if err == nil {
			err = e.pinProvider(ctx, p.Spec)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p.Spec)
	}
	return out, nil
}

// pinProvider remembers what a provider is made of when it is first used: from then on
// one of that name and version must be this one.
func (e *Engine) pinProvider(ctx context.Context, p ProviderSpec) error {
	if e.Pins == nil {
		return nil
	}
	name := "provider " + p.String()
	known, err := e.Pins.Setting(ctx, name)
	switch {
	case err != nil:
		return err
	case known == p.Fingerprint:
		return nil
	case known != "":
		return Errorf(ModelMismatch, "provider %s is not the one that gave the signals of this version: its program or another of its files is another (fingerprint %.12s instead of %.12s)", p, p.Fingerprint, known).
			WithHint("Put the former files back. If the new ones are meant, raise the version in manifest.json; nothing stored has been changed.")
	}
	ev := e.event(Actor{Name: "semblance", Via: "system"}, "provider.pin", nil)
	ev.Detail["provider"], ev.Detail["fingerprint"] = p.String(), p.Fingerprint
	return e.Pins.SetSetting(ctx, name, p.Fingerprint, ev)
}

// failedRun returns the first provider that was asked and gave nothing.
func (a *Analysis) failedRun() (ProviderRun, bool) {
	for _, r := range a.Providers {
		if r.Failed != "" {
			return r, true
		}
	}
	return ProviderRun{}, false
}
