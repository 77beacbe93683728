package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"semblance"
	"semblance/hashing"
)

// FuzzReply feeds the parent's side of the connection with anything. What gets
// through must be a possible answer, and cost no more memory than it may.
func FuzzReply(f *testing.F) {
	req := semblance.AnalyzeRequest{Hashes: []hashing.Algorithm{hashing.AlgorithmPDQ}, Engine: semblance.YuNetDlib, Crops: true, Thumbnail: 64}
	req.Limits = semblance.DefaultLimits()
	good, err := marshalFrame(&reply{Analysis: &semblance.Analysis{Type: "image/jpeg", Width: 3, Height: 2, Decoder: "d",
		Hashes:   []semblance.FrameHashes{{PDQ: &hashing.PDQResult{}}},
		FaceSets: []semblance.FaceSet{{Engine: semblance.YuNetDlib, Version: 1, Faces: []semblance.Face{}}}}}, maxReply)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, '{', '}'})
	f.Add([]byte("\x00\x00\x00\x3f" + `{"error":{"code":"media-damaged","msg":"m\u0000","hint":"\ud800"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := readFrame(bytes.NewReader(b), replyBudget(&req).bytes)
		if err != nil {
			return
		}
		r, err := parseReply(frame, replyBudget(&req))
		if err != nil {
			return
		}
		if r.Error != nil {
			var v *violation
			if err := checkRemote(r.Error); !errors.As(err, &v) && (!printable(err.Error()) || !printable(semblance.HintOf(err))) {
				t.Errorf("%q is shown as %q", b, err)
			}
		}
		if r.Analysis == nil || checkAnalysis(r.Analysis, &req, &Options{}) != nil {
			return
		}
		a := r.Analysis
		if _, ran := a.Faces(semblance.YuNetDlib); !ran || len(a.Hashes) == 0 || !printable(a.Type) || int64(a.Width)*int64(a.Height) > req.Limits.Pixels {
			t.Errorf("%q got through as %+v", b, a)
		}
		if _, err := json.Marshal(a); err != nil {
			t.Errorf("what got through cannot be stored: %v", err)
		}
	})
}

func TestFrameRoundTrip(t *testing.T) {
	t.Parallel()
	want := reply{Error: &remoteError{Code: semblance.MediaDamaged, Msg: `<a & "b">` + strings.Repeat("é", 300)}}
	b, err := marshalFrame(&want, maxReply)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := readFrame(bytes.NewReader(b), maxReply)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseReply(frame, budget{bytes: maxReply, objects: 100, values: 100})
	if err != nil || *got.Error != *want.Error {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := marshalFrame(&want, 10); err == nil {
		t.Error("a frame over the limit was made")
	}
	for n := range len(b) {
		if _, err := readFrame(bytes.NewReader(b[:n]), maxReply); err == nil {
			t.Errorf("a frame cut after %d bytes was read", n)
		}
	}
}

func TestAClaimedLengthCostsNoMemory(t *testing.T) {
	claim := []byte{0x03, 0xff, 0xff, 0xff, '{'} // 64 MiB, less one
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := readFrame(bytes.NewReader(claim), maxReply); err == nil {
			t.Fatal("half a frame was read")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 10<<20 {
		t.Errorf("%d bytes for ten frames of one byte", n)
	}
}

func TestRingKeepsTheEnd(t *testing.T) {
	t.Parallel()
	r := newRing(8)
	for _, tt := range []struct{ write, all string }{
		{"abc", "abc"}, {"defgh", "abcdefgh"}, {"ij", "cdefghij"}, {"0123456789abcdef", "89abcdef"}, {"", "89abcdef"}, {"Z", "9abcdefZ"},
	} {
		if n, err := r.Write([]byte(tt.write)); n != len(tt.write) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := r.Since(0); got != tt.all {
			t.Errorf("after %q: %q, want %q", tt.write, got, tt.all)
		}
	}
	if got := r.Since(r.Total() - 3); got != "efZ" {
		t.Errorf("the last three: %q", got)
	}
	if got := r.Since(r.Total()); got != "" {
		t.Errorf("nothing new: %q", got)
	}
}
