package semblance

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"semblance/hashing"
)

// A LookupRequest says what hashes and selectors are looked up in.
type LookupRequest struct {
	Case        string
	Collections []string
	Default     hashing.Algorithm // of 64 or 16 bare digits, empty is SHA-256; or of selectors without their kind
}

// A LookupResult is one answer to one line. A line without an entry has one
// result without Collection; a line that cannot be read has Error.
type LookupResult struct {
	Line       int               `json:"line"` // from 1
	Query      string            `json:"query"`
	Kind       string            `json:"kind,omitempty"` // "hit", "near match" or "known-good"
	Collection string            `json:"collection,omitempty"`
	Owner      string            `json:"owner,omitempty"`
	Algorithm  hashing.Algorithm `json:"algorithm,omitempty"`
	Distance   *int              `json:"distance,omitempty"`
	Threshold  *int              `json:"threshold,omitempty"`
	Metric     hashing.Metric    `json:"metric,omitempty"` // of distance and threshold
	Weak       bool              `json:"weak,omitempty"`
	Entry      EntryID           `json:"entry,omitempty"`
	EntryValue string            `json:"entry_value,omitempty"`
	EntryRaw   string            `json:"entry_raw,omitempty"` // of a selector, as the entry's source wrote it
	Note       string            `json:"note,omitempty"`
	Category   *EntryCategory    `json:"category,omitempty"` // what the exporting agency says of the entry
	Source     string            `json:"source,omitempty"`
	Record     string            `json:"record,omitempty"`
	Set        SetID             `json:"set,omitempty"`          // the digest set whose record it is, when it is not an entry
	Size       int64             `json:"size,omitempty"`         // of the file, as the digest set has it; 0 unknown
	Second     *float64          `json:"entry_second,omitempty"` // of an entry that is a video: when its frame is shown
	Frames     int               `json:"frames,omitempty"`       // of that video that are near
	Error      string            `json:"error,omitempty"`
}

// A LookupSummary counts a lookup.
type LookupSummary struct {
	Lines int `json:"lines"`
	Found int `json:"found"` // lines with at least one entry
	Bad   int `json:"bad"`
	// Warnings say what was not compared with, and why.
	Warnings []string `json:"warnings,omitempty"`
}

// lookupBatch is how many lines are searched at once.
const lookupBatch = 1024

// Lookup looks hashes and selectors up, one a line, in the order of next, which returns io.EOF
// at the end. emit gets the results in the same order. Memory does not grow with
// the number of lines. The audit event is written before the first answer is
// given and another one with the counts at the end.
func (e *Engine) Lookup(ctx context.Context, who Actor, r LookupRequest, next func() (string, error), emit func(LookupResult) error) (LookupSummary, error) {
	var sum LookupSummary
	c, err := e.Cases.Case(ctx, r.Case)
	if err != nil {
		return sum, err
	}
	cols, err := e.resolve(ctx, r.Collections)
	if err != nil {
		return sum, err
	}
	for _, x := range cols {
		if x.Kind == Faces {
			return sum, Errorf(Invalid, "collection %q holds %s; hashes are looked up in hashes and known-good collections, selectors in selectors collections", x.Name, x.Kind)
		}
	}
	q := lookupQuery{def: r.Default, country: c.Country, hashes: len(ofKind(cols, Hashes, KnownGood)) > 0}
	if cols, sum.Warnings, err = e.switchedOn(cols); err != nil {
		return sum, err
	}
	if err := e.ready(ctx, cols...); err != nil {
		return sum, err
	}
	if q.def == "" && q.hashes {
		q.def = hashing.AlgorithmSHA256
	}
	if err := e.Audit.Append(ctx, e.event(who, "lookup.start", &c, names(cols)...)); err != nil {
		return sum, err
	}
	err = e.lookupAll(ctx, cols, q, next, emit, &sum)
	ev := e.event(who, "lookup", &c, names(cols)...)
	ev.Detail["lines"], ev.Detail["found"], ev.Detail["bad"] = sum.Lines, sum.Found, sum.Bad
	return sum, errors.Join(err, e.Audit.Append(context.WithoutCancel(ctx), ev))
}

func (e *Engine) lookupAll(ctx context.Context, cols []Collection, q lookupQuery, next func() (string, error), emit func(LookupResult) error, sum *LookupSummary) error {
	for {
		batch, end := nextLines(next, q, sum)
		if err := e.lookupLines(ctx, cols, batch, emit, sum); err != nil {
			return err
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

// A lookupLine is one parsed line and its answers.
type lookupLine struct {
	LookupResult
	value   []byte
	answers []LookupResult
}

func nextLines(next func() (string, error), q lookupQuery, sum *LookupSummary) ([]lookupLine, error) {
	var batch []lookupLine
	for len(batch) < lookupBatch {
		s, err := next()
		if err != nil {
			return batch, err
		}
		sum.Lines++
		alg, value, err := q.parse(s)
		if errors.Is(err, hashing.ErrBlank) {
			sum.Lines--
			continue
		}
		l := lookupLine{LookupResult: LookupResult{Line: sum.Lines, Query: s, Algorithm: alg}, value: value}
		if err != nil {
			sum.Bad++
			l.Error = err.Error()
		}
		batch = append(batch, l)
	}
	return batch, nil
}

func (e *Engine) lookupLines(ctx context.Context, cols []Collection, batch []lookupLine, emit func(LookupResult) error, sum *LookupSummary) error {
	byAlg := map[hashing.Algorithm][]int{}
	for i, l := range batch {
		if l.Error == "" && !hashing.IsTrivial(l.Algorithm, l.value) {
			byAlg[l.Algorithm] = append(byAlg[l.Algorithm], i)
		}
	}
	for alg, which := range byAlg {
		look := e.lookupAlg
		if _, ok := SelectorKind(alg); ok {
			look = e.lookupSelectors
		}
		if err := look(ctx, cols, alg, which, batch); err != nil {
			return err
		}
	}
	for _, l := range batch {
		if len(l.answers) == 0 {
			if err := emit(l.LookupResult); err != nil {
				return err
			}
			continue
		}
		sum.Found++
		slices.SortStableFunc(l.answers, func(a, b LookupResult) int {
			return cmp.Or(cmp.Compare(bitsOf(a), bitsOf(b)), strings.Compare(a.Collection, b.Collection), cmp.Compare(a.Entry, b.Entry))
		})
		for _, a := range l.answers {
			if err := emit(a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) lookupAlg(ctx context.Context, cols []Collection, alg hashing.Algorithm, which []int, batch []lookupLine) error {
	cols = ofKind(cols, Hashes, KnownGood)
	q := HashQuery{Algorithm: alg}
	byID := map[CollectionID]Collection{}
	for _, c := range cols {
		if alg.IsDigest() || c.Kind == Hashes {
			q.Collections = append(q.Collections, c.ID)
			byID[c.ID] = c
		}
		if !alg.IsDigest() && c.Kind == Hashes {
			q.Radius = max(q.Radius, e.threshold(c, alg))
		}
	}
	if len(q.Collections) == 0 {
		return nil
	}
	for _, i := range which {
		q.Values = append(q.Values, batch[i].value)
	}
	res, err := e.within(ctx, cols, q)
	if err != nil {
		return err
	}
	labels := e.labeler()
	for k, neighbors := range res {
		l := &batch[which[k]]
		for _, n := range neighbors {
			a, err := e.answer(ctx, labels, byID[n.Collection], l.LookupResult, n)
			if err != nil {
				return err
			}
			if a != nil {
				l.answers = append(l.answers, *a)
			}
		}
	}
	records, err := e.inSets(ctx, q)
	if err != nil {
		return err
	}
	for k, list := range records {
		l := &batch[which[k]]
		for _, r := range list {
			a, err := l.recordAnswer(ctx, labels, byID[r.Collection], r)
			if err != nil {
				return err
			}
			l.answers = append(l.answers, a)
		}
	}
	if alg == hashing.AlgorithmPDQ && e.Videos != nil {
		return e.lookupFrames(ctx, cols, q, which, batch)
	}
	return nil
}

func (e *Engine) answer(ctx context.Context, labels *labeler, c Collection, a LookupResult, n HashNeighbor) (*LookupResult, error) {
	digest := a.Algorithm.IsDigest()
	limit := e.threshold(c, a.Algorithm)
	if !digest && n.Distance > limit {
		return nil, nil
	}
	en, there, err := e.entry(ctx, n.Entry)
	if err != nil || !there {
		return nil, err
	}
	if !digest && en.Quality >= 0 && en.Quality < c.PDQQuality {
		return nil, nil
	}
	a.Collection, a.Owner, a.Entry, a.EntryValue, a.Note, a.Source, a.Record = c.Name, c.Owner, n.Entry, en.Algorithm.Text(en.Value), en.Note, en.Source, en.Record
	if a.Category, err = labels.label(ctx, c, en.Category); err != nil {
		return nil, err
	}
	switch {
	case digest && c.Kind == KnownGood:
		a.Kind = "known-good"
	case digest:
		a.Kind, a.Weak = "hit", a.Algorithm == hashing.AlgorithmMD5
	default:
		a.Kind, a.Metric, a.Distance, a.Threshold = "near match", a.Algorithm.Metric(), &n.Distance, &limit
	}
	return &a, nil
}

// bitsOf is the distance of an answer; equality is 0.
func bitsOf(l LookupResult) int {
	if l.Distance == nil {
		return 0
	}
	return *l.Distance
}
