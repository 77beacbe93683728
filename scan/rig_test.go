package scan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/index"
	"semblance/objects"
	"semblance/report"
	"semblance/scan"
	"semblance/store"
)

// A picture is what the tests' analyzer reads instead of pixels.
type picture struct {
	PDQ   string      `json:"pdq,omitempty"`
	Faces [][]float32 `json:"faces,omitempty"` // embeddings
	Fail  string      `json:"fail,omitempty"`
	Salt  string      `json:"salt,omitempty"`
}

func (p picture) bytes() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return b
}

// An analyzer reads pictures and counts what it decoded. before, when set, is
// called with each, which it may make fail.
type analyzer struct {
	decoded atomic.Int64
	before  func(f *os.File) error
	plain   bool // say so of what is no box
}

func (a *analyzer) Analyze(_ context.Context, f *os.File, req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	a.decoded.Add(1)
	if a.before != nil {
		if err := a.before(f); err != nil {
			return semblance.Analysis{}, err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return semblance.Analysis{}, err
	}
	if info.Size() > req.Limits.Bytes {
		return semblance.Analysis{}, semblance.Errorf(semblance.MediaTooLarge, "the file has %d bytes; %d are allowed", info.Size(), req.Limits.Bytes)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return semblance.Analysis{}, err
	}
	var p picture
	if bytes.HasPrefix(b, []byte(boxMagic)) && !bytes.Contains(b, []byte(`"fail":`)) || json.Unmarshal(b, &p) != nil {
		return semblance.Analysis{Plain: a.plain && req.Name != "" && !isBox(b, req.Name)}, semblance.NotText(semblance.Errorf(semblance.MediaUnsupported, "not a picture"))
	}
	if p.Fail != "" {
		return semblance.Analysis{}, semblance.Errorf(semblance.Code(p.Fail), "it does not decode")
	}
	return p.analysis(req)
}

func (p picture) analysis(req semblance.AnalyzeRequest) (semblance.Analysis, error) {
	r := &hashing.PDQResult{Quality: 100}
	r.Hash, _ = hashing.ParsePDQ(p.PDQ)
	for i := range r.Turned {
		r.Turned[i] = hashing.PDQ{0: byte(i), 31: 0x55}
	}
	a := semblance.Analysis{Type: "image/test", Width: 10, Height: 10, Frames: 1, Decoder: "test 1", Looked: semblance.MetadataReader, Hashes: []semblance.FrameHashes{{PDQ: r}}}
	for _, name := range req.Engines {
		spec, err := semblance.EngineByName(name)
		if err != nil {
			return a, err
		}
		set := semblance.FaceSet{Engine: spec.Name, Version: spec.Version, Faces: []semblance.Face{}}
		for _, v := range p.Faces {
			e := make([]float32, spec.Dimensions)
			copy(e, v)
			set.Faces = append(set.Faces, semblance.Face{Box: semblance.Box{W: 10, H: 10}, Score: 0.9, Quality: 80, Embedding: e, Crop: []byte("jpeg")})
		}
		a.FaceSets = append(a.FaceSets, set)
	}
	return a, nil
}

const somePDQ = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"

var tester = semblance.Actor{Name: "tester@host", Via: "cli"}

// A rig is a Scanner over a real store, real indexes and an Engine with the
// tests' analyzer.
type rig struct {
	scan.Scanner
	engine   *semblance.Engine
	store    *store.Store
	analyzer *analyzer
	opener   *opener
}

// openRig opens a data folder and, where it is new, fills it.
func openRig(ctx context.Context, data string) (*rig, error) {
	s, err := store.Open(ctx, data, store.DefaultOptions())
	if err != nil {
		return nil, err
	}
	folder, err := objects.Open(filepath.Join(data, "objects"))
	if err != nil {
		return nil, err
	}
	r := &rig{store: s, analyzer: &analyzer{}, opener: &opener{}}
	limits := semblance.DefaultLimits()
	limits.Bytes = 10_000
	r.engine = semblance.New(semblance.Parts{Cases: s, Collections: s, References: s, Subjects: s, Staging: s, Entries: s, Selectors: s, Media: s, Requests: s, Categories: s, Audit: s, Objects: folder,
		Vectors: index.NewFlat(), Hashes: index.NewHashes(), Analyzer: r.analyzer, Limits: limits,
		CheckEngine: func(context.Context, semblance.EngineName) error { return nil }})
	r.Scanner = scan.Scanner{Examiner: r.engine, Store: s, Record: s, Plans: s, Media: s, Audit: s, Opener: r.opener}
	if _, err := s.Case(ctx, "C1"); err == nil {
		return r, nil
	}
	return r, r.fill(ctx)
}

// fill makes a case and a collection of each kind.
func (r *rig) fill(ctx context.Context) error {
	if _, err := r.engine.CreateCase(ctx, tester, semblance.Case{Number: "C1", Agency: "A", Country: "NL", Purpose: "p", Basis: "b"}); err != nil {
		return err
	}
	for name, kind := range map[string]semblance.CollectionKind{"known": semblance.Hashes, "good": semblance.KnownGood, "faces": semblance.Faces} {
		if _, err := r.engine.CreateCollection(ctx, tester, semblance.Collection{Name: name, Kind: kind, Owner: "o", Country: "NL", Basis: "b"}); err != nil {
			return err
		}
	}
	lists := [][2]string{
		{"known", fmt.Sprintf("%x,listed\n%x,broken\npdq:%s,near\n", hashing.DigestBytes(knownPicture.bytes()).SHA256, hashing.DigestBytes(brokenPicture.bytes()).MD5, somePDQ)},
		{"good", fmt.Sprintf("%x\n", hashing.DigestBytes(goodPicture.bytes()).SHA256)},
	}
	for _, l := range lists {
		if _, err := r.engine.ImportHashes(ctx, tester, l[0], "list.txt", hashing.AlgorithmSHA256, strings.NewReader(l[1])); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp("", "enroll")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(picture{Faces: [][]float32{{1, 0}}, Salt: "enrolled"}.bytes()); err != nil {
		return err
	}
	_, err = r.engine.Enroll(ctx, tester, semblance.EnrollRequest{Collection: "faces", Subject: "somebody", Source: "enrolled.jpg", File: f})
	return err
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r, err := openRig(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.store.Close() })
	return r
}

// everything is what a scan is compared with unless a test says otherwise.
var everything = []string{"faces", "good", "known"}

func (r *rig) options(ctx context.Context, root string, against ...string) (scan.Options, error) {
	if len(against) == 0 {
		against = everything
	}
	p, err := r.engine.Plan(ctx, "C1", semblance.PlanOptions{Collections: against, Crops: true})
	return scan.Options{Plan: p, Actor: tester, Label: "phone", Root: root, Lanes: 2}, err
}

// An outcome is what a run told.
type outcome struct {
	scan.Summary
	events []scan.Event
	err    error
}

// scan runs and collects events; change may change the options.
func (r *rig) scan(t *testing.T, ctx context.Context, root string, change ...func(*scan.Options)) outcome {
	t.Helper()
	o, err := r.options(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&o)
	}
	var out outcome
	told := o.Event
	o.Event = func(e scan.Event) {
		out.events = append(out.events, e)
		if told != nil {
			told(e)
		}
	}
	out.Summary, out.err = r.Run(ctx, o)
	return out
}

// done is scan for a run that must succeed.
func (r *rig) done(t *testing.T, root string, change ...func(*scan.Options)) outcome {
	t.Helper()
	out := r.scan(t, t.Context(), root, change...)
	if out.err != nil || !out.Complete {
		t.Fatalf("the scan is not complete: %v, %s", out.err, out.Why)
	}
	return out
}

func lanes(n int) func(*scan.Options) { return func(o *scan.Options) { o.Lanes = n } }

// statuses are the items' events as "path status".
func (o outcome) statuses() []string {
	var out []string
	for _, e := range o.events {
		if e.Event == scan.EventItem {
			out = append(out, e.Path+" "+string(e.Status))
		}
	}
	return out
}

// item is the event of one path.
func (o outcome) item(t *testing.T, path string) scan.Event {
	t.Helper()
	i := slices.IndexFunc(o.events, func(e scan.Event) bool { return e.Event == scan.EventItem && e.Path == path })
	if i < 0 {
		t.Fatalf("no event is about %q", path)
	}
	return o.events[i]
}

// ndjson is the story without what depends on the clock.
func (o outcome) ndjson(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range o.events {
		if e.Summary != nil {
			s := *e.Summary
			s.Seconds = 0
			e.Summary = &s
		}
		if err := json.NewEncoder(&b).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// report is what a case holds, as NDJSON.
func (r *rig) report(t *testing.T) string {
	t.Helper()
	c, err := r.store.Case(t.Context(), "C1")
	if err != nil {
		t.Fatal(err)
	}
	s := report.Source{Case: c, Rows: func(yield func(report.Row, error) bool) {
		err := r.store.EachItem(t.Context(), c.ID, func(v store.ItemView) error {
			yield(report.Row{Exhibit: v.Exhibit.Label, Item: v.Item, Media: v.Media, Findings: v.Findings}, nil)
			return nil
		})
		if err != nil {
			yield(report.Row{}, err)
		}
	}}
	var b bytes.Buffer
	if err := report.Write(&b, report.JSONL, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func put(t *testing.T, root, name string, b []byte) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

var (
	knownPicture  = picture{Salt: "known"}
	goodPicture   = picture{Salt: "good"}
	brokenPicture = picture{Fail: string(semblance.MediaDamaged), Salt: "broken"}
	nearPicture   = picture{PDQ: somePDQ, Salt: "near"}
	facePicture   = picture{Faces: [][]float32{{0.9, 0.436}, {0, 0, 1}}, Salt: "face"}
)

// layDevice lays out a folder in which everything occurs.
func layDevice(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, p := range map[string]picture{
		"a.jpg": knownPicture, "b/copy of a.jpg": knownPicture, "b/near.jpg": nearPicture, "b.jpg": brokenPicture, "b-1.jpg": facePicture,
		"c/good.jpg": goodPicture, "c/good again.jpg": goodPicture, "z/broken again.jpg": brokenPicture,
	} {
		put(t, root, name, p.bytes())
	}
	for i := range 20 {
		put(t, root, fmt.Sprintf("many/%02d.jpg", i), picture{Salt: fmt.Sprint("many ", i/2)}.bytes())
	}
	put(t, root, "empty", nil)
	put(t, root, "notes.jpg", []byte("a text"))
	put(t, root, "odd\xff\nname", picture{Salt: "odd"}.bytes())
	put(t, root, "too large.jpg", bytes.Repeat([]byte{'x'}, 10_001))
	return root
}

// ticking is a clock that goes on by a second whenever it is looked at, so that
// every result is committed by itself.
func ticking() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return time.Unix(1_700_000_000+n.Add(1), 0) }
}
