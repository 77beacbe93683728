package semblance

import (
	"context"
	"errors"
	"fmt"
)

// DeleteCollection removes a collection with everything derived from it and
// proves it by counting.
func (e *Engine) DeleteCollection(ctx context.Context, who Actor, name string) (Erasure, error) {
	c, err := e.Collections.Collection(ctx, name)
	if err != nil {
		return Erasure{}, err
	}
	sets, err := e.setIDs(ctx, c)
	if err != nil {
		return Erasure{}, err
	}
	e.originals.Lock()
	defer e.originals.Unlock()
	gone, err := e.Collections.DeleteCollection(ctx, name, e.event(who, "collection.delete", nil, name))
	if err != nil {
		return gone, err
	}
	if c.Kind == Faces {
		err = e.Vectors.Drop(ctx, c.ID)
	} else {
		err = e.Hashes.Drop(ctx, c.ID)
		if e.Videos != nil {
			err = errors.Join(err, e.Videos.Drop(ctx, c.ID))
		}
		if e.Supplied != nil {
			err = errors.Join(err, e.Supplied.Drop(ctx, c.ID))
		}
		err = errors.Join(err, e.eraseSets(ctx, c, sets))
	}
	for _, sum := range gone.Objects {
		err = errors.Join(err, e.Objects.Delete(ctx, sum))
	}
	if err != nil {
		return gone, fmt.Errorf("collection %q is gone from the store, but not all that was derived from it: %w", name, err)
	}
	return gone, nil
}

// RemoveReferences erases references of a faces collection with everything derived
// from them, their originals when nothing else needs those, and proves it by
// counting. The same pictures can be enrolled again.
func (e *Engine) RemoveReferences(ctx context.Context, who Actor, collection string, r Removal) (Erasure, error) {
	if (r.Subject == "") == (len(r.IDs) == 0) {
		return Erasure{}, Errorf(Invalid, "a removal names either a subject or references").
			WithHint("`semblance collection show NAME` lists both.")
	}
	c, spec, err := e.faces(ctx, collection)
	if err != nil {
		return Erasure{}, err
	}
	e.originals.Lock()
	defer e.originals.Unlock()
	ev := e.event(who, "collection.remove", nil, c.Name)
	ev.Basis = c.Basis
	if r.Subject != "" {
		ev.Detail["subject"] = r.Subject
	}
	gone, err := e.References.RemoveReferences(ctx, c.ID, r, ev)
	if err != nil {
		return gone, err
	}
	err = e.follow(ctx, c, func(version int64) error {
		return e.Vectors.Update(ctx, spec, c.ID, version, VectorChange{Remove: gone.References})
	}, func() (int64, error) { return e.Vectors.Version(ctx, spec, c.ID) })
	err = errors.Join(err, e.dropBehind(ctx, spec, c))
	for _, sum := range gone.Objects {
		err = errors.Join(err, e.Objects.Delete(ctx, sum))
	}
	if err != nil {
		return gone, fmt.Errorf("the references are gone from the store, but not all that was derived from them: %w", err)
	}
	return gone, nil
}

// dropBehind drops what an index holds of a collection, unless it has followed to where
// the collection is: what was removed must not stay in it. It is made again when it is
// next used.
func (e *Engine) dropBehind(ctx context.Context, spec EngineSpec, before Collection) error {
	e.sync.Lock()
	defer e.sync.Unlock()
	after, err := e.Collections.Collection(ctx, before.Name)
	if err != nil {
		return err
	}
	held, err := e.Vectors.Version(ctx, spec, before.ID)
	if err == nil && held == after.Version {
		return nil
	}
	return errors.Join(err, e.Vectors.Drop(ctx, before.ID))
}

// faces returns a faces collection and its engine's spec, whether or not the engine
// works here.
func (e *Engine) faces(ctx context.Context, collection string) (Collection, EngineSpec, error) {
	c, err := e.Collections.Collection(ctx, collection)
	if err != nil {
		return c, EngineSpec{}, err
	}
	if c.Kind != Faces {
		return c, EngineSpec{}, Errorf(Invalid, "collection %q holds %s; subjects and references are what a faces collection has", c.Name, c.Kind)
	}
	spec, err := e.engineOf(c)
	if err != nil { // an own engine that has gone: what is said of persons can still be taken back
		spec, err = EngineSpec{Name: c.Engine, Version: c.EngineVersion}, nil
	}
	return c, spec, err
}
