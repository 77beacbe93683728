package semblance

import (
	"context"
	"encoding/hex"

	"semblance/hashing"
)

// readySets opens the digest sets of a collection.
func (e *Engine) readySets(ctx context.Context, c Collection) error {
	if e.Sets == nil {
		if c.Digests > 0 {
			return errNoSets()
		}
		return nil
	}
	if e.Sets.HeldSets(c.ID) == c.Version {
		return nil
	}
	sets, err := e.SetRecords.Sets(ctx, c.ID)
	if err != nil {
		return err
	}
	return e.Sets.HoldSets(ctx, c.ID, c.Version, sets)
}

func errNoSets() *Error {
	return Errorf(Unavailable, "digest sets cannot be used here").WithHint("Open the data folder that has them.")
}

// inSets looks digests up in the digest sets of collections that ready was called for.
func (e *Engine) inSets(ctx context.Context, q HashQuery) ([][]SetRecord, error) {
	if e.Sets == nil || !q.Algorithm.IsDigest() {
		return nil, nil
	}
	return e.Sets.SearchSets(ctx, SetQuery{Algorithm: q.Algorithm, Collections: q.Collections, Values: q.Values})
}

// setEntries adds what digest sets know of a digest to what was found in each collection.
func (e *Engine) setEntries(ctx context.Context, cols []Collection, alg hashing.Algorithm, value []byte, found map[CollectionID][]HashEntry) error {
	res, err := e.inSets(ctx, HashQuery{Algorithm: alg, Collections: idsOf(cols), Values: [][]byte{value}})
	if err != nil || len(res) == 0 {
		return err
	}
	for _, r := range res[0] {
		found[r.Collection] = append(found[r.Collection], HashEntry{Collection: r.Collection, Algorithm: alg, Value: value, Size: r.Size, Quality: -1,
			Note: r.Note, Category: categoryIn(r.Note), Source: r.Source, Record: r.Record, set: r.Set})
	}
	return nil
}

// recordAnswer is the answer to a line whose digest a digest set has.
func (l *lookupLine) recordAnswer(ctx context.Context, labels *labeler, c Collection, r SetRecord) (LookupResult, error) {
	a := l.LookupResult
	a.Collection, a.Owner, a.EntryValue, a.Note, a.Source, a.Record, a.Set, a.Size = c.Name, c.Owner, hex.EncodeToString(l.value), r.Note, r.Source, r.Record, r.Set, r.Size
	if a.Kind = "hit"; c.Kind == KnownGood {
		a.Kind = "known-good"
	} else {
		a.Weak = a.Algorithm == hashing.AlgorithmMD5
	}
	var err error
	a.Category, err = labels.label(ctx, c, categoryIn(r.Note))
	return a, err
}
