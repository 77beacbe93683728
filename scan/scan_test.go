package scan_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"semblance"
	"semblance/hashing"
	"semblance/scan"
)

// TestStatuses: every item is told once, what pays first and else in byte order of the
// paths, with what became of it, and the counts add up.
func TestStatuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := layDevice(t)
	if err := os.Symlink("a.jpg", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(root, "b/up")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := r.done(t, root)
	want := []string{
		"a.jpg new", "b-1.jpg new", "b.jpg failed", "b/copy of a.jpg duplicate", "b/near.jpg new", "b/up unsupported", "c/good again.jpg known-good", "c/good.jpg known-good",
		"empty unsupported", "link unsupported",
	}
	for i := range 20 {
		want = append(want, "many/"+string(rune('0'+i/10))+string(rune('0'+i%10))+".jpg "+[]string{"new", "duplicate"}[i%2])
	}
	want = append(want, "notes.jpg unsupported", `odd\xff\x0aname new`, "pipe unsupported", "too large.jpg failed", "z/broken again.jpg failed")
	slices.SortStableFunc(want, func(a, b string) int {
		return semblance.Urgency(a[:strings.LastIndex(a, " ")]) - semblance.Urgency(b[:strings.LastIndex(b, " ")])
	})
	if got := out.statuses(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.IsSortedFunc(out.events[:len(out.events)-1], func(a, b scan.Event) int {
		return cmp.Or(semblance.Urgency(a.Path)-semblance.Urgency(b.Path), strings.Compare(a.Path, b.Path))
	}) {
		t.Error("events are not in the order of work")
	}
	s := out.Summary
	if s.Seen != int64(len(want)) || s.New != 14 || s.Duplicate != 11 || s.KnownGood != 2 || s.Unsupported != 5 || s.Failed != 3 || s.Unchanged != 0 || s.Reconcile() != nil {
		t.Errorf("counts: %+v", s)
	}
	// The failed pictures are hits all the same: their digests were compared.
	if s.Hits != 4 || s.Weak != 2 || s.NearMatches != 1 || s.Candidates != 1 || s.Faces != 2 || !s.FacesRan || s.Errors["media-damaged"] != 2 || s.Errors["media-too-large"] != 1 || len(s.Errors) != 2 {
		t.Errorf("findings: %+v", s)
	}
	if got := out.item(t, "b/up").Reason; !strings.Contains(got, `symbolic link to ".."`) {
		t.Errorf("link: %q", got)
	}
	if got := out.item(t, "b-1.jpg"); got.Faces == nil || *got.Faces != 2 {
		t.Errorf("faces: %+v", got)
	}
	if got := out.item(t, "notes.jpg"); got.Faces != nil {
		t.Error("a file that no detector saw has a number of faces")
	}
	if last := out.events[len(out.events)-1]; last.Event != scan.EventSummary || last.Summary.Seen != s.Seen || !last.Summary.Complete {
		t.Errorf("last event: %+v", last)
	}
}

// TestLanesTellTheSameStory: the number of lanes changes nothing.
func TestLanesTellTheSameStory(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	one, four := newRig(t), newRig(t)
	a, b := one.done(t, root, lanes(1)), four.done(t, root, lanes(4))
	if x, y := a.ndjson(t), b.ndjson(t); x != y {
		t.Errorf("one lane:\n%s\nfour lanes:\n%s", x, y)
	}
	if one.report(t) != four.report(t) {
		t.Error("the reports differ")
	}
}

// TestSecondRun reads and decodes nothing and still says what there is.
func TestSecondRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := layDevice(t)
	first := r.done(t, root)
	before, decoded := r.report(t), r.analyzer.decoded.Load()
	second := r.done(t, root)
	if second.Unchanged+second.Failed != second.Seen || second.Failed != first.Failed || second.Seen != first.Seen || second.Bytes != 0 || r.analyzer.decoded.Load() != decoded {
		t.Errorf("second run: %+v, %d decoded", second.Summary, r.analyzer.decoded.Load()-decoded)
	}
	if second.Hits != first.Hits || second.Media != first.Media || second.Faces != first.Faces || second.Candidates != first.Candidates || second.NearMatches != first.NearMatches {
		t.Errorf("the second run tells of\n%+v, the first of\n%+v", second.Summary, first.Summary)
	}
	if r.report(t) != before {
		t.Error("a run with nothing to do changed the report")
	}
}

// TestWhatChanged: what is new, changed, copied or gone since the last run.
func TestWhatChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	for _, name := range []string{"b", "c", "d", "e"} {
		put(t, root, name, picture{Salt: name}.bytes())
	}
	r.done(t, root)
	info, err := os.Stat(filepath.Join(root, "c"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, root, "c", picture{Salt: "C"}.bytes()) // the same length and, below, the same time: only the time of change tells
	if err := os.Chtimes(filepath.Join(root, "c"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	put(t, root, "a", picture{Salt: "b"}.bytes())
	put(t, root, "f", picture{Salt: "b"}.bytes())
	put(t, root, "d", knownPicture.bytes())
	if err := os.Remove(filepath.Join(root, "e")); err != nil {
		t.Fatal(err)
	}
	out := r.done(t, root)
	if got, want := out.statuses(), []string{"a duplicate", "b unchanged", "c new", "d new", "f duplicate"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if out.Missing != 1 || out.Hits != 1 {
		t.Errorf("%d missing, %d hits", out.Missing, out.Hits)
	}
	if rep := r.report(t); !strings.Contains(rep, `"path":"e"`) {
		t.Error("an item that is gone from the device is gone from the record")
	}
}

// TestAnotherPlan compares again, and decodes only what it needs.
func TestAnotherPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := layDevice(t)
	digests := func(o *scan.Options) {
		var err error
		if o.Plan, err = r.engine.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"good"}}); err != nil {
			t.Fatal(err)
		}
	}
	first := r.done(t, root, digests)
	decoded := r.analyzer.decoded.Load()
	if first.Hits+first.Candidates+first.NearMatches != 0 || first.FacesRan {
		t.Fatalf("first: %+v", first.Summary)
	}
	known := func(o *scan.Options) {
		var err error
		if o.Plan, err = r.engine.Plan(t.Context(), "C1", semblance.PlanOptions{Collections: []string{"good", "known"}}); err != nil {
			t.Fatal(err)
		}
	}
	second := r.done(t, root, known)
	if second.Hits != 4 || second.NearMatches != 1 || second.Bytes != 0 || r.analyzer.decoded.Load() != decoded || second.Unchanged+second.Failed != second.Seen {
		t.Errorf("comparing again: %+v, %d decoded", second.Summary, r.analyzer.decoded.Load()-decoded)
	}
	third := r.done(t, root)
	if third.Candidates != 1 || third.Faces != 2 || third.Bytes != 0 || r.analyzer.decoded.Load() == decoded {
		t.Errorf("with faces: %+v", third.Summary)
	}
	// A file more or less does not matter: the record is that of a scan that had this plan at once.
	fresh := newRig(t)
	fresh.done(t, root)
	if got, want := r.report(t), fresh.report(t); got != want {
		t.Errorf("after three plans:\n%s\nat once:\n%s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a", knownPicture.bytes())
	for name, c := range map[string]struct {
		change func(*scan.Options)
		code   semblance.Code
		says   string
	}{
		"no label":       {func(o *scan.Options) { o.Label = "" }, semblance.Invalid, "label"},
		"no such folder": {func(o *scan.Options) { o.Root = filepath.Join(root, "nowhere") }, semblance.Invalid, "does not exist"},
	} {
		out := r.scan(t, t.Context(), root, c.change)
		if semblance.CodeOf(out.err) != c.code || !strings.Contains(out.err.Error(), c.says) || semblance.HintOf(out.err) == "" {
			t.Errorf("%s: %v", name, out.err)
		}
	}
	r.done(t, root)
	other := r.scan(t, t.Context(), t.TempDir())
	if semblance.CodeOf(other.err) != semblance.Conflict || semblance.HintOf(other.err) == "" {
		t.Errorf("a label for another folder: %v", other.err)
	}
	r.done(t, root) // and the exhibit is free
}

// TestOneFile: a root may be a file, or a link that is named.
func TestOneFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "a.jpg", knownPicture.bytes())
	if err := os.Symlink("a.jpg", filepath.Join(root, "link.jpg")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.jpg", "link.jpg"} {
		out := r.done(t, filepath.Join(root, name), func(o *scan.Options) { o.Label = name })
		if got := out.statuses(); len(got) != 1 || got[0] != name+" new" || out.Hits != 1 {
			t.Errorf("%s: %q, %d hits", name, got, out.Hits)
		}
	}
}

// TestFirst stops when its time has passed, and running again goes on.
func TestFirst(t *testing.T) {
	t.Parallel()
	root := layDevice(t)
	whole := newRig(t)
	whole.done(t, root)
	r := newRig(t)
	var clock atomic.Int64 // every decoding takes a second, nothing else any time
	r.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	r.analyzer.before = func(*os.File) error { clock.Add(1); return nil }
	stops := 0
	for {
		out := r.scan(t, t.Context(), root, lanes(1), func(o *scan.Options) { o.First = 3 * time.Second })
		if out.err != nil {
			t.Fatal(out.err)
		}
		if out.Complete {
			break
		}
		if stops++; out.Decoded == 0 || !strings.Contains(out.Why, "3s") || stops > 100 {
			t.Fatalf("stop %d: %+v", stops, out.Summary)
		}
	}
	if stops < 2 {
		t.Errorf("stopped %d times", stops)
	}
	if r.report(t) != whole.report(t) {
		t.Error("a scan in pieces recorded something else than one at once")
	}
}

// TestEventsAreFlat: a consumer finds a finding's fields beside the path, none of
// them lost to another of the same name.
func TestEventsAreFlat(t *testing.T) {
	t.Parallel()
	n := 3
	base := scan.Event{Path: "p", SHA256: "s"}
	with := func(kind scan.EventKind, f func(*scan.Event)) scan.Event {
		e := base
		e.Event = kind
		f(&e)
		return e
	}
	for _, c := range []struct {
		event scan.Event
		want  string
	}{
		{with(scan.EventItem, func(e *scan.Event) { e.Faces, e.Status = &n, semblance.ItemNew }), `{"event":"item","path":"p","status":"new","sha256":"s","faces":3}`},
		{with(scan.EventHit, func(e *scan.Event) {
			e.Hit = &semblance.Hit{Collection: "c", Owner: "o", Algorithm: hashing.AlgorithmMD5, Value: "v"}
		}),
			`{"event":"hit","path":"p","sha256":"s","collection":"c","owner":"o","algorithm":"md5","value":"v"}`},
		{with(scan.EventContradiction, func(e *scan.Event) {
			e.Contradiction = &semblance.Contradiction{KnownGood: "g", Other: "o", Because: "hit", Message: "m"}
		}),
			`{"event":"contradiction","path":"p","sha256":"s","known_good":"g","other":"o","because":"hit","message":"m"}`},
	} {
		b, err := json.Marshal(c.event)
		if err != nil || string(b) != c.want {
			t.Errorf("got %s, %v\nwant %s", b, err, c.want)
		}
	}
	keys := func(e scan.Event) map[string]any {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		event scan.Event
		want  []string
	}{
		{with(scan.EventSummary, func(e *scan.Event) { e.Summary = &scan.Summary{Errors: map[string]int{}} }),
			[]string{"event", "items", "media", "bytes", "faces", "hits", "near_matches", "candidates", "errors", "seconds", "new", "unchanged", "duplicate", "known_good", "unsupported", "failed", "complete"}},
		{with(scan.EventNearMatch, func(e *scan.Event) { e.NearMatch = &semblance.NearMatch{} }),
			[]string{"event", "path", "sha256", "collection", "algorithm", "distance", "threshold", "transform", "quality"}},
		{with(scan.EventCandidate, func(e *scan.Event) { e.Candidate = &semblance.Candidate{} }),
			[]string{"event", "path", "sha256", "face", "rank", "collection", "subject", "reference", "distance", "threshold", "band", "review"}},
	} {
		got := keys(c.event)
		for _, k := range c.want {
			if _, ok := got[k]; !ok {
				t.Errorf("%s has no %q: %v", c.event.Event, k, got)
			}
		}
	}
}

// TestCountsThatDoNotAddUp fail the scan.
func TestCountsThatDoNotAddUp(t *testing.T) {
	t.Parallel()
	s := scan.Summary{Seen: 3, New: 1, Failed: 1}
	if err := s.Reconcile(); !errors.Is(err, semblance.Internal) {
		t.Errorf("3 seen, 2 accounted for: %v", err)
	}
}

// FuzzEscape: names stay apart, are text without control characters, and sort as
// the walk sorts them.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a.jpg", "\xff", `\xff`, "a\nb", `a\x0ab`, "é", "\u202e", `\`} {
		f.Add(s, "a.jpg")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x := scan.Escape(a)
		if (x == scan.Escape(b)) != (a == b) {
			t.Errorf("%q and %q are both %q", a, b, x)
		}
		if strings.ToValidUTF8(x, "") != x || strings.ContainsFunc(x, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Errorf("%q is recorded as %q", a, x)
		}
	})
}

// TestAFailureIsToldByEveryRun: a file that failed and has not changed is not
// decoded again, and not silently counted as unchanged either.
func TestAFailureIsToldByEveryRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := t.TempDir()
	put(t, root, "broken", picture{Fail: string(semblance.MediaDamaged)}.bytes())
	put(t, root, "whole", picture{Salt: "x"}.bytes())
	first := r.done(t, root)
	second := r.done(t, root)
	if first.Failed != 1 || second.Failed != 1 || second.Unchanged != 1 || second.Decoded != 0 || second.Errors[string(semblance.MediaDamaged)] != 1 {
		t.Errorf("first %+v, second %+v", first.Summary, second.Summary)
	}
}
