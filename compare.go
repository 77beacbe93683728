package semblance

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"semblance/hashing"
)

// digestOrder is from weak to strong.
var digestOrder = [...]hashing.Algorithm{hashing.AlgorithmMD5, hashing.AlgorithmSHA1, hashing.AlgorithmSHA256}

// compareDigests looks the digests up in every hashes and known-good collection
// and adds one hit per collection, resting on the strongest digest that agrees.
func (e *Engine) compareDigests(ctx context.Context, p *Plan, d hashing.Digests, out *Findings) error {
	return e.eachHit(ctx, ofKind(p.Collections, Hashes, KnownGood), d, func(c Collection, h Hit) {
		if c.Kind == KnownGood {
			out.KnownGood = append(out.KnownGood, h)
		} else {
			out.Hits = append(out.Hits, h)
		}
	})
}

// compareEmbedded looks the digests of embedded pictures up in the hashes collections in
// which the file itself has no hit: a hit that rests on one says so. That a thumbnail is
// known-good says nothing of the file.
func (e *Engine) compareEmbedded(ctx context.Context, p *Plan, a *Analysis, out *Findings) error {
	for i := range a.Embedded {
		err := e.eachHit(ctx, ofKind(p.Collections, Hashes), a.Embedded[i].Digests, func(c Collection, h Hit) {
			if !slices.ContainsFunc(out.Hits, func(o Hit) bool { return o.Collection == c.Name }) {
				h.Embedded = a.Embedded[i].Kind
				out.Hits = append(out.Hits, h)
			}
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(out.Hits, func(a, b Hit) int { return strings.Compare(a.Collection, b.Collection) })
	return nil
}

// eachHit looks digests up and calls do once for each collection that has one.
func (e *Engine) eachHit(ctx context.Context, cols []Collection, d hashing.Digests, do func(Collection, Hit)) error {
	if len(cols) == 0 {
		return nil
	}
	found, labels := map[CollectionID][]HashEntry{}, e.labeler()
	for _, alg := range digestOrder {
		value := d.Value(alg)
		if hashing.IsTrivial(alg, value) {
			continue
		}
		res, err := e.within(ctx, cols, HashQuery{Algorithm: alg, Collections: idsOf(cols), Values: [][]byte{value}})
		if err != nil {
			return err
		}
		for _, n := range res[0] {
			entry, there, err := e.entry(ctx, n.Entry)
			if err != nil {
				return err
			}
			if there {
				found[n.Collection] = append(found[n.Collection], entry)
			}
		}
		if err := e.setEntries(ctx, cols, alg, value, found); err != nil {
			return err
		}
	}
	for _, c := range cols {
		entries := sameSize(found[c.ID], d.Size)
		if len(entries) == 0 {
			continue
		}
		h := hitOf(c, entries)
		var err error
		if h.Category, err = labels.label(ctx, c, entries[len(entries)-1].Category); err != nil {
			return err
		}
		do(c, h)
	}
	return nil
}

// sameSize drops entries whose size is known to be another: with the same digest
// that is a damaged list or an attack on the digest, never a hit.
func sameSize(entries []HashEntry, size int64) []HashEntry {
	return slices.DeleteFunc(entries, func(h HashEntry) bool { return h.Size > 0 && h.Size != size })
}

// hitOf makes one hit of the entries of a collection, weakest algorithm first.
func hitOf(c Collection, entries []HashEntry) Hit {
	best := entries[len(entries)-1]
	h := Hit{Collection: c.Name, Owner: c.Owner, Entry: best.ID, Algorithm: best.Algorithm, Value: hex.EncodeToString(best.Value),
		Note: best.Note, Source: best.Source, Record: best.Record, Set: best.set}
	for _, x := range entries {
		h.Agree = append(h.Agree, x.Algorithm)
	}
	h.Weak = best.Algorithm == hashing.AlgorithmMD5
	if c.Kind == KnownGood && best.Algorithm == hashing.AlgorithmSHA1 && best.Size == 0 {
		h.Weak = true // SHA-1 stops an examination only together with the size
	}
	return h
}

// compareSignals compares perceptual hashes, embedded pictures and faces.
func (e *Engine) compareSignals(ctx context.Context, p *Plan, a *Analysis, out *Findings) error {
	if err := e.compareEmbedded(ctx, p, a, out); err != nil {
		return err
	}
	near, err := e.nearMatches(ctx, p, a, out.Hits)
	if err != nil {
		return err
	}
	out.NearMatches = near
	if a.IsText() || a.IsSound() {
		return nil // faces are not looked for in texts and sound
	}
	for _, spec := range p.Engines {
		set, ran := a.Faces(spec.Name)
		if !ran && a.IsVideo() && slices.Contains(p.pictures, spec.Name) {
			continue // and the analysis says so
		}
		if !ran {
			return Errorf(Internal, "engine %s did not run although the plan has it", spec.Name)
		}
		var cols []Collection
		for _, c := range ofKind(p.Collections, Faces) {
			if c.Engine == spec.Name {
				cols = append(cols, c)
			}
		}
		cands, err := e.candidates(ctx, faceQuery{spec: spec, cols: cols, top: p.Top}, set.Faces)
		if err != nil {
			return err
		}
		e.giveBands(ctx, cols, cands, false)
		out.Candidates = append(out.Candidates, cands...)
	}
	return nil
}

// nearMatches finds the entries that the frames are near, one near match for
// each source record, under the best transform. What is a hit already in the
// same collection is not said twice.
func (e *Engine) nearMatches(ctx context.Context, p *Plan, a *Analysis, hits []Hit) ([]NearMatch, error) {
	cols := ofKind(p.Collections, Hashes)
	if len(cols) == 0 {
		return nil, nil
	}
	var all []NearMatch
	if a.IsVideo() {
		var err error
		if all, err = e.nearVideo(ctx, cols, a); err != nil {
			return nil, err
		}
	}
	for i := range a.Hashes {
		frames, err := e.nearFrames(ctx, cols, a, &a.Hashes[i])
		if err != nil {
			return nil, err
		}
		all = append(all, frames...)
		for _, alg := range a.Hashes[i].algorithms() {
			got, err := e.nearFrame(ctx, cols, a, &a.Hashes[i], alg)
			if err != nil {
				return nil, err
			}
			all = append(all, got...)
		}
	}
	for i := range a.Embedded {
		got, err := e.nearEmbedded(ctx, cols, a, &a.Embedded[i])
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return mergeNear(all, hits), nil
}

// nearEmbedded compares the hashes of an embedded picture.
func (e *Engine) nearEmbedded(ctx context.Context, cols []Collection, a *Analysis, x *EmbeddedPicture) (all []NearMatch, err error) {
	for i := range x.Hashes {
		for _, alg := range x.Hashes[i].algorithms() {
			got, err := e.nearFrame(ctx, cols, a, &x.Hashes[i], alg)
			if err != nil {
				return nil, err
			}
			for j := range got {
				got[j].Embedded = x.Kind
			}
			all = append(all, got...)
		}
	}
	return all, nil
}

// nearFrame compares one frame's hash of one algorithm. PDQ is compared in all
// eight transforms, from the hashes of the frame's turned pixels (the reference's
// own dihedral hashes lie up to 40 bits off, docs/hashing.md); the 64-bit hashes
// as they are.
func (e *Engine) nearFrame(ctx context.Context, cols []Collection, a *Analysis, f *FrameHashes, alg hashing.Algorithm) ([]NearMatch, error) {
	q := HashQuery{Algorithm: alg, Collections: idsOf(cols), Values: f.probes(alg)}
	quality, givers := f.quality(alg), f.givers(alg)
	for _, c := range cols {
		q.Radius = max(q.Radius, e.threshold(c, alg))
	}
	res, err := e.within(ctx, cols, q)
	if err != nil {
		return nil, err
	}
	byID, labels := map[CollectionID]Collection{}, e.labeler()
	for _, c := range cols {
		byID[c.ID] = c
	}
	var out []NearMatch
	for t, neighbors := range res {
		for _, n := range neighbors {
			c := byID[n.Collection]
			if n.Distance > e.threshold(c, alg) || quality < c.PDQQuality {
				continue
			}
			en, there, err := e.entry(ctx, n.Entry)
			if err != nil {
				return nil, err
			}
			if there && (en.Quality < 0 || en.Quality >= c.PDQQuality) {
				category, err := labels.label(ctx, c, en.Category)
				if err != nil {
					return nil, err
				}
				m := NearMatch{Collection: c.Name, Owner: c.Owner, Entry: n.Entry, Algorithm: alg, Frame: f.Frame,
					Value: alg.Text(q.Values[t]), EntryValue: alg.Text(en.Value), Distance: n.Distance, Threshold: e.threshold(c, alg),
					Transform: hashing.Transform(t).String(), Quality: quality, EntryQuality: en.Quality,
					Category: category, Note: en.Note, Source: en.Source, Record: en.Record, Decoder: a.Decoder, EntryDecoder: en.Decoder}
				if givers != nil {
					m.Transform, m.Quality = hashing.Original.String(), -1
					m.Metric, m.Provider, m.ProviderVersion = alg.Metric(), givers[t].Provider, givers[t].Version
				}
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// mergeNear keeps the nearest of each record, of what the file shows before what is
// embedded in it, PDQ before the 64-bit hashes, notes which other algorithms agree, and
// drops records that are hits. A hit of an embedded picture says nothing of what the file
// shows, and leaves its near matches.
func mergeNear(all []NearMatch, hits []Hit) []NearMatch {
	slices.SortStableFunc(all, func(a, b NearMatch) int {
		return cmp.Or(strings.Compare(a.Collection, b.Collection), strings.Compare(a.recordKey(), b.recordKey()), strings.Compare(string(a.Embedded), string(b.Embedded)),
			cmp.Compare(telling(a.Algorithm), telling(b.Algorithm)), cmp.Compare(b.Video.near(), a.Video.near()), strings.Compare(byFrames(a.Algorithm), byFrames(b.Algorithm)),
			cmp.Compare(a.Distance, b.Distance), cmp.Compare(turns(a.Transform), turns(b.Transform)), strings.Compare(string(a.Algorithm), string(b.Algorithm)), cmp.Compare(a.Frame, b.Frame), cmp.Compare(a.Entry, b.Entry))
	})
	var out []NearMatch
	for _, n := range all {
		if slices.ContainsFunc(hits, func(h Hit) bool {
			return h.Collection == n.Collection && h.Source == n.Source && h.Record == n.Record && h.Source != "" && (h.Embedded == "" || n.Embedded != "")
		}) {
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].Collection == n.Collection && out[k].recordKey() == n.recordKey() {
			if v := out[k].Video; v != nil && n.Video != nil && n.Video.TMK != nil {
				v.TMK = n.Video.TMK
			}
			if n.Algorithm != out[k].Algorithm && !slices.Contains(out[k].Agree, n.Algorithm) {
				out[k].Agree = append(out[k].Agree, n.Algorithm)
			}
			continue
		}
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b NearMatch) int {
		return cmp.Or(strings.Compare(a.Collection, b.Collection), cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Entry, b.Entry))
	})
	return out
}

// byFrames is an algorithm, of all vPDQs the same: their distances are comparable.
func byFrames(a hashing.Algorithm) string {
	if a.IsVPDQ() {
		return "vpdq"
	}
	return string(a)
}

// turns is 0 of what is near as it is.
func turns(transform string) int {
	if transform == hashing.Original.String() {
		return 0
	}
	return 1
}

// recordKey names the source record an entry came from, or the entry itself.
func (n *NearMatch) recordKey() string {
	if n.Source == "" && n.Record == "" {
		return fmt.Sprintf("entry\x00%d", n.Entry)
	}
	return n.Source + "\x00" + n.Record
}

// telling orders algorithms by how much a near match by them says: which seconds are
// which before a picture, PDQ before the 64-bit hashes, and a whole video last.
func telling(a hashing.Algorithm) int {
	switch a {
	case hashing.AlgorithmVPDQ, hashing.AlgorithmVPDQUpright, hashing.AlgorithmVPDQMirrored:
		return 0
	case hashing.AlgorithmVPDQKeyframes:
		return 1
	case hashing.AlgorithmPDQ:
		return 2
	case hashing.AlgorithmTMK:
		return 4
	}
	return 3
}

// contradict adds a contradiction for every known-good collection and other
// collection that both have the media.
func (f *Findings) contradict() {
	seen := map[string]bool{}
	for _, good := range f.KnownGood {
		add := func(other, because string) {
			if key := good.Collection + "\x00" + other; !seen[key] {
				seen[key] = true
				f.Contradictions = append(f.Contradictions, Contradiction{KnownGood: good.Collection, Entry: good.Entry, Other: other, Because: because,
					Message: fmt.Sprintf("known-good in %q, but a %s in %q: one of the two lists is wrong; a person has to decide, and until then the %s stands", good.Collection, because, other, because)})
			}
		}
		for _, h := range f.Hits {
			add(h.Collection, "hit")
		}
		for _, n := range f.NearMatches {
			add(n.Collection, "near match")
		}
	}
	f.contradictCategories()
}

// contradictCategories adds one for every two collections of which one's entry of this
// content is in a non-pertinent category and the other's in a pertinent one. Only digests
// say that it is the same content.
func (f *Findings) contradictCategories() {
	for _, harmless := range f.Hits {
		if harmless.Embedded != "" || harmless.Category == nil || harmless.Category.Concern != NonPertinent {
			continue
		}
		for _, grave := range f.Hits {
			if grave.Embedded == "" && grave.Category != nil && grave.Category.Concern == Pertinent {
				f.Contradictions = append(f.Contradictions, Contradiction{KnownGood: harmless.Collection, Entry: harmless.Entry, Other: grave.Collection, Because: "category",
					Message: fmt.Sprintf("%s in %q, but %s in %q: one of the two agencies is wrong or they mean different things; a person has to decide, and until then the graver stands", harmless.Category, harmless.Collection, grave.Category, grave.Collection)})
			}
		}
	}
}
