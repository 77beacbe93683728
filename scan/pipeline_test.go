package scan_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"semblance"
	"semblance/scan"
)

// layExhibits lays out exhibits that share content, by label.
func layExhibits(t *testing.T) map[string]string {
	t.Helper()
	small := t.TempDir()
	put(t, small, "DCIM/same.jpg", knownPicture.bytes())
	put(t, small, "other.jpg", facePicture.bytes())
	for i := range 200 { // more than one of three may have waiting
		put(t, small, fmt.Sprintf("many/%03d.jpg", i), picture{Salt: fmt.Sprint("many ", i/4)}.bytes())
	}
	return map[string]string{"E1": layContainers(t), "E2": small, "E3": layDevice(t)}
}

// together scans exhibits at once in one pipeline.
func (r *rig) together(t *testing.T, ctx context.Context, roots map[string]string, told func(string, scan.Event)) map[string]outcome {
	t.Helper()
	r.Pipeline = &scan.Pipeline{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := map[string]outcome{}
	for label, root := range roots {
		wg.Go(func() {
			o := r.scan(t, ctx, root, func(o *scan.Options) {
				o.Label = label
				o.Event = func(e scan.Event) { told(label, e) }
			})
			mu.Lock()
			out[label] = o
			mu.Unlock()
		})
	}
	wg.Wait()
	return out
}

// of is the part of a report about an exhibit.
func of(report, label string) string {
	var b strings.Builder
	for line := range strings.Lines(report) {
		if strings.Contains(line, fmt.Sprintf(`"exhibit":%q`, label)) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// TestExhibitsAtOnce: what is recorded and told of an exhibit is, byte for byte, what a
// scan by itself records and tells, whatever is scanned at the same time, also when all of
// them are interrupted and run again.
func TestExhibitsAtOnce(t *testing.T) {
	t.Parallel()
	roots := layExhibits(t)
	apart, story := map[string]string{}, map[string]string{}
	events := 0
	for label, root := range roots {
		r := newRig(t)
		out := r.done(t, root, func(o *scan.Options) { o.Label = label })
		apart[label], story[label] = of(r.report(t), label), out.ndjson(t)
		if apart[label] == "" {
			t.Fatal("nothing is reported")
		}
		events += len(out.events)
	}
	check := func(r *rig, what string) {
		t.Helper()
		report := r.report(t)
		for label, want := range apart {
			if got := of(report, label); got != want {
				t.Errorf("%s, %s:\n%s\nwant\n%s", what, label, got, want)
			}
		}
	}
	none := func(string, scan.Event) {}
	r := newRig(t)
	for label, out := range r.together(t, t.Context(), roots, none) {
		if out.err != nil || !out.Complete {
			t.Fatalf("%s: %v, %s", label, out.err, out.Why)
		}
		if got := decodedAside(out.ndjson(t)); got != decodedAside(story[label]) {
			t.Errorf("%s tells\n%s\nwant\n%s", label, got, story[label])
		}
	}
	check(r, "at once")
	for cut := 3; cut < events; cut += events / 3 {
		r := newRig(t)
		r.Now = ticking()
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		r.together(t, ctx, roots, func(string, scan.Event) {
			if n.Add(1) == int64(cut) {
				cancel()
			}
		})
		cancel()
		for label, out := range r.together(t, t.Context(), roots, none) {
			if out.err != nil || !out.Complete {
				t.Fatalf("cut %d, %s: %v, %s", cut, label, out.err, out.Why)
			}
		}
		check(r, fmt.Sprint("cut ", cut))
	}
}

// decodedAside leaves out how much a run decoded itself: content that two exhibits share
// is decoded by the one that comes first.
func decodedAside(story string) string {
	before, after, _ := strings.Cut(story, `"decoded":`)
	_, after, _ = strings.Cut(after, ",")
	return before + after
}

// TestThreatToLifeGoesFirst: a case in which life is at risk gets the next lane, and the
// ones after that, while another case is being scanned.
func TestThreatToLifeGoesFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.engine.CreateCase(t.Context(), tester, semblance.Case{Number: "C2", Agency: "A", Country: "NL", Purpose: "p", Basis: "b", ThreatToLife: true}); err != nil {
		t.Fatal(err)
	}
	urgent, err := r.engine.Plan(t.Context(), "C2", semblance.PlanOptions{Collections: everything})
	if err != nil {
		t.Fatal(err)
	}
	ordinary, life := t.TempDir(), t.TempDir()
	for i := range 4 {
		put(t, ordinary, fmt.Sprintf("a%d.jpg", i), picture{Salt: fmt.Sprint("a", i)}.bytes())
	}
	for i := range 2 {
		put(t, life, fmt.Sprintf("b%d.jpg", i), picture{Salt: fmt.Sprint("b", i)}.bytes())
	}
	r.Pipeline = &scan.Pipeline{}
	begun, goOn := make(chan struct{}), make(chan struct{})
	var order []string // of one lane: nothing is at once
	r.analyzer.before = func(f *os.File) error {
		if len(order) == 0 {
			close(begun)
			<-goOn
		}
		order = append(order, filepath.Base(f.Name()))
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.done(t, ordinary, lanes(1)) })
	<-begun
	wg.Go(func() {
		r.done(t, life, lanes(1), func(o *scan.Options) { o.Plan = urgent })
	})
	r.Pipeline.Awaited(2)
	close(goOn)
	wg.Wait()
	slices.Sort(order[1:3])
	if got, want := fmt.Sprint(order), "[a0.jpg b0.jpg b1.jpg a1.jpg a2.jpg a3.jpg]"; got != want {
		t.Errorf("examined %s, want %s", got, want)
	}
}
