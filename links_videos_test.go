package semblance_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index/frames"
)

// film is a video that is laid into a case without being one; with stills it is a picture, or
// an animation of several.
type film struct {
	path    string
	content string // what makes it another one than others; nothing: the path
	frames  hashing.VPDQ
	more    map[hashing.Algorithm]hashing.VPDQ // other signals
	stills  []hashing.PDQ
	turned  map[hashing.Transform]hashing.PDQ // of the first still
	details semblance.ItemDetails
	reason  string // why it was not examined
}

// filmRig is a linkRig that compares videos.
func filmRig(t *testing.T) *linkRig {
	r := newLinkRig(t)
	r.Videos = frames.New()
	return r
}

func (f *film) digests() hashing.Digests {
	return hashing.DigestBytes([]byte("film " + cmp.Or(f.content, f.path)))
}

// sum is the digest that films has for a film.
func (f *film) sum() semblance.SHA256 { return semblance.SHA256(f.digests().SHA256) }

// films lays films into an exhibit; those without frames have no signal.
func (r *linkRig) films(number, label string, list ...film) {
	r.t.Helper()
	var records []semblance.ItemRecord
	for _, f := range list {
		d, sum := f.digests(), f.sum()
		a := &semblance.Analysis{Type: "video/mp4", Width: 10, Height: 10, Frames: 100, Decoder: "d", Video: &semblance.Video{Format: "mov", Codec: "h264"}}
		if f.stills != nil {
			a.Type, a.Video = "image/gif", nil
			for i, h := range f.stills {
				a.Hashes = append(a.Hashes, semblance.FrameHashes{Frame: 10 * i, PDQ: &hashing.PDQResult{Hash: h, Quality: 80}})
			}
			for by, h := range f.turned {
				a.Hashes[0].PDQ.Turned[by] = h
			}
		}
		if f.frames != nil {
			value, err := f.frames.MarshalBinary()
			if err != nil {
				r.t.Fatal(err)
			}
			a.Signals = []semblance.VideoSignal{{Algorithm: hashing.AlgorithmVPDQ, Value: value}}
		}
		for alg, frames := range f.more {
			value, err := frames.MarshalBinary()
			if err != nil {
				r.t.Fatal(err)
			}
			a.Signals = append(a.Signals, semblance.VideoSignal{Algorithm: alg, Value: value})
		}
		if f.reason != "" {
			records = append(records, semblance.ItemRecord{Item: semblance.Item{Path: f.path, Size: d.Size, SHA256: &sum, Status: semblance.ItemUnsupported}, Media: &semblance.Media{Digests: d, Code: semblance.MediaUnsupported, Reason: f.reason}})
			continue
		}
		records = append(records, semblance.ItemRecord{Item: semblance.Item{Path: f.path, Size: d.Size, SHA256: &sum, Status: semblance.ItemNew, ItemDetails: f.details}, Media: &semblance.Media{Digests: d, Analysis: a}})
	}
	r.commit(number, label, records)
}

// footage is what a camera would have seen of a scene at a moment: tenths of a second apart,
// moments are not near any more.
func footage(scene int, at time.Duration) (h hashing.PDQ) {
	r := rand.New(rand.NewPCG(uint64(scene), uint64(at/(100*time.Millisecond))))
	for i := 0; i < len(h); i += 8 {
		binary.LittleEndian.PutUint64(h[i:], r.Uint64())
	}
	return h
}

// A shot is a stretch of a scene. standing shows its first moment all the time.
type shot struct {
	scene    int
	from, to float64
	standing bool
}

// shoot samples shots as a scan does: ten frames a second for three seconds, then the first
// one of every second. A frame differs by some bits from what the camera saw.
func shoot(r *rand.Rand, bits int, shots ...shot) (v hashing.VPDQ) {
	var at time.Duration
	second := time.Duration(-1)
	for _, s := range shots {
		for t := time.Duration(s.from * 10); t < time.Duration(s.to*10); t++ {
			moment := t * 100 * time.Millisecond
			if s.standing {
				moment = time.Duration(s.from*10) * 100 * time.Millisecond
			}
			if at < 3*time.Second || at/time.Second != second {
				f := hashing.VPDQFrame{Frame: int(at / (100 * time.Millisecond)), Time: at, Quality: 100, Hash: footage(s.scene, moment)}
				for range bits {
					f.Hash[r.IntN(32)] ^= 1 << r.IntN(8)
				}
				v = append(v, f)
			}
			second = at / time.Second
			at += 100 * time.Millisecond
		}
	}
	return v
}

// nearVideos are the links of near videos: both paths, in the order told, and what is in common.
func nearVideos(t *testing.T, r *linkRig, q semblance.LinkRequest) (map[string]*semblance.LinkOverlap, semblance.Links) {
	t.Helper()
	q.All = true
	l, err := r.Links(t.Context(), tester, q)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*semblance.LinkOverlap{}
	for _, x := range l.Links {
		if x.Kind == semblance.LinkVideo {
			if x.Overlap == nil || got[pairOf(&x)] != nil || x.Label != "" && !strings.HasPrefix(x.Label, x.Pair[0].Case+" "+x.Pair[0].Exhibit+" ") {
				t.Fatalf("%+v", x)
			}
			got[pairOf(&x)] = x.Overlap
		}
	}
	return got, l
}

// pairOf names the two media of a link, without their cases.
func pairOf(x *semblance.Link) string {
	if len(x.Pair) != 2 || x.Value != x.Pair[0].SHA256.String()+" "+x.Pair[1].SHA256.String() {
		return "no pair: " + x.Label
	}
	return x.Pair[0].Exhibit + " " + x.Pair[0].Path + " and " + x.Pair[1].Exhibit + " " + x.Pair[1].Path
}

func TestNearVideos(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(1, 1))
	make := func(bits int, shots ...shot) hashing.VPDQ { return shoot(rnd, bits, shots...) }
	dark := make(0, shot{scene: 9, to: 20})
	for i := range dark {
		dark[i].Quality = 49
	}
	flash := slices.Clone(dark)
	flash[4].Quality = 90
	flash2 := make(20, shot{scene: 9, to: 20})
	r.films("1", "phone",
		film{path: "original.mp4", frames: make(0, shot{scene: 1, to: 60})},
		film{path: "window.mp4", frames: make(0, shot{scene: 2, to: 30, standing: true}, shot{scene: 3, to: 30})},
		film{path: "card.mp4", frames: make(0, shot{scene: 4, to: 30}, shot{scene: 5, to: 9, standing: true})},
		film{path: "dark.mp4", frames: dark}, film{path: "flash.mp4", frames: flash}, film{path: "none.mp4", frames: nil}, film{path: "both.mp4", frames: make(0, shot{scene: 6, to: 9})}, film{path: "again.mp4", frames: make(3, shot{scene: 1, to: 60})})
	r.films("2", "disk",
		film{path: "clip.mp4", frames: make(6, shot{scene: 1, from: 20.4, to: 32.4})},                              // 3 frames are sampled at the same moments
		film{path: "pasted.mp4", frames: make(6, shot{scene: 7, to: 10}, shot{scene: 1, from: 30, to: 41})},        // sampled at the same moments, by chance
		film{path: "glimpse.mp4", frames: make(6, shot{scene: 7, to: 30}, shot{scene: 1, from: 30, to: 32})},       // two frames
		film{path: "longcard.mp4", frames: make(6, shot{scene: 8, to: 40}, shot{scene: 5, to: 9, standing: true})}, // nothing but the same card
		film{path: "still.mp4", frames: make(4, shot{scene: 2, to: 8, standing: true})},                            // the picture that stands, and nothing else
		film{path: "light.mp4", frames: flash2}, film{path: "both.mp4", frames: make(0, shot{scene: 6, to: 9})}, film{path: "fresh.mp4", frames: make(0, shot{scene: 10, to: 20})})
	got, l := nearVideos(t, r, semblance.LinkRequest{})
	want := map[string]string{
		"disk clip.mp4 and phone original.mp4":   "2s in common, 18.2% of the first and 3.4% of the second; 600ms to 2.6s is 21s to 23s",
		"disk clip.mp4 and phone again.mp4":      "2s in common, 18.2% of the first and 3.4% of the second; 600ms to 2.6s is 21s to 23s",
		"disk pasted.mp4 and phone original.mp4": "10s in common, 50% of the first and 16.9% of the second; 10s to 20s is 30s to 40s",
		"disk pasted.mp4 and phone again.mp4":    "10s in common, 50% of the first and 16.9% of the second; 10s to 20s is 30s to 40s",
		"disk still.mp4 and phone window.mp4":    "7s in common, 100% of the first and 11.5% of the second; 0s to 7s is 0s to 6.8s; which second is which is uncertain",
	}
	for what, how := range want {
		if o := got[what]; o == nil || o.String() != how {
			t.Errorf("%s: %v, want %s", what, o, how)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", slices.Sorted(maps.Keys(got)))
	}
	if text := strings.Join(l.Notes, "\n"); !strings.Contains(text, "they have no two frames that can be compared: 3 of 15 videos;") {
		t.Errorf("notes: %q", l.Notes)
	}
	i := slices.IndexFunc(l.Pairs, func(p semblance.LinkPair) bool { return p.LabelA == "phone" && p.LabelB == "disk" })
	if i < 0 || l.Pairs[i].Kinds[semblance.LinkVideo] != 3 || l.Pairs[i].Kinds[semblance.LinkMedia] != 1 {
		t.Errorf("%+v", l.Pairs)
	}
	order := slices.DeleteFunc(slices.Clone(l.Links), func(x semblance.Link) bool { return x.Kind != semblance.LinkVideo })
	for i, x := range order[1:] {
		if x.Overlap.FirstPercent > order[i].Overlap.FirstPercent {
			t.Errorf("%v comes after %v", x.Overlap, order[i].Overlap)
		}
	}
	if got, _ := nearVideos(t, r, semblance.LinkRequest{Overlap: 5, Kinds: []semblance.LinkKind{semblance.LinkVideo}}); len(got) != 3 || got["disk still.mp4 and phone window.mp4"] == nil {
		t.Errorf("of five seconds and more: %v", slices.Sorted(maps.Keys(got)))
	}
	if got, _ := nearVideos(t, r, semblance.LinkRequest{Overlap: 1}); len(got) != 5 { // two frames are too few all the same
		t.Errorf("of a second and more: %v", slices.Sorted(maps.Keys(got)))
	}
	for _, overlap := range []float64{-1, 1e9} {
		if _, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true, Overlap: overlap}); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%v seconds: %v", overlap, err)
		}
	}
}

// TestNearFrames: pictures are linked with videos of which they are a frame, and animations
// with pictures, videos and each other by any frame.
func TestNearFrames(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(5, 1))
	near := func(h hashing.PDQ, bits int) hashing.PDQ {
		for _, k := range rnd.Perm(256)[:bits] {
			h[k/8] ^= 1 << (k % 8)
		}
		return h
	}
	at := func(scene int, second float64) hashing.PDQ {
		return footage(scene, time.Duration(second*float64(time.Second)))
	}
	movie := shoot(rnd, 0, shot{scene: 1, to: 20})
	movie[35].Quality = 20 // the frame at 8 s
	r.films("1", "phone", film{path: "movie.mp4", frames: movie}, film{path: "own.jpg", stills: []hashing.PDQ{at(1, 6)}},
		film{path: "other.mp4", frames: shoot(rnd, 0, shot{scene: 2, to: 9})})
	r.films("2", "disk", film{path: "still.jpg", stills: []hashing.PDQ{near(at(1, 7), 12)}}, film{path: "far.jpg", stills: []hashing.PDQ{near(at(1, 9), 17)}},
		film{path: "poor.jpg", stills: []hashing.PDQ{at(1, 8)}}, film{path: "anim.gif", stills: []hashing.PDQ{at(3, 0), near(at(1, 10), 5), near(at(1, 11), 3), at(3, 3)}})
	r.films("3", "stick", film{path: "flip.jpg", stills: []hashing.PDQ{at(9, 0)}, turned: map[hashing.Transform]hashing.PDQ{hashing.Original: at(9, 0), hashing.FlipY: near(at(1, 12), 4), hashing.Rotate90: near(at(1, 13), 14)}},
		film{path: "part.gif", stills: []hashing.PDQ{near(at(3, 3), 9), at(4, 1), near(at(3, 0), 16)}})
	links := func(kind semblance.LinkKind, distance int) (list []string) {
		t.Helper()
		l, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true, Kinds: []semblance.LinkKind{kind}, Distance: distance})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range l.Links {
			text := fmt.Sprintf("%s: %d", pairOf(&x), *x.Distance)
			if x.Transform != "" {
				text += " " + x.Transform
			}
			if x.Second != nil {
				text += fmt.Sprintf(" at %v", *x.Second)
			}
			list = append(list, text)
		}
		return list
	}
	if got, want := links(semblance.LinkStill, 0), []string{"disk anim.gif and phone movie.mp4: 3 at 11", "disk still.jpg and phone movie.mp4: 12 at 7", "stick flip.jpg and phone movie.mp4: 4 flipy at 12"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got, want := links(semblance.LinkStill, 20), []string{"disk anim.gif and phone movie.mp4: 3 at 11", "disk still.jpg and phone movie.mp4: 12 at 7", "disk far.jpg and phone movie.mp4: 17 at 9", "stick flip.jpg and phone movie.mp4: 4 flipy at 12"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got := links(semblance.LinkNear, 0)
	if len(got) != 1 || got[0] != "disk anim.gif and stick part.gif: 9" && got[0] != "stick part.gif and disk anim.gif: 9" {
		t.Errorf("%q", got)
	}
	// A picture that is turned is near whichever of the two comes first.
	r.films("2", "pad", film{path: "plain.jpg", stills: []hashing.PDQ{at(8, 1)}, turned: map[hashing.Transform]hashing.PDQ{hashing.Original: at(8, 1), hashing.FlipX: near(at(8, 2), 2)}},
		film{path: "same.gif", stills: []hashing.PDQ{at(8, 4)}, turned: map[hashing.Transform]hashing.PDQ{hashing.Original: at(8, 4), hashing.FlipX: near(at(8, 5), 2)}})
	r.films("3", "card", film{path: "upside.jpg", stills: []hashing.PDQ{at(8, 2)}, turned: map[hashing.Transform]hashing.PDQ{hashing.Original: at(8, 2), hashing.FlipX: near(at(8, 1), 2)}},
		film{path: "side.gif", stills: []hashing.PDQ{at(8, 5)}, turned: map[hashing.Transform]hashing.PDQ{hashing.Original: at(8, 5), hashing.FlipX: near(at(8, 4), 2)}})
	turned := 0
	for _, text := range links(semblance.LinkNear, 0) {
		if strings.HasSuffix(text, ": 2 flipx") && strings.Contains(text, "pad ") && strings.Contains(text, "card ") {
			turned++
		}
	}
	if turned != 2 {
		t.Errorf("%d, %q", turned, links(semblance.LinkNear, 0))
	}
	if l, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true}); err != nil || len(l.Links) != 6 {
		t.Errorf("%+v, %v", l.Links, err)
	}
}

// TestLongVideosThatStandStill: recordings of a camera that sees nothing move are linked, in a
// time that does not grow with the square of theirs.
func TestLongVideosThatStandStill(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(7, 1))
	hours := func(bits int) hashing.VPDQ {
		return shoot(rnd, bits, shot{scene: 1, to: 1200, standing: true}, shot{scene: 2, to: 20}, shot{scene: 1, to: 1200, standing: true})
	}
	r.films("1", "phone", film{path: "a.mp4", frames: hours(2)})
	r.films("2", "recorder", film{path: "b.mp4", frames: hours(2)}, film{path: "other.mp4", frames: shoot(rnd, 2, shot{scene: 3, to: 1200, standing: true})})
	got, _ := nearVideos(t, r, semblance.LinkRequest{})
	for _, o := range got {
		if o.FirstPercent < 99 || o.SecondPercent < 99 || o.Frames < 480 || o.Frames > 600 || len(got) != 1 {
			t.Errorf("%v, %+v", o, o)
		}
	}
	if len(got) != 1 {
		t.Errorf("%v", slices.Sorted(maps.Keys(got)))
	}
}

// TestLinksSayWhatIsNotThere: exhibits that are not finished, and videos that were not hashed.
func TestLinksSayWhatIsNotThere(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(8, 1))
	r.films("1", "phone", film{path: "a.mp4", frames: shoot(rnd, 0, shot{scene: 1, to: 9}), more: map[hashing.Algorithm]hashing.VPDQ{hashing.AlgorithmVPDQMirrored: shoot(rnd, 0, shot{scene: 2, to: 9})}},
		film{path: "b.mp4", reason: "this is a video (video/mp4), and videos are left out"}, film{path: "c.txt", reason: "this is no picture"})
	c, err := r.store.Case(t.Context(), "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"u1", "u2", "u3", "u4", "u5", "u6"} {
		x, _, err := r.store.OpenExhibit(t.Context(), semblance.Exhibit{ID: semblance.ExhibitID(semblance.NewID()), Case: c.ID, Label: label, Source: "s", Created: time.Now()}, semblance.AuditEvent{Action: "scan.start"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.store.BeginPlan(t.Context(), x.ID, &semblance.Plan{Case: c, Fingerprint: "p"}); err != nil {
			t.Fatal(err)
		}
		r.store.ReleaseExhibit(x.ID)
	}
	_, l := nearVideos(t, r, semblance.LinkRequest{})
	want := []string{"NOT FINISHED, so that links may be missing: 2 u1, 2 u2, 2 u3, 2 u4, 2 u5 and 1 more; scan to the end",
		"near none, for they have no two frames that can be compared: 1 of 2 videos; a scan with --video none makes none, one with --video keyframes few, and dark and flat pictures tell nothing"}
	if !slices.Equal(l.Notes, want) || l.Exhibits != 7 {
		t.Errorf("%q", l.Notes)
	}
	for name, q := range map[string]semblance.LinkRequest{"both": {All: true, Cases: []string{"1"}}, "most": {All: true, Most: -1}, "limit": {All: true, Limit: -1}} {
		if _, err := r.Links(t.Context(), tester, q); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNearVideosAreTurned: videos are near as they are stored, as they are shown, and mirrored.
func TestNearVideosAreTurned(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(6, 1))
	up, mirror, keys := hashing.AlgorithmVPDQUpright, hashing.AlgorithmVPDQMirrored, hashing.AlgorithmVPDQKeyframes
	of := func(scene int) hashing.VPDQ { return shoot(rnd, 4, shot{scene: scene, to: 12}) }
	type signals = map[hashing.Algorithm]hashing.VPDQ
	r.films("1", "phone", film{path: "lying.mp4", frames: of(1), more: signals{up: of(2), mirror: of(3)}})
	r.films("2", "disk",
		film{path: "upright.mp4", frames: of(2), more: signals{mirror: of(3)}},
		film{path: "mirrored.mp4", frames: of(3), more: signals{mirror: of(2)}},
		film{path: "copied.mp4", frames: of(1), more: signals{up: of(4), mirror: of(5)}}, // with another turn in its header
		film{path: "keyframes.mp4", more: signals{keys: of(2)}},
		film{path: "other.mp4", frames: of(6), more: signals{mirror: of(7), keys: of(1)}}) // of which the frames of seconds count
	got, l := nearVideos(t, r, semblance.LinkRequest{})
	want := map[string]bool{"upright.mp4": false, "mirrored.mp4": true, "copied.mp4": false, "keyframes.mp4": false}
	for label, o := range got {
		first, second, _ := strings.Cut(label, " and ")
		path := strings.TrimPrefix(cmp.Or(strings.TrimPrefix(first, "phone lying.mp4"), second), "disk ")
		if mirrored, ok := want[path]; !ok || o.Mirrored != mirrored || strings.Contains(o.String(), "; mirrored") != mirrored || o.FirstPercent != 100 {
			t.Errorf("%s: %v", label, o)
		}
	}
	if len(got) != len(want) || len(l.Notes) != 1 || !strings.HasPrefix(l.Notes[0], "not looked for mirrored, nor as they are shown where they are stored turned: 1 of 6 videos, ") {
		t.Errorf("%v, %q", slices.Sorted(maps.Keys(got)), l.Notes)
	}
}

// TestLinksNameAPlaceThatIsNotCarved: of several places the one is told that says most.
func TestLinksNameAPlaceThatIsNotCarved(t *testing.T) {
	t.Parallel()
	r := filmRig(t)
	still := []hashing.PDQ{footage(1, 0)}
	carved, deleted := semblance.ItemDetails{Deleted: true, Carved: true}, semblance.ItemDetails{Deleted: true}
	r.films("1", "disk", film{path: "$carved/1.jpg", content: "it", stills: still, details: carved}, film{path: "Zoo/gone.jpg", content: "it", stills: still, details: deleted})
	r.films("3", "stick", film{path: "$carved/2.jpg", content: "near", stills: still, details: carved}, film{path: "Bin/gone.jpg", content: "near", stills: still, details: deleted}, film{path: "Zoo/there.jpg", content: "near", stills: still})
	r.films("2", "phone", film{path: "$carved/1.jpg", content: "it", stills: still, details: carved}, film{path: "Zoo/there.jpg", content: "it", stills: still})
	x, err := r.Links(t.Context(), tester, semblance.LinkRequest{All: true})
	if err != nil || len(x.Links) != 2 {
		t.Fatalf("%+v, %v", x.Links, err)
	}
	if same := x.Links[0]; same.Exhibits[0].Path != "Zoo/gone.jpg" || same.Exhibits[1].Path != "Zoo/there.jpg" || same.Exhibits[0].Items != 2 {
		t.Errorf("%+v", same)
	}
	if near := x.Links[1]; !strings.Contains(near.Label, "3 stick Zoo/there.jpg") || !strings.Contains(near.Label, "1 disk Zoo/gone.jpg (deleted)") {
		t.Errorf("%+v", near)
	}
}

// TestNearVideosAreAll compares what links finds through its index with comparing every video
// with every other.
func TestNearVideosAreAll(t *testing.T) {
	t.Parallel()
	r, rnd := filmRig(t), rand.New(rand.NewPCG(4, 2))
	byLabel := map[string]film{}
	var list [2][]film
	for i := range 150 {
		var shots []shot
		for range rnd.IntN(3) + 1 {
			from := float64(rnd.IntN(200)) / 10
			shots = append(shots, shot{scene: rnd.IntN(12), from: from, to: from + float64(rnd.IntN(80)+2)/10, standing: rnd.IntN(5) == 0})
		}
		f := film{path: fmt.Sprintf("%03d.mp4", i), frames: shoot(rnd, rnd.IntN(24), shots...)}
		for k := range f.frames {
			if rnd.IntN(10) == 0 {
				f.frames[k].Quality = 30
			}
		}
		list[i%2] = append(list[i%2], f)
	}
	for i, label := range []string{"A", "B"} {
		r.films(fmt.Sprint(i+1), label, list[i]...)
		for _, f := range list[i] {
			byLabel[label+" "+f.path] = f
		}
	}
	for _, least := range []float64{0.5, 2, 6} {
		got, _ := nearVideos(t, r, semblance.LinkRequest{Overlap: least, Limit: 1 << 20, Kinds: []semblance.LinkKind{semblance.LinkVideo}})
		want := 0
		for _, a := range list[0] {
			for _, b := range list[1] {
				first, second, label := a, b, "A "+a.path+" and B "+b.path
				if shorter(b, a) {
					first, second, label = b, a, "B "+b.path+" and A "+a.path
				}
				linked := enough(first.frames, second.frames, least)
				if linked {
					want++
				}
				if linked != (got[label] != nil) {
					t.Errorf("%v seconds: %s is a link: %v; %v is told", least, label, linked, got[label])
				}
			}
		}
		if len(got) != want || want < 20 {
			t.Errorf("%v seconds: %d links, by comparing all %d", least, len(got), want)
		}
	}
}

// bright are the frames that can be compared.
func bright(v hashing.VPDQ) hashing.VPDQ {
	return slices.DeleteFunc(slices.Clone(v), func(f hashing.VPDQFrame) bool { return f.Quality < 50 })
}

// shorter is the order that makes a video the first of two.
func shorter(a, b film) bool {
	x, y := bright(a.frames), bright(b.frames)
	if d := length(x) - length(y); d != 0 {
		return d < 0
	}
	if len(x) != len(y) {
		return len(x) < len(y)
	}
	return a.sum().String() < b.sum().String()
}

func length(v hashing.VPDQ) time.Duration { return v[len(v)-1].Time - v[0].Time }

// enough is the rule of docs/links.md, by going through both videos a thousandth of a second
// at a time.
func enough(first, second hashing.VPDQ, least float64) bool {
	a, b := bright(first), bright(second)
	c := hashing.CompareVPDQ(a, b, hashing.VPDQOptions{Distance: 31, MinQuality: 50})
	needs := min(3, len(a))
	if c.ProbeNear < needs {
		return false
	}
	all, moving, frames, sure, bits := map[int64]bool{}, map[int64]bool{}, 0, 0, 0.0
	for _, s := range c.Segments {
		for ms := s.ProbeFrom.Milliseconds(); ms < s.ProbeTo.Milliseconds(); ms++ {
			all[ms] = true
			if !s.Static {
				moving[ms] = true
			}
		}
		frames += s.Frames
		bits += float64(s.Frames) * s.Distance
		if !s.Static {
			sure += s.Frames
		}
	}
	switch {
	case frames == 0 || len(all) < 1000 && bits/float64(frames) > 16:
		return false
	case float64(len(moving)) >= 1000*least-100 && sure >= needs:
		return true
	}
	return int64(2*len(all)) >= length(a).Milliseconds() && frames >= needs
}
