package semblance

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"semblance/hashing"
)

// A LinkKind says what exhibits share.
type LinkKind string

// The kinds, the strongest first: what a shared thing of each kind says of who had it.
const (
	LinkSerial   LinkKind = "camera serial" // pictures of one camera
	LinkLens     LinkKind = "lens serial"
	LinkImage    LinkKind = "image id" // the number a camera gave one picture
	LinkDocument LinkKind = "document id"
	LinkOwner    LinkKind = "camera owner"
	LinkMedia    LinkKind = "same media" // the same content, bit by bit
	LinkSound    LinkKind = "same sound" // the same audio stream, bit by bit, in different media
	LinkVideo    LinkKind = "near video" // a stretch that is nearly the same, by vPDQ
	LinkNear     LinkKind = "near media" // nearly the same picture, by PDQ
	LinkStill    LinkKind = "near frame" // a picture that is nearly a frame of a video
	LinkSelector LinkKind = "selector"   // the same phone number, address, name, wallet
	LinkFace     LinkKind = "face group" // faces that look alike: a lead, not an identification
)

// LinkKinds lists the kinds, the strongest first.
func LinkKinds() []LinkKind {
	return []LinkKind{LinkSerial, LinkLens, LinkImage, LinkDocument, LinkOwner, LinkMedia, LinkSound, LinkVideo, LinkNear, LinkStill, LinkSelector, LinkFace}
}

// A LinkRequest asks what exhibits of cases share.
type LinkRequest struct {
	Cases    []string   // numbers; one is enough: its exhibits are linked with each other
	All      bool       // every case there is
	Kinds    []LinkKind // nil: all
	Distance int        // bits, of near media and near frames; 0 is DefaultStackDistance
	Overlap  float64    // seconds that near videos have in common at least; 0 is DefaultOverlap
	AllFiles bool       // also files that are no pictures or videos: programs and system files are shared by everybody
	Most     int        // leave out what more exhibits than this share; 0: nothing
	Limit    int        // links told; 0 is DefaultLinkLimit
}

// DefaultLinkLimit is how many links are told unless it is said otherwise.
const DefaultLinkLimit = 1000

// A Link is one thing that two exhibits or more have.
type Link struct {
	Kind      LinkKind        `json:"kind"`
	Value     string          `json:"value"`               // sha256, serial number, KIND:VALUE of a selector, id of a face group; of near media, videos and frames both digests
	Label     string          `json:"label,omitempty"`     // what a person calls it
	Distance  *int            `json:"distance,omitempty"`  // of near media and frames, bits
	Transform string          `json:"transform,omitempty"` // of near media and frames, how the first one is turned or mirrored to be near: "flipy", "rotate90", ...; absent where it is not
	Pair      []LinkedMedia   `json:"pair,omitempty"`      // of near media, videos and frames, the first and the second
	Second    *float64        `json:"second,omitempty"`    // of a near frame, when it is shown, from the first frame on
	Overlap   *LinkOverlap    `json:"overlap,omitempty"`   // of near videos
	Exhibits  []LinkedExhibit `json:"exhibits"`            // by case and label
	Cases     int             `json:"cases"`               // different ones
	Countries int             `json:"countries"`           // different ones, of the cases
	First     *int            `json:"first_seen_on,omitempty"`
	near      *nearSides      // of near media, videos and frames
}

// nearSides says which of the two near media only some exhibits have: it is them that the
// nearness links, where others share the same media.
type nearSides struct {
	media [2]SHA256
	only  [2]map[string]bool // keys of exhibits
}

// links reports whether a link says something of two of its exhibits, and not only of a
// third with one of them.
func (x *Link) links(a, b *LinkedExhibit) bool {
	if x.near == nil {
		return a.same == "" || a.same != b.same
	}
	only := x.near.only
	return only[0][a.key()] && only[1][b.key()] || only[1][a.key()] && only[0][b.key()]
}

// A LinkedExhibit is an exhibit that has it.
type LinkedExhibit struct {
	Case    string     `json:"case"`
	Country string     `json:"country"`
	Exhibit string     `json:"exhibit"`
	Items   int64      `json:"items"`             // occurrences in the exhibit
	Time    *time.Time `json:"time,omitempty"`    // the earliest modification of an item; nil where none has a time whose zone is known
	Path    string     `json:"path"`              // of one item: of several the one that says most, and of these the first by path
	Deleted bool       `json:"deleted,omitempty"` // that item
	Carved  bool       `json:"carved,omitempty"`
	same    string     // what it has of it, where the same is told as same media
}

// Place is where the item lies, with what nobody would know from its path.
func (x *LinkedExhibit) Place() string {
	switch {
	case x.Carved:
		return x.Path + " (carved)"
	case x.Deleted:
		return x.Path + " (deleted)"
	}
	return x.Path
}

// A LinkedMedia is one of two that are near each other, where it is and the other is not.
type LinkedMedia struct {
	SHA256  SHA256 `json:"sha256"`
	Case    string `json:"case"`
	Exhibit string `json:"exhibit"`
	Path    string `json:"path"`
	Deleted bool   `json:"deleted,omitempty"`
	Carved  bool   `json:"carved,omitempty"`
}

// key tells exhibits apart.
func (x *LinkedExhibit) key() string { return x.Case + "\x00" + x.Exhibit }

// A LinkPair says what two exhibits have in common.
type LinkPair struct {
	CaseA  string           `json:"case_a"`
	LabelA string           `json:"exhibit_a"`
	CaseB  string           `json:"case_b"`
	LabelB string           `json:"exhibit_b"`
	Kinds  map[LinkKind]int `json:"kinds"` // of near media, videos and frames, how many of the exhibit that has fewer
	Shared int              `json:"shared"`
	Only   int              `json:"only_these_two"` // of those, shared with no other exhibit asked about
}

// Links are what exhibits share, the strongest and rarest first.
type Links struct {
	Cases    []string   `json:"cases"`
	Exhibits int        `json:"exhibits"` // asked about
	Links    []Link     `json:"links"`
	Pairs    []LinkPair `json:"pairs"`
	Total    int        `json:"total"` // links, those over the limit included; pairs are of all of them
	Notes    []string   `json:"notes,omitempty"`
}

// A LinkRow says that an exhibit has something.
type LinkRow struct {
	Kind  LinkKind
	Value string
	Label string
	Media string // of a face group and of sound, the media; the same text for the same media
	LinkedExhibit
}

// A LinkHash is the PDQ of a picture of the cases, or of a frame of an animation.
type LinkHash struct {
	Media SHA256
	Frame int
	PDQ   hashing.PDQ
}

// A LinkTrack is a vPDQ of a video.
type LinkTrack struct {
	Media     SHA256
	Algorithm hashing.Algorithm
}

// A LinkVideoStore gives the videos of cases, and more of pictures.
type LinkVideoStore interface {
	// LinkTracks returns the vPDQs of the videos of cases, in the order of digests, and how
	// many videos have none.
	LinkTracks(ctx context.Context, cases []CaseID) (list []LinkTrack, without int, err error)
	// LinkFrames returns the values of some vPDQs, nil of one that is not there.
	LinkFrames(ctx context.Context, tracks []LinkTrack) ([][]byte, error)
	// LinkTurned returns what the pictures of hashes have turned and mirrored, by transform;
	// nil where it was not made.
	LinkTurned(ctx context.Context, list []LinkHash) ([]*[8]hashing.PDQ, error)
}

// A LinkStore tells what exhibits have.
type LinkStore interface {
	// LinkRows returns every exhibit of everything of a kind that two exhibits of the cases
	// or more have, by value, case and label. Known-good media count for nothing.
	LinkRows(ctx context.Context, cases []CaseID, kind LinkKind, allFiles bool) ([]LinkRow, error)
	// LinkHashes returns the PDQ, of at least a quality, of every picture, of animations those
	// of the frames that were looked at.
	LinkHashes(ctx context.Context, cases []CaseID, quality int) ([]LinkHash, error)
	LinkVideoStore
	// LinkPlaces returns the exhibits of each of some media, by case and label.
	LinkPlaces(ctx context.Context, cases []CaseID, media []SHA256) (map[SHA256][]LinkedExhibit, error)
	// LinkScope counts the exhibits of cases, and names those whose scan has not come to its
	// end, by case and label.
	LinkScope(ctx context.Context, cases []CaseID) (exhibits int, unfinished []string, err error)
}

// Links says what the exhibits of cases share. It is audited for each of the cases.
func (e *Engine) Links(ctx context.Context, who Actor, r LinkRequest) (Links, error) {
	cases, err := e.linkCases(ctx, r)
	if err != nil {
		return Links{}, err
	}
	l := linking{Engine: e, r: r, out: Links{Links: []Link{}, Pairs: []LinkPair{}}}
	for _, c := range cases {
		l.cases = append(l.cases, c.ID)
		l.out.Cases = append(l.out.Cases, c.Number)
	}
	var unfinished []string
	if l.out.Exhibits, unfinished, err = e.LinkRecords.LinkScope(ctx, l.cases); err != nil {
		return Links{}, err
	}
	if n := len(unfinished); n > 0 {
		const most = 5
		more := ""
		if n > most {
			unfinished, more = unfinished[:most], fmt.Sprintf(" and %d more", n-most)
		}
		l.out.Notes = append(l.out.Notes, "NOT FINISHED, so that links may be missing: "+strings.Join(unfinished, ", ")+more+"; scan to the end")
	}
	if err := l.run(ctx); err != nil {
		return Links{}, err
	}
	for i := range cases {
		ev := e.event(who, "links", &cases[i])
		ev.Detail["cases"], ev.Detail["kinds"], ev.Detail["links"] = l.out.Cases, l.kinds(), l.out.Total
		if err := e.Audit.Append(ctx, ev); err != nil {
			return Links{}, err
		}
	}
	return l.out, nil
}

func (e *Engine) linkCases(ctx context.Context, r LinkRequest) (cases []Case, err error) {
	if r.Distance < 0 || r.Distance > maxStackDistance {
		return nil, Errorf(Invalid, "a distance of %d is outside 0 to %d bits", r.Distance, maxStackDistance)
	}
	if !(r.Overlap >= 0 && r.Overlap <= hashing.MaxVPDQTime.Seconds()) {
		return nil, Errorf(Invalid, "%v seconds are no length of a stretch that videos have in common", r.Overlap)
	}
	if r.Most < 0 || r.Limit < 0 {
		return nil, Errorf(Invalid, "a number of exhibits or links is not negative")
	}
	if r.All && len(r.Cases) > 0 {
		return nil, Errorf(Invalid, "all cases are asked for, and some are named").WithHint("Name cases, or ask for all of them.")
	}
	for _, k := range r.Kinds {
		if !slices.Contains(LinkKinds(), k) {
			return nil, Errorf(Invalid, "%q is not a kind of link", string(k)).WithHint("The kinds are %s.", kindList())
		}
	}
	if r.All {
		return e.Cases.Cases(ctx)
	}
	if len(r.Cases) == 0 {
		return nil, Errorf(Invalid, "no case is named").WithHint("Name the cases whose exhibits are to be linked, or all of them.")
	}
	for _, n := range r.Cases {
		c, err := e.Cases.Case(ctx, n)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(cases, func(o Case) bool { return o.ID == c.ID }) {
			cases = append(cases, c)
		}
	}
	return cases, nil
}

func kindList() string {
	var names []string
	for _, k := range LinkKinds() {
		names = append(names, fmt.Sprintf("%q", string(k)))
	}
	return strings.Join(names, ", ")
}

// linking is one answer being made.
type linking struct {
	*Engine
	r     LinkRequest
	cases []CaseID
	out   Links
	films *filmLinker // nil until it is needed
}

func (l *linking) kinds() []LinkKind {
	if len(l.r.Kinds) == 0 {
		return LinkKinds()
	}
	return l.r.Kinds
}

func (l *linking) run(ctx context.Context) error {
	defer func() { l.films.close(context.WithoutCancel(ctx)) }()
	for _, kind := range l.kinds() {
		switch kind {
		case LinkNear, LinkStill: // together, below
		case LinkVideo:
			if err := l.videos(ctx); err != nil {
				return err
			}
		default:
			rows, err := l.LinkRecords.LinkRows(ctx, l.cases, kind, l.r.AllFiles)
			if err != nil {
				return err
			}
			l.gather(rows)
		}
	}
	if err := l.pictures(ctx); err != nil {
		return err
	}
	for i := range l.out.Links {
		l.out.Links[i].count()
	}
	slices.SortFunc(l.out.Links, compareLinks)
	l.pair()
	l.out.Total = len(l.out.Links)
	if l.r.Limit <= 0 {
		l.r.Limit = DefaultLinkLimit
	}
	l.out.Links = l.out.Links[:min(len(l.out.Links), l.r.Limit)]
	return nil
}

// gather makes a link of the rows of one value.
func (l *linking) gather(rows []LinkRow) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Value == rows[0].Value {
			n++
		}
		x := Link{Kind: rows[0].Kind, Value: rows[0].Value, Label: rows[0].Label}
		for _, r := range rows[:n] {
			if l.tellsSame() {
				r.same = r.Media
			}
			x.Exhibits = append(x.Exhibits, r.LinkedExhibit)
		}
		l.add(x)
		rows = rows[n:]
	}
}

// tellsSame reports whether same media are told: then what rests on one and the same
// media is not told once more.
func (l *linking) tellsSame() bool { return slices.Contains(l.kinds(), LinkMedia) }

func (l *linking) add(x Link) {
	if len(x.Exhibits) > 1 && (l.r.Most <= 0 || len(x.Exhibits) <= l.r.Most) && x.linksAny() {
		l.out.Links = append(l.out.Links, x)
	}
}

func (x *Link) linksAny() bool {
	if x.near != nil {
		return len(x.near.only[0]) > 0 && len(x.near.only[1]) > 0
	}
	return slices.ContainsFunc(x.Exhibits[1:], func(y LinkedExhibit) bool { return x.links(&x.Exhibits[0], &y) })
}

// count fills in what follows from the exhibits.
func (x *Link) count() {
	cases, countries := map[string]bool{}, map[string]bool{}
	for i, e := range x.Exhibits {
		cases[e.Case], countries[e.Country] = true, true
		if e.Time != nil && (x.First == nil || e.Time.Before(*x.Exhibits[*x.First].Time)) {
			x.First = &i
		}
	}
	x.Cases, x.Countries = len(cases), len(countries)
}

// compareLinks puts first what crosses countries, then cases, then the stronger kinds, then
// what the fewest exhibits share.
func compareLinks(a, b Link) int {
	return cmp.Or(cmp.Compare(b.Countries, a.Countries), cmp.Compare(min(b.Cases, 2), min(a.Cases, 2)),
		cmp.Compare(slices.Index(LinkKinds(), a.Kind), slices.Index(LinkKinds(), b.Kind)), cmp.Compare(len(a.Exhibits), len(b.Exhibits)),
		cmp.Compare(distanceOf(a), distanceOf(b)), compareOverlaps(a.Overlap, b.Overlap), strings.Compare(a.Value, b.Value))
}

func distanceOf(x Link) int {
	if x.Distance == nil {
		return 0
	}
	return *x.Distance
}

// pair counts what each two exhibits share: those that share most alone come first.
func (l *linking) pair() {
	pairs, near := map[[2]string]*LinkPair{}, map[nearOf]*nearCount{}
	const wide = 50 // a thing that more exhibits have would make more pairs than anybody reads
	skipped := 0
	for _, x := range l.out.Links {
		if len(x.Exhibits) > wide {
			skipped++
			continue
		}
		for i, a := range x.Exhibits {
			for _, b := range x.Exhibits[i+1:] {
				if !x.links(&a, &b) {
					continue
				}
				k := [2]string{a.key(), b.key()}
				p := pairs[k]
				if p == nil {
					p = &LinkPair{CaseA: a.Case, LabelA: a.Exhibit, CaseB: b.Case, LabelB: b.Exhibit, Kinds: map[LinkKind]int{}}
					pairs[k] = p
				}
				if x.near != nil {
					of := nearOf{k, x.Kind}
					if near[of] == nil {
						near[of] = &nearCount{}
					}
					near[of].add(x.near, k, len(x.Exhibits) == 2)
					continue
				}
				p.Shared++
				p.Kinds[x.Kind]++
				if len(x.Exhibits) == 2 {
					p.Only++
				}
			}
		}
	}
	if skipped > 0 {
		l.out.Notes = append(l.out.Notes, fmt.Sprintf("%d links of more than %d exhibits each are not counted in the pairs", skipped, wide))
	}
	for of, n := range near {
		p := pairs[of.exhibits]
		p.Kinds[of.kind] = n.all.count()
		p.Shared += n.all.count()
		p.Only += n.only.count()
	}
	for _, p := range pairs {
		l.out.Pairs = append(l.out.Pairs, *p)
	}
	slices.SortFunc(l.out.Pairs, func(a, b LinkPair) int {
		return cmp.Or(cmp.Compare(b.Only, a.Only), cmp.Compare(b.Shared, a.Shared), strings.Compare(a.CaseA, b.CaseA), strings.Compare(a.LabelA, b.LabelA), strings.Compare(a.CaseB, b.CaseB), strings.Compare(a.LabelB, b.LabelB))
	})
}

// nearOf are two exhibits and a kind of nearness.
type nearOf struct {
	exhibits [2]string
	kind     LinkKind
}

// nearCount counts the near media of two exhibits: n pictures of one that are each near m
// of the other are not n times m things that they share.
type nearCount struct{ all, only nearMedia }

// nearMedia are the different ones of either exhibit.
type nearMedia [2]map[SHA256]bool

func (n *nearCount) add(s *nearSides, exhibits [2]string, alone bool) {
	media := s.media
	if !s.only[0][exhibits[0]] || !s.only[1][exhibits[1]] { // the other way round
		media[0], media[1] = media[1], media[0]
	}
	n.all.add(media)
	if alone {
		n.only.add(media)
	}
}

func (n *nearMedia) add(media [2]SHA256) {
	for i, m := range media {
		if n[i] == nil {
			n[i] = map[SHA256]bool{}
		}
		n[i][m] = true
	}
}

func (n *nearMedia) count() int { return min(len(n[0]), len(n[1])) }

// nearBatch is how many pictures are searched for at once.
const nearBatch = 1000

// pictures links pictures that are nearly the same, and those that are nearly a frame of a
// video, as far as it is asked for: what is read of pictures serves both.
func (l *linking) pictures(ctx context.Context) error {
	near, stills := slices.Contains(l.kinds(), LinkNear), slices.Contains(l.kinds(), LinkStill)
	if stills {
		v, err := l.filmIndex(ctx)
		if err != nil {
			return err
		}
		stills = len(v.films) > 0
	}
	if !near && !stills {
		return nil
	}
	list, err := l.LinkRecords.LinkHashes(ctx, l.cases, StackQuality)
	if err != nil || len(list) == 0 {
		return err
	}
	index := CollectionID("links " + NewID())
	if near {
		defer func() { _ = l.Hashes.Drop(context.WithoutCancel(ctx), index) }()
		if err := l.pictureIndex(ctx, index, list); err != nil {
			return err
		}
	}
	for from, to := range batches(list, nearBatch, func(h *LinkHash) SHA256 { return h.Media }) {
		values, of, err := l.turned(ctx, list[from:to])
		if err != nil {
			return err
		}
		if near {
			if err := l.near(ctx, index, list, from, values, of); err != nil {
				return err
			}
		}
		if stills {
			if err := l.films.stills(ctx, list[from:to], values, of); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *linking) pictureIndex(ctx context.Context, index CollectionID, list []LinkHash) error {
	return l.Hashes.Replace(ctx, index, 1, func(yield func(HashEntry, error) bool) {
		for i := range list {
			if !yield(HashEntry{ID: EntryID(i + 1), Algorithm: hashing.AlgorithmPDQ, Value: list[i].PDQ[:]}, nil) {
				return
			}
		}
	})
}

// nearQuery asks an index of its own for what values of pictures are near.
func (l *linking) nearQuery(alg hashing.Algorithm, index CollectionID, values [][]byte) HashQuery {
	return HashQuery{Algorithm: alg, Collections: []CollectionID{index}, Values: values, Radius: cmp.Or(l.r.Distance, DefaultStackDistance)}
}

// near links the pictures of a batch, which begins at from, with those behind them that are
// nearly the same: each two that do not lie in one and the same exhibit only.
func (l *linking) near(ctx context.Context, index CollectionID, list []LinkHash, from int, values [][]byte, of []turnedHash) error {
	found, err := l.Hashes.Search(ctx, l.nearQuery(hashing.AlgorithmPDQ, index, values))
	if err != nil {
		return err
	}
	near := mediaPairs{}
	for i, neighbors := range found {
		for _, n := range neighbors {
			k, h := int(n.Entry)-1, of[i]
			if a, b := list[from+h.of].Media, list[k].Media; k > from+h.of && a != b { // each two once
				near.keep(mediaPair{a: a, b: b, distance: &n.Distance, transform: h.by})
			}
		}
	}
	return l.addPairs(ctx, LinkNear, near)
}

// batches goes through a list in the order of media in batches of so many and more: what is
// of one media is in one of them, so that a pair of media is complete in the batch of the one.
func batches[T any](list []T, least int, media func(*T) SHA256) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for from := 0; from < len(list); {
			to := min(from+least, len(list))
			for to < len(list) && media(&list[to]) == media(&list[to-1]) {
				to++
			}
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// turnedHash says of which hash of a list a value is, and turned how.
type turnedHash struct {
	of int
	by hashing.Transform
}

// turned are the values of hashes as they are, turned and mirrored.
func (l *linking) turned(ctx context.Context, list []LinkHash) (values [][]byte, of []turnedHash, err error) {
	all, err := l.LinkRecords.LinkTurned(ctx, list)
	if err != nil {
		return nil, nil, err
	}
	for i := range list {
		values, of = append(values, list[i].PDQ[:]), append(of, turnedHash{i, hashing.Original})
		if all[i] == nil {
			continue
		}
		for by := hashing.Rotate90; by <= hashing.FlipMinus; by++ {
			if h := &all[i][by]; !hashing.IsTrivial(hashing.AlgorithmPDQ, h[:]) {
				values, of = append(values, h[:]), append(of, turnedHash{i, by})
			}
		}
	}
	return values, of, nil
}

// mediaPair is two media that are near.
type mediaPair struct {
	a, b      SHA256
	distance  *int
	transform hashing.Transform // of a
	second    *float64
	overlap   *LinkOverlap
}

// compare says which pair of the same two media says more: as they are stored, or as they are
// shown, and of animations the nearest frames.
func (p *mediaPair) compare(o *mediaPair) int {
	if p.overlap != nil && o.overlap != nil {
		return cmp.Or(compareOverlaps(p.overlap, o.overlap), cmp.Compare(p.overlap.Distance, o.overlap.Distance), p.a.Compare(o.a))
	}
	return cmp.Or(cmp.Compare(*p.distance, *o.distance), cmp.Compare(p.transform, o.transform), p.a.Compare(o.a))
}

// mediaPairs are pairs by their media, each two once.
type mediaPairs map[[2]SHA256]mediaPair

func (m mediaPairs) keep(p mediaPair) {
	k := [2]SHA256{p.a, p.b}
	if p.b.Compare(p.a) < 0 {
		k = [2]SHA256{p.b, p.a}
	}
	if old, ok := m[k]; !ok || p.compare(&old) < 0 {
		m[k] = p
	}
}

// addPairs makes a link of each pair.
func (l *linking) addPairs(ctx context.Context, kind LinkKind, pairs mediaPairs) error {
	for part := range slices.Chunk(slices.Collect(maps.Values(pairs)), nearBatch) {
		var media []SHA256
		for _, p := range part {
			media = append(media, p.a, p.b)
		}
		slices.SortFunc(media, SHA256.Compare)
		places, err := l.LinkRecords.LinkPlaces(ctx, l.cases, slices.Compact(media))
		if err != nil {
			return err
		}
		for _, p := range part {
			a, b := places[p.a], places[p.b]
			x := Link{Kind: kind, Value: p.a.String() + " " + p.b.String(), Distance: p.distance, Second: p.second, Overlap: p.overlap, Exhibits: union(a, b)}
			x.near = &nearSides{media: [2]SHA256{p.a, p.b}, only: [2]map[string]bool{l.without(a, b), l.without(b, a)}}
			if p.transform != hashing.Original {
				x.Transform = p.transform.String()
			}
			if first, second := placesOf(a, b, x.near.only); first != nil && second != nil {
				x.Label = l.placeOf(first) + " and " + l.placeOf(second)
				x.Pair = []LinkedMedia{{p.a, first.Case, first.Exhibit, first.Path, first.Deleted, first.Carved}, {p.b, second.Case, second.Exhibit, second.Path, second.Deleted, second.Carved}}
			}
			l.add(x)
		}
	}
	return nil
}

// without is the keys of the exhibits of a that are not exhibits of b as well, where what
// both have is told as same media.
func (l *linking) without(a, b []LinkedExhibit) map[string]bool {
	out := map[string]bool{}
	for _, x := range a {
		if !l.tellsSame() || !slices.ContainsFunc(b, func(y LinkedExhibit) bool { return y.key() == x.key() }) {
			out[x.key()] = true
		}
	}
	return out
}

// placesOf are where two media are, each in an exhibit that has not the other one too, and
// where it can be two exhibits.
func placesOf(a, b []LinkedExhibit, only [2]map[string]bool) (first, second *LinkedExhibit) {
	for i := range a {
		for k := range b {
			if !only[0][a[i].key()] || !only[1][b[k].key()] {
				continue
			}
			if a[i].key() != b[k].key() {
				return &a[i], &b[k]
			}
			if first == nil {
				first, second = &a[i], &b[k]
			}
		}
	}
	return first, second
}

// placeOf says it for a person, with the case where there are several.
func (l *linking) placeOf(x *LinkedExhibit) string {
	text := x.Exhibit + " " + x.Place()
	if len(l.cases) > 1 {
		text = x.Case + " " + text
	}
	return text
}

// union is the exhibits of both, by case and label.
func union(a, b []LinkedExhibit) []LinkedExhibit {
	out := slices.Clone(a)
	for _, x := range b {
		i := slices.IndexFunc(out, func(y LinkedExhibit) bool { return y.key() == x.key() })
		if i < 0 {
			out = append(out, x)
			continue
		}
		out[i].Items += x.Items
		if x.Time != nil && (out[i].Time == nil || x.Time.Before(*out[i].Time)) {
			out[i].Time = x.Time
		}
	}
	slices.SortFunc(out, func(a, b LinkedExhibit) int { return strings.Compare(a.key(), b.key()) })
	return out
}
