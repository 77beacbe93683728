package semblance

import (
	"context"
	"regexp"
	"strings"
)

// CreateCase stores a new case. Number, agency, country, purpose and basis are
// needed: every search is answered for with them.
func (e *Engine) CreateCase(ctx context.Context, who Actor, c Case) (Case, error) {
	if err := required("case", "number", c.Number, "agency", c.Agency, "country", c.Country, "purpose", c.Purpose, "basis", c.Basis); err != nil {
		return Case{}, err
	}
	if err := checkCountry(&c.Country); err != nil {
		return Case{}, err
	}
	if err := checkTimeZone(&c.TimeZone); err != nil {
		return Case{}, err
	}
	c.ID, c.Created = CaseID(NewID()), e.now()
	ev := e.event(who, "case.create", &c)
	if c.TimeZone != "" {
		ev.Detail["time_zone"] = c.TimeZone
	}
	return e.Cases.CreateCase(ctx, c, ev)
}

// SetCase changes a case: with a threat to life its work goes before that of others from
// now on; times are shown in its zone, and stay as they are kept.
func (e *Engine) SetCase(ctx context.Context, who Actor, number string, change CaseChange) (Case, error) {
	if change == (CaseChange{}) {
		return Case{}, Errorf(Invalid, "nothing is to be set")
	}
	if change.TimeZone != nil {
		if err := checkTimeZone(change.TimeZone); err != nil {
			return Case{}, err
		}
	}
	c, err := e.Cases.Case(ctx, number)
	if err != nil {
		return Case{}, err
	}
	ev := e.event(who, "case.set", &c)
	if change.ThreatToLife != nil {
		ev.Detail["threat_to_life"] = *change.ThreatToLife
	}
	if change.TimeZone != nil {
		ev.Detail["time_zone"] = *change.TimeZone
	}
	return e.Cases.SetCase(ctx, number, change, ev)
}

// required checks pairs of a field's name and its value.
func required(noun string, pairs ...string) error {
	var missing []string
	for i := 0; i < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			missing = append(missing, pairs[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return Errorf(Invalid, "a %s needs %s", noun, strings.Join(missing, ", ")).
		WithHint("Give %s; it is kept in the audit chain with every use.", strings.Join(missing, ", "))
}

var (
	countryCode    = regexp.MustCompile(`^[A-Z]{2}$`)
	collectionName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._+-]{0,99}$`)
	reviewDate     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

func checkCountry(c *string) error {
	*c = strings.ToUpper(strings.TrimSpace(*c))
	if !countryCode.MatchString(*c) {
		return Errorf(Invalid, "country %q is not a two-letter code", *c).WithHint("Use ISO 3166-1 alpha-2, such as NL or DE.")
	}
	return nil
}

// CreateCollection stores a new, empty collection. A faces collection is bound
// to its engine for good; only Reenroll changes it. Zero thresholds are the
// defaults.
func (e *Engine) CreateCollection(ctx context.Context, who Actor, c Collection) (Collection, error) {
	if err := required("collection", "name", c.Name, "kind", string(c.Kind), "owner", c.Owner, "country", c.Country, "basis", c.Basis); err != nil {
		return Collection{}, err
	}
	if err := checkCountry(&c.Country); err != nil {
		return Collection{}, err
	}
	if !collectionName.MatchString(c.Name) {
		return Collection{}, Errorf(Invalid, "%q is not a collection name", c.Name).
			WithHint("Use up to 100 letters, digits, spaces and . _ + -, beginning with a letter or digit.")
	}
	if c.Review != "" && !reviewDate.MatchString(c.Review) {
		return Collection{}, Errorf(Invalid, "review date %q is not a date", c.Review).WithHint("Write it as 2027-01-31.")
	}
	if err := e.thresholds(&c); err != nil {
		return Collection{}, err
	}
	if c.Kind == Faces {
		if err := e.pinEngine(ctx, who, c.Engine); err != nil {
			return Collection{}, err
		}
	}
	c.ID, c.Created, c.Version, c.Subjects, c.Entries = CollectionID(NewID()), e.now(), 1, 0, 0
	ev := e.event(who, "collection.create", nil, c.Name)
	ev.Basis, ev.Detail["kind"] = c.Basis, c.Kind
	return e.Collections.CreateCollection(ctx, c, ev)
}

func (e *Engine) thresholds(c *Collection) error {
	switch c.Kind {
	case Faces:
		spec, err := e.Engines.ByName(c.Engine)
		if err != nil {
			return err
		}
		c.Engine, c.EngineVersion = spec.Name, spec.Version
		if c.FaceDistance == 0 {
			c.FaceDistance = spec.Distance
		}
		return c.checkThresholds()
	case Hashes, KnownGood:
		if c.PhotoDNADistance == 0 {
			c.PhotoDNADistance = DefaultPhotoDNADistance
		}
		if c.Engine != "" || c.FaceDistance != 0 || c.EnrollQuality != 0 {
			return Errorf(Invalid, "a %s collection has no face engine, face distance or enrollment gate", c.Kind)
		}
		if c.PDQDistance == 0 {
			c.PDQDistance = DefaultPDQDistance
		}
		if c.PDQQuality == 0 {
			c.PDQQuality = DefaultPDQQuality
		}
		if c.HashDistance == 0 {
			c.HashDistance = DefaultHashDistance
		}
		return c.checkThresholds()
	case Selectors:
		if c.Engine != "" || c.FaceDistance != 0 || c.EnrollQuality != 0 || c.PDQDistance != 0 || c.PDQQuality != 0 || c.HashDistance != 0 || c.PhotoDNADistance != 0 {
			return Errorf(Invalid, "a selectors collection has no face engine and no distances: selectors are equal or they are not")
		}
		return nil
	default:
		return Errorf(Invalid, "%q is not a kind of collection", c.Kind).WithHint("Kinds are faces, hashes, selectors and known-good.")
	}
}

func checkEnrollQuality(q float32) error {
	if q == 0 || q >= MinSearchableQuality && q <= 100 {
		return nil
	}
	return Errorf(Invalid, "an enrollment gate of quality %g is outside %d to 100", q, MinSearchableQuality).
		WithHint("Under %d a face has no embedding and cannot be enrolled at all; 0 asks for no more than that.", MinSearchableQuality)
}
