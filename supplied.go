package semblance

import (
	"context"
	"errors"

	"semblance/hashing"
)

func anySupplied(algorithms []hashing.Algorithm) bool {
	for _, a := range algorithms {
		if a.IsSupplied() {
			return true
		}
	}
	return false
}

// within searches the index of an algorithm in collections that ready was called for. An
// index that finds itself damaged says that it does not hold them any more; it is then
// made again from the store, and searched once more.
func (e *Engine) within(ctx context.Context, cols []Collection, q HashQuery) ([][]HashNeighbor, error) {
	index := e.Hashes
	if q.Algorithm.IsVPDQ() {
		index = e.Videos
	}
	if q.Algorithm.IsSupplied() {
		if index = e.Supplied; index == nil {
			return nil, Errorf(Unavailable, "there is no index of supplied values such as %s here", string(q.Algorithm))
		}
	}
	res, err := index.Search(ctx, q)
	if err == nil || CodeOf(err) != Internal {
		return res, err
	}
	if again := e.ready(ctx, cols...); again != nil {
		return nil, errors.Join(err, again)
	}
	return index.Search(ctx, q)
}

// threshold returns the largest distance of a near match in a collection, inclusive.
func (e *Engine) threshold(c Collection, alg hashing.Algorithm) int {
	switch {
	case alg == hashing.AlgorithmPDQ, alg.IsVPDQ():
		return c.PDQDistance
	case alg == hashing.AlgorithmPhotoDNA:
		return c.PhotoDNADistance
	case alg.IsSupplied():
		p, _ := e.Providers.ByAlgorithm(alg)
		return p.Distance // 0 where nobody says what is near: equal values only
	}
	return c.HashDistance
}
