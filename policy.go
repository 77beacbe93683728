package semblance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Policy is what a curator has decided about a collection besides its thresholds.
type Policy struct {
	Off *Off `json:"off,omitempty"` // nil: it is compared with
	// CategorySet names the set that the categories of its entries are of, as
	// NAME/VERSION; empty: its categories are shown as they are, without a label.
	CategorySet string `json:"category_set,omitempty"`
}

// An Off says that a collection is not compared with for the time being. What was
// found in it before stays found.
type Off struct {
	Until string    `json:"until,omitempty"` // first day on which it is compared with again, YYYY-MM-DD in UTC; empty: until it is switched on
	Why   string    `json:"why"`
	By    string    `json:"by"`
	Since time.Time `json:"since"`
}

// IsOff reports whether a collection is not compared with at a time.
func (p *Policy) IsOff(now time.Time) bool {
	return p.Off != nil && (p.Off.Until == "" || now.UTC().Format(time.DateOnly) < p.Off.Until)
}

// A CollectionChange says what of a collection's settings is to change: what is not
// nil. It changes none of its content, and what was found with the old settings stays
// until the media are compared again.
type CollectionChange struct {
	EnrollQuality    *float32 // faces
	FaceDistance     *float64 // faces
	PDQDistance      *int     // hashes
	PDQQuality       *int     // hashes
	HashDistance     *int     // hashes
	PhotoDNADistance *int     // hashes
	CategorySet      *string  // hashes, known-good and selectors: NAME/VERSION, or empty for none
	Off              *Off     // switches it off; Until and Why are the caller's
	On               bool     // switches it on
}

// apply changes c and returns what it was and what it is, by setting, for the audit.
func (x *CollectionChange) apply(c *Collection) (from, to map[string]any) {
	from, to = map[string]any{}, map[string]any{}
	note := func(setting string, was, is any) { from[setting], to[setting] = was, is }
	if x.EnrollQuality != nil {
		note("enroll_quality", c.EnrollQuality, *x.EnrollQuality)
		c.EnrollQuality = *x.EnrollQuality
	}
	if x.FaceDistance != nil {
		note("face_distance", c.FaceDistance, *x.FaceDistance)
		c.FaceDistance = *x.FaceDistance
	}
	for _, s := range []struct {
		name string
		is   *int
		of   *int
	}{{"pdq_distance", x.PDQDistance, &c.PDQDistance}, {"pdq_quality", x.PDQQuality, &c.PDQQuality}, {"hash_distance", x.HashDistance, &c.HashDistance},
		{"photodna_distance", x.PhotoDNADistance, &c.PhotoDNADistance}} {
		if s.is != nil {
			note(s.name, *s.of, *s.is)
			*s.of = *s.is
		}
	}
	if x.CategorySet != nil {
		note("category_set", c.CategorySet, *x.CategorySet)
		c.CategorySet = *x.CategorySet
	}
	if x.On || x.Off != nil {
		note("off", c.Off, x.Off)
		c.Off = x.Off
	}
	return from, to
}

// ChangeCollection changes settings of a collection. Every change is audited with
// what it was. The error has code Invalid when a setting is not one of the
// collection's kind or its value is none, and nothing is changed then.
func (e *Engine) ChangeCollection(ctx context.Context, who Actor, name string, x CollectionChange) (Collection, error) {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return Collection{}, err
	}
	if x.Off != nil {
		off := *x.Off
		off.By, off.Since = who.Name, e.now()
		x.Off = &off
	}
	if err := e.checkChange(ctx, c, &x); err != nil {
		return Collection{}, err
	}
	ev := e.event(who, "collection.set", nil, name)
	ev.Basis = c.Basis
	return e.Collections.ChangeCollection(ctx, name, ev, func(c *Collection) (from, to map[string]any) { return x.apply(c) })
}

func (e *Engine) checkChange(ctx context.Context, c Collection, x *CollectionChange) error {
	faces := x.EnrollQuality != nil || x.FaceDistance != nil
	near := x.PDQDistance != nil || x.PDQQuality != nil || x.HashDistance != nil || x.PhotoDNADistance != nil
	switch {
	case !faces && !near && x.CategorySet == nil && x.Off == nil && !x.On:
		return Errorf(Invalid, "it is not said what of collection %q is to change", c.Name)
	case faces && c.Kind != Faces:
		return Errorf(Invalid, "the collection %q holds %s and has no enrollment gate and no distance of faces", c.Name, c.Kind)
	case near && c.Kind != Hashes:
		return Errorf(Invalid, "the collection %q holds %s and has no near matches", c.Name, c.Kind)
	case x.CategorySet != nil && c.Kind == Faces:
		return Errorf(Invalid, "the collection %q holds faces, which have no category", c.Name)
	case x.On && x.Off != nil:
		return Errorf(Invalid, "a collection cannot be switched on and off at once")
	}
	if err := x.checkOff(e.now()); err != nil {
		return err
	}
	if x.CategorySet != nil && *x.CategorySet != "" {
		if _, err := e.categorySet(ctx, *x.CategorySet); err != nil {
			return err
		}
	}
	x.apply(&c)
	return c.checkThresholds()
}

func (x *CollectionChange) checkOff(now time.Time) error {
	switch {
	case x.Off == nil:
		return nil
	case strings.TrimSpace(x.Off.Why) == "":
		return Errorf(Invalid, "a collection is not switched off without a reason").
			WithHint("Say why: what is not compared with is missed, and whoever misses it will ask.")
	case x.Off.Until == "":
		return nil
	}
	day, err := time.Parse(time.DateOnly, x.Off.Until)
	if err != nil {
		return Errorf(Invalid, "%q is not a day", x.Off.Until).WithHint("Write it as 2027-01-31: the first day on which the collection is compared with again.")
	}
	if !now.UTC().Before(day) {
		return Errorf(Invalid, "%s is not in the future", x.Off.Until)
	}
	return nil
}

// checkThresholds refuses thresholds outside their range.
func (c *Collection) checkThresholds() error {
	if c.Kind == Faces {
		if !(c.FaceDistance >= 0 && c.FaceDistance <= 2) {
			return Errorf(Invalid, "face distance %g is outside 0 to 2", c.FaceDistance)
		}
		return checkEnrollQuality(c.EnrollQuality)
	}
	if c.PDQDistance < 0 || c.PDQDistance > MaxPDQDistance {
		return Errorf(Invalid, "PDQ distance %d is outside 0 to %d", c.PDQDistance, MaxPDQDistance).
			WithHint("The reference threshold is %d; unrelated pictures are about 128 apart.", DefaultPDQDistance)
	}
	if c.PDQQuality < 0 || c.PDQQuality > 100 || c.HashDistance < 0 || c.HashDistance > 15 {
		return Errorf(Invalid, "PDQ quality is 0 to 100 and the distance of 64-bit hashes 0 to 15")
	}
	if c.PhotoDNADistance < 0 || c.PhotoDNADistance > MaxPhotoDNADistance {
		return Errorf(Invalid, "PhotoDNA distance %d is outside 0 to %d", c.PhotoDNADistance, MaxPhotoDNADistance).
			WithHint("It is the sum of the squared differences of the 144 bytes; %d is the default. Other programs give its root or a mean: see docs/hashing.md.", DefaultPhotoDNADistance)
	}
	return nil
}

// switchedOn leaves out the collections that are off now, and says so in a sentence
// each: what is not compared with is never left out in silence.
func (e *Engine) switchedOn(cols []Collection) (on []Collection, notes []string, err error) {
	now := e.now()
	for _, c := range cols {
		if !c.IsOff(now) {
			on = append(on, c)
			continue
		}
		until := "until it is switched on"
		if c.Off.Until != "" {
			until = "until " + c.Off.Until
		}
		notes = append(notes, fmt.Sprintf("collection %s is switched off %s (%s, by %s): nothing was compared with it", c.Name, until, c.Off.Why, c.Off.By))
	}
	if len(on) == 0 && len(cols) > 0 {
		return nil, nil, Errorf(Invalid, "every collection that was named is switched off: %s", strings.Join(notes, "; ")).
			WithHint("Name others, or switch one on with `semblance collection set NAME --on`.")
	}
	return slices.Clip(on), notes, nil
}
