package semblance

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"time"

	"semblance/hashing"
)

// A VideoNear says how near a video is to a video in a collection: shares of frames, and
// which seconds are which. The item is the probe, the entry the reference. Shares are of
// frames that were compared, and are no measure of identity.
type VideoNear struct {
	ProbeFrames      int                    `json:"probe_frames"`           // compared
	ProbeLow         int                    `json:"probe_low"`              // left out: of less quality than the collection asks for
	ProbeNear        int                    `json:"probe_near"`             // near a frame of the reference
	ProbePercent     float64                `json:"probe_near_percent"`     // of the probe's frames, near one of the reference
	ReferenceFrames  int                    `json:"reference_frames"`       // compared
	ReferenceLow     int                    `json:"reference_low"`          // left out
	ReferenceNear    int                    `json:"reference_near"`         // near a frame of the probe
	ReferencePercent float64                `json:"reference_near_percent"` // of the reference's frames, near one of the probe
	Segments         []NearSegment          `json:"segments,omitempty"`     // longest first
	MoreSegments     int                    `json:"more_segments,omitempty"`
	TMK              *hashing.TMKComparison `json:"tmk,omitempty"` // where both have one and it is near at both levels
}

// A NearSegment says which seconds of the probe are which seconds of the reference.
type NearSegment struct {
	ProbeFrom     float64 `json:"probe_from"` // seconds from the first frame on
	ProbeTo       float64 `json:"probe_to"`
	ReferenceFrom float64 `json:"reference_from"`
	ReferenceTo   float64 `json:"reference_to"`
	Frames        int     `json:"frames"`              // near along the segment
	Distance      float64 `json:"mean_distance"`       // bits
	Speed         float64 `json:"speed"`               // seconds of the reference in one of the probe
	Static        bool    `json:"uncertain,omitempty"` // the picture hardly changes: which second is which is not certain
}

// TMK is near from these levels on, those of the reference's tools.
const (
	tmkLevel1 = 0.7
	tmkLevel2 = 0.7
)

// nearVideo compares a video with the entries of pictures and of videos.
func (e *Engine) nearVideo(ctx context.Context, cols []Collection, a *Analysis) ([]NearMatch, error) {
	v := videoProbe{e: e, cols: cols, a: a, byID: collectionsByID(cols), labels: e.labeler()}
	out, err := v.tmks(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range a.tracks() {
		if v.frames, err = hashing.ParseVPDQBinary(s.Value); err != nil {
			return nil, Errorf(Internal, "the vPDQ of a media is damaged: %v", err)
		}
		switch shown := hashing.Clockwise(a.Video.Rotation); s.Algorithm {
		case hashing.AlgorithmVPDQUpright:
			v.turn = shown
		case hashing.AlgorithmVPDQMirrored:
			v.turn = hashing.Mirrored(shown)
		default:
			v.turn = hashing.Original
		}
		for _, step := range []func(context.Context) ([]NearMatch, error){v.pictures, v.videos} {
			near, err := step(ctx)
			if err != nil {
				return nil, err
			}
			out = append(out, near...)
		}
	}
	return out, nil
}

// tracks are the signals of a video's frames that it is compared by: one as it is stored,
// that of a frame a second before that of keyframes, one as it is shown, and one mirrored.
// Entries need no mirrored one: what is near a mirrored one is one whose mirrored one is near.
func (a *Analysis) tracks() (list []*VideoSignal) {
	stored := cmp.Or(a.Signal(hashing.AlgorithmVPDQ), a.Signal(hashing.AlgorithmVPDQKeyframes))
	for _, s := range []*VideoSignal{stored, a.Signal(hashing.AlgorithmVPDQUpright), a.Signal(hashing.AlgorithmVPDQMirrored)} {
		if s != nil {
			list = append(list, s)
		}
	}
	return list
}

// near is how many frames of the probe are near, 0 of nothing.
func (v *VideoNear) near() int {
	if v == nil {
		return 0
	}
	return v.ProbeNear
}

// A videoProbe is a video that is compared.
type videoProbe struct {
	e      *Engine
	cols   []Collection
	byID   map[CollectionID]Collection
	a      *Analysis
	frames hashing.VPDQ
	turn   hashing.Transform // of the frames
	labels *labeler
}

// search looks every frame up, each hash once. found gets what is near, with the first
// frame that has the hash.
func (v *videoProbe) search(ctx context.Context, alg hashing.Algorithm, found func(hashing.VPDQFrame, HashNeighbor) error) error {
	q := HashQuery{Algorithm: alg, Collections: idsOf(v.cols)}
	least := 100
	for _, c := range v.cols {
		q.Radius, least = max(q.Radius, c.PDQDistance), min(least, c.PDQQuality)
	}
	var asked []hashing.VPDQFrame
	seen := map[hashing.PDQ]bool{}
	for _, f := range v.frames {
		if f.Quality >= least && !seen[f.Hash] && !hashing.IsTrivial(hashing.AlgorithmPDQ, f.Hash[:]) {
			seen[f.Hash] = true
			asked, q.Values = append(asked, f), append(q.Values, slices.Clone(f.Hash[:]))
		}
	}
	if len(q.Values) == 0 {
		return nil
	}
	res, err := v.e.within(ctx, v.cols, q)
	if err != nil {
		return err
	}
	for i, neighbors := range res {
		for _, n := range neighbors {
			c := v.byID[n.Collection]
			if n.Distance > c.PDQDistance || asked[i].Quality < c.PDQQuality {
				continue
			}
			if err := found(asked[i], n); err != nil {
				return err
			}
		}
	}
	return nil
}

// pictures finds entries of pictures that a frame is near, each with its nearest frame.
// Frames are compared as they are, neither turned nor mirrored.
func (v *videoProbe) pictures(ctx context.Context) ([]NearMatch, error) {
	type nearest struct {
		HashNeighbor
		frame  hashing.VPDQFrame
		frames int
	}
	best := map[EntryID]*nearest{}
	err := v.search(ctx, hashing.AlgorithmPDQ, func(f hashing.VPDQFrame, n HashNeighbor) error {
		b := best[n.Entry]
		if b == nil {
			b = &nearest{n, f, 0}
			best[n.Entry] = b
		}
		b.frames++
		if n.Distance < b.Distance {
			b.HashNeighbor, b.frame = n, f
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []NearMatch
	for _, id := range sortedIDs(best) {
		b := best[id]
		en, there, err := v.e.entry(ctx, id)
		if err != nil {
			return nil, err
		}
		c := v.byID[b.Collection]
		if !there || en.Quality >= 0 && en.Quality < c.PDQQuality {
			continue
		}
		n, err := v.near(ctx, c, en, hashing.AlgorithmPDQ, b.Distance)
		if err != nil {
			return nil, err
		}
		n.Frame, n.Frames, n.Second = b.frame.Frame, b.frames, secondOf(b.frame.Time)
		n.Value, n.EntryValue, n.Quality = b.frame.Hash.String(), hex.EncodeToString(en.Value), b.frame.Quality
		out = append(out, n)
	}
	return out, nil
}

// videos finds entries of videos that share frames, and says which seconds are which.
func (v *videoProbe) videos(ctx context.Context) ([]NearMatch, error) {
	if v.e.Videos == nil {
		return nil, nil
	}
	found := map[EntryID]CollectionID{}
	err := v.search(ctx, hashing.AlgorithmVPDQ, func(_ hashing.VPDQFrame, n HashNeighbor) error {
		found[n.Entry] = n.Collection
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []NearMatch
	for _, id := range sortedIDs(found) {
		en, there, err := v.e.entry(ctx, id)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		if n, ok, err := v.video(ctx, v.byID[found[id]], en); err != nil {
			return nil, err
		} else if ok {
			out = append(out, n)
		}
	}
	return out, nil
}

// video compares with one entry. It may be that no frame is near after all: those of the
// entry that are, may have too little quality.
func (v *videoProbe) video(ctx context.Context, c Collection, en HashEntry) (NearMatch, bool, error) {
	reference, err := hashing.ParseVPDQBinary(en.Value)
	if err != nil {
		return NearMatch{}, false, Errorf(Internal, "the stored vPDQ of entry %d is damaged: %v", en.ID, err)
	}
	r := hashing.CompareVPDQ(v.frames, reference, hashing.VPDQOptions{Distance: c.PDQDistance, MinQuality: c.PDQQuality})
	if r.ProbeNear == 0 {
		return NearMatch{}, false, nil
	}
	n, err := v.near(ctx, c, en, en.Algorithm, r.Nearest)
	if err != nil {
		return NearMatch{}, false, err
	}
	n.Quality, n.EntryQuality = -1, -1
	n.Video = &VideoNear{ProbeFrames: r.ProbeFrames, ProbeLow: r.ProbeLow, ProbeNear: r.ProbeNear, ProbePercent: tenth(r.ProbePercent()),
		ReferenceFrames: r.ReferenceFrames, ReferenceLow: r.ReferenceLow, ReferenceNear: r.ReferenceNear, ReferencePercent: tenth(r.ReferencePercent()),
		MoreSegments: r.Left}
	for _, s := range r.Segments {
		n.Video.Segments = append(n.Video.Segments, NearSegment{ProbeFrom: s.ProbeFrom.Seconds(), ProbeTo: s.ProbeTo.Seconds(),
			ReferenceFrom: s.ReferenceFrom.Seconds(), ReferenceTo: s.ReferenceTo.Seconds(), Frames: s.Frames,
			Distance: tenth(s.Distance), Speed: math.Round(1e4*s.Speed) / 1e4, Static: s.Static})
	}
	if len(r.Segments) > 0 {
		n.Second, n.EntrySecond = secondOf(r.Segments[0].ProbeFrom), secondOf(r.Segments[0].ReferenceFrom)
	}
	return n, true, nil
}

// tmks finds entries of TMK that are near at both levels.
func (v *videoProbe) tmks(ctx context.Context) ([]NearMatch, error) {
	s := v.a.Signal(hashing.AlgorithmTMK)
	if s == nil || v.e.Videos == nil {
		return nil, nil
	}
	probe, err := hashing.ParseTMK(s.Value)
	if err != nil {
		return nil, Errorf(Internal, "the TMK+PDQF of a media is damaged: %v", err)
	}
	mean := probe.Mean()
	var out []NearMatch
	for _, c := range v.cols {
		ids, err := v.e.nearMeans(ctx, c, &mean)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			en, there, err := v.e.entry(ctx, id)
			if err != nil {
				return nil, err
			}
			if !there {
				continue
			}
			reference, err := hashing.ParseTMK(en.Value)
			if err != nil {
				return nil, Errorf(Internal, "the stored TMK+PDQF of entry %d is damaged: %v", id, err)
			}
			r := probe.Compare(reference)
			if r.Level2 < tmkLevel2 {
				continue
			}
			n, err := v.near(ctx, c, en, hashing.AlgorithmTMK, thousandths(r.Level2))
			if err != nil {
				return nil, err
			}
			n.Threshold, n.Metric, n.Quality, n.EntryQuality = thousandths(tmkLevel2), "thousandths", -1, -1
			r.Level1, r.Level2 = math.Round(1e4*r.Level1)/1e4, math.Round(1e4*r.Level2)/1e4
			n.Video = &VideoNear{TMK: &r}
			out = append(out, n)
		}
	}
	return out, nil
}

// nearMeans finds the TMK entries of a collection that are near by their mean frames. As in
// within, an index that finds itself damaged is made again.
func (e *Engine) nearMeans(ctx context.Context, c Collection, mean *hashing.TMKMean) ([]EntryID, error) {
	ids, err := e.Videos.NearMeans(ctx, c.ID, mean, tmkLevel1)
	if err == nil || CodeOf(err) != Internal {
		return ids, err
	}
	if again := e.ready(ctx, c); again != nil {
		return nil, errors.Join(err, again)
	}
	return e.Videos.NearMeans(ctx, c.ID, mean, tmkLevel1)
}

// thousandths turns a level into a distance, named by its unit: lower is closer.
func thousandths(level float64) int { return max(0, int(math.Round(1000*(1-level)))) }

// near fills in what every near match of the video says.
func (v *videoProbe) near(ctx context.Context, c Collection, en HashEntry, alg hashing.Algorithm, distance int) (NearMatch, error) {
	category, err := v.labels.label(ctx, c, en.Category)
	return NearMatch{Category: category, Collection: c.Name, Owner: c.Owner, Entry: en.ID, Algorithm: alg, Distance: distance, Threshold: v.e.threshold(c, alg),
		Transform: v.turn.String(), EntryQuality: en.Quality, Note: en.Note, Source: en.Source, Record: en.Record,
		Decoder: v.a.Decoder, EntryDecoder: en.Decoder}, err
}

// nearFrames finds entries of videos of which a frame is near a picture, in all eight
// transforms.
func (e *Engine) nearFrames(ctx context.Context, cols []Collection, a *Analysis, f *FrameHashes) ([]NearMatch, error) {
	if e.Videos == nil || f.PDQ == nil {
		return nil, nil
	}
	q := HashQuery{Algorithm: hashing.AlgorithmVPDQ, Collections: idsOf(cols), Values: f.probes(hashing.AlgorithmPDQ)}
	v := videoProbe{e: e, a: a, labels: e.labeler()}
	byID := collectionsByID(cols)
	for _, c := range cols {
		q.Radius = max(q.Radius, c.PDQDistance)
	}
	res, err := e.within(ctx, cols, q)
	if err != nil {
		return nil, err
	}
	var out []NearMatch
	for t, neighbors := range res {
		for _, x := range neighbors {
			c := byID[x.Collection]
			if x.Distance > c.PDQDistance || f.PDQ.Quality < c.PDQQuality {
				continue
			}
			en, there, err := e.entry(ctx, x.Entry)
			if err != nil {
				return nil, err
			}
			if !there {
				continue
			}
			best, frames, err := nearestFrame(en, hashing.PDQ(q.Values[t]), c)
			if err != nil {
				return nil, err
			}
			if frames == 0 {
				continue
			}
			n, err := v.near(ctx, c, en, en.Algorithm, best.Hash.Distance(hashing.PDQ(q.Values[t])))
			if err != nil {
				return nil, err
			}
			n.Frame, n.Frames, n.EntrySecond, n.Transform = f.Frame, frames, secondOf(best.Time), hashing.Transform(t).String()
			n.Value, n.EntryValue, n.Quality, n.EntryQuality = hex.EncodeToString(q.Values[t]), best.Hash.String(), f.PDQ.Quality, best.Quality
			out = append(out, n)
		}
	}
	return out, nil
}

// nearestFrame finds the frame of a video entry that is nearest to a hash, and counts
// those that are near.
func nearestFrame(en HashEntry, h hashing.PDQ, c Collection) (best hashing.VPDQFrame, frames int, err error) {
	list, err := hashing.ParseVPDQBinary(en.Value)
	if err != nil {
		return best, 0, Errorf(Internal, "the stored vPDQ of entry %d is damaged: %v", en.ID, err)
	}
	for _, f := range list {
		d := f.Hash.Distance(h)
		if d > c.PDQDistance || f.Quality < c.PDQQuality {
			continue
		}
		if frames++; frames == 1 || d < best.Hash.Distance(h) {
			best = f
		}
	}
	return best, frames, nil
}

func secondOf(t time.Duration) *float64 {
	s := math.Round(t.Seconds()*1000) / 1000
	return &s
}

func tenth(v float64) float64 { return math.Round(10*v) / 10 }

func sortedIDs[T any](m map[EntryID]T) []EntryID {
	ids := make([]EntryID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b EntryID) int { return cmp.Compare(a, b) })
	return ids
}

// lookupFrames looks hashes of pictures up among the frames of videos.
func (e *Engine) lookupFrames(ctx context.Context, cols []Collection, q HashQuery, which []int, batch []lookupLine) error {
	q.Algorithm = hashing.AlgorithmVPDQ
	res, err := e.within(ctx, cols, q)
	if err != nil {
		return err
	}
	labels, byID := e.labeler(), collectionsByID(cols)
	for k, neighbors := range res {
		l := &batch[which[k]]
		seen := map[EntryID]bool{}
		for _, n := range neighbors {
			c := byID[n.Collection]
			if seen[n.Entry] || n.Distance > c.PDQDistance {
				continue
			}
			seen[n.Entry] = true
			a, ok, err := e.frameAnswer(ctx, labels, c, n.Entry, l)
			if err != nil {
				return err
			}
			if ok {
				l.answers = append(l.answers, a)
			}
		}
	}
	return nil
}

// frameAnswer is the answer that names the frame of a video entry nearest to a line's
// hash; there is none when all that are near have too little quality.
func (e *Engine) frameAnswer(ctx context.Context, labels *labeler, c Collection, id EntryID, l *lookupLine) (a LookupResult, ok bool, err error) {
	en, there, err := e.entry(ctx, id)
	if err != nil || !there {
		return a, false, err
	}
	hash := hashing.PDQ(l.value)
	f, frames, err := nearestFrame(en, hash, c)
	if err != nil || frames == 0 {
		return a, false, err
	}
	distance, limit := f.Hash.Distance(hash), c.PDQDistance
	a = l.LookupResult
	a.Kind, a.Collection, a.Owner, a.Algorithm, a.Metric, a.Distance, a.Threshold = "near match", c.Name, c.Owner, en.Algorithm, hashing.Hamming, &distance, &limit
	a.Entry, a.EntryValue, a.Note, a.Source, a.Record = en.ID, f.Hash.String(), en.Note, en.Source, en.Record
	a.Second, a.Frames = secondOf(f.Time), frames
	a.Category, err = labels.label(ctx, c, en.Category)
	return a, true, err
}

func collectionsByID(cols []Collection) map[CollectionID]Collection {
	byID := map[CollectionID]Collection{}
	for _, c := range cols {
		byID[c.ID] = c
	}
	return byID
}

// turnedValues are the hashes a picture is searched with, by transform.
func turnedValues(p *hashing.PDQResult) [][]byte {
	var out [][]byte
	for t, h := range p.Turned {
		if t == int(hashing.Original) {
			h = p.Hash
		}
		out = append(out, slices.Clone(h[:]))
	}
	return out
}
