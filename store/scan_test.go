package store_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/store"
)

func hash64(v uint64) *hashing.Hash64 { h := hashing.Hash64(v); return &h }

// analysis is one with every field set, in the order in which it is read back.
func analysis() *semblance.Analysis {
	pdq := &hashing.PDQResult{Hash: hashing.PDQ{1, 2}, Quality: 77}
	for i := range pdq.Turned {
		pdq.Turned[i] = hashing.PDQ{byte(i + 1), 31: byte(i)}
	}
	lat := 52.5
	return &semblance.Analysis{
		Type: "image/jpeg", Width: 640, Height: 480, Frames: 2, Orientation: 6, Partial: "truncated after 61% of the rows",
		Warnings: []string{"odd marker"}, Decoder: "libjpeg-turbo 2.1.2",
		Metadata: semblance.Metadata{Taken: "2019-05-04T10:11:12", Latitude: &lat, Make: "Canon"},
		Hashes: []semblance.FrameHashes{
			{Frame: 0, PDQ: pdq, PHash: hash64(0x8000000000000001), DHash: hash64(2), AHash: hash64(3)},
			{Frame: 7, PDQ: &hashing.PDQResult{Hash: hashing.PDQ{9}, Quality: 0}},
		},
		Looked: semblance.MetadataReader, Embedded: []semblance.EmbeddedPicture{
			{Kind: semblance.EXIFThumbnail, Digests: hashing.DigestBytes([]byte("inside")), Width: 160, Height: 120, Hashes: []semblance.FrameHashes{{PDQ: pdq, PHash: hash64(5)}, {Frame: 1, PDQ: pdq, PHash: hash64(6)}}},
			{Kind: semblance.PhotoshopThumbnail, Digests: hashing.DigestBytes([]byte("broken")), Reason: "it is not a JPEG"},
		},
		FaceSets: []semblance.FaceSet{
			{Engine: semblance.DlibHOG, Version: 1, Faces: []semblance.Face{}},
			{Engine: semblance.YuNetMobileFaceNet, Version: 1, Models: map[string]string{"yunet": "10"}, Dropped: 3, Detection: semblance.Detection{MinFace: 24, MinScore: 0.6}, Faces: []semblance.Face{
				{Box: semblance.Box{X: -1.25, Y: 2, W: 0.1, H: 9}, Landmarks: []semblance.Point{{X: 1.1, Y: 2.2}}, Score: 0.98, Quality: 80,
					Embedding: []float32{0.1, -0.25, math.MaxFloat32, math.SmallestNonzeroFloat32}, Crop: []byte("crop")},
				{Frame: 7, Score: 0.5, Quality: 3, Reasons: []string{"small"}},
			}},
		},
		Thumbnail: []byte("thumbnail"),
	}
}

// withoutPictures is what Media gives back of an analysis.
func withoutPictures(a *semblance.Analysis) *semblance.Analysis {
	a.Thumbnail = nil
	for _, set := range a.FaceSets {
		for i := range set.Faces {
			set.Faces[i].Crop = nil
		}
	}
	return a
}

// withoutVectors is what EachItem gives back of an analysis.
func withoutVectors(a *semblance.Analysis) *semblance.Analysis {
	for _, set := range withoutPictures(a).FaceSets {
		for i := range set.Faces {
			set.Faces[i].Embedding = nil
		}
	}
	return a
}

// record is one item of one media, of a picture that was not decoded.
func record(path, content string) semblance.ItemRecord {
	d := digests(content)
	sum256 := semblance.SHA256(d.SHA256)
	return semblance.ItemRecord{
		Item: semblance.Item{Path: path, Size: d.Size, Modified: time.Unix(1, 5).UTC(), Changed: time.Unix(2, 6).UTC(), Inode: 7,
			SHA256: &sum256, Status: semblance.ItemNew, Plan: "p1"},
		Media: &semblance.Media{Digests: d},
	}
}

func commit(t testing.TB, s *store.Store, e semblance.Exhibit, ids []semblance.CollectionID, records ...semblance.ItemRecord) {
	t.Helper()
	check(t, s.CommitItems(t.Context(), e.Case, e.ID, records, ids))
}

func items(t testing.TB, s *store.Store, e semblance.Exhibit) (list []semblance.Item) {
	t.Helper()
	for i, err := range s.Items(t.Context(), e.ID) {
		check(t, err)
		list = append(list, i)
	}
	return list
}

func TestItemsRoundTrip(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	first := record("b", "one")
	odd := semblance.ItemRecord{Item: semblance.Item{Path: `a/\xFF`, Size: math.MaxInt64, Modified: time.Time{}, // 1678 to 2262 is all nanoseconds can say
		Changed: time.Date(9000, 1, 2, 3, 4, 5, 6, time.UTC), Inode: math.MaxUint64, Status: semblance.ItemFailed, Code: semblance.MediaDamaged, Reason: "no."}}
	dup := record("B", "one")
	dup.Item.Status, dup.Media = semblance.ItemDuplicate, nil
	commit(t, s, e, nil, first, odd, dup)
	want := []semblance.Item{dup.Item, odd.Item, first.Item} // byte order: B before a
	for i := range want {
		want[i].Exhibit = e.ID
	}
	equal(t, "items", items(t, s, e), want)
	equal(t, "count", must(s.ItemCount(t.Context(), e.ID))(t), int64(3))
	for path, want := range map[string]semblance.ItemState{
		"B":      {Size: 3, Modified: 1e9 + 5, Changed: 2e9 + 6, Inode: 7, SHA256: sum("one"), Status: semblance.ItemDuplicate, Plan: "p1"},
		"b":      {Size: 3, Modified: 1e9 + 5, Changed: 2e9 + 6, Inode: 7, SHA256: sum("one"), Status: semblance.ItemNew, Plan: "p1"},
		`a/\xFF`: {Size: math.MaxInt64, Modified: odd.Item.Modified.UnixNano(), Changed: odd.Item.Changed.UnixNano(), Inode: math.MaxUint64, Status: semblance.ItemFailed, Code: semblance.MediaDamaged},
	} {
		got, known, err := s.ItemState(t.Context(), e.ID, path)
		if err != nil || !known {
			t.Fatalf("%s: %v, %v", path, known, err)
		}
		equal(t, path, got, want)
	}
	if _, known, err := s.ItemState(t.Context(), e.ID, "c"); known || err != nil {
		t.Errorf("an item that is not recorded: %v, %v", known, err)
	}
	for of, want := range map[string]string{"one": "b", "two": ""} {
		if got := must(s.FirstItem(t.Context(), e.ID, sum(of)))(t); got != want {
			t.Errorf("the first item of %s is %q", of, got)
		}
	}
	for range s.Items(t.Context(), e.ID) {
		break // leaves nothing open: Close would say so
	}
	for _, err := range s.Items(t.Context(), "none") {
		refused(t, err, semblance.NotFound)
	}
}

func TestUnchangedKeepsWhatWasRecorded(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	commit(t, s, e, nil, record("a", "one"))
	again := semblance.ItemRecord{Item: semblance.Item{Path: "a", Size: 99, Status: semblance.ItemUnchanged, Plan: "p2"}}
	commit(t, s, e, nil, again)
	want := record("a", "one").Item
	want.Exhibit, want.Plan = e.ID, "p2"
	equal(t, "items", items(t, s, e), []semblance.Item{want})
	again.Item.Path = "b"
	refused(t, s.CommitItems(t.Context(), e.Case, e.ID, []semblance.ItemRecord{again}, nil), semblance.Internal)
	changed := record("a", "two")
	commit(t, s, e, nil, changed)
	changed.Item.Exhibit = e.ID
	equal(t, "items", items(t, s, e), []semblance.Item{changed.Item})
}

func TestCommitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e, foreign := makeExhibit(t, s, c, "E1"), makeExhibit(t, s, makeCase(t, s, "2"), "E1")
	bad := record("b", "two")
	bad.Media = nil // refers to media that nobody recorded
	for _, err := range []error{
		s.CommitItems(t.Context(), c.ID, e.ID, []semblance.ItemRecord{record("a", "one"), bad}, nil),
		s.CommitItems(t.Context(), c.ID, e.ID, []semblance.ItemRecord{record("a", "one"), {Item: semblance.Item{Path: "x"}, Findings: &semblance.Findings{}}}, nil),
	} {
		refused(t, err, semblance.Internal)
	}
	refused(t, s.CommitItems(t.Context(), c.ID, foreign.ID, nil, nil), semblance.Invalid)
	refused(t, s.CommitItems(t.Context(), c.ID, "none", nil, nil), semblance.NotFound)
	if n := len(items(t, s, e)); n != 0 {
		t.Errorf("%d items are left of refused commits", n)
	}
	if m := must(s.Media(t.Context(), sum("one")))(t); m[0] != nil {
		t.Errorf("media is left of refused commits: %+v", m[0])
	}
}

func TestMediaRoundTrip(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	r, failed := record("a", "one"), record("b", "two")
	r.Media.Analysis = analysis()
	failed.Media.Code, failed.Media.Reason = semblance.MediaDamaged, "It is half a JPEG."
	commit(t, s, e, nil, r, failed)
	equal(t, "given", r.Media.Analysis, analysis()) // what is given is not changed
	got := must(s.Media(t.Context(), sum("none"), sum("two"), sum("one"), sum("two")))(t)
	one := &semblance.Media{Digests: digests("one"), Analysis: withoutPictures(analysis())}
	equal(t, "media", got, []*semblance.Media{nil, failed.Media, one, failed.Media})
	if crop := must(s.FaceCrop(t.Context(), sum("one"), semblance.YuNetMobileFaceNet, 0))(t); string(crop) != "crop" {
		t.Errorf("crop %q", crop)
	}
	if thumbnail := must(s.Thumbnail(t.Context(), sum("one")))(t); string(thumbnail) != "thumbnail" {
		t.Errorf("thumbnail %q", thumbnail)
	}
	_, err := s.FaceCrop(t.Context(), sum("one"), semblance.YuNetMobileFaceNet, 1)
	refused(t, err, semblance.NotFound)
	_, err = s.Thumbnail(t.Context(), sum("two"))
	refused(t, err, semblance.NotFound)
}

// TestVideoIsKept keeps what is known of a video, and its pictures apart from records.
func TestVideoIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	video := func(jpeg []byte) *semblance.Analysis {
		return &semblance.Analysis{Type: "video/mp4", Width: 64, Height: 48, Frames: 250, Decoder: "test",
			Metadata: semblance.Metadata{Make: "Apple", Video: &semblance.VideoFacts{Tags: []semblance.VideoTag{{Name: "encoder", Value: "x", Stream: true}}, Audio: []semblance.AudioStream{{Codec: "aac", Channels: 2}}}},
			Video:    &semblance.Video{Format: "mov", Codec: "h264", Looked: 20, Scenes: 3, Sheet: &semblance.ContactSheet{JPEG: jpeg, Columns: 2, Rows: 1, Width: 192, Height: 144, Seconds: []float64{0, 4.5}}},
			FaceSets: []semblance.FaceSet{{Engine: semblance.YuNetMobileFaceNet, Version: 2, Faces: []semblance.Face{{Frame: 25, Score: 0.5, Quality: 50,
				Appearance: &semblance.Appearance{Second: 1, From: 0.5, Until: 2.25, Frames: 4}}}}}}
	}
	r := record("a", "one")
	r.Media.Analysis = video([]byte("sheet"))
	commit(t, s, e, nil, r)
	equal(t, "given", r.Media.Analysis, video([]byte("sheet")))
	equal(t, "media", must(s.Media(t.Context(), sum("one")))(t)[0], &semblance.Media{Digests: digests("one"), Analysis: video(nil)})
	r.Media.Analysis = video(nil) // what Media gave has no pixels: they stay
	commit(t, s, e, nil, r)
	if jpeg := must(s.ContactSheet(t.Context(), sum("one")))(t); string(jpeg) != "sheet" {
		t.Errorf("contact sheet %q", jpeg)
	}
	_, err := s.ContactSheet(t.Context(), sum("two"))
	refused(t, err, semblance.NotFound)
}

func TestMediaOfManyDigests(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	var records []semblance.ItemRecord
	var sums []semblance.SHA256
	for i := range 1001 { // several chunks
		r := record(fmt.Sprint(i), fmt.Sprint(i))
		records, sums = append(records, r), append(sums, *r.Item.SHA256)
	}
	commit(t, s, e, nil, records...)
	for i, m := range must(s.Media(t.Context(), sums...))(t) {
		if m == nil || m.Digests.SHA256 != sums[i] {
			t.Fatalf("media %d is %+v", i, m)
		}
	}
}

// TestMediaAdds: media is shared by cases with other engines and hashes; what one
// case made of it is not lost to another.
func TestMediaAdds(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	r := record("a", "one")
	r.Media.Analysis = analysis()
	commit(t, s, e, nil, r)

	second := record("b", "one") // another case's: one engine and one hash
	second.Media.Analysis = &semblance.Analysis{Type: "image/jpeg", Decoder: "libjpeg-turbo 3", Hashes: []semblance.FrameHashes{{PHash: hash64(5)}},
		FaceSets: []semblance.FaceSet{{Engine: semblance.DlibHOG, Version: 2, Faces: []semblance.Face{{Score: 1}}}}}
	third := record("c", "one") // not decoded
	third.Media.Code = semblance.Timeout
	commit(t, s, e, nil, second, third)

	want := withoutPictures(analysis())
	want.Hashes[0].PHash = hash64(5)
	want.FaceSets[0] = second.Media.Analysis.FaceSets[0]
	want.Width, want.Height, want.Frames, want.Orientation, want.Partial, want.Warnings = 0, 0, 0, 0, "", nil
	want.Decoder, want.Metadata = "libjpeg-turbo 3", semblance.Metadata{}
	want.Looked, want.Embedded = 0, nil // what the newest reader says of the metadata
	got := must(s.Media(t.Context(), sum("one")))(t)[0]
	equal(t, "media", got, &semblance.Media{Digests: digests("one"), Analysis: want})

	back := record("a", "one") // what Media gave has no crops: they stay
	back.Media = got
	commit(t, s, e, nil, back)
	must(s.FaceCrop(t.Context(), sum("one"), semblance.YuNetMobileFaceNet, 0))(t)
	must(s.Thumbnail(t.Context(), sum("one")))(t)

	got.Analysis.FaceSets[1].Faces = got.Analysis.FaceSets[1].Faces[:1] // another face set: the old crop is not its
	got.Analysis.FaceSets[1].Faces[0].Score = 0.1
	commit(t, s, e, nil, back)
	_, err := s.FaceCrop(t.Context(), sum("one"), semblance.YuNetMobileFaceNet, 0)
	refused(t, err, semblance.NotFound)
	equal(t, "media", must(s.Media(t.Context(), sum("one")))(t)[0], got)
}

func TestReasonGivesWayToSuccessOnly(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	step := func(code semblance.Code, a *semblance.Analysis, want semblance.Code) {
		t.Helper()
		r := record("a", "one")
		r.Media.Code, r.Media.Analysis = code, a
		commit(t, s, e, nil, r)
		if got := must(s.Media(t.Context(), sum("one")))(t)[0].Code; got != want {
			t.Errorf("code %q, want %q", got, want)
		}
	}
	step(semblance.Timeout, nil, semblance.Timeout)
	step("", nil, semblance.Timeout)
	step(semblance.MediaDamaged, nil, semblance.MediaDamaged)
	step("", &semblance.Analysis{Type: "image/png"}, "")
	step(semblance.Timeout, nil, "")
}

func hit(collection string, n int) semblance.Hit {
	return semblance.Hit{Collection: collection, Owner: "BKA", Entry: semblance.EntryID(n), Algorithm: hashing.AlgorithmMD5, Weak: n%2 == 1, Value: "00"}
}

func findings(hashes, faces, good string) *semblance.Findings {
	return &semblance.Findings{
		Hits:           []semblance.Hit{hit(hashes, 2), hit(hashes, 1)},
		NearMatches:    []semblance.NearMatch{{Collection: hashes, Distance: 3, Transform: "rot90"}, {Collection: hashes, Distance: 9}},
		Candidates:     []semblance.Candidate{{Collection: faces, Subject: "S", Rank: 1, Distance: 0.1234, Band: semblance.NotCalibrated}},
		Contradictions: []semblance.Contradiction{{KnownGood: good, Other: hashes, Because: "hit"}},
		KnownGood:      []semblance.Hit{hit(good, 4)},
	}
}

func found(t testing.TB, s *store.Store, c semblance.CaseID, content string) *semblance.Findings {
	t.Helper()
	return must(s.Findings(t.Context(), c, sum(content)))(t)[0]
}

func TestFindingsAreReplacedByPlan(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	other := makeExhibit(t, s, makeCase(t, s, "2"), "E1")
	h, g := makeCollection(t, s, "hashes", semblance.Hashes), makeCollection(t, s, "good", semblance.KnownGood)
	f, f2 := makeCollection(t, s, "faces", semblance.Faces), makeCollection(t, s, "faces2", semblance.Faces)
	all := []semblance.CollectionID{h.ID, g.ID, f.ID}
	put := func(e semblance.Exhibit, ids []semblance.CollectionID, v *semblance.Findings) {
		t.Helper()
		r := record("a", "one")
		r.Findings = v
		commit(t, s, e, ids, r)
	}
	full := findings("hashes", "faces", "good")
	put(other, all, full)
	put(e, all, full)
	equal(t, "findings", found(t, s, e.Case, "one"), full)
	put(e, all, nil)
	equal(t, "findings that stand", found(t, s, e.Case, "one"), full)

	second := &semblance.Findings{Candidates: []semblance.Candidate{{Collection: "faces2", Rank: 1}}}
	put(e, []semblance.CollectionID{f2.ID}, second)
	both := findings("hashes", "faces", "good")
	both.Candidates = append(both.Candidates, second.Candidates...)
	equal(t, "findings of two plans", found(t, s, e.Case, "one"), both)

	put(e, []semblance.CollectionID{h.ID}, &semblance.Findings{Hits: []semblance.Hit{hit("hashes", 9)}})
	both.Hits, both.NearMatches = []semblance.Hit{hit("hashes", 9)}, nil
	equal(t, "one collection compared again", found(t, s, e.Case, "one"), both) // the contradiction is the other one's too

	put(e, append(all, f2.ID), &semblance.Findings{})
	if v := found(t, s, e.Case, "one"); v != nil {
		t.Errorf("left: %+v", v)
	}
	equal(t, "the other case", found(t, s, other.Case, "one"), full)
}

func TestEachItem(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e2, e1 := makeExhibit(t, s, c, "E2"), makeExhibit(t, s, c, "E1")
	r := record("é", "one")
	r.Media.Analysis, r.Findings = analysis(), findings("h", "f", "g")
	unread := semblance.ItemRecord{Item: semblance.Item{Path: "z", Status: semblance.ItemFailed}}
	commit(t, s, e2, nil, r)
	commit(t, s, e1, nil, unread, record("Z", "one"))
	var many []semblance.ItemRecord
	for i := range 900 { // several pages
		many = append(many, record(fmt.Sprintf("m/%04d", i), fmt.Sprint(i%450)))
	}
	commit(t, s, e2, nil, many...)
	var paths []string
	err := s.EachItem(t.Context(), c.ID, func(v store.ItemView) error {
		paths = append(paths, v.Exhibit.Label+"/"+v.Item.Path)
		switch {
		case v.Item.SHA256 == nil:
			if v.Media != nil || v.Findings != nil {
				t.Errorf("%+v", v)
			}
		case *v.Item.SHA256 == sum("one"):
			equal(t, "media", v.Media, &semblance.Media{Digests: digests("one"), Analysis: withoutVectors(analysis())})
			equal(t, "findings", v.Findings, findings("h", "f", "g"))
		default:
			if v.Media.Digests.SHA256 != *v.Item.SHA256 || v.Findings != nil {
				t.Errorf("%+v", v)
			}
		}
		return s.Append(t.Context(), event("view")) // f may use the store, and change it
	})
	check(t, err)
	if len(paths) != 903 || !slices.IsSorted(paths) || paths[0] != "E1/Z" || paths[902] != "E2/é" {
		t.Errorf("%d paths: %v", len(paths), paths[:3])
	}
	stop := errors.New("stop")
	if err := s.EachItem(t.Context(), c.ID, func(store.ItemView) error { return stop }); err != stop {
		t.Error(err)
	}
	refused(t, s.EachItem(t.Context(), "none", nil), semblance.NotFound)
}

func TestFindingRows(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c, other := makeCase(t, s, "1"), makeCase(t, s, "2")
	e2, e1 := makeExhibit(t, s, c, "E2"), makeExhibit(t, s, c, "E1")
	put := func(e semblance.Exhibit, path, content string, f *semblance.Findings) {
		t.Helper()
		r := record(path, content)
		r.Findings = f
		commit(t, s, e, nil, r)
	}
	put(e1, "b", "hit", &semblance.Findings{Hits: []semblance.Hit{hit("h", 1)}})
	put(e1, "a", "face", &semblance.Findings{Candidates: []semblance.Candidate{{Collection: "f", Rank: 1}}})
	put(e2, "a", "hit", nil) // the same media in another exhibit
	put(e2, "c", "both", findings("h", "f", "g"))
	put(e2, "d", "nothing", &semblance.Findings{})
	put(makeExhibit(t, s, other, "E1"), "x", "nothing", findings("h", "f", "g"))
	for name, test := range map[string]struct {
		filter store.FindingFilter
		want   string
	}{
		"all":        {store.FindingFilter{}, "E1/a E1/b E2/a E2/c"},
		"exhibit":    {store.FindingFilter{Exhibit: "E2"}, "E2/a E2/c"},
		"kind":       {store.FindingFilter{Kinds: []store.FindingKind{store.KindCandidate}}, "E1/a E2/c"},
		"kinds":      {store.FindingFilter{Kinds: []store.FindingKind{store.KindCandidate, store.KindHit}}, "E1/a E1/b E2/a E2/c"},
		"collection": {store.FindingFilter{Collection: "h"}, "E1/b E2/a E2/c"},
		"both":       {store.FindingFilter{Collection: "h", Kinds: []store.FindingKind{store.KindContradiction}}, "E2/c"},
		"page":       {store.FindingFilter{Limit: 2}, "E1/a E1/b"},
		"next page":  {store.FindingFilter{Limit: 2, After: store.Position{Exhibit: "E1", Path: "b"}}, "E2/a E2/c"},
		"last page":  {store.FindingFilter{After: store.Position{Exhibit: "E2", Path: "c"}}, ""},
		"no such":    {store.FindingFilter{Exhibit: "E3"}, ""},
	} {
		var got []string
		for _, r := range must(s.FindingRows(t.Context(), c.ID, test.filter))(t) {
			got = append(got, r.Exhibit+"/"+r.Path)
			if r.Findings.Empty() || r.Position() != (store.Position{Exhibit: r.Exhibit, Path: r.Path}) {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", name, got, test.want)
		}
	}
	rows := must(s.FindingRows(t.Context(), c.ID, store.FindingFilter{Exhibit: "E2", Kinds: []store.FindingKind{store.KindCandidate}}))(t)
	want := semblance.Findings{Candidates: findings("h", "f", "g").Candidates}
	equal(t, "row", rows, []store.FindingRow{{Exhibit: "E2", Path: "c", Media: sum("both"), Size: 4, Status: semblance.ItemNew, Findings: want}})
	_, err := s.FindingRows(t.Context(), "none", store.FindingFilter{})
	refused(t, err, semblance.NotFound)
}

func TestTally(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e, other := makeExhibit(t, s, c, "E1"), makeExhibit(t, s, c, "E2")
	if got := must(s.Tally(t.Context(), c.ID, e.ID))(t); !reflect.DeepEqual(got, semblance.Tally{}) {
		t.Errorf("%+v", got)
	}
	r, dup := record("a", "one"), record("b", "one")
	r.Media.Analysis, r.Findings = analysis(), findings("h", "f", "g")
	r.Media.Analysis.FaceSets[0].Faces = []semblance.Face{{Quality: 1}} // fewer than the other engine
	dup.Item.Status, dup.Media = semblance.ItemDuplicate, nil
	commit(t, s, e, nil, r, dup, record("c", "two"), semblance.ItemRecord{Item: semblance.Item{Path: "d", Status: semblance.ItemFailed}})
	commit(t, s, other, nil, record("x", "three"))
	want := semblance.Tally{Items: 4, Media: 2, Partial: 1, Faces: 2, FacesPoor: 1, Hits: 4, WeakHits: 2, NearMatches: 4, Candidates: 2, Contradictions: 2, Failed: 1, HitMedia: 1, NearMatchMedia: 1, CandidateMedia: 1,
		Collections: []semblance.CollectionTally{{Collection: "f", Candidates: 2}, {Collection: "g", Contradictions: 2}, {Collection: "h", Hits: 4, NearMatches: 4}}}
	if got := must(s.Tally(t.Context(), c.ID, e.ID))(t); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// TestNotedContainers: what images say of themselves is found again without the scan.
func TestNotedContainers(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e, other := makeExhibit(t, s, c, "E1"), makeExhibit(t, s, c, "E2")
	opened := func(path string, notes ...string) semblance.ItemRecord {
		r := record(path, path)
		r.Item.Opened = &semblance.Opened{ContainerFacts: semblance.ContainerFacts{Format: "raw", Notes: notes}, Complete: true}
		return r
	}
	commit(t, s, e, nil, opened("b.img", "vol1@0: ext4", "verified"), opened("a.zip"), opened("a.img", "short"), record("file", "file"))
	commit(t, s, other, nil, opened("c.img", "of another exhibit"))
	var got []string
	for _, r := range must(s.NotedContainers(t.Context(), c.ID, "E1", 0))(t) {
		got = append(got, r.Item.Path+" "+strings.Join(r.Item.Opened.Notes, "; "))
	}
	equal(t, "containers", got, []string{"a.img short", "b.img vol1@0: ext4; verified"})
	if n := len(must(s.NotedContainers(t.Context(), c.ID, "E1", 1))(t)); n != 1 {
		t.Errorf("%d containers of at most one", n)
	}
}

// TestTallyCountsMediaOnce: what was found is counted at every item, and a media once,
// wherever it lies, also where the only hit is in the name of one of its items.
func TestTallyCountsMediaOnce(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e, other := makeExhibit(t, s, c, "E1"), makeExhibit(t, s, c, "E2")
	named := func(x semblance.Exhibit, path, content string) semblance.ItemRecord {
		r := record(path, content)
		h := hit("s", 2)
		h.Algorithm, h.Place, h.Item, h.Exhibit = semblance.SelectorAlgorithm("user"), "name", path, x.ID
		r.Name = &semblance.NameExamination{Hits: []semblance.Hit{h}}
		return r
	}
	first := record("a", "known")
	first.Findings = &semblance.Findings{Hits: []semblance.Hit{hit("h", 1), hit("h", 2), hit("more", 2)}}
	commit(t, s, e, nil, first, record("b", "known"), record("c", "plain"), named(e, "d", "plain"), named(e, "f", "plain"))
	commit(t, s, other, nil, record("x", "plain")) // without that name
	got := must(s.Tally(t.Context(), c.ID, e.ID))(t)
	if got.Hits != 8 || got.HitMedia != 2 || got.Media != 2 || got.NearMatchMedia != 0 {
		t.Errorf("%+v", got)
	}
	equal(t, "collections", got.Collections, []semblance.CollectionTally{{Collection: "h", Hits: 4}, {Collection: "more", Hits: 2}, {Collection: "s", Hits: 2}})
	if got = must(s.Tally(t.Context(), c.ID, other.ID))(t); got.Hits != 0 || got.HitMedia != 0 || got.Collections != nil {
		t.Errorf("the other exhibit: %+v", got)
	}
}

// TestTallyNamesFloods: one entry near many contents is a flood, an entry near a few
// contents, or near one content in many places, is not.
func TestTallyNamesFloods(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	c := makeCase(t, s, "1")
	e := makeExhibit(t, s, c, "E1")
	near := func(path, content, collection string, entry semblance.EntryID) semblance.ItemRecord {
		r := record(path, content)
		r.Findings = &semblance.Findings{NearMatches: []semblance.NearMatch{{Collection: collection, Entry: entry, Distance: 3}, {Collection: collection, Entry: entry, Distance: 5, Frame: 1}}}
		return r
	}
	var records []semblance.ItemRecord
	for i := range semblance.LeastFlood {
		records = append(records, near(fmt.Sprint("flat", i), fmt.Sprint("flat", i), "wide", 7))
		if i > 0 {
			records = append(records, near(fmt.Sprint("few", i), fmt.Sprint("few", i), "wide", 8))
		}
		records = append(records, near(fmt.Sprint("copy", i), "copied", "other", 9))
	}
	commit(t, s, e, nil, records...)
	got := must(s.Tally(t.Context(), c.ID, e.ID))(t).Floods
	equal(t, "floods", got, []semblance.Flood{{Collection: "wide", Entry: 7, Media: semblance.LeastFlood, Of: 2 * semblance.LeastFlood}})
	records = nil
	for i := range 60 {
		records = append(records, near(fmt.Sprint("more", i), fmt.Sprint("more", i), "wide", semblance.EntryID(100+i)))
	}
	commit(t, s, e, nil, records...)
	got = must(s.Tally(t.Context(), c.ID, e.ID))(t).Floods
	if len(got) != 2 || got[0] != (semblance.Flood{Collection: "wide", Media: 109, Of: 110}) {
		t.Errorf("a whole collection: %+v", got)
	}
}

// manyItems fills an exhibit with n items of as many media.
func manyItems(t testing.TB, s *store.Store, n int) semblance.Exhibit {
	t.Helper()
	e := makeExhibit(t, s, makeCase(t, s, "1"), "E1")
	const batch = 5000
	for i := 0; i < n; i += batch {
		records := make([]semblance.ItemRecord, batch)
		for j := range records {
			records[j] = record(manyPath(i+j), manyPath(i+j))
		}
		commit(t, s, e, nil, records...)
	}
	return e
}

func manyPath(i int) string { return fmt.Sprintf("DCIM/camera/2026/IMG_%08d.jpg", i) }

// BenchmarkItemState asks for one of 20,000 items: what a resumed scan does for each file.
func BenchmarkItemState(b *testing.B) {
	s := open(b, b.TempDir())
	const n = 20_000
	e := manyItems(b, s, n)
	for i := 0; b.Loop(); i++ {
		if _, known, err := s.ItemState(b.Context(), e.ID, manyPath(i%n)); err != nil || !known {
			b.Fatal(known, err)
		}
	}
}

func BenchmarkEachItem20k(b *testing.B) {
	s := open(b, b.TempDir())
	const n = 20_000
	e := manyItems(b, s, n)
	for b.Loop() {
		seen := 0
		check(b, s.EachItem(b.Context(), e.Case, func(store.ItemView) error { seen++; return nil }))
		if seen != n {
			b.Fatal(seen)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/item")
}

// TestCandidatesStayAtTheirFaces looks at a media again, in another case and more closely:
// a new face comes before the old one, and the candidate of the first case is still of the
// face that it was of, or of none, but never of another.
func TestCandidatesStayAtTheirFaces(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	first, second := makeExhibit(t, s, makeCase(t, s, "1"), "E1"), makeExhibit(t, s, makeCase(t, s, "2"), "E1")
	hers := semblance.Face{Box: semblance.Box{X: 1.1, Y: 2.2, W: 30.3, H: 40.4}, Score: 0.8, Quality: 70, Embedding: []float32{1}}
	other := semblance.Face{Box: semblance.Box{X: 90, Y: 2, W: 30, H: 40}, Score: 0.9, Quality: 70, Embedding: []float32{2}}
	look := func(version int, faces ...semblance.Face) semblance.ItemRecord {
		r := record("a.jpg", "one")
		r.Media.Analysis = &semblance.Analysis{Type: "image/jpeg", FaceSets: []semblance.FaceSet{{Engine: semblance.DefaultEngine, Version: version, Faces: faces}}}
		return r
	}
	candidate := semblance.Candidate{Face: 0, Box: hers.Box, Collection: "g", Subject: "s", Engine: semblance.DefaultEngine, Version: 2}
	r := look(2, hers)
	r.Findings = &semblance.Findings{Candidates: []semblance.Candidate{candidate}}
	commit(t, s, first, nil, r)
	for _, c := range []struct {
		story string
		again semblance.ItemRecord
		want  int
	}{
		{"a face is found before hers", look(2, other, hers), 1},
		{"the same again", look(2, other, hers), 1},
		{"a look that finds hers only", look(2, hers), 0},
		{"a look that does not find hers", look(2, other), -1},
		{"another version has the same box by chance", look(3, hers), -1},
	} {
		commit(t, s, second, nil, c.again)
		found := must(s.Findings(t.Context(), first.Case, sum("one")))(t)
		if len(found) != 1 || found[0] == nil || len(found[0].Candidates) != 1 {
			t.Fatalf("%s: the candidate is gone: %+v", c.story, found)
		}
		want := candidate
		want.Face = c.want
		equal(t, c.story, found[0].Candidates[0], want)
	}
}
