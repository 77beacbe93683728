package semblance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"semblance/hashing"
)

// A LookbackRequest asks for the kept signals of old exhibits to be compared again.
type LookbackRequest struct {
	Collection string // name; empty: every collection of which something is due
	// All compares with everything in the collection and not only with what it gained: for
	// thresholds that were changed.
	All      bool
	Progress func(done, total int) // media
}

// A LookbackResult is what a look-back did.
type LookbackResult struct {
	Collections []LookbackCounts `json:"collections"`
	Unknown     []string         `json:"unknown,omitempty"` // see LookbackDue
}

// LookbackCounts are those of one collection.
type LookbackCounts struct {
	DueCollection
	Media     int `json:"media"`     // compared again
	Found     int `json:"found"`     // notices of what is new
	Changed   int `json:"changed"`   // of findings that say something else now
	Withdrawn int `json:"withdrawn"` // of findings that are gone
	Lacking   int `json:"lacking"`   // media of which not everything could be compared: scan them again
}

// DueLookbacks tells what a look-back would look at. It changes nothing.
func (e *Engine) DueLookbacks(ctx context.Context) (LookbackDue, error) {
	return e.Lookbacks.Due(ctx, false)
}

// LookBack compares what is kept of old exhibits with what the collections that they were
// compared with have gained and lost since. Nothing is decoded. The findings of a media
// become those that a scan of it today would give, in the transaction that tells the owner
// of the case by a notice. A run that is interrupted goes on where it was; running it again
// changes nothing.
//
// Candidates are not touched: a look-back is about hashes and selectors.
func (e *Engine) LookBack(ctx context.Context, who Actor, r LookbackRequest) (LookbackResult, error) {
	var res LookbackResult
	if !e.lookback.TryLock() {
		return res, Errorf(Busy, "a look-back is running already").WithHint("It does what is due; run it again when it has ended.")
	}
	defer e.lookback.Unlock()
	due, err := e.Lookbacks.Due(ctx, r.All)
	if err != nil {
		return res, err
	}
	res.Unknown, res.Collections = due.Unknown, []LookbackCounts{}
	if err := e.narrow(ctx, &due, r.Collection); err != nil {
		return res, err
	}
	off, err := e.offCollections(ctx)
	if err != nil {
		return res, err
	}
	for _, d := range due.Collections {
		if len(d.Plans) == 0 || off[d.ID] { // its exhibits are being scanned, or it is switched off: it stays due
			res.Collections = append(res.Collections, LookbackCounts{DueCollection: d})
			continue
		}
		l := &lookback{Engine: e, who: who, due: d, counts: LookbackCounts{DueCollection: d}, progress: r.Progress, plans: map[string]*Plan{}}
		err := l.run(ctx)
		res.Collections = append(res.Collections, l.counts)
		if err != nil {
			return res, fmt.Errorf("look back at collection %q: %w", d.Name, err)
		}
	}
	return res, nil
}

// offCollections are those that are switched off now.
func (e *Engine) offCollections(ctx context.Context) (map[CollectionID]bool, error) {
	cols, err := e.Collections.Collections(ctx)
	off := map[CollectionID]bool{}
	for _, c := range cols {
		off[c.ID] = c.IsOff(e.now())
	}
	return off, err
}

// narrow leaves of what is due one collection, which has to be there when it is not due.
func (e *Engine) narrow(ctx context.Context, due *LookbackDue, name string) error {
	if name == "" {
		return nil
	}
	due.Collections = slices.DeleteFunc(due.Collections, func(d DueCollection) bool { return d.Name != name })
	if len(due.Collections) > 0 {
		return nil
	}
	c, err := e.Collections.Collection(ctx, name)
	if err == nil && c.Kind == Faces {
		return Errorf(Invalid, "collection %q holds %s; a look-back is about hashes, known-good and selectors collections", name, c.Kind)
	}
	return err
}

// A lookback is a run over one collection.
type lookback struct {
	*Engine
	who      Actor
	due      DueCollection
	counts   LookbackCounts
	progress func(done, total int)
	living   map[CollectionID]Collection
	off      map[CollectionID]bool // switched off: what was found in them stays
	plans    map[string]*Plan      // by the collections that are still there
}

// lookbackStep is how many media are compared and stored at once.
const lookbackStep = 64

func (l *lookback) run(ctx context.Context) error {
	ev := l.event(l.who, "lookback.start", nil, l.due.Name)
	ev.Detail["new"], ev.Detail["lost"], ev.Detail["gone"], ev.Detail["cases"] = l.due.New, l.due.Lost, l.due.Gone, l.due.Cases
	if err := l.Audit.Append(ctx, ev); err != nil {
		return err
	}
	cols, err := l.Collections.Collections(ctx)
	if err != nil {
		return err
	}
	l.living, l.off = map[CollectionID]Collection{}, map[CollectionID]bool{}
	for _, c := range cols {
		if c.IsOff(l.now()) {
			l.off[c.ID] = true
			continue
		}
		l.living[c.ID] = c
	}
	media, err := l.affected(ctx)
	if err != nil {
		return err
	}
	after, _ := slices.BinarySearch(media, l.due.Seq+1)
	for done := after; done < len(media); {
		part := media[done:min(done+lookbackStep, len(media))]
		if err := l.step(ctx, part); err != nil {
			return err
		}
		if done += len(part); l.progress != nil {
			l.progress(done, len(media))
		}
	}
	_, err = l.Lookbacks.SaveLookback(ctx, l.who, LookbackStep{Due: l.due, Done: true})
	return err
}

// affected lists the media that have to be compared again. It may name too many.
func (l *lookback) affected(ctx context.Context) ([]int64, error) {
	out, err := l.Lookbacks.Affected(ctx, l.due)
	if err != nil {
		return nil, err
	}
	c, living := l.living[l.due.ID]
	if living && l.due.After.Set < l.due.Through.Set {
		if out, err = l.inNewSets(ctx, c, out); err != nil {
			return nil, err
		}
	}
	if living && c.Kind == Hashes && l.due.After.Entry < l.due.Through.Entry {
		if err := l.followKept(ctx); err != nil {
			return nil, err
		}
		near, err := l.near(ctx, c)
		if CodeOf(err) == Internal && err != nil { // it found itself damaged and holds nothing any more
			if err := l.followKept(ctx); err != nil {
				return nil, err
			}
			near, err = l.near(ctx, c)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, near...)
		if near, err = l.nearSupplied(ctx, c); err != nil {
			return nil, err
		}
		out = append(out, near...)
		if near, err = l.nearTMK(ctx, c); err != nil {
			return nil, err
		}
		out = append(out, near...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// setBlock is how many media are looked up in digest sets at once.
const setBlock = 4096

// inNewSets adds the media that have a digest in the digest sets of the collection. Sets
// hold more than any case, so that the media are looked up in them and not the other way.
func (l *lookback) inNewSets(ctx context.Context, c Collection, out []int64) ([]int64, error) {
	if err := l.ready(ctx, c); err != nil {
		return nil, err
	}
	var block []KeptMedia
	flush := func() error {
		for _, alg := range digestOrder {
			q, seqs := HashQuery{Algorithm: alg, Collections: []CollectionID{c.ID}}, []int64{}
			for i := range block {
				q.Values, seqs = append(q.Values, block[i].Digests.Value(alg)), append(seqs, block[i].Seq)
				for j := range block[i].Embedded {
					q.Values, seqs = append(q.Values, block[i].Embedded[j].Digests.Value(alg)), append(seqs, block[i].Seq)
				}
			}
			res, err := l.inSets(ctx, q)
			if err != nil {
				return err
			}
			for i, records := range res {
				if len(records) > 0 {
					out = append(out, seqs[i])
				}
			}
		}
		block = block[:0]
		return nil
	}
	err := l.Lookbacks.EachKept(ctx, 0, func(m KeptMedia) error {
		m.Hashes = nil
		if block = append(block, m); len(block) == setBlock {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return out, err
}

// followKept brings the index of kept signals up to the store.
func (e *Engine) followKept(ctx context.Context) error {
	through, err := e.Kept.Through(ctx)
	if err != nil {
		return err
	}
	return e.Kept.Add(ctx, func(yield func(KeptValue, error) bool) {
		err := e.Lookbacks.EachKept(ctx, through, func(m KeptMedia) error {
			if !yield(KeptValue{Seq: m.Seq}, nil) {
				return errStop
			}
			for _, f := range m.frames() {
				for _, alg := range f.algorithms() {
					if alg.IsSupplied() { // the index of supplied values holds those
						continue
					}
					if !yield(KeptValue{Seq: m.Seq, Algorithm: alg, Quality: f.quality(alg), Values: f.probes(alg)}, nil) {
						return errStop
					}
				}
			}
			return m.eachFrame(func(quality int, h hashing.PDQ) bool {
				return yield(KeptValue{Seq: m.Seq, Algorithm: hashing.AlgorithmPDQ, Quality: quality, Values: [][]byte{h[:]}}, nil)
			})
		})
		if err != nil && err != error(errStop) {
			yield(KeptValue{}, err)
		}
	})
}

// nearBlock is how many new entries are looked for among the kept signals at once.
const nearBlock = 100_000

// near finds the media that are near a new entry.
func (l *lookback) near(ctx context.Context, c Collection) ([]int64, error) {
	var out []int64
	waiting := map[hashing.Algorithm][][]byte{}
	flush := func(alg hashing.Algorithm) error {
		if len(waiting[alg]) == 0 {
			return nil
		}
		found, err := l.Kept.Near(ctx, KeptQuery{Algorithm: alg, Values: waiting[alg], Radius: l.threshold(c, alg), Quality: c.PDQQuality})
		waiting[alg] = nil
		out = append(out, found...)
		return err
	}
	err := l.eachNew(ctx, c, func(h HashEntry) error {
		switch {
		case h.Algorithm.IsSupplied() || h.Algorithm == hashing.AlgorithmTMK:
			return nil
		case h.Algorithm.IsVPDQ():
			values, err := frameValues(h)
			waiting[hashing.AlgorithmPDQ] = append(waiting[hashing.AlgorithmPDQ], values...)
			if err == nil && len(waiting[hashing.AlgorithmPDQ]) >= nearBlock {
				err = flush(hashing.AlgorithmPDQ)
			}
			return err
		}
		if waiting[h.Algorithm] = append(waiting[h.Algorithm], h.Value); len(waiting[h.Algorithm]) >= nearBlock {
			return flush(h.Algorithm)
		}
		return nil
	})
	for _, alg := range hashing.Algorithms() {
		if err == nil {
			err = flush(alg)
		}
	}
	return out, err
}

// step compares some media again and stores what they give.
func (l *lookback) step(ctx context.Context, seqs []int64) error {
	media, err := l.Lookbacks.Compared(ctx, l.due.ID, seqs...)
	if err != nil {
		return err
	}
	step := LookbackStep{Due: l.due, Seq: seqs[len(seqs)-1]}
	for _, m := range media {
		updates, err := l.compare(ctx, m)
		if err != nil {
			return err
		}
		l.counts.Media++
		if slices.ContainsFunc(updates, func(u LookbackUpdate) bool { return u.Remark != "" }) {
			l.counts.Lacking++
		}
		step.Updates = append(step.Updates, updates...)
	}
	notices, err := l.Lookbacks.SaveLookback(ctx, l.who, step)
	for _, n := range notices {
		switch n.What {
		case NoticeWithdrawn:
			l.counts.Withdrawn++
		case NoticeChanged:
			l.counts.Changed++
		default:
			l.counts.Found++
		}
	}
	return err
}

// compare gives what every case that has a media would find in it today.
func (l *lookback) compare(ctx context.Context, m ComparedMedia) ([]LookbackUpdate, error) {
	type answer struct {
		findings Findings
		remark   string
	}
	known := map[*Plan]answer{} // cases often compare with the same collections
	var out []LookbackUpdate
	for _, c := range m.Cases {
		u := LookbackUpdate{Case: c.Case, Media: m.Media.Digests.SHA256}
		for _, cp := range c.Plans {
			p, err := l.planOf(ctx, cp, c.Case)
			if err != nil {
				return nil, err
			}
			a, ok := known[p]
			if !ok {
				if a.findings, a.remark, err = l.compareKept(ctx, p, m.Media); err != nil {
					return nil, err
				}
				known[p] = a
			}
			if a.findings, err = l.withNames(ctx, p, a.findings, c.Names); err != nil {
				return nil, err
			}
			u.Plans = append(u.Plans, PlanFindings{Names: l.replaced(cp), Findings: a.findings})
			if a.remark != "" {
				u.Remark = a.remark
			}
		}
		out = append(out, u)
	}
	return out, nil
}

// withNames adds the hits in the names of items.
func (l *lookback) withNames(ctx context.Context, p *Plan, f Findings, items []NamedItem) (Findings, error) {
	for _, i := range items {
		hits, err := l.nameHits(ctx, p, i.Selectors)
		if err != nil {
			return f, err
		}
		for k := range hits {
			hits[k].Exhibit, hits[k].Item = i.Exhibit, i.Path
		}
		f.addHits(hits)
	}
	return f, nil
}

// replaced are the names of the collections whose findings give way.
func (l *lookback) replaced(cp ComparedPlan) (names []string) {
	for i, id := range cp.Collections {
		if !l.off[id] {
			names = append(names, cp.Names[i])
		}
	}
	return names
}

// planOf is the plan of those of its collections that are still there, for a case of the
// same country.
func (l *lookback) planOf(ctx context.Context, cp ComparedPlan, c Case) (*Plan, error) {
	p := &Plan{Case: Case{Country: c.Country}}
	var key strings.Builder
	key.WriteString(c.Country + ",")
	for _, id := range cp.Collections {
		if c, ok := l.living[id]; ok {
			p.Collections = append(p.Collections, c)
		}
	}
	slices.SortFunc(p.Collections, func(a, b Collection) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range p.Collections {
		key.WriteString(string(c.ID) + ",")
	}
	if known, ok := l.plans[key.String()]; ok {
		return known, nil
	}
	p.Hashes = []hashing.Algorithm{hashing.AlgorithmPDQ}
	for _, c := range ofKind(p.Collections, Hashes) {
		algorithms, err := l.Entries.Algorithms(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, alg := range algorithms {
			if alg.IsPerceptual() && !slices.Contains(p.Hashes, alg) {
				p.Hashes = append(p.Hashes, alg)
			}
		}
	}
	if err := l.ready(ctx, p.Collections...); err != nil {
		return nil, err
	}
	l.plans[key.String()] = p
	return p, nil
}

// compareKept compares what is kept of a media, as Examine does with one that it need not
// decode. remark says what a scan would have to decode for.
func (e *Engine) compareKept(ctx context.Context, p *Plan, m *Media) (f Findings, remark string, err error) {
	if m.Digests.Size == 0 {
		return f, "", nil // an empty file is not compared
	}
	if err := e.compareDigests(ctx, p, m.Digests, &f); err != nil {
		return f, "", err
	}
	if len(f.KnownGood) > 0 && len(f.Hits) == 0 && stops(f.KnownGood) {
		return f, "", nil
	}
	if !p.satisfied(m) {
		remark = lacks(p, m)
	}
	if m.Analysis != nil {
		if err := e.compareSignals(ctx, p, m.Analysis, &f); err != nil {
			return f, "", err
		}
	}
	f.contradict()
	if m.Analysis != nil {
		err = e.compareSelectors(ctx, p, m.Analysis, &f)
	}
	return f, remark, err
}

// lacks says why what is kept of a media is not all that a plan needs.
func lacks(p *Plan, m *Media) string {
	const again = "; scan the exhibit again to compare what is missing"
	switch {
	case m.Code != "":
		return "it could not be decoded when it was scanned, which may be otherwise today" + again
	case m.Analysis == nil:
		return "its pixels were never looked at, because it was known-good when it was scanned" + again
	case !m.Analysis.IsVideo() && !m.Analysis.IsText() && m.Analysis.Looked < MetadataReader:
		return "pictures embedded in its metadata were not looked at by the version that scanned it" + again
	}
	if m.Analysis.IsText() {
		return "it was not read for selectors by the rules of today" + again
	}
	var missing []string
	for _, alg := range p.Hashes {
		for i := range m.Analysis.Hashes {
			if !slices.Contains(m.Analysis.Hashes[i].algorithms(), alg) {
				missing = append(missing, string(alg))
				break
			}
		}
	}
	for _, alg := range p.Videos {
		if m.Analysis.IsVideo() && m.Analysis.lacks(alg) {
			missing = append(missing, string(alg))
		}
	}
	return "no " + strings.Join(missing, ", ") + " was made of it" + again
}
