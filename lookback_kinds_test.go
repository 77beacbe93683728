package semblance_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// TestLookbackAtVideos: pictures and videos, new entries of both, by frames and by TMK.
func TestLookbackAtVideos(t *testing.T) {
	r := newLookbackRig(t, 31)
	r.collection("known", semblance.Hashes)
	r.collection("strict", semblance.Hashes)
	for _, name := range []string{"known", "strict"} { // with a TMK, so that scans make it of videos
		r.addMedia(name, "unrelated.mp4", picture{Film: scenes(9, 20)}, hashing.AlgorithmTMK)
	}
	film, other, still := scenes(1, 40), scenes(2, 40), scenes(3, 2)
	r.exhibit("C1", "E1", []picture{{Film: film[5:30]}, {PDQ: bits(t, other[7], 12)}, {PDQ: still[1], Turned: bits(t, other[20], 4)}, {PDQ: still[0]}}, "known", "strict")
	r.exhibit("C2", "E2", []picture{{Film: append(scenes(4, 3), still[0])}, {Film: film}}, "known")
	r.addMedia("known", "film.mp4", picture{Film: film, Salt: "another file"}, hashing.AlgorithmTMK)
	r.addMedia("known", "other.mp4", picture{Film: other})
	r.list("known", "pdq:"+bits(t, still[0], 10)+"\n")
	// Near: two videos of the film, two pictures of the other one, a video's frame and a picture of the still.
	if told := r.check("videos"); told != 6 {
		t.Errorf("%d findings changed, want 6", told)
	}
	if _, err := r.RemoveEntries(t.Context(), tester, "known", semblance.EntryRemoval{Source: "film.mp4"}); err != nil {
		t.Fatal(err)
	}
	if told := r.check("a video is removed"); told != 2 {
		t.Errorf("%d findings changed, want 2", told)
	}
}

func TestLookbackAtDigestSets(t *testing.T) {
	r := newLookbackRig(t, 32)
	r.withSets()
	r.world(40)
	r.set("known", "first.txt", strings.Repeat("0123456789abcdef", 4)+"\n")
	var text strings.Builder
	for i, p := range r.pictures[:20] {
		d := hashing.DigestBytes(p.bytes(t))
		fmt.Fprintln(&text, []string{hex.EncodeToString(d.MD5[:]), hex.EncodeToString(d.SHA1[:]), hex.EncodeToString(d.SHA256[:])}[i%3])
	}
	for _, p := range r.pictures[20:] { // and thumbnails
		if p.Inside != "" {
			fmt.Fprintf(&text, "%x\n", hashing.DigestBytes([]byte(p.Inside)).SHA1)
		}
	}
	s := r.set("known", "list.txt", text.String())
	added := r.check("a set is added")
	if _, err := r.RemoveSet(t.Context(), tester, "known", string(s.ID)); err != nil {
		t.Fatal(err)
	}
	if removed := r.check("a set is removed"); added < 23 || removed != added {
		t.Errorf("%d findings changed when the set came, %d when it went", added, removed)
	}
}

func TestLookbackAtSuppliedValues(t *testing.T) {
	r := newLookbackRig(t, 33)
	withProvider(r.rig)
	r.collection("police", semblance.Hashes, func(c *semblance.Collection) { c.PhotoDNADistance = 4 * 30 })
	r.exhibit("C1", "E1", []picture{{PDQ: r.hash()}, {PDQ: r.hash()}}, "police")
	r.importValues("police", 144) // at 456
	if told := r.check("a value that is far"); told != 0 {
		t.Errorf("%d findings changed", told)
	}
	r.importValues("police", 0, 31) // at 120 and 4
	if told := r.check("values that are near"); told != 4 {
		t.Errorf("%d findings changed, want 4", told)
	}
	r.exhibit("C2", "E2", []picture{{PDQ: r.hash()}}, "police")
	r.importValues("police", 29)
	if told := r.check("one more exhibit"); told != 3 {
		t.Errorf("%d findings changed, want 3", told)
	}
}
