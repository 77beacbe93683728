package semblance_test

import (
	"testing"

	"semblance"
	"semblance/hashing"
)

// TestLookBackAtVideos gives collections entries that are near videos which were scanned
// before: by a picture, by a video, and by TMK alone.
func TestLookBackAtVideos(t *testing.T) {
	r := newLookbackRig(t, 31)
	for _, name := range []string{"pictures", "videos"} {
		r.collection(name, semblance.Hashes)
	}
	r.addMedia("videos", "first.mp4", picture{Film: scenes(40, 8)}, hashing.AlgorithmTMK) // so that scans make TMK
	film := scenes(41, 20)
	r.exhibit("C1", "E", []picture{{Film: film}, {PDQ: scenes(42, 1)[0]}, {Film: scenes(43, 20)}}, "pictures", "videos")
	step := func(what string, found int) {
		t.Helper()
		res, err := r.LookBack(t.Context(), tester, semblance.LookbackRequest{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n := 0
		for _, c := range res.Collections {
			n += c.Found
			if c.Lacking > 0 {
				t.Errorf("%s: %+v", what, c)
			}
		}
		if n != found {
			t.Errorf("%s: %d notices, want %d: %+v", what, n, found, res.Collections)
		}
	}
	r.addMedia("pictures", "still.png", picture{PDQ: bits(t, film[11], 7)})
	step("a picture that one of the videos shows", 1)
	r.addMedia("videos", "clip.mp4", picture{Film: film[5:9]})
	step("a video that shares frames with one", 1)
	r.addMedia("videos", "other.mp4", picture{Film: scenes(44, 9)})
	step("a video that shares none", 0)

	before := r.state()
	for i := range r.exhibits {
		r.scan(r.exhibits[i])
	}
	near := 0
	for media, f := range r.state() {
		if f == nil {
			f = &semblance.Findings{}
		}
		old := before[media]
		if old == nil {
			old = &semblance.Findings{}
		}
		if len(f.NearMatches) != len(old.NearMatches) {
			t.Errorf("a scan gives %+v, the look-backs gave %+v", f.NearMatches, old.NearMatches)
		}
		near += len(f.NearMatches)
	}
	if near != 2 {
		t.Errorf("%d near matches", near)
	}
}
