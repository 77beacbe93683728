package semblance

import (
	"context"
	"strings"
)

// An EngineSet is the face engines that a program knows: those built in, and the
// agency's own. The zero value has those built in alone. It is made once, when a
// program starts, and not changed afterwards.
type EngineSet struct {
	own []OwnEngine
}

// An OwnEngine is a face engine that is not built in, or why a bundle that is there
// is none.
type OwnEngine struct {
	Spec EngineSpec // of a bundle that is not usable, as far as it could be read: its name at least
	Err  error      // why it is not usable; nil when it is
}

// NewEngineSet returns the engines built in and own ones. One that bears the name of
// another is not usable, and neither is that other own one: nobody could tell which
// of the two made a signal.
func NewEngineSet(own ...OwnEngine) EngineSet {
	seen := map[EngineName]int{}
	for _, s := range Engines() {
		seen[s.Name] = 2
	}
	for _, o := range own {
		seen[o.Spec.Name]++
	}
	var set EngineSet
	for _, o := range own {
		if o.Err == nil && seen[o.Spec.Name] > 1 {
			o.Err = Errorf(Unavailable, "two engines are named %q, and neither is used: nobody could tell which of them made a signal", string(o.Spec.Name)).
				WithHint("Rename one in its engine.json, or remove its folder.")
		}
		set.own = append(set.own, o)
	}
	return set
}

// All lists the engines that can be named, the default first, then the others built
// in, then the own ones that are usable.
func (s EngineSet) All() []EngineSpec {
	out := Engines()
	for _, o := range s.own {
		if o.Err == nil {
			out = append(out, o.Spec)
		}
	}
	return out
}

// Unusable lists the bundles that are there and cannot be used, with why.
func (s EngineSet) Unusable() []OwnEngine {
	var out []OwnEngine
	for _, o := range s.own {
		if o.Err != nil {
			out = append(out, o)
		}
	}
	return out
}

// ByName returns the spec of an engine; the empty name is the default's. The error
// has code Invalid when no engine has that name, and Unavailable when a bundle has
// it that cannot be used.
func (s EngineSet) ByName(name EngineName) (EngineSpec, error) {
	if name == "" {
		name = DefaultEngine
	}
	var known []string
	for _, spec := range Engines() {
		if spec.Name == name {
			return spec, nil
		}
		known = append(known, string(spec.Name))
	}
	for _, o := range s.own {
		if o.Spec.Name == name {
			return o.Spec, o.Err
		}
		if o.Err == nil {
			known = append(known, string(o.Spec.Name))
		}
	}
	return EngineSpec{}, Errorf(Invalid, "no face engine is named %q", string(name)).
		WithHint("The engines are %s. An agency's own is a folder in engines of the data folder, or one named in SEMBLANCE_ENGINES.", strings.Join(known, ", "))
}

// Limits returns the limits of an engine in one sentence, whether it is here or not:
// a candidate is never shown without them.
func (s EngineSet) Limits(name EngineName) string {
	if spec, err := s.ByName(name); err == nil && spec.Limits != "" {
		return spec.Limits
	}
	return CommonLimits
}

// The detectors that an own engine can be built on.
const (
	DetectorYuNet = "yunet"
	DetectorMTCNN = "mtcnn"
)

// An EngineBundle is what runs an own engine, in terms of what a worker is given: a
// detector that is built in, and a network with all that has to be known to feed it.
type EngineBundle struct {
	Spec      EngineSpec   `json:"spec"`
	Detector  string       `json:"detector"` // DetectorYuNet or DetectorMTCNN
	Model     string       `json:"model"`    // the network's name among the worker's models
	Input     NetworkInput `json:"input"`
	Output    string       `json:"output,omitempty"` // name of the network's output; empty: its only one
	Template  [5]Point     `json:"template"`         // where the landmarks lie in the chip
	Normalize bool         `json:"normalize"`        // divide embeddings by their length
}

// A NetworkInput says how a chip becomes a network's input: each value is
// (pixel - Mean) / Scale, of its color.
type NetworkInput struct {
	Name  string     `json:"name,omitempty"` // of the network's input; empty: its only one
	Size  int        `json:"size"`           // side of the chip in pixels
	NHWC  bool       `json:"nhwc,omitempty"` // pixels with three values each, instead of three planes
	BGR   bool       `json:"bgr,omitempty"`  // blue first, instead of red
	Mean  [3]float32 `json:"mean"`           // red, green, blue
	Scale [3]float32 `json:"scale"`          // red, green, blue
}

// A PinStore remembers single values under a name.
type PinStore interface {
	// Setting returns the value of a name, "" when there is none.
	Setting(ctx context.Context, name string) (string, error)
	// SetSetting stores the value of a name.
	SetSetting(ctx context.Context, name, value string, ev AuditEvent) error
}

// pinName is where the fingerprint of an own engine's signals is remembered.
func pinName(s EngineSpec) string { return "engine " + s.Signal() }

// pinEngine remembers what an own engine is made of, when its first collection is
// about to be made: from then on a bundle of that name and version must be this one.
// The error has code ModelMismatch when it was another one, or is that of ByName.
func (e *Engine) pinEngine(ctx context.Context, who Actor, name EngineName) error {
	spec, err := e.Engines.ByName(name)
	if err != nil || !spec.Own() || e.Pins == nil {
		return err
	}
	known, err := e.Pins.Setting(ctx, pinName(spec))
	if err != nil {
		return err
	}
	if known != "" {
		return checkPin(spec, known)
	}
	ev := e.event(who, "engine.pin", nil)
	ev.Detail["engine"], ev.Detail["fingerprint"] = spec.Signal(), spec.Fingerprint
	return e.Pins.SetSetting(ctx, pinName(spec), spec.Fingerprint, ev)
}

// pinned checks an own engine against what was remembered of it.
func (e *Engine) pinned(ctx context.Context, spec EngineSpec) error {
	if !spec.Own() || e.Pins == nil {
		return nil
	}
	known, err := e.Pins.Setting(ctx, pinName(spec))
	if err != nil || known == "" {
		return err
	}
	return checkPin(spec, known)
}

func checkPin(spec EngineSpec, known string) error {
	if spec.Fingerprint == known {
		return nil
	}
	return Errorf(ModelMismatch, "the bundle of engine %s is not the one that the signals of its version %d were made with: its network, input, template or detector is another (fingerprint %.12s instead of %.12s)",
		spec.Name, spec.Version, spec.Fingerprint, known).
		WithHint("Put the former bundle back. If the new one is meant, raise the version in its engine.json and enroll the collections again with `semblance collection reenroll`; nothing stored has been changed.")
}

// engineOf returns the engine of a faces collection. An own engine whose bundle has
// gone is Unavailable: the collection is whole and waits for it.
func (e *Engine) engineOf(c Collection) (EngineSpec, error) {
	spec, err := e.Engines.ByName(c.Engine)
	if CodeOf(err) == Invalid {
		return spec, Errorf(Unavailable, "collection %q was enrolled with the engine %q, which is not here", c.Name, string(c.Engine)).
			WithHint("Put its bundle back into engines/%s of the data folder, or name its folder in SEMBLANCE_ENGINES; or enroll the collection again with another engine: `semblance collection reenroll %s --engine NAME`. Nothing stored has been lost.", c.Engine, c.Name)
	}
	return spec, err
}
