package semblance_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/index/frames"
	"semblance/objects"
	"semblance/store"
)

// A picture is what the tests' analyzer reads instead of pixels: JSON that says
// what is in it.
type picture struct {
	PDQ     string      `json:"pdq,omitempty"`
	Turned  string      `json:"turned,omitempty"` // the hash of the mirrored picture
	Quality int         `json:"quality,omitempty"`
	PHash   *uint64     `json:"phash,omitempty"`
	Faces   [][]float32 `json:"faces,omitempty"`  // embeddings
	Second  [][]float32 `json:"second"`           // embeddings of engine yunet-dlib, where they differ
	Poor    []int       `json:"poor,omitempty"`   // faces too poor to search
	Broken  []int       `json:"broken,omitempty"` // faces whose embedding is not a number
	Grades  []float32   `json:"grades,omitempty"` // qualities of the faces, where they are not 80
	Taken   string      `json:"taken,omitempty"`
	Fail    string      `json:"fail,omitempty"`
	Salt    string      `json:"salt,omitempty"`
	Inside  string      `json:"inside,omitempty"` // PDQ of a thumbnail in its metadata, whose bytes are this text
	Shown   []string    `json:"shown,omitempty"`  // of a video that is shown turned by 90 degrees, the PDQ of its frames as they are shown
	Mirror  []string    `json:"mirror,omitempty"` // of a video, the PDQ of its frames mirrored
	Film    []string    `json:"film,omitempty"`   // PDQ of a video, a second apart; Poor are frames of little quality
}

func (p picture) bytes(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A fakeAnalyzer is an Analyzer that counts what it decodes.
type fakeAnalyzer struct {
	mu      sync.Mutex
	decoded int
	asked   semblance.AnalyzeRequest // last
	engines semblance.EngineSet
}

var _ semblance.Analyzer = (*fakeAnalyzer)(nil)

func (f *fakeAnalyzer) Analyze(_ context.Context, file *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	f.mu.Lock()
	f.decoded++
	f.asked = req
	f.mu.Unlock()
	info, err := file.Stat()
	if err != nil {
		return semblance.Analysis{}, err
	}
	b := make([]byte, info.Size())
	if _, err := file.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return semblance.Analysis{}, err
	}
	var p picture
	if json.Unmarshal(b, &p) != nil {
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaUnsupported, "not a picture")
	}
	if p.Fail != "" {
		return semblance.Analysis{}, semblance.Errorf(semblance.Code(p.Fail), "it fails")
	}
	if len(p.Film) > 0 {
		if len(req.Videos) == 0 {
			return semblance.Analysis{}, semblance.Errorf(semblance.MediaUnsupported, "this is a video (video/test)")
		}
		a := p.film(req.Videos)
		for _, name := range req.Engines {
			spec, err := f.engines.ByName(name)
			if err != nil {
				return a, err
			}
			set := p.faces(spec)
			set.Detection = req.Detection
			for i := range set.Faces { // one after the other, each for two seconds, every second one with the one before
				from := float64(2 * (i / 2))
				set.Faces[i].Frame, set.Faces[i].Appearance = 50*(i/2)+i%2, &semblance.Appearance{Second: from + 1, From: from, Until: from + 1.5, Frames: 4}
			}
			a.FaceSets = append(a.FaceSets, set)
			a.Video.Looked = 10
		}
		return a, nil
	}
	a := semblance.Analysis{Type: "image/test", Width: 100, Height: 100, Frames: 1, Decoder: "test 1", Looked: semblance.MetadataReader, Metadata: semblance.Metadata{Taken: p.Taken}}
	if len(req.Hashes) > 0 {
		a.Hashes = []semblance.FrameHashes{p.hashes(req.Hashes)}
	}
	if p.Inside != "" {
		a.Embedded = []semblance.EmbeddedPicture{{Kind: semblance.EXIFThumbnail, Digests: hashing.DigestBytes([]byte(p.Inside)), Width: 16, Height: 12}}
		if len(req.Hashes) > 0 {
			a.Embedded[0].Hashes = []semblance.FrameHashes{picture{PDQ: p.Inside}.hashes(nil)}
		}
	}
	for _, name := range req.Engines {
		spec, err := f.engines.ByName(name)
		if err != nil {
			return a, err
		}
		set := p.faces(spec)
		set.Detection = req.Detection
		a.FaceSets = append(a.FaceSets, set)
	}
	return a, nil
}

func (p picture) hashes(algs []hashing.Algorithm) semblance.FrameHashes {
	r := &hashing.PDQResult{Quality: p.Quality}
	if p.Quality == 0 {
		r.Quality = 100
	}
	r.Hash, _ = hashing.ParsePDQ(p.PDQ)
	for i := range r.Turned {
		r.Turned[i] = hashing.PDQ{0: byte(i), 31: 0x55} // far from everything in these tests
	}
	r.Turned[hashing.Original] = r.Hash
	if p.Turned != "" {
		r.Turned[hashing.FlipY], _ = hashing.ParsePDQ(p.Turned)
	}
	f := semblance.FrameHashes{PDQ: r}
	if p.PHash != nil && slices.Contains(algs, hashing.AlgorithmPHash) {
		h := hashing.Hash64(*p.PHash)
		f.PHash = &h
	}
	return f
}

func (p picture) faces(spec semblance.EngineSpec) semblance.FaceSet {
	set := semblance.FaceSet{Engine: spec.Name, Version: spec.Version, Faces: []semblance.Face{}}
	vectors := p.Faces
	if p.Second != nil && spec.Name == semblance.YuNetDlib {
		vectors = p.Second
	}
	for i, v := range vectors {
		e := make([]float32, spec.Dimensions)
		copy(e, v)
		if slices.Contains(p.Broken, i) {
			e[0] = float32(math.NaN())
		}
		f := semblance.Face{Box: semblance.Box{X: float32(10 * i), W: 10, H: 10}, Score: 0.9, Quality: 80, Embedding: e, Crop: []byte("jpeg")}
		if i < len(p.Grades) {
			f.Quality, f.Reasons = p.Grades[i], []string{"blurred"}
			f.Components = &semblance.Components{InterEyeDistance: 90, Sharpness: 12, UnderExposure: 100, OverExposure: 100, DynamicRange: 100, Illumination: 100, Yaw: 40, Pitch: 100, Roll: 100, Crop: 100, Score: 90}
		}
		if slices.Contains(p.Poor, i) {
			f.Quality, f.Reasons = 5, []string{"small"}
		}
		set.Faces = append(set.Faces, f)
	}
	return set
}

// A rig is an Engine over a real store, real indexes and the tests' analyzer.
type rig struct {
	*semblance.Engine
	t        *testing.T
	store    *store.Store
	analyzer *fakeAnalyzer
	missing  map[semblance.EngineName]bool
}

var tester = semblance.Actor{Name: "tester@host", Via: "cli"}

func newRig(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir, store.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	folder, err := objects.Open(filepath.Join(dir, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: s, analyzer: &fakeAnalyzer{}, missing: map[semblance.EngineName]bool{}}
	r.Engine = semblance.New(semblance.Parts{Cases: s, Collections: s, References: s, Subjects: s, Staging: s, Entries: s, Selectors: s, Media: s, Requests: s, Categories: s, Audit: s, Calibrations: s, Objects: folder,
		Vectors: index.NewFlat(), Hashes: index.NewHashes(), Videos: frames.New(), Analyzer: r.analyzer,
		CheckEngine: func(_ context.Context, n semblance.EngineName) error {
			if r.missing[n] {
				return semblance.Errorf(semblance.Unavailable, "the weights are missing").WithHint("Pull them.")
			}
			return nil
		}})
	if _, err := r.CreateCase(t.Context(), tester, semblance.Case{Number: "C1", Agency: "A", Country: "nl", Purpose: "p", Basis: "b"}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) collection(name string, kind semblance.CollectionKind, change ...func(*semblance.Collection)) semblance.Collection {
	r.t.Helper()
	c := semblance.Collection{Name: name, Kind: kind, Owner: "Agency of " + name, Country: "NL", Basis: "b"}
	for _, f := range change {
		f(&c)
	}
	c, err := r.CreateCollection(r.t.Context(), tester, c)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) file(b []byte) *os.File {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { f.Close() })
	return f
}

func (r *rig) enroll(collection, subject string, v ...float32) semblance.Reference {
	r.t.Helper()
	p := picture{Faces: [][]float32{v}, Salt: subject}
	got, err := r.Enroll(r.t.Context(), tester, semblance.EnrollRequest{Collection: collection, Subject: subject, Source: subject + ".jpg", File: r.file(p.bytes(r.t))})
	if err != nil || !got.Added {
		r.t.Fatalf("enroll %s: added %v, %v", subject, got.Added, err)
	}
	return got.Reference
}

func (r *rig) list(collection, text string) semblance.ImportResult {
	r.t.Helper()
	res, err := r.ImportHashes(r.t.Context(), tester, collection, "list.txt", hashing.AlgorithmSHA256, strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// examine plans and examines bytes.
func (r *rig) examine(b []byte, collections ...string) semblance.Examination {
	r.t.Helper()
	plan, err := r.Plan(r.t.Context(), "C1", semblance.PlanOptions{Collections: collections})
	if err != nil {
		r.t.Fatal(err)
	}
	x, err := r.Examine(r.t.Context(), plan, hashing.DigestBytes(b), nil, r.file(b), "")
	if err != nil {
		r.t.Fatal(err)
	}
	return x
}

// bits returns a PDQ with n of the given one's bits turned over.
func bits(t *testing.T, h string, n int) string {
	t.Helper()
	b, err := hex.DecodeString(h)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		b[i/8] ^= 1 << (i % 8)
	}
	return hex.EncodeToString(b)
}

const somePDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"

func wantCode(t *testing.T, err error, code semblance.Code) {
	t.Helper()
	if semblance.CodeOf(err) != code {
		t.Fatalf("got %v (code %q), want code %q", err, semblance.CodeOf(err), code)
	}
}

func TestHitRestsOnTheStrongestDigest(t *testing.T) {
	r := newRig(t)
	r.collection("strong", semblance.Hashes)
	r.collection("weak", semblance.Hashes)
	b := picture{PDQ: somePDQ}.bytes(t)
	d := hashing.DigestBytes(b)
	r.list("strong", fmt.Sprintf("%x,series 7\n%x\n%x\n", d.SHA1, d.MD5, d.SHA256))
	r.list("weak", fmt.Sprintf("%x,only md5\n", d.MD5))
	x := r.examine(b, "strong", "weak")
	if len(x.Findings.Hits) != 2 {
		t.Fatalf("hits: %+v", x.Findings.Hits)
	}
	strong, weak := x.Findings.Hits[0], x.Findings.Hits[1]
	if strong.Algorithm != hashing.AlgorithmSHA256 || strong.Weak || len(strong.Agree) != 3 || strong.Source != "list.txt" || strong.Record != "line 3" || strong.Owner != "Agency of strong" {
		t.Errorf("strong hit: %+v", strong)
	}
	if weak.Algorithm != hashing.AlgorithmMD5 || !weak.Weak || weak.Note != "only md5" {
		t.Errorf("weak hit: %+v", weak)
	}
}

func TestAnEntryOfAnotherSizeIsNoHit(t *testing.T) {
	r := newRig(t)
	r.collection("sized", semblance.Hashes)
	b := picture{PDQ: somePDQ}.bytes(t)
	r.list("sized", fmt.Sprintf("%x,size=%d\n", hashing.DigestBytes(b).MD5, len(b)+1))
	if x := r.examine(b, "sized"); len(x.Findings.Hits) != 0 {
		t.Errorf("a digest of a file of another size gave %+v", x.Findings.Hits)
	}
}

func TestKnownGoodStopsUnlessAnotherCollectionHasIt(t *testing.T) {
	r := newRig(t)
	r.collection("good", semblance.KnownGood)
	r.collection("known", semblance.Hashes)
	only, both, weak := picture{Salt: "only"}.bytes(t), picture{Salt: "both"}.bytes(t), picture{Salt: "weak"}.bytes(t)
	r.list("good", fmt.Sprintf("%x\n%x\n%x\n%x\n", hashing.DigestBytes(only).SHA256, hashing.DigestBytes(both).SHA256, hashing.DigestBytes(weak).MD5, hashing.DigestBytes(weak).SHA1))
	r.list("known", fmt.Sprintf("%x\n", hashing.DigestBytes(both).SHA1))

	if x := r.examine(only, "good", "known"); x.Status != semblance.ItemKnownGood || r.analyzer.decoded != 0 {
		t.Errorf("known-good: status %s, decoded %d times", x.Status, r.analyzer.decoded)
	}
	x := r.examine(both, "good", "known")
	if x.Status != semblance.ItemNew || len(x.Findings.Hits) != 1 || len(x.Findings.Contradictions) != 1 || r.analyzer.decoded != 1 {
		t.Errorf("contradiction: status %s, %+v, decoded %d times", x.Status, x.Findings, r.analyzer.decoded)
	}
	if c := x.Findings.Contradictions[0]; c.KnownGood != "good" || c.Other != "known" {
		t.Errorf("contradiction: %+v", c)
	}
	if x := r.examine(weak, "good"); x.Status == semblance.ItemKnownGood {
		t.Error("MD5, and SHA-1 without the size, stopped an examination")
	}
}

func TestKnownGoodBySHA1NeedsTheSize(t *testing.T) {
	r := newRig(t)
	r.collection("good", semblance.KnownGood)
	b := picture{}.bytes(t)
	r.list("good", fmt.Sprintf("%x,size=%d\n", hashing.DigestBytes(b).SHA1, len(b)))
	if x := r.examine(b, "good"); x.Status != semblance.ItemKnownGood {
		t.Errorf("SHA-1 with the size: %s", x.Status)
	}
}

func TestNearMatchAtTheThresholdAndNotBeyond(t *testing.T) {
	r := newRig(t)
	r.collection("near", semblance.Hashes, func(c *semblance.Collection) { c.PDQDistance = 20 })
	r.list("near", "pdq:"+somePDQ+",original\n")
	for _, c := range []struct {
		bits, quality, want int
	}{{0, 100, 1}, {20, 100, 1}, {21, 100, 0}, {0, 50, 1}, {0, 49, 0}} {
		x := r.examine(picture{PDQ: bits(t, somePDQ, c.bits), Quality: c.quality}.bytes(t), "near")
		if len(x.Findings.NearMatches) != c.want {
			t.Errorf("%d bits away, quality %d: %+v", c.bits, c.quality, x.Findings.NearMatches)
			continue
		}
		if c.want == 1 {
			n := x.Findings.NearMatches[0]
			if n.Distance != c.bits || n.Threshold != 20 || n.Transform != "original" || n.EntryValue != somePDQ || n.Quality != c.quality || n.Note != "original" || n.Decoder != "test 1" {
				t.Errorf("near match: %+v", n)
			}
		}
	}
}

func TestNearMatchNamesTheTransform(t *testing.T) {
	r := newRig(t)
	r.collection("near", semblance.Hashes)
	r.list("near", "pdq:"+somePDQ+"\n")
	x := r.examine(picture{PDQ: bits(t, somePDQ, 120), Turned: bits(t, somePDQ, 3)}.bytes(t), "near")
	if len(x.Findings.NearMatches) != 1 || x.Findings.NearMatches[0].Transform != "flipy" || x.Findings.NearMatches[0].Distance != 3 {
		t.Errorf("mirrored: %+v", x.Findings.NearMatches)
	}
}

func TestACopyIsAHitAndNotANearMatchOfItself(t *testing.T) {
	r := newRig(t)
	r.collection("known", semblance.Hashes)
	b := picture{PDQ: somePDQ}.bytes(t)
	if n, warning, err := r.AddMedia(t.Context(), tester, "known", "a.jpg", r.file(b)); err != nil || n != 4 || warning != "" {
		t.Fatalf("added %d, %q, %v", n, warning, err)
	}
	if x := r.examine(b, "known"); len(x.Findings.Hits) != 1 || len(x.Findings.NearMatches) != 0 {
		t.Errorf("copy: %+v", x.Findings)
	}
	other := picture{PDQ: bits(t, somePDQ, 5)}.bytes(t)
	if x := r.examine(other, "known"); len(x.Findings.Hits) != 0 || len(x.Findings.NearMatches) != 1 {
		t.Errorf("recompressed: %+v", x.Findings)
	}
}

func TestTwoAlgorithmsThatAgreeAreSaid(t *testing.T) {
	r := newRig(t)
	r.collection("known", semblance.Hashes)
	ph := uint64(0xf28cb9c32669c7c4)
	if _, _, err := r.AddMedia(t.Context(), tester, "known", "a.jpg", r.file(picture{PDQ: somePDQ, PHash: &ph}.bytes(t)), hashing.AlgorithmPHash); err != nil {
		t.Fatal(err)
	}
	near := ph ^ 3
	x := r.examine(picture{PDQ: bits(t, somePDQ, 2), PHash: &near}.bytes(t), "known")
	if len(x.Findings.NearMatches) != 1 || !slices.Equal(x.Findings.NearMatches[0].Agree, []hashing.Algorithm{hashing.AlgorithmPHash}) {
		t.Errorf("near matches: %+v", x.Findings.NearMatches)
	}
}

func TestCandidatesAreRankedSubjectsWithinTheThreshold(t *testing.T) {
	r := newRig(t)
	r.collection("one", semblance.Faces)
	r.collection("two", semblance.Faces)
	r.enroll("one", "near", 1, 0, 0)
	r.enroll("one", "near2", 0.8, 0.6, 0)
	r.enroll("two", "farther", 0.6, 0.8, 0)
	r.enroll("two", "too far", 0, 1, 0)
	x := r.examine(picture{Faces: [][]float32{{1, 0, 0}, {0, 0, 1}}, Poor: []int{1}}.bytes(t), "one", "two")
	var got []string
	for _, c := range x.Findings.Candidates {
		got = append(got, fmt.Sprintf("%d/%d %s %.4f", c.Face, c.Rank, c.Subject, c.Distance))
	}
	want := []string{"0/1 near 0.0000", "0/2 near2 0.2000", "0/3 farther 0.4000"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range x.Findings.Candidates {
		if c.Band != semblance.NotCalibrated || c.Review != semblance.Unreviewed || c.Engine != semblance.DefaultEngine || c.Threshold == 0 {
			t.Errorf("candidate lacks what it must say: %+v", c)
		}
	}
}

func TestASubjectIsListedOnceWithItsNearestReference(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	for i, v := range [][]float32{{1, 0}, {0.9, 0.436}} {
		p := picture{Faces: [][]float32{v}}
		if _, err := r.Enroll(t.Context(), tester, semblance.EnrollRequest{Collection: "g", Subject: "s", Source: fmt.Sprint(i), File: r.file(p.bytes(t))}); err != nil {
			t.Fatal(err)
		}
	}
	x := r.examine(picture{Faces: [][]float32{{0.9, 0.436}}}.bytes(t), "g")
	if len(x.Findings.Candidates) != 1 || x.Findings.Candidates[0].Source != "1" {
		t.Errorf("candidates: %+v", x.Findings.Candidates)
	}
}

func TestSearchOutcomes(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.enroll("g", "s", 1, 0)
	for name, c := range map[string]struct {
		p    picture
		want semblance.Outcome
	}{
		"somebody near":        {picture{Faces: [][]float32{{1, 0}}}, semblance.PotentialCandidate},
		"nobody near":          {picture{Faces: [][]float32{{0, 1}}}, semblance.NoCandidate},
		"no face":              {picture{}, semblance.Inconclusive},
		"only a poor face":     {picture{Faces: [][]float32{{1, 0}}, Poor: []int{0}}, semblance.Inconclusive},
		"a poor and a far one": {picture{Faces: [][]float32{{1, 0}, {0, 1}}, Poor: []int{0}}, semblance.Inconclusive},
	} {
		res, err := r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"g"}, Name: "probe", File: r.file(c.p.bytes(t))})
		if err != nil {
			t.Fatal(err)
		}
		if res.Request.Outcome != c.want || res.Limits == "" || (c.want == semblance.Inconclusive) != (res.Request.Reason != "") {
			t.Errorf("%s: %s (%s), want %s", name, res.Request.Outcome, res.Request.Reason, c.want)
		}
	}
	cs, err := r.Cases.Case(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := r.Requests.Requests(t.Context(), cs.ID)
	if err != nil || len(kept) != 5 {
		t.Fatalf("%d requests are kept of 5: %v", len(kept), err)
	}
	events, err := r.store.AuditEvents(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, ev := range events {
		if ev.Action == "search" {
			n++
			if ev.Case != "C1" || ev.Purpose != "p" || ev.Basis != "b" || !slices.Equal(ev.Collections, []string{"g"}) || ev.Actor != tester {
				t.Errorf("the audit event of a search says %+v", ev)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d of 5 searches are in the audit chain", n)
	}
}

func TestEnginesNeverMix(t *testing.T) {
	r := newRig(t)
	r.collection("a", semblance.Faces)
	r.collection("b", semblance.Faces, func(c *semblance.Collection) { c.Engine = semblance.YuNetDlib })
	r.enroll("a", "s", 1)
	probe := picture{Faces: [][]float32{{1}}}.bytes(t)
	_, err := r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"a", "b"}, File: r.file(probe)})
	wantCode(t, err, semblance.ModelMismatch)
	_, err = r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"a"}, Engine: semblance.YuNetDlib, File: r.file(probe)})
	wantCode(t, err, semblance.ModelMismatch)
	if !strings.Contains(semblance.HintOf(err), "reenroll a") {
		t.Errorf("the hint is %q", semblance.HintOf(err))
	}
	if x := r.examine(probe, "a", "b"); len(x.Media.Analysis.FaceSets) != 2 {
		t.Errorf("a plan with two engines ran %d", len(x.Media.Analysis.FaceSets))
	}
}

func TestAPlanFailsEarlyWithoutWeights(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.collection("h", semblance.Hashes)
	r.missing[semblance.DefaultEngine] = true
	_, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g", "h"}})
	wantCode(t, err, semblance.Unavailable)
	if _, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"h"}}); err != nil {
		t.Errorf("hashes need no weights: %v", err)
	}
	_, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{})
	wantCode(t, err, semblance.Invalid)
	_, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"none"}})
	wantCode(t, err, semblance.NotFound)
}

func TestEnrollNeedsExactlyOneGoodFace(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.collection("h", semblance.Hashes)
	two := picture{Faces: [][]float32{{1}, {0, 1}}}
	one, three := 1, 3
	for name, c := range map[string]struct {
		req  semblance.EnrollRequest
		p    picture
		want semblance.Code
	}{
		"no face":           {semblance.EnrollRequest{Collection: "g", Subject: "s"}, picture{}, semblance.FaceCount},
		"two faces":         {semblance.EnrollRequest{Collection: "g", Subject: "s"}, two, semblance.FaceCount},
		"a fourth of two":   {semblance.EnrollRequest{Collection: "g", Subject: "s", Face: &three}, two, semblance.FaceCount},
		"the second of two": {semblance.EnrollRequest{Collection: "g", Subject: "s", Face: &one}, two, ""},
		"too poor":          {semblance.EnrollRequest{Collection: "g", Subject: "t"}, picture{Faces: [][]float32{{1}}, Poor: []int{0}}, semblance.EnrollmentRefused},
		"too poor, forced":  {semblance.EnrollRequest{Collection: "g", Subject: "t", Force: true, Why: "the only picture"}, picture{Faces: [][]float32{{1}}, Poor: []int{0}}, ""},
		"into hashes":       {semblance.EnrollRequest{Collection: "h", Subject: "s"}, two, semblance.Invalid},
		"into nothing":      {semblance.EnrollRequest{Collection: "none", Subject: "s"}, two, semblance.NotFound},
		"of nobody":         {semblance.EnrollRequest{Collection: "g"}, two, semblance.Invalid},
		"damaged":           {semblance.EnrollRequest{Collection: "g", Subject: "s"}, picture{Fail: "media-damaged"}, semblance.MediaDamaged},
	} {
		if c.p.Salt = name; c.req.Subject != "" { // each a picture and a person of its own
			c.req.Subject = name
		}
		c.req.File = r.file(c.p.bytes(t))
		_, err := r.Enroll(t.Context(), tester, c.req)
		if semblance.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeleteErasesEverythingAndCounts(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	r.collection("kept", semblance.Faces)
	gone := r.enroll("g", "only here", 1)
	shared := r.enroll("g", "shared", 0, 1)
	r.enroll("kept", "shared", 0, 1) // the same bytes: the same original
	e, err := r.DeleteCollection(t.Context(), tester, "g")
	if err != nil || e.Before == 0 || e.After != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := r.Objects.Open(t.Context(), gone.SHA256); semblance.CodeOf(err) != semblance.NotFound {
		t.Errorf("the original is still there: %v", err)
	}
	if o, err := r.Objects.Open(t.Context(), shared.SHA256); err != nil {
		t.Errorf("an original that another collection needs is gone: %v", err)
	} else {
		o.Close()
	}
	_, err = r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g"}})
	wantCode(t, err, semblance.NotFound)
}

func TestImportQuarantinesBadLines(t *testing.T) {
	r := newRig(t)
	r.collection("h", semblance.Hashes)
	r.collection("good", semblance.KnownGood)
	list := "d41d8cd98f00b204e9800998ecf8427e\n" + // the empty file
		strings.Repeat("0", 40) + "\n" +
		"87e1497faddca1b1b047f225b40f181c,first\n" +
		"87e1497faddca1b1b047f225b40f181\n" + // 31 digits
		"\n# a comment\n" +
		"87E1497FADDCA1B1B047F225B40F181C\n" // again
	res := r.list("h", list)
	if res.Added != 1 || res.Duplicate != 1 || res.Trivial != 2 || res.Bad != 1 || len(res.BadLines) != 1 || res.BadLines[0].Line != 4 || !strings.Contains(res.BadLines[0].Reason, "31") {
		t.Errorf("import: %+v", res)
	}
	res, err := r.ImportHashes(t.Context(), tester, "good", "list.txt", "", strings.NewReader(strings.Repeat("ab", 32)+"\n"))
	if err != nil || res.Added != 1 {
		t.Errorf("64 digits of a known-good collection can only be SHA-256: %+v, %v", res, err)
	}
	if res := r.list("good", "pdq:"+somePDQ+"\n"); res.Bad != 1 || res.Added != 0 {
		t.Errorf("a perceptual hash became known-good: %+v", res)
	}
}

// A list that is more than one transaction is stored in the order of its values. Of lines
// with one value the first counts.
func TestImportOfManyLines(t *testing.T) {
	r := newRig(t)
	r.collection("h", semblance.Hashes)
	const many = 120_000
	var list strings.Builder
	for i := range many {
		fmt.Fprintf(&list, "%032x,line %d\n", (i*7919+1)%many+1, i+1) // each number once
	}
	list.WriteString("0000000000000000000000000000000a,again\nxyz\n")
	res, err := r.ImportHashes(t.Context(), tester, "h", "list.txt", "", strings.NewReader(list.String()))
	if err != nil || res.Lines != many+2 || res.Added != many || res.Duplicate != 1 || res.Bad != 1 {
		t.Errorf("import: %+v, %v", res, err)
	}
	c, err := r.Collections.Collection(t.Context(), "h")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = r.Entries.EachEntry(t.Context(), c.ID, 0, func(h semblance.HashEntry) error {
		if n++; fmt.Sprintf("%x", h.Value) != fmt.Sprintf("%032x", n) || h.Note != h.Record || h.Source != "list.txt" {
			return fmt.Errorf("entry %d: %+v", n, h)
		}
		return nil
	})
	if err != nil || n != many {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestLookupKeepsOrderAndSaysWhatIsNotThere(t *testing.T) {
	r := newRig(t)
	r.collection("h", semblance.Hashes)
	known := fmt.Sprintf("%x", bytes.Repeat([]byte{7}, 20))
	r.list("h", known+",noted\npdq:"+somePDQ+"\n")
	var in []string
	for i := range 5000 {
		switch i % 4 {
		case 0:
			in = append(in, fmt.Sprintf("%040x", i+1))
		case 1:
			in = append(in, known)
		case 2:
			in = append(in, "pdq:"+bits(t, somePDQ, 31))
		case 3:
			in = append(in, "not a hash")
		}
	}
	i, line := 0, 0
	sum, err := r.Lookup(t.Context(), tester, semblance.LookupRequest{Case: "C1", Collections: []string{"h"}}, func() (string, error) {
		if i == len(in) {
			return "", io.EOF
		}
		i++
		return in[i-1], nil
	}, func(l semblance.LookupResult) error {
		if l.Line != line+1 || l.Query != in[line] {
			t.Fatalf("answer %d is to line %d, %q", line, l.Line, l.Query)
		}
		want := []string{"", "hit", "near match", ""}[line%4]
		if l.Kind != want || (line%4 == 3) != (l.Error != "") || (want == "") != (l.Collection == "") {
			t.Fatalf("line %d: %+v", line, l)
		}
		if want == "near match" && (*l.Distance != 31 || *l.Threshold != 31) {
			t.Fatalf("line %d: distance %d of %d", line, *l.Distance, *l.Threshold)
		}
		line++
		return nil
	})
	if err != nil || sum.Lines != 5000 || sum.Found != 2500 || sum.Bad != 1250 || line != 5000 {
		t.Errorf("%+v, %d answers, %v", sum, line, err)
	}
}

func TestFailuresOfAFileAreInTheExamination(t *testing.T) {
	r := newRig(t)
	r.collection("h", semblance.Hashes)
	for code, status := range map[semblance.Code]semblance.ItemStatus{
		semblance.MediaUnsupported: semblance.ItemUnsupported, semblance.MediaDamaged: semblance.ItemFailed, semblance.MediaTooLarge: semblance.ItemFailed,
		semblance.Timeout: semblance.ItemFailed, semblance.Internal: semblance.ItemFailed,
	} {
		b := picture{Fail: string(code)}.bytes(t)
		r.list("h", fmt.Sprintf("%x\n", hashing.DigestBytes(b).SHA256))
		x := r.examine(b, "h")
		if x.Status != status || x.Media.Code != code || len(x.Findings.Hits) != 1 {
			t.Errorf("%s: %s, %s, %d hits: its digests must be compared all the same", code, x.Status, x.Media.Code, len(x.Findings.Hits))
		}
	}
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"h"}})
	if err != nil {
		t.Fatal(err)
	}
	b := picture{Fail: string(semblance.Unavailable)}.bytes(t)
	_, err = r.Examine(t.Context(), plan, hashing.DigestBytes(b), nil, r.file(b), "")
	wantCode(t, err, semblance.Unavailable)
}

func TestWhatIsKnownIsNotDecodedAgain(t *testing.T) {
	r := newRig(t)
	r.collection("h", semblance.Hashes)
	r.collection("g", semblance.Faces)
	b := picture{PDQ: somePDQ, Faces: [][]float32{{1}}}.bytes(t)
	x := r.examine(b, "h")
	plan, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"h"}})
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Examine(t.Context(), plan, hashing.DigestBytes(b), &x.Media, nil, "")
	if err != nil || again.Decoded || r.analyzer.decoded != 1 {
		t.Errorf("decoded %d times: %v", r.analyzer.decoded, err)
	}
	faces, err := r.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"g"}})
	if err != nil {
		t.Fatal(err)
	}
	more, err := r.Examine(t.Context(), faces, hashing.DigestBytes(b), &x.Media, r.file(b), "")
	if err != nil || !more.Decoded || len(more.Media.Analysis.Hashes) != 1 {
		t.Errorf("faces are asked for now: decoded %v, %v", more.Decoded, err)
	}
	for _, code := range []semblance.Code{semblance.Timeout, semblance.Internal} {
		failed := semblance.Media{Digests: hashing.DigestBytes(b), Code: code}
		if x, err := r.Examine(t.Context(), plan, failed.Digests, &failed, r.file(b), ""); err != nil || !x.Decoded || x.Media.Code != "" {
			t.Errorf("%s says something about the machine and is tried again: %+v, %v", code, x, err)
		}
	}
}

func TestCreationRefusesWhatLacksSense(t *testing.T) {
	r := newRig(t)
	ok := semblance.Collection{Name: "n", Kind: semblance.Hashes, Owner: "o", Country: "NL", Basis: "b"}
	for name, change := range map[string]func(*semblance.Collection){
		"no basis": func(c *semblance.Collection) { c.Basis = " " }, "a country": func(c *semblance.Collection) { c.Country = "Holland" },
		"a path as name": func(c *semblance.Collection) { c.Name = "../x" }, "a kind": func(c *semblance.Collection) { c.Kind = "pictures" },
		"selectors with a radius": func(c *semblance.Collection) { c.Kind, c.PDQDistance = semblance.Selectors, 9 }, "a radius": func(c *semblance.Collection) { c.PDQDistance = 64 },
		"an engine": func(c *semblance.Collection) { c.Engine = semblance.DlibHOG }, "a date": func(c *semblance.Collection) { c.Review = "soon" },
		"an unknown engine": func(c *semblance.Collection) { c.Kind, c.Engine = semblance.Faces, "magic" },
	} {
		c := ok
		change(&c)
		if _, err := r.CreateCollection(t.Context(), tester, c); semblance.CodeOf(err) != semblance.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.CreateCollection(t.Context(), tester, ok); err != nil {
		t.Fatal(err)
	}
	_, err := r.CreateCollection(t.Context(), tester, ok)
	wantCode(t, err, semblance.Conflict)
}

func TestErrorsCarryTheirCode(t *testing.T) {
	t.Parallel()
	inner := semblance.Errorf(semblance.NotFound, "there is no case %q", "x").WithHint("Make it.")
	err := fmt.Errorf("scan: %w", inner)
	if !errors.Is(err, semblance.NotFound) || errors.Is(err, semblance.Conflict) || semblance.CodeOf(err) != semblance.NotFound || semblance.HintOf(err) != "Make it." {
		t.Errorf("wrapped: %v, %q, %q", err, semblance.CodeOf(err), semblance.HintOf(err))
	}
	if semblance.CodeOf(context.Canceled) != semblance.Canceled || semblance.CodeOf(errors.New("x")) != semblance.Internal || semblance.CodeOf(nil) != "" {
		t.Error("codes of other errors are wrong")
	}
}

func TestMetricsAreDistances(t *testing.T) {
	t.Parallel()
	a, b := []float32{1, 0, 0}, []float32{0.6, 0.8, 0}
	if d := semblance.Cosine.Distance(a, b); semblance.RoundDistance(d) != 0.4 {
		t.Errorf("cosine %v", d)
	}
	if d := semblance.Euclid.Distance(a, b); semblance.RoundDistance(d) != 0.8944 {
		t.Errorf("euclid %v", d)
	}
	for _, m := range []semblance.Metric{semblance.Cosine, semblance.Euclid} {
		if m.Distance(a, a) != 0 || m.Distance(a, b) != m.Distance(b, a) || m.Distance(a, a[:2]) < 1e300 || m.Distance(nil, nil) < 1e300 {
			t.Errorf("%s is not a distance that tells lengths apart", m)
		}
	}
}

func TestCompareFindsTheTurn(t *testing.T) {
	r := newRig(t)
	mirrored := picture{PDQ: bits(t, somePDQ, 120), Turned: bits(t, somePDQ, 2)}
	c, err := r.Compare(t.Context(), "", semblance.Detection{}, r.file(mirrored.bytes(t)), r.file(picture{PDQ: somePDQ}.bytes(t)), nil, nil)
	if err != nil || *c.PDQDistance != 2 || c.Transform != "flipy" || c.Distance != nil || c.Why == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSearchRefusesAnAbsurdDistance(t *testing.T) {
	r := newRig(t)
	r.collection("g", semblance.Faces)
	for _, d := range []float64{-1, 5} {
		_, err := r.Search(t.Context(), tester, semblance.SearchRequest{Case: "C1", Collections: []string{"g"}, Terms: semblance.Terms{Distance: &d}, File: r.file(picture{Faces: [][]float32{{1}}}.bytes(t))})
		wantCode(t, err, semblance.Invalid)
	}
}
