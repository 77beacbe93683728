package semblance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Calibrate measures a faces collection, stores what its distances mean, and audits
// that. Bands of candidates rest on it from then on. When the collection has changed
// by more than a tenth, the next search does it again.
func (e *Engine) Calibrate(ctx context.Context, who Actor, name string) (Calibration, error) {
	return e.calibrate(ctx, who, name, "asked for")
}

func (e *Engine) calibrate(ctx context.Context, who Actor, name, because string) (Calibration, error) {
	if e.Calibrations == nil {
		return Calibration{}, Errorf(Unavailable, "calibrations are not kept here")
	}
	m, err := e.NonMated(ctx, name)
	if err != nil {
		return Calibration{}, err
	}
	cal, err := e.calibrationOf(ctx, m)
	if err != nil {
		return Calibration{}, err
	}
	c := m.Collection
	ev := e.event(who, "collection.calibrate", nil, c.Name)
	ev.Basis, ev.Detail["version"], ev.Detail["subjects"], ev.Detail["searches"], ev.Detail["because"] = c.Basis, c.Version, c.Subjects, len(m.Searches), because
	if err := e.Calibrations.AddCalibration(ctx, c.ID, cal, ev); err != nil {
		return Calibration{}, err
	}
	e.bands.keep(c.ID, &cal)
	return cal, nil
}

// calibrationOf fits what was measured.
func (e *Engine) calibrationOf(ctx context.Context, m NonMated) (Calibration, error) {
	c := m.Collection
	if err := e.nameSources(ctx, m.Closest, m.Left); err != nil {
		return Calibration{}, err
	}
	spec, err := e.engineOf(c)
	return Calibration{Collection: c.Name, Version: c.Version, Engine: c.Engine, EngineVersion: c.EngineVersion, Metric: spec.Metric, Subjects: c.Subjects, References: c.Entries,
		Threshold: c.FaceDistance, AtThreshold: RateAt(c.Subjects, m.Searches, c.FaceDistance), Searches: len(m.Searches),
		Bins: FitCalibration(c.Subjects, m.Searches), Closest: m.Closest, Left: m.Left, LeftCount: m.LeftCount, Created: e.now()}, err
}

// nameSources fills in what the pictures of pairs are called.
func (e *Engine) nameSources(ctx context.Context, lists ...[]ClosePair) error {
	for _, list := range lists {
		for i := range list {
			refs, err := e.References.References(ctx, list[i].ReferenceA, list[i].ReferenceB)
			if err != nil {
				return err
			}
			list[i].SourceA, list[i].SourceB = refs[0].Source, refs[1].Source
		}
	}
	return nil
}

// Calibration returns the calibration of a collection that its bands rest on, made
// again when the collection has changed too much since. NotFound says how to get one.
func (e *Engine) Calibration(ctx context.Context, name string) (Calibration, error) {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return Calibration{}, err
	}
	cal, err := e.calibration(ctx, c)
	switch {
	case err != nil:
		return Calibration{}, err
	case cal == nil:
		return Calibration{}, Errorf(NotFound, "collection %q is not calibrated", c.Name).
			WithHint("Run `semblance collection calibrate %s`.", c.Name)
	}
	return *cal, nil
}

// bands are the calibrations in use. The Engine is the only one that adds to them.
type bands struct {
	mu     sync.Mutex
	held   map[CollectionID]*Calibration // nil: there is none
	failed map[CollectionID]int64        // version at which a refit failed: not tried again for every face
}

func (b *bands) keep(c CollectionID, cal *Calibration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(c, cal)
}

func (b *bands) set(c CollectionID, cal *Calibration) {
	if b.held == nil {
		b.held, b.failed = map[CollectionID]*Calibration{}, map[CollectionID]int64{}
	}
	b.held[c] = cal
	delete(b.failed, c)
}

// calibration returns the calibration of a collection, nil when it has none. One that
// is stale is made again first: the search that needs it waits, so that the same
// search of the same collection always gives the same bands.
func (e *Engine) calibration(ctx context.Context, c Collection) (*Calibration, error) {
	e.refits.Lock() // one at a time; a second search waits for the first one's
	defer e.refits.Unlock()
	e.bands.mu.Lock()
	cal, known := e.bands.held[c.ID]
	failed, tried := e.bands.failed[c.ID]
	e.bands.mu.Unlock()
	if !known {
		got, err := e.Calibrations.Calibration(ctx, c.ID)
		switch {
		case err == nil:
			cal = &got
		case !errors.Is(err, NotFound):
			return nil, err
		}
		e.bands.keep(c.ID, cal)
	}
	if cal == nil || cal.Stale(c) == "" || tried && failed == c.Version {
		return cal, nil
	}
	fresh, err := e.calibrate(ctx, Actor{Name: "semblance", Via: "engine"}, c.Name, cal.Stale(c))
	if err == nil {
		return &fresh, nil
	}
	if ctx.Err() == nil { // a caller that left says nothing of the next one
		e.bands.mu.Lock()
		e.bands.failed[c.ID] = c.Version
		e.bands.mu.Unlock()
	}
	return cal, nil
}

// giveBands says of candidates what their distances mean, each in its own collection. A
// probe made of several pictures is not what was measured with, and has no band.
func (e *Engine) giveBands(ctx context.Context, cols []Collection, cands []Candidate, fused bool) {
	for i := range cands {
		c := &cands[i]
		k := slices.IndexFunc(cols, func(col Collection) bool { return col.Name == c.Collection })
		switch {
		case k < 0:
		case fused:
			c.Band = NotCalibrated + " for several pictures together"
		default:
			c.Band = e.band(ctx, cols[k], c.Quality, c.Distance)
		}
	}
}

// band is what a candidate's distance means in its collection.
func (e *Engine) band(ctx context.Context, c Collection, quality float32, distance float64) string {
	if e.Calibrations == nil {
		return NotCalibrated
	}
	cal, err := e.calibration(ctx, c)
	switch {
	case err != nil:
		return NotCalibrated + ": the calibration cannot be read"
	case cal == nil:
		return NotCalibrated
	}
	stale := cal.Stale(c)
	switch {
	case stale != "" && (cal.Engine != c.Engine || cal.EngineVersion != c.EngineVersion):
		return NotCalibrated + ": " + stale
	case stale != "":
		return cal.Band(quality, distance) + fmt.Sprintf(" and stale: %s", stale)
	}
	return cal.Band(quality, distance)
}
