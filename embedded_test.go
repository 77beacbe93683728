package semblance_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// TestThumbnailsAreCompared: a file that shows something harmless and whose thumbnail shows
// what is known is found by it, by digest and by hash, and says on what it rests.
func TestThumbnailsAreCompared(t *testing.T) {
	r := newRig(t)
	known, other := strings.Repeat("0f", 32), strings.Repeat("3c", 32)
	r.collection("known", semblance.Hashes)
	r.collection("digests", semblance.Hashes)
	r.collection("both", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	inside := bits(t, known, 9)
	d := hashing.DigestBytes([]byte(inside))
	edited := picture{PDQ: other, Inside: inside, Salt: "edited"}
	r.list("known", "pdq:"+known+"\n")
	r.list("digests", hex.EncodeToString(d.SHA1[:])+"\n")
	r.list("good", hex.EncodeToString(d.SHA256[:])+"\n") // a known-good thumbnail says nothing of the file
	whole := hashing.DigestBytes(edited.bytes(t))
	r.list("both", hex.EncodeToString(d.SHA256[:])+"\n"+hex.EncodeToString(whole.MD5[:])+"\n")

	x := r.examine(edited.bytes(t), "known", "digests", "good", "both")
	f := x.Findings
	if x.Status != semblance.ItemNew || len(f.Hits) != 2 || len(f.NearMatches) != 1 || len(f.KnownGood)+len(f.Contradictions) != 0 {
		t.Fatalf("%s, %+v", x.Status, f)
	}
	if h := f.Hits[0]; h.Collection != "both" || h.Embedded != "" || !h.Weak {
		t.Errorf("a hit of the file's own goes before the thumbnail's: %+v", h)
	}
	if h := f.Hits[1]; h.Collection != "digests" || h.Embedded != semblance.EXIFThumbnail || h.Value != hex.EncodeToString(d.SHA1[:]) || h.Weak {
		t.Errorf("%+v", h)
	}
	if n := f.NearMatches[0]; n.Embedded != semblance.EXIFThumbnail || n.Distance != 9 || n.EntryValue != known {
		t.Errorf("%+v", n)
	}

	// What the file itself shows goes before its thumbnail, even where that is nearer.
	unedited := picture{PDQ: bits(t, known, 20), Inside: known}
	if f := r.examine(unedited.bytes(t), "known").Findings; len(f.NearMatches) != 1 || f.NearMatches[0].Embedded != "" || f.NearMatches[0].Distance != 20 {
		t.Errorf("%+v", f)
	}
}

// TestOldMediaAreLookedAtAgain: what an earlier version decoded without looking at its
// metadata is decoded once more.
func TestOldMediaAreLookedAtAgain(t *testing.T) {
	r := newRig(t)
	r.collection("known", semblance.Hashes)
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"known"}})
	if err != nil {
		t.Fatal(err)
	}
	b := picture{PDQ: strings.Repeat("0f", 32)}.bytes(t)
	x, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), nil, r.file(b), "")
	if err != nil {
		t.Fatal(err)
	}
	x.Media.Analysis.Looked = 0
	again, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &x.Media, r.file(b), "")
	if err != nil || !again.Decoded {
		t.Errorf("decoded %v, %v", again.Decoded, err)
	}
}

// TestTraces: what links two files is written by programs in many ways, and placeholders
// link nothing.
func TestTraces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		serial string
		want   string // "" for no trace
	}{{" ab  12 ", "AB 12"}, {"0000000", ""}, {"0", ""}, {"111", ""}, {"123", "123"}, {"Unknown", ""}, {"", ""}, {"XXXX", ""}, {"FFFFFFFF", ""}, {"00:00:00", ""}} {
		m := semblance.Metadata{Make: "acme", Serial: c.serial}
		got := m.Traces()
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || got[0] != semblance.Trace{Kind: semblance.TraceSerial, Maker: "ACME", Value: c.want}) {
			t.Errorf("%q: %+v", c.serial, got)
		}
	}
}
