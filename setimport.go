package semblance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"semblance/hashing"
)

// setCollection returns a collection that can have digest sets.
func (e *Engine) setCollection(ctx context.Context, name string) (Collection, error) {
	if e.Sets == nil {
		return Collection{}, errNoSets()
	}
	c, err := e.Collections.Collection(ctx, name)
	if err == nil && c.Kind != Hashes && c.Kind != KnownGood {
		err = Errorf(Invalid, "collection %q holds %s; a digest set goes into a hashes or known-good collection", c.Name, c.Kind)
	}
	return c, err
}

// ImportSet makes a digest set of a source and adds it to a collection. An import that
// was stopped goes on where it was when it is called again with the same source.
// progress is called now and then from this goroutine; it may be nil.
func (e *Engine) ImportSet(ctx context.Context, who Actor, collection string, src DigestSource, progress func(SetProgress)) (DigestSet, error) {
	c, err := e.setCollection(ctx, collection)
	if err != nil {
		return DigestSet{}, err
	}
	source, _ := src.Describe()
	if err := e.notThere(ctx, c, source); err != nil {
		return DigestSet{}, err
	}
	s, err := e.SetFiles.BuildSet(ctx, DigestSet{Collection: c.ID, Name: source.Name}, src, progress)
	if err != nil {
		return s, err
	}
	if s.Digests() == 0 {
		err := Errorf(Invalid, "%q has no digest that could be looked up: of %d rows %d cannot be read, %d are empty, %d digests are of nothing", source.Name, s.Counts.Rows, s.Counts.Bad, s.Counts.Blank, s.Counts.Trivial).
			WithHint("Say with --format what the file is.")
		return s, errors.Join(err, e.SetFiles.EraseSets(c.ID, s.ID))
	}
	ev := e.event(who, "collection.import", nil, c.Name)
	ev.Basis, ev.Detail["source"], ev.Detail["sha256"], ev.Detail["format"], ev.Detail["counts"] = c.Basis, source.Name, s.Sources[0].SHA256, source.Format, s.Counts
	return e.addSet(ctx, who, s, ev)
}

// addSet records a set whose files are there.
func (e *Engine) addSet(ctx context.Context, who Actor, s DigestSet, ev AuditEvent) (DigestSet, error) {
	s.Added, s.By = e.now(), who
	if err := e.SetRecords.AddSet(ctx, s, ev); err != nil {
		return s, err
	}
	return s, e.SetFiles.FinishSet(s)
}

// notThere refuses a source that is a set of the collection already.
func (e *Engine) notThere(ctx context.Context, c Collection, source SetSource) error {
	sets, err := e.SetRecords.Sets(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, s := range sets {
		if len(s.Sources) == 1 && s.Sources[0].Head == source.Head && s.Sources[0].Bytes == source.Bytes && s.Sources[0].Format == source.Format {
			return Errorf(Conflict, "%q is in collection %q already, as set %s", source.Name, c.Name, s.ID.Short()).
				WithHint("To import it again, remove that set first: `semblance collection sets remove`.")
		}
	}
	return nil
}

// Short is the beginning of an ID, which people type.
func (s SetID) Short() string { return string(s[:min(len(s), 8)]) }

// FindSet returns the digest set of a name or of the beginning of an ID. An empty
// collection means all. The error is NotFound when there is none, Invalid when there are several.
func (e *Engine) FindSet(ctx context.Context, c CollectionID, name string) (DigestSet, error) {
	sets, err := e.SetRecords.Sets(ctx, c)
	if err != nil {
		return DigestSet{}, err
	}
	sets = slices.DeleteFunc(sets, func(s DigestSet) bool {
		return s.Name != name && (len(name) < 4 || !strings.HasPrefix(string(s.ID), name))
	})
	switch len(sets) {
	case 0:
		return DigestSet{}, Errorf(NotFound, "there is no digest set %q", name).WithHint("`semblance collection sets list` names those that are there.")
	case 1:
		return sets[0], nil
	}
	return DigestSet{}, Errorf(Invalid, "%d digest sets are called %q", len(sets), name).WithHint("Give the set's ID; `semblance collection sets list` shows it.")
}

// RemoveSet takes a digest set out of a collection and erases its files.
func (e *Engine) RemoveSet(ctx context.Context, who Actor, collection, set string) (DigestSet, error) {
	c, err := e.setCollection(ctx, collection)
	if err != nil {
		return DigestSet{}, err
	}
	s, err := e.FindSet(ctx, c.ID, set)
	if err != nil {
		return s, err
	}
	ev := e.event(who, "collection.set-remove", nil, c.Name)
	ev.Basis = c.Basis
	if err := e.SetRecords.RemoveSet(ctx, c.ID, s.ID, ev); err != nil {
		return s, err
	}
	if c, err = e.Collections.Collection(ctx, collection); err == nil {
		err = e.ready(ctx, c) // scans that are under way go on without it
	}
	if err = errors.Join(err, e.SetFiles.EraseSets(c.ID, s.ID)); err != nil {
		return s, fmt.Errorf("the digest set is gone from the store, but not all that belongs to it: %w", err)
	}
	return s, nil
}

// DropImport gives up an import that was stopped.
func (e *Engine) DropImport(ctx context.Context, collection string) error {
	c, err := e.setCollection(ctx, collection)
	if err != nil {
		return err
	}
	return e.SetFiles.EraseSets(c.ID)
}

// setIDs lists the digest sets of a collection.
func (e *Engine) setIDs(ctx context.Context, c Collection) ([]SetID, error) {
	if e.Sets == nil || c.Kind == Faces {
		return nil, nil
	}
	sets, err := e.SetRecords.Sets(ctx, c.ID)
	var ids []SetID
	for _, s := range sets {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// eraseSets erases the files of a collection that is gone.
func (e *Engine) eraseSets(ctx context.Context, c Collection, ids []SetID) error {
	if e.Sets == nil {
		return nil
	}
	err := errors.Join(e.Sets.HoldSets(ctx, c.ID, 0, nil), e.SetFiles.EraseSets(c.ID))
	if len(ids) > 0 {
		err = errors.Join(err, e.SetFiles.EraseSets(c.ID, ids...))
	}
	return err
}

// A SetCombination says what is made of which digest sets.
type SetCombination struct {
	Operation  SetOperation
	Sets       []string            // names or beginnings of IDs; of all collections
	Algorithms []hashing.Algorithm // only these; empty is all
	Name       string              // of the new set; empty says how it was made
}

// CombineSets makes a digest set of others and adds it to a collection. Every set must
// be of a collection of the same kind: what is known to be harmless does not become a
// hit, nor the other way round. Of a difference only the first must.
func (e *Engine) CombineSets(ctx context.Context, who Actor, collection string, r SetCombination) (DigestSet, error) {
	c, err := e.setCollection(ctx, collection)
	if err != nil {
		return DigestSet{}, err
	}
	sets, algs, err := e.combined(ctx, r)
	if err != nil {
		return DigestSet{}, err
	}
	others, err := e.collectionsOf(ctx, sets)
	if err != nil {
		return DigestSet{}, err
	}
	for i, o := range others {
		if o.Kind != c.Kind && (i == 0 || r.Operation != SetDifference) {
			return DigestSet{}, Errorf(Invalid, "set %s is %s of collection %q, and collection %q is of kind %s", sets[i].ID.Short(), o.Kind, o.Name, c.Name, c.Kind).
				WithHint("Sets of one kind are combined; only what a difference takes away may be of another.")
		}
	}
	if r.Name == "" {
		r.Name = string(r.Operation) + " of " + strings.Join(setNames(sets), ", ")
	}
	s, err := e.SetFiles.CombineSets(ctx, DigestSet{Collection: c.ID, Name: r.Name}, r.Operation, sets, algs)
	if err != nil {
		return s, err
	}
	if s.Digests() == 0 {
		err := Errorf(Invalid, "the %s has no digest", string(r.Operation)).WithHint("`semblance collection sets count` tells what sets have in common.")
		return s, errors.Join(err, e.SetFiles.EraseSets(c.ID, s.ID))
	}
	ev := e.event(who, "collection.set-"+string(r.Operation), nil, append([]string{c.Name}, names(others)...)...)
	ev.Collections = slices.Compact(slices.Sorted(slices.Values(ev.Collections)))
	var ids []SetID
	for _, in := range sets {
		ids = append(ids, in.ID)
	}
	ev.Basis, ev.Detail["name"], ev.Detail["of"] = c.Basis, s.Name, ids
	return e.addSet(ctx, who, s, ev)
}

// CountSets tells how many digests sets have in common.
func (e *Engine) CountSets(ctx context.Context, r SetCombination) ([]DigestSet, []SetOverlap, error) {
	if e.Sets == nil {
		return nil, nil, errNoSets()
	}
	r.Operation = SetUnion
	sets, algs, err := e.combined(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	counts, err := e.SetFiles.CountSets(ctx, sets, algs)
	return sets, counts, err
}

// combined returns the sets of a combination and the algorithms it is made for. A
// difference of sets that do not have the same algorithms would leave digests in that the other set
// has under another algorithm, so that it must be said which are meant.
func (e *Engine) combined(ctx context.Context, r SetCombination) ([]DigestSet, []hashing.Algorithm, error) {
	if len(r.Sets) < 2 {
		return nil, nil, Errorf(Invalid, "two or more digest sets are combined")
	}
	var sets []DigestSet
	for _, name := range r.Sets {
		s, err := e.FindSet(ctx, "", name)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(sets, func(o DigestSet) bool { return o.ID == s.ID }) {
			return nil, nil, Errorf(Invalid, "digest set %s is named twice", s.ID.Short())
		}
		sets = append(sets, s)
	}
	var algs []hashing.Algorithm
	for _, alg := range digestOrder {
		if len(r.Algorithms) > 0 && !slices.Contains(r.Algorithms, alg) {
			continue
		}
		have := 0
		for _, s := range sets {
			if slices.ContainsFunc(s.Files, func(f SetFile) bool { return f.Algorithm == alg }) {
				have++
			}
		}
		switch {
		case have == 0:
		case r.Operation != SetUnion && have < len(sets):
			return nil, nil, Errorf(Invalid, "only %d of the %d sets have digests of %s", have, len(sets), string(alg)).
				WithHint("A %s is made algorithm by algorithm. Say with --algorithm which: one that all of the sets have.", string(r.Operation))
		default:
			algs = append(algs, alg)
		}
	}
	if len(algs) == 0 {
		return nil, nil, Errorf(Invalid, "the sets have no digests of the algorithms that are asked for")
	}
	return sets, algs, nil
}

func setNames(sets []DigestSet) []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Name)
	}
	return out
}

// collectionsOf returns the collection of each set.
func (e *Engine) collectionsOf(ctx context.Context, sets []DigestSet) ([]Collection, error) {
	all, err := e.Collections.Collections(ctx)
	if err != nil {
		return nil, err
	}
	var out []Collection
	for _, s := range sets {
		i := slices.IndexFunc(all, func(c Collection) bool { return c.ID == s.Collection })
		if i < 0 {
			return nil, Errorf(NotFound, "the collection of digest set %s is not there any more", s.ID.Short())
		}
		out = append(out, all[i])
	}
	return out, nil
}
