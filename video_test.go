package semblance_test

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
)

// film makes the analysis of a video: PDQ hashes a second apart.
func (p picture) film(algs []hashing.Algorithm) semblance.Analysis {
	a := semblance.Analysis{Type: "video/test", Width: 100, Height: 100, Frames: 25 * len(p.Film), Decoder: "test 1",
		Video: &semblance.Video{Codec: "test", Seen: time.Duration(len(p.Film)) * time.Second}}
	if p.Shown != nil {
		a.Video.Rotation = 90
	}
	for _, alg := range algs {
		if a.Video.Has(alg) {
			list := p.Film
			switch alg {
			case hashing.AlgorithmVPDQUpright:
				list = p.Shown
			case hashing.AlgorithmVPDQMirrored:
				list = p.mirrored()
			}
			a.Signals = append(a.Signals, semblance.VideoSignal{Algorithm: alg, Value: p.signal(alg, list)})
		}
	}
	return a
}

// mirrored are frames that are like none, unless it is said what they are.
func (p picture) mirrored() []string {
	if p.Mirror != nil {
		return p.Mirror
	}
	list := make([]string, len(p.Film))
	for i, text := range p.Film {
		h, _ := hashing.ParsePDQ(text)
		for k := range h {
			h[k] = ^h[k]
		}
		list[i] = h.String()
	}
	return list
}

func (p picture) signal(alg hashing.Algorithm, list []string) []byte {
	var v hashing.VPDQ
	for i, text := range list {
		h, _ := hashing.ParsePDQ(text)
		q := 90
		if slices.Contains(p.Poor, i) {
			q = 20
		}
		v = append(v, hashing.VPDQFrame{Frame: 25 * i, Time: time.Duration(i) * time.Second, Quality: q, Hash: h})
	}
	value, _ := v.MarshalBinary()
	if alg == hashing.AlgorithmTMK {
		m := hashing.NewTMKMaker()
		for _, f := range v {
			pix := make([]byte, 64*64)
			for j := range pix {
				pix[j] = f.Hash[(j/512)*4+(j%64)/16]
			}
			for range 15 {
				_ = m.Add(hashing.Pixels{Pix: pix, Width: 64, Height: 64, Stride: 64, Channels: 1})
			}
		}
		value, _ = m.Finish().MarshalBinary()
	}
	return value
}

// scenes are n frames that have nothing to do with each other.
func scenes(seed uint64, n int) (list []string) {
	r := rand.New(rand.NewPCG(seed, 11))
	for range n {
		var h hashing.PDQ
		for i := range h {
			h[i] = byte(r.Uint32())
		}
		list = append(list, h.String())
	}
	return list
}

func (r *rig) addMedia(collection, source string, p picture, extra ...hashing.Algorithm) string {
	r.t.Helper()
	n, warning, err := r.AddMedia(r.t.Context(), tester, collection, source, r.file(p.bytes(r.t)), extra...)
	if err != nil || n == 0 {
		r.t.Fatalf("%s: %d entries, %v", source, n, err)
	}
	return warning
}

func TestVideoIsNearAVideo(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	whole := scenes(1, 60)
	r.addMedia("videos", "whole.mp4", picture{Film: whole, Poor: []int{7}})
	r.addMedia("videos", "other.mp4", picture{Film: scenes(2, 60)})
	var clip []string
	for _, h := range whole[20:32] {
		clip = append(clip, bits(t, h, 9))
	}
	x := r.examine(picture{Film: append(clip, scenes(3, 12)...)}.bytes(t), "videos")
	if len(x.Findings.NearMatches) != 1 || len(x.Findings.Hits) != 0 || x.Status != semblance.ItemNew {
		t.Fatalf("%+v", x.Findings)
	}
	n := x.Findings.NearMatches[0]
	if n.Source != "whole.mp4" || n.Algorithm != hashing.AlgorithmVPDQ || n.Distance != 9 || n.Threshold != 31 || n.Video == nil || *n.Second != 0 || *n.EntrySecond != 20 {
		t.Errorf("%+v", n)
	}
	v := n.Video
	if v.ProbeFrames != 24 || v.ProbeNear != 12 || v.ProbePercent != 50 || v.ReferenceFrames != 59 || v.ReferenceLow != 1 || v.ReferenceNear != 12 || v.ReferencePercent != 20.3 {
		t.Errorf("%+v", v)
	}
	if len(v.Segments) != 1 || v.Segments[0] != (semblance.NearSegment{ProbeTo: 11, ReferenceFrom: 20, ReferenceTo: 31, Frames: 12, Distance: 9, Speed: 1}) {
		t.Errorf("%+v", v.Segments)
	}
	// The same bytes are a hit, and not a near match as well.
	x = r.examine(picture{Film: whole, Poor: []int{7}}.bytes(t), "videos")
	if len(x.Findings.Hits) != 1 || len(x.Findings.NearMatches) != 0 {
		t.Errorf("%+v", x.Findings)
	}
}

func TestVideoAndPictureAreNear(t *testing.T) {
	r := newRig(t)
	r.collection("pictures", semblance.Hashes)
	r.collection("videos", semblance.Hashes)
	film := scenes(4, 30)
	r.addMedia("videos", "film.mp4", picture{Film: film})
	r.addMedia("pictures", "still.png", picture{PDQ: bits(t, film[12], 5)})

	x := r.examine(picture{Film: append(scenes(5, 3), film[10:20]...)}.bytes(t), "pictures", "videos")
	if len(x.Findings.NearMatches) != 2 {
		t.Fatalf("%+v", x.Findings.NearMatches)
	}
	still := x.Findings.NearMatches[0]
	if still.Collection != "pictures" || still.Algorithm != hashing.AlgorithmPDQ || still.Distance != 5 || *still.Second != 5 || still.Frame != 125 || still.Frames != 1 ||
		still.Video != nil || still.EntrySecond != nil || still.Quality != 90 || still.EntryQuality != 100 {
		t.Errorf("%+v", still)
	}

	x = r.examine(picture{PDQ: bits(t, film[25], 20)}.bytes(t), "pictures", "videos")
	if len(x.Findings.NearMatches) != 1 {
		t.Fatalf("%+v", x.Findings.NearMatches)
	}
	n := x.Findings.NearMatches[0]
	if n.Collection != "videos" || n.Algorithm != hashing.AlgorithmVPDQ || *n.EntrySecond != 25 || n.Second != nil || n.Distance != 20 || n.Transform != "original" || n.EntryValue != film[25] {
		t.Errorf("%+v", n)
	}
	x = r.examine(picture{PDQ: scenes(6, 1)[0], Turned: film[8]}.bytes(t), "videos")
	if len(x.Findings.NearMatches) != 1 || x.Findings.NearMatches[0].Transform != "flipy" || *x.Findings.NearMatches[0].EntrySecond != 8 {
		t.Errorf("mirrored: %+v", x.Findings.NearMatches)
	}

	var got []semblance.LookupResult
	lines := []string{"pdq:" + bits(t, film[3], 2), "pdq:" + film[12]}
	_, err := r.Lookup(t.Context(), tester, semblance.LookupRequest{Case: "C1", Collections: []string{"pictures", "videos"}}, linesOf(lines), func(a semblance.LookupResult) error {
		got = append(got, a)
		return nil
	})
	if err != nil || len(got) != 3 || *got[0].Second != 3 || *got[0].Distance != 2 || got[0].Algorithm != hashing.AlgorithmVPDQ || *got[1].Second != 12 || got[2].Collection != "pictures" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestPoorFramesAreNotCompared holds both sides to the collection's minimum.
func TestPoorFramesAreNotCompared(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	r.collection("lax", semblance.Hashes, func(c *semblance.Collection) { c.PDQQuality = 10 })
	film := scenes(7, 4)
	for _, c := range []string{"videos", "lax"} {
		if w := r.addMedia(c, "film.mp4", picture{Film: film, Poor: []int{0, 1, 2, 3}}); !strings.Contains(w, "4 of 4 frames") {
			t.Errorf("%q", w)
		}
	}
	near := func(p picture) (names []string) {
		for _, n := range r.examine(p.bytes(t), "videos", "lax").Findings.NearMatches {
			names = append(names, n.Collection)
		}
		return names
	}
	if got := near(picture{Film: film, Salt: "x"}); !slices.Equal(got, []string{"lax"}) {
		t.Errorf("%v", got)
	}
	if got := near(picture{PDQ: film[2]}); !slices.Equal(got, []string{"lax"}) {
		t.Errorf("%v", got)
	}
	if got := near(picture{Film: film, Poor: []int{0, 1, 2}}); !slices.Equal(got, []string{"lax"}) {
		t.Errorf("%v", got)
	}
}

func TestTMKIsCompared(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	film := scenes(8, 30)
	r.addMedia("videos", "film.mp4", picture{Film: film}, hashing.AlgorithmTMK)
	r.addMedia("videos", "other.mp4", picture{Film: scenes(9, 30)}, hashing.AlgorithmTMK)
	x := r.examine(picture{Film: film, Salt: "again"}.bytes(t), "videos")
	if len(x.Findings.NearMatches) != 1 {
		t.Fatalf("%+v", x.Findings.NearMatches)
	}
	n := x.Findings.NearMatches[0]
	if n.Algorithm != hashing.AlgorithmVPDQ || n.Video.TMK == nil || math.Abs(n.Video.TMK.Level2-1) > 1e-3 || !slices.Contains(n.Agree, hashing.AlgorithmTMK) || len(n.Video.Segments) != 1 {
		t.Errorf("%+v, %+v", n, n.Video)
	}
	if !slices.Contains(r.analyzer.asked.Videos, hashing.AlgorithmTMK) {
		t.Errorf("asked for %v", r.analyzer.asked.Videos)
	}
}

// TestVideosThatAreShownTurned: what a telephone stored lying is near what others made of it
// as it is shown, whichever of them is the reference, and one entry is told.
func TestVideosThatAreShownTurned(t *testing.T) {
	r := newRig(t)
	r.collection("lying", semblance.Hashes)
	r.collection("shown", semblance.Hashes)
	r.collection("stills", semblance.Hashes)
	stored, shown := scenes(21, 20), scenes(22, 20)
	lying := picture{Film: stored, Shown: shown}
	copied := picture{Film: shown, Salt: "copied"}
	r.addMedia("lying", "lying.mp4", lying)
	r.addMedia("shown", "copied.mp4", copied)
	r.addMedia("stills", "still.png", picture{PDQ: bits(t, shown[4], 3)})
	one := func(p picture, collection, turn string, alg hashing.Algorithm, near int) {
		t.Helper()
		got := r.examine(p.bytes(t), collection).Findings.NearMatches
		if len(got) != 1 || got[0].Transform != turn || got[0].Algorithm != alg || got[0].Video != nil && got[0].Video.ProbeNear != near {
			t.Errorf("%+v", got)
		}
	}
	one(lying, "shown", "rotate270", hashing.AlgorithmVPDQ, 20)
	one(copied, "lying", "original", hashing.AlgorithmVPDQUpright, 20)
	one(lying, "stills", "rotate270", hashing.AlgorithmPDQ, 0)
	again := lying
	again.Salt, again.Shown = "again", append([]string{stored[3]}, shown[1:]...) // a frame of it is near the entry of the other kind, too
	one(again, "lying", "original", hashing.AlgorithmVPDQ, 20)
	mixed := picture{Film: append([]string{stored[3]}, shown[:9]...)}
	one(mixed, "lying", "original", hashing.AlgorithmVPDQUpright, 9)

	// Mirror images are near, whichever of them is the reference and however they are stored.
	flipped := scenes(23, 20)
	one(picture{Film: flipped, Mirror: shown}, "shown", "flipy", hashing.AlgorithmVPDQ, 20)
	one(picture{Film: flipped, Mirror: shown}, "lying", "flipy", hashing.AlgorithmVPDQUpright, 20)
	one(picture{Film: flipped, Shown: scenes(24, 20), Mirror: shown}, "shown", "flipplus", hashing.AlgorithmVPDQ, 20)
	one(picture{Film: flipped, Mirror: shown, Salt: "x"}, "stills", "flipy", hashing.AlgorithmPDQ, 0)

	// Earlier versions hashed videos only as they are stored, and then as they are shown.
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"shown"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []picture{lying, copied} {
		b := p.bytes(t)
		a := p.film([]hashing.Algorithm{hashing.AlgorithmVPDQ, hashing.AlgorithmVPDQMirrored})
		before := r.analyzer.decoded
		x, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &semblance.Media{Digests: hashing.DigestBytes(b), Analysis: &a}, r.file(b), "")
		if err != nil || (r.analyzer.decoded > before) != (p.Shown != nil) || len(x.Findings.NearMatches)+len(x.Findings.Hits) != 1 {
			t.Errorf("decoded %d times: %+v, %v", r.analyzer.decoded-before, x.Findings, err)
		}
	}
}

// TestVideosOfEarlierVersions are examined although they are recorded as not examined.
func TestVideosOfEarlierVersions(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	b := picture{Film: scenes(10, 3)}.bytes(t)
	examine := func(mode semblance.VideoMode, prior *semblance.Media) (semblance.Examination, string) {
		plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"videos"}, Video: mode})
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), prior, r.file(b), "")
		if err != nil {
			t.Fatal(err)
		}
		return x, plan.Fingerprint
	}
	none, p1 := examine(semblance.VideoNone, nil)
	if none.Status != semblance.ItemUnsupported || none.Media.Analysis != nil {
		t.Fatalf("%+v", none)
	}
	some, p2 := examine("", &none.Media)
	if some.Status != semblance.ItemNew || !some.Decoded || some.Media.Analysis.Signal(hashing.AlgorithmVPDQ) == nil || p1 == p2 {
		t.Fatalf("%+v", some)
	}
	if again, _ := examine(semblance.VideoSeconds, &some.Media); again.Decoded {
		t.Error("it was decoded again")
	}
	keys, _ := examine(semblance.VideoKeyframes, &some.Media)
	if !keys.Decoded || keys.Media.Analysis.Signal(hashing.AlgorithmVPDQKeyframes) == nil || keys.Media.Analysis.Signal(hashing.AlgorithmVPDQ) == nil {
		t.Errorf("what was known is lost: %+v", keys.Media.Analysis.Signals)
	}
	if _, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"videos"}, Video: "all"}); semblance.CodeOf(err) != semblance.Invalid {
		t.Errorf("%v", err)
	}
}

// TestSoundOfEarlierVersions is read although the signals of the video are known, and
// files of sound are examined that were none of ours.
func TestSoundOfEarlierVersions(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	b := picture{Film: scenes(10, 3)}.bytes(t)
	plan := func(mode semblance.VideoMode) *semblance.Plan {
		p, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"videos"}, Video: mode})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	examine := func(p *semblance.Plan, prior *semblance.Media) semblance.Examination {
		x, err := r.Examine(t.Context(), p, hashing.DigestBytes(b), prior, r.file(b), "")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	prior := examine(plan(""), nil).Media
	for sound, again := range map[int]bool{0: true, semblance.SoundReader: false} {
		prior.Analysis.Metadata.Video = &semblance.VideoFacts{Sound: sound}
		if x := examine(plan(""), &prior); x.Decoded != again {
			t.Errorf("sound of reader %d: decoded %v", sound, x.Decoded)
		}
	}
	for reason, again := range map[string]bool{
		"this is not a picture: its content is of type audio/mpeg, and no text that is read for selectors":       true,
		"there is no video in this file (application/ogg): it has sound or other streams only":                   true,
		"this is not a picture: its content is of type application/gzip, and no text that is read for selectors": false,
	} {
		old := semblance.Media{Digests: prior.Digests, Code: semblance.MediaUnsupported, Reason: reason}
		if x := examine(plan(""), &old); x.Decoded != again && (again || x.Status != semblance.ItemUnsupported) {
			t.Errorf("%s: decoded %v, %s", reason, x.Decoded, x.Status)
		}
		if x := examine(plan(semblance.VideoNone), &old); !strings.HasPrefix(reason, "there") && x.Decoded {
			t.Errorf("%s: decoded where videos are not examined", reason)
		}
	}
}

// TestFacesOfAVideo are compared like those of a picture, and say at which seconds.
func TestFacesOfAVideo(t *testing.T) {
	r := newRig(t)
	r.collection("people", semblance.Faces)
	r.enroll("people", "anna", 1, 0)
	film := picture{Film: scenes(11, 6), Faces: [][]float32{{0, 1}, {1, 0}, {0.8, 0.6}}, Salt: "a"}
	x := r.examine(film.bytes(t), "people")
	if x.Status != semblance.ItemNew || len(x.Findings.Candidates) != 2 {
		t.Fatalf("%+v", x.Findings)
	}
	for i, want := range []semblance.Appearance{{Second: 1, From: 0, Until: 1.5, Frames: 4}, {Second: 3, From: 2, Until: 3.5, Frames: 4}} {
		if c := x.Findings.Candidates[i]; c.Subject != "anna" || c.Face != i+1 || c.Appearance == nil || *c.Appearance != want {
			t.Errorf("%+v, seen %+v, want %+v", c, c.Appearance, want)
		}
	}
	if s := x.Findings.Candidates[1].Appearance.String(); s != "at 2s to 3.5s" {
		t.Error(s)
	}
	// No faces is an answer of a detector that ran.
	x = r.examine(picture{Film: scenes(12, 3)}.bytes(t), "people")
	if set, ran := x.Media.Analysis.Faces(semblance.DefaultEngine); !ran || len(set.Faces) != 0 || x.Media.Analysis.Video.Looked == 0 {
		t.Errorf("%+v", x.Media.Analysis)
	}
}

// TestFacesOfVideosOfEarlierVersions are looked for although their frames are known.
func TestFacesOfVideosOfEarlierVersions(t *testing.T) {
	r := newRig(t)
	r.collection("people", semblance.Faces)
	r.collection("videos", semblance.Hashes)
	r.enroll("people", "anna", 1, 0)
	b := picture{Film: scenes(13, 3), Faces: [][]float32{{1, 0}}}.bytes(t)
	before := r.examine(b, "videos").Media
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"people", "videos"}})
	if err != nil {
		t.Fatal(err)
	}
	x, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &before, r.file(b), "")
	if err != nil || !x.Decoded || len(x.Findings.Candidates) != 1 {
		t.Fatalf("%+v, %v", x.Findings, err)
	}
	if again, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &x.Media, r.file(b), ""); err != nil || again.Decoded || len(again.Findings.Candidates) != 1 {
		t.Errorf("it was decoded again: %+v, %v", again.Findings, err)
	}
}

func TestImportVideo(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	film := scenes(12, 5)
	a := picture{Film: film}.film([]hashing.Algorithm{hashing.AlgorithmVPDQ, hashing.AlgorithmTMK})
	v, err := hashing.ParseVPDQBinary(a.Signals[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := v.AppendText(nil)
	add := func(collection string, form semblance.VideoForm, b []byte) (int, error) {
		return r.ImportVideo(t.Context(), tester, collection, "ref", form, strings.NewReader(string(b)))
	}
	for i, want := range []int{1, 0} {
		if n, err := add("videos", semblance.FormVPDQ, text); n != want || err != nil {
			t.Errorf("time %d: %d, %v", i, n, err)
		}
	}
	if n, err := add("videos", semblance.FormTMK, a.Signals[1].Value); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := add("videos", semblance.FormVPDQJSON, v.AppendJSON(nil)); n != 1 || err != nil { // other frame numbers
		t.Errorf("%d, %v", n, err)
	}
	if x := r.examine(picture{Film: film}.bytes(t), "videos"); len(x.Findings.NearMatches) != 1 || x.Findings.NearMatches[0].Video.ProbePercent != 100 {
		t.Errorf("%+v", x.Findings.NearMatches)
	}
	for name, try := range map[string]func() (int, error){
		"a line that is none": func() (int, error) { return add("videos", semblance.FormVPDQ, append(slices.Clone(text), "x\n"...)) },
		"empty":               func() (int, error) { return add("videos", semblance.FormVPDQ, nil) },
		"a TMK cut short":     func() (int, error) { return add("videos", semblance.FormTMK, a.Signals[1].Value[:1000]) },
		"known-good":          func() (int, error) { return add("good", semblance.FormVPDQ, text) },
		"an unknown form":     func() (int, error) { return add("videos", "csv", text) },
	} {
		n, err := try()
		if n != 0 || semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// linesOf gives lines one after the other.
func linesOf(lines []string) func() (string, error) {
	return func() (string, error) {
		if len(lines) == 0 {
			return "", io.EOF
		}
		s := lines[0]
		lines = lines[1:]
		return s, nil
	}
}

// TestVideosAreAddedToWhatIsHeld adds to a collection that is searched already.
func TestVideosAreAddedToWhatIsHeld(t *testing.T) {
	r := newRig(t)
	r.collection("videos", semblance.Hashes)
	var films [][]string
	for i := range 3 {
		films = append(films, scenes(uint64(20+i), 10))
		r.addMedia("videos", "film", picture{Film: films[i]}, hashing.AlgorithmTMK)
		for j, f := range films {
			near := r.examine(picture{Film: f, Salt: "copy"}.bytes(t), "videos").Findings.NearMatches
			if len(near) != 1 || near[0].Video.TMK == nil || near[0].Video.ProbePercent != 100 {
				t.Errorf("film %d of %d: %+v", j, i+1, near)
			}
		}
	}
	if near := r.examine(picture{Film: scenes(30, 10)}.bytes(t), "videos").Findings.NearMatches; len(near) != 0 {
		t.Errorf("%+v", near)
	}
	if _, err := r.DeleteCollection(t.Context(), tester, "videos"); err != nil {
		t.Fatal(err)
	}
	r.collection("videos", semblance.Hashes)
	if near := r.examine(picture{Film: films[0], Salt: "after"}.bytes(t), "videos").Findings.NearMatches; len(near) != 0 {
		t.Errorf("%+v", near)
	}
}
