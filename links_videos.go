package semblance

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"semblance/hashing"
)

// DefaultOverlap is how many seconds two videos have in common at least to be linked, unless
// it is said otherwise or it is half of the shorter one. A clip of moving footage has no more:
// docs/links.md says why.
const DefaultOverlap = 2.0

const (
	overlapSlack  = 0.1 // seconds: samples do not lie where a stretch begins
	overlapFrames = 3   // that are near at least, or all of a video that has fewer
	leastFrames   = 2   // that can be compared: one is a picture and no stretch
	overlapShort  = 1.0 // seconds: what is shorter is little more than one picture, and held to the distance of pictures
)

// A LinkOverlap says what two videos have in common, the first of which is the shorter. It
// is what their samples show: it can be more, and is no measure of identity.
type LinkOverlap struct {
	Seconds       float64       `json:"seconds"`             // of the first
	FirstPercent  float64       `json:"first_percent"`       // of the time from the first one's first frame that can be compared to its last
	SecondPercent float64       `json:"second_percent"`      // of that of the second
	Frames        int           `json:"frames"`              // of the first, near the frame of the second that belongs there
	Distance      float64       `json:"mean_distance"`       // of these, bits
	Mirrored      bool          `json:"mirrored,omitempty"`  // left and right of one are exchanged in the other
	Uncertain     bool          `json:"uncertain,omitempty"` // the picture hardly changes in any of the stretches: which second is which is not certain
	Segments      []LinkSegment `json:"segments"`            // the longest first, at most 8
	MoreSegments  int           `json:"more_segments,omitempty"`
}

// A LinkSegment says which seconds of one video are which of another.
type LinkSegment struct {
	FirstFrom  float64 `json:"first_from"` // seconds from the first frame on
	FirstTo    float64 `json:"first_to"`
	SecondFrom float64 `json:"second_from"`
	SecondTo   float64 `json:"second_to"`
	Frames     int     `json:"frames"`
	Speed      float64 `json:"speed"` // seconds of the second in one of the first
	Static     bool    `json:"uncertain,omitempty"`
}

const linkSegments = 8

// String says how much of which is in common, and the longest stretch, for a person.
func (o *LinkOverlap) String() string {
	at := SecondsInWords
	text := fmt.Sprintf("%s in common, %v%% of the first and %v%% of the second", at(o.Seconds), o.FirstPercent, o.SecondPercent)
	s := o.Segments[0]
	text += fmt.Sprintf("; %s to %s is %s to %s", at(s.FirstFrom), at(s.FirstTo), at(s.SecondFrom), at(s.SecondTo))
	if n := len(o.Segments) - 1 + o.MoreSegments; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if o.Mirrored {
		text += "; mirrored"
	}
	if o.Uncertain {
		text += "; which second is which is uncertain"
	}
	return text
}

// compareOverlaps puts first what is more of the shorter video, then what is longer.
func compareOverlaps(a, b *LinkOverlap) int {
	if a == nil || b == nil {
		return 0
	}
	return cmp.Or(cmp.Compare(b.FirstPercent, a.FirstPercent), cmp.Compare(b.Seconds, a.Seconds))
}

// linkFilm is a video that is compared with others, as it is stored, as it is shown, or mirrored.
type linkFilm struct {
	LinkTrack
	span   time.Duration // from the first frame that is compared to the last
	usable int           // frames that are compared
	order  int           // of its media among all, the shorter first
	on     []string      // keys of the exhibits that have it
}

// turned reports whether it is a video that is there as it is stored, too.
func (f *linkFilm) turned() bool {
	return f.Algorithm == hashing.AlgorithmVPDQUpright || f.mirrored()
}

// mirrored reports whether it is only looked for: of two videos that are mirror images, the
// one is near the other one mirrored.
func (f *linkFilm) mirrored() bool { return f.Algorithm == hashing.AlgorithmVPDQMirrored }

// needed is how many frames have to be near of a video that has so many.
func needed(usable int) int { return max(leastFrames, min(overlapFrames, usable)) }

// compareFilms says what two videos have in common, of which the frames that can be compared
// are given, the shorter one's first; nil when it is too little to link them. least is in seconds.
func compareFilms(first, second hashing.VPDQ, least float64) *LinkOverlap {
	r := hashing.CompareVPDQ(first, second, hashing.DefaultVPDQOptions())
	o := LinkOverlap{Uncertain: true}
	var moving int
	var all, sure, other stretches
	for _, s := range r.Segments {
		o.Frames += s.Frames
		o.Distance += float64(s.Frames) * s.Distance
		all, other = append(all, [2]time.Duration{s.ProbeFrom, s.ProbeTo}), append(other, [2]time.Duration{s.ReferenceFrom, s.ReferenceTo})
		if !s.Static {
			sure, moving, o.Uncertain = append(sure, [2]time.Duration{s.ProbeFrom, s.ProbeTo}), moving+s.Frames, false
		}
		if len(o.Segments) < linkSegments {
			o.Segments = append(o.Segments, LinkSegment{FirstFrom: s.ProbeFrom.Seconds(), FirstTo: s.ProbeTo.Seconds(), SecondFrom: s.ReferenceFrom.Seconds(), SecondTo: s.ReferenceTo.Seconds(),
				Frames: s.Frames, Speed: math.Round(1e4*s.Speed) / 1e4, Static: s.Static})
		}
	}
	needs, span := needed(len(first)), filmSpan(first)
	if r.ProbeNear < needs || len(r.Segments) == 0 {
		return nil
	}
	o.Seconds, o.Distance = all.length().Seconds(), o.Distance/float64(o.Frames)
	half := 2*all.length() >= span && o.Frames >= needs
	long := sure.length().Seconds() >= least-overlapSlack && moving >= needs
	if !half && !long || o.Seconds < overlapShort && o.Distance > DefaultStackDistance {
		return nil
	}
	o.MoreSegments, o.Distance = len(r.Segments)-len(o.Segments)+r.Left, tenth(o.Distance)
	o.FirstPercent, o.SecondPercent = share(all.length(), span), share(other.length(), filmSpan(second))
	return &o
}

func filmSpan(v hashing.VPDQ) time.Duration {
	if len(v) == 0 {
		return 0
	}
	return v[len(v)-1].Time - v[0].Time
}

// share is in percent. All of nothing is in common where any is.
func share(part, of time.Duration) float64 {
	if of <= 0 {
		return 100
	}
	return min(100, tenth(100*part.Seconds()/of.Seconds()))
}

// stretches are from and to.
type stretches [][2]time.Duration

// length is that of all of them, what is in several once.
func (s stretches) length() (sum time.Duration) {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b [2]time.Duration) int { return cmp.Compare(a[0], b[0]) })
	end := time.Duration(-1)
	for _, x := range s {
		if x[1] > end {
			sum += x[1] - max(x[0], end)
			end = x[1]
		}
	}
	return sum
}

// filmBatch is how many videos are searched for at once, and how many are compared with them
// at once.
const filmBatch = 64

// filmLinker compares videos by their frames, which are in an index of their own.
type filmLinker struct {
	*linking
	films   []linkFilm
	index   CollectionID
	without int // videos that have no vPDQ
}

// filmIndex puts the frames of the videos of the cases into an index, once.
func (l *linking) filmIndex(ctx context.Context) (*filmLinker, error) {
	if l.films != nil {
		return l.films, nil
	}
	list, without, err := l.LinkRecords.LinkTracks(ctx, l.cases)
	if err != nil {
		return nil, err
	}
	v := &filmLinker{linking: l, index: CollectionID("links " + NewID()), without: without}
	for _, t := range oneStored(list) {
		v.films = append(v.films, linkFilm{LinkTrack: t})
	}
	if len(v.films) > 0 && l.Videos == nil {
		return nil, Errorf(Internal, "there is no index to compare videos with")
	}
	l.films = v
	if len(v.films) == 0 {
		return v, nil
	}
	if err := v.fill(ctx); err != nil {
		return v, err
	}
	v.sort()
	return v, v.place(ctx, v.films)
}

func countOf(videos int) string {
	if videos == 1 {
		return "1 video"
	}
	return fmt.Sprintf("%d videos", videos)
}

// sort numbers the media of the films from the shortest on. Of two the shorter is the probe,
// so that what is found does not depend on which comes first, and it is so of all their tracks.
func (v *filmLinker) sort() {
	var first []int // of the tracks of a media
	for i := range v.films {
		if i == 0 || v.films[i].Media != v.films[i-1].Media {
			first = append(first, i)
		}
	}
	slices.SortFunc(first, func(a, b int) int {
		x, y := &v.films[a], &v.films[b]
		return cmp.Or(cmp.Compare(x.span, y.span), cmp.Compare(x.usable, y.usable), x.Media.Compare(y.Media))
	})
	for order, i := range first {
		for media := v.films[i].Media; i < len(v.films) && v.films[i].Media == media; i++ {
			v.films[i].order = order
		}
	}
}

// place notes which exhibits have films, in the order of media.
func (v *filmLinker) place(ctx context.Context, films []linkFilm) error {
	for part := range slices.Chunk(films, nearBatch) {
		var media []SHA256
		for i := range part {
			media = append(media, part[i].Media)
		}
		places, err := v.LinkRecords.LinkPlaces(ctx, v.cases, slices.Compact(media))
		if err != nil {
			return err
		}
		for i := range part {
			for _, x := range places[part[i].Media] {
				part[i].on = append(part[i].on, x.key())
			}
		}
	}
	return nil
}

// apart reports whether two films are on different exhibits, or else there is nothing to
// link: a recorder has thousands that look alike.
func (f *linkFilm) apart(o *linkFilm) bool {
	return len(f.on) > 0 && len(o.on) > 0 && (len(f.on) > 1 || len(o.on) > 1 || f.on[0] != o.on[0])
}

// close drops the index; there may be none.
func (v *filmLinker) close(ctx context.Context) {
	if v != nil && len(v.films) > 0 {
		_ = v.Videos.Drop(ctx, v.index)
	}
}

// videos links videos of which a stretch is nearly the same.
func (l *linking) videos(ctx context.Context) error {
	v, err := l.filmIndex(ctx)
	if err != nil {
		return err
	}
	for from, to := range batches(v.films, filmBatch, func(f *linkFilm) SHA256 { return f.Media }) {
		near := mediaPairs{}
		if err := v.link(ctx, from, to, near); err != nil {
			return err
		}
		if err := l.addPairs(ctx, LinkVideo, near); err != nil {
			return err
		}
	}
	v.note()
	return nil
}

// note says which videos are not compared, or not in every way.
func (v *filmLinker) note() {
	videos, none, plain := v.without, v.without, 0
	for i := range v.films {
		switch f := &v.films[i]; {
		case f.mirrored():
			plain--
		case f.turned():
		default:
			videos++
			plain++
			if f.usable < leastFrames {
				none++
			}
		}
	}
	if none > 0 {
		v.out.Notes = append(v.out.Notes, fmt.Sprintf("near none, for they have no two frames that can be compared: %d of %s; a scan with --video none makes none, one with --video keyframes few, and dark and flat pictures tell nothing", none, countOf(videos)))
	}
	if plain > 0 {
		v.out.Notes = append(v.out.Notes, fmt.Sprintf("not looked for mirrored, nor as they are shown where they are stored turned: %d of %s, scanned by an earlier version or with --video keyframes; scan the exhibits again", plain, countOf(videos)))
	}
}

// stills links some pictures with the videos that have a frame near one of their values, and
// says which second shows the nearest.
func (v *filmLinker) stills(ctx context.Context, list []LinkHash, values [][]byte, turned []turnedHash) error {
	found, err := v.Videos.Search(ctx, v.nearQuery(hashing.AlgorithmVPDQ, v.index, values))
	if err != nil {
		return err
	}
	near := mediaPairs{}
	var pictures []linkFilm
	var which []int // of each, the place in found
	for i, neighbors := range found {
		if len(neighbors) > 0 {
			pictures, which = append(pictures, linkFilm{LinkTrack: LinkTrack{Media: list[turned[i].of].Media}}), append(which, i)
		}
	}
	if err := v.place(ctx, pictures); err != nil {
		return err
	}
	of := map[int][]int{} // a film, the values that it has a frame near to
	for n, i := range which {
		for _, near := range found[i] {
			if k := int(near.Entry) - 1; pictures[n].apart(&v.films[k]) {
				of[k] = append(of[k], i)
			}
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(of)), filmBatch) {
		films := make([]linkFilm, len(part))
		for i, f := range part {
			films[i] = v.films[f]
		}
		tracks, err := v.frames(ctx, films)
		if err != nil {
			return err
		}
		for i, frames := range tracks {
			if len(frames) == 0 { // it is gone
				continue
			}
			for _, k := range of[part[i]] {
				distance := func(f hashing.VPDQFrame) int { return f.Hash.Distance(hashing.PDQ(values[k])) }
				best := slices.MinFunc(frames, func(a, b hashing.VPDQFrame) int { return cmp.Compare(distance(a), distance(b)) })
				bits := distance(best)
				near.keep(mediaPair{a: list[turned[k].of].Media, b: films[i].Media, distance: &bits, transform: turned[k].by, second: secondOf(best.Time)})
			}
		}
	}
	return v.addPairs(ctx, LinkStill, near)
}

// oneStored leaves out the keyframes of videos of which there is a frame a second.
func oneStored(list []LinkTrack) []LinkTrack {
	seconds := map[SHA256]bool{}
	for _, t := range list {
		if t.Algorithm == hashing.AlgorithmVPDQ {
			seconds[t.Media] = true
		}
	}
	return slices.DeleteFunc(list, func(t LinkTrack) bool { return t.Algorithm == hashing.AlgorithmVPDQKeyframes && seconds[t.Media] })
}

// frames reads the frames of some videos that can be compared.
func (v *filmLinker) frames(ctx context.Context, films []linkFilm) ([]hashing.VPDQ, error) {
	tracks := make([]LinkTrack, len(films))
	for i := range films {
		tracks[i] = films[i].LinkTrack
	}
	values, err := v.LinkRecords.LinkFrames(ctx, tracks)
	if err != nil {
		return nil, err
	}
	list := make([]hashing.VPDQ, len(films))
	for i, b := range values {
		if b == nil { // its cases were removed in the meantime
			continue
		}
		all, err := hashing.ParseVPDQBinary(b)
		if err != nil {
			return nil, Errorf(Internal, "the vPDQ of media %s is damaged: %v", films[i].Media, err)
		}
		list[i] = thinned(slices.DeleteFunc(all, func(f hashing.VPDQFrame) bool {
			return f.Quality < hashing.PDQMinQuality || hashing.IsTrivial(hashing.AlgorithmPDQ, f.Hash[:])
		}))
	}
	return list, nil
}

// thinned leaves of what stands still in a long video a frame in five seconds: two hours of a
// camera that sees nothing move, each frame of which is near each of the other, would take
// seconds to compare, and there are thousands of them.
func thinned(v hashing.VPDQ) hashing.VPDQ {
	const (
		long  = 600 // frames, ten minutes
		same  = 8   // bits
		apart = 5 * time.Second
	)
	if len(v) <= long {
		return v
	}
	kept := v[:1]
	for _, f := range v[1:] {
		if last := &kept[len(kept)-1]; f.Hash.Distance(last.Hash) > same || f.Time-last.Time >= apart {
			kept = append(kept, f)
		}
	}
	return kept
}

// fill puts all videos into the index.
func (v *filmLinker) fill(ctx context.Context) error {
	return v.Videos.Replace(ctx, v.index, 1, func(yield func(HashEntry, error) bool) {
		for from := 0; from < len(v.films); from += filmBatch {
			part := v.films[from:min(from+filmBatch, len(v.films))]
			list, err := v.frames(ctx, part)
			if err != nil {
				yield(HashEntry{}, err)
				return
			}
			for i, frames := range list {
				part[i].span, part[i].usable = filmSpan(frames), len(frames)
				if part[i].mirrored() {
					continue
				}
				value, err := frames.MarshalBinary()
				if !yield(HashEntry{ID: EntryID(from + i + 1), Algorithm: hashing.AlgorithmVPDQ, Value: value}, err) || err != nil {
					return
				}
			}
		}
	})
}

// filmPair is two videos that may have something in common, the first the shorter.
type filmPair struct{ first, second int }

// link compares the videos of a batch with all that are longer.
func (v *filmLinker) link(ctx context.Context, from, to int, found mediaPairs) error {
	probes, err := v.frames(ctx, v.films[from:to])
	if err != nil {
		return err
	}
	pairs, err := v.candidates(ctx, from, probes)
	if err != nil {
		return err
	}
	// One after the other, a stretch of longer ones at a time: what is held does not grow with
	// how many there are.
	slices.SortFunc(pairs, func(a, b filmPair) int {
		return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.first, b.first))
	})
	for len(pairs) > 0 {
		var part []linkFilm
		var which []int // of each pair, the place in part
		n := 0
		for ; n < len(pairs); n++ {
			if n == 0 || pairs[n].second != pairs[n-1].second {
				if len(part) == filmBatch {
					break
				}
				part = append(part, v.films[pairs[n].second])
			}
			which = append(which, len(part)-1)
		}
		seconds, err := v.frames(ctx, part)
		if err != nil {
			return err
		}
		near := make([]mediaPair, n)
		spread(n, func(i int) {
			if ctx.Err() != nil {
				return
			}
			p := pairs[i]
			near[i] = mediaPair{a: v.films[p.first].Media, b: v.films[p.second].Media,
				overlap: compareFilms(probes[p.first-from], seconds[which[i]], cmp.Or(v.r.Overlap, DefaultOverlap))}
			if near[i].overlap != nil {
				near[i].overlap.Mirrored = v.films[p.first].mirrored()
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, p := range near {
			if p.overlap != nil {
				found.keep(p)
			}
		}
		pairs = pairs[n:]
	}
	return nil
}

// frameBatch is how many frames are searched for at once.
const frameBatch = 4096

// candidates finds the longer videos that as many frames of a video are near to as a link
// needs: no others can be linked.
func (v *filmLinker) candidates(ctx context.Context, from int, probes []hashing.VPDQ) ([]filmPair, error) {
	type asked struct{ probe, times int }
	var of []asked
	q := HashQuery{Algorithm: hashing.AlgorithmVPDQ, Collections: []CollectionID{v.index}, Radius: hashing.DefaultVPDQOptions().Distance}
	near := map[filmPair]int{} // frames
	search := func() error {
		if len(q.Values) == 0 {
			return nil
		}
		found, err := v.Videos.Search(ctx, q)
		if err != nil {
			return err
		}
		for i, list := range found {
			p := from + of[i].probe
			for _, n := range list {
				if other := int(n.Entry) - 1; v.films[p].order < v.films[other].order && v.films[p].apart(&v.films[other]) {
					near[filmPair{p, other}] += of[i].times
				}
			}
		}
		q.Values, of = q.Values[:0], of[:0]
		return nil
	}
	for i, frames := range probes {
		times := map[hashing.PDQ]int{}
		for _, f := range frames {
			times[f.Hash]++
		}
		for h, n := range times {
			q.Values, of = append(q.Values, bytes.Clone(h[:])), append(of, asked{i, n})
		}
		if len(q.Values) >= frameBatch {
			if err := search(); err != nil {
				return nil, err
			}
		}
	}
	if err := search(); err != nil {
		return nil, err
	}
	var pairs []filmPair
	for p, frames := range near {
		if frames >= needed(v.films[p.first].usable) {
			pairs = append(pairs, p)
		}
	}
	return pairs, nil
}

// spread calls f for 0 to n-1 on all processors.
func spread(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
