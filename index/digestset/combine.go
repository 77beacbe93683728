package digestset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"semblance"
	"semblance/hashing"
)

// A cursor goes through the records of a file in the order of their digests.
type cursor struct {
	*Set
	b, k   int
	digest []byte
	row    row
	done   bool
	source uint64   // what is added to a source's index
	texts  []uint64 // the new index of each text
}

// next moves on by a record.
func (c *cursor) next() error {
	for c.b < c.blocks && c.k == c.held(c.b) {
		c.b, c.k = c.b+1, 0
	}
	if c.b == c.blocks {
		c.done = true
		return nil
	}
	if c.k == 0 {
		if err := c.check(c.b); err != nil {
			return unreadable(c.path, err)
		}
	}
	c.digest, c.row = c.rowAt(c.b, c.k)
	c.k++
	return nil
}

// together goes through files of one algorithm at once: yield gets each digest with the
// cursors that are at it. Texts and sources of its rows are those of about.
func together(ctx context.Context, cursors []*cursor, yield func(digest []byte, at []*cursor) error) error {
	return guarded(func() error {
		for _, c := range cursors {
			if err := c.next(); err != nil {
				return err
			}
		}
		var at []*cursor
		for n := 0; ; n++ {
			if n%tick == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			at = at[:0]
			for _, c := range cursors {
				if c.done {
					continue
				}
				order := 1
				if len(at) > 0 {
					order = bytes.Compare(at[0].digest, c.digest)
				}
				switch {
				case order > 0:
					at = append(at[:0], c)
				case order == 0:
					at = append(at, c)
				}
			}
			if len(at) == 0 {
				return nil
			}
			if err := yield(at[0].digest, at); err != nil {
				return err
			}
			for _, c := range at {
				if err := c.next(); err != nil {
					return err
				}
			}
		}
	})
}

// takes reports whether a digest is in the result.
func takes(op semblance.SetOperation, first *cursor, at []*cursor, sets int) bool {
	switch op {
	case semblance.SetDifference:
		return len(at) == 1 && at[0] == first
	case semblance.SetIntersection:
		return len(at) == sets
	}
	return true
}

// cursors opens the files of an algorithm of sets; a set without one is left out.
func (l *Library) cursors(sets []semblance.DigestSet, alg hashing.Algorithm) (list []*cursor, err error) {
	for _, s := range sets {
		i := slices.IndexFunc(s.Files, func(f semblance.SetFile) bool { return f.Algorithm == alg })
		if i < 0 {
			continue
		}
		f, err := l.file(s.ID, s.Files[i], false)
		if err != nil {
			return nil, errors.Join(err, closeAll(list))
		}
		list = append(list, &cursor{Set: f})
	}
	return list, nil
}

func closeAll(list []*cursor) error {
	var err error
	for _, c := range list {
		err = errors.Join(err, c.Close())
	}
	return err
}

// CountSets implements [semblance.SetMaker].
func (l *Library) CountSets(ctx context.Context, sets []semblance.DigestSet, algorithms []hashing.Algorithm) ([]semblance.SetOverlap, error) {
	var out []semblance.SetOverlap
	for _, alg := range algorithms {
		list, err := l.cursors(sets, alg)
		if err != nil {
			return nil, err
		}
		o := semblance.SetOverlap{Algorithm: alg}
		for _, s := range sets {
			n := int64(0)
			for _, f := range s.Files {
				if f.Algorithm == alg {
					n = f.Records
				}
			}
			o.Sets = append(o.Sets, n)
		}
		err = together(ctx, list, func(_ []byte, at []*cursor) error {
			o.Union++
			if len(at) == len(sets) {
				o.Intersection++
			}
			return nil
		})
		if err = errors.Join(err, closeAll(list)); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// CombineSets implements [semblance.SetMaker].
func (l *Library) CombineSets(ctx context.Context, s semblance.DigestSet, op semblance.SetOperation, sets []semblance.DigestSet, algorithms []hashing.Algorithm) (semblance.DigestSet, error) {
	s.ID = semblance.SetID(semblance.NewID())
	dir := l.dir(s.ID)
	if err := l.disk.folder(dir); err != nil {
		return s, unwritten(err)
	}
	s.Sources = nil
	for _, in := range sets {
		s.Sources = append(s.Sources, in.Sources...)
	}
	for _, alg := range algorithms {
		f, err := l.combine(ctx, dir, op, sets, alg, &s.Counts)
		if err != nil {
			return s, errors.Join(err, unwritten(l.disk.remove(dir)))
		}
		if f.Records > 0 {
			s.Files = append(s.Files, f)
		}
	}
	s.Counts.Duplicate = s.Counts.Digests - s.Digests()
	return s, unwritten(l.disk.syncFolder(dir))
}

// combine makes the file of one algorithm.
func (l *Library) combine(ctx context.Context, dir string, op semblance.SetOperation, sets []semblance.DigestSet, alg hashing.Algorithm, counts *semblance.SetCounts) (semblance.SetFile, error) {
	list, err := l.cursors(sets, alg)
	if err != nil {
		return semblance.SetFile{}, err
	}
	f, err := l.combined(ctx, filepath.Join(dir, string(alg)+fileExt), op, list, len(sets), alg, counts)
	return f, errors.Join(err, closeAll(list))
}

func (l *Library) combined(ctx context.Context, path string, op semblance.SetOperation, list []*cursor, sets int, alg hashing.Algorithm, counts *semblance.SetCounts) (semblance.SetFile, error) {
	if len(list) == 0 || op != semblance.SetUnion && len(list) < sets {
		return semblance.SetFile{}, semblance.Errorf(semblance.Internal, "not every set has digests of %s", string(alg)) // the Engine looked
	}
	about, all, largest := join(list)
	var most uint64
	for i, c := range list {
		if op == semblance.SetUnion || i == 0 {
			most += c.Records
		}
	}
	w, err := newWriter(&l.disk, path, alg, most, largest)
	if err != nil {
		return semblance.SetFile{}, unwritten(err)
	}
	err = together(ctx, list, func(digest []byte, at []*cursor) error {
		if !takes(op, list[0], at, sets) {
			return nil
		}
		counts.Digests += int64(len(at))
		r, err := at[0].moved()
		for _, other := range at[1:] {
			o, oerr := other.moved()
			err = errors.Join(err, oerr)
			r.absorb(o, all)
		}
		if err != nil {
			return err
		}
		count(counts, r)
		return w.add(digest, r)
	})
	if err != nil {
		w.abandon()
		return semblance.SetFile{}, combineError(list, err)
	}
	about.Texts, about.TextsLost = all.list, all.lost
	f, err := w.finish(about)
	return f, unwritten(err)
}

// combineError says which side failed: reading a set, or writing.
func combineError(list []*cursor, err error) error {
	if errors.Is(err, errDamaged) {
		return unreadable(list[0].path, err)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return unwritten(err)
}

// join makes one list of the sources and texts of files, and tells each its places in
// it. It returns the largest columns that there can be.
func join(list []*cursor) (meta, *texts, row) {
	var about meta
	all := newTexts(nil)
	largest := row{flags: flagSizes | flagTexts}
	for _, c := range list {
		c.source = uint64(len(about.Sources))
		about.Sources = append(about.Sources, c.about.Sources...)
		c.texts = []uint64{0}
		for _, t := range c.about.Texts {
			c.texts = append(c.texts, all.add(t))
		}
		all.lost = all.lost || c.about.TextsLost
		largest.row = max(largest.row, 1<<(8*c.Widths[colRow])-1)
		largest.size = max(largest.size, 1<<(8*c.Widths[colSize])-1)
	}
	largest.source = uint64(len(about.Sources) - 1)
	if len(all.list) > 0 || all.lost {
		largest.text = lostText
	}
	return about, all, largest
}

// moved is the cursor's row with the places of the result.
func (c *cursor) moved() (row, error) {
	r := c.row
	lost := c.about.TextsLost && r.text == lostText
	if r.text >= uint64(len(c.texts)) && !lost || r.source >= uint64(len(c.about.Sources)) {
		return r, fmt.Errorf("%w: a text or source that is not there", errDamaged)
	}
	if r.source += c.source; !lost {
		r.text = c.texts[r.text]
	}
	return r, nil
}

// Each calls f for every record of a set, or of one algorithm of it, in the order of
// digests, until f returns an error, which it returns. Texts that were not kept are left out.
func (l *Library) Each(ctx context.Context, s semblance.DigestSet, only hashing.Algorithm, f func(hashing.Algorithm, Record) error) error {
	for _, file := range s.Files {
		if only != "" && file.Algorithm != only {
			continue
		}
		list, err := l.cursors([]semblance.DigestSet{s}, file.Algorithm)
		if err != nil {
			return err
		}
		err = together(ctx, list, func(digest []byte, at []*cursor) error {
			out := Record{Digest: digest}
			if err := at[0].explain(at[0].row, &out); err != nil {
				return unreadable(at[0].path, err)
			}
			if out.Text == textLost {
				out.Text = ""
			}
			return f(file.Algorithm, out)
		})
		if err = errors.Join(err, closeAll(list)); err != nil {
			return err
		}
	}
	return nil
}
