package semblance

import (
	"context"
	"slices"

	"semblance/hashing"
)

// eachFrame calls f for the kept frames of a video, each hash once, until it returns
// false.
func (m *KeptMedia) eachFrame(f func(quality int, h hashing.PDQ) bool) error {
	best := map[hashing.PDQ]int{} // the quality under which a hash is looked for
	var order []hashing.PDQ
	for _, s := range m.Signals {
		if !s.Algorithm.IsVPDQ() {
			continue
		}
		frames, err := hashing.ParseVPDQBinary(s.Value)
		if err != nil {
			return Errorf(Internal, "the vPDQ of a media is damaged: %v", err)
		}
		for _, x := range frames {
			if hashing.IsTrivial(hashing.AlgorithmPDQ, x.Hash[:]) {
				continue
			}
			q, seen := best[x.Hash]
			if !seen {
				order = append(order, x.Hash)
			}
			best[x.Hash] = max(q, x.Quality)
		}
	}
	for _, h := range order {
		if !f(best[h], h) {
			return errStop
		}
	}
	return nil
}

// frameValues are the frames of a video entry, each hash once.
func frameValues(h HashEntry) (values [][]byte, err error) {
	m := KeptMedia{Signals: []VideoSignal{{Algorithm: h.Algorithm, Value: h.Value}}}
	err = m.eachFrame(func(_ int, p hashing.PDQ) bool {
		values = append(values, slices.Clone(p[:]))
		return true
	})
	return values, err
}

// nearTMK finds the media whose TMK is near a new one of a collection by the mean frame.
// They are few, and all are looked at.
func (l *lookback) nearTMK(ctx context.Context, c Collection) ([]int64, error) {
	var means []hashing.TMKMean
	err := l.eachEntryOf(ctx, c.ID, hashing.AlgorithmTMK, func(h HashEntry) error {
		if h.ID <= l.due.After.Entry || h.ID > l.due.Through.Entry {
			return nil
		}
		t, err := hashing.ParseTMK(h.Value)
		if err == nil {
			means = append(means, t.Mean())
		}
		return err
	})
	if err != nil || len(means) == 0 {
		return nil, err
	}
	var out []int64
	err = l.Lookbacks.EachKept(ctx, 0, func(m KeptMedia) error {
		for _, s := range m.Signals {
			if s.Algorithm != hashing.AlgorithmTMK {
				continue
			}
			t, err := hashing.ParseTMK(s.Value)
			if err != nil {
				return Errorf(Internal, "the TMK+PDQF of a media is damaged: %v", err)
			}
			mean := t.Mean()
			if slices.ContainsFunc(means, func(n hashing.TMKMean) bool { return mean.Level1(&n) >= tmkLevel1 }) {
				out = append(out, m.Seq)
			}
		}
		return nil
	})
	return out, err
}
