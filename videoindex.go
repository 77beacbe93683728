package semblance

import (
	"context"

	"semblance/hashing"
)

// eachEntryOf calls f for the entries of one algorithm.
func (e *Engine) eachEntryOf(ctx context.Context, c CollectionID, alg hashing.Algorithm, f func(HashEntry) error) error {
	if s, ok := e.Entries.(AlgorithmStore); ok {
		return s.EachEntryOf(ctx, c, alg, f)
	}
	return e.Entries.EachEntry(ctx, c, 0, func(h HashEntry) error {
		if h.Algorithm != alg {
			return nil
		}
		return f(h)
	})
}

// eachVideo calls f for the video entries of a collection behind one, in the order of
// IDs within an algorithm.
func (e *Engine) eachVideo(ctx context.Context, c Collection, after int64, f func(HashEntry) error) error {
	if c.Kind != Hashes {
		return nil
	}
	for _, alg := range hashing.VideoAlgorithms() {
		err := e.eachEntryOf(ctx, c.ID, alg, func(h HashEntry) error {
			if int64(h.ID) <= after {
				return nil
			}
			return f(h)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
